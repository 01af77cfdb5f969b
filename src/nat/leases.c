// SPDX-License-Identifier: Apache-2.0
// Leases: what PCP granted, hanging on a mapping. A lease that ended rests with its port, so that
// the same client, nonce and internal port get it back (RFC 6887 s.15).
//
// MAP leases, static mappings and resting leases are found by their key. Of the PEER leases of one
// mapping only one is, the anchor; the others are found by key and remote peer, and from the anchor
// round their ring. So many PEERs of one port make no chain long.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

static uint32_t *lease_home(const struct nat *n, const struct lease *l)
{
	const struct extra *x;

	if (l->state != LEASE_PEER || l->flags & LEASE_ANCHOR)
		return lease_head(n, &l->key);
	x = lease_extra(n, l);
	return peer_head(n, &l->key, (struct recipe){x->remote_addr, x->remote_port});
}

void lease_link(struct nat *n, uint32_t lease)
{
	uint32_t *head = lease_home(n, &n->leases[lease]);

	n->leases[lease].chain = *head;
	*head = lease + 1;
}

void lease_unlink(struct nat *n, uint32_t lease)
{
	uint32_t *link = lease_home(n, &n->leases[lease]);

	while (*link != lease + 1)
		link = &n->leases[*link - 1].chain;
	*link = n->leases[lease].chain;
}

static inline uint32_t find_hashed(
	const struct nat *n, const struct nat_key *key, uint64_t hash, bool resting)
{
	uint32_t i = n->lease_heads[(uint32_t)hash & n->lease_mask];
	uint64_t word = key_word(key);

	for (; i != 0; i = n->leases[i - 1].chain) {
		const struct lease *l = &n->leases[i - 1];
		if (key_word(&l->key) == word && l->state != LEASE_PEER &&
			(l->state == LEASE_RESTING) == resting)
			return i - 1;
	}
	return NO_LEASE;
}

uint32_t lease_find(const struct nat *n, const struct nat_key *key, bool resting)
{
	return find_hashed(n, key, hash_u64(key_word(key), &n->secret), resting);
}

uint32_t lease_on(const struct nat *n, uint32_t slot)
{
	const struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);

	if (!(s->hangs & HANGS_MAP))
		return NO_LEASE;
	if (s->hangs & HANGS_SET)
		key.port = (uint16_t)(key.port - s->set_at);
	return lease_find(n, &key, false);
}

uint32_t lease_on_hashed(
	const struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash)
{
	uint8_t hangs = slot_at(n, slot)->hangs;

	if ((hangs & (HANGS_MAP | HANGS_SET)) == HANGS_MAP)
		return find_hashed(n, key, hash, false);
	return lease_on(n, slot);
}

uint32_t lease_shown(const struct nat *n, uint32_t slot)
{
	struct nat_key key = slot_key(slot_at(n, slot));

	if ((slot_at(n, slot)->hangs & HANGS_LEASE) == HANGS_PEER)
		return peer_anchor(n, &key);
	return lease_on(n, slot);
}

uint32_t lease_get(struct nat *n, const struct lease *made)
{
	uint32_t i = vacant_get(&n->lease_vacant);

	if (i != NO_VACANT) {
		if (n->lease_vacant.next != 0)
			prefetch_write(&n->leases[n->lease_vacant.next - 1]);
	} else if (n->lease_high < n->limits.leases) {
		i = n->lease_high++;
	} else {
		return NO_LEASE;
	}
	n->leases[i] = *made;
	lease_link(n, i);
	n->counters.leases++;
	return i;
}

void lease_put(struct nat *n, uint32_t lease)
{
	struct lease *l = &n->leases[lease];

	lease_unlink(n, lease);
	if (l->wheel != 0)
		wheel_remove(n, lease);
	extra_drop(n, l);
	*l = (struct lease){0};
	vacant_put(&n->lease_vacant, lease);
	n->counters.leases--;
}

void lease_expire_at(struct nat *n, uint32_t lease, uint32_t expiry_s)
{
	struct lease *l = &n->leases[lease];

	if (l->wheel != 0 && expiry_s < l->expiry_s)
		wheel_remove(n, lease);
	l->expiry_s = expiry_s;
	if (l->wheel == 0)
		wheel_add(n, lease, expiry_s);
}

