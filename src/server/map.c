// SPDX-License-Identifier: Apache-2.0
// MAP (RFC 6887 s.11.3, s.15, s.16): from {protocol, internal port, lifetime, nonce} and the
// mapping that stands there to one change, or none, and an answer. The order is the RFC's:
// what the numbers mean together, the nonce, what exists already, and only then something new.
#include "judge.h"

// The table's protocol; false for what this NAT has no port mappings for. ICMP has identifiers
// and no ports, so a MAP for it could not be met in full.
static bool mappable(uint8_t ip_protocol, uint8_t *protocol)
{
	if (ip_protocol != IP_TCP && ip_protocol != IP_UDP)
		return false;
	*protocol = ip_protocol == IP_TCP ? NAT_TCP : NAT_UDP;
	return true;
}

static bool nonce_matches(const struct question *q, const struct nat_view *view)
{
	return memcmp(q->m.nonce.b, view->nonce, sizeof view->nonce) == 0;
}

static uint32_t clamp_lifetime(const struct question *q)
{
	uint32_t raised = max_u32(q->m.lifetime_s, q->policy->lifetime_min_s);

	return min_u32(raised, q->policy->lifetime_max_s);
}

// s.15, s.18.1: unless the operator allows it, no request makes a mapping end sooner than its
// traffic would have let it.
static uint32_t traffic_keeps_s(const struct question *q, const struct nat_view *view)
{
	return !q->policy->early_delete && view->traffic ? view->idle_left_s : 0;
}

static enum pcp_result refuse_grant(
	struct question *q, enum nat_grant grant, const struct nat_view *view)
{
	if (grant == NAT_QUOTA)
		return refuse(q, PCP_USER_EX_QUOTA);
	if (grant == NAT_NO_RESOURCES)
		return refuse(q, PCP_NO_RESOURCES);
	if (view->lease_left_s == 0) // nobody knows how long the conflict lasts
		return refuse(q, PCP_CANNOT_PROVIDE_EXTERNAL);
	return refuse_for(q, PCP_CANNOT_PROVIDE_EXTERNAL, view->lease_left_s);
}

static enum pcp_result write_lease(struct question *q, const struct nat_key *key,
	struct recipe suggested, uint32_t lifetime_s, struct nat_view *view)
{
	struct nat_wish wish = {
		.key = *key,
		.suggested = suggested,
		.exact = q->prefer_failure,
		.lifetime_s = lifetime_s,
		.client = q->asker->source,
		.client_port = q->asker->port,
		.version = q->m.version,
	};
	enum nat_grant grant;

	memcpy(wish.nonce, q->m.nonce.b, sizeof wish.nonce);
	grant = nat_lease_map(q->nat, q->nat_policy, q->asker->group, &wish, q->now_s, view);
	if (grant != NAT_GRANTED)
		return refuse_grant(q, grant, view);
	q->lifetime_s = lifetime_s;
	return PCP_SUCCESS;
}

// ---- delete ----------------------------------------------------------------------------------

// s.15.1: the assigned fields of a delete's answer are copies of the suggested ones, so the
// message stays as it is.
static enum pcp_result deleted(struct question *q)
{
	q->lifetime_s = 0;
	q->counters->maps_deleted++;
	return PCP_SUCCESS;
}

// What traffic keeps is shortened to its idle time instead, nonce and all: the same delete again
// then gets the same kind of answer, and nobody else gets the port meanwhile.
static enum pcp_result shorten(
	struct question *q, const struct nat_key *key, const struct nat_view *view, uint32_t left_s)
{
	struct nat_view now;
	enum pcp_result result = write_lease(q, key, view->external, left_s, &now);

	if (result == PCP_SUCCESS)
		q->counters->maps_deleted++;
	return result;
}

static enum pcp_result end_lease(
	struct question *q, const struct nat_key *key, const struct nat_view *view)
{
	uint32_t left_s = traffic_keeps_s(q, view);

	if (left_s > 0)
		return shorten(q, key, view, left_s);
	nat_lease_end(q->nat, key, q->now_s);
	if (view->traffic) // early_delete: it would have lived on as an implicit mapping
		nat_delete(q->nat, key, q->now_s);
	return deleted(q);
}

static enum pcp_result judge_delete(
	struct question *q, const struct nat_key *key, const struct nat_view *view)
{
	switch (view->kind) {
	case NAT_EXPLICIT:
		return end_lease(q, key, view);
	case NAT_STATIC:
	case NAT_IMPLICIT:
		return refuse(q, PCP_NOT_AUTHORIZED);
	default: // unknown, or only a port at rest
		return deleted(q);
	}
}

// ---- create and renew ------------------------------------------------------------------------

struct hint {
	struct recipe pair; // zero means any
	bool foreign;       // an address this NAT can never give
	bool reserved;      // s.11.3: PCP's own ports are never mapped; nat would not give them
};

static struct hint read_hint(const struct pcp_message *m)
{
	struct hint h = {.pair.port = m->external_port};

