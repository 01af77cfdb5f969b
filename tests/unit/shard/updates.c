// SPDX-License-Identifier: Apache-2.0
// Mapping Updates (RFC 6887 s.14.2): who is told, how often, and when that ends.
#include "ask.h"
#include "check.h"

#define POOL(addresses, more)                                                                      \
	PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: "     \
	      "6" more " }\n"                                                                      \
	      "nat-groups:\n"                                                                      \
	      "  homes:\n"                                                                         \
	      "    subscribers: [100.64.0.0/16]\n"                                                 \
	      "    external-address-pool: [" addresses "]\n"                                       \
	      "    port-set-size: 64\n"                                                            \
	      "    pcp: { listen: [198.18.0.1, gateway], versions: [2] }\n"
#define BOTH POOL("203.0.113.4-203.0.113.5", "")
#define FOUR_ONLY POOL("203.0.113.4", "")
#define FIVE_ONLY POOL("203.0.113.5", "")

// The configuration that takes the address of this mapping away, and leaves the other.
static const char *without(const struct pcp_message *m)
{
	return ask_granted(m).addr == 0xcb007104 ? FIVE_ONLY : FOUR_ONLY;
}

static unsigned told(const struct world *w, struct pcp_message *last)
{
	return ask_told(w, 0, HOME, ASK_PORT, last);
}

Test(updates, rfc6887_s14_2_a_moved_mapping_is_told_three_times)
{
	struct world w;
	struct pcp_message m;
	struct frame f;

	world_open(&w, BOTH);
	world_set_epoch(&w, 0, 5000);
	struct pcp_message old = ask_map(&w, HOME, SERVER, IP_TCP, 8080, 3600);
	world_pass(&w, 600);
	w.n_sent = 0;
	world_reload(&w, without(&old));
	cr_assert_eq(told(&w, &m), 1);
	cr_assert_eq(m.opcode, PCP_MAP);
	cr_assert_eq(m.result, PCP_SUCCESS);
	cr_assert_eq(m.lifetime_s, 3000);
	cr_assert_eq(m.epoch_s, 0, "state was lost for him");
	cr_assert(pcp_nonce_eq(m.nonce, old.nonce));
	cr_assert(m.protocol == IP_TCP && m.internal_port == 8080);
	cr_assert_neq(ask_granted(&m).addr, ask_granted(&old).addr);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, ask_granted(&m).addr, m.external_port, TCP_SYN), &f);
	expect_in(&f, PEER, 9, HOME, 8080);
	world_pass_ms(&w, 200);
	cr_assert_eq(told(&w, &m), 1);
	world_pass_ms(&w, 50);
	cr_assert_eq(told(&w, &m), 2);
	world_pass_ms(&w, 450);
	cr_assert_eq(told(&w, &m), 2);
	world_pass_ms(&w, 50);
	cr_assert_eq(told(&w, &m), 3);
	world_pass_ms(&w, 5000);
	cr_assert_eq(told(&w, &m), 3);
	cr_assert_eq(WORLD_COUNT(&w, updates_sent), 3);
	world_close(&w);
}

Test(updates, rfc6887_s14_2_whoever_renewed_is_not_told_again)
{
	struct world w;
	struct pcp_message m;

	world_open(&w, BOTH);
	struct pcp_message old = ask_map(&w, HOME, SERVER, IP_TCP, 8080, 3600);
	w.n_sent = 0;
	world_reload(&w, without(&old));
	cr_assert_eq(told(&w, &m), 1);
	struct pcp_message new = ask_map(&w, HOME, SERVER, IP_TCP, 8080, 3600);
	cr_assert(recipe_eq(ask_granted(&new), ask_granted(&m)));
	world_pass_ms(&w, 2000);
	cr_assert_eq(told(&w, &m), 1);
	world_close(&w);
}

Test(updates, a_lease_that_is_gone_is_not_spoken_of)
{
	struct world w;
	struct pcp_message m;

	world_open(&w, BOTH);
	struct pcp_message old = ask_map(&w, HOME, SERVER, IP_TCP, 8080, 3600);
	w.n_sent = 0;
	world_reload(&w, without(&old));
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 8080, 0).result, PCP_SUCCESS);
	world_pass_ms(&w, 2000);
	cr_assert_eq(told(&w, &m), 1);
	world_close(&w);
}

