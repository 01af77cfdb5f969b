// SPDX-License-Identifier: Apache-2.0
// Granting what a client wishes: a port for a new mapping, a lease on one that stands. Everything
// that can fail is asked before anything is changed.
#include <postern/nat.h>

#include "grants.h"

struct grant grant_of(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_wish *wish, uint32_t now_s, struct nat_view *view)
{
	n->clock_s = now_s;
	return (struct grant){.n = n,
		.policy = policy,
		.wish = wish,
		.view = view,
		.hash = hash_u64(key_word(&wish->key), &n->secret),
		.now_s = now_s,
		.slot = NO_SLOT,
		.subscriber = NO_SUBSCRIBER,
		.group = group,
		.exact = wish->exact};
}

uint32_t grant_find(struct grant *g)
{
	struct nat *n = g->n;
	uint32_t slot = table_find(n, &g->wish->key, g->hash);

	if (slot == NO_SLOT || slot_at(n, slot)->bits & SLOT_LEASE ||
		!mapping_is_idle(n, slot, g->now_s))
		return slot;
	implicit_expire(n, slot, g->now_s);
	return NO_SLOT;
}

// ---- the lease -------------------------------------------------------------------------------

struct lease grant_lease(const struct grant *g, uint8_t state)
{
	return (struct lease){.key = g->wish->key,
		.ext = slot_at(g->n, g->slot)->ext,
		.slot = g->slot,
		.subscriber = g->subscriber,
		.state = state & 7u};
}

static uint8_t wished_flags(const struct nat_wish *w)
{
	return (uint8_t)((w->has_nonce ? LEASE_NONCE : 0) | (w->exact ? LEASE_EXACT : 0) |
			 (w->third_party ? LEASE_THIRD_PARTY : 0) |
			 (w->operators ? LEASE_OPERATORS : 0));
}

void grant_write(struct grant *g, uint32_t lease, uint32_t expiry_s)
{
	const struct nat_wish *w = g->wish;
	struct lease *l = &g->n->leases[lease];

	memcpy(l->nonce, w->nonce, sizeof l->nonce);
	l->client = w->client;
	l->client_port = w->client_port;
	l->dialect = w->dialect & 31u;
	l->flags = (uint8_t)((l->flags & (LEASE_SET | LEASE_ANCHOR | LEASE_ADOPTED)) |
			     wished_flags(w));
	if (l->extra != 0 || w->client_realm != l->key.realm)
		extra_need(g->n, l)->client_realm = w->client_realm;
	lease_expire_at(g->n, lease, expiry_s);
	if (l->state == LEASE_LIVE && (w->clear_filters || w->n_filters > 0))
		filters_write(g->n, lease, w);
	if (w->has_text)
		text_write(g->n, lease, w);
	lease_view(g->n, lease, g->slot, g->now_s, g->view);
}

enum nat_grant grant_join(struct grant *g)
{
	const struct nat *n = g->n;

	g->subscriber = subscriber_of(n, g->slot);
	if (n->subscribers[g->subscriber].n_leases >= g->policy->lease_limit)
		return NAT_QUOTA;
	return n->counters.leases < n->limits.leases ? NAT_GRANTED : NAT_NO_RESOURCES;
}

void grant_adopt(const struct grant *g)
{
	if (!(slot_at(g->n, g->slot)->bits & SLOT_LEASE))
		event_implicit(g->n, NAT_EVENT_MAPPING_DELETED, g->slot);
}

// ---- the port --------------------------------------------------------------------------------

static bool is_over_quota(const struct grant *g)
{
	const struct subscriber *s = &g->n->subscribers[g->subscriber];
	uint32_t ports = s->n_ports[g->wish->key.protocol - 1];

	return s->n_leases >= g->policy->lease_limit ||
	       (g->policy->port_limit != 0 && ports >= g->policy->port_limit);
}

enum nat_grant grant_open(struct grant *g)
{
	struct nat *n = g->n;
	const struct nat_key *key = &g->wish->key;

	g->slot = table_place(n, g->hash);
	if (g->slot == NO_SLOT || n->counters.mappings >= n->limits.mappings)
		return NAT_NO_RESOURCES;
	g->subscriber = subscriber_get(n, key->realm, key->host, g->group);
	if (g->subscriber == NO_SUBSCRIBER || n->subscribers[g->subscriber].group != g->group)
		return NAT_NO_RESOURCES;
	if (!is_over_quota(g))
		return NAT_GRANTED;
	subscriber_drop_if_empty(n, g->subscriber);
	return NAT_QUOTA;
}

static enum nat_grant cannot(struct grant *g, uint32_t left_s)
{
	*g->view = (struct nat_view){.key = g->wish->key, .lease_left_s = left_s};
	g->n->counters.suggestions_refused++;
	return NAT_CANNOT_EXACT;
}

