// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

#include <criterion/criterion.h>

static struct reader reader_of(const uint8_t *bytes, size_t n)
{
	return (struct reader){.at = bytes, .end = bytes + n};
}

static struct writer writer_of(uint8_t *bytes, size_t n)
{
	return (struct writer){.at = bytes, .end = bytes + n};
}

Test(base, reader_takes_big_endian_numbers_in_order)
{
	static const uint8_t wire[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 'x', 'y'};
	struct reader r = reader_of(wire, sizeof wire);
	char text[2];

	cr_assert_eq(read_u8(&r), 0x01);
	cr_assert_eq(read_u16(&r), 0x2345);
	cr_assert_eq(read_u32(&r), 0x6789abcd);
	cr_assert_eq(reader_left(&r), 2);
	read_bytes(&r, text, 2);
	cr_assert_arr_eq(text, "xy", 2);
	cr_assert_eq(reader_left(&r), 0);
	cr_assert(!r.bad);
}

Test(base, reader_remembers_its_first_failure)
{
	static const uint8_t wire[] = {0xff, 0xff, 0xff};
	struct reader r = reader_of(wire, sizeof wire);
	uint8_t out[4] = {1, 2, 3, 4};

	cr_assert_eq(read_u32(&r), 0);
	cr_assert(r.bad);
	cr_assert_eq(reader_left(&r), 0);
	// Three octets are there, yet after a failure nothing is given any more.
	cr_assert_eq(read_u8(&r), 0);
	cr_assert_eq(read_u16(&r), 0);
	read_bytes(&r, out, sizeof out);
	cr_assert_arr_eq(out, ((uint8_t[4]){0}), 4);
	cr_assert_eq(r.at, wire);
	cr_assert(r.bad);
}

Test(base, reader_survives_lengths_no_buffer_has)
{
	static const uint8_t wire[] = {1};
	struct reader r = reader_of(wire, sizeof wire);
	uint8_t out[8] = {9};

	cr_assert_eq(read_u8(&r), 1);
	read_bytes(&r, out, 0);
	cr_assert(!r.bad, "nothing is always there");
	read_bytes(&r, out, 1);
	cr_assert(r.bad);
	cr_assert_eq(out[0], 0);
}

Test(base, a_reader_of_nothing_is_empty_not_broken)
{
	struct reader r = {.at = NULL, .end = NULL};

	cr_assert_eq(reader_left(&r), 0);
	read_bytes(&r, NULL, 0);
	cr_assert(!r.bad);
	cr_assert_eq(read_u8(&r), 0);
	cr_assert(r.bad);
}

Test(base, writer_lays_big_endian_numbers_in_order)
{
	uint8_t wire[9] = {0};
	struct writer w = writer_of(wire, sizeof wire);

	write_u8(&w, 0x01);
	write_u16(&w, 0x2345);
	write_u32(&w, 0x6789abcd);
	write_bytes(&w, "xy", 2);
	cr_assert(!w.bad);
	cr_assert_eq(w.at, w.end);
	cr_assert_arr_eq(wire, "\x01\x23\x45\x67\x89\xab\xcdxy", 9);
}

Test(base, writer_writes_nothing_after_its_first_failure)
{
	uint8_t wire[8];
	struct writer w = writer_of(wire, 3);

	memset(wire, 0xee, sizeof wire);
	write_u8(&w, 1);
	write_u32(&w, 0x02020202);
	cr_assert(w.bad);
	// Two octets would fit, yet what follows a hole is no message.
	write_u16(&w, 0x0303);
	write_u8(&w, 4);
	cr_assert_eq(w.at, wire + 1);
	cr_assert_arr_eq(wire, "\x01\xee\xee\xee\xee\xee\xee\xee", 8);
}

static void write_number(struct writer *w, size_t n, uint32_t v)
{
	if (n == 1)
		write_u8(w, (uint8_t)v);
	else if (n == 2)
		write_u16(w, (uint16_t)v);
	else
		write_u32(w, v);
}

static uint32_t read_number(struct reader *r, size_t n)
{
	return n == 1 ? read_u8(r) : n == 2 ? read_u16(r) : read_u32(r);
}

// A writer and the reader of what it wrote agree at every length of buffer.
Test(base, what_fits_is_read_back_and_what_does_not_is_refused)
{
	uint8_t wire[64];
	struct rng rng;

	rng_init_u64(&rng, 1);
	for (unsigned i = 0; i < 20000; i++) {
		size_t room = rng_below(&rng, sizeof wire + 1), used = 0;
		struct writer w = writer_of(wire, room);
		struct reader r = reader_of(wire, room);
		while (!w.bad) {
			size_t n = (size_t)1 << rng_below(&rng, 3);
			uint32_t v = rng_u32(&rng) & UINT32_MAX >> (32 - 8 * n);
			used += n;
			write_number(&w, n, v);
			cr_assert_eq(w.bad, used > room);
			cr_assert_eq(read_number(&r, n), w.bad ? 0 : v);
			cr_assert_eq(r.bad, w.bad);
		}
	}
}
