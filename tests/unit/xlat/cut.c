// SPDX-License-Identifier: Apache-2.0
// What was cut is put together again here, by a receiver of the plainest kind.
#include "check.h"

#include <stdlib.h>

#define N_PACKETS 20000

struct receiver {
	uint8_t payload[MAKE_MAX];
	uint8_t seen[MAKE_MAX];
	size_t octets; // seen; at most one each
	size_t end;    // 0: the last has not come
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void receive(struct receiver *r, const uint8_t *l3, size_t len)
{
	size_t header = (l3[0] & 15u) * 4, at = (get16(l3 + 6) & IP4_OFFSET) * 8u;

	cr_assert_eq(make_sum(0, l3, header), 0, "header checksum");
	cr_assert_eq(get16(l3 + 2), len);
	for (size_t i = header; i < len; i++, at++) {
		cr_assert(!r->seen[at], "octet %zu comes twice", at);
		r->seen[at] = 1;
		r->payload[at] = l3[i];
		r->octets++;
	}
	if (!(get16(l3 + 6) & IP4_MF))
		r->end = at;
	else
		cr_assert_eq(at % 8, 0);
}

// Cuts *p for `mtu` into `r`; the number of pieces. Each goes into a block of just its size, from
// which it is read; `again`, when not 0, is the next link's.
static unsigned cut(const struct pkt *p, uint16_t mtu, uint16_t again, struct receiver *r)
{
	uint8_t *out = malloc(mtu);
	unsigned n = 0;
	uint32_t at = 0;
	size_t len, before = 0;

	for (; (len = xlat_cut(p, mtu, &at, out, mtu)) > 0; n++) {
		struct pkt piece;
		cr_assert_leq(len, mtu);
		cr_assert_gt(at, before, "in order");
		before = at;
		cr_assert_eq(memcmp(out + 4, p->l3 + 4, 2), 0, "all have its identification");
		cr_assert_eq(memcmp(out + 8, p->l3 + 8, 2), 0);
		cr_assert_eq(memcmp(out + 12, p->l3 + 12, 8), 0);
		if (again == 0) {
			receive(r, out, len);
			continue;
		}
		cr_assert_eq(make_parse(&piece, out, len), DROP_NONE);
		cut(&piece, again, 0, r);
	}
	free(out);
	return n;
}

Test(xlat, t_4787_13a_pieces_make_the_packet_again)
{
	uint8_t payload[1400], packet[MAKE_MAX], l3[MAKE_MAX];
	struct rng rng;

	rng_init_u64(&rng, 791);
	for (unsigned i = 0; i < N_PACKETS; i++) {
		struct make m = {.src = INSIDE,
			.dst = REMOTE,
			.sport = 5000,
			.dport = 53,
			.protocol = (uint8_t[]){IP_UDP, IP_TCP, IP_ICMP, 47}[i % 4],
			.type = ICMP_ECHO,
			.id = (uint16_t)rng_u32(&rng),
			.option_words = (uint8_t)(i % 8 ? 0 : rng_below(&rng, 11)),
			.payload = payload,
			.payload_len = 100 + rng_below(&rng, 1300)};
		uint16_t mtu = (uint16_t)(68 + rng_below(&rng, 1000));
		uint16_t again = (uint16_t)(i % 3 ? 0 : 68 + rng_below(&rng, mtu - 67u));
		struct receiver r = {.end = 0};
		struct pkt p;
		for (size_t k = 0; k < m.payload_len; k++)
			payload[k] = (uint8_t)rng_u32(&rng);
		size_t len = make_packet(packet, &m), header = 20 + 4u * m.option_words;
		check_load(&p, l3, packet, len, len);
		unsigned n = cut(&p, mtu, again, &r);
		cr_assert_eq(memcmp(l3, packet, len), 0, "the packet itself stays");
		cr_assert_eq(r.end, len - header, "packet %u", i);
		cr_assert_eq(r.octets, len - header, "packet %u", i);
		cr_assert_eq(memcmp(r.payload, packet + header, len - header), 0);
		cr_assert_eq(n == 1, len <= mtu);
	}
}

// A fragment from the middle stays in the middle.
Test(xlat, t_4787_13a_a_fragment_is_cut_further)
{
	uint8_t packet[MAKE_MAX], l3[MAKE_MAX], out[128];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = 47, .payload_len = 160};
	uint32_t at = 0;
	struct pkt p;

	m.fragment = IP4_MF | 10;
	check_load(&p, l3, packet, make_packet(packet, &m), sizeof l3);
	cr_assert_eq(xlat_cut(&p, 120, &at, out, sizeof out), 20 + 96);
	cr_assert_eq(get16(out + 6), IP4_MF | 10);
	cr_assert_eq(xlat_cut(&p, 120, &at, out, sizeof out), 20 + 64);
	cr_assert_eq(get16(out + 6), IP4_MF | 22, "its last piece is not the datagram's");
	cr_assert_eq(xlat_cut(&p, 120, &at, out, sizeof out), 0);
	m.fragment = 10;
	at = 96;
	check_load(&p, l3, packet, make_packet(packet, &m), sizeof l3);
	cr_assert_eq(xlat_cut(&p, 120, &at, out, sizeof out), 20 + 64);
	cr_assert_eq(get16(out + 6), 22);
}

