// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "world.h"

#define WALL 1700000000u

static size_t save(struct world *w, char *out, size_t size)
{
	return postern_client_save(w->client, w->now, WALL, out, size);
}

// The next run, `later_s` after the save, on a clock that began anew.
static unsigned load(struct world *w, const char *text, uint32_t later_s)
{
	unsigned skipped = 99;

	world_init(w, 2);
	cr_assert_eq(postern_client_load(
			     w->client, text, strlen(text), w->now, WALL + later_s, &skipped),
		0);
	return skipped;
}

static void save_one(char *text, size_t size)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	m.keep = true;
	postern_mapping_add_description(&m, "web");
	world_map(&w, &m);
	cr_assert_lt(save(&w, text, size), size);
	world_fini(&w);
}

Test(client, a_text_of_facts_is_measured_before_it_is_written)
{
	struct postern_mapping m = world_want();
	char small[8], whole[2048];
	struct world w;
	size_t n;

	world_init(&w, 1);
	world_map(&w, &m);
	n = save(&w, NULL, 0);
	cr_expect_eq(save(&w, small, sizeof small), n);
	cr_expect_eq(save(&w, whole, sizeof whole), n);
	cr_expect_eq(strlen(whole), n);
	cr_expect_eq(whole[n - 1], '\n');
	world_fini(&w);
}

Test(client, what_is_loaded_is_held_and_asked_for_no_more)
{
	struct postern_mapping m = world_want();
	struct postern_event e;
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	cr_expect_eq(load(&w, text, 600), 0);
	world_expect_state(&w, 0, POSTERN_STATE_MAPPED);
	world_no_news(&w);
	m.keep = true;
	postern_mapping_add_description(&m, "web");
	cr_expect_eq(postern_client_map(w.client, &m, w.now), 0, "the same one");
	e = world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(e.external.port, 40001);
	cr_expect_eq(e.lifetime_s, 3000);
	world_pass(&w, 1100);
	cr_expect_eq(w.n_seen, 0);
	world_pass(&w, 600);
	cr_expect_eq(w.n_seen, 1, "renewed at half its life");
	cr_expect_eq(w.servers[0].last.external_port, 40001);
	world_fini(&w);
}

Test(client, what_is_loaded_keeps_its_nonce)
{
	struct postern_mapping m = world_want();
	char text[2048], first[2048], *nonce;
	struct world w;

	save_one(text, sizeof text);
	load(&w, text, 1);
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	save(&w, first, sizeof first);
	nonce = strstr(text, "mapping");
	for (int i = 0; i < 10; i++)
		nonce = strchr(nonce, ' ') + 1;
	nonce[24] = '\0';
	cr_expect_eq(strlen(nonce), 24);
	cr_expect_not_null(strstr(first, nonce), "%s in %s", nonce, first);
	world_fini(&w);
}

Test(client, a_wish_for_other_options_is_asked_for_at_once_with_the_old_nonce)
{
	struct postern_mapping m = world_want();
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	load(&w, text, 60);
	cr_expect_eq(postern_client_map(w.client, &m, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 1);
	cr_expect_eq(w.servers[0].last.external_port, 40001);
	world_fini(&w);
}

// A server may be found only after the caller asked, and what is known of it is loaded then.
Test(client, a_wish_that_was_not_sent_yet_takes_over_what_is_loaded_later)
{
	struct postern_mapping m = world_want();
	char text[2048];
	unsigned skipped;
	struct world w;

	save_one(text, sizeof text);
	world_init(&w, 2);
	m.keep = true;
	postern_mapping_add_description(&m, "web");
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_assert_eq(
		postern_client_load(w.client, text, strlen(text), w.now, WALL + 600, &skipped), 0);
	cr_expect_eq(skipped, 0);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).lifetime_s, 3000);
	world_expect_state(&w, 0, POSTERN_STATE_MAPPED);
	world_pass(&w, 1100);
	cr_expect_eq(w.n_seen, 0, "it is held");
	world_pass(&w, 600);
	cr_expect_eq(w.n_seen, 1, "renewed at half its life");
	cr_expect_eq(w.servers[0].last.external_port, 40001);
	cr_expect_not_null(strstr(text, "mapping"));
	world_fini(&w);
}

