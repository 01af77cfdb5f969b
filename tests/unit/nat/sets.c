// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const struct nat_key KEY = {HOST, 50000, 1, NAT_UDP};

static struct nat_key port_at(uint16_t i)
{
	return key_of(HOST, NAT_UDP, (uint16_t)(KEY.port + i));
}

Test(nat, rfc7753_s4_a_set_pairs_consecutive_ports_in_order)
{
	struct world w = world_simple(256);
	struct nat_view view;

	w.policy.lease_limit = 100;
	view = world_set(&w, KEY, 1, 600, 100);
	cr_assert_eq(view.n_ports, 100);
	cr_assert_eq(view.kind, NAT_EXPLICIT);
	cr_assert_eq(view.external.port / 256, (view.external.port + 99) / 256, "in one block");
	for (uint16_t i = 0; i < 100; i++) {
		struct recipe at = {POOL_A, (uint16_t)(view.external.port + i)};
		struct nat_key key = port_at(i), to;

		cr_assert(recipe_eq(world_out(&w, key), at));
		cr_assert(nat_peek_in(w.nat, NAT_UDP, at, &to) && key_word(&to) == key_word(&key));
		cr_assert(world_in(&w, NAT_UDP, at));
	}
	cr_assert_eq(nat_counters(w.nat)->leases, 1);
	cr_assert_eq(nat_counters(w.nat)->explicit_created, 1);
	cr_assert_eq(world_subscriber(&w, HOST).n_leases, 100);
	cr_assert_eq(world_subscriber(&w, HOST).n_ports[0], 100);
	world_close(&w);
}

Test(nat, rfc7753_s4_4_every_port_of_a_set_shows_the_set)
{
	struct world w = world_simple(256);
	struct nat_view made = world_set(&w, KEY, 1, 600, 30);

	for (uint16_t i = 0; i < 30; i++) {
		struct nat_view view = world_look(&w, port_at(i));
		cr_assert_eq(key_word(&view.key), key_word(&KEY));
		cr_assert(view.n_ports == 30 && recipe_eq(view.external, made.external));
		cr_assert(view.lease_left_s == 600 && view.nonce[0] == 1);
	}
	cr_assert_eq(world_look(&w, port_at(30)).kind, NAT_ABSENT);
	world_close(&w);
}

Test(nat, rfc7753_s4_4_1_a_set_is_renewed_as_it_is_from_any_of_its_ports)
{
	struct world w = world_simple(256);
	struct nat_view made = world_set(&w, KEY, 1, 600, 30), view;

	world_leap(&w, 100);
	view = world_set(&w, port_at(7), 1, 900, 200);
	cr_assert_eq(key_word(&view.key), key_word(&KEY));
	cr_assert(view.n_ports == 30 && recipe_eq(view.external, made.external));
	cr_assert_eq(view.lease_left_s, 900);
	world_map(&w, KEY, 1, 1200); // a request without the option, too
	cr_assert_eq(world_look(&w, port_at(29)).lease_left_s, 1200);
	cr_assert_eq(nat_counters(w.nat)->mappings, 30);
	cr_assert_eq(nat_counters(w.nat)->explicit_renewed, 2);
	world_close(&w);
}

Test(nat, rfc7753_s4_2_fewer_ports_are_granted_when_there_are_not_so_many)
{
	struct world w = world_simple(64);

	cr_assert_eq(world_set(&w, KEY, 1, 600, 100).n_ports, 64, "a block's worth");
	w.policy.lease_limit = 64 + 5;
	cr_assert_eq(world_set(&w, key_of(HOST, NAT_UDP, 1), 1, 600, 100).n_ports, 5);
	w.policy.lease_limit = 1000;
	w.policy.port_limit = 64 + 5 + 7;
	cr_assert_eq(world_set(&w, key_of(HOST, NAT_UDP, 1000), 1, 600, 100).n_ports, 7);
	w.policy.port_limit = 0;
	cr_assert_eq(world_set(&w, key_of(HOST, NAT_UDP, 65530), 1, 600, 100).n_ports, 6);
	cr_assert_eq(nat_counters(w.nat)->leases, 4);
	world_close(&w);
}

