// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *show(struct lab *lab, const char *what)
{
	json_t *rows = json_array();
	char request[96];
	int fd = lab_connect(lab);

	snprintf(request, sizeof request, "{\"cmd\":\"show\",\"what\":\"%s\"}", what);
	json_t *done = lab_ask(lab, fd, request, rows);
	cr_assert_not_null(json_object_get(done, "done"));
	json_decref(done);
	close(fd);
	return rows;
}

static void expect_row(const json_t *rows, size_t i, const char *wanted)
{
	char *text = json_dumps(json_array_get(rows, i), JSON_COMPACT);

	cr_assert_not_null(text);
	cr_assert_str_eq(text, wanted);
	free(text);
}

Test(ctl, shows_its_version)
{
	struct lab *lab = lab_open();
	json_t *rows = show(lab, "version");

	expect_row(rows, 0, "{\"program\":\"posternd\",\"version\":\"" POSTERN_VERSION "\"}");
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, shows_status_summed_over_workers)
{
	struct lab *lab = lab_open();
	char wanted[512];

	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		lab->io.shards[i].nat.mappings = 10 + i;
		lab->io.shards[i].nat.subscribers = 1;
		lab->io.shards[i].nat.addresses = 5; // each counts the one that is cut
		lab->io.shards[i].counters.drops[DROP_TTL] = 2;
		lab->io.counters[i].drops[DROP_ARP] = 3;
		lab->io.counters[i].drops[DROP_NONE] = 99; // not a drop
	}
	lab->io.epochs.base_ns[0] = 90 * NS_PER_S;
	lab->io.epochs.base_ns[1] = 95 * NS_PER_S;
	lab->io.now += 5 * NS_PER_S;
	lab->io.tick = 0;
	json_t *rows = show(lab, "status");
	snprintf(wanted, sizeof wanted,
		"{\"version\":\"%s\",\"uptime_s\":5,\"config_file\":\"%s\",\"generation\":1,"
		"\"workers\":2,\"huge_pages\":false,\"buffers\":1000,\"buffers_in_use\":7,"
		"\"mappings\":21,\"sessions\":0,\"leases\":0,\"lease_details\":0,\"filters\":0,"
		"\"descriptions\":0,"
		"\"resting\":0,"
		"\"subscribers\":2,\"blocks\":0,"
		"\"addresses\":6,\"drops\":10,\"epoch_s\":{\"residential\":15,\"business\":10}}",
		POSTERN_VERSION, lab->conf_file);
	expect_row(rows, 0, wanted);
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, shows_ports_with_their_interfaces)
{
	struct lab *lab = lab_open();
	json_t *rows = show(lab, "ports");

	cr_assert_eq(json_array_size(rows), 2u);
	json_t *interfaces = json_object_get(json_array_get(rows, 0), "interfaces");
	expect_row(interfaces, 0,
		"{\"name\":\"inside\",\"side\":\"inside\",\"vlan\":0,\"mtu\":1500,"
		"\"addresses\":[\"100.64.0.1/10\"]}");
	expect_row(interfaces, 1,
		"{\"name\":\"office\",\"side\":\"inside\",\"vlan\":7,\"mtu\":1500,"
		"\"addresses\":[\"10.0.0.1/8\"]}");
	cr_assert_eq(
		json_integer_value(json_object_get(json_array_get(rows, 1), "rx_packets")), 10);
	cr_assert(json_is_true(json_object_get(json_array_get(rows, 0), "link_up")));
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, a_link_that_cannot_be_read_is_null)
{
	struct lab *lab = lab_open();

	lab->io.link_unknown = true;
	json_t *rows = show(lab, "ports");
	cr_assert(json_is_null(json_object_get(json_array_get(rows, 0), "link_up")));
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, shows_the_members_of_a_link_aggregation_and_their_state)
{
	struct lab *lab = lab_open();

	lab->io.n_members = 3;
	json_t *rows = show(lab, "ports"), *port = json_array_get(rows, 1);
	json_t *members = json_object_get(port, "members");
	cr_assert_str_eq(json_string_value(json_object_get(port, "aggregation")), "802.1AX");
	cr_assert_eq(json_array_size(members), 3u);
	expect_row(members, 0,
		"{\"device\":\"net_null1\",\"driver\":\"net_null\",\"state\":\"down\","
		"\"rx_packets\":100,\"tx_packets\":200}");
	expect_row(members, 2,
		"{\"device\":\"net_null3\",\"driver\":\"net_null\",\"state\":\"active\","
		"\"rx_packets\":102,\"tx_packets\":202,\"speed_mbps\":20000}");
	json_t *standby = json_object_get(json_array_get(members, 1), "state");
	cr_assert_str_eq(json_string_value(standby), "standby");
	cr_assert_null(json_object_get(json_array_get(rows, 0), "members"), "a plain port");
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, shows_what_each_worker_did)
{
	struct lab *lab = lab_open();

	lab->io.counters[1].handoff_out = 5;
	lab->io.counters[1].handed_to[0] = 5;
	lab->io.counters[1].ports[0].rx_packets = 4;
	lab->io.counters[1].ports[1].rx_packets = 3;
	lab->io.shards[1].counters.pcp_replies = 6;
	lab_rounds(lab, 1);
	json_t *rows = show(lab, "workers"), *one = json_array_get(rows, 1);
	json_t *io = json_object_get(one, "io"), *shard = json_object_get(one, "shard");
	cr_assert_eq(json_array_size(rows), 2u);
	cr_assert_eq(json_integer_value(json_object_get(io, "handoff_out")), 5);
	cr_assert_eq(json_integer_value(json_object_get(io, "rx_packets")), 7);
	cr_assert_eq(json_integer_value(json_object_get(shard, "pcp_replies")), 6);
	cr_assert_eq(json_integer_value(json_object_get(one, "generation")), 1);
	cr_assert_eq(json_integer_value(json_array_get(json_object_get(io, "handed_to"), 0)), 5);
	json_decref(rows);
	lab_close(lab);
}

