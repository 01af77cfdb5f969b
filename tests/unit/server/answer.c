// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static bool all_zero(const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (at[i] != 0)
			return false;
	return true;
}

enum {
	UNPARSED_AT = 12,
	UNPARSED_LEN = 12
};

Test(server, rfc6887_s8_2_step_2_one_octet_is_dropped)
{
	struct world w;
	size_t reply_len;

	world_open(&w);
	w.msg[0] = PCP_VERSION;
	w.len = 0;
	cr_assert_eq(world_ask(&w, &reply_len), DROP_PCP_SHORT);
	w.len = 1;
	cr_assert_eq(world_ask(&w, &reply_len), DROP_PCP_SHORT);
	cr_assert_eq(w.counters.requests, 2);
	world_close(&w);
}

Test(server, rfc6887_s8_2_step_3_responses_are_dropped)
{
	struct world w;
	size_t reply_len;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	world_encode(&w, &m);
	w.msg[1] |= 0x80;
	cr_assert_eq(world_ask(&w, &reply_len), DROP_PCP_RESPONSE);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(server, rfc6887_s8_2_step_5_less_than_a_header_is_dropped)
{
	struct world w;
	size_t reply_len;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	for (size_t len = 2; len < PCP_HEADER; len++) {
		world_encode(&w, &m);
		w.len = len;
		cr_assert_eq(world_ask(&w, &reply_len), DROP_PCP_SHORT, "%zu octets", len);
	}
	world_close(&w);
}

// Appendix A: also a NAT-PMP client's two octets get a whole version 2 error.
Test(server, rfc6887_s9_other_versions_are_told_ours)
{
	struct world w;
	static const uint8_t versions[] = {0, 1, 3, 255};
	struct pcp_message m = map_of(IP_TCP, 8080, 3600), reply;

	world_open(&w);
	w.policy.dialects = PCP_SERVES(PCP_V2);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		world_encode(&w, &m);
		w.msg[0] = versions[i];
		reply = world_answer(&w);
		expect_answer(reply, PCP_UNSUPP_VERSION, PCP_ERROR_LONG_S);
		cr_assert_eq(w.len, PCP_HEADER + PCP_MAP_BODY);
	}
	m.opcode = PCP_PEER; // the version comes before the opcode
	world_encode(&w, &m);
	w.msg[0] = 3;
	expect_answer(world_answer(&w), PCP_UNSUPP_VERSION, PCP_ERROR_LONG_S);
	memset(w.msg, 0xee, sizeof w.msg);
	w.msg[0] = w.msg[1] = 0;
	w.len = 2;
	expect_answer(world_answer(&w), PCP_UNSUPP_VERSION, PCP_ERROR_LONG_S);
	cr_assert_eq(w.len, PCP_HEADER);
	cr_assert(all_zero(w.msg + UNPARSED_AT, UNPARSED_LEN));
	world_close(&w);
}

Test(server, rfc6887_s8_2_step_7_too_long_or_uneven_is_malformed)
{
	struct world w;
	static const size_t lengths[] = {61, 62, 63, 1101, 1104, 2000};
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(w.msg, 0xee, sizeof w.msg);
		world_encode(&w, &m);
		w.msg[1] = i % 2 == 0 ? PCP_MAP : PCP_PEER; // size comes before the opcode
		w.len = lengths[i];
		expect_answer(world_answer(&w), PCP_MALFORMED_REQUEST, PCP_ERROR_LONG_S);
		cr_assert_eq(w.len, lengths[i] > PCP_MAX ? PCP_MAX : 64);
		// What could not be parsed keeps the low 96 bits of the client's address.
		cr_assert_eq(memcmp(w.msg + UNPARSED_AT, m.client.b + 4, UNPARSED_LEN), 0);
	}
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(server, rfc6887_s8_2_step_8_opcodes_not_served_come_before_length_and_address)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	w.policy.opcodes = 1u << SERVER_ANNOUNCE | 1u << SERVER_MAP; // off is as if unknown
	m.client = ip6_mapped(FOREIGN_IP);
	for (unsigned opcode = 2; opcode < 128; opcode++) {
		world_encode(&w, &m);
		w.msg[1] = (uint8_t)opcode;
		w.len = PCP_HEADER + 4;
		expect_answer(world_answer(&w), PCP_UNSUPP_OPCODE, PCP_ERROR_LONG_S);
		if (opcode != PCP_AUTHENTICATION && opcode != PCP_GET)
			cr_assert_eq(memcmp(w.msg + UNPARSED_AT, m.client.b + 4, UNPARSED_LEN), 0);
	}
	m.opcode = PCP_PEER; // a whole one
	expect_answer(world_map(&w, &m), PCP_UNSUPP_OPCODE, PCP_ERROR_LONG_S);
	cr_assert_eq(w.counters.results[PCP_RESULT_UNSUPP_OPCODE], 127);
	world_close(&w);
}

Test(server, rfc6887_s8_2_step_9_a_cut_body_is_malformed)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	for (size_t len = PCP_HEADER; len < PCP_HEADER + PCP_MAP_BODY; len += 4) {
		world_encode(&w, &m);
		w.len = len;
		expect_answer(world_answer(&w), PCP_MALFORMED_REQUEST, PCP_ERROR_LONG_S);
		cr_assert_eq(w.len, len);
	}
	world_close(&w);
}

