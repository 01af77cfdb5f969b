// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#include <criterion/criterion.h>

#include "make.h"
#include "vectors.h"

static const struct make udp = {
	.src = INSIDE,
	.dst = REMOTE,
	.sport = 5000,
	.dport = 53,
	.protocol = IP_UDP,
	.payload_len = 20,
};

static struct make udp_between(ip4 src, ip4 dst)
{
	struct make m = udp;

	m.src = src;
	m.dst = dst;
	return m;
}

Test(pkt, ip4_udp_fills_every_field)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;
	size_t len = make_packet(l3, &udp);

	cr_assert_eq(make_parse(&p, l3, len), DROP_NONE);
	cr_assert(p.l3 == l3 && p.len == len && p.l4_at == 20 && p.protocol == IP_UDP);
	cr_assert(p.kind == PKT_UDP && p.src == INSIDE && p.dst == REMOTE);
	cr_assert(p.sport == 5000 && p.dport == 53 && p.tcp_flags == 0 && p.inner.at == 0);
}

// They belong to the caller: where the packet came from and what became of it.
Test(pkt, ip4_fields_of_the_caller_are_kept)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;
	size_t len = make_packet(l3, &udp);

	cr_assert_eq(make_parse(&p, l3, len), DROP_NONE);
	cr_assert(p.iface == 0xeeee && p.owner == 0xeeee && p.next_hop == 0xeeee);
	cr_assert(p.drop == 0xee && p.via == 0xeeeeeeee && p.room == len);
}

Test(pkt, ip4_tcp_of_another_encoder)
{
	uint8_t l3[sizeof packet_tcp_syn];
	struct pkt p;

	memcpy(l3, packet_tcp_syn, sizeof l3);
	cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_NONE);
	cr_assert(p.kind == PKT_TCP && p.sport == 40000 && p.dport == 443);
	cr_assert(p.tcp_flags == TCP_SYN && p.len == 60 && p.l4_at == 20);
}

Test(pkt, ip4_options_of_another_encoder_are_stepped_over)
{
	uint8_t l3[sizeof packet_udp_options];
	struct pkt p;

	memcpy(l3, packet_udp_options, sizeof l3);
	cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_NONE);
	cr_assert(p.kind == PKT_UDP && p.sport == 5000 && p.dport == 53 && p.l4_at == 36);
}

Test(pkt, ip4_other_protocols_are_accepted_without_ports)
{
	uint8_t l3[sizeof packet_gre];
	struct pkt p;

	memcpy(l3, packet_gre, sizeof l3);
	cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_NONE);
	cr_assert(p.kind == PKT_OTHER && p.protocol == 47 && p.sport == 0 && p.dport == 0);
}

Test(pkt, ip4_padding_of_the_frame_is_cut)
{
	uint8_t l3[MAKE_MAX] = {0};
	struct pkt p;
	size_t len = make_packet(l3, &udp);

	cr_assert_eq(make_parse(&p, l3, len + 18), DROP_NONE);
	cr_assert_eq(p.len, len);
}

Test(pkt, ip4_all_option_lengths)
{
	uint8_t l3[MAKE_MAX];
	struct make m = udp;
	struct pkt p;

	for (m.option_words = 0; m.option_words <= 10; m.option_words++) {
		size_t len = make_packet(l3, &m);
		cr_assert_eq(make_parse(&p, l3, len), DROP_NONE);
		cr_assert_eq(p.l4_at, 20 + 4 * m.option_words);
		cr_assert(p.sport == 5000 && p.dport == 53);
		l3[19 + 4 * m.option_words] ^= 1; // the last octet of the header counts too
		cr_assert_eq(make_parse(&p, l3, len), DROP_IP_CHECKSUM);
	}
}

// One octet of a good UDP packet changed, the header checksum put right unless that is the point.
static const struct {
	const char *what;
	uint8_t at, value;
	bool keep_checksum;
	enum drop drop;
} header_cases[] = {
	{"version 6", 0, 0x65, false, DROP_IP_HEADER},
	{"version 0", 0, 0x05, false, DROP_IP_HEADER},
	{"header of 16 octets", 0, 0x44, false, DROP_IP_HEADER},
	{"header of 0 octets", 0, 0x40, false, DROP_IP_HEADER},
	{"header beyond the frame", 0, 0x4f, true, DROP_IP_HEADER},
	{"total length below the header", 3, 19, false, DROP_IP_HEADER},
	{"total length beyond the frame", 3, 49, false, DROP_IP_TRUNCATED},
	{"total length far beyond the frame", 2, 0xff, false, DROP_IP_TRUNCATED},
	{"header checksum", 10, 0x77, true, DROP_IP_CHECKSUM},
	{"a bit of the TTL", 8, 65, true, DROP_IP_CHECKSUM},
	{"UDP header cut by the total length", 3, 27, false, DROP_L4_HEADER},
	{"UDP length below its header", 25, 7, false, DROP_L4_HEADER},
	{"UDP length zero", 25, 0, false, DROP_L4_HEADER},
	{"UDP length beyond the packet", 25, 29, false, DROP_L4_HEADER},
	{"UDP length shorter than the packet", 25, 27, false, DROP_NONE},
	{"UDP without payload", 25, 8, false, DROP_NONE},
	{"UDP checksum is not looked at", 26, 0x99, false, DROP_NONE},
	{"TTL of 0 is for the router to judge", 8, 0, false, DROP_NONE},
	{"DF", 6, 0x40, false, DROP_NONE},
	{"reserved bit", 6, 0x80, false, DROP_NONE},
};

