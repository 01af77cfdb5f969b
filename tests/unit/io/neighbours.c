// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "neighbours.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {0xfe, 0xdc, 0xba, 0x98, 0x76, 1};

static struct neighbours table(uint32_t max)
{
	struct neighbours t;
	struct rng rng;

	rng_init_u64(&rng, max);
	cr_assert_eq(neighbours_init(&t, max, rng_secret(&rng)), 0);
	return t;
}

static enum neighbour_change learn(
	struct neighbours *t, uint64_t key, const uint8_t mac[6], enum neighbour_word word, ns now)
{
	return neighbours_learn(t, key, ip6_mapped((ip4)key), mac, word, now);
}

static bool known(const struct neighbours *t, uint64_t key, const uint8_t mac[6], bool stale)
{
	uint64_t value;
	uint8_t found[6];

	if (!neighbours_find(t, key, &value))
		return false;
	neighbour_value_mac(value, found);
	cr_assert_eq((value & NEIGHBOUR_FLAG_STALE) != 0, stale);
	return memcmp(found, mac, 6) == 0;
}

Test(io, neighbour_is_known_by_interface_and_address)
{
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(3, 0xc0000201);

	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ASKER, NS_PER_S), NEIGHBOUR_NEW);
	cr_assert(known(&t, key, mac_a, false));
	cr_assert_not(known(&t, neighbour_key(2, 0xc0000201), mac_a, false));
	cr_assert_not(known(&t, neighbour_key(3, 0xc0000202), mac_a, false));
	cr_assert_eq(neighbour_key_iface(key), 3);
	cr_assert_eq(ip6_to_ip4(t.names[neighbours_home(&t, key)]), 0xc0000201);
	neighbours_fini(&t);
}

// RFC 4861 s.5.1: the same table holds IPv6 neighbours, by a keyed hash of their address.
Test(io, neighbour_of_ip6_is_known_by_interface_and_address)
{
	struct neighbours t = table(16);
	ip6 one = {{0xfe, 0x80, [15] = 1}}, two = {{0xfe, 0x80, [15] = 2}};
	uint64_t key = neighbour_key6(&t, 127, one);

	cr_assert_eq(neighbours_learn(&t, key, one, mac_a, NEIGHBOUR_ANSWER, 1), NEIGHBOUR_NEW);
	cr_assert(known(&t, key, mac_a, false));
	cr_assert_not(known(&t, neighbour_key6(&t, 126, one), mac_a, false));
	cr_assert_not(known(&t, neighbour_key6(&t, 127, two), mac_a, false));
	cr_assert_eq(neighbour_key_iface(key), 127);
	neighbours_fini(&t);
}

Test(io, neighbour_with_another_mac_has_moved)
{
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(0, 1);

	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, 1), NEIGHBOUR_NEW);
	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ASKER, 2), NEIGHBOUR_KEPT);
	cr_assert_eq(
		learn(&t, key, mac_b, NEIGHBOUR_HEARSAY, 2 + NEIGHBOUR_STALE_NS), NEIGHBOUR_MOVED);
	cr_assert(known(&t, key, mac_b, false));
	cr_assert_eq(t.n, 1);
	neighbours_fini(&t);
}

Test(io, one_message_does_not_move_a_fresh_neighbour)
{
	static const enum neighbour_word words[] = {
		NEIGHBOUR_HEARSAY, NEIGHBOUR_ASKER, NEIGHBOUR_ANSWER};
	uint64_t key = neighbour_key(0, 1), now = NEIGHBOUR_STALE_NS;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct neighbours t = table(16);
		cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, 1), NEIGHBOUR_NEW);
		cr_assert(neighbours_contradict(&t, key, mac_b));
		cr_assert_not(neighbours_contradict(&t, key, mac_a));
		cr_assert_eq(learn(&t, key, mac_b, words[i], now), NEIGHBOUR_DISPUTED);
		cr_assert(known(&t, key, mac_a, true), "used, and asked");
		cr_assert(neighbours_contradict(&t, key, mac_b), "again");
		cr_assert_eq(learn(&t, key, mac_b, words[i], now), NEIGHBOUR_REFUSED);
		cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, now), NEIGHBOUR_KEPT);
		cr_assert(known(&t, key, mac_a, false), "its own answer settles it");
		cr_assert_eq(learn(&t, key, mac_b, words[i], now + NEIGHBOUR_DISPUTE_NS),
			NEIGHBOUR_DISPUTED, "and the next one begins anew");
		neighbours_fini(&t);
	}
}

