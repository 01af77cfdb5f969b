// SPDX-License-Identifier: Apache-2.0
// Background work between bursts, each part bounded by items.
#include <postern/shard.h>

#include "world.h"

bool shard_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	bool more;

	snapshot_see(s, c);
	more = reconcile_step(s, c, now);
	more |= wishes_step(s, c, now);
	more |= nat_step(s->nat, (uint32_t)(now / NS_PER_S));
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
