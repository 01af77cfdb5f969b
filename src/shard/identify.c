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
static uint16_t draw(struct burst *b, const struct pkt *p)
{
	struct fragments *f = b->s->fragments;
	uint64_t ends = (uint64_t)p->src << 32 | p->dst;
	uint64_t key = ends + p->protocol * UINT64_C(0x9e3779b97f4a7c15);
	uint16_t *counter = &f->counters[hash_u64(key, &f->secret) % IDENTIFIERS];
	uint32_t n = b->s->n_shards > 1 ? shards_of(b, p->src) : 1;

	if (n == 1)
		return ++*counter;
	*counter = (uint16_t)((*counter + 1u) % (ID_SPACE / n));
	return (uint16_t)(*counter * n + b->s->id);
}

// The record of a resolved fragment's datagram. It may have ended in this burst, but then it has
// its contents still.
static __attribute__((noinline)) struct record *record_of(
	const struct burst *b, const struct pkt *p)
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

void identify(struct burst *b, struct pkt *p)
{
	struct record *r = unlikely(p->resolved) ? record_of(b, p) : NULL;

	if (likely(r == NULL)) {
		xlat_identify(p, draw(b, p));
		return;
	}
	if (!r->identified)
		r->new_id = draw(b, p);
	r->identified = true;
	xlat_identify(p, r->new_id);
}
