// SPDX-License-Identifier: Apache-2.0
// What the client does in each failure of the list in docs/design/client.md. The rows without a
// test (F19) leave the client nothing to do.
#include "state.h"

#include "world.h"

#define N 3

static const uint8_t second_source[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 99};
static const uint8_t host_ip[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 77};

struct before { // what the server granted before the event
	struct pcp_nonce nonce[N];
	uint16_t external_port[N];
};

static struct postern_mapping want_kept(unsigned i)
{
	struct postern_mapping m = world_want();

	m.internal_port = (uint16_t)(8080 + i);
	m.keep = true;
	m.importance = i; // the last first
	return m;
}

// Three kept mappings, an hour ago or so: nothing is due.
static void hold_three(struct world *w, struct before *b)
{
	for (unsigned i = 0; i < N; i++) {
		struct postern_mapping m = want_kept(i);

		w->servers[0].external_port = (uint16_t)(40001 + i);
		world_map(w, &m);
		b->nonce[i] = w->servers[0].last.nonce;
		b->external_port[i] = w->servers[0].external_port;
	}
	w->servers[0].external_port = 40001;
	world_pass(w, 1000);
	w->n_seen = 0;
}

static void init(struct world *w, struct before *b)
{
	world_init(w, 31);
	hold_three(w, b);
}

static void expect_nothing(struct world *w, const char *row)
{
	world_pass(w, 60);
	cr_expect_eq(w->n_seen, 0, "%s: %u requests", row, w->n_seen);
}

// As F1 wants it: the most important first, each as it was, two a second and not more.
static void expect_recovery(struct world *w, const struct before *b, ns from, const char *row)
{
	world_pass(w, 10);
	cr_assert_eq(w->n_seen, N, "%s: %u requests", row, w->n_seen);
	for (unsigned k = 0; k < N; k++) {
		unsigned i = N - 1 - k;
		const struct pcp_message *m = &w->seen[k].msg;

		cr_expect_eq(m->internal_port, 8080 + i, "%s: the %u-th is %u", row, k,
			m->internal_port);
		cr_expect(pcp_nonce_eq(m->nonce, b->nonce[i]), "%s: the nonce", row);
		cr_expect_eq(m->external_port, b->external_port[i], "%s: the hint", row);
		cr_expect(ip6_eq(m->external_ip, ip6_mapped(0xcb007105)), "%s", row);
		cr_expect(w->seen[k].at >= from && w->seen[k].at <= from + 6500 * NS_PER_MS);
		if (k > 0)
			cr_expect(w->seen[k].at >= w->seen[k - 1].at + 400 * NS_PER_MS &&
					  w->seen[k].at <= w->seen[k - 1].at + 600 * NS_PER_MS,
				"%s: the pace", row);
	}
	for (int id = 0; id < N; id++)
		world_expect_state(w, id, POSTERN_STATE_MAPPED);
}

static void reboot(struct world *w)
{
	w->servers[0].booted = w->now;
}

// The loss is noticed in the answer to a request that has nothing to do with it.
static void notice(struct world *w)
{
	postern_client_announce(w->client, w->servers[0].id, w->now);
	world_exchange(w);
	world_news(w, POSTERN_RESTARTED);
	cr_expect_eq(w->seen[0].msg.opcode, PCP_ANNOUNCE);
	memmove(&w->seen[0], &w->seen[1], sizeof w->seen - sizeof w->seen[0]);
	w->n_seen--;
}

Test(client, F1_restart_announced)
{
	struct before b;
	struct world w;
	ns from;

	init(&w, &b);
	reboot(&w);
	from = w.now;
	cr_expect(world_announce(&w, &w.servers[0]));
	cr_expect_eq(w.n_seen, 0, "F1: not at once");
	expect_recovery(&w, &b, from, "F1");
	world_fini(&w);
}

Test(client, F1_the_other_nine_announcements_of_a_restart_change_nothing)
{
	struct before b;
	struct world w;

	init(&w, &b);
	reboot(&w);
	for (int i = 0; i < 10; i++) {
		world_announce(&w, &w.servers[0]);
		world_pass(&w, 1);
	}
	world_pass(&w, 60);
	cr_expect_eq(w.n_seen, N, "F1: %u requests", w.n_seen);
	cr_expect_eq(postern_client_counters(w.client)->restarts, 1);
	world_fini(&w);
}

