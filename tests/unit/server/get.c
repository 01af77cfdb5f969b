// SPDX-License-Identifier: Apache-2.0
// GET and NEXT (draft-boucadair-pcp-failure-06).
#include "world.h"

enum {
	MANY = 40
};

static void open_legacy(struct world *w)
{
	world_open(w);
	w->nat_policy.lease_limit = 100;
	w->policy.opcodes |= 1u << SERVER_GET;
	w->policy.options |= OPTION(NEXT);
}

static void make(struct world *w, uint8_t protocol, uint16_t port)
{
	struct pcp_message m = map_of(protocol, port, 3600);

	expect_answer(world_map(w, &m), PCP_SUCCESS, 3600);
}

static struct pcp_message get_of(uint8_t protocol, uint16_t port)
{
	return (struct pcp_message){.version = PCP_VERSION,
		.opcode = PCP_GET,
		.lifetime_s = 3600,
		.client = ip6_mapped(CLIENT_IP),
		.get = {.protocol = protocol, .internal_port = port}};
}

static struct pcp_message ask_next(
	struct world *w, const struct pcp_message *m, const struct pcp_next *next)
{
	world_encode(w, m);
	w->len = pcp_append_next(w->msg, w->len, sizeof w->msg, next);
	cr_assert_gt(w->len, 0);
	return world_answer(w);
}

static size_t entries_of(const struct world *w, struct pcp_next *out)
{
	struct pcp_option options[32];
	struct pcp_message m;
	size_t n = 0;

	cr_assert(pcp_decode_response(w->msg, w->len, &m));
	cr_assert_eq(pcp_decode_options(w->msg, w->len, &m, options, ARRAY_SIZE(options), &n),
		PCP_SUCCESS);
	for (size_t i = 0; i < n; i++)
		cr_assert(pcp_read_next(&options[i], &out[i]));
	return n;
}

