// SPDX-License-Identifier: Apache-2.0
// Which slot of a line has a key: four comparisons at once against one after the other, and both
// against the key's fields.
#include "world.h"

enum {
	LINES = 20000
};

static struct nat_key random_key(struct rng *r)
{
	return (struct nat_key){.host = rng_below(r, 4) ? HOST + rng_below(r, 3) : rng_u32(r),
		.port = (uint16_t)(rng_below(r, 4) ? 4000 + rng_below(r, 3) : rng_u32(r)),
		.realm = (uint8_t)(rng_below(r, 4) ? 1 + rng_below(r, 2) : rng_u32(r)),
		.protocol = (uint8_t)(1 + rng_below(r, NAT_PROTOCOLS))};
}

// The slot by its fields; no two of a line have one key.
static int naive_match(const struct line *l, const struct nat_key *key)
{
	for (int i = 0; i < 4; i++) {
		const struct slot *s = &l->slot[i];

		if (s->host == key->host && s->port == key->port && s->realm == key->realm &&
			(s->bits & SLOT_PROTOCOL) == key->protocol)
			return i;
	}
	return -1;
}

// What is not of the key may be anything; a free slot has nothing but its overflow bit.
static void fill_slot(struct rng *r, struct line *l, unsigned i)
{
	struct nat_key key = random_key(r);
	unsigned others = SLOT_CLASS | SLOT_LEASE | SLOT_VISIT | SLOT_SEEN;

	l->slot[i].bits = (uint8_t)(rng_u32(r) & SLOT_OVF);
	if (rng_below(r, 4) == 0 || naive_match(l, &key) >= 0)
		return;
	l->slot[i] = (struct slot){.host = key.host,
		.port = key.port,
		.realm = key.realm,
		.bits = (uint8_t)(l->slot[i].bits | (rng_u32(r) & others) | key.protocol),
		.ext = rng_u32(r),
		.tick = (uint16_t)rng_u32(r),
		.hangs = (uint8_t)rng_u32(r),
		.set_at = (uint8_t)rng_u32(r)};
}

static struct line random_line(struct rng *r)
{
	struct line l = {0};

	for (unsigned i = 0; i < 4; i++)
		fill_slot(r, &l, i);
	return l;
}

// Each key that stands there, each that differs from one in a single bit, and some others.
static void try_line(
	struct rng *r, const struct line *l, void (*try)(const struct line *, struct nat_key))
{
	for (unsigned i = 0; i < 4; i++) {
		struct nat_key key = slot_key(&l->slot[i]);
		uint64_t word = key_word(&key);

		if (key.protocol == 0)
			continue;
		try(l, key);
		for (unsigned bit = 0; bit < 58; bit++) {
			uint64_t near = word ^ UINT64_C(1) << bit;

			memcpy(&key, &near, sizeof key);
			if (key.protocol != 0)
				try(l, key);
		}
	}
	for (unsigned i = 0; i < 4; i++)
		try(l, random_key(r));
}

static void try_lines(void (*try)(const struct line *, struct nat_key))
{
	struct rng r;

	rng_init_u64(&r, 64);
	for (unsigned i = 0; i < LINES; i++) {
		struct line l = random_line(&r);

		try_line(&r, &l, try);
	}
}

static void try_scalar(const struct line *l, struct nat_key key)
{
	cr_assert_eq(line_match_scalar(l, key_word(&key)), naive_match(l, &key));
}

Test(match, one_after_the_other_finds_what_the_fields_say)
{
	try_lines(try_scalar);
}

#if defined(__AVX2__)
static void try_avx2(const struct line *l, struct nat_key key)
{
	int found = line_match_avx2(l, key_word(&key)), expected = naive_match(l, &key);

	cr_assert_eq(found, expected, "slot %d, not %d", found, expected);
	cr_assert_eq(found, line_match_scalar(l, key_word(&key)));
}

Test(match, all_four_at_once_find_what_one_after_the_other_finds)
{
	try_lines(try_avx2);
}
#else
Test(match, all_four_at_once_find_what_one_after_the_other_finds)
{
	cr_skip_test("built for a processor without AVX2");
}
#endif

// Every slot alone, whatever stands in its bits that are not of the key, and all others free.
Test(match, every_slot_is_found_whatever_its_other_bits_are)
{
	const struct nat_key key = key_of(HOST, NAT_TCP, 4000);

	for (unsigned i = 0; i < 4 * 256; i++) {
		struct line l = {0};
		struct slot *s = &l.slot[i / 256];
		bool tcp = (i & SLOT_PROTOCOL) == NAT_TCP;

		for (unsigned other = 0; other < 4; other++)
			l.slot[other].bits = SLOT_OVF;
		*s = (struct slot){.host = HOST, .port = 4000, .realm = 1, .bits = (uint8_t)i};
		cr_assert_eq(line_match(&l, key_word(&key)), tcp ? (int)(i / 256) : -1);
	}
}
