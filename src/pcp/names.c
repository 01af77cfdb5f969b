// SPDX-License-Identifier: Apache-2.0
#include <postern/pcp.h>

const char *pcp_result_name(unsigned code)
{
	static const char *const names[PCP_RESULT_COUNT] = {
#define X(code, name, lifetime) [code] = #name,
		PCP_RESULTS(X)
#undef X
	};

	return code < PCP_RESULT_COUNT ? names[code] : "unassigned";
}

uint32_t pcp_result_lifetime_s(enum pcp_result result)
{
	static const uint32_t lifetimes[PCP_RESULT_COUNT] = {
#define X(code, name, lifetime) [code] = lifetime,
		PCP_RESULTS(X)
#undef X
	};

	return (unsigned)result < PCP_RESULT_COUNT ? lifetimes[result] : PCP_ERROR_LONG_S;
}

const char *pcp_opcode_name(unsigned opcode)
{
	switch (opcode) {
	case PCP_ANNOUNCE:
		return "ANNOUNCE";
	case PCP_MAP:
		return "MAP";
	case PCP_PEER:
		return "PEER";
	default:
		return "unassigned";
	}
}

const char *pcp_option_name(unsigned code)
{
	switch (code) {
	case PCP_THIRD_PARTY:
		return "THIRD_PARTY";
	case PCP_PREFER_FAILURE:
		return "PREFER_FAILURE";
	case PCP_FILTER:
		return "FILTER";
	default:
		return "unassigned";
	}
}