// RFC 791 s.3.1: an option with the upper bit set is in every piece, others are in the first.
Test(xlat, t_4787_13a_options_are_copied_as_they_say)
{
	static const uint8_t options[] = {
		1, 0x94, 4, 0, 0, 7, 3, 9, 0x83, 7, 4, 1, 2, 3, 4, 0}; // router alert, 7, route
	static const uint8_t copied[] = {0x94, 4, 0, 0, 0x83, 7, 4, 1, 2, 3, 4, 0};
	uint8_t packet[MAKE_MAX], l3[MAKE_MAX], out[128];
	struct make m = {.src = INSIDE,
		.dst = REMOTE,
		.protocol = 47,
		.payload_len = 200,
		.option_words = sizeof options / 4};
	size_t len = make_packet(packet, &m);
	uint32_t at = 0;
	struct pkt p;

	memcpy(packet + 20, options, sizeof options);
	make_header_right(packet);
	check_load(&p, l3, packet, len, len);
	cr_assert_eq(xlat_cut(&p, 100, &at, out, sizeof out), 36 + 64);
	cr_assert_eq(out[0], 0x49);
	cr_assert_eq(memcmp(out + 20, options, sizeof options), 0);
	cr_assert_eq(xlat_cut(&p, 100, &at, out, sizeof out), 32 + 64);
	cr_assert_eq(out[0], 0x48);
	cr_assert_eq(memcmp(out + 20, copied, sizeof copied), 0);
	cr_assert_eq(make_sum(0, out, 32), 0);
}

Test(xlat, t_4787_13a_malformed_options_end_the_list)
{
	static const struct {
		uint8_t options[4];
		uint8_t words; // of header in the second piece
	} cases[] = {{{0x94, 0, 0, 0}, 5}, {{0x94, 5, 0, 0}, 5}, {{1, 1, 1, 0x94}, 5},
		{{0x82, 4, 1, 1}, 6}, {{0, 0x82, 3, 1}, 5}, {{1, 0x82, 3, 1}, 6}};
	uint8_t packet[MAKE_MAX], l3[MAKE_MAX], out[128];
	struct make m = {.src = INSIDE,
		.dst = REMOTE,
		.protocol = 47,
		.payload_len = 200,
		.option_words = 1};
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = make_packet(packet, &m);
		uint32_t at = 0;
		memcpy(packet + 20, cases[i].options, 4);
		make_header_right(packet);
		check_load(&p, l3, packet, len, len);
		cr_assert_eq(xlat_cut(&p, 100, &at, out, sizeof out), 24 + 72);
		cr_assert_gt(xlat_cut(&p, 100, &at, out, sizeof out), 0);
		cr_assert_eq(out[0], 0x40 + cases[i].words, "case %zu", i);
	}
}

Test(xlat, a_piece_wants_its_room_and_a_link_that_can_be)
{
	uint8_t packet[MAKE_MAX], l3[MAKE_MAX], out[128];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = 47, .payload_len = 200};
	uint32_t at = 0;
	struct pkt p;

	check_load(&p, l3, packet, make_packet(packet, &m), sizeof l3);
	cr_assert_eq(xlat_cut(&p, 100, &at, out, 99), 0);
	cr_assert_eq(xlat_cut(&p, 67, &at, out, sizeof out), 0);
	cr_assert_eq(at, 0);
	m.fragment = IP4_MF | IP4_OFFSET; // what such a piece claims cannot be said of its rest
	check_load(&p, l3, packet, make_packet(packet, &m), sizeof l3);
	cr_assert_eq(xlat_cut(&p, 100, &at, out, sizeof out), 100);
	cr_assert_eq(xlat_cut(&p, 100, &at, out, sizeof out), 0);
}

// ---- identification --------------------------------------------------------------------------

Test(xlat, t_7857_10_only_df_and_whole_is_atomic)
{
	static const struct {
		uint16_t field;
		bool atomic;
	} cases[] = {{IP4_DF, true}, {IP4_DF | 0x8000, true}, {0, false}, {IP4_MF, false},
		{1, false}, {IP4_DF | IP4_MF, false}, {IP4_DF | 1, false}};
	uint8_t packet[MAKE_MAX], l3[MAKE_MAX];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = 47, .payload_len = 8};
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		m.fragment = cases[i].field;
		check_load(&p, l3, packet, make_packet(packet, &m), sizeof l3);
		cr_assert_eq(xlat_is_atomic(&p), cases[i].atomic, "%04x", m.fragment);
	}
}

Test(xlat, t_7857_10_another_identification_keeps_the_header_right)
{
	uint8_t packet[MAKE_MAX], l3[MAKE_MAX];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = 47, .payload_len = 8};
	struct pkt p;

	for (uint32_t id = 0; id <= 0xffff; id++) {
		m.id = (uint16_t)(id * 40503);
		size_t len = make_packet(packet, &m);
		check_load(&p, l3, packet, len, len);
		xlat_identify(&p, (uint16_t)id);
		m.id = (uint16_t)id;
		check_octets(&p, packet, make_packet(packet, &m));
	}
}
