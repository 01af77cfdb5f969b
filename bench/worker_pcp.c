// SPDX-License-Identifier: Apache-2.0
// PCP beside traffic: a group loses its state and all clients come back at once (RFC 6887 s.8.5),
// and how long a request waits for its answer on a busy core.
#include "worker.h"

#include <stdio.h>

enum {
	REBUILD_PATIENCE_S = 180,
	REQUESTS_A_SECOND = 20000
};

static double seconds_of(const struct rig *r, uint64_t ticks)
{
	return (double)ticks / r->ticks_per_us / 1e6;
}

static int open_rig(struct rig *r, const struct options *o, uint32_t size)
{
	struct rig_wish wish = {.workers = 1,
		.mappings = size,
		.leases = size,
		.frames = HOT_FRAMES,
		.seed = o->seed};

	return rig_open(r, &wish);
}

static struct order asking(struct rig *r, bool suggest)
{
	struct order order = rig_data(r, 0, false, false);

	order.map_each_once = true;
	order.map_count = r->pairs[0].n;
	order.map_suggest = suggest;
	order.wanted[ROLE_MAP] = MAP_FRAMES;
	return order;
}

// Frames a tick of traffic that hits.
static double capacity(struct rig *r, struct order order, const struct options *o)
{
	order.settle = r->frames + HOT_FRAMES;
	order.frames = o->frames;
	rig_order(r, 0, &order);
	(void)rig_await(r, 0, REBUILD_PATIENCE_S);
	const struct report *report = rig_report(r, 0);
	return report->ticks ? (double)report->sent / (double)report->ticks : 0;
}

// ---- Epoch reset -----------------------------------------------------------------------------

static struct order traffic(struct rig *r)
{
	struct order order = rig_data(r, 0, true, false);

	order.count = min_u32(r->pairs[0].n / 4, 65536);
	return order;
}

// The operator clears the group while traffic goes on.
static const struct report *clear(struct rig *r, uint64_t *failures)
{
	uint64_t done = r->wishes_done;
	struct order order = traffic(r);
	unsigned ms = 0;

	rig_order(r, 0, &order);
	rig_clear(r);
	while (r->wishes_done == done && ms++ < REBUILD_PATIENCE_S * 1000)
		rig_tend(r);
	*failures += r->wishes_done == done;
	return rig_report(r, 0);
}

// What the feed alone takes to make as many requests.
static double feed_seconds(struct rig *r)
{
	struct order order = asking(r, true);

	order.mode = FEED_ALONE;
	rig_order(r, 0, &order);
	(void)rig_await(r, 0, REBUILD_PATIENCE_S);
	return seconds_of(r, rig_report(r, 0)->ticks);
}

static const struct report *rebuild(struct rig *r, double half_rate, uint64_t *failures)
{
	struct order order = asking(r, true), data = traffic(r);

	if (half_rate > 0) {
		order.count = data.count;
		order.wanted[ROLE_OUT] = HOT_FRAMES;
		order.rate[ROLE_OUT] = half_rate;
	}
	rig_order(r, 0, &order);
	*failures += !rig_await(r, 0, REBUILD_PATIENCE_S);
	const struct report *report = rig_report(r, 0);
	*failures += r->pairs[0].n - report->granted;
	return report;
}

static void tell_kept(const struct row *w, const struct report *report)
{
	row_value(w, "reset-kept", 100.0 * (double)report->kept / w->mappings, "%",
		"got the external endpoint back that they had");
}

static void rebuild_alone(const struct row *w, struct rig *r, uint64_t *failures)
{
	const struct report *report = rebuild(r, 0, failures);
	double whole = seconds_of(r, report->ticks);

	tell_kept(w, report);
	rows_of_window(w, r, "reset-rebuild", report);
	double feed = feed_seconds(r);
	row_value(w, "reset-rebuild-raw", whole, "s", "making the requests included");
	row_value(w, "reset-rebuild-core", whole - feed, "s", "without what the feed takes alone");
}

