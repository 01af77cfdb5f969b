// SPDX-License-Identifier: Apache-2.0
// IPv6 headers (RFC 8200), addresses (RFC 4291), neighbour discovery (RFC 4861).
#include <postern/pkt.h>

#include <criterion/criterion.h>
#include <stdlib.h>

static const ip6 one = {{0x20, 1, 0xd, 0xb8, [15] = 1}}, two = {{0x20, 1, 0xd, 0xb8, [15] = 2}};
static const uint8_t mac[6] = {2, 0, 0x64, 0x40, 0, 1};

static size_t make(uint8_t *l3, ip6 src, ip6 dst, uint8_t next, const void *body, size_t len)
{
	*(struct ip6_wire *)(void *)l3 =
		(struct ip6_wire){.version_class_flow = be32_of(UINT32_C(6) << 28),
			.payload_length = be16_of((uint16_t)len),
			.next_header = next,
			.hop_limit = 64,
			.src = src,
			.dst = dst};
	memcpy(l3 + sizeof(struct ip6_wire), body, len);
	return sizeof(struct ip6_wire) + len;
}

Test(pkt, rfc8200_s3_the_fixed_header_is_checked_before_it_is_believed)
{
	uint8_t l3[128] = {0}, body[8] = {0};
	size_t len = make(l3, one, two, 59, body, sizeof body);
	struct pkt p;

	cr_assert_eq(pkt_parse_ip6(&p, l3, len), DROP_NONE);
	cr_assert_eq(p.kind, PKT_IP6);
	cr_assert_eq(p.len, 48);
	cr_assert_eq(pkt_parse_ip6(&p, l3, len + 20), DROP_NONE, "padding of the frame");
	cr_assert_eq(p.len, 48);
	for (size_t cut = 0; cut < len; cut++)
		cr_assert_eq(pkt_parse_ip6(&p, l3, cut), DROP_IP6_HEADER);
	l3[0] = 0x45;
	cr_assert_eq(pkt_parse_ip6(&p, l3, len), DROP_IP6_HEADER);
}

