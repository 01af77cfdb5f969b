// SPDX-License-Identifier: Apache-2.0
// One random operation at a time: what the book expects, what the tables do, what follows.
#include "operations.h"

// One draw a statement everywhere: compilers differ in the order within an initialiser, and one
// seed shall be one run with all of them.
struct nat_key random_key(struct model *m)
{
	struct nat_key key = {.realm = 1};

	key.host = HOST_0 + below(m, m->phase.hosts);
	key.port = (uint16_t)below(m, N_PORTS);
	key.protocol = (uint8_t)(NAT_UDP + below(m, NAT_PROTOCOLS));
	return key;
}

// Mostly one that exists.
struct nat_key some_key(struct model *m)
{
	if (m->book.n_live > 0 && !one_in(m, 4))
		return m->book.live[below(m, m->book.n_live)].key;
	return random_key(m);
}

// ---- packets ---------------------------------------------------------------------------------

struct recipe random_remote(struct model *m)
{
	uint32_t addr = 0xc6336400 + below(m, 8);

	return (struct recipe){addr, (uint16_t)(1 + below(m, 2))};
}

// Mostly one that this endpoint talks to.
static struct recipe some_remote(struct model *m, struct nat_key key)
{
	struct book *b = &m->book;
	uint32_t start = b->n_flows > 0 ? below(m, b->n_flows) : 0;

	for (uint32_t i = 0; i < b->n_flows && !one_in(m, 8); i++) {
		const struct flow *f = &b->flows[(start + i) % b->n_flows];
		if (key_eq(f->key, key))
			return (struct recipe){f->remote.addr,
				f->remote.port != 0 ? f->remote.port : (uint16_t)(1 + i % 2)};
	}
	return random_remote(m);
}

static uint8_t random_flags(struct model *m)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN, TCP_ACK, TCP_ACK, TCP_ACK,
		TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST};

	return flags[below(m, ARRAY_SIZE(flags))];
}

static bool pair_allows(struct book *b, ip4 host, struct recipe at, uint32_t n_blocks, ip4 paired)
{
	const struct pool *p = n_blocks > 0 ? book_pool(b, paired) : NULL;
	const struct portset *k = book_portset(b, at);

	return p == NULL || p->state != POOL_LIVE || b->policy[group_of(host)].pairing_soft ||
	       at.addr == paired || (k != NULL && k->owner == host);
}

static ip4 paired_address(const struct book *b, ip4 host)
{
	struct nat_subscriber_view view = {0};

	nat_subscriber_find(b->n, 1, host, &view);
	return view.external;
}

static bool begins_nothing(const struct nat_out *p)
{
	return p->key.protocol == NAT_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN;
}

// The miss path. What the tables do first, the book does first: an idled-out mapping makes place.
static void new_packet(struct model *m, struct nat_out *p)
{
	struct book *b = &m->book;
	ip4 host = p->key.host, paired = paired_address(b, host);
	uint32_t n_blocks = book_count_blocks(b, host);
	struct mapping *old = book_find(b, p->key);
	enum drop why =
		nat_create(b->n, &b->policy[group_of(host)], (uint8_t)group_of(host), p, b->now_s);

	b->drops[why]++;
	TRUTH(b, (why == DROP_TCP_NO_SESSION) == begins_nothing(p), "%s", drop_name(why));
	if (old != NULL) {
		book_end(b, old);
		n_blocks = 0; // his block, and his pair with it, may have gone meanwhile
	}
	book_reconcile_rests(b);
	if (why != DROP_NONE) {
		book_justify_drop(b, &p->key, why);
		return;
	}
	TRUTH(b, pair_allows(b, host, p->to, n_blocks, paired), "%08x", p->to.addr);
	book_send_first(b, book_make(b, p->key, p->to), p);
}

// Whether an error about a packet to that remote endpoint may come in, asked before the packet.
static void complaint(struct model *m, const struct mapping *to, const struct nat_in *p)
{
	struct book *b = &m->book;
	bool may = nat_may_complain(b->n, p->protocol, p->at, p->from);

	TRUTH(b, may == (to != NULL && book_may_complain(b, to, p->from)), "port %u", p->at.port);
	b->complaints += may;
}

