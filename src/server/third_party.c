// SPDX-License-Identifier: Apache-2.0
// THIRD_PARTY (RFC 6887 s.13.1) and THIRD_PARTY_ID (RFC 7843): requests for another host. Whether
// a client may make them is decided where its own datagrams arrive, so that nobody can load another
// subscriber's shard; what is granted is decided by the shard that owns that host.
#include "judge.h"

bool source_is_in(const struct server_sources *sources, ip4 source)
{
	for (uint32_t i = 0; i < sources->n; i++)
		if (prefix4_has(sources->list[i], source))
			return true;
	return false;
}

enum pcp_result judge_third_party(struct question *q, const struct pcp_option *o)
{
	if (!pcp_read_third_party(&q->m, o, &q->target))
		return PCP_MALFORMED_OPTION;
	q->third_party = true;
	return PCP_SUCCESS;
}

// RFC 7843 names no order; ours is the length, its companion, the identifier.
enum pcp_result judge_id(struct question *q, const struct pcp_option *o)
{
	const struct server_third_party *p = &q->policy->third_party;

	q->id = o;
	for (uint32_t i = 0; i < p->n_ids; i++)
		if (p->ids[i].length == o->length && o->length > 0)
			return PCP_SUCCESS;
	return PCP_UNSUPP_THIRD_PARTY_ID_LENGTH;
}

static const struct server_id *find_id(const struct question *q)
{
	const struct server_third_party *p = &q->policy->third_party;

	for (uint32_t i = 0; i < p->n_ids; i++) {
		const struct server_id *id = &p->ids[i];

		if (id->length == q->id->length && memcmp(id->octets, q->id->data, id->length) == 0)
			return id;
	}
	return NULL;
}

static enum pcp_result refuse_target(const struct question *q)
{
	return q->m.dialect == PCP_V1A ? PCP_UNAUTH_TARGET_ADDRESS : PCP_UNSUPP_OPTION;
}

// Both options together, when the whole list was read.
enum pcp_result judge_target(struct question *q)
{
	const struct server_id *id = NULL;

	if (!q->third_party)
		return q->id == NULL ? PCP_SUCCESS : PCP_THIRD_PARTY_MISSING_OPTION;
	if (q->id == NULL && q->policy->third_party.id_required)
		return PCP_THIRD_PARTY_MISSING_OPTION;
	if (q->id != NULL) {
		id = find_id(q);
		if (id == NULL)
			return PCP_THIRD_PARTY_ID_UNKNOWN;
		q->realm = id->realm;
	}
	if (!ip6_is_mapped(q->target))
		return refuse_target(q);
	q->host = ip6_to_ip4(q->target);
	// s.13.1: nobody is a third party to himself. An equal address in another realm is another
	// host.
	if (q->host == q->asker->source && q->realm == q->asker->realm)
		return PCP_MALFORMED_REQUEST;
	return PCP_SUCCESS;
}

enum pcp_result accept_target(struct question *q)
{
	const struct server_asker *asker = q->asker;

	if (!asker->has_target || !asker->target_ok || asker->target != q->host ||
		asker->target_realm != q->realm)
		return refuse(q, refuse_target(q));
	q->counters->third_party++;
	return PCP_SUCCESS;
}

__attribute__((noinline)) static bool options_name_target(
	struct question *q, const uint8_t *msg, size_t len)
{
	struct room room;

	room.len = len;
	room.n_options = 0;
	room.built_len = 0;
	memcpy(room.request, msg, len);
	q->room = &room;
	return judge_options(q) == PCP_SUCCESS && q->third_party;
}

bool server_find_target(const struct server_policy *policy, const struct server_asker *asker,
	const uint8_t *msg, size_t len, ip4 *host, uint8_t *realm)
{
	struct server_counters nowhere = {0};
	struct question q = {.policy = policy,
		.asker = asker,
		.counters = &nowhere,
		.host = asker->source,
		.realm = asker->realm,
		.n_ports = 1};
	struct pcp_served served = {.dialects = policy->dialects,
		.get = (policy->opcodes >> SERVER_GET & 1) != 0,
		.source = ip6_mapped(asker->source),
		.port = asker->port};
	enum pcp_result why;

	if (!asker->authorized || !policy->enabled ||
		!source_is_in(&policy->third_party.sources, asker->source))
		return false;
	if (pcp_decode_request(msg, len, &served, &q.m, &why) != PCP_DOOR_OPEN ||
		q.m.dialect == PCP_NATPMP || len <= q.m.options_at || !opcode_is_on(policy, &q.m))
		return false;
	if (q.m.has_client && !ip6_eq(q.m.client, ip6_mapped(asker->source)))
		return false;
	if (!options_name_target(&q, msg, len))
		return false;
	*host = q.host;
	*realm = q.realm;
	return true;
}
