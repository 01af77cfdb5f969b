// SPDX-License-Identifier: Apache-2.0
// PCP where one client asks for much: his rate, answers of several datagrams, silence; and the
// anycast address, where all groups meet.
#include "ask.h"
#include "check.h"

#define WITH_PCP(pcp)                                                                              \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes: { subscribers: [100.64.0.0/16], external-address-pool: "            \
		     "[203.0.113.4-203.0.113.5], pcp: { " pcp " } }\n"
#define ANYCAST CONF_ANYCAST // 192.0.0.9

// ---- rates -----------------------------------------------------------------------------------

Test(rates, who_asks_too_much_is_dropped_and_the_others_are_not)
{
	struct world w;
	struct frame f;

	world_open(&w, WITH_PCP("request-rate: 10, request-burst: 5"));
	for (unsigned i = 0; i < 5; i++) {
		ask_announce(&w, INSIDE_PORT, HOME, GATEWAY, &f);
		cr_assert_eq(f.verdict, VERDICT_REPLY);
	}
	ask_announce(&w, INSIDE_PORT, HOME, GATEWAY, &f);
	expect_drop(&f, DROP_PCP_RATE);
	ask_announce(&w, INSIDE_PORT, NEIGHBOR, GATEWAY, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	world_pass_ms(&w, 100);
	ask_announce(&w, INSIDE_PORT, HOME, GATEWAY, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	ask_announce(&w, INSIDE_PORT, HOME, GATEWAY, &f);
	expect_drop(&f, DROP_PCP_RATE);
	world_close(&w);
}

// Strangers and forged sources that nobody serves take no place in the table of clients.
Test(rates, who_is_not_served_is_not_remembered)
{
	struct world w;
	struct frame f;

	world_open(&w, WITH_PCP("request-rate: 1, request-burst: 1"));
	for (unsigned i = 0; i < 3; i++) {
		ask_announce(&w, INSIDE_PORT, STRANGER, GATEWAY, &f);
		cr_assert_eq(f.p.kind, PKT_ICMP_ERROR);
	}
	cr_assert_eq(world_drops(&w, DROP_PCP_RATE), 0);
	world_close(&w);
}

Test(rates, failed_probes_are_limited_to_whoever_makes_them)
{
	struct world w;
	struct ask a = {.m = ask_of(NEIGHBOR, IP_TCP, 80, 600), .prefer_failure = true};

	world_open(&w, WITH_PCP("probe-rate: 1, probe-burst: 2"));
	struct pcp_message taken = ask_map(&w, HOME, GATEWAY, IP_TCP, 80, 600);
	a.m.external_ip = taken.external_ip;
	a.m.external_port = taken.external_port;
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(ask_with(&w, GATEWAY, &a).result, PCP_CANNOT_PROVIDE_EXTERNAL);
	cr_assert_eq(ask_with(&w, GATEWAY, &a).result, PCP_USER_EX_QUOTA);
	cr_assert_eq(WORLD_COUNT(&w, server[0].probes_refused), 1);
	world_close(&w);
}

// ---- silence, and more than one datagram -----------------------------------------------------

Test(rates, what_a_dialect_answers_with_silence_is_dropped_by_name)
{
	static const uint8_t response[4] = {0, 0x81, 0, 0};
	struct world w;
	struct frame f;

	world_open(&w, WITH_PCP("versions: [2, nat-pmp]"));
	ask_octets(&w, INSIDE_PORT, HOME, ASK_PORT, GATEWAY, response, sizeof response, &f);
	cr_assert_eq(f.verdict, VERDICT_DROP);
	cr_assert(
		f.drop == DROP_PCP_SILENT || f.drop == DROP_PCP_RESPONSE, "%s", drop_name(f.drop));
	cr_assert_eq(WORLD_COUNT(&w, pcp_replies), 0);
	world_close(&w);
}

// RFC 7753 s.4.4.1: each mapping that the range touches is told in a datagram of its own.
Test(rates, rfc7753_s4_4_1_several_answers_leave_the_same_way)
{
	struct world w;
	struct frame f;
	struct ask a = {.m = ask_of(HOME, IP_UDP, 5000, 600), .set = {10, 5000, false}};

	world_open(&w, WITH_PCP("listen: [198.18.0.1]"));
	struct pcp_message one = ask_map(&w, HOME, SERVER, IP_UDP, 5000, 600);
	struct pcp_message two = ask_map(&w, HOME, SERVER, IP_UDP, 5003, 600), more;
	cr_assert(one.result == PCP_SUCCESS && two.result == PCP_SUCCESS);
	unsigned since = w.n_sent;
	ask_wholly(&w, SERVER, &a, &f);
	struct pcp_message first = ask_read(&f);
	cr_assert_eq(first.result, PCP_SUCCESS);
	cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &more), 1);
	cr_assert_eq(w.sent[since % WORLD_SENT].p.src, SERVER);
	cr_assert_eq(w.sent[since % WORLD_SENT].p.sport, PCP_SERVER_PORT);
	cr_assert_eq(w.sent[since % WORLD_SENT].out, INSIDE_PORT);
	cr_assert_neq(first.internal_port, more.internal_port);
	cr_assert(recipe_eq(
		ask_granted(&first), ask_granted(first.internal_port == 5000 ? &one : &two)));
	cr_assert(recipe_eq(
		ask_granted(&more), ask_granted(more.internal_port == 5000 ? &one : &two)));
	cr_assert_eq(WORLD_COUNT(&w, pcp_replies), 4);
	world_close(&w);
}

