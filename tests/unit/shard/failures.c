// SPDX-License-Identifier: Apache-2.0
// What happens to servers, each as it concerns ours: three mappings of two clients, the event, and
// then what each of the two is told and still has. The ids are those of docs/design/shard.md.
#include "failures.h"

static uint16_t worker_of(const struct lab *l, ip4 host)
{
	return conf_inside_owner(l->w.conf, host);
}

static int32_t wish(struct lab *l, ip4 host, struct shard_wish w)
{
	return ask_wish(&l->w, worker_of(l, host), w);
}

static struct shard_wish about(enum shard_wish_kind kind, ip4 host)
{
	return (struct shard_wish){.kind = kind, .key = {.host = host, .realm = 1}};
}

// ---- everything is lost ----------------------------------------------------------------------

static unsigned n_multicast(const struct world *w, uint32_t *last_epoch_s)
{
	struct pcp_message m;
	unsigned n = ask_told(w, 0, 0xe0000001, PCP_CLIENT_PORT, &m);

	*last_epoch_s = m.epoch_s;
	return n;
}

// A new process: nothing is known, the Epoch is 0, and whoever asks for what he had gets it.
Test(failure, f1_the_process_restarts)
{
	struct lab l;
	uint32_t epoch_s;

	lab_open(&l, LAB);
	world_close(&l.w);
	world_open(&l.w, LAB);
	cr_assert_eq(n_multicast(&l.w, &epoch_s), 1);
	cr_assert_eq(epoch_s, 0);
	world_pass_ms(&l.w, 250);
	cr_assert_eq(n_multicast(&l.w, &epoch_s), 2);
	for (unsigned i = 0; i < LAB_MAPPINGS; i++) {
		cr_assert(!lab_is_reached(&l, i));
		struct pcp_message m = lab_again(&l, i);
		cr_assert_eq(m.result, PCP_SUCCESS);
		cr_assert(lab_same_pair(&l, i, &m), "mapping %u", i);
		cr_assert_eq(m.epoch_s, 0);
		cr_assert(lab_is_reached(&l, i));
	}
	world_pass_ms(&l.w, 300000);
	cr_assert_eq(n_multicast(&l.w, &epoch_s), 10);
	lab_close(&l);
}

Test(failure, f4_the_operator_clears_all_mappings)
{
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB);
	world_pass(&l.w, 100);
	for (uint16_t k = 0; k < 2; k++)
		cr_assert_eq(ask_wish(&l.w, k, (struct shard_wish){.kind = SHARD_CLEAR_GROUP}), 0);
	cr_assert_eq(WORLD_NAT(&l.w, mappings), 0);
	world_set_epoch(&l.w, 0, 0); // as control does
	for (uint16_t k = 0; k < 2; k++)
		cr_assert_eq(ask_wish(&l.w, k, (struct shard_wish){.kind = SHARD_ANNOUNCE}), 0);
	world_settle(&l.w);
	cr_assert_eq(lab_told(&l, l.a, &m), 1);
	cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 0);
	cr_assert_eq(lab_told(&l, l.b, &m), 1);
	world_pass(&l.w, 3);
	for (unsigned i = 0; i < LAB_MAPPINGS; i++) {
		m = lab_again(&l, i);
		cr_assert(m.result == PCP_SUCCESS && m.epoch_s == 3);
		cr_assert(lab_same_pair(&l, i, &m), "mapping %u", i);
	}
	lab_close(&l);
}

Test(failure, f25_both_sides_lost_everything)
{
	struct lab l;

	lab_open(&l, LAB);
	world_close(&l.w);
	world_open(&l.w, LAB);
	for (unsigned i = 0; i < LAB_MAPPINGS; i++) {
		struct pcp_message m = lab_request(&l, i); // nobody remembers a pair or a nonce

		m.nonce.b[11] = (uint8_t)(i + 1);
		m = ask(&l.w, lab_client(&l, i), SERVER, &m);
		cr_assert(m.result == PCP_SUCCESS && m.epoch_s == 0);
	}
	lab_close(&l);
}

// ---- one client's state is lost --------------------------------------------------------------

