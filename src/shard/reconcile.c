// SPDX-License-Identifier: Apache-2.0
// A new configuration is taken over bit by bit between bursts: addresses leave and arrive, static
// mappings change, subscribers whose group changed are cleared. Packets already follow the new
// snapshot meanwhile.
//
// What cannot be had at once, because an address still drains or a port rests, holds nobody up: the
// generation is reported, and the rest is tried again each second.
//
// Whoever loses leases by it, to a static mapping or by another group, is told as when the operator
// removes them (RFC 6887 s.8.5, s.14.1.3).
#include <errno.h>

#include <postern/shard.h>

#include "wishes.h"

// A look is cheap; what is done about it is not, and counts as many looks.
enum {
	ADDRESSES_A_STEP = 32, // or one that comes, for its ports are 52 KiB of bits and records
	STATICS_A_STEP = 32,   // or eight that this shard holds
	STATIC_HELD = 4,
	PRUNED_A_STEP = 256, // leases that may be static mappings, or 8 that go
	SUBSCRIBERS_A_STEP = 128
};

// ---- policies --------------------------------------------------------------------------------

// What is left of a group that the snapshot does not have goes on under its last policy, but that
// one's plan is the old snapshot's memory.
static void set_policy(struct shard *s, uint8_t group, const struct conf_group *g)
{
	struct nat_policy *policy = &s->policies[group];

	if (g->used)
		*policy = g->nat;
	else if (policy->plan == NULL)
		return;
	else
		policy->plan = NULL;
	nat_set_policy(s->nat, group, policy);
}

void snapshot_see(struct shard *s, const struct conf *c)
{
	if (s->seen == c->generation)
		return;
	s->seen = c->generation;
	s->passes = false;
	nat_set_timers(s->nat, &c->timers);
	for (uint32_t group = 0; group < CONF_MAX_GROUPS; group++) {
		set_policy(s, (uint8_t)group, &c->groups[group]);
		s->passes |= c->groups[group].used && c->groups[group].n_pass > 0;
	}
}

// ---- static mappings of the snapshot ---------------------------------------------------------

static int compare_static(const struct conf_static *k, struct recipe external, uint8_t protocol)
{
	if (k->external.addr != external.addr)
		return k->external.addr < external.addr ? -1 : 1;
	if (k->external.port != external.port)
		return k->external.port < external.port ? -1 : 1;
	return (k->key.protocol > protocol) - (k->key.protocol < protocol);
}

