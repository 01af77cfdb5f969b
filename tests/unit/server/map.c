// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static void expect_pair(struct pcp_message reply, ip4 addr, uint16_t port)
{
	cr_assert(ip6_eq(reply.external_ip, ip6_mapped(addr)));
	cr_assert_eq(reply.external_port, port);
}

// ---- what protocol, port and lifetime mean together (s.11.1, s.11.3)

struct meaning {
	uint8_t protocol;
	uint16_t port;
	uint32_t lifetime_s;
	enum pcp_result result;
};

enum {
	SCTP = 132
};

static const struct meaning meanings[] = {
	{IP_TCP, 8080, 3600, PCP_SUCCESS},
	{IP_UDP, 8080, 3600, PCP_SUCCESS},
	{IP_TCP, 0, 3600, PCP_UNSUPP_PROTOCOL}, // wildcards: not on a shared address
	{IP_UDP, 0, 3600, PCP_UNSUPP_PROTOCOL},
	{0, 0, 3600, PCP_UNSUPP_PROTOCOL}, // "DMZ host"
	{0, 80, 3600, PCP_MALFORMED_REQUEST},
	{0, 80, 0, PCP_MALFORMED_REQUEST},
	{IP_ICMP, 0, 3600, PCP_UNSUPP_PROTOCOL},
	{IP_ICMP, 80, 3600, PCP_UNSUPP_PROTOCOL},
	{SCTP, 5000, 3600, PCP_UNSUPP_PROTOCOL},
	{255, 5000, 3600, PCP_UNSUPP_PROTOCOL},
	{IP_TCP, 0, 0, PCP_SUCCESS}, // deletes of what was never granted
	{0, 0, 0, PCP_SUCCESS},
	{SCTP, 5000, 0, PCP_SUCCESS},
	{IP_TCP, 9999, 0, PCP_SUCCESS},
};

Test(server, rfc6887_s11_3_protocol_port_and_lifetime_together)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		const struct meaning *c = &meanings[i];
		struct pcp_message m = map_of(c->protocol, c->port, c->lifetime_s);
		struct world w;
		uint32_t want_s = pcp_result_lifetime_s(c->result);

		world_open(&w);
		expect_answer(world_map(&w, &m), c->result,
			c->result == PCP_SUCCESS ? c->lifetime_s : want_s);
		cr_assert_eq(w.counters.results[pcp_result_index(c->result)], 1);
		world_close(&w);
	}
}

// ---- create ------------------------------------------------------------------------------------

Test(server, rfc6887_s11_3_a_new_mapping_lands_in_the_pool_and_works)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600), reply;
	struct nat_key to;
	struct nat_view view;

	world_open(&w);
	memset(w.msg, 0xee, sizeof w.msg);
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, PCP_HEADER + PCP_MAP_BODY);
	cr_assert(pcp_nonce_eq(reply.nonce, NONCE));
	cr_assert(reply.protocol == IP_TCP && reply.internal_port == 8080);
	expect_pair(reply, POOL_IP, reply.external_port);
	cr_assert_geq(reply.external_port, 1024);
	cr_assert(nat_peek_in(w.nat, NAT_TCP, (struct recipe){POOL_IP, reply.external_port}, &to));
	cr_assert(to.host == CLIENT_IP && to.port == 8080 && to.realm == 1);
	view = world_look(&w, &m);
	cr_assert_eq(view.kind, NAT_EXPLICIT);
	cr_assert(view.client == CLIENT_IP && view.client_port == 12345);
	cr_assert_eq(w.counters.maps_created, 1);
	world_close(&w);
}

// s.11.3: no companion mapping for another protocol.
Test(server, rfc6887_s11_3_tcp_and_udp_are_apart)
{
	struct world w;
	struct pcp_message tcp = map_of(IP_TCP, 8080, 3600), udp = map_of(IP_UDP, 8080, 3600);

	world_open(&w);
	expect_answer(world_map(&w, &tcp), PCP_SUCCESS, 3600);
	cr_assert_eq(world_look(&w, &udp).kind, NAT_ABSENT);
	udp.nonce = OTHER_NONCE;
	expect_answer(world_map(&w, &udp), PCP_SUCCESS, 3600);
	world_close(&w);
}

Test(server, rfc6887_s11_3_the_suggested_pair_is_given_when_free)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600), reply;

	world_open(&w);
	m.external_ip = ip6_mapped(POOL_IP);
	m.external_port = 8443;
	expect_pair(world_map(&w, &m), POOL_IP, 8443);
	m.internal_port = 8081; // taken now: a hint never makes a request fail
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 3600);
	cr_assert_neq(reply.external_port, 8443);
	world_close(&w);
}