Test(io, answer_moves_a_neighbour_who_keeps_silent)
{
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(0, 1);
	ns end = 2 + NEIGHBOUR_DISPUTE_NS;

	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, 1), NEIGHBOUR_NEW);
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_HEARSAY, 2), NEIGHBOUR_DISPUTED);
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_ANSWER, end - 1), NEIGHBOUR_REFUSED);
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_HEARSAY, end), NEIGHBOUR_REFUSED);
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_ASKER, end), NEIGHBOUR_REFUSED);
	cr_assert(known(&t, key, mac_a, true));
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_ANSWER, end), NEIGHBOUR_MOVED);
	cr_assert(known(&t, key, mac_b, false));
	neighbours_fini(&t);
}

Test(io, stale_neighbour_is_not_contradicted)
{
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(0, 1);

	cr_assert_not(neighbours_contradict(&t, key, mac_b), "a stranger");
	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, 1), NEIGHBOUR_NEW);
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_HEARSAY, 2), NEIGHBOUR_DISPUTED);
	neighbours_age(&t, neighbours_places(&t), 1 + NEIGHBOUR_STALE_NS);
	cr_assert_not(neighbours_contradict(&t, key, mac_b), "the dispute is over");
	cr_assert(known(&t, key, mac_a, true));
	neighbours_fini(&t);
}

Test(io, hearsay_about_a_stranger_is_not_believed)
{
	struct neighbours t = table(16);
	uint64_t value;

	cr_assert_eq(
		learn(&t, neighbour_key(0, 1), mac_a, NEIGHBOUR_HEARSAY, 1), NEIGHBOUR_REFUSED);
	cr_assert_not(neighbours_find(&t, neighbour_key(0, 1), &value));
	neighbours_fini(&t);
}

static void age_all(struct neighbours *t, ns now)
{
	neighbours_age(t, neighbours_places(t), now);
}

Test(io, unconfirmed_neighbour_goes_stale_then_goes)
{
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(1, 1), value;

	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, NS_PER_S), NEIGHBOUR_NEW);
	age_all(&t, 30 * NS_PER_S);
	cr_assert(known(&t, key, mac_a, false));
	age_all(&t, 31 * NS_PER_S);
	cr_assert(known(&t, key, mac_a, true));
	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, 100 * NS_PER_S), NEIGHBOUR_KEPT);
	cr_assert(known(&t, key, mac_a, false));
	age_all(&t, 279 * NS_PER_S);
	cr_assert(known(&t, key, mac_a, true));
	age_all(&t, 280 * NS_PER_S);
	cr_assert_not(neighbours_find(&t, key, &value));
	cr_assert_eq(t.n, 0);
	neighbours_fini(&t);
}

Test(io, ageing_in_portions_reaches_every_place)
{
	struct neighbours t = table(64);

	for (uint32_t i = 0; i < 64; i++)
		cr_assert_eq(
			learn(&t, neighbour_key(0, i), mac_a, NEIGHBOUR_ASKER, 1), NEIGHBOUR_NEW);
	for (uint32_t i = 0; i <= neighbours_places(&t) / 7; i++)
		neighbours_age(&t, 7, 1 + NEIGHBOUR_GONE_NS);
	cr_assert_eq(t.n, 0);
	neighbours_fini(&t);
}

Test(io, full_table_refuses_askers_and_makes_room_for_answers)
{
	enum {
		MAX = 100
	};
	struct neighbours t = table(MAX);
	uint32_t answered = 0;

	for (uint32_t i = 0; i < 4 * MAX; i++) {
		enum neighbour_change change =
			learn(&t, neighbour_key(0, i), mac_a, NEIGHBOUR_ASKER, NS_PER_S);
		cr_assert_eq(change, i < MAX ? NEIGHBOUR_NEW : NEIGHBOUR_REFUSED);
	}
	for (uint32_t i = 4 * MAX; i < 8 * MAX; i++) {
		uint64_t key = neighbour_key(0, i);
		enum neighbour_change change =
			learn(&t, key, mac_b, NEIGHBOUR_ANSWER, 2 * NS_PER_S);
		cr_assert(change == NEIGHBOUR_NEW || change == NEIGHBOUR_REFUSED);
		if (change == NEIGHBOUR_NEW)
			cr_assert(known(&t, key, mac_b, false));
		answered += change == NEIGHBOUR_NEW;
		cr_assert_leq(t.n, MAX);
	}
	cr_assert_gt(answered, 2 * MAX);
	neighbours_fini(&t);
}

