// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "world.h"

static const uint8_t other_source[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 99};

static void init(struct world *w, unsigned n_addresses)
{
	struct postern_client_options o = world_options(7);

	world_init_bare(w, &o);
	world_add(w, POSTERN_CONFIGURED, n_addresses);
}

static struct postern_server_fact look(struct world *w, unsigned i)
{
	struct postern_server_fact f;

	cr_assert(postern_client_server(w->client, w->servers[i].id, &f));
	return f;
}

Test(client, senseless_servers_are_refused)
{
	struct postern_server as = {.origin = POSTERN_DHCP, .n_addresses = 1};
	struct world w;

	init(&w, 2);
	cr_expect_eq(postern_client_add_server(w.client, &as, w.now), -EINVAL, "no address");
	as.addresses[0] = world_ip4(127, 0, 0, 1);
	cr_expect_eq(postern_client_add_server(w.client, &as, w.now), -EINVAL, "loopback");
	as.addresses[0] = world_ip4(224, 0, 0, 1);
	cr_expect_eq(postern_client_add_server(w.client, &as, w.now), -EINVAL, "multicast");
	as.addresses[0] = world_ip4(100, 64, 0, 1);
	cr_expect_eq(postern_client_add_server(w.client, &as, w.now), -EEXIST);
	as.addresses[0].port = 0;
	cr_expect_eq(postern_client_add_server(w.client, &as, w.now), -EINVAL, "no port");
	as.n_addresses = 0;
	cr_expect_eq(postern_client_add_server(w.client, &as, w.now), -EINVAL);
	world_fini(&w);
}

Test(client, a_configured_server_may_be_this_host)
{
	struct postern_server as = {.n_addresses = 1, .addresses = {world_ip4(127, 0, 0, 1)}};
	struct world w;

	init(&w, 1);
	cr_expect_geq(postern_client_add_server(w.client, &as, w.now), 0);
	world_fini(&w);
}

Test(client, rfc7488_s3_each_address_is_tried_four_times_then_the_next)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 3);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 200);
	cr_expect_eq(w.n_seen, 12);
	for (unsigned i = 0; i < 12; i++)
		cr_expect_eq(w.seen[i].datagram.to.ip[15], 1 + i / 4, "transmission %u", i);
	world_news(&w, POSTERN_SERVER_GONE);
	world_no_news(&w);
	cr_expect(look(&w, 0).gone);
	world_fini(&w);
}

Test(client, rfc7488_s3_after_the_last_address_all_rest_for_a_quarter_of_an_hour)
{
	struct postern_mapping m = world_want();
	struct world w;
	ns last;

	init(&w, 2);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 300);
	cr_assert_eq(w.n_seen, 8);
	last = w.seen[7].at;
	world_pass(&w, 700);
	cr_expect_eq(w.n_seen, 9);
	cr_expect_eq(w.seen[8].datagram.to.ip[15], 1, "the first again");
	cr_expect(w.seen[8].at - last >= 900 * NS_PER_S && w.seen[8].at - last < 930 * NS_PER_S);
	world_fini(&w);
}

Test(client, rfc7488_s3_an_icmp_error_moves_to_the_next_address_at_once)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 2);
	w.servers[0].deaf[0] = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	postern_client_unreachable(w.client, &w.servers[0].at[1], w.now);
	cr_expect_eq(look(&w, 0).address, 0, "that one is not in use");
	postern_client_unreachable(w.client, &w.servers[0].at[0], w.now);
	cr_expect_eq(look(&w, 0).address, 1);
	world_exchange(&w);
	world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(w.n_seen, 2);
	world_fini(&w);
}

// The first address may have granted it, though its answer did not come.
Test(client, what_was_asked_at_another_address_is_deleted_there_too)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 2);
	w.servers[0].deaf[0] = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	postern_client_unreachable(w.client, &w.servers[0].at[0], w.now);
	cr_assert_eq(postern_client_delete(w.client, 0, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 2);
	cr_expect_eq(w.servers[0].last.lifetime_s, 0);
	world_news(&w, POSTERN_DELETED);
	world_fini(&w);
}

