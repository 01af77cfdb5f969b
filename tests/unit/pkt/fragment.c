// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#include <criterion/criterion.h>

#include "make.h"

static struct make datagram(uint8_t protocol, size_t payload_len)
{
	return (struct make){.src = INSIDE,
		.dst = REMOTE,
		.sport = 5000,
		.dport = 53,
		.protocol = protocol,
		.type = ICMP_ECHO,
		.flags = TCP_SYN,
		.id = 0x1234,
		.payload_len = payload_len};
}

// Octets first..end-1 of the payload of *m, parsed.
static enum drop load(struct pkt *p, uint8_t l3[MAKE_MAX], const struct make *m, size_t first,
	size_t end, struct pkt_fragment *f)
{
	uint8_t whole[MAKE_MAX];

	make_packet(whole, m);
	size_t len = make_piece(l3, whole, first, end);
	cr_assert_eq(make_parse(p, l3, len), DROP_NONE);
	cr_assert_eq(p->kind, PKT_FRAGMENT);
	cr_assert(!p->resolved && !p->later);
	return pkt_parse_fragment(p, f);
}

Test(pkt, t_4787_14_a_first_piece_tells_its_ports)
{
	static const struct {
		uint8_t protocol, least; // octets of the shortest first piece
		uint16_t sport, dport;
	} cases[] = {{IP_UDP, 8, 5000, 53}, {IP_TCP, 24, 5000, 53}, {IP_ICMP, 8, 5000, 5000}};
	uint8_t l3[MAKE_MAX];
	struct pkt_fragment f;
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct make m = datagram(cases[i].protocol, 400);
		for (m.option_words = 0; m.option_words <= 10; m.option_words += 5) {
			cr_assert_eq(load(&p, l3, &m, 0, cases[i].least, &f), DROP_NONE);
			cr_assert(f.id == 0x1234 && f.first == 0 && f.end == cases[i].least);
			cr_assert(f.more && f.has_ports);
			cr_assert(f.sport == cases[i].sport && f.dport == cases[i].dport);
		}
	}
}

Test(pkt, t_4787_14_a_later_piece_tells_its_place)
{
	uint8_t l3[MAKE_MAX];
	struct pkt_fragment f;
	struct pkt p;
	struct make m = datagram(IP_UDP, 400);

	cr_assert_eq(load(&p, l3, &m, 8, 400, &f), DROP_NONE);
	cr_assert(f.id == 0x1234 && f.first == 8 && f.end == 400 && f.more && !f.has_ports);
	cr_assert_eq(load(&p, l3, &m, 400, 408, &f), DROP_NONE);
	cr_assert(f.first == 400 && f.end == 408 && !f.more && !f.has_ports);
	cr_assert_eq(load(&p, l3, &m, 400, 403, &f), DROP_L4_HEADER, "more follow, but no unit");
	m.payload_len = 395;
	cr_assert_eq(load(&p, l3, &m, 400, 403, &f), DROP_NONE, "the last may have any length");
	m.protocol = 47;
	cr_assert_eq(load(&p, l3, &m, 0, 8, &f), DROP_NONE);
	cr_assert(!f.has_ports, "GRE has none");
}

// RFC 1858 s.3, RFC 3128.
Test(pkt, t_frag_forbidden_tiny_first_pieces_and_those_behind_that_overwrite)
{
	static const struct {
		uint8_t protocol;
		size_t first, end;
		enum drop drop;
	} cases[] = {
		{IP_TCP, 0, 8, DROP_FRAG_TINY},
		{IP_TCP, 0, 16, DROP_FRAG_TINY},
		{IP_TCP, 0, 24, DROP_NONE},
		{IP_TCP, 8, 64, DROP_FRAG_TINY},
		{IP_TCP, 16, 64, DROP_FRAG_TINY},
		{IP_TCP, 24, 64, DROP_NONE},
		{IP_UDP, 0, 8, DROP_NONE},
		{IP_UDP, 8, 16, DROP_NONE},
		{IP_ICMP, 0, 8, DROP_NONE},
	};
	uint8_t l3[MAKE_MAX];
	struct pkt_fragment f;
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct make m = datagram(cases[i].protocol, 200);
		enum drop drop = load(&p, l3, &m, cases[i].first, cases[i].end, &f);
		cr_assert_eq(drop, cases[i].drop, "case %zu: %s", i, drop_name(drop));
	}
}

