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

// ---- ports of explicit mappings --------------------------------------------------------------

static struct conf *make_explicit(uint32_t workers, const char *pool, const char *port_range,
	const char *explicit, const struct conf *previous)
{
	return make_conf_format(previous,
		"workers: %u\n" PORTS
		"nat-groups: {g: {subscribers: [100.64.0.0/10], external-address-pool: [%s],\n"
		"  port-range: [%s]%s%s%s}}\n",
		workers, pool, port_range, *explicit ? ", port-forwarding-range: [" : "", explicit,
		*explicit ? "]" : "");
}

Test(conf, whoever_has_a_whole_address_has_all_its_explicit_ports)
{
	struct conf *c = make_explicit(2, "203.0.113.0/29", "20000, 65535", "1, 19999", NULL);

	for (uint32_t i = 0; i < c->n_external; i++) {
		for (uint16_t w = 0; w < 2; w++) {
			struct nat_address share;
			if (!conf_external_share(c, i, w, &share))
				continue;
			cr_assert_eq(w, c->external[i].whole);
			cr_assert(share.explicit_first == 1 && share.explicit_last == 19999);
		}
	}
	conf_destroy(c);
}

Test(conf, explicit_ports_of_a_cut_address_are_dealt_to_those_who_have_dynamic_ones)
{
	struct conf *c = make_explicit(2, "203.0.113.9", "9000, 65535", "500, 8999", NULL);
	struct nat_address share;

	// 8192..8999 lie in a piece that has dynamic ports: pieces 0 to 7 are dealt.
	cr_assert(conf_external_share(c, 0, 0, &share));
	cr_assert(share.port_first == 9000 && share.explicit_first == 500);
	cr_assert_eq(share.explicit_last, 4095);
	cr_assert(conf_external_share(c, 0, 1, &share));
	cr_assert(share.port_last == 65535 && share.explicit_first == 4096);
	cr_assert_eq(share.explicit_last, 8191);
	cr_assert_eq(conf_outside_owner(c, &c->external[0], NAT_TCP, 4095), 0);
	cr_assert_eq(conf_outside_owner(c, &c->external[0], NAT_TCP, 4096), 1);
	conf_destroy(c);
}

Test(conf, explicit_ports_may_lie_behind_the_dynamic_ones)
{
	struct conf *c = make_explicit(3, "203.0.113.8/31", "1024, 40000", "50000, 65535", NULL);
	struct nat_address share;
	uint32_t n = 0;

	for (uint32_t i = 0; i < 2; i++) {
		for (uint16_t w = 0; w < 3; w++) {
			if (!conf_external_share(c, i, w, &share))
				continue;
			cr_assert(share.explicit_first >= 50000);
			n += share.explicit_last - share.explicit_first + 1u;
		}
	}
	cr_assert_eq(n, 2 * 15536);
	conf_destroy(c);
}

Test(conf, explicit_ports_of_a_cut_address_stay_or_ask_for_a_restart)
{
	static const struct {
		const char *port_range, *explicit;
		bool restart;
	} cases[] = {{"9000, 65535", "500, 8999", false}, {"9000, 65535", "1, 8999", false},
		{"9000, 65535", "500, 2048", true}, {"9000, 65535", "", true},
		{"12000, 65535", "500, 8999", true}};
	struct conf *a = make_explicit(2, "203.0.113.9", "9000, 65535", "500, 8999", NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf_complaints all = {0};
		struct conf *b =
			make_explicit(2, "203.0.113.9", cases[i].port_range, cases[i].explicit, a);
		uint32_t n = conf_restart_leaves(a, b, &all);
		cr_assert_eq(n, cases[i].restart, "%u: %u", i, n);
		if (n > 0)
			cr_assert_str_eq(
				all.list[0].path, i == 4 ? "nat-groups.g.port-range"
							 : "nat-groups.g.port-forwarding-range");
		else
			cr_assert_eq(count_moved(a, b), 0);
		conf_complaints_destroy(&all);
		conf_destroy(b);
	}
	conf_destroy(a);
}

// Ranges of both kinds come, go and move, and pools with them. make_conf() checks that every share
// is one run, and that of a pool that must be cut everybody has explicit ports.
Test(conf, random_ranges_leave_one_run_of_each_kind)
{
	struct rng rng;

	rng_init_u64(&rng, 11);
	for (uint32_t round = 0; round < 100; round++) {
		uint32_t workers = 1 + rng_below(&rng, 6);
		struct conf *old = NULL;
		for (uint32_t step = 0; step < 6; step++) {
			uint32_t border = 10000 + rng_below(&rng, 40000);
			char below[40], behind[40], pool[60];
			snprintf(below, sizeof below, "%u, %u", 1 + rng_below(&rng, 3000),
				border - 1 - rng_below(&rng, 1500));
			snprintf(behind, sizeof behind, "%u, %u", border,
				65535 - rng_below(&rng, 3000));
			snprintf(pool, sizeof pool, "203.0.113.1-203.0.113.%u",
				1 + rng_below(&rng, 8));
			bool swap = rng_below(&rng, 2), none = rng_below(&rng, 4) == 0;
			struct conf *new = make_explicit(workers, pool, swap ? below : behind,
				none   ? ""
				: swap ? behind
				       : below,
				old);
			conf_destroy(old);
			old = new;
		}
		conf_destroy(old);
	}
}

// ---- many ------------------------------------------------------------------------------------

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
