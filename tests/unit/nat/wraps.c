// SPDX-License-Identifier: Apache-2.0
// Clocks that come round: 16 bits of seconds in slots, sessions and subscribers, 30 bits in the
// list of resting ports. Around each moment everything lasts as long as at any other.
#include "world.h"

enum {
	ROUND_S = 65536, // a tick's
	AROUND_S = 4     // seconds before and behind a moment at which a try begins
};

// A world whose clock begins there.
static struct world open_at(uint32_t now_s, uint16_t port_set_size)
{
	struct world w = world_open(&WORLD_LIMITS, port_set_size);
	struct rng seed;

	memset(w.mem, 0, nat_size(&WORLD_LIMITS));
	rng_init_u64(&seed, 4787);
	w.now_s = now_s;
	w.nat = nat_init(w.mem, &WORLD_LIMITS, &seed, now_s);
	nat_set_timers(w.nat, &WORLD_TIMERS);
	nat_set_policy(w.nat, 0, &w.policy);
	world_add(&w, POOL_A, 1024, 65535);
	return w;
}

// ---- idle mappings ---------------------------------------------------------------------------

// Found to the last second of its timer and not behind it, by packets as by the sweep.
static void idles_out(uint32_t begin_s, uint8_t protocol, uint32_t timer_s)
{
	struct world w = open_at(begin_s, 64);
	struct nat_key key = key_of(HOST, protocol, 1), other = key_of(HOST, protocol, 2);

	world_out(&w, key);
	world_out(&w, other);
	for (uint32_t i = 0; i <= timer_s; i++) {
		cr_assert_eq(
			world_look(&w, key).idle_left_s, timer_s - i, "%u s behind %u", i, begin_s);
		world_pass(&w, i < timer_s);
	}
	cr_assert(world_has(&w, other));
	w.now_s++;
	cr_assert_not(world_hits(&w, other), "%u s behind %u", timer_s + 1, begin_s);
	world_pass(&w, 10);
	cr_assert_not(world_has(&w, key) || world_has(&w, other));
	world_close(&w);
}

Test(wraps, a_mapping_idles_out_on_time_wherever_the_tick_stands)
{
	for (uint32_t before = 0; before <= 240; before += before < AROUND_S ? 1 : 59) {
		idles_out(ROUND_S - before, NAT_UDP, 120);
		idles_out(ROUND_S - before, NAT_ICMP, 60);
		idles_out(ROUND_S - before, NAT_TCP, 240);
	}
	for (uint32_t behind = 1; behind <= AROUND_S; behind++)
		idles_out(2 * ROUND_S + behind, NAT_UDP, 120);
}

Test(wraps, a_mapping_in_use_lives_through_many_rounds_of_the_tick)
{
	struct world w = open_at(ROUND_S - 10, 64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);
	struct recipe to = world_out_answered(&w, key);

	for (unsigned i = 0; i < 3 * ROUND_S / 299; i++) {
		world_pass(&w, 299);
		cr_assert(recipe_eq(world_out(&w, key), to), "at %u", w.now_s);
	}
	cr_assert_eq(nat_counters(w.nat)->implicit_expired, 0);
	world_close(&w);
}

// ---- sessions --------------------------------------------------------------------------------

static struct recipe connect_to(struct world *w, struct nat_key key, struct recipe remote)
{
	struct recipe to;

