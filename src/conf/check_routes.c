// SPDX-License-Identifier: Apache-2.0
// Whether every router can be reached on its link and no two routes of a realm want one prefix.
#include <stdlib.h>

#include "draft.h"

static bool via_is_on_link(const struct said_interface *s, ip4 via)
{
	for (uint32_t i = 0; i < s->n_addresses; i++) {
		if (address_is_on_link(s->addresses[i].address, via))
			return true;
	}
	return false;
}

static bool via_is_ours(const struct said_interface *s, ip4 via)
{
	for (uint32_t i = 0; i < s->n_addresses; i++) {
		if (s->addresses[i].address.ip == via)
			return true;
	}
	return false;
}

static void check_via(struct draft *d, const struct said_interface *s, const struct said_route *r)
{
	if (!r->via || s->unsure)
		return;
	if (via_is_ours(s, r->via))
		complain(&d->critic, r->via_at, "another router: this is an address of %s itself",
			s->name);
	else if (!via_is_on_link(s, r->via))
		complain(&d->critic, r->via_at, "a router in a subnet of %s", s->name);
}

struct claim {          // of a prefix in a realm
	uint32_t realm; // 0: outside; else interface + 1
	uint32_t iface;
	bool connected;
	struct prefix4 to;
	const struct node *at;
};

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;

	if (a->realm != b->realm)
		return a->realm < b->realm ? -1 : 1;
	if (a->to.base != b->to.base)
		return a->to.base < b->to.base ? -1 : 1;
	if (a->to.bits != b->to.bits)
		return a->to.bits < b->to.bits ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

static bool claims_differ(const struct claim *a, const struct claim *b)
{
	return a->realm != b->realm || a->to.base != b->to.base || a->to.bits != b->to.bits ||
	       (a->connected && b->connected && a->iface == b->iface);
}

static uint32_t collect_claims(const struct draft *d, struct claim *all)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		struct claim claim = {.iface = i, .realm = s->side == CONF_OUTSIDE ? 0 : i + 1};
		for (uint32_t j = 0; s->side_known && j < s->n_addresses; j++) {
			struct conf_address a = s->addresses[j].address;
			claim.connected = true;
			claim.to = (struct prefix4){a.ip & prefix4_mask(a.bits), a.bits};
			claim.at = s->addresses[j].at;
			all[n++] = claim;
		}
		for (const struct said_route *r = s->routes; s->side_known && r; r = r->next) {
			if (!r->to_at || !r->via_at)
				continue;
			claim.connected = false;
			claim.to = r->to;
			claim.at = r->to_at;
			all[n++] = claim;
		}
	}
	return n;
}

static uint32_t count_claims(const struct draft *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		n += d->interfaces[i].n_addresses;
		for (const struct said_route *r = d->interfaces[i].routes; r; r = r->next)
			n++;
	}
	return n;
}

void check_routes(struct draft *d)
{
	struct claim *all = draft_alloc(d, count_claims(d), sizeof *all);
	char place[PLACE_TEXT];
	uint32_t n;

	if (!all)
		return;
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		for (const struct said_route *r = d->interfaces[i].routes; r; r = r->next)
			check_via(d, &d->interfaces[i], r);
	}
	n = collect_claims(d, all);
	qsort(all, n, sizeof *all, compare_claims);
	for (uint32_t i = 1; i < n; i++) {
		if (!claims_differ(&all[i - 1], &all[i]))
			complain(&d->critic, all[i].at,
				"one way to a prefix in a realm: %s has it already",
				node_place(all[i - 1].at, place));
	}
}