static bool is_even(const void *ctx, uint64_t key, ip6 name, bool is_static)
{
	(void)ctx;
	(void)key;
	(void)is_static;
	return ip6_to_ip4(name) % 2 == 0;
}

Test(io, pruning_forgets_whom_it_is_told_to)
{
	struct neighbours t = table(64);
	uint64_t value;

	for (uint32_t i = 0; i < 64; i++)
		cr_assert_eq(
			learn(&t, neighbour_key(0, i), mac_a, NEIGHBOUR_ASKER, 1), NEIGHBOUR_NEW);
	neighbours_prune(&t, is_even, NULL);
	for (uint32_t i = 0; i < 64; i++)
		cr_assert_eq(neighbours_find(&t, neighbour_key(0, i), &value), i % 2 == 0);
	cr_assert_eq(t.n, 32);
	neighbours_fini(&t);
}

static bool set_static(struct neighbours *t, uint64_t key, const uint8_t mac[6])
{
	return neighbours_set_static(t, key, ip6_mapped((ip4)key), mac, NS_PER_S);
}

Test(io, static_neighbour_is_neither_moved_nor_forgotten)
{
	static const enum neighbour_word words[] = {
		NEIGHBOUR_HEARSAY, NEIGHBOUR_ASKER, NEIGHBOUR_ANSWER};
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(0, 1);

	cr_assert(set_static(&t, key, mac_a));
	cr_assert(neighbours_is_static(&t, key));
	for (ns now = NS_PER_S; now < 3 * NEIGHBOUR_GONE_NS; now += NEIGHBOUR_STALE_NS / 2) {
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			cr_assert_eq(learn(&t, key, mac_b, words[i], now), NEIGHBOUR_REFUSED);
			cr_assert_eq(learn(&t, key, mac_a, words[i], now), NEIGHBOUR_KEPT);
		}
		age_all(&t, now);
		cr_assert(known(&t, key, mac_a, false), "never stale, so never asked");
		cr_assert(neighbours_contradict(&t, key, mac_b));
		cr_assert_not(neighbours_contradict(&t, key, mac_a));
	}
	cr_assert(neighbours_is_static(&t, key));
	cr_assert_eq(t.n, 1);
	neighbours_fini(&t);
}

Test(io, known_neighbour_becomes_static)
{
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(0, 1), value;

	cr_assert_eq(learn(&t, key, mac_a, NEIGHBOUR_ANSWER, 1), NEIGHBOUR_NEW);
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_HEARSAY, 2), NEIGHBOUR_DISPUTED);
	cr_assert_not(neighbours_is_static(&t, key));
	cr_assert(set_static(&t, key, mac_b));
	cr_assert(known(&t, key, mac_b, false));
	cr_assert(set_static(&t, key, mac_a), "by a reload");
	cr_assert(known(&t, key, mac_a, false));
	age_all(&t, 2 * NEIGHBOUR_GONE_NS);
	cr_assert(neighbours_find(&t, key, &value));
	cr_assert_eq(value, neighbour_value(mac_a, NEIGHBOUR_FLAG_STATIC));
	cr_assert_eq(t.n, 1);
	neighbours_fini(&t);
}

