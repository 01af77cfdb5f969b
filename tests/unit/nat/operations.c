// SPDX-License-Identifier: Apache-2.0
// One random operation at a time: what the book expects, what the tables do, what follows.
#include "operations.h"

static bool one_in(struct model *m, uint32_t n)
{
	return n > 0 && below(m, n) == 0;
}

// One draw a statement everywhere: compilers differ in the order within an initialiser, and one
// seed shall be one run with all of them.
static struct nat_key random_key(struct model *m)
{
	struct nat_key key = {.realm = 1};

	key.host = HOST_0 + below(m, m->phase.hosts);
	key.port = (uint16_t)below(m, N_PORTS);
	key.protocol = (uint8_t)(NAT_UDP + below(m, NAT_PROTOCOLS));
	return key;
}

// Mostly one that exists.
static struct nat_key some_key(struct model *m)
{
	if (m->book.n_live > 0 && !one_in(m, 4))
		return m->book.live[below(m, m->book.n_live)].key;
	return random_key(m);
}

// ---- packets ---------------------------------------------------------------------------------

static void note_sent(struct book *b, struct mapping *m, uint8_t flags, uint8_t data, bool first)
{
	m->sent_s = b->now_s;
	if (flags & (TCP_FIN | TCP_RST))
		m->tcp = CLOSING;
	else if (first)
		m->tcp = OPENING;
	else if (flags & TCP_SYN)
		m->tcp = m->tcp == CLOSING ? OPENING : m->tcp;
	else if (m->tcp == OPENING || data)
		m->tcp = ESTABLISHED;
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
	note_sent(b, book_make(b, p->key, p->to), p->tcp_flags, p->tcp_data, true);
}

static void packet_in(struct model *m, uint8_t protocol, struct recipe at)
{
	struct book *b = &m->book;
	struct nat_in p = {.at = at, .protocol = protocol};
	bool hit = nat_find_in(b->n, &p, 1) == 1;
	struct mapping *to = book_find_at(b, protocol, at);
	const struct mapping *fixed = book_find_static(b, protocol, at);

	TRUTH(b, hit == (to != NULL || fixed != NULL), "port %u", at.port);
	if (!hit)
		return;
	TRUTH(b, key_eq(p.to, to ? to->key : fixed->key), "port %u", at.port);
	if (to != NULL)
		to->replied = book_portset(b, at)->replied = true;
}

static struct recipe random_external(struct model *m, unsigned group)
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

static uint8_t random_flags(struct model *m)
{
	static const uint8_t flags[] = {
		TCP_SYN, TCP_SYN, TCP_ACK, TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST};

	return flags[below(m, ARRAY_SIZE(flags))];
}

static void packet_out(struct model *m)
{
	struct book *b = &m->book;
	struct nat_out p = {.key = one_in(m, 2) ? some_key(m) : random_key(m)};
	struct mapping *old = book_find(b, p.key);
	bool hit;

	if (p.key.protocol == NAT_TCP) {
		p.tcp_flags = random_flags(m);
		p.tcp_data = (uint8_t)below(m, 2);
	}
	hit = nat_find_out(b->n, &p, 1, b->now_s) == 1;
	if (old == NULL || (!old->lease && !book_has_traffic(b, old))) {
		TRUTH(b, !hit, "port %u is not mapped, or idled out", p.key.port);
		new_packet(m, &p);
		old = book_find(b, p.key);
		if (old != NULL && below(m, 100) < m->phase.answers)
			packet_in(m, p.key.protocol, old->at);
		return;
	}
	if (!hit) { // answered meanwhile: only the miss path looks
		uint32_t shortest_s = min_u32(b->timers.udp_initial, b->timers.udp_unanswered);
		TRUTH(b, p.key.protocol == NAT_UDP && b->now_s - old->sent_s > shortest_s,
			"port %u", p.key.port);
		TRUTH(b,
			nat_create(b->n, &b->policy[group_of(p.key.host)],
				(uint8_t)group_of(p.key.host), &p, b->now_s) == DROP_NONE,
			"port %u", p.key.port);
	}
	TRUTH(b, recipe_eq(p.to, old->at), "port %u was %u", p.to.port, old->at.port);
	note_sent(b, old, p.tcp_flags, p.tcp_data, false);
}

// ---- requests --------------------------------------------------------------------------------

