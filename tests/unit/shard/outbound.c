// SPDX-License-Identifier: Apache-2.0
// From inside: translation, hairpins, refusals.
#include "check.h"

// ---- translation -----------------------------------------------------------------------------

Test(outbound, t_4787_1_two_peers_see_one_external_endpoint)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct recipe a = open_udp(&w, HOME, 5000, PEER);
	struct recipe b = open_udp(&w, HOME, 5000, OTHER_PEER);
	cr_assert(recipe_eq(a, b));
	cr_assert(a.addr == 0xcb007104 || a.addr == 0xcb007105);
	cr_assert_geq(a.port, 1024);
	world_close(&w);
}

Test(outbound, t_5382_1_tcp_too_keeps_one_external_endpoint)
{
	struct world w;
	struct frame a, b;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 80, TCP_SYN), &a);
	put(&w, INSIDE_PORT, tcp_of(HOME, 5000, OTHER_PEER, 443, TCP_SYN), &b);
	expect_pass(&a, OUTSIDE_PORT);
	expect_pass(&b, OUTSIDE_PORT);
	cr_assert(a.p.src == b.p.src && a.p.sport == b.p.sport);
	world_close(&w);
}

Test(outbound, t_4787_2_all_flows_of_a_subscriber_share_an_address)
{
	struct world w;
	struct frame udp, tcp, echo;

	world_open(&w, ONE_SHARD);
	for (uint16_t i = 0; i < 200; i++) { // more than a block of 64
		put(&w, INSIDE_PORT, udp_of(HOME, (uint16_t)(3000 + i), PEER, 53), &udp);
		put(&w, INSIDE_PORT, tcp_of(HOME, (uint16_t)(3000 + i), PEER, 80, TCP_SYN), &tcp);
		put(&w, INSIDE_PORT, echo_of(HOME, PEER, ICMP_ECHO, i), &echo);
		expect_pass(&udp, OUTSIDE_PORT);
		expect_pass(&tcp, OUTSIDE_PORT);
		expect_pass(&echo, OUTSIDE_PORT);
		cr_assert(udp.p.src == tcp.p.src && tcp.p.src == echo.p.src);
	}
	world_close(&w);
}

Test(outbound, a_packet_leaves_by_the_gateway_with_its_ttl_lowered_by_one)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &f);
	expect_pass(&f, OUTSIDE_PORT);
	cr_assert_eq(f.p.via, UPSTREAM);
	cr_assert_eq(f.p.l3[8], 63);
	cr_assert(f.p.dst == PEER && f.p.dport == 53);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, ROUTER, 53), &f); // on the link itself
	expect_pass(&f, OUTSIDE_PORT);
	cr_assert_eq(f.p.via, ROUTER);
	world_close(&w);
}

Test(outbound, one_burst_of_one_flow_makes_one_mapping)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	uint8_t packet[MAKE_MAX];
	size_t len = make_packet(packet, &m);

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < SHARD_BURST; i++)
		world_feed(&w, INSIDE_PORT, packet, len, 0);
	world_flush(&w);
	cr_assert_eq(w.verdicts[0][VERDICT_PASS], SHARD_BURST);
	cr_assert_eq(WORLD_NAT(&w, mappings), 1);
	cr_assert_eq(WORLD_COUNT(&w, translated_out), SHARD_BURST);
	world_close(&w);
}

// ---- refusals --------------------------------------------------------------------------------

Test(outbound, a_source_of_no_group_is_refused_by_policy)
{
	struct world w;
	struct make m = udp_of(STRANGER, 5000, PEER, 53);
	struct frame f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_PROHIBITED);
	cr_assert_eq(world_drops(&w, DROP_NO_POLICY), 1);
	cr_assert_eq(WORLD_NAT(&w, subscribers), 0);
	world_close(&w);
}

Test(outbound, inside_to_inside_is_dropped)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, NEIGHBOR, 53), &f);
	expect_drop(&f, DROP_INSIDE_TO_INSIDE);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_close(&w);
}

