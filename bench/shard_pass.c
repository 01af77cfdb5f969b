// SPDX-License-Identifier: Apache-2.0
// Passes of packets. Only what a worker does with a packet that came is timed: its header is
// fetched, it is parsed, the shard runs. Making packets and looking at what became of them stands
// outside the clock, so the bench's own arrays cost the shard nothing but a little of the caches.
#include "shard.h"

#include <errno.h>
#include <stdlib.h>

enum {
	IFACE_INSIDE = 0,
	IFACE_OUTSIDE = 1,
	AHEAD = 16,      // pairs fetched in front of the one whose packet is written
	LEAST_SLICE = 64 // mappings: fewer tell nothing
};

int bench_open(struct bench *b, const struct world_wish *wish)
{
	int error = world_open_as(&b->w, wish);

	if (error != 0)
		return error;
	b->of = malloc(wish->frames * sizeof *b->of);
	b->drawn = malloc(wish->frames * sizeof *b->drawn);
	if (b->of == NULL || b->drawn == NULL) {
		bench_close(b);
		return -ENOMEM;
	}
	return 0;
}

void bench_close(struct bench *b)
{
	world_close(&b->w);
	strangers_close(&b->strangers);
	free(b->of);
	free(b->drawn);
	b->of = NULL;
	b->drawn = NULL;
}

// ---- a batch: as many packets as there are buffers -------------------------------------------

static struct pair *subject(struct bench *b, const struct pass *pass, uint32_t i)
{
	return pass->feed == FEED_UNKNOWN ? &b->drawn[i] : &b->w.pairs[b->of[i]];
}

static void choose(struct bench *b, const struct pass *pass, uint32_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (pass->feed == FEED_UNKNOWN)
			b->drawn[i] = strangers_draw(&b->strangers, &b->w);
		else
			b->of[i] = feed_key(&b->w, pass->keys, pass->n, pass->first + at + i);
	}
}

// The length of each.
static size_t write_batch(struct bench *b, const struct pass *pass, uint32_t n)
{
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++) {
		__builtin_prefetch(subject(b, pass, min_u32(i + AHEAD, n - 1)));
		len = feed_write(feed_l3(&b->w, i), subject(b, pass, i), pass->feed);
	}
	return len;
}

static inline void fetch(const struct world *w, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < min_u32(from + SHARD_BURST, n); i++)
		__builtin_prefetch(feed_l3(w, i), 1);
}

static inline bool receive(struct pkt *p, uint8_t *l3, size_t len, bool inside)
{
	if (pkt_parse_ip4(p, l3, len) != DROP_NONE)
		return false;
	p->buf = l3;
	p->room = FRAME_ROOM - FEED_L3_AT;
	p->stage = PKT_FRESH;
	p->iface = inside ? IFACE_INSIDE : IFACE_OUTSIDE;
	return true;
}

// Cycles of n packets in their buffers.
static uint64_t run_batch(
	struct bench *b, const struct pass *pass, uint32_t n, size_t len, bool null)
{
	const struct feed_shape *shape = &feed_shapes[pass->feed];
	struct world *w = &b->w;
	struct pkt packets[SHARD_BURST];
	enum verdict verdicts[SHARD_BURST];
	uint64_t wrong = 0, start = cycles();

	fetch(w, 0, n);
	for (uint32_t at = 0; at < n; at += SHARD_BURST) {
		unsigned burst = min_u32(SHARD_BURST, n - at);

		fetch(w, at + SHARD_BURST, n);
		for (unsigned i = 0; i < burst; i++)
			wrong += !receive(&packets[i], feed_l3(w, at + i), len, shape->inside);
		if (null)
			continue;
		shard_run(w->shard, w->conf, w->now, packets, verdicts, burst, &w->sink);
		for (unsigned i = 0; i < burst; i++)
			wrong += verdicts[i] != shape->verdict;
	}
	start = cycles() - start;
	b->failures += wrong;
	return start;
}

static void check_batch(struct bench *b, const struct pass *pass, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		__builtin_prefetch(subject(b, pass, min_u32(i + AHEAD, n - 1)));
		b->failures += !feed_check(feed_l3(&b->w, i), subject(b, pass, i), pass->feed);
	}
}

// ---- passes ----------------------------------------------------------------------------------

uint64_t pass_run(struct bench *b, const struct pass *pass, bool null)
{
	uint32_t room = pass->cold ? b->w.n_frames : POOL;
	uint64_t spent = 0;

	for (uint32_t at = 0; at < pass->count; at += room) {
		uint32_t n = min_u32(room, pass->count - at);
		size_t len;

		choose(b, pass, at, n);
		len = write_batch(b, pass, n);
		spent += run_batch(b, pass, n, len, null);
		if (null)
			continue;
		check_batch(b, pass, n);
		world_read_log(&b->w);
	}
	return spent;
}

static void run_both(struct bench *b, const struct pass *pass, struct samples *s)
{
	struct rng before = b->w.rng;
	uint64_t null = pass_run(b, pass, true), raw;

	b->w.rng = before;
	raw = pass_run(b, pass, false);
	measure_add(s, (double)raw / pass->count, (double)null / pass->count);
}

// The first pass is not counted: it brings in what no packet had touched yet.
struct figure pass_measure(struct bench *b, const struct pass *pass)
{
	struct samples s = {0};

	pass_run(b, pass, false);
	for (unsigned r = 0; r < b->o->runs; r++) {
		run_both(b, pass, &s);
		b->w.now += NS_PER_S;
		world_work(&b->w);
	}
	return measure_settle(&s);
}

uint32_t pass_last_part(const struct bench *b, uint32_t part)
{
	return max_u32(b->w.n / part, min_u32(LEAST_SLICE * b->o->runs, b->w.n / 2));
}

uint32_t pass_slice(const struct bench *b, uint32_t all)
{
	return max_u32(all / b->o->runs, 1);
}

struct figure pass_measure_slices(struct bench *b, const struct pass *pass, uint32_t all)
{
	uint32_t slice = pass_slice(b, all);
	struct samples s = {0};

	for (uint32_t r = 0; r < b->o->runs && (r + 1) * slice <= all; r++) {
		struct pass part = *pass;

		part.first = pass->first + r * slice;
		part.count = r + 1 == b->o->runs ? all - r * slice : slice;
		run_both(b, &part, &s);
	}
	return measure_settle(&s);
}

void pass_do(struct bench *b, enum feed feed, uint32_t first, uint32_t count)
{
	struct pass pass = {.feed = feed, .first = first, .count = count};

	pass_run(b, &pass, false);
}
