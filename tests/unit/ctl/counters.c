// SPDX-License-Identifier: Apache-2.0
#include "counters.h"
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Test(ctl, names_every_counter_once_with_a_sentence)
{
	for (size_t i = 0; i < counter_count; i++) {
		const struct counter *a = &counter_list[i];
		size_t length = strlen(a->sentence);
		cr_assert(length > 10 && a->sentence[length - 1] == '.', "%s", a->name);
		for (size_t k = 0; k < i; k++) {
			const struct counter *b = &counter_list[k];
			cr_assert(strcmp(a->section, b->section) || strcmp(a->name, b->name),
				"%s.%s", a->section, a->name);
		}
	}
}

Test(ctl, shows_counters_that_are_not_zero)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	int fd = lab_connect(lab);

	lab->io.counters[1].naps = 4;
	lab->io.shards[0].counters.inside_packets = 5;
	lab->io.shards[0].nat.cleared = 6;
	lab->io.shards[1].nat.mappings = 7;
	lab->io.shards[1].counters.server[0].requests = 5;
	lab->io.shards[1].counters.server[63].requests = 3; // of a group that is gone
	lab->io.shards[1].counters.server[1].results[PCP_RESULT_USER_EX_QUOTA] = 9;
	lab->io.shards[0].counters.server[0].options[PCP_INDEX_FILTER] = 2;
	lab->io.shards[0].counters.server[0].opcodes[SERVER_MAP] = 3;
	lab->io.shards[0].counters.server[0].dialects[PCP_NATPMP] = 4;
	lab->io.shards[0].counters.drops[DROP_TTL] = 1;
	lab->io.counters[0].drops[DROP_TTL] = 2;
	lab->io.shards[1].counters.drops[DROP_TTL] = 4;
	json_decref(lab_ask(lab, fd,
		"{\"cmd\":\"show\",\"what\":\"counters\",\"filter\":{\"nonzero\":true}}", rows));
	static const struct {
		const char *name;
		json_int_t value, of_worker_1;
	} wanted[] = {
		{"io.naps", 4, 4},
		{"shard.inside_packets", 5, 0},
		{"nat.cleared", 6, 0},
		{"nat-now.mappings", 7, 7},
		{"pcp.requests", 8, 8},
		{"pcp-dialect.nat-pmp", 4, 0},
		{"pcp-opcode.map", 3, 0},
		{"pcp-option.FILTER", 2, 0},
		{"pcp-result.USER_EX_QUOTA", 9, 9},
		{"drop.ttl", 7, 4},
	};
	cr_assert_eq(json_array_size(rows), ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const json_t *row = json_array_get(rows, i);
		const json_t *workers = json_object_get(row, "workers");
		cr_assert_str_eq(json_string_value(json_object_get(row, "name")), wanted[i].name);
		cr_assert_eq(json_integer_value(json_object_get(row, "value")), wanted[i].value);
		cr_assert_eq(json_integer_value(json_array_get(workers, 1)), wanted[i].of_worker_1);
	}
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

// The page is made without the rooms' functions: the names in it must still be theirs.
Test(ctl, names_counters_as_the_rooms_do)
{
	unsigned opcodes = 0, options = 0, dialects = 0, results = 0;

	for (size_t i = 0; i < counter_count; i++) {
		const struct counter *c = &counter_list[i];
		const char *name = NULL;
		if (strcmp(c->section, "pcp-opcode") == 0)
			name = server_opcode_name(opcodes++);
		else if (strcmp(c->section, "pcp-option") == 0)
			name = pcp_option_at(options++);
		else if (strcmp(c->section, "pcp-dialect") == 0)
			name = pcp_dialect_name(dialects++);
		else if (strcmp(c->section, "pcp-result") == 0)
			name = pcp_result_name(pcp_result_at(results++));
		cr_assert(!name || strcmp(name, c->name) == 0, "%s is %s", c->name, name);
	}
	cr_assert_eq(opcodes, SERVER_OPCODE_COUNT);
	cr_assert_eq(options, PCP_OPTION_COUNT);
	cr_assert_eq(dialects, PCP_DIALECTS);
	cr_assert_eq(results, PCP_RESULT_COUNT);
}

Test(ctl, shows_all_counters_there_are)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	int fd = lab_connect(lab);
	size_t wanted = counter_count;

	for (size_t i = 0; i < counter_count; i++) // the second of the lab's two groups
		wanted += counter_list[i].source == COUNTER_GROUP;
	json_decref(lab_ask(lab, fd, "{\"cmd\":\"show\",\"what\":\"counters\"}", rows));
	cr_assert_eq(json_array_size(rows), wanted);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}
