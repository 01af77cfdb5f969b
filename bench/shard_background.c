// SPDX-License-Identifier: Apache-2.0
// Background work: what falls due all at once is worked off in the portions of shard_step(), and
// the runs are equal parts of that work. There is no null pipeline beside it.
#include "shard.h"

enum {
	STEPS_MOST = 64, // between two looks at the log, whose ring they must not fill
	STEP_ENDS = 32,  // what one step ends, about
	PATIENCE_S = 60,
	IDLE_S = 10, // a run of doing nothing: the longest sweep comes round in that time
	REST_S = 121 // hold-down-timeout and pcp-hold-down are 120 s
};

uint64_t left_mappings(const struct nat_counters *n)
{
	return n->mappings;
}

uint64_t left_resting(const struct nat_counters *n)
{
	return n->resting + n->leases;
}

// True when there is more to do. The log is read outside the clock.
static bool step_some(struct bench *b, unsigned steps, uint64_t *spent)
{
	struct world *w = &b->w;
	uint64_t start = cycles();
	bool more = true;

	for (unsigned i = 0; i < steps && more; i++)
		more = shard_step(w->shard, w->conf, w->now, &w->sink);
	*spent += cycles() - start;
	world_read_log(w);
	return more;
}

// So many steps at once that a run is not passed over.
static unsigned steps_of(const struct bench *b, uint64_t all)
{
	uint64_t steps = all / b->o->runs / STEP_ENDS;

	return steps > STEPS_MOST ? STEPS_MOST : max_u32((uint32_t)steps, 1);
}

struct portions {
	struct samples samples;
	uint64_t all, left; // at first, and when the last run was closed
	uint64_t spent;     // since
	uint32_t n;         // mappings that there were
};

static void close_run(struct portions *p, uint64_t left)
{
	double each = (double)p->spent / (double)(p->left - left);

	measure_add(&p->samples, each * (double)p->all / p->n, 0);
	p->left = left;
	p->spent = 0;
}

struct figure background_measure(struct bench *b, uint32_t after_s, left_fn *left, uint32_t n)
{
	const struct nat_counters *counters = shard_nat_counters(b->w.shard);
	struct portions p = {.all = left(counters), .left = left(counters), .n = n};
	unsigned steps = steps_of(b, p.all);

	b->w.now += after_s * NS_PER_S;
	for (unsigned second = 0; left(counters) > 0 && second < PATIENCE_S; second++) {
		bool more = true;

		while (more) {
			more = step_some(b, steps, &p.spent);
			if (p.left - left(counters) > p.all / b->o->runs)
				close_run(&p, left(counters));
		}
		b->w.now += NS_PER_S;
	}
	if (p.left > left(counters))
		close_run(&p, left(counters));
	b->failures += left(counters);
	return measure_settle(&p.samples);
}

struct figure background_measure_idle(struct bench *b)
{
	struct samples s = {0};

	world_work(&b->w);
	for (unsigned r = 0; r < b->o->runs; r++) {
		uint64_t spent = 0;

		for (unsigned second = 0; second < IDLE_S; second++) {
			b->w.now += NS_PER_S;
			while (step_some(b, STEPS_MOST, &spent))
				;
		}
		measure_add(&s, (double)spent / IDLE_S, 0);
	}
	return measure_settle(&s);
}

void background_end(struct bench *b, const char *name, uint32_t after_s)
{
	uint32_t n = (uint32_t)shard_nat_counters(b->w.shard)->mappings;
	struct figure end, rest;

	if (n == 0)
		return;
	rows_progress(b, name);
	end = background_measure(b, after_s, left_mappings, n);
	rest = background_measure(b, REST_S, left_resting, n);
	rows_part(b, name, "end", end);
	rows_part(b, name, "rest", rest);
	rows_figure(b, name, measure_sum(end, rest));
}