uint32_t lease_ports(const struct nat *n, const struct lease *l)
{
	return l->flags & LEASE_SET ? lease_extra(n, l)->n_ports : 1;
}

// Static mappings stand in their subscriber's list, and count against no limit of his.
static uint32_t counted_ports(const struct nat *n, const struct lease *l)
{
	return l->state == LEASE_STATIC ? 0 : lease_ports(n, l);
}

void lease_join(struct nat *n, uint32_t lease)
{
	struct lease *l = &n->leases[lease];
	struct subscriber *s = &n->subscribers[l->subscriber];

	l->sibling_prev = 0;
	l->sibling_next = s->leases;
	if (s->leases != 0)
		n->leases[s->leases - 1].sibling_prev = lease + 1;
	s->leases = lease + 1;
	s->n_leases += counted_ports(n, l);
}

void lease_leave(struct nat *n, uint32_t lease)
{
	struct lease *l = &n->leases[lease];
	struct subscriber *s = &n->subscribers[l->subscriber];

	if (!(l->flags & LEASE_SET)) // of a set its ports were told as they went
		event_lease(n, NAT_EVENT_MAPPING_DELETED, lease, 0);
	if (l->sibling_prev != 0)
		n->leases[l->sibling_prev - 1].sibling_next = l->sibling_next;
	else
		s->leases = l->sibling_next;
	if (l->sibling_next != 0)
		n->leases[l->sibling_next - 1].sibling_prev = l->sibling_prev;
	s->n_leases -= counted_ports(n, l);
}

void slot_hang(struct nat *n, uint32_t slot, uint8_t what)
{
	struct slot *s = slot_at(n, slot);

	s->hangs |= what;
	s->bits |= SLOT_LEASE;
	entry_at(n, s->bits & SLOT_PROTOCOL, s->ext)->bits |= EXT_LEASE;
}

void slot_unhang(struct nat *n, uint32_t slot, uint8_t what)
{
	struct slot *s = slot_at(n, slot);
	struct entry *e = entry_at(n, s->bits & SLOT_PROTOCOL, s->ext);

	s->hangs &= (uint8_t)~what;
	if (what & HANGS_MAP && e->bits & EXT_FILTERS) { // only MAP leases have filters
		e->bits &= (uint8_t)~EXT_FILTERS;
		visit_update(n, slot);
	}
	if (what & HANGS_SET)
		s->set_at = 0;
	if (s->hangs & HANGS_LEASE)
		return;
	s->bits &= (uint8_t)~SLOT_LEASE;
	e->bits &= (uint8_t)~EXT_LEASE;
}

// ---- ending ----------------------------------------------------------------------------------

// Whether the ended lease itself rests, or only its port: memory and one subscriber's share of
// resting leases are bounded.
static bool may_rest(const struct nat *n, const struct lease *l)
{
	const struct subscriber *s = &n->subscribers[l->subscriber];

	return leases_may_rest(n) && s->n_resting < 256;
}

static void lease_to_rest(struct nat *n, uint32_t lease, uint32_t now_s)
{
	struct lease *l = &n->leases[lease];
	uint32_t slot = l->slot;

	if (!may_rest(n, l)) {
		lease_put(n, lease);
		mapping_end(n, slot, END_REST, now_s);
		return;
	}
	n->subscribers[l->subscriber].n_resting++;
	mapping_end(n, slot, END_HOLD, now_s);
	if (l->wheel != 0)
		wheel_remove(n, lease);
	extra_drop(n, l);
	l->state = LEASE_RESTING; // an anchor is found by its key, too: the chain stays the same
	l->flags &= LEASE_NONCE;
	l->slot = NO_SLOT;
	l->expiry_s = now_s + n->timers.pcp_hold_down + 1;
	wheel_add(n, lease, l->expiry_s);
}

static void became_implicit(struct nat *n, uint32_t slot)
{
	n->counters.became_implicit++;
	event_implicit(n, NAT_EVENT_MAPPING_CREATED, slot);
}

void lease_retire(struct nat *n, uint32_t lease, bool now, uint32_t now_s)
{
	uint32_t slot = n->leases[lease].slot;

	if (slot_at(n, slot)->bits & SLOT_LEASE) {
		lease_put(n, lease); // others hang on the mapping
	} else if (!now && mapping_has_traffic(n, slot, now_s)) {
		lease_put(n, lease);
		became_implicit(n, slot);
	} else {
		lease_to_rest(n, lease, now_s);
	}
}