Test(outbound, the_last_hop_is_told_by_the_inside_address)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 33434);
	struct frame f;

	world_open(&w, ONE_SHARD);
	m.ttl = 1;
	put(&w, INSIDE_PORT, m, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_TIME_EXCEEDED, 0);
	cr_assert_eq(f.p.via, HOME);
	cr_assert_eq(world_drops(&w, DROP_TTL), 1);
	m.ttl = 2;
	put(&w, INSIDE_PORT, m, &f);
	expect_pass(&f, OUTSIDE_PORT);
	cr_assert_eq(f.p.l3[8], 1);
	world_close(&w);
}

Test(outbound, nothing_is_told_about_an_icmp_error)
{
	struct world w;
	struct frame in, f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &in);
	struct make m = error_of(HOME, PEER, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, &in);
	m.ttl = 1;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_TTL);
	world_close(&w);
}

Test(outbound, no_route_is_told)
{
	static const char yaml[] =
		"ports:\n"
		"  inside: { device: a, addresses: [100.64.0.1/10] }\n"
		"  outside: { device: b, addresses: [192.0.2.2/24] }\n" LIMITS GROUP;
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, yaml);
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE);
	world_close(&w);
}

Test(outbound, foreign_protocols_are_counted)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, ONE_SHARD);
	m.protocol = 47; // GRE
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_PROTOCOL);
	world_close(&w);
}

Test(outbound, t_6888_1d_dccp_is_dropped_and_counted)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, NEIGHBOR, 5000, PEER);
	m.protocol = 33;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_PROTOCOL);
	cr_assert_eq(world_drops(&w, DROP_PROTOCOL), 1);
	m.dst = e.addr; // hairpinned
	m.dport = e.port;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_PROTOCOL);
	cr_assert_eq(world_drops(&w, DROP_PROTOCOL), 2);
	cr_assert_eq(WORLD_NAT(&w, mappings), 1);
	world_close(&w);
}

#define SMALL_INSIDE                                                                               \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/24, 100.64.9.8/31], routes: [{to: "         \
	"100.64.0.0/16, via: 100.64.0.2}] }\n"                                                     \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n" LIMITS GROUP

Test(outbound, a_source_that_no_host_can_have_makes_nothing)
{
	static const struct {
		ip4 src;
		bool host;
	} cases[] = {
		{GATEWAY, false},    // ours
		{0x64400000, false}, // the subnet's own
		{0x644000ff, false}, // its broadcast address
		{0x644000fe, true},  // its last host
		{0x64400100, true},  // behind the router
		{0x644001ff, true},  // behind the router
		{0x64400908, false}, // ours
		{0x64400909, true},  // RFC 3021: both are hosts
	};
	struct world w;
	struct frame f;

	world_open(&w, SMALL_INSIDE);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put(&w, INSIDE_PORT, udp_of(cases[i].src, 5000, PEER, 53), &f);
		if (cases[i].host) {
			expect_pass(&f, OUTSIDE_PORT);
			continue;
		}
		expect_drop(&f, DROP_SPOOFED);
		put(&w, INSIDE_PORT, udp_of(cases[i].src, 5000, e.addr, e.port), &f);
		expect_drop(&f, DROP_SPOOFED);
	}
	cr_assert_eq(WORLD_NAT(&w, subscribers), 5);
	world_close(&w);
}

// ---- MTU -------------------------------------------------------------------------------------

#define NARROW_OUTSIDE                                                                             \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/10] }\n"                                    \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1, mtu: 1280 "        \
	"}\n" LIMITS GROUP

Test(outbound, t_4787_13_too_big_a_packet_is_told_the_mtu_in_inside_terms)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, NARROW_OUTSIDE);
	m.fragment = IP4_DF;
	m.payload_len = 1281 - 28;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	cr_assert_eq(f.p.l3[26] << 8 | f.p.l3[27], 1280);
	cr_assert_eq(world_drops(&w, DROP_MTU_DF), 1);
	m.payload_len = 1280 - 28;
	put(&w, INSIDE_PORT, m, &f);
	expect_pass(&f, OUTSIDE_PORT);
	world_close(&w);
}

