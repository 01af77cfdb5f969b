// SPDX-License-Identifier: Apache-2.0
// Our own ICMPv6 messages (RFC 4443).
#include <postern/xlat.h>

#include <criterion/criterion.h>

static const ip6 host = {{0x20, 1, 0xd, 0xb8, [15] = 7}}, router = {{0x20, 1, 0xd, 0xb8, [15] = 1}};

static struct pkt packet(uint8_t *l3, uint16_t room, uint8_t next, const void *body, uint16_t len)
{
	struct pkt p = {0};

	*(struct ip6_wire *)(void *)l3 =
		(struct ip6_wire){.version_class_flow = be32_of(UINT32_C(6) << 28),
			.payload_length = be16_of(len),
			.next_header = next,
			.hop_limit = 1,
			.src = host,
			.dst = router};
	memcpy(l3 + sizeof(struct ip6_wire), body, len);
	cr_assert_eq(pkt_parse_ip6(&p, l3, sizeof(struct ip6_wire) + len), DROP_NONE);
	p.room = room;
	return p;
}

static bool checksum_is_right(const struct pkt *p)
{
	const struct ip6_wire *ip = (const void *)p->l3;

	return checksum_ip6(ip->src, ip->dst, IP_ICMP6, p->l3 + 40, p->len - 40u) == 0;
}

Test(xlat, rfc4443_s2_4_c_an_error_quotes_as_much_as_fits_in_1280_octets)
{
	uint8_t l3[2048], body[1400], before[1400];
	struct pkt p;

	memset(body, 7, sizeof body);
	for (uint16_t len = 0; len <= sizeof body; len += 200) {
		p = packet(l3, sizeof l3, 17, body, len);
		memcpy(before, l3, 40);
		cr_assert(xlat_make_error6(&p, router, ICMP6_TOO_BIG, 0, 1280));
		cr_assert_eq(p.len, len + 88 < 1280 ? len + 88 : 1280);
		cr_assert_arr_eq(p.l3 + 48, before, 40, "the packet as it came");
		cr_assert_eq(p.l3[40], ICMP6_TOO_BIG);
		cr_assert_eq(p.l3[46] << 8 | p.l3[47], 1280);
		cr_assert(checksum_is_right(&p));
		cr_assert(ip6_eq(((struct ip6_wire *)(void *)p.l3)->dst, host));
	}
	p = packet(l3, 100, 17, body, 20);
	cr_assert_not(xlat_make_error6(&p, router, ICMP6_TOO_BIG, 0, 1280), "no room");
	cr_assert_eq(p.len, 60);
}

Test(xlat, rfc4443_s2_4_e_what_gets_no_error)
{
	static const uint8_t types[][2] = {// ICMPv6 type, whether it may be answered
		{ICMP6_UNREACHABLE, 0}, {ICMP6_TIME_EXCEEDED, 0}, {127, 0}, {ICMP6_ECHO, 1},
		{ICMP6_ND_LAST, 0}};
	uint8_t l3[128], body[8] = {0};
	struct pkt_ip6 six;
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		body[0] = types[i][0];
		p = packet(l3, sizeof l3, IP_ICMP6, body, sizeof body);
		pkt_look_ip6(&p, &six);
		cr_assert_eq(xlat_may_answer6(&six, &p), types[i][1]);
	}
	p = packet(l3, sizeof l3, 17, body, sizeof body);
	pkt_look_ip6(&p, &six);
	cr_assert(xlat_may_answer6(&six, &p));
	six.dst = (ip6){{0xff, 2, [15] = 1}};
	cr_assert_not(xlat_may_answer6(&six, &p), "to a group");
	six.dst = router;
	six.later = true;
	cr_assert_not(xlat_may_answer6(&six, &p), "a later fragment");
	six.later = false;
	six.src = (ip6){{0}};
	cr_assert_not(xlat_may_answer6(&six, &p), "from nobody");
}

Test(xlat, rfc4443_s4_2_an_echo_reply_comes_from_where_the_request_went)
{
	// Behind a hop-by-hop header, which the reply has no use for.
	uint8_t l3[128],
		body[24] = {IP_ICMP6, 0, 1, 4, [8] = ICMP6_ECHO, [12] = 1, 2, 3, 4, 'h', 'i'};
	struct pkt p = packet(l3, sizeof l3, 0, body, sizeof body);
	struct pkt_ip6 six;

	pkt_look_ip6(&p, &six);
	cr_assert_eq(six.l4_len, 16);
	xlat_echo6_reply(&p, &six);
	const struct ip6_wire *ip = (const void *)p.l3;
	cr_assert(ip6_eq(ip->src, router));
	cr_assert(ip6_eq(ip->dst, host));
	cr_assert_eq(ip->hop_limit, 64);
	cr_assert_eq(p.len, 56);
	cr_assert_eq(p.l3[40], ICMP6_ECHO_REPLY);
	cr_assert_arr_eq(p.l3 + 44, body + 12, 12);
	cr_assert(checksum_is_right(&p));
}
