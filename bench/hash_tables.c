// SPDX-License-Identifier: Apache-2.0
// bench-hash's two tables: filling them, and one pass of each kind over what was drawn.
#include "hash.h"

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

enum {
	BURST = NAT_BURST,
	PORTS_EACH = 63,
	BLOCK = 64,
	FIRST_PORT = 1024
};

#define INSIDE_BASE ((ip4)0x64400002)   // 100.64.0.2
#define EXTERNAL_BASE ((ip4)0xc6120000) // 198.18.0.0, benchmarking (RFC 2544)

// The compiler may not leave out what fills *mem.
static inline void used(const void *mem)
{
	__asm__ volatile("" ::"r"(mem) : "memory");
}

// ---- one pass of each kind: cycles -----------------------------------------------------------

static inline void fill_out(const struct bench *b, struct nat_out *out, uint32_t at)
{
	for (unsigned i = 0; i < BURST; i++)
		out[i] = (struct nat_out){
			.key = b->drawn[at + i].inside, .remote = {EXTERNAL_BASE - 1, 53}};
}

uint64_t pass_null_out(struct bench *b, uint64_t *sum)
{
	uint64_t start = cycles();
	struct nat_out out[BURST];

	for (uint32_t at = 0; at < PASS; at += BURST) {
		fill_out(b, out, at);
		used(out);
	}
	*sum = 0;
	return cycles() - start;
}

uint64_t pass_nat_out(struct bench *b, uint64_t *sum)
{
	uint64_t start = cycles(), all = 0;
	struct nat_out out[BURST];

	for (uint32_t at = 0; at < PASS; at += BURST) {
		fill_out(b, out, at);
		uint32_t found = nat_find_out(b->nat, out, BURST, b->now_s);
		for (unsigned i = 0; i < BURST; i++)
			all += found >> i & 1 ? worth(out[i].to.addr, out[i].to.port) : 0;
	}
	*sum = all;
	return cycles() - start;
}

static inline void fill_in(const struct bench *b, struct nat_in *in, uint32_t at)
{
	for (unsigned i = 0; i < BURST; i++)
		in[i] = (struct nat_in){.at = b->drawn[at + i].outside,
			.from = {EXTERNAL_BASE - 1, 53},
			.protocol = NAT_UDP};
}

uint64_t pass_null_in(struct bench *b, uint64_t *sum)
{
	uint64_t start = cycles();
	struct nat_in in[BURST];

	for (uint32_t at = 0; at < PASS; at += BURST) {
		fill_in(b, in, at);
		used(in);
	}
	*sum = 0;
	return cycles() - start;
}

uint64_t pass_nat_in(struct bench *b, uint64_t *sum)
{
	uint64_t start = cycles(), all = 0;
	struct nat_in in[BURST];

	for (uint32_t at = 0; at < PASS; at += BURST) {
		fill_in(b, in, at);
		uint32_t found = nat_find_in(b->nat, in, BURST, b->now_s);
		for (unsigned i = 0; i < BURST; i++)
			all += found >> i & 1 ? worth(in[i].to.host, in[i].to.port) : 0;
	}
	*sum = all;
	return cycles() - start;
}

uint64_t pass_null_hash(struct bench *b, uint64_t *sum)
{
	uint64_t start = cycles();
	const void *keys[BURST];

	for (uint32_t at = 0; at < PASS; at += BURST) {
		for (unsigned i = 0; i < BURST; i++)
			keys[i] = &b->places[at + i];
		used(keys);
	}
	*sum = 0;
	return cycles() - start;
}

static inline hash_sig_t hash_of(const struct place *key)
{
	uint64_t word;

	memcpy(&word, key, sizeof word);
	return rte_hash_crc_8byte(word, 0);
}

static inline void find_positions(const struct bench *b, uint32_t at, int32_t *positions)
{
	const void *keys[BURST];
	hash_sig_t hashes[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		keys[i] = &b->places[at + i];
		hashes[i] = hash_of(&b->places[at + i]);
	}
	rte_hash_lookup_with_hash_bulk(b->hash, keys, hashes, BURST, positions);
}

uint64_t pass_hash(struct bench *b, uint64_t *sum)
{
	uint64_t start = cycles(), found = 0;
	int32_t positions[BURST];

	for (uint32_t at = 0; at < PASS; at += BURST) {
		find_positions(b, at, positions);
		for (unsigned i = 0; i < BURST; i++)
			found += positions[i] >= 0;
	}
	*sum = found == PASS ? b->expected : 0; // there is nothing to read yet
	return cycles() - start;
}

uint64_t pass_hash_entry(struct bench *b, uint64_t *sum)
{
	uint64_t start = cycles(), all = 0;
	int32_t positions[BURST];

	for (uint32_t at = 0; at < PASS; at += BURST) {
		find_positions(b, at, positions);
		for (unsigned i = 0; i < BURST; i++)
			rte_prefetch0(&b->entries[positions[i]]);
		for (unsigned i = 0; i < BURST; i++) {
			if (positions[i] < 0)
				continue;
			const struct entry *e = &b->entries[positions[i]];
			all += worth(e->to.addr, e->to.port);
		}
	}
	*sum = all;
	return cycles() - start;
}

// ---- filling ---------------------------------------------------------------------------------

static uint32_t n_hosts(uint32_t n)
{
	return n / PORTS_EACH + 1;
}

static uint32_t n_addresses(uint32_t n)
{
	return n_hosts(n) / ((65536 - FIRST_PORT) / BLOCK) + 2;
}

// rte_hash rounds its buckets up to a power of two by itself; both get a tenth to spare.
static uint32_t room_for(uint32_t n)
{
	return n + n / 10 + 64;
}

