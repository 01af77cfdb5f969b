// SPDX-License-Identifier: Apache-2.0
// What the background may do to the lists, and what must be true when it is done.
#include "book.h"

// ---- hold-down -------------------------------------------------------------------------------

static bool still_rests(const struct book *b, const struct held *r)
{
	uint32_t a = address_find(b->n, r->at.addr);
	const struct entry *e;

	if (a == NO_ADDRESS)
		return false;
	e = entry_at(b->n, r->key.protocol, ext_of(a, r->at.port));
	return (e->bits & EXT_STATE) == EXT_RESTING;
}

static bool time_is_over(const struct book *b, const struct held *r)
{
	uint32_t rests_s = r->lease ? b->timers.pcp_hold_down : b->timers.hold_down;

	return b->now_s - r->since_s > rests_s;
}

static void drop_gone_rests(struct book *b)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < b->n_rests; i++) {
		struct held r = b->rests[i];
		if (!r.gone)
			b->rests[kept++] = r;
		else
			book_leave(b, r.key.protocol, r.at);
	}
	b->n_rests = kept;
}

// Those whose time is over first. Then as many of the oldest as the counter says the full list let
// go; of several that came in one second the book does not know the order.
void book_reconcile_rests(struct book *b)
{
	uint64_t early = nat_counters(b->n)->hold_down_early - b->early, seen = 0, gone = 0;
	uint32_t until_s = 0;

	for (uint32_t i = 0; i < b->n_rests; i++)
		b->rests[i].gone = time_is_over(b, &b->rests[i]) && !still_rests(b, &b->rests[i]);
	drop_gone_rests(b);
	for (uint32_t i = 0; i < b->n_rests && seen < early; i++) {
		if (b->rests[i].lease)
			continue;
		seen++;
		until_s = b->rests[i].since_s;
	}
	for (uint32_t i = 0; i < b->n_rests; i++) {
		struct held *r = &b->rests[i];
		if (still_rests(b, r))
			continue;
		TRUTH(b, !r->lease && r->since_s <= until_s && gone < early,
			"port %u went %u s into hold-down (%s)", r->at.port, b->now_s - r->since_s,
			r->lease ? "lease" : "list");
		r->gone = true;
		gone++;
	}
	drop_gone_rests(b);
	b->early += early;
}

// ---- ends ------------------------------------------------------------------------------------

static uint32_t peers_left(struct book *b, const struct mapping *m)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_peers; i++)
		count += key_eq(b->peers[i].key, m->key) && b->now_s < b->peers[i].over_s &&
			 !book_flow_closed(b, m->key, b->peers[i].remote);
	return count;
}

// TCP closed it when a single PEER lease was all that hung on it.
static bool is_closed(struct book *b, const struct mapping *m)
{
	return (!m->lease || b->now_s >= m->over_s) && peers_left(b, m) == 1 &&
	       m->key.protocol == NAT_TCP && m->tcp == CLOSING && m->sent_s != 0 &&
	       !book_has_traffic(b, m);
}

// On an address that leaves. What had run out already may have ended by itself.
static void explain_loss(struct book *b, const struct mapping *m)
{
	uint32_t *epoch_s = &b->epoch_s[m->key.host - HOST_0];
	bool lives = (m->lease && b->now_s < m->over_s) || peers_left(b, m) > 0;

	if (!book_is_leased(b, m))
		return;
	*epoch_s = lives && !is_closed(b, m) ? b->now_s : nat_epoch_base(b->n, 1, m->key.host);
	b->lost++;
}

// The mapping is gone: was that right, and where is its port now?
static void explain_end(struct book *b, struct mapping *m)
{
	uint8_t nonce;

	if (book_pool(b, m->at.addr)->state == POOL_DRAINING) {
		explain_loss(b, m);
		book_end(b, m);
		return;
	}
	TRUTH(b, !book_has_traffic(b, m), "a mapping vanished %u s after its last packet",
		b->now_s - m->sent_s);
	if (m->lease)
		TRUTH(b, b->now_s >= m->over_s, "a lease vanished %u s early",
			m->over_s - b->now_s);
	TRUTH(b, peers_left(b, m) == 0 || is_closed(b, m), "port %u had peers", m->key.port);
	b->closed += peers_left(b, m) > 0;
	if (book_is_leased(b, m) && m->set == 0)
		TRUTH(b,
			book_rests_with_lease(b, m, &nonce) ||
				b->leases_before >= b->limits.leases / 4 * 3,
			"port %u does not rest with its lease", m->key.port);
	book_end(b, m);
}

