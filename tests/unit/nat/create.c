// SPDX-License-Identifier: Apache-2.0
#include "world.h"

Test(nat, t_6888_4_the_port_limit_is_per_subscriber_and_protocol)
{
	struct world w = world_simple(64);

	w.policy.port_limit = 10;
	for (uint16_t i = 0; i < 10; i++) {
		world_out(&w, key_of(HOST, NAT_UDP, i));
		world_out(&w, key_of(HOST, NAT_TCP, i));
	}
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 10)), DROP_QUOTA_PORTS);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_TCP, 10)), DROP_QUOTA_PORTS);
	world_out(&w, key_of(HOST, NAT_ICMP, 10));
	world_out(&w, key_of(HOST + 1, NAT_UDP, 10));
	cr_assert_eq(world_subscriber(&w, HOST).n_ports[NAT_UDP - 1], 10);
	nat_delete(w.nat, &(struct nat_key){HOST, 3, 1, NAT_UDP}, w.now_s);
	world_out(&w, key_of(HOST, NAT_UDP, 10));
	world_close(&w);
}

Test(nat, a_port_limit_of_zero_is_none)
{
	struct world w = world_simple(64);

	w.policy.port_limit = 0;
	for (uint16_t i = 0; i < 512; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	world_close(&w);
}

// Every live mapping is still what it was after ten times as many attempts as there is room.
static void expect_no_eviction(struct world *w, uint32_t hosts, enum drop expected)
{
	struct recipe to[64];
	uint32_t n = 0;

	while (n < 64 && world_try(w, key_of(HOST, NAT_UDP, (uint16_t)n)) == DROP_NONE) {
		to[n] = world_out(w, key_of(HOST, NAT_UDP, (uint16_t)n));
		n++;
	}
	for (uint32_t i = 0; i < hosts; i++) {
		enum drop why = world_try(w, key_of(HOST + 1 + i, NAT_UDP, 1));
		cr_assert(why == DROP_NONE || why == expected, "%s", drop_name(why));
		if (i > hosts / 2)
			cr_assert_eq(why, expected, "%s", drop_name(why));
	}
	cr_assert_gt(n, 0);
	for (uint32_t i = 0; i < n; i++)
		cr_assert(recipe_eq(to[i], world_out(w, key_of(HOST, NAT_UDP, (uint16_t)i))));
}

Test(nat, t_6888_11d_t_4787_11_an_exhausted_pool_evicts_nobody)
{
	struct world w = world_open(&WORLD_LIMITS, 8);

	world_add(&w, POOL_A, 1024, 1024 + 8 * 20 - 1);
	expect_no_eviction(&w, 60, DROP_POOL_NO_ADDRESS);
	world_close(&w);
}

Test(nat, t_6888_11d_t_4787_11_a_full_mapping_table_evicts_nobody)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct world w;

	limits.mappings = 80;
	w = world_open(&limits, 8);
	world_add(&w, POOL_A, 1024, 65535);
	expect_no_eviction(&w, 60, DROP_TABLE_FULL);
	cr_assert_eq(nat_counters(w.nat)->mappings, 80);
	world_close(&w);
}

Test(nat, t_6888_11d_a_full_subscriber_table_evicts_nobody)
{
	struct world w = world_simple(8);

	expect_no_eviction(&w, 200, DROP_SUBSCRIBERS_FULL);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 64);
	world_close(&w);
}

// A refused newcomer leaves nothing behind.
Test(nat, a_refused_packet_changes_nothing)
{
	struct world w = world_open(&WORLD_LIMITS, 8);
	struct nat_counters before = *nat_counters(w.nat);

	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 1)), DROP_POOL_NO_ADDRESS);
	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST));
	before.subscribers_created++;
	before.subscribers_removed++;
	cr_assert_eq(memcmp(&before, nat_counters(w.nat), sizeof before), 0);
	world_close(&w);
}

