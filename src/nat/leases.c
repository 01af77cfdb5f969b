// SPDX-License-Identifier: Apache-2.0
// Leases: what PCP granted, hanging on a mapping. A lease that ended rests with its port, so that
// the same client, nonce and internal port get it back (RFC 6887 s.15).
#include <postern/nat.h>

#include "tables.h"

static uint32_t *lease_head(const struct nat *n, const struct nat_key *key)
{
	return &n->lease_heads[(uint32_t)hash_u64(key_word(key), &n->secret) & n->lease_mask];
}

uint32_t lease_find(const struct nat *n, const struct nat_key *key, bool resting)
{
	uint64_t word = key_word(key);

	for (uint32_t i = *lease_head(n, key); i != 0; i = n->leases[i - 1].chain) {
		const struct lease *l = &n->leases[i - 1];
		if (key_word(&l->key) == word && (l->state == LEASE_RESTING) == resting)
			return i - 1;
	}
	return NO_LEASE;
}

uint32_t lease_get(struct nat *n, const struct nat_key *key, uint8_t state)
{
	uint32_t *head = lease_head(n, key);
	uint32_t i;

	if (n->lease_free != 0) {
		i = n->lease_free - 1;
		n->lease_free = n->leases[i].chain;
	} else if (n->lease_high < n->limits.leases) {
		i = n->lease_high++;
	} else {
		return NO_LEASE;
	}
	n->leases[i] = (struct lease){
		.key = *key, .state = state, .chain = *head, .subscriber = NO_SUBSCRIBER};
	*head = i + 1;
	n->counters.leases++;
	return i;
}

void lease_put(struct nat *n, uint32_t lease)
{
	struct lease *l = &n->leases[lease];
	uint32_t *link = lease_head(n, &l->key);

	while (*link != lease + 1)
		link = &n->leases[*link - 1].chain;
	*link = l->chain;
	if (l->wheel != 0)
		wheel_remove(n, lease);
	*l = (struct lease){.chain = n->lease_free};
	n->lease_free = lease + 1;
	n->counters.leases--;
}

void nat_lease_look(
	const struct nat *n, const struct nat_key *key, uint32_t now_s, struct nat_view *view)
{
	uint32_t slot = table_find(n, key, hash_u64(key_word(key), &n->secret));
	uint32_t i;

	*view = (struct nat_view){.key = *key, .kind = NAT_ABSENT};
	if (slot != NO_SLOT) {
		mapping_view(n, slot, now_s, view);
		if (view->kind != NAT_IMPLICIT || view->traffic)
			return;
		*view = (struct nat_view){.key = *key, .kind = NAT_ABSENT};
	}
	i = lease_find(n, key, true);
	if (i == NO_LEASE)
		return;
	view->kind = NAT_RESTING;
	view->external = ext_recipe(n, n->leases[i].ext);
	view->lease_left_s = lease_left_s(&n->leases[i], now_s);
	memcpy(view->nonce, n->leases[i].nonce, sizeof view->nonce);
}

// ---- ending ----------------------------------------------------------------------------------

// Whether the ended lease itself rests, or only its port: memory and one subscriber's share of
// resting leases are bounded.
static bool may_rest(const struct nat *n, const struct lease *l)
{
	const struct subscriber *s = &n->subscribers[l->subscriber];

	return n->counters.leases < n->limits.leases / 4 * 3 && s->n_resting < 256;
}

static void lease_to_rest(struct nat *n, uint32_t lease, uint32_t now_s)
{
	struct lease *l = &n->leases[lease];

	if (!may_rest(n, l)) {
		mapping_end(n, l->slot, END_REST, now_s);
		lease_put(n, lease);
		return;
	}
	mapping_end(n, l->slot, END_HOLD, now_s);
	if (l->wheel != 0)
		wheel_remove(n, lease);
	l->state = LEASE_RESTING;
	l->slot = NO_SLOT;
	l->expiry_s = now_s + n->timers.pcp_hold_down + 1;
	n->subscribers[l->subscriber].n_resting++;
	wheel_add(n, lease, l->expiry_s);
}

void lease_finish(struct nat *n, uint32_t lease, uint32_t now_s)
{
	struct lease *l = &n->leases[lease];
	struct slot *s = slot_at(n, l->slot);

	n->subscribers[l->subscriber].n_leases--;
	if (s->bits & SLOT_SEEN && !mapping_is_idle(n, l->slot, now_s)) {
		s->bits = (uint8_t)(s->bits & ~SLOT_LEASE);
		entry_at(n, l->key.protocol, l->ext)->bits &= (uint8_t)~EXT_LEASE;
		lease_put(n, lease);
		n->counters.became_implicit++;
		return;
	}
	lease_to_rest(n, lease, now_s);
}

void lease_rest_over(struct nat *n, uint32_t lease)
{
	struct lease *l = &n->leases[lease];
	uint8_t protocol = l->key.protocol;
	uint32_t ext = l->ext;

	n->subscribers[l->subscriber].n_resting--;
	lease_put(n, lease);
	port_release(n, protocol, ext);
}

