// SPDX-License-Identifier: Apache-2.0
// Result numbers. One cause has up to three: version 2's (v1b and v1c use the same), v1a's, and
// NAT-PMP's. Causes that a dialect cannot meet have the number that would puzzle its client least.
#include <postern/pcp.h>

#include "wire.h"

enum { // draft-ietf-pcp-base-07
	V1A_UNSPECIFIED_ERROR = 6,
	V1A_SERVER_OVERLOADED = 19,
};

static const uint8_t v1a_codes[PCP_RESULT_COUNT] = {
	[PCP_RESULT_SUCCESS] = 0,
	[PCP_RESULT_UNSUPP_VERSION] = 1,
	[PCP_RESULT_NOT_AUTHORIZED] = 23,
	[PCP_RESULT_MALFORMED_REQUEST] = 2,
	[PCP_RESULT_UNSUPP_OPCODE] = 3,
	[PCP_RESULT_UNSUPP_OPTION] = 4,
	[PCP_RESULT_MALFORMED_OPTION] = 5,
	[PCP_RESULT_NETWORK_FAILURE] = 20,
	[PCP_RESULT_NO_RESOURCES] = 21,
	[PCP_RESULT_UNSUPP_PROTOCOL] = 22,
	[PCP_RESULT_USER_EX_QUOTA] = 24,
	[PCP_RESULT_CANNOT_PROVIDE_EXTERNAL] = 25,
	[PCP_RESULT_ADDRESS_MISMATCH] = V1A_UNSPECIFIED_ERROR,
	[PCP_RESULT_EXCESSIVE_REMOTE_PEERS] = 26,
	[PCP_RESULT_THIRD_PARTY_ID_UNKNOWN] = V1A_UNSPECIFIED_ERROR,
	[PCP_RESULT_THIRD_PARTY_MISSING_OPTION] = V1A_UNSPECIFIED_ERROR,
	[PCP_RESULT_UNSUPP_THIRD_PARTY_ID_LENGTH] = V1A_UNSPECIFIED_ERROR,
	[PCP_RESULT_NONEXIST_MAP] = V1A_UNSPECIFIED_ERROR,
	[PCP_RESULT_AMBIGUOUS] = V1A_UNSPECIFIED_ERROR,
	[PCP_RESULT_MISORDERED_OPTIONS] = 7,
	[PCP_RESULT_NONEXIST_PEER] = 50,
	[PCP_RESULT_UNAUTH_TARGET_ADDRESS] = 51,
};

// RFC 6886 s.3.5: 2 is also "refused", 4 also stands for a quota. A malformed request is not
// answered at all; the caller sees to that.
static const uint8_t natpmp_codes[PCP_RESULT_COUNT] = {
	[PCP_RESULT_SUCCESS] = 0,
	[PCP_RESULT_UNSUPP_VERSION] = 1,
	[PCP_RESULT_NOT_AUTHORIZED] = 2,
	[PCP_RESULT_MALFORMED_REQUEST] = 2,
	[PCP_RESULT_UNSUPP_OPCODE] = 5,
	[PCP_RESULT_UNSUPP_OPTION] = 2,
	[PCP_RESULT_MALFORMED_OPTION] = 2,
	[PCP_RESULT_NETWORK_FAILURE] = 3,
	[PCP_RESULT_NO_RESOURCES] = 4,
	[PCP_RESULT_UNSUPP_PROTOCOL] = 2,
	[PCP_RESULT_USER_EX_QUOTA] = 4,
	[PCP_RESULT_CANNOT_PROVIDE_EXTERNAL] = 4,
	[PCP_RESULT_ADDRESS_MISMATCH] = 2,
	[PCP_RESULT_EXCESSIVE_REMOTE_PEERS] = 2,
	[PCP_RESULT_THIRD_PARTY_ID_UNKNOWN] = 2,
	[PCP_RESULT_THIRD_PARTY_MISSING_OPTION] = 2,
	[PCP_RESULT_UNSUPP_THIRD_PARTY_ID_LENGTH] = 2,
	[PCP_RESULT_NONEXIST_MAP] = 2,
	[PCP_RESULT_AMBIGUOUS] = 2,
	[PCP_RESULT_MISORDERED_OPTIONS] = 2,
	[PCP_RESULT_NONEXIST_PEER] = 2,
	[PCP_RESULT_UNAUTH_TARGET_ADDRESS] = 2,
};

static uint8_t of_version_2(enum pcp_result result)
{
	switch (result) {
	case PCP_MISORDERED_OPTIONS:
		return PCP_MALFORMED_OPTION;
	case PCP_NONEXIST_PEER:
		return PCP_CANNOT_PROVIDE_EXTERNAL;
	case PCP_UNAUTH_TARGET_ADDRESS:
		return PCP_UNSUPP_OPTION;
	default:
		return (uint8_t)result;
	}
}

uint8_t pcp_result_to_wire(unsigned dialect, enum pcp_result result)
{
	if (dialect == PCP_V1A)
		return v1a_codes[pcp_result_index(result)];
	if (dialect == PCP_NATPMP)
		return natpmp_codes[pcp_result_index(result)];
	return of_version_2(result);
}

static uint16_t from_v1a(unsigned code)
{
	if (code == V1A_SERVER_OVERLOADED || code == V1A_UNSPECIFIED_ERROR)
		return PCP_NO_RESOURCES;
	for (unsigned i = 0; i < PCP_RESULT_COUNT; i++)
		if (v1a_codes[i] == code)
			return (uint16_t)pcp_result_at(i);
	return PCP_UNKNOWN_RESULT;
}

static uint16_t from_natpmp(unsigned code)
{
	static const uint16_t results[] = {PCP_SUCCESS, PCP_UNSUPP_VERSION, PCP_NOT_AUTHORIZED,
		PCP_NETWORK_FAILURE, PCP_NO_RESOURCES, PCP_UNSUPP_OPCODE};

	return code < ARRAY_SIZE(results) ? results[code] : PCP_UNKNOWN_RESULT;
}

uint16_t pcp_result_from_wire(unsigned dialect, unsigned code)
{
	if (dialect == PCP_V1A)
		return from_v1a(code);
	if (dialect == PCP_NATPMP)
		return from_natpmp(code);
	return (uint16_t)code;
}
