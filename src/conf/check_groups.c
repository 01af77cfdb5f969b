// SPDX-License-Identifier: Apache-2.0
// Whom the NAT groups serve and where: inside interfaces, subscribers' prefixes, listen addresses.
#include <stdlib.h>

#include "draft.h"

// ---- inside ----------------------------------------------------------------------------------

// The first in the file: the table may stand in the order of an earlier one.
static void serve_all(const struct draft *d, struct said_group *g)
{
	for (int i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		if (!s->side_known || s->side != CONF_INSIDE)
			continue;
		g->inside[i] = true;
		if (g->first_inside < 0 || s->order < d->interfaces[g->first_inside].order)
			g->first_inside = i;
	}
}

static void check_inside_item(struct draft *d, struct said_group *g, const struct node *at)
{
	int i = at->kind == NODE_SCALAR ? draft_find_interface(d, at->text) : -1;

	if (i < 0 || (d->interfaces[i].side_known && d->interfaces[i].side != CONF_INSIDE))
		complain(&d->critic, at, "the name of an inside port");
	else if (g->inside[i])
		complain(&d->critic, at, "each port once");
	else
		g->inside[i] = true;
	if (i >= 0 && g->first_inside < 0)
		g->first_inside = i;
}

static void check_inside(struct draft *d, struct said_group *g)
{
	const struct node *at = g->inside_at;

	if (!at) {
		serve_all(d, g);
		return;
	}
	if (!field_list(d, at, CONF_MAX_INTERFACES, "a list of inside ports"))
		return;
	for (const struct node *item = at->first; item; item = item->next)
		check_inside_item(d, g, item);
	if (at->n == 0)
		complain(&d->critic, at, "a list of inside ports (leave it out for all of them)");
}

// ---- subscribers -----------------------------------------------------------------------------

struct claimed {
	struct prefix4 prefix;
	uint32_t group;
	const struct node *at;
};

static int compare_claimed(const void *left, const void *right)
{
	const struct claimed *a = left, *b = right;

	if (a->prefix.base != b->prefix.base)
		return a->prefix.base < b->prefix.base ? -1 : 1;
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits < b->prefix.bits ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

// sharing[a][b]: some realm is served by both groups.
typedef bool sharing_table[CONF_MAX_GROUPS][CONF_MAX_GROUPS];

static void find_sharing(const struct draft *d, sharing_table sharing)
{
	memset(sharing, 0, sizeof(sharing_table));
	for (uint32_t a = 0; a < d->n_groups; a++) {
		for (uint32_t b = 0; b < d->n_groups; b++) {
			for (uint32_t i = 0; a != b && i < d->n_interfaces; i++)
				sharing[a][b] |= d->groups[a].inside[i] && d->groups[b].inside[i];
		}
	}
}

// Sorted prefixes nest, so those that hold the current one are a stack: at most one of each group
// and length.
struct nest {
	uint32_t depth;
	const struct claimed *open[33 * CONF_MAX_GROUPS];
};

static void nest_push(struct nest *s, const struct claimed *one)
{
	for (uint32_t j = s->depth; j-- > 0 && s->open[j]->prefix.bits == one->prefix.bits;) {
		if (s->open[j]->group == one->group)
			return;
	}
	s->open[s->depth++] = one;
}

static void check_claimed(struct draft *d, const struct nest *s, const struct claimed *one,
	const sharing_table sharing)
{
	char place[PLACE_TEXT];

	for (uint32_t j = s->depth; j-- > 0;) {
		if (!sharing[s->open[j]->group][one->group])
			continue;
		const struct node *earlier = s->open[j]->at, *later = one->at;
		if (node_before(later, earlier)) {
			earlier = one->at;
			later = s->open[j]->at;
		}
		complain(&d->critic, later, "subscribers of one group only: %s has some of them",
			node_place(earlier, place));
		return;
	}
}

static void check_sorted_subscribers(struct draft *d, const struct claimed *all, uint32_t n)
{
	struct nest *s = draft_alloc(d, 1, sizeof *s);
	sharing_table sharing;

	find_sharing(d, sharing);
	for (uint32_t i = 0; s && i < n; i++) {
		while (s->depth && !prefix4_has(s->open[s->depth - 1]->prefix, all[i].prefix.base))
			s->depth--;
		check_claimed(d, s, &all[i], sharing);
		nest_push(s, &all[i]);
	}
}

static void check_subscribers(struct draft *d)
{
	struct claimed *all;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_groups; i++)
		n += d->groups[i].n_subscribers;
	all = draft_alloc(d, n, sizeof *all);
	n = 0;
	for (uint32_t i = 0; all && i < d->n_groups; i++) {
		const struct said_group *g = &d->groups[i];
		for (uint32_t j = 0; j < g->n_subscribers; j++)
			all[n++] =
				(struct claimed){g->subscribers[j].prefix, i, g->subscribers[j].at};
	}
	if (!all)
		return;
	qsort(all, n, sizeof *all, compare_claimed);
	check_sorted_subscribers(d, all, n);
}

// ---- listen addresses ------------------------------------------------------------------------

static const struct node *find_interface_address(const struct draft *d, ip4 ip)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		for (uint32_t j = 0; j < s->n_addresses; j++) {
			if (s->addresses[j].address.ip == ip)
				return s->addresses[j].at;
		}
	}
	return NULL;
}

static const struct node *find_earlier_listen(const struct draft *d, uint32_t n_groups, ip4 ip)
{
	for (uint32_t i = 0; i < n_groups; i++) {
		const struct said_group *g = &d->groups[i];
		for (uint32_t j = 0; j < g->g.n_listen; j++) {
			if (g->g.listen[j] == ip)
				return g->listen_at[j];
		}
	}
	return NULL;
}

static void check_anycast(struct draft *d, const struct said_group *g)
{
	const struct node *other = find_interface_address(d, CONF_ANYCAST);
	char place[PLACE_TEXT], text[IP4_TEXT];

	if (g->g.listen_anycast && other)
		complain(&d->critic, g->pcp.anycast_at, "an address no port has: %s is %s",
			ip4_format(CONF_ANYCAST, text), node_place(other, place));
}

static void check_listen(struct draft *d, uint32_t group)
{
	const struct said_group *g = &d->groups[group];
	char place[PLACE_TEXT];

	check_anycast(d, g);
	for (uint32_t j = 0; j < g->g.n_listen; j++) {
		const struct node *other = find_earlier_listen(d, group, g->g.listen[j]);
		if (other)
			complain(&d->critic, g->listen_at[j],
				"an address of its own group: %s has it", node_place(other, place));
		other = find_interface_address(d, g->g.listen[j]);
		if (other)
			complain(&d->critic, g->listen_at[j],
				"an address no port has (gateway means theirs): it is %s",
				node_place(other, place));
	}
}

// ---- all -------------------------------------------------------------------------------------

void check_groups(struct draft *d)
{
	const struct node *at = d->groups_at;

	if (!at)
		complain_found(
			&d->critic, d->root, "no nat-groups", "at least one under nat-groups");
	else if (node_is_map(at) && at->n == 0)
		complain_found(&d->critic, at, "no NAT group", "at least one under nat-groups");
	for (uint32_t i = 0; i < d->n_groups; i++) {
		check_inside(d, &d->groups[i]);
		check_listen(d, i);
	}
	check_subscribers(d);
}
