// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

static const struct pcp_served version_2 = {.dialects = PCP_SERVES(PCP_V2)};

Test(pcp, options_come_in_packet_order_with_their_data)
{
	uint8_t msg[HEX_MAX];
	size_t len = hex(V01 "c8000002 abcd0000 02000000 01000010 " POOL, msg), n;
	struct pcp_option o[8];
	struct pcp_message m;
	enum pcp_result result;

	cr_assert_eq(pcp_decode_request(msg, len, &version_2, &m, &result), PCP_DOOR_OPEN);
	cr_assert_eq(pcp_decode_options(msg, len, &m, o, ARRAY_SIZE(o), &n), PCP_SUCCESS);
	cr_assert_eq(n, 3);
	cr_expect_eq(o[0].code, 200);
	cr_expect_eq(o[0].length, 2);
	cr_expect_eq(o[0].data[1], 0xcd);
	cr_expect_eq(o[1].code, PCP_PREFER_FAILURE);
	cr_expect_eq(o[1].length, 0);
	cr_expect_null(o[1].data);
	cr_expect_eq(o[2].code, PCP_THIRD_PARTY);
	cr_expect_eq(o[2].length, 16);
	cr_expect_eq(o[2].data[15], 5);
}

static enum pcp_result walk(const char *text, size_t max, size_t *n)
{
	uint8_t msg[HEX_MAX];
	size_t len = hex(text, msg);
	struct pcp_option o[8];
	struct pcp_message m;
	enum pcp_result result;

	cr_assert_eq(
		pcp_decode_request(msg, len, &version_2, &m, &result), PCP_DOOR_OPEN, "%s", text);
	return pcp_decode_options(msg, len, &m, o, max, n);
}

Test(pcp, an_option_past_the_end_is_malformed)
{
	size_t n;

	cr_expect_eq(walk(V01 "c8000040", 8, &n), PCP_MALFORMED_OPTION); // V22
	cr_expect_eq(walk(V01 "c8000001", 8, &n), PCP_MALFORMED_OPTION);
	cr_expect_eq(walk(V01 "02000000 c800ffff 00000000", 8, &n), PCP_MALFORMED_OPTION);
	cr_expect_eq(walk(V01 "c8000005 00000000 00000000", 8, &n), PCP_SUCCESS);
	cr_expect_eq(walk(V01, 8, &n), PCP_SUCCESS);
	cr_expect_eq(n, 0);
}

Test(pcp, more_options_than_room_is_malformed)
{
	size_t n;

	cr_expect_eq(walk(V01 "02000000 02000000", 2, &n), PCP_SUCCESS);
	cr_expect_eq(n, 2);
	cr_expect_eq(walk(V01 "02000000 02000000 02000000", 2, &n), PCP_MALFORMED_OPTION);
	cr_expect_eq(n, 2);
}

