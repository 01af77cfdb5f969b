// SPDX-License-Identifier: Apache-2.0
#include "flow.h"

// Timers that tell the states apart.
static const struct nat_timers TIMERS = {.udp = 300,
	.udp_initial = 300,
	.udp_unanswered = 120,
	.tcp_idle = 7440,
	.tcp_trans_open = 240,
	.tcp_trans_close = 250,
	.tcp_rst = 260,
	.icmp = 60,
	.hold_down = 120,
	.pcp_hold_down = 120};

static const uint32_t SECONDS[NAT_OPEN] = {[NAT_I_INIT] = 240,
	[NAT_E_INIT] = 240,
	[NAT_ESTABLISHED] = 7440,
	[NAT_I_FIN] = 7440,
	[NAT_E_FIN] = 7440,
	[NAT_BOTH_FIN] = 250,
	[NAT_TRANS] = 260};

static struct world open_world(void)
{
	struct world w = world_simple(64);

	nat_set_timers(w.nat, &TIMERS);
	return w;
}

// A connection in this state. Another one stands on the same mapping.
static struct flow bring_to(struct world *w, enum nat_state state)
{
	struct flow f = flow_open(w, 4000, OTHER);

	f.remote = REMOTE;
	if (state == NAT_E_INIT) {
		cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
		return f;
	}
	flow_out(&f, TCP_SYN);
	if (state == NAT_I_INIT)
		return f;
	flow_in(&f, TCP_SYN | TCP_ACK);
	flow_out(&f, TCP_ACK);
	if (state == NAT_I_FIN || state == NAT_BOTH_FIN)
		flow_out(&f, TCP_FIN | TCP_ACK);
	if (state == NAT_E_FIN || state == NAT_BOTH_FIN)
		flow_in(&f, TCP_FIN | TCP_ACK);
	if (state == NAT_TRANS)
		flow_in(&f, TCP_RST);
	return f;
}

struct cell {
	bool outside;
	uint8_t flags;
	enum nat_state next;
	bool refreshed;
};

enum {
	SYN_ = TCP_SYN,
	SYN_ACK = TCP_SYN | TCP_ACK,
	FIN_ = TCP_FIN | TCP_ACK,
	RST_ = TCP_RST | TCP_ACK,
	DATA = TCP_PSH | TCP_ACK
};

// One row of the table: whatever the segment does, it passes.
static void check_row(enum nat_state state, const struct cell *cells, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct cell *c = &cells[i];
		struct world w = open_world();
		struct flow f = bring_to(&w, state);
		struct nat_session_view view;

		cr_assert_eq(flow_view(&f).state, state, "%u", flow_view(&f).state);
		cr_assert_eq(flow_view(&f).left_s, SECONDS[state]);
		world_pass(&w, 100);
		cr_assert_eq(
			c->outside ? flow_in(&f, c->flags) : flow_out(&f, c->flags), DROP_NONE);
		view = flow_view(&f);
		cr_assert_eq(view.state, c->next, "cell %u: %u", i, view.state);
		cr_assert_eq(view.left_s, SECONDS[view.state] - (c->refreshed ? 0 : 100),
			"cell %u: %u s", i, view.left_s);
		world_close(&w);
	}
}

