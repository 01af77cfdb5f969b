// SPDX-License-Identifier: Apache-2.0
// PEER leases (RFC 6887 s.12): any number on one mapping, one for each remote peer. They form a
// ring; one of them, the anchor, is found by the internal endpoint alone. It is the longest-lived
// one but for those that are over already, so that it can stand for all of them.
#include <postern/nat.h>

#include "grants.h"

uint32_t *peer_head(const struct nat *n, const struct nat_key *key, struct recipe remote)
{
	uint64_t hash = hash_u64(key_word(key), &n->secret);

	hash = hash_u64(hash ^ ((uint64_t)remote.addr << 16 | remote.port), &n->secret);
	return &n->lease_heads[(uint32_t)hash & n->lease_mask];
}

static bool is_peer(const struct lease *l, const struct nat_key *key, bool anchor)
{
	return l->state == LEASE_PEER && key_word(&l->key) == key_word(key) &&
	       (l->flags & LEASE_ANCHOR) == (anchor ? LEASE_ANCHOR : 0);
}

static bool has_remote(const struct nat *n, const struct lease *l, struct recipe remote)
{
	const struct extra *x = lease_extra(n, l);

	return x->remote_addr == remote.addr && x->remote_port == remote.port;
}

uint32_t peer_anchor(const struct nat *n, const struct nat_key *key)
{
	for (uint32_t i = *lease_head(n, key); i != 0; i = n->leases[i - 1].chain) {
		if (is_peer(&n->leases[i - 1], key, true))
			return i - 1;
	}
	return NO_LEASE;
}

uint32_t peer_find(const struct nat *n, const struct nat_key *key, struct recipe remote)
{
	uint32_t anchor = peer_anchor(n, key);

	if (anchor == NO_LEASE || has_remote(n, &n->leases[anchor], remote))
		return anchor;
	for (uint32_t i = *peer_head(n, key, remote); i != 0; i = n->leases[i - 1].chain) {
		if (is_peer(&n->leases[i - 1], key, false) &&
			has_remote(n, &n->leases[i - 1], remote))
			return i - 1;
	}
	return NO_LEASE;
}

uint32_t peers_on(const struct nat *n, uint32_t slot)
{
	struct nat_key key = slot_key(slot_at(n, slot));

	if (!(slot_at(n, slot)->hangs & HANGS_PEER))
		return 0;
	return lease_extra(n, &n->leases[peer_anchor(n, &key)])->n_peers;
}

// The lease is in the table already; there was room for its extra record.
static void peer_attach(struct nat *n, uint32_t lease, uint32_t anchor)
{
	struct lease *l = &n->leases[lease];
	struct extra *x = lease_extra(n, l), *first, *next;

	if (anchor == NO_LEASE) {
		x->peer_next = x->peer_prev = lease + 1;
		x->n_peers = 1;
		slot_hang(n, l->slot, HANGS_PEER);
		return;
	}
	first = lease_extra(n, &n->leases[anchor]);
	next = lease_extra(n, &n->leases[first->peer_next - 1]);
	x->peer_next = first->peer_next;
	x->peer_prev = anchor + 1;
	next->peer_prev = lease + 1;
	first->peer_next = lease + 1;
	first->n_peers++;
}

// This one is found by the internal endpoint from now on.
static void peer_promote(struct nat *n, uint32_t lease, uint16_t n_peers)
{
	struct lease *l = &n->leases[lease];

	lease_unlink(n, lease);
	l->flags |= LEASE_ANCHOR;
	lease_extra(n, l)->n_peers = n_peers;
	lease_link(n, lease);
}

// Its expiry was written: none only ever becomes longer, so the anchor is the last to go.
static void peer_lead_if_longest(struct nat *n, uint32_t lease)
{
	uint32_t i = peer_anchor(n, &n->leases[lease].key);
	struct lease *anchor = &n->leases[i];

	if (n->leases[lease].expiry_s <= anchor->expiry_s)
		return;
	lease_unlink(n, i);
	anchor->flags &= (uint8_t)~LEASE_ANCHOR;
	lease_link(n, i);
	peer_promote(n, lease, lease_extra(n, anchor)->n_peers);
}

