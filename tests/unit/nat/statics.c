// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <errno.h>

static int add_static(struct world *w, struct nat_key key, ip4 addr, uint16_t port)
{
	return nat_static_add(w->nat, &key, (struct recipe){addr, port}, false, w->now_s);
}

Test(nat, a_static_mapping_stands_outside_the_dynamic_range_for_good)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_TCP, 80);

	cr_assert_eq(add_static(&w, key, POOL_A, 80), 0);
	cr_assert_eq(add_static(&w, key, POOL_A, 80), 0, "it is there already");
	world_pass(&w, 20000);
	cr_assert(world_in(&w, NAT_TCP, (struct recipe){POOL_A, 80}));
	cr_assert_eq(world_out(&w, key).port, 80);
	cr_assert_eq(world_look(&w, key).kind, NAT_STATIC);
	cr_assert_eq(nat_counters(w.nat)->mappings, 1);
	cr_assert_eq(nat_counters(w.nat)->leases, 1);
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	world_close(&w);
}

Test(nat, static_mappings_refuse_what_cannot_be)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct world w;

	limits.leases = 2;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 80), POOL_B, 80), -ENOENT);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 80), POOL_A, 80), 0);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 80), POOL_A, 81), -EEXIST);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 81), POOL_A, 80), -EEXIST);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 81), POOL_A, 81), 0);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 82), POOL_A, 82), -ENOSPC);
	world_close(&w);
}

Test(nat, a_refused_static_mapping_evicts_nobody)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct nat_key mine = key_of(HOST, NAT_TCP, 81);
	struct recipe to;
	struct world w;

	limits.leases = 1;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 80), POOL_A, 80), 0);
	to = world_out(&w, mine);
	cr_assert_eq(add_static(&w, mine, POOL_A, 80), -EEXIST);
	cr_assert_eq(add_static(&w, mine, POOL_A, 82), -ENOSPC);
	cr_assert_eq(add_static(&w, key_of(HOST + 1, NAT_TCP, 1), to.addr, to.port), -ENOSPC);
	cr_assert(recipe_eq(to, world_look(&w, mine).external));
	world_close(&w);
}

Test(nat, the_host_of_a_static_mapping_is_paired_with_its_address)
{
	struct world w = world_simple(64);

	world_add(&w, POOL_B, 1024, 65535);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 80), POOL_B, 80), 0);
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_UDP, 1)).addr, POOL_B);
	cr_assert_eq(world_map(&w, key_of(HOST, NAT_UDP, 2), 1, 600).addr, POOL_B);
	world_close(&w);
}

// Its ports are all static, or taken: he gets another address, and keeps to that one.
Test(nat, the_host_of_a_static_mapping_on_a_full_address_is_paired_elsewhere)
{
	struct world w = world_open(&WORLD_LIMITS, 4);

	world_add(&w, POOL_A, 1, 0);
	world_add(&w, POOL_B, 1024, 65535);
	world_add(&w, POOL_C, 1024, 65535);
	cr_assert_eq(add_static(&w, key_of(HOST, NAT_TCP, 80), POOL_A, 80), 0);
	ip4 paired = world_out(&w, key_of(HOST, NAT_UDP, 0)).addr;
	for (uint16_t i = 1; i < 20; i++)
		cr_assert_eq(world_out(&w, key_of(HOST, NAT_UDP, i)).addr, paired);
	world_close(&w);
}

Test(nat, a_static_mapping_inside_somebodys_block_stands_beside_it)
{
	struct world w = world_simple(4);
	struct recipe his = world_out(&w, key_of(HOST, NAT_UDP, 1));
	uint16_t port = his.port ^ 1;

	w.policy.block_limit = 1;
	cr_assert_eq(add_static(&w, key_of(HOST + 1, NAT_UDP, 9), POOL_A, port), 0);
	for (uint16_t i = 2; i < 4; i++)
		cr_assert_neq(world_out(&w, key_of(HOST, NAT_UDP, i)).port, port);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 4)), DROP_QUOTA_BLOCKS);
	world_recount(&w);
	world_in(&w, NAT_UDP, (struct recipe){POOL_A, port});
	world_pass(&w, 131); // the block goes back at once: only the static one had an answer
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	cr_assert(world_in(&w, NAT_UDP, (struct recipe){POOL_A, port}));
	world_close(&w);
}

