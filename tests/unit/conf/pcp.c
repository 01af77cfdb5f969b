// SPDX-License-Identifier: Apache-2.0
// What the leaves under `pcp` become.
#include "make.h"

#define BIT(index) (1u << (index))
#define PCP(leaves) PORTS GROUP "    pcp: {" leaves "}\n"

static const unsigned default_opcodes =
	BIT(SERVER_ANNOUNCE) | BIT(SERVER_MAP) | BIT(SERVER_PEER) | BIT(SERVER_EXTERNAL_ADDRESS);
static const unsigned default_options =
	BIT(PCP_INDEX_PREFER_FAILURE) | BIT(PCP_INDEX_FILTER) | BIT(PCP_INDEX_DESCRIPTION) |
	BIT(PCP_INDEX_PREFIX64) | BIT(PCP_INDEX_PORT_SET) | BIT(PCP_INDEX_CHECKPOINT_REQUIRED);
static const unsigned third_options = BIT(PCP_INDEX_THIRD_PARTY) | BIT(PCP_INDEX_THIRD_PARTY_ID);

Test(conf, a_pcp_server_has_these_defaults)
{
	struct conf *c = make_conf(PORTS GROUP, NULL);
	const struct conf_group *g = &c->groups[0];
	const struct server_policy *p = &g->pcp;

	cr_assert(p->enabled && p->early_delete);
	cr_assert_not(p->any_nonce || p->companion || g->listen_anycast);
	cr_assert_eq(p->dialects, PCP_SERVES(PCP_V2) | PCP_SERVES(PCP_NATPMP));
	cr_assert_eq(p->opcodes, default_opcodes);
	cr_assert_eq(p->options, default_options);
	cr_assert_eq(p->description_max, 128);
	cr_assert_eq(p->port_set_max, 256);
	cr_assert_eq(p->request_rate, 1000);
	cr_assert_eq(p->request_burst, 2000);
	cr_assert_eq(p->probe_rate, 10);
	cr_assert_eq(p->probe_burst, 64);
	cr_assert_eq(p->third_party.sources.n, 0);
	cr_assert_eq(p->third_party.n_ids, 0);
	cr_assert_not(p->third_party.id_required);
	cr_assert_eq(p->nonce_readers.n, 0);
	cr_assert_eq(p->n_prefix64, 0);
	cr_assert_eq(g->nat.filter_limit, 16);
	conf_destroy(c);
}

Test(conf, every_plain_pcp_leaf_arrives)
{
	struct conf *c = make_conf(
		PCP("nonce-check: same-source, nat-pmp-companion-port: true,\n"
		    "  filters-per-mapping: 45, description-length: 0, port-set-max: 1,\n"
		    "  request-rate: 0, request-burst: 1, probe-rate: 1k, probe-burst: 1M"),
		NULL);
	const struct server_policy *p = &c->groups[0].pcp;

	cr_assert(p->any_nonce && p->companion);
	cr_assert_eq(c->groups[0].nat.filter_limit, 45);
	cr_assert_eq(p->description_max, 0);
	cr_assert_eq(p->port_set_max, 1);
	cr_assert_eq(p->request_rate, 0);
	cr_assert_eq(p->request_burst, 1);
	cr_assert_eq(p->probe_rate, 1000);
	cr_assert_eq(p->probe_burst, 1000000);
	conf_destroy(c);
}

struct spoken {
	const char *text;
	unsigned dialects, opcodes, options;
};

#define DIALECTS (PCP_SERVES(PCP_V2) | PCP_SERVES(PCP_NATPMP))
#define ALL(n) (BIT(n) - 1)

