// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

static const struct pcp_message v2 = {.version = 2, .dialect = PCP_V2};
static const struct pcp_message v1a = {.version = 1, .dialect = PCP_V1A};
static const struct pcp_message v1b = {.version = 1, .dialect = PCP_V1B};
static const struct pcp_message natpmp = {.dialect = PCP_NATPMP};

static struct pcp_option option(uint8_t code, const char *text, uint8_t data[HEX_MAX])
{
	size_t n = hex(text, data);

	return (struct pcp_option){code, code, (uint16_t)n, n > 0 ? data : NULL};
}

struct filter_case {
	const char *what;
	const struct pcp_message *m;
	const char *data;
	bool good;
	uint8_t prefix;
	const char *address;
};

static const struct filter_case filter_cases[] = {
	{"V14 prefix 96 + 24", &v2, "00780000 00000000 00000000 0000ffff c6336400", true, 120,
		"198.51.100.0"},
	{"any IPv4 host", &v2, "00600000 " NO_IP4, true, 96, "0.0.0.0"},
	{"V16 remove all", &v2, "00000000 00000000 00000000 00000000 00000000", true, 0, "::"},
	{"erratum 3891: the address does not matter then", &v2, "00000050 " POOL, true, 0,
		"203.0.113.5"},
	{"V15 forgot the 96", &v2, "00180000 " POOL, false, 0, NULL},
	{"95 bits of a mapped address", &v2, "005f0000 " POOL, false, 0, NULL},
	{"129 bits", &v2, "00810000 " POOL, false, 0, NULL},
	{"IPv6", &v2, "00200000 20010db8 00000000 00000000 00000000", true, 32, "2001:db8::"},
	{"19 octets", &v2, "00200000 20010db8 00000000 00000000 000000", false, 0, NULL},
	{"8 octets are v1a's", &v2, "00180000 c6336400", false, 0, NULL},
	{"nothing", &v2, "", false, 0, NULL},
	{"-07 IPv4", &v1a, "001801bb c6336400", true, 120, "198.51.100.0"},
	{"-07 IPv4, remove all", &v1a, "00000000 00000000", true, 0, "0.0.0.0"},
	{"-07 33 bits of IPv4", &v1a, "00210000 c6336400", false, 0, NULL},
	{"-07 IPv6", &v1a, "00200000 20010db8 00000000 00000000 00000000", true, 32, "2001:db8::"},
	{"-07 7 octets", &v1a, "00180000 c63364", false, 0, NULL},
	{"-13 to -21: 24", &v1b, "00180000 " POOL, true, 120, "203.0.113.5"},
	{"-13 to -21: 32", &v1b, "00200000 " POOL, true, 128, "203.0.113.5"},
	{"-22: 96 + 24", &v1b, "00780000 " POOL, true, 120, "203.0.113.5"},
	{"neither: 33", &v1b, "00210000 " POOL, false, 0, NULL},
	{"IPv6 is what it was", &v1b, "00180000 20010db8 00000000 00000000 00000000", true, 24,
		"2001:db8::"},
};

Test(pcp, rfc6887_s13_3_filters_are_read_in_every_draft_s_form)
{
	for (size_t i = 0; i < ARRAY_SIZE(filter_cases); i++) {
		const struct filter_case *c = &filter_cases[i];
		uint8_t data[HEX_MAX];
		struct pcp_option o = option(PCP_FILTER, c->data, data);
		struct pcp_filter f;
		char text[IP6_TEXT];

		cr_expect_eq(pcp_read_filter(c->m, &o, &f), c->good, "%s", c->what);
		if (!c->good)
			continue;
		cr_expect_eq(f.prefix, c->prefix, "%s: %u", c->what, f.prefix);
		cr_expect_str_eq(ip6_format(f.address, text), c->address, "%s", c->what);
	}
}

Test(pcp, rfc6887_s13_1_a_third_party_is_16_octets_and_more_or_less_in_drafts)
{
	uint8_t data[HEX_MAX];
	struct pcp_option sixteen = option(PCP_THIRD_PARTY, CLIENT, data), four, none;
	uint8_t data4[HEX_MAX], data0[HEX_MAX];
	static const ip6 zero;
	char text[IP6_TEXT];
	ip6 a;

	four = option(PCP_THIRD_PARTY, "64400014", data4);
	none = option(PCP_THIRD_PARTY, "", data0);
	cr_assert(pcp_read_third_party(&v2, &sixteen, &a));
	cr_expect_str_eq(ip6_format(a, text), "100.64.0.10");
	cr_expect_not(pcp_read_third_party(&v2, &four, &a));
	cr_expect_not(pcp_read_third_party(&v2, &none, &a));
	cr_assert(pcp_read_third_party(&v1a, &four, &a));
	cr_expect_str_eq(ip6_format(a, text), "100.64.0.20");
	cr_expect_not(pcp_read_third_party(&v1a, &none, &a));
	cr_expect_not(pcp_read_third_party(&v1b, &four, &a));
	cr_assert(pcp_read_third_party(&v1b, &none, &a), "-14 to -20: delete for everybody");
	cr_expect(ip6_eq(a, zero));
}

