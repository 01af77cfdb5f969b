// SPDX-License-Identifier: Apache-2.0
// What a mapping and a lease look like from outside of the room.
#include <postern/nat.h>

#include "tables.h"

static void slot_view(const struct nat *n, uint32_t slot, uint32_t now_s, struct nat_view *view)
{
	const struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	uint32_t left_s = 0;

	*view = (struct nat_view){.key = key,
		.external = ext_recipe(n, s->ext),
		.kind = s->hangs & HANGS_PEER ? NAT_PEER : NAT_IMPLICIT,
		.group = n->addresses[s->ext >> 16].group,
		.replied = entry_at(n, key.protocol, s->ext)->bits & EXT_REPLIED,
		.traffic = traffic_left(n, slot, now_s, &left_s),
		.n_ports = 1};
	view->idle_left_s = view->traffic ? left_s : 0;
}

static void extra_view(const struct nat *n, const struct lease *l, struct nat_view *view)
{
	const struct extra *x = lease_extra(n, l);

	view->client_realm = l->key.realm;
	if (x == NULL)
		return;
	view->client_realm = x->client_realm;
	view->n_ports = (uint16_t)lease_ports(n, l);
	view->n_filters = x->n_filters;
	view->text_length = text_length(n, x);
	view->remote = (struct recipe){x->remote_addr, x->remote_port};
}

void lease_view(
	const struct nat *n, uint32_t lease, uint32_t slot, uint32_t now_s, struct nat_view *view)
{
	const struct lease *l = &n->leases[lease];

	slot_view(n, slot, now_s, view);
	view->key = l->key;
	view->operators = l->flags & LEASE_OPERATORS;
	if (l->state == LEASE_STATIC) {
		view->kind = NAT_STATIC;
		return;
	}
	view->kind = l->state == LEASE_PEER ? NAT_PEER : NAT_EXPLICIT;
	view->external = ext_recipe(n, l->ext);
	view->lease_left_s = lease_left_s(l, now_s);
	memcpy(view->nonce, l->nonce, sizeof view->nonce);
	view->has_nonce = l->flags & LEASE_NONCE;
	view->client = l->client;
	view->client_port = l->client_port;
	view->dialect = l->dialect;
	view->third_party = l->flags & LEASE_THIRD_PARTY;
	view->exact = l->flags & LEASE_EXACT;
	view->moved = l->flags & LEASE_MOVED;
	extra_view(n, l, view);
}

void mapping_view(const struct nat *n, uint32_t slot, uint32_t now_s, struct nat_view *view)
{
	uint32_t lease = lease_shown(n, slot);

	if (lease != NO_LEASE)
		lease_view(n, lease, slot, now_s, view);
	else
		slot_view(n, slot, now_s, view);
	view->remote = (struct recipe){0, 0};
}

static void rest_view(const struct nat *n, uint32_t lease, uint32_t now_s, struct nat_view *view)
{
	const struct lease *l = &n->leases[lease];

	view->kind = NAT_RESTING;
	view->external = ext_recipe(n, l->ext);
	view->group = n->addresses[l->ext >> 16].group;
	view->lease_left_s = lease_left_s(l, now_s);
	view->n_ports = 1;
	view->has_nonce = l->flags & LEASE_NONCE;
	memcpy(view->nonce, l->nonce, sizeof view->nonce);
}

void nat_lease_look(
	const struct nat *n, const struct nat_key *key, uint32_t now_s, struct nat_view *view)
{
	uint32_t slot = slot_find(n, key), i;

	if (slot != NO_SLOT) {
		mapping_view(n, slot, now_s, view);
		if (view->kind != NAT_IMPLICIT || view->traffic)
			return;
	}
	*view = (struct nat_view){.key = *key, .kind = NAT_ABSENT};
	i = lease_find(n, key, true);
	if (i != NO_LEASE)
		rest_view(n, i, now_s, view);
}

void nat_peer_look(const struct nat *n, const struct nat_key *key, struct recipe remote,
	uint32_t now_s, struct nat_view *view)
{
	uint32_t i = peer_find(n, key, remote);

	*view = (struct nat_view){.key = *key, .kind = NAT_ABSENT, .remote = remote};
	if (i != NO_LEASE)
		lease_view(n, i, n->leases[i].slot, now_s, view);
}
