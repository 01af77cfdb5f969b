// SPDX-License-Identifier: Apache-2.0
// TCP connections from their first segment to their last, alone and side by side.
#include "flow.h"

Test(nat, t_5382_2_a_connection_from_inside_and_one_from_outside)
{
	struct world w = flow_world();
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
	struct world w = flow_world();
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
		struct world w = flow_world();
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
	struct world w = flow_world();
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
	struct world w = flow_world();
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
		struct world w = flow_world();
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
		struct world w = flow_world();
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
	struct world w = flow_world();
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
	struct world w = flow_world();
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
	struct world w = flow_world();
	struct flow f = flow_open(&w, 4000, REMOTE);

	cr_assert(nat_may_complain(w.nat, NAT_TCP, f.to, REMOTE));
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	cr_assert_eq(flow_view(&f).left_s, 7440);
	world_close(&w);
}

// ---- many connections on one mapping ---------------------------------------------------------

Test(nat, t_6146_a_mapping_lives_as_long_as_any_of_its_sessions)
{
	struct world w = flow_world();
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
	struct world w = flow_world();
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
	struct world w = flow_world();
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
	cr_assert_not(looks_closer(&f), "half closed, it is used like one that is open");
	flow_in(&f, TCP_FIN | TCP_ACK);
	cr_assert(looks_closer(&f));
	world_close(&w);
}

// The slot keeps the time of a plain session; it comes along when others join it.
Test(nat, a_session_keeps_its_time_when_others_come_and_go)
{
	struct world w = flow_world();
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
	struct world w = flow_world();
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
	struct world w = flow_world();
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
		struct world w = flow_world();
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
	struct world w = flow_world();
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
	struct world w = flow_world();
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
	struct world w = flow_world();
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
