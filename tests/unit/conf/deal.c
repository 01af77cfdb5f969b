// SPDX-License-Identifier: Apache-2.0
// The deal of external addresses: fair, the same every time, and faithful to what stays. What every
// deal must be (a block for each worker, one run of ports in each address) make_conf() checks.
#include <stdio.h>
#include <stdlib.h>

#include "make.h"

static void count_pieces(const struct conf *c, uint8_t group, uint32_t pieces[CONF_MAX_WORKERS])
{
	memset(pieces, 0, CONF_MAX_WORKERS * sizeof *pieces);
	for (uint32_t i = 0; i < c->n_external; i++) {
		for (uint32_t p = 0; c->external[i].group == group && p < CONF_CUT; p++)
			pieces[c->external[i].owner[p]]++;
	}
}

static uint32_t spread(const struct conf *c, uint8_t group)
{
	uint32_t pieces[CONF_MAX_WORKERS], least = UINT32_MAX, most = 0;

	count_pieces(c, group, pieces);
	for (uint32_t w = 0; w < c->n_workers; w++) {
		least = min_u32(least, pieces[w]);
		most = max_u32(most, pieces[w]);
	}
	return most - least;
}

static struct conf *make_pool(uint32_t workers, const char *pool, const struct conf *previous)
{
	return make_conf_format(previous,
		"workers: %u\n" PORTS
		"nat-groups: {g: {subscribers: [100.64.0.0/10], external-address-pool: [%s]}}\n",
		workers, pool);
}

static bool same_deal(const struct conf *a, const struct conf *b)
{
	return a->n_external == b->n_external &&
	       !memcmp(a->external, b->external, a->n_external * sizeof *a->external);
}

// Of the addresses both have: how many changed an owner.
static uint32_t count_moved(const struct conf *a, const struct conf *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < a->n_external; i++) {
		const struct conf_external *e = find_external(b, a->external[i].ip);
		n += e && memcmp(e->owner, a->external[i].owner, sizeof e->owner) != 0;
	}
	return n;
}

Test(conf, enough_addresses_are_dealt_whole_and_evenly)
{
	static const char *const pools[] = {"203.0.113.0/24", "203.0.113.0/26", "203.0.113.64/28",
		"203.0.113.1-203.0.113.17", "198.18.0.0/29, 203.0.113.9, 203.0.113.77"};

	for (uint32_t i = 0; i < ARRAY_SIZE(pools); i++) {
		for (uint32_t workers = 1; workers <= 10; workers++) {
			struct conf *c = make_pool(workers, pools[i], NULL);
			for (uint32_t j = 0; j < c->n_external; j++)
				cr_assert_neq(c->external[j].whole, CONF_CUT_ADDRESS);
			cr_assert_leq(spread(c, 0), CONF_CUT, "pool %u, %u workers", i, workers);
			conf_destroy(c);
		}
	}
}

Test(conf, addresses_of_one_rss_entry_stay_together_where_that_is_fair)
{
	struct conf *c = make_pool(2, "203.0.112.0/22", NULL);
	uint8_t owner[CONF_RETA];

	memset(owner, 255, sizeof owner);
	for (uint32_t i = 0; i < c->n_external; i++) {
		const struct conf_external *e = &c->external[i];
		uint32_t entry = toeplitz_ip4(&c->toeplitz, e->ip) % CONF_RETA;
		if (owner[entry] == 255)
			owner[entry] = e->whole;
		cr_assert_eq(owner[entry], e->whole);
	}
	cr_assert_eq(spread(c, 0), 0);
	conf_destroy(c);
}

