// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const struct nat_key KEY = {HOST, 8080, 1, NAT_TCP};
static const struct recipe WEB = {0xc6336401, 443};

static struct nat_update world_next(struct world *w)
{
	struct nat_update u;

	cr_assert(nat_update_next(w->nat, &u));
	return u;
}

static void world_no_more(struct world *w)
{
	struct nat_update u;

	cr_assert_not(nat_update_next(w->nat, &u));
}

// POOL_A leaves, POOL_B is there.
static void world_withdraw(struct world *w)
{
	world_add(w, POOL_B, 1024, 65535);
	nat_address_remove(w->nat, POOL_A);
	world_settle(w);
}

Test(nat, rfc6887_s14_2_a_lease_moves_with_its_address_and_its_client_is_to_be_told)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 5, 3600);
	struct nat_update u;

	world_leap(&w, 100);
	world_withdraw(&w);
	u = world_next(&w);
	cr_assert_eq(u.kind, NAT_UPDATE_MOVED);
	cr_assert(u.view.kind == NAT_EXPLICIT && u.view.moved && u.view.nonce[0] == 5);
	cr_assert(u.view.client == HOST && u.view.client_port == 12345 && u.view.dialect == 2);
	cr_assert_eq(u.view.external.addr, POOL_B);
	cr_assert_eq(u.view.external.port, to.port, "the same port, for it was free");
	cr_assert_eq(u.view.lease_left_s, 3500);
	world_no_more(&w);
	cr_assert(recipe_eq(world_out(&w, KEY), u.view.external));
	cr_assert(world_in(&w, NAT_TCP, u.view.external));
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	cr_assert_eq(nat_counters(w.nat)->moved, 1);
	world_pass(&w, 130);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	world_close(&w);
}

Test(nat, rfc6887_s14_2_another_port_when_that_one_is_taken)
{
	struct world w = world_simple(64);
	struct recipe to = world_map(&w, KEY, 5, 3600);
	struct nat_key other = key_of(HOST + 1, NAT_TCP, 1);
	struct nat_wish wish = wish_of(other, 1, 3600);
	struct nat_view view;

	world_add(&w, POOL_B, 1024, 65535);
	wish.suggested = (struct recipe){POOL_B, to.port};
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	view = world_next(&w).view;
	cr_assert(view.external.addr == POOL_B && view.external.port / 64 != to.port / 64);
	world_close(&w);
}

Test(nat, rfc6887_s14_2_a_client_that_renewed_is_not_told)
{
	struct world w = world_simple(64);
	struct nat_key other = key_of(HOST, NAT_TCP, 1);

	world_map(&w, KEY, 5, 3600);
	world_map(&w, other, 6, 3600);
	world_withdraw(&w);
	cr_assert(world_look(&w, KEY).moved);
	world_map(&w, KEY, 5, 3600);
	cr_assert_not(world_look(&w, KEY).moved);
	world_end(&w, other, true); // and who gave up neither
	world_no_more(&w);
	world_close(&w);
}

Test(nat, rfc6887_s14_2_a_lease_made_with_prefer_failure_is_lost)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 5, 3600);
	struct nat_view view;
	struct nat_update u;

	wish.suggested = (struct recipe){POOL_A, 5000};
	wish.exact = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	world_peer(&w, KEY, 7, 3600, WEB);
	world_withdraw(&w);
	u = world_next(&w);
	cr_assert_eq(u.kind, NAT_UPDATE_LOST);
	cr_assert(u.view.exact && u.view.external.port == 5000 && u.view.external.addr == POOL_A);
	cr_assert_eq(u.view.lease_left_s, 3600);
	u = world_next(&w);
	cr_assert(u.kind == NAT_UPDATE_LOST && u.view.kind == NAT_PEER);
	cr_assert(recipe_eq(u.view.remote, WEB) && u.view.nonce[0] == 7);
	world_no_more(&w);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	cr_assert_eq(nat_counters(w.nat)->move_failed, 1);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s);
	world_close(&w);
}

