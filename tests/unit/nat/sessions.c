// SPDX-License-Identifier: Apache-2.0
#include "flow.h"

static struct world open_with(uint32_t sessions, enum nat_filtering filtering)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct world w;

	limits.sessions = sessions;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	world_filter(&w, filtering);
	return w;
}

static void limit_sessions(struct world *w, uint32_t limit)
{
	w->policy.session_limit = limit;
	nat_set_policy(w->nat, 0, &w->policy);
}

static struct recipe peer_at(uint32_t i)
{
	return (struct recipe){0xc0000200 + i / 8, (uint16_t)(1000 + i % 8)};
}

static enum drop send_udp(struct world *w, uint16_t port, struct recipe remote)
{
	struct recipe to;

	return world_send(w, key_of(HOST, NAT_UDP, port), 0, 0, remote, &to);
}

static uint64_t sessions_now(const struct world *w)
{
	return nat_counters(w->nat)->sessions;
}

// ---- the table -------------------------------------------------------------------------------

Test(nat, every_session_of_a_mapping_is_found_and_none_of_another)
{
	struct world w = open_with(1024, NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to;

	cr_assert_eq(send_udp(&w, 2, peer_at(9999)), DROP_NONE);
	for (uint32_t i = 0; i < 500; i++)
		cr_assert_eq(send_udp(&w, 1, peer_at(i)), DROP_NONE);
	cr_assert(nat_peek_out(w.nat, &key, &to));
	for (uint32_t i = 0; i < 500; i++) {
		cr_assert_eq(session_of(&w, key, peer_at(i)).state, NAT_OPEN);
		cr_assert_eq(world_receive(&w, NAT_UDP, to, peer_at(i), 0), DROP_NONE);
		cr_assert_eq(
			world_receive(&w, NAT_UDP, to, peer_at(500 + i), 0), DROP_FILTERED_APDF);
	}
	cr_assert_eq(world_subscriber(&w, HOST).n_sessions, 501);
	world_close(&w);
}

Test(nat, sessions_come_and_go_in_any_order)
{
	struct world w = open_with(200, NAT_APDF);
	struct rng r;

	rng_init_u64(&r, 6146);
	for (unsigned i = 0; i < 4000; i++) {
		uint16_t port = (uint16_t)rng_below(&r, 4);

		if (rng_below(&r, 60) == 0)
			nat_delete(w.nat, &(struct nat_key){HOST, port, 1, NAT_UDP}, w.now_s);
		else if (rng_below(&r, 4) == 0)
			world_pass(&w, rng_below(&r, 20));
		else
			send_udp(&w, port, peer_at(rng_below(&r, 60)));
		if (i % 16 == 0)
			world_recount(&w);
	}
	world_close(&w);
}

struct seen {
	unsigned count, stop_at;
};

static bool count_session(void *ctx, const struct nat_session_view *view)
{
	struct seen *seen = ctx;

	cr_assert_eq(view->state, NAT_OPEN);
	cr_assert_eq(view->left_s, 300);
	return ++seen->count != seen->stop_at;
}

Test(nat, a_walk_shows_each_session_once_in_portions)
{
	struct world w = open_with(1024, NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_UDP, 1), none = key_of(HOST, NAT_UDP, 2);
	struct seen seen = {0, 0}, stopped = {0, 5};
	uint32_t cursor = 0;
	unsigned calls = 1;

	for (uint32_t i = 0; i < 100; i++)
		cr_assert_eq(send_udp(&w, 1, peer_at(i)), DROP_NONE);
	for (; !nat_session_walk(w.nat, &key, &cursor, 7, w.now_s, count_session, &seen); calls++)
		cr_assert_leq(seen.count, calls * 7);
	cr_assert_eq(seen.count, 100);
	cr_assert_eq(calls, 15);
	cursor = 0;
	cr_assert_not(nat_session_walk(w.nat, &key, &cursor, 70, w.now_s, count_session, &stopped));
	cr_assert_eq(stopped.count, 5);
	nat_delete(w.nat, &key, w.now_s);
	cr_assert(nat_session_walk(w.nat, &key, &cursor, 70, w.now_s, count_session, &stopped));
	cursor = 0;
	cr_assert(nat_session_walk(w.nat, &none, &cursor, 7, w.now_s, count_session, &stopped));
	cr_assert_eq(stopped.count, 5);
	world_close(&w);
}

// ---- limits ----------------------------------------------------------------------------------

Test(nat, t_6888_5_a_subscribers_sessions_are_limited)
{
	struct world w = open_with(1024, NAT_APDF);

	limit_sessions(&w, 10);
	for (uint32_t i = 0; i < 10; i++)
		cr_assert_eq(send_udp(&w, (uint16_t)(i % 3), peer_at(i)), DROP_NONE);
	cr_assert_eq(send_udp(&w, 1, peer_at(10)), DROP_QUOTA_SESSIONS);
	cr_assert_eq(send_udp(&w, 4, peer_at(10)), DROP_QUOTA_SESSIONS, "nor a new mapping");
	cr_assert_not(world_has(&w, key_of(HOST, NAT_UDP, 4)));
	for (uint32_t i = 0; i < 10; i++)
		cr_assert_eq(send_udp(&w, (uint16_t)(i % 3), peer_at(i)), DROP_NONE);
	cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_UDP, 1)), DROP_NONE, "another one may");
	world_pass(&w, 303);
	cr_assert_eq(send_udp(&w, 1, peer_at(10)), DROP_NONE);
	world_close(&w);
}

