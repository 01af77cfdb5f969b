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
	{"only the processed one is echoed", {200, PCP_PREFER_FAILURE, 129}, 4, PCP_SUCCESS, 64},
	{"unknown mandatory", {42}, 0, PCP_UNSUPP_OPTION, 64},
	{"the last of the mandatory range", {127}, 12, PCP_UNSUPP_OPTION, 76},
	{"the first of the optional range", {128}, 4, PCP_SUCCESS, 60},
	{"reserved code", {255}, 0, PCP_SUCCESS, 60},
	{"third party is not served", {PCP_THIRD_PARTY}, 16, PCP_UNSUPP_OPTION, 80},
	{"filter is not served", {PCP_FILTER}, 20, PCP_UNSUPP_OPTION, 84},
	{"too many copies", {PCP_PREFER_FAILURE, PCP_PREFER_FAILURE}, 0, PCP_MALFORMED_OPTION, 68},
	{"data where none belongs", {PCP_PREFER_FAILURE}, 4, PCP_MALFORMED_OPTION, 68},
	{"packet order: the first fault counts", {42, PCP_PREFER_FAILURE, PCP_PREFER_FAILURE}, 0,
		PCP_UNSUPP_OPTION, 72},
};

Test(server, s7_3_options_are_judged_in_packet_order)
{
	static const uint8_t zeros[32];

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

Test(server, s7_3_a_length_past_the_end_is_malformed_whatever_the_code)
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

Test(server, s7_3_the_longest_request_is_served)
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

Test(server, s13_2_prefer_failure_switched_off_is_unsupported)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600);

	world_open(&w);
	w.policy.prefer_failure = false;
	m.external_port = 8443;
	expect_answer(world_map_exactly(&w, &m), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	m.opcode = PCP_ANNOUNCE;
	expect_answer(world_map_exactly(&w, &m), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	world_close(&w);
}

Test(server, s13_2_prefer_failure_makes_no_sense_in_a_delete_or_without_a_port)
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
