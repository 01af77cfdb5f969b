// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static bool deliver(struct world *w, const uint8_t *msg, size_t len)
{
	return world_deliver(w, &w->servers[0], msg, len);
}

static int ask(struct world *w)
{
	struct postern_mapping m = world_want();
	int id = postern_client_map(w->client, &m, w->now);

	w->servers[0].silent = true;
	world_exchange(w);
	w->servers[0].silent = false;
	return id;
}

Test(client, only_the_answer_that_was_asked_for_is_taken)
{
	static const struct {
		const char *what;
		size_t octet;
		uint8_t bits;
	} spoils[] = {{"version", 0, 1}, {"R bit", 1, 0x80}, {"opcode", 1, 2}, {"nonce", 24, 1},
		{"nonce", 35, 0x80}, {"protocol", 36, 1}, {"internal port", 40, 1},
		{"internal port", 41, 1}};
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 1);
	ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	for (size_t i = 0; i < ARRAY_SIZE(spoils); i++) {
		msg[spoils[i].octet] ^= spoils[i].bits;
		cr_expect_not(deliver(&w, msg, len), "%s", spoils[i].what);
		msg[spoils[i].octet] ^= spoils[i].bits;
	}
	cr_expect_not(deliver(&w, msg, len - 4), "cut");
	cr_expect_not(deliver(&w, msg, len + 1), "not a multiple of 4");
	cr_expect_not(deliver(&w, msg, 0), "empty");
	world_no_news(&w);
	cr_expect(deliver(&w, msg, len));
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, an_answer_from_elsewhere_is_not_taken)
{
	uint8_t msg[PCP_MAX];
	struct world w;
	struct postern_endpoint from;
	size_t len;

	world_init(&w, 1);
	ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	from = w.servers[0].at[0];
	from.port = 5352;
	cr_expect_not(world_deliver_to(&w, &from, world_source(), msg, len));
	from = w.servers[0].at[0];
	from.ip[15] = 2;
	cr_expect_not(world_deliver_to(&w, &from, world_source(), msg, len));
	cr_expect_eq(postern_client_counters(w.client)->not_from_server, 2);
	world_no_news(&w);
	world_fini(&w);
}

Test(client, unknown_options_in_an_answer_are_ignored)
{
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 1);
	ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	len = pcp_append_option(msg, len, sizeof msg, 42, "abc", 3);
	cr_expect(deliver(&w, msg, len));
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, a_grant_tells_everything_about_the_mapping)
{
	struct world w;
	struct postern_mapping m = world_want();
	struct postern_event r;
	int id;

	world_init(&w, 1);
	w.servers[0].lifetime_s = 1800;
	w.servers[0].booted = w.now - 100 * NS_PER_S;
	id = postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	r = world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(r.id, id);
	cr_expect_eq(r.result, 0);
	cr_expect_eq(r.protocol, 6);
	cr_expect_eq(r.internal_port, 8080);
	cr_expect_eq(r.external.port, 40001);
	cr_expect_eq(r.external.ip[12], 203);
	cr_expect_eq(r.lifetime_s, 1800);
	cr_expect_eq(r.epoch_s, 100);
	cr_expect_arr_eq(r.nonce, w.servers[0].last.nonce.b, 12);
	world_fini(&w);
}

Test(client, lifetimes_beyond_a_day_are_not_believed)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	m.lifetime_s = UINT32_MAX;
	w.servers[0].lifetime_s = UINT32_MAX;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).lifetime_s, 86400);
	world_fini(&w);
}

Test(client, a_second_copy_of_an_answer_is_no_news)
{
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 1);
	ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect(deliver(&w, msg, len));
	world_news(&w, POSTERN_MAPPED);
	cr_expect(deliver(&w, msg, len));
	world_no_news(&w);
	world_fini(&w);
}

Test(client, a_mapping_update_tells_the_new_pair)
{
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 1);
	ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	deliver(&w, msg, len);
	world_news(&w, POSTERN_MAPPED);
	w.servers[0].external_port = 40100;
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect(deliver(&w, msg, len));
	cr_expect_eq(world_news(&w, POSTERN_CHANGED).external.port, 40100);
	world_fini(&w);
}

