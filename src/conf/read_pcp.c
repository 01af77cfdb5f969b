// SPDX-License-Identifier: Apache-2.0
// A group's `pcp`: where it listens and what it grants.
#include "draft.h"
#include "leaf.h"

enum {
	LIFETIME_MOST = 365 * 86400, // a mapping for longer is a static one
	LEASES_MOST = 65535
};

static bool listen_is_new(struct draft *d, const struct node *at, struct said_group *g, ip4 ip)
{
	for (uint32_t i = 0; i < g->g.n_listen; i++) {
		if (g->g.listen[i] == ip) {
			complain(&d->critic, at, "each address once");
			return false;
		}
	}
	return true;
}

static void read_listen_item(struct draft *d, const struct node *at, struct said_group *g)
{
	ip4 ip;

	if (at->kind == NODE_SCALAR && !strcmp(at->text, "gateway")) {
		g->g.listen_gateway = true;
		return;
	}
	if (at->kind != NODE_SCALAR || !ip4_parse(at->text, &ip) || !leaf_is_host(ip)) {
		complain(&d->critic, at, "an address such as 192.0.2.1, or gateway");
		return;
	}
	if (!listen_is_new(d, at, g, ip))
		return;
	if (g->g.n_listen == CONF_MAX_LISTEN) {
		complain(&d->critic, at, "at most %u addresses", CONF_MAX_LISTEN);
		return;
	}
	g->listen_at[g->g.n_listen] = at;
	g->g.listen[g->g.n_listen++] = ip;
}

static void read_listen(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->listen_list_at = at;
	if (!field_list(d, at, CONF_MAX_LISTEN + 1, "a list such as [192.0.2.1, gateway]"))
		return;
	g->g.listen_gateway = false;
	for (const struct node *item = at->first; item; item = item->next)
		read_listen_item(d, item, g);
	if (at->n == 0)
		complain(&d->critic, at, "a list such as [192.0.2.1, gateway] (pcp: false is off)");
}

static void read_lifetime(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"min", read_u32_seconds, offsetof(struct server_policy, lifetime_min_s), 1,
			LIFETIME_MOST},
		{"max", read_u32_seconds, offsetof(struct server_policy, lifetime_max_s), 1,
			LIFETIME_MOST},
	};
	struct said_group *g = out;
	struct server_policy *p = &g->g.pcp;
	uint32_t before = d->critic.n;
	char min[SECONDS_TEXT], max[SECONDS_TEXT];

	(void)f;
	g->lifetime_at = at;
	fields_read(d, at, fields, ARRAY_SIZE(fields), p);
	if (d->critic.n == before && p->lifetime_min_s > p->lifetime_max_s)
		complain_found(&d->critic, at, "min above max",
			"min (here %s) at most max (here %s)",
			seconds_format(p->lifetime_min_s, min),
			seconds_format(p->lifetime_max_s, max));
}

static void read_option(struct draft *d, const struct node *at, struct said_group *g)
{
	static const char *const known[] = {
		"prefer-failure", "filter", "third-party", "description", "port-set"};
	size_t i = field_word(d, at, known, ARRAY_SIZE(known));

	if (i == 0)
		g->g.pcp.prefer_failure = true;
	else if (i < ARRAY_SIZE(known))
		complain(&d->critic, at, "prefer-failure: this option is known but not built yet");
}

static void read_options(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	if (!field_list(d, at, 32, "a list such as [prefer-failure], or []"))
		return;
	g->g.pcp.prefer_failure = false;
	for (const struct node *item = at->first; item; item = item->next)
		read_option(d, item, g);
}

static void read_switch(struct draft *d, const struct node *at, struct said_group *g)
{
	if (!strcmp(at->text, "false"))
		g->g.pcp.enabled = false;
	else if (strcmp(at->text, "true") != 0)
		complain(&d->critic, at, "a mapping, true or false");
}

void read_pcp(struct draft *d, const struct node *at, struct said_group *g)
{
	static const struct field fields[] = {
		{"listen", read_listen, 0, 0, 0},
		{"port", read_u32_count, offsetof(struct said_group, pcp_port), 1, UINT16_MAX},
		{"lifetime", read_lifetime, 0, 0, 0},
		{"options", read_options, 0, 0, 0},
		{"early-delete", read_bool, offsetof(struct said_group, g.pcp.early_delete), 0, 0},
		{"mappings-per-subscriber", read_u32_count,
			offsetof(struct said_group, g.nat.lease_limit), 1, LEASES_MOST},
	};

	if (at->kind == NODE_SCALAR)
		read_switch(d, at, g);
	else
		fields_read(d, at, fields, ARRAY_SIZE(fields), g);
}
