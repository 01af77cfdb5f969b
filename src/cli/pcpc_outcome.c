// SPDX-License-Identifier: Apache-2.0
// What a script learns: one exit code for what one or many servers did.
#include "pcpc.h"

// RFC 6887 s.7.4 recommends a short lifetime for errors that pass.
enum pcpc_exit pcpc_exit_of_result(unsigned result)
{
	if (result == PCP_SUCCESS)
		return PCPC_OK;
	if (result < PCP_UNKNOWN_RESULT &&
		pcp_result_lifetime_s((enum pcp_result)result) == PCP_ERROR_SHORT_S &&
		result <= PCP_EXCESSIVE_REMOTE_PEERS)
		return PCPC_TRY_LATER;
	return PCPC_REFUSED;
}

void pcpc_outcome_add(struct pcpc_outcome *outcome, enum pcpc_exit end)
{
	switch (end) {
	case PCPC_OK:
		outcome->granted++;
		break;
	case PCPC_TRY_LATER:
		outcome->later++;
		break;
	case PCPC_REFUSED:
		outcome->refused++;
		break;
	case PCPC_NO_ANSWER:
		outcome->silent++;
		break;
	default:
		outcome->other++;
	}
}

enum pcpc_exit pcpc_outcome_exit(const struct pcpc_outcome *o)
{
	if (o->granted > 0)
		return o->refused + o->later + o->silent + o->other > 0 ? PCPC_PARTLY : PCPC_OK;
	if (o->refused > 0)
		return PCPC_REFUSED;
	if (o->later > 0)
		return PCPC_TRY_LATER;
	return PCPC_NO_ANSWER;
}
