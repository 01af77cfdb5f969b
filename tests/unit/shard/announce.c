// SPDX-License-Identifier: Apache-2.0
// Unsolicited ANNOUNCE: to whom, from where, when.
#include "ask.h"
#include "check.h"

#define GROUPS                                                                                     \
	"workers: 2\n"                                                                             \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/10] }\n"                                    \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"                \
	"  inside2: { device: c, addresses: [100.64.0.2/10] }\n"                                   \
	"limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 6 }\n"      \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    pcp: { listen: [198.18.0.1, gateway], port: 5351 }\n"                                 \
	"  offices:\n"                                                                             \
	"    inside: [inside2]\n"                                                                  \
	"    subscribers: [100.66.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.8-203.0.113.9]\n"                                   \
	"    pcp: { listen: [198.18.0.2, 198.18.0.3], port: 6000 }\n"                              \
	"  museums:\n"                                                                             \
	"    subscribers: [100.67.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.12-203.0.113.13]\n"                                 \
	"    pcp: false\n"

#define OFFICE 0x64420005u        // 100.66.0.5
#define OFFICE_SERVER 0xc6120002u // 198.18.0.2

static bool was_sent(const struct world *w, ip4 from, uint16_t out, uint16_t port, uint32_t epoch_s)
{
	for (unsigned i = 0; i < w->n_sent; i++) {
		const struct frame *f = &w->sent[i];
		struct pcp_message m;

		cr_assert(pcp_decode_response(f->p.l3 + 28, f->p.len - 28u, &m));
		cr_assert_eq(m.opcode, PCP_ANNOUNCE);
		cr_assert_eq(m.result, PCP_SUCCESS);
		cr_assert_eq(f->p.l3[8], 1, "not to be forwarded");
		cr_assert(f->p.dst == 0xe0000001 && f->p.via == f->p.dst);
		cr_assert_eq(f->p.dport, PCP_CLIENT_PORT);
		if (f->p.src == from && f->out == out && f->p.sport == port && m.epoch_s == epoch_s)
			return true;
	}
	return false;
}

static int32_t announce(struct world *w, uint16_t shard, uint8_t group)
{
	return ask_wish(w, shard, (struct shard_wish){.kind = SHARD_ANNOUNCE, .group = group});
}

// ---- multicast -------------------------------------------------------------------------------

Test(announce, every_server_is_announced_at_start_where_its_subscribers_are)
{
	struct world w;

	world_open(&w, GROUPS);
	cr_assert(was_sent(&w, 0x64400001, 0, 5351, 0));
	cr_assert(was_sent(&w, 0xc6120001, 0, 5351, 0));
	cr_assert(was_sent(&w, 0x64400002, 2, 5351, 0));
	cr_assert(was_sent(&w, 0xc6120001, 2, 5351, 0));
	cr_assert(was_sent(&w, 0xc6120002, 2, 6000, 0));
	cr_assert(was_sent(&w, 0xc6120003, 2, 6000, 0));
	cr_assert_eq(w.n_sent, 6);
	world_close(&w);
}

// In steps of 50 ms the rounds fall where the RFC's own example has them.
Test(announce, rfc6887_s14_1_3_ten_times_and_each_gap_is_twice_the_one_before)
{
	static const uint32_t at_ms[] = {
		0, 250, 750, 1750, 3750, 7750, 15750, 31750, 63750, 127750};
	struct world w;
	uint32_t ms = 0;

	world_open(&w, GROUPS);
	for (unsigned i = 0; i < ARRAY_SIZE(at_ms); i++) {
		if (at_ms[i] > ms + 50)
			world_pass_ms(&w, at_ms[i] - ms - 50);
		cr_assert_eq(
			WORLD_COUNT(&w, announces_sent), 6 * (i > 0 ? i : 1), "before round %u", i);
		w.n_sent = 0;
		if (i > 0)
			world_pass_ms(&w, 50);
		ms = at_ms[i];
		cr_assert_eq(WORLD_COUNT(&w, announces_sent), 6 * (i + 1), "round %u", i);
		cr_assert(i == 0 || was_sent(&w, 0x64400001, 0, 5351, ms / 1000),
			"the Epoch of round %u is that moment's", i);
	}
	world_pass_ms(&w, 600000);
	cr_assert_eq(WORLD_COUNT(&w, announces_sent), 60);
	world_close(&w);
}

// A worker that was kept busy must not make good for it by sending two rounds at once.
Test(announce, rfc6887_s14_1_3_a_late_round_keeps_its_distance_from_the_next)
{
	struct world w;

	world_open(&w, GROUPS);
	w.now += 60 * NS_PER_S;
	world_settle(&w);
	cr_assert_eq(WORLD_COUNT(&w, announces_sent), 12);
	world_pass_ms(&w, 450);
	cr_assert_eq(WORLD_COUNT(&w, announces_sent), 12);
	world_pass_ms(&w, 50);
	cr_assert_eq(WORLD_COUNT(&w, announces_sent), 18);
	world_close(&w);
}

