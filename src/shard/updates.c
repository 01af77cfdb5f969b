// SPDX-License-Identifier: Apache-2.0
// Clients who must be told something of their own: that a mapping of theirs moved or was lost by
// moving (Mapping Update, RFC 6887 s.14.2), or that their state was cleared (an ANNOUNCE). Each
// datagram goes out three times, 250 and 750 ms after the first, until the client was heard again,
// and never more a second than the operator allows. There is a queue for each of the three, in the
// order in which they are due; when one is full the one before waits, so nobody is forgotten. Of
// the cleared, who finds the first one full is called once instead (announce.c).
#include <postern/shard.h>

#include "world.h"

enum {
	DATAGRAMS_A_STEP = 16,
	BURST_PART = 10 // of a second's datagrams may go at once
};

static const ns gaps[UNASKED_SENDS] = {0, 250 * NS_PER_MS, 500 * NS_PER_MS};

bool unasked_allowed(const struct shard *s, const struct conf *c, ns now)
{
	uint32_t rate = c->announce_rate;

	return rate > 0 && bucket_has(&s->unasked.rate, now, rate, rate / BURST_PART);
}

void unasked_charge(struct shard *s, const struct conf *c, ns now)
{
	bucket_charge(&s->unasked.rate, now, c->announce_rate);
}

// ---- queues ----------------------------------------------------------------------------------

static bool is_full(const struct telling_queue *q)
{
	return q->n == UNASKED_WAITING;
}

static struct telling *first_of(struct telling_queue *q)
{
	return &q->list[q->first];
}

static void push(struct telling_queue *q, const struct telling *t)
{
	q->list[(q->first + q->n++) % UNASKED_WAITING] = *t;
}

static void pop(struct telling_queue *q)
{
	q->first = (q->first + 1) % UNASKED_WAITING;
	q->n--;
}

static void collect(struct shard *s, ns now)
{
	struct telling_queue *q = &s->unasked.queues[0];
	struct telling t = {.due = now};

	for (unsigned i = 0; i < DATAGRAMS_A_STEP && !is_full(q); i++) {
		if (!nat_update_next(s->nat, &t.update))
			return;
		push(q, &t);
	}
}

void tell_cleared(struct shard *s, uint8_t realm, ip4 client, ns now)
{
	struct telling t = {.due = now,
		.cleared = true,
		.since_s = (uint32_t)(now / NS_PER_S),
		.update.view = {.client = client, .client_realm = realm}};

	if (is_full(&s->unasked.queues[0]))
		s->announce.losers_to_call = true;
	else
		push(&s->unasked.queues[0], &t);
}

// ---- one datagram ----------------------------------------------------------------------------

struct teller {
	struct shard *s;
	const struct conf *c;
	const struct shard_sink *sink;
	ns now;
	uint32_t now_s;
};

// The lease that now stands where the update speaks of.
static void look_again(const struct teller *w, const struct nat_view *then, struct nat_view *view)
{
	if (then->kind == NAT_PEER)
		nat_peer_look(w->s->nat, &then->key, then->remote, w->now_s, view);
	else
		nat_lease_look(w->s->nat, &then->key, w->now_s, view);
}

// Whether the client still does not know; of a lease that moved, *t becomes what it is by now.
static bool must_hear(const struct teller *w, struct telling *t)
{
	struct nat_view view;

	look_again(w, &t->update.view, &view);
	if (t->update.kind == NAT_UPDATE_LOST)
		return view.kind != (t->update.view.kind == NAT_PEER ? NAT_PEER : NAT_EXPLICIT);
	if (view.kind != t->update.view.kind || !view.moved)
		return false;
	t->update.view = view;
	return true;
}

static bool send_update(const struct teller *w, const struct telling *t)
{
	const struct nat_view *v = &t->update.view;
	struct datagram d;
	struct pkt *p;
	size_t len;
	uint8_t msg[PCP_MAX];

	if (!datagram_to_client(
		    w->s, w->c, v->group, v->client_realm, v->client, v->client_port, &d))
		return false;
	len = server_update(w->s->nat, &w->c->groups[v->group].pcp, &t->update, w->now_s,
		client_epoch_s(w->s, v->group, v->client_realm, v->client, w->now), msg);
	if (len == 0)
		return false;
	p = datagram_open(w->s, w->c, &d, w->sink);
	if (p == NULL)
		return true; // that one is lost, as any may be on its way
	memcpy(datagram_payload(p), msg, len);
	datagram_send(p, &d, len, w->sink);
	w->s->counters.updates_sent++;
	return true;
}

// A client who asked for anything since has read his new Epoch in the answer.
static bool send_cleared(const struct teller *w, const struct telling *t)
{
	const struct nat_view *v = &t->update.view;
	const struct server_client *client =
		server_client_find(w->s->clients, v->client_realm, v->client);

	if (client == NULL || client->seen_s > t->since_s)
		return false;
	return announce_to(w->s, w->c, w->now, w->sink, client);
}

// False: there is nobody to tell any more.
static bool tell(const struct teller *w, struct telling *t)
{
	if (t->cleared)
		return send_cleared(w, t);
	return must_hear(w, t) && send_update(w, t);
}

// ---- background ------------------------------------------------------------------------------

// Tells the first of one queue and moves it on. False: that queue must wait.
static bool serve(const struct teller *w, unsigned k)
{
	struct telling_queue *q = &w->s->unasked.queues[k], *next = q + 1;
	bool last = k + 1 == UNASKED_SENDS;
	struct telling *t = first_of(q);

	if (q->n == 0 || t->due > w->now || (!last && is_full(next)) ||
		!unasked_allowed(w->s, w->c, w->now))
		return false;
	if (tell(w, t)) {
		unasked_charge(w->s, w->c, w->now);
		if (!last) {
			t->due = w->now + gaps[k + 1];
			push(next, t);
		}
	}
	pop(q);
	return true;
}

bool updates_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	struct teller w = {s, c, sink, now, (uint32_t)(now / NS_PER_S)};
	unsigned left = DATAGRAMS_A_STEP;

	collect(s, now);
	for (unsigned k = UNASKED_SENDS; k-- > 0;) {
		while (left > 0 && serve(&w, k))
			left--;
	}
	return left == 0;
}
