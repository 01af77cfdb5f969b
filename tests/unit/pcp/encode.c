// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

static const struct pcp_served version_2 = {.dialects = PCP_SERVES(PCP_V2)};
static const struct pcp_message any = {.version = 2};

struct error_case {
	const char *what, *request, *reply;
	enum pcp_result result;
	bool parsed;
	uint32_t lifetime_s;
};

static const struct error_case error_cases[] = {
	{"V04 nonce mismatch keeps the body as sent", V01,
		"02810002 00000bb8 00000064 " ZERO12 NONCE "06000000 1f900000 " NO_IP4,
		PCP_NOT_AUTHORIZED, true, 3000},
	{"V11 options are returned", V11,
		"0281000b 0000026c 00000064 " ZERO12 NONCE "06000000 01bb01bb " POOL "02000000",
		PCP_CANNOT_PROVIDE_EXTERNAL, true, 620},
	{"V22 an unparsed request keeps octets 12 to 23", V01 "c8000040",
		"02810006 00000708 00000064 00000000 0000ffff 6440000a " NONCE
		"06000000 1f900000 " NO_IP4 "c8000040",
		PCP_MALFORMED_OPTION, false, 1800},
	{"V24 padded to 64", V01 "00",
		"02810003 00000708 00000064 00000000 0000ffff 6440000a " NONCE
		"06000000 1f900000 " NO_IP4 "00000000",
		PCP_MALFORMED_REQUEST, false, 1800},
	{"V27", "02600000 00000000 " CLIENT "deadbeef",
		"02e00004 00000708 00000064 00000000 0000ffff 6440000a deadbeef", PCP_UNSUPP_OPCODE,
		false, 1800},
	{"V28 the version octet becomes ours", "03010000 00000e10 " CLIENT,
		"02810001 00000708 00000064 00000000 0000ffff 6440000a", PCP_UNSUPP_VERSION, false,
		1800},
	{"N08 extended to 24", "0000", "02800001 00000708 00000064 " ZERO12, PCP_UNSUPP_VERSION,
		false, 1800},
	{"octet 2 is cleared", "0201ff00 00000e10 " CLIENT "ffffffff",
		"02810003 00000708 00000064 00000000 0000ffff 6440000a ffffffff",
		PCP_MALFORMED_REQUEST, false, 1800},
};

Test(pcp, error_replies_octet_for_octet)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_cases); i++) {
		const struct error_case *c = &error_cases[i];
		uint8_t msg[HEX_MAX], want[HEX_MAX];
		size_t len, want_len = hex(c->reply, want);

		memset(msg, 0xee, sizeof msg); // padding must not come from what was there
		len = hex(c->request, msg);
		struct pcp_error error = {c->result, c->parsed, c->lifetime_s, 100, NULL};
		len = pcp_error_reply(msg, len, sizeof msg, &any, &error);
		expect_octets(c->what, msg, len, want, want_len);
	}
}

Test(pcp, rfc6887_s8_2_v40_an_oversized_request_is_answered_with_its_first_1100_octets)
{
	struct pcp_error error = {PCP_MALFORMED_REQUEST, false, 1800, 1, NULL};
	uint8_t msg[HEX_MAX];

	memset(msg, 0xab, sizeof msg);
	hex(V01, msg);
	cr_expect_eq(pcp_error_reply(msg, 1104, sizeof msg, &any, &error), 1100);
	cr_expect_eq(msg[3], PCP_MALFORMED_REQUEST);
	cr_expect_eq(msg[23], 0x0a);
	cr_expect_eq(msg[1099], 0xab);
}

Test(pcp, every_length_gives_an_error_reply_of_a_legal_length)
{
	for (size_t len = 2; len <= HEX_MAX; len++) {
		uint8_t msg[HEX_MAX] = {0};
		struct pcp_error error = {PCP_NO_RESOURCES, true, 30, 7, NULL};
		struct pcp_message m;
		size_t n = pcp_error_reply(msg, len, sizeof msg, &any, &error);

		cr_expect(n >= 24 && n <= 1100 && n % 4 == 0, "%zu -> %zu", len, n);
		cr_expect(pcp_decode_response(msg, n, &m));
		cr_expect_eq(m.result, PCP_NO_RESOURCES);
		cr_expect_eq(m.lifetime_s, 30);
		cr_expect_eq(m.epoch_s, 7);
	}
}

Test(pcp, success_reply_v01)
{
	uint8_t msg[HEX_MAX], want[HEX_MAX];
	size_t len = hex(V01, msg);
	size_t want_len =
		hex("02810000 00000e10 00000064 " ZERO12 NONCE "06000000 1f909c41 " POOL, want);
	struct pcp_message m;
	enum pcp_result result;
	ip4 pool;

	cr_assert_eq(pcp_decode_request(msg, len, &version_2, &m, &result), PCP_DOOR_OPEN);
	cr_assert(ip4_parse("203.0.113.5", &pool));
	m.external_ip = ip6_mapped(pool);
	m.external_port = 40001;
	len = pcp_success_reply(msg, &m, 3600, 100);
	expect_octets("V01", msg, len, want, want_len);
}

Test(pcp, success_clears_what_the_client_put_into_reserved_fields)
{
	uint8_t msg[HEX_MAX], want[HEX_MAX];
	size_t want_len = hex("02800000 00000000 00000064 " ZERO12, want);

	hex("0200ffff 00000000 " CLIENT, msg);
	expect_octets("ANNOUNCE", msg, pcp_success_reply(msg, &any, 0, 100), want, want_len);
}

Test(pcp, requests_octet_for_octet)
{
	static const char *const vectors[] = {V01, V26, V29};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t want[HEX_MAX], msg[HEX_MAX];
		size_t want_len = hex(vectors[i], want), len;
		struct pcp_message m;
		enum pcp_result result;

		memset(msg, 0xee, sizeof msg);
		cr_assert_eq(
			pcp_decode_request(want, want_len, &version_2, &m, &result), PCP_DOOR_OPEN);
		len = pcp_encode_request(msg, sizeof msg, &m);
		expect_octets(vectors[i], msg, len, want, want_len);
		cr_expect_eq(pcp_encode_request(msg, want_len - 1, &m), 0);
	}
}
