// SPDX-License-Identifier: Apache-2.0
// IPv6 is routed, never translated (RFC 8200, RFC 4443, RFC 4291).
#include "check.h"

#define TWO_FAMILIES                                                                               \
	"workers: 1\n"                                                                             \
	"ports:\n"                                                                                 \
	"  inside:\n"                                                                              \
	"    device: net_null0\n"                                                                  \
	"    addresses: [100.64.0.1/10, \"2001:db8:a::1/64\"]\n"                                   \
	"  outside:\n"                                                                             \
	"    device: net_null1\n"                                                                  \
	"    addresses: [198.51.100.2/30, \"2001:db8:b::2/64\"]\n"                                 \
	"    gateway: 198.51.100.1\n"                                                              \
	"    mtu: 1400\n"                                                                          \
	"    routes: [{to: \"2001:db8:c::/48\", via: \"2001:db8:b::1\"}]\n"                        \
	"  inside-4:\n"                                                                            \
	"    device: net_null2\n"                                                                  \
	"    addresses: [10.0.0.1/24]\n"                                                           \
	"nat-groups:\n"                                                                            \
	"  all:\n"                                                                                 \
	"    subscribers: [100.64.0.0/10]\n"                                                       \
	"    external-address-pool: [203.0.113.0/30]\n"

static ip6 address(const char *text)
{
	ip6 a;

	cr_assert(ip6_parse(text, &a), "%s", text);
	return a;
}

struct six { // a packet and what became of it
	uint8_t l3[WORLD_ROOM];
	struct pkt p;
	enum verdict verdict;
};

static void run(struct world *w, struct six *s, uint16_t iface)
{
	uint16_t len = s->p.len;

	cr_assert_eq(pkt_parse_ip6(&s->p, s->l3, len), DROP_NONE);
	s->p.iface = iface;
	s->p.stage = PKT_FRESH;
	s->p.room = sizeof s->l3;
	shard_run(w->shard[0], w->conf, w->now, &s->p, &s->verdict, 1, &w->sink);
}

static void send_octets(struct world *w, struct six *s, uint16_t iface, const char *src,
	const char *dst, uint8_t next, uint8_t hop_limit, uint16_t payload)
{
	memset(s, 0, sizeof *s);
	*(struct ip6_wire *)(void *)s->l3 =
		(struct ip6_wire){.version_class_flow = be32_of(UINT32_C(6) << 28),
			.payload_length = be16_of(payload),
			.next_header = next,
			.hop_limit = hop_limit,
			.src = address(src),
			.dst = address(dst)};
	s->p.len = (uint16_t)(sizeof(struct ip6_wire) + payload);
	if (next == IP_ICMP6) {
		const struct ip6_wire *ip = (const void *)s->l3;
		s->l3[40] = ICMP6_ECHO;
		be16 sum = be16_of(checksum_ip6(ip->src, ip->dst, IP_ICMP6, s->l3 + 40, payload));
		memcpy(s->l3 + 42, &sum, sizeof sum);
	}
	run(w, s, iface);
}

static uint16_t out_of(const struct world *w, const struct six *s)
{
	return w->conf->next_hops[s->p.next_hop].iface;
}

static void expect_error(const struct six *s, uint8_t type, uint8_t code, const char *from)
{
	const struct ip6_wire *ip = (const void *)s->p.l3;

	cr_assert_eq(s->verdict, VERDICT_REPLY);
	cr_assert_eq(s->p.l3[40], type);
	cr_assert_eq(s->p.l3[41], code);
	cr_assert(ip6_eq(ip->src, address(from)));
	cr_assert_eq(checksum_ip6(ip->src, ip->dst, IP_ICMP6, s->p.l3 + 40, s->p.len - 40u), 0);
}