Test(server, rfc6887_s11_3_hints_that_cannot_be_met_are_only_hints)
{
	static const ip6 loopback6 = {{[15] = 1}}, any6 = {{0}};
	const ip6 hints[] = {loopback6, any6, ip6_mapped(FOREIGN_IP), ip6_mapped(0x7f000001),
		ip6_mapped(0xffffffff), ip6_mapped(0xe0000001)};

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		struct world w;
		struct pcp_message m = map_of(IP_UDP, 8080, 3600), reply;

		world_open(&w);
		m.external_ip = hints[i];
		m.external_port = 8443;
		reply = world_map(&w, &m);
		expect_answer(reply, PCP_SUCCESS, 3600);
		expect_pair(reply, POOL_IP, reply.external_port);
		world_close(&w);
	}
}

Test(server, rfc6887_s11_3_ports_of_pcp_itself_are_never_mapped)
{
	for (uint16_t port = PCP_CLIENT_PORT; port <= PCP_SERVER_PORT; port++) {
		struct world w;
		struct pcp_message m = map_of(IP_UDP, 8080, 3600), reply;

		world_open(&w);
		m.external_port = port;
		expect_answer(
			world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
		cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
		reply = world_map(&w, &m);
		expect_answer(reply, PCP_SUCCESS, 3600);
		cr_assert(reply.external_port != PCP_CLIENT_PORT &&
			  reply.external_port != PCP_SERVER_PORT);
		m.protocol = IP_TCP; // the rule is UDP's
		expect_pair(world_map(&w, &m), POOL_IP, port);
		world_close(&w);
	}
}

Test(server, rfc6887_s15_lifetimes_are_held_between_minimum_and_maximum)
{
	static const uint32_t asked[] = {1, 119, 120, 121, 86399, 86400, 86401, UINT32_MAX};
	static const uint32_t given[] = {120, 120, 120, 121, 86399, 86400, 86400, 86400};

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct world w;
		struct pcp_message m = map_of(IP_UDP, 8080, asked[i]);

		world_open(&w);
		expect_answer(world_map(&w, &m), PCP_SUCCESS, given[i]);
		cr_assert_eq(world_look(&w, &m).lease_left_s, given[i]);
		world_close(&w);
	}
}

Test(server, rfc6887_s7_4_no_external_address_yet_is_a_network_failure)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	w.asker.have_external = false;
	expect_answer(world_map(&w, &m), PCP_NETWORK_FAILURE, PCP_ERROR_SHORT_S);
	m.lifetime_s = 0; // a delete needs none
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	world_close(&w);
}

Test(server, rfc6887_s11_3_over_the_subscribers_limit_is_his_quota)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8000, 3600);

	world_open(&w);
	for (unsigned i = 0; i < LEASE_LIMIT; i++, m.internal_port++)
		expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	expect_answer(world_map(&w, &m), PCP_USER_EX_QUOTA, PCP_ERROR_SHORT_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	m.internal_port = 8000; // renewing what he has goes on
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	world_close(&w);
}

Test(server, rfc6887_s7_4_an_empty_pool_is_no_resources)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	w.asker.group = 1; // has no address here
	w.asker.source = OTHER_IP;
	m.client = ip6_mapped(OTHER_IP);
	expect_answer(world_map(&w, &m), PCP_NO_RESOURCES, PCP_ERROR_SHORT_S);
	world_close(&w);
}

// ---- what exists already

Test(server, rfc6887_s11_3_renewal_keeps_the_pair_whatever_the_hints_say)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	uint16_t port;

	world_open(&w);
	port = world_map(&w, &m).external_port;
	world_pass(&w, 600);
	m.lifetime_s = 7200;
	m.external_port = 4321;
	m.external_ip = ip6_mapped(FOREIGN_IP);
	for (unsigned i = 0; i < 2; i++) { // a retransmission gets the same answer
		struct pcp_message reply = world_map(&w, &m);

		expect_answer(reply, PCP_SUCCESS, 7200);
		expect_pair(reply, POOL_IP, port);
	}
	cr_assert_eq(world_look(&w, &m).lease_left_s, 7200);
	cr_assert(w.counters.maps_created == 1 && w.counters.maps_renewed == 2);
	world_close(&w);
}

Test(server, rfc6887_s11_3_another_nonce_is_not_authorized_for_as_long_as_the_mapping_lives)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600), reply;

	world_open(&w);
	world_map(&w, &m);
	world_pass(&w, 600);
	m.nonce = OTHER_NONCE;
	m.external_port = 4321;
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_NOT_AUTHORIZED, 3000);
	cr_assert(pcp_nonce_eq(reply.nonce, OTHER_NONCE)); // the request's body comes back
	cr_assert_eq(reply.external_port, 4321);
	m.lifetime_s = 0;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, 3000);
	cr_assert_eq(w.counters.nonce_mismatches, 2);
	cr_assert_eq(world_look(&w, &m).lease_left_s, 3000);
	world_close(&w);
}

