// SPDX-License-Identifier: Apache-2.0
// MAP and PEER requests: what the book expects, what the tables grant, whether that was right.
#include "operations.h"

// ---- the filters and the text of a wish ------------------------------------------------------

struct asked { // a wish, and what it points at
	struct nat_wish w;
	struct nat_filter filters[3];
	uint8_t text[8];
};

static bool filter_eq(const struct nat_filter *a, const struct nat_filter *b)
{
	return a->address == b->address && a->bits == b->bits && a->port == b->port;
}

// The filters that the mapping would have; how many.
static unsigned filters_after(
	const struct mapping *old, const struct nat_wish *w, struct nat_filter *out)
{
	unsigned n = 0;

	for (; old != NULL && !w->clear_filters && n < old->n_filters; n++)
		out[n] = old->filters[n];
	for (unsigned i = 0; i < w->n_filters; i++) {
		bool there = false;
		for (unsigned k = 0; k < n; k++)
			there |= filter_eq(&out[k], &w->filters[i]);
		if (!there)
			out[n++] = w->filters[i];
	}
	return n;
}

static enum nat_grant judge_filters(
	const struct book *b, const struct mapping *old, const struct nat_wish *w)
{
	struct nat_filter after[N_FILTERS + 3];
	unsigned had = old != NULL ? old->n_filters : 0, has = filters_after(old, w, after);
	unsigned kept = w->clear_filters ? 0 : had;

	if (has == kept)
		return NAT_GRANTED;
	if (has > b->policy[group_of(w->key.host)].filter_limit)
		return NAT_TOO_MANY_FILTERS;
	return book_count_filters(b) - had + has <= b->limits.filters ? NAT_GRANTED
								      : NAT_NO_RESOURCES;
}

static uint8_t text_after(const struct book *b, uint8_t had, const struct nat_wish *w)
{
	bool room = had > 0 || book_count_texts(b) < b->limits.descriptions;

	if (!w->has_text)
		return had;
	return room ? w->text_length : 0;
}

static void check_kept(struct book *b, const struct mapping *l)
{
	struct nat_filter filters[N_FILTERS];
	uint8_t text[NAT_DESCRIPTION];

	TRUTH(b, nat_lease_filters(b->n, &l->key, filters, N_FILTERS) == l->n_filters, "%u",
		l->n_filters);
	for (unsigned i = 0; i < l->n_filters; i++)
		TRUTH(b, filter_eq(&filters[i], &l->filters[i]), "filter %u", i);
	TRUTH(b, nat_lease_text(b->n, &l->key, text, sizeof text) == l->text_length, "%u",
		l->text_length);
}

static void write_lease(struct book *b, struct mapping *l, const struct nat_wish *w)
{
	struct nat_filter after[N_FILTERS + 3];
	unsigned n = filters_after(l->lease ? l : NULL, w, after);

	TRUTH(b, n <= N_FILTERS, "%u filters", n);
	memcpy(l->filters, after, n * sizeof after[0]);
	l->n_filters = (uint8_t)n;
	l->lease = true;
	l->exact = w->exact;
	l->moved = false;
	l->nonce = w->nonce[0];
	l->over_s = b->now_s + w->lifetime_s + 1;
}

// Of a set the same at all ports.
static void write_leases(struct book *b, struct mapping *l, const struct nat_wish *w)
{
	uint8_t text = text_after(b, l->text_length, w);

	for (uint32_t i = 0; i < b->n_live; i++) {
		struct mapping *m = &b->live[i];
		if (m != l && (l->set == 0 || m->set != l->set))
			continue;
		write_lease(b, m, w);
		m->text_length = text;
	}
	check_kept(b, l);
}

// ---- judgement -------------------------------------------------------------------------------

static bool is_wished(const struct nat_wish *w, struct recipe at)
{
	return (w->suggested.port == 0 || at.port == w->suggested.port) &&
	       (w->suggested.addr == 0 || w->suggested.addr == at.addr);
}

