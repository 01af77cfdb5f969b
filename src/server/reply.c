// SPDX-License-Identifier: Apache-2.0
// The answer's octets: a success has only the options that were processed, in the order of the
// request (RFC 6887 s.8.2); an error is the request that came back.
#include "judge.h"

enum {
	V1A_GROWS = 4 // octets by which a response of draft -07 is longer than its request
};

size_t reply_cap(const struct pcp_message *m)
{
	return m->dialect == PCP_V2 ? PCP_MAX : PCP_V1_MAX;
}

static size_t option_size(size_t length)
{
	return sizeof(struct pcp_option_wire) + ((length + 3) & ~(size_t)3);
}

static size_t prefixes_size(const struct server_policy *policy)
{
	size_t size = 0;

	for (uint32_t i = 0; i < policy->n_prefix64; i++) {
		uint16_t n = policy->prefix64[i].n;

		size += option_size(n == 0 ? 14 : 16 + 6 * (size_t)n);
	}
	return size;
}

size_t reply_size(const struct question *q)
{
	size_t size = q->m.options_at + (q->m.dialect == PCP_V1A ? V1A_GROWS : 0);

	for (size_t i = 0; q->room != NULL && i < q->room->n_options; i++) {
		const struct pcp_option *o = &q->room->options[i];
		unsigned index = pcp_option_index(o->code);

		if ((q->echo & option_bit(index)) != 0)
			size += index == PCP_INDEX_PREFIX64 ? prefixes_size(q->policy)
							    : option_size(o->length);
	}
	return size;
}

// Only PREFIX64 and the longer header of draft -07 can make a reply longer than its request.
bool reply_is_too_long(const struct question *q)
{
	return reply_size(q) > reply_cap(&q->m);
}

// All of them or none: half a list would be used as if it were whole.
size_t append_prefixes(uint8_t *msg, size_t at, size_t cap, const struct server_policy *policy)
{
	if (at + prefixes_size(policy) > cap)
		return at;
	for (uint32_t i = 0; i < policy->n_prefix64; i++) {
		size_t end = pcp_append_prefix64(msg, at, cap, &policy->prefix64[i]);

		at = end > 0 ? end : at;
	}
	return at;
}

static size_t append_set(const struct question *q, uint8_t *msg, size_t at, size_t cap)
{
	// RFC 7753 s.4.2: never in the answer about a single port.
	return q->told.size > 1 ? pcp_append_port_set(msg, at, cap, &q->told) : at;
}

static size_t append_echo(
	const struct question *q, const struct pcp_option *o, uint8_t *msg, size_t at, size_t cap)
{
	struct pcp_filter filter;

	if ((q->echo & option_bit(pcp_option_index(o->code))) == 0)
		return at;
	switch (o->code) {
	case PCP_THIRD_PARTY:
		return pcp_append_third_party(msg, at, cap, &q->m, q->target);
	case PCP_FILTER:
		if (!pcp_read_filter(&q->m, o, &filter))
			return at;
		return pcp_append_filter(msg, at, cap, &q->m, &filter);
	case PCP_DESCRIPTION: // what was kept of it
		return pcp_append_option(msg, at, cap, o->wire_code, q->text, q->text_length);
	case PCP_PREFIX64:
		return append_prefixes(msg, at, cap, q->policy);
	case PCP_PORT_SET:
		return append_set(q, msg, at, cap);
	default:
		return pcp_append_option(msg, at, cap, o->wire_code, o->data, o->length);
	}
}

// RFC 7225 s.4.2: told unasked, too, where there is room.
static bool tells_prefixes_unasked(const struct question *q)
{
	bool is_place =
		q->m.opcode == PCP_ANNOUNCE || (q->m.opcode == PCP_MAP && q->lifetime_s != 0);

	return q->policy->n_prefix64 > 0 && q->m.dialect == PCP_V2 && is_place &&
	       (q->policy->options >> PCP_INDEX_PREFIX64 & 1) != 0 &&
	       (q->echo & option_bit(PCP_INDEX_PREFIX64)) == 0;
}

static size_t append_built(const struct question *q, uint8_t *msg, size_t at)
{
	memcpy(msg + at, q->room->built, q->room->built_len);
	return at + q->room->built_len;
}

static size_t write_success(const struct question *q, uint8_t *msg)
{
	size_t cap = reply_cap(&q->m);
	size_t at = pcp_success_reply(msg, &q->m, q->lifetime_s, q->asker->epoch_s);

	if (q->room != NULL) {
		for (size_t i = 0; i < q->room->n_options; i++) {
			size_t end = append_echo(q, &q->room->options[i], msg, at, cap);

			at = end > 0 ? end : at;
		}
		at = append_built(q, msg, at);
	}
	if (tells_prefixes_unasked(q))
		at = append_prefixes(msg, at, cap, q->policy);
	return at;
}

size_t write_answer(const struct question *q, enum pcp_result result, uint8_t *msg, size_t len)
{
	struct pcp_error error = {.result = result,
		.parsed = q->parsed,
		.lifetime_s = q->lifetime_s,
		.epoch_s = q->asker->epoch_s,
		.blamed = q->blamed};
	size_t cap = len > PCP_MAX ? len : PCP_MAX;
	size_t reply_len;

	if (result == PCP_NONEXIST_MAP && len > q->m.options_at) // the draft: without NEXT
		len = q->m.options_at;
	reply_len = result == PCP_SUCCESS ? write_success(q, msg)
					  : pcp_error_reply(msg, len, cap, &q->m, &error);
	if (reply_len > 0)
		q->counters->results[pcp_result_index(result)]++;
	return reply_len;
}
