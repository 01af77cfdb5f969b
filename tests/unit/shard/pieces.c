// SPDX-License-Identifier: Apache-2.0
// Packets without DF that are too big for their link leave in pieces (RFC 4787 REQ-13a).
#include "pieces.h"

#define NARROW                                                                                     \
	"ports:\n"                                                                                 \
	"  inside: { device: net_null0, addresses: [100.64.0.1/10], mtu: 600 }\n"                  \
	"  outside: { device: net_null1, addresses: [192.0.2.2/24], gateway: 192.0.2.1, mtu: 700 " \
	"}\n" LIMITS GROUP

// It left in pieces, which make it again; their number.
static unsigned expect_pieces(struct world *w, unsigned sent, const struct frame *f, uint16_t out,
	struct pkt *p, struct joined *j)
{
	cr_assert_eq(f->verdict, VERDICT_DROP);
	cr_assert_eq(f->drop, DROP_NONE, "%s", drop_name(f->drop));
	memset(j, 0, sizeof *j);
	for (unsigned i = sent; i < w->n_sent; i++) {
		const struct frame *piece = &w->sent[i % w->n_kept];
		cr_assert_eq(piece->out, out);
		cr_assert_eq(piece->p.l3[8], 63);
		cr_assert_eq((get_u16(piece->p.l3 + 6) & IP4_OFFSET) * 8u, j->octets, "in order");
		join_piece(j, piece);
	}
	expect_joined(j, p);
	return w->n_sent - sent;
}

Test(pieces, t_4787_13a_out_in_order)
{
	struct joined j;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, NARROW);
	struct recipe to = open_udp(&w, HOME, 5000, PEER);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	unsigned sent = w.n_sent;
	put(&w, INSIDE_PORT, m, &f);
	cr_assert_eq(expect_pieces(&w, sent, &f, OUTSIDE_PORT, &p, &j), 3);
	expect_between(&p, to.addr, PEER);
	cr_assert_eq(p.sport, to.port);
	cr_assert_eq(memcmp(p.l3 + 28, m.payload, m.payload_len), 0);
	cr_assert_eq(WORLD_COUNT(&w, fragments_sent), 3);
	world_close(&w);
}

Test(pieces, t_4787_13a_in_in_order)
{
	struct joined j;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, NARROW);
	struct recipe to = open_udp(&w, HOME, 5000, PEER);
	unsigned sent = w.n_sent;
	put(&w, OUTSIDE_PORT, long_udp(PEER, 53, to.addr, to.port, 9), &f);
	cr_assert_eq(expect_pieces(&w, sent, &f, INSIDE_PORT, &p, &j), 3);
	expect_between(&p, PEER, HOME);
	cr_assert_eq(p.dport, 5000);
	cr_assert_eq(j.id, 9);
	world_close(&w);
}

Test(pieces, t_4787_13_with_df_it_is_told)
{
	struct world w;
	struct frame f;

	world_open(&w, NARROW);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	m.fragment = IP4_DF;
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	cr_assert_eq(get_u16(f.p.l3 + 26), 700);
	cr_assert_eq(WORLD_COUNT(&w, fragments_sent), 0);
	world_close(&w);
}

Test(pieces, t_4787_13a_a_fragment_is_cut_further)
{
	struct joined j = {.n = 0};
	struct pieces all;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, NARROW);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 800);
	unsigned sent = w.n_sent;
	for (unsigned i = 0; i < all.n; i++) {
		put_piece(&w, INSIDE_PORT, &all, i, &f);
		if (f.verdict != VERDICT_DROP)
			join_piece(&j, &f);
	}
	for (unsigned i = sent; i < w.n_sent; i++)
		join_piece(&j, &w.sent[i % w.n_kept]);
	expect_joined(&j, &p);
	cr_assert_eq(p.dst, PEER);
	world_close(&w);
}

Test(pieces, t_4787_13a_early_pieces_are_cut_when_they_go_on)
{
	struct joined j = {.n = 0};
	struct pieces all;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, NARROW);
	struct make m = long_udp(HOME, 5000, PEER, 53, 9);
	cut_up(&all, &m, 704);
	unsigned sent = w.n_sent;
	put_piece(&w, INSIDE_PORT, &all, 1, &f);
	cr_assert_eq(f.verdict, VERDICT_HOLD);
	put_piece(&w, INSIDE_PORT, &all, 0, &f);
	cr_assert_eq(f.drop, DROP_NONE);
	world_settle(&w);
	for (unsigned i = sent; i < w.n_sent; i++) {
		if (w.sent[i % w.n_kept].verdict != VERDICT_DROP) // the held one, itself
			join_piece(&j, &w.sent[i % w.n_kept]);
	}
	expect_joined(&j, &p);
	world_close(&w);
}

Test(pieces, t_4787_13a_without_buffers_it_is_dropped)
{
	struct world w;
	struct frame f;

	world_open(&w, NARROW);
	w.no_buffers = true;
	put(&w, INSIDE_PORT, long_udp(HOME, 5000, PEER, 53, 9), &f);
	expect_drop(&f, DROP_NO_BUFFER);
	w.denied = 0; // the packet itself is counted
	world_close(&w);
}

Test(pieces, t_4787_13a_hairpins)
{
	struct joined j;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, NARROW);
	struct recipe at = open_udp(&w, NEIGHBOR, 6000, PEER);
	unsigned sent = w.n_sent;
	put(&w, INSIDE_PORT, long_udp(HOME, 5000, at.addr, at.port, 9), &f);
	cr_assert_eq(expect_pieces(&w, sent, &f, INSIDE_PORT, &p, &j), 3);
	cr_assert_eq(p.dst, NEIGHBOR);
	world_close(&w);
}
