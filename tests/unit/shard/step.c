// SPDX-License-Identifier: Apache-2.0
// The background: bounded portions, an end that is told, and one and the same run for one seed.
#include "ask.h"
#include "check.h"

Test(step, with_nothing_to_do_it_says_so)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	cr_assert(!shard_step(w.shard[0], w.conf, w.now, &w.sink));
	w.now += NS_PER_S;
	world_settle(&w);
	cr_assert(!shard_step(w.shard[0], w.conf, w.now, &w.sink));
	world_close(&w);
}

Test(step, everything_ends_in_time)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	for (unsigned i = 0; i < 40; i++) {
		open_udp(&w, HOME + i, 5000, PEER);
		ask_map(&w, HOME + i, SERVER, IP_TCP, 80, 120);
	}
	cr_assert_eq(WORLD_NAT(&w, mappings), 80);
	world_pass(&w, 500);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	cr_assert_eq(WORLD_NAT(&w, leases), 0);
	cr_assert_eq(WORLD_NAT(&w, resting), 0);
	cr_assert_eq(WORLD_NAT(&w, blocks), 0);
	cr_assert_eq(WORLD_NAT(&w, subscribers), 0);
	world_close(&w);
}

// A leap of the clock leaves much to do; each step does a little, and packets go on between them.
Test(step, much_work_is_done_in_small_portions)
{
	struct world w;
	unsigned steps = 0;

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < 50; i++) {
		for (uint16_t port = 0; port < 10; port++)
			ask_map(&w, HOME + i, SERVER, IP_TCP, (uint16_t)(80 + port), 120);
	}
	w.now += 200 * NS_PER_S;
	while (WORLD_NAT(&w, explicit_expired) < 500) {
		uint64_t before = WORLD_NAT(&w, explicit_expired);
		cr_assert(shard_step(w.shard[0], w.conf, w.now, &w.sink) || before > 400);
		cr_assert_leq(WORLD_NAT(&w, explicit_expired) - before, 32);
		open_udp(&w, NEIGHBOR, 5000, PEER);
		cr_assert_lt(steps++, 10000);
	}
	cr_assert_geq(steps, 500 / 32);
	world_close(&w);
}

Test(step, the_same_seed_gives_the_same_run)
{
	struct recipe first[50];
	struct world w;

	for (unsigned run = 0; run < 2; run++) {
		world_open(&w, TWO_SHARDS);
		for (uint16_t i = 0; i < 50; i++) {
			struct recipe e = open_udp(&w, HOME + i % 7, (uint16_t)(5000 + i), PEER);
			if (run == 0)
				first[i] = e;
			cr_assert(recipe_eq(first[i], e));
		}
		world_close(&w);
	}
}
