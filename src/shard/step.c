// SPDX-License-Identifier: Apache-2.0
// Background work between bursts, each part bounded by items.
#include <postern/shard.h>

#include "world.h"

// Ports come out of their rest when a second begins, a portion each step.
static bool background(struct shard *s, const struct conf *c, uint32_t now_s)
{
	bool more = nat_step(s->nat, now_s);

	if (s->reconcile.n_resting > 0 && (more || s->reconcile.rested_s != now_s))
		reconcile_rested(s, c, now_s);
	return more;
}

bool shard_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	bool more;

	snapshot_see(s, c);
	more = reconcile_step(s, c, now);
	more |= wishes_step(s, c, now);
	more |= background(s, c, (uint32_t)(now / NS_PER_S));
	more |= fragments_step(s, c, now, sink);
	more |= syns_step(s, c, now, sink);
	more |= events_step(s, c, now);
	events_drain(s, now);
	if (s->generation == 0) // nobody is there to speak to yet
		return more;
	more |= updates_step(s, c, now, sink);
	more |= announce_step(s, c, now, sink);
	return more;
}
