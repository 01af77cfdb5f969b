// SPDX-License-Identifier: Apache-2.0
// What a shard knows of fragmented datagrams, and the fragments it holds until their first comes.
#ifndef SHARD_FRAGMENTS_H
#define SHARD_FRAGMENTS_H

#include "world.h"

enum {
	RANGES = 16, // gaps that one datagram may have at a time
	RECENT = 4,  // pieces among which a duplicate is looked for
	HELD_OF_DATAGRAM = 16,
	SHARES = 4096,             // sources share a share when their hashes meet
	RECORD_SHARE = 8,          // one source may have this part of the records of its side
	STEP_PIECES = SHARD_BURST, // of one call of fragments_step()
	IDENTIFIERS = 8192         // counters of identifications
};
#define NO_RECORD UINT32_MAX

enum record_state {
	RECORD_FREE,
	RECORD_WAITING, // for its first piece; others are held
	RECORD_SETTLED, // the first has come
	RECORD_GIVEN_UP // nothing more of it goes on
};

struct datagram_key { // as it arrives, before any translation
	ip4 src, dst;
	uint16_t id;
	uint8_t realm, protocol;
};

struct range { // octets of the payload
	uint16_t first, end;
};

struct record { // one fragmented datagram
	struct datagram_key key;
	uint32_t next;         // of those with the same hash
	uint32_t newer, older; // in its list
	ns began;
	uint8_t state; // enum record_state
	uint8_t kind;  // from here to dport: of the first piece
	uint16_t sport, dport;
	uint16_t new_id;
	bool identified; // new_id is drawn
	uint8_t n_ranges, n_recent, n_held;
	uint16_t end; // of the payload; 0: not known yet
	uint16_t share;
	uint32_t held_first, held_last;
	struct range ranges[RANGES]; // disjoint, in no order
	struct range recent[RECENT];
};

struct record_list { // oldest first
	uint32_t first, last;
};

// The two sides have records apart, so that forged sources outside take none from subscribers.
struct record_side {
	uint32_t n;
	struct record_list free; // ended ones keep their contents until they are made anew
	struct record_list waiting, settled;
	uint32_t n_waiting;
	uint32_t shares[SHARES]; // records of these sources
};

struct held {
	struct pkt p;
	uint32_t next;
	uint16_t share;
	uint8_t why; // DROP_NONE: goes on
};

struct fragments {
	struct secret secret;
	struct record_side sides[2]; // inside, outside
	struct record *records;      // the inside's, then the outside's
	uint32_t *heads, mask;
	struct held *held;
	uint32_t n_places, n_held;
	uint32_t held_free;
	uint32_t due_first, due_last; // pieces to go on, or to be dropped
	uint32_t held_shares[SHARES];
	uint16_t counters[IDENTIFIERS];
};

static inline struct record_side *side_of(struct fragments *f, const struct record *r)
{
	return &f->sides[r >= f->records + f->sides[0].n];
}

uint64_t record_hash(const struct fragments *f, const struct datagram_key *key);
uint16_t record_share(const struct fragments *f, uint8_t realm, ip4 src);

// ---- datagrams.c -----------------------------------------------------------------------------

struct record *record_find(struct fragments *f, const struct datagram_key *key);
// One that waits for its first piece, which is to come later (`early`) or is this one. The oldest
// settled one ends for it when there is no other place. NULL: no place.
struct record *record_make(
	struct fragments *f, bool outside, bool early, const struct datagram_key *key, ns now);
void record_settle(struct fragments *f, struct record *r, const struct pkt_fragment *first);
void record_give_up(struct fragments *f, struct record *r, enum drop why);
// Nothing more is expected of it. What it holds is dropped for `why`.
void record_end(struct fragments *f, struct record *r, enum drop why);

// ---- held.c ----------------------------------------------------------------------------------

// DROP_NONE, or why no further piece of this datagram (NULL: a new one) and source may be held.
enum drop held_refuses(const struct burst *b, const struct record *r, const struct pkt *p);
void held_add(struct fragments *f, struct record *r, const struct pkt *p);
// What this datagram holds is due: with its ports, or to be dropped.
void held_release(struct fragments *f, struct record *r, enum drop why);

#endif
