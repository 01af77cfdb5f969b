// SPDX-License-Identifier: Apache-2.0
// Fragments on their way through a shard. Nothing is put together: each piece is given the ports of
// its datagram's first, and then goes the way of a whole packet. Octets that came once never come
// again, so a receiver gets the header that was judged here or none (RFC 1858, RFC 5722).
#include <postern/shard.h>

#include "fragments.h"

static bool has_ports(uint8_t protocol)
{
	return protocol == IP_UDP || protocol == IP_TCP || protocol == IP_ICMP;
}

// The group of the inside host, or of the external address; PREFIX_NONE: of none.
static uint32_t group_of(const struct conf *c, const struct pkt *p)
{
	const struct conf_local *local;

	if (!is_from_outside(c, p))
		return conf_group_of(c, iface_of(c, p)->realm, p->src);
	local = conf_find_local(c, 0, p->dst);
	return local != NULL && local->kind == CONF_LOCAL_POOL ? c->external[local->index].group
							       : PREFIX_NONE;
}

// Whether fragments from here are followed at all.
static enum drop judge(const struct conf *c, const struct pkt *p, enum conf_fragments *behaviour)
{
	uint32_t group = group_of(c, p);

	if (!has_ports(p->protocol))
		return DROP_PROTOCOL;
	if (!is_from_outside(c, p) && is_impossible_source(c, p))
		return DROP_SPOOFED;
	if (group == PREFIX_NONE)
		return DROP_NO_POLICY;
	*behaviour = c->groups[group].fragments;
	return *behaviour == CONF_FRAGMENTS_DROP_ALL ? DROP_FRAGMENT : DROP_NONE;
}

// RFC 8158 s.4.6.7.5, with whose piece found no room; of those from outside nobody's name.
static enum verdict refuse_piece(struct burst *b, struct pkt *p, enum drop why)
{
	bool outside = is_from_outside(b->c, p);
	struct nat_key who = {.host = outside ? 0 : p->src, .realm = realm_of(b->c, p)};

	if (why == DROP_FRAG_TABLE)
		nat_event_refused(b->s->nat, NAT_EVENT_QUOTA_FRAGMENTS, (uint8_t)group_of(b->c, p),
			&who, b->c->fragments, b->now_s);
	return drop(b->s, p, why);
}

// ---- which octets have come ------------------------------------------------------------------

enum placing {
	PLACED,
	TWICE,
	OVERLAPS,
	TOO_MANY
};

// The network may deliver a piece twice; then the second is dropped alone.
static bool is_duplicate(const struct record *r, struct range piece)
{
	for (uint32_t i = 0; i < min_u32(r->n_recent, RECENT); i++) {
		if (r->recent[i].first == piece.first && r->recent[i].end == piece.end)
			return true;
	}
	return false;
}

static void remember(struct record *r, struct range piece)
{
	r->recent[r->n_recent % RECENT] = piece;
	r->n_recent = (uint8_t)(r->n_recent < RECENT * 2 - 1 ? r->n_recent + 1 : RECENT);
}

static bool overlaps(const struct record *r, struct range piece, bool more)
{
	for (uint32_t i = 0; i < r->n_ranges; i++) {
		if (r->ranges[i].first < piece.end && piece.first < r->ranges[i].end)
			return true;
		if (!more && r->ranges[i].end > piece.end)
			return true;
	}
	return r->end != 0 && (piece.end > r->end || (!more && piece.end != r->end));
}

// Joins it to what it touches.
static bool join(struct record *r, struct range piece)
{
	uint32_t left = RANGES, right = RANGES;

	for (uint32_t i = 0; i < r->n_ranges; i++) {
		left = r->ranges[i].end == piece.first ? i : left;
		right = r->ranges[i].first == piece.end ? i : right;
	}
	if (left == RANGES && right == RANGES)
		return false;
	if (right == RANGES)
		r->ranges[left].end = piece.end;
	else
		r->ranges[right].first = left == RANGES ? piece.first : r->ranges[left].first;
	if (left != RANGES && right != RANGES)
		r->ranges[left] = r->ranges[--r->n_ranges];
	return true;
}

static enum placing place(struct record *r, const struct pkt_fragment *f)
{
	struct range piece = {(uint16_t)f->first, (uint16_t)f->end};

	if (is_duplicate(r, piece))
		return TWICE;
	if (overlaps(r, piece, f->more))
		return OVERLAPS;
	if (!join(r, piece)) {
		if (r->n_ranges == RANGES)
			return TOO_MANY;
		r->ranges[r->n_ranges++] = piece;
	}
	remember(r, piece);
	if (!f->more)
		r->end = piece.end;
	return PLACED;
}

