// SPDX-License-Identifier: Apache-2.0
// Frames of 64 octets from flows. Each carries its flow's number, so that what comes back can be
// judged: the endpoint it was translated to, and its checksums.
#include "ethdev.h"

#define MAGIC 0x706f7374u
#define CLIENT_PORT 49152

enum {
	LIFETIME_S = 3600,
	FRAME = 60, // and 4 of checksum on a wire
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

struct probe_wire { // behind the UDP header
	be32 magic;
	be32 flow;
	uint8_t kind;
	uint8_t filler[9];
};
static_assert(sizeof(struct eth_wire) + sizeof(struct ip4_wire) + sizeof(struct udp_wire) +
			      sizeof(struct probe_wire) ==
		      FRAME,
	"a frame of 64 octets");

struct datagram { // as it lies in a frame
	struct eth_wire eth;
	struct ip4_wire ip;
	struct udp_wire udp;
	uint8_t payload[];
};

enum side frame_side(enum kind kind)
{
	return kind == KIND_IN ? OUTSIDE : INSIDE;
}

// ---- out -------------------------------------------------------------------------------------

static void write_eth(
	const struct generator *g, enum side side, struct eth_wire *eth, uint16_t type)
{
	memcpy(eth->dst, &g->gateway[side], sizeof eth->dst);
	memcpy(eth->src, &g->mac[side], sizeof eth->src);
	eth->type = be16_of(type);
}

// The payload is there already.
static void write_headers(
	struct datagram *d, ip4 src, uint16_t sport, ip4 dst, uint16_t dport, uint16_t payload_len)
{
	uint16_t udp_len = (uint16_t)(sizeof d->udp + payload_len);

	d->ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of((uint16_t)(sizeof d->ip + udp_len)),
		.ttl = 64,
		.protocol = IP_UDP,
		.src = be32_of(src),
		.dst = be32_of(dst)};
	d->ip.checksum = be16_of(checksum_ip4((uint8_t *)&d->ip, sizeof d->ip));
	d->udp = (struct udp_wire){be16_of(sport), be16_of(dport), be16_of(udp_len), be16_of(0)};
	uint16_t sum = checksum_l4(src, dst, IP_UDP, (uint8_t *)&d->udp, udp_len);
	d->udp.checksum = be16_of(sum ? sum : UINT16_MAX);
}

// The nonce follows from the flow: a renewal carries the one that made the mapping.
static uint16_t write_map(uint8_t *payload, const struct flow *f, uint32_t flow)
{
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = LIFETIME_S,
		.client = ip6_mapped(f->host),
		.protocol = IP_UDP,
		.internal_port = f->lease_port,
		.external_ip = ip6_mapped(0)};
	be32 number = be32_of(flow);

	memcpy(m.nonce.b, number.b, sizeof number.b);
	return (uint16_t)pcp_encode_request(payload, PCP_MAX, &m);
}

static uint16_t write_probe(uint8_t *payload, enum kind kind, uint32_t flow)
{
	struct probe_wire probe = {
		.magic = be32_of(MAGIC), .flow = be32_of(flow), .kind = (uint8_t)kind};

	memcpy(payload, &probe, sizeof probe);
	return sizeof probe;
}

void frame_make(struct generator *g, struct rte_mbuf *m, enum kind kind, uint32_t flow)
{
	struct datagram *d = rte_pktmbuf_mtod(m, struct datagram *);
	const struct flow *f = &g->flows[flow];
	uint16_t len = kind == KIND_MAP ? write_map(d->payload, f, flow)
					: write_probe(d->payload, kind, flow);

	write_eth(g, frame_side(kind), &d->eth, ETHERTYPE_IP4);
	switch (kind) {
	case KIND_OUT:
		write_headers(d, f->host, f->port, PEER, PEER_PORT, len);
		break;
	case KIND_IN:
		write_headers(d, PEER, PEER_PORT, f->external, f->external_port, len);
		break;
	case KIND_PASS:
		write_headers(d, f->host, f->port, PASSED, PEER_PORT, len);
		break;
	default:
		write_headers(d, f->host, CLIENT_PORT, GATEWAY_INSIDE, PCP_SERVER_PORT, len);
		break;
	}
	m->data_len = (uint16_t)(sizeof *d + len);
	m->pkt_len = m->data_len;
}

// ---- ARP -------------------------------------------------------------------------------------

static ip4 own_address(enum side side)
{
	return side == INSIDE ? US_INSIDE : US_OUTSIDE;
}

static ip4 gateway_address(enum side side)
{
	return side == INSIDE ? GATEWAY_INSIDE : GATEWAY_OUTSIDE;
}

static void send_arp(struct generator *g, enum side side, const uint8_t dst[6], uint16_t operation,
	ip4 target, const uint8_t target_mac[6])
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(g->pool);

	if (!m)
		return;
	struct eth_wire *eth = rte_pktmbuf_mtod(m, struct eth_wire *);
	memset(eth, 0, FRAME);
	memcpy(eth->dst, dst, sizeof eth->dst);
	memcpy(eth->src, &g->mac[side], sizeof eth->src);
	eth->type = be16_of(ETHERTYPE_ARP);
	pkt_write_arp((uint8_t *)(eth + 1), operation, g->mac[side].addr_bytes, own_address(side),
		target_mac, target);
	m->data_len = FRAME;
	m->pkt_len = FRAME;
	if (rte_eth_tx_burst(g->port[side], 0, &m, 1) != 1)
		rte_pktmbuf_free(m);
}