// The pieces that left unasked since *n_sent: at most `mtu` octets each, in order, all of one
// datagram.
static void expect_pieces(struct world *w, unsigned n_sent, uint16_t out, uint16_t mtu, ip4 src)
{
	size_t at = 0;

	cr_assert_geq(w->n_sent, n_sent + 2);
	for (unsigned i = n_sent; i < w->n_sent; i++) {
		const struct frame *f = &w->sent[i % w->n_kept];
		const struct ip4_wire *ip = (const void *)f->p.l3;
		uint16_t field = be16_get(ip->fragment);

		cr_assert_eq(f->out, out);
		cr_assert_leq(f->p.len, mtu);
		cr_assert_eq(be32_get(ip->src), src);
		cr_assert_eq((field & IP4_OFFSET) * 8u, at);
		cr_assert_eq((field & IP4_MF) != 0, i + 1 < w->n_sent);
		cr_assert_eq(ip->ttl, 63);
		cr_assert_eq(be16_get(ip->id),
			be16_get(((const struct ip4_wire *)(const void *)w->sent[n_sent % w->n_kept]
					  .p.l3)
					 ->id));
		at += f->p.len - 20u;
	}
}

Test(outbound, t_4787_13a_too_big_a_packet_without_df_leaves_in_pieces)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, NARROW_OUTSIDE);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	unsigned before = w.n_sent;
	m.payload_len = 1400;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_NONE);
	expect_pieces(&w, before, OUTSIDE_PORT, 1280, e.addr);
	cr_assert_eq(WORLD_COUNT(&w, fragments_sent), 2);
	cr_assert_eq(world_drops(&w, DROP_MTU_DF), 0);
	world_close(&w);
}

// ---- exhaustion ------------------------------------------------------------------------------

// One address with sixteen ports: four blocks of four.
#define TINY                                                                                       \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes:\n"                                                                  \
		     "    subscribers: [100.64.0.0/16]\n"                                          \
		     "    external-address-pool: [203.0.113.4]\n"                                  \
		     "    port-range: [2048, 2063]\n"                                              \
		     "    port-set-size: 4\n"

Test(outbound, t_6888_11b_exhaustion_is_told_as_host_unreachable)
{
	struct world w;
	struct make m = udp_of(HOME, 0, PEER, 53);
	struct frame f;

	world_open(&w, TINY);
	for (uint16_t i = 0; i < 16; i++)
		open_udp(&w, HOME, (uint16_t)(5000 + i), PEER);
	m.sport = 5016;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
	m.src = NEIGHBOR;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
	cr_assert_eq(world_drops(&w, DROP_POOL_NO_ADDRESS), 1);
	world_close(&w);
}

Test(outbound, t_6888_11d_exhaustion_ends_no_live_mapping)
{
	struct world w;
	struct recipe before[16], after;
	struct frame f;

	world_open(&w, TINY);
	for (uint16_t i = 0; i < 16; i++)
		before[i] = open_udp(&w, HOME, (uint16_t)(5000 + i), PEER);
	for (uint16_t i = 0; i < 100; i++)
		put(&w, INSIDE_PORT, udp_of(NEIGHBOR, (uint16_t)(6000 + i), PEER, 53), &f);
	for (uint16_t i = 0; i < 16; i++) {
		after = open_udp(&w, HOME, (uint16_t)(5000 + i), PEER);
		cr_assert(recipe_eq(before[i], after));
		for (uint16_t j = 0; j < i; j++)
			cr_assert(!recipe_eq(before[i], before[j]));
	}
	world_close(&w);
}

Test(outbound, a_quota_is_told_as_host_unreachable)
{
	static const char yaml[] = ONE_SHARD "    port-limit: 3\n";
	struct world w;
	struct make m = udp_of(HOME, 5003, PEER, 53);
	struct frame f;

	world_open(&w, yaml);
	for (uint16_t i = 0; i < 3; i++)
		open_udp(&w, HOME, (uint16_t)(5000 + i), PEER);
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
	open_udp(&w, NEIGHBOR, 5003, PEER);
	world_close(&w);
}

