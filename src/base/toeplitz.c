// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

// The key of Microsoft's "Verifying the RSS hash calculation", which drivers ship as their default.
const uint8_t toeplitz_default_key[TOEPLITZ_KEY_SIZE] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, //
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, //
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, //
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa, //
};

// The 32 bits of the key that start at bit `at`, bit 0 being the first octet's highest.
static uint32_t key_window(const uint8_t *key, unsigned at)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 5; i++)
		bits = bits << 8 | key[at / 8 + i];
	return (uint32_t)(bits >> (8 - at % 8));
}

void toeplitz_init(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY_SIZE])
{
	for (unsigned octet = 0; octet < 4; octet++) {
		for (unsigned value = 0; value < 256; value++) {
			uint32_t hash = 0;
			for (unsigned bit = 0; bit < 8; bit++)
				hash ^= value & 0x80 >> bit ? key_window(key, octet * 8 + bit) : 0;
			t->t[octet][value] = hash;
		}
	}
}
