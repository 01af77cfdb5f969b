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

static void narrow(struct way *way, ip4 first, ip4 last)
{
	ip4 end = min_u32(way->first + way->rest, last);

	way->first = max_u32(way->first, first);
	way->rest = end - way->first;
}

enum drop way_find(struct burst *b, struct way *way, uint8_t realm, ip4 dst, bool leaving)
{
	const struct conf *c = b->c;
	const struct conf_next_hop *hop;
	ip4 first, last;
	uint32_t i = prefix_table_find_around(&c->routes[leaving ? 0 : realm], dst, &first, &last);

	*way = (struct way){.first = first, .rest = last - first, .realm = realm};
	if (leaving &&
		prefix_table_find_around(&c->subscribers[realm], dst, &first, &last) != PREFIX_NONE)
		return DROP_INSIDE_TO_INSIDE;
	if (i == PREFIX_NONE)
		return DROP_NO_ROUTE;
	if (leaving)
		narrow(way, first, last);
	hop = &c->next_hops[i];
	way->gateway = hop->gateway;
	way->next_hop = (uint16_t)i;
	way->mtu = c->interfaces[hop->iface].mtu;
	return DROP_NONE;
}

uint32_t sources_find(struct burst *b, uint8_t realm, ip4 host)
{
	ip4 first, last;
	uint32_t group = prefix_table_find_around(&b->c->subscribers[realm], host, &first, &last);

	b->sources = (struct sources){first, last - first, group, realm};
	return group;
}

uint16_t link_mtu(const struct conf *c, const struct pkt *p)
{
	return c->interfaces[c->next_hops[p->next_hop].iface].mtu;
}

bool fits_link(const struct conf *c, const struct pkt *p)
{
	return p->len <= link_mtu(c, p);
}

bool may_be_cut(const struct pkt *p)
{
	const struct ip4_wire *ip = (const void *)p->l3;

	return !(be16_get(ip->fragment) & IP4_DF);
}

enum verdict send_on(struct burst *b, struct pkt *p)
{
	return fits_link(b->c, p) ? VERDICT_PASS : send_in_pieces(b, p);
}

bool tcp_flags_are_possible(uint8_t flags)
{
	enum {
		NAMED = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK
	};
	static const uint32_t possible = 1u << TCP_SYN | 1u << (TCP_SYN | TCP_ACK) | 1u << TCP_ACK |
					 1u << (TCP_FIN | TCP_ACK) | 1u << TCP_RST |
					 1u << (TCP_RST | TCP_ACK);

	return possible >> (flags & NAMED) & 1;
}

// The checksum tells whether the option was lowered.
void clamp_mss(struct burst *b, struct pkt *p, uint8_t realm, ip4 host)
{
	const struct tcp_wire *tcp = (const void *)(p->l3 + p->l4_at);
	be16 before = tcp->checksum;
	uint32_t group = conf_group_of(b->c, realm, host);

	if (group == PREFIX_NONE || b->c->groups[group].mss_clamp == 0)
		return;
	xlat_clamp_mss(p, b->c->groups[group].mss_clamp);
	b->s->counters.mss_clamped += memcmp(&before, &tcp->checksum, sizeof before) != 0;
}

static enum verdict sort_packet(struct burst *b, unsigned i)
{
	struct pkt *p = &b->packets[i];

	if (unlikely(p->kind == PKT_IP6)) {
		b->n_outside += is_from_outside(b->c, p);
		return ip6_packet(b, p);
	}
	if (!is_from_outside(b->c, p))
		return outbound_sort(b, i);
	b->n_outside++;
	return inbound_sort(b, i);
}

unsigned run_packets(struct shard *s, const struct conf *c, ns now, struct pkt *packets,
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
	b.n_out = b.n_in = b.n_pcp = 0;
	b.leaving.mtu = b.arriving.mtu = 0;
	b.sources.realm = NO_REALM;
	b.epoch_group = NO_GROUP;
	b.cut = 0;
	b.n_outside = 0;
	for (unsigned i = 0; i < n; i++)
		verdicts[i] = sort_packet(&b, i);
	if (b.n_out > 0)
		outbound_finish(&b);
	if (b.n_in > 0)
		inbound_finish(&b);
	if (b.n_pcp > 0)
		pcp_finish(&b);
	return b.n_outside;
}

void shard_run(struct shard *s, const struct conf *c, ns now, struct pkt *packets,
	enum verdict *verdicts, unsigned n, const struct shard_sink *sink)
{
	unsigned outside;

	snapshot_see(s, c);
	outside = run_packets(s, c, now, packets, verdicts, n, sink);
	s->counters.outside_packets += outside;
	s->counters.inside_packets += n - outside;
	events_drain(s, now);
}
