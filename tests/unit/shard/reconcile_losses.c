// SPDX-License-Identifier: Apache-2.0
// Who loses leases by a new snapshot: a subscriber given to another group, or one in whose place a
// static mapping comes. He is told, and control hears of third parties (RFC 6887 s.8.5, s.14.1.3).
#include "ask.h"
#include "check.h"

#define HOLD_DOWN_S 125
#define STATIC(internal, external)                                                                 \
	"      - { protocol: udp, internal: \"" internal "\", external: \"" external "\" }\n"

// ---- another group ---------------------------------------------------------------------------

#define PORTAL STRANGER // asks for others
#define SHARE_OF(size, homes, offices, more)                                                       \
	PORTS "limits: { mappings: 16k, leases: 2000, subscribers: 2000, external-addresses: "     \
	      "6" more " }\n"                                                                      \
	      "nat-groups:\n"                                                                      \
	      "  homes:\n"                                                                         \
	      "    subscribers: [" homes "]\n"                                                     \
	      "    external-address-pool: [203.0.113.4]\n"                                         \
	      "    port-set-size: " size "\n"                                                      \
	      "    pcp: { listen: [198.18.0.1, gateway], third-party: { sources: "                 \
	      "[100.65.0.0/30] } }\n"                                                              \
	      "  offices:\n"                                                                       \
	      "    subscribers: [" offices "]\n"                                                   \
	      "    external-address-pool: [203.0.113.5]\n"                                         \
	      "    port-set-size: " size "\n"                                                      \
	      "    pcp: { listen: [198.18.0.2, gateway] }\n"
#define SHARE(homes, offices, more) SHARE_OF("64", homes, offices, more)
#define BEFORE SHARE("100.64.0.0/16", "100.66.0.0/16", "")
#define AFTER SHARE("100.64.1.0/24", "100.66.0.0/16, 100.64.0.0/24", "") // HOME is an office now

// How often control was told that a portal lost leases.
static unsigned named(struct world *w)
{
	struct shard_answer a;
	unsigned n = 0;

	for (uint16_t k = 0; k < w->n; k++) {
		while (shard_answer(w->shard[k], &a)) {
			cr_assert(a.kind == SHARD_LOST_CLIENT);
			cr_assert((a.client.address & ~3u) == (PORTAL & ~3u));
			cr_assert(a.client.realm == 1 && a.client.group == 0);
			n++;
		}
	}
	return n;
}

static void ages_are(struct world *w, uint32_t age_s)
{
	world_set_epoch(w, 0, age_s);
	world_set_epoch(w, 1, age_s);
}

static ip4 last_speaker(const struct world *w)
{
	return w->sent[(w->n_sent - 1) % WORLD_SENT].p.src;
}

Test(losses, rfc6887_s14_1_3_a_client_whose_group_changed_is_told_by_the_server_he_knows)
{
	static const ip4 servers[] = {SERVER, GATEWAY};
	struct world w;
	struct pcp_message m;

	for (unsigned i = 0; i < ARRAY_SIZE(servers); i++) {
		world_open(&w, BEFORE);
		ask_map(&w, HOME, servers[i], IP_UDP, 1, 3600);
		ask_map(&w, 0x64400110, SERVER, IP_UDP, 1, 3600); // stays
		ages_are(&w, 1000);
		world_pass(&w, 100);
		unsigned since = w.n_sent;
		world_reload(&w, AFTER);
		cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &m), 1);
		cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 0);
		cr_assert_eq(last_speaker(&w), servers[i]);
		world_pass_ms(&w, 2000);
		cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &m), 3);
		cr_assert_eq(ask_told(&w, since, 0x64400110, ASK_PORT, &m), 0);
		m = ask_map(&w, HOME, GATEWAY, IP_UDP, 1, 3600);
		cr_assert(m.result == PCP_SUCCESS && m.epoch_s == 2, "Epoch %u", m.epoch_s);
		cr_assert_eq(ask_granted(&m).addr, 0xcb007105);
		m = ask_map(&w, 0x64400110, SERVER, IP_UDP, 1, 3600);
		cr_assert_eq(m.epoch_s, 1102);
		world_close(&w);
	}
}

Test(losses, a_client_whose_group_changed_belongs_to_the_new_one_where_both_listen)
{
	struct world w;
	struct pcp_message m;

	world_open(&w, BEFORE);
	ask_map(&w, HOME, GATEWAY, IP_UDP, 1, 3600);
	world_reload(&w, AFTER);
	world_pass(&w, 600);
	for (uint8_t group = 0; group < 2; group++) {
		unsigned since = w.n_sent;
		ask_wish(&w, 0, (struct shard_wish){.kind = SHARD_ANNOUNCE, .group = group});
		world_settle(&w);
		cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &m), group, "group %u", group);
	}
	world_close(&w);
}

#define LARGE(homes, offices) SHARE_OF("4096", homes, offices, "") // blocks, for several steps

