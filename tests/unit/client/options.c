// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "world.h"

static const uint8_t friend_ip[16] = {[10] = 0xff, [11] = 0xff, 198, 51, 100, 0};
static const uint8_t host_ip[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 77};

static struct postern_mapping want_peer(void)
{
	static const uint8_t remote[4] = {198, 51, 100, 7};
	struct postern_mapping m = world_want();

	m.peer = postern_endpoint_ip4(remote, 443);
	return m;
}

Test(client, options_travel_in_the_order_they_were_added)
{
	struct world w;
	struct postern_mapping m = world_want();
	struct pcp_filter f;

	cr_assert_eq(postern_mapping_clear_filters(&m), 0);
	cr_assert_eq(postern_mapping_add_filter(&m, friend_ip, 24, 443), 0);
	cr_assert_eq(postern_mapping_add_description(&m, "web"), 0);
	world_init(&w, 1);
	world_map(&w, &m);
	cr_assert_eq(w.servers[0].last_n_options, 3);
	cr_expect(pcp_read_filter(&w.servers[0].last, &w.servers[0].last_options[0], &f) &&
		  f.prefix == 0);
	cr_expect(pcp_read_filter(&w.servers[0].last, &w.servers[0].last_options[1], &f));
	cr_expect(f.prefix == 120 && f.port == 443 && memcmp(f.address.b, friend_ip, 16) == 0);
	cr_expect_eq(w.servers[0].last_options[2].code, PCP_DESCRIPTION);
	cr_expect_eq(memcmp(w.servers[0].last_options[2].data, "web", 3), 0);
	world_fini(&w);
}

Test(client, senseless_options_are_refused)
{
	struct postern_mapping m = world_want();
	uint8_t six[16] = {0x20, 1};
	uint8_t big[POSTERN_OPTIONS - 4] = {0};

	cr_expect_eq(postern_mapping_add_filter(&m, friend_ip, 33, 0), -EINVAL);
	cr_expect_eq(postern_mapping_add_filter(&m, six, 0, 0), -EINVAL, "0 would clear");
	cr_expect_eq(postern_mapping_add_filter(&m, six, 129, 0), -EINVAL);
	cr_expect_eq(postern_mapping_add_description(&m, "\xc3\x28"), -EINVAL);
	cr_expect_eq(m.n_options, 0);
	cr_expect_eq(postern_mapping_add_option(&m, 200, big, sizeof big + 1), -ENOSPC);
	cr_expect_eq(postern_mapping_add_option(&m, 200, big, sizeof big), 0);
	cr_expect_eq(m.n_options, POSTERN_OPTIONS);
	cr_expect_eq(postern_mapping_add_option(&m, 200, NULL, 0), -ENOSPC);
}

Test(client, the_largest_request_is_one_that_a_server_takes)
{
	struct world w;
	struct postern_mapping m = want_peer();
	uint8_t big[POSTERN_OPTIONS - 4] = {0};

	cr_assert_eq(postern_mapping_add_option(&m, 200, big, sizeof big), 0);
	world_init(&w, 1);
	world_map(&w, &m);
	cr_expect_eq(w.servers[0].last.opcode, PCP_PEER);
	world_fini(&w);
}

Test(client, rfc6887_s15_a_delete_keeps_only_what_names_the_mapping)
{
	struct world w;
	struct postern_mapping m = world_want();
	uint8_t ports[5] = {0, 32, 0x1f, 0x90, 0};
	int id;

	postern_mapping_add_filter(&m, friend_ip, 24, 0);
	postern_mapping_add_third_party(&m, host_ip);
	postern_mapping_add_description(&m, "web");
	postern_mapping_add_option(&m, PCP_PORT_SET, ports, sizeof ports);
	world_init(&w, 1);
	id = world_map(&w, &m);
	cr_expect_eq(w.servers[0].last_n_options, 4);
	postern_client_delete(w.client, id, w.now);
	world_exchange(&w);
	cr_assert_eq(w.servers[0].last_n_options, 2, "%zu", w.servers[0].last_n_options);
	cr_expect_eq(w.servers[0].last_options[0].code, PCP_THIRD_PARTY);
	cr_expect_eq(w.servers[0].last_options[1].code, PCP_PORT_SET);
	world_news(&w, POSTERN_DELETED);
	world_fini(&w);
}

