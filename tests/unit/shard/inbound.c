// SPDX-License-Identifier: Apache-2.0
// From outside: what has a mapping comes in, everything else goes nowhere.
#include <stdio.h>

#include "check.h"

Test(inbound, an_answer_finds_its_subscriber)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
	expect_in(&f, PEER, 53, HOME, 5000);
	cr_assert_eq(f.p.via, HOME);
	cr_assert_eq(f.p.l3[8], 63);
	world_close(&w);
}

Test(inbound, t_4787_8_anybody_may_answer)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 9, e.addr, e.port), &f);
	expect_in(&f, OTHER_PEER, 9, HOME, 5000);
	world_close(&w);
}

Test(inbound, t_7857_6_a_mapping_lets_in_its_own_protocol_alone)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 53, e.addr, e.port, TCP_SYN), &f);
	expect_drop(&f, DROP_UNSOLICITED_SYN);
	put(&w, OUTSIDE_PORT, echo_of(PEER, e.addr, ICMP_ECHO, e.port), &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

Test(inbound, t_5508_1_an_echo_comes_back)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, echo_of(HOME, PEER, ICMP_ECHO, 77), &out);
	expect_pass(&out, OUTSIDE_PORT);
	put(&w, OUTSIDE_PORT, echo_of(PEER, out.p.src, ICMP_ECHO_REPLY, out.p.sport), &f);
	expect_in(&f, PEER, 77, HOME, 77);
	world_close(&w);
}

Test(inbound, an_unmapped_port_is_a_black_hole)
{
	struct world w;
	struct frame f;

	world_open(&w, TWO_SHARDS);
	for (uint32_t port = 1; port < 65536; port += 997) {
		put(&w, OUTSIDE_PORT, udp_of(PEER, 53, 0xcb007104, (uint16_t)port), &f);
		expect_drop(&f, DROP_NO_MAPPING_INBOUND);
		put(&w, OUTSIDE_PORT, tcp_of(PEER, 53, 0xcb007105, (uint16_t)port, TCP_SYN), &f);
		expect_drop(&f, DROP_UNSOLICITED_SYN);
		put(&w, OUTSIDE_PORT, tcp_of(PEER, 53, 0xcb007105, (uint16_t)port, TCP_ACK), &f);
		expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	}
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_sent), 0);
	world_close(&w);
}

Test(inbound, what_is_not_ours_is_not_forwarded)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, 0xcb007106, 5000), &f); // next to the pool
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, HOME, 5000), &f); // straight inside
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, OTHER_PEER, 5000), &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	world_close(&w);
}

Test(inbound, foreign_protocols_are_counted)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct make m = udp_of(PEER, 53, e.addr, e.port);
	m.protocol = 47;
	put(&w, OUTSIDE_PORT, m, &f);
	expect_drop(&f, DROP_PROTOCOL);
	world_close(&w);
}

Test(inbound, t_6888_1d_dccp_is_dropped_and_counted)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct make m = udp_of(PEER, 53, e.addr, e.port);
	m.protocol = 33;
	for (unsigned i = 1; i <= 3; i++) {
		put(&w, OUTSIDE_PORT, m, &f);
		expect_drop(&f, DROP_PROTOCOL);
		cr_assert_eq(world_drops(&w, DROP_PROTOCOL), i);
	}
	world_close(&w);
}

Test(inbound, the_last_hop_is_told_by_the_outside_address)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct make m = udp_of(PEER, 53, e.addr, e.port);
	m.ttl = 1;
	put(&w, OUTSIDE_PORT, m, &f);
	expect_error(&f, OUTSIDE_PORT, EDGE, &m, ICMP_TIME_EXCEEDED, 0);
	cr_assert_eq(f.p.via, UPSTREAM);
	world_close(&w);
}