static struct held *own_rest(struct book *b, const struct nat_wish *w, const struct recipe *at)
{
	for (uint32_t i = 0; i < b->n_rests; i++) {
		struct held *r = &b->rests[i];
		bool wished = r->at.port == w->suggested.port &&
			      (w->suggested.addr == 0 || w->suggested.addr == r->at.addr);
		if (r->lease && key_eq(r->key, w->key) && r->nonce == w->nonce[0] &&
			book_pool(b, r->at.addr)->state == POOL_LIVE && (!w->exact || wished) &&
			(at == NULL || recipe_eq(*at, r->at)))
			return r;
	}
	return NULL;
}

static void write_lease(struct book *b, struct mapping *l, const struct nat_wish *w)
{
	l->lease = true;
	l->nonce = w->nonce[0];
	l->over_s = b->now_s + w->lifetime_s + 1;
}

// The port of this very lease rested, and is his again. Out of hold-down; the block stays his.
static bool take_own_rest(struct book *b, const struct nat_wish *w, struct recipe at, bool *replied)
{
	struct held *r = own_rest(b, w, &at);

	if (r == NULL)
		return false;
	*replied = r->replied;
	book_portset(b, at)->n[w->key.protocol - 1]--; // book_make() counts it again
	book_remove_rest(b, r);
	b->revived++;
	return true;
}

static void granted_anew(
	struct book *b, const struct nat_wish *w, struct recipe at, enum answer suggestion)
{
	bool replied = false, revived = take_own_rest(b, w, at, &replied);
	struct mapping *l;

	book_reconcile_rests(b);
	TRUTH(b, revived || own_rest(b, w, NULL) == NULL, "port %u: not his own back", at.port);
	TRUTH(b, revived || b->leases_before < b->limits.leases, "%u leases", b->leases_before);
	TRUTH(b, book_count_leases(b, w->key.host) < b->policy[group_of(w->key.host)].lease_limit,
		"host %08x", w->key.host);
	if (!revived && suggestion == YES) {
		b->honoured++;
		TRUTH(b, w->suggested.port == 0 || at.port == w->suggested.port, "%u", at.port);
		TRUTH(b, w->suggested.addr == 0 || at.addr == w->suggested.addr, "%u", at.port);
	}
	TRUTH(b, !w->exact || at.port == w->suggested.port, "port %u, not exact", at.port);
	TRUTH(b, !w->exact || suggestion != NO || revived, "port %u", at.port);
	l = book_make(b, w->key, at);
	l->replied = replied;
	write_lease(b, l, w);
}

// Somebody's lease, or a resting one, says how long; nobody knows about the others.
static void check_time_left(struct book *b, const struct nat_wish *w, uint32_t left_s)
{
	struct recipe at = w->suggested;
	const struct pool *p;
	const struct mapping *l;
	const struct held *r;
	uint32_t known_s = 0;

	if (at.addr == 0 && book_count_blocks(b, w->key.host) == 0)
		return; // a newcomer: whose round it was is not in the book
	if (at.addr == 0)
		at.addr = paired_address(b, w->key.host);
	p = book_pool(b, at.addr);
	if (p->state != POOL_LIVE || p->address.group != group_of(w->key.host)) {
		TRUTH(b, left_s == 0, "%u s", left_s);
		return;
	}
	l = book_find_at(b, w->key.protocol, at);
	r = book_find_rest(b, w->key.protocol, at);
	if (l != NULL && l->lease)
		known_s = b->timers.pcp_hold_down +
			  (l->over_s > b->now_s + 1 ? l->over_s - b->now_s - 1 : 0);
	if (r != NULL && r->lease && b->timers.pcp_hold_down > b->now_s - r->since_s)
		known_s = b->timers.pcp_hold_down - (b->now_s - r->since_s);
	TRUTH(b, left_s == 0 || left_s == known_s, "%u s left, not %u", left_s, known_s);
	TRUTH(b, left_s != 0 || l == NULL || !l->lease, "not %u s", known_s);
}

