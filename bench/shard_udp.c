// SPDX-License-Identifier: Apache-2.0
// Implicit mappings, made by UDP packets; and the same where only contacted addresses may send in.
#include "shard.h"

enum {
	OUTLIVE_S = 3700 // every timer of the tables below is an hour
};

// Nothing may run out while the clock goes on for all the runs.
#define HOUR                                                                                       \
	"timers: { udp-timeout: 3600, udp-initial-timeout: 3600, udp-unanswered-timeout: 3600 }\n"

// The last quarter of the way to the full table; the packets in front of it are not counted.
static void fill(struct bench *b, const char *name)
{
	uint32_t last = pass_last_part(b, 4);
	struct pass pass = {.feed = FEED_OUT, .first = b->w.n - last};
	struct figure f;

	rows_progress(b, name);
	pass_do(b, FEED_OUT, 0, b->w.n - last);
	f = pass_measure_slices(b, &pass, last);
	if (shard_wants(b->o, name))
		rows_figure(b, name, f);
}

static struct pass hits(const struct bench *b, enum feed feed, enum keys keys)
{
	return (struct pass){.feed = feed, .keys = keys, .count = b->o->packets, .n = b->w.n};
}

static void hit(struct bench *b, const char *name, enum feed feed, enum keys keys, bool cold)
{
	struct pass pass = hits(b, feed, keys);

	pass.cold = cold;
	rows_pass(b, name, &pass);
}

// Also what the raw throughput is compared by.
static void hit_uniform(struct bench *b, const char *name, enum feed feed)
{
	struct pass pass = hits(b, feed, KEYS_UNIFORM);
	unsigned way = feed == FEED_IN;
	struct figure f;

	if (!shard_wants(b->o, name) && !shard_wants(b->o, "raw-throughput"))
		return;
	rows_progress(b, name);
	f = pass_measure(b, &pass);
	b->throughput[way][b->size] = f.raw > 0 ? 1 / f.raw : 0;
	rows_figure(b, name, f);
}

static int scan(struct bench *b)
{
	int error;

	if (!shard_wants(b->o, "unknown-drop") && !shard_wants(b->o, "unknown-drop-cold"))
		return 0;
	error = strangers_open(&b->strangers, &b->w);
	if (error != 0)
		return error;
	hit(b, "unknown-drop", FEED_UNKNOWN, KEYS_IN_TURN, false);
	hit(b, "unknown-drop-cold", FEED_UNKNOWN, KEYS_IN_TURN, true);
	return 0;
}

static void stay(struct bench *b)
{
	if (!shard_wants(b->o, "idle-sweep"))
		return;
	rows_progress(b, "idle-sweep");
	rows_share(b, "idle-sweep", background_measure_idle(b));
}

// Ports that were answered rest; those that never were go back at once, which is cheaper.
static void expire(struct bench *b)
{
	if (!shard_wants(b->o, "implicit-expire"))
		return;
	rows_progress(b, "implicit-expire");
	pass_do(b, FEED_IN, 0, b->w.n);
	background_end(b, "implicit-expire", OUTLIVE_S);
}

int table_udp(struct bench *b, uint32_t n)
{
	struct world_wish wish = {.n = n,
		.seed = b->o->seed,
		.leases = 128,
		.frames = COLD_POOL,
		.small_pages = b->o->small_pages,
		.limits = ", sessions: 1000",
		.lines = HOUR};
	int error = bench_open(b, &wish);

	if (error != 0)
		return error;
	fill(b, "implicit-create");
	hit_uniform(b, "in2out-hit", FEED_OUT);
	hit(b, "in2out-hit-df", FEED_OUT_DF, KEYS_UNIFORM, false);
	hit(b, "in2out-hit-zipf", FEED_OUT, KEYS_ZIPF, false);
	hit(b, "in2out-hit-cold", FEED_OUT, KEYS_UNIFORM, true);
	hit_uniform(b, "out2in-hit", FEED_IN);
	hit(b, "out2in-hit-zipf", FEED_IN, KEYS_ZIPF, false);
	hit(b, "out2in-hit-cold", FEED_IN, KEYS_UNIFORM, true);
	error = scan(b);
	if (error == 0) {
		stay(b);
		expire(b);
	}
	if (shard_wants(b->o, "memory-implicit"))
		rows_memory(b, "memory-implicit");
	return error;
}

int table_adf(struct bench *b, uint32_t n)
{
	char limits[40];
	struct world_wish wish = {.n = n,
		.seed = b->o->seed,
		.leases = 128,
		.frames = POOL,
		.small_pages = b->o->small_pages,
		.limits = limits,
		.lines = HOUR,
		.group = "    filtering-type: adf\n"};
	int error;

	snprintf(limits, sizeof limits, ", sessions: %u", n + n / 64 + 1000);
	error = bench_open(b, &wish);
	if (error != 0)
		return error;
	fill(b, "implicit-create-adf");
	hit(b, "in2out-hit-adf", FEED_OUT, KEYS_UNIFORM, false);
	hit(b, "out2in-hit-adf", FEED_IN, KEYS_UNIFORM, false);
	return 0;
}
