// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

Test(natlog, t_17_c_time_is_utc_with_milliseconds)
{
	char text[NATLOG_TIME];

	cr_assert_str_eq(natlog_time_format(SAMPLE_MS, text), "2026-07-01T12:00:00.123Z");
	cr_assert_str_eq(natlog_time_format(0, text), "1970-01-01T00:00:00.000Z");
}

Test(natlog, time_is_read_in_the_ways_people_write_it)
{
	static const char *const same[] = {"2026-07-01T12:00:00.123Z", "2026-07-01 12:00:00.123",
		"2026-07-01T12:00:00.123999Z", "2026-07-01T14:00:00.123+02:00",
		"2026-07-01T07:30:00.123-04:30"};
	uint64_t ms = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(same); i++) {
		cr_assert(natlog_time_parse(same[i], &ms), "%s", same[i]);
		cr_assert_eq(ms, SAMPLE_MS, "%s", same[i]);
	}
	cr_assert(natlog_time_parse("1782907200", &ms));
	cr_assert_eq(ms, SAMPLE_MS - 123);
	cr_assert(natlog_time_parse("2024-02-29T00:00:00Z", &ms));
}

Test(natlog, what_is_no_time_is_refused)
{
	static const char *const wrong[] = {"", "yesterday", "2026-07-01", "12:00:00",
		"2026-07-01T12:00", "2026-02-30T12:00:00Z", "2026-07-01T12:00:00Zulu",
		"2026-07-01T12:00:00+2", "2026-07-01T12:00:00+25:00", "1969-01-01T00:00:00Z",
		"123456789012", "-1", "2026-13-01T00:00:00Z"};
	uint64_t ms;

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_not(natlog_time_parse(wrong[i], &ms), "\"%s\"", wrong[i]);
}
