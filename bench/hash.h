// SPDX-License-Identifier: Apache-2.0
// hash.h - what bench-hash's files share: the mappings, and both tables of them.
#ifndef BENCH_HASH_H
#define BENCH_HASH_H

#include <rte_common.h>

#undef likely // base.h has the same
#undef unlikely
#include <postern/nat.h>

struct rte_hash;

enum {
	PASS = 65536 // look-ups
};

struct place { // a key of rte_hash: 8 octets
	ip4 addr;
	uint16_t port;
	uint16_t protocol;
};
static_assert(sizeof(struct place) == sizeof(struct nat_key), "both sides have keys of one size");

// What a NAT has beside each key at the least: where to translate to, and when it was last used.
struct entry {
	_Alignas(CACHE_LINE) struct place to;
	uint32_t last_used;
};

struct pair {
	struct nat_key inside;
	struct recipe outside;
};

struct bench {
	uint32_t n, now_s;
	struct rng rng;
	struct pair *pairs;
	struct nat *nat;
	struct rte_hash *hash;
	struct entry *entries; // by position in hash
	// Drawn for the pass in hand, so that nothing but the tables is cold.
	struct pair *drawn;
	struct place *places; // the same as keys of rte_hash
	uint64_t expected;    // sum of what the look-ups give
};

static inline uint64_t worth(ip4 addr, uint16_t port)
{
	return (uint64_t)addr + port;
}

static inline uint64_t cycles(void)
{
	return __builtin_ia32_rdtsc();
}

typedef struct place place_fn(const struct pair *p);
place_fn inside_place, outside_place;

void shuffle(struct bench *b); // draws b->pairs
// Both tables take memory from EAL's heap; false when it is not enough, or a key is refused.
bool fill_nat(struct bench *b); // writes where each of b->pairs has come out
bool fill_hash(struct bench *b, place_fn *key_of, place_fn *value_of);
void drop_hash(struct bench *b);
size_t megabytes_for(uint32_t n); // of EAL's heap, for both

// One pass: its cycles, and in *sum what was found.
typedef uint64_t pass_fn(struct bench *b, uint64_t *sum);
pass_fn pass_null_out, pass_nat_out, pass_null_in, pass_nat_in;
pass_fn pass_null_hash, pass_hash, pass_hash_entry;

#endif
