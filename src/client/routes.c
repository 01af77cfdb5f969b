// SPDX-License-Identifier: Apache-2.0
// Default routers of both families, asked of the kernel by rtnetlink(7), and word of changes.
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"

#define ROOM 32768 // the kernel's largest piece of a list

int routes_open(void)
{
	struct sockaddr_nl to = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), error;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

// Messages of the kernel alone count: other processes may send to us, too.
static ssize_t receive(int fd, void *room, size_t size)
{
	struct sockaddr_nl from = {0};
	socklen_t length = sizeof from;
	ssize_t n;

	do
		n = recvfrom(fd, room, size, 0, (struct sockaddr *)&from, &length);
	while (n >= 0 && from.nl_pid != 0);
	return n;
}

// Which change it was does not matter: all is read anew.
bool routes_changed(int fd)
{
	bool changed = false;
	uint8_t room[8192];

	for (;;) {
		ssize_t n = receive(fd, room, sizeof room);

		if (n < 0 && errno == ENOBUFS) { // more than fits: something changed
			changed = true;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return changed;
		changed = true;
	}
}

// ---- the list --------------------------------------------------------------------------------

static int ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
	} request = {
		.header = {.nlmsg_len = sizeof request,
			.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.route = {.rtm_family = AF_UNSPEC},
	};
	struct sockaddr_nl to = {.nl_family = AF_NETLINK};

	return sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&to, sizeof to) < 0
		       ? -errno
		       : 0;
}

static void add(struct routers *out, const struct router *router)
{
	for (unsigned i = 0; i < out->n; i++)
		if (ip6_eq(out->list[i].ip, router->ip) &&
			out->list[i].interface == router->interface)
			return;
	if (out->n < ARRAY_SIZE(out->list))
		out->list[out->n++] = *router;
}

static bool take_gateway(uint8_t family, const uint8_t *data, size_t length, ip6 *out)
{
	if (family == AF_INET && length == 4)
		*out = ip_of(postern_endpoint_ip4(data, 0).ip);
	else if (family == AF_INET6 && length == 16)
		*out = ip_of(data);
	else
		return false;
	return true;
}

// RTA_VIA: a gateway of the other family (RFC 8950); its 2 octets of family are in host order.
static bool take_via(const uint8_t *data, size_t length, ip6 *out)
{
	uint16_t family;

	if (length < sizeof family)
		return false;
	memcpy(&family, data, sizeof family);
	return take_gateway((uint8_t)family, data + 2, length - 2, out);
}

static void take_attributes(
	uint8_t family, const uint8_t *at, size_t left, struct router *router, struct routers *out);

// Several next hops of one route, each with attributes of its own.
static void take_hops(
	uint8_t family, const uint8_t *at, size_t left, struct router base, struct routers *out)
{
	struct rtnexthop hop;

	while (left >= sizeof hop) {
		struct router router = base;

		memcpy(&hop, at, sizeof hop);
		if (hop.rtnh_len < sizeof hop || hop.rtnh_len > left)
			return;
		router.interface = (uint32_t)hop.rtnh_ifindex;
		take_attributes(family, at + sizeof hop, hop.rtnh_len - sizeof hop, &router, out);
		if ((size_t)RTNH_ALIGN(hop.rtnh_len) >= left)
			return;
		at += RTNH_ALIGN(hop.rtnh_len);
		left -= RTNH_ALIGN(hop.rtnh_len);
	}
}

static void take_attributes(
	uint8_t family, const uint8_t *at, size_t left, struct router *router, struct routers *out)
{
	const uint8_t *hops = NULL;
	size_t n_hops = 0;
	bool has_gateway = false;
	struct rtattr a;

	while (left >= sizeof a) {
		const uint8_t *data = at + sizeof a;
		size_t n;

		memcpy(&a, at, sizeof a);
		if (a.rta_len < sizeof a || a.rta_len > left)
			return;
		n = a.rta_len - sizeof a;
		if (a.rta_type == RTA_GATEWAY)
			has_gateway = take_gateway(family, data, n, &router->ip);
		else if (a.rta_type == RTA_VIA)
			has_gateway = take_via(data, n, &router->ip);
		else if (a.rta_type == RTA_OIF && n == sizeof router->interface)
			memcpy(&router->interface, data, n);
		else if (a.rta_type == RTA_PRIORITY && n == sizeof router->metric)
			memcpy(&router->metric, data, n);
		else if (a.rta_type == RTA_MULTIPATH) {
			hops = data;
			n_hops = n;
		}
		if (RTA_ALIGN(a.rta_len) >= left)
			break;
		at += RTA_ALIGN(a.rta_len);
		left -= RTA_ALIGN(a.rta_len);
	}
	if (has_gateway)
		add(out, router);
	else if (hops)
		take_hops(family, hops, n_hops, *router, out);
}

static void take_route(const uint8_t *octets, size_t length, struct routers *out)
{
	struct router router = {0};
	struct rtmsg route;

	if (length < sizeof route)
		return;
	memcpy(&route, octets, sizeof route);
	if (route.rtm_dst_len != 0 || route.rtm_type != RTN_UNICAST ||
		route.rtm_table != RT_TABLE_MAIN || (route.rtm_flags & RTNH_F_LINKDOWN) ||
		(route.rtm_flags & RTNH_F_DEAD))
		return;
	if (length > NLMSG_ALIGN(sizeof route))
		take_attributes(route.rtm_family, octets + NLMSG_ALIGN(sizeof route),
			length - NLMSG_ALIGN(sizeof route), &router, out);
}

bool routes_take(const uint8_t *at, size_t left, struct routers *out)
{
	struct nlmsghdr header;

	while (left >= sizeof header) {
		memcpy(&header, at, sizeof header);
		if (header.nlmsg_len < sizeof header || header.nlmsg_len > left ||
			header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR)
			return true;
		if (header.nlmsg_type == RTM_NEWROUTE)
			take_route(at + sizeof header, header.nlmsg_len - sizeof header, out);
		if (NLMSG_ALIGN(header.nlmsg_len) >= left)
			return false;
		at += NLMSG_ALIGN(header.nlmsg_len);
		left -= NLMSG_ALIGN(header.nlmsg_len);
	}
	return false;
}

int routes_read(struct routers *out)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error;
	uint8_t *room = malloc(ROOM);
	ssize_t n;

	*out = (struct routers){0};
	error = fd < 0 ? -errno : room ? ask(fd) : -ENOMEM;
	while (error == 0) {
		n = receive(fd, room, ROOM);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			error = -errno;
		else if (routes_take(room, (size_t)n, out))
			break;
	}
	if (fd >= 0)
		close(fd);
	free(room);
	return error;
}

// Insertion keeps the kernel's order among equals.
void routes_sort(struct routers *routers, bool ip4_first)
{
	for (unsigned i = 1; i < routers->n; i++) {
		struct router r = routers->list[i];
		unsigned j = i;

		for (; j > 0; j--) {
			const struct router *before = &routers->list[j - 1];
			bool four = ip6_is_mapped(r.ip), before_four = ip6_is_mapped(before->ip);

			if (four != before_four ? four != ip4_first : before->metric <= r.metric)
				break;
			routers->list[j] = *before;
		}
		routers->list[j] = r;
	}
}