Test(ip6, rfc8200_s3_a_packet_is_forwarded_untouched_but_for_its_hop_limit)
{
	struct world w;
	struct six s;

	world_open(&w, TWO_FAMILIES);
	send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", "2001:db8:b::1", 17, 64, 100);
	cr_assert_eq(s.verdict, VERDICT_PASS);
	cr_assert_eq(out_of(&w, &s), OUTSIDE_PORT);
	cr_assert(ip6_eq(s.p.via6, address("2001:db8:b::1")));
	cr_assert_eq(s.l3[7], 63);
	cr_assert(ip6_eq(((struct ip6_wire *)(void *)s.l3)->src, address("2001:db8:a::10")));
	send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", "2001:db8:c::7", 6, 64, 100);
	cr_assert_eq(s.verdict, VERDICT_PASS);
	cr_assert(ip6_eq(s.p.via6, address("2001:db8:b::1")), "by the route's gateway");
	send_octets(&w, &s, OUTSIDE_PORT, "2001:db8:c::7", "2001:db8:a::10", 6, 64, 100);
	cr_assert_eq(s.verdict, VERDICT_PASS);
	cr_assert_eq(out_of(&w, &s), INSIDE_PORT);
	cr_assert_eq(WORLD_COUNT(&w, passed_through), 3);
	world_close(&w);
}

Test(ip6, rfc4443_s3_errors_go_back_from_the_address_of_the_port)
{
	struct world w;
	struct six s;

	world_open(&w, TWO_FAMILIES);
	send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", "2001:db8:b::1", 17, 1, 100);
	expect_error(&s, ICMP6_TIME_EXCEEDED, 0, "2001:db8:a::1");
	cr_assert_eq(s.p.drop, DROP_TTL);
	send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", "2001:db8:f::1", 17, 64, 100);
	expect_error(&s, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, "2001:db8:a::1");
	send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", "2001:db8:b::1", 17, 64, 1361);
	expect_error(&s, ICMP6_TOO_BIG, 0, "2001:db8:a::1");
	cr_assert_eq(s.p.l3[46] << 8 | s.p.l3[47], 1400);
	send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", "2001:db8:b::1", 17, 64, 1360);
	cr_assert_eq(s.verdict, VERDICT_PASS);
	send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", "2001:db8:a::1", 17, 64, 8);
	expect_error(&s, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACHABLE, "2001:db8:a::1");
	world_close(&w);
}

Test(ip6, rfc4443_s4_2_our_addresses_answer_ping_from_both_sides)
{
	static const char *const ours[] = {"2001:db8:a::1", "2001:db8:b::2", "fe80::64ff:fe40:1"};
	struct world w;
	struct six s;

	world_open(&w, TWO_FAMILIES);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		send_octets(&w, &s, INSIDE_PORT, "2001:db8:a::10", ours[i], IP_ICMP6, 64, 64);
		cr_assert_eq(s.verdict, VERDICT_REPLY);
		cr_assert_eq(s.p.l3[40], ICMP6_ECHO_REPLY);
		cr_assert_eq(out_of(&w, &s), INSIDE_PORT);
	}
	send_octets(&w, &s, INSIDE_PORT, "fe80::5", "fe80::64ff:fe40:1", IP_ICMP6, 64, 64);
	cr_assert_eq(s.verdict, VERDICT_REPLY);
	cr_assert_eq(out_of(&w, &s), INSIDE_PORT);
	cr_assert(ip6_eq(s.p.via6, address("fe80::5")));
	cr_assert_eq(WORLD_COUNT(&w, echo_replies), 4);
	world_close(&w);
}

Test(ip6, rfc4291_s2_5_6_what_is_never_forwarded)
{
	static const struct {
		const char *src, *dst;
		uint16_t iface;
		enum drop why;
	} cases[] = {
		{"fe80::5", "2001:db8:b::1", INSIDE_PORT, DROP_IP6_ADDRESS},
		{"2001:db8:a::10", "ff02::5", INSIDE_PORT, DROP_IP6_ADDRESS},
		{"::", "2001:db8:b::1", INSIDE_PORT, DROP_IP6_ADDRESS},
		{"2001:db8:a::1", "2001:db8:b::1", INSIDE_PORT, DROP_SPOOFED},
		{"2001:db8:b::2", "2001:db8:a::10", OUTSIDE_PORT, DROP_SPOOFED},
		{"2001:db8:a::10", "2001:db8:b::1", 2, DROP_IPV6}, // that port has no IPv6
	};
	struct world w;
	struct six s;

	world_open(&w, TWO_FAMILIES);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		send_octets(&w, &s, cases[i].iface, cases[i].src, cases[i].dst, 17, 64, 8);
		cr_assert_eq(s.verdict, VERDICT_DROP, "case %zu", i);
		cr_assert_eq(s.p.drop, cases[i].why, "case %zu", i);
	}
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_sent), 0);
	world_close(&w);
}
