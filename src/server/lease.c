// SPDX-License-Identifier: Apache-2.0
// What MAP and PEER have in common: hints, nonces, lifetimes, the wish that goes to the nat room
// and what its answer means.
#include "judge.h"

// The table's protocol; false for what this NAT has no port mappings for. ICMP has identifiers
// and no ports, so a mapping for it could not be met in full.
bool read_protocol(uint8_t ip_protocol, uint8_t *protocol)
{
	if (ip_protocol != IP_TCP && ip_protocol != IP_UDP)
		return false;
	*protocol = ip_protocol == IP_TCP ? NAT_TCP : NAT_UDP;
	return true;
}

uint8_t ip_protocol_of(uint8_t protocol)
{
	return protocol == NAT_TCP ? IP_TCP : IP_UDP;
}

// ---- nonces (s.11.3) -------------------------------------------------------------------------

static bool nonce_is(const struct question *q, const struct nat_view *view)
{
	return memcmp(q->m.nonce.b, view->nonce, sizeof view->nonce) == 0;
}

// The same client, not only the same host: a third party is another one.
static bool is_same_client(const struct question *q, const struct nat_view *view)
{
	return view->client == q->asker->source && view->client_realm == q->asker->realm;
}

// A nonce protects against all who do not know it, dialects without nonces included. What has none
// is protected by its source address alone, and the first nonce that comes is kept. In draft -25
// the newest nonce simply counts; that holds among its own clients.
bool may_manage(const struct question *q, const struct nat_view *view, bool deleting)
{
	if (!view->has_nonce)
		return true;
	if (!q->m.has_nonce)
		return false;
	if (nonce_is(q, view))
		return true;
	if (q->m.dialect == PCP_V1C && view->dialect == PCP_V1C)
		return true;
	return q->policy->any_nonce && !deleting && is_same_client(q, view);
}

// Renewed with another nonce. In draft -25 that is nothing special.
void count_nonce(struct question *q, const struct nat_view *old)
{
	q->counters->nonce_replaced +=
		old->has_nonce && q->m.dialect != PCP_V1C && !nonce_is(q, old);
}

enum pcp_result refuse_nonce(struct question *q, const struct nat_view *view)
{
	q->counters->nonce_mismatches++;
	return refuse_for(q, PCP_NOT_AUTHORIZED, view->lease_left_s);
}

// ---- lifetimes -------------------------------------------------------------------------------

// RFC 6886 s.3.3: a lifetime should not exceed what was asked for, so no floor there.
uint32_t clamp_lifetime(const struct question *q)
{
	bool has_floor = q->m.dialect != PCP_NATPMP;
	uint32_t raised = max_u32(q->m.lifetime_s, has_floor ? q->policy->lifetime_min_s : 0);

	return min_u32(raised, q->policy->lifetime_max_s);
}

// ---- wishes ----------------------------------------------------------------------------------

struct nat_wish make_wish(const struct question *q, const struct nat_key *key,
	struct recipe suggested, uint32_t lifetime_s)
{
	struct nat_wish wish = {
		.key = *key,
		.suggested = suggested,
		.exact = q->insists,
		.n_ports = 1,
		.has_nonce = q->m.has_nonce,
		.lifetime_s = lifetime_s,
		.client = q->asker->source,
		.client_port = q->asker->port,
		.client_realm = q->asker->realm,
		.dialect = q->m.dialect,
		.third_party = q->third_party,
		.clear_filters = q->clear_filters,
		.n_filters = q->n_filters,
		.filters = q->n_filters > 0 ? q->room->filters : NULL,
		.has_text = is_seen(q, PCP_INDEX_DESCRIPTION),
		.text_length = q->text_length,
		.text = q->text,
	};

	memcpy(wish.nonce, q->m.nonce.b, sizeof wish.nonce);
	return wish;
}

// s.13.2: a failure tells something about others' ports, so it counts as a probe.
enum pcp_result refuse_pair(struct question *q, uint32_t lifetime_s)
{
	probe_charge(q);
	return refuse_for(q, PCP_CANNOT_PROVIDE_EXTERNAL, lifetime_s);
}

enum pcp_result refuse_grant(
	struct question *q, enum nat_grant grant, const struct nat_view *view, bool insisted)
{
	switch (grant) {
	case NAT_QUOTA:
		return refuse(q, PCP_USER_EX_QUOTA);
	case NAT_TOO_MANY_FILTERS:
		return refuse(q, PCP_EXCESSIVE_REMOTE_PEERS);
	case NAT_CANNOT_EXACT:
		if (!insisted)
			return refuse(q, PCP_NO_RESOURCES);
		// Nobody may know how long the conflict lasts.
		return refuse_pair(
			q, view->lease_left_s > 0 ? view->lease_left_s : PCP_ERROR_SHORT_S);
	default:
		return refuse(q, PCP_NO_RESOURCES);
	}
}

// Whether a mapping that does not exist yet may be tried.
enum pcp_result judge_new(struct question *q, bool insists)
{
	if (!q->asker->have_external)
		return refuse(q, PCP_NETWORK_FAILURE);
	if (insists && !probe_is_allowed(q)) {
		q->counters->probes_refused++;
		return refuse(q, PCP_USER_EX_QUOTA);
	}
	if (!q->asker->may_create) {
		q->counters->newcomers_refused++;
		return refuse(q, PCP_NO_RESOURCES);
	}
	return PCP_SUCCESS;
}

// ---- hints -----------------------------------------------------------------------------------

struct hint read_hint(const struct pcp_message *m)
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

// Whether no waiting brings the suggested pair: nobody's here, or by configuration another's.
bool hint_is_out_of_reach(const struct question *q, uint8_t protocol, const struct hint *h)
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
