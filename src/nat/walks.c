// SPDX-License-Identifier: Apache-2.0
// Walks over what lives: the cursor is a place in an array whose slots never move, or a lease of
// the host's list.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

bool nat_walk_mappings(const struct nat *n, uint32_t *cursor, uint32_t budget, uint32_t now_s,
	bool (*see)(void *ctx, const struct nat_view *view), void *ctx)
{
	uint32_t end = (n->n_lines + PROBE_MAX) * 4;

	for (; budget > 0 && *cursor < end; budget--, ++*cursor) {
		const struct slot *s = slot_at(n, *cursor);
		struct nat_view view;

		if ((s->bits & SLOT_PROTOCOL) == 0 || s->set_at != 0)
			continue; // free, or a set's further port
		mapping_view(n, *cursor, now_s, &view);
		if (!see(ctx, &view))
			return false;
	}
	return *cursor >= end;
}

static bool lives(const struct lease *l)
{
	return l->state == LEASE_LIVE || l->state == LEASE_PEER || l->state == LEASE_STATIC;
}

bool nat_lease_walk(const struct nat *n, uint8_t realm, ip4 host, uint32_t *cursor, uint32_t budget,
	uint32_t now_s, bool (*see)(void *ctx, const struct nat_view *view), void *ctx)
{
	uint32_t subscriber = subscriber_find(n, realm, host);

	if (subscriber == NO_SUBSCRIBER)
		return true;
	if (*cursor == 0)
		*cursor = n->subscribers[subscriber].leases;
	for (; *cursor != 0 && budget > 0; budget--) {
		const struct lease *l = &n->leases[*cursor - 1];
		struct nat_view view;

		if (!lives(l) || l->subscriber != subscriber)
			return true; // it ended since the last call
		lease_view(n, *cursor - 1, l->slot, now_s, &view);
		if (!see(ctx, &view))
			return false;
		*cursor = l->sibling_next;
	}
	return *cursor == 0;
}

unsigned nat_lease_overlap(const struct nat *n, const struct nat_key *key, uint16_t n_ports,
	uint32_t now_s, struct nat_view *views, unsigned max)
{
	uint32_t port = key->port, end = port + min_u32(max_u32(n_ports, 1), NAT_SET_MAX);
	unsigned count = 0;

	for (end = min_u32(end, 65536); port < end && count < max; port++) {
		struct nat_key at = {key->host, (uint16_t)port, key->realm, key->protocol};
		uint32_t slot = slot_find(n, &at);
		uint32_t i = slot == NO_SLOT ? NO_LEASE : lease_on(n, slot);

		if (i == NO_LEASE)
			continue;
		lease_view(n, i, slot, now_s, &views[count++]);
		port = n->leases[i].key.port + lease_ports(n, &n->leases[i]) - 1u;
	}
	return count;
}

static void session_view(const struct nat *n, const struct nat_key *key, const struct session *x,
	uint32_t now_s, struct nat_session_view *view)
{
	*view = (struct nat_session_view){.key = *key,
		.external = ext_recipe(n, x->ext),
		.remote = {x->remote, x->remote_port},
		.group = n->addresses[x->ext >> 16].group,
		.state = x->state,
		.left_s = session_timeout(n, x) - session_idle_s(n, x, now_s)};
}

// The cursor is a session of the ring, index + 1.
bool nat_session_walk(const struct nat *n, const struct nat_key *key, uint32_t *cursor,
	uint32_t budget, uint32_t now_s,
	bool (*see)(void *ctx, const struct nat_session_view *view), void *ctx)
{
	uint32_t slot = slot_find(n, key), anchor = NO_SESSION;

	if (slot != NO_SLOT)
		anchor = session_anchor(n, key->protocol, slot_at(n, slot)->ext);
	if (anchor == NO_SESSION)
		return true;
	if (*cursor == 0)
		*cursor = anchor + 1;
	for (; budget > 0; budget--) {
		const struct session *x = &n->sessions[*cursor - 1];
		struct nat_session_view view;

		if (x->ring != n->sessions[anchor].ring || x->state >= SESSION_PERMIT)
			return true; // it ended since the last call
		session_view(n, key, x, now_s, &view);
		if (!session_is_over(n, *cursor - 1, now_s) && !see(ctx, &view))
			return false;
		*cursor = x->next;
		if (*cursor == anchor + 1)
			return true;
	}
	return false;
}
