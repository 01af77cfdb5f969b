// SPDX-License-Identifier: Apache-2.0
// world.h - a client, a server that keeps what RFC 6887 asks of it, and a clock that only we turn.
#ifndef TEST_CLIENT_WORLD_H
#define TEST_CLIENT_WORLD_H

#include <criterion/criterion.h>
#include <postern/client.h>
#include <postern/pcp.h>

struct world {
	struct postern_client *client;
	struct postern_endpoint server;
	ns now, booted; // the server's Epoch counts from booted
	struct rng rng;
	unsigned loss;           // per cent, each way
	uint8_t result;          // answer every request with this error ..
	uint32_t lifetime_s;     // .. for so long; or grant at most this
	bool silent;             // the server is away
	unsigned requests;       // that left the client
	struct pcp_message last; // the last of them
	bool last_prefer_failure;
	uint8_t last_octets[PCP_MAX];
	struct pcp_option last_options[8]; // into last_octets
	size_t last_n_options;
	struct pcp_nonce held; // one mapping is all this server needs
	bool has_held;
	ns held_until;
	uint16_t external_port;
};

static inline const uint8_t *world_source(void)
{
	static const uint8_t source[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 10};

	return source;
}

static inline void world_init(struct world *w, uint64_t seed)
{
	static const uint8_t server[4] = {100, 64, 0, 1};
	struct postern_client_options o = {
		.server = postern_endpoint_ip4(server, POSTERN_SERVER_PORT), .max_mappings = 4};

	*w = (struct world){.now = 1000 * NS_PER_S, .lifetime_s = 86400, .external_port = 40001};
	rng_init_u64(&w->rng, seed);
	memcpy(o.source, world_source(), sizeof o.source);
	memcpy(o.seed, &seed, sizeof seed);
	w->server = o.server;
	cr_assert_eq(postern_client_create(&o, &w->client), 0);
}

static inline void world_fini(struct world *w)
{
	postern_client_destroy(w->client);
}

static inline struct postern_mapping world_want(void)
{
	return (struct postern_mapping){.protocol = 6, .internal_port = 8080, .lifetime_s = 3600};
}

static inline uint32_t world_epoch(const struct world *w)
{
	return (uint32_t)((w->now - w->booted) / NS_PER_S);
}

// Answers the request in msg in place; the reply's length.
static inline size_t world_answer(struct world *w, uint8_t *msg, size_t len)
{
	struct pcp_message m = w->last;
	uint32_t lifetime_s = min_u32(m.lifetime_s, w->lifetime_s);

	if (w->result != PCP_SUCCESS) {
		struct pcp_error error = {.result = (enum pcp_result)w->result,
			.parsed = true,
			.lifetime_s = w->lifetime_s,
			.epoch_s = world_epoch(w)};

		return pcp_error_reply(msg, len, PCP_MAX, &m, &error);
	}
	if (m.opcode == PCP_ANNOUNCE)
		return pcp_success_reply(msg, &m, 0, world_epoch(w));
	w->has_held = lifetime_s > 0;
	w->held = m.nonce;
	w->held_until = w->now + lifetime_s * NS_PER_S;
	if (lifetime_s > 0) {
		m.external_ip = ip6_mapped(0xcb007105); // 203.0.113.5
		m.external_port = w->external_port;
	}
	pcp_success_reply(msg, &m, lifetime_s, world_epoch(w));
	return len; // options come back as they were
}

static inline bool world_lost(struct world *w)
{
	return rng_below(&w->rng, 100) < w->loss;
}

static inline void world_read(struct world *w, const uint8_t *msg, size_t len)
{
	const struct pcp_served served = {.dialects = PCP_SERVES(PCP_V2)};
	enum pcp_result result;
	struct pcp_option *o = w->last_options;
	size_t n;

	cr_assert_eq(pcp_decode_request(msg, len, &served, &w->last, &result), PCP_DOOR_OPEN);
	cr_assert_eq(memcmp(w->last.client.b, world_source(), 16), 0);
	memcpy(w->last_octets, msg, len);
	cr_assert_eq(pcp_decode_options(w->last_octets, len, &w->last, o, 8, &n), PCP_SUCCESS);
	w->last_n_options = n;
	w->last_prefer_failure = n > 0 && o[0].code == PCP_PREFER_FAILURE;
	w->requests++;
}

// Sends what is due now and delivers the answers.
static inline void world_exchange(struct world *w)
{
	uint8_t msg[PCP_MAX];
	size_t len;

	while ((len = postern_client_send(w->client, w->now, msg)) > 0) {
		world_read(w, msg, len);
		if (w->silent || world_lost(w))
			continue;
		len = world_answer(w, msg, len);
		if (!world_lost(w))
			postern_client_receive(w->client, w->now, &w->server, msg, len);
	}
}

// Lets time pass up to `until`, waking the client exactly at its deadlines.
static inline void world_run(struct world *w, ns until)
{
	world_exchange(w);
	for (;;) {
		ns next = postern_client_deadline(w->client);

		cr_assert_gt(next, w->now, "the deadline does not move");
		if (next > until)
			break;
		w->now = next;
		world_exchange(w);
	}
	w->now = until;
}

static inline void world_pass(struct world *w, uint32_t s)
{
	world_run(w, w->now + s * NS_PER_S);
}

// The next news must be this.
static inline struct postern_result world_news(struct world *w, enum postern_what what)
{
	struct postern_result r = {.id = -2};

	cr_assert(postern_client_result(w->client, &r), "no news, want %d", (int)what);
	cr_assert_eq(r.what, what, "news %d, want %d", (int)r.what, (int)what);
	return r;
}

static inline void world_no_news(struct world *w)
{
	struct postern_result r;

	cr_assert_not(postern_client_result(w->client, &r), "news %d, want none", (int)r.what);
}

// Asks for a mapping and lets the server grant it.
static inline int world_map(struct world *w, const struct postern_mapping *want)
{
	int id = postern_client_map(w->client, want, w->now);

	cr_assert_geq(id, 0);
	world_exchange(w);
	world_news(w, POSTERN_GRANTED);
	return id;
}

#endif
