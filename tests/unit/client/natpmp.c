// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include "world.h"

static const uint8_t private_source[16] = {[10] = 0xff, [11] = 0xff, 10, 1, 2, 3};

static void init(struct world *w, const uint8_t source[16])
{
	struct postern_client_options o = world_options(21);

	world_init_bare(w, &o);
	world_add(w, POSTERN_ROUTER, 1);
	w->servers[0].dialects = PCP_SERVES(PCP_NATPMP);
	w->servers[0].lifetime_s = 7200;
	postern_client_source(w->client, w->servers[0].id, 0, source, false, w->now);
}

// A mapping that is kept, in NAT-PMP.
static int hold(struct world *w)
{
	struct postern_mapping m = world_want();
	int id;

	m.keep = true;
	id = postern_client_map(w->client, &m, w->now);
	world_exchange(w);
	cr_assert_eq(world_news(w, POSTERN_DIALECT).dialect, POSTERN_NATPMP);
	world_news(w, POSTERN_MAPPED);
	return id;
}

Test(client, rfc6886_a_gateway_of_natpmp_maps_and_tells_its_address)
{
	struct postern_mapping m = world_want();
	struct postern_event e;
	struct world w;

	init(&w, private_source);
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_DIALECT);
	e = world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(e.external.port, 40001);
	cr_expect_eq(e.external.ip[12], 203);
	cr_expect_eq(e.lifetime_s, 3600);
	cr_expect_eq(w.seen[1].msg.opcode, PCP_EXTERNAL_ADDRESS);
	cr_expect_eq(w.seen[2].msg.opcode, PCP_MAP);
	world_fini(&w);
}

Test(client, rfc6886_s3_only_private_ipv4_addresses_ask)
{
	static const struct {
		uint8_t ip[4];
		bool may;
	} cases[] = {{{10, 0, 0, 1}, true}, {{172, 15, 0, 1}, false}, {{172, 16, 0, 1}, true},
		{{172, 31, 255, 1}, true}, {{172, 32, 0, 1}, false}, {{192, 168, 9, 9}, true},
		{{100, 64, 0, 1}, false}, {{8, 8, 8, 8}, false}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t source[16] = {[10] = 0xff, [11] = 0xff};
		struct postern_mapping m = world_want();
		struct world w;

		memcpy(source + 12, cases[i].ip, 4);
		init(&w, source);
		postern_client_map(w.client, &m, w.now);
		world_exchange(&w);
		cr_expect_eq(world_news(&w, cases[i].may ? POSTERN_DIALECT : POSTERN_REFUSED).what,
			cases[i].may ? POSTERN_DIALECT : POSTERN_REFUSED);
		world_fini(&w);
	}
}

Test(client, rfc6886_s3_1_retries_begin_at_250_ms_and_double_nine_times)
{
	struct world w;
	ns wait = 250 * NS_PER_MS;
	unsigned first;

	init(&w, private_source);
	hold(&w);
	w.servers[0].silent = true;
	first = w.n_seen;
	postern_client_renew(w.client, 0, w.now);
	world_pass(&w, 64);
	cr_assert_eq(w.n_seen, first + 9);
	for (unsigned i = first + 1; i < w.n_seen; i++, wait *= 2) {
		cr_expect_eq(w.seen[i].at - w.seen[i - 1].at, wait);
		cr_expect_eq(w.seen[i].msg.dialect, PCP_NATPMP);
	}
	world_pass(&w, 65);
	world_news(&w, POSTERN_SERVER_GONE);
	cr_expect_eq(w.servers[0].last.version, 2, "another gateway may be there by now");
	world_fini(&w);
}

