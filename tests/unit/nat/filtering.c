// SPDX-License-Identifier: Apache-2.0
#include "flow.h"

static const uint8_t PROTOCOLS[] = {NAT_UDP, NAT_TCP, NAT_ICMP};

static const struct recipe NEAR = {0xc6336401, 4712}; // REMOTE's address, another port

static struct world open_world(enum nat_filtering filtering)
{
	struct world w = world_simple(64);

	world_filter(&w, filtering);
	return w;
}

// A packet from inside to this remote endpoint; the external endpoint.
static struct recipe send_to(struct world *w, struct nat_key key, struct recipe remote)
{
	struct recipe to;

	cr_assert_eq(world_send(w, key, TCP_SYN, 0, remote, &to), DROP_NONE);
	return to;
}

static enum drop receive(struct world *w, uint8_t protocol, struct recipe at, struct recipe from)
{
	return world_receive(w, protocol, at, from, TCP_ACK);
}

// ---- who may send in -------------------------------------------------------------------------

Test(nat, t_6888_7_t_4787_8_endpoint_independent_filtering_is_the_default)
{
	struct world w = world_simple(64);

	for (unsigned i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
		uint8_t protocol = PROTOCOLS[i];
		struct recipe to = send_to(&w, key_of(HOST, protocol, 4000), REMOTE);

		cr_assert_eq(receive(&w, protocol, to, REMOTE), DROP_NONE);
		cr_assert_eq(receive(&w, protocol, to, OTHER), DROP_NONE);
	}
	cr_assert_eq(nat_counters(w.nat)->sessions, 1, "the TCP one");
	world_close(&w);
}

Test(nat, t_4787_8a_t_5382_3a_adf_keeps_unknown_addresses_out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
		struct world w = open_world(NAT_ADF);
		uint8_t protocol = PROTOCOLS[i];
		struct recipe to = send_to(&w, key_of(HOST, protocol, 4000), REMOTE);

		cr_assert_eq(receive(&w, protocol, to, REMOTE), DROP_NONE);
		cr_assert_eq(receive(&w, protocol, to, NEAR), DROP_NONE, "any port");
		cr_assert_eq(receive(&w, protocol, to, OTHER), DROP_FILTERED_ADF);
		cr_assert(recipe_eq(send_to(&w, key_of(HOST, protocol, 4000), OTHER), to), "EIM");
		cr_assert_eq(receive(&w, protocol, to, OTHER), DROP_NONE);
		world_close(&w);
	}
}

Test(nat, t_4787_8a_t_5382_3a_apdf_keeps_unknown_ports_out)
{
	static const uint8_t protocols[] = {NAT_UDP, NAT_TCP};

	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct world w = open_world(NAT_APDF);
		uint8_t protocol = protocols[i];
		struct recipe to = send_to(&w, key_of(HOST, protocol, 4000), REMOTE);

		cr_assert_eq(receive(&w, protocol, to, REMOTE), DROP_NONE);
		cr_assert_eq(receive(&w, protocol, to, NEAR), DROP_FILTERED_APDF);
		cr_assert_eq(receive(&w, protocol, to, OTHER), DROP_FILTERED_APDF);
		cr_assert(recipe_eq(send_to(&w, key_of(HOST, protocol, 4000), NEAR), to), "EIM");
		cr_assert_eq(receive(&w, protocol, to, NEAR), DROP_NONE);
		world_close(&w);
	}
}

// ICMP has no remote port: its address is all there is to ask for.
Test(nat, t_4787_8a_apdf_of_icmp_asks_for_the_address)
{
	struct world w = open_world(NAT_APDF);
	struct recipe to = send_to(&w, key_of(HOST, NAT_ICMP, 7), REMOTE);

	cr_assert_eq(receive(&w, NAT_ICMP, to, NEAR), DROP_NONE);
	cr_assert_eq(receive(&w, NAT_ICMP, to, OTHER), DROP_FILTERED_APDF);
	world_close(&w);
}

