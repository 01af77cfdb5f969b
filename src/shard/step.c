// SPDX-License-Identifier: Apache-2.0
// Background work between bursts, each part bounded by items.
#include <postern/shard.h>

#include "world.h"

bool shard_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	uint32_t now_s = (uint32_t)(now / NS_PER_S);
	bool more = reconcile_step(s, c, now_s);

	more |= wishes_step(s, c, now_s);
	more |= nat_step(s->nat, now_s);
	if ((s->announce_all || s->announce_groups != 0) && s->generation != 0)
		announce_step(s, c, now, sink);
	return more;
}
