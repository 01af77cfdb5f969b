// SPDX-License-Identifier: Apache-2.0
// One datagram's way (RFC 6887 s.8.2): the door (length, R bit, version, size, opcode), the sender
// (address, permission), the options, the opcode; then the answer is written over the request.
// Dialects differ at the door and in what is written; between them there is one judgement.
#include "judge.h"

static unsigned opcode_index(const struct pcp_message *m)
{
	switch (m->opcode) {
	case PCP_ANNOUNCE:
		return SERVER_ANNOUNCE;
	case PCP_MAP:
		return SERVER_MAP;
	case PCP_PEER:
		return SERVER_PEER;
	case PCP_GET:
		return SERVER_GET;
	case PCP_EXTERNAL_ADDRESS:
		return SERVER_EXTERNAL_ADDRESS;
	default:
		return SERVER_OTHER_OPCODE;
	}
}

const char *server_opcode_name(unsigned opcode)
{
	static const char *const names[SERVER_OPCODE_COUNT] = {
		[SERVER_ANNOUNCE] = "announce",
		[SERVER_MAP] = "map",
		[SERVER_PEER] = "peer",
		[SERVER_GET] = "get",
		[SERVER_EXTERNAL_ADDRESS] = "external-address",
		[SERVER_OTHER_OPCODE] = "other",
	};

	return opcode < SERVER_OPCODE_COUNT ? names[opcode] : "other";
}

bool opcode_is_on(const struct server_policy *policy, const struct pcp_message *m)
{
	unsigned index = opcode_index(m);

	return index != SERVER_OTHER_OPCODE && (policy->opcodes >> index & 1) != 0;
}

// An opcode that is off is as if unknown, and an unknown one is refused before its body's length
// is looked at (s.8.2).
static bool opcode_comes_first(const struct question *q, size_t len, enum pcp_result why)
{
	return why == PCP_MALFORMED_REQUEST && len <= reply_cap(&q->m) && len % 4 == 0 &&
	       !opcode_is_on(q->policy, &q->m);
}

// NAT-PMP says nothing to a request that is too short for its opcode, but answers any opcode that
// it does not know: so also here one that is off.
static bool is_hidden(const struct question *q)
{
	return q->m.dialect == PCP_NATPMP && q->m.opcode == PCP_MAP &&
	       !opcode_is_on(q->policy, &q->m);
}

static enum pcp_result judge_announce(struct question *q)
{
	q->lifetime_s = 0; // s.14.1: zero both ways
	q->counters->announces++;
	return PCP_SUCCESS;
}

static enum pcp_result judge_opcode(struct question *q)
{
	switch (q->m.opcode) {
	case PCP_ANNOUNCE:
		return judge_announce(q);
	case PCP_MAP:
		return judge_map(q);
	case PCP_PEER:
		return judge_peer(q);
	case PCP_GET:
		return judge_get(q);
	default:
		return judge_external(q);
	}
}

static enum pcp_result judge_sender(struct question *q)
{
	const struct server_asker *asker = q->asker;

	if (q->m.has_client && !ip6_eq(q->m.client, ip6_mapped(asker->source)))
		return refuse(q, PCP_ADDRESS_MISMATCH);
	if (!asker->authorized || !q->policy->enabled)
		return refuse(q, PCP_NOT_AUTHORIZED);
	return PCP_SUCCESS;
}

static enum pcp_result judge(struct question *q)
{
	enum pcp_result result;

	if (!opcode_is_on(q->policy, &q->m))
		return refuse(q, PCP_UNSUPP_OPCODE);
	// From here on the message is well formed: an error's octets 12..23 are zero.
	q->parsed = true;
	result = judge_sender(q);
	if (result == PCP_SUCCESS && q->room != NULL)
		result = judge_options(q);
	if (result == PCP_SUCCESS && q->third_party)
		result = accept_target(q);
	if (result != PCP_SUCCESS)
		return result;
	if (q->asker->stranger && !q->third_party && q->m.opcode != PCP_ANNOUNCE)
		return refuse(q, PCP_NOT_AUTHORIZED);
	if (q->room != NULL && reply_is_too_long(q)) // s.7.3, before anything changes
		return refuse(q, PCP_MALFORMED_REQUEST);
	return judge_opcode(q);
}

