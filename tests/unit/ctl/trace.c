// SPDX-License-Identifier: Apache-2.0
// The daemon started at second 100 of the lab's clock; blocks come and go by the second.
#include "lab.h"

#include <stdio.h>
#include <unistd.h>

#define BEFORE 0x6440000bu // 100.64.0.11
#define NOW_HOLDER 0x6440000au

struct scene {
	struct lab *lab;
	int fd;
};

// Block 1024..1087 of 203.0.113.1: 100.64.0.11 from 200 to 300, 100.64.0.10 since 400; now is 500.
static const struct nat_tenancy both = {.held = true,
	.held_before = true,
	.realm = 1,
	.realm_before = 1,
	.host = NOW_HOLDER,
	.host_before = BEFORE,
	.since_s = 400,
	.since_before_s = 200,
	.until_before_s = 300,
	.first = 1024,
	.last = 1087};

static struct scene open_scene(const struct nat_tenancy *tenancy)
{
	struct scene s = {.lab = lab_open()};

	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		struct shard *shard = &s.lab->io.shards[i];
		for (unsigned p = NAT_UDP; p <= NAT_ICMP; p++) {
			shard->has_tenancy[p] = tenancy != NULL;
			if (tenancy)
				shard->tenancy[p] = *tenancy;
		}
	}
	s.lab->io.now = 500 * NS_PER_S;
	s.lab->io.tick = 0;
	lab_rounds(s.lab, 1); // the time of day is looked up for this clock
	s.fd = lab_connect(s.lab);
	return s;
}

static void close_scene(struct scene *s)
{
	close(s->fd);
	lab_close(s->lab);
}

// Asks at second `at_s` of the lab's clock (0: now); the row, to be given back.
static json_t *ask_at(struct scene *s, unsigned at_s, const char *more)
{
	char request[256], at[64] = "";
	json_t *rows = json_array();

	if (at_s)
		snprintf(at, sizeof at, ",\"at\":%ju",
			(uintmax_t)journal_utc_ms(s->lab->ctl, at_s * NS_PER_S));
	snprintf(request, sizeof request,
		"{\"cmd\":\"trace\",\"what\":\"port\",\"key\":{"
		"\"external\":\"203.0.113.1:1030\"%s%s}}",
		at, more);
	json_decref(lab_ask(s->lab, s->fd, request, rows));
	cr_assert_eq(json_array_size(rows), 1u);
	json_t *row = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return row;
}

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static void expect(
	struct scene *s, unsigned at_s, const char *holder, const char *subscriber, bool certain)
{
	json_t *row = ask_at(s, at_s, "");

	cr_expect_str_eq(text_of(row, "holder"), holder, "at %u", at_s);
	cr_expect_str_eq(text_of(row, "subscriber"), subscriber, "at %u", at_s);
	cr_expect_eq(json_is_true(json_object_get(row, "certain")), certain, "at %u", at_s);
	json_decref(row);
}

Test(ctl, t_17_a_trace_names_the_holder_of_that_time)
{
	struct scene s = open_scene(&both);

	expect(&s, 0, "subscriber", "100.64.0.10", true);
	expect(&s, 450, "subscriber", "100.64.0.10", true);
	expect(&s, 350, "nobody", "", true);
	expect(&s, 250, "subscriber", "100.64.0.11", true);
	close_scene(&s);
}

// What it cannot know it says, and never names a neighbour in time.
Test(ctl, trace_admits_what_is_not_known_any_more)
{
	struct scene s = open_scene(&both);

	expect(&s, 150, "unknown", "", false); // the holder before those two
	expect(&s, 50, "unknown", "", false);  // before the daemon started
	json_t *row = ask_at(&s, 150, "");
	cr_assert_str_eq(text_of(row, "note"), "not known any more: ask the NAT log");
	json_decref(row);
	close_scene(&s);
}

Test(ctl, trace_is_unsure_within_a_second_of_a_change)
{
	struct scene s = open_scene(&both);

	expect(&s, 200, "subscriber", "100.64.0.11", false);
	expect(&s, 300, "subscriber", "100.64.0.11", false);
	expect(&s, 301, "nobody", "", false);
	expect(&s, 302, "nobody", "", true);
	expect(&s, 400, "subscriber", "100.64.0.10", false);
	expect(&s, 402, "subscriber", "100.64.0.10", true);
	close_scene(&s);
}

Test(ctl, t_17_b_trace_says_nobody_of_a_free_block)
{
	struct nat_tenancy freed = both;

	freed.held = false;
	struct scene s = open_scene(&freed);
	expect(&s, 0, "nobody", "", true);
	expect(&s, 350, "nobody", "", true);
	expect(&s, 250, "subscriber", "100.64.0.11", true);
	close_scene(&s);
}

static const struct nat_view a_static = {.key = {NOW_HOLDER, 80, 1, NAT_TCP},
	.external = {0xcb007101, 1030},
	.kind = NAT_STATIC,
	.n_ports = 1};