Test(nat, rfc7753_s4_2_a_set_ends_before_an_internal_port_that_has_a_mapping)
{
	struct world w = world_simple(64);
	struct recipe to = world_out(&w, port_at(10));
	struct nat_view view = world_set(&w, KEY, 1, 600, 30);

	cr_assert_eq(view.n_ports, 10);
	cr_assert(recipe_eq(world_look(&w, port_at(10)).external, to));
	view = world_set(&w, port_at(10), 1, 600, 30);
	cr_assert(view.n_ports == 1 && recipe_eq(view.external, to), "that one alone");
	cr_assert_eq(world_look(&w, port_at(11)).kind, NAT_ABSENT);
	world_close(&w);
}

Test(nat, rfc7753_s4_2_one_port_is_granted_where_there_is_only_one)
{
	struct world w = world_open(&WORLD_LIMITS, 4);
	struct nat_view view;

	world_add(&w, POOL_A, 2000, 2003);
	for (uint16_t i = 0; i < 4; i++) // all ports of the only block, and then every other free
		world_map(&w, key_of(HOST, NAT_UDP, i), 1, 600);
	for (uint16_t i = 0; i < 4; i++) {
		struct nat_key key = key_of(HOST, NAT_UDP, i);
		if (world_look(&w, key).external.port % 2 == 0)
			nat_delete(w.nat, &key, w.now_s);
	}
	view = world_set(&w, KEY, 1, 600, 4);
	cr_assert_eq(view.n_ports, 1);
	cr_assert_eq(nat_counters(w.nat)->leases, 3);
	world_close(&w);
}

Test(nat, rfc7753_s4_2_parity_is_kept_on_demand)
{
	struct world w = world_simple(64);

	w.policy.lease_limit = 1000;
	for (uint16_t i = 0; i < 40; i++) {
		struct nat_wish wish =
			wish_of(key_of(HOST, NAT_UDP, (uint16_t)(1000 + i * 11)), 1, 600);
		struct nat_view view;

		wish.n_ports = (uint16_t)(2 + i % 5);
		wish.parity = true;
		cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
		cr_assert_eq(view.n_ports, wish.n_ports);
		cr_assert_eq(view.external.port % 2, wish.key.port % 2);
	}
	world_close(&w);
}

Test(nat, rfc6887_s11_3_udp_5350_and_5351_are_never_inside_a_set)
{
	struct world w = world_open(&WORLD_LIMITS, 64);
	struct nat_view view;

	w.policy.lease_limit = 1000;
	world_add(&w, POOL_A, 5312, 5375);
	view = world_set(&w, KEY, 1, 600, 64);
	cr_assert(view.external.port + view.n_ports <= 5350 || view.external.port >= 5352);
	cr_assert_eq(view.n_ports, 38, "the longer side");
	cr_assert_eq(world_set(&w, key_of(HOST, NAT_TCP, 1), 1, 600, 64).n_ports, 64);
	world_close(&w);
}

Test(nat, a_set_may_have_its_suggested_ports)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct nat_view view;

	wish.n_ports = 10;
	wish.suggested = (struct recipe){POOL_A, 6404};
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert(view.n_ports == 10 && view.external.port == 6404);
	wish.key = key_of(HOST + 1, NAT_UDP, 1);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED, "a hint never makes it fail");
	cr_assert(view.n_ports == 10 && view.external.port / 64 != 100);
	wish.key = key_of(HOST, NAT_UDP, 1);
	wish.suggested.port = 6400 + 60; // the run would leave the block
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert(view.n_ports == 10 && view.external.port != 6460);
	cr_assert_eq(nat_counters(w.nat)->suggestions_refused, 2);
	world_close(&w);
}

Test(nat, a_set_prefers_the_subscribers_own_blocks)
{
	struct world w = world_simple(64);

	world_out(&w, key_of(HOST, NAT_UDP, 1));
	for (uint16_t i = 0; i < 3; i++)
		cr_assert_eq(world_set(&w, key_of(HOST, NAT_TCP, (uint16_t)(i * 100)), 1, 600, 16)
				     .n_ports,
			16);
	cr_assert_eq(world_subscriber(&w, HOST).n_blocks, 1);
	cr_assert_eq(world_set(&w, key_of(HOST, NAT_TCP, 1000), 1, 600, 16).n_ports, 16);
	world_close(&w);
}