Test(client, rfc7488_s3_the_address_that_answered_is_kept_until_it_stops)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 2);
	w.servers[0].deaf[0] = true;
	m.keep = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 100);
	world_news(&w, POSTERN_MAPPED);
	w.servers[0].deaf[0] = false;
	w.n_seen = 0;
	world_pass(&w, 7200);
	cr_expect_geq(w.n_seen, 2);
	for (unsigned i = 0; i < w.n_seen; i++)
		cr_expect_eq(w.seen[i].datagram.to.ip[15], 2);
	w.servers[0].deaf[1] = true;
	world_pass(&w, 7200);
	cr_expect_eq(look(&w, 0).address, 0, "it stopped");
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).state, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, rfc7488_s3_late_answers_of_a_given_up_address_are_ignored)
{
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	init(&w, 2);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	len = world_grant(&w, &w.servers[0], msg);
	postern_client_unreachable(w.client, &w.servers[0].at[0], w.now);
	world_exchange(&w);
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, len));
	cr_expect_eq(postern_client_counters(w.client)->not_asked, 1);
	world_no_news(&w);
	cr_expect(world_deliver_to(&w, &w.servers[0].at[1], world_source(), msg, len));
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, rfc7488_s3_all_addresses_of_a_server_see_one_nonce)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 2);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 200);
	cr_assert_eq(w.n_seen, 8);
	for (unsigned i = 1; i < 8; i++)
		cr_expect(pcp_nonce_eq(w.seen[0].msg.nonce, w.seen[i].msg.nonce));
	world_fini(&w);
}

Test(client, rfc7488_s4_several_servers_are_asked_at_once_with_nonces_of_their_own)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	world_add(&w, POSTERN_ROUTER, 1);
	world_add(&w, POSTERN_DHCP, 1);
	w.servers[1].silent = true;
	w.servers[2].result = PCP_NOT_AUTHORIZED;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_assert_eq(w.n_seen, 3);
	cr_expect_not(pcp_nonce_eq(w.seen[0].msg.nonce, w.seen[1].msg.nonce));
	cr_expect_not(pcp_nonce_eq(w.seen[0].msg.nonce, w.seen[2].msg.nonce));
	cr_expect_not(pcp_nonce_eq(w.seen[1].msg.nonce, w.seen[2].msg.nonce));
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).state, POSTERN_STATE_MAPPED);
	cr_expect_eq(world_fact(&w, 0, w.servers[1].id).state, POSTERN_STATE_WAIT_RESPONSE);
	cr_expect_eq(world_fact(&w, 0, w.servers[2].id).state, POSTERN_STATE_ENDED);
	world_fini(&w);
}

Test(client, a_mapping_for_one_server_is_asked_for_there_only)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	world_add(&w, POSTERN_ROUTER, 1);
	m.server = w.servers[1].id;
	world_map(&w, &m);
	cr_expect_eq(w.servers[0].requests, 0);
	cr_expect_eq(w.servers[1].requests, 1);
	m.server = 99;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	world_fini(&w);
}

Test(client, a_server_found_later_is_asked_for_what_is_wanted)
{
	struct postern_client_options o = world_options(3);
	struct postern_mapping m = world_want();
	struct world w;

	world_init_bare(&w, &o);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_add(&w, POSTERN_ROUTER, 1);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).server, w.servers[0].id);
	world_add(&w, POSTERN_ROUTER, 1);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).server, w.servers[1].id);
	world_fini(&w);
}

Test(client, a_removed_server_loses_its_mappings_and_is_left_alone)
{
	struct postern_mapping m = world_want();
	struct postern_event e;
	struct world w;

	init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	postern_client_remove_server(w.client, w.servers[0].id, w.now);
	e = world_news(&w, POSTERN_LOST);
	cr_expect_eq(e.id, 0);
	cr_expect_eq(e.server, w.servers[0].id);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	cr_expect_eq(postern_client_renew(w.client, 0, w.now), 0, "the wish is still there");
	postern_client_forget(w.client, 0);
	world_no_news(&w);
	world_fini(&w);
}

Test(client, forgetting_a_mapping_takes_back_what_was_to_be_told)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	world_map(&w, &m);
	postern_client_remove_server(w.client, w.servers[0].id, w.now);
	postern_client_forget(w.client, 0);
	world_no_news(&w);
	world_fini(&w);
}

// ---- sources ---------------------------------------------------------------------------------

Test(client, nothing_is_sent_before_there_is_a_way)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	postern_client_source(w.client, w.servers[0].id, 0, NULL, false, w.now);
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 100);
	cr_expect_eq(w.n_seen, 0);
	world_expect_state(&w, 0, POSTERN_STATE_NOT_SENT);
	postern_client_source(w.client, w.servers[0].id, 0, world_source(), false, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, an_address_with_a_way_is_taken_when_the_first_has_none)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 2);
	postern_client_source(w.client, w.servers[0].id, 0, NULL, false, w.now);
	world_map(&w, &m);
	cr_expect_eq(w.seen[0].datagram.to.ip[15], 2);
	world_fini(&w);
}

