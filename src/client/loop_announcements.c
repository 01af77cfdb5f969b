// SPDX-License-Identifier: Apache-2.0
// Announcements to every host of a link (RFC 6887 s.14.1.3, RFC 6886 s.3.2.1). The kernel is a
// member of 224.0.0.1 and ff02::1 on each interface by itself, and gives a datagram to every socket
// bound to the port with SO_REUSEADDR: so several programs listen on one host, on all interfaces.
#include <errno.h>
#include <unistd.h>

#include "loop.h"

static const uint8_t all_hosts4[16] = {[10] = 0xff, [11] = 0xff, 224, 0, 0, 1};
static const uint8_t all_hosts6[16] = {0xff, 2, [15] = 1};

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value);
}

// The IPv4 socket is bound to the group itself and so takes nobody's unicast; ff02::1 would need an
// interface for that, so the IPv6 socket is bound to all addresses and asks what each was sent to.
static int bind_to_group(int fd, bool six)
{
	struct postern_endpoint e = {.port = POSTERN_ANNOUNCE_PORT};
	struct sockaddr_storage sa;
	socklen_t length;

	if (!six)
		memcpy(e.ip, all_hosts4, sizeof e.ip);
	length = address_to_socket(&e, 0, &sa);
	if (six && (set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0 ||
			   set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) < 0))
		return -errno;
	if (!six && set(fd, IPPROTO_IP, IP_PKTINFO, 1) < 0)
		return -errno;
	if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
		bind(fd, (struct sockaddr *)&sa, length) < 0)
		return -errno;
	return 0;
}

int announcements_open(bool six)
{
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = bind_to_group(fd, six);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

// The interface it came in by; 0 when it was not sent to all hosts.
static uint32_t interface_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct in6_pktinfo six;
		struct in_pktinfo four;

		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&six, CMSG_DATA(c), sizeof six);
			return memcmp(&six.ipi6_addr, all_hosts6, 16) == 0 ? six.ipi6_ifindex : 0;
		}
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&four, CMSG_DATA(c), sizeof four);
			return (uint32_t)four.ipi_ifindex;
		}
	}
	return 0;
}

// fe80::1 is somebody else on each link.
static bool is_heard_where_it_lives(
	const struct postern_loop *loop, const uint8_t from[16], uint32_t interface)
{
	if (!address_is_link_local(from))
		return true;
	for (unsigned i = 0; i < MOST_SERVERS; i++) {
		const struct loop_server *s = &loop->servers[i];

		for (unsigned j = 0; s->used && j < s->as.n_addresses; j++)
			if (s->as.interface == interface &&
				memcmp(s->as.addresses[j].ip, from, 16) == 0)
				return true;
	}
	return false;
}

void announcements_receive(struct postern_loop *loop, int fd, ns now)
{
	bool six = fd == loop->announcements[1];
	struct postern_endpoint to = {.port = POSTERN_ANNOUNCE_PORT};
	uint8_t octets[POSTERN_DATAGRAM + 1];
	_Alignas(struct cmsghdr) uint8_t control[256];
	struct sockaddr_storage sa;

	memcpy(to.ip, six ? all_hosts6 : all_hosts4, sizeof to.ip);
	for (;;) {
		struct iovec io = {.iov_base = octets, .iov_len = sizeof octets};
		struct msghdr msg = {.msg_name = &sa,
			.msg_namelen = sizeof sa,
			.msg_iov = &io,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control};
		ssize_t n = recvmsg(fd, &msg, 0);
		struct postern_endpoint from;
		uint32_t interface;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		from = address_of_socket(&sa);
		interface = interface_of(&msg);
		if (interface != 0 && is_heard_where_it_lives(loop, from.ip, interface))
			postern_client_receive(loop->client, now, &from, &to, octets, (size_t)n);
	}
}
