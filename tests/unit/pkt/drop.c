// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#include <criterion/criterion.h>

Test(pkt, drop_names_and_sentences)
{
	cr_assert_str_eq(drop_name(DROP_NO_MAPPING_INBOUND), "no-mapping-inbound");
	cr_assert_str_eq(
		drop_sentence(DROP_TTL), "Time to live used up; ICMP time exceeded went back.");
	cr_assert_str_eq(drop_name(DROP_NONE), "none");
}

// Names become keys of counters, so no two may be the same and all are written alike.
Test(pkt, drop_names_are_distinct_words_with_hyphens)
{
	for (unsigned d = 0; d < DROP_COUNT; d++) {
		const char *name = drop_name((enum drop)d), *sentence = drop_sentence((enum drop)d);
		cr_assert_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
		cr_assert(sentence[0] >= 'A' && sentence[0] <= 'Z', "%s", sentence);
		cr_assert_eq(sentence[strlen(sentence) - 1], '.', "%s", sentence);
		for (unsigned other = 0; other < d; other++)
			cr_assert_str_neq(name, drop_name((enum drop)other));
	}
}
