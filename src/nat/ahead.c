// SPDX-License-Identifier: Apache-2.0
// Looking ahead. What a new mapping or a lease needs stands in places of which each tells where the
// next one is: hash chain, subscriber, block, port. One after the other they would cost a wait for
// memory each; so a whole burst asks for all its first places, then for all its second ones, and so
// on. Nothing is decided here: whatever was foreseen wrongly is only waited for later.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

#define NOBODY UINT32_MAX

enum {
	CHAIN_HOPS = 2
};

struct ahead {
	const struct nat_ahead *of;
	uint64_t hash;
	uint32_t slot;        // of the mapping that stands there, or NO_SLOT
	uint32_t lease;       // of the chain, or NO_LEASE
	const uint32_t *head; // of the subscriber's chain
	uint32_t subscriber;  // of the chain, or NOBODY
	bool claims;          // a port that is suggested
};

// ---- the mapping and its lease ---------------------------------------------------------------

static void see_key(const struct nat *n, struct ahead *a)
{
	a->hash = hash_u64(key_word(&a->of->key), &n->secret);
	prefetch_write(&n->lines[hash_range(a->hash, n->n_lines)]);
	prefetch_write(&n->lease_heads[(uint32_t)a->hash & n->lease_mask]);
}

static void see_port_at(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	prefetch_write(entry_at(n, protocol, ext));
	prefetch_write(&n->blocks[block_of(n, ext)]);
	prefetch_write(used_words(n, protocol, ext >> 16) + (ext & 0xffff) / 64);
}

static void see_new(const struct nat *n, struct ahead *a)
{
	uint32_t address = NO_ADDRESS;

	a->head = subscriber_head(n, a->of->key.realm, a->of->key.host);
	prefetch_read(a->head);
	if (a->of->suggested.port != 0)
		address = address_find(n, a->of->suggested.addr);
	a->claims = address != NO_ADDRESS;
	if (a->claims)
		see_port_at(n, a->of->key.protocol, ext_of(address, a->of->suggested.port));
}

// Of a mapping that stands only its lease counts; a new one begins with its subscriber.
static void see_slot(const struct nat *n, struct ahead *a)
{
	uint32_t head = n->lease_heads[(uint32_t)a->hash & n->lease_mask];

	a->slot = table_find(n, &a->of->key, a->hash);
	a->lease = head - 1; // NO_LEASE when there is none
	if (a->lease != NO_LEASE)
		prefetch_write(&n->leases[a->lease]);
	if (a->slot == NO_SLOT)
		see_new(n, a);
	else if (a->of->ends || !(slot_at(n, a->slot)->bits & SLOT_LEASE))
		prefetch_write(entry_at(n, a->of->key.protocol, slot_at(n, a->slot)->ext));
}

// The lease of this key is the first of its chain, or the second, or mostly the third. Says whether
// it is not the one that was there.
static bool see_next(const struct nat *n, struct ahead *a)
{
	const struct lease *l = &n->leases[a->lease];

	if (likely(key_word(&l->key) == key_word(&a->of->key)) || l->chain == 0)
		return false;
	a->lease = l->chain - 1;
	prefetch_write(&n->leases[a->lease]);
	return true;
}

static void see_chains(const struct nat *n, struct ahead *list, uint32_t which)
{
	for (unsigned hop = 0; hop < CHAIN_HOPS && which != 0; hop++) {
		uint32_t left = which;

		for (; left != 0; left &= left - 1) {
			unsigned i = (unsigned)__builtin_ctz(left);
			if (!see_next(n, &list[i]))
				which &= ~(UINT32_C(1) << i);
		}
	}
}

// A lease that ends leaves its siblings, the wheel, its block and its subscriber.
static void see_end(const struct nat *n, const struct ahead *a)
{
	const struct lease *l = &n->leases[a->lease];

	prefetch_write(&n->subscribers[l->subscriber]);
	prefetch_write(&n->blocks[block_of(n, l->ext)]);
	prefetch_write(&n->chunks[l->wheel >> 4]);
	if (l->sibling_next != 0)
		prefetch_write(&n->leases[l->sibling_next - 1]);
	if (l->sibling_prev != 0)
		prefetch_write(&n->leases[l->sibling_prev - 1]);
}

// ---- what a new mapping needs ----------------------------------------------------------------

static void see_head(const struct nat *n, struct ahead *a)
{
	a->subscriber = *a->head - 1;
	if (a->subscriber != NOBODY)
		prefetch_write(&n->subscribers[a->subscriber]);
}

