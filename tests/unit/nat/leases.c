// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const struct nat_key KEY = {HOST, 8080, 1, NAT_TCP};

static struct nat_key other_key(uint16_t port)
{
	return key_of(HOST + 1, NAT_TCP, port);
}

Test(nat, a_lease_is_shown_with_all_that_was_granted)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 5, 600);
	struct nat_view view, look;

	cr_assert_eq(world_look(&w, KEY).kind, NAT_ABSENT);
	wish.client = HOST + 3;
	wish.client_port = 777;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	world_leap(&w, 10);
	look = world_look(&w, KEY);
	cr_assert_eq(look.kind, NAT_EXPLICIT);
	cr_assert(look.has_nonce && look.client_realm == 1 && look.dialect == 2);
	cr_assert(look.n_ports == 1 && look.n_filters == 0 && look.text_length == 0);
	cr_assert_not(look.exact || look.third_party || look.operators || look.moved);
	cr_assert_eq(look.lease_left_s, 590);
	cr_assert_eq(memcmp(look.nonce, wish.nonce, sizeof wish.nonce), 0);
	cr_assert(look.client == HOST + 3 && look.client_port == 777);
	cr_assert(recipe_eq(look.external, view.external));
	cr_assert_not(look.traffic, "nothing was sent yet");
	cr_assert(world_in(&w, NAT_TCP, view.external), "but anybody may send");
	world_close(&w);
}

Test(nat, t_6887_11_3_an_implicit_mapping_keeps_its_pair_when_it_becomes_explicit)
{
	struct world w = world_simple(64);
	struct recipe to = world_out(&w, KEY);
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct nat_view view;

	wish.suggested.port = to.port ^ 1;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert(recipe_eq(to, view.external));
	cr_assert_eq(view.kind, NAT_EXPLICIT);
	cr_assert_eq(nat_counters(w.nat)->mappings, 1);
	cr_assert_eq(nat_counters(w.nat)->explicit_created, 1);
	world_close(&w);
}

Test(nat, t_6887_11_3_renewal_keeps_the_external_port_and_sets_the_lifetime)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 1, 600);
	struct nat_wish wish = wish_of(KEY, 1, 7200);
	struct nat_view view;

	wish.suggested = (struct recipe){POOL_A, (uint16_t)(to.port ^ 1)};
	world_pass(&w, 500);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert(recipe_eq(to, view.external));
	cr_assert_eq(nat_counters(w.nat)->explicit_renewed, 1);
	world_pass(&w, 7200);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_EXPLICIT);
	world_pass(&w, 1);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	world_close(&w);
}

Test(nat, shortening_a_lease_fires_on_time)
{
	struct world w = world_simple(64);

	world_map(&w, KEY, 1, 86400);
	world_pass(&w, 100);
	world_map(&w, KEY, 1, 7200); // renewed lazily
	world_map(&w, KEY, 1, 86400);
	world_map(&w, KEY, 1, 130);
	world_pass(&w, 130);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_EXPLICIT);
	world_pass(&w, 1);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	world_close(&w);
}

// ---- ends ------------------------------------------------------------------------------------

Test(nat, a_lease_that_traffic_outlives_becomes_implicit)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 1, 600), seen;

	world_pass(&w, 590);
	cr_assert_eq(world_tcp(&w, KEY, TCP_ACK, 1, &seen), DROP_NONE);
	world_pass(&w, 11);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_IMPLICIT);
	cr_assert(recipe_eq(to, world_look(&w, KEY).external));
	cr_assert_eq(nat_counters(w.nat)->became_implicit, 1);
	cr_assert_eq(nat_counters(w.nat)->leases, 0);
	world_pass(&w, 7440);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_ABSENT);
	world_close(&w);
}

Test(nat, a_lease_outlives_its_traffic)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = world_map(&w, key, 1, 3600);

	cr_assert(recipe_eq(to, world_out(&w, key)));
	cr_assert(world_look(&w, key).traffic);
	world_pass(&w, 400);
	cr_assert_not(world_look(&w, key).traffic);
	cr_assert_eq(world_look(&w, key).kind, NAT_EXPLICIT);
	cr_assert(recipe_eq(to, world_out(&w, key)));
	world_close(&w);
}

Test(nat, t_7857_2_2_fin_and_rst_do_not_end_a_lease)
{
	struct world w = world_simple(64);
	struct recipe to;

	world_map(&w, KEY, 1, 3600);
	cr_assert_eq(world_tcp(&w, KEY, TCP_RST, 0, &to), DROP_NONE);
	world_pass(&w, 600);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_EXPLICIT);
	world_close(&w);
}