// He is given back while he is being cleared: what is gone is gone, and told.
Test(losses, a_clearing_that_a_newer_snapshot_ends_is_told_of_as_far_as_it_came)
{
	unsigned kept = 0, lost = 0;

	for (unsigned steps = 1; steps < 48; steps++) {
		struct world w;
		struct pcp_message m;
		struct frame f;

		world_open(&w, LARGE("100.64.0.0/16", "100.66.0.0/16"));
		open_udp(&w, HOME, 5000, PEER);
		m = ask_map(&w, HOME, SERVER, IP_TCP, 1, 3600);
		struct recipe e = ask_granted(&m);
		unsigned since = w.n_sent;
		world_publish(&w, LARGE("100.64.1.0/24", "100.66.0.0/16, 100.64.0.0/24"));
		for (unsigned i = 0; i < steps; i++)
			world_step(&w);
		world_reload(&w, LARGE("100.64.0.0/16", "100.66.0.0/16"));
		world_pass_ms(&w, 2000);
		put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, e.addr, e.port, TCP_SYN), &f);
		bool is_lost = f.verdict == VERDICT_DROP;
		cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &m), is_lost ? 3 : 0);
		lost += is_lost;
		kept += !is_lost;
		world_close(&w);
	}
	cr_assert(kept > 0 && lost > 0, "%u kept, %u lost", kept, lost);
}

Test(losses, a_subscriber_who_had_asked_for_nothing_has_nothing_to_be_told)
{
	struct world w;
	struct frame f;
	struct pcp_message m;

	world_open(&w, BEFORE);
	ask_announce(&w, INSIDE_PORT, HOME, GATEWAY, &f);
	open_udp(&w, HOME, 5000, PEER);
	ages_are(&w, 1000);
	unsigned since = w.n_sent;
	world_reload(&w, AFTER);
	world_pass_ms(&w, 2000);
	cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &m), 0);
	cr_assert_eq(ask_map(&w, HOME, GATEWAY, IP_UDP, 1, 600).epoch_s, 1002);
	world_close(&w);
}

Test(losses, rfc6887_s8_5_control_hears_of_a_third_party_that_asked_for_who_left)
{
	struct world w;
	struct ask a = ask_for(PORTAL, HOME, IP_UDP, 53, 3600);
	struct ask b = ask_for(PORTAL, 0x64400110, IP_UDP, 53, 3600); // stays

	world_open(&w, BEFORE);
	cr_assert_eq(ask_with(&w, SERVER, &b).result, PCP_SUCCESS);
	world_reload(&w, AFTER);
	cr_assert_eq(named(&w), 0);
	world_reload(&w, BEFORE);
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	a.m.internal_port++;
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	world_reload(&w, AFTER);
	cr_assert_eq(named(&w), 1);
	world_close(&w);
}

// More clients than a queue of calls holds, and a rate that would take half a minute for them.
Test(losses, a_takeover_does_not_wait_until_everybody_who_lost_was_called)
{
	enum {
		HOSTS = 600
	};
	static bool told[HOSTS];
	struct world w;
	unsigned missed = 0;

	world_open(&w, SHARE("100.64.0.0/16", "100.66.0.0/16", ", announce-rate: 20"));
	for (unsigned i = 0; i < HOSTS; i++)
		cr_assert_eq(ask_map(&w, HOME + i, GATEWAY, IP_UDP, 1, 86400).result, PCP_SUCCESS);
	world_pass(&w, 300);
	world_reload(
		&w, SHARE("100.67.0.0/16", "100.66.0.0/16, 100.64.0.0/16", ", announce-rate: 20"));
	cr_assert_eq(shard_generation(w.shard[0]), w.conf->generation);
	for (unsigned second = 0; second < 150; second++) {
		for (unsigned i = 0; i < w.n_sent; i++) { // a second's worth is kept
			if (w.sent[i].p.dst - HOME < HOSTS)
				told[w.sent[i].p.dst - HOME] = true;
		}
		w.n_sent = 0;
		world_pass_ms(&w, 1000);
		cr_assert_lt(w.n_sent, WORLD_SENT);
	}
	for (unsigned i = 0; i < HOSTS; i++)
		missed += !told[i];
	cr_assert_eq(missed, 0, "%u were not called", missed);
	world_close(&w);
}

// ---- static mappings -------------------------------------------------------------------------

#define WITH_STATIC(internal, external)                                                            \
	PORTS LIMITS HOMES_OF_PORTAL "    static-mappings:\n" STATIC(internal, external)
#define HOMES_OF_PORTAL                                                                            \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4]\n"                                               \
	"    pcp: { listen: [198.18.0.1, gateway], third-party: { sources: [100.65.0.0/30] } }\n"

static void is_static_of_home(struct world *w)
{
	struct frame f;

	put(w, OUTSIDE_PORT, udp_of(PEER, 53, 0xcb007104, 40000), &f);
	expect_in(&f, PEER, 53, HOME, 7);
}

