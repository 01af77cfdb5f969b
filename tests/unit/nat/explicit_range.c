// SPDX-License-Identifier: Apache-2.0
// Ports for explicit mappings alone.
#include "world.h"

// One address with blocks from 4096 on, and ports 2000 to 2999 for explicit mappings.
static struct world explicit_world_within(const struct nat_limits *limits)
{
	struct world w = world_open(limits, 64);
	struct nat_address a = {.ip = POOL_A,
		.port_first = 4096,
		.port_last = 65535,
		.port_set_size = 64,
		.explicit_first = 2000,
		.explicit_last = 2999};

	w.policy.explicit_first = 2000;
	w.policy.explicit_last = 2999;
	nat_set_policy(w.nat, 0, &w.policy);
	cr_assert_eq(nat_address_add(w.nat, &a), 0);
	return w;
}

static struct world explicit_world(void)
{
	return explicit_world_within(&WORLD_LIMITS);
}

Test(nat, explicit_mappings_have_their_ports_in_their_own_range_and_take_no_block)
{
	struct world w = explicit_world();

	for (uint16_t i = 0; i < 50; i++) {
		struct recipe to =
			world_map(&w, key_of(HOST, NAT_TCP, (uint16_t)(100 + i)), 1, 600);
		cr_assert(to.port >= 2000 && to.port <= 2999, "%u", to.port);
	}
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_TCP, 9)).port / 4096 > 0, true);
	cr_assert_eq(nat_counters(w.nat)->blocks, 1);
	cr_assert_eq(world_subscriber(&w, HOST).external, POOL_A);
	world_close(&w);
}

Test(nat, an_explicit_port_goes_back_with_its_lease_and_the_subscriber_with_it)
{
	struct world w = explicit_world();
	struct nat_key key = key_of(HOST, NAT_UDP, 100);
	struct recipe first = world_map(&w, key, 1, 600);

	world_end(&w, key, true);
	cr_assert(recipe_eq(world_map(&w, key, 1, 600), first), "his own again within hold-down");
	world_end(&w, key, true);
	world_pass(&w, 300);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

Test(nat, suggestions_are_honoured_in_the_explicit_range_only)
{
	struct world w = explicit_world();
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, 100), 1, 600);
	struct nat_view view;

	wish.suggested = (struct recipe){POOL_A, 2500};
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.external.port, 2500);
	wish.key.port = 101;
	wish.suggested.port = 5000;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_neq(view.external.port, 5000);
	wish.key = key_of(HOST + 1, NAT_UDP, 100);
	wish.suggested.port = 2500;
	wish.exact = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT, "somebody else's");
	world_close(&w);
}

Test(nat, rfc7753_s1_a_set_lies_in_the_explicit_range)
{
	struct world w = explicit_world();
	struct nat_view set = world_set(&w, key_of(HOST, NAT_UDP, 5000), 1, 600, 16);

	cr_assert_eq(set.n_ports, 16);
	cr_assert(set.external.port >= 2000 && set.external.port + 15 <= 2999);
	world_end(&w, key_of(HOST, NAT_UDP, 5000), true);
	world_pass(&w, 300);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_close(&w);
}

Test(nat, a_full_explicit_range_refuses_and_leaves_the_blocks_alone)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.leases = 2048;
	struct world w = world_open(&limits, 64);
	struct nat_address a = {.ip = POOL_A,
		.port_first = 4096,
		.port_last = 65535,
		.port_set_size = 64,
		.explicit_first = 2000,
		.explicit_last = 2031};
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, 999), 1, 600);
	struct nat_view view;

	w.policy.explicit_first = 2000;
	w.policy.explicit_last = 2031;
	nat_set_policy(w.nat, 0, &w.policy);
	cr_assert_eq(nat_address_add(w.nat, &a), 0);
	for (uint16_t i = 0; i < 32; i++)
		world_map(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)), 1, 600);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	world_out(&w, key_of(HOST, NAT_UDP, 1));
	world_close(&w);
}

Test(nat, clearing_a_subscriber_ends_his_explicit_ports_too)
{
	struct world w = explicit_world();

	for (uint16_t i = 0; i < 20; i++)
		world_map(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)), 1, 600);
	world_out(&w, key_of(HOST, NAT_UDP, 105)); // has traffic beside its lease
	while (!nat_subscriber_clear(w.nat, 1, HOST, 100, w.now_s))
		;
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_pass(&w, 300);
	world_close(&w);
}

