// SPDX-License-Identifier: Apache-2.0
// What control itself wants of shards: groups cleared, announcements, Epochs of clients that lost
// state through another shard's clearing. A desk serves an errand before any client, one at a
// time. Sets of groups are bits, so there is nothing to run out of; where the list of losers is
// full, the whole group's Epoch is reset, which tells them too.
#include "state.h"

static uint64_t bit_of(uint8_t group)
{
	return UINT64_C(1) << group;
}

static const char *name_of(const struct ctl *ctl, uint8_t group)
{
	const char *name = row_group_name(ctl->conf, group);

	return name ? name : "?";
}

// ---- what is wanted --------------------------------------------------------------------------

void errands_clear_group(struct ctl *ctl, uint8_t group)
{
	log_notice(ctl->log, "NAT group %s: the operator clears its mappings", name_of(ctl, group));
	for (uint16_t i = 0; i < ctl->conf->n_workers; i++)
		ctl->errands.clear[i] |= bit_of(group);
}

uint16_t errands_clearing(const struct ctl *ctl, uint8_t group)
{
	const struct errands *e = &ctl->errands;
	uint16_t i = 0;

	while (i < ctl->conf->n_workers && !((e->clear[i] | e->clearing[i]) & bit_of(group)))
		i++;
	return i;
}

void errands_announce(struct ctl *ctl, uint8_t group)
{
	for (uint16_t i = 0; i < ctl->conf->n_workers; i++)
		ctl->errands.announce[i] |= bit_of(group);
}

void errands_reset_epoch(struct ctl *ctl, uint8_t group, const char *cause)
{
	if (!row_group_name(ctl->conf, group))
		return;
	io_epoch_reset(ctl->io, group, ctl->now);
	log_notice(
		ctl->log, "NAT group %s: its Epoch starts again: %s", name_of(ctl, group), cause);
	errands_announce(ctl, group);
}

static void log_loser(const struct ctl *ctl, const struct server_client *client)
{
	char text[IP4_TEXT];

	log_notice(ctl->log,
		"PCP client %s: its Epoch starts again: mappings it had asked for on behalf of "
		"others were cleared",
		ip4_format(client->address, text));
}

static struct loser *find_loser(struct errands *e, const struct server_client *client)
{
	for (unsigned i = 0; i < e->n_losers; i++) {
		if (e->losers[i].host == client->address && e->losers[i].realm == client->realm)
			return &e->losers[i];
	}
	return NULL;
}

// Every worker hears of it: one answers him, the others may have to tell him what moves.
void errands_lost_client(struct ctl *ctl, const struct server_client *client)
{
	struct errands *e = &ctl->errands;
	uint64_t all = UINT64_MAX >> (64 - ctl->conf->n_workers);
	struct loser *known = find_loser(e, client);

	if (known) {
		known->workers = all;
		return;
	}
	if (e->n_losers == CTL_LOSERS) {
		errands_reset_epoch(ctl, client->group,
			"more of its PCP clients lost mappings than can be told one by one");
		return;
	}
	log_loser(ctl, client);
	e->losers[e->n_losers++] = (struct loser){.host = client->address,
		.realm = client->realm,
		.group = client->group,
		.workers = all};
}

void errands_forget_group(struct ctl *ctl, uint8_t group)
{
	for (unsigned i = 0; i < CONF_MAX_WORKERS; i++) {
		ctl->errands.clear[i] &= ~bit_of(group);
		ctl->errands.announce[i] &= ~bit_of(group);
	}
}

// ---- to the shards ---------------------------------------------------------------------------

static uint8_t lowest_of(uint64_t groups)
{
	return (uint8_t)__builtin_ctzll(groups);
}

// The oldest loser of whom this shard does not know; n_losers: none.
static unsigned next_loser(const struct errands *e, uint16_t shard)
{
	unsigned i = 0;

	while (i < e->n_losers && !(e->losers[i].workers >> shard & 1))
		i++;
	return i;
}

static bool pick_wish(const struct ctl *ctl, uint16_t shard, struct shard_wish *wish)
{
	const struct errands *e = &ctl->errands;
	unsigned loser = next_loser(e, shard);

	if (loser < e->n_losers) {
		wish->kind = SHARD_RESET_CLIENT;
		wish->key.host = e->losers[loser].host;
		wish->key.realm = e->losers[loser].realm;
		wish->group = e->losers[loser].group;
		wish->has_realm = true;
	} else if (e->clear[shard]) {
		wish->kind = SHARD_CLEAR_GROUP;
		wish->group = lowest_of(e->clear[shard]);
	} else if (e->announce[shard]) {
		wish->kind = SHARD_ANNOUNCE;
		wish->group = lowest_of(e->announce[shard]);
	} else {
		return false;
	}
	return true;
}

static void note_told(struct errands *e, uint16_t shard)
{
	unsigned i = next_loser(e, shard);

	e->losers[i].workers &= ~(UINT64_C(1) << shard);
	if (e->losers[i].workers)
		return;
	e->n_losers--;
	memmove(&e->losers[i], &e->losers[i + 1], (e->n_losers - i) * sizeof e->losers[0]);
}

static void note_placed(struct ctl *ctl, uint16_t shard, const struct shard_wish *wish)
{
	struct errands *e = &ctl->errands;

	ctl->desks[shard] = (struct desk){.busy = true,
		.id = wish->id,
		.errand = true,
		.kind = (uint8_t)wish->kind,
		.group = wish->group};
	if (wish->kind == SHARD_CLEAR_GROUP) {
		e->clear[shard] &= ~bit_of(wish->group);
		e->clearing[shard] = bit_of(wish->group);
	} else if (wish->kind == SHARD_ANNOUNCE) {
		e->announce[shard] &= ~bit_of(wish->group);
	} else {
		note_told(e, shard);
	}
}

void errands_step(struct ctl *ctl)
{
	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		struct shard_wish wish = {.id = ctl->last_id + 1};
		if (ctl->desks[i].busy || !pick_wish(ctl, i, &wish) ||
			!shard_wish(io_shard(ctl->io, i), &wish))
			continue;
		ctl->last_id++;
		note_placed(ctl, i, &wish);
	}
}

// ---- from the shards -------------------------------------------------------------------------

void errands_end(struct ctl *ctl, uint16_t shard, int32_t error)
{
	struct desk desk = ctl->desks[shard];

	ctl->desks[shard] = (struct desk){0};
	if (error && desk.kind != SHARD_RESET_CLIENT)
		log_warn(ctl->log, "worker %u could not %s NAT group %s: %s", shard,
			desk.kind == SHARD_CLEAR_GROUP ? "clear" : "announce",
			name_of(ctl, desk.group), strerror(-error));
	if (desk.kind != SHARD_CLEAR_GROUP)
		return;
	ctl->errands.clearing[shard] = 0;
	if (errands_clearing(ctl, desk.group) == ctl->conf->n_workers)
		errands_reset_epoch(ctl, desk.group, "its mappings were cleared");
}
