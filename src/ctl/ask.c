// SPDX-License-Identifier: Apache-2.0
// Questions that only shards can answer: pages of mappings, subscribers, leases and PCP clients,
// and what an operator does to them. A shard takes one wish at a time, so each has a desk: whoever
// stands there is served, the others come back next round. A wish asks for at most CTL_PAGE rows,
// and a client that does not read its rows asks for no more; so a walk over millions holds a few
// hundred rows at any moment, and two walks share a shard page by page.
#include "state.h"

#include <errno.h>

// ---- from a request to a wish ----------------------------------------------------------------

uint8_t ask_find_group(const struct ctl *ctl, const char *name)
{
	for (unsigned i = 0; i < CONF_MAX_GROUPS; i++) {
		const struct conf_group *group = &ctl->conf->groups[i];
		if (group->used && strcmp(group->name, name) == 0)
			return (uint8_t)i;
	}
	return UINT8_MAX;
}

static bool fill_group(struct ctl *ctl, struct client *c, struct shard_wish *wish)
{
	const char *name = c->request.filter.group;

	wish->group = name ? ask_find_group(ctl, name) : UINT8_MAX;
	if (name && wish->group == UINT8_MAX) {
		client_error(c, "not-found", "there is no NAT group \"%.32s\"", name);
		return false;
	}
	return true;
}

static bool fill_realm(struct ctl *ctl, struct client *c, struct shard_wish *wish)
{
	const char *name = c->request.filter.realm;

	wish->has_realm = name != NULL;
	if (name && !row_find_realm(ctl->conf, name, &wish->key.realm)) {
		client_error(c, "not-found", "there is no inside interface \"%.32s\"", name);
		return false;
	}
	return true;
}

// Whoever changes something must mean one subscriber: when nothing is said and exactly one realm
// has this address in a NAT group, it is that one.
static bool guess_realm(struct ctl *ctl, struct client *c, struct shard_wish *wish)
{
	const char *names[2];
	unsigned found = 0;

	if (wish->has_realm)
		return true;
	for (unsigned i = 0; i < ctl->conf->n_interfaces; i++) {
		const struct conf_interface *iface = &ctl->conf->interfaces[i];
		if (iface->side != CONF_INSIDE ||
			conf_group_of(ctl->conf, iface->realm, wish->key.host) == PREFIX_NONE)
			continue;
		wish->key.realm = iface->realm;
		if (found < ARRAY_SIZE(names))
			names[found] = iface->name;
		found++;
	}
	wish->has_realm = true;
	if (found == 0)
		client_error(c, "not-found", "no NAT group has this subscriber; name the realm");
	if (found > 1)
		client_error(c, "ambiguous", "this address is in %u realms (%s, %s ...): name one",
			found, names[0], names[1]);
	return found == 1;
}

// The shards to ask: the owner alone where the filter tells who that is.
static void pick_shards(struct ctl *ctl, struct ask *ask, const struct request_filter *f)
{
	const struct conf_local *local = NULL;
	uint16_t owner;

	ask->shard = 0;
	ask->shard_end = ctl->conf->n_workers;
	if (f->external && f->has_external_port && f->protocol)
		local = conf_find_local(ctl->conf, 0, f->external);
	if (f->subscriber)
		owner = conf_inside_owner(ctl->conf, f->subscriber);
	else if (local && local->kind == CONF_LOCAL_POOL)
		owner = conf_outside_owner(ctl->conf, &ctl->conf->external[local->index],
			f->protocol, f->external_port);
	else
		return;
	ask->shard = owner;
	ask->shard_end = (uint16_t)(owner + 1);
}

static bool place_cursor(struct client *c)
{
	struct ask *ask = &c->ask;

	if (!json_object_get(c->request.json, "cursor"))
		return true;
	if (c->request.shard < ask->shard || c->request.shard >= ask->shard_end) {
		client_error(c, "bad-request", "this cursor is not of such a walk");
		return false;
	}
	ask->shard = c->request.shard;
	ask->wish.cursor = c->request.cursor;
	return true;
}

static enum shard_wish_kind wish_kind(enum request_kind kind)
{
	switch (kind) {
	case REQUEST_SHOW_SUBSCRIBERS:
		return SHARD_SHOW_SUBSCRIBERS;
	case REQUEST_SHOW_LEASES:
		return SHARD_SHOW_LEASES;
	case REQUEST_SHOW_CLIENTS:
		return SHARD_SHOW_CLIENTS;
	case REQUEST_ADD_MAPPING:
	case REQUEST_ADD_STATIC:
		return SHARD_ADD_MAPPING;
	case REQUEST_DELETE_MAPPING:
		return SHARD_DELETE_MAPPING;
	case REQUEST_CLEAR_SUBSCRIBER:
		return SHARD_CLEAR_SUBSCRIBER;
	case REQUEST_SHOW_SESSIONS:
		return SHARD_SHOW_SESSIONS;
	default:
		return SHARD_SHOW_MAPPINGS;
	}
}