Test(nat, an_explicit_port_that_outlives_its_lease_is_cleared_too)
{
	struct world w = explicit_world();
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	world_map(&w, key, 1, 120);
	world_pass(&w, 100);
	world_out(&w, key);
	world_pass(&w, 60);
	cr_assert(world_has(&w, key), "traffic keeps it");
	while (!nat_subscriber_clear(w.nat, 1, HOST, 100, w.now_s))
		;
	cr_assert_not(world_has(&w, key));
	world_pass(&w, 300);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	world_close(&w);
}

static struct world explicit_world_of(uint16_t last, uint16_t dynamic_last)
{
	struct world w = world_open(&WORLD_LIMITS, 64);

	w.policy.explicit_first = 2000;
	w.policy.explicit_last = last;
	nat_set_policy(w.nat, 0, &w.policy);
	for (ip4 ip = POOL_A; ip <= POOL_B; ip++) {
		struct nat_address a = {.ip = ip,
			.port_first = 4096,
			.port_last = dynamic_last,
			.port_set_size = 64,
			.explicit_first = 2000,
			.explicit_last = last};
		cr_assert_eq(nat_address_add(w.nat, &a), 0);
	}
	return w;
}

Test(nat, t_6888_11_who_asks_gets_a_port_when_all_blocks_are_taken)
{
	struct world w = explicit_world_of(2999, 4159); // one block an address
	struct recipe to;

	world_out(&w, key_of(HOST, NAT_UDP, 100));
	world_out(&w, key_of(HOST + 1, NAT_UDP, 100));
	cr_assert_eq(world_try(&w, key_of(HOST + 2, NAT_UDP, 100)), DROP_POOL_NO_ADDRESS);
	to = world_map(&w, key_of(HOST + 2, NAT_UDP, 80), 1, 600);
	cr_assert(to.port >= 2000 && to.port <= 2999);
	cr_assert_eq(world_subscriber(&w, HOST + 2).external, to.addr);
	world_close(&w);
}

Test(nat, t_7857_4_explicit_ports_pair_too)
{
	struct world w = explicit_world_of(2999, 4159);
	struct recipe to = world_map(&w, key_of(HOST, NAT_UDP, 80), 1, 600);
	struct nat_key other = key_of(HOST + 1, NAT_UDP, 100);

	while (world_out(&w, other).addr != to.addr) // takes the block on his address
		cr_assert(nat_delete(w.nat, &other, w.now_s));
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 100)), DROP_NO_BLOCK);
	w.policy.pairing_soft = true;
	cr_assert_neq(world_out(&w, key_of(HOST, NAT_UDP, 100)).addr, to.addr);
	world_close(&w);
}

Test(nat, t_7857_4_a_full_explicit_range_is_left_only_where_pairing_is_soft)
{
	struct world w = explicit_world_of(2007, 65535);
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, 999), 1, 600);
	struct nat_view view;
	ip4 paired = 0;

	for (uint16_t i = 0; i < 8; i++)
		paired = world_map(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)), 1, 600).addr;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	w.policy.pairing_soft = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_neq(view.external.addr, paired);
	cr_assert_eq(world_subscriber(&w, HOST).external, paired, "his pair all the same");
	world_close(&w);
}

Test(nat, an_address_may_be_suggested_without_a_port)
{
	struct world w = explicit_world_of(2999, 65535);
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, 80), 1, 600);
	struct nat_view view;

	wish.suggested.addr = POOL_B;
	wish.exact = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.external.addr, POOL_B);
	cr_assert(view.external.port >= 2000 && view.external.port <= 2999);
	wish.key.port = 81;
	wish.suggested.addr = POOL_C;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	world_close(&w);
}

Test(nat, t_4787_4_explicit_ports_keep_parity_while_they_can)
{
	struct world w = explicit_world_of(2007, 65535);

	w.policy.parity = true;
	for (uint16_t i = 0; i < 4; i++) {
		struct recipe to =
			world_map(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + 2 * i)), 1, 600);
		cr_assert_eq(to.port % 2, 0);
	}
	cr_assert_eq(world_map(&w, key_of(HOST, NAT_UDP, 200), 1, 600).port % 2, 1);
	world_close(&w);
}