static void judge_new_lease(struct book *b, const struct nat_wish *w, enum nat_grant grant,
	const struct nat_view *view, enum answer suggestion)
{
	const struct nat_policy *policy = &b->policy[group_of(w->key.host)];
	ip4 host = w->key.host;

	switch (grant) {
	case NAT_GRANTED:
		granted_anew(b, w, view->external, suggestion);
		break;
	case NAT_QUOTA:
		TRUTH(b,
			book_count_leases(b, host) >= policy->lease_limit ||
				(policy->port_limit != 0 &&
					book_count_ports(b, host, w->key.protocol) >=
						policy->port_limit) ||
				(book_count_blocks(b, host) >= policy->block_limit &&
					!book_has_free_port(b, host, w->key.protocol)),
			"host %08x", host);
		break;
	case NAT_NO_RESOURCES:
		book_justify_no_resources(b, &w->key);
		break;
	case NAT_CANNOT_EXACT:
		TRUTH(b, w->exact && suggestion != YES && own_rest(b, w, NULL) == NULL,
			"port %u could be had", w->suggested.port);
		check_time_left(b, w, view->lease_left_s);
		break;
	}
}

static void judge_old_mapping(struct book *b, const struct nat_wish *w, enum nat_grant grant,
	const struct nat_view *view, struct mapping *old)
{
	bool wished = old->at.port == w->suggested.port &&
		      (w->suggested.addr == 0 || old->at.addr == w->suggested.addr);
	uint32_t limit = b->policy[group_of(w->key.host)].lease_limit;

	switch (grant) {
	case NAT_GRANTED:
		TRUTH(b, !w->exact || wished, "port %u", old->at.port);
		TRUTH(b, recipe_eq(view->external, old->at), "port %u", old->at.port);
		TRUTH(b, view->lease_left_s == w->lifetime_s, "%u s", view->lease_left_s);
		TRUTH(b, old->lease || book_count_leases(b, w->key.host) < limit, "%u", limit);
		b->adopted += !old->lease;
		write_lease(b, old, w);
		break;
	case NAT_CANNOT_EXACT:
		TRUTH(b, w->exact && !wished && view->lease_left_s == 0, "%u", old->at.port);
		break;
	case NAT_QUOTA:
		TRUTH(b, !old->lease && book_count_leases(b, w->key.host) >= limit, "%u", limit);
		break;
	case NAT_NO_RESOURCES:
		TRUTH(b, !old->lease && b->leases_before >= b->limits.leases, "host %08x",
			w->key.host);
		break;
	}
}

static uint32_t random_lifetime(struct model *m)
{
	static const uint32_t most[] = {5, 60, 300, 3600, 20000, 7 * 86400};

	return below(m, most[below(m, ARRAY_SIZE(most))]);
}

static struct nat_wish random_wish(struct model *m)
{
	struct book *b = &m->book;
	struct nat_wish w = {0};

	w.key = one_in(m, 2) ? some_key(m) : random_key(m);
	w.nonce[0] = (uint8_t)below(m, 2);
	w.lifetime_s = random_lifetime(m);
	if (b->n_rests > 0 && one_in(m, 5)) { // again what just ended
		const struct held *r = &b->rests[below(m, b->n_rests)];
		w.key = r->key;
		w.nonce[0] = r->nonce;
	}
	switch (below(m, 5)) {
	case 0:
		w.suggested = random_external(m, group_of(w.key.host));
		break;
	case 1:
		if (b->n_live > 0)
			w.suggested = b->live[below(m, b->n_live)].at;
		break;
	case 2:
		w.suggested = random_external(m, one_in(m, 20) ? 0 : group_of(w.key.host));
		w.suggested.port = 0;
		break;
	default:
		break;
	}
	if (one_in(m, 4))
		w.suggested.addr = 0;
	w.exact = w.suggested.port != 0 && one_in(m, 2);
	return w;
}

static void request(struct model *m)
{
	struct book *b = &m->book;
	struct nat_wish w = random_wish(m);
	struct mapping *old = book_find(b, w.key);
	bool lives = old != NULL && (old->lease || book_has_traffic(b, old));
	struct nat_view view = {0};
	enum nat_grant grant;
	enum answer suggestion = MAYBE;

	if (old != NULL && old->lease)
		w.nonce[0] = old->nonce; // the server lets no other through
	if (old == NULL && (w.suggested.port != 0 || w.suggested.addr != 0))
		suggestion = book_can_have(b, w.key.host, w.key.protocol, w.suggested);
	grant = nat_lease_map(b->n, &b->policy[group_of(w.key.host)], (uint8_t)group_of(w.key.host),
		&w, b->now_s, &view);
	b->grants[grant]++;
	if (lives) {
		judge_old_mapping(b, &w, grant, &view, old);
		return;
	}
	if (old != NULL)
		book_end(b, old);
	if (grant != NAT_GRANTED)
		book_reconcile_rests(b);
	judge_new_lease(b, &w, grant, &view, suggestion);
}

