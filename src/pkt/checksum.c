// SPDX-License-Identifier: Apache-2.0
// The sum of 16-bit words modulo 0xffff comes out the same, only with its octets swapped, when the
// words are read in the machine's order, and it may be gathered from wider words (RFC 1071 s.2 B
// and C). So the loop adds 32-bit halves of 64-bit loads and the octets are swapped once, at the
// end.
#include <postern/pkt.h>

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

// Keeps the difference between a sum that is zero and one that is a multiple of 0xffff.
static uint16_t fold_u64(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint32_t checksum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t wide = 0;

	for (; len >= sizeof wide; at += sizeof wide, len -= sizeof wide)
		wide += sum_halves(at);
	wide += sum_tail(at, len);
	return sum + __builtin_bswap16(fold_u64(wide));
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

uint16_t checksum_l4(ip4 src, ip4 dst, uint8_t protocol, const uint8_t *l4, size_t len)
{
	uint32_t pseudo = (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + protocol +
			  (uint32_t)(len & 0xffff);

	return checksum_fold(checksum_add(pseudo, l4, len));
}
