// SPDX-License-Identifier: Apache-2.0
// The rows of the failure table that need a crowd: many clients at once (F33), more than there is
// room for (F27).
#include <stdlib.h>

#include "ask.h"
#include "check.h"

enum {
	CROWD = 100000
};

#define FOR_A_CROWD                                                                                \
	PORTS "limits: { mappings: 200k, leases: 120k, subscribers: 120k, pcp-clients: 200k,"      \
	      " external-addresses: 8, new-subscriber-rate: 1000000,"                              \
	      " new-subscriber-burst: 1000000 }\n"                                                 \
	      "nat-groups:\n"                                                                      \
	      "  homes:\n"                                                                         \
	      "    subscribers: [100.64.0.0/10]\n"                                                 \
	      "    external-address-pool: [203.0.113.0-203.0.113.7]\n"                             \
	      "    port-set-size: 4\n"                                                             \
	      "    pcp: { listen: [198.18.0.1], versions: [2] }\n"

static ip4 client_of(uint32_t i)
{
	return 0x64410000 + i; // 100.65.0.0 and on
}

// Everybody heard the ANNOUNCE, waits up to five seconds and asks again for what he had: all of
// them get it, and nothing that anybody had is lost on the way.
Test(failure, f33_a_hundred_thousand_clients_react_to_one_announce, .timeout = 120)
{
	struct world w;
	uint16_t *ports = calloc(CROWD, sizeof *ports);
	ip4 *externals = calloc(CROWD, sizeof *externals);

	world_open(&w, FOR_A_CROWD);
	world_set_epoch(&w, 0, 100000);
	for (uint32_t i = 0; i < CROWD; i++) {
		struct pcp_message m = ask_map(&w, client_of(i), SERVER, IP_TCP, 80, 7200);

		cr_assert_eq(m.result, PCP_SUCCESS, "client %u: %s", i, pcp_result_name(m.result));
		ports[i] = m.external_port;
		externals[i] = ip6_to_ip4(m.external_ip);
	}
	world_set_epoch(&w, 0, 0);
	ask_wish(&w, 0, (struct shard_wish){.kind = SHARD_ANNOUNCE, .group = 0});
	for (uint32_t i = 0; i < CROWD; i++) {
		struct pcp_message m = ask_map(&w, client_of(i), SERVER, IP_TCP, 80, 7200);

		cr_assert_eq(m.result, PCP_SUCCESS);
		cr_assert(m.external_port == ports[i] && ip6_to_ip4(m.external_ip) == externals[i]);
		cr_assert_eq(m.epoch_s, i / (CROWD / 5), "nobody resets it again");
		if (i % (CROWD / 5) == CROWD / 5 - 1)
			world_pass(&w, 1);
	}
	cr_assert_eq(WORLD_NAT(&w, mappings), CROWD);
	cr_assert_eq(WORLD_NAT(&w, explicit_created), CROWD);
	free(ports);
	free(externals);
	world_close(&w);
}

// More than the tables hold: whoever comes too late is told so for 30 s, and whoever was there
// keeps what he has, and his Epoch.
Test(failure, f27_when_there_is_no_room_new_requests_wait_and_old_ones_stay)
{
	static const char yaml[] = PORTS "limits: { mappings: 1000, leases: 100, subscribers: 100,"
					 " external-addresses: 2 }\n" GROUP;
	struct world w;
	unsigned refused = 0;

	world_open(&w, yaml);
	world_set_epoch(&w, 0, 500);
	struct pcp_message first = ask_map(&w, HOME, SERVER, IP_TCP, 80, 7200);
	for (unsigned i = 1; i < 300; i++) {
		struct pcp_message m = ask_map(&w, HOME + i, SERVER, IP_TCP, 80, 7200);

		cr_assert(m.result == PCP_SUCCESS || m.result == PCP_NO_RESOURCES);
		cr_assert_eq(m.epoch_s, 500);
		if (m.result == PCP_NO_RESOURCES) {
			cr_assert_eq(m.lifetime_s, 30);
			refused++;
		}
	}
	cr_assert_geq(refused, 190);
	struct pcp_message again = ask_map(&w, HOME, SERVER, IP_TCP, 80, 7200);
	cr_assert_eq(again.result, PCP_SUCCESS);
	cr_assert(recipe_eq(ask_granted(&again), ask_granted(&first)));
	world_close(&w);
}

// A flood is dropped at its own cost.
Test(failure, f27_a_flood_of_one_client_costs_the_others_nothing)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct pcp_message mine = ask_of(HOME, IP_TCP, 80, 600);
	for (unsigned i = 0; i < 20000; i++)
		ask_frame(&w, INSIDE_PORT, HOME, SERVER, &mine, &f);
	expect_drop(&f, DROP_PCP_RATE);
	cr_assert_leq(WORLD_COUNT(&w, pcp_replies), 2001);
	struct pcp_message m = ask_map(&w, NEIGHBOR, SERVER, IP_TCP, 80, 600);
	cr_assert_eq(m.result, PCP_SUCCESS);
	world_pass(&w, 3);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 80, 600).result, PCP_SUCCESS);
	world_close(&w);
}
