// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const uint8_t PROTOCOLS[] = {NAT_UDP, NAT_TCP, NAT_ICMP};

// The key has no remote endpoint in it: whoever is addressed, the look-up is this one.
Test(nat, t_4787_1_t_5382_1_t_5508_1a_two_remotes_one_mapping)
{
	struct world w = world_simple(64);

	for (unsigned i = 0; i < ARRAY_SIZE(PROTOCOLS); i++) {
		struct nat_key key = key_of(HOST, PROTOCOLS[i], 4000);
		struct recipe first = world_out(&w, key);

		w.now_s += 7;
		cr_assert(recipe_eq(first, world_out(&w, key)));
	}
	cr_assert_eq(nat_counters(w.nat)->mappings, 3);
	world_close(&w);
}

Test(nat, t_7857_5_protocols_are_mapped_apart)
{
	struct world w = world_simple(64);
	struct recipe udp = world_out(&w, key_of(HOST, NAT_UDP, 4000));

	cr_assert_not(world_has(&w, key_of(HOST, NAT_TCP, 4000)));
	world_out(&w, key_of(HOST, NAT_TCP, 4000));
	nat_delete(w.nat, &(struct nat_key){HOST, 4000, 1, NAT_TCP}, w.now_s);
	cr_assert(recipe_eq(udp, world_out(&w, key_of(HOST, NAT_UDP, 4000))));
	world_close(&w);
}

Test(nat, t_7857_6_a_tcp_mapping_lets_no_udp_in)
{
	struct world w = world_simple(64);
	struct recipe tcp = world_out(&w, key_of(HOST, NAT_TCP, 4000));

	cr_assert_not(world_in(&w, NAT_UDP, tcp));
	cr_assert_not(world_in(&w, NAT_ICMP, tcp));
	cr_assert(world_in(&w, NAT_TCP, tcp));
	world_close(&w);
}

Test(nat, t_4787_8_anybody_outside_reaches_the_internal_endpoint)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000);
	struct nat_in in = {.at = world_out(&w, key), .protocol = NAT_UDP};

	cr_assert_eq(nat_find_in(w.nat, &in, 1, w.now_s), 1);
	cr_assert_eq(key_word(&in.to), key_word(&key));
	world_close(&w);
}

Test(nat, equal_hosts_of_two_realms_stay_apart)
{
	struct world w = world_simple(64);
	struct nat_key here = key_of(HOST, NAT_UDP, 4000), there = here;

	there.realm = 2;
	cr_assert_not(recipe_eq(world_out(&w, here), world_out(&w, there)));
	cr_assert_eq(nat_counters(w.nat)->subscribers, 2);
	world_close(&w);
}

Test(nat, t_4787_6_outbound_packets_refresh)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000);
	struct recipe to = world_out_answered(&w, key);

	for (unsigned i = 0; i < 20; i++) {
		world_pass(&w, 299);
		cr_assert(world_hits(&w, key));
	}
	cr_assert(recipe_eq(to, world_out(&w, key)));
	world_close(&w);
}

Test(nat, t_4787_6a_inbound_packets_do_not_refresh)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000);
	struct recipe to = world_out_answered(&w, key);

	world_pass(&w, 290);
	cr_assert(world_in(&w, NAT_UDP, to));
	world_pass(&w, 21);
	cr_assert_not(world_in(&w, NAT_UDP, to));
	world_close(&w);
}

Test(nat, looks_that_only_peek_do_not_refresh)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000), back;
	struct recipe to = world_out_answered(&w, key), seen;

	world_pass(&w, 295);
	cr_assert(nat_peek_out(w.nat, &key, &seen));
	cr_assert(recipe_eq(to, seen));
	cr_assert(nat_peek_in(w.nat, NAT_UDP, to, &back));
	cr_assert_eq(key_word(&back), key_word(&key));
	world_pass(&w, 16);
	cr_assert_not(nat_peek_out(w.nat, &key, &seen));
	cr_assert_not(nat_peek_in(w.nat, NAT_UDP, to, &back));
	world_close(&w);
}

Test(nat, an_outbound_hit_on_an_expired_entry_is_a_miss)
{
	static const struct {
		uint8_t protocol, flags;
		uint32_t timeout_s;
	} cases[] = {{NAT_UDP, 0, 300}, {NAT_TCP, TCP_ACK, 7440}, {NAT_TCP, TCP_RST, 240},
		{NAT_ICMP, 0, 60}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w = world_simple(64);
		struct nat_key key = key_of(HOST, cases[i].protocol, 4000);
		struct recipe to;

		world_out_answered(&w, key);
		cr_assert_eq(world_tcp(&w, key, cases[i].flags, 0, &to), DROP_NONE);
		world_leap(&w, cases[i].timeout_s + 1);
		cr_assert_not(world_hits(&w, key), "case %u", i);
		cr_assert_not(recipe_eq(to, world_out(&w, key)), "the old port rests");
		cr_assert_eq(nat_counters(w.nat)->implicit_expired, 1);
		world_close(&w);
	}
}