static struct held *own_rest(struct book *b, const struct nat_wish *w, const struct recipe *at)
{
	for (uint32_t i = 0; i < b->n_rests; i++) {
		struct held *r = &b->rests[i];
		if (r->lease && key_eq(r->key, w->key) && r->nonce == w->nonce[0] &&
			book_pool(b, r->at.addr)->state == POOL_LIVE &&
			(!w->exact || is_wished(w, r->at)) && (at == NULL || recipe_eq(*at, r->at)))
			return r;
	}
	return NULL;
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

// A new mapping for a new lease; `w->exact` says whether a suggestion was more than a hint.
static struct mapping *granted_anew(
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
		TRUTH(b, is_wished(w, at), "%u", at.port);
	}
	TRUTH(b, !w->exact || is_wished(w, at), "port %u, not exact", at.port);
	TRUTH(b, !w->exact || suggestion != NO || revived, "port %u", at.port);
	l = book_make(b, w->key, at);
	l->replied = replied;
	return l;
}

// The longest run that a block of his own on his paired address has.
static uint32_t own_run(struct book *b, const struct nat_wish *w, uint32_t want)
{
	ip4 host = w->key.host, addr;
	struct nat_subscriber_view view;
	uint32_t best = 0;

	if (book_count_blocks(b, host) == 0 || !nat_subscriber_find(b->n, 1, host, &view))
		return 0;
	addr = view.external;
	for (uint32_t port = 0, length = 0; port < 65536 && best < want; port++) {
		struct recipe at = {addr, (uint16_t)port};
		const struct portset *k = book_portset(b, at);
		bool begins = port % book_pool(b, addr)->address.port_set_size == 0;

		if (begins || k == NULL || k->owner != host)
			length = 0;
		if (k == NULL || k->owner != host ||
			book_can_have(b, host, w->key.protocol, at) != YES ||
			(length == 0 && w->parity && (port ^ w->key.port) & 1)) {
			length = 0;
			continue;
		}
		best = max_u32(best, ++length);
	}
	return best;
}

// Fewer ports than wished: there must be a reason.
static void justify_cut(struct book *b, const struct nat_wish *w, uint32_t n_ports, uint32_t run)
{
	const struct nat_policy *policy = &b->policy[group_of(w->key.host)];
	uint32_t size = policy->port_set_size;
	struct nat_key next = w->key;
	bool limited = book_count_leases(b, w->key.host) >= policy->lease_limit ||
		       b->n_live + b->n_statics >= b->limits.mappings ||
		       (policy->port_limit != 0 && book_count_ports(b, w->key.host,
							   w->key.protocol) >= policy->port_limit);

	next.port = (uint16_t)(next.port + n_ports);
	if (n_ports >= w->n_ports || n_ports == size || limited || book_find(b, next) != NULL)
		return;
	b->sets_cut++;
	TRUTH(b, n_ports >= run, "%u ports, but a run of %u", n_ports, run);
}

static void granted_set(
	struct book *b, const struct nat_wish *w, const struct nat_view *view, uint32_t run)
{
	struct nat_key key = w->key;
	struct recipe at = view->external;
	uint32_t set = ++b->n_sets;

	TRUTH(b, view->n_ports <= w->n_ports, "%u ports", view->n_ports);
	TRUTH(b, !w->parity || ((key.port ^ at.port) & 1) == 0, "port %u", at.port);
	TRUTH(b, b->leases_before < b->limits.leases, "%u leases", b->leases_before);
	for (uint32_t i = 0; i < view->n_ports; i++) {
		struct mapping *m;

		TRUTH(b, book_count_leases(b, key.host) < b->policy[group_of(key.host)].lease_limit,
			"host %08x", key.host);
		key.port = (uint16_t)(w->key.port + i);
		at.port = (uint16_t)(view->external.port + i);
		m = book_make(b, key, at);
		m->lease = true;
		m->set = set;
		m->set_at = (uint8_t)i;
	}
	b->sets_made++;
	justify_cut(b, w, view->n_ports, run);
	write_leases(b, book_find(b, w->key), w);
}

