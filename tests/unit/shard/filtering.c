// SPDX-License-Identifier: Apache-2.0
// Who may send in, RFC 4787 s.5: anybody, addresses that were sent to, or endpoints that were.
#include "check.h"

#define ADF ONE_SHARD "    filtering-type: adf\n"
#define APDF ONE_SHARD "    filtering-type: apdf\n"
#define THIRD_PEER 0xc6336452u

static struct frame from(struct world *w, ip4 peer, uint16_t port, struct recipe e)
{
	struct frame f;

	put(w, OUTSIDE_PORT, udp_of(peer, port, e.addr, e.port), &f);
	return f;
}

static void expect_kept_out(
	struct world *w, ip4 peer, uint16_t port, struct recipe e, enum drop why)
{
	struct frame f = from(w, peer, port, e);

	expect_drop(&f, why);
}

static void expect_let_in(struct world *w, ip4 peer, uint16_t port, struct recipe e)
{
	struct frame f = from(w, peer, port, e);

	expect_in(&f, peer, port, HOME, 5000);
}

Test(filtering, t_6888_7_anybody_may_send_unless_the_operator_says_otherwise)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	expect_let_in(&w, OTHER_PEER, 99, e);
	world_close(&w);
}

Test(filtering, t_4787_8a_adf_lets_in_addresses_that_were_sent_to)
{
	struct world w;

	world_open(&w, ADF);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	expect_let_in(&w, PEER, 53, e);
	expect_let_in(&w, PEER, 99, e);
	expect_kept_out(&w, OTHER_PEER, 53, e, DROP_FILTERED_ADF);
	open_udp(&w, HOME, 5000, OTHER_PEER);
	expect_let_in(&w, OTHER_PEER, 53, e);
	expect_kept_out(&w, THIRD_PEER, 53, e, DROP_FILTERED_ADF);
	cr_assert_eq(world_drops(&w, DROP_FILTERED_ADF), 2);
	world_close(&w);
}

Test(filtering, t_4787_8a_apdf_lets_in_endpoints_that_were_sent_to)
{
	struct world w;

	world_open(&w, APDF);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	expect_let_in(&w, PEER, 53, e);
	expect_kept_out(&w, PEER, 99, e, DROP_FILTERED_APDF);
	expect_kept_out(&w, OTHER_PEER, 53, e, DROP_FILTERED_APDF);
	world_close(&w);
}

Test(filtering, t_4787_1_filtering_changes_no_mapping)
{
	struct world w;

	world_open(&w, APDF);
	struct recipe a = open_udp(&w, HOME, 5000, PEER);
	struct recipe b = open_udp(&w, HOME, 5000, OTHER_PEER);
	cr_assert(recipe_eq(a, b));
	world_close(&w);
}

Test(filtering, t_5382_3_tcp_is_filtered_as_well)
{
	struct world w;
	struct frame f;

	world_open(&w, ADF);
	put(&w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 80, TCP_SYN), &f);
	struct recipe e = {f.p.src, f.p.sport};
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 80, e.addr, e.port, TCP_SYN | TCP_ACK), &f);
	expect_in(&f, PEER, 80, HOME, 5000);
	put(&w, OUTSIDE_PORT, tcp_of(OTHER_PEER, 80, e.addr, e.port, TCP_ACK), &f);
	expect_drop(&f, DROP_FILTERED_ADF);
	put(&w, OUTSIDE_PORT, tcp_of(OTHER_PEER, 80, e.addr, e.port, TCP_SYN), &f);
	expect_drop(&f, DROP_UNSOLICITED_SYN);
	world_close(&w);
}

Test(filtering, t_5508_1_echoes_are_filtered_by_address)
{
	struct world w;
	struct frame f;

	world_open(&w, APDF);
	put(&w, INSIDE_PORT, echo_of(HOME, PEER, ICMP_ECHO, 77), &f);
	struct recipe e = {f.p.src, f.p.sport};
	put(&w, OUTSIDE_PORT, echo_of(PEER, e.addr, ICMP_ECHO_REPLY, e.port), &f);
	expect_pass(&f, INSIDE_PORT);
	put(&w, OUTSIDE_PORT, echo_of(OTHER_PEER, e.addr, ICMP_ECHO_REPLY, e.port), &f);
	expect_drop(&f, DROP_FILTERED_APDF);
	world_close(&w);
}

// The inner leg obeys the receiver's filter, with the sender's external endpoint.
static void hairpins_are_filtered(const char *yaml, uint16_t shard)
{
	struct world w;
	struct frame f;

	world_open(&w, yaml);
	ip4 a = world_host(&w, 0, 0), b = world_host(&w, shard, 1);
	struct recipe at_b = open_udp(&w, b, 6000, PEER), at_a = open_udp(&w, a, 5000, PEER);
	put(&w, INSIDE_PORT, udp_of(a, 5000, at_b.addr, at_b.port), &f);
	expect_drop(&f, DROP_FILTERED_APDF);
	put(&w, INSIDE_PORT, udp_of(b, 6000, at_a.addr, at_a.port), &f);
	expect_in(&f, at_b.addr, at_b.port, a, 5000); // a had sent there, if in vain
	put(&w, INSIDE_PORT, udp_of(a, 5000, at_b.addr, at_b.port), &f);
	expect_in(&f, at_a.addr, at_a.port, b, 6000);
	world_close(&w);
}

Test(filtering, t_4787_9_hairpins_are_filtered_by_the_external_source)
{
	hairpins_are_filtered(APDF, 0);
}

Test(filtering, t_4787_9_hairpins_are_filtered_across_shards)
{
	hairpins_are_filtered(TWO_SHARDS "    filtering-type: apdf\n", 1);
}

// An error comes from any router, but it must be about something that was sent.
Test(filtering, t_4787_12a_errors_are_not_filtered_by_their_source)
{
	struct world w;
	struct frame out, f;
	struct make forged;
	struct frame quoted;

	world_open(&w, APDF);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &out);
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, 1, &out), &f);
	expect_pass(&f, INSIDE_PORT);
	forged = udp_of(out.p.src, out.p.sport, OTHER_PEER, 53);
	quoted.p.len = (uint16_t)make_packet(quoted.bytes, &forged);
	quoted.p.l3 = quoted.bytes;
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, 1, &quoted), &f);
	expect_drop(&f, DROP_ICMP_NO_MAPPING);
	world_close(&w);
}

Test(filtering, t_5508_4_under_eif_any_error_about_a_mapping_passes)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &out);
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, 1, &out), &f);
	expect_pass(&f, INSIDE_PORT);
	world_close(&w);
}

Test(filtering, t_4787_11_a_reload_changes_it_for_mappings_that_stand)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	expect_let_in(&w, OTHER_PEER, 53, e);
	world_reload(&w, APDF);
	expect_kept_out(&w, OTHER_PEER, 53, e, DROP_FILTERED_APDF);
	open_udp(&w, HOME, 5000, PEER);
	expect_let_in(&w, PEER, 53, e);
	world_reload(&w, ONE_SHARD);
	expect_let_in(&w, OTHER_PEER, 53, e);
	world_close(&w);
}
