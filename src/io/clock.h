// SPDX-License-Identifier: Apache-2.0
// The time stamp counter as nanoseconds: one multiplication a look, no system call. It starts at
// the kernel's monotonic clock, so that both tell nearly the same moment.
#ifndef IO_CLOCK_H
#define IO_CLOCK_H

#include <postern/base.h>

struct clock {
	uint64_t start_ticks;
	ns start;
	uint64_t ns_per_tick; // times 2^32
};

#define CLOCK_FIRST (2 * NS_PER_S) // whole seconds count from 1, see nat.h

static inline struct clock clock_make(uint64_t ticks, uint64_t ticks_per_s, ns start)
{
	return (struct clock){
		.start_ticks = ticks,
		.start = start > CLOCK_FIRST ? start : CLOCK_FIRST,
		.ns_per_tick = (NS_PER_S << 32) / ticks_per_s,
	};
}

static inline ns clock_at(const struct clock *c, uint64_t ticks)
{
	__extension__ unsigned __int128 wide = ticks - c->start_ticks;

	return c->start + (ns)(wide * c->ns_per_tick >> 32);
}

#endif
