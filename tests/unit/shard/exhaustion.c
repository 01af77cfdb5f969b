// SPDX-License-Identifier: Apache-2.0
// RFC 6888 REQ-11: two hundred subscribers share an address with ports for few flows each.
#include "check.h"

enum {
	SUBSCRIBERS = 200,
	BLOCKS = 256, // of four ports
	FLOWS = 4,
	ERRORS = 50 // a second
};
#define CROWD                                                                                      \
	PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 1, "  \
	      "icmp-error-rate: 50, new-subscriber-rate: 100000, new-subscriber-burst: 1000 }\n"   \
	      "nat-groups:\n"                                                                      \
	      "  homes:\n"                                                                         \
	      "    subscribers: [100.64.0.0/16]\n"                                                 \
	      "    external-address-pool: [203.0.113.4]\n"                                         \
	      "    port-range: [2048, 3071]\n"                                                     \
	      "    port-set-size: 4\n"                                                             \
	      "    block-limit: 1\n"                                                               \
	      "    pcp: false\n"

static struct recipe flow_of(struct world *w, unsigned host, unsigned flow)
{
	return open_udp(w, HOME + host, (uint16_t)(5000 + flow), PEER);
}

static void open_all(struct world *w, struct recipe flows[SUBSCRIBERS][FLOWS])
{
	world_open(w, CROWD);
	for (unsigned h = 0; h < SUBSCRIBERS; h++) {
		for (unsigned i = 0; i < FLOWS; i++)
			flows[h][i] = flow_of(w, h, i);
	}
}

// How many hosts from HOME on an event of this kind names, each once and with this limit.
static unsigned hosts_told(struct world *w, enum nat_event_kind kind, uint32_t limit)
{
	bool told[SUBSCRIBERS] = {false};
	struct shard_event e;
	unsigned n = 0;

	while (shard_event(w->shard[0], &e)) {
		uint32_t host = e.nat.key.host - HOME;

		if (e.nat.kind != kind)
			continue;
		cr_assert_lt(host, SUBSCRIBERS);
		cr_assert(!told[host], "host %u is told twice", host);
		cr_assert_eq(e.nat.limit, limit);
		told[host] = true;
		n++;
	}
	return n;
}

// Every host tries one flow more; how many are told by ICMP 3/1.
static unsigned try_a_fifth(struct world *w)
{
	unsigned told = 0;
	struct frame f;

	for (unsigned h = 0; h < SUBSCRIBERS; h++) {
		struct make m = udp_of(HOME + h, 5000 + FLOWS, PEER, 53);

		put(w, INSIDE_PORT, m, &f);
		if (f.verdict == VERDICT_DROP) {
			expect_drop(&f, DROP_QUOTA_BLOCKS);
			continue;
		}
		expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
		told++;
	}
	return told;
}

Test(exhaustion, t_6888_11_whoever_has_used_his_block_is_refused_counted_and_told)
{
	static struct recipe flows[SUBSCRIBERS][FLOWS];
	const struct nat_group_counters *group;
	struct world w;

	open_all(&w, flows);
	cr_assert_eq(hosts_told(&w, NAT_EVENT_QUOTA_PORTS, FLOWS), 0);
	cr_assert_eq(try_a_fifth(&w), ERRORS, "11b, up to the rate");
	group = shard_group_counters(w.shard[0], 0);
	cr_assert_eq(world_drops(&w, DROP_QUOTA_BLOCKS), SUBSCRIBERS);
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_sent), ERRORS);
	cr_assert_eq(world_drops(&w, DROP_ICMP_RATE), SUBSCRIBERS - ERRORS);
	cr_assert_eq(group->port_map_limit_drops, SUBSCRIBERS);
	cr_assert_eq(group->total_port_mappings, SUBSCRIBERS * FLOWS);
	cr_assert_eq(group->blocks_allocated, SUBSCRIBERS);
	cr_assert_eq(group->blocks_total, BLOCKS);
	cr_assert_eq(hosts_told(&w, NAT_EVENT_QUOTA_PORTS, FLOWS), SUBSCRIBERS, "11c");
	world_close(&w);
}

// Answers come in where they came in before, and what goes out leaves as it did.
Test(exhaustion, t_6888_11d_the_flows_that_stand_go_on)
{
	static struct recipe flows[SUBSCRIBERS][FLOWS];
	struct world w;
	struct frame f;

	open_all(&w, flows);
	for (unsigned round = 0; round < 3; round++)
		try_a_fifth(&w);
	for (unsigned h = 0; h < SUBSCRIBERS; h++) {
		for (unsigned i = 0; i < FLOWS; i++) {
			struct recipe e = flows[h][i];

			put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
			expect_in(&f, PEER, 53, HOME + h, (uint16_t)(5000 + i));
			cr_assert(recipe_eq(flow_of(&w, h, i), e));
		}
	}
	cr_assert_eq(WORLD_NAT(&w, mappings), SUBSCRIBERS * FLOWS);
	world_close(&w);
}

// The blocks that are left go to newcomers; then the address is full for everybody.
Test(exhaustion, t_6888_11_the_pool_serves_newcomers_to_its_last_block)
{
	static struct recipe flows[SUBSCRIBERS][FLOWS];
	unsigned told = 0;
	struct shard_event e;
	struct world w;
	struct frame f;

	open_all(&w, flows);
	for (unsigned h = SUBSCRIBERS; h < BLOCKS; h++)
		flow_of(&w, h, 0);
	for (unsigned h = BLOCKS; h < BLOCKS + 20; h++) {
		struct make m = udp_of(HOME + h, 5000, PEER, 53);

		put(&w, INSIDE_PORT, m, &f);
		expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
	}
	while (shard_event(w.shard[0], &e))
		told += e.nat.kind == NAT_EVENT_ADDRESSES_EXHAUSTED;
	cr_assert_eq(told, 1, "nobody's fault: once a second for the group");
	cr_assert_eq(world_drops(&w, DROP_POOL_NO_ADDRESS), 20);
	cr_assert_eq(shard_group_counters(w.shard[0], 0)->address_map_failure_drops, 20);
	cr_assert_eq(WORLD_NAT(&w, subscribers), BLOCKS);
	cr_assert(recipe_eq(flow_of(&w, 0, 0), flows[0][0]));
	world_close(&w);
}
