// SPDX-License-Identifier: Apache-2.0
// An address leaves: what clients asked for moves to another one of the group, with the same port
// number if that is free there, and the clients are to be told (RFC 6887 s.14.2). What cannot move
// ends, and they are told that.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

// ---- who must be told ------------------------------------------------------------------------

// A move is only noted; a loss is written down as it was. With more leases on one set than the ring
// has places (never on single ports) the rest learn it from the Epoch.
static void tell(struct nat *n, uint32_t lease, enum nat_update_kind kind, uint32_t now_s)
{
	struct lease *l = &n->leases[lease];
	uint32_t last = (n->update_head + n->update_count) % UPDATES;

	if (kind == NAT_UPDATE_MOVED) {
		event_lease(n, NAT_EVENT_MAPPING_DELETED, lease, now_s);
		l->ext = slot_at(n, l->slot)->ext;
		l->flags |= LEASE_MOVED;
		event_lease(n, NAT_EVENT_MAPPING_CREATED, lease, now_s);
	}
	if (n->update_count == UPDATES)
		return;
	n->updates[last].kind = (uint8_t)kind;
	lease_view(n, lease, l->slot, now_s, &n->updates[last].view);
	n->update_count++;
}

static void tell_peers(struct nat *n, uint32_t slot, enum nat_update_kind kind, uint32_t now_s)
{
	struct nat_key key = slot_key(slot_at(n, slot));
	uint32_t peers = peers_on(n, slot), i = peers > 0 ? peer_anchor(n, &key) : NO_LEASE;

	for (; peers > 0; peers--) {
		tell(n, i, kind, now_s);
		i = lease_extra(n, &n->leases[i])->peer_next - 1;
	}
}

// Everybody who has a lease on this mapping; of a set, on any of its ports.
static void tell_all(struct nat *n, uint32_t slot, enum nat_update_kind kind, uint32_t now_s)
{
	uint32_t lease = lease_on(n, slot);
	const struct lease *l = &n->leases[lease];

	if (lease == NO_LEASE) {
		tell_peers(n, slot, kind, now_s);
		return;
	}
	tell(n, lease, kind, now_s);
	for (uint32_t i = 0; i < lease_ports(n, l); i++) {
		struct nat_key key = set_key(l, i);
		tell_peers(n, slot_find(n, &key), kind, now_s);
	}
}

static uint32_t leases_on(const struct nat *n, uint32_t slot)
{
	uint32_t lease = lease_on(n, slot), count = 1;
	const struct lease *l = &n->leases[lease];

	if (lease == NO_LEASE)
		return peers_on(n, slot);
	for (uint32_t i = 0; i < lease_ports(n, l); i++) {
		struct nat_key key = set_key(l, i);
		count += peers_on(n, slot_find(n, &key));
	}
	return count;
}

// The lease that an untold update is about, as far as it is there.
static uint32_t lease_told(const struct nat *n, const struct nat_view *v)
{
	uint32_t slot = slot_find(n, &v->key);

	if (v->kind == NAT_PEER)
		return peer_find(n, &v->key, v->remote);
	return slot == NO_SLOT ? NO_LEASE : lease_on(n, slot);
}

// Whether he still does not know.
static bool is_news(const struct nat *n, const struct nat_update *u, uint32_t lease)
{
	const struct lease *l = &n->leases[lease];

	if (u->kind == NAT_UPDATE_MOVED)
		return lease != NO_LEASE && l->flags & LEASE_MOVED;
	return lease == NO_LEASE || memcmp(l->nonce, u->view.nonce, sizeof l->nonce) != 0;
}

bool nat_update_next(struct nat *n, struct nat_update *out)
{
	while (n->update_count > 0) {
		uint32_t i;

		*out = n->updates[n->update_head];
		n->update_head = (n->update_head + 1) % UPDATES;
		n->update_count--;
		i = lease_told(n, &out->view);
		if (!is_news(n, out, i))
			continue;
		if (out->kind == NAT_UPDATE_MOVED)
			lease_view(n, i, n->leases[i].slot, n->sweep_s, &out->view);
		return true;
	}
	return false;
}

// ---- moving ----------------------------------------------------------------------------------

void nat_set_policy(struct nat *n, uint8_t group, const struct nat_policy *policy)
{
	const struct nat_policy *old = &n->policies[group];

	if (memcmp(old->filtering, policy->filtering, sizeof old->filtering) != 0 ||
		old->inbound_refresh != policy->inbound_refresh)
		review_begin(n, false);
	n->policies[group] = *policy;
	n->waits = n->waits || policy->block_timeout != 0 || policy->pairing_retention != 0;
}

// His blocks on addresses that leave do not count: for a while he has the old and the new.
static struct nat_policy moving_policy(const struct nat *n, const struct subscriber *s)
{
	struct nat_policy policy = n->policies[s->group];
	uint32_t leaving = 0;

