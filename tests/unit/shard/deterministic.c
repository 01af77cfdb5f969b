// SPDX-License-Identifier: Apache-2.0
// Deterministic groups (RFC 7422) at the shard's door: every host has his own ports, whichever
// worker he is at, and whoever asks for a port from outside reaches that worker.
#include "ask.h"
#include "check.h"

// 256 hosts on two addresses, 256 ports each; the overflow is what lies behind the last host.
#define PLANNED                                                                                    \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes:\n"                                                                  \
		     "    subscribers: [100.64.0.0/24]\n"                                          \
		     "    external-address-pool: [203.0.113.4-203.0.113.5]\n"                      \
		     "    port-set-size: 64\n"                                                     \
		     "    port-range: [1024, 65535]\n"                                             \
		     "    port-allocation-type: deterministic\n"                                   \
		     "    deterministic: { ports-per-subscriber: 256, overflow: 16384 }\n"         \
		     "    block-limit: 16\n"                                                       \
		     "    pcp: { listen: [198.18.0.1, gateway] }\n"
#define PLANNED_TWICE "workers: 2\n" PLANNED
#define BASE 0x64400000u

static struct nat_share share_of(const struct world *w, ip4 host)
{
	struct nat_share share;

	cr_assert(nat_plan_forward(w->conf->groups[0].nat.plan, host, &share));
	return share;
}

static bool is_his(const struct nat_share *share, struct recipe e)
{
	return e.addr == share->address && e.port >= share->first && e.port <= share->last;
}

static void hosts_have_their_ports(const char *yaml)
{
	struct world w;
	struct frame f;

	world_open(&w, yaml);
	for (ip4 host = BASE + 2; host < BASE + 255; host++) {
		struct nat_share share = share_of(&w, host);
		for (uint16_t k = 0; k < 4; k++) {
			struct recipe e = open_udp(&w, host, (uint16_t)(5000 + k), PEER);
			cr_assert(is_his(&share, e));
			put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
			expect_in(&f, PEER, 53, host, (uint16_t)(5000 + k));
		}
	}
	world_close(&w);
}

Test(deterministic, t_7422_a_every_host_has_the_ports_that_follow_from_his_address)
{
	hosts_have_their_ports(PLANNED);
}

Test(deterministic, t_7422_a_on_two_workers_too)
{
	hosts_have_their_ports(PLANNED_TWICE);
}

Test(deterministic, t_7422_b_nothing_is_told_of_a_hosts_own_ports_but_of_his_overflow)
{
	struct world w;
	struct shard_event e;
	unsigned overflow = 0;

	world_open(&w, PLANNED);
	struct nat_share share = share_of(&w, HOME);
	for (uint16_t k = 0; k < 256; k++) {
		struct recipe x = open_udp(&w, HOME, (uint16_t)(5000 + k), PEER);
		cr_assert(is_his(&share, x));
	}
	while (shard_event(w.shard[0], &e))
		cr_assert_neq(e.nat.kind, NAT_EVENT_BLOCK_TAKEN);
	struct recipe x = open_udp(&w, HOME, 6000, PEER);
	cr_assert_eq(x.addr, share.address);
	cr_assert(!is_his(&share, x));
	while (shard_event(w.shard[0], &e))
		overflow += e.nat.kind == NAT_EVENT_BLOCK_TAKEN && e.nat.key.host == HOME;
	cr_assert_eq(overflow, 1);
	world_close(&w);
}

Test(deterministic, t_7422_a_the_reverse_of_every_packet_is_its_sender)
{
	struct world w;
	const struct nat_plan *plan;
	ip4 host;

	world_open(&w, PLANNED_TWICE);
	plan = w.conf->groups[0].nat.plan;
	for (ip4 h = BASE + 2; h < BASE + 255; h += 7) {
		struct recipe e = open_udp(&w, h, 5000, PEER);
		cr_assert_eq(nat_plan_reverse(plan, e.addr, e.port, &host), NAT_PLAN_HOST);
		cr_assert_eq(host, h);
	}
	world_close(&w);
}

Test(deterministic, hairpins_cross_workers)
{
	struct world w;
	struct frame f;

	world_open(&w, PLANNED_TWICE);
	ip4 a = BASE + 2, b = BASE + 3;
	while (conf_inside_owner(w.conf, b) == conf_inside_owner(w.conf, a))
		b++;
	struct recipe at_a = open_udp(&w, a, 5000, PEER), at_b = open_udp(&w, b, 6000, PEER);
	put(&w, INSIDE_PORT, udp_of(a, 5000, at_b.addr, at_b.port), &f);
	expect_in(&f, at_a.addr, at_a.port, b, 6000);
	world_close(&w);
}

Test(deterministic, an_explicit_mapping_lies_in_its_hosts_ports)
{
	struct world w;
	struct frame f;

	world_open(&w, PLANNED_TWICE);
	for (ip4 host = BASE + 10; host < BASE + 40; host++) {
		struct nat_share share = share_of(&w, host);
		struct pcp_message reply, ask = ask_of(host, IP_UDP, 8080, 600);
		ask_frame(&w, INSIDE_PORT, host, SERVER, &ask, &f);
		reply = ask_read(&f);
		cr_assert_eq(reply.result, PCP_SUCCESS);
		struct recipe e = {ip6_to_ip4(reply.external_ip), reply.external_port};
		cr_assert(is_his(&share, e));
		put(&w, OUTSIDE_PORT, udp_of(PEER, 9, e.addr, e.port), &f);
		expect_in(&f, PEER, 9, host, 8080);
	}
	world_close(&w);
}

// What the plan stands on cannot change under traffic; the rest of a group can.
Test(deterministic, a_reload_that_keeps_the_plan_keeps_every_mapping)
{
	struct world w;

	world_open(&w, PLANNED_TWICE);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	for (unsigned i = 0; i < 3; i++) {
		world_reload(&w, PLANNED_TWICE "    tcp-mss-clamp: 1400\n");
		cr_assert(recipe_eq(open_udp(&w, HOME, 5000, PEER), e));
		world_reload(&w, PLANNED_TWICE);
		world_pass(&w, 10);
	}
	cr_assert_eq(WORLD_NAT(&w, addresses), 4); // both, at both workers
	world_close(&w);
}
