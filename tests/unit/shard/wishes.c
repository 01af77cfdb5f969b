// SPDX-License-Identifier: Apache-2.0
// What control asks of a shard, and what it hears.
#include <errno.h>

#include "ask.h"
#include "check.h"

struct page { // what a wish brought
	unsigned rows;
	uint32_t cursor;
	int32_t error;
	struct nat_view last;
	struct nat_subscriber_view subscriber;
};

// Steps until DONE, reading all the while.
static struct page grant(struct world *w, uint16_t shard, const struct shard_wish *wish)
{
	struct page page = {.rows = 0};
	struct shard_answer a;

	cr_assert(shard_wish(w->shard[shard], wish));
	for (unsigned i = 0; i < 100000; i++) {
		shard_step(w->shard[shard], w->conf, w->now, &w->sink);
		while (shard_answer(w->shard[shard], &a)) {
			cr_assert_eq(a.id, wish->id);
			if (a.kind == SHARD_DONE) {
				page.cursor = a.cursor;
				page.error = a.error;
				return page;
			}
			page.rows++;
			if (a.kind == SHARD_ROW_MAPPING)
				page.last = a.mapping;
			else
				page.subscriber = a.subscriber;
		}
	}
	cr_assert_fail("a wish is never granted");
	return page;
}

static struct shard_wish wish_of(enum shard_wish_kind kind)
{
	return (struct shard_wish){.kind = kind, .id = 7, .max = 1000, .group = 255};
}

static void open_many(struct world *w, ip4 host, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		open_udp(w, host, (uint16_t)(5000 + i), PEER);
}

// ---- walks -----------------------------------------------------------------------------------

Test(wishes, pages_hold_every_mapping_once)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_MAPPINGS);
	unsigned rows = 0, pages = 0;

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < 10; i++)
		open_many(&w, HOME + i, 30);
	wish.max = 37;
	do {
		struct page page = grant(&w, 0, &wish);
		cr_assert_eq(page.error, 0);
		cr_assert_leq(page.rows, 37);
		rows += page.rows;
		wish.cursor = page.cursor;
		pages++;
	} while (wish.cursor != 0);
	cr_assert_eq(rows, 300, "%u rows", rows);
	cr_assert_geq(pages, 300 / 37 + 1);
	world_close(&w);
}

Test(wishes, rows_wait_when_nobody_reads_and_none_is_lost)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_MAPPINGS);
	struct shard_answer a = {.kind = SHARD_ROW_MAPPING};
	unsigned rows = 0;

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < 10; i++)
		open_many(&w, HOME + i, 200);
	wish.max = 10000;
	cr_assert(shard_wish(w.shard[0], &wish));
	world_settle(&w); // a worker whose ring is full may nap
	while (a.kind != SHARD_DONE) {
		while (shard_answer(w.shard[0], &a) && a.kind != SHARD_DONE)
			rows++;
		world_step(&w);
	}
	cr_assert_eq(rows, 2000);
	world_close(&w);
}

Test(wishes, mappings_are_shown_by_their_properties)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_MAPPINGS);
	struct page page;

	world_open(&w, ONE_SHARD);
	open_many(&w, HOME, 10);
	open_many(&w, NEIGHBOR, 5);
	struct pcp_message m = ask_map(&w, HOME, SERVER, IP_TCP, 8080, 600);
	wish.key.host = NEIGHBOR;
	cr_assert_eq(grant(&w, 0, &wish).rows, 5);
	wish.key.host = HOME;
	cr_assert_eq(grant(&w, 0, &wish).rows, 11);
	wish.key.protocol = NAT_TCP;
	page = grant(&w, 0, &wish);
	cr_assert_eq(page.rows, 1);
	cr_assert_eq(page.last.kind, NAT_EXPLICIT);
	cr_assert_eq(page.last.lease_left_s, 600);
	wish = wish_of(SHARD_SHOW_MAPPINGS);
	wish.kinds = 1 << NAT_EXPLICIT;
	cr_assert_eq(grant(&w, 0, &wish).rows, 1);
	wish.kinds = 0;
	wish.external = (struct recipe){ip6_to_ip4(m.external_ip), m.external_port};
	wish.has_external_port = true;
	page = grant(&w, 0, &wish);
	cr_assert_geq(page.rows, 1);
	wish.has_port = true;
	wish.key.port = 8080;
	cr_assert_eq(grant(&w, 0, &wish).rows, 1);
	wish.has_realm = true;
	wish.key.realm = 2;
	cr_assert_eq(grant(&w, 0, &wish).rows, 0);
	wish = wish_of(SHARD_SHOW_MAPPINGS);
	wish.group = 1;
	cr_assert_eq(grant(&w, 0, &wish).rows, 0);
	world_close(&w);
}