Test(nat, rfc6887_s14_2_what_finds_no_place_is_lost)
{
	struct world w = world_simple(64);

	world_map(&w, KEY, 5, 3600);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	cr_assert_eq(world_next(&w).kind, NAT_UPDATE_LOST);
	world_no_more(&w);
	cr_assert_not(world_has(&w, KEY));
	world_close(&w);
}

// By the time he would be told he has made it anew.
Test(nat, a_client_that_has_its_lease_again_is_not_told_that_it_was_lost)
{
	struct world w = world_simple(64);

	world_map(&w, KEY, 5, 3600);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	world_add(&w, POOL_B, 1024, 65535);
	world_map(&w, KEY, 5, 3600);
	world_no_more(&w);
	world_close(&w);
}

Test(nat, rfc6887_s14_2_filters_texts_and_replies_move_along)
{
	struct world w = world_simple(64);
	const struct nat_filter one = {WEB.addr, 32, 0};
	struct nat_wish wish = wish_of(KEY, 5, 3600);
	struct nat_view view;
	uint8_t text[8];

	wish.filters = &one;
	wish.n_filters = 1;
	wish.has_text = true;
	wish.text = (const uint8_t *)"web";
	wish.text_length = 3;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(world_in_from(&w, NAT_TCP, view.external, WEB), IN_PASSES);
	world_withdraw(&w);
	view = world_next(&w).view;
	cr_assert(view.replied && view.n_filters == 1 && view.text_length == 3);
	cr_assert_eq(nat_lease_text(w.nat, &KEY, text, 8), 3);
	cr_assert_eq(world_in_from(&w, NAT_TCP, view.external, WEB), IN_PASSES);
	cr_assert_eq(world_in_from(&w, NAT_TCP, view.external, (struct recipe){1, 1}), IN_FILTERED);
	world_close(&w);
}

Test(nat, rfc6887_s14_2_every_peer_lease_of_a_moved_mapping_is_told)
{
	struct world w = world_simple(64);

	world_out(&w, KEY);
	for (uint16_t i = 0; i < 9; i++)
		world_peer(&w, KEY, (uint8_t)i, 3600, (struct recipe){WEB.addr, i});
	world_map(&w, KEY, 9, 3600);
	world_withdraw(&w);
	for (unsigned i = 0; i < 10; i++) {
		struct nat_update u = world_next(&w);
		cr_assert(u.kind == NAT_UPDATE_MOVED && u.view.external.addr == POOL_B);
		cr_assert_eq(u.view.kind, u.view.nonce[0] == 9 ? NAT_EXPLICIT : NAT_PEER);
	}
	world_no_more(&w);
	cr_assert_eq(nat_counters(w.nat)->moved, 1);
	world_close(&w);
}

Test(nat, rfc6887_s14_2_a_set_moves_as_a_whole)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 3000);
	struct nat_view made = world_set(&w, key, 1, 3600, 40), view;

	world_peer(&w, key_of(HOST, NAT_UDP, 3010), 2, 3600, WEB);
	world_withdraw(&w);
	view = world_next(&w).view;
	cr_assert(view.n_ports == 40 && view.external.addr == POOL_B);
	cr_assert_eq(view.external.port, made.external.port);
	cr_assert_eq(world_next(&w).view.external.port, made.external.port + 10);
	world_no_more(&w);
	for (uint16_t i = 0; i < 40; i++) {
		key.port = (uint16_t)(3000 + i);
		cr_assert(recipe_eq(world_out(&w, key),
			(struct recipe){POOL_B, (uint16_t)(view.external.port + i)}));
	}
	world_close(&w);
}

Test(nat, rfc6887_s14_2_a_set_that_finds_no_run_of_its_length_is_lost)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 3000);

	world_set(&w, key, 1, 3600, 40);
	w.port_set_size = 32;
	world_withdraw(&w);
	cr_assert_eq(world_next(&w).kind, NAT_UPDATE_LOST);
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	world_close(&w);
}

