// SPDX-License-Identifier: Apache-2.0
// PEER (RFC 6887 s.12).
#include "world.h"

#define REMOTE_IP 0xc6336407u // 198.51.100.7

static struct pcp_message peer_of(uint16_t port, uint32_t lifetime_s)
{
	struct pcp_message m = map_of(IP_UDP, port, lifetime_s);

	m.opcode = PCP_PEER;
	m.remote_port = 443;
	m.remote_ip = ip6_mapped(REMOTE_IP);
	return m;
}

static struct nat_view peer_look(const struct world *w, const struct pcp_message *m)
{
	struct nat_key key = world_key(CLIENT_IP, NAT_UDP, m->internal_port);
	struct nat_view view;

	nat_peer_look(w->nat, &key, (struct recipe){ip6_to_ip4(m->remote_ip), m->remote_port},
		w->now_s, &view);
	return view;
}

Test(peer, rfc6887_s12_3_a_new_flow_gets_a_pair_and_packets_use_it)
{
	struct pcp_message m = peer_of(8080, 600), reply;
	struct recipe pair;
	struct world w;

	world_open(&w);
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 600);
	cr_assert_eq(w.len, PCP_HEADER + PCP_PEER_BODY);
	cr_assert(pcp_nonce_eq(reply.nonce, NONCE) && reply.remote_port == 443);
	cr_assert(ip6_eq(reply.remote_ip, m.remote_ip));
	pair = world_packet(&w, NAT_UDP, 8080);
	cr_assert(ip6_eq(reply.external_ip, ip6_mapped(pair.addr)));
	cr_assert_eq(reply.external_port, pair.port);
	cr_assert_eq(peer_look(&w, &m).kind, NAT_PEER);
	cr_assert_eq(w.counters.peers_created, 1);
	world_close(&w);
}

struct wrong {
	uint8_t protocol;
	uint16_t port, remote_port;
	ip4 remote;
	enum pcp_result result;
};

static const struct wrong wrongs[] = {
	{0, 8080, 443, REMOTE_IP, PCP_MALFORMED_REQUEST},
	{IP_UDP, 0, 443, REMOTE_IP, PCP_MALFORMED_REQUEST},
	{IP_UDP, 8080, 0, REMOTE_IP, PCP_MALFORMED_REQUEST},
	{IP_UDP, 8080, 443, 0, PCP_MALFORMED_REQUEST},
	{IP_UDP, 8080, 443, 0x7f000001, PCP_MALFORMED_REQUEST},
	{IP_UDP, 8080, 443, 0xe0000001, PCP_MALFORMED_REQUEST},
	{IP_UDP, 8080, 443, 0xffffffff, PCP_MALFORMED_REQUEST},
	{132, 8080, 443, REMOTE_IP, PCP_UNSUPP_PROTOCOL},
};

Test(peer, rfc6887_s12_1_what_names_no_flow_is_malformed)
{
	struct pcp_message m = peer_of(8080, 600);
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		m.protocol = wrongs[i].protocol;
		m.internal_port = wrongs[i].port;
		m.remote_port = wrongs[i].remote_port;
		m.remote_ip = ip6_mapped(wrongs[i].remote);
		expect_answer(world_map(&w, &m), wrongs[i].result, PCP_ERROR_LONG_S);
	}
	m = peer_of(8080, 600);
	m.remote_ip = (ip6){{0x20, 1, 0x0d, 0xb8}}; // the family inside is IPv4
	expect_answer(world_map(&w, &m), PCP_MALFORMED_REQUEST, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(peer, rfc6887_s12_3_a_found_flow_keeps_its_pair_whatever_the_hints_say)
{
	struct pcp_message m = peer_of(8080, 7200), reply;
	struct recipe pair;
	struct world w;

	world_open(&w);
	pair = world_packet(&w, NAT_UDP, 8080);
	m.external_port = 4321;
	m.external_ip = ip6_mapped(FOREIGN_IP);
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 7200);
	cr_assert(reply.external_port == pair.port &&
		  ip6_eq(reply.external_ip, ip6_mapped(pair.addr)));
	cr_assert_eq(peer_look(&w, &m).lease_left_s, 7200);
	world_close(&w);
}