void nat_lease_end(struct nat *n, const struct nat_key *key, uint32_t now_s)
{
	uint32_t i = lease_find(n, key, false);

	if (i == NO_LEASE || n->leases[i].state != LEASE_LIVE)
		return;
	n->counters.explicit_deleted++;
	lease_finish(n, i, now_s);
}

// ---- granting --------------------------------------------------------------------------------

struct grant { // what the steps below work on
	struct nat *n;
	const struct nat_policy *policy;
	const struct nat_wish *wish;
	struct nat_view *view;
	uint64_t hash;
	uint32_t subscriber;
	uint32_t now_s;
};

static void lease_write(struct grant *g, uint32_t lease)
{
	struct lease *l = &g->n->leases[lease];
	uint32_t expiry_s = g->now_s + g->wish->lifetime_s + 1; // never early

	memcpy(l->nonce, g->wish->nonce, sizeof l->nonce);
	l->client = g->wish->client;
	l->client_port = g->wish->client_port;
	l->version = g->wish->version;
	if (l->wheel != 0 && expiry_s < l->expiry_s)
		wheel_remove(g->n, lease);
	l->expiry_s = expiry_s;
	if (l->wheel == 0)
		wheel_add(g->n, lease, expiry_s);
	mapping_view(g->n, l->slot, g->now_s, g->view);
}

static enum nat_grant cannot(struct grant *g, uint32_t left_s)
{
	*g->view = (struct nat_view){.key = g->wish->key, .lease_left_s = left_s};
	g->n->counters.suggestions_refused++;
	return NAT_CANNOT_EXACT;
}

static bool is_wished(const struct nat_wish *w, struct recipe external)
{
	return w->suggested.port == external.port &&
	       (w->suggested.addr == 0 || w->suggested.addr == external.addr);
}

static enum nat_grant renew(struct grant *g, uint32_t lease)
{
	struct lease *l = &g->n->leases[lease];

	if (g->wish->exact && !is_wished(g->wish, ext_recipe(g->n, l->ext)))
		return cannot(g, 0);
	lease_write(g, lease);
	g->n->counters.explicit_renewed++;
	return NAT_GRANTED;
}

static uint32_t lease_attach(struct grant *g, uint32_t slot)
{
	struct slot *s = slot_at(g->n, slot);
	uint32_t i = lease_get(g->n, &g->wish->key, LEASE_LIVE);
	struct lease *l;

	if (i == NO_LEASE)
		return i;
	l = &g->n->leases[i];
	l->slot = slot;
	l->ext = s->ext;
	l->subscriber = g->subscriber;
	s->bits |= SLOT_LEASE;
	entry_at(g->n, g->wish->key.protocol, s->ext)->bits |= EXT_LEASE;
	g->n->subscribers[g->subscriber].n_leases++;
	return i;
}

static enum nat_grant adopt_implicit(struct grant *g, uint32_t slot)
{
	const struct nat *n = g->n;
	uint32_t ext = slot_at(n, slot)->ext, i;

	if (g->wish->exact && !is_wished(g->wish, ext_recipe(n, ext)))
		return cannot(g, 0);
	g->subscriber = n->blocks[block_of(n, ext)].subscriber - 1;
	if (n->subscribers[g->subscriber].n_leases >= g->policy->lease_limit)
		return NAT_QUOTA;
	i = lease_attach(g, slot);
	if (i == NO_LEASE)
		return NAT_NO_RESOURCES;
	lease_write(g, i);
	g->n->counters.explicit_created++;
	return NAT_GRANTED;
}

static bool is_over_quota(const struct grant *g)
{
	const struct subscriber *s = &g->n->subscribers[g->subscriber];
	uint32_t ports = s->n_ports[g->wish->key.protocol - 1];

	return s->n_leases >= g->policy->lease_limit ||
	       (g->policy->port_limit != 0 && ports >= g->policy->port_limit);
}

static enum nat_grant make_on(struct grant *g, uint32_t slot, uint32_t ext)
{
	uint32_t i;

	port_occupy(g->n, g->wish->key.protocol, ext, &g->wish->key, 0);
	mapping_make(g->n, slot, &g->wish->key, g->hash, ext, 0, g->subscriber, g->now_s);
	i = lease_attach(g, slot); // the caller made sure that one is free
	lease_write(g, i);
	g->n->counters.explicit_created++;
	return NAT_GRANTED;
}

// A lease in hold-down that this request may have back.
static uint32_t find_own_rest(const struct grant *g)
{
	const struct nat *n = g->n;
	uint64_t word = key_word(&g->wish->key);

	for (uint32_t i = *lease_head(n, &g->wish->key); i != 0; i = n->leases[i - 1].chain) {
		const struct lease *l = &n->leases[i - 1];
		if (l->state == LEASE_RESTING && key_word(&l->key) == word &&
			memcmp(l->nonce, g->wish->nonce, sizeof l->nonce) == 0 &&
			n->addresses[l->ext >> 16].state == ADDRESS_LIVE &&
			(!g->wish->exact || is_wished(g->wish, ext_recipe(n, l->ext))))
			return i - 1;
	}
	return NO_LEASE;
}

