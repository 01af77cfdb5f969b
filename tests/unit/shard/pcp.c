// SPDX-License-Identifier: Apache-2.0
// PCP where it is served: which addresses, which groups, which shard, which Epoch.
#include "ask.h"
#include "check.h"

#define EIGHT_ADDRESSES                                                                            \
	"limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 8 }\n"
#define TWO_GROUPS                                                                                 \
	"workers: 2\n" PORTS EIGHT_ADDRESSES "nat-groups:\n"                                       \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    pcp: { listen: [198.18.0.1, gateway] }\n"                                             \
	"  offices:\n"                                                                             \
	"    subscribers: [100.66.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.8-203.0.113.9]\n"                                   \
	"    pcp: { listen: [198.18.0.2] }\n"                                                      \
	"  museums:\n"                                                                             \
	"    subscribers: [100.67.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.12-203.0.113.13]\n"                                 \
	"    pcp: false\n"
#define OFFICE 0x64420005u        // 100.66.0.5
#define MUSEUM 0x64430005u        // 100.67.0.5
#define OFFICE_SERVER 0xc6120002u // 198.18.0.2

static struct recipe granted(const struct pcp_message *m)
{
	return (struct recipe){ip6_to_ip4(m->external_ip), m->external_port};
}

// ---- where -----------------------------------------------------------------------------------

static void maps_and_is_reached(struct world *w, ip4 client, ip4 server)
{
	struct pcp_message m = ask_map(w, client, server, IP_TCP, 8080, 3600);
	struct frame f;

	cr_assert_eq(m.result, PCP_SUCCESS, "%s", pcp_result_name(m.result));
	cr_assert_eq(m.lifetime_s, 3600);
	put(w, OUTSIDE_PORT, tcp_of(PEER, 999, granted(&m).addr, granted(&m).port, TCP_SYN), &f);
	expect_in(&f, PEER, 999, client, 8080);
}

Test(pcp, a_port_is_mapped_at_the_listen_address_and_reached)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	maps_and_is_reached(&w, world_host(&w, 0, 0), SERVER);
	maps_and_is_reached(&w, world_host(&w, 1, 0), SERVER);
	world_close(&w);
}

Test(pcp, a_port_is_mapped_at_the_gateway_address_and_reached)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	maps_and_is_reached(&w, world_host(&w, 0, 0), GATEWAY);
	maps_and_is_reached(&w, world_host(&w, 1, 0), GATEWAY);
	cr_assert_eq(WORLD_COUNT(&w, pcp_replies), 2);
	cr_assert_eq(WORLD_COUNT(&w, server[0].maps_created), 2);
	cr_assert_eq(WORLD_COUNT(&w, server[0].results[PCP_RESULT_SUCCESS]), 2);
	world_close(&w);
}

Test(pcp, the_reply_comes_from_where_the_request_went)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	ask_announce(&w, INSIDE_PORT, HOME, SERVER, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	expect_between(&f.p, SERVER, HOME);
	cr_assert(f.p.sport == PCP_SERVER_PORT && f.p.dport == ASK_PORT);
	cr_assert_eq(f.out, INSIDE_PORT);
	cr_assert_eq(f.p.via, HOME);
	world_close(&w);
}

