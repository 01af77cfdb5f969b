// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

#include <criterion/criterion.h>

#include "make.h"
#include "vectors.h"

// What an error quotes, and the error around it.
struct scene {
	struct make quoted, error;
	uint8_t quote[MAKE_MAX], l3[MAKE_MAX];
	size_t quote_len, len;
	struct pkt p;
};

static void scene_begin(struct scene *s, uint8_t protocol)
{
	*s = (struct scene){
		.quoted = {.src = OUTSIDE,
			.dst = REMOTE,
			.sport = 40000,
			.dport = 443,
			.protocol = protocol,
			.type = ICMP_ECHO,
			.ttl = 1,
			.payload_len = 40},
		.error = {.src = ROUTER,
			.dst = OUTSIDE,
			.protocol = IP_ICMP,
			.type = ICMP_TIME_EXCEEDED},
	};
	s->quote_len = make_packet(s->quote, &s->quoted);
}

static enum drop scene_parse(struct scene *s, size_t quote_len)
{
	s->error.payload = s->quote;
	s->error.payload_len = quote_len;
	s->len = make_packet(s->l3, &s->error);
	return make_parse(&s->p, s->l3, s->len);
}

Test(pkt, icmp_echo_of_another_encoder)
{
	uint8_t l3[sizeof packet_echo];
	struct pkt p;

	memcpy(l3, packet_echo, sizeof l3);
	cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_NONE);
	cr_assert(p.kind == PKT_ECHO && p.sport == 0x1717 && p.dport == 0x1717);
	cr_assert(p.src == INSIDE && p.dst == REMOTE && p.protocol == IP_ICMP);
}

Test(pkt, icmp_req_5508_3_bad_checksum_is_dropped)
{
	uint8_t l3[sizeof packet_echo];
	struct pkt p;

	for (size_t at = 20; at < sizeof l3; at++) {
		memcpy(l3, packet_echo, sizeof l3);
		l3[at] ^= 0x10;
		cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_ICMP_CHECKSUM, "octet %zu", at);
	}
}

Test(pkt, icmp_table_of_types)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	for (unsigned type = 0; type < 256; type++) {
		struct make m = {.src = INSIDE,
			.dst = REMOTE,
			.sport = 7,
			.protocol = IP_ICMP,
			.type = (uint8_t)type,
			.payload_len = 8};
		enum drop drop = make_parse(&p, l3, make_packet(l3, &m));
		bool echo = type == 0 || type == 8, error = type == 3 || type == 11 || type == 12;
		cr_assert_eq(drop,
			echo    ? DROP_NONE
			: error ? DROP_ICMP_EMBEDDED
				: DROP_ICMP_TYPE,
			"type %u: %s", type, drop_name(drop));
	}
}

Test(pkt, icmp_header_must_be_whole)
{
	uint8_t l3[MAKE_MAX];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = 99};
	struct pkt p;

	for (m.payload_len = 0; m.payload_len < 8; m.payload_len++) {
		size_t len = make_packet(l3, &m);
		l3[9] = IP_ICMP;
		make_right(l3);
		cr_assert_eq(make_parse(&p, l3, len), DROP_L4_HEADER, "%zu", m.payload_len);
	}
}

Test(pkt, icmp_error_of_another_encoder)
{
	uint8_t l3[sizeof packet_too_big];
	struct pkt p;

	memcpy(l3, packet_too_big, sizeof l3);
	cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_NONE);
	cr_assert(p.kind == PKT_ICMP_ERROR && p.src == ROUTER && p.dst == OUTSIDE);
	cr_assert(p.sport == 0 && p.dport == 0);
	cr_assert(p.inner.kind == PKT_TCP && p.inner.src == OUTSIDE && p.inner.dst == REMOTE);
	cr_assert(p.inner.sport == 40000 && p.inner.dport == 443);
	cr_assert(p.inner.at == 28 && p.inner.l4_at == 48 && p.inner.l4_left == 8);
}

