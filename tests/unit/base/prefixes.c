// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

#include <criterion/criterion.h>

// The promise, told naively: the longest prefix that has the address, of equals the last.
static uint32_t find_naively(const struct prefix_value *entries, uint32_t n, ip4 a)
{
	uint32_t value = PREFIX_NONE;
	int bits = -1;

	for (uint32_t i = 0; i < n; i++) {
		if (prefix4_has(entries[i].prefix, a) && entries[i].prefix.bits >= bits) {
			bits = entries[i].prefix.bits;
			value = entries[i].value;
		}
	}
	return value;
}

static struct prefix_value entry(const char *prefix, uint32_t value)
{
	struct prefix_value e = {.value = value};

	cr_assert(prefix4_parse(prefix, &e.prefix, NULL), "%s", prefix);
	return e;
}

static uint32_t find(const struct prefix_table *t, const char *address)
{
	ip4 a;

	cr_assert(ip4_parse(address, &a), "%s", address);
	return prefix_table_find(t, a);
}

Test(base, an_empty_prefix_table_finds_nothing)
{
	struct prefix_table t = {0};

	cr_assert_eq(prefix_table_find(&t, 0), PREFIX_NONE);
	cr_assert_eq(prefix_table_create(&t, NULL, 0), 0);
	cr_assert_eq(prefix_table_find(&t, UINT32_MAX), PREFIX_NONE);
	prefix_table_destroy(&t);
	prefix_table_destroy(&t);
}

Test(base, the_longest_prefix_answers)
{
	const struct prefix_value entries[] = {entry("10.1.2.0/24", 3), entry("10.0.0.0/8", 1),
		entry("10.1.0.0/16", 2), entry("10.1.2.255/32", 4), entry("192.0.2.0/24", 5)};
	struct prefix_table t;

	cr_assert_eq(prefix_table_create(&t, entries, ARRAY_SIZE(entries)), 0);
	cr_assert_eq(find(&t, "9.255.255.255"), PREFIX_NONE);
	cr_assert_eq(find(&t, "10.0.0.0"), 1);
	cr_assert_eq(find(&t, "10.0.255.255"), 1);
	cr_assert_eq(find(&t, "10.1.0.0"), 2);
	cr_assert_eq(find(&t, "10.1.2.0"), 3);
	cr_assert_eq(find(&t, "10.1.2.254"), 3);
	cr_assert_eq(find(&t, "10.1.2.255"), 4);
	cr_assert_eq(find(&t, "10.1.3.0"), 2);
	cr_assert_eq(find(&t, "10.2.0.0"), 1);
	cr_assert_eq(find(&t, "11.0.0.0"), PREFIX_NONE);
	cr_assert_eq(find(&t, "192.0.2.255"), 5);
	cr_assert_eq(find(&t, "192.0.3.0"), PREFIX_NONE);
	prefix_table_destroy(&t);
}

Test(base, both_ends_of_the_address_space_are_found)
{
	const struct prefix_value entries[] = {entry("0.0.0.0/0", 1), entry("0.0.0.0/32", 2),
		entry("255.255.255.255/32", 3), entry("255.0.0.0/8", 4)};
	struct prefix_table t;

	cr_assert_eq(prefix_table_create(&t, entries, ARRAY_SIZE(entries)), 0);
	cr_assert_eq(prefix_table_find(&t, 0), 2);
	cr_assert_eq(prefix_table_find(&t, 1), 1);
	cr_assert_eq(find(&t, "254.255.255.255"), 1);
	cr_assert_eq(find(&t, "255.0.0.0"), 4);
	cr_assert_eq(find(&t, "255.255.255.254"), 4);
	cr_assert_eq(prefix_table_find(&t, UINT32_MAX), 3);
	prefix_table_destroy(&t);
}

Test(base, of_two_equal_prefixes_the_later_one_wins)
{
	const struct prefix_value entries[] = {entry("10.0.0.0/8", 1), entry("10.0.0.0/16", 7),
		entry("10.0.0.0/8", 2), entry("10.0.0.0/16", 8), entry("10.0.0.0/8", 3)};
	struct prefix_table t;

	cr_assert_eq(prefix_table_create(&t, entries, ARRAY_SIZE(entries)), 0);
	cr_assert_eq(find(&t, "10.0.0.1"), 8);
	cr_assert_eq(find(&t, "10.200.0.1"), 3);
	prefix_table_destroy(&t);
}

