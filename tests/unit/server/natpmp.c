// SPDX-License-Identifier: Apache-2.0
// NAT-PMP (RFC 6886) on the same mappings.
#include "world.h"

static struct pcp_message ask(struct world *w, const char *request)
{
	w->len = hex(request, w->msg);
	return world_answer_in(w, PCP_NATPMP);
}

Test(natpmp, rfc6886_s3_2_the_external_address_before_any_mapping_is_the_one_later_used)
{
	struct world w;
	struct pcp_message reply;

	world_open(&w);
	reply = ask(&w, "0000");
	cr_assert_eq(reply.result, PCP_SUCCESS);
	cr_assert(ip6_eq(reply.external_ip, ip6_mapped(POOL_IP)));
	cr_assert_eq(world_packet(&w, NAT_UDP, 9000).addr, POOL_IP);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_5_without_an_address_there_is_a_network_failure)
{
	struct world w;

	world_open(&w);
	w.asker.have_external = false;
	cr_assert_eq(ask(&w, "0000").result, PCP_NETWORK_FAILURE);
	cr_assert_eq(w.len, 12);
	cr_assert_eq(ask(&w, "00020000 1f901f90 00001c20").result, PCP_NETWORK_FAILURE);
	w.asker.have_external = true;
	w.asker.may_create = false;
	cr_assert_eq(ask(&w, "0000").result, PCP_NO_RESOURCES);
	cr_assert_eq(w.counters.newcomers_refused, 1);
	w.asker.may_create = true;
	w.asker.group = 1; // has no address here
	cr_assert_eq(ask(&w, "0000").result, PCP_NO_RESOURCES);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_3_no_longer_than_asked_for)
{
	struct world w;
	struct pcp_message reply;

	world_open(&w);
	reply = ask(&w, "00010000 1f900000 0000000a"); // 10 s, below version 2's minimum
	expect_answer(reply, PCP_SUCCESS, 10);
	reply = ask(&w, "00010000 1f900000 ffffffff");
	expect_answer(reply, PCP_SUCCESS, 86400);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_3_what_exists_keeps_its_port)
{
	struct pcp_message m = map_of(IP_TCP, STATIC_PORT, 0);
	struct world w;
	uint16_t port;

	world_open(&w);
	port = ask(&w, "00020000 1f901f90 00001c20").external_port;
	cr_assert_eq(port, 8080);
	cr_assert_eq(ask(&w, "00020000 1f905555 00001c20").external_port, port);
	port = world_packet(&w, NAT_UDP, 8080).port; // an outbound flow's too
	cr_assert_eq(ask(&w, "00010000 1f905555 00001c20").external_port, port);
	expect_answer(ask(&w, "00020000 00160000 00001c20"), PCP_SUCCESS, 7200); // a manual one
	cr_assert_eq(world_look(&w, &m).kind, NAT_STATIC);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_3_a_port_in_use_is_answered_with_another)
{
	struct world w;

	world_open(&w);
	cr_assert_eq(ask(&w, "00020000 1f9020fb 00001c20").external_port, 8443);
	cr_assert_neq(ask(&w, "00020000 1f9120fb 00001c20").external_port, 8443);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_3_port_0_is_refused)
{
	struct world w;

	world_open(&w);
	cr_assert_eq(ask(&w, "00020000 00000000 00001c20").result, PCP_NOT_AUTHORIZED);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_4_deletes)
{
	struct world w;
	struct pcp_message reply;

	world_open(&w);
	ask(&w, "00020000 1f901f90 00001c20");
	for (unsigned i = 0; i < 2; i++) { // the second finds nothing
		reply = ask(&w, "00020000 1f905555 00000000");
		expect_answer(reply, PCP_SUCCESS, 0);
		cr_assert(reply.internal_port == 8080 && reply.external_port == 0);
	}
	cr_assert_eq(ask(&w, "00020000 00160000 00000000").result, PCP_NOT_AUTHORIZED);
	world_packet(&w, NAT_UDP, 9000); // was never asked for
	expect_answer(ask(&w, "00010000 23280000 00000000"), PCP_SUCCESS, 0);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_3_the_other_protocols_port_is_kept_for_the_same_host)
{
	struct world w;

	world_open(&w);
	w.policy.companion = true;
	cr_assert_eq(ask(&w, "00020000 1f9020fb 00001c20").external_port, 8443);
	cr_assert_eq(ask(&w, "00010000 1f900000 00001c20").external_port, 8443);
	// Another host never gets a port of this one's block.
	w.asker.source = OTHER_IP;
	cr_assert_neq(ask(&w, "00010000 1f9020fb 00001c20").external_port, 8443);
	world_close(&w);
}

Test(natpmp, rfc6886_s3_5_limits_are_out_of_resources)
{
	struct world w;

	world_open(&w);
	w.nat_policy.lease_limit = 1;
	ask(&w, "00020000 1f900000 00001c20");
	cr_assert_eq(ask(&w, "00020000 1f910000 00001c20").result, PCP_NO_RESOURCES);
	cr_assert_eq(w.result, PCP_USER_EX_QUOTA);
	world_close(&w);
}
