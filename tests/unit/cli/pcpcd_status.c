// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

#include "pcpcd.h"

static const uint8_t gateway[4] = {192, 0, 2, 1}, host[4] = {192, 0, 2, 9},
		     outside[4] = {203, 0, 113, 5};

static const struct pcpcd_want want = {.name = "web", .protocol = 6, .internal_port = 8080};

static struct postern_server_fact make_server(void)
{
	struct postern_server_fact s = {.server.n_addresses = 1,
		.server.addresses = {postern_endpoint_ip4(gateway, 5351)},
		.has_source = true,
		.answers = true,
		.dialect = POSTERN_V2};

	memcpy(s.source, postern_endpoint_ip4(host, 0).ip, sizeof s.source);
	return s;
}

static void expect_line(const struct pcpcd_row *row, const char *wanted)
{
	char *line = pcpcd_status_line(row, 100 * NS_PER_S);

	cr_assert_not_null(line);
	cr_expect_str_eq(line, wanted);
	free(line);
}

Test(pcpcd, shows_what_is_held_in_one_line)
{
	const struct postern_server_fact server = make_server();
	const struct postern_fact fact = {.state = POSTERN_STATE_MAPPED,
		.want.external = postern_endpoint_ip4(outside, 40001),
		.expires_ns = 160 * NS_PER_S + 1};

	expect_line(&(struct pcpcd_row){&want, &fact, &server},
		"{\"name\":\"web\",\"state\":\"MAPPED\",\"protocol\":\"tcp\","
		"\"internal\":{\"address\":\"192.0.2.9\",\"port\":8080},"
		"\"external\":{\"address\":\"203.0.113.5\",\"port\":40001},\"lifetime\":60,"
		"\"server\":\"192.0.2.1:5351\",\"version\":\"2\",\"server_answers\":true,"
		"\"result\":0,\"result_name\":\"SUCCESS\"}");
}

Test(pcpcd, shows_a_port_for_which_no_server_is_known)
{
	expect_line(&(struct pcpcd_row){&want, NULL, NULL},
		"{\"name\":\"web\",\"state\":\"NOT_SENT\",\"protocol\":\"tcp\","
		"\"internal\":{\"address\":null,\"port\":8080},\"external\":null,\"lifetime\":0,"
		"\"server\":null,\"version\":null,\"server_answers\":false,"
		"\"result\":null,\"result_name\":null}");
}

static json_t *parse(const struct pcpcd_row *row, ns now)
{
	char *line = pcpcd_status_line(row, now);
	json_t *object = line ? json_loads(line, 0, NULL) : NULL;

	cr_assert_not_null(object);
	free(line);
	return object;
}

Test(pcpcd, shows_why_a_port_was_refused_and_what_to_do)
{
	struct postern_server_fact server = make_server();
	const struct postern_fact fact = {
		.state = POSTERN_STATE_ERROR_WAIT, .result = 8, .expires_ns = POSTERN_NEVER};
	json_t *line;

	server.dialect = POSTERN_NATPMP;
	line = parse(&(struct pcpcd_row){&want, &fact, &server}, 0);
	cr_expect_str_eq(json_string_value(json_object_get(line, "state")), "ERROR_WAIT");
	cr_expect_str_eq(json_string_value(json_object_get(line, "result_name")), "NO_RESOURCES");
	cr_expect_str_eq(json_string_value(json_object_get(line, "advice")), pcpcd_advice(8));
	cr_expect_str_eq(json_string_value(json_object_get(line, "version")), "nat-pmp");
	cr_expect(json_is_null(json_object_get(line, "external")));
	json_decref(line);
}

Test(pcpcd, shows_no_external_address_once_its_time_is_over)
{
	const struct postern_server_fact server = make_server();
	const struct postern_fact fact = {.state = POSTERN_STATE_REFRESHING,
		.want.external = postern_endpoint_ip4(outside, 40001),
		.expires_ns = 5};
	json_t *line = parse(&(struct pcpcd_row){&want, &fact, &server}, 5);

	cr_expect(json_is_null(json_object_get(line, "external")));
	cr_expect_eq(json_integer_value(json_object_get(line, "lifetime")), 0);
	json_decref(line);
}

Test(pcpcd, takes_a_port_for_open_only_while_its_server_holds_it)
{
	static const struct {
		enum postern_state state;
		bool open;
	} cases[] = {
		{POSTERN_STATE_NOT_SENT, false},
		{POSTERN_STATE_WAIT_RESPONSE, false}, // after a loss, though the lease would go on
		{POSTERN_STATE_MAPPED, true},
		{POSTERN_STATE_REFRESHING, true},
		{POSTERN_STATE_ERROR_WAIT, true},
		{POSTERN_STATE_DELETING, false},
		{POSTERN_STATE_ENDED, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct postern_fact fact = {.state = cases[i].state, .expires_ns = 10};

		cr_expect_eq(pcpcd_is_open(&fact, 9), cases[i].open, "%zu", i);
		cr_expect_not(pcpcd_is_open(&fact, 10), "%zu", i);
		fact.expires_ns = POSTERN_NEVER;
		cr_expect_not(pcpcd_is_open(&fact, 9), "%zu", i);
	}
}

Test(pcpcd, escapes_what_a_file_says)
{
	struct pcpcd_want odd = {
		.name = "a\"b\n", .description = "\\", .protocol = 17, .internal_port = 1};
	json_t *line = parse(&(struct pcpcd_row){&odd, NULL, NULL}, 0);

	cr_expect_str_eq(json_string_value(json_object_get(line, "name")), "a\"b\n");
	cr_expect_str_eq(json_string_value(json_object_get(line, "description")), "\\");
	json_decref(line);
}