Test(client, a_renewal_carries_the_same_options)
{
	struct world w;
	struct postern_mapping m = world_want();

	postern_mapping_add_filter(&m, friend_ip, 24, 0);
	m.keep = true;
	world_init(&w, 1);
	world_map(&w, &m);
	world_pass(&w, 2400);
	cr_expect_geq(w.servers[0].requests, 2);
	cr_expect_eq(w.servers[0].last_n_options, 1);
	cr_expect_eq(w.servers[0].last.external_port, 40001);
	world_fini(&w);
}

Test(client, rfc6887_s13_1_an_answer_about_another_host_is_not_ours)
{
	struct world w;
	struct postern_mapping m = world_want();
	uint8_t msg[PCP_MAX];
	size_t len;

	postern_mapping_add_third_party(&m, host_ip);
	world_init(&w, 1);
	postern_client_map(w.client, &m, w.now);
	w.servers[0].silent = true;
	world_exchange(&w);
	memcpy(msg, w.servers[0].last_datagram.octets, sizeof msg);
	len = world_answer(&w, &w.servers[0], msg, PCP_HEADER + PCP_MAP_BODY + 20);
	msg[len - 1] = 78;
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, len));
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, len - 20));
	msg[len - 1] = 77;
	cr_expect(world_deliver(&w, &w.servers[0], msg, len));
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

// ---- PEER ------------------------------------------------------------------------------------

Test(client, rfc6887_s12_a_peer_is_asked_for_and_kept)
{
	struct world w;
	struct postern_mapping m = want_peer();
	struct postern_event r;
	int id;

	m.keep = true;
	world_init(&w, 1);
	id = postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_expect_eq(w.servers[0].last.opcode, PCP_PEER);
	cr_expect_eq(w.servers[0].last.remote_port, 443);
	cr_expect_eq(memcmp(w.servers[0].last.remote_ip.b, m.peer.ip, 16), 0);
	r = world_news(&w, POSTERN_MAPPED);
	cr_expect(r.id == id && r.external.port == 40001);
	world_pass(&w, 2400);
	cr_expect_geq(w.servers[0].requests, 2, "it was not renewed");
	cr_expect_eq(w.servers[0].last.opcode, PCP_PEER);
	world_fini(&w);
}

Test(client, rfc6887_s12_3_a_peer_cannot_be_deleted)
{
	struct world w;
	struct postern_mapping m = want_peer();
	int id;

	world_init(&w, 1);
	id = world_map(&w, &m);
	cr_expect_eq(postern_client_delete(w.client, id, w.now), -EINVAL);
	m.lifetime_s = 0;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	m = want_peer();
	m.external.port = 443;
	m.prefer_failure = true;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	world_fini(&w);
}

Test(client, rfc6887_s12_4_an_answer_about_another_peer_is_not_ours)
{
	struct world w;
	struct postern_mapping m = want_peer();
	uint8_t msg[PCP_MAX];
	size_t len;

	world_init(&w, 1);
	postern_client_map(w.client, &m, w.now);
	w.servers[0].silent = true;
	world_exchange(&w);
	memcpy(msg, w.servers[0].last_datagram.octets, sizeof msg);
	len = world_answer(&w, &w.servers[0], msg, PCP_HEADER + PCP_PEER_BODY);
	msg[79] ^= 1; // remote address
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, len));
	msg[79] ^= 1;
	msg[61] ^= 1; // remote port
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, len));
	msg[61] ^= 1;
	msg[1] = 0x80 | PCP_MAP;
	cr_expect_not(world_deliver(&w, &w.servers[0], msg, len));
	msg[1] = 0x80 | PCP_PEER;
	cr_expect(world_deliver(&w, &w.servers[0], msg, len));
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

// ---- wildcards -------------------------------------------------------------------------------

Test(client, every_port_must_be_meant)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	m.internal_port = 0;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	m.wildcard = true;
	world_map(&w, &m);
	cr_expect_eq(w.servers[0].last.internal_port, 0);
	cr_expect_eq(w.servers[0].last.protocol, 6);
	m.protocol = 0;
	world_map(&w, &m);
	cr_expect_eq(w.servers[0].last.protocol, 0);
	m.internal_port = 80;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	world_fini(&w);
}