void mapping_leased_no_more(struct nat *n, uint32_t slot, bool now, uint32_t now_s)
{
	if (slot_at(n, slot)->bits & SLOT_LEASE)
		return;
	if (!now && mapping_has_traffic(n, slot, now_s))
		became_implicit(n, slot);
	else
		mapping_end(n, slot, END_REST, now_s);
}

bool lease_finish(struct nat *n, uint32_t lease, bool now, uint32_t *ports, uint32_t now_s)
{
	const struct lease *l = &n->leases[lease];

	if (l->flags & LEASE_SET)
		return set_finish(n, lease, now, ports, now_s);
	if (l->state == LEASE_PEER)
		peer_detach(n, lease);
	else
		slot_unhang(n, l->slot, HANGS_MAP);
	lease_leave(n, lease);
	lease_retire(n, lease, now, now_s);
	return true;
}

void lease_rest_over(struct nat *n, uint32_t lease)
{
	struct lease *l = &n->leases[lease];
	uint8_t protocol = l->key.protocol;
	uint32_t ext = l->ext;

	uint32_t subscriber = l->subscriber;

	n->subscribers[subscriber].n_resting--;
	lease_put(n, lease);
	port_release(n, protocol, ext);
	if (port_is_explicit(&n->addresses[ext >> 16], ext & 0xffff))
		subscriber_drop_if_empty(n, subscriber);
}

void nat_lease_end(struct nat *n, const struct nat_key *key, bool now, uint32_t now_s)
{
	uint32_t slot = slot_find(n, key), ports = NAT_SET_MAX;
	uint32_t i = slot == NO_SLOT ? NO_LEASE : lease_on(n, slot);

	n->clock_s = now_s;
	if (i == NO_LEASE || n->leases[i].state != LEASE_LIVE)
		return;
	n->counters.explicit_deleted++;
	// RFC 6887 s.11.3: the flow that was there before stays in effect.
	lease_finish(n, i, now && !(n->leases[i].flags & LEASE_ADOPTED), &ports, now_s);
}

// ---- a mapping with all that hangs on it -----------------------------------------------------

static uint32_t set_delete(struct nat *n, uint32_t lease, uint32_t now_s)
{
	const struct lease *l = &n->leases[lease];
	uint32_t ports = lease_ports(n, l), ended = 1;

	for (uint32_t i = 0; i < ports; i++) {
		struct nat_key key = set_key(l, i);
		ended += peers_drop(n, slot_find(n, &key));
	}
	set_finish(n, lease, true, &ports, now_s);
	return ended;
}

uint32_t mapping_delete(struct nat *n, uint32_t slot, uint32_t now_s)
{
	uint32_t i = lease_on(n, slot), ended = 0;
	const struct slot *s = slot_at(n, slot);

	if (!(s->bits & SLOT_LEASE)) {
		implicit_end(n, slot, now_s);
		return 0;
	}
	// Never of a static mapping: its port may be in nobody's block.
	subscriber_reset_epoch(n, subscriber_of(n, slot), now_s);
	if (s->hangs & HANGS_SET)
		return set_delete(n, i, now_s);
	ended = peers_drop(n, slot);
	if (i != NO_LEASE) {
		slot_unhang(n, slot, HANGS_MAP);
		lease_leave(n, i);
		lease_put(n, i);
		ended++;
	}
	mapping_end(n, slot, END_REST, now_s);
	return ended;
}

bool nat_delete(struct nat *n, const struct nat_key *key, uint32_t now_s)
{
	uint32_t slot = slot_find(n, key);
	uint32_t i = slot == NO_SLOT ? NO_LEASE : lease_on(n, slot);

	n->clock_s = now_s;
	if (slot == NO_SLOT)
		return false;
	if (i != NO_LEASE && n->leases[i].state == LEASE_STATIC) {
		if (!(n->leases[i].flags & LEASE_OPERATORS))
			return false;
		static_remove(n, i);
		return true;
	}
	n->counters.explicit_deleted += mapping_delete(n, slot, now_s);
	return true;
}
