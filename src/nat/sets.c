// SPDX-License-Identifier: Apache-2.0
// PORT_SET (RFC 7753): one lease for consecutive ports. All its external entries and all its slots
// are written at once, at most 256 of each, so neither the fast path nor the miss path knows of
// sets. Every slot keeps its place in the set, and so finds the lease.
#include <postern/nat.h>

#include "grants.h"

struct nat_key set_key(const struct lease *l, uint32_t i)
{
	struct nat_key key = l->key;

	key.port = (uint16_t)(key.port + i);
	return key;
}

// ---- making ----------------------------------------------------------------------------------

// How many internal ports from the wished one on have no mapping.
static uint32_t room_inside(const struct grant *g, uint32_t most)
{
	const struct nat *n = g->n;
	struct nat_key key = g->wish->key;

	for (uint32_t i = 1; i < most; i++) {
		key.port = (uint16_t)(g->wish->key.port + i);
		prefetch_write(
			&n->lines[hash_range(hash_u64(key_word(&key), &n->secret), n->n_lines)]);
	}
	for (uint32_t i = 1; i < most; i++) {
		key.port = (uint16_t)(g->wish->key.port + i);
		if (slot_find(n, &key) != NO_SLOT)
			return i;
	}
	return most;
}

// What numbers, limits and the mappings that stand leave of the wish.
static uint32_t set_room(const struct grant *g)
{
	const struct nat *n = g->n;
	const struct subscriber *s = &n->subscribers[g->subscriber];
	uint32_t most = min_u32(g->wish->n_ports, NAT_SET_MAX);

	most = min_u32(most, 65536u - g->wish->key.port);
	most = min_u32(most, g->policy->lease_limit - s->n_leases);
	most = min_u32(most, n->limits.mappings - (uint32_t)n->counters.mappings);
	if (g->policy->port_limit != 0)
		most = min_u32(most, g->policy->port_limit - s->n_ports[g->wish->key.protocol - 1]);
	return room_inside(g, most);
}

static bool place_suggested(struct grant *g, struct run *run)
{
	struct recipe want = g->wish->suggested;
	uint32_t a;

	if (want.port == 0)
		return false;
	a = grant_address(g);
	run->ext = a == NO_ADDRESS ? 0 : ext_of(a, want.port);
	if (a != NO_ADDRESS &&
		(g->policy->explicit_first != 0 ? explicit_claim(g->n, g->subscriber, run)
						: run_claim(g->n, g->policy, g->subscriber, run)))
		return true;
	g->n->counters.suggestions_refused++;
	return false;
}

static bool place_anywhere(struct grant *g, struct run *run)
{
	if (g->policy->explicit_first != 0)
		return explicit_choose(g->n, g->policy, g->subscriber, run) == DROP_NONE;
	return run_choose(g->n, g->policy, g->subscriber, run);
}

// The mappings; how many there was a place for in the lines.
static uint32_t make_ports(struct grant *g, uint32_t ext, uint32_t n_ports)
{
	struct nat *n = g->n;
	struct nat_key key = g->wish->key;

	for (uint32_t i = 0; i < n_ports; i++) {
		uint64_t hash;
		uint32_t slot;

		key.port = (uint16_t)(g->wish->key.port + i);
		hash = hash_u64(key_word(&key), &n->secret);
		slot = i == 0 ? g->slot : table_place(n, hash);
		if (slot == NO_SLOT)
			return i;
		mapping_open(n, slot, &key, hash, ext + i, 0, g->subscriber, g->now_s);
		slot_hang(n, slot, HANGS_MAP | HANGS_SET);
		slot_at(n, slot)->set_at = (uint8_t)i;
	}
	return n_ports;
}

bool set_place(struct grant *g)
{
	struct nat *n = g->n;
	struct run run = {.protocol = g->wish->key.protocol,
		.parity = g->wish->parity,
		.like = g->wish->key.port,
		.least = 2,
		.n_ports = set_room(g)};
	struct lease made;
	uint32_t i;

	if (run.n_ports < 2 || n->counters.leases >= n->limits.leases || !extra_has_room(n))
		return false;
	if (!place_suggested(g, &run) && !place_anywhere(g, &run))
		return false;
	run.n_ports = make_ports(g, run.ext, run.n_ports);
	made = grant_lease(g, LEASE_LIVE);
	made.flags = LEASE_SET;
	extra_need(n, &made)->n_ports = (uint16_t)run.n_ports;
	i = lease_get(n, &made);
	lease_join(n, i);
	grant_write(g, i, g->now_s + g->wish->lifetime_s + 1);
	event_lease(n, NAT_EVENT_MAPPING_CREATED, i, g->now_s);
	n->counters.explicit_created++;
	return true;
}

// ---- ending ----------------------------------------------------------------------------------

bool set_finish(struct nat *n, uint32_t lease, bool now, uint32_t *ports, uint32_t now_s)
{
	struct lease *l = &n->leases[lease];
	struct extra *x = lease_extra(n, l);
	uint32_t going = min_u32(*ports, x->n_ports);
	bool gone = false;

	event_ports(n, NAT_EVENT_MAPPING_DELETED, l, x->n_ports - going, going, 0);
	for (; *ports > 0 && !gone; --*ports) {
		struct nat_key key = set_key(l, x->n_ports - 1u);
		uint32_t slot = slot_find(n, &key);

		slot_unhang(n, slot, HANGS_MAP | HANGS_SET);
		n->subscribers[l->subscriber].n_leases--;
		gone = --x->n_ports == 0;
		if (gone) { // before the last port, and the subscriber perhaps, goes
			lease_leave(n, lease);
			lease_put(n, lease);
		}
		mapping_leased_no_more(n, slot, now, now_s);
	}
	return gone;
}
