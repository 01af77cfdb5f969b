// SPDX-License-Identifier: Apache-2.0
// The property the whole room stands on: a translated packet, and every checksum in it, is octet
// for octet the packet that would have been made from the new endpoint in the first place. A
// million random packets: UDP, TCP and echo, both directions, and ICMP errors about them.
#include "check.h"

#define N_PACKETS 1000000
#define N_ERRORS 300000

static uint16_t any_u16(struct rng *rng)
{
	static const uint16_t edges[] = {0, 1, 0xffff, 0xfffe, 0x00ff, 0xff00};

	return rng_below(rng, 4) ? (uint16_t)rng_u32(rng)
				 : edges[rng_below(rng, ARRAY_SIZE(edges))];
}

// An address that the parse lets through.
static ip4 any_address(struct rng *rng)
{
	ip4 a = (1 + rng_below(rng, 126)) << 24;

	return rng_below(rng, 8) ? a | (rng_u32(rng) & 0xffffff) : a;
}

static void fill(struct rng *rng, uint8_t *at, size_t len)
{
	uint32_t pattern = rng_below(rng, 8);

	for (size_t i = 0; i < len; i++)
		at[i] = pattern == 0 ? 0 : pattern == 1 ? 0xff : (uint8_t)rng_u32(rng);
}

static struct make any_packet(struct rng *rng, uint8_t payload[64])
{
	struct make m = {
		.src = any_address(rng),
		.dst = any_address(rng),
		.sport = any_u16(rng),
		.dport = any_u16(rng),
		.protocol = (uint8_t[]){IP_UDP, IP_TCP, IP_ICMP}[rng_below(rng, 3)],
		.type = rng_below(rng, 2) ? ICMP_ECHO : ICMP_ECHO_REPLY,
		.ttl = (uint8_t)(2 + rng_below(rng, 254)),
		.tos = (uint8_t)rng_u32(rng),
		.flags = (uint8_t)rng_u32(rng),
		.id = any_u16(rng),
		.seq = any_u16(rng),
		.fragment = rng_below(rng, 2) ? IP4_DF : 0,
		.option_words = (uint8_t)(rng_below(rng, 4) ? 0 : rng_below(rng, 11)),
		.no_checksum = rng_below(rng, 8) == 0,
		.payload = payload,
		.payload_len = rng_below(rng, 65),
	};

	fill(rng, payload, m.payload_len);
	return m;
}

// What a packet looks like from its new source (or destination).
static void move_source(struct make *m, struct recipe to)
{
	m->src = to.addr;
	m->sport = to.port;
}

static void move_destination(struct make *m, struct recipe to)
{
	m->dst = to.addr;
	if (m->protocol == IP_ICMP)
		m->sport = to.port;
	else
		m->dport = to.port;
}

Test(xlat, req_1624_translation_equals_a_packet_made_anew)
{
	uint8_t payload[64], before[MAKE_MAX], after[MAKE_MAX], l3[MAKE_MAX];
	unsigned n_none = 0, n_kind[4] = {0};
	struct rng rng;
	struct pkt p;

	rng_init_u64(&rng, 3022);
	for (unsigned i = 0; i < N_PACKETS; i++) {
		struct make m = any_packet(&rng, payload);
		struct recipe to = recipe_of(any_address(&rng), any_u16(&rng));
		size_t len = make_packet(before, &m);
		check_load(&p, l3, before, len, MAKE_MAX);
		n_kind[p.kind]++;
		n_none += p.kind == PKT_UDP && m.no_checksum;
		if (i % 4 == 1) {
			m.id = any_u16(&rng);
			xlat_source_anew(&p, to, m.id);
			move_source(&m, to);
		} else if (i % 2) {
			xlat_source(&p, to);
			move_source(&m, to);
		} else {
			xlat_destination(&p, to);
			move_destination(&m, to);
		}
		m.ttl--;
		make_packet(after, &m);
		cr_assert_eq(memcmp(l3, after, len), 0, "packet %u", i);
		check_in_step(&p);
	}
	cr_assert(n_kind[PKT_UDP] > 300000 && n_kind[PKT_TCP] > 300000);
	cr_assert(n_kind[PKT_ECHO] > 300000 && n_none > 30000);
}

// A first piece of nothing but zeros says nothing of what is behind: see settle_zero().
static bool has_doubtful_sum(const uint8_t *packet, const struct make *m)
{
	size_t header = 20 + 4u * m->option_words;

	return m->protocol == IP_ICMP && packet[header + 2] == packet[header + 3] &&
	       (packet[header + 2] == 0 || packet[header + 2] == 0xff);
}

