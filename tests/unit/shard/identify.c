// SPDX-License-Identifier: Apache-2.0
#include "pieces.h"

#include <stdlib.h>

enum {
	MANY = 4000
};

static int compare(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void expect_all_differ(uint16_t *ids, size_t n)
{
	qsort(ids, n, sizeof *ids, compare);
	for (size_t i = 1; i < n; i++)
		cr_assert_neq(ids[i - 1], ids[i], "%04x comes twice", ids[i]);
}

// Hosts that all choose the same one.
Test(identify, t_7857_10_packets_that_may_be_cut_differ)
{
	uint16_t ids[MANY];
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	for (unsigned i = 0; i < MANY; i++) {
		struct make m = udp_of(HOME + i % 100, 5000, PEER, 53);
		m.id = 1;
		put(&w, INSIDE_PORT, m, &f);
		expect_pass(&f, OUTSIDE_PORT);
		ids[i] = id_of(&f);
	}
	expect_all_differ(ids, MANY);
	world_close(&w);
}

Test(identify, t_7857_10_atomic_packets_keep_theirs)
{
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	for (uint16_t id = 0; id < 10; id++) {
		struct make m = udp_of(HOME, 5000, PEER, 53);
		m.id = id;
		m.fragment = IP4_DF;
		put(&w, INSIDE_PORT, m, &f);
		expect_pass(&f, OUTSIDE_PORT);
		cr_assert_eq(id_of(&f), id);
	}
	world_close(&w);
}

// Pieces of two hosts with the same identification, in turn, each in a burst with its next.
Test(identify, t_7857_10_pieces_of_a_datagram_share_theirs)
{
	struct pieces a, b;
	struct joined ja = {.n = 0}, jb = {.n = 0};
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, QUIET);
	struct make m = long_udp(HOME, 5000, PEER, 53, 77);
	cut_up(&a, &m, 480);
	m = long_udp(NEIGHBOR, 5000, PEER, 53, 77);
	cut_up(&b, &m, 480);
	for (unsigned i = 0; i < a.n; i++) {
		put_piece(&w, INSIDE_PORT, &a, i, &f);
		join_piece(&ja, &f);
		put_piece(&w, INSIDE_PORT, &b, i, &f);
		join_piece(&jb, &f);
	}
	expect_joined(&ja, &p);
	expect_joined(&jb, &p);
	cr_assert_neq(ja.id, jb.id);
	world_close(&w);
}

struct seen {
	struct joined j;
};

static void join_delivered(void *ctx, struct frame *f)
{
	expect_pass(f, OUTSIDE_PORT);
	join_piece(&((struct seen *)ctx)->j, f);
}

// All pieces in one burst: the datagram is finished with before the first of them is translated.
Test(identify, t_7857_10_pieces_in_one_burst_share_theirs)
{
	struct pieces all;
	struct seen seen;
	struct world w;
	struct frame f;
	struct pkt p;

	world_open(&w, QUIET);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &f);
	for (uint16_t id = 0; id < 20; id++) {
		struct make m = long_udp(HOME, 5000, PEER, 53, id);
		memset(&seen, 0, sizeof seen);
		w.deliver = join_delivered;
		w.ctx = &seen;
		cut_up(&all, &m, 96);
		for (unsigned i = 0; i < all.n; i++)
			world_feed(&w, INSIDE_PORT, all.bytes[i], all.len[i], 0);
		world_flush(&w);
		expect_joined(&seen.j, &p);
	}
	world_close(&w);
}

#define SHARED_ADDRESS                                                                             \
	"workers: 2\n" PORTS LIMITS "nat-groups:\n"                                                \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4]\n"                                               \
	"    port-set-size: 64\n"

Test(identify, t_7857_10_shards_that_share_an_address_never_choose_the_same)
{
	uint16_t ids[MANY];
	struct world w;
	struct frame f;

	world_open(&w, SHARED_ADDRESS);
	for (unsigned i = 0; i < MANY; i++) {
		put(&w, INSIDE_PORT, udp_of(world_host(&w, i % 2, 0), 5000, PEER, 53), &f);
		expect_pass(&f, OUTSIDE_PORT);
		cr_assert_eq(f.p.src, 0xcb007104);
		cr_assert_eq(id_of(&f) % 2, f.shard);
		ids[i] = id_of(&f);
	}
	expect_all_differ(ids, MANY);
	world_close(&w);
}

// A counter comes round after all it has: 65536 for a shard alone.
Test(identify, t_7857_10_none_comes_again_before_all_others)
{
	static uint16_t ids[65536];
	uint8_t packet[MAKE_MAX];
	struct make m = udp_of(HOME, 5000, PEER, 53);
	size_t len = make_packet(packet, &m);
	struct world w;
	struct frame f;

	world_open(&w, QUIET);
	for (unsigned i = 0; i < 65536; i++) {
		world_put(&w, INSIDE_PORT, packet, len, &f);
		ids[i] = id_of(&f);
	}
	expect_all_differ(ids, 65536);
	world_close(&w);
}
