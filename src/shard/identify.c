// SPDX-License-Identifier: Apache-2.0
// IPv4 identifications (RFC 6864, RFC 7857 s.10): behind one external address many hosts choose
// theirs without knowing of each other, so packets that may be cut get new ones here. Counters are
// found by a keyed hash of what an identification must be unique for; two that meet in one counter
// only use it up faster.
#include <postern/shard.h>

#include "fragments.h"

enum {
	ID_SPACE = 65536
};

// How many shards draw identifications for this address.
static uint32_t shards_of(const struct burst *b, ip4 external)
{
	const struct conf_local *local = conf_find_local(b->c, 0, external);
	const struct conf_external *e;

	if (local == NULL || local->kind != CONF_LOCAL_POOL)
		return b->s->n_shards;
	e = &b->c->external[local->index];
	return e->whole == CONF_CUT_ADDRESS || e->planned || e->crossing ? b->s->n_shards : 1;
}

// Shards that share an address draw from different residues.
static inline uint16_t draw(struct burst *b, const struct pkt *p, ip4 external)
{
	struct fragments *f = b->s->fragments;
	uint64_t ends = (uint64_t)external << 32 | p->dst;
	uint64_t hash = hash_fold(ends ^ f->secret.k[0], f->secret.k[1] + p->protocol);
	uint16_t *counter = &f->counters[hash % IDENTIFIERS];
	uint32_t n = unlikely(b->s->n_shards > 1) ? shards_of(b, external) : 1;

	if (likely(n == 1))
		return ++*counter;
	*counter = (uint16_t)((*counter + 1u) % (ID_SPACE / n));
	return (uint16_t)(*counter * n + b->s->id);
}

// The record of a resolved fragment's datagram. It may have ended in this burst, but then it has
// its contents still.
static struct record *record_of(const struct burst *b, const struct pkt *p)
{
	struct fragments *f = b->s->fragments;
	const struct ip4_wire *ip = (const void *)p->l3;
	struct record *r;

	if (p->datagram >= f->sides[0].n)
		return NULL;
	r = &f->records[p->datagram];
	return r->key.dst == p->dst && r->key.protocol == p->protocol && be16_eq(ip->id, r->key.id)
		       ? r
		       : NULL;
}

static __attribute__((noinline)) uint16_t of_datagram(
	struct burst *b, const struct pkt *p, ip4 external)
{
	struct record *r = record_of(b, p);

	if (r == NULL)
		return draw(b, p, external);
	if (!r->identified)
		r->new_id = draw(b, p, external);
	r->identified = true;
	return r->new_id;
}

uint16_t identification(struct burst *b, const struct pkt *p, ip4 external)
{
	return unlikely(p->resolved) ? of_datagram(b, p, external) : draw(b, p, external);
}

void identify(struct burst *b, struct pkt *p)
{
	xlat_identify(p, identification(b, p, p->src));
}
