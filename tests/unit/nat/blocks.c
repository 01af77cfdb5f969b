// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static struct world one_block(uint16_t size)
{
	struct world w = world_open(&WORLD_LIMITS, size);

	w.policy.port_limit = 0;
	w.policy.block_limit = 1;
	world_add(&w, POOL_A, 8192, 65535);
	return w;
}

// RFC 4787 REQ-3 and RFC 6888 REQ-13: every port of a block is given, and none twice.
static struct recipe fill(struct world *w, uint8_t protocol, uint16_t size)
{
	uint8_t seen[4096] = {0};
	struct recipe to = {0};

	for (unsigned i = 0; i < size; i++) {
		struct recipe next = world_out(w, key_of(HOST, protocol, (uint16_t)i));
		cr_assert(i == 0 || next.port / size == to.port / size, "one aligned block");
		cr_assert_eq(seen[next.port % size], 0, "port %u given twice", next.port);
		seen[next.port % size] = 1;
		to = next;
	}
	cr_assert_eq(world_try(w, key_of(HOST, protocol, 5000)), DROP_QUOTA_BLOCKS);
	return to;
}

static void fill_one_block(uint16_t size)
{
	struct world w = one_block(size);
	struct recipe udp = fill(&w, NAT_UDP, size), tcp = fill(&w, NAT_TCP, size);

	cr_assert_eq(udp.port / size, tcp.port / size, "the same ports for each protocol");
	cr_assert_eq(nat_counters(w.nat)->blocks, 1);
	world_close(&w);
}

Test(nat, t_4787_3_t_6888_13_blocks_of_4_ports_fill_up)
{
	fill_one_block(4);
}

Test(nat, t_4787_3_t_6888_13_blocks_of_8_ports_fill_up)
{
	fill_one_block(8);
}

Test(nat, t_4787_3_t_6888_13_blocks_of_64_ports_fill_up)
{
	fill_one_block(64);
}

Test(nat, t_4787_3_t_6888_13_blocks_of_512_ports_fill_up)
{
	fill_one_block(512);
}

Test(nat, t_4787_3_t_6888_13_blocks_of_4096_ports_fill_up)
{
	struct nat_limits saved = WORLD_LIMITS;
	struct world w;

	saved.mappings = 9000;
	w = world_open(&saved, 4096);
	w.policy.port_limit = 0;
	w.policy.block_limit = 1;
	world_add(&w, POOL_A, 8192, 65535);
	fill(&w, NAT_UDP, 4096);
	fill(&w, NAT_TCP, 4096);
	cr_assert_eq(nat_counters(w.nat)->blocks, 1);
	world_close(&w);
}

Test(nat, t_5382_7_tcp_ports_of_a_full_block_are_all_different)
{
	static const uint16_t sizes[] = {4, 16, 64, 256};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct world w = one_block(sizes[i]);

		fill(&w, NAT_TCP, sizes[i]);
		world_close(&w);
	}
}

// Ports in ascending order tell an attacker the next one (RFC 6056). Of 512 ports in random order
// about half rise, and neighbours are some 170 apart.
Test(nat, t_6888_15_ports_are_spread_and_not_ascending)
{
	struct world w = one_block(512);
	unsigned rises = 0, next_to = 0, quarters[4] = {0};
	uint16_t last = 0;

	for (unsigned i = 0; i < 256; i++) {
		uint16_t port = world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)i)).port;
		rises += port > last;
		next_to += port == last + 1 || port + 1 == last;
		quarters[port % 512 / 128]++;
		last = port;
	}
	cr_assert(rises > 96 && rises < 160, "%u of 256 rise", rises);
	cr_assert_lt(next_to, 16, "%u of 256 follow their neighbour", next_to);
	for (unsigned q = 0; q < 4; q++)
		cr_assert(quarters[q] > 32 && quarters[q] < 96, "quarter %u: %u", q, quarters[q]);
	world_close(&w);
}

