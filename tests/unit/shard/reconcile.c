// SPDX-License-Identifier: Apache-2.0
// A new snapshot under traffic: what stays keeps working, what left goes, what came is there.
#include <stdio.h>

#include "ask.h"
#include "check.h"

#define HOMES(pool, rest)                                                                          \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [" pool "]\n"                                                  \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: { listen: [198.18.0.1, gateway] }\n" rest
#define STATIC(protocol, internal, external)                                                       \
	"      - { protocol: " protocol ", internal: \"" internal "\", external: \"" external      \
	"\" }\n"
#define HOLD_DOWN_S 125

static struct frame from_outside(struct world *w, struct recipe e)
{
	struct frame f;

	put(w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
	return f;
}

static bool all_follow(const struct world *w)
{
	for (uint16_t k = 0; k < w->n; k++) {
		if (shard_generation(w->shard[k]) != w->conf->generation)
			return false;
	}
	return true;
}

// ---- what stays ------------------------------------------------------------------------------

Test(reconcile, the_first_snapshot_is_taken_over)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	cr_assert(all_follow(&w));
	cr_assert_eq(WORLD_NAT(&w, addresses), 2);
	cr_assert_eq(WORLD_COUNT(&w, reconciled), 2);
	world_close(&w);
}

Test(reconcile, a_reload_that_changes_nothing_moves_nothing)
{
	struct world w;
	struct recipe before[20], after;

	world_open(&w, TWO_SHARDS);
	for (uint16_t i = 0; i < 20; i++)
		before[i] = open_udp(&w, HOME + i, 5000, PEER);
	for (unsigned again = 0; again < 3; again++) {
		world_reload(&w, TWO_SHARDS);
		cr_assert(all_follow(&w));
		for (uint16_t i = 0; i < 20; i++) {
			struct frame f = from_outside(&w, before[i]);
			expect_in(&f, PEER, 53, HOME + i, 5000);
			after = open_udp(&w, HOME + i, 5000, PEER);
			cr_assert(recipe_eq(before[i], after));
		}
	}
	cr_assert_eq(WORLD_NAT(&w, cleared), 0);
	world_close(&w);
}

Test(reconcile, packets_follow_the_new_snapshot_before_the_tables_do)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	world_publish(&w, PORTS LIMITS HOMES("203.0.113.4-203.0.113.5", "    port-limit: 1\n"));
	f = from_outside(&w, e);
	expect_in(&f, PEER, 53, HOME, 5000);
	put(&w, INSIDE_PORT, udp_of(HOME, 5001, PEER, 53), &f); // over the new limit
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	world_settle(&w);
	world_close(&w);
}

// ---- addresses -------------------------------------------------------------------------------

Test(reconcile, a_new_address_is_used)
{
	struct world w;
	bool seen = false;

	world_open(&w, PORTS LIMITS HOMES("203.0.113.4", ""));
	world_reload(&w, PORTS LIMITS HOMES("203.0.113.4, 203.0.113.5", ""));
	for (ip4 host = HOME; host < HOME + 10; host++)
		seen |= open_udp(&w, host, 5000, PEER).addr == 0xcb007105;
	cr_assert(seen);
	world_close(&w);
}