Test(client, rfc6886_s3_1_one_request_is_under_way_at_a_time)
{
	struct postern_mapping m = world_want();
	struct world w;
	unsigned seen;

	init(&w, private_source);
	hold(&w);
	w.servers[0].silent = true;
	m.internal_port = 8081;
	postern_client_map(w.client, &m, w.now);
	m.internal_port = 8082;
	postern_client_map(w.client, &m, w.now);
	seen = w.n_seen;
	world_pass(&w, 10);
	cr_assert_gt(w.n_seen, seen + 3);
	for (unsigned i = seen; i < w.n_seen; i++)
		cr_expect_eq(w.seen[i].msg.internal_port, 8081);
	w.servers[0].silent = false;
	world_pass(&w, 60);
	for (int id = 0; id < 3; id++)
		world_expect_state(&w, id, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, rfc6886_s3_3_a_kept_mapping_is_renewed_from_half_its_life_on)
{
	struct world w;
	unsigned seen;

	init(&w, private_source);
	hold(&w);
	seen = w.n_seen;
	world_pass(&w, 1790);
	cr_expect_eq(w.n_seen, seen);
	world_pass(&w, 500);
	cr_expect_gt(w.n_seen, seen);
	cr_expect_eq(w.servers[0].last.external_port, 40001, "the port it has is the hint");
	world_expect_state(&w, 0, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, rfc6886_s3_4_a_mapping_is_deleted)
{
	struct world w;
	int id;

	init(&w, private_source);
	id = hold(&w);
	cr_assert_eq(postern_client_delete(w.client, id, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_DELETED).id, id);
	cr_expect_eq(w.servers[0].last.lifetime_s, 0);
	cr_expect_eq(w.servers[0].last.external_port, 0);
	cr_expect_eq(w.servers[0].last.internal_port, 8080);
	world_fini(&w);
}

Test(client, rfc6886_s3_6_its_epoch_may_lag_an_eighth_and_two_seconds)
{
	struct epoch e = {.known = true, .heard = 0, .server_s = 1000};

	cr_expect(natpmp_epoch_check(&e, 800 * NS_PER_S, 1698));
	e = (struct epoch){.known = true, .heard = 0, .server_s = 1000};
	cr_expect_not(natpmp_epoch_check(&e, 800 * NS_PER_S, 1697));
	e = (struct epoch){.known = true, .heard = 0, .server_s = 1000};
	cr_expect(natpmp_epoch_check(&e, 800 * NS_PER_S, 90000), "ahead is no loss");
}

Test(client, rfc6886_s3_6_a_gateway_that_started_over_is_asked_for_all_again)
{
	struct postern_endpoint all = world_ip4(224, 0, 0, 1);
	uint8_t msg[12] = {0, 0x80, 0, 0, 0, 0, 0, 0, 203, 0, 113, 9};
	struct world w;

	init(&w, private_source);
	hold(&w);
	world_pass(&w, 500);
	w.servers[0].booted = w.now;
	cr_expect(postern_client_receive(
		w.client, w.now, &w.servers[0].at[0], &all, msg, sizeof msg));
	world_news(&w, POSTERN_RESTARTED);
	world_pass(&w, 6);
	world_expect_state(&w, 0, POSTERN_STATE_MAPPED);
	cr_expect_leq(w.servers[0].held_until, w.now + 3600 * NS_PER_S);
	cr_expect_gt(w.servers[0].held_until, w.now + 3590 * NS_PER_S);
	world_fini(&w);
}

Test(client, what_natpmp_cannot_say_is_refused_here)
{
	static const uint8_t host[16] = {[10] = 0xff, [11] = 0xff, 10, 1, 2, 9};
	struct world w;

	for (int i = 0; i < 4; i++) {
		static const uint16_t want[] = {PCP_UNSUPP_OPCODE, PCP_UNSUPP_PROTOCOL,
			PCP_UNSUPP_OPTION, PCP_UNSUPP_OPTION};
		struct postern_mapping m = world_want();

		init(&w, private_source);
		hold(&w);
		m.internal_port = 99;
		m.prefer_failure = i == 2;
		m.external.port = 443;
		if (i == 0)
			m.peer = world_ip4(198, 51, 100, 7);
		if (i == 1)
			m.protocol = 132;
		if (i == 3)
			postern_mapping_add_filter(&m, host, 32, 0);
		postern_client_map(w.client, &m, w.now);
		world_exchange(&w);
		cr_expect_eq(world_news(&w, POSTERN_REFUSED).result, want[i], "%d", i);
		cr_expect_neq(w.servers[0].last.internal_port, 99);
		world_fini(&w);
	}
}

Test(client, a_new_external_address_that_natpmp_announces_is_told)
{
	struct postern_endpoint all = world_ip4(224, 0, 0, 1);
	uint8_t msg[12] = {0, 0x80, 0, 0, 0, 0, 3, 0xe8 + 1, 203, 0, 113, 77};
	struct world w;

	init(&w, private_source);
	hold(&w);
	world_pass(&w, 1);
	cr_expect(postern_client_receive(
		w.client, w.now, &w.servers[0].at[0], &all, msg, sizeof msg));
	cr_expect_eq(world_news(&w, POSTERN_CHANGED).external.ip[15], 77);
	world_no_news(&w);
	world_fini(&w);
}
