// SPDX-License-Identifier: Apache-2.0
// rewrite.h - what the translations of this room share: where a transport header keeps what a
// translation changes, and IP headers of our own making.
#ifndef XLAT_REWRITE_H
#define XLAT_REWRITE_H

#include <postern/xlat.h>

#define FRESH_TTL 64 // what hosts start with (RFC 1700)
#define TOS_ECN 3    // RFC 3168: of the old path, not to be carried into an answer

// Offsets into the transport header, by pkt_kind 1..3. An echo has one identifier for both ends.
struct l4_layout {
	uint8_t src_at, dst_at, checksum_at;
	uint32_t pseudo; // all ones where the checksum covers the addresses too
};

static const struct l4_layout l4_layouts[] = {
	[PKT_UDP] = {.src_at = 0, .dst_at = 2, .checksum_at = 6, .pseudo = UINT32_MAX},
	[PKT_TCP] = {.src_at = 0, .dst_at = 2, .checksum_at = 16, .pseudo = UINT32_MAX},
	[PKT_ECHO] = {.src_at = 4, .dst_at = 4, .checksum_at = 2, .pseudo = 0},
};

static inline const struct l4_layout *l4_layout_of(uint8_t kind)
{
	assert(kind >= PKT_UDP && kind <= PKT_ECHO);
	return &l4_layouts[kind];
}

// Words as they stand in memory. All checksum deltas of this room are made of such words, so that
// nothing needs its octets swapped only to be summed.
static inline uint16_t word_at(const void *at)
{
	uint16_t word;

	memcpy(&word, at, sizeof word);
	return word;
}

static inline void put_word(void *at, uint16_t word)
{
	memcpy(at, &word, sizeof word);
}

// Put a new address, port or identification in place and return what that does to a checksum over
// it.
static inline uint32_t replace_addr(be32 *at, ip4 addr)
{
	be32 fresh = be32_of(addr);
	uint32_t before, after;

	memcpy(&before, at, sizeof before);
	memcpy(&after, &fresh, sizeof after);
	*at = fresh;
	return checksum_delta32(before, after);
}

static inline uint32_t replace_word(uint8_t *at, uint16_t number)
{
	be16 fresh = be16_of(number);
	uint16_t before = word_at(at);

	put_word(at, word_at(&fresh));
	return checksum_delta16(before, word_at(&fresh));
}

// Lowers the TTL by `by` and returns what that does to the header checksum: the TTL is the first
// octet of its word, the low one in memory's order.
static inline uint32_t lower_ttl(struct ip4_wire *ip, uint8_t by)
{
	uint8_t before = ip->ttl;

	ip->ttl = (uint8_t)(before - by);
	return checksum_delta16(before, ip->ttl);
}

static inline void apply_delta(be16 *checksum, uint32_t delta)
{
	put_word(checksum, checksum_apply(word_at(checksum), delta));
}

// The second leg of a hairpin belongs to the same hop: the first leg lowered the TTL already.
static inline uint8_t ttl_step(const struct pkt *p)
{
	return p->stage == PKT_HAIRPINNED ? 0 : 1;
}

// Takes the options out of a packet's IP header; what stood behind them moves up. The header
// checksum is left to xlat_finish_header().
void xlat_cut_options(struct pkt *p);

// Writes total length, TTL, addresses and checksum of the 20-octet header at p->l3 from *p, and
// clears the ECN bits. Identification and fragment field stay as they are.
void xlat_finish_header(struct pkt *p, uint8_t ttl);

// Writes the whole 20-octet header: an atomic datagram (RFC 6864 s.4.1: DF, any identification).
void xlat_write_header(struct pkt *p, uint8_t tos, uint8_t ttl);

#endif