// A pool of four addresses over two workers; every one of them has its owner in the answer.
Test(ctl, shows_groups_with_the_owners_of_their_addresses)
{
	struct lab *lab = lab_open();
	json_t *address;
	size_t i;

	lab->io.shards[0].counters.server[0].results[PCP_RESULT_SUCCESS] = 3;
	lab->io.shards[1].counters.server[0].results[PCP_RESULT_SUCCESS] = 4;
	lab->io.shards[1].counters.server[0].results[PCP_RESULT_NO_RESOURCES] = 1;
	json_t *rows = show(lab, "groups"), *one = json_array_get(rows, 0);
	cr_assert_eq(json_array_size(rows), 2u);
	cr_assert_str_eq(json_string_value(json_object_get(one, "name")), "residential");
	json_t *pool = json_object_get(one, "pool");
	cr_assert_eq(json_array_size(pool), 4u);
	json_array_foreach(pool, i, address)
	{
		const struct conf_external *e =
			&lab->io.conf->external
				 [conf_find_local(lab->io.conf, 0, 0xcb007100u + (ip4)i)->index];
		cr_assert_eq(json_integer_value(json_object_get(address, "worker")), e->whole);
	}
	char *results = json_dumps(json_object_get(one, "pcp_results"), JSON_COMPACT);
	cr_assert_str_eq(results, "{\"SUCCESS\":7,\"NO_RESOURCES\":1}");
	free(results);
	json_decref(rows);
	lab_close(lab);
}

