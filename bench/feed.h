// SPDX-License-Identifier: Apache-2.0
// feed.h - packets from numbers, whole ones with every checksum in place, and which mapping each of
// them is about.
#ifndef BENCH_FEED_H
#define BENCH_FEED_H

#include "bench.h"

enum feed {
	FEED_OUT,     // UDP; DF is not set: the shard draws an identification
	FEED_OUT_DF,  // DF is set, as most hosts do: the packet is atomic (RFC 6864)
	FEED_IN,      // UDP
	FEED_UNKNOWN, // UDP from outside to a port that nobody has
	FEED_SYN,     // TCP; one connection in this order
	FEED_SYN_ACK,
	FEED_ACK,
	FEED_DATA,
	FEED_FIN,
	FEED_FIN_ACK,
	FEED_FIN_IN,
	FEED_LAST_ACK,
	FEED_DATA_IN, // TCP
	FEED_MAP,     // PCP from here on: makes a mapping
	FEED_MAP_FILTER,
	FEED_RENEW, // suggests what was assigned (RFC 6887 s.11.2.1)
	FEED_DELETE,
	FEED_OTHER_NONCE,
	FEED_OPCODE, // one that nobody knows
	FEEDS
};

struct feed_shape {
	bool inside;      // where it arrives
	uint8_t protocol; // of the IP header
	uint8_t tcp_flags;
	uint8_t payload;   // octets; PCP: by the message
	uint16_t fragment; // bits beside the offset
	uint8_t verdict;   // expected
	uint8_t result;    // of a PCP reply, expected
};

extern const struct feed_shape feed_shapes[FEEDS];

// Octets in front of the IP header: of a buffer, of an mbuf, headroom, an Ethernet header.
enum {
	FEED_L3_AT = 64 + 128 + 128 + 14
};

static inline uint8_t *feed_l3(const struct world *w, uint32_t frame)
{
	return w->frames + (size_t)frame * FRAME_ROOM + FEED_L3_AT;
}

// Writes the packet at l3 and returns its length, which is the same for all of a kind.
size_t feed_write(uint8_t *l3, const struct pair *pair, enum feed feed);
// What the shard made of it. Learns the external endpoint where the mapping is new. False: it is
// not what a host would want.
bool feed_check(const uint8_t *l3, struct pair *pair, enum feed feed);

// ---- whom they are about ---------------------------------------------------------------------

enum keys {
	KEYS_IN_TURN, // which is no order that a table knows: pairs are shuffled
	KEYS_UNIFORM,
	KEYS_ZIPF, // Zipf 1.0: the k-th is drawn 1/k as often as the first
};

// Those in turn are counted by `at`; the others are drawn of the first `n`.
uint32_t feed_key(struct world *w, enum keys keys, uint32_t n, uint32_t at);

// External endpoints that nobody has, of the addresses that the mappings use.
struct strangers {
	uint32_t addresses;
	uint64_t *taken; // a bit each port
};
MUST_CHECK int strangers_open(struct strangers *s, const struct world *w);
void strangers_close(struct strangers *s);
struct pair strangers_draw(const struct strangers *s, struct world *w);

#endif
