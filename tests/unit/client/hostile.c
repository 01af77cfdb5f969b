// SPDX-License-Identifier: Apache-2.0
// A server, or somebody near it, that wants us to fall over. Each sanitized build of these runs
// also looks for reads beyond the datagram: it ends where its memory does.
#include <stdlib.h>

#include "world.h"

// Hands over a copy that ends where its memory ends.
static bool deliver_exactly(struct world *w, const struct postern_endpoint *from,
	const struct postern_endpoint *to, const uint8_t *msg, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	bool taken;

	cr_assert_not_null(copy);
	if (len > 0)
		memcpy(copy, msg, len);
	taken = postern_client_receive(w->client, w->now, from, to, copy, len);
	free(copy);
	return taken;
}

static struct postern_endpoint us(void)
{
	struct postern_endpoint e = {.port = 50000};

	memcpy(e.ip, world_source(), sizeof e.ip);
	return e;
}

static void start(struct world *w, uint64_t seed, unsigned dialects)
{
	static const uint8_t private_source[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2};
	struct postern_client_options o = world_options(seed);
	struct postern_mapping m = world_want();

	o.max_mappings = 8;
	world_init_bare(w, &o);
	world_add(w, POSTERN_ROUTER, 1);
	w->servers[0].dialects = dialects;
	if (dialects == PCP_SERVES(PCP_NATPMP))
		postern_client_source(w->client, 0, 0, private_source, false, w->now);
	m.keep = true;
	postern_client_map(w->client, &m, w->now);
	m.internal_port = 9000;
	postern_client_map(w->client, &m, w->now);
	m.internal_port = 9100;
	if (dialects == PCP_SERVES(PCP_V2)) {
		postern_mapping_add_port_set(&m, 32, false);
		postern_mapping_add_prefix64(&m);
		postern_client_map(w->client, &m, w->now);
		postern_client_get(w->client, w->servers[0].id, 0, w->now);
	}
}

Test(client, an_answer_cut_at_any_octet_is_survived)
{
	struct postern_endpoint to = us();
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	start(&w, 1, PCP_SERVES(PCP_V2));
	w.servers[0].silent = true;
	world_exchange(&w);
	len = world_grant(&w, &w.servers[0], msg);
	for (size_t n = 0; n <= len; n++)
		deliver_exactly(&w, &w.servers[0].at[0], &to, msg, n);
	cr_expect_gt(postern_client_counters(w.client)->malformed, 0);
	world_fini(&w);
}

static void spoil(struct rng *rng, uint8_t *msg, size_t len)
{
	unsigned n = rng_below(rng, 4);

	for (unsigned i = 0; i < n && len > 0; i++) {
		uint32_t at = rng_below(rng, (uint32_t)(len < 90 ? len : 90));

		msg[at] = rng_below(rng, 2) ? (uint8_t)rng_u32(rng)
					    : (uint8_t)(msg[at] ^ 1u << rng_below(rng, 8));
	}
}

static void run_hostile(uint64_t seed, unsigned dialects, int steps)
{
	struct postern_endpoint to = us(), all = world_ip4(224, 0, 0, 1);
	unsigned sent = 0;
	struct world w;
	ns begin;

	start(&w, seed, dialects);
	begin = w.now;
	for (int i = 0; i < steps; i++) {
		struct postern_datagram d;
		struct postern_event e;
		uint8_t msg[PCP_MAX + 64];
		size_t len;

		while (postern_client_send(w.client, w.now, &d)) {
			sent++;
			memset(msg, 0, sizeof msg);
			memcpy(msg, d.octets, d.length);
			memcpy(to.ip, d.source, 16);
			msg[1] |= 0x80;
			msg[3] = rng_below(&w.rng, 3) ? 0 : (uint8_t)rng_below(&w.rng, 16);
			for (int k = 8; k < 12; k++)
				msg[k] = (uint8_t)rng_u32(&w.rng); // any Epoch
			len = d.length;
			if (rng_below(&w.rng, 4) == 0)
				len = rng_below(&w.rng, (uint32_t)sizeof msg);
			spoil(&w.rng, msg, len);
			deliver_exactly(&w, &d.to, rng_below(&w.rng, 8) ? &to : &all, msg, len);
		}
		while (postern_client_event(w.client, &e))
			cr_assert(e.id >= -1 && e.id < 8);
		w.now += 50 * NS_PER_MS;
	}
	cr_expect_leq(sent, 40 + 8 * (w.now - begin) / (4 * NS_PER_S), "%u requests in %u s", sent,
		(unsigned)((w.now - begin) / NS_PER_S));
	world_fini(&w);
}

Test(client, a_hostile_server_of_version_2_causes_neither_crash_nor_storm)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		run_hostile(seed, PCP_SERVES(PCP_V2), 12000);
}

Test(client, a_hostile_gateway_of_natpmp_causes_neither_crash_nor_storm)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		run_hostile(seed, PCP_SERVES(PCP_NATPMP), 12000);
}

Test(client, plain_noise_is_counted_and_nothing_else)
{
	struct postern_endpoint to = us();
	const struct postern_client_counters *c;
	struct world w;

	world_init(&w, 77);
	for (int i = 0; i < 200000; i++) {
		uint8_t msg[128];
		size_t len = rng_below(&w.rng, sizeof msg);

		for (size_t k = 0; k < len; k++)
			msg[k] = (uint8_t)rng_u32(&w.rng);
		deliver_exactly(&w, &w.servers[0].at[0], &to, msg, len);
	}
	c = postern_client_counters(w.client);
	cr_expect_eq(c->received, 200000);
	cr_expect_eq(c->received,
		c->taken + c->malformed + c->not_asked + c->other_nonce + c->not_from_server);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_fini(&w);
}

// An attacker who sees nothing has to guess 96 bits.
Test(client, a_blind_attacker_does_not_get_an_answer_in)
{
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 5);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	len = world_grant(&w, &w.servers[0], msg);
	for (int i = 0; i < 100000; i++) {
		for (int k = 24; k < 36; k++)
			msg[k] = (uint8_t)rng_u32(&w.rng);
		cr_assert_not(world_deliver(&w, &w.servers[0], msg, len));
	}
	cr_expect_eq(postern_client_counters(w.client)->other_nonce, 100000);
	world_expect_state(&w, 0, POSTERN_STATE_WAIT_RESPONSE);
	world_fini(&w);
}

Test(client, more_parts_of_a_port_set_than_fit_are_ignored)
{
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	unsigned told = 0;
	struct postern_event e;
	struct world w;

	world_init(&w, 5);
	m.internal_port = 100;
	postern_mapping_add_port_set(&m, 200, false);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	for (uint16_t port = 101; port < 300; port++) {
		struct pcp_message answer = w.servers[0].last;
		size_t len;

		answer.internal_port = port;
		answer.external_port = port;
		len = pcp_success_reply(msg, &answer, 600, 10);
		world_deliver(&w, &w.servers[0], msg, len);
	}
	while (postern_client_event(w.client, &e))
		told++;
	cr_expect_eq(told, 16);
	world_fini(&w);
}
