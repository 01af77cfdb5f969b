// SPDX-License-Identifier: Apache-2.0
// THIRD_PARTY (RFC 6887 s.13.1) and THIRD_PARTY_ID (RFC 7843).
#include "world.h"

#define PORTAL_IP 0xc6336414u // 198.51.100.20
#define HOST_IP 0x6440004du   // 100.64.0.77

static const struct prefix4 portals[] = {{PORTAL_IP, 32}};
static const struct server_id ids[] = {{3, {1, 2, 3}, 1}, {3, {1, 2, 4}, 2}, {2, {9, 9}, 1}};

static void open_portal(struct world *w, bool with_ids)
{
	world_open(w);
	w->policy.third_party.sources = (struct server_sources){1, portals};
	if (with_ids) {
		w->policy.third_party.n_ids = ARRAY_SIZE(ids);
		w->policy.third_party.ids = ids;
	}
	w->asker.source = PORTAL_IP;
	w->asker.stranger = true;
}

static struct pcp_message portal_map(void)
{
	struct pcp_message m = map_of(IP_TCP, 8080, 3600);

	m.client = ip6_mapped(PORTAL_IP);
	return m;
}

static void encode_for(struct world *w, const struct pcp_message *m, ip4 host)
{
	world_encode(w, m);
	w->len = pcp_append_third_party(w->msg, w->len, sizeof w->msg, m, ip6_mapped(host));
}

// As a shard does: first whose it is, then the answer where that host is.
static struct pcp_message answer_at_target(struct world *w)
{
	w->asker.has_target = server_find_target(
		&w->policy, &w->asker, w->msg, w->len, &w->asker.target, &w->asker.target_realm);
	return world_answer(w);
}

static struct nat_view look_host(const struct world *w, ip4 host, uint8_t realm)
{
	struct nat_key key = {.host = host, .port = 8080, .realm = realm, .protocol = NAT_TCP};
	struct nat_view view;

	nat_lease_look(w->nat, &key, w->now_s, &view);
	return view;
}

Test(third_party, rfc6887_s13_1_an_authorized_portal_maps_for_a_host)
{
	struct pcp_message m = portal_map(), reply;
	struct nat_view view;
	struct world w;

	open_portal(&w, false);
	encode_for(&w, &m, HOST_IP);
	w.asker.target_ok = true;
	reply = answer_at_target(&w);
	expect_answer(reply, PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 80); // echoed
	view = look_host(&w, HOST_IP, 1);
	cr_assert(view.kind == NAT_EXPLICIT && view.third_party);
	cr_assert(view.client == PORTAL_IP && view.client_realm == 1);
	cr_assert_eq(look_host(&w, PORTAL_IP, 1).kind, NAT_ABSENT);
	cr_assert_eq(w.counters.third_party, 1);
	m.lifetime_s = 0;
	encode_for(&w, &m, HOST_IP);
	expect_answer(answer_at_target(&w), PCP_SUCCESS, 0);
	cr_assert_neq(look_host(&w, HOST_IP, 1).kind, NAT_EXPLICIT);
	world_close(&w);
}

Test(third_party, rfc6887_s13_1_peer_for_a_host)
{
	struct pcp_message m = portal_map();
	struct world w;

	open_portal(&w, false);
	m.opcode = PCP_PEER;
	m.remote_ip = ip6_mapped(FOREIGN_IP);
	m.remote_port = 443;
	encode_for(&w, &m, HOST_IP);
	w.asker.target_ok = true;
	expect_answer(answer_at_target(&w), PCP_SUCCESS, 3600);
	cr_assert_eq(w.len, 100);
	cr_assert_eq(look_host(&w, HOST_IP, 1).kind, NAT_PEER);
	world_close(&w);
}

