// SPDX-License-Identifier: Apache-2.0
// shard.h - what bench-shard's files share: the options, one table under test, and passes of
// packets over it.
#ifndef BENCH_SHARD_H
#define BENCH_SHARD_H

#include "feed.h"
#include "measure.h"

enum {
	MAX_SIZES = 16,
	MOST_MAPPINGS = 16515072, // 262144 subscribers, 63 ports each
	FEWEST_MAPPINGS = 100,
	MAX_OPERATIONS = 64
};

struct options {
	uint32_t sizes[MAX_SIZES];
	unsigned n_sizes, runs;
	uint32_t packets; // a run
	bool json, small_pages;
	uint64_t seed;
	bool wanted[MAX_OPERATIONS]; // by place in shard_operations
};

// ---- operations ------------------------------------------------------------------------------

enum table { // each needs a table of its own kind
	TABLE_UDP,
	TABLE_TCP,
	TABLE_LEASES,
	TABLE_ADF,
	TABLE_FILTERS,
	TABLES
};

struct operation {
	const char *name;
	uint8_t table; // enum table
	const char *sentence;
};

extern const struct operation shard_operations[];
extern const unsigned n_shard_operations;

void shard_parse(struct options *o, int argc, char **argv); // exits on --help and mistakes
bool shard_wants(const struct options *o, const char *name);
bool shard_wants_table(const struct options *o, enum table table);

// ---- one table under test --------------------------------------------------------------------

struct bench {
	const struct options *o;
	struct world w;
	uint32_t *of;       // whom the packets of a batch are about
	struct pair *drawn; // strangers of a batch
	struct strangers strangers;
	uint64_t failures;      // of the operation under way
	uint64_t *all_failures; // of the whole run
	double *throughput[2];  // Mops at the shard's door, out and in, of each size
	unsigned size;          // which one
};

// 0 or -errno.
int bench_open(struct bench *b, const struct world_wish *wish);
void bench_close(struct bench *b);

// One pass: `count` packets about mappings that `keys` chooses among the first `n`, or takes in
// turn from `first` on. Parsed from their buffers, in bursts.
struct pass {
	enum feed feed;
	enum keys keys;
	uint32_t first, count, n;
	bool cold; // from buffers that are not in the core's cache
};

// Cycles. With `null` the same packets are made and parsed, but not given to the shard.
uint64_t pass_run(struct bench *b, const struct pass *pass, bool null);
// Null and real passes over the same packets take turns; the clock goes on a second each time.
struct figure pass_measure(struct bench *b, const struct pass *pass);
// Each run goes on where the last stopped: what can be done once only. `all`: mappings from
// pass->first on.
struct figure pass_measure_slices(struct bench *b, const struct pass *pass, uint32_t all);
// Just done, in turn, from `first` on.
void pass_do(struct bench *b, enum feed feed, uint32_t first, uint32_t count);
// How many mappings are enough for all runs of what can be done once only: one part of so many, and
// more of a small table.
uint32_t pass_last_part(const struct bench *b, uint32_t part);
// Mappings of one run when `all` are cut into the runs.
uint32_t pass_slice(const struct bench *b, uint32_t all);

// ---- background ------------------------------------------------------------------------------

// The background work after `after_s` seconds, until `left` of the counters is zero: cycles for
// each of `n` mappings, in portions.
typedef uint64_t left_fn(const struct nat_counters *n);
left_fn left_mappings, left_resting;
struct figure background_measure(struct bench *b, uint32_t after_s, left_fn *left, uint32_t n);
// Cycles per second of time in which everything stays as it is.
struct figure background_measure_idle(struct bench *b);

// The end of all mappings, and of their ports' rest.
void background_end(struct bench *b, const char *name, uint32_t after_s);

// ---- rows ------------------------------------------------------------------------------------

void rows_begin(const struct options *o);
void rows_progress(const struct bench *b, const char *name); // on a terminal
void rows_figure(struct bench *b, const char *name, struct figure f);
void rows_part(struct bench *b, const char *name, const char *part, struct figure f);
void rows_share(struct bench *b, const char *name, struct figure f); // of a core
void rows_memory(struct bench *b, const char *name);
void rows_throughput(const struct options *o, double *const throughput[2]);

// Measures one operation, when it is wanted.
void rows_pass(struct bench *b, const char *name, const struct pass *pass);

// ---- the tables ------------------------------------------------------------------------------

int table_udp(struct bench *b, uint32_t n);
int table_tcp(struct bench *b, uint32_t n);
int table_leases(struct bench *b, uint32_t n);
int table_adf(struct bench *b, uint32_t n);
int table_filters(struct bench *b, uint32_t n);

#endif
