// SPDX-License-Identifier: Apache-2.0
// What only a restart can change. The snapshots are compared, not their texts, so a leaf that was
// left out and one that says its default are the same.
#include <stdio.h>

#include "deal.h"
#include "tree.h"

struct comparison {
	const struct conf *old, *new;
	const struct node *root; // of new's text; NULL: places cannot be told
	struct critic critic;
};

static void compare_numbers(struct comparison *k, const char *path, uint32_t old, uint32_t new)
{
	char found[16];

	if (old == new)
		return;
	snprintf(found, sizeof found, "%u", new);
	complain_path(&k->critic, k->root, path, found, "%u until a restart", old);
}

static void compare_texts(struct comparison *k, const char *path, const char *old, const char *new)
{
	if (strcmp(old, new) != 0)
		complain_path(&k->critic, k->root, path, new, "%s until a restart", old);
}

static void compare_workers(struct comparison *k)
{
	const struct conf *old = k->old, *new = k->new;

	compare_numbers(k, "workers", old->n_workers, new->n_workers);
	if (old->n_workers == new->n_workers &&
		memcmp(old->lcores, new->lcores, sizeof old->lcores) != 0)
		complain_path(&k->critic, k->root, "lcores", "other CPUs",
			"those in use until a restart");
	if (old->idle != new->idle)
		complain_path(&k->critic, k->root, "idle",
			new->idle == CONF_IDLE_SLEEP ? "sleep" : "poll", "%s until a restart",
			old->idle == CONF_IDLE_SLEEP ? "sleep" : "poll");
	if (old->require_huge_pages != new->require_huge_pages)
		complain_path(&k->critic, k->root, "require-huge-pages",
			new->require_huge_pages ? "true" : "false", "%s until a restart",
			old->require_huge_pages ? "true" : "false");
	compare_texts(k, "control.socket", old->control_socket, new->control_socket);
}

// A limit that is not said and follows from another, which has changed, is no leaf to name.
static void compare_derived(
	struct comparison *k, const char *path, uint32_t old, uint32_t new, bool follows)
{
	if (!follows || (k->root && tree_find(k->root, path)))
		compare_numbers(k, path, old, new);
}

static void compare_limits(struct comparison *k)
{
	const struct nat_limits *old = &k->old->limits, *new = &k->new->limits;
	bool mappings = old->mappings != new->mappings, leases = old->leases != new->leases,
	     subscribers = old->subscribers != new->subscribers;

	compare_numbers(k, "limits.mappings", old->mappings, new->mappings);
	compare_derived(k, "limits.mappings-reserved", old->mappings_reserved,
		new->mappings_reserved, mappings);
	compare_derived(k, "limits.sessions", old->sessions, new->sessions, mappings);
	compare_numbers(k, "limits.hold-down-max", old->resting, new->resting);
	compare_numbers(k, "limits.fragments-limit", k->old->fragments, k->new->fragments);
	compare_numbers(k, "limits.max-stored-syn", k->old->syns, k->new->syns);
	compare_numbers(k, "limits.leases", old->leases, new->leases);
	compare_derived(k, "limits.lease-details", old->lease_details, new->lease_details, leases);
	compare_derived(k, "limits.filters", old->filters, new->filters, leases);
	compare_derived(k, "limits.descriptions", old->descriptions, new->descriptions, leases);
	compare_numbers(k, "limits.subscribers", old->subscribers, new->subscribers);
	compare_derived(
		k, "limits.pcp-clients", k->old->pcp_clients, k->new->pcp_clients, subscribers);
	compare_numbers(k, "limits.external-addresses", old->addresses, new->addresses);
	compare_numbers(k, "limits.neighbours", k->old->max_neighbours, k->new->max_neighbours);
}

// ---- ports -----------------------------------------------------------------------------------

static const struct conf_interface *find_interface(const struct conf *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_interfaces; i++) {
		if (!strcmp(c->interfaces[i].name, name))
			return &c->interfaces[i];
	}
	return NULL;
}

static bool has_same_members(const struct conf_port *a, const struct conf_port *b)
{
	for (uint16_t i = 0; a->n_members == b->n_members && i < a->n_members; i++) {
		if (strcmp(a->members[i].device, b->members[i].device) != 0)
			return false;
	}
	return a->n_members == b->n_members;
}

static void compare_members(
	struct comparison *k, const struct conf_port *old, const struct conf_port *new)
{
	char path[CONF_NAME + 20];

