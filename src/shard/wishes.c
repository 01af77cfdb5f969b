// SPDX-License-Identifier: Apache-2.0
// What control asks of a shard: pages of its tables, a mapping or a subscriber gone, an ANNOUNCE.
// One wish at a time, in bounded portions; rows wait when the ring of answers is full.
#include <errno.h>

#include <postern/shard.h>

#include "world.h"

enum {
	WALK_PLACES = 512,
	CLEAR_PORTS_A_STEP = 2048
};

static void done(struct shard *s, int32_t error, uint32_t cursor)
{
	struct shard_answer a = {
		.kind = SHARD_DONE, .id = s->wish.id, .cursor = cursor, .error = error};

	if (ring_push(s->answers, &a)) // else: again at the next step
		s->busy = false;
}

static bool room_for_row(const struct shard *s)
{
	return s->rows < s->wish.max && ring_free(s->answers) > 1; // one is kept for DONE
}

static bool mapping_is_wanted(const struct shard_wish *w, const struct nat_view *v)
{
	return (!w->has_realm || w->key.realm == v->key.realm) &&
	       (w->key.host == 0 || w->key.host == v->key.host) &&
	       (w->key.protocol == 0 || w->key.protocol == v->key.protocol) &&
	       (!w->has_port || w->key.port == v->key.port) &&
	       (w->external.addr == 0 || w->external.addr == v->external.addr) &&
	       (!w->has_external_port || w->external.port == v->external.port) &&
	       (w->group == 255 || w->group == v->group) &&
	       (w->kinds == 0 || w->kinds >> v->kind & 1);
}

// A static mapping of another shard's subscriber is here only to keep its port: that shard shows
// it.
static bool is_mine(const struct shard *s, const struct conf *c, ip4 host)
{
	return conf_inside_owner(c, host) == s->id;
}

struct walk {
	struct shard *s;
	const struct conf *c;
};

static bool see_mapping(void *ctx, const struct nat_view *view)
{
	struct walk *walk = ctx;
	struct shard *s = walk->s;
	struct shard_answer a = {.kind = SHARD_ROW_MAPPING, .id = s->wish.id, .mapping = *view};

	if (!mapping_is_wanted(&s->wish, view) || !is_mine(s, walk->c, view->key.host))
		return true;
	if (!room_for_row(s))
		return false;
	s->rows++;
	return ring_push(s->answers, &a);
}

static bool see_subscriber(void *ctx, const struct nat_subscriber_view *view)
{
	struct walk *walk = ctx;
	struct shard *s = walk->s;
	const struct shard_wish *w = &s->wish;
	struct shard_answer a = {.kind = SHARD_ROW_SUBSCRIBER, .id = w->id, .subscriber = *view};

	if (!is_mine(s, walk->c, view->host) || (w->has_realm && w->key.realm != view->realm) ||
		(w->key.host != 0 && w->key.host != view->host) ||
		(w->group != 255 && w->group != view->group))
		return true;
	if (!room_for_row(s))
		return false;
	s->rows++;
	return ring_push(s->answers, &a);
}

static void walk_on(struct shard *s, const struct conf *c, uint32_t now_s)
{
	uint32_t *cursor = &s->wish.cursor;
	struct walk w = {s, c};
	bool ended =
		s->wish.kind == SHARD_SHOW_MAPPINGS
			? nat_walk_mappings(s->nat, cursor, WALK_PLACES, now_s, see_mapping, &w)
			: nat_walk_subscribers(s->nat, cursor, WALK_PLACES, see_subscriber, &w);

	if (ended)
		done(s, 0, 0);
	else if (s->rows >= s->wish.max)
		done(s, 0, *cursor);
}

static void delete_mapping(struct shard *s, const struct conf *c, uint32_t now_s)
{
	struct nat_view view;

	if (!is_mine(s, c, s->wish.key.host)) {
		done(s, -ENOENT, 0);
		return;
	}
	nat_lease_look(s->nat, &s->wish.key, now_s, &view);
	if (view.kind == NAT_STATIC)
		done(s, -EPERM, 0);
	else
		done(s, nat_delete(s->nat, &s->wish.key, now_s) ? 0 : -ENOENT, 0);
}

static void clear_subscriber(struct shard *s, const struct conf *c, uint32_t now_s)
{
	struct nat_subscriber_view view;
	const struct nat_key *key = &s->wish.key;
	bool known = is_mine(s, c, key->host) &&
		     nat_subscriber_find(s->nat, key->realm, key->host, &view);

	if (s->rows++ == 0 && !known)
		done(s, -ENOENT, 0);
	else if (nat_subscriber_clear(s->nat, key->realm, key->host, CLEAR_PORTS_A_STEP, now_s))
		done(s, 0, 0);
}

static void announce_group(struct shard *s, const struct conf *c)
{
	if (s->wish.group >= CONF_MAX_GROUPS || !c->groups[s->wish.group].used) {
		done(s, -EINVAL, 0);
		return;
	}
	s->announce_groups |= UINT64_C(1) << s->wish.group;
	done(s, 0, 0);
}

bool wishes_step(struct shard *s, const struct conf *c, uint32_t now_s)
{
	if (!s->busy) {
		if (!ring_pop(s->wishes, &s->wish))
			return false;
		s->busy = true;
		s->rows = 0;
	}
	if (ring_free(s->answers) < 2)
		return false; // no room for a row: control must read first
	switch ((enum shard_wish_kind)s->wish.kind) {
	case SHARD_SHOW_MAPPINGS:
	case SHARD_SHOW_SUBSCRIBERS:
		walk_on(s, c, now_s);
		break;
	case SHARD_DELETE_MAPPING:
		delete_mapping(s, c, now_s);
		break;
	case SHARD_CLEAR_SUBSCRIBER:
		clear_subscriber(s, c, now_s);
		break;
	case SHARD_ANNOUNCE:
		announce_group(s, c);
		break;
	default:
		done(s, -EINVAL, 0);
		break;
	}
	return s->busy;
}