Test(reconcile, an_address_that_left_is_drained_and_its_subscribers_move)
{
	struct world w;
	struct frame f;

	world_open(&w, PORTS LIMITS HOMES("203.0.113.4-203.0.113.5", ""));
	world_set_epoch(&w, 0, 1000);
	struct pcp_message a = ask_map(&w, HOME, SERVER, IP_UDP, 1, 600);
	struct pcp_message b = ask_map(&w, NEIGHBOR, SERVER, IP_UDP, 1, 600);
	ip4 gone = ip6_to_ip4(a.external_ip);
	cr_assert_neq(gone, ip6_to_ip4(b.external_ip));
	world_reload(&w, gone == 0xcb007104 ? PORTS LIMITS HOMES("203.0.113.5", "")
					    : PORTS LIMITS HOMES("203.0.113.4", ""));
	f = from_outside(&w, (struct recipe){gone, a.external_port});
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	a = ask_map(&w, HOME, SERVER, IP_UDP, 1, 600);
	cr_assert_eq(ip6_to_ip4(a.external_ip), ip6_to_ip4(b.external_ip));
	cr_assert_lt(a.epoch_s, 5, "he is told that he lost his mapping");
	cr_assert_eq(ask_map(&w, NEIGHBOR, SERVER, IP_UDP, 1, 600).epoch_s, 1000);
	cr_assert_neq(open_udp(&w, HOME, 5000, PEER).addr, gone);
	world_pass(&w, HOLD_DOWN_S);
	cr_assert_eq(WORLD_NAT(&w, addresses), 1);
	world_close(&w);
}

Test(reconcile, an_address_that_comes_back_while_it_drains_is_used_again)
{
	struct world w;
	bool seen = false;

	world_open(&w, PORTS LIMITS HOMES("203.0.113.4-203.0.113.5", ""));
	for (ip4 host = HOME; host < HOME + 10; host++) {
		struct recipe e = open_udp(&w, host, 5000, PEER);
		from_outside(&w, e);
	}
	world_reload(&w, PORTS LIMITS HOMES("203.0.113.4", ""));
	world_pass(&w, 10);
	world_reload(&w, PORTS LIMITS HOMES("203.0.113.4-203.0.113.5", ""));
	for (ip4 host = HOME + 20; host < HOME + 30; host++)
		seen |= open_udp(&w, host, 5000, PEER).addr == 0xcb007105;
	cr_assert(seen);
	world_close(&w);
}

// The ports of the old group rest first; then the new one has the address.
#define TWO_POOLS(first, second)                                                                   \
	PORTS LIMITS HOMES(first, "  offices:\n"                                                   \
				  "    subscribers: [100.66.0.0/16]\n"                             \
				  "    port-set-size: 64\n"                                        \
				  "    external-address-pool: [" second "]\n")
#define OFFICE 0x64420005u

Test(reconcile, an_address_moves_from_group_to_group)
{
	struct world w;
	struct frame f;

	world_open(&w, TWO_POOLS("203.0.113.4-203.0.113.5", "203.0.113.8"));
	for (ip4 host = HOME; host < HOME + 4; host++)
		from_outside(&w, open_udp(&w, host, 5000, PEER));
	world_reload(&w, TWO_POOLS("203.0.113.4", "203.0.113.5"));
	cr_assert(all_follow(&w), "nobody waits for ports to rest");
	for (ip4 host = HOME; host < HOME + 4; host++)
		cr_assert_eq(open_udp(&w, host, 5001, PEER).addr, 0xcb007104);
	put(&w, INSIDE_PORT, udp_of(OFFICE, 5000, PEER, 53), &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	world_pass(&w, HOLD_DOWN_S);
	struct recipe e = open_udp(&w, OFFICE, 5000, PEER);
	cr_assert_eq(e.addr, 0xcb007105);
	f = from_outside(&w, e);
	expect_in(&f, PEER, 53, OFFICE, 5000);
	world_close(&w);
}

Test(reconcile, a_pool_is_replaced_when_no_place_is_free)
{
	static const char limits[] = PORTS "limits: { mappings: 16k, leases: 1000, subscribers: "
					   "1000, external-addresses: 2 }\n";
	char text[1000];
	struct world w;

	snprintf(text, sizeof text, "%s%s", limits, HOMES("203.0.113.4-203.0.113.5", ""));
	world_open(&w, text);
	for (ip4 host = HOME; host < HOME + 4; host++)
		from_outside(&w, open_udp(&w, host, 5000, PEER));
	snprintf(text, sizeof text, "%s%s", limits, HOMES("203.0.113.8-203.0.113.9", ""));
	world_reload(&w, text);
	world_pass(&w, HOLD_DOWN_S);
	cr_assert_eq(WORLD_NAT(&w, addresses), 2);
	cr_assert_eq(open_udp(&w, HOME, 5000, PEER).addr & ~1u, 0xcb007108);
	world_close(&w);
}

Test(reconcile, another_port_range_is_taken_over)
{
	struct world w;

	world_open(&w, PORTS LIMITS HOMES("203.0.113.4", "    port-range: [1024, 2047]\n"));
	for (uint16_t i = 0; i < 100; i++)
		cr_assert_lt(open_udp(&w, HOME, (uint16_t)(5000 + i), PEER).port, 2048);
	world_reload(&w, PORTS LIMITS HOMES("203.0.113.4", "    port-range: [4096, 8191]\n"));
	world_pass(&w, HOLD_DOWN_S);
	for (uint16_t i = 0; i < 100; i++)
		cr_assert_geq(open_udp(&w, HOME, (uint16_t)(5000 + i), PEER).port, 4096);
	world_close(&w);
}

Test(reconcile, a_newer_snapshot_in_the_middle_starts_anew)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	for (unsigned i = 0; i < 12; i++) {
		world_publish(&w,
			i % 2 ? TWO_SHARDS
			      : "workers: 2\n" PORTS LIMITS HOMES("203.0.113.4-203.0.113.8", ""));
		for (unsigned steps = 0; steps < i; steps++)
			world_step(&w);
	}
	world_settle(&w);
	world_pass(&w, HOLD_DOWN_S);
	cr_assert(all_follow(&w));
	cr_assert_eq(WORLD_NAT(&w, addresses), 2);
	world_close(&w);
}

