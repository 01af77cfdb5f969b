// SPDX-License-Identifier: Apache-2.0
// What the NAT log is told (RFC 8158).
#include "flow.h"

static unsigned seen[NAT_EVENT_KINDS];
static struct nat_event last[NAT_EVENT_KINDS];

static void drain(struct world *w)
{
	struct nat_event e;

	memset(seen, 0, sizeof seen);
	while (nat_event_next(w->nat, &e)) {
		seen[e.kind]++;
		last[e.kind] = e;
	}
}

Test(nat, t_6888_14_one_record_for_a_block_taken_and_one_for_it_returned)
{
	struct world w = world_simple(64);
	struct recipe to = {0};

	for (uint16_t i = 0; i < 64; i++)
		to = world_out_answered(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)));
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_BLOCK_TAKEN], 1);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_CREATED], 0);
	const struct nat_event *e = &last[NAT_EVENT_BLOCK_TAKEN];
	cr_assert_eq(e->key.host, HOST);
	cr_assert_eq(e->external.addr, to.addr);
	cr_assert_eq(e->external.port, to.port / 64 * 64);
	cr_assert_eq(e->last_port, e->external.port + 63);
	world_pass(&w, 500);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_BLOCK_RETURNED], 1);
	cr_assert_eq(nat_group_counters(w.nat, 0)->blocks_allocated, 0);
	cr_assert_eq(nat_group_counters(w.nat, 0)->port_mapping_creations, 64);
	world_close(&w);
}

Test(nat, t_6888_12_mappings_are_told_one_by_one_where_the_policy_asks)
{
	struct world w = world_simple(64);

	w.policy.log_mappings = true;
	nat_set_policy(w.nat, 0, &w.policy);
	struct recipe to = world_out(&w, key_of(HOST, NAT_UDP, 100));
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_CREATED], 1);
	cr_assert_eq(seen[NAT_EVENT_ADDRESS_BOUND], 1);
	const struct nat_event *e = &last[NAT_EVENT_MAPPING_CREATED];
	cr_assert_eq(e->mapping, NAT_IMPLICIT);
	cr_assert_eq(e->key.port, 100);
	cr_assert(recipe_eq(e->external, to));
	cr_assert_eq(e->remote.addr, 0, "no destination (REQ-12)");
	world_pass(&w, 500);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_DELETED], 1);
	cr_assert_eq(seen[NAT_EVENT_ADDRESS_UNBOUND], 1);
	world_close(&w);
}

Test(nat, rfc8158_s5_explicit_mappings_are_told_with_their_lifetime_also_under_pba)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, key_of(HOST, NAT_TCP, 80), 1, 600);

	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_CREATED], 1);
	cr_assert_eq(last[NAT_EVENT_MAPPING_CREATED].mapping, NAT_EXPLICIT);
	cr_assert_eq(last[NAT_EVENT_MAPPING_CREATED].lifetime_s, 600);
	cr_assert(recipe_eq(last[NAT_EVENT_MAPPING_CREATED].external, to));
	world_end(&w, key_of(HOST, NAT_TCP, 80), true);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_DELETED], 1);
	cr_assert(recipe_eq(last[NAT_EVENT_MAPPING_DELETED].external, to));
	world_close(&w);
}

Test(nat, rfc7753_s1_a_set_is_one_record)
{
	struct world w = world_simple(512);
	struct nat_view set = world_set(&w, key_of(HOST, NAT_UDP, 5000), 1, 600, 16);

	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_CREATED], 1);
	const struct nat_event *e = &last[NAT_EVENT_MAPPING_CREATED];
	cr_assert_eq(e->external.port, set.external.port);
	cr_assert_eq(e->last_port, set.external.port + 15);
	world_end(&w, key_of(HOST, NAT_UDP, 5000), true);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_DELETED], 1);
	cr_assert_eq(last[NAT_EVENT_MAPPING_DELETED].external.port, set.external.port);
	cr_assert_eq(last[NAT_EVENT_MAPPING_DELETED].last_port, set.external.port + 15);
	world_close(&w);
}