// At his block limit he may still move: old blocks on their way out do not count.
Test(nat, a_subscriber_at_his_block_limit_moves_and_is_paired_anew)
{
	struct world w = world_open(&WORLD_LIMITS, 4);
	struct nat_policy policy = w.policy;

	policy.block_limit = w.policy.block_limit = 2;
	nat_set_policy(w.nat, 0, &policy);
	world_add(&w, POOL_A, 1024, 65535);
	for (uint16_t i = 0; i < 8; i++) {
		world_map(&w, key_of(HOST, NAT_UDP, i), 1, 3600);
		cr_assert(world_in(&w, NAT_UDP, world_look(&w, key_of(HOST, NAT_UDP, i)).external));
	}
	world_add(&w, POOL_C, 1024, 65535);
	world_withdraw(&w);
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(
			world_next(&w).view.external.addr, world_subscriber(&w, HOST).external);
	cr_assert_eq(world_subscriber(&w, HOST).n_blocks, 4);
	world_pass(&w, 125);
	cr_assert_eq(world_subscriber(&w, HOST).n_blocks, 2);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	world_close(&w);
}

Test(nat, traffic_alone_does_not_move)
{
	struct world w = world_simple(64);

	world_out(&w, KEY);
	world_withdraw(&w);
	cr_assert_not(world_has(&w, KEY));
	world_no_more(&w);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), 0);
	cr_assert_eq(nat_counters(w.nat)->cleared, 1);
	world_close(&w);
}

Test(nat, a_group_without_a_policy_moves_nothing)
{
	struct world w = world_simple(64);

	nat_set_policy(w.nat, 0, &(struct nat_policy){0});
	world_map(&w, KEY, 5, 3600);
	world_withdraw(&w);
	cr_assert_eq(world_next(&w).kind, NAT_UPDATE_LOST);
	world_close(&w);
}

// More clients than the list has places: draining waits, and nobody is forgotten.
Test(nat, moving_waits_until_clients_are_told)
{
	struct nat_limits limits = WORLD_LIMITS;
	unsigned told = 0;
	struct nat_update u;
	struct world w;

	limits.leases = 2000;
	w = world_open(&limits, 64);
	w.policy.lease_limit = 1000;
	world_add(&w, POOL_A, 1024, 65535);
	for (uint16_t i = 0; i < 1500; i++)
		world_map(&w, key_of(HOST + i % 60u, NAT_UDP, i), 1, 36000);
	world_withdraw(&w);
	cr_assert_eq(nat_counters(w.nat)->moved, 1024);
	world_pass(&w, 10);
	cr_assert_eq(nat_counters(w.nat)->moved, 1024);
	cr_assert(nat_address_known(w.nat, POOL_A));
	for (; nat_update_next(w.nat, &u); told++)
		world_settle(&w);
	cr_assert_eq(told, 1500);
	cr_assert_eq(nat_counters(w.nat)->moved, 1500);
	world_pass(&w, 121);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	world_close(&w);
}

Test(nat, a_drain_moves_a_bounded_number_of_mappings_a_step)
{
	struct world w = world_simple(512);
	bool more = true;

	for (uint16_t i = 0; i < 200; i++)
		world_map(&w, key_of(HOST + i % 5u, NAT_UDP, i), 1, 36000);
	world_add(&w, POOL_B, 1024, 65535);
	nat_address_remove(w.nat, POOL_A);
	while (more) {
		uint64_t moved = nat_counters(w.nat)->moved;

		more = nat_step(w.nat, w.now_s);
		cr_assert_leq(nat_counters(w.nat)->moved - moved, 32);
	}
	cr_assert_eq(nat_counters(w.nat)->moved, 200);
	world_close(&w);
}

Test(nat, a_lease_moves_more_than_once)
{
	struct world w = world_simple(64);
	struct nat_update u;

	world_map(&w, KEY, 5, 36000);
	world_withdraw(&w);
	world_pass(&w, 130);
	world_add(&w, POOL_C, 1024, 65535);
	nat_address_remove(w.nat, POOL_B);
	world_settle(&w);
	u = world_next(&w);
	cr_assert_eq(u.view.external.addr, POOL_C);
	cr_assert(recipe_eq(u.view.external, world_look(&w, KEY).external));
	world_close(&w);
}
