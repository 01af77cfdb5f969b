// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>

Test(natlog, json_of_every_event)
{
	for (size_t i = 0; i < n_samples; i++) {
		const struct natlog_event *e = &samples[i].event;
		char wanted[1024];
		char *found = natlog_json(e, false);
		snprintf(wanted, sizeof wanted,
			"{\"time\":\"2026-07-01T12:00:00.123Z\",\"event\":\"%s\"%s%s}",
			shape_of(e)->name, samples[i].json[0] ? "," : "", samples[i].json);
		cr_expect_str_eq(found, wanted);
		free(found);
	}
}

static const struct natlog_event session = {.kind = NATLOG_NAT,
	.at_ms = SAMPLE_MS,
	.nat = {.kind = NAT_EVENT_SESSION_CREATED,
		.key = {.host = 0x6440000a, .port = 5000, .realm = 1, .protocol = NAT_TCP},
		.external = {0xcb007107, 1027},
		.remote = {0xc6336409, 443}}};

// RFC 6888 REQ-12: no destination unless it is asked for.
Test(natlog, t_6888_12_json_shows_a_destination_only_when_asked)
{
	char *without = natlog_json(&session, false), *with = natlog_json(&session, true);

	cr_assert_null(strstr(without, "198.51.100.9"));
	cr_assert_not_null(strstr(with, "\"remote_address\":\"198.51.100.9\",\"remote_port\":443"));
	free(without);
	free(with);
}

// Nobody's name is a reason to write no line.
Test(natlog, json_without_names)
{
	char *line = natlog_json(&session, false);

	cr_assert_null(strstr(line, "group"));
	cr_assert_null(strstr(line, "realm"));
	cr_assert_not_null(strstr(line, "\"internal_address\":\"100.64.0.10\""));
	free(line);
}