// A lease for exactly this port, answered from outside: its port will rest.
static void lease_at(struct world *w, struct ask *a, uint16_t port)
{
	struct frame f;

	a->m.external_ip = ip6_mapped(0xcb007104);
	a->m.external_port = port;
	a->prefer_failure = true;
	struct pcp_message m = ask_with(w, SERVER, a);
	cr_assert_eq(m.result, PCP_SUCCESS, "%s", pcp_result_name(m.result));
	put(w, OUTSIDE_PORT, udp_of(PEER, 53, 0xcb007104, port), &f);
	expect_pass(&f, INSIDE_PORT);
}

Test(losses, rfc6887_s14_1_3_whom_a_static_mapping_evicts_is_told_once)
{
	struct world w;
	struct pcp_message m;
	struct ask a = {.m = ask_of(NEIGHBOR, IP_UDP, 53, 3600)};

	world_open(&w, PORTS LIMITS HOMES_OF_PORTAL);
	lease_at(&w, &a, 40000);
	world_set_epoch(&w, 0, 1000);
	world_pass(&w, 100);
	unsigned since = w.n_sent;
	world_reload(&w, WITH_STATIC("100.64.0.10:7", "203.0.113.4:40000"));
	cr_assert_eq(ask_told(&w, since, NEIGHBOR, ASK_PORT, &m), 1);
	cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 0);
	cr_assert_eq(last_speaker(&w), SERVER);
	world_pass(&w, HOLD_DOWN_S); // tried again each second
	cr_assert_eq(ask_told(&w, since, NEIGHBOR, ASK_PORT, &m), 3);
	m = ask_map(&w, NEIGHBOR, SERVER, IP_UDP, 1, 600);
	cr_assert_eq(m.epoch_s, HOLD_DOWN_S, "%u", m.epoch_s);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_UDP, 1, 600).epoch_s, 1100 + HOLD_DOWN_S);
	is_static_of_home(&w);
	cr_assert_eq(named(&w), 0);
	world_close(&w);
}

Test(losses, rfc6887_s8_5_control_hears_of_a_third_party_whose_lease_a_static_mapping_evicts)
{
	struct world w;
	struct ask a = ask_for(PORTAL, NEIGHBOR, IP_UDP, 53, 3600);
	struct ask b = ask_for(PORTAL, HOME, IP_UDP, 7, 3600);

	world_open(&w, PORTS LIMITS HOMES_OF_PORTAL);
	lease_at(&w, &a, 40000);
	cr_assert_eq(ask_with(&w, SERVER, &b).result, PCP_SUCCESS);
	world_reload(&w, WITH_STATIC("100.64.0.10:7", "203.0.113.4:40000"));
	cr_assert_eq(named(&w), 1, "the port's; the endpoint keeps what it has meanwhile");
	world_pass(&w, HOLD_DOWN_S - 10);
	cr_assert_eq(named(&w), 0);
	world_pass(&w, 10);
	cr_assert_eq(named(&w), 1, "the endpoint's");
	is_static_of_home(&w);
	world_close(&w);
}

Test(losses, rfc6887_s8_5_each_static_mapping_names_those_whom_it_evicts)
{
	struct world w;
	struct ask a = ask_for(PORTAL, NEIGHBOR, IP_UDP, 53, 3600);
	struct ask b = ask_for(PORTAL + 1, NEIGHBOR + 1, IP_UDP, 53, 3600);

	world_open(&w, PORTS LIMITS HOMES_OF_PORTAL);
	lease_at(&w, &a, 40000);
	lease_at(&w, &b, 50000);
	world_reload(&w, WITH_STATIC("100.64.0.10:7", "203.0.113.4:40000")
				 STATIC("100.64.0.10:8", "203.0.113.4:50000"));
	cr_assert_eq(named(&w), 2);
	world_close(&w);
}

// The ports come free a minute apart: so do the evictions, and the portal loses twice.
Test(losses, rfc6887_s8_5_who_loses_again_later_is_named_again)
{
	struct world w;
	struct ask a = {.m = ask_of(NEIGHBOR, IP_UDP, 53, 3600)};
	struct ask b = {.m = ask_of(NEIGHBOR + 1, IP_UDP, 53, 3600)};
	struct ask c = ask_for(PORTAL, HOME, IP_UDP, 7, 3600);

	world_open(&w, PORTS LIMITS HOMES_OF_PORTAL);
	lease_at(&w, &a, 40000);
	lease_at(&w, &b, 50000);
	cr_assert_eq(ask_with(&w, SERVER, &c).result, PCP_SUCCESS);
	c.m.internal_port = 8;
	cr_assert_eq(ask_with(&w, SERVER, &c).result, PCP_SUCCESS);
	ask_map(&w, NEIGHBOR, SERVER, IP_UDP, 53, 0);
	world_pass(&w, 60);
	ask_map(&w, NEIGHBOR + 1, SERVER, IP_UDP, 53, 0);
	world_reload(&w, WITH_STATIC("100.64.0.10:7", "203.0.113.4:40000")
				 STATIC("100.64.0.10:8", "203.0.113.4:50000"));
	cr_assert_eq(named(&w), 0);
	world_pass(&w, HOLD_DOWN_S - 60);
	cr_assert_eq(named(&w), 1);
	world_pass(&w, 60);
	cr_assert_eq(named(&w), 1);
	world_close(&w);
}
