// SPDX-License-Identifier: Apache-2.0
// world.h - a server over real mappings: one group, one pool address, one static mapping, a clock.
#ifndef TEST_SERVER_WORLD_H
#define TEST_SERVER_WORLD_H

#include <criterion/criterion.h>
#include <postern/server.h>
#include <stdlib.h>

#define CLIENT_IP 0x6440000au  // 100.64.0.10
#define OTHER_IP 0x64400014u   // 100.64.0.20
#define POOL_IP 0xcb007105u    // 203.0.113.5
#define FOREIGN_IP 0xc0000263u // 192.0.2.99
#define STATIC_PORT 22
#define EPOCH_S 100
#define LEASE_LIMIT 4

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
};

static inline struct nat_key world_key(ip4 host, uint8_t protocol, uint16_t port)
{
	return (struct nat_key){.host = host, .port = port, .realm = 1, .protocol = protocol};
}

static inline void world_open(struct world *w)
{
	struct nat_limits limits = {.mappings = 4096,
		.leases = 256,
		.subscribers = 64,
		.addresses = 2,
		.port_set_min = 64};
	struct nat_timers timers = {300, 300, 300, 7440, 240, 240, 60, 120, 120};
	struct nat_address pool = {
		.ip = POOL_IP, .port_first = 1024, .port_last = 65535, .port_set_size = 512};
	struct nat_key key = world_key(CLIENT_IP, NAT_TCP, STATIC_PORT);
	size_t size = nat_size(&limits);
	struct rng seed;

	*w = (struct world){.now_s = 1000};
	w->mem = aligned_alloc(CACHE_LINE, size);
	cr_assert_not_null(w->mem);
	memset(w->mem, 0, size);
	rng_init_u64(&seed, 6887);
	w->nat = nat_init(w->mem, &limits, &seed, w->now_s);
	nat_set_timers(w->nat, &timers);
	cr_assert_eq(nat_address_add(w->nat, &pool), 0);
	cr_assert_eq(
		nat_static_add(w->nat, &key, (struct recipe){POOL_IP, STATIC_PORT}, w->now_s), 0);
	w->nat_policy = (struct nat_policy){.port_set_size = 512,
		.block_limit = 8,
		.port_limit = 1024,
		.lease_limit = LEASE_LIMIT};
	w->policy = (struct server_policy){.enabled = true,
		.prefer_failure = true,
		.lifetime_min_s = 120,
		.lifetime_max_s = 86400};
	w->asker = (struct server_asker){.source = CLIENT_IP,
		.port = 12345,
		.realm = 1,
		.authorized = true,
		.have_external = true,
		.may_create = true,
		.epoch_s = EPOCH_S};
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

static inline enum drop world_ask(struct world *w, size_t *reply_len)
{
	return server_answer(w->nat, &w->nat_policy, &w->policy, &w->asker, w->msg, w->len,
		w->now_s, &w->counters, reply_len);
}

// Asks what stands in w->msg; every answer is well formed and carries the Epoch.
static inline struct pcp_message world_answer(struct world *w)
{
	struct pcp_message reply;
	uint8_t opcode = w->msg[1];

	cr_assert_eq(world_ask(w, &w->len), DROP_NONE);
	cr_assert(pcp_decode_response(w->msg, w->len, &reply));
	cr_assert_eq(reply.opcode, opcode);
	cr_assert_eq(reply.epoch_s, EPOCH_S);
	return reply;
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

	if (nat_find_out(w->nat, &p, 1, w->now_s) == 0)
		cr_assert_eq(nat_create(w->nat, &w->nat_policy, 0, &p, w->now_s), DROP_NONE);
	return p.to;
}

#endif
