// SPDX-License-Identifier: Apache-2.0
// The mappings against their naive twin (book.h): a million random operations in virtual time on
// tables so small that something is always full. One seed is one run:
//
//	nat_model --seed 7 --operations 20000000
#include <stdio.h>
#include <stdlib.h>

#include "operations.h"
#include "recount.h"

enum {
	PHASE = 3000, // operations
	AUDIT = 4096
};

static const struct nat_limits LIMITS = {.mappings = 400,
	.leases = 128,
	.filters = 24,
	.sessions = 120,
	.descriptions = 12,
	.subscribers = 40,
	.addresses = 4,
	.port_set_min = 4};

// ---- the world -------------------------------------------------------------------------------

static void add_static(
	struct book *b, unsigned i, unsigned group, uint8_t protocol, uint16_t external)
{
	struct mapping *m = &b->statics[i];

	*m = (struct mapping){.key = {.host = HOST_0 + 100 + group,
				      .port = (uint16_t)(1000 + i),
				      .realm = 1,
				      .protocol = protocol},
		.at = {POOL_0 + group, external}};
	book_count_static(b, protocol, m->at, 1);
	TRUTH(b, nat_static_add(b->n, &m->key, m->at, false, b->now_s) == 0, "static %u", i);
}

// Four of the static mappings leave a block without a UDP port to give.
static void add_statics(struct book *b)
{
	for (unsigned i = 0; i < 4; i++)
		add_static(b, i, 0, NAT_UDP, (uint16_t)(5280 + i));
	add_static(b, 4, 0, NAT_TCP, 80);
	add_static(b, 5, 1, NAT_UDP, 2100);
}

static void random_timers(struct model *m)
{
	struct nat_timers *t = &m->book.timers;

	t->udp = (uint16_t)(120 + below(m, 400));
	t->udp_initial = (uint16_t)(60 + below(m, 60)); // never longer than when answered
	t->udp_unanswered = (uint16_t)(20 + below(m, 200));
	t->tcp_idle = 7440;
	t->tcp_trans_open = 240;
	t->tcp_trans_close = (uint16_t)(10 + below(m, 300));
	t->tcp_rst = (uint16_t)(10 + below(m, 300));
	t->n_ports = 1;
	t->ports[0] = (struct nat_port_timer){1, 15};
	t->icmp = 60;
	t->hold_down = (uint16_t)below(m, 200);
	t->pcp_hold_down = (uint16_t)below(m, 200);
}

static void *open_model(struct model *m, uint64_t seed)
{
	size_t size = nat_size(&LIMITS);
	void *mem = aligned_alloc(CACHE_LINE, size);
	struct book *b = &m->book;
	struct rng r;

	if (mem == NULL)
		exit(1);
	memset(mem, 0, size);
	rng_init_u64(&m->rng, seed);
	rng_init_u64(&r, ~seed);
	b->seed = seed;
	b->now_s = b->settled_s = 1 + below(m, 100000);
	random_timers(m);
	book_open(b, nat_init(mem, &LIMITS, &r, b->now_s), &LIMITS);
	nat_set_timers(b->n, &b->timers);
	b->n->rest_room = 100; // so that the list of resting ports is full now and then
	for (unsigned i = 0; i < 3; i++) {
		TRUTH(b, nat_address_add(b->n, &b->pools[i].address) == 0, "address %u", i);
		b->pools[i].state = POOL_LIVE;
	}
	add_statics(b);
	book_check_gauges(b);
	return mem;
}

// ---- audits ----------------------------------------------------------------------------------

struct audit {
	struct book *book;
	uint32_t mappings, statics;
};

static uint32_t left_s(const struct book *b, uint32_t over_s)
{
	return over_s > b->now_s + 1 ? over_s - b->now_s - 1 : 0;
}

