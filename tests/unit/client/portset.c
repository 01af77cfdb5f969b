// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "world.h"

// An answer about `size` ports from `first` on.
static size_t answer(struct world *w, uint8_t *msg, uint16_t internal, uint16_t first,
	uint16_t size, uint16_t external)
{
	struct pcp_port_set set = {.size = size, .first = first};
	struct pcp_message m = w->servers[0].last;
	size_t len;

	m.internal_port = internal;
	m.external_port = external;
	m.external_ip = ip6_mapped(0xcb007105);
	len = pcp_success_reply(msg, &m, 600, world_epoch(w, &w->servers[0]));
	return size > 1 ? pcp_append_port_set(msg, len, PCP_MAX, &set) : len;
}

static void ask(struct world *w, struct postern_mapping *m, uint16_t size)
{
	world_init(w, 1);
	m->internal_port = 100;
	cr_assert_eq(postern_mapping_add_port_set(m, size, false), 0);
	w->servers[0].silent = true;
	cr_assert_geq(postern_client_map(w->client, m, w->now), 0);
	world_exchange(w);
}

static void deliver(struct world *w, const uint8_t *msg, size_t len)
{
	cr_expect(world_deliver(w, &w->servers[0], msg, len));
}

Test(client, rfc7753_a_set_is_two_ports_at_least_and_asked_for_once)
{
	struct postern_mapping m = world_want();
	struct world w;

	cr_expect_eq(postern_mapping_add_port_set(&m, 1, false), -EINVAL);
	cr_expect_eq(postern_mapping_add_port_set(&m, 2, true), 0);
	cr_expect_eq(postern_mapping_add_port_set(&m, 2, true), -EINVAL);
	m.prefer_failure = true;
	m.external.port = 4000;
	world_init(&w, 1);
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL, "not with PREFER_FAILURE");
	world_fini(&w);
}

Test(client, rfc7753_the_first_internal_port_is_the_mappings_own)
{
	struct postern_mapping m = world_want();
	struct pcp_port_set set;
	struct world w;

	cr_expect_eq(postern_mapping_add_port_set(&m, 16, true), 0);
	m.internal_port = 5000;
	world_init(&w, 1);
	world_map(&w, &m);
	cr_assert_eq(w.servers[0].last_n_options, 1);
	cr_assert(pcp_read_port_set(&w.servers[0].last_options[0], &set));
	cr_expect(set.first == 5000 && set.size == 16 && set.parity);
	world_fini(&w);
}

Test(client, rfc7753_a_smaller_grant_and_a_single_port_are_told_as_they_are)
{
	struct postern_mapping m = world_want();
	struct postern_event e;
	uint8_t msg[PCP_MAX];
	struct world w;

	ask(&w, &m, 100);
	deliver(&w, msg, answer(&w, msg, 100, 100, 32, 37056));
	e = world_news(&w, POSTERN_MAPPED);
	cr_expect(e.n_ports == 32 && e.internal_port == 100 && e.external.port == 37056);
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).n_ports, 32);
	postern_client_renew(w.client, 0, w.now);
	world_exchange(&w);
	deliver(&w, msg, answer(&w, msg, 100, 100, 1, 37056));
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).n_ports, 1);
	world_fini(&w);
}

Test(client, rfc7753_several_answers_are_events_of_their_own)
{
	struct postern_mapping m = world_want();
	struct postern_event e;
	uint8_t msg[PCP_MAX];
	struct world w;

	ask(&w, &m, 100);
	deliver(&w, msg, answer(&w, msg, 100, 100, 1, 100));
	deliver(&w, msg, answer(&w, msg, 101, 101, 99, 201));
	e = world_news(&w, POSTERN_MAPPED);
	cr_expect(e.internal_port == 100 && e.n_ports == 1 && e.external.port == 100);
	e = world_news(&w, POSTERN_MAPPED);
	cr_expect(e.internal_port == 101 && e.n_ports == 99 && e.external.port == 201);
	cr_expect_eq(e.id, 0);
	world_no_news(&w);
	deliver(&w, msg, answer(&w, msg, 101, 101, 99, 301));
	cr_expect_eq(world_news(&w, POSTERN_CHANGED).external.port, 301);
	world_fini(&w);
}

Test(client, rfc7753_the_answers_may_come_in_any_order)
{
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	struct world w;

	ask(&w, &m, 100);
	deliver(&w, msg, answer(&w, msg, 150, 150, 50, 201));
	deliver(&w, msg, answer(&w, msg, 100, 90, 20, 1100));
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).internal_port, 150);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).internal_port, 90, "it began earlier");
	world_no_news(&w);
	world_fini(&w);
}

Test(client, rfc7753_an_answer_outside_of_the_set_is_not_ours)
{
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	struct world w;

	ask(&w, &m, 10);
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, answer(&w, msg, 110, 110, 2, 201)));
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, answer(&w, msg, 99, 99, 2, 201)));
	deliver(&w, msg, answer(&w, msg, 109, 109, 1, 201));
	cr_expect_eq(postern_client_deadline(w.client), w.now + 600 * NS_PER_S, "answered");
	world_fini(&w);
}

Test(client, rfc7753_renewal_and_delete_carry_the_option)
{
	struct postern_mapping m = world_want();
	struct world w;

	world_init(&w, 1);
	postern_mapping_add_port_set(&m, 8, false);
	m.keep = true;
	world_map(&w, &m);
	world_pass(&w, 2400);
	cr_expect_geq(w.n_seen, 2);
	cr_expect_eq(w.servers[0].last_n_options, 1);
	postern_client_delete(w.client, 0, w.now);
	world_exchange(&w);
	cr_expect_eq(w.servers[0].last.lifetime_s, 0);
	cr_expect_eq(w.servers[0].last_n_options, 1);
	world_fini(&w);
}