Test(failure, f5_operator_clears_one_subscriber)
{
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB);
	world_pass(&l.w, 100);
	cr_assert_eq(wish(&l, l.a, about(SHARD_CLEAR_SUBSCRIBER, l.a)), 0);
	world_settle(&l.w);
	cr_assert(!lab_is_reached(&l, 0) && !lab_is_reached(&l, 1) && lab_is_reached(&l, 2));
	cr_assert_eq(lab_told(&l, l.a, &m), 1);
	cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 0);
	world_pass_ms(&l.w, 2000);
	cr_assert_eq(lab_told(&l, l.a, &m), 3, "told again while he is silent");
	cr_assert_eq(lab_told(&l, l.b, &m), 0);
	cr_assert_eq(lab_epoch(&l, l.a), 2);
	cr_assert_eq(lab_epoch(&l, l.b), LAB_EPOCH_S + 102, "the other's Epoch kept counting");
	for (unsigned i = 0; i < 2; i++) {
		m = lab_again(&l, i);
		cr_assert(m.result == PCP_SUCCESS && m.epoch_s == 2);
	}
	lab_close(&l);
}

static unsigned natpmp_told(const struct world *w, ip4 client, uint16_t port, const uint8_t **at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_sent && i < WORLD_SENT; i++) {
		const struct pkt *p = &w->sent[i].p;

		if (p->dst != client || p->dport != port || p->len != 40 || p->l3[28] != 0)
			continue;
		*at = p->l3 + 28;
		n++;
	}
	return n;
}

// RFC 6886 s.3.2.1: he hears of the loss by the one message that NAT-PMP has.
Test(failure, f5_a_nat_pmp_client_is_told_his_external_address_and_epoch)
{
	static const uint8_t map[] = {0, 1, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 0x0e, 0x10};
	const uint8_t *told = NULL;
	struct frame f;
	struct lab l;

	lab_open(&l, LAB);
	world_pass(&l.w, 100);
	ask_octets(&l.w, INSIDE_PORT, l.a, 6000, SERVER, map, sizeof map, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	cr_assert_eq(wish(&l, l.a, about(SHARD_CLEAR_SUBSCRIBER, l.a)), 0);
	world_settle(&l.w);
	cr_assert_geq(natpmp_told(&l.w, l.a, 6000, &told), 1);
	cr_assert(told[1] == 128 && told[3] == 0, "an external address");
	cr_assert(told[6] == 0 && told[7] <= 1, "whose Epoch began anew");
	cr_assert(told[8] == 203 && told[9] == 0 && told[10] == 113, "of the pool");
	lab_close(&l);
}

Test(failure, f5_a_client_who_asked_meanwhile_is_not_told_again)
{
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB);
	cr_assert_eq(wish(&l, l.a, about(SHARD_CLEAR_SUBSCRIBER, l.a)), 0);
	world_pass_ms(&l.w, 100);
	l.w.now += NS_PER_S;
	lab_again(&l, 0);
	unsigned told = lab_told(&l, l.a, &m);
	world_pass_ms(&l.w, 2000);
	cr_assert_eq(lab_told(&l, l.a, &m), told);
	lab_close(&l);
}

// The portal asked for a's port. It is the portal that lost state: its Epoch begins anew, for all
// the hosts it asks for, and b's goes on.
Test(failure, f6_a_subscriber_is_cleared_whose_mappings_a_third_party_made)
{
	struct lab l;
	struct pcp_message m;
	struct shard_wish clear, reset;
	struct shard_answer a = {.kind = SHARD_ROW_MAPPING};
	unsigned losers = 0;

	lab_open(&l, LAB);
	struct ask for_a = ask_for(LAB_PORTAL, l.a, IP_UDP, 53, LAB_LIFE_S);
	cr_assert_eq(ask_with(&l.w, SERVER, &for_a).result, PCP_SUCCESS);
	world_pass(&l.w, 100);
	clear = about(SHARD_CLEAR_SUBSCRIBER, l.a);
	cr_assert(shard_wish(l.w.shard[worker_of(&l, l.a)], &clear));
	while (a.kind != SHARD_DONE) {
		world_step(&l.w);
		while (shard_answer(l.w.shard[worker_of(&l, l.a)], &a) && a.kind != SHARD_DONE) {
			cr_assert_eq(a.kind, SHARD_LOST_CLIENT);
			cr_assert_eq(a.client.address, LAB_PORTAL);
			losers++;
			reset = about(SHARD_RESET_CLIENT, a.client.address);
			reset.key.realm = a.client.realm;
			reset.group = a.client.group;
		}
	}
	cr_assert(losers == 1 && a.error == 0);
	for (uint16_t k = 0; k < 2; k++)
		cr_assert_eq(ask_wish(&l.w, k, reset), 0); // as control does
	world_settle(&l.w);
	cr_assert_eq(lab_told(&l, LAB_PORTAL, &m), 1);
	cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 0);
	world_pass(&l.w, 5);
	m = ask_with(&l.w, SERVER, &for_a);
	cr_assert(m.result == PCP_SUCCESS && m.epoch_s == 5);
	for_a = ask_for(LAB_PORTAL, l.b, IP_UDP, 53, LAB_LIFE_S);
	m = ask_with(&l.w, SERVER, &for_a);
	cr_assert(m.result == PCP_SUCCESS && m.epoch_s == 5, "one Epoch for all its hosts");
	cr_assert_eq(lab_epoch(&l, l.b), LAB_EPOCH_S + 105);
	cr_assert_eq(lab_told(&l, l.b, &m), 0);
	lab_close(&l);
}