static void check_lease(struct book *b, const struct mapping *m, const struct nat_view *view)
{
	TRUTH(b, view->lease_left_s == left_s(b, m->over_s), "%u s", view->lease_left_s);
	TRUTH(b, view->nonce[0] == m->nonce, "nonce %u", view->nonce[0]);
	TRUTH(b, view->n_ports == book_count_set(b, m), "%u ports", view->n_ports);
	TRUTH(b, view->exact == m->exact && view->moved == m->moved, "port %u", m->at.port);
	TRUTH(b, view->n_filters == m->n_filters, "%u filters", view->n_filters);
	TRUTH(b, view->text_length == m->text_length, "%u octets", view->text_length);
}

// A set pairs its ports in order, inside one block.
static void check_sets(struct book *b)
{
	for (uint32_t i = 0; i < b->n_live; i++) {
		const struct mapping *m = &b->live[i];
		struct nat_key key = m->key;
		const struct mapping *first;

		key.port = (uint16_t)(key.port - m->set_at);
		first = m->set != 0 ? book_find(b, key) : m;
		TRUTH(b, first != NULL && first->set == m->set && m->set_at < 64, "port %u",
			key.port);
		TRUTH(b, m->at.port == first->at.port + m->set_at, "port %u", m->at.port);
		TRUTH(b, book_portset(b, m->at) == book_portset(b, first->at), "port %u",
			m->at.port);
	}
}

static void check_peers(struct book *b)
{
	for (uint32_t i = 0; i < b->n_peers; i++) {
		const struct peer *p = &b->peers[i];
		const struct mapping *m = book_find(b, p->key);
		struct nat_view view;

		nat_peer_look(b->n, &p->key, p->remote, b->now_s, &view);
		TRUTH(b, view.kind == NAT_PEER && m != NULL, "port %u", p->key.port);
		TRUTH(b, recipe_eq(view.external, m->at), "port %u", m->at.port);
		TRUTH(b, recipe_eq(view.remote, p->remote), "port %u", p->remote.port);
		TRUTH(b, view.lease_left_s == left_s(b, p->over_s), "%u s", view.lease_left_s);
		TRUTH(b, view.nonce[0] == p->nonce && view.moved == p->moved, "%u", p->nonce);
		TRUTH(b, view.text_length == p->text_length, "%u octets", view.text_length);
	}
}

static uint32_t longest_peer_s(const struct book *b, struct nat_key key)
{
	uint32_t longest_s = 0;

	for (uint32_t i = 0; i < b->n_peers; i++) {
		if (key_eq(b->peers[i].key, key))
			longest_s = max_u32(longest_s, left_s(b, b->peers[i].over_s));
	}
	return longest_s;
}

static bool see_lease(void *ctx, const struct nat_view *view)
{
	uint32_t *ports = ctx;

	*ports += view->n_ports;
	return true;
}

static bool see_mapping(void *ctx, const struct nat_view *view)
{
	struct audit *a = ctx;
	struct book *b = a->book;
	const struct mapping *m = book_find(b, view->key);
	uint32_t idle_left_s = 0;

	if (view->kind == NAT_STATIC) {
		TRUTH(b, book_find_static(b, view->key.protocol, view->external) != NULL, "port %u",
			view->external.port);
		a->statics++;
		return true;
	}
	TRUTH(b, m != NULL, "port %u", view->key.port);
	book_traffic_left(b, m, &idle_left_s);
	TRUTH(b, recipe_eq(view->external, m->at), "port %u", m->at.port);
	TRUTH(b,
		view->kind == (m->lease                      ? NAT_EXPLICIT
				      : book_is_leased(b, m) ? NAT_PEER
							     : NAT_IMPLICIT),
		"kind %u", view->kind);
	TRUTH(b, view->group == group_of(m->key.host), "group %u", view->group);
	TRUTH(b, view->replied == m->replied, "port %u", m->at.port);
	TRUTH(b, view->traffic == book_has_traffic(b, m), "port %u", m->at.port);
	TRUTH(b, view->idle_left_s == idle_left_s, "%u, not %u", view->idle_left_s, idle_left_s);
	if (m->lease)
		check_lease(b, m, view);
	else
		TRUTH(b, view->lease_left_s == longest_peer_s(b, m->key), "port %u", m->at.port);
	a->mappings += book_count_set(b, m);
	return true;
}