static void note_holding(const struct question *q)
{
	struct server_client *client = q->asker->client;
	bool grants = q->m.opcode == PCP_MAP || q->m.opcode == PCP_PEER;

	if (client != NULL && grants && q->lifetime_s < UINT32_MAX - q->now_s)
		client->holds_until_s = max_u32(client->holds_until_s, q->now_s + q->lifetime_s);
}

static size_t answer(struct question *q, uint8_t *msg, size_t len, enum pcp_result *result)
{
	*result = judge(q);
	if (*result == PCP_SUCCESS)
		note_holding(q);
	return write_answer(q, *result, msg, len);
}

// Apart, so that a request without options never pays for the room.
__attribute__((noinline)) static size_t answer_with_options(
	struct question *q, uint8_t *msg, size_t len, enum pcp_result *result)
{
	struct room room;

	room.len = len;
	room.n_options = 0;
	room.built_len = 0;
	memcpy(room.request, msg, len);
	q->room = &room;
	return answer(q, msg, len, result);
}

// Where news for this client go, and in which form.
static void remember_client(const struct question *q)
{
	struct server_client *client = q->asker->client;

	if (client == NULL || !q->asker->authorized)
		return;
	client->port = q->asker->port;
	client->group = q->asker->group;
	client->dialect = q->m.dialect;
}

static bool has_options(const struct pcp_message *m, size_t len)
{
	return len > m->options_at && m->dialect != PCP_NATPMP;
}

static enum drop answer_door(struct question *q, enum pcp_door door, enum pcp_result why,
	uint8_t *msg, size_t len, size_t *reply_len, enum pcp_result *result)
{
	bool counts = door != PCP_DOOR_REFUSE || why != PCP_UNSUPP_VERSION;

	if (counts) {
		q->counters->dialects[q->m.dialect]++;
		q->counters->opcodes[opcode_index(&q->m)]++;
	}
	if (door == PCP_DOOR_OPEN) {
		remember_client(q);
		*reply_len = has_options(&q->m, len) ? answer_with_options(q, msg, len, result)
						     : answer(q, msg, len, result);
	} else {
		if (door == PCP_DOOR_SHORT || opcode_comes_first(q, len, why))
			why = PCP_UNSUPP_OPCODE;
		*result = refuse(q, why);
		*reply_len = write_answer(q, *result, msg, len);
	}
	return *reply_len > 0 ? DROP_NONE : DROP_PCP_SILENT;
}

enum drop server_answer(struct nat *n, const struct nat_policy *nat_policy,
	const struct server_policy *policy, const struct server_asker *asker, uint8_t *msg,
	size_t len, uint32_t now_s, struct server_counters *counters,
	const struct server_more *more, size_t *reply_len, enum pcp_result *result)
{
	struct question q = {
		.nat = n,
		.nat_policy = nat_policy,
		.policy = policy,
		.asker = asker,
		.counters = counters,
		.more = more,
		.now_s = now_s,
		.host = asker->source,
		.realm = asker->realm,
		.n_ports = 1,
	};
	struct pcp_served served = {.dialects = policy->dialects,
		.get = (policy->opcodes >> SERVER_GET & 1) != 0,
		.source = ip6_mapped(asker->source),
		.port = asker->port};
	enum pcp_result why = PCP_SUCCESS;
	enum pcp_door door = pcp_decode_request(msg, len, &served, &q.m, &why);

	counters->requests++;
	if (door == PCP_DOOR_SHORT && !is_hidden(&q))
		return DROP_PCP_SHORT;
	if (door == PCP_DOOR_RESPONSE)
		return DROP_PCP_RESPONSE;
	return answer_door(&q, door, why, msg, len, reply_len, result);
}