	cr_assert_eq(world_send(w, key, TCP_SYN, 0, remote, &to), DROP_NONE);
	cr_assert_eq(world_receive(w, NAT_TCP, to, remote, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(world_send(w, key, TCP_ACK, 0, remote, &to), DROP_NONE);
	return to;
}

// The slot keeps the time of an only connection; of two each keeps its own.
static void connection_lasts(uint32_t begin_s, bool two)
{
	struct world w = open_at(begin_s, 64);
	struct nat_key key = key_of(HOST, NAT_TCP, 1);
	struct recipe other = {REMOTE.addr + 1, 80}, to = connect_to(&w, key, REMOTE);

	if (two)
		cr_assert(recipe_eq(connect_to(&w, key, other), to));
	world_pass(&w, WORLD_TIMERS.tcp_idle);
	cr_assert(world_has(&w, key), "two %d, from %u on", two, begin_s);
	cr_assert_eq(nat_counters(w.nat)->sessions, 1 + two);
	world_pass(&w, 15);
	cr_assert_not(world_has(&w, key), "two %d, from %u on", two, begin_s);
	cr_assert_eq(nat_counters(w.nat)->sessions, 0);
	world_close(&w);
}

Test(wraps, a_connection_idles_out_on_time_wherever_the_tick_stands)
{
	for (uint32_t before = 0; before <= AROUND_S; before++) {
		connection_lasts(ROUND_S - before, false);
		connection_lasts(ROUND_S - before, true);
		connection_lasts(ROUND_S - WORLD_TIMERS.tcp_idle - before, false);
		connection_lasts(ROUND_S - WORLD_TIMERS.tcp_idle - before, true);
	}
}

// Nothing but its slot knows of its data for longer than the session's own tick could count.
Test(wraps, a_connection_in_use_lives_through_many_rounds_of_the_tick)
{
	struct world w = open_at(ROUND_S - 10, 64);
	struct nat_key key = key_of(HOST, NAT_TCP, 1);
	struct recipe to = connect_to(&w, key, REMOTE), again;

	for (unsigned i = 0; i < 2 * ROUND_S / 7000; i++) {
		world_pass(&w, 7000);
		cr_assert_eq(world_tcp(&w, key, TCP_ACK, 1, &again), DROP_NONE, "at %u", w.now_s);
		cr_assert(recipe_eq(again, to));
	}
	cr_assert_eq(nat_counters(w.nat)->sessions_expired, 0);
	world_pass(&w, WORLD_TIMERS.tcp_idle + 15);
	cr_assert_eq(nat_counters(w.nat)->sessions_expired, 1);
	cr_assert_not(world_has(&w, key));
	world_close(&w);
}

Test(wraps, a_peer_that_was_let_in_stays_let_in_for_as_long_wherever_the_tick_stands)
{
	for (uint32_t before = 0; before <= 300; before += before < AROUND_S ? 1 : 37) {
		struct world w = open_at(ROUND_S - before, 64);
		struct nat_key key = key_of(HOST, NAT_UDP, 1);
		struct recipe to, other = {REMOTE.addr + 1, 53};

		w.policy.filtering[NAT_UDP - 1] = NAT_APDF;
		nat_set_policy(w.nat, 0, &w.policy);
		to = world_out_answered(&w, key);
		for (unsigned i = 0; i < 3; i++) { // the mapping stays, the first peer is silent
			world_pass(&w, 100);
			cr_assert_eq(world_send(&w, key, 0, 0, other, &to), DROP_NONE);
		}
		cr_assert(world_in(&w, NAT_UDP, to), "300 s behind %u - %u", ROUND_S, before);
		w.now_s++;
		cr_assert_eq(world_in_from(&w, NAT_UDP, to, REMOTE), IN_FILTERED);
		cr_assert_eq(world_in_from(&w, NAT_UDP, to, other), IN_PASSES);
		world_close(&w);
	}
}

// ---- ports at rest, and leases ---------------------------------------------------------------

static void rests(uint32_t begin_s)
{
	struct world w = open_at(begin_s, 64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	world_out_answered(&w, key);
	cr_assert(nat_delete(w.nat, &key, w.now_s));
	world_pass(&w, WORLD_TIMERS.hold_down);
	cr_assert_eq(nat_counters(w.nat)->resting, 1, "from %u on", begin_s);
	world_pass(&w, 1);
	cr_assert_eq(nat_counters(w.nat)->resting, 0, "from %u on", begin_s);
	world_close(&w);
}

Test(wraps, a_port_rests_as_long_wherever_the_clock_stands)
{
	static const uint32_t moments[] = {ROUND_S, UINT32_C(1) << 30, UINT32_C(1) << 31};

	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		for (uint32_t before = 0; before <= 120; before += before < AROUND_S ? 1 : 29)
			rests(moments[i] - before);
	}
}

// The longest lease that a configuration can allow, on a clock of 135 years.
Test(wraps, a_long_lease_ends_on_time_on_an_old_clock)
{
	enum {
		YEAR_S = 365 * 86400
	};
	struct world w = open_at(UINT32_MAX - YEAR_S - 1000, 64);
	struct nat_key key = key_of(HOST, NAT_TCP, 1), soon = key_of(HOST, NAT_TCP, 2);

	world_map(&w, key, 1, YEAR_S);
	world_map(&w, soon, 1, 600);
	world_pass(&w, 600);
	cr_assert_eq(world_look(&w, soon).kind, NAT_EXPLICIT);
	world_pass(&w, 1);
	cr_assert_eq(world_look(&w, soon).kind, NAT_RESTING);
	cr_assert_eq(world_look(&w, key).lease_left_s, YEAR_S - 601);
	world_close(&w);
}

// ---- subscribers -----------------------------------------------------------------------------

// full_s says 0 for never: the one second in a round that cannot be told costs searches, no ports.
Test(wraps, a_full_subscriber_gets_a_port_that_came_back_in_any_second)
{
	for (uint32_t at_s = ROUND_S - AROUND_S; at_s <= ROUND_S + AROUND_S; at_s++) {
		struct world w = open_at(at_s - 1, 4);
		struct nat_key first = key_of(HOST, NAT_UDP, 1);

		w.policy.block_limit = 2;
		nat_set_policy(w.nat, 0, &w.policy);
		for (uint16_t i = 0; i < 8; i++)
			world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(1 + i)));
		world_pass(&w, 1);
		cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 100)), DROP_QUOTA_BLOCKS);
		cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 100)), DROP_QUOTA_BLOCKS);
		cr_assert(nat_delete(w.nat, &first, w.now_s)); // unanswered: free at once
		cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 100)), DROP_NONE, "at %u", at_s);
		world_close(&w);
	}
}

