// SPDX-License-Identifier: Apache-2.0
// world.h - one shard's mappings on malloc'ed memory, a clock that tests move, and short words for
// what packets and requests do.
#ifndef TEST_NAT_WORLD_H
#define TEST_NAT_WORLD_H

#include <criterion/criterion.h>
#include <postern/nat.h>
#include <stdlib.h>

#include "recount.h"
#include "tables.h"

#define HOST 0x64400001u   // 100.64.0.1
#define POOL_A 0xcb007101u // 203.0.113.1
#define POOL_B 0xcb007102u
#define POOL_C 0xcb007103u
#define REMOTE ((struct recipe){0xc6336401, 4711}) // 198.51.100.1; who is meant when none is named

struct world {
	void *mem;
	struct nat *nat;
	struct nat_policy policy;
	uint16_t port_set_size; // of addresses added from now on
	uint32_t now_s;
};

static const struct nat_limits WORLD_LIMITS = {.mappings = 4096,
	.leases = 256,
	.filters = 64,
	.sessions = 1024,
	.descriptions = 16,
	.subscribers = 64,
	.addresses = 4,
	.port_set_min = 4};
static const struct nat_timers WORLD_TIMERS = {.udp = 300,
	.udp_initial = 300,
	.udp_unanswered = 120,
	.tcp_idle = 7440,
	.tcp_trans_open = 240,
	.tcp_trans_close = 240,
	.tcp_rst = 240,
	.icmp = 60,
	.hold_down = 120,
	.pcp_hold_down = 120};

static inline struct world world_open(const struct nat_limits *limits, uint16_t port_set_size)
{
	struct world w = {.now_s = 1000, .port_set_size = port_set_size};
	size_t size = nat_size(limits);
	struct rng seed;

	w.mem = aligned_alloc(CACHE_LINE, size);
	cr_assert_not_null(w.mem);
	memset(w.mem, 0, size);
	rng_init_u64(&seed, 4787);
	w.nat = nat_init(w.mem, limits, &seed, w.now_s);
	nat_set_timers(w.nat, &WORLD_TIMERS);
	w.policy = (struct nat_policy){.port_set_size = port_set_size,
		.block_limit = 8,
		.port_limit = 1024,
		.lease_limit = 64,
		.filter_limit = 16};
	nat_set_policy(w.nat, 0, &w.policy);
	return w;
}

static inline void world_recount(const struct world *w)
{
	char text[RECOUNT_TEXT];

	cr_assert(recount(w->nat, text), "%s", text);
}

// Whatever a test did, the tables must still agree with each other.
static inline void world_close(struct world *w)
{
	world_recount(w);
	free(w->mem);
}

static inline void world_add(struct world *w, ip4 ip, uint16_t port_first, uint16_t port_last)
{
	struct nat_address a = {.ip = ip,
		.port_first = port_first,
		.port_last = port_last,
		.port_set_size = w->port_set_size};

	cr_assert_eq(nat_address_add(w->nat, &a), 0);
}

// A world with one whole address.
static inline struct world world_simple(uint16_t port_set_size)
{
	struct world w = world_open(&WORLD_LIMITS, port_set_size);

	world_add(&w, POOL_A, 1024, 65535);
	return w;
}

static inline void world_settle(struct world *w)
{
	while (nat_step(w->nat, w->now_s))
		;
}

static inline void world_pass(struct world *w, uint32_t seconds)
{
	while (seconds-- > 0) {
		w->now_s++;
		world_settle(w);
	}
}

// The clock alone: nothing in the background ran meanwhile.
static inline void world_leap(struct world *w, uint32_t seconds)
{
	w->now_s += seconds;
}

static inline struct nat_key key_of(ip4 host, uint8_t protocol, uint16_t port)
{
	return (struct nat_key){.host = host, .port = port, .realm = 1, .protocol = protocol};
}

static inline bool recipe_eq(struct recipe a, struct recipe b)
{
	return a.addr == b.addr && a.port == b.port;
}

// ---- packets ---------------------------------------------------------------------------------

static inline enum drop world_send(struct world *w, struct nat_key key, uint8_t flags, uint8_t data,
	struct recipe remote, struct recipe *to)
{
	struct nat_out p = {.key = key, .remote = remote};
	enum drop why = DROP_NONE;

	if (key.protocol == NAT_TCP) {
		p.tcp_flags = flags;
		p.tcp_data = data;
	}

	if (nat_find_out(w->nat, &p, 1, w->now_s) == 0)
		why = nat_create(w->nat, &w->policy, 0, &p, w->now_s);
	*to = p.to;
	return why;
}

static inline enum drop world_tcp(
	struct world *w, struct nat_key key, uint8_t flags, uint8_t data, struct recipe *to)
{
	return world_send(w, key, flags, data, REMOTE, to);
}

static inline enum drop world_try(struct world *w, struct nat_key key)
{
	struct recipe to;

	return world_tcp(w, key, TCP_SYN, 0, &to);
}

