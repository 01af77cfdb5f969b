// SPDX-License-Identifier: Apache-2.0
// A burst remembers the way its last packet went, and the group its last host was of. Whatever is
// mixed in a burst, each packet must get what it would get alone: two worlds of one seed get the
// same packets, one in bursts, the other one by one. Of requests, of segments from inside and of
// those from outside there are bursts of nothing else, for what one does the next one must find
// done; where they are mixed each kind waits for the one before.
#include "ask.h"
#include "check.h"

#include <postern/pcp.h>

// No default route; a route within a route, one host of it on another, narrower link, and a route
// around subscribers. One realm has subscribers behind a router, the other has some that no route
// leads to. What is a subscriber in one realm is none in the other.
#define MANY_WAYS                                                                                  \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/10],\n"                                     \
	"    routes: [{to: 10.20.0.0/16, via: 100.64.0.9}, {to: 10.20.7.0/24, via: "               \
	"100.64.0.8}] }\n"                                                                         \
	"  outside: { device: b, addresses: [192.0.2.2/24],\n"                                     \
	"    routes: [{to: 198.51.100.0/24, via: 192.0.2.1}, {to: 198.51.100.64/26, via: "         \
	"192.0.2.9}] }\n"                                                                          \
	"  outside2: { device: c, addresses: [192.0.3.2/24], mtu: 1280,\n"                         \
	"    routes: [{to: 198.19.0.0/16, via: 192.0.3.1}, {to: 198.51.100.80/32, via: "           \
	"192.0.3.7},\n"                                                                            \
	"      {to: 10.0.0.0/8, via: 192.0.3.8}] }\n"                                              \
	"  inside2: { device: d, addresses: [100.64.0.1/10], mtu: 1300 }\n"                        \
	"limits: { mappings: 64k, leases: 1000, subscribers: 1000, external-addresses: 6,\n"       \
	"  icmp-error-rate: 1000000, new-subscriber-rate: 1000000,\n"                              \
	"  new-subscriber-burst: 1000000 }\n"                                                      \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    inside: [inside]\n"                                                                   \
	"    subscribers: [100.64.0.0/16, 10.20.0.0/16]\n"                                         \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: { listen: [gateway], third-party: { sources: [100.64.0.0/16] } }\n"              \
	"  shops:\n"                                                                               \
	"    inside: [inside]\n"                                                                   \
	"    subscribers: [100.65.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.8]\n"                                               \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: { listen: [gateway] }\n"                                                         \
	"  labs:\n"                                                                                \
	"    inside: [inside]\n"                                                                   \
	"    subscribers: [100.67.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.16]\n"                                              \
	"    port-set-size: 64\n"                                                                  \
	"    filtering-type: apdf\n"                                                               \
	"  offices:\n"                                                                             \
	"    inside: [inside2]\n"                                                                  \
	"    subscribers: [100.64.0.0/17, 10.30.0.0/16]\n"                                         \
	"    external-address-pool: [203.0.113.12]\n"                                              \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: { listen: [gateway] }\n"

enum {
	INSIDE_1,
	OUTSIDE_1,
	OUTSIDE_2,
	INSIDE_2
};

enum {
	BURSTS = 8000,
	WARM = 48,       // mappings that stand from the beginning, and leases
	WARM_PORT = 900, // the first one's internal port
	FLOWS = 12,      // TCP mappings, each with a few connections
	WANTED_PORT = 3000,
	WANTED_PORTS = 6 // that requests make, change and end
};

enum kind { // of a burst
	MIXED,
	ALIKE, // but for a few
	REQUESTS,
	SEGMENTS_OUT,
	SEGMENTS_IN
};

struct burst_packet {
	uint16_t iface;
	unsigned flow; // of a segment
	size_t len;
	uint8_t octets[MAKE_MAX];
};

struct endpoint { // of a warm mapping
	uint16_t iface;
	ip4 host;
	uint16_t port;
	struct recipe external;
};

struct pair {
	struct world together, alone;
	struct rng dice;
	struct endpoint warm[WARM], flow[FLOWS];
	enum kind kind;
	unsigned n;
	struct burst_packet packets[SHARD_BURST];
	struct frame burst[SHARD_BURST], single;
	unsigned verdicts[VERDICT_HOLD + 1];
};

