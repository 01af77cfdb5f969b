// SPDX-License-Identifier: Apache-2.0
// world.h - shards without DPDK: one to eight of them under one snapshot, a switch that steers and
// hands over as the workers do, a clock that stands still until told, and a look at every packet
// that leaves. Knows no test framework: what must never be ends the program with a sentence.
#ifndef TEST_SHARD_WORLD_H
#define TEST_SHARD_WORLD_H

#include <postern/shard.h>

#include "../pkt/make.h"

enum {
	WORLD_SHARDS = 8,
	WORLD_QUEUE = 256,     // packets that wait for one shard
	WORLD_SENT = 256,      // packets the shards sent unasked, kept until read
	WORLD_ROOM = 2048,     // octets of a buffer
	WORLD_START_S = 100000 // the clock at the beginning
};

struct frame { // a packet on its way through the switch, and what became of it
	enum verdict verdict;
	enum drop drop;     // with VERDICT_DROP
	uint16_t shard;     // who judged it last
	uint16_t out;       // PASS, REPLY: the interface it leaves by
	unsigned handoffs;  // times it changed hands
	uint64_t tag;       // the test's own
	struct frame *next; // of those that the shards hold
	struct pkt p;       // of `bytes`
	uint8_t bytes[WORLD_ROOM];
};

struct world_queue {
	struct frame **frames; // WORLD_QUEUE
	unsigned first, n;
};

struct world {
	struct conf *conf;
	uint16_t n; // shards
	struct shard *shard[WORLD_SHARDS];
	void *mem[WORLD_SHARDS];
	struct world_queue queue[WORLD_SHARDS];
	struct shard_epochs *epochs;
	struct shard_sink sink;
	ns now;

	// Whoever looks at the packets as they leave or end; NULL: nobody.
	void (*deliver)(void *ctx, struct frame *f);
	void *ctx;

	struct frame *sent; // WORLD_SENT, made by the shards themselves, or held by them until now
	unsigned n_sent;
	unsigned n_kept; // the last so many of them
	struct frame *held;
	unsigned n_held;
	struct frame spare; // what the sink gives out
	bool no_buffers;    // the sink has none
	uint64_t denied;    // times it said so

	uint64_t put, unparsed;                            // into the switch; dropped by the parse
	uint64_t given[WORLD_SHARDS];                      // to shard_run()
	uint64_t verdicts[WORLD_SHARDS][VERDICT_HOLD + 1]; // from it
	uint64_t released[WORLD_SHARDS];                   // those it had held
	uint64_t cut;                                      // those that left in pieces
};

// ---- life ------------------------------------------------------------------------------------

// Every worker of the configuration has its shard, settled, and what they announced is in `sent`.
void world_open(struct world *w, const char *yaml);
void world_close(struct world *w);
// The last n of `sent` are kept from now on; what is there is forgotten.
void world_keep(struct world *w, unsigned n);
// A new snapshot is in force at once; the shards follow it with world_settle() or world_pass().
void world_publish(struct world *w, const char *yaml);
bool world_try_publish(struct world *w, const char *yaml); // false: it asks for a restart
void world_step(struct world *w);                          // one step of each shard
void world_settle(struct world *w);                        // until nobody has more to do right now
void world_reload(struct world *w, const char *yaml);      // both
void world_pass(struct world *w, uint32_t seconds);        // second by second, settling
void world_pass_ms(struct world *w, uint32_t ms);          // in steps of 50 ms
void world_set_epoch(struct world *w, uint32_t group, uint32_t age_s);

// ---- packets ---------------------------------------------------------------------------------

// Into the switch: parsed, steered, queued. world_flush() runs the queues, in bursts, until they
// are empty; each packet is delivered in the end.
void world_feed(struct world *w, uint16_t iface, const uint8_t *packet, size_t len, uint64_t tag);
void world_flush(struct world *w);
// One packet through, alone. VERDICT_HOLD: a shard holds it; when it lets it go it is in `sent`. A
// packet that leaves in pieces is dropped for DROP_NONE, its pieces are in `sent`.
void world_put(
	struct world *w, uint16_t iface, const uint8_t *packet, size_t len, struct frame *out);

// All checksums of a packet, of a quoted one its header's, reckoned anew by plain sums.
bool world_sums_are_right(const uint8_t *packet, size_t len);

// ---- looking ---------------------------------------------------------------------------------

// Ends the program unless every packet given to a shard is accounted for: one verdict each, and
// behind each drop or ICMP error of ours one count.
void world_account(const struct world *w);
uint64_t world_drops(const struct world *w, enum drop why); // of all shards
uint64_t world_sum(const struct world *w, size_t counter);  // offset in struct shard_counters
#define WORLD_COUNT(w, name) world_sum(w, offsetof(struct shard_counters, name))
uint64_t world_nat_sum(const struct world *w, size_t counter);
#define WORLD_NAT(w, name) world_nat_sum(w, offsetof(struct nat_counters, name))

// The nth host of 100.64.1.0/16 whose packets go to this shard, counted from 0.
ip4 world_host(const struct world *w, uint16_t shard, unsigned nth);
// The first pool address that the deal gave to this shard.
ip4 world_external(const struct world *w, uint16_t shard);
// The shard that a packet from outside to this endpoint goes to.
uint16_t world_owner(const struct world *w, uint8_t protocol, struct recipe external);

_Noreturn void world_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