Test(base, all_33_lengths_nest)
{
	struct prefix_value entries[33];
	struct prefix_table t;

	for (uint8_t bits = 0; bits <= 32; bits++)
		entries[bits] =
			(struct prefix_value){{0xa5a5a5a5 & prefix4_mask(bits), bits}, bits};
	cr_assert_eq(prefix_table_create(&t, entries, 33), 0);
	for (uint8_t bits = 0; bits < 32; bits++) // the bit behind the prefix differs
		cr_assert_eq(prefix_table_find(&t, 0xa5a5a5a5 ^ 0x80000000 >> bits), bits);
	cr_assert_eq(prefix_table_find(&t, 0xa5a5a5a5), 32);
	prefix_table_destroy(&t);
}

// A look-up is a binary search, so neighbours that answer alike must not stay apart.
Test(base, neighbours_with_one_answer_become_one_interval)
{
	const struct prefix_value entries[] = {entry("10.0.0.0/9", 1), entry("10.128.0.0/9", 1),
		entry("10.64.0.0/16", 1), entry("10.0.0.0/16", 1)};
	struct prefix_table t;

	cr_assert_eq(prefix_table_create(&t, entries, ARRAY_SIZE(entries)), 0);
	cr_assert_eq(t.n, 3, "before, 10/8, behind: got %u", t.n);
	cr_assert_eq(t.start[0], 0);
	cr_assert_eq(find(&t, "10.64.3.2"), 1);
	cr_assert_eq(find(&t, "11.0.0.0"), PREFIX_NONE);
	prefix_table_destroy(&t);
}

// Crowded into few bits so that prefixes nest, touch and repeat; few values so that they merge.
static uint32_t draw_entries(struct rng *rng, struct prefix_value *entries, uint32_t most)
{
	uint32_t n = rng_below(rng, most + 1), shift = rng_below(rng, 25);

	for (uint32_t i = 0; i < n; i++) {
		uint8_t bits = (uint8_t)rng_below(rng, 33);
		ip4 a = rng_below(rng, 2) ? rng_u32(rng) : rng_below(rng, 256) << shift;
		entries[i].prefix = (struct prefix4){a & prefix4_mask(bits), bits};
		entries[i].value = rng_below(rng, 8);
	}
	return n;
}

static void check_shape(const struct prefix_table *t, uint32_t n_entries)
{
	cr_assert_leq(t->n, 2 * n_entries + 1);
	cr_assert(t->n == 0 || t->start[0] == 0);
	for (uint32_t i = 1; i < t->n; i++) {
		cr_assert_lt(t->start[i - 1], t->start[i]);
		cr_assert_neq(t->value[i - 1], t->value[i]);
	}
}

static void check_at(
	const struct prefix_table *t, const struct prefix_value *entries, uint32_t n, ip4 a)
{
	uint32_t found = prefix_table_find(t, a), wanted = find_naively(entries, n, a);

	cr_assert_eq(found, wanted, "%08x: %u, not %u", a, found, wanted);
}

Test(base, random_prefix_tables_agree_with_the_naive_search)
{
	struct prefix_value entries[300];
	struct prefix_table t;
	struct rng rng;

	rng_init_u64(&rng, 2026);
	for (unsigned round = 0; round < 400; round++) {
		uint32_t n = draw_entries(&rng, entries, round % 4 ? 40 : 300);
		cr_assert_eq(prefix_table_create(&t, entries, n), 0);
		check_shape(&t, n);
		for (uint32_t i = 0; i < n; i++) { // the edges are where it would go wrong
			ip4 first = entries[i].prefix.base;
			ip4 last = first | ~prefix4_mask(entries[i].prefix.bits);
			check_at(&t, entries, n, first);
			check_at(&t, entries, n, first - 1);
			check_at(&t, entries, n, last);
			check_at(&t, entries, n, last + 1);
		}
		for (unsigned i = 0; i < 500; i++)
			check_at(&t, entries, n, rng_u32(&rng));
		prefix_table_destroy(&t);
	}
}