// Every fourth or fifth is not the first of his chain.
static void see_second(const struct nat *n, struct ahead *a)
{
	const struct subscriber *s = &n->subscribers[a->subscriber];

	if (subscriber_is(s, a->of->key.realm, a->of->key.host) || s->chain == 0)
		return;
	a->subscriber = s->chain - 1;
	prefetch_write(&n->subscribers[a->subscriber]);
}

static void see_subscriber(const struct nat *n, const struct ahead *a)
{
	const struct subscriber *s = &n->subscribers[a->subscriber];
	uint32_t block = s->active - 1;

	if (subscriber_is(s, a->of->key.realm, a->of->key.host))
		subscriber_note(n, a->subscriber, s->host);
	if (a->of->leases && s->leases != 0)
		prefetch_write(&n->leases[s->leases - 1]);
	if (s->active == 0 || a->claims)
		return;
	prefetch_write(&n->blocks[block]);
	prefetch_write(used_words(n, a->of->key.protocol, block >> n->block_bits) +
		       block_first_port(n, block) / 64);
}

static void see_port(const struct nat *n, const struct ahead *a)
{
	uint32_t ext = port_foresee(n, &n->subscribers[a->subscriber], &a->of->key);

	if (ext == NO_EXT)
		return;
	prefetch_write(entry_at(n, a->of->key.protocol, ext));
	if (a->of->key.protocol == NAT_TCP)
		prefetch_write(session_head(n, NAT_TCP, ext));
}