Test(client, F2_state_restored_from_storage)
{
	struct before b;
	struct world w;

	init(&w, &b);
	world_announce(&w, &w.servers[0]); // its Epoch went on
	expect_nothing(&w, "F2");
	world_fini(&w);
}

Test(client, F3_a_shard_lost_its_mappings)
{
	struct before b;
	struct world w;

	init(&w, &b);
	reboot(&w);
	notice(&w);
	expect_recovery(&w, &b, w.now, "F3");
	world_fini(&w);
}

Test(client, F4_an_operator_cleared_all)
{
	struct before b;
	struct world w;
	ns from;

	init(&w, &b);
	reboot(&w);
	from = w.now;
	cr_expect(world_announce(&w, &w.servers[0]));
	expect_recovery(&w, &b, from, "F4");
	world_fini(&w);
}

Test(client, F5_one_of_two_subscribers_was_cleared)
{
	struct before b, other_b;
	struct world w, other;

	init(&w, &b);
	init(&other, &other_b);
	reboot(&w); // its Epoch alone
	notice(&w);
	postern_client_announce(other.client, other.servers[0].id, other.now);
	world_exchange(&other);
	other.n_seen = 0;
	expect_recovery(&w, &b, w.now, "F5");
	expect_nothing(&other, "F5, the other");
	world_fini(&w);
	world_fini(&other);
}

Test(client, F6_a_third_party_client_asks_again_for_all_its_hosts)
{
	struct world w;

	world_init(&w, 6);
	for (uint8_t i = 0; i < N; i++) {
		struct postern_mapping m = want_kept(0);
		uint8_t host[16];

		memcpy(host, host_ip, sizeof host);
		host[15] = (uint8_t)(host[15] + i);
		postern_mapping_add_third_party(&m, host);
		world_map(&w, &m);
	}
	world_pass(&w, 1000);
	w.n_seen = 0;
	reboot(&w);
	notice(&w);
	world_pass(&w, 10);
	cr_expect_eq(w.n_seen, N);
	for (unsigned i = 0; i < N; i++)
		for (unsigned k = 0; k < i; k++)
			cr_expect_not(pcp_nonce_eq(w.seen[i].msg.nonce, w.seen[k].msg.nonce));
	world_fini(&w);
}

// A mapping update: nobody asked.
static bool update(
	struct world *w, const struct before *b, unsigned i, uint16_t result, uint32_t external_ip)
{
	struct pcp_message m = {.dialect = PCP_V2,
		.opcode = PCP_MAP,
		.client = ip_of(world_source()),
		.nonce = b->nonce[i],
		.protocol = 6,
		.internal_port = (uint16_t)(8080 + i),
		.external_port = b->external_port[i],
		.lifetime_s = 3000,
		.external_ip = ip6_mapped(external_ip)};
	struct pcp_error error = {.result = (enum pcp_result)result,
		.parsed = true,
		.lifetime_s = 30,
		.epoch_s = world_epoch(w, &w->servers[0])};
	uint8_t msg[PCP_MAX];
	size_t len = pcp_encode_request(msg, sizeof msg, &m);

	if (result == PCP_SUCCESS)
		len = pcp_success_reply(msg, &m, 3000, error.epoch_s);
	else
		len = pcp_error_reply(msg, len, sizeof msg, &m, &error);
	return world_deliver(w, &w->servers[0], msg, len);
}

Test(client, F7_external_address_renumbered)
{
	struct postern_event e;
	struct before b;
	struct world w;

	init(&w, &b);
	for (unsigned i = 0; i < N; i++) {
		cr_expect(update(&w, &b, i, PCP_SUCCESS, 0xcb007163));
		e = world_news(&w, POSTERN_CHANGED);
		cr_expect(e.id == (int)i && e.external.ip[15] == 0x63 && e.lifetime_s == 3000);
		cr_expect(update(&w, &b, i, PCP_SUCCESS, 0xcb007163), "F7: the second of three");
		world_no_news(&w);
	}
	b.nonce[0].b[3] ^= 1;
	cr_expect_not(update(&w, &b, 0, PCP_SUCCESS, 0xcb007164), "F7: another nonce");
	world_no_news(&w);
	cr_expect_eq(w.n_seen, 0);
	world_fini(&w);
}