Test(announce, control_may_wish_for_one_group)
{
	struct world w;

	world_open(&w, GROUPS);
	world_pass(&w, 600);
	w.n_sent = 0;
	world_set_epoch(&w, 1, 77);
	cr_assert_eq(announce(&w, 0, 1), 0);
	world_settle(&w);
	cr_assert_eq(w.n_sent, 2);
	cr_assert(was_sent(&w, 0xc6120002, 2, 6000, 77));
	cr_assert(was_sent(&w, 0xc6120003, 2, 6000, 77));
	cr_assert_eq(announce(&w, 1, 1), 0); // worker 0 alone speaks to everybody
	world_settle(&w);
	cr_assert_eq(w.n_sent, 2);
	world_close(&w);
}

Test(announce, a_group_without_pcp_has_nothing_to_say)
{
	struct world w;

	world_open(&w, GROUPS);
	world_pass(&w, 600);
	w.n_sent = 0;
	cr_assert_eq(announce(&w, 0, 2), 0);
	world_settle(&w);
	cr_assert_eq(w.n_sent, 0);
	world_close(&w);
}

Test(announce, without_buffers_it_is_counted)
{
	struct world w;

	world_open(&w, GROUPS);
	world_pass(&w, 600);
	w.no_buffers = true;
	cr_assert_eq(announce(&w, 0, 1), 0);
	world_settle(&w);
	cr_assert_eq(world_drops(&w, DROP_NO_BUFFER), 2);
	world_close(&w);
}

#define ONE_ADDRESS(pcp)                                                                           \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes: { subscribers: [100.64.0.0/16], external-address-pool: "            \
		     "[203.0.113.4], pcp: { " pcp " } }\n"

// The octets are RFC 6886's own: version, opcode, result, Epoch, address.
static unsigned natpmp_told(const struct world *w, ip4 external, uint32_t epoch_s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_sent && i < WORLD_SENT; i++) {
		const struct pkt *p = &w->sent[i].p;
		const uint8_t *at = p->l3 + 28;
		const uint8_t want[12] = {0, 128, 0, 0, 0, 0, (uint8_t)(epoch_s >> 8),
			(uint8_t)epoch_s, (uint8_t)(external >> 24), (uint8_t)(external >> 16),
			(uint8_t)(external >> 8), (uint8_t)external};

		n += p->len == 40 && memcmp(at, want, sizeof want) == 0 && p->sport == 5351 &&
		     p->dport == 5350 && p->dst == 0xe0000001;
	}
	return n;
}

Test(announce, rfc6886_s3_2_1_the_one_external_address_is_announced_ten_times)
{
	struct world w;

	world_open(&w, ONE_ADDRESS("versions: [nat-pmp]"));
	cr_assert_eq(w.n_sent, 1);
	cr_assert_eq(natpmp_told(&w, 0xcb007104, 0), 1);
	world_pass_ms(&w, 250000);
	cr_assert_eq(w.n_sent, 10);
	cr_assert_eq(natpmp_told(&w, 0xcb007104, 127), 1);
	world_close(&w);
}

Test(announce, with_both_versions_both_are_told_and_with_more_addresses_none_by_nat_pmp)
{
	struct world w;

	world_open(&w, ONE_ADDRESS("versions: [2, nat-pmp]"));
	cr_assert_eq(w.n_sent, 2);
	cr_assert_eq(natpmp_told(&w, 0xcb007104, 0), 1);
	world_close(&w);
	world_open(&w, GROUPS); // versions as they are without a word: both
	cr_assert_eq(natpmp_told(&w, 0xcb007104, 0), 0);
	world_close(&w);
}

// Whoever listens to the second address of an interface hears nothing that comes from the first.
Test(announce, rfc6887_s14_1_3_from_every_address_of_an_interface)
{
	struct world w;

	world_open(&w,
		"ports:\n"
		"  inside: { device: a, addresses: [100.64.0.1/10, 10.0.0.1/24] }\n"
		"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n" LIMITS
			GROUP);
	cr_assert(was_sent(&w, GATEWAY, INSIDE_PORT, 5351, 0));
	cr_assert(was_sent(&w, 0x0a000001, INSIDE_PORT, 5351, 0));
	cr_assert(was_sent(&w, SERVER, INSIDE_PORT, 5351, 0));
	cr_assert_eq(w.n_sent, 3);
	world_close(&w);
}

// ---- an address that groups share ------------------------------------------------------------

