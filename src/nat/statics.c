// SPDX-License-Identifier: Apache-2.0
// Static mappings: the operator's own, never expiring, on any port of an address, also outside the
// dynamic range. They stand beside the blocks: a block's counts never include them.
#include <errno.h>

#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

enum {
	PRUNE_COST = 32 // of a mapping that goes, in leases looked at
};

static uint32_t static_find(const struct nat *n, const struct nat_key *key)
{
	uint32_t i = lease_find(n, key, false);

	return i != NO_LEASE && n->leases[i].state == LEASE_STATIC ? i : NO_LEASE;
}

// Who has this external port; protocol 0: nobody.
static struct nat_key port_holder(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	const struct entry *e = entry_at(n, protocol, ext);

	if ((e->bits & EXT_STATE) != EXT_MAPPED)
		return (struct nat_key){0};
	return (struct nat_key){e->host, e->port, e->realm, protocol};
}

static bool port_is_free(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return (entry_at(n, protocol, ext)->bits & EXT_STATE) == EXT_FREE;
}

static bool has_room(const struct nat *n, const struct nat_key *key)
{
	return n->counters.mappings < n->limits.mappings && n->counters.leases < n->limits.leases &&
	       (n->counters.subscribers < n->limits.subscribers ||
		       subscriber_find(n, key->realm, key->host) != NO_SUBSCRIBER);
}

// static > explicit > implicit: whoever holds the internal endpoint or the external port goes.
void nat_static_evict(struct nat *n, const struct nat_key *victim, uint32_t now_s)
{
	if (nat_delete(n, victim, now_s))
		n->counters.cleared++;
}

static void static_port_open(struct nat *n, const struct nat_key *key, uint32_t ext)
{
	uint32_t a = ext >> 16, port = ext & 0xffff;

	*entry_at(n, key->protocol, ext) = (struct entry){
		key->host, key->port, key->realm, EXT_MAPPED | EXT_LEASE | EXT_REPLIED};
	used_words(n, key->protocol, a)[port / 64] |= UINT64_C(1) << port % 64;
	n->addresses[a].n_ports++;
}

static void static_port_close(struct nat *n, uint8_t protocol, uint32_t ext)
{
	uint32_t a = ext >> 16, port = ext & 0xffff;
	const struct block *b = &n->blocks[block_of(n, ext)]; // whose port it might have been

	*entry_at(n, protocol, ext) = (struct entry){0};
	if (!port_is_reserved(&n->addresses[a], protocol, (uint16_t)port))
		used_words(n, protocol, a)[port / 64] &= ~(UINT64_C(1) << port % 64);
	n->addresses[a].n_ports--;
	if (b->subscriber != 0)
		n->subscribers[b->subscriber - 1].full_s[protocol - 1] = 0;
}

static int static_make(
	struct nat *n, const struct nat_key *key, uint32_t ext, bool operators, uint32_t now_s)
{
	uint64_t hash = hash_u64(key_word(key), &n->secret);
	uint32_t slot = table_place(n, hash), s, i;
	uint8_t group = n->addresses[ext >> 16].group;

	s = slot == NO_SLOT ? NO_SUBSCRIBER : subscriber_get(n, key->realm, key->host, group);
	if (s == NO_SUBSCRIBER)
		return -ENOSPC;
	pair_set(n, &n->subscribers[s],
		subscriber_has_pair(n, &n->subscribers[s]) ? n->subscribers[s].address : ext >> 16);
	n->subscribers[s].n_statics++;
	i = lease_get(n, &(struct lease){.key = *key,
				 .ext = ext,
				 .slot = slot,
				 .subscriber = s,
				 .flags = operators ? LEASE_OPERATORS : 0,
				 .state = LEASE_STATIC});
	lease_join(n, i);
	n->n_statics++;
	static_port_open(n, key, ext);
	mapping_make(n, slot, key, hash, ext, 0, NO_SUBSCRIBER, now_s);
	slot_hang(n, slot, HANGS_MAP);
	event_lease(n, NAT_EVENT_MAPPING_CREATED, i, now_s);
	return 0;
}