Test(pcp, pcp_from_outside_is_not_served)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	ask_announce(&w, OUTSIDE_PORT, PEER, SERVER, &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	ask_announce(&w, OUTSIDE_PORT, PEER, GATEWAY, &f);
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	ask_announce(&w, OUTSIDE_PORT, HOME, SERVER, &f); // forged
	expect_drop(&f, DROP_NOT_POOL_ADDRESS);
	ask_announce(&w, OUTSIDE_PORT, PEER, EDGE, &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	cr_assert_eq(f.p.l3[f.p.l4_at + 1], ICMP_PORT_UNREACHABLE);
	cr_assert_eq(WORLD_COUNT(&w, pcp_replies), 0);
	cr_assert_eq(WORLD_COUNT(&w, server[0].requests), 0);
	world_close(&w);
}

Test(pcp, the_outside_address_serves_nobody)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	ask_announce(&w, INSIDE_PORT, HOME, EDGE, &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	cr_assert_eq(WORLD_COUNT(&w, server[0].requests), 0);
	world_close(&w);
}

Test(pcp, another_port_can_be_served)
{
	static const char yaml[] = PORTS LIMITS
		"nat-groups:\n"
		"  homes: { subscribers: [100.64.0.0/16], external-address-pool: [203.0.113.4],"
		" pcp: { port: 6000 } }\n";
	struct world w;
	struct make m = udp_of(HOME, ASK_PORT, GATEWAY, 6000);
	struct pcp_message request = {.version = PCP_VERSION, .client = ip6_mapped(HOME)};
	uint8_t msg[PCP_MAX];
	struct frame f;

	world_open(&w, yaml);
	ask_announce(&w, INSIDE_PORT, HOME, GATEWAY, &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	m.payload = msg;
	m.payload_len = pcp_encode_request(msg, sizeof msg, &request);
	put(&w, INSIDE_PORT, m, &f);
	cr_assert_eq(f.p.kind, PKT_UDP);
	cr_assert_eq(f.p.sport, 6000);
	world_close(&w);
}

// ---- who -------------------------------------------------------------------------------------

Test(pcp, another_groups_server_authorizes_nobody)
{
	struct world w;

	world_open(&w, TWO_GROUPS);
	struct pcp_message m = ask_map(&w, HOME, OFFICE_SERVER, IP_TCP, 8080, 3600);
	cr_assert_eq(m.result, PCP_NOT_AUTHORIZED);
	m = ask_map(&w, OFFICE, SERVER, IP_TCP, 8080, 3600);
	cr_assert_eq(m.result, PCP_NOT_AUTHORIZED);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	cr_assert_eq(WORLD_COUNT(&w, server[1].results[PCP_RESULT_NOT_AUTHORIZED]), 1);
	m = ask_map(&w, OFFICE, OFFICE_SERVER, IP_TCP, 8080, 3600);
	cr_assert_eq(m.result, PCP_SUCCESS);
	cr_assert_eq(granted(&m).addr & ~1u, 0xcb007108);
	world_close(&w);
}

Test(pcp, the_gateway_serves_the_groups_that_said_so)
{
	struct world w;
	struct frame f;

	world_open(&w, TWO_GROUPS);
	ask_announce(&w, INSIDE_PORT, HOME, GATEWAY, &f);
	cr_assert_eq(f.p.kind, PKT_UDP);
	ask_announce(&w, INSIDE_PORT, OFFICE, GATEWAY, &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	ask_announce(&w, INSIDE_PORT, MUSEUM, GATEWAY, &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	world_close(&w);
}

Test(pcp, a_source_of_no_group_is_not_answered)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	ask_announce(&w, INSIDE_PORT, STRANGER, SERVER, &f);
	expect_drop(&f, DROP_PCP_INTERFACE);
	world_close(&w);
}

Test(pcp, t_pcp_10_nobody_maps_for_another)
{
	struct world w;
	struct pcp_message request = ask_of(NEIGHBOR, IP_TCP, 8080, 3600);

	world_open(&w, ONE_SHARD);
	struct pcp_message m = ask(&w, HOME, SERVER, &request);
	cr_assert_eq(m.result, PCP_ADDRESS_MISMATCH);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_close(&w);
}

Test(pcp, one_address_in_two_realms_has_two_leases)
{
	static const char yaml[] =
		"ports:\n"
		"  inside: { device: a, addresses: [100.64.0.1/10] }\n"
		"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"
		"  inside2: { device: c, addresses: [100.64.0.1/10] }\n" LIMITS GROUP;
	struct pcp_message request = ask_of(HOME, IP_TCP, 8080, 3600), a, b;
	struct world w;
	struct frame f;

	world_open(&w, yaml);
	a = ask(&w, HOME, SERVER, &request);
	request.nonce.b[0]++; // else the first one's nonce would do
	b = ask_at(&w, 2, HOME, SERVER, &request);
	cr_assert(a.result == PCP_SUCCESS && b.result == PCP_SUCCESS);
	cr_assert(!recipe_eq(granted(&a), granted(&b)));
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, granted(&a).addr, granted(&a).port, TCP_SYN), &f);
	expect_pass(&f, INSIDE_PORT);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, granted(&b).addr, granted(&b).port, TCP_SYN), &f);
	expect_pass(&f, 2);
	world_close(&w);
}

