// SPDX-License-Identifier: Apache-2.0
// Our own addresses: ping, and polite refusal.
#include "check.h"

static void answers_ping(struct world *w, uint16_t iface, ip4 from, ip4 to)
{
	struct make m = echo_of(from, to, ICMP_ECHO, 321);
	struct frame f;

	m.ttl = 1; // for us, not through us
	m.payload_len = 56;
	put(w, iface, m, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	cr_assert_eq(f.out, iface);
	expect_between(&f.p, to, from);
	cr_assert_eq(f.p.kind, PKT_ECHO);
	cr_assert_eq(f.p.l3[f.p.l4_at], ICMP_ECHO_REPLY);
	cr_assert_eq(f.p.sport, 321);
	cr_assert_eq(f.p.len, 20 + 8 + 56);
	cr_assert_eq(f.p.l3[8], 64);
}

Test(local, our_own_addresses_answer_ping)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	answers_ping(&w, INSIDE_PORT, HOME, GATEWAY);
	answers_ping(&w, INSIDE_PORT, HOME, SERVER);
	answers_ping(&w, INSIDE_PORT, HOME, EDGE);
	answers_ping(&w, OUTSIDE_PORT, PEER, EDGE);
	answers_ping(&w, INSIDE_PORT, STRANGER, GATEWAY);
	cr_assert_eq(WORLD_COUNT(&w, echo_replies), 5);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_close(&w);
}

Test(local, inside_addresses_are_nobody_to_the_outside)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	put(&w, OUTSIDE_PORT, echo_of(PEER, GATEWAY, ICMP_ECHO, 1), &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	put(&w, OUTSIDE_PORT, echo_of(PEER, SERVER, ICMP_ECHO, 1), &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	world_close(&w);
}

Test(local, an_echo_reply_to_us_is_no_question)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, echo_of(HOME, GATEWAY, ICMP_ECHO_REPLY, 1), &f);
	expect_drop(&f, DROP_LOCAL_PROTOCOL);
	world_close(&w);
}

static void refuses(struct world *w, uint16_t iface, struct make m, ip4 from)
{
	struct frame f;

	put(w, iface, m, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	expect_error(&f, iface, from, &m, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE);
}

Test(local, closed_ports_of_ours_are_unreachable)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	refuses(&w, INSIDE_PORT, udp_of(HOME, 5000, GATEWAY, 53), GATEWAY);
	refuses(&w, INSIDE_PORT, udp_of(HOME, 5000, SERVER, 5350), GATEWAY);
	refuses(&w, INSIDE_PORT, tcp_of(HOME, 5000, GATEWAY, 80, TCP_SYN), GATEWAY);
	refuses(&w, OUTSIDE_PORT, udp_of(PEER, 5000, EDGE, 53), EDGE);
	refuses(&w, OUTSIDE_PORT, tcp_of(PEER, 5000, EDGE, 22, TCP_SYN), EDGE);
	cr_assert_eq(world_drops(&w, DROP_LOCAL_PROTOCOL), 5);
	world_close(&w);
}

Test(local, what_else_comes_to_us_is_dropped_in_silence)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct make m = udp_of(HOME, 1, GATEWAY, 1);
	m.protocol = 89; // OSPF
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_LOCAL_PROTOCOL);
	m.protocol = IP_UDP;
	m.fragment = 100;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_FRAGMENT);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &f);
	put(&w, INSIDE_PORT, error_of(HOME, GATEWAY, ICMP_UNREACHABLE, 3, &f), &f);
	expect_drop(&f, DROP_LOCAL_PROTOCOL);
	world_close(&w);
}

// Between hand-over and arrival a reload may make a pool address one of our own.
Test(local, a_hairpin_to_an_address_of_ours_ends)
{
	struct world w;
	struct make m = udp_of(0xcb007104, 7, EDGE, 9);
	uint8_t packet[MAKE_MAX];
	enum verdict verdict;
	struct pkt p;

	world_open(&w, ONE_SHARD);
	cr_assert_eq(make_parse(&p, packet, make_packet(packet, &m)), DROP_NONE);
	p.iface = INSIDE_PORT;
	p.stage = PKT_HAIRPINNED;
	shard_run(w.shard[0], w.conf, w.now, &p, &verdict, 1, &w.sink);
	cr_assert_eq(verdict, VERDICT_DROP);
	cr_assert_eq(p.drop, DROP_HAIRPIN_LOOP);
	w.put++; // it came past the switch
	w.given[0]++;
	w.verdicts[0][verdict]++;
	world_close(&w);
}
