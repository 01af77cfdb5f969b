// SPDX-License-Identifier: Apache-2.0
// Who owns what, asked for every packet.
#include "deal.h"

enum { // protocols of an IP header that have ports
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17
};

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

// Of a planned address the ports of a host are his worker's.
uint16_t deal_owner(const struct conf *c, const struct conf_external *e, uint16_t port)
{
	const struct conf_group *g = &c->groups[e->group];
	ip4 host;

	if (e->whole != CONF_CUT_ADDRESS)
		return e->whole;
	if (!e->planned)
		return e->owner[port / DEAL_PIECE];
	if (nat_plan_reverse(g->nat.plan, e->ip, port, &host) == NAT_PLAN_HOST)
		return conf_inside_owner(c, host);
	return e->owner[deal_piece(g, port)];
}

uint16_t conf_outside_owner(
	const struct conf *c, const struct conf_external *e, uint8_t protocol, uint16_t port)
{
	if (e->crossing) {
		const struct conf_static *s = find_static(c, e->ip, port, protocol);
		if (s)
			return s->owner;
	}
	return deal_owner(c, e, port);
}

// Those of an address that is cut meet anywhere, only all at the same worker: what an enemy would
// win by meeting elsewhere he can have by other identifications.
uint16_t conf_fragment_owner(
	const struct conf *c, const struct conf_external *e, ip4 remote, uint16_t id)
{
	if (e->whole != CONF_CUT_ADDRESS)
		return e->whole;
	uint64_t mixed =
		(uint64_t)(remote ^ (uint32_t)id << 16 ^ id) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint16_t)((mixed >> 32) * c->n_workers >> 32);
}

bool conf_passes(const struct conf_group *g, ip4 remote, uint8_t protocol, uint16_t port)
{
	for (uint32_t i = 0; i < g->n_pass; i++) {
		const struct conf_pass *p = &g->pass[i];
		bool any_port = p->port_first == 0 && p->port_last == UINT16_MAX;
		bool has_ports = protocol == IP_PROTOCOL_UDP || protocol == IP_PROTOCOL_TCP;
		if (!prefix4_has(p->to, remote) || (p->protocol && p->protocol != protocol))
			continue;
		if (any_port || (has_ports && port >= p->port_first && port <= p->port_last))
			return true;
	}
	return false;
}

// ---- IPv6 ------------------------------------------------------------------------------------

static int compare_masked(const struct prefix6 *p, ip6 a)
{
	return prefix6_has(p, a) ? 0 : memcmp(p->base.b, a.b, sizeof a.b);
}

// One past the last route of the same length as the one at `first`.
static uint32_t end_of_length(const struct conf *c, uint32_t first)
{
	uint32_t low = first, high = c->n_routes6;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (c->routes6[middle].to.bits == c->routes6[first].to.bits)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// Prefixes of one length that do not have the address are before or behind it as a whole.
uint32_t conf_route6(const struct conf *c, ip6 destination)
{
	for (uint32_t first = 0, end; first < c->n_routes6; first = end) {
		uint32_t low = first, high = end = end_of_length(c, first);
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			int order = compare_masked(&c->routes6[middle].to, destination);
			if (order == 0)
				return c->routes6[middle].next_hop;
			if (order < 0)
				low = middle + 1;
			else
				high = middle;
		}
	}
	return PREFIX_NONE;
}

int conf_find_local6(const struct conf *c, ip6 address)
{
	for (int i = 0; i < c->n_interfaces; i++) {
		const struct conf_interface *f = &c->interfaces[i];
		for (uint32_t j = 0; j < f->n_addresses6; j++) {
			if (ip6_eq(f->addresses6[j].ip, address))
				return i;
		}
	}
	return -1;
}

// ---- interfaces and shares -------------------------------------------------------------------

int conf_find_interface(const struct conf *c, uint16_t port, uint16_t vlan)
{
	for (int i = 0; i < c->n_interfaces; i++) {
		if (c->interfaces[i].port == port && c->interfaces[i].vlan == vlan)
			return i;
	}
	return -1;
}

// The run of pieces that worker w has of the ports first..last.
static bool find_run(const struct conf_external *e, const struct conf_group *g, uint16_t w,
	uint32_t first, uint32_t last, uint16_t *run_first, uint16_t *run_last)
{
	uint32_t low = deal_piece(g, first), high = deal_piece(g, last);

	while (low <= high && e->owner[low] != w)
		low++;
	while (high > low && e->owner[high] != w)
		high--;
	if (first > last || low > high)
		return false;
	*run_first = (uint16_t)max_u32(deal_piece_start(g, low), first);
	*run_last =
		(uint16_t)(high + 1 < CONF_CUT ? min_u32(deal_piece_start(g, high + 1) - 1, last)
					       : last);
	return true;
}

// Of a whole address the whole range; of one that is cut what lies in pieces apart.
static void find_explicit(const struct conf_external *e, const struct conf_group *g, uint16_t w,
	struct nat_address *share)
{
	struct deal_pieces apart = deal_explicit_pieces(g);
	uint32_t first = g->nat.explicit_first, last = g->nat.explicit_last;

	if (e->whole == CONF_CUT_ADDRESS) {
		if (apart.n == 0)
			return;
		first = max_u32(first, apart.first * DEAL_PIECE);
		last = min_u32(last, (apart.first + apart.n) * DEAL_PIECE - 1);
	}
	if (first > 0)
		(void)find_run(e, g, w, first, last, &share->explicit_first, &share->explicit_last);
}

bool conf_external_share(const struct conf *c, uint32_t i, uint16_t w, struct nat_address *share)
{
	const struct conf_external *e = &c->external[i];
	const struct conf_group *g = &c->groups[e->group];
	uint16_t none = (uint16_t)min_u32(deal_first(g), UINT16_MAX);
	bool dynamic;

	*share = (struct nat_address){.ip = e->ip,
		.group = e->group,
		.port_first = none, // behind the ports of a plan's hosts
		.port_last = none - 1,
		.port_set_size = g->nat.port_set_size,
		.planned = e->planned};
	dynamic = find_run(
		e, g, w, deal_first(g), g->port_last, &share->port_first, &share->port_last);
	find_explicit(e, g, w, share);
	return dynamic || share->explicit_first > 0 || e->planned;
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
	l.mappings_reserved = portion(l.mappings_reserved, c->n_workers);
	l.sessions = portion(l.sessions, c->n_workers);
	l.resting = portion(l.resting, c->n_workers);
	l.leases = portion(l.leases, c->n_workers);
	l.lease_details = portion(l.lease_details, c->n_workers);
	l.filters = portion(l.filters, c->n_workers);
	l.descriptions = portion(l.descriptions, c->n_workers);
	l.subscribers = portion(l.subscribers, c->n_workers);
	return l;
}

uint32_t conf_shard_clients(const struct conf *c)
{
	return portion(c->pcp_clients, c->n_workers);
}

const struct conf_neighbour *conf_find_neighbour(const struct conf_interface *iface, ip6 ip)
{
	uint32_t low = 0, high = iface->n_neighbours;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct conf_neighbour *n = &iface->neighbours[middle];
		int order = memcmp(n->ip.b, ip.b, sizeof ip.b);
		if (order == 0)
			return n;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