static bool is_walk(const struct ask *ask)
{
	return ask->wish.kind == SHARD_SHOW_MAPPINGS || ask->wish.kind == SHARD_SHOW_SUBSCRIBERS ||
	       ask->wish.kind == SHARD_SHOW_LEASES || ask->wish.kind == SHARD_SHOW_CLIENTS ||
	       ask->wish.kind == SHARD_SHOW_SESSIONS;
}

// A deed, or a walk over what one subscriber has: it must be clear who is meant.
static bool is_of_one(const struct ask *ask)
{
	return !is_walk(ask) || ask->wish.kind == SHARD_SHOW_LEASES ||
	       ask->wish.kind == SHARD_SHOW_SESSIONS;
}

static bool prepare(struct ctl *ctl, struct client *c)
{
	struct ask *ask = &c->ask;

	if (!fill_group(ctl, c, &ask->wish) || !fill_realm(ctl, c, &ask->wish))
		return false;
	if (is_of_one(ask) && !guess_realm(ctl, c, &ask->wish))
		return false;
	if (ask->wish.kind == SHARD_SHOW_CLIENTS && !top_open(ask)) {
		client_error(c, "failed", "out of memory");
		return false;
	}
	return is_walk(ask) ? place_cursor(c) : deeds_prepare(ctl, c);
}

void ask_start(struct ctl *ctl, struct client *c)
{
	const struct request_filter *f = &c->request.filter;
	struct ask *ask = &c->ask;

	*ask = (struct ask){.limit = c->request.limit, .since = ctl->now};
	ask->wish = (struct shard_wish){
		.kind = wish_kind(c->request.kind),
		.key = {.host = f->subscriber, .port = f->port, .protocol = f->protocol},
		.external = {.addr = f->external, .port = f->external_port},
		.kinds = f->kinds,
		.has_port = f->has_port,
		.has_external_port = f->has_external_port,
		.detail = c->request.detail,
	};
	pick_shards(ctl, ask, f);
	if (prepare(ctl, c))
		ask->state = ASK_PENDING;
}

// ---- to the shards ---------------------------------------------------------------------------

static void finish_walk(struct ctl *ctl, struct client *c)
{
	struct ask *ask = &c->ask;

	if (ask->top)
		top_show(ctl, c);
	json_t *done = json_pack("{s:I}", "rows", (json_int_t)ask->rows);
	if (done && ask->shard < ask->shard_end)
		json_object_set_new(
			done, "cursor", json_sprintf("%u:%u", ask->shard, ask->wish.cursor));
	client_done(c, done);
}

// Of those who wait for the same shard, whoever has waited longest comes first.
static bool is_next(const struct ctl *ctl, const struct client *c)
{
	for (unsigned i = 0; i < CTL_CLIENTS; i++) {
		const struct ask *other = &ctl->clients[i].ask;
		if (other->state == ASK_PENDING && other->shard == c->ask.shard &&
			other->since < c->ask.since)
			return false;
	}
	return true;
}

static void place_wish(struct ctl *ctl, struct client *c)
{
	struct ask *ask = &c->ask;
	struct desk *desk = &ctl->desks[ask->shard];

	if (desk->busy || !is_next(ctl, c))
		return;
	ask->wish.id = ++ctl->last_id;
	ask->wish.max = ask->top ? CTL_PAGE : min_u32(ask->limit - ask->rows, CTL_PAGE);
	if (!shard_wish(io_shard(ctl->io, ask->shard), &ask->wish))
		return;
	*desk = (struct desk){.busy = true, .id = ask->wish.id, .client = c};
	ask->state = ASK_WAITING;
	ask->since = ctl->now;
}

static void lose_patience(struct ctl *ctl, struct client *c)
{
	bool errand = c->ask.state == ASK_ERRAND;
	uint16_t shard = errand ? errands_clearing(ctl, c->ask.wish.group) : c->ask.shard;

	if (ctl->now - c->ask.since < CTL_ANSWER_PATIENCE)
		return;
	ask_abandon(ctl, c);
	client_error(c, "no-answer", "worker %u has not answered for 30 seconds", shard);
}

