// SPDX-License-Identifier: Apache-2.0
// The rules for clients of RFC 6887 (s.8.1, s.8.3, s.11.2, s.11.4, s.12.4), sentence by sentence,
// as far as they are not in the files of their own subjects: retransmission and renewal times in
// requests.c and schedule.c, matching and errors in receive.c, the Epoch in epoch.c.
#include "world.h"

Test(client, rfc6887_s8_1_the_header_carries_the_source_the_socket_has)
{
	static const uint8_t six[16] = {0x20, 1, 0x0d, 0xb8, [15] = 7};
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	postern_client_source(w.client, w.servers[0].id, 0, six, false, w.now);
	world_map(&w, &m);
	cr_expect_arr_eq(w.servers[0].last.client.b, six, 16);
	cr_expect_arr_eq(w.servers[0].last_datagram.source, six, 16);
	world_fini(&w);
}

Test(client, rfc6887_s11_2_nonces_are_new_at_each_start)
{
	struct postern_mapping m = world_want();
	struct pcp_nonce first = {{0}};

	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct world w;

		world_init(&w, seed);
		world_map(&w, &m);
		cr_expect(seed == 1 || !pcp_nonce_eq(first, w.servers[0].last.nonce));
		first = w.servers[0].last.nonce;
		world_fini(&w);
	}
}

Test(client, rfc6887_s11_2_96_bits_of_a_nonce_are_drawn)
{
	uint8_t some_set[12] = {0}, all_set[12];
	struct postern_mapping m = world_want();

	memset(all_set, 0xff, sizeof all_set);
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;

		world_init(&w, seed);
		world_map(&w, &m);
		for (int i = 0; i < 12; i++) {
			some_set[i] |= w.servers[0].last.nonce.b[i];
			all_set[i] &= w.servers[0].last.nonce.b[i];
		}
		world_fini(&w);
	}
	for (int i = 0; i < 12; i++)
		cr_expect(some_set[i] == 0xff && all_set[i] == 0);
}

Test(client, rfc6887_s8_1_1_the_jitter_is_drawn_afresh_for_each_transmission)
{
	struct postern_mapping m = world_want();
	struct world w;
	unsigned same = 0;

	world_init(&w, 4);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 20000);
	cr_assert_geq(w.n_seen, 20);
	for (unsigned i = 12; i < w.n_seen; i++) { // at the longest wait
		ns wait = w.seen[i].at - w.seen[i - 1].at;

		cr_expect(wait >= 921 * NS_PER_S && wait <= 1127 * NS_PER_S);
		same += wait == w.seen[i - 1].at - w.seen[i - 2].at;
	}
	cr_expect_eq(same, 0);
	world_fini(&w);
}

Test(client, rfc6887_s8_1_1_a_request_is_repeated_without_end)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 4);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 30 * 86400);
	cr_expect(w.n_seen > 2200 && w.n_seen < 2700, "%u in a month", w.n_seen);
	w.servers[0].silent = false;
	world_pass(&w, 1127);
	world_expect_state(&w, 0, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, rfc6887_s8_3_answers_longer_than_1100_octets_are_not_taken)
{
	static uint8_t msg[1200];
	struct postern_mapping m = world_want();
	struct world w;
	size_t len;

	world_init(&w, 1);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	len = world_grant(&w, &w.servers[0], msg);
	memset(msg + len, 0, sizeof msg - len);
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, 1104));
	cr_expect_eq(postern_client_counters(w.client)->malformed, 1);
	cr_expect(world_deliver(&w, &w.servers[0], msg, 1100));
	world_fini(&w);
}

Test(client, rfc6887_s8_3_several_answers_to_one_request_are_expected)
{
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	struct world w;

	world_init(&w, 1);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	for (uint16_t port = 40001; port < 40010; port++) {
		w.servers[0].external_port = port;
		cr_expect(
			world_deliver(&w, &w.servers[0], msg, world_grant(&w, &w.servers[0], msg)));
	}
	cr_expect_eq(world_news(&w, POSTERN_CHANGED).external.port, 40009, "the newest");
	world_no_news(&w);
	world_fini(&w);
}

