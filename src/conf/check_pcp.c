// SPDX-License-Identifier: Apache-2.0
// `pcp`: whether its switches agree, and whether those it trusts can be there at all.
#include <stdlib.h>

#include "draft.h"

// ---- the threat model ------------------------------------------------------------------------

static void check_third_option(
	struct draft *d, const struct said_group *g, enum pcp_option_index option)
{
	const struct node *at = find_option(g, option);

	if (!at)
		return;
	if (g->pcp.threat == THREAT_SIMPLE)
		complain(&d->critic, at, "no third parties, as threat-model: simple has it");
	else if (!g->pcp.sources_at)
		complain(&d->critic, at,
			"third-party.sources: those who may ask for others, or not this option");
}

static void check_threat_model(struct draft *d, const struct said_group *g)
{
	bool early = g->g.pcp.early_delete;

	if (g->pcp.threat == THREAT_SIMPLE && g->pcp.early_at && early)
		complain(&d->critic, g->pcp.early_at, "false, as threat-model: simple has it");
	if (g->pcp.threat == THREAT_ADVANCED && !early)
		complain(&d->critic, g->pcp.early_at, "true, as threat-model: advanced has it");
	if (g->pcp.threat == THREAT_SIMPLE && g->g.pcp.any_nonce) // RFC 6887 s.11.3: MUST
		complain(&d->critic, g->pcp.nonce_at, "strict, as threat-model: simple has it");
	if (g->pcp.threat == THREAT_SIMPLE && g->pcp.n_sources > 0)
		complain_found(&d->critic, g->pcp.sources_at, "third parties",
			"none, as threat-model: simple has it");
	check_third_option(d, g, PCP_INDEX_THIRD_PARTY);
	check_third_option(d, g, PCP_INDEX_THIRD_PARTY_ID);
}

// ---- sources ---------------------------------------------------------------------------------

static bool overlap(struct prefix4 a, struct prefix4 b)
{
	return prefix4_has(a, b.base) || prefix4_has(b, a.base);
}

// Of what could not be read the best is believed.
static bool leads_to(const struct said_interface *s, struct prefix4 p)
{
	if (s->side_known && s->side != CONF_INSIDE)
		return false;
	if (s->unsure || !s->side_known)
		return true;
	for (uint32_t i = 0; i < s->n_addresses; i++) {
		struct conf_address a = s->addresses[i].address;
		if (overlap((struct prefix4){a.ip & prefix4_mask(a.bits), a.bits}, p))
			return true;
	}
	for (const struct said_route *r = s->routes; r; r = r->next) {
		if (overlap(r->to, p))
			return true;
	}
	return false;
}

// A request from where no inside port leads could not be answered.
static void check_sources(struct draft *d, const struct said_prefix *all, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		bool found = d->n_interfaces == 0;
		for (uint32_t j = 0; j < d->n_interfaces && !found; j++)
			found = leads_to(&d->interfaces[j], all[i].prefix);
		if (!found)
			complain(&d->critic, all[i].at,
				"hosts in a subnet or behind a route of an inside port");
	}
}

// ---- identifiers -----------------------------------------------------------------------------

static int compare_ids(const void *left, const void *right)
{
	const struct said_id *a = *(const struct said_id *const *)left;
	const struct said_id *b = *(const struct said_id *const *)right;

	if (a->id.length != b->id.length)
		return a->id.length < b->id.length ? -1 : 1;
	int order = memcmp(a->id.octets, b->id.octets, a->id.length);
	if (order)
		return order;
	return node_before(a->at, b->at) ? -1 : 1;
}

// The length is part of an identifier: 00 and 0000 are two.
static void check_ids_once(struct draft *d, const struct said_group *g)
{
	uint32_t n = g->pcp.n_ids;
	const struct said_id **all = draft_alloc(d, n, sizeof *all);
	char place[PLACE_TEXT];

	if (!all || n == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		all[i] = &g->pcp.ids[i];
	qsort(all, n, sizeof *all, compare_ids);
	for (uint32_t i = 1; i < n; i++) {
		const struct server_id *a = &all[i - 1]->id, *b = &all[i]->id;
		if (a->length && a->length == b->length && !memcmp(a->octets, b->octets, a->length))
			complain(&d->critic, all[i]->id_at,
				"an identifier of its own: %s has this one",
				node_place(all[i - 1]->at, place));
	}
}

static void check_ids(struct draft *d, struct said_group *g)
{
	for (uint32_t i = 0; i < g->pcp.n_ids; i++) {
		struct said_id *s = &g->pcp.ids[i];
		const struct node *at = s->inside_at;
		if (at->kind == NODE_SCALAR)
			s->iface = draft_find_interface(d, at->text);
		if (s->iface < 0 || !g->inside[s->iface])
			complain(&d->critic, at, "the name of an inside port of %s", g->g.name);
	}
	check_ids_once(d, g);
}

void check_pcp(struct draft *d)
{
	for (uint32_t i = 0; i < d->n_groups; i++) {
		struct said_group *g = &d->groups[i];
		check_threat_model(d, g);
		check_sources(d, g->pcp.sources, g->pcp.n_sources);
		check_sources(d, g->pcp.readers, g->pcp.n_readers);
		check_ids(d, g);
	}
}
