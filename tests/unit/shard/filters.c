// SPDX-License-Identifier: Apache-2.0
// FILTER (RFC 6887 s.13.3), enforced on every packet that comes in.
#include "ask.h"
#include "check.h"

static struct recipe open_filtered(struct world *w, struct pcp_filter filter)
{
	struct ask a = {.m = ask_of(HOME, IP_UDP, 8080, 3600), .n_filters = 1};
	struct pcp_message m;

	a.filters[0] = filter;
	m = ask_with(w, SERVER, &a);
	cr_assert_eq(m.result, PCP_SUCCESS);
	return ask_granted(&m);
}

Test(filters, rfc6887_s13_3_only_the_remote_peers_that_were_named_come_in)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_filtered(&w, ask_filter(PEER, 32, 443));
	put(&w, OUTSIDE_PORT, udp_of(PEER, 443, e.addr, e.port), &f);
	expect_in(&f, PEER, 443, HOME, 8080);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 444, e.addr, e.port), &f);
	expect_drop(&f, DROP_PCP_FILTER);
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 443, e.addr, e.port), &f);
	expect_drop(&f, DROP_PCP_FILTER);
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_sent), 0, "whoever knocks learns nothing");
	put(&w, OUTSIDE_PORT, udp_of(PEER, 443, e.addr, e.port + 1), &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

Test(filters, a_burst_is_judged_packet_by_packet)
{
	struct world w;
	uint8_t packet[MAKE_MAX];

	world_open(&w, ONE_SHARD);
	struct recipe e = open_filtered(&w, ask_filter(PEER, 32, 0));
	w.deliver = NULL;
	for (unsigned i = 0; i < SHARD_BURST; i++) {
		struct make m = udp_of(i % 3 == 0 ? OTHER_PEER : PEER, 53, e.addr, e.port);

		world_feed(&w, OUTSIDE_PORT, packet, make_packet(packet, &m), 0);
	}
	world_flush(&w);
	cr_assert_eq(world_drops(&w, DROP_PCP_FILTER), 11);
	cr_assert_eq(WORLD_COUNT(&w, translated_in), SHARD_BURST - 11);
	world_close(&w);
}

// A hairpinned packet comes from its source's external endpoint: that is what a FILTER must name.
Test(filters, hairpins_are_judged_by_the_external_source)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe friend = open_udp(&w, NEIGHBOR, 5000, PEER);
	struct recipe e = open_filtered(&w, ask_filter(friend.addr, 32, friend.port));
	put(&w, INSIDE_PORT, udp_of(NEIGHBOR, 5000, e.addr, e.port), &f);
	expect_in(&f, friend.addr, friend.port, HOME, 8080);
	put(&w, INSIDE_PORT, udp_of(NEIGHBOR, 5001, e.addr, e.port), &f);
	expect_drop(&f, DROP_PCP_FILTER);
	put(&w, OUTSIDE_PORT, udp_of(NEIGHBOR, 5000, e.addr, e.port), &f);
	expect_drop(&f, DROP_PCP_FILTER);
	world_close(&w);
}

Test(filters, icmp_errors_about_the_mapping_pass)
{
	struct world w;
	struct frame f, sent;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_filtered(&w, ask_filter(PEER, 32, 0));
	put(&w, INSIDE_PORT, udp_of(HOME, 8080, OTHER_PEER, 99), &sent);
	expect_pass(&sent, OUTSIDE_PORT);
	cr_assert(sent.p.src == e.addr && sent.p.sport == e.port);
	put(&w, OUTSIDE_PORT,
		error_of(UPSTREAM, e.addr, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, &sent), &f);
	expect_pass(&f, INSIDE_PORT);
	cr_assert_eq(f.p.dst, HOME);
	world_close(&w);
}

Test(filters, rfc6887_s13_3_a_prefix_of_zero_clears_them)
{
	struct world w;
	struct frame f;
	struct ask a = {.m = ask_of(HOME, IP_UDP, 8080, 3600), .n_filters = 1};

	world_open(&w, ONE_SHARD);
	struct recipe e = open_filtered(&w, ask_filter(PEER, 32, 0));
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 1, e.addr, e.port), &f);
	expect_drop(&f, DROP_PCP_FILTER);
	a.filters[0] = (struct pcp_filter){.prefix = 0};
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 1, e.addr, e.port), &f);
	expect_in(&f, OTHER_PEER, 1, HOME, 8080);
	world_close(&w);
}

// The remote peer of a PEER lease on the same port passes (s.12.3 opened that flow).
Test(filters, the_peer_of_a_peer_lease_passes)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_filtered(&w, ask_filter(PEER, 32, 0));
	struct ask a = ask_peer(HOME, IP_UDP, 8080, OTHER_PEER, 700);
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 700, e.addr, e.port), &f);
	expect_in(&f, OTHER_PEER, 700, HOME, 8080);
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 701, e.addr, e.port), &f);
	expect_drop(&f, DROP_PCP_FILTER);
	world_close(&w);
}
