// SPDX-License-Identifier: Apache-2.0
// Our own ICMPv6 messages (RFC 4443).
#include <postern/xlat.h>

enum {
	QUOTE_MOST = 1280 - 48, // the error shall fit the smallest link (RFC 4443 s.2.4 c)
	HOP_LIMIT = 64
};

static void write_header(struct pkt *p, ip6 src, ip6 dst, size_t payload)
{
	*(struct ip6_wire *)(void *)p->l3 =
		(struct ip6_wire){.version_class_flow = be32_of(UINT32_C(6) << 28),
			.payload_length = be16_of((uint16_t)payload),
			.next_header = IP_ICMP6,
			.hop_limit = HOP_LIMIT,
			.src = src,
			.dst = dst};
	p->len = (uint16_t)(sizeof(struct ip6_wire) + payload);
}

static void finish_icmp(struct pkt *p, size_t l4_at)
{
	const struct ip6_wire *ip = (const void *)p->l3;
	struct icmp6_wire *icmp = (void *)(p->l3 + l4_at);

	icmp->checksum = be16_of(0);
	icmp->checksum = be16_of(
		checksum_ip6(ip->src, ip->dst, IP_ICMP6, p->l3 + l4_at, (size_t)p->len - l4_at));
}

// RFC 4443 s.2.4 (e): not about an error or a redirect, a group destination, or a source that is no
// single host. A message whose type is cut off, or in a later fragment, may be an error.
bool xlat_may_answer6(const struct pkt_ip6 *six, const struct pkt *p)
{
	if (ip6_is_unspecified(six->src) || ip6_is_multicast(six->src) ||
		ip6_is_multicast(six->dst) || six->later)
		return false;
	if (six->protocol != IP_ICMP6)
		return true;
	uint8_t type = six->l4_len > 0 ? p->l3[six->l4_at] : 0;
	return type >= ICMP6_INFORMATIONAL && type != ICMP6_ND_LAST;
}

bool xlat_make_error6(struct pkt *p, ip6 from, uint8_t type, uint8_t code, uint32_t data)
{
	const size_t front = sizeof(struct ip6_wire) + sizeof(struct icmp6_wire);
	ip6 to = ((const struct ip6_wire *)(const void *)p->l3)->src;
	size_t quote = min_u32(p->len, QUOTE_MOST);

	if (p->room < front + quote)
		return false;
	memmove(p->l3 + front, p->l3, quote);
	write_header(p, from, to, sizeof(struct icmp6_wire) + quote);
	*(struct icmp6_wire *)(void *)(p->l3 + sizeof(struct ip6_wire)) =
		(struct icmp6_wire){.type = type, .code = code, .data = be32_of(data)};
	finish_icmp(p, sizeof(struct ip6_wire));
	return true;
}

void xlat_echo6_reply(struct pkt *p, const struct pkt_ip6 *six)
{
	// Extension headers are left out: the reply is a packet of its own.
	memmove(p->l3 + sizeof(struct ip6_wire), p->l3 + six->l4_at, six->l4_len);
	write_header(p, six->dst, six->src, six->l4_len);
	p->l3[sizeof(struct ip6_wire)] = ICMP6_ECHO_REPLY;
	finish_icmp(p, sizeof(struct ip6_wire));
}
