// SPDX-License-Identifier: Apache-2.0
// The procedures of RFC 9693. Phase 1: frames of new connections from the initiator alone, which
// fill both tables, the device's and the tester's. Phase 2: frames of connections that stand, in
// both directions. Between them each connection is validated: a frame from the responder must
// arrive at the very endpoint that began it.
#include "rfc9693.h"

#include <rte_cycles.h>

#include <stdlib.h>

enum {
	QUEUES_MUST_MATTER = 20, // an establishment trial has at least so many queues of frames
	MAX_REPEATS = 15
};

// ---- phases ----------------------------------------------------------------------------------

static struct outcome establish(struct tester *t, uint32_t n, double rate)
{
	struct trial trial = {.sends = {[INITIATOR] = true},
		.order = EACH_ONCE,
		.n = n,
		.rate = rate,
		.learn = true};

	return tester_run(t, &trial);
}

static bool validate(struct tester *t, uint32_t n)
{
	struct trial trial = {
		.sends = {[RESPONDER] = true}, .order = EACH_ONCE, .n = n, .verify = true};
	struct outcome o = tester_run(t, &trial);

	return outcome_is_clean(&o);
}

static struct outcome forward(struct tester *t, uint32_t n, double rate, double seconds)
{
	struct trial trial = {.sends = {true, true},
		.order = AT_RANDOM,
		.n = n,
		.rate = rate,
		.seconds = seconds};

	return tester_run(t, &trial);
}

// ---- rates: binary search (RFC 2544 s.26.1) --------------------------------------------------

struct search {
	struct rig *r;
	struct tester *t;
	const struct plan *plan;
	uint32_t n;
	const char *what;
	bool (*passes)(struct search *s, double rate);
	unsigned trials;
	unsigned invalid; // trials without loss whose connections did not all answer
};

static bool passes_soon(struct search *s, double rate)
{
	for (unsigned i = 0; i < s->plan->attempts; i++) {
		s->trials++;
		progress(s->n, s->what, rate);
		if (s->passes(s, rate))
			return true;
	}
	return false;
}

// The highest rate without loss, up to what an unpaced trial has shown, and a little more. 0 where
// not even a sixteenth of that comes through: somebody else has the CPUs.
static double search_rate(struct search *s, double unpaced)
{
	double low = 0, high = unpaced * 1.1;

	while (high - low > unpaced * s->plan->resolution && high > unpaced / 16) {
		double rate = low == 0 ? unpaced * 0.8 : (low + high) / 2;

		if (low == 0 && rate >= high)
			rate = high / 2;
		if (passes_soon(s, rate))
			low = rate;
		else
			high = rate;
	}
	return low;
}

// ---- maximum connection establishment rate ---------------------------------------------------

static bool establishes(struct search *s, double rate)
{
	struct outcome o;

	rig_clear(s->r, s->t);
	o = establish(s->t, s->n, rate);
	if (!outcome_is_clean(&o) || !outcome_was_offered(&o))
		return false;
	s->invalid += !validate(s->t, s->n);
	return true;
}

struct result measure_establishment(struct rig *r, struct tester *t, const struct plan *plan)
{
	struct search s = {.r = r,
		.t = t,
		.plan = plan,
		.n = r->n,
		.what = "establishment",
		.passes = establishes};
	struct result result = {0};
	struct outcome o;

	if (r->n < QUEUES_MUST_MATTER * QUEUE_FRAMES)
		return result;
	rig_clear(r, t);
	o = establish(t, r->n, 0);
	result.unpaced = (double)o.sent / o.seconds;
	result.value = search_rate(&s, result.unpaced);
	result.trials = s.trials;
	result.validated = s.invalid == 0;
	return result;
}

// ---- throughput with the table full ----------------------------------------------------------

static bool forwards(struct search *s, double rate)
{
	struct outcome o = forward(s->t, s->n, rate, s->plan->seconds);

	return outcome_is_clean(&o) && outcome_was_offered(&o);
}

static double throughput(struct search *s, double *unpaced)
{
	struct outcome o = forward(s->t, s->n, 0, s->plan->seconds);

	*unpaced = (double)o.sent / o.seconds;
	return 2 * search_rate(s, *unpaced / 2);
}

double measure_ceiling(struct tester *t, const struct plan *plan, uint32_t n)
{
	struct search s = {.t = t, .plan = plan, .n = n, .what = "ceiling", .passes = forwards};

	double unpaced;

	return throughput(&s, &unpaced);
}

struct result measure_throughput(struct rig *r, struct tester *t, const struct plan *plan)
{
	struct search s = {
		.r = r, .t = t, .plan = plan, .n = r->n, .what = "throughput", .passes = forwards};
	struct result result = {0};

	rig_clear(r, t);
	establish(t, r->n, 0);
	result.validated = validate(t, r->n);
	result.value = throughput(&s, &result.unpaced);
	result.validated &= rig_mappings(r) == r->n;
	result.trials = s.trials;
	return result;
}

// ---- connection tear-down rate ---------------------------------------------------------------

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// The order to clear an empty table takes its time, too, which is none of the connections'.
struct result measure_teardown(struct rig *r, struct tester *t, const struct plan *plan)
{
	struct result result = {.trials = plan->repeats, .validated = true};
	double seconds[MAX_REPEATS];

	for (unsigned i = 0; i < plan->repeats; i++) {
		uint64_t empty, full;

		progress(r->n, "teardown", 0);
		rig_clear(r, t);
		empty = rig_clear(r, t);
		establish(t, r->n, 0);
		result.validated &= rig_mappings(r) == r->n;
		full = rig_clear(r, t);
		seconds[i] = (double)(full > empty ? full - empty : 1) / (double)rte_get_tsc_hz();
	}
	qsort(seconds, plan->repeats, sizeof *seconds, compare);
	result.value = r->n / seconds[plan->repeats / 2];
	return result;
}

// ---- capacity of the table -------------------------------------------------------------------

static bool holds(struct rig *r, struct tester *t, uint32_t n)
{
	struct outcome o;

	rig_clear(r, t);
	o = establish(t, n, 0);
	return outcome_is_clean(&o) && validate(t, n);
}

// First ever twice as many connections, until they do not all fit; then a binary search. Frames go
// no faster than the device takes them, so what is missing was refused and not lost.
struct result measure_capacity(struct rig *r, struct tester *t, const struct plan *plan)
{
	struct result result = {.validated = true};
	uint32_t step = max_u32((uint32_t)(r->n * plan->resolution / 10), 1);
	uint32_t good = 0, bad = r->n_ends + 1, n = r->n / 4;

	while (good + step < bad) {
		result.trials++;
		progress(n, "capacity", 0);
		if (holds(r, t, n))
			good = n;
		else
			bad = n;
		n = bad > r->n_ends ? min_u32(good * 2, r->n_ends) : good + (bad - good) / 2;
		if (good == r->n_ends)
			break;
	}
	result.value = good;
	return result;
}
