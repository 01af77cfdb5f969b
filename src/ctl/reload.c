// SPDX-License-Identifier: Apache-2.0
// A new configuration is built beside the one in force and checked against it. A mistake, or a leaf
// that only a restart can change, refuses all of it. What passes is published at once; each shard
// takes it over in bounded steps while traffic flows, and the client hears when the last one has.
#include "state.h"

#include <errno.h>

static json_t *complaints_json(const struct conf_complaints *all)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < all->n; i++) {
		const struct conf_complaint *one = &all->list[i];
		char text[LOG_LINE];
		conf_complaint_format(all, i, text, sizeof text);
		json_array_append_new(
			list, json_pack("{s:I,s:I,s:o,s:o,s:o,s:o}", "line", (json_int_t)one->line,
				      "column", (json_int_t)one->column, "path",
				      row_text(one->path), "found", row_text(one->found), "wanted",
				      row_text(one->wanted), "text", row_text(text)));
	}
	return list;
}

static void log_complaints(const struct ctl *ctl, const struct conf_complaints *all)
{
	for (uint32_t i = 0; i < all->n; i++) {
		char text[LOG_LINE];
		conf_complaint_format(all, i, text, sizeof text);
		log_error(ctl->log, "%s", text);
	}
}

static void send_complaints(
	struct client *c, const char *code, const char *message, const struct conf_complaints *all)
{
	client_fail(c, json_pack("{s:s,s:s,s:o}", "code", code, "message", message, "complaints",
			       complaints_json(all)));
}

static const char *explain(int error)
{
	return error == -EINVAL ? "the configuration has mistakes and was not applied"
				: strerror(-error);
}

// ---- what clients must be told ---------------------------------------------------------------

static bool is_same_group(const struct conf *old, const struct conf *next, uint8_t group)
{
	const struct conf_group *a = &old->groups[group], *b = &next->groups[group];

	return a->used && b->used && strcmp(a->name, b->name) == 0;
}

static bool has_third_parties(const struct conf *conf, uint8_t group)
{
	return conf->groups[group].pcp.third_party.sources.n > 0;
}

// Groups, as bits, that lose an external address. Both lists ascend.
static uint64_t find_withdrawals(const struct conf *old, const struct conf *next)
{
	uint64_t groups = 0;
	uint32_t k = 0;

	for (uint32_t i = 0; i < old->n_external; i++) {
		const struct conf_external *e = &old->external[i];
		while (k < next->n_external && next->external[k].ip < e->ip)
			k++;
		if (k == next->n_external || next->external[k].ip != e->ip ||
			next->external[k].group != e->group)
			groups |= UINT64_C(1) << e->group;
	}
	return groups;
}

static bool is_same_prefix64(const struct pcp_prefix64 *a, const struct pcp_prefix64 *b)
{
	if (a->length != b->length || a->n != b->n ||
		memcmp(a->octets, b->octets, sizeof a->octets) != 0)
		return false;
	for (unsigned i = 0; i < a->n && i < ARRAY_SIZE(a->ip4); i++) {
		if (a->ip4[i].bits != b->ip4[i].bits || a->ip4[i].address != b->ip4[i].address)
			return false;
	}
	return true;
}

// What a client cannot know by itself (RFC 7225, RFC 7753): other prefixes, or that sets
// of ports are to be had now, or no more.
static bool offers_changed(const struct server_policy *a, const struct server_policy *b)
{
	unsigned switches = 1u << PCP_INDEX_PREFIX64 | 1u << PCP_INDEX_PORT_SET;

	if (!b->enabled)
		return false;
	if (((a->options ^ b->options) & switches) || a->port_set_max != b->port_set_max ||
		a->n_prefix64 != b->n_prefix64)
		return true;
	for (uint32_t i = 0; i < a->n_prefix64; i++) {
		if (!is_same_prefix64(&a->prefix64[i], &b->prefix64[i]))
			return true;
	}
	return false;
}

// A subscriber whose mapping moves is told by his own shard. Whoever had asked for it on his behalf
// is known to no shard alone: there the whole group's Epoch says that something was lost.
static void note_changes(struct ctl *ctl, const struct conf *old, const struct conf *next)
{
	uint64_t withdrawn = find_withdrawals(old, next);

	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		uint64_t bit = UINT64_C(1) << i;
		if (!is_same_group(old, next, i)) {
			ctl->to_reset &= ~bit; // the new one's Epoch starts by itself
			ctl->to_announce &= ~bit;
			errands_forget_group(ctl, i);
			pools_forget(ctl, i);
			continue;
		}
		if ((withdrawn & bit) && (has_third_parties(old, i) || has_third_parties(next, i)))
			ctl->to_reset |= bit;
		if (offers_changed(&old->groups[i].pcp, &next->groups[i].pcp))
			ctl->to_announce |= bit;
	}
}

// Once every shard has the new world: what a client then asks for is answered by it.
static void tell_changes(struct ctl *ctl)
{
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		uint64_t bit = UINT64_C(1) << i;
		if (ctl->to_reset & bit)
			errands_reset_epoch(ctl, i, "an external address was withdrawn");
		else if (ctl->to_announce & bit)
			errands_announce(ctl, i);
	}
	ctl->to_reset = ctl->to_announce = 0;
}

// ---- putting a snapshot in force -------------------------------------------------------------