// It is there already; what the configuration names is the configuration's.
static int static_again(struct lease *l, uint32_t ext, bool operators)
{
	if (l->ext != ext)
		return -EEXIST;
	if (!operators)
		l->flags &= (uint8_t)~LEASE_OPERATORS;
	return 0;
}

struct place { // of a static mapping to be
	uint32_t ext;
	uint32_t lease;        // it is there already; NO_LEASE: not yet
	struct nat_key holder; // of the external port, no static one; protocol 0: nobody
};

// 0, or why there can be none.
static int judge_place(
	const struct nat *n, const struct nat_key *key, struct recipe external, struct place *p)
{
	uint32_t a = address_find(n, external.addr);

	*p = (struct place){.lease = NO_LEASE};
	if (a == NO_ADDRESS)
		return -ENOENT;
	p->ext = ext_of(a, external.port);
	p->lease = static_find(n, key);
	if (p->lease != NO_LEASE)
		return 0;
	if (n->addresses[a].state != ADDRESS_LIVE)
		return -ENOENT; // it leaves: nothing new lands there
	p->holder = port_holder(n, key->protocol, p->ext);
	if (p->holder.protocol != 0 && static_find(n, &p->holder) != NO_LEASE)
		return -EEXIST;
	return has_room(n, key) ? 0 : -ENOSPC;
}

bool nat_static_victim(const struct nat *n, const struct nat_key *key, struct recipe external,
	struct nat_key *victim)
{
	struct place p;

	if (judge_place(n, key, external, &p) != 0 || p.lease != NO_LEASE)
		return false;
	*victim = p.holder.protocol != 0 ? p.holder : *key;
	return p.holder.protocol != 0 ||
	       (port_is_free(n, key->protocol, p.ext) && slot_find(n, key) != NO_SLOT);
}

int nat_static_add(struct nat *n, const struct nat_key *key, struct recipe external, bool operators,
	uint32_t now_s)
{
	struct place p;
	int error = judge_place(n, key, external, &p);

	n->clock_s = now_s;
	if (error != 0)
		return error;
	if (p.lease != NO_LEASE)
		return static_again(&n->leases[p.lease], p.ext, operators);
	if (p.holder.protocol != 0)
		nat_static_evict(n, &p.holder, now_s);
	if (!port_is_free(n, key->protocol, p.ext))
		return -EAGAIN; // in hold-down; until it is over the endpoint keeps what it has
	nat_static_evict(n, key, now_s);
	return static_make(n, key, p.ext, operators, now_s);
}

void static_remove(struct nat *n, uint32_t lease)
{
	struct lease *l = &n->leases[lease];
	uint32_t s = l->subscriber;

	sessions_end(n, l->slot);
	table_remove(n, l->slot);
	mapping_forget(n, l->ext);
	static_port_close(n, l->key.protocol, l->ext);
	lease_leave(n, lease);
	lease_put(n, lease);
	n->n_statics--;
	n->subscribers[s].n_statics--;
	subscriber_drop_if_empty(n, s);
}

bool nat_static_prune(struct nat *n, uint32_t budget,
	bool (*keep)(void *ctx, const struct nat_key *key, struct recipe external), void *ctx)
{
	if (n->n_statics == 0)
		n->prune_at = n->lease_high;
	for (; budget > 0 && n->prune_at < n->lease_high; budget--, n->prune_at++) {
		const struct lease *l = &n->leases[n->prune_at];

		if (l->state != LEASE_STATIC || l->flags & LEASE_OPERATORS ||
			keep(ctx, &l->key, ext_recipe(n, l->ext)))
			continue;
		static_remove(n, n->prune_at);
		n->counters.cleared++;
		budget -= min_u32(budget, PRUNE_COST) - 1;
	}
	if (n->prune_at < n->lease_high)
		return false;
	n->prune_at = 0;
	return true;
}