// One address for two workers: its ports are cut, and the answer covers all 65536 of them.
Test(ctl, shows_who_owns_which_ports_of_a_cut_address)
{
	struct lab *lab = lab_open_cold();
	conf_destroy(lab->io.conf);
	lab_write_conf(lab, "203.0.113.9", "");
	struct conf_complaints complaints = {.file = lab->conf_file};
	struct ctl_setup setup = {.io = &lab->io, .conf_file = lab->conf_file, .log = &lab->log};
	json_t *cut;
	size_t i;
	json_int_t next = 0;

	cr_assert_eq(conf_load(lab->conf_file, NULL, &lab->io.conf, &complaints), 0);
	conf_complaints_destroy(&complaints);
	cr_assert_eq(ctl_create(&setup, &lab->ctl), 0);
	json_t *rows = show(lab, "groups");
	json_t *pool = json_object_get(json_array_get(rows, 0), "pool");
	json_t *workers = json_object_get(json_array_get(pool, 0), "workers");
	cr_assert_geq(json_array_size(workers), 2u);
	json_array_foreach(workers, i, cut)
	{
		cr_assert_eq(json_integer_value(json_object_get(cut, "first_port")), next);
		next = json_integer_value(json_object_get(cut, "last_port")) + 1;
	}
	cr_assert_eq(next, 65536);
	json_decref(rows);
	lab_close(lab);
}

// Whose the hosts' ports are follows from their addresses; what is dealt is the overflow.
Test(ctl, shows_who_owns_the_overflow_of_a_planned_address)
{
	struct lab *lab = lab_open_cold();
	conf_destroy(lab->io.conf);
	lab_write_conf(lab,
		"203.0.112.0/22]\n    port-set-size: 4\n    port-allocation-type: deterministic #",
		"");
	struct conf_complaints complaints = {.file = lab->conf_file};
	struct ctl_setup setup = {.io = &lab->io, .conf_file = lab->conf_file, .log = &lab->log};
	json_int_t before = 0;

	cr_assert_eq(conf_load(lab->conf_file, NULL, &lab->io.conf, &complaints), 0);
	conf_complaints_destroy(&complaints);
	cr_assert_eq(ctl_create(&setup, &lab->ctl), 0);
	json_t *rows = show(lab, "groups");
	json_t *pool = json_object_get(json_array_get(rows, 0), "pool");
	json_t *workers = json_object_get(json_array_get(pool, 0), "workers");
	cr_assert_eq(json_array_size(workers), 2u);
	// 4096 hosts with 12 ports each, from 1024 on. Whoever begins is another one each time.
	for (unsigned w = 0; w < 2; w++) {
		json_t *cut = json_array_get(workers, w);
		json_int_t first = json_integer_value(json_object_get(cut, "first_port"));
		cr_assert_eq(json_integer_value(json_object_get(cut, "worker")), w);
		cr_assert(first == 50176 || first == 57856);
		cr_assert_eq(json_integer_value(json_object_get(cut, "last_port")), first + 7679);
		cr_assert(w == 0 || first != before);
		before = first;
	}
	json_decref(rows);
	lab_close(lab);
}

Test(ctl, shows_neighbours_page_by_page)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	int fd = lab_connect(lab);

	lab->io.n_neighbours = 150;
	json_t *done =
		lab_ask(lab, fd, "{\"cmd\":\"show\",\"what\":\"neighbours\",\"limit\":100}", rows);
	cr_assert_eq(json_array_size(rows), 100u);
	cr_assert_str_eq(
		json_string_value(json_object_get(json_object_get(done, "done"), "cursor")),
		"0:100");
	json_decref(done);
	done = lab_ask(lab, fd,
		"{\"cmd\":\"show\",\"what\":\"neighbours\",\"limit\":100,\"cursor\":\"0:100\"}",
		rows);
	cr_assert_eq(json_array_size(rows), 150u);
	cr_assert_null(json_object_get(json_object_get(done, "done"), "cursor"));
	expect_row(rows, 149,
		"{\"interface\":\"inside\",\"address\":\"100.64.0.149\","
		"\"mac\":\"00:00:00:00:00:00\",\"state\":\"reachable\",\"age_s\":3}");
	expect_row(rows, 50,
		"{\"interface\":\"inside\",\"address\":\"100.64.0.50\","
		"\"mac\":\"00:00:00:00:00:00\",\"state\":\"static\"}");
	json_decref(done);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}
