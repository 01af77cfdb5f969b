// SPDX-License-Identifier: Apache-2.0
// Deletes of many mappings at once, which version 2 no longer has.
#include "world.h"

static void make(struct world *w, enum pcp_dialect dialect, uint8_t protocol, uint16_t port)
{
	struct pcp_message m = map_of(protocol, port, 3600);

	m.dialect = (uint8_t)dialect;
	m.has_nonce = dialect == PCP_V2;
	m.external_ip = ip6_mapped(0);
	world_encode(w, &m);
	cr_assert_eq(world_answer_in(w, dialect).result, PCP_SUCCESS);
}

static bool stands(struct world *w, uint8_t protocol, uint16_t port)
{
	struct pcp_message m = map_of(protocol, port, 0);

	return world_look(w, &m).kind == NAT_EXPLICIT;
}

static struct pcp_message wipe(
	struct world *w, enum pcp_dialect dialect, uint8_t protocol, uint16_t port)
{
	struct pcp_message m = map_of(protocol, port, 0);

	m.dialect = (uint8_t)dialect;
	m.external_ip = ip6_mapped(0);
	world_encode(w, &m);
	return world_answer_in(w, dialect);
}

Test(delete, rfc6886_s3_4_all_of_a_protocol)
{
	struct world w;

	world_open(&w);
	make(&w, PCP_NATPMP, IP_UDP, 8000);
	make(&w, PCP_NATPMP, IP_UDP, 8001);
	make(&w, PCP_NATPMP, IP_TCP, 8000);
	expect_answer(wipe(&w, PCP_NATPMP, IP_UDP, 0), PCP_SUCCESS, 0);
	cr_assert(!stands(&w, IP_UDP, 8000) && !stands(&w, IP_UDP, 8001));
	cr_assert(stands(&w, IP_TCP, 8000));
	expect_answer(wipe(&w, PCP_NATPMP, IP_UDP, 0), PCP_SUCCESS, 0);
	world_close(&w);
}

// Looking through what a host holds is paid for by his own rate.
Test(delete, work_on_many_leases_counts_as_many_requests)
{
	struct server_client client = {.address = CLIENT_IP};
	struct world w;

	world_open(&w);
	w.nat_policy.lease_limit = 300;
	w.policy.request_rate = 100;
	for (uint16_t i = 0; i < 200; i++)
		make(&w, PCP_NATPMP, IP_UDP, (uint16_t)(8000 + i));
	w.asker.client = &client;
	expect_answer(wipe(&w, PCP_NATPMP, IP_UDP, 0), PCP_SUCCESS, 0);
	cr_assert_eq(client.request_full, w.now_s * NS_PER_S + 3 * NS_PER_S / 100);
	for (uint16_t i = 0; i < 200; i++)
		cr_assert(!stands(&w, IP_UDP, (uint16_t)(8000 + i)));
	world_close(&w);
}

// Among many that stay: the walk goes on behind them and comes to its end.
Test(delete, the_rest_goes_however_many_stay)
{
	struct world w;

	world_open(&w);
	w.nat_policy.lease_limit = 500;
	for (uint16_t i = 0; i < 200; i++)
		make(&w, i % 3 == 0 ? PCP_NATPMP : PCP_V2, IP_UDP, (uint16_t)(8000 + i));
	cr_assert_eq(wipe(&w, PCP_NATPMP, IP_UDP, 0).result, PCP_NOT_AUTHORIZED);
	for (uint16_t i = 0; i < 200; i++)
		cr_assert_eq(stands(&w, IP_UDP, (uint16_t)(8000 + i)), i % 3 != 0);
	world_close(&w);
}

Test(delete, rfc6886_s3_4_what_cannot_go_is_told_after_the_rest_went)
{
	struct world w;

	world_open(&w);
	make(&w, PCP_NATPMP, IP_UDP, 8000);
	make(&w, PCP_V2, IP_UDP, 8001); // a nonce protects it
	cr_assert_eq(wipe(&w, PCP_NATPMP, IP_UDP, 0).result, PCP_NOT_AUTHORIZED);
	cr_assert(!stands(&w, IP_UDP, 8000) && stands(&w, IP_UDP, 8001));
	world_close(&w);
}

Test(delete, draft_ietf_pcp_base_07_a_port_a_protocol_or_everything)
{
	struct world w;

	world_open(&w);
	w.nat_policy.lease_limit = 10;
	for (unsigned i = 0; i < 2; i++) {
		make(&w, PCP_V1A, IP_UDP, 8000);
		make(&w, PCP_V1A, IP_TCP, 8000);
		make(&w, PCP_V1A, IP_TCP, 8001);
		make(&w, PCP_V1A, IP_UDP, 8002);
		if (i == 1)
			break;
		expect_answer(wipe(&w, PCP_V1A, 0, 8000), PCP_SUCCESS, 0);
		cr_assert(!stands(&w, IP_UDP, 8000) && !stands(&w, IP_TCP, 8000));
		cr_assert(stands(&w, IP_TCP, 8001) && stands(&w, IP_UDP, 8002));
		expect_answer(wipe(&w, PCP_V1A, IP_TCP, 0), PCP_SUCCESS, 0);
		cr_assert(!stands(&w, IP_TCP, 8001) && stands(&w, IP_UDP, 8002));
	}
	expect_answer(wipe(&w, PCP_V1A, 0, 0), PCP_SUCCESS, 0);
	cr_assert(!stands(&w, IP_UDP, 8000) && !stands(&w, IP_UDP, 8002));
	world_close(&w);
}