#define SHARED(first, second)                                                                      \
	PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 8 "   \
	      "}\n"                                                                                \
	      "nat-groups:\n"                                                                      \
	      "  homes: { subscribers: [100.64.0.0/16], external-address-pool: "                   \
	      "[203.0.113.4-203.0.113.5], pcp: { listen: [" first "] } }\n"                        \
	      "  offices: { subscribers: [100.66.0.0/16], external-address-pool: "                 \
	      "[203.0.113.8-203.0.113.9], pcp: { listen: [" second "] } }\n"
#define ANYCAST 0xc0000009u

// The Epoch of homes begins anew, of homes alone, and is announced.
static void restart_homes(struct world *w, const char *yaml)
{
	world_open(w, yaml);
	world_pass(w, 600);
	w->n_sent = 0;
	world_set_epoch(w, 0, 7);
	cr_assert_eq(announce(w, 0, 0), 0);
	world_settle(w);
}

// The neighbours would take homes' Epoch for that of their own server, and it for restarted.
Test(announce, rfc6887_s8_5_not_from_an_address_that_another_epoch_speaks_from)
{
	struct world w;

	restart_homes(&w, SHARED("198.18.0.1, gateway, anycast", "gateway, anycast"));
	cr_assert(was_sent(&w, SERVER, INSIDE_PORT, 5351, 7));
	cr_assert_eq(w.n_sent, 1);
	world_close(&w);
}

Test(announce, an_address_that_groups_share_speaks_for_all_of_them_while_their_epoch_is_one)
{
	struct world w;

	world_open(&w, SHARED("gateway, anycast", "gateway, anycast"));
	cr_assert(was_sent(&w, GATEWAY, INSIDE_PORT, 5351, 0));
	cr_assert(was_sent(&w, ANYCAST, INSIDE_PORT, 5351, 0));
	cr_assert_eq(w.n_sent, 4, "each group says so");
	world_close(&w);
}

Test(announce, an_address_is_shared_only_with_who_listens_to_it)
{
	struct world w;

	restart_homes(&w, SHARED("gateway, anycast", "198.18.0.2, gateway"));
	cr_assert(was_sent(&w, ANYCAST, INSIDE_PORT, 5351, 7));
	cr_assert_eq(w.n_sent, 1);
	world_close(&w);
	restart_homes(&w, SHARED("gateway, anycast", "198.18.0.2, anycast"));
	cr_assert(was_sent(&w, GATEWAY, INSIDE_PORT, 5351, 7));
	cr_assert_eq(w.n_sent, 1);
	world_close(&w);
}

// ---- a new configuration ---------------------------------------------------------------------

Test(announce, what_clients_need_not_know_is_not_announced)
{
	struct world w;

	world_open(&w, GROUPS);
	world_pass(&w, 600);
	w.n_sent = 0;
	world_reload(&w, GROUPS);
	cr_assert_eq(w.n_sent, 0);
	world_close(&w);
}

Test(announce, a_group_that_is_served_from_now_on_is_announced)
{
	struct world w;

	world_open(&w, ONE_ADDRESS("options: []"));
	world_reload(&w, PORTS LIMITS "nat-groups:\n"
				      "  homes: { subscribers: [100.64.0.0/16], "
				      "external-address-pool: [203.0.113.4], pcp: false }\n");
	world_pass(&w, 600);
	uint64_t before = WORLD_COUNT(&w, announces_sent);
	world_reload(&w, ONE_ADDRESS("options: []"));
	cr_assert_eq(WORLD_COUNT(&w, announces_sent) - before, 2); // in both versions
	world_close(&w);
}

// ---- unicast ---------------------------------------------------------------------------------

static void meet(struct world *w, ip4 client, ip4 server)
{
	struct frame f;

	ask_announce(w, INSIDE_PORT, client, server, &f);
	cr_assert_eq(ask_read(&f).result, PCP_SUCCESS);
}

Test(announce, rfc6887_s14_1_known_clients_are_told_each_by_his_own_worker)
{
	struct world w;
	struct pcp_message m;

	world_open(&w, GROUPS);
	ip4 a = world_host(&w, 0, 0), b = world_host(&w, 1, 0);
	meet(&w, a, SERVER);
	meet(&w, b, SERVER);
	world_pass(&w, 600);
	world_set_epoch(&w, 0, 5);
	unsigned since = w.n_sent;
	for (uint16_t k = 0; k < 2; k++)
		cr_assert_eq(announce(&w, k, 0), 0);
	world_settle(&w);
	cr_assert_eq(ask_told(&w, since, a, ASK_PORT, &m), 1);
	cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 5);
	cr_assert_eq(ask_told(&w, since, b, ASK_PORT, &m), 1);
	cr_assert_eq(w.sent[w.n_sent - 1].p.src, SERVER);
	cr_assert_eq(announce(&w, 0, 1), 0); // another group's
	world_settle(&w);
	cr_assert_eq(ask_told(&w, since, a, ASK_PORT, &m), 1);
	world_close(&w);
}