// The first that is not before this external endpoint.
static uint32_t static_place(const struct conf *c, struct recipe external, uint8_t protocol)
{
	uint32_t low = 0, high = c->n_statics;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (compare_static(&c->statics[middle], external, protocol) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_static(const struct shard *s, const struct conf *c, ip4 ip)
{
	uint32_t i = static_place(c, (struct recipe){ip, 0}, 0);

	for (; i < c->n_statics && c->statics[i].external.addr == ip; i++) {
		if (c->statics[i].owner == s->id)
			return true;
	}
	return false;
}

// A static mapping is held by its subscriber's shard. The shard that was dealt the external port
// holds it as well, if only to give that port to nobody else: no packet for it comes there.
static bool holds_static(const struct shard *s, const struct conf *c, const struct conf_static *k)
{
	const struct conf_group *g = &c->groups[k->group];

	if (k->owner == s->id)
		return true;
	return k->addressee == s->id &&
	       ((k->external.port >= g->port_first && k->external.port <= g->port_last) ||
		       (k->external.port >= g->nat.explicit_first &&
			       k->external.port <= g->nat.explicit_last));
}

// ---- addresses -------------------------------------------------------------------------------

// What this shard is to hold of an external address: its share of the ports, or none of them where
// only static mappings of its subscribers are there. False: nothing at all.
static bool wanted_share(
	const struct shard *s, const struct conf *c, uint32_t external, struct nat_address *share)
{
	const struct conf_external *e = &c->external[external];

	if (conf_external_share(c, external, s->id, share))
		return true;
	if (!e->crossing || !has_static(s, c, e->ip))
		return false;
	*share = (struct nat_address){.ip = e->ip,
		.group = e->group,
		.port_first = 1, // first > last: no dynamic ports here
		.port_last = 0,
		.port_set_size = c->groups[e->group].nat.port_set_size};
	return true;
}

static bool is_same(const struct nat_address *a, const struct nat_address *b)
{
	return a->group == b->group && a->port_first == b->port_first &&
	       a->port_last == b->port_last && a->port_set_size == b->port_set_size &&
	       a->explicit_first == b->explicit_first && a->explicit_last == b->explicit_last &&
	       a->planned == b->planned;
}

static bool stays(const struct shard *s, const struct conf *c, const struct nat_address *held)
{
	const struct conf_local *local = conf_find_local(c, 0, held->ip);
	struct nat_address share;

	if (local == NULL || local->kind != CONF_LOCAL_POOL ||
		!wanted_share(s, c, local->index, &share))
		return false;
	return is_same(&share, held);
}

// Where an address stands in the ascending list of those held, or would stand.
static uint32_t held_place(const struct shard *s, ip4 ip)
{
	uint32_t low = 0, high = s->n_held;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (s->held[middle].ip < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool drop_addresses(struct shard *s, const struct conf *c)
{
	struct reconcile *r = &s->reconcile;

	for (unsigned i = 0; i < ADDRESSES_A_STEP && r->cursor < s->n_held; i++) {
		struct nat_address *held = &s->held[r->cursor];

		if (stays(s, c, held)) {
			r->cursor++;
			continue;
		}
		nat_address_remove(s->nat, held->ip);
		memmove(held, held + 1, (--s->n_held - r->cursor) * sizeof *held);
		break;
	}
	return r->cursor >= s->n_held;
}

// An address that was held otherwise until now drains first, and while others drain there may be
// no place. Whether it is held from now on, and was not before.
static bool hold_address(struct shard *s, const struct nat_address *share)
{
	uint32_t i = held_place(s, share->ip);

	if (i < s->n_held && s->held[i].ip == share->ip)
		return false;
	if (nat_address_add(s->nat, share) != 0) {
		s->reconcile.waiting = true;
		return false;
	}
	memmove(&s->held[i + 1], &s->held[i], (s->n_held++ - i) * sizeof s->held[0]);
	s->held[i] = *share;
	return true;
}

static bool add_addresses(struct shard *s, const struct conf *c)
{
	struct reconcile *r = &s->reconcile;
	struct nat_address share;
	bool came = false;

	for (unsigned i = 0; i < ADDRESSES_A_STEP && !came && r->cursor < c->n_external; i++) {
		const struct conf_external *e = &c->external[r->cursor];

		if (c->groups[e->group].n_external == 1)
			s->announce.external[e->group] = e->ip;
		came = wanted_share(s, c, r->cursor, &share) && hold_address(s, &share);
		r->cursor++;
	}
	return r->cursor >= c->n_external;
}

// ---- static mappings of the shard ------------------------------------------------------------

struct keeper {
	const struct shard *s;
	const struct conf *c;
};

static bool keep_static(void *ctx, const struct nat_key *key, struct recipe external)
{
	const struct keeper *keeper = ctx;
	const struct conf *c = keeper->c;
	uint32_t i = static_place(c, external, key->protocol);
	const struct conf_static *k = &c->statics[i];

	return i < c->n_statics && compare_static(k, external, key->protocol) == 0 &&
	       memcmp(&k->key, key, sizeof *key) == 0 && holds_static(keeper->s, c, k);
}

// A walk that an older snapshot began goes on where it stood, so another whole one follows.
static bool prune_statics(struct shard *s, const struct conf *c)
{
	struct keeper keeper = {s, c};
	bool again = s->reconcile.prune_again;

	if (!nat_static_prune(s->nat, PRUNED_A_STEP, keep_static, &keeper))
		return false;
	s->reconcile.prune_again = false;
	return !again;
}

static void remember_resting(struct reconcile *r, const struct conf *c, const struct conf_static *k)
{
	uint32_t i = (uint32_t)(k - c->statics);

	for (uint32_t at = 0; at < r->n_resting; at++) {
		if (r->resting[at] == i)
			return;
	}
	if (r->n_resting < RECONCILE_RESTING)
		r->resting[r->n_resting++] = i;
}

// Where somebody stands in the way by now it is for the next try, which tells him.
static bool take_rested(struct shard *s, const struct conf_static *k, uint32_t now_s)
{
	struct nat_key victim;

	return !nat_static_victim(s->nat, &k->key, k->external, &victim) &&
	       nat_static_add(s->nat, &k->key, k->external, false, now_s) == 0;
}

void reconcile_rested(struct shard *s, const struct conf *c, uint32_t now_s)
{
	struct reconcile *r = &s->reconcile;

	r->rested_s = now_s;
	for (uint32_t i = 0; i < r->n_resting;) {
		if (take_rested(s, &c->statics[r->resting[i]], now_s))
			r->resting[i] = r->resting[--r->n_resting];
		else
			i++;
	}
}

// False: who loses by it is not named yet.
static bool add_static(struct grant *w, const struct conf_static *k)
{
	struct shard *s = w->s;

	if (!wish_make_way(w, &k->key, k->external))
		return false;
	switch (nat_static_add(s->nat, &k->key, k->external, false, w->now_s)) {
	case 0:
		break;
	case -EAGAIN:
		remember_resting(&s->reconcile, w->c, k);
		s->reconcile.waiting = true;
		break;
	case -ENOENT: // its address still drains
		s->reconcile.waiting = true;
		break;
	default:
		s->counters.statics_failed += !s->reconcile.is_retry;
	}
	return true;
}

static bool add_statics(struct grant *w)
{
	struct reconcile *r = &w->s->reconcile;

	for (unsigned i = 0; i < STATICS_A_STEP && r->cursor < w->c->n_statics; r->cursor++) {
		const struct conf_static *k = &w->c->statics[r->cursor];
		bool held = holds_static(w->s, w->c, k);

		if (held && !add_static(w, k))
			return false;
		i += held ? STATIC_HELD : 1;
	}
	return r->cursor >= w->c->n_statics;
}

// ---- subscribers -----------------------------------------------------------------------------

struct regroup { // the first subscriber found in a group that is no longer his
	const struct conf *c;
	struct leaving *found;
};

static bool see_subscriber(void *ctx, const struct nat_subscriber_view *view)
{
	const struct regroup *g = ctx;

	if (view->n_blocks == 0 || conf_group_of(g->c, view->realm, view->host) == view->group)
		return true;
	*g->found = (struct leaving){.busy = true, .realm = view->realm, .host = view->host};
	return false;
}

// He is called by the server he knows. Where his new group has the address too, it is that group's
// from now on, and in that group's Epoch.
static void tell_leaving(const struct grant *w)
{
	struct leaving *l = &w->s->reconcile.leaving;
	struct server_client *client = server_client_find(w->s->clients, l->realm, l->host);
	uint32_t group = conf_group_of(w->c, l->realm, l->host);

	l->busy = false;
	if (client == NULL || client->port == 0)
		return;
	if (group != PREFIX_NONE &&
		datagram_is_served(w->c, &w->c->groups[group], l->realm, client->server))
		client->group = (uint8_t)group;
	if (!l->lost)
		return;
	client->epoch_base_s = w->now_s;
	tell_cleared(w->s, l->realm, l->host, w->now);
}

static uint32_t leases_of(const struct nat *n, const struct leaving *l)
{
	struct nat_subscriber_view view;

	return nat_subscriber_find(n, l->realm, l->host, &view) ? view.n_leases : 0;
}

// True when there is nothing left of his.
static bool clear_leaving(struct grant *w)
{
	struct leaving *l = &w->s->reconcile.leaving;
	struct nat_key host = {.realm = l->realm, .host = l->host};
	uint32_t had = leases_of(w->s->nat, l);
	bool done;

	if (!w->g->named)
		w->g->named = wish_name_lost(w, &host, true);
	if (!w->g->named)
		return false;
	done = nat_subscriber_clear(w->s->nat, l->realm, l->host, CLEAR_PORTS_A_STEP, w->now_s);
	l->lost |= leases_of(w->s->nat, l) < had;
	return done;
}

static bool clear_moved_subscribers(struct grant *w)
{
	struct reconcile *r = &w->s->reconcile;
	struct regroup g = {w->c, &r->leaving};
	bool ended = false;

	if (!r->leaving.busy) {
		*w->g = (struct granting){0};
		ended = nat_walk_subscribers(
			w->s->nat, &r->cursor, SUBSCRIBERS_A_STEP, see_subscriber, &g);
	}
	if (!r->leaving.busy)
		return ended;
	if (clear_leaving(w)) {
		tell_leaving(w);
		r->cursor++;
	}
	return false;
}

// ---- the order -------------------------------------------------------------------------------

static bool run_phase(struct shard *s, const struct conf *c, ns now)
{
	struct granting *naming = &s->reconcile.naming;
	struct grant w = {s, c, naming, &naming->wish, now, (uint32_t)(now / NS_PER_S)};

	switch ((enum reconcile_phase)s->reconcile.phase) {
	case RECONCILE_START:
		if (s->reconcile.leaving.busy) // an older snapshot began to clear him
			tell_leaving(&w);
		return true;
	case RECONCILE_DROP_ADDRESSES:
		return drop_addresses(s, c);
	case RECONCILE_PRUNE_STATICS:
		return prune_statics(s, c);
	case RECONCILE_ADD_ADDRESSES:
		return add_addresses(s, c);
	case RECONCILE_ADD_STATICS:
		return add_statics(&w);
	case RECONCILE_SUBSCRIBERS:
		return s->reconcile.is_retry || clear_moved_subscribers(&w);
	case RECONCILE_DONE:
		break;
	}
	return true;
}

static void start(struct reconcile *r, uint64_t generation)
{
	bool prune_again = r->prune_again || r->phase == RECONCILE_PRUNE_STATICS;

	*r = (struct reconcile){
		.generation = generation, .prune_again = prune_again, .leaving = r->leaving};
}

// True when something still waits and this second has not seen it tried.
static bool start_retry(struct reconcile *r, uint32_t now_s)
{
	if (!r->waiting || r->tried_s == now_s)
		return false;
	r->waiting = false;
	r->is_retry = true;
	r->phase = RECONCILE_ADD_ADDRESSES;
	r->cursor = 0;
	return true;
}

static void finish(struct shard *s, const struct conf *c, ns now)
{
	struct reconcile *r = &s->reconcile;

	r->tried_s = (uint32_t)(now / NS_PER_S);
	if (s->generation == r->generation)
		return;
	announce_configuration(s, c, now);
	s->counters.reconciled++;
	__atomic_store_n(&s->generation, r->generation, __ATOMIC_RELEASE);
}

bool reconcile_step(struct shard *s, const struct conf *c, ns now)
{
	uint32_t now_s = (uint32_t)(now / NS_PER_S);
	struct reconcile *r = &s->reconcile;

	if (c->generation != r->generation)
		start(r, c->generation);
	else if (r->phase == RECONCILE_DONE && !start_retry(r, now_s))
		return false;
	if (run_phase(s, c, now)) {
		r->phase++;
		r->cursor = 0;
	}
	if (r->phase != RECONCILE_DONE)
		return true;
	finish(s, c, now);
	return false;
}
