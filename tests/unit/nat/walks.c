// SPDX-License-Identifier: Apache-2.0
#include "world.h"

struct seen {
	unsigned count, stop_at;
	unsigned kinds[NAT_PEER + 1];
	uint8_t port[256];
};

static bool see(void *ctx, const struct nat_view *view)
{
	struct seen *s = ctx;

	if (s->count == s->stop_at)
		return false;
	s->count++;
	s->kinds[view->kind]++;
	s->port[view->key.port]++;
	return true;
}

static void populate(struct world *w)
{
	struct nat_key key = key_of(HOST, NAT_TCP, 200);

	for (uint16_t i = 0; i < 200; i++)
		world_out(w, key_of(HOST + i % 7u, NAT_UDP, i));
	for (uint16_t i = 0; i < 20; i++)
		world_map(w, key_of(HOST + i % 7u, NAT_UDP, i), 1, 600);
	cr_assert_eq(nat_static_add(w->nat, &key, (struct recipe){POOL_A, 80}, false, w->now_s), 0);
}

Test(nat, a_walk_sees_every_mapping_once_whatever_its_budget)
{
	struct world w = world_simple(64);

	populate(&w);
	for (uint32_t budget = 1; budget < 10000; budget *= 7) {
		struct seen s = {.stop_at = UINT32_MAX};
		uint32_t cursor = 0;

		while (!nat_walk_mappings(w.nat, &cursor, budget, w.now_s, see, &s))
			;
		cr_assert_eq(s.count, 201);
		cr_assert_eq(s.kinds[NAT_IMPLICIT], 180);
		cr_assert_eq(s.kinds[NAT_EXPLICIT], 20);
		cr_assert_eq(s.kinds[NAT_STATIC], 1);
		for (unsigned i = 0; i < 201; i++)
			cr_assert_eq(s.port[i], 1);
	}
	world_close(&w);
}

Test(nat, a_walk_that_was_stopped_goes_on_with_the_same_mapping)
{
	struct world w = world_simple(64);
	struct seen s = {.stop_at = 3};
	uint32_t cursor = 0;

	populate(&w);
	while (!nat_walk_mappings(w.nat, &cursor, 100000, w.now_s, see, &s)) {
		cr_assert_eq(s.count, s.stop_at);
		s.stop_at += 3;
	}
	cr_assert_eq(s.count, 201);
	for (unsigned i = 0; i < 201; i++)
		cr_assert_eq(s.port[i], 1);
	world_close(&w);
}

// What lived all the time is seen even if half the table goes meanwhile.
Test(nat, a_walk_under_traffic_misses_nobody_who_stays)
{
	struct world w = world_simple(64);
	struct seen s = {.stop_at = UINT32_MAX};
	uint32_t cursor = 0;
	uint16_t gone = 1;

	populate(&w);
	while (!nat_walk_mappings(w.nat, &cursor, 50, w.now_s, see, &s)) {
		nat_delete(w.nat, &(struct nat_key){HOST + gone % 7u, gone, 1, NAT_UDP}, w.now_s);
		world_try(&w, key_of(HOST + 20, NAT_UDP, 210 + gone % 40u));
		gone = (uint16_t)(gone + 2);
	}
	for (unsigned i = 0; i < 200; i += 2)
		cr_assert_eq(s.port[i], 1);
	world_close(&w);
}

// ---- one host's leases -------------------------------------------------------------------------

static void populate_leases(struct world *w)
{
	for (uint16_t i = 0; i < 20; i++) {
		world_map(w, key_of(HOST, NAT_UDP, i), 1, 600);
		world_peer(w, key_of(HOST, NAT_UDP, 100), 1, 600, (struct recipe){1, i});
		world_map(w, key_of(HOST + 1, NAT_UDP, i), 1, 600);
	}
	world_out(w, key_of(HOST, NAT_UDP, 101));
	world_set(w, key_of(HOST, NAT_UDP, 110), 1, 600, 16);
	world_map(w, key_of(HOST, NAT_UDP, 200), 1, 600);
	world_end(w, key_of(HOST, NAT_UDP, 200), true); // rests
	cr_assert_eq(nat_static_add(w->nat, &(struct nat_key){HOST, 250, 1, NAT_UDP},
			     (struct recipe){POOL_A, 80}, false, w->now_s),
		0);
}

Test(nat, a_walk_over_a_hosts_leases_sees_each_once_and_no_others)
{
	struct world w = world_simple(64);

	populate_leases(&w);
	for (uint32_t budget = 1; budget < 200; budget *= 3) {
		struct seen s = {.stop_at = UINT32_MAX};
		uint32_t cursor = 0;

		while (!nat_lease_walk(w.nat, 1, HOST, &cursor, budget, w.now_s, see, &s))
			;
		cr_assert_eq(s.count, 42);
		cr_assert_eq(s.kinds[NAT_PEER], 20);
		cr_assert_eq(s.kinds[NAT_STATIC], 1);
		cr_assert_eq(s.port[110], 1);
		cr_assert_eq(s.port[100], 20);
	}
	world_close(&w);
}

Test(nat, a_walk_over_leases_stops_and_goes_on_and_ends_with_its_lease)
{
	struct world w = world_simple(64);
	struct seen s = {.stop_at = 3};
	uint32_t cursor = 0;

	populate_leases(&w);
	cr_assert_not(nat_lease_walk(w.nat, 1, HOST, &cursor, 100, w.now_s, see, &s));
	cr_assert_eq(s.count, 3);
	s.stop_at = 100;
	cr_assert_not(nat_lease_walk(w.nat, 1, HOST, &cursor, 7, w.now_s, see, &s));
	cr_assert_eq(s.count, 10);
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 10000, w.now_s));
	cr_assert(nat_lease_walk(w.nat, 1, HOST, &cursor, 7, w.now_s, see, &s));
	cr_assert_eq(s.count, 10);
	cr_assert(nat_lease_walk(w.nat, 1, HOST + 40, &cursor, 7, w.now_s, see, &s), "nobody");
	world_close(&w);
}

Test(nat, a_walk_sees_a_set_once)
{
	struct world w = world_simple(64);
	struct seen s = {.stop_at = UINT32_MAX};
	uint32_t cursor = 0;

	world_set(&w, key_of(HOST, NAT_UDP, 10), 1, 600, 40);
	while (!nat_walk_mappings(w.nat, &cursor, 100, w.now_s, see, &s))
		;
	cr_assert_eq(s.count, 1);
	cr_assert_eq(s.port[10], 1);
	world_close(&w);
}
