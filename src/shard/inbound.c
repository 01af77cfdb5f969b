// SPDX-License-Identifier: Apache-2.0
// Packets from outside, and the second leg of hairpins. What has no mapping costs one look and goes
// nowhere: pool addresses are black holes for everything else, so nothing can loop.
#include <postern/shard.h>

#include "world.h"

enum verdict inbound_sort(struct burst *b, unsigned i)
{
	struct pkt *p = &b->packets[i];
	const struct conf_local *local = conf_find_local(b->c, 0, p->dst);
	const struct ip4_wire *ip = (const void *)p->l3;

	b->s->counters.outside_packets++;
	if (local == NULL)
		return drop(b->s, p, DROP_NOT_POOL_ADDRESS);
	if (p->stage == PKT_FRESH && conf_find_local(b->c, 0, p->src) != NULL)
		return drop(b->s, p, DROP_SPOOFED);
	if (local->kind != CONF_LOCAL_POOL)
		return local_packet(b, p, local);
	if (p->kind == PKT_FRAGMENT)
		return drop(b->s, p, DROP_FRAGMENT);
	if (p->kind == PKT_OTHER)
		return drop(b->s, p, DROP_PROTOCOL);
	if (p->stage == PKT_FRESH && ip->ttl <= 1)
		return refuse(b, p, DROP_TTL, ICMP_TIME_EXCEEDED, 0, 0);
	if (p->kind == PKT_ICMP_ERROR)
		return error_from_outside(b, p);
	b->in_at[b->n_in] = (uint8_t)i;
	b->in[b->n_in].at = (struct recipe){p->dst, p->dport};
	b->in[b->n_in].from = (struct recipe){p->src, p->sport};
	b->in[b->n_in].protocol = p->kind;
	b->n_in++;
	return VERDICT_PASS;
}

static enum verdict finish_in(struct burst *b, struct pkt *p, struct nat_key to)
{
	ip4 external = p->dst;

	p->dst = to.host; // where the packet is to go, before it says so
	if (!route(b->c, to.realm, p))
		return drop(b->s, p, DROP_NO_ROUTE);
	p->dst = external;
	if (!fits_link(b->c, p))
		return refuse(b, p, DROP_MTU_DF, ICMP_UNREACHABLE, ICMP_TOO_BIG,
			b->c->interfaces[b->c->next_hops[p->next_hop].iface].mtu);
	xlat_destination(p, (struct recipe){to.host, to.port});
	b->s->counters.translated_in++;
	return VERDICT_PASS;
}

// A FILTER drops as if nothing were mapped there (RFC 6887 s.13.3): whoever knocks learns nothing.
static enum verdict keep_out(struct burst *b, struct pkt *p, bool filtered)
{
	return drop(b->s, p, filtered ? DROP_PCP_FILTER : DROP_NO_MAPPING_INBOUND);
}

void inbound_finish(struct burst *b)
{
	uint32_t filtered, found = nat_find_in(b->s->nat, b->in, b->n_in, &filtered);

	for (unsigned i = 0; i < b->n_in; i++) {
		struct pkt *p = &b->packets[b->in_at[i]];

		b->verdicts[b->in_at[i]] = found >> i & 1 ? finish_in(b, p, b->in[i].to)
							  : keep_out(b, p, filtered >> i & 1);
	}
}

// RFC 4787 REQ-9: the packet's source reads as external already, and so FILTERs see it.
enum verdict hairpin(struct burst *b, struct pkt *p)
{
	const struct conf_local *local = conf_find_local(b->c, 0, p->dst);
	struct nat_in in = {
		.at = {p->dst, p->dport}, .from = {p->src, p->sport}, .protocol = p->kind};
	uint32_t filtered;

	b->s->counters.hairpinned++;
	if (local == NULL || local->kind != CONF_LOCAL_POOL)
		return drop(b->s, p, DROP_NOT_POOL_ADDRESS);
	p->owner = conf_outside_owner(b->c, &b->c->external[local->index], p->kind, p->dport);
	if (p->owner != b->s->id)
		return VERDICT_HANDOFF;
	if (nat_find_in(b->s->nat, &in, 1, &filtered) == 0)
		return keep_out(b, p, filtered & 1);
	return finish_in(b, p, in.to);
}
