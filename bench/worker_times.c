// SPDX-License-Identifier: Apache-2.0
// Times of a loop, gathered without a look at any of them twice.
#include "worker.h"

void times_clear(struct times *t)
{
	memset(t, 0, sizeof *t);
}

static uint64_t upper_edge(unsigned at)
{
	unsigned shift = at < 2 * TIMES_SUB ? 0 : at / TIMES_SUB - 1;
	uint64_t first = (uint64_t)(at - shift * TIMES_SUB) << shift;

	return first + ((uint64_t)1 << shift) - 1;
}

uint64_t times_quantile(const struct times *t, double q)
{
	uint64_t left = (uint64_t)((double)t->n * q), seen = 0;

	for (unsigned i = 0; i < TIMES_PLACES; i++) {
		seen += t->counts[i];
		if (seen > left)
			return upper_edge(i) < t->most ? upper_edge(i) : t->most;
	}
	return t->most;
}

void times_merge(struct times *into, const struct times *from)
{
	into->n += from->n;
	into->most = from->most > into->most ? from->most : into->most;
	for (unsigned i = 0; i < TIMES_PLACES; i++)
		into->counts[i] += from->counts[i];
}

uint64_t times_above(const struct times *t, uint64_t ticks)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < TIMES_PLACES; i++)
		n += upper_edge(i) > ticks ? t->counts[i] : 0;
	return n;
}
