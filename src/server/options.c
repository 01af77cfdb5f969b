// SPDX-License-Identifier: Apache-2.0
// Options (RFC 6887 s.7.3, s.13). The structure of the whole list comes first, whatever the codes
// say; then each option in packet order. A code below 128 must be understood or the request fails;
// one from 128 on that nobody here knows is passed over and not echoed.
#include "judge.h"

enum {
	FIRST_OPTIONAL_CODE = 128
};

// s.13.2: no data, once, in MAP alone, never in a delete, and only with a port to insist on. It
// is looked at here, before any mapping: what a request says about itself needs no state.
static enum pcp_result judge_prefer_failure(struct question *q, const struct pcp_option *o)
{
	if (!q->policy->prefer_failure)
		return refuse(q, PCP_UNSUPP_OPTION);
	if (o->length != 0 || q->prefer_failure || q->m.opcode != PCP_MAP)
		return refuse(q, PCP_MALFORMED_OPTION);
	if (q->m.lifetime_s == 0 || q->m.external_port == 0)
		return refuse(q, PCP_MALFORMED_OPTION);
	q->prefer_failure = true;
	return PCP_SUCCESS;
}

static enum pcp_result judge_option(struct question *q, const struct pcp_option *o)
{
	if (o->code == PCP_PREFER_FAILURE)
		return judge_prefer_failure(q, o);
	return o->code < FIRST_OPTIONAL_CODE ? refuse(q, PCP_UNSUPP_OPTION) : PCP_SUCCESS;
}

enum pcp_result judge_options(struct question *q, const uint8_t *msg, size_t len)
{
	struct pcp_option options[PCP_MAX_OPTIONS];
	size_t n;
	enum pcp_result result =
		pcp_decode_options(msg, len, &q->m, options, ARRAY_SIZE(options), &n);

	if (result != PCP_SUCCESS)
		return refuse(q, result);
	q->parsed = true;
	for (size_t i = 0; i < n && result == PCP_SUCCESS; i++)
		result = judge_option(q, &options[i]);
	return result;
}
