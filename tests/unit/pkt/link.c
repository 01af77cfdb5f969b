// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#include <criterion/criterion.h>

#include "make.h"
#include "vectors.h"

#define TAGGED(tci_high, tci_low, type_high, type_low)                                             \
	{                                                                                          \
		[12] = 0x81, [14] = tci_high, [15] = tci_low, [16] = type_high, [17] = type_low    \
	}

static const struct {
	const char *what;
	uint8_t frame[22];
	size_t len;
	enum drop drop;
	struct pkt_link link;
} frames[] = {
	{"empty", {0}, 0, DROP_ETHERNET_SHORT, {0}},
	{"one octet short", {0}, 13, DROP_ETHERNET_SHORT, {0}},
	{"IPv4", {[12] = 0x08}, 14, DROP_NONE, {.type = ETHERTYPE_IP4, .l3_at = 14}},
	{"broadcast", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x08, 0x06}, 14, DROP_NONE,
		{.type = ETHERTYPE_ARP, .l3_at = 14, .group = true}},
	{"multicast", {0x33, 0x33, [12] = 0x86, 0xdd}, 14, DROP_NONE,
		{.type = ETHERTYPE_IP6, .l3_at = 14, .group = true}},
	{"tag cut", TAGGED(0, 42, 8, 0), 17, DROP_ETHERNET_SHORT, {0}},
	{"tag", TAGGED(0, 42, 8, 0), 18, DROP_NONE,
		{.type = ETHERTYPE_IP4, .vlan = 42, .l3_at = 18}},
	{"priority tag", TAGGED(0xe0, 0, 8, 0), 18, DROP_NONE,
		{.type = ETHERTYPE_IP4, .vlan = 0, .l3_at = 18}},
	{"priority is not identifier", TAGGED(0xff, 0xfe, 8, 6), 18, DROP_NONE,
		{.type = ETHERTYPE_ARP, .vlan = 4094, .l3_at = 18}},
	{"second tag", TAGGED(0, 42, 0x81, 0), 22, DROP_NONE,
		{.type = ETHERTYPE_VLAN, .vlan = 42, .l3_at = 18}},
	{"second tag of a service", TAGGED(0, 42, 0x88, 0xa8), 22, DROP_NONE,
		{.type = ETHERTYPE_VLAN, .vlan = 42, .l3_at = 18}},
	{"service tag", {[12] = 0x88, 0xa8}, 22, DROP_NONE, {.type = ETHERTYPE_QINQ, .l3_at = 14}},
	{"802.3 length", {[13] = 38}, 14, DROP_NONE, {.type = 38, .l3_at = 14}},
};

Test(pkt, link_table_of_frames)
{
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		struct pkt_link link = {0};
		enum drop drop = pkt_parse_link(frames[i].frame, frames[i].len, &link);

		cr_assert_eq(drop, frames[i].drop, "%s: %s", frames[i].what, drop_name(drop));
		if (drop)
			continue;
		cr_assert_eq(link.type, frames[i].link.type, "%s", frames[i].what);
		cr_assert_eq(link.vlan, frames[i].link.vlan, "%s", frames[i].what);
		cr_assert_eq(link.l3_at, frames[i].link.l3_at, "%s", frames[i].what);
		cr_assert_eq(link.group, frames[i].link.group, "%s", frames[i].what);
	}
}

Test(pkt, link_frames_of_another_encoder)
{
	uint8_t l3[MAKE_MAX];
	struct pkt_link link;
	struct pkt p;

	cr_assert_eq(pkt_parse_link(frame_udp_vlan, sizeof frame_udp_vlan, &link), DROP_NONE);
	cr_assert(link.type == ETHERTYPE_IP4 && link.vlan == 42 && link.l3_at == 18);
	memcpy(l3, frame_udp_vlan + 18, sizeof frame_udp_vlan - 18);
	cr_assert_eq(make_parse(&p, l3, sizeof frame_udp_vlan - 18), DROP_NONE);
	cr_assert(p.kind == PKT_UDP && p.src == INSIDE && p.dst == REMOTE);
	cr_assert(p.sport == 5000 && p.dport == 53 && p.len == 51 && p.l4_at == 20);
	cr_assert_eq(pkt_parse_link(frame_qinq, sizeof frame_qinq, &link), DROP_NONE);
	cr_assert(link.type == ETHERTYPE_VLAN && link.vlan == 42 && !link.group);
}

Test(pkt, arp_request_is_read)
{
	struct pkt_link link;
	struct pkt_arp arp;

	cr_assert_eq(pkt_parse_link(frame_arp_request, sizeof frame_arp_request, &link), DROP_NONE);
	cr_assert(link.type == ETHERTYPE_ARP && link.group);
	cr_assert_eq(pkt_parse_arp(frame_arp_request + 14, 28, &arp), DROP_NONE);
	cr_assert_eq(arp.operation, 1);
	cr_assert_eq(arp.sender_ip, 0xc6336401);
	cr_assert_eq(arp.target_ip, 0xc6336402);
	cr_assert_eq(memcmp(arp.sender_mac, "\x02\0\0\0\0\x01", 6), 0);
}

// The answer is written over the request, from pointers into it.
Test(pkt, arp_answer_in_place_equals_another_encoder)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
	uint8_t message[28];
	struct pkt_arp arp;

	memcpy(message, frame_arp_request + 14, sizeof message);
	cr_assert_eq(pkt_parse_arp(message, sizeof message, &arp), DROP_NONE);
	pkt_write_arp(message, 2, mac, arp.target_ip, message + 8, arp.sender_ip);
	cr_assert_eq(memcmp(message, frame_arp_reply + 14, sizeof message), 0);
}

Test(pkt, arp_malformed_messages_are_dropped)
{
	static const struct {
		const char *what;
		uint8_t at, value;
	} cases[] = {
		{"hardware that is not Ethernet", 1, 6},
		{"protocol that is not IPv4", 2, 0x86},
		{"hardware size", 4, 8},
		{"protocol size", 5, 16},
		{"operation 0", 7, 0},
		{"reverse ARP request", 7, 3},
		{"operation 0x0101", 6, 1},
		{"sender that is a group (RFC 1812 s.3.3.2)", 8, 0x03},
	};
	uint8_t message[28];
	struct pkt_arp arp;

	for (size_t len = 0; len < sizeof message; len++)
		cr_assert_eq(pkt_parse_arp(frame_arp_request + 14, len, &arp), DROP_ARP);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(message, frame_arp_request + 14, sizeof message);
		message[cases[i].at] = cases[i].value;
		cr_assert_eq(pkt_parse_arp(message, sizeof message, &arp), DROP_ARP, "%s",
			cases[i].what);
	}
}

Test(pkt, arp_from_nobody_is_dropped)
{
	uint8_t message[28];
	struct pkt_arp arp;

	memcpy(message, frame_arp_request + 14, sizeof message);
	memset(message + 8, 0, 6);
	cr_assert_eq(pkt_parse_arp(message, sizeof message, &arp), DROP_ARP);
	message[13] = 1; // one octet makes a station of it
	cr_assert_eq(pkt_parse_arp(message, sizeof message, &arp), DROP_NONE);
}

Test(pkt, arp_padding_behind_the_message_is_ignored)
{
	uint8_t padded[46] = {0};
	struct pkt_arp arp;

	memcpy(padded, frame_arp_reply + 14, 28);
	cr_assert_eq(pkt_parse_arp(padded, sizeof padded, &arp), DROP_NONE);
	cr_assert_eq(arp.operation, 2);
}