// Traffic of a day ago, when the 16-bit tick has come round, does not keep an ended lease.
Test(nat, an_old_tick_does_not_look_young_again)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	world_map(&w, key, 1, 80000);
	world_out(&w, key);
	world_pass(&w, 65536 + 30);
	cr_assert_not(world_look(&w, key).traffic);
	nat_lease_end(w.nat, &key, false, w.now_s);
	cr_assert_eq(world_look(&w, key).kind, NAT_RESTING);
	world_close(&w);
}

Test(nat, t_6887_15_1_ending_a_lease_frees_the_pair_or_leaves_it_to_its_traffic)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 1, 600);

	nat_lease_end(w.nat, &KEY, false, w.now_s);
	cr_assert_not(world_in(&w, NAT_TCP, to));
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	nat_lease_end(w.nat, &KEY, false, w.now_s); // nothing to end
	cr_assert_eq(nat_counters(w.nat)->explicit_deleted, 1);
	to = world_map(&w, other_key(1), 1, 600);
	world_out(&w, other_key(1));
	nat_lease_end(w.nat, &(struct nat_key){HOST + 1, 1, 1, NAT_TCP}, false, w.now_s);
	cr_assert_eq(world_look(&w, other_key(1)).kind, NAT_IMPLICIT);
	cr_assert(world_in(&w, NAT_TCP, to));
	world_close(&w);
}

Test(nat, rfc6887_s15_1_a_lease_that_ends_now_ends_in_spite_of_its_traffic)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 1, 600);

	world_out(&w, KEY);
	world_end(&w, KEY, true);
	cr_assert_not(world_has(&w, KEY));
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	cr_assert_not(recipe_eq(to, world_out(&w, KEY)), "nobody's for now");
	nat_delete(w.nat, &KEY, w.now_s);
	cr_assert(recipe_eq(to, world_map(&w, KEY, 1, 600)), "but his own");
	world_close(&w);
}

Test(nat, a_lease_says_who_made_it_and_how)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 0, 600);
	struct nat_view view;

	wish.has_nonce = false;
	wish.operators = wish.third_party = wish.exact = true;
	wish.suggested = (struct recipe){POOL_A, 5000};
	wish.client_realm = 3;
	wish.dialect = 4;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	view = world_look(&w, KEY);
	cr_assert(view.operators && view.third_party && view.exact && !view.has_nonce);
	cr_assert(view.client_realm == 3 && view.dialect == 4);
	world_map(&w, KEY, 1, 600); // as the last request has it
	view = world_look(&w, KEY);
	cr_assert(!view.operators && !view.third_party && !view.exact && view.has_nonce);
	cr_assert(view.client_realm == 1 && view.dialect == 2);
	world_close(&w);
}

Test(nat, a_lease_without_a_nonce_rests_for_who_has_none)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 0, 600);
	struct nat_view view;
	struct recipe to;

	wish.has_nonce = false;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	to = view.external;
	world_end(&w, KEY, true);
	cr_assert_not(recipe_eq(to, world_map(&w, KEY, 0, 600)), "a nonce of zeros is a nonce");
	world_end(&w, KEY, true);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert(recipe_eq(to, view.external));
	world_close(&w);
}

// ---- hold-down of leases ---------------------------------------------------------------------

Test(nat, t_6887_15_the_same_client_gets_its_port_back_in_hold_down)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 1, 600);
	struct nat_view view;

	world_pass(&w, 601);
	cr_assert_eq(nat_counters(w.nat)->explicit_expired, 1);
	cr_assert_eq(nat_counters(w.nat)->resting, 1);
	view = world_look(&w, KEY);
	cr_assert_eq(view.kind, NAT_RESTING);
	cr_assert_eq(view.lease_left_s, 120);
	cr_assert(recipe_eq(view.external, to));
	world_pass(&w, 119);
	cr_assert(recipe_eq(to, world_map(&w, KEY, 1, 600)));
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_pass(&w, 600);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_EXPLICIT);
	world_pass(&w, 1);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	world_close(&w);
}

Test(nat, t_6887_15_another_nonce_does_not_get_the_port)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 1, 600);

	nat_lease_end(w.nat, &KEY, false, w.now_s);
	cr_assert_not(recipe_eq(to, world_map(&w, KEY, 2, 600)));
	cr_assert_eq(nat_counters(w.nat)->resting, 1);
	world_pass(&w, 121);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

