// SPDX-License-Identifier: Apache-2.0
// Fragments through shards: whatever their order, a receiver makes of them the packet that would
// have come whole.
#include "pieces.h"

#define IN_DIRECTIONS 2

// Three pieces in this order, from inside or to a mapping; what comes out makes one packet.
static void expect_through(struct world *w, const struct pieces *all, const unsigned *order,
	uint16_t in, struct pkt *p, struct joined *j)
{
	unsigned sent = w->n_sent;
	struct frame f;

	memset(j, 0, sizeof *j);
	for (unsigned i = 0; i < all->n; i++) {
		put_piece(w, in, all, order[i], &f);
		if (f.verdict == VERDICT_HOLD)
			continue;
		expect_pass(&f, !in);
		cr_assert_eq(f.p.l3[8], 63, "the TTL falls by one");
		join_piece(j, &f);
		world_settle(w);
	}
	join_sent(w, j, sent, !in);
	expect_joined(j, p);
}

static const unsigned orders[][3] = {
	{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

Test(fragments, t_4787_14_any_order_out)
{
	struct joined j;
	struct pieces all;
	struct world w;
	struct pkt p;

	world_open(&w, QUIET);
	struct recipe to = open_udp(&w, HOME, 5000, PEER);
	for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) {
		struct make m = long_udp(HOME, 5000, PEER, 53, (uint16_t)(100 + i));
		cut_up(&all, &m, 480);
		cr_assert_eq(all.n, 3);
		expect_through(&w, &all, orders[i], INSIDE_PORT, &p, &j);
		expect_between(&p, to.addr, PEER);
		cr_assert(p.sport == to.port && p.dport == 53);
		cr_assert_eq(memcmp(p.l3 + 28, m.payload, m.payload_len), 0);
	}
	cr_assert_eq(WORLD_COUNT(&w, fragments_received), 18);
	cr_assert_eq(WORLD_COUNT(&w, fragments_held), 6);
	cr_assert_eq(WORLD_COUNT(&w, fragments_released), 6);
	world_close(&w);
}

Test(fragments, t_4787_14_any_order_in)
{
	struct joined j;
	struct pieces all;
	struct world w;
	struct pkt p;

	world_open(&w, QUIET);
	struct recipe to = open_udp(&w, HOME, 5000, PEER);
	for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) {
		struct make m = long_udp(PEER, 53, to.addr, to.port, (uint16_t)(100 + i));
		cut_up(&all, &m, 480);
		expect_through(&w, &all, orders[i], OUTSIDE_PORT, &p, &j);
		expect_between(&p, PEER, HOME);
		cr_assert(p.sport == 53 && p.dport == 5000);
		cr_assert_eq(j.id, 100 + i, "what comes from outside keeps its identification");
	}
	world_close(&w);
}

// The first piece makes the mapping as a whole packet would.
Test(fragments, t_frag_first_with_l4_makes_the_mapping)
{
	static const struct {
		uint8_t protocol, least;
	} cases[] = {{IP_UDP, 8}, {IP_TCP, 24}, {IP_ICMP, 8}};
	struct joined j;
	struct pieces all;
	struct world w;
	struct pkt p;

	world_open(&w, QUIET);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct make m = long_udp(HOME, 5000, PEER, 5000, 9);
		m.protocol = cases[i].protocol;
		m.flags = TCP_SYN;
		m.type = ICMP_ECHO;
		m.payload_len = 3 * cases[i].least - (m.protocol == IP_TCP ? 20 : 8);
		cut_up(&all, &m, cases[i].least);
		cr_assert_eq(all.n, 3);
		expect_through(&w, &all, orders[0], INSIDE_PORT, &p, &j);
		cr_assert_neq(p.src, HOME);
	}
	cr_assert_eq(WORLD_NAT(&w, implicit_created), 3);
	world_close(&w);
}

// A ping of 1400 octets and its answer.
Test(fragments, t_5508_1_echo_in_pieces_both_ways)
{
	struct joined j;
	struct pieces all;
	struct world w;
	struct pkt p;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 77, PEER, 77, 9);
	m.protocol = IP_ICMP;
	m.type = ICMP_ECHO;
	cut_up(&all, &m, 480);
	expect_through(&w, &all, orders[3], INSIDE_PORT, &p, &j);
	cr_assert_eq(p.kind, PKT_ECHO);
	m = long_udp(PEER, p.sport, p.src, p.sport, 9);
	m.protocol = IP_ICMP;
	m.type = ICMP_ECHO_REPLY;
	cut_up(&all, &m, 480);
	expect_through(&w, &all, orders[5], OUTSIDE_PORT, &p, &j);
	expect_between(&p, PEER, HOME);
	cr_assert_eq(p.sport, 77);
	world_close(&w);
}