void nat_look_ahead(const struct nat *n, const struct nat_ahead *keys, unsigned count)
{
	struct ahead list[NAT_BURST];
	unsigned n_new = 0;
	uint32_t chained = 0;
	struct ahead *new[NAT_BURST];

	for (unsigned i = 0; i < count; i++) {
		list[i].of = &keys[i];
		list[i].slot = NO_SLOT;
		list[i].lease = NO_LEASE;
		if (keys[i].leases)
			see_key(n, &list[i]);
		else
			see_new(n, &list[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		if (keys[i].leases)
			see_slot(n, &list[i]);
		if (list[i].slot == NO_SLOT)
			new[n_new++] = &list[i];
		chained |= (uint32_t)(list[i].lease != NO_LEASE) << i;
	}
	see_chains(n, list, chained);
	for (unsigned i = 0; i < count; i++) {
		if (list[i].slot != NO_SLOT && keys[i].ends && list[i].lease != NO_LEASE)
			see_end(n, &list[i]);
	}
	for (unsigned i = 0; i < n_new; i++)
		see_head(n, new[i]);
	for (unsigned i = 0; i < n_new; i++) {
		if (new[i]->subscriber != NOBODY)
			see_second(n, new[i]);
	}
	for (unsigned i = 0; i < n_new; i++) {
		if (new[i]->subscriber != NOBODY)
			see_subscriber(n, new[i]);
	}
	for (unsigned i = 0; i < n_new; i++) {
		if (new[i]->subscriber != NOBODY && !new[i]->claims)
			see_port(n, new[i]);
	}
}

// ---- packets that must look closer -----------------------------------------------------------

static void see_owner(const struct nat *n, uint32_t ext)
{
	uint32_t owner = n->blocks[block_of(n, ext)].subscriber;

	if (owner != 0)
		prefetch_write(&n->subscribers[owner - 1]);
}

// Of a burst's packets these, by their bits: what visit.c will touch. The session of a mapping's
// only connection is the first of its chain.
struct closer {
	unsigned n;
	uint32_t begin; // those that may begin a session, for which its owner is charged
	uint32_t *head[NAT_BURST];
	uint32_t ext[NAT_BURST];
};

static void see_sessions(const struct nat *n, const struct closer *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (*c->head[i] != 0)
			prefetch_write(&n->sessions[*c->head[i] - 1]);
	}
	for (uint32_t left = c->begin; left != 0; left &= left - 1)
		see_owner(n, c->ext[__builtin_ctz(left)]);
}

static void add_closer(
	const struct nat *n, struct closer *c, uint8_t protocol, uint32_t ext, uint8_t flags)
{
	bool begins = protocol != NAT_TCP || tcp_begins(flags);

	if (begins)
		prefetch_write(&n->blocks[block_of(n, ext)]);
	c->begin |= (uint32_t)begins << c->n;
	c->ext[c->n] = ext;
	c->head[c->n] = session_head(n, protocol, ext);
	prefetch_write(c->head[c->n++]);
}

void foresee_out(
	const struct nat *n, const struct nat_out *packets, const uint32_t *slot, uint32_t which)
{
	struct closer c = {.n = 0};

	for (; which != 0; which &= which - 1) {
		unsigned i = (unsigned)__builtin_ctz(which);
		uint32_t ext = slot_at(n, slot[i])->ext;

		if (packets[i].key.protocol != NAT_TCP ||
			packets[i].tcp_flags & TCP_BEGIN_OR_END) // others hardly ever write it
			prefetch_write(entry_at(n, packets[i].key.protocol, ext));
		add_closer(n, &c, packets[i].key.protocol, ext, packets[i].tcp_flags);
	}
	see_sessions(n, &c);
}

void foresee_in(const struct nat *n, const struct nat_in *packets, struct entry *const *entry,
	uint32_t which)
{
	struct closer c = {.n = 0};
	uint64_t guarded[NAT_BURST];
	unsigned n_guarded = 0;

	for (; which != 0; which &= which - 1) {
		unsigned i = (unsigned)__builtin_ctz(which);
		const struct entry *e = entry[i];
		uint8_t protocol = packets[i].protocol;
		uint32_t ext = (uint32_t)(e - entry_at(n, protocol, 0));
		struct nat_key key = {e->host, e->port, e->realm, protocol};

		if (!(e->bits & EXT_REPLIED))
			prefetch_write(
				&n->blocks[block_of(n, ext)]); // the first answer is noted there
		prefetch_write(
			&n->lines[hash_range(hash_u64(key_word(&key), &n->secret), n->n_lines)]);
		add_closer(n, &c, protocol, ext, packets[i].tcp_flags);
		if (e->bits & EXT_FILTERS)
			guarded[n_guarded++] = key_word(&key);
	}
	if (n_guarded > 0)
		foresee_filters(n, guarded, n_guarded);
	see_sessions(n, &c);
}

// ---- the background --------------------------------------------------------------------------

void foresee_release(const struct nat *n, const struct rest *due, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		see_port_at(n, due[i].at_protocol & 3, due[i].ext);
	for (unsigned i = 0; i < count; i++)
		see_owner(n, due[i].ext);
}

// Mostly it goes to rest then, where it is found as before, and its port stays taken. One in eight
// does not stand in its home line, which counts it.
static void see_lease_over(const struct nat *n, const struct lease *l, uint64_t hash)
{
	prefetch_write(slot_at(n, l->slot));
	prefetch_write(&n->lines[hash_range(hash, n->n_lines)]);
	prefetch_write(entry_at(n, l->key.protocol, l->ext));
	prefetch_write(&n->blocks[block_of(n, l->ext)]);
	if (l->sibling_next != 0)
		prefetch_write(&n->leases[l->sibling_next - 1]);
	if (l->sibling_prev != 0)
		prefetch_write(&n->leases[l->sibling_prev - 1]);
}

// Who stands in front of it in its chain.
static void see_before(const struct nat *n, const uint32_t *head, uint32_t lease)
{
	if (*head != 0 && *head != lease + 1)
		prefetch_write(&n->leases[*head - 1]);
}

// Their own lines are there already.
void foresee_leases(const struct nat *n, const uint32_t *leases, unsigned count)
{
	const uint32_t *head[NAT_BURST];
	bool rest = leases_may_rest(n);
	unsigned n_put = 0;
	uint32_t put[NAT_BURST];

	for (unsigned i = 0; i < count; i++) {
		const struct lease *l = &n->leases[leases[i]];
		uint64_t hash = hash_u64(key_word(&l->key), &n->secret);

		prefetch_write(&n->subscribers[l->subscriber]);
		if (l->state != LEASE_RESTING)
			see_lease_over(n, l, hash);
		if (rest && l->state != LEASE_RESTING)
			continue;
		see_port_at(n, l->key.protocol, l->ext);
		head[n_put] = &n->lease_heads[(uint32_t)hash & n->lease_mask];
		prefetch_write(head[n_put]);
		put[n_put++] = leases[i];
	}
	for (unsigned i = 0; i < n_put; i++)
		see_before(n, head[i], put[i]);
}

void foresee_sessions(const struct nat *n, const uint32_t *sessions, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct session *x = &n->sessions[sessions[i]];

		prefetch_write(entry_at(n, x->protocol, x->ext));
		prefetch_write(&n->blocks[block_of(n, x->ext)]);
		prefetch_write(session_head(n, x->protocol, x->ext));
	}
	for (unsigned i = 0; i < count; i++) {
		const struct session *x = &n->sessions[sessions[i]];
		const struct entry *e = entry_at(n, x->protocol, x->ext);
		struct nat_key key = {e->host, e->port, e->realm, x->protocol};

		see_owner(n, x->ext);
		if (!n->blocks[block_of(n, x->ext)].replied) // its port will not rest
			prefetch_write(
				used_words(n, x->protocol, x->ext >> 16) + (x->ext & 0xffff) / 64);
		prefetch_write(
			&n->lines[hash_range(hash_u64(key_word(&key), &n->secret), n->n_lines)]);
	}
}
