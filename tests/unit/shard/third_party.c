// SPDX-License-Identifier: Apache-2.0
// THIRD_PARTY (RFC 6887 s.13.1): let through by the shard of the source, answered by the shard of
// the host, and nobody but a configured source gets that far.
#include "ask.h"
#include "check.h"

#define WITH_PORTAL                                                                                \
	"workers: 2\n" PORTS LIMITS GROUP_WITH("sources: [100.65.0.0/30, 100.64.0.10/32]")
#define GROUP_WITH(sources)                                                                        \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: { listen: [198.18.0.1, gateway], third-party: { " sources " } }\n"

// A portal that is no subscriber: 100.65.0.1 and .2 live on either shard, or on one.
#define PORTAL STRANGER

static ip4 host_elsewhere(const struct world *w, ip4 portal)
{
	return world_host(w, conf_inside_owner(w->conf, portal) == 0 ? 1 : 0, 0);
}

static ip4 host_beside(const struct world *w, ip4 portal)
{
	return world_host(w, conf_inside_owner(w->conf, portal), 0);
}

static void is_reached(struct world *w, const struct pcp_message *m, ip4 host, uint16_t port)
{
	struct recipe e = ask_granted(m);
	struct frame f;

	put(w, OUTSIDE_PORT, tcp_of(PEER, 999, e.addr, e.port, TCP_SYN), &f);
	expect_in(&f, PEER, 999, host, port);
}

Test(third_party, rfc6887_s13_1_a_port_of_a_host_on_the_same_shard_is_mapped)
{
	struct world w;
	struct frame f;

	world_open(&w, WITH_PORTAL);
	ip4 host = host_beside(&w, PORTAL);
	struct ask a = ask_for(PORTAL, host, IP_TCP, 8080, 600);
	ask_wholly(&w, SERVER, &a, &f);
	struct pcp_message m = ask_read(&f);
	cr_assert_eq(m.result, PCP_SUCCESS, "%s", pcp_result_name(m.result));
	cr_assert_eq(f.handoffs, 0);
	is_reached(&w, &m, host, 8080);
	cr_assert_eq(WORLD_COUNT(&w, third_party_handed), 0);
	world_close(&w);
}

Test(third_party, rfc6887_s13_1_the_shard_of_the_host_answers_and_the_answer_goes_to_the_portal)
{
	struct world w;
	struct frame f;

	world_open(&w, WITH_PORTAL);
	world_set_epoch(&w, 0, 4000);
	ip4 host = host_elsewhere(&w, PORTAL);
	struct ask a = ask_for(PORTAL, host, IP_TCP, 8080, 600);
	ask_wholly(&w, SERVER, &a, &f);
	struct pcp_message m = ask_read(&f);
	cr_assert_eq(m.result, PCP_SUCCESS, "%s", pcp_result_name(m.result));
	cr_assert_eq(f.handoffs, 1);
	cr_assert_eq(f.shard, conf_inside_owner(w.conf, host));
	expect_between(&f.p, SERVER, PORTAL);
	cr_assert(f.p.sport == PCP_SERVER_PORT && f.p.dport == ASK_PORT);
	cr_assert_eq(m.epoch_s, 4000);
	is_reached(&w, &m, host, 8080);
	cr_assert_eq(WORLD_COUNT(&w, third_party_handed), 1);
	cr_assert_eq(WORLD_COUNT(&w, server[0].third_party), 1);
	world_close(&w);
}

Test(third_party, a_subscriber_may_be_a_source_and_keeps_his_own_mappings)
{
	struct world w;

	world_open(&w, WITH_PORTAL);
	ip4 host = host_elsewhere(&w, HOME);
	struct ask a = ask_for(HOME, host, IP_TCP, 8080, 600);
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 8080, 600).result, PCP_SUCCESS);
	cr_assert_eq(WORLD_NAT(&w, mappings), 2);
	world_close(&w);
}

Test(third_party, a_stranger_has_nothing_of_his_own_but_announce)
{
	struct world w;
	struct frame f;

	world_open(&w, WITH_PORTAL);
	cr_assert_eq(ask_map(&w, PORTAL, SERVER, IP_TCP, 8080, 600).result, PCP_NOT_AUTHORIZED);
	cr_assert_eq(WORLD_NAT(&w, subscribers), 0);
	ask_announce(&w, INSIDE_PORT, PORTAL, SERVER, &f);
	cr_assert_eq(ask_read(&f).result, PCP_SUCCESS);
	world_close(&w);
}

