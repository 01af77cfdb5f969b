// SPDX-License-Identifier: Apache-2.0
// Which version 1 a message is: by hand-made edges, and by a few hundred thousand random messages
// of the four layouts, written here without the codec's encoder.
#include "vector.h"

enum kind {
	KIND_V1A,
	KIND_V1B,
	KIND_V1C,
	KIND_V1M,
	KINDS
};

static const enum pcp_dialect dialect_of[KINDS] = {PCP_V1A, PCP_V1B, PCP_V1C, PCP_V2};

static void put_random(struct writer *w, struct rng *r, size_t n)
{
	while (n-- > 0)
		write_u8(w, (uint8_t)rng_u32(r));
}

static void put_zeros(struct writer *w, size_t n)
{
	while (n-- > 0)
		write_u8(w, 0);
}

static ip6 random_address(struct rng *r)
{
	ip6 a;

	if (rng_below(r, 2))
		return ip6_mapped(rng_u32(r));
	for (size_t i = 0; i < sizeof a.b; i++)
		a.b[i] = (uint8_t)rng_u32(r);
	a.b[0] = rng_below(r, 4) ? (uint8_t)(0x20 | (a.b[0] & 0x1f)) : (a.b[0] & 1) | 0xfc;
	return a;
}

// An address or "no preference" of either family.
static void put_external(struct writer *w, struct rng *r)
{
	static const ip6 none;
	ip6 a = random_address(r);

	if (rng_below(r, 2) && ip6_is_mapped(a))
		a = ip6_mapped(0);
	else if (rng_below(r, 3) == 0)
		a = none;
	write_bytes(w, a.b, sizeof a.b);
}

static void put_options(struct writer *w, struct rng *r)
{
	for (uint32_t n = rng_below(r, 4); n > 0; n--) {
		uint16_t length = (uint16_t)rng_below(r, 33);

		write_u8(w, (uint8_t)(1 + rng_below(r, 255)));
		write_u8(w, 0);
		write_u16(w, length);
		put_random(w, r, length);
		put_zeros(w, (4 - length % 4) % 4);
	}
}

static uint8_t random_protocol(struct rng *r, bool peer)
{
	static const uint8_t usual[] = {6, 17, 1, 132};

	if (!peer && rng_below(r, 10) == 0)
		return 0;
	return rng_below(r, 4) ? usual[rng_below(r, ARRAY_SIZE(usual))]
			       : (uint8_t)(1 + rng_below(r, 255));
}

// Drafts -16 and later: protocol, ports, external address, and for PEER the remote peer.
static void put_late_body(struct writer *w, struct rng *r, bool peer)
{
	write_u8(w, random_protocol(r, peer));
	put_zeros(w, 3);
	put_random(w, r, 4);
	put_external(w, r);
	if (!peer)
		return;
	put_random(w, r, 2);
	put_zeros(w, 2);
	ip6 remote = random_address(r);
	write_bytes(w, remote.b, sizeof remote.b);
}

// Drafts -07 to -12: an opcode for each family, plain addresses.
static void put_early_body(struct writer *w, struct rng *r, unsigned opcode)
{
	bool peer = opcode >= 3;

	write_u8(w, random_protocol(r, peer));
	put_zeros(w, 3);
	put_random(w, r, 2);
	if (peer)
		put_zeros(w, 2);
	put_random(w, r, peer ? 2 : 0);
	if (peer)
		put_zeros(w, 2);
	put_random(w, r, peer ? 0 : 2);
	put_random(w, r, opcode % 2 ? 4 : 16);
	if (peer)
		put_zeros(w, 16);
}

static void put_client(struct writer *w, enum kind kind, ip6 source)
{
	if (kind == KIND_V1A)
		return;
	if (kind != KIND_V1M) {
		write_bytes(w, source.b, sizeof source.b);
		return;
	}
	put_zeros(w, 4);
	if (ip6_is_mapped(source)) {
		write_u32(w, ip6_to_ip4(source));
		put_zeros(w, 12);
	} else {
		write_bytes(w, source.b, sizeof source.b);
	}
}