// ---- static mappings -------------------------------------------------------------------------

static void reaches(struct world *w, ip4 external, uint16_t port, ip4 host, uint16_t inside)
{
	struct frame f = from_outside(w, (struct recipe){external, port});

	expect_in(&f, PEER, 53, host, inside);
}

Test(reconcile, static_mappings_come_go_and_move)
{
	struct world w;
	struct frame f;

	world_open(&w,
		"workers: 2\n" PORTS LIMITS HOMES("203.0.113.4-203.0.113.5",
			"    static-mappings:\n" STATIC("udp", "100.64.0.10:1", "203.0.113.4:101")
				STATIC("udp", "100.64.0.11:1", "203.0.113.5:101")));
	reaches(&w, 0xcb007104, 101, HOME, 1);
	reaches(&w, 0xcb007105, 101, HOME + 1, 1);
	world_reload(&w,
		"workers: 2\n" PORTS LIMITS HOMES("203.0.113.4-203.0.113.5",
			"    static-mappings:\n" STATIC("udp", "100.64.0.10:1", "203.0.113.5:101")
				STATIC("udp", "100.64.0.11:1", "203.0.113.4:101")));
	reaches(&w, 0xcb007105, 101, HOME, 1);
	reaches(&w, 0xcb007104, 101, HOME + 1, 1);
	world_reload(&w, "workers: 2\n" PORTS LIMITS HOMES("203.0.113.4-203.0.113.5", ""));
	f = from_outside(&w, (struct recipe){0xcb007105, 101});
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	cr_assert_eq(WORLD_COUNT(&w, statics_failed), 0);
	cr_assert_eq(WORLD_NAT(&w, leases), 0);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_pass(&w, HOLD_DOWN_S);
	cr_assert_eq(WORLD_NAT(&w, addresses), 2);
	world_close(&w);
}

// static > explicit > implicit; what was there goes, its port rests, and then it is the static's.
Test(reconcile, a_static_mapping_gets_a_port_that_was_in_use)
{
	char text[1500], where[IP4_TEXT];
	struct world w;
	struct frame f;

	world_open(&w, PORTS LIMITS HOMES("203.0.113.4", ""));
	struct recipe e = open_udp(&w, NEIGHBOR, 5000, PEER);
	from_outside(&w, e);
	snprintf(text, sizeof text,
		"%s    static-mappings:\n"
		"      - { protocol: udp, internal: \"100.64.0.10:7\", external: \"%s:%u\" }\n",
		PORTS LIMITS HOMES("203.0.113.4", ""), ip4_format(e.addr, where), e.port);
	world_reload(&w, text);
	cr_assert(all_follow(&w));
	f = from_outside(&w, e);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_pass(&w, HOLD_DOWN_S);
	reaches(&w, e.addr, e.port, HOME, 7);
	cr_assert_eq(WORLD_COUNT(&w, statics_failed), 0);
	world_close(&w);
}

