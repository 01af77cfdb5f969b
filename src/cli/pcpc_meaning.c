// SPDX-License-Identifier: Apache-2.0
// Numbers in words: what a code is called in each dialect, what it means and what to do about it.
#include "pcpc.h"

#include <stdio.h>
#include <strings.h>

struct name {
	unsigned code;
	const char *text;
};

static const char *look_up(const struct name *names, size_t n, unsigned code)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].code == code)
			return names[i].text;
	return NULL;
}

// RFC 7652: nobody here speaks authentication, but its words can be read.
static const struct name authentication_results[] = {{14, "INITIATION"},
	{15, "AUTHENTICATION_REQUIRED"}, {16, "AUTHENTICATION_FAILED"},
	{17, "AUTHENTICATION_SUCCEEDED"}, {18, "AUTHORIZATION_FAILED"}, {19, "SESSION_TERMINATED"},
	{20, "UNKNOWN_SESSION_ID"}, {21, "DOWNGRADE_ATTACK_DETECTED"},
	{22, "AUTHENTICATION_REQUEST"}, {23, "AUTHENTICATION_REPLY"}};

static const struct name authentication_options[] = {{4, "NONCE"}, {5, "AUTHENTICATION_TAG"},
	{6, "PA_AUTHENTICATION_TAG"}, {7, "EAP_PAYLOAD"}, {8, "PRF"}, {9, "MAC_ALGORITHM"},
	{10, "SESSION_LIFETIME"}, {11, "RECEIVED_PAK"}, {12, "ID_INDICATOR"}};

static const struct name results_1a[] = {{0, "SUCCESS"}, {1, "UNSUPP_VERSION"},
	{2, "MALFORMED_REQUEST"}, {3, "UNSUPP_OPCODE"}, {4, "UNSUPP_OPTION"},
	{5, "MALFORMED_OPTION"}, {6, "UNSPECIFIED_ERROR"}, {7, "MISORDERED_OPTIONS"},
	{19, "SERVER_OVERLOADED"}, {20, "NETWORK_FAILURE"}, {21, "NO_RESOURCES"},
	{22, "UNSUPP_PROTOCOL"}, {23, "NOT_AUTHORIZED"}, {24, "USER_EX_QUOTA"},
	{25, "CANNOT_PROVIDE_EXTERNAL_PORT"}, {26, "EXCESSIVE_REMOTE_PEERS"},
	{27, "IMPLICIT_MAPPING_EXISTS"}, {50, "NONEXIST_PEER"}, {51, "UNAUTH_TARGET_ADDRESS"}};

static const struct name results_natpmp[] = {{0, "Success"}, {1, "Unsupported version"},
	{2, "Not authorized/refused"}, {3, "Network failure"}, {4, "Out of resources"},
	{5, "Unsupported opcode"}};

static const struct name options_1a[] = {
	{1, "UNPROCESSED"}, {2, "FILTER"}, {3, "PREFER_FAILURE"}, {4, "THIRD_PARTY"}};

static const struct name opcodes_1a[] = {{1, "MAP4"}, {2, "MAP6"}, {3, "PEER4"}, {4, "PEER6"}};

static const struct name opcodes_natpmp[] = {
	{0, "external address"}, {1, "map UDP"}, {2, "map TCP"}};

#define LOOK_UP(names, code) look_up(names, ARRAY_SIZE(names), code)

static const char *or_unassigned(const char *text)
{
	return text ? text : "unassigned";
}

const char *pcpc_result_name(unsigned result)
{
	const char *text = LOOK_UP(authentication_results, result);

	return text ? text : pcp_result_name(result);
}

const char *pcpc_result_text(enum pcp_dialect dialect, unsigned wire)
{
	if (dialect == PCP_NATPMP)
		return or_unassigned(LOOK_UP(results_natpmp, wire));
	if (dialect == PCP_V1A)
		return or_unassigned(LOOK_UP(results_1a, wire));
	return wire > 255 ? "unassigned" : pcpc_result_name(wire);
}

const char *pcpc_option_label(enum pcp_dialect dialect, unsigned wire)
{
	const char *text;

	if (dialect == PCP_V1A)
		return or_unassigned(LOOK_UP(options_1a, wire));
	if (dialect == PCP_V1B && wire == 0)
		return "UNPROCESSED";
	if (dialect != PCP_V2 && wire > PCP_FILTER)
		return "unassigned";
	text = LOOK_UP(authentication_options, wire);
	return text ? text : pcp_option_name(wire);
}

