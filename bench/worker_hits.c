// SPDX-License-Identifier: Apache-2.0
// What the loop pays for packets of mappings that stand: one worker, two, and packets of the other.
//
// The null pipeline is the same loop, feed and mappings, with a snapshot that lets the peer by
// untranslated (nat-pass-through): received, parsed, steered, routed and sent as a router would.
// Snapshots change between the runs, so that none pays for what only the other has.
#include "worker.h"

#include <stdio.h>

enum {
	RUN_PATIENCE_S = 60
};

// ---- one measurement -------------------------------------------------------------------------

struct kind { // of packets
	const char *name;
	bool out, in;
};

static const struct kind kinds[] = {
	{"in2out-hit", true, false}, {"out2in-hit", false, true}, {"mixed-hit", true, true}};

static struct order measured(struct rig *r, const struct options *o, const struct kind *kind)
{
	struct order order = rig_data(r, 0, kind->out, kind->in);

	order.settle = r->frames + HOT_FRAMES;
	order.frames = o->frames;
	return order;
}

// Cycles a packet on each worker that has an order.
static void collect(struct rig *r, uint16_t first, uint16_t end, double *cycles, uint64_t *failures)
{
	for (uint16_t k = first; k < end; k++)
		*failures += !rig_await(r, k, RUN_PATIENCE_S);
	for (uint16_t k = first; k < end; k++) {
		const struct report *report = rig_report(r, k);

		cycles[k] = report->sent ? (double)report->ticks / (double)report->sent : 0;
	}
}

static double mean_of_all(struct rig *r, const struct order *order, uint64_t *failures)
{
	double cycles[RIG_WORKERS], sum = 0;

	rig_order_all(r, order);
	collect(r, 0, r->wish.workers, cycles, failures);
	for (uint16_t k = 0; k < r->wish.workers; k++)
		sum += cycles[k];
	return sum / r->wish.workers;
}

static double run_alone(struct rig *r, struct order order, uint64_t *failures)
{
	order.mode = FEED_ALONE;
	return mean_of_all(r, &order, failures);
}

static double run_null(struct rig *r, struct order order, uint64_t *failures)
{
	rig_use(r, RIG_PASS);
	order.untranslated = true;
	double cycles = mean_of_all(r, &order, failures);
	rig_use(r, RIG_PLAIN);
	return cycles;
}

// Every packet that was given was sent: drops count as failures, of one worker.
static void run_kind(const struct row *w, struct rig *r, const struct kind *kind, const char *name,
	uint64_t *failures)
{
	struct runs runs = {.n = w->o->runs};
	uint64_t dropped = rig_drops(r), failed = 0;
	struct order order = measured(r, w->o, kind);

	for (unsigned i = 0; i < runs.n; i++) {
		runs.feed[i] = run_alone(r, order, &failed);
		runs.null[i] = run_null(r, order, &failed);
		runs.raw[i] = mean_of_all(r, &order, &failed);
	}
	failed += rig_drops(r) - dropped;
	row_cycles(w, name, &runs, failed);
	*failures += failed;
	for (unsigned i = 0; i < w->o->n_sizes && kind == &kinds[0]; i++) {
		if (w->o->sizes[i] == w->mappings && w->o->shared->raw[i] <= 0)
			w->o->shared->raw[i] = middle(runs.raw, runs.n, 0.5);
	}
}

// ---- scenes ----------------------------------------------------------------------------------

static int open_filled(struct rig *r, const struct options *o, uint16_t workers, uint32_t size,
	uint32_t frames, uint64_t *failures)
{
	struct rig_wish wish = {
		.workers = workers, .mappings = size, .frames = frames, .seed = o->seed};
	double seconds;
	int error = rig_open(r, &wish);

	if (error)
		return error;
	*failures += rig_fill(r, false, &seconds);
	*failures += rig_check(r, true, true);
	return 0;
}

int scene_hits(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	char name[40];
	int error = open_filled(&r, o, 1, size, COLD_FRAMES, failures);

	if (error)
		return error;
	for (unsigned cold = 0; cold < 2; cold++) {
		r.frames = cold ? COLD_FRAMES : HOT_FRAMES;
		for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
			snprintf(name, sizeof name, "%s%s", kinds[i].name, cold ? "-cold" : "");
			run_kind(&row, &r, &kinds[i], name, failures);
		}
	}
	*failures += rig_check(&r, true, true);
	rig_close(&r);
	return 0;
}