Test(pkt, icmp_table_of_quoted_kinds)
{
	static const struct {
		uint8_t protocol, type;
		enum drop drop;
		uint8_t kind;
	} cases[] = {
		{IP_UDP, 0, DROP_NONE, PKT_UDP},
		{IP_TCP, 0, DROP_NONE, PKT_TCP},
		{IP_ICMP, ICMP_ECHO, DROP_NONE, PKT_ECHO},
		{IP_ICMP, ICMP_ECHO_REPLY, DROP_NONE, PKT_ECHO},
		{IP_ICMP, ICMP_UNREACHABLE, DROP_ICMP_EMBEDDED, 0}, // errors carry no errors
		{IP_ICMP, ICMP_REDIRECT, DROP_ICMP_EMBEDDED, 0},
		{IP_ICMP, 13, DROP_ICMP_EMBEDDED, 0},
		{47, 0, DROP_NONE, PKT_OTHER}, // GRE, ESP: they may have passed untranslated
		{50, 0, DROP_NONE, PKT_OTHER},
	};
	static const uint8_t errors[] = {ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED, ICMP_PARAMETER};
	static struct scene s;

	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(errors); i++) {
		size_t k = i / ARRAY_SIZE(errors);
		scene_begin(&s, cases[k].protocol);
		s.quoted.type = cases[k].type;
		s.quote_len = make_packet(s.quote, &s.quoted);
		s.error.type = errors[i % ARRAY_SIZE(errors)];
		enum drop drop = scene_parse(&s, s.quote_len);
		cr_assert_eq(drop, cases[k].drop, "case %zu: %s", k, drop_name(drop));
		if (drop)
			continue;
		cr_assert(s.p.kind == PKT_ICMP_ERROR && s.p.inner.kind == cases[k].kind);
		bool other = cases[k].kind == PKT_OTHER, echo = cases[k].kind == PKT_ECHO;
		cr_assert_eq(s.p.inner.sport, other ? 0 : 40000);
		cr_assert_eq(s.p.inner.dport, other ? 0 : echo ? 40000 : 443);
	}
}

Test(pkt, icmp_req_5508_3_bad_checksum_of_an_error_is_dropped)
{
	static struct scene s;

	scene_begin(&s, IP_UDP);
	cr_assert_eq(scene_parse(&s, s.quote_len), DROP_NONE);
	s.l3[s.len - 1] ^= 1; // the last octet of the quote
	cr_assert_eq(make_parse(&s.p, s.l3, s.len), DROP_ICMP_CHECKSUM);
}

Test(pkt, icmp_req_5508_3a_bad_embedded_header_checksum_is_dropped)
{
	static struct scene s;

	for (size_t at = 1; at < 20; at++) {
		scene_begin(&s, IP_UDP);
		s.quote[at] ^= 0x04;
		cr_assert_eq(scene_parse(&s, s.quote_len), DROP_ICMP_EMBEDDED, "octet %zu", at);
	}
}

Test(pkt, icmp_req_5508_3b_embedded_options_are_skipped)
{
	static struct scene s;

	for (uint8_t words = 0; words <= 10; words++) {
		scene_begin(&s, IP_TCP);
		s.quoted.option_words = words;
		make_packet(s.quote, &s.quoted);
		cr_assert_eq(scene_parse(&s, 20u + 4u * words + 8), DROP_NONE);
		cr_assert_eq(s.p.inner.l4_at, 28 + 20 + 4 * words);
		cr_assert(s.p.inner.sport == 40000 && s.p.inner.l4_left == 8);
		cr_assert_eq(scene_parse(&s, 20u + 4u * words + 7), DROP_ICMP_EMBEDDED);
	}
}

Test(pkt, icmp_req_5508_3c_embedded_transport_checksum_is_not_verified)
{
	static const struct {
		uint8_t protocol, checksum_at;
	} cases[] = {{IP_UDP, 26}, {IP_TCP, 36}, {IP_ICMP, 22}};
	static struct scene s;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scene_begin(&s, cases[i].protocol);
		s.quote[cases[i].checksum_at] ^= 0x5a;
		cr_assert_eq(scene_parse(&s, s.quote_len), DROP_NONE);
	}
}