	snprintf(path, sizeof path, "ports.%s.members", new->name);
	if (!has_same_members(old, new))
		complain_path(
			&k->critic, k->root, path, "other devices", "those in use until a restart");
}

static void compare_interface(
	struct comparison *k, const struct conf_interface *old, const struct conf_interface *new)
{
	const struct conf_port *was = &k->old->ports[old->port], *is = &k->new->ports[new->port];
	static const char *const sides[] = {"inside", "outside"};
	char path[CONF_NAME + 20];

	snprintf(path, sizeof path, "ports.%s.vlan", new->name);
	compare_numbers(k, path, old->vlan, new->vlan);
	snprintf(path, sizeof path, "ports.%s.side", new->name);
	compare_texts(k, path, sides[old->side], sides[new->side]);
	if (new->vlan == 0 && old->vlan == 0) {
		snprintf(path, sizeof path, "ports.%s.device", new->name);
		compare_texts(k, path, was->device, is->device);
		compare_members(k, was, is);
	} else if (new->vlan != 0 && old->vlan != 0) {
		snprintf(path, sizeof path, "ports.%s.parent", new->name);
		compare_texts(k, path, was->name, is->name);
	}
}

static void compare_ports(struct comparison *k)
{
	char text[CONF_NAME + 20];

	for (uint32_t i = 0; i < k->new->n_interfaces; i++) {
		const struct conf_interface *new = &k->new->interfaces[i];
		const struct conf_interface *old = find_interface(k->old, new->name);
		if (old) {
			compare_interface(k, old, new);
			continue;
		}
		snprintf(text, sizeof text, "ports.%s", new->name);
		complain_path(
			&k->critic, k->root, text, "a new port", "no new port until a restart");
	}
	for (uint32_t i = 0; i < k->old->n_interfaces; i++) {
		const char *name = k->old->interfaces[i].name;
		if (find_interface(k->new, name))
			continue;
		snprintf(text, sizeof text, "no port %s", name);
		complain_path(
			&k->critic, k->root, "ports", text, "the port %s until a restart", name);
	}
}

// ---- groups ----------------------------------------------------------------------------------

struct stay {       // what became of a group's addresses
	bool some;  // some address is in both snapshots
	bool moved; // and one of them changed its worker
};

static struct stay look_at_addresses(const struct comparison *k, uint8_t group)
{
	struct stay stay = {false, false};

	for (uint32_t i = 0; i < k->new->n_external; i++) {
		const struct conf_external *new = &k->new->external[i];
		if (new->group != group)
			continue;
		const struct conf_external *old = deal_find_external(k->old, new->ip);
		if (!old || old->group != group)
			continue;
		stay.some = true;
		stay.moved |= memcmp(old->owner, new->owner, sizeof old->owner) != 0;
	}
	return stay;
}

static bool has_same_prefixes(const struct nat_plan *a, const struct nat_plan *b)
{
	for (uint32_t i = 0; a->n_inside == b->n_inside && i < a->n_inside; i++) {
		if (a->inside[i].base != b->inside[i].base ||
			a->inside[i].bits != b->inside[i].bits)
			return false;
	}
	return a->n_inside == b->n_inside;
}

static bool has_same_pool(const struct nat_plan *a, const struct nat_plan *b)
{
	return a->n_external == b->n_external &&
	       !memcmp(a->external, b->external, a->n_external * sizeof *a->external);
}

static const char *allocation(const struct conf_group *g)
{
	return g->nat.plan ? "deterministic" : "port-range-allocation";
}

// Whose a port is follows from the plan: another one would give the ports of living mappings to
// other hosts.
static void compare_plans(
	struct comparison *k, const struct conf_group *old, const struct conf_group *new)
{
	const struct nat_plan *was = old->nat.plan, *is = new->nat.plan;
	uint32_t before = k->critic.n;
	char path[CONF_NAME + 60];