// ---- what ------------------------------------------------------------------------------------

Test(pcp, a_wrong_udp_checksum_is_dropped_by_name)
{
	struct world w;
	struct make m = udp_of(HOME, ASK_PORT, SERVER, PCP_SERVER_PORT);
	struct pcp_message request = ask_of(HOME, IP_TCP, 8080, 3600);
	uint8_t msg[PCP_MAX], packet[MAKE_MAX];
	struct frame f;

	world_open(&w, ONE_SHARD);
	m.payload = msg;
	m.payload_len = pcp_encode_request(msg, sizeof msg, &request);
	size_t len = make_packet(packet, &m);
	packet[len - 20] ^= 1;
	world_put(&w, INSIDE_PORT, packet, len, &f);
	expect_drop(&f, DROP_PCP_CHECKSUM);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	m.no_checksum = true;
	put(&w, INSIDE_PORT, m, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	world_close(&w);
}

Test(pcp, datagrams_that_say_nothing_are_dropped_by_name)
{
	struct world w;
	struct make m = udp_of(HOME, ASK_PORT, SERVER, PCP_SERVER_PORT);
	uint8_t msg[24] = {2, 0x80};
	struct frame f;

	world_open(&w, ONE_SHARD);
	m.payload = msg;
	for (m.payload_len = 0; m.payload_len < 2; m.payload_len++) {
		put(&w, INSIDE_PORT, m, &f);
		expect_drop(&f, DROP_PCP_SHORT);
	}
	m.payload_len = sizeof msg;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_PCP_RESPONSE);
	world_close(&w);
}

