// SPDX-License-Identifier: Apache-2.0
// The numbers of deterministic groups (RFC 7422): how many hosts an address serves, and with how
// many ports each. What remains of each address is its overflow part.
#include <stdio.h>
#include <stdlib.h>

#include "draft.h"

static uint64_t count_hosts(const struct said_group *g)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < g->n_subscribers; i++)
		n += UINT64_C(1) << (32 - g->subscribers[i].prefix.bits);
	return n;
}

// ---- what the numbers stand on ---------------------------------------------------------------

// A plan knows hosts by their addresses, and two ports may have the same.
static bool check_one_inside(struct draft *d, const struct said_group *g)
{
	uint32_t n = 0;
	char found[32];

	for (uint32_t i = 0; i < d->n_interfaces; i++)
		n += g->inside[i];
	if (n <= 1)
		return n == 1;
	snprintf(found, sizeof found, "%u inside ports", n);
	complain_found(&d->critic, g->inside_at ? g->inside_at : g->at, found,
		"inside: one of them, as a deterministic group tells hosts by address alone");
	return false;
}

static int compare_prefixes(const void *left, const void *right)
{
	const struct said_prefix *a = left, *b = right;

	if (a->prefix.base != b->prefix.base)
		return a->prefix.base < b->prefix.base ? -1 : 1;
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits < b->prefix.bits ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

// Sorted prefixes nest, so whoever begins inside an earlier one lies in it.
static bool check_disjoint(struct draft *d, const struct said_group *g)
{
	struct said_prefix *all = draft_alloc(d, g->n_subscribers, sizeof *all);
	char place[PLACE_TEXT];
	bool good = all;

	if (!all)
		return false;
	memcpy(all, g->subscribers, g->n_subscribers * sizeof *all);
	qsort(all, g->n_subscribers, sizeof *all, compare_prefixes);
	for (uint32_t i = 1, widest = 0; i < g->n_subscribers; i++) {
		if (!prefix4_has(all[widest].prefix, all[i].prefix.base)) {
			widest = i;
			continue;
		}
		complain(&d->critic, all[i].at, "hosts that are counted once: %s has them",
			node_place(all[widest].at, place));
		good = false;
	}
	return good;
}

// ---- the numbers -----------------------------------------------------------------------------

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return (n + by - 1) / by;
}

static void complain_ports(
	struct draft *d, const struct said_group *g, uint64_t n_hosts, uint32_t usable)
{
	uint32_t each = g->plan.ports ? g->plan.ports : g->size;
	uint32_t most = usable > g->plan.overflow ? (usable - g->plan.overflow) / each : 0;
	const struct node *at = g->plan.ports_at ? g->plan.ports_at : g->plan.wanted_at;
	char found[80];

	snprintf(found, sizeof found, "%llu hosts on %llu addresses of %u ports",
		(unsigned long long)n_hosts, (unsigned long long)g->n_external, usable);
	if (most == 0)
		complain_found(&d->critic, g->plan.overflow_at ? g->plan.overflow_at : at, found,
			"room for %u ports of a host beside an overflow of %u", each,
			g->plan.overflow);
	else
		complain_found(&d->critic, at, found,
			"%llu addresses, for %u ports a host and an overflow of %u",
			(unsigned long long)divide_up(n_hosts, most), each, g->plan.overflow);
}

static bool check_said(struct draft *d, const struct said_group *g)
{
	if (g->plan.ports % g->size == 0)
		return true;
	complain(&d->critic, g->plan.ports_at, "a multiple of port-set-size, here %u", g->size);
	return false;
}

// Whole blocks only: the first port of the plan is a multiple of their size.
static void set_numbers(struct draft *d, struct said_group *g)
{
	struct nat_plan *p = &g->g.plan;
	uint64_t n_hosts = count_hosts(g);
	uint32_t first = (uint32_t)divide_up(g->g.port_first, g->size) * g->size;
	uint32_t usable = g->g.port_last + 1u > first ? g->g.port_last + 1u - first : 0;
	uint64_t each = g->plan.ports, per_address = divide_up(n_hosts, g->n_external);

	if (each == 0 && usable > g->plan.overflow)
		each = (usable - g->plan.overflow) / per_address / g->size * g->size;
	if (each == 0 || each * per_address + g->plan.overflow > usable) {
		complain_ports(d, g, n_hosts, usable);
		return;
	}
	p->n_hosts = (uint32_t)n_hosts;
	p->n_inside = g->n_subscribers;
	p->n_external = (uint32_t)g->n_external;
	p->hosts_per_address = (uint32_t)per_address;
	p->port_first = (uint16_t)first;
	p->port_last = g->g.port_last;
	p->ports_per_host = (uint16_t)each;
	p->port_set_size = (uint16_t)g->size;
	g->plan.good = true;
}

// The lists that the plan points to, until it is built.
static void set_lists(struct draft *d, struct said_group *g)
{
	struct prefix4 *inside = draft_alloc(d, g->n_subscribers, sizeof *inside);
	ip4 *external = draft_alloc(d, g->g.plan.n_external, sizeof *external);
	uint32_t n = 0;

	g->plan.good = inside && external;
	if (!g->plan.good)
		return;
	for (uint32_t i = 0; i < g->n_subscribers; i++)
		inside[i] = g->subscribers[i].prefix;
	for (uint32_t i = 0; i < d->n_ranges; i++) {
		const struct said_range *r = &d->ranges[i];
		for (uint64_t ip = r->first; g == &d->groups[r->group] && ip <= r->last; ip++)
			external[n++] = (ip4)ip;
	}
	g->g.plan.inside = inside;
	g->g.plan.external = external;
}

static bool is_known(const struct said_group *g)
{
	return !g->unsure && g->size > 0 && g->n_external > 0 && g->n_subscribers > 0 &&
	       g->n_subscribers == g->subscribers_at->n;
}

void check_plans(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++) {
		struct said_group *g = &d->groups[i];
		if (!g->plan.wanted || !is_known(g))
			continue;
		bool good = check_one_inside(d, g);
		good &= check_disjoint(d, g);
		good &= check_said(d, g);
		if (good && g->n_external <= NAT_MAX_ADDRESSES)
			set_numbers(d, g);
		if (g->plan.good)
			set_lists(d, g);
	}
}