static const struct spoken spoken[] = {
	{PCP("versions: [1a, 2, 1c, nat-pmp, 1b]"), ALL(PCP_DIALECTS), default_opcodes,
		default_options},
	{PCP("versions: [nat-pmp]"), PCP_SERVES(PCP_NATPMP), default_opcodes, default_options},
	{PCP("opcodes: [get, announce]"), DIALECTS, BIT(SERVER_GET) | BIT(SERVER_ANNOUNCE),
		default_options},
	{PCP("options: []"), DIALECTS, default_opcodes, 0},
	{PCP("options: "), DIALECTS, default_opcodes, 0},
	{PCP("options: [prefer-failure, filter, third-party, third-party-id, description,\n"
	     "  prefix64, port-set, checkpoint-required, next, port-reservation],\n"
	     "  third-party: {sources: []}"),
		DIALECTS, default_opcodes, ALL(PCP_OTHER_OPTION)},
	{PCP("legacy: true"), DIALECTS, default_opcodes | BIT(SERVER_GET),
		default_options | BIT(PCP_INDEX_NEXT) | BIT(PCP_INDEX_PORT_RESERVATION)},
	{PCP("legacy: true, opcodes: [map], options: [filter]"), DIALECTS,
		BIT(SERVER_MAP) | BIT(SERVER_GET),
		BIT(PCP_INDEX_FILTER) | BIT(PCP_INDEX_NEXT) | BIT(PCP_INDEX_PORT_RESERVATION)},
	{PCP("legacy: false, options: [next]"), DIALECTS, default_opcodes, BIT(PCP_INDEX_NEXT)},
	// Third parties are served when some are named, unless the options say otherwise.
	{PCP("third-party: {sources: [100.64.0.8]}"), DIALECTS, default_opcodes,
		default_options | BIT(PCP_INDEX_THIRD_PARTY)},
	{PCP("third-party: {sources: [100.64.0.8], identifiers: [{id: 00, inside: inside}]}"),
		DIALECTS, default_opcodes, default_options | third_options},
	{PCP("third-party: {sources: []}"), DIALECTS, default_opcodes, default_options},
	{PCP("third-party: {}"), DIALECTS, default_opcodes, default_options},
	{PCP("third-party: {sources: [100.64.0.8]}, options: [filter]"), DIALECTS, default_opcodes,
		BIT(PCP_INDEX_FILTER)},
};

Test(conf, versions_opcodes_and_options_are_sets_of_words)
{
	for (size_t i = 0; i < ARRAY_SIZE(spoken); i++) {
		struct conf *c = make_conf(spoken[i].text, NULL);
		const struct server_policy *p = &c->groups[0].pcp;

		cr_assert_eq(p->dialects, spoken[i].dialects, "%s", spoken[i].text);
		cr_assert_eq(p->opcodes, spoken[i].opcodes, "%s", spoken[i].text);
		cr_assert_eq(p->options, spoken[i].options, "%s", spoken[i].text);
		conf_destroy(c);
	}
}

