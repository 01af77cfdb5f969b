// SPDX-License-Identifier: Apache-2.0
// IPv6 under libFuzzer: any octets, taken as a packet behind its Ethernet header. What is accepted
// is looked through, read as neighbour discovery, answered and refused, in heap blocks without an
// octet to spare. Each input runs twice, the second time with its header and its ICMPv6 checksum
// put right, since guessing those would take the fuzzer for ever.
#include <postern/xlat.h>

#include <stdlib.h>

#define PACKET_MAX 2048
#define ERROR_HEADERS 48
#define ERROR_MAX 1280

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
	if (!promise)
		__builtin_trap();
}

static const ip6 ours = {{0x20, 1, 0xd, 0xb8, [15] = 1}};

static struct pkt copy_of(const struct pkt *p, size_t room)
{
	struct pkt copy = *p;

	copy.room = (uint16_t)room;
	copy.l3 = malloc(room);
	check(copy.l3);
	memcpy(copy.l3, p->l3, p->len);
	return copy;
}

// A packet of our own making: what it says is what a parse of it finds.
static struct pkt_ip6 look_again(const struct pkt *p)
{
	struct pkt again = {.buf = NULL};
	struct pkt_ip6 six;

	check(pkt_parse_ip6(&again, p->l3, p->len) == DROP_NONE && again.len == p->len);
	pkt_look_ip6(&again, &six);
	return six;
}

static bool has_right_checksum(const struct pkt *p, const struct pkt_ip6 *six)
{
	return checksum_ip6(six->src, six->dst, IP_ICMP6, p->l3 + six->l4_at, six->l4_len) == 0;
}

// ---- neighbour discovery ---------------------------------------------------------------------

static bool is_same_nd(const struct pkt_nd *a, const struct pkt_nd *b)
{
	return a->type == b->type && a->router == b->router && a->solicited == b->solicited &&
	       a->override == b->override && ip6_eq(a->target, b->target) &&
	       memcmp(a->mac, b->mac, sizeof a->mac) == 0;
}

// What was read can be written, and reads the same again.
static void try_write_nd(const struct pkt_nd *nd, const struct pkt_ip6 *six)
{
	uint8_t *l3 = malloc(PKT_ND_SIZE);
	struct pkt p = {.l3 = l3, .len = PKT_ND_SIZE};
	struct pkt_nd again;

	check(l3);
	pkt_write_nd(l3, nd, six->src, six->dst);
	struct pkt_ip6 written = look_again(&p);
	check(written.protocol == IP_ICMP6 && has_right_checksum(&p, &written));
	enum drop drop = pkt_parse_nd(&p, &written, &again);
	// Nobody who has no address yet tells his link-layer address (RFC 4861 s.4.3).
	bool nobody = nd->type == ICMP6_SOLICITATION && ip6_is_unspecified(six->src);
	check(drop == (nobody ? DROP_ND : DROP_NONE));
	check(nobody || (is_same_nd(nd, &again) && again.has_mac));
	free(l3);
}

static void try_nd(const struct pkt *p, const struct pkt_ip6 *six)
{
	struct pkt_nd nd;
	enum drop drop = pkt_parse_nd(p, six, &nd);

	check(drop == DROP_NONE || drop == DROP_ND);
	if (drop != DROP_NONE)
		return;
	check(six->hop_limit == 255 && has_right_checksum(p, six));
	check(nd.type == ICMP6_SOLICITATION || nd.type == ICMP6_ADVERTISEMENT);
	check(!ip6_is_multicast(nd.target));
	check(nd.has_mac || memcmp(nd.mac, (uint8_t[6]){0}, sizeof nd.mac) == 0);
	try_write_nd(&nd, six);
}

// ---- answers ---------------------------------------------------------------------------------

static void try_echo_reply(const struct pkt *p, const struct pkt_ip6 *six)
{
	struct pkt copy = copy_of(p, p->len);

	xlat_echo6_reply(&copy, six);
	struct pkt_ip6 reply = look_again(&copy);
	check(ip6_eq(reply.src, six->dst) && ip6_eq(reply.dst, six->src));
	check(reply.protocol == IP_ICMP6 && reply.l4_len == six->l4_len);
	check(copy.l3[reply.l4_at] == ICMP6_ECHO_REPLY && has_right_checksum(&copy, &reply));
	check(memcmp(copy.l3 + reply.l4_at + 4, p->l3 + six->l4_at + 4, six->l4_len - 4u) == 0);
	free(copy.l3);
}

