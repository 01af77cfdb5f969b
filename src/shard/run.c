// SPDX-License-Identifier: Apache-2.0
// The burst pipeline: sort the packets, look whole bursts up with their memory on the way, then
// finish each. The odd ones (errors, our own addresses) are answered while sorting.
#include <postern/shard.h>

#include "world.h"

bool route(const struct conf *c, uint8_t realm, struct pkt *p)
{
	uint32_t i = prefix_table_find(&c->routes[realm], p->dst);

	if (i == PREFIX_NONE)
		return false;
	p->next_hop = (uint16_t)i;
	p->via = c->next_hops[i].gateway != 0 ? c->next_hops[i].gateway : p->dst;
	return true;
}

bool fits_link(const struct conf *c, const struct pkt *p)
{
	return p->len <= c->interfaces[c->next_hops[p->next_hop].iface].mtu;
}

void shard_run(struct shard *s, const struct conf *c, ns now, struct pkt *packets,
	enum verdict *verdicts, unsigned n, const struct shard_sink *sink)
{
	struct burst b;

	b.s = s;
	b.c = c;
	b.sink = sink;
	b.now = now;
	b.now_s = (uint32_t)(now / NS_PER_S);
	b.packets = packets;
	b.verdicts = verdicts;
	b.n_out = b.n_in = 0;
	for (unsigned i = 0; i < n; i++)
		verdicts[i] = is_from_outside(c, &packets[i]) ? inbound_sort(&b, i)
							      : outbound_sort(&b, i);
	if (b.n_out > 0)
		outbound_finish(&b);
	if (b.n_in > 0)
		inbound_finish(&b);
}