Test(nat, t_7857_2_i_init)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_I_INIT, true},
		{true, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_ACK, NAT_ESTABLISHED, true},
		{false, FIN_, NAT_I_INIT, false},
		{true, FIN_, NAT_I_INIT, false},
		{false, RST_, NAT_I_INIT, false},
		{true, RST_, NAT_I_INIT, false},
		{false, DATA, NAT_I_INIT, false},
		{true, DATA, NAT_I_INIT, false},
	};
	check_row(NAT_I_INIT, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_e_init)
{
	static const struct cell cells[] = {
		{false, SYN_ACK, NAT_ESTABLISHED, true},
		{false, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_, NAT_E_INIT, false},
		{false, FIN_, NAT_E_INIT, false},
		{true, FIN_, NAT_E_INIT, false},
		{false, RST_, NAT_E_INIT, false},
		{true, RST_, NAT_E_INIT, false},
		{false, DATA, NAT_E_INIT, false},
		{true, DATA, NAT_E_INIT, false},
	};
	check_row(NAT_E_INIT, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_established)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_, NAT_ESTABLISHED, true},
		{false, FIN_, NAT_I_FIN, true},
		{true, FIN_, NAT_E_FIN, true},
		{false, RST_, NAT_TRANS, true},
		{true, RST_, NAT_TRANS, true},
		{false, DATA, NAT_ESTABLISHED, true},
		{true, DATA, NAT_ESTABLISHED, true},
	};
	check_row(NAT_ESTABLISHED, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_i_fin)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_I_FIN, true},
		{true, SYN_, NAT_I_FIN, true},
		{false, FIN_, NAT_I_FIN, true},
		{true, FIN_, NAT_BOTH_FIN, true},
		{false, RST_, NAT_I_FIN, false},
		{true, RST_, NAT_I_FIN, false},
		{false, DATA, NAT_I_FIN, true},
		{true, DATA, NAT_I_FIN, true},
	};
	check_row(NAT_I_FIN, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_e_fin)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_E_FIN, true},
		{true, SYN_, NAT_E_FIN, true},
		{false, FIN_, NAT_BOTH_FIN, true},
		{true, FIN_, NAT_E_FIN, true},
		{false, RST_, NAT_E_FIN, false},
		{true, RST_, NAT_E_FIN, false},
		{false, DATA, NAT_E_FIN, true},
		{true, DATA, NAT_E_FIN, true},
	};
	check_row(NAT_E_FIN, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_both_fin)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_BOTH_FIN, false},
		{true, SYN_, NAT_BOTH_FIN, false},
		{false, FIN_, NAT_BOTH_FIN, false},
		{true, FIN_, NAT_BOTH_FIN, false},
		{false, RST_, NAT_BOTH_FIN, false},
		{true, RST_, NAT_BOTH_FIN, false},
		{false, DATA, NAT_BOTH_FIN, false},
		{true, DATA, NAT_BOTH_FIN, false},
	};
	check_row(NAT_BOTH_FIN, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_trans)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_, NAT_ESTABLISHED, true},
		{false, FIN_, NAT_ESTABLISHED, true},
		{true, FIN_, NAT_ESTABLISHED, true},
		{false, RST_, NAT_TRANS, false},
		{true, RST_, NAT_TRANS, false},
		{false, DATA, NAT_ESTABLISHED, true},
		{true, DATA, NAT_ESTABLISHED, true},
	};
	check_row(NAT_TRANS, cells, ARRAY_SIZE(cells));
}

// CLOSED: only a SYN without ACK begins anything, and every segment passes on a mapping.
Test(nat, t_7857_2_closed)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_I_INIT, true},
		{true, SYN_, NAT_E_INIT, true},
		{false, SYN_ACK, NAT_CLOSED, false},
		{true, SYN_ACK, NAT_CLOSED, false},
		{false, FIN_, NAT_CLOSED, false},
		{true, FIN_, NAT_CLOSED, false},
		{false, RST_, NAT_CLOSED, false},
		{true, RST_, NAT_CLOSED, false},
		{false, DATA, NAT_CLOSED, false},
		{true, DATA, NAT_CLOSED, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++) {
		struct world w = open_world();
		struct flow f = flow_open(&w, 4000, OTHER);

		f.remote = REMOTE;
		cr_assert_eq(cells[i].outside ? flow_in(&f, cells[i].flags)
					      : flow_out(&f, cells[i].flags),
			DROP_NONE);
		cr_assert_eq(flow_view(&f).state, cells[i].next, "cell %u", i);
		f.remote = OTHER;
		cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
		world_close(&w);
	}
}