// The shorter timer of a mapping in a block that nobody ever answered counts here as well.
Test(nat, an_outbound_hit_on_an_expired_unanswered_entry_is_a_miss)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000);

	world_out(&w, key);
	world_leap(&w, 120);
	cr_assert(world_hits(&w, key));
	world_leap(&w, 121);
	cr_assert_not(world_hits(&w, key));
	world_close(&w);
}

Test(nat, a_burst_finds_what_is_there_and_says_which)
{
	struct world w = world_simple(64);
	struct nat_out out[NAT_BURST];
	struct nat_in in[NAT_BURST];
	uint32_t expected = 0;

	for (uint32_t i = 0; i < NAT_BURST; i++) {
		out[i] = (struct nat_out){
			.key = key_of(HOST + i % 5, NAT_UDP, (uint16_t)(4000 + i))};
		in[i] = (struct nat_in){.at = {POOL_C, 2000}, .protocol = NAT_UDP};
		if (i % 3 == 0)
			continue;
		in[i].at = world_out(&w, out[i].key);
		expected |= UINT32_C(1) << i;
	}
	cr_assert_eq(nat_find_out(w.nat, out, NAT_BURST, w.now_s), expected);
	cr_assert_eq(nat_find_in(w.nat, in, NAT_BURST, w.now_s), expected);
	for (uint32_t i = 0; i < NAT_BURST; i++) {
		if (i % 3 == 0)
			continue;
		cr_assert(recipe_eq(out[i].to, in[i].at));
		cr_assert_eq(key_word(&in[i].to), key_word(&out[i].key));
	}
	world_close(&w);
}

enum {
	MIXED_PORTS = 40,
	MIXED_BURSTS = 3000
};

static struct nat_out mixed_packet(struct rng *rng)
{
	static const uint8_t flags[] = {
		TCP_ACK, TCP_ACK, TCP_ACK, TCP_SYN, TCP_FIN | TCP_ACK, TCP_RST};
	uint8_t protocol = rng_below(rng, 2) ? NAT_TCP : NAT_UDP;

	return (struct nat_out){
		.key = key_of(HOST, protocol, (uint16_t)(4000 + rng_below(rng, MIXED_PORTS))),
		.remote = {REMOTE.addr, (uint16_t)(1 + rng_below(rng, 3))},
		.tcp_flags = protocol == NAT_TCP ? flags[rng_below(rng, ARRAY_SIZE(flags))] : 0,
		.tcp_data = protocol == NAT_TCP};
}

// What a packet changes, those behind it in the burst see: as if each came alone.
Test(nat, a_burst_does_what_its_packets_do_one_after_the_other)
{
	struct world together = world_simple(64), apart = world_simple(64);
	struct nat_out out[NAT_BURST], alone;
	uint64_t hits = 0, misses = 0;
	struct rng rng;

	rng_init_u64(&rng, 5382);
	for (unsigned i = 0; i < MIXED_BURSTS; i++) {
		unsigned n = 1 + rng_below(&rng, NAT_BURST);
		uint32_t found;

		alone = mixed_packet(&rng);
		struct recipe a, b;
		cr_assert_eq(world_send(&together, alone.key, TCP_SYN, 0, alone.remote, &a),
			world_send(&apart, alone.key, TCP_SYN, 0, alone.remote, &b));
		for (unsigned k = 0; k < n; k++)
			out[k] = mixed_packet(&rng);
		found = nat_find_out(together.nat, out, n, together.now_s);
		for (unsigned k = 0; k < n; k++) {
			alone = out[k];
			bool hit = nat_find_out(apart.nat, &alone, 1, apart.now_s);
			cr_assert_eq(hit, found >> k & 1, "burst %u packet %u", i, k);
			cr_assert(!hit || recipe_eq(alone.to, out[k].to));
			hits += hit;
			misses += !hit;
		}
		world_pass(&together, i % 20 == 0 ? 300 : i % 2);
		world_pass(&apart, i % 20 == 0 ? 300 : i % 2);
	}
	cr_assert(hits > MIXED_BURSTS && misses > MIXED_BURSTS);
	cr_assert_eq(nat_counters(together.nat)->sessions, nat_counters(apart.nat)->sessions);
	world_close(&together);
	world_close(&apart);
}

Test(nat, unknown_ports_from_outside_change_nothing)
{
	struct world w = world_simple(64);
	struct recipe to = world_out(&w, key_of(HOST, NAT_UDP, 4000));
	struct nat_counters before = *nat_counters(w.nat);

	for (uint32_t port = 1; port < 65536; port++) {
		struct recipe at = {POOL_A, (uint16_t)port};
		if (port != to.port)
			cr_assert_not(world_in(&w, NAT_UDP, at));
	}
	cr_assert_eq(memcmp(&before, nat_counters(w.nat), sizeof before), 0);
	cr_assert_not(world_look(&w, key_of(HOST, NAT_UDP, 4000)).replied);
	world_close(&w);
}

// ---- the table itself ------------------------------------------------------------------------

static uint64_t hash_for(const struct world *w, const struct nat_key *key)
{
	return hash_u64(key_word(key), &w->nat->secret);
}

