// SPDX-License-Identifier: Apache-2.0
// UDP packets of our own: answers written over their request, and packets nobody asked for.
#include <postern/xlat.h>

#include "rewrite.h"

// The payload stands in place already. A computed zero is sent as 0xffff (RFC 768).
static void write_udp(struct pkt *p, size_t payload_len)
{
	struct udp_wire *udp = (void *)(p->l3 + p->l4_at);
	size_t length = sizeof *udp + payload_len;
	uint16_t checksum;

	*udp = (struct udp_wire){
		.src = be16_of(p->sport),
		.dst = be16_of(p->dport),
		.length = be16_of((uint16_t)length),
	};
	checksum = checksum_l4(p->src, p->dst, IP_UDP, (const uint8_t *)udp, length);
	udp->checksum = be16_of(checksum ? checksum : 0xffff);
}

// p->room is at most 65535, so what fits also fits the length fields.
static bool fits(const struct pkt *p, size_t headers, size_t payload_len)
{
	return headers <= p->room && payload_len <= p->room - headers;
}

static uint32_t change(uint8_t *word, const uint8_t *before)
{
	return checksum_delta16(word_at(before), word_at(word));
}

// A header without options is turned where it stands: that addresses change places changes no
// checksum (RFC 1624).
static void turn_header(struct pkt *p)
{
	struct ip4_wire *ip = (void *)p->l3;
	struct ip4_wire before = *ip;
	uint32_t delta;

	ip->tos = (uint8_t)(ip->tos & ~TOS_ECN);
	ip->total_length = be16_of(p->len);
	ip->ttl = FRESH_TTL;
	ip->src = before.dst;
	ip->dst = before.src;
	delta = change(&ip->version_ihl, &before.version_ihl) +
		change(ip->total_length.b, before.total_length.b) + change(&ip->ttl, &before.ttl);
	apply_delta(&ip->checksum, delta);
}

// Identification and DF stay those of the request: whatever made them right for a packet of about
// this size from him to us makes them right for one from us to him.
bool xlat_udp_reply(struct pkt *p, size_t payload_len)
{
	size_t headers = p->l4_at + sizeof(struct udp_wire);
	struct recipe asker = {.addr = p->src, .port = p->sport};

	if (!fits(p, headers, payload_len))
		return false;
	p->len = (uint16_t)(headers + payload_len);
	p->src = p->dst;
	p->sport = p->dport;
	p->dst = asker.addr;
	p->dport = asker.port;
	if (likely(p->l4_at == sizeof(struct ip4_wire))) {
		turn_header(p);
	} else {
		xlat_cut_options(p);
		xlat_finish_header(p, FRESH_TTL);
	}
	write_udp(p, payload_len);
	return true;
}

bool xlat_udp_make(struct pkt *p, ip4 src, uint16_t sport, ip4 dst, uint16_t dport, uint8_t ttl,
	size_t payload_len)
{
	size_t headers = sizeof(struct ip4_wire) + sizeof(struct udp_wire);

	if (!fits(p, headers, payload_len))
		return false;
	p->len = (uint16_t)(headers + payload_len);
	p->src = src;
	p->dst = dst;
	p->sport = sport;
	p->dport = dport;
	p->kind = PKT_UDP;
	p->l4_at = sizeof(struct ip4_wire);
	p->protocol = IP_UDP;
	p->tcp_flags = 0;
	p->resolved = false;
	p->later = false;
	p->inner = (struct pkt_inner){.at = 0};
	xlat_write_header(p, 0, ttl);
	write_udp(p, payload_len);
	return true;
}