Test(pkt, ip4_table_of_headers)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(header_cases); i++) {
		size_t len = make_packet(l3, &udp);
		cr_assert_eq(len, 48);
		l3[header_cases[i].at] = header_cases[i].value;
		if (!header_cases[i].keep_checksum)
			make_header_right(l3);
		enum drop drop = make_parse(&p, l3, len);
		cr_assert_eq(drop, header_cases[i].drop, "%s: %s", header_cases[i].what,
			drop_name(drop));
	}
}

static const struct {
	const char *what;
	uint8_t payload_len, offset;
	enum drop drop;
} tcp_cases[] = {
	{"no options", 0, 0x50, DROP_NONE},
	{"reserved bits in the offset octet", 0, 0x5f, DROP_NONE},
	{"options to the end", 40, 0xf0, DROP_NONE},
	{"options past the end", 39, 0xf0, DROP_L4_HEADER},
	{"offset of 4 words", 40, 0x40, DROP_L4_HEADER},
	{"offset of 0 words", 40, 0x00, DROP_L4_HEADER},
	{"offset of 6 words in 20 octets", 0, 0x60, DROP_L4_HEADER},
};

Test(pkt, ip4_table_of_tcp_offsets)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(tcp_cases); i++) {
		struct make m = udp;
		m.protocol = IP_TCP;
		m.flags = TCP_RST | TCP_ACK;
		m.payload_len = tcp_cases[i].payload_len;
		size_t len = make_packet(l3, &m);
		l3[32] = tcp_cases[i].offset;
		enum drop drop = make_parse(&p, l3, len);
		cr_assert_eq(drop, tcp_cases[i].drop, "%s: %s", tcp_cases[i].what, drop_name(drop));
		if (!drop)
			cr_assert(p.kind == PKT_TCP && p.tcp_flags == (TCP_RST | TCP_ACK));
	}
}

static const struct {
	ip4 a;
	enum drop drop;
} address_cases[] = {
	{0x00000000, DROP_IP_ADDRESS}, // 0.0.0.0
	{0x00ffffff, DROP_IP_ADDRESS}, // 0.255.255.255
	{0x01000000, DROP_NONE},       // 1.0.0.0
	{0x0a000001, DROP_NONE},       // 10.0.0.1: whether it may come is for the realm to judge
	{0x7effffff, DROP_NONE},       // 126.255.255.255
	{0x7f000001, DROP_IP_ADDRESS}, // 127.0.0.1
	{0x7fffffff, DROP_IP_ADDRESS}, // 127.255.255.255
	{0x80000000, DROP_NONE},       // 128.0.0.0
	{0xdfffffff, DROP_NONE},       // 223.255.255.255
	{0xe0000001, DROP_IP_ADDRESS}, // 224.0.0.1
	{0xefffffff, DROP_IP_ADDRESS}, // 239.255.255.255
	{0xf0000000, DROP_IP_ADDRESS}, // 240.0.0.0
	{0xffffffff, DROP_IP_ADDRESS}, // 255.255.255.255
};

Test(pkt, ip4_table_of_addresses)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;
	char text[IP4_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(address_cases); i++) {
		struct make from = udp_between(address_cases[i].a, REMOTE);
		struct make to = udp_between(INSIDE, address_cases[i].a);

		cr_assert_eq(make_parse(&p, l3, make_packet(l3, &from)), address_cases[i].drop,
			"from %s", ip4_format(address_cases[i].a, text));
		cr_assert_eq(make_parse(&p, l3, make_packet(l3, &to)), address_cases[i].drop,
			"to %s", ip4_format(address_cases[i].a, text));
	}
}

// The first piece has its ports, but a translation that only it saw would part it from the rest.
Test(pkt, ip4_every_fragment_is_a_fragment)
{
	static const struct {
		uint16_t field;
		enum pkt_kind kind;
	} cases[] = {
		{IP4_MF, PKT_FRAGMENT},
		{1, PKT_FRAGMENT},
		{IP4_OFFSET, PKT_FRAGMENT},
		{IP4_MF | 100, PKT_FRAGMENT},
		{IP4_DF, PKT_UDP},
		{0x8000, PKT_UDP},
	};
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct make m = udp;
		m.fragment = cases[i].field;
		cr_assert_eq(make_parse(&p, l3, make_packet(l3, &m)), DROP_NONE);
		cr_assert_eq(p.kind, cases[i].kind, "fragment field %04x", cases[i].field);
		cr_assert_eq(p.sport, cases[i].kind == PKT_UDP ? 5000 : 0);
		cr_assert_eq(p.l4_at, 20);
	}
}

// A later piece has no transport header, however short, and no ICMP checksum of its own.
Test(pkt, ip4_fragments_need_no_transport_header)
{
	uint8_t l3[MAKE_MAX];
	const uint8_t rest[] = {1, 2, 3};
	struct make m = udp;
	struct pkt p;

	m.protocol = 99; // nothing but the payload
	m.payload = rest;
	m.fragment = 8;
	for (m.payload_len = 0; m.payload_len <= sizeof rest; m.payload_len++) {
		size_t len = make_packet(l3, &m);
		l3[9] = IP_ICMP;
		make_header_right(l3);
		cr_assert_eq(make_parse(&p, l3, len), DROP_NONE);
		cr_assert(p.kind == PKT_FRAGMENT && p.protocol == IP_ICMP);
	}
}

Test(pkt, ip4_the_longest_packet_parses)
{
	static uint8_t l3[65535 + 100];
	struct pkt p;

	make_packet(l3, &udp);
	l3[2] = l3[3] = 0xff;
	l3[24] = 0xff; // UDP length 65515, the whole rest
	l3[25] = 0xeb;
	make_header_right(l3);
	cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_NONE);
	cr_assert_eq(p.len, 65535);
	cr_assert_eq(make_parse(&p, l3, 65534), DROP_IP_TRUNCATED);
}