static bool see_subscriber(void *ctx, const struct nat_subscriber_view *view)
{
	struct book *b = ((struct audit *)ctx)->book;
	ip4 host = view->host;
	uint32_t cursor = 0, ports = 0;

	if (host >= HOST_0 + N_HOSTS)
		return true; // he of the static mappings
	for (uint8_t protocol = NAT_UDP; protocol <= NAT_ICMP; protocol++)
		TRUTH(b, view->n_ports[protocol - 1] == book_count_ports(b, host, protocol),
			"host %08x", host);
	TRUTH(b, view->n_leases == book_count_leases(b, host), "host %08x", host);
	TRUTH(b, view->n_blocks == book_count_blocks(b, host), "host %08x", host);
	while (!nat_lease_walk(b->n, 1, host, &cursor, 3, b->now_s, see_lease, &ports))
		;
	TRUTH(b, ports == view->n_leases, "host %08x: %u, not %u", host, ports, view->n_leases);
	return true;
}

static void audit(struct book *b)
{
	struct audit a = {.book = b};
	char text[RECOUNT_TEXT];
	uint32_t cursor = 0;

	TRUTH(b, recount(b->n, text), "%s", text);
	while (!nat_walk_mappings(b->n, &cursor, 100, b->now_s, see_mapping, &a))
		;
	TRUTH(b, a.mappings == b->n_live && a.statics == b->n_statics, "%u seen", a.mappings);
	check_sets(b);
	check_peers(b);
	book_audit_flows(b);
	cursor = 0;
	while (!nat_walk_subscribers(b->n, &cursor, 10, see_subscriber, &a))
		;
	for (ip4 host = HOST_0; host < HOST_0 + N_HOSTS; host++)
		book_check_epoch(b, host);
}

// After nine days without a packet everything is back to zero.
static void end_of_time(struct book *b)
{
	const struct nat_counters *c = nat_counters(b->n);
	uint32_t remembered = 0;

	for (unsigned i = N_STATICS; i < ARRAY_SIZE(b->statics); i++) {
		struct mapping *s = &b->statics[i];
		if (s->key.protocol == 0)
			continue;
		TRUTH(b, nat_delete(b->n, &s->key, b->now_s), "static %u", i);
		book_count_static(b, s->key.protocol, s->at, -1);
		book_end_flows(b, s->key);
		*s = (struct mapping){0};
	}
	for (unsigned hour = 0; hour < 9 * 24; hour++) {
		b->now_s += 3600;
		settle(b);
	}
	audit(b);
	for (ip4 host = HOST_0; host < HOST_0 + N_HOSTS; host++)
		remembered += nat_epoch_base(b->n, 1, host) != 0;
	TRUTH(b, b->n_live == 0 && b->n_rests == 0, "%u live, %u rest", b->n_live, b->n_rests);
	TRUTH(b, c->mappings == N_STATICS && c->leases == N_STATICS, "%u", (unsigned)c->mappings);
	TRUTH(b, c->filters == 0 && c->descriptions == 0, "%u", (unsigned)c->filters);
	TRUTH(b, c->resting == 0 && c->blocks == 0, "%u blocks", (unsigned)c->blocks);
	TRUTH(b, c->subscribers == remembered + 2, "%u", (unsigned)c->subscribers);
	for (uint32_t a = 0; a < b->n->n_addresses; a++)
		TRUTH(b, b->n->addresses[a].n_ports <= N_STATICS, "address %u", a);
}

// ---- the program -----------------------------------------------------------------------------