// ---- rates -----------------------------------------------------------------------------------

Test(outbound, new_subscribers_beyond_the_rate_wait_while_known_ones_go_on)
{
	static const char yaml[] = PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000,"
					 " external-addresses: 2, new-subscriber-rate: 10, "
					 "new-subscriber-burst: 5 }\n" GROUP;
	struct world w;
	struct frame f;
	uint8_t passed = 0;

	world_open(&w, yaml);
	for (uint32_t i = 0; i < 100; i++) {
		put(&w, INSIDE_PORT, udp_of(HOME + i, 5000, PEER, 53), &f);
		passed = (uint8_t)(passed + (f.verdict == VERDICT_PASS));
		if (f.verdict != VERDICT_PASS)
			expect_drop(&f, DROP_SUBSCRIBER_RATE);
	}
	cr_assert_eq(passed, 5);
	open_udp(&w, HOME, 5001, PEER);
	w.now += NS_PER_S / 10;
	put(&w, INSIDE_PORT, udp_of(HOME + 50, 5000, PEER, 53), &f);
	expect_pass(&f, OUTSIDE_PORT);
	put(&w, INSIDE_PORT, udp_of(HOME + 51, 5000, PEER, 53), &f);
	expect_drop(&f, DROP_SUBSCRIBER_RATE);
	world_close(&w);
}

// ---- hairpins --------------------------------------------------------------------------------

static void hairpin(struct world *w, ip4 from, ip4 to)
{
	struct frame f;
	struct recipe a, b = open_udp(w, to, 6000, PEER);

	put(w, INSIDE_PORT, udp_of(from, 5000, b.addr, b.port), &f);
	a = open_udp(w, from, 5000, PEER); // what the Internet sees of him
	expect_in(&f, a.addr, a.port, to, 6000);
	cr_assert_eq(f.p.via, to);
	cr_assert_eq(f.p.l3[8], 63, "one hop, not two");
	put(w, INSIDE_PORT, udp_of(to, 6000, a.addr, a.port), &f);
	expect_in(&f, b.addr, b.port, from, 5000);
}

Test(outbound, t_4787_9_a_subscriber_reaches_another_by_his_external_endpoint)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	hairpin(&w, HOME, NEIGHBOR);
	cr_assert_eq(WORLD_COUNT(&w, hairpinned), 2);
	world_close(&w);
}

Test(outbound, t_4787_9a_across_shards_the_external_source_is_seen_too)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	hairpin(&w, world_host(&w, 0, 0), world_host(&w, 1, 0));
	cr_assert_eq(w.verdicts[0][VERDICT_HANDOFF], 1);
	cr_assert_eq(w.verdicts[1][VERDICT_HANDOFF], 1);
	hairpin(&w, world_host(&w, 0, 1), world_host(&w, 0, 2));
	cr_assert_eq(w.verdicts[0][VERDICT_HANDOFF], 1);
	world_close(&w);
}

Test(outbound, a_subscriber_reaches_himself)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, e.addr, e.port), &f);
	expect_in(&f, e.addr, e.port, HOME, 5000);
	world_close(&w);
}

Test(outbound, t_5382_8_tcp_hairpins)
{
	struct world w;
	struct frame a, f;

	world_open(&w, TWO_SHARDS);
	ip4 from = world_host(&w, 0, 0), to = world_host(&w, 1, 0);
	put(&w, INSIDE_PORT, tcp_of(to, 80, PEER, 80, TCP_SYN), &a);
	expect_pass(&a, OUTSIDE_PORT);
	put(&w, INSIDE_PORT, tcp_of(from, 5000, a.p.src, a.p.sport, TCP_SYN), &f);
	expect_pass(&f, INSIDE_PORT);
	cr_assert(f.p.dst == to && f.p.dport == 80);
	put(&w, INSIDE_PORT, tcp_of(from, 5000, PEER, 80, TCP_SYN), &a);
	expect_pass(&a, OUTSIDE_PORT); // what the Internet sees of him
	cr_assert(f.p.src == a.p.src && f.p.sport == a.p.sport);
	cr_assert_eq(f.p.src, world_external(&w, 0));
	world_close(&w);
}

