// SPDX-License-Identifier: Apache-2.0
#include "world.h"

struct option_case {
	const char *what;
	uint8_t codes[3]; // 0 ends the list
	uint8_t length;   // of the first option's data
	enum pcp_result result;
	size_t len; // of the reply
};

static const struct option_case cases[] = {
	{"unknown optional: ignored, not echoed", {200}, 2, PCP_SUCCESS, 60},
	{"unknown optional, twice", {200, 200}, 0, PCP_SUCCESS, 60},
	{"processed: echoed", {PCP_PREFER_FAILURE}, 0, PCP_SUCCESS, 64},
	{"only the processed one is echoed", {200, PCP_PREFER_FAILURE, 201}, 4, PCP_SUCCESS, 64},
	{"unknown mandatory", {42}, 0, PCP_UNSUPP_OPTION, 64},
	{"the last of the mandatory range", {127}, 12, PCP_UNSUPP_OPTION, 76},
	{"the first unknown of the optional range", {133}, 4, PCP_SUCCESS, 60},
	{"reserved code", {255}, 0, PCP_SUCCESS, 60},
	{"nobody may be a third party", {PCP_THIRD_PARTY}, 16, PCP_UNSUPP_OPTION, 80},
	{"a filter that wipes", {PCP_FILTER}, 20, PCP_SUCCESS, 84},
	{"a filter of another length", {PCP_FILTER}, 16, PCP_MALFORMED_OPTION, 80},
	{"NEXT is of GET: passed over", {PCP_NEXT}, 56, PCP_SUCCESS, 60},
	{"a copy kept elsewhere: never promised", {PCP_CHECKPOINT_REQUIRED}, 0, PCP_SUCCESS, 60},
	{"RFC 7767: twice", {PCP_CHECKPOINT_REQUIRED, PCP_CHECKPOINT_REQUIRED}, 0,
		PCP_MALFORMED_OPTION, 68},
	{"RFC 7767: with data: passed over", {PCP_CHECKPOINT_REQUIRED}, 4, PCP_SUCCESS, 60},
	{"DESCRIPTION twice", {PCP_DESCRIPTION, PCP_DESCRIPTION}, 3, PCP_MALFORMED_OPTION, 72},
	{"PREFIX64 twice", {PCP_PREFIX64, PCP_PREFIX64}, 14, PCP_MALFORMED_OPTION, 84},
	{"RFC 7225: a wrong PREFIX64 is passed over", {PCP_PREFIX64}, 5, PCP_SUCCESS, 60},
	{"PORT_SET of no port", {PCP_PORT_SET}, 5, PCP_MALFORMED_OPTION, 72},
	{"options of authentication", {4}, 4, PCP_UNSUPP_OPTION, 68},
	{"too many copies", {PCP_PREFER_FAILURE, PCP_PREFER_FAILURE}, 0, PCP_MALFORMED_OPTION, 68},
	{"data where none belongs", {PCP_PREFER_FAILURE}, 4, PCP_MALFORMED_OPTION, 68},
	{"packet order: the first fault counts", {42, PCP_PREFER_FAILURE, PCP_PREFER_FAILURE}, 0,
		PCP_UNSUPP_OPTION, 72},
};

Test(server, rfc6887_s7_3_options_are_judged_in_packet_order)
{
	static const uint8_t zeros[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct option_case *c = &cases[i];
		struct world w;
		struct pcp_message m = map_of(IP_TCP, 443, 3600), reply;

		world_open(&w);
		m.external_port = 8443;
		world_encode(&w, &m);
		for (size_t k = 0; k < ARRAY_SIZE(c->codes) && c->codes[k] != 0; k++)
			world_add_option(&w, c->codes[k], zeros, k == 0 ? c->length : 0);
		reply = world_answer(&w);
		cr_expect_eq(
			reply.result, c->result, "%s: %s", c->what, pcp_result_name(reply.result));
		cr_expect_eq(w.len, c->len, "%s: %zu octets", c->what, w.len);
		// The list itself was sound: octets 12..23 are zero, in errors too.
		cr_expect_arr_eq(w.msg + 12, zeros, 12, "%s", c->what);
		// An error leaves no state behind.
		cr_expect_eq(world_look(&w, &m).kind,
			c->result == PCP_SUCCESS ? NAT_EXPLICIT : NAT_ABSENT, "%s", c->what);
		world_close(&w);
	}
}

