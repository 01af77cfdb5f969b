// SPDX-License-Identifier: Apache-2.0
// ChaCha with 8 rounds as its author laid it out: four words of constant, eight of key (the seed),
// a 64-bit block counter, a 64-bit nonce (always zero here: a seed is used for one stream only).
#include <postern/base.h>

#define COUNTER_LOW 12
#define COUNTER_HIGH 13
#define N_DOUBLE_ROUNDS 4

static uint32_t rotate_left(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void quarter_round(uint32_t x[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b];
	x[d] = rotate_left(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate_left(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate_left(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate_left(x[b] ^ x[c], 7);
}

static void double_round(uint32_t x[16])
{
	quarter_round(x, 0, 4, 8, 12);
	quarter_round(x, 1, 5, 9, 13);
	quarter_round(x, 2, 6, 10, 14);
	quarter_round(x, 3, 7, 11, 15);
	quarter_round(x, 0, 5, 10, 15);
	quarter_round(x, 1, 6, 11, 12);
	quarter_round(x, 2, 7, 8, 13);
	quarter_round(x, 3, 4, 9, 14);
}

void rng_init(struct rng *r, const uint8_t seed[32])
{
	// "expand 32-byte k" as four little-endian words.
	*r = (struct rng){.state = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}};
	memcpy(&r->state[4], seed, 32);
	r->used = ARRAY_SIZE(r->out);
}

void rng_init_u64(struct rng *r, uint64_t seed)
{
	uint8_t bytes[32] = {0};

	memcpy(bytes, &seed, sizeof seed);
	rng_init(r, bytes);
}

void rng_refill(struct rng *r)
{
	memcpy(r->out, r->state, sizeof r->out);
	for (unsigned i = 0; i < N_DOUBLE_ROUNDS; i++)
		double_round(r->out);
	for (unsigned i = 0; i < ARRAY_SIZE(r->out); i++)
		r->out[i] += r->state[i];
	if (++r->state[COUNTER_LOW] == 0)
		r->state[COUNTER_HIGH]++;
	r->used = 0;
}

struct secret rng_secret(struct rng *r)
{
	struct secret s;

	for (unsigned i = 0; i < ARRAY_SIZE(s.k); i++)
		s.k[i] = rng_u64(r);
	return s;
}