void peer_detach(struct nat *n, uint32_t lease)
{
	const struct lease *l = &n->leases[lease];
	const struct extra *x = lease_extra(n, l);

	if (x->peer_next == lease + 1) {
		slot_unhang(n, l->slot, HANGS_PEER);
		return;
	}
	if (l->flags & LEASE_ANCHOR)
		peer_promote(n, x->peer_next - 1, (uint16_t)(x->n_peers - 1));
	else
		lease_extra(n, &n->leases[peer_anchor(n, &l->key)])->n_peers--;
	lease_extra(n, &n->leases[x->peer_next - 1])->peer_prev = x->peer_prev;
	lease_extra(n, &n->leases[x->peer_prev - 1])->peer_next = x->peer_next;
}

uint32_t peers_drop(struct nat *n, uint32_t slot)
{
	struct nat_key key = slot_key(slot_at(n, slot));
	uint32_t count = 0;

	for (; slot_at(n, slot)->hangs & HANGS_PEER; count++) {
		uint32_t anchor = peer_anchor(n, &key);
		peer_detach(n, anchor);
		lease_leave(n, anchor);
		lease_put(n, anchor);
	}
	return count;
}

bool peer_is_closed(const struct slot *s)
{
	return (s->hangs & HANGS_LEASE) == HANGS_PEER && (s->bits & SLOT_SEEN) &&
	       (s->bits & SLOT_TIMER) == (NAT_TCP | CLASS_CLOSING << CLASS_SHIFT);
}

// ---- granting --------------------------------------------------------------------------------

// Never shorter than it was, nor than traffic would have kept the mapping (s.12.3).
static uint32_t expiry_of(const struct grant *g, uint32_t was_s)
{
	uint32_t left_s = 0;

	traffic_left(g->n, g->slot, g->now_s, &left_s);
	return max_u32(was_s, g->now_s + max_u32(g->wish->lifetime_s, left_s) + 1);
}

static enum nat_grant renew(struct grant *g, uint32_t lease)
{
	const struct lease *l = &g->n->leases[lease];

	g->slot = l->slot;
	grant_write(g, lease, max_u32(l->expiry_s, g->now_s + g->wish->lifetime_s + 1));
	peer_lead_if_longest(g->n, lease);
	g->n->counters.explicit_renewed++;
	return NAT_GRANTED;
}

static enum nat_grant hang(struct grant *g)
{
	struct nat *n = g->n;
	uint32_t anchor = peer_anchor(n, &g->wish->key), i;
	struct lease made = grant_lease(g, LEASE_PEER);
	struct extra *x = extra_need(n, &made);

	x->remote_addr = g->wish->remote.addr;
	x->remote_port = g->wish->remote.port;
	made.flags = anchor == NO_LEASE ? LEASE_ANCHOR : 0;
	i = lease_get(n, &made); // the caller made sure that there is room
	peer_attach(n, i, anchor);
	lease_join(n, i);
	grant_write(g, i, expiry_of(g, 0));
	peer_lead_if_longest(n, i);
	event_lease(n, NAT_EVENT_MAPPING_CREATED, i, g->now_s);
	n->counters.peers_created++;
	return NAT_GRANTED;
}

static enum nat_grant hang_on_mapping(struct grant *g)
{
	uint32_t i = lease_on(g->n, g->slot);
	enum nat_grant grant;

	if (i != NO_LEASE && g->n->leases[i].state == LEASE_STATIC) {
		mapping_view(g->n, g->slot, g->now_s, g->view);
		return NAT_GRANTED; // it stands for good without a lease
	}
	grant = peers_on(g->n, g->slot) < NAT_PEERS_MAX ? grant_join(g) : NAT_QUOTA;
	if (grant != NAT_GRANTED)
		return grant;
	grant_adopt(g);
	return hang(g);
}

enum nat_grant nat_lease_peer(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_wish *wish, uint32_t now_s, struct nat_view *view)
{
	struct grant g = grant_of(n, policy, group, wish, now_s, view);
	uint32_t i = peer_find(n, &wish->key, wish->remote);
	enum nat_grant grant;

	if (i != NO_LEASE)
		return renew(&g, i);
	if (!extra_has_room(n))
		return NAT_NO_RESOURCES;
	g.exact = wish->suggested.addr != 0 || wish->suggested.port != 0;
	g.slot = grant_find(&g);
	if (g.slot != NO_SLOT)
		return hang_on_mapping(&g);
	grant = grant_open(&g);
	if (grant == NAT_GRANTED)
		grant = grant_place(&g);
	return grant == NAT_GRANTED ? hang(&g) : grant;
}
