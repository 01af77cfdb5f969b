// SPDX-License-Identifier: Apache-2.0
// What the NAT log is told, in order and with numbers, and what happens when nobody reads it.
#include "ask.h"
#include "check.h"

#define SMALL_BLOCKS                                                                               \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes:\n"                                                                  \
		     "    subscribers: [100.64.0.0/16]\n"                                          \
		     "    external-address-pool: [203.0.113.4-203.0.113.5]\n"                      \
		     "    port-set-size: 4\n"                                                      \
		     "    block-limit: 4096\n"                                                     \
		     "    pcp: { listen: [198.18.0.1, gateway] }\n"
#define PER_MAPPING ONE_SHARD "    log: mappings\n"
#define INTERIM ONE_SHARD "log: { interim: 600 }\n"
#define FAIL_CLOSED                                                                                \
	ONE_SHARD "log: { fail-closed: true, targets: [{ format: json, file: /run/nat }] }\n"

// The next event of this kind; those before it are passed over.
static struct shard_event next_of(struct world *w, enum nat_event_kind kind)
{
	struct shard_event e;

	while (shard_event(w->shard[0], &e)) {
		if (e.nat.kind == kind)
			return e;
	}
	cr_assert_fail("no event of kind %d", kind);
	return e;
}

static unsigned count_of(struct world *w, enum nat_event_kind kind)
{
	struct shard_event e;
	unsigned n = 0;

	while (shard_event(w->shard[0], &e))
		n += e.nat.kind == kind;
	return n;
}

Test(events, t_17_a_a_block_is_told_with_its_owner_its_ports_and_the_moment)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	w.now += 7 * NS_PER_MS;
	struct recipe x = open_udp(&w, HOME, 5000, PEER);
	struct shard_event e = next_of(&w, NAT_EVENT_BLOCK_TAKEN);
	cr_assert_eq(e.at, w.now);
	cr_assert_eq(e.nat.key.host, HOME);
	cr_assert_eq(e.nat.key.realm, 1);
	cr_assert_eq(e.nat.external.addr, x.addr);
	cr_assert_leq(e.nat.external.port, x.port);
	cr_assert_geq(e.nat.last_port, x.port);
	cr_assert_eq(e.nat.last_port - e.nat.external.port, 63);
	world_close(&w);
}

Test(events, t_6888_14_ports_of_a_block_are_not_told_unless_asked_for)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	for (uint16_t i = 0; i < 20; i++)
		open_udp(&w, HOME, (uint16_t)(5000 + i), PEER);
	cr_assert_eq(count_of(&w, NAT_EVENT_MAPPING_CREATED), 0);
	world_reload(&w, PER_MAPPING);
	open_udp(&w, HOME, 6000, PEER);
	struct shard_event e = next_of(&w, NAT_EVENT_MAPPING_CREATED);
	cr_assert_eq(e.nat.key.port, 6000);
	world_close(&w);
}

Test(events, t_17_e_numbers_count_every_event)
{
	struct world w;
	struct shard_event e;
	uint64_t last = 0;

	world_open(&w, SMALL_BLOCKS);
	for (uint16_t i = 0; i < 100; i++)
		open_udp(&w, HOME, (uint16_t)(5000 + i), PEER);
	while (shard_event(w.shard[0], &e)) {
		cr_assert_eq(e.sequence, last + 1);
		last = e.sequence;
	}
	cr_assert_geq(last, 25);
	cr_assert_eq(WORLD_COUNT(&w, events), last);
	world_close(&w);
}

// Makes and removes, so that the ring fills without filling anything else.
static void fill_the_ring(struct world *w)
{
	uint32_t most = SHARD_EVENTS * 2;

	for (uint32_t i = 0; i < most && WORLD_COUNT(w, events_lost) < 10; i++) {
		struct nat_key key = {HOME + 1, 7000, 1, NAT_UDP};
		struct shard_wish wish = {.kind = SHARD_ADD_MAPPING,
			.key = key,
			.external = {0, 0},
			.group = 255,
			.lifetime_s = 1000};
		struct shard_answer a;

		cr_assert(shard_wish(w->shard[0], &wish));
		world_settle(w);
		wish.kind = SHARD_DELETE_MAPPING;
		cr_assert(shard_wish(w->shard[0], &wish));
		world_settle(w);
		while (shard_answer(w->shard[0], &a))
			;
	}
	cr_assert_geq(WORLD_COUNT(w, events_lost), 10);
}

