// SPDX-License-Identifier: Apache-2.0
// Servers from DHCP options (RFC 7291). What a DHCP server says is no more to be trusted than any
// other datagram: an option with a wrong length teaches nothing, and an address that cannot be a
// server's is left out (s.4 and s.5: multicast, loopback).
#include "loop.h"

#define OPTION_PCP4 158
#define OPTION_PCP6 86
#define MOST_OPTION 2048 // octets of one option's parts together

bool found_add(struct found *found, const struct postern_server *server)
{
	if (server->n_addresses == 0 || found->n == ARRAY_SIZE(found->servers))
		return false;
	for (unsigned i = 0; i < found->n; i++) {
		const struct postern_server *other = &found->servers[i];

		if (same_endpoint(&other->addresses[0], &server->addresses[0]) &&
			other->interface == server->interface)
			return false;
	}
	found->servers[found->n++] = *server;
	return true;
}

static void add_address(struct postern_server *server, const uint8_t ip[16])
{
	struct postern_endpoint *e = &server->addresses[server->n_addresses];

	if (server->n_addresses == POSTERN_ADDRESSES || !address_is_unicast(ip))
		return;
	memcpy(e->ip, ip, sizeof e->ip);
	e->port = POSTERN_SERVER_PORT;
	server->n_addresses++;
}

// A list of lists, each with its length in front: each is one server. The whole option is checked
// before any of it is believed.
static bool lists_are_whole(const uint8_t *data, size_t length)
{
	size_t at = 0;

	while (at < length && data[at] > 0 && data[at] % 4 == 0)
		at += 1 + (size_t)data[at];
	return length > 0 && at == length;
}

void leases_read_option158(
	const uint8_t *data, size_t length, uint32_t interface, struct found *found)
{
	if (!lists_are_whole(data, length))
		return;
	for (size_t at = 0; at < length; at += 1 + (size_t)data[at]) {
		struct postern_server server = {.origin = POSTERN_DHCP, .interface = interface};

		for (size_t i = 1; i < data[at]; i += 4)
			add_address(&server, postern_endpoint_ip4(data + at + i, 0).ip);
		found_add(found, &server);
	}
}

void leases_read_option86(
	const uint8_t *data, size_t length, uint32_t interface, struct found *found)
{
	struct postern_server server = {.origin = POSTERN_DHCP, .interface = interface};

	if (length == 0 || length % 16 != 0)
		return;
	for (size_t at = 0; at < length; at += 16)
		add_address(&server, data + at);
	found_add(found, &server);
}

void leases_read_options4(
	const uint8_t *octets, size_t length, uint32_t interface, struct found *found)
{
	struct reader r = {.at = octets, .end = octets + length};
	uint8_t data[MOST_OPTION];
	size_t n = 0;

	while (reader_left(&r) > 0) {
		uint8_t code = read_u8(&r), size;

		if (code == 0) // padding
			continue;
		if (code == 255)
			break;
		size = read_u8(&r);
		if (r.bad || reader_left(&r) < size)
			break;
		if (code == OPTION_PCP4 && n + size <= sizeof data) {
			read_bytes(&r, data + n, size);
			n += size;
		} else {
			r.at += size;
		}
	}
	leases_read_option158(data, n, interface, found);
}

void leases_read_options6(
	const uint8_t *octets, size_t length, uint32_t interface, struct found *found)
{
	struct reader r = {.at = octets, .end = octets + length};

	while (reader_left(&r) > 0) {
		uint16_t code = read_u16(&r), size = read_u16(&r);

		if (r.bad || reader_left(&r) < size)
			break;
		if (code == OPTION_PCP6)
			leases_read_option86(r.at, size, interface, found);
		r.at += size;
	}
}
