// SPDX-License-Identifier: Apache-2.0
// The sum of 16-bit words modulo 0xffff comes out the same, only with its octets swapped, when the
// words are read in the machine's order, and it may be gathered from wider words (RFC 1071 s.2 B
// and C). So the loop adds 32-bit halves of 64-bit loads and the octets are swapped once, at the
// end.
#include <postern/pkt.h>

enum {
	BLOCK = 32
};

#if defined(__AVX2__)
#include <immintrin.h>

// The same, 32 octets at a time: what is left over is for the loop below.
static uint64_t sum_blocks(const uint8_t **at, size_t *len)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i sum = _mm256_setzero_si256();
	__m128i half;

	for (; *len >= sizeof sum; *at += sizeof sum, *len -= sizeof sum) {
		__m256i w = _mm256_loadu_si256((const void *)*at);
		sum = _mm256_add_epi64(sum, _mm256_and_si256(w, low));
		sum = _mm256_add_epi64(sum, _mm256_srli_epi64(w, 32));
	}
	half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
	return (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1);
}
#else
static uint64_t sum_blocks(const uint8_t **at, size_t *len)
{
	(void)at;
	(void)len;
	return 0;
}
#endif

static uint64_t sum_halves(const uint8_t *at)
{
	uint64_t w;

	memcpy(&w, at, sizeof w);
	return (w & UINT32_MAX) + (w >> 32);
}

// The last 0..7 octets. A lone last octet is the upper half of its word (RFC 1071 s.4.1).
static uint64_t sum_tail(const uint8_t *at, size_t len)
{
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half;

	if (len & 4) {
		memcpy(&word, at, sizeof word);
		sum += word;
		at += sizeof word;
	}
	if (len & 2) {
		memcpy(&half, at, sizeof half);
		sum += half;
		at += sizeof half;
	}
	if (len & 1)
		sum += *at;
	return sum;
}

// The halves are added to each other; the upper one gets the lower one's carry, and is the result.
// Keeps the difference between a sum that is zero and one that is a multiple of 0xffff.
static uint16_t fold_u64(uint64_t sum)
{
	uint32_t half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);

	return (uint16_t)((half + (half << 16 | half >> 16)) >> 16);
}

static inline uint64_t sum_wide(const uint8_t *at, size_t len)
{
	uint64_t wide = len >= BLOCK ? sum_blocks(&at, &len) : 0;

	for (; len >= sizeof wide; at += sizeof wide, len -= sizeof wide)
		wide += sum_halves(at);
	return wide + sum_tail(at, len);
}

uint32_t checksum_add(uint32_t sum, const void *data, size_t len)
{
	return sum + __builtin_bswap16(fold_u64(sum_wide(data, len)));
}

uint16_t checksum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t checksum_ip4(const uint8_t *header, size_t len)
{
	return checksum_fold(checksum_add(0, header, len));
}

// The pseudo-header joins the sum as it would stand in memory.
uint16_t checksum_l4(ip4 src, ip4 dst, uint8_t protocol, const uint8_t *l4, size_t len)
{
	uint64_t pseudo = (uint64_t)__builtin_bswap32(src) + __builtin_bswap32(dst) +
			  ((uint32_t)protocol << 8) + __builtin_bswap16((uint16_t)len);

	return (uint16_t)~__builtin_bswap16(fold_u64(pseudo + sum_wide(l4, len)));
}
