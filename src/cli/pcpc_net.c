// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
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

static int bind_to(int fd, const uint8_t *source)
{
	struct postern_endpoint e = {.port = 0};
	struct sockaddr_storage sa;
	socklen_t len;

	memcpy(e.ip, source, sizeof e.ip);
	len = to_sockaddr(&e, &sa);
	return bind(fd, (struct sockaddr *)&sa, len);
}

int pcpc_open(const struct postern_endpoint *server, const uint8_t *source,
	struct postern_endpoint *local)
{
	struct sockaddr_storage sa;
	socklen_t len = to_sockaddr(server, &sa), got = sizeof sa;
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	if (source && bind_to(fd, source) < 0)
		goto fail;
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		goto fail;
	if (getsockname(fd, (struct sockaddr *)&sa, &got) < 0)
		goto fail;
	*local = pcpc_endpoint_of(&sa);
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

int pcpc_open_announcements(const struct postern_endpoint *local)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(POSTERN_ANNOUNCE_PORT)};
	struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(INADDR_ALLHOSTS_GROUP)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	memcpy(&group.imr_interface, local->ip + 12, 4);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
		bind(fd, (struct sockaddr *)&any, sizeof any) < 0 ||
		setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}