static uint32_t below(struct pair *t, uint32_t n)
{
	return rng_below(&t->dice, n);
}

// ---- who there is ----------------------------------------------------------------------------

static const struct {
	uint16_t iface;
	ip4 host;
} HOSTS[] = {
	{INSIDE_1, 0x6440000a}, // 100.64.0.10, of homes
	{INSIDE_1, 0x6440c80a}, // 100.64.200.10
	{INSIDE_1, 0x0a14000a}, // 10.20.0.10, behind a router
	{INSIDE_1, 0x0a14070a}, // 10.20.7.10, behind another
	{INSIDE_1, 0x6441000a}, // 100.65.0.10, of shops
	{INSIDE_1, 0x6441ff0a}, // 100.65.255.10
	{INSIDE_2, 0x6440000a}, // 100.64.0.10, of offices
	{INSIDE_2, 0x64407f0a}, // 100.64.127.10
	{INSIDE_2, 0x0a1e000a}, // 10.30.0.10, where no route leads
	// Nobody's hosts:
	{INSIDE_1, 0x6442000a}, // 100.66.0.10
	{INSIDE_2, 0x6440c80a}, // 100.64.200.10: a subscriber only in the other realm
	{INSIDE_2, 0x6441000a}, // likewise
	{INSIDE_1, 0x0a1e000a}, // likewise
	{INSIDE_1, 0x64400001}, // our own
};

enum {
	SUBSCRIBERS = 9
};

static const struct {
	ip4 host;
	uint16_t out; // 0: none
	ip4 via;
} REMOTES[] = {
	{0xc6336401, OUTSIDE_1, 0xc0000201}, // 198.51.100.1
	{0xc633643f, OUTSIDE_1, 0xc0000201}, // .63, the last before the narrower route
	{0xc6336440, OUTSIDE_1, 0xc0000209}, // .64, its first
	{0xc633644f, OUTSIDE_1, 0xc0000209}, // .79
	{0xc6336450, OUTSIDE_2, 0xc0000307}, // .80, by itself
	{0xc6336451, OUTSIDE_1, 0xc0000209}, // .81
	{0xc633647f, OUTSIDE_1, 0xc0000209}, // .127, its last
	{0xc6336480, OUTSIDE_1, 0xc0000201}, // .128
	{0xc6130001, OUTSIDE_2, 0xc0000301}, // 198.19.0.1
	{0xc613ffff, OUTSIDE_2, 0xc0000301}, // 198.19.255.255
	{0xc0000250, OUTSIDE_1, 0xc0000250}, // 192.0.2.80, on-link
	{0xc0000350, OUTSIDE_2, 0xc0000350}, // 192.0.3.80
	{0xc6336300, 0, 0},                  // 198.51.99.0
	{0xc6336500, 0, 0},                  // 198.51.101.0
	{0x08080808, 0, 0}, {0x01010101, 0, 0},
	{0x6440000b, 0, 0},                  // 100.64.0.11: a subscriber in both realms
	{0x6441000b, 0, 0},                  // 100.65.0.11: in one
	{0x0a1e000b, OUTSIDE_2, 0xc0000308}, // 10.30.0.11: in the other, else on the Internet
	{0x0a140001, OUTSIDE_2, 0xc0000308}, // 10.20.0.1: in one
	{0x0a13ffff, OUTSIDE_2, 0xc0000308}, // 10.19.255.255: in none
	{0x0a150000, OUTSIDE_2, 0xc0000308}, // 10.21.0.0
	{0x0aff0001, OUTSIDE_2, 0xc0000308}, // 10.255.0.1
	{0x6442000b, 0, 0},                  // 100.66.0.11: in none
};

// ---- two worlds ------------------------------------------------------------------------------

