// SPDX-License-Identifier: Apache-2.0
// PORT_SET (RFC 7753) and the draft's PORT_RESERVATION.
#include "world.h"

static void open_wide(struct world *w)
{
	world_open(w);
	w->nat_policy.lease_limit = 600;
}

static struct pcp_message set_map(uint16_t port, uint16_t external_port, uint32_t lifetime_s)
{
	struct pcp_message m = map_of(IP_UDP, port, lifetime_s);

	m.external_port = external_port;
	return m;
}

static struct pcp_message ask_set(
	struct world *w, const struct pcp_message *m, uint16_t size, bool parity)
{
	struct pcp_port_set set = {.size = size, .first = m->internal_port, .parity = parity};

	world_encode(w, m);
	w->len = pcp_append_port_set(w->msg, w->len, sizeof w->msg, &set);
	return world_answer(w);
}

// What the PORT_SET of a reply says; size 0: there is none.
static struct pcp_port_set told_in(const uint8_t *msg, size_t len)
{
	struct pcp_option options[8];
	struct pcp_port_set set = {0};
	struct pcp_message m;
	size_t n = 0;

	cr_assert(pcp_decode_response(msg, len, &m));
	cr_assert_eq(
		pcp_decode_options(msg, len, &m, options, ARRAY_SIZE(options), &n), PCP_SUCCESS);
	for (size_t i = 0; i < n; i++)
		if (options[i].code == PCP_PORT_SET)
			cr_assert(pcp_read_port_set(&options[i], &set));
	return set;
}

static void expect_set(const struct world *w, uint16_t size, uint16_t first, bool parity)
{
	struct pcp_port_set set = told_in(w->msg, w->len);

	cr_assert(set.size == size && set.first == first && set.parity == parity,
		"told %u from %u, parity %d", set.size, set.first, set.parity);
}

Test(portset, rfc7753_s4_a_set_maps_port_by_port)
{
	struct pcp_message m = set_map(50000, 0, 3600), reply;
	struct nat_key to;
	struct world w;

	open_wide(&w);
	reply = ask_set(&w, &m, 100, false);
	expect_answer(reply, PCP_SUCCESS, 3600);
	expect_set(&w, 100, 50000, false);
	for (uint16_t i = 0; i < 100; i++) {
		struct recipe at = {POOL_IP, (uint16_t)(reply.external_port + i)};

		cr_assert(nat_peek_in(w.nat, NAT_UDP, at, &to));
		cr_assert(to.host == CLIENT_IP && to.port == 50000 + i);
	}
	cr_assert_eq(w.counters.sets_created, 1);
	cr_assert_eq(w.counters.maps_created, 1);
	world_close(&w);
}

Test(portset, rfc7753_s4_2_never_more_than_policy_quota_and_port_numbers_allow)
{
	struct pcp_message m = set_map(50000, 0, 3600);
	struct world w;

	open_wide(&w);
	w.policy.port_set_max = 32;
	ask_set(&w, &m, 0xffff, false);
	expect_set(&w, 32, 50000, false);
	m.internal_port = 65530;
	ask_set(&w, &m, 100, false);
	expect_set(&w, 6, 65530, false);
	w.nat_policy.lease_limit = 32 + 6 + 5;
	m.internal_port = 40000;
	ask_set(&w, &m, 100, false);
	expect_set(&w, 5, 40000, false);
	m.internal_port = 41000;
	cr_assert_eq(ask_set(&w, &m, 100, false).result, PCP_USER_EX_QUOTA);
	world_close(&w);
}

Test(portset, rfc7753_s4_2_a_size_of_one_is_an_ordinary_map)
{
	struct pcp_message m = set_map(50000, 0, 3600);
	struct world w;

	open_wide(&w);
	expect_answer(ask_set(&w, &m, 1, true), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 60);
	cr_assert_eq(world_look(&w, &m).n_ports, 1);
	world_close(&w);
}

Test(portset, rfc7753_s4_2_parity_is_kept_when_asked_for)
{
	struct pcp_message m = set_map(50001, 0, 3600), reply;
	struct world w;

	open_wide(&w);
	for (unsigned i = 0; i < 8; i++, m.internal_port = (uint16_t)(m.internal_port + 11)) {
		reply = ask_set(&w, &m, 10, true);
		expect_answer(reply, PCP_SUCCESS, 3600);
		expect_set(&w, 10, m.internal_port,
			((reply.external_port ^ m.internal_port) & 1) == 0);
		cr_assert_eq((reply.external_port ^ m.internal_port) & 1, 0);
	}
	world_close(&w);
}