static void packet_in(struct model *m, uint8_t protocol, struct recipe at)
{
	struct book *b = &m->book;
	struct mapping *fixed = book_find_static(b, protocol, at);
	struct mapping *to = book_find_at(b, protocol, at);
	struct nat_in p = {.at = at, .protocol = protocol};
	enum drop expected;
	bool hit;

	p.from = to != NULL ? some_remote(m, to->key) : random_remote(m);
	if (protocol == NAT_TCP)
		p.tcp_flags = random_flags(m);
	if (fixed == NULL)
		complaint(m, to, &p);
	expected = fixed != NULL ? DROP_NONE : book_admit(b, to, &p);
	hit = nat_find_in(b->n, &p, 1, b->now_s) == 1;
	b->kept_out[p.drop]++;
	TRUTH(b, p.drop == expected && hit == (expected == DROP_NONE), "port %u: %s, not %s",
		at.port, drop_name((enum drop)p.drop), drop_name(expected));
	b->filtered += expected == DROP_PCP_FILTER;
	if (!hit)
		return;
	TRUTH(b, key_eq(p.to, to ? to->key : fixed->key), "port %u", at.port);
	book_receive(b, to != NULL ? to : fixed, &p);
	if (to != NULL)
		to->replied = book_portset(b, at)->replied = true;
}

struct recipe random_external(struct model *m, unsigned group)
{
	const struct pool *p = &m->book.pools[group + N_GROUPS * below(m, N_POOL / N_GROUPS)];
	uint32_t ports = p->address.port_last - p->address.port_first + 9u;

	return (struct recipe){
		p->address.ip, (uint16_t)(p->address.port_first - 4 + below(m, ports))};
}

static void some_packet_in(struct model *m)
{
	struct book *b = &m->book;

	if (b->n_live > 0 && !one_in(m, 3)) {
		const struct mapping *to = &b->live[below(m, b->n_live)];
		packet_in(m, to->key.protocol, to->at);
	} else {
		unsigned group = below(m, N_GROUPS);
		uint8_t protocol = (uint8_t)(NAT_UDP + below(m, NAT_PROTOCOLS));
		packet_in(m, protocol, random_external(m, group));
	}
}

static void packet_out(struct model *m)
{
	struct book *b = &m->book;
	struct nat_out p = {.key = one_in(m, 2) ? some_key(m) : random_key(m)};
	struct mapping *old = book_find(b, p.key);
	enum drop expected, why = DROP_NONE;
	bool hit;

	p.remote = some_remote(m, p.key);
	if (p.key.protocol == NAT_TCP) {
		p.tcp_flags = random_flags(m);
		p.tcp_data = (uint8_t)below(m, 2);
	}
	hit = nat_find_out(b->n, &p, 1, b->now_s) == 1;
	if (old == NULL || (!book_is_leased(b, old) && !book_has_traffic(b, old))) {
		TRUTH(b, !hit, "port %u is not mapped, or idled out", p.key.port);
		new_packet(m, &p);
		old = book_find(b, p.key);
		if (old != NULL && below(m, 100) < m->phase.answers)
			packet_in(m, p.key.protocol, old->at);
		return;
	}
	if (!hit)
		why = nat_create(b->n, &b->policy[group_of(p.key.host)],
			(uint8_t)group_of(p.key.host), &p, b->now_s);
	b->drops[why]++;
	if (!hit && why == DROP_NONE) { // answered meanwhile: only the miss path looks
		uint32_t shortest_s = min_u32(b->timers.udp_initial, b->timers.udp_unanswered);
		TRUTH(b, p.key.protocol == NAT_UDP && b->now_s - old->sent_s > shortest_s,
			"port %u", p.key.port);
	}
	expected = book_send(b, old, &p);
	TRUTH(b, why == expected, "%s, not %s", drop_name(why), drop_name(expected));
	TRUTH(b, why != DROP_NONE || recipe_eq(p.to, old->at), "port %u was %u", p.to.port,
		old->at.port);
	TRUTH(b, b->used == b->n->session_used, "%u, not %u", b->n->session_used, b->used);
}

