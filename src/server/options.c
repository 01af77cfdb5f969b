// SPDX-License-Identifier: Apache-2.0
// Options (RFC 6887 s.7.3, s.13, and the extensions). The structure of the whole list comes first,
// whatever the codes say; then each option in packet order. A code below 128 must be understood or
// the request fails; one from 128 on that nobody here knows is passed over and not echoed. What an
// operator has switched off nobody here knows.
#include "judge.h"

#define IN(opcode) (1u << (opcode))

struct rule {
	uint8_t opcodes; // where it makes sense: bit set of enum pcp_opcode, GET as bit 7
	bool many;       // several in one request
	enum pcp_result (*judge)(struct question *q, const struct pcp_option *o);
};

enum {
	GET_BIT = 7
};

// s.13.2: no data, once, never in a delete, and only with a port to insist on. It is looked at
// here, before any mapping: what a request says about itself needs no state.
static enum pcp_result judge_prefer_failure(struct question *q, const struct pcp_option *o)
{
	if (o->length != 0 || q->m.lifetime_s == 0 || q->m.external_port == 0)
		return PCP_MALFORMED_OPTION;
	q->insists = true;
	return PCP_SUCCESS;
}

// s.13.3: an IPv4 subscriber's remote peers have IPv4 addresses.
static bool read_filter(const struct pcp_filter *wire, struct nat_filter *out)
{
	if (!ip6_is_mapped(wire->address) || wire->prefix < 96 || wire->prefix > 128)
		return false;
	out->bits = (uint8_t)(wire->prefix - 96);
	out->port = wire->port;
	out->address = ip6_to_ip4(wire->address) & prefix4_mask(out->bits);
	return true;
}

static enum pcp_result judge_filter(struct question *q, const struct pcp_option *o)
{
	struct pcp_filter wire;

	if (q->m.lifetime_s == 0 || !pcp_read_filter(&q->m, o, &wire))
		return PCP_MALFORMED_OPTION;
	if (wire.prefix == 0) { // wipes what the mapping has and what came before
		q->clear_filters = true;
		q->n_filters = 0;
		return PCP_SUCCESS;
	}
	if (q->n_filters == SERVER_MAX_FILTERS)
		return PCP_EXCESSIVE_REMOTE_PEERS;
	return read_filter(&wire, &q->room->filters[q->n_filters++]) ? PCP_SUCCESS
								     : PCP_MALFORMED_OPTION;
}

// RFC 7220: a text that cannot be kept never makes the request fail.
static enum pcp_result judge_text(struct question *q, const struct pcp_option *o)
{
	if (q->m.lifetime_s != 0 && read_text(q, o))
		return PCP_SUCCESS;
	q->counters->texts_dropped += q->m.lifetime_s != 0;
	q->seen &= ~option_bit(PCP_INDEX_DESCRIPTION);
	q->echo &= ~option_bit(PCP_INDEX_DESCRIPTION);
	return PCP_SUCCESS;
}

// RFC 7225: a request's option only says "I would like to know"; a wrong one is passed over.
static enum pcp_result judge_prefix64(struct question *q, const struct pcp_option *o)
{
	struct pcp_prefix64 asked;

	if (!pcp_read_prefix64(o, &asked) || asked.length != 12 || asked.n != 0)
		q->echo &= ~option_bit(PCP_INDEX_PREFIX64);
	return PCP_SUCCESS;
}

// RFC 7767: there is no second server to keep a copy, and no echo says so.
static enum pcp_result judge_checkpoint(struct question *q, const struct pcp_option *o)
{
	(void)o;
	q->echo &= ~option_bit(PCP_INDEX_CHECKPOINT_REQUIRED);
	return PCP_SUCCESS;
}

static enum pcp_result judge_next(struct question *q, const struct pcp_option *o)
{
	(void)o;
	q->echo &= ~option_bit(PCP_INDEX_NEXT); // get.c writes its own
	return PCP_SUCCESS;
}