Test(client, rfc6887_s11_4_what_is_cut_of_a_lifetime_is_counted)
{
	struct postern_client_options o = world_options(1);
	struct postern_mapping m = world_want();
	struct world w;

	o.longest_lifetime_s = 600;
	world_init_bare(&w, &o);
	world_add(&w, POSTERN_ROUTER, 1);
	m.lifetime_s = UINT32_MAX;
	w.servers[0].lifetime_s = UINT32_MAX;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).lifetime_s, 600);
	cr_expect_eq(postern_client_counters(w.client)->lifetimes_cut, 1);
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).expires_ns, w.now + 600 * NS_PER_S);
	world_fini(&w);
}

Test(client, rfc6887_s8_3_an_errors_lifetime_is_cut_as_well)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	m.keep = true;
	w.servers[0].result = PCP_USER_EX_QUOTA;
	w.servers[0].lifetime_s = UINT32_MAX;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_expect_state(&w, 0, POSTERN_STATE_ERROR_WAIT);
	world_pass(&w, 86399);
	cr_expect_eq(w.n_seen, 1);
	world_pass(&w, 2);
	cr_expect_eq(w.n_seen, 2);
	world_fini(&w);
}

Test(client, rfc6887_s8_3_an_error_of_no_lifetime_makes_no_storm)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	m.keep = true;
	w.servers[0].result = PCP_USER_EX_QUOTA;
	w.servers[0].lifetime_s = 0; // as miniupnpd says it
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 100);
	cr_expect(w.n_seen > 1 && w.n_seen <= 26, "%u requests", w.n_seen);
	world_fini(&w);
}

Test(client, rfc6887_s8_1_address_mismatch_is_a_nat_between_us)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	w.servers[0].result = PCP_ADDRESS_MISMATCH;
	w.servers[0].lifetime_s = 1800;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_REFUSED).result, PCP_ADDRESS_MISMATCH);
	cr_expect_eq(world_news(&w, POSTERN_INNER_NAT).id, -1);
	world_fini(&w);
}

Test(client, rfc6887_s14_1_3_an_announcement_of_another_server_is_not_ours)
{
	struct postern_mapping m = world_want();
	struct world_server other;
	struct world w;

	world_init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	world_pass(&w, 600);
	other = w.servers[0];
	other.booted = w.now;
	other.at[0].ip[15] = 9;
	cr_expect_not(world_announce(&w, &other));
	world_pass(&w, 10);
	cr_expect_eq(w.n_seen, 1);
	cr_expect_eq(postern_client_counters(w.client)->not_from_server, 1);
	world_fini(&w);
}

Test(client, rfc6887_s5_no_preference_keeps_to_the_family_that_was_named)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	m.external.ip[0] = 0x20;
	m.external.ip[15] = 1;
	m.external.port = 99;
	world_map(&w, &m);
	cr_expect_eq(w.seen[0].msg.external_ip.b[0], 0x20);
	postern_client_delete(w.client, 0, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_DELETED);
	world_fini(&w);
}

Test(client, a_renewal_asks_for_what_is_held_and_the_old_state_lasts_meanwhile)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	world_map(&w, &m);
	w.servers[0].silent = true;
	postern_client_renew(w.client, 0, w.now + NS_PER_S);
	world_pass(&w, 2);
	world_expect_state(&w, 0, POSTERN_STATE_REFRESHING);
	world_pass(&w, 3600);
	world_expect_state(&w, 0, POSTERN_STATE_WAIT_RESPONSE);
	world_news(&w, POSTERN_SERVER_GONE);
	world_news(&w, POSTERN_LOST);
	world_fini(&w);
}

Test(client, a_refused_renewal_by_hand_leaves_what_is_held)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	world_map(&w, &m);
	w.servers[0].result = PCP_NETWORK_FAILURE;
	w.servers[0].lifetime_s = 30;
	postern_client_renew(w.client, 0, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	world_expect_state(&w, 0, POSTERN_STATE_MAPPED);
	world_pass(&w, 3601);
	world_news(&w, POSTERN_LOST);
	world_expect_state(&w, 0, POSTERN_STATE_ENDED);
	world_fini(&w);
}

Test(client, what_never_left_is_deleted_without_asking)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	postern_client_source(w.client, w.servers[0].id, 0, NULL, false, w.now);
	postern_client_map(w.client, &m, w.now);
	cr_expect_eq(postern_client_delete(w.client, 0, w.now), 0);
	world_news(&w, POSTERN_DELETED);
	world_expect_state(&w, 0, POSTERN_STATE_ENDED);
	world_fini(&w);
}