// What stands behind the RFC 4884 length is not the quoted packet, however long that says it is.
Test(pkt, icmp_req_5508_3d_extension_is_not_part_of_the_quote)
{
	uint8_t l3[sizeof packet_exceeded_mpls];
	struct pkt p;
	static struct scene s;

	memcpy(l3, packet_exceeded_mpls, sizeof l3);
	cr_assert_eq(make_parse(&p, l3, sizeof l3), DROP_NONE);
	cr_assert(p.inner.kind == PKT_UDP && p.inner.sport == 40001 && p.inner.dport == 33434);
	cr_assert_eq(p.inner.l4_left, 108); // 128 of the length less 20; the message has 12 more

	scene_begin(&s, IP_TCP);
	s.error.length_words = 7; // header and eight octets: TCP's checksum is beyond
	cr_assert_eq(scene_parse(&s, s.quote_len), DROP_NONE);
	cr_assert_eq(s.p.inner.l4_left, 8);
	s.error.length_words = 6;
	cr_assert_eq(scene_parse(&s, s.quote_len), DROP_ICMP_EMBEDDED);
	s.error.length_words = 255; // past the message: its end holds
	cr_assert_eq(scene_parse(&s, s.quote_len), DROP_NONE);
	cr_assert_eq(s.p.inner.l4_left, 60);
}

// Padding behind a short quoted packet is not part of it, with a length field or without.
Test(pkt, icmp_req_5508_3d_padding_is_not_part_of_the_quote)
{
	static struct scene s;

	scene_begin(&s, IP_UDP);
	s.quoted.payload_len = 0;
	make_packet(s.quote, &s.quoted);
	s.error.length_words = 32;
	cr_assert_eq(scene_parse(&s, 128), DROP_NONE);
	cr_assert_eq(s.p.inner.l4_left, 8);
	s.error.length_words = 0;
	cr_assert_eq(scene_parse(&s, 128), DROP_NONE);
	cr_assert_eq(s.p.inner.l4_left, 8);
}

Test(pkt, icmp_l4_left_is_at_most_255)
{
	static struct scene s;

	scene_begin(&s, IP_UDP);
	s.quoted.payload_len = 500;
	s.quote_len = make_packet(s.quote, &s.quoted);
	cr_assert_eq(scene_parse(&s, s.quote_len), DROP_NONE);
	cr_assert_eq(s.p.inner.l4_left, 255);
}

// One field of the quoted header changed, its checksum put right.
Test(pkt, icmp_table_of_unusable_quotes)
{
	static const struct {
		const char *what;
		uint8_t at, value;
		enum drop drop;
	} cases[] = {
		{"version 6", 0, 0x65, DROP_ICMP_EMBEDDED},
		{"header of 16 octets", 0, 0x44, DROP_ICMP_EMBEDDED},
		{"total length of the header", 3, 20, DROP_ICMP_EMBEDDED},
		{"total length one octet short", 3, 27, DROP_ICMP_EMBEDDED},
		{"total length just enough", 3, 28, DROP_NONE},
		{"total length zero", 3, 0, DROP_ICMP_EMBEDDED},
		{"later fragment", 7, 1, DROP_ICMP_EMBEDDED},
		{"last offset", 6, 0x1f, DROP_ICMP_EMBEDDED},
		{"first fragment", 6, 0x20, DROP_NONE},
		{"DF", 6, 0x40, DROP_NONE},
		{"TTL 0", 8, 0, DROP_NONE},
	};
	static struct scene s;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scene_begin(&s, IP_UDP);
		s.quote[cases[i].at] = cases[i].value;
		make_header_right(s.quote);
		enum drop drop = scene_parse(&s, s.quote_len);
		cr_assert_eq(drop, cases[i].drop, "%s: %s", cases[i].what, drop_name(drop));
	}
}

Test(pkt, icmp_quote_may_be_cut_down_to_eight_octets_of_transport)
{
	static const uint8_t protocols[] = {IP_UDP, IP_TCP, IP_ICMP};
	static struct scene s;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		scene_begin(&s, protocols[i]);
		for (size_t cut = 0; cut <= s.quote_len; cut++) {
			enum drop drop = scene_parse(&s, cut);
			cr_assert_eq(drop, cut < 28 ? DROP_ICMP_EMBEDDED : DROP_NONE);
			if (!drop)
				cr_assert_eq(s.p.inner.l4_left, cut - 20);
		}
	}
}
