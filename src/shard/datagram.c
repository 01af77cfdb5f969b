// SPDX-License-Identifier: Apache-2.0
// Datagrams that no packet asked for, or that one packet's buffer cannot hold: from the sink.
#include <postern/shard.h>

#include "world.h"

struct pkt *datagram_open(struct shard *s, const struct conf *c, const struct datagram *d,
	const struct shard_sink *sink)
{
	struct pkt way = {.dst = d->to}, *p;

	if (!route(c, d->realm, &way))
		return NULL;
	p = sink->alloc(sink->ctx);
	if (p == NULL) {
		s->counters.drops[DROP_NO_BUFFER]++;
		return NULL;
	}
	p->next_hop = way.next_hop;
	p->via = way.via;
	p->iface = c->next_hops[way.next_hop].iface;
	return p;
}

uint8_t *datagram_payload(struct pkt *p)
{
	return p->l3 + sizeof(struct ip4_wire) + sizeof(struct udp_wire);
}

void datagram_send(
	struct pkt *p, const struct datagram *d, size_t payload_len, const struct shard_sink *sink)
{
	xlat_udp_make(p, d->from, d->sport, d->to, d->dport, d->ttl, payload_len);
	sink->send(sink->ctx, p);
}

// The address of an interface that a host behind it calls its gateway.
static ip4 gateway_for(const struct conf_interface *in, ip4 host)
{
	for (uint16_t i = 0; i < in->n_addresses; i++) {
		if (!((in->addresses[i].ip ^ host) & prefix4_mask(in->addresses[i].bits)))
			return in->addresses[i].ip;
	}
	return in->n_addresses > 0 ? in->addresses[0].ip : 0;
}

bool datagram_is_served(const struct conf *c, const struct conf_group *g, uint8_t realm, ip4 server)
{
	const struct conf_local *local = conf_find_local(c, realm, server);

	if (local == NULL)
		return false;
	switch (local->kind) {
	case CONF_LOCAL_LISTEN:
		return local->index == g->id;
	case CONF_LOCAL_ANYCAST:
		return g->listen_anycast;
	case CONF_LOCAL_INTERFACE:
		return g->listen_gateway && local->realm == realm;
	default:
		return false;
	}
}

// A client listens to the address that he asked (RFC 6887 s.8.3). Of one whom this shard does not
// know, or forgot, nobody can say which that was: the first listen address speaks, and in groups
// without one the gateway, or the anycast address where that is the only one.
static ip4 speaker(const struct shard *s, const struct conf *c, const struct conf_group *g,
	uint8_t realm, ip4 client)
{
	const struct server_client *known = server_client_find(s->clients, realm, client);
	struct pkt way = {.dst = client};
	ip4 gateway = 0;

	if (known != NULL && datagram_is_served(c, g, realm, known->server))
		return known->server;
	if (g->n_listen > 0)
		return g->listen[0];
	if (g->listen_gateway && route(c, realm, &way))
		gateway = gateway_for(&c->interfaces[c->next_hops[way.next_hop].iface], client);
	return gateway == 0 && g->listen_anycast ? CONF_ANYCAST : gateway;
}

bool datagram_to_client(const struct shard *s, const struct conf *c, uint32_t group, uint8_t realm,
	ip4 client, uint16_t port, struct datagram *d)
{
	const struct conf_group *g = &c->groups[group];

	if (!g->used || !g->pcp.enabled || port == 0)
		return false;
	*d = (struct datagram){.from = speaker(s, c, g, realm, client),
		.sport = g->pcp_port,
		.to = client,
		.dport = port,
		.realm = realm,
		.ttl = 64};
	return d->from != 0;
}
