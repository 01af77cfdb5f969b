// SPDX-License-Identifier: Apache-2.0
// One act: the clients map, the server loses its state, and each second is held against the bound.
//
// The bound. What a client does after it has learned of the loss is shifted as a whole by a moment
// drawn evenly from some seconds, the spread: after an ANNOUNCE from the library's own 5 s (RFC
// 6887 s.14.1.3), without one from the --ramp seconds over which the clients once started, because
// it finds out by a renewal, and that follows from its start. So each of its requests falls into
// any given second with a probability of at most 1 / spread, and of `clients` with `mappings` each
//
//	clients * mappings / spread
//
// requests are expected in a second at most, with a variance of at most that times what one client
// may send in it. Bernstein's inequality says what is added so that chance alone breaks the bound
// in one second of 65 million; of large crowds that is six standard deviations. Requests that were
// not answered, or were refused, are asked again at least 2.7 s later: in any second no more than
// were open when it began.
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "crowd.h"

enum {
	SETTLE_S = 5, // between the last start and the loss
	AFTER_S = 2,  // watched when all are whole
	SPREAD_S = 5, // after an announcement
	LONGEST_S = 7200
};

#define ALL_HOSTS ((ip4)0xe0000001) // 224.0.0.1

static uint32_t most_a_second(const struct options *o)
{
	// The request whose answer told of the loss, one at once, and one each shortest gap.
	return 2 + 1000 / (o->pace_ms - o->pace_ms / 5);
}

// `most`: of one client. With a chance of exp(-18) the sum of independent numbers up to k, of the
// variance v, is more than 6k + sqrt(36k^2 + 36v) above its mean.
static uint32_t bound_of(
	const struct options *o, uint32_t clients, uint32_t spread_s, uint32_t most)
{
	double mean = (double)clients * o->mappings / spread_s;
	double k = min_u32(o->mappings, most);
	double more = 6 * k + 6 * sqrt(k * k + mean * k);

	return (uint32_t)fmin(ceil(mean + more), (double)clients * most);
}

// ---- time ------------------------------------------------------------------------------------

static void hear_server(void *ctx, const struct reply *message)
{
	struct crowd *c = ctx;

	if (c->act->announced && c->lost_at != UINT64_MAX && message->to == ALL_HOSTS)
		crowd_announce(c, message);
}

// ---- what is measured on the way -------------------------------------------------------------

static void note_share(const struct crowd *c, double *at, double share)
{
	if (*at < 0 && c->whole_paced >= share * c->n_paced)
		*at = (double)(c->now - c->lost_at) / 1e9;
}

static void note_times(const struct crowd *c, struct outcome *out)
{
	note_share(c, &out->whole_50, 0.5);
	note_share(c, &out->whole_99, 0.99);
	note_share(c, &out->whole_100, 1);
	if (out->unpaced_100 < 0 && c->whole_unpaced == c->n_unpaced)
		out->unpaced_100 = (double)(c->now - c->lost_at) / 1e9;
}

static void run_second(struct crowd *c, uint32_t bound, struct outcome *out)
{
	struct second *s = &c->seconds[c->n_seconds++];

	*s = (struct second){.pending = (uint32_t)c->pending};
	s->bound = bound + s->pending;
	c->second = s;
	c->door.spent = 0;
	for (unsigned ms = 0; ms < 1000; ms++) {
		door_work(&c->door);
		crowd_tick(c);
		if (c->lost_at != UINT64_MAX)
			note_times(c, out);
		c->now += NS_PER_MS;
		c->door.now = c->now;
		calendar_step(&c->calendar);
	}
	s->whole = c->whole_paced + c->whole_unpaced;
	s->core = (float)((double)c->door.spent / 1e9);
}

static uint32_t paced_of(const struct second *s)
{
	return s->first + s->renewals + s->again;
}

static void note_seconds(const struct crowd *c, struct outcome *out, uint32_t lost)
{
	for (uint32_t i = 0; i < c->n_seconds; i++) {
		const struct second *s = &c->seconds[i];

		out->over += paced_of(s) > s->bound;
		if (i < lost)
			continue;
		out->largest = max_u32(out->largest, paced_of(s));
		out->largest_all = max_u32(out->largest_all, paced_of(s) + s->unpaced);
		out->dropped_paced += s->dropped_paced;
		out->core = fmax(out->core, (double)s->core);
	}
}

static void note_server(struct crowd *c, struct outcome *out, uint32_t lost)
{
	const struct shard_counters *counters = shard_counters(c->door.shard);
	uint64_t rate = c->o->request_rate, passed = c->n_seconds - lost;

	memcpy(out->drops, counters->drops, sizeof out->drops);
	for (uint32_t group = 0; group < NAT_MAX_GROUPS; group++) {
		if (counters->server[group].requests > 0)
			out->server = counters->server[group];
	}
	out->answered_unpaced = c->answered_unpaced;
	out->allowed_unpaced = rate > 0 ? c->n_unpaced * (rate * (passed + 2) + 1) : UINT64_MAX;
}

static void note_end(struct crowd *c, struct outcome *out, uint32_t lost)
{
	size_t n = (size_t)c->o->clients * c->o->mappings;

	out->run = true;
	note_seconds(c, out, lost);
	note_server(c, out, lost);
	out->not_whole = c->o->clients - c->whole_paced - c->whole_unpaced;
	out->differ = crowd_differ(c);
	out->restarts = c->restarts;
	out->late = c->arena.late;
	out->kept = 100.0 * (double)c->kept / (double)n;
	out->bytes_client = c->n_paced > 0 ? (double)c->arena.used / c->n_paced : 0;
	out->bytes_server = c->door.bytes;
}

// ---- the act ---------------------------------------------------------------------------------

static void play(struct crowd *c, struct outcome *out)
{
	uint32_t before_s = c->o->ramp_s + SETTLE_S, after = 0;
	int64_t second = -(int64_t)before_s;

	out->ramp_bound = bound_of(c->o, c->n_paced, c->o->ramp_s, c->o->mappings);
	out->first_bound = bound_of(
		c->o, c->n_paced, c->act->announced ? SPREAD_S : c->o->ramp_s, most_a_second(c->o));
	for (; second < 0; second++) {
		rows_progress(c, second);
		run_second(c, out->ramp_bound, out);
	}
	crowd_lose(c);
	while (after < AFTER_S && second < LONGEST_S) {
		rows_progress(c, second++);
		run_second(c, out->first_bound, out);
		after += crowd_is_whole(c);
	}
}

int act_run(const struct options *o, const struct act *act, struct outcome *out)
{
	struct crowd c;
	int error = crowd_open(&c, o, act);

	*out = (struct outcome){
		.act = act, .whole_50 = -1, .whole_99 = -1, .whole_100 = -1, .unpaced_100 = -1};
	c.door.ctx = &c;
	c.door.unasked = hear_server;
	if (error == 0) {
		c.seconds = calloc(o->ramp_s + SETTLE_S + LONGEST_S, sizeof *c.seconds);
		error = c.seconds == NULL ? -ENOMEM : 0;
	}
	if (error == 0) {
		play(&c, out);
		note_end(&c, out, o->ramp_s + SETTLE_S);
		rows_seconds(&c, -(int64_t)(o->ramp_s + SETTLE_S));
	}
	crowd_close(&c);
	return error;
}