static bool is_complete(const struct record *r)
{
	return r->state == RECORD_SETTLED && r->n_ranges == 1 && r->ranges[0].first == 0 &&
	       r->end != 0 && r->ranges[0].end == r->end;
}

// ---- one piece -------------------------------------------------------------------------------

static enum verdict pass(struct burst *b, struct pkt *p, struct record *r)
{
	struct fragments *f = b->s->fragments;

	pkt_resolve(p, r->kind, r->sport, r->dport);
	p->datagram = (uint32_t)(r - f->records);
	if (is_complete(r))
		record_end(f, r, DROP_NONE);
	p->owner = shard_owner(b->c, p, b->s->id);
	return p->owner == b->s->id ? VERDICT_PASS : VERDICT_HANDOFF;
}

static enum verdict hold(struct burst *b, struct pkt *p, struct record *r)
{
	held_add(b->s->fragments, r, p);
	b->s->counters.fragments_held++;
	return VERDICT_HOLD;
}

static enum verdict go_on(
	struct burst *b, struct pkt *p, struct record *r, const struct pkt_fragment *f)
{
	enum drop why = DROP_NONE;

	if (r->state == RECORD_GIVEN_UP)
		return drop(b->s, p, DROP_FRAG_OVERLAP);
	if (r->state == RECORD_WAITING && f->first != 0)
		why = held_refuses(b, r, p);
	if (why != DROP_NONE)
		return refuse_piece(b, p, why);
	switch (place(r, f)) {
	case PLACED:
		break;
	case TWICE:
		return drop(b->s, p, DROP_FRAG_OVERLAP);
	case TOO_MANY:
		return drop(b->s, p, DROP_FRAG_MANY);
	case OVERLAPS:
		record_give_up(b->s->fragments, r, DROP_FRAG_OVERLAP);
		return drop(b->s, p, DROP_FRAG_OVERLAP);
	}
	if (f->first == 0)
		record_settle(b->s->fragments, r, f);
	return r->state == RECORD_WAITING ? hold(b, p, r) : pass(b, p, r);
}

// The first piece to come of its datagram.
static enum verdict begin(struct burst *b, struct pkt *p, const struct datagram_key *key,
	const struct pkt_fragment *f, enum conf_fragments behaviour)
{
	enum drop why = DROP_NONE;
	struct record *r;

	if (f->first != 0 && behaviour == CONF_FRAGMENTS_IN_ORDER)
		why = DROP_FRAG_ORDER;
	else if (f->first != 0)
		why = held_refuses(b, NULL, p);
	if (why != DROP_NONE)
		return refuse_piece(b, p, why);
	r = record_make(b->s->fragments, is_from_outside(b->c, p), f->first != 0, key, b->now);
	return r == NULL ? refuse_piece(b, p, DROP_FRAG_TABLE) : go_on(b, p, r, f);
}

// This piece is of no use, and so are all others of its datagram.
static enum verdict spoil(struct burst *b, struct pkt *p, struct record *r,
	const struct datagram_key *key, enum drop why)
{
	if (r == NULL)
		r = record_make(b->s->fragments, is_from_outside(b->c, p), false, key, b->now);
	if (r != NULL && r->state != RECORD_GIVEN_UP)
		record_give_up(b->s->fragments, r, DROP_FRAG_OVERLAP);
	return drop(b->s, p, why);
}

// NULL: none that is young enough.
static struct record *find(const struct burst *b, const struct datagram_key *key)
{
	struct record *r = record_find(b->s->fragments, key);

	if (r == NULL || b->now - r->began < b->c->fragment_timeout_s * NS_PER_S)
		return r;
	record_end(b->s->fragments, r, DROP_FRAG_TIMEOUT);
	return NULL;
}

enum verdict fragment_sort(struct burst *b, struct pkt *p)
{
	enum conf_fragments behaviour = CONF_FRAGMENTS_DROP_ALL;
	enum drop why = judge(b->c, p, &behaviour);
	struct pkt_fragment f;
	struct record *r;

	b->s->counters.fragments_received++;
	if (why == DROP_NO_POLICY)
		return refuse(b, p, why, ICMP_UNREACHABLE, ICMP_PROHIBITED, 0);
	if (why != DROP_NONE)
		return drop(b->s, p, why);
	why = pkt_parse_fragment(p, &f);
	if (why == DROP_L4_HEADER)
		return drop(b->s, p, why);
	struct datagram_key key = {p->src, p->dst, f.id, realm_of(b->c, p), p->protocol};
	r = find(b, &key);
	if (why != DROP_NONE)
		return spoil(b, p, r, &key, why);
	return r == NULL ? begin(b, p, &key, &f, behaviour) : go_on(b, p, r, &f);
}