Test(nat, t_static_before_explicit_before_implicit_the_static_mapping_evicts)
{
	struct world w = world_simple(64);
	struct nat_key implicit = key_of(HOST, NAT_UDP, 1), explicit = key_of(HOST, NAT_UDP, 2);
	struct recipe a = world_out(&w, implicit), b = world_map(&w, explicit, 1, 3600);

	cr_assert_eq(add_static(&w, key_of(HOST + 1, NAT_UDP, 1), a.addr, a.port), 0);
	cr_assert_eq(add_static(&w, key_of(HOST + 1, NAT_UDP, 2), b.addr, b.port), 0);
	cr_assert_not(world_has(&w, implicit) || world_has(&w, explicit));
	cr_assert_eq(nat_epoch_base(w.nat, 1, HOST), w.now_s, "he lost a lease");
	cr_assert_eq(nat_counters(w.nat)->cleared, 2);
	world_close(&w);
}

static bool victim_is(struct world *w, struct nat_key key, struct recipe at, struct nat_key victim)
{
	struct nat_key found;

	return nat_static_victim(w->nat, &key, at, &found) &&
	       memcmp(&found, &victim, sizeof found) == 0;
}

Test(nat, whom_a_static_mapping_would_evict_is_known_beforehand_one_after_the_other)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1), holder = key_of(HOST + 1, NAT_UDP, 2);
	struct recipe at = world_map(&w, holder, 2, 3600);
	struct nat_key found;

	world_map(&w, key, 1, 3600);
	cr_assert(victim_is(&w, key, at, holder));
	cr_assert(world_has(&w, holder) && world_has(&w, key), "looking changes nothing");
	nat_static_evict(w.nat, &holder, w.now_s);
	cr_assert(victim_is(&w, key, at, key));
	nat_static_evict(w.nat, &key, w.now_s);
	cr_assert_not(nat_static_victim(w.nat, &key, at, &found));
	cr_assert_eq(add_static(&w, key, at.addr, at.port), 0);
	cr_assert_eq(nat_counters(w.nat)->cleared, 2);
	cr_assert_not(nat_static_victim(w.nat, &key, at, &found), "it is there already");
	cr_assert_not(nat_static_victim(w.nat, &holder, at, &found), "another static one is there");
	cr_assert_not(nat_static_victim(w.nat, &holder, (struct recipe){POOL_B, 1}, &found));
	world_close(&w);
}

// While the port rests nobody is evicted from the endpoint.
Test(nat, a_resting_port_evicts_nobody)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1), holder = key_of(HOST + 1, NAT_UDP, 2);
	struct recipe at = world_out_answered(&w, holder);
	struct nat_key found;

	world_map(&w, key, 1, 3600);
	cr_assert(victim_is(&w, key, at, holder));
	nat_static_evict(w.nat, &holder, w.now_s);
	cr_assert_not(nat_static_victim(w.nat, &key, at, &found));
	world_pass(&w, 121);
	cr_assert(victim_is(&w, key, at, key));
	world_close(&w);
}

Test(nat, a_static_mapping_takes_over_an_internal_endpoint)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	world_map(&w, key, 1, 3600);
	cr_assert_eq(add_static(&w, key, POOL_A, 53), 0);
	cr_assert_eq(world_out(&w, key).port, 53);
	cr_assert_eq(nat_counters(w.nat)->leases, 1);
	world_close(&w);
}

// An answered port rests first, for the static mapping as for anybody.
Test(nat, t_6888_8_a_static_mapping_waits_for_hold_down)
{
	struct world w = world_simple(64);
	struct recipe to = world_out_answered(&w, key_of(HOST, NAT_UDP, 1));
	struct nat_key key = key_of(HOST + 1, NAT_UDP, 1);

	for (unsigned s = 0; s < 121; s++) {
		cr_assert_eq(add_static(&w, key, to.addr, to.port), -EAGAIN);
		world_pass(&w, 1);
	}
	cr_assert_eq(add_static(&w, key, to.addr, to.port), 0);
	world_close(&w);
}

static bool keep_odd(void *ctx, const struct nat_key *key, struct recipe external)
{
	(void)key;
	++*(unsigned *)ctx;
	return external.port & 1;
}

