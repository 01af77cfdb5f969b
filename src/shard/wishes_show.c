// SPDX-License-Identifier: Apache-2.0
// Pages of the tables. A cursor is a place in a table whose records never move, so a page may be
// asked for at any later time.
#include "wishes.h"

enum {
	DETAIL_FILTERS = SERVER_MAX_FILTERS // rows of one mapping: the most a group may allow
};

bool wish_page_is_full(const struct grant *w)
{
	return w->g->rows >= w->wish->max;
}

void wish_end_page(struct grant *w, bool ended)
{
	if (ended)
		wish_done(w, 0);
	else if (wish_page_is_full(w))
		wish_done_page(w, w->wish->cursor);
}

// ---- mappings --------------------------------------------------------------------------------

static bool is_wanted(const struct shard_wish *w, const struct nat_view *v)
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

static uint32_t filters_shown(const struct nat_view *view)
{
	return min_u32(view->n_filters, DETAIL_FILTERS);
}

static void answer_details(struct grant *w, const struct nat_view *view)
{
	struct shard_answer text = {.kind = SHARD_ROW_TEXT}, row = {.kind = SHARD_ROW_FILTER};
	struct nat_filter filters[DETAIL_FILTERS];
	uint32_t n = nat_lease_filters(w->s->nat, &view->key, filters, filters_shown(view));

	if (view->text_length > 0) {
		text.text.length = (uint8_t)nat_lease_text(
			w->s->nat, &view->key, text.text.octets, sizeof text.text.octets);
		wish_answer(w, &text);
	}
	for (uint32_t i = 0; i < n; i++) {
		row.filter = filters[i];
		wish_answer(w, &row);
	}
}

static bool see_mapping(void *ctx, const struct nat_view *view)
{
	struct grant *w = ctx;
	struct shard_answer a = {.kind = SHARD_ROW_MAPPING, .mapping = *view};
	uint32_t details = w->wish->detail ? 1 + filters_shown(view) : 0;

	if (!is_wanted(w->wish, view) || !wish_is_mine(w, view->key.host))
		return true;
	if (wish_page_is_full(w) || !wish_has_room(w, 1 + details))
		return false;
	w->g->rows++;
	wish_answer(w, &a);
	if (w->wish->detail)
		answer_details(w, view);
	return true;
}

void wish_show_mappings(struct grant *w)
{
	uint32_t *cursor = &w->g->wish.cursor;

	wish_end_page(
		w, nat_walk_mappings(w->s->nat, cursor, WALK_PLACES, w->now_s, see_mapping, w));
}

// A lease that ends between two pages may end the walk early; it is a look, not an inventory.
static bool see_lease(void *ctx, const struct nat_view *view)
{
	struct grant *w = ctx;
	struct shard_answer a = {.kind = SHARD_ROW_MAPPING, .mapping = *view};
	struct shard_answer text = {.kind = SHARD_ROW_TEXT};

	if (view->kind != NAT_PEER || !is_wanted(w->wish, view))
		return true;
	if (wish_page_is_full(w) || !wish_has_room(w, 2))
		return false;
	w->g->rows++;
	wish_answer(w, &a);
	text.text.length = (uint8_t)nat_peer_text(
		w->s->nat, &view->key, view->remote, text.text.octets, sizeof text.text.octets);
	if (text.text.length > 0)
		wish_answer(w, &text);
	return true;
}

void wish_show_leases(struct grant *w)
{
	const struct nat_key *key = &w->wish->key;

	wish_end_page(w, nat_lease_walk(w->s->nat, key->realm, key->host, &w->g->wish.cursor,
				 WALK_PLACES, w->now_s, see_lease, w));
}

// ---- subscribers, clients --------------------------------------------------------------------

static bool is_him(const struct shard_wish *w, uint8_t realm, ip4 host, uint8_t group)
{
	return (!w->has_realm || w->key.realm == realm) &&
	       (w->key.host == 0 || w->key.host == host) && (w->group == 255 || w->group == group);
}

static bool see_subscriber(void *ctx, const struct nat_subscriber_view *view)
{
	struct grant *w = ctx;
	struct shard_answer a = {.kind = SHARD_ROW_SUBSCRIBER, .subscriber = *view};

	if (!is_him(w->wish, view->realm, view->host, view->group) || !wish_is_mine(w, view->host))
		return true;
	if (wish_page_is_full(w) || !wish_has_room(w, 1))
		return false;
	w->g->rows++;
	wish_answer(w, &a);
	return true;
}

void wish_show_subscribers(struct grant *w)
{
	uint32_t *cursor = &w->g->wish.cursor;

	wish_end_page(w, nat_walk_subscribers(w->s->nat, cursor, WALK_PLACES, see_subscriber, w));
}

static bool see_client(void *ctx, const struct server_client *client)
{
	struct grant *w = ctx;
	struct shard_answer a = {.kind = SHARD_ROW_CLIENT, .client = *client};

	if (!is_him(w->wish, client->realm, client->address, client->group) ||
		!wish_is_mine(w, client->address))
		return true;
	if (wish_page_is_full(w) || !wish_has_room(w, 1))
		return false;
	w->g->rows++;
	wish_answer(w, &a);
	return true;
}

void wish_show_clients(struct grant *w)
{
	uint32_t *cursor = &w->g->wish.cursor;

	wish_end_page(w, server_clients_walk(w->s->clients, cursor, WALK_PLACES, see_client, w));
}
