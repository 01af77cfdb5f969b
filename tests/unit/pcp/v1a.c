// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

#define HEAD4 "01010000 00000e10 "
#define V6 "20010db8 00000000 00000000 00000001 "

static enum pcp_door decode(const char *text, struct pcp_message *m, enum pcp_result *result)
{
	uint8_t msg[HEX_MAX];
	size_t len = hex(text, msg);
	struct pcp_served served = serving(PCP_SERVES(PCP_V1A), CLIENT_ADDRESS);

	served.external_ip6 = true;
	return pcp_decode_request(msg, len, &served, m, result);
}

Test(pcp, draft_07_map4_and_peer4_are_read_field_by_field)
{
	struct pcp_message m;
	enum pcp_result result;
	char text[IP6_TEXT];

	cr_assert_eq(decode(HEAD4 "06000000 1f901f91 cb007105", &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(m.dialect, PCP_V1A);
	cr_expect_eq(m.opcode, PCP_MAP);
	cr_expect_eq(m.protocol, 6);
	cr_expect_eq(m.internal_port, 8080);
	cr_expect_eq(m.external_port, 8081);
	cr_expect_str_eq(ip6_format(m.external_ip, text), "203.0.113.5");
	cr_expect_str_eq(ip6_format(m.client, text), "100.64.0.10");
	cr_expect_not(m.has_client);
	cr_expect_not(m.has_nonce);
	cr_assert_eq(decode("01030000 00000258 06000000 c3500000 01bb0000 c6336407 "
			    "00000000 00000000 00000000 00000000",
			     &m, &result),
		PCP_DOOR_OPEN);
	cr_expect_eq(m.opcode, PCP_PEER);
	cr_expect_eq(m.remote_port, 443);
	cr_expect_str_eq(ip6_format(m.remote_ip, text), "198.51.100.7");
	cr_expect_eq(m.external_port, 0);
	cr_expect_str_eq(ip6_format(m.external_ip, text), "0.0.0.0");
	cr_expect_eq(m.options_at, 40);
}

Test(pcp, draft_07_map6_and_peer6_are_opcodes_only_where_ipv6_is_given)
{
	static const char *const requests[] = {
		"01020000 00000e10 06000000 1f900000 " V6,
		"01040000 00000e10 06000000 1f900000 01bb0000 " V6 ZERO12 "00000000",
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct pcp_served served = serving(PCP_SERVES(PCP_V1A), CLIENT_ADDRESS);
		uint8_t msg[HEX_MAX];
		size_t len = hex(requests[i], msg);
		struct pcp_message m;
		enum pcp_result result;
		ip6 address = hex_address(V6);

		cr_expect_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_REFUSE);
		cr_expect_eq(result, PCP_UNSUPP_OPCODE);
		served.external_ip6 = true;
		cr_expect_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_OPEN);
		cr_expect_eq(m.opcode, i == 0 ? PCP_MAP : PCP_PEER);
		cr_expect(ip6_eq(i == 0 ? m.external_ip : m.remote_ip, address));
	}
}

Test(pcp, draft_07_lifetime_0_deletes_by_port_by_protocol_or_all)
{
	static const struct {
		const char *body;
		uint8_t scope;
	} cases[] = {
		{"06000000 1f900000 00000000", PCP_ONE},
		{"00000000 1f900000 00000000", PCP_ALL_OF_PORT},
		{"06000000 00000000 00000000", PCP_ALL_OF_PROTOCOL},
		{"00000000 00000000 00000000", PCP_ALL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[200] = "01010000 00000000 ";
		struct pcp_message m;
		enum pcp_result result;

		strcat(text, cases[i].body);
		cr_assert_eq(decode(text, &m, &result), PCP_DOOR_OPEN);
		cr_expect_eq(m.scope, cases[i].scope, "%s", text);
		text[15] = '1'; // lifetime 0x10
		cr_expect_eq(decode(text, &m, &result),
			m.internal_port ? PCP_DOOR_OPEN : PCP_DOOR_REFUSE, "%s", text);
		cr_expect_eq(m.scope, PCP_ONE);
	}
}

struct error_case {
	const char *what, *request, *reply;
	enum pcp_result result;
	int blamed; // which option of the request; -1: none
};

static const struct error_case error_cases[] = {
	{"assigned fields are zero, options echoed",
		HEAD4 "06000000 1f901f90 cb007105 03000000 04000004 64400014",
		"01810018 0000001e 00000064 06000000 1f900000 00000000 03000000 04000004 64400014",
		PCP_USER_EX_QUOTA, -1},
	{"the blamed option is named alone", HEAD4 "06000000 1f901f90 cb007105 03000000 2a000000",
		"01810004 0000001e 00000064 06000000 1f900000 00000000 01000001 2a000000",
		PCP_UNSUPP_OPTION, 1},
	{"when nobody is blamed, the broken one",
		HEAD4 "06000000 1f901f90 cb007105 03000000 2a000040",
		"01810005 0000001e 00000064 06000000 1f900000 00000000 01000001 2a000000",
		PCP_MALFORMED_OPTION, -1},
	{"when none is, an empty list", HEAD4 "06000000 1f901f90 cb007105 03000000",
		"01810005 0000001e 00000064 06000000 1f900000 00000000 01000000",
		PCP_MALFORMED_OPTION, -1},
	{"third party refused", HEAD4 "06000000 1f900000 00000000 04000004 64400014",
		"01810033 0000001e 00000064 06000000 1f900000 00000000 04000004 64400014",
		PCP_UNAUTH_TARGET_ADDRESS, 0},
	{"MAP6", "01020000 00000e10 06000000 1f901f90 " V6,
		"01820015 0000001e 00000064 06000000 1f900000 " ZERO12 "00000000", PCP_NO_RESOURCES,
		-1},
	{"PEER6", "01040000 00000e10 06000000 1f900000 01bb0000 " V6 ZERO12 "00000000",
		"01840032 0000001e 00000064 06010000 1f900000 01bb0000 " V6 ZERO12 "00000000",
		PCP_NONEXIST_PEER, -1},
	{"switched off is unknown", HEAD4 "06000000 1f901f90 cb007105 03000000",
		"01810003 0000001e 00000064 06000000 1f901f90 cb007105 03000000", PCP_UNSUPP_OPCODE,
		-1},
	{"cut", "01010000 00000e10 06000000 1f90", "01810002 0000001e 00000064 06000000 1f900000",
		PCP_MALFORMED_REQUEST, -1},
	{"4 octets", "01010000", "01810002 0000001e 00000064", PCP_MALFORMED_REQUEST, -1},
};

Test(pcp, draft_07_errors_octet_for_octet)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_cases); i++) {
		const struct error_case *c = &error_cases[i];
		struct pcp_served served = serving(PCP_SERVES(PCP_V1A), CLIENT_ADDRESS);
		struct pcp_error error = {c->result, true, 30, 100, NULL};
		uint8_t msg[HEX_MAX], want[HEX_MAX];
		size_t want_len = hex(c->reply, want), len, n;
		struct pcp_option o[4];
		struct pcp_message m;
		enum pcp_result result;

		memset(msg, 0xee, sizeof msg);
		len = hex(c->request, msg);
		served.external_ip6 = true;
		if (pcp_decode_request(msg, len, &served, &m, &result) == PCP_DOOR_OPEN)
			(void)pcp_decode_options(msg, len, &m, o, ARRAY_SIZE(o), &n);
		if (c->blamed >= 0)
			error.blamed = &o[c->blamed];
		len = pcp_error_reply(msg, len, sizeof msg, &m, &error);
		expect_octets(c->what, msg, len, want, want_len);
	}
}

