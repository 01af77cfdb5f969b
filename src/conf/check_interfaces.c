// SPDX-License-Identifier: Apache-2.0
// Whether the ports and VLANs fit together: parents, tags, addresses.
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "draft.h"
#include "leaf.h"

static void check_vlan(struct draft *d, struct said_interface *s, uint32_t self)
{
	char place[PLACE_TEXT];

	if (s->parent_at->kind == NODE_SCALAR)
		s->parent = draft_find_interface(d, s->parent_at->text);
	if (s->parent < 0 || s->parent == (int)self || d->interfaces[s->parent].parent_at) {
		s->parent = -1;
		complain(&d->critic, s->parent_at, "the name of a port that has a device");
		return;
	}
	for (uint32_t i = 0; i < self; i++) {
		const struct said_interface *o = &d->interfaces[i];
		if (s->vlan && o->parent == s->parent && o->vlan == s->vlan)
			complain(&d->critic, s->vlan_at,
				"another VLAN: %s has this one on that port",
				node_place(o->at, place));
	}
	const struct said_interface *parent = &d->interfaces[s->parent];
	if (s->mtu && parent->mtu && s->mtu > parent->mtu)
		complain(&d->critic, s->mtu_at, "at most the %u of its port", parent->mtu);
}

// Two entries for one device: the part before the arguments names it. A PCI address has four ways
// to be written: 0000:3b:00.1, 3b:00.1, and in capitals.
bool same_device(const char *a, const char *b)
{
	bool pci = leaf_is_pci(a) && leaf_is_pci(b);

	if (pci && !strncmp(a, "0000:", 5))
		a += 5;
	if (pci && !strncmp(b, "0000:", 5))
		b += 5;
	size_t len = strcspn(a, ",");
	return len == strcspn(b, ",") && (pci ? !strncasecmp(a, b, len) : !memcmp(a, b, len));
}

// The kernel interface a virtual device stands on, up to the next comma; NULL: none, or one of
// which several devices may have a part (AF_XDP: some queues each).
static const char *kernel_interface(const char *device)
{
	const char *at = strstr(device, ",iface=");

	return at && strncmp(device, "net_af_xdp", 10) ? at + strlen(",iface=") : NULL;
}

bool same_kernel_interface(const char *a, const char *b)
{
	const char *x = kernel_interface(a), *y = kernel_interface(b);

	return x && y && strcspn(x, ",") == strcspn(y, ",") && !memcmp(x, y, strcspn(x, ","));
}

static void check_port(struct draft *d, struct said_interface *s, uint32_t self)
{
	char place[PLACE_TEXT];

	if (s->vlan_at)
		complain_found(&d->critic, s->vlan_at, "a vlan without a parent",
			"parent: the name of the port that carries it");
	for (uint32_t i = 0; i < self && s->device[0]; i++) {
		const struct said_interface *o = &d->interfaces[i];
		if (o->device[0] && same_device(o->device, s->device))
			complain(&d->critic, s->device_at, "a device of its own: %s has this one",
				node_place(o->at, place));
		else if (same_kernel_interface(o->device, s->device))
			complain(&d->critic, s->device_at, "an iface of its own: %s has this one",
				node_place(o->at, place));
	}
}

static bool is_parent(const struct draft *d, uint32_t self)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		if (d->interfaces[i].parent == (int)self)
			return true;
	}
	return false;
}

static void check_kind(struct draft *d, struct said_interface *s, uint32_t self)
{
	if (!node_is_map(s->at))
		return;
	if (s->device_at && s->parent_at)
		complain_found(&d->critic, s->at, "both device and parent",
			"device for a port, parent and vlan for a VLAN of one");
	else if (!s->device_at && !s->parent_at)
		complain_found(&d->critic, s->at, "neither device nor parent",
			"device for a port, parent and vlan for a VLAN of one");
	else if (s->parent_at && !s->vlan_at)
		complain_found(&d->critic, s->at, "no vlan", "vlan: 1 to 4094");
	else if (s->parent_at)
		check_vlan(d, s, self);
	else
		check_port(d, s, self);
}

static void check_count(struct draft *d)
{
	uint32_t n_devices = 0;

	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		n_devices += (s->device_at != NULL) + (s->members_at ? s->members_at->n : 0);
		if (n_devices <= CONF_MAX_PORTS)
			continue;
		complain_found(&d->critic, d->interfaces[i].at, "one port more",
			"at most %u devices, members among them", CONF_MAX_PORTS);
		return;
	}
}

static void check_sides(struct draft *d)
{
	const struct node *at = d->ports_at ? d->ports_at : d->root;
	bool have[2] = {false, false};

	if (!node_is_map(at))
		return;
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		if (s->side_known)
			have[s->side] = true;
		else
			have[CONF_INSIDE] = have[CONF_OUTSIDE] = true;
	}
	if (!have[CONF_INSIDE])
		complain_found(&d->critic, at, "no inside port", "at least one under ports");
	if (!have[CONF_OUTSIDE])
		complain_found(&d->critic, at, "no outside port", "at least one under ports");
}

// ---- addresses of all interfaces among each other --------------------------------------------

struct placed {
	struct conf_address address;
	uint32_t iface;
	const struct node *at;
};

static int compare_placed(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;

	if (a->address.ip != b->address.ip)
		return a->address.ip < b->address.ip ? -1 : 1;
	return node_before(a->at, b->at) ? -1 : 1;
}

// Inside realms are apart from each other, but an outside address is ours in every realm.
static bool collide(const struct draft *d, const struct placed *a, const struct placed *b)
{
	const struct said_interface *x = &d->interfaces[a->iface], *y = &d->interfaces[b->iface];

	if (a->iface == b->iface)
		return true;
	return x->side_known && y->side_known &&
	       (x->side == CONF_OUTSIDE || y->side == CONF_OUTSIDE);
}

static void check_equal_addresses(struct draft *d, const struct placed *all, uint32_t n)
{
	char place[PLACE_TEXT];

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = i; j-- > 0 && all[j].address.ip == all[i].address.ip;) {
			if (!collide(d, &all[j], &all[i]))
				continue;
			complain(&d->critic, all[i].at, "an address of its own: it is %s too",
				node_place(all[j].at, place));
			break;
		}
	}
}

static void check_addresses(struct draft *d)
{
	struct placed *all =
		draft_alloc(d, (size_t)CONF_MAX_INTERFACES * CONF_MAX_ADDRESSES, sizeof *all);
	uint32_t n = 0;

	if (!all)
		return;
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];
		for (uint32_t j = 0; j < s->n_addresses; j++)
			all[n++] = (struct placed){s->addresses[j].address, i, s->addresses[j].at};
	}
	qsort(all, n, sizeof *all, compare_placed);
	check_equal_addresses(d, all, n);
}

static void check_has_address(struct draft *d, const struct said_interface *s, uint32_t self)
{
	if (s->n_addresses > 0 || s->n_addresses6 > 0 || s->unsure || is_parent(d, self) ||
		!node_is_map(s->at))
		return;
	complain_found(&d->critic, s->addresses_at ? s->addresses_at : s->at, "no addresses",
		"at least one (only a port with VLANs on it can do without)");
}

void check_interfaces(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++)
		check_kind(d, &d->interfaces[i], i);
	for (uint32_t i = 0; i < d->n_interfaces; i++)
		check_has_address(d, &d->interfaces[i], i);
	check_count(d);
	check_sides(d);
	check_addresses(d);
}