Test(fragments, t_frag_checksum_of_zero_stays_zero)
{
	struct joined j;
	struct pieces all;
	struct world w;
	struct pkt p;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	m.no_checksum = true;
	cut_up(&all, &m, 480);
	expect_through(&w, &all, orders[0], INSIDE_PORT, &p, &j);
	cr_assert_eq(get_u16(p.l3 + 26), 0);
	world_close(&w);
}

// More pieces than gaps may be: in order they are one range, and nothing is held.
Test(fragments, t_frag_in_order_datagrams_may_have_any_number_of_pieces)
{
	struct pieces all;
	struct joined j = {.n = 0};
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 24);
	cr_assert_gt(all.n, 50);
	for (unsigned i = 0; i < all.n; i++) {
		put_piece(&w, INSIDE_PORT, &all, i, &f);
		expect_pass(&f, OUTSIDE_PORT);
		join_piece(&j, &f);
	}
	expect_joined(&j, &p);
	cr_assert_eq(WORLD_COUNT(&w, fragments_held), 0);
	world_close(&w);
}

Test(fragments, a_finished_datagram_is_forgotten)
{
	struct joined j;
	struct pieces all;
	struct world w;
	struct pkt p;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) // each time with the same identification
		expect_through(&w, &all, orders[i], INSIDE_PORT, &p, &j);
	world_close(&w);
}

// ---- what is forbidden -----------------------------------------------------------------------

struct step {
	size_t first, end;
	enum drop drop; // DROP_NONE: passes
};

// Pieces of one datagram of 8 + 392 octets, one after another.
static void expect_steps(struct world *w, uint16_t id, uint8_t protocol, const struct step *steps)
{
	struct make m = long_udp(HOME, 5000, PEER, 53, id);
	uint8_t packet[MAKE_MAX], piece[MAKE_MAX];
	struct frame f;

	m.protocol = protocol;
	m.flags = TCP_SYN;
	m.payload_len = protocol == IP_TCP ? 380 : 392;
	make_packet(packet, &m);
	for (unsigned i = 0; steps[i].end != 0; i++) {
		size_t len = make_piece(piece, packet, steps[i].first, steps[i].end);
		world_put(w, INSIDE_PORT, piece, len, &f);
		if (steps[i].drop == DROP_NONE)
			cr_assert_eq(f.verdict, VERDICT_PASS, "datagram %u step %u: %s", id, i,
				drop_name(f.drop));
		else
			cr_assert(f.verdict == VERDICT_DROP && f.drop == steps[i].drop,
				"datagram %u step %u: %s", id, i, drop_name(f.drop));
	}
}

