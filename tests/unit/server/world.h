// SPDX-License-Identifier: Apache-2.0
// world.h - a server over real mappings: one group, one pool address, one static mapping, a clock.
// Requests come from the codec or as octets in hex; further replies are kept.
#ifndef TEST_SERVER_WORLD_H
#define TEST_SERVER_WORLD_H

#include <criterion/criterion.h>
#include <ctype.h>
#include <postern/server.h>
#include <stdlib.h>

#define CLIENT_IP 0x6440000au  // 100.64.0.10
#define OTHER_IP 0x64400014u   // 100.64.0.20
#define POOL_IP 0xcb007105u    // 203.0.113.5
#define FOREIGN_IP 0xc0000263u // 192.0.2.99
#define STATIC_PORT 22
#define EPOCH_S 100
#define LEASE_LIMIT 4
#define FILTER_LIMIT 4
#define ALL_DIALECTS ((1u << PCP_DIALECTS) - 1)
#define BASIC_OPCODES                                                                              \
	(1u << SERVER_ANNOUNCE | 1u << SERVER_MAP | 1u << SERVER_PEER |                            \
		1u << SERVER_EXTERNAL_ADDRESS)
#define OPTION(name) (1u << PCP_INDEX_##name)
#define BASIC_OPTIONS ((1u << PCP_OTHER_OPTION) - 1 - OPTION(NEXT) - OPTION(PORT_RESERVATION))

static const struct pcp_nonce NONCE = {{0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187}};
static const struct pcp_nonce OTHER_NONCE = {{255, 238, 221, 204, 187, 170, 153, 136, 119, 102}};

struct world {
	void *mem;
	struct nat *nat;
	struct nat_policy nat_policy;
	struct server_policy policy;
	struct server_asker asker;
	struct server_counters counters;
	uint32_t now_s;
	uint8_t msg[2048]; // the request, then the answer
	size_t len;
	enum pcp_result result; // what server_answer() says it answered
	unsigned n_more;
	size_t more_len[SERVER_MAX_REPLIES];
	uint8_t more[SERVER_MAX_REPLIES][PCP_MAX];
};

static inline struct nat_key world_key(ip4 host, uint8_t protocol, uint16_t port)
{
	return (struct nat_key){.host = host, .port = port, .realm = 1, .protocol = protocol};
}

static const struct server_policy WORLD_POLICY = {
	.enabled = true,
	.dialects = ALL_DIALECTS,
	.opcodes = BASIC_OPCODES,
	.options = (uint16_t)BASIC_OPTIONS,
	.lifetime_min_s = 120,
	.lifetime_max_s = 86400,
	.description_max = NAT_DESCRIPTION,
	.port_set_max = NAT_SET_MAX,
};

static inline void world_open_at(struct world *w, ip4 pool_ip)
{
	struct nat_limits limits = {.mappings = 4096,
		.leases = 256,
		.filters = 64,
		.sessions = 256,
		.descriptions = 16,
		.subscribers = 64,
		.addresses = 2,
		.port_set_min = 64};
	struct nat_timers timers = {.udp = 300,
		.udp_initial = 300,
		.udp_unanswered = 300,
		.tcp_idle = 7440,
		.tcp_trans_open = 240,
		.tcp_trans_close = 240,
		.tcp_rst = 240,
		.icmp = 60,
		.hold_down = 120,
		.pcp_hold_down = 120};
	struct nat_address pool = {
		.ip = pool_ip, .port_first = 1024, .port_last = 65535, .port_set_size = 512};
	struct nat_key key = world_key(CLIENT_IP, NAT_TCP, STATIC_PORT);
	size_t size = nat_size(&limits);
	struct rng seed;

	*w = (struct world){.now_s = 1000, .policy = WORLD_POLICY};
	w->mem = aligned_alloc(CACHE_LINE, size);
	cr_assert_not_null(w->mem);
	memset(w->mem, 0, size);
	rng_init_u64(&seed, 6887);
	w->nat = nat_init(w->mem, &limits, &seed, w->now_s);
	nat_set_timers(w->nat, &timers);
	cr_assert_eq(nat_address_add(w->nat, &pool), 0);
	cr_assert_eq(nat_static_add(
			     w->nat, &key, (struct recipe){pool_ip, STATIC_PORT}, false, w->now_s),
		0);
	w->nat_policy = (struct nat_policy){.port_set_size = 512,
		.block_limit = 8,
		.port_limit = 1024,
		.lease_limit = LEASE_LIMIT,
		.filter_limit = FILTER_LIMIT};
	nat_set_policy(w->nat, 0, &w->nat_policy);
	w->asker = (struct server_asker){.source = CLIENT_IP,
		.port = 12345,
		.realm = 1,
		.authorized = true,
		.have_external = true,
		.may_create = true,
		.epoch_s = EPOCH_S};
}

