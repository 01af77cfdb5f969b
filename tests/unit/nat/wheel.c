// SPDX-License-Identifier: Apache-2.0
#include "world.h"

enum {
	N_LEASES = 400,
	DAY_S = 86400
};

struct churn {
	struct world w;
	struct rng rng;
	uint32_t due_s[N_LEASES]; // first second at which it may be gone; 0: none
};

static struct nat_key churn_key(uint32_t i)
{
	return key_of(HOST + i % 16, NAT_TCP, (uint16_t)i);
}

static uint32_t random_lifetime(struct rng *r)
{
	static const uint32_t most[] = {10, 100, 4000, 20000, DAY_S, 7 * DAY_S};

	return 1 + rng_below(r, most[rng_below(r, ARRAY_SIZE(most))]);
}

static void churn_once(struct churn *c)
{
	uint32_t i = rng_below(&c->rng, N_LEASES);
	struct nat_key key = churn_key(i);

	if (rng_below(&c->rng, 4) == 0) {
		nat_lease_end(c->w.nat, &key, false, c->w.now_s);
		c->due_s[i] = 0;
	} else {
		uint32_t lifetime_s = random_lifetime(&c->rng);
		world_map(&c->w, key, 1, lifetime_s);
		c->due_s[i] = c->w.now_s + lifetime_s;
	}
}

// Never early; gone within two seconds. `slack_s` is how long nothing ran before this moment.
static void churn_check(struct churn *c, uint32_t slack_s)
{
	for (uint32_t i = 0; i < N_LEASES; i++) {
		struct nat_view view = world_look(&c->w, churn_key(i));
		bool lives = view.kind == NAT_EXPLICIT;

		if (c->due_s[i] == 0) {
			cr_assert_not(lives);
		} else if (!lives) {
			cr_assert_geq(c->w.now_s, c->due_s[i], "lease %u went early", i);
			cr_assert_leq(
				c->w.now_s, c->due_s[i] + 2 + slack_s, "lease %u was late", i);
			c->due_s[i] = 0;
		} else {
			cr_assert_leq(c->w.now_s, c->due_s[i] + 1, "lease %u is late", i);
			cr_assert_eq(view.lease_left_s,
				c->due_s[i] > c->w.now_s ? c->due_s[i] - c->w.now_s : 0);
		}
	}
}

static void churn_open(struct churn *c, uint64_t seed)
{
	struct nat_limits limits = WORLD_LIMITS;

	limits.leases = 2 * N_LEASES;
	c->w = world_open(&limits, 512);
	c->w.policy.port_limit = 0;
	world_add(&c->w, POOL_A, 1024, 65535);
	memset(c->due_s, 0, sizeof c->due_s);
	rng_init_u64(&c->rng, seed);
}

Test(nat, leases_are_never_early_and_at_most_two_seconds_late)
{
	static struct churn c;

	churn_open(&c, 1);
	for (uint32_t second = 0; second < 40000; second++) {
		unsigned n = second % 1000 < 100 ? 8 : 1;
		while (n-- > 0)
			churn_once(&c);
		world_pass(&c.w, 1);
		churn_check(&c, 0);
		if (second % 5000 == 0)
			world_recount(&c.w);
	}
	world_close(&c.w);
}

Test(nat, lifetimes_of_many_turns_of_the_wheel_end_on_time)
{
	static struct churn c;

	churn_open(&c, 2);
	for (uint32_t i = 0; i < N_LEASES; i++) {
		uint32_t lifetime_s = 1 + i * (7 * DAY_S / N_LEASES);
		world_map(&c.w, churn_key(i), 1, lifetime_s);
		c.due_s[i] = c.w.now_s + lifetime_s;
	}
	for (uint32_t minute = 0; minute < 7 * 24 * 60 + 3; minute++) {
		world_pass(&c.w, 60);
		if (minute % 7 == 0)
			churn_check(&c, 7 * 60);
	}
	cr_assert_eq(nat_counters(c.w.nat)->explicit_expired, N_LEASES);
	cr_assert_eq(nat_counters(c.w.nat)->leases, 0);
	world_close(&c.w);
}

// After a pause of hours the wheel catches up before nat_step() says it is done.
Test(nat, the_wheel_catches_up_after_a_pause)
{
	static struct churn c;

	churn_open(&c, 3);
	for (unsigned i = 0; i < 300; i++) {
		uint32_t pause_s = 1 + rng_below(&c.rng, 20000);
		for (unsigned k = 0; k < 20; k++)
			churn_once(&c);
		world_leap(&c.w, pause_s);
		world_settle(&c.w);
		churn_check(&c, pause_s);
	}
	world_recount(&c.w);
	world_close(&c.w);
}

Test(nat, a_step_ends_a_bounded_number_of_leases)
{
	static struct churn c;
	uint64_t before = 0;
	unsigned steps = 0;

	churn_open(&c, 4);
	for (uint32_t i = 0; i < N_LEASES; i++)
		world_map(&c.w, churn_key(i), 1, 100);
	world_leap(&c.w, 101);
	do {
		before = nat_counters(c.w.nat)->explicit_expired;
		nat_step(c.w.nat, c.w.now_s);
		cr_assert_leq(nat_counters(c.w.nat)->explicit_expired - before, 32);
		cr_assert_lt(++steps, 100);
	} while (nat_counters(c.w.nat)->explicit_expired < N_LEASES);
	world_close(&c.w);
}

// Chunks come back: churn that never holds more than the table does not use up the wheel.
Test(nat, the_wheel_never_needs_more_chunks_than_it_was_given)
{
	static struct churn c;

	churn_open(&c, 5);
	for (unsigned i = 0; i < 300000; i++) {
		churn_once(&c);
		if (i % 20 == 0)
			world_pass(&c.w, 1);
	}
	cr_assert_leq(c.w.nat->chunk_high, c.w.nat->n_chunks);
	world_recount(&c.w);
	world_pass(&c.w, 10);
	world_close(&c.w);
}
