// SPDX-License-Identifier: Apache-2.0
// Which lines the sweep need not look into: all four slots at once against one after the other, and
// against what the sweep would do with each slot.
#include "quiet.h"
#include "world.h"

enum {
	LINES = 20000,
	NOW = 70000
};

static struct slot random_slot(struct rng *r, const struct nat *n)
{
	uint8_t bits = (uint8_t)rng_u32(r);
	uint32_t idle =
		rng_below(r, 4) ? n->timeout[bits & SLOT_TIMER] + rng_below(r, 3) - 1 : rng_u32(r);

	return (struct slot){.host = rng_u32(r),
		.port = (uint16_t)rng_u32(r),
		.realm = (uint8_t)rng_u32(r),
		.bits = (uint8_t)(bits | (rng_below(r, 4) ? SLOT_SEEN : 0)),
		.ext = rng_u32(r),
		.tick = (uint16_t)(NOW - idle),
		.hangs = (uint8_t)rng_u32(r),
		.set_at = (uint8_t)rng_u32(r)};
}

static bool naive_is_quiet(const struct nat *n, const struct line *l)
{
	for (unsigned i = 0; i < 4; i++) {
		const struct slot *s = &l->slot[i];
		uint32_t seconds = n->timeout[s->bits & SLOT_TIMER];

		if ((s->bits & SLOT_PROTOCOL) == 0)
			continue;
		if ((s->bits & SLOT_PROTOCOL) == NAT_UDP && n->timers.n_ports > 0)
			seconds = min_u32(seconds, n->timers.ports[0].seconds);
		if (!(s->bits & SLOT_SEEN) && !(s->bits & SLOT_LEASE))
			return false;
		if (s->bits & SLOT_SEEN && slot_idle_s(s, NOW) > seconds)
			return false;
	}
	return true;
}

static void try_lines(const struct nat *n, struct rng *r)
{
	struct quiet q = quiet_now(n, NOW);
	unsigned n_quiet = 0;

	for (unsigned i = 0; i < LINES; i++) {
		struct line l;

		for (unsigned k = 0; k < 4; k++)
			l.slot[k] = random_slot(r, n);
		cr_assert_eq(line_is_quiet_scalar(&l, &q), naive_is_quiet(n, &l), "line %u", i);
		cr_assert_eq(line_is_quiet(&l, &q), naive_is_quiet(n, &l), "line %u", i);
		n_quiet += naive_is_quiet(n, &l);
	}
	cr_assert(n_quiet > LINES / 100 && n_quiet < LINES - LINES / 100, "%u", n_quiet);
}

Test(nat, a_line_is_quiet_when_each_of_its_slots_is)
{
	struct world w = world_simple(64);
	struct nat_timers timers = w.nat->timers;
	struct rng r;

	rng_init_u64(&r, 17);
	try_lines(w.nat, &r);
	timers.n_ports = 1;
	timers.ports[0] = (struct nat_port_timer){.port = 53, .seconds = 5};
	nat_set_timers(w.nat, &timers);
	try_lines(w.nat, &r);
	world_close(&w);
}