Test(third_party, rfc6887_s13_1_a_host_of_no_subscriber_is_refused)
{
	struct pcp_message m = portal_map();
	struct world w;

	open_portal(&w, false);
	encode_for(&w, &m, FOREIGN_IP);
	expect_answer(answer_at_target(&w), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	cr_assert_eq(w.counters.third_party, 0);
	m.dialect = PCP_V1A;
	encode_for(&w, &m, FOREIGN_IP);
	w.asker.has_target = server_find_target(
		&w.policy, &w.asker, w.msg, w.len, &w.asker.target, &w.asker.target_realm);
	cr_assert_eq(world_answer_in(&w, PCP_V1A).result, PCP_UNAUTH_TARGET_ADDRESS);
	world_close(&w);
}

Test(third_party, rfc6887_s13_1_an_ip6_host_is_nobodys)
{
	struct pcp_message m = portal_map();
	struct world w;

	open_portal(&w, false);
	world_encode(&w, &m);
	w.len = pcp_append_third_party(w.msg, w.len, sizeof w.msg, &m, (ip6){{0x20, 1}});
	w.asker.target_ok = true;
	expect_answer(answer_at_target(&w), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	world_close(&w);
}

Test(third_party, a_stranger_may_ask_for_others_and_for_the_epoch_only)
{
	struct pcp_message m = portal_map();
	struct world w;

	open_portal(&w, false);
	expect_answer(world_map(&w, &m), PCP_NOT_AUTHORIZED, PCP_ERROR_LONG_S);
	m.opcode = PCP_ANNOUNCE;
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	w.len = hex("0000", w.msg);
	cr_assert_eq(world_answer_in(&w, PCP_NATPMP).result, PCP_NOT_AUTHORIZED);
	world_close(&w);
}

struct refusal {
	const char *what;
	ip4 source, host;
	uint8_t id_length, id[3];
	bool without_address, twice, required;
	enum pcp_result result; // PCP_SUCCESS: handed to the host's shard
	uint8_t realm;
};

static const struct refusal refusals[] = {
	{"without an identifier", PORTAL_IP, HOST_IP, 0, {0}, false, false, false, PCP_SUCCESS, 1},
	{"in another realm", PORTAL_IP, HOST_IP, 3, {1, 2, 4}, false, false, false, PCP_SUCCESS, 2},
	{"nobody's portal", CLIENT_IP, HOST_IP, 3, {1, 2, 3}, false, false, false,
		PCP_UNSUPP_OPTION, 0},
	{"twice", PORTAL_IP, HOST_IP, 3, {1, 2, 3}, false, true, false, PCP_MALFORMED_OPTION, 0},
	{"of no length that is configured", PORTAL_IP, HOST_IP, 1, {1}, false, false, false,
		PCP_UNSUPP_THIRD_PARTY_ID_LENGTH, 0},
	{"alone", PORTAL_IP, HOST_IP, 3, {1, 2, 3}, true, false, false,
		PCP_THIRD_PARTY_MISSING_OPTION, 0},
	{"missing where it is required", PORTAL_IP, HOST_IP, 0, {0}, false, false, true,
		PCP_THIRD_PARTY_MISSING_OPTION, 0},
	{"unknown", PORTAL_IP, HOST_IP, 3, {7, 7, 7}, false, false, false,
		PCP_THIRD_PARTY_ID_UNKNOWN, 0},
	{"for himself", PORTAL_IP, PORTAL_IP, 3, {1, 2, 3}, false, false, false,
		PCP_MALFORMED_REQUEST, 0},
	{"for an equal address elsewhere", PORTAL_IP, PORTAL_IP, 3, {1, 2, 4}, false, false, false,
		PCP_SUCCESS, 2},
};

static void encode_refusal(struct world *w, const struct refusal *r)
{
	struct pcp_message m = portal_map();

	m.client = ip6_mapped(r->source);
	w->asker.source = r->source;
	w->policy.third_party.id_required = r->required;
	if (r->without_address)
		world_encode(w, &m);
	else
		encode_for(w, &m, r->host);
	if (r->id_length > 0)
		world_add_option(w, PCP_THIRD_PARTY_ID, r->id, r->id_length);
	if (r->twice)
		world_add_option(w, PCP_THIRD_PARTY_ID, r->id, r->id_length);
}

Test(third_party, rfc7843_s5_2_checks_in_their_order)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct world w;

		open_portal(&w, true);
		encode_refusal(&w, r);
		w.asker.target_ok = true;
		answer_at_target(&w);
		cr_expect_eq(w.asker.has_target, r->result == PCP_SUCCESS, "%s", r->what);
		cr_expect_eq(w.result, r->result, "%s: %s", r->what, pcp_result_name(w.result));
		if (r->result == PCP_SUCCESS)
			cr_expect_eq(
				look_host(&w, r->host, r->realm).kind, NAT_EXPLICIT, "%s", r->what);
		world_close(&w);
	}
}

