// SPDX-License-Identifier: Apache-2.0
// bench-requests' frames, from numbers and back.
#include "requests.h"

enum {
	PAYLOAD_AT = sizeof(struct eth_wire) + sizeof(struct ip4_wire) + sizeof(struct udp_wire),
	MAP_LENGTH = PCP_HEADER + PCP_MAP_BODY,
	PACKET_LENGTH = 18, // of a frame of 64 octets with its checksum
	TTL = 64
};

#define MARK 0x506f7374u // in front of the numbers a packet carries

struct mark_wire {
	be32 mark, number;
	be16 slot;
	uint8_t rest[8];
};
static_assert(sizeof(struct mark_wire) == PACKET_LENGTH, "a frame of 64 octets");

// Ports of one host differ, and so do those of any 64512 mappings that follow each other: a NAT
// with one external address can give each the same port outside. The factor has no divisor in
// common with 64512, so this is an order of all ports, and not an ascending one.
static uint16_t internal_port(uint32_t number)
{
	return (uint16_t)(1024 + (uint64_t)number * 24203 % 64512);
}

static struct pcp_nonce nonce_of(uint32_t number)
{
	struct pcp_nonce nonce = {"mapping"};
	be32 wire = be32_of(number);

	memcpy(nonce.b + 8, &wire, sizeof wire);
	return nonce;
}

static void write_map(const struct traffic *t, uint8_t *payload, ip4 host, uint32_t number)
{
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = t->lifetime_s,
		.client = ip6_mapped(host),
		.nonce = nonce_of(number),
		.protocol = IP_UDP,
		.internal_port = internal_port(number),
		.external_ip = ip6_mapped(0)};

	pcp_encode_request(payload, PCP_MAX, &m);
}

static void write_mark(uint8_t *payload, uint32_t number, uint16_t slot)
{
	struct mark_wire *mark = (void *)payload;

	*mark = (struct mark_wire){be32_of(MARK), be32_of(number), be16_of(slot), {0}};
}

static void write_headers(
	const struct traffic *t, uint8_t *frame, ip4 host, uint16_t from_port, size_t payload)
{
	struct eth_wire *eth = (void *)frame;
	struct ip4_wire *ip = (void *)(eth + 1);
	struct udp_wire *udp = (void *)(ip + 1);
	uint16_t length = (uint16_t)(sizeof *udp + payload);

	memcpy(eth->dst, t->to_mac, sizeof eth->dst);
	memcpy(eth->src, t->from_mac, sizeof eth->src);
	eth->type = be16_of(ETHERTYPE_IP4);
	*ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of((uint16_t)(sizeof *ip + length)),
		.ttl = TTL,
		.protocol = IP_UDP,
		.src = be32_of(host),
		.dst = be32_of(t->to)};
	ip->checksum = be16_of(checksum_ip4((const uint8_t *)ip, sizeof *ip));
	*udp = (struct udp_wire){be16_of(from_port), be16_of(t->port), be16_of(length), be16_of(0)};
	udp->checksum = be16_of(checksum_l4(host, t->to, IP_UDP, (const uint8_t *)udp, length));
}

size_t frame_write(const struct traffic *t, uint8_t *frame, uint32_t number, uint16_t slot)
{
	ip4 host = t->base + number / PORTS_EACH;

	if (t->kind == KIND_PACKET) {
		write_mark(frame + PAYLOAD_AT, number, slot);
		write_headers(t, frame, host, internal_port(number), PACKET_LENGTH);
		return PAYLOAD_AT + PACKET_LENGTH;
	}
	write_map(t, frame + PAYLOAD_AT, host, number);
	write_headers(t, frame, host, (uint16_t)(FIRST_SLOT + slot), MAP_LENGTH);
	return PAYLOAD_AT + MAP_LENGTH;
}

// ---- and back --------------------------------------------------------------------------------

static enum answer read_mark(
	const uint8_t *payload, size_t length, uint32_t *number, uint16_t *slot)
{
	const struct mark_wire *mark = (const void *)payload;

	if (length < sizeof *mark || !be32_eq(mark->mark, MARK))
		return ANSWER_NONE;
	*number = be32_get(mark->number);
	*slot = be16_get(mark->slot);
	return ANSWER_RIGHT;
}

static enum answer read_map(const struct traffic *t, const uint8_t *payload, size_t length,
	uint16_t to_port, uint32_t *number, uint16_t *slot)
{
	const struct pcp_response_wire *head = (const void *)payload;
	const struct pcp_map_wire *map = (const void *)(payload + PCP_HEADER);
	uint8_t opcode = t->kind == KIND_ECHO ? PCP_MAP : PCP_MAP | 0x80;
	struct pcp_nonce wanted;
	be32 wire;

	if (length < MAP_LENGTH || head->version != PCP_VERSION || head->opcode != opcode)
		return ANSWER_NONE;
	memcpy(&wire, map->nonce + 8, sizeof wire);
	*number = be32_get(wire);
	*slot = (uint16_t)(to_port - FIRST_SLOT);
	wanted = nonce_of(*number);
	if (memcmp(map->nonce, wanted.b, sizeof wanted.b) != 0 ||
		!be16_eq(map->internal_port, internal_port(*number)))
		return ANSWER_NONE;
	if (t->kind == KIND_MAP &&
		(head->result != PCP_SUCCESS || (t->lifetime_s > 0 && be32_eq(head->lifetime, 0))))
		return ANSWER_REFUSED;
	return ANSWER_RIGHT;
}

// Checksums are not looked at: a kernel that answers over a veth may leave them to the interface,
// which has none to reckon.
enum answer frame_read(const struct traffic *t, const uint8_t *frame, size_t length,
	uint32_t *number, uint16_t *slot)
{
	const struct eth_wire *eth = (const void *)frame;
	const struct ip4_wire *ip = (const void *)(eth + 1);
	const struct udp_wire *udp = (const void *)(ip + 1);

	if (length < PAYLOAD_AT || !be16_eq(eth->type, ETHERTYPE_IP4) || ip->version_ihl != 0x45 ||
		ip->protocol != IP_UDP)
		return ANSWER_NONE;
	if (t->kind == KIND_PACKET)
		return read_mark(frame + PAYLOAD_AT, length - PAYLOAD_AT, number, slot);
	if (!be32_eq(ip->src, t->to) || !be16_eq(udp->src, t->port))
		return ANSWER_NONE;
	return read_map(
		t, frame + PAYLOAD_AT, length - PAYLOAD_AT, be16_get(udp->dst), number, slot);
}
