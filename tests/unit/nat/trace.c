// SPDX-License-Identifier: Apache-2.0
// Who has, or last had, an external port.
#include "world.h"

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

Test(nat, t_17_a_a_set_that_finds_no_room_leaves_no_trace)
{
	struct world w = world_open(&WORLD_LIMITS, 16);
	struct nat_tenancy t;

	world_add(&w, POOL_A, 1024, 1039); // one block
	struct recipe first = world_out_answered(&w, key_of(HOST, NAT_UDP, 100));
	world_pass(&w, 600);
	// Static mappings leave no two ports together: the block is looked at, and not taken.
	for (uint16_t i = 0; i < 16; i += 2) {
		struct nat_key key = key_of(HOST + 9, NAT_UDP, i);
		cr_assert_eq(nat_static_add(w.nat, &key,
				     (struct recipe){POOL_A, (uint16_t)(1024 + i)}, false, w.now_s),
			0);
	}
	struct nat_view set = world_set(&w, key_of(HOST + 1, NAT_TCP, 5000), 1, 600, 2);
	world_end(&w, set.key, true);
	world_pass(&w, 300);
	uint64_t taken = nat_counters(w.nat)->blocks_taken;
	struct nat_wish wish = wish_of(key_of(HOST + 2, NAT_UDP, 5000), 1, 600);
	struct nat_view view;
	wish.n_ports = 2;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.n_ports, 1);
	cr_assert(nat_trace(w.nat, NAT_UDP, first, w.now_s, &t));
	cr_assert_eq(t.host, HOST + 2);
	cr_assert_eq(t.host_before, HOST + 1);
	cr_assert_eq(nat_counters(w.nat)->blocks_taken, taken + 1);
	world_close(&w);
}

Test(nat, t_17_a_a_new_address_has_no_past_of_another)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_tenancy t;

	world_add(&w, POOL_A, 1024, 1087);
	struct recipe to = world_out_answered(&w, key_of(HOST, NAT_UDP, 100));
	nat_address_remove(w.nat, POOL_A);
	world_pass(&w, 200);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	world_add(&w, POOL_B, 1024, 1087); // in its place
	to.addr = POOL_B;
	cr_assert(nat_trace(w.nat, NAT_UDP, to, w.now_s, &t));
	cr_assert(!t.held && !t.held_before);
	world_close(&w);
}

Test(nat, t_17_a_ports_of_other_shards_are_not_traced)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_tenancy t;

	world_add(&w, POOL_A, 1024, 2047);
	cr_assert(nat_trace(w.nat, NAT_UDP, (struct recipe){POOL_A, 2047}, w.now_s, &t));
	cr_assert_not(nat_trace(w.nat, NAT_UDP, (struct recipe){POOL_A, 2048}, w.now_s, &t));
	struct nat_key key = key_of(HOST, NAT_UDP, 100);
	cr_assert_eq(nat_static_add(w.nat, &key, (struct recipe){POOL_A, 80}, false, w.now_s), 0);
	cr_assert(nat_trace(w.nat, NAT_UDP, (struct recipe){POOL_A, 80}, w.now_s, &t));
	cr_assert(t.mapped && t.mapping.key.host == HOST);
	world_close(&w);
}
