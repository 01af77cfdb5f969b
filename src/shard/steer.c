// SPDX-License-Identifier: Apache-2.0
// Who owns a packet (design D1, D2): from inside the hash of the subscriber's address, from outside
// the deal of external addresses; ICMP errors by the embedded endpoint of our side; PCP requests
// for another host, once their own source's shard let them through, by the hash of that host. The
// fragments of a datagram from outside meet where its identification leads, because only one of
// them has ports; each then goes on to the owner of these.
#include <postern/shard.h>

#include "world.h"

static uint16_t outside_owner(const struct conf *c, const struct pkt *p, uint16_t any)
{
	const struct conf_local *local = conf_find_local(c, 0, p->dst);
	const struct ip4_wire *ip = (const void *)p->l3;
	const struct conf_external *e;

	if (local == NULL || local->kind != CONF_LOCAL_POOL)
		return any;
	e = &c->external[local->index];
	if (p->kind == PKT_ICMP_ERROR)
		return conf_outside_owner(c, e, p->inner.kind, p->inner.sport);
	if (p->kind == PKT_FRAGMENT)
		return conf_fragment_owner(c, e, p->src, be16_get(ip->id));
	return conf_outside_owner(c, e, p->kind, p->dport);
}

uint16_t shard_owner(const struct conf *c, const struct pkt *p, uint16_t any)
{
	if (p->kind == PKT_IP6)
		return any;
	if (is_from_outside(c, p))
		return outside_owner(c, p, any);
	if (p->stage == PKT_THIRD_PARTY)
		return pcp_target_owner(c, p, any);
	return conf_inside_owner(c, p->kind == PKT_ICMP_ERROR ? p->inner.dst : p->src);
}