void ask_step(struct ctl *ctl, struct client *c)
{
	struct ask *ask = &c->ask;

	if (ask->state == ASK_PENDING && client_paused(c))
		ask->since = ctl->now; // it is the reader who is slow
	else if (ask->state == ASK_PENDING && is_walk(ask) &&
		 (ask->shard == ask->shard_end || ask->rows >= ask->limit))
		finish_walk(ctl, c);
	else if (ask->state == ASK_PENDING)
		place_wish(ctl, c);
	else if (ask->state == ASK_ERRAND &&
		 errands_clearing(ctl, ask->wish.group) == ctl->conf->n_workers)
		client_done(c, json_object());
	if (ask->state == ASK_PENDING || ask->state == ASK_WAITING || ask->state == ASK_ERRAND)
		lose_patience(ctl, c);
}

// The shard goes on with the wish; its answers will find nobody.
void ask_abandon(struct ctl *ctl, struct client *c)
{
	for (unsigned i = 0; i < ctl->conf->n_workers; i++) {
		if (ctl->desks[i].client == c)
			ctl->desks[i].client = NULL;
	}
}

bool ask_busy(const struct ctl *ctl)
{
	for (unsigned i = 0; i < ctl->conf->n_workers; i++) {
		if (ctl->desks[i].busy)
			return true;
	}
	return false;
}

// ---- from the shards -------------------------------------------------------------------------

static void take_end_of_walk(struct ask *ask, const struct shard_answer *answer)
{
	ask->state = ASK_PENDING;
	ask->wish.cursor = answer->cursor;
	if (answer->cursor == 0)
		ask->shard++;
}

// Filters and text come behind their mapping: it goes out when the next thing comes.
static void send_mapping(struct client *c)
{
	if (c->ask.row)
		client_row(c, c->ask.row);
	c->ask.row = NULL;
}

static void take_row(
	struct ctl *ctl, struct client *c, uint16_t shard, const struct shard_answer *answer)
{
	struct ask *ask = &c->ask;

	switch (answer->kind) {
	case SHARD_ROW_MAPPING:
		send_mapping(c);
		ask->row = row_of_mapping(ctl, shard, &answer->mapping);
		ask->rows++;
		break;
	case SHARD_ROW_FILTER:
		row_add_filter(ask->row, &answer->filter);
		break;
	case SHARD_ROW_TEXT:
		row_add_text(ask->row, &answer->text);
		break;
	case SHARD_ROW_SUBSCRIBER:
		client_row(c, row_of_subscriber(ctl, shard, &answer->subscriber));
		ask->rows++;
		break;
	case SHARD_ROW_SESSION:
		client_row(c, row_of_session(ctl, shard, &answer->session));
		ask->rows++;
		break;
	case SHARD_ROW_TENANCY:
		if (ask->trace)
			trace_take(ask, shard, &answer->tenancy);
		break;
	case SHARD_ROW_CLIENT:
		if (ask->top)
			top_offer(ask, shard, &answer->client);
		break;
	default:
		break;
	}
}

static void take_answer(struct ctl *ctl, uint16_t shard, const struct shard_answer *answer)
{
	struct desk *desk = &ctl->desks[shard];
	struct client *c = desk->client;

	if (answer->kind == SHARD_LOST_CLIENT)
		errands_lost_client(
			ctl, &answer->client); // whoever asked may have left, or nobody did
	if (!desk->busy || answer->id != desk->id)
		return;
	if (answer->kind == SHARD_DONE && desk->errand)
		errands_end(ctl, shard, answer->error);
	else if (answer->kind == SHARD_DONE)
		*desk = (struct desk){0};
	if (!c)
		return;
	c->ask.since = ctl->now;
	if (answer->kind != SHARD_DONE) {
		take_row(ctl, c, shard, answer);
		return;
	}
	send_mapping(c);
	if (is_walk(&c->ask) && answer->error == 0)
		take_end_of_walk(&c->ask, answer);
	else if (c->ask.trace)
		trace_end(ctl, c, answer);
	else
		deeds_end(ctl, c, answer);
}

void ask_collect(struct ctl *ctl)
{
	struct shard_answer answer;

	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		struct shard *shard = io_shard(ctl->io, i);
		unsigned taken = 0;
		while (taken < CTL_ROUND_ANSWERS && shard_answer(shard, &answer)) {
			take_answer(ctl, i, &answer);
			taken++;
		}
		// More comes at once while rows flow: do not sleep over it.
		ctl->hurry = ctl->hurry || taken > 0;
	}
}