Test(nat, t_6888_11c_exhaustion_and_quotas_are_told_once_a_second)
{
	struct world w = world_open(&WORLD_LIMITS, 4);

	world_add(&w, POOL_A, 1024, 1027); // one block
	w.policy.block_limit = 1;
	w.policy.port_limit = 2;
	for (uint16_t i = 0; i < 2; i++)
		world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)));
	for (uint16_t i = 0; i < 100; i++)
		cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, (uint16_t)(200 + i))),
			DROP_QUOTA_PORTS);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_QUOTA_PORTS], 1);
	cr_assert_eq(last[NAT_EVENT_QUOTA_PORTS].limit, 2);
	cr_assert_eq(last[NAT_EVENT_QUOTA_PORTS].key.host, HOST);
	cr_assert_eq(nat_counters(w.nat)->refused_port_limit, 100);
	cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_UDP, 100)), DROP_POOL_NO_ADDRESS);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_ADDRESSES_EXHAUSTED], 1);
	cr_assert_eq(nat_group_counters(w.nat, 0)->port_map_limit_drops, 100);
	cr_assert_eq(nat_group_counters(w.nat, 0)->address_map_failure_drops, 1);
	world_leap(&w, 1);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 200)), DROP_QUOTA_PORTS);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_QUOTA_PORTS], 1, "again in the next second");
	world_close(&w);
}

static unsigned tries_told(struct world *w, unsigned hosts)
{
	for (unsigned k = 0; k < 3 * hosts; k++)
		cr_assert_eq(world_try(w, key_of(HOST + k % hosts, NAT_UDP, (uint16_t)(200 + k))),
			DROP_QUOTA_PORTS);
	drain(w);
	return seen[NAT_EVENT_QUOTA_PORTS];
}

Test(nat, t_6888_11c_every_subscriber_is_told_of_once_a_second)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.subscribers = 512;
	struct world w = world_open(&limits, 8);

	world_add(&w, POOL_A, 1024, 65535);
	w.policy.port_limit = 1;
	for (unsigned h = 0; h < 400; h++)
		world_out(&w, key_of(HOST + h, NAT_UDP, 100));
	drain(&w);
	cr_assert_eq(tries_told(&w, 400), 400);
	cr_assert_eq(tries_told(&w, 400), 0);
	world_leap(&w, 1);
	cr_assert_eq(tries_told(&w, 400), 400);
	cr_assert_eq(nat_counters(w.nat)->events_lost, 0);
	world_close(&w);
}

Test(nat, t_6888_11c_a_full_table_is_told_once_a_second_for_its_group)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.subscribers = 4;
	struct world w = world_open(&limits, 8);

	world_add(&w, POOL_A, 1024, 65535);
	for (unsigned h = 0; h < 4; h++)
		world_out(&w, key_of(HOST + h, NAT_UDP, 100));
	for (unsigned h = 4; h < 64; h++)
		cr_assert_eq(world_try(&w, key_of(HOST + h, NAT_UDP, 100)), DROP_SUBSCRIBERS_FULL);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_QUOTA_SUBSCRIBERS], 1);
	cr_assert_eq(last[NAT_EVENT_QUOTA_SUBSCRIBERS].limit, 4);
	cr_assert_eq(nat_group_counters(w.nat, 0)->port_map_failure_drops, 60);
	world_close(&w);
}

Test(nat, a_segment_that_would_make_no_mapping_is_no_failure_of_the_pool)
{
	struct world w = world_simple(64);
	struct recipe to;

	cr_assert_eq(
		world_tcp(&w, key_of(HOST, NAT_TCP, 100), TCP_ACK, 1, &to), DROP_TCP_NO_SESSION);
	cr_assert_eq(nat_group_counters(w.nat, 0)->port_map_failure_drops, 0);
	drain(&w);
	for (unsigned kind = 0; kind < NAT_EVENT_KINDS; kind++)
		cr_assert_eq(seen[kind], 0);
	world_close(&w);
}

Test(nat, rfc7659_a_subscriber_with_many_ports_is_told_once_until_he_has_fewer)
{
	struct world w = world_simple(64);

	w.policy.port_limit = 50;
	w.policy.user_high = 80;
	nat_set_policy(w.nat, 0, &w.policy);
	for (uint16_t i = 0; i < 50; i++)
		world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)));
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_USER_HIGH], 1);
	cr_assert_eq(last[NAT_EVENT_USER_HIGH].limit, 40);
	world_pass(&w, 500);
	for (uint16_t i = 0; i < 45; i++)
		world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(100 + i)));
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_USER_HIGH], 1);
	world_close(&w);
}

Test(nat, rfc7659_explicit_ports_count_for_that_too)
{
	struct world w = world_simple(64);

	w.policy.port_limit = 20;
	w.policy.user_high = 50;
	nat_set_policy(w.nat, 0, &w.policy);
	for (uint16_t i = 0; i < 10; i++)
		world_map(&w, key_of(HOST, NAT_TCP, (uint16_t)(100 + i)), 1, 600);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_USER_HIGH], 1);
	cr_assert_eq(last[NAT_EVENT_USER_HIGH].key.protocol, NAT_TCP);
	world_close(&w);
}