Test(inbound, too_big_for_the_inside_link_is_told_in_outside_terms)
{
	static const char yaml[] =
		"ports:\n"
		"  inside: { device: a, addresses: [100.64.0.1/10], mtu: 1280 }\n"
		"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n" LIMITS
			GROUP;
	struct world w;
	struct frame f;

	world_open(&w, yaml);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct make m = udp_of(PEER, 53, e.addr, e.port);
	m.fragment = IP4_DF;
	m.payload_len = 1300;
	put(&w, OUTSIDE_PORT, m, &f);
	expect_error(&f, OUTSIDE_PORT, EDGE, &m, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	cr_assert_eq(f.p.l3[26] << 8 | f.p.l3[27], 1280);
	world_close(&w);
}

Test(inbound, t_4787_5_an_idle_mapping_is_gone_after_its_time_and_not_before)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct make m = udp_of(PEER, 53, e.addr, e.port);
	put(&w, OUTSIDE_PORT, m, &f);
	expect_pass(&f, INSIDE_PORT);
	world_pass(&w, 300);
	put(&w, OUTSIDE_PORT, m, &f);
	expect_pass(&f, INSIDE_PORT);
	world_pass(&w, 17); // late by at most 10 s and 2 %
	put(&w, OUTSIDE_PORT, m, &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

Test(inbound, t_4787_6_packets_from_outside_keep_nothing_alive)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	for (unsigned i = 0; i < 33; i++) {
		put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
		world_pass(&w, 10);
	}
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

// ---- small pools and static mappings ---------------------------------------------------------

#define ONE_ADDRESS                                                                                \
	"workers: 2\n" PORTS LIMITS "nat-groups:\n"                                                \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4]\n"                                               \
	"    port-set-size: 64\n"

Test(inbound, one_address_serves_two_shards)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_ADDRESS);
	for (uint16_t shard = 0; shard < 2; shard++) {
		for (unsigned i = 0; i < 40; i++) {
			ip4 host = world_host(&w, shard, i);
			struct recipe e = open_udp(&w, host, 5000, PEER);
			cr_assert_eq(e.addr, 0xcb007104);
			cr_assert_eq(world_owner(&w, NAT_UDP, e), shard);
			put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
			expect_in(&f, PEER, 53, host, 5000);
			cr_assert_eq(f.shard, shard);
		}
	}
	world_close(&w);
}

// A static mapping for a host of either shard, on either address: it is held where its subscriber
// is, and reached although the deal names another.
static void static_works(const char *yaml, unsigned nth, uint16_t port, ip4 external)
{
	char text[4000], host_text[IP4_TEXT], external_text[IP4_TEXT];
	struct world w;
	struct frame f;

	for (uint16_t shard = 0; shard < 2; shard++) {
		world_open(&w, yaml);
		ip4 host = world_host(&w, shard, nth);
		snprintf(text, sizeof text,
			"%s    static-mappings:\n"
			"      - { protocol: tcp, internal: \"%s:80\", external: \"%s:%u\" }\n",
			yaml, ip4_format(host, host_text), ip4_format(external, external_text),
			port);
		world_reload(&w, text);
		cr_assert_eq(WORLD_COUNT(&w, statics_failed), 0);
		put(&w, OUTSIDE_PORT, tcp_of(PEER, 999, external, port, TCP_SYN), &f);
		expect_in(&f, PEER, 999, host, 80);
		put(&w, INSIDE_PORT, tcp_of(host, 80, PEER, 999, TCP_SYN | TCP_ACK), &f);
		expect_pass(&f, OUTSIDE_PORT);
		cr_assert(f.p.src == external && f.p.sport == port);
		put(&w, INSIDE_PORT, tcp_of(world_host(&w, 0, 9), 5, external, port, TCP_SYN), &f);
		expect_pass(&f, INSIDE_PORT);
		cr_assert(f.p.dst == host && f.p.dport == 80);
		world_close(&w);
	}
}

Test(inbound, a_static_mapping_works_whoever_was_dealt_its_address)
{
	static_works(TWO_SHARDS, 0, 22, 0xcb007104);
	static_works(TWO_SHARDS, 0, 22, 0xcb007105);
	static_works(TWO_SHARDS, 1, 30000, 0xcb007104);
	static_works(TWO_SHARDS, 1, 30000, 0xcb007105);
}

Test(inbound, a_static_mapping_works_on_a_cut_address)
{
	static_works(ONE_ADDRESS, 0, 22, 0xcb007104);
	static_works(ONE_ADDRESS, 1, 2000, 0xcb007104);
	static_works(ONE_ADDRESS, 2, 65000, 0xcb007104);
}

// ---- forged sources --------------------------------------------------------------------------

Test(inbound, nobody_outside_has_an_address_of_ours)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(0xcb007104, 53, e.addr, e.port), &f); // of the pool
	expect_drop(&f, DROP_SPOOFED);
	put(&w, OUTSIDE_PORT, udp_of(EDGE, 53, e.addr, e.port), &f);
	expect_drop(&f, DROP_SPOOFED);
	put(&w, OUTSIDE_PORT, echo_of(EDGE, EDGE, ICMP_ECHO, 1), &f);
	expect_drop(&f, DROP_SPOOFED);
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_sent), 0);
	world_close(&w);
}
