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
	conf_destroy(io_publish(ctl->io, next, ctl->now));
	ctl->conf = io_conf(ctl->io);
	ctl->awaited = ctl->conf->generation;
	ctl->awaited_since = ctl->now;
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

// Tells the log once when the last shard has taken the newest generation over, or that one is late.
void reload_watch(struct ctl *ctl)
{
	if (!ctl->awaited)
		return;
	uint16_t late = find_late_shard(ctl, ctl->awaited);
	bool over = late == ctl->conf->n_workers;
	if (over)
		log_info(ctl->log, "all workers have taken over generation %ju",
			(uintmax_t)ctl->awaited);
	else if (ctl->now - ctl->awaited_since >= CTL_TAKEOVER_PATIENCE)
		log_warn(ctl->log, "worker %u has not taken over generation %ju yet", late,
			(uintmax_t)ctl->awaited);
	else
		return;
	ctl->awaited = 0;
}