// Created and deleted, of one kind.
static void expect_told(struct world *w, uint8_t kind, unsigned created, unsigned deleted)
{
	struct nat_event e;

	while (nat_event_next(w->nat, &e)) {
		created -= e.kind == NAT_EVENT_MAPPING_CREATED && e.mapping == kind;
		deleted -= e.kind == NAT_EVENT_MAPPING_DELETED && e.mapping == kind;
	}
	cr_assert_eq(created, 0, "%u", created);
	cr_assert_eq(deleted, 0, "%u", deleted);
}

Test(nat, t_17_a_a_mapping_is_told_as_implicit_while_no_lease_hangs_on_it)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	w.policy.log_mappings = true;
	nat_set_policy(w.nat, 0, &w.policy);
	world_out(&w, key);
	expect_told(&w, NAT_IMPLICIT, 1, 0);
	world_map(&w, key, 1, 600);
	expect_told(&w, NAT_IMPLICIT, 0, 1);
	world_out(&w, key);
	world_end(&w, key, true); // adopted: it stays to its traffic
	expect_told(&w, NAT_IMPLICIT, 1, 0);
	world_peer(&w, key, 1, 600, REMOTE);
	expect_told(&w, NAT_IMPLICIT, 0, 1);
	cr_assert(nat_delete(w.nat, &key, w.now_s));
	expect_told(&w, NAT_PEER, 0, 1);
	key.port = 101;
	world_map(&w, key, 1, 600);
	expect_told(&w, NAT_IMPLICIT, 0, 0);
	world_end(&w, key, true);
	expect_told(&w, NAT_IMPLICIT, 0, 0);
	world_close(&w);
}

// Its port is in nobody's block: without a record of its own nothing would say whose it still is.
Test(nat, t_17_a_a_mapping_that_outlives_its_lease_outside_of_blocks_is_told)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_address share = {.ip = POOL_A,
		.port_first = 4096,
		.port_last = 65535,
		.port_set_size = 64,
		.explicit_first = 2000,
		.explicit_last = 2063};
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	w.policy.explicit_first = 2000;
	w.policy.explicit_last = 2063;
	nat_set_policy(w.nat, 0, &w.policy);
	cr_assert_eq(nat_address_add(w.nat, &share), 0);
	struct recipe to = world_map(&w, key, 1, 600);
	cr_assert(to.port >= 2000 && to.port <= 2063);
	expect_told(&w, NAT_IMPLICIT, 0, 0);
	world_out(&w, key);
	world_end(&w, key, false); // its traffic goes on
	expect_told(&w, NAT_IMPLICIT, 1, 0);
	world_map(&w, key, 1, 600);
	expect_told(&w, NAT_IMPLICIT, 0, 1);
	world_out(&w, key);
	world_end(&w, key, false);
	expect_told(&w, NAT_IMPLICIT, 1, 0);
	world_pass(&w, 500);
	expect_told(&w, NAT_IMPLICIT, 0, 1);
	world_close(&w);
}

// ---- pairings --------------------------------------------------------------------------------

static struct world two_addresses(void)
{
	struct world w = world_open(&WORLD_LIMITS, 64);

	world_add(&w, POOL_A, 1024, 65535);
	world_add(&w, POOL_B, 1024, 65535);
	w.policy.log_mappings = true;
	nat_set_policy(w.nat, 0, &w.policy);
	return w;
}

static void expect_pairing(struct world *w, unsigned bound, unsigned unbound)
{
	drain(w);
	cr_assert_eq(seen[NAT_EVENT_ADDRESS_BOUND], bound);
	cr_assert_eq(seen[NAT_EVENT_ADDRESS_UNBOUND], unbound);
}

Test(nat, t_17_a_a_pairing_is_told_from_the_first_port_to_the_last)
{
	struct world w = two_addresses();
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	w.policy.pairing_retention = 5000;
	nat_set_policy(w.nat, 0, &w.policy);
	for (unsigned round = 0; round < 3; round++) {
		struct recipe to = world_out(&w, key);
		expect_pairing(&w, 1, 0);
		cr_assert_eq(last[NAT_EVENT_ADDRESS_BOUND].external.addr, to.addr);
		cr_assert_eq(nat_group_counters(w.nat, 0)->total_active_subscribers, 1);
		world_pass(&w, 400);
		expect_pairing(&w, 0, 1);
		cr_assert_eq(last[NAT_EVENT_ADDRESS_UNBOUND].external.addr, to.addr);
		cr_assert_eq(nat_group_counters(w.nat, 0)->total_active_subscribers, 0);
	}
	world_close(&w);
}