// They count, and whoever came by ARP gives way to them, also when he is in another window.
Test(io, static_neighbours_find_room_in_a_full_table)
{
	enum {
		MAX = 100
	};
	for (uint32_t seed = 0; seed < 50; seed++) {
		struct neighbours t = table(MAX);
		struct rng rng;

		rng_init_u64(&rng, seed);
		t.secret = rng_secret(&rng);
		for (uint32_t i = 0; i < MAX; i++)
			(void)learn(&t, neighbour_key(0, i), mac_a, NEIGHBOUR_ASKER, NS_PER_S);
		cr_assert_eq(t.n, MAX);
		for (uint32_t i = 0; i < MAX; i++) {
			cr_assert(set_static(&t, neighbour_key(1, i), mac_b));
			cr_assert_eq(t.n, MAX);
		}
		cr_assert_not(set_static(&t, neighbour_key(2, 0), mac_b), "full of static ones");
		cr_assert_eq(learn(&t, neighbour_key(0, 5), mac_a, NEIGHBOUR_ANSWER, NS_PER_S),
			NEIGHBOUR_REFUSED);
		for (uint32_t i = 0; i < MAX; i++)
			cr_assert(known(&t, neighbour_key(1, i), mac_b, false));
		neighbours_fini(&t);
	}
}

static bool is_not_static(const void *ctx, uint64_t key, ip6 name, bool is_static)
{
	(void)ctx;
	(void)key;
	(void)name;
	return !is_static;
}

Test(io, static_neighbour_that_was_removed_is_resolved_again)
{
	struct neighbours t = table(16);
	uint64_t key = neighbour_key(0, 2), value;

	cr_assert(set_static(&t, key, mac_a));
	cr_assert_eq(
		learn(&t, neighbour_key(0, 3), mac_a, NEIGHBOUR_ANSWER, NS_PER_S), NEIGHBOUR_NEW);
	neighbours_prune(&t, is_even, NULL);
	cr_assert(neighbours_is_static(&t, key));
	neighbours_prune(&t, is_not_static, NULL);
	cr_assert_not(neighbours_find(&t, key, &value));
	cr_assert_eq(learn(&t, key, mac_b, NEIGHBOUR_ANSWER, NS_PER_S), NEIGHBOUR_NEW);
	cr_assert(known(&t, key, mac_b, false));
	cr_assert_not(neighbours_is_static(&t, key));
	neighbours_fini(&t);
}

// The same promises as a plain array keeps, over a long random run.
Test(io, random_run_agrees_with_a_plain_array)
{
	enum {
		HOSTS = 300,
		MAX = 256
	};
	struct neighbours t = table(MAX);
	struct {
		ns confirmed;
		uint8_t mac;
		bool disputed;
	} model[HOSTS] = {{0, 0, false}};
	struct rng rng;
	ns now = NS_PER_S;

	rng_init_u64(&rng, 42);
	for (int step = 0; step < 20000; step++) {
		uint32_t host = rng_below(&rng, HOSTS);
		uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)rng_below(&rng, 3)};

		now += rng_below(&rng, 1000) * NS_PER_MS;
		age_all(&t, now);
		for (uint32_t i = 0; i < HOSTS; i++) {
			if (model[i].confirmed && now >= model[i].confirmed + NEIGHBOUR_GONE_NS)
				model[i].confirmed = 0;
		}
		enum neighbour_change change =
			learn(&t, neighbour_key(0, host), mac, NEIGHBOUR_ASKER, now);
		if (!model[host].confirmed)
			cr_assert(change == NEIGHBOUR_NEW || change == NEIGHBOUR_REFUSED);
		else if (model[host].mac == mac[5])
			cr_assert_eq(change, NEIGHBOUR_KEPT);
		else if (now >= model[host].confirmed + NEIGHBOUR_STALE_NS)
			cr_assert_eq(change, NEIGHBOUR_MOVED);
		else
			cr_assert_eq(change,
				model[host].disputed ? NEIGHBOUR_REFUSED : NEIGHBOUR_DISPUTED);
		model[host].disputed |= change == NEIGHBOUR_DISPUTED;
		if (change == NEIGHBOUR_REFUSED || change == NEIGHBOUR_DISPUTED)
			continue;
		model[host].confirmed = now;
		model[host].disputed = false;
		model[host].mac = mac[5];
		uint32_t n = 0;
		for (uint32_t i = 0; i < HOSTS; i++)
			n += model[i].confirmed != 0;
		cr_assert_eq(t.n, n);
		host = rng_below(&rng, HOSTS);
		uint64_t value;
		cr_assert_eq(neighbours_find(&t, neighbour_key(0, host), &value),
			model[host].confirmed != 0);
	}
	neighbours_fini(&t);
}
