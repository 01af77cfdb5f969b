// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

#include <criterion/criterion.h>

#include <arpa/inet.h>

static ip6 ip6_of(const char *text)
{
	ip6 a;

	cr_assert_eq(inet_pton(AF_INET6, text, a.b), 1, "%s", text);
	return a;
}

Test(base, wire_integers_are_big_endian_octets)
{
	be16 two = be16_of(0x1234);
	be32 four = be32_of(0x12345678);

	cr_assert_arr_eq(two.b, ((uint8_t[]){0x12, 0x34}), 2);
	cr_assert_arr_eq(four.b, ((uint8_t[]){0x12, 0x34, 0x56, 0x78}), 4);
	cr_assert_eq(be16_get(two), 0x1234);
	cr_assert_eq(be32_get(four), 0x12345678);
	cr_assert(be16_eq(two, 0x1234) && !be16_eq(two, 0x3412));
	cr_assert(be32_eq(four, 0x12345678) && !be32_eq(four, 0x78563412));
	cr_assert_eq(_Alignof(be16), 1);
	cr_assert_eq(_Alignof(be32), 1);
	cr_assert_eq(_Alignof(ip6), 1);
}

Test(base, mapped_addresses_carry_ip4_both_ways)
{
	ip6 a = ip6_mapped(0xc0000201);

	cr_assert(ip6_eq(a, ip6_of("::ffff:192.0.2.1")));
	cr_assert(ip6_is_mapped(a));
	cr_assert_eq(ip6_to_ip4(a), 0xc0000201);
	cr_assert(ip6_is_mapped(ip6_of("::ffff:0.0.0.0")));
}

Test(base, every_one_of_96_bits_decides_whether_an_address_is_mapped)
{
	for (unsigned bit = 0; bit < 128; bit++) {
		ip6 a = ip6_mapped(0xc6336407);
		a.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		cr_assert_eq(ip6_is_mapped(a), bit >= 96, "bit %u", bit);
		cr_assert(!ip6_eq(a, ip6_mapped(0xc6336407)), "bit %u", bit);
	}
}

Test(base, ip4_text_goes_both_ways)
{
	static const struct {
		const char *text;
		ip4 a;
	} cases[] = {
		{"0.0.0.0", 0},
		{"1.2.3.4", 0x01020304},
		{"100.64.0.1", 0x64400001},
		{"255.255.255.255", 0xffffffff},
	};
	char text[IP4_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip4 a = 0xdeadbeef;
		cr_assert(ip4_parse(cases[i].text, &a));
		cr_assert_eq(a, cases[i].a);
		cr_assert_str_eq(ip4_format(a, text), cases[i].text);
	}
}

Test(base, ip4_refuses_what_two_readers_could_read_differently)
{
	static const char *const cases[] = {"", ".", "1", "1.2.3", "1.2.3.", "1.2.3.4.",
		"1.2.3.4.5", "1..2.3", ".1.2.3", "256.1.1.1", "1.1.1.256", "010.1.1.1", "00.0.0.0",
		"1.2.3.04", " 1.2.3.4", "1.2.3.4 ", "+1.2.3.4", "-1.2.3.4", "1.2.3.4/24",
		"0x1.2.3.4", "a.b.c.d", "1.2.3.4294967296", "1.2.3.99999999999999999999"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip4 a = 0xdeadbeef;
		cr_assert(!ip4_parse(cases[i], &a), "%s", cases[i]);
		cr_assert_eq(a, 0xdeadbeef, "%s", cases[i]);
	}
}