Test(nat, t_7857_2_every_state_ends_after_its_own_time)
{
	for (unsigned state = NAT_I_INIT; state < NAT_OPEN; state++) {
		struct world w = open_world();
		struct flow f = bring_to(&w, state);

		world_pass(&w, SECONDS[state]);
		cr_assert_eq(flow_view(&f).state, state, "%u", state);
		world_pass(&w, 1);
		cr_assert_eq(flow_view(&f).state, NAT_CLOSED, "%u", state);
		world_pass(&w, 2);
		cr_assert_eq(nat_counters(w.nat)->sessions, SECONDS[state] < 7440, "%u", state);
		world_close(&w);
	}
}

Test(nat, t_7857_2_tcp_reopen_begins_anew_what_both_sides_closed)
{
	struct world w = open_world();
	struct flow f;

	w.policy.tcp_reopen = true;
	nat_set_policy(w.nat, 0, &w.policy);
	f = bring_to(&w, NAT_BOTH_FIN);
	cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_BOTH_FIN, "not from outside");
	cr_assert_eq(flow_out(&f, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_I_INIT);
	cr_assert_eq(flow_in(&f, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	world_close(&w);
}

Test(nat, t_7857_2_rst_in_fin_ends_what_one_side_closed)
{
	static const enum nat_state half[] = {NAT_I_FIN, NAT_E_FIN};

	for (unsigned i = 0; i < 4; i++) {
		struct world w = open_world();
		struct flow f;

		w.policy.rst_in_fin = true;
		nat_set_policy(w.nat, 0, &w.policy);
		f = bring_to(&w, half[i / 2]);
		cr_assert_eq(i % 2 ? flow_in(&f, TCP_RST) : flow_out(&f, TCP_RST), DROP_NONE);
		cr_assert_eq(flow_view(&f).state, NAT_TRANS);
		cr_assert_eq(flow_view(&f).left_s, 260);
		world_close(&w);
	}
}

// ---- connections as a whole ------------------------------------------------------------------

Test(nat, t_5382_2_a_connection_from_inside_and_one_from_outside)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE), g = f;

	g.remote = OTHER;
	cr_assert_eq(flow_in(&g, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_view(&g).state, NAT_E_INIT);
	cr_assert_eq(flow_out(&g, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_in(&g, TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_view(&g).state, NAT_ESTABLISHED);
	cr_assert(recipe_eq(f.to, g.to));
	world_close(&w);
}

Test(nat, t_5382_2a_simultaneous_opens_cross)
{
	struct world w = open_world();
	struct flow f = flow_to(&w, 4000, REMOTE);
	struct recipe to;

	cr_assert_eq(flow_out(&f, TCP_SYN), DROP_NONE);
	to = f.to;
	cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE); // and no SYN-ACK yet
	cr_assert_eq(flow_out(&f, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_in(&f, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	world_pass(&w, 7440);
	cr_assert_eq(flow_out(&f, TCP_ACK), DROP_NONE);
	cr_assert(recipe_eq(f.to, to));
	world_close(&w);
}

// Likewise when the filter would not let strangers in: the SYN that went out opened it.
Test(nat, t_5382_2a_simultaneous_opens_cross_under_every_filtering)
{
	static const enum nat_filtering all[] = {NAT_EIF, NAT_ADF, NAT_APDF};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		struct world w = open_world();
		struct flow f = flow_to(&w, 4000, REMOTE);

		world_filter(&w, all[i]);
		cr_assert_eq(flow_out(&f, TCP_SYN), DROP_NONE);
		cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
		cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
		world_close(&w);
	}
}

Test(nat, t_5382_5_an_idle_connection_lives_two_hours_and_four_minutes)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE);

	for (unsigned i = 0; i < 3; i++) {
		world_pass(&w, 7440);
		cr_assert_eq(flow_out(&f, TCP_ACK), DROP_NONE);
		cr_assert_eq(flow_view(&f).left_s, 7440);
	}
	world_pass(&w, 7440);
	cr_assert(world_has(&w, f.key));
	world_pass(&w, 3);
	cr_assert_not(world_has(&w, f.key));
	cr_assert_eq(nat_counters(w.nat)->implicit_expired, 1);
	cr_assert_eq(nat_counters(w.nat)->sessions_expired, 1);
	world_close(&w);
}

Test(nat, t_7857_2_1_opening_and_closing_have_timers_of_their_own)
{
	struct world w = open_world();
	struct flow opening = flow_to(&w, 4000, REMOTE), closing = flow_open(&w, 4001, REMOTE);

	flow_out(&opening, TCP_SYN);
	flow_out(&closing, TCP_FIN | TCP_ACK);
	flow_in(&closing, TCP_FIN | TCP_ACK);
	world_pass(&w, 240);
	cr_assert(world_has(&w, opening.key) && world_has(&w, closing.key));
	world_pass(&w, 3);
	cr_assert(!world_has(&w, opening.key) && world_has(&w, closing.key));
	world_pass(&w, 7);
	cr_assert(world_has(&w, closing.key));
	world_pass(&w, 3);
	cr_assert_not(world_has(&w, closing.key));
	world_close(&w);
}

// RST passes, and four minutes later the mapping is gone unless somebody goes on.
Test(nat, t_7857_2_2_rst_leaves_the_state_for_four_minutes)
{
	for (unsigned outside = 0; outside < 2; outside++) {
		struct world w = open_world();
		struct flow f = flow_open(&w, 4000, REMOTE);

		cr_assert_eq(outside ? flow_in(&f, TCP_RST) : flow_out(&f, TCP_RST), DROP_NONE);
		world_pass(&w, 260);
		cr_assert(world_has(&w, f.key));
		world_pass(&w, 3);
		cr_assert_not(world_has(&w, f.key));
		world_close(&w);
	}
}

Test(nat, t_7857_2_2_data_after_a_forged_rst_brings_the_session_back)
{
	for (unsigned outside = 0; outside < 2; outside++) {
		struct world w = open_world();
		struct flow f = flow_open(&w, 4000, REMOTE);

		cr_assert_eq(flow_in(&f, TCP_RST), DROP_NONE);
		world_pass(&w, 200);
		cr_assert_eq(outside ? flow_in(&f, TCP_ACK) : flow_out(&f, TCP_ACK), DROP_NONE);
		cr_assert_not(looks_closer(&f));
		world_pass(&w, 7440);
		cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
		world_close(&w);
	}
}

Test(nat, t_7857_2_2_only_an_rst_of_the_session_resets_it)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE), forged = f;

	forged.remote.port++;
	cr_assert_eq(flow_in(&forged, TCP_RST), DROP_NONE, "translated it is, always");
	forged.remote = OTHER;
	cr_assert_eq(flow_in(&forged, TCP_RST), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	world_close(&w);
}

// What answers packets from outside must not keep a mapping for them.
Test(nat, t_7857_7_1_an_rst_from_inside_refreshes_nothing)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE), stranger = f;

	stranger.remote = OTHER;
	world_pass(&w, 7000);
	cr_assert_eq(flow_in(&stranger, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_out(&stranger, TCP_RST | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_view(&f).left_s, 440);
	world_pass(&w, 443);
	cr_assert_not(world_has(&w, f.key));
	world_close(&w);
}

Test(nat, t_5382_10_t_4787_12_an_icmp_error_ends_no_session)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE);

	cr_assert(nat_may_complain(w.nat, NAT_TCP, f.to, REMOTE));
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	cr_assert_eq(flow_view(&f).left_s, 7440);
	world_close(&w);
}

