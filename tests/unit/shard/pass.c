// SPDX-License-Identifier: Apache-2.0
// Destinations whose packets pass untranslated (RFC 6888 REQ-6).
#include "check.h"

#define PASSING                                                                                    \
	ONE_SHARD "    nat-pass-through:\n"                                                        \
		  "      - { prefix: 198.51.100.80/32 }\n"                                         \
		  "      - { prefix: 198.51.100.128/25, protocol: udp, ports: 500 }\n"

#define NAMED 0xc6336481u // 198.51.100.129, passes by its port 500 alone

static void expect_untouched(const struct frame *f, uint16_t out, const struct make *m)
{
	expect_pass(f, out);
	expect_between(&f->p, m->src, m->dst);
	cr_assert_eq(f->p.l3[8], 63);
	cr_assert_eq(f->p.l3[20] << 8 | f->p.l3[21], m->sport);
	cr_assert_eq(f->p.l3[22] << 8 | f->p.l3[23], m->dport);
}

Test(pass, t_6888_6_a_named_destination_sees_the_inside_address_and_answers_it)
{
	struct world w;
	struct make out = udp_of(HOME, 5000, PEER, 53), in = udp_of(PEER, 53, HOME, 5000);
	struct frame f;

	world_open(&w, PASSING);
	put(&w, INSIDE_PORT, out, &f);
	expect_untouched(&f, OUTSIDE_PORT, &out);
	put(&w, OUTSIDE_PORT, in, &f);
	expect_untouched(&f, INSIDE_PORT, &in);
	cr_assert_eq(WORLD_COUNT(&w, passed_through), 2);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_close(&w);
}

Test(pass, t_6888_6_others_are_translated)
{
	struct world w;
	struct frame f;

	world_open(&w, PASSING);
	struct recipe e = open_udp(&w, HOME, 5000, OTHER_PEER);
	cr_assert_neq(e.addr, HOME);
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 53, HOME, 5000), &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	world_close(&w);
}

Test(pass, t_6888_6_an_entry_may_name_protocol_and_port)
{
	struct world w;
	struct make ike = udp_of(HOME, 500, NAMED, 500), dns = udp_of(HOME, 500, NAMED, 53);
	struct make tcp = tcp_of(HOME, 500, NAMED, 500, TCP_SYN);
	struct frame f;

	world_open(&w, PASSING);
	put(&w, INSIDE_PORT, ike, &f);
	expect_untouched(&f, OUTSIDE_PORT, &ike);
	put(&w, INSIDE_PORT, dns, &f);
	cr_assert_neq(f.p.src, HOME);
	put(&w, INSIDE_PORT, tcp, &f);
	cr_assert_neq(f.p.src, HOME);
	put(&w, OUTSIDE_PORT, udp_of(NAMED, 53, HOME, 500), &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	world_close(&w);
}

Test(pass, t_6888_6_protocols_without_ports_pass_too)
{
	struct world w;
	struct make gre = udp_of(HOME, 0, PEER, 0);
	struct frame f;

	world_open(&w, PASSING);
	gre.protocol = 47;
	put(&w, INSIDE_PORT, gre, &f);
	expect_pass(&f, OUTSIDE_PORT);
	expect_between(&f.p, HOME, PEER);
	gre.dst = OTHER_PEER;
	put(&w, INSIDE_PORT, gre, &f);
	expect_drop(&f, DROP_PROTOCOL);
	world_close(&w);
}

Test(pass, t_6888_6_fragments_pass_as_they_are)
{
	struct world w;
	struct make out = udp_of(HOME, 5000, PEER, 53), in = udp_of(PEER, 53, HOME, 5000);
	struct frame f;

	world_open(&w, PASSING);
	out.id = in.id = 4711;
	out.fragment = in.fragment = 100; // a later one, whose first nobody saw
	put(&w, INSIDE_PORT, out, &f);
	expect_pass(&f, OUTSIDE_PORT);
	expect_between(&f.p, HOME, PEER);
	cr_assert_eq(f.p.l3[4] << 8 | f.p.l3[5], 4711);
	put(&w, OUTSIDE_PORT, in, &f);
	expect_pass(&f, INSIDE_PORT);
	world_close(&w);
}

// Where the entry names a port a fragment passes once its first has told it.
Test(pass, t_6888_6_a_fragment_to_a_named_port_waits_for_its_first)
{
	struct world w;
	struct make m = udp_of(HOME, 500, NAMED, 500);
	struct frame f;

	world_open(&w, PASSING);
	m.id = 7;
	m.fragment = IP4_MF;
	put(&w, INSIDE_PORT, m, &f);
	expect_untouched(&f, OUTSIDE_PORT, &m);
	m.fragment = 3; // 24 octets: the first had a header and 16
	put(&w, INSIDE_PORT, m, &f);
	expect_pass(&f, OUTSIDE_PORT);
	expect_between(&f.p, HOME, NAMED);
	world_close(&w);
}

Test(pass, t_6888_6_the_last_hop_and_the_mtu_are_told)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, PASSING);
	m.ttl = 1;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_TIME_EXCEEDED, 0);
	m.ttl = 64;
	m.fragment = IP4_DF;
	m.payload_len = 1480;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	m.fragment = 0;
	unsigned before = w.n_sent;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_NONE);
	cr_assert_eq(w.n_sent, before + 2);
	expect_between(&w.sent[before % w.n_kept].p, HOME, PEER);
	world_close(&w);
}