Test(client, F7_what_prefers_failure_is_refused)
{
	struct postern_mapping m = want_kept(0);
	struct before b;
	struct world w;

	world_init(&w, 7);
	m.prefer_failure = true;
	m.external.port = 40001;
	world_map(&w, &m);
	b.nonce[0] = w.servers[0].last.nonce;
	b.external_port[0] = 40001;
	world_pass(&w, 1000);
	w.n_seen = 0;
	cr_expect(update(&w, &b, 0, PCP_CANNOT_PROVIDE_EXTERNAL, 0xcb007105));
	cr_expect_eq(world_news(&w, POSTERN_REFUSED).result, PCP_CANNOT_PROVIDE_EXTERNAL);
	world_expect_state(&w, 0, POSTERN_STATE_ERROR_WAIT);
	world_pass(&w, 29);
	cr_expect_eq(w.n_seen, 0);
	world_pass(&w, 2);
	cr_expect_eq(w.n_seen, 1);
	world_fini(&w);
}

Test(client, F8_a_standby_with_all_state_took_over)
{
	struct before b;
	struct world w;

	init(&w, &b);
	w.servers[0].booted += 2 * NS_PER_S; // its clock is a little behind
	postern_client_announce(w.client, w.servers[0].id, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_ANNOUNCED);
	world_no_news(&w);
	w.n_seen = 0;
	expect_nothing(&w, "F8");
	world_fini(&w);
}

Test(client, F9_a_standby_with_a_lagging_copy_took_over)
{
	struct before b;
	struct world w;
	ns from;

	init(&w, &b);
	reboot(&w);
	from = w.now;
	cr_expect(world_announce(&w, &w.servers[0]));
	expect_recovery(&w, &b, from, "F9");
	world_fini(&w);
}

Test(client, F10_a_cold_standby_took_over_with_another_pool)
{
	struct postern_event e;
	unsigned changed = 0;
	struct before b;
	struct world w;
	ns from;

	init(&w, &b);
	reboot(&w);
	w.servers[0].external_port = 50000;
	from = w.now;
	cr_expect(world_announce(&w, &w.servers[0]));
	expect_recovery(&w, &b, from, "F10");
	while (postern_client_event(w.client, &e))
		changed += e.what == POSTERN_CHANGED && e.external.port == 50000;
	cr_expect_eq(changed, N);
	world_fini(&w);
}

Test(client, F11_anycast_leads_to_another_instance)
{
	struct postern_client_options o = world_options(11);
	struct before b;
	struct world w;

	world_init_bare(&w, &o);
	world_add(&w, POSTERN_ANYCAST, 1);
	w.servers[0].booted = w.now - 5000 * NS_PER_S;
	hold_three(&w, &b);
	w.servers[0].booted = w.now - 90000 * NS_PER_S; // unrelated
	postern_client_moved(w.client, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_RESTARTED);
	w.n_seen--;
	memmove(&w.seen[0], &w.seen[1], sizeof w.seen - sizeof w.seen[0]);
	expect_recovery(&w, &b, w.now, "F11");
	world_fini(&w);
}

Test(client, F11_two_instances_started_together_cannot_be_told_apart)
{
	struct before b;
	struct world w;

	init(&w, &b);
	postern_client_moved(w.client, w.now);
	world_exchange(&w);
	world_no_news(&w);
	w.n_seen = 0;
	expect_nothing(&w, "F11");
	world_fini(&w);
}

Test(client, F12_a_server_at_a_new_address_is_asked_for_all_with_new_nonces)
{
	struct before b;
	struct world w;

	init(&w, &b);
	postern_client_remove_server(w.client, w.servers[0].id, w.now);
	world_add(&w, POSTERN_DHCP, 1);
	world_exchange(&w);
	cr_assert_eq(w.n_seen, N);
	for (unsigned i = 0; i < N; i++) {
		unsigned port = w.seen[i].msg.internal_port;

		cr_expect_eq(w.seen[i].server, w.servers[1].id);
		cr_expect_not(pcp_nonce_eq(w.seen[i].msg.nonce, b.nonce[port - 8080]));
	}
	world_fini(&w);
}

