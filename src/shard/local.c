// SPDX-License-Identifier: Apache-2.0
// Packets to our own addresses: ping, PCP, and the polite refusal of everything else.
#include <postern/shard.h>

#include "world.h"

static enum verdict echo(struct burst *b, struct pkt *p)
{
	const struct icmp_wire *icmp = (const void *)(p->l3 + p->l4_at);
	uint8_t realm = realm_of(b->c, p);

	if (icmp->type != ICMP_ECHO)
		return drop(b->s, p, DROP_LOCAL_PROTOCOL);
	xlat_echo_reply(p);
	if (!route(b->c, realm, p))
		return drop(b->s, p, DROP_NO_ROUTE);
	b->s->counters.echo_replies++;
	return VERDICT_REPLY;
}

enum verdict local_packet(struct burst *b, struct pkt *p, const struct conf_local *local)
{
	uint32_t group;

	if (p->stage == PKT_HAIRPINNED)
		return drop(b->s, p, DROP_HAIRPIN_LOOP);
	if (conf_find_local(b->c, realm_of(b->c, p), p->src) != NULL)
		return drop(b->s, p, DROP_SPOOFED);
	switch (p->kind) {
	case PKT_ECHO:
		return echo(b, p);
	case PKT_UDP:
		group = pcp_group(b->c, p, local);
		if (group != PREFIX_NONE)
			return pcp_packet(b, p, group);
		return refuse(
			b, p, DROP_LOCAL_PROTOCOL, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
	case PKT_TCP:
		return refuse(
			b, p, DROP_LOCAL_PROTOCOL, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
	case PKT_FRAGMENT:
		return drop(b->s, p, DROP_FRAGMENT);
	default:
		return drop(b->s, p, DROP_LOCAL_PROTOCOL);
	}
}
