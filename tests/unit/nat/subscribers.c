// SPDX-License-Identifier: Apache-2.0
#include "world.h"

Test(nat, a_subscriber_is_known_while_he_holds_something)
{
	struct world w = world_simple(64);
	struct nat_subscriber_view view;

	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST));
	cr_assert_not(nat_subscriber_find(w.nat, 1, HOST, &view));
	world_out(&w, key_of(HOST, NAT_UDP, 1));
	world_out(&w, key_of(HOST, NAT_TCP, 1));
	world_map(&w, key_of(HOST, NAT_TCP, 2), 1, 600);
	cr_assert_not(nat_is_new_subscriber(w.nat, 1, HOST));
	cr_assert(nat_is_new_subscriber(w.nat, 2, HOST), "another realm");
	cr_assert(nat_subscriber_find(w.nat, 1, HOST, &view));
	cr_assert(view.host == HOST && view.realm == 1 && view.external == POOL_A);
	cr_assert(view.n_ports[0] == 1 && view.n_ports[1] == 2 && view.n_ports[2] == 0);
	cr_assert(view.n_blocks == 1 && view.n_leases == 1 && view.epoch_base_s == 0);
	world_pass(&w, 4000);
	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST));
	cr_assert_eq(nat_counters(w.nat)->subscribers_removed, 1);
	world_close(&w);
}

static void lose_a_lease(struct world *w, ip4 host)
{
	struct nat_key key = key_of(host, NAT_TCP, 1);

	world_map(w, key, 1, 600);
	cr_assert(nat_delete(w->nat, &key, w->now_s));
}

// He must be told of the loss when he asks again (RFC 6887 s.8.5), so he is remembered.
Test(nat, t_6887_8_5_who_lost_a_lease_is_remembered)
{
	struct world w = world_simple(64);
	uint32_t lost_s = w.now_s;

	lose_a_lease(&w, HOST);
	world_pass(&w, 5000);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), lost_s);
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 1);
	world_pass(&w, 10);
	lose_a_lease(&w, HOST);
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s, "the later loss counts");
	world_close(&w);
}

Test(nat, a_crowded_table_keeps_its_last_quarter_free_of_memories)
{
	struct world w = world_simple(64);

	for (uint32_t i = 0; i < 64; i++)
		lose_a_lease(&w, HOST + i);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 64 / 4 * 3 - 1);
	for (uint32_t i = 0; i < 17; i++)
		world_out(&w, key_of(HOST + 100 + i, NAT_TCP, 1));
	cr_assert_eq(world_try(&w, key_of(HOST + 200, NAT_TCP, 1)), DROP_SUBSCRIBERS_FULL);
	world_out(&w, key_of(HOST, NAT_TCP, 1)); // he has his place already
	world_close(&w);
}

Test(nat, records_are_found_after_any_order_of_coming_and_going)
{
	struct world w = world_simple(4);
	bool here[200] = {false};
	struct rng r;

	rng_init_u64(&r, 3);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t host = rng_below(&r, ARRAY_SIZE(here));
		struct nat_key key = key_of(HOST + host, NAT_UDP, 1);

		cr_assert_eq(nat_is_new_subscriber(w.nat, 1, HOST + host), !here[host]);
		if (here[host]) {
			cr_assert(nat_delete(w.nat, &key, w.now_s));
			here[host] = false;
		} else if (world_try(&w, key) == DROP_NONE) {
			here[host] = true;
		} else {
			cr_assert_eq(nat_counters(w.nat)->subscribers, 64);
		}
	}
	world_close(&w);
}

struct seen {
	unsigned count, stop_at;
	uint8_t host[64];
};

static bool see(void *ctx, const struct nat_subscriber_view *view)
{
	struct seen *s = ctx;

	if (s->count == s->stop_at)
		return false;
	s->count++;
	s->host[view->host - HOST]++;
	return true;
}

Test(nat, a_walk_sees_every_subscriber_once_and_can_stop_anywhere)
{
	struct world w = world_simple(4);
	struct seen s = {.stop_at = 0};
	uint32_t cursor = 0;
	unsigned calls = 0;

	for (uint32_t i = 0; i < 40; i++)
		world_out(&w, key_of(HOST + i, NAT_UDP, 1));
	for (uint32_t i = 0; i < 40; i += 4)
		nat_subscriber_clear(w.nat, 1, HOST + i, 1000, w.now_s);
	while (!nat_walk_subscribers(w.nat, &cursor, 5, see, &s)) {
		s.stop_at = s.count + 3; // fewer than the budget: the rest comes next time
		cr_assert_lt(++calls, 100);
	}
	cr_assert_eq(s.count, 30);
	for (uint32_t i = 0; i < 40; i++)
		cr_assert_eq(s.host[i], i % 4 != 0);
	world_close(&w);
}

// The hint where to look first says who was there: of these all share one. Each goes, and his
// record is the next one's, also in another realm.
Test(nat, whose_record_another_one_has_is_not_taken_for_him)
{
	struct world w = world_simple(64);

	for (uint32_t i = 0; i < 64; i++) {
		ip4 host = HOST + i / 2 * RECENT;
		struct nat_key key = key_of(host, NAT_UDP, 1);

		key.realm = (uint8_t)(1 + i % 2);
		world_out(&w, key);
		cr_assert_eq(subscriber_find(w.nat, key.realm, host), 0, "always the same record");
		cr_assert_eq(subscriber_find(w.nat, (uint8_t)(3 - key.realm), host), NO_SUBSCRIBER);
		cr_assert_eq(subscriber_find(w.nat, key.realm, host - RECENT), NO_SUBSCRIBER);
		cr_assert(nat_delete(w.nat, &key, w.now_s)); // unanswered: nothing rests
		cr_assert(nat_is_new_subscriber(w.nat, key.realm, host));
		cr_assert_eq(nat_epoch_base(w.nat, key.realm, host), 0);
	}
	cr_assert_eq(nat_counters(w.nat)->subscribers_removed, 64);
	world_close(&w);
}