Test(peer, rfc6887_s12_3_a_new_flow_gets_exactly_the_suggested_pair_or_nothing)
{
	struct pcp_message m = peer_of(8080, 600);
	struct world w;

	world_open(&w);
	m.external_ip = ip6_mapped(FOREIGN_IP);
	m.external_port = 8443;
	expect_answer(world_map(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	m.external_ip = (ip6){{0x20, 1}};
	expect_answer(world_map(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	m.external_ip = ip6_mapped(0);
	m.external_port = PCP_SERVER_PORT;
	expect_answer(world_map(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	m.external_port = 8443;
	cr_assert_eq(world_map(&w, &m).external_port, 8443);
	m.internal_port = 8081;
	cr_assert_eq(world_map(&w, &m).result, PCP_CANNOT_PROVIDE_EXTERNAL);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

// A mapping that stands has its pair: a new flow of it can suggest that one only.
Test(peer, rfc6887_s12_3_a_new_flow_of_a_mapped_port)
{
	struct pcp_message map = map_of(IP_UDP, 8080, 3600), m = peer_of(8080, 600);
	struct world w;

	world_open(&w);
	map.external_port = 8443;
	world_map(&w, &map);
	m.external_port = 8444;
	expect_answer(world_map(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_SHORT_S);
	cr_assert_eq(peer_look(&w, &m).kind, NAT_ABSENT);
	m.external_port = 0;
	cr_assert_eq(world_map(&w, &m).external_port, 8443);
	m.remote_port = 444;
	m.external_port = 8443;
	m.external_ip = ip6_mapped(POOL_IP);
	cr_assert_eq(world_map(&w, &m).external_port, 8443);
	cr_assert_eq(w.counters.peers_created, 2);
	world_close(&w);
}

Test(peer, rfc6887_s12_3_it_never_shortens_and_a_small_lifetime_asks)
{
	struct pcp_message m = peer_of(8080, 3600);
	struct world w;

	world_open(&w);
	world_map(&w, &m);
	world_pass(&w, 600);
	m.lifetime_s = 0;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3000);
	m.lifetime_s = 1;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3000);
	m.lifetime_s = 2000;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3000);
	cr_assert_eq(peer_look(&w, &m).lease_left_s, 3000);
	m.lifetime_s = 7200;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 7200);
	cr_assert_eq(peer_look(&w, &m).lease_left_s, 7200);
	cr_assert_eq(w.counters.peers_renewed, 4);
	world_close(&w);
}

Test(peer, rfc6887_s12_3_a_question_about_a_flow_leaves_nothing_behind)
{
	struct pcp_message m = peer_of(8080, 0);
	struct nat_view view;
	struct world w;

	world_open(&w);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0); // there is none
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_packet(&w, NAT_UDP, 8080);
	view = world_look(&w, &m);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, view.idle_left_s);
	cr_assert_eq(peer_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(peer, rfc6887_s12_3_another_nonce_is_not_authorized)
{
	struct pcp_message m = peer_of(8080, 3600);
	struct world w;

	world_open(&w);
	world_map(&w, &m);
	world_pass(&w, 600);
	m.nonce = OTHER_NONCE;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, 3000);
	m.remote_port = 444; // another flow, another lease
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	world_close(&w);
}

Test(peer, rfc6887_s15_lifetimes_are_held_between_minimum_and_maximum)
{
	struct pcp_message m = peer_of(8080, 1);
	struct world w;

	world_open(&w);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 120);
	m.lifetime_s = UINT32_MAX;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 86400);
	world_close(&w);
}

// Figure 16: P and M meet on one internal endpoint, and each outlives the other.
Test(peer, rfc6887_s16_map_and_peer_share_a_pair_and_outlive_each_other)
{
	struct pcp_message map = map_of(IP_UDP, 8080, 600), m = peer_of(8080, 3600);
	struct world w;
	uint16_t port;

	world_open(&w);
	port = world_map(&w, &m).external_port;
	cr_assert_eq(world_look(&w, &m).kind, NAT_PEER);
	map.lifetime_s = 0;
	expect_answer(world_map(&w, &map), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S); // not MAP's
	map.lifetime_s = 600;
	cr_assert_eq(world_map(&w, &map).external_port, port);
	cr_assert_eq(world_look(&w, &m).kind, NAT_EXPLICIT);
	map.lifetime_s = 0;
	expect_answer(world_map(&w, &map), PCP_SUCCESS, 0);
	cr_assert_eq(world_look(&w, &m).kind, NAT_PEER);
	cr_assert_eq(peer_look(&w, &m).external.port, port);
	world_pass(&w, 3602);
	cr_assert_eq(peer_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(peer, rfc6887_s7_4_limits)
{
	struct pcp_message m = peer_of(8080, 3600);
	struct world w;

	world_open(&w);
	w.asker.may_create = false;
	expect_answer(world_map(&w, &m), PCP_NO_RESOURCES, PCP_ERROR_SHORT_S);
	w.asker.may_create = true;
	w.asker.have_external = false;
	expect_answer(world_map(&w, &m), PCP_NETWORK_FAILURE, PCP_ERROR_SHORT_S);
	w.asker.have_external = true;
	for (unsigned i = 0; i < LEASE_LIMIT; i++, m.remote_port++)
		expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	expect_answer(world_map(&w, &m), PCP_USER_EX_QUOTA, PCP_ERROR_SHORT_S);
	cr_assert_eq(peer_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(peer, rfc6887_s12_3_a_static_mapping_is_told_forever)
{
	struct pcp_message m = peer_of(STATIC_PORT, 600), reply;
	struct world w;

	world_open(&w);
	m.protocol = IP_TCP;
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, UINT32_MAX);
	cr_assert_eq(reply.external_port, STATIC_PORT);
	world_close(&w);
}

Test(peer, rfc7220_s3_a_peer_can_be_described)
{
	struct pcp_message m = peer_of(8080, 600);
	struct world w;

	world_open(&w);
	world_encode(&w, &m);
	world_add_option(&w, PCP_DESCRIPTION, "call", 4);
	expect_answer(world_answer(&w), PCP_SUCCESS, 600);
	cr_assert_eq(w.len, 88);
	cr_assert_eq(peer_look(&w, &m).text_length, 4);
	world_close(&w);
}