Test(client, with_prefer_failure_another_pair_is_no_success)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	m.external.port = 443;
	m.prefer_failure = true;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	world_exchange(&w); // the server gives 40001
	world_no_news(&w);
	w.servers[0].result = PCP_CANNOT_PROVIDE_EXTERNAL;
	w.servers[0].lifetime_s = 30;
	world_pass(&w, 4);
	cr_expect_eq(world_news(&w, POSTERN_REFUSED).result, PCP_CANNOT_PROVIDE_EXTERNAL);
	world_fini(&w);
}

Test(client, every_error_ends_a_request_and_is_told_with_its_lifetime)
{
	for (uint8_t code = 2; code < PCP_RESULT_COUNT; code++) {
		struct world w;
		struct postern_mapping m = world_want();
		struct postern_event r;

		world_init(&w, code);
		w.servers[0].result = code;
		w.servers[0].lifetime_s = 77;
		cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
		world_pass(&w, 1000);
		r = world_news(&w, POSTERN_REFUSED);
		cr_expect_eq(r.result, code);
		cr_expect_eq(r.lifetime_s, 77);
		cr_expect_eq(w.servers[0].requests, 1);
		world_fini(&w);
	}
}

// The server's state changed between two copies of one request: the second one was granted.
Test(client, rfc6887_s8_a_success_after_an_error_is_taken_though_nothing_is_asked_any_more)
{
	uint8_t msg[PCP_MAX];
	struct postern_mapping m = world_want();
	struct postern_event r;
	struct world w;
	size_t len;
	int id;

	world_init(&w, 1);
	w.servers[0].result = PCP_NO_RESOURCES;
	w.servers[0].lifetime_s = 30;
	id = postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	w.servers[0].result = PCP_SUCCESS;
	w.servers[0].lifetime_s = 3600;
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect(deliver(&w, msg, len));
	r = world_news(&w, POSTERN_MAPPED);
	cr_expect(r.id == id && r.external.port == 40001);
	cr_expect(deliver(&w, msg, len), "once more");
	world_no_news(&w);
	world_pass(&w, 3600);
	cr_expect_eq(world_news(&w, POSTERN_LOST).id, id);
	cr_expect_eq(w.servers[0].requests, 1);
	world_fini(&w);
}

Test(client, rfc6887_s8_a_deletion_after_an_error_is_taken_as_well)
{
	uint8_t msg[PCP_MAX];
	struct postern_mapping m = world_want();
	struct world w;
	size_t len;
	int id;

	world_init(&w, 1);
	id = world_map(&w, &m);
	w.servers[0].result = PCP_NETWORK_FAILURE;
	w.servers[0].lifetime_s = 30;
	cr_assert_eq(postern_client_delete(w.client, id, w.now), 0);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_SUCCESS;
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect(deliver(&w, msg, len));
	cr_expect_eq(world_news(&w, POSTERN_DELETED).id, id);
	cr_expect_not(deliver(&w, msg, len), "that was the end of it");
	world_fini(&w);
}

Test(client, a_second_copy_of_an_error_is_no_news)
{
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 1);
	ask(&w);
	w.servers[0].result = PCP_USER_EX_QUOTA;
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect(deliver(&w, msg, len));
	world_news(&w, POSTERN_REFUSED);
	cr_expect(deliver(&w, msg, len));
	world_no_news(&w);
	world_fini(&w);
}

// What was refused listens on, but not to what a later mapping of the same nonce is answered.
Test(client, a_new_request_for_a_refused_mapping_gets_the_answer)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	m.has_nonce = true;
	w.servers[0].result = PCP_USER_EX_QUOTA;
	w.servers[0].lifetime_s = 30;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_SUCCESS;
	w.servers[0].lifetime_s = 3600;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 1);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).id, 1);
	world_no_news(&w);
	world_fini(&w);
}

