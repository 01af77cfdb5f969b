// SPDX-License-Identifier: Apache-2.0
// Packets from numbers, in a pool of buffers used round and round (hot headers).
#include "bench.h"

enum {
	UDP_LEN = 26,
	IP_LEN = 20 + UDP_LEN,
	MAP_LEN = PCP_HEADER + PCP_MAP_BODY
};
enum {
	IFACE_INSIDE = 0,
	IFACE_OUTSIDE = 1,
	LIFETIME_S = 3600
};

#define PEER ((ip4)0xcb007107)    // 203.0.113.7
#define GATEWAY ((ip4)0x64400001) // 100.64.0.1

static uint8_t *next_frame(struct world *w)
{
	uint8_t *frame = w->frames + (size_t)w->next_frame * FRAME_ROOM;

	w->next_frame = (w->next_frame + 1) % POOL;
	return frame;
}

static void write_headers(
	uint8_t *l3, ip4 src, uint16_t sport, ip4 dst, uint16_t dport, uint16_t udp_len)
{
	struct ip4_wire *ip = (void *)l3;
	struct udp_wire *udp = (void *)(l3 + sizeof *ip);

	*ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of((uint16_t)(sizeof *ip + udp_len)),
		.ttl = 64,
		.protocol = IP_UDP,
		.src = be32_of(src),
		.dst = be32_of(dst)};
	ip->checksum = be16_of(checksum_ip4(l3, sizeof *ip));
	*udp = (struct udp_wire){be16_of(sport), be16_of(dport), be16_of(udp_len), be16_of(0)};
}

// The nonce follows from the mapping, so that a renewal carries the same one.
static void write_map(uint8_t *l3, const struct pair *pair)
{
	uint8_t *msg = l3 + sizeof(struct ip4_wire) + sizeof(struct udp_wire);
	struct udp_wire *udp = (void *)(l3 + sizeof(struct ip4_wire));
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = LIFETIME_S,
		.client = ip6_mapped(pair->host),
		.protocol = IP_UDP,
		.internal_port = pair->port,
		.external_ip = ip6_mapped(0)};

	memcpy(m.nonce.b, &pair->host, sizeof pair->host);
	memcpy(m.nonce.b + 4, &pair->port, sizeof pair->port);
	pcp_encode_request(msg, PCP_MAX, &m);
	udp->checksum = be16_of(
		checksum_l4(pair->host, GATEWAY, IP_UDP, (uint8_t *)udp, sizeof *udp + MAP_LEN));
}

void feed_packet(struct world *w, struct pkt *p, const struct pair *pair, enum feed feed)
{
	uint8_t *l3 = next_frame(w);
	size_t len = IP_LEN;

	switch (feed) {
	case FEED_OUT:
		write_headers(l3, pair->host, pair->port, PEER, 53, UDP_LEN);
		break;
	case FEED_IN:
		write_headers(l3, PEER, 53, pair->external, pair->external_port, UDP_LEN);
		break;
	case FEED_MAP:
		write_headers(l3, pair->host, 12345, GATEWAY, PCP_SERVER_PORT,
			sizeof(struct udp_wire) + MAP_LEN);
		write_map(l3, pair);
		len = sizeof(struct ip4_wire) + sizeof(struct udp_wire) + MAP_LEN;
		break;
	}
	pkt_parse_ip4(p, l3, len);
	p->buf = NULL;
	p->room = FRAME_ROOM;
	p->stage = PKT_FRESH;
	p->iface = feed == FEED_IN ? IFACE_OUTSIDE : IFACE_INSIDE;
}

uint32_t feed_granted_lifetime(const struct pkt *p)
{
	const uint8_t *msg = p->l3 + p->l4_at + sizeof(struct udp_wire);
	struct pcp_message m;

	if (!pcp_decode_response(msg, MAP_LEN, &m) || m.result != PCP_SUCCESS)
		return 0;
	return m.lifetime_s;
}
