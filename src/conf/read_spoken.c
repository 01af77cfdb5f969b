// SPDX-License-Identifier: Apache-2.0
// What a group's PCP server speaks: versions, opcodes, options. All three are lists of words.
#include "draft.h"

static const char *const version_words[] = {[PCP_V2] = "2",
	[PCP_NATPMP] = "nat-pmp",
	[PCP_V1A] = "1a",
	[PCP_V1B] = "1b",
	[PCP_V1C] = "1c"};

static const char *const opcode_words[] = {[SERVER_ANNOUNCE] = "announce",
	[SERVER_MAP] = "map",
	[SERVER_PEER] = "peer",
	[SERVER_GET] = "get",
	[SERVER_EXTERNAL_ADDRESS] = "external-address"};

static const char *const option_words[] = {[PCP_INDEX_THIRD_PARTY] = "third-party",
	[PCP_INDEX_PREFER_FAILURE] = "prefer-failure",
	[PCP_INDEX_FILTER] = "filter",
	[PCP_INDEX_THIRD_PARTY_ID] = "third-party-id",
	[PCP_INDEX_DESCRIPTION] = "description",
	[PCP_INDEX_PREFIX64] = "prefix64",
	[PCP_INDEX_PORT_SET] = "port-set",
	[PCP_INDEX_NEXT] = "next",
	[PCP_INDEX_PORT_RESERVATION] = "port-reservation",
	[PCP_INDEX_CHECKPOINT_REQUIRED] = "checkpoint-required"};

static_assert(ARRAY_SIZE(version_words) == PCP_DIALECTS, "every dialect has a word");
static_assert(ARRAY_SIZE(opcode_words) == SERVER_OTHER_OPCODE, "every opcode has a word");
static_assert(ARRAY_SIZE(option_words) == PCP_OTHER_OPTION, "every option has a word");

#define BIT(index) (1u << (index))

void read_versions(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->g.pcp.dialects = (uint8_t)field_words(
		d, at, version_words, ARRAY_SIZE(version_words), "a list such as [2, nat-pmp]");
	if (node_is_empty_list(at))
		complain(&d->critic, at, "a list such as [2, nat-pmp] (pcp: false is off)");
}

void read_opcodes(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->g.pcp.opcodes = (uint8_t)field_words(
		d, at, opcode_words, ARRAY_SIZE(opcode_words), "a list such as [announce, map]");
	if (node_is_empty_list(at))
		complain(&d->critic, at, "a list such as [announce, map] (pcp: false is off)");
}

void read_options(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->pcp.options_at = at;
	g->g.pcp.options = (uint16_t)field_words(d, at, option_words, ARRAY_SIZE(option_words),
		"a list such as [prefer-failure, filter], or []");
}

const struct node *find_option(const struct said_group *g, enum pcp_option_index option)
{
	const struct node *at = g->pcp.options_at ? g->pcp.options_at->first : NULL;

	while (at && (at->kind != NODE_SCALAR || strcmp(at->text, option_words[option]) != 0))
		at = at->next;
	return at;
}

void set_spoken_defaults(struct server_policy *p)
{
	p->dialects = PCP_SERVES(PCP_V2) | PCP_SERVES(PCP_NATPMP);
	p->opcodes = BIT(SERVER_ANNOUNCE) | BIT(SERVER_MAP) | BIT(SERVER_PEER) |
		     BIT(SERVER_EXTERNAL_ADDRESS);
	p->options = BIT(PCP_INDEX_PREFER_FAILURE) | BIT(PCP_INDEX_FILTER) |
		     BIT(PCP_INDEX_DESCRIPTION) | BIT(PCP_INDEX_PREFIX64) |
		     BIT(PCP_INDEX_PORT_SET) | BIT(PCP_INDEX_CHECKPOINT_REQUIRED);
}

void settle_spoken(struct said_group *g)
{
	struct server_policy *p = &g->g.pcp;

	if (!g->pcp.options_at && g->pcp.n_sources > 0)
		p->options |= BIT(PCP_INDEX_THIRD_PARTY);
	if (!g->pcp.options_at && g->pcp.n_sources > 0 && g->pcp.n_ids > 0)
		p->options |= BIT(PCP_INDEX_THIRD_PARTY_ID);
	if (!g->pcp.legacy)
		return;
	p->opcodes |= BIT(SERVER_GET);
	p->options |= BIT(PCP_INDEX_NEXT) | BIT(PCP_INDEX_PORT_RESERVATION);
}