Test(nat, t_5382_3b_each_protocol_has_a_filtering_of_its_own)
{
	struct world w = world_simple(64);
	struct recipe to[NAT_PROTOCOLS];

	w.policy.filtering[NAT_TCP - 1] = NAT_APDF;
	w.policy.filtering[NAT_ICMP - 1] = NAT_ADF;
	nat_set_policy(w.nat, 0, &w.policy);
	for (unsigned i = 0; i < ARRAY_SIZE(PROTOCOLS); i++)
		to[i] = send_to(&w, key_of(HOST, PROTOCOLS[i], 4000), REMOTE);
	cr_assert_eq(receive(&w, NAT_UDP, to[0], OTHER), DROP_NONE);
	cr_assert_eq(receive(&w, NAT_TCP, to[1], NEAR), DROP_FILTERED_APDF);
	cr_assert_eq(receive(&w, NAT_ICMP, to[2], OTHER), DROP_FILTERED_ADF);
	world_close(&w);
}

// Rule U of RFC 5382 REQ-4 is for the shard to follow: it must know them from other segments.
Test(nat, t_5382_4_unsolicited_syns_are_told_apart)
{
	struct world w = open_world(NAT_APDF);
	struct recipe to = send_to(&w, key_of(HOST, NAT_TCP, 4000), REMOTE);
	struct recipe unmapped = {to.addr, to.port ^ 1}, nowhere = {POOL_C, 80};

	cr_assert_eq(world_receive(&w, NAT_TCP, to, NEAR, TCP_SYN), DROP_UNSOLICITED_SYN);
	cr_assert_eq(world_receive(&w, NAT_TCP, unmapped, NEAR, TCP_SYN), DROP_UNSOLICITED_SYN);
	cr_assert_eq(world_receive(&w, NAT_TCP, nowhere, NEAR, TCP_SYN), DROP_UNSOLICITED_SYN);
	cr_assert_eq(world_receive(&w, NAT_TCP, to, NEAR, TCP_SYN | TCP_ACK), DROP_FILTERED_APDF);
	cr_assert_eq(world_receive(&w, NAT_TCP, unmapped, NEAR, TCP_RST), DROP_NO_MAPPING_INBOUND);
	cr_assert_eq(world_receive(&w, NAT_UDP, to, NEAR, 0), DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

// The inner leg of a hairpin comes from an external endpoint of ours (RFC 4787 REQ-9).
Test(nat, t_4787_9_hairpins_are_filtered_like_others)
{
	struct world w = open_world(NAT_APDF);
	struct nat_key one = key_of(HOST, NAT_UDP, 1), two = key_of(HOST + 1, NAT_UDP, 2);
	struct recipe at_one = send_to(&w, one, REMOTE), at_two = send_to(&w, two, REMOTE);

	cr_assert_eq(receive(&w, NAT_UDP, at_two, at_one), DROP_FILTERED_APDF);
	send_to(&w, two, at_one);
	cr_assert_eq(receive(&w, NAT_UDP, at_two, at_one), DROP_NONE);
	world_close(&w);
}

Test(nat, a_packet_kept_out_leaves_no_mark)
{
	struct world w = open_world(NAT_ADF);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = send_to(&w, key, REMOTE);

	cr_assert_eq(receive(&w, NAT_UDP, to, OTHER), DROP_FILTERED_ADF);
	cr_assert_not(world_look(&w, key).replied);
	cr_assert_eq(receive(&w, NAT_UDP, to, REMOTE), DROP_NONE);
	cr_assert(world_look(&w, key).replied);
	world_close(&w);
}

// ---- how long --------------------------------------------------------------------------------

Test(nat, t_4787_8_a_peer_may_send_while_its_session_lives)
{
	struct world w = open_world(NAT_ADF);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = send_to(&w, key, REMOTE);

	cr_assert_eq(receive(&w, NAT_UDP, to, REMOTE), DROP_NONE);
	world_pass(&w, 200);
	send_to(&w, key, OTHER);
	world_pass(&w, 100);
	cr_assert_eq(receive(&w, NAT_UDP, to, REMOTE), DROP_NONE);
	world_leap(&w, 1); // and no sweep yet
	cr_assert_eq(receive(&w, NAT_UDP, to, REMOTE), DROP_FILTERED_ADF);
	cr_assert_eq(receive(&w, NAT_UDP, to, OTHER), DROP_NONE);
	send_to(&w, key, REMOTE);
	cr_assert_eq(receive(&w, NAT_UDP, to, REMOTE), DROP_NONE);
	cr_assert_eq(nat_counters(w.nat)->sessions, 2);
	world_close(&w);
}

static void query_session_lives_60_s(enum nat_filtering filtering, enum drop why)
{
	struct world w = open_world(filtering);
	struct nat_key key = key_of(HOST, NAT_ICMP, 7);
	struct recipe to = send_to(&w, key, REMOTE);

	world_pass(&w, 30);
	send_to(&w, key, OTHER); // the mapping lives longer, and it is the session that decides
	for (unsigned i = 0; i < 30; i++) {
		cr_assert_eq(receive(&w, NAT_ICMP, to, REMOTE), DROP_NONE);
		world_pass(&w, 1);
	}
	cr_assert_eq(receive(&w, NAT_ICMP, to, REMOTE), DROP_NONE);
	world_leap(&w, 1); // and no sweep yet
	cr_assert_eq(receive(&w, NAT_ICMP, to, REMOTE), why);
	cr_assert_eq(receive(&w, NAT_ICMP, to, OTHER), DROP_NONE);
	world_close(&w);
}

Test(nat, t_5508_2_a_query_session_lives_sixty_seconds)
{
	query_session_lives_60_s(NAT_ADF, DROP_FILTERED_ADF);
	query_session_lives_60_s(NAT_APDF, DROP_FILTERED_APDF);
}

// Under ADF a TCP session lets in its whole address, until the last one to it is over.
Test(nat, t_5382_3a_adf_of_tcp_lasts_as_long_as_the_sessions_to_the_address)
{
	struct world w = open_world(NAT_ADF);
	struct flow f = flow_open(&w, 4000, REMOTE), g = flow_open(&w, 4000, NEAR);
	struct flow h = flow_open(&w, 4000, OTHER), new = f;

	new.remote.port = 9;
	flow_in(&f, TCP_RST);
	world_pass(&w, 243);
	cr_assert_eq(flow_in(&new, TCP_SYN), DROP_NONE);
	flow_in(&g, TCP_RST);
	world_pass(&w, 243);
	cr_assert_eq(flow_in(&new, TCP_SYN), DROP_UNSOLICITED_SYN, "what it began does not count");
	cr_assert_eq(flow_in(&h, TCP_ACK), DROP_NONE);
	cr_assert_eq(nat_counters(w.nat)->sessions, 1);
	world_close(&w);
}

Test(nat, a_session_begun_outside_opens_its_address_when_it_is_answered)
{
	struct world w = open_world(NAT_ADF);
	struct flow f = flow_to(&w, 4000, REMOTE), near = f;

	near.remote = NEAR;
	f.to = near.to = world_map(&w, f.key, 1, 600);
	cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
	flow_out(&f, TCP_SYN | TCP_ACK);
	world_end(&w, f.key, false);
	cr_assert_eq(world_look(&w, f.key).kind, NAT_IMPLICIT);
	cr_assert_eq(flow_in(&near, TCP_SYN), DROP_NONE);
	near.remote = OTHER;
	cr_assert_eq(flow_in(&near, TCP_SYN), DROP_UNSOLICITED_SYN);
	world_close(&w);
}

// ---- leases ----------------------------------------------------------------------------------

Test(nat, rfc6887_s11_a_map_lease_lets_anybody_in_whatever_the_filtering)
{
	for (unsigned i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
		struct world w = open_world(NAT_APDF);
		uint8_t protocol = PROTOCOLS[i];
		struct nat_key key = key_of(HOST, protocol, 4000);
		struct recipe to = world_map(&w, key, 1, 600);

		cr_assert_eq(receive(&w, protocol, to, OTHER), DROP_NONE);
		send_to(&w, key, REMOTE);
		world_end(&w, key, false);
		cr_assert_eq(world_look(&w, key).kind, NAT_IMPLICIT);
		cr_assert_eq(receive(&w, protocol, to, OTHER), DROP_FILTERED_APDF);
		cr_assert_eq(receive(&w, protocol, to, REMOTE), DROP_NONE);
		world_close(&w);
	}
}

Test(nat, rfc6887_s13_3_filters_decide_alone_under_adf)
{
	struct world w = open_world(NAT_ADF);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000);
	struct nat_wish wish = wish_of(key, 1, 600);
	const struct nat_filter filter = {OTHER.addr, 32, 0};
	struct nat_view view;

	wish.n_filters = 1;
	wish.filters = &filter;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(receive(&w, NAT_UDP, view.external, OTHER), DROP_NONE);
	cr_assert_eq(receive(&w, NAT_UDP, view.external, REMOTE), DROP_PCP_FILTER);
	send_to(&w, key, REMOTE);
	cr_assert_eq(receive(&w, NAT_UDP, view.external, REMOTE), DROP_PCP_FILTER);
	world_close(&w);
}

Test(nat, rfc6887_s12_a_peer_lease_lets_its_peer_in)
{
	struct world w = open_world(NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000);
	struct recipe to = world_peer(&w, key, 1, 600, REMOTE).external;

	cr_assert_eq(receive(&w, NAT_UDP, to, REMOTE), DROP_NONE);
	cr_assert_eq(receive(&w, NAT_UDP, to, NEAR), DROP_FILTERED_APDF);
	world_close(&w);
}

static bool keep_none(void *ctx, const struct nat_key *key, struct recipe external)
{
	return ctx != NULL && key->port == external.port;
}

Test(nat, a_static_mapping_lets_anybody_in)
{
	struct world w = open_world(NAT_APDF);
	struct nat_key key = key_of(HOST, NAT_TCP, 80);

	cr_assert_eq(nat_static_add(w.nat, &key, (struct recipe){POOL_A, 80}, false, w.now_s), 0);
	cr_assert_eq(world_receive(&w, NAT_TCP, (struct recipe){POOL_A, 80}, REMOTE, TCP_SYN),
		DROP_NONE);
	cr_assert_eq(nat_counters(w.nat)->sessions, 1);
	cr_assert(nat_static_prune(w.nat, 1000, keep_none, NULL));
	cr_assert_eq(nat_counters(w.nat)->sessions, 0);
	world_close(&w);
}

// ---- a change of mind ------------------------------------------------------------------------

Test(nat, t_4787_11_a_new_filtering_reaches_the_mappings_that_stand)
{
	struct world w = world_simple(64);
	struct nat_key udp = key_of(HOST, NAT_UDP, 1);
	struct recipe at = send_to(&w, udp, REMOTE);
	struct flow f = flow_open(&w, 4000, REMOTE);

	world_filter(&w, NAT_APDF);
	world_settle(&w);
	cr_assert_eq(receive(&w, NAT_UDP, at, REMOTE), DROP_FILTERED_APDF, "nothing is known yet");
	cr_assert_eq(flow_in(&f, TCP_ACK), DROP_NONE, "its session is");
	f.remote = OTHER;
	cr_assert_eq(flow_in(&f, TCP_ACK), DROP_FILTERED_APDF);
	send_to(&w, udp, REMOTE);
	cr_assert_eq(receive(&w, NAT_UDP, at, REMOTE), DROP_NONE);
	world_filter(&w, NAT_EIF);
	world_settle(&w);
	cr_assert_eq(receive(&w, NAT_UDP, at, OTHER), DROP_NONE);
	cr_assert_eq(flow_in(&f, TCP_ACK), DROP_NONE);
	world_recount(&w);
	world_pass(&w, 303);
	cr_assert_eq(nat_counters(w.nat)->sessions, 1);
	cr_assert_eq(flow_view(&(struct flow){&w, f.key, REMOTE, f.to}).left_s, 7440 - 303);
	world_close(&w);
}

Test(nat, a_new_filtering_is_carried_out_in_bounded_steps)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct world w;
	unsigned steps = 1;

	limits.mappings = 20000;
	w = world_open(&limits, 512);
	world_add(&w, POOL_A, 1024, 65535);
	for (uint16_t i = 0; i < 600; i++)
		send_to(&w, key_of(HOST + i % 3u, NAT_UDP, i), REMOTE);
	world_filter(&w, NAT_ADF);
	while (w.nat->review_line < w.nat->n_lines + PROBE_MAX) {
		uint32_t before = w.nat->review_line;
		nat_step(w.nat, w.now_s);
		cr_assert_leq(w.nat->review_line - before, 64);
		steps++;
	}
	cr_assert_gt(steps, 100);
	world_close(&w);
}