Test(server, rfc6887_s8_1_source_must_equal_the_client_address)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	w.asker.authorized = false; // the mismatch is told first
	m.client = ip6_mapped(FOREIGN_IP);
	expect_answer(world_map(&w, &m), PCP_ADDRESS_MISMATCH, PCP_ERROR_LONG_S);
	cr_assert(all_zero(w.msg + UNPARSED_AT, UNPARSED_LEN));
	m.client = (ip6){{0}}; // all 96 leading bits count
	memcpy(m.client.b + 12, ip6_mapped(CLIENT_IP).b + 12, 4);
	expect_answer(world_map(&w, &m), PCP_ADDRESS_MISMATCH, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(server, rfc6887_s7_4_who_may_not_ask_is_not_authorized)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	w.asker.authorized = false;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S);
	w.asker.authorized = true;
	w.policy.enabled = false;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S);
	m.opcode = PCP_ANNOUNCE;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S);
	cr_assert_eq(w.counters.results[PCP_RESULT_NOT_AUTHORIZED], 3);
	cr_assert_eq(w.counters.nonce_mismatches, 0);
	m.opcode = PCP_MAP;
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(server, rfc6887_s14_1_announce_is_answered_with_the_epoch_and_nothing_else)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	m.opcode = PCP_ANNOUNCE; // the lifetime is ignored
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	cr_assert_eq(w.len, PCP_HEADER);
	cr_assert(all_zero(w.msg + UNPARSED_AT, UNPARSED_LEN));
	world_encode(&w, &m); // options are skipped, or refused like anywhere
	world_add_option(&w, 200, "ab", 2);
	expect_answer(world_answer(&w), PCP_SUCCESS, 0);
	cr_assert_eq(w.len, PCP_HEADER);
	world_encode(&w, &m);
	world_add_option(&w, 42, NULL, 0);
	expect_answer(world_answer(&w), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	cr_assert_eq(w.counters.announces, 2);
	world_close(&w);
}

Test(server, rfc6887_s8_2_every_opcode_can_be_switched_off)
{
	static const uint8_t opcodes[] = {PCP_ANNOUNCE, PCP_MAP, PCP_PEER};

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct pcp_message m = map_of(IP_TCP, 8080, 3600);
		struct world w;

		world_open(&w);
		m.opcode = opcodes[i];
		m.remote_port = 443;
		m.remote_ip = ip6_mapped(FOREIGN_IP);
		world_map(&w, &m);
		cr_assert_eq(w.result, PCP_SUCCESS);
		w.policy.opcodes = 0;
		expect_answer(world_map(&w, &m), PCP_UNSUPP_OPCODE, PCP_ERROR_LONG_S);
		cr_assert_eq(w.counters.opcodes[i], 2);
		world_close(&w);
	}
}

Test(server, rfc6886_s3_5_switched_off_natpmp_opcodes_are_unsupported_at_any_length)
{
	static const char *const requests[] = {"0000", "0001", "00020000 1f901f90 00001c20"};
	struct world w;
	size_t len;

	world_open(&w);
	w.policy.opcodes = 0;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		w.len = hex(requests[i], w.msg);
		cr_assert_eq(world_ask(&w, &len), DROP_NONE);
		cr_assert_eq(w.result, PCP_UNSUPP_OPCODE);
		cr_assert(w.msg[0] == 0 && w.msg[1] == (0x80 | (i)) && w.msg[3] == 5);
	}
	w.policy.opcodes = BASIC_OPCODES; // known, and too short
	w.len = hex(requests[1], w.msg);
	cr_assert_eq(world_ask(&w, &len), DROP_PCP_SHORT);
	world_close(&w);
}

Test(server, the_clients_record_learns_port_and_dialect)
{
	struct server_client client = {.dialect = PCP_DIALECTS};
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	w.asker.client = &client;
	world_map(&w, &m);
	cr_assert(client.port == 12345 && client.dialect == PCP_V2);
	w.len = hex("0000", w.msg);
	cr_assert_eq(world_ask(&w, &w.len), DROP_NONE);
	cr_assert_eq(client.dialect, PCP_NATPMP);
	cr_assert_eq(w.counters.dialects[PCP_NATPMP], 1);
	cr_assert_eq(w.counters.opcodes[SERVER_EXTERNAL_ADDRESS], 1);
	world_close(&w);
}

// Every octet a peer may send, at every length: an answer that is well formed, or a named drop.
Test(server, random_octets_are_answered_or_dropped)
{
	struct world w;
	struct rng r;
	size_t reply_len;

	world_open(&w);
	rng_init_u64(&r, 1);
	for (unsigned round = 0; round < 200000; round++) {
		struct pcp_message reply, m = map_of(IP_TCP, (uint16_t)rng_below(&r, 9), 3600);
		unsigned n_changes = 1 + rng_below(&r, 6);

		world_encode(&w, &m);
		for (size_t i = w.len; i < 128; i++)
			w.msg[i] = (uint8_t)rng_u32(&r);
		for (unsigned i = 0; i < n_changes; i++)
			w.msg[rng_below(&r, 128)] = (uint8_t)rng_u32(&r);
		w.len = rng_below(&r, 2) ? PCP_HEADER + PCP_MAP_BODY : rng_below(&r, 128);
		if (world_ask(&w, &reply_len) != DROP_NONE)
			continue;
		cr_assert_leq(reply_len, PCP_MAX);
		cr_assert((w.msg[1] & 0x80) != 0 && w.msg[0] <= PCP_VERSION);
		if (w.msg[0] == PCP_VERSION)
			cr_assert(pcp_decode_response(w.msg, reply_len, &reply));
		w.now_s += rng_below(&r, 2);
		nat_step(w.nat, w.now_s);
	}
	cr_assert_eq(w.counters.requests, 200000);
	world_close(&w);
}