Test(third_party, whoever_is_no_source_stays_where_he_is)
{
	struct world w;
	struct frame f;

	world_open(&w, WITH_PORTAL);
	ip4 host = host_elsewhere(&w, NEIGHBOR);
	struct ask a = ask_for(NEIGHBOR, host, IP_TCP, 8080, 600);
	ask_wholly(&w, SERVER, &a, &f);
	cr_assert_eq(ask_read(&f).result, PCP_UNSUPP_OPTION);
	cr_assert_eq(f.handoffs, 0);
	a = ask_for(STRANGER + 9, host, IP_TCP, 8080, 600); // of no group, and no source
	ask_wholly(&w, SERVER, &a, &f);
	expect_drop(&f, DROP_PCP_INTERFACE);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_close(&w);
}

Test(third_party, a_host_that_no_subscriber_can_be_is_refused)
{
	static const ip4 hosts[] = {PEER, STRANGER + 77, GATEWAY, SERVER, 0xcb007104};
	struct world w;

	world_open(&w, WITH_PORTAL);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct ask a = ask_for(PORTAL, hosts[i], IP_TCP, 8080, 600);

		cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_UNSUPP_OPTION);
	}
	cr_assert_eq(WORLD_NAT(&w, subscribers), 0);
	world_close(&w);
}

// The owner is found anew from the octets under whatever snapshot is in force there.
Test(third_party, a_host_dealt_anew_on_the_way_is_answered_where_he_lives_now)
{
	struct world w;
	uint8_t msg[PCP_MAX], packet[MAKE_MAX];
	struct pkt p;

	world_open(&w, WITH_PORTAL);
	ip4 host = host_elsewhere(&w, PORTAL);
	struct ask a = ask_for(PORTAL, host, IP_TCP, 8080, 600);
	struct make m = udp_of(PORTAL, ASK_PORT, SERVER, PCP_SERVER_PORT);
	m.payload = msg;
	m.payload_len = ask_write(msg, &a);
	cr_assert_eq(make_parse(&p, packet, make_packet(packet, &m)), DROP_NONE);
	p.iface = INSIDE_PORT;
	p.stage = PKT_FRESH;
	cr_assert_eq(shard_owner(w.conf, &p, 7), conf_inside_owner(w.conf, PORTAL));
	p.stage = PKT_THIRD_PARTY;
	cr_assert_eq(shard_owner(w.conf, &p, 7), conf_inside_owner(w.conf, host));
	world_reload(&w, TWO_SHARDS); // nobody may ask for others any more
	cr_assert_eq(shard_owner(w.conf, &p, 7), 7);
	world_close(&w);
}

// What was let through by its source's shard is not let through again: a packet that comes to a
// shard which does not own the host ends there.
Test(third_party, a_request_travels_once)
{
	struct world w;
	uint8_t msg[PCP_MAX], packet[MAKE_MAX];
	enum verdict verdict;
	struct pkt p;

	world_open(&w, WITH_PORTAL);
	ip4 host = world_host(&w, 1, 0);
	struct ask a = ask_for(PORTAL, host, IP_TCP, 8080, 600);
	struct make m = udp_of(PORTAL, ASK_PORT, SERVER, PCP_SERVER_PORT);
	m.payload = msg;
	m.payload_len = ask_write(msg, &a);
	cr_assert_eq(make_parse(&p, packet, make_packet(packet, &m)), DROP_NONE);
	p.iface = INSIDE_PORT;
	p.room = MAKE_MAX;
	p.stage = PKT_THIRD_PARTY;
	shard_run(w.shard[0], w.conf, w.now, &p, &verdict, 1, &w.sink);
	cr_assert(verdict == VERDICT_DROP && p.drop == DROP_RESTEERED);
	w.put++; // it came past the switch
	w.given[0]++;
	w.verdicts[0][verdict]++;
	world_close(&w);
}

