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

static uint16_t id_of(const struct pkt *p)
{
	return be16_get(((const struct ip4_wire *)(const void *)p->l3)->id);
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

static __attribute__((noinline)) enum verdict find_leaving(struct burst *b, struct pkt *p)
{
	switch (way_find(b, &b->leaving, iface_of(b->c, p)->realm, p->dst, true)) {
	case DROP_NONE:
		return VERDICT_PASS;
	case DROP_INSIDE_TO_INSIDE:
		return drop(b->s, p, DROP_INSIDE_TO_INSIDE);
	default:
		return refuse(b, p, DROP_NO_ROUTE, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0);
	}
}

static __attribute__((noinline)) enum verdict too_long(struct burst *b, unsigned i, uint16_t mtu)
{
	struct pkt *p = &b->packets[i];

	if (!may_be_cut(p))
		return refuse(b, p, DROP_MTU_DF, ICMP_UNREACHABLE, ICMP_TOO_BIG, mtu);
	b->cut |= 1u << i;
	return VERDICT_PASS;
}

// PASS: it may leave for the Internet.
static inline enum verdict sort_leaving(struct burst *b, unsigned i, uint8_t realm)
{
	struct pkt *p = &b->packets[i];
	enum verdict found;

	if (unlikely(!way_covers(&b->leaving, realm, p->dst))) {
		found = find_leaving(b, p);
		if (found != VERDICT_PASS)
			return found;
	}
	way_take(&b->leaving, p, p->dst);
	if (unlikely(p->len > b->leaving.mtu))
		return too_long(b, i, b->leaving.mtu);
	return VERDICT_PASS;
}

// Errors, fragments, other protocols. False: it has become a packet with ports, and goes on.
static __attribute__((noinline)) bool sort_odd(
	struct burst *b, struct pkt *p, bool to_pool, enum verdict *sorted)
{
	if (p->kind == PKT_ICMP_ERROR)
		*sorted = error_from_inside(b, p, to_pool);
	else if (p->kind == PKT_OTHER)
		*sorted = drop(b->s, p, DROP_PROTOCOL);
	else
		*sorted = fragment_sort(b, p);
	if (p->kind > PKT_ECHO || *sorted != VERDICT_PASS)
		return true;
	return b->s->passes && !to_pool && pass_out(b, p, sorted);
}

enum verdict outbound_sort(struct burst *b, unsigned i)
{
	struct pkt *p = &b->packets[i];
	uint8_t realm = iface_of(b->c, p)->realm;
	const struct conf_local *local = conf_find_local(b->c, realm, p->dst);
	bool to_pool = local != NULL && local->kind == CONF_LOCAL_POOL;
	enum verdict sorted = VERDICT_PASS;

	if (local != NULL && !to_pool)
		return local_packet(b, p, local);
	if (unlikely(b->s->passes) && !to_pool && pass_out(b, p, &sorted))
		return sorted;
	if (unlikely(ttl_of(p) <= NO_TTL_LEFT))
		return refuse(b, p, DROP_TTL, ICMP_TIME_EXCEEDED, 0, 0);
	if (unlikely(p->kind > PKT_ECHO) && sort_odd(b, p, to_pool, &sorted))
		return sorted;
	if (unlikely(!tcp_makes_sense(p)))
		return drop(b->s, p, DROP_TCP_FLAGS);
	if (likely(!to_pool))
		sorted = sort_leaving(b, i, realm);
	if (unlikely(sorted != VERDICT_PASS))
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
static inline enum verdict finish_out(struct burst *b, unsigned i, struct recipe to)
{
	struct pkt *p = &b->packets[i];
	bool to_pool = p->stage == PKT_HAIRPINNED;
	ip4 host = p->src;

	p->stage = PKT_FRESH; // this leg lowers the TTL
	// One update of the header for both, and one call, which the compiler can inline.
	xlat_source_anew(p, to, xlat_is_atomic(p) ? id_of(p) : identification(b, p, to.addr));
	if (unlikely(is_syn(p)))
		note_syn(b, p, host, to);
	b->s->counters.translated_out++;
	if (likely(!to_pool))
		return unlikely(b->cut >> i & 1) ? send_in_pieces(b, p) : VERDICT_PASS;
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
	uint32_t group = group_of_host(b, out->key.realm, p->src);
	enum drop why = DROP_NO_POLICY;

	if (is_impossible_source(b->c, p))
		return drop(b->s, p, DROP_SPOOFED);
	if (group != PREFIX_NONE)
		why = create_within_rate(b, p, out, group);
	if (why != DROP_NONE) {
		p->stage = PKT_FRESH;
		return refuse_create(b, p, why);
	}
	// Member by member, as it was written: as a whole it waits for every store before it.
	return finish_out(b, b->out_at[at], (struct recipe){out->to.addr, out->to.port});
}

static __attribute__((noinline)) void look_ahead(const struct burst *b, uint32_t found)
{
	struct nat_ahead ahead[SHARD_BURST];
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_out; i++) {
		if (!(found >> i & 1))
			ahead[n++] = (struct nat_ahead){.key = b->out[i].key};
	}
	nat_look_ahead(b->s->nat, ahead, n);
}

#define ALL_FOUND UINT32_MAX // of SHARD_BURST packets

void outbound_finish(struct burst *b)
{
	uint32_t found = nat_find_out(b->s->nat, b->out, b->n_out, b->now_s);

	if (unlikely(found != ALL_FOUND >> (SHARD_BURST - b->n_out)))
		look_ahead(b, found);
	for (unsigned i = 0; i < b->n_out; i++) {
		unsigned at = b->out_at[i];

		b->verdicts[at] =
			likely(found >> i & 1) ? finish_out(b, at, b->out[i].to) : create_out(b, i);
	}
}
