// SPDX-License-Identifier: Apache-2.0
// What the NAT log is told (RFC 8158), and what the operator can trace from live state.
#include "world.h"

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

Test(nat, rfc7659_a_subscriber_with_many_ports_is_told_once_until_he_has_fewer)
{
	struct world w = world_simple(64);

	w.policy.port_limit = 50;
	w.policy.user_high = 80;
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

Test(nat, t_17_g_a_full_queue_loses_events_and_counts_them)
{
	struct world w = world_simple(64);

	w.policy.log_mappings = true;
	nat_set_policy(w.nat, 0, &w.policy);
	for (uint32_t i = 0; i < EVENTS + 10; i++)
		event_mapping(w.nat, NAT_EVENT_MAPPING_CREATED, &(struct nat_key){0}, 0);
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

// ---- trace -----------------------------------------------------------------------------------

Test(nat, t_17_a_a_port_is_traced_to_its_holder_and_to_the_one_before)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_tenancy t;

	world_add(&w, POOL_A, 1024, 1087); // one block for everybody
	struct recipe to = world_out_answered(&w, key_of(HOST, NAT_UDP, 100));
	cr_assert(nat_trace(w.nat, NAT_UDP, to, w.now_s, &t));
	cr_assert(t.mapped && t.held && !t.held_before);
	cr_assert_eq(t.mapping.key.host, HOST);
	cr_assert_eq(t.host, HOST);
	cr_assert_eq(t.since_s, 1000);
	cr_assert(t.first == 1024 && t.last == 1087);
	world_pass(&w, 600);
	cr_assert(nat_trace(w.nat, NAT_UDP, to, w.now_s, &t));
	cr_assert(!t.mapped && !t.held && t.held_before);
	cr_assert_eq(t.host_before, HOST);
	cr_assert_eq(t.since_before_s, 1000);
	world_out(&w, key_of(HOST + 1, NAT_UDP, 100));
	cr_assert(nat_trace(w.nat, NAT_UDP, to, w.now_s, &t));
	cr_assert_eq(t.host, HOST + 1);
	cr_assert_eq(t.host_before, HOST);
	cr_assert_not(nat_trace(w.nat, NAT_UDP, (struct recipe){POOL_B, 1024}, w.now_s, &t));
	world_close(&w);
}
