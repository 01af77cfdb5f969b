// SPDX-License-Identifier: Apache-2.0
// The same numbers in several realms: forwarding goes by realm, never by the address alone.
#include "check.h"

// The pool's addresses are numbers of the inside's space, too, and both inside ports have the same
// subscribers.
#define SHARED                                                                                     \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/10] }\n"                                    \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"                \
	"  inside2: { device: c, addresses: [100.64.0.1/10] }\n" LIMITS "nat-groups:\n"            \
	"  homes:\n"                                                                               \
	"    inside: [inside]\n"                                                                   \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [100.65.0.4-100.65.0.5]\n"                                     \
	"    port-set-size: 64\n"                                                                  \
	"  offices:\n"                                                                             \
	"    inside: [inside2]\n"                                                                  \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [100.64.7.8]\n"                                                \
	"    port-set-size: 64\n"
enum {
	INSIDE_2 = 2
};

Test(realms, t_4787_7_an_external_address_may_lie_in_the_inside_space)
{
	struct world w;
	struct frame f;

	world_open(&w, SHARED);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	cr_assert_eq(e.addr >> 1, 0x64410004u >> 1);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
	expect_in(&f, PEER, 53, HOME, 5000);
	put(&w, INSIDE_PORT, udp_of(NEIGHBOR, 5000, e.addr, e.port), &f); // a hairpin to it
	expect_pass(&f, INSIDE_PORT);
	cr_assert_eq(f.p.dst, HOME);
	world_close(&w);
}

Test(realms, t_6888_3_one_host_in_two_realms_is_two_subscribers_of_two_groups)
{
	struct world w;
	struct frame a, b, f;

	world_open(&w, SHARED);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &a);
	put(&w, INSIDE_2, udp_of(HOME, 5000, PEER, 53), &b);
	expect_pass(&a, OUTSIDE_PORT);
	expect_pass(&b, OUTSIDE_PORT);
	cr_assert_eq(b.p.src, 0x64400708);
	cr_assert_neq(a.p.src, b.p.src);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, a.p.src, a.p.sport), &f);
	expect_pass(&f, INSIDE_PORT);
	cr_assert_eq(f.p.dst, HOME);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, b.p.src, b.p.sport), &f);
	expect_pass(&f, INSIDE_2);
	cr_assert_eq(f.p.dst, HOME);
	cr_assert_eq(WORLD_NAT(&w, subscribers), 2);
	world_close(&w);
}

Test(realms, t_4787_9_the_same_host_of_two_realms_speaks_to_itself)
{
	struct world w;
	struct frame b, f;

	world_open(&w, SHARED);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, INSIDE_2, udp_of(HOME, 5000, e.addr, e.port), &f);
	expect_pass(&f, INSIDE_PORT);
	expect_between(&f.p, 0x64400708, HOME);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, f.p.src, f.p.sport), &b);
	expect_pass(&b, INSIDE_2);
	world_close(&w);
}

// ---- two VLANs -------------------------------------------------------------------------------

#define TWO_REALMS                                                                                 \
	"ports:\n"                                                                                 \
	"  trunk: { device: a, side: inside }\n"                                                   \
	"  inside10: { parent: trunk, vlan: 10, addresses: [100.64.0.1/10] }\n"                    \
	"  inside20: { parent: trunk, vlan: 20, addresses: [100.64.0.1/10] }\n"                    \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n" LIMITS GROUP
enum {
	TRUNK,
	VLAN_10,
	VLAN_20,
	UPLINK
};

Test(realms, one_address_in_two_realms_is_two_subscribers)
{
	struct world w;
	struct frame a, b, f;

	world_open(&w, TWO_REALMS);
	put(&w, VLAN_10, udp_of(HOME, 5000, PEER, 53), &a);
	put(&w, VLAN_20, udp_of(HOME, 5000, PEER, 53), &b);
	expect_pass(&a, UPLINK);
	expect_pass(&b, UPLINK);
	cr_assert(a.p.src != b.p.src || a.p.sport != b.p.sport);
	cr_assert_eq(WORLD_NAT(&w, subscribers), 2);
	put(&w, UPLINK, udp_of(PEER, 53, a.p.src, a.p.sport), &f);
	expect_pass(&f, VLAN_10);
	cr_assert(f.p.dst == HOME && f.p.dport == 5000);
	put(&w, UPLINK, udp_of(PEER, 53, b.p.src, b.p.sport), &f);
	expect_pass(&f, VLAN_20);
	cr_assert(f.p.dst == HOME && f.p.dport == 5000);
	world_close(&w);
}

Test(realms, a_hairpin_leads_from_realm_to_realm)
{
	struct world w;
	struct frame a, b, f;

	world_open(&w, TWO_REALMS);
	put(&w, VLAN_10, udp_of(HOME, 5000, PEER, 53), &a);
	put(&w, VLAN_20, udp_of(HOME, 5000, a.p.src, a.p.sport), &f);
	expect_pass(&f, VLAN_10);
	put(&w, VLAN_20, udp_of(HOME, 5000, PEER, 53), &b);
	expect_between(&f.p, b.p.src, HOME);
	cr_assert_eq(f.p.sport, b.p.sport);
	world_close(&w);
}

Test(realms, a_port_without_an_address_answers_nothing)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, TWO_REALMS);
	m.ttl = 1;
	put(&w, TRUNK, m, &f);
	expect_drop(&f, DROP_TTL);
	world_close(&w);
}