static bool is_wished(const struct nat_wish *w, struct recipe external)
{
	return (w->suggested.port == 0 || w->suggested.port == external.port) &&
	       (w->suggested.addr == 0 || w->suggested.addr == external.addr);
}

// A lease in hold-down that this request may have back.
static uint32_t find_own_rest(const struct grant *g)
{
	const struct nat *n = g->n;
	const struct nat_wish *w = g->wish;
	uint64_t word = key_word(&w->key);

	for (uint32_t i = *lease_head(n, &w->key); i != 0; i = n->leases[i - 1].chain) {
		const struct lease *l = &n->leases[i - 1];
		if (l->state == LEASE_RESTING && key_word(&l->key) == word &&
			memcmp(l->nonce, w->nonce, sizeof l->nonce) == 0 &&
			!(l->flags & LEASE_NONCE) == !w->has_nonce &&
			n->addresses[l->ext >> 16].state == ADDRESS_LIVE &&
			(!g->exact || is_wished(w, ext_recipe(n, l->ext))))
			return i - 1;
	}
	return NO_LEASE;
}

// The same client, nonce and internal port within hold-down: the old port comes back.
static enum nat_grant revive(struct grant *g, uint32_t lease)
{
	struct nat *n = g->n;
	uint32_t ext = n->leases[lease].ext;

	n->subscribers[g->subscriber].n_resting--;
	lease_put(n, lease);
	port_revive(n, g->wish->key.protocol, ext);
	mapping_make(n, g->slot, &g->wish->key, g->hash, ext, 0, g->subscriber, g->now_s);
	return NAT_GRANTED;
}

static enum nat_grant make_on(struct grant *g, uint32_t ext)
{
	mapping_open(g->n, g->slot, &g->wish->key, g->hash, ext, 0, g->subscriber, g->now_s);
	return NAT_GRANTED;
}

// How long a port that somebody holds by a lease will stay taken; 0 when nobody can tell.
static uint32_t conflict_left_s(const struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s)
{
	const struct entry *e = entry_at(n, protocol, ext);
	struct nat_key key = {e->host, e->port, e->realm, protocol};
	bool resting = (e->bits & EXT_STATE) == EXT_RESTING;
	uint32_t i;

	if ((e->bits & EXT_STATE) == EXT_FREE)
		return 0;
	if (resting)
		i = lease_find(n, &key, true);
	else
		i = lease_on(n, slot_find(n, &key));
	if (i == NO_LEASE || n->leases[i].state == LEASE_STATIC ||
		(resting && n->leases[i].ext != ext))
		return 0;
	return lease_left_s(&n->leases[i], now_s) + (resting ? 0 : n->timers.pcp_hold_down);
}

uint32_t grant_address(const struct grant *g)
{
	const struct nat *n = g->n;
	const struct subscriber *s = &n->subscribers[g->subscriber];
	uint32_t a = s->address;

	if (g->wish->suggested.addr != 0)
		a = address_find(n, g->wish->suggested.addr);
	else if (!subscriber_has_pair(n, s) && n->group_list[s->group] != 0)
		a = n->group_list[s->group] - 1;
	if (a == NO_ADDRESS || n->addresses[a].state != ADDRESS_LIVE ||
		n->addresses[a].group != s->group)
		return NO_ADDRESS;
	return a;
}

// One port for an explicit mapping where such have a range of their own.
static struct run one_port(const struct grant *g)
{
	const struct nat_key *key = &g->wish->key;

	return (struct run){.protocol = key->protocol,
		.parity = g->policy->parity && key->protocol != NAT_ICMP,
		.like = key->port,
		.least = 1,
		.n_ports = 1};
}

static bool choose_on(struct grant *g, uint32_t a, uint32_t *ext)
{
	struct run run = one_port(g);
	bool found;

	if (g->policy->explicit_first == 0)
		return port_choose_on(
			g->n, g->policy, g->subscriber, g->wish->key.protocol, a, ext);
	found = explicit_choose_on(g->n, g->subscriber, a, &run);
	*ext = run.ext;
	return found;
}

// Where explicit mappings have a range, no suggestion leads out of it.
static bool claim(struct grant *g, uint32_t ext)
{
	struct run run = {.protocol = g->wish->key.protocol, .n_ports = 1, .ext = ext};

	if (g->policy->explicit_first == 0)
		return port_claim(g->n, g->policy, g->subscriber, run.protocol, ext);
	return explicit_claim(g->n, g->subscriber, &run);
}

// Tries the suggested port, or any port of the suggested address. *left_s when it is taken.
static bool try_suggested(struct grant *g, uint32_t *ext, uint32_t *left_s)
{
	uint32_t a = grant_address(g);

	if (a == NO_ADDRESS)
		return false;
	if (g->wish->suggested.port == 0)
		return choose_on(g, a, ext);
	*ext = ext_of(a, g->wish->suggested.port);
	if (claim(g, *ext))
		return true;
	*left_s = conflict_left_s(g->n, g->wish->key.protocol, *ext, g->now_s);
	return false;
}