Test(nat, t_17_a_a_pairing_that_changes_is_told_as_two)
{
	struct world w = two_addresses();
	struct nat_key key = key_of(HOST, NAT_UDP, 100);
	struct recipe first = world_map(&w, key, 1, 6000);

	expect_pairing(&w, 1, 0);
	nat_address_remove(w.nat, first.addr);
	world_settle(&w);
	expect_pairing(&w, 1, 1);
	cr_assert_eq(last[NAT_EVENT_ADDRESS_UNBOUND].external.addr, first.addr);
	cr_assert_neq(last[NAT_EVENT_ADDRESS_BOUND].external.addr, first.addr);
	world_pass(&w, 7000);
	expect_pairing(&w, 0, 1);
	world_close(&w);
}

Test(nat, t_17_a_the_pairing_of_static_mappings_is_told)
{
	struct world w = two_addresses();
	struct nat_key key = key_of(HOST, NAT_UDP, 100);

	cr_assert_eq(nat_static_add(w.nat, &key, (struct recipe){POOL_B, 80}, true, w.now_s), 0);
	expect_pairing(&w, 1, 0);
	cr_assert_eq(last[NAT_EVENT_ADDRESS_BOUND].external.addr, POOL_B);
	cr_assert_eq(last[NAT_EVENT_MAPPING_CREATED].mapping, NAT_STATIC);
	cr_assert(nat_delete(w.nat, &key, w.now_s));
	expect_pairing(&w, 0, 1);
	world_close(&w);
}

// ---- sessions --------------------------------------------------------------------------------

static void expect_session(struct world *w, uint8_t kind, const struct flow *f)
{
	drain(w);
	cr_assert_eq(seen[NAT_EVENT_SESSION_CREATED], kind == NAT_EVENT_SESSION_CREATED);
	cr_assert_eq(seen[NAT_EVENT_SESSION_DELETED], kind == NAT_EVENT_SESSION_DELETED);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_CREATED], 0, "sessions alone are asked for");
	cr_assert_eq(seen[NAT_EVENT_MAPPING_DELETED], 0);
	if (kind == NAT_EVENT_NONE)
		return;
	cr_assert(recipe_eq(last[kind].remote, f->remote));
	cr_assert(recipe_eq(last[kind].external, f->to));
	cr_assert_eq(memcmp(&last[kind].key, &f->key, sizeof f->key), 0);
}

Test(nat, rfc8158_s4_6_1_a_session_is_told_when_it_begins_and_when_it_ends)
{
	struct world w = world_simple(64);
	struct flow f = flow_to(&w, 100, REMOTE), g = flow_to(&w, 100, OTHER);

	w.policy.log_sessions = true;
	nat_set_policy(w.nat, 0, &w.policy);
	flow_out(&f, TCP_SYN);
	expect_session(&w, NAT_EVENT_SESSION_CREATED, &f);
	flow_in(&f, TCP_SYN | TCP_ACK);
	flow_out(&f, TCP_ACK);
	flow_out(&f, TCP_RST);
	expect_session(&w, NAT_EVENT_NONE, NULL);
	world_pass(&w, 100);
	flow_out(&g, TCP_SYN);
	expect_session(&w, NAT_EVENT_SESSION_CREATED, &g);
	world_pass(&w, 143);
	expect_session(&w, NAT_EVENT_SESSION_DELETED, &f);
	world_pass(&w, 100);
	expect_session(&w, NAT_EVENT_SESSION_DELETED, &g);
	cr_assert_eq(nat_counters(w.nat)->sessions, 0);
	world_close(&w);
}

// How often each of ten remote ports from 80 on is named, by events of one kind.
static void expect_each_named(struct world *w, uint8_t kind, unsigned times)
{
	unsigned named[10] = {0};
	struct nat_event e;

	while (nat_event_next(w->nat, &e)) {
		if (e.kind != kind)
			continue;
		cr_assert_eq(e.remote.addr, OTHER.addr);
		cr_assert(e.remote.port >= 80 && e.remote.port < 90);
		named[e.remote.port - 80]++;
	}
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(named[i], times, "port %u: %u times", 80 + i, named[i]);
}

