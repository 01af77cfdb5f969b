// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <postern/pcp.h>

Test(pcp, result_codes_have_the_numbers_and_lifetimes_of_section_7_4)
{
	cr_expect_eq(PCP_RESULT_COUNT, 14);
	cr_expect_str_eq(pcp_result_name(0), "SUCCESS");
	cr_expect_str_eq(pcp_result_name(8), "NO_RESOURCES");
	cr_expect_str_eq(pcp_result_name(13), "EXCESSIVE_REMOTE_PEERS");
	cr_expect_str_eq(pcp_result_name(14), "unassigned");
	cr_expect_str_eq(pcp_result_name(255), "unassigned");
	cr_expect_eq(pcp_result_lifetime_s(PCP_SUCCESS), 0);
	cr_expect_eq(pcp_result_lifetime_s(PCP_NOT_AUTHORIZED), 1800);
	cr_expect_eq(pcp_result_lifetime_s(PCP_NETWORK_FAILURE), 30);
	cr_expect_eq(pcp_result_lifetime_s(PCP_NO_RESOURCES), 30);
	cr_expect_eq(pcp_result_lifetime_s(PCP_USER_EX_QUOTA), 30);
}

Test(pcp, opcodes_and_options_are_named)
{
	cr_expect_str_eq(pcp_opcode_name(PCP_ANNOUNCE), "ANNOUNCE");
	cr_expect_str_eq(pcp_opcode_name(PCP_PEER), "PEER");
	cr_expect_str_eq(pcp_opcode_name(96), "unassigned");
	cr_expect_str_eq(pcp_option_name(PCP_THIRD_PARTY), "THIRD_PARTY");
	cr_expect_str_eq(pcp_option_name(PCP_FILTER), "FILTER");
	cr_expect_str_eq(pcp_option_name(0), "unassigned");
}