Test(fragments, t_frag_forbidden_overlaps_end_the_datagram)
{
	static const struct step cases[][6] = {
		{{0, 80, 0}, {72, 160, DROP_FRAG_OVERLAP}, {80, 160, DROP_FRAG_OVERLAP}},
		{{0, 80, 0}, {0, 160, DROP_FRAG_OVERLAP}, {160, 240, DROP_FRAG_OVERLAP}},
		{{0, 80, 0}, {8, 16, DROP_FRAG_OVERLAP}, {80, 160, DROP_FRAG_OVERLAP}},
		{{0, 80, 0}, {160, 240, 0}, {80, 168, DROP_FRAG_OVERLAP},
			{80, 160, DROP_FRAG_OVERLAP}},
		{{0, 80, 0}, {160, 240, 0}, {80, 160, 0}, {232, 400, DROP_FRAG_OVERLAP},
			{240, 400, DROP_FRAG_OVERLAP}},
	};
	struct world w;

	world_open(&w, QUIET);
	for (uint16_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_steps(&w, (uint16_t)(100 + i), IP_UDP, cases[i]);
	world_close(&w);
}

// The network may say things twice; that alone is no attack.
Test(fragments, t_frag_forbidden_a_duplicate_is_dropped_alone)
{
	static const struct step steps[] = {{0, 80, 0}, {0, 80, DROP_FRAG_OVERLAP}, {80, 160, 0},
		{80, 160, DROP_FRAG_OVERLAP}, {0, 80, DROP_FRAG_OVERLAP}, {160, 240, 0},
		{320, 400, 0}, {320, 400, DROP_FRAG_OVERLAP}, {240, 320, 0}, {0, 0, 0}};
	struct world w;

	world_open(&w, QUIET);
	expect_steps(&w, 9, IP_UDP, steps);
	world_close(&w);
}

Test(fragments, t_frag_forbidden_a_datagram_has_one_end)
{
	struct make m = long_udp(HOME, 5000, PEER, 53, 9), longer = m;
	struct pieces all, more;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	longer.payload_len -= 500;
	cut_up(&all, &m, 480);       // ends at 1408
	cut_up(&more, &longer, 480); // ends at 908
	put_piece(&w, INSIDE_PORT, &all, 0, &f);
	expect_pass(&f, OUTSIDE_PORT);
	put_piece(&w, INSIDE_PORT, &all, 2, &f);
	expect_pass(&f, OUTSIDE_PORT);
	put_piece(&w, INSIDE_PORT, &more, 1, &f);
	expect_drop(&f, DROP_FRAG_OVERLAP);
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	expect_drop(&f, DROP_FRAG_OVERLAP);
	world_close(&w);
}

Test(fragments, t_frag_forbidden_tiny_pieces_end_the_datagram)
{
	static const struct step cases[][4] = {
		{{0, 16, DROP_FRAG_TINY}, {24, 48, DROP_FRAG_OVERLAP}},
		{{0, 40, 0}, {8, 48, DROP_FRAG_TINY}, {40, 80, DROP_FRAG_OVERLAP}},
		{{8, 48, DROP_FRAG_TINY}, {0, 24, DROP_FRAG_OVERLAP}},
	};
	struct world w;

	world_open(&w, QUIET);
	for (uint16_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_steps(&w, (uint16_t)(100 + i), IP_TCP, cases[i]);
	world_close(&w);
}

// RFC 5722: what was held goes with the rest.
Test(fragments, t_frag_forbidden_an_overlap_ends_what_is_held)
{
	struct pieces all, other;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	cut_up(&other, &m, 488);
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	cr_assert_eq(f.verdict, VERDICT_HOLD);
	put_piece(&w, INSIDE_PORT, &other, 1, &f);
	expect_drop(&f, DROP_FRAG_OVERLAP);
	unsigned sent = w.n_sent;
	world_settle(&w);
	cr_assert_eq(w.n_sent, sent + 1);
	expect_drop(&w.sent[sent % w.n_kept], DROP_FRAG_OVERLAP);
	put_piece(&w, INSIDE_PORT, &all, 0, &f);
	expect_drop(&f, DROP_FRAG_OVERLAP);
	world_close(&w);
}

Test(fragments, icmp_errors_in_pieces_are_dropped)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct recipe to = open_udp(&w, HOME, 5000, PEER);
	struct make m = long_udp(PEER, 0, to.addr, 0, 9);
	m.protocol = IP_ICMP;
	m.type = ICMP_UNREACHABLE;
	cut_up(&all, &m, 480);
	put_piece(&w, OUTSIDE_PORT, &all, 0, &f);
	expect_drop(&f, DROP_ICMP_EMBEDDED);
	put_piece(&w, OUTSIDE_PORT, &all, 1, &f);
	expect_drop(&f, DROP_FRAG_OVERLAP);
	m.protocol = 47;
	cut_up(&all, &m, 480);
	put_piece(&w, OUTSIDE_PORT, &all, 0, &f);
	expect_drop(&f, DROP_PROTOCOL);
	world_close(&w);
}

// ---- policy ----------------------------------------------------------------------------------

Test(fragments, fragment_behavior_drop_all)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct recipe to = open_udp(&w, HOME, 5000, PEER);
	w.conf->groups[0].fragments = CONF_FRAGMENTS_DROP_ALL;
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	put_piece(&w, INSIDE_PORT, &all, 0, &f);
	expect_drop(&f, DROP_FRAGMENT);
	m = long_udp(PEER, 53, to.addr, to.port, 9);
	cut_up(&all, &m, 480);
	put_piece(&w, OUTSIDE_PORT, &all, 0, &f);
	expect_drop(&f, DROP_FRAGMENT);
	world_close(&w);
}

Test(fragments, fragment_behavior_in_order)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	w.conf->groups[0].fragments = CONF_FRAGMENTS_IN_ORDER;
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	expect_drop(&f, DROP_FRAG_ORDER);
	for (unsigned i = 0; i < all.n; i++) {
		put_piece(&w, INSIDE_PORT, &all, i, &f);
		expect_pass(&f, OUTSIDE_PORT);
	}
	world_close(&w);
}