// ---- time ------------------------------------------------------------------------------------

void settle(struct book *b)
{
	while (nat_step(b->n, b->now_s)) {
		if (b->n->n_draining > 0) // what moved may also end, a portion later
			book_reconcile(b);
	}
	book_reconcile(b);
	book_read_updates(b);
	book_check_settled(b);
	b->settled_s = b->now_s;
}

static void pass_time(struct model *m)
{
	struct book *b = &m->book;
	uint32_t seconds = 1 + below(m, 3);

	if (b->now_s - b->settled_s > 1000)
		settle(b);
	if (one_in(m, 20))
		seconds = 1 + below(m, 300);
	if (one_in(m, 400)) { // hours, in which the background never ran
		settle(b);
		seconds = 1 + below(m, 30000);
	}
	b->now_s += seconds;
	if (one_in(m, 2))
		settle(b);
}

static void one_step(struct model *m)
{
	nat_step(m->book.n, m->book.now_s);
	book_reconcile(&m->book);
}

void new_phase(struct model *m)
{
	static const uint32_t hurry[] = {0, 2000, 200, 20, 3};

	m->phase.hurry = hurry[below(m, ARRAY_SIZE(hurry))];
	m->phase.hosts = one_in(m, 3) ? 2 + below(m, 4) : N_HOSTS;
	m->phase.requests = below(m, 60);
	m->phase.peers = one_in(m, 2) ? below(m, 50) : 0;
	m->phase.sets = one_in(m, 2) ? below(m, 50) : 0;
	m->phase.pool = one_in(m, 3) ? 5 : 40;
	m->phase.removals = below(m, 30);
	m->phase.answers = one_in(m, 3) ? 0 : below(m, 101);
	for (unsigned g = 0; g < N_GROUPS; g++) {
		struct nat_policy *p = &m->book.policy[g];

		p->port_set_size = g ? 64 : 4;
		p->block_limit = (uint16_t)(1 + below(m, one_in(m, 2) ? 3 : 40));
		p->port_limit = one_in(m, 2) ? 0 : 1 + below(m, 30);
		p->lease_limit = 1 + below(m, 60);
		p->filter_limit = (uint16_t)below(m, N_FILTERS + 1);
		p->pairing_soft = one_in(m, 2);
		p->session_limit = one_in(m, 2) ? 0 : 1 + below(m, 12);
		p->inbound_refresh = one_in(m, 4);
		p->tcp_reopen = one_in(m, 2);
		p->rst_in_fin = one_in(m, 2);
		for (unsigned i = 0; i < NAT_PROTOCOLS; i++)
			p->filtering[i] = (uint8_t)(one_in(m, 2) ? NAT_EIF : below(m, 3));
		nat_set_policy(m->book.n, (uint8_t)g, p);
	}
	while (step_review(m->book.n))
		;
	for (uint32_t i = 0; i < m->book.n_live; i++)
		book_update_plain(&m->book, &m->book.live[i]);
}

static void operate_on_leases(struct model *m)
{
	if (below(m, 100) < m->phase.removals)
		end_lease(m);
	else if (below(m, 100) < m->phase.peers)
		request_peer(m);
	else
		request_map(m);
}

static void operate_as_operator(struct model *m)
{
	if (one_in(m, m->phase.pool))
		change_pool(m);
	else if (one_in(m, 40))
		clear_subscriber(m);
	else if (one_in(m, 20))
		change_static(m);
	else if (one_in(m, 20))
		pair_host(m);
	else if (below(m, 100) < m->phase.removals)
		delete_mapping(m);
	else if (one_in(m, 10))
		look_over(m);
	else
		one_step(m);
}

void operate(struct model *m)
{
	m->book.used = m->book.n->session_used;
	if (one_in(m, m->phase.hurry))
		pass_time(m);
	else if (one_in(m, 8))
		operate_as_operator(m);
	else if (below(m, 100) < m->phase.requests)
		operate_on_leases(m);
	else if (one_in(m, 4))
		some_packet_in(m);
	else
		packet_out(m);
	book_check_gauges(&m->book);
}