// ---- what people do --------------------------------------------------------------------------

static void end_lease(struct model *m)
{
	struct book *b = &m->book;
	struct nat_key key = some_key(m);
	struct mapping *l = book_find(b, key);
	uint32_t n_rests = b->n_rests;

	nat_lease_end(b->n, &key, b->now_s);
	if (l == NULL || !l->lease)
		return;
	if (book_has_traffic(b, l)) {
		l->lease = false;
		return;
	}
	book_end(b, l);
	if (b->leases_before < b->limits.leases / 4 * 3)
		TRUTH(b, b->n_rests == n_rests + 1 && b->rests[n_rests].lease, "port %u", key.port);
	else
		TRUTH(b, b->n_rests == n_rests || !b->rests[n_rests].lease, "port %u", key.port);
	book_reconcile_rests(b);
}

static void delete_mapping(struct model *m)
{
	struct book *b = &m->book;
	struct nat_key key = some_key(m);
	struct mapping *old = book_find(b, key);

	TRUTH(b, nat_delete(b->n, &key, b->now_s) == (old != NULL), "port %u", key.port);
	if (old == NULL)
		return;
	if (old->lease)
		b->epoch_s[key.host - HOST_0] = b->now_s;
	book_end(b, old);
	book_reconcile_rests(b);
	book_check_epoch(b, key.host);
}

static void clear_subscriber(struct model *m)
{
	struct book *b = &m->book;
	ip4 host = HOST_0 + below(m, m->phase.hosts);
	uint32_t budget = 1 + below(m, 300);
	uint32_t calls = 1;
	uint32_t most = 2 * book_count_blocks(b, host) * (3 * 64 / budget + 2) + 2;

	while (!nat_subscriber_clear(b->n, 1, host, budget, b->now_s))
		TRUTH(b, ++calls <= most, "%u calls of %u", calls, budget);
	if (book_count_leases(b, host) > 0)
		b->epoch_s[host - HOST_0] = b->now_s;
	for (uint32_t i = b->n_live; i > 0; i--) {
		if (b->live[i - 1].key.host == host)
			book_end(b, &b->live[i - 1]);
	}
	book_reconcile_rests(b);
	book_check_epoch(b, host);
}

static void change_pool(struct model *m)
{
	struct book *b = &m->book;
	struct pool *p = &b->pools[below(m, N_POOL)];
	bool known = nat_address_known(b->n, p->address.ip);
	int error;

	if (one_in(m, 3)) {
		nat_address_remove(b->n, p->address.ip);
		if (p->state == POOL_LIVE)
			p->state = POOL_DRAINING;
		return;
	}
	error = nat_address_add(b->n, &p->address);
	if (error == 0) {
		TRUTH(b, p->state != POOL_LIVE, "%08x twice", p->address.ip);
		p->state = POOL_LIVE;
		p->readded_s = b->now_s;
	} else {
		TRUTH(b,
			known ? p->state == POOL_LIVE
			      : nat_counters(b->n)->addresses == b->limits.addresses,
			"%08x: %d", p->address.ip, error);
	}
}

// ---- time ------------------------------------------------------------------------------------

void settle(struct book *b)
{
	while (nat_step(b->n, b->now_s))
		;
	book_reconcile(b);
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
	m->phase.removals = below(m, 30);
	m->phase.answers = one_in(m, 3) ? 0 : below(m, 101);
	for (unsigned g = 0; g < N_GROUPS; g++) {
		struct nat_policy *p = &m->book.policy[g];

		p->port_set_size = g ? 64 : 4;
		p->block_limit = (uint16_t)(1 + below(m, one_in(m, 2) ? 3 : 40));
		p->port_limit = one_in(m, 2) ? 0 : 1 + below(m, 30);
		p->lease_limit = 1 + below(m, 60);
		p->pairing_soft = one_in(m, 2);
	}
}

static void operate_on_leases(struct model *m)
{
	if (below(m, 100) < m->phase.removals)
		end_lease(m);
	else
		request(m);
}

static void operate_as_operator(struct model *m)
{
	if (one_in(m, 40))
		change_pool(m);
	else if (one_in(m, 40))
		clear_subscriber(m);
	else if (below(m, 100) < m->phase.removals)
		delete_mapping(m);
	else
		one_step(m);
}

void operate(struct model *m)
{
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
