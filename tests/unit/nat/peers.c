// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const struct nat_key KEY = {HOST, 8080, 1, NAT_TCP};
static const struct recipe WEB = {0xc6336401, 443}, MAIL = {0xc6336402, 25};

static struct recipe peer_number(uint32_t i)
{
	return (struct recipe){0xc6336400 + i / 8, (uint16_t)(1000 + i)};
}

static uint32_t left_s(const struct world *w, struct recipe remote)
{
	return world_look_peer(w, KEY, remote).lease_left_s;
}

// ---- making ----------------------------------------------------------------------------------

Test(nat, rfc6887_s12_3_a_peer_lease_makes_a_mapping_and_says_all_about_itself)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 7, 600);
	struct nat_view made, view;

	wish.remote = WEB;
	wish.client = HOST + 3;
	wish.client_port = 777;
	wish.client_realm = 9;
	wish.third_party = true;
	cr_assert_eq(world_ask_peer(&w, &wish, &made), NAT_GRANTED);
	world_leap(&w, 10);
	view = world_look_peer(&w, KEY, WEB);
	cr_assert_eq(view.kind, NAT_PEER);
	cr_assert(recipe_eq(view.remote, WEB) && recipe_eq(view.external, made.external));
	cr_assert_eq(view.lease_left_s, 590);
	cr_assert(view.nonce[0] == 7 && view.has_nonce && view.third_party && !view.traffic);
	cr_assert(view.client == HOST + 3 && view.client_port == 777 && view.client_realm == 9);
	cr_assert_eq(view.n_ports, 1);
	cr_assert_eq(world_look_peer(&w, KEY, MAIL).kind, NAT_ABSENT);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_PEER);
	cr_assert(recipe_eq(world_out(&w, KEY), made.external));
	cr_assert_eq(nat_counters(w.nat)->peers_created, 1);
	cr_assert_eq(nat_counters(w.nat)->explicit_created, 0);
	cr_assert_eq(world_subscriber(&w, HOST).n_leases, 1);
	world_close(&w);
}

Test(nat, rfc6887_s12_3_a_peer_lease_keeps_the_pair_of_a_flow_that_is_there)
{
	struct world w = world_simple(64);
	struct recipe to = world_out(&w, KEY);
	struct nat_wish wish = wish_of(KEY, 1, 900);
	struct nat_view view;

	wish.remote = WEB;
	wish.suggested =
		(struct recipe){POOL_A, (uint16_t)(to.port ^ 1)}; // for the server to judge
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_GRANTED);
	cr_assert(recipe_eq(view.external, to));
	cr_assert_eq(nat_counters(w.nat)->mappings, 1);
	world_close(&w);
}

Test(nat, rfc6887_s12_3_a_new_peer_lease_gets_the_suggested_pair_or_none)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct nat_view view;

	wish.remote = WEB;
	wish.suggested = (struct recipe){POOL_A, 443};
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_CANNOT_EXACT, "not in the range");
	wish.suggested = (struct recipe){POOL_B, 0};
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_CANNOT_EXACT, "not our address");
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	wish.suggested = (struct recipe){0, 5000};
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.external.port, 5000);
	wish.suggested.port = 5001;
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_GRANTED, "found: hints do not count");
	cr_assert_eq(view.external.port, 5000);
	world_close(&w);
}

Test(nat, rfc6887_s12_3_a_peer_request_never_shortens_what_is_there)
{
	struct world w = world_simple(64);

	world_peer(&w, KEY, 1, 600, WEB);
	world_leap(&w, 100);
	cr_assert_eq(world_peer(&w, KEY, 1, 10, WEB).lease_left_s, 500);
	cr_assert_eq(world_peer(&w, KEY, 1, 0, WEB).lease_left_s, 500);
	cr_assert_eq(world_peer(&w, KEY, 1, 700, WEB).lease_left_s, 700);
	world_pass(&w, 700);
	cr_assert_eq(left_s(&w, WEB), 0);
	cr_assert_eq(world_look_peer(&w, KEY, WEB).kind, NAT_PEER);
	world_pass(&w, 1);
	cr_assert_eq(world_look_peer(&w, KEY, WEB).kind, NAT_ABSENT);
	cr_assert_eq(nat_counters(w.nat)->peers_expired, 1);
	world_close(&w);
}

// The mapping would live two hours by its traffic: the lease promises no less.
Test(nat, rfc6887_s12_3_a_peer_lease_lasts_at_least_as_long_as_traffic_would)
{
	struct world w = world_simple(64);
	struct recipe to;

	world_out_answered(&w, KEY);
	world_tcp(&w, KEY, TCP_ACK, 1, &to);
	world_leap(&w, 40);
	cr_assert_eq(world_peer(&w, KEY, 1, 120, WEB).lease_left_s, 7440 - 40);
	world_close(&w);
}