Test(events, t_17_g_a_ring_that_nobody_reads_stalls_nothing_and_the_gap_shows)
{
	struct world w;
	struct shard_event e;
	uint64_t last = 0, missing = 0;

	world_open(&w, ONE_SHARD);
	fill_the_ring(&w);
	open_udp(&w, HOME, 5000, PEER);
	uint64_t lost = WORLD_COUNT(&w, events_lost);
	while (shard_event(w.shard[0], &e))
		last = e.sequence;
	open_udp(&w, HOME + 9, 5000, PEER);
	e = next_of(&w, NAT_EVENT_BLOCK_TAKEN);
	missing = e.sequence - last - 1;
	cr_assert_geq(missing, lost);
	cr_assert_leq(missing, lost + 4); // the address was told before the block
	world_close(&w);
}

Test(events, t_17_h_where_the_operator_says_so_nothing_new_is_made_without_its_record)
{
	struct world w;
	struct frame f;
	struct make m = udp_of(HOME, 5000, PEER, 53);

	world_open(&w, FAIL_CLOSED);
	struct recipe old = open_udp(&w, NEIGHBOR, 5000, PEER);
	fill_the_ring(&w);
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
	cr_assert_eq(world_drops(&w, DROP_LOG_FULL), 1);
	cr_assert(recipe_eq(open_udp(&w, NEIGHBOR, 5000, PEER), old));
	struct pcp_message ask = ask_of(HOME, IP_UDP, 5000, 600);
	ask_frame(&w, INSIDE_PORT, HOME, SERVER, &ask, &f);
	cr_assert_eq(ask_read(&f).result, PCP_NO_RESOURCES);
	count_of(&w, NAT_EVENT_NONE); // control reads all
	open_udp(&w, HOME, 5000, PEER);
	world_close(&w);
}

Test(events, t_17_f_blocks_are_told_again_after_each_interim)
{
	struct world w;

	world_open(&w, INTERIM);
	for (unsigned i = 0; i < 50; i++)
		open_udp(&w, HOME + i, 5000, PEER);
	for (unsigned round = 0; round < 3; round++) {
		count_of(&w, NAT_EVENT_NONE);
		for (unsigned i = 0; i < 6; i++) {
			world_pass(&w, 100);
			for (unsigned k = 0; k < 50; k++)
				open_udp(&w, HOME + k, 5000, PEER);
		}
		cr_assert_eq(count_of(&w, NAT_EVENT_BLOCK_HELD), 50);
	}
	world_close(&w);
}

Test(events, t_6888_11c_exhaustion_is_told)
{
	struct world w;
	struct frame f;

	world_open(&w, PORTS LIMITS "nat-groups:\n"
				    "  homes:\n"
				    "    subscribers: [100.64.0.0/16]\n"
				    "    external-address-pool: [203.0.113.4]\n"
				    "    port-range: [2048, 2063]\n"
				    "    port-set-size: 4\n");
	for (unsigned i = 0; i < 8; i++)
		put(&w, INSIDE_PORT, udp_of(HOME + i, 5000, PEER, 53), &f);
	cr_assert_gt(count_of(&w, NAT_EVENT_ADDRESSES_EXHAUSTED), 0);
	world_close(&w);
}

Test(events, explicit_mappings_are_always_told_with_their_lifetime)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	struct pcp_message reply, ask = ask_of(HOME, IP_TCP, 8080, 600);
	struct frame f;
	ask_frame(&w, INSIDE_PORT, HOME, SERVER, &ask, &f);
	reply = ask_read(&f);
	struct shard_event e = next_of(&w, NAT_EVENT_MAPPING_CREATED);
	cr_assert_eq(e.nat.mapping, NAT_EXPLICIT);
	cr_assert_eq(e.nat.key.port, 8080);
	cr_assert_eq(e.nat.external.port, reply.external_port);
	cr_assert_eq(e.nat.lifetime_s, 600);
	world_close(&w);
}