Test(client, a_wish_for_other_options_that_was_not_sent_yet_takes_over_the_nonce)
{
	struct postern_mapping m = world_want();
	char text[2048], after[2048], *nonce;
	unsigned skipped;
	struct world w;

	save_one(text, sizeof text);
	nonce = strstr(text, "mapping");
	for (int i = 0; i < 10; i++)
		nonce = strchr(nonce, ' ') + 1;
	world_init(&w, 2);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_assert_eq(
		postern_client_load(w.client, text, strlen(text), w.now, WALL + 60, &skipped), 0);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 1, "asked for at once");
	cr_expect_eq(w.servers[0].last.external_port, 40001);
	save(&w, after, sizeof after);
	nonce[24] = '\0';
	cr_expect_not_null(strstr(after, nonce), "%s in %s", nonce, after);
	world_fini(&w);
}

Test(client, a_delete_that_was_not_sent_yet_takes_over_the_nonce)
{
	struct postern_mapping m = world_want();
	uint8_t nonce[12];
	char text[2048], *at;
	unsigned skipped;
	struct world w;

	save_one(text, sizeof text);
	at = strstr(text, "mapping");
	for (int i = 0; i < 10; i++)
		at = strchr(at, ' ') + 1;
	for (int i = 0; i < 12; i++)
		cr_assert_eq(sscanf(at + 2 * i, "%2hhx", &nonce[i]), 1);
	world_init(&w, 2);
	m.lifetime_s = 0;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_assert_eq(
		postern_client_load(w.client, text, strlen(text), w.now, WALL + 60, &skipped), 0);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 1);
	cr_expect_arr_eq(w.servers[0].last.nonce.b, nonce, 12);
	world_fini(&w);
}

Test(client, a_wish_with_a_nonce_of_its_own_takes_over_nothing)
{
	struct postern_mapping m = world_want();
	char text[2048];
	unsigned skipped;
	struct world w;

	save_one(text, sizeof text);
	world_init(&w, 2);
	m.has_nonce = true;
	memset(m.nonce, 7, sizeof m.nonce);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_assert_eq(
		postern_client_load(w.client, text, strlen(text), w.now, WALL + 60, &skipped), 0);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 1);
	cr_expect_eq(w.servers[0].last.nonce.b[0], 7);
	world_fini(&w);
}

static int load_into(struct world *w, const char *text)
{
	unsigned skipped;

	return postern_client_load(w->client, text, strlen(text), w->now, WALL + 60, &skipped);
}

// It begins to count anew with each address of a server, but what was sent was sent.
Test(client, a_wish_that_was_sent_to_another_address_takes_over_nothing)
{
	struct postern_mapping m = world_want();
	struct postern_client_options o = world_options(2);
	struct pcp_nonce nonce;
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	world_init_bare(&w, &o);
	world_add(&w, POSTERN_CONFIGURED, 2)->silent = true;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	world_exchange(&w);
	nonce = w.servers[0].last.nonce;
	postern_client_unreachable(w.client, &w.servers[0].at[0], w.now);
	cr_assert_eq(load_into(&w, text), 0);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 2);
	cr_expect(pcp_nonce_eq(w.servers[0].last.nonce, nonce));
	world_fini(&w);
}

Test(client, what_was_deleted_before_it_was_known_is_loaded_by_itself)
{
	struct postern_mapping m = world_want();
	struct postern_event e;
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	world_init(&w, 2);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_assert_eq(postern_client_delete(w.client, 0, w.now), 0);
	world_news(&w, POSTERN_DELETED);
	cr_assert_eq(load_into(&w, text), 0);
	world_expect_state(&w, 1, POSTERN_STATE_MAPPED);
	cr_expect_not(postern_client_event(w.client, &e), "nobody asked for it");
	world_fini(&w);
}

