// SPDX-License-Identifier: Apache-2.0
// Ports for explicit mappings alone, parity, how fast mappings may be made, what is kept for a
// while.
#include "world.h"

// One address with blocks from 4096 on, and ports 2000 to 2999 for explicit mappings.
static struct world explicit_world(void)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
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

// ---- parity, rate, reserve -------------------------------------------------------------------

Test(nat, t_4787_4_parity_is_kept_where_it_is_asked_for)
{
	struct world w = world_simple(512);

	w.policy.parity = true;
	for (uint16_t i = 0; i < 200; i++) {
		struct recipe to = world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)));
		cr_assert_eq(to.port % 2, i % 2);
	}
	world_close(&w);
}

Test(nat, t_7857_9_with_parity_the_other_bits_are_random)
{
	struct world w = world_simple(512);
	unsigned ascending = 0;
	uint16_t before = 0;

	w.policy.parity = true;
	for (uint16_t i = 0; i < 200; i += 2) {
		struct recipe to = world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)));
		ascending += to.port == before + 2;
		before = to.port;
	}
	cr_assert_lt(ascending, 20);
	world_close(&w);
}

Test(nat, t_6888_4c_a_subscriber_makes_mappings_no_faster_than_his_rate)
{
	struct world w = world_simple(512);
	unsigned made = 0;

	w.policy.mapping_rate = 10;
	w.policy.mapping_burst = 30;
	for (uint16_t i = 0; i < 100; i++)
		made += world_try(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i))) == DROP_NONE;
	cr_assert_eq(made, 30);
	cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_UDP, 1)), DROP_NONE, "others go on");
	world_leap(&w, 2);
	for (uint16_t i = 0; i < 100; i++)
		made += world_try(&w, key_of(HOST, NAT_UDP, (uint16_t)(300 + i))) == DROP_NONE;
	cr_assert_eq(made, 50);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 500)), DROP_QUOTA_RATE);
	cr_assert_eq(nat_counters(w.nat)->refused_mapping_rate, 70 + 80 + 1);
	world_close(&w);
}

Test(nat, t_6888_11d_a_share_of_the_table_is_kept_for_explicit_mappings)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.mappings = 100;
	limits.mappings_reserved = 10;
	struct world w = world_open(&limits, 512);
	unsigned made = 0;

	world_add(&w, POOL_A, 1024, 65535);
	for (uint16_t i = 0; i < 100; i++)
		made += world_try(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i))) == DROP_NONE;
	cr_assert_eq(made, 90);
	for (uint16_t i = 0; i < 10; i++)
		world_map(&w, key_of(HOST, NAT_TCP, (uint16_t)(100 + i)), 1, 600);
	world_close(&w);
}

// ---- kept for a while ------------------------------------------------------------------------

Test(nat, port_set_timeout_keeps_an_empty_block_for_its_subscriber)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	w.policy.block_timeout = 1000;
	nat_set_policy(w.nat, 0, &w.policy);
	struct recipe first = world_out(&w, key);
	world_pass(&w, 200); // idle and unanswered: the port is free again
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	cr_assert_eq(nat_counters(w.nat)->blocks, 1);
	struct recipe again = world_out(&w, key);
	cr_assert_eq(again.port / 64, first.port / 64);
	world_pass(&w, 1400);
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	world_close(&w);
}

Test(nat, t_7857_4_a_host_without_ports_keeps_his_address_for_the_retention)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	world_add(&w, POOL_A, 1024, 65535);
	world_add(&w, POOL_B, 1024, 65535);
	world_add(&w, POOL_C, 1024, 65535);
	w.policy.pairing_retention = 1000;
	nat_set_policy(w.nat, 0, &w.policy);
	ip4 paired = world_out(&w, key).addr;
	for (int i = 0; i < 5; i++) {
		world_pass(&w, 400);
		cr_assert_eq(nat_counters(w.nat)->blocks, 0);
		cr_assert_eq(world_out(&w, key).addr, paired);
	}
	world_pass(&w, 1500);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	world_close(&w);
}

// ---- exhaustion ------------------------------------------------------------------------------

Test(nat, t_6888_11d_blocks_of_four_ports_for_two_hundred_subscribers)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.subscribers = 300;
	struct world w = world_open(&limits, 4);
	struct recipe to[200][4];

	world_add(&w, POOL_A, 1024, 2047); // 1024 ports
	w.policy.block_limit = 1;
	for (unsigned h = 0; h < 200; h++) {
		for (uint16_t i = 0; i < 4; i++)
			to[h][i] = world_out_answered(&w, key_of(HOST + h, NAT_UDP, i));
	}
	for (unsigned h = 0; h < 200; h++)
		cr_assert_eq(world_try(&w, key_of(HOST + h, NAT_UDP, 4)), DROP_QUOTA_BLOCKS);
	for (unsigned h = 0; h < 200; h++) {
		for (uint16_t i = 0; i < 4; i++)
			cr_assert(recipe_eq(world_out(&w, key_of(HOST + h, NAT_UDP, i)), to[h][i]));
	}
	cr_assert_eq(nat_group_counters(w.nat, 0)->port_map_limit_drops, 200);
	cr_assert_eq(nat_group_counters(w.nat, 0)->blocks_allocated, 200);
	cr_assert_eq(nat_group_counters(w.nat, 0)->blocks_total, 256);
	world_pass(&w, 310 + 121 + 10); // idle timer, hold-down, the sweep's lateness
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	for (unsigned h = 0; h < 256; h++) // all of it is there again
		world_out(&w, key_of(HOST + h, NAT_UDP, 9));
	cr_assert_eq(world_try(&w, key_of(HOST + 256, NAT_UDP, 9)), DROP_POOL_NO_ADDRESS);
	world_close(&w);
}
