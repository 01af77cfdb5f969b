// SPDX-License-Identifier: Apache-2.0
// Fragments are not put together here. The first piece of a datagram has its ports, and must have
// its whole transport header, so that no later piece can change what was judged by it (RFC 1858,
// RFC 3128); a later piece is given the ports of its first.
#include <postern/pkt.h>

enum {
	DATAGRAM_MAX = 65535, // octets, header included
	UNIT = 8              // of offsets
};

static const struct ip4_wire *header_of(const struct pkt *p)
{
	return (const void *)p->l3;
}

static uint32_t left(const struct pkt *p)
{
	return (uint32_t)p->len - p->l4_at;
}

static enum drop parse_first_udp(const struct pkt *p)
{
	const struct udp_wire *udp = (const void *)(p->l3 + p->l4_at);

	if (left(p) < sizeof *udp)
		return DROP_FRAG_TINY;
	return be16_get(udp->length) < sizeof *udp ? DROP_L4_HEADER : DROP_NONE;
}

static enum drop parse_first_tcp(const struct pkt *p)
{
	const struct tcp_wire *tcp = (const void *)(p->l3 + p->l4_at);

	if (left(p) < sizeof *tcp)
		return DROP_FRAG_TINY;
	uint32_t header = tcp->offset / 16u * 4;
	if (header < sizeof *tcp)
		return DROP_L4_HEADER;
	return header > left(p) ? DROP_FRAG_TINY : DROP_NONE;
}

// The checksum covers octets that are elsewhere. An error is never so long that its sender must
// cut it (RFC 1812 s.4.3.2.3), and without its end the quote cannot be trusted.
static enum drop parse_first_icmp(const struct pkt *p)
{
	const struct icmp_wire *icmp = (const void *)(p->l3 + p->l4_at);

	if (left(p) < sizeof *icmp)
		return DROP_FRAG_TINY;
	switch (icmp->type) {
	case ICMP_ECHO:
	case ICMP_ECHO_REPLY:
		return DROP_NONE;
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER:
		return DROP_ICMP_EMBEDDED;
	default:
		return DROP_ICMP_TYPE;
	}
}

static enum drop parse_first(const struct pkt *p, struct pkt_fragment *out)
{
	const struct udp_wire *ports = (const void *)(p->l3 + p->l4_at);
	const struct icmp_wire *icmp = (const void *)(p->l3 + p->l4_at);
	enum drop why = DROP_NONE;

	if (p->protocol == IP_UDP)
		why = parse_first_udp(p);
	else if (p->protocol == IP_TCP)
		why = parse_first_tcp(p);
	else if (p->protocol == IP_ICMP)
		why = parse_first_icmp(p);
	else
		return DROP_NONE;
	if (why != DROP_NONE)
		return why;
	out->has_ports = true;
	out->sport = be16_get(p->protocol == IP_ICMP ? icmp->id : ports->src);
	out->dport = be16_get(p->protocol == IP_ICMP ? icmp->id : ports->dst);
	return DROP_NONE;
}

enum drop pkt_parse_fragment(const struct pkt *p, struct pkt_fragment *out)
{
	uint16_t field = be16_get(header_of(p)->fragment);

	*out = (struct pkt_fragment){
		.id = be16_get(header_of(p)->id),
		.first = (uint32_t)(field & IP4_OFFSET) * UNIT,
		.more = field & IP4_MF,
	};
	out->end = out->first + left(p);
	if (out->end + p->l4_at > DATAGRAM_MAX || left(p) == 0)
		return DROP_L4_HEADER;
	if (out->more && left(p) % UNIT != 0)
		return DROP_L4_HEADER;
	if (out->first == 0)
		return parse_first(p, out);
	// A first piece holds the whole header of 20 octets: what begins inside it overwrites it.
	if (p->protocol == IP_TCP && out->first < sizeof(struct tcp_wire))
		return DROP_FRAG_TINY;
	return DROP_NONE;
}

void pkt_resolve(struct pkt *p, uint8_t kind, uint16_t sport, uint16_t dport)
{
	const struct tcp_wire *tcp = (const void *)(p->l3 + p->l4_at);

	p->kind = kind;
	p->sport = sport;
	p->dport = dport;
	p->resolved = true;
	p->later = be16_get(header_of(p)->fragment) & IP4_OFFSET;
	p->tcp_flags = 0;
	if (kind == PKT_TCP && !p->later && left(p) >= sizeof *tcp)
		p->tcp_flags = tcp->flags;
}
