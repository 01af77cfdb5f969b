// SPDX-License-Identifier: Apache-2.0
// The bounds on what is held and remembered of fragments (RFC 4787 REQ-14a).
#include "pieces.h"

static void put_early(struct world *w, uint16_t iface, struct make m, struct frame *f)
{
	struct pieces all;

	cut_up(&all, &m, 480);
	put_piece(w, iface, &all, 1, f);
}

static void expect_held(const struct frame *f)
{
	cr_assert_eq(f->verdict, VERDICT_HOLD, "verdict %d: %s", f->verdict, drop_name(f->drop));
}

// Pieces 0, 1 and 2 of a datagram, in order.
static void expect_in_order(struct world *w, uint16_t iface, struct make m)
{
	struct joined j = {.n = 0};
	struct pieces all;
	struct frame f;
	struct pkt p;

	cut_up(&all, &m, 480);
	for (unsigned i = 0; i < all.n; i++) {
		put_piece(w, iface, &all, i, &f);
		expect_pass(&f, !iface);
		join_piece(&j, &f);
	}
	expect_joined(&j, &p);
}

Test(held, t_frag_early_pieces_at_most_16_of_a_datagram)
{
	struct joined j = {.n = 0};
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 48);
	for (unsigned i = 1; i <= 16; i++) {
		put_piece(&w, INSIDE_PORT, &all, i, &f);
		expect_held(&f);
	}
	put_piece(&w, INSIDE_PORT, &all, 17, &f);
	expect_drop(&f, DROP_FRAG_MANY);
	unsigned sent = w.n_sent;
	put_piece(&w, INSIDE_PORT, &all, 0, &f);
	expect_pass(&f, OUTSIDE_PORT);
	world_settle(&w);
	cr_assert_eq(w.n_sent, sent + 16);
	for (unsigned i = 0; i < 16; i++) // in the order in which they came
		cr_assert_eq(
			get_u16(w.sent[(sent + i) % w.n_kept].p.l3 + 6), IP4_MF | (i + 1) * 48 / 8);
	join_sent(&w, &j, sent, OUTSIDE_PORT);
	for (unsigned i = 17; i < all.n; i++) {
		put_piece(&w, INSIDE_PORT, &all, i, &f);
		expect_pass(&f, OUTSIDE_PORT);
	}
	world_close(&w);
}

Test(held, t_frag_early_pieces_at_most_16_gaps)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 24);
	for (unsigned i = 0; i < 32; i += 2) {
		put_piece(&w, INSIDE_PORT, &all, i, &f);
		expect_pass(&f, OUTSIDE_PORT);
	}
	put_piece(&w, INSIDE_PORT, &all, 32, &f);
	expect_drop(&f, DROP_FRAG_MANY);
	put_piece(&w, INSIDE_PORT, &all, 1, &f); // closes one
	expect_pass(&f, OUTSIDE_PORT);
	put_piece(&w, INSIDE_PORT, &all, 32, &f);
	expect_pass(&f, OUTSIDE_PORT);
	world_close(&w);
}

// The newest events, and no other of this kind.
static void expect_told_once(struct world *w, ip4 host, uint32_t limit)
{
	struct shard_event e;
	unsigned n = 0;

	while (shard_event(w->shard[0], &e)) {
		if (e.nat.kind != NAT_EVENT_QUOTA_FRAGMENTS)
			continue;
		cr_assert_eq(e.nat.key.host, host);
		cr_assert_eq(e.nat.limit, limit);
		n++;
	}
	cr_assert_eq(n, 1);
}

