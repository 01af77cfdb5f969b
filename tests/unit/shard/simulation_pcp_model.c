// SPDX-License-Identifier: Apache-2.0
// The promises, and what follows from them.
#include <stdio.h>
#include <stdlib.h>

#include "simulation_pcp.h"

static const struct {
	uint8_t group;
	ip4 first;
	int n;
} blocks[] = {
	{HOMES, 0x6440000a, 1800},    // 100.64.0.10
	{OFFICES, 0x6442000a, 900},   // 100.66.0.10
	{POOR, 0x6443000a, 300},      // 100.67.0.10
	{HOMES, 0x6445000a, PORTALS}, // 100.69.0.10: strangers
};

const char *crowd_text(const struct crowd *c)
{
	static char text[4000];
	static const unsigned homes[] = {1, 2, 3, 4, 5, 6};
	char pool[200];
	size_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(homes); i++) {
		if (c->pool >> homes[i] & 1)
			n += (size_t)snprintf(pool + n, sizeof pool - n, "%s203.0.113.%u",
				n > 0 ? ", " : "", homes[i]);
	}
	snprintf(text, sizeof text,
		"workers: %u\n"
		"ports:\n"
		"  inside: { device: a, addresses: [100.64.0.1/10] }\n"
		"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"
		"limits: { mappings: 32k, leases: 15000, filters: 4500, subscribers: 4500,\n"
		"  external-addresses: 14, new-subscriber-rate: 1000000,\n"
		"  new-subscriber-burst: 1000000 }\n"
		"nat-groups:\n"
		"  homes:\n"
		"    subscribers: [100.64.0.0/16]\n"
		"    external-address-pool: [%s]\n"
		"    port-set-size: 32\n"
		"    pcp: { listen: [198.18.0.1], mappings-per-subscriber: %u,\n"
		"      filters-per-mapping: %u, third-party: { sources: [100.69.0.0/24] } }\n"
		"  offices:\n"
		"    subscribers: [100.66.0.0/16]\n"
		"    external-address-pool: [203.0.113.8%s, 203.0.113.10, 203.0.113.11]\n"
		"    port-set-size: 32\n"
		"    pcp: { listen: [198.18.0.2], mappings-per-subscriber: %u,\n"
		"      filters-per-mapping: %u }\n"
		"  poor:\n" // blocks for a few of them
		"    subscribers: [100.67.0.0/16]\n"
		"    external-address-pool: [203.0.113.12]\n"
		"    port-set-size: 512\n"
		"    port-range: [1024, 31743]\n"
		"    pcp: { listen: [198.18.0.3], mappings-per-subscriber: %u,\n"
		"      filters-per-mapping: %u }\n",
		c->n_workers, pool, QUOTA, FILTERS_EACH, c->pool >> 9 & 1 ? ", 203.0.113.9" : "",
		QUOTA, FILTERS_EACH, QUOTA, FILTERS_EACH);
	return text;
}

void crowd_open(struct crowd *c, uint64_t seed, unsigned n_workers)
{
	int at = 0;

	memset(c, 0, sizeof *c);
	rng_init_u64(&c->rng, seed * 64 + n_workers);
	c->n_workers = n_workers;
	c->pool = 0x7e | 1 << 9;
	c->at = calloc(16 * 2 << 16, sizeof *c->at);
	if (c->at == NULL)
		world_die("no memory");
	for (unsigned b = 0; b < ARRAY_SIZE(blocks); b++) {
		for (int i = 0; i < blocks[b].n; i++)
			c->parties[at++] = (struct party){
				.address = blocks[b].first + (ip4)i, .group = blocks[b].group};
	}
	if (at != CLIENTS)
		world_die("the blocks hold %d clients", at);
	world_open(&c->w, crowd_text(c));
	c->now_s = WORLD_START_S;
	for (unsigned g = 0; g < GROUPS; g++)
		c->base_s[g] = c->now_s;
	world_keep(&c->w, CROWD_SENT);
}

void crowd_close(struct crowd *c)
{
	world_close(&c->w);
	free(c->at);
}

// ---- who and where ---------------------------------------------------------------------------