// ---- many connections on one mapping ---------------------------------------------------------

Test(nat, t_6146_a_mapping_lives_as_long_as_any_of_its_sessions)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE), g = flow_open(&w, 4000, OTHER);

	cr_assert(recipe_eq(f.to, g.to));
	flow_out(&f, TCP_FIN | TCP_ACK);
	flow_in(&f, TCP_FIN | TCP_ACK);
	world_pass(&w, 260);
	cr_assert_eq(flow_view(&f).state, NAT_CLOSED);
	cr_assert_eq(flow_out(&g, TCP_ACK), DROP_NONE);
	flow_out(&g, TCP_FIN | TCP_ACK);
	flow_in(&g, TCP_FIN | TCP_ACK);
	world_pass(&w, 250);
	cr_assert(world_has(&w, g.key));
	world_pass(&w, 3);
	cr_assert_not(world_has(&w, g.key));
	cr_assert_eq(nat_counters(w.nat)->sessions, 0);
	world_close(&w);
}

Test(nat, dead_sessions_of_a_busy_mapping_age)
{
	struct world w = open_world();
	struct flow busy = flow_open(&w, 4000, REMOTE), dead = flow_open(&w, 4000, OTHER);

	for (unsigned i = 0; i < 8; i++) {
		world_pass(&w, 930);
		cr_assert_eq(flow_out(&busy, TCP_ACK), DROP_NONE);
		cr_assert_eq(flow_in(&busy, TCP_ACK), DROP_NONE);
	}
	cr_assert_eq(flow_view(&dead).state, NAT_ESTABLISHED);
	world_pass(&w, 3);
	cr_assert_eq(flow_view(&dead).state, NAT_CLOSED);
	cr_assert_eq(flow_view(&busy).left_s, 7437);
	cr_assert_not(looks_closer(&busy));
	world_close(&w);
}

