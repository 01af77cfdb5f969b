// SPDX-License-Identifier: Apache-2.0
#include "world.h"

Test(client, a_silent_server_is_asked_again_and_again_the_same)
{
	struct world w;
	struct postern_mapping m = world_want();
	struct pcp_nonce nonce = {{0}};
	ns base = 3 * NS_PER_S, before;

	world_init(&w, 5);
	w.servers[0].silent = true;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	for (unsigned k = 1; k <= 12; k++) {
		world_exchange(&w);
		cr_assert_eq(w.servers[0].requests, k);
		if (k == 1)
			nonce = w.servers[0].last.nonce;
		cr_assert(pcp_nonce_eq(w.servers[0].last.nonce, nonce));
		before = w.now;
		w.now = postern_client_deadline(w.client);
		cr_assert(w.now - before >= base - base / 10 && w.now - before <= base + base / 10);
		base = 2 * (w.now - before);
		base = base > 1024 * NS_PER_S ? 1024 * NS_PER_S : base;
	}
	world_news(&w, POSTERN_SERVER_GONE);
	world_no_news(&w);
	world_fini(&w);
}

Test(client, an_icmp_error_about_the_only_address_changes_nothing)
{
	struct world w;
	struct postern_mapping m = world_want();
	ns due;

	world_init(&w, 5);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	due = postern_client_deadline(w.client);
	postern_client_unreachable(w.client, &w.servers[0].at[0], w.now);
	world_no_news(&w);
	cr_expect_eq(postern_client_deadline(w.client), due);
	w.servers[0].silent = false;
	world_pass(&w, 4);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, under_heavy_loss_every_mapping_is_granted_in_the_end)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;
		struct postern_mapping m = world_want();

		world_init(&w, seed);
		w.loss = 60;
		cr_assert_geq(postern_client_map(w.client, &m, w.now), 0);
		for (int k = 0; k < 400 && w.servers[0].requests < 400; k++) {
			bool granted = false;
			struct postern_event e;

			world_exchange(&w);
			while (postern_client_event(w.client, &e))
				granted = granted || e.what == POSTERN_MAPPED;
			if (granted)
				break;
			w.now = postern_client_deadline(w.client);
		}
		cr_assert(w.servers[0].has_held, "seed %zu", (size_t)seed);
		world_fini(&w);
	}
}

Test(client, a_kept_mapping_is_renewed_once_at_half_its_life)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 6);
	m.keep = true;
	world_map(&w, &m);
	world_pass(&w, 1799);
	cr_expect_eq(w.servers[0].requests, 1);
	world_pass(&w, 452);
	cr_expect_eq(w.servers[0].requests, 2);
	cr_expect_eq(w.servers[0].last.external_port, 40001, "the pair it has is the hint");
	cr_expect(ip6_eq(w.servers[0].last.external_ip, ip6_mapped(0xcb007105)));
	cr_expect_eq(w.servers[0].last.lifetime_s, 3600);
	world_news(&w, POSTERN_MAPPED);
	world_no_news(&w);
	world_fini(&w);
}

Test(client, unanswered_renewals_come_closer_but_never_flood)
{
	struct world w;
	struct postern_mapping m = world_want();
	int id;

	world_init(&w, 7);
	m.keep = true;
	id = world_map(&w, &m);
	w.servers[0].silent = true;
	world_pass(&w, 3599);
	cr_expect(w.servers[0].requests >= 9 && w.servers[0].requests <= 12, "%u requests",
		w.servers[0].requests);
	world_news(&w, POSTERN_SERVER_GONE);
	world_no_news(&w);
	world_pass(&w, 2);
	cr_expect_eq(world_news(&w, POSTERN_LOST).id, id);
	w.servers[0].silent = false; // and it is being asked for again, with the old pair as a hint
	world_pass(&w, 10);
	world_news(&w, POSTERN_SERVER_BACK);
	world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(w.servers[0].last.external_port, 40001);
	world_fini(&w);
}

Test(client, a_kept_mapping_survives_a_day_of_loss_on_a_short_lifetime)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w;
		struct postern_mapping m = world_want();

		world_init(&w, seed);
		w.servers[0].lifetime_s = 120;
		m.keep = true;
		world_map(&w, &m);
		w.loss = 30;
		world_pass(&w, 86400);
		w.loss = 0;
		world_pass(&w, 200);
		cr_assert(w.servers[0].has_held && w.servers[0].held_until > w.now);
		cr_assert_lt(w.servers[0].requests, 86400 / 4, "never more than one in 4 s");
		world_fini(&w);
	}
}

Test(client, a_lifetime_of_a_second_does_not_make_a_flood)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 8);
	w.servers[0].lifetime_s = 1;
	m.keep = true;
	world_map(&w, &m);
	world_pass(&w, 100);
	cr_expect_leq(w.servers[0].requests, 26);
	world_fini(&w);
}

Test(client, a_mapping_that_is_not_kept_is_told_to_have_expired)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 8);
	world_map(&w, &m);
	world_pass(&w, 3601);
	cr_expect_eq(w.servers[0].requests, 1);
	world_news(&w, POSTERN_LOST);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_fini(&w);
}

Test(client, renew_asks_at_once)
{
	struct world w;
	struct postern_mapping m = world_want();
	int id;

	world_init(&w, 9);
	id = world_map(&w, &m);
	world_pass(&w, 10);
	cr_assert_eq(postern_client_renew(w.client, id, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(w.servers[0].requests, 2);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).external.port, 40001);
	world_fini(&w);
}

Test(client, announce_tells_the_epoch)
{
	struct world w;
	uint32_t epoch_s;

	world_init(&w, 10);
	w.servers[0].silent = true;
	postern_client_announce(w.client, w.servers[0].id, w.now);
	world_pass(&w, 5);
	cr_expect_eq(w.servers[0].requests, 2);
	cr_expect_eq(w.servers[0].last.opcode, PCP_ANNOUNCE);
	cr_expect_eq(w.servers[0].last.lifetime_s, 0);
	w.servers[0].silent = false;
	world_pass(&w, 10);
	epoch_s = world_news(&w, POSTERN_ANNOUNCED).epoch_s;
	cr_expect(epoch_s >= 1008 && epoch_s <= 1010, "third try, about 9 s: %u", epoch_s);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_fini(&w);
}