Test(client, F13_nonce_lost)
{
	struct postern_mapping m = want_kept(0);
	struct postern_event e;
	struct world w;

	world_init(&w, 13);
	w.servers[0].result = PCP_NOT_AUTHORIZED;
	w.servers[0].lifetime_s = 500; // what is left of the other mapping
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	e = world_news(&w, POSTERN_REFUSED);
	cr_expect_eq(e.result, PCP_NOT_AUTHORIZED);
	cr_expect_eq(e.lifetime_s, 500);
	world_pass(&w, 499);
	cr_expect_eq(w.n_seen, 1, "F13: it waits");
	w.servers[0].result = PCP_SUCCESS;
	world_pass(&w, 2);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

Test(client, F13_nonce_from_a_secret_needs_no_waiting)
{
	struct pcp_nonce first = {{0}};

	for (unsigned run = 0; run < 2; run++) {
		struct postern_client_options o = world_options(run + 1);
		struct postern_mapping m = want_kept(0);
		struct world w;

		o.has_secret = true;
		world_init_bare(&w, &o);
		world_add(&w, POSTERN_ROUTER, 1);
		world_map(&w, &m);
		if (run == 0)
			first = w.servers[0].last.nonce;
		cr_expect(pcp_nonce_eq(w.servers[0].last.nonce, first), "F13");
		world_fini(&w);
	}
}

Test(client, F14_what_was_made_from_another_port_is_deleted_if_remembered)
{
	struct postern_mapping old = world_want(), m = world_want();
	struct world w;

	world_init(&w, 14);
	old.lifetime_s = 0;
	old.has_nonce = true;
	memset(old.nonce, 0x77, sizeof old.nonce);
	m.internal_port = 9090;
	postern_client_map(w.client, &old, w.now);
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_DELETED);
	cr_expect_eq(world_news(&w, POSTERN_MAPPED).internal_port, 9090);
	cr_expect_eq(w.seen[0].msg.lifetime_s, 0, "F14: the old one first");
	world_fini(&w);
}

Test(client, F15_table_persisted)
{
	struct before b;
	struct world w, later;
	char text[8192];
	unsigned skipped;

	init(&w, &b);
	cr_assert_lt(
		postern_client_save(w.client, w.now, 1700000000, text, sizeof text), sizeof text);
	world_init(&later, 15);
	cr_assert_eq(postern_client_load(
			     later.client, text, strlen(text), later.now, 1700000010, &skipped),
		0);
	cr_expect_eq(skipped, 0);
	for (unsigned i = 0; i < N; i++) {
		struct postern_mapping m = want_kept(i);

		postern_client_map(later.client, &m, later.now);
		cr_expect_eq(world_news(&later, POSTERN_MAPPED).external.port, 40001 + i);
	}
	expect_nothing(&later, "F15");
	b.nonce[0].b[0] ^= 1;
	cr_expect_not(update(&later, &b, 0, PCP_SUCCESS, 0xcb007199), "F15: to nobody");
	world_fini(&w);
	world_fini(&later);
}

// GET is in get.c; who may not do that waits as in F13.
Test(client, F16_table_lost)
{
	struct postern_mapping m = want_kept(0);
	struct world w;

	world_init(&w, 16);
	w.servers[0].result = PCP_UNSUPP_OPCODE;
	w.servers[0].lifetime_s = 1800;
	postern_client_get(w.client, w.servers[0].id, 0, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_NOT_AUTHORIZED;
	w.servers[0].lifetime_s = 100;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	world_news(&w, POSTERN_REFUSED);
	w.servers[0].result = PCP_SUCCESS;
	world_pass(&w, 101);
	world_news(&w, POSTERN_MAPPED);
	world_fini(&w);
}

static void move(struct world *w, bool still_ours)
{
	postern_client_source(w->client, w->servers[0].id, 0, second_source, still_ours, w->now);
}

Test(client, F17_a_new_internal_address)
{
	struct postern_event e;
	unsigned told = 0;
	struct before b;
	struct world w;

	init(&w, &b);
	w.servers[0].external_port = 45000;
	move(&w, true);
	world_pass(&w, 10);
	cr_assert_eq(w.n_seen, 2 * N);
	for (unsigned i = 0; i < 2 * N; i++) {
		bool is_delete = i % 2 == 0; // before what may need its quota
		const uint8_t *from = is_delete ? world_source() : second_source;

		cr_expect_eq(w.seen[i].msg.lifetime_s == 0, is_delete, "F17: %u", i);
		cr_expect_eq(memcmp(w.seen[i].datagram.source, from, 16), 0, "F17: %u", i);
		cr_expect_eq(memcmp(w.seen[i].msg.client.b, from, 16), 0, "F17: %u", i);
	}
	while (postern_client_event(w.client, &e))
		told += e.what == POSTERN_CHANGED;
	cr_expect_eq(told, N, "F17: the rendezvous wants to know");
	world_pass(&w, 60);
	cr_expect_eq(w.n_seen, 2 * N, "F17: the deletes were answered");
	world_fini(&w);
}

Test(client, F17_nothing_is_sent_from_an_address_that_went)
{
	struct before b;
	struct world w;

	init(&w, &b);
	move(&w, false);
	world_pass(&w, 60);
	cr_expect_eq(w.n_seen, N);
	for (unsigned i = 0; i < N; i++)
		cr_expect_eq(memcmp(w.seen[i].datagram.source, second_source, 16), 0);
	world_fini(&w);
}

Test(client, F17_an_unanswered_goodbye_ends_by_itself)
{
	struct before b;
	struct world w;

	init(&w, &b);
	move(&w, true);
	w.servers[0].silent = true;
	world_pass(&w, 100);
	for (unsigned i = 0; i < N; i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < w.n_seen; k++)
			n += w.seen[k].msg.lifetime_s == 0 &&
			     w.seen[k].msg.internal_port == 8080 + i;
		cr_expect_eq(n, 4, "F17: %u goodbyes", n);
	}
	world_fini(&w);
}