Test(nat, two_packets_of_one_burst_make_one_mapping)
{
	struct world w = world_simple(64);
	struct nat_out p[2] = {
		{.key = key_of(HOST, NAT_UDP, 1)}, {.key = key_of(HOST, NAT_UDP, 1)}};

	cr_assert_eq(nat_find_out(w.nat, p, 2, w.now_s), 0);
	nat_look_ahead(w.nat, &(struct nat_ahead){.key = p[0].key}, 1);
	cr_assert_eq(nat_create(w.nat, &w.policy, 0, &p[0], w.now_s), DROP_NONE);
	cr_assert_eq(nat_create(w.nat, &w.policy, 0, &p[1], w.now_s), DROP_NONE);
	cr_assert(recipe_eq(p[0].to, p[1].to));
	cr_assert_eq(nat_counters(w.nat)->implicit_created, 1);
	world_close(&w);
}

// A forged source can send any segment: none but a SYN makes state, and a SYN alone little of it.
Test(nat, t_7857_2_a_segment_that_begins_no_connection_makes_no_mapping)
{
	static const uint8_t flags[] = {
		0, TCP_ACK, TCP_ACK | TCP_PSH, TCP_SYN | TCP_ACK, TCP_RST, TCP_FIN | TCP_ACK};
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_TCP, 1);
	struct recipe to;

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		cr_assert_eq(world_tcp(&w, key, flags[i], 1, &to), DROP_TCP_NO_SESSION);
	cr_assert_eq(nat_counters(w.nat)->subscribers_created, 0);
	cr_assert_eq(world_tcp(&w, key, TCP_SYN, 0, &to), DROP_NONE);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		cr_assert_eq(world_tcp(&w, key, flags[i], 1, &to), DROP_NONE);
	world_pass(&w, 240);
	cr_assert(world_has(&w, key));
	world_pass(&w, 3);
	cr_assert_not(world_has(&w, key));
	world_close(&w);
}

Test(nat, t_4787_5_udp_mappings_live_as_long_as_the_operator_says)
{
	struct world w = world_simple(64);
	struct nat_timers timers = WORLD_TIMERS;
	struct nat_key answered = key_of(HOST, NAT_UDP, 1), unanswered = key_of(HOST, NAT_UDP, 2);
	struct nat_key alone = key_of(HOST + 1, NAT_UDP, 1);

	timers.udp_initial = 60;
	timers.udp_unanswered = 30;
	nat_set_timers(w.nat, &timers);
	world_out_answered(&w, answered);
	world_out(&w, unanswered);
	world_out(&w, alone);
	world_pass(&w, 30);
	cr_assert(world_has(&w, alone));
	world_pass(&w, 11);
	cr_assert_not(world_has(&w, alone), "nothing ever came back to its block");
	world_pass(&w, 19);
	cr_assert(world_has(&w, unanswered));
	world_pass(&w, 11);
	cr_assert_not(world_has(&w, unanswered));
	world_pass(&w, 300 - 71);
	cr_assert(world_hits(&w, answered));
	world_pass(&w, 311);
	cr_assert_not(world_has(&w, answered));
	world_close(&w);
}

// What a view says about traffic is what the sweep and the end of a lease go by.
Test(nat, a_view_tells_the_very_idle_time_that_will_end_the_mapping)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = world_out(&w, key);

	cr_assert_eq(world_look(&w, key).idle_left_s, 120, "unanswered");
	world_leap(&w, 20);
	cr_assert_eq(world_look(&w, key).idle_left_s, 100);
	cr_assert(world_in(&w, NAT_UDP, to));
	cr_assert_eq(world_look(&w, key).idle_left_s, 280, "answered");
	cr_assert(world_look(&w, key).replied);
	world_leap(&w, 280);
	cr_assert(world_look(&w, key).traffic);
	world_leap(&w, 1);
	cr_assert_eq(world_look(&w, key).kind, NAT_ABSENT);
	world_close(&w);
}

