// SPDX-License-Identifier: Apache-2.0
// Who owns what, asked for every packet.
#include "deal.h"

static const struct conf_static *find_static(
	const struct conf *c, ip4 ip, uint16_t port, uint8_t protocol)
{
	uint64_t wanted = (uint64_t)ip << 24 | (uint64_t)port << 8 | protocol;
	uint32_t low = 0, high = c->n_statics;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct conf_static *s = &c->statics[middle];
		uint64_t key = (uint64_t)s->external.addr << 24 | (uint64_t)s->external.port << 8 |
			       s->key.protocol;
		if (key == wanted)
			return s;
		if (key < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint16_t conf_outside_owner(
	const struct conf *c, const struct conf_external *e, uint8_t protocol, uint16_t port)
{
	if (e->crossing) {
		const struct conf_static *s = find_static(c, e->ip, port, protocol);
		if (s)
			return s->owner;
	}
	return e->whole != CONF_CUT_ADDRESS ? e->whole : e->owner[port / DEAL_PIECE];
}

int conf_find_interface(const struct conf *c, uint16_t port, uint16_t vlan)
{
	for (int i = 0; i < c->n_interfaces; i++) {
		if (c->interfaces[i].port == port && c->interfaces[i].vlan == vlan)
			return i;
	}
	return -1;
}

bool conf_external_share(const struct conf *c, uint32_t i, uint16_t w, struct nat_address *share)
{
	const struct conf_external *e = &c->external[i];
	const struct conf_group *g = &c->groups[e->group];
	uint32_t first = 0, last = CONF_CUT - 1;

	while (first <= last && e->owner[first] != w)
		first++;
	while (last > first && e->owner[last] != w)
		last--;
	if (first > last)
		return false;
	first = max_u32(first * DEAL_PIECE, g->port_first);
	last = min_u32(last * DEAL_PIECE + DEAL_PIECE - 1, g->port_last);
	if (first > last)
		return false;
	*share = (struct nat_address){.ip = e->ip,
		.group = e->group,
		.port_first = (uint16_t)first,
		.port_last = (uint16_t)last,
		.port_set_size = g->nat.port_set_size};
	return true;
}

// Rounded up, and an eighth more.
static uint32_t portion(uint32_t all, uint32_t n_workers)
{
	uint64_t fair = (all + (uint64_t)n_workers - 1) / n_workers;

	if (n_workers == 1)
		return all;
	return (uint32_t)(fair + (fair + 7) / 8);
}

struct nat_limits conf_shard_limits(const struct conf *c)
{
	struct nat_limits l = c->limits;

	l.mappings = portion(l.mappings, c->n_workers);
	l.leases = portion(l.leases, c->n_workers);
	l.filters = portion(l.filters, c->n_workers);
	l.descriptions = portion(l.descriptions, c->n_workers);
	l.subscribers = portion(l.subscribers, c->n_workers);
	return l;
}

uint32_t conf_shard_clients(const struct conf *c)
{
	return portion(c->pcp_clients, c->n_workers);
}
