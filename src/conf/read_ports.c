// SPDX-License-Identifier: Apache-2.0
// `ports`: devices, the VLANs on them, their addresses.
#include <stdio.h>

#include "draft.h"
#include "leaf.h"

enum {
	MTU_LEAST = 576, // RFC 791: what every host must accept
	MTU_MOST = 9216
};

static void read_device(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_interface *s = out;

	(void)f;
	s->device_at = at;
	if (at->kind == NODE_SCALAR && leaf_is_device(at->text))
		strcpy(s->device, at->text);
	else
		complain(&d->critic, at, "a device such as net_tap0,iface=x or 0000:3b:00.1");
}

static void read_vlan(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_interface *s = out;

	s->vlan_at = at;
	read_u32_count(d, at, f, &s->vlan);
}

static void read_mtu(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_interface *s = out;

	s->mtu_at = at;
	read_u32_count(d, at, f, &s->mtu);
}

static void read_side(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {[CONF_INSIDE] = "inside", [CONF_OUTSIDE] = "outside"};
	struct said_interface *s = out;
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	s->side_known = i < ARRAY_SIZE(words);
	s->side = (uint8_t)(s->side_known ? i : 0);
}

// ---- addresses -------------------------------------------------------------------------------

bool address_is_on_link(struct conf_address a, ip4 ip)
{
	ip4 mask = prefix4_mask(a.bits);

	if ((a.ip ^ ip) & mask)
		return false;
	if (a.bits >= 31)
		return true; // RFC 3021: both are hosts
	return (ip & ~mask) != 0 && (ip & ~mask) != ~mask;
}

static bool has_room(
	struct draft *d, const struct node *at, uint32_t n, uint32_t most, const char *what)
{
	if (n < most)
		return true;
	complain(&d->critic, at, "at most %u %s addresses", most, what);
	return false;
}

static bool read_address4(struct draft *d, const struct node *at, struct said_interface *s)
{
	struct prefix4 subnet;
	struct conf_address a;
	ip4 ip;

	if (at->kind != NODE_SCALAR || !prefix4_parse(at->text, &subnet, &ip) ||
		!strchr(at->text, '/')) {
		complain(&d->critic, at, "an address with its subnet's length: 192.0.2.1/24");
		return false;
	}
	a = (struct conf_address){.ip = ip, .bits = subnet.bits};
	if (!leaf_is_host(ip) || subnet.bits == 0 || !address_is_on_link(a, ip)) {
		complain(&d->critic, at,
			"a host's address (not the subnet's own, broadcast, loopback, multicast)");
		return false;
	}
	if (!has_room(d, at, s->n_addresses, CONF_MAX_ADDRESSES, "IPv4"))
		return false;
	s->addresses[s->n_addresses++] = (struct said_address){.address = a, .at = at};
	return true;
}

// Link-local ones are not said: each port has the one that its MAC makes.
static bool read_address6(struct draft *d, const struct node *at, struct said_interface *s)
{
	struct prefix6 subnet;
	ip6 ip;

	if (!prefix6_parse(at->text, &subnet, &ip) || !strchr(at->text, '/')) {
		complain(&d->critic, at, "an address with its subnet's length: 2001:db8::1/64");
		return false;
	}
	if (!leaf_is_host6(ip) || leaf_is_link_local6(ip) || subnet.bits == 0 ||
		(subnet.bits < 127 && ip6_eq(ip, subnet.base))) {
		complain(&d->critic, at,
			"a host's address (not the subnet's own, link-local, multicast)");
		return false;
	}
	if (!has_room(d, at, s->n_addresses6, CONF_MAX_ADDRESSES6, "IPv6"))
		return false;
	s->addresses6[s->n_addresses6++] =
		(struct said_address6){.ip = ip, .subnet = subnet, .at = at};
	return true;
}

static void read_address(struct draft *d, const struct node *at, struct said_interface *s)
{
	bool six = at->kind == NODE_SCALAR && strchr(at->text, ':');

	s->unsure |= !(six ? read_address6(d, at, s) : read_address4(d, at, s));
}

static void read_addresses(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_interface *s = out;

	(void)f;
	s->addresses_at = at;
	if (!field_list(d, at, CONF_MAX_ADDRESSES + CONF_MAX_ADDRESSES6,
		    "a list of addresses such as [192.0.2.1/24]")) {
		s->unsure = true;
		return;
	}
	for (const struct node *item = at->first; item; item = item->next)
		read_address(d, item, s);
}

// ---- one port, all ports ---------------------------------------------------------------------

static void guess_side(struct said_interface *s)
{
	if (!strncmp(s->name, "inside", 6))
		s->side = CONF_INSIDE;
	else if (!strncmp(s->name, "outside", 7))
		s->side = CONF_OUTSIDE;
	else
		return;
	s->side_known = true;
}

static void read_port(struct draft *d, const struct node *at)
{
	static const struct field fields[] = {
		{"device", read_device, 0, 0, 0},
		{"members", read_node, offsetof(struct said_interface, members_at), 0, 0},
		{"parent", read_node, offsetof(struct said_interface, parent_at), 0, 0},
		{"vlan", read_vlan, 0, 1, 4094},
		{"side", read_side, 0, 0, 0},
		{"addresses", read_addresses, 0, 0, 0},
		{"mtu", read_mtu, 0, MTU_LEAST, MTU_MOST},
		{"gateway", read_gateway, 0, 0, 0},
		{"gateway6", read_gateway6, 0, 0, 0},
		{"routes", read_routes, 0, 0, 0},
		{"static-neighbours", read_static_neighbours, 0, 0, 0},
		{"icmp-errors", read_bool, offsetof(struct said_interface, icmp_errors), 0, 0},
	};
	struct said_interface *s = &d->interfaces[d->n_interfaces];

	if (!leaf_is_name(at->name)) {
		complain_name(&d->critic, at, "a name of 1 to %u letters, digits, - and _",
			CONF_NAME - 1);
		return;
	}
	int before = draft_find_interface(d, at->name);
	if (before >= 0) {
		complain_name(&d->critic, at, "the name once: it stands in line %u already",
			d->interfaces[before].at->name_line);
		return;
	}
	*s = (struct said_interface){
		.at = at, .order = d->n_interfaces++, .parent = -1, .icmp_errors = true};
	strcpy(s->name, at->name);
	guess_side(s);
	fields_read(d, at, fields, ARRAY_SIZE(fields), s);
	if (!s->side_known && node_is_map(at) && !tree_find(at, "side"))
		complain_found(&d->critic, at, "no side",
			"side: inside or side: outside (only inside* and outside* say it by name)");
}

int draft_find_interface(const struct draft *d, const char *name)
{
	for (int i = 0; i < d->n_interfaces; i++) {
		if (!strcmp(d->interfaces[i].name, name))
			return i;
	}
	return -1;
}

void read_ports(struct draft *d, const struct node *at)
{
	char found[32];

	if (at->kind != NODE_MAP) {
		if (at->kind != NODE_NULL)
			complain(&d->critic, at, "a mapping of names to ports");
		return;
	}
	if (at->n > CONF_MAX_INTERFACES) {
		snprintf(found, sizeof found, "%u ports", at->n);
		complain_found(&d->critic, at, found, "at most %u", CONF_MAX_INTERFACES);
		return;
	}
	for (const struct node *port = at->first; port; port = port->next)
		read_port(d, port);
}