// Every piece on its own, as it would be cut out of the translated packet.
Test(xlat, t_frag_checksum_pieces_equal_pieces_of_the_translated_packet)
{
	uint8_t payload[64], before[MAKE_MAX], after[MAKE_MAX], piece[MAKE_MAX], l3[MAKE_MAX];
	unsigned n_later = 0;
	struct rng rng;

	rng_init_u64(&rng, 815);
	for (unsigned i = 0; i < N_PACKETS / 4; i++) {
		struct make m = any_packet(&rng, payload);
		uint8_t kind = m.protocol == IP_UDP   ? PKT_UDP
			       : m.protocol == IP_TCP ? PKT_TCP
						      : PKT_ECHO;
		struct recipe to = recipe_of(any_address(&rng), any_u16(&rng));
		size_t header = 20 + 4u * m.option_words;
		size_t first = m.protocol == IP_TCP ? 24 : 8, end, len;
		m.payload_len = 64;
		len = make_packet(before, &m) - header;
		end = first + 8 * (size_t)rng_below(&rng, (uint32_t)(len - first) / 8);
		uint16_t sport = m.sport, dport = kind == PKT_ECHO ? m.sport : m.dport;
		if (i % 2)
			move_source(&m, to);
		else
			move_destination(&m, to);
		m.ttl--;
		make_packet(after, &m);
		if (has_doubtful_sum(after, &m))
			continue;
		for (unsigned later = 0; later < 2; later++) {
			struct pkt p;
			size_t n = make_piece(piece, before, later ? end : 0, later ? len : end);
			check_load(&p, l3, piece, n, n);
			pkt_resolve(&p, kind, sport, dport);
			n_later += p.later;
			if (i % 2)
				xlat_source(&p, to);
			else
				xlat_destination(&p, to);
			make_piece(piece, after, later ? end : 0, later ? len : end);
			cr_assert_eq(memcmp(l3, piece, n), 0, "packet %u", i);
			cr_assert(i % 2 ? p.src == to.addr && p.sport == to.port
					: p.dst == to.addr && p.dport == to.port);
		}
	}
	cr_assert_gt(n_later, N_PACKETS / 5);
}

// The error as it arrives and as it shall leave: the quote is cut after the packet was made whole,
// so its checksum counts octets that are no longer there. The RFC 4884 length may end it sooner.
static size_t make_error(uint8_t out[MAKE_MAX], const struct make *error, const struct make *quoted,
	size_t cut, size_t extension)
{
	uint8_t packet[MAKE_MAX] = {0};
	struct make m = *error;

	make_packet(packet, quoted);
	memset(packet + cut, 0xa5, extension);
	m.payload = packet;
	m.payload_len = cut + extension;
	return make_packet(out, &m);
}

static struct make any_error(struct rng *rng)
{
	return (struct make){
		.src = any_address(rng),
		.dst = any_address(rng),
		.protocol = IP_ICMP,
		.type = (uint8_t[]){ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED,
			ICMP_PARAMETER}[rng_below(rng, 3)],
		.code = (uint8_t)rng_below(rng, 16),
		.ttl = (uint8_t)(2 + rng_below(rng, 254)),
		.seq = any_u16(rng),
		.option_words = (uint8_t)(rng_below(rng, 4) ? 0 : rng_below(rng, 11)),
	};
}

// Where to cut the quote: anywhere behind eight octets of transport; at a whole word when an
// extension follows.
static size_t any_cut(struct rng *rng, const struct make *quoted, size_t len, size_t extension)
{
	size_t least = 28 + 4u * quoted->option_words;
	size_t cut = least + rng_below(rng, (uint32_t)(len - least) + 1);

	return extension ? cut / 4 * 4 : cut;
}

// An echo reply of nothing but zeros: its checksum is 0xffff when made anew and 0 when an increment
// arrives there, and what was cut off the quote cannot be asked.
static bool has_doubtful_zero(const struct make *quoted, struct recipe to)
{
	if (quoted->protocol != IP_ICMP || quoted->type != ICMP_ECHO_REPLY || to.port ||
		quoted->seq)
		return false;
	for (size_t i = 0; i < quoted->payload_len; i++)
		if (quoted->payload[i])
			return false;
	return true;
}

// Half a TCP checksum at the end of the quote is left alone, unlike in a packet made anew.
static bool halves_checksum(const struct make *quoted, size_t cut)
{
	return quoted->protocol == IP_TCP && cut == 20 + 4u * quoted->option_words + 17;
}

Test(xlat, req_5508_4_and_5_errors_equal_errors_made_anew)
{
	uint8_t payload[64], before[MAKE_MAX], after[MAKE_MAX], l3[MAKE_MAX];
	unsigned n_extended = 0, n_compared = 0;
	struct rng rng;
	struct pkt p;

	rng_init_u64(&rng, 5508);
	for (unsigned i = 0; i < N_ERRORS; i++) {
		struct make quoted = any_packet(&rng, payload), error = any_error(&rng);
		struct recipe to = recipe_of(any_address(&rng), any_u16(&rng));
		size_t extension = rng_below(&rng, 4) ? 0 : 12;
		size_t cut = any_cut(&rng, &quoted, make_packet(before, &quoted), extension);
		if (halves_checksum(&quoted, cut) || has_doubtful_zero(&quoted, to))
			continue;
		error.length_words = (uint8_t)(extension ? cut / 4 : 0);
		n_extended += extension > 0;
		size_t len = make_error(before, &error, &quoted, cut, extension);
		check_load(&p, l3, before, len, MAKE_MAX);
		cr_assert_eq(p.kind, PKT_ICMP_ERROR);
		if (i % 2) {
			xlat_error_from_outside(&p, to);
			move_source(&quoted, to);
			error.dst = to.addr;
		} else {
			xlat_error_from_inside(&p, to);
			move_destination(&quoted, to);
			error.src = to.addr;
		}
		error.ttl--;
		make_error(after, &error, &quoted, cut, extension);
		cr_assert_eq(memcmp(l3, after, len), 0, "error %u", i);
		n_compared++;
		check_in_step(&p);
	}
	cr_assert_gt(n_extended, 50000);
	cr_assert_gt(n_compared, N_ERRORS - N_ERRORS / 50);
}
