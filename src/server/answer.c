// SPDX-License-Identifier: Apache-2.0
// One datagram's way (RFC 6887 s.8.2): the door (length, R bit, version, size, opcode), the sender
// (address, permission), the options, the opcode; then the answer is written over the request.
#include "judge.h"

static bool opcode_served(uint8_t opcode)
{
	return opcode == PCP_ANNOUNCE || opcode == PCP_MAP;
}

// The codec knows opcodes that are not served here. To their requesters the body does not matter:
// the opcode is judged before its length (s.8.2).
static enum pcp_result judge_door(const struct question *q, size_t len, enum pcp_result result)
{
	bool body_short = result == PCP_MALFORMED_REQUEST && len <= PCP_MAX && len % 4 == 0;

	return body_short && !opcode_served(q->m.opcode) ? PCP_UNSUPP_OPCODE : result;
}

static enum pcp_result judge_announce(struct question *q)
{
	q->lifetime_s = 0; // s.14.1: zero both ways
	q->counters->announces++;
	return PCP_SUCCESS;
}

static enum pcp_result judge(struct question *q, const uint8_t *msg, size_t len)
{
	enum pcp_result result;

	if (!opcode_served(q->m.opcode))
		return refuse(q, PCP_UNSUPP_OPCODE);
	// From here on the message is well formed: an error's octets 12..23 are zero.
	q->parsed = true;
	if (!ip6_eq(q->m.client, ip6_mapped(q->asker->source)))
		return refuse(q, PCP_ADDRESS_MISMATCH);
	if (!q->asker->authorized || !q->policy->enabled)
		return refuse(q, PCP_NOT_AUTHORIZED);
	q->parsed = false; // the option list may still be broken
	result = judge_options(q, msg, len);
	if (result != PCP_SUCCESS)
		return result;
	return q->m.opcode == PCP_MAP ? judge_map(q) : judge_announce(q);
}

static size_t write_success(const struct question *q, uint8_t *msg)
{
	size_t len = pcp_success_header(msg, q->lifetime_s, q->asker->epoch_s);

	if (q->m.opcode != PCP_MAP)
		return len;
	pcp_write_body(msg, &q->m);
	len += PCP_MAP_BODY;
	if (q->prefer_failure)
		len = pcp_append_option(msg, len, PCP_MAX, PCP_PREFER_FAILURE, NULL, 0);
	return len;
}

static size_t write_reply(
	const struct question *q, enum pcp_result result, uint8_t *msg, size_t len)
{
	size_t cap = len > PCP_MAX ? len : PCP_MAX;

	q->counters->results[result]++;
	if (result == PCP_SUCCESS)
		return write_success(q, msg);
	return pcp_error_reply(msg, len, cap, result, q->parsed, q->lifetime_s, q->asker->epoch_s);
}

enum drop server_answer(struct nat *n, const struct nat_policy *nat_policy,
	const struct server_policy *policy, const struct server_asker *asker, uint8_t *msg,
	size_t len, uint32_t now_s, struct server_counters *counters, size_t *reply_len)
{
	struct question q = {
		.nat = n,
		.nat_policy = nat_policy,
		.policy = policy,
		.asker = asker,
		.counters = counters,
		.now_s = now_s,
	};
	enum pcp_result result = PCP_SUCCESS;

	counters->requests++;
	switch (pcp_decode_request(msg, len, &q.m, &result)) {
	case PCP_DOOR_SHORT:
		return DROP_PCP_SHORT;
	case PCP_DOOR_RESPONSE:
		return DROP_PCP_RESPONSE;
	case PCP_DOOR_REFUSE:
		result = refuse(&q, judge_door(&q, len, result));
		break;
	case PCP_DOOR_OPEN:
		result = judge(&q, msg, len);
		break;
	}
	*reply_len = write_reply(&q, result, msg, len);
	return DROP_NONE;
}

size_t server_announce(uint8_t *msg, uint32_t epoch_s)
{
	msg[0] = PCP_VERSION;
	msg[1] = PCP_ANNOUNCE;
	return pcp_success_header(msg, 0, epoch_s);
}