// The examples of RFC 5952 s.1, s.2, s.4 and s.5.
Test(base, ip6_text_is_canonical)
{
	static const struct {
		const char *any, *canonical;
	} cases[] = {
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8::0:1", "2001:db8::1"},
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:DB8:AAAA:bbbb:CCCC:dddd:EEEE:1", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"},
		{"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"},
		{"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
		{"0:1:2:3:4:5:6:0", "0:1:2:3:4:5:6:0"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"::192.0.2.1", "::c000:201"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::fffe:192.0.2.1", "::fffe:c000:201"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	char text[IP6_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_str_eq(ip6_format(ip6_of(cases[i].any), text), cases[i].canonical);
}

// libc writes the same form, except that it shows ::a.b.c.d in dots.
Test(base, ip6_text_agrees_with_libc_over_random_addresses)
{
	char ours[IP6_TEXT], theirs[INET6_ADDRSTRLEN];
	struct rng rng;

	rng_init_u64(&rng, 5952);
	for (unsigned i = 0; i < 200000; i++) {
		ip6 a;
		uint32_t zeros = rng_u32(&rng);
		for (unsigned group = 0; group < 8; group++) {
			uint32_t draw = rng_u32(&rng);
			a.b[2 * group] = zeros >> group & 1 ? 0 : (uint8_t)(draw & draw >> 8);
			a.b[2 * group + 1] = zeros >> group & 1 ? 0 : (uint8_t)(draw >> 16);
		}
		a.b[0] |= 0x20; // keeps clear of ::a.b.c.d
		ip6_format(a, ours);
		cr_assert_str_eq(ours, inet_ntop(AF_INET6, a.b, theirs, sizeof theirs));
	}
}

Test(base, prefixes_go_both_ways)
{
	static const struct {
		const char *text, *canonical;
		struct prefix4 prefix;
	} cases[] = {
		{"0.0.0.0/0", "0.0.0.0/0", {0, 0}},
		{"100.64.0.0/10", "100.64.0.0/10", {0x64400000, 10}},
		{"198.51.100.128/25", "198.51.100.128/25", {0xc6336480, 25}},
		{"192.0.2.7/32", "192.0.2.7/32", {0xc0000207, 32}},
		{"192.0.2.7", "192.0.2.7/32", {0xc0000207, 32}},
		{"255.255.255.255", "255.255.255.255/32", {0xffffffff, 32}},
	};
	char text[PREFIX4_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix4 p;
		cr_assert(prefix4_parse(cases[i].text, &p, NULL), "%s", cases[i].text);
		cr_assert_eq(p.base, cases[i].prefix.base);
		cr_assert_eq(p.bits, cases[i].prefix.bits);
		cr_assert_str_eq(prefix4_format(p, text), cases[i].canonical);
	}
}

Test(base, host_bits_are_refused_unless_the_host_is_wanted)
{
	struct prefix4 p = {7, 7};
	ip4 host = 0;

	cr_assert(!prefix4_parse("192.0.2.7/24", &p, NULL));
	cr_assert_eq(p.base, 7);
	cr_assert(prefix4_parse("192.0.2.7/24", &p, &host));
	cr_assert_eq(p.base, 0xc0000200);
	cr_assert_eq(p.bits, 24);
	cr_assert_eq(host, 0xc0000207);
	cr_assert(prefix4_parse("192.0.2.9", &p, &host));
	cr_assert_eq(p.bits, 32);
	cr_assert_eq(host, 0xc0000209);
}

Test(base, crooked_prefixes_are_refused_and_write_nothing)
{
	static const char *const cases[] = {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/8/8", "10.0.0.0 /8",
		"10.0.0/8", "10.0.0.0/999999999999", "10.0.0.0/255.0.0.0"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix4 p = {7, 7};
		ip4 host = 9;
		cr_assert(!prefix4_parse(cases[i], &p, &host), "%s", cases[i]);
		cr_assert(p.base == 7 && p.bits == 7 && host == 9, "%s", cases[i]);
	}
}

Test(base, a_prefix_has_its_own_addresses_only)
{
	struct prefix4 p = {0xc6336480, 25}, all = {0, 0}, one = {0xc0000207, 32};

	cr_assert(prefix4_has(p, 0xc6336480) && prefix4_has(p, 0xc63364ff));
	cr_assert(!prefix4_has(p, 0xc633647f) && !prefix4_has(p, 0xc6336500));
	cr_assert(prefix4_has(all, 0) && prefix4_has(all, UINT32_MAX));
	cr_assert(prefix4_has(one, 0xc0000207) && !prefix4_has(one, 0xc0000206));
	cr_assert_eq(prefix4_mask(0), 0);
	cr_assert_eq(prefix4_mask(1), 0x80000000);
	cr_assert_eq(prefix4_mask(32), 0xffffffff);
}

// ---- IPv6 ------------------------------------------------------------------------------------

// The forms of RFC 4291 s.2.2 and s.2.3, and what is none of them.
Test(base, ip6_text_is_read_in_all_three_forms)
{
	static const char *const cases[] = {"::", "::1", "1::", "2001:db8::8:800:200C:417A",
		"FF01:0:0:0:0:0:0:101", "2001:DB8:0:0:8:800:200C:417A", "::13.1.68.3",
		"0:0:0:0:0:0:13.1.68.3", "::FFFF:129.144.52.38",
		"1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4::6:7:8", "64:ff9b::192.0.2.33",
		"0:1::0:0", "1::1.2.3.4"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip6 a;
		cr_assert(ip6_parse(cases[i], &a), "%s", cases[i]);
		cr_assert(ip6_eq(a, ip6_of(cases[i])), "%s", cases[i]);
	}
}

Test(base, crooked_ip6_is_refused_and_writes_nothing)
{
	static const char *const cases[] = {"", ":", ":::", "1", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "12345::", "g::", "1.2.3.4",
		"::1.2.3", "::1.2.3.4:5", "::01.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "fe80::1%eth0",
		" ::1", "::1 ", "::1/64", "::256.1.1.1", "1:::2", "0x1::", "-1::"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip6 a = ip6_of("2001:db8::7");
		cr_assert(!ip6_parse(cases[i], &a), "%s", cases[i]);
		cr_assert(ip6_eq(a, ip6_of("2001:db8::7")), "%s", cases[i]);
	}
}

// Any text of an address's letters: we and libc read the same, or both nothing.
Test(base, ip6_reading_agrees_with_libc_over_random_texts)
{
	static const char *const pieces[] = {
		":", ":", ":", "::", "0", "1", "2001", "db8", "FFFF", "1.2.3.4", ".", "12345", "%"};
	unsigned n_good = 0;
	struct rng rng;

	rng_init_u64(&rng, 4291);
	for (unsigned i = 0; i < 400000; i++) {
		char text[120] = "";
		ip6 ours, theirs;
		for (uint32_t n = 1 + rng_below(&rng, 15); n > 0; n--)
			strcat(text, pieces[rng_below(&rng, ARRAY_SIZE(pieces) - (n % 4 != 0))]);
		bool good = inet_pton(AF_INET6, text, theirs.b) == 1;
		cr_assert_eq(ip6_parse(text, &ours), good, "%s", text);
		cr_assert(!good || ip6_eq(ours, theirs), "%s", text);
		n_good += good;
	}
	cr_assert_gt(n_good, 400);
}

Test(base, ip6_prefixes_go_both_ways)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {{"::/0", "::/0"}, {"2001:DB8::/32", "2001:db8::/32"},
		{"2001:db8::8000/113", "2001:db8::8000/113"}, {"::1", "::1/128"},
		{"2001:db8::7/128", "2001:db8::7/128"}, {"fe80::/10", "fe80::/10"}};
	char text[PREFIX6_TEXT];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prefix6 p;
		cr_assert(prefix6_parse(cases[i].text, &p, NULL), "%s", cases[i].text);
		cr_assert_str_eq(prefix6_format(p, text), cases[i].canonical);
	}
}