// Somebody's lease, or a resting one, says how long; nobody knows about the others.
static void check_time_left(struct book *b, const struct nat_wish *w, uint32_t left_s)
{
	struct recipe at = w->suggested;
	struct nat_subscriber_view view = {0};
	const struct pool *p;
	const struct mapping *l;
	const struct held *r;
	uint32_t known_s = 0;

	if (at.port == 0 || (at.addr == 0 && book_count_blocks(b, w->key.host) == 0))
		return; // a newcomer: whose round it was is not in the book
	nat_subscriber_find(b->n, 1, w->key.host, &view);
	if (at.addr == 0)
		at.addr = view.external;
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

static void justify_quota(struct book *b, const struct nat_wish *w)
{
	const struct nat_policy *policy = &b->policy[group_of(w->key.host)];
	ip4 host = w->key.host;

	TRUTH(b,
		book_count_leases(b, host) >= policy->lease_limit ||
			(policy->port_limit != 0 &&
				book_count_ports(b, host, w->key.protocol) >= policy->port_limit) ||
			(book_count_blocks(b, host) >= policy->block_limit &&
				!book_has_free_port(b, host, w->key.protocol)),
		"host %08x", host);
}

static void judge_refusal(struct book *b, const struct nat_wish *w, enum nat_grant grant,
	const struct nat_view *view, enum answer suggestion)
{
	switch (grant) {
	case NAT_QUOTA:
		justify_quota(b, w);
		break;
	case NAT_NO_RESOURCES:
		book_justify_no_resources(b, &w->key);
		break;
	case NAT_CANNOT_EXACT:
		TRUTH(b, w->exact && suggestion != YES && own_rest(b, w, NULL) == NULL,
			"port %u could be had", w->suggested.port);
		check_time_left(b, w, view->lease_left_s);
		break;
	default:
		TRUTH(b, false, "answer %u", grant);
	}
}

static void judge_old_mapping(struct book *b, const struct nat_wish *w, enum nat_grant grant,
	const struct nat_view *view, struct mapping *old)
{
	struct recipe at = old->at;
	bool wished;
	uint32_t limit = b->policy[group_of(w->key.host)].lease_limit;

	at.port = (uint16_t)(at.port - old->set_at);
	wished = is_wished(w, at);
	switch (grant) {
	case NAT_GRANTED:
		TRUTH(b, !w->exact || wished, "port %u", old->at.port);
		TRUTH(b, recipe_eq(view->external, at), "port %u", old->at.port);
		TRUTH(b, view->lease_left_s == w->lifetime_s, "%u s", view->lease_left_s);
		TRUTH(b, old->lease || book_count_leases(b, w->key.host) < limit, "%u", limit);
		TRUTH(b, view->n_ports == book_count_set(b, old), "%u ports", view->n_ports);
		b->adopted += !old->lease;
		old->adopted |= !old->lease;
		write_leases(b, old, w);
		break;
	case NAT_CANNOT_EXACT:
		TRUTH(b, w->exact && !wished && view->lease_left_s == 0, "%u", old->at.port);
		break;
	case NAT_QUOTA:
		TRUTH(b, !old->lease && book_count_leases(b, w->key.host) >= limit, "%u", limit);
		break;
	default:
		TRUTH(b,
			grant == NAT_NO_RESOURCES && !old->lease &&
				b->leases_before >= b->limits.leases,
			"host %08x", w->key.host);
		break;
	}
}

// ---- wishes ----------------------------------------------------------------------------------

static uint32_t random_lifetime(struct model *m)
{
	static const uint32_t most[] = {5, 60, 300, 3600, 20000, 7 * 86400};

	return below(m, most[below(m, ARRAY_SIZE(most))]);
}

static struct recipe random_suggestion(struct model *m, struct nat_key key)
{
	const struct book *b = &m->book;
	struct recipe want = {0, 0};

	switch (below(m, 5)) {
	case 0:
		want = random_external(m, group_of(key.host));
		break;
	case 1:
		if (b->n_live > 0)
			want = b->live[below(m, b->n_live)].at;
		break;
	case 2:
		want = random_external(m, one_in(m, 20) ? 0 : group_of(key.host));
		want.port = 0;
		break;
	default:
		break;
	}
	if (one_in(m, 4))
		want.addr = 0;
	return want;
}

static void add_filters(struct model *m, struct asked *a)
{
	static const uint8_t bits[] = {0, 30, 31, 32};

	a->w.clear_filters = one_in(m, 6);
	a->w.filters = a->filters;
	a->w.n_filters = (uint16_t)(one_in(m, 3) ? 1 + below(m, 3) : 0);
	for (unsigned i = 0; i < a->w.n_filters; i++) {
		struct nat_filter *f = &a->filters[i];

		f->bits = bits[below(m, ARRAY_SIZE(bits))];
		f->address = random_remote(m).addr;
		f->address &= f->bits == 0 ? 0 : UINT32_MAX << (32 - f->bits);
		f->port = (uint16_t)below(m, 3);
	}
}

static void random_wish(struct model *m, struct asked *a)
{
	struct book *b = &m->book;
	struct nat_wish *w = &a->w;

	*a = (struct asked){0};
	w->key = one_in(m, 2) ? some_key(m) : random_key(m);
	w->nonce[0] = (uint8_t)below(m, 2);
	w->has_nonce = true;
	w->lifetime_s = random_lifetime(m);
	if (b->n_rests > 0 && one_in(m, 5)) { // again what just ended
		const struct held *r = &b->rests[below(m, b->n_rests)];
		w->key = r->key;
		w->nonce[0] = r->nonce;
	}
	w->client = w->key.host;
	w->client_realm = one_in(m, 10) ? 2 : 1;
	w->suggested = random_suggestion(m, w->key);
	w->text = a->text;
	w->has_text = one_in(m, 4);
	w->text_length = (uint8_t)(w->has_text ? below(m, sizeof a->text) : 0);
}

// ---- requests --------------------------------------------------------------------------------

static void judge_map(struct book *b, const struct nat_wish *w, enum nat_grant grant,
	const struct nat_view *view, enum answer suggestion, uint32_t run)
{
	if (grant != NAT_GRANTED)
		judge_refusal(b, w, grant, view, suggestion);
	else if (view->n_ports > 1)
		granted_set(b, w, view, run);
	else
		write_leases(b, granted_anew(b, w, view->external, suggestion), w);
}

void request_map(struct model *m)
{
	struct book *b = &m->book;
	struct asked a;
	struct nat_wish *w = &a.w;
	struct nat_view view = {0};
	enum answer suggestion = MAYBE;
	enum nat_grant grant, filters;
	struct mapping *old;
	uint32_t run = 0;
	bool lives;

	random_wish(m, &a);
	add_filters(m, &a);
	w->exact = w->suggested.port != 0 && one_in(m, 2);
	if (below(m, 100) < m->phase.sets) {
		w->n_ports = (uint16_t)(1 + below(m, 20));
		w->parity = one_in(m, 2);
	}
	old = book_find(b, w->key);
	lives = old != NULL && (book_is_leased(b, old) || book_has_traffic(b, old));
	if (old != NULL && old->lease)
		w->nonce[0] = old->nonce; // the server lets no other through
	if (old == NULL && (w->suggested.port != 0 || w->suggested.addr != 0))
		suggestion = book_can_have(b, w->key.host, w->key.protocol, w->suggested);
	if (old == NULL)
		run = own_run(b, w, w->n_ports);
	filters = judge_filters(b, old != NULL && old->lease ? old : NULL, w);
	grant = nat_lease_map(b->n, &b->policy[group_of(w->key.host)],
		(uint8_t)group_of(w->key.host), w, b->now_s, &view);
	b->grants[grant]++;
	if (old != NULL && !lives)
		book_end(b, old);
	if (grant != NAT_GRANTED || view.n_ports > 1)
		book_reconcile_rests(b);
	if (filters != NAT_GRANTED)
		TRUTH(b, grant == filters, "%u, not %u", grant, filters);
	else if (lives)
		judge_old_mapping(b, w, grant, &view, old);
	else
		judge_map(b, w, grant, &view, suggestion, run);
}

static void write_peer(
	struct book *b, const struct nat_wish *w, uint32_t at_least_s, const struct nat_view *view)
{
	struct peer *p = book_find_peer(b, w->key, w->remote);
	uint8_t text = text_after(b, p != NULL ? p->text_length : 0, w);

	if (p == NULL) {
		TRUTH(b, b->n_peers < MAX_PEERS, "%u", b->n_peers);
		p = &b->peers[b->n_peers++];
		*p = (struct peer){.key = w->key, .remote = w->remote};
	}
	p->over_s = max_u32(p->over_s, b->now_s + max_u32(w->lifetime_s, at_least_s) + 1);
	p->nonce = w->nonce[0];
	p->text_length = text;
	p->moved = false;
	TRUTH(b, view->kind == NAT_PEER && recipe_eq(view->remote, w->remote), "%u", view->kind);
	TRUTH(b, view->lease_left_s == p->over_s - b->now_s - 1, "%u s", view->lease_left_s);
}

// On a mapping that stands: for a while at least as long as its traffic would keep it.
static void judge_old_peer(struct book *b, const struct nat_wish *w, enum nat_grant grant,
	const struct nat_view *view, struct mapping *old)
{
	bool known = book_find_peer(b, w->key, w->remote) != NULL;
	uint32_t limit = b->policy[group_of(w->key.host)].lease_limit, left_s = 0;

	if (grant == NAT_QUOTA || grant == NAT_NO_RESOURCES) {
		TRUTH(b, !known, "port %u", w->key.port);
		TRUTH(b,
			grant == NAT_QUOTA ? book_count_leases(b, w->key.host) >= limit
					   : b->leases_before >= b->limits.leases,
			"host %08x", w->key.host);
		return;
	}
	TRUTH(b, grant == NAT_GRANTED && recipe_eq(view->external, old->at), "%u", grant);
	if (!known)
		book_traffic_left(b, old, &left_s);
	b->peers_adopted += !known;
	write_peer(b, w, left_s, view);
}

void request_peer(struct model *m)
{
	struct book *b = &m->book;
	struct asked a;
	struct nat_wish *w = &a.w;
	struct nat_view view = {0};
	enum answer suggestion = MAYBE;
	enum nat_grant grant;
	struct mapping *old;
	const struct peer *p;
	bool lives;

	random_wish(m, &a);
	w->remote = random_remote(m);
	old = book_find(b, w->key);
	p = book_find_peer(b, w->key, w->remote);
	lives = old != NULL && (book_is_leased(b, old) || book_has_traffic(b, old));
	if (p != NULL)
		w->nonce[0] = p->nonce;
	if (old == NULL && (w->suggested.port != 0 || w->suggested.addr != 0))
		suggestion = book_can_have(b, w->key.host, w->key.protocol, w->suggested);
	grant = nat_lease_peer(b->n, &b->policy[group_of(w->key.host)],
		(uint8_t)group_of(w->key.host), w, b->now_s, &view);
	b->grants[grant]++;
	if (old != NULL && !lives)
		book_end(b, old);
	if (grant != NAT_GRANTED)
		book_reconcile_rests(b);
	if (lives) {
		judge_old_peer(b, w, grant, &view, old);
		return;
	}
	w->exact = w->suggested.port != 0 || w->suggested.addr != 0;
	if (grant != NAT_GRANTED) {
		judge_refusal(b, w, grant, &view, suggestion);
		return;
	}
	granted_anew(b, w, view.external, suggestion);
	write_peer(b, w, 0, &view);
	b->peers_made++;
}

// ---- giving up -------------------------------------------------------------------------------

// The single lease without traffic rests with its port; but for a table full of history.
static void check_own_rest(struct book *b, uint32_t n_rests, uint16_t port)
{
	if (b->leases_before < b->limits.leases / 4 * 3)
		TRUTH(b, b->n_rests == n_rests + 1 && b->rests[n_rests].lease, "port %u", port);
	else
		TRUTH(b, b->n_rests == n_rests || !b->rests[n_rests].lease, "port %u", port);
}

void end_lease(struct model *m)
{
	struct book *b = &m->book;
	struct nat_key key = some_key(m);
	bool now = one_in(m, 2);
	struct mapping *l = book_find(b, key);
	uint32_t n_rests = b->n_rests, set = l != NULL ? l->set : 0;
	bool ends;

	nat_lease_end(b->n, &key, now, b->now_s);
	if (l == NULL || !l->lease)
		return;
	now &= !l->adopted;
	ends = set == 0 && book_count_peers(b, key) == 0 && (now || !book_has_traffic(b, l));
	for (uint32_t i = b->n_live; set != 0 && i > 0; i--) {
		if (b->live[i - 1].set == set)
			book_unlease(b, &b->live[i - 1], now);
	}
	if (set == 0)
		book_unlease(b, l, now);
	if (ends)
		check_own_rest(b, n_rests, key.port);
	book_reconcile_rests(b);
}
