// SPDX-License-Identifier: Apache-2.0
// base.h - the words every room speaks: wire types, addresses, bounded reader and writer,
// one-writer ring, keyed hash, random numbers, prefix table.
//
// Owner    whoever holds the value; nothing here is shared except struct ring.
// Threads  no globals, no locks; struct ring has exactly one writer and one reader thread.
// Memory   only prefix tables allocate (create/destroy); the rest lives where the caller puts it.
// Time     `ns` is a moment or a span of a monotonic clock; this room never looks at one.
// Book     docs/design/base.md
#ifndef POSTERN_BASE_H
#define POSTERN_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CACHE_LINE 64
#define MUST_CHECK __attribute__((warn_unused_result))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#ifndef likely // DPDK has the same
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

// The memory at `place` is wanted soon, to be read only, or to be written. GCC takes a function
// that does nothing but prefetch for one without effect and leaves out its calls, between files
// with -flto, too; the empty asm is an effect.
static inline void prefetch_read(const void *place)
{
	__builtin_prefetch(place, 0);
	__asm__ volatile("" : : "r"(place));
}

static inline void prefetch_write(const void *place)
{
	__builtin_prefetch(place, 1);
	__asm__ volatile("" : : "r"(place));
}

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

// ---- time ------------------------------------------------------------------------------------

typedef uint64_t ns; // nanoseconds of a monotonic clock

#define NS_PER_S ((ns)1000000000)
#define NS_PER_MS ((ns)1000000)

// ---- wire types: bytes, alignment 1, not integers --------------------------------------------

typedef struct {
	uint8_t b[2];
} be16;

typedef struct {
	uint8_t b[4];
} be32;

typedef struct {
	uint8_t b[16];
} ip6; // IPv6, or IPv4 as ::ffff:a.b.c.d

typedef uint32_t ip4; // an IPv4 address as a number in host order

static inline uint16_t be16_get(be16 v)
{
	uint16_t n;
	memcpy(&n, v.b, sizeof n);
	return __builtin_bswap16(n);
}

static inline be16 be16_of(uint16_t n)
{
	be16 v;
	n = __builtin_bswap16(n);
	memcpy(v.b, &n, sizeof n);
	return v;
}

static inline bool be16_eq(be16 v, uint16_t n)
{
	return be16_get(v) == n;
}

static inline uint32_t be32_get(be32 v)
{
	uint32_t n;
	memcpy(&n, v.b, sizeof n);
	return __builtin_bswap32(n);
}

static inline be32 be32_of(uint32_t n)
{
	be32 v;
	n = __builtin_bswap32(n);
	memcpy(v.b, &n, sizeof n);
	return v;
}

static inline bool be32_eq(be32 v, uint32_t n)
{
	return be32_get(v) == n;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "be16/be32 swap as on little-endian");

static inline bool ip6_eq(ip6 a, ip6 b)
{
	return memcmp(a.b, b.b, sizeof a.b) == 0;
}

static inline ip6 ip6_mapped(ip4 a)
{
	ip6 v = {{[10] = 0xff, [11] = 0xff}};
	be32 tail = be32_of(a);

	memcpy(v.b + 12, tail.b, sizeof tail.b);
	return v;
}

// Of a mapped address: its last 32 bits.
static inline ip4 ip6_to_ip4(ip6 a)
{
	be32 tail;

	memcpy(tail.b, a.b + 12, sizeof tail.b);
	return be32_get(tail);
}

// True when all 96 leading bits say ::ffff:0:0/96 (RFC 6887 s.5).
static inline bool ip6_is_mapped(ip6 a)
{
	return ip6_eq(a, ip6_mapped(ip6_to_ip4(a)));
}

// Text. Formatters write at most the size named here, NUL included, and return `out`.
#define IP4_TEXT 16
#define IP6_TEXT 46
char *ip4_format(ip4 a, char out[IP4_TEXT]);
char *ip6_format(ip6 a, char out[IP6_TEXT]); // mapped addresses print as plain IPv4
MUST_CHECK bool ip4_parse(const char *text, ip4 *out);

// RFC 4291 s.2.2; no zone, and no plain IPv4.
MUST_CHECK bool ip6_parse(const char *text, ip6 *out);

struct prefix6 {
	ip6 base;     // host bits are zero; prefix6_has() does not look at them
	uint8_t bits; // 0..128
};

// "2001:db8::/32", or an address as /128. Host bits as with prefix4_parse().
MUST_CHECK bool prefix6_parse(const char *text, struct prefix6 *out, ip6 *host);
#define PREFIX6_TEXT 50
char *prefix6_format(struct prefix6 p, char out[PREFIX6_TEXT]);
bool prefix6_has(const struct prefix6 *p, ip6 a);

struct prefix4 {
	ip4 base;     // host bits are zero
	uint8_t bits; // 0..32
};

// "a.b.c.d/n", or "a.b.c.d" as /32. Host bits must be zero unless `host` asks for the address too.
MUST_CHECK bool prefix4_parse(const char *text, struct prefix4 *out, ip4 *host);
#define PREFIX4_TEXT 19
char *prefix4_format(struct prefix4 p, char out[PREFIX4_TEXT]);

static inline uint32_t prefix4_mask(uint8_t bits)
{
	return bits ? UINT32_MAX << (32 - bits) : 0;
}

static inline bool prefix4_has(struct prefix4 p, ip4 a)
{
	return ((a ^ p.base) & prefix4_mask(p.bits)) == 0;
}

// ---- bounded reader and writer: they remember their first failure ----------------------------

struct reader {
	const uint8_t *at, *end;
	bool bad; // a read went past the end; everything read since is zero
};

struct writer {
	uint8_t *at, *end;
	bool bad; // a write would have gone past the end; nothing was written since
};

