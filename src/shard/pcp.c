// SPDX-License-Identifier: Apache-2.0
// PCP requests: a packet like any other, answered in place. The shard of its source judges whether
// it may come in and what Epoch is told. A request for another host then goes on to that host's
// shard (design D2), which answers it and judges neither again.
#include <postern/shard.h>

#include "world.h"

enum {
	REPLY_TTL = 64
};

// ---- whose server, and who asks --------------------------------------------------------------

// At an address that several groups share, it is the source that tells the group.
static uint32_t group_of_source(const struct conf *c, const struct pkt *p, bool anycast)
{
	uint32_t group = conf_group_of(c, iface_of(c, p)->realm, p->src);

	if (group == PREFIX_NONE)
		return PREFIX_NONE;
	return (anycast ? c->groups[group].listen_anycast : c->groups[group].listen_gateway)
		       ? group
		       : PREFIX_NONE;
}

uint32_t pcp_group(const struct conf *c, const struct pkt *p, const struct conf_local *local)
{
	uint32_t group = PREFIX_NONE;

	if (iface_of(c, p)->side != CONF_INSIDE)
		return PREFIX_NONE;
	if (local->kind == CONF_LOCAL_LISTEN)
		group = local->index;
	else if (local->kind == CONF_LOCAL_ANYCAST)
		group = group_of_source(c, p, true);
	else if (local->kind == CONF_LOCAL_INTERFACE && local->realm == iface_of(c, p)->realm)
		group = group_of_source(c, p, false);
	if (group == PREFIX_NONE || !c->groups[group].pcp.enabled)
		return PREFIX_NONE;
	return c->groups[group].pcp_port == p->dport ? group : PREFIX_NONE;
}

bool pcp_is_third_party(const struct server_policy *policy, ip4 source)
{
	const struct server_sources *sources = &policy->third_party.sources;

	for (uint32_t i = 0; i < sources->n; i++) {
		if (prefix4_has(sources->list[i], source))
			return true;
	}
	return false;
}

// A third party that is no subscriber of the group is a stranger. Neither authorized nor known at
// all: see is_nobody().
static struct server_asker asker_of(const struct conf *c, const struct pkt *p, uint32_t group)
{
	const struct conf_group *g = &c->groups[group];
	uint8_t realm = iface_of(c, p)->realm;
	bool own = conf_group_of(c, realm, p->src) == group;
	bool stranger = !own && pcp_is_third_party(&g->pcp, p->src);

	return (struct server_asker){.source = p->src,
		.port = p->sport,
		.realm = realm,
		.group = (uint8_t)group,
		.authorized = own || stranger,
		.stranger = stranger,
		.have_external = g->n_external > 0};
}

static bool is_nobody(const struct conf *c, const struct server_asker *asker)
{
	return !asker->authorized && conf_group_of(c, asker->realm, asker->source) == PREFIX_NONE;
}

// ---- the datagram ----------------------------------------------------------------------------

static size_t message_at(const struct pkt *p)
{
	return (size_t)p->l4_at + sizeof(struct udp_wire);
}

static size_t message_length(const struct pkt *p)
{
	const struct udp_wire *udp = (const void *)(p->l3 + p->l4_at);

	return be16_get(udp->length) - sizeof *udp;
}

static bool checksum_is_right(const struct pkt *p)
{
	const struct udp_wire *udp = (const void *)(p->l3 + p->l4_at);

	return be16_eq(udp->checksum, 0) ||
	       checksum_l4(p->src, p->dst, IP_UDP, p->l3 + p->l4_at, be16_get(udp->length)) == 0;
}

// ---- requests for others ---------------------------------------------------------------------

// None of our own addresses, nor the end of a subnet there.
static bool is_possible_host(const struct conf *c, uint8_t realm, ip4 host)
{
	if (conf_find_local(c, realm, host) != NULL)
		return false;
	for (uint16_t i = 0; i < c->n_interfaces; i++) {
		const struct conf_interface *in = &c->interfaces[i];

		if (in->side == CONF_INSIDE && in->realm == realm && is_subnet_end(in, host))
			return false;
	}
	return true;
}

static bool find_target(const struct conf *c, const struct pkt *p, struct server_asker *asker)
{
	asker->has_target = server_find_target(&c->groups[asker->group].pcp, asker,
		p->l3 + message_at(p), message_length(p), &asker->target, &asker->target_realm);
	asker->target_ok = asker->has_target &&
			   conf_group_of(c, asker->target_realm, asker->target) == asker->group &&
			   is_possible_host(c, asker->target_realm, asker->target);
	return asker->has_target;
}

// Found anew from the request, so it holds under whatever snapshot the packet arrives.
uint16_t pcp_target_owner(const struct conf *c, const struct pkt *p, uint16_t any)
{
	const struct conf_local *local = conf_find_local(c, iface_of(c, p)->realm, p->dst);
	uint32_t group = local == NULL || p->kind != PKT_UDP ? PREFIX_NONE : pcp_group(c, p, local);
	struct server_asker asker;

	if (group == PREFIX_NONE)
		return any;
	asker = asker_of(c, p, group);
	return find_target(c, p, &asker) ? conf_inside_owner(c, asker.target) : any;
}