Test(nat, t_6888_15_explicit_ports_and_sets_are_hard_to_guess)
{
	struct world w = explicit_world();
	unsigned ascending = 0;
	uint16_t before = 0;

	for (uint16_t i = 0; i < 30; i++) {
		struct nat_key key = key_of(HOST, NAT_UDP, (uint16_t)(100 + i));
		struct recipe to = world_map(&w, key, (uint8_t)(i + 1), 600);
		ascending += to.port == before + 1;
		before = to.port;
		world_end(&w, key, true);
	}
	cr_assert_lt(ascending, 5);
	uint16_t first = world_set(&w, key_of(HOST, NAT_TCP, 5000), 1, 600, 8).external.port;
	uint16_t second = world_set(&w, key_of(HOST, NAT_TCP, 6000), 1, 600, 8).external.port;
	cr_assert(first != 2000 || second != 2008, "from anywhere on");
	world_close(&w);
}

Test(nat, t_6888_8_an_explicit_port_rests_before_reuse)
{
	struct world w = explicit_world_of(2000, 65535); // one port an address
	struct nat_key key = key_of(HOST, NAT_UDP, 100);
	struct nat_wish wish = wish_of(key_of(HOST + 1, NAT_UDP, 100), 2, 600);
	struct nat_view view;
	struct recipe to = world_map(&w, key, 1, 600);

	wish.suggested.addr = to.addr;
	wish.exact = true;
	world_end(&w, key, true);
	world_pass(&w, 119);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	world_pass(&w, 5);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	world_close(&w);
}

Test(nat, t_6888_4_explicit_ports_count_for_the_lease_limit)
{
	struct world w = explicit_world();
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, 999), 1, 600);
	struct nat_view view;

	w.policy.lease_limit = 3;
	for (uint16_t i = 0; i < 3; i++)
		world_map(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)), 1, 600);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_QUOTA);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 50)), DROP_NONE);
	world_close(&w);
}

Test(nat, a_lease_of_the_range_moves_into_the_range_of_another_address)
{
	struct world w = explicit_world_of(2999, 65535);
	struct recipe to = world_map(&w, key_of(HOST, NAT_UDP, 80), 1, 6000), moved;
	struct nat_view set = world_set(&w, key_of(HOST, NAT_UDP, 5000), 1, 6000, 16);

	nat_address_remove(w.nat, to.addr);
	world_settle(&w);
	moved = world_look(&w, key_of(HOST, NAT_UDP, 80)).external;
	cr_assert_neq(moved.addr, to.addr);
	cr_assert_eq(moved.port, to.port);
	moved = world_look(&w, set.key).external;
	cr_assert_neq(moved.addr, to.addr);
	cr_assert_eq(moved.port, set.external.port);
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	world_pass(&w, 7000);
	cr_assert_not(nat_address_known(w.nat, to.addr));
	world_close(&w);
}

// ---- a subscriber who goes with two of his ports ---------------------------------------------

// A mapping that outlived its lease, and so has its port in no block.
static void outlive_a_lease(struct world *w, struct nat_key key)
{
	world_map(w, key, 1, 10);
	world_out(w, key);
	world_pass(w, 12);
	cr_assert_eq(world_look(w, key).kind, NAT_IMPLICIT);
}

// The list of resting ports is full: a port that joins it drives out the oldest one, the last thing
// in the last block of the same subscriber. He goes with that one, and only once.
Test(nat, a_port_in_no_block_may_drive_out_the_last_port_of_its_own_subscriber)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct nat_key blocked = key_of(HOST, NAT_UDP, 7), leased = key_of(HOST, NAT_UDP, 8);
	struct world w;

	limits.resting = 1;
	w = explicit_world_within(&limits);
	outlive_a_lease(&w, leased);
	world_out_answered(&w, blocked);
	cr_assert(nat_delete(w.nat, &blocked, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->resting, 1);
	cr_assert(nat_delete(w.nat, &leased, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->hold_down_early, 1);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	cr_assert_eq(nat_counters(w.nat)->subscribers_removed, 1);
	world_out(&w, key_of(HOST + 1, NAT_UDP, 1));
	world_out(&w, key_of(HOST + 2, NAT_UDP, 1));
	cr_assert_eq(nat_counters(w.nat)->subscribers, 2);
	world_close(&w);
}