// ---- ICMP errors -----------------------------------------------------------------------------

Test(nat, t_5508_4_an_error_comes_in_about_what_could_have_been_sent)
{
	static const enum nat_filtering all[] = {NAT_EIF, NAT_ADF, NAT_APDF};

	for (unsigned f = 0; f < ARRAY_SIZE(all); f++) {
		for (unsigned i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
			struct world w = open_world(all[f]);
			uint8_t protocol = PROTOCOLS[i];
			struct recipe at = send_to(&w, key_of(HOST, protocol, 1), REMOTE);
			struct recipe unmapped = {at.addr, at.port ^ 1};

			cr_assert(nat_may_complain(w.nat, protocol, at, REMOTE));
			cr_assert_eq(nat_may_complain(w.nat, protocol, at, OTHER), f == 0);
			cr_assert_eq(nat_may_complain(w.nat, protocol, at, NEAR),
				f < 2 || protocol == NAT_ICMP);
			cr_assert_not(nat_may_complain(w.nat, protocol, unmapped, REMOTE));
			world_close(&w);
		}
	}
}

// ---- refreshing from outside -----------------------------------------------------------------

Test(nat, t_4787_6a_inbound_packets_refresh_where_the_operator_says_so)
{
	static const enum nat_filtering all[] = {NAT_EIF, NAT_ADF, NAT_APDF};

	for (unsigned f = 0; f < ARRAY_SIZE(all); f++) {
		for (unsigned on = 0; on < 2; on++) {
			struct world w = world_simple(64);
			struct nat_key key = key_of(HOST, NAT_UDP, 1);
			struct recipe at;

			w.policy.inbound_refresh = on;
			world_filter(&w, all[f]);
			at = send_to(&w, key, REMOTE);
			for (unsigned i = 0; i < 5; i++) {
				enum drop why = receive(&w, NAT_UDP, at, REMOTE);
				cr_assert_eq(why == DROP_NONE, on || i < 3, "%u", i);
				world_pass(&w, 120);
			}
			cr_assert_eq(world_has(&w, key), on);
			world_close(&w);
		}
	}
}

