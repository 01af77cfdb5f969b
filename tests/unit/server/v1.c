// SPDX-License-Identifier: Apache-2.0
// The dialects of version 1: what they mean differently (pcp drafts -07, -16 to -25).
#include "world.h"

static struct pcp_message ask(struct world *w, enum pcp_dialect dialect, struct pcp_message m)
{
	m.dialect = (uint8_t)dialect;
	m.external_ip = ip6_is_mapped(m.external_ip) ? m.external_ip : ip6_mapped(0);
	world_encode(w, &m);
	return world_answer_in(w, dialect);
}

static struct pcp_message peer_of(uint16_t port, uint32_t lifetime_s)
{
	struct pcp_message m = map_of(IP_TCP, port, lifetime_s);

	m.opcode = PCP_PEER;
	m.remote_port = 443;
	m.remote_ip = ip6_mapped(FOREIGN_IP);
	return m;
}

Test(v1, draft_ietf_pcp_base_07_peer_never_creates)
{
	struct pcp_message m = peer_of(8080, 600);
	struct world w;

	world_open(&w);
	cr_assert_eq(ask(&w, PCP_V1A, m).result, PCP_NONEXIST_PEER);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	m.lifetime_s = 0;
	cr_assert_eq(ask(&w, PCP_V1A, m).result, PCP_NONEXIST_PEER);
	m.lifetime_s = 600;
	m.opcode = PCP_MAP; // a mapping that nobody has sent from is no flow either
	ask(&w, PCP_V1A, m);
	m.opcode = PCP_PEER;
	cr_assert_eq(ask(&w, PCP_V1A, m).result, PCP_NONEXIST_PEER);
	world_packet(&w, NAT_TCP, 8080);
	cr_assert_eq(ask(&w, PCP_V1A, m).result, PCP_SUCCESS);
	world_close(&w);
}

Test(v1, draft_ietf_pcp_base_16_peer_creates)
{
	struct world w;

	world_open(&w);
	expect_answer(ask(&w, PCP_V1B, peer_of(8080, 600)), PCP_SUCCESS, 600);
	world_close(&w);
}

Test(v1, draft_ietf_pcp_base_07_wildcards_only_delete)
{
	static const struct {
		uint8_t protocol;
		uint16_t port;
		enum pcp_result result;
	} cases[] = {
		{IP_TCP, 0, PCP_MALFORMED_REQUEST},
		{0, 0, PCP_MALFORMED_REQUEST},
		{0, 8080, PCP_UNSUPP_PROTOCOL},
		{IP_ICMP, 8080, PCP_UNSUPP_PROTOCOL},
	};
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(
			ask(&w, PCP_V1A, map_of(cases[i].protocol, cases[i].port, 3600)).result,
			cases[i].result, "case %zu", i);
	world_close(&w);
}

Test(v1, draft_ietf_pcp_base_23_wildcards_are_an_unsupported_protocol)
{
	struct world w;

	world_open(&w);
	cr_assert_eq(ask(&w, PCP_V1B, map_of(0, 0, 3600)).result, PCP_UNSUPP_PROTOCOL);
	cr_assert_eq(ask(&w, PCP_V1B, map_of(IP_TCP, 0, 3600)).result, PCP_UNSUPP_PROTOCOL);
	cr_assert_eq(ask(&w, PCP_V1B, map_of(0, 80, 3600)).result, PCP_MALFORMED_REQUEST);
	cr_assert_eq(ask(&w, PCP_V1B, map_of(0, 80, 0)).result, PCP_MALFORMED_REQUEST);
	world_close(&w);
}

// Its opcodes for IPv6 outside name a family that is not given here.
Test(v1, draft_ietf_pcp_base_07_map6_and_peer6_are_unknown_opcodes)
{
	struct world w;

	world_open(&w);
	w.len = hex(
		"01020000 00000e10 06000000 1f900000 00000000 00000000 00000000 00000000", w.msg);
	cr_assert_eq(world_answer_in(&w, PCP_V1A).result, PCP_UNSUPP_OPCODE);
	world_close(&w);
}

Test(v1, draft_ietf_pcp_base_07_a_reply_that_grows_past_1024_octets_is_refused)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct pcp_filter wipe = {.address = ip6_mapped(0)};
	struct world w;
	size_t end;

	world_open(&w);
	m.dialect = PCP_V1A;
	world_encode(&w, &m);
	while ((end = pcp_append_filter(w.msg, w.len, PCP_V1_MAX, &m, &wipe)) > 0)
		w.len = end;
	cr_assert_gt(w.len, PCP_V1_MAX - 12);
	end = world_answer_in(&w, PCP_V1A).result;
	cr_assert_eq(end, w.len + 4 > PCP_V1_MAX ? PCP_MALFORMED_REQUEST : PCP_SUCCESS);
	cr_assert_leq(w.len, PCP_V1_MAX);
	world_close(&w);
}

Test(v1, draft_ietf_pcp_base_07_more_filters_than_version_2_could_send)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct pcp_filter f = {.prefix = 128, .address = ip6_mapped(FOREIGN_IP)};
	struct world w;

	world_open(&w);
	m.dialect = PCP_V1A;
	world_encode(&w, &m);
	for (unsigned i = 0; i < 80; i++) {
		f.port = (uint16_t)(i + 1);
		w.len = pcp_append_filter(w.msg, w.len, PCP_V1_MAX, &m, &f);
	}
	cr_assert_eq(world_answer_in(&w, PCP_V1A).result, PCP_EXCESSIVE_REMOTE_PEERS);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(v1, rfc6887_s9_announce_is_answered_in_version_1_too)
{
	struct pcp_message m = map_of(0, 0, 0);
	struct world w;

	world_open(&w);
	m.opcode = PCP_ANNOUNCE;
	expect_answer(ask(&w, PCP_V1B, m), PCP_SUCCESS, 0);
	cr_assert_eq(w.len, PCP_HEADER);
	cr_assert_eq(w.counters.dialects[PCP_V1B], 1);
	world_close(&w);
}