// A packet from inside that must pass; its external endpoint.
static inline struct recipe world_out(struct world *w, struct nat_key key)
{
	struct recipe to;
	enum drop why = world_tcp(w, key, TCP_SYN, 0, &to);

	cr_assert_eq(why, DROP_NONE, "%s", drop_name(why));
	return to;
}

// Whether the fast path alone knows the key.
static inline bool world_hits(struct world *w, struct nat_key key)
{
	struct nat_out p = {.key = key, .remote = REMOTE};

	if (key.protocol == NAT_TCP)
		p.tcp_flags = TCP_ACK;
	return nat_find_out(w->nat, &p, 1, w->now_s) == 1;
}

// Why a packet from outside does not go in.
static inline enum drop world_receive(
	struct world *w, uint8_t protocol, struct recipe at, struct recipe from, uint8_t tcp_flags)
{
	struct nat_in p = {.at = at, .from = from, .protocol = protocol};
	uint32_t found;

	if (protocol == NAT_TCP)
		p.tcp_flags = tcp_flags;
	found = nat_find_in(w->nat, &p, 1, w->now_s);

	cr_assert_eq(found, p.drop == DROP_NONE);
	return (enum drop)p.drop;
}

enum in {
	IN_UNMAPPED,
	IN_PASSES,
	IN_FILTERED
};

static inline enum in world_in_from(
	struct world *w, uint8_t protocol, struct recipe at, struct recipe from)
{
	switch (world_receive(w, protocol, at, from, TCP_SYN | TCP_ACK)) {
	case DROP_NONE:
		return IN_PASSES;
	case DROP_NO_MAPPING_INBOUND:
		return IN_UNMAPPED;
	default:
		return IN_FILTERED;
	}
}

static inline bool world_in(struct world *w, uint8_t protocol, struct recipe at)
{
	return world_in_from(w, protocol, at, REMOTE) == IN_PASSES;
}

static inline struct recipe world_out_answered(struct world *w, struct nat_key key)
{
	struct recipe to = world_out(w, key);

	cr_assert(world_in(w, key.protocol, to));
	return to;
}

static inline bool world_has(const struct world *w, struct nat_key key)
{
	struct recipe to;

	return nat_peek_out(w->nat, &key, &to);
}

// ---- requests --------------------------------------------------------------------------------

static inline struct nat_wish wish_of(struct nat_key key, uint8_t nonce, uint32_t lifetime_s)
{
	return (struct nat_wish){.key = key,
		.nonce = {nonce},
		.has_nonce = true,
		.lifetime_s = lifetime_s,
		.client = key.host,
		.client_port = 12345,
		.client_realm = key.realm,
		.dialect = 2};
}

static inline enum nat_grant world_ask(
	struct world *w, const struct nat_wish *wish, struct nat_view *view)
{
	*view = (struct nat_view){0};
	return nat_lease_map(w->nat, &w->policy, 0, wish, w->now_s, view);
}

// A request that must be granted; its external endpoint.
static inline struct recipe world_map(
	struct world *w, struct nat_key key, uint8_t nonce, uint32_t lifetime_s)
{
	struct nat_wish wish = wish_of(key, nonce, lifetime_s);
	struct nat_view view;

	cr_assert_eq(world_ask(w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.kind, NAT_EXPLICIT);
	cr_assert_eq(view.lease_left_s, lifetime_s);
	return view.external;
}

static inline enum nat_grant world_ask_peer(
	struct world *w, const struct nat_wish *wish, struct nat_view *view)
{
	*view = (struct nat_view){0};
	return nat_lease_peer(w->nat, &w->policy, 0, wish, w->now_s, view);
}

// A PEER request that must be granted.
static inline struct nat_view world_peer(struct world *w, struct nat_key key, uint8_t nonce,
	uint32_t lifetime_s, struct recipe remote)
{
	struct nat_wish wish = wish_of(key, nonce, lifetime_s);
	struct nat_view view;

	wish.remote = remote;
	cr_assert_eq(world_ask_peer(w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.kind, NAT_PEER);
	return view;
}

// A set that must be granted, with so many ports.
static inline struct nat_view world_set(
	struct world *w, struct nat_key key, uint8_t nonce, uint32_t lifetime_s, uint16_t n_ports)
{
	struct nat_wish wish = wish_of(key, nonce, lifetime_s);
	struct nat_view view;

	wish.n_ports = n_ports;
	cr_assert_eq(world_ask(w, &wish, &view), NAT_GRANTED);
	return view;
}

static inline void world_end(struct world *w, struct nat_key key, bool now)
{
	nat_lease_end(w->nat, &key, now, w->now_s);
}

static inline struct nat_view world_look_peer(
	const struct world *w, struct nat_key key, struct recipe remote)
{
	struct nat_view view;

	nat_peer_look(w->nat, &key, remote, w->now_s, &view);
	return view;
}

static inline struct nat_view world_look(const struct world *w, struct nat_key key)
{
	struct nat_view view;

	nat_lease_look(w->nat, &key, w->now_s, &view);
	return view;
}

static inline struct nat_subscriber_view world_subscriber(const struct world *w, ip4 host)
{
	struct nat_subscriber_view view = {0};

	nat_subscriber_find(w->nat, 1, host, &view);
	return view;
}

#endif