// ---- the pool changes ------------------------------------------------------------------------

// The addresses of shard 0 but one stay: its client's mappings move there, one that insisted on its
// pair ends.
Test(failure, f7_an_external_address_is_withdrawn)
{
	static const char *const pools[4] = {LAB_POOL("203.0.113.5-203.0.113.7", ""),
		LAB_POOL("203.0.113.4, 203.0.113.6-203.0.113.7", ""),
		LAB_POOL("203.0.113.4-203.0.113.5, 203.0.113.7", ""),
		LAB_POOL("203.0.113.4-203.0.113.6", "")};
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB);
	world_pass(&l.w, 100);
	ip4 gone = ask_granted(&l.had[0]).addr;
	cr_assert_eq(ask_granted(&l.had[1]).addr, gone, "paired");
	world_reload(&l.w, pools[gone & 3]);
	cr_assert_eq(lab_told(&l, l.a, &m), 2);
	cr_assert(m.opcode == PCP_MAP && m.result == PCP_SUCCESS);
	cr_assert_eq(m.epoch_s, 0);
	cr_assert_neq(ask_granted(&m).addr, gone);
	world_pass_ms(&l.w, 250);
	cr_assert_eq(lab_told(&l, l.a, &m), 4);
	struct pcp_message again = lab_again(&l, 0); // refreshed: not told any more
	cr_assert_eq(again.result, PCP_SUCCESS);
	cr_assert_neq(ask_granted(&again).addr, gone);
	world_pass_ms(&l.w, 2000);
	cr_assert_eq(lab_told(&l, l.a, &m), 5);
	cr_assert_eq(m.internal_port, LAB_FIRST + 1);
	cr_assert_eq(lab_told(&l, l.b, &m), 0);
	cr_assert(lab_is_reached(&l, 2));
	cr_assert_eq(lab_epoch(&l, l.a), 2);
	cr_assert_eq(lab_epoch(&l, l.b), LAB_EPOCH_S + 102);
	lab_close(&l);
}

// ---- the server is elsewhere, or another -----------------------------------------------------

// Two instances that started together cannot be told apart by their Epoch; two that did not, can.
Test(failure, f11_anycast_leads_the_client_to_another_instance)
{
	struct lab here, there;

	lab_open(&here, LAB);
	lab_open(&there, LAB);
	cr_assert_eq(lab_epoch(&here, here.a), lab_epoch(&there, there.a));
	world_set_epoch(&there.w, 0, 777);
	cr_assert_eq(lab_epoch(&there, there.a), 777);
	cr_assert_eq(lab_epoch(&here, here.a), LAB_EPOCH_S);
	lab_close(&here);
	lab_close(&there);
}

Test(failure, f12_the_server_is_reached_at_a_new_address)
{
	struct lab l;
	struct frame f;

	lab_open(&l, LAB);
	world_pass(&l.w, 100);
	world_reload(&l.w, "workers: 2\n" PORTS LIMITS "nat-groups:\n"
			   "  homes:\n"
			   "    subscribers: [100.64.0.0/16]\n"
			   "    external-address-pool: [203.0.113.4-203.0.113.7]\n"
			   "    port-set-size: 64\n"
			   "    pcp: { listen: [198.18.0.9] }\n");
	for (unsigned i = 0; i < LAB_MAPPINGS; i++) {
		struct pcp_message m = lab_request(&l, i);

		m = ask(&l.w, lab_client(&l, i), 0xc6120009, &m);
		cr_assert(m.result == PCP_SUCCESS && m.epoch_s == LAB_EPOCH_S + 100);
		cr_assert(lab_same_pair(&l, i, &m));
	}
	ask_announce(&l.w, INSIDE_PORT, l.a, SERVER, &f);
	cr_assert_neq(f.verdict, VERDICT_REPLY, "nobody answers at the old one");
	lab_close(&l);
}