Test(nat, rfc6887_s12_3_a_static_mapping_needs_no_peer_lease)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct nat_view view;

	cr_assert_eq(nat_static_add(w.nat, &KEY, (struct recipe){POOL_A, 80}, false, w.now_s), 0);
	wish.remote = WEB;
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_GRANTED);
	cr_assert(view.kind == NAT_STATIC && view.external.port == 80);
	cr_assert_eq(nat_counters(w.nat)->leases, 1);
	world_close(&w);
}

// ---- several on one mapping ------------------------------------------------------------------

Test(nat, peer_leases_of_one_mapping_run_out_each_at_its_time)
{
	struct world w = world_simple(64);
	struct recipe to = world_peer(&w, KEY, 1, 300, WEB).external;

	cr_assert(recipe_eq(world_peer(&w, KEY, 2, 600, MAIL).external, to));
	cr_assert_eq(world_look_peer(&w, KEY, WEB).nonce[0], 1);
	cr_assert_eq(world_look_peer(&w, KEY, MAIL).nonce[0], 2);
	cr_assert_eq(nat_counters(w.nat)->mappings, 1);
	world_pass(&w, 301);
	cr_assert_eq(world_look_peer(&w, KEY, WEB).kind, NAT_ABSENT);
	cr_assert_eq(left_s(&w, MAIL), 299);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_PEER);
	world_pass(&w, 300);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	world_close(&w);
}

// Chains stay short however many there are; every order of ending leaves the rest to be found.
Test(nat, many_peer_leases_of_one_port_come_and_go_in_any_order)
{
	struct nat_limits limits = WORLD_LIMITS;
	bool there[150] = {false};
	struct world w;
	struct rng r;

	limits.leases = 200;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	w.policy.lease_limit = 1000;
	rng_init_u64(&r, 12);
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t i = rng_below(&r, ARRAY_SIZE(there));

		world_peer(&w, KEY, (uint8_t)i, rng_below(&r, 60), peer_number(i));
		there[i] = true;
		world_pass(&w, round % 3 == 0);
		for (uint32_t k = 0; k < ARRAY_SIZE(there); k++) {
			struct nat_view view = world_look_peer(&w, KEY, peer_number(k));
			cr_assert(view.kind == NAT_ABSENT || view.nonce[0] == k);
			there[k] &= view.kind == NAT_PEER;
			cr_assert_eq(there[k], view.kind == NAT_PEER);
		}
		if (round % 100 == 0)
			world_recount(&w);
	}
	world_pass(&w, 70);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_close(&w);
}

Test(nat, peer_leases_on_one_mapping_and_of_one_subscriber_are_limited)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct nat_view view;
	struct world w;

	limits.leases = NAT_PEERS_MAX + 10;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	w.policy.lease_limit = 5;
	for (uint32_t i = 0; i < 5; i++)
		world_peer(&w, KEY, 1, 600, peer_number(i));
	wish.remote = peer_number(5);
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_QUOTA);
	wish.key.port++;
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_QUOTA, "nor on a new mapping");
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_QUOTA, "MAP and PEER count together");
	w.policy.lease_limit = 10000;
	for (uint32_t i = 5; i < NAT_PEERS_MAX; i++)
		world_peer(&w, KEY, 1, 600, peer_number(i));
	wish.key.port--;
	wish.remote = peer_number(NAT_PEERS_MAX);
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_QUOTA);
	world_recount(&w);
	for (uint16_t i = 0; i < 10; i++)
		world_map(&w, key_of(HOST, NAT_UDP, i), 1, 600);
	wish.key.port++;
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_NO_RESOURCES, "the table is full");
	world_close(&w);
}

// ---- MAP and PEER together: RFC 6887 s.16.2, figure 16 ----------------------------------------

Test(nat, rfc6887_s16_2_figure_16_map_takes_over_a_mapping_made_by_peer_or_by_traffic)
{
	struct world w = world_simple(64);
	struct nat_key other = key_of(HOST, NAT_TCP, 9);
	struct recipe to = world_peer(&w, KEY, 1, 600, WEB).external;

	cr_assert(recipe_eq(world_map(&w, KEY, 2, 900), to));
	cr_assert_eq(world_look(&w, KEY).nonce[0], 2);
	cr_assert_eq(world_look_peer(&w, KEY, WEB).nonce[0], 1, "and leaves the PEER lease alone");
	cr_assert_eq(world_subscriber(&w, HOST).n_leases, 2);
	to = world_out(&w, other);
	cr_assert(recipe_eq(world_map(&w, other, 2, 900), to));
	world_close(&w);
}

