// SPDX-License-Identifier: Apache-2.0
// IPv6 headers as far as a router looks at them (RFC 8200).
#include <postern/pkt.h>

enum {
	NEXT_HOP_BY_HOP = 0,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_DESTINATION = 60,
	NEXT_UNKNOWN = 255,
	EXTENSIONS_MAX = 8 // looked at; a packet with more has no upper layer for us
};

bool ip6_is_multicast(ip6 a)
{
	return a.b[0] == 0xff;
}

bool ip6_is_link_local(ip6 a)
{
	return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80;
}

bool ip6_is_unspecified(ip6 a)
{
	return ip6_eq(a, (ip6){{0}});
}

static bool is_loopback(ip6 a)
{
	return ip6_eq(a, (ip6){{[15] = 1}});
}

ip6 ip6_link_local(const uint8_t mac[6])
{
	return (ip6){{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3],
		mac[4], mac[5]}};
}

ip6 ip6_solicited_node(ip6 a)
{
	return (ip6){{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a.b[13], a.b[14], a.b[15]}};
}

uint16_t checksum_ip6(ip6 src, ip6 dst, uint8_t protocol, const uint8_t *l4, size_t len)
{
	const be32 length = be32_of((uint32_t)len), next = be32_of(protocol);
	uint32_t sum = checksum_add(0, src.b, sizeof src.b);

	sum = checksum_add(sum, dst.b, sizeof dst.b);
	sum = checksum_add(sum, length.b, sizeof length.b);
	sum = checksum_add(sum, next.b, sizeof next.b);
	return checksum_fold(checksum_add(sum, l4, len));
}

// RFC 4291 s.2.5.2, s.2.5.3, s.2.7: what no packet on a wire may have.
static bool is_possible(const struct ip6_wire *ip)
{
	return !ip6_is_multicast(ip->src) && !is_loopback(ip->src) && !is_loopback(ip->dst) &&
	       !ip6_is_unspecified(ip->dst);
}

enum drop pkt_parse_ip6(struct pkt *p, uint8_t *l3, size_t len)
{
	const struct ip6_wire *ip = (const void *)l3;
	size_t total;

	if (len < sizeof *ip || l3[0] >> 4 != 6)
		return DROP_IP6_HEADER;
	total = sizeof *ip + be16_get(ip->payload_length);
	if (total > len || total > UINT16_MAX)
		return DROP_IP6_HEADER;
	if (!is_possible(ip))
		return DROP_IP6_ADDRESS;
	p->l3 = l3;
	p->len = (uint16_t)total;
	p->kind = PKT_IP6;
	p->protocol = ip->next_header;
	p->resolved = p->later = false;
	return DROP_NONE;
}

// The length of the extension header at `at`, 0 when it is none or is cut.
static size_t extension_length(uint8_t next, const uint8_t *at, size_t left)
{
	if (left < 8)
		return 0;
	switch (next) {
	case NEXT_FRAGMENT:
		return 8;
	case NEXT_HOP_BY_HOP:
	case NEXT_ROUTING:
	case NEXT_DESTINATION:
		return (at[1] + 1u) * 8 <= left ? (at[1] + 1u) * 8 : 0;
	default:
		return 0;
	}
}

static bool is_extension(uint8_t next)
{
	return next == NEXT_HOP_BY_HOP || next == NEXT_ROUTING || next == NEXT_FRAGMENT ||
	       next == NEXT_DESTINATION;
}

void pkt_look_ip6(const struct pkt *p, struct pkt_ip6 *out)
{
	const struct ip6_wire *ip = (const void *)p->l3;
	uint8_t next = ip->next_header;
	size_t at = sizeof *ip;

	*out = (struct pkt_ip6){.src = ip->src, .dst = ip->dst, .hop_limit = ip->hop_limit};
	for (int i = 0; i < EXTENSIONS_MAX && is_extension(next); i++) {
		size_t size = extension_length(next, p->l3 + at, p->len - at);

		if (size == 0)
			break;
		if (next == NEXT_FRAGMENT)
			out->later |= ((p->l3[at + 2] << 8 | p->l3[at + 3]) & 0xfff8) != 0;
		next = p->l3[at];
		at += size;
	}
	out->protocol = is_extension(next) || out->later ? NEXT_UNKNOWN : next;
	out->l4_at = (uint16_t)at;
	out->l4_len = (uint16_t)(p->len - at);
}
