// SPDX-License-Identifier: Apache-2.0
// What the server says by itself (RFC 6887 s.14).
#include "world.h"

#define NEW_IP 0xcb007106u // 203.0.113.6

static struct nat_update moved_of(enum pcp_dialect dialect)
{
	struct nat_update u = {.kind = NAT_UPDATE_MOVED};

	u.view = (struct nat_view){
		.key = world_key(CLIENT_IP, NAT_TCP, 8080),
		.external = {NEW_IP, 40001},
		.kind = NAT_EXPLICIT,
		.lease_left_s = 3000,
		.has_nonce = dialect == PCP_V2 || dialect == PCP_V1C,
		.client = CLIENT_IP,
		.client_port = 12345,
		.client_realm = 1,
		.dialect = (uint8_t)dialect,
		.n_ports = 1,
	};
	memcpy(u.view.nonce, NONCE.b, sizeof u.view.nonce);
	return u;
}

static struct pcp_message update(struct world *w, const struct nat_update *u)
{
	struct pcp_message m;

	memset(w->msg, 0xee, sizeof w->msg);
	w->len = server_update(w->nat, &w->policy, u, w->now_s, 2, w->msg);
	cr_assert_gt(w->len, 0);
	cr_assert(pcp_decode_response_in((enum pcp_dialect)u->view.dialect, w->msg, w->len, &m));
	cr_assert_eq(m.epoch_s, 2);
	return m;
}

// V39.
Test(update, rfc6887_s14_2_a_moved_mapping_is_told_octet_for_octet)
{
	struct nat_update u = moved_of(PCP_V2);
	uint8_t want[PCP_MAX];
	struct world w;
	size_t len;

	world_open(&w);
	update(&w, &u);
	len = hex("02810000 00000bb8 00000002 00000000 00000000 00000000 00112233 44556677 "
		  "8899aabb 06000000 1f909c41 00000000 00000000 0000ffff cb007106",
		want);
	cr_assert_eq(w.len, len);
	cr_assert_arr_eq(w.msg, want, len);
	world_close(&w);
}

Test(update, rfc6886_s1_1_in_the_dialect_of_the_clients_last_request)
{
	static const size_t lengths[PCP_DIALECTS] = {60, 16, 24, 48, 60};
	struct world w;

	world_open(&w);
	for (unsigned d = 0; d < PCP_DIALECTS; d++) {
		struct nat_update u = moved_of((enum pcp_dialect)d);
		struct pcp_message m = update(&w, &u);

		cr_expect_eq(w.len, lengths[d], "%s: %zu", pcp_dialect_name(d), w.len);
		expect_answer(m, PCP_SUCCESS, 3000);
		cr_expect(m.internal_port == 8080 && m.external_port == 40001);
		cr_expect_eq(m.protocol, IP_TCP);
		if (d != PCP_NATPMP)
			cr_expect(ip6_eq(m.external_ip, ip6_mapped(NEW_IP)));
	}
	world_close(&w);
}

Test(update, rfc6887_s14_2_peer_leases_are_told_with_their_remote_peer)
{
	struct nat_update u = moved_of(PCP_V2);
	struct pcp_message m;
	struct world w;

	world_open(&w);
	u.view.kind = NAT_PEER;
	u.view.remote = (struct recipe){FOREIGN_IP, 443};
	m = update(&w, &u);
	cr_assert_eq(m.opcode, PCP_PEER);
	cr_assert_eq(w.len, 80);
	cr_assert(m.remote_port == 443 && ip6_eq(m.remote_ip, ip6_mapped(FOREIGN_IP)));
	u = moved_of(PCP_V1A);
	u.view.kind = NAT_PEER;
	u.view.remote = (struct recipe){FOREIGN_IP, 443};
	m = update(&w, &u);
	cr_assert_eq(m.opcode, PCP_PEER);
	cr_assert_eq(w.len, 44);
	world_close(&w);
}

// Lost: what a renewal would be answered now.
Test(update, rfc6887_s14_2_a_lost_mapping_is_refused)
{
	struct world w;

	world_open(&w);
	for (unsigned d = 0; d < PCP_DIALECTS; d++) {
		struct nat_update u = moved_of((enum pcp_dialect)d);
		struct pcp_message m;

		u.kind = NAT_UPDATE_LOST;
		m = update(&w, &u);
		cr_expect_eq(m.result, PCP_NO_RESOURCES, "%s", pcp_dialect_name(d));
		u.view.exact = true;
		m = update(&w, &u);
		if (d != PCP_NATPMP)
			cr_expect_eq(m.result, PCP_CANNOT_PROVIDE_EXTERNAL);
		cr_expect_eq(m.lifetime_s, PCP_ERROR_SHORT_S);
		cr_expect_eq(m.internal_port, 8080);
	}
	world_close(&w);
}

