// SPDX-License-Identifier: Apache-2.0
// world.h - a client, servers that keep what RFC 6887 asks of them, and a clock that only we turn.
#ifndef TEST_CLIENT_WORLD_H
#define TEST_CLIENT_WORLD_H

#include <criterion/criterion.h>
#include <postern/client.h>
#include <postern/pcp.h>

#define WORLD_SERVERS 3
#define WORLD_SEEN 64

struct world_server {
	int id;
	struct postern_endpoint at[POSTERN_ADDRESSES];
	unsigned n_addresses;
	bool deaf[POSTERN_ADDRESSES]; // this address does not answer
	bool silent;                  // none does
	ns booted;                    // its Epoch counts from here
	uint16_t result;              // answer every request with this error ..
	uint32_t lifetime_s;          // .. for so long; or grant at most this
	unsigned dialects;            // PCP_SERVES()
	uint16_t external_port;
	unsigned requests;       // that reached it or would have
	struct pcp_message last; // the last of them
	struct postern_datagram last_datagram;
	struct pcp_option last_options[8]; // into last_datagram
	size_t last_n_options;
	bool last_prefer_failure;
	struct pcp_nonce held; // one mapping is all this server needs
	bool has_held;
	ns held_until;
};

struct world {
	struct postern_client *client;
	ns now;
	struct rng rng;
	unsigned loss; // per cent, each way
	unsigned n_servers;
	struct world_server servers[WORLD_SERVERS];
	unsigned n_seen; // requests in the order they left, of all servers
	struct {
		ns at;
		int server;
		struct pcp_message msg;
		struct postern_datagram datagram;
	} seen[WORLD_SEEN];
};

static inline struct postern_endpoint world_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	uint8_t octets[4] = {a, b, c, d};

	return postern_endpoint_ip4(octets, POSTERN_SERVER_PORT);
}

static inline const uint8_t *world_source(void)
{
	static const uint8_t source[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 10};

	return source;
}

static inline struct postern_client_options world_options(uint64_t seed)
{
	struct postern_client_options o = {.max_mappings = 4};

	memcpy(o.seed, &seed, sizeof seed);
	o.seed[31] = 1;
	return o;
}

// A client of no server yet.
static inline void world_init_bare(struct world *w, const struct postern_client_options *o)
{
	uint64_t seed;

	*w = (struct world){.now = 1000 * NS_PER_S};
	memcpy(&seed, o->seed, sizeof seed);
	rng_init_u64(&w->rng, seed);
	cr_assert_eq(postern_client_create(o, &w->client), 0);
}

// The i-th server has the addresses 100.64.i.1, .2, .. and answers.
static inline struct world_server *world_add(
	struct world *w, enum postern_origin origin, unsigned n_addresses)
{
	struct world_server *s = &w->servers[w->n_servers];
	struct postern_server as = {.origin = origin, .n_addresses = n_addresses};

	*s = (struct world_server){.lifetime_s = 86400,
		.external_port = (uint16_t)(40001 + 1000 * w->n_servers),
		.n_addresses = n_addresses,
		.dialects = PCP_SERVES(PCP_V2)};
	for (unsigned i = 0; i < n_addresses; i++) {
		s->at[i] = world_ip4(100, 64, (uint8_t)w->n_servers, (uint8_t)(i + 1));
		as.addresses[i] = s->at[i];
	}
	s->id = postern_client_add_server(w->client, &as, w->now);
	cr_assert_geq(s->id, 0);
	w->n_servers++;
	for (unsigned i = 0; i < n_addresses; i++)
		postern_client_source(w->client, s->id, i, world_source(), false, w->now);
	return s;
}

static inline void world_init(struct world *w, uint64_t seed)
{
	struct postern_client_options o = world_options(seed);

	world_init_bare(w, &o);
	world_add(w, POSTERN_CONFIGURED, 1);
}

static inline void world_fini(struct world *w)
{
	postern_client_destroy(w->client);
}

