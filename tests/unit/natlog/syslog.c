// SPDX-License-Identifier: Apache-2.0
#include "syslog.h"
#include "samples.h"

#include <stdio.h>

#define HEAD "<134>1 2026-07-01T12:00:00.123Z cgn-1 NAT - "

Test(natlog, syslog_of_every_event)
{
	for (size_t i = 0; i < n_samples; i++) {
		char wanted[SYSLOG_LINE], found[SYSLOG_LINE];
		const char *data = strchr(samples[i].syslog, ' ');
		int msgid = data ? (int)(data - samples[i].syslog) : (int)strlen(samples[i].syslog);
		snprintf(wanted, sizeof wanted, HEAD "%.*s [meta sequenceId=\"42\"]%s", msgid,
			samples[i].syslog, data ? data + 1 : "");
		size_t n =
			syslog_encode(&samples[i].event, "cgn-1", false, 42, found, sizeof found);
		cr_expect_eq(n, strlen(wanted));
		cr_expect_str_eq(found, wanted);
	}
}

static const struct natlog_event session = {.kind = NATLOG_NAT,
	.at_ms = SAMPLE_MS,
	.realm = "in\"si]de\\\n",
	.nat = {.kind = NAT_EVENT_SESSION_CREATED,
		.key = {.host = 0x6440000a, .port = 5000, .realm = 1, .protocol = NAT_TCP},
		.external = {0xcb007107, 1027},
		.remote = {0xc6336409, 443}}};

Test(natlog, t_6888_12_syslog_shows_a_destination_only_when_asked)
{
	char line[SYSLOG_LINE];

	cr_assert_gt(syslog_encode(&session, "-", false, 1, line, sizeof line), 0u);
	cr_assert_null(strstr(line, "198.51.100.9"));
	cr_assert_gt(syslog_encode(&session, "-", true, 1, line, sizeof line), 0u);
	cr_assert_not_null(strstr(line, "IDADDR=\"198.51.100.9\" IDPORT=\"443\""));
	cr_assert_not_null(strstr(line, "XDADDR=\"198.51.100.9\" XDPORT=\"443\""));
}

// RFC 5424 s.6.3.3
Test(natlog, syslog_escapes_what_would_end_a_value)
{
	char line[SYSLOG_LINE];

	cr_assert_gt(syslog_encode(&session, "-", false, 1, line, sizeof line), 0u);
	cr_assert_not_null(strstr(line, "SVLAN=\"in\\\"si\\]de\\\\?\""));
}

Test(natlog, a_line_that_does_not_fit_is_none)
{
	char line[SYSLOG_LINE];
	size_t whole = syslog_encode(&session, "-", false, 1, line, sizeof line);

	for (size_t room = 1; room <= whole; room++)
		cr_assert_eq(syslog_encode(&session, "-", false, 1, line, room), 0u);
	cr_assert_eq(syslog_encode(&session, "-", false, 1, line, whole + 1), whole);
}

Test(natlog, a_host_name_is_printable_or_a_dash)
{
	char host[SYSLOG_HOST], lengthy[300];

	syslog_host("cgn 1\n\x7f", host);
	cr_assert_str_eq(host, "cgn1");
	syslog_host("", host);
	cr_assert_str_eq(host, "-");
	syslog_host(NULL, host);
	cr_assert_str_eq(host, "-");
	memset(lengthy, 'a', sizeof lengthy - 1);
	lengthy[sizeof lengthy - 1] = '\0';
	syslog_host(lengthy, host);
	cr_assert_eq(strlen(host), 255u);
}