Test(server, rfc6887_s11_3_a_nonce_of_zeros_is_a_nonce)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	m.nonce = (struct pcp_nonce){{0}};
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	m.nonce = NONCE;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, 3600);
	world_close(&w);
}

Test(server, rfc6887_s11_3_a_static_mapping_is_granted_forever_and_never_deleted)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, STATIC_PORT, 3600), reply;

	world_open(&w);
	for (unsigned i = 0; i < 2; i++) { // the nonce is echoed, not remembered
		m.nonce = i == 0 ? NONCE : OTHER_NONCE;
		reply = world_map(&w, &m);
		expect_answer(reply, PCP_SUCCESS, UINT32_MAX);
		expect_pair(reply, POOL_IP, STATIC_PORT);
		cr_assert(pcp_nonce_eq(reply.nonce, m.nonce));
	}
	m.external_port = 2222;
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	m.lifetime_s = 0;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_STATIC);
	world_close(&w);
}

// s.11.3, s.16: the flow keeps its pair and survives the end of the inbound mapping.
Test(server, rfc6887_s16_an_implicit_mapping_keeps_its_pair)
{
	struct world w;
	struct pcp_message m = map_of(IP_UDP, 8080, 120), reply;
	struct recipe flow;

	world_open(&w);
	flow = world_packet(&w, NAT_UDP, 8080);
	m.external_port = 4321;
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 120);
	expect_pair(reply, flow.addr, flow.port);
	cr_assert_eq(w.counters.maps_created, 1);
	world_pass(&w, 125);
	cr_assert_eq(world_look(&w, &m).kind, NAT_IMPLICIT);
	cr_assert_eq(world_packet(&w, NAT_UDP, 8080).port, flow.port);
	world_close(&w);
}

Test(server, rfc6887_s15_1_an_implicit_mapping_is_not_deleted_by_map)
{
	struct world w;
	struct pcp_message m = map_of(IP_UDP, 8080, 0);

	world_open(&w);
	world_packet(&w, NAT_UDP, 8080);
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_IMPLICIT);
	world_close(&w);
}

// ---- delete

Test(server, rfc6887_s15_1_delete_echoes_the_suggested_fields_and_can_be_repeated)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600), reply;
	struct nat_key to;
	uint16_t port;

	world_open(&w);
	port = world_map(&w, &m).external_port;
	m.lifetime_s = 0;
	m.external_port = 4321;
	m.external_ip = ip6_mapped(FOREIGN_IP);
	for (unsigned i = 0; i < 2; i++) {
		reply = world_map(&w, &m);
		expect_answer(reply, PCP_SUCCESS, 0);
		expect_pair(reply, FOREIGN_IP, 4321);
		cr_assert_neq(world_look(&w, &m).kind, NAT_EXPLICIT);
		cr_assert(!nat_peek_in(w.nat, NAT_TCP, (struct recipe){POOL_IP, port}, &to));
	}
	cr_assert_eq(w.counters.maps_deleted, 2);
	world_close(&w);
}

Test(server, rfc6887_s7_4_one_newcomer_too_many_is_no_resources)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	world_open(&w);
	w.asker.may_create = false;
	expect_answer(world_map(&w, &m), PCP_NO_RESOURCES, PCP_ERROR_SHORT_S);
	cr_assert_eq(w.counters.newcomers_refused, 1);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_packet(&w, NAT_TCP, 8080); // what exists is none too many
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	m.lifetime_s = 0;
	m.internal_port = 8081;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	cr_assert_eq(w.counters.newcomers_refused, 1);
	world_close(&w);
}

Test(server, rfc6887_s15_the_same_client_gets_a_resting_port_back)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 8080, 3600), other;
	uint16_t port;

	world_open(&w);
	port = world_map(&w, &m).external_port;
	m.lifetime_s = 0;
	world_map(&w, &m);
	world_pass(&w, 60);
	other = map_of(IP_TCP, 9090, 3600); // another endpoint cannot have it
	other.external_port = port;
	expect_answer(world_map_exactly(&w, &other), PCP_CANNOT_PROVIDE_EXTERNAL, 60);
	m.lifetime_s = 3600;
	expect_pair(world_map(&w, &m), POOL_IP, port);
	world_close(&w);
}