int crowd_party(ip4 address)
{
	int first = 0;

	for (unsigned b = 0; b < ARRAY_SIZE(blocks); b++) {
		uint32_t at = address - blocks[b].first;

		if (at < (uint32_t)blocks[b].n)
			return first + (int)at;
		first += blocks[b].n;
	}
	return NOBODY;
}

int crowd_endpoint(ip4 host, uint8_t protocol, uint16_t port)
{
	int i = crowd_party(host);

	if (i < 0 || i >= HOSTS || (protocol != IP_UDP && protocol != IP_TCP) ||
		port < FIRST_PORT || port >= FIRST_PORT + PORTS_EACH)
		return NOBODY;
	return (i * 2 + (protocol == IP_TCP)) * PORTS_EACH + port - FIRST_PORT;
}

static int32_t *place(const struct crowd *c, uint8_t protocol, struct recipe ext)
{
	uint32_t a = ext.addr - POOL;

	if (a >= 16)
		world_die("an external address of no pool");
	return &c->at[(a * 2 + (protocol == IP_TCP)) << 16 | ext.port];
}

bool crowd_has_map(const struct crowd *c, int endpoint)
{
	return c->endpoints[endpoint].map_s >= c->now_s;
}

static bool has_peer(const struct crowd *c, int endpoint, int remote)
{
	return c->endpoints[endpoint].peer_s[remote] >= c->now_s;
}

bool crowd_holds(const struct crowd *c, int endpoint)
{
	bool holds = crowd_has_map(c, endpoint);

	for (int r = 0; r < REMOTES; r++)
		holds |= has_peer(c, endpoint, r);
	return holds;
}

static bool stands_at(const struct endpoint *e, struct recipe ext)
{
	return e->ext.addr == ext.addr && e->ext.port == ext.port;
}

int crowd_at(const struct crowd *c, uint8_t protocol, struct recipe ext)
{
	int endpoint = *place(c, protocol, ext) - 1;

	return endpoint >= 0 && crowd_holds(c, endpoint) && stands_at(&c->endpoints[endpoint], ext)
		       ? endpoint
		       : NOBODY;
}

unsigned crowd_ports(const struct crowd *c, int host)
{
	unsigned n = 0;

	for (int e = host * 2 * PORTS_EACH; e < (host + 1) * 2 * PORTS_EACH; e++) {
		n += crowd_has_map(c, e);
		for (int r = 0; r < REMOTES; r++)
			n += has_peer(c, e, r);
	}
	return n;
}

// ---- promises --------------------------------------------------------------------------------

static bool is_his_group(const struct crowd *c, int host, ip4 addr)
{
	uint32_t a = addr - POOL;
	uint8_t group = c->parties[host].group;

	if (a == 12)
		return group == POOR;
	return a >= 8 ? group == OFFICES : group == HOMES;
}

static void settle(struct crowd *c, int endpoint, struct recipe ext)
{
	struct endpoint *e = &c->endpoints[endpoint];
	int other = crowd_at(c, protocol_of(endpoint), ext);

	if (crowd_holds(c, endpoint) && !stands_at(e, ext))
		world_die("endpoint %d is promised another pair while it has one", endpoint);
	if (other != NOBODY && other != endpoint)
		world_die("endpoints %d and %d are promised one pair", endpoint, other);
	if (!is_his_group(c, host_of(endpoint), ext.addr))
		world_die("endpoint %d is promised an address of another group", endpoint);
	e->ext = ext;
	c->parties[host_of(endpoint)].served = true;
	*place(c, protocol_of(endpoint), ext) = endpoint + 1;
}

static bool nonce_is_wrong(const struct crowd *c, int endpoint, const struct promise *p)
{
	const struct endpoint *e = &c->endpoints[endpoint];

	return crowd_has_map(c, endpoint) && e->has_nonce &&
	       (!p->has_nonce || !pcp_nonce_eq(e->nonce, p->nonce));
}

// The same FILTER again, as when a datagram comes twice, is the one that is there.
static bool has_filter(const struct endpoint *e, const struct pcp_filter *f)
{
	bool has = false;

	for (unsigned i = 0; i < e->n_filters; i++)
		has |= e->filters[i].prefix == f->prefix && e->filters[i].port == f->port &&
		       ip6_eq(e->filters[i].address, f->address);
	return has;
}

