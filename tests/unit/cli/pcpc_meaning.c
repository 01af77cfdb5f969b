// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "pcpc.h"

static const unsigned known[] = {
#define X(code, name, lifetime) code,
	PCP_RESULTS(X)
#undef X
		14,
	15, 16, 17, 18, 19, 20, 21, 22, 23};

Test(pcpc, every_result_code_is_explained)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const char *text = pcpc_advice(known[i]);

		cr_expect_null(strstr(text, "does not know:"), "%u: %s", known[i], text);
		cr_expect_str_neq(pcpc_result_name(known[i]), "unassigned", "%u", known[i]);
		cr_expect(strlen(text) >= 10, "%u: %s", known[i], text);
	}
	cr_expect(strstr(pcpc_advice(99), "does not know"));
}

Test(pcpc, an_explanation_says_what_to_do)
{
	cr_expect(strstr(pcpc_advice(PCP_ADDRESS_MISMATCH), "another NAT"));
	cr_expect(strstr(pcpc_advice(PCP_ADDRESS_MISMATCH), "--server"));
	cr_expect(strstr(pcpc_advice(PCP_UNSUPP_VERSION), "--versions"));
	for (size_t i = 1; i < ARRAY_SIZE(known); i++)
		cr_expect(strchr(pcpc_advice(known[i]), ':') || strstr(pcpc_advice(known[i]), "--"),
			"%u: %s", known[i], pcpc_advice(known[i]));
}

Test(pcpc, results_are_found_by_name_and_number)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		unsigned result;

		cr_expect(pcpc_find_result(pcpc_result_name(known[i]), &result));
		cr_expect_eq(result, known[i]);
	}
}

// RFC 6887 s.7.4 recommends a short lifetime for what may pass.
Test(pcpc, exit_codes_tell_for_now_from_for_good)
{
	static const unsigned passing[] = {PCP_NETWORK_FAILURE, PCP_NO_RESOURCES, PCP_USER_EX_QUOTA,
		PCP_CANNOT_PROVIDE_EXTERNAL};

	cr_expect_eq(pcpc_exit_of_result(PCP_SUCCESS), PCPC_OK);
	for (unsigned result = 1; result < 600; result++) {
		enum pcpc_exit wanted = PCPC_REFUSED;

		for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
			if (passing[i] == result)
				wanted = PCPC_TRY_LATER;
		cr_expect_eq(pcpc_exit_of_result(result), wanted, "%u", result);
	}
}

Test(pcpc, many_servers_make_one_exit_code)
{
	static const struct {
		enum pcpc_exit ends[3];
		enum pcpc_exit all;
	} cases[] = {
		{{PCPC_OK, PCPC_OK, PCPC_OK}, PCPC_OK},
		{{PCPC_OK, PCPC_OK, PCPC_REFUSED}, PCPC_PARTLY},
		{{PCPC_OK, PCPC_TRY_LATER, PCPC_OK}, PCPC_PARTLY},
		{{PCPC_NO_ANSWER, PCPC_OK, PCPC_OK}, PCPC_PARTLY},
		{{PCPC_NO_ANSWER, PCPC_NO_ANSWER, PCPC_NO_ANSWER}, PCPC_NO_ANSWER},
		{{PCPC_NO_ANSWER, PCPC_TRY_LATER, PCPC_NO_ANSWER}, PCPC_TRY_LATER},
		{{PCPC_TRY_LATER, PCPC_TRY_LATER, PCPC_REFUSED}, PCPC_REFUSED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcpc_outcome outcome = {0};

		for (size_t k = 0; k < 3; k++)
			pcpc_outcome_add(&outcome, cases[i].ends[k]);
		cr_expect_eq(pcpc_outcome_exit(&outcome), cases[i].all, "case %zu", i);
	}
}
