// SPDX-License-Identifier: Apache-2.0
// RFC 5382 REQ-4, rule U of nat-behaviour.md section 6.
#include "pieces.h"

#define PORT 40000
#define GROUP_WITHOUT_PCP                                                                          \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: false\n"
#define STORE                                                                                      \
	PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 6, "  \
	      "max-stored-syn: 4 }\n" GROUP_WITHOUT_PCP
#define ANSWERED STORE "    tcp-unsolicited: icmp\n"

static struct make knock(uint16_t sport)
{
	return tcp_of(PEER, sport, 0xcb007104, PORT, TCP_SYN);
}

Test(syns, t_5382_4_a_syn_that_nothing_lets_in_is_answered_after_six_seconds)
{
	struct make m = knock(1000);
	struct world w;
	struct frame f;

	world_open(&w, ANSWERED);
	put(&w, OUTSIDE_PORT, m, &f);
	cr_assert_eq(f.verdict, VERDICT_HOLD);
	unsigned sent = w.n_sent;
	world_pass_ms(&w, 5950);
	cr_assert_eq(w.n_sent, sent, "nothing for six seconds");
	world_pass_ms(&w, 50);
	cr_assert_eq(w.n_sent, sent + 1);
	expect_error(&w.sent[sent % w.n_kept], OUTSIDE_PORT, EDGE, &m, ICMP_UNREACHABLE,
		ICMP_PORT_UNREACHABLE);
	cr_assert_eq(WORLD_COUNT(&w, syns_held), 1);
	world_close(&w);
}

// Both ends open the connection at once: the inside host's SYN makes his mapping, and the other's
// is told nothing.
Test(syns, t_5382_4_an_outbound_syn_makes_it_forgotten)
{
	struct world w;
	struct frame f;

	world_open(&w, ANSWERED);
	put(&w, INSIDE_PORT, tcp_of(HOME, 5000, OTHER_PEER, 80, TCP_SYN), &f);
	expect_pass(&f, OUTSIDE_PORT);
	struct recipe at = {f.p.src, f.p.sport};
	// The group filters by address and port, so a SYN of PEER's has no way in yet.
	w.conf->groups[0].nat.filtering[NAT_TCP - 1] = NAT_APDF;
	w.conf->generation++;
	world_settle(&w);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 1000, at.addr, at.port, TCP_SYN), &f);
	cr_assert_eq(f.verdict, VERDICT_HOLD, "%s", drop_name(f.drop));
	unsigned sent = w.n_sent;
	put(&w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 1000, TCP_SYN), &f);
	expect_pass(&f, OUTSIDE_PORT);
	cr_assert(f.p.src == at.addr && f.p.sport == at.port);
	world_settle(&w);
	cr_assert_eq(w.n_sent, sent + 1);
	expect_drop(&w.sent[sent % w.n_kept], DROP_UNSOLICITED_SYN);
	world_pass(&w, 7);
	cr_assert_eq(w.n_sent, sent + 1, "and no ICMP error comes");
	world_close(&w);
}

Test(syns, t_5382_4a_without_the_knob_it_is_dropped)
{
	struct world w;
	struct frame f;

	world_open(&w, STORE);
	put(&w, OUTSIDE_PORT, knock(1000), &f);
	cr_assert_eq(f.verdict, VERDICT_DROP);
	unsigned sent = w.n_sent;
	world_pass(&w, 7);
	cr_assert_eq(w.n_sent, sent);
	world_close(&w);
}

Test(syns, rule_u_limits_what_is_stored)
{
	struct world w;
	struct frame f;

	world_open(&w, ANSWERED);
	for (uint16_t i = 0; i < 4; i++) {
		put(&w, OUTSIDE_PORT, knock((uint16_t)(1000 + i)), &f);
		cr_assert_eq(f.verdict, VERDICT_HOLD);
	}
	put(&w, OUTSIDE_PORT, knock(1004), &f);
	expect_drop(&f, DROP_UNSOLICITED_SYN);
	unsigned sent = w.n_sent;
	world_pass(&w, 6);
	cr_assert_eq(w.n_sent, sent + 4);
	cr_assert_eq(w.n_held, 0);
	put(&w, OUTSIDE_PORT, knock(1004), &f);
	cr_assert_eq(f.verdict, VERDICT_HOLD);
	world_close(&w);
}

// TCP sends its SYN again after a second, and three: the first of them counts.
Test(syns, rule_u_the_same_syn_is_held_once)
{
	struct world w;
	struct frame f;

	world_open(&w, ANSWERED);
	put(&w, OUTSIDE_PORT, knock(1000), &f);
	cr_assert_eq(f.verdict, VERDICT_HOLD);
	world_pass(&w, 3);
	put(&w, OUTSIDE_PORT, knock(1000), &f);
	expect_drop(&f, DROP_UNSOLICITED_SYN);
	unsigned sent = w.n_sent;
	world_pass(&w, 3);
	cr_assert_eq(w.n_sent, sent + 1);
	world_close(&w);
}

static void expect_silence(struct world *w, unsigned sent)
{
	cr_assert_eq(w->n_held, 0);
	cr_assert_eq(WORLD_COUNT(w, syns_held), 0);
	world_pass(w, 7);
	cr_assert_eq(w->n_sent, sent);
	cr_assert_eq(WORLD_COUNT(w, icmp_errors_sent), 0);
}

// Only what comes from outside is held.
Test(syns, t_5382_4_a_hairpinned_syn_is_dropped_at_once)
{
	struct world w;
	struct frame f;

	world_open(&w, ANSWERED);
	unsigned sent = w.n_sent;
	put(&w, INSIDE_PORT, tcp_of(NEIGHBOR, 1000, 0xcb007104, PORT, TCP_SYN), &f);
	expect_drop(&f, DROP_UNSOLICITED_SYN);
	expect_silence(&w, sent);
	world_close(&w);
}

Test(syns, t_5382_4_a_syn_in_pieces_is_dropped_at_once)
{
	struct make m = knock(1000);
	struct pieces all;
	struct world w;
	struct frame f;

	m.payload_len = 100;
	cut_up(&all, &m, 64);
	cr_assert_eq(all.n, 2);
	world_open(&w, ANSWERED);
	unsigned sent = w.n_sent;
	put_piece(&w, OUTSIDE_PORT, &all, 0, &f);
	expect_drop(&f, DROP_UNSOLICITED_SYN);
	put_piece(&w, OUTSIDE_PORT, &all, 1, &f);
	cr_assert_eq(f.verdict, VERDICT_DROP);
	expect_silence(&w, sent);
	world_close(&w);
}
