// SPDX-License-Identifier: Apache-2.0
#include "world.h"

// Mappings made all through a minute vanish, each within its timeout and the sweep's ten seconds.
Test(nat, the_sweep_finds_idle_mappings_within_ten_seconds)
{
	struct world w = world_simple(512);
	uint32_t made_s[600];
	unsigned left = 600;

	for (uint16_t i = 0; i < 600; i++) {
		made_s[i] = w.now_s;
		world_out_answered(&w, key_of(HOST + i % 3u, NAT_ICMP, i));
		if (i % 10 == 9)
			world_pass(&w, 1);
	}
	while (left > 0) {
		left = 0;
		for (uint16_t i = 0; i < 600; i++) {
			struct nat_key key = key_of(HOST + i % 3u, NAT_ICMP, i);
			uint32_t idle_s = w.now_s - made_s[i];
			if (world_has(&w, key)) {
				cr_assert_leq(idle_s, 60 + 11, "mapping %u", i);
				left++;
			} else {
				cr_assert_gt(idle_s, 60, "mapping %u", i);
			}
		}
		world_pass(&w, 1);
	}
	cr_assert_eq(nat_counters(w.nat)->implicit_expired, 600);
	world_close(&w);
}

Test(nat, a_step_sweeps_a_bounded_number_of_lines_and_ends_a_bounded_number_of_mappings)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct world w;
	uint32_t credit;
	uint64_t expired;
	bool more = true;

	limits.mappings = 20000;
	w = world_open(&limits, 4096);
	w.policy.port_limit = 0;
	world_add(&w, POOL_A, 4096, 65535);
	for (uint16_t i = 0; i < 4000; i++)
		world_out_answered(&w, key_of(HOST, NAT_ICMP, i));
	world_leap(&w, 100);
	for (unsigned steps = 0; more; steps++) {
		credit = w.nat->sweep_credit;
		expired = nat_counters(w.nat)->implicit_expired;
		more = nat_step(w.nat, w.now_s);
		if (steps > 0)
			cr_assert_leq(credit - w.nat->sweep_credit, 256);
		cr_assert_leq(nat_counters(w.nat)->implicit_expired - expired, 36);
		cr_assert_lt(steps, 2000);
	}
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_close(&w);
}