// RFC 8158 s.4.6.7.5: told once a second, with whose piece it was; from outside it is nobody's.
Test(held, rfc8158_s4_6_7_5_a_full_table_of_fragments_is_told_once_a_second)
{
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	w.conf->fragments = 1;
	put_early(&w, INSIDE_PORT, long_udp(HOME, 5000, PEER, 53, 1), &f);
	expect_held(&f);
	for (uint16_t i = 2; i < 50; i++) {
		put_early(&w, INSIDE_PORT, long_udp(HOME + 1, 5000, PEER, 53, i), &f);
		expect_drop(&f, DROP_FRAG_TABLE);
	}
	expect_told_once(&w, HOME + 1, 1);
	w.now += NS_PER_S;
	put_early(&w, OUTSIDE_PORT, long_udp(PEER, 53, 0xcb007104, 5000, 99), &f);
	expect_drop(&f, DROP_FRAG_TABLE);
	expect_told_once(&w, 0, 1);
	world_close(&w);
}

Test(held, t_4787_14a_fragments_limit_bounds_all)
{
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	w.conf->fragments = 4;
	w.conf->fragments_per_source = 2;
	for (uint16_t i = 0; i < 4; i++) {
		put_early(&w, INSIDE_PORT, long_udp(HOME + i, 5000, PEER, 53, i), &f);
		expect_held(&f);
	}
	put_early(&w, INSIDE_PORT, long_udp(HOME + 5, 5000, PEER, 53, 9), &f);
	expect_drop(&f, DROP_FRAG_TABLE);
	expect_told_once(&w, HOME + 5, 4);
	w.conf->fragments = 5; // at once
	put_early(&w, INSIDE_PORT, long_udp(HOME + 5, 5000, PEER, 53, 9), &f);
	expect_held(&f);
	world_pass(&w, 2);
	cr_assert_eq(world_drops(&w, DROP_FRAG_TIMEOUT), 5);
	cr_assert_eq(w.n_held, 0);
	world_close(&w);
}

Test(held, t_4787_14a_a_source_has_its_share)
{
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	w.conf->fragments_per_source = 3;
	for (uint16_t i = 0; i < 3; i++) {
		put_early(&w, INSIDE_PORT, long_udp(HOME, 5000, PEER, 53, i), &f);
		expect_held(&f);
	}
	put_early(&w, INSIDE_PORT, long_udp(HOME, 5000, PEER, 53, 3), &f);
	expect_drop(&f, DROP_FRAG_MANY);
	put_early(&w, INSIDE_PORT, long_udp(NEIGHBOR, 5000, PEER, 53, 3), &f);
	expect_held(&f);
	world_pass(&w, 2);
	put_early(&w, INSIDE_PORT, long_udp(HOME, 5000, PEER, 53, 3), &f);
	expect_held(&f);
	world_pass(&w, 2);
	world_close(&w);
}

Test(held, t_frag_timeout_counts_from_the_first_piece_that_came)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	cr_assert_geq(w.conf->fragment_timeout_s, 2, "RFC 6146: FRAGMENT_MIN");
	w.conf->fragment_timeout_s = 3;
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	unsigned sent = w.n_sent;
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	world_pass(&w, 2);
	put_piece(&w, INSIDE_PORT, &all, 2, &f);
	expect_held(&f);
	cr_assert_eq(w.n_sent, sent, "not before its time");
	world_pass(&w, 1);
	cr_assert_eq(w.n_sent, sent + 2);
	expect_drop(&w.sent[sent % w.n_kept], DROP_FRAG_TIMEOUT);
	expect_drop(&w.sent[(sent + 1) % w.n_kept], DROP_FRAG_TIMEOUT);
	put_piece(&w, INSIDE_PORT, &all, 0, &f); // begins anew
	expect_pass(&f, OUTSIDE_PORT);
	world_pass_ms(&w, 2950);
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	expect_pass(&f, OUTSIDE_PORT);
	world_pass_ms(&w, 50);
	put_piece(&w, INSIDE_PORT, &all, 2, &f);
	expect_held(&f);
	world_pass(&w, 3);
	world_close(&w);
}

