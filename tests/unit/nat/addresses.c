// SPDX-License-Identifier: Apache-2.0
#include "tables.h"
#include "world.h"

#include <errno.h>

Test(nat, t_6887_11_3_udp_5350_and_5351_are_never_given)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	unsigned made = 0;

	world_add(&w, POOL_A, 5312, 5375); // one block around them
	while (world_try(&w, key_of(HOST, NAT_UDP, (uint16_t)made)) == DROP_NONE)
		made++;
	cr_assert_eq(made, 62);
	cr_assert_not(world_in(&w, NAT_UDP, (struct recipe){POOL_A, 5350}));
	cr_assert_not(world_in(&w, NAT_UDP, (struct recipe){POOL_A, 5351}));
	for (made = 0; world_try(&w, key_of(HOST, NAT_TCP, (uint16_t)made)) == DROP_NONE;)
		made++;
	cr_assert_eq(made, 64, "TCP has no such ports");
	world_close(&w);
}

Test(nat, only_blocks_that_lie_wholly_in_the_range_are_given)
{
	struct world w = world_open(&WORLD_LIMITS, 64);

	w.policy.block_limit = 100;
	world_add(&w, POOL_A, 1030, 1300); // 1088..1279 in three blocks
	for (unsigned i = 0; i < 3 * 64; i++) {
		struct recipe to = world_out(&w, key_of(HOST, NAT_TCP, (uint16_t)i));
		cr_assert(to.port >= 1088 && to.port <= 1279, "%u", to.port);
	}
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_TCP, 999)), DROP_NO_BLOCK);
	cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_TCP, 999)), DROP_POOL_NO_ADDRESS);
	world_close(&w);
}

Test(nat, an_address_without_dynamic_ports_serves_statics_only)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_key key = key_of(HOST, NAT_TCP, 80);

	world_add(&w, POOL_A, 1, 0);
	cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_UDP, 1)), DROP_POOL_NO_ADDRESS);
	cr_assert_eq(nat_static_add(w.nat, &key, (struct recipe){POOL_A, 80}, false, w.now_s), 0);
	cr_assert(world_in(&w, NAT_TCP, (struct recipe){POOL_A, 80}));
	world_close(&w);
}

Test(nat, addresses_are_added_once_and_up_to_the_limit)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_address a = {
		.port_first = 1024, .port_last = 65535, .port_set_size = w.port_set_size};

	for (uint32_t i = 0; i < 4; i++) {
		a.ip = POOL_A + i * 77;
		cr_assert_not(nat_address_known(w.nat, a.ip));
		cr_assert_eq(nat_address_add(w.nat, &a), 0);
		cr_assert_eq(nat_address_add(w.nat, &a), -EEXIST);
		cr_assert(nat_address_known(w.nat, a.ip));
	}
	a.ip = POOL_A + 1000;
	cr_assert_eq(nat_address_add(w.nat, &a), -ENOSPC);
	cr_assert_eq(nat_counters(w.nat)->addresses, 4);
	world_close(&w);
}

// A place that an address left is as good as new for the next one.
Test(nat, t_6888_3_addresses_come_and_go_in_any_number_and_order)
{
	struct world w = world_open(&WORLD_LIMITS, 64);

	for (uint32_t i = 0; i < 50; i++) {
		ip4 ip = POOL_A + (i * 7919 & 0xffff);
		world_add(&w, ip, (uint16_t)(1024 + i * 100), 65535);
		struct recipe to = world_out(&w, key_of(HOST + i, NAT_UDP, 1));
		cr_assert_eq(to.addr, ip);
		nat_address_remove(w.nat, ip);
		cr_assert(nat_address_known(w.nat, ip), "it drains first");
		world_settle(&w);
		cr_assert_not(nat_address_known(w.nat, ip));
		world_recount(&w);
	}
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_close(&w);
}

Test(nat, an_address_that_comes_back_while_it_drains_serves_again)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct nat_address other = {
		.ip = POOL_A, .port_first = 2048, .port_last = 65535, .port_set_size = 64};
	struct recipe to;

	world_add(&w, POOL_A, 1024, 65535);
	to = world_out(&w, key);
	nat_address_remove(w.nat, POOL_A);
	nat_address_remove(w.nat, POOL_A);
	cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_UDP, 1)), DROP_POOL_NO_ADDRESS);
	cr_assert_eq(nat_address_add(w.nat, &other), -EEXIST, "not with another range");
	world_add(&w, POOL_A, 1024, 65535);
	world_settle(&w);
	cr_assert(recipe_eq(to, world_out(&w, key)));
	cr_assert_eq(world_out(&w, key_of(HOST + 1, NAT_UDP, 1)).addr, POOL_A);
	world_close(&w);
}