Test(client, F18_a_third_partys_host_changed_its_address)
{
	struct postern_mapping old = want_kept(0), m = want_kept(0);
	uint8_t new_host[16];
	struct world w;
	int id;

	world_init(&w, 18);
	memcpy(new_host, host_ip, sizeof new_host);
	new_host[15] = 78;
	postern_mapping_add_third_party(&old, host_ip);
	postern_mapping_add_third_party(&m, new_host);
	id = world_map(&w, &old);
	postern_client_delete(w.client, id, w.now);
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_DELETED).id, id);
	world_news(&w, POSTERN_MAPPED);
	cr_expect_eq(w.seen[1].msg.lifetime_s, 0);
	cr_expect_eq(w.seen[2].msg.lifetime_s, 3600);
	world_fini(&w);
}

Test(client, F20_a_b4_moved_inside_its_prefix)
{
	struct before b;
	struct world w;

	init(&w, &b);
	expect_nothing(&w, "F20"); // the inner address is the same, and so is the Epoch
	world_fini(&w);
}

Test(client, F21_a_new_prefix_announced_downstream)
{
	struct before b;
	struct world w;

	init(&w, &b);
	move(&w, false); // hosts do as in F17
	world_pass(&w, 60);
	cr_expect_eq(w.n_seen, N);
	for (int id = 0; id < N; id++)
		world_expect_state(&w, id, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

Test(client, F22_the_address_of_the_router_outside_of_us_changed)
{
	struct before b;
	struct world w;

	init(&w, &b);
	expect_nothing(&w, "F22"); // nobody here can see it
	world_fini(&w);
}

Test(client, F23_a_renewal_fails)
{
	struct before b;
	struct world w;

	init(&w, &b);
	w.servers[0].result = PCP_NETWORK_FAILURE;
	w.servers[0].lifetime_s = 30;
	world_pass(&w, 1300);
	cr_expect_geq(w.n_seen, N);
	w.servers[0].result = PCP_SUCCESS;
	w.servers[0].lifetime_s = 86400;
	world_pass(&w, 1000);
	for (int id = 0; id < N; id++)
		world_expect_state(&w, id, POSTERN_STATE_MAPPED);
	world_fini(&w);
}

// The table is lost; GET gives nonces back where that is allowed.
Test(client, F24_a_nonce_told_by_get_renews_the_mapping)
{
	struct postern_mapping m = want_kept(0);
	struct pcp_next entry = {.protocol = 6,
		.internal_ip = ip6_mapped(0x6440000a),
		.external_ip = ip6_mapped(0xcb007105),
		.internal_port = 8080,
		.external_port = 40001,
		.lifetime_s = 99,
		.end = true,
		.nonce.b = {9, 8, 7}};
	struct postern_event e;
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 24);
	w.servers[0].silent = true;
	postern_client_get(w.client, w.servers[0].id, 0, w.now);
	world_exchange(&w);
	len = pcp_success_reply(msg, &w.servers[0].last, 0, 500);
	len = pcp_append_next(msg, len, sizeof msg, &entry);
	world_deliver(&w, &w.servers[0], msg, len);
	e = world_news(&w, POSTERN_ENTRY);
	world_news(&w, POSTERN_ENTRIES_END);
	w.servers[0].silent = false;
	m.has_nonce = true;
	memcpy(m.nonce, e.nonce, sizeof m.nonce);
	m.external = e.external;
	world_map(&w, &m);
	cr_expect_eq(w.servers[0].last.nonce.b[2], 7);
	cr_expect_eq(w.servers[0].last.external_port, 40001);
	world_fini(&w);
}

Test(client, F25_the_side_with_storage_restores_the_other)
{
	struct before b;
	struct world w, later;
	char text[8192];
	unsigned skipped, n = 0;
	struct postern_event e;

	init(&w, &b);
	postern_client_save(w.client, w.now, 1700000000, text, sizeof text);
	world_init(&later, 25);
	later.servers[0].booted = later.now - 20 * NS_PER_S; // it lost everything meanwhile
	postern_client_load(later.client, text, strlen(text), later.now, 1700000300, &skipped);
	for (unsigned i = 0; i < N; i++) {
		struct postern_mapping m = want_kept(i);

		postern_client_map(later.client, &m, later.now);
	}
	postern_client_announce(later.client, later.servers[0].id, later.now);
	world_pass(&later, 10);
	cr_assert_eq(later.n_seen, N + 1);
	for (unsigned k = 1; k <= N; k++) {
		unsigned i = later.seen[k].msg.internal_port - 8080u;

		cr_expect(pcp_nonce_eq(later.seen[k].msg.nonce, b.nonce[i]), "F25");
		cr_expect_eq(later.seen[k].msg.external_port, b.external_port[i], "F25");
	}
	while (postern_client_event(later.client, &e))
		n += e.what == POSTERN_RESTARTED;
	cr_expect_eq(n, 1);
	world_fini(&w);
	world_fini(&later);
}

Test(client, F26_the_servers_wall_clock_steps)
{
	struct before b;
	struct world w;

	init(&w, &b);
	world_announce(&w, &w.servers[0]); // Epochs are no wall clocks
	expect_nothing(&w, "F26");
	cr_expect_eq(postern_client_counters(w.client)->restarts, 0);
	world_fini(&w);
}

Test(client, F27_overload)
{
	struct world w;

	world_init(&w, 27);
	w.servers[0].silent = true;
	for (unsigned i = 0; i < N; i++) {
		struct postern_mapping m = want_kept(i);

		postern_client_map(w.client, &m, w.now);
	}
	world_pass(&w, 600);
	cr_expect_leq(w.n_seen, N * 9, "F27: %u requests", w.n_seen);
	w.servers[0].silent = false;
	w.servers[0].result = PCP_NO_RESOURCES;
	w.servers[0].lifetime_s = 30;
	world_pass(&w, 600);
	cr_expect_leq(w.n_seen, N * 9 + N * 21, "F27: %u requests", w.n_seen);
	world_fini(&w);
}

Test(client, F28_a_lost_answer)
{
	struct postern_mapping m = want_kept(0);
	struct world w;

	world_init(&w, 28);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	w.servers[0].silent = false;
	world_pass(&w, 4);
	cr_assert_eq(w.n_seen, 2);
	cr_expect_eq(w.seen[0].datagram.length, w.seen[1].datagram.length);
	cr_expect_arr_eq(w.seen[0].datagram.octets, w.seen[1].datagram.octets,
		w.seen[0].datagram.length, "F28: octet for octet the same");
	world_fini(&w);
}

// The prefixes alone are in prefix64.c.
Test(client, F29_port_sets_or_prefixes_changed)
{
	struct pcp_prefix64 prefix = {.length = 12, .octets = {0x20, 1, 0xd, 0xb8}};
	struct pcp_message m = {.dialect = PCP_V2, .opcode = PCP_ANNOUNCE};
	struct postern_endpoint all = world_ip4(224, 0, 0, 1);
	struct postern_prefix64 p;
	uint8_t msg[PCP_MAX];
	struct before b;
	struct world w;
	size_t len;

	init(&w, &b);
	len = pcp_success_reply(msg, &m, 0, world_epoch(&w, &w.servers[0]));
	len = pcp_append_prefix64(msg, len, sizeof msg, &prefix);
	cr_expect(postern_client_receive(w.client, w.now, &w.servers[0].at[0], &all, msg, len));
	world_news(&w, POSTERN_PREFIXES);
	cr_expect(postern_client_prefix64(w.client, w.servers[0].id, 0, &p));
	expect_nothing(&w, "F29: for the prefixes alone");
	reboot(&w);
	notice(&w);
	expect_recovery(&w, &b, w.now, "F29: for port sets");
	world_fini(&w);
}

// Authentication (RFC 7652) is not spoken here: what the server says about it is told, and the
// mapping stays.
Test(client, F30_authentication_sessions_lost)
{
	struct before b;
	struct world w;

	init(&w, &b);
	w.servers[0].silent = true;
	postern_client_renew(w.client, 0, w.now);
	world_exchange(&w);
	{
		uint8_t msg[PCP_MAX];
		struct pcp_message m = w.servers[0].last;
		size_t len = pcp_encode_request(msg, sizeof msg, &m);

		msg[1] |= 0x80;
		msg[3] = 20;
		memset(msg + 8, 0, 16);
		msg[7] = 30;
		msg[10] = (uint8_t)(world_epoch(&w, &w.servers[0]) >> 8);
		msg[11] = (uint8_t)world_epoch(&w, &w.servers[0]);
		cr_expect(world_deliver(&w, &w.servers[0], msg, len));
	}
	cr_expect_eq(world_news(&w, POSTERN_REFUSED).result, 20);
	cr_expect_neq(world_fact(&w, 0, w.servers[0].id).expires_ns, POSTERN_NEVER, "F30");
	world_fini(&w);
}

Test(client, F31_icmp_port_unreachable)
{
	struct postern_client_options o = world_options(31);
	struct postern_mapping m = want_kept(0);
	struct world w;
	ns due;

	world_init_bare(&w, &o);
	world_add(&w, POSTERN_DHCP, 2);
	world_add(&w, POSTERN_ROUTER, 1);
	w.servers[0].deaf[0] = true;
	w.servers[1].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	w.n_seen = 0;
	due = postern_client_deadline(w.client);
	postern_client_unreachable(w.client, &w.servers[1].at[0], w.now);
	cr_expect_eq(postern_client_deadline(w.client), due, "F31: a single address");
	postern_client_unreachable(w.client, &w.servers[0].at[0], w.now);
	world_exchange(&w);
	cr_assert_eq(w.n_seen, 1);
	cr_expect_eq(w.seen[0].datagram.to.ip[15], 2, "F31: the next address at once");
	world_fini(&w);
}

Test(client, F32_the_default_route_flips)
{
	struct before b;
	struct world w;

	init(&w, &b);
	w.servers[0].silent = true;
	world_add(&w, POSTERN_ROUTER, 1);
	world_exchange(&w);
	cr_assert_eq(w.n_seen, N, "F32: the new router is asked");
	for (unsigned i = 0; i < N; i++) {
		unsigned port = w.seen[i].msg.internal_port;

		cr_expect_eq(w.seen[i].server, w.servers[1].id);
		cr_expect_not(pcp_nonce_eq(w.seen[i].msg.nonce, b.nonce[port - 8080]));
	}
	w.n_seen = 0;
	postern_client_moved(w.client, w.now + 10 * NS_PER_S);
	world_pass(&w, 12);
	cr_expect_geq(w.n_seen, 2, "F32: and the old one whether it is there");
	world_fini(&w);
}

// Two requests of ten thousand clients: never more in a tenth of a second than 5 s' worth allows.
Test(client, F33_a_crowd_reacts_to_one_announcement)
{
	unsigned tenths[60] = {0}, most = 0;

	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct postern_mapping m = want_kept(0);
		struct world w;
		ns start;

		world_init(&w, seed);
		world_map(&w, &m);
		world_pass(&w, 600);
		w.n_seen = 0;
		reboot(&w);
		start = w.now;
		world_announce(&w, &w.servers[0]);
		world_pass(&w, 6);
		cr_assert_eq(w.n_seen, 1);
		cr_assert_leq(w.seen[0].at - start, 5 * NS_PER_S);
		tenths[(w.seen[0].at - start) / (100 * NS_PER_MS)]++;
		world_fini(&w);
	}
	for (unsigned i = 0; i < 60; i++)
		most = most > tenths[i] ? most : tenths[i];
	cr_expect_lt(most, 80, "F33: %u of 2000 within a tenth of a second, 40 on average", most);
}