// A run of this length that never met a full list or a quota would prove little.
static void check_worth(struct book *b)
{
	static const enum drop met[] = {DROP_TABLE_FULL, DROP_SUBSCRIBERS_FULL, DROP_QUOTA_PORTS,
		DROP_QUOTA_BLOCKS, DROP_NO_BLOCK, DROP_POOL_NO_ADDRESS, DROP_POOL_NO_PORT,
		DROP_TCP_NO_SESSION, DROP_SESSIONS_FULL, DROP_QUOTA_SESSIONS};
	static const enum drop kept_out[] = {DROP_NO_MAPPING_INBOUND, DROP_UNSOLICITED_SYN,
		DROP_FILTERED_ADF, DROP_FILTERED_APDF, DROP_PCP_FILTER};
	const struct nat_counters *c = nat_counters(b->n);

	for (unsigned i = 0; i < ARRAY_SIZE(met); i++)
		TRUTH(b, b->drops[met[i]] > 0, "%s", drop_name(met[i]));
	for (unsigned i = 0; i < ARRAY_SIZE(b->grants); i++)
		TRUTH(b, b->grants[i] > 0, "answer %u", i);
	TRUTH(b, b->revived > 0 && b->adopted > 0 && b->honoured > 0, "requests");
	TRUTH(b, b->sets_made > 0 && b->sets_cut > 0 && b->sets_moved > 0, "sets");
	TRUTH(b, b->peers_made > 0 && b->peers_adopted > 0 && b->closed > 0, "PEER leases");
	TRUTH(b, b->filtered > 0 && b->moved > 0 && b->lost > 0 && b->paired > 0, "the rest");
	TRUTH(b, b->operators_evicted > 0, "the operator's");
	for (unsigned i = NAT_I_INIT; i < NAT_STATES; i++)
		TRUTH(b, b->states[i] > 0, "state %u", i);
	for (unsigned i = 0; i < ARRAY_SIZE(kept_out); i++)
		TRUTH(b, b->kept_out[kept_out[i]] > 0, "%s", drop_name(kept_out[i]));
	TRUTH(b, b->unrecorded > 0 && b->complaints > 0, "sessions");
	TRUTH(b, c->hold_down_early > 0 && c->became_implicit > 0 && c->explicit_expired > 0,
		"ends");
	TRUTH(b, b->n->probe_max > 0, "lines");
}

static void print_run(const struct book *b, uint64_t operations)
{
	const struct nat_counters *c = nat_counters(b->n);

	printf("seed %llu, %llu operations, %u virtual seconds\n", (unsigned long long)b->seed,
		(unsigned long long)operations, b->now_s);
	for (unsigned i = 0; i < DROP_COUNT; i++) {
		if (b->drops[i] != 0)
			printf("  %-24s %llu\n", i ? drop_name((enum drop)i) : "made",
				(unsigned long long)b->drops[i]);
	}
	printf("  granted %llu, not exactly %llu, quota %llu, no resources %llu, filters %llu\n",
		(unsigned long long)b->grants[0], (unsigned long long)b->grants[1],
		(unsigned long long)b->grants[2], (unsigned long long)b->grants[3],
		(unsigned long long)b->grants[4]);
#define X(name, sentence) printf("  %-24s %llu\n", #name, (unsigned long long)c->name);
	NAT_COUNTERS(X)
#undef X
}

static bool read_arguments(int argc, char **argv, uint64_t *seed, uint64_t *operations)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			*seed = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--operations") == 0)
			*operations = strtoull(argv[i + 1], NULL, 0);
		else
			return false;
	}
	return argc % 2 == 1;
}

int main(int argc, char **argv)
{
	static struct model m;
	uint64_t seed = 4787, operations = 1000000;
	void *mem;

	if (!read_arguments(argc, argv, &seed, &operations)) {
		fprintf(stderr, "Usage: %s [--seed N] [--operations N]\n", argv[0]);
		return 2;
	}
	mem = open_model(&m, seed);
	for (uint64_t i = 0; i < operations; i++) {
		m.book.operation = i;
		if (i % PHASE == 0)
			new_phase(&m);
		operate(&m);
		if (i % AUDIT == 0)
			audit(&m.book);
	}
	settle(&m.book);
	end_of_time(&m.book);
	if (operations >= 1000000)
		check_worth(&m.book);
	print_run(&m.book, operations);
	free(mem);
	return 0;
}
