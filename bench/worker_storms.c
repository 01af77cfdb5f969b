// SPDX-License-Identifier: Apache-2.0
// What background work takes from a loop that forwards as fast as it can: every mapping falls due
// at once, a snapshot is taken over, a table is filled. Steps and polls are timed by the feed, in
// the production loop; an empty loop on the same core tells which gaps the machine itself makes.
#include "worker.h"

#include <stdio.h>

enum {
	STORM_PATIENCE_S = 120,
	REST_S = 2, // hold-down: what ends rests, and comes out of its rest, in one window
	APPLIES = 4
};

// Mappings that traffic keeps alive meanwhile: some of nearly every subscriber, so that his other
// ports have a block which was answered, and must rest when they end.
static uint32_t n_forwarded(uint32_t size)
{
	return min_u32(size / 4, max_u32(65536, size / 16));
}

static double seconds_of(const struct rig *r, const struct report *report)
{
	return (double)report->ticks / r->ticks_per_us / 1e6;
}

// ---- windows ---------------------------------------------------------------------------------

void rows_of_window(
	const struct row *w, struct rig *r, const char *operation, const struct report *report)
{
	double seconds = seconds_of(r, report);
	double most = 10 * w->o->pause_s, spin_s = seconds < most ? seconds : most;
	struct order spin = {
		.mode = FEED_SPIN, .ticks = (uint64_t)(spin_s * r->ticks_per_us * 1e6)};

	if (report->step.n > 0)
		row_times(w, operation, "step", &report->step, seconds);
	if (report->work.n > 0)
		row_times(w, operation, "work", &report->work, seconds);
	row_times(w, operation, "poll-gap", &report->gap, seconds);
	rig_order(r, 0, &spin);
	(void)rig_await(r, 0, 2 * spin_s + 10);
	row_times(w, operation, "empty-loop", &rig_report(r, 0)->gap, spin_s);
}

// Forwarding in both directions as fast as the worker takes it, and nothing else to do.
static struct order forwarding(struct rig *r, uint32_t size)
{
	struct order order = rig_data(r, 0, true, true);

	order.count = n_forwarded(size);
	return order;
}

static void quiet_window(const struct row *w, struct rig *r, const char *operation)
{
	struct order order = forwarding(r, w->mappings);

	rig_order(r, 0, &order);
	rig_pause(r, w->o->pause_s);
	const struct report *report = rig_report(r, 0);
	row_times(w, operation, "step", &report->step, seconds_of(r, report));
	row_times(w, operation, "poll-gap", &report->gap, seconds_of(r, report));
}

// Until a gauge or counter is `wanted`; false: it took too long.
static bool wait_for(struct rig *r, size_t counter, uint64_t wanted, bool at_most)
{
	for (unsigned ms = 0; ms < STORM_PATIENCE_S * 1000; ms++) {
		uint64_t now = rig_nat(r, counter);

		if (at_most ? now <= wanted : now >= wanted)
			return true;
		rig_tend(r);
	}
	return false;
}

static int open_rig(struct rig *r, const struct options *o, uint32_t size, uint32_t leases)
{
	struct rig_wish wish = {.workers = 1,
		.mappings = size,
		.leases = leases,
		.frames = HOT_FRAMES,
		.hold_down_s = REST_S,
		.seed = o->seed};

	return rig_open(r, &wish);
}

// A part of the pairs gets implicit mappings.
static uint64_t fill_part(struct rig *r, uint32_t first, uint32_t count)
{
	struct order order = rig_data(r, 0, true, false);

	order.look = LOOK_LEARN;
	order.each_once = true;
	order.first = first;
	order.count = count;
	rig_order(r, 0, &order);
	(void)rig_await(r, 0, STORM_PATIENCE_S);
	return count - rig_report(r, 0)->learned;
}

// ---- storms ----------------------------------------------------------------------------------

// Unanswered UDP that has been idle for a while, and a snapshot that makes all of it due at once.
int scene_implicit_storm(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	uint32_t kept = n_forwarded(size);
	int error = open_rig(&r, o, size, 0);

	if (error)
		return error;
	*failures += fill_part(&r, 0, kept);
	*failures += fill_part(&r, kept, size - kept);
	quiet_window(&row, &r, "quiet-implicit");
	rig_pause(&r, RIG_HASTY_S + 1); // long enough for the last of them
	struct order order = forwarding(&r, size);
	rig_order(&r, 0, &order);
	rig_publish(&r, RIG_HASTY);
	*failures += !wait_for(&r, offsetof(struct nat_counters, mappings), kept, true);
	*failures += !wait_for(&r, offsetof(struct nat_counters, resting), 0, true);
	const struct report *report = rig_report(&r, 0);
	row_value(&row, "storm-implicit-ended", (double)(size - kept) / seconds_of(&r, report),
		"mappings/s", "swept in ten seconds, hold-down included");
	rows_of_window(&row, &r, "storm-implicit", report);
	rig_close(&r);
	return 0;
}

