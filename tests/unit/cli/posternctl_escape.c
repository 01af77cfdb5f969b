// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

#include <criterion/criterion.h>

static const struct {
	const char *text;
	size_t length;
	const char *shown;
} cases[] = {
	{"", 0, ""},
	{"web", 3, "web"},
	{"caf\xc3\xa9", 5, "caf\xc3\xa9"},
	{"\xf0\x9f\x9a\x80", 4, "\xf0\x9f\x9a\x80"},
	{"a\nb\tc\r", 6, "a\\nb\\tc\\x0d"},
	{"\x1b[2J", 4, "\\x1b[2J"},
	{"a\0b", 3, "a\\x00b"},
	{"\x7f", 1, "\\x7f"},
	{"\xc2\x9b", 2, "\\x9b"}, // CSI in one character
	{"\xe2\x80\xae"
	 "fdp",
		6, "\\u202efdp"}, // right to left
	{"\xef\xbb\xbf", 3, "\\ufeff"},
	{"C:\\x", 4, "C:\\\\x"},
	{"\xff", 1, "\\xff"}, // no UTF-8
	{"\xc3", 1, "\\xc3"}, // cut
	{"\xc3(", 2, "\\xc3("},
	{"\x80", 1, "\\x80"},
};

Test(posternctl, shows_what_a_terminal_would_obey)
{
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = text_escape(cases[i].text, cases[i].length, out, sizeof out);
		cr_assert_str_eq(out, cases[i].shown);
		cr_assert_eq(n, strlen(cases[i].shown));
	}
}

// No octet string whatever, cut anywhere, brings a control octet through.
Test(posternctl, lets_no_octets_through_that_steer)
{
	struct rng rng;

	rng_init_u64(&rng, 3);
	for (unsigned i = 0; i < 50000; i++) {
		char text[24], out[40];
		size_t length = rng_below(&rng, sizeof text),
		       size = 1 + rng_below(&rng, sizeof out);
		for (size_t k = 0; k < length; k++)
			text[k] = (char)rng_u32(&rng);
		size_t n = text_escape(text, length, out, size);
		cr_assert_lt(n, size);
		for (size_t k = 0; k < n; k++) {
			unsigned char c = (unsigned char)out[k];
			cr_assert(c >= ' ' && c != 0x7f);
			cr_assert(c != 0xc2 || (unsigned char)out[k + 1] >= 0xa0);
		}
	}
}
