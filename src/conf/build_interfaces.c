// SPDX-License-Identifier: Apache-2.0
// Ports, interfaces, realms, next hops and the tables of routes.
#include <errno.h>
#include <stdlib.h>

#include "draft.h"
#include "leaf.h"

// ---- order -----------------------------------------------------------------------------------

static int find_previous(const struct conf *previous, const char *name)
{
	for (int i = 0; previous && i < previous->n_interfaces; i++) {
		if (!strcmp(previous->interfaces[i].name, name))
			return i;
	}
	return -1;
}

static int compare_ranks(const void *left, const void *right)
{
	const struct said_interface *a = left, *b = right;

	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

void order_interfaces(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		struct said_interface *s = &d->interfaces[i];
		int before = find_previous(d->previous, s->name);
		s->rank = before >= 0 ? (uint32_t)before : CONF_MAX_INTERFACES + s->order;
	}
	qsort(d->interfaces, d->n_interfaces, sizeof d->interfaces[0], compare_ranks);
}

// ---- interfaces ------------------------------------------------------------------------------

static int build_ports(struct draft *d)
{
	struct conf *c = d->c;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		struct said_interface *s = &d->interfaces[i];
		if (s->parent >= 0)
			continue;
		struct conf_port *p = &c->ports[c->n_ports];
		s->port = c->n_ports++;
		strcpy(p->name, s->name);
		strcpy(p->device, s->device);
		p->pci = leaf_is_pci(s->device);
		p->mtu = (uint16_t)s->mtu;
		if (!build_members(d, s, p))
			return -ENOMEM;
	}
	return 0;
}

uint16_t draft_mtu(const struct draft *d, const struct said_interface *s)
{
	if (s->mtu == 0 && s->parent >= 0 && d->interfaces[s->parent].mtu)
		return (uint16_t)min_u32(1500, d->interfaces[s->parent].mtu);
	return (uint16_t)(s->mtu ? s->mtu : 1500);
}

static void build_interface(struct draft *d, uint32_t i)
{
	const struct said_interface *s = &d->interfaces[i];
	struct conf_interface *f = &d->c->interfaces[i];

	strcpy(f->name, s->name);
	f->port = s->parent >= 0 ? d->interfaces[s->parent].port : s->port;
	f->vlan = (uint16_t)s->vlan;
	f->side = s->side;
	f->mtu = draft_mtu(d, s);
	f->icmp_errors = s->icmp_errors;
	f->n_addresses = s->n_addresses;
	for (uint32_t j = 0; j < s->n_addresses; j++)
		f->addresses[j] = s->addresses[j].address;
	f->n_addresses6 = s->n_addresses6;
	for (uint32_t j = 0; j < s->n_addresses6; j++)
		f->addresses6[j] =
			(struct conf_address6){s->addresses6[j].ip, s->addresses6[j].subnet.bits};
	d->c->ip6 |= s->n_addresses6 > 0;
}

// A realm is a key in every worker's tables: it stays with its interface's name.
static void build_realms(struct conf *c, const struct conf *previous)
{
	bool taken[CONF_MAX_REALMS] = {[0] = true};
	uint8_t next = 1;

	for (uint32_t i = 0; i < c->n_interfaces; i++) {
		int before = find_previous(previous, c->interfaces[i].name);
		if (c->interfaces[i].side == CONF_INSIDE && before >= 0)
			c->interfaces[i].realm = previous->interfaces[before].realm;
		taken[c->interfaces[i].realm] = true;
	}
	c->n_realms = 1;
	for (uint32_t i = 0; i < c->n_interfaces; i++) {
		struct conf_interface *f = &c->interfaces[i];
		if (f->side == CONF_INSIDE && f->realm == 0) {
			while (taken[next])
				next++;
			taken[next] = true;
			f->realm = next;
		}
		c->n_realms = (uint16_t)max_u32(c->n_realms, f->realm + 1u);
	}
}

// ---- routes ----------------------------------------------------------------------------------

static uint32_t next_hop(struct conf *c, uint16_t iface, ip4 gateway)
{
	for (uint32_t i = c->n_interfaces; i < c->n_next_hops; i++) {
		if (c->next_hops[i].iface == iface && c->next_hops[i].gateway == gateway)
			return i;
	}
	c->next_hops[c->n_next_hops] = (struct conf_next_hop){.iface = iface, .gateway = gateway};
	return c->n_next_hops++;
}

static uint32_t collect_realm(struct draft *d, uint8_t realm, struct prefix_value *entries)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		if (d->c->interfaces[i].realm != realm)
			continue;
		for (uint32_t j = 0; j < s->n_addresses; j++) {
			struct conf_address a = s->addresses[j].address;
			entries[n++] =
				(struct prefix_value){{a.ip & prefix4_mask(a.bits), a.bits}, i};
		}
		for (const struct said_route *r = s->routes; r; r = r->next)
			entries[n++] = (struct prefix_value){r->to, next_hop(d->c, i, r->via)};
	}
	return n;
}

static uint32_t count_entries(const struct draft *d)
{
	uint32_t n = d->n_interfaces;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		n += d->interfaces[i].n_addresses;
		for (const struct said_route *r = d->interfaces[i].routes; r; r = r->next)
			n++;
		for (const struct said_route6 *r = d->interfaces[i].routes6; r; r = r->next)
			n++; // those of build_six() follow
	}
	return n;
}

static int build_routes(struct draft *d)
{
	struct conf *c = d->c;
	uint32_t most = count_entries(d);
	struct prefix_value *entries = draft_alloc(d, most, sizeof *entries);

	c->next_hops = calloc(most, sizeof *c->next_hops);
	if (!entries || !c->next_hops)
		return -ENOMEM;
	for (uint16_t i = 0; i < c->n_interfaces; i++)
		c->next_hops[c->n_next_hops++] = (struct conf_next_hop){.iface = i};
	for (uint16_t realm = 0; realm < c->n_realms; realm++) {
		uint32_t n = collect_realm(d, (uint8_t)realm, entries);
		int error = prefix_table_create(&c->routes[realm], entries, n);
		if (error)
			return error;
	}
	return 0;
}

int build_interfaces(struct draft *d)
{
	d->c->n_interfaces = d->n_interfaces;
	if (build_ports(d) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->n_interfaces; i++)
		build_interface(d, i);
	build_realms(d->c, d->previous);
	return build_routes(d);
}
