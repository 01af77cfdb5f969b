// SPDX-License-Identifier: Apache-2.0
// `nat-groups`: whom they serve, their external addresses, port blocks and static mappings.
#include <stdio.h>

#include "draft.h"
#include "leaf.h"

enum {
	RANGES_MOST = 4096,
	PORT_SET_LEAST = 4,
	PORT_SET_MOST = 4096,
	BLOCK_LIMIT_MOST = 65536 / PORT_SET_LEAST,
	PORT_LIMIT_MOST = 1000000
};

static void read_subscribers(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->subscribers_at = at;
	g->n_subscribers = field_prefixes(d, at, &g->subscribers);
	if (node_is_empty_list(at))
		complain(&d->critic, at, "a list of prefixes such as [100.64.0.0/10]");
}

// ---- external addresses ----------------------------------------------------------------------

static bool read_range(struct draft *d, const struct node *at, struct said_range *r)
{
	struct prefix4 loose;
	char text[PREFIX4_TEXT];
	ip4 host;

	if (at->kind == NODE_SCALAR && leaf_addresses(at->text, &r->first, &r->last)) {
		if (leaf_is_host(r->first) && leaf_is_host(r->last) &&
			!(r->first >> 24 < 127 && r->last >> 24 > 127))
			return true;
		complain(&d->critic, at, "unicast addresses");
	} else if (at->kind == NODE_SCALAR && prefix4_parse(at->text, &loose, &host)) {
		complain(&d->critic, at, "no bits behind the prefix: %s",
			prefix4_format(loose, text));
	} else {
		complain(&d->critic, at,
			"203.0.113.0/26, 203.0.113.70 or 203.0.113.80-203.0.113.90");
	}
	return false;
}

static void read_pool(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->pool_at = at;
	if (!field_list(d, at, RANGES_MOST, "a list of addresses such as [203.0.113.0/26]")) {
		g->unsure = true;
		return;
	}
	g->pool = draft_alloc(d, at->n, sizeof *g->pool);
	for (const struct node *item = at->first; item && g->pool; item = item->next) {
		struct said_range r = {.group = d->n_groups, .at = item};
		if (!read_range(d, item, &r)) {
			g->unsure = true;
			continue;
		}
		g->n_external += (uint64_t)r.last - r.first + 1;
		g->pool[g->n_pool++] = r;
	}
	if (at->n == 0)
		complain(&d->critic, at, "a list of addresses such as [203.0.113.0/26]");
}

static void read_port_set(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;
	uint64_t n;

	(void)f;
	g->size_at = at;
	g->size = 0;
	if (at->kind == NODE_SCALAR && leaf_count(at->text, &n) && n >= PORT_SET_LEAST &&
		n <= PORT_SET_MOST && (n & (n - 1)) == 0)
		g->size = (uint32_t)n;
	else
		complain(&d->critic, at, "a power of two from %u to %u", PORT_SET_LEAST,
			PORT_SET_MOST);
}

static void read_port_range(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->range_at = at;
	(void)field_ports(d, at, "the first and the last port: [1024, 65535]", &g->g.port_first,
		&g->g.port_last);
}

static void read_pooling(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"hard", "soft"};
	struct said_group *g = out;

	(void)f;
	g->g.nat.pairing_soft = field_word(d, at, words, ARRAY_SIZE(words)) == 1;
}

// ---- static mappings -------------------------------------------------------------------------

static void read_protocol(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"udp", "tcp", "icmp"};
	static const uint8_t protocols[] = {NAT_UDP, NAT_TCP, NAT_ICMP};
	struct said_static *s = out;
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	s->protocol_at = at;
	s->protocol = i < ARRAY_SIZE(words) ? protocols[i] : 0;
}

static void read_endpoint(struct draft *d, const struct node *at, ip4 *ip, uint16_t *port)
{
	if (at->kind == NODE_SCALAR && leaf_endpoint(at->text, ip, port) && leaf_is_host(*ip))
		return;
	*port = 0;
	complain(&d->critic, at, "an address and a port such as \"192.0.2.1:80\"");
}

static void read_internal(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_static *s = out;

	(void)f;
	s->internal_at = at;
	read_endpoint(d, at, &s->internal, &s->internal_port);
}

static void read_external(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_static *s = out;

	(void)f;
	s->external_at = at;
	read_endpoint(d, at, &s->external, &s->external_port);
}

static void read_static(struct draft *d, const struct node *at, struct said_group *g)
{
	static const struct field fields[] = {
		{"protocol", read_protocol, 0, 0, 0},
		{"internal", read_internal, 0, 0, 0},
		{"external", read_external, 0, 0, 0},
		{"inside", read_node, offsetof(struct said_static, inside_at), 0, 0},
	};
	struct said_static *s = &g->statics[g->n_statics];
	uint32_t before = d->critic.n;

	*s = (struct said_static){.at = at, .iface = -1, .group = d->n_groups};
	fields_read(d, at, fields, ARRAY_SIZE(fields), s);
	if (s->protocol_at && s->internal_at && s->external_at)
		g->n_statics++;
	else if (d->critic.n == before)
		complain_found(&d->critic, at,
			!s->protocol_at   ? "no protocol"
			: !s->internal_at ? "no internal"
					  : "no external",
			"protocol, internal and external");
}

static void read_statics(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	if (!field_list(d, at, UINT32_MAX, "a list of static mappings"))
		return;
	g->statics = draft_alloc(d, at->n, sizeof *g->statics);
	for (const struct node *item = at->first; item && g->statics; item = item->next)
		read_static(d, item, g);
}

