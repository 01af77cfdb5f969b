// SPDX-License-Identifier: Apache-2.0
// Who had a port, from files alone (RFC 7422 s.4; nat-behaviour 7422-c, 7422-e).
#include "posternctl_offline.h"

#include <criterion/criterion.h>

#define PLAN_1                                                                                     \
	"{\"time\":\"2026-01-01T00:00:00.000Z\",\"group\":\"homes\",\"port_first\":1024,"          \
	"\"port_last\":65535,\"ports_per_host\":1024,\"port_set_size\":64,"                        \
	"\"hosts_per_address\":4,\"inside\":[\"100.64.0.0/29\"],"                                  \
	"\"external\":[\"203.0.113.1\",\"203.0.113.2\"]}\n"
// A year later the same addresses serve the next eight hosts.
#define PLAN_2                                                                                     \
	"{\"time\":\"2027-01-01T00:00:00Z\",\"group\":\"homes\",\"port_first\":1024,"              \
	"\"port_last\":65535,\"ports_per_host\":1024,\"port_set_size\":64,"                        \
	"\"hosts_per_address\":4,\"inside\":[\"100.64.1.0/29\"],"                                  \
	"\"external\":[\"203.0.113.1\",\"203.0.113.2\"]}\n"
#define NO_PLAN "{\"time\":\"2028-01-01T00:00:00Z\",\"group\":\"homes\",\"plan\":null}\n"

static struct offline_found asked(const char *external, const char *time)
{
	struct offline_found found = {0};
	json_t *key = json_pack("{s:s}", "external", external);

	cr_assert(offline_asked(key, &found));
	cr_assert(value_time(time, 0, &found.at_ms));
	json_decref(key);
	return found;
}

static struct offline_found in_history(const char *text, const char *external, const char *time)
{
	struct offline_found found = asked(external, time);
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	cr_assert(offline_in_history(in, &found));
	fclose(in);
	return found;
}

Test(posternctl, t_7422_c_the_plan_that_was_in_force_answers)
{
	static const char history[] = PLAN_1 PLAN_2 NO_PLAN;
	struct offline_found f = in_history(history, "203.0.113.2:2048", "2026-06-01T00:00:00Z");

	cr_assert_eq(f.place, NAT_PLAN_HOST);
	cr_assert_eq(f.host,
		UINT32_C(0x64400005)); // host 5: the second port range of the second address
	cr_assert_eq(f.share.first, 2048);
	cr_assert_eq(f.share.last, 3071);
	cr_assert_str_eq(f.group, "homes");
	f = in_history(history, "203.0.113.2:2048", "2027-06-01T00:00:00Z");
	cr_assert_eq(f.host, UINT32_C(0x64400105));
	f = in_history(history, "203.0.113.2:2048", "2028-06-01T00:00:00Z");
	cr_assert_eq(f.place, NAT_PLAN_NONE, "the group has no plan any more");
	f = in_history(history, "203.0.113.2:2048", "2025-06-01T00:00:00Z");
	cr_assert_eq(f.place, NAT_PLAN_NONE, "before the first plan");
}

Test(posternctl, t_7422_c_a_start_ends_the_plans_before_it)
{
	static const char history[] =
		PLAN_1 "{\"time\":\"2026-03-01T00:00:00.000Z\",\"event\":\"started\"}\n";

	cr_assert_eq(in_history(history, "203.0.113.2:2048", "2026-02-01T00:00:00Z").place,
		NAT_PLAN_HOST);
	cr_assert_eq(in_history(history, "203.0.113.2:2048", "2026-04-01T00:00:00Z").place,
		NAT_PLAN_NONE);
}

