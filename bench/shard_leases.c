// SPDX-License-Identifier: Apache-2.0
// Explicit mappings, made by PCP MAP requests; and the same with a FILTER each.
#include "shard.h"

enum {
	OUTLIVE_S = 3700, // leases are granted for an hour
	REST_S = 130      // pcp-hold-down is 120 s
};

static void fill(struct bench *b, const char *name, enum feed feed)
{
	uint32_t last = pass_last_part(b, 4);
	struct pass pass = {.feed = feed, .first = b->w.n - last};
	struct figure f;

	rows_progress(b, name);
	pass_do(b, feed, 0, b->w.n - last);
	f = pass_measure_slices(b, &pass, last);
	if (shard_wants(b->o, name))
		rows_figure(b, name, f);
}

static void ask(struct bench *b, const char *name, enum feed feed)
{
	struct pass pass = {
		.feed = feed, .keys = KEYS_UNIFORM, .count = b->o->packets, .n = b->w.n};

	rows_pass(b, name, &pass);
}

// A quarter of them; their ports come back before anything else is measured.
static void delete_some(struct bench *b)
{
	struct pass pass = {.feed = FEED_DELETE};
	struct figure f;

	if (!shard_wants(b->o, "pcp-map-delete"))
		return;
	rows_progress(b, "pcp-map-delete");
	f = pass_measure_slices(b, &pass, pass_last_part(b, 4));
	rows_figure(b, "pcp-map-delete", f);
	b->w.now += REST_S * NS_PER_S;
	world_work(&b->w);
}

int table_leases(struct bench *b, uint32_t n)
{
	struct world_wish wish = {.n = n,
		.seed = b->o->seed,
		.leases = n + n / 64 + 128,
		.frames = POOL,
		.small_pages = b->o->small_pages,
		.limits =
			", sessions: 1000, lease-details: 1000, filters: 1000, descriptions: 1000"};
	int error = bench_open(b, &wish);

	if (error != 0)
		return error;
	fill(b, "pcp-map-create", FEED_MAP);
	ask(b, "pcp-map-renew", FEED_RENEW);
	ask(b, "pcp-error-nonce", FEED_OTHER_NONCE);
	ask(b, "pcp-error-opcode", FEED_OPCODE);
	ask(b, "out2in-hit-explicit", FEED_IN);
	if (shard_wants(b->o, "idle-sweep-explicit")) {
		rows_progress(b, "idle-sweep-explicit");
		rows_share(b, "idle-sweep-explicit", background_measure_idle(b));
	}
	delete_some(b);
	if (shard_wants(b->o, "explicit-expire"))
		background_end(b, "explicit-expire", OUTLIVE_S);
	if (shard_wants(b->o, "memory-explicit"))
		rows_memory(b, "memory-explicit");
	return 0;
}

int table_filters(struct bench *b, uint32_t n)
{
	char limits[100];
	struct world_wish wish = {.n = n,
		.seed = b->o->seed,
		.leases = n + n / 64 + 128,
		.frames = POOL,
		.small_pages = b->o->small_pages,
		.limits = limits};
	int error;

	snprintf(limits, sizeof limits, ", sessions: 1000, descriptions: 1000, filters: %u",
		n + 1000);
	error = bench_open(b, &wish);
	if (error != 0)
		return error;
	fill(b, "pcp-map-create-filter", FEED_MAP_FILTER);
	ask(b, "out2in-hit-filter", FEED_IN);
	return 0;
}