Test(ctl, trace_shows_the_mapping_that_stands_there)
{
	struct nat_tenancy t = {.mapped = true, .mapping = a_static};
	struct scene s = open_scene(&t);
	json_t *row = ask_at(&s, 0, ",\"protocol\":\"tcp\"");

	cr_assert_str_eq(text_of(row, "subscriber"), "100.64.0.10");
	cr_assert_str_eq(text_of(row, "by"), "mapping");
	cr_assert_eq(json_array_size(json_object_get(row, "mappings")), 1u);
	cr_assert_str_eq(
		text_of(json_array_get(json_object_get(row, "mappings"), 0), "kind"), "static");
	json_decref(row);
	row = ask_at(&s, 450, ",\"protocol\":\"tcp\"");
	cr_assert_str_eq(text_of(row, "subscriber"), "100.64.0.10");
	cr_assert(json_is_false(json_object_get(row, "certain")), "since when is not known");
	json_decref(row);
	close_scene(&s);
}

// Outside of blocks one number may be two subscribers', by protocol.
Test(ctl, trace_wants_a_protocol_where_holders_differ)
{
	struct nat_tenancy t = {.mapped = true, .mapping = a_static};
	struct scene s = open_scene(&t);

	for (unsigned i = 0; i < LAB_WORKERS; i++)
		s.lab->io.shards[i].tenancy[NAT_UDP].mapping.key.host = BEFORE;
	json_t *row = ask_at(&s, 0, "");
	cr_assert_str_eq(text_of(row, "holder"), "unknown");
	json_decref(row);
	row = ask_at(&s, 0, ",\"protocol\":\"udp\"");
	cr_assert_str_eq(text_of(row, "subscriber"), "100.64.0.11");
	json_decref(row);
	close_scene(&s);
}

static void expect_refusal(struct scene *s, const char *key, const char *code)
{
	char request[256];

	snprintf(
		request, sizeof request, "{\"cmd\":\"trace\",\"what\":\"port\",\"key\":{%s}}", key);
	json_t *answer = lab_ask(s->lab, s->fd, request, NULL);
	cr_expect_str_eq(lab_code(answer), code, "%s", key);
	json_decref(answer);
}

Test(ctl, trace_refuses_what_cannot_be_traced)
{
	struct scene s = open_scene(NULL);

	expect_refusal(&s, "\"external\":\"203.0.113.1\"", "bad-request");
	expect_refusal(&s, "\"external\":\"192.0.2.99:1030\"", "not-found");
	expect_refusal(&s, "\"external\":\"203.0.113.1:80\"", "not-found");
	expect_refusal(&s, "\"protocol\":\"tcp\"", "bad-request");
	expect_refusal(&s, "\"external\":\"203.0.113.1:1030\",\"at\":\"tomorrow\"", "bad-request");
	expect_refusal(&s, "\"external\":\"203.0.113.1:1030\",\"at\":\"2199-01-01T00:00:00Z\"",
		"bad-request");
	expect_refusal(&s, "\"external\":\"203.0.113.1:1030\",\"group\":\"x\"", "bad-request");
	close_scene(&s);
}

Test(ctl, trace_takes_a_time_as_text)
{
	struct scene s = open_scene(&both);
	char text[NATLOG_TIME], more[64];

	natlog_time_format(journal_utc_ms(s.lab->ctl, 250 * NS_PER_S), text);
	snprintf(more, sizeof more, ",\"at\":\"%s\"", text);
	json_t *row = ask_at(&s, 0, more);
	cr_assert_str_eq(text_of(row, "subscriber"), "100.64.0.11");
	cr_assert_str_eq(text_of(row, "at"), text);
	cr_assert_eq(json_integer_value(json_object_get(row, "port_first")), 1024);
	const json_t *before = json_object_get(row, "block_before");
	cr_assert_str_eq(text_of(before, "subscriber"), "100.64.0.11");
	json_decref(row);
	close_scene(&s);
}

Test(ctl, sessions_of_a_subscriber_come_in_pages)
{
	struct scene s = open_scene(NULL);
	json_t *rows = json_array();

	for (unsigned i = 0; i < LAB_WORKERS; i++)
		s.lab->io.shards[i].n_sessions = 300;
	json_decref(lab_ask(s.lab, s.fd,
		"{\"cmd\":\"show\",\"what\":\"sessions\",\"filter\":{\"subscriber\":\"100.64.0."
		"10\","
		"\"realm\":\"inside\"}}",
		rows));
	cr_assert_eq(json_array_size(rows), 300u, "his own worker alone is asked");
	json_t *row = json_array_get(rows, 3);
	cr_assert_str_eq(text_of(row, "state"), "established");
	cr_assert_str_eq(text_of(row, "remote_address"), "198.51.100.9");
	cr_assert_eq(json_integer_value(json_object_get(row, "idle_left_s")), 103);
	json_decref(rows);
	json_t *answer = lab_ask(
		s.lab, s.fd, "{\"cmd\":\"show\",\"what\":\"sessions\",\"filter\":{}}", NULL);
	cr_assert_str_eq(lab_code(answer), "bad-request");
	json_decref(answer);
	close_scene(&s);
}
