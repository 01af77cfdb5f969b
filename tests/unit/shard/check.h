// SPDX-License-Identifier: Apache-2.0
// check.h - the configuration most tests of this room begin with, packets in one line, and what is
// expected of those that leave.
#ifndef TEST_SHARD_CHECK_H
#define TEST_SHARD_CHECK_H

#include <criterion/criterion.h>

#include "world.h"

#define GATEWAY 0x64400001u  // 100.64.0.1, ours inside
#define EDGE 0xc0000202u     // 192.0.2.2, ours outside
#define UPSTREAM 0xc0000201u // 192.0.2.1, the router outside
#define SERVER 0xc6120001u   // 198.18.0.1, a listen address
#define HOME 0x6440000au     // 100.64.0.10
#define NEIGHBOR 0x64400014u // 100.64.0.20
#define STRANGER 0x64410001u // 100.65.0.1, of no group
#define PEER 0xc6336450u     // 198.51.100.80, on the Internet
#define OTHER_PEER 0xc6336451u

enum {
	INSIDE_PORT,
	OUTSIDE_PORT
}; // interfaces, in the order of the file

#define PORTS                                                                                      \
	"ports:\n"                                                                                 \
	"  inside: { device: net_null0, addresses: [100.64.0.1/10] }\n"                            \
	"  outside: { device: net_null1, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"
#define LIMITS "limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 6 }\n"
#define GROUP                                                                                      \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: { listen: [198.18.0.1, gateway] }\n"

#define ONE_SHARD PORTS LIMITS GROUP
#define TWO_SHARDS "workers: 2\n" PORTS LIMITS GROUP

// ---- packets ---------------------------------------------------------------------------------

static inline struct make udp_of(ip4 src, uint16_t sport, ip4 dst, uint16_t dport)
{
	return (struct make){.src = src,
		.dst = dst,
		.sport = sport,
		.dport = dport,
		.protocol = IP_UDP,
		.payload_len = 16};
}

static inline struct make tcp_of(ip4 src, uint16_t sport, ip4 dst, uint16_t dport, uint8_t flags)
{
	struct make m = udp_of(src, sport, dst, dport);

	m.protocol = IP_TCP;
	m.flags = flags;
	return m;
}

static inline struct make echo_of(ip4 src, ip4 dst, uint8_t type, uint16_t id)
{
	struct make m = udp_of(src, id, dst, id);

	m.protocol = IP_ICMP;
	m.type = type;
	return m;
}

// An ICMP error about the packet in *about, quoted whole.
static inline struct make error_of(
	ip4 src, ip4 dst, uint8_t type, uint8_t code, const struct frame *about)
{
	return (struct make){.src = src,
		.dst = dst,
		.protocol = IP_ICMP,
		.type = type,
		.code = code,
		.payload = about->p.l3,
		.payload_len = about->p.len};
}

static inline void put(struct world *w, uint16_t iface, struct make m, struct frame *out)
{
	uint8_t packet[MAKE_MAX];
	size_t len = make_packet(packet, &m);

	world_put(w, iface, packet, len, out);
}

// ---- expectations ----------------------------------------------------------------------------

static inline void expect_drop(const struct frame *f, enum drop why)
{
	cr_assert_eq(f->verdict, VERDICT_DROP, "verdict %d", f->verdict);
	cr_assert_eq(f->drop, why, "dropped for %s, not %s", drop_name(f->drop), drop_name(why));
}

static inline void expect_pass(const struct frame *f, uint16_t out)
{
	cr_assert_neq(f->verdict, VERDICT_DROP, "dropped: %s", drop_name(f->drop));
	cr_assert_eq(f->verdict, VERDICT_PASS, "verdict %d", f->verdict);
	cr_assert_eq(f->out, out, "leaves by interface %u, not %u", f->out, out);
}

static inline void expect_between(const struct pkt *p, ip4 src, ip4 dst)
{
	char text[4][IP4_TEXT];

	cr_assert(p->src == src && p->dst == dst, "%s to %s, not %s to %s",
		ip4_format(p->src, text[0]), ip4_format(p->dst, text[1]), ip4_format(src, text[2]),
		ip4_format(dst, text[3]));
}

// Passed to the subscriber's endpoint inside.
static inline void expect_in(
	const struct frame *f, ip4 src, uint16_t sport, ip4 dst, uint16_t dport)
{
	expect_pass(f, INSIDE_PORT);
	expect_between(&f->p, src, dst);
	cr_assert_eq(f->p.sport, sport);
	cr_assert_eq(f->p.dport, dport);
}

// An ICMP error of our own, about a packet that reads as *about says.
static inline void expect_error(const struct frame *f, uint16_t out, ip4 from,
	const struct make *about, uint8_t type, uint8_t code)
{
	cr_assert_neq(f->verdict, VERDICT_DROP, "dropped: %s", drop_name(f->drop));
	cr_assert_eq(f->p.kind, PKT_ICMP_ERROR);
	cr_assert_eq(f->out, out);
	expect_between(&f->p, from, about->src);
	cr_assert_eq(f->p.l3[f->p.l4_at], type);
	cr_assert_eq(f->p.l3[f->p.l4_at + 1], code);
	cr_assert_eq(f->p.inner.src, about->src);
	cr_assert_eq(f->p.inner.dst, about->dst);
	cr_assert_eq(f->p.inner.sport, about->sport);
}

// A UDP packet out, which must pass; the external endpoint it leaves with.
static inline struct recipe open_udp(struct world *w, ip4 host, uint16_t port, ip4 peer)
{
	struct frame f;

	put(w, INSIDE_PORT, udp_of(host, port, peer, 53), &f);
	expect_pass(&f, OUTSIDE_PORT);
	return (struct recipe){f.p.src, f.p.sport};
}

static inline bool recipe_eq(struct recipe a, struct recipe b)
{
	return a.addr == b.addr && a.port == b.port;
}

#endif
