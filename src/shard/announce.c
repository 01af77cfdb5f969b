// SPDX-License-Identifier: Apache-2.0
// Unsolicited ANNOUNCE (RFC 6887 s.14.1, RFC 6886 s.3.2.1). To everybody: by multicast, told from
// each address at which a group's server listens, on every inside interface that has subscribers of
// the group, ten times with the gap doubled each time; worker 0 does it for all. To each client
// that is known, or to each that lost something and does not know: once, by every worker to its
// own, so many a second.
#include <postern/shard.h>

#include "world.h"

#define ALL_HOSTS ((ip4)0xe0000001) // 224.0.0.1
#define FIRST_GAP (250 * NS_PER_MS)

enum {
	SENDS = 10,
	DATAGRAMS_A_STEP = 32,
	CLIENTS_A_STEP = 64,
	SOURCES = CONF_MAX_ADDRESSES + CONF_MAX_LISTEN + 1, // on an interface
	LINK_TTL = 1
};

// ---- multicast -------------------------------------------------------------------------------

static bool has_subscribers(const struct conf *c, uint8_t realm, uint32_t group)
{
	return c->groups_of[realm] >> group & 1;
}

// A NAT-PMP announcement tells the one external address; a group with several has none to tell.
// reconcile.c found it; what it found under an older snapshot may be another group's by now.
static ip4 only_external(const struct shard *s, const struct conf *c, uint32_t group)
{
	ip4 ip = s->announce.external[group];
	const struct conf_local *local = conf_find_local(c, 0, ip);

	if (c->groups[group].n_external != 1 || local == NULL || local->kind != CONF_LOCAL_POOL ||
		c->external[local->index].group != group)
		return 0;
	return ip;
}

struct announcement { // on one interface
	struct shard *s;
	const struct conf *c;
	const struct shard_sink *sink;
	uint32_t group;
	uint16_t iface;
	ns now;
	ip4 external; // NAT-PMP's; 0: not announced
	unsigned n;   // datagrams
};

static void announce_as(struct announcement *a, ip4 from, enum pcp_dialect dialect)
{
	const struct conf_group *g = &a->c->groups[a->group];
	struct datagram d = {.from = from,
		.sport = g->pcp_port,
		.to = ALL_HOSTS,
		.dport = PCP_CLIENT_PORT,
		.ttl = LINK_TTL};
	struct pkt *p = a->sink->alloc(a->sink->ctx);
	size_t len;

	a->n++;
	if (p == NULL) {
		a->s->counters.drops[DROP_NO_BUFFER]++;
		return;
	}
	len = server_announce(datagram_payload(p), dialect, &g->pcp, a->external,
		group_epoch_s(a->s, a->group, a->now));
	p->iface = a->iface;
	p->next_hop = a->iface; // the first next hops are the interfaces' own links
	p->via = ALL_HOSTS;
	a->s->counters.announces_sent++;
	datagram_send(p, &d, len, a->sink);
}

static void announce_from(struct announcement *a, ip4 from)
{
	unsigned dialects = a->c->groups[a->group].pcp.dialects;

	if (dialects & ~PCP_SERVES(PCP_NATPMP))
		announce_as(a, from, PCP_V2);
	if (dialects & PCP_SERVES(PCP_NATPMP) && a->external != 0)
		announce_as(a, from, PCP_NATPMP);
}

// Whether another group answers at the same address with an Epoch of its own: its clients would
// take this group's for it, and believe that their server lost its state. Known clients are called
// one by one in any case.
static bool is_shared(const struct announcement *a, bool anycast)
{
	const struct conf *c = a->c;
	const uint64_t *base = a->s->epochs->base_ns;

	for (uint32_t other = 0; other < c->n_groups; other++) {
		const struct conf_group *g = &c->groups[other];

		if (g->used && g->pcp.enabled && base[other] != base[a->group] &&
			(anycast ? g->listen_anycast : g->listen_gateway) &&
			has_subscribers(c, c->interfaces[a->iface].realm, other))
			return true;
	}
	return false;
}