Test(conf, a_threat_model_presets_early_delete)
{
	static const struct {
		const char *text;
		bool early_delete;
	} cases[] = {
		{PCP("threat-model: simple"), false},
		{PCP("threat-model: advanced"), true},
		{PCP("threat-model: simple, early-delete: false"), false},
		{PCP("threat-model: simple, nonce-check: strict"), false},
		{PCP("threat-model: simple, third-party: {sources: []}"), false},
		{PCP("early-delete: false"), false},
		{PCP("threat-model: advanced, third-party: {sources: [100.64.0.8]}"), true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf *c = make_conf(cases[i].text, NULL);

		cr_assert_eq(
			c->groups[0].pcp.early_delete, cases[i].early_delete, "%s", cases[i].text);
		conf_destroy(c);
	}
}

#define TWO_REALMS                                                                                 \
	"ports:\n"                                                                                 \
	"  inside: {device: a, addresses: [100.64.0.1/10],\n"                                      \
	"    routes: [{to: 10.0.0.0/8, via: 100.64.0.9}]}\n"                                       \
	"  v20: {parent: inside, vlan: 20, side: inside, addresses: [192.168.0.1/24]}\n"           \
	"  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP

static bool has_prefix(const struct server_sources *s, uint32_t i, const char *base, uint8_t bits)
{
	return i < s->n && s->list[i].base == make_ip(base) && s->list[i].bits == bits;
}

// The group serves one port only: those who ask for others may stand behind any.
Test(conf, third_parties_and_nonce_readers_stand_behind_any_inside_port)
{
	struct conf *c = make_conf(TWO_REALMS
		"    inside: [inside]\n"
		"    pcp:\n"
		"      third-party: {sources: [100.64.0.8, 192.168.0.0/30, 10.7.0.0/16, "
		"192.0.0.0/4]}\n"
		"      nonce-readers: [192.168.0.7]\n",
		NULL);
	const struct server_policy *p = &c->groups[0].pcp;

	cr_assert_eq(p->third_party.sources.n, 4);
	cr_assert(has_prefix(&p->third_party.sources, 0, "100.64.0.8", 32));
	cr_assert(has_prefix(&p->third_party.sources, 1, "192.168.0.0", 30));
	cr_assert(has_prefix(&p->third_party.sources, 2, "10.7.0.0", 16));
	cr_assert(has_prefix(&p->third_party.sources, 3, "192.0.0.0", 4));
	cr_assert_eq(p->nonce_readers.n, 1);
	cr_assert(has_prefix(&p->nonce_readers, 0, "192.168.0.7", 32));
	conf_destroy(c);
}

static bool is_id(const struct server_id *id, const char *octets, uint8_t length, uint8_t realm)
{
	return id->length == length && !memcmp(id->octets, octets, length) && id->realm == realm;
}

Test(conf, rfc7843_identifiers_name_realms_and_their_length_is_part_of_them)
{
	struct conf *c = make_conf(TWO_REALMS
		"    pcp:\n"
		"      third-party:\n"
		"        sources: [100.64.0.8]\n"
		"        identifiers: [{id: 00abcdef, inside: inside}, {id: 00, inside: v20},\n"
		"          {id: 0000, inside: v20}, {id: 00ABCDFF, inside: v20}]\n"
		"        identifier-required: true\n",
		NULL);
	const struct server_third_party *t = &c->groups[0].pcp.third_party;

	cr_assert_eq(t->n_ids, 4);
	cr_assert(is_id(&t->ids[0], "\x00\xab\xcd\xef", 4, 1));
	cr_assert(is_id(&t->ids[1], "", 1, 2));
	cr_assert(is_id(&t->ids[2], "\0", 2, 2));
	cr_assert(is_id(&t->ids[3], "\x00\xab\xcd\xff", 4, 2));
	cr_assert(t->id_required);
	conf_destroy(c);
}

Test(conf, an_identifier_has_at_most_64_octets)
{
	char text[129];

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 0;
	struct conf *c = make_conf_format(NULL,
		PCP("third-party: {sources: [100.64.0.8], identifiers: [{id: %s, inside: "
		    "inside}]}"),
		text);
	cr_assert_eq(c->groups[0].pcp.third_party.ids[0].length, SERVER_MAX_ID);
	cr_assert_eq(c->groups[0].pcp.third_party.ids[0].octets[63], 0xaa);
	conf_destroy(c);
}

static const struct {
	const char *said;
	uint8_t length;
	const char octets[13];
} prefixes[] = {
	{"'64:ff9b::/96'", 12, "\x00\x64\xff\x9b"},
	{"2001:db8:64::/96", 12, "\x20\x01\x0d\xb8\x00\x64"},
	{"'2001:db8:1:2:3:4::/96'", 12, "\x20\x01\x0d\xb8\0\1\0\2\0\3\0\4"},
	{"'2001:db8::/32', suffix: 01020304050607", 4, "\x20\x01\x0d\xb8\0\1\2\3\4\5\6\7"},
	{"'2001:db8:100::/40', suffix: 010203040506", 5, "\x20\x01\x0d\xb8\1\0\1\2\3\4\5\6"},
	{"'2001:db8:102::/48', suffix: 0102030405", 6, "\x20\x01\x0d\xb8\1\2\0\1\2\3\4\5"},
	{"'2001:db8:102:300::/56', suffix: 01020304", 7, "\x20\x01\x0d\xb8\1\2\3\0\1\2\3\4"},
	{"'2001:db8:102:304::/64', suffix: 010203", 8, "\x20\x01\x0d\xb8\1\2\3\4\0\1\2\3"},
	{"'2001:db8:102:304::/64'", 8, "\x20\x01\x0d\xb8\1\2\3\4"},
};

Test(conf, rfc7225_s4_1_a_zero_octet_stands_between_prefix_and_suffix)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		struct conf *c =
			make_conf_format(NULL, PCP("prefix64: [{prefix: %s}]"), prefixes[i].said);
		const struct server_policy *p = &c->groups[0].pcp;

		cr_assert_eq(p->n_prefix64, 1);
		cr_assert_eq(p->prefix64[0].length, prefixes[i].length, "%s", prefixes[i].said);
		cr_assert_arr_eq(
			p->prefix64[0].octets, prefixes[i].octets, 12, "%s", prefixes[i].said);
		cr_assert_eq(p->prefix64[0].n, 0);
		conf_destroy(c);
	}
}

