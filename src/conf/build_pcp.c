// SPDX-License-Identifier: Apache-2.0
// What the policies of `pcp` borrow: lists in the snapshot's own arena.
#include <errno.h>

#include "draft.h"

void *draft_keep(struct draft *d, size_t n, size_t size)
{
	struct arena arena = {d->c->borrowed};
	void *mem = arena_alloc(&arena, n * size);

	d->c->borrowed = arena.blocks;
	return mem;
}

static bool build_sources(
	struct draft *d, const struct said_prefix *said, uint32_t n, struct server_sources *out)
{
	struct prefix4 *list;

	if (n == 0)
		return true;
	list = draft_keep(d, n, sizeof *list);
	for (uint32_t i = 0; i < n && list; i++)
		list[i] = said[i].prefix;
	*out = (struct server_sources){.n = n, .list = list};
	return list;
}

static bool build_ids(struct draft *d, struct said_group *g)
{
	struct server_third_party *t = &g->g.pcp.third_party;
	uint32_t n = g->pcp.n_ids;
	struct server_id *list;

	if (n == 0)
		return true;
	list = draft_keep(d, n, sizeof *list);
	for (uint32_t i = 0; i < n && list; i++) {
		list[i] = g->pcp.ids[i].id;
		list[i].realm = d->c->interfaces[g->pcp.ids[i].iface].realm;
	}
	t->n_ids = n;
	t->ids = list;
	return list;
}

// Those with IPv4 lists go first (RFC 7225 s.4.2); otherwise the file's order is the operator's.
static bool build_prefix64(struct draft *d, struct said_group *g)
{
	uint32_t n = g->pcp.n_prefix64, at = 0;
	struct pcp_prefix64 *list;

	if (n == 0)
		return true;
	list = draft_keep(d, n, sizeof *list);
	for (uint32_t i = 0; i < n && list; i++) {
		if (g->pcp.prefix64[i].p.n > 0)
			list[at++] = g->pcp.prefix64[i].p;
	}
	for (uint32_t i = 0; i < n && list; i++) {
		if (g->pcp.prefix64[i].p.n == 0)
			list[at++] = g->pcp.prefix64[i].p;
	}
	g->g.pcp.n_prefix64 = n;
	g->g.pcp.prefix64 = list;
	return list;
}

int build_pcp(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++) {
		struct said_group *g = &d->groups[i];
		struct server_policy *p = &g->g.pcp;
		if (!build_sources(d, g->pcp.sources, g->pcp.n_sources, &p->third_party.sources) ||
			!build_sources(d, g->pcp.readers, g->pcp.n_readers, &p->nonce_readers) ||
			!build_ids(d, g) || !build_prefix64(d, g))
			return -ENOMEM;
	}
	return 0;
}