Test(nat, t_4787_6a_inbound_segments_refresh_an_established_connection)
{
	struct world w = world_simple(64);
	struct flow f;

	w.policy.inbound_refresh = true;
	nat_set_policy(w.nat, 0, &w.policy);
	f = flow_open(&w, 4000, REMOTE);
	for (unsigned i = 0; i < 4; i++) {
		world_pass(&w, 5000);
		cr_assert_eq(flow_in(&f, TCP_ACK), DROP_NONE);
		cr_assert_eq(flow_view(&f).left_s, 7440);
	}
	cr_assert_eq(flow_out(&f, TCP_ACK), DROP_NONE);
	world_close(&w);
}

// Not even with inbound_refresh: filters decide first, and TCP needs a session.
Test(nat, t_7857_7_what_is_refused_refreshes_nothing)
{
	struct world w = world_simple(64);
	struct nat_key udp = key_of(HOST, NAT_UDP, 1);
	struct flow f;
	struct recipe at;

	w.policy.inbound_refresh = true;
	w.policy.filtering[NAT_UDP - 1] = NAT_ADF;
	nat_set_policy(w.nat, 0, &w.policy);
	at = send_to(&w, udp, REMOTE);
	f = flow_open(&w, 4000, REMOTE);
	f.remote = OTHER;
	cr_assert_eq(receive(&w, NAT_UDP, at, REMOTE), DROP_NONE);
	for (unsigned i = 0; i < 310; i++) {
		world_pass(&w, 1);
		receive(&w, NAT_UDP, at, OTHER);
	}
	cr_assert_not(world_has(&w, udp));
	world_pass(&w, 7000 - 310);
	cr_assert_eq(flow_in(&f, TCP_ACK), DROP_NONE);
	f.remote = REMOTE;
	cr_assert_eq(flow_view(&f).left_s, 440);
	world_close(&w);
}

