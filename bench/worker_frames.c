// SPDX-License-Identifier: Apache-2.0
// Frames of 64 octets (60 without their checksum) about one pair, written into a buffer in a few
// instructions: a template, the fields that change, and sums of what does not.
#include "worker.h"

#define PEER ((ip4)0xcb007107)        // 203.0.113.7
#define PASSED_PEER ((ip4)0xcb0071c8) // 203.0.113.200
#define CLIENT_PORT 12345

enum {
	AT_IP = 14,
	AT_IP_SUM = AT_IP + 10,
	AT_SRC = AT_IP + 12,
	AT_DST = AT_IP + 16,
	AT_UDP = AT_IP + 20,
	AT_SPORT = AT_UDP,
	AT_DPORT = AT_UDP + 2,
	AT_UDP_SUM = AT_UDP + 6,
	AT_PAYLOAD = AT_UDP + 8,
	DATA_LEN = 60,
	// Of a PCP message, RFC 6887 s.7.1, s.11.1.
	AT_RESULT = AT_PAYLOAD + 3,
	AT_LIFETIME = AT_PAYLOAD + 4,
	AT_CLIENT = AT_PAYLOAD + 8 + 12,
	AT_NONCE = AT_PAYLOAD + PCP_HEADER,
	AT_INTERNAL = AT_NONCE + 16,
	AT_EXTERNAL = AT_NONCE + 18,
	AT_ADDRESS = AT_NONCE + 20 + 12,
	MAP_LEN = AT_PAYLOAD + PCP_HEADER + PCP_MAP_BODY
};

// ---- native words: sums of ones' complement are the same in any order of octets ---------------

static inline uint32_t words(uint32_t value)
{
	return (value & 0xffff) + (value >> 16);
}

static inline uint32_t native4(ip4 ip)
{
	return rte_cpu_to_be_32(ip);
}

static inline uint16_t native2(uint16_t port)
{
	return rte_cpu_to_be_16(port);
}

static inline uint16_t folded(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

static inline void put2(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof value);
}

static inline void put4(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
}

static inline uint16_t get2(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static inline uint32_t get4(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static uint32_t sum_words(const uint8_t *from, const uint8_t *end)
{
	uint32_t sum = 0;

	for (; from < end; from += 2)
		sum += get2(from);
	return sum;
}

// ---- templates -------------------------------------------------------------------------------

static void write_headers(struct template *t, const struct station *s, ip4 src, ip4 dst)
{
	struct eth_wire *eth = (void *)t->octets;
	struct ip4_wire *ip = (void *)(t->octets + AT_IP);

	memcpy(eth->dst, s->ours, sizeof eth->dst);
	memcpy(eth->src, s->theirs, sizeof eth->src);
	eth->type = be16_of(ETHERTYPE_IP4);
	*ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of((uint16_t)(t->length - AT_IP)),
		.ttl = 64,
		.protocol = IP_UDP,
		.src = be32_of(src),
		.dst = be32_of(dst)};
}

static void write_udp(struct template *t, uint16_t sport, uint16_t dport)
{
	struct udp_wire *udp = (void *)(t->octets + AT_UDP);

	*udp = (struct udp_wire){be16_of(sport), be16_of(dport),
		be16_of((uint16_t)(t->length - AT_UDP)), be16_of(0)};
}

static void write_map(struct template *t, uint32_t lifetime_s)
{
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = lifetime_s,
		.client = ip6_mapped(0),
		.protocol = IP_UDP,
		.external_ip = ip6_mapped(0)};

	memcpy(m.nonce.b + 4, "postern!", 8);
	pcp_encode_request(t->octets + AT_PAYLOAD, sizeof t->octets - AT_PAYLOAD, &m);
}

static void add_sums(struct template *t)
{
	const uint8_t *o = t->octets;

	t->ip_sum = sum_words(o + AT_IP, o + AT_UDP);
	t->udp_sum = sum_words(o + AT_SRC, o + t->length) + native2(IP_UDP) +
		     native2((uint16_t)(t->length - AT_UDP));
}

void frame_template(struct template *t, enum role role, const struct frame_wish *wish)
{
	ip4 peer = wish->untranslated ? PASSED_PEER : PEER;

	*t = (struct template){.length = role == ROLE_MAP ? MAP_LEN : DATA_LEN};
	switch (role) {
	case ROLE_OUT:
		write_headers(t, wish->inside, 0, peer);
		write_udp(t, 0, wish->remote_port);
		put4(t->octets + AT_PAYLOAD, wish->tag);
		break;
	case ROLE_IN:
		write_headers(t, wish->outside, peer, 0);
		write_udp(t, wish->remote_port, 0);
		put4(t->octets + AT_PAYLOAD, wish->tag);
		break;
	default:
		write_headers(t, wish->inside, 0, wish->inside->our_ip);
		write_udp(t, CLIENT_PORT, PCP_SERVER_PORT);
		write_map(t, wish->map_lifetime_s);
	}
	add_sums(t);
}

