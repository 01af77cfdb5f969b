// SPDX-License-Identifier: Apache-2.0
#include "hex.h"

static void expect_octets(
	const char *what, const uint8_t *got, size_t got_len, const uint8_t *want, size_t want_len)
{
	cr_expect_eq(got_len, want_len, "%s: %zu octets, want %zu", what, got_len, want_len);
	for (size_t i = 0; i < got_len && i < want_len; i++)
		cr_assert_eq(got[i], want[i], "%s: octet %zu is %02x, want %02x", what, i, got[i],
			want[i]);
}

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
		len = pcp_error_reply(
			msg, len, sizeof msg, c->result, c->parsed, c->lifetime_s, 100);
		expect_octets(c->what, msg, len, want, want_len);
	}
}

Test(pcp, an_oversized_request_is_answered_with_its_first_1100_octets)
{
	uint8_t msg[HEX_MAX];

	memset(msg, 0xab, sizeof msg);
	hex(V01, msg);
	cr_expect_eq(pcp_error_reply(msg, 1104, sizeof msg, PCP_MALFORMED_REQUEST, false, 1800, 1),
		1100);
	cr_expect_eq(msg[3], PCP_MALFORMED_REQUEST);
	cr_expect_eq(msg[23], 0x0a);
	cr_expect_eq(msg[1099], 0xab);
}

Test(pcp, every_length_gives_an_error_reply_of_a_legal_length)
{
	for (size_t len = 2; len <= HEX_MAX; len++) {
		uint8_t msg[HEX_MAX] = {0};
		struct pcp_message m;
		size_t n = pcp_error_reply(msg, len, sizeof msg, PCP_NO_RESOURCES, true, 30, 7);

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

	cr_assert_eq(pcp_decode_request(msg, len, &m, &result), PCP_DOOR_OPEN);
	cr_assert(ip4_parse("203.0.113.5", &pool));
	m.external_ip = ip6_mapped(pool);
	m.external_port = 40001;
	cr_expect_eq(pcp_success_header(msg, 3600, 100), 24);
	pcp_write_body(msg, &m);
	expect_octets("V01", msg, m.options_at, want, want_len);
}

Test(pcp, success_clears_what_the_client_put_into_reserved_fields)
{
	uint8_t msg[HEX_MAX], want[HEX_MAX];
	size_t want_len = hex("02800000 00000000 00000064 " ZERO12, want);

	hex("0200ffff 00000000 " CLIENT, msg);
	expect_octets("ANNOUNCE", msg, pcp_success_header(msg, 0, 100), want, want_len);
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
		cr_assert_eq(pcp_decode_request(want, want_len, &m, &result), PCP_DOOR_OPEN);
		len = pcp_encode_request(msg, sizeof msg, &m);
		expect_octets(vectors[i], msg, len, want, want_len);
		cr_expect_eq(pcp_encode_request(msg, want_len - 1, &m), 0);
	}
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

static struct pcp_message random_message(struct rng *r)
{
	struct pcp_message m = {.opcode = (uint8_t)rng_below(r, 3), .lifetime_s = rng_u32(r)};

	for (size_t i = 0; i < sizeof m.client.b; i++) {
		m.client.b[i] = (uint8_t)rng_u32(r);
		m.external_ip.b[i] = (uint8_t)rng_u32(r);
		m.remote_ip.b[i] = (uint8_t)rng_u32(r);
	}
	for (size_t i = 0; i < sizeof m.nonce.b; i++)
		m.nonce.b[i] = (uint8_t)rng_u32(r);
	m.protocol = (uint8_t)rng_u32(r);
	m.internal_port = (uint16_t)rng_u32(r);
	m.external_port = (uint16_t)rng_u32(r);
	m.remote_port = (uint16_t)rng_u32(r);
	return m;
}

Test(pcp, random_messages_survive_the_round_trip)
{
	struct rng r;

	rng_init_u64(&r, 6887);
	for (int i = 0; i < 20000; i++) {
		struct pcp_message in = random_message(&r), out;
		uint8_t msg[PCP_MAX];
		enum pcp_result result;
		size_t len = pcp_encode_request(msg, sizeof msg, &in);

		cr_assert_eq(pcp_decode_request(msg, len, &out, &result), PCP_DOOR_OPEN);
		cr_assert_eq(out.opcode, in.opcode);
		cr_assert_eq(out.lifetime_s, in.lifetime_s);
		cr_assert(ip6_eq(out.client, in.client));
		if (in.opcode == PCP_ANNOUNCE)
			continue;
		cr_assert(pcp_nonce_eq(out.nonce, in.nonce));
		cr_assert_eq(out.protocol, in.protocol);
		cr_assert_eq(out.internal_port, in.internal_port);
		cr_assert_eq(out.external_port, in.external_port);
		cr_assert(ip6_eq(out.external_ip, in.external_ip));
		if (in.opcode == PCP_PEER) {
			cr_assert_eq(out.remote_port, in.remote_port);
			cr_assert(ip6_eq(out.remote_ip, in.remote_ip));
		}
	}
}