static void make_warm(struct pair *t, unsigned i)
{
	struct endpoint *e = &t->warm[i];
	struct make m;

	*e = (struct endpoint){.iface = HOSTS[i % SUBSCRIBERS].iface,
		.host = HOSTS[i % SUBSCRIBERS].host,
		.port = (uint16_t)(WARM_PORT + i)};
	m = udp_of(e->host, e->port, PEER, 53);
	put(&t->alone, e->iface, m, &t->single);
	expect_pass(&t->single, OUTSIDE_2);
	e->external = (struct recipe){t->single.p.src, t->single.p.sport};
	put(&t->together, e->iface, m, &t->single);
	expect_pass(&t->single, OUTSIDE_2);
	cr_assert(recipe_eq(e->external, (struct recipe){t->single.p.src, t->single.p.sport}));
}

// Half of them in the group that filters.
static void name_flows(struct pair *t)
{
	for (unsigned i = 0; i < FLOWS; i++)
		t->flow[i] = (struct endpoint){.iface = INSIDE_1,
			.host = (i % 2 ? 0x64430000 : 0x64400100) + i, // 100.67.0.1, 100.64.1.0
			.port = (uint16_t)(7000 + i)};
}

static struct pair *pair_open(uint64_t seed)
{
	struct pair *t = calloc(1, sizeof *t);

	cr_assert_not_null(t);
	world_open(&t->together, MANY_WAYS);
	world_open(&t->alone, MANY_WAYS);
	rng_init_u64(&t->dice, seed);
	for (unsigned i = 0; i < WARM; i++)
		make_warm(t, i);
	name_flows(t);
	return t;
}

static void pair_close(struct pair *t)
{
	world_close(&t->together);
	world_close(&t->alone);
	free(t);
}

// ---- packets ---------------------------------------------------------------------------------

// Small, or too large for one link or another; with DF, or without.
static void random_size(struct pair *t, struct make *m)
{
	static const size_t sizes[] = {1240, 1252, 1253, 1272, 1273, 1300, 1472};

	if (below(t, 4) == 0)
		m->payload_len = sizes[below(t, ARRAY_SIZE(sizes))];
	if (below(t, 2) == 0)
		m->fragment = IP4_DF;
	if (below(t, 30) == 0)
		m->ttl = 1;
	m->tos = (uint8_t)below(t, 256);
}

static uint16_t random_outbound(struct pair *t, struct make *m)
{
	unsigned host = below(t, below(t, 4) ? SUBSCRIBERS : ARRAY_SIZE(HOSTS));
	ip4 remote = REMOTES[below(t, ARRAY_SIZE(REMOTES))].host;
	// New ones now and then; no two hosts' first packets make blocks in another order.
	uint16_t port = (uint16_t)(5000 + below(t, 40));

	*m = udp_of(HOSTS[host].host, port, remote, 53);
	if (below(t, 5) == 0)
		*m = tcp_of(HOSTS[host].host, port, remote, 443, TCP_SYN);
	else if (below(t, 8) == 0)
		*m = echo_of(HOSTS[host].host, remote, ICMP_ECHO, port);
	random_size(t, m);
	return HOSTS[host].iface;
}

static const struct endpoint *random_warm(struct pair *t)
{
	return &t->warm[below(t, WARM)];
}

static uint16_t random_hairpin(struct pair *t, struct make *m)
{
	const struct endpoint *from = random_warm(t), *to = random_warm(t);

	*m = udp_of(from->host, from->port, to->external.addr, to->external.port);
	random_size(t, m);
	return from->iface;
}

static uint16_t random_inbound(struct pair *t, struct make *m)
{
	const struct endpoint *to = random_warm(t);

	*m = udp_of(REMOTES[below(t, 12)].host, 53, to->external.addr, to->external.port);
	if (below(t, 8) == 0)
		m->dst += below(t, 20); // another address of the pool, or none of ours
	if (below(t, 8) == 0)
		m->dport = (uint16_t)(1 + below(t, 1000));
	if (below(t, 8) == 0)
		m->src = to->external.addr; // forged
	random_size(t, m);
	return below(t, 2) ? OUTSIDE_1 : OUTSIDE_2;
}