// A valid request of the layout; its length.
static size_t write_random(uint8_t msg[PCP_MAX], enum kind kind, ip6 source, struct rng *r)
{
	struct writer w = {.at = msg, .end = msg + PCP_MAX};
	bool late = kind == KIND_V1B || kind == KIND_V1C;
	unsigned opcode = 1 + rng_below(r, late ? 2 : 4);

	write_u8(&w, 1);
	write_u8(&w, (uint8_t)opcode);
	write_u16(&w, late && rng_below(r, 8) == 0 ? (uint16_t)rng_u32(r) : 0); // -13, -14
	write_u32(&w, rng_below(r, 4) ? rng_u32(r) : 0);
	put_client(&w, kind, source);
	if (kind == KIND_V1C && rng_below(r, 10) == 0)
		put_zeros(&w, 12);
	else if (kind == KIND_V1C)
		put_random(&w, r, 12);
	if (late)
		put_late_body(&w, r, opcode == 2);
	else
		put_early_body(&w, r, opcode);
	put_options(&w, r);
	cr_assert_not(w.bad);
	return (size_t)(w.at - msg);
}

Test(pcp, random_messages_of_four_version_1_layouts_are_told_apart)
{
	struct pcp_served served = {.dialects = SERVES_ALL, .external_ip6 = true};
	uint32_t wrong[KINDS] = {0};
	struct rng r;

	rng_init_u64(&r, 7201216);
	for (uint32_t i = 0; i < 400000; i++) {
		enum kind kind = (enum kind)(i % KINDS);
		uint8_t msg[PCP_MAX];
		struct pcp_message m;
		enum pcp_result result;
		size_t len;

		served.source = random_address(&r);
		len = write_random(msg, kind, served.source, &r);
		(void)pcp_decode_request(msg, len, &served, &m, &result);
		wrong[kind] += m.dialect != dialect_of[kind];
		if (kind == KIND_V1M)
			wrong[kind] += result != PCP_UNSUPP_VERSION;
	}
	for (unsigned kind = 0; kind < KINDS; kind++)
		cr_expect_eq(wrong[kind], 0, "layout %u: %u wrong", kind, wrong[kind]);
}

struct edge_case {
	const char *what, *hex;
	enum pcp_dialect dialect;
	enum pcp_result result;
};

#define MAP_BODY "06000000 1f900000 " NO_IP4

static const struct edge_case edges[] = {
	{"20 octets", "01010000 00000e10 06000000 1f900000 00000000", PCP_V1A, PCP_SUCCESS},
	{"4 octets", "01010000", PCP_V1A, PCP_MALFORMED_REQUEST},
	{"v1a as long as v1b's MAP",
		"01010000 00000e10 06000000 1f900000 00000000 c8000018 01020304 05060708 090a0b0c "
		"0d0e0f10 11121314 15161718",
		PCP_V1A, PCP_SUCCESS},
	{"the client's address is another", "01010000 00000e10 " NO_IP4 MAP_BODY, PCP_V1B,
		PCP_SUCCESS},
	{"another IPv6 client", "01010000 00000e10 20010db8 00000001 00000000 00000010 " MAP_BODY,
		PCP_V1B, PCP_SUCCESS},
	{"MAP too short for either", "01010000 00000e10 " CLIENT "06000000 1f900000", PCP_V1B,
		PCP_MALFORMED_REQUEST},
	{"v1b ignores its reserved octets", "01010000 00000e10 " CLIENT "06010203 1f900000 " NO_IP4,
		PCP_V1B, PCP_SUCCESS},
	{"v1b with one more option than v1c",
		"01010000 00000e10 " CLIENT MAP_BODY
		"03000014 00180000 00000000 00000000 0000ffff c6336400",
		PCP_V1B, PCP_SUCCESS},
	{"a zero nonce", "01010000 00000e10 " CLIENT ZERO12 MAP_BODY, PCP_V1C, PCP_SUCCESS},
	{"ANNOUNCE has no body to tell by", "01000000 00000000 " CLIENT, PCP_V1B, PCP_SUCCESS},
	{"PEER4 of draft -13", "01033039 00000e10 " CLIENT MAP_BODY, PCP_V1B, PCP_UNSUPP_OPCODE},
};