static void reconcile_lease(struct book *b, struct mapping *m)
{
	struct nat_view view;

	if (b->now_s < m->over_s)
		return;
	nat_lease_look(b->n, &m->key, b->now_s, &view);
	if (view.kind == NAT_EXPLICIT)
		return;
	TRUTH(b,
		view.kind == NAT_PEER ? book_count_peers(b, m->key) > 0
				      : view.kind == NAT_IMPLICIT && book_has_traffic(b, m),
		"kind %u", view.kind);
	m->lease = m->exact = m->moved = m->adopted = false;
	m->set = m->set_at = m->n_filters = m->text_length = 0;
}

static void reconcile_peers(struct book *b)
{
	for (uint32_t i = b->n_peers; i > 0; i--) {
		struct peer *p = &b->peers[i - 1];
		struct nat_view view;

		nat_peer_look(b->n, &p->key, p->remote, b->now_s, &view);
		if (view.kind == NAT_PEER)
			continue;
		b->closed += b->now_s < p->over_s;
		TRUTH(b, b->now_s >= p->over_s || book_flow_closed(b, p->key, p->remote),
			"a PEER lease vanished %u s early", p->over_s - b->now_s);
		*p = b->peers[--b->n_peers];
	}
}

// ---- moves -----------------------------------------------------------------------------------

static void check_move(struct book *b, const struct mapping *m, struct recipe to)
{
	const struct pool *from = book_pool(b, m->at.addr);

	TRUTH(b, from->state == POOL_DRAINING, "port %u moved", m->at.port);
	TRUTH(b, book_is_leased(b, m), "port %u moved for nobody", m->at.port);
	TRUTH(b, !m->lease || !m->exact, "port %u is exact", m->at.port);
	TRUTH(b, to.addr != m->at.addr, "port %u to %u", m->at.port, to.port);
}

static bool block_replied(const struct book *b, struct recipe at)
{
	return b->n->blocks[block_of(b->n, ext_of(address_find(b->n, at.addr), at.port))].replied;
}

static void note_move(struct book *b, struct mapping *m, struct recipe to)
{
	ip4 host = m->key.host;
	struct portset *k = book_portset(b, to);
	bool had = k->owner == 0 && k->owner_before == host;

	book_occupy(b, host, m->key.protocol, to, had ? 0 : book_count_live_blocks(b, host));
	m->at = to;
	book_move_flows(b, m);
	if (had) // whether it came free in between, before its new port, only the tables know
		k->replied = block_replied(b, to);
	if (m->replied)
		k->replied = true;
	m->moved = m->lease;
	m->told = false;
	for (uint32_t i = 0; i < b->n_peers; i++) {
		if (!key_eq(b->peers[i].key, m->key))
			continue;
		b->peers[i].moved = true;
		b->peers[i].told = false;
	}
	b->epoch_s[m->key.host - HOST_0] = b->now_s;
	b->moved++;
	b->sets_moved += m->set != 0;
}

// The old ports first: they may have made others free.
static void reconcile_moves(struct book *b)
{
	struct recipe to[MAX_LIVE];

	for (uint32_t i = 0; i < N_POOL; i++)
		for (uint32_t k = 0; k < b->pools[i].n_blocks; k++)
			b->pools[i].blocks[k].owner_before = b->pools[i].blocks[k].owner;
	for (uint32_t i = 0; i < b->n_live; i++) {
		struct mapping *m = &b->live[i];

		TRUTH(b, nat_peek_out(b->n, &m->key, &to[i]), "port %u", m->key.port);
		if (recipe_eq(to[i], m->at))
			continue;
		check_move(b, m, to[i]);
		book_vacate(b, m);
	}
	book_reconcile_rests(b);
	for (uint32_t i = 0; i < b->n_live; i++) {
		struct mapping *m = &b->live[i];
		struct recipe was = m->at;

		if (recipe_eq(to[i], was))
			continue;
		m->at = (struct recipe){0}; // it has no place meanwhile
		note_move(b, m, to[i]);
	}
}