// The same client, nonce and internal port within hold-down: the old port comes back.
static enum nat_grant revive(struct grant *g, uint32_t slot, uint32_t lease)
{
	struct nat *n = g->n;
	struct lease *l = &n->leases[lease];

	l->state = LEASE_LIVE;
	l->slot = slot;
	n->subscribers[l->subscriber].n_resting--;
	n->subscribers[l->subscriber].n_leases++;
	port_revive(n, l->key.protocol, l->ext);
	entry_at(n, l->key.protocol, l->ext)->bits |= EXT_LEASE;
	mapping_make(n, slot, &l->key, g->hash, l->ext, SLOT_LEASE, l->subscriber, g->now_s);
	lease_write(g, lease);
	n->counters.explicit_created++;
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
	i = lease_find(n, &key, resting);
	if (i == NO_LEASE || n->leases[i].ext != ext || n->leases[i].state == LEASE_STATIC)
		return 0;
	return lease_left_s(&n->leases[i], now_s) + (resting ? 0 : n->timers.pcp_hold_down);
}

// Tries the suggested port, or any port of the suggested address. *left_s when it is taken.
static bool try_suggested(struct grant *g, uint32_t *ext, uint32_t *left_s)
{
	struct nat *n = g->n;
	const struct subscriber *s = &n->subscribers[g->subscriber];
	struct recipe want = g->wish->suggested;
	uint8_t protocol = g->wish->key.protocol;
	uint32_t a = s->address;

	if (want.addr != 0)
		a = address_find(n, want.addr);
	else if (s->n_blocks == 0 && s->n_statics == 0 && n->group_list[s->group] != 0)
		a = n->group_list[s->group] - 1;
	if (a == NO_ADDRESS || n->addresses[a].state != ADDRESS_LIVE ||
		n->addresses[a].group != s->group)
		return false;
	if (want.port == 0)
		return port_choose_on(n, g->policy, g->subscriber, protocol, a, ext);
	*ext = ext_of(a, want.port);
	if (port_claim(n, g->policy, g->subscriber, protocol, *ext))
		return true;
	*left_s = conflict_left_s(n, protocol, *ext, g->now_s);
	return false;
}

static enum nat_grant place(struct grant *g, uint32_t slot)
{
	const struct nat_wish *w = g->wish;
	uint32_t ext, left_s = 0;

	if (w->suggested.port != 0 || w->suggested.addr != 0) {
		if (try_suggested(g, &ext, &left_s))
			return make_on(g, slot, ext);
		if (w->exact)
			return cannot(g, left_s);
		g->n->counters.suggestions_refused++;
	}
	switch (port_choose(g->n, g->policy, g->subscriber, w->key.protocol, g->now_s, &ext)) {
	case DROP_NONE:
		return make_on(g, slot, ext);
	case DROP_QUOTA_BLOCKS:
		return NAT_QUOTA;
	default:
		return NAT_NO_RESOURCES;
	}
}

static enum nat_grant create(struct grant *g, uint8_t group)
{
	struct nat *n = g->n;
	const struct nat_key *key = &g->wish->key;
	uint32_t slot = table_place(n, g->hash), rest = find_own_rest(g);
	enum nat_grant grant;

	if (slot == NO_SLOT || n->counters.mappings >= n->limits.mappings)
		return NAT_NO_RESOURCES;
	g->subscriber = subscriber_get(n, key->realm, key->host, group);
	if (g->subscriber == NO_SUBSCRIBER || n->subscribers[g->subscriber].group != group)
		return NAT_NO_RESOURCES;
	if (is_over_quota(g))
		grant = NAT_QUOTA;
	else if (rest != NO_LEASE)
		grant = revive(g, slot, rest);
	else if (n->counters.leases >= n->limits.leases)
		grant = NAT_NO_RESOURCES;
	else
		grant = place(g, slot);
	if (grant != NAT_GRANTED)
		subscriber_drop_if_empty(n, g->subscriber);
	return grant;
}

enum nat_grant nat_lease_map(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_wish *wish, uint32_t now_s, struct nat_view *view)
{
	struct grant g = {.n = n,
		.policy = policy,
		.wish = wish,
		.view = view,
		.hash = hash_u64(key_word(&wish->key), &n->secret),
		.now_s = now_s};
	uint32_t slot = table_find(n, &wish->key, g.hash);
	uint32_t i;

	if (slot == NO_SLOT)
		return create(&g, group);
	i = lease_find(n, &wish->key, false);
	if (i != NO_LEASE)
		return renew(&g, i);
	if (!mapping_is_idle(n, slot, now_s))
		return adopt_implicit(&g, slot);
	mapping_end(n, slot, END_REST, now_s);
	n->counters.implicit_expired++;
	return create(&g, group);
}