// Leases asked for with the lifetime that lets all of them end in one second.
static uint64_t fill_leases(struct rig *r, uint32_t first, uint32_t count, ns due)
{
	struct order order = rig_data(r, 0, false, false);

	order.map_each_once = true;
	order.map_first = first;
	order.map_count = count;
	order.map_due = due;
	order.wanted[ROLE_MAP] = MAP_FRAMES;
	rig_order(r, 0, &order);
	(void)rig_await(r, 0, STORM_PATIENCE_S);
	return count - rig_report(r, 0)->granted;
}

static void wait_until(struct rig *r, ns moment)
{
	while (io_now(r->io) < moment)
		rig_tend(r);
}

int scene_explicit_storm(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	uint32_t kept = n_forwarded(size);
	int error = open_rig(&r, o, size, size);

	if (error)
		return error;
	*failures += fill_part(&r, 0, kept);
	ns due = io_now(r.io) + (4 + size / 250000) * NS_PER_S;
	*failures += fill_leases(&r, kept, size - kept, due);
	if (io_now(r.io) > due) {
		fprintf(stderr, "bench-worker: the leases were not made before they were due\n");
		++*failures;
	}
	struct order order = forwarding(&r, size);
	wait_until(&r, due - NS_PER_S / 2);
	rig_order(&r, 0, &order);
	*failures +=
		!wait_for(&r, offsetof(struct nat_counters, explicit_expired), size - kept, false);
	*failures += !wait_for(&r, offsetof(struct nat_counters, leases), 0, true);
	const struct report *report = rig_report(&r, 0);
	row_value(&row, "storm-explicit-ended", (double)(size - kept) / seconds_of(&r, report),
		"leases/s", "due in one second, hold-down included");
	rows_of_window(&row, &r, "storm-explicit", report);
	rig_close(&r);
	return 0;
}

// ---- a configuration is applied --------------------------------------------------------------

// 16 addresses and 64 static mappings come, or go, and a limit changes. The windows end when the
// last address that left is forgotten.
static double apply_once(struct rig *r, enum rig_conf which, struct report *all, uint64_t *failures)
{
	uint64_t addresses = RIG_NAT(r, addresses);
	struct order order = forwarding(r, r->wish.mappings);

	rig_order(r, 0, &order);
	ns from = io_now(r->io);
	rig_publish(r, which);
	while (!rig_took_over(r))
		rig_tend(r);
	double ms = (double)(io_now(r->io) - from) / 1e6;
	if (which == RIG_PLAIN)
		*failures += !wait_for(r, offsetof(struct nat_counters, addresses),
			addresses - RIG_GROWN_ADDRESSES, true);
	const struct report *report = rig_report(r, 0);
	all->ticks += report->ticks;
	times_merge(&all->step, &report->step);
	times_merge(&all->work, &report->work);
	times_merge(&all->gap, &report->gap);
	return ms;
}

int scene_apply(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	struct report all = {.ticks = 0};
	double ms[2 * APPLIES];
	int error = open_rig(&r, o, size, 0);

	if (error)
		return error;
	*failures += fill_part(&r, 0, size);
	for (unsigned i = 0; i < 2 * APPLIES; i++)
		ms[i] = apply_once(&r, i % 2 ? RIG_PLAIN : RIG_GROWN, &all, failures);
	row_value(&row, "apply-taken-over", middle(ms, ARRAY_SIZE(ms), 0.5), "ms",
		"from the swap until the worker reports the generation");
	rows_of_window(&row, &r, "apply", &all);
	rig_close(&r);
	return 0;
}

// ---- a fill ----------------------------------------------------------------------------------

// All hosts with all their ports, one worker: none is lost, and each is translated as it was made.
int scene_fill(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, o->subscribers * HOST_PORTS};
	uint64_t dropped, lost;
	(void)size;
	int error = open_rig(&r, o, row.mappings, 0);

	if (error)
		return error;
	dropped = rig_drops(&r);
	lost = fill_part(&r, 0, row.mappings);
	const struct report *report = feed_report(r.feeds[0]);
	double seconds = seconds_of(&r, report);
	lost += rig_drops(&r) - dropped;
	lost += row.mappings - RIG_NAT(&r, mappings);
	row_value(&row, "fill-lost", (double)lost, "mappings", "packets not sent, or dropped");
	row_value(&row, "fill-rate", row.mappings / seconds / 1e6, "M/s", "the feed included");
	rows_of_window(&row, &r, "fill", report);
	*failures += lost + rig_check(&r, true, true);
	rig_close(&r);
	return 0;
}