Test(pcp, a_request_behind_ip_options_is_answered)
{
	struct world w;
	struct make m = udp_of(HOME, ASK_PORT, SERVER, PCP_SERVER_PORT);
	struct pcp_message request = ask_of(HOME, IP_TCP, 8080, 3600), reply;
	uint8_t msg[PCP_MAX];
	struct frame f;

	world_open(&w, ONE_SHARD);
	m.option_words = 10;
	m.payload = msg;
	m.payload_len = pcp_encode_request(msg, sizeof msg, &request);
	put(&w, INSIDE_PORT, m, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	cr_assert(pcp_decode_response(f.p.l3 + 28, f.p.len - 28u, &reply));
	cr_assert_eq(reply.result, PCP_SUCCESS);
	world_close(&w);
}

Test(pcp, a_buffer_too_small_for_any_answer_is_dropped)
{
	struct world w;
	struct pcp_message request = ask_of(HOME, IP_TCP, 8080, 3600);
	struct make m = udp_of(HOME, ASK_PORT, SERVER, PCP_SERVER_PORT);
	uint8_t msg[PCP_MAX], packet[MAKE_MAX];
	enum verdict verdict;
	struct pkt p;

	world_open(&w, ONE_SHARD);
	m.payload = msg;
	m.payload_len = pcp_encode_request(msg, sizeof msg, &request);
	cr_assert_eq(make_parse(&p, packet, make_packet(packet, &m)), DROP_NONE);
	p.iface = INSIDE_PORT;
	p.room = 28 + PCP_MAX - 1;
	shard_run(w.shard[0], w.conf, w.now, &p, &verdict, 1, &w.sink);
	cr_assert(verdict == VERDICT_DROP && p.drop == DROP_NO_BUFFER);
	w.put++; // it came past the switch
	w.given[0]++;
	w.verdicts[0][verdict]++;
	world_close(&w);
}

Test(pcp, a_mapping_ends_with_its_lifetime_and_is_reachable_until_then)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct pcp_message m = ask_map(&w, HOME, SERVER, IP_UDP, 8080, 120);
	struct make in = udp_of(PEER, 9, granted(&m).addr, granted(&m).port);
	world_pass(&w, 120);
	put(&w, OUTSIDE_PORT, in, &f);
	expect_in(&f, PEER, 9, HOME, 8080);
	world_pass(&w, 2);
	put(&w, OUTSIDE_PORT, in, &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

Test(pcp, a_renewal_keeps_the_port_and_a_delete_closes_it)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct pcp_message a = ask_map(&w, HOME, SERVER, IP_UDP, 8080, 120);
	world_pass(&w, 60);
	struct pcp_message b = ask_map(&w, HOME, GATEWAY, IP_UDP, 8080, 600);
	cr_assert(recipe_eq(granted(&a), granted(&b)));
	world_pass(&w, 500);
	struct make in = udp_of(PEER, 9, granted(&a).addr, granted(&a).port);
	put(&w, OUTSIDE_PORT, in, &f);
	expect_pass(&f, INSIDE_PORT);
	b = ask_map(&w, HOME, SERVER, IP_UDP, 8080, 0);
	cr_assert_eq(b.result, PCP_SUCCESS);
	put(&w, OUTSIDE_PORT, in, &f);
	expect_drop(&f, DROP_NO_MAPPING_INBOUND);
	world_close(&w);
}

Test(pcp, an_address_of_another_shard_counts_as_in_use)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	ip4 host = world_host(&w, 0, 0);
	struct pcp_message request = ask_of(host, IP_TCP, 8080, 3600);
	request.external_port = 30000;
	request.external_ip = ip6_mapped(world_external(&w, 1));
	struct pcp_message m = ask(&w, host, SERVER, &request);
	cr_assert_eq(m.result, PCP_SUCCESS);
	cr_assert_eq(granted(&m).addr, world_external(&w, 0));
	world_close(&w);
}

Test(pcp, the_ports_a_client_may_map_are_bounded)
{
	static const char yaml[] = PORTS LIMITS
		"nat-groups:\n"
		"  homes: { subscribers: [100.64.0.0/16], external-address-pool: [203.0.113.4],"
		" pcp: { mappings-per-subscriber: 2 } }\n";
	struct world w;

	world_open(&w, yaml);
	cr_assert_eq(ask_map(&w, HOME, GATEWAY, IP_UDP, 1, 600).result, PCP_SUCCESS);
	cr_assert_eq(ask_map(&w, HOME, GATEWAY, IP_TCP, 1, 600).result, PCP_SUCCESS);
	cr_assert_eq(ask_map(&w, HOME, GATEWAY, IP_UDP, 2, 600).result, PCP_USER_EX_QUOTA);
	cr_assert_eq(ask_map(&w, NEIGHBOR, GATEWAY, IP_UDP, 2, 600).result, PCP_SUCCESS);
	world_close(&w);
}

Test(pcp, a_source_that_no_host_can_have_is_not_answered)
{
	static const ip4 sources[] = {GATEWAY, 0x64400000, 0x647fffff}; // 100.64.0.1/10
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		struct pcp_message m = ask_of(sources[i], IP_UDP, 1, 600);

		ask_frame(&w, INSIDE_PORT, sources[i], SERVER, &m, &f);
		expect_drop(&f, DROP_SPOOFED);
	}
	cr_assert_eq(WORLD_NAT(&w, leases), 0);
	world_close(&w);
}