void frame_ask_gateway(struct generator *g, enum side side)
{
	static const uint8_t everyone[6] = {255, 255, 255, 255, 255, 255}, nobody[6];

	send_arp(g, side, everyone, ARP_REQUEST, gateway_address(side), nobody);
}

static void hear_arp(struct generator *g, enum side side, const struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, sizeof(struct eth_wire));
	struct pkt_arp arp;

	if (m->data_len < sizeof(struct eth_wire) + sizeof(struct arp_wire) ||
		pkt_parse_arp(at, m->data_len - sizeof(struct eth_wire), &arp) != DROP_NONE ||
		arp.target_ip != own_address(side))
		return;
	if (arp.operation == ARP_REQUEST)
		send_arp(g, side, arp.sender_mac, ARP_REPLY, arp.sender_ip, arp.sender_mac);
	if (arp.sender_ip != gateway_address(side))
		return;
	memcpy(&g->gateway[side], arp.sender_mac, sizeof g->gateway[side]);
	g->knows_gateway[side] = true;
}

// ---- in --------------------------------------------------------------------------------------

static bool is_whole(const struct datagram *d, size_t len)
{
	uint16_t total = be16_get(d->ip.total_length), udp_len = be16_get(d->udp.length);

	return total >= sizeof d->ip + sizeof d->udp && sizeof d->eth + total <= len &&
	       udp_len == total - sizeof d->ip &&
	       checksum_ip4((const uint8_t *)&d->ip, sizeof d->ip) == 0 &&
	       checksum_l4(be32_get(d->ip.src), be32_get(d->ip.dst), IP_UDP,
		       (const uint8_t *)&d->udp, udp_len) == 0;
}

// The first packet of a flow tells its external endpoint; all later ones have the same.
static bool is_translated(struct flow *f, ip4 src, uint16_t sport)
{
	if (f->external == 0) {
		f->external = src;
		f->external_port = sport;
	}
	return src >= POOL && src - POOL < 256 && src == f->external && sport == f->external_port;
}

static bool is_right(enum side side, enum kind kind, struct flow *f, const struct datagram *d)
{
	ip4 src = be32_get(d->ip.src), dst = be32_get(d->ip.dst);
	uint16_t sport = be16_get(d->udp.src), dport = be16_get(d->udp.dst);

	switch (kind) {
	case KIND_OUT:
		return side == OUTSIDE && dst == PEER && dport == PEER_PORT &&
		       is_translated(f, src, sport);
	case KIND_IN:
		return side == INSIDE && src == PEER && sport == PEER_PORT && dst == f->host &&
		       dport == f->port;
	default:
		return side == OUTSIDE && dst == PASSED && src == f->host && sport == f->port;
	}
}

static void hear_probe(struct generator *g, enum side side, const struct datagram *d)
{
	struct probe_wire probe;

	memcpy(&probe, d->payload, sizeof probe);
	uint32_t flow = be32_get(probe.flow);
	if (!be32_eq(probe.magic, MAGIC) || flow >= g->n || probe.kind >= KIND_MAP) {
		g->strange++;
		return;
	}
	g->tally[probe.kind].received++;
	if (!is_right(side, probe.kind, &g->flows[flow], d))
		g->tally[probe.kind].wrong++;
}

static void note_answer(struct generator *g, uint32_t flow)
{
	if (g->asked_at[flow] == 0)
		return;
	if (g->n_answers < g->max_answers)
		g->answers[g->n_answers++] = (uint32_t)((rte_rdtsc() - g->asked_at[flow]) >> 4);
	g->asked_at[flow] = 0;
}

static void hear_answer(struct generator *g, const struct datagram *d, size_t len)
{
	struct pcp_message m;
	be32 number;

	bool sound = pcp_decode_response(d->payload, len, &m);
	if (sound && m.opcode == PCP_ANNOUNCE) // posternd's own, after its start
		return;
	g->tally[KIND_MAP].received++;
	if (!sound || m.result != PCP_SUCCESS || m.lifetime_s == 0) {
		g->tally[KIND_MAP].wrong++;
		return;
	}
	memcpy(number.b, m.nonce.b, sizeof number.b);
	uint32_t flow = be32_get(number);
	if (flow >= g->n || m.internal_port != g->flows[flow].lease_port ||
		be32_get(d->ip.dst) != g->flows[flow].host) {
		g->tally[KIND_MAP].wrong++;
		return;
	}
	g->flows[flow].leased = true;
	note_answer(g, flow);
}

static void hear_datagram(struct generator *g, enum side side, const struct rte_mbuf *m)
{
	const struct datagram *d = rte_pktmbuf_mtod(m, const struct datagram *);

	if (m->data_len < FRAME || d->ip.version_ihl != 0x45 || d->ip.protocol != IP_UDP ||
		!is_whole(d, m->data_len)) {
		g->strange++;
		return;
	}
	if (side == INSIDE && be16_eq(d->udp.src, PCP_SERVER_PORT))
		hear_answer(g, d, be16_get(d->udp.length) - sizeof d->udp);
	else
		hear_probe(g, side, d);
}

void frame_judge(struct generator *g, enum side side, struct rte_mbuf *m)
{
	const struct eth_wire *eth = rte_pktmbuf_mtod(m, const struct eth_wire *);

	if (m->data_len >= sizeof *eth && be16_eq(eth->type, ETHERTYPE_ARP))
		hear_arp(g, side, m);
	else if (m->data_len >= sizeof *eth && be16_eq(eth->type, ETHERTYPE_IP4))
		hear_datagram(g, side, m);
	rte_pktmbuf_free(m);
}