// An identifier is one number for both ends: the two external ones must be equal.
Test(outbound, t_7857_12_echo_hairpins)
{
	static const char yaml[] =
		TWO_SHARDS "    static-mappings:\n"
			   "      - { protocol: icmp, internal: \"100.64.0.10:5\","
			   " external: \"203.0.113.4:700\" }\n"
			   "      - { protocol: icmp, internal: \"100.64.0.21:6\","
			   " external: \"203.0.113.5:700\" }\n";
	struct world w;
	struct frame f;

	world_open(&w, yaml);
	put(&w, INSIDE_PORT, echo_of(HOME, 0xcb007105, ICMP_ECHO, 5), &f);
	expect_in(&f, 0xcb007104, 6, HOME + 11, 6);
	put(&w, INSIDE_PORT, echo_of(HOME + 11, 0xcb007104, ICMP_ECHO_REPLY, 6), &f);
	expect_in(&f, 0xcb007105, 5, HOME, 5);
	world_close(&w);
}

Test(outbound, an_unmapped_port_of_the_pool_is_a_black_hole_from_inside_too)
{
	struct world w;
	struct frame f;

	world_open(&w, TWO_SHARDS);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, 0xcb007104, 2000), &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, 0xcb007105, 2000), &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

Test(outbound, a_hairpin_with_a_ttl_of_one_ends_here)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, NEIGHBOR, 6000, PEER);
	struct make m = udp_of(HOME, 5000, e.addr, e.port);
	m.ttl = 1;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_TIME_EXCEEDED, 0);
	world_close(&w);
}

// Two inside interfaces, the second narrow. What is too big for it is told to the sender with the
// packet as he wrote it, though his source had been translated already.
#define TWO_WIDTHS                                                                                 \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/10] }\n"                                    \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"                \
	"  inside2: { device: c, addresses: [100.64.0.1/10], mtu: 1280 }\n" LIMITS GROUP

static void too_big_hairpin(const char *yaml, uint16_t from_shard, uint16_t to_shard)
{
	struct world w;
	struct frame f;
	struct recipe e;

	world_open(&w, yaml);
	ip4 from = world_host(&w, from_shard, 0), to = world_host(&w, to_shard, 1);
	put(&w, 2, udp_of(to, 6000, PEER, 53), &f);
	expect_pass(&f, OUTSIDE_PORT);
	e = (struct recipe){f.p.src, f.p.sport};
	struct make m = udp_of(from, 5000, e.addr, e.port);
	m.fragment = IP4_DF;
	m.payload_len = 1400;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	cr_assert_eq(f.p.l3[26] << 8 | f.p.l3[27], 1280);
	unsigned before = w.n_sent;
	m.fragment = 0;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_NONE);
	expect_pieces(&w, before, 2, 1280,
		be32_get(((const struct ip4_wire *)(const void *)w.sent[before % w.n_kept].p.l3)
				 ->src));
	m.payload_len = 100;
	put(&w, INSIDE_PORT, m, &f);
	expect_pass(&f, 2);
	world_close(&w);
}

Test(outbound, a_hairpin_too_big_for_its_second_leg_is_told)
{
	too_big_hairpin(TWO_WIDTHS, 0, 0);
}

Test(outbound, a_hairpin_too_big_is_told_across_shards)
{
	too_big_hairpin("workers: 2\n" TWO_WIDTHS, 0, 1);
}

// ---- forged sources --------------------------------------------------------------------------

Test(outbound, nobody_inside_has_an_address_of_ours)
{
	static const ip4 ours[] = {GATEWAY, EDGE, SERVER, 0xcb007104};
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < ARRAY_SIZE(ours); i++) {
		put(&w, INSIDE_PORT, udp_of(ours[i], 5000, PEER, 53), &f);
		expect_drop(&f, DROP_SPOOFED);
		put(&w, INSIDE_PORT, echo_of(ours[i], GATEWAY, ICMP_ECHO, 1), &f);
		expect_drop(&f, DROP_SPOOFED);
	}
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_close(&w);
}