Test(pcp, nat_pmp_has_no_options_to_append)
{
	uint8_t msg[64];
	struct pcp_filter filter = {0};

	cr_expect_eq(pcp_append_third_party(msg, 0, sizeof msg, &natpmp, ip6_mapped(1)), 0);
	cr_expect_eq(pcp_append_filter(msg, 0, sizeof msg, &natpmp, &filter), 0);
}

struct set_case {
	const char *data;
	bool good;
	struct pcp_port_set set;
};

static const struct set_case set_cases[] = {
	{"0064c350 00", true, {100, 50000, false}},
	{"0002138c 01", true, {2, 5004, true}},
	{"0002138c fe", true, {2, 5004, false}},
	{"ffff0001 00", true, {65535, 1, false}},
	{"0000c350 00", false, {0, 0, false}},
	{"0064c350", false, {0, 0, false}},
	{"0064c350 0000", false, {0, 0, false}},
	{"", false, {0, 0, false}},
};

Test(pcp, rfc7753_s4_port_sets_are_read_and_written)
{
	for (size_t i = 0; i < ARRAY_SIZE(set_cases); i++) {
		const struct set_case *c = &set_cases[i];
		uint8_t data[HEX_MAX], msg[12];
		struct pcp_option o = option(PCP_PORT_SET, c->data, data);
		struct pcp_port_set set;

		cr_expect_eq(pcp_read_port_set(&o, &set), c->good, "%s", c->data);
		if (!c->good)
			continue;
		cr_expect_eq(set.size, c->set.size);
		cr_expect_eq(set.first, c->set.first);
		cr_expect_eq(set.parity, c->set.parity);
		cr_expect_eq(pcp_append_port_set(msg, 0, sizeof msg, &set), 12);
		cr_expect_eq(memcmp(msg + 4, data, 4), 0);
		cr_expect_eq(msg[8], set.parity);
		cr_expect_eq(pcp_append_port_set(msg, 0, 11, &set), 0);
	}
}

struct prefix64_case {
	const char *what, *data;
	bool good;
	uint8_t length;
	uint16_t n;
};

#define WKP "00000000 00000000 00000000 "
static const struct prefix64_case prefix64_cases[] = {
	{"06 a request", "000c" WKP, true, 12, 0},
	{"a request with a count of 0", "000c" WKP "0000", true, 12, 0},
	{"07 one entry", "00072001 0db80122 03000000 00000001 0018c000 0200", true, 7, 1},
	{"two entries", "0004" WKP "0002 0018c0000200 0020c6336407", true, 4, 2},
	{"an entry of 33 bits is ignored", "0004" WKP "0002 0021c0000200 0020c6336407", true, 4, 1},
	{"so is one with bits behind its prefix", "0004" WKP "0002 0018c0000201 0020c6336407", true,
		4, 1},
	{"no entry is left", "0004" WKP "0001 0018c0000201", false, 0, 0},
	{"an entry is missing", "0004" WKP "0002 0018c0000200", false, 0, 0},
	{"an entry too many", "0004" WKP "0000 0018c0000200", false, 0, 0},
	{"half a count", "0004" WKP "00", false, 0, 0},
	{"3 octets", "0003" WKP, false, 0, 0},
	{"9 octets", "0009" WKP, false, 0, 0},
	{"96 octets", "0060" WKP, false, 0, 0},
	{"length 13", "000c00000000 00000000 000000", false, 0, 0},
	{"nothing", "", false, 0, 0},
};

