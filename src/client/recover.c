// SPDX-License-Identifier: Apache-2.0
// The server lost what it held for us, or may have: everything that is kept is asked for again, the
// most important first, one every half second or so, so that neither the server nor the link to it
// meets a storm (failures F1 and F33).
#include "state.h"

#define ANNOUNCE_SPREAD (5 * NS_PER_S) // s.14.1.3: not all clients at once

ns pace_slot(struct postern_client *c, ns from)
{
	ns at = later(from, c->pace_next), pace = c->options.pace_ms * NS_PER_MS;

	c->pace_next = at + pace - pace / 5 + schedule_jitter(&c->rng, 2 * pace / 5);
	return at;
}

static bool is_lost(const struct fact *f)
{
	return f->phase == PHASE_HELD && f->wish->want.keep;
}

// Before the first that is less important.
static void sort_in(struct fact **first, struct fact *f)
{
	struct fact **at = first;

	while (*at && (*at)->wish->want.importance >= f->wish->want.importance)
		at = &(*at)->next_lost;
	f->next_lost = *at;
	*at = f;
}

static void recover_all(struct server *s, ns from)
{
	struct fact *lost = NULL;

	for (struct fact *f = s->facts; f; f = f->next_of_server)
		if (is_lost(f))
			sort_in(&lost, f);
	for (struct fact *f = lost; f; f = f->next_lost) {
		f->recovering = true;
		fact_ask(f, later(pace_slot(s->client, from), f->again));
	}
}

static bool waits_beyond(const struct fact *f, ns now)
{
	return (f->phase == PHASE_ASKING || f->phase == PHASE_DELETING) &&
	       is_under_way(&f->request) && f->request.next > now + RENEWALS_APART;
}

void server_hurry(struct server *s, ns now)
{
	for (struct fact *f = s->facts; f; f = f->next_of_server) {
		if (!waits_beyond(f, now))
			continue;
		f->request.next =
			sooner(f->request.next, later(pace_slot(s->client, now), f->again));
		f->request.wait = 0;
		fact_plan(f);
	}
}

void server_lost(struct server *s, uint32_t epoch_s, ns now, bool spread)
{
	struct postern_client *c = s->client;
	ns from = now + (spread ? schedule_jitter(&c->rng, ANNOUNCE_SPREAD) : 0);

	c->counters.restarts++;
	server_tell(s, POSTERN_RESTARTED)->epoch_s = epoch_s;
	s->better = 0; // what restarted may speak version 2 now
	s->has_external = false;
	if (server_asks_first(s)) {
		s->in_flight = NULL;
		announce_start(s, from);
	}
	recover_all(s, from);
}
