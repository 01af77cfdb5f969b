// SPDX-License-Identifier: Apache-2.0
// Deterministic NAT (RFC 7422).
#include "world.h"

static const struct prefix4 WHOLE[] = {{0x64400000, 16}}; // 65536 hosts
static ip4 external[64];

// 65536 hosts on 64 addresses: 1024 hosts an address, 56 ports a host, and an overflow part.
static struct nat_plan slash_16(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(external); i++)
		external[i] = POOL_A + i;
	return (struct nat_plan){.inside = WHOLE,
		.n_inside = 1,
		.n_hosts = 65536,
		.external = external,
		.n_external = ARRAY_SIZE(external),
		.hosts_per_address = 1024,
		.port_first = 1024,
		.port_last = 65535,
		.ports_per_host = 56,
		.port_set_size = 8};
}

Test(nat, t_7422_a_forward_and_reverse_are_inverses_over_a_whole_slash_16)
{
	struct nat_plan plan = slash_16();

	for (uint32_t i = 0; i < 65536; i++) {
		struct nat_share share;
		ip4 host = 0;

		cr_assert(nat_plan_forward(&plan, 0x64400000 + i, &share));
		cr_assert_eq(share.last - share.first + 1, 56);
		uint32_t right = 0; // an assertion a port would take a minute
		for (uint32_t port = share.first; port <= share.last; port++) {
			right += nat_plan_reverse(&plan, share.address, (uint16_t)port, &host) ==
					 NAT_PLAN_HOST &&
				 host == 0x64400000 + i;
		}
		cr_assert_eq(right, 56);
	}
}

Test(nat, t_7422_a_every_port_of_the_pool_has_at_most_one_host)
{
	struct nat_plan plan = slash_16();
	uint32_t hosts = 0, overflow = 0, nobody = 0;

	for (uint32_t a = 0; a < plan.n_external; a++) {
		for (uint32_t port = 0; port < 65536; port++) {
			struct nat_share share;
			ip4 host;
			enum nat_plan_place place =
				nat_plan_reverse(&plan, external[a], (uint16_t)port, &host);

			overflow += place == NAT_PLAN_OVERFLOW;
			nobody += place == NAT_PLAN_NONE;
			hosts += place == NAT_PLAN_HOST && nat_plan_forward(&plan, host, &share) &&
				 share.address == external[a] && share.first <= port &&
				 port <= share.last;
		}
	}
	cr_assert_eq(hosts, 65536 * 56);
	cr_assert_eq(overflow, 64 * (64512 - 1024 * 56));
	cr_assert_eq(nobody, 64 * 1024);
}

Test(nat, t_7422_a_strangers_are_in_no_plan)
{
	struct nat_plan plan = slash_16();
	struct nat_share share;
	ip4 host;

	cr_assert_not(nat_plan_forward(&plan, 0x64410000, &share));
	cr_assert_not(nat_plan_forward(&plan, 0x643fffff, &share));
	cr_assert_eq(nat_plan_reverse(&plan, POOL_A - 1, 5000, &host), NAT_PLAN_NONE);
	cr_assert_eq(nat_plan_reverse(&plan, POOL_A, 1023, &host), NAT_PLAN_NONE);
}

Test(nat, t_7422_a_several_prefixes_are_counted_through)
{
	static const struct prefix4 two[] = {{0x0a000000, 30}, {0xc0a80000, 30}};
	struct nat_plan plan = slash_16();
	struct nat_share share;
	ip4 host;

	plan.inside = two;
	plan.n_inside = 2;
	plan.n_hosts = 8;
	plan.hosts_per_address = 5;
	cr_assert(nat_plan_forward(&plan, 0xc0a80001, &share)); // host number 5
	cr_assert_eq(share.address, external[1]);
	cr_assert_eq(share.first, 1024);
	cr_assert_eq(nat_plan_reverse(&plan, external[1], 1024 + 56 * 2, &host), NAT_PLAN_HOST);
	cr_assert_eq(host, 0xc0a80003);
	// The last address has room for two hosts more than there are.
	cr_assert_eq(nat_plan_reverse(&plan, external[1], 1024 + 56 * 3, &host), NAT_PLAN_NONE);
}

// ---- allocation ------------------------------------------------------------------------------

static const struct prefix4 FOUR[] = {{0x64400000, 30}};
static const ip4 ONE_ADDRESS[] = {POOL_A};

// Four hosts with 64 ports each on one address, in blocks of 16; 256 ports of overflow.
static struct world planned_world(struct nat_plan *plan)
{
	struct world w = world_open(&WORLD_LIMITS, 16);

