// SPDX-License-Identifier: Apache-2.0
// A new configuration is taken over bit by bit between bursts: addresses leave and arrive, static
// mappings change, subscribers whose group changed are cleared. Packets already follow the new
// snapshot meanwhile.
#include <postern/shard.h>

#include "world.h"

enum {
	ADDRESSES_A_STEP = 8,
	STATICS_A_STEP = 32,
	SUBSCRIBERS_A_STEP = 256,
	CLEAR_PORTS = 2048
};

static const struct conf_local *pool_address(const struct conf *c, ip4 ip)
{
	const struct conf_local *local = conf_find_local(c, 0, ip);

	return local != NULL && local->kind == CONF_LOCAL_POOL ? local : NULL;
}

static bool has_static(const struct shard *s, const struct conf *c, ip4 ip)
{
	for (uint32_t i = 0; i < c->n_statics; i++) {
		if (c->statics[i].external.addr == ip && c->statics[i].owner == s->id)
			return true;
	}
	return false;
}

static bool keeps_address(const struct shard *s, const struct conf *c, ip4 ip)
{
	const struct conf_local *local = pool_address(c, ip);
	struct nat_address share;

	if (local == NULL)
		return false;
	return conf_external_share(c, local->index, s->id, &share) || has_static(s, c, ip);
}

static bool drop_addresses(struct shard *s, const struct conf *c)
{
	struct reconcile *r = &s->reconcile;

	if (r->cursor == 0)
		r->n_known = nat_address_list(s->nat, s->known, s->max_addresses);
	for (unsigned i = 0; i < ADDRESSES_A_STEP && r->cursor < r->n_known; i++, r->cursor++) {
		if (!keeps_address(s, c, s->known[r->cursor]))
			nat_address_remove(s->nat, s->known[r->cursor]);
	}
	return r->cursor >= r->n_known;
}

static bool add_addresses(struct shard *s, const struct conf *c)
{
	struct reconcile *r = &s->reconcile;
	struct nat_address share;

	for (unsigned i = 0; i < ADDRESSES_A_STEP && r->cursor < c->n_external; i++, r->cursor++) {
		// Known ones answer -EEXIST; config check made sure that there is room.
		if (conf_external_share(c, r->cursor, s->id, &share) &&
			nat_address_add(s->nat, &share) != 0)
			continue;
	}
	return r->cursor >= c->n_external;
}

static bool keep_static(void *ctx, const struct nat_key *key, struct recipe external)
{
	const struct conf *c = ctx;

	for (uint32_t i = 0; i < c->n_statics; i++) {
		const struct conf_static *k = &c->statics[i];
		if (memcmp(&k->key, key, sizeof *key) == 0 && k->external.addr == external.addr &&
			k->external.port == external.port)
			return true;
	}
	return false;
}

static void add_static(struct shard *s, const struct conf *c, uint32_t i, uint32_t now_s)
{
	const struct conf_static *k = &c->statics[i];

	if (k->owner != s->id)
		return;
	if (!nat_address_known(s->nat, k->external.addr)) {
		struct nat_address guest = {.ip = k->external.addr,
			.group = k->group,
			.port_first = 1, // first > last: no dynamic ports here
			.port_last = 0,
			.port_set_size = c->groups[k->group].nat.port_set_size};
		if (nat_address_add(s->nat, &guest) != 0) {
			s->counters.statics_failed++;
			return;
		}
	}
	if (nat_static_add(s->nat, &k->key, k->external, now_s) != 0)
		s->counters.statics_failed++;
}

static bool add_statics(struct shard *s, const struct conf *c, uint32_t now_s)
{
	struct reconcile *r = &s->reconcile;

	for (unsigned i = 0; i < STATICS_A_STEP && r->cursor < c->n_statics; i++, r->cursor++)
		add_static(s, c, r->cursor, now_s);
	return r->cursor >= c->n_statics;
}

struct regroup { // the first subscriber found in a group that is no longer his
	const struct conf *c;
	bool found;
	uint8_t realm;
	ip4 host;
};

static bool see_subscriber(void *ctx, const struct nat_subscriber_view *view)
{
	struct regroup *g = ctx;

	if (view->n_blocks == 0 || conf_group_of(g->c, view->realm, view->host) == view->group)
		return true;
	g->found = true;
	g->realm = view->realm;
	g->host = view->host;
	return false;
}

static bool clear_moved_subscribers(struct shard *s, const struct conf *c, uint32_t now_s)
{
	struct reconcile *r = &s->reconcile;
	struct regroup g = {.c = c};
	bool ended =
		nat_walk_subscribers(s->nat, &r->cursor, SUBSCRIBERS_A_STEP, see_subscriber, &g);

	if (!g.found)
		return ended;
	if (nat_subscriber_clear(s->nat, g.realm, g.host, CLEAR_PORTS, now_s))
		r->cursor++;
	return false;
}

static bool run_phase(struct shard *s, const struct conf *c, uint32_t now_s)
{
	switch ((enum reconcile_phase)s->reconcile.phase) {
	case RECONCILE_START:
		nat_set_timers(s->nat, &c->timers);
		return true;
	case RECONCILE_DROP_ADDRESSES:
		return drop_addresses(s, c);
	case RECONCILE_PRUNE_STATICS:
		return nat_static_prune(
			s->nat, STATICS_A_STEP * 8, now_s, keep_static, (void *)(uintptr_t)c);
	case RECONCILE_ADD_ADDRESSES:
		return add_addresses(s, c);
	case RECONCILE_ADD_STATICS:
		return add_statics(s, c, now_s);
	case RECONCILE_SUBSCRIBERS:
		return clear_moved_subscribers(s, c, now_s);
	case RECONCILE_DONE:
		break;
	}
	return true;
}

bool reconcile_step(struct shard *s, const struct conf *c, uint32_t now_s)
{
	struct reconcile *r = &s->reconcile;

	if (c->generation == s->generation)
		return false;
	if (c->generation != r->generation)
		*r = (struct reconcile){.generation = c->generation};
	if (run_phase(s, c, now_s)) {
		r->phase++;
		r->cursor = 0;
	}
	if (r->phase != RECONCILE_DONE)
		return true;
	s->counters.reconciled++;
	__atomic_store_n(&s->generation, c->generation, __ATOMIC_RELEASE);
	return false;
}
