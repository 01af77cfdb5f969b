// SPDX-License-Identifier: Apache-2.0
#include "twins.h"

enum {
	CLIENTS = 32 // fewer than hosts: some are forgotten
};

// ---- two worlds ------------------------------------------------------------------------------

static struct server_clients *clients_open(void)
{
	void *mem = aligned_alloc(CACHE_LINE, server_clients_size(CLIENTS));
	struct rng seed;

	cr_assert_not_null(mem);
	rng_init_u64(&seed, 6887);
	return server_clients_init(mem, CLIENTS, &seed);
}

static const struct nat_limits LIMITS = {.mappings = 700,
	.leases = 400,
	.filters = 64,
	.sessions = 256,
	.descriptions = 16,
	.subscribers = 64,
	.addresses = 4,
	.port_set_min = 64};
static const struct nat_timers TIMERS = {.udp = 300,
	.udp_initial = 300,
	.udp_unanswered = 120,
	.tcp_idle = 7440,
	.tcp_trans_open = 240,
	.tcp_trans_close = 240,
	.tcp_rst = 4,
	.icmp = 60,
	.hold_down = 120,
	.pcp_hold_down = 120};

void twins_add_address(struct twins *t, ip4 ip)
{
	struct nat_address a = {.ip = ip,
		.group = ip == SMALL_IP ? SMALL_GROUP : 0,
		.port_first = 1024,
		.port_last = ip == SMALL_IP ? 1024 + SMALL_BLOCKS * 64 - 1 : 32767,
		.port_set_size = 64,
		.explicit_first = TWINS_EXPLICIT,
		.explicit_last = TWINS_EXPLICIT + 100};

	cr_assert_eq(nat_address_add(t->quick.nat, &a), nat_address_add(t->slow.nat, &a));
}

static void open_one(struct world *w)
{
	size_t size = nat_size(&LIMITS);
	struct rng seed;

	world_open(w);
	free(w->mem);
	w->mem = aligned_alloc(CACHE_LINE, size);
	cr_assert_not_null(w->mem);
	memset(w->mem, 0, size);
	rng_init_u64(&seed, 6887);
	w->nat = nat_init(w->mem, &LIMITS, &seed, w->now_s);
	nat_set_timers(w->nat, &TIMERS);
	w->policy.early_delete = true;
	w->nat_policy.port_set_size = 64;
	w->nat_policy.log_mappings = true;
}

void twins_publish(struct twins *t)
{
	t->slow.policy = t->quick.policy;
	t->slow.nat_policy = t->quick.nat_policy;
	for (uint8_t g = 0; g <= SMALL_GROUP; g++) {
		nat_set_policy(t->quick.nat, g, &t->quick.nat_policy);
		nat_set_policy(t->slow.nat, g, &t->slow.nat_policy);
	}
}

void twins_open(struct twins *t)
{
	*t = (struct twins){.answered = 0};
	open_one(&t->quick);
	open_one(&t->slow);
	twins_publish(t);
	twins_add_address(t, POOL_IP);
	twins_add_address(t, SECOND_IP);
	twins_add_address(t, SMALL_IP);
	t->clients[0] = clients_open();
	t->clients[1] = clients_open();
}

void twins_close(struct twins *t)
{
	world_close(&t->quick);
	world_close(&t->slow);
	free(t->clients[0]);
	free(t->clients[1]);
}

void twins_pass(struct twins *t, uint32_t seconds)
{
	world_pass(&t->quick, seconds);
	world_pass(&t->slow, seconds);
}

// ---- what must be equal ----------------------------------------------------------------------

static bool recipe_eq(struct recipe a, struct recipe b)
{
	return a.addr == b.addr && a.port == b.port;
}