Test(nat, t_6888_15_another_secret_gives_other_ports)
{
	struct world w = one_block(512), v = one_block(512);
	unsigned equal = 0;
	struct rng seed;

	rng_init_u64(&seed, 4788);
	free(v.mem);
	v.mem = aligned_alloc(CACHE_LINE, nat_size(&WORLD_LIMITS));
	memset(v.mem, 0, nat_size(&WORLD_LIMITS));
	v.nat = nat_init(v.mem, &WORLD_LIMITS, &seed, v.now_s);
	world_add(&v, POOL_A, 8192, 65535);
	for (uint16_t i = 0; i < 100; i++)
		equal += world_out(&w, key_of(HOST, NAT_UDP, i)).port ==
			 world_out(&v, key_of(HOST, NAT_UDP, i)).port;
	cr_assert_lt(equal, 10);
	world_close(&w);
	world_close(&v);
}

Test(nat, t_4787_2_t_6888_2_t_7857_4_one_host_has_one_address_over_all_protocols)
{
	struct world w = world_open(&WORLD_LIMITS, 4);

	world_add(&w, POOL_A, 1024, 65535);
	world_add(&w, POOL_B, 1024, 65535);
	for (uint32_t host = HOST; host < HOST + 6; host++) {
		ip4 paired = world_out(&w, key_of(host, NAT_UDP, 1)).addr;
		for (uint16_t port = 2; port < 10; port++) {
			cr_assert_eq(world_out(&w, key_of(host, NAT_UDP, port)).addr, paired);
			cr_assert_eq(world_out(&w, key_of(host, NAT_TCP, port)).addr, paired);
			cr_assert_eq(world_out(&w, key_of(host, NAT_ICMP, port)).addr, paired);
			cr_assert_eq(world_map(&w, key_of(host, NAT_TCP, 100 + port), 1, 600).addr,
				paired);
		}
		cr_assert_eq(world_subscriber(&w, host).external, paired);
	}
	world_close(&w);
}

static struct world paired_and_full(bool soft)
{
	struct world w = world_open(&WORLD_LIMITS, 64);

	w.policy.pairing_soft = soft;
	world_add(&w, POOL_A, 1024, 1151); // two blocks
	for (uint16_t i = 0; i < 128; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	world_add(&w, POOL_B, 1024, 65535);
	return w;
}

Test(nat, t_7857_4_hard_pairing_refuses_when_the_paired_address_is_full)
{
	struct world w = paired_and_full(false);

	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 500)), DROP_NO_BLOCK);
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_TCP, 500)).addr, POOL_A);
	cr_assert_eq(world_out(&w, key_of(HOST + 1, NAT_TCP, 500)).addr, POOL_B);
	world_close(&w);
}

Test(nat, t_7857_4_soft_pairing_uses_another_address)
{
	struct world w = paired_and_full(true);

	cr_assert_eq(world_out(&w, key_of(HOST, NAT_UDP, 500)).addr, POOL_B);
	world_close(&w);
}

Test(nat, t_6888_4_a_subscriber_gets_no_more_blocks_than_his_limit)
{
	struct world w = world_simple(4);

	w.policy.block_limit = 3;
	for (uint16_t i = 0; i < 12; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 12)), DROP_QUOTA_BLOCKS);
	cr_assert_eq(world_subscriber(&w, HOST).n_blocks, 3);
	world_out(&w, key_of(HOST + 1, NAT_UDP, 12));
	world_close(&w);
}

// At the limit, what became free in his older blocks is his.
Test(nat, t_6888_13_older_blocks_are_used_again_at_the_limit)
{
	struct world w = world_simple(4);

	w.policy.block_limit = 3;
	for (uint16_t i = 0; i < 12; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 12)), DROP_QUOTA_BLOCKS);
	nat_delete(w.nat, &(struct nat_key){HOST, 1, 1, NAT_UDP}, w.now_s);
	world_out(&w, key_of(HOST, NAT_UDP, 12)); // in the same second already
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 13)), DROP_QUOTA_BLOCKS);
	world_close(&w);
}

// ---- a block whose ports of one protocol all belong to static mappings ------------------------

static struct world block_of_statics(void)
{
	struct world w = world_open(&WORLD_LIMITS, 4);