Test(pass, t_6888_6_errors_about_them_pass_both_ways)
{
	struct world w;
	struct make out = udp_of(HOME, 5000, PEER, 53), in = udp_of(PEER, 53, HOME, 5000);
	struct frame sent, got, f;

	world_open(&w, PASSING);
	put(&w, INSIDE_PORT, out, &sent);
	put(&w, OUTSIDE_PORT, error_of(ROUTER, HOME, ICMP_UNREACHABLE, 1, &sent), &f);
	expect_error(&f, INSIDE_PORT, ROUTER, &out, ICMP_UNREACHABLE, 1);
	put(&w, OUTSIDE_PORT, in, &got);
	put(&w, INSIDE_PORT, error_of(HOME, PEER, ICMP_UNREACHABLE, 3, &got), &f);
	expect_error(&f, OUTSIDE_PORT, HOME, &in, ICMP_UNREACHABLE, 3);
	world_close(&w);
}

// ---- errors about what has no ports ----------------------------------------------------------

enum {
	GRE = 47,
	ESP = 50
};

static struct make other_of(uint8_t protocol, ip4 src, ip4 dst)
{
	struct make m = udp_of(src, 0, dst, 0);

	m.protocol = protocol;
	m.payload_len = 1200;
	return m;
}

static void quote(struct frame *out, const struct make *m)
{
	out->p.len = (uint16_t)make_packet(out->bytes, m);
	out->p.l3 = out->bytes;
}

// Path MTU discovery of tunnels that nobody translates.
static void tell_the_mtu(uint8_t protocol)
{
	struct make out = other_of(protocol, HOME, PEER), in = other_of(protocol, PEER, HOME);
	struct world w;
	struct frame sent, got, f;

	world_open(&w, PASSING);
	put(&w, INSIDE_PORT, out, &sent);
	expect_pass(&sent, OUTSIDE_PORT);
	struct make told = error_of(ROUTER, HOME, ICMP_UNREACHABLE, ICMP_TOO_BIG, &sent);
	told.seq = 1400;
	put(&w, OUTSIDE_PORT, told, &f);
	expect_error(&f, INSIDE_PORT, ROUTER, &out, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	cr_assert_eq(f.p.l3[26] << 8 | f.p.l3[27], 1400);
	cr_assert_eq(
		memcmp(f.p.l3 + f.p.inner.at, sent.p.l3, sent.p.len), 0, "the quote as it was");
	put(&w, OUTSIDE_PORT, in, &got);
	expect_pass(&got, INSIDE_PORT);
	told = error_of(HOME, PEER, ICMP_UNREACHABLE, ICMP_TOO_BIG, &got);
	put(&w, INSIDE_PORT, told, &f);
	expect_error(&f, OUTSIDE_PORT, HOME, &in, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	cr_assert_eq(memcmp(f.p.l3 + f.p.inner.at, got.p.l3, got.p.len), 0);
	cr_assert_eq(WORLD_COUNT(&w, passed_through), 4);
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_translated), 0);
	world_close(&w);
}

