// SPDX-License-Identifier: Apache-2.0
// Neighbour solicitations and advertisements (RFC 4861), read and written.
#include <postern/pkt.h>

enum {
	ND_BODY = 24, // ICMPv6 header and target
	ND_HOP_LIMIT = 255,
	OPTION_SOURCE = 1,
	OPTION_TARGET = 2,
	FLAG_ROUTER = 0x80,
	FLAG_SOLICITED = 0x40,
	FLAG_OVERRIDE = 0x20
};

// RFC 4861 s.7.1: every option must have a length, also those that nobody knows.
static bool read_options(struct reader *r, struct pkt_nd *out)
{
	uint8_t wanted = out->type == ICMP6_SOLICITATION ? OPTION_SOURCE : OPTION_TARGET;

	while (reader_left(r) > 0) {
		uint8_t type = read_u8(r), units = read_u8(r), body[8 * 255];

		if (r->bad || units == 0)
			return false;
		read_bytes(r, body, units * 8u - 2);
		if (r->bad)
			return false;
		if (type == wanted && units == 1) {
			memcpy(out->mac, body, sizeof out->mac);
			out->has_mac = true;
		}
	}
	return true;
}

static bool is_right(const struct pkt_ip6 *six, const struct pkt_nd *nd)
{
	if (ip6_is_multicast(nd->target))
		return false;
	if (nd->type == ICMP6_ADVERTISEMENT)
		return !(nd->solicited && ip6_is_multicast(six->dst));
	if (!ip6_is_unspecified(six->src))
		return true;
	// Duplicate address detection.
	return !nd->has_mac && ip6_eq(six->dst, ip6_solicited_node(nd->target));
}

enum drop pkt_parse_nd(const struct pkt *p, const struct pkt_ip6 *six, struct pkt_nd *out)
{
	const uint8_t *l4 = p->l3 + six->l4_at;
	struct reader r = {.at = l4 + 4, .end = l4 + six->l4_len};

	*out = (struct pkt_nd){0};
	if (six->hop_limit != ND_HOP_LIMIT || six->l4_len < ND_BODY || l4[1] != 0 ||
		checksum_ip6(six->src, six->dst, IP_ICMP6, l4, six->l4_len) != 0)
		return DROP_ND;
	out->type = l4[0];
	if (out->type != ICMP6_SOLICITATION && out->type != ICMP6_ADVERTISEMENT)
		return DROP_ND;
	uint32_t flags = read_u32(&r) >> 24;
	out->router = flags & FLAG_ROUTER;
	out->solicited = flags & FLAG_SOLICITED;
	out->override = flags & FLAG_OVERRIDE;
	read_bytes(&r, out->target.b, sizeof out->target.b);
	return read_options(&r, out) && is_right(six, out) ? DROP_NONE : DROP_ND;
}

void pkt_write_nd(uint8_t l3[PKT_ND_SIZE], const struct pkt_nd *nd, ip6 src, ip6 dst)
{
	struct ip6_wire *ip = (void *)l3;
	uint8_t *l4 = l3 + sizeof *ip;
	size_t len = PKT_ND_SIZE - sizeof *ip;
	struct writer w = {.at = l4, .end = l4 + len};
	uint32_t flags = (nd->router ? FLAG_ROUTER : 0u) | (nd->solicited ? FLAG_SOLICITED : 0u) |
			 (nd->override ? FLAG_OVERRIDE : 0u);

	*ip = (struct ip6_wire){.version_class_flow = be32_of(UINT32_C(6) << 28),
		.payload_length = be16_of((uint16_t)len),
		.next_header = IP_ICMP6,
		.hop_limit = ND_HOP_LIMIT,
		.src = src,
		.dst = dst};
	write_u8(&w, nd->type);
	write_u8(&w, 0);
	write_u16(&w, 0);
	write_u32(&w, flags << 24);
	write_bytes(&w, nd->target.b, sizeof nd->target.b);
	write_u8(&w, nd->type == ICMP6_SOLICITATION ? OPTION_SOURCE : OPTION_TARGET);
	write_u8(&w, 1);
	write_bytes(&w, nd->mac, sizeof nd->mac);
	uint16_t sum = checksum_ip6(src, dst, IP_ICMP6, l4, len);
	memcpy(l4 + 2, (be16[]){be16_of(sum)}, sizeof(be16));
}