#define FEW_PORTS                                                                                  \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes:\n"                                                                  \
		     "    subscribers: [100.64.0.0/16]\n"                                          \
		     "    external-address-pool: [203.0.113.4]\n"                                  \
		     "    port-range: [2048, 2051]\n"                                              \
		     "    port-set-size: 4\n"                                                      \
		     "    block-limit: 1\n"

// He who lost the port wants one all the time, and there is no other.
Test(reconcile, a_port_that_rests_for_a_static_mapping_is_given_to_nobody_else)
{
	char text[1500];
	struct world w;
	struct frame f;

	world_open(&w, FEW_PORTS);
	for (uint16_t k = 0; k < 4; k++)
		from_outside(&w, open_udp(&w, HOME, (uint16_t)(5000 + k), PEER));
	snprintf(text, sizeof text,
		"%s    static-mappings:\n"
		"      - { protocol: udp, internal: \"100.64.0.20:7\", external: "
		"\"203.0.113.4:2049\" }\n",
		FEW_PORTS);
	world_reload(&w, text);
	for (unsigned i = 0; i < HOLD_DOWN_S * 10; i++) {
		w.now += 100 * NS_PER_MS;
		world_step(&w); // one, so that packets come between
		for (uint16_t k = 0; k < 4; k++) {
			put(&w, INSIDE_PORT, udp_of(HOME, (uint16_t)(5000 + k), PEER, 53), &f);
			cr_assert(f.p.kind != PKT_UDP || f.p.sport != 2049);
		}
	}
	reaches(&w, 0xcb007104, 2049, NEIGHBOR, 7);
	world_settle(&w);
	world_close(&w);
}