static inline void world_open(struct world *w)
{
	world_open_at(w, POOL_IP);
}

static inline void world_close(struct world *w)
{
	free(w->mem);
}

static inline void world_pass(struct world *w, uint32_t seconds)
{
	while (seconds-- > 0) {
		w->now_s++;
		while (nat_step(w->nat, w->now_s))
			;
	}
}

// A MAP for one port, nothing suggested; callers change what they are about.
static inline struct pcp_message map_of(uint8_t ip_protocol, uint16_t port, uint32_t lifetime_s)
{
	return (struct pcp_message){.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = lifetime_s,
		.client = ip6_mapped(CLIENT_IP),
		.nonce = NONCE,
		.protocol = ip_protocol,
		.internal_port = port,
		.external_ip = ip6_mapped(0)};
}

static inline void world_encode(struct world *w, const struct pcp_message *m)
{
	w->len = pcp_encode_request(w->msg, sizeof w->msg, m);
	cr_assert_gt(w->len, 0);
}

static inline void world_add_option(struct world *w, uint8_t code, const void *data, uint16_t n)
{
	w->len = pcp_append_option(w->msg, w->len, sizeof w->msg, code, data, n);
	cr_assert_gt(w->len, 0);
}

static inline void world_keep(void *ctx, const uint8_t *msg, size_t len)
{
	struct world *w = ctx;

	cr_assert_lt(w->n_more, SERVER_MAX_REPLIES);
	cr_assert_leq(len, PCP_MAX);
	memcpy(w->more[w->n_more], msg, len);
	w->more_len[w->n_more++] = len;
}

static inline enum drop world_ask(struct world *w, size_t *reply_len)
{
	struct server_more more = {.ctx = w, .send = world_keep};

	w->n_more = 0;
	return server_answer(w->nat, &w->nat_policy, &w->policy, &w->asker, w->msg, w->len,
		w->now_s, &w->counters, &more, reply_len, &w->result);
}

// Asks what stands in w->msg; every answer is well formed and carries the Epoch.
static inline struct pcp_message world_answer_in(struct world *w, enum pcp_dialect dialect)
{
	struct pcp_message reply;

	cr_assert_eq(world_ask(w, &w->len), DROP_NONE);
	cr_assert(pcp_decode_response_in(dialect, w->msg, w->len, &reply));
	cr_assert_eq(reply.epoch_s, w->asker.epoch_s);
	return reply;
}

static inline struct pcp_message world_answer(struct world *w)
{
	uint8_t opcode = w->msg[1];
	struct pcp_message reply = world_answer_in(w, PCP_V2);

	cr_assert_eq(reply.opcode, opcode);
	return reply;
}

// Octets as a reader of the RFC writes them: "02010000 00000e10", blanks ignored.
static inline int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static inline size_t hex(const char *text, uint8_t *out)
{
	size_t n = 0;

	for (; *text; text++) {
		if (isspace((unsigned char)*text))
			continue;
		cr_assert(isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]));
		out[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
		text++;
	}
	return n;
}

static inline struct pcp_message world_map(struct world *w, const struct pcp_message *m)
{
	world_encode(w, m);
	return world_answer(w);
}

// The same, insisting on the suggested pair.
static inline struct pcp_message world_map_exactly(struct world *w, const struct pcp_message *m)
{
	world_encode(w, m);
	world_add_option(w, PCP_PREFER_FAILURE, NULL, 0);
	return world_answer(w);
}

static inline void expect_answer(struct pcp_message reply, enum pcp_result result, uint32_t life_s)
{
	cr_assert_eq(reply.result, result, "answered %s, want %s", pcp_result_name(reply.result),
		pcp_result_name(result));
	cr_assert_eq(reply.lifetime_s, life_s, "lifetime %u, want %u", reply.lifetime_s, life_s);
}

static inline struct nat_view world_look(const struct world *w, const struct pcp_message *m)
{
	struct nat_key key =
		world_key(CLIENT_IP, m->protocol == IP_TCP ? NAT_TCP : NAT_UDP, m->internal_port);
	struct nat_view view;

	nat_lease_look(w->nat, &key, w->now_s, &view);
	return view;
}

// A packet of the client from inside; its external endpoint.
static inline struct recipe world_packet(struct world *w, uint8_t protocol, uint16_t port)
{
	struct nat_out p = {.key = world_key(CLIENT_IP, protocol, port), .tcp_flags = TCP_ACK};

	if (nat_find_out(w->nat, &p, 1, w->now_s) == 0) {
		p.tcp_flags = TCP_SYN;
		cr_assert_eq(nat_create(w->nat, &w->nat_policy, 0, &p, w->now_s), DROP_NONE);
	}
	return p.to;
}

#endif
