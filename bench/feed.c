// SPDX-License-Identifier: Apache-2.0
// Packets from numbers: UDP and bare TCP segments as a 64-octet Ethernet frame carries them, PCP
// requests in datagrams of their own length.
#include "feed.h"

enum {
	UDP_DATA = 18,
	TCP_DATA = 6,
	LIFETIME_S = 3600,
	HOPS = 64,
	PEER_PORT = 443,
	CLIENT_PORT = 12345,
	UNKNOWN_OPCODE = 77
};

#define GATEWAY ((ip4)0x64400001) // 100.64.0.1

const struct feed_shape feed_shapes[FEEDS] = {
	[FEED_OUT] = {true, IP_UDP, 0, UDP_DATA, 0, VERDICT_PASS, 0},
	[FEED_OUT_DF] = {true, IP_UDP, 0, UDP_DATA, IP4_DF, VERDICT_PASS, 0},
	[FEED_IN] = {false, IP_UDP, 0, UDP_DATA, IP4_DF, VERDICT_PASS, 0},
	[FEED_UNKNOWN] = {false, IP_UDP, 0, UDP_DATA, IP4_DF, VERDICT_DROP, 0},
	[FEED_SYN] = {true, IP_TCP, TCP_SYN, 0, IP4_DF, VERDICT_PASS, 0},
	[FEED_SYN_ACK] = {false, IP_TCP, TCP_SYN | TCP_ACK, 0, IP4_DF, VERDICT_PASS, 0},
	[FEED_ACK] = {true, IP_TCP, TCP_ACK, 0, IP4_DF, VERDICT_PASS, 0},
	[FEED_DATA] = {true, IP_TCP, TCP_PSH | TCP_ACK, TCP_DATA, IP4_DF, VERDICT_PASS, 0},
	[FEED_FIN] = {true, IP_TCP, TCP_FIN | TCP_ACK, 0, IP4_DF, VERDICT_PASS, 0},
	[FEED_FIN_ACK] = {false, IP_TCP, TCP_ACK, 0, IP4_DF, VERDICT_PASS, 0},
	[FEED_FIN_IN] = {false, IP_TCP, TCP_FIN | TCP_ACK, 0, IP4_DF, VERDICT_PASS, 0},
	[FEED_LAST_ACK] = {true, IP_TCP, TCP_ACK, 0, IP4_DF, VERDICT_PASS, 0},
	[FEED_DATA_IN] = {false, IP_TCP, TCP_PSH | TCP_ACK, TCP_DATA, IP4_DF, VERDICT_PASS, 0},
	[FEED_MAP] = {true, IP_UDP, 0, 0, IP4_DF, VERDICT_REPLY, PCP_SUCCESS},
	[FEED_MAP_FILTER] = {true, IP_UDP, 0, 0, IP4_DF, VERDICT_REPLY, PCP_SUCCESS},
	[FEED_RENEW] = {true, IP_UDP, 0, 0, IP4_DF, VERDICT_REPLY, PCP_SUCCESS},
	[FEED_DELETE] = {true, IP_UDP, 0, 0, IP4_DF, VERDICT_REPLY, PCP_SUCCESS},
	[FEED_OTHER_NONCE] = {true, IP_UDP, 0, 0, IP4_DF, VERDICT_REPLY, PCP_NOT_AUTHORIZED},
	[FEED_OPCODE] = {true, IP_UDP, 0, 0, IP4_DF, VERDICT_REPLY, PCP_UNSUPP_OPCODE},
};

static bool is_pcp(enum feed feed)
{
	return feed >= FEED_MAP;
}

// Each mapping talks to one host of 16 million, which follows from it.
static ip4 remote_of(const struct pair *pair)
{
	uint32_t mixed = (pair->host * 0x9e3779b1u) ^ (pair->port * 0x85ebca6bu);

	return 0x08000000 | (mixed >> 8); // 8.0.0.0/8
}

// ---- PCP -------------------------------------------------------------------------------------

// The nonce follows from the mapping, so that a renewal carries the same one.
static struct pcp_nonce nonce_of(const struct pair *pair, enum feed feed)
{
	struct pcp_nonce nonce = {{0}};

	memcpy(nonce.b, &pair->host, sizeof pair->host);
	memcpy(nonce.b + 4, &pair->port, sizeof pair->port);
	nonce.b[11] = feed == FEED_OTHER_NONCE;
	return nonce;
}

static size_t write_pcp(uint8_t *msg, const struct pair *pair, enum feed feed)
{
	bool is_new = feed == FEED_MAP || feed == FEED_MAP_FILTER;
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = feed == FEED_DELETE ? 0 : LIFETIME_S,
		.client = ip6_mapped(pair->host),
		.protocol = IP_UDP,
		.internal_port = pair->port,
		.nonce = nonce_of(pair, feed),
		.external_port = is_new ? 0 : pair->external_port,
		.external_ip = ip6_mapped(is_new ? 0 : pair->external)};
	struct pcp_filter filter = {.prefix = 128, .address = ip6_mapped(remote_of(pair))};
	size_t len = pcp_encode_request(msg, PCP_MAX, &m);

	if (feed == FEED_MAP_FILTER)
		len = pcp_append_filter(msg, len, PCP_MAX, &m, &filter);
	if (feed == FEED_OPCODE)
		((struct pcp_request_wire *)(void *)msg)->opcode = UNKNOWN_OPCODE;
	return len;
}