Test(nat, t_6888_11d_a_full_session_table_evicts_nobody)
{
	struct world w = open_with(10, NAT_APDF);

	for (uint32_t i = 0; i < 10; i++)
		cr_assert_eq(send_udp(&w, 1, peer_at(i)), DROP_NONE);
	cr_assert_eq(send_udp(&w, 1, peer_at(10)), DROP_SESSIONS_FULL);
	cr_assert_eq(world_try(&w, key_of(HOST + 1, NAT_UDP, 1)), DROP_SESSIONS_FULL);
	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST + 1), "and nothing is left of it");
	for (uint32_t i = 0; i < 10; i++)
		cr_assert_eq(session_of(&w, key_of(HOST, NAT_UDP, 1), peer_at(i)).state, NAT_OPEN);
	world_close(&w);
}

// Under EIF a session is a record and no condition: packets pass, and the mapping is kept by what
// it can tell from them itself.
Test(nat, t_4787_11_sessions_that_find_no_room_change_nothing_under_eif)
{
	struct world w = open_with(1, NAT_EIF);
	struct flow f = flow_open(&w, 4000, REMOTE), g = flow_to(&w, 4000, OTHER);

	cr_assert_eq(flow_out(&g, TCP_SYN), DROP_NONE);
	cr_assert_eq(nat_counters(w.nat)->sessions_unrecorded, 1);
	cr_assert_eq(flow_in(&g, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_out(&g, TCP_ACK), DROP_NONE);
	flow_in(&f, TCP_RST);
	for (unsigned i = 0; i < 4; i++) {
		world_pass(&w, 200);
		cr_assert_eq(world_send(&w, g.key, TCP_ACK, 1, OTHER, &g.to), DROP_NONE);
		cr_assert(recipe_eq(g.to, f.to));
	}
	cr_assert_eq(sessions_now(&w), 0);
	world_pass(&w, 7440);
	cr_assert(world_has(&w, g.key));
	world_pass(&w, 12);
	cr_assert_not(world_has(&w, g.key));
	world_close(&w);
}

Test(nat, tcp_without_any_session_table_lives_by_classes)
{
	struct world w = open_with(0, NAT_EIF);
	struct nat_key key = key_of(HOST, NAT_TCP, 1);
	struct recipe to;

	cr_assert_eq(world_tcp(&w, key, TCP_SYN, 0, &to), DROP_NONE);
	cr_assert_eq(world_receive(&w, NAT_TCP, to, REMOTE, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(world_look(&w, key).idle_left_s, 240);
	cr_assert_eq(world_tcp(&w, key, TCP_ACK, 0, &to), DROP_NONE);
	cr_assert_eq(world_look(&w, key).idle_left_s, 7440);
	cr_assert_eq(world_tcp(&w, key, TCP_FIN | TCP_ACK, 0, &to), DROP_NONE);
	cr_assert_eq(world_look(&w, key).idle_left_s, 240);
	world_pass(&w, 252);
	cr_assert_not(world_has(&w, key));
	world_close(&w);
}

Test(nat, a_connection_on_a_mapping_kept_without_records_does_not_end_it)
{
	struct world w = open_with(1, NAT_EIF);
	struct flow first = flow_open(&w, 4000, REMOTE), f = flow_to(&w, 4001, REMOTE), g = f;

	cr_assert_eq(flow_out(&f, TCP_SYN), DROP_NONE); // finds no room
	cr_assert_eq(world_send(&w, f.key, TCP_ACK, 1, REMOTE, &f.to), DROP_NONE);
	nat_delete(w.nat, &first.key, w.now_s);
	g.remote = OTHER;
	cr_assert_eq(flow_out(&g, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_view(&g).state, NAT_I_INIT);
	world_pass(&w, 243);
	cr_assert_eq(sessions_now(&w), 0);
	cr_assert_eq(world_send(&w, f.key, TCP_ACK, 1, REMOTE, &f.to), DROP_NONE);
	cr_assert(recipe_eq(f.to, g.to));
	world_pass(&w, 7000);
	cr_assert(world_has(&w, f.key));
	world_close(&w);
}

Test(nat, what_outsiders_begin_leaves_a_quarter_to_the_inside)
{
	struct world w = open_with(100, NAT_EIF);
	struct flow f = flow_open(&w, 4000, REMOTE), g = f;

	for (uint32_t i = 0; i < 200; i++) {
		g.remote = peer_at(i);
		cr_assert_eq(flow_in(&g, TCP_SYN), DROP_NONE);
	}
	cr_assert_eq(sessions_now(&w), 75);
	cr_assert_eq(nat_counters(w.nat)->sessions_unrecorded, 126);
	for (uint16_t i = 0; i < 25; i++)
		flow_open(&w, (uint16_t)(5000 + i), REMOTE);
	cr_assert_eq(nat_counters(w.nat)->sessions_unrecorded, 126);
	world_close(&w);
}

Test(nat, of_his_session_limit_outsiders_begin_three_quarters_at_most)
{
	struct world w = open_with(1000, NAT_EIF);
	struct flow f, g;

	limit_sessions(&w, 20);
	f = g = flow_open(&w, 4000, REMOTE);
	for (uint32_t i = 0; i < 30; i++) {
		g.remote = peer_at(i);
		cr_assert_eq(flow_in(&g, TCP_SYN), DROP_NONE);
	}
	cr_assert_eq(sessions_now(&w), 15);
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	world_close(&w);
}

Test(nat, of_one_mapping_outsiders_begin_255_at_most)
{
	struct world w = open_with(1000, NAT_EIF);
	struct flow f = flow_open(&w, 4000, REMOTE), g = f;

	for (uint32_t i = 0; i < 300; i++) {
		g.remote = peer_at(i);
		cr_assert_eq(flow_in(&g, TCP_SYN), DROP_NONE);
	}
	cr_assert_eq(sessions_now(&w), 256);
	g.remote = peer_at(7);
	cr_assert_eq(flow_out(&g, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_view(&g).state, NAT_ESTABLISHED);
	g.remote = peer_at(290);
	cr_assert_eq(flow_in(&g, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_view(&g).state, NAT_E_INIT, "one was answered");
	world_close(&w);
}

// ---- the end of a mapping --------------------------------------------------------------------

Test(nat, a_mappings_many_sessions_are_forgotten_at_once_and_freed_in_portions)
{
	struct world w = open_with(1000, NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to;
	uint32_t used = 900;

	for (uint32_t i = 0; i < 900; i++)
		cr_assert_eq(send_udp(&w, 1, peer_at(i)), DROP_NONE);
	cr_assert(nat_peek_out(w.nat, &key, &to));
	nat_delete(w.nat, &key, w.now_s);
	cr_assert_eq(sessions_now(&w), 0);
	cr_assert_eq(world_subscriber(&w, HOST).n_sessions, 0);
	world_recount(&w);
	for (; w.nat->session_used > 0; used = w.nat->session_used) {
		nat_step(w.nat, w.now_s);
		cr_assert_geq(w.nat->session_used + 64, used);
	}
	world_close(&w);
}

// The next one on the same external port is another mapping, whoever it belongs to.
Test(nat, a_reused_port_never_sees_the_sessions_that_were)
{
	struct world w = open_with(1000, NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_TCP, 1), next = key_of(HOST + 1, NAT_TCP, 7);
	struct recipe at = {POOL_A, 80};

	for (unsigned round = 0; round < 3; round++) {
		cr_assert_eq(nat_static_add(w.nat, &key, at, true, w.now_s), 0);
		for (uint32_t i = 0; i < 100; i++) {
			struct flow f = {&w, key, peer_at(i), at};
			cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
			cr_assert_eq(flow_out(&f, TCP_SYN | TCP_ACK), DROP_NONE);
		}
		cr_assert_eq(sessions_now(&w), 100);
		cr_assert(nat_delete(w.nat, &key, w.now_s));
		cr_assert_eq(nat_static_add(w.nat, &next, at, true, w.now_s), 0);
		for (uint32_t i = 0; i < 100; i++)
			cr_assert_eq(session_of(&w, next, peer_at(i)).state, NAT_CLOSED);
		cr_assert_not(nat_may_complain(w.nat, NAT_UDP, at, peer_at(1)));
		world_recount(&w);
		cr_assert(nat_delete(w.nat, &next, w.now_s));
	}
	world_pass(&w, 3);
	cr_assert_eq(w.nat->session_used, 0);
	world_close(&w);
}

Test(nat, forgotten_permits_go_with_their_sessions)
{
	struct world w = open_with(1000, NAT_ADF);
	struct flow f;

	for (uint32_t i = 0; i < 200; i++)
		f = flow_open(&w, 4000, peer_at(i));
	cr_assert_eq(w.nat->session_used, 200 + 25);
	nat_delete(w.nat, &f.key, w.now_s);
	world_recount(&w);
	world_settle(&w);
	cr_assert_eq(w.nat->session_used, 0);
	world_close(&w);
}

// A peer knows the old endpoint only.
Test(nat, a_mapping_that_moves_leaves_its_sessions)
{
	struct world w = open_with(1000, NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to;

	world_peer(&w, key, 1, 3600, OTHER);
	cr_assert_eq(send_udp(&w, 1, REMOTE), DROP_NONE);
	world_add(&w, POOL_B, 1024, 65535);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	cr_assert(nat_peek_out(w.nat, &key, &to));
	cr_assert_eq(to.addr, POOL_B);
	cr_assert_eq(sessions_now(&w), 0);
	cr_assert_eq(world_receive(&w, NAT_UDP, to, REMOTE, 0), DROP_FILTERED_APDF);
	cr_assert_eq(send_udp(&w, 1, REMOTE), DROP_NONE);
	cr_assert_eq(world_receive(&w, NAT_UDP, to, REMOTE, 0), DROP_NONE);
	world_close(&w);
}

// ---- the sweep -------------------------------------------------------------------------------

Test(nat, t_drift_sessions_end_within_two_seconds)
{
	struct world w = open_with(1000, NAT_APDF);
	uint64_t before;

	world_out_answered(
		&w, key_of(HOST, NAT_TCP, 1)); // so that the block's mappings live longer
	for (uint32_t i = 0; i < 600; i++) {
		cr_assert_eq(send_udp(&w, (uint16_t)(i % 5), peer_at(i)), DROP_NONE);
		if (i % 10 == 9)
			world_pass(&w, 1);
	}
	before = sessions_now(&w);
	cr_assert_eq(before, 601);
	world_pass(&w, 300 - 60);
	for (uint32_t second = 0; second < 60; second++) {
		cr_assert_leq(sessions_now(&w), 601 - (second < 2 ? 0 : second - 2) * 10);
		cr_assert_geq(sessions_now(&w), 601 - (second + 1) * 10);
		world_pass(&w, 1);
	}
	world_close(&w);
}

Test(nat, the_sweep_of_sessions_takes_bounded_steps)
{
	struct world w = open_with(5000, NAT_APDF);
	bool more = true;

	world_out_answered(&w, key_of(HOST, NAT_TCP, 1));
	for (uint32_t i = 0; i < 4999; i++)
		cr_assert_eq(send_udp(&w, (uint16_t)(i % 5), peer_at(i)), DROP_NONE);
	world_pass(&w, 200);
	for (uint16_t i = 0; i < 5; i++)
		cr_assert_eq(send_udp(&w, i, peer_at(i)), DROP_NONE);
	world_leap(&w, 101);
	while (more) {
		uint64_t before = sessions_now(&w);
		more = nat_step(w.nat, w.now_s);
		cr_assert_leq(before - sessions_now(&w), 32);
	}
	world_pass(&w, 2);
	cr_assert_eq(sessions_now(&w), 6);
	cr_assert_eq(nat_counters(w.nat)->sessions_expired, 4994);
	world_close(&w);
}

Test(nat, a_group_of_sessions_is_left_alone_until_one_of_them_may_be_over)
{
	struct world w = flow_world();
	struct flow f = flow_open(&w, 4000, REMOTE);
	const uint32_t *due = &w.nat->session_due[0];

	cr_assert_eq(*due, w.now_s + 241, "since its SYN");
	world_pass(&w, 243);
	cr_assert_eq(*due, w.now_s - 243 + 7441);
	flow_out(&f, TCP_FIN | TCP_ACK);
	cr_assert_eq(*due, w.now_s - 243 + 7441, "half closed, it may last as long");
	flow_in(&f, TCP_FIN | TCP_ACK);
	cr_assert_eq(*due, w.now_s + 251);
	world_pass(&w, 253);
	cr_assert_eq(*due, UINT32_MAX, "nobody is left");
	world_close(&w);
}

Test(nat, new_session_timers_count_at_once)
{
	struct world w = open_with(10, NAT_EIF);
	struct nat_timers timers = WORLD_TIMERS;
	struct flow f = flow_open(&w, 4000, REMOTE);

	timers.tcp_rst = 20;
	nat_set_timers(w.nat, &timers);
	flow_in(&f, TCP_RST);
	cr_assert_eq(flow_view(&f).left_s, 20);
	world_pass(&w, 23);
	cr_assert_not(world_has(&w, f.key));
	world_close(&w);
}

// The second of a session has 16 bits, like a slot's.
Test(nat, the_longest_connections_still_end)
{
	struct world w = open_with(10, NAT_EIF);
	struct nat_timers timers = WORLD_TIMERS;
	struct flow f, g;

	timers.tcp_idle = UINT16_MAX;
	nat_set_timers(w.nat, &timers);
	f = flow_open(&w, 4000, REMOTE);
	g = flow_open(&w, 4001, REMOTE);
	flow_open(&w, 4001, OTHER);
	for (unsigned i = 0; i < 3; i++) {
		world_pass(&w, 40000);
		cr_assert_eq(flow_out(&f, TCP_ACK), DROP_NONE);
		cr_assert_eq(flow_out(&g, TCP_ACK), DROP_NONE);
	}
	cr_assert_eq(sessions_now(&w), 2);
	world_pass(&w, 65000);
	cr_assert_eq(sessions_now(&w), 2);
	world_pass(&w, 3);
	cr_assert_eq(sessions_now(&w), 0);
	world_close(&w);
}

// ---- events ----------------------------------------------------------------------------------

static unsigned count_events(struct world *w, enum nat_event_kind kind, struct nat_event *last)
{
	struct nat_event e;
	unsigned count = 0;

	while (nat_event_next(w->nat, &e)) {
		if (e.kind != kind)
			continue;
		*last = e;
		count++;
	}
	return count;
}

Test(nat, t_8158_sessions_are_told_where_the_policy_asks_for_it)
{
	for (unsigned on = 0; on < 2; on++) {
		struct world w = open_with(100, NAT_EIF);
		struct nat_event e = {0};
		struct flow f;

		w.policy.log_sessions = on;
		nat_set_policy(w.nat, 0, &w.policy);
		f = flow_open(&w, 4000, REMOTE);
		cr_assert_eq(count_events(&w, NAT_EVENT_SESSION_CREATED, &e), on);
		cr_assert(!on || (recipe_eq(e.remote, REMOTE) && recipe_eq(e.external, f.to)));
		flow_in(&f, TCP_RST);
		world_pass(&w, 243);
		cr_assert_eq(count_events(&w, NAT_EVENT_SESSION_DELETED, &e), on);
		cr_assert(!on || key_word(&e.key) == key_word(&f.key));
		world_close(&w);
	}
}

// Whose they were is known when their mapping has ended, and even after others have its port.
Test(nat, t_8158_session_events_of_a_forgotten_ring_name_its_host)
{
	struct world w = open_with(100, NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct nat_event e = {0};

	w.policy.log_sessions = true;
	nat_set_policy(w.nat, 0, &w.policy);
	for (uint32_t i = 0; i < 20; i++)
		cr_assert_eq(send_udp(&w, 1, peer_at(i)), DROP_NONE);
	nat_delete(w.nat, &key, w.now_s);
	world_settle(&w);
	cr_assert_eq(count_events(&w, NAT_EVENT_SESSION_DELETED, &e), 20);
	cr_assert_eq(key_word(&e.key), key_word(&key));
	world_close(&w);
}

Test(nat, t_6888_5_a_session_limit_that_was_reached_is_told)
{
	struct world w = open_with(100, NAT_APDF);
	struct nat_event e = {0};

	limit_sessions(&w, 1);
	cr_assert_eq(send_udp(&w, 1, peer_at(1)), DROP_NONE);
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(send_udp(&w, 1, peer_at(2)), DROP_QUOTA_SESSIONS);
	cr_assert_eq(count_events(&w, NAT_EVENT_QUOTA_SESSIONS, &e), 1);
	cr_assert(e.key.host == HOST && e.limit == 1);
	world_close(&w);
}
