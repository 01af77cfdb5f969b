// SPDX-License-Identifier: Apache-2.0
// A group's `pcp`: where it listens, what it grants and to whom.
#include "draft.h"
#include "leaf.h"

enum {
	LIFETIME_MOST = 365 * 86400, // a mapping for longer is a static one
	LEASES_MOST = 65535,
	FILTERS_MOST = 45, // a version 2 request carries 43
	RATE_MOST = 1000000
};

static_assert(FILTERS_MOST <= (int)SERVER_MAX_FILTERS, "the server must be able to count them");

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
	if (at->kind == NODE_SCALAR && !strcmp(at->text, "anycast")) {
		g->g.listen_anycast = true;
		g->pcp.anycast_at = at;
		return;
	}
	if (at->kind != NODE_SCALAR || !ip4_parse(at->text, &ip) || !leaf_is_host(ip)) {
		complain(&d->critic, at, "an address such as 192.0.2.1, gateway or anycast");
		return;
	}
	if (ip == CONF_ANYCAST) {
		complain(&d->critic, at, "anycast: no group has this address for itself");
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
	if (!field_list(d, at, CONF_MAX_LISTEN + 2, "a list such as [192.0.2.1, gateway]"))
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

static void read_early_delete(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;
	uint32_t before = d->critic.n;

	read_bool(d, at, f, &g->g.pcp.early_delete);
	if (d->critic.n == before)
		g->pcp.early_at = at;
}

static void read_nonce_check(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"strict", "same-source"};
	struct said_group *g = out;

	(void)f;
	g->pcp.nonce_at = at;
	g->g.pcp.any_nonce = field_word(d, at, words, ARRAY_SIZE(words)) == 1;
}

static void read_threat_model(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"simple", "advanced"};
	static const enum said_threat models[] = {THREAT_SIMPLE, THREAT_ADVANCED};
	struct said_group *g = out;
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	if (i < ARRAY_SIZE(words))
		g->pcp.threat = models[i];
}

static void read_switch(struct draft *d, const struct node *at, struct said_group *g)
{
	if (!strcmp(at->text, "false"))
		g->g.pcp.enabled = false;
	else if (strcmp(at->text, "true") != 0)
		complain(&d->critic, at, "a mapping, true or false");
}

void set_pcp_defaults(struct said_group *g)
{
	g->g.nat.lease_limit = 256;
	g->g.nat.filter_limit = 16;
	g->pcp_port = PCP_SERVER_PORT;
	g->g.listen_gateway = true;
	g->g.pcp = (struct server_policy){.enabled = true,
		.early_delete = true,
		.lifetime_min_s = 120,
		.lifetime_max_s = 86400,
		.description_max = NAT_DESCRIPTION,
		.port_set_max = NAT_SET_MAX,
		.request_rate = 1000,
		.request_burst = 2000,
		.probe_rate = 10,
		.probe_burst = 64};
	set_spoken_defaults(&g->g.pcp);
}

static void read_leaves(struct draft *d, const struct node *at, struct said_group *g)
{
#define POLICY(member) offsetof(struct said_group, g.pcp.member)
#define NAT(member) offsetof(struct said_group, g.nat.member)
	static const struct field fields[] = {
		{"listen", read_listen, 0, 0, 0},
		{"port", read_u32_count, offsetof(struct said_group, pcp_port), 1, UINT16_MAX},
		{"versions", read_versions, 0, 0, 0},
		{"opcodes", read_opcodes, 0, 0, 0},
		{"options", read_options, 0, 0, 0},
		{"legacy", read_bool, offsetof(struct said_group, pcp.legacy), 0, 0},
		{"lifetime", read_lifetime, 0, 0, 0},
		{"threat-model", read_threat_model, 0, 0, 0},
		{"early-delete", read_early_delete, 0, 0, 0},
		{"nonce-check", read_nonce_check, 0, 0, 0},
		{"nonce-readers", read_nonce_readers, 0, 0, 0},
		{"nat-pmp-companion-port", read_bool, POLICY(companion), 0, 0},
		{"mappings-per-subscriber", read_u32_count, NAT(lease_limit), 1, LEASES_MOST},
		{"filters-per-mapping", read_u16_count, NAT(filter_limit), 1, FILTERS_MOST},
		{"description-length", read_u16_count, POLICY(description_max), 0, NAT_DESCRIPTION},
		{"port-set-max", read_u16_count, POLICY(port_set_max), 1, NAT_SET_MAX},
		{"request-rate", read_u32_count, POLICY(request_rate), 0, RATE_MOST},
		{"request-burst", read_u32_count, POLICY(request_burst), 1, RATE_MOST},
		{"probe-rate", read_u32_count, POLICY(probe_rate), 0, RATE_MOST},
		{"probe-burst", read_u32_count, POLICY(probe_burst), 1, RATE_MOST},
		{"third-party", read_third_party, 0, 0, 0},
		{"prefix64", read_prefix64s, 0, 0, 0},
	};
#undef POLICY
#undef NAT

	fields_read(d, at, fields, ARRAY_SIZE(fields), g);
}

void read_pcp(struct draft *d, const struct node *at, struct said_group *g)
{
	if (at->kind == NODE_SCALAR) {
		read_switch(d, at, g);
		return;
	}
	read_leaves(d, at, g);
	settle_spoken(g);
	if (g->pcp.threat == THREAT_SIMPLE && !g->pcp.early_at)
		g->g.pcp.early_delete = false;
}
