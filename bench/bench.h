// SPDX-License-Identifier: Apache-2.0
// bench.h - what the benchmarks at the shard's door share: a shard in memory of its own, with a
// configuration made for the number of mappings asked for, and no EAL.
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>

#include <postern/shard.h>

#include "pages.h"

// Packet buffers are used round and round: so few stay in the core's second cache, and so many do
// not. Each is as long as an mbuf of the default size with its headers, 37 lines: an odd number, or
// the headers of all would meet in a few sets of the cache.
enum {
	POOL = 4096,
	COLD_POOL = 65536,
	FRAME_ROOM = 37 * CACHE_LINE
};

struct pair { // a mapping as the bench knows it
	ip4 host;
	uint16_t port;
	uint16_t external_port;
	ip4 external;
};

struct world {
	uint32_t n; // mappings
	struct conf *conf;
	struct shard *shard;
	size_t bytes; // of the shard, all-in
	enum pages pages;
	struct shard_epochs epochs;
	struct rng rng;
	ns now;
	struct pair *pairs; // n, in random order
	uint8_t *frames;    // n_frames buffers of FRAME_ROOM octets
	uint32_t n_frames, next_frame;
	struct shard_sink sink;
};

struct world_wish {
	uint32_t n; // mappings, of n / 63 subscribers
	uint64_t seed;
	uint32_t leases; // room for so many
	uint32_t frames; // packet buffers
	bool small_pages;
	// More of the configuration; NULL: nothing. ", name: value" of its limits, whole lines of
	// the file, whole lines of the group.
	const char *limits, *lines, *group;
};

// 0 or -errno, with the reason on stderr where the configuration is wrong.
int world_open_as(struct world *w, const struct world_wish *wish);
// The same with POOL buffers. `leases`: room for as many, and half as many more.
int world_open(struct world *w, uint32_t n, bool leases, uint64_t seed);
void world_close(struct world *w);
void world_settle(struct world *w); // lets the shard take its configuration over

// The log's part: reads what the shard tells, so that its ring never fills.
void world_read_log(struct world *w);
// Background work until there is none.
void world_work(struct world *w);
// Octets that a shard takes which is made for next to nothing.
size_t world_smallest(void);
ip4 world_first_external(void);

#endif