Test(server, rfc6887_s15_what_traffic_keeps_is_shortened_to_its_idle_time)
{
	struct world w;
	struct pcp_message m = map_of(IP_UDP, 8080, 3600), reply;
	struct nat_view view;

	world_open(&w);
	world_map(&w, &m);
	world_packet(&w, NAT_UDP, 8080);
	view = world_look(&w, &m);
	cr_assert(view.traffic && view.idle_left_s > 120);
	m.lifetime_s = 120; // neither a short renewal ...
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, view.idle_left_s);
	m.lifetime_s = 0; // ... nor a delete ends it sooner
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, view.idle_left_s);
	cr_assert_eq(reply.external_port, 0);
	cr_assert_eq(world_look(&w, &m).lease_left_s, view.idle_left_s);
	m.nonce = OTHER_NONCE;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, view.idle_left_s);
	world_pass(&w, 1000);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(server, rfc6887_s15_early_delete_ends_it_at_once)
{
	struct world w;
	struct pcp_message m = map_of(IP_UDP, 8080, 3600);
	struct nat_key to;
	uint16_t port;

	world_open(&w);
	w.policy.early_delete = true;
	port = world_map(&w, &m).external_port;
	world_packet(&w, NAT_UDP, 8080);
	m.lifetime_s = 120;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 120);
	m.lifetime_s = 0;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	cr_assert(!nat_peek_in(w.nat, NAT_UDP, (struct recipe){POOL_IP, port}, &to));
	world_close(&w);
}

Test(server, rfc6887_s11_3_early_delete_leaves_the_flow_that_was_there_before)
{
	struct world w;
	struct pcp_message m = map_of(IP_UDP, 8080, 3600);
	struct recipe flow;

	world_open(&w);
	w.policy.early_delete = true;
	flow = world_packet(&w, NAT_UDP, 8080);
	expect_pair(world_map(&w, &m), flow.addr, flow.port);
	m.lifetime_s = 0;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	cr_assert_eq(world_look(&w, &m).kind, NAT_IMPLICIT);
	cr_assert_eq(world_packet(&w, NAT_UDP, 8080).port, flow.port);
	world_close(&w);
}

// ---- PREFER_FAILURE (s.13.2)

Test(server, rfc6887_s13_2_exactly_the_suggested_pair_or_nothing)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600), reply;

	world_open(&w);
	m.external_port = 8443;
	m.external_ip = ip6_mapped(FOREIGN_IP);
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	m.external_ip = (ip6){{0x20, 1}}; // an IPv6 address is none of ours either
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	m.external_ip = ip6_mapped(POOL_IP);
	reply = world_map_exactly(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 3600);
	expect_pair(reply, POOL_IP, 8443);
	cr_assert_eq(w.len, PCP_HEADER + PCP_MAP_BODY + sizeof(struct pcp_option_wire));
	world_close(&w);
}

Test(server, rfc6887_s13_2_any_address_with_a_port_to_insist_on)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600);

	world_open(&w);
	m.external_port = 8443;
	expect_pair(world_map_exactly(&w, &m), POOL_IP, 8443);
	expect_pair(world_map_exactly(&w, &m), POOL_IP, 8443); // and renews it
	world_close(&w);
}

Test(server, rfc6887_s13_2_a_taken_port_is_told_with_the_time_it_stays_taken)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 620);

	world_open(&w);
	m.external_port = 8443;
	expect_pair(world_map_exactly(&w, &m), POOL_IP, 8443);
	world_pass(&w, 120);
	m.internal_port = 444;
	m.nonce = OTHER_NONCE;
	// 500 s of the lease, then 120 s of hold-down.
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, 620);
	world_close(&w);
}

Test(server, rfc6887_s13_2_anothers_static_pair_is_refused_for_long)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600);

	world_open(&w);
	m.client = ip6_mapped(OTHER_IP);
	w.asker.source = OTHER_IP;
	m.external_ip = ip6_mapped(POOL_IP);
	m.external_port = STATIC_PORT;
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	cr_assert_eq(w.counters.maps_created, 0);
	m.protocol = IP_UDP; // the number is only TCP's; nobody holds this one
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_SHORT_S);
	world_close(&w);
}

Test(server, rfc6887_s13_2_an_existing_mapping_with_another_pair)
{
	struct world w;
	struct pcp_message m = map_of(IP_TCP, 443, 3600);

	world_open(&w);
	m.external_port = 8443;
	world_map(&w, &m);
	m.external_port = 8444;
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_SHORT_S);
	cr_assert_eq(world_look(&w, &m).external.port, 8443);
	m.external_ip = ip6_mapped(FOREIGN_IP);
	expect_answer(world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	world_close(&w);
}