Test(pcp, version_1_edges)
{
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		const struct edge_case *c = &edges[i];
		struct pcp_served served = serving(SERVES_ALL, CLIENT_ADDRESS);
		uint8_t msg[HEX_MAX];
		size_t len = hex(c->hex, msg);
		struct pcp_message m;
		enum pcp_result result;

		(void)pcp_decode_request(msg, len, &served, &m, &result);
		cr_expect_eq(m.dialect, c->dialect, "%s: %s", c->what, pcp_dialect_name(m.dialect));
		cr_expect_eq(result, c->result, "%s: %s", c->what, pcp_result_name(result));
		if (result == PCP_UNSUPP_OPCODE)
			cr_expect_eq(m.opcode, PCP_NO_OPCODE, "%s", c->what);
	}
}

Test(pcp, an_announce_of_version_1_is_whichever_dialect_is_served)
{
	struct pcp_served served = serving(PCP_SERVES(PCP_V1C), CLIENT_ADDRESS);
	uint8_t msg[HEX_MAX];
	size_t len = hex("01000000 00000000 " CLIENT, msg);
	struct pcp_message m;
	enum pcp_result result;

	cr_expect_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_OPEN);
	cr_expect_eq(m.dialect, PCP_V1C);
}

Test(pcp, version_1_of_less_than_4_octets_is_not_answered)
{
	struct pcp_served served = serving(SERVES_ALL, CLIENT_ADDRESS);
	uint8_t msg[] = {1, 1, 0};
	struct pcp_message m;
	enum pcp_result result;

	cr_expect_eq(pcp_decode_request(msg, 3, &served, &m, &result), PCP_DOOR_SHORT);
	served.dialects = PCP_SERVES(PCP_V2);
	cr_expect_eq(pcp_decode_request(msg, 3, &served, &m, &result), PCP_DOOR_REFUSE);
	cr_expect_eq(result, PCP_UNSUPP_VERSION);
}

// Drafts -16 to -25; version 2 has no such thing (RFC 6887 s.15.1).
Test(pcp, all_zeros_delete_everything_in_version_1_only)
{
	static const struct {
		const char *hex;
		uint8_t scope;
	} cases[] = {
		{"01010000 00000000 " CLIENT "00000000 00000000 " NO_IP4, PCP_ALL},
		{"01010000 00000000 " CLIENT NONCE "00000000 00000000 " NO_IP4, PCP_ALL},
		{"02010000 00000000 " CLIENT NONCE "00000000 00000000 " NO_IP4, PCP_ONE},
		{"01010000 00000000 " CLIENT "06000000 00000000 " NO_IP4, PCP_ONE},
		{"01010000 00000e10 " CLIENT "00000000 00000000 " NO_IP4, PCP_ONE},
		{"01020000 00000000 " CLIENT "00000000 00000000 " NO_IP4 "00000000 " NO_IP4,
			PCP_ONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcp_served served = serving(SERVES_ALL, CLIENT_ADDRESS);
		uint8_t msg[HEX_MAX];
		size_t len = hex(cases[i].hex, msg);
		struct pcp_message m;
		enum pcp_result result;

		cr_assert_eq(pcp_decode_request(msg, len, &served, &m, &result), PCP_DOOR_OPEN);
		cr_expect_eq(m.scope, cases[i].scope, "case %zu", i);
	}
}

Test(pcp, version_1_stops_at_1024_octets)
{
	struct pcp_served served = serving(SERVES_ALL, CLIENT_ADDRESS);
	struct pcp_error error = {PCP_MALFORMED_REQUEST, false, 1800, 100, NULL};
	static const char *const requests[] = {
		"01010000 00000e10 06000000 1f900000 00000000 c8000010 00000000",
		"01010000 00000e10 " CLIENT MAP_BODY "c8000010",
		"01010000 00000e10 " CLIENT NONCE MAP_BODY "c8000010",
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		uint8_t msg[HEX_MAX] = {0};
		struct pcp_message m;
		enum pcp_result result;

		hex(requests[i], msg);
		cr_expect_eq(pcp_decode_request(msg, 1024, &served, &m, &result), PCP_DOOR_OPEN);
		cr_expect_eq(pcp_decode_request(msg, 1028, &served, &m, &result), PCP_DOOR_REFUSE);
		cr_expect_eq(result, PCP_MALFORMED_REQUEST);
		cr_expect_eq(pcp_error_reply(msg, 1028, sizeof msg, &m, &error), 1024);
	}
}
