// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#include <criterion/criterion.h>

#include "make.h"

// RFC 1071 s.3: the worked example adds up to 0xddf2.
Test(pkt, checksum_rfc_1071_example)
{
	const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	cr_assert_eq(checksum_fold(checksum_add(0, data, sizeof data)), (uint16_t)~0xddf2);
}

// RFC 1624 s.4: HC = 0xdd2f, m = 0x5555, m' = 0x3285 gives 0x0000, where RFC 1141 gave 0xffff.
Test(pkt, checksum_rfc_1624_example)
{
	cr_assert_eq(checksum_apply(0xdd2f, checksum_delta16(0x5555, 0x3285)), 0x0000);
}

Test(pkt, checksum_nothing_changed_changes_nothing)
{
	cr_assert_eq(checksum_apply(0x1234, checksum_delta16(7, 7)), 0x1234);
	cr_assert_eq(checksum_apply(0x1234, checksum_delta32(0xc0000201, 0xc0000201)), 0x1234);
	cr_assert_eq(checksum_apply(0x0000, checksum_delta16(7, 7)), 0x0000);
}

// Words that are all zero add up to zero, and that is told apart from a sum of 0xffff.
Test(pkt, checksum_zeros_are_not_ones)
{
	const uint8_t zeros[20] = {0}, ones[4] = {0xff, 0xff, 0xff, 0xff};

	cr_assert_eq(checksum_fold(checksum_add(0, zeros, sizeof zeros)), 0xffff);
	cr_assert_eq(checksum_fold(checksum_add(0, ones, sizeof ones)), 0x0000);
	cr_assert_eq(checksum_fold(checksum_add(0, zeros, 0)), 0xffff);
	cr_assert_eq(checksum_ip4(zeros, sizeof zeros), 0xffff);
}

// All lengths to 300 and a few long ones, at every alignment, against one word at a time.
Test(pkt, checksum_equals_the_plain_sum)
{
	static uint8_t data[65535 + 8];
	static const size_t more[] = {1499, 1500, 9000, 65534, 65535};
	struct rng rng;

	rng_init_u64(&rng, 1071);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)rng_u32(&rng);
	for (size_t i = 0; i < 300 + ARRAY_SIZE(more); i++) {
		size_t len = i < 300 ? i : more[i - 300];
		for (size_t shift = 0; shift < 8; shift++) {
			uint32_t start = rng_u32(&rng) & 0xfffff;
			cr_assert_eq(checksum_fold(checksum_add(start, data + shift, len)),
				make_sum((start & 0xffff) + (start >> 16), data + shift, len),
				"%zu octets at %zu", len, shift);
		}
	}
}

// The largest words, the longest packet, and the parts of it added one after the other.
Test(pkt, checksum_sums_do_not_overflow)
{
	static uint8_t data[65535];
	uint32_t sum = 0;

	memset(data, 0xff, sizeof data);
	cr_assert_eq(
		checksum_fold(checksum_add(0, data, sizeof data)), make_sum(0, data, sizeof data));
	for (size_t at = 0; at < 65534; at += 2)
		sum = checksum_add(sum, data + at, 2);
	sum = checksum_add(sum, data + 65534, 1);
	cr_assert_eq(checksum_fold(sum), make_sum(0, data, sizeof data));
}

// Changing one word by the increment equals summing anew, whatever stood there (RFC 1624 s.3).
Test(pkt, checksum_increment_equals_recompute)
{
	uint8_t data[40];
	struct rng rng;

	rng_init_u64(&rng, 1624);
	for (unsigned i = 0; i < 200000; i++) {
		uint16_t old_word = (uint16_t)(i % 3 ? rng_u32(&rng) : i % 2 ? 0xffff : 0);
		uint16_t new_word = (uint16_t)(i % 5 ? rng_u32(&rng) : i % 2 ? 0 : 0xffff);
		for (size_t k = 0; k < sizeof data; k++)
			data[k] = (uint8_t)rng_u32(&rng);
		memcpy(data + 12, be16_of(old_word).b, 2);
		uint16_t before = make_sum(0, data, sizeof data);
		memcpy(data + 12, be16_of(new_word).b, 2);
		cr_assert_eq(checksum_apply(before, checksum_delta16(old_word, new_word)),
			make_sum(0, data, sizeof data), "%04x to %04x", old_word, new_word);
	}
}