// The host's shard does not know the portal: its limit and its Epoch come with the packet.
Test(third_party, the_rate_is_judged_once_by_the_shard_of_the_source)
{
	static const char yaml[] =
		"workers: 2\n" PORTS LIMITS "nat-groups:\n"
		"  homes:\n"
		"    subscribers: [100.64.0.0/16]\n"
		"    external-address-pool: [203.0.113.4-203.0.113.5]\n"
		"    pcp: { listen: [198.18.0.1], request-rate: 1, request-burst: 3,\n"
		"           third-party: { sources: [100.65.0.0/30] } }\n";
	struct world w;
	struct frame f;

	world_open(&w, yaml);
	for (uint16_t i = 0; i < 5; i++) {
		struct ask a = ask_for(PORTAL, host_elsewhere(&w, PORTAL), IP_TCP, 80 + i, 600);

		ask_wholly(&w, SERVER, &a, &f);
		if (i < 3)
			cr_assert_eq(ask_read(&f).result, PCP_SUCCESS);
		else
			expect_drop(&f, DROP_PCP_RATE);
	}
	world_close(&w);
}

Test(third_party, rfc6887_s13_1_himself_is_no_third_party)
{
	struct world w;
	struct ask a = ask_for(HOME, HOME, IP_TCP, 8080, 600);

	world_open(&w, WITH_PORTAL);
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_MALFORMED_REQUEST);
	world_close(&w);
}

// The worker of the host tells of a move, in the Epoch that the portal has by its own worker.
Test(third_party, an_update_tells_the_epoch_of_the_portal_not_of_the_group)
{
#define FROM_POOL(addresses)                                                                       \
	"workers: 2\n" PORTS LIMITS "nat-groups:\n"                                                \
	"  homes: { subscribers: [100.64.0.0/16], external-address-pool: [" addresses "], pcp: {"  \
	" listen: [198.18.0.1], third-party: { sources: [100.65.0.0/30] } } }\n"
	static const char *const pools[4] = {FROM_POOL("203.0.113.5-203.0.113.7"),
		FROM_POOL("203.0.113.4, 203.0.113.6-203.0.113.7"),
		FROM_POOL("203.0.113.4-203.0.113.5, 203.0.113.7"),
		FROM_POOL("203.0.113.4-203.0.113.6")};
	struct shard_wish reset = {
		.kind = SHARD_RESET_CLIENT, .group = 0, .key = {.host = PORTAL, .realm = 1}};
	struct world w;
	struct pcp_message m;

	world_open(&w, FROM_POOL("203.0.113.4-203.0.113.7"));
	world_set_epoch(&w, 0, 9000);
	struct ask a = ask_for(PORTAL, host_elsewhere(&w, PORTAL), IP_TCP, 8080, 6000);
	m = ask_with(&w, SERVER, &a);
	cr_assert_eq(m.epoch_s, 9000);
	for (uint16_t k = 0; k < 2; k++)
		cr_assert_eq(ask_wish(&w, k, reset), 0);
	world_pass(&w, 200);
	unsigned since = w.n_sent;
	world_reload(&w, pools[ask_granted(&m).addr & 3]);
	cr_assert_eq(ask_told(&w, since, PORTAL, ASK_PORT, &m), 1);
	cr_assert(m.opcode == PCP_MAP && m.result == PCP_SUCCESS);
	cr_assert_eq(m.epoch_s, 200);
	world_close(&w);
}

// What he loses himself is named as well: he may have asked for hosts of other workers.
Test(third_party, a_subscriber_who_may_ask_for_others_is_named_when_he_is_cleared)
{
	struct world w;
	struct shard_wish clear = {
		.kind = SHARD_CLEAR_SUBSCRIBER, .key = {.host = HOME, .realm = 1}};
	struct shard_answer answer;
	unsigned named = 0;

	world_open(&w, WITH_PORTAL);
	uint16_t worker = conf_inside_owner(w.conf, HOME);
	ask_map(&w, HOME, SERVER, IP_TCP, 8080, 600);
	cr_assert(shard_wish(w.shard[worker], &clear));
	world_settle(&w);
	while (shard_answer(w.shard[worker], &answer) && answer.kind != SHARD_DONE)
		named += answer.kind == SHARD_LOST_CLIENT && answer.client.address == HOME;
	cr_assert_eq(named, 1);
	world_close(&w);
}
