// SPDX-License-Identifier: Apache-2.0
// Every packet passes here, so the checks are few and each is a plain comparison that a good packet
// always decides the same way. The order is that of RFC 1812 s.5.2.2: nothing in the header is
// believed before its checksum.
#include <postern/pkt.h>

#include "parse.h"

// Few packets have options, so what sums them is kept out of the way of the rest.
__attribute__((noinline)) static uint64_t sum_options(const uint8_t *l3, uint32_t size)
{
	uint64_t sum = 0;
	uint32_t word;

	for (uint32_t at = sizeof(struct ip4_wire); at < size; at += sizeof word) {
		memcpy(&word, l3 + at, sizeof word);
		sum += word;
	}
	return sum;
}

// RFC 1071 s.2 B, C: the sum is right when it is all ones, in any byte order and word size.
static bool header_sum_is_right(const uint8_t *l3, uint32_t size)
{
	uint64_t first, second, sum;
	uint32_t word;

	memcpy(&first, l3, sizeof first);
	memcpy(&second, l3 + 8, sizeof second);
	memcpy(&word, l3 + 16, sizeof word);
	sum = (first & UINT32_MAX) + (first >> 32) + (second & UINT32_MAX) + (second >> 32) + word;
	if (__builtin_expect(size > sizeof(struct ip4_wire), 0))
		sum += sum_options(l3, size);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

// 0/8, 127/8, 224/4 and 240/4: no host's source, and no destination a router forwards to here
// (RFC 1812 s.5.3.7, s.4.2.2.11). The subtraction turns 0 into the largest number.
static bool is_unforwardable(ip4 a)
{
	uint32_t net = a >> 24;

	return net - 1 >= 223 || net == 127;
}

static enum drop parse_udp(struct pkt *p)
{
	const struct udp_wire *udp = (const void *)(p->l3 + p->l4_at);
	uint32_t left = (uint32_t)p->len - p->l4_at;

	if (left < sizeof *udp)
		return DROP_L4_HEADER;
	uint32_t length = be16_get(udp->length);
	if (length < sizeof *udp || length > left)
		return DROP_L4_HEADER;
	p->kind = PKT_UDP;
	p->sport = be16_get(udp->src);
	p->dport = be16_get(udp->dst);
	return DROP_NONE;
}

static enum drop parse_tcp(struct pkt *p)
{
	const struct tcp_wire *tcp = (const void *)(p->l3 + p->l4_at);
	uint32_t left = (uint32_t)p->len - p->l4_at;

	if (left < sizeof *tcp)
		return DROP_L4_HEADER;
	uint32_t header = tcp->offset / 16u * 4;
	if (header < sizeof *tcp || header > left)
		return DROP_L4_HEADER;
	p->kind = PKT_TCP;
	p->sport = be16_get(tcp->src);
	p->dport = be16_get(tcp->dst);
	p->tcp_flags = tcp->flags;
	return DROP_NONE;
}

static enum drop parse_l4(struct pkt *p, uint16_t fragment)
{
	if (fragment & (IP4_MF | IP4_OFFSET)) {
		p->kind = PKT_FRAGMENT;
		return DROP_NONE;
	}
	switch (p->protocol) {
	case IP_UDP:
		return parse_udp(p);
	case IP_TCP:
		return parse_tcp(p);
	case IP_ICMP:
		return pkt_parse_icmp(p);
	default:
		p->kind = PKT_OTHER;
		return DROP_NONE;
	}
}

static void fill_ip4(struct pkt *p, const struct ip4_wire *ip, uint32_t header)
{
	p->len = be16_get(ip->total_length);
	p->src = be32_get(ip->src);
	p->dst = be32_get(ip->dst);
	p->sport = 0;
	p->dport = 0;
	p->l4_at = (uint8_t)header;
	p->protocol = ip->protocol;
	p->tcp_flags = 0;
	p->resolved = false;
	p->later = false;
	p->inner = (struct pkt_inner){.at = 0};
}

enum drop pkt_parse_ip4(struct pkt *p, uint8_t *l3, size_t len)
{
	const struct ip4_wire *ip = (const void *)l3;

	if (len < sizeof *ip)
		return DROP_IP_HEADER;
	uint32_t header = ip4_header_size(ip->version_ihl);
	if (header == 0 || header > len)
		return DROP_IP_HEADER;
	if (!header_sum_is_right(l3, header))
		return DROP_IP_CHECKSUM;
	p->l3 = l3;
	fill_ip4(p, ip, header);
	if (p->len < header)
		return DROP_IP_HEADER;
	if (p->len > len)
		return DROP_IP_TRUNCATED;
	if (is_unforwardable(p->src) || is_unforwardable(p->dst))
		return DROP_IP_ADDRESS;
	return parse_l4(p, be16_get(ip->fragment));
}