static const struct rule rules[PCP_OPTION_COUNT] = {
	[PCP_INDEX_THIRD_PARTY] = {IN(PCP_MAP) | IN(PCP_PEER) | IN(GET_BIT), false,
		judge_third_party},
	[PCP_INDEX_PREFER_FAILURE] = {IN(PCP_MAP), false, judge_prefer_failure},
	[PCP_INDEX_FILTER] = {IN(PCP_MAP), true, judge_filter},
	[PCP_INDEX_THIRD_PARTY_ID] = {IN(PCP_MAP) | IN(PCP_PEER) | IN(GET_BIT), false, judge_id},
	[PCP_INDEX_DESCRIPTION] = {IN(PCP_MAP) | IN(PCP_PEER), false, judge_text},
	[PCP_INDEX_PREFIX64] = {IN(PCP_MAP) | IN(PCP_ANNOUNCE), false, judge_prefix64},
	[PCP_INDEX_PORT_SET] = {IN(PCP_MAP), false, judge_port_set},
	[PCP_INDEX_NEXT] = {IN(GET_BIT), false, judge_next},
	[PCP_INDEX_PORT_RESERVATION] = {IN(PCP_MAP), false, judge_reservation},
	[PCP_INDEX_CHECKPOINT_REQUIRED] = {IN(PCP_MAP) | IN(PCP_PEER), false, judge_checkpoint},
};

// The drafts of version 1 know the three options of RFC 6887 and no later one.
static bool is_known(const struct question *q, const struct pcp_option *o, unsigned index)
{
	if (index == PCP_OTHER_OPTION || (q->policy->options >> index & 1) == 0)
		return false;
	if (index == PCP_INDEX_DESCRIPTION && q->policy->description_max == 0)
		return false;
	return q->m.dialect == PCP_V2 || o->code <= PCP_FILTER;
}

// Who may not ask for others shall not learn more than that (s.13.1).
static enum pcp_result judge_permission(const struct question *q, unsigned index)
{
	bool is_id = index == PCP_INDEX_THIRD_PARTY_ID;

	if (index != PCP_INDEX_THIRD_PARTY && !is_id)
		return PCP_SUCCESS;
	if (source_is_in(&q->policy->third_party.sources, q->asker->source))
		return PCP_SUCCESS;
	return q->m.dialect == PCP_V1A && !is_id ? PCP_UNAUTH_TARGET_ADDRESS : PCP_UNSUPP_OPTION;
}

static enum pcp_result judge_misplaced(const struct question *q, const struct pcp_option *o)
{
	if (o->code >= FIRST_OPTIONAL_CODE)
		return PCP_SUCCESS;                                     // passed over
	return o->code == PCP_PREFER_FAILURE && q->m.opcode == PCP_PEER // s.12.1
		       ? PCP_MALFORMED_REQUEST
		       : PCP_MALFORMED_OPTION;
}

static enum pcp_result judge_option(struct question *q, const struct pcp_option *o)
{
	unsigned index = pcp_option_index(o->code);
	unsigned opcode = q->m.opcode == PCP_GET ? (unsigned)GET_BIT : q->m.opcode;
	enum pcp_result result;

	q->counters->options[index]++;
	if (!is_known(q, o, index))
		return o->code < FIRST_OPTIONAL_CODE ? PCP_UNSUPP_OPTION : PCP_SUCCESS;
	result = judge_permission(q, index);
	if (result != PCP_SUCCESS)
		return result;
	if ((rules[index].opcodes & IN(opcode)) == 0)
		return judge_misplaced(q, o);
	if (!rules[index].many && (q->counted & option_bit(index)) != 0)
		return PCP_MALFORMED_OPTION;
	q->counted |= option_bit(index);
	q->seen |= option_bit(index);
	q->echo |= option_bit(index);
	return rules[index].judge(q, o);
}

static enum pcp_result judge_each(struct question *q)
{
	const struct room *room = q->room;

	for (size_t i = 0; i < room->n_options; i++) {
		enum pcp_result result = judge_option(q, &room->options[i]);

		if (result == PCP_SUCCESS)
			continue;
		q->blamed = &room->options[i];
		return result;
	}
	return PCP_SUCCESS;
}

// RFC 7753 s.4.2: exactly that pair and as many ports as can be had exclude each other.
static enum pcp_result judge_together(struct question *q)
{
	bool set = is_seen(q, PCP_INDEX_PORT_SET) || is_seen(q, PCP_INDEX_PORT_RESERVATION);

	if (q->insists && set)
		return PCP_MALFORMED_OPTION;
	return judge_target(q);
}

enum pcp_result judge_options(struct question *q)
{
	struct room *room = q->room;
	enum pcp_result result;

	result = pcp_decode_options(room->request, room->len, &q->m, room->options,
		ARRAY_SIZE(room->options), &room->n_options);
	q->parsed = result == PCP_SUCCESS; // a list that breaks was not parsed
	if (result == PCP_SUCCESS)
		result = judge_each(q);
	if (result == PCP_SUCCESS)
		result = judge_together(q);
	return result == PCP_SUCCESS ? result : refuse(q, result);
}
