// SPDX-License-Identifier: Apache-2.0
// worker_feed.h - one worker's feed: its frames on their belts, the order in force, the turn.
#ifndef BENCH_WORKER_FEED_H
#define BENCH_WORKER_FEED_H

#include "worker.h"

struct belt { // frames that are ready, oldest first
	struct rte_mbuf **frames;
	uint32_t mask, head, n, wanted;
};

struct feed_queue { // what EAL hands to the burst functions
	struct feed *feed;
	const struct station *station;
	enum conf_side side;
	uint64_t arp_at;
};

struct feed {
	struct feed_setup setup;
	struct feed_queue queues[2]; // by enum conf_side

	// The order in force.
	struct order order;
	uint32_t tag;
	struct template templates[ROLES];
	struct belt belts[ROLES];
	uint32_t cursor, map_cursor; // of what is given once
	uint64_t random;
	uint64_t began, settled_at;
	uint64_t measured_from, sent_before;
	bool measuring, finished;
	uint32_t lifetime_s;

	// The turn.
	uint64_t polled, rested;
	const struct nat_counters *nat;
	uint64_t ended; // when rested
	uint64_t turn_given, turn_taken;
	bool clear, resting; // whole bursts only; all that was given is sent

	uint64_t sent;
	struct report *now, *before;
	struct report reports[2];

	// Between control and worker.
	_Alignas(CACHE_LINE) struct order asked;
	uint32_t asked_n;
	_Alignas(CACHE_LINE) uint32_t taken_n;
	bool done;
};

// ---- belts -----------------------------------------------------------------------------------

static inline void belt_put(struct belt *b, struct rte_mbuf *m)
{
	b->frames[(b->head + b->n++) & b->mask] = m;
}

// A driver has brought the buffers' own lines; where the packets lie is for the worker to bring.
static inline uint16_t belt_take(struct belt *b, struct rte_mbuf **out, uint32_t most)
{
	uint32_t n = min_u32(b->n, most);

	for (uint32_t i = 0; i < n; i++) {
		out[i] = b->frames[(b->head + i) & b->mask];
		rte_prefetch0(b->frames[(b->head + n + i) & b->mask]);
	}
	b->head += n;
	b->n -= n;
	return (uint16_t)n;
}

void belt_empty(struct belt *b);                      // into the pool
bool belt_make_room(struct belt *b, uint32_t wanted); // of an empty one; false: no memory

// ---- worker_feed_frames.c --------------------------------------------------------------------

// Buffers get frames of what is wanted most, or go back to the pool.
void feed_recycle(struct feed *f, struct rte_mbuf **m, uint16_t n);
// Until the belt holds so many, with new buffers: some were dropped, or went to another worker.
void feed_top_up(struct feed *f, enum role role, uint32_t until);

#endif
