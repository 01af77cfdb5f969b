// SPDX-License-Identifier: Apache-2.0
// Which servers there are (configured ones; otherwise, for each family, those of DHCP; otherwise
// its default routers, RFC 6887 s.8.1), and from which of our addresses each is asked.
#include <errno.h>

#include "loop.h"

static const uint8_t anycast[2][16] = {
	// RFC 7723; IPv6 first
	{0x20, 0x01, 0x00, 0x01, [15] = 1},
	{[10] = 0xff, [11] = 0xff, 192, 0, 0, 9},
};

// ---- sources ---------------------------------------------------------------------------------

static bool is_same_family(const uint8_t a[16], const uint8_t b[16])
{
	return ip6_is_mapped(ip_of(a)) == ip6_is_mapped(ip_of(b));
}

// What the kernel would send from now: only a fresh connect() asks the routes.
static struct loop_socket *probe(
	struct postern_loop *loop, const struct postern_endpoint *to, uint32_t interface)
{
	const uint8_t *source = loop->options.source;

	if (source && !is_same_family(source, to->ip))
		source = NULL;
	return sockets_open(loop, to, interface, source);
}

static void retire(struct postern_loop *loop, const struct postern_endpoint *to, uint32_t interface,
	const uint8_t source[16], ns now)
{
	struct loop_socket *s = sockets_find(loop, to, interface, source);

	if (s)
		s->idle_since = now;
}

static void look_for_source(struct postern_loop *loop, struct loop_server *s, unsigned i, ns now)
{
	const struct postern_endpoint *to = &s->as.addresses[i];
	struct loop_socket *fresh = probe(loop, to, s->as.interface), *old = NULL;
	bool still_ours = false;

	if (s->sources[i].known)
		for (old = loop->sockets; old; old = old->next)
			if (old != fresh && same_endpoint(&old->to, to) &&
				old->interface == s->as.interface &&
				memcmp(old->source, s->sources[i].ip, 16) == 0)
				break;
	if (fresh && old && memcmp(fresh->source, old->source, 16) == 0) {
		old->idle_since = NEVER; // its port is the one that the server knows
		sockets_close(loop, fresh);
		return;
	}
	if (!fresh && !s->sources[i].known)
		return;
	if (s->sources[i].known) {
		still_ours = sockets_has_address(loop, s->sources[i].ip);
		retire(loop, to, s->as.interface, s->sources[i].ip, now);
	}
	if (fresh)
		memcpy(s->sources[i].ip, fresh->source, 16);
	s->sources[i].known = fresh != NULL;
	postern_client_source(
		loop->client, s->id, i, fresh ? fresh->source : NULL, still_ours, now);
}

static void look_for_sources(struct postern_loop *loop, ns now)
{
	for (unsigned n = 0; n < MOST_SERVERS; n++) {
		struct loop_server *s = &loop->servers[n];
		struct postern_server_fact fact;

		for (unsigned i = 0; s->used && i < s->as.n_addresses; i++)
			look_for_source(loop, s, i, now);
		if (s->used && postern_client_server(loop->client, s->id, &fact) && fact.has_source)
			memory_teach(loop, &s->as, now); // the engine can understand it now
	}
}

// ---- servers ---------------------------------------------------------------------------------

static struct loop_server *find(struct postern_loop *loop, const struct postern_server *as)
{
	for (unsigned i = 0; i < MOST_SERVERS; i++) {
		struct loop_server *s = &loop->servers[i];

		if (s->used && s->as.interface == as->interface &&
			s->as.n_addresses == as->n_addresses &&
			memcmp(s->as.addresses, as->addresses,
				as->n_addresses * sizeof as->addresses[0]) == 0)
			return s;
	}
	return NULL;
}

static int add(struct postern_loop *loop, const struct postern_server *as, ns now)
{
	struct loop_server *s = loop->servers;
	int id;

	if (find(loop, as))
		return 0;
	while (s < loop->servers + MOST_SERVERS && s->used)
		s++;
	if (s == loop->servers + MOST_SERVERS)
		return -ENOSPC;
	id = postern_client_add_server(loop->client, as, now);
	if (id < 0)
		return id;
	*s = (struct loop_server){.used = true, .id = id, .as = *as};
	return 0;
}

static void drop(struct postern_loop *loop, struct loop_server *s, ns now)
{
	for (struct loop_socket *socket = loop->sockets, *next; socket; socket = next) {
		next = socket->next;
		for (unsigned i = 0; i < s->as.n_addresses; i++)
			if (same_endpoint(&socket->to, &s->as.addresses[i]) &&
				socket->interface == s->as.interface) {
				sockets_close(loop, socket);
				break;
			}
	}
	postern_client_remove_server(loop->client, s->id, now);
	s->used = false;
}