Test(nat, t_6887_15_the_first_client_gets_its_port_back_even_behind_a_second_one)
{
	struct world w = world_simple(64);
	struct recipe first = world_map(&w, KEY, 1, 600), second;

	nat_lease_end(w.nat, &KEY, false, w.now_s);
	second = world_map(&w, KEY, 2, 600);
	nat_lease_end(w.nat, &KEY, false, w.now_s);
	cr_assert(recipe_eq(first, world_map(&w, KEY, 1, 600)));
	nat_lease_end(w.nat, &KEY, false, w.now_s);
	cr_assert(recipe_eq(second, world_map(&w, KEY, 2, 600)));
	world_close(&w);
}

Test(nat, t_6888_8_nobody_gets_the_port_of_an_ended_lease_before_hold_down)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 1, 600);
	struct nat_wish wish = wish_of(key_of(HOST, NAT_TCP, 9), 9, 600);
	struct nat_view view;

	nat_lease_end(w.nat, &KEY, false, w.now_s);
	wish.suggested = to;
	wish.exact = true;
	for (uint32_t s = 0; s < 121; s++) {
		cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
		cr_assert_eq(view.lease_left_s, s < 120 ? 120 - s : 0);
		world_pass(&w, 1);
	}
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	world_close(&w);
}

// A table of leases nearly full of history keeps its last quarter for the living.
Test(nat, resting_leases_never_use_up_the_table)
{
	struct world w = world_simple(512);

	w.policy.lease_limit = 10000;
	for (uint16_t i = 0; i < 1000; i++) {
		struct nat_key key = key_of(HOST + i % 8u, NAT_TCP, i);
		world_map(&w, key, 1, 600);
		nat_lease_end(w.nat, &key, false, w.now_s);
	}
	cr_assert_leq(nat_counters(w.nat)->leases, 256 / 4 * 3);
	cr_assert_geq(nat_counters(w.nat)->leases, 256 / 4 * 3 - 1);
	world_recount(&w);
	world_pass(&w, 121);
	cr_assert_eq(nat_counters(w.nat)->leases, 0);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	world_close(&w);
}

// ---- PREFER_FAILURE --------------------------------------------------------------------------

static struct nat_wish exactly(struct nat_key key, struct recipe external)
{
	struct nat_wish wish = wish_of(key, 9, 600);

	wish.suggested = external;
	wish.exact = true;
	return wish;
}

Test(nat, t_6887_13_2_an_exact_wish_gets_the_pair_or_nothing)
{
	struct world w = world_simple(64);
	struct nat_wish wish = exactly(KEY, (struct recipe){POOL_A, 443});
	struct nat_view view;

	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT, "not in the range");
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	wish.suggested.port = 4430;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert(recipe_eq(view.external, wish.suggested));
	wish.suggested.addr = 0;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED, "any address, the same port");
	wish.suggested.port = 4431;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT, "it exists elsewhere");
	cr_assert_eq(view.lease_left_s, 0);
	cr_assert_eq(world_look(&w, KEY).lease_left_s, 600);
	cr_assert_eq(nat_counters(w.nat)->suggestions_refused, 2);
	world_close(&w);
}

Test(nat, t_6887_13_2_an_exact_failure_says_how_long_including_hold_down)
{
	struct world w = world_simple(64);
	struct recipe his = world_map(&w, other_key(443), 1, 600);
	struct nat_wish wish = exactly(KEY, his);
	struct nat_view view;

	world_pass(&w, 100);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	cr_assert_eq(view.lease_left_s, 500 + 120);
	world_pass(&w, 501);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT, "his block, his hold-down");
	cr_assert_eq(view.lease_left_s, 120);
	world_pass(&w, 121);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	world_close(&w);
}

Test(nat, an_exact_failure_over_implicit_and_static_mappings_names_no_time)
{
	struct world w = world_simple(64);
	struct nat_wish wish = exactly(KEY, world_out(&w, other_key(1)));
	struct nat_key key = other_key(2);
	struct nat_view view;

	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	cr_assert_eq(view.lease_left_s, 0);
	wish.suggested = (struct recipe){POOL_A, 50000};
	cr_assert_eq(nat_static_add(w.nat, &key, wish.suggested, false, w.now_s), 0);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	cr_assert_eq(view.lease_left_s, 0);
	world_close(&w);
}

