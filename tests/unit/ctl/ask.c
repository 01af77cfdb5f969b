// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOW "{\"cmd\":\"show\",\"what\":\"mappings\""
#define DELETE                                                                                     \
	"{\"cmd\":\"delete\",\"what\":\"mapping\",\"key\":{\"protocol\":\"tcp\","                  \
	"\"port\":80,\"subscriber\":"

static const char *cursor_of(const json_t *answer)
{
	return json_string_value(json_object_get(json_object_get(answer, "done"), "cursor"));
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

// Every mapping of both shards must come exactly once, whatever the size of the pages.
static void walk_in_pages_of(unsigned limit)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array(), *done = NULL;
	unsigned seen[LAB_WORKERS] = {0}, pages = 0;
	char request[128], cursor[32] = "0:0";
	size_t i;
	json_t *row;

	lab->io.shards[0].n_mappings = 700;
	lab->io.shards[1].n_mappings = 801;
	int fd = lab_connect(lab);
	do {
		json_decref(done);
		snprintf(request, sizeof request, SHOW ",\"limit\":%u,\"cursor\":\"%s\"}", limit,
			cursor);
		size_t before = json_array_size(rows);
		done = lab_ask(lab, fd, request, rows);
		cr_assert_leq(json_array_size(rows) - before, limit);
		snprintf(cursor, sizeof cursor, "%s", cursor_of(done) ? cursor_of(done) : "");
		pages++;
	} while (cursor[0]);
	json_array_foreach(rows, i, row)
	{
		unsigned shard = (unsigned)number_of(row, "shard");
		struct nat_view v = lab_mapping((uint16_t)shard, seen[shard]++);
		cr_assert_eq(number_of(row, "external_port"), v.external.port);
	}
	cr_assert_eq(seen[0], 700);
	cr_assert_eq(seen[1], 801);
	cr_assert_geq(pages, 1501 / limit);
	json_decref(done);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

Test(ctl, walks_all_shards_in_one_page)
{
	walk_in_pages_of(10000);
}

Test(ctl, walks_all_shards_in_pages_that_cut_a_shard)
{
	walk_in_pages_of(100);
}

Test(ctl, walks_all_shards_in_pages_larger_than_a_wish)
{
	walk_in_pages_of(300);
}

Test(ctl, walks_in_pages_that_end_with_a_shard)
{
	walk_in_pages_of(700);
}

Test(ctl, shows_a_mapping_with_names)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	lab->io.shards[1].n_mappings = 2;
	int fd = lab_connect(lab);

	json_decref(lab_ask(lab, fd, SHOW "}", rows));
	char *text = json_dumps(rows, JSON_COMPACT);
	cr_assert_str_eq(text,
		"[{\"protocol\":\"udp\",\"internal_address\":\"100.64.0.0\","
		"\"internal_port\":5000,\"realm\":\"inside\",\"external_address\":\"203.0.113.1\","
		"\"external_port\":1024,\"ports\":1,\"kind\":\"dynamic-implicit\","
		"\"group\":\"residential\",\"shard\":1,\"replied\":false,\"operator\":false,"
		"\"idle_left_s\":120},"
		"{\"protocol\":\"tcp\",\"internal_address\":\"100.64.0.0\","
		"\"internal_port\":5001,\"realm\":\"inside\",\"external_address\":\"203.0.113.1\","
		"\"external_port\":1025,\"ports\":1,\"kind\":\"dynamic-explicit\","
		"\"group\":\"residential\",\"shard\":1,\"replied\":false,\"operator\":false,"
		"\"lifetime_left_s\":3600,\"has_nonce\":true,\"client\":\"100.64.0.0\","
		"\"client_port\":40000,\"client_realm\":\"inside\",\"dialect\":\"2\","
		"\"third_party\":false,\"prefer_failure\":false,\"moved\":false,"
		"\"filter_count\":0,\"description_octets\":0}]");
	free(text);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

// Only mapping 3 has filters and a text; they come behind it, as rows of their own.
Test(ctl, shows_filters_and_text_with_their_mapping)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	lab->io.shards[0].n_mappings = 300;
	int fd = lab_connect(lab);

	json_decref(lab_ask(lab, fd, SHOW ",\"detail\":true}", rows));
	cr_assert_eq(json_array_size(rows), 300u);
	json_t *row = json_array_get(rows, 3);
	cr_assert_eq(number_of(row, "filter_count"), 2);
	char *filters = json_dumps(json_object_get(row, "filters"), JSON_COMPACT);
	cr_assert_str_eq(filters, "[{\"prefix\":\"198.51.100.0/24\",\"port\":0},"
				  "{\"prefix\":\"198.51.100.0/25\",\"port\":1}]");
	cr_assert_str_eq(json_string_value(json_object_get(row, "description")), "a\033[2J");
	cr_assert_null(json_object_get(json_array_get(rows, 4), "filters"));
	cr_assert_null(json_object_get(json_array_get(rows, 2), "description"));
	cr_assert_eq(number_of(json_array_get(rows, 7), "ports"), 4);
	free(filters);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

Test(ctl, never_shows_a_nonce)
{
	struct lab *lab = lab_open();
	lab->io.shards[0].n_mappings = 8;
	int fd = lab_connect(lab);

	lab_say(fd, SHOW ",\"detail\":true}\n");
	for (unsigned i = 0; i < 8; i++) {
		char *line = lab_hear(lab, fd);
		cr_assert_not_null(strstr(line, "\"row\""));
		cr_assert_null(strstr(line, "aabb"));
		free(line);
	}
	close(fd);
	lab_close(lab);
}

Test(ctl, shows_peer_leases_of_one_subscriber)
{
	struct lab *lab = lab_open();
	uint16_t owner = conf_inside_owner(lab->io.conf, 0x64500001u);
	json_t *rows = json_array();
	int fd = lab_connect(lab);

	json_decref(lab_ask(lab, fd,
		"{\"cmd\":\"show\",\"what\":\"leases\",\"filter\":{\"subscriber\":"
		"\"100.80.0.1\"}}",
		rows));
	cr_assert_eq(json_array_size(rows), 1u);
	const json_t *row = json_array_get(rows, 0);
	cr_assert_str_eq(json_string_value(json_object_get(row, "kind")), "peer");
	cr_assert_str_eq(json_string_value(json_object_get(row, "remote_address")), "198.51.100.9");
	cr_assert_eq(number_of(row, "remote_port"), 443);
	cr_assert_str_eq(json_string_value(json_object_get(row, "description")), "call");
	cr_assert_eq(lab->io.shards[owner].last_wish.kind, SHARD_SHOW_LEASES);
	cr_assert_str_eq(
		row_realm_name(lab->io.conf, lab->io.shards[owner].last_wish.key.realm), "inside");
	cr_assert_eq(lab->io.shards[1 - owner].n_wishes, 0u);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

Test(ctl, shows_a_subscriber_with_the_epoch_he_is_told)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	lab->io.shards[0].n_mappings = 1;
	lab->io.epochs.base_ns[0] = 40 * NS_PER_S;
	lab->io.tick = 0;
	int fd = lab_connect(lab);

	json_decref(lab_ask(lab, fd, "{\"cmd\":\"show\",\"what\":\"subscribers\"}", rows));
	char *text = json_dumps(rows, JSON_COMPACT);
	cr_assert_str_eq(text,
		"[{\"address\":\"100.64.0.0\",\"group\":\"residential\",\"realm\":\"inside\","
		"\"external_address\":\"0.0.0.0\",\"ports\":{\"udp\":1,\"tcp\":2,\"icmp\":3},"
		"\"blocks\":0,\"leases\":0,\"sessions\":0,\"shard\":0,\"epoch_s\":60}]");
	cr_assert_eq(row_epoch_s(lab->ctl, 0, 90), 10); // his own base is later
	cr_assert_eq(row_epoch_s(lab->ctl, 0, 101), 0);
	free(text);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

Test(ctl, asks_the_owner_alone_about_one_subscriber)
{
	struct lab *lab = lab_open();
	ip4 host = 0x64400005u;
	uint16_t owner = conf_inside_owner(lab->io.conf, host);
	json_t *rows = json_array();
	lab->io.shards[0].n_mappings = lab->io.shards[1].n_mappings = 100;
	int fd = lab_connect(lab);

	json_decref(lab_ask(lab, fd, SHOW ",\"filter\":{\"subscriber\":\"100.64.0.5\"}}", rows));
	cr_assert_eq(json_array_size(rows), 8u);
	cr_assert_eq(lab->io.shards[owner].n_wishes, 1u);
	cr_assert_eq(lab->io.shards[1 - owner].n_wishes, 0u);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

Test(ctl, asks_the_owner_alone_about_one_external_endpoint)
{
	struct lab *lab = lab_open();
	const struct conf_local *local = conf_find_local(lab->io.conf, 0, 0xcb007102u);
	cr_assert_not_null(local);
	uint16_t owner = conf_outside_owner(
		lab->io.conf, &lab->io.conf->external[local->index], NAT_TCP, 4000);
	json_t *rows = json_array();
	int fd = lab_connect(lab);

	json_decref(lab_ask(lab, fd,
		SHOW ",\"filter\":{\"external\":\"203.0.113.2:4000\",\"protocol\":\"tcp\"}}",
		rows));
	cr_assert_eq(lab->io.shards[owner].n_wishes, 1u);
	cr_assert_eq(lab->io.shards[1 - owner].n_wishes, 0u);
	const struct shard_wish *w = &lab->io.shards[owner].last_wish;
	cr_assert_eq(w->external.addr, 0xcb007102u);
	cr_assert(w->has_external_port && w->external.port == 4000);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

Test(ctl, passes_every_filter_on_to_the_shard)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	int fd = lab_connect(lab);

	json_decref(lab_ask(lab, fd,
		SHOW ",\"filter\":{\"group\":\"business\",\"realm\":\"office\",\"kind\":\"static\","
		     "\"port\":0,\"protocol\":\"udp\"}}",
		rows));
	const struct shard_wish *w = &lab->io.shards[1].last_wish;
	cr_assert_eq(w->kind, SHARD_SHOW_MAPPINGS);
	cr_assert_str_eq(lab->io.conf->groups[w->group].name, "business");
	cr_assert_str_eq(row_realm_name(lab->io.conf, w->key.realm), "office");
	cr_assert_eq(w->kinds, 1 << NAT_STATIC);
	cr_assert(w->has_realm && w->has_port && !w->has_external_port);
	cr_assert_eq(w->key.port, 0);
	cr_assert_eq(w->key.protocol, NAT_UDP);
	json_decref(lab_ask(lab, fd, SHOW "}", rows));
	cr_assert_eq(w->group, 255, "no group means any");
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

static void expect_code(struct lab *lab, const char *request, const char *code)
{
	int fd = lab_connect(lab);
	json_t *answer = lab_ask(lab, fd, request, NULL);

	cr_assert_str_eq(lab_code(answer), code, "%s", request);
	json_decref(answer);
	close(fd);
}

Test(ctl, refuses_names_and_cursors_it_does_not_know)
{
	struct lab *lab = lab_open();

	expect_code(lab, SHOW ",\"filter\":{\"group\":\"gone\"}}", "not-found");
	expect_code(lab, SHOW ",\"filter\":{\"realm\":\"outside\"}}", "not-found");
	expect_code(lab, "{\"cmd\":\"show\",\"what\":\"pcp\",\"filter\":{\"group\":\"gone\"}}",
		"not-found");
	expect_code(lab, SHOW ",\"cursor\":\"2:0\"}", "bad-request");
	expect_code(lab, SHOW ",\"cursor\":\"65535:0\"}", "bad-request");
	cr_assert_eq(lab->io.shards[0].n_wishes + lab->io.shards[1].n_wishes, 0u);
	lab_close(lab);
}

Test(ctl, deletes_a_mapping_at_its_owner)
{
	struct lab *lab = lab_open();
	uint16_t owner = conf_inside_owner(lab->io.conf, 0x64500001u);
	const struct shard_wish *w = &lab->io.shards[owner].last_wish;

	expect_code(lab, DELETE "\"100.80.0.1\"}}", "");
	cr_assert_eq(w->kind, SHARD_DELETE_MAPPING);
	cr_assert_eq(w->key.host, 0x64500001u);
	cr_assert_eq(w->key.port, 80);
	cr_assert_eq(w->key.protocol, NAT_TCP);
	cr_assert_str_eq(row_realm_name(lab->io.conf, w->key.realm), "inside");
	lab->io.shards[owner].deed_error = -ENOENT;
	expect_code(lab, DELETE "\"100.80.0.1\"}}", "not-found");
	lab->io.shards[owner].deed_error = -EPERM;
	expect_code(lab, DELETE "\"100.80.0.1\"}}", "static");
	cr_assert_eq(lab->io.shards[1 - owner].n_wishes, 0u);
	lab_close(lab);
}

// 100.64.0.0/16 is in both groups' realms: to guess would be to delete the wrong one.
Test(ctl, deletes_nothing_where_a_subscriber_is_ambiguous)
{
	struct lab *lab = lab_open();

	expect_code(lab, DELETE "\"100.64.0.1\"}}", "ambiguous");
	expect_code(lab, DELETE "\"172.16.0.1\"}}", "not-found");
	cr_assert_eq(lab->io.shards[0].n_wishes + lab->io.shards[1].n_wishes, 0u);
	expect_code(lab, DELETE "\"100.64.0.1\",\"realm\":\"office\"}}", "");
	cr_assert_eq(lab->io.shards[0].n_wishes + lab->io.shards[1].n_wishes, 1u);
	lab_close(lab);
}

Test(ctl, clears_a_subscriber)
{
	struct lab *lab = lab_open();
	uint16_t owner = conf_inside_owner(lab->io.conf, 0x0a000001u);

	expect_code(lab,
		"{\"cmd\":\"clear\",\"what\":\"subscriber\",\"key\":{\"subscriber\":\"10.0.0.1\"}}",
		"");
	cr_assert_eq(lab->io.shards[owner].last_wish.kind, SHARD_CLEAR_SUBSCRIBER);
	cr_assert_eq(lab->io.shards[owner].last_wish.key.host, 0x0a000001u);
	lab_close(lab);
}

Test(ctl, does_not_wait_for_a_dead_worker_for_ever)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	lab->io.shards[1].asleep = true;
	lab->io.shards[0].n_mappings = 3;
	lab->io.tick = NS_PER_S;
	int fd = lab_connect(lab), other = lab_connect(lab);

	lab_say(other, SHOW "}\n"); // stands behind the first at the dead shard's desk
	json_t *answer = lab_ask(lab, fd, SHOW "}", rows);
	cr_assert_str_eq(lab_code(answer), "no-answer");
	cr_assert_eq(json_array_size(rows), 3u);
	json_decref(answer);
	lab->io.shards[1].asleep = false; // its late answers find nobody
	lab_rounds(lab, 5);
	answer = lab_ask(lab, fd, SHOW "}", rows);
	cr_assert_not_null(json_object_get(answer, "done"));
	json_decref(answer);
	json_decref(rows);
	close(fd);
	close(other);
	lab_close(lab);
}

Test(ctl, lets_two_walks_share_a_shard)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	lab->io.shards[0].n_mappings = 4000;
	int one = lab_connect(lab), two = lab_connect(lab);

	lab_say(one, SHOW ",\"limit\":10000}\n");
	lab_rounds(lab, 3);
	json_decref(lab_ask(lab, two, SHOW ",\"limit\":300}", rows));
	cr_assert_eq(json_array_size(rows), 300u);
	cr_assert(ask_busy(lab->ctl), "the long walk is still under way");
	json_array_clear(rows);
	json_decref(lab_ask(lab, one, SHOW ",\"limit\":1}", rows)); // reads the long one's end
	cr_assert_eq(json_array_size(rows), 4000u);
	json_decref(rows);
	close(one);
	close(two);
	lab_close(lab);
}
