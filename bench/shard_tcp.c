// SPDX-License-Identifier: Apache-2.0
// TCP: connections that stand, and whole lives of connections.
#include "shard.h"

enum {
	OUTLIVE_S = 250 // tcp-trans-close-timeout is 240 s
};

static const struct phase {
	enum feed feed;
	const char *name;
} life[] = {{FEED_SYN, "syn"}, {FEED_SYN_ACK, "syn-ack"}, {FEED_ACK, "ack"}, {FEED_DATA, "data"},
	{FEED_FIN, "fin"}, {FEED_FIN_ACK, "ack-of-fin"}, {FEED_FIN_IN, "fin-in"},
	{FEED_LAST_ACK, "last-ack"}};

enum {
	PHASES = ARRAY_SIZE(life),
	OPENING = 3 // phases after which a connection is established
};

static void do_phases(struct bench *b, unsigned from, unsigned to, uint32_t first, uint32_t count)
{
	for (unsigned i = from; i < to; i++)
		pass_do(b, life[i].feed, first, count);
}

struct lives { // cycles of a connection
	struct samples whole, part[PHASES];
};

// All connections of a slice do each step before any does the next: between two packets of one many
// others pass, as in life.
static void live(struct bench *b, struct lives *l, uint32_t first, uint32_t count)
{
	double raw = 0, null = 0;

	for (unsigned i = 0; i < PHASES; i++) {
		struct pass pass = {.feed = life[i].feed, .first = first, .count = count};
		double without = (double)pass_run(b, &pass, true) / count;
		double with = (double)pass_run(b, &pass, false) / count;

		measure_add(&l->part[i], with, without);
		null += without;
		raw += with;
	}
	measure_add(&l->whole, raw, null);
}

static void end_lives(struct bench *b, struct lives *l)
{
	uint32_t n = (uint32_t)shard_nat_counters(b->w.shard)->mappings;
	struct figure end = background_measure(b, OUTLIVE_S, left_mappings, n);
	struct figure rest = background_measure(b, 121, left_resting, n);
	struct figure whole = measure_sum(measure_settle(&l->whole), measure_sum(end, rest));

	for (unsigned i = 0; i < PHASES; i++)
		rows_part(b, "tcp-life", life[i].name, measure_settle(&l->part[i]));
	rows_part(b, "tcp-life", "expiry", end);
	rows_part(b, "tcp-life", "rest", rest);
	rows_figure(b, "tcp-life", whole);
}

// `standing` connections are there already; all others come and go, and the table is full when the
// last come. Then everything is over at once.
static void measure_lives(struct bench *b, uint32_t standing)
{
	uint32_t slice = pass_slice(b, b->w.n - standing);
	struct lives l = {0};

	if (!shard_wants(b->o, "tcp-life"))
		return;
	rows_progress(b, "tcp-life");
	for (unsigned r = 0; r < b->o->runs; r++)
		live(b, &l, standing + r * slice, slice);
	do_phases(b, OPENING, PHASES, 0, standing);
	end_lives(b, &l);
}

static void hit(struct bench *b, const char *name, enum feed feed, uint32_t standing)
{
	struct pass pass = {
		.feed = feed, .keys = KEYS_UNIFORM, .count = b->o->packets, .n = standing};

	rows_pass(b, name, &pass);
}

int table_tcp(struct bench *b, uint32_t n)
{
	char limits[40];
	struct world_wish wish = {.n = n,
		.seed = b->o->seed,
		.leases = 128,
		.frames = POOL,
		.small_pages = b->o->small_pages,
		.limits = limits};
	uint32_t standing;
	int error;

	snprintf(limits, sizeof limits, ", sessions: %u", n + n / 64 + 1000);
	error = bench_open(b, &wish);
	if (error != 0)
		return error;
	standing = n - pass_last_part(b, 4);
	rows_progress(b, "opening");
	do_phases(b, 0, OPENING, 0, standing);
	hit(b, "in2out-tcp-data", FEED_DATA, standing);
	hit(b, "out2in-tcp-data", FEED_DATA_IN, standing);
	if (shard_wants(b->o, "idle-sweep-tcp")) {
		rows_progress(b, "idle-sweep-tcp");
		rows_share(b, "idle-sweep-tcp", background_measure_idle(b));
	}
	measure_lives(b, standing);
	if (shard_wants(b->o, "memory-tcp"))
		rows_memory(b, "memory-tcp");
	return 0;
}
