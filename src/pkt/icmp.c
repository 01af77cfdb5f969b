// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#include "parse.h"

#define EMBEDDED_L4_MIN 8 // RFC 792: an error quotes at least this much behind the IP header
#define RFC4884_LENGTH_AT 5

// Octets of the message that are the quoted packet. RFC 4884 s.3: a length, in words, ends the
// quote where an extension structure follows. One that points past the message is an old
// router's rubbish in a field that RFC 792 left unused; the message's own end holds then.
static uint32_t quoted_octets(const uint8_t *icmp, uint32_t size)
{
	uint32_t quoted = size - (uint32_t)sizeof(struct icmp_wire);
	uint32_t claimed = icmp[RFC4884_LENGTH_AT] * 4u;

	return claimed != 0 && claimed < quoted ? claimed : quoted;
}

// The first eight octets are there. RFC 5508 REQ-3c: the embedded checksum is not verified. Of
// protocols without ports that we know nothing but their header is told: they may have passed
// untranslated.
static enum drop parse_embedded_l4(struct pkt_inner *inner, uint8_t protocol, const uint8_t *l4)
{
	const struct udp_wire *ports = (const void *)l4; // TCP has its ports in the same place
	const struct icmp_wire *icmp = (const void *)l4;

	if (protocol == IP_UDP || protocol == IP_TCP) {
		inner->kind = protocol == IP_UDP ? PKT_UDP : PKT_TCP;
		inner->sport = be16_get(ports->src);
		inner->dport = be16_get(ports->dst);
		return DROP_NONE;
	}
	if (protocol != IP_ICMP) {
		inner->kind = PKT_OTHER;
		inner->sport = inner->dport = 0;
		return DROP_NONE;
	}
	if (icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHO_REPLY) // errors carry no errors
		return DROP_ICMP_EMBEDDED;
	inner->kind = PKT_ECHO;
	inner->sport = be16_get(icmp->id);
	inner->dport = inner->sport;
	return DROP_NONE;
}

// The packet quoted at offset `at` from l3, `quoted` octets of it.
static enum drop parse_embedded(struct pkt *p, uint32_t at, uint32_t quoted)
{
	const struct ip4_wire *ip = (const void *)(p->l3 + at);

	if (quoted < sizeof *ip)
		return DROP_ICMP_EMBEDDED;
	uint32_t header = ip4_header_size(ip->version_ihl);
	uint32_t present = min_u32(quoted, be16_get(ip->total_length));
	if (header == 0 || present < header + EMBEDDED_L4_MIN)
		return DROP_ICMP_EMBEDDED;
	if (checksum_ip4(p->l3 + at, header) != 0) // RFC 5508 REQ-3a
		return DROP_ICMP_EMBEDDED;
	if (be16_get(ip->fragment) & IP4_OFFSET)
		return DROP_ICMP_EMBEDDED;
	p->inner.src = be32_get(ip->src);
	p->inner.dst = be32_get(ip->dst);
	p->inner.at = (uint16_t)at;
	p->inner.l4_at = (uint16_t)(at + header);
	p->inner.l4_left = (uint8_t)min_u32(present - header, UINT8_MAX);
	return parse_embedded_l4(&p->inner, ip->protocol, p->l3 + p->inner.l4_at);
}

enum drop pkt_parse_icmp(struct pkt *p)
{
	const struct icmp_wire *icmp = (const void *)(p->l3 + p->l4_at);
	uint32_t size = (uint32_t)p->len - p->l4_at;

	if (size < sizeof *icmp)
		return DROP_L4_HEADER;
	if (checksum_fold(checksum_add(0, icmp, size)) != 0) // RFC 5508 REQ-3
		return DROP_ICMP_CHECKSUM;
	switch (icmp->type) {
	case ICMP_ECHO:
	case ICMP_ECHO_REPLY:
		p->kind = PKT_ECHO;
		p->sport = be16_get(icmp->id);
		p->dport = p->sport;
		return DROP_NONE;
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER:
		p->kind = PKT_ICMP_ERROR;
		return parse_embedded(p, p->l4_at + (uint32_t)sizeof *icmp,
			quoted_octets((const uint8_t *)icmp, size));
	default:
		return DROP_ICMP_TYPE;
	}
}