	*plan = (struct nat_plan){.inside = FOUR,
		.n_inside = 1,
		.n_hosts = 4,
		.external = ONE_ADDRESS,
		.n_external = 1,
		.hosts_per_address = 4,
		.port_first = 2048,
		.port_last = 2048 + 4 * 64 + 255,
		.ports_per_host = 64,
		.port_set_size = 16};
	w.policy.plan = plan;
	w.policy.block_limit = 2;
	nat_set_policy(w.nat, 0, &w.policy);
	struct nat_address a = {.ip = POOL_A,
		.port_first = 2048 + 4 * 64,
		.port_last = 2048 + 4 * 64 + 255,
		.port_set_size = 16,
		.planned = true};
	cr_assert_eq(nat_address_add(w.nat, &a), 0);
	return w;
}

static void drain_events(struct world *w, unsigned seen[NAT_EVENT_KINDS])
{
	struct nat_event e;

	while (nat_event_next(w->nat, &e))
		seen[e.kind]++;
}

Test(nat, t_7422_b_a_host_in_his_own_ports_makes_no_log_record)
{
	unsigned seen[NAT_EVENT_KINDS] = {0};
	struct nat_plan plan;
	struct world w = planned_world(&plan);

	for (uint16_t i = 0; i < 64; i++) {
		struct recipe to = world_out(&w, key_of(0x64400002, NAT_UDP, (uint16_t)(100 + i)));
		ip4 host = 0;

		cr_assert_eq(nat_plan_reverse(&plan, to.addr, to.port, &host), NAT_PLAN_HOST);
		cr_assert_eq(host, 0x64400002, "port %u is another's", to.port);
	}
	drain_events(&w, seen);
	cr_assert_eq(seen[NAT_EVENT_BLOCK_TAKEN], 0);
	world_close(&w);
}

Test(nat, t_7422_b_overflow_blocks_are_logged_as_blocks)
{
	unsigned seen[NAT_EVENT_KINDS] = {0};
	struct nat_plan plan;
	struct world w = planned_world(&plan);
	ip4 host;

	for (uint16_t i = 0; i < 64 + 32; i++)
		world_out(&w, key_of(0x64400001, NAT_UDP, (uint16_t)(100 + i)));
	struct recipe last;
	struct nat_key key = key_of(0x64400001, NAT_UDP, 195);
	cr_assert(nat_peek_out(w.nat, &key, &last));
	cr_assert_eq(nat_plan_reverse(&plan, last.addr, last.port, &host), NAT_PLAN_OVERFLOW);
	cr_assert_eq(world_try(&w, key_of(0x64400001, NAT_UDP, 999)), DROP_QUOTA_BLOCKS,
		"two blocks beside his own are his limit");
	drain_events(&w, seen);
	cr_assert_eq(seen[NAT_EVENT_BLOCK_TAKEN], 2);
	// Whatever he does, his neighbours have their own.
	for (uint16_t i = 0; i < 64; i++)
		world_out(&w, key_of(0x64400003, NAT_TCP, (uint16_t)(100 + i)));
	world_close(&w);
}

Test(nat, t_7422_d_ports_inside_the_own_part_are_not_ascending)
{
	struct nat_plan plan;
	struct world w = planned_world(&plan);
	unsigned ascending = 0;
	uint16_t before = 0;

	for (uint16_t i = 0; i < 64; i++) {
		struct recipe to = world_out(&w, key_of(0x64400000, NAT_UDP, (uint16_t)(100 + i)));
		ascending += to.port == before + 1;
		before = to.port;
	}
	cr_assert_lt(ascending, 32);
	world_close(&w);
}

Test(nat, t_7422_a_suggested_ports_of_others_are_not_given)
{
	struct nat_plan plan;
	struct world w = planned_world(&plan);
	struct nat_wish wish = wish_of(key_of(0x64400000, NAT_UDP, 80), 1, 600);
	struct nat_view view;

	wish.suggested = (struct recipe){POOL_A, 2048 + 64 + 3}; // of the second host
	wish.exact = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	wish.suggested.port = 2048 + 3;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.external.port, 2048 + 3);
	world_close(&w);
}

Test(nat, t_7422_a_a_suggested_address_gives_a_port_of_ones_own)
{
	struct nat_plan plan;
	struct world w = planned_world(&plan);
	struct nat_wish wish = wish_of(key_of(0x64400002, NAT_UDP, 80), 1, 600);
	struct nat_view view;
	ip4 host = 0;

	wish.suggested.addr = POOL_A;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(nat_plan_reverse(&plan, POOL_A, view.external.port, &host), NAT_PLAN_HOST);
	cr_assert_eq(host, 0x64400002);
	world_close(&w);
}

Test(nat, t_7422_b_own_blocks_are_not_of_the_pool_and_not_in_the_interim)
{
	unsigned seen[NAT_EVENT_KINDS] = {0};
	struct nat_plan plan;
	struct world w = planned_world(&plan);
	uint32_t cursor = 0;

	for (uint16_t i = 0; i < 64 + 16; i++)
		world_out(&w, key_of(0x64400001, NAT_UDP, (uint16_t)(100 + i)));
	cr_assert_eq(nat_counters(w.nat)->blocks, 5);
	cr_assert_eq(nat_group_counters(w.nat, 0)->blocks_allocated, 1);
	cr_assert_eq(nat_group_counters(w.nat, 0)->blocks_total, 16);
	while (!nat_events_interim(w.nat, &cursor, 100))
		;
	drain_events(&w, seen);
	cr_assert_eq(seen[NAT_EVENT_BLOCK_HELD], 1);
	world_pass(&w, 500);
	drain_events(&w, seen);
	cr_assert_eq(seen[NAT_EVENT_BLOCK_RETURNED], 1);
	cr_assert_eq(nat_group_counters(w.nat, 0)->blocks_allocated, 0);
	world_close(&w);
}

