// SPDX-License-Identifier: Apache-2.0
// Packets from outside, and the second leg of hairpins. What has no mapping costs one look and goes
// nowhere: pool addresses are black holes for everything else, so nothing can loop.
#include <postern/shard.h>

#include "world.h"

// Not for any address of ours.
static enum verdict foreign(struct burst *b, struct pkt *p)
{
	enum verdict verdict;

	if (b->s->passes && p->stage == PKT_FRESH && pass_in(b, p, &verdict))
		return verdict;
	return drop(b->s, p, DROP_NOT_POOL_ADDRESS);
}

static struct nat_in look_in(const struct pkt *p)
{
	struct nat_in in;

	in.at = (struct recipe){p->dst, p->dport};
	in.from = (struct recipe){p->src, p->sport};
	in.protocol = p->kind;
	in.tcp_flags = p->later ? 0 : p->tcp_flags;
	in.tcp_data = tcp_has_data(p);
	in.drop = DROP_NONE;
	return in;
}

// Errors, fragments, other protocols. PASS: it has become a packet with ports, and goes on.
static __attribute__((noinline)) enum verdict sort_odd(struct burst *b, struct pkt *p)
{
	if (p->kind == PKT_ICMP_ERROR)
		return error_from_outside(b, p);
	if (p->kind == PKT_OTHER)
		return drop(b->s, p, DROP_PROTOCOL);
	return fragment_sort(b, p);
}

enum verdict inbound_sort(struct burst *b, unsigned i)
{
	struct pkt *p = &b->packets[i];
	const struct conf_local *local = conf_find_local(b->c, 0, p->dst);
	const struct ip4_wire *ip = (const void *)p->l3;
	enum verdict sorted;

	if (unlikely(local == NULL))
		return foreign(b, p);
	if (likely(p->stage == PKT_FRESH) && unlikely(conf_find_local(b->c, 0, p->src) != NULL))
		return drop(b->s, p, DROP_SPOOFED);
	if (unlikely(local->kind != CONF_LOCAL_POOL))
		return local_packet(b, p, local);
	if (unlikely(ip->ttl <= 1) && p->stage == PKT_FRESH)
		return refuse(b, p, DROP_TTL, ICMP_TIME_EXCEEDED, 0, 0);
	if (unlikely(p->kind > PKT_ECHO)) {
		sorted = sort_odd(b, p);
		if (sorted != VERDICT_PASS || p->kind > PKT_ECHO)
			return sorted;
	}
	if (unlikely(!tcp_makes_sense(p)))
		return drop(b->s, p, DROP_TCP_FLAGS);
	b->in_at[b->n_in] = (uint8_t)i;
	b->in[b->n_in++] = look_in(p);
	return VERDICT_PASS;
}

static inline enum verdict finish_in(struct burst *b, struct pkt *p, struct nat_key to)
{
	const struct way *way = &b->arriving;

	if (unlikely(!way_covers(way, to.realm, to.host)) &&
		way_find(b, &b->arriving, to.realm, to.host, false) != DROP_NONE)
		return drop(b->s, p, DROP_NO_ROUTE);
	way_take(way, p, to.host);
	if (unlikely(p->len > way->mtu) && !may_be_cut(p))
		return refuse(b, p, DROP_MTU_DF, ICMP_UNREACHABLE, ICMP_TOO_BIG, way->mtu);
	xlat_destination(p, (struct recipe){to.host, to.port});
	if (unlikely(p->kind == PKT_TCP && p->tcp_flags & TCP_SYN) && !p->later)
		clamp_mss(b, p, to.realm, to.host);
	b->s->counters.translated_in++;
	return unlikely(p->len > way->mtu) ? send_in_pieces(b, p) : VERDICT_PASS;
}

// What is kept out learns nothing: not by FILTERs (RFC 6887 s.13.3) and not otherwise, but for a
// SYN where the operator wants RFC 5382 REQ-4.
static enum verdict keep_out(struct burst *b, struct pkt *p, enum drop why)
{
	const struct conf_local *local;

	if (why != DROP_UNSOLICITED_SYN || p->stage != PKT_FRESH || p->resolved || b->c->syns == 0)
		return drop(b->s, p, why);
	local = conf_find_local(b->c, 0, p->dst);
	if (!b->c->groups[b->c->external[local->index].group].tcp_unsolicited_icmp)
		return drop(b->s, p, why);
	return syn_hold(b, p);
}

void inbound_finish(struct burst *b)
{
	uint32_t found = nat_find_in(b->s->nat, b->in, b->n_in, b->now_s);

	for (unsigned i = 0; i < b->n_in; i++) {
		struct pkt *p = &b->packets[b->in_at[i]];

		b->verdicts[b->in_at[i]] = found >> i & 1 ? finish_in(b, p, b->in[i].to)
							  : keep_out(b, p, b->in[i].drop);
	}
}

// RFC 4787 REQ-9: the packet's source reads as external already, and so filters see it.
enum verdict hairpin(struct burst *b, struct pkt *p)
{
	const struct conf_local *local = conf_find_local(b->c, 0, p->dst);
	struct nat_in in = look_in(p);

	b->s->counters.hairpinned++;
	if (local == NULL || local->kind != CONF_LOCAL_POOL)
		return drop(b->s, p, DROP_NOT_POOL_ADDRESS);
	p->owner = conf_outside_owner(b->c, &b->c->external[local->index], p->kind, p->dport);
	if (p->owner != b->s->id)
		return VERDICT_HANDOFF;
	if (nat_find_in(b->s->nat, &in, 1, b->now_s) == 0)
		return keep_out(b, p, in.drop);
	return finish_in(b, p, in.to);
}
