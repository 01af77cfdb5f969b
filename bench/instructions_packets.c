// SPDX-License-Identifier: Apache-2.0
// Packets from numbers, whole ones with every checksum in place: what hosts really send.
#include "instructions.h"

enum {
	IFACE_INSIDE = 0,
	IFACE_OUTSIDE = 1,
	LIFETIME_S = 3600,
	PAYLOAD = 18, // of UDP: with it the frame has 64 octets
	TCP_DATA = 6,
	UNKNOWN_OPTION = 77 // mandatory, and nobody's
};

#define PEER ((ip4)0xcb007107)    // 203.0.113.7
#define GATEWAY ((ip4)0x64400001) // 100.64.0.1
#define PEER_PORT 443
#define CLIENT_PORT 12345

struct shape {
	bool inside;
	uint8_t protocol;
	uint8_t flags; // TCP
	uint16_t payload;
	uint16_t fragment;
};

static const struct shape shapes[] = {
	[UDP_OUT] = {true, IP_UDP, 0, PAYLOAD, 0},
	[UDP_OUT_DF] = {true, IP_UDP, 0, PAYLOAD, IP4_DF},
	[UDP_IN] = {false, IP_UDP, 0, PAYLOAD, 0},
	[UDP_UNKNOWN] = {false, IP_UDP, 0, PAYLOAD, 0},
	[TCP_SYN_OUT] = {true, IP_TCP, TCP_SYN, 0, IP4_DF},
	[TCP_SYN_ACK_IN] = {false, IP_TCP, TCP_SYN | TCP_ACK, 0, IP4_DF},
	[TCP_ACK_OUT] = {true, IP_TCP, TCP_ACK, 0, IP4_DF},
	[TCP_DATA_OUT] = {true, IP_TCP, TCP_PSH | TCP_ACK, TCP_DATA, IP4_DF},
	[TCP_DATA_IN] = {false, IP_TCP, TCP_PSH | TCP_ACK, TCP_DATA, IP4_DF},
	[TCP_FIN_OUT] = {true, IP_TCP, TCP_FIN | TCP_ACK, 0, IP4_DF},
	[TCP_FIN_IN] = {false, IP_TCP, TCP_FIN | TCP_ACK, 0, IP4_DF},
	[PCP_REQUEST] = {true, IP_UDP, 0, 0, 0},
	[PCP_DELETE] = {true, IP_UDP, 0, 0, 0},
	[PCP_UNKNOWN_OPTION] = {true, IP_UDP, 0, 0, 0},
	[PCP_OTHER_NONCE] = {true, IP_UDP, 0, 0, 0},
};

struct ends {
	struct recipe src, dst;
};

static struct ends ends_of(struct world *w, const struct pair *pair, enum message message)
{
	struct recipe host = {pair->host, pair->port}, peer = {PEER, PEER_PORT};
	struct recipe external = {pair->external, pair->external_port};

	if (message >= PCP_REQUEST)
		return (struct ends){{pair->host, CLIENT_PORT}, {GATEWAY, PCP_SERVER_PORT}};
	if (message == UDP_UNKNOWN) // the pool's ports begin at 1024
		external.port = (uint16_t)(1 + rng_below(&w->rng, 1023));
	return shapes[message].inside ? (struct ends){host, peer} : (struct ends){peer, external};
}

// The nonce follows from the mapping, so that a renewal carries the same one.
static uint16_t write_pcp(uint8_t *msg, const struct pair *pair, enum message message)
{
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = message == PCP_DELETE ? 0 : LIFETIME_S,
		.client = ip6_mapped(pair->host),
		.protocol = IP_UDP,
		.internal_port = pair->port,
		.external_ip = ip6_mapped(0)};
	size_t len;

	memcpy(m.nonce.b, &pair->host, sizeof pair->host);
	memcpy(m.nonce.b + 4, &pair->port, sizeof pair->port);
	m.nonce.b[11] = message == PCP_OTHER_NONCE;
	len = pcp_encode_request(msg, PCP_MAX, &m);
	if (message == PCP_UNKNOWN_OPTION)
		len = pcp_append_option(msg, len, PCP_MAX, UNKNOWN_OPTION, NULL, 0);
	return (uint16_t)len;
}

static void write_udp(uint8_t *l4, const struct ends *e, uint16_t len)
{
	struct udp_wire *udp = (void *)l4;

	*udp = (struct udp_wire){
		be16_of(e->src.port), be16_of(e->dst.port), be16_of(len), be16_of(0)};
	udp->checksum = be16_of(checksum_l4(e->src.addr, e->dst.addr, IP_UDP, l4, len));
}

static void write_tcp(uint8_t *l4, const struct ends *e, uint8_t flags, uint16_t len)
{
	struct tcp_wire *tcp = (void *)l4;

	*tcp = (struct tcp_wire){.src = be16_of(e->src.port),
		.dst = be16_of(e->dst.port),
		.seq = be32_of(1),
		.offset = sizeof *tcp / 4 << 4,
		.flags = flags,
		.window = be16_of(65535)};
	tcp->checksum = be16_of(checksum_l4(e->src.addr, e->dst.addr, IP_TCP, l4, len));
}

static uint16_t write_l4(
	uint8_t *l4, const struct ends *e, const struct pair *pair, enum message message)
{
	const struct shape *shape = &shapes[message];
	size_t header =
		shape->protocol == IP_TCP ? sizeof(struct tcp_wire) : sizeof(struct udp_wire);
	uint16_t len = (uint16_t)(header + shape->payload);

	if (message >= PCP_REQUEST)
		len = (uint16_t)(header + write_pcp(l4 + header, pair, message));
	if (shape->protocol == IP_TCP)
		write_tcp(l4, e, shape->flags, len);
	else
		write_udp(l4, e, len);
	return len;
}

static uint8_t *next_frame(struct world *w)
{
	uint8_t *frame = w->frames + (size_t)w->next_frame * FRAME_ROOM;

	w->next_frame = (w->next_frame + 1) % w->n_frames;
	return frame;
}

struct raw instructions_write(struct world *w, const struct pair *pair, enum message message)
{
	uint8_t *l3 = next_frame(w);
	struct ip4_wire *ip = (void *)l3;
	struct ends e = ends_of(w, pair, message);
	uint16_t len = (uint16_t)(sizeof *ip + write_l4(l3 + sizeof *ip, &e, pair, message));

	*ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of(len),
		.fragment = be16_of(shapes[message].fragment),
		.ttl = 64,
		.protocol = shapes[message].protocol,
		.src = be32_of(e.src.addr),
		.dst = be32_of(e.dst.addr)};
	ip->checksum = be16_of(checksum_ip4(l3, sizeof *ip));
	return (struct raw){l3, len, shapes[message].inside};
}

void instructions_parse(struct pkt *p, const struct raw *raw)
{
	pkt_parse_ip4(p, raw->l3, raw->len);
	p->buf = NULL;
	p->room = FRAME_ROOM;
	p->stage = PKT_FRESH;
	p->iface = raw->inside ? IFACE_INSIDE : IFACE_OUTSIDE;
}