Test(nat, rfc7753_s6_1_all_sets_of_a_subscriber_are_on_one_address)
{
	struct world w = world_simple(64);

	world_add(&w, POOL_B, 1024, 65535);
	w.policy.lease_limit = 1000;
	w.policy.block_limit = 100;
	ip4 first = world_set(&w, KEY, 1, 600, 64).external.addr;
	for (uint16_t i = 1; i < 10; i++)
		cr_assert_eq(world_set(&w, key_of(HOST, NAT_UDP, (uint16_t)(i * 100)), 1, 600, 64)
				     .external.addr,
			first);
	world_close(&w);
}

// ---- ending ----------------------------------------------------------------------------------

Test(nat, a_set_runs_out_as_one)
{
	struct world w = world_simple(64);
	struct nat_view made = world_set(&w, KEY, 1, 600, 30);

	for (uint16_t i = 0; i < 30; i++)
		cr_assert(world_in(
			&w, NAT_UDP, (struct recipe){POOL_A, (uint16_t)(made.external.port + i)}));
	world_pass(&w, 600);
	cr_assert_eq(world_look(&w, port_at(29)).kind, NAT_EXPLICIT);
	world_pass(&w, 1);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	cr_assert_eq(nat_counters(w.nat)->leases, 0);
	cr_assert_eq(nat_counters(w.nat)->explicit_expired, 1);
	cr_assert_eq(nat_counters(w.nat)->resting, 30);
	world_pass(&w, 121);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	world_close(&w);
}

// 256 ports do not end in one portion of the background, nor does anybody see half a set.
Test(nat, a_large_set_ends_in_bounded_portions)
{
	struct world w = world_simple(256);
	unsigned steps = 0;

	w.policy.lease_limit = 1000;
	world_set(&w, KEY, 1, 600, 256);
	world_leap(&w, 601);
	for (uint64_t left = 256; left > 0; steps++) {
		struct nat_view view;

		while (nat_counters(w.nat)->mappings == left) // the wheel catches up first
			nat_step(w.nat, w.now_s);
		cr_assert_eq(left - nat_counters(w.nat)->mappings, 64);
		left = nat_counters(w.nat)->mappings;
		view = world_look(&w, KEY);
		cr_assert_eq(view.n_ports, left);
		cr_assert_eq(world_subscriber(&w, HOST).n_leases, left);
		world_recount(&w);
	}
	cr_assert_eq(steps, 4);
	cr_assert_eq(nat_counters(w.nat)->explicit_expired, 1);
	world_close(&w);
}

Test(nat, a_port_of_an_ended_set_lives_on_by_its_traffic_or_its_peers)
{
	struct world w = world_simple(64);
	struct recipe remote = {0xc6336401, 443};

	world_set(&w, KEY, 1, 600, 30);
	world_peer(&w, port_at(4), 1, 900, remote);
	world_pass(&w, 590);
	world_out(&w, port_at(3));
	world_pass(&w, 11);
	cr_assert_eq(world_look(&w, port_at(3)).kind, NAT_IMPLICIT);
	cr_assert_eq(world_look(&w, port_at(4)).kind, NAT_PEER);
	cr_assert_eq(nat_counters(w.nat)->mappings, 2);
	cr_assert_eq(world_subscriber(&w, HOST).n_leases, 1);
	world_close(&w);
}

