// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const uint8_t private_source[16] = {[10] = 0xff, [11] = 0xff, 192, 168, 0, 10};

static void init(struct world *w, unsigned dialects, unsigned served)
{
	struct postern_client_options o = world_options(11);

	o.dialects = dialects;
	world_init_bare(w, &o);
	world_add(w, POSTERN_CONFIGURED, 1);
	postern_client_source(w->client, w->servers[0].id, 0, private_source, false, w->now);
	w->servers[0].dialects = served;
}

static bool deliver(struct world *w, const uint8_t *msg, size_t len)
{
	return world_deliver_to(w, &w->servers[0].at[0], private_source, msg, len);
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

Test(client, rfc6887_s9_a_server_of_version_1_is_spoken_to_in_version_1)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 0, PCP_SERVES(PCP_V1B));
	m.keep = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_DIALECT).dialect, POSTERN_V1);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).dialect, POSTERN_V1);
	cr_expect_eq(w.n_seen, 2);
	cr_expect_eq(w.seen[1].msg.dialect, PCP_V1B);
	world_fini(&w);
}

Test(client, rfc6887_s9_version_2_is_tried_again_when_the_refusal_has_run_out)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 0, PCP_SERVES(PCP_V1B));
	m.keep = true;
	w.servers[0].lifetime_s = 3600;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_DIALECT);
	world_news(&w, POSTERN_MAPPED);
	postern_client_renew(w.client, 0, w.now);
	world_pass(&w, 1);
	cr_expect_eq(w.seen[2].msg.version, 1, "not yet");
	w.servers[0].dialects = PCP_SERVES(PCP_V2);
	world_pass(&w, 7200);
	cr_expect_eq(w.servers[0].last.version, 2);
	world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(world_news(&w, POSTERN_DIALECT).dialect, POSTERN_V2);
	world_fini(&w);
}

Test(client, rfc6887_s9_a_second_refusal_of_version_2_is_no_news)
{
	struct postern_mapping m = world_want();
	struct postern_event e;
	unsigned dialects = 0;
	struct world w;

	init(&w, 0, PCP_SERVES(PCP_V1B));
	m.keep = true;
	postern_client_map(w.client, &m, w.now);
	for (int i = 0; i < 24; i++) {
		world_pass(&w, 3600);
		while (postern_client_event(w.client, &e))
			dialects += e.what == POSTERN_DIALECT;
	}
	cr_expect_eq(dialects, 1);
	world_expect_state(&w, 0, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, a_natpmp_gateway_is_recognised_in_all_its_forms)
{
	static const uint8_t octet1[] = {0x80, 0x00, 0x81};

	for (size_t i = 0; i < sizeof octet1; i++) {
		uint8_t msg[8] = {0, octet1[i], 0, 1, 0, 0, 0, 100};
		struct world w;

		init(&w, 0, PCP_SERVES(PCP_NATPMP));
		ask(&w);
		cr_expect(deliver(&w, msg, sizeof msg));
		cr_expect_eq(world_news(&w, POSTERN_DIALECT).dialect, POSTERN_NATPMP);
		world_exchange(&w);
		world_news(&w, POSTERN_MAPPED);
		world_fini(&w);
	}
}

Test(client, an_unasked_version_refusal_is_not_believed)
{
	uint8_t msg[8] = {0, 0x80, 0, 1};
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 0, PCP_SERVES(PCP_V2));
	m.keep = true;
	world_map(&w, &m);
	cr_expect_not(deliver(&w, msg, sizeof msg));
	world_no_news(&w);
	world_fini(&w);
}