Test(delete, draft_ietf_pcp_base_07_what_cannot_be_deleted_is_skipped)
{
	struct world w;

	world_open(&w);
	make(&w, PCP_V2, IP_TCP, 8080);
	expect_answer(wipe(&w, PCP_V1A, 0, 0), PCP_SUCCESS, 0);
	cr_assert(stands(&w, IP_TCP, 8080));
	expect_answer(wipe(&w, PCP_V1A, IP_TCP, STATIC_PORT), PCP_SUCCESS, 0);
	world_packet(&w, NAT_UDP, 9000);
	expect_answer(wipe(&w, PCP_V1A, IP_UDP, 9000), PCP_SUCCESS, 0);
	cr_assert_eq(
		world_look(&w, &(struct pcp_message){.internal_port = 9000}).kind, NAT_IMPLICIT);
	world_close(&w);
}

Test(delete, draft_ietf_pcp_base_16_zeros_wipe_what_the_source_made)
{
	struct world w;

	world_open(&w);
	make(&w, PCP_V1B, IP_UDP, 8000);
	make(&w, PCP_V1B, IP_TCP, 8001);
	make(&w, PCP_V2, IP_TCP, 8002);
	expect_answer(wipe(&w, PCP_V1B, 0, 0), PCP_SUCCESS, 0);
	cr_assert(!stands(&w, IP_UDP, 8000) && !stands(&w, IP_TCP, 8001));
	cr_assert(stands(&w, IP_TCP, 8002));
	world_close(&w);
}

// RFC 6887 s.15.1: there 0/0/0 is the mapping of a "DMZ host", which was never granted.
Test(delete, rfc6887_s15_1_zeros_wipe_nothing)
{
	struct pcp_message m = map_of(0, 0, 0);
	struct world w;

	world_open(&w);
	make(&w, PCP_V2, IP_TCP, 8080);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	cr_assert(stands(&w, IP_TCP, 8080));
	world_close(&w);
}

Test(delete, more_than_one_walk_can_hold_is_wiped)
{
	struct world w;

	world_open(&w);
	w.nat_policy.lease_limit = 200;
	for (uint16_t port = 8000; port < 8150; port++)
		make(&w, PCP_V1B, IP_UDP, port);
	expect_answer(wipe(&w, PCP_V1B, 0, 0), PCP_SUCCESS, 0);
	for (uint16_t port = 8000; port < 8150; port++)
		cr_assert(!stands(&w, IP_UDP, port));
	world_close(&w);
}

// RFC 6887 s.15: what traffic keeps is shortened, in a wipe as well, and the wipe ends.
Test(delete, rfc6887_s15_a_wipe_leaves_to_traffic_what_traffic_uses)
{
	struct pcp_message m = map_of(IP_UDP, 8000, 0);
	struct nat_view view;
	struct world w;

	world_open(&w);
	make(&w, PCP_V1B, IP_UDP, 8000);
	world_packet(&w, NAT_UDP, 8000);
	expect_answer(wipe(&w, PCP_V1B, 0, 0), PCP_SUCCESS, 0);
	view = world_look(&w, &m);
	cr_assert(view.kind == NAT_EXPLICIT && view.lease_left_s == view.idle_left_s);
	expect_answer(wipe(&w, PCP_V1B, 0, 0), PCP_SUCCESS, 0);
	w.policy.early_delete = true;
	expect_answer(wipe(&w, PCP_V1B, 0, 0), PCP_SUCCESS, 0);
	cr_assert_neq(world_look(&w, &m).kind, NAT_EXPLICIT);
	world_close(&w);
}

Test(delete, rfc6887_s15_1_the_operators_mapping_is_told_and_not_deleted)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 7200), reply;
	struct nat_wish wish = {
		.key = world_key(CLIENT_IP, NAT_TCP, 8080), .lifetime_s = 3600, .operators = true};
	struct nat_view view;
	struct world w;

	world_open(&w);
	cr_assert_eq(nat_lease_map(w.nat, &w.nat_policy, 0, &wish, w.now_s, &view), NAT_GRANTED);
	reply = world_map(&w, &m);
	expect_answer(reply, PCP_SUCCESS, 3600); // as long as it stands, not as long as asked
	cr_assert_eq(reply.external_port, view.external.port);
	m.lifetime_s = 0;
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S);
	cr_assert_eq(world_look(&w, &m).lease_left_s, 3600);
	world_close(&w);
}
