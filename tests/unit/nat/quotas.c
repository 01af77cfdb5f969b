// SPDX-License-Identifier: Apache-2.0
// What the NAT log is told when a table, a pool or a subscriber's limit is full (RFC 8158 s.4.6.6,
// s.4.6.7).
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

Test(nat, rfc8158_s4_6_6_a_full_paired_address_is_told_with_its_protocol_once_a_second)
{
	struct world w = world_open(&WORLD_LIMITS, 64);

	world_add(&w, POOL_A, 1024, 1151); // two blocks
	for (uint16_t i = 0; i < 128; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	world_add(&w, POOL_B, 1024, 65535);
	drain(&w);
	for (unsigned second = 0; second < 3; second++) {
		for (uint16_t i = 0; i < 50; i++)
			cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, (uint16_t)(500 + i))),
				DROP_NO_BLOCK);
		drain(&w);
		cr_assert_eq(seen[NAT_EVENT_PORTS_EXHAUSTED], 1);
		const struct nat_event *e = &last[NAT_EVENT_PORTS_EXHAUSTED];
		cr_assert_eq(e->external.addr, POOL_A);
		cr_assert_eq(e->key.protocol, NAT_UDP);
		cr_assert_eq(e->key.host, HOST);
		world_leap(&w, 1);
	}
	cr_assert_eq(nat_group_counters(w.nat, 0)->address_map_failure_drops, 150);
	world_close(&w);
}

static void expect_quota(struct world *w, uint8_t kind, uint32_t limit, ip4 host)
{
	unsigned quotas;

	drain(w);
	quotas = seen[NAT_EVENT_QUOTA_PORTS] + seen[NAT_EVENT_QUOTA_SESSIONS] +
		 seen[NAT_EVENT_QUOTA_SUBSCRIBERS] + seen[NAT_EVENT_QUOTA_MAPPINGS];
	cr_assert_eq(quotas, 1, "%u quotas are told", quotas);
	cr_assert_eq(seen[kind], 1);
	cr_assert_eq(last[kind].limit, limit);
	cr_assert_eq(last[kind].key.host, host);
	cr_assert_eq(last[kind].key.protocol, NAT_UDP);
}

// Sessions are needed under APDF, so that what finds no room is refused.
static struct world world_of(struct nat_limits limits)
{
	struct world w = world_open(&limits, 64);

	world_add(&w, POOL_A, 1024, 65535);
	world_filter(&w, NAT_APDF);
	return w;
}

Test(nat, rfc8158_s4_6_7_1_a_full_session_table_is_told_as_sessions_of_nobody)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.sessions = 4;
	struct world w = world_of(limits);

	for (uint16_t i = 0; i < 4; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	for (unsigned h = 0; h < 30; h++)
		cr_assert_eq(world_try(&w, key_of(HOST + h, NAT_UDP, 100)), DROP_SESSIONS_FULL);
	expect_quota(&w, NAT_EVENT_QUOTA_SESSIONS, 4, 0);
	world_close(&w);
}

Test(nat, rfc8158_s4_6_7_2_a_full_mapping_table_is_told_with_its_size)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.mappings = 100;
	struct world w = world_of(limits);

	for (unsigned i = 0; i < 100; i++)
		world_out(&w, key_of(HOST + i % 4, NAT_UDP, (uint16_t)i));
	for (unsigned h = 0; h < 30; h++)
		cr_assert_eq(world_try(&w, key_of(HOST + h, NAT_UDP, 200)), DROP_TABLE_FULL);
	expect_quota(&w, NAT_EVENT_QUOTA_MAPPINGS, 100, 0);
	world_close(&w);
}

Test(nat, rfc8158_s4_6_7_4_a_full_subscriber_table_is_told_with_its_size)
{
	struct nat_limits limits = WORLD_LIMITS;
	limits.subscribers = 8;
	struct world w = world_of(limits);

	for (unsigned h = 0; h < 8; h++)
		world_out(&w, key_of(HOST + h, NAT_UDP, 100));
	for (unsigned h = 8; h < 38; h++)
		cr_assert_eq(world_try(&w, key_of(HOST + h, NAT_UDP, 100)), DROP_SUBSCRIBERS_FULL);
	expect_quota(&w, NAT_EVENT_QUOTA_SUBSCRIBERS, 8, 0);
	world_close(&w);
}

Test(nat, rfc8158_s4_6_7_3_a_subscriber_at_his_session_limit_is_told_by_name)
{
	struct world w = world_of(WORLD_LIMITS);

	w.policy.session_limit = 3;
	nat_set_policy(w.nat, 0, &w.policy);
	for (uint16_t i = 0; i < 3; i++)
		world_out(&w, key_of(HOST + 1, NAT_UDP, i));
	for (uint16_t i = 0; i < 30; i++)
		cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_UDP, (uint16_t)(100 + i))),
			DROP_QUOTA_SESSIONS);
	world_out(&w, key_of(HOST, NAT_UDP, 1));
	expect_quota(&w, NAT_EVENT_QUOTA_SESSIONS, 3, HOST + 1);
	cr_assert_eq(nat_group_counters(w.nat, 0)->port_map_limit_drops, 30);
	world_close(&w);
}

// A quota is a number of entries; who makes them too fast is counted, not told.
Test(nat, rfc8158_s4_6_7_3_a_rate_is_no_quota)
{
	struct world w = world_of(WORLD_LIMITS);

	w.policy.mapping_rate = w.policy.mapping_burst = 2;
	nat_set_policy(w.nat, 0, &w.policy);
	for (uint16_t i = 0; i < 2; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	drain(&w);
	for (uint16_t i = 2; i < 30; i++)
		cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, i)), DROP_QUOTA_RATE);
	drain(&w);
	for (unsigned kind = 0; kind < NAT_EVENT_KINDS; kind++)
		cr_assert_eq(seen[kind], 0);
	cr_assert_eq(nat_counters(w.nat)->refused_mapping_rate, 28);
	cr_assert_eq(nat_group_counters(w.nat, 0)->port_map_limit_drops, 28);
	world_close(&w);
}
