// SPDX-License-Identifier: Apache-2.0
// IPv6 of the ports. It is routed between all of them and not translated, so that an address, or a
// way to a prefix, may be there once in all realms together.
#include <stdio.h>
#include <stdlib.h>

#include "draft.h"
#include "leaf.h"

enum {
	MTU_LEAST6 = 1280 // RFC 8200 s.5
};

// ---- one port --------------------------------------------------------------------------------

static void check_mtu(struct draft *d, const struct said_interface *s)
{
	char found[24];

	if (s->n_addresses6 == 0 || draft_mtu(d, s) >= MTU_LEAST6)
		return;
	snprintf(found, sizeof found, "an mtu of %u", draft_mtu(d, s));
	complain_found(&d->critic, s->mtu_at ? s->mtu_at : s->addresses_at, found,
		"at least %u where IPv6 is spoken (RFC 8200 s.5)", MTU_LEAST6);
}

static void check_via(struct draft *d, const struct said_interface *s, const struct said_route6 *r)
{
	bool on_link = leaf_is_link_local6(r->via);

	if (!leaf_is_host6(r->via) || s->unsure)
		return;
	if (s->n_addresses6 == 0) {
		complain(&d->critic, r->via_at, "an IPv6 address of %s, which has none", s->name);
		return;
	}
	for (uint32_t i = 0; i < s->n_addresses6; i++) {
		const struct said_address6 *a = &s->addresses6[i];
		on_link |= prefix6_has(&a->subnet, r->via);
		if (!ip6_eq(a->ip, r->via))
			continue;
		complain(&d->critic, r->via_at, "another router: this is an address of %s itself",
			s->name);
		return;
	}
	if (!on_link)
		complain(&d->critic, r->via_at, "a router in a subnet of %s, or a link-local one",
			s->name);
}

// ---- all ports -------------------------------------------------------------------------------

struct claim { // of an address, or of a prefix
	ip6 base;
	uint8_t bits;
	uint32_t iface;
	bool connected;
	const struct node *at;
};

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = memcmp(a->base.b, b->base.b, sizeof a->base.b);

	if (order)
		return order;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

static bool claims_clash(const struct claim *a, const struct claim *b)
{
	return ip6_eq(a->base, b->base) && a->bits == b->bits &&
	       !(a->connected && b->connected && a->iface == b->iface);
}

static void judge_claims(struct draft *d, struct claim *all, uint32_t n, const char *wanted)
{
	char place[PLACE_TEXT];

	qsort(all, n, sizeof *all, compare_claims);
	for (uint32_t i = 1; i < n; i++) {
		if (claims_clash(&all[i - 1], &all[i]))
			complain(&d->critic, all[i].at, "%s: it is %s too", wanted,
				node_place(all[i - 1].at, place));
	}
}

static uint32_t collect_addresses(const struct draft *d, struct claim *all)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		for (uint32_t j = 0; j < s->n_addresses6; j++)
			all[n++] = (struct claim){.base = s->addresses6[j].ip,
				.bits = 128,
				.iface = i,
				.at = s->addresses6[j].at};
	}
	return n;
}

static uint32_t collect_prefixes(const struct draft *d, struct claim *all)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		for (uint32_t j = 0; j < s->n_addresses6; j++)
			all[n++] = (struct claim){.base = s->addresses6[j].subnet.base,
				.bits = s->addresses6[j].subnet.bits,
				.iface = i,
				.connected = true,
				.at = s->addresses6[j].at};
		for (const struct said_route6 *r = s->routes6; r; r = r->next) {
			if (r->to_at && r->via_at)
				all[n++] = (struct claim){.base = r->to.base,
					.bits = r->to.bits,
					.iface = i,
					.at = r->to_at};
		}
	}
	return n;
}

static uint32_t count_claims(const struct draft *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		n += d->interfaces[i].n_addresses6;
		for (const struct said_route6 *r = d->interfaces[i].routes6; r; r = r->next)
			n++;
	}
	return n;
}

void check_six(struct draft *d)
{
	struct claim *all = draft_alloc(d, count_claims(d), sizeof *all);

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		check_mtu(d, s);
		for (const struct said_route6 *r = s->routes6; r; r = r->next)
			check_via(d, s, r);
	}
	if (!all)
		return;
	judge_claims(d, all, collect_addresses(d, all), "an address of its own");
	judge_claims(d, all, collect_prefixes(d, all), "one way to an IPv6 prefix");
}
