// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include "loop.h"

socklen_t address_to_socket(
	const struct postern_endpoint *e, uint32_t interface, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *in6 = (void *)out;

	memset(out, 0, sizeof *out);
	if (ip6_is_mapped(ip_of(e->ip))) {
		struct sockaddr_in *in = (void *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->ip + 12, 4);
		return sizeof *in;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	memcpy(&in6->sin6_addr, e->ip, 16);
	if (address_is_link_local(e->ip))
		in6->sin6_scope_id = interface;
	return sizeof *in6;
}

struct postern_endpoint address_of_socket(const struct sockaddr_storage *from)
{
	const struct sockaddr_in *in = (const void *)from;
	const struct sockaddr_in6 *in6 = (const void *)from;
	struct postern_endpoint e = {.port = 0};

	if (from->ss_family == AF_INET)
		return postern_endpoint_ip4((const void *)&in->sin_addr, ntohs(in->sin_port));
	memcpy(e.ip, &in6->sin6_addr, sizeof e.ip);
	e.port = ntohs(in6->sin6_port);
	return e;
}

bool address_is_link_local(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

bool address_is_unicast(const uint8_t octets[16])
{
	ip6 ip = ip_of(octets), one = {{[15] = 1}};

	if (ip6_is_mapped(ip)) // 0/8, 127/8, and all from 224 on
		return ip.b[12] != 0 && ip.b[12] != 127 && ip.b[12] < 224;
	return ip.b[0] != 0xff && !ip6_eq(ip, one) && !is_any_ip(ip);
}