static bool key_eq(struct nat_key a, struct nat_key b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

bool twins_view_eq(const struct nat_view *a, const struct nat_view *b)
{
	return key_eq(a->key, b->key) && recipe_eq(a->external, b->external) &&
	       a->kind == b->kind && a->group == b->group && a->replied == b->replied &&
	       a->traffic == b->traffic && a->idle_left_s == b->idle_left_s &&
	       a->lease_left_s == b->lease_left_s &&
	       memcmp(a->nonce, b->nonce, sizeof a->nonce) == 0 && a->has_nonce == b->has_nonce &&
	       a->client == b->client && a->client_port == b->client_port &&
	       a->client_realm == b->client_realm && a->dialect == b->dialect &&
	       a->third_party == b->third_party && a->exact == b->exact &&
	       a->operators == b->operators && a->moved == b->moved && a->n_ports == b->n_ports &&
	       a->n_filters == b->n_filters && a->text_length == b->text_length &&
	       recipe_eq(a->remote, b->remote);
}

static bool event_eq(const struct nat_event *a, const struct nat_event *b)
{
	return a->kind == b->kind && a->group == b->group && a->mapping == b->mapping &&
	       key_eq(a->key, b->key) && recipe_eq(a->external, b->external) &&
	       a->last_port == b->last_port && recipe_eq(a->remote, b->remote) &&
	       a->lifetime_s == b->lifetime_s && a->limit == b->limit;
}

static void expect_same_events(struct twins *t)
{
	struct nat_event a, b;

	while (nat_event_next(t->quick.nat, &a)) {
		cr_assert(
			nat_event_next(t->slow.nat, &b), "only the short way tells of %u", a.kind);
		cr_assert(event_eq(&a, &b), "events %u and %u", a.kind, b.kind);
	}
	cr_assert_not(nat_event_next(t->slow.nat, &b), "only the long way tells of %u", b.kind);
}

static void expect_same_nat_counters(const struct twins *t)
{
	const struct nat_counters *a = nat_counters(t->quick.nat), *b = nat_counters(t->slow.nat);

#define X(name, sentence)                                                                          \
	cr_assert_eq(a->name, b->name, #name ": short %lu, long %lu", (unsigned long)a->name,      \
		(unsigned long)b->name);
	NAT_COUNTERS(X)
	NAT_GAUGES(X)
#undef X
	for (uint8_t g = 0; g <= SMALL_GROUP; g++)
		cr_assert_eq(memcmp(nat_group_counters(t->quick.nat, g),
				     nat_group_counters(t->slow.nat, g),
				     sizeof(struct nat_group_counters)),
			0, "counters of group %u", g);
}

static void expect_same_server_counters(const struct twins *t)
{
	const struct server_counters *a = &t->quick.counters, *b = &t->slow.counters;

#define X(name, sentence)                                                                          \
	cr_assert_eq(a->name, b->name, #name ": short %lu, long %lu", (unsigned long)a->name,      \
		(unsigned long)b->name);
	SERVER_COUNTERS(X)
#undef X
	cr_assert_eq(memcmp(a->results, b->results, sizeof a->results), 0, "results");
	cr_assert_eq(memcmp(a->opcodes, b->opcodes, sizeof a->opcodes), 0, "opcodes");
	cr_assert_eq(memcmp(a->options, b->options, sizeof a->options), 0, "options");
	cr_assert_eq(memcmp(a->dialects, b->dialects, sizeof a->dialects), 0, "dialects");
}

static bool client_eq(const struct server_client *a, const struct server_client *b)
{
	return a->address == b->address && a->realm == b->realm && a->group == b->group &&
	       a->dialect == b->dialect && a->port == b->port && a->server == b->server &&
	       a->requests == b->requests && a->refused == b->refused && a->guest == b->guest &&
	       a->epoch_base_s == b->epoch_base_s && a->holds_until_s == b->holds_until_s &&
	       a->seen_s == b->seen_s && a->request_full == b->request_full &&
	       a->probe_full == b->probe_full;
}

void twins_expect_same_clients(const struct twins *t)
{
	for (uint32_t i = 0; i < TWINS_HOSTS; i++) {
		const struct server_client *a = server_client_find(t->clients[0], 1, CLIENT_IP + i);
		const struct server_client *b = server_client_find(t->clients[1], 1, CLIENT_IP + i);

		cr_assert_eq(a == NULL, b == NULL, "client %u", i);
		cr_assert(a == NULL || client_eq(a, b), "client %u", i);
	}
}

// Whatever stands or rests at any port that was ever asked for.
void twins_expect_same_mappings(const struct twins *t)
{
	for (uint32_t i = 0; i < TWINS_HOSTS * TWINS_PORTS * 2; i++) {
		struct nat_key key =
			world_key(CLIENT_IP + i / 2 / TWINS_PORTS, i % 2 ? NAT_TCP : NAT_UDP,
				(uint16_t)(TWINS_FIRST_PORT + i / 2 % TWINS_PORTS));
		struct nat_view a, b;

		nat_lease_look(t->quick.nat, &key, t->quick.now_s, &a);
		nat_lease_look(t->slow.nat, &key, t->slow.now_s, &b);
		cr_assert(twins_view_eq(&a, &b), "host %u, port %u: %u and %u", i / 2 / TWINS_PORTS,
			key.port, a.kind, b.kind);
	}
}

static void expect_same(struct twins *t)
{
	expect_same_server_counters(t);
	expect_same_nat_counters(t);
	expect_same_events(t);
}

// ---- one request, both ways ------------------------------------------------------------------

static void admit(
	struct world *w, struct server_clients *clients, const struct ask *a, bool expects)
{
	struct server_client *client =
		expects ? server_client_expect(clients, a->asker.realm, a->asker.source) : NULL;

	cr_assert(server_client_admit(clients, &w->policy, a->asker.realm, a->asker.source,
		w->now_s * NS_PER_S, &client));
	w->asker = a->asker;
	w->asker.client = client;
}

static bool may_create(const struct world *w, const struct ask *a)
{
	return a->newcomers || !nat_is_new_subscriber(w->nat, w->asker.realm, w->asker.source);
}

// As the shard does it: whether something new may be made is not even asked before it must be.
static enum drop ask_quick(struct twins *t, const struct ask *a, size_t *reply_len)
{
	struct world *w = &t->quick;
	enum server_plain plain;

	admit(w, t->clients[0], a, true);
	w->asker.may_create = false;
	plain = server_answer_known(
		w->nat, &w->policy, &w->asker, w->msg, w->len, w->now_s, &w->counters);
	*reply_len = w->len;
	w->n_more = 0;
	if (plain == SERVER_PLAIN_ANSWERED) {
		t->answered++;
		return DROP_NONE;
	}
	w->asker.may_create = may_create(w, a);
	if (plain == SERVER_PLAIN_NEW && server_answer_new(w->nat, &w->nat_policy, &w->policy,
						 &w->asker, w->msg, w->now_s, &w->counters)) {
		t->made++;
		return DROP_NONE;
	}
	t->declined++;
	return world_ask(w, reply_len);
}

static enum drop ask_slow(struct twins *t, const struct ask *a, size_t *reply_len)
{
	struct world *w = &t->slow;

	admit(w, t->clients[1], a, false);
	w->asker.may_create = may_create(w, a);
	return world_ask(w, reply_len);
}

static void put_request(struct world *w, const struct ask *a)
{
	memset(w->msg, 0xee, sizeof w->msg);
	memcpy(w->msg, a->msg, a->len);
	w->len = a->len;
}

void twins_ask(struct twins *t, const struct ask *a)
{
	size_t quick_len = 0, slow_len = 0;
	enum drop quick, slow;

	put_request(&t->quick, a);
	put_request(&t->slow, a);
	quick = ask_quick(t, a, &quick_len);
	slow = ask_slow(t, a, &slow_len);
	cr_assert_eq(quick, slow, "dropped for %u and %u", quick, slow);
	cr_assert(client_eq(t->quick.asker.client, t->slow.asker.client));
	cr_assert_eq(t->quick.n_more, t->slow.n_more);
	for (unsigned i = 0; i < t->quick.n_more; i++)
		cr_assert(t->quick.more_len[i] == t->slow.more_len[i] &&
			  memcmp(t->quick.more[i], t->slow.more[i], t->slow.more_len[i]) == 0);
	if (quick == DROP_NONE) {
		cr_assert_eq(quick_len, slow_len, "%zu and %zu octets", quick_len, slow_len);
		for (size_t i = 0; i < slow_len; i++)
			cr_assert_eq(t->quick.msg[i], t->slow.msg[i],
				"octet %zu of %zu: %02x and %02x, result %u", i, slow_len,
				t->quick.msg[i], t->slow.msg[i], t->slow.msg[3]);
	}
	expect_same(t);
}
