// SPDX-License-Identifier: Apache-2.0
// PEER (RFC 6887 s.12): a longer life, and a known pair, for the flow to one remote peer. It never
// shortens and never deletes; a lifetime of 0 only asks.
#include "judge.h"

struct call {
	struct nat_key key;
	struct recipe remote;
	struct nat_view mapping; // what stands at the internal endpoint
	struct nat_view lease;   // what PEER granted for this remote peer before
};

// s.12.1, s.12.3: where an outbound packet could not go there is no remote peer.
static bool read_remote(const struct pcp_message *m, struct recipe *remote)
{
	ip4 a;

	if (!ip6_is_mapped(m->remote_ip) || m->remote_port == 0)
		return false;
	a = ip6_to_ip4(m->remote_ip);
	if (a >> 24 == 0 || a >> 24 == 127 || a >> 28 >= 14) // this host, loopback, multicast, E
		return false;
	*remote = (struct recipe){.addr = a, .port = m->remote_port};
	return true;
}

static enum pcp_result grant_peer(struct question *q, struct recipe external, uint32_t lifetime_s)
{
	q->m.external_ip = ip6_mapped(external.addr);
	q->m.external_port = external.port;
	q->lifetime_s = lifetime_s;
	return PCP_SUCCESS;
}

static enum pcp_result write_peer(
	struct question *q, const struct call *c, const struct hint *h, uint32_t lifetime_s)
{
	struct nat_wish wish = make_wish(q, &c->key, h->pair, lifetime_s);
	bool insists = h->pair.addr != 0 || h->pair.port != 0;
	struct nat_view view = {0};
	enum nat_grant grant;

	wish.remote = c->remote;
	wish.exact = insists;
	grant = nat_lease_peer(q->nat, q->nat_policy, q->asker->group, &wish, q->now_s, &view);
	if (grant != NAT_GRANTED)
		return refuse_grant(q, grant, &view, insists);
	note_text(q, &view);
	if (c->lease.kind == NAT_PEER) {
		q->counters->peers_renewed++;
		count_nonce(q, &c->lease);
	} else {
		q->counters->peers_created++;
	}
	return grant_peer(q, view.external, lifetime_s);
}

// What stands keeps its pair: suggesting that one is always right.
static enum pcp_result keep_pair(struct question *q, const struct call *c, uint32_t lifetime_s)
{
	struct hint own = {.pair = c->mapping.external};

	return write_peer(q, c, &own, lifetime_s);
}

// A lifetime that is less than what is left anyway is a question.
static enum pcp_result renew_peer(struct question *q, const struct call *c)
{
	uint32_t left_s = c->lease.lease_left_s;

	return keep_pair(
		q, c, q->m.lifetime_s <= left_s ? left_s : max_u32(clamp_lifetime(q), left_s));
}

// Nothing is remembered about somebody who only asks.
static enum pcp_result only_tell(struct question *q, const struct call *c, uint32_t lifetime_s)
{
	q->echo &= ~option_bit(PCP_INDEX_DESCRIPTION);
	q->counters->peers_renewed++;
	return grant_peer(q, c->mapping.external, lifetime_s);
}

static enum pcp_result adopt_flow(struct question *q, const struct call *c)
{
	uint32_t left_s = c->mapping.idle_left_s;

	if (c->mapping.kind == NAT_STATIC)
		return only_tell(q, c, UINT32_MAX);
	if (q->m.lifetime_s == 0)
		return only_tell(q, c, left_s);
	return keep_pair(q, c, max_u32(clamp_lifetime(q), left_s));
}

static bool hint_allows(const struct hint *h, struct recipe pair)
{
	return !h->foreign && (h->pair.addr == 0 || h->pair.addr == pair.addr) &&
	       (h->pair.port == 0 || h->pair.port == pair.port);
}

// A new flow of an internal endpoint whose external pair is fixed.
static enum pcp_result join_mapping(struct question *q, const struct call *c, const struct hint *h)
{
	if (!hint_allows(h, c->mapping.external))
		return refuse_pair(q, PCP_ERROR_SHORT_S);
	if (c->mapping.kind == NAT_STATIC)
		return only_tell(q, c, UINT32_MAX);
	return keep_pair(q, c, clamp_lifetime(q));
}

static enum pcp_result new_flow(struct question *q, const struct call *c)
{
	struct hint h = read_hint(&q->m);
	bool insists = h.foreign || h.pair.addr != 0 || h.pair.port != 0;
	bool stands = c->mapping.kind != NAT_ABSENT && c->mapping.kind != NAT_RESTING;
	enum pcp_result result;

	if (q->m.dialect == PCP_V1A) // there PEER never creates
		return refuse(q, PCP_NONEXIST_PEER);
	if (q->m.lifetime_s == 0) { // a question about what does not exist: for 0 s, as you say
		q->echo &= ~option_bit(PCP_INDEX_DESCRIPTION);
		q->lifetime_s = 0;
		return PCP_SUCCESS;
	}
	if (stands)
		return join_mapping(q, c, &h);
	result = judge_new(q, insists);
	if (result != PCP_SUCCESS)
		return result;
	if (insists && hint_is_out_of_reach(q, c->key.protocol, &h))
		return refuse_pair(q, PCP_ERROR_LONG_S);
	return write_peer(q, c, &h, clamp_lifetime(q));
}

// A NAT44 mapping is endpoint-independent and keeps no record of remote peers: when its internal
// endpoint has sent, the flow that is asked about counts as found.
static bool has_flow(const struct nat_view *mapping)
{
	return mapping->kind != NAT_ABSENT && mapping->kind != NAT_RESTING && mapping->traffic;
}

enum pcp_result judge_peer(struct question *q)
{
	struct call c = {.key = {.host = q->host, .port = q->m.internal_port, .realm = q->realm}};

	if (q->m.protocol == 0 || q->m.internal_port == 0 || !read_remote(&q->m, &c.remote))
		return refuse(q, PCP_MALFORMED_REQUEST);
	if (!read_protocol(q->m.protocol, &c.key.protocol))
		return refuse(q, PCP_UNSUPP_PROTOCOL);
	nat_lease_look(q->nat, &c.key, q->now_s, &c.mapping);
	nat_peer_look(q->nat, &c.key, c.remote, q->now_s, &c.lease);
	if (c.lease.kind == NAT_PEER) {
		c.mapping.external = c.lease.external;
		return may_manage(q, &c.lease, false) ? renew_peer(q, &c)
						      : refuse_nonce(q, &c.lease);
	}
	return has_flow(&c.mapping) ? adopt_flow(q, &c) : new_flow(q, &c);
}