Test(fragments, strangers_and_liars_leave_no_record)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct make m = long_udp(STRANGER, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	expect_drop(&f, DROP_NO_POLICY);
	put_piece(&w, INSIDE_PORT, &all, 0, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY, "a first piece is answered");
	cr_assert_eq(f.p.l3[20], ICMP_UNREACHABLE);
	cr_assert_eq(f.p.l3[21], ICMP_PROHIBITED);
	m = long_udp(GATEWAY, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	expect_drop(&f, DROP_SPOOFED);
	cr_assert_eq(WORLD_COUNT(&w, fragments_held), 0);
	world_close(&w);
}

// What the first may not do, those behind it may not do either.
Test(fragments, pieces_to_an_unmapped_port_are_dropped_each)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct recipe to = open_udp(&w, HOME, 5000, PEER);
	struct make m = long_udp(PEER, 53, to.addr, (uint16_t)(to.port ^ 1), 9);
	cut_up(&all, &m, 480);
	for (unsigned i = 0; i < all.n; i++) {
		put_piece(&w, OUTSIDE_PORT, &all, i, &f);
		expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	}
	world_close(&w);
}

// ---- several shards, and back inside ---------------------------------------------------------

static void expect_hairpin(const char *yaml)
{
	struct joined j = {.n = 0};
	struct pieces all;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, yaml);
	ip4 from = world_host(&w, 0, 0), to = world_host(&w, (uint16_t)(w.n - 1), 1);
	struct recipe at = open_udp(&w, to, 6000, PEER);
	struct make m = long_udp(from, 5000, at.addr, at.port, 9);
	cut_up(&all, &m, 480);
	unsigned sent = w.n_sent;
	for (unsigned i = 0; i < all.n; i++) {
		put_piece(&w, INSIDE_PORT, &all, orders[2][i], &f);
		if (f.verdict == VERDICT_HOLD)
			continue;
		expect_pass(&f, INSIDE_PORT);
		cr_assert_eq(f.p.l3[8], 63, "both legs are one hop");
		join_piece(&j, &f);
	}
	world_settle(&w);
	world_flush(&w);
	join_sent(&w, &j, sent, INSIDE_PORT);
	expect_joined(&j, &p);
	cr_assert_eq(p.dst, to);
	cr_assert_eq(p.dport, 6000);
	cr_assert_neq(p.src, from, "RFC 4787 REQ-9a");
	world_close(&w);
}

Test(fragments, t_4787_9_hairpins_in_pieces)
{
	expect_hairpin(QUIET);
}

Test(fragments, t_4787_9_hairpins_in_pieces_between_shards)
{
	expect_hairpin(TWO_SHARDS);
}

#define SHARED_ADDRESS                                                                             \
	"workers: 2\n" PORTS LIMITS "nat-groups:\n"                                                \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4]\n"                                               \
	"    port-set-size: 64\n"

// Two shards cut one address: the pieces meet at one of them, their ports may be the other's.
Test(fragments, t_frag_shard_pieces_meet_and_then_go_to_the_owner_of_their_ports)
{
	unsigned handed = 0;
	struct joined j;
	struct pieces all;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, SHARED_ADDRESS);
	for (uint16_t shard = 0; shard < 2; shard++) {
		ip4 host = world_host(&w, shard, 0);
		struct recipe at = open_udp(&w, host, 6000, PEER);
		for (uint16_t id = 0; id < 8; id++) {
			struct make m = long_udp(PEER, 53, at.addr, at.port, id);
			unsigned sent = w.n_sent;
			cut_up(&all, &m, 480);
			memset(&j, 0, sizeof j);
			for (unsigned i = 0; i < all.n; i++) {
				put_piece(&w, OUTSIDE_PORT, &all, orders[id % 6][i], &f);
				if (f.verdict == VERDICT_HOLD)
					continue;
				expect_pass(&f, INSIDE_PORT);
				cr_assert_eq(f.shard, shard);
				handed += f.handoffs;
				join_piece(&j, &f);
			}
			world_settle(&w);
			world_flush(&w);
			join_sent(&w, &j, sent, INSIDE_PORT);
			expect_joined(&j, &p);
			expect_between(&p, PEER, host);
			cr_assert_eq(p.dport, 6000);
		}
	}
	cr_assert_gt(handed, 0);
	world_close(&w);
}
