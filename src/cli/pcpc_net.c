// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_link_local(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

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

static int open_on(sa_family_t family, uint32_t interface)
{
	int fd = open_udp(family), index = (int)interface;

	// A server belongs to the interface it was found on. Kernels before 5.7 let only root say
	// so; the routes decide there.
	if (fd >= 0 && interface != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index);
	return fd;
}

static int connect_to(int fd, const struct postern_endpoint *to, uint32_t interface,
	struct postern_endpoint *local)
{
	struct sockaddr_storage sa;
	socklen_t len = to_sockaddr(to, &sa), got = sizeof sa;

	if (is_link_local(to->ip))
		((struct sockaddr_in6 *)&sa)->sin6_scope_id = interface;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&sa, &got) < 0)
		return -errno;
	*local = pcpc_endpoint_of(&sa);
	return 0;
}

int pcpc_open(const struct postern_endpoint *server, uint32_t interface, const uint8_t *source,
	uint16_t port, struct postern_endpoint *local)
{
	struct sockaddr_storage sa;
	uint8_t beyond[16];
	int fd, err, on = 1;

	to_sockaddr(server, &sa);
	if (!source && is_link_local(server->ip) && postern_source_beyond(interface, beyond) == 0)
		source = beyond;
	fd = open_on(sa.ss_family, interface);
	if (fd < 0)
		return fd;
	// The same port goes to several servers, and is looked up anew while the old one is open.
	if (port != 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return close_after(fd);
	if ((source || port != 0) && bind_to(fd, sa.ss_family, source, port) < 0)
		return close_after(fd);
	err = connect_to(fd, server, interface, local);
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

bool pcpc_is_ours(const uint8_t ip[16])
{
	struct postern_endpoint e = {.port = 0};
	struct sockaddr_storage sa;
	bool ours;
	int fd;

	if (is_link_local(ip)) // of which interface is not known any more
		return false;
	memcpy(e.ip, ip, sizeof e.ip);
	to_sockaddr(&e, &sa);
	fd = open_udp(sa.ss_family);
	if (fd < 0)
		return false;
	ours = bind_to(fd, sa.ss_family, ip, 0) == 0;
	close(fd);
	return ours;
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