// Lines of today also say what a host may have beyond his own ports, and come again each day.
Test(posternctl, t_7422_3_lines_with_and_without_the_maximum_are_read_and_repeats_change_nothing)
{
#define PLAN_3                                                                                     \
	",\"event\":\"plan\",\"group\":\"homes\",\"inside\":[\"100.64.0.0/29\"],"                  \
	"\"external\":[\"203.0.113.1\",\"203.0.113.2\"],\"hosts\":8,\"hosts_per_address\":4,"      \
	"\"port_first\":1024,\"port_last\":65535,\"ports_per_host\":1024,"                         \
	"\"max_ports_per_host\":1536,\"port_set_size\":64}\n"
	static const char history[] = PLAN_1 "{\"time\":\"2026-03-01T00:00:00.000Z\"" PLAN_3
					     "{\"time\":\"2026-03-02T00:00:00.000Z\"" PLAN_3
					     "{\"time\":\"2026-03-03T00:00:00.000Z\"" PLAN_3;
	struct offline_found old = in_history(history, "203.0.113.2:2048", "2026-02-01T00:00:00Z");
	struct offline_found f = in_history(history, "203.0.113.2:2048", "2026-03-02T12:00:00Z");

	cr_assert_eq(old.place, NAT_PLAN_HOST);
	cr_assert_eq(old.ports_most, 0u, "nothing that nobody wrote");
	cr_assert_eq(f.place, NAT_PLAN_HOST);
	cr_assert_eq(f.host, old.host);
	cr_assert_eq(f.ports_most, 1536u);
	cr_assert_eq(f.since_ms, old.since_ms, "it was his all the time");
	f = in_history(history, "203.0.113.1:5120", "2026-03-02T12:00:00Z");
	cr_assert_eq(f.place, NAT_PLAN_OVERFLOW);
	cr_assert_eq(f.since_ms, old.since_ms);
}

// Of a plan that is over nothing stands in the answer.
Test(posternctl, t_7422_c_an_answer_has_nothing_of_earlier_plans)
{
	static const char history[] = PLAN_1 NO_PLAN;
	struct offline_found f = in_history(history, "203.0.113.2:2048", "2028-06-01T00:00:00Z");

	cr_assert_eq(f.place, NAT_PLAN_NONE);
	cr_assert_eq(f.since_ms, 0u);
	cr_assert_eq(f.share.last, 0);
}

Test(posternctl, t_7422_b_the_overflow_part_is_the_logs_business)
{
	struct offline_found f = in_history(PLAN_1, "203.0.113.1:5120", "2026-06-01T00:00:00Z");

	cr_assert_eq(f.place, NAT_PLAN_OVERFLOW);
	f = in_history(PLAN_1, "203.0.113.3:2048", "2026-06-01T00:00:00Z");
	cr_assert_eq(f.place, NAT_PLAN_NONE);
	f = in_history(PLAN_1, "203.0.113.1:80", "2026-06-01T00:00:00Z");
	cr_assert_eq(f.place, NAT_PLAN_NONE);
}

Test(posternctl, a_history_that_a_crash_cut_short_still_answers)
{
	static const char history[] = PLAN_1 "{\"time\":\"2026-02-01T00:00:00Z\",\"gro";
	struct offline_found f = in_history(history, "203.0.113.1:1024", "2026-06-01T00:00:00Z");

	cr_assert_eq(f.host, UINT32_C(0x64400000));
}

Test(posternctl, plans_that_make_no_sense_are_no_plans)
{
	static const char *const lines[] = {"{}", "[]",
		"{\"port_first\":0,\"port_last\":70000,\"hosts_per_address\":4}",
		"{\"port_first\":1024,\"port_last\":65535,\"ports_per_host\":64,\"port_set_size\":"
		"64,"
		"\"hosts_per_address\":4,\"inside\":[\"100.64.0.1/29\"],\"external\":[\"x\"]}",
		"{\"port_first\":1024,\"port_last\":65535,\"ports_per_host\":64,\"port_set_size\":"
		"64,"
		"\"hosts_per_address\":4,\"inside\":[\"100.64.0.0/29\"],\"external\":[7]}"};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_t *line = json_loads(lines[i], 0, NULL);
		struct offline_plan p;

		cr_assert_not(offline_plan_read(line, &p), "%s", lines[i]);
		json_decref(line);
	}
}

Test(posternctl, times_are_utc_and_have_three_forms)
{
	char text[TIME_TEXT];
	uint64_t ms;

	cr_assert(value_time("2026-11-23T10:15:00Z", 0, &ms));
	cr_assert_str_eq(time_format(ms, text), "2026-11-23T10:15:00.000Z");
	cr_assert(value_time("2026-11-23 10:15:00.250", 0, &ms));
	cr_assert_str_eq(time_format(ms, text), "2026-11-23T10:15:00.250Z");
	cr_assert(value_time("-10m", 600000, &ms));
	cr_assert_eq(ms, 0);
	cr_assert_not(value_time("-10m", 599999, &ms));
	cr_assert_not(value_time("yesterday", 0, &ms));
	cr_assert_not(value_time("2026-11-23T10:15:00+01:00", 0, &ms));
}
