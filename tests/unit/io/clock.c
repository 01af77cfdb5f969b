// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "clock.h"

Test(io, clock_counts_whole_seconds_from_more_than_one)
{
	struct clock c = clock_make(1000, 2700000000, 0);

	cr_assert_eq(clock_at(&c, 1000) / NS_PER_S, 2);
	c = clock_make(1000, 2700000000, 77 * NS_PER_S);
	cr_assert_eq(clock_at(&c, 1000), 77 * NS_PER_S);
}

Test(io, clock_keeps_its_pace_over_years)
{
	static const uint64_t paces[] = {1000000, 999999999, 1000000000, 2294608000, 6000000000};
	const uint64_t years = 30ull * 365 * 86400;

	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		if (paces[i] > UINT64_MAX / years)
			continue;
		struct clock c = clock_make(5, paces[i], 10 * NS_PER_S);
		ns end = clock_at(&c, 5 + paces[i] * years);
		ns right = 10 * NS_PER_S + years * NS_PER_S;
		// One part in 10^9 is a second in thirty years.
		cr_assert_leq(right - end, NS_PER_S, "pace %zu: %llu ns short", i,
			(unsigned long long)(right - end));
	}
}

Test(io, clock_never_steps_back)
{
	struct clock c = clock_make(0, 2294608000, 10 * NS_PER_S);
	ns last = 0;

	for (uint64_t t = 0; t < 1000000; t++) {
		ns now = clock_at(&c, t);
		cr_assert_geq(now, last);
		last = now;
	}
}