	world_add(&w, POOL_A, 2000, 2003);
	for (uint16_t i = 0; i < 4; i++) {
		struct nat_key key = key_of(HOST + 9, NAT_UDP, i);
		int error = nat_static_add(
			w.nat, &key, (struct recipe){POOL_A, (uint16_t)(2000 + i)}, false, w.now_s);
		cr_assert_eq(error, 0);
	}
	return w;
}

Test(nat, a_block_without_a_port_to_give_is_not_kept)
{
	struct world w = block_of_statics();
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, 1), 1, 600);
	struct nat_view view;

	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 1)), DROP_POOL_NO_PORT);
	world_recount(&w);
	wish.suggested.addr = POOL_A;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST));
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_TCP, 1)).addr, POOL_A);
	world_recount(&w);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 1)), DROP_NO_BLOCK);
	world_close(&w);
}

// ---- suggested ports -------------------------------------------------------------------------

static struct recipe suggest(struct world *w, struct nat_key key, ip4 addr, uint16_t port)
{
	struct nat_wish wish = wish_of(key, 1, 600);
	struct nat_view view;

	wish.suggested = (struct recipe){addr, port};
	cr_assert_eq(world_ask(w, &wish, &view), NAT_GRANTED);
	return view.external;
}

Test(nat, t_6887_11_3_a_suggested_port_is_honoured_in_a_free_block)
{
	struct world w = world_simple(64);
	struct recipe want = {POOL_A, 40000};

	cr_assert(recipe_eq(want, suggest(&w, key_of(HOST, NAT_TCP, 1), POOL_A, 40000)));
	cr_assert_eq(suggest(&w, key_of(HOST, NAT_UDP, 2), 0, 30000).port, 30000, "any address");
	cr_assert_eq(nat_counters(w.nat)->suggestions_refused, 0);
	cr_assert_eq(world_subscriber(&w, HOST).n_blocks, 2);
	world_close(&w);
}

Test(nat, t_6887_11_3_a_suggested_port_is_honoured_in_his_own_block)
{
	struct world w = world_simple(64);
	uint16_t taken = world_out(&w, key_of(HOST, NAT_TCP, 1)).port, free = taken ^ 1;

	cr_assert_eq(suggest(&w, key_of(HOST, NAT_TCP, 2), 0, free).port, free);
	cr_assert_eq(suggest(&w, key_of(HOST, NAT_UDP, 2), 0, taken).port, taken, "per protocol");
	cr_assert_eq(world_subscriber(&w, HOST).n_blocks, 1);
	world_close(&w);
}

Test(nat, t_6887_11_3_a_suggested_port_in_anothers_block_is_not_given)
{
	struct world w = world_simple(64);
	struct recipe his = world_out(&w, key_of(HOST + 1, NAT_TCP, 1));
	uint16_t port = his.port ^ 1;

	cr_assert_neq(suggest(&w, key_of(HOST, NAT_TCP, 1), POOL_A, port).port / 64, port / 64);
	cr_assert_eq(nat_counters(w.nat)->suggestions_refused, 1);
	world_close(&w);
}

Test(nat, t_6887_11_3_senseless_suggestions_never_make_a_request_fail)
{
	static const struct recipe senseless[] = {{POOL_A, 80}, {POOL_A, 5350}, {POOL_A, 5351},
		{POOL_C, 40000}, {0x7f000001, 40000}, {0xe0000001, 0}, {POOL_C, 0}};
	struct world w = world_simple(64);

	for (uint16_t i = 0; i < ARRAY_SIZE(senseless); i++) {
		struct recipe given =
			suggest(&w, key_of(HOST, NAT_UDP, i), senseless[i].addr, senseless[i].port);
		cr_assert_eq(given.addr, POOL_A);
		cr_assert_neq(given.port, senseless[i].port);
		cr_assert_geq(given.port, 1024);
		cr_assert_eq(nat_counters(w.nat)->suggestions_refused, i + 1u);
	}
	world_close(&w);
}