Test(nat, pruning_forgets_what_is_not_kept_in_bounded_steps)
{
	struct world w = world_simple(64);
	unsigned asked = 0, calls = 1;

	for (uint16_t i = 0; i < 40; i++)
		cr_assert_eq(add_static(&w, key_of(HOST + i, NAT_TCP, 80), POOL_A, 100 + i), 0);
	world_map(&w, key_of(HOST, NAT_TCP, 1), 1, 3600);
	while (!nat_static_prune(w.nat, 7, keep_odd, &asked))
		calls++;
	cr_assert_eq(asked, 40);
	cr_assert_geq(calls, 6);
	for (uint16_t i = 0; i < 40; i++)
		cr_assert_eq(world_in(&w, NAT_TCP, (struct recipe){POOL_A, 100 + i}), i & 1);
	cr_assert_eq(nat_counters(w.nat)->cleared, 20);
	cr_assert_eq(nat_counters(w.nat)->leases, 21);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 21);
	cr_assert(nat_static_prune(w.nat, 1000, keep_odd, &asked), "and over again");
	cr_assert_eq(asked, 60);
	world_close(&w);
}

Test(nat, a_pruned_port_of_the_dynamic_range_is_free_again)
{
	struct world w = world_open(&WORLD_LIMITS, 4);
	unsigned asked = 0;

	world_add(&w, POOL_A, 2000, 2003);
	for (uint16_t i = 0; i < 4; i++)
		cr_assert_eq(add_static(&w, key_of(HOST + 1, NAT_UDP, i), POOL_A, 2000 + i), 0);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 1)), DROP_POOL_NO_PORT);
	cr_assert(nat_static_prune(w.nat, 1000, keep_odd, &asked));
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_UDP, 1)).port % 2, 0);
	world_close(&w);
}

Test(nat, people_and_drains_leave_static_mappings_alone)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_TCP, 80);
	unsigned asked = 0;

	cr_assert_eq(add_static(&w, key, POOL_A, 80), 0);
	world_out(&w, key_of(HOST, NAT_TCP, 81));
	cr_assert_not(nat_delete(w.nat, &key, w.now_s));
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 10000, w.now_s));
	nat_lease_end(w.nat, &key, false, w.now_s);
	nat_address_remove(w.nat, POOL_A);
	world_pass(&w, 200);
	cr_assert_eq(nat_counters(w.nat)->mappings, 1);
	cr_assert(world_in(&w, NAT_TCP, (struct recipe){POOL_A, 80}));
	cr_assert(nat_address_known(w.nat, POOL_A));
	cr_assert(nat_static_prune(w.nat, 1000, keep_odd, &asked));
	world_settle(&w);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	world_close(&w);
}

// ---- the operator's own ------------------------------------------------------------------------

static int add_operators(struct world *w, struct nat_key key, uint16_t port)
{
	return nat_static_add(w->nat, &key, (struct recipe){POOL_A, port}, true, w->now_s);
}

static bool keep_none(void *ctx, const struct nat_key *key, struct recipe external)
{
	(void)key;
	(void)external;
	++*(unsigned *)ctx;
	return false;
}

Test(nat, a_new_configuration_leaves_the_operators_static_mappings_alone)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_TCP, 80), shared = key_of(HOST, NAT_TCP, 81);
	unsigned asked = 0;

	cr_assert_eq(add_operators(&w, key, 80), 0);
	cr_assert_eq(add_operators(&w, shared, 81), 0);
	cr_assert_eq(add_static(&w, shared, POOL_A, 81), 0, "now the configuration's");
	cr_assert(world_look(&w, key).operators && !world_look(&w, shared).operators);
	cr_assert(nat_static_prune(w.nat, 1000, keep_none, &asked));
	cr_assert_eq(asked, 1);
	cr_assert_eq(world_look(&w, key).kind, NAT_STATIC);
	cr_assert_not(world_has(&w, shared));
	world_close(&w);
}

Test(nat, the_operator_deletes_his_static_mappings_and_no_others)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_TCP, 80), other = key_of(HOST, NAT_TCP, 81);

	cr_assert_eq(add_operators(&w, key, 80), 0);
	cr_assert_eq(add_static(&w, other, POOL_A, 81), 0);
	cr_assert_eq(add_operators(&w, other, 81), 0, "it is there already");
	cr_assert(nat_subscriber_clear(w.nat, 1, HOST, 10000, w.now_s));
	cr_assert(world_has(&w, key), "clearing leaves statics");
	cr_assert(nat_delete(w.nat, &key, w.now_s));
	cr_assert_not(nat_delete(w.nat, &other, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->mappings, 1);
	world_close(&w);
}

// Nobody would come to delete them there, and the address would drain for ever.
Test(nat, the_operators_static_mappings_leave_with_their_address)
{
	struct world w = world_simple(64);

	cr_assert_eq(add_operators(&w, key_of(HOST, NAT_TCP, 80), 80), 0);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	cr_assert_eq(nat_counters(w.nat)->mappings, 0);
	world_close(&w);
}
