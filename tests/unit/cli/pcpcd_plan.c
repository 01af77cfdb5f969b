// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>

#include "pcpcd.h"

static struct pcpcd_conf before, after; // too large for a stack
static struct pcpcd_difference list[2 * PCPCD_MAX_WANTS];

static void read_into(struct pcpcd_conf *out, const char *text)
{
	struct pcpcd_complaints complaints;

	cr_assert(pcpcd_conf_read("f", text, strlen(text), out, &complaints), "%s",
		complaints.list[0].text);
}

#define A "- {name: a, protocol: tcp, internal-port: 1}\n"
#define B "- {name: b, protocol: tcp, internal-port: 2}\n"

static unsigned compare(const char *old, const char *new)
{
	read_into(&before, old);
	read_into(&after, new);
	return pcpcd_differences(&before, &after, list);
}

Test(pcpcd, leaves_alone_what_is_the_same)
{
	cr_assert_eq(compare("ports:\n" A B, "ports:\n" B A), 2);
	cr_expect_eq(list[0].change, PCPCD_KEEP);
	cr_expect_eq(list[1].change, PCPCD_KEEP);
	cr_assert_eq(compare("ports: []", "ports: []"), 0);
}

Test(pcpcd, deletes_what_is_gone_before_it_asks_for_what_is_new)
{
	cr_assert_eq(compare("ports:\n" A, "ports:\n" B), 2);
	cr_expect_eq(list[0].change, PCPCD_GONE);
	cr_expect_str_eq(list[0].old->name, "a");
	cr_expect_null(list[0].new);
	cr_expect_eq(list[1].change, PCPCD_NEW);
	cr_expect_str_eq(list[1].new->name, "b");
	cr_expect_null(list[1].old);
}

Test(pcpcd, knows_a_port_under_another_name)
{
	cr_assert_eq(
		compare("ports:\n" A, "ports: [{name: z, protocol: tcp, internal-port: 1}]"), 1);
	cr_expect_eq(list[0].change, PCPCD_KEEP);
	cr_expect_str_eq(list[0].new->name, "z");
}

Test(pcpcd, deletes_one_protocol_of_both)
{
	cr_assert_eq(compare("ports: [{name: a, protocol: both, internal-port: 1}]",
			     "ports: [{name: a, protocol: udp, internal-port: 1}]"),
		2);
	cr_expect_eq(list[0].change, PCPCD_GONE);
	cr_expect_eq(list[0].old->protocol, 6);
	cr_expect_eq(list[1].change, PCPCD_KEEP);
	cr_expect_eq(list[1].new->protocol, 17);
}

Test(pcpcd, tells_what_a_renewal_can_change_from_what_needs_another_mapping)
{
	static const struct {
		const char *more;
		enum pcpcd_change change;
	} cases[] = {
		{"lifetime: 1h", PCPCD_RENEW},
		{"description: x", PCPCD_RENEW},
		{"external-port: 7", PCPCD_REPLACE},
		{"external-port: 7, prefer-failure: true", PCPCD_REPLACE},
		{"filters: [192.0.2.1]", PCPCD_REPLACE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[200];

		snprintf(text, sizeof text,
			"ports: [{name: a, protocol: tcp, internal-port: 1, %s}]", cases[i].more);
		cr_assert_eq(compare("ports:\n" A, text), 1);
		cr_expect_eq(list[0].change, cases[i].change, "%s", cases[i].more);
		cr_assert_eq(compare(text, text), 1);
		cr_expect_eq(list[0].change, PCPCD_KEEP, "%s", cases[i].more);
		cr_assert_eq(compare(text, "ports:\n" A), 1);
		cr_expect_eq(list[0].change, cases[i].change, "back from %s", cases[i].more);
	}
}

Test(pcpcd, sees_every_part_of_a_filter)
{
	static const char *const others[] = {
		"192.0.2.2", "192.0.2.0/24", "'192.0.2.1:80'", "192.0.2.1, 192.0.2.2"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		char text[200];

		snprintf(text, sizeof text,
			"ports: [{name: a, protocol: tcp, internal-port: 1, filters: [%s]}]",
			others[i]);
		cr_assert_eq(compare("ports: [{name: a, protocol: tcp, internal-port: 1, filters: "
				     "[192.0.2.1]}]",
				     text),
			1);
		cr_expect_eq(list[0].change, PCPCD_REPLACE, "%s", others[i]);
	}
}

Test(pcpcd, names_the_settings_that_need_a_restart)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{"servers: [192.0.2.1]\n", "servers"},
		{"anycast: true\n", "anycast"},
		{"prefer-ipv6: false\n", "prefer-ipv6"},
		{"versions: [2]\n", "versions"},
		{"pace: 1s\n", "pace"},
		{"state-file: /x\n", "state-file"},
		{"socket: /x\n", "socket"},
	};
	const char *names[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[100];

		snprintf(text, sizeof text, "%sports: []", cases[i].text);
		compare("ports: []", text);
		cr_assert_eq(pcpcd_restart_names(&before, &after, names), 1);
		cr_expect_str_eq(names[0], cases[i].name);
		cr_expect_eq(pcpcd_restart_names(&after, &after, names), 0);
	}
	compare("ports: []", "release-on-exit: true\nports:\n" A);
	cr_expect_eq(pcpcd_restart_names(&before, &after, names), 0);
}
