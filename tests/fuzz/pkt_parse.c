// SPDX-License-Identifier: Apache-2.0
// The packet parse and the translations under libFuzzer: any octets, taken as an Ethernet frame.
// What is accepted is translated every way a packet of its kind may be, in a heap block without an
// octet to spare. Each input runs twice, the second time with its checksums put right, since
// guessing those would take the fuzzer for ever.
#include <postern/xlat.h>

#include <stdlib.h>

#define FRAME_MAX 2048
#define ERROR_HEADERS 28

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
	if (!promise)
		__builtin_trap();
}

static const struct recipe to = {.addr = 0xcb007105, .port = 40000}; // 203.0.113.5

// A parse of what was written finds what the packet says of itself.
static void check_in_step(const struct pkt *p)
{
	struct pkt again = {.buf = NULL};

	check(pkt_parse_ip4(&again, p->l3, p->len) == DROP_NONE);
	check(again.len == p->len && again.src == p->src && again.dst == p->dst);
	check(again.kind == p->kind && again.sport == p->sport && again.dport == p->dport);
	check(again.l4_at == p->l4_at && again.protocol == p->protocol);
	check(again.tcp_flags == p->tcp_flags);
	if (p->kind != PKT_ICMP_ERROR)
		return;
	check(again.inner.src == p->inner.src && again.inner.dst == p->inner.dst);
	check(again.inner.sport == p->inner.sport && again.inner.dport == p->inner.dport);
	check(again.inner.kind == p->inner.kind && again.inner.l4_left == p->inner.l4_left);
	check(again.inner.at == p->inner.at && again.inner.l4_at == p->inner.l4_at);
}

static uint16_t load_u16(const uint8_t *at)
{
	be16 v;

	memcpy(v.b, at, sizeof v.b);
	return be16_get(v);
}

// How far the transport checksum is from right; translations must not change it. 0xffff is 0.
static uint16_t checksum_error(const struct pkt *p)
{
	const uint8_t *l4 = p->l3 + p->l4_at;
	size_t len = (size_t)p->len - p->l4_at;
	uint16_t sum = checksum_l4(p->src, p->dst, p->protocol, l4, len);

	return sum == 0xffff ? 0 : sum;
}

static bool has_no_checksum(const struct pkt *p)
{
	return p->kind == PKT_UDP && load_u16(p->l3 + p->l4_at + 6) == 0;
}

static void check_bounds(const struct pkt *p, size_t len)
{
	check(p->len <= len && p->l4_at >= 20 && p->l4_at <= p->len);
	check(p->kind >= PKT_UDP && p->kind <= PKT_OTHER);
	check(p->kind != PKT_UDP || p->l4_at + sizeof(struct udp_wire) <= p->len);
	check(p->kind != PKT_TCP || p->l4_at + sizeof(struct tcp_wire) <= p->len);
	check(p->kind != PKT_ECHO || p->l4_at + sizeof(struct icmp_wire) <= p->len);
	if (p->kind != PKT_ICMP_ERROR)
		return;
	check((p->inner.kind >= PKT_UDP && p->inner.kind <= PKT_ECHO) ||
		(p->inner.kind == PKT_OTHER && p->inner.sport == 0 && p->inner.dport == 0));
	check(p->inner.at == p->l4_at + 8 && p->inner.l4_at >= p->inner.at + 20);
	check(p->inner.l4_left >= 8 && p->inner.l4_at + p->inner.l4_left <= p->len);
}

// A packet in a heap block of its own, `spare` octets longer than itself.
static struct pkt copy_of(const struct pkt *p, size_t spare)
{
	struct pkt copy = *p;

	copy.room = (uint16_t)(p->len + spare);
	copy.l3 = malloc(copy.room);
	check(copy.l3);
	memcpy(copy.l3, p->l3, p->len);
	return copy;
}

static void try_rewrite(const struct pkt *p, void (*rewrite)(struct pkt *, struct recipe))
{
	struct pkt copy = copy_of(p, 0);
	uint8_t ttl = copy.l3[8];

	rewrite(&copy, to);
	check_in_step(&copy);
	check(copy.l3[8] == (uint8_t)(ttl - 1));
	check(has_no_checksum(&copy) == has_no_checksum(p));
	if ((p->kind == PKT_UDP || p->kind == PKT_TCP) && !has_no_checksum(p))
		check(checksum_error(&copy) == checksum_error(p));
	copy.stage = PKT_HAIRPINNED;
	rewrite(&copy, (struct recipe){.addr = p->src, .port = p->sport});
	check_in_step(&copy);
	check(copy.l3[8] == (uint8_t)(ttl - 1));
	free(copy.l3);
}

