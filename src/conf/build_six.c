// SPDX-License-Identifier: Apache-2.0
// The table of IPv6 routes: of the ports' subnets, and those that are said.
#include <errno.h>
#include <stdlib.h>

#include "draft.h"

static uint32_t next_hop6(struct conf *c, uint16_t iface, ip6 gateway)
{
	for (uint32_t i = c->n_interfaces; i < c->n_next_hops; i++) {
		if (c->next_hops[i].iface == iface && ip6_eq(c->next_hops[i].gateway6, gateway))
			return i;
	}
	c->next_hops[c->n_next_hops] = (struct conf_next_hop){.iface = iface, .gateway6 = gateway};
	return c->n_next_hops++;
}

// conf_route6() takes the first run that has it.
static int compare_routes(const void *left, const void *right)
{
	const struct conf_route6 *a = left, *b = right;

	if (a->to.bits != b->to.bits)
		return a->to.bits > b->to.bits ? -1 : 1;
	return memcmp(a->to.base.b, b->to.base.b, sizeof a->to.base.b);
}

static void add(struct conf *c, struct prefix6 to, uint32_t next_hop)
{
	c->routes6[c->n_routes6++] = (struct conf_route6){to, (uint16_t)next_hop};
}

// Two addresses in one subnet make one route.
static bool has_earlier(const struct said_interface *s, uint32_t j)
{
	for (uint32_t i = 0; i < j; i++) {
		if (s->addresses6[i].subnet.bits == s->addresses6[j].subnet.bits &&
			ip6_eq(s->addresses6[i].subnet.base, s->addresses6[j].subnet.base))
			return true;
	}
	return false;
}

int build_six(struct draft *d)
{
	struct conf *c = d->c;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		n += d->interfaces[i].n_addresses6;
		for (const struct said_route6 *r = d->interfaces[i].routes6; r; r = r->next)
			n++;
	}
	c->routes6 = calloc(n + 1u, sizeof *c->routes6);
	if (!c->routes6)
		return -ENOMEM;
	for (uint16_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		for (uint32_t j = 0; j < s->n_addresses6; j++) {
			if (!has_earlier(s, j))
				add(c, s->addresses6[j].subnet, i);
		}
		for (const struct said_route6 *r = s->routes6; r; r = r->next)
			add(c, r->to, next_hop6(c, i, r->via));
	}
	qsort(c->routes6, c->n_routes6, sizeof *c->routes6, compare_routes);
	return 0;
}
