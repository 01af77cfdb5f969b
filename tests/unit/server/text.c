// SPDX-License-Identifier: Apache-2.0
// DESCRIPTION (RFC 7220).
#include "world.h"

static struct pcp_message describe(struct world *w, const struct pcp_message *m, const char *text)
{
	world_encode(w, m);
	world_add_option(w, PCP_DESCRIPTION, text, (uint16_t)strlen(text));
	return world_answer(w);
}

static void expect_text(struct world *w, const struct pcp_message *m, const char *want)
{
	struct nat_key key = world_key(CLIENT_IP, NAT_TCP, m->internal_port);
	uint8_t text[NAT_DESCRIPTION];
	uint32_t n = nat_lease_text(w->nat, &key, text, sizeof text);

	cr_assert_eq(n, strlen(want));
	cr_assert_eq(memcmp(text, want, n), 0);
}

static void expect_echo(const struct world *w, const char *want)
{
	const struct pcp_option_wire *o = (const void *)(w->msg + 60);
	size_t n = strlen(want);

	cr_assert_eq(w->len, 60 + 4 + ((n + 3) & ~(size_t)3));
	cr_assert(o->code == PCP_DESCRIPTION && be16_get(o->length) == n);
	cr_assert_eq(memcmp(w->msg + 64, want, n), 0);
}

Test(text, rfc7220_s3_it_is_kept_replaced_and_erased)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	expect_answer(describe(&w, &m, "web"), PCP_SUCCESS, 3600);
	expect_echo(&w, "web");
	expect_text(&w, &m, "web");
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600); // without the option it stays
	cr_assert_eq(w.len, 60);
	expect_text(&w, &m, "web");
	expect_answer(describe(&w, &m, "mail"), PCP_SUCCESS, 3600);
	expect_text(&w, &m, "mail");
	expect_answer(describe(&w, &m, ""), PCP_SUCCESS, 3600);
	expect_echo(&w, "");
	expect_text(&w, &m, "");
	world_close(&w);
}

Test(text, rfc7220_s3_what_is_too_long_is_cut_between_characters_and_told)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	w.policy.description_max = 6;
	expect_answer(describe(&w, &m, "abcdefgh"), PCP_SUCCESS, 3600);
	expect_echo(&w, "abcdef");
	expect_text(&w, &m, "abcdef");
	expect_answer(describe(&w, &m, "abcd\xe2\x82\xac"), PCP_SUCCESS, 3600); // euro sign
	expect_echo(&w, "abcd");
	expect_answer(describe(&w, &m, "abc\xe2\x82\xac"), PCP_SUCCESS, 3600);
	expect_echo(&w, "abc\xe2\x82\xac");
	w.policy.description_max = 2;
	expect_answer(describe(&w, &m, "\xf0\x9f\x98\x80"), PCP_SUCCESS, 3600);
	expect_echo(&w, "");
	world_close(&w);
}

Test(text, rfc7220_s3_no_utf8_is_not_kept_and_not_told)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	describe(&w, &m, "web");
	expect_answer(describe(&w, &m, "\xc3\x28"), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 60);
	expect_text(&w, &m, "web");
	cr_assert_eq(w.counters.texts_dropped, 1);
	world_close(&w);
}

Test(text, rfc7220_s3_without_room_the_mapping_is_made_without_the_text)
{
	struct pcp_message m = map_of(IP_TCP, 8000, 3600);
	struct world w;
	unsigned kept = 0;

	world_open(&w);
	w.nat_policy.lease_limit = 100;
	for (unsigned i = 0; i < 40; i++, m.internal_port++) { // the world has 16 places
		expect_answer(describe(&w, &m, "web"), PCP_SUCCESS, 3600);
		kept += w.len > 60;
	}
	cr_assert_eq(kept, 16);
	cr_assert_eq(w.counters.texts_dropped, 24);
	world_close(&w);
}

Test(text, rfc7220_s3_a_refused_request_leaves_the_text_alone)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	describe(&w, &m, "web");
	m.nonce = OTHER_NONCE;
	cr_assert_eq(describe(&w, &m, "mine").result, PCP_NOT_AUTHORIZED);
	expect_text(&w, &m, "web");
	world_close(&w);
}

Test(text, rfc7220_s4_a_limit_of_zero_switches_it_off)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);
	struct world w;

	world_open(&w);
	w.policy.description_max = 0;
	world_encode(&w, &m);
	world_add_option(&w, PCP_DESCRIPTION, "a", 1);
	world_add_option(&w, PCP_DESCRIPTION, "b", 1);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 60);
	world_close(&w);
}
