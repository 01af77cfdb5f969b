// SPDX-License-Identifier: Apache-2.0
// External addresses: each in one pool and nowhere else, and enough for every worker.
#include <stdio.h>
#include <stdlib.h>

#include "deal.h"
#include "draft.h"

// ---- overlaps --------------------------------------------------------------------------------

static int compare_ranges(const void *left, const void *right)
{
	const struct said_range *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

static bool collect_ranges(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++)
		d->n_ranges += d->groups[i].n_pool;
	d->ranges = draft_alloc(d, d->n_ranges, sizeof *d->ranges);
	if (!d->ranges)
		return false;
	uint32_t n = 0;
	for (uint32_t i = 0; i < d->n_groups; i++) {
		for (uint32_t j = 0; j < d->groups[i].n_pool; j++)
			d->ranges[n++] = d->groups[i].pool[j];
	}
	qsort(d->ranges, n, sizeof *d->ranges, compare_ranges);
	return true;
}

static void check_overlaps(struct draft *d)
{
	const struct said_range *widest = d->ranges; // of those before: the one that ends last
	char place[PLACE_TEXT];

	for (uint32_t i = 1; i < d->n_ranges; i++) {
		const struct said_range *r = &d->ranges[i];
		if (r->first <= widest->last) {
			bool later = node_before(widest->at, r->at);
			complain(&d->critic, later ? r->at : widest->at,
				"addresses of no other pool item: %s has some of them",
				node_place(later ? widest->at : r->at, place));
		}
		if (r->last > widest->last)
			widest = r;
	}
}

// ---- addresses that have another use ---------------------------------------------------------

static void check_used(struct draft *d, ip4 ip, const struct node *at, const char *what)
{
	char place[PLACE_TEXT], text[IP4_TEXT];

	for (uint32_t i = 0; i < d->n_ranges && d->ranges[i].first <= ip; i++) {
		if (d->ranges[i].last < ip)
			continue;
		complain(&d->critic, d->ranges[i].at, "no %s: %s is that of %s", what,
			ip4_format(ip, text), node_place(at, place));
	}
}

static void check_used_by_interface(struct draft *d, const struct said_interface *s)
{
	for (uint32_t i = 0; i < s->n_addresses; i++) {
		struct conf_address a = s->addresses[i].address;
		ip4 mask = prefix4_mask(a.bits);
		check_used(d, a.ip, s->addresses[i].at, "port's address");
		if (s->side != CONF_OUTSIDE || a.bits >= 31)
			continue;
		check_used(d, a.ip & mask, s->addresses[i].at, "subnet's own address");
		check_used(d, a.ip | ~mask, s->addresses[i].at, "broadcast address");
	}
	for (const struct said_route *r = s->routes; r; r = r->next) {
		if (s->side == CONF_OUTSIDE && r->via)
			check_used(d, r->via, r->via_at, "router's address");
	}
}

static void check_used_by_anycast(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++) {
		if (d->groups[i].pcp.anycast_at) {
			check_used(d, CONF_ANYCAST, d->groups[i].pcp.anycast_at, "anycast address");
			return;
		}
	}
}

static void check_uses(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++)
		check_used_by_interface(d, &d->interfaces[i]);
	for (uint32_t i = 0; i < d->n_groups; i++) {
		const struct said_group *g = &d->groups[i];
		for (uint32_t j = 0; j < g->g.n_listen; j++)
			check_used(d, g->g.listen[j], g->listen_at[j], "listen address");
	}
	check_used_by_anycast(d);
}

// ---- enough ----------------------------------------------------------------------------------

static void check_room(struct draft *d)
{
	struct nat_limits *limits = &d->c->limits;
	uint64_t n = 0;
	char found[48];

	for (uint32_t i = 0; i < d->n_groups; i++)
		n += d->groups[i].n_external;
	snprintf(found, sizeof found, "pools of %llu addresses", (unsigned long long)n);
	if (n > NAT_MAX_ADDRESSES) {
		complain_found(&d->critic, d->groups_at, found, "at most %u", NAT_MAX_ADDRESSES);
		return;
	}
	if (limits->addresses && n > limits->addresses)
		complain_found(&d->critic, d->addresses_at, found,
			"smaller pools, or a limit of at least %u", (uint32_t)n);
	if (limits->addresses)
		return;
	// Not said: room to grow by a quarter. A reload stays with what was set aside at start.
	limits->addresses = max_u32(64, min_u32((uint32_t)(n + n / 4), NAT_MAX_ADDRESSES));
	if (d->previous && d->previous->limits.addresses >= n)
		limits->addresses = d->previous->limits.addresses;
}

static void check_cut(struct draft *d, const struct said_group *g, struct deal_pieces pieces)
{
	struct deal_pieces apart = deal_explicit_pieces(&g->g);
	char found[64];

	snprintf(found, sizeof found, "%llu addresses for %u workers",
		(unsigned long long)g->n_external, d->c->n_workers);
	if (g->size > DEAL_PIECE)
		complain_found(&d->critic, g->size_at, found,
			"port-set-size of at most %u when addresses must be cut", DEAL_PIECE);
	else if (g->n_external * pieces.n < d->c->n_workers)
		complain_found(&d->critic, g->pool_at, found,
			"a share for every worker: here an address can be cut in %u", pieces.n);
	else if (g->g.nat.explicit_first > 0 && apart.n < d->c->n_workers)
		complain_found(&d->critic, g->explicit_at, found,
			"a part for every worker: %u pieces of %u ports that port-range has not",
			d->c->n_workers, DEAL_PIECE);
}

// Every worker needs a share of every group, and in it room for a block at least.
static void check_share(struct draft *d, const struct said_group *g)
{
	uint32_t first = g->g.port_first, last = g->g.port_last;
	char found[40];

	if (g->size == 0 || g->unsure || g->n_external == 0 || g->plan.wanted)
		return; // check_plans() judges plans: their hosts have ports on every worker
	if (!deal_has_block(first, last, g->size)) {
		snprintf(found, sizeof found, "ports %u to %u", first, last);
		complain_found(&d->critic, g->range_at, found,
			"room for a block of %u ports that starts at a multiple of it", g->size);
	} else if (g->n_external < d->c->n_workers) {
		check_cut(d, g, deal_pieces((uint16_t)first, (uint16_t)last, g->size));
	}
}

void check_pools(struct draft *d)
{
	if (!collect_ranges(d))
		return;
	if (d->n_ranges > 0)
		check_overlaps(d);
	check_uses(d);
	check_room(d);
	for (uint32_t i = 0; i < d->n_groups; i++)
		check_share(d, &d->groups[i]);
}