// What the operator made leaves with its address.
static void reconcile_statics(struct book *b)
{
	for (uint32_t i = N_STATICS; i < ARRAY_SIZE(b->statics); i++) {
		struct mapping *m = &b->statics[i];
		struct recipe at;

		if (m->key.protocol == 0 || nat_peek_out(b->n, &m->key, &at))
			continue;
		TRUTH(b, book_pool(b, m->at.addr)->state == POOL_DRAINING, "port %u", m->at.port);
		book_end_flows(b, m->key);
		book_count_static(b, m->key.protocol, m->at, -1);
		*m = (struct mapping){0};
	}
}

void book_reconcile(struct book *b)
{
	for (uint32_t i = b->n_live; i > 0; i--) { // backwards: book_end() moves the last one here
		struct mapping *m = &b->live[i - 1];
		struct recipe at;

		if (!nat_peek_out(b->n, &m->key, &at))
			explain_end(b, m);
		else if (m->lease)
			reconcile_lease(b, m);
	}
	reconcile_peers(b);
	reconcile_moves(b);
	reconcile_statics(b);
	book_reconcile_flows(b);
	for (ip4 host = HOST_0; host < HOST_0 + N_HOSTS; host++)
		book_check_epoch(b, host);
}

// ---- what clients are to be told ---------------------------------------------------------------

static bool *told_of(struct book *b, const struct nat_view *v)
{
	struct peer *p = book_find_peer(b, v->key, v->remote);
	struct mapping *m = book_find(b, v->key);

	if (v->kind == NAT_PEER)
		return p != NULL && p->moved ? &p->told : NULL;
	return m != NULL && m->lease && m->moved ? &m->told : NULL;
}

static void read_update(struct book *b, const struct nat_update *u)
{
	const struct mapping *m = book_find(b, u->view.key);
	const struct peer *p =
		u->view.kind == NAT_PEER ? book_find_peer(b, u->view.key, u->view.remote) : NULL;
	bool *told = told_of(b, &u->view);

	if (u->kind == NAT_UPDATE_LOST) {
		if (u->view.kind == NAT_PEER)
			TRUTH(b, p == NULL || p->nonce != u->view.nonce[0], "port %u is there",
				u->view.key.port);
		else
			TRUTH(b, m == NULL || !m->lease || m->nonce != u->view.nonce[0],
				"port %u is there", u->view.key.port);
		return;
	}
	TRUTH(b, told != NULL, "port %u did not move", u->view.key.port);
	TRUTH(b, recipe_eq(u->view.external, m->at), "port %u", u->view.external.port);
	TRUTH(b, u->view.moved, "port %u", m->key.port);
	TRUTH(b, u->view.n_ports == (p != NULL ? 1 : book_count_set(b, m)), "port %u", m->key.port);
	*told = true;
}

// The list is empty afterwards: whoever does not know of a move by now will never.
void book_read_updates(struct book *b)
{
	struct nat_update u;

	while (nat_update_next(b->n, &u))
		read_update(b, &u);
	for (uint32_t i = 0; i < b->n_live; i++) {
		const struct mapping *m = &b->live[i];
		TRUTH(b, !m->moved || m->told || m->set_at != 0, "port %u", m->key.port);
	}
	for (uint32_t i = 0; i < b->n_peers; i++)
		TRUTH(b, !b->peers[i].moved || b->peers[i].told, "port %u", b->peers[i].key.port);
}

