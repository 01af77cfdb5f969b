// SPDX-License-Identifier: Apache-2.0
// What we send ourselves on behalf of a packet: echo replies and ICMP errors.
#include <postern/xlat.h>

#include "rewrite.h"

#define ERROR_SIZE_MAX 576 // RFC 1812 s.4.3.2.3
#define ERROR_HEADERS ((uint32_t)(sizeof(struct ip4_wire) + sizeof(struct icmp_wire)))

void xlat_cut_options(struct pkt *p)
{
	struct ip4_wire *ip = (void *)p->l3;
	uint32_t options = p->l4_at - (uint32_t)sizeof *ip;

	if (options == 0)
		return;
	memmove(p->l3 + sizeof *ip, p->l3 + p->l4_at, (size_t)p->len - p->l4_at);
	ip->version_ihl = 0x45;
	p->l4_at = sizeof *ip;
	p->len = (uint16_t)(p->len - options);
}

void xlat_finish_header(struct pkt *p, uint8_t ttl)
{
	struct ip4_wire *ip = (void *)p->l3;

	ip->tos = (uint8_t)(ip->tos & ~TOS_ECN);
	ip->total_length = be16_of(p->len);
	ip->ttl = ttl;
	ip->src = be32_of(p->src);
	ip->dst = be32_of(p->dst);
	ip->checksum = be16_of(0);
	ip->checksum = be16_of(checksum_ip4(p->l3, sizeof *ip));
}

void xlat_write_header(struct pkt *p, uint8_t tos, uint8_t ttl)
{
	struct ip4_wire *ip = (void *)p->l3;

	*ip = (struct ip4_wire){
		.version_ihl = 0x45,
		.tos = tos,
		.fragment = be16_of(IP4_DF),
		.protocol = p->protocol,
	};
	xlat_finish_header(p, ttl);
}

static void swap_addresses(struct pkt *p)
{
	ip4 src = p->src;

	p->src = p->dst;
	p->dst = src;
}

void xlat_echo_reply(struct pkt *p)
{
	struct icmp_wire *icmp;

	xlat_cut_options(p);
	swap_addresses(p);
	xlat_finish_header(p, FRESH_TTL);
	icmp = (void *)(p->l3 + p->l4_at);
	uint16_t before = word_at(icmp);
	icmp->type = ICMP_ECHO_REPLY;
	apply_delta(&icmp->checksum, checksum_delta16(before, word_at(icmp)));
	if (be16_eq(icmp->checksum, 0)) // of nothing but zeros the checksum is 0xffff
		icmp->checksum =
			be16_of(checksum_fold(checksum_add(0, icmp, (size_t)p->len - p->l4_at)));
}

// Of a fragment the parse did not look at the ICMP header.
static bool is_error_fragment(const struct pkt *p)
{
	const struct icmp_wire *icmp = (const void *)(p->l3 + p->l4_at);

	if (p->kind != PKT_FRAGMENT || p->protocol != IP_ICMP)
		return false;
	return p->len <= p->l4_at || (icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHO_REPLY);
}

static bool is_single_host(ip4 a)
{
	uint32_t net = a >> 24;

	return net != 0 && net != 127 && net < 224;
}

bool xlat_may_answer(const struct pkt *p, bool link_group)
{
	const struct ip4_wire *ip = (const void *)p->l3;

	if (link_group || p->kind == PKT_ICMP_ERROR)
		return false;
	if (be16_get(ip->fragment) & IP4_OFFSET || is_error_fragment(p))
		return false;
	return is_single_host(p->src) && is_single_host(p->dst);
}

// What the quoted packet is to the error that carries it.
static struct pkt_inner describe_quote(const struct pkt *p, uint32_t quoted)
{
	return (struct pkt_inner){
		.src = p->src,
		.dst = p->dst,
		.sport = p->sport,
		.dport = p->dport,
		.kind = p->kind,
		.l4_left = (uint8_t)min_u32(quoted - p->l4_at, UINT8_MAX),
		.at = ERROR_HEADERS,
		.l4_at = (uint16_t)(ERROR_HEADERS + p->l4_at),
	};
}

static void write_error(struct pkt *p, uint8_t type, uint8_t code, uint16_t mtu)
{
	struct icmp_wire *icmp = (void *)(p->l3 + p->l4_at);
	bool too_big = type == ICMP_UNREACHABLE && code == ICMP_TOO_BIG;

	*icmp = (struct icmp_wire){
		.type = type,
		.code = code,
		.seq = be16_of(too_big ? mtu : 0),
	};
	icmp->checksum = be16_of(checksum_fold(checksum_add(0, icmp, (size_t)p->len - p->l4_at)));
}

bool xlat_make_error(struct pkt *p, ip4 from, uint8_t type, uint8_t code, uint16_t mtu)
{
	uint32_t quoted = min_u32(p->len, ERROR_SIZE_MAX - ERROR_HEADERS);
	uint8_t tos = ((const struct ip4_wire *)(const void *)p->l3)->tos;

	if (p->room < ERROR_HEADERS + quoted)
		return false;
	memmove(p->l3 + ERROR_HEADERS, p->l3, quoted);
	p->inner = describe_quote(p, quoted);
	p->len = (uint16_t)(ERROR_HEADERS + quoted);
	p->dst = p->src;
	p->src = from;
	p->sport = 0;
	p->dport = 0;
	p->kind = PKT_ICMP_ERROR;
	p->l4_at = sizeof(struct ip4_wire);
	p->protocol = IP_ICMP;
	p->tcp_flags = 0;
	p->resolved = false;
	p->later = false;
	xlat_write_header(p, tos, FRESH_TTL); // RFC 5508 REQ-10d: the DSCP of what it is about
	write_error(p, type, code, mtu);
	return true;
}
