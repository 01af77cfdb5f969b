// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

#include <criterion/criterion.h>

// The definition, bit by bit: the key slides left under the input, and each 1 of the input adds the
// 32 bits of key above it. `at` is where in the key the input begins.
static uint32_t hash_by_hand(const uint8_t *key, unsigned at, ip4 a)
{
	uint32_t hash = 0;

	for (unsigned bit = 0; bit < 32; bit++) {
		if (!(a >> (31 - bit) & 1))
			continue;
		for (unsigned i = 0; i < 32; i++) {
			unsigned place = at + bit + i;
			uint32_t key_bit = key[place / 8] >> (7 - place % 8) & 1;
			hash ^= key_bit << (31 - i);
		}
	}
	return hash;
}

static ip4 ip4_of(const char *text)
{
	ip4 a;

	cr_assert(ip4_parse(text, &a), "%s", text);
	return a;
}

// Microsoft, "Verifying the RSS Hash Calculation": the column "IPv4 only" hashes source, then
// destination. The hash is linear, so it is the source's at the start of the key plus the
// destination's four octets further on - and a table made from the key moved by four gives that.
Test(base, toeplitz_gives_the_published_rss_hashes)
{
	static const struct {
		const char *destination, *source;
		uint32_t hash;
	} cases[] = {
		{"161.142.100.80", "66.9.149.187", 0x323e8fc2},
		{"65.69.140.83", "199.92.111.2", 0xd718262a},
		{"12.22.207.184", "24.19.198.95", 0xd2d0a5de},
		{"209.142.163.6", "38.27.205.30", 0x82989176},
		{"202.188.127.2", "153.39.163.191", 0x5d1809c5},
	};
	uint8_t moved[TOEPLITZ_KEY_SIZE] = {0};
	struct toeplitz first, second;

	memcpy(moved, toeplitz_default_key + 4, sizeof moved - 4);
	toeplitz_init(&first, toeplitz_default_key);
	toeplitz_init(&second, moved);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip4 source = ip4_of(cases[i].source), destination = ip4_of(cases[i].destination);
		uint32_t hash = toeplitz_ip4(&first, source) ^ toeplitz_ip4(&second, destination);
		cr_assert_eq(hash, cases[i].hash, "%s: %08x", cases[i].source, hash);
		cr_assert_eq(toeplitz_ip4(&second, destination),
			hash_by_hand(toeplitz_default_key, 32, destination));
	}
}

Test(base, toeplitz_of_an_address_is_the_bitwise_sum_from_the_start_of_the_key)
{
	uint8_t key[TOEPLITZ_KEY_SIZE];
	struct toeplitz t;
	struct rng rng;

	rng_init_u64(&rng, 4);
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof key; i++)
			key[i] = (uint8_t)rng_u32(&rng);
		toeplitz_init(&t, key);
		for (unsigned i = 0; i < 1000; i++) {
			ip4 a = rng_u32(&rng);
			cr_assert_eq(toeplitz_ip4(&t, a), hash_by_hand(key, 0, a));
		}
	}
}

Test(base, toeplitz_is_linear)
{
	struct toeplitz t;
	struct rng rng;

	toeplitz_init(&t, toeplitz_default_key);
	rng_init_u64(&rng, 5);
	cr_assert_eq(toeplitz_ip4(&t, 0), 0);
	for (unsigned i = 0; i < 10000; i++) {
		ip4 a = rng_u32(&rng), b = rng_u32(&rng);
		cr_assert_eq(toeplitz_ip4(&t, a ^ b), toeplitz_ip4(&t, a) ^ toeplitz_ip4(&t, b));
	}
}

// The 32 hashes of single bits are windows of the key: the first is its first four octets.
Test(base, toeplitz_of_one_bit_is_a_window_of_the_key)
{
	struct toeplitz t;

	toeplitz_init(&t, toeplitz_default_key);
	cr_assert_eq(toeplitz_ip4(&t, 0x80000000), 0x6d5a56da);
	cr_assert_eq(toeplitz_ip4(&t, 0x40000000), 0xdab4adb4);
	cr_assert_eq(toeplitz_ip4(&t, 0x00800000), 0x5a56da25);
	cr_assert_eq(toeplitz_ip4(&t, 0x00000001), 0x12ad8761);
}