Test(pass, t_6888_6_the_mtu_of_esp_and_gre_is_told_both_ways)
{
	tell_the_mtu(ESP);
	tell_the_mtu(GRE);
}

static void expect_kept_out(
	struct world *w, uint16_t iface, ip4 src, ip4 dst, const struct make *about, enum drop why)
{
	struct frame quoted, f;

	quote(&quoted, about);
	put(w, iface, error_of(src, dst, ICMP_UNREACHABLE, ICMP_TOO_BIG, &quoted), &f);
	expect_drop(&f, why);
}

// The quote must be of one that passes, and the error the host's own or for him.
Test(pass, t_6888_6_errors_about_esp_that_does_not_pass_are_dropped)
{
	struct make out = other_of(ESP, HOME, PEER), in = other_of(ESP, PEER, HOME);
	struct make other_out = other_of(ESP, HOME, OTHER_PEER);
	struct make other_in = other_of(ESP, OTHER_PEER, HOME);
	struct make named = other_of(ESP, HOME, NAMED); // passes by a port of UDP, not as ESP
	struct world w;

	world_open(&w, PASSING);
	expect_kept_out(&w, OUTSIDE_PORT, ROUTER, HOME, &other_out, DROP_NOT_POOL_ADDRESS);
	expect_kept_out(&w, OUTSIDE_PORT, ROUTER, HOME, &named, DROP_NOT_POOL_ADDRESS);
	expect_kept_out(&w, OUTSIDE_PORT, ROUTER, HOME, &in, DROP_NOT_POOL_ADDRESS);
	expect_kept_out(&w, OUTSIDE_PORT, ROUTER, NEIGHBOR, &out, DROP_NOT_POOL_ADDRESS);
	expect_kept_out(&w, OUTSIDE_PORT, EDGE, HOME, &out, DROP_SPOOFED);
	expect_kept_out(&w, INSIDE_PORT, HOME, OTHER_PEER, &other_in, DROP_ICMP_EMBEDDED);
	expect_kept_out(&w, INSIDE_PORT, NEIGHBOR, PEER, &in, DROP_ICMP_EMBEDDED);
	expect_kept_out(&w, INSIDE_PORT, HOME, OTHER_PEER, &in, DROP_ICMP_EMBEDDED);
	expect_kept_out(&w, INSIDE_PORT, HOME, PEER, &out, DROP_ICMP_EMBEDDED);
	expect_kept_out(&w, INSIDE_PORT, STRANGER, PEER, &in, DROP_ICMP_EMBEDDED);
	cr_assert_eq(WORLD_COUNT(&w, passed_through), 0);
	world_close(&w);
}

Test(pass, t_6888_6_nobody_passes_with_anothers_source)
{
	struct world w;
	struct frame f;

	world_open(&w, PASSING);
	put(&w, INSIDE_PORT, udp_of(0x64400000, 5000, PEER, 53), &f); // the subnet's own end
	expect_drop(&f, DROP_SPOOFED);
	put(&w, INSIDE_PORT, udp_of(STRANGER, 5000, PEER, 53), &f); // of no group
	cr_assert_eq(world_drops(&w, DROP_NO_POLICY), 1);
	put(&w, OUTSIDE_PORT, udp_of(EDGE, 53, HOME, 5000), &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	world_close(&w);
}

Test(pass, t_6888_6_a_reload_is_followed_at_once)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	world_publish(&w, PASSING); // no step between
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &f);
	cr_assert_eq(f.p.src, HOME);
	world_publish(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &f);
	cr_assert_neq(f.p.src, HOME);
	world_settle(&w);
	world_close(&w);
}
