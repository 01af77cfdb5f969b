// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <stdlib.h>

#define N_SYNS 300000

// A TCP segment with these options, padded with zeros, and `payload_len` octets behind them.
static size_t make_syn(
	uint8_t l3[MAKE_MAX], uint8_t flags, const uint8_t *options, size_t n, size_t payload_len)
{
	uint8_t payload[256] = {0};
	size_t header = 20 + (n + 3) / 4 * 4;
	struct make m = {.src = INSIDE,
		.dst = REMOTE,
		.sport = 5000,
		.dport = 80,
		.protocol = IP_TCP,
		.flags = flags,
		.payload = payload,
		.payload_len = header - 20 + payload_len};
	size_t len;

	memcpy(payload, options, n);
	len = make_packet(l3, &m);
	l3[20 + 12] = (uint8_t)(header / 4 << 4);
	return len;
}

static void mend(uint8_t *l3, size_t len)
{
	uint8_t *tcp = l3 + 20;
	be16 sum;

	memset(tcp + 16, 0, 2);
	sum = be16_of(checksum_l4(INSIDE, REMOTE, IP_TCP, tcp, len - 20));
	memcpy(tcp + 16, sum.b, 2);
}

static bool sum_is_right(const uint8_t *l3, size_t len)
{
	return checksum_l4(INSIDE, REMOTE, IP_TCP, l3 + 20, len - 20) == 0;
}

Test(xlat, t_mss_is_lowered_and_never_raised)
{
	static const struct {
		const char *what;
		uint8_t flags;
		uint8_t n, before[12], after[12];
	} cases[] = {
		{"a SYN", TCP_SYN, 4, {2, 4, 0x05, 0xb4}, {2, 4, 0x05, 0x78}},
		{"a SYN/ACK", TCP_SYN | TCP_ACK, 4, {2, 4, 0x05, 0xb4}, {2, 4, 0x05, 0x78}},
		{"no SYN", TCP_ACK, 4, {2, 4, 0x05, 0xb4}, {2, 4, 0x05, 0xb4}},
		{"equal", TCP_SYN, 4, {2, 4, 0x05, 0x78}, {2, 4, 0x05, 0x78}},
		{"lower already", TCP_SYN, 4, {2, 4, 0x02, 0x18}, {2, 4, 0x02, 0x18}},
		{"behind others", TCP_SYN, 12, {4, 2, 1, 3, 3, 7, 2, 4, 0xff, 0xff, 0, 0},
			{4, 2, 1, 3, 3, 7, 2, 4, 0x05, 0x78, 0, 0}},
		{"at an odd place", TCP_SYN, 8, {1, 2, 4, 0x05, 0xb4, 1, 1, 1},
			{1, 2, 4, 0x05, 0x78, 1, 1, 1}},
		{"twice", TCP_SYN, 8, {2, 4, 0x05, 0xb4, 2, 4, 0x20, 0},
			{2, 4, 0x05, 0x78, 2, 4, 0x05, 0x78}},
		{"behind the end", TCP_SYN, 8, {0, 2, 4, 0x05, 0xb4, 0, 0, 0},
			{0, 2, 4, 0x05, 0xb4, 0, 0, 0}},
		{"of a wrong size", TCP_SYN, 8, {2, 6, 0x05, 0xb4, 0x05, 0xb4, 0, 0},
			{2, 6, 0x05, 0xb4, 0x05, 0xb4, 0, 0}},
		{"cut off", TCP_SYN, 4, {1, 1, 2, 4}, {1, 1, 2, 4}},
		{"without size", TCP_SYN, 4, {1, 1, 1, 2}, {1, 1, 1, 2}},
		{"of size 0", TCP_SYN, 8, {3, 0, 2, 4, 0x05, 0xb4, 0, 0},
			{3, 0, 2, 4, 0x05, 0xb4, 0, 0}},
	};
	uint8_t l3[MAKE_MAX], packet[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = make_syn(packet, cases[i].flags, cases[i].before, cases[i].n, 5);
		mend(packet, len);
		check_load(&p, l3, packet, len, len);
		xlat_clamp_mss(&p, 1400);
		cr_assert_eq(memcmp(l3 + 40, cases[i].after, cases[i].n), 0, "%s", cases[i].what);
		cr_assert(sum_is_right(l3, len), "%s", cases[i].what);
		cr_assert_eq(memcmp(l3, packet, 36), 0, "%s", cases[i].what);
		cr_assert_eq(memcmp(l3 + 40 + cases[i].n, packet + 40 + cases[i].n,
				     len - 40 - cases[i].n),
			0, "%s", cases[i].what);
		check_in_step(&p);
	}
}

Test(xlat, t_mss_of_other_packets_stays)
{
	static const uint8_t options[] = {2, 4, 0x05, 0xb4};
	uint8_t l3[MAKE_MAX], packet[MAKE_MAX];
	size_t len = make_syn(packet, TCP_SYN, options, sizeof options, 5);
	struct pkt p;

	check_load(&p, l3, packet, len, len);
	p.kind = PKT_UDP;
	xlat_clamp_mss(&p, 536);
	cr_assert_eq(memcmp(l3, packet, len), 0);
	p.kind = PKT_TCP;
	p.later = true;
	xlat_clamp_mss(&p, 536);
	cr_assert_eq(memcmp(l3, packet, len), 0);
}

// Any list of options, often with an MSS behind one to four that are no trouble.
static size_t any_options(struct rng *rng, uint8_t options[40])
{
	size_t n = 4 * (size_t)rng_below(rng, 11), at = rng_below(rng, 4);

	for (size_t k = 0; k < n; k++)
		options[k] = rng_below(rng, 3) ? (uint8_t)rng_below(rng, 6) : (uint8_t)rng_u32(rng);
	if (n >= 8 && rng_below(rng, 2)) {
		memset(options, 1, at);
		options[at] = 2;
		options[at + 1] = 4;
	}
	return n;
}

// In a block without an octet to spare: the sum stays as right as it was.
Test(xlat, t_mss_any_options_keep_the_checksum_right)
{
	unsigned n_lowered = 0;
	struct rng rng;

	rng_init_u64(&rng, 9293);
	for (unsigned i = 0; i < N_SYNS; i++) {
		uint8_t options[40], packet[MAKE_MAX];
		size_t n = any_options(&rng, options);
		size_t len = make_syn(packet, TCP_SYN, options, n, rng_below(&rng, 4));
		mend(packet, len);
		uint8_t *l3 = malloc(len);
		struct pkt p;
		check_load(&p, l3, packet, len, len);
		xlat_clamp_mss(&p, (uint16_t)rng_u32(&rng));
		n_lowered += memcmp(l3, packet, len) != 0;
		cr_assert(sum_is_right(l3, len), "segment %u", i);
		free(l3);
	}
	cr_assert_gt(n_lowered, N_SYNS / 20);
}
