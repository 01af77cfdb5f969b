// SPDX-License-Identifier: Apache-2.0
// How a group's NAT behaves, beyond its addresses and blocks: filtering, limits, TCP, fragments,
// what it notifies and logs. Names are those of RFC 8512 where it has one.
#include "draft.h"
#include "leaf.h"

enum {
	RATE_MOST = 1000000,
	// About four for each mapping that the default blocks have room for: nobody may fill the
	// table alone (RFC 6888 REQ-5).
	SESSIONS_OF_ONE = 16000
};

void set_policy_defaults(struct said_group *g)
{
	g->g.nat.session_limit = SESSIONS_OF_ONE;
	g->g.nat.tcp_reopen = true;
	g->g.fragments = CONF_FRAGMENTS_OUT_OF_ORDER;
	g->g.notify_interval_s = 20; // RFC 8512
}

// ---- words of which only one is served -------------------------------------------------------

void read_mapping_type(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	(void)out;
	if (at->kind != NODE_SCALAR || strcmp(at->text, "eim") != 0)
		complain(&d->critic, at, "eim: any other would break RFC 4787 REQ-1");
}

void read_address_allocation(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	(void)out;
	if (at->kind != NODE_SCALAR || strcmp(at->text, "paired") != 0)
		complain(&d->critic, at,
			"paired: any other would break RFC 6888 REQ-2 (see address-pooling)");
}

// ---- filtering -------------------------------------------------------------------------------

static void read_filter(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"eif", "adf", "apdf", "edf"};
	static const uint8_t filters[] = {NAT_EIF, NAT_ADF, NAT_APDF, NAT_APDF};
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	if (i < ARRAY_SIZE(words))
		*(uint8_t *)out = filters[i];
}

void read_filtering(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"udp", read_filter, NAT_UDP - 1, 0, 0},
		{"tcp", read_filter, NAT_TCP - 1, 0, 0},
		{"icmp", read_filter, NAT_ICMP - 1, 0, 0},
	};
	struct said_group *g = out;
	uint8_t *filtering = g->g.nat.filtering;

	if (at->kind == NODE_MAP) {
		fields_read(d, at, fields, ARRAY_SIZE(fields), filtering);
		return;
	}
	read_filter(d, at, f, filtering);
	memset(filtering, filtering[0], NAT_PROTOCOLS);
}

// ---- ports and limits ------------------------------------------------------------------------

void read_explicit(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_group *g = out;

	(void)f;
	g->explicit_at = at;
	(void)field_ports(d, at, "the first and the last port: [1024, 9999]",
		&g->g.nat.explicit_first, &g->g.nat.explicit_last);
}

void read_mapping_rate(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"rate", read_u32_count, offsetof(struct nat_policy, mapping_rate), 0, RATE_MOST},
		{"burst", read_u32_count, offsetof(struct nat_policy, mapping_burst), 1, RATE_MOST},
	};
	struct said_group *g = out;
	struct nat_policy *p = &g->g.nat;
	uint32_t before = d->critic.n;

	(void)f;
	fields_read(d, at, fields, ARRAY_SIZE(fields), p);
	if (d->critic.n == before && p->mapping_burst > 0 && p->mapping_rate == 0)
		complain_found(&d->critic, at, "a burst without a rate",
			"new mappings a second and at once: {rate: 200, burst: 1000}");
	if (p->mapping_burst == 0)
		p->mapping_burst = p->mapping_rate;
}

// ---- TCP and fragments -----------------------------------------------------------------------

void read_unsolicited(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"drop", "icmp"};
	struct said_group *g = out;

	(void)f;
	g->g.tcp_unsolicited_icmp = field_word(d, at, words, ARRAY_SIZE(words)) == 1;
}

void read_fragments(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {[CONF_FRAGMENTS_DROP_ALL] = "drop-all",
		[CONF_FRAGMENTS_IN_ORDER] = "in-order",
		[CONF_FRAGMENTS_OUT_OF_ORDER] = "out-of-order"};
	struct said_group *g = out;
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	if (i < ARRAY_SIZE(words))
		g->g.fragments = (uint8_t)i;
}

// ---- what is told ----------------------------------------------------------------------------

void read_pool_usage(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"low-threshold", read_u8_count, offsetof(struct conf_group, pool_low), 0, 100},
		{"high-threshold", read_u8_count, offsetof(struct conf_group, pool_high), 0, 100},
		{"notify-interval", read_u32_seconds,
			offsetof(struct conf_group, notify_interval_s), 1, 3600},
	};
	struct said_group *g = out;
	uint32_t before = d->critic.n;

	(void)f;
	fields_read(d, at, fields, ARRAY_SIZE(fields), &g->g);
	if (d->critic.n == before && g->g.pool_high > 0 && g->g.pool_low >= g->g.pool_high)
		complain_found(&d->critic, at, "a low-threshold that is not below the high one",
			"percent of the pool's blocks: {low-threshold: 70, high-threshold: 90}");
}

// One or the other (RFC 8158 s.4.6.1); blocks are told with each of them.
void read_group_log(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"blocks", "mappings", "sessions"};
	struct said_group *g = out;
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	g->g.nat.log_mappings = i == 1;
	g->g.nat.log_sessions = i == 2;
}
