// SPDX-License-Identifier: Apache-2.0
// Leaves of a group that want something of each other.
#include "draft.h"

static void check_user_high(struct draft *d, const struct said_group *g)
{
	if (g->g.nat.user_high > 0 && g->g.nat.port_limit == 0)
		complain(&d->critic, tree_find(g->at, "notify-user-high"),
			"a port-limit beside it: it is a percentage of that");
}

static void check_unsolicited(struct draft *d, const struct said_group *g)
{
	if (g->g.tcp_unsolicited_icmp && d->c->syns == 0)
		complain(&d->critic, tree_find(g->at, "tcp-unsolicited"),
			"limits.max-stored-syn above 0: each such SYN is kept for some seconds");
}

// No port is given out by both.
static void check_explicit(struct draft *d, const struct said_group *g)
{
	uint32_t first = g->g.nat.explicit_first, last = g->g.nat.explicit_last;

	if (first == 0)
		return;
	if (g->plan.wanted)
		complain_found(&d->critic, g->explicit_at, "a range of its own",
			"none: with deterministic, explicit mappings take the host's own ports");
	else if (first <= g->g.port_last && last >= g->g.port_first)
		complain_found(&d->critic, g->explicit_at, "ports that are in port-range too",
			"ports outside of %u to %u (see port-range)", g->g.port_first,
			g->g.port_last);
}

static void check_numbers(struct draft *d, const struct said_group *g)
{
	if (g->plan.at && !g->plan.wanted)
		complain_found(&d->critic, g->plan.at, "numbers of another allocation",
			"port-allocation-type: deterministic beside it");
}

void check_policies(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++) {
		check_user_high(d, &d->groups[i]);
		check_unsolicited(d, &d->groups[i]);
		check_explicit(d, &d->groups[i]);
		check_numbers(d, &d->groups[i]);
	}
}