// The address from which HOME is called.
static ip4 caller(struct world *w)
{
	struct pcp_message m;
	unsigned since = w->n_sent;

	cr_assert_eq(announce(w, 0, 0), 0);
	world_settle(w);
	cr_assert_eq(ask_told(w, since, HOME, ASK_PORT, &m), 1);
	for (unsigned i = since; i < w->n_sent; i++) {
		if (w->sent[i % WORLD_SENT].p.dst == HOME)
			return w->sent[i % WORLD_SENT].p.src;
	}
	return 0;
}

Test(announce, rfc6887_s14_1_3_a_client_is_called_from_the_address_that_he_asked_last)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	meet(&w, HOME, SERVER);
	cr_assert_eq(caller(&w), SERVER);
	meet(&w, HOME, GATEWAY);
	cr_assert_eq(caller(&w), GATEWAY);
	meet(&w, HOME, SERVER);
	cr_assert_eq(caller(&w), SERVER);
	world_close(&w);
}

#define LISTEN(addresses)                                                                          \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes: { subscribers: [100.64.0.0/16], external-address-pool: "            \
		     "[203.0.113.4-203.0.113.5], pcp: { listen: [" addresses "] } }\n"

Test(announce, an_address_that_the_group_no_longer_serves_is_not_spoken_from)
{
	struct world w;

	world_open(&w, LISTEN("198.18.0.1, 198.18.0.2, gateway, anycast"));
	meet(&w, HOME, 0xc6120002);
	cr_assert_eq(caller(&w), 0xc6120002);
	world_reload(&w, LISTEN("198.18.0.1, gateway, anycast"));
	cr_assert_eq(caller(&w), SERVER, "the first listen address");
	meet(&w, HOME, GATEWAY);
	world_reload(&w, LISTEN("198.18.0.1, anycast"));
	cr_assert_eq(caller(&w), SERVER);
	meet(&w, HOME, ANYCAST);
	cr_assert_eq(caller(&w), ANYCAST);
	world_reload(&w, LISTEN("gateway"));
	cr_assert_eq(caller(&w), GATEWAY, "the gateway where there is no listen address");
	world_close(&w);
}

Test(announce, a_million_clients_are_not_called_at_once)
{
	static const char yaml[] = PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000,"
					 " external-addresses: 2, announce-rate: 20 }\n" GROUP;
	struct world w;
	unsigned calls = 100;

	world_open(&w, yaml);
	for (unsigned i = 0; i < calls; i++)
		meet(&w, HOME + i, SERVER);
	world_pass(&w, 600);
	uint64_t before = WORLD_COUNT(&w, announces_sent);
	cr_assert_eq(announce(&w, 0, 0), 0);
	world_pass_ms(&w, 1000);
	uint64_t multicast = 2 * 3, told = WORLD_COUNT(&w, announces_sent) - before - multicast;
	cr_assert(told >= 20 && told <= 23, "%lu in the first second", (unsigned long)told);
	world_pass_ms(&w, 10000);
	multicast = 2 * 6;
	cr_assert_eq(WORLD_COUNT(&w, announces_sent) - before - multicast, calls);
	world_close(&w);
}

Test(announce, a_nat_pmp_client_is_told_in_his_own_form)
{
	static const uint8_t map[12] = {0, 2, 0, 0, 0x1f, 0x90, 0, 0, 0, 0, 0x1c, 0x20};
	uint8_t want[12] = {0, 128, 0, 0, 0, 0, 0, 9};
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	ask_octets(&w, INSIDE_PORT, HOME, 4321, GATEWAY, map, sizeof map, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	cr_assert_eq(f.p.l3[28 + 3], 0, "mapped");
	world_pass(&w, 600);
	struct recipe e = open_udp(&w, HOME, 5000, PEER); // at his paired address
	for (unsigned i = 0; i < 4; i++)
		want[8 + i] = (uint8_t)(e.addr >> (24 - 8 * i));
	world_set_epoch(&w, 0, 9);
	w.n_sent = 0;
	cr_assert_eq(announce(&w, 0, 0), 0);
	world_settle(&w);
	const struct pkt *p = NULL;
	for (unsigned i = 0; i < w.n_sent; i++)
		p = w.sent[i].p.dst == HOME ? &w.sent[i].p : p;
	cr_assert_not_null(p);
	cr_assert(p->dport == 4321 && p->len == 28 + sizeof want);
	cr_assert_arr_eq(p->l3 + 28, want, sizeof want);
	world_close(&w);
}
