// SPDX-License-Identifier: Apache-2.0
// Who may renew and delete a mapping: nonces (RFC 6887 s.11.3), and dialects without them on the
// same mappings.
#include "world.h"

enum {
	PORT = 8080
};

static struct pcp_message map_in(enum pcp_dialect dialect, struct pcp_nonce nonce, uint32_t life_s)
{
	struct pcp_message m = map_of(IP_TCP, PORT, life_s);

	m.dialect = (uint8_t)dialect;
	m.nonce = nonce;
	m.external_ip = ip6_mapped(0);
	return m;
}

static enum pcp_result ask_in(
	struct world *w, enum pcp_dialect dialect, struct pcp_nonce nonce, uint32_t life_s)
{
	struct pcp_message m = map_in(dialect, nonce, life_s);

	world_encode(w, &m);
	return (enum pcp_result)world_answer_in(w, dialect).result;
}

struct clash {
	enum pcp_dialect made, asked;
	bool same_nonce;
	enum pcp_result result; // of renewing and of deleting
};

static const struct clash clashes[] = {
	{PCP_V2, PCP_V2, true, PCP_SUCCESS},
	{PCP_V2, PCP_V2, false, PCP_NOT_AUTHORIZED},
	{PCP_V2, PCP_NATPMP, true, PCP_NOT_AUTHORIZED}, // a dialect without nonces knows none
	{PCP_V2, PCP_V1A, true, PCP_NOT_AUTHORIZED},
	{PCP_V2, PCP_V1B, true, PCP_NOT_AUTHORIZED},
	{PCP_V2, PCP_V1C, false, PCP_NOT_AUTHORIZED},
	{PCP_V2, PCP_V1C, true, PCP_SUCCESS},
	{PCP_V1C, PCP_V1C, false, PCP_SUCCESS}, // draft -25: the newest nonce counts
	{PCP_V1C, PCP_V2, false, PCP_NOT_AUTHORIZED},
	{PCP_V1C, PCP_V1B, true, PCP_NOT_AUTHORIZED},
	{PCP_NATPMP, PCP_NATPMP, true, PCP_SUCCESS},
	{PCP_NATPMP, PCP_V2, true, PCP_SUCCESS}, // nothing protects it: the first nonce is kept
	{PCP_V1B, PCP_V1A, true, PCP_SUCCESS},
	{PCP_V1A, PCP_V1C, true, PCP_SUCCESS},
};

Test(nonce, rfc6887_s11_3_and_rfc6886_s1_1_dialects_meet_on_one_mapping)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(clashes); i++) {
		const struct clash *c = &clashes[i / 2];
		uint32_t life_s = i % 2 == 0 ? 7200 : 0;
		struct pcp_message m = map_of(IP_TCP, PORT, 0);
		struct nat_view view;
		struct world w;

		world_open(&w);
		cr_assert_eq(ask_in(&w, c->made, NONCE, 3600), PCP_SUCCESS);
		cr_expect_eq(ask_in(&w, c->asked, c->same_nonce ? NONCE : OTHER_NONCE, life_s),
			c->result, "%s then %s for %u", pcp_dialect_name(c->made),
			pcp_dialect_name(c->asked), life_s);
		view = world_look(&w, &m);
		if (c->result != PCP_SUCCESS) // an error leaves no trace
			cr_expect(view.kind == NAT_EXPLICIT && view.lease_left_s == 3600 &&
				  view.dialect == c->made);
		else if (life_s == 0)
			cr_expect_neq(view.kind, NAT_EXPLICIT);
		else
			cr_expect(view.lease_left_s == 7200 && view.dialect == c->asked);
		world_close(&w);
	}
}

Test(nonce, rfc6887_s11_3_the_first_nonce_on_a_mapping_without_one_protects_it)
{
	struct world w;

	world_open(&w);
	cr_assert_eq(ask_in(&w, PCP_NATPMP, NONCE, 3600), PCP_SUCCESS);
	cr_assert_eq(ask_in(&w, PCP_V2, NONCE, 3600), PCP_SUCCESS);
	cr_assert_eq(ask_in(&w, PCP_V2, OTHER_NONCE, 3600), PCP_NOT_AUTHORIZED);
	cr_assert_eq(ask_in(&w, PCP_NATPMP, NONCE, 3600), PCP_NOT_AUTHORIZED);
	world_close(&w);
}

Test(nonce, draft_ietf_pcp_base_25_the_newest_nonce_is_the_one_that_counts)
{
	struct world w;

	world_open(&w);
	cr_assert_eq(ask_in(&w, PCP_V1C, NONCE, 3600), PCP_SUCCESS);
	cr_assert_eq(ask_in(&w, PCP_V1C, OTHER_NONCE, 3600), PCP_SUCCESS);
	cr_assert_eq(ask_in(&w, PCP_V2, NONCE, 3600), PCP_NOT_AUTHORIZED);
	cr_assert_eq(ask_in(&w, PCP_V2, OTHER_NONCE, 3600), PCP_SUCCESS);
	cr_assert_eq(w.counters.nonce_replaced, 0);
	world_close(&w);
}

// Some clients draw a nonce for every request.
Test(nonce, same_source_may_renew_with_another_nonce_and_not_delete)
{
	struct world w;

	world_open(&w);
	w.policy.any_nonce = true;
	cr_assert_eq(ask_in(&w, PCP_V2, NONCE, 3600), PCP_SUCCESS);
	cr_assert_eq(ask_in(&w, PCP_V2, OTHER_NONCE, 7200), PCP_SUCCESS);
	cr_assert_eq(w.counters.nonce_replaced, 1);
	cr_assert_eq(ask_in(&w, PCP_V2, NONCE, 0), PCP_NOT_AUTHORIZED); // the older one is gone
	cr_assert_eq(w.counters.nonce_mismatches, 1);
	cr_assert_eq(ask_in(&w, PCP_V1B, NONCE, 3600), PCP_NOT_AUTHORIZED);
	cr_assert_eq(ask_in(&w, PCP_V2, OTHER_NONCE, 0), PCP_SUCCESS);
	world_close(&w);
}

Test(nonce, same_source_is_the_client_and_not_the_host)
{
	struct pcp_message m = map_of(IP_TCP, PORT, 3600);
	struct nat_wish wish = {.key = world_key(CLIENT_IP, NAT_TCP, PORT),
		.lifetime_s = 3600,
		.has_nonce = true,
		.client = OTHER_IP, // a third party made it
		.client_realm = 1,
		.third_party = true};
	struct nat_view view;
	struct world w;

	world_open(&w);
	w.policy.any_nonce = true;
	cr_assert_eq(nat_lease_map(w.nat, &w.nat_policy, 0, &wish, w.now_s, &view), NAT_GRANTED);
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, 3600);
	world_close(&w);
}

Test(nonce, same_source_counts_a_peer_lease_that_another_nonce_renewed)
{
	struct pcp_message m = map_of(IP_UDP, PORT, 600);
	struct world w;

	world_open(&w);
	m.opcode = PCP_PEER;
	m.remote_port = 443;
	m.remote_ip = ip6_mapped(0xc6336407);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 600);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 600);
	cr_assert_eq(w.counters.nonce_replaced, 0);
	m.nonce = OTHER_NONCE;
	cr_assert_eq(world_map(&w, &m).result, PCP_NOT_AUTHORIZED);
	w.policy.any_nonce = true;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 600);
	cr_assert_eq(w.counters.nonce_replaced, 1);
	world_close(&w);
}
