// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

static enum pcp_door decode(const char *text, struct pcp_message *m, enum pcp_result *result)
{
	uint8_t msg[HEX_MAX];
	size_t len = hex(text, msg);
	struct pcp_served served = serving(PCP_SERVES(PCP_NATPMP), CLIENT_ADDRESS);

	return pcp_decode_request(msg, len, &served, m, result);
}

Test(pcp, rfc6886_s3_3_a_map_request_is_read_field_by_field)
{
	struct pcp_message m;
	enum pcp_result result;
	char text[IP6_TEXT];

	cr_assert_eq(decode("00020000 1f901f91 00001c20", &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(m.version, 0);
	cr_expect_eq(m.dialect, PCP_NATPMP);
	cr_expect_eq(m.opcode, PCP_MAP);
	cr_expect_eq(m.wire_opcode, 2);
	cr_expect_eq(m.protocol, 6);
	cr_expect_eq(m.internal_port, 8080);
	cr_expect_eq(m.external_port, 8081);
	cr_expect_eq(m.lifetime_s, 7200);
	cr_expect_eq(m.scope, PCP_ONE);
	cr_expect_not(m.has_nonce);
	cr_expect_not(m.has_client);
	cr_expect_str_eq(ip6_format(m.client, text), "100.64.0.10");
	cr_expect_str_eq(ip6_format(m.external_ip, text), "0.0.0.0");
}

struct door_case {
	const char *what, *hex;
	enum pcp_door door;
	enum pcp_result result;
	uint16_t opcode;
	uint8_t scope;
};

static const struct door_case door_cases[] = {
	{"external address", "0000", PCP_DOOR_OPEN, PCP_SUCCESS, PCP_EXTERNAL_ADDRESS, PCP_ONE},
	{"octets behind it", "0000 0000", PCP_DOOR_OPEN, PCP_SUCCESS, PCP_EXTERNAL_ADDRESS,
		PCP_ONE},
	{"octets behind a map", "00010000 00090000 00000e10 ffff", PCP_DOOR_OPEN, PCP_SUCCESS,
		PCP_MAP, PCP_ONE},
	{"delete one", "00010000 00090000 00000000", PCP_DOOR_OPEN, PCP_SUCCESS, PCP_MAP, PCP_ONE},
	{"delete all", "00010000 00000000 00000000", PCP_DOOR_OPEN, PCP_SUCCESS, PCP_MAP,
		PCP_ALL_OF_PROTOCOL},
	{"port 0 with a lifetime", "00010000 00000000 00000e10", PCP_DOOR_OPEN, PCP_SUCCESS,
		PCP_MAP, PCP_ONE},
	{"map of 11 octets", "00010000 00090000 00000e", PCP_DOOR_SHORT, PCP_SUCCESS, PCP_MAP,
		PCP_ONE},
	{"1 octet", "00", PCP_DOOR_SHORT, PCP_SUCCESS, 0, PCP_ONE},
	{"opcode 3", "0003", PCP_DOOR_REFUSE, PCP_UNSUPP_OPCODE, PCP_NO_OPCODE, PCP_ONE},
	{"opcode 127", "007f", PCP_DOOR_REFUSE, PCP_UNSUPP_OPCODE, PCP_NO_OPCODE, PCP_ONE},
	{"opcode 128", "0080", PCP_DOOR_RESPONSE, PCP_SUCCESS, 0, PCP_ONE},
};

Test(pcp, rfc6886_s3_requests_are_let_in_or_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(door_cases); i++) {
		const struct door_case *c = &door_cases[i];
		struct pcp_message m;
		enum pcp_result result;

		cr_expect_eq(decode(c->hex, &m, &result), c->door, "%s", c->what);
		cr_expect_eq(result, c->result, "%s", c->what);
		cr_expect_eq(m.opcode, c->opcode, "%s", c->what);
		cr_expect_eq(m.scope, c->scope, "%s", c->what);
	}
}

struct error_case {
	const char *what, *request, *reply;
	enum pcp_result result;
};

static const struct error_case error_cases[] = {
	{"no external address", "0000", "00800003 00000064 00000000", PCP_NETWORK_FAILURE},
	{"quota", "00020000 1f901f90 00001c20", "00820004 00000064 1f900000 00000000",
		PCP_USER_EX_QUOTA},
	{"wildcard", "00010000 00000000 00001c20", "00810002 00000064 00000000 00000000",
		PCP_UNSUPP_PROTOCOL},
	{"malformed is not answered", "00010000 00090000 00001c20", "", PCP_MALFORMED_REQUEST},
	{"an opcode of 2 octets is made 8", "0005", "00850005 00000064", PCP_UNSUPP_OPCODE},
	{"of 3", "000500", "00850005 00000064", PCP_UNSUPP_OPCODE},
	{"of 4 stays 4", "00050000", "00850005", PCP_UNSUPP_OPCODE},
	{"of 12 is echoed", "00050102 03040506 0708090a", "00850005 03040506 0708090a",
		PCP_UNSUPP_OPCODE},
	{"switched off is unknown", "00020000 1f901f90 00001c20", "00820005 1f901f90 00001c20",
		PCP_UNSUPP_OPCODE},
};

Test(pcp, rfc6886_s3_5_errors_octet_for_octet)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_cases); i++) {
		const struct error_case *c = &error_cases[i];
		struct pcp_served served = serving(PCP_SERVES(PCP_NATPMP), CLIENT_ADDRESS);
		struct pcp_error error = {c->result, false, 1800, 100, NULL};
		uint8_t msg[HEX_MAX], want[HEX_MAX];
		size_t len = hex(c->request, msg), want_len = hex(c->reply, want);
		struct pcp_message m;
		enum pcp_result result;

		(void)pcp_decode_request(msg, len, &served, &m, &result);
		len = pcp_error_reply(msg, len, sizeof msg, &m, &error);
		expect_octets(c->what, msg, len, want, want_len);
	}
}