// Rather none than another: that what is held is another one changes nothing.
static void expect_the_preferred(bool is_late)
{
	struct postern_mapping m = world_want();
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	world_init(&w, 2);
	m.keep = m.prefer_failure = true;
	m.external.port = 8080;
	if (!is_late)
		cr_assert_eq(load_into(&w, text), 0);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	if (is_late)
		cr_assert_eq(load_into(&w, text), 0);
	world_no_news(&w);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 1);
	cr_expect(w.servers[0].last_prefer_failure);
	cr_expect_eq(w.servers[0].last.external_port, 8080);
	world_fini(&w);
}

Test(client, a_wish_for_one_port_alone_is_not_content_with_a_loaded_one)
{
	expect_the_preferred(false);
}

Test(client, a_wish_for_one_port_alone_takes_over_only_the_nonce_of_another)
{
	expect_the_preferred(true);
}

Test(client, what_is_loaded_is_not_kept_until_it_is_asked_for)
{
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	load(&w, text, 60);
	world_pass(&w, 3600);
	cr_expect_eq(w.n_seen, 0);
	world_no_news(&w);
	cr_expect_eq(postern_client_renew(w.client, 0, w.now), -22, "it is forgotten");
	world_fini(&w);
}

Test(client, what_expired_and_what_is_not_ours_is_skipped)
{
	struct postern_mapping m = world_want();
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	cr_expect_eq(load(&w, text, 3601), 1);
	world_fini(&w);
	world_init(&w, 1);
	{
		static const uint8_t other[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 99};
		unsigned skipped;

		postern_client_source(w.client, w.servers[0].id, 0, other, false, w.now);
		cr_expect_eq(
			postern_client_load(w.client, text, strlen(text), w.now, WALL, &skipped),
			0);
		cr_expect_eq(skipped, 1, "made from another source");
		cr_expect_eq(postern_client_map(w.client, &m, w.now), 0);
		world_exchange(&w);
		cr_expect_eq(w.n_seen, 1);
	}
	world_fini(&w);
}

Test(client, a_restart_of_the_server_while_nobody_ran_is_noticed)
{
	struct postern_mapping m = world_want();
	char text[2048];
	struct world w;

	save_one(text, sizeof text);
	load(&w, text, 600);
	w.servers[0].booted = w.now - 20 * NS_PER_S;
	m.keep = true;
	postern_mapping_add_description(&m, "web");
	postern_client_map(w.client, &m, w.now);
	world_news(&w, POSTERN_MAPPED);
	postern_client_announce(w.client, w.servers[0].id, w.now);
	world_pass(&w, 2);
	world_news(&w, POSTERN_RESTARTED);
	cr_expect_eq(w.servers[0].last.opcode, PCP_MAP);
	world_fini(&w);
}

Test(client, a_wall_clock_that_went_back_makes_no_mapping_longer)
{
	char text[2048];
	struct world w;
	unsigned skipped;

	save_one(text, sizeof text);
	world_init(&w, 3);
	cr_assert_eq(
		postern_client_load(w.client, text, strlen(text), w.now, WALL - 100000, &skipped),
		0);
	cr_expect_leq(world_fact(&w, 0, w.servers[0].id).expires_ns, w.now + 3600 * NS_PER_S);
	world_fini(&w);
}

Test(client, lines_that_are_not_understood_are_skipped_and_counted)
{
	static const char *const lines[] = {"nonsense", "mapping", "mapping 1 2 3",
		"server x 1 2 3", "server 100.64.0.1 5351 -1 3", "mapping  100.64.0.1 5351",
		"mapping 100.64.0.1 99999 100.64.0.10 6 8080 :: 0 203.0.113.5 40001 "
		"00112233445566778899aabb 3600 3600 1700003600 0 1 -",
		"mapping 100.64.0.1 5351 100.64.0.10 6 8080 :: 0 203.0.113.5 40001 "
		"00112233445566778899aab 3600 3600 1700003600 0 1 -",
		"mapping 100.64.0.1 5351 100.64.0.10 6 8080 :: 0 203.0.113.5 40001 "
		"00112233445566778899aabb 3600 3600 1700003600 0 1 - more",
		"mapping 100.64.0.1 5351 100.64.0.10 6 8080 :: 0 203.0.113.5 40001 "
		"00112233445566778899aabb 3600 3600 1700003600 0 1 aabb"};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct world w;

		cr_expect_eq(load(&w, lines[i], 0), 1, "%s", lines[i]);
		world_fini(&w);
	}
}

