// SPDX-License-Identifier: Apache-2.0
// Packets from inside: to us, to another subscriber's external endpoint, or to the Internet.
#include <postern/shard.h>

#include "world.h"

enum {
	NO_TTL_LEFT = 1
}; // a TTL of one ends here

static uint8_t ttl_of(const struct pkt *p)
{
	return ((const struct ip4_wire *)(const void *)p->l3)->ttl;
}

static void queue_out(struct burst *b, unsigned i, uint8_t realm)
{
	const struct pkt *p = &b->packets[i];
	unsigned at = b->n_out++;

	b->out_at[at] = (uint8_t)i;
	b->out[at].key = (struct nat_key){p->src, p->sport, realm, p->kind};
	b->out[at].tcp_flags = p->tcp_flags;
	b->out[at].tcp_data = 0;
	if (p->kind == PKT_TCP) {
		const struct tcp_wire *tcp = (const void *)(p->l3 + p->l4_at);
		b->out[at].tcp_data = p->len > p->l4_at + (tcp->offset >> 4) * 4u;
	}
}

enum verdict outbound_sort(struct burst *b, unsigned i)
{
	struct pkt *p = &b->packets[i];
	uint8_t realm = iface_of(b->c, p)->realm;
	const struct conf_local *local = conf_find_local(b->c, realm, p->dst);
	bool to_pool = local != NULL && local->kind == CONF_LOCAL_POOL;

	b->s->counters.inside_packets++;
	if (local != NULL && !to_pool)
		return local_packet(b, p, local);
	if (ttl_of(p) <= NO_TTL_LEFT)
		return refuse(b, p, DROP_TTL, ICMP_TIME_EXCEEDED, 0, 0);
	if (p->kind == PKT_ICMP_ERROR)
		return error_from_inside(b, p, to_pool);
	if (p->kind == PKT_FRAGMENT)
		return drop(b->s, p, DROP_FRAGMENT);
	if (p->kind == PKT_OTHER)
		return drop(b->s, p, DROP_PROTOCOL);
	if (!to_pool) {
		if (conf_group_of(b->c, realm, p->dst) != PREFIX_NONE)
			return drop(b->s, p, DROP_INSIDE_TO_INSIDE);
		if (!route(b->c, 0, p))
			return refuse(
				b, p, DROP_NO_ROUTE, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0);
		if (!fits_link(b->c, p))
			return refuse(b, p, DROP_MTU_DF, ICMP_UNREACHABLE, ICMP_TOO_BIG,
				b->c->interfaces[b->c->next_hops[p->next_hop].iface].mtu);
	}
	p->stage = to_pool ? PKT_HAIRPINNED : PKT_FRESH;
	queue_out(b, i, realm);
	return VERDICT_PASS;
}

// First the source is translated as for any packet that leaves; then it is a packet from outside.
static enum verdict finish_out(struct burst *b, struct pkt *p, struct recipe to)
{
	bool to_pool = p->stage == PKT_HAIRPINNED;

	p->stage = PKT_FRESH; // this leg lowers the TTL
	xlat_source(p, to);
	b->s->counters.translated_out++;
	if (!to_pool)
		return VERDICT_PASS;
	p->stage = PKT_HAIRPINNED;
	return hairpin(b, p);
}

bool newcomer_allowed(struct burst *b, const struct pkt *p)
{
	const struct conf *c = b->c;

	return bucket_has(&b->s->new_subscribers[p->iface], b->now,
		c->new_subscriber_rate / c->n_workers, c->new_subscriber_burst / c->n_workers);
}

void newcomer_charge(struct burst *b, const struct pkt *p)
{
	bucket_charge(&b->s->new_subscribers[p->iface], b->now,
		b->c->new_subscriber_rate / b->c->n_workers);
}

static enum drop create_within_rate(
	struct burst *b, const struct pkt *p, struct nat_out *out, uint32_t group)
{
	bool newcomer = nat_is_new_subscriber(b->s->nat, out->key.realm, p->src);
	enum drop why;

	if (newcomer && !newcomer_allowed(b, p))
		return DROP_SUBSCRIBER_RATE;
	why = nat_create(b->s->nat, &b->c->groups[group].nat, (uint8_t)group, out, b->now_s);
	if (newcomer && why == DROP_NONE)
		newcomer_charge(b, p);
	return why;
}

static enum verdict refuse_create(struct burst *b, struct pkt *p, enum drop why)
{
	if (why == DROP_SUBSCRIBER_RATE) // likely forged sources: no answer
		return drop(b->s, p, why);
	if (why == DROP_NO_POLICY)
		return refuse(b, p, why, ICMP_UNREACHABLE, ICMP_PROHIBITED, 0);
	return refuse(b, p, why, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0); // 6888 REQ-11B
}

static enum verdict create_out(struct burst *b, unsigned at)
{
	struct pkt *p = &b->packets[b->out_at[at]];
	struct nat_out *out = &b->out[at];
	uint32_t group = conf_group_of(b->c, out->key.realm, p->src);
	enum drop why = DROP_NO_POLICY;

	if (is_impossible_source(b->c, p))
		return drop(b->s, p, DROP_SPOOFED);
	if (group != PREFIX_NONE)
		why = create_within_rate(b, p, out, group);
	if (why != DROP_NONE) {
		p->stage = PKT_FRESH;
		return refuse_create(b, p, why);
	}
	return finish_out(b, p, out->to);
}

void outbound_finish(struct burst *b)
{
	uint32_t found = nat_find_out(b->s->nat, b->out, b->n_out, b->now_s);

	for (unsigned i = 0; i < b->n_out; i++) {
		if (!(found >> i & 1))
			nat_prefetch_create(b->s->nat, &b->out[i].key);
	}
	for (unsigned i = 0; i < b->n_out; i++) {
		struct pkt *p = &b->packets[b->out_at[i]];

		b->verdicts[b->out_at[i]] =
			found >> i & 1 ? finish_out(b, p, b->out[i].to) : create_out(b, i);
	}
}