// The next key after *key whose home is line 3.
static void next_neighbour(const struct world *w, struct nat_key *key)
{
	do
		key->host++;
	while (hash_range(hash_for(w, key), w->nat->n_lines) != 3);
}

// Four keys at home and 36 on the lines behind it: the count stays at fifteen, and loses nobody.
Test(nat, a_home_with_a_full_count_loses_nobody)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000), all[40];

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		next_neighbour(&w, &key);
		all[i] = key;
		cr_assert_eq(world_try(&w, key), DROP_NONE);
	}
	world_recount(&w);
	for (unsigned gone = 0; gone < ARRAY_SIZE(all); gone++) {
		cr_assert(nat_delete(w.nat, &all[gone], w.now_s));
		for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
			cr_assert_eq(world_has(&w, all[i]), i > gone);
	}
	world_recount(&w);
	world_close(&w);
}

Test(nat, deleting_at_home_loses_nobody_displaced)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 4000), all[19];

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		next_neighbour(&w, &key);
		all[i] = key;
		world_out(&w, key);
	}
	for (unsigned gone = 0; gone < ARRAY_SIZE(all); gone++) {
		cr_assert(nat_delete(w.nat, &all[gone], w.now_s));
		for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
			cr_assert_eq(world_has(&w, all[i]), i > gone);
		world_recount(&w);
	}
	world_close(&w);
}

// 16 lines were too few: one key in a million found no place in a table 5/8 full.
Test(nat, every_key_finds_a_place_up_to_the_limit)
{
	struct nat_limits limits = {.mappings = 200000,
		.leases = 200,
		.subscribers = 4000,
		.addresses = 8,
		.port_set_min = 64};
	struct world w = world_open(&limits, 64);
	struct rng r;

	for (ip4 i = 0; i < 8; i++)
		world_add(&w, POOL_A + i, 1024, 65535);
	rng_init_u64(&r, 2);
	for (uint32_t i = 0; i < 200000; i++) {
		struct nat_key key = key_of(
			HOST + i / 60, NAT_UDP, (uint16_t)(i % 60 * 1000 + rng_below(&r, 1000)));
		cr_assert_eq(world_try(&w, key), DROP_NONE, "key %u", i);
	}
	world_close(&w);
}

Test(nat, overflow_counts_stay_exact_under_random_churn_up_to_the_limit)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct world w;
	struct rng r;
	uint32_t made = 0;

	limits.mappings = 1000;
	w = world_open(&limits, 512);
	world_add(&w, POOL_A, 1024, 65535);
	rng_init_u64(&r, 1);
	for (unsigned i = 0; i < 60000; i++) {
		struct nat_key key =
			key_of(HOST + rng_below(&r, 40), NAT_UDP, (uint16_t)rng_below(&r, 50));
		if (rng_below(&r, 16) < (i / 10000 % 2 ? 11 : 5)) {
			enum drop why = world_try(&w, key);
			made += why == DROP_NONE;
			cr_assert(why == DROP_NONE || nat_counters(w.nat)->mappings == 1000, "%s",
				drop_name(why));
		} else {
			nat_delete(w.nat, &key, w.now_s);
		}
		if (i % 500 == 0)
			world_recount(&w);
	}
	cr_assert_gt(made, 20000);
	cr_assert_gt(w.nat->probe_max, 0);
	world_close(&w);
}

// ---- TCP whose connections have no records ---------------------------------------------------

Test(nat, tcp_classes_follow_what_the_internal_endpoint_sends)
{
	enum {
		OPEN = CLASS_OPEN,
		ESTABLISHED = CLASS_ESTABLISHED,
		CLOSING = CLASS_CLOSING
	};
	static const struct {
		uint8_t from, flags, data, to;
	} cases[] = {
		{OPEN, TCP_SYN, 0, OPEN},
		{OPEN, TCP_SYN | TCP_ACK, 0, OPEN},
		{OPEN, TCP_ACK, 0, ESTABLISHED},
		{OPEN, TCP_FIN | TCP_ACK, 0, CLOSING},
		{OPEN, TCP_RST, 0, CLOSING},
		{ESTABLISHED, TCP_ACK, 1, ESTABLISHED},
		{ESTABLISHED, TCP_ACK, 0, ESTABLISHED},
		{ESTABLISHED, TCP_SYN, 0, ESTABLISHED}, // another session of the same endpoint
		{ESTABLISHED, TCP_FIN | TCP_ACK, 1, CLOSING},
		{ESTABLISHED, TCP_RST | TCP_ACK, 0, CLOSING},
		{CLOSING, TCP_ACK, 0, CLOSING},
		{CLOSING, TCP_ACK, 1, ESTABLISHED},
		{CLOSING, TCP_SYN, 0, OPEN},
		{CLOSING, TCP_FIN | TCP_ACK, 0, CLOSING},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t bits = (uint8_t)(NAT_TCP | cases[i].from << CLASS_SHIFT | SLOT_SEEN);
		uint8_t to = tcp_next_class(bits, cases[i].flags, cases[i].data);
		cr_assert_eq(to, cases[i].to << CLASS_SHIFT, "case %u", i);
	}
}
