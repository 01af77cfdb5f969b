// SPDX-License-Identifier: Apache-2.0
#include "counters.h"
#include "state.h"

#include <stdio.h>

uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint64_t read_at(const void *counters, size_t at)
{
	return counter_read((const void *)((const char *)counters + at));
}

static uint64_t read_drop(const struct ctl *ctl, uint16_t worker, size_t drop)
{
	return counter_read(&io_counters(ctl->io, worker)->drops[drop]) +
	       counter_read(&shard_counters(io_shard(ctl->io, worker))->drops[drop]);
}

// A group that is gone counts too: counters never step back.
static uint64_t read_of_groups(const struct shard *shard, size_t at)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < NAT_MAX_GROUPS; i++)
		sum += read_at(&shard_counters(shard)->server[i], at);
	return sum;
}

static uint64_t read_of_worker(
	const struct ctl *ctl, const struct counter *counter, uint16_t worker)
{
	const struct shard *shard = io_shard(ctl->io, worker);

	switch (counter->source) {
	case COUNTER_IO:
		return read_at(io_counters(ctl->io, worker), counter->at);
	case COUNTER_SHARD:
		return read_at(shard_counters(shard), counter->at);
	case COUNTER_NAT:
		return read_at(shard_nat_counters(shard), counter->at);
	case COUNTER_SERVER:
		return read_of_groups(shard, counter->at);
	case COUNTER_DROP:
		return read_drop(ctl, worker, counter->at);
	case COUNTER_GROUP:
	case COUNTER_LOG:
		break; // they have rows of their own
	}
	return 0;
}

static uint64_t drops_of_worker(const struct ctl *ctl, uint16_t worker)
{
	uint64_t sum = 0;

	for (size_t drop = DROP_NONE + 1; drop < DROP_COUNT; drop++)
		sum += read_drop(ctl, worker, drop);
	return sum;
}

uint64_t counters_drops(const struct ctl *ctl)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < ctl->conf->n_workers; i++)
		sum += drops_of_worker(ctl, i);
	return sum;
}

static void show_counter(struct ctl *ctl, struct client *c, const struct counter *counter)
{
	json_t *workers = json_array();
	uint64_t sum = 0;

	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		uint64_t value = read_of_worker(ctl, counter, i);
		json_array_append_new(workers, json_integer((json_int_t)value));
		sum += value;
	}
	if (c->request.filter.nonzero && sum == 0) {
		json_decref(workers);
		return;
	}
	client_row(c, json_pack("{s:o,s:I,s:o,s:s}", "name",
			      json_sprintf("%s.%s", counter->section, counter->name), "value",
			      (json_int_t)sum, "workers", workers, "about", counter->sentence));
}

// One of one group: "group.residential.total_sessions".
static void show_of_group(
	struct ctl *ctl, struct client *c, const struct counter *counter, uint8_t group)
{
	const char *name = ctl->conf->groups[group].name;
	json_t *workers = json_array();
	uint64_t sum = 0;

	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		uint64_t value =
			read_at(shard_group_counters(io_shard(ctl->io, i), group), counter->at);
		json_array_append_new(workers, json_integer((json_int_t)value));
		sum += value;
	}
	if (c->request.filter.nonzero && sum == 0) {
		json_decref(workers);
		return;
	}
	client_row(c,
		json_pack("{s:o,s:I,s:o,s:s,s:o}", "name",
			json_sprintf("group.%s.%s", name, counter->name), "value", (json_int_t)sum,
			"workers", workers, "about", counter->sentence, "group", row_text(name)));
}

static void show_of_groups(struct ctl *ctl, struct client *c, const struct counter *counter)
{
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if (ctl->conf->groups[i].used)
			show_of_group(ctl, c, counter, i);
	}
}

// No worker counts these.
static void show_of_log(struct ctl *ctl, struct client *c, const struct counter *counter)
{
	struct natlog_counters sum;

	natlog_totals(ctl->journal.log, &sum);
	uint64_t value = read_at(&sum, counter->at);
	if (value || !c->request.filter.nonzero)
		client_row(
			c, json_pack("{s:o,s:I,s:[],s:s}", "name",
				   json_sprintf("%s.%s", counter->section, counter->name), "value",
				   (json_int_t)value, "workers", "about", counter->sentence));
}

void counters_show(struct ctl *ctl, struct client *c)
{
	for (size_t i = 0; i < counter_count; i++) {
		if (counter_list[i].source == COUNTER_GROUP)
			show_of_groups(ctl, c, &counter_list[i]);
		else if (counter_list[i].source == COUNTER_LOG)
			show_of_log(ctl, c, &counter_list[i]);
		else
			show_counter(ctl, c, &counter_list[i]);
	}
	client_done(c, json_object());
}