static inline struct postern_mapping world_want(void)
{
	return (struct postern_mapping){.protocol = 6,
		.internal_port = 8080,
		.lifetime_s = 3600,
		.server = POSTERN_ALL_SERVERS};
}

static inline uint32_t world_epoch(const struct world *w, const struct world_server *s)
{
	return (uint32_t)((w->now - s->booted) / NS_PER_S);
}

static inline struct world_server *world_find(struct world *w, int id)
{
	for (unsigned i = 0; i < w->n_servers; i++)
		if (w->servers[i].id == id)
			return &w->servers[i];
	cr_assert_fail("a request to server %d", id);
	return NULL;
}

// Answers the last request in place; the reply's length.
static inline size_t world_answer(struct world *w, struct world_server *s, uint8_t *msg, size_t len)
{
	struct pcp_message m = s->last;
	uint32_t lifetime_s = min_u32(m.lifetime_s, s->lifetime_s);
	size_t n;

	if (s->result != PCP_SUCCESS) {
		struct pcp_error error = {.result = (enum pcp_result)s->result,
			.parsed = true,
			.lifetime_s = s->lifetime_s,
			.epoch_s = world_epoch(w, s)};

		return pcp_error_reply(msg, len, PCP_MAX, &m, &error);
	}
	m.external_ip = ip6_mapped(0xcb007105); // 203.0.113.5
	if (m.opcode == PCP_ANNOUNCE || m.opcode == PCP_EXTERNAL_ADDRESS)
		return pcp_success_reply(msg, &m, 0, world_epoch(w, s));
	s->has_held = lifetime_s > 0;
	s->held = m.nonce;
	s->held_until = w->now + lifetime_s * NS_PER_S;
	m.external_port = s->external_port;
	if (lifetime_s == 0) {
		m.external_ip = s->last.external_ip;
		m.external_port = s->last.external_port;
	}
	n = pcp_success_reply(msg, &m, lifetime_s, world_epoch(w, s));
	return m.dialect == PCP_NATPMP ? n : len; // options come back as they were
}

static inline bool world_lost(struct world *w)
{
	return rng_below(&w->rng, 100) < w->loss;
}

// False: a refusal of its version is in `d` now.
static inline bool world_read(struct world *w, struct world_server *s, struct postern_datagram *d)
{
	struct pcp_served served = {.dialects = s->dialects, .get = true};
	enum pcp_result result;
	enum pcp_door door;

	memcpy(served.source.b, d->source, sizeof served.source.b);
	s->last_datagram = *d;
	s->requests++;
	door = pcp_decode_request(s->last_datagram.octets, d->length, &served, &s->last, &result);
	if (door == PCP_DOOR_REFUSE && result == PCP_UNSUPP_VERSION) {
		struct pcp_error error = {.result = result,
			.lifetime_s = s->lifetime_s,
			.epoch_s = world_epoch(w, s)};

		d->length = pcp_error_reply(d->octets, d->length, PCP_MAX, &s->last, &error);
		return false;
	}
	cr_assert_eq(door, PCP_DOOR_OPEN);
	if (s->last.has_client)
		cr_assert(ip6_eq(s->last.client, served.source));
	s->last_n_options = 0;
	if (s->last.dialect != PCP_NATPMP)
		cr_assert_eq(pcp_decode_options(s->last_datagram.octets, d->length, &s->last,
				     s->last_options, 8, &s->last_n_options),
			PCP_SUCCESS);
	s->last_prefer_failure =
		s->last_n_options > 0 && s->last_options[0].code == PCP_PREFER_FAILURE;
	return true;
}

static inline bool world_hears(const struct world_server *s, const struct postern_endpoint *at)
{
	for (unsigned i = 0; i < s->n_addresses; i++)
		if (memcmp(&s->at[i], at, sizeof *at) == 0)
			return !s->silent && !s->deaf[i];
	return false;
}

