// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

// No event is without its vectors.
Test(natlog, samples_show_every_kind_of_event)
{
	bool nat[NAT_EVENT_KINDS] = {true}, own[NATLOG_KINDS] = {false};

	for (size_t i = 0; i < n_samples; i++) {
		own[samples[i].event.kind] = true;
		if (samples[i].event.kind == NATLOG_NAT)
			nat[samples[i].event.nat.kind] = true;
	}
	for (unsigned i = 0; i < NAT_EVENT_KINDS; i++)
		cr_assert(nat[i], "NAT event %u has no sample", i);
	for (unsigned i = 0; i < NATLOG_KINDS; i++)
		cr_assert(own[i], "kind %u has no sample", i);
}

Test(natlog, event_names_are_those_of_the_nat_room)
{
	static const char *const names[] = {
#define X(name, text) [NAT_EVENT_##name] = text,
		NAT_EVENTS(X)
#undef X
	};

	for (uint8_t i = NAT_EVENT_NONE + 1; i < NAT_EVENT_KINDS; i++) {
		struct natlog_event e = {
			.kind = NATLOG_NAT, .nat = {.kind = i, .key = {.host = 1}}};
		cr_expect_str_eq(shape_of(&e)->name, names[i]);
	}
}

Test(natlog, an_unknown_event_is_not_a_crash)
{
	struct natlog_event nat = {.kind = NATLOG_NAT, .nat = {.kind = 200}};
	struct natlog_event own = {.kind = 200};

	cr_assert_str_eq(shape_of(&nat)->name, "none");
	cr_assert_str_eq(shape_of(&own)->name, "lost");
}
