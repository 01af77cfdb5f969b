// SPDX-License-Identifier: Apache-2.0
// The table of fragmented datagrams. A flood can fill it, so what it holds is cheap to lose: where
// no place is free the oldest datagram whose first has come ends. Pieces of a datagram that arrive
// in order follow each other closely, and find their record still there.
#include <postern/shard.h>

#include "fragments.h"

enum {
	DATAGRAMS = 4096 // unless the setup says otherwise
};

static uint32_t datagrams_of(const struct shard_setup *setup)
{
	return max_u32(setup->datagrams != 0 ? setup->datagrams : DATAGRAMS, 2);
}

static uint32_t heads_of(const struct shard_setup *setup)
{
	uint32_t n = 2;

	while (n < datagrams_of(setup))
		n *= 2;
	return n;
}

size_t fragments_size(const struct shard_setup *setup)
{
	return sizeof(struct fragments) + datagrams_of(setup) * sizeof(struct record) +
	       setup->fragments * sizeof(struct held) + heads_of(setup) * sizeof(uint32_t);
}

// ---- lists -----------------------------------------------------------------------------------

static void list_add(struct fragments *f, struct record_list *list, struct record *r)
{
	uint32_t i = (uint32_t)(r - f->records);

	r->older = list->last;
	r->newer = NO_RECORD;
	if (list->last != NO_RECORD)
		f->records[list->last].newer = i;
	else
		list->first = i;
	list->last = i;
}

static void list_remove(struct fragments *f, struct record_list *list, struct record *r)
{
	if (r->older != NO_RECORD)
		f->records[r->older].newer = r->newer;
	else
		list->first = r->newer;
	if (r->newer != NO_RECORD)
		f->records[r->newer].older = r->older;
	else
		list->last = r->older;
}

static struct record_list *list_of(struct fragments *f, const struct record *r)
{
	struct record_side *side = side_of(f, r);

	switch (r->state) {
	case RECORD_FREE:
		return &side->free;
	case RECORD_WAITING:
		return &side->waiting;
	default:
		return &side->settled;
	}
}

static void move(struct fragments *f, struct record *r, enum record_state state)
{
	struct record_side *side = side_of(f, r);

	side->n_waiting -= r->state == RECORD_WAITING;
	side->n_waiting += state == RECORD_WAITING;
	list_remove(f, list_of(f, r), r);
	r->state = (uint8_t)state;
	list_add(f, list_of(f, r), r);
}

// ---- life ------------------------------------------------------------------------------------

static const struct record_list empty = {NO_RECORD, NO_RECORD};

static void init_side(struct fragments *f, struct record_side *side, uint32_t first, uint32_t n)
{
	side->n = n;
	side->free = side->waiting = side->settled = empty;
	for (uint32_t i = first; i < first + n; i++)
		list_add(f, &side->free, &f->records[i]);
}

static void init_held(struct fragments *f, uint32_t n)
{
	f->n_places = n;
	f->held_free = f->due_first = f->due_last = NO_RECORD;
	for (uint32_t i = n; i-- > 0;) {
		f->held[i].next = f->held_free;
		f->held_free = i;
	}
}

struct fragments *fragments_init(void *mem, const struct shard_setup *setup, struct rng *rng)
{
	struct fragments *f = mem;
	uint32_t n = datagrams_of(setup);

	f->secret = rng_secret(rng);
	f->records = (void *)(f + 1);
	f->held = (void *)(f->records + n);
	f->heads = (void *)(f->held + setup->fragments);
	f->mask = heads_of(setup) - 1;
	memset(f->heads, 0xff, (f->mask + 1) * sizeof *f->heads);
	init_side(f, &f->sides[0], 0, n / 2);
	init_side(f, &f->sides[1], n / 2, n - n / 2);
	init_held(f, setup->fragments);
	for (uint32_t i = 0; i < IDENTIFIERS; i++)
		f->counters[i] = (uint16_t)rng_u32(rng);
	return f;
}