Test(client, after_a_refusal_without_a_way_out_the_server_is_left_alone_for_a_while)
{
	uint8_t msg[24] = {1, 0x81, 0, 1, 0, 0, 0, 60};
	struct postern_mapping m = world_want();
	struct postern_event e;
	struct world w;

	init(&w, POSTERN_V2, PCP_SERVES(PCP_V2));
	ask(&w);
	cr_expect(deliver(&w, msg, sizeof msg));
	e = world_news(&w, POSTERN_REFUSED);
	cr_expect_eq(e.result, PCP_UNSUPP_VERSION);
	cr_expect_eq(e.lifetime_s, 60);
	cr_assert_geq(postern_client_map(w.client, &m, w.now), 0);
	world_pass(&w, 59);
	cr_expect_eq(w.n_seen, 1);
	world_pass(&w, 2);
	cr_expect_eq(w.n_seen, 2);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, a_version_that_nobody_knows_is_waited_out_at_most_half_an_hour)
{
	uint8_t msg[24] = {9, 0x81, 0, 1, 0xff, 0xff, 0xff, 0xff};
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 0, PCP_SERVES(PCP_V2));
	m.keep = true;
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	w.servers[0].silent = false;
	cr_expect(deliver(&w, msg, sizeof msg));
	world_news(&w, POSTERN_REFUSED);
	world_pass(&w, 1799);
	cr_expect_eq(w.n_seen, 1);
	world_pass(&w, 2);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, rfc6887_s8_a_success_after_a_version_refusal_is_taken)
{
	uint8_t refusal[24] = {1, 0x81, 0, 1, 0, 0, 0, 60}, msg[PCP_MAX];
	struct world w;
	size_t len;

	init(&w, POSTERN_V2, PCP_SERVES(PCP_V2));
	ask(&w);
	cr_expect(deliver(&w, refusal, sizeof refusal));
	world_news(&w, POSTERN_REFUSED);
	cr_expect_not(deliver(&w, refusal, sizeof refusal), "nothing waits any more");
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect(deliver(&w, msg, len));
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, a_late_answer_of_version_2_ends_the_fallback)
{
	uint8_t refusal[24] = {1, 0x81, 0, 1, 0, 0, 0, 60}, msg[PCP_MAX];
	struct world w;
	size_t len;

	init(&w, 0, PCP_SERVES(PCP_V2));
	ask(&w);
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect(deliver(&w, refusal, sizeof refusal));
	cr_expect_eq(world_news(&w, POSTERN_DIALECT).dialect, POSTERN_V1);
	cr_expect(deliver(&w, msg, len));
	world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(world_news(&w, POSTERN_DIALECT).dialect, POSTERN_V2);
	world_fini(&w);
}

Test(client, two_refusals_that_point_at_each_other_make_no_storm)
{
	uint8_t one[24] = {1, 0x81, 0, 1, 0, 0, 0, 60}, two[24] = {2, 0x81, 0, 1, 0, 0, 0, 60};
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, POSTERN_V2 | POSTERN_V1, PCP_SERVES(PCP_V2) | PCP_SERVES(PCP_V1B));
	m.keep = true;
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	for (int i = 0; i < 600; i++) {
		unsigned seen = w.n_seen;

		world_pass(&w, 1);
		if (w.n_seen > seen)
			deliver(&w, w.servers[0].last.version == 2 ? one : two, sizeof one);
	}
	cr_expect_leq(w.n_seen, 25, "%u requests in ten minutes", w.n_seen);
	world_fini(&w);
}

Test(client, the_dialects_that_are_not_allowed_are_not_spoken)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, POSTERN_V2 | POSTERN_NATPMP, PCP_SERVES(PCP_V1B) | PCP_SERVES(PCP_NATPMP));
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_DIALECT).dialect, POSTERN_NATPMP);
	for (unsigned i = 0; i < w.n_seen; i++)
		cr_expect_neq(w.seen[i].msg.version, 1);
	world_fini(&w);
}

Test(client, a_restart_of_the_server_brings_version_2_back)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 0, PCP_SERVES(PCP_V1B));
	m.keep = true;
	w.servers[0].lifetime_s = 86400;
	m.lifetime_s = 86400;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_DIALECT);
	world_news(&w, POSTERN_MAPPED);
	world_pass(&w, 100);
	w.servers[0].booted = w.now;
	w.servers[0].dialects = PCP_SERVES(PCP_V2);
	cr_expect(world_announce(&w, &w.servers[0]));
	world_pass(&w, 6);
	cr_expect_eq(w.servers[0].last.version, 2);
	world_fini(&w);
}

Test(client, in_version_1_nothing_is_deleted_that_was_not_named)
{
	struct postern_mapping m = world_want();
	struct world w;
	int id;

	init(&w, 0, PCP_SERVES(PCP_V1B));
	m.wildcard = true;
	m.protocol = 0;
	m.internal_port = 0;
	id = postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_DIALECT);
	world_news(&w, POSTERN_MAPPED);
	postern_client_delete(w.client, id, w.now);
	world_pass(&w, 60);
	cr_expect_eq(world_news(&w, POSTERN_REFUSED).result, PCP_UNSUPP_PROTOCOL);
	cr_expect_neq(w.servers[0].last.lifetime_s, 0);
	world_fini(&w);
}