Test(get, draft_boucadair_pcp_failure_without_next_it_asks_whether_there_is_one)
{
	struct pcp_message m = get_of(0, 0);
	struct world w;

	open_legacy(&w);
	expect_answer(world_map(&w, &m), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	make(&w, IP_TCP, 8080);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	cr_assert_eq(w.len, 64);
	m = get_of(IP_TCP, 8080);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	m = get_of(IP_TCP, 8081);
	expect_answer(world_map(&w, &m), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	m = get_of(0, 8080); // a port of no protocol
	expect_answer(world_map(&w, &m), PCP_MALFORMED_REQUEST, PCP_ERROR_LONG_S);
	world_close(&w);
}

Test(get, draft_boucadair_pcp_failure_filters)
{
	struct pcp_message m = get_of(IP_TCP, 0);
	struct world w;

	open_legacy(&w);
	make(&w, IP_TCP, 8080);
	m.get.internal_ip = ip6_mapped(CLIENT_IP);
	m.get.external_ip = ip6_mapped(POOL_IP);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 0);
	m.get.external_ip = ip6_mapped(FOREIGN_IP);
	expect_answer(world_map(&w, &m), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	m.get.external_ip = ip6_mapped(0);
	m.get.internal_ip = ip6_mapped(OTHER_IP); // nobody reads another's
	expect_answer(world_map(&w, &m), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	m.get.internal_ip = (ip6){{0}};
	m.get.external_port = 1;
	expect_answer(world_map(&w, &m), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	m = get_of(IP_UDP, 0);
	expect_answer(world_map(&w, &m), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	world_close(&w);
}

// Another subscriber's, outbound flows and static mappings are not told.
Test(get, draft_boucadair_pcp_failure_only_the_clients_own_explicit_mappings)
{
	struct pcp_message m = get_of(0, 0), other = map_of(IP_TCP, 8080, 3600);
	struct world w;

	open_legacy(&w);
	w.asker.source = OTHER_IP;
	other.client = ip6_mapped(OTHER_IP);
	world_map(&w, &other);
	w.asker.source = CLIENT_IP;
	world_packet(&w, NAT_UDP, 9000);
	expect_answer(world_map(&w, &m), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	world_close(&w);
}

static bool in_order(const struct pcp_next *a, const struct pcp_next *b)
{
	return a->protocol < b->protocol ||
	       (a->protocol == b->protocol && a->internal_port < b->internal_port);
}

Test(get, draft_boucadair_pcp_failure_a_walk_sees_all_in_order_and_ends)
{
	struct pcp_message m = get_of(0, 0);
	struct pcp_next last = {.end = false}, found[20], all[MANY + 20];
	struct world w;
	size_t n, total = 0;

	open_legacy(&w);
	for (uint16_t i = 0; i < MANY; i++)
		make(&w, i % 2 ? IP_TCP : IP_UDP, (uint16_t)(9000 - 7 * i));
	do {
		expect_answer(ask_next(&w, &m, &last), PCP_SUCCESS, 0);
		cr_assert_leq(w.len, PCP_MAX);
		n = entries_of(&w, found);
		cr_assert(n > 0 && n <= 17);
		for (size_t i = 0; i < n; i++) {
			if (i == 0 && total > 0 && !in_order(&all[total - 1], &found[0]))
				continue; // the locator itself
			all[total++] = found[i];
			cr_assert(total == 1 || in_order(&all[total - 2], &all[total - 1]));
			cr_assert_eq(found[i].end, total == MANY);
		}
		last = found[n - 1];
		last.end = false;
	} while (total < MANY);
	cr_assert_eq(total, MANY);
	world_close(&w);
}

// An END request takes one at a time, and must not stand still.
Test(get, draft_boucadair_pcp_failure_one_by_one)
{
	struct pcp_message m = get_of(0, 0);
	struct pcp_next last = {.end = true}, found[20];
	struct world w;

	open_legacy(&w);
	for (uint16_t i = 0; i < 5; i++)
		make(&w, IP_TCP, (uint16_t)(8000 + i));
	for (uint16_t i = 0; i < 5; i++) {
		expect_answer(ask_next(&w, &m, &last), PCP_SUCCESS, 0);
		cr_assert_eq(entries_of(&w, found), 1);
		cr_assert_eq(found[0].internal_port, 8000 + i);
		cr_assert_eq(found[0].end, i == 4);
		last = found[0];
		last.end = true;
	}
	world_close(&w);
}

Test(get, draft_boucadair_pcp_failure_a_locator_that_is_gone_goes_on_behind_it)
{
	struct pcp_message m = get_of(0, 0), gone = map_of(IP_TCP, 8001, 0);
	struct pcp_next last = {.end = true}, found[20];
	struct world w;

	open_legacy(&w);
	for (uint16_t i = 0; i < 3; i++)
		make(&w, IP_TCP, (uint16_t)(8000 + i));
	ask_next(&w, &m, &last);
	entries_of(&w, found);
	last = found[0];
	last.end = true;
	ask_next(&w, &m, &last);
	entries_of(&w, found);
	cr_assert_eq(found[0].internal_port, 8001);
	last = found[0];
	last.end = false;
	world_map(&w, &gone);
	expect_answer(ask_next(&w, &m, &last), PCP_SUCCESS, 0);
	cr_assert_eq(entries_of(&w, found), 1);
	cr_assert(found[0].internal_port == 8002 && found[0].end);
	gone.internal_port = 8002;
	world_map(&w, &gone);
	expect_answer(ask_next(&w, &m, &last), PCP_NONEXIST_MAP, PCP_ERROR_SHORT_S);
	cr_assert_eq(w.len, 64); // without NEXT
	world_close(&w);
}

// Who reads a nonce can take the mapping over.
Test(get, draft_boucadair_pcp_failure_nonces_are_shown_to_trusted_sources_only)
{
	static const struct prefix4 trusted[] = {{CLIENT_IP, 32}};
	struct pcp_message m = get_of(0, 0);
	struct pcp_next from = {.end = false}, found[20];
	struct world w;

	open_legacy(&w);
	make(&w, IP_TCP, 8080);
	ask_next(&w, &m, &from);
	cr_assert_eq(entries_of(&w, found), 1);
	cr_assert(pcp_nonce_eq(found[0].nonce, (struct pcp_nonce){{0}}));
	w.policy.nonce_readers = (struct server_sources){1, trusted};
	ask_next(&w, &m, &from);
	entries_of(&w, found);
	cr_assert(pcp_nonce_eq(found[0].nonce, NONCE));
	world_close(&w);
}

Test(get, draft_boucadair_pcp_failure_the_wanted_options_are_embedded)
{
	static const uint8_t wanted[] = {
		PCP_DESCRIPTION, PCP_FILTER, PCP_DESCRIPTION, PCP_PORT_SET};
	struct pcp_filter filter = {.prefix = 128, .port = 80, .address = ip6_mapped(FOREIGN_IP)};
	struct pcp_message map = map_of(IP_TCP, 8080, 3600), m = get_of(0, 0);
	struct pcp_next from = {.wanted = wanted, .n_wanted = sizeof wanted}, found[20];
	struct world w;

	open_legacy(&w);
	world_encode(&w, &map);
	world_add_option(&w, PCP_DESCRIPTION, "web", 3);
	w.len = pcp_append_filter(w.msg, w.len, sizeof w.msg, &map, &filter);
	expect_answer(world_answer(&w), PCP_SUCCESS, 3600);
	expect_answer(ask_next(&w, &m, &from), PCP_SUCCESS, 0);
	cr_assert_eq(entries_of(&w, found), 1);
	cr_assert_eq(found[0].n_wanted, 8 + 24);
	cr_assert_eq(found[0].wanted[0], PCP_DESCRIPTION);
	cr_assert_eq(memcmp(found[0].wanted + 4, "web", 3), 0);
	cr_assert_eq(found[0].wanted[8], PCP_FILTER);
	world_close(&w);
}

Test(get, draft_boucadair_pcp_failure_next_twice_is_malformed_and_off_is_unknown)
{
	struct pcp_message m = get_of(0, 0);
	struct pcp_next from = {.end = false};
	struct world w;

	open_legacy(&w);
	make(&w, IP_TCP, 8080);
	world_encode(&w, &m);
	for (unsigned i = 0; i < 2; i++)
		w.len = pcp_append_next(w.msg, w.len, sizeof w.msg, &from);
	expect_answer(world_answer(&w), PCP_MALFORMED_OPTION, PCP_ERROR_LONG_S);
	w.policy.options = 0;
	expect_answer(ask_next(&w, &m, &from), PCP_SUCCESS, 0);
	cr_assert_eq(w.len, 64);
	w.policy.opcodes = BASIC_OPCODES;
	expect_answer(ask_next(&w, &m, &from), PCP_UNSUPP_OPCODE, PCP_ERROR_LONG_S);
	world_close(&w);
}

// Found by the fuzz harness: what is echoed stands before the entries.
Test(get, draft_boucadair_pcp_failure_a_portal_reads_the_mappings_of_a_host)
{
	static const struct prefix4 portals[] = {{OTHER_IP, 32}};
	struct pcp_message m = get_of(0, 0);
	struct pcp_next from = {.end = false};
	struct pcp_option options[32];
	struct pcp_message reply;
	struct world w;
	size_t n = 0;

	open_legacy(&w);
	for (uint16_t i = 0; i < MANY; i++)
		make(&w, IP_TCP, (uint16_t)(8000 + i));
	w.policy.third_party.sources = (struct server_sources){1, portals};
	w.asker.source = OTHER_IP;
	w.asker.has_target = w.asker.target_ok = true;
	w.asker.target = CLIENT_IP;
	w.asker.target_realm = 1;
	m.client = ip6_mapped(OTHER_IP);
	world_encode(&w, &m);
	w.len = pcp_append_third_party(w.msg, w.len, sizeof w.msg, &m, ip6_mapped(CLIENT_IP));
	w.len = pcp_append_next(w.msg, w.len, sizeof w.msg, &from);
	reply = world_answer(&w);
	expect_answer(reply, PCP_SUCCESS, 0);
	cr_assert_leq(w.len, PCP_MAX);
	cr_assert_eq(pcp_decode_options(w.msg, w.len, &reply, options, ARRAY_SIZE(options), &n),
		PCP_SUCCESS);
	cr_assert_eq(n, 1 + 16);
	cr_assert(options[0].code == PCP_THIRD_PARTY && options[1].code == PCP_NEXT);
	world_close(&w);
}