// A renewal, another nonce, another's address, an opcode that nobody knows, and what is answered by
// more octets than it has: NAT-PMP.
static uint16_t random_request(struct pair *t, struct make *m, uint8_t msg[PCP_MAX])
{
	const struct endpoint *from = random_warm(t);
	struct pcp_message request = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = 3600,
		.client = ip6_mapped(from->host + (below(t, 8) == 0)),
		.nonce = {{(uint8_t)(below(t, 8) == 0)}},
		.protocol = IP_UDP,
		.internal_port = from->port,
		.external_ip = ip6_mapped(0)};
	size_t len = pcp_encode_request(msg, PCP_MAX, &request);

	cr_assert_gt(len, 0);
	if (below(t, 8) == 0)
		msg[1] = 77;
	if (below(t, 8) == 0) {
		msg[0] = msg[1] = 0;
		len = 2;
	}
	*m = udp_of(from->host, 12345, GATEWAY, PCP_SERVER_PORT);
	m->payload = msg;
	m->payload_len = len;
	m->tos = (uint8_t)below(t, 256);
	return from->iface;
}

static struct recipe random_suggestion(struct pair *t)
{
	struct recipe e = random_warm(t)->external; // taken, of any group

	if (below(t, 3) != 0)
		e.port = (uint16_t)(e.port + below(t, 4)); // or hardly
	if (below(t, 4) == 0)
		e.port = 0;
	if (below(t, 4) == 0)
		e.addr = 0;
	return e;
}

// Makes, renews or ends one of a few mappings, with or without options, by its owner or by others.
static uint16_t random_change(struct pair *t, struct make *m, uint8_t msg[PCP_MAX])
{
	const unsigned who = below(t, SUBSCRIBERS);
	struct ask a = {.m = ask_of(HOSTS[who].host, below(t, 2) ? IP_UDP : IP_TCP,
				(uint16_t)(WANTED_PORT + below(t, WANTED_PORTS)),
				below(t, 3) == 0 ? 0 : 60 + below(t, 4000))};

	a.m.nonce.b[5] = below(t, 6) == 0;
	if (below(t, 2) == 0) {
		struct recipe e = random_suggestion(t);

		a.m.external_ip = ip6_mapped(e.addr);
		a.m.external_port = e.port;
	}
	a.prefer_failure = below(t, 3) == 0;
	if (below(t, 3) == 0)
		a.third_party = HOSTS[below(t, SUBSCRIBERS)].host;
	*m = udp_of(HOSTS[who].host, 12345, GATEWAY, PCP_SERVER_PORT);
	m->payload = msg;
	m->payload_len = ask_write(msg, &a);
	return HOSTS[who].iface;
}

// Whatever a connection can say, in any order.
static uint16_t random_segment(struct pair *t, struct make *m, unsigned *flow)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK,
		TCP_ACK | TCP_FIN, TCP_RST, TCP_RST | TCP_ACK};
	ip4 remote = REMOTES[below(t, 3)].host;
	uint8_t says = flags[below(t, ARRAY_SIZE(flags))];
	const struct endpoint *f;

	*flow = below(t, FLOWS);
	f = &t->flow[*flow];
	if (t->kind == SEGMENTS_OUT) {
		*m = tcp_of(f->host, f->port, remote, 443, says);
		return f->iface;
	}
	*m = tcp_of(remote, 443, f->external.addr, f->external.port, says);
	return OUTSIDE_1;
}

static uint16_t random_mixed(struct pair *t, struct make *m, uint8_t msg[PCP_MAX])
{
	switch (below(t, 8)) {
	case 0:
		return random_hairpin(t, m);
	case 1:
		return random_request(t, m, msg);
	case 2:
	case 3:
		return random_inbound(t, m);
	default:
		return random_outbound(t, m);
	}
}

static void random_packet(struct pair *t, struct burst_packet *p)
{
	uint8_t msg[PCP_MAX];
	struct make m;

	if (t->kind == REQUESTS)
		p->iface = random_change(t, &m, msg);
	else if (t->kind == SEGMENTS_OUT || t->kind == SEGMENTS_IN)
		p->iface = random_segment(t, &m, &p->flow);
	else
		p->iface = random_mixed(t, &m, msg);
	p->len = make_packet(p->octets, &m);
}