Test(pcp, rfc6886_s3_4_a_deletions_answer_has_port_and_lifetime_zero)
{
	struct pcp_message m;
	enum pcp_result result;
	uint8_t msg[HEX_MAX], want[HEX_MAX];
	size_t want_len = hex("00820000 00000064 1f900000 00000000", want), len;

	cr_assert_eq(decode("00020000 1f901f90 00000000", &m, &result), PCP_DOOR_OPEN);
	len = pcp_success_reply(msg, &m, 0, 100);
	expect_octets("a suggested port in a deletion", msg, len, want, want_len);
}

static bool response(const char *text, struct pcp_message *m)
{
	uint8_t msg[HEX_MAX];
	size_t len = hex(text, msg);

	return pcp_decode_response_in(PCP_NATPMP, msg, len, m);
}

Test(pcp, rfc6886_answers_are_read_by_a_client)
{
	struct pcp_message m;
	char text[IP6_TEXT];

	cr_assert(response("00800000 00000064 cb007105", &m));
	cr_expect_eq(m.opcode, PCP_EXTERNAL_ADDRESS);
	cr_expect_eq(m.epoch_s, 100);
	cr_expect_str_eq(ip6_format(m.external_ip, text), "203.0.113.5");
	cr_assert(response("00810000 00000064 1f909c41 00001c20", &m));
	cr_expect_eq(m.opcode, PCP_MAP);
	cr_expect_eq(m.protocol, 17);
	cr_expect_eq(m.internal_port, 8080);
	cr_expect_eq(m.external_port, 40001);
	cr_expect_eq(m.lifetime_s, 7200);
	cr_assert(response("00820004 00000064 1f900000 00000000", &m));
	cr_expect_eq(m.result, PCP_NO_RESOURCES);
	cr_expect_eq(m.lifetime_s, 30, "errors carry none: the recommended one");
	cr_assert(response("00830005 00000000", &m));
	cr_expect_eq(m.result, PCP_UNSUPP_OPCODE);
	cr_expect_eq(m.opcode, PCP_NO_OPCODE);
	cr_expect_eq(m.wire_opcode, 3);
	cr_assert(response("0081ffff 00000064", &m));
	cr_expect_eq(m.result, PCP_UNKNOWN_RESULT);
}

Test(pcp, rfc6886_what_is_no_well_formed_answer_is_not_decoded)
{
	struct pcp_message m;

	cr_expect_not(response("00800000 00000064 cb0071", &m), "11 octets");
	cr_expect_not(response("00810000 00000064 1f909c41 00001c", &m), "15 octets");
	cr_expect_not(response("00010000 00000064 1f909c41 00001c20", &m), "a request");
	cr_expect_not(response("00830000 00000064 1f909c41 00001c20", &m), "opcode 3 succeeds");
	cr_expect_not(response("02810000 00000064 1f909c41 00001c20", &m), "version 2");
	cr_expect_not(response("00810002 000000", &m), "7 octets");
}

Test(pcp, natpmp_encodes_only_what_it_has)
{
	uint8_t msg[16];
	struct pcp_message m = {.dialect = PCP_NATPMP, .opcode = PCP_PEER, .protocol = 17};

	cr_expect_eq(pcp_encode_request(msg, sizeof msg, &m), 0);
	m.opcode = PCP_MAP;
	cr_expect_eq(pcp_encode_request(msg, sizeof msg, &m), 12);
	cr_expect_eq(pcp_encode_request(msg, 11, &m), 0);
	m.protocol = 132;
	cr_expect_eq(pcp_encode_request(msg, sizeof msg, &m), 0);
	cr_expect_eq(pcp_success_reply(msg, &m, 1, 1), 0);
}