Test(server, rfc6887_s7_3_a_length_past_the_end_is_malformed_whatever_the_code)
{
	static const uint8_t codes[] = {PCP_THIRD_PARTY, PCP_PREFER_FAILURE, 42, 200};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct world w;
		struct pcp_message m = map_of(IP_TCP, 443, 3600);

		world_open(&w);
		world_encode(&w, &m);
		world_add_option(&w, 42, NULL, 0); // structure is looked at before meaning
		world_add_option(&w, codes[i], NULL, 0);
		w.msg[w.len - 1] = 1;
		expect_answer(world_answer(&w), PCP_MALFORMED_OPTION, PCP_ERROR_LONG_S);
		// Not parsed: octets 12..23 stay as they came.
		cr_assert_eq(memcmp(w.msg + 12, m.client.b + 4, 12), 0);
		world_close(&w);
	}
}

Test(server, rfc6887_s7_3_the_longest_request_is_served)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600);
	static const uint8_t data[PCP_MAX - PCP_HEADER - PCP_MAP_BODY - 4];

	world_open(&w);
	world_encode(&w, &m);
	world_add_option(&w, 200, data, sizeof data);
	cr_assert_eq(w.len, PCP_MAX);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, PCP_HEADER + PCP_MAP_BODY);
	world_close(&w);
}

Test(server, rfc6887_s13_2_prefer_failure_switched_off_is_unsupported)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600);

	world_open(&w);
	w.policy.options &= (uint16_t)~OPTION(PREFER_FAILURE);
	m.external_port = 8443;
	expect_answer(world_map_exactly(&w, &m), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	m.opcode = PCP_ANNOUNCE;
	expect_answer(world_map_exactly(&w, &m), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	world_close(&w);
}

Test(server, rfc6887_s13_2_prefer_failure_makes_no_sense_in_a_delete_or_without_a_port)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600);

	world_open(&w);
	m.external_ip = ip6_mapped(POOL_IP);
	expect_answer(world_map_exactly(&w, &m), PCP_MALFORMED_OPTION, PCP_ERROR_LONG_S);
	m.external_port = 8443;
	m.lifetime_s = 0;
	expect_answer(world_map_exactly(&w, &m), PCP_MALFORMED_OPTION, PCP_ERROR_LONG_S);
	m.opcode = PCP_ANNOUNCE;
	m.lifetime_s = 3600;
	expect_answer(world_map_exactly(&w, &m), PCP_MALFORMED_OPTION, PCP_ERROR_LONG_S);
	world_close(&w);
}

// ---- switches: what is off is as if unknown --------------------------------------------------

struct switch_case {
	uint8_t code;
	uint16_t length;
};

static const struct switch_case switches[] = {
	{PCP_THIRD_PARTY, 16},
	{PCP_PREFER_FAILURE, 0},
	{PCP_FILTER, 20},
	{PCP_THIRD_PARTY_ID, 4},
	{PCP_DESCRIPTION, 4},
	{PCP_PREFIX64, 14},
	{PCP_PORT_SET, 5},
	{PCP_NEXT, 56},
	{PCP_PORT_RESERVATION, 0},
	{PCP_CHECKPOINT_REQUIRED, 0},
};

// Twice and garbled: an unknown option's number and data do not matter.
Test(server, rfc6887_s7_3_an_option_that_is_off_is_an_unknown_one)
{
	static const uint8_t garbage[64] = {0xff, 0xff};
	static const uint8_t opcodes[] = {PCP_MAP, PCP_PEER, PCP_ANNOUNCE};

	for (size_t i = 0; i < ARRAY_SIZE(switches) * ARRAY_SIZE(opcodes); i++) {
		const struct switch_case *c = &switches[i / ARRAY_SIZE(opcodes)];
		struct pcp_message m = map_of(IP_TCP, 443, 3600);
		struct world w;

		world_open(&w);
		w.policy.options = 0;
		m.opcode = opcodes[i % ARRAY_SIZE(opcodes)];
		m.remote_ip = ip6_mapped(FOREIGN_IP);
		m.remote_port = 443;
		world_encode(&w, &m);
		world_add_option(&w, c->code, garbage, c->length);
		world_add_option(&w, c->code, garbage, c->length);
		world_answer(&w);
		cr_expect_eq(w.result, c->code < 128 ? PCP_UNSUPP_OPTION : PCP_SUCCESS, "%s in %s",
			pcp_option_name(c->code), pcp_opcode_name(m.opcode));
		cr_expect_eq(w.counters.options[pcp_option_index(c->code)], c->code < 128 ? 1 : 2);
		world_close(&w);
	}
}