static void apply_filters(struct endpoint *e, bool was, const struct pcp_filter *filters, size_t n)
{
	size_t i = n;

	while (i > 0 && filters[i - 1].prefix != 0) // what stands before a clearing never was
		i--;
	if (!was || i > 0)
		e->n_filters = 0;
	for (; i < n; i++) {
		if (has_filter(e, &filters[i]))
			continue;
		if (e->n_filters == FILTERS_EACH)
			world_die("more filters were granted than a mapping may have");
		e->filters[e->n_filters++] = filters[i];
	}
}

static bool is_leaving(const struct crowd *c, struct recipe ext)
{
	uint32_t a = ext.addr - POOL;

	return a < 16 && c->leaves >> a & 1;
}

static void promise_one(struct crowd *c, const struct promise *p, uint16_t i,
	const struct pcp_filter *filters, size_t n_filters)
{
	int endpoint = crowd_endpoint(p->host, p->protocol, (uint16_t)(p->port + i));
	struct recipe ext = {p->ext.addr, (uint16_t)(p->ext.port + i)};
	struct endpoint *e;
	bool was;

	if (endpoint == NOBODY)
		return;
	e = &c->endpoints[endpoint];
	if (nonce_is_wrong(c, endpoint, p))
		world_die("endpoint %d is renewed with another's nonce", endpoint);
	if (is_leaving(c, ext)) { // what it is to have is told when it moves
		e->vague_s = max_u32(e->vague_s, c->now_s + p->lifetime_s);
		return;
	}
	was = crowd_has_map(c, endpoint);
	settle(c, endpoint, ext);
	if (was && e->client == OPERATOR && p->client != OPERATOR)
		return; // he is told of it, and changes nothing
	apply_filters(e, was, filters, n_filters);
	e->map_s = c->now_s + p->lifetime_s;
	if (e->vague_s >= c->now_s)
		e->vague_s = max_u32(e->vague_s, e->map_s);
	e->has_nonce = p->has_nonce && e->vague_s < c->now_s;
	e->nonce = p->nonce;
	e->client = e->vague_s < c->now_s ? p->client : NOBODY;
	e->first = p->port;
	e->n = p->n;
	e->open_s = max_u32(e->open_s, e->map_s + 3);
}

static void check_quota(const struct crowd *c, ip4 host)
{
	int i = crowd_party(host);

	if (i != NOBODY && i < HOSTS && crowd_ports(c, i) > QUOTA)
		world_die("host %d is promised more than its quota", i);
}

// An endpoint that is promised as part of the mapping which has this port; spoilt requests may name
// one beyond those that are used here.
static int part_of(const struct crowd *c, const struct promise *p, uint32_t port)
{
	for (uint16_t i = 0; i < PORTS_EACH; i++) {
		int e = crowd_endpoint(p->host, p->protocol, (uint16_t)(FIRST_PORT + i));

		if (e != NOBODY && crowd_has_map(c, e) && port >= c->endpoints[e].first &&
			port < (uint32_t)c->endpoints[e].first + c->endpoints[e].n)
			return e;
	}
	return NOBODY;
}

// RFC 7753 s.4.4.1: a set is one mapping. Whoever renews one of its ports renews them all.
static struct promise whole_set(const struct crowd *c, const struct promise *p)
{
	int endpoint = part_of(c, p, p->port);
	struct promise whole = *p;

	if (endpoint == NOBODY || p->n > 1)
		return whole;
	whole.port = c->endpoints[endpoint].first;
	whole.n = c->endpoints[endpoint].n;
	whole.ext.port = (uint16_t)(p->ext.port - (p->port - whole.port));
	return whole;
}

void crowd_promise(struct crowd *c, const struct promise *p, const struct pcp_filter *filters,
	size_t n_filters)
{
	struct promise whole = whole_set(c, p);

	for (uint16_t i = 0; i < whole.n; i++)
		promise_one(c, &whole, i, filters, n_filters);
	check_quota(c, p->host);
}

