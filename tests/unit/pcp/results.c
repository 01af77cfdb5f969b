// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

struct translation {
	enum pcp_result cause;
	uint8_t v2, v1a, natpmp;
	uint16_t back_v2, back_v1a, back_natpmp; // what a client makes of them
};

#define SAME(r) r, r, r

// What a dialect has no own number for comes back as the nearest that it has.
static const struct translation translations[] = {
	{PCP_UNSUPP_VERSION, 1, 1, 1, SAME(PCP_UNSUPP_VERSION)},
	{PCP_NOT_AUTHORIZED, 2, 23, 2, SAME(PCP_NOT_AUTHORIZED)},
	{PCP_MALFORMED_REQUEST, 3, 2, 0, SAME(PCP_MALFORMED_REQUEST)},
	{PCP_UNSUPP_OPTION, 5, 4, 2, PCP_UNSUPP_OPTION, PCP_UNSUPP_OPTION, PCP_NOT_AUTHORIZED},
	{PCP_MALFORMED_OPTION, 6, 5, 2, PCP_MALFORMED_OPTION, PCP_MALFORMED_OPTION,
		PCP_NOT_AUTHORIZED},
	{PCP_NETWORK_FAILURE, 7, 20, 3, SAME(PCP_NETWORK_FAILURE)},
	{PCP_NO_RESOURCES, 8, 21, 4, SAME(PCP_NO_RESOURCES)},
	{PCP_UNSUPP_PROTOCOL, 9, 22, 2, PCP_UNSUPP_PROTOCOL, PCP_UNSUPP_PROTOCOL,
		PCP_NOT_AUTHORIZED},
	{PCP_USER_EX_QUOTA, 10, 24, 4, PCP_USER_EX_QUOTA, PCP_USER_EX_QUOTA, PCP_NO_RESOURCES},
	{PCP_CANNOT_PROVIDE_EXTERNAL, 11, 25, 4, PCP_CANNOT_PROVIDE_EXTERNAL,
		PCP_CANNOT_PROVIDE_EXTERNAL, PCP_NO_RESOURCES},
	{PCP_ADDRESS_MISMATCH, 12, 6, 2, PCP_ADDRESS_MISMATCH, PCP_NO_RESOURCES,
		PCP_NOT_AUTHORIZED},
	{PCP_EXCESSIVE_REMOTE_PEERS, 13, 26, 2, PCP_EXCESSIVE_REMOTE_PEERS,
		PCP_EXCESSIVE_REMOTE_PEERS, PCP_NOT_AUTHORIZED},
	{PCP_MISORDERED_OPTIONS, 6, 7, 2, PCP_MALFORMED_OPTION, PCP_MISORDERED_OPTIONS,
		PCP_NOT_AUTHORIZED},
	{PCP_NONEXIST_PEER, 11, 50, 2, PCP_CANNOT_PROVIDE_EXTERNAL, PCP_NONEXIST_PEER,
		PCP_NOT_AUTHORIZED},
	{PCP_UNAUTH_TARGET_ADDRESS, 5, 51, 2, PCP_UNSUPP_OPTION, PCP_UNAUTH_TARGET_ADDRESS,
		PCP_NOT_AUTHORIZED},
};

// The error in the dialect's octets; 0: it says nothing.
static size_t say(enum pcp_dialect dialect, enum pcp_result cause, uint8_t msg[HEX_MAX])
{
	struct pcp_message m = {.dialect = (uint8_t)dialect,
		.opcode = PCP_MAP,
		.wire_opcode = 1,
		.protocol = 17,
		.internal_port = 9};
	struct pcp_error error = {cause, true, 30, 100, NULL};

	memset(msg, 0, HEX_MAX);
	return pcp_error_reply(msg, 60, HEX_MAX, &m, &error);
}

static void check(enum pcp_dialect dialect, enum pcp_result cause, uint8_t wire, uint16_t back)
{
	uint8_t msg[HEX_MAX];
	size_t len = say(dialect, cause, msg);
	struct pcp_message m;

	cr_expect_eq(msg[3], wire, "%s in %s is %u, want %u", pcp_result_name(cause),
		pcp_dialect_name(dialect), msg[3], wire);
	if (len == 0)
		return;
	cr_assert(pcp_decode_response_in(dialect, msg, len, &m));
	cr_expect_eq(m.result, back, "%s in %s comes back as %s", pcp_result_name(cause),
		pcp_dialect_name(dialect), pcp_result_name(m.result));
}

Test(pcp, a_cause_has_the_number_of_the_dialect_that_asked)
{
	for (size_t i = 0; i < ARRAY_SIZE(translations); i++) {
		const struct translation *t = &translations[i];

		check(PCP_V2, t->cause, t->v2, t->back_v2);
		check(PCP_V1B, t->cause, t->v2, t->back_v2);
		check(PCP_V1C, t->cause, t->v2, t->back_v2);
		check(PCP_V1A, t->cause, t->v1a, t->back_v1a);
		check(PCP_NATPMP, t->cause, t->natpmp, t->back_natpmp);
	}
}

Test(pcp, numbers_of_other_servers_become_what_their_drafts_say)
{
	static const struct {
		uint8_t code;
		uint16_t result;
	} cases[] = {{6, PCP_NO_RESOURCES}, {19, PCP_NO_RESOURCES}, {27, PCP_UNKNOWN_RESULT},
		{3, PCP_UNSUPP_OPCODE}, {99, PCP_UNKNOWN_RESULT}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t msg[HEX_MAX];
		size_t len = hex("01810000 0000001e 00000064", msg);
		struct pcp_message m;

		msg[3] = cases[i].code;
		cr_assert(pcp_decode_response_in(PCP_V1A, msg, len, &m));
		cr_expect_eq(m.result, cases[i].result, "%u", cases[i].code);
	}
}