// Who speaks on the interface, by number: its own addresses, those listened at, the anycast one.
// 0: nobody has that number.
static ip4 source_at(const struct announcement *a, unsigned k)
{
	const struct conf_group *g = &a->c->groups[a->group];
	const struct conf_interface *in = &a->c->interfaces[a->iface];

	if (k < CONF_MAX_ADDRESSES)
		return g->listen_gateway && k < in->n_addresses && !is_shared(a, false)
			       ? in->addresses[k].ip
			       : 0;
	k -= CONF_MAX_ADDRESSES;
	if (k < CONF_MAX_LISTEN)
		return k < g->n_listen ? g->listen[k] : 0;
	return g->listen_anycast && !is_shared(a, true) ? CONF_ANYCAST : 0;
}

// True: everybody on this interface has spoken.
static bool announce_on(struct announcement *a, uint8_t *source, unsigned *left)
{
	const struct conf_interface *in = &a->c->interfaces[a->iface];

	if (in->side != CONF_INSIDE || !has_subscribers(a->c, in->realm, a->group))
		return true;
	for (; *left > 0 && *source < SOURCES; ++*source) {
		ip4 from = source_at(a, *source);

		a->n = 0;
		if (from != 0)
			announce_from(a, from);
		*left -= min_u32(a->n, *left);
	}
	return *source == SOURCES;
}

// One round, or what of it fits into `left`. The gap is reckoned from when a round was sent, so a
// late one never comes too close to the next. True: the schedule is over.
static bool announce_round(struct announcement *a, unsigned *left)
{
	struct multicast *m = &a->s->announce.multicast[a->group];
	const struct conf_group *g = &a->c->groups[a->group];

	if (!g->used || !g->pcp.enabled)
		return true;
	if (a->now < m->due)
		return false;
	a->external = only_external(a->s, a->c, a->group);
	for (; *left > 0 && m->iface < a->c->n_interfaces; m->iface++, m->source = 0) {
		a->iface = m->iface;
		if (!announce_on(a, &m->source, left))
			return false;
	}
	if (m->iface < a->c->n_interfaces)
		return false;
	m->iface = 0;
	m->due = a->now + (FIRST_GAP << m->sent);
	return ++m->sent == SENDS;
}

static bool multicast_step(
	struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	struct announcement a = {.s = s, .c = c, .sink = sink, .now = now};
	unsigned left = DATAGRAMS_A_STEP;

	for (uint64_t bits = s->announce.groups; bits != 0 && left > 0; bits &= bits - 1) {
		a.group = (uint32_t)__builtin_ctzll(bits);
		if (announce_round(&a, &left))
			s->announce.groups &= ~(UINT64_C(1) << a.group);
	}
	return left == 0;
}

// ---- unicast ---------------------------------------------------------------------------------

// Who has just lost everything has no external address: he is paired with one, as if he had asked.
// Not who never had a mapping, for it may be a forged source.
static bool find_external(struct shard *s, const struct conf *c, ns now,
	const struct server_client *client, ip4 *external)
{
	if (nat_is_new_subscriber(s->nat, client->realm, client->address))
		return false;
	return nat_pair(s->nat, &c->groups[client->group].nat, client->group, client->realm,
		       client->address, (uint32_t)(now / NS_PER_S), external) == DROP_NONE;
}

// In the form of his own dialect; in NAT-PMP's it tells him his external address, if he has one.
bool announce_to(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink,
	const struct server_client *client)
{
	const struct server_policy *policy = &c->groups[client->group].pcp;
	ip4 external = 0;
	struct datagram d;
	struct pkt *p;
	size_t len;

	if (!datagram_to_client(
		    s, c, client->group, client->realm, client->address, client->port, &d))
		return false;
	if (client->dialect == PCP_NATPMP && !find_external(s, c, now, client, &external))
		return false;
	p = datagram_open(s, c, &d, sink);
	if (p == NULL)
		return false;
	len = server_announce(datagram_payload(p), client->dialect, policy, external,
		client_epoch_s(s, client->group, client->realm, client->address, now));
	datagram_send(p, &d, len, sink);
	s->counters.announces_sent++;
	return true;
}

struct calling {
	struct shard *s;
	const struct conf *c;
	const struct shard_sink *sink;
	ns now;
	bool waits; // the rate is used up
};