Test(nat, a_suggested_address_is_honoured_with_any_port)
{
	struct world w = world_simple(64);

	world_add(&w, POOL_B, 1024, 65535);
	cr_assert_eq(suggest(&w, key_of(HOST, NAT_TCP, 1), POOL_B, 0).addr, POOL_B);
	cr_assert_eq(suggest(&w, key_of(HOST, NAT_TCP, 2), POOL_A, 0).addr, POOL_A);
	cr_assert_eq(suggest(&w, key_of(HOST, NAT_TCP, 3), POOL_A, 0).addr, POOL_A);
	cr_assert_eq(world_subscriber(&w, HOST).n_blocks, 2, "the same block twice");
	world_close(&w);
}

Test(nat, suggestions_cannot_exceed_the_block_limit)
{
	struct world w = world_simple(4);

	w.policy.block_limit = 1;
	suggest(&w, key_of(HOST, NAT_TCP, 1), POOL_A, 40000);
	cr_assert_eq(suggest(&w, key_of(HOST, NAT_TCP, 2), POOL_A, 50000).port / 4, 40000 / 4);
	world_close(&w);
}

// His search of this second found nothing; the block that a suggestion brought him is news.
Test(nat, a_new_block_is_searched_in_the_second_it_came)
{
	struct world w = world_open(&WORLD_LIMITS, 4);

	world_add(&w, POOL_A, 1024, 1027);
	for (uint16_t i = 0; i < 4; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	world_add(&w, POOL_B, 1024, 65535);
	cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 4)), DROP_NO_BLOCK);
	suggest(&w, key_of(HOST, NAT_UDP, 5), POOL_B, 2000);
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_UDP, 4)).addr, POOL_B);
	world_close(&w);
}

// ---- hold-down -------------------------------------------------------------------------------

Test(nat, t_6888_8_an_answered_port_rests_before_reuse)
{
	struct world w = one_block(4);
	struct recipe to[4];

	for (uint16_t i = 0; i < 4; i++)
		to[i] = world_out_answered(&w, key_of(HOST, NAT_UDP, i));
	nat_delete(w.nat, &(struct nat_key){HOST, 2, 1, NAT_UDP}, w.now_s);
	cr_assert_eq(nat_counters(w.nat)->resting, 1);
	for (unsigned s = 0; s < 120; s++) {
		cr_assert_eq(world_try(&w, key_of(HOST, NAT_UDP, 7)), DROP_QUOTA_BLOCKS);
		cr_assert_not(world_in(&w, NAT_UDP, to[2]));
		world_pass(&w, 1);
	}
	world_pass(&w, 1);
	cr_assert(recipe_eq(to[2], world_out(&w, key_of(HOST, NAT_UDP, 7))));
	world_close(&w);
}

Test(nat, t_6888_8_a_block_waits_for_its_last_resting_port)
{
	struct world w = one_block(64);

	world_out_answered(&w, key_of(HOST, NAT_UDP, 1));
	nat_delete(w.nat, &(struct nat_key){HOST, 1, 1, NAT_UDP}, w.now_s);
	world_pass(&w, 120);
	cr_assert_eq(nat_counters(w.nat)->blocks, 1);
	world_pass(&w, 1);
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	cr_assert_eq(nat_counters(w.nat)->blocks_returned, 1);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	world_close(&w);
}

