// SPDX-License-Identifier: Apache-2.0
// `static-neighbours` of a port: stations that do not answer ARP or ND, or shall not be asked.
#include <errno.h>
#include <stdlib.h>

#include "draft.h"
#include "leaf.h"

// ---- reading ---------------------------------------------------------------------------------

static void read_address(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_neighbour *n = out;
	ip4 ip;

	(void)f;
	if (at->kind == NODE_SCALAR && ip4_parse(at->text, &ip) && leaf_is_host(ip)) {
		n->ip = ip6_mapped(ip);
		n->ip_at = at;
	} else if (at->kind == NODE_SCALAR && ip6_parse(at->text, &n->ip) && leaf_is_host6(n->ip)) {
		n->ip_at = at;
	} else {
		complain(&d->critic, at, "a host's address such as 192.0.2.9 or 2001:db8::9");
	}
}

static bool is_station(const uint8_t mac[6])
{
	static const uint8_t nobody[6];

	return !(mac[0] & 1) && memcmp(mac, nobody, sizeof nobody) != 0;
}

static void read_mac(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_neighbour *n = out;

	(void)f;
	n->mac_at = at;
	if (at->kind != NODE_SCALAR || !leaf_mac(at->text, n->mac) || !is_station(n->mac))
		complain(&d->critic, at,
			"the MAC of one station (no group, not zero) such as 02:00:00:00:00:0a");
}

static void read_neighbour(struct draft *d, const struct node *at, struct said_interface *s)
{
	static const struct field fields[] = {
		{"address", read_address, 0, 0, 0},
		{"mac", read_mac, 0, 0, 0},
	};
	struct said_neighbour n = {.ip_at = NULL};
	uint32_t before = d->critic.n;

	fields_read(d, at, fields, ARRAY_SIZE(fields), &n);
	if (d->critic.n == before && (!n.ip_at || !n.mac_at))
		complain_found(&d->critic, at, n.ip_at ? "no mac" : "no address",
			"a neighbour such as {address: 192.0.2.9, mac: 02:00:00:00:00:0a}");
	if (n.ip_at)
		s->neighbours[s->n_neighbours++] = n;
}

void read_static_neighbours(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_interface *s = out;

	(void)f;
	if (!field_list(d, at, CONF_MAX_NEIGHBOURS,
		    "a list of neighbours such as {address: ..., mac: ...}"))
		return;
	s->neighbours_at = at;
	s->neighbours = draft_alloc(d, at->n, sizeof *s->neighbours);
	for (const struct node *item = at->first; item && s->neighbours; item = item->next)
		read_neighbour(d, item, s);
}

// ---- checking --------------------------------------------------------------------------------

static bool is_on_link(const struct said_interface *s, ip6 ip)
{
	bool on_link = leaf_is_link_local6(ip) && s->n_addresses6 > 0;

	for (uint32_t i = 0; ip6_is_mapped(ip) && i < s->n_addresses; i++)
		on_link |= address_is_on_link(s->addresses[i].address, ip6_to_ip4(ip));
	for (uint32_t i = 0; !ip6_is_mapped(ip) && i < s->n_addresses6; i++)
		on_link |= prefix6_has(&s->addresses6[i].subnet, ip);
	return on_link;
}

static const struct node *find_address(const struct said_interface *s, ip6 ip)
{
	for (uint32_t i = 0; i < s->n_addresses; i++) {
		if (ip6_eq(ip6_mapped(s->addresses[i].address.ip), ip))
			return s->addresses[i].at;
	}
	for (uint32_t i = 0; i < s->n_addresses6; i++) {
		if (ip6_eq(s->addresses6[i].ip, ip))
			return s->addresses6[i].at;
	}
	return NULL;
}

// Of the ports: an outside address, and one of IPv6, is ours in every realm.
static const struct node *find_own(const struct draft *d, const struct said_interface *s, ip6 ip)
{
	const struct node *own = NULL;

	for (uint32_t i = 0; i < d->n_interfaces && !own; i++) {
		const struct said_interface *o = &d->interfaces[i];
		if (o == s || o->side == CONF_OUTSIDE || !ip6_is_mapped(ip))
			own = find_address(o, ip);
	}
	return own;
}