Test(conf, rfc7225_s4_2_prefixes_with_ipv4_lists_go_first)
{
	struct conf *c = make_conf(
		PCP("prefix64: [{prefix: 'a::/32'}, {prefix: 'b::/32', ip4: [192.0.2.0/24, "
		    "0.0.0.0/0]},\n"
		    "  {prefix: 'c::/32'}, {prefix: 'd::/32', ip4: [198.51.100.0/24]}]"),
		NULL);
	const struct server_policy *p = &c->groups[0].pcp;
	const uint8_t order[] = {0x0b, 0x0d, 0x0a, 0x0c};

	cr_assert_eq(p->n_prefix64, 4);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_eq(p->prefix64[i].octets[1], order[i], "%u", i);
	cr_assert_eq(p->prefix64[0].n, 2);
	cr_assert_eq(p->prefix64[0].ip4[0].address, make_ip("192.0.2.0"));
	cr_assert_eq(p->prefix64[0].ip4[0].bits, 24);
	cr_assert_eq(p->prefix64[0].ip4[1].bits, 0);
	cr_assert_eq(p->prefix64[1].n, 1);
	conf_destroy(c);
}

// Nothing of a snapshot may be another's: the old one is freed under the new one.
Test(conf, what_policies_borrow_lives_as_long_as_their_snapshot)
{
	static const char text[] =
		PCP("third-party: {sources: [100.64.0.8], identifiers: "
		    "[{id: 07, inside: inside}]},\n"
		    "  prefix64: [{prefix: 'a::/32'}], nonce-readers: [100.64.0.9]");
	struct conf *old = make_conf(text, NULL), *new = make_conf(text, old);

	conf_destroy(old);
	const struct server_policy *p = &new->groups[0].pcp;
	cr_assert(has_prefix(&p->third_party.sources, 0, "100.64.0.8", 32));
	cr_assert(has_prefix(&p->nonce_readers, 0, "100.64.0.9", 32));
	cr_assert_eq(p->third_party.ids[0].octets[0], 7);
	cr_assert_eq(p->prefix64[0].octets[1], 0x0a);
	conf_destroy(new);
}

Test(conf, rfc7723_the_anycast_address_is_that_of_every_group_that_wants_it)
{
	static const char text[] =
		PORTS "nat-groups:\n"
		      "  a: {subscribers: [100.64.0.0/16], external-address-pool: [203.0.113.1], "
		      "pcp: {listen: [anycast]}}\n"
		      "  b: {subscribers: [100.65.0.0/16], external-address-pool: [203.0.113.2], "
		      "pcp: {listen: [gateway, anycast]}}\n"
		      "  c: {subscribers: [100.66.0.0/16], external-address-pool: [203.0.113.3]}\n";
	struct conf *c = make_conf(text, NULL);
	const struct conf_local *l = conf_find_local(c, 1, make_ip("192.0.0.9"));

	cr_assert(c->groups[0].listen_anycast && c->groups[1].listen_anycast);
	cr_assert_not(c->groups[0].listen_gateway);
	cr_assert_not(c->groups[2].listen_anycast);
	cr_assert_not_null(l);
	cr_assert_eq(l->kind, CONF_LOCAL_ANYCAST);
	cr_assert_null(conf_find_local(c, 0, make_ip("192.0.0.9")), "it is asked from inside");
	conf_destroy(c);
	c = make_conf(PORTS GROUP, NULL);
	cr_assert_null(conf_find_local(c, 1, make_ip("192.0.0.9")));
	conf_destroy(c);
}

static void expect_limits(const char *text, uint32_t filters, uint32_t descriptions,
	uint32_t clients, uint32_t announce_rate)
{
	struct conf *c = make_conf(text, NULL);

	cr_assert_eq(c->limits.filters, filters, "%s", text);
	cr_assert_eq(c->limits.descriptions, descriptions, "%s", text);
	cr_assert_eq(c->pcp_clients, clients, "%s", text);
	cr_assert_eq(c->announce_rate, announce_rate, "%s", text);
	conf_destroy(c);
}

Test(conf, limits_of_pcp_follow_the_leases_and_the_subscribers)
{
	expect_limits(PORTS GROUP, 64000, 32000, 64000, 1000);
	expect_limits(PORTS GROUP "limits: {leases: 100, subscribers: 5k}\n", 1024, 12, 5000, 1000);
	expect_limits(PORTS GROUP "limits: {filters: 7, descriptions: 8, pcp-clients: 100, "
				  "announce-rate: 1, leases: 1M}\n",
		7, 8, 100, 1);
}
