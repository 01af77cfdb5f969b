// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "pcpc.h"

Test(pcpc, times_have_units)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t s;
	} cases[] = {{"90", true, 90}, {"90s", true, 90}, {"2m", true, 120}, {"1h", true, 3600},
		{"1d", true, 86400}, {"0", true, 0}, {"4294967295", true, UINT32_MAX},
		{"4294967296", false, 0}, {"49711d", false, 0}, {"", false, 0}, {"h", false, 0},
		{"1w", false, 0}, {"-1", false, 0}, {" 1", false, 0}, {"1h30m", false, 0},
		{"1.5h", false, 0}, {"99999999999999999999", false, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t s = 0;

		cr_expect_eq(pcpc_parse_seconds(cases[i].text, &s), cases[i].good, "'%s'",
			cases[i].text);
		cr_expect(!cases[i].good || s == cases[i].s, "'%s': %u", cases[i].text, s);
	}
}

Test(pcpc, protocols_are_names_or_numbers)
{
	uint8_t p;
	char text[4];

	cr_expect(pcpc_parse_protocol("tcp", &p) && p == 6);
	cr_expect(pcpc_parse_protocol("udp", &p) && p == 17);
	cr_expect(pcpc_parse_protocol("132", &p) && p == 132);
	cr_expect_not(pcpc_parse_protocol("0", &p));
	cr_expect_not(pcpc_parse_protocol("256", &p));
	cr_expect_not(pcpc_parse_protocol("TCP ", &p));
	cr_expect_str_eq(pcpc_protocol_text(6, text), "tcp");
	cr_expect_str_eq(pcpc_protocol_text(132, text), "132");
}

Test(pcpc, endpoints_are_read_and_written_alike)
{
	static const struct {
		const char *text, *written;
	} cases[] = {{"203.0.113.5", "203.0.113.5:5351"}, {"203.0.113.5:80", "203.0.113.5:80"},
		{"2001:db8::1", "[2001:db8::1]:5351"}, {"[2001:db8::1]", "[2001:db8::1]:5351"},
		{"[2001:db8::1]:80", "[2001:db8::1]:80"}, {"::", "[::]:5351"},
		{"203.0.113.5:0", NULL}, {"203.0.113.5:65536", NULL}, {"203.0.113.5:", NULL},
		{"203.0.113", NULL}, {"", NULL}, {"[", NULL}, {"[]", NULL}, {"[]:80", NULL},
		{"[2001:db8::1", NULL}, {":80", NULL}, {"host:80", NULL},
		{"[2001:db8::1]80", NULL}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct postern_endpoint e;
		char text[PCPC_ENDPOINT_TEXT];
		bool good = pcpc_parse_endpoint(cases[i].text, 5351, &e);

		cr_expect_eq(good, cases[i].written != NULL, "'%s'", cases[i].text);
		if (good)
			cr_expect_str_eq(pcpc_format_endpoint(&e, text), cases[i].written);
	}
}

Test(pcpc, nonces_are_24_hex_digits)
{
	static const uint8_t want[12] = {
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb};
	uint8_t nonce[12];
	char text[25];

	cr_assert(pcpc_parse_nonce("00112233445566778899AAbb", nonce));
	cr_expect_arr_eq(nonce, want, 12);
	cr_expect_str_eq(pcpc_format_hex(nonce, 12, text), "00112233445566778899aabb");
	cr_expect_not(pcpc_parse_nonce("00112233445566778899aab", nonce));
	cr_expect_not(pcpc_parse_nonce("00112233445566778899aabg", nonce));
	cr_expect_not(pcpc_parse_nonce("", nonce));
}

Test(pcpc, versions_are_tried_downwards_or_alone)
{
	static const struct {
		const char *text;
		unsigned dialects; // 0: not good
	} cases[] = {{"2,1,0", POSTERN_V2 | POSTERN_V1 | POSTERN_NATPMP},
		{"2,0", POSTERN_V2 | POSTERN_NATPMP}, {"2,1", POSTERN_V2 | POSTERN_V1},
		{"2", POSTERN_V2}, {"1", POSTERN_V1}, {"0", POSTERN_NATPMP}, {"1,0", 0}, {"0,2", 0},
		{"2,2", 0}, {"3", 0}, {"2,", 0}, {",2", 0}, {"", 0}, {"20", 0}, {"2;0", 0}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned dialects = 0;
		bool good = pcpc_parse_versions(cases[i].text, &dialects);

		cr_expect_eq(good, cases[i].dialects != 0, "'%s'", cases[i].text);
		if (good)
			cr_expect_eq(dialects, cases[i].dialects, "'%s'", cases[i].text);
	}
}