// ---- nothing is lost -------------------------------------------------------------------------

// A shard has no clock but the one it is given, and that one knows no hour of the day.
Test(failure, f26_the_wall_clock_steps)
{
	struct lab l;

	lab_open(&l, LAB);
	for (unsigned i = 0; i < 10; i++) {
		cr_assert_eq(lab_epoch(&l, l.a), LAB_EPOCH_S + 60 * i);
		cr_assert_eq(lab_epoch(&l, l.b), LAB_EPOCH_S + 60 * i);
		world_pass(&l.w, 60);
	}
	for (unsigned i = 0; i < LAB_MAPPINGS; i++)
		cr_assert(lab_is_reached(&l, i));
	lab_close(&l);
}

static void everybody_keeps_everything(struct lab *l, uint32_t epoch_s)
{
	for (unsigned i = 0; i < LAB_MAPPINGS; i++)
		cr_assert(lab_is_reached(l, i));
	cr_assert_eq(lab_epoch(l, l->a), epoch_s);
	cr_assert_eq(lab_epoch(l, l->b), epoch_s);
}

Test(failure, f29_sets_of_ports_are_switched_off)
{
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB);
	world_reload(&l.w, LAB_POOL("203.0.113.4-203.0.113.7", ", options: [third-party]"));
	cr_assert_eq(lab_told(&l, l.a, &m), 1);
	cr_assert_eq(m.opcode, PCP_ANNOUNCE);
	cr_assert_eq(lab_told(&l, l.b, &m), 1);
	everybody_keeps_everything(&l, LAB_EPOCH_S);
	lab_close(&l);
}

Test(failure, f29_a_nat64_prefix_changes_and_the_announcement_tells_the_new_one)
{
	struct lab l;
	struct pcp_message m;
	struct pcp_option o;
	struct pcp_prefix64 prefix;
	size_t n;

	lab_open(&l,
		LAB_POOL("203.0.113.4-203.0.113.7", ", prefix64: [{ prefix: \"64:ff9b::/96\" }]"));
	world_reload(&l.w, LAB_POOL("203.0.113.4-203.0.113.7",
				   ", prefix64: [{ prefix: \"2001:db8:64::/96\" }]"));
	cr_assert_eq(lab_told(&l, l.a, &m), 1);
	cr_assert_eq(lab_told(&l, l.b, &m), 1);
	const struct frame *f = &l.w.sent[(l.w.n_sent - 1) % WORLD_SENT];
	const uint8_t *msg = f->p.l3 + 28;
	cr_assert_eq(pcp_decode_options(msg, f->p.len - 28u, &m, &o, 1, &n), PCP_SUCCESS);
	cr_assert(n == 1 && o.code == PCP_PREFIX64 && pcp_read_prefix64(&o, &prefix));
	cr_assert(prefix.length == 12 && prefix.octets[0] == 0x20 && prefix.octets[5] == 0x64);
	everybody_keeps_everything(&l, LAB_EPOCH_S);
	lab_close(&l);
}

// ---- rows that wait for what is not built, or are not the server's ---------------------------

#define ROW(name, reason)                                                                          \
	Test(failure, name)                                                                        \
	{                                                                                          \
		cr_skip_test(reason);                                                              \
	}

ROW(f2_state_is_restored_from_stable_storage, "there is no stable storage yet")
ROW(f3_one_shard_loses_its_mappings, "all shards live and end in one process: see f1")
ROW(f8_the_standby_has_all_state, "there is no standby yet")
ROW(f9_the_standby_has_some_state, "there is no standby yet")
ROW(f10_a_cold_standby_takes_over, "there is no standby yet")
ROW(f19_the_session_of_the_subscriber_ends, "there is no AAA yet")
ROW(f20_the_b4_address_changes_inside_its_prefix, "there is no DS-Lite yet")
ROW(f21_the_b4_prefix_changes, "there is no DS-Lite yet")
ROW(f30_authentication_sessions_are_lost, "there is no authentication yet")
ROW(f31_the_server_address_is_unreachable, "a row of the client's")
ROW(f32_the_default_route_flips, "a row of the client's")
