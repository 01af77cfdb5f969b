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

// /31 has no network or broadcast address (RFC 3021), and an end of one subnet may be a host of
// another.
bool is_subnet_end(const struct conf_interface *iface, ip4 ip)
{
	bool end = false;

	for (uint16_t i = 0; i < iface->n_addresses; i++) {
		ip4 mask = prefix4_mask(iface->addresses[i].bits), host = ip & ~mask;

		if ((iface->addresses[i].ip ^ ip) & mask)
			continue;
		if (iface->addresses[i].bits >= 31 || (host != 0 && host != ~mask))
			return false;
		end = true;
	}
	return end;
}

bool is_impossible_source(const struct conf *c, const struct pkt *p)
{
	const struct conf_interface *iface = iface_of(c, p);

	return is_subnet_end(iface, p->src) || conf_find_local(c, iface->realm, p->src) != NULL;
}

enum verdict local_packet(struct burst *b, struct pkt *p, const struct conf_local *local)
{
	uint32_t group;

	if (p->stage == PKT_HAIRPINNED)
		return drop(b->s, p, DROP_HAIRPIN_LOOP);
	if (is_impossible_source(b->c, p))
		return drop(b->s, p, DROP_SPOOFED);
	switch (p->kind) {
	case PKT_ECHO:
		return echo(b, p);
	case PKT_UDP:
		group = pcp_group(
			b->c, p, local, group_of_host(b, iface_of(b->c, p)->realm, p->src));
		if (group != PREFIX_NONE)
			return pcp_sort(b, p, group);
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
