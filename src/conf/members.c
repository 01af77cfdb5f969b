// SPDX-License-Identifier: Apache-2.0
// `members` of a port: the devices that net_bonding makes one of.
#include "draft.h"
#include "leaf.h"

#define BONDING "net_bonding"

static bool is_bonding(const char *device)
{
	return !strncmp(device, BONDING, strlen(BONDING));
}

static const struct node *first_member(const struct said_interface *s)
{
	return s->members_at && s->members_at->kind == NODE_LIST ? s->members_at->first : NULL;
}

static bool clash(const char *a, const char *b)
{
	return same_device(a, b) || same_kernel_interface(a, b);
}

// The port that has this member's device already: as its own, or as a member further up.
static const struct node *find_user(const struct draft *d, const struct node *member)
{
	const struct node *user = NULL;
	bool before = true;

	for (uint32_t i = 0; i < d->n_interfaces && !user; i++) {
		const struct said_interface *s = &d->interfaces[i];
		if (s->device[0] && clash(s->device, member->text))
			user = s->at;
		for (const struct node *m = first_member(s); m && before && !user; m = m->next) {
			before = m != member;
			if (before && m->kind == NODE_SCALAR && clash(m->text, member->text))
				user = s->at;
		}
	}
	return user;
}

static void check_member(struct draft *d, const struct node *at)
{
	char place[PLACE_TEXT];

	if (at->kind != NODE_SCALAR || !leaf_is_device(at->text) || is_bonding(at->text)) {
		complain(&d->critic, at, "a device such as 0000:3b:00.1, no " BONDING);
		return;
	}
	const struct node *user = find_user(d, at);
	if (user)
		complain(&d->critic, at, "a device of its own: %s has this one",
			node_place(user, place));
}

static void check_bonding(struct draft *d, const struct said_interface *s)
{
	const char *wanted = "a list of devices such as [\"0000:3b:00.0\", \"0000:3b:00.1\"]";

	if (!s->members_at || s->members_at->kind == NODE_NULL) {
		complain_found(&d->critic, s->device_at, "no members", "members: %s", wanted);
		return;
	}
	if (!field_list(d, s->members_at, CONF_MAX_MEMBERS, wanted))
		return;
	if (!first_member(s))
		complain_found(&d->critic, s->members_at, "an empty list", "%s", wanted);
	for (const struct node *m = first_member(s); m; m = m->next)
		check_member(d, m);
}

void check_members(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_interfaces; i++) {
		const struct said_interface *s = &d->interfaces[i];

		if (is_bonding(s->device))
			check_bonding(d, s);
		else if (s->members_at)
			complain_name(&d->critic, s->members_at,
				"none: only a " BONDING " device has members");
	}
}

bool build_members(struct draft *d, const struct said_interface *s, struct conf_port *p)
{
	if (!first_member(s))
		return true;
	p->members = draft_keep(d, s->members_at->n, sizeof *p->members);
	for (const struct node *m = first_member(s); m && p->members; m = m->next) {
		struct conf_device *member = &p->members[p->n_members++];
		strcpy(member->device, m->text);
		member->pci = leaf_is_pci(m->text);
	}
	return p->members;
}