// ---- options where they do not belong --------------------------------------------------------

struct place_case {
	uint8_t opcode, code;
	uint16_t length;
	enum pcp_result result;
};

static const struct place_case places[] = {
	{PCP_ANNOUNCE, PCP_PREFER_FAILURE, 0, PCP_MALFORMED_OPTION},
	{PCP_ANNOUNCE, PCP_FILTER, 20, PCP_MALFORMED_OPTION},
	{PCP_PEER, PCP_PREFER_FAILURE, 0, PCP_MALFORMED_REQUEST}, // RFC 6887 s.12.1
	{PCP_PEER, PCP_FILTER, 20, PCP_MALFORMED_OPTION},
	{PCP_PEER, PCP_PORT_SET, 5, PCP_SUCCESS}, // optional ones are passed over
	{PCP_PEER, PCP_PREFIX64, 14, PCP_SUCCESS},
	{PCP_ANNOUNCE, PCP_DESCRIPTION, 4, PCP_SUCCESS},
	{PCP_ANNOUNCE, PCP_CHECKPOINT_REQUIRED, 0, PCP_SUCCESS},
};

Test(server, rfc6887_s11_3_options_that_make_no_sense_for_the_opcode)
{
	static const uint8_t zeros[64];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct pcp_message m = map_of(IP_TCP, 443, 3600);
		struct world w;
		size_t bare;

		world_open(&w);
		m.opcode = places[i].opcode;
		m.remote_ip = ip6_mapped(FOREIGN_IP);
		m.remote_port = 443;
		world_encode(&w, &m);
		bare = w.len;
		world_add_option(&w, places[i].code, zeros, places[i].length);
		world_answer(&w);
		cr_expect_eq(w.result, places[i].result, "%s in %s: %s",
			pcp_option_name(places[i].code), pcp_opcode_name(m.opcode),
			pcp_result_name(w.result));
		if (w.result == PCP_SUCCESS)
			cr_expect_eq(w.len, bare);
		world_close(&w);
	}
}

// The drafts of version 1 had none of the later options.
Test(server, draft_ietf_pcp_base_19_options_of_later_rfcs_are_unknown_to_version_1)
{
	struct pcp_message m = map_of(IP_TCP, 443, 3600);
	struct world w;

	world_open(&w);
	m.dialect = PCP_V1B;
	world_encode(&w, &m);
	world_add_option(&w, PCP_DESCRIPTION, "web", 3);
	cr_assert_eq(world_answer_in(&w, PCP_V1B).result, PCP_SUCCESS);
	cr_assert_eq(w.len, 48);
	cr_assert_eq(world_look(&w, &m).text_length, 0);
	world_close(&w);
}

// ---- size ------------------------------------------------------------------------------------

// What was asked for in 20 octets may be told in hundreds.
Test(server, rfc6887_s7_3_a_reply_that_would_be_too_long_is_refused_and_changes_nothing)
{
	struct pcp_prefix64 prefixes[16] = {{0}};
	static const uint8_t asked[14] = {0, 12}, padding[200];
	struct pcp_message m = map_of(IP_TCP, 443, 3600);
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		prefixes[i].length = 12;
		prefixes[i].n = 8;
	}
	w.policy.prefix64 = prefixes;
	w.policy.n_prefix64 = ARRAY_SIZE(prefixes); // 68 octets each: 1088
	world_encode(&w, &m);
	world_add_option(&w, PCP_PREFIX64, asked, sizeof asked);
	world_add_option(&w, 200, padding, sizeof padding);
	expect_answer(world_answer(&w), PCP_MALFORMED_REQUEST, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600); // unasked they only need not be told
	cr_assert_eq(w.len, 60);
	w.policy.n_prefix64 = 2;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 60 + 2 * 68);
	m.opcode = PCP_ANNOUNCE;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	cr_assert_eq(w.len, 24 + 2 * 68);
	world_close(&w);
}

Test(server, rfc7225_s4_2_without_a_prefix_the_option_is_never_answered)
{
	static const uint8_t asked[14] = {0, 12};
	struct pcp_message m = map_of(IP_TCP, 443, 3600);
	struct world w;

	world_open(&w);
	world_encode(&w, &m);
	world_add_option(&w, PCP_PREFIX64, asked, sizeof asked);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 60);
	world_close(&w);
}