Test(nat, a_mapping_with_one_established_connection_stays_at_one_line)
{
	struct world w = open_world();
	struct flow f = flow_to(&w, 4000, REMOTE), g;

	flow_out(&f, TCP_SYN);
	cr_assert(looks_closer(&f));
	flow_in(&f, TCP_SYN | TCP_ACK);
	cr_assert_not(looks_closer(&f));
	g = flow_open(&w, 4000, OTHER);
	cr_assert(looks_closer(&f));
	flow_in(&g, TCP_RST);
	world_pass(&w, 263);
	cr_assert_not(looks_closer(&f));
	cr_assert_eq(flow_view(&f).left_s, 7440 - 263);
	flow_out(&f, TCP_FIN | TCP_ACK);
	cr_assert(looks_closer(&f));
	world_close(&w);
}

// The slot keeps the time of a plain session; it comes along when others join it.
Test(nat, a_session_keeps_its_time_when_others_come_and_go)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE), g;

	world_pass(&w, 5000);
	flow_out(&f, TCP_ACK);
	world_pass(&w, 5000);
	cr_assert_eq(flow_view(&f).left_s, 2440);
	g = flow_open(&w, 4000, OTHER);
	cr_assert_eq(flow_view(&f).left_s, 2440);
	flow_in(&g, TCP_RST);
	world_pass(&w, 263);
	cr_assert_eq(flow_view(&f).left_s, 2440 - 263);
	world_pass(&w, 2440 - 263);
	cr_assert(world_has(&w, f.key));
	world_pass(&w, 3);
	cr_assert_not(world_has(&w, f.key));
	world_close(&w);
}

// Nobody outside keeps a mapping that the inside has left (RFC 4787 REQ-6).
Test(nat, t_4787_6_syns_from_outside_keep_no_mapping)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE), g = f;

	flow_in(&f, TCP_RST);
	for (uint16_t i = 0; i < 10; i++) {
		g.remote = (struct recipe){OTHER.addr + i, i};
		cr_assert_eq(flow_in(&g, TCP_SYN), DROP_NONE);
		cr_assert_eq(flow_view(&g).state, NAT_E_INIT);
		world_pass(&w, 26);
	}
	cr_assert(world_has(&w, f.key));
	world_pass(&w, 3);
	cr_assert_not(world_has(&w, f.key));
	cr_assert_eq(nat_counters(w.nat)->sessions, 0);
	world_close(&w);
}

// A new SYN of the same endpoints after its time: another connection, on another port.
Test(nat, a_connection_that_idled_out_is_not_revived)
{
	struct world w = open_world();
	struct flow f = flow_open(&w, 4000, REMOTE);
	struct recipe to = f.to;

	world_leap(&w, 7441);
	cr_assert_eq(flow_out(&f, TCP_ACK), DROP_TCP_NO_SESSION);
	cr_assert_eq(flow_out(&f, TCP_SYN), DROP_NONE);
	cr_assert_not(recipe_eq(f.to, to));
	cr_assert_eq(flow_view(&f).state, NAT_I_INIT);
	cr_assert_eq(nat_counters(w.nat)->sessions, 1);
	world_close(&w);
}