static void random_burst(struct pair *t)
{
	static const enum kind kinds[] = {
		MIXED, MIXED, MIXED, ALIKE, ALIKE, REQUESTS, SEGMENTS_OUT, SEGMENTS_IN};

	t->kind = kinds[below(t, ARRAY_SIZE(kinds))];
	t->n = 1 + below(t, SHARD_BURST);
	for (unsigned i = 0; i < t->n; i++) {
		if (t->kind == ALIKE && i > 0 && below(t, 4) != 0)
			t->packets[i] = t->packets[i - 1];
		else
			random_packet(t, &t->packets[i]);
	}
}

// ---- together and alone ----------------------------------------------------------------------

static void keep_burst(void *ctx, struct frame *f)
{
	struct pair *t = ctx;
	struct frame *out = &t->burst[f->tag];

	*out = *f;
	if (f->verdict == VERDICT_DROP)
		return;
	memmove(out->bytes, f->p.l3, f->p.len);
	out->p.l3 = out->bytes;
}

static void run_together(struct pair *t)
{
	t->together.deliver = keep_burst;
	t->together.ctx = t;
	t->together.n_sent = 0;
	for (unsigned i = 0; i < t->n; i++)
		world_feed(&t->together, t->packets[i].iface, t->packets[i].octets,
			t->packets[i].len, i);
	world_flush(&t->together);
}

static void expect_same_fate(const struct frame *a, const struct frame *b)
{
	cr_assert_eq(a->verdict, b->verdict, "verdict %d in a burst (%s), alone %d (%s)",
		a->verdict, drop_name(a->drop), b->verdict, drop_name(b->drop));
	cr_assert_eq(a->drop, b->drop, "%s in a burst, alone %s", drop_name(a->drop),
		drop_name(b->drop));
	if (a->verdict == VERDICT_DROP)
		return;
	cr_assert_eq(a->out, b->out, "leaves by %u in a burst, alone by %u", a->out, b->out);
	cr_assert_eq(a->p.next_hop, b->p.next_hop);
	cr_assert_eq(a->p.via, b->p.via, "via %08x in a burst, alone %08x", a->p.via, b->p.via);
	cr_assert_eq(a->p.len, b->p.len);
	for (unsigned i = 0; i < a->p.len; i++)
		cr_assert_eq(a->p.l3[i], b->p.l3[i], "octet %u of %u: %02x in a burst, alone %02x",
			i, a->p.len, a->p.l3[i], b->p.l3[i]);
}

// Whatever leaves for the Internet leaves as the table above says.
static void expect_right_way(const struct frame *f)
{
	for (unsigned i = 0; i < ARRAY_SIZE(REMOTES); i++) {
		if (f->verdict != VERDICT_PASS || f->p.dst != REMOTES[i].host ||
			(f->out != OUTSIDE_1 && f->out != OUTSIDE_2))
			continue;
		cr_assert_eq(f->out, REMOTES[i].out, "to %08x by %u", f->p.dst, f->out);
		cr_assert_eq(f->p.via, REMOTES[i].via, "to %08x via %08x", f->p.dst, f->p.via);
	}
}

// What the shards sent by themselves: pieces. Those of packets from inside come first in a burst,
// so only their sum is the same.
static uint64_t sum_of_sent(const struct world *w)
{
	uint64_t sum = w->n_sent;

	cr_assert_leq(w->n_sent, WORLD_SENT);
	for (unsigned i = 0; i < w->n_sent; i++) {
		const struct frame *f = &w->sent[i];
		uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ f->p.via ^ (uint64_t)f->out << 32;

		for (unsigned at = 0; at < f->p.len; at++)
			hash = (hash ^ f->p.l3[at]) * UINT64_C(0x100000001b3);
		sum += hash;
	}
	return sum;
}

static void try_burst(struct pair *t)
{
	run_together(t);
	t->alone.n_sent = 0;
	for (unsigned i = 0; i < t->n; i++) {
		world_put(&t->alone, t->packets[i].iface, t->packets[i].octets, t->packets[i].len,
			&t->single);
		t->verdicts[t->single.verdict]++;
		expect_same_fate(&t->burst[i], &t->single);
		expect_right_way(&t->burst[i]);
		if (t->kind == SEGMENTS_OUT && t->single.verdict == VERDICT_PASS)
			t->flow[t->packets[i].flow].external =
				(struct recipe){t->single.p.src, t->single.p.sport};
	}
	cr_assert_eq(sum_of_sent(&t->together), sum_of_sent(&t->alone));
}