// ---- one group, all groups -------------------------------------------------------------------

static void read_group_pcp(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	read_pcp(d, at, out);
}

static void set_defaults(struct said_group *g)
{
	g->size = 512;
	g->g.port_first = 1024;
	g->g.port_last = UINT16_MAX;
	set_policy_defaults(g);
	set_pcp_defaults(g);
}

// Enough blocks for every explicit mapping the subscriber may make, and two to browse with.
static void set_derived(struct said_group *g)
{
	struct nat_policy *p = &g->g.nat;
	uint32_t size = g->size ? g->size : PORT_SET_MOST;

	if (g->block_limit == 0)
		g->block_limit = max_u32(8, p->lease_limit / size + 2);
	p->port_set_size = (uint16_t)size;
	p->block_limit = (uint16_t)min_u32(g->block_limit, BLOCK_LIMIT_MOST);
	g->g.pcp_port = (uint16_t)g->pcp_port;
}

static void read_group(struct draft *d, const struct node *at)
{
#define POLICY(member) offsetof(struct said_group, g.nat.member)
	static const struct field fields[] = {
		{"inside", read_node, offsetof(struct said_group, inside_at), 0, 0},
		{"subscribers", read_subscribers, 0, 0, 0},
		{"external-address-pool", read_pool, 0, 0, 0},
		{"port-set-size", read_port_set, 0, 0, 0},
		{"block-limit", read_u32_count, offsetof(struct said_group, block_limit), 1,
			BLOCK_LIMIT_MOST},
		{"port-limit", read_u32_count, POLICY(port_limit), 0, PORT_LIMIT_MOST},
		{"port-range", read_port_range, 0, 0, 0},
		{"port-forwarding-range", read_explicit, 0, 0, 0},
		{"port-set-timeout", read_u16_seconds, POLICY(block_timeout), 0, 64000},
		{"block-compact", read_bool, POLICY(compact), 0, 0},
		{"port-allocation-type", read_port_allocation, 0, 0, 0},
		{"deterministic", read_deterministic, 0, 0, 0},
		{"port-parity-preservation", read_bool, POLICY(parity), 0, 0},
		{"address-allocation-type", read_address_allocation, 0, 0, 0},
		{"address-pooling", read_pooling, 0, 0, 0},
		{"address-pairing-retention", read_u32_seconds, POLICY(pairing_retention), 0,
			86400},
		{"mapping-type", read_mapping_type, 0, 0, 0},
		{"filtering-type", read_filtering, 0, 0, 0},
		{"inbound-refresh", read_bool, POLICY(inbound_refresh), 0, 0},
		{"session-limit", read_u32_count, POLICY(session_limit), 0, 1000000000},
		{"mapping-rate", read_mapping_rate, 0, 0, 0},
		{"notify-user-high", read_u8_count, POLICY(user_high), 0, 100},
		{"notify-pool-usage", read_pool_usage, 0, 0, 0},
		{"tcp-reopen", read_bool, POLICY(tcp_reopen), 0, 0},
		{"handle-rst-in-fin", read_bool, POLICY(rst_in_fin), 0, 0},
		{"tcp-unsolicited", read_unsolicited, 0, 0, 0},
		{"tcp-mss-clamp", read_u16_count, offsetof(struct said_group, g.mss_clamp), 536,
			9176},
		{"fragment-behavior", read_fragments, 0, 0, 0},
		{"nat-pass-through", read_passes, 0, 0, 0},
		{"log", read_group_log, 0, 0, 0},
		{"static-mappings", read_statics, 0, 0, 0},
		{"pcp", read_group_pcp, 0, 0, 0},
	};
#undef POLICY
	struct said_group *g = &d->groups[d->n_groups];

	*g = (struct said_group){.at = at, .first_inside = -1};
	strcpy(g->g.name, at->name);
	set_defaults(g);
	fields_read(d, at, fields, ARRAY_SIZE(fields), g);
	set_derived(g);
	d->n_groups++;
	if (!g->subscribers_at && node_is_map(at))
		complain_found(&d->critic, at, "no subscribers",
			"subscribers: prefixes such as [100.64.0.0/10]");
	if (!g->pool_at && node_is_map(at))
		complain_found(&d->critic, at, "no external-address-pool",
			"external-address-pool: addresses such as [203.0.113.0/26]");
}

static bool name_is_new(struct draft *d, const struct node *at)
{
	if (!leaf_is_name(at->name)) {
		complain_name(&d->critic, at, "a name of 1 to %u letters, digits, - and _",
			CONF_NAME - 1);
		return false;
	}
	for (uint32_t i = 0; i < d->n_groups; i++) {
		if (!strcmp(d->groups[i].g.name, at->name)) {
			complain_name(&d->critic, at, "the name once: it stands in line %u already",
				d->groups[i].at->name_line);
			return false;
		}
	}
	return true;
}

void read_groups(struct draft *d, const struct node *at)
{
	char found[32];

	if (at->kind != NODE_MAP) {
		if (at->kind != NODE_NULL)
			complain(&d->critic, at, "a mapping of names to NAT groups");
		return;
	}
	if (at->n > CONF_MAX_GROUPS) {
		snprintf(found, sizeof found, "%u groups", at->n);
		complain_found(&d->critic, at, found, "at most %u", CONF_MAX_GROUPS);
		return;
	}
	for (const struct node *group = at->first; group; group = group->next) {
		if (name_is_new(d, group))
			read_group(d, group);
	}
}