static bool has(const struct found *wanted, const struct postern_server *as)
{
	for (unsigned i = 0; i < wanted->n; i++)
		if (wanted->servers[i].interface == as->interface &&
			wanted->servers[i].n_addresses == as->n_addresses &&
			memcmp(wanted->servers[i].addresses, as->addresses,
				as->n_addresses * sizeof as->addresses[0]) == 0)
			return true;
	return false;
}

static bool has_family(const struct found *wanted, const struct postern_server *as)
{
	for (unsigned i = 0; i < wanted->n; i++)
		if (is_same_family(wanted->servers[i].addresses[0].ip, as->addresses[0].ip))
			return true;
	return false;
}

// A link that is down for a moment has no router; its mappings are not lost yet. So a server goes
// only when another of its family takes its place.
static void drop_replaced(struct postern_loop *loop, const struct found *wanted, ns now)
{
	for (unsigned i = 0; i < MOST_SERVERS; i++) {
		struct loop_server *s = &loop->servers[i];

		if (s->used && s->as.origin != POSTERN_ANYCAST && !has(wanted, &s->as) &&
			has_family(wanted, &s->as))
			drop(loop, s, now);
	}
}

// DHCP for one family says nothing about the NAT or firewall of the other one.
static void add_routers(const struct routers *routers, struct found *wanted)
{
	const struct found dhcp = *wanted;

	for (unsigned i = 0; i < routers->n; i++) {
		const struct router *r = &routers->list[i];
		struct postern_server server = {.origin = POSTERN_ROUTER, .n_addresses = 1};

		memcpy(server.addresses[0].ip, r->ip.b, sizeof r->ip.b);
		server.addresses[0].port = POSTERN_SERVER_PORT;
		server.interface = r->interface;
		if (!has_family(&dhcp, &server))
			found_add(wanted, &server);
	}
}

static void want(struct postern_loop *loop, struct found *wanted)
{
	const struct postern_loop_options *o = &loop->options;

	*wanted = loop->configured;
	if (loop->configured.n > 0)
		return;
	if (!o->no_dhcp)
		leases_find(o->lease_files, time(NULL), wanted);
	if (!o->no_routers)
		add_routers(&loop->routers, wanted);
}

static bool same_routers(const struct routers *a, const struct routers *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (!ip6_eq(a->list[i].ip, b->list[i].ip) ||
			a->list[i].interface != b->list[i].interface)
			return false;
	return true;
}

int servers_look(struct postern_loop *loop, ns now)
{
	struct routers routers;
	struct found wanted;
	int error = routes_read(&routers);
	bool moved;

	loop->look_at = now + LOOK_AGAIN;
	if (error < 0)
		return error;
	routes_sort(&routers, loop->options.ip4_first);
	moved = !same_routers(&routers, &loop->routers);
	loop->routers = routers;
	want(loop, &wanted);
	drop_replaced(loop, &wanted, now);
	if (moved) // those that stay may be others by this way, as an anycast one
		postern_client_moved(loop->client, now);
	for (unsigned i = 0; i < wanted.n; i++) {
		error = add(loop, &wanted.servers[i], now);
		// DHCP may name what cannot be a server; and more than there is room for.
		if (error == -ENOMEM || (error < 0 && loop->configured.n > 0))
			return error;
	}
	servers_look_for_anycast(loop, now);
	look_for_sources(loop, now);
	return 0;
}

// ---- anycast ---------------------------------------------------------------------------------

static bool has_hope(const struct postern_loop *loop, const uint8_t family[16])
{
	for (unsigned i = 0; i < MOST_SERVERS; i++) {
		const struct loop_server *s = &loop->servers[i];
		struct postern_server_fact fact;

		if (s->used && is_same_family(s->as.addresses[0].ip, family) &&
			postern_client_server(loop->client, s->id, &fact) && !fact.gone)
			return true;
	}
	return false;
}

// The NAT behind the anycast address may be the very one that a router of the list speaks for, and
// would refuse a second nonce for the same port: so it is asked only where no other server is, or
// where all are silent (RFC 7723 s.4: after the default routers).
void servers_look_for_anycast(struct postern_loop *loop, ns now)
{
	if (!loop->options.anycast || loop->configured.n > 0)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(anycast); i++) {
		struct postern_server server = {.origin = POSTERN_ANYCAST, .n_addresses = 1};

		if (has_hope(loop, anycast[i]))
			continue;
		memcpy(server.addresses[0].ip, anycast[i], 16);
		server.addresses[0].port = POSTERN_SERVER_PORT;
		if (!find(loop, &server) && add(loop, &server, now) == 0)
			loop->look_at = now; // for its source
	}
}