Test(base, ip6_host_bits_are_refused_unless_the_host_is_wanted)
{
	static const char *const crooked[] = {"", "/64", "::/", "::/129", "::/064", "::/64 ",
		"::/1/1", "1.2.3.4/24", "2001:db8/32"};
	struct prefix6 p = {ip6_of("::7"), 7};
	ip6 host = ip6_of("::9");

	for (size_t i = 0; i < ARRAY_SIZE(crooked); i++)
		cr_assert(!prefix6_parse(crooked[i], &p, &host), "%s", crooked[i]);
	cr_assert(!prefix6_parse("2001:db8::7/64", &p, NULL));
	cr_assert(p.bits == 7 && ip6_eq(p.base, ip6_of("::7")) && ip6_eq(host, ip6_of("::9")));
	cr_assert(prefix6_parse("2001:db8:ffff::7/33", &p, &host));
	cr_assert(p.bits == 33 && ip6_eq(p.base, ip6_of("2001:db8:8000::")));
	cr_assert(ip6_eq(host, ip6_of("2001:db8:ffff::7")));
}

Test(base, every_bit_of_an_ip6_prefix_counts_and_none_behind_it)
{
	ip6 base = ip6_of("2001:db8:5555:aaaa:5555:aaaa:5555:aaaa");

	for (unsigned bits = 0; bits <= 128; bits++) {
		struct prefix6 p = {base, (uint8_t)bits};
		cr_assert(prefix6_has(&p, base));
		for (unsigned bit = 0; bit < 128; bit++) {
			ip6 a = base;
			a.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			cr_assert_eq(prefix6_has(&p, a), bit >= bits, "%u of %u", bit, bits);
		}
	}
}