static void try_make_error(const struct pkt *p)
{
	struct pkt copy = copy_of(p, ERROR_HEADERS);

	check(xlat_make_error(&copy, to.addr, ICMP_TIME_EXCEEDED, 0, 0));
	check(copy.len <= 576 && copy.dst == p->src && copy.src == to.addr);
	if (p->kind <= PKT_ECHO)
		check_in_step(&copy);
	free(copy.l3);
	if (p->len <= 576 - ERROR_HEADERS) {
		copy = copy_of(p, ERROR_HEADERS - 1);
		check(!xlat_make_error(&copy, to.addr, ICMP_TIME_EXCEEDED, 0, 0));
		check(memcmp(copy.l3, p->l3, p->len) == 0);
		free(copy.l3);
	}
}

static void try_udp_reply(const struct pkt *p)
{
	struct pkt copy = copy_of(p, 8);
	size_t most = copy.room - p->l4_at - sizeof(struct udp_wire);

	check(!xlat_udp_reply(&copy, most + 1));
	memset(copy.l3 + p->l4_at + sizeof(struct udp_wire), 0, most);
	check(xlat_udp_reply(&copy, most));
	check_in_step(&copy);
	check(checksum_error(&copy) == 0 && copy.dst == p->src && copy.dport == p->sport);
	free(copy.l3);
}

static void try_echo_reply(const struct pkt *p)
{
	struct pkt copy = copy_of(p, 0);

	xlat_echo_reply(&copy);
	check_in_step(&copy);
	check(copy.l3[copy.l4_at] == ICMP_ECHO_REPLY && copy.dst == p->src);
	free(copy.l3);
}

// ---- fragments -------------------------------------------------------------------------------

// Cuts the packet, and what it is cut into puts together again: as many octets, in order.
static void try_cut(const struct pkt *p, uint16_t mtu)
{
	uint8_t *out = malloc(mtu);
	uint32_t at = 0, before = 0;
	size_t len;

	check(out);
	while ((len = xlat_cut(p, mtu, &at, out, mtu)) > 0) {
		struct pkt piece = {.buf = NULL};
		check(len <= mtu && at > before);
		check(pkt_parse_ip4(&piece, out, len) <= DROP_COUNT);
		check(piece.len == len && piece.l4_at + at - before == len);
		check(memcmp(out + piece.l4_at, p->l3 + p->l4_at + before, at - before) == 0);
		before = at;
	}
	free(out);
}

static void try_clamp(const struct pkt *p, uint16_t mss)
{
	struct pkt copy = copy_of(p, 0);

	xlat_clamp_mss(&copy, mss);
	check(checksum_error(&copy) == checksum_error(p));
	check(memcmp(copy.l3, p->l3, p->l4_at + 16u) == 0);
	free(copy.l3);
}

static void try_identify(const struct pkt *p)
{
	struct pkt copy = copy_of(p, 0);

	xlat_identify(&copy, 0x1234);
	check(checksum_ip4(copy.l3, copy.l4_at) == 0);
	check(load_u16(copy.l3 + 4) == 0x1234);
	check(xlat_is_atomic(&copy) == xlat_is_atomic(p));
	free(copy.l3);
}

// A piece that is followed has its ports, or gets those of another.
static void try_fragment(const struct pkt *p)
{
	struct pkt_fragment f;
	enum drop drop = pkt_parse_fragment(p, &f);
	uint8_t kind = p->protocol == IP_UDP ? PKT_UDP : p->protocol == IP_TCP ? PKT_TCP : PKT_ECHO;

	check(drop < DROP_COUNT);
	if (drop != DROP_NONE || (f.first == 0 && !f.has_ports))
		return;
	check(f.first < f.end && f.end + p->l4_at <= 65535);
	for (unsigned way = 0; way < 2; way++) {
		struct pkt copy = copy_of(p, 0);
		pkt_resolve(&copy, kind, f.has_ports ? f.sport : 5000, f.has_ports ? f.dport : 53);
		check(copy.resolved && copy.later == (f.first != 0));
		(way ? xlat_source : xlat_destination)(&copy, to);
		check(checksum_ip4(copy.l3, copy.l4_at) == 0);
		check((way ? copy.src : copy.dst) == to.addr);
		check(copy.l3[8] == (uint8_t)(p->l3[8] - 1));
		check(!copy.later || memcmp(copy.l3 + copy.l4_at, p->l3 + p->l4_at,
					     (size_t)p->len - p->l4_at) == 0);
		if (kind == PKT_TCP)
			xlat_clamp_mss(&copy, 1200);
		free(copy.l3);
	}
}