Test(client, a_broken_text_does_no_harm)
{
	char text[2048], copy[2048];
	struct rng rng;

	save_one(text, sizeof text);
	rng_init_u64(&rng, 4);
	for (int i = 0; i < 20000; i++) {
		size_t n = strlen(text);
		unsigned skipped;
		struct world w;

		memcpy(copy, text, n);
		for (int k = 0; k < 3; k++)
			copy[rng_below(&rng, (uint32_t)n)] = (char)rng_u32(&rng);
		world_init(&w, 2);
		cr_assert_eq(postern_client_load(w.client, copy, rng_below(&rng, (uint32_t)n + 1),
				     w.now, WALL, &skipped),
			0);
		world_fini(&w);
	}
}

Test(client, two_servers_hold_one_mapping_after_loading_too)
{
	struct postern_mapping m = world_want();
	char text[4096];
	unsigned skipped;
	struct world w;

	world_init(&w, 1);
	world_add(&w, POSTERN_ROUTER, 1);
	m.keep = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	save(&w, text, sizeof text);
	world_fini(&w);
	world_init(&w, 5);
	world_add(&w, POSTERN_ROUTER, 1);
	cr_assert_eq(postern_client_load(w.client, text, strlen(text), w.now, WALL, &skipped), 0);
	cr_expect_eq(skipped, 0);
	cr_expect_eq(postern_client_map(w.client, &m, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 0);
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).state, POSTERN_STATE_MAPPED);
	cr_expect_eq(world_fact(&w, 0, w.servers[1].id).state, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, a_secret_finds_the_nonces_again_without_a_text)
{
	struct postern_mapping m = world_want();
	struct pcp_nonce nonce[2][2];

	for (unsigned run = 0; run < 2; run++) {
		struct postern_client_options o = world_options(100 + run);
		struct world w;

		o.has_secret = true;
		o.secret[5] = 7;
		world_init_bare(&w, &o);
		world_add(&w, POSTERN_ROUTER, 1);
		world_add(&w, POSTERN_ROUTER, 1);
		postern_client_map(w.client, &m, w.now);
		world_exchange(&w);
		for (unsigned i = 0; i < 2; i++)
			nonce[run][i] = w.servers[i].last.nonce;
		world_fini(&w);
	}
	cr_expect(pcp_nonce_eq(nonce[0][0], nonce[1][0]));
	cr_expect(pcp_nonce_eq(nonce[0][1], nonce[1][1]));
	cr_expect_not(pcp_nonce_eq(nonce[0][0], nonce[0][1]), "each server its own");
}

Test(client, whatever_tells_mappings_apart_changes_the_nonce_of_a_secret)
{
	static const uint8_t host[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 77};
	struct postern_mapping m[6];
	struct pcp_nonce nonce[6];
	struct postern_client_options o = world_options(1);

	for (unsigned i = 0; i < 6; i++) {
		struct world w;

		m[i] = world_want();
		m[i].protocol = i == 1 ? 17 : 6;
		m[i].internal_port = i == 2 ? 99 : 8080;
		if (i == 3)
			m[i].peer = world_ip4(198, 51, 100, 1);
		if (i == 4)
			postern_mapping_add_third_party(&m[i], host);
		o.has_secret = true;
		o.secret[0] = i == 5;
		world_init_bare(&w, &o);
		world_add(&w, POSTERN_ROUTER, 1);
		postern_client_map(w.client, &m[i], w.now);
		world_exchange(&w);
		nonce[i] = w.servers[0].last.nonce;
		for (unsigned k = 0; k < i; k++)
			cr_expect_not(pcp_nonce_eq(nonce[i], nonce[k]), "%u %u", i, k);
		world_fini(&w);
	}
}
