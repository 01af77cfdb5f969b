// SPDX-License-Identifier: Apache-2.0
// How full each pool is, from the counters of all shards, and its watermarks: one notice when usage
// reaches the high one, one when it is back at the low one (RFC 7659 natv2NotificationPoolUsage*,
// RFC 8512 notify-pool-usage), and no two of them closer than notify-interval.
#include "state.h"

struct usage {
	uint64_t held, total; // blocks
	unsigned percent;
};

struct nat_group_counters pools_count(const struct ctl *ctl, uint8_t group)
{
	struct nat_group_counters sum = {0};

	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		const struct nat_group_counters *one =
			shard_group_counters(io_shard(ctl->io, i), group);
#define X(name, sentence) sum.name += counter_read(&one->name);
		NAT_GROUP_COUNTERS(X)
#undef X
	}
	return sum;
}

static struct usage usage_of(const struct nat_group_counters *sum)
{
	struct usage u = {.held = sum->blocks_allocated, .total = sum->blocks_total};

	u.percent = u.total ? (unsigned)(u.held * 100 / u.total) : 0;
	return u;
}

// ---- watermarks ------------------------------------------------------------------------------

// Without a low watermark the high one serves for both.
static unsigned low_of(const struct conf_group *g)
{
	return g->pool_low ? g->pool_low : g->pool_high - 1u;
}

static void tell(struct ctl *ctl, uint8_t group, bool high, const struct usage *u)
{
	const struct conf_group *g = &ctl->conf->groups[group];
	unsigned threshold = high ? g->pool_high : low_of(g);
	struct natlog_event e = {.kind = high ? NATLOG_POOL_HIGH : NATLOG_POOL_LOW,
		.usage = (uint8_t)u->percent,
		.threshold = (uint8_t)threshold,
		.addresses = g->n_external,
		.nat.group = group};

	log_warn(ctl->log, "NAT group %s: %ju of %ju port blocks are held, %u %%: %s %u %%",
		g->name, (uintmax_t)u->held, (uintmax_t)u->total, u->percent,
		high ? "at or above the high watermark of" : "back at or below the low one of",
		threshold);
	journal_tell(ctl, &e);
}

static void watch(struct ctl *ctl, uint8_t group)
{
	const struct conf_group *g = &ctl->conf->groups[group];
	struct watermark *w = &ctl->pools.marks[group];

	if (!g->used || g->pool_high == 0) {
		*w = (struct watermark){0};
		return;
	}
	struct nat_group_counters sum = pools_count(ctl, group);
	struct usage u = usage_of(&sum);
	bool high = w->high ? u.percent > low_of(g) : u.percent >= g->pool_high;
	if (u.total == 0 || high == w->high ||
		(w->told_at && ctl->now - w->told_at < g->notify_interval_s * NS_PER_S))
		return;
	*w = (struct watermark){.high = high, .told_at = ctl->now};
	tell(ctl, group, high, &u);
}

void pools_step(struct ctl *ctl)
{
	if (ctl->now - ctl->pools.looked_at < NS_PER_S)
		return;
	ctl->pools.looked_at = ctl->now;
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++)
		watch(ctl, i);
}

void pools_forget(struct ctl *ctl, uint8_t group)
{
	ctl->pools.marks[group] = (struct watermark){0};
}

// ---- show pools ------------------------------------------------------------------------------

static json_t *pool_row(const struct ctl *ctl, uint8_t group)
{
	const struct conf_group *g = &ctl->conf->groups[group];
	struct nat_group_counters sum = pools_count(ctl, group);
	struct usage u = usage_of(&sum);
	uint64_t size = g->nat.port_set_size, free_blocks = u.total > u.held ? u.total - u.held : 0;
	json_t *row = json_pack("{s:o,s:I,s:b,s:I,s:I,s:I,s:I,s:I,s:I}", "group", row_text(g->name),
		"addresses", (json_int_t)g->n_external, "deterministic", (int)(g->nat.plan != NULL),
		"port_set_size", (json_int_t)size, "blocks_allocated", (json_int_t)u.held,
		"blocks_free", (json_int_t)free_blocks, "ports_allocated",
		(json_int_t)(u.held * size), "ports_free", (json_int_t)(free_blocks * size),
		"usage_percent", (json_int_t)u.percent);

	if (!row)
		return NULL;
	if (g->pool_high) {
		json_object_set_new(row, "high_threshold", json_integer(g->pool_high));
		json_object_set_new(row, "low_threshold", json_integer(low_of(g)));
		json_object_set_new(row, "high", json_boolean(ctl->pools.marks[group].high));
	}
#define X(name, sentence) json_object_set_new(row, #name, json_integer((json_int_t)sum.name));
	NAT_GROUP_COUNTERS(X)
#undef X
	json_object_del(row, "addresses_total"); // a shard counts those it has a share of
	return row;
}

void pools_show(struct ctl *ctl, struct client *c)
{
	const char *name = c->request.filter.group;
	uint8_t only = name ? ask_find_group(ctl, name) : UINT8_MAX;

	if (name && only == UINT8_MAX) {
		client_error(c, "not-found", "there is no NAT group \"%.32s\"", name);
		return;
	}
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if (ctl->conf->groups[i].used && (!name || i == only))
			client_row(c, pool_row(ctl, i));
	}
	client_done(c, json_object());
}
