// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "schedule.h"

Test(client, waits_double_from_3_to_1024_seconds_with_a_tenth_of_jitter)
{
	struct rng rng;

	rng_init_u64(&rng, 1);
	for (int run = 0; run < 1000; run++) {
		ns wait = 0;

		for (int k = 0; k < 14; k++) {
			ns base = wait == 0 ? 3 * NS_PER_S : 2 * wait;

			if (base > 1024 * NS_PER_S)
				base = 1024 * NS_PER_S;
			wait = schedule_retry(&rng, wait);
			cr_assert(wait >= base - base / 10 && wait <= base + base / 10);
		}
		cr_assert_geq(wait, 1024 * NS_PER_S / 10 * 9);
	}
}

Test(client, jitter_reaches_both_ends_of_its_span)
{
	struct rng rng;
	ns low = NEVER, high = 0;

	rng_init_u64(&rng, 2);
	for (int i = 0; i < 10000; i++) {
		ns j = schedule_jitter(&rng, 600 * NS_PER_MS);

		low = j < low ? j : low;
		high = j > high ? j : high;
	}
	cr_expect_lt(low, 5 * NS_PER_MS);
	cr_expect_gt(high, 595 * NS_PER_MS);
	cr_expect_leq(high, 600 * NS_PER_MS);
	cr_expect_eq(schedule_jitter(&rng, 0), 0);
}

Test(client, renewals_come_at_a_half_three_quarters_seven_eighths)
{
	static const struct {
		unsigned k;
		ns from, to; // seconds of an hour's mapping
	} windows[] = {{1, 1800, 2250}, {2, 2700, 2925}, {3, 3150, 3263}, {4, 3375, 3432}};
	struct rng rng;

	rng_init_u64(&rng, 3);
	for (int run = 0; run < 1000; run++) {
		for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
			ns at = schedule_renewal(&rng, 0, 3600 * NS_PER_S, windows[i].k, NS_PER_S);

			cr_assert_geq(at, windows[i].from * NS_PER_S);
			cr_assert_leq(at, windows[i].to * NS_PER_S);
		}
	}
}

Test(client, renewals_are_never_less_than_four_seconds_apart)
{
	struct rng rng;

	rng_init_u64(&rng, 4);
	for (uint32_t lifetime_s = 1; lifetime_s < 2000; lifetime_s++) {
		ns granted = 10 * NS_PER_S, lifetime = lifetime_s * NS_PER_S, sent = granted;

		for (unsigned k = 1; k < 40; k++) {
			ns at = schedule_renewal(&rng, granted, lifetime, k, sent);

			if (at == NEVER)
				break;
			cr_assert_geq(at, sent + 4 * NS_PER_S);
			cr_assert_lt(at, granted + lifetime);
			sent = at;
		}
		cr_assert(lifetime_s < 9 || sent > granted, "no renewal in %u s", lifetime_s);
	}
}
