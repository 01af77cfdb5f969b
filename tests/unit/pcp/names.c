// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <postern/pcp.h>

Test(pcp, rfc6887_s7_4_result_codes_have_their_numbers_and_lifetimes)
{
	cr_expect_str_eq(pcp_result_name(0), "SUCCESS");
	cr_expect_str_eq(pcp_result_name(8), "NO_RESOURCES");
	cr_expect_str_eq(pcp_result_name(13), "EXCESSIVE_REMOTE_PEERS");
	cr_expect_str_eq(pcp_result_name(14), "unassigned");
	cr_expect_str_eq(pcp_result_name(25), "THIRD_PARTY_MISSING_OPTION");
	cr_expect_str_eq(pcp_result_name(130), "NONEXIST_MAP");
	cr_expect_str_eq(pcp_result_name(255), "unassigned");
	cr_expect_str_eq(pcp_result_name(257), "NONEXIST_PEER");
	cr_expect_str_eq(pcp_result_name(65535), "unassigned");
	cr_expect_eq(pcp_result_lifetime_s(PCP_SUCCESS), 0);
	cr_expect_eq(pcp_result_lifetime_s(PCP_NOT_AUTHORIZED), 1800);
	cr_expect_eq(pcp_result_lifetime_s(PCP_NETWORK_FAILURE), 30);
	cr_expect_eq(pcp_result_lifetime_s(PCP_NO_RESOURCES), 30);
	cr_expect_eq(pcp_result_lifetime_s(PCP_USER_EX_QUOTA), 30);
	cr_expect_eq(pcp_result_lifetime_s(PCP_THIRD_PARTY_ID_UNKNOWN), 1800);
}

Test(pcp, every_result_has_its_place_in_an_array_of_counters)
{
	for (unsigned i = 0; i < PCP_RESULT_COUNT; i++) {
		cr_expect_eq(pcp_result_index(pcp_result_at(i)), i);
		cr_expect_str_neq(pcp_result_name(pcp_result_at(i)), "unassigned");
	}
	cr_expect_eq(pcp_result_at(0), PCP_SUCCESS);
	cr_expect_eq(pcp_result_index((enum pcp_result)99), PCP_RESULT_NO_RESOURCES);
}

Test(pcp, every_option_has_its_place_in_an_array_of_counters)
{
	unsigned named = 0;

	for (unsigned code = 0; code < 256; code++) {
		unsigned index = pcp_option_index(code);

		cr_assert_lt(index, PCP_OPTION_COUNT);
		if (index == PCP_OTHER_OPTION)
			continue;
		named++;
		cr_expect_str_eq(pcp_option_at(index), pcp_option_name(code));
	}
	cr_expect_eq(named, PCP_OTHER_OPTION);
	cr_expect_str_eq(pcp_option_at(PCP_OTHER_OPTION), "other");
	cr_expect_str_eq(pcp_option_at(PCP_OPTION_COUNT), "other");
}

Test(pcp, dialects_opcodes_and_options_are_named)
{
	cr_expect_str_eq(pcp_dialect_name(PCP_V2), "2");
	cr_expect_str_eq(pcp_dialect_name(PCP_NATPMP), "nat-pmp");
	cr_expect_str_eq(pcp_dialect_name(PCP_V1C), "1c");
	cr_expect_str_eq(pcp_dialect_name(PCP_DIALECTS), "unknown");
	cr_expect_str_eq(pcp_opcode_name(PCP_ANNOUNCE), "ANNOUNCE");
	cr_expect_str_eq(pcp_opcode_name(PCP_MAP), "MAP");
	cr_expect_str_eq(pcp_opcode_name(PCP_PEER), "PEER");
	cr_expect_str_eq(pcp_opcode_name(PCP_AUTHENTICATION), "AUTHENTICATION");
	cr_expect_str_eq(pcp_opcode_name(PCP_GET), "GET");
	cr_expect_str_eq(pcp_opcode_name(PCP_EXTERNAL_ADDRESS), "EXTERNAL_ADDRESS");
	cr_expect_str_eq(pcp_opcode_name(96), "unassigned");
	cr_expect_str_eq(pcp_option_name(PCP_THIRD_PARTY), "THIRD_PARTY");
	cr_expect_str_eq(pcp_option_name(PCP_CHECKPOINT_REQUIRED), "CHECKPOINT_REQUIRED");
	cr_expect_str_eq(pcp_option_name(0), "unassigned");
}