// The deal's worker must not give out the port of a static mapping that another worker holds.
Test(reconcile, a_port_of_a_static_mapping_is_nobody_elses_though_another_shard_was_dealt_it)
{
	char text[1500], host_text[IP4_TEXT], where[IP4_TEXT];
	static const char few[] = "workers: 2\n" PORTS LIMITS HOMES(
		"203.0.113.4-203.0.113.5", "    port-range: [2048, 2111]\n");
	struct world w;
	struct frame f;

	world_open(&w, few);
	ip4 owner = world_host(&w, 0, 0), other = world_host(&w, 1, 0);
	snprintf(text, sizeof text,
		"%s    static-mappings:\n"
		"      - { protocol: udp, internal: \"%s:7\", external: \"%s:2050\" }\n",
		few, ip4_format(owner, host_text), ip4_format(world_external(&w, 1), where));
	world_reload(&w, text);
	for (uint16_t i = 0; i < 63; i++) {
		struct recipe e = open_udp(&w, other, (uint16_t)(5000 + i), PEER);
		cr_assert_neq(e.port, 2050);
		f = from_outside(&w, e);
		expect_in(&f, PEER, 53, other, (uint16_t)(5000 + i));
	}
	put(&w, INSIDE_PORT, udp_of(other, 6000, PEER, 53), &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	reaches(&w, world_external(&w, 1), 2050, owner, 7);
	world_reload(&w, few);
	cr_assert_eq(open_udp(&w, other, 6001, PEER).port, 2050);
	world_close(&w);
}

// The walk over leases that a newer snapshot interrupts does not go on where it stood.
Test(reconcile, static_mappings_that_left_are_found_after_an_interrupted_walk)
{
	static char text[40000];
	struct world w;
	struct frame f;
	int len;

	len = snprintf(text, sizeof text, "%s    static-mappings:\n",
		PORTS LIMITS HOMES("203.0.113.4", ""));
	for (unsigned i = 0; i < 280; i++) // more than a step looks at
		len += snprintf(text + len, sizeof text - (size_t)len,
			STATIC("udp", "100.64.0.10:%u", "203.0.113.4:%u"), 1000 + i, 100 + i);
	world_open(&w, text);
	reaches(&w, 0xcb007104, 100, HOME, 1000);
	for (unsigned steps = 1; steps < 6; steps++) {
		world_reload(&w, text);
		reaches(&w, 0xcb007104, 100, HOME, 1000);
		world_publish(&w, text);
		for (unsigned i = 0; i < steps; i++)
			world_step(&w);
		world_reload(&w, PORTS LIMITS HOMES("203.0.113.4", ""));
		f = from_outside(&w, (struct recipe){0xcb007104, 100});
		expect_drop(&f, DROP_NO_MAPPING_INBOUND);
		cr_assert_eq(WORLD_NAT(&w, leases), 0);
	}
	world_close(&w);
}

// ---- subscribers -----------------------------------------------------------------------------

#define MOVED(homes, offices)                                                                      \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes:\n"                                                                  \
		     "    subscribers: [" homes "]\n"                                              \
		     "    external-address-pool: [203.0.113.4]\n"                                  \
		     "    port-set-size: 64\n"                                                     \
		     "    pcp: { listen: [198.18.0.1] }\n"                                         \
		     "  offices:\n"                                                                \
		     "    subscribers: [" offices "]\n"                                            \
		     "    external-address-pool: [203.0.113.5]\n"                                  \
		     "    port-set-size: 64\n"                                                     \
		     "    pcp: { listen: [198.18.0.2] }\n"

Test(reconcile, subscribers_whose_group_changed_are_cleared_and_move)
{
	struct world w;
	struct frame f;
	struct recipe moves, stays;

	world_open(&w, MOVED("100.64.0.0/16", "100.66.0.0/16"));
	moves = open_udp(&w, HOME, 5000, PEER);
	from_outside(&w, moves);
	stays = open_udp(&w, 0x64400110, 5000, PEER); // 100.64.1.16
	world_reload(&w, MOVED("100.64.1.0/24", "100.66.0.0/16, 100.64.0.0/24"));
	f = from_outside(&w, moves);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	f = from_outside(&w, stays);
	expect_in(&f, PEER, 53, 0x64400110, 5000);
	world_pass(&w, HOLD_DOWN_S);
	cr_assert_eq(open_udp(&w, HOME, 5000, PEER).addr, 0xcb007105);
	world_close(&w);
}

Test(reconcile, subscribers_of_no_group_any_more_are_cleared)
{
	struct world w;
	struct frame f;
	struct recipe gone[40];

	world_open(&w, TWO_SHARDS);
	for (uint16_t i = 0; i < 40; i++) {
		gone[i] = open_udp(&w, HOME + i, 5000, PEER);
		from_outside(&w, gone[i]);
	}
	world_reload(&w, "workers: 2\n" PORTS LIMITS "nat-groups:\n"
			 "  homes:\n"
			 "    subscribers: [100.66.0.0/16]\n"
			 "    external-address-pool: [203.0.113.4-203.0.113.5]\n"
			 "    port-set-size: 64\n");
	for (uint16_t i = 0; i < 40; i++) {
		f = from_outside(&w, gone[i]);
		expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	}
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_pass(&w, HOLD_DOWN_S);
	cr_assert_eq(WORLD_NAT(&w, subscribers), 0);
	cr_assert_eq(WORLD_NAT(&w, resting), 0);
	world_close(&w);
}

Test(reconcile, new_timers_are_in_force)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	from_outside(&w, e);
	world_reload(&w, "timers: { udp-timeout: 120 }\n" ONE_SHARD);
	world_pass(&w, 140);
	f = from_outside(&w, e);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}