Test(portset, rfc7753_s4_the_field_first_internal_port_of_a_request_is_ignored)
{
	struct pcp_message m = set_map(50000, 0, 3600);
	struct pcp_port_set set = {.size = 4, .first = 1234};
	struct world w;

	open_wide(&w);
	world_encode(&w, &m);
	w.len = pcp_append_port_set(w.msg, w.len, sizeof w.msg, &set);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	expect_set(&w, 4, 50000, false);
	world_close(&w);
}

Test(portset, rfc6887_s11_3_ports_of_pcp_are_in_no_set)
{
	struct pcp_message m = set_map(50000, 5340, 3600), reply;
	struct world w;

	open_wide(&w);
	reply = ask_set(&w, &m, 32, false);
	expect_answer(reply, PCP_SUCCESS, 3600);
	for (uint16_t port = PCP_CLIENT_PORT; port <= PCP_SERVER_PORT; port++)
		cr_assert(port < reply.external_port ||
			  port >= reply.external_port + told_in(w.msg, w.len).size);
	world_close(&w);
}

Test(portset, rfc7753_s4_4_a_set_is_one_lease_with_one_nonce_and_one_end)
{
	struct pcp_message m = set_map(50000, 0, 3600);
	struct world w;

	open_wide(&w);
	ask_set(&w, &m, 8, false);
	world_pass(&w, 600);
	m.nonce = OTHER_NONCE;
	expect_answer(ask_set(&w, &m, 8, false), PCP_NOT_AUTHORIZED, 3000);
	m.internal_port = 50003; // in the middle, without the option
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, 3000);
	world_pass(&w, 3002);
	cr_assert_neq(world_look(&w, &m).kind, NAT_EXPLICIT);
	world_close(&w);
}

// RFC 7753 s.4.4.1: the answer about a port in the middle names that port; without the option it
// must be right for that port alone.
Test(portset, rfc7753_s4_4_1_a_request_for_one_port_of_a_set_renews_the_set)
{
	struct pcp_message m = set_map(50000, 40000, 3600), reply;
	struct world w;

	open_wide(&w);
	ask_set(&w, &m, 8, false);
	world_pass(&w, 600);
	m.internal_port = 50003;
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 3600);
	cr_assert(reply.internal_port == 50003 && reply.external_port == 40003);
	cr_assert_eq(w.len, 60);
	reply = ask_set(&w, &m, 2, false);
	cr_assert(reply.internal_port == 50003 && reply.external_port == 40000);
	expect_set(&w, 8, 50000, false);
	cr_assert_eq(world_look(&w, &m).lease_left_s, 3600);
	world_close(&w);
}

// Vector 12: 100 -> one port, 101.. -> another set; one datagram in, two out.
Test(portset, rfc7753_s4_4_1_each_mapping_that_is_touched_is_answered_by_itself)
{
	struct pcp_message one = set_map(100, 40100, 3600), rest = set_map(101, 40201, 3600), reply;
	struct pcp_port_set set;
	struct world w;

	open_wide(&w);
	world_map(&w, &one);
	ask_set(&w, &rest, 99, false);
	one.lifetime_s = 7200;
	reply = ask_set(&w, &one, 100, false);
	expect_answer(reply, PCP_SUCCESS, 7200);
	cr_assert(reply.internal_port == 100 && reply.external_port == 40100);
	cr_assert_eq(w.len, 60);
	cr_assert_eq(w.n_more, 1);
	cr_assert(pcp_decode_response(w.more[0], w.more_len[0], &reply));
	expect_answer(reply, PCP_SUCCESS, 7200);
	cr_assert(reply.internal_port == 101 && reply.external_port == 40201);
	set = told_in(w.more[0], w.more_len[0]);
	cr_assert(set.size == 99 && set.first == 101);
	cr_assert_eq(world_look(&w, &rest).lease_left_s, 7200);
	cr_assert_eq(w.counters.results[PCP_RESULT_SUCCESS], 4);
	world_close(&w);
}

Test(portset, rfc7753_s4_4_1_another_nonce_refuses_that_mapping_only)
{
	struct pcp_message one = set_map(100, 0, 3600), two = set_map(105, 0, 3600), reply;
	struct world w;

	open_wide(&w);
	world_map(&w, &one);
	two.nonce = OTHER_NONCE;
	world_map(&w, &two);
	one.lifetime_s = 0;
	expect_answer(ask_set(&w, &one, 10, false), PCP_SUCCESS, 0);
	cr_assert_eq(w.n_more, 1);
	cr_assert(pcp_decode_response(w.more[0], w.more_len[0], &reply));
	expect_answer(reply, PCP_NOT_AUTHORIZED, 3600);
	cr_assert_neq(world_look(&w, &one).kind, NAT_EXPLICIT);
	cr_assert_eq(world_look(&w, &two).kind, NAT_EXPLICIT);
	world_close(&w);
}