Test(update, rfc6887_s14_2_filters_and_third_party_are_repeated)
{
	static const struct server_id ids[] = {{2, {7, 7}, 1}};
	struct nat_filter filters[] = {{FOREIGN_IP, 32, 80}, {0xc6336400, 24, 0}};
	struct nat_wish wish = {.key = world_key(CLIENT_IP, NAT_TCP, 8080),
		.lifetime_s = 3600,
		.n_filters = 2,
		.filters = filters};
	struct nat_update u = moved_of(PCP_V2);
	struct pcp_option options[8];
	struct pcp_message m;
	struct nat_view view;
	struct world w;
	size_t n;

	world_open(&w);
	cr_assert_eq(nat_lease_map(w.nat, &w.nat_policy, 0, &wish, w.now_s, &view), NAT_GRANTED);
	u.view.third_party = true;
	u.view.client = OTHER_IP;
	w.policy.third_party.ids = ids;
	w.policy.third_party.n_ids = 1;
	m = update(&w, &u);
	cr_assert_eq(pcp_decode_options(w.msg, w.len, &m, options, ARRAY_SIZE(options), &n), 0);
	cr_assert_eq(n, 3);
	cr_assert_eq(options[0].code, PCP_THIRD_PARTY);
	cr_assert(options[1].code == PCP_FILTER && options[2].code == PCP_FILTER);
	u.view.client_realm = 2; // then the identifier told whose host it is
	m = update(&w, &u);
	cr_assert_eq(pcp_decode_options(w.msg, w.len, &m, options, ARRAY_SIZE(options), &n), 0);
	cr_assert_eq(n, 4);
	cr_assert(options[1].code == PCP_THIRD_PARTY_ID && options[1].length == 2);
	world_close(&w);
}

// Codes from 128 on are not repeated, but a set without PORT_SET would be one port.
Test(update, rfc7753_a_set_is_told_as_a_set)
{
	struct nat_update u = moved_of(PCP_V2);
	struct world w;

	world_open(&w);
	u.view.n_ports = 10;
	u.view.text_length = 3;
	update(&w, &u);
	cr_assert_eq(w.len, 72);
	cr_assert(w.msg[60] == PCP_PORT_SET && w.msg[65] == 10);
	world_close(&w);
}

Test(update, nobody_is_told_of_what_nobody_asked_for)
{
	struct nat_update u = moved_of(PCP_V2);
	struct world w;

	world_open(&w);
	u.view.operators = true;
	cr_assert_eq(server_update(w.nat, &w.policy, &u, w.now_s, 2, w.msg), 0);
	u = moved_of(PCP_V2);
	u.view.kind = NAT_STATIC;
	cr_assert_eq(server_update(w.nat, &w.policy, &u, w.now_s, 2, w.msg), 0);
	u = moved_of(PCP_V2);
	u.view.client = 0;
	cr_assert_eq(server_update(w.nat, &w.policy, &u, w.now_s, 2, w.msg), 0);
	world_close(&w);
}

// ---- announcements ---------------------------------------------------------------------------

Test(update, rfc6887_s14_1_an_announcement_of_each_dialect)
{
	static const uint8_t natpmp[] = {0, 128, 0, 0, 0, 0, 1, 2, 203, 0, 113, 5};
	static const uint8_t pcp[PCP_HEADER] = {2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2};
	uint8_t msg[PCP_MAX];

	for (unsigned d = 0; d < PCP_DIALECTS; d++) {
		size_t len, want = d == PCP_NATPMP ? sizeof natpmp : sizeof pcp;
		bool is_1 = d == PCP_V1B || d == PCP_V1C; // draft -07 had no ANNOUNCE

		memset(msg, 0xee, sizeof msg);
		len = server_announce(msg, (enum pcp_dialect)d, &WORLD_POLICY, POOL_IP, 258);
		cr_assert_eq(len, want);
		cr_assert_eq(msg[0], d == PCP_NATPMP ? 0 : is_1 ? 1 : 2);
		msg[0] = d == PCP_NATPMP ? 0 : 2;
		cr_assert_eq(memcmp(msg, d == PCP_NATPMP ? natpmp : pcp, want), 0);
	}
}

Test(update, rfc7225_s4_2_an_announcement_has_the_groups_prefixes)
{
	struct pcp_prefix64 prefix = {.length = 12, .octets = {0, 0x64, 0xff, 0x9b}};
	struct server_policy policy = WORLD_POLICY;
	uint8_t msg[PCP_MAX];

	policy.n_prefix64 = 1;
	policy.prefix64 = &prefix;
	cr_assert_eq(server_announce(msg, PCP_V2, &policy, 0, 0), 44);
	cr_assert(msg[24] == PCP_PREFIX64 && msg[31] == 0x64);
	policy.options = 0; // off
	cr_assert_eq(server_announce(msg, PCP_V2, &policy, 0, 0), 24);
	cr_assert_eq(server_announce(msg, PCP_NATPMP, &policy, POOL_IP, 0), 12);
}