// Forged sources ask too: the newcomers among them share the rate that packets have.
Test(pcp, newcomers_who_map_have_the_rate_of_those_who_send)
{
	static const char yaml[] = PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000,"
					 " external-addresses: 2, new-subscriber-rate: 10, "
					 "new-subscriber-burst: 2 }\n" GROUP;
	struct world w;
	struct frame f;

	world_open(&w, yaml);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_UDP, 1, 600).result, PCP_SUCCESS);
	cr_assert_eq(ask_map(&w, HOME + 1, SERVER, IP_UDP, 1, 600).result, PCP_SUCCESS);
	cr_assert_eq(ask_map(&w, HOME + 2, SERVER, IP_UDP, 1, 600).result, PCP_NO_RESOURCES);
	cr_assert_eq(WORLD_COUNT(&w, server[0].newcomers_refused), 1);
	cr_assert_eq(WORLD_NAT(&w, subscribers), 2);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_UDP, 2, 600).result, PCP_SUCCESS);
	ask_announce(&w, INSIDE_PORT, HOME + 3, SERVER, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	world_close(&w);
}

// One who sends nonsense must not close the door to the others.
Test(pcp, requests_that_come_to_nothing_cost_no_newcomer_his_place)
{
	static const char yaml[] = PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000,"
					 " external-addresses: 2, new-subscriber-rate: 10, "
					 "new-subscriber-burst: 2 }\n" GROUP;
	struct world w;

	world_open(&w, yaml);
	for (unsigned i = 0; i < 20; i++)
		cr_assert_eq(
			ask_map(&w, HOME + 9, SERVER, 132, 1, 600).result, PCP_UNSUPP_PROTOCOL);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_UDP, 1, 600).result, PCP_SUCCESS);
	cr_assert_eq(ask_map(&w, HOME + 1, SERVER, IP_UDP, 1, 600).result, PCP_SUCCESS);
	world_close(&w);
}

// ---- Epoch -----------------------------------------------------------------------------------

Test(pcp, each_group_has_its_epoch)
{
	struct world w;

	world_open(&w, TWO_GROUPS);
	world_set_epoch(&w, 0, 100);
	world_set_epoch(&w, 1, 7000);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 1, 600).epoch_s, 100);
	cr_assert_eq(ask_map(&w, HOME, GATEWAY, IP_TCP, 1, 600).epoch_s, 100);
	cr_assert_eq(ask_map(&w, OFFICE, OFFICE_SERVER, IP_TCP, 1, 600).epoch_s, 7000);
	world_pass(&w, 50);
	cr_assert_eq(ask_map(&w, OFFICE, OFFICE_SERVER, IP_TCP, 1, 600).epoch_s, 7050);
	world_close(&w);
}

Test(pcp, errors_too_tell_the_epoch)
{
	struct world w;

	world_open(&w, TWO_GROUPS);
	world_set_epoch(&w, 1, 500);
	cr_assert_eq(ask_map(&w, HOME, OFFICE_SERVER, IP_TCP, 1, 600).epoch_s, 500);
	world_close(&w);
}

static int32_t clear(struct world *w, ip4 host)
{
	struct shard_wish wish = {
		.kind = SHARD_CLEAR_SUBSCRIBER, .key = {.host = host, .realm = 1}};
	uint16_t owner = conf_inside_owner(w->conf, host);
	struct shard_answer answer;

	cr_assert(shard_wish(w->shard[owner], &wish));
	world_settle(w);
	cr_assert(shard_answer(w->shard[owner], &answer));
	cr_assert_eq(answer.kind, SHARD_DONE);
	return answer.error;
}

Test(pcp, a_cleared_client_has_a_later_epoch_of_his_own)
{
	struct world w;

	world_open(&w, TWO_SHARDS);
	world_set_epoch(&w, 0, 1000);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 1, 600).epoch_s, 1000);
	cr_assert_eq(ask_map(&w, NEIGHBOR, SERVER, IP_TCP, 1, 600).epoch_s, 1000);
	world_pass(&w, 10);
	cr_assert_eq(clear(&w, HOME), 0);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 1, 600).epoch_s, 0);
	cr_assert_eq(ask_map(&w, NEIGHBOR, SERVER, IP_TCP, 1, 600).epoch_s, 1010);
	world_pass(&w, 30);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 1, 600).epoch_s, 30);
	world_set_epoch(&w, 0, 5); // the group lost its state later than he did
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 1, 600).epoch_s, 5);
	world_close(&w);
}
