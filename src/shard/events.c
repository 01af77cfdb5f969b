// SPDX-License-Identifier: Apache-2.0
// What room nat has to tell, numbered and stamped, on its way to the log. Forwarding never waits
// for it: an event that finds no room is lost and counted, and its number is missing (RFC 8158
// collectors and ours see the gap). Only where the operator wants no mapping without its record is
// a mapping refused instead.
#include <postern/shard.h>

#include "world.h"

enum {
	BLOCKS_A_STEP = 256,
	// Places that stay free for what ends meanwhile: where new mappings are refused for want of
	// room, the ends of old ones still have some.
	KEPT_FREE = 1024
};

static bool have_room(const struct shard *s)
{
	return ring_free(s->events.ring) >= KEPT_FREE;
}

bool events_allow(const struct shard *s, const struct conf *c)
{
	return !c->log_fail_closed || have_room(s);
}

// Room nat loses what its own list does not take, which is always the newest.
static void count_lost_by_nat(struct shard *s)
{
	uint64_t lost = nat_counters(s->nat)->events_lost;

	s->events.sequence += lost - s->events.nat_lost;
	s->events.nat_lost = lost;
}

// The oldest is written where it will stand. False: there is none.
static bool drain_one(struct shard *s, ns now)
{
	struct shard_event lost, *e = ring_claim(s->events.ring);

	if (!nat_event_next(s->nat, e != NULL ? &e->nat : &lost.nat))
		return false;
	s->events.sequence++;
	if (e == NULL) {
		s->counters.events_lost++;
		return true;
	}
	e->at = now;
	e->sequence = s->events.sequence;
	ring_publish(s->events.ring);
	s->counters.events++;
	return true;
}

void events_drain(struct shard *s, ns now)
{
	while (drain_one(s, now))
		;
	count_lost_by_nat(s);
}

// A round begins so long after the last one began. It waits while the ring is rather full: what is
// new is worth more than what was told before.
static bool starts(struct shard *s, const struct conf *c, ns now)
{
	struct events *e = &s->events;

	if (e->told == 0)
		e->told = now;
	if (c->log_interim_s == 0 || now - e->told < c->log_interim_s * NS_PER_S)
		return false;
	e->told = now;
	e->telling = true;
	e->cursor = 0;
	return true;
}

bool events_step(struct shard *s, const struct conf *c, ns now)
{
	struct events *e = &s->events;

	if (!e->telling && !starts(s, c, now))
		return false;
	if (!have_room(s))
		return false;
	e->telling = !nat_events_interim(s->nat, &e->cursor, BLOCKS_A_STEP);
	return e->telling;
}