// What insisted on its pair cannot be had elsewhere: that is told like a refusal, to the very end.
Test(updates, rfc6887_s14_2_an_exact_mapping_that_is_lost_is_told_three_times)
{
	struct world w;
	struct pcp_message m;

	world_open(&w, BOTH);
	struct pcp_message old = ask_map(&w, HOME, SERVER, IP_TCP, 8080, 3600);
	ask_map(&w, HOME, SERVER, IP_TCP, 8080, 0);
	struct ask exact = {.m = ask_of(HOME, IP_TCP, 8080, 3600), .prefer_failure = true};
	exact.m.external_ip = old.external_ip;
	exact.m.external_port = old.external_port;
	cr_assert_eq(ask_with(&w, SERVER, &exact).result, PCP_SUCCESS);
	w.n_sent = 0;
	world_reload(&w, without(&old));
	world_pass_ms(&w, 2000);
	cr_assert_eq(told(&w, &m), 3);
	cr_assert_eq(m.result, PCP_CANNOT_PROVIDE_EXTERNAL);
	cr_assert_eq(m.internal_port, 8080);
	world_close(&w);
}

Test(updates, rfc6887_s14_2_filters_move_along_and_are_told)
{
	struct world w;
	struct pcp_message m;
	struct pcp_option options[4];
	struct pcp_filter filter;
	struct ask a = {.m = ask_of(HOME, IP_UDP, 8080, 3600), .n_filters = 1};
	struct frame f;
	size_t n;

	world_open(&w, BOTH);
	a.filters[0] = ask_filter(PEER, 32, 0);
	struct pcp_message old = ask_with(&w, SERVER, &a);
	w.n_sent = 0;
	world_reload(&w, without(&old));
	cr_assert_eq(told(&w, &m), 1);
	const struct frame *last = &w.sent[w.n_sent - 1];
	cr_assert_eq(last->p.dst, HOME);
	const uint8_t *msg = last->p.l3 + 28;
	cr_assert_eq(pcp_decode_options(msg, last->p.len - 28u, &m, options, 4, &n), PCP_SUCCESS);
	cr_assert_eq(n, 1);
	cr_assert(pcp_read_filter(&m, &options[0], &filter));
	cr_assert(filter.prefix == 128 && ip6_to_ip4(filter.address) == PEER);
	put(&w, OUTSIDE_PORT, udp_of(OTHER_PEER, 9, ask_granted(&m).addr, m.external_port), &f);
	expect_drop(&f, DROP_PCP_FILTER);
	world_close(&w);
}

Test(updates, they_go_to_the_port_that_asked_last)
{
	struct world w;
	struct pcp_message m;
	struct ask a = {.m = ask_of(HOME, IP_TCP, 8080, 3600)};

	world_open(&w, BOTH);
	ask_with(&w, SERVER, &a);
	a.port = 41414;
	struct pcp_message old = ask_with(&w, SERVER, &a);
	w.n_sent = 0;
	world_reload(&w, without(&old));
	cr_assert_eq(told(&w, &m), 0);
	cr_assert_eq(ask_told(&w, 0, HOME, 41414, &m), 1);
	world_close(&w);
}

Test(updates, rfc6887_s8_3_they_leave_from_the_address_that_the_client_asked_last)
{
	static const ip4 servers[] = {SERVER, GATEWAY};
	struct world w;
	struct pcp_message m;

	for (unsigned i = 0; i < ARRAY_SIZE(servers); i++) {
		world_open(&w, BOTH);
		ask_map(&w, HOME, servers[1 - i], IP_TCP, 8081, 3600);
		struct pcp_message old = ask_map(&w, HOME, servers[i], IP_TCP, 8080, 3600);
		w.n_sent = 0;
		world_reload(&w, without(&old));
		cr_assert_eq(told(&w, &m), 2);
		for (unsigned k = 0; k < w.n_sent; k++)
			cr_assert(w.sent[k].p.dst != HOME || w.sent[k].p.src == servers[i]);
		world_close(&w);
	}
}

Test(updates, they_keep_to_the_operators_rate_and_none_is_forgotten)
{
	struct world w;
	struct pcp_message m;
	unsigned hosts = 50;

	world_open(&w, POOL("203.0.113.4", ", announce-rate: 50"));
	world_pass(&w, 600);
	for (unsigned i = 0; i < hosts; i++)
		cr_assert_eq(ask_map(&w, HOME + i, SERVER, IP_TCP, 80, 3600).result, PCP_SUCCESS);
	world_reload(&w, POOL("203.0.113.4-203.0.113.5", ", announce-rate: 50"));
	w.n_sent = 0;
	world_reload(&w, POOL("203.0.113.5", ", announce-rate: 50"));
	world_pass_ms(&w, 1000);
	cr_assert_leq(WORLD_COUNT(&w, updates_sent), 56);
	world_pass_ms(&w, 9000);
	cr_assert_eq(WORLD_COUNT(&w, updates_sent), 3 * hosts);
	for (unsigned i = 0; i < hosts; i++)
		cr_assert_eq(ask_told(&w, 0, HOME + i, ASK_PORT, &m), 3);
	world_close(&w);
}
