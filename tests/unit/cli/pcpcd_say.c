// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "pcpcd.h"

static const uint8_t one[4] = {203, 0, 113, 5};
static const struct pcpcd_want want = {.name = "web", .protocol = 6, .internal_port = 8080};

static struct pcpcd_told told;
static struct pcpcd_line line;

static struct postern_event event(enum postern_what what)
{
	return (struct postern_event){
		.what = what, .external = postern_endpoint_ip4(one, 40001), .lifetime_s = 600};
}

// What is said; empty: nothing.
static const char *say(const struct postern_event *e)
{
	line.text[0] = '\0';
	return pcpcd_say(&told, e, &want, "192.0.2.1:5351", &line) ? line.text : "";
}

Test(pcpcd, says_once_that_a_port_is_open_and_nothing_at_renewals)
{
	struct postern_event e = event(POSTERN_MAPPED);

	cr_expect_str_eq(say(&e),
		"web (tcp 8080): open at 203.0.113.5:40001 for 600 s (server 192.0.2.1:5351)");
	cr_expect_eq(line.level, LOG_LEVEL_NOTICE);
	cr_expect_str_eq(say(&e), "");
}

Test(pcpcd, says_when_the_external_address_changes)
{
	struct postern_event e = event(POSTERN_MAPPED);

	say(&e);
	e.external.port = 40002;
	e.what = POSTERN_CHANGED;
	cr_expect_str_eq(say(&e), "web (tcp 8080): the external address changed: open at "
				  "203.0.113.5:40002 now, instead of 203.0.113.5:40001 (server "
				  "192.0.2.1:5351)");
	cr_expect_eq(line.level, LOG_LEVEL_WARN);
	cr_expect_str_eq(say(&e), "");
}

Test(pcpcd, says_once_why_a_port_is_refused)
{
	struct postern_event e = event(POSTERN_REFUSED);

	e.result = 8;
	e.lifetime_s = 30;
	cr_expect_str_eq(say(&e),
		"web (tcp 8080): refused by 192.0.2.1:5351 for 30 s: NO_RESOURCES (8): the NAT is "
		"out of ports or memory at the moment; it is asked again by itself");
	cr_expect_str_eq(say(&e), "");
	e.result = 2;
	cr_expect(strstr(say(&e), "NOT_AUTHORIZED (2)"));
	e.what = POSTERN_MAPPED;
	cr_expect(strstr(say(&e), "open at"));
	e.what = POSTERN_REFUSED;
	cr_expect(strstr(say(&e), "NOT_AUTHORIZED"), "news again after a success");
}

Test(pcpcd, says_that_a_port_is_lost_only_when_it_was_open)
{
	struct postern_event e = event(POSTERN_LOST), opened = event(POSTERN_MAPPED);

	cr_expect_str_eq(say(&e), "");
	say(&opened);
	cr_expect_str_eq(say(&e), "web (tcp 8080): lost at 192.0.2.1:5351: not renewed in time, or "
				  "the server went; asking again");
	cr_expect_str_eq(say(&e), "");
	cr_expect(strstr(say(&opened), "open at"), "and that it is open again");
}

Test(pcpcd, says_that_a_port_is_closed_or_remains)
{
	struct postern_event closed = event(POSTERN_DELETED), remains = event(POSTERN_REMAINS);

	cr_expect_str_eq(say(&closed), "web (tcp 8080): closed (server 192.0.2.1:5351)");
	cr_expect_str_eq(say(&remains), "web (tcp 8080): given back, but 192.0.2.1:5351 keeps it "
					"for 600 s more: there was traffic");
}

Test(pcpcd, says_what_happens_to_a_server)
{
	static const struct {
		enum postern_what what;
		const char *words;
	} cases[] = {
		{POSTERN_RESTARTED, "lost its state"},
		{POSTERN_DIALECT, "in NAT-PMP from now on"},
		{POSTERN_INNER_NAT, "another NAT"},
		{POSTERN_SERVER_GONE, "does not answer"},
		{POSTERN_SERVER_BACK, "answers again"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct postern_event e = {
			.what = cases[i].what, .id = -1, .dialect = POSTERN_NATPMP};

		cr_assert(pcpcd_say(NULL, &e, NULL, "192.0.2.1:5351", &line));
		cr_expect(strstr(line.text, cases[i].words), "%s", line.text);
		cr_expect(strstr(line.text, "192.0.2.1:5351"), "%s", line.text);
	}
}

Test(pcpcd, has_advice_for_every_result_code_of_the_rfc)
{
	for (unsigned result = 1; result <= 13; result++)
		cr_expect_null(strstr(pcpcd_advice(result), "does not know"), "%u", result);
	cr_expect(strstr(pcpcd_advice(200), "does not know"));
}