// More sessions than end at once with their mapping, of TCP and of UDP under APDF.
static void tell_ten_sessions(uint8_t protocol, bool log)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, protocol, 100);
	struct recipe to;

	w.policy.log_sessions = log;
	w.policy.log_mappings = !log;
	w.policy.filtering[NAT_UDP - 1] = NAT_APDF;
	nat_set_policy(w.nat, 0, &w.policy);
	for (uint16_t i = 0; i < 10; i++)
		world_send(&w, key, TCP_SYN, 0, (struct recipe){OTHER.addr, 80 + i}, &to);
	cr_assert_eq(nat_counters(w.nat)->sessions, 10);
	expect_each_named(&w, NAT_EVENT_SESSION_CREATED, log);
	cr_assert(nat_delete(w.nat, &key, w.now_s));
	world_settle(&w);
	cr_assert_eq(nat_counters(w.nat)->sessions, 0);
	expect_each_named(&w, NAT_EVENT_SESSION_DELETED, log);
	world_close(&w);
}

Test(nat, rfc8158_s4_6_1_sessions_that_end_with_their_mapping_are_told_one_by_one)
{
	tell_ten_sessions(NAT_TCP, true);
	tell_ten_sessions(NAT_UDP, true);
}

Test(nat, rfc8158_s4_6_1_sessions_are_not_told_unless_asked_for)
{
	tell_ten_sessions(NAT_TCP, false);
	tell_ten_sessions(NAT_UDP, false);
}

// ---- the queue -------------------------------------------------------------------------------

Test(nat, t_17_g_no_step_tells_more_than_the_queue_takes)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.subscribers = 4096;
	struct world w = world_open(&limits, 4);
	unsigned deleted = 0;

	world_add(&w, POOL_A, 1024, 65535);
	w.policy.log_mappings = true;
	nat_set_policy(w.nat, 0, &w.policy);
	for (unsigned h = 0; h < 4000; h++) {
		world_out(&w, key_of(HOST + h, NAT_UDP, 100));
		drain(&w);
	}
	world_leap(&w, 500); // all of them are over at once
	for (bool more = true; more;) {
		more = nat_step(w.nat, w.now_s);
		cr_assert_lt(w.nat->event_count, EVENTS / 2);
		drain(&w);
		deleted += seen[NAT_EVENT_MAPPING_DELETED];
	}
	cr_assert_eq(deleted, 4000);
	cr_assert_eq(nat_counters(w.nat)->events_lost, 0);
	world_close(&w);
}

Test(nat, t_17_g_a_full_queue_loses_events_and_counts_them)
{
	struct world w = world_simple(64);

	for (uint32_t i = 0; i < EVENTS + 10; i++)
		*event_new(w.nat) = (struct nat_event){.kind = NAT_EVENT_MAPPING_CREATED};
	cr_assert_eq(nat_counters(w.nat)->events_lost, 10);
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_MAPPING_CREATED], EVENTS);
	world_close(&w);
}

Test(nat, t_17_f_the_interim_tells_every_block_that_is_held)
{
	struct world w = world_simple(64);
	uint32_t cursor = 0;

	for (ip4 host = HOST; host < HOST + 5; host++)
		world_out(&w, key_of(host, NAT_UDP, 100));
	drain(&w);
	while (!nat_events_interim(w.nat, &cursor, 100))
		;
	drain(&w);
	cr_assert_eq(seen[NAT_EVENT_BLOCK_HELD], 5);
	world_close(&w);
}

Test(nat, t_17_f_the_interim_waits_while_the_queue_is_half_full)
{
	struct world w = world_simple(4);
	uint32_t cursor = 0;
	unsigned held = 0;

	w.policy.block_limit = 8;
	for (ip4 host = HOST; host < HOST + 60; host++) {
		for (uint16_t i = 0; i < 32; i++)
			world_out(&w, key_of(host, NAT_UDP, (uint16_t)(100 + i)));
	}
	drain(&w);
	for (uint32_t i = 0; i < EVENTS / 2 - 100; i++)
		*event_new(w.nat) = (struct nat_event){.kind = NAT_EVENT_MAPPING_CREATED};
	cr_assert_not(nat_events_interim(w.nat, &cursor, UINT32_MAX));
	cr_assert_eq(w.nat->event_count, EVENTS / 2);
	for (bool through = false; !through;) {
		drain(&w);
		held += seen[NAT_EVENT_BLOCK_HELD];
		through = nat_events_interim(w.nat, &cursor, 1000);
	}
	drain(&w);
	cr_assert_eq(held + seen[NAT_EVENT_BLOCK_HELD], 480);
	world_close(&w);
}
