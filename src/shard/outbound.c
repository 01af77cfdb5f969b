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

bool tcp_has_data(const struct pkt *p)
{
	const struct tcp_wire *tcp = (const void *)(p->l3 + p->l4_at);

	if (p->kind != PKT_TCP)
		return false;
	return p->later || p->len > p->l4_at + (tcp->offset >> 4) * 4u;
}

static void queue_out(struct burst *b, unsigned i, uint8_t realm)
{
	const struct pkt *p = &b->packets[i];
	struct nat_out *out = &b->out[b->n_out];

	b->out_at[b->n_out++] = (uint8_t)i;
	out->key = (struct nat_key){p->src, p->sport, realm, p->kind};
	out->tcp_flags = p->later ? 0 : p->tcp_flags;
	out->tcp_data = tcp_has_data(p);
	out->remote = (struct recipe){p->dst, p->dport};
}

// PASS: it may leave for the Internet.
static enum verdict sort_leaving(struct burst *b, struct pkt *p)
{
	if (conf_group_of(b->c, iface_of(b->c, p)->realm, p->dst) != PREFIX_NONE)
		return drop(b->s, p, DROP_INSIDE_TO_INSIDE);
	if (!route(b->c, 0, p))
		return refuse(b, p, DROP_NO_ROUTE, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0);
	if (!fits_link(b->c, p) && !may_be_cut(p))
		return refuse(b, p, DROP_MTU_DF, ICMP_UNREACHABLE, ICMP_TOO_BIG, link_mtu(b->c, p));
	return VERDICT_PASS;
}

// PASS: a packet that has ports, with the flags of one.
static enum verdict sort_transport(struct burst *b, struct pkt *p)
{
	enum verdict sorted = VERDICT_PASS;

	if (p->kind == PKT_OTHER)
		return drop(b->s, p, DROP_PROTOCOL);
	if (p->kind == PKT_FRAGMENT)
		sorted = fragment_sort(b, p);
	if (sorted != VERDICT_PASS)
		return sorted;
	if (p->kind == PKT_TCP && !p->later && !tcp_flags_are_possible(p->tcp_flags))
		return drop(b->s, p, DROP_TCP_FLAGS);
	return VERDICT_PASS;
}

enum verdict outbound_sort(struct burst *b, unsigned i)
{
	struct pkt *p = &b->packets[i];
	uint8_t realm = iface_of(b->c, p)->realm;
	const struct conf_local *local = conf_find_local(b->c, realm, p->dst);
	bool to_pool = local != NULL && local->kind == CONF_LOCAL_POOL;
	enum verdict sorted;

	if (local != NULL && !to_pool)
		return local_packet(b, p, local);
	if (b->s->passes && !to_pool && pass_out(b, p, &sorted))
		return sorted;
	if (ttl_of(p) <= NO_TTL_LEFT)
		return refuse(b, p, DROP_TTL, ICMP_TIME_EXCEEDED, 0, 0);
	if (p->kind == PKT_ICMP_ERROR)
		return error_from_inside(b, p, to_pool);
	sorted = sort_transport(b, p);
	if (sorted == VERDICT_PASS && p->resolved && b->s->passes && !to_pool &&
		pass_out(b, p, &sorted))
		return sorted;
	if (sorted == VERDICT_PASS && !to_pool)
		sorted = sort_leaving(b, p);
	if (sorted != VERDICT_PASS)
		return sorted;
	p->stage = to_pool ? PKT_HAIRPINNED : PKT_FRESH;
	queue_out(b, i, realm);
	return VERDICT_PASS;
}

static bool is_syn(const struct pkt *p)
{
	return p->kind == PKT_TCP && p->tcp_flags & TCP_SYN && !p->later;
}

static void note_syn(struct burst *b, struct pkt *p, ip4 host, struct recipe external)
{
	clamp_mss(b, p, iface_of(b->c, p)->realm, host);
	if (b->c->syns > 0 && !(p->tcp_flags & TCP_ACK))
		syn_forget(b, 0, external, (struct recipe){p->dst, p->dport});
}

// First the source is translated as for any packet that leaves; then it is a packet from outside.
static enum verdict finish_out(struct burst *b, struct pkt *p, struct recipe to)
{
	bool to_pool = p->stage == PKT_HAIRPINNED;
	ip4 host = p->src;

	p->stage = PKT_FRESH; // this leg lowers the TTL
	xlat_source(p, to);
	if (!xlat_is_atomic(p))
		identify(b, p);
	if (is_syn(p))
		note_syn(b, p, host, to);
	b->s->counters.translated_out++;
	if (!to_pool)
		return send_on(b, p);
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

	if (!events_allow(b->s, b->c))
		return DROP_LOG_FULL;
	if (newcomer && !newcomer_allowed(b, p))
		return DROP_SUBSCRIBER_RATE;
	why = nat_create(b->s->nat, &b->c->groups[group].nat, (uint8_t)group, out, b->now_s);
	if (newcomer && why == DROP_NONE)
		newcomer_charge(b, p);
	return why;
}

// Policy says 3/13; whatever has run out says 3/1 (RFC 6888 REQ-11B over RFC 5508 REQ-8).
static enum verdict refuse_create(struct burst *b, struct pkt *p, enum drop why)
{
	switch (why) {
	case DROP_SUBSCRIBER_RATE: // likely forged sources: no answer
	case DROP_TCP_NO_SESSION:
		return drop(b->s, p, why);
	case DROP_NO_POLICY:
		return refuse(b, p, why, ICMP_UNREACHABLE, ICMP_PROHIBITED, 0);
	default:
		return refuse(b, p, why, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0);
	}
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