void frame_lifetime(struct template *t, uint32_t lifetime_s)
{
	put4(t->octets + AT_LIFETIME, rte_cpu_to_be_32(lifetime_s));
	add_sums(t);
}

// ---- frames ----------------------------------------------------------------------------------

static inline uint8_t *begin(struct rte_mbuf *m, const struct template *t)
{
	uint8_t *at = (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM;

	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = t->length;
	m->pkt_len = t->length;
	m->ol_flags = 0;
	return at;
}

static inline void finish(uint8_t *at, const struct template *t, uint32_t address, uint32_t rest)
{
	uint16_t sum = folded(t->udp_sum + address + rest);

	put2(at + AT_IP_SUM, folded(t->ip_sum + address));
	put2(at + AT_UDP_SUM, sum ? sum : 0xffff);
}

void frame_write(struct rte_mbuf *m, const struct template *t, enum role role,
	const struct pair *pair, uint32_t index, bool untranslated)
{
	bool external = role == ROLE_IN && !untranslated;
	uint32_t address = native4(external ? pair->external : pair->host);
	uint16_t port = native2(external ? pair->external_port : pair->port);
	uint8_t *at = begin(m, t);

	memcpy(at, t->octets, DATA_LEN);
	put4(at + (role == ROLE_OUT ? AT_SRC : AT_DST), address);
	put2(at + (role == ROLE_OUT ? AT_SPORT : AT_DPORT), port);
	put4(at + AT_PAYLOAD + 4, index);
	finish(at, t, words(address), words(index) + port);
}

void frame_map(struct rte_mbuf *m, const struct template *t, const struct pair *pair,
	uint32_t index, bool suggest)
{
	uint32_t host = native4(pair->host);
	uint32_t external = suggest ? native4(pair->external) : 0;
	uint16_t port = suggest ? native2(pair->external_port) : 0;
	uint8_t *at = begin(m, t);

	memcpy(at, t->octets, MAP_LEN);
	put4(at + AT_SRC, host);
	put4(at + AT_CLIENT, host);
	put4(at + AT_NONCE, index);
	put2(at + AT_INTERNAL, native2(pair->port));
	put2(at + AT_EXTERNAL, port);
	put4(at + AT_ADDRESS, external);
	// The client's address stands in the message once more.
	finish(at, t, words(host),
		words(host) + words(index) + native2(pair->port) + port + words(external));
}

uint16_t frame_arp(uint8_t *frame, const struct station *s)
{
	enum {
		ARP_REPLY = 2
	};
	struct eth_wire *eth = (void *)frame;

	memcpy(eth->dst, s->ours, sizeof eth->dst);
	memcpy(eth->src, s->theirs, sizeof eth->src);
	eth->type = be16_of(ETHERTYPE_ARP);
	pkt_write_arp(frame + AT_IP, ARP_REPLY, s->theirs, s->their_ip, s->ours, s->our_ip);
	return AT_IP + sizeof(struct arp_wire);
}

// ---- looking ---------------------------------------------------------------------------------

bool frame_is_reply(const struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);

	return m->data_len == MAP_LEN && get2(at + AT_SPORT) == native2(PCP_SERVER_PORT);
}

static void look_at_reply(const uint8_t *at, struct frame_facts *facts)
{
	facts->kind = FRAME_REPLY;
	facts->result = at[AT_RESULT];
	facts->index = get4(at + AT_NONCE);
	facts->lifetime_s = rte_be_to_cpu_32(get4(at + AT_LIFETIME));
	facts->external.addr = rte_be_to_cpu_32(get4(at + AT_ADDRESS));
	facts->external.port = rte_be_to_cpu_16(get2(at + AT_EXTERNAL));
}

void frame_look(const struct rte_mbuf *m, struct frame_facts *facts)
{
	const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);

	facts->kind = FRAME_OTHER;
	if (frame_is_reply(m)) {
		look_at_reply(at, facts);
		return;
	}
	if (m->data_len != DATA_LEN || get2(at + AT_IP - 2) != native2(ETHERTYPE_IP4) ||
		at[AT_IP + 9] != IP_UDP)
		return;
	facts->kind = FRAME_DATA;
	facts->tag = get4(at + AT_PAYLOAD);
	facts->index = get4(at + AT_PAYLOAD + 4);
	facts->src.addr = rte_be_to_cpu_32(get4(at + AT_SRC));
	facts->src.port = rte_be_to_cpu_16(get2(at + AT_SPORT));
	facts->dst.addr = rte_be_to_cpu_32(get4(at + AT_DST));
	facts->dst.port = rte_be_to_cpu_16(get2(at + AT_DPORT));
}
