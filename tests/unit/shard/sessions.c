// SPDX-License-Identifier: Apache-2.0
// Sessions and tenancies as control sees them.
#include <errno.h>
#include <stdio.h>

#include "check.h"

struct page { // what a wish brought
	unsigned rows;
	uint32_t cursor;
	int32_t error;
	struct nat_session_view session;
	struct nat_tenancy tenancy;
};

static struct page grant(struct world *w, uint16_t shard, const struct shard_wish *wish)
{
	struct page page = {.rows = 0};
	struct shard_answer a;

	cr_assert(shard_wish(w->shard[shard], wish));
	for (unsigned i = 0; i < 100000; i++) {
		shard_step(w->shard[shard], w->conf, w->now, &w->sink);
		while (shard_answer(w->shard[shard], &a)) {
			if (a.kind == SHARD_DONE) {
				page.cursor = a.cursor;
				page.error = a.error;
				return page;
			}
			page.rows++;
			if (a.kind == SHARD_ROW_SESSION)
				page.session = a.session;
			else
				page.tenancy = a.tenancy;
		}
	}
	cr_assert_fail("a wish is never granted");
	return page;
}

static struct shard_wish wish_of(enum shard_wish_kind kind, struct nat_key key)
{
	return (struct shard_wish){.kind = kind, .id = 7, .max = 1000, .group = 255, .key = key};
}

static void open_sessions(struct world *w, uint16_t port, unsigned n)
{
	struct frame f;

	for (unsigned i = 0; i < n; i++) {
		put(w, INSIDE_PORT, tcp_of(HOME, port, PEER, (uint16_t)(1000 + i), TCP_SYN), &f);
		expect_pass(&f, OUTSIDE_PORT);
	}
}

Test(sessions, those_of_one_mapping_are_shown_page_by_page)
{
	struct world w;
	struct shard_wish wish =
		wish_of(SHARD_SHOW_SESSIONS, (struct nat_key){HOME, 5000, 1, NAT_TCP});
	unsigned rows = 0, pages = 0;
	struct page page;

	world_open(&w, ONE_SHARD);
	open_sessions(&w, 5000, 25);
	open_sessions(&w, 5001, 3);
	wish.max = 10;
	do {
		page = grant(&w, 0, &wish);
		rows += page.rows;
		cr_assert_leq(page.rows, 10);
		wish.cursor = page.cursor;
		pages++;
	} while (page.cursor != 0);
	cr_assert_eq(rows, 25);
	cr_assert_geq(pages, 3);
	cr_assert_eq(page.session.key.host, HOME);
	cr_assert_eq(page.session.remote.addr, PEER);
	cr_assert_eq(page.session.state, NAT_I_INIT);
	world_close(&w);
}

Test(sessions, those_of_a_subscriber_are_shown_whatever_their_number)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_SESSIONS, (struct nat_key){HOME, 0, 1, 0});

	world_open(&w, ONE_SHARD);
	open_sessions(&w, 5000, 1500); // more than the ring of answers takes
	open_sessions(&w, 5001, 30);
	struct frame f;
	put(&w, INSIDE_PORT, tcp_of(NEIGHBOR, 5000, PEER, 80, TCP_SYN), &f);
	wish.max = 100000;
	cr_assert_eq(grant(&w, 0, &wish).rows, 1530);
	world_close(&w);
}

Test(sessions, of_a_mapping_that_is_not_there_are_none)
{
	struct world w;
	struct shard_wish wish =
		wish_of(SHARD_SHOW_SESSIONS, (struct nat_key){HOME, 5000, 1, NAT_TCP});

	world_open(&w, ONE_SHARD);
	struct page page = grant(&w, 0, &wish);
	cr_assert_eq(page.rows, 0);
	cr_assert_eq(page.error, 0);
	world_close(&w);
}

// ---- who has an external port ----------------------------------------------------------------

static struct page trace(struct world *w, uint8_t protocol, struct recipe external)
{
	struct shard_wish wish = wish_of(SHARD_TRACE, (struct nat_key){.protocol = protocol});

	wish.external = external;
	return grant(w, 0, &wish);
}

Test(trace, t_17_a_a_port_in_use_names_its_mapping_and_its_block)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct page page = trace(&w, NAT_UDP, e);
	cr_assert_eq(page.rows, 1);
	cr_assert(page.tenancy.mapped && page.tenancy.held);
	cr_assert_eq(page.tenancy.mapping.key.host, HOME);
	cr_assert_eq(page.tenancy.mapping.key.port, 5000);
	cr_assert_eq(page.tenancy.host, HOME);
	cr_assert_leq(page.tenancy.first, e.port);
	cr_assert_geq(page.tenancy.last, e.port);
	world_close(&w);
}

Test(trace, t_17_a_a_port_of_his_block_that_is_not_in_use_names_him)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct page page = trace(&w, NAT_TCP, e);
	cr_assert_eq(page.rows, 1);
	cr_assert(!page.tenancy.mapped && page.tenancy.held);
	cr_assert_eq(page.tenancy.host, HOME);
	world_close(&w);
}

Test(trace, t_17_b_an_unused_port_is_nobodys)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct page page = trace(&w, NAT_UDP, (struct recipe){0xcb007104, 40000});
	cr_assert_eq(page.rows, 1);
	cr_assert(!page.tenancy.mapped && !page.tenancy.held);
	world_close(&w);
}

Test(trace, an_address_that_is_not_ours_is_not_found)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct page page = trace(&w, NAT_UDP, (struct recipe){PEER, 40000});
	cr_assert_eq(page.rows, 0);
	cr_assert_eq(page.error, -ENOENT);
	world_close(&w);
}

// The worker that only keeps the port of another's static mapping does not show it.
Test(trace, a_static_mapping_is_its_owners_to_show)
{
	struct world w;
	char yaml[2000], host[IP4_TEXT];
	unsigned found = 0;

	world_open(&w, TWO_SHARDS);
	ip4 external = world_external(&w, 0), inside = world_host(&w, 1, 0);
	char at[IP4_TEXT];
	snprintf(yaml, sizeof yaml,
		"%s    static-mappings:\n"
		"      - { protocol: udp, internal: \"%s:80\", external: \"%s:4000\" }\n",
		TWO_SHARDS, ip4_format(inside, host), ip4_format(external, at));
	world_reload(&w, yaml);
	for (uint16_t k = 0; k < 2; k++) {
		struct shard_wish wish =
			wish_of(SHARD_TRACE, (struct nat_key){.protocol = NAT_UDP});
		wish.external = (struct recipe){external, 4000};
		struct page page = grant(&w, k, &wish);
		found += page.rows;
		cr_assert_eq(page.error, k == 1 ? 0 : -ENOENT);
	}
	cr_assert_eq(found, 1);
	world_close(&w);
}
