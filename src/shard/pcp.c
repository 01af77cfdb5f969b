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
static uint32_t listener(
	const struct conf *c, const struct pkt *p, const struct conf_local *local, uint32_t home)
{
	switch (local->kind) {
	case CONF_LOCAL_LISTEN:
		return local->index;
	case CONF_LOCAL_ANYCAST:
		return home != PREFIX_NONE && c->groups[home].listen_anycast ? home : PREFIX_NONE;
	case CONF_LOCAL_INTERFACE:
		return home != PREFIX_NONE && local->realm == iface_of(c, p)->realm &&
				       c->groups[home].listen_gateway
			       ? home
			       : PREFIX_NONE;
	default:
		return PREFIX_NONE;
	}
}

uint32_t pcp_group(
	const struct conf *c, const struct pkt *p, const struct conf_local *local, uint32_t home)
{
	uint32_t group = PREFIX_NONE;

	if (iface_of(c, p)->side == CONF_INSIDE)
		group = listener(c, p, local, home);
	if (group == PREFIX_NONE || !c->groups[group].pcp.enabled ||
		c->groups[group].pcp_port != p->dport)
		return PREFIX_NONE;
	return group;
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
// all: he is nobody.
static struct server_asker asker_of(
	const struct conf *c, const struct pkt *p, uint32_t group, uint32_t home)
{
	const struct conf_group *g = &c->groups[group];
	uint8_t realm = iface_of(c, p)->realm;
	bool own = home == group;
	bool stranger = !own && pcp_is_third_party(&g->pcp, p->src);

	return (struct server_asker){.source = p->src,
		.port = p->sport,
		.realm = realm,
		.group = (uint8_t)group,
		.authorized = own || stranger,
		.stranger = stranger,
		.have_external = g->n_external > 0};
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
	if (likely(c->groups[asker->group].pcp.third_party.sources.n == 0))
		return false;
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
	uint32_t home = conf_group_of(c, iface_of(c, p)->realm, p->src), group = PREFIX_NONE;
	struct server_asker asker;

	if (local != NULL && p->kind == PKT_UDP)
		group = pcp_group(c, p, local, home);

	if (group == PREFIX_NONE)
		return any;
	asker = asker_of(c, p, group, home);
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

static enum verdict send_back(
	struct burst *b, struct pkt *p, const struct server_asker *asker, size_t reply_len)
{
	struct way *way = &b->arriving;

	if (unlikely(!xlat_udp_reply(p, reply_len)))
		return drop(b->s, p, DROP_NO_ROUTE);
	if (unlikely(!way_covers(way, asker->realm, p->dst)) &&
		way_find(b, way, asker->realm, p->dst, false) != DROP_NONE)
		return drop(b->s, p, DROP_NO_ROUTE);
	way_take(way, p, p->dst);
	b->s->counters.pcp_replies++;
	return VERDICT_REPLY;
}

// In version 2 only these make subscribers of hosts.
static bool may_make(const struct pkt *p)
{
	const uint8_t *msg = p->l3 + message_at(p);

	return message_length(p) >= 2 &&
	       (msg[0] != PCP_VERSION || msg[1] == PCP_MAP || msg[1] == PCP_PEER);
}

// A mapping that is new, or a request that is not plain.
static enum verdict answer_closer(
	struct burst *b, struct pkt *p, struct server_asker *asker, bool plain)
{
	const struct conf_group *g = &b->c->groups[asker->group];
	uint8_t realm = asker->has_target ? asker->target_realm : asker->realm;
	ip4 subject = asker->has_target ? asker->target : asker->source;
	bool newcomer = may_make(p) && nat_is_new_subscriber(b->s->nat, realm, subject);
	struct server_counters *counters = &b->s->counters.server[asker->group];
	uint8_t *msg = p->l3 + message_at(p);
	size_t reply_len = message_length(p);
	struct reply_way way = {b, p};
	struct server_more more = {&way, send_more};
	enum pcp_result result;
	enum drop why = DROP_NONE;

	asker->may_create = events_allow(b->s, b->c) && (!newcomer || newcomer_allowed(b, p));
	if (!plain ||
		!server_answer_new(b->s->nat, &g->nat, &g->pcp, asker, msg, b->now_s, counters))
		why = server_answer(b->s->nat, &g->nat, &g->pcp, asker, msg, reply_len, b->now_s,
			counters, &more, &reply_len, &result);
	if (why != DROP_NONE)
		return drop(b->s, p, why);
	if (newcomer && !nat_is_new_subscriber(b->s->nat, realm, subject))
		newcomer_charge(b, p);
	return reply_len == 0 ? drop(b->s, p, DROP_PCP_SILENT) : send_back(b, p, asker, reply_len);
}

// Most requests are plain, and are not looked at as closely as the others need it.
static enum verdict answer(struct burst *b, struct pkt *p, struct server_asker *asker)
{
	const struct conf_group *g = &b->c->groups[asker->group];
	uint8_t *msg = p->l3 + message_at(p);
	size_t len = message_length(p);
	enum server_plain plain = server_answer_known(b->s->nat, &g->pcp, asker, msg, len, b->now_s,
		&b->s->counters.server[asker->group]);

	if (plain == SERVER_PLAIN_ANSWERED)
		return send_back(b, p, asker, len);
	return answer_closer(b, p, asker, plain == SERVER_PLAIN_NEW);
}

static uint32_t epoch_of(struct burst *b, const struct server_asker *asker)
{
	if (b->epoch_group != asker->group) {
		b->epoch_s = group_epoch_s(b->s, asker->group, b->now);
		b->epoch_group = asker->group;
	}
	return known_epoch_s(b->s, b->epoch_s, asker->client, asker->realm, asker->source, b->now);
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

static enum verdict finish(
	struct burst *b, struct pkt *p, uint32_t group, struct server_client *expected)
{
	uint32_t home = group_of_host(b, iface_of(b->c, p)->realm, p->src);
	struct server_asker asker = asker_of(b->c, p, group, home);
	uint16_t owner;

	asker.client = expected;

	if (!asker.authorized && home == PREFIX_NONE)
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
		asker.epoch_s = epoch_of(b, &asker);
	if (find_target(b->c, p, &asker)) {
		owner = conf_inside_owner(b->c, asker.target);
		if (owner != b->s->id)
			return hand_to_target(b, p, asker.epoch_s, owner);
	}
	return answer(b, p, &asker);
}

enum verdict pcp_sort(struct burst *b, struct pkt *p, uint32_t group)
{
	b->pcp_group[b->n_pcp] = (uint8_t)group;
	b->pcp_at[b->n_pcp++] = (uint8_t)(p - b->packets);
	return VERDICT_PASS;
}

// The client's record, what he asks about: for all of the burst, before the first is answered.
static void look_ahead(const struct burst *b, struct server_client **expected)
{
	struct nat_ahead ahead[SHARD_BURST];
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_pcp; i++) {
		const struct pkt *p = &b->packets[b->pcp_at[i]];
		uint8_t realm = iface_of(b->c, p)->realm;

		expected[i] = server_client_expect(b->s->clients, realm, p->src);
		n += server_foresee(
			p->l3 + message_at(p), message_length(p), p->src, realm, &ahead[n]);
	}
	for (unsigned i = 0; i < b->n_pcp; i++) {
		const struct pkt *p = &b->packets[b->pcp_at[i]];

		server_client_settle(b->s->clients, expected[i], iface_of(b->c, p)->realm, p->src);
	}
	nat_look_ahead(b->s->nat, ahead, n);
	for (unsigned i = 0; i < b->n_pcp; i++) {
		const struct pkt *p = &b->packets[b->pcp_at[i]];

		expected[i] = server_client_meet(
			b->s->clients, expected[i], iface_of(b->c, p)->realm, p->src);
	}
}

void pcp_finish(struct burst *b)
{
	struct server_client *expected[SHARD_BURST];

	look_ahead(b, expected);
	for (unsigned i = 0; i < b->n_pcp; i++) {
		unsigned at = b->pcp_at[i];

		b->verdicts[at] = finish(b, &b->packets[at], b->pcp_group[i], expected[i]);
	}
}