Test(portset, rfc7753_s4_4_1_ports_beside_a_mapping_stay_unmapped)
{
	struct pcp_message m = set_map(100, 0, 3600), beside = set_map(105, 0, 3600);
	struct world w;

	open_wide(&w);
	ask_set(&w, &m, 4, false);
	ask_set(&w, &m, 10, false);
	expect_set(&w, 4, 100, false);
	cr_assert_eq(world_look(&w, &beside).kind, NAT_ABSENT);
	world_close(&w);
}

// An eavesdropped nonce must not make an amplifier of us.
Test(portset, rfc7753_s4_4_1_no_more_than_16_replies)
{
	struct pcp_message m = set_map(100, 0, 3600);
	struct world w;

	open_wide(&w);
	for (unsigned i = 0; i < 20; i++, m.internal_port++)
		world_map(&w, &m);
	m.internal_port = 100;
	m.lifetime_s = 7200;
	expect_answer(ask_set(&w, &m, 20, false), PCP_SUCCESS, 7200);
	cr_assert_eq(w.n_more, SERVER_MAX_REPLIES - 1);
	cr_assert_eq(w.counters.replies_cut, 1);
	m.internal_port = 119;
	cr_assert_eq(world_look(&w, &m).lease_left_s, 3600);
	world_close(&w);
}

Test(portset, rfc7753_s4_4_1_a_static_mapping_in_the_range_is_told)
{
	struct pcp_message m = map_of(IP_TCP, 20, 3600), reply;
	struct world w;

	open_wide(&w);
	reply = ask_set(&w, &m, 10, false);
	expect_answer(reply, PCP_SUCCESS, UINT32_MAX);
	cr_assert(reply.internal_port == STATIC_PORT && reply.external_port == STATIC_PORT);
	world_close(&w);
}

Test(portset, rfc7753_s4_4_a_set_is_deleted_as_a_whole_and_again)
{
	struct pcp_message m = set_map(50000, 0, 3600);
	struct nat_key to;
	struct world w;
	uint16_t port;

	open_wide(&w);
	port = ask_set(&w, &m, 8, false).external_port;
	m.lifetime_s = 0;
	for (unsigned i = 0; i < 2; i++) {
		expect_answer(ask_set(&w, &m, 8, false), PCP_SUCCESS, 0);
		expect_set(&w, 8, 50000, false);
	}
	for (uint16_t i = 0; i < 8; i++)
		cr_assert(!nat_peek_in(
			w.nat, NAT_UDP, (struct recipe){POOL_IP, (uint16_t)(port + i)}, &to));
	world_close(&w);
}

// What traffic keeps (RFC 6887 s.15) is kept as a set.
Test(portset, rfc6887_s15_a_set_with_traffic_is_shortened)
{
	struct pcp_message m = set_map(50000, 0, 3600);
	struct nat_view view;
	struct world w;

	open_wide(&w);
	ask_set(&w, &m, 8, false);
	world_packet(&w, NAT_UDP, 50000);
	m.lifetime_s = 0;
	ask_set(&w, &m, 8, false);
	view = world_look(&w, &m);
	cr_assert(view.traffic && view.kind == NAT_EXPLICIT && view.n_ports == 8);
	cr_assert_leq(view.lease_left_s, 300);
	world_close(&w);
}

// ---- PORT_RESERVATION ------------------------------------------------------------------------

static struct pcp_message reserve(struct world *w, const struct pcp_message *m)
{
	world_encode(w, m);
	world_add_option(w, PCP_PORT_RESERVATION, NULL, 0);
	return world_answer(w);
}

Test(portset, draft_boucadair_pcp_rtp_rtcp_a_pair_with_parity)
{
	struct pcp_message m = set_map(5004, 0, 3600), reply;
	struct world w;
	uint16_t port;

	open_wide(&w);
	w.policy.options |= OPTION(PORT_RESERVATION);
	reply = reserve(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 64);
	cr_assert_eq(reply.external_port % 2, 0);
	port = reply.external_port;
	m.lifetime_s = 7200; // refresh and delete act on both
	cr_assert_eq(reserve(&w, &m).external_port, port);
	cr_assert_eq(w.len, 64);
	m.lifetime_s = 0;
	expect_answer(reserve(&w, &m), PCP_SUCCESS, 0);
	m.internal_port = 5005;
	cr_assert_neq(world_look(&w, &m).kind, NAT_EXPLICIT);
	world_close(&w);
}

Test(portset, draft_boucadair_pcp_rtp_rtcp_without_a_pair_a_single_port)
{
	struct pcp_message m = set_map(5004, 0, 3600);
	struct world w;

	open_wide(&w);
	w.policy.options |= OPTION(PORT_RESERVATION);
	w.nat_policy.lease_limit = 1;
	expect_answer(reserve(&w, &m), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 60);
	world_close(&w);
}