Test(client, a_refused_mapping_is_not_asked_for_before_its_time)
{
	struct world w;
	struct postern_mapping m = world_want();
	int id;

	world_init(&w, 1);
	w.servers[0].result = PCP_USER_EX_QUOTA;
	w.servers[0].lifetime_s = 30;
	id = postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_SUCCESS;
	w.servers[0].lifetime_s = 3600;
	cr_assert_eq(postern_client_renew(w.client, id, w.now), 0);
	world_pass(&w, 29);
	cr_expect_eq(w.servers[0].requests, 1);
	world_pass(&w, 2);
	cr_expect_eq(w.servers[0].requests, 2);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, no_resources_holds_back_new_mappings_but_not_renewals)
{
	struct world w;
	struct postern_mapping m = world_want();
	int held;

	world_init(&w, 1);
	held = world_map(&w, &m);
	w.servers[0].result = PCP_NO_RESOURCES;
	w.servers[0].lifetime_s = 30;
	m.internal_port = 8081;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 1);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_SUCCESS;
	w.servers[0].lifetime_s = 3600;
	m.internal_port = 8082;
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 2);
	cr_assert_eq(postern_client_renew(w.client, held, w.now), 0);
	world_pass(&w, 29);
	cr_expect_eq(w.servers[0].last.internal_port, 8080);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).id, held);
	world_no_news(&w);
	world_pass(&w, 2);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).internal_port, 8082);
	world_fini(&w);
}

Test(client, no_resources_on_a_delete_silences_everything)
{
	struct world w;
	struct postern_mapping m = world_want();
	int id;

	world_init(&w, 1);
	id = world_map(&w, &m);
	w.servers[0].result = PCP_NO_RESOURCES;
	w.servers[0].lifetime_s = 30;
	postern_client_delete(w.client, id, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_SUCCESS;
	postern_client_announce(w.client, w.servers[0].id, w.now);
	world_pass(&w, 29);
	cr_expect_eq(w.servers[0].requests, 2);
	world_pass(&w, 2);
	world_news(&w, POSTERN_ANNOUNCED);
	world_fini(&w);
}

Test(client, a_refused_renewal_leaves_the_mapping_and_tries_again_later)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	w.servers[0].result = PCP_NETWORK_FAILURE;
	w.servers[0].lifetime_s = 30;
	world_pass(&w, 2260);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_SUCCESS;
	w.servers[0].lifetime_s = 3600;
	world_pass(&w, 700);
	world_news(&w, POSTERN_MAPPED);
	world_no_news(&w);
	world_fini(&w);
}

Test(client, a_late_create_answer_is_not_taken_for_the_deletion)
{
	uint8_t late[PCP_MAX], msg[PCP_MAX];
	struct world w;
	size_t late_len, len;
	int id;

	world_init(&w, 1);
	id = ask(&w);
	late_len = world_grant(&w, &w.servers[0], late);
	deliver(&w, late, late_len);
	world_news(&w, POSTERN_MAPPED);
	postern_client_delete(w.client, id, w.now);
	w.servers[0].silent = true;
	world_exchange(&w);
	deliver(&w, late, late_len);
	world_no_news(&w);
	len = world_grant(&w, &w.servers[0], msg); // the last request is the delete
	deliver(&w, msg, len);
	world_news(&w, POSTERN_DELETED);
	world_fini(&w);
}

Test(client, a_server_that_keeps_a_deleted_mapping_for_a_while_is_believed)
{
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;
	int id;

	world_init(&w, 1);
	id = ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	deliver(&w, msg, len);
	world_news(&w, POSTERN_MAPPED);
	postern_client_delete(w.client, id, w.now);
	w.servers[0].silent = true;
	world_exchange(&w);
	w.servers[0].last.lifetime_s = 120; // what is left of the idle time (s.15)
	len = world_grant(&w, &w.servers[0], msg);
	deliver(&w, msg, len);
	world_pass(&w, 4);
	cr_expect_eq(world_news(&w, POSTERN_REMAINS).lifetime_s, 120);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_fini(&w);
}