// The last host's ports end with port 65535, and this shard has no overflow part.
Test(nat, t_7422_a_hosts_may_have_all_ports_to_the_last)
{
	struct world w = world_open(&WORLD_LIMITS, 16);
	struct nat_plan plan = {.inside = FOUR,
		.n_inside = 1,
		.n_hosts = 4,
		.external = ONE_ADDRESS,
		.n_external = 1,
		.hosts_per_address = 4,
		.port_first = 65536 - 4 * 32,
		.port_last = 65535,
		.ports_per_host = 32,
		.port_set_size = 16};
	struct nat_address a = {.ip = POOL_A,
		.port_first = 65535,
		.port_last = 65534,
		.port_set_size = 16,
		.planned = true};

	w.policy.plan = &plan;
	nat_set_policy(w.nat, 0, &w.policy);
	cr_assert_eq(nat_address_add(w.nat, &a), 0);
	for (uint16_t i = 0; i < 32; i++)
		world_out(&w, key_of(0x64400003, NAT_UDP, (uint16_t)(100 + i)));
	cr_assert_eq(world_try(&w, key_of(0x64400003, NAT_UDP, 999)), DROP_NO_BLOCK);
	world_close(&w);
}

Test(nat, t_7422_a_neighbours_blocks_are_not_to_be_had)
{
	struct nat_plan plan;
	struct world w = planned_world(&plan);

	for (ip4 host = 0x64400000; host < 0x64400004; host++) {
		for (uint16_t i = 0; i < 96; i++)
			world_out(&w, key_of(host, NAT_UDP, (uint16_t)(100 + i)));
		cr_assert_eq(world_try(&w, key_of(host, NAT_UDP, 999)), DROP_QUOTA_BLOCKS);
	}
	cr_assert_eq(nat_counters(w.nat)->blocks, 4 * 6);
	world_close(&w);
}

// What a program without the daemon prints from the plan answers for every port.
Test(nat, t_7422_e_the_plan_alone_is_a_table_of_all_ports)
{
	struct nat_plan plan = slash_16();
	uint32_t right = 0;

	for (uint32_t a = 0; a < plan.n_external; a++) {
		for (uint32_t j = 0; j < plan.hosts_per_address; j++) {
			uint16_t port = (uint16_t)(plan.port_first + j * plan.ports_per_host);
			ip4 host;

			right += nat_plan_reverse(&plan, external[a], port, &host) ==
					 NAT_PLAN_HOST &&
				 host == 0x64400000 + a * plan.hosts_per_address + j;
		}
	}
	cr_assert_eq(right, 65536);
}

Test(nat, t_7422_2_2_no_more_blocks_are_held_than_the_pool_has)
{
	const struct nat_group_counters *c;
	struct nat_plan plan;
	struct world w = planned_world(&plan);

	w.policy.block_limit = 4;
	nat_set_policy(w.nat, 0, &w.policy);
	c = nat_group_counters(w.nat, 0);
	for (uint16_t i = 0; i < 64 + 4 * 16; i++) {
		for (ip4 host = 0x64400000; host < 0x64400004; host++) {
			world_out(&w, key_of(host, NAT_UDP, (uint16_t)(100 + i)));
			cr_assert_leq(c->blocks_allocated, c->blocks_total);
		}
		cr_assert(i >= 64 || c->blocks_allocated == 0, "their own do not count");
	}
	cr_assert_eq(nat_counters(w.nat)->blocks, 4 * 8);
	cr_assert_eq(c->blocks_allocated, 16, "the overflow, and all of it");
	cr_assert_eq(c->blocks_total, 16);
	world_close(&w);
}

Test(nat, t_7422_2_identifiers_of_icmp_lie_in_the_hosts_own_ports)
{
	struct nat_plan plan;
	struct world w = planned_world(&plan);
	uint8_t given[64] = {0};

	for (uint16_t i = 0; i < 64; i++) {
		struct recipe to = world_out(&w, key_of(0x64400002, NAT_ICMP, (uint16_t)(100 + i)));
		ip4 host = 0;

		cr_assert_eq(nat_plan_reverse(&plan, to.addr, to.port, &host), NAT_PLAN_HOST);
		cr_assert_eq(host, 0x64400002, "identifier %u is another's", to.port);
		cr_assert_eq(given[to.port % 64]++, 0, "identifier %u given twice", to.port);
	}
	world_close(&w);
}