// ---- timers of ports -------------------------------------------------------------------------

static const struct recipe DNS = {0xc6336435, 53}, NTP = {0xc633647b, 123};

static struct world open_with_rules(void)
{
	struct world w = world_simple(64);
	struct nat_timers timers = WORLD_TIMERS;

	timers.n_ports = 2;
	timers.ports[0] = (struct nat_port_timer){53, 15};
	timers.ports[1] = (struct nat_port_timer){123, 30};
	nat_set_timers(w.nat, &timers);
	world_settle(&w);
	return w;
}

static uint32_t idle_left_s(const struct world *w, struct nat_key key)
{
	return world_look(w, key).idle_left_s;
}

Test(nat, t_4787_5a_a_port_has_a_timer_of_its_own)
{
	struct world w = open_with_rules();
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = send_to(&w, key, DNS);

	cr_assert_eq(receive(&w, NAT_UDP, to, DNS), DROP_NONE);
	cr_assert_eq(idle_left_s(&w, key), 15);
	world_pass(&w, 15);
	cr_assert(recipe_eq(send_to(&w, key, DNS), to));
	world_leap(&w, 16);
	cr_assert_not(recipe_eq(send_to(&w, key, DNS), to), "expired, and it is a miss");
	world_pass(&w, 26);
	cr_assert_not(world_has(&w, key), "and the sweep finds it");
	world_close(&w);
}