Test(nat, a_block_that_never_saw_an_answer_goes_back_without_hold_down)
{
	struct world w = one_block(64);

	for (uint16_t i = 0; i < 10; i++)
		world_out(&w, key_of(HOST, NAT_UDP, i));
	world_pass(&w, 131);
	cr_assert_eq(nat_counters(w.nat)->implicit_expired, 10);
	cr_assert_eq(nat_counters(w.nat)->blocks, 0);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

// The next holder of a block starts with a clean record of answers.
Test(nat, an_answer_to_the_last_holder_of_a_block_does_not_count_for_the_next)
{
	struct world w = one_block(64);

	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	world_add(&w, POOL_A, 1024, 1087); // one block in all
	world_out_answered(&w, key_of(HOST, NAT_UDP, 1));
	nat_delete(w.nat, &(struct nat_key){HOST, 1, 1, NAT_UDP}, w.now_s);
	world_pass(&w, 121);
	world_out(&w, key_of(HOST + 1, NAT_UDP, 1));
	nat_delete(w.nat, &(struct nat_key){HOST + 1, 1, 1, NAT_UDP}, w.now_s);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

Test(nat, a_full_hold_down_list_lets_the_oldest_port_go_and_counts_it)
{
	struct world w = world_simple(512);
	uint32_t room = w.nat->rest_room;

	w.policy.port_limit = 0;
	w.policy.block_limit = 64;
	world_out_answered(&w, key_of(HOST, NAT_UDP, 0));
	for (uint32_t i = 0; i < room + 10; i++) {
		struct nat_key key = key_of(HOST, NAT_UDP, (uint16_t)(i + 1));
		world_out_answered(&w, key);
		cr_assert(nat_delete(w.nat, &key, w.now_s));
		cr_assert_eq(nat_counters(w.nat)->resting, min_u32(i + 1, room));
	}
	cr_assert_eq(nat_counters(w.nat)->hold_down_early, 10);
	world_recount(&w);
	world_pass(&w, 121);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

// A clock that has run for half a century must not shorten hold-down.
Test(nat, hold_down_is_as_long_on_an_old_clock)
{
	struct world w = one_block(64);

	w.now_s = w.nat->wheel_s = w.nat->sweep_s = UINT32_C(1) << 30 | 5;
	world_out_answered(&w, key_of(HOST, NAT_UDP, 1));
	nat_delete(w.nat, &(struct nat_key){HOST, 1, 1, NAT_UDP}, w.now_s);
	world_pass(&w, 120);
	cr_assert_eq(nat_counters(w.nat)->resting, 1);
	world_pass(&w, 1);
	cr_assert_eq(nat_counters(w.nat)->resting, 0);
	world_close(&w);
}

// ---- pairs whose address goes away -----------------------------------------------------------

// He holds blocks on two addresses and the paired one is withdrawn: the other is his pair now, and
// whatever takes the place of the first is not.
Test(nat, when_the_paired_address_goes_the_other_becomes_the_pair)
{
	struct world w = world_simple(4);
	struct nat_address other_group = {.ip = POOL_C,
		.group = 7,
		.port_first = 1024,
		.port_last = 65535,
		.port_set_size = 4};

	world_add(&w, POOL_B, 1024, 65535);
	suggest(&w, key_of(HOST, NAT_TCP, 1), POOL_A, 0);
	suggest(&w, key_of(HOST, NAT_TCP, 2), POOL_B, 0);
	cr_assert_eq(world_subscriber(&w, HOST).external, POOL_A);
	nat_address_remove(w.nat, POOL_A);
	world_pass(&w, 1);
	cr_assert_not(nat_address_known(w.nat, POOL_A));
	cr_assert_eq(nat_address_add(w.nat, &other_group), 0);
	cr_assert_eq(world_subscriber(&w, HOST).external, POOL_B);
	for (uint16_t i = 10; i < 20; i++)
		cr_assert_eq(world_out(&w, key_of(HOST, NAT_TCP, i)).addr, POOL_B);
	world_close(&w);
}

// The same when his last block there went back long before: nothing of him is left to be drained.
Test(nat, a_pair_without_a_block_of_his_is_given_up)
{
	struct world w = world_simple(4);
	struct nat_key first = key_of(HOST, NAT_TCP, 1);

	world_add(&w, POOL_B, 1024, 65535);
	suggest(&w, first, POOL_A, 0);
	suggest(&w, key_of(HOST, NAT_TCP, 2), POOL_B, 0);
	nat_delete(w.nat, &first, w.now_s);
	cr_assert_eq(world_subscriber(&w, HOST).external, POOL_B);
	nat_address_remove(w.nat, POOL_A);
	world_settle(&w);
	world_add(&w, POOL_C, 1024, 65535);
	cr_assert_eq(world_out(&w, key_of(HOST, NAT_TCP, 3)).addr, POOL_B);
	world_close(&w);
}