// ---- finding ---------------------------------------------------------------------------------

uint64_t record_hash(const struct fragments *f, const struct datagram_key *key)
{
	uint64_t ends = (uint64_t)key->src << 32 | key->dst;
	uint64_t rest = (uint64_t)key->realm << 24 | (uint64_t)key->protocol << 16 | key->id;

	return hash_u64(hash_u64(ends, &f->secret) ^ rest, &f->secret);
}

uint16_t record_share(const struct fragments *f, uint8_t realm, ip4 src)
{
	return (uint16_t)hash_range(hash_u64((uint64_t)realm << 32 | src, &f->secret), SHARES);
}

static uint32_t *head_of(struct fragments *f, const struct datagram_key *key)
{
	return &f->heads[record_hash(f, key) & f->mask];
}

static bool key_eq(const struct datagram_key *a, const struct datagram_key *b)
{
	return a->src == b->src && a->dst == b->dst && a->id == b->id && a->realm == b->realm &&
	       a->protocol == b->protocol;
}

struct record *record_find(struct fragments *f, const struct datagram_key *key)
{
	for (uint32_t i = *head_of(f, key); i != NO_RECORD; i = f->records[i].next) {
		if (key_eq(&f->records[i].key, key))
			return &f->records[i];
	}
	return NULL;
}

static void unlink_record(struct fragments *f, const struct record *r)
{
	uint32_t *at = head_of(f, &r->key);

	while (&f->records[*at] != r)
		at = &f->records[*at].next;
	*at = r->next;
}

// ---- making and ending -----------------------------------------------------------------------

static struct record *free_record(struct fragments *f, struct record_side *side)
{
	if (side->free.first == NO_RECORD && side->settled.first != NO_RECORD)
		record_end(f, &f->records[side->settled.first], DROP_NONE);
	return side->free.first == NO_RECORD ? NULL : &f->records[side->free.first];
}

// Of datagrams without their first at most half a side, so that those which come in order have the
// other half; of one source an eighth.
struct record *record_make(
	struct fragments *f, bool outside, bool early, const struct datagram_key *key, ns now)
{
	struct record_side *side = &f->sides[outside];
	uint16_t share = record_share(f, key->realm, key->src);
	struct record *r;

	if ((early && side->n_waiting >= max_u32(side->n / 2, 1)) ||
		side->shares[share] >= max_u32(side->n / RECORD_SHARE, 1))
		return NULL;
	r = free_record(f, side);
	if (r == NULL)
		return NULL;
	move(f, r, RECORD_WAITING);
	r->key = *key;
	r->next = *head_of(f, key);
	*head_of(f, key) = (uint32_t)(r - f->records);
	r->began = now;
	r->share = share;
	side->shares[share]++;
	r->identified = false;
	r->n_ranges = r->n_recent = r->n_held = 0;
	r->end = 0;
	r->held_first = r->held_last = NO_RECORD;
	return r;
}

static uint8_t kind_of(uint8_t protocol)
{
	return protocol == IP_UDP ? PKT_UDP : protocol == IP_TCP ? PKT_TCP : PKT_ECHO;
}

void record_settle(struct fragments *f, struct record *r, const struct pkt_fragment *first)
{
	r->kind = kind_of(r->key.protocol);
	r->sport = first->sport;
	r->dport = first->dport;
	move(f, r, RECORD_SETTLED);
	held_release(f, r, DROP_NONE);
}

void record_give_up(struct fragments *f, struct record *r, enum drop why)
{
	held_release(f, r, why);
	move(f, r, RECORD_GIVEN_UP);
}

void record_end(struct fragments *f, struct record *r, enum drop why)
{
	held_release(f, r, why);
	unlink_record(f, r);
	side_of(f, r)->shares[r->share]--;
	move(f, r, RECORD_FREE);
}