Test(nat, an_exact_wish_on_an_implicit_mapping_is_judged_by_its_pair)
{
	struct world w = world_simple(64);
	struct recipe to = world_out(&w, KEY);
	struct nat_wish wish = exactly(KEY, (struct recipe){POOL_A, (uint16_t)(to.port ^ 1)});
	struct nat_view view;

	cr_assert_eq(world_ask(&w, &wish, &view), NAT_CANNOT_EXACT);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_IMPLICIT);
	wish.suggested = to;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	world_close(&w);
}

// ---- limits ----------------------------------------------------------------------------------

Test(nat, the_lease_limit_is_per_subscriber)
{
	struct world w = world_simple(64);
	struct nat_wish wish;
	struct nat_view view;

	w.policy.lease_limit = 5;
	for (uint16_t i = 0; i < 5; i++)
		world_map(&w, key_of(HOST, NAT_TCP, i), 1, 600);
	wish = wish_of(key_of(HOST, NAT_TCP, 5), 1, 600);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_QUOTA);
	world_out(&w, wish.key);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_QUOTA, "nor over an implicit one");
	world_map(&w, key_of(HOST, NAT_TCP, 0), 1, 900); // renewals go on
	world_map(&w, other_key(1), 1, 600);
	cr_assert_eq(world_subscriber(&w, HOST).n_leases, 5);
	world_close(&w);
}

Test(nat, t_6888_4_explicit_mappings_count_for_the_port_limit)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(key_of(HOST, NAT_TCP, 10), 1, 600);
	struct nat_view view;

	w.policy.port_limit = 2;
	world_map(&w, key_of(HOST, NAT_TCP, 1), 1, 600);
	world_out(&w, key_of(HOST, NAT_TCP, 2));
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_TCP, 3)), DROP_QUOTA_PORTS);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_QUOTA);
	world_map(&w, key_of(HOST, NAT_UDP, 1), 1, 600);
	world_close(&w);
}

Test(nat, a_subscriber_without_ports_left_is_over_quota_and_a_pool_without_is_out_of_resources)
{
	struct world w = world_open(&WORLD_LIMITS, 4);
	struct nat_wish wish = wish_of(key_of(HOST, NAT_TCP, 10), 1, 600);
	struct nat_view view;

	world_add(&w, POOL_A, 1024, 1031);
	w.policy.block_limit = 1;
	for (uint16_t i = 0; i < 4; i++)
		world_map(&w, key_of(HOST, NAT_TCP, i), 1, 600);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_QUOTA);
	w.policy.block_limit = 4;
	for (uint16_t i = 4; i < 8; i++)
		world_map(&w, key_of(HOST, NAT_TCP, i), 1, 600);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	wish.key.host++;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	cr_assert(nat_is_new_subscriber(w.nat, 1, wish.key.host));
	world_close(&w);
}

Test(nat, t_6888_11d_a_full_lease_table_refuses_and_evicts_nobody)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct nat_wish wish = wish_of(key_of(HOST, NAT_TCP, 999), 1, 600);
	struct nat_view view;
	struct world w;

	limits.leases = 20;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	for (uint16_t i = 0; i < 20; i++)
		world_map(&w, key_of(HOST + i % 3u, NAT_TCP, i), 1, 600);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	world_out(&w, wish.key);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES, "nor over an implicit one");
	for (uint16_t i = 0; i < 20; i++)
		cr_assert_eq(world_look(&w, key_of(HOST + i % 3u, NAT_TCP, i)).kind, NAT_EXPLICIT);
	world_close(&w);
}

Test(nat, a_full_mapping_or_subscriber_table_refuses_leases)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct nat_wish wish = wish_of(key_of(HOST + 50, NAT_TCP, 1), 1, 600);
	struct nat_view view;
	struct world w;

	limits.mappings = 12;
	limits.subscribers = 10;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	for (uint16_t i = 0; i < 10; i++)
		world_out(&w, key_of(HOST + i, NAT_TCP, 1));
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	wish.key.host = HOST;
	for (wish.key.port = 2; wish.key.port < 4; wish.key.port++)
		cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	world_close(&w);
}

// An idle mapping that the sweep has not met yet does not pass its port on to a lease.
Test(nat, an_idled_out_mapping_is_not_adopted)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = world_out_answered(&w, key);

	world_leap(&w, 301);
	cr_assert_eq(world_look(&w, key).kind, NAT_ABSENT);
	cr_assert_not(recipe_eq(to, world_map(&w, key, 1, 600)));
	cr_assert_eq(nat_counters(w.nat)->implicit_expired, 1);
	world_close(&w);
}
