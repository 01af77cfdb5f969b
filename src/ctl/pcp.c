// SPDX-License-Identifier: Apache-2.0
// The PCP server as its operator sees it: what each NAT group was asked and answered, and who
// asks most.
#include "state.h"

#include <stdlib.h>

// ---- counters of a group ---------------------------------------------------------------------

uint64_t pcp_count(const struct ctl *ctl, uint8_t group, size_t at)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		const struct shard *shard = io_shard(ctl->io, i);
		const char *counters = (const char *)&shard_counters(shard)->server[group];
		sum += counter_read((const void *)(counters + at));
	}
	return sum;
}

static void add(json_t *object, const char *name, uint64_t n)
{
	json_object_set_new(object, name, json_integer((json_int_t)n));
}

static json_t *events_of(const struct ctl *ctl, uint8_t group)
{
	json_t *object = json_object();

#define X(name, sentence)                                                                          \
	add(object, #name, pcp_count(ctl, group, offsetof(struct server_counters, name)));
	SERVER_COUNTERS(X)
#undef X
	return object;
}

static json_t *results_of(const struct ctl *ctl, uint8_t group)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < PCP_RESULT_COUNT; i++)
		add(object, pcp_result_name(pcp_result_at(i)),
			pcp_count(ctl, group, offsetof(struct server_counters, results[i])));
	return object;
}

static json_t *opcodes_of(const struct ctl *ctl, uint8_t group)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < SERVER_OPCODE_COUNT; i++)
		add(object, server_opcode_name(i),
			pcp_count(ctl, group, offsetof(struct server_counters, opcodes[i])));
	return object;
}

static json_t *options_of(const struct ctl *ctl, uint8_t group)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < PCP_OPTION_COUNT; i++)
		add(object, pcp_option_at(i),
			pcp_count(ctl, group, offsetof(struct server_counters, options[i])));
	return object;
}

static json_t *dialects_of(const struct ctl *ctl, uint8_t group)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < PCP_DIALECTS; i++)
		add(object, pcp_dialect_name(i),
			pcp_count(ctl, group, offsetof(struct server_counters, dialects[i])));
	return object;
}

static json_t *group_row(const struct ctl *ctl, uint8_t group)
{
	return json_pack("{s:o,s:b,s:I,s:o,s:o,s:o,s:o,s:o}", "group", row_group(ctl->conf, group),
		"pcp", (int)ctl->conf->groups[group].pcp.enabled, "epoch_s",
		(json_int_t)row_epoch_s(ctl, group, 0), "dialects", dialects_of(ctl, group),
		"opcodes", opcodes_of(ctl, group), "options", options_of(ctl, group), "results",
		results_of(ctl, group), "events", events_of(ctl, group));
}

void pcp_show(struct ctl *ctl, struct client *c)
{
	const char *name = c->request.filter.group;
	uint8_t wanted = name ? ask_find_group(ctl, name) : UINT8_MAX;

	if (name && wanted == UINT8_MAX) {
		client_error(c, "not-found", "there is no NAT group \"%.32s\"", name);
		return;
	}
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if (ctl->conf->groups[i].used && (!name || i == wanted))
			client_row(c, group_row(ctl, i));
	}
	client_done(c, json_object());
}

// ---- the busiest clients ---------------------------------------------------------------------
//
// A heap with the least busy of the busiest at its root: a walk over a million clients looks at
// each once and keeps a thousand at most.

struct talker {
	struct server_client client;
	uint16_t shard;
};

struct top {
	uint32_t n, room;
	struct talker list[];
};

bool top_open(struct ask *ask)
{
	ask->top = calloc(1, sizeof *ask->top + ask->limit * sizeof ask->top->list[0]);
	if (ask->top)
		ask->top->room = ask->limit;
	return ask->top != NULL;
}

// Below zero: a is the busier one. Ties are broken, so that the same list looks the same again.
static int compare(const void *a, const void *b)
{
	const struct server_client *x = &((const struct talker *)a)->client;
	const struct server_client *y = &((const struct talker *)b)->client;

	if (x->requests != y->requests)
		return x->requests > y->requests ? -1 : 1;
	if (x->refused != y->refused)
		return x->refused > y->refused ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->realm - y->realm;
}

static void swap(struct talker *a, struct talker *b)
{
	struct talker kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_up(struct top *top, uint32_t i)
{
	while (i && compare(&top->list[(i - 1) / 2], &top->list[i]) < 0) {
		swap(&top->list[(i - 1) / 2], &top->list[i]);
		i = (i - 1) / 2;
	}
}

static void sift_down(struct top *top, uint32_t i)
{
	for (;;) {
		uint32_t least = i;
		for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < top->n; child++) {
			if (compare(&top->list[least], &top->list[child]) < 0)
				least = child;
		}
		if (least == i)
			return;
		swap(&top->list[least], &top->list[i]);
		i = least;
	}
}

void top_offer(struct ask *ask, uint16_t shard, const struct server_client *client)
{
	struct talker one = {.client = *client, .shard = shard};
	struct top *top = ask->top;

	if (top->n < top->room) {
		top->list[top->n] = one;
		sift_up(top, top->n++);
	} else if (compare(&one, &top->list[0]) < 0) {
		top->list[0] = one;
		sift_down(top, 0);
	}
}

// A walk may meet a client twice when its record moves meanwhile.
static bool was_before(const struct top *top, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++) {
		if (top->list[k].client.address == top->list[i].client.address &&
			top->list[k].client.realm == top->list[i].client.realm)
			return true;
	}
	return false;
}

void top_show(struct ctl *ctl, struct client *c)
{
	struct top *top = c->ask.top;

	qsort(top->list, top->n, sizeof top->list[0], compare);
	for (uint32_t i = 0; i < top->n; i++) {
		if (was_before(top, i))
			continue;
		client_row(c, row_of_client(ctl, top->list[i].shard, &top->list[i].client));
		c->ask.rows++;
	}
}