// ---- packets ---------------------------------------------------------------------------------

static void ends_of(const struct pair *pair, enum feed feed, struct recipe *src, struct recipe *dst)
{
	struct recipe host = {pair->host, pair->port}, peer = {remote_of(pair), PEER_PORT};
	struct recipe external = {pair->external, pair->external_port};

	*src = feed_shapes[feed].inside ? host : peer;
	*dst = feed_shapes[feed].inside ? peer : external;
	if (!is_pcp(feed))
		return;
	src->port = CLIENT_PORT;
	*dst = (struct recipe){GATEWAY, PCP_SERVER_PORT};
}

static size_t write_udp(
	uint8_t *l4, const struct pair *pair, enum feed feed, struct recipe src, struct recipe dst)
{
	struct udp_wire *udp = (void *)l4;
	size_t len = sizeof *udp;

	if (is_pcp(feed)) {
		len += write_pcp(l4 + len, pair, feed);
	} else {
		memset(l4 + len, 0, feed_shapes[feed].payload);
		len += feed_shapes[feed].payload;
	}
	*udp = (struct udp_wire){
		be16_of(src.port), be16_of(dst.port), be16_of((uint16_t)len), be16_of(0)};
	udp->checksum = be16_of(checksum_l4(src.addr, dst.addr, IP_UDP, l4, len));
	return len;
}

static size_t write_tcp(uint8_t *l4, enum feed feed, struct recipe src, struct recipe dst)
{
	struct tcp_wire *tcp = (void *)l4;
	size_t len = sizeof *tcp + feed_shapes[feed].payload;

	memset(l4, 0, len);
	*tcp = (struct tcp_wire){.src = be16_of(src.port),
		.dst = be16_of(dst.port),
		.offset = sizeof *tcp / 4 << 4,
		.flags = feed_shapes[feed].tcp_flags,
		.window = be16_of(UINT16_MAX)};
	tcp->checksum = be16_of(checksum_l4(src.addr, dst.addr, IP_TCP, l4, len));
	return len;
}

size_t feed_write(uint8_t *l3, const struct pair *pair, enum feed feed)
{
	const struct feed_shape *shape = &feed_shapes[feed];
	struct ip4_wire *ip = (void *)l3;
	struct recipe src, dst;
	size_t len = sizeof *ip;

	ends_of(pair, feed, &src, &dst);
	if (shape->protocol == IP_TCP)
		len += write_tcp(l3 + len, feed, src, dst);
	else
		len += write_udp(l3 + len, pair, feed, src, dst);
	*ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of((uint16_t)len),
		.id = be16_of(pair->port),
		.fragment = be16_of(shape->fragment),
		.ttl = HOPS,
		.protocol = shape->protocol,
		.src = be32_of(src.addr),
		.dst = be32_of(dst.addr)};
	ip->checksum = be16_of(checksum_ip4(l3, sizeof *ip));
	return len;
}

// ---- what became of them ---------------------------------------------------------------------

static bool same_or_learned(struct pair *pair, ip4 external, uint16_t port, bool is_new)
{
	if (!is_new)
		return pair->external == external && pair->external_port == port;
	pair->external = external;
	pair->external_port = port;
	return external != 0 && port != 0;
}

static bool check_reply(const uint8_t *l3, struct pair *pair, enum feed feed)
{
	const struct udp_wire *udp = (const void *)(l3 + sizeof(struct ip4_wire));
	const uint8_t *msg = (const uint8_t *)(udp + 1);
	bool is_new = feed == FEED_MAP || feed == FEED_MAP_FILTER;
	struct pcp_message m;

	if (!pcp_decode_response(msg, be16_get(udp->length) - sizeof *udp, &m))
		return false;
	if (m.result != feed_shapes[feed].result)
		return false;
	if (m.result != PCP_SUCCESS)
		return true;
	if (feed == FEED_DELETE)
		return m.lifetime_s == 0;
	return m.lifetime_s == LIFETIME_S &&
	       same_or_learned(pair, ip6_to_ip4(m.external_ip), m.external_port, is_new);
}

// A mapping that has no external endpoint yet gets it by its first packet.
bool feed_check(const uint8_t *l3, struct pair *pair, enum feed feed)
{
	const struct ip4_wire *ip = (const void *)l3;
	const struct udp_wire *l4 = (const void *)(l3 + sizeof *ip); // TCP's ports stand there too

	if (feed_shapes[feed].verdict == VERDICT_DROP)
		return true;
	if (is_pcp(feed))
		return check_reply(l3, pair, feed);
	if (checksum_ip4(l3, sizeof *ip) != 0)
		return false;
	if (!feed_shapes[feed].inside)
		return be32_eq(ip->dst, pair->host) && be16_eq(l4->dst, pair->port);
	return same_or_learned(
		pair, be32_get(ip->src), be16_get(l4->src), pair->external_port == 0);
}