Test(nat, rfc6887_s16_2_the_end_of_map_leaves_peer_and_the_end_of_peer_leaves_map)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 2, 900);

	world_peer(&w, KEY, 1, 600, WEB);
	world_end(&w, KEY, true);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_PEER);
	cr_assert(recipe_eq(world_look(&w, KEY).external, to));
	cr_assert(recipe_eq(world_map(&w, KEY, 3, 900), to));
	world_pass(&w, 601);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_EXPLICIT);
	cr_assert_eq(world_look_peer(&w, KEY, WEB).kind, NAT_ABSENT);
	world_pass(&w, 300);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	world_close(&w);
}

Test(nat, rfc6887_s16_2_figure_16_a_peer_lease_that_runs_out_goes_or_becomes_implicit)
{
	struct world w = world_simple(64);
	struct nat_key udp = key_of(HOST, NAT_UDP, 1);
	struct recipe to;

	world_peer(&w, KEY, 1, 600, WEB);
	to = world_peer(&w, udp, 1, 600, WEB).external;
	world_pass(&w, 590);
	world_out(&w, udp);
	world_pass(&w, 11);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	cr_assert_eq(world_look(&w, udp).kind, NAT_IMPLICIT);
	cr_assert(recipe_eq(world_look(&w, udp).external, to));
	cr_assert_eq(nat_counters(w.nat)->became_implicit, 1);
	cr_assert_eq(nat_counters(w.nat)->peers_expired, 2);
	cr_assert(recipe_eq(world_peer(&w, udp, 1, 600, WEB).external, to), "I to P by PEER");
	world_close(&w);
}

Test(nat, rfc6887_s16_2_figure_16_closing_messages_end_a_peer_mapping_and_never_a_map_one)
{
	struct world w = world_simple(64);
	struct nat_key map = key_of(HOST, NAT_TCP, 1), both = key_of(HOST, NAT_TCP, 2);
	struct recipe to;

	world_peer(&w, KEY, 1, 86400, WEB);
	world_map(&w, map, 1, 86400);
	world_peer(&w, both, 1, 86400, WEB);
	world_map(&w, both, 1, 86400);
	world_tcp(&w, KEY, TCP_ACK, 1, &to);
	cr_assert_eq(world_tcp(&w, KEY, TCP_FIN | TCP_ACK, 0, &to), DROP_NONE);
	cr_assert_eq(world_tcp(&w, map, TCP_RST, 0, &to), DROP_NONE);
	cr_assert_eq(world_tcp(&w, both, TCP_RST, 0, &to), DROP_NONE);
	world_pass(&w, 240);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_PEER);
	world_pass(&w, 12);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	cr_assert_eq(world_look(&w, map).kind, NAT_EXPLICIT);
	cr_assert_eq(world_look(&w, both).kind, NAT_EXPLICIT);
	cr_assert_eq(world_look_peer(&w, both, WEB).kind, NAT_PEER);
	world_close(&w);
}

// One FIN does not say which of two sessions it closed: both leases keep their promise.
Test(nat, a_closing_message_ends_none_of_several_peer_leases)
{
	struct world w = world_simple(64);
	struct recipe to;

	world_peer(&w, KEY, 1, 3600, WEB);
	world_peer(&w, KEY, 1, 3600, MAIL);
	world_tcp(&w, KEY, TCP_FIN | TCP_ACK, 0, &to);
	world_pass(&w, 1000);
	cr_assert_eq(left_s(&w, WEB), 2600);
	cr_assert_eq(left_s(&w, MAIL), 2600);
	cr_assert_not(world_look(&w, KEY).traffic);
	world_close(&w);
}

// ---- hold-down -------------------------------------------------------------------------------

Test(nat, rfc6887_s15_the_port_of_the_last_peer_lease_rests_for_its_client)
{
	struct world w = world_simple(64);
	struct recipe to = world_peer(&w, KEY, 1, 600, WEB).external;

	world_pass(&w, 601);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_RESTING);
	cr_assert(recipe_eq(world_peer(&w, KEY, 1, 600, MAIL).external, to));
	world_pass(&w, 601);
	cr_assert(recipe_eq(world_map(&w, KEY, 1, 600), to));
	world_end(&w, KEY, true);
	cr_assert_not(recipe_eq(world_peer(&w, KEY, 2, 600, WEB).external, to));
	world_close(&w);
}

Test(nat, rfc6887_s15_a_suggestion_other_than_the_resting_pair_is_a_wish_for_another)
{
	struct world w = world_simple(64);
	struct recipe to = world_peer(&w, KEY, 1, 600, WEB).external;
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct nat_view view;

	world_pass(&w, 601);
	wish.remote = WEB;
	wish.suggested = (struct recipe){POOL_A, (uint16_t)(to.port ^ 1)};
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_GRANTED);
	cr_assert(recipe_eq(view.external, wish.suggested));
	world_close(&w);
}