Test(pkt, t_frag_forbidden_a_first_piece_has_its_tcp_options)
{
	uint8_t payload[64] = {0}, l3[MAKE_MAX];
	struct make m = datagram(IP_TCP, sizeof payload);
	struct pkt_fragment f;
	struct pkt p;

	m.payload = payload;
	load(&p, l3, &m, 0, 32, &f);
	l3[20 + 12] = 0x80; // 32 octets
	cr_assert_eq(pkt_parse_fragment(&p, &f), DROP_NONE);
	l3[20 + 12] = 0x90;
	cr_assert_eq(pkt_parse_fragment(&p, &f), DROP_FRAG_TINY);
	l3[20 + 12] = 0x40;
	cr_assert_eq(pkt_parse_fragment(&p, &f), DROP_L4_HEADER);
}

// An ICMP error in fragments cannot be judged: its quote is not all there.
Test(pkt, icmp_errors_come_whole)
{
	static const struct {
		uint8_t type;
		enum drop drop;
	} cases[] = {
		{ICMP_ECHO, DROP_NONE},
		{ICMP_ECHO_REPLY, DROP_NONE},
		{ICMP_UNREACHABLE, DROP_ICMP_EMBEDDED},
		{ICMP_TIME_EXCEEDED, DROP_ICMP_EMBEDDED},
		{ICMP_PARAMETER, DROP_ICMP_EMBEDDED},
		{ICMP_REDIRECT, DROP_ICMP_TYPE},
		{13, DROP_ICMP_TYPE},
	};
	uint8_t l3[MAKE_MAX];
	struct pkt_fragment f;
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct make m = datagram(IP_ICMP, 200);
		m.type = cases[i].type;
		cr_assert_eq(load(&p, l3, &m, 0, 64, &f), cases[i].drop, "type %u", m.type);
	}
}

Test(pkt, no_datagram_is_longer_than_65535_octets)
{
	uint8_t l3[MAKE_MAX];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = 47, .payload_len = 7};
	struct pkt_fragment f;
	struct pkt p;

	m.fragment = 8188; // 65504
	for (m.payload_len = 9; m.payload_len <= 13; m.payload_len++) {
		size_t len = make_packet(l3, &m);
		cr_assert_eq(make_parse(&p, l3, len), DROP_NONE);
		cr_assert_eq(pkt_parse_fragment(&p, &f),
			m.payload_len <= 11 ? DROP_NONE : DROP_L4_HEADER, "%zu", m.payload_len);
	}
	m.payload_len = 0;
	cr_assert_eq(make_parse(&p, l3, make_packet(l3, &m)), DROP_NONE);
	cr_assert_eq(pkt_parse_fragment(&p, &f), DROP_L4_HEADER, "a piece of nothing");
}

Test(pkt, a_resolved_piece_reads_as_its_datagram)
{
	uint8_t l3[MAKE_MAX];
	struct make m = datagram(IP_TCP, 200);
	struct pkt_fragment f;
	struct pkt p;

	cr_assert_eq(load(&p, l3, &m, 0, 64, &f), DROP_NONE);
	pkt_resolve(&p, PKT_TCP, f.sport, f.dport);
	cr_assert(p.kind == PKT_TCP && p.resolved && !p.later);
	cr_assert(p.sport == 5000 && p.dport == 53 && p.tcp_flags == TCP_SYN);
	cr_assert_eq(load(&p, l3, &m, 64, 128, &f), DROP_NONE);
	pkt_resolve(&p, PKT_TCP, 5000, 53);
	cr_assert(p.kind == PKT_TCP && p.resolved && p.later);
	cr_assert(p.sport == 5000 && p.dport == 53 && p.tcp_flags == 0);
}