	snprintf(path, sizeof path, "nat-groups.%s.port-allocation-type", new->name);
	compare_texts(k, path, allocation(old), allocation(new));
	if (!was || !is)
		return;
	snprintf(path, sizeof path, "nat-groups.%s.port-set-size", new->name);
	compare_numbers(k, path, was->port_set_size, is->port_set_size);
	snprintf(path, sizeof path, "nat-groups.%s.port-range", new->name);
	if (was->port_first != is->port_first || was->port_last != is->port_last)
		complain_path(&k->critic, k->root, path, "other ports",
			"%u to %u, as the plan has them, until a restart", was->port_first,
			was->port_last);
	snprintf(path, sizeof path, "nat-groups.%s.subscribers", new->name);
	if (!has_same_prefixes(was, is))
		complain_path(&k->critic, k->root, path, "other hosts",
			"those of the plan in their order, until a restart");
	snprintf(path, sizeof path, "nat-groups.%s.external-address-pool", new->name);
	if (!has_same_pool(was, is))
		complain_path(&k->critic, k->root, path, "other addresses",
			"those of the plan until a restart");
	snprintf(path, sizeof path, "nat-groups.%s.deterministic.ports-per-subscriber", new->name);
	if (k->critic.n == before) // else it follows from those
		compare_numbers(k, path, was->ports_per_host, is->ports_per_host);
}

// The leaf that made the deal another one.
static void complain_moved(
	struct comparison *k, const struct conf_group *old, const struct conf_group *new)
{
	const struct nat_policy *was = &old->nat, *is = &new->nat;
	char path[CONF_NAME + 50];

	snprintf(path, sizeof path, "nat-groups.%s.port-forwarding-range", new->name);
	if (was->explicit_first != is->explicit_first || was->explicit_last != is->explicit_last) {
		complain_path(&k->critic, k->root, path, "a range that is dealt among workers",
			"ports %u to %u until a restart", was->explicit_first, was->explicit_last);
		return;
	}
	snprintf(path, sizeof path, "nat-groups.%s.port-range", new->name);
	if (is->explicit_first &&
		(old->port_first != new->port_first || old->port_last != new->port_last)) {
		complain_path(&k->critic, k->root, path,
			"a range that changes the deal of port-forwarding-range",
			"ports %u to %u until a restart", old->port_first, old->port_last);
		return;
	}
	snprintf(path, sizeof path, "nat-groups.%s.external-address-pool", new->name);
	complain_path(&k->critic, k->root, path, "a pool that leaves a worker without a share",
		"one that needs no new deal of the addresses that stay, until a restart");
}

static void compare_known_group(struct comparison *k, const struct conf_group *new)
{
	const struct conf_group *old = &k->old->groups[new->id];
	struct stay stay = look_at_addresses(k, new->id);
	char path[CONF_NAME + 50];

	if (old->nat.plan || new->nat.plan) {
		compare_plans(k, old, new);
		return;
	}
	snprintf(path, sizeof path, "nat-groups.%s.port-set-size", new->name);
	if (stay.some)
		compare_numbers(k, path, old->nat.port_set_size, new->nat.port_set_size);
	if (stay.moved && k->old->n_workers == k->new->n_workers)
		complain_moved(k, old, new);
}

static void compare_groups(struct comparison *k)
{
	for (uint32_t i = 0; i < k->new->n_groups; i++) {
		const struct conf_group *new = &k->new->groups[i], *old = &k->old->groups[i];
		char path[CONF_NAME + 50], found[16];
		if (!new->used)
			continue;
		uint32_t before = k->critic.n;
		if (old->used && !strcmp(old->name, new->name))
			compare_known_group(k, new);
		if (new->nat.port_set_size >= k->old->limits.port_set_min || k->critic.n > before)
			continue;
		snprintf(path, sizeof path, "nat-groups.%s.port-set-size", new->name);
		snprintf(found, sizeof found, "%u", new->nat.port_set_size);
		complain_path(&k->critic, k->root, path, found, "at least %u until a restart",
			k->old->limits.port_set_min);
	}
}

uint32_t conf_restart_leaves(
	const struct conf *old, const struct conf *new, struct conf_complaints *complaints)
{
	struct conf_complaints unheard = {.file = NULL};
	struct critic deaf = {.out = &unheard};
	struct arena arena = {NULL};
	struct node *root = NULL;
	struct comparison k = {.old = old, .new = new, .critic = {.out = complaints}};

	if (tree_read(&deaf, &arena, new->text, strlen(new->text), &root))
		k.root = root;
	compare_workers(&k);
	compare_limits(&k);
	compare_ports(&k);
	compare_groups(&k);
	critic_finish(&k.critic);
	arena_free(&arena);
	conf_complaints_destroy(&unheard);
	// A leaf that could not even be written down must not pass for none.
	return k.critic.no_memory ? max_u32(k.critic.n, 1) : k.critic.n;
}
