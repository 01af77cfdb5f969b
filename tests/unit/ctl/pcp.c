// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *show(struct lab *lab, const char *request)
{
	json_t *rows = json_array();
	int fd = lab_connect(lab);
	json_t *done = lab_ask(lab, fd, request, rows);

	cr_assert_not_null(json_object_get(done, "done"));
	json_decref(done);
	close(fd);
	return rows;
}

static json_int_t count_of(const json_t *row, const char *kind, const char *name)
{
	const json_t *value = json_object_get(json_object_get(row, kind), name);

	cr_assert(json_is_integer(value), "%s.%s", kind, name);
	return json_integer_value(value);
}

static const char *group_of(const json_t *row)
{
	return json_string_value(json_object_get(row, "group"));
}

Test(ctl, shows_what_each_group_was_asked_and_answered)
{
	struct lab *lab = lab_open();
	struct server_counters *one = &lab->io.shards[0].counters.server[0];
	struct server_counters *two = &lab->io.shards[1].counters.server[0];

	one->requests = 3;
	two->requests = 4;
	one->opcodes[SERVER_PEER] = 5;
	two->options[PCP_INDEX_FILTER] = 6;
	two->results[PCP_RESULT_EXCESSIVE_REMOTE_PEERS] = 7;
	one->dialects[PCP_NATPMP] = 8;
	lab->io.shards[1].counters.server[1].requests = 9;
	json_t *rows = show(lab, "{\"cmd\":\"show\",\"what\":\"pcp\"}");
	json_t *row = json_array_get(rows, 0);
	cr_assert_eq(json_array_size(rows), 2u);
	cr_assert_str_eq(group_of(row), "residential");
	cr_assert_eq(count_of(row, "events", "requests"), 7);
	cr_assert_eq(count_of(row, "opcodes", "peer"), 5);
	cr_assert_eq(count_of(row, "options", "FILTER"), 6);
	cr_assert_eq(count_of(row, "results", "EXCESSIVE_REMOTE_PEERS"), 7);
	cr_assert_eq(count_of(row, "dialects", "nat-pmp"), 8);
	cr_assert_eq(count_of(row, "dialects", "2"), 0);
	cr_assert_eq(count_of(json_array_get(rows, 1), "events", "requests"), 9);
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, shows_the_pcp_counters_of_one_group)
{
	struct lab *lab = lab_open();
	json_t *rows = show(
		lab, "{\"cmd\":\"show\",\"what\":\"pcp\",\"filter\":{\"group\":\"business\"}}");

	cr_assert_eq(json_array_size(rows), 1u);
	cr_assert_str_eq(group_of(json_array_get(rows, 0)), "business");
	json_decref(rows);
	lab_close(lab);
}

// What the stand-in's clients asked, sorted the simple way.
static unsigned count_busier(const struct lab *lab, uint32_t requests)
{
	unsigned n = 0;

	for (uint16_t k = 0; k < LAB_WORKERS; k++) {
		for (uint32_t i = 0; i < lab->io.shards[k].n_clients; i++)
			n += lab_client(k, i).requests > requests;
	}
	return n;
}

Test(ctl, shows_the_busiest_clients_first)
{
	struct lab *lab = lab_open();
	json_t *row;
	size_t i;

	lab->io.shards[0].n_clients = 600;
	lab->io.shards[1].n_clients = 700;
	json_t *rows = show(lab, "{\"cmd\":\"show\",\"what\":\"pcp-clients\",\"limit\":50}");
	cr_assert_eq(json_array_size(rows), 50u);
	json_array_foreach(rows, i, row)
	{
		uint32_t requests = (uint32_t)json_integer_value(json_object_get(row, "requests"));
		cr_assert_leq(count_busier(lab, requests), i);
		cr_assert_geq(count_busier(lab, requests - 1), i + 1);
	}
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, shows_a_client_with_what_was_refused)
{
	struct lab *lab = lab_open();

	lab->io.shards[1].n_clients = 2;
	lab->io.tick = 0;
	json_t *rows = show(lab, "{\"cmd\":\"show\",\"what\":\"pcp-clients\"}");
	char *text = json_dumps(json_array_get(rows, 0), JSON_COMPACT);
	cr_assert_str_eq(text,
		"{\"address\":\"100.80.3.233\",\"realm\":\"inside\",\"group\":\"residential\","
		"\"port\":5350,\"dialect\":\"nat-pmp\",\"requests\":856,\"refused\":1,"
		"\"silent_s\":10,\"shard\":1}");
	free(text);
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, passes_filters_of_clients_on)
{
	struct lab *lab = lab_open();

	json_decref(show(lab, "{\"cmd\":\"show\",\"what\":\"pcp-clients\",\"filter\":{\"group\":"
			      "\"business\",\"realm\":\"office\"}}"));
	const struct shard_wish *w = &lab->io.shards[1].last_wish;
	cr_assert_eq(w->kind, SHARD_SHOW_CLIENTS);
	cr_assert_eq(w->group, 1);
	cr_assert(w->has_realm);
	lab_close(lab);
}