Test(client, an_address_of_the_other_family_makes_mappings_of_its_own_source)
{
	static const uint8_t six[16] = {0x20, 1, 0x0d, 0xb8, [15] = 10};
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 2);
	postern_client_source(w.client, w.servers[0].id, 1, six, false, w.now);
	m.keep = true;
	world_map(&w, &m);
	w.servers[0].deaf[0] = true;
	world_pass(&w, 4000);
	cr_expect_eq(memcmp(w.servers[0].last.client.b, six, 16), 0);
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).state, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, the_same_source_told_again_changes_nothing)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	postern_client_source(w.client, w.servers[0].id, 0, world_source(), true, w.now);
	postern_client_source(w.client, w.servers[0].id, 0, NULL, true, w.now);
	postern_client_source(w.client, w.servers[0].id, 0, world_source(), true, w.now);
	world_pass(&w, 10);
	cr_expect_eq(w.n_seen, 1);
	world_fini(&w);
}

Test(client, an_answer_to_an_address_we_do_not_ask_from_is_not_taken)
{
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	init(&w, 1);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	len = world_grant(&w, &w.servers[0], msg);
	cr_expect_not(world_deliver_to(&w, &w.servers[0].at[0], other_source, msg, len));
	cr_expect(world_deliver(&w, &w.servers[0], msg, len));
	world_fini(&w);
}

Test(client, a_third_partys_mapping_does_not_follow_us)
{
	static const uint8_t host[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 77};
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	m.keep = true;
	cr_assert_eq(postern_mapping_add_third_party(&m, host), 0);
	world_map(&w, &m);
	postern_client_source(w.client, w.servers[0].id, 0, other_source, true, w.now);
	world_pass(&w, 10);
	cr_expect_eq(w.n_seen, 2);
	cr_expect_neq(w.seen[1].msg.lifetime_s, 0, "it is renewed, not ended");
	world_fini(&w);
}

// ---- anycast ---------------------------------------------------------------------------------

Test(client, rfc7723_an_anycast_server_is_asked_for_its_epoch_before_anything_else)
{
	struct postern_client_options o = world_options(9);
	struct postern_mapping m = world_want();
	struct world w;

	world_init_bare(&w, &o);
	world_add(&w, POSTERN_ANYCAST, 1);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 20);
	cr_assert_geq(w.n_seen, 2);
	for (unsigned i = 0; i < w.n_seen; i++)
		cr_expect_eq(w.seen[i].msg.opcode, PCP_ANNOUNCE);
	w.servers[0].silent = false;
	world_pass(&w, 60);
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).state, POSTERN_STATE_MAPPED);
	cr_expect_eq(w.servers[0].last.opcode, PCP_MAP);
	world_fini(&w);
}

// ---- moved -----------------------------------------------------------------------------------

Test(client, whoever_moved_asks_silent_servers_for_their_epoch)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	postern_client_moved(w.client, w.now + NS_PER_S);
	world_pass(&w, 1);
	cr_expect_eq(w.n_seen, 1, "it was heard just now");
	world_pass(&w, 10);
	cr_expect_eq(w.n_seen, 2, "but on the old route");
	cr_expect_eq(w.seen[1].msg.opcode, PCP_ANNOUNCE);
	postern_client_moved(w.client, w.now);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 3);
	cr_expect_eq(w.seen[2].msg.opcode, PCP_ANNOUNCE);
	world_no_news(&w);
	world_fini(&w);
}

Test(client, a_server_that_is_back_is_told_and_asked_without_waiting_for_the_next_retransmission)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 3000);
	world_news(&w, POSTERN_SERVER_GONE);
	w.servers[0].silent = false;
	cr_expect(world_announce(&w, &w.servers[0]));
	world_news(&w, POSTERN_SERVER_BACK);
	world_pass(&w, 1);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

// ---- coming back -----------------------------------------------------------------------------

Test(client, whoever_comes_back_to_an_old_source_does_not_end_what_is_made_there)
{
	struct postern_mapping m = world_want();
	struct world w;

	init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	w.servers[0].silent = true;
	postern_client_source(w.client, w.servers[0].id, 0, other_source, true, w.now);
	world_exchange(&w);
	w.servers[0].silent = false;
	postern_client_source(w.client, w.servers[0].id, 0, world_source(), true, w.now);
	w.n_seen = 0;
	world_pass(&w, 60);
	for (unsigned i = 0; i < w.n_seen; i++)
		cr_expect(w.seen[i].msg.lifetime_s != 0 ||
			  memcmp(w.seen[i].datagram.source, other_source, 16) == 0);
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).state, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, a_delete_that_took_effect_late_is_repaired)
{
	struct postern_mapping m = world_want();
	struct pcp_message gone;
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	init(&w, 1);
	m.keep = true;
	world_map(&w, &m);
	world_pass(&w, 10);
	gone = w.servers[0].last;
	len = pcp_success_reply(msg, &gone, 0, world_epoch(&w, &w.servers[0]));
	cr_expect(world_deliver(&w, &w.servers[0], msg, len));
	cr_expect_eq(world_fact(&w, 0, w.servers[0].id).expires_ns, POSTERN_NEVER);
	world_exchange(&w);
	cr_expect_eq(w.n_seen, 2);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}