static void expect_same_counters(const struct pair *t)
{
	const struct shard_counters *a = shard_counters(t->together.shard[0]);
	const struct shard_counters *b = shard_counters(t->alone.shard[0]);

#define X(name, sentence)                                                                          \
	cr_assert_eq(a->name, b->name, #name ": %lu in bursts, alone %lu", (unsigned long)a->name, \
		(unsigned long)b->name);
	SHARD_COUNTERS(X)
#undef X
	for (unsigned i = 0; i < DROP_COUNT; i++)
		cr_assert_eq(a->drops[i], b->drops[i], "%s", drop_name((enum drop)i));
	cr_assert_eq(memcmp(a->server, b->server, sizeof a->server), 0);
	cr_assert_eq(memcmp(shard_nat_counters(t->together.shard[0]),
			     shard_nat_counters(t->alone.shard[0]), sizeof(struct nat_counters)),
		0);
}

static void expect_tried(const struct pair *t)
{
	static const enum drop tried[] = {DROP_INSIDE_TO_INSIDE, DROP_NO_ROUTE, DROP_MTU_DF,
		DROP_TTL, DROP_NO_POLICY, DROP_SPOOFED, DROP_NO_MAPPING_INBOUND,
		DROP_NOT_POOL_ADDRESS};

	for (unsigned i = 0; i < ARRAY_SIZE(tried); i++)
		cr_assert_gt(world_drops(&t->alone, tried[i]), 100, "%s", drop_name(tried[i]));
	cr_assert_gt(t->verdicts[VERDICT_PASS], 10000);
	cr_assert_gt(t->verdicts[VERDICT_REPLY], 1000);
	cr_assert_gt(WORLD_COUNT(&t->alone, hairpinned), 1000);
	cr_assert_gt(WORLD_COUNT(&t->alone, pcp_replies), 1000);
	cr_assert_gt(WORLD_COUNT(&t->alone, fragments_sent), 500);
}

// Of the first group, whose hosts may ask for each other.
static void expect_asked(const struct pair *t)
{
	static const enum pcp_result results[] = {
		PCP_SUCCESS, PCP_NOT_AUTHORIZED, PCP_MALFORMED_OPTION, PCP_CANNOT_PROVIDE_EXTERNAL};
	const struct server_counters *c = shard_counters(t->alone.shard[0])->server;

	for (unsigned i = 0; i < ARRAY_SIZE(results); i++)
		cr_assert_gt(c->results[pcp_result_index(results[i])], 100, "%s: %lu",
			pcp_result_name(results[i]),
			(unsigned long)c->results[pcp_result_index(results[i])]);
	cr_assert_gt(c->maps_created, 300);
	cr_assert_gt(c->maps_renewed, 300);
	cr_assert_gt(c->maps_deleted, 300);
	cr_assert_gt(c->third_party, 300);
	cr_assert_gt(WORLD_NAT(&t->alone, suggestions_refused), 100);
}

static void expect_connected(const struct pair *t)
{
	static const enum drop tried[] = {
		DROP_TCP_NO_SESSION, DROP_FILTERED_APDF, DROP_UNSOLICITED_SYN};

	for (unsigned i = 0; i < ARRAY_SIZE(tried); i++)
		cr_assert_gt(world_drops(&t->alone, tried[i]), 5, "%s: %lu", drop_name(tried[i]),
			(unsigned long)world_drops(&t->alone, tried[i]));
	cr_assert_gt(WORLD_NAT(&t->alone, sessions_created), 100);
	cr_assert_gt(WORLD_NAT(&t->alone, sessions_expired), 100);
}

Test(ways, each_packet_of_a_burst_gets_what_it_would_get_alone)
{
	struct pair *t = pair_open(32);

	for (unsigned i = 0; i < BURSTS; i++) {
		random_burst(t);
		try_burst(t);
		if (i % 50 == 0) {
			world_pass(&t->together, 1 + i % 40);
			world_pass(&t->alone, 1 + i % 40);
			expect_same_counters(t);
		}
	}
	expect_same_counters(t);
	expect_tried(t);
	expect_asked(t);
	expect_connected(t);
	pair_close(t);
}