	for (uint32_t b = s->blocks; b != 0; b = n->blocks[b - 1].next)
		leaving += n->addresses[(b - 1) >> n->block_bits].state != ADDRESS_LIVE;
	policy.block_limit = (uint16_t)min_u32(policy.block_limit + leaving, UINT16_MAX);
	return policy;
}

// Where he will be paired, or NO_ADDRESS.
static uint32_t new_home(struct nat *n, const struct subscriber *s)
{
	uint32_t *round = &n->group_list[s->group], b = s->blocks, a;

	if (pair_is_usable(n, s))
		return s->address;
	for (unsigned i = 0; i < OLD_BLOCKS_TRIED && b != 0; i++, b = n->blocks[b - 1].next) {
		a = (b - 1) >> n->block_bits;
		if (n->addresses[a].state == ADDRESS_LIVE)
			return a;
	}
	if (*round == 0)
		return NO_ADDRESS;
	a = *round - 1;
	*round = n->addresses[a].next;
	return a;
}

// Another place for these ports: all of them, in order.
static bool find_place(
	struct nat *n, uint32_t subscriber, struct run *run, uint16_t port, uint32_t now_s)
{
	struct subscriber *s = &n->subscribers[subscriber];
	struct nat_policy policy = moving_policy(n, s);
	uint32_t a;

	if (policy.port_set_size == 0)
		return false; // nobody said what the group may give
	a = new_home(n, s);
	run->ext = a == NO_ADDRESS ? 0 : ext_of(a, port);
	if (policy.explicit_first != 0)
		return (a != NO_ADDRESS && explicit_claim(n, subscriber, run)) ||
		       explicit_choose(n, &policy, subscriber, run) == DROP_NONE;
	if (a != NO_ADDRESS && run_claim(n, &policy, subscriber, run)) {
		pair_with(n, s, block_of(n, run->ext));
		return true;
	}
	if (run->n_ports > 1)
		return run_choose(n, &policy, subscriber, run);
	struct nat_key key = {s->host, port, s->realm, run->protocol};
	return port_choose(n, &policy, subscriber, &key, now_s, &run->ext) == DROP_NONE;
}

static bool move(struct nat *n, uint32_t slot, uint32_t now_s)
{
	uint32_t lease = lease_on(n, slot), ext = slot_at(n, slot)->ext;
	const struct lease *l = &n->leases[lease];
	struct run run = {.protocol = slot_at(n, slot)->bits & SLOT_PROTOCOL, .n_ports = 1};
	uint32_t subscriber = subscriber_of(n, slot);

	if (lease != NO_LEASE && l->flags & LEASE_EXACT)
		return false; // that pair or none
	if (lease != NO_LEASE) {
		ext = l->ext;
		run.n_ports = lease_ports(n, l);
	}
	run.least = run.n_ports;
	run.like = (uint16_t)ext;
	run.parity = run.n_ports > 1;
	if (!find_place(n, subscriber, &run, (uint16_t)ext, now_s))
		return false;
	for (uint32_t i = 0; run.n_ports > 1 && i < run.n_ports; i++) {
		struct nat_key key = set_key(l, i);
		mapping_move(n, slot_find(n, &key), run.ext + i, now_s);
	}
	if (run.n_ports == 1)
		mapping_move(n, slot, run.ext, now_s);
	subscriber_reset_epoch(n, subscriber, now_s);
	return true;
}

static uint32_t move_leased(struct nat *n, uint32_t slot, uint32_t now_s)
{
	uint32_t lease = lease_on(n, slot), told = leases_on(n, slot);
	uint32_t cost = told + (lease == NO_LEASE ? 1 : lease_ports(n, &n->leases[lease]));

	if (UPDATES - n->update_count < min_u32(told, UPDATES))
		return MUST_WAIT;
	if (move(n, slot, now_s)) {
		n->counters.moved++;
		tell_all(n, slot, NAT_UPDATE_MOVED, now_s);
		return cost;
	}
	tell_all(n, slot, NAT_UPDATE_LOST, now_s);
	mapping_delete(n, slot, now_s);
	n->counters.move_failed++;
	return cost;
}

uint32_t move_away(struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s)
{
	const struct entry *e = entry_at(n, protocol, ext);
	struct nat_key key = {e->host, e->port, e->realm, protocol};
	uint32_t slot, lease;

	if ((e->bits & EXT_STATE) != EXT_MAPPED)
		return 0;
	slot = slot_find(n, &key);
	lease = lease_on(n, slot);
	if (lease != NO_LEASE && n->leases[lease].state == LEASE_STATIC) {
		if (!(n->leases[lease].flags & LEASE_OPERATORS))
			return 0;
		static_remove(n, lease);
	} else if (slot_at(n, slot)->bits & SLOT_LEASE) {
		return move_leased(n, slot, now_s);
	} else {
		implicit_end(n, slot, now_s);
	}
	n->counters.cleared++;
	return 1;
}