static void try_error(const struct pkt *p, const struct pkt_ip6 *six)
{
	size_t quote = min_u32(p->len, ERROR_MAX - ERROR_HEADERS);
	size_t room = quote + ERROR_HEADERS > p->len ? quote + ERROR_HEADERS : p->len;
	struct pkt copy = copy_of(p, room);

	check(xlat_make_error6(&copy, ours, ICMP6_TOO_BIG, 0, 1280));
	check(copy.len == quote + ERROR_HEADERS);
	struct pkt_ip6 error = look_again(&copy);
	check(ip6_eq(error.src, ours) && ip6_eq(error.dst, six->src));
	check(error.protocol == IP_ICMP6 && has_right_checksum(&copy, &error));
	check(!xlat_may_answer6(&error, &copy));
	check(memcmp(copy.l3 + ERROR_HEADERS, p->l3, quote) == 0);
	free(copy.l3);
	if (room == p->len)
		return;
	copy = copy_of(p, room - 1);
	check(!xlat_make_error6(&copy, ours, ICMP6_TOO_BIG, 0, 1280));
	check(memcmp(copy.l3, p->l3, p->len) == 0);
	free(copy.l3);
}

// ---- one packet ------------------------------------------------------------------------------

static void try_packet(const struct pkt *p)
{
	struct pkt_ip6 six;

	pkt_look_ip6(p, &six);
	check(six.l4_at >= sizeof(struct ip6_wire) && six.l4_at + six.l4_len == p->len);
	check(!six.later || six.protocol == 255);
	check(!ip6_is_multicast(six.src) && !ip6_is_unspecified(six.dst));
	check(ip6_is_multicast(ip6_solicited_node(six.dst)));
	check(ip6_is_link_local(ip6_link_local(p->l3)));
	if (six.protocol == IP_ICMP6)
		try_nd(p, &six);
	if (six.protocol == IP_ICMP6 && six.l4_len >= sizeof(struct icmp6_wire) &&
		p->l3[six.l4_at] == ICMP6_ECHO && !ip6_is_multicast(six.dst) &&
		!ip6_is_unspecified(six.src))
		try_echo_reply(p, &six);
	if (xlat_may_answer6(&six, p))
		try_error(p, &six);
}

static void try_octets(const uint8_t *bytes, size_t len)
{
	uint8_t *l3 = malloc(len);
	struct pkt p = {.room = (uint16_t)len};

	check(l3);
	memcpy(l3, bytes, len);
	enum drop drop = pkt_parse_ip6(&p, l3, len);
	check(drop == DROP_NONE || drop == DROP_IP6_HEADER || drop == DROP_IP6_ADDRESS);
	check(memcmp(l3, bytes, len) == 0);
	if (drop == DROP_NONE) {
		check(p.kind == PKT_IP6 && p.l3 == l3);
		check(p.len >= sizeof(struct ip6_wire) && p.len <= len);
		struct pkt exact = copy_of(&p, p.len); // without what stands behind it in the frame
		try_packet(&exact);
		check(memcmp(exact.l3, bytes, p.len) == 0);
		free(exact.l3);
	}
	free(l3);
}

// Puts right what keeps most inputs from getting anywhere: version, length, and the checksum of an
// ICMPv6 message wherever the extension headers put it.
static void repair(uint8_t *l3, size_t len)
{
	struct ip6_wire *ip = (void *)l3;
	struct pkt p = {.buf = NULL};
	struct pkt_ip6 six;

	if (len < sizeof *ip)
		return;
	l3[0] = (uint8_t)(0x60 | (l3[0] & 15));
	ip->payload_length = be16_of((uint16_t)(len - sizeof *ip));
	if (pkt_parse_ip6(&p, l3, len) != DROP_NONE)
		return;
	pkt_look_ip6(&p, &six);
	if (six.protocol != IP_ICMP6 || six.l4_len < sizeof(struct icmp6_wire))
		return;
	memset(l3 + six.l4_at + 2, 0, 2);
	be16 sum = be16_of(checksum_ip6(six.src, six.dst, IP_ICMP6, l3 + six.l4_at, six.l4_len));
	memcpy(l3 + six.l4_at + 2, sum.b, sizeof sum.b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t repaired[PACKET_MAX];

	if (size == 0 || size > PACKET_MAX)
		return 0;
	try_octets(data, size);
	memcpy(repaired, data, size);
	repair(repaired, size);
	try_octets(repaired, size);
	return 0;
}