Test(wraps, the_mapping_rate_comes_back_in_any_second)
{
	for (uint32_t at_s = ROUND_S - AROUND_S; at_s <= ROUND_S + AROUND_S; at_s++) {
		struct world w = open_at(at_s, 64);

		w.policy.mapping_rate = w.policy.mapping_burst = 3;
		nat_set_policy(w.nat, 0, &w.policy);
		for (uint16_t i = 0; i < 12; i++) {
			uint16_t port = (uint16_t)(1 + i);

			world_out(&w, key_of(HOST, NAT_UDP, port));
			if (i % 3 != 2)
				continue;
			cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 100)), DROP_QUOTA_RATE,
				"at %u", w.now_s);
			world_pass(&w, 1);
		}
		world_close(&w);
	}
}

static unsigned refusals_told(struct world *w)
{
	struct nat_event e;
	unsigned n = 0;

	while (nat_event_next(w->nat, &e))
		n += e.kind == NAT_EVENT_QUOTA_PORTS;
	return n;
}

Test(wraps, a_refusal_is_told_once_in_every_second)
{
	struct world w = open_at(ROUND_S - AROUND_S, 64);

	w.policy.port_limit = 1;
	nat_set_policy(w.nat, 0, &w.policy);
	world_out(&w, key_of(HOST, NAT_UDP, 1));
	refusals_told(&w);
	for (unsigned i = 0; i < 2 * AROUND_S; i++, w.now_s++) {
		for (unsigned k = 0; k < 3; k++)
			cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 2)), DROP_QUOTA_PORTS);
		cr_assert_eq(refusals_told(&w), 1, "at %u", w.now_s);
	}
	world_close(&w);
}
