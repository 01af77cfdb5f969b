// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static unsigned walk(struct world *w, struct postern_action *out, unsigned most)
{
	unsigned n = 0;
	uintptr_t cursor = 0;
	struct postern_action a;

	while (postern_client_action(w->client, &cursor, &a)) {
		if (n < most)
			out[n] = a;
		n++;
	}
	return n;
}

// In order of time, the first at the deadline, at most one request and one expiry of a fact.
static void expect_order(struct world *w)
{
	struct postern_action a[64];
	unsigned n = walk(w, a, 64);

	cr_assert_leq(n, 64);
	cr_assert_eq(postern_client_deadline(w->client), n > 0 ? a[0].at_ns : POSTERN_NEVER);
	for (unsigned i = 0; i < n; i++) {
		cr_assert(i == 0 || a[i].at_ns >= a[i - 1].at_ns);
		for (unsigned k = 0; k < i; k++)
			cr_assert(a[i].id < 0 || a[i].id != a[k].id || a[i].server != a[k].server ||
				  (a[i].deed == POSTERN_EXPIRE) != (a[k].deed == POSTERN_EXPIRE));
	}
}

Test(client, what_is_planned_stands_in_the_order_of_time)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	world_add(&w, POSTERN_ROUTER, 2);
	w.loss = 30;
	m.keep = true;
	for (uint16_t i = 0; i < 4; i++) {
		m.internal_port = (uint16_t)(8080 + i);
		m.lifetime_s = 600u + 1000u * i;
		postern_client_map(w.client, &m, w.now);
	}
	for (int i = 0; i < 2000; i++) {
		expect_order(&w);
		world_pass(&w, 17);
		if (i % 100 == 50)
			w.servers[0].booted = w.now;
		if (i % 150 == 70)
			w.servers[1].silent = !w.servers[1].silent;
	}
	world_fini(&w);
}

Test(client, a_mapping_plans_its_request_then_its_renewal_and_its_end)
{
	struct postern_mapping m = world_want();
	struct postern_action a[4];
	struct world w;

	world_init(&w, 1);
	m.keep = true;
	postern_client_map(w.client, &m, w.now);
	cr_assert_eq(walk(&w, a, 4), 1);
	cr_expect_eq(a[0].deed, POSTERN_SEND_REQUEST);
	cr_expect_eq(a[0].at_ns, w.now);
	cr_expect_eq(a[0].sent, 0);
	w.servers[0].silent = true;
	world_exchange(&w);
	cr_assert_eq(walk(&w, a, 4), 1);
	cr_expect_eq(a[0].sent, 1);
	w.servers[0].silent = false;
	world_pass(&w, 4);
	cr_assert_eq(walk(&w, a, 4), 2);
	cr_expect_eq(a[0].deed, POSTERN_SEND_RENEWAL);
	cr_expect_eq(a[1].deed, POSTERN_EXPIRE);
	cr_expect_eq(a[1].at_ns, world_fact(&w, 0, w.servers[0].id).expires_ns);
	postern_client_delete(w.client, 0, w.now);
	cr_assert_eq(walk(&w, a, 4), 1);
	cr_expect_eq(a[0].deed, POSTERN_SEND_DELETE);
	world_exchange(&w);
	cr_expect_eq(walk(&w, a, 4), 0);
	world_fini(&w);
}

Test(client, what_a_server_does_is_planned_too)
{
	struct postern_mapping m = world_want();
	struct postern_action a[4];
	struct postern_client_options o = world_options(3);
	struct world w;

	world_init_bare(&w, &o);
	world_add(&w, POSTERN_ROUTER, 2);
	postern_client_announce(w.client, w.servers[0].id, w.now);
	postern_client_get(w.client, w.servers[0].id, 0, w.now);
	cr_assert_eq(walk(&w, a, 4), 2);
	cr_expect(a[0].deed == POSTERN_SEND_ANNOUNCE && a[0].id == -1);
	cr_expect(a[1].deed == POSTERN_SEND_GET && a[1].id == -1);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 200);
	cr_assert_eq(walk(&w, a, 4), 1);
	cr_expect_eq(a[0].deed, POSTERN_TRY_ADDRESS);
	world_fini(&w);
}

Test(client, a_recovery_is_planned_by_importance)
{
	struct postern_mapping m = world_want();
	struct postern_action a[16];
	struct world w;
	int last = 99;

	world_init(&w, 1);
	m.keep = true;
	for (unsigned i = 0; i < 4; i++) {
		m.internal_port = (uint16_t)(8080 + i);
		m.importance = (i * 7) % 4;
		world_map(&w, &m);
	}
	world_pass(&w, 600);
	w.servers[0].booted = w.now;
	world_announce(&w, &w.servers[0]);
	cr_assert_eq(walk(&w, a, 16), 8);
	for (unsigned i = 0; i < 4; i++) {
		int importance = (int)world_fact(&w, a[i].id, w.servers[0].id).want.importance;

		cr_expect_eq(a[i].deed, POSTERN_SEND_REQUEST);
		cr_expect_lt(importance, last);
		last = importance;
	}
	world_fini(&w);
}

Test(client, facts_of_all_servers_are_walked)
{
	struct postern_mapping m = world_want();
	uintptr_t cursor = 0;
	struct postern_fact f;
	struct world w;
	unsigned n = 0;

	world_init(&w, 1);
	world_add(&w, POSTERN_ROUTER, 1);
	postern_client_map(w.client, &m, w.now);
	m.internal_port = 9;
	postern_client_map(w.client, &m, w.now);
	m.internal_port = 10;
	postern_client_map(w.client, &m, w.now);
	postern_client_forget(w.client, 1);
	while (postern_client_fact(w.client, &cursor, &f)) {
		cr_expect(f.id == 0 || f.id == 2);
		cr_expect_eq(f.want.internal_port, f.id == 0 ? 8080 : 10);
		cr_expect(f.want.has_nonce);
		n++;
	}
	cr_expect_eq(n, 4);
	world_fini(&w);
}
