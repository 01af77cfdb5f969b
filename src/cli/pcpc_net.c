// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t to_sockaddr(const struct postern_endpoint *e, struct sockaddr_storage *out)
{
	ip6 ip;

	memset(out, 0, sizeof *out);
	memcpy(ip.b, e->ip, sizeof ip.b);
	if (ip6_is_mapped(ip)) {
		struct sockaddr_in *in = (void *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, ip.b + 12, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (void *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	memcpy(&in6->sin6_addr, ip.b, 16);
	return sizeof *in6;
}

struct postern_endpoint pcpc_endpoint_of(const void *from)
{
	const struct sockaddr_in *in = from;
	const struct sockaddr_in6 *in6 = from;
	struct postern_endpoint e = {.port = 0};

	if (in->sin_family == AF_INET)
		return postern_endpoint_ip4((const void *)&in->sin_addr, ntohs(in->sin_port));
	memcpy(e.ip, &in6->sin6_addr, sizeof e.ip);
	e.port = ntohs(in6->sin6_port);
	return e;
}

// /proc/net/route prints addresses as the kernel's words: network order read as a native integer.
int pcpc_default_gateway(struct postern_endpoint *out)
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[512];
	uint32_t best = UINT32_MAX;
	int err = -ENETUNREACH;

	if (!f)
		return -errno;
	while (fgets(line, sizeof line, f)) {
		uint32_t destination, gateway, flags, metric, mask;

		if (sscanf(line,
			    "%*s %" SCNx32 " %" SCNx32 " %" SCNx32 " %*s %*s %" SCNu32 " %" SCNx32,
			    &destination, &gateway, &flags, &metric, &mask) != 5)
			continue;
		if (destination != 0 || mask != 0 || !(flags & RTF_UP) || !(flags & RTF_GATEWAY))
			continue;
		if (err == 0 && metric >= best)
			continue;
		best = metric;
		*out = postern_endpoint_ip4((const uint8_t *)&gateway, POSTERN_SERVER_PORT);
		err = 0;
	}
	fclose(f);
	return err;
}

static int bind_to(int fd, sa_family_t family, const uint8_t *source, uint16_t port)
{
	struct postern_endpoint e = {.port = port};
	struct sockaddr_storage sa = {.ss_family = family};
	socklen_t len =
		family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	if (!source) { // the port is at the same place in both
		((struct sockaddr_in *)&sa)->sin_port = htons(port);
		return bind(fd, (struct sockaddr *)&sa, len);
	}
	memcpy(e.ip, source, sizeof e.ip);
	len = to_sockaddr(&e, &sa);
	return bind(fd, (struct sockaddr *)&sa, len);
}

static int open_udp(sa_family_t family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int close_after(int fd)
{
	int err = -errno;

	close(fd);
	return err;
}

int pcpc_open(const struct postern_endpoint *server, const uint8_t *source, uint16_t port,
	struct postern_endpoint *local)
{
	struct sockaddr_storage sa;
	socklen_t len = to_sockaddr(server, &sa), got = sizeof sa;
	int fd = open_udp(sa.ss_family);

	if (fd < 0)
		return fd;
	if ((source || port != 0) && bind_to(fd, sa.ss_family, source, port) < 0)
		return close_after(fd);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		return close_after(fd);
	if (getsockname(fd, (struct sockaddr *)&sa, &got) < 0)
		return close_after(fd);
	*local = pcpc_endpoint_of(&sa);
	return fd;
}

int pcpc_open_listener(const uint8_t *source, uint16_t port, struct postern_endpoint *local)
{
	struct sockaddr_storage sa;
	socklen_t got = sizeof sa;
	sa_family_t family = AF_INET;
	int fd, on = 1;

	if (source) {
		struct postern_endpoint e = {.port = port};

		memcpy(e.ip, source, sizeof e.ip);
		to_sockaddr(&e, &sa);
		family = sa.ss_family;
	}
	fd = open_udp(family);
	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
		bind_to(fd, family, source, port) < 0 ||
		getsockname(fd, (struct sockaddr *)&sa, &got) < 0)
		return close_after(fd);
	*local = pcpc_endpoint_of(&sa);
	return fd;
}

// ---- restart announcements -------------------------------------------------------------------

static int join_ip4(int fd, const struct postern_endpoint *local)
{
	struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(INADDR_ALLHOSTS_GROUP)};

	memcpy(&group.imr_interface, local->ip + 12, 4);
	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
}

// ff02::1 needs an interface: the one that has our address.
static unsigned interface_of(const uint8_t ip[16])
{
	struct ifaddrs *list, *i;
	unsigned found = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (i = list; i && found == 0; i = i->ifa_next) {
		const struct sockaddr_in6 *in6 = (const void *)i->ifa_addr;

		if (in6 && in6->sin6_family == AF_INET6 && memcmp(&in6->sin6_addr, ip, 16) == 0)
			found = if_nametoindex(i->ifa_name);
	}
	freeifaddrs(list);
	return found;
}

static int join_ip6(int fd, const struct postern_endpoint *local)
{
	struct ipv6_mreq group = {
		.ipv6mr_multiaddr.s6_addr = {0xff, 2, [15] = 1},
		.ipv6mr_interface = interface_of(local->ip),
	};

	return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group);
}

int pcpc_open_announcements(const struct postern_endpoint *local)
{
	struct sockaddr_storage sa;
	sa_family_t family;
	int fd, on = 1;

	to_sockaddr(local, &sa);
	family = sa.ss_family;
	fd = open_udp(family);
	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
		bind_to(fd, family, NULL, POSTERN_ANNOUNCE_PORT) < 0 ||
		(family == AF_INET ? join_ip4(fd, local) : join_ip6(fd, local)) < 0)
		return close_after(fd);
	return fd;
}