	if (ip6_is_mapped(m->external_ip))
		h.pair.addr = ip6_to_ip4(m->external_ip);
	else
		h.foreign = !ip6_eq(m->external_ip, (ip6){{0}});
	h.reserved = m->protocol == IP_UDP &&
		     (m->external_port == PCP_CLIENT_PORT || m->external_port == PCP_SERVER_PORT);
	return h;
}

static bool hint_is(const struct hint *h, struct recipe pair)
{
	bool address = h->pair.addr == 0 || h->pair.addr == pair.addr;

	return !h->foreign && address && h->pair.port == pair.port;
}

static enum pcp_result grant(struct question *q, struct recipe external, uint32_t lifetime_s)
{
	q->m.external_port = external.port;
	q->m.external_ip = ip6_mapped(external.addr);
	q->lifetime_s = lifetime_s;
	return PCP_SUCCESS;
}

// Whether no waiting brings the suggested pair: nobody's here, or by configuration another's.
static bool is_out_of_reach(const struct question *q, uint8_t protocol, const struct hint *h)
{
	struct nat_key holder;
	struct nat_view view;

	if (h->foreign || h->reserved)
		return true;
	if (h->pair.addr == 0)
		return false;
	if (!nat_address_known(q->nat, h->pair.addr))
		return true;
	if (!nat_peek_in(q->nat, protocol, h->pair, &holder))
		return false;
	nat_lease_look(q->nat, &holder, q->now_s, &view);
	return view.kind == NAT_STATIC;
}

static enum pcp_result create(struct question *q, const struct nat_key *key, struct hint h)
{
	struct nat_view view = {0};
	enum pcp_result result;

	if (!q->asker->have_external)
		return refuse(q, PCP_NETWORK_FAILURE);
	if (q->prefer_failure && is_out_of_reach(q, key->protocol, &h)) // do not ask soon
		return refuse_for(q, PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	if (!q->asker->may_create) {
		q->counters->newcomers_refused++;
		return refuse(q, PCP_NO_RESOURCES);
	}
	result = write_lease(q, key, h.pair, clamp_lifetime(q), &view);
	if (result != PCP_SUCCESS)
		return result;
	q->counters->maps_created++;
	return grant(q, view.external, q->lifetime_s);
}

// s.11.3: what exists keeps its external pair, whatever the hints say.
static enum pcp_result renew(
	struct question *q, const struct nat_key *key, const struct nat_view *old)
{
	bool is_lease = old->kind == NAT_EXPLICIT;
	uint32_t floor_s = is_lease ? traffic_keeps_s(q, old) : 0;
	uint32_t lifetime_s = max_u32(clamp_lifetime(q), floor_s);
	struct nat_view view = {0};
	enum pcp_result result = write_lease(q, key, old->external, lifetime_s, &view);

	if (result != PCP_SUCCESS)
		return result;
	if (is_lease)
		q->counters->maps_renewed++;
	else
		q->counters->maps_created++;
	return grant(q, view.external, lifetime_s);
}

static enum pcp_result judge_create(
	struct question *q, const struct nat_key *key, const struct nat_view *view)
{
	struct hint h = read_hint(&q->m);
	bool is_static = view->kind == NAT_STATIC;

	if (view->kind == NAT_ABSENT || view->kind == NAT_RESTING)
		return create(q, key, h);
	if (q->prefer_failure && !hint_is(&h, view->external))
		return refuse_for(q, PCP_CANNOT_PROVIDE_EXTERNAL,
			is_static || is_out_of_reach(q, key->protocol, &h) ? PCP_ERROR_LONG_S
									   : PCP_ERROR_SHORT_S);
	if (is_static)
		return grant(q, view->external, UINT32_MAX);
	return renew(q, key, view);
}

// ---- both ------------------------------------------------------------------------------------

enum pcp_result judge_map(struct question *q)
{
	const struct pcp_message *m = &q->m;
	struct nat_key key = {
		.host = q->asker->source, .port = m->internal_port, .realm = q->asker->realm};
	struct nat_view view;

	if (m->protocol == 0 && m->internal_port != 0)
		return refuse(q, PCP_MALFORMED_REQUEST);
	// A wildcard, or a protocol without ports here: none was ever granted, so there is none
	// to delete either.
	if (!mappable(m->protocol, &key.protocol) || m->internal_port == 0)
		return m->lifetime_s == 0 ? deleted(q) : refuse(q, PCP_UNSUPP_PROTOCOL);
	nat_lease_look(q->nat, &key, q->now_s, &view);
	if (view.kind == NAT_EXPLICIT && !nonce_matches(q, &view)) {
		q->counters->nonce_mismatches++;
		return refuse_for(q, PCP_NOT_AUTHORIZED, view.lease_left_s);
	}
	return m->lifetime_s == 0 ? judge_delete(q, &key, &view) : judge_create(q, &key, &view);
}