static struct nat_limits limits_for(uint32_t n)
{
	return (struct nat_limits){.mappings = room_for(n),
		.sessions = 1024,
		.leases = 64,
		.filters = 16,
		.descriptions = 16,
		.subscribers = n_hosts(n) + 64,
		.addresses = n_addresses(n),
		.port_set_min = BLOCK};
}

// Fisher-Yates: every host has PORTS_EACH ports, and nothing is in order.
void shuffle(struct bench *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		uint16_t port =
			(uint16_t)(FIRST_PORT + rng_below(&b->rng, 1000) * 64 + i % PORTS_EACH);
		b->pairs[i].inside =
			(struct nat_key){INSIDE_BASE + i / PORTS_EACH, port, 1, NAT_UDP};
	}
	for (uint32_t i = b->n - 1; i > 0; i--) {
		uint32_t j = rng_below(&b->rng, i + 1);
		struct pair swap = b->pairs[i];
		b->pairs[i] = b->pairs[j];
		b->pairs[j] = swap;
	}
}

static bool add_addresses(struct bench *b)
{
	for (uint32_t i = 0; i < n_addresses(b->n); i++) {
		struct nat_address a = {.ip = EXTERNAL_BASE + i,
			.port_first = FIRST_PORT,
			.port_last = 65535,
			.explicit_first = 0,
			.port_set_size = BLOCK};
		if (nat_address_add(b->nat, &a) != 0)
			return false;
	}
	return true;
}

// The first answer marks a mapping. What is asked is what the later ones cost.
static bool settle_nat(struct bench *b)
{
	struct nat_in in[BURST];
	uint32_t found = 0;

	for (uint32_t at = 0; at < b->n; at += BURST) {
		unsigned n = min_u32(BURST, b->n - at);

		for (unsigned i = 0; i < n; i++)
			in[i] = (struct nat_in){.at = b->pairs[at + i].outside,
				.from = {EXTERNAL_BASE - 1, 53},
				.protocol = NAT_UDP};
		found += (uint32_t)__builtin_popcount(nat_find_in(b->nat, in, n, b->now_s));
	}
	return found == b->n;
}

bool fill_nat(struct bench *b)
{
	static const struct nat_timers timers = {.udp = 65000,
		.udp_initial = 65000,
		.udp_unanswered = 65000,
		.tcp_idle = 7440,
		.tcp_trans_open = 240,
		.tcp_trans_close = 240,
		.tcp_rst = 240,
		.icmp = 60,
		.hold_down = 120,
		.pcp_hold_down = 120};
	const struct nat_policy policy = {
		.port_set_size = BLOCK, .block_limit = 8, .port_limit = 64, .lease_limit = 64};
	struct nat_limits limits = limits_for(b->n);
	void *mem = rte_zmalloc("nat", nat_size(&limits), CACHE_LINE);

	if (mem == NULL)
		return false;
	b->nat = nat_init(mem, &limits, &b->rng, b->now_s);
	rng_u64(&b->rng);
	nat_set_timers(b->nat, &timers);
	nat_set_policy(b->nat, 0, &policy);
	if (!add_addresses(b))
		return false;
	for (uint32_t i = 0; i < b->n; i++) {
		struct nat_out out = {.key = b->pairs[i].inside, .remote = {EXTERNAL_BASE - 1, 53}};
		struct nat_ahead ahead = {.key = b->pairs[i + 16 < b->n ? i + 16 : i].inside};

		nat_look_ahead(b->nat, &ahead, 1);
		if (nat_create(b->nat, &policy, 0, &out, b->now_s) != DROP_NONE)
			return false;
		b->pairs[i].outside = out.to;
	}
	return settle_nat(b);
}

struct place inside_place(const struct pair *p)
{
	return (struct place){p->inside.host, p->inside.port, p->inside.protocol};
}

struct place outside_place(const struct pair *p)
{
	return (struct place){p->outside.addr, p->outside.port, NAT_UDP};
}

// With 8 octets there is no comparison in DPDK that beats this one.
static int compare_places(const void *a, const void *b, size_t size)
{
	uint64_t x, y;

	(void)size;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x != y;
}

void drop_hash(struct bench *b)
{
	rte_hash_free(b->hash);
	rte_free(b->entries);
	b->hash = NULL;
	b->entries = NULL;
}

bool fill_hash(struct bench *b, place_fn *key_of, place_fn *value_of)
{
	struct rte_hash_parameters parameters = {.name = "peer",
		.entries = room_for(b->n),
		.key_len = sizeof(struct place),
		.hash_func = rte_hash_crc};

	b->hash = rte_hash_create(&parameters);
	b->entries = rte_zmalloc(
		"entries", (size_t)(room_for(b->n) + 1) * sizeof *b->entries, CACHE_LINE);
	if (b->hash == NULL || b->entries == NULL)
		return false;
	rte_hash_set_cmp_func(b->hash, compare_places);
	for (uint32_t i = 0; i < b->n; i++) {
		struct place key = key_of(&b->pairs[i]);
		int32_t at = rte_hash_add_key_with_hash(b->hash, &key, hash_of(&key));
		if (at < 0)
			return false;
		b->entries[at] = (struct entry){.to = value_of(&b->pairs[i])};
	}
	return true;
}

// One size after the other is given back, so the largest decides. rte_hash has 64 octets for 8
// places, a power of two of them, 16 for a key, and a ring of what is free.
size_t megabytes_for(uint32_t n)
{
	struct nat_limits limits = limits_for(n);
	size_t places = 1;

	while (places < room_for(n))
		places *= 2;
	return ((nat_size(&limits) + places * (64 / 8 + 4) + (size_t)room_for(n) * (16 + 64)) >>
		       20) *
		       21 / 20 +
	       64;
}