static void rebuild_beside(const struct row *w, struct rig *r, double half, uint64_t *failures)
{
	const struct report *report = rebuild(r, half, failures);
	double seconds = seconds_of(r, report->ticks);
	double given = (double)report->given[ROLE_OUT] + (double)report->missed[ROLE_OUT];
	char remark[80];

	snprintf(remark, sizeof remark, "forwarding %.2f Mpps meanwhile, %.3f %% of it missed",
		half * r->ticks_per_us,
		given > 0 ? 100.0 * (double)report->missed[ROLE_OUT] / given : 0);
	row_value(w, "reset-rebuild-half", seconds, "s", remark);
	rows_of_window(w, r, "reset-rebuild-half", report);
}

int scene_reset(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	double seconds;
	int error = open_rig(&r, o, size);

	if (error)
		return error;
	*failures += rig_fill(&r, true, &seconds);
	row_value(&row, "explicit-fill", seconds, "s", "requests of new leases, the feed included");
	double half = capacity(&r, traffic(&r), o) / 2;
	const struct report *report = clear(&r, failures);
	row_value(&row, "reset-cleared", seconds_of(&r, report->ticks), "s",
		"while traffic goes on as fast as it can");
	rows_of_window(&row, &r, "reset-clear", report);
	rebuild_alone(&row, &r, failures);
	(void)clear(&r, failures);
	rebuild_beside(&row, &r, half, failures);
	*failures += RIG_NAT(&r, mappings) < size;
	rig_close(&r);
	return 0;
}

// ---- latency ---------------------------------------------------------------------------------

// Half of the pairs has traffic, the other half PCP: of ten requests nine renew, or make again, and
// one deletes.
static struct order busy(struct rig *r, double rate)
{
	struct order order = rig_data(r, 0, true, true);
	uint32_t half = r->pairs[0].n / 2;

	order.count = half;
	order.rate[ROLE_OUT] = order.rate[ROLE_IN] = rate / 2;
	order.map_first = half;
	order.map_count = r->pairs[0].n - half;
	order.map_suggest = true;
	order.map_deletes = UINT32_MAX / 10;
	order.wanted[ROLE_MAP] = MAP_FRAMES;
	order.rate[ROLE_MAP] = REQUESTS_A_SECOND / r->ticks_per_us / 1e6;
	return order;
}

static uint64_t prepare(struct rig *r)
{
	struct order data = rig_data(r, 0, true, false), maps = asking(r, false);
	uint32_t half = r->pairs[0].n / 2;
	uint64_t missing = r->pairs[0].n;

	data.look = LOOK_LEARN;
	data.each_once = true;
	data.count = half;
	maps.map_first = half;
	maps.map_count = r->pairs[0].n - half;
	rig_order(r, 0, &data);
	(void)rig_await(r, 0, REBUILD_PATIENCE_S);
	missing -= rig_report(r, 0)->learned;
	rig_order(r, 0, &maps);
	(void)rig_await(r, 0, REBUILD_PATIENCE_S);
	return missing - rig_report(r, 0)->granted;
}

int scene_latency(const struct options *o, uint32_t size, uint64_t *failures)
{
	struct rig r;
	struct row row = {o, &r, size};
	char remark[80];
	int error = open_rig(&r, o, size);

	if (error)
		return error;
	*failures += prepare(&r);
	struct order data = rig_data(&r, 0, true, true);
	data.count = r.pairs[0].n / 2;
	double rate = 0.7 * capacity(&r, data, o);
	struct order order = busy(&r, rate);
	rig_order(&r, 0, &order);
	rig_pause(&r, 4 * o->pause_s);
	const struct report *report = rig_report(&r, 0);
	uint64_t missed = report->missed[ROLE_OUT] + report->missed[ROLE_IN];
	uint64_t given = report->given[ROLE_OUT] + report->given[ROLE_IN] + missed;
	*failures += report->granted == 0;
	*failures += report->refused;
	snprintf(remark, sizeof remark,
		"%u PCP requests a second beside, %.4f %% of packets missed", REQUESTS_A_SECOND,
		given ? 100.0 * (double)missed / (double)given : 0);
	row_value(&row, "latency-load", rate * r.ticks_per_us, "Mpps", remark);
	row_times(&row, "pcp-latency", "request", &report->latency, seconds_of(&r, report->ticks));
	row_value(&row, "pcp-latency-p99",
		(double)times_quantile(&report->latency, 0.99) / r.ticks_per_us / 1e3, "ms",
		"at 70 % of what the worker can forward");
	rows_of_window(&row, &r, "latency", report);
	rig_close(&r);
	return 0;
}
