// SPDX-License-Identifier: Apache-2.0
// Who owns a packet: a pure function that every worker agrees on.
#include "check.h"

static uint16_t owner_of(const struct world *w, uint16_t iface, const struct make *m)
{
	uint8_t packet[MAKE_MAX];
	struct pkt p;

	cr_assert_eq(make_parse(&p, packet, make_packet(packet, m)), DROP_NONE);
	p.iface = iface;
	return shard_owner(w->conf, &p, 77);
}

Test(steer, a_subscriber_is_always_at_one_shard)
{
	struct world w;
	unsigned seen[2] = {0, 0};

	world_open(&w, TWO_SHARDS);
	for (ip4 host = HOME; host < HOME + 64; host++) {
		struct make m = udp_of(host, 5000, PEER, 53);
		uint16_t owner = owner_of(&w, INSIDE_PORT, &m);
		cr_assert_lt(owner, 2);
		seen[owner]++;
		m = tcp_of(host, 1, 0xcb007104, 7, TCP_SYN); // a hairpin
		cr_assert_eq(owner_of(&w, INSIDE_PORT, &m), owner);
		m = udp_of(host, 40000, SERVER, 5351); // PCP
		cr_assert_eq(owner_of(&w, INSIDE_PORT, &m), owner);
		m = echo_of(host, GATEWAY, ICMP_ECHO, 9);
		cr_assert_eq(owner_of(&w, INSIDE_PORT, &m), owner);
	}
	cr_assert(seen[0] > 8 && seen[1] > 8);
	world_close(&w);
}

Test(steer, a_whole_address_is_at_one_shard_whatever_the_port)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	for (uint16_t shard = 0; shard < 2; shard++) {
		for (uint32_t port = 1; port < 65536; port += 1023) {
			struct make m = udp_of(PEER, 53, world_external(&w, shard), (uint16_t)port);
			cr_assert_eq(owner_of(&w, OUTSIDE_PORT, &m), shard);
		}
	}
	world_close(&w);
}

Test(steer, what_is_not_of_the_pool_anybody_may_answer)
{
	struct world w;
	struct make m = echo_of(PEER, EDGE, ICMP_ECHO, 9);

	world_open(&w, TWO_SHARDS);
	cr_assert_eq(owner_of(&w, OUTSIDE_PORT, &m), 77);
	m = udp_of(PEER, 53, OTHER_PEER, 53);
	cr_assert_eq(owner_of(&w, OUTSIDE_PORT, &m), 77);
	m = udp_of(PEER, 53, SERVER, 5351); // no address of ours to the outside
	cr_assert_eq(owner_of(&w, OUTSIDE_PORT, &m), 77);
	world_close(&w);
}

Test(steer, t_nat_19_3_errors_go_by_the_quoted_endpoint_of_our_side)
{
	struct world w;
	struct frame out;

	world_open(&w, TWO_SHARDS);
	for (uint16_t shard = 0; shard < 2; shard++) {
		ip4 host = world_host(&w, shard, 0);
		put(&w, INSIDE_PORT, udp_of(host, 5000, PEER, 53), &out);
		struct make m = error_of(ROUTER, out.p.src, ICMP_TIME_EXCEEDED, 0, &out);
		cr_assert_eq(owner_of(&w, OUTSIDE_PORT, &m), shard);
		put(&w, OUTSIDE_PORT, udp_of(PEER, 53, out.p.src, out.p.sport), &out);
		m = error_of(world_host(&w, 1 - shard, 3), PEER, ICMP_TIME_EXCEEDED, 0, &out);
		cr_assert_eq(owner_of(&w, INSIDE_PORT, &m), shard, "not by the router's address");
	}
	world_close(&w);
}

Test(steer, a_cut_address_is_owned_port_by_port_and_errors_follow)
{
	static const char yaml[] = "workers: 2\n" PORTS LIMITS "nat-groups:\n"
				   "  homes: { subscribers: [100.64.0.0/16],"
				   " external-address-pool: [203.0.113.4], port-set-size: 64 }\n";
	struct world w;
	struct frame out;
	bool seen[2] = {false, false};

	world_open(&w, yaml);
	for (uint32_t port = 1024; port < 65536; port += 64) {
		struct make m = udp_of(PEER, 53, 0xcb007104, (uint16_t)port);
		uint16_t owner = owner_of(&w, OUTSIDE_PORT, &m);
		cr_assert_lt(owner, 2);
		seen[owner] = true;
	}
	cr_assert(seen[0] && seen[1]);
	for (uint16_t shard = 0; shard < 2; shard++) {
		put(&w, INSIDE_PORT, udp_of(world_host(&w, shard, 0), 5000, PEER, 53), &out);
		struct make m = error_of(ROUTER, out.p.src, ICMP_TIME_EXCEEDED, 0, &out);
		cr_assert_eq(owner_of(&w, OUTSIDE_PORT, &m), shard);
	}
	world_close(&w);
}

Test(steer, a_hairpinned_packet_goes_where_one_from_outside_would)
{
	struct world w;
	uint8_t packet[MAKE_MAX];
	struct make m = udp_of(0xcb007104, 7, 0xcb007105, 9);
	struct pkt p;

	world_open(&w, TWO_SHARDS);
	cr_assert_eq(make_parse(&p, packet, make_packet(packet, &m)), DROP_NONE);
	p.iface = INSIDE_PORT;
	p.stage = PKT_HAIRPINNED;
	cr_assert_eq(shard_owner(w.conf, &p, 77), owner_of(&w, OUTSIDE_PORT, &m));
	world_close(&w);
}
