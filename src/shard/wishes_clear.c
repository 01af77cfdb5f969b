// SPDX-License-Identifier: Apache-2.0
// Subscribers and groups cleared. Whoever loses leases by it must see his Epoch begin anew, and he
// alone (design D5): the subscriber himself, and the third parties that asked for him, whose shard
// is perhaps another one; those are named to control.
#include "wishes.h"

// ---- who is told -----------------------------------------------------------------------------

struct naming {
	struct grant *w;
	const struct nat_key *key;
	bool whole_host;
};

static bool was_named(const struct granting *g, uint8_t realm, ip4 client)
{
	for (uint32_t i = 0; i < min_u32(g->n_lost, WISH_LOST_KEPT); i++) {
		if (g->lost[i].address == client && g->lost[i].realm == realm)
			return true;
	}
	return false;
}

// One that is named twice, for want of memory here, begins anew at the same moment. False: no room.
static bool name(struct grant *w, uint8_t realm, ip4 client, uint8_t group)
{
	struct shard_answer a = {.kind = SHARD_LOST_CLIENT,
		.client = {.address = client, .realm = realm, .group = group}};
	struct granting *g = w->g;

	if (was_named(g, realm, client))
		return true;
	if (!wish_has_room(w, 1))
		return false;
	g->lost[g->n_lost++ % WISH_LOST_KEPT] = (struct lost){.address = client, .realm = realm};
	wish_answer(w, &a);
	return true;
}

static bool is_touched(const struct naming *n, const struct nat_view *view)
{
	uint32_t first = view->key.port, ports = max_u32(view->n_ports, 1);

	return n->whole_host || (view->key.protocol == n->key->protocol && n->key->port >= first &&
					n->key->port < first + ports);
}

static bool see_lease(void *ctx, const struct nat_view *view)
{
	const struct naming *n = ctx;

	if (!view->third_party || !is_touched(n, view))
		return true;
	return name(n->w, view->client_realm, view->client, view->group);
}

// A subscriber who asks for others himself has leases on other workers: they must know it too.
static bool name_himself(struct grant *w, const struct nat_key *key)
{
	uint32_t group = conf_group_of(w->c, key->realm, key->host);

	if (group == PREFIX_NONE || !pcp_is_third_party(&w->c->groups[group].pcp, key->host))
		return true;
	return name(w, key->realm, key->host, (uint8_t)group);
}

bool wish_name_lost(struct grant *w, const struct nat_key *key, bool whole_host)
{
	struct naming n = {w, key, whole_host};

	return nat_lease_walk(w->s->nat, key->realm, key->host, &w->g->lease_cursor, WALK_PLACES,
		       w->now_s, see_lease, &n) &&
	       name_himself(w, key);
}

// A client who is not known is made known: the Epoch is kept in his record.
static struct server_client *record_of(struct grant *w, uint8_t realm, ip4 client, uint8_t group)
{
	static const struct server_policy unlimited = {.enabled = true};
	struct server_client *record = server_client_find(w->s->clients, realm, client);

	if (record != NULL)
		return record;
	if (!server_client_admit(w->s->clients, &unlimited, realm, client, w->now, &record) ||
		record == NULL)
		return NULL;
	record->group = group;
	record->requests = 0; // he has not asked
	return record;
}

// Another worker keeps his Epoch for what it may have to tell him of others' mappings.
void wish_restart_client(struct grant *w, uint8_t realm, ip4 client, uint8_t group)
{
	struct server_client *record = record_of(w, realm, client, group);

	if (record == NULL)
		return;
	record->epoch_base_s = w->now_s;
	if (record->port != 0 && wish_is_mine(w, client))
		tell_cleared(w->s, realm, client, w->now);
}

bool wish_tell_losers(struct grant *w, const struct nat_key *key)
{
	struct nat_view view;

	nat_lease_look(w->s->nat, key, w->now_s, &view);
	if (view.kind != NAT_EXPLICIT && view.kind != NAT_PEER)
		return true;
	if (!w->g->named)
		w->g->named = wish_name_lost(w, key, false);
	if (w->g->named && !view.operators)
		wish_restart_client(w, key->realm, key->host, view.group);
	return w->g->named;
}