const char *pcpc_opcode_label(enum pcp_dialect dialect, unsigned wire)
{
	if (dialect == PCP_NATPMP)
		return or_unassigned(LOOK_UP(opcodes_natpmp, wire));
	if (dialect == PCP_V1A)
		return or_unassigned(LOOK_UP(opcodes_1a, wire));
	if (dialect != PCP_V2 && wire > PCP_PEER)
		return "unassigned";
	return pcp_opcode_name(wire);
}

#define AUTHENTICATION                                                                             \
	"it is about proving who one is (RFC 7652), which this program cannot: ask the operator "  \
	"for a server that does not want it"

// Whoever reads this knows neither the protocol nor its words: what it means, then what to do.
static const struct name advice[] = {
	{PCP_SUCCESS, "it is done"},
	{PCP_UNSUPP_VERSION,
		"the server speaks none of the versions that were tried: allow more with "
		"--versions, or name the one it speaks with --version"},
	{PCP_NOT_AUTHORIZED, "the operator does not allow it, or the port belongs to whoever made "
			     "it with another nonce: take another port, or give that --nonce"},
	{PCP_MALFORMED_REQUEST, "the server could not read the request, or it contradicts itself: "
				"look at it with --fields"},
	{PCP_UNSUPP_OPCODE, "the server does not serve this kind of request: use another command"},
	{PCP_UNSUPP_OPTION, "the server does not serve an option of the request, or not for you: "
			    "try without it (--prefer-failure, --filter, --third-party ..)"},
	{PCP_MALFORMED_OPTION, "an option of the request is wrong, or makes no sense in it: look "
			       "at it with --fields"},
	{PCP_NETWORK_FAILURE,
		"the NAT has no external address or no connection at the moment: try later"},
	{PCP_NO_RESOURCES, "the NAT is out of ports, memory or time at the moment: try later"},
	{PCP_UNSUPP_PROTOCOL,
		"this NAT does not map that protocol, or not all of it: tcp and udp with one port "
		"each are the usual ones"},
	{PCP_USER_EX_QUOTA, "you have as many mappings as the operator allows, or ask too often: "
			    "unmap one, or wait"},
	{PCP_CANNOT_PROVIDE_EXTERNAL,
		"that external address and port cannot be had: wish for another, or leave out "
		"--prefer-failure"},
	{PCP_ADDRESS_MISMATCH,
		"there is another NAT, an inner one, between this host and the server (a second "
		"router, a virtual machine's network): ask that one with --server, and open the "
		"port on both"},
	{PCP_EXCESSIVE_REMOTE_PEERS,
		"too many filters for one mapping: use wider prefixes, or clear the old ones first "
		"with --filter none"},
	{14, AUTHENTICATION},
	{15, "the server wants the client to prove who it is (RFC 7652), which this program "
	     "cannot: "
	     "ask the operator"},
	{16, AUTHENTICATION},
	{17, AUTHENTICATION},
	{18, AUTHENTICATION},
	{19, AUTHENTICATION},
	{20, AUTHENTICATION},
	{21, AUTHENTICATION},
	{22, AUTHENTICATION},
	{23, AUTHENTICATION},
	{PCP_THIRD_PARTY_ID_UNKNOWN, "the server knows no such --third-party-id: ask the operator "
				     "for the right one"},
	{PCP_THIRD_PARTY_MISSING_OPTION, "--third-party and --third-party-id are wanted together"},
	{PCP_UNSUPP_THIRD_PARTY_ID_LENGTH,
		"the --third-party-id has not as many octets as the server's have: ask the "
		"operator for the right one"},
	{PCP_NONEXIST_MAP, "there is no such mapping: it ended, or was never there"},
	{PCP_AMBIGUOUS, "the server cannot tell which mapping is meant: say more about it"},
	{PCP_MISORDERED_OPTIONS, "version 1a wants options in ascending order: a fault of the "
				 "request, look at it with --fields"},
	{PCP_NONEXIST_PEER,
		"there is no such connection yet, and version 1a does not make one: send a packet "
		"to the remote host first"},
	{PCP_UNAUTH_TARGET_ADDRESS, "you may not ask for that host: try without --third-party"},
};

const char *pcpc_advice(unsigned result)
{
	const char *text = LOOK_UP(advice, result);

	return text ? text : "a code this program does not know: ask the operator what it means";
}

bool pcpc_find_result(const char *text, unsigned *result)
{
	uint32_t n;

	if (pcpc_parse_number(text, 511, &n)) {
		*result = n;
		return true;
	}
	for (*result = 0; *result < 512; ++*result)
		if (strcasecmp(text, pcpc_result_name(*result)) == 0)
			return strcasecmp(text, "unassigned") != 0;
	return false;
}
