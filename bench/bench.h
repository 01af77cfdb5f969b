// SPDX-License-Identifier: Apache-2.0
// bench.h - what the benchmarks share: a shard in memory of its own, packets made from numbers, and
// cycles read from the time stamp counter.
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>

#include <postern/shard.h>

enum {
	POOL = 4096,
	FRAME_ROOM = 1536
}; // packet buffers, used round and round

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
	size_t bytes;
	bool huge; // 2 MiB pages
	struct shard_epochs epochs;
	struct rng rng;
	ns now;
	struct pair *pairs; // n, in random order
	uint8_t *frames;    // POOL buffers of FRAME_ROOM octets
	uint32_t next_frame;
	struct shard_sink sink;
};

// 0 or -errno. `n` mappings of n / 63 subscribers; `leases`: room for as many leases.
int world_open(struct world *w, uint32_t n, bool leases, uint64_t seed);
void world_close(struct world *w);
void world_settle(struct world *w); // lets the shard take its configuration over

// Packets of 46 octets of IPv4: what a 64-octet Ethernet frame carries.
enum feed {
	FEED_OUT,
	FEED_IN,
	FEED_MAP
};
void feed_packet(struct world *w, struct pkt *p, const struct pair *pair, enum feed feed);
uint32_t feed_granted_lifetime(const struct pkt *p); // of a MAP reply; 0 for an error

static inline uint64_t cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
#error "bench reads the x86 time stamp counter"
#endif
}

double cycles_per_ns(void); // measured once, against the monotonic clock

#endif