bool wish_make_way(struct grant *w, const struct nat_key *key, struct recipe external)
{
	struct nat_key victim;

	while (nat_static_victim(w->s->nat, key, external, &victim)) {
		if (!wish_tell_losers(w, &victim))
			return false;
		nat_static_evict(w->s->nat, &victim, w->now_s);
		w->g->named = false;
		w->g->lease_cursor = w->g->n_lost = 0;
	}
	return true;
}

void wish_reset_client(struct grant *w)
{
	const struct nat_key *key = &w->wish->key;
	uint32_t group = w->wish->group;

	if (key->realm >= CONF_MAX_REALMS) {
		wish_done(w, -ENOENT);
		return;
	}
	if (group >= CONF_MAX_GROUPS)
		group = conf_group_of(w->c, key->realm, key->host);
	if (group >= CONF_MAX_GROUPS) {
		wish_done(w, -ENOENT);
		return;
	}
	wish_restart_client(w, key->realm, key->host, (uint8_t)group);
	wish_done(w, 0);
}

// ---- one subscriber --------------------------------------------------------------------------

static bool begin_clear(struct grant *w)
{
	const struct nat_key *key = &w->wish->key;
	struct nat_subscriber_view view;

	if (w->g->began)
		return true;
	w->g->began = wish_is_mine(w, key->host) &&
		      nat_subscriber_find(w->s->nat, key->realm, key->host, &view);
	if (!w->g->began)
		wish_done(w, -ENOENT);
	return w->g->began;
}

// Who is known as a client hears of it when there is nothing left of his.
static void call_cleared(struct grant *w, const struct nat_key *key)
{
	const struct server_client *client =
		server_client_find(w->s->clients, key->realm, key->host);

	if (client != NULL && client->port != 0)
		tell_cleared(w->s, key->realm, key->host, w->now);
}

void wish_clear_subscriber(struct grant *w)
{
	const struct nat_key *key = &w->wish->key;

	if (!begin_clear(w))
		return;
	if (!w->g->named) {
		w->g->named = wish_name_lost(w, key, true);
		return;
	}
	if (!nat_subscriber_clear(w->s->nat, key->realm, key->host, CLEAR_PORTS_A_STEP, w->now_s))
		return;
	call_cleared(w, key);
	wish_done(w, 0);
}

// ---- a group ---------------------------------------------------------------------------------

struct clearing { // the first subscriber of the group that has something
	uint8_t group;
	bool found;
	uint8_t realm;
	ip4 host;
};

static bool see_subscriber(void *ctx, const struct nat_subscriber_view *view)
{
	struct clearing *clearing = ctx;

	if (view->group != clearing->group || view->n_blocks == 0)
		return true;
	clearing->found = true;
	clearing->realm = view->realm;
	clearing->host = view->host;
	return false;
}

static bool group_is_used(const struct grant *w)
{
	return w->wish->group < CONF_MAX_GROUPS && w->c->groups[w->wish->group].used;
}

// The caller resets the group's Epoch, which tells every client of it, third parties too.
void wish_clear_group(struct grant *w)
{
	struct clearing clearing = {.group = w->wish->group};
	uint32_t *cursor = &w->g->wish.cursor;
	bool ended;

	if (!group_is_used(w)) {
		wish_done(w, -EINVAL);
		return;
	}
	ended = nat_walk_subscribers(w->s->nat, cursor, WALK_PLACES, see_subscriber, &clearing);
	if (clearing.found && nat_subscriber_clear(w->s->nat, clearing.realm, clearing.host,
				      CLEAR_PORTS_A_STEP, w->now_s))
		++*cursor;
	if (ended)
		wish_done(w, 0);
}

void wish_announce(struct grant *w)
{
	if (!group_is_used(w)) {
		wish_done(w, -EINVAL);
		return;
	}
	announce_group(w->s, w->wish->group, w->now);
	wish_done(w, 0);
}