// Two workers' rate by that of one of them while the other polls empty queues, in the same run:
// tables are as large in both, and the machine is in the same mood.
static double ratio_once(struct rig *r, const struct order *order, double *both, uint64_t *failures)
{
	double alone[RIG_WORKERS], together[RIG_WORKERS], one = 0, two = 0;

	for (uint16_t k = 0; k < RIG_WORKERS; k++) {
		struct order own = *order;

		own.count = r->pairs[k].n;
		rig_order(r, k, &own);
		collect(r, k, (uint16_t)(k + 1), alone, failures);
	}
	rig_order_all(r, order);
	collect(r, 0, RIG_WORKERS, together, failures);
	*both = 0;
	for (uint16_t k = 0; k < RIG_WORKERS; k++) {
		one += 1 / alone[k] / RIG_WORKERS;
		two += 1 / together[k];
		*both += together[k] / RIG_WORKERS;
	}
	return two / one;
}

int scene_scaling(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	struct runs runs = {.n = o->runs};
	double ratio[MAX_RUNS];
	uint64_t failed = 0, dropped;
	int error = open_filled(&r, o, RIG_WORKERS, size, HOT_FRAMES, failures);

	if (error)
		return error;
	struct order order = measured(&r, o, &kinds[2]);
	dropped = rig_drops(&r);
	for (unsigned i = 0; i < runs.n; i++) {
		runs.feed[i] = run_alone(&r, order, &failed);
		runs.null[i] = run_null(&r, order, &failed);
		ratio[i] = ratio_once(&r, &order, &runs.raw[i], &failed);
	}
	failed += rig_drops(&r) - dropped;
	row_cycles(&row, "two-workers", &runs, failed);
	row_value(&row, "two-workers-by-one", middle(ratio, runs.n, 0.5), "x",
		"rate of both by the mean of each alone, median of the runs");
	*failures += failed;
	rig_close(&r);
	return 0;
}

// ---- hand-off --------------------------------------------------------------------------------

static const struct share {
	const char *name, *cost;
	uint32_t of; // of 2^32
	const char *remark;
} shares[] = {
	{"handoff-0", NULL, 0, ""},
	{"handoff-1", "handoff-cost-1", UINT32_MAX / 100, "mostly alone in their bursts"},
	{"handoff-50", "handoff-cost-50", UINT32_MAX / 2, "full bursts"},
};

static uint64_t handed(const struct rig *r)
{
	uint64_t sum = 0;

	for (uint16_t k = 0; k < r->wish.workers; k++)
		sum += io_counters(r->io, k)->handoff_out;
	return sum;
}

static uint64_t lost_in_rings(const struct rig *r)
{
	uint64_t sum = 0;

	for (uint16_t k = 0; k < r->wish.workers; k++)
		sum += io_counters(r->io, k)->drops[DROP_HANDOFF_FULL];
	return sum;
}

static void tell_handoff(
	const struct row *w, const struct runs runs[ARRAY_SIZE(shares)], uint64_t n_handed)
{
	for (unsigned s = 0; s < ARRAY_SIZE(shares); s++) {
		double cost[MAX_RUNS], share = (double)shares[s].of / UINT32_MAX;

		row_cycles(w, shares[s].name, &runs[s], 0);
		if (!shares[s].cost)
			continue;
		for (unsigned i = 0; i < runs[s].n; i++)
			cost[i] = (runs[s].raw[i] - runs[0].raw[i]) / share;
		row_value(w, shares[s].cost, middle(cost, runs[s].n, 0.5), "cycles",
			shares[s].remark);
	}
	uint64_t n_lost = lost_in_rings(w->r);
	double lost = (double)n_lost * 1e6 / (double)(n_handed + n_lost + 1);
	row_value(w, "handoff-lost", lost, "of a million",
		"dropped, the other worker's ring being full: it was not scheduled");
}

int scene_handoff(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	struct runs runs[ARRAY_SIZE(shares)] = {{.n = o->runs}, {.n = o->runs}, {.n = o->runs}};
	uint64_t dropped, rings;
	int error = open_filled(&r, o, RIG_WORKERS, size, HOT_FRAMES, failures);

	if (error)
		return error;
	dropped = rig_drops(&r);
	rings = lost_in_rings(&r);
	for (unsigned i = 0; i < o->runs; i++) {
		for (unsigned s = 0; s < ARRAY_SIZE(shares); s++) {
			struct order order = measured(&r, o, &kinds[2]);

			order.strangers = shares[s].of;
			runs[s].raw[i] = mean_of_all(&r, &order, failures);
			order.strangers = 0;
			runs[s].null[i] = s ? runs[0].null[i] : run_null(&r, order, failures);
			runs[s].feed[i] = s ? runs[0].feed[i] : run_alone(&r, order, failures);
		}
	}
	*failures += rig_drops(&r) - dropped - (lost_in_rings(&r) - rings);
	tell_handoff(&row, runs, handed(&r));
	rig_close(&r);
	return 0;
}