Test(nat, newcomers_go_round_the_addresses_of_their_group)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	unsigned count[3] = {0};

	for (uint32_t i = 0; i < 3; i++)
		world_add(&w, POOL_A + i, 1024, 65535);
	for (uint32_t i = 0; i < 30; i++)
		count[world_out(&w, key_of(HOST + i, NAT_UDP, 1)).addr - POOL_A]++;
	cr_assert(count[0] == 10 && count[1] == 10 && count[2] == 10);
	world_close(&w);
}

Test(nat, groups_never_share_addresses)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_address a = {.ip = POOL_B,
		.group = 7,
		.port_first = 1024,
		.port_last = 65535,
		.port_set_size = 64};
	struct nat_out p = {.key = key_of(HOST + 1, NAT_UDP, 1)};

	world_add(&w, POOL_A, 1024, 65535);
	cr_assert_eq(nat_create(w.nat, &w.policy, 7, &p, w.now_s), DROP_POOL_NO_ADDRESS);
	cr_assert_eq(nat_address_add(w.nat, &a), 0);
	cr_assert_eq(nat_create(w.nat, &w.policy, 7, &p, w.now_s), DROP_NONE);
	cr_assert_eq(p.to.addr, POOL_B);
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_UDP, 1)).addr, POOL_A);
	world_close(&w);
}

// ---- what is opened, and what is found -------------------------------------------------------

static bool is_open(const struct nat *n, uint8_t protocol, uint32_t address, uint32_t port)
{
	return (used_words(n, protocol, address)[port / 64] >> port % 64 & 1) == 0;
}

// Words of ports are opened at once, by the ranges; port_is_reserved() tells of each port.
Test(nat, exactly_the_ports_that_are_not_reserved_are_open)
{
	static const struct nat_address cases[] = {
		{.port_first = 1024, .port_last = 65535},
		{.port_first = 1, .port_last = 0},
		{.port_first = 5351, .port_last = 5351},
		{.port_first = 1087, .port_last = 1088, .explicit_first = 1, .explicit_last = 63},
		{.port_first = 4096,
			.port_last = 8191,
			.explicit_first = 5344,
			.explicit_last = 6001},
		{.port_first = 64,
			.port_last = 127,
			.explicit_first = 65472,
			.explicit_last = 65535},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w = world_open(&WORLD_LIMITS, 64);
		struct nat_address a = cases[i];

		a.ip = POOL_A;
		a.port_set_size = 64;
		cr_assert_eq(nat_address_add(w.nat, &a), 0);
		uint32_t at = address_find(w.nat, POOL_A);
		for (uint32_t p = 0; p < 3 << 16; p++) {
			uint8_t protocol = (uint8_t)(NAT_UDP + (p >> 16));

			cr_assert_neq(is_open(w.nat, protocol, at, p & 0xffff),
				port_is_reserved(&w.nat->addresses[at], protocol, (uint16_t)p),
				"case %u, protocol %u, port %u", i, protocol, p & 0xffff);
		}
		world_close(&w);
	}
}

enum {
	CROWD = 64
};

// They begin at few places, so that most are found past others, also where the index ends.
static ip4 of_crowd(const struct nat *n, uint32_t i)
{
	ip4 ip = 0;

	for (uint32_t seen = 0; seen <= i; ip++) {
		uint32_t place = place_of(n, ip + 1);

		seen += place < 2 || place + 2 >= UINT32_C(1) << (32 - n->place_shift);
	}
	return ip;
}

Test(nat, an_address_that_leaves_hides_no_other)
{
	struct nat_limits limits = WORLD_LIMITS;
	bool there[CROWD] = {false};
	ip4 crowd[CROWD];

	limits.addresses = CROWD;
	struct world w = world_open(&limits, 64);
	for (uint32_t i = 0; i < CROWD; i++)
		crowd[i] = of_crowd(w.nat, i);
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t i = round * 2654435761u >> 26;

		if (there[i]) {
			nat_address_remove(w.nat, crowd[i]);
			world_settle(&w);
		} else {
			world_add(&w, crowd[i], 1024, 1151);
		}
		there[i] = !there[i];
		for (uint32_t k = 0; k < CROWD; k++)
			cr_assert_eq(nat_address_known(w.nat, crowd[k]), there[k],
				"round %u, address %u", round, k);
	}
	world_close(&w);
}