// What we answer ARP for besides, as onlink_is_ours() has it: addresses of pools outside, listen
// addresses inside.
static const struct node *find_other_own(
	const struct draft *d, const struct said_interface *s, ip4 ip)
{
	for (uint32_t i = 0; s->side == CONF_OUTSIDE && i < d->n_ranges; i++) {
		if (d->ranges[i].first <= ip && ip <= d->ranges[i].last)
			return d->ranges[i].at;
	}
	for (uint32_t i = 0; s->side == CONF_INSIDE && i < d->n_groups; i++) {
		const struct said_group *g = &d->groups[i];
		for (uint32_t j = 0; j < g->g.n_listen; j++) {
			if (g->g.listen[j] == ip)
				return g->listen_at[j];
		}
	}
	return NULL;
}

static void check_neighbour(
	struct draft *d, const struct said_interface *s, const struct said_neighbour *n)
{
	bool six = !ip6_is_mapped(n->ip);
	const struct node *own = find_own(d, s, n->ip);
	char place[PLACE_TEXT];

	if (!own && !six)
		own = find_other_own(d, s, ip6_to_ip4(n->ip));
	if (own)
		complain(&d->critic, n->ip_at, "another host: this is %s", node_place(own, place));
	else if (!s->unsure && !is_on_link(s, n->ip))
		complain(&d->critic, n->ip_at, "a host in %s subnet of %s%s", six ? "an IPv6" : "a",
			s->name, six && s->n_addresses6 > 0 ? ", or a link-local one" : "");
}

static int compare_neighbours(const void *left, const void *right)
{
	const struct said_neighbour *a = left, *b = right;
	int order = memcmp(a->ip.b, b->ip.b, sizeof a->ip.b);

	if (order)
		return order;
	return node_before(a->ip_at, b->ip_at) ? -1 : 1;
}

static void check_port(struct draft *d, struct said_interface *s)
{
	char place[PLACE_TEXT];

	if (s->n_neighbours > 1)
		qsort(s->neighbours, s->n_neighbours, sizeof s->neighbours[0], compare_neighbours);
	for (uint32_t i = 0; i < s->n_neighbours; i++) {
		check_neighbour(d, s, &s->neighbours[i]);
		if (i > 0 && ip6_eq(s->neighbours[i - 1].ip, s->neighbours[i].ip))
			complain(&d->critic, s->neighbours[i].ip_at,
				"each address once: it is %s too",
				node_place(s->neighbours[i - 1].ip_at, place));
	}
}

// Half of the table: there is room for those of two snapshots while a reload replaces them, and
// otherwise for whom ARP finds.
static void check_room(struct draft *d)
{
	uint32_t n = 0, most = d->c->max_neighbours / 2;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];

		if (n <= most && n + s->n_neighbours > most)
			complain_found(&d->critic, s->neighbours_at, "too many neighbours",
				"at most %u on all ports, half of limits.neighbours", most);
		n += s->n_neighbours;
	}
}

void check_neighbours(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++)
		check_port(d, &d->interfaces[i]);
	check_room(d);
}

// ---- building --------------------------------------------------------------------------------

int build_neighbours(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		struct conf_interface *f = &d->c->interfaces[i];

		if (s->n_neighbours == 0)
			continue;
		f->neighbours = draft_keep(d, s->n_neighbours, sizeof *f->neighbours);
		if (!f->neighbours)
			return -ENOMEM;
		for (; f->n_neighbours < s->n_neighbours; f->n_neighbours++) {
			const struct said_neighbour *n = &s->neighbours[f->n_neighbours];
			struct conf_neighbour *to = &f->neighbours[f->n_neighbours];
			to->ip = n->ip;
			memcpy(to->mac, n->mac, sizeof to->mac);
		}
	}
	return 0;
}
