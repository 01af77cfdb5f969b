// SPDX-License-Identifier: Apache-2.0
// What the server says by itself: that it lost its state (RFC 6887 s.14.1), and that a mapping is
// another one now, or gone (s.14.2).
#include "judge.h"

size_t server_announce(uint8_t *msg, enum pcp_dialect dialect, const struct server_policy *policy,
	ip4 external, uint32_t epoch_s)
{
	struct pcp_message m = {.version = PCP_VERSION, .dialect = PCP_V2, .opcode = PCP_ANNOUNCE};
	size_t at;

	if (dialect == PCP_NATPMP)
		m = (struct pcp_message){.dialect = PCP_NATPMP,
			.opcode = PCP_EXTERNAL_ADDRESS,
			.external_ip = ip6_mapped(external)};
	if (dialect == PCP_V1B || dialect == PCP_V1C) // draft -07 knows no ANNOUNCE
		m = (struct pcp_message){
			.version = 1, .dialect = (uint8_t)dialect, .opcode = PCP_ANNOUNCE};
	at = pcp_success_reply(msg, &m, 0, epoch_s);
	if (m.dialect == PCP_V2 && (policy->options >> PCP_INDEX_PREFIX64 & 1) != 0)
		at = append_prefixes(msg, at, PCP_MAX, policy);
	return at;
}

// ---- Mapping Update --------------------------------------------------------------------------

static struct pcp_message message_of(const struct nat_view *view)
{
	bool is_peer = view->kind == NAT_PEER;
	struct pcp_message m = {
		.version = view->dialect == PCP_V2 ? PCP_VERSION : view->dialect != PCP_NATPMP,
		.dialect = view->dialect,
		.opcode = is_peer ? PCP_PEER : PCP_MAP,
		.has_nonce = view->has_nonce,
		.has_client = view->dialect != PCP_NATPMP && view->dialect != PCP_V1A,
		.lifetime_s = view->lease_left_s,
		.client = ip6_mapped(view->client),
		.protocol = ip_protocol_of(view->key.protocol),
		.internal_port = view->key.port,
		.external_port = view->external.port,
		.external_ip = ip6_mapped(view->external.addr),
		.remote_port = is_peer ? view->remote.port : 0,
		.remote_ip = is_peer ? ip6_mapped(view->remote.addr) : (ip6){{0}},
	};

	memcpy(m.nonce.b, view->nonce, sizeof m.nonce.b);
	m.wire_opcode = (uint8_t)m.opcode;
	if (view->dialect == PCP_NATPMP)
		m.wire_opcode = view->key.protocol == NAT_UDP ? 1 : 2;
	if (view->dialect == PCP_V1A && is_peer)
		m.wire_opcode = 3; // PEER4
	return m;
}

static size_t keep(size_t end, size_t at)
{
	return end > 0 ? end : at;
}

// RFC 7843 s.4: the identifier goes where the address goes. The lease keeps the realm it chose.
static size_t append_id(const struct server_policy *policy, const struct nat_view *view,
	uint8_t *msg, size_t at, size_t cap)
{
	const struct server_third_party *p = &policy->third_party;
	bool needed = p->id_required || view->key.realm != view->client_realm;

	if (view->dialect != PCP_V2 || !needed)
		return at;
	for (uint32_t i = 0; i < p->n_ids; i++)
		if (p->ids[i].realm == view->key.realm)
			return keep(pcp_append_option(msg, at, cap, PCP_THIRD_PARTY_ID,
					    p->ids[i].octets, p->ids[i].length),
				at);
	return at;
}

static size_t append_filters(const struct nat *n, const struct nat_view *view,
	const struct pcp_message *m, uint8_t *msg, size_t at, size_t cap)
{
	struct nat_filter list[SERVER_MAX_FILTERS];
	uint32_t count = nat_lease_filters(n, &view->key, list, ARRAY_SIZE(list));

	for (uint32_t i = 0; i < count; i++) {
		struct pcp_filter filter = {.prefix = (uint8_t)(96 + list[i].bits),
			.port = list[i].port,
			.address = ip6_mapped(list[i].address)};

		at = keep(pcp_append_filter(msg, at, cap, m, &filter), at);
	}
	return at;
}

// s.14.2: options from 128 on are not repeated, but of a set the reply would not be true without
// PORT_SET.
static size_t append_update_options(const struct nat *n, const struct server_policy *policy,
	const struct nat_view *view, const struct pcp_message *m, bool stands, uint8_t *msg,
	size_t at)
{
	struct pcp_port_set set = {.size = view->n_ports, .first = view->key.port};
	size_t cap = reply_cap(m);

	if (view->dialect == PCP_NATPMP)
		return at;
	// Draft -07 wants options in ascending order: FILTER is 2 there and THIRD_PARTY 4.
	if (view->dialect == PCP_V1A && m->opcode == PCP_MAP && stands)
		at = append_filters(n, view, m, msg, at, cap);
	if (view->third_party) {
		at = keep(pcp_append_third_party(msg, at, cap, m, ip6_mapped(view->key.host)), at);
		at = append_id(policy, view, msg, at, cap);
	}
	if (view->dialect != PCP_V1A && m->opcode == PCP_MAP && stands)
		at = append_filters(n, view, m, msg, at, cap);
	if (view->dialect == PCP_V2 && view->n_ports > 1 && m->opcode == PCP_MAP)
		at = keep(pcp_append_port_set(msg, at, cap, &set), at);
	return at;
}

// The refusal of the request that this client would send to renew what is gone.
static size_t write_lost(const struct nat *n, const struct server_policy *policy,
	const struct nat_view *view, const struct pcp_message *m, uint32_t epoch_s, uint8_t *msg)
{
	struct pcp_error error = {
		.result = view->exact ? PCP_CANNOT_PROVIDE_EXTERNAL : PCP_NO_RESOURCES,
		.parsed = true,
		.epoch_s = epoch_s};
	size_t len = pcp_encode_request(msg, PCP_MAX, m);

	if (len == 0)
		return 0;
	error.lifetime_s = pcp_result_lifetime_s(error.result);
	len = append_update_options(n, policy, view, m, false, msg, len);
	return pcp_error_reply(msg, len, PCP_MAX, m, &error);
}

size_t server_update(const struct nat *n, const struct server_policy *policy,
	const struct nat_update *update, uint32_t now_s, uint32_t epoch_s, uint8_t *msg)
{
	const struct nat_view *view = &update->view;
	struct pcp_message m = message_of(view);
	size_t at;

	(void)now_s; // the view says what is left
	if (view->kind != NAT_EXPLICIT && view->kind != NAT_PEER)
		return 0;
	if (view->operators || view->client == 0 || view->dialect >= PCP_DIALECTS)
		return 0;
	if (update->kind == NAT_UPDATE_LOST)
		return write_lost(n, policy, view, &m, epoch_s, msg);
	at = pcp_success_reply(msg, &m, view->lease_left_s, epoch_s);
	return append_update_options(n, policy, view, &m, true, msg, at);
}
