// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"

struct message { // as the kernel writes one
	_Alignas(4) uint8_t octets[512];
	size_t length;
};

static void put(struct message *m, const void *data, size_t n)
{
	memcpy(m->octets + m->length, data, n);
	m->length += (n + 3) & ~(size_t)3;
}

static void put_attribute(struct message *m, uint16_t type, const void *data, size_t n)
{
	struct rtattr a = {.rta_len = (uint16_t)(sizeof a + n), .rta_type = type};

	put(m, &a, sizeof a);
	put(m, data, n);
}

static void begin(struct message *m, uint8_t family, uint8_t bits)
{
	struct nlmsghdr header = {.nlmsg_type = RTM_NEWROUTE};
	struct rtmsg route = {.rtm_family = family,
		.rtm_dst_len = bits,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_type = RTN_UNICAST};

	*m = (struct message){.length = 0};
	put(m, &header, sizeof header);
	put(m, &route, sizeof route);
}

static void end(struct message *m)
{
	uint32_t length = (uint32_t)m->length;

	memcpy(m->octets, &length, sizeof length);
}

static void one_route(struct message *m, uint8_t bits)
{
	static const uint8_t gateway[4] = {192, 0, 2, 1};
	uint32_t interface = 5, metric = 100;

	begin(m, AF_INET, bits);
	put_attribute(m, RTA_GATEWAY, gateway, sizeof gateway);
	put_attribute(m, RTA_OIF, &interface, sizeof interface);
	put_attribute(m, RTA_PRIORITY, &metric, sizeof metric);
	end(m);
}

Test(routes, a_default_route_names_its_router)
{
	struct routers routers = {0};
	struct message m;

	one_route(&m, 0);
	cr_expect_not(routes_take(m.octets, m.length, &routers));
	cr_assert_eq(routers.n, 1);
	cr_expect_eq(ip6_to_ip4(routers.list[0].ip), 0xc0000201);
	cr_expect_eq(routers.list[0].interface, 5);
	cr_expect_eq(routers.list[0].metric, 100);
	one_route(&m, 8);
	cr_expect_not(routes_take(m.octets, m.length, &routers));
	cr_expect_eq(routers.n, 1, "a route to a part of the world counted");
}

Test(routes, each_hop_of_a_route_is_a_router)
{
	static const uint8_t gateways[2][16] = {{0xfe, 0x80, [15] = 1}, {0xfe, 0x80, [15] = 2}};
	struct message hops = {.length = 0}, m;
	struct routers routers = {0};

	for (int i = 0; i < 2; i++) {
		struct rtnexthop hop = {
			.rtnh_len = sizeof hop + sizeof(struct rtattr) + 16, .rtnh_ifindex = 7 + i};

		put(&hops, &hop, sizeof hop);
		put_attribute(&hops, RTA_GATEWAY, gateways[i], 16);
	}
	begin(&m, AF_INET6, 0);
	put_attribute(&m, RTA_MULTIPATH, hops.octets, hops.length);
	end(&m);
	routes_take(m.octets, m.length, &routers);
	cr_assert_eq(routers.n, 2);
	cr_expect_eq(routers.list[1].ip.b[15], 2);
	cr_expect_eq(routers.list[1].interface, 8);
}

Test(routes, a_list_may_be_cut_anywhere)
{
	struct message m;

	one_route(&m, 0);
	for (size_t n = 0; n < m.length; n++) {
		struct routers routers = {0};
		uint8_t *exact = malloc(n + 1);

		memcpy(exact, m.octets, n);
		routes_take(exact, n, &routers);
		cr_expect_eq(routers.n, 0);
		free(exact);
	}
}

Test(routes, the_preferred_family_and_the_smaller_metric_come_first)
{
	struct routers routers = {.n = 4,
		.list = {{ip6_mapped(1), 1, 200}, {{{0xfe, 0x80, [15] = 1}}, 1, 300},
			{ip6_mapped(2), 2, 100}, {{{0xfe, 0x80, [15] = 2}}, 1, 200}}};

	routes_sort(&routers, false);
	cr_expect_eq(routers.list[0].ip.b[15], 2);
	cr_expect_eq(routers.list[0].ip.b[0], 0xfe);
	cr_expect_eq(routers.list[2].metric, 100);
	routes_sort(&routers, true);
	cr_expect_eq(ip6_to_ip4(routers.list[0].ip), 2);
	cr_expect_eq(ip6_to_ip4(routers.list[1].ip), 1);
	cr_expect_eq(routers.list[2].metric, 200);
}

Test(routes, the_kernel_answers)
{
	struct routers routers;
	int fd = routes_open();

	cr_assert_geq(fd, 0);
	cr_expect_eq(routes_read(&routers), 0);
	cr_expect_leq(routers.n, MOST_ROUTERS);
	close(fd);
}
