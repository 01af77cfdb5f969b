// SPDX-License-Identifier: Apache-2.0
// FILTER (RFC 6887 s.13.3).
#include "world.h"

#define PEER_IP 0xc6336407u // 198.51.100.7

static void add_filter(struct world *w, ip4 address, uint8_t bits, uint16_t port)
{
	struct pcp_message m = {.dialect = PCP_V2};
	struct pcp_filter f = {
		.prefix = (uint8_t)(96 + bits), .port = port, .address = ip6_mapped(address)};

	w->len = pcp_append_filter(w->msg, w->len, sizeof w->msg, &m, &f);
	cr_assert_gt(w->len, 0);
}

static void add_wipe(struct world *w)
{
	static const uint8_t zeros[20];

	world_add_option(w, PCP_FILTER, zeros, sizeof zeros);
}

static uint32_t filters_of(struct world *w, const struct pcp_message *m, struct nat_filter *out)
{
	struct nat_key key = world_key(CLIENT_IP, NAT_TCP, m->internal_port);

	return nat_lease_filters(w->nat, &key, out, 8);
}

// Whether a packet from there reaches the client.
static bool gets_in(struct world *w, const struct pcp_message *m, ip4 from, uint16_t port)
{
	struct nat_in p = {.at = world_look(w, m).external,
		.from = {from, port},
		.protocol = NAT_TCP,
		.tcp_flags = TCP_SYN};
	uint32_t found = nat_find_in(w->nat, &p, 1, w->now_s);

	cr_assert(p.drop == (found ? DROP_NONE : DROP_PCP_FILTER));
	return found != 0;
}

Test(filter, rfc6887_s13_3_only_whom_a_filter_names_gets_in)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	world_encode(&w, &m);
	add_filter(&w, PEER_IP, 32, 443);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 84); // echoed
	cr_assert(gets_in(&w, &m, PEER_IP, 443));
	cr_assert(!gets_in(&w, &m, PEER_IP, 444));
	cr_assert(!gets_in(&w, &m, PEER_IP + 1, 443));
	world_close(&w);
}

Test(filter, rfc6887_s13_3_filters_add_up_over_requests_and_stay_without_the_option)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct nat_filter list[8];
	struct world w;

	world_open(&w);
	for (unsigned i = 0; i < 2; i++) {
		world_encode(&w, &m);
		add_filter(&w, PEER_IP + i, 32, 0);
		expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	}
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600);
	cr_assert_eq(filters_of(&w, &m, list), 2);
	cr_assert(gets_in(&w, &m, PEER_IP, 1) && gets_in(&w, &m, PEER_IP + 1, 1));
	world_close(&w);
}

Test(filter, rfc6887_s13_3_a_length_of_zero_wipes_what_came_before_it)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct nat_filter list[8];
	struct world w;

	world_open(&w);
	world_encode(&w, &m);
	add_filter(&w, PEER_IP, 32, 0);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	world_encode(&w, &m);
	add_filter(&w, PEER_IP + 1, 32, 0);
	add_wipe(&w);
	add_filter(&w, PEER_IP + 2, 24, 80);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	cr_assert_eq(filters_of(&w, &m, list), 1);
	cr_assert(list[0].address == 0xc6336400 && list[0].bits == 24 && list[0].port == 80);
	world_encode(&w, &m);
	add_wipe(&w);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	cr_assert_eq(filters_of(&w, &m, list), 0);
	cr_assert(gets_in(&w, &m, FOREIGN_IP, 1));
	world_close(&w);
}

// V45.
Test(filter, rfc6887_s13_3_too_many_are_excessive_and_the_old_ones_stay)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct nat_filter list[8];
	struct world w;

	world_open(&w);
	world_encode(&w, &m);
	add_filter(&w, PEER_IP, 32, 0);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	m.lifetime_s = 7200;
	world_encode(&w, &m);
	for (unsigned i = 1; i <= FILTER_LIMIT; i++)
		add_filter(&w, PEER_IP + i, 32, 0);
	expect_answer(world_answer(&w), PCP_EXCESSIVE_REMOTE_PEERS, PCP_ERROR_LONG_S);
	cr_assert_eq(filters_of(&w, &m, list), 1);
	cr_assert_eq(world_look(&w, &m).lease_left_s, 3600);
	m.internal_port = 8081; // nor is anything made
	world_encode(&w, &m);
	for (unsigned i = 0; i <= FILTER_LIMIT; i++)
		add_filter(&w, PEER_IP + i, 32, 0);
	expect_answer(world_answer(&w), PCP_EXCESSIVE_REMOTE_PEERS, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_ABSENT);
	world_close(&w);
}

Test(filter, rfc6887_s13_3_as_many_as_a_request_can_hold_are_judged)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	world_encode(&w, &m);
	while (w.len + 24 <= PCP_MAX)
		add_filter(&w, PEER_IP, 32, (uint16_t)w.len);
	expect_answer(world_answer(&w), PCP_EXCESSIVE_REMOTE_PEERS, PCP_ERROR_LONG_S);
	world_encode(&w, &m);
	while (w.len + 24 <= PCP_MAX)
		add_wipe(&w);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	world_close(&w);
}

struct content {
	uint8_t prefix;
	ip6 address;
	enum pcp_result result;
};

// Erratum 3891: with 0, address and port do not matter.
Test(filter, rfc6887_s13_3_the_prefix_counts_the_bits_of_the_long_form)
{
	static const ip6 six = {{0x20, 1, 0x0d, 0xb8}};
	const struct content cases[] = {
		{0, six, PCP_SUCCESS}, {0, ip6_mapped(PEER_IP), PCP_SUCCESS},
		{95, ip6_mapped(PEER_IP), PCP_MALFORMED_OPTION},
		{24, ip6_mapped(PEER_IP), PCP_MALFORMED_OPTION},
		{96, ip6_mapped(PEER_IP), PCP_SUCCESS}, {128, ip6_mapped(PEER_IP), PCP_SUCCESS},
		{129, ip6_mapped(PEER_IP), PCP_MALFORMED_OPTION},
		{255, ip6_mapped(PEER_IP), PCP_MALFORMED_OPTION},
		{64, six, PCP_MALFORMED_OPTION}, // no remote peer of an IPv4 host
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t data[20] = {0, cases[i].prefix};
		struct pcp_message m = map_of(IP_TCP, 8080, 3600);
		struct world w;

		world_open(&w);
		memcpy(data + 4, cases[i].address.b, 16);
		world_encode(&w, &m);
		world_add_option(&w, PCP_FILTER, data, sizeof data);
		world_answer(&w);
		cr_expect_eq(
			w.result, cases[i].result, "case %zu: %s", i, pcp_result_name(w.result));
		world_close(&w);
	}
}

Test(filter, rfc6887_s13_3_in_a_delete_it_is_malformed)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	world_map(&w, &m);
	m.lifetime_s = 0;
	world_encode(&w, &m);
	add_filter(&w, PEER_IP, 32, 0);
	expect_answer(world_answer(&w), PCP_MALFORMED_OPTION, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).kind, NAT_EXPLICIT);
	world_close(&w);
}

// The same renewal again and again must not run into the limit.
Test(filter, rfc6887_s6_a_repeated_filter_is_the_same_filter)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct nat_filter list[8];
	struct world w;

	world_open(&w);
	for (unsigned i = 0; i < 3 * FILTER_LIMIT; i++) {
		world_encode(&w, &m);
		add_filter(&w, PEER_IP, 32, 443);
		expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	}
	cr_assert_eq(filters_of(&w, &m, list), 1);
	world_close(&w);
}