Test(conf, few_addresses_are_cut_so_that_every_worker_has_a_share)
{
	static const struct {
		const char *pool;
		uint32_t n;
	} pools[] = {{"203.0.113.9", 1}, {"203.0.113.8/31", 2}, {"203.0.113.1-203.0.113.3", 3},
		{"203.0.113.0/29", 8}};

	for (uint32_t i = 0; i < ARRAY_SIZE(pools); i++) {
		for (uint32_t workers = pools[i].n + 1; workers <= 63; workers++) {
			struct conf *c = make_pool(workers, pools[i].pool, NULL);
			// One piece of rounding, and piece 0 goes with each address's first.
			cr_assert_leq(spread(c, 0), 2, "%u workers", workers);
			conf_destroy(c);
		}
	}
}

Test(conf, one_address_for_two_workers_is_cut_in_the_middle)
{
	struct conf *c = make_pool(2, "203.0.113.9", NULL);
	struct nat_address share;

	cr_assert_eq(c->external[0].whole, CONF_CUT_ADDRESS);
	cr_assert_eq(c->external[0].owner[0], 0);
	cr_assert(conf_external_share(c, 0, 0, &share));
	cr_assert_eq(share.port_first, 1024);
	cr_assert_eq(share.port_last, 32767);
	cr_assert(conf_external_share(c, 0, 1, &share));
	cr_assert_eq(share.port_first, 32768);
	cr_assert_eq(share.port_last, 65535);
	cr_assert_not(conf_external_share(c, 0, 2, &share));
	conf_destroy(c);
}

Test(conf, a_narrow_port_range_is_cut_where_blocks_fit)
{
	struct conf *c =
		make_conf("workers: 3\n" PORTS
			  "nat-groups: {g: {subscribers: [100.64.0.0/10], port-set-size: 512,\n"
			  "  external-address-pool: [203.0.113.9], port-range: [20000, 23100]}}\n",
			NULL);
	struct nat_address share;

	// 20000..20479 holds no aligned block of 512 on its own: it goes with its neighbour.
	cr_assert(conf_external_share(c, 0, 0, &share));
	cr_assert_eq(share.port_first, 20000);
	cr_assert_eq(share.port_last, 21503);
	cr_assert(conf_external_share(c, 0, 2, &share));
	cr_assert_eq(share.port_last, 23100);
	conf_destroy(c);
}

Test(conf, the_deal_is_the_same_after_a_restart)
{
	for (uint32_t workers = 1; workers <= 20; workers++) {
		struct conf *a = make_pool(workers, "203.0.113.3-203.0.113.14", NULL);
		struct conf *b = make_pool(workers, "203.0.113.3-203.0.113.14", NULL);
		struct conf *again = make_pool(workers, "203.0.113.3-203.0.113.14", a);
		cr_assert(same_deal(a, b));
		cr_assert(same_deal(a, again));
		conf_destroy(a);
		conf_destroy(b);
		conf_destroy(again);
	}
}

Test(conf, an_address_that_stays_keeps_its_owner)
{
	struct conf *a = make_pool(4, "203.0.113.0/27", NULL);
	struct conf *b = make_pool(4, "203.0.113.0/27, 203.0.113.64/28", a);
	struct conf *c =
		make_pool(4, "203.0.113.8-203.0.113.31, 203.0.113.64/28, 198.18.0.0/28", b);

	cr_assert_eq(count_moved(a, b), 0);
	cr_assert_eq(count_moved(b, c), 0);
	cr_assert_leq(spread(b, 0), CONF_CUT);
	conf_destroy(a);
	conf_destroy(b);
	conf_destroy(c);
}

Test(conf, new_addresses_go_to_those_who_lost_most)
{
	struct conf *a = make_pool(2, "203.0.113.0/28", NULL);
	char pool[200] = "203.0.113.64/29";

	// All of worker 0's addresses but one go away.
	for (uint32_t i = 0, kept = 0; i < a->n_external; i++) {
		char ip[IP4_TEXT];
		if (a->external[i].whole == 0 && kept++ > 0)
			continue;
		strcat(strcat(pool, ", "), ip4_format(a->external[i].ip, ip));
	}
	struct conf *b = make_pool(2, pool, a);
	cr_assert_eq(count_moved(a, b), 0);
	cr_assert_eq(b->n_external, 17);
	cr_assert_leq(spread(b, 0), CONF_CUT);
	conf_destroy(a);
	conf_destroy(b);
}

