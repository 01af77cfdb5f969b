// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

#include <stdlib.h>

static const struct pcp_served version_2 = {.dialects = PCP_SERVES(PCP_V2)};

static enum pcp_door decode(const char *text, struct pcp_message *m, enum pcp_result *result)
{
	uint8_t msg[HEX_MAX];
	size_t len = hex(text, msg);

	return pcp_decode_request(msg, len, &version_2, m, result);
}

Test(pcp, a_map_request_is_read_field_by_field)
{
	struct pcp_message m;
	enum pcp_result result;
	char text[IP6_TEXT];

	cr_assert_eq(decode(V11, &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(m.version, 2);
	cr_expect_eq(m.opcode, PCP_MAP);
	cr_expect_not(m.response);
	cr_expect_eq(m.lifetime_s, 3600);
	cr_expect_str_eq(ip6_format(m.client, text), "100.64.0.10");
	cr_expect_eq(m.nonce.b[0], 0x00);
	cr_expect_eq(m.nonce.b[11], 0xbb);
	cr_expect_eq(m.protocol, 6);
	cr_expect_eq(m.internal_port, 443);
	cr_expect_eq(m.external_port, 443);
	cr_expect_str_eq(ip6_format(m.external_ip, text), "203.0.113.5");
	cr_expect_eq(m.options_at, 60);
}

Test(pcp, a_peer_request_is_read_field_by_field)
{
	struct pcp_message m;
	enum pcp_result result;
	char text[IP6_TEXT];

	cr_assert_eq(decode(V29, &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(m.opcode, PCP_PEER);
	cr_expect_eq(m.lifetime_s, 600);
	cr_expect_eq(m.internal_port, 50000);
	cr_expect_eq(m.remote_port, 443);
	cr_expect_str_eq(ip6_format(m.remote_ip, text), "198.51.100.7");
	cr_expect_eq(m.options_at, 80);
}

struct door_case {
	const char *what, *hex;
	enum pcp_door door;
	enum pcp_result result;
};

static const struct door_case door_cases[] = {
	{"V01 MAP", V01, PCP_DOOR_OPEN, PCP_SUCCESS},
	{"V26 ANNOUNCE", V26, PCP_DOOR_OPEN, PCP_SUCCESS},
	{"V29 PEER", V29, PCP_DOOR_OPEN, PCP_SUCCESS},
	{"V24 61 octets", V01 "00", PCP_DOOR_REFUSE, PCP_MALFORMED_REQUEST},
	{"V25 body cut to 32",
		"02010000 00000e10 " CLIENT NONCE "06000000 1f900000 00000000 00000000 0000ffff",
		PCP_DOOR_REFUSE, PCP_MALFORMED_REQUEST},
	{"V27 opcode 96", "02600000 00000000 " CLIENT "deadbeef", PCP_DOOR_REFUSE,
		PCP_UNSUPP_OPCODE},
	{"V28 version 3", "03010000 00000e10 " CLIENT, PCP_DOOR_REFUSE, PCP_UNSUPP_VERSION},
	{"version before length", "0301", PCP_DOOR_REFUSE, PCP_UNSUPP_VERSION},
	{"N08 NAT-PMP, 2 octets", "0000", PCP_DOOR_REFUSE, PCP_UNSUPP_VERSION},
	{"V35 20 octets", "02010000 00000e10 00000000 00000000 0000ffff", PCP_DOOR_SHORT,
		PCP_SUCCESS},
	{"V36 R bit", "02810000 00000000 " ZERO12 "00000000", PCP_DOOR_RESPONSE, PCP_SUCCESS},
	{"R bit before version", "0381", PCP_DOOR_RESPONSE, PCP_SUCCESS},
	{"V37 1 octet", "02", PCP_DOOR_SHORT, PCP_SUCCESS},
	{"nothing", "", PCP_DOOR_SHORT, PCP_SUCCESS},
	{"length before opcode", "02600000 00000000 " CLIENT "de", PCP_DOOR_REFUSE,
		PCP_MALFORMED_REQUEST},
	{"opcode before body", "02030000 00000000 " CLIENT, PCP_DOOR_REFUSE, PCP_UNSUPP_OPCODE},
	{"PEER as long as MAP", "02020000 00000258 " CLIENT NONCE "06000000 c3500000 " NO_IP4,
		PCP_DOOR_REFUSE, PCP_MALFORMED_REQUEST},
};

Test(pcp, the_door_checks_in_the_order_of_section_8_2)
{
	for (size_t i = 0; i < ARRAY_SIZE(door_cases); i++) {
		const struct door_case *c = &door_cases[i];
		struct pcp_message m;
		enum pcp_result result;

		cr_expect_eq(decode(c->hex, &m, &result), c->door, "%s", c->what);
		cr_expect_eq(result, c->result, "%s", c->what);
	}
}

Test(pcp, version_and_opcode_are_told_even_when_refused)
{
	struct pcp_message m;
	enum pcp_result result;

	cr_expect_eq(decode("0302", &m, &result), PCP_DOOR_REFUSE);
	cr_expect_eq(m.version, 3);
	cr_expect_eq(m.opcode, PCP_PEER);
	cr_expect_eq(m.wire_opcode, PCP_PEER);
}

#define V2 PCP_SERVES(PCP_V2)
#define V0 PCP_SERVES(PCP_NATPMP)
#define V1A PCP_SERVES(PCP_V1A)
#define V1B PCP_SERVES(PCP_V1B)
#define V1C PCP_SERVES(PCP_V1C)
#define MAP_V1B "01010000 00000e10 " CLIENT "06000000 1f900000 " NO_IP4
#define MAP_V1C "01010000 00000e10 " CLIENT NONCE "06000000 1f900000 " NO_IP4
#define MAP_V1A "01010000 00000e10 06000000 1f900000 00000000"

struct nearest_case {
	const char *what, *hex;
	unsigned dialects;
	enum pcp_dialect answer;
	const char *reply;
};

static const struct nearest_case nearest_cases[] = {
	{"NAT-PMP, to 2", "0000", V2, PCP_V2, "02800001 00000708 00000064 " ZERO12},
	{"NAT-PMP, to 1 and 2", "0000", V2 | V1B, PCP_V2, "02800001 00000708 00000064 " ZERO12},
	{"NAT-PMP, to v1b", "0000", V1B, PCP_V1B, "01800001 00000708 00000064 " ZERO12},
	{"NAT-PMP, to v1a", "0001", V1A, PCP_V1A, "01810001 00000708 00000064"},
	{"2, to NAT-PMP", V26, V0, PCP_NATPMP, "00800001 00000064"},
	{"2, to v1c", V26, V0 | V1C, PCP_V1C,
		"01800001 00000708 00000064 00000000 0000ffff 6440000a"},
	{"2, to v1a", V26, V0 | V1A, PCP_V1A,
		"01800001 00000708 00000064 00000000 00000000 0000ffff 6440000a"},
	{"3, to all", "0300", V0 | V1A | V1B | V2, PCP_V2, "02800001 00000708 00000064 " ZERO12},
	{"3, to NAT-PMP and 1", "0300", V0 | V1B, PCP_V1B, "01800001 00000708 00000064 " ZERO12},
	{"v1a, to 2 and v1b", MAP_V1A, V2 | V1B, PCP_V2,
		"02810001 00000708 00000064 1f900000 00000000 00000000"},
	{"v1a, to v1b", MAP_V1A, V1B, PCP_V1B,
		"01810001 00000708 00000064 1f900000 00000000 00000000"},
	{"v1b, to v1a", MAP_V1B, V1A | V0, PCP_V1A,
		"01810001 00000708 00000064 " CLIENT "06000000 1f900000 " NO_IP4},
	{"v1c, to v1b", MAP_V1C, V1B | V0, PCP_V1B,
		"01810001 00000708 00000064 00000000 0000ffff 6440000a " NONCE
		"06000000 1f900000 " NO_IP4},
	{"1, to 0 and 2: a tie", MAP_V1B, V0 | V2, PCP_V2,
		"02810001 00000708 00000064 00000000 0000ffff 6440000a 06000000 1f900000 " NO_IP4},
	{"the first drafts set the top bit", "80010000", V2, PCP_V2,
		"02810001 00000708 00000064 " ZERO12},
};

Test(pcp, rfc6887_s9_what_is_not_served_is_refused_in_the_nearest_served_dialect)
{
	for (size_t i = 0; i < ARRAY_SIZE(nearest_cases); i++) {
		const struct nearest_case *c = &nearest_cases[i];
		struct pcp_served served = serving(c->dialects, CLIENT_ADDRESS);
		struct pcp_error error = {PCP_UNSUPP_VERSION, false, 1800, 100, NULL};
		struct pcp_version_refusal refusal;
		uint8_t msg[HEX_MAX], want[HEX_MAX];
		size_t len = hex(c->hex, msg), want_len = hex(c->reply, want);
		struct pcp_message m;
		enum pcp_result result;

		cr_expect_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_REFUSE,
			"%s", c->what);
		cr_expect_eq(result, PCP_UNSUPP_VERSION, "%s", c->what);
		cr_expect_eq(m.dialect, c->answer, "%s", c->what);
		len = pcp_error_reply(msg, len, sizeof msg, &m, &error);
		expect_octets(c->what, msg, len, want, want_len);
		cr_expect(pcp_decode_version_refusal(msg, len, &refusal), "%s", c->what);
		cr_expect_eq(refusal.version, want[0], "%s", c->what);
	}
}

// draft-boucadair-pcp-failure-06.
Test(pcp, a_get_is_read_field_by_field_where_it_is_known)
{
	static const char *const get =
		"02620000 00000000 " CLIENT "11000000 " POOL CLIENT "138c9c44";
	struct pcp_served served = serving(V2, CLIENT_ADDRESS);
	uint8_t msg[HEX_MAX];
	size_t len = hex(get, msg);
	struct pcp_message m;
	enum pcp_result result;
	char text[IP6_TEXT];

	cr_expect_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_REFUSE);
	cr_expect_eq(result, PCP_UNSUPP_OPCODE);
	cr_expect_eq(m.opcode, PCP_GET);
	served.get = true;
	cr_assert_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(m.get.protocol, 17);
	cr_expect_str_eq(ip6_format(m.get.internal_ip, text), "203.0.113.5");
	cr_expect_str_eq(ip6_format(m.get.external_ip, text), "100.64.0.10");
	cr_expect_eq(m.get.internal_port, 5004);
	cr_expect_eq(m.get.external_port, 40004);
	cr_expect_eq(m.options_at, 64);
	cr_expect_eq(pcp_decode_request(msg, 60, &served, &m, &result), PCP_DOOR_REFUSE);
	cr_expect_eq(result, PCP_MALFORMED_REQUEST);
}

Test(pcp, sizes_around_the_limit_of_1100)
{
	uint8_t msg[HEX_MAX] = {0};
	struct pcp_message m;
	enum pcp_result result;

	hex(V01, msg);
	cr_expect_eq(pcp_decode_request(msg, 1100, &version_2, &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(pcp_decode_request(msg, 1104, &version_2, &m, &result), PCP_DOOR_REFUSE);
	cr_expect_eq(result, PCP_MALFORMED_REQUEST);
}

// Every prefix of the message in memory of exactly its own size, so that the sanitizer sees a read
// past its end.
static void sweep(const char *text)
{
	uint8_t full[HEX_MAX];
	size_t len = hex(text, full);

	for (size_t cut = 0; cut <= len; cut++) {
		uint8_t *msg = malloc(cut ? cut : 1);
		struct pcp_option options[PCP_MAX_OPTIONS];
		struct pcp_message m;
		struct pcp_version_refusal refusal;
		struct pcp_served all = serving(SERVES_ALL, CLIENT_ADDRESS);
		enum pcp_result result;
		size_t n;
		enum pcp_door door;

		cr_assert_not_null(msg);
		memcpy(msg, full, cut);
		door = pcp_decode_request(msg, cut, &all, &m, &result);
		if (cut < len)
			cr_expect(door != PCP_DOOR_OPEN || m.options_at <= cut, "%zu", cut);
		if (door == PCP_DOOR_OPEN)
			(void)pcp_decode_options(msg, cut, &m, options, ARRAY_SIZE(options), &n);
		if (cut >= 2)
			msg[1] |= 0x80;
		for (unsigned d = 0; d < PCP_DIALECTS; d++)
			if (pcp_decode_response_in((enum pcp_dialect)d, msg, cut, &m))
				cr_expect(m.options_at <= cut, "%zu", cut);
		(void)pcp_decode_version_refusal(msg, cut, &refusal);
		free(msg);
	}
}

Test(pcp, no_prefix_of_a_message_is_read_past_its_end)
{
	sweep(V01 "c8000006 01020304 05060000 03000014 " ZERO12 "00000000 00000000 02000000");
	sweep(V29 "01000010 00000000 00000000 0000ffff 64400014");
	sweep(V26 "c8000003 01020300");
	sweep("00800001 00000064 00000000");
	sweep("00010000 1f901f90 00001c20 00000000 00000000");
	sweep(MAP_V1A "02000002 00180000 c6336400 03000000");
	sweep("01030000 00000258 06000000 c3500000 01bb0000 c6336407 " ZERO12 "00000000 04000004 "
	      "64400014");
	sweep("01040000 00000258 06000000 c3500000 01bb0000 " POOL NO_IP4);
	sweep(MAP_V1B "03000014 00180000 " POOL);
	sweep(MAP_V1C "02000000");
	sweep("01010000 00000e10 00000000 6440000a " ZERO12 "06000000 1f900000 00000000");
}

static bool response(const char *text, struct pcp_message *m)
{
	uint8_t msg[HEX_MAX];
	size_t len = hex(text, msg);

	return pcp_decode_response(msg, len, m);
}

Test(pcp, a_map_answer_is_read_field_by_field)
{
	struct pcp_message m;
	char text[IP6_TEXT];

	cr_assert(
		response("02810000 00000e10 00000064 " ZERO12 NONCE "06000000 1f909c41 " POOL, &m));
	cr_expect(m.response);
	cr_expect_eq(m.opcode, PCP_MAP);
	cr_expect_eq(m.result, PCP_SUCCESS);
	cr_expect_eq(m.lifetime_s, 3600);
	cr_expect_eq(m.epoch_s, 100);
	cr_expect_eq(m.protocol, 6);
	cr_expect_eq(m.internal_port, 8080);
	cr_expect_eq(m.external_port, 40001);
	cr_expect_str_eq(ip6_format(m.external_ip, text), "203.0.113.5");
	cr_expect_eq(m.nonce.b[10], 0xaa);
}

Test(pcp, what_is_no_well_formed_answer_is_not_decoded)
{
	struct pcp_message m;

	cr_expect_not(response(V01, &m), "R bit clear");
	cr_expect_not(response("01810000 00000e10 00000064 " ZERO12, &m), "version 1");
	cr_expect_not(response("02800000 00000000 00000064 00000000 00000000", &m), "20 octets");
	cr_expect_not(response("02800000 00000000 00000064 " ZERO12 "00", &m), "25 octets");
	cr_expect_not(response("02810000 00000e10 00000064 " ZERO12, &m), "success, no body");
	cr_expect(response("02810003 00000708 00000064 " ZERO12, &m), "error, no body");
	cr_expect_eq(m.internal_port, 0);
	cr_expect_eq(m.options_at, 24);
	cr_expect(response("02e00004 00000708 00000064 " ZERO12 "deadbeef", &m), "opcode 96");
	cr_expect_eq(m.opcode, 96);
}

struct refusal_case {
	const char *what, *hex;
	bool refused;
	uint8_t version;
	uint32_t lifetime_s;
};

static const struct refusal_case refusal_cases[] = {
	{"N09, erratum 3618", "00800001 00000064", true, 0, PCP_ERROR_LONG_S},
	{"uncorrected text, R clear", "00000001 00000064", true, 0, PCP_ERROR_LONG_S},
	{"128 + opcode", "00810001 00000064", true, 0, PCP_ERROR_LONG_S},
	{"padded to a map answer", "00810001 00000064 1f900000 00000000", true, 0,
		PCP_ERROR_LONG_S},
	{"V28: 2 asked for", "02810001 00000708 00000064 " ZERO12, true, 2, 1800},
	{"version 1 server", "01810001 00000708 00000064 " ZERO12, true, 1, 1800},
	{"later server", "03810001 0000000a 00000064 " ZERO12, true, 3, 10},
	{"NAT-PMP success", "00800000 00000064 cb007105", false, 0, 0},
	{"NAT-PMP other error", "00820002 00000064 1f900000 00000000", false, 0, 0},
	{"another error", "02810002 00000708 00000064 " ZERO12, false, 0, 0},
	{"a request", "02010001 00000708 00000064 " ZERO12, false, 0, 0},
	{"v1a has a header of 12", "01810001 00000708 00000064", true, 1, 1800},
	{"11 octets", "01810001 00000708 000000", false, 0, 0},
	{"short, version 2", "02810001 00000708 00000064", false, 0, 0},
	{"3 octets", "008000", false, 0, 0},
};

Test(pcp, version_refusals_of_every_kind_of_gateway_are_recognised)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusal_cases); i++) {
		const struct refusal_case *c = &refusal_cases[i];
		uint8_t msg[HEX_MAX];
		size_t len = hex(c->hex, msg);
		struct pcp_version_refusal r;

		cr_expect_eq(pcp_decode_version_refusal(msg, len, &r), c->refused, "%s", c->what);
		cr_expect_eq(r.version, c->version, "%s", c->what);
		cr_expect_eq(r.lifetime_s, c->lifetime_s, "%s", c->what);
	}
}