Test(nat, hold_down_ends_in_bounded_portions)
{
	struct world w = world_simple(512);

	for (uint16_t i = 0; i < 200; i++) {
		struct nat_key key = key_of(HOST, NAT_UDP, i);
		world_out_answered(&w, key);
		nat_delete(w.nat, &key, w.now_s);
	}
	world_leap(&w, 121);
	for (uint32_t left = 200; left > 0; left -= min_u32(left, 32)) {
		cr_assert_eq(nat_counters(w.nat)->resting, left);
		nat_step(w.nat, w.now_s);
	}
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

Test(nat, new_timers_count_at_once)
{
	struct world w = world_simple(64);
	struct nat_timers timers = WORLD_TIMERS;
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	world_out_answered(&w, key);
	timers.udp = 130;
	nat_set_timers(w.nat, &timers);
	world_pass(&w, 142);
	cr_assert_not(world_has(&w, key));
	timers.hold_down = 10;
	nat_set_timers(w.nat, &timers);
	world_pass(&w, 1);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

Test(nat, t_6888_8_without_a_hold_down_a_port_is_free_in_the_same_second)
{
	struct world w = world_simple(64);
	struct nat_timers timers = WORLD_TIMERS;
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	timers.hold_down = 0;
	nat_set_timers(w.nat, &timers);
	world_out(&w, key);
	while (world_has(&w, key))
		world_pass(&w, 1);
	while (nat_step(w.nat, w.now_s))
		;
	cr_expect_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

// The tick of a slot has 16 bits: a timer longer than the tick could count would never end.
Test(nat, the_longest_timers_still_end)
{
	struct world w = world_simple(64);
	struct nat_timers timers = WORLD_TIMERS;
	struct nat_key udp = key_of(HOST, NAT_UDP, 1), tcp = key_of(HOST, NAT_TCP, 1);

	timers.udp = timers.udp_initial = timers.tcp_trans_open = UINT16_MAX;
	nat_set_timers(w.nat, &timers);
	world_out_answered(&w, udp);
	world_out(&w, tcp);
	world_pass(&w, 65000);
	cr_assert(world_has(&w, udp) && world_has(&w, tcp));
	world_pass(&w, 11);
	cr_assert_not(world_has(&w, udp) || world_has(&w, tcp));
	world_close(&w);
}

// A leased mapping's traffic is judged by the same timers as if it had no lease.
Test(nat, the_sweep_forgets_no_traffic_of_a_lease)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = world_map(&w, key, 1, 250);

	world_out(&w, key);
	cr_assert(world_in(&w, NAT_UDP, to));
	world_pass(&w, 251);
	cr_assert_eq(world_look(&w, key).kind, NAT_IMPLICIT);
	world_pass(&w, 61);
	cr_assert_eq(world_look(&w, key).kind, NAT_ABSENT);
	world_close(&w);
}

// ---- draining --------------------------------------------------------------------------------

Test(nat, t_6888_3_a_drained_address_ends_what_lives_there_and_tells_the_clients)
{
	struct world w = world_simple(64);
	struct nat_key lease = key_of(HOST, NAT_TCP, 1), packet = key_of(HOST + 1, NAT_UDP, 1);

	world_map(&w, lease, 1, 3600);
	world_out(&w, packet);
	world_add(&w, POOL_B, 1024, 65535);
	world_leap(&w, 50);
	nat_address_remove(w.nat, POOL_A);
	cr_assert(world_hits(&w, packet), "until its turn comes");
	world_settle(&w);
	cr_assert_not(world_has(&w, packet));
	cr_assert_eq(world_look(&w, lease).external.addr, POOL_B);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST + 1), 0);
	cr_assert_eq(nat_counters(w.nat)->cleared, 1);
	cr_assert_eq(nat_counters(w.nat)->moved, 1);
	cr_assert_eq(world_map(&w, lease, 1, 3600).addr, POOL_B);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	world_close(&w);
}

Test(nat, a_draining_address_waits_for_its_resting_ports)
{
	struct world w = world_simple(64);

	world_out_answered(&w, key_of(HOST, NAT_UDP, 1));
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_pass(&w, 120);
	cr_assert(nat_address_known(w.nat, POOL_A));
	world_pass(&w, 1);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	cr_assert_eq(nat_counters(w.nat)->addresses, 0);
	world_close(&w);
}

// One that still has resting ports must not hold up the next.
Test(nat, several_addresses_drain_side_by_side)
{
	struct world w = world_simple(64);

	world_out_answered(&w, key_of(HOST, NAT_UDP, 1));
	world_add(&w, POOL_B, 1024, 65535);
	world_add(&w, POOL_C, 1024, 65535);
	world_out(&w, key_of(HOST + 1, NAT_UDP, 1));
	world_out(&w, key_of(HOST + 2, NAT_UDP, 1));
	nat_address_remove(w.nat, POOL_A);
	nat_address_remove(w.nat, POOL_B);
	world_settle(&w);
	world_pass(&w, 1);
	cr_assert(nat_address_known(w.nat, POOL_A));
	cr_assert_not(nat_address_known(w.nat, POOL_B));
	world_pass(&w, 121);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	cr_assert(nat_address_known(w.nat, POOL_C));
	world_close(&w);
}

Test(nat, a_resting_lease_does_not_come_back_on_a_draining_address)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_TCP, 1);
	struct recipe to = world_map(&w, key, 1, 600);

	nat_lease_end(w.nat, &key, false, w.now_s);
	world_add(&w, POOL_B, 1024, 65535);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	cr_assert_eq(to.addr, POOL_A);
	cr_assert_eq(world_map(&w, key, 1, 600).addr, POOL_B);
	world_pass(&w, 122);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	world_close(&w);
}

