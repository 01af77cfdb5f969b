// SPDX-License-Identifier: Apache-2.0
// Those who may do more than ask for themselves: `third-party` and `nonce-readers`.
#include "draft.h"
#include "leaf.h"

enum {
	IDS_MOST = 1024 // of one group
};

static void read_sources(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->pcp.sources_at = at;
	g->pcp.n_sources = field_prefixes(d, at, &g->pcp.sources);
}

void read_nonce_readers(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->pcp.n_readers = field_prefixes(d, at, &g->pcp.readers);
}

// ---- identifiers -----------------------------------------------------------------------------

static void read_octets(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_id *s = out;

	(void)f;
	s->id_at = at;
	if (at->kind == NODE_SCALAR)
		s->id.length = (uint8_t)leaf_octets(at->text, s->id.octets, SERVER_MAX_ID);
	if (s->id.length == 0)
		complain(&d->critic, at,
			"1 to %u octets of two hexadecimal digits each, such as 00abcdef",
			SERVER_MAX_ID);
}

static bool read_id(struct draft *d, const struct node *at, struct said_id *s)
{
	static const struct field fields[] = {
		{"id", read_octets, 0, 0, 0},
		{"inside", read_node, offsetof(struct said_id, inside_at), 0, 0},
	};
	uint32_t before = d->critic.n;

	*s = (struct said_id){.at = at, .iface = -1};
	fields_read(d, at, fields, ARRAY_SIZE(fields), s);
	if (s->id_at && s->inside_at)
		return true;
	if (d->critic.n == before)
		complain_found(&d->critic, at, s->id_at ? "no inside" : "no id",
			"an identifier such as {id: 00abcdef, inside: PORT}");
	return false;
}

static void read_ids(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_pcp *p = &((struct said_group *)out)->pcp;

	(void)f;
	if (!field_list(d, at, IDS_MOST,
		    "a list of identifiers such as {id: 00abcdef, inside: "
		    "PORT}"))
		return;
	p->ids = draft_alloc(d, at->n, sizeof *p->ids);
	for (const struct node *item = at->first; item && p->ids; item = item->next)
		p->n_ids += read_id(d, item, &p->ids[p->n_ids]);
}

void read_third_party(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"sources", read_sources, 0, 0, 0},
		{"identifiers", read_ids, 0, 0, 0},
		{"identifier-required", read_bool,
			offsetof(struct said_group, g.pcp.third_party.id_required), 0, 0},
	};
	struct said_group *g = out;
	uint32_t before = d->critic.n;

	(void)f;
	fields_read(d, at, fields, ARRAY_SIZE(fields), g);
	if (d->critic.n > before || at->n == 0)
		return;
	if (!g->pcp.sources_at)
		complain_found(&d->critic, at, "no sources",
			"sources: prefixes of those who may ask for others");
	if (g->g.pcp.third_party.id_required && g->pcp.n_ids == 0)
		complain_found(&d->critic, at, "no identifiers",
			"identifiers, as identifier-required is true");
}