Test(nat, the_operator_ends_a_mapping_with_all_its_peer_leases)
{
	struct world w = world_simple(64);

	for (uint32_t i = 0; i < 20; i++)
		world_peer(&w, KEY, 1, 600, peer_number(i));
	world_map(&w, KEY, 1, 600);
	cr_assert(nat_delete(w.nat, &KEY, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->leases, 0);
	cr_assert_eq(nat_counters(w.nat)->explicit_deleted, 21);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	cr_assert_eq(world_look_peer(&w, KEY, peer_number(3)).kind, NAT_ABSENT);
	world_close(&w);
}

// ---- the mapping's view ----------------------------------------------------------------------

struct looks { // what a walk over the mappings saw
	unsigned n;
	struct nat_view view;
};

static bool see_mapping(void *ctx, const struct nat_view *view)
{
	struct looks *l = ctx;

	l->n++;
	l->view = *view;
	return true;
}

static struct nat_view walked(const struct world *w)
{
	struct looks l = {0};
	uint32_t cursor = 0;

	while (!nat_walk_mappings(w->nat, &cursor, 100, w->now_s, see_mapping, &l))
		;
	cr_assert_eq(l.n, 1);
	return l.view;
}

Test(nat, a_mapping_of_peer_leases_is_shown_with_the_one_that_lasts_longest)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 7, 900);
	struct nat_view view;

	world_peer(&w, KEY, 1, 300, MAIL);
	wish.remote = WEB;
	wish.client = HOST + 3;
	wish.client_realm = 9;
	wish.third_party = true;
	wish.has_text = true;
	wish.text = (const uint8_t *)"call";
	wish.text_length = 4;
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_GRANTED);
	view = walked(&w);
	cr_assert(view.kind == NAT_PEER && view.lease_left_s == 900 && view.remote.addr == 0);
	cr_assert(view.client == HOST + 3 && view.client_port == 12345 && view.client_realm == 9);
	cr_assert(view.has_nonce && view.nonce[0] == 7 && view.dialect == 2 && view.third_party);
	cr_assert_eq(view.text_length, 4);
	world_peer(&w, KEY, 1, 1200, MAIL);
	view = walked(&w);
	cr_assert(view.lease_left_s == 1200 && view.nonce[0] == 1 && view.client == HOST);
	cr_assert_eq(world_look(&w, KEY).lease_left_s, 1200);
	world_pass(&w, 901); // the other one ran out
	cr_assert_eq(world_look_peer(&w, KEY, WEB).kind, NAT_ABSENT);
	cr_assert_eq(walked(&w).lease_left_s, 299);
	world_map(&w, KEY, 3, 60);
	cr_assert(walked(&w).kind == NAT_EXPLICIT && walked(&w).lease_left_s == 60);
	world_recount(&w);
	world_close(&w);
}

// ---- the end of a MAP lease on what stood before ---------------------------------------------

Test(nat, rfc6887_s11_3_a_deleted_map_leaves_the_flow_that_was_there_before)
{
	struct world w = world_simple(64);
	struct nat_key udp = key_of(HOST, NAT_UDP, 1), own = key_of(HOST, NAT_UDP, 2);
	struct recipe to = world_out(&w, udp);

	world_map(&w, udp, 1, 600);
	world_map(&w, udp, 1, 900); // a renewal forgets nothing
	world_end(&w, udp, true);
	cr_assert_eq(world_look(&w, udp).kind, NAT_IMPLICIT);
	cr_assert(recipe_eq(world_look(&w, udp).external, to));
	cr_assert_eq(nat_counters(w.nat)->became_implicit, 1);
	world_map(&w, own, 1, 600); // MAP made it: a flow that came later goes with it
	world_out(&w, own);
	world_end(&w, own, true);
	cr_assert_eq(world_look(&w, own).kind, NAT_RESTING);
	world_close(&w);
}

Test(nat, rfc6887_s11_3_a_deleted_map_leaves_what_peer_made_while_its_flow_lives)
{
	struct world w = world_simple(64);
	struct nat_key quiet = key_of(HOST, NAT_UDP, 1), udp = key_of(HOST, NAT_UDP, 2);
	struct recipe to = world_peer(&w, udp, 1, 100, WEB).external;

	world_peer(&w, quiet, 1, 100, WEB);
	world_map(&w, quiet, 2, 600);
	world_map(&w, udp, 2, 600);
	world_pass(&w, 101);
	world_out(&w, udp);
	world_end(&w, quiet, true);
	world_end(&w, udp, true);
	cr_assert_eq(world_look(&w, quiet).kind, NAT_RESTING, "nobody talks");
	cr_assert_eq(world_look(&w, udp).kind, NAT_IMPLICIT);
	cr_assert(recipe_eq(world_look(&w, udp).external, to));
	world_close(&w);
}
