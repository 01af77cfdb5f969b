// SPDX-License-Identifier: Apache-2.0
// Fragments that came before their first. They go on from fragments_step(), so behind it: whoever
// calls has sent by then what shard_run() gave back.
#include <postern/shard.h>

#include "fragments.h"

enum drop held_refuses(const struct burst *b, const struct record *r, const struct pkt *p)
{
	const struct fragments *f = b->s->fragments;

	if (f->held_free == NO_RECORD || f->n_held >= b->c->fragments)
		return DROP_FRAG_TABLE;
	if (r != NULL && r->n_held >= HELD_OF_DATAGRAM)
		return DROP_FRAG_MANY;
	if (f->held_shares[record_share(f, realm_of(b->c, p), p->src)] >=
		b->c->fragments_per_source)
		return DROP_FRAG_MANY;
	return DROP_NONE;
}

void held_add(struct fragments *f, struct record *r, const struct pkt *p)
{
	uint32_t i = f->held_free;
	struct held *h = &f->held[i];

	f->held_free = h->next;
	f->n_held++;
	h->p = *p;
	h->next = NO_RECORD;
	h->share = record_share(f, r->key.realm, r->key.src);
	f->held_shares[h->share]++;
	r->n_held++;
	if (r->held_last != NO_RECORD)
		f->held[r->held_last].next = i;
	else
		r->held_first = i;
	r->held_last = i;
}

void held_release(struct fragments *f, struct record *r, enum drop why)
{
	if (r->n_held == 0)
		return;
	for (uint32_t i = r->held_first; i != NO_RECORD; i = f->held[i].next) {
		struct held *h = &f->held[i];
		h->why = (uint8_t)why;
		if (why != DROP_NONE)
			continue;
		pkt_resolve(&h->p, r->kind, r->sport, r->dport);
		h->p.datagram = (uint32_t)(r - f->records);
	}
	if (f->due_last != NO_RECORD)
		f->held[f->due_last].next = r->held_first;
	else
		f->due_first = r->held_first;
	f->due_last = r->held_last;
	r->held_first = r->held_last = NO_RECORD;
	r->n_held = 0;
}

// Takes the next piece that is due out of the table.
static enum drop take_due(struct fragments *f, struct pkt *p)
{
	uint32_t i = f->due_first;
	struct held *h = &f->held[i];

	*p = h->p;
	f->due_first = h->next;
	if (f->due_first == NO_RECORD)
		f->due_last = NO_RECORD;
	f->held_shares[h->share]--;
	f->n_held--;
	h->next = f->held_free;
	f->held_free = i;
	return h->why;
}

// Whether the piece may run here; a newer snapshot may have taken its interface, or its owner.
static bool stays(
	struct shard *s, const struct conf *c, struct pkt *p, const struct shard_sink *sink)
{
	if (p->iface >= c->n_interfaces) {
		drop(s, p, DROP_NO_INTERFACE);
		sink->give(sink->ctx, p, VERDICT_DROP);
		return false;
	}
	p->owner = shard_owner(c, p, s->id);
	if (p->owner == s->id)
		return true;
	sink->give(sink->ctx, p, VERDICT_HANDOFF);
	return false;
}

static void run_due(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	struct fragments *f = s->fragments;
	struct pkt packets[STEP_PIECES];
	enum verdict verdicts[STEP_PIECES];
	unsigned n = 0;

	for (unsigned taken = 0; taken < STEP_PIECES && f->due_first != NO_RECORD; taken++) {
		struct pkt *p = &packets[n];
		enum drop why = take_due(f, p);
		if (why != DROP_NONE) {
			sink->give(sink->ctx, p, drop(s, p, why));
			continue;
		}
		s->counters.fragments_released++;
		n += stays(s, c, p, sink);
	}
	if (n > 0)
		run_packets(s, c, now, packets, verdicts, n, sink);
	for (unsigned i = 0; i < n; i++)
		sink->give(sink->ctx, &packets[i], verdicts[i]);
}

// Ends the oldest datagrams of a list that are over their time; true: more of them are. Settled
// ones stand in the order in which their first came, so some stay a little longer; a look-up does
// not see them any more.
static bool expire(struct fragments *f, const struct record_list *list, ns timeout, ns now)
{
	for (unsigned i = 0; i < STEP_PIECES; i++) {
		if (list->first == NO_RECORD || now - f->records[list->first].began < timeout)
			return false;
		record_end(f, &f->records[list->first], DROP_FRAG_TIMEOUT);
	}
	return true;
}

bool fragments_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	struct fragments *f = s->fragments;
	ns timeout = c->fragment_timeout_s * NS_PER_S;
	bool more = false;

	for (unsigned side = 0; side < ARRAY_SIZE(f->sides); side++) {
		more |= expire(f, &f->sides[side].waiting, timeout, now);
		more |= expire(f, &f->sides[side].settled, timeout, now);
	}
	if (f->due_first != NO_RECORD)
		run_due(s, c, now, sink);
	return more || f->due_first != NO_RECORD;
}