// His Epoch began anew since he asked last.
static bool is_loser(const struct shard *s, const struct server_client *client)
{
	uint32_t lost_s = max_u32(
		client->epoch_base_s, nat_epoch_base(s->nat, client->realm, client->address));

	return lost_s != 0 && lost_s >= client->seen_s;
}

static bool must_be_called(const struct shard *s, const struct server_client *client)
{
	if (client->guest)
		return false;
	return s->announce.calling >> client->group & 1 ||
	       (s->announce.calling_losers && is_loser(s, client));
}

static bool see_client(void *ctx, const struct server_client *client)
{
	struct calling *calling = ctx;
	struct shard *s = calling->s;

	if (!must_be_called(s, client))
		return true;
	if (!unasked_allowed(s, calling->c, calling->now)) {
		calling->waits = true;
		return false;
	}
	if (announce_to(s, calling->c, calling->now, calling->sink, client))
		unasked_charge(s, calling->c, calling->now);
	return true;
}

static bool unicast_step(
	struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	struct calling calling = {.s = s, .c = c, .sink = sink, .now = now};
	struct announce *a = &s->announce;

	if (a->calling == 0 && !a->calling_losers) {
		a->calling = a->to_call;
		a->calling_losers = a->losers_to_call;
		a->to_call = 0;
		a->losers_to_call = false;
		a->cursor = 0;
	}
	if (server_clients_walk(s->clients, &a->cursor, CLIENTS_A_STEP, see_client, &calling)) {
		a->calling = 0;
		a->calling_losers = false;
	}
	return !calling.waits;
}

// ---- when ------------------------------------------------------------------------------------

void announce_group(struct shard *s, uint32_t group, ns now)
{
	if (s->id == 0) {
		s->announce.multicast[group] = (struct multicast){.due = now};
		s->announce.groups |= UINT64_C(1) << group;
	}
	s->announce.to_call |= UINT64_C(1) << group;
}

static void mix(uint64_t *mark, uint64_t value)
{
	*mark = hash_fold(*mark ^ value, UINT64_C(0x9e3779b97f4a7c15));
}

static void mix_prefix(uint64_t *mark, const struct pcp_prefix64 *prefix)
{
	mix(mark, prefix->length);
	for (unsigned i = 0; i < sizeof prefix->octets; i++)
		mix(mark, prefix->octets[i]);
	mix(mark, prefix->n);
	for (unsigned i = 0; i < prefix->n && i < ARRAY_SIZE(prefix->ip4); i++)
		mix(mark, (uint64_t)prefix->ip4[i].bits << 32 | prefix->ip4[i].address);
}

// What clients remember of a server and must hear about when it changes: that it is there, its
// prefixes (RFC 7225 s.4.2), whether it gives sets of ports (RFC 7753 s.4.3), and to NAT-PMP the
// external address. 0: it is not there.
static uint64_t mark_of(const struct shard *s, const struct conf *c, uint32_t group)
{
	const struct server_policy *policy = &c->groups[group].pcp;
	uint64_t mark = 0x1d;

	if (!c->groups[group].used || !policy->enabled)
		return 0;
	mix(&mark, policy->options >> PCP_INDEX_PORT_SET & 1);
	mix(&mark, policy->port_set_max);
	if (policy->dialects & PCP_SERVES(PCP_NATPMP))
		mix(&mark, only_external(s, c, group));
	mix(&mark, policy->n_prefix64);
	for (uint32_t i = 0; i < policy->n_prefix64; i++)
		mix_prefix(&mark, &policy->prefix64[i]);
	return mark;
}

void announce_configuration(struct shard *s, const struct conf *c, ns now)
{
	bool first = s->generation == 0;

	for (uint32_t group = 0; group < CONF_MAX_GROUPS; group++) {
		uint64_t mark = mark_of(s, c, group);

		if (mark != 0 && (first || mark != s->announce.marks[group]))
			announce_group(s, group, now);
		s->announce.marks[group] = mark;
	}
}

static bool is_calling(const struct announce *a)
{
	return (a->calling | a->to_call) != 0 || a->calling_losers || a->losers_to_call;
}

bool announce_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	bool more = false;

	if (s->announce.groups != 0)
		more |= multicast_step(s, c, now, sink);
	if (is_calling(&s->announce))
		more |= unicast_step(s, c, now, sink);
	return more;
}