// A packet travels once for its target: whoever gets it and does not own that host lets it go.
static enum verdict hand_to_target(struct burst *b, struct pkt *p, uint32_t epoch_s, uint16_t owner)
{
	if (p->stage == PKT_THIRD_PARTY)
		return drop(b->s, p, DROP_RESTEERED);
	p->stage = PKT_THIRD_PARTY;
	p->epoch_s = epoch_s;
	p->owner = owner;
	b->s->counters.third_party_handed++;
	return VERDICT_HANDOFF;
}

// ---- the answer ------------------------------------------------------------------------------

struct reply_way { // of the replies behind the first
	struct burst *b;
	const struct pkt *request;
};

static void send_more(void *ctx, const uint8_t *msg, size_t len)
{
	const struct reply_way *way = ctx;
	const struct pkt *request = way->request;
	struct burst *b = way->b;
	struct datagram d = {.from = request->dst,
		.sport = request->dport,
		.to = request->src,
		.dport = request->sport,
		.realm = iface_of(b->c, request)->realm,
		.ttl = REPLY_TTL};
	struct pkt *p = datagram_open(b->s, b->c, &d, b->sink);

	if (p == NULL)
		return;
	memcpy(datagram_payload(p), msg, len);
	datagram_send(p, &d, len, b->sink);
	b->s->counters.pcp_replies++;
}

static enum verdict answer(struct burst *b, struct pkt *p, struct server_asker *asker)
{
	const struct conf_group *g = &b->c->groups[asker->group];
	uint8_t realm = asker->has_target ? asker->target_realm : asker->realm;
	ip4 subject = asker->has_target ? asker->target : asker->source;
	bool newcomer = nat_is_new_subscriber(b->s->nat, realm, subject);
	struct reply_way way = {b, p};
	struct server_more more = {&way, send_more};
	enum pcp_result result;
	size_t reply_len;
	enum drop why;

	asker->may_create = events_allow(b->s, b->c) && (!newcomer || newcomer_allowed(b, p));
	why = server_answer(b->s->nat, &g->nat, &g->pcp, asker, p->l3 + message_at(p),
		message_length(p), b->now_s, &b->s->counters.server[asker->group], &more,
		&reply_len, &result);
	if (why != DROP_NONE)
		return drop(b->s, p, why);
	if (newcomer && !nat_is_new_subscriber(b->s->nat, realm, subject))
		newcomer_charge(b, p);
	if (reply_len == 0)
		return drop(b->s, p, DROP_PCP_SILENT);
	if (!xlat_udp_reply(p, reply_len) || !route(b->c, asker->realm, p))
		return drop(b->s, p, DROP_NO_ROUTE);
	b->s->counters.pcp_replies++;
	return VERDICT_REPLY;
}

// Where news for this client go, and from which address of ours.
static void note_way(struct server_asker *asker, const struct pkt *p)
{
	asker->client->group = asker->group;
	asker->client->port = asker->port;
	asker->client->server = p->dst;
}

// Whom the server may call later is told by a request of his own group.
static bool admit(struct burst *b, const struct pkt *p, struct server_asker *asker)
{
	const struct server_policy *policy = &b->c->groups[asker->group].pcp;
	bool admitted = server_client_admit(
		b->s->clients, policy, asker->realm, asker->source, b->now, &asker->client);

	if (admitted && asker->authorized && asker->client != NULL)
		note_way(asker, p);
	return admitted;
}

// He was admitted by his own shard. Here he is known for what he asked of this one.
static void receive_guest(struct burst *b, const struct pkt *p, struct server_asker *asker)
{
	asker->epoch_s = p->epoch_s;
	asker->client = server_client_guest(b->s->clients, asker->realm, asker->source, b->now);
	note_way(asker, p);
}

enum verdict pcp_packet(struct burst *b, struct pkt *p, uint32_t group)
{
	struct server_asker asker = asker_of(b->c, p, group);
	uint16_t owner;

	if (is_nobody(b->c, &asker))
		return drop(b->s, p, DROP_PCP_INTERFACE);
	if (!checksum_is_right(p))
		return drop(b->s, p, DROP_PCP_CHECKSUM);
	if (p->sport == 0) // RFC 768: no answer is expected
		return drop(b->s, p, DROP_PCP_SILENT);
	if (p->room < message_at(p) + PCP_MAX)
		return drop(b->s, p, DROP_NO_BUFFER);
	if (p->stage == PKT_THIRD_PARTY)
		receive_guest(b, p, &asker);
	else if (!admit(b, p, &asker))
		return drop(b->s, p, DROP_PCP_RATE);
	else
		asker.epoch_s = client_epoch_s(b->s, group, asker.realm, asker.source, b->now);
	if (find_target(b->c, p, &asker)) {
		owner = conf_inside_owner(b->c, asker.target);
		if (owner != b->s->id)
			return hand_to_target(b, p, asker.epoch_s, owner);
	}
	return answer(b, p, &asker);
}
