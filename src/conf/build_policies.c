// SPDX-License-Identifier: Apache-2.0
// What the NAT policies of groups borrow: the lists of deterministic plans and of pass-through
// destinations, in the snapshot's own arena.
#include <errno.h>

#include "draft.h"

static bool build_plan(struct draft *d, struct said_group *g)
{
	struct nat_plan *p = &g->g.plan;
	struct prefix4 *inside = draft_keep(d, p->n_inside, sizeof *inside);
	ip4 *external = draft_keep(d, p->n_external, sizeof *external);

	if (!inside || !external)
		return false;
	memcpy(inside, p->inside, p->n_inside * sizeof *inside);
	memcpy(external, p->external, p->n_external * sizeof *external);
	p->inside = inside;
	p->external = external;
	return true;
}

static bool build_passes(struct draft *d, struct said_group *g)
{
	struct conf_pass *list = draft_keep(d, g->g.n_pass, sizeof *list);

	if (!list)
		return false;
	memcpy(list, g->g.pass, g->g.n_pass * sizeof *list);
	g->g.pass = list;
	return true;
}

int build_policies(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++) {
		struct said_group *g = &d->groups[i];
		if (g->plan.wanted && !build_plan(d, g))
			return -ENOMEM;
		if (g->g.n_pass > 0 && !build_passes(d, g))
			return -ENOMEM;
	}
	return 0;
}