// Realms with the same addresses are different hosts.
Test(third_party, rfc7843_s5_2_the_identifier_chooses_the_realm)
{
	struct pcp_message m = portal_map();
	struct world w;

	open_portal(&w, true);
	w.asker.target_ok = true;
	for (unsigned i = 0; i < 2; i++) {
		encode_for(&w, &m, HOST_IP);
		world_add_option(&w, PCP_THIRD_PARTY_ID, ids[i].octets, 3);
		expect_answer(answer_at_target(&w), PCP_SUCCESS, 3600);
		cr_assert_eq(w.len, 88);
	}
	cr_assert_eq(look_host(&w, HOST_IP, 1).kind, NAT_EXPLICIT);
	cr_assert_eq(look_host(&w, HOST_IP, 2).kind, NAT_EXPLICIT);
	world_close(&w);
}

// Requests that would be refused are refused where they arrive.
Test(third_party, only_a_sound_request_is_handed_on)
{
	static const uint8_t opcodes[] = {PCP_MAP, PCP_PEER, PCP_ANNOUNCE};
	struct pcp_message m = portal_map();
	struct world w;
	uint8_t realm;
	ip4 host;

	open_portal(&w, false);
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		m.opcode = opcodes[i];
		encode_for(&w, &m, HOST_IP);
		cr_assert_eq(server_find_target(&w.policy, &w.asker, w.msg, w.len, &host, &realm),
			m.opcode != PCP_ANNOUNCE);
	}
	m.opcode = PCP_MAP;
	encode_for(&w, &m, HOST_IP);
	world_add_option(&w, 42, NULL, 0);
	cr_assert(!server_find_target(&w.policy, &w.asker, w.msg, w.len, &host, &realm));
	expect_answer(world_answer(&w), PCP_UNSUPP_OPTION, PCP_ERROR_LONG_S);
	world_encode(&w, &m);
	cr_assert(!server_find_target(&w.policy, &w.asker, w.msg, w.len, &host, &realm));
	encode_for(&w, &m, HOST_IP);
	for (size_t len = 0; len < w.len; len++)
		cr_assert(!server_find_target(&w.policy, &w.asker, w.msg, len, &host, &realm));
	w.policy.options = 0;
	cr_assert(!server_find_target(&w.policy, &w.asker, w.msg, w.len, &host, &realm));
	w.policy = WORLD_POLICY; // no sources
	cr_assert(!server_find_target(&w.policy, &w.asker, w.msg, w.len, &host, &realm));
	m.client = ip6_mapped(CLIENT_IP);
	w.policy.third_party.sources = (struct server_sources){1, portals};
	encode_for(&w, &m, HOST_IP);
	cr_assert(!server_find_target(&w.policy, &w.asker, w.msg, w.len, &host, &realm));
	expect_answer(world_answer(&w), PCP_ADDRESS_MISMATCH, PCP_ERROR_LONG_S);
	world_close(&w);
}

// The host's own nonce protects the host's own mapping.
Test(third_party, rfc6887_s11_3_a_portal_needs_the_nonce_as_anybody)
{
	struct pcp_message m = portal_map(), own = map_of(IP_TCP, 8080, 3600);
	struct world w;

	open_portal(&w, false);
	w.asker.source = CLIENT_IP;
	w.asker.stranger = false;
	expect_answer(world_map(&w, &own), PCP_SUCCESS, 3600);
	w.asker.source = PORTAL_IP;
	m.nonce = OTHER_NONCE;
	encode_for(&w, &m, CLIENT_IP);
	w.asker.target_ok = true;
	expect_answer(answer_at_target(&w), PCP_NOT_AUTHORIZED, 3600);
	world_close(&w);
}