// A subscriber that a new configuration moved gets his new group as soon as he holds nothing.
Test(nat, a_subscriber_of_another_group_waits_until_he_was_cleared)
{
	struct world w = world_simple(64);
	struct nat_address a = {.ip = POOL_B,
		.group = 7,
		.port_first = 1024,
		.port_last = 65535,
		.port_set_size = 64};
	struct nat_out p = {.key = key_of(HOST, NAT_UDP, 2)};

	cr_assert_eq(nat_address_add(w.nat, &a), 0);
	world_map(&w, key_of(HOST, NAT_UDP, 1), 1, 600);
	cr_assert_eq(nat_create(w.nat, &w.policy, 7, &p, w.now_s), DROP_NO_POLICY);
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 1000, w.now_s));
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s, "still remembered");
	cr_assert_eq(nat_create(w.nat, &w.policy, 7, &p, w.now_s), DROP_NONE);
	cr_assert_eq(p.to.addr, POOL_B);
	world_close(&w);
}

// ---- an address before there is a mapping ------------------------------------------------------

static enum drop pair(struct world *w, ip4 host, ip4 *external)
{
	return nat_pair(w->nat, &w->policy, 0, 1, host, w->now_s, external);
}

Test(nat, rfc6886_s3_2_a_host_is_paired_before_its_first_mapping)
{
	struct world w = world_simple(64);
	ip4 external, again;

	world_add(&w, POOL_B, 1024, 65535);
	for (uint32_t i = 0; i < 20; i++) {
		cr_assert_eq(pair(&w, HOST + i, &external), DROP_NONE);
		cr_assert_eq(pair(&w, HOST + i, &again), DROP_NONE);
		cr_assert_eq(external, again);
		world_pass(&w, 60);
		cr_assert_eq(world_out(&w, key_of(HOST + i, NAT_UDP, 1)).addr, external);
		cr_assert_eq(world_map(&w, key_of(HOST + i, NAT_TCP, 1), 1, 600).addr, external);
		cr_assert_eq(world_subscriber(&w, HOST + i).n_blocks, 1);
	}
	world_close(&w);
}

Test(nat, rfc6886_s3_2_a_pairing_without_a_mapping_is_forgotten_after_hold_down)
{
	struct world w = world_simple(64);
	ip4 external;

	cr_assert_eq(pair(&w, HOST, &external), DROP_NONE);
	world_pass(&w, 120);
	cr_assert_eq(world_subscriber(&w, HOST).external, external);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_pass(&w, 1);
	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST));
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	world_close(&w);
}

Test(nat, rfc6886_s3_2_who_cannot_be_paired_leaves_no_trace)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_key key = key_of(HOST, NAT_TCP, 80);
	ip4 external = 0;

	cr_assert_eq(pair(&w, HOST, &external), DROP_POOL_NO_ADDRESS);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	world_add(&w, POOL_A, 1, 0);
	cr_assert_eq(nat_static_add(w.nat, &key, (struct recipe){POOL_A, 80}, false, w.now_s), 0);
	cr_assert_eq(pair(&w, HOST, &external), DROP_NONE);
	cr_assert_eq(external, POOL_A, "that of his static mapping");
	cr_assert_eq(nat_pair(w.nat, &w.policy, 7, 1, HOST + 1, w.now_s, &external),
		DROP_POOL_NO_ADDRESS);
	world_close(&w);
}

Test(nat, sizes_grow_with_the_limits_only)
{
	struct nat_limits limits = {.mappings = 10000000,
		.leases = 1000000,
		.subscribers = 262144,
		.addresses = 256,
		.port_set_min = 64};

	cr_assert_eq(nat_size(&limits) % CACHE_LINE, 0);
	cr_assert_leq(nat_size(&limits) / limits.mappings, 128);
	limits.mappings *= 2;
	cr_assert_lt(nat_size(&limits), UINT64_C(2) << 30);
}