Test(nat, a_set_is_given_up_and_deleted_from_any_of_its_ports)
{
	struct world w = world_simple(64);

	world_set(&w, KEY, 1, 600, 30);
	world_out(&w, port_at(3));
	world_end(&w, port_at(5), true);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_set(&w, KEY, 1, 600, 30);
	world_peer(&w, port_at(4), 1, 900, (struct recipe){0xc6336401, 443});
	world_out(&w, port_at(3));
	cr_assert(nat_delete(w.nat, &(struct nat_key){HOST, 50029, 1, NAT_UDP}, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	cr_assert_eq(nat_counters(w.nat)->leases, 0);
	cr_assert_eq(nat_counters(w.nat)->explicit_deleted, 3);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	world_close(&w);
}

Test(nat, clearing_a_subscriber_takes_his_sets)
{
	struct world w = world_simple(64);

	world_set(&w, KEY, 1, 600, 30);
	world_set(&w, key_of(HOST, NAT_TCP, 1), 1, 600, 30);
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 10000, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_close(&w);
}

Test(nat, a_static_mapping_evicts_a_whole_set)
{
	struct world w = world_simple(64);
	struct recipe at = world_set(&w, KEY, 1, 600, 30).external;
	struct nat_key key = key_of(HOST + 1, NAT_UDP, 53);

	at.port = (uint16_t)(at.port + 7);
	cr_assert_eq(nat_static_add(w.nat, &key, at, false, w.now_s), 0);
	cr_assert_eq(nat_counters(w.nat)->mappings, 1);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	world_close(&w);
}

// ---- filters, limits, conflicts --------------------------------------------------------------

Test(nat, filters_of_a_set_guard_all_its_ports)
{
	struct world w = world_simple(64);
	const struct nat_filter one = {0xc6336401, 32, 0};
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct nat_view view;

	wish.n_ports = 20;
	wish.filters = &one;
	wish.n_filters = 1;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	for (uint16_t i = 0; i < 20; i++) {
		struct recipe at = {POOL_A, (uint16_t)(view.external.port + i)};
		cr_assert_eq(
			world_in_from(&w, NAT_UDP, at, (struct recipe){0xc6336401, 9}), IN_PASSES);
		cr_assert_eq(world_in_from(&w, NAT_UDP, at, (struct recipe){0xc6336402, 9}),
			IN_FILTERED);
	}
	wish.n_filters = 0;
	wish.clear_filters = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	view.external.port = (uint16_t)(view.external.port + 19);
	cr_assert(world_in(&w, NAT_UDP, view.external));
	world_close(&w);
}

Test(nat, a_set_takes_what_the_mapping_table_still_holds)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct world w;

	limits.mappings = 20;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	cr_assert_eq(world_set(&w, KEY, 1, 600, 50).n_ports, 20);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_TCP, 1)), DROP_TABLE_FULL);
	world_close(&w);
}

Test(nat, rfc6887_s13_2_an_exact_failure_over_a_set_tells_its_time)
{
	struct world w = world_simple(64);
	struct recipe at = world_set(&w, KEY, 1, 600, 30).external;
	struct nat_wish wish = wish_of(key_of(HOST + 1, NAT_UDP, 1), 1, 600);
	struct nat_view view;

	at.port = (uint16_t)(at.port + 29);
	wish.suggested = at;
	wish.exact = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	cr_assert_eq(view.lease_left_s, 600 + 120);
	world_close(&w);
}

// ---- overlap ---------------------------------------------------------------------------------

Test(nat, rfc7753_s4_4_1_overlapped_mappings_are_told_in_order_each_once)
{
	struct world w = world_simple(64);
	struct nat_view views[8];
	struct nat_key key = port_at(5), fixed = port_at(45);

	world_set(&w, KEY, 1, 600, 10);     // 0..9
	world_map(&w, port_at(12), 2, 600); // one
	world_out(&w, port_at(14));         // no lease
	world_set(&w, port_at(20), 3, 600, 10);
	cr_assert_eq(nat_static_add(w.nat, &fixed, (struct recipe){POOL_A, 80}, false, w.now_s), 0);
	world_map(&w, port_at(60), 4, 600);
	cr_assert_eq(nat_lease_overlap(w.nat, &key, 50, w.now_s, views, 8), 4);
	cr_assert(views[0].n_ports == 10 && views[0].key.port == KEY.port);
	cr_assert(views[1].n_ports == 1 && views[1].nonce[0] == 2);
	cr_assert(views[2].n_ports == 10 && views[2].key.port == KEY.port + 20);
	cr_assert_eq(views[3].kind, NAT_STATIC);
	cr_assert_eq(nat_lease_overlap(w.nat, &key, 50, w.now_s, views, 2), 2);
	cr_assert_eq(nat_lease_overlap(w.nat, &key, 0, w.now_s, views, 8), 1);
	key.port = 65500;
	world_map(&w, key_of(HOST, NAT_UDP, 65535), 1, 600);
	cr_assert_eq(nat_lease_overlap(w.nat, &key, 65535, w.now_s, views, 8), 1);
	world_close(&w);
}
