// SPDX-License-Identifier: Apache-2.0
// One mapping added or removed by the operator. What the configuration or a client made is not his
// to change by adding: he deletes it first, or lets it be.
#include "wishes.h"

// ---- adding ----------------------------------------------------------------------------------

// Whether this worker may give the external endpoint that is wished for; one that is not named
// will be of its own anyway.
static int32_t judge_external(const struct grant *w, uint32_t group)
{
	struct recipe external = w->wish->external;
	const struct conf_local *local = conf_find_local(w->c, 0, external.addr);
	const struct conf_external *e;

	if (external.addr == 0)
		return 0;
	if (local == NULL || local->kind != CONF_LOCAL_POOL)
		return -ENOENT;
	e = &w->c->external[local->index];
	if (e->group != group)
		return -ENOENT;
	if (external.port == 0)
		return e->whole == CONF_CUT_ADDRESS || e->whole == w->s->id ? 0 : -EXDEV;
	return conf_outside_owner(w->c, e, w->wish->key.protocol, external.port) == w->s->id
		       ? 0
		       : -EXDEV;
}

static bool is_sensible(const struct shard_wish *wish)
{
	bool transport = wish->key.protocol == NAT_UDP || wish->key.protocol == NAT_TCP;
	bool whole = wish->external.addr != 0 && wish->external.port != 0;

	return transport && wish->key.port != 0 && wish->text_length <= NAT_DESCRIPTION &&
	       wish->key.realm < CONF_MAX_REALMS &&
	       (wish->lifetime_s != 0 || (whole && wish->text_length == 0));
}

// What stands there already: a lease of his own may be renewed in its place.
static int32_t judge_present(const struct grant *w, struct nat_view *view)
{
	const struct shard_wish *wish = w->wish;
	struct recipe e = wish->external;

	nat_lease_look(w->s->nat, &wish->key, w->now_s, view);
	if (view->kind == NAT_STATIC)
		return -EEXIST;
	if (view->kind != NAT_EXPLICIT)
		return 0;
	if (!view->operators || wish->lifetime_s == 0)
		return -EEXIST;
	return (e.addr != 0 && e.addr != view->external.addr) ||
			       (e.port != 0 && e.port != view->external.port)
		       ? -EEXIST
		       : 0;
}

static int32_t error_of(enum nat_grant grant)
{
	switch (grant) {
	case NAT_GRANTED:
		return 0;
	case NAT_CANNOT_EXACT:
		return -EEXIST;
	case NAT_QUOTA:
		return -EDQUOT;
	case NAT_NO_RESOURCES:
	case NAT_TOO_MANY_FILTERS:
		break;
	}
	return -ENOSPC;
}

static int32_t add_lease(struct grant *w, uint32_t group, struct nat_view *view)
{
	const struct shard_wish *wish = w->wish;
	struct nat_wish lease = {.key = wish->key,
		.suggested = wish->external,
		.exact = wish->external.port != 0,
		.lifetime_s = wish->lifetime_s,
		.client = wish->key.host,
		.client_realm = wish->key.realm,
		.operators = true,
		.has_text = true,
		.text_length = wish->text_length,
		.text = wish->text};

	return error_of(nat_lease_map(
		w->s->nat, &w->c->groups[group].nat, (uint8_t)group, &lease, w->now_s, view));
}

static int32_t add_static(struct grant *w, struct nat_view *view)
{
	int error = nat_static_add(w->s->nat, &w->wish->key, w->wish->external, true, w->now_s);

	if (error == 0)
		nat_lease_look(w->s->nat, &w->wish->key, w->now_s, view);
	return error;
}

static int32_t judge(const struct grant *w, uint32_t *group, struct nat_view *view)
{
	const struct nat_key *key = &w->wish->key;
	int32_t error;

	if (!is_sensible(w->wish))
		return -EINVAL;
	*group = conf_group_of(w->c, key->realm, key->host);
	if (*group == PREFIX_NONE || !wish_is_mine(w, key->host))
		return -ENOENT;
	error = judge_external(w, *group);
	return error != 0 ? error : judge_present(w, view);
}

void wish_add_mapping(struct grant *w)
{
	const struct shard_wish *wish = w->wish;
	bool is_static = wish->lifetime_s == 0;
	struct nat_view view;
	uint32_t group;
	int32_t error = judge(w, &group, &view);

	if (error == 0 && is_static && !wish_make_way(w, &wish->key, wish->external))
		return;
	if (error == 0)
		error = is_static ? add_static(w, &view) : add_lease(w, group, &view);
	if (error == 0)
		wish_done_mapping(w, &view);
	else
		wish_done(w, error);
}

// ---- removing --------------------------------------------------------------------------------

// A client loses state by this: he, and any third party that asked for it, is told.
static void delete_told(struct grant *w)
{
	const struct nat_key *key = &w->wish->key;

	if (wish_tell_losers(w, key))
		wish_done(w, nat_delete(w->s->nat, key, w->now_s) ? 0 : -EPERM);
}

void wish_delete_mapping(struct grant *w)
{
	struct nat_view view = {.kind = NAT_ABSENT};

	if (wish_is_mine(w, w->wish->key.host))
		nat_lease_look(w->s->nat, &w->wish->key, w->now_s, &view);
	if (view.kind == NAT_STATIC && !view.operators)
		wish_done(w, -EPERM);
	else if (view.kind == NAT_ABSENT || view.kind == NAT_RESTING)
		wish_done(w, -ENOENT);
	else
		delete_told(w);
}