Test(pcp, the_largest_message_of_empty_options_fits_the_list)
{
	uint8_t msg[PCP_MAX] = {0};
	struct pcp_option o[PCP_MAX_OPTIONS];
	struct pcp_message m;
	enum pcp_result result;
	size_t n;

	msg[0] = PCP_VERSION; // ANNOUNCE: no body, options from octet 24 on
	for (size_t at = PCP_HEADER; at < PCP_MAX; at += 4)
		msg[at] = 200;
	cr_assert_eq(pcp_decode_request(msg, sizeof msg, &version_2, &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(pcp_decode_options(msg, sizeof msg, &m, o, PCP_MAX_OPTIONS, &n), PCP_SUCCESS);
	cr_expect_eq(n, PCP_MAX_OPTIONS);
}

Test(pcp, rfc6887_s7_v41_one_option_fills_a_message_of_1100_octets)
{
	uint8_t msg[HEX_MAX] = {0};
	struct pcp_option o[2];
	struct pcp_message m;
	enum pcp_result result;
	size_t n;

	hex(V01 "c800040c", msg); // 60 + 4 + 1036
	cr_assert_eq(pcp_decode_request(msg, 1100, &version_2, &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(pcp_decode_options(msg, 1100, &m, o, ARRAY_SIZE(o), &n), PCP_SUCCESS);
	cr_expect_eq(n, 1);
	cr_expect_eq(o[0].length, 1036);
	cr_expect_eq(pcp_decode_options(msg, 1096, &m, o, ARRAY_SIZE(o), &n), PCP_MALFORMED_OPTION);
}

Test(pcp, options_are_padded_with_zeros)
{
	uint8_t msg[HEX_MAX], want[HEX_MAX];
	size_t want_len = hex("02000000 c8000002 abcd0000 c9000004 01020304", want);
	const uint8_t data[] = {0xab, 0xcd}, four[] = {1, 2, 3, 4};
	size_t at = 0;

	memset(msg, 0xee, sizeof msg);
	at = pcp_append_option(msg, at, sizeof msg, PCP_PREFER_FAILURE, NULL, 0);
	at = pcp_append_option(msg, at, sizeof msg, 200, data, sizeof data);
	at = pcp_append_option(msg, at, sizeof msg, 201, four, sizeof four);
	expect_octets("options", msg, at, want, want_len);
}

Test(pcp, an_option_that_does_not_fit_writes_nothing)
{
	uint8_t msg[8], data[5] = {0};

	memset(msg, 0xee, sizeof msg);
	cr_expect_eq(pcp_append_option(msg, 4, sizeof msg, 200, data, 1), 0);
	cr_expect_eq(pcp_append_option(msg, 0, sizeof msg, 200, data, 5), 0);
	cr_expect_eq(msg[0], 0xee);
	cr_expect_eq(msg[4], 0xee);
	cr_expect_eq(pcp_append_option(msg, 4, sizeof msg, 200, NULL, 0), 8);
}

// ---- version 1 -------------------------------------------------------------------------------

#define MAP4 "01010000 00000e10 06000000 1f900000 00000000 "
#define MAP_V1B "01010000 00000e10 " CLIENT "06000000 1f900000 " NO_IP4

struct v1_case {
	const char *what, *hex;
	enum pcp_result result;
	size_t n;
	uint8_t codes[3];
	uint16_t lengths[3];
};

static const struct v1_case v1_cases[] = {
	{"v1a numbers its options anew",
		MAP4 "02000008 00180000 c6336400 03000000 04000004 64400014", PCP_SUCCESS, 3,
		{PCP_FILTER, PCP_PREFER_FAILURE, PCP_THIRD_PARTY}, {8, 0, 4}},
	{"FILTER's length in words", MAP4 "02000002 00180000 c6336400 03000000", PCP_SUCCESS, 2,
		{PCP_FILTER, PCP_PREFER_FAILURE}, {8, 0}},
	{"of an IPv6 address", MAP4 "02000005 00400000 20010db8 " ZERO12, PCP_SUCCESS, 1,
		{PCP_FILTER}, {20}},
	{"words past the end", MAP4 "02000002 00180000", PCP_MALFORMED_OPTION, 0, {0}, {0}},
	{"only FILTER counts in words", MAP4 "04000002 64400000", PCP_SUCCESS, 1, {PCP_THIRD_PARTY},
		{2}},
	{"equal codes do not descend", MAP4 "02000008 00180000 c6336400 02000008 00180000 c6336400",
		PCP_SUCCESS, 2, {PCP_FILTER, PCP_FILTER}, {8, 8}},
	{"optional ones descend", MAP4 "c8000000 03000000", PCP_MISORDERED_OPTIONS, 1, {255}, {0}},
	{"mandatory ones descend", MAP4 "04000004 64400014 03000000", PCP_MISORDERED_OPTIONS, 1,
		{PCP_THIRD_PARTY}, {4}},
	{"what v1a does not know", MAP4 "01000000 05000000 82000000", PCP_SUCCESS, 3,
		{127, 127, 255}, {0}},
	{"v1b: UNPROCESSED is no option to send", MAP_V1B "00000000 7f000000", PCP_SUCCESS, 2,
		{127, 127}, {0}},
	{"v1b numbers as version 2", MAP_V1B "02000000 01000000 03000000", PCP_SUCCESS, 3,
		{PCP_PREFER_FAILURE, PCP_THIRD_PARTY, PCP_FILTER}, {0}},
	{"later options were not there yet", MAP_V1B "0d000000 80000000 82000000", PCP_SUCCESS, 3,
		{127, 255, 255}, {0}},
};

Test(pcp, version_1_options_have_the_numbers_and_order_of_their_drafts)
{
	for (size_t i = 0; i < ARRAY_SIZE(v1_cases); i++) {
		const struct v1_case *c = &v1_cases[i];
		struct pcp_served served = serving(SERVES_ALL, CLIENT_ADDRESS);
		uint8_t msg[HEX_MAX];
		size_t len = hex(c->hex, msg), n;
		struct pcp_option o[8];
		struct pcp_message m;
		enum pcp_result result;

		cr_assert_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_OPEN,
			"%s", c->what);
		cr_expect_eq(pcp_decode_options(msg, len, &m, o, ARRAY_SIZE(o), &n), c->result,
			"%s", c->what);
		cr_assert_eq(n, c->n, "%s: %zu", c->what, n);
		for (size_t k = 0; k < n; k++) {
			cr_expect_eq(o[k].code, c->codes[k], "%s: %u", c->what, o[k].code);
			cr_expect_eq(o[k].length, c->lengths[k], "%s", c->what);
		}
		if (n > 0)
			cr_expect_eq(o[0].wire_code, msg[m.options_at], "%s", c->what);
	}
}

Test(pcp, an_option_code_goes_to_a_dialect_and_comes_back)
{
	static const uint8_t known[] = {PCP_THIRD_PARTY, PCP_PREFER_FAILURE, PCP_FILTER};

	cr_expect_eq(pcp_option_code_in(PCP_V1A, PCP_FILTER), 2);
	cr_expect_eq(pcp_option_code_in(PCP_V1A, PCP_PREFER_FAILURE), 3);
	cr_expect_eq(pcp_option_code_in(PCP_V1A, PCP_THIRD_PARTY), 4);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		cr_expect_eq(pcp_option_code_in(PCP_V2, known[i]), known[i]);
		cr_expect_eq(pcp_option_code_in(PCP_V1B, known[i]), known[i]);
		cr_expect_eq(pcp_option_code_in(PCP_V1C, known[i]), known[i]);
		cr_expect_eq(pcp_option_code_in(PCP_NATPMP, known[i]), 0);
	}
	cr_expect_eq(pcp_option_code_in(PCP_V2, PCP_PORT_SET), PCP_PORT_SET);
	cr_expect_eq(pcp_option_code_in(PCP_V1A, PCP_PORT_SET), 0);
	cr_expect_eq(pcp_option_code_in(PCP_V1B, PCP_DESCRIPTION), 0);
}