Test(pcp, rfc7225_s4_1_prefixes_are_read_with_their_lists)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefix64_cases); i++) {
		const struct prefix64_case *c = &prefix64_cases[i];
		uint8_t data[HEX_MAX];
		struct pcp_option o = option(PCP_PREFIX64, c->data, data);
		struct pcp_prefix64 p;

		cr_expect_eq(pcp_read_prefix64(&o, &p), c->good, "%s", c->what);
		if (!c->good)
			continue;
		cr_expect_eq(p.length, c->length, "%s", c->what);
		cr_expect_eq(p.n, c->n, "%s", c->what);
		cr_expect_eq(memcmp(p.octets, data + 2, 12), 0, "%s", c->what);
	}
}

Test(pcp, rfc7225_s4_1_a_list_is_written_as_it_is_read)
{
	uint8_t data[HEX_MAX], msg[64];
	struct pcp_option o = option(PCP_PREFIX64,
		"00072001 0db80122 03000000 00000002 0018c000 0200 0020c633 6407", data);
	struct pcp_prefix64 p;

	cr_assert(pcp_read_prefix64(&o, &p));
	cr_expect_eq(p.ip4[1].bits, 32);
	cr_expect_eq(p.ip4[1].address, 0xc6336407);
	cr_expect_eq(pcp_append_prefix64(msg, 0, sizeof msg, &p), 4 + 28);
	expect_octets("PREFIX64", msg + 4, 28, data, 28);
	p.n = 0;
	cr_expect_eq(pcp_append_prefix64(msg, 0, sizeof msg, &p), 4 + 16);
	cr_expect_eq(msg[3], 14);
}

Test(pcp, rfc7225_entries_after_the_eighth_are_left_out)
{
	uint8_t data[16 + 9 * 6] = {0, 4, [15] = 9};
	struct pcp_option o = {PCP_PREFIX64, PCP_PREFIX64, sizeof data, data};
	struct pcp_prefix64 p;

	cr_assert(pcp_read_prefix64(&o, &p));
	cr_expect_eq(p.n, 8);
}

// draft-boucadair-pcp-failure-06.
Test(pcp, a_next_is_read_and_written)
{
	static const char *const text = NONCE "06000001 " CLIENT POOL "00000e10 1f909c41 80010000";
	uint8_t data[HEX_MAX], msg[80];
	struct pcp_option o = option(PCP_NEXT, text, data);
	struct pcp_next next;
	char ip[IP6_TEXT];

	cr_assert(pcp_read_next(&o, &next));
	cr_expect_eq(next.nonce.b[11], 0xbb);
	cr_expect_eq(next.protocol, 6);
	cr_expect(next.end);
	cr_expect_str_eq(ip6_format(next.internal_ip, ip), "100.64.0.10");
	cr_expect_str_eq(ip6_format(next.external_ip, ip), "203.0.113.5");
	cr_expect_eq(next.lifetime_s, 3600);
	cr_expect_eq(next.internal_port, 8080);
	cr_expect_eq(next.external_port, 40001);
	cr_expect_eq(next.n_wanted, 4);
	cr_expect_eq(next.wanted[0], PCP_DESCRIPTION);
	cr_expect_eq(pcp_append_next(msg, 0, sizeof msg, &next), 64);
	expect_octets("NEXT", msg + 4, 60, data, 60);
	cr_expect_eq(pcp_append_next(msg, 0, 63, &next), 0);
	o.length = 55;
	cr_expect_not(pcp_read_next(&o, &next));
}

struct text_case {
	const char *what, *hex;
	bool good;
};

static const struct text_case text_cases[] = {
	{"nothing", "", true},
	{"web", "776562", true},
	{"NUL is ordinary", "770062", true},
	{"two, three and four octets", "c3a9 e282ac f09f9880", true},
	{"the last code point", "f48fbfbf", true},
	{"beyond it", "f4908080", false},
	{"03 a lead without its tail", "c328", false},
	{"a tail without its lead", "80", false},
	{"cut", "e282", false},
	{"overlong slash", "c0af", false},
	{"overlong of three", "e09fbf", false},
	{"overlong of four", "f08fbfbf", false},
	{"the first of each length", "c280 e0a080 f0908080", true},
	{"a surrogate", "eda080", false},
	{"before and behind surrogates", "ed9fbf ee8080", true},
	{"five octets", "f888808080", false},
	{"ff", "ff", false},
};

Test(pcp, rfc7220_s2_descriptions_are_utf8_of_rfc3629)
{
	for (size_t i = 0; i < ARRAY_SIZE(text_cases); i++) {
		const struct text_case *c = &text_cases[i];
		uint8_t text[HEX_MAX];
		size_t n = hex(c->hex, text);

		cr_expect_eq(pcp_text_is_utf8(text, n), c->good, "%s", c->what);
	}
}
