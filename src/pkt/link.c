// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#define TAG_SIZE 4
#define VLAN_ID 0x0fff
#define ARP_ETHERNET 1
#define GROUP_BIT 1 // of the first address octet on the wire

static uint16_t load_u16(const uint8_t *at)
{
	be16 v;

	memcpy(v.b, at, sizeof v.b);
	return be16_get(v);
}

enum drop pkt_parse_link(const uint8_t *frame, size_t len, struct pkt_link *out)
{
	const struct eth_wire *eth = (const void *)frame;
	const uint8_t *tag = frame + sizeof *eth;

	if (len < sizeof *eth)
		return DROP_ETHERNET_SHORT;
	*out = (struct pkt_link){
		.type = be16_get(eth->type),
		.l3_at = sizeof *eth,
		.group = eth->dst[0] & GROUP_BIT,
	};
	if (out->type != ETHERTYPE_VLAN)
		return DROP_NONE;
	if (len < sizeof *eth + TAG_SIZE)
		return DROP_ETHERNET_SHORT;
	out->vlan = load_u16(tag) & VLAN_ID;
	out->type = load_u16(tag + 2);
	out->l3_at = sizeof *eth + TAG_SIZE;
	if (out->type == ETHERTYPE_QINQ)
		out->type = ETHERTYPE_VLAN;
	return DROP_NONE;
}

// Neither a group address nor all zeros is a station's own, whoever claims it (RFC 1812 s.3.3.2).
static bool is_station(const uint8_t mac[6])
{
	static const uint8_t nobody[6];

	return !(mac[0] & GROUP_BIT) && memcmp(mac, nobody, sizeof nobody) != 0;
}

static bool arp_is_sound(const struct arp_wire *arp)
{
	uint16_t operation = be16_get(arp->operation);

	return be16_eq(arp->hardware, ARP_ETHERNET) && be16_eq(arp->protocol, ETHERTYPE_IP4) &&
	       arp->hardware_size == 6 && arp->protocol_size == 4 &&
	       (operation == 1 || operation == 2) && is_station(arp->sender_mac);
}

enum drop pkt_parse_arp(const uint8_t *arp, size_t len, struct pkt_arp *out)
{
	const struct arp_wire *wire = (const void *)arp;

	if (len < sizeof *wire || !arp_is_sound(wire))
		return DROP_ARP;
	out->operation = be16_get(wire->operation);
	memcpy(out->sender_mac, wire->sender_mac, sizeof out->sender_mac);
	out->sender_ip = be32_get(wire->sender_ip);
	out->target_ip = be32_get(wire->target_ip);
	return DROP_NONE;
}

// Put together aside, because the addresses may be given as pointers into the message answered.
void pkt_write_arp(uint8_t arp[sizeof(struct arp_wire)], uint16_t operation,
	const uint8_t sender_mac[6], ip4 sender_ip, const uint8_t target_mac[6], ip4 target_ip)
{
	struct arp_wire wire = {
		.hardware = be16_of(ARP_ETHERNET),
		.protocol = be16_of(ETHERTYPE_IP4),
		.hardware_size = 6,
		.protocol_size = 4,
		.operation = be16_of(operation),
		.sender_ip = be32_of(sender_ip),
		.target_ip = be32_of(target_ip),
	};

	memcpy(wire.sender_mac, sender_mac, sizeof wire.sender_mac);
	memcpy(wire.target_mac, target_mac, sizeof wire.target_mac);
	memcpy(arp, &wire, sizeof wire);
}