static inline bool world_deliver_to(struct world *w, const struct postern_endpoint *from,
	const uint8_t *to, const uint8_t *msg, size_t len)
{
	struct postern_endpoint us = {.port = 50000};

	memcpy(us.ip, to, sizeof us.ip);
	return postern_client_receive(w->client, w->now, from, &us, msg, len);
}

static inline bool world_deliver(
	struct world *w, const struct world_server *s, const uint8_t *msg, size_t len)
{
	return world_deliver_to(w, &s->at[0], world_source(), msg, len);
}

static inline void world_note(struct world *w, const struct world_server *s)
{
	unsigned i = w->n_seen++;

	if (i >= WORLD_SEEN)
		return;
	w->seen[i].at = w->now;
	w->seen[i].server = s->id;
	w->seen[i].msg = s->last;
	w->seen[i].datagram = s->last_datagram;
}

// Sends what is due now and delivers the answers.
static inline void world_exchange(struct world *w)
{
	struct postern_datagram d;

	while (postern_client_send(w->client, w->now, &d)) {
		struct world_server *s = world_find(w, d.server);
		struct postern_endpoint at = d.to;
		uint8_t source[16];
		bool spoken = world_read(w, s, &d);

		memcpy(source, s->last_datagram.source, sizeof source);
		world_note(w, s);
		if (!world_hears(s, &at) || world_lost(w))
			continue;
		if (spoken)
			d.length = world_answer(w, s, d.octets, d.length);
		if (!world_lost(w))
			world_deliver_to(w, &at, source, d.octets, d.length);
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
static inline struct postern_event world_news(struct world *w, enum postern_what what)
{
	struct postern_event e = {.id = -2};

	cr_assert(postern_client_event(w->client, &e), "no news, want %s", postern_what_name(what));
	cr_assert_eq(e.what, what, "news %s, want %s", postern_what_name(e.what),
		postern_what_name(what));
	return e;
}

static inline void world_no_news(struct world *w)
{
	struct postern_event e;

	cr_assert_not(postern_client_event(w->client, &e), "news %s, want none",
		postern_what_name(e.what));
}

// Asks for a mapping and lets the server grant it.
static inline int world_map(struct world *w, const struct postern_mapping *want)
{
	int id = postern_client_map(w->client, want, w->now);

	cr_assert_geq(id, 0);
	world_exchange(w);
	world_news(w, POSTERN_MAPPED);
	return id;
}

static inline struct postern_fact world_fact(const struct world *w, int id, int server)
{
	struct postern_fact f;

	for (uintptr_t cursor = 0; postern_client_fact(w->client, &cursor, &f);)
		if (f.id == id && f.server == server)
			return f;
	cr_assert_fail("mapping %d at server %d is not there", id, server);
	return f;
}

static inline void world_expect_state(struct world *w, int id, enum postern_state state)
{
	struct postern_fact f = world_fact(w, id, w->servers[0].id);

	cr_expect_eq(f.state, state, "%s, want %s", postern_state_name(f.state),
		postern_state_name(state));
}

// A success for the last request, as the server would send it now.
static inline size_t world_grant(struct world *w, struct world_server *s, uint8_t *msg)
{
	size_t len;

	memset(msg, 0, PCP_MAX);
	len = pcp_encode_request(msg, PCP_MAX, &s->last);
	return world_answer(w, s, msg, len);
}

// A restart announced to all hosts.
static inline bool world_announce(struct world *w, struct world_server *s)
{
	struct pcp_message m = {.dialect = PCP_V2, .opcode = PCP_ANNOUNCE};
	struct postern_endpoint all = world_ip4(224, 0, 0, 1);
	uint8_t msg[PCP_MAX];
	size_t len = pcp_success_reply(msg, &m, 0, world_epoch(w, s));

	all.port = POSTERN_ANNOUNCE_PORT;
	return postern_client_receive(w->client, w->now, &s->at[0], &all, msg, len);
}

#endif