Test(pcp, draft_07_every_length_gives_an_error_reply_of_a_legal_length)
{
	struct pcp_served served = serving(PCP_SERVES(PCP_V1A), CLIENT_ADDRESS);
	struct pcp_error error = {PCP_NO_RESOURCES, true, 30, 7, NULL};

	for (size_t len = 4; len <= HEX_MAX; len++) {
		uint8_t msg[HEX_MAX] = {0};
		struct pcp_message m;
		enum pcp_result result;
		size_t n;

		hex(HEAD4 "06000000 1f900000 00000000", msg);
		(void)pcp_decode_request(msg, len, &served, &m, &result);
		n = pcp_error_reply(msg, len, sizeof msg, &m, &error);
		cr_expect(n >= 12 && n <= 1024 && n % 4 == 0, "%zu -> %zu", len, n);
		cr_expect(pcp_decode_response_in(PCP_V1A, msg, n, &m));
		cr_expect_eq(m.result, PCP_NO_RESOURCES);
		cr_expect_eq(m.epoch_s, 7);
	}
}

Test(pcp, draft_07_peer_answers_tell_the_external_family)
{
	struct pcp_message in = {.dialect = PCP_V1A,
		.opcode = PCP_PEER,
		.protocol = 6,
		.internal_port = 9,
		.external_port = 40001,
		.remote_port = 443};
	struct pcp_message out;
	uint8_t msg[PCP_MAX];
	size_t len;

	in.remote_ip = ip6_mapped(0xc6336407);
	in.external_ip = hex_address(V6);
	len = pcp_success_reply(msg, &in, 60, 1);
	cr_expect_eq(len, 44);
	cr_expect_eq(msg[1], 0x83);
	cr_expect_eq(msg[13], 2);
	cr_assert(pcp_decode_response_in(PCP_V1A, msg, len, &out));
	cr_expect(ip6_eq(out.external_ip, in.external_ip));
	in.external_ip = ip6_mapped(0xcb007105);
	len = pcp_success_reply(msg, &in, 60, 1);
	cr_expect_eq(msg[13], 1);
	cr_assert(pcp_decode_response_in(PCP_V1A, msg, len, &out));
	cr_expect(ip6_eq(out.external_ip, in.external_ip));
	cr_expect_eq(out.external_port, 40001);
}

Test(pcp, draft_07_has_no_announce)
{
	struct pcp_message m = {.dialect = PCP_V1A, .opcode = PCP_ANNOUNCE};
	uint8_t msg[PCP_MAX];

	cr_expect_eq(pcp_encode_request(msg, sizeof msg, &m), 0);
	cr_expect_eq(pcp_success_reply(msg, &m, 0, 1), 0);
}

Test(pcp, draft_07_what_is_no_well_formed_answer_is_not_decoded)
{
	static const char *const wrong[] = {
		"01810000 00000e10",
		"01810000 00000e10 00000064 06000000 1f909c41",
		"01010000 00000e10 00000064 06000000 1f909c41 cb007105",
		"02810000 00000e10 00000064 06000000 1f909c41 cb007105",
		"01890000 00000e10 00000064",
		"01810002 00000e10 00000064 06",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		uint8_t msg[HEX_MAX];
		size_t len = hex(wrong[i], msg);
		struct pcp_message m;

		cr_expect_not(pcp_decode_response_in(PCP_V1A, msg, len, &m), "%s", wrong[i]);
	}
}
