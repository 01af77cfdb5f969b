// SPDX-License-Identifier: Apache-2.0
#include <postern/pcp.h>

unsigned pcp_result_index(enum pcp_result result)
{
	switch (result) {
#define X(code, name, lifetime)                                                                    \
	case PCP_##name:                                                                           \
		return PCP_RESULT_##name;
		PCP_RESULTS(X)
#undef X
	}
	return PCP_RESULT_NO_RESOURCES; // the catch-all of RFC 6887 s.7.4
}

enum pcp_result pcp_result_at(unsigned index)
{
	static const uint16_t codes[PCP_RESULT_COUNT] = {
#define X(code, name, lifetime) [PCP_RESULT_##name] = code,
		PCP_RESULTS(X)
#undef X
	};

	assert(index < PCP_RESULT_COUNT);
	return (enum pcp_result)codes[index];
}

const char *pcp_result_name(unsigned code)
{
	switch (code) {
#define X(code, name, lifetime)                                                                    \
	case code:                                                                                 \
		return #name;
		PCP_RESULTS(X)
#undef X
	default:
		return "unassigned";
	}
}

uint32_t pcp_result_lifetime_s(enum pcp_result result)
{
	switch (result) {
#define X(code, name, lifetime)                                                                    \
	case PCP_##name:                                                                           \
		return lifetime;
		PCP_RESULTS(X)
#undef X
	}
	return PCP_ERROR_LONG_S;
}

const char *pcp_dialect_name(unsigned dialect)
{
	static const char *const names[PCP_DIALECTS] = {
		[PCP_V2] = "2",
		[PCP_NATPMP] = "nat-pmp",
		[PCP_V1A] = "1a",
		[PCP_V1B] = "1b",
		[PCP_V1C] = "1c",
	};

	return dialect < PCP_DIALECTS ? names[dialect] : "unknown";
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
	case PCP_AUTHENTICATION:
		return "AUTHENTICATION";
	case PCP_GET:
		return "GET";
	case PCP_EXTERNAL_ADDRESS:
		return "EXTERNAL_ADDRESS";
	default:
		return "unassigned";
	}
}

unsigned pcp_option_index(unsigned code)
{
	switch (code) {
#define X(name)                                                                                    \
	case PCP_##name:                                                                           \
		return PCP_INDEX_##name;
		PCP_OPTIONS(X)
#undef X
	default:
		return PCP_OTHER_OPTION;
	}
}

const char *pcp_option_at(unsigned index)
{
	static const char *const names[PCP_OPTION_COUNT] = {
#define X(name) #name,
		PCP_OPTIONS(X)
#undef X
			"other",
	};

	return index < PCP_OPTION_COUNT ? names[index] : "other";
}

const char *pcp_option_name(unsigned code)
{
	unsigned index = pcp_option_index(code);

	return index == PCP_OTHER_OPTION ? "unassigned" : pcp_option_at(index);
}
