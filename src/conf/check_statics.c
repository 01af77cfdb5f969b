// SPDX-License-Identifier: Apache-2.0
// Static mappings: endpoints of their own group, each used once.
#include <stdio.h>
#include <stdlib.h>

#include "draft.h"

static bool is_pcp_port(uint8_t protocol, uint16_t port)
{
	return protocol == NAT_UDP && (port == PCP_SERVER_PORT || port == PCP_CLIENT_PORT);
}

static void check_ports(struct draft *d, const struct said_static *s)
{
	if (is_pcp_port(s->protocol, s->internal_port))
		complain(&d->critic, s->internal_at, "another port: UDP %u and %u belong to PCP",
			PCP_CLIENT_PORT, PCP_SERVER_PORT);
	if (is_pcp_port(s->protocol, s->external_port))
		complain(&d->critic, s->external_at, "another port: UDP %u and %u belong to PCP",
			PCP_CLIENT_PORT, PCP_SERVER_PORT);
}

static void resolve_inside(struct draft *d, const struct said_group *g, struct said_static *s)
{
	const struct node *at = s->inside_at;

	s->iface = g->first_inside;
	if (!at)
		return;
	s->iface = at->kind == NODE_SCALAR ? draft_find_interface(d, at->text) : -1;
	if (s->iface >= 0 && g->inside[s->iface])
		return;
	complain(&d->critic, at, "the name of an inside port of %s", g->g.name);
	s->iface = -1;
}

static void check_subscriber(struct draft *d, const struct said_group *g, struct said_static *s)
{
	if (!s->internal_port || !g->subscribers_at || g->n_subscribers < g->subscribers_at->n)
		return;
	for (uint32_t i = 0; i < g->n_subscribers; i++) {
		if (prefix4_has(g->subscribers[i].prefix, s->internal))
			return;
	}
	complain(&d->critic, s->internal_at, "a host of the subscribers of %s", g->g.name);
}

static void check_pool(struct draft *d, const struct said_group *g, struct said_static *s)
{
	if (!s->external_port || g->unsure || g->n_pool == 0)
		return;
	for (uint32_t i = 0; i < g->n_pool; i++) {
		if (s->external >= g->pool[i].first && s->external <= g->pool[i].last)
			return;
	}
	complain(&d->critic, s->external_at, "an address of the pool of %s", g->g.name);
}

// A port of the plan is its host's: whoever asks whose it is looks nowhere else (RFC 7422).
static void check_plan(struct draft *d, const struct said_group *g, const struct said_static *s)
{
	char text[IP4_TEXT];
	ip4 host;

	if (!g->plan.good || !s->external_port ||
		nat_plan_reverse(&g->g.plan, s->external, s->external_port, &host) !=
			NAT_PLAN_HOST ||
		host == s->internal)
		return;
	complain(&d->critic, s->external_at, "a port of the host's own, or nobody's: this is %s's",
		ip4_format(host, text));
}

// ---- each endpoint once ----------------------------------------------------------------------

static uint64_t external_key(const struct said_static *s)
{
	return (uint64_t)s->external << 24 | (uint64_t)s->external_port << 8 | s->protocol;
}

static uint64_t internal_key(const struct said_static *s)
{
	return (uint64_t)s->internal << 24 | (uint64_t)s->internal_port << 8 | s->protocol;
}

static int compare_external(const void *left, const void *right)
{
	const struct said_static *a = *(const struct said_static *const *)left;
	const struct said_static *b = *(const struct said_static *const *)right;
	uint64_t x = external_key(a), y = external_key(b);

	if (x != y)
		return x < y ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

static int compare_internal(const void *left, const void *right)
{
	const struct said_static *a = *(const struct said_static *const *)left;
	const struct said_static *b = *(const struct said_static *const *)right;
	uint64_t x = internal_key(a), y = internal_key(b);

	if (a->iface != b->iface)
		return a->iface < b->iface ? -1 : 1;
	if (x != y)
		return x < y ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

static void check_externals(struct draft *d, const struct said_static **all, uint32_t n)
{
	char place[PLACE_TEXT];

	qsort(all, n, sizeof *all, compare_external);
	for (uint32_t i = 1; i < n; i++) {
		if (external_key(all[i - 1]) == external_key(all[i]))
			complain(&d->critic, all[i]->external_at,
				"an external port of its own: %s has this one",
				node_place(all[i - 1]->at, place));
	}
}

static void check_internals(struct draft *d, const struct said_static **all, uint32_t n)
{
	char place[PLACE_TEXT];

	qsort(all, n, sizeof *all, compare_internal);
	for (uint32_t i = 1; i < n; i++) {
		if (all[i]->iface >= 0 && all[i - 1]->iface == all[i]->iface &&
			internal_key(all[i - 1]) == internal_key(all[i]))
			complain(&d->critic, all[i]->internal_at,
				"an internal port of its own: %s has this one",
				node_place(all[i - 1]->at, place));
	}
}

// A static mapping takes a lease's place on its subscriber's worker.
static void check_room(struct draft *d, const struct said_static **all, uint32_t n)
{
	uint32_t held[CONF_MAX_WORKERS] = {0}, most = 0;
	uint32_t limit = conf_shard_limits(d->c).leases;
	const struct node *at = tree_find(d->root, "limits.leases");
	char found[64];

	for (uint32_t i = 0; i < n; i++)
		most = max_u32(most, ++held[conf_inside_owner(d->c, all[i]->internal)]);
	if (most <= limit)
		return;
	snprintf(found, sizeof found, "%u static mappings on one worker", most);
	complain_found(&d->critic, at ? at : d->root, found,
		"limits.leases that leave a worker more than %u", limit);
}

void check_statics(struct draft *d)
{
	const struct said_static **all;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_groups; i++)
		n += d->groups[i].n_statics;
	all = draft_alloc(d, n, sizeof *all);
	n = 0;
	for (uint32_t i = 0; all && i < d->n_groups; i++) {
		struct said_group *g = &d->groups[i];
		for (uint32_t j = 0; j < g->n_statics; j++) {
			struct said_static *s = &g->statics[j];
			check_ports(d, s);
			resolve_inside(d, g, s);
			check_subscriber(d, g, s);
			check_pool(d, g, s);
			check_plan(d, g, s);
			if (s->protocol && s->internal_port && s->external_port)
				all[n++] = s;
		}
	}
	if (!all)
		return;
	check_externals(d, all, n);
	check_internals(d, all, n);
	check_room(d, all, n);
}