static void try_translations(const struct pkt *p)
{
	struct pkt copy = copy_of(p, 0);

	xlat_lower_ttl(&copy);
	check_in_step(&copy);
	free(copy.l3);
	if (p->kind <= PKT_ECHO) {
		try_rewrite(p, xlat_source);
		try_rewrite(p, xlat_destination);
	}
	if (p->kind == PKT_ICMP_ERROR && p->inner.kind != PKT_OTHER) {
		try_rewrite(p, xlat_error_from_outside);
		try_rewrite(p, xlat_error_from_inside);
	}
	try_identify(p);
	try_cut(p, (uint16_t)(68 + p->len / 3));
	if (p->kind == PKT_FRAGMENT)
		try_fragment(p);
	if (p->kind == PKT_TCP)
		try_clamp(p, 1200);
	if (p->kind == PKT_UDP)
		try_udp_reply(p);
	if (p->kind == PKT_ECHO)
		try_echo_reply(p);
	check(!xlat_may_answer(p, true));
	check(p->kind != PKT_ICMP_ERROR || !xlat_may_answer(p, false));
	try_make_error(p);
}

static void try_ip4(const uint8_t *bytes, size_t len)
{
	uint8_t *l3 = malloc(len);
	struct pkt p = {.room = (uint16_t)len};

	memcpy(l3, bytes, len);
	enum drop drop = pkt_parse_ip4(&p, l3, len);
	check(drop < DROP_COUNT && memcmp(l3, bytes, len) == 0);
	if (drop == DROP_NONE) {
		check_bounds(&p, len);
		try_translations(&p);
	}
	free(l3);
}

static void put_checksum(uint8_t *at, uint8_t *from, size_t len)
{
	memset(at, 0, 2);
	be16 sum = be16_of(checksum_fold(checksum_add(0, from, len)));
	memcpy(at, sum.b, 2);
}

static void repair_header(uint8_t *l3, size_t len)
{
	size_t header = (l3[0] & 15u) * 4;

	if (header >= 20 && header <= len)
		put_checksum(l3 + 10, l3, header);
}

// Puts right what only a checksum would refuse: the header's, of ICMP the quoted header's and the
// message's.
static void repair(uint8_t *l3, size_t len)
{
	size_t header, total;

	if (len < 20)
		return;
	repair_header(l3, len);
	header = (l3[0] & 15u) * 4;
	total = load_u16(l3 + 2);
	if (l3[9] != IP_ICMP || header < 20 || total > len || total < header + 8)
		return;
	if (total >= header + 28)
		repair_header(l3 + header + 8, total - header - 8);
	put_checksum(l3 + header + 2, l3 + header, total - header);
}

static void try_arp(const uint8_t *bytes, size_t len)
{
	uint8_t answer[sizeof(struct arp_wire)];
	struct pkt_arp arp, again;

	if (pkt_parse_arp(bytes, len, &arp) != DROP_NONE)
		return;
	pkt_write_arp(answer, 2, arp.sender_mac, arp.target_ip, arp.sender_mac, arp.sender_ip);
	check(pkt_parse_arp(answer, sizeof answer, &again) == DROP_NONE);
	check(again.operation == 2 && again.sender_ip == arp.target_ip);
	check(again.target_ip == arp.sender_ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t repaired[FRAME_MAX];
	struct pkt_link link;

	if (size > FRAME_MAX || pkt_parse_link(data, size, &link) != DROP_NONE)
		return 0;
	check(link.l3_at <= size);
	data += link.l3_at;
	size -= link.l3_at;
	if (link.type == ETHERTYPE_ARP)
		try_arp(data, size);
	if (link.type != ETHERTYPE_IP4 || size == 0)
		return 0;
	try_ip4(data, size);
	memcpy(repaired, data, size);
	repair(repaired, size);
	try_ip4(repaired, size);
	return 0;
}