void crowd_promise_peer(struct crowd *c, const struct promise *p, int remote)
{
	int endpoint = crowd_endpoint(p->host, p->protocol, p->port);
	uint32_t end_s = c->now_s + p->lifetime_s;
	struct endpoint *e;

	if (endpoint == NOBODY || is_leaving(c, p->ext))
		return;
	e = &c->endpoints[endpoint];
	settle(c, endpoint, p->ext);
	e->open_s = max_u32(e->open_s, end_s + 3);
	if (remote == NOBODY) // octets that nobody meant: nobody counts on it
		return;
	if (has_peer(c, endpoint, remote) && end_s < e->peer_s[remote])
		world_die("a PEER made endpoint %d's life shorter", endpoint);
	if (p->lifetime_s > 0) {
		e->peer_s[remote] = end_s;
		e->peer_client[remote] = p->client;
	}
	check_quota(c, p->host);
}

static void end_map(struct crowd *c, int endpoint)
{
	c->endpoints[endpoint].map_s = 0;
	c->endpoints[endpoint].n_filters = 0;
}

// The whole set of which the endpoint is one.
static void return_set(struct crowd *c, int endpoint)
{
	struct endpoint one = c->endpoints[endpoint];
	ip4 host = c->parties[host_of(endpoint)].address;

	if (!crowd_has_map(c, endpoint))
		return;
	for (uint16_t i = 0; i < one.n; i++) {
		int e = crowd_endpoint(host, protocol_of(endpoint), (uint16_t)(one.first + i));

		if (e != NOBODY && c->endpoints[e].first == one.first)
			end_map(c, e);
	}
}

void crowd_return(struct crowd *c, const struct promise *p)
{
	for (uint16_t i = 0; i < p->n; i++) {
		int e = part_of(c, p, (uint32_t)p->port + i);

		if (e == NOBODY)
			continue;
		if (nonce_is_wrong(c, e, p))
			world_die("endpoint %d is deleted with another's nonce", e);
		if (c->endpoints[e].client == OPERATOR)
			world_die("endpoint %d, the operator's, is deleted by a client", e);
		return_set(c, e);
	}
}

void crowd_forget(struct crowd *c, int endpoint)
{
	return_set(c, endpoint);
	end_map(c, endpoint);
	memset(c->endpoints[endpoint].peer_s, 0, sizeof c->endpoints[endpoint].peer_s);
}

static void lost_by(struct crowd *c, int client)
{
	if (client < 0)
		return;
	c->parties[client].lost_s = c->parties[client].may_s = c->now_s;
}

void crowd_lose(struct crowd *c, int endpoint)
{
	struct endpoint *e = &c->endpoints[endpoint];

	c->parties[host_of(endpoint)].may_s = c->now_s;
	if (crowd_has_map(c, endpoint))
		lost_by(c, e->client);
	for (int r = 0; r < REMOTES; r++) {
		if (has_peer(c, endpoint, r))
			lost_by(c, e->peer_client[r]);
	}
	crowd_forget(c, endpoint);
}

// ---- what is heard and seen ------------------------------------------------------------------

// The Epoch tells an age. It must not be more than that of the last loss, nor less than that of
// anything that may have been one.
void crowd_hear_epoch(struct crowd *c, int client, uint32_t epoch_s)
{
	const struct party *p = &c->parties[client];
	uint32_t base_s = c->base_s[p->group];
	uint32_t most_s = c->now_s - max_u32(base_s, p->lost_s) + 1;
	uint32_t least_s = c->now_s - max_u32(base_s, p->may_s);

	if (c->leaves != 0) // each loses it in his turn
		return;
	if (epoch_s > most_s)
		world_die("client %d lost state %u s ago and reads an Epoch of %u", client,
			most_s - 1, epoch_s);
	if (epoch_s + 1 < least_s)
		world_die("now %u may %u base %u lost %u: client %d (%u) lost nothing for %u s and "
			  "reads an Epoch of %u",
			c->now_s, p->may_s, base_s, p->lost_s, client, p->group, least_s, epoch_s);
}

void crowd_seen_outside(struct crowd *c, int endpoint, struct recipe ext)
{
	int other = crowd_at(c, protocol_of(endpoint), ext);

	if (crowd_holds(c, endpoint) && !stands_at(&c->endpoints[endpoint], ext))
		world_die("endpoint %d leaves with another pair than it was promised", endpoint);
	if (other != NOBODY && other != endpoint)
		world_die("endpoint %d leaves with the pair of endpoint %d", endpoint, other);
	// RFC 5382 REQ-5: 2 h 4 min; sweeps come when they come.
	c->endpoints[endpoint].open_s = c->now_s + 8000;
}