// A crowded table does not remember those who hold nothing; it then says 0.
void book_check_epoch(struct book *b, ip4 host)
{
	uint32_t base_s = nat_epoch_base(b->n, 1, host), *known_s = &b->epoch_s[host - HOST_0];
	bool forgotten =
		base_s == 0 && (*known_s != b->now_s || b->crowded || b->crowded_s == b->now_s);

	TRUTH(b, base_s == *known_s || forgotten, "host %08x: %u, not %u", host, base_s, *known_s);
	*known_s = base_s;
}

// ---- what must be true now and then ----------------------------------------------------------

static bool lives_on(struct book *b, ip4 addr)
{
	for (uint32_t i = 0; i < b->n_live; i++) {
		if (b->live[i].at.addr == addr)
			return true;
	}
	return false;
}

static bool stays_on(struct book *b, ip4 addr)
{
	for (uint32_t i = 0; i < b->n_rests; i++) {
		if (b->rests[i].at.addr == addr)
			return true;
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(b->statics); i++) {
		if (b->statics[i].key.protocol != 0 && b->statics[i].at.addr == addr)
			return true;
	}
	return false;
}

static void check_pool(struct book *b, struct pool *p)
{
	ip4 ip = p->address.ip;

	if (p->state != POOL_DRAINING)
		return;
	TRUTH(b, !lives_on(b, ip), "%08x was drained", ip);
	TRUTH(b, nat_address_known(b->n, ip) == stays_on(b, ip), "%08x was drained", ip);
	if (!nat_address_known(b->n, ip))
		p->state = POOL_ABSENT;
}

void book_check_settled(struct book *b)
{
	for (uint32_t i = 0; i < b->n_live; i++) {
		struct mapping *m = &b->live[i];
		uint32_t idle_s = b->now_s - max_u32(m->sent_s, m->dry_s);

		if (m->lease)
			TRUTH(b, b->now_s < m->over_s, "a lease is %u s late",
				b->now_s - m->over_s);
		else if (book_count_peers(b, m->key) == 0 && !book_has_traffic(b, m) &&
			 !book_is_kept(b, m->key)) // by one that is over: another sweep's
			TRUTH(b, idle_s <= book_idle_timeout(b, m) + 11,
				"idle for %u s and still there", idle_s);
	}
	for (uint32_t i = 0; i < b->n_peers; i++)
		TRUTH(b, b->now_s < b->peers[i].over_s, "a PEER lease is %u s late",
			b->now_s - b->peers[i].over_s);
	for (uint32_t i = 0; i < b->n_rests; i++)
		TRUTH(b, !time_is_over(b, &b->rests[i]), "port %u", b->rests[i].at.port);
	for (uint32_t i = 0; i < N_POOL; i++)
		check_pool(b, &b->pools[i]);
	book_check_flows_settled(b);
}

void book_check_gauges(struct book *b)
{
	const struct nat_counters *c = nat_counters(b->n);
	uint32_t leases = b->n_statics + book_count_records(b), blocks = 0, addresses = 0;

	for (uint32_t i = 0; i < b->n_rests; i++)
		leases += b->rests[i].lease;
	for (uint32_t i = 0; i < N_POOL; i++) {
		addresses += b->pools[i].state != POOL_ABSENT;
		for (uint32_t k = 0; k < b->pools[i].n_blocks; k++)
			blocks += b->pools[i].blocks[k].owner != 0;
	}
	TRUTH(b, c->mappings == b->n_live + b->n_statics, "%u", b->n_live);
	TRUTH(b, c->resting == b->n_rests, "%u", b->n_rests);
	TRUTH(b, c->leases == leases, "%u", leases);
	TRUTH(b, c->filters == book_count_filters(b), "%u", book_count_filters(b));
	TRUTH(b, c->descriptions == book_count_texts(b), "%u", book_count_texts(b));
	TRUTH(b, c->blocks == blocks, "%u", blocks);
	TRUTH(b, c->addresses <= addresses, "%u", addresses);
	book_check_flows(b);
	b->leases_before = leases;
	b->crowded = c->subscribers + 1 >= b->limits.subscribers / 4 * 3;
	if (b->crowded)
		b->crowded_s = b->now_s;
}
