// SPDX-License-Identifier: Apache-2.0
// Sessions of a mapping or of a subscriber, and who has an external port. A page of a mapping's
// sessions ends where `max` says; one of a subscriber's ends between two mappings, because a cursor
// is one number: it may be longer by the sessions of one mapping.
#include "wishes.h"

enum {
	SESSION_PLACES = 512
};

static bool see_session(void *ctx, const struct nat_session_view *view)
{
	struct grant *w = ctx;
	struct shard_answer a = {.kind = SHARD_ROW_SESSION, .session = *view};
	bool one = w->wish->key.protocol != 0;

	if ((one && wish_page_is_full(w)) || !wish_has_room(w, 1))
		return false;
	w->g->rows++;
	wish_answer(w, &a);
	return true;
}

// False: the ring of answers is full.
static bool show_port(struct grant *w, const struct nat_key *key)
{
	uint32_t *cursor = &w->g->session_cursor;

	while (!nat_session_walk(
		w->s->nat, key, cursor, SESSION_PLACES, w->now_s, see_session, w)) {
		if (!wish_has_room(w, 1))
			return false;
	}
	*cursor = 0;
	return true;
}

// The mapping where the walk stood may have ended meanwhile.
static void begin_mapping(struct granting *g, const struct nat_key *key)
{
	if (memcmp(&g->session_of, key, sizeof *key) == 0)
		return;
	g->session_of = *key;
	g->session_cursor = 0;
	g->session_port = 0;
}

static bool see_mapping(void *ctx, const struct nat_view *view)
{
	struct grant *w = ctx;
	const struct shard_wish *wish = w->wish;
	struct nat_key key = view->key;

	if (key.host != wish->key.host || key.realm != wish->key.realm ||
		!wish_is_mine(w, key.host))
		return true;
	begin_mapping(w->g, &key);
	if (w->g->session_port == 0 && w->g->session_cursor == 0 && wish_page_is_full(w))
		return false;
	for (; w->g->session_port < max_u32(view->n_ports, 1); w->g->session_port++) {
		key.port = (uint16_t)(view->key.port + w->g->session_port);
		if (!show_port(w, &key))
			return false;
	}
	w->g->session_port = 0;
	return true;
}

void wish_show_sessions(struct grant *w)
{
	uint32_t *cursor = &w->g->wish.cursor;
	const struct nat_key *key = &w->wish->key;
	struct nat *n = w->s->nat;
	bool ended;

	if (key->protocol == 0)
		ended = nat_walk_mappings(n, cursor, WALK_PLACES, w->now_s, see_mapping, w);
	else
		ended = !wish_is_mine(w, key->host) ||
			nat_session_walk(n, key, cursor, SESSION_PLACES, w->now_s, see_session, w);
	wish_end_page(w, ended);
}

// The copy of a static mapping that only keeps its port is its owner's to show.
void wish_trace(struct grant *w)
{
	struct shard_answer a = {.kind = SHARD_ROW_TENANCY};
	struct nat_tenancy *t = &a.tenancy;

	if (!nat_trace(w->s->nat, w->wish->key.protocol, w->wish->external, w->now_s, t) ||
		(t->mapped && !wish_is_mine(w, t->mapping.key.host))) {
		wish_done(w, -ENOENT);
		return;
	}
	if (!wish_has_room(w, 1))
		return;
	wish_answer(w, &a);
	wish_done(w, 0);
}