static inline size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->at);
}

void read_bytes(struct reader *r, void *out, size_t n); // zeros `out` on failure
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
void write_bytes(struct writer *w, const void *in, size_t n);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);

// ---- keyed hash: near-universal, for tables an enemy would like to fill unevenly -------------

struct secret {
	uint64_t k[4]; // drawn at start, never shown
};

// In a loop GCC 12 takes a product of 128 bits through the stack, twice a hash.
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
#if defined(__BMI2__) && defined(__x86_64__)
	uint64_t low, high;

	__asm__("mulx %3, %0, %1" : "=r"(low), "=r"(high) : "d"(a), "rm"(b));
	return low ^ high;
#else
	__extension__ unsigned __int128 p = (unsigned __int128)a * b;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
#endif
}

static inline uint64_t hash_u64(uint64_t key, const struct secret *s)
{
	return hash_fold(hash_fold(key ^ s->k[0], s->k[1]) ^ s->k[2], key ^ s->k[3]);
}

// Maps the upper half of a hash to 0..n-1 without division.
static inline uint32_t hash_range(uint64_t hash, uint32_t n)
{
	return (uint32_t)(((hash >> 32) * n) >> 32);
}

// ---- Toeplitz, as receive-side scaling computes it (so that a NIC can agree) -----------------

struct toeplitz {
	uint32_t t[4][256]; // by octet position and value: four lookups an address
};

#define TOEPLITZ_KEY_SIZE 40
extern const uint8_t toeplitz_default_key[TOEPLITZ_KEY_SIZE];
void toeplitz_init(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY_SIZE]);

static inline uint32_t toeplitz_ip4(const struct toeplitz *t, ip4 a)
{
	return t->t[0][a >> 24] ^ t->t[1][a >> 16 & 255] ^ t->t[2][a >> 8 & 255] ^ t->t[3][a & 255];
}

// ---- random numbers: ChaCha8 keyed once, so outputs cannot be told from earlier ones ---------

struct rng {
	uint32_t state[16];
	uint32_t out[16];
	uint32_t used; // words of `out` already given
};

void rng_init(struct rng *r, const uint8_t seed[32]);
void rng_init_u64(struct rng *r, uint64_t seed); // tests and replays: the seed tells the run
void rng_refill(struct rng *r);
struct secret rng_secret(struct rng *r);

static inline uint32_t rng_u32(struct rng *r)
{
	if (r->used == ARRAY_SIZE(r->out))
		rng_refill(r);
	return r->out[r->used++];
}

static inline uint64_t rng_u64(struct rng *r)
{
	uint64_t high = (uint64_t)rng_u32(r) << 32;
	return high | rng_u32(r);
}

static inline uint32_t rng_below(struct rng *r, uint32_t n) // 0..n-1, n > 0
{
	return (uint32_t)((uint64_t)rng_u32(r) * n >> 32);
}

// ---- one-writer, one-reader ring of fixed records --------------------------------------------

struct ring {
	uint32_t record_size;               // octets
	uint32_t mask;                      // records - 1
	_Alignas(CACHE_LINE) uint32_t head; // written by the writer
	uint32_t tail_seen;                 // the writer's last look at tail
	_Alignas(CACHE_LINE) uint32_t tail; // written by the reader
	uint32_t head_seen;                 // the reader's last look at head
	_Alignas(CACHE_LINE) uint8_t records[];
};

// `n_records` is a power of two. `mem` is aligned to CACHE_LINE and ring_size() octets long.
size_t ring_size(uint32_t record_size, uint32_t n_records);
struct ring *ring_init(void *mem, uint32_t record_size, uint32_t n_records);
bool ring_push(struct ring *r, const void *record); // writer; false when full, nothing written
bool ring_pop(struct ring *r, void *record);        // reader; false when empty
// Writing a record where it will stand: its place, or NULL when full; and that it is written.
void *ring_claim(struct ring *r);
void ring_publish(struct ring *r);
uint32_t ring_free(struct ring *r); // writer: records that fit now

// ---- prefix table: longest prefix match over a few hundred prefixes --------------------------
// Flattened to sorted disjoint intervals: a look-up is a binary search over a few hot lines.

#define PREFIX_NONE UINT32_MAX

struct prefix_value {
	struct prefix4 prefix;
	uint32_t value; // anything but PREFIX_NONE
};

struct prefix_table {
	uint32_t n;      // intervals; 0: everything is PREFIX_NONE
	uint32_t *start; // ascending; start[0] is 0 when n > 0
	uint32_t *value;
};

// Of two equal prefixes the later one wins. Returns -ENOMEM or 0. A zeroed table is empty.
MUST_CHECK int prefix_table_create(
	struct prefix_table *t, const struct prefix_value *entries, uint32_t n);
void prefix_table_destroy(struct prefix_table *t);

static inline uint32_t prefix_table_place(const struct prefix_table *t, ip4 a)
{
	uint32_t low = 0, n = t->n;

	while (n > 1) {
		uint32_t half = n / 2;
		low += t->start[low + half] <= a ? half : 0;
		n -= half;
	}
	return low;
}

static inline uint32_t prefix_table_find(const struct prefix_table *t, ip4 a)
{
	return t->n == 0 ? PREFIX_NONE : t->value[prefix_table_place(t, a)];
}

// The same, and the addresses around `a` that have the same answer: *first to *last.
static inline uint32_t prefix_table_find_around(
	const struct prefix_table *t, ip4 a, ip4 *first, ip4 *last)
{
	uint32_t i = prefix_table_place(t, a);

	*first = t->n == 0 ? 0 : t->start[i];
	*last = i + 1 < t->n ? t->start[i + 1] - 1 : UINT32_MAX;
	return t->n == 0 ? PREFIX_NONE : t->value[i];
}

#endif