static enum drop choose(struct grant *g, uint32_t *ext)
{
	struct run run = one_port(g);
	enum drop why;

	if (g->policy->explicit_first == 0)
		return port_choose(g->n, g->policy, g->subscriber, &g->wish->key, g->now_s, ext);
	why = explicit_choose(g->n, g->policy, g->subscriber, &run);
	*ext = run.ext;
	return why;
}

static enum nat_grant place(struct grant *g)
{
	const struct nat_wish *w = g->wish;
	uint32_t ext, left_s = 0;

	if (w->suggested.port != 0 || w->suggested.addr != 0) {
		if (try_suggested(g, &ext, &left_s))
			return make_on(g, ext);
		if (g->exact)
			return cannot(g, left_s);
		g->n->counters.suggestions_refused++;
	}
	switch (choose(g, &ext)) {
	case DROP_NONE:
		return make_on(g, ext);
	case DROP_QUOTA_BLOCKS:
		return NAT_QUOTA;
	default:
		return NAT_NO_RESOURCES;
	}
}

enum nat_grant grant_place(struct grant *g)
{
	struct nat *n = g->n;
	uint32_t rest = find_own_rest(g);
	enum nat_grant grant;

	if (rest != NO_LEASE)
		return revive(g, rest);
	grant = n->counters.leases < n->limits.leases ? place(g) : NAT_NO_RESOURCES;
	if (grant != NAT_GRANTED)
		subscriber_drop_if_empty(n, g->subscriber);
	return grant;
}

// ---- MAP -------------------------------------------------------------------------------------

static enum nat_grant renew(struct grant *g, uint32_t lease)
{
	struct lease *l = &g->n->leases[lease];

	if (l->state == LEASE_STATIC) { // the caller should have answered by himself
		mapping_view(g->n, g->slot, g->now_s, g->view);
		return NAT_GRANTED;
	}
	if (g->exact && !is_wished(g->wish, ext_recipe(g->n, l->ext)))
		return cannot(g, 0);
	grant_write(g, lease, g->now_s + g->wish->lifetime_s + 1); // never early
	g->n->counters.explicit_renewed++;
	return NAT_GRANTED;
}

static enum nat_grant hang(struct grant *g, uint8_t flags)
{
	struct lease made = grant_lease(g, LEASE_LIVE);
	uint32_t i;

	made.flags = flags;
	i = lease_get(g->n, &made); // the callers made sure that there is room
	slot_hang(g->n, g->slot, HANGS_MAP);
	lease_join(g->n, i);
	grant_write(g, i, g->now_s + g->wish->lifetime_s + 1);
	event_lease(g->n, NAT_EVENT_MAPPING_CREATED, i, g->now_s);
	g->n->counters.explicit_created++;
	return NAT_GRANTED;
}

static enum nat_grant adopt(struct grant *g)
{
	enum nat_grant grant = grant_join(g);

	if (g->exact && !is_wished(g->wish, ext_recipe(g->n, slot_at(g->n, g->slot)->ext)))
		return cannot(g, 0);
	if (grant != NAT_GRANTED)
		return grant;
	grant_adopt(g);
	return hang(g, LEASE_ADOPTED);
}

static enum nat_grant create(struct grant *g)
{
	enum nat_grant grant = grant_open(g);

	if (grant != NAT_GRANTED)
		return grant;
	if (g->wish->n_ports > 1 && !g->exact && set_place(g))
		return NAT_GRANTED;
	grant = grant_place(g);
	return grant == NAT_GRANTED ? hang(g, 0) : grant;
}

// A text is not worth a refusal, and a set becomes a single port.
static bool needs_extra(const struct grant *g, uint32_t lease)
{
	const struct nat_wish *w = g->wish;

	if (lease != NO_LEASE && g->n->leases[lease].extra != 0)
		return false;
	return w->n_filters > 0 || w->client_realm != w->key.realm;
}

enum nat_grant nat_lease_map(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_wish *wish, uint32_t now_s, struct nat_view *view)
{
	struct grant g = grant_of(n, policy, group, wish, now_s, view);
	enum nat_grant grant = NAT_GRANTED;
	uint32_t i = NO_LEASE;

	g.slot = grant_find(&g);
	if (g.slot != NO_SLOT)
		i = lease_on_hashed(n, g.slot, &wish->key, g.hash);
	if (wish->n_filters > 0)
		grant = filters_check(&g, i);
	if (grant != NAT_GRANTED)
		return grant;
	if (needs_extra(&g, i) && !extra_has_room(n))
		return NAT_NO_RESOURCES;
	if (i != NO_LEASE)
		return renew(&g, i);
	return g.slot != NO_SLOT ? adopt(&g) : create(&g);
}