Test(conf, a_cut_address_keeps_its_cuts_when_others_come)
{
	struct conf *a = make_pool(4, "203.0.113.1", NULL);
	struct conf *b = make_pool(4, "203.0.113.1, 203.0.113.2", a);
	struct conf *c = make_pool(4, "203.0.113.1-203.0.113.6", b);

	cr_assert_eq(count_moved(a, b), 0);
	cr_assert_leq(spread(b, 0), 3); // rounding, and piece 0 of both is worker 0's
	cr_assert_eq(count_moved(b, c), 0);
	cr_assert_eq(c->external[0].whole, CONF_CUT_ADDRESS);
	cr_assert_neq(c->external[5].whole, CONF_CUT_ADDRESS);
	conf_destroy(a);
	conf_destroy(b);
	conf_destroy(c);
}

Test(conf, when_a_worker_would_be_left_without_the_group_is_dealt_afresh)
{
	struct conf_complaints all = {0};
	struct conf *a = make_pool(2, "203.0.113.0/31", NULL);
	struct conf *b = make_pool(2, "203.0.113.0", a);
	char line[500];

	cr_assert_eq(b->external[0].whole, CONF_CUT_ADDRESS);
	cr_assert_eq(conf_restart_leaves(a, b, &all), 1);
	conf_complaint_format(&all, 0, line, sizeof line);
	cr_assert_not_null(strstr(line, "nat-groups.g.external-address-pool: found a pool that "
					"leaves a worker without a share"),
		"%s", line);
	conf_complaints_destroy(&all);
	conf_destroy(a);
	conf_destroy(b);
}

Test(conf, two_groups_are_dealt_apart_and_the_odd_ones_go_to_different_workers)
{
	struct conf *c = make_conf("workers: 2\n" PORTS "nat-groups:\n"
				   "  a: {subscribers: [100.64.0.0/16], external-address-pool: "
				   "[203.0.113.1-203.0.113.3]}\n"
				   "  b: {subscribers: [100.65.0.0/16], external-address-pool: "
				   "[203.0.113.4-203.0.113.6]}\n",
		NULL);
	uint32_t whole[2] = {0, 0};

	cr_assert_eq(spread(c, 0), CONF_CUT);
	cr_assert_eq(spread(c, 1), CONF_CUT);
	for (uint32_t i = 0; i < c->n_external; i++)
		whole[c->external[i].whole]++;
	cr_assert_eq(whole[0], 3);
	cr_assert_eq(whole[1], 3);
	conf_destroy(c);
}

// Any pools after any pools: every address that stays keeps its owner unless the reload is named a
// restart; make_conf() checks that everybody always has a share.
Test(conf, random_reloads_keep_owners_or_ask_for_a_restart)
{
	struct rng rng;

	rng_init_u64(&rng, 7);
	for (uint32_t round = 0; round < 60; round++) {
		uint32_t workers = 1 + rng_below(&rng, 9);
		struct conf *old = NULL;
		for (uint32_t step = 0; step < 8; step++) {
			char pool[2000] = "", item[32];
			uint32_t n = 1 + rng_below(&rng, 20), at = rng_below(&rng, 200);
			for (uint32_t i = 0; i < n; i++, at += 1 + rng_below(&rng, 3)) {
				snprintf(item, sizeof item, "%s198.18.0.%u", i ? ", " : "", at);
				strcat(pool, item);
				if (at > 240)
					break;
			}
			struct conf_complaints all = {0};
			struct conf *new = make_pool(workers, pool, old);
			if (old && conf_restart_leaves(old, new, &all) == 0)
				cr_assert_eq(count_moved(old, new), 0);
			conf_complaints_destroy(&all);
			conf_destroy(old);
			old = new;
		}
		conf_destroy(old);
	}
}
