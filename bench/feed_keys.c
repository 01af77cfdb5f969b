// SPDX-License-Identifier: Apache-2.0
// Which mapping a packet is about.
#include "feed.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
	PORTS = 65536,
	BITS = 64
};

// By the inverse of the distribution's integral: the sum of 1/i up to k is close to ln(k + 1).
static uint32_t zipf(struct world *w, uint32_t n)
{
	double u = (double)rng_u32(&w->rng) / 4294967296.0;
	double rank = exp(u * log((double)n + 1)) - 1;

	return min_u32((uint32_t)rank, n - 1);
}

uint32_t feed_key(struct world *w, enum keys keys, uint32_t n, uint32_t at)
{
	switch (keys) {
	case KEYS_UNIFORM:
		return rng_below(&w->rng, n);
	case KEYS_ZIPF:
		return zipf(w, n);
	case KEYS_IN_TURN:
		break;
	}
	return at;
}

int strangers_open(struct strangers *s, const struct world *w)
{
	ip4 last = world_first_external();

	for (uint32_t i = 0; i < w->n; i++)
		last = max_u32(last, w->pairs[i].external);
	s->addresses = last - world_first_external() + 1;
	s->taken = calloc((size_t)s->addresses * PORTS / BITS, sizeof *s->taken);
	if (s->taken == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->n; i++) {
		const struct pair *p = &w->pairs[i];
		uint64_t bit =
			(uint64_t)(p->external - world_first_external()) * PORTS + p->external_port;

		if (p->external == 0) // could not be made, and was counted then
			continue;
		s->taken[bit / BITS] |= UINT64_C(1) << bit % BITS;
	}
	return 0;
}

void strangers_close(struct strangers *s)
{
	free(s->taken);
	*s = (struct strangers){0};
}

// Ports below 1024 are nobody's, so there always are some.
struct pair strangers_draw(const struct strangers *s, struct world *w)
{
	struct pair p = {.host = rng_u32(&w->rng)};
	uint64_t bit;

	do {
		bit = (uint64_t)rng_below(&w->rng, s->addresses) * PORTS +
		      rng_below(&w->rng, PORTS);
	} while (s->taken[bit / BITS] >> bit % BITS & 1);
	p.external = world_first_external() + (ip4)(bit / PORTS);
	p.external_port = (uint16_t)bit;
	return p;
}
