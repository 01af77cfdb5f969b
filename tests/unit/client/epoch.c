// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "epoch.h"

struct epoch_case {
	const char *what;
	uint32_t before, passed_s, now;
	bool valid;
};

static const struct epoch_case cases[] = {
	{"1: one second back is tolerated", 1000, 0, 999, true},
	{"2: two are not", 1000, 0, 998, false},
	{"3: slow by 12 in 160", 1000, 160, 1148, true},
	{"4: slow by 13 in 160", 1000, 160, 1147, false},
	{"5: fast by 8 in 100", 1000, 100, 1108, true},
	{"6: fast by 9 in 100", 1000, 100, 1109, false},
	{"7: reboot", 5000, 60, 5, false},
	{"8: young epoch, long pause", 10, 1000, 945, false},
	{"9: a reboot 64 s into a young epoch is missed", 10, 1000, 946, true},
	{"10: half a day, just valid", 1000, 43200, 41498, true},
	{"10: half a day, one less", 1000, 43200, 41497, false},
	{"100 s, lower edge", 1000, 100, 1092, true},
	{"100 s, below it", 1000, 100, 1091, false},
	{"the whole range of 32 bits", 0, 0, UINT32_MAX, false},
	{"back from the end of 32 bits", UINT32_MAX, 0, 0, false},
};

Test(client, epoch_check_follows_section_8_5_to_the_second)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct epoch_case *c = &cases[i];
		struct epoch e = {0};
		ns start = 77 * NS_PER_S;

		cr_expect(epoch_check(&e, start, c->before), "%s: first answer", c->what);
		cr_expect_eq(epoch_check(&e, start + c->passed_s * NS_PER_S, c->now), c->valid,
			"%s", c->what);
	}
}

Test(client, an_invalid_epoch_is_remembered_as_the_new_one)
{
	struct epoch e = {0};

	cr_expect(epoch_check(&e, 0, 5000));
	cr_expect_not(epoch_check(&e, 60 * NS_PER_S, 5));
	cr_expect(epoch_check(&e, 61 * NS_PER_S, 6));
}
