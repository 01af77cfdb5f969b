// SPDX-License-Identifier: Apache-2.0
// NAT groups, their external addresses, subscribers and static mappings.
#include <errno.h>
#include <stdlib.h>

#include "deal.h"
#include "draft.h"

// ---- ids -------------------------------------------------------------------------------------

static int find_previous(const struct conf *previous, const char *name)
{
	for (int i = 0; previous && i < CONF_MAX_GROUPS; i++) {
		if (previous->groups[i].used && !strcmp(previous->groups[i].name, name))
			return i;
	}
	return -1;
}

// One that nobody uses; rather not one of a group that has just gone, whose Epoch it would take on.
static int free_id(const struct draft *d)
{
	int left = -1;

	for (int i = 0; i < CONF_MAX_GROUPS; i++) {
		if (d->c->groups[i].used)
			continue;
		if (!d->previous || !d->previous->groups[i].used)
			return i;
		if (left < 0)
			left = i;
	}
	return left; // there are as many ids as groups
}

static void place_group(struct draft *d, struct said_group *g, int id)
{
	g->g.id = (uint8_t)id;
	g->g.used = true;
	g->g.n_external = (uint32_t)g->n_external;
	d->c->groups[id] = g->g;
	if (g->plan.wanted)
		d->c->groups[id].nat.plan = &d->c->groups[id].plan;
	d->c->n_groups = (uint16_t)max_u32(d->c->n_groups, (uint32_t)id + 1);
}

static void build_ids(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++) {
		int id = find_previous(d->previous, d->groups[i].g.name);
		if (id >= 0)
			place_group(d, &d->groups[i], id);
	}
	for (uint32_t i = 0; i < d->n_groups; i++) {
		if (!d->groups[i].g.used)
			place_group(d, &d->groups[i], free_id(d));
	}
}

// What the shards were sized for at their start stays in force over reloads.
static void build_port_set_min(struct draft *d)
{
	uint16_t min = d->previous ? d->previous->limits.port_set_min : UINT16_MAX;

	for (uint32_t i = 0; i < d->n_groups; i++)
		min = (uint16_t)min_u32(min, d->groups[i].g.nat.port_set_size);
	d->c->limits.port_set_min = min;
}

// ---- external addresses ----------------------------------------------------------------------

static int build_external(struct draft *d)
{
	struct conf *c = d->c;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_groups; i++)
		n += d->groups[i].g.n_external;
	c->external = calloc(n, sizeof *c->external);
	if (!c->external)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->n_ranges; i++) {
		const struct said_range *r = &d->ranges[i];
		for (ip4 ip = r->first; ip <= r->last; ip++)
			c->external[c->n_external++] = (struct conf_external){.ip = ip,
				.group = d->groups[r->group].g.id,
				.planned = d->groups[r->group].plan.wanted};
	}
	return deal_all(c, d->previous);
}

// ---- subscribers -----------------------------------------------------------------------------

static uint32_t collect_realm(const struct draft *d, uint32_t iface, struct prefix_value *entries)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_groups; i++) {
		const struct said_group *g = &d->groups[i];
		for (uint32_t j = 0; g->inside[iface] && j < g->n_subscribers; j++)
			entries[n++] = (struct prefix_value){g->subscribers[j].prefix, g->g.id};
	}
	return n;
}

static int build_subscribers(struct draft *d)
{
	struct prefix_value *entries;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_groups; i++)
		n += d->groups[i].n_subscribers;
	entries = draft_alloc(d, n, sizeof *entries);
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct conf_interface *f = &d->c->interfaces[i];
		if (f->side != CONF_INSIDE)
			continue;
		n = collect_realm(d, i, entries);
		int error = prefix_table_create(&d->c->subscribers[f->realm], entries, n);
		if (error)
			return error;
		while (n > 0)
			d->c->groups_of[f->realm] |= UINT64_C(1) << entries[--n].value;
	}
	return 0;
}

// ---- new subscribers -------------------------------------------------------------------------

// Whole blocks, each at a multiple of its size, of all addresses.
static uint64_t count_blocks(const struct conf_group *g)
{
	uint32_t size = g->nat.port_set_size, first = (g->port_first + size - 1) / size;

	return (uint64_t)g->n_external * ((g->port_last + 1u) / size - first);
}

// A flood of forged sources takes a subscriber's place and a block each and holds them for two to
// four minutes: a quarter of the places and of the blocks is kept from it, and what follows the
// burst is no more than comes free again. Customers who all come at once, after a restart, must
// find most of their pool open.
static void build_new_subscribers(struct conf *c)
{
	uint32_t subscribers = c->limits.subscribers, blocks;
	uint64_t n = 0;

	for (uint32_t i = 0; i < c->n_groups; i++) {
		if (c->groups[i].used)
			n += count_blocks(&c->groups[i]);
	}
	blocks = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
	if (c->new_subscriber_burst == 0)
		c->new_subscriber_burst =
			max_u32(16, (uint32_t)((uint64_t)min_u32(subscribers, blocks) * 3 / 4));
	if (c->new_subscriber_rate == 0)
		c->new_subscriber_rate =
			min_u32(max_u32(1000, subscribers / 240), max_u32(10, blocks / 480));
}

int build_groups(struct draft *d)
{
	int error;

	build_ids(d);
	build_port_set_min(d);
	build_new_subscribers(d->c);
	error = build_external(d);
	return error ? error : build_subscribers(d);
}

// ---- static mappings -------------------------------------------------------------------------

static int compare_statics(const void *left, const void *right)
{
	const struct conf_static *a = left, *b = right;

	if (a->external.addr != b->external.addr)
		return a->external.addr < b->external.addr ? -1 : 1;
	if (a->external.port != b->external.port)
		return a->external.port < b->external.port ? -1 : 1;
	return (a->key.protocol > b->key.protocol) - (a->key.protocol < b->key.protocol);
}

static void build_static(struct draft *d, const struct said_static *said)
{
	struct conf *c = d->c;
	uint8_t realm = c->interfaces[said->iface].realm;
	const struct conf_local *local = conf_find_local(c, realm, said->external);
	struct conf_external *e = &c->external[local->index];

	struct conf_static s = {.group = e->group,
		.key = {said->internal, said->internal_port, realm, said->protocol},
		.external = {said->external, said->external_port},
		.owner = (uint8_t)conf_inside_owner(c, said->internal),
		.addressee = (uint8_t)deal_owner(c, e, said->external_port)};
	e->crossing |= s.owner != s.addressee;
	c->statics[c->n_statics++] = s;
}

int build_statics(struct draft *d)
{
	struct conf *c = d->c;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_groups; i++)
		n += d->groups[i].n_statics;
	c->statics = calloc(n + 1u, sizeof *c->statics);
	if (!c->statics)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->n_groups; i++) {
		for (uint32_t j = 0; j < d->groups[i].n_statics; j++)
			build_static(d, &d->groups[i].statics[j]);
	}
	qsort(c->statics, c->n_statics, sizeof *c->statics, compare_statics);
	return 0;
}
