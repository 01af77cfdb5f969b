// SPDX-License-Identifier: Apache-2.0
// Unsolicited ANNOUNCE (RFC 6887 s.14.1): told from each address at which a group's server listens,
// on every inside interface that has subscribers of the group.
#include <postern/shard.h>

#include "world.h"

#define ALL_HOSTS ((ip4)0xe0000001) // 224.0.0.1

static bool has_subscribers(const struct conf *c, uint8_t realm, uint32_t group)
{
	const struct prefix_table *t = &c->subscribers[realm];

	for (uint32_t i = 0; i < t->n; i++) {
		if (t->value[i] == group)
			return true;
	}
	return false;
}

static void announce_from(struct shard *s, const struct conf *c, ns now, uint32_t group,
	uint16_t iface, ip4 from, const struct shard_sink *sink)
{
	struct pkt *p = sink->alloc(sink->ctx);
	size_t len;

	if (p == NULL) {
		s->counters.drops[DROP_NO_BUFFER]++;
		return;
	}
	len = server_announce(p->l3 + sizeof(struct ip4_wire) + sizeof(struct udp_wire),
		group_epoch_s(s, group, now));
	xlat_udp_make(p, from, c->groups[group].pcp_port, ALL_HOSTS, PCP_CLIENT_PORT, 1, len);
	p->iface = iface;
	p->next_hop = iface; // the first next hops are the interfaces' own links
	p->via = ALL_HOSTS;
	s->counters.announces_sent++;
	sink->send(sink->ctx, p);
}

static void announce_group(struct shard *s, const struct conf *c, ns now, uint32_t group,
	const struct shard_sink *sink)
{
	const struct conf_group *g = &c->groups[group];

	for (uint16_t i = 0; i < c->n_interfaces; i++) {
		const struct conf_interface *in = &c->interfaces[i];

		if (in->side != CONF_INSIDE || !has_subscribers(c, in->realm, group))
			continue;
		if (g->listen_gateway && in->n_addresses > 0)
			announce_from(s, c, now, group, i, in->addresses[0].ip, sink);
		for (unsigned k = 0; k < g->n_listen; k++)
			announce_from(s, c, now, group, i, g->listen[k], sink);
	}
}

void announce_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	for (uint32_t group = 0; group < CONF_MAX_GROUPS; group++) {
		const struct conf_group *g = &c->groups[group];

		if (g->used && g->pcp.enabled &&
			(s->announce_all || s->announce_groups >> group & 1))
			announce_group(s, c, now, group, sink);
	}
	s->announce_all = false;
	s->announce_groups = 0;
}