Test(nat, t_4787_5a_who_ever_sends_elsewhere_has_the_normal_timer)
{
	struct world w = open_with_rules();
	struct nat_key key = key_of(HOST, NAT_UDP, 1), both = key_of(HOST, NAT_UDP, 2);

	send_to(&w, key, DNS);
	send_to(&w, key, REMOTE);
	cr_assert_eq(idle_left_s(&w, key), 120);
	send_to(&w, key, DNS);
	cr_assert_eq(idle_left_s(&w, key), 120);
	send_to(&w, both, DNS);
	send_to(&w, both, NTP);
	cr_assert_eq(idle_left_s(&w, both), 30, "the longer one of two");
	send_to(&w, both, DNS);
	cr_assert_eq(idle_left_s(&w, both), 30);
	world_close(&w);
}

Test(nat, t_4787_5a_new_rules_do_not_shorten_what_stands)
{
	struct world w = open_with_rules();
	struct nat_timers timers = WORLD_TIMERS;
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	send_to(&w, key, DNS);
	timers.n_ports = 1;
	timers.ports[0] = (struct nat_port_timer){1, 5};
	nat_set_timers(w.nat, &timers);
	world_settle(&w);
	cr_assert_eq(idle_left_s(&w, key), 120);
	world_close(&w);
}

Test(nat, t_4787_5a_other_protocols_have_no_such_timer)
{
	struct world w = open_with_rules();
	struct nat_key tcp = key_of(HOST, NAT_TCP, 1), icmp = key_of(HOST, NAT_ICMP, 1);

	send_to(&w, tcp, DNS);
	send_to(&w, icmp, DNS);
	cr_assert_eq(idle_left_s(&w, tcp), 240);
	cr_assert_eq(idle_left_s(&w, icmp), 60);
	world_close(&w);
}

// What traffic keeps is not forgotten sooner while a lease hangs on it.
Test(nat, t_4787_5a_a_lease_does_not_shorten_the_longer_timer_of_a_port)
{
	struct world w = world_simple(64);
	struct nat_timers timers = WORLD_TIMERS;
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	timers.n_ports = 1;
	timers.ports[0] = (struct nat_port_timer){53, 1000};
	nat_set_timers(w.nat, &timers);
	world_settle(&w);
	send_to(&w, key, DNS);
	world_map(&w, key, 1, 600);
	world_pass(&w, 601);
	cr_assert_eq(world_look(&w, key).kind, NAT_IMPLICIT);
	cr_assert_eq(idle_left_s(&w, key), 399);
	world_pass(&w, 399 + 11);
	cr_assert_not(world_has(&w, key));
	world_close(&w);
}