Test(nat, a_session_that_idled_out_begins_anew_on_a_mapping_that_lives)
{
	for (unsigned outside = 0; outside < 2; outside++) {
		struct world w = open_world();
		struct flow f = flow_open(&w, 4000, REMOTE), g = flow_open(&w, 4000, OTHER);

		world_pass(&w, 3000);
		flow_out(&g, TCP_ACK);
		world_leap(&w, 4441);
		cr_assert_eq(flow_view(&f).state, NAT_CLOSED);
		cr_assert_eq(outside ? flow_in(&f, TCP_SYN) : flow_out(&f, TCP_SYN), DROP_NONE);
		cr_assert_eq(flow_view(&f).state, outside ? NAT_E_INIT : NAT_I_INIT);
		cr_assert_eq(flow_view(&f).left_s, 240);
		cr_assert_eq(nat_counters(w.nat)->sessions_expired, 1);
		world_close(&w);
	}
}

// ---- leases ----------------------------------------------------------------------------------

Test(nat, t_timers_a_lease_and_sessions_keep_a_mapping_each_by_itself)
{
	struct world w = open_world();
	struct nat_key key = key_of(HOST, NAT_TCP, 4000);
	struct recipe to = world_map(&w, key, 1, 600);
	struct flow f = flow_open(&w, 4000, REMOTE);

	cr_assert(recipe_eq(f.to, to));
	world_pass(&w, 601);
	cr_assert_eq(world_look(&w, key).kind, NAT_IMPLICIT);
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	cr_assert(recipe_eq(world_map(&w, key, 1, 86400), to));
	flow_in(&f, TCP_RST);
	world_pass(&w, 300);
	cr_assert_eq(flow_view(&f).state, NAT_CLOSED);
	cr_assert_eq(world_look(&w, key).kind, NAT_EXPLICIT);
	cr_assert_not(world_look(&w, key).traffic);
	world_close(&w);
}

Test(nat, an_unanswered_syn_does_not_outlive_a_lease)
{
	struct world w = open_world();
	struct nat_key key = key_of(HOST, NAT_TCP, 4000);
	struct flow f = flow_to(&w, 4000, REMOTE);

	f.to = world_map(&w, key, 1, 600);
	cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
	world_end(&w, key, false);
	cr_assert_eq(world_look(&w, key).kind, NAT_RESTING);
	cr_assert_eq(nat_counters(w.nat)->sessions, 0);
	world_close(&w);
}

Test(nat, rfc6887_s16_2_figure_16_closing_ends_the_peer_lease_of_that_very_flow)
{
	struct world w = open_world();
	struct nat_key key = key_of(HOST, NAT_TCP, 4000);
	struct flow f, g;

	world_peer(&w, key, 1, 86400, REMOTE);
	world_peer(&w, key, 1, 86400, OTHER);
	f = flow_open(&w, 4000, REMOTE);
	g = flow_open(&w, 4000, OTHER);
	flow_in(&f, TCP_RST);
	world_pass(&w, 260);
	cr_assert_eq(world_look_peer(&w, key, REMOTE).kind, NAT_PEER);
	world_pass(&w, 3);
	cr_assert_eq(world_look_peer(&w, key, REMOTE).kind, NAT_ABSENT);
	cr_assert_eq(world_look_peer(&w, key, OTHER).kind, NAT_PEER);
	flow_out(&g, TCP_FIN | TCP_ACK);
	flow_in(&g, TCP_FIN | TCP_ACK);
	world_pass(&w, 253);
	cr_assert_eq(world_look(&w, key).kind, NAT_RESTING);
	cr_assert_eq(nat_counters(w.nat)->peers_expired, 2);
	world_close(&w);
}