// ---- clearing one subscriber -----------------------------------------------------------------

Test(nat, clearing_a_subscriber_ends_all_that_is_his_and_nothing_else)
{
	struct world w = world_simple(64);

	for (uint16_t i = 0; i < 100; i++) {
		world_out(&w, key_of(HOST, NAT_UDP, i));
		world_out(&w, key_of(HOST + 1, NAT_UDP, i));
		if (i < 30)
			world_map(&w, key_of(HOST, NAT_TCP, i), 1, 3600);
	}
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 100000, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->mappings, 100);
	cr_assert_eq(nat_counters(w.nat)->leases, 0);
	cr_assert_eq(nat_counters(w.nat)->cleared, 130);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST + 1), 0);
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 1, w.now_s), "nothing is left");
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST + 50, 1, w.now_s), "nobody is nobody");
	world_close(&w);
}

Test(nat, clearing_without_explicit_state_leaves_the_epoch_alone)
{
	struct world w = world_simple(64);

	world_out(&w, key_of(HOST, NAT_UDP, 1));
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 1000, w.now_s));
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), 0);
	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST));
	world_close(&w);
}

static unsigned clear_in_steps(struct world *w, ip4 host, uint32_t budget)
{
	unsigned calls = 0;

	for (bool done = false; !done; calls++) {
		uint64_t before = nat_counters(w->nat)->cleared;

		done = nat_subscriber_clear(w->nat, 1, host, budget, w->now_s);
		cr_assert_leq(nat_counters(w->nat)->cleared - before, budget / 16 + 1);
		cr_assert_lt(calls, 100000);
	}
	return calls;
}

// Blocks are larger than the budget here, and the ports of a block answered, so that they rest. The
// end of a mapping costs as much as 16 looks.
Test(nat, clearing_a_subscriber_takes_bounded_steps)
{
	static const uint32_t budgets[] = {1, 7, 100, 1535, 1536, 100000};

	for (unsigned i = 0; i < ARRAY_SIZE(budgets); i++) {
		struct world w = world_simple(512);
		unsigned calls;

		for (uint16_t k = 0; k < 700; k++)
			world_out_answered(&w, key_of(HOST, NAT_ICMP, k));
		calls = clear_in_steps(&w, HOST, budgets[i]);
		cr_assert_eq(nat_counters(w.nat)->mappings, 0);
		cr_assert_leq(calls, (2 * 1536 + 16 * 700) / budgets[i] + 4, "%u calls of %u",
			calls, budgets[i]);
		world_close(&w);
	}
}

Test(nat, two_subscribers_cleared_by_turns_both_come_to_an_end)
{
	struct world w = world_simple(512);
	bool done[2] = {false, false};

	for (uint16_t k = 0; k < 300; k++) {
		world_out_answered(&w, key_of(HOST, NAT_ICMP, k));
		world_out_answered(&w, key_of(HOST + 1, NAT_ICMP, k));
	}
	for (unsigned turn = 0; !done[0] || !done[1]; turn++) {
		done[turn % 2] = nat_subscriber_clear(w.nat, 1, HOST + turn % 2, 256, w.now_s);
		cr_assert_lt(turn, 10000);
	}
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_close(&w);
}

Test(nat, the_operator_deletes_single_mappings)
{
	struct world w = world_simple(64);
	struct nat_key implicit = key_of(HOST, NAT_UDP, 1), explicit = key_of(HOST, NAT_UDP, 2);

	cr_assert_not(nat_delete(w.nat, &implicit, w.now_s));
	world_out(&w, implicit);
	cr_assert(nat_delete(w.nat, &implicit, w.now_s));
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), 0);
	world_map(&w, explicit, 1, 600);
	world_out(&w, explicit); // traffic does not keep it
	cr_assert(nat_delete(w.nat, &explicit, w.now_s));
	cr_assert_not(world_has(&w, explicit));
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	cr_assert_eq(nat_counters(w.nat)->leases, 0);
	world_close(&w);
}