Test(pkt, rfc4291_s2_5_addresses_that_no_wire_may_carry)
{
	static const ip6 loopback = {{[15] = 1}}, nobody = {{0}}, group = {{0xff, 2, [15] = 1}};
	const struct {
		ip6 src, dst;
		enum drop wanted;
	} cases[] = {
		{loopback, two, DROP_IP6_ADDRESS},
		{one, loopback, DROP_IP6_ADDRESS},
		{one, nobody, DROP_IP6_ADDRESS},
		{group, two, DROP_IP6_ADDRESS},
		{nobody, group, DROP_NONE}, // duplicate address detection
		{one, group, DROP_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t l3[64] = {0};
		size_t len = make(l3, cases[i].src, cases[i].dst, 59, "", 0);
		struct pkt p;

		cr_assert_eq(pkt_parse_ip6(&p, l3, len), cases[i].wanted, "case %zu", i);
	}
}

static struct pkt_ip6 look(uint8_t *l3, size_t len)
{
	struct pkt_ip6 six;
	struct pkt p;

	cr_assert_eq(pkt_parse_ip6(&p, l3, len), DROP_NONE);
	pkt_look_ip6(&p, &six);
	cr_assert_leq(six.l4_at + six.l4_len, p.len);
	return six;
}

Test(pkt, rfc8200_s4_the_upper_layer_is_found_behind_extension_headers)
{
	// Hop-by-hop, destination options of 16 octets, a first fragment, then UDP.
	uint8_t body[40] = {60, 0, [8] = 44, [9] = 1, [24] = 17, [27] = 1, [32] = 1};
	uint8_t l3[128] = {0};
	struct pkt_ip6 six = look(l3, make(l3, one, two, 0, body, sizeof body));

	cr_assert_eq(six.protocol, 17);
	cr_assert_eq(six.l4_at, 72);
	cr_assert_eq(six.l4_len, 8);
	cr_assert_not(six.later);
	body[27] = 8; // the fragment's offset is 1
	six = look(l3, make(l3, one, two, 0, body, sizeof body));
	cr_assert(six.later);
	cr_assert_eq(six.protocol, 255);
}

Test(pkt, rfc8200_s4_extension_headers_that_are_cut_or_endless_have_no_upper_layer)
{
	uint8_t l3[256] = {0}, body[160] = {0};

	// A header that says it is longer than the packet.
	body[0] = 17;
	body[1] = 200;
	cr_assert_eq(look(l3, make(l3, one, two, 0, body, sizeof body)).protocol, 255);
	// Twenty hop-by-hop headers.
	memset(body, 0, sizeof body);
	cr_assert_eq(look(l3, make(l3, one, two, 0, body, sizeof body)).protocol, 255);
	for (size_t len = 0; len < 32; len++) // cut anywhere
		look(l3, make(l3, one, two, 0, body, len));
}

Test(pkt, rfc4291_s2_7_1_link_local_and_solicited_node_addresses)
{
	char text[IP6_TEXT];

	cr_assert_str_eq(ip6_format(ip6_link_local(mac), text), "fe80::64ff:fe40:1");
	cr_assert(ip6_is_link_local(ip6_link_local(mac)));
	cr_assert_not(ip6_is_link_local(one));
	cr_assert_str_eq(ip6_format(ip6_solicited_node(one), text), "ff02::1:ff00:1");
	cr_assert(ip6_is_multicast(ip6_solicited_node(one)));
}

// ---- neighbour discovery ---------------------------------------------------------------------

static enum drop parse_nd(uint8_t *l3, size_t len, struct pkt_nd *out)
{
	struct pkt_ip6 six;
	struct pkt p;

	cr_assert_eq(pkt_parse_ip6(&p, l3, len), DROP_NONE);
	pkt_look_ip6(&p, &six);
	cr_assert_eq(six.protocol, IP_ICMP6);
	return pkt_parse_nd(&p, &six, out);
}

static void write_nd(uint8_t l3[PKT_ND_SIZE], uint8_t type, ip6 src, ip6 dst)
{
	struct pkt_nd nd = {.type = type, .target = two, .solicited = type == ICMP6_ADVERTISEMENT};

	memcpy(nd.mac, mac, sizeof mac);
	pkt_write_nd(l3, &nd, src, dst);
}

Test(pkt, rfc4861_s4_3_what_is_written_is_read_again)
{
	uint8_t l3[PKT_ND_SIZE];
	struct pkt_nd nd;

	write_nd(l3, ICMP6_SOLICITATION, one, ip6_solicited_node(two));
	cr_assert_eq(parse_nd(l3, sizeof l3, &nd), DROP_NONE);
	cr_assert_eq(nd.type, ICMP6_SOLICITATION);
	cr_assert(ip6_eq(nd.target, two));
	cr_assert(nd.has_mac);
	cr_assert_arr_eq(nd.mac, mac, 6);
	write_nd(l3, ICMP6_ADVERTISEMENT, two, one);
	cr_assert_eq(parse_nd(l3, sizeof l3, &nd), DROP_NONE);
	cr_assert(nd.solicited);
	cr_assert_not(nd.router);
}

static void fix_checksum(uint8_t *l3, size_t len)
{
	const struct ip6_wire *ip = (const void *)l3;
	be16 zero = be16_of(0), sum;

	memcpy(l3 + 42, &zero, sizeof zero);
	sum = be16_of(checksum_ip6(ip->src, ip->dst, IP_ICMP6, l3 + 40, len - 40));
	memcpy(l3 + 42, &sum, sizeof sum);
}

Test(pkt, rfc4861_s7_1_messages_that_must_be_discarded)
{
	enum {
		HOP_LIMIT = 7,
		TYPE = 40,
		CODE = 41,
		TARGET = 48,
		OPTION = 64,
		UNITS = 65
	};
	static const struct {
		uint16_t at;
		uint8_t value;
	} changes[] = {
		{HOP_LIMIT, 254}, {TYPE, 133}, {CODE, 1}, {TARGET, 0xff}, {UNITS, 0}, {UNITS, 2}};
	uint8_t l3[PKT_ND_SIZE];
	struct pkt_nd nd;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		write_nd(l3, ICMP6_SOLICITATION, one, ip6_solicited_node(two));
		l3[changes[i].at] = changes[i].value;
		fix_checksum(l3, sizeof l3);
		cr_assert_eq(parse_nd(l3, sizeof l3, &nd), DROP_ND, "change %zu", i);
	}
	write_nd(l3, ICMP6_SOLICITATION, one, ip6_solicited_node(two));
	l3[50] ^= 1; // no longer what the checksum says
	cr_assert_eq(parse_nd(l3, sizeof l3, &nd), DROP_ND);
	write_nd(l3, ICMP6_ADVERTISEMENT, two, ip6_solicited_node(two));
	cr_assert_eq(parse_nd(l3, sizeof l3, &nd), DROP_ND, "solicited, and to a group");
	write_nd(l3, ICMP6_SOLICITATION, (ip6){{0}}, ip6_solicited_node(two));
	cr_assert_eq(parse_nd(l3, sizeof l3, &nd), DROP_ND, "detection with a link-layer address");
}

Test(pkt, rfc4861_s7_1_cut_messages_are_never_read_beyond)
{
	for (size_t cut = 41; cut < PKT_ND_SIZE; cut++) {
		uint8_t whole[PKT_ND_SIZE], *l3;
		struct pkt_nd nd;

		write_nd(whole, ICMP6_SOLICITATION, one, ip6_solicited_node(two));
		l3 = malloc(cut); // so that a sanitizer sees one octet too many
		memcpy(l3, whole, cut);
		((struct ip6_wire *)(void *)l3)->payload_length = be16_of((uint16_t)(cut - 40));
		if (cut >= 44)
			fix_checksum(l3, cut);
		cr_assert_eq(parse_nd(l3, cut, &nd) == DROP_NONE, cut == 64, "%zu octets", cut);
		free(l3);
	}
}
