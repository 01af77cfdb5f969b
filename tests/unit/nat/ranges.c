// SPDX-License-Identifier: Apache-2.0
// Parity, compact blocks, how fast mappings may be made, what is kept for a while, exhaustion.
#include "world.h"

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

// Which of his blocks a mapping lies in, of two that he took one after the other.
static unsigned fill(struct world *w, uint16_t from, uint16_t count, uint16_t block)
{
	unsigned inside = 0;

	for (uint16_t i = 0; i < count; i++) {
		struct recipe to = world_out(w, key_of(HOST, NAT_UDP, (uint16_t)(from + i)));
		inside += to.port / 64 == block;
	}
	return inside;
}

static void newest_or_oldest_block(bool compact)
{
	struct world w = world_simple(64);

	w.policy.compact = compact;
	nat_set_policy(w.nat, 0, &w.policy);
	uint16_t oldest = world_out(&w, key_of(HOST, NAT_UDP, 100)).port / 64;
	fill(&w, 101, 63, oldest);
	cr_assert_eq(fill(&w, 200, 10, oldest), 0, "the first block is full");
	for (uint16_t i = 0; i < 20; i++) {
		struct nat_key key = key_of(HOST, NAT_UDP, (uint16_t)(101 + i));
		cr_assert(nat_delete(w.nat, &key, w.now_s)); // never answered: free at once
	}
	cr_assert_eq(fill(&w, 300, 20, oldest), compact ? 20 : 0);
	world_close(&w);
}

Test(nat, t_6888_15_the_newest_block_is_the_active_one)
{
	newest_or_oldest_block(false);
}

Test(nat, t_6888_13_compact_fills_the_oldest_block_first)
{
	newest_or_oldest_block(true);
}

Test(nat, t_4787_4_parity_takes_no_block)
{
	struct world w = world_simple(64);

	w.policy.parity = true;
	for (uint16_t i = 0; i < 64; i++)
		world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + 2 * i)));
	cr_assert_eq(nat_counters(w.nat)->blocks, 1);
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

Test(nat, t_6888_3_an_empty_block_goes_with_its_address)
{
	struct world w = world_simple(4);
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	w.policy.block_timeout = 60000;
	nat_set_policy(w.nat, 0, &w.policy);
	for (unsigned h = 0; h < 60; h++) {
		key.host = HOST + h;
		world_out(&w, key);
		cr_assert(nat_delete(w.nat, &key, w.now_s));
	}
	cr_assert_eq(nat_counters(w.nat)->blocks, 60);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	cr_assert_eq(nat_group_counters(w.nat, 0)->blocks_total, 0);
	world_close(&w);
}

Test(nat, what_is_kept_for_a_subscriber_goes_when_he_is_cleared)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	w.policy.block_timeout = 60000;
	w.policy.pairing_retention = 60000;
	nat_set_policy(w.nat, 0, &w.policy);
	for (unsigned answered = 0; answered < 2; answered++) {
		struct recipe to = world_out(&w, key);
		if (answered)
			cr_assert(world_in(&w, NAT_UDP, to));
		cr_assert(nat_delete(w.nat, &key, w.now_s)); // its block waits, or the port rests
		cr_assert_eq(nat_counters(w.nat)->blocks, 1);
		cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 100, w.now_s));
		cr_assert_eq(nat_counters(w.nat)->blocks, answered);
		world_pass(&w, 130);
		cr_assert_eq(nat_counters(w.nat)->blocks, 0);
		cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	}
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

Test(nat, t_7857_4_who_never_had_an_address_is_not_remembered)
{
	struct world w = world_open(&WORLD_LIMITS, 64);

	world_add(&w, POOL_A, 1024, 1087); // one block
	w.policy.pairing_retention = 1000;
	nat_set_policy(w.nat, 0, &w.policy);
	world_out(&w, key_of(HOST, NAT_UDP, 100));
	for (unsigned h = 1; h < 40; h++)
		cr_assert_eq(world_try(&w, key_of(HOST + h, NAT_UDP, 100)), DROP_POOL_NO_ADDRESS);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 1);
	world_close(&w);
}

Test(nat, t_7857_4_who_has_nothing_loses_his_retained_address_in_a_crowd)
{
	struct world w = world_simple(4);
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	w.policy.pairing_retention = 60000;
	nat_set_policy(w.nat, 0, &w.policy);
	world_out(&w, key);
	world_pass(&w, 400);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 1);
	for (unsigned h = 1; h < 48; h++) // three quarters of the table
		world_out(&w, key_of(HOST + h, NAT_UDP, 100));
	world_pass(&w, 11);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 47);
	world_close(&w);
}

Test(nat, t_6888_8_hold_down_max_bounds_the_resting_ports)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.resting = 10;
	struct world w = world_open(&limits, 64);

	world_add(&w, POOL_A, 1024, 65535);
	for (uint16_t i = 0; i < 30; i++)
		world_out_answered(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)));
	for (uint16_t i = 0; i < 30; i++) {
		struct nat_key key = key_of(HOST, NAT_UDP, (uint16_t)(100 + i));
		cr_assert(nat_delete(w.nat, &key, w.now_s));
	}
	cr_assert_eq(nat_counters(w.nat)->resting, 10);
	cr_assert_eq(nat_counters(w.nat)->hold_down_early, 20);
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