Test(rates, an_answer_without_a_buffer_is_counted)
{
	struct world w;
	struct frame f;
	struct ask a = {.m = ask_of(HOME, IP_UDP, 5000, 600), .set = {10, 5000, false}};

	world_open(&w, WITH_PCP("listen: [198.18.0.1]"));
	ask_map(&w, HOME, SERVER, IP_UDP, 5000, 600);
	ask_map(&w, HOME, SERVER, IP_UDP, 5003, 600);
	w.no_buffers = true;
	ask_wholly(&w, SERVER, &a, &f);
	cr_assert_eq(ask_read(&f).result, PCP_SUCCESS);
	cr_assert_eq(world_drops(&w, DROP_NO_BUFFER), 1);
	world_close(&w);
}

// ---- anycast ---------------------------------------------------------------------------------

#define TWO_GROUPS_ANYCAST                                                                         \
	"workers: 2\n" PORTS                                                                       \
	"limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 8 }\n"      \
	"nat-groups:\n"                                                                            \
	"  homes: { subscribers: [100.64.0.0/16], external-address-pool: "                         \
	"[203.0.113.4-203.0.113.5], pcp: { listen: [198.18.0.1, anycast] } }\n"                    \
	"  offices: { subscribers: [100.66.0.0/16], external-address-pool: "                       \
	"[203.0.113.8-203.0.113.9], pcp: { listen: [anycast] } }\n"                                \
	"  museums: { subscribers: [100.67.0.0/16], external-address-pool: "                       \
	"[203.0.113.12-203.0.113.13], pcp: { listen: [198.18.0.3] } }\n"

Test(anycast, rfc7723_s2_2_the_source_tells_the_group_and_the_reply_comes_from_the_anycast_address)
{
	struct world w;
	struct frame f;
	struct pcp_message home = ask_of(HOME, IP_TCP, 80, 600),
			   office = ask_of(0x64420005, IP_TCP, 80, 600),
			   museum = ask_of(0x64430005, IP_TCP, 80, 600);

	world_open(&w, TWO_GROUPS_ANYCAST);
	world_set_epoch(&w, 1, 4711);
	ask_frame(&w, INSIDE_PORT, HOME, ANYCAST, &home, &f);
	struct pcp_message m = ask_read(&f);
	cr_assert_eq(m.result, PCP_SUCCESS);
	cr_assert_eq(ask_granted(&m).addr & ~1u, 0xcb007104);
	expect_between(&f.p, ANYCAST, HOME);
	m = ask(&w, 0x64420005, ANYCAST, &office);
	cr_assert_eq(m.result, PCP_SUCCESS);
	cr_assert_eq(ask_granted(&m).addr & ~1u, 0xcb007108);
	cr_assert_eq(m.epoch_s, 4711);
	ask_frame(&w, INSIDE_PORT, 0x64430005, ANYCAST, &museum, &f);
	cr_assert_eq(f.p.kind, PKT_ICMP_ERROR, "that group does not listen there");
	world_close(&w);
}

Test(anycast, rfc7723_s2_2_what_is_said_unasked_carries_that_source_too)
{
	struct world w;
	struct pcp_message m;
	struct frame f;
	unsigned multicast = 0;

	world_open(&w, TWO_GROUPS_ANYCAST);
	for (unsigned i = 0; i < w.n_sent; i++)
		multicast += w.sent[i].p.src == ANYCAST && w.sent[i].p.dst == 0xe0000001;
	cr_assert_eq(multicast, 2);
	world_pass(&w, 600);
	ask_announce(&w, INSIDE_PORT, 0x64420005, ANYCAST, &f);
	unsigned since = w.n_sent;
	for (uint16_t k = 0; k < 2; k++)
		ask_wish(&w, k, (struct shard_wish){.kind = SHARD_ANNOUNCE, .group = 1});
	world_settle(&w);
	cr_assert_eq(ask_told(&w, since, 0x64420005, ASK_PORT, &m), 1);
	cr_assert_eq(w.sent[(w.n_sent - 1) % WORLD_SENT].p.src, ANYCAST);
	world_close(&w);
}