// The clock went on, and nobody looked after what is held.
Test(held, t_frag_timeout_a_late_piece_finds_nothing)
{
	struct pieces all;
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 480);
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	expect_held(&f);
	w.now += w.conf->fragment_timeout_s * NS_PER_S;
	put_piece(&w, INSIDE_PORT, &all, 0, &f);
	expect_pass(&f, OUTSIDE_PORT);
	unsigned sent = w.n_sent;
	world_settle(&w);
	cr_assert_eq(w.n_sent, sent + 1);
	expect_drop(&w.sent[sent % w.n_kept], DROP_FRAG_TIMEOUT);
	world_close(&w);
}

// ---- floods (RFC 4787 REQ-14a) ---------------------------------------------------------------

enum {
	FLOOD = 6000 // pieces; more than there are records
};

static void flood_one(struct world *w, uint16_t iface, struct make m, unsigned piece)
{
	static struct pieces all;
	struct frame f;

	cut_up(&all, &m, 480);
	put_piece(w, iface, &all, piece, &f);
}

// Whole packets and in-order fragments of others, both ways.
static void expect_untouched(struct world *w, struct recipe at, uint16_t id)
{
	struct frame f;

	put(w, INSIDE_PORT, udp_of(NEIGHBOR, 6000, PEER, 53), &f);
	expect_pass(&f, OUTSIDE_PORT);
	put(w, OUTSIDE_PORT, udp_of(PEER, 53, at.addr, at.port), &f);
	expect_pass(&f, INSIDE_PORT);
	expect_in_order(w, INSIDE_PORT, long_udp(NEIGHBOR, 6000, PEER, 53, id));
	expect_in_order(w, OUTSIDE_PORT, long_udp(PEER, 53, at.addr, at.port, id));
}

// By one host inside, or by forged sources outside; pieces that have a first, and pieces that
// have none.
static void expect_flood_stops_nobody(bool outside, unsigned piece)
{
	struct rng rng;
	struct world w;

	world_open(&w, QUIET);
	struct recipe at = open_udp(&w, NEIGHBOR, 6000, PEER);
	rng_init_u64(&rng, 14);
	for (unsigned i = 0; i < FLOOD; i++) {
		struct make m = outside ? long_udp(0x08000000u + rng_below(&rng, 1u << 24), 53,
						  at.addr, at.port, (uint16_t)i)
					: long_udp(HOME, 5000, PEER, 53, (uint16_t)i);
		flood_one(&w, outside, m, piece);
		if (i % 500 == 499)
			expect_untouched(&w, at, (uint16_t)i);
	}
	cr_assert_leq(w.n_held, w.conf->fragments);
	if (piece != 0)
		cr_assert_gt(world_drops(&w, DROP_FRAG_TABLE) + world_drops(&w, DROP_FRAG_MANY), 0);
	world_pass(&w, 3);
	cr_assert_eq(w.n_held, 0);
	expect_untouched(&w, at, 1);
	world_close(&w);
}

Test(held, t_4787_14a_a_flood_of_early_pieces_inside_stops_nobody)
{
	expect_flood_stops_nobody(false, 1);
}

Test(held, t_4787_14a_a_flood_of_early_pieces_outside_stops_nobody)
{
	expect_flood_stops_nobody(true, 1);
}

Test(held, t_4787_14a_a_flood_of_first_pieces_inside_stops_nobody)
{
	expect_flood_stops_nobody(false, 0);
}

Test(held, t_4787_14a_a_flood_of_first_pieces_outside_stops_nobody)
{
	expect_flood_stops_nobody(true, 0);
}

// Hosts inside who hold nothing yet still can: the flooder has his share and no more.
Test(held, t_4787_14a_a_flood_leaves_places_for_early_pieces_of_others)
{
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	cr_assert_lt(w.conf->fragments_per_source, w.conf->fragments);
	for (uint16_t i = 0; i < FLOOD; i++)
		flood_one(&w, INSIDE_PORT, long_udp(HOME, 5000, PEER, 53, i), 1);
	put_early(&w, INSIDE_PORT, long_udp(NEIGHBOR, 5000, PEER, 53, 9), &f);
	expect_held(&f);
	world_pass(&w, 3);
	world_close(&w);
}