// Takes `next`, which conf_load made. False: it needs a restart, as the complaints now say.
static bool put_in_force(struct ctl *ctl, struct conf *next, struct conf_complaints *complaints)
{
	uint32_t leaves = conf_restart_leaves(ctl->conf, next, complaints);

	if (leaves) {
		conf_destroy(next);
		return false;
	}
	next->generation = ctl->conf->generation + 1;
	note_changes(ctl, ctl->conf, next);
	uint64_t new_plans = plans_compare(ctl->conf, next);
	plans_end(ctl, next);
	conf_destroy(io_publish(ctl->io, next, ctl->now));
	ctl->conf = io_conf(ctl->io);
	journal_configure(ctl);
	plans_changed(ctl, new_plans);
	ctl->awaited = ctl->conf->generation;
	ctl->awaited_since = ctl->now;
	ctl->awaited_late = false;
	log_notice(ctl->log, "configuration generation %ju is in force",
		(uintmax_t)ctl->conf->generation);
	return true;
}

// The first shard that is not there yet; n_workers: all are.
static uint16_t find_late_shard(const struct ctl *ctl, uint64_t generation)
{
	uint16_t i = 0;

	while (i < ctl->conf->n_workers && shard_generation(io_shard(ctl->io, i)) >= generation)
		i++;
	return i;
}

// ---- requests --------------------------------------------------------------------------------

static int load(struct ctl *ctl, const struct request *r, struct conf **next,
	struct conf_complaints *complaints)
{
	const char *file = r->file ? r->file : ctl->conf_file;

	*complaints = (struct conf_complaints){.file = file};
	if (r->text)
		return conf_load_text(file, r->text, r->text_length, ctl->conf, next, complaints);
	return conf_load(file, ctl->conf, next, complaints);
}

static void check(
	struct ctl *ctl, struct client *c, struct conf *next, struct conf_complaints *complaints)
{
	bool restart = conf_restart_leaves(ctl->conf, next, complaints) > 0;

	client_done(c,
		json_pack("{s:b,s:o}", "live", !restart, "restart", complaints_json(complaints)));
	conf_destroy(next);
}

static void apply(
	struct ctl *ctl, struct client *c, struct conf *next, struct conf_complaints *complaints)
{
	if (!put_in_force(ctl, next, complaints)) {
		send_complaints(c, "restart",
			"these leaves need a restart of posternd; nothing was changed", complaints);
		return;
	}
	c->ask = (struct ask){
		.state = ASK_TAKEOVER, .generation = ctl->conf->generation, .since = ctl->now};
}

static void show_text(struct ctl *ctl, struct client *c)
{
	const char *text = ctl->conf->text ? ctl->conf->text : "";

	client_done(c, json_pack("{s:I,s:o,s:o}", "generation", (json_int_t)ctl->conf->generation,
			       "file", row_text(ctl->conf_file), "text", json_string(text)));
}

void reload_start(struct ctl *ctl, struct client *c)
{
	struct conf_complaints complaints;
	struct conf *next = NULL;

	if (c->request.kind == REQUEST_CONFIG_SHOW) {
		show_text(ctl, c);
		return;
	}
	int error = load(ctl, &c->request, &next, &complaints);
	if (error)
		send_complaints(
			c, error == -EINVAL ? "invalid" : "file", explain(error), &complaints);
	else if (c->request.kind == REQUEST_CONFIG_CHECK)
		check(ctl, c, next, &complaints);
	else
		apply(ctl, c, next, &complaints);
	conf_complaints_destroy(&complaints);
}

void reload_step(struct ctl *ctl, struct client *c)
{
	if (c->ask.state != ASK_TAKEOVER)
		return;
	uint16_t late = find_late_shard(ctl, c->ask.generation);
	if (late == ctl->conf->n_workers)
		client_done(c, json_pack("{s:I,s:i}", "generation", (json_int_t)c->ask.generation,
				       "workers", (int)ctl->conf->n_workers));
	else if (ctl->now - c->ask.since >= CTL_TAKEOVER_PATIENCE)
		client_error(c, "slow",
			"generation %ju is in force, but worker %u has not taken it over "
			"after 10 seconds",
			(uintmax_t)c->ask.generation, late);
}

// ---- SIGHUP ----------------------------------------------------------------------------------

void reload_hangup(struct ctl *ctl)
{
	struct conf_complaints complaints = {.file = ctl->conf_file};
	struct conf *next = NULL;
	int error = conf_load(ctl->conf_file, ctl->conf, &next, &complaints);

	if (error)
		log_error(ctl->log, "%s: %s", ctl->conf_file, explain(error));
	else if (!put_in_force(ctl, next, &complaints))
		log_error(ctl->log, "%s: these leaves need a restart; nothing was changed",
			ctl->conf_file);
	log_complaints(ctl, &complaints);
	conf_complaints_destroy(&complaints);
}

static void log_late(struct ctl *ctl, uint16_t late)
{
	if (ctl->awaited_late || ctl->now - ctl->awaited_since < CTL_TAKEOVER_PATIENCE)
		return;
	ctl->awaited_late = true;
	log_warn(ctl->log, "worker %u has not taken over generation %ju yet", late,
		(uintmax_t)ctl->awaited);
}

// Once the last shard has taken the newest generation over, clients are told what changed; a shard
// that is late is logged once.
void reload_watch(struct ctl *ctl)
{
	if (!ctl->awaited)
		return;
	uint16_t late = find_late_shard(ctl, ctl->awaited);
	if (late < ctl->conf->n_workers) {
		log_late(ctl, late);
		return;
	}
	log_info(ctl->log, "all workers have taken over generation %ju", (uintmax_t)ctl->awaited);
	ctl->awaited = 0;
	tell_changes(ctl);
}
