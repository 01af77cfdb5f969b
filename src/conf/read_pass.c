// SPDX-License-Identifier: Apache-2.0
// `nat-pass-through`: outside destinations to which, and from which, a group's packets go
// untranslated (RFC 6888 REQ-6).
#include "draft.h"
#include "leaf.h"

enum {
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17
};

struct said_pass {
	struct conf_pass pass;
	const struct node *prefix_at, *ports_at;
};

static void read_prefix(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_pass *s = out;
	struct prefix4 loose;
	char text[PREFIX4_TEXT];
	ip4 host;

	(void)f;
	s->prefix_at = at;
	if (at->kind == NODE_SCALAR && prefix4_parse(at->text, &s->pass.to, NULL))
		return;
	if (at->kind == NODE_SCALAR && prefix4_parse(at->text, &loose, &host))
		complain(&d->critic, at, "no bits behind the prefix: %s",
			prefix4_format(loose, text));
	else
		complain(&d->critic, at, "a prefix such as 198.18.0.0/15");
}

static void read_protocol(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct {
		const char *word;
		uint8_t protocol;
	} words[] = {{"udp", PROTOCOL_UDP}, {"tcp", PROTOCOL_TCP}, {"icmp", PROTOCOL_ICMP}};
	struct said_pass *s = out;
	uint64_t n;

	(void)f;
	for (unsigned i = 0; at->kind == NODE_SCALAR && i < ARRAY_SIZE(words); i++) {
		if (!strcmp(at->text, words[i].word)) {
			s->pass.protocol = words[i].protocol;
			return;
		}
	}
	if (at->kind == NODE_SCALAR && leaf_count(at->text, &n) && n >= 1 && n <= 255)
		s->pass.protocol = (uint8_t)n;
	else
		complain(&d->critic, at, "udp, tcp, icmp or a protocol number from 1 to 255");
}

static void read_span(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_pass *s = out;
	uint32_t first, last;

	(void)f;
	s->ports_at = at;
	if (at->kind == NODE_SCALAR && leaf_span(at->text, &first, &last) && first > 0) {
		s->pass.port_first = (uint16_t)first;
		s->pass.port_last = (uint16_t)last;
	} else {
		complain(&d->critic, at, "a port or a range such as 5060-5061");
	}
}

static bool read_pass(struct draft *d, const struct node *at, struct conf_pass *out)
{
	static const struct field fields[] = {
		{"prefix", read_prefix, 0, 0, 0},
		{"protocol", read_protocol, 0, 0, 0},
		{"ports", read_span, 0, 0, 0},
	};
	struct said_pass s = {.pass = {.port_last = UINT16_MAX}};
	uint32_t before = d->critic.n;

	fields_read(d, at, fields, ARRAY_SIZE(fields), &s);
	if (d->critic.n > before)
		return false;
	if (!s.prefix_at) {
		complain_found(&d->critic, at, "no prefix",
			"an outside destination such as {prefix: 198.18.0.0/15, protocol: tcp, "
			"ports: 80-81}");
		return false;
	}
	if (s.ports_at && s.pass.protocol != 0 && s.pass.protocol != PROTOCOL_UDP &&
		s.pass.protocol != PROTOCOL_TCP) {
		complain(&d->critic, s.ports_at, "no ports: only UDP and TCP have any");
		return false;
	}
	*out = s.pass;
	return true;
}

void read_passes(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	if (!field_list(d, at, CONF_MAX_PASS, "a list of destinations such as {prefix: ...}"))
		return;
	g->g.pass = draft_alloc(d, at->n, sizeof *g->g.pass);
	for (const struct node *item = at->first; item && g->g.pass; item = item->next)
		g->g.n_pass = (uint16_t)(g->g.n_pass + read_pass(d, item, &g->g.pass[g->g.n_pass]));
}