// ---- epoch -----------------------------------------------------------------------------------

Test(client, a_restart_announced_to_all_is_followed_by_requests_spread_over_5_s)
{
	unsigned early = 0;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world w;
		struct postern_mapping m = world_want();

		world_init(&w, seed);
		m.keep = true;
		world_map(&w, &m);
		world_pass(&w, 600);
		w.servers[0].booted = w.now; // the announcement says Epoch 0
		cr_expect(world_announce(&w, &w.servers[0]));
		cr_expect_eq(world_news(&w, POSTERN_RESTARTED).epoch_s, 0);
		world_pass(&w, 2);
		early += w.servers[0].requests == 2;
		world_pass(&w, 4);
		cr_expect_eq(w.servers[0].requests, 2);
		cr_expect_eq(w.servers[0].last.external_port, 40001, "the old pair is the hint");
		world_news(&w, POSTERN_MAPPED);
		world_fini(&w);
	}
	cr_expect(early > 15 && early < 70, "%u of 100 within 2 s", early);
}

Test(client, a_lost_epoch_seen_in_a_reply_renews_the_other_mappings_at_once)
{
	struct world w;
	struct postern_mapping m = world_want();
	int first, second;

	world_init(&w, 1);
	m.keep = true;
	first = world_map(&w, &m);
	m.internal_port = 8081;
	second = world_map(&w, &m);
	world_pass(&w, 600);
	w.servers[0].booted = w.now;
	postern_client_renew(w.client, first, w.now);
	world_exchange(&w);
	cr_expect_eq(w.servers[0].requests, 4);
	world_news(&w, POSTERN_RESTARTED);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).id, first);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).id, second);
	world_fini(&w);
}

// An answer to somebody before us on this address, or to nobody: its Epoch is not looked at.
Test(client, rfc6887_s8_3_the_epoch_of_an_answer_that_matches_nothing_is_not_checked)
{
	uint8_t msg[PCP_MAX];
	struct postern_mapping m = world_want();
	struct world w;
	size_t len;

	world_init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	world_pass(&w, 600);
	w.servers[0].booted = w.now;
	len = world_grant(&w, &w.servers[0], msg);
	msg[24] ^= 1; // another nonce
	cr_expect_not(deliver(&w, msg, len));
	world_no_news(&w);
	world_pass(&w, 10);
	cr_expect_eq(w.servers[0].requests, 1);
	msg[24] ^= 1;
	cr_expect(deliver(&w, msg, len));
	cr_expect_eq(world_news(&w, POSTERN_RESTARTED).epoch_s, 0);
	world_fini(&w);
}

Test(client, a_server_whose_epoch_jumps_about_causes_no_storm)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	m.keep = true;
	for (uint16_t i = 0; i < 4; i++) {
		m.internal_port = (uint16_t)(8080 + i);
		world_map(&w, &m);
	}
	for (int s = 0; s < 60; s++) {
		w.servers[0].booted = s % 2 ? w.now : w.now - 900 * NS_PER_S;
		world_pass(&w, 1);
	}
	cr_expect_leq(w.servers[0].requests, 4 + 4 * 16, "%u requests in a minute",
		w.servers[0].requests);
	world_fini(&w);
}

// ---- hostile answers ---

Test(client, a_million_random_answers_are_survived)
{
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 99);
	ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	for (int i = 0; i < 1000000; i++) {
		uint8_t copy[PCP_MAX];
		struct postern_event r;
		size_t cut = rng_below(&w.rng, (uint32_t)len + 9);

		memcpy(copy, msg, sizeof copy);
		for (int k = 0; k < 3; k++)
			copy[rng_below(&w.rng, 64)] = (uint8_t)rng_u32(&w.rng);
		(void)world_deliver(&w, &w.servers[0], copy, cut);
		while (postern_client_event(w.client, &r))
			cr_assert(r.id >= -1 && r.id < 4);
		w.now += 20 * NS_PER_MS;
	}
	world_fini(&w);
}