Test(wishes, subscribers_are_shown)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_SUBSCRIBERS);

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < 20; i++)
		open_many(&w, HOME + i, 3);
	cr_assert_eq(grant(&w, 0, &wish).rows, 20);
	wish.key.host = HOME + 5;
	struct page page = grant(&w, 0, &wish);
	cr_assert_eq(page.rows, 1);
	cr_assert_eq(page.subscriber.host, HOME + 5);
	cr_assert_eq(page.subscriber.n_ports[0], 3);
	world_close(&w);
}

// A static mapping on an address dealt to another shard keeps its port there, unseen.
Test(wishes, a_static_mapping_is_shown_once)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_MAPPINGS);
	unsigned rows = 0;

	world_open(&w, TWO_SHARDS "    static-mappings:\n"
				  "      - { protocol: udp, internal: \"100.64.0.10:7\","
				  " external: \"203.0.113.4:2000\" }\n"
				  "      - { protocol: udp, internal: \"100.64.0.10:8\","
				  " external: \"203.0.113.5:2000\" }\n");
	for (uint16_t k = 0; k < 2; k++)
		rows += grant(&w, k, &wish).rows;
	cr_assert_eq(rows, 2);
	wish.kind = SHARD_SHOW_SUBSCRIBERS;
	rows = grant(&w, 0, &wish).rows + grant(&w, 1, &wish).rows;
	cr_assert_eq(rows, 1);
	world_close(&w);
}

// ---- removals --------------------------------------------------------------------------------

static struct shard_wish delete_of(ip4 host, uint16_t port)
{
	struct shard_wish wish = wish_of(SHARD_DELETE_MAPPING);

	wish.key = (struct nat_key){host, port, 1, NAT_UDP};
	return wish;
}

Test(wishes, a_deleted_mapping_is_closed_at_once)
{
	struct world w;
	struct shard_wish wish = delete_of(HOME, 5000);
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	cr_assert_eq(grant(&w, 0, &wish).error, 0);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	cr_assert_eq(grant(&w, 0, &wish).error, -ENOENT);
	world_close(&w);
}

Test(wishes, a_static_mapping_is_the_configurations_to_delete)
{
	struct world w;
	struct shard_wish wish = delete_of(HOME, 7);
	unsigned refused = 0;

	world_open(&w, TWO_SHARDS "    static-mappings:\n"
				  "      - { protocol: udp, internal: \"100.64.0.10:7\","
				  " external: \"203.0.113.4:2000\" }\n");
	for (uint16_t k = 0; k < 2; k++) {
		int32_t error = grant(&w, k, &wish).error;
		cr_assert(error == -EPERM || error == -ENOENT);
		refused += error == -EPERM;
	}
	cr_assert_eq(refused, 1);
	world_close(&w);
}

Test(wishes, a_cleared_subscriber_has_nothing_left)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_CLEAR_SUBSCRIBER);

	world_open(&w, ONE_SHARD);
	open_many(&w, HOME, 100);
	open_many(&w, NEIGHBOR, 5);
	for (uint16_t i = 0; i < 20; i++)
		ask_map(&w, HOME, SERVER, IP_TCP, (uint16_t)(80 + i), 600);
	wish.key = (struct nat_key){.host = HOME, .realm = 1};
	cr_assert_eq(grant(&w, 0, &wish).error, 0);
	cr_assert_eq(WORLD_NAT(&w, mappings), 5);
	wish.key.host = STRANGER;
	cr_assert_eq(grant(&w, 0, &wish).error, -ENOENT);
	world_close(&w);
}

// ---- the rings -------------------------------------------------------------------------------

Test(wishes, what_nobody_knows_is_invalid)
{
	struct world w;
	struct shard_wish wish = wish_of((enum shard_wish_kind)99);

	world_open(&w, ONE_SHARD);
	cr_assert_eq(grant(&w, 0, &wish).error, -EINVAL);
	wish = wish_of(SHARD_ANNOUNCE); // of no group
	cr_assert_eq(grant(&w, 0, &wish).error, -EINVAL);
	world_close(&w);
}

Test(wishes, wishes_are_granted_in_their_order)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_MAPPINGS);
	struct shard_answer a;
	unsigned n = 0;

	world_open(&w, ONE_SHARD);
	for (wish.id = 0; shard_wish(w.shard[0], &wish); wish.id++)
		n++;
	cr_assert_eq(n, 16);
	world_settle(&w);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned steps = 0; !shard_answer(w.shard[0], &a) && steps < 1000; steps++)
			world_step(&w);
		cr_assert(a.kind == SHARD_DONE && a.id == i);
	}
	world_close(&w);
}