// One half after the other, until nothing is carried.
static uint16_t apply_slowly(uint16_t checksum, uint32_t delta)
{
	uint32_t sum = (uint32_t)(uint16_t)~checksum + delta;

	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

Test(pkt, checksum_deltas_are_folded_as_one_carry_after_the_other)
{
	static const uint32_t edges[] = {
		0, 1, 0xfffe, 0xffff, 0x10000, 0x1fffe, 0x1ffff, 0xfffeffff};
	struct rng rng;

	rng_init_u64(&rng, 1071);
	for (uint32_t checksum = 0; checksum <= 0xffff; checksum++) {
		for (size_t i = 0; i < ARRAY_SIZE(edges) + 8; i++) {
			uint32_t delta =
				i < ARRAY_SIZE(edges) ? edges[i] : rng_u32(&rng) >> 2 * (i & 7);
			delta = min_u32(delta, UINT32_MAX - 0xffff);
			cr_assert_eq(checksum_apply((uint16_t)checksum, delta),
				apply_slowly((uint16_t)checksum, delta), "%04x by %08x", checksum,
				delta);
		}
	}
}

Test(pkt, checksum_of_transport_covers_the_pseudo_header)
{
	uint8_t l3[MAKE_MAX];
	const uint8_t text[] = "postern";
	struct make m = {.src = INSIDE,
		.dst = REMOTE,
		.sport = 5000,
		.dport = 53,
		.payload = text,
		.payload_len = sizeof text - 1};

	for (unsigned i = 0; i < 2; i++) {
		m.protocol = i ? IP_TCP : IP_UDP;
		size_t len = make_packet(l3, &m) - 20;
		cr_assert_eq(checksum_l4(INSIDE, REMOTE, m.protocol, l3 + 20, len), 0);
		cr_assert_neq(checksum_l4(OUTSIDE, REMOTE, m.protocol, l3 + 20, len), 0);
		cr_assert_neq(checksum_l4(INSIDE, OUTSIDE, m.protocol, l3 + 20, len), 0);
		cr_assert_neq(checksum_l4(INSIDE, REMOTE, 99, l3 + 20, len), 0);
		cr_assert_neq(checksum_l4(INSIDE, REMOTE, m.protocol, l3 + 20, len - 1), 0);
	}
}

// ---- many octets at a time -------------------------------------------------------------------

enum {
	LENGTHS = 201,
	MOST_SHIFT = 32
};

// The checksum of a transport packet by the definition: RFC 768, RFC 9293 s.3.1, RFC 1071.
static uint16_t plain_l4(ip4 src, ip4 dst, uint8_t protocol, const uint8_t *l4, size_t len)
{
	const uint8_t pseudo[12] = {(uint8_t)(src >> 24), (uint8_t)(src >> 16), (uint8_t)(src >> 8),
		(uint8_t)src, (uint8_t)(dst >> 24), (uint8_t)(dst >> 16), (uint8_t)(dst >> 8),
		(uint8_t)dst, 0, protocol, (uint8_t)(len >> 8), (uint8_t)len};

	return make_sum((uint16_t)~make_sum(0, pseudo, sizeof pseudo), l4, len);
}

static void fill_random(struct rng *rng, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)rng_u32(rng);
}

// What stands before and behind is not looked at, whatever the length leaves of the last block.
Test(pkt, checksum_of_every_length_looks_at_nothing_else)
{
	uint8_t data[MOST_SHIFT + LENGTHS + MOST_SHIFT], around[sizeof data];
	struct rng rng;

	rng_init_u64(&rng, 32);
	for (size_t len = 0; len < LENGTHS; len++) {
		for (size_t shift = 0; shift < MOST_SHIFT; shift++) {
			uint16_t expected;

			fill_random(&rng, data, sizeof data);
			fill_random(&rng, around, sizeof around);
			memcpy(around + shift, data + shift, len);
			expected = make_sum(0, data + shift, len);
			cr_assert_eq(checksum_fold(checksum_add(0, data + shift, len)), expected,
				"%zu octets at %zu", len, shift);
			cr_assert_eq(checksum_fold(checksum_add(0, around + shift, len)), expected,
				"%zu octets at %zu, among others", len, shift);
		}
	}
}

// Each octet counts, at its own place in its word.
Test(pkt, checksum_counts_every_octet_once)
{
	uint8_t data[LENGTHS] = {0};

	for (size_t len = 1; len < LENGTHS; len++) {
		for (size_t at = 0; at < len; at++) {
			uint16_t sum = at % 2 ? 0x00a5 : 0xa500;

			data[at] = 0xa5;
			cr_assert_eq(checksum_fold(checksum_add(0, data, len)), (uint16_t)~sum,
				"octet %zu of %zu", at, len);
			data[at] = 0;
		}
	}
}

Test(pkt, checksum_of_transport_equals_the_plain_sum_at_every_length)
{
	static const uint8_t protocols[] = {IP_UDP, IP_TCP, IP_ICMP, 255};
	uint8_t l4[LENGTHS];
	struct rng rng;

	rng_init_u64(&rng, 768);
	for (size_t len = 0; len < LENGTHS; len++) {
		for (unsigned i = 0; i < 40; i++) {
			ip4 src = rng_u32(&rng), dst = rng_u32(&rng);
			uint8_t protocol = protocols[i % ARRAY_SIZE(protocols)];

			fill_random(&rng, l4, len);
			cr_assert_eq(checksum_l4(src, dst, protocol, l4, len),
				plain_l4(src, dst, protocol, l4, len), "%zu octets", len);
		}
	}
}

// All ones carry from every word into the next, and round the end; so do addresses and lengths.
Test(pkt, checksum_of_transport_carries)
{
	static const ip4 ends[] = {0, 1, 0xffff, 0x10000, 0xffff0000, 0xfffffffe, 0xffffffff};
	static const size_t lengths[] = {0, 1, 31, 32, 33, 255, 256, 1500, 0xff00, 65514, 65515};
	static uint8_t l4[65515];

	memset(l4, 0xff, sizeof l4);
	for (unsigned i = 0; i < ARRAY_SIZE(ends) * ARRAY_SIZE(ends) * ARRAY_SIZE(lengths); i++) {
		ip4 src = ends[i % ARRAY_SIZE(ends)];
		ip4 dst = ends[i / ARRAY_SIZE(ends) % ARRAY_SIZE(ends)];
		size_t len = lengths[i / ARRAY_SIZE(ends) / ARRAY_SIZE(ends)];

		cr_assert_eq(checksum_l4(src, dst, IP_UDP, l4, len),
			plain_l4(src, dst, IP_UDP, l4, len), "%08x to %08x, %zu octets", src, dst,
			len);
	}
	cr_assert_eq(checksum_l4(0, 0, 0, l4, 0), 0xffff);
}
