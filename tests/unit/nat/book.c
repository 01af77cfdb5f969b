// SPDX-License-Identifier: Apache-2.0
// The lists, and what the background may do to them.
#include "book.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void book_fail(const struct book *b, const char *file, int line, const char *condition,
	const char *format, ...)
{
	va_list list;

	fprintf(stderr, "%s:%d: not true: %s: ", file, line, condition);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fprintf(stderr, "\nsecond %u, operation %llu; replay with --seed %llu --operations %llu\n",
		b->now_s, (unsigned long long)b->operation, (unsigned long long)b->seed,
		(unsigned long long)b->operation + 1);
	exit(1);
}

// ---- the pool --------------------------------------------------------------------------------

static bool is_reserved(const struct nat_address *a, uint8_t protocol, uint32_t port)
{
	return port < a->port_first || port > a->port_last ||
	       (protocol == NAT_UDP && (port == 5350 || port == 5351));
}

static void open_pool(struct pool *p, ip4 ip)
{
	struct nat_address *a = &p->address;
	uint32_t size;

	// Group 0: blocks of 4 around PCP's own ports, with a cut block at both ends; group 1:
	// of 64.
	*a = (struct nat_address){.ip = ip,
		.group = (uint8_t)group_of(ip),
		.port_first = group_of(ip) ? 2000 : 5270,
		.port_last = group_of(ip) ? 2320 : 5433,
		.port_set_size = group_of(ip) ? 64 : 4};
	size = a->port_set_size;
	p->first_block = a->port_first / size;
	p->n_blocks = a->port_last / size - p->first_block + 1;
	for (uint32_t i = 0; i < p->n_blocks; i++) {
		struct portset *k = &p->blocks[i];
		uint32_t first = (p->first_block + i) * size;
		k->whole = first >= a->port_first && first + size - 1 <= a->port_last;
		for (uint8_t protocol = NAT_UDP; protocol <= NAT_ICMP; protocol++)
			for (uint32_t port = first; port < first + size; port++)
				k->room[protocol - 1] += !is_reserved(a, protocol, port);
	}
}

void book_open(struct book *b, struct nat *n, const struct nat_limits *limits)
{
	b->n = n;
	b->limits = *limits;
	for (uint32_t i = 0; i < N_POOL; i++)
		open_pool(&b->pools[i], POOL_0 + i);
}

struct pool *book_pool(struct book *b, ip4 addr)
{
	for (uint32_t i = 0; i < N_POOL; i++) {
		if (b->pools[i].address.ip == addr)
			return &b->pools[i];
	}
	return NULL;
}

struct portset *book_portset(struct book *b, struct recipe at)
{
	struct pool *p = book_pool(b, at.addr);
	uint32_t i = p ? at.port / p->address.port_set_size - p->first_block : UINT32_MAX;

	return p && i < p->n_blocks ? &p->blocks[i] : NULL;
}

static uint32_t portset_used(const struct portset *k)
{
	return k->n[0] + k->n[1] + k->n[2];
}

static void portset_leave(struct book *b, uint8_t protocol, struct recipe at)
{
	struct portset *k = book_portset(b, at);

	k->n[protocol - 1]--;
	if (portset_used(k) == 0) {
		k->owner = 0;
		k->replied = false;
	}
}

// ---- looks -----------------------------------------------------------------------------------

struct mapping *book_find(struct book *b, struct nat_key key)
{
	for (uint32_t i = 0; i < b->n_live; i++) {
		if (key_eq(b->live[i].key, key))
			return &b->live[i];
	}
	return NULL;
}

struct mapping *book_find_at(struct book *b, uint8_t protocol, struct recipe at)
{
	for (uint32_t i = 0; i < b->n_live; i++) {
		if (b->live[i].key.protocol == protocol && recipe_eq(b->live[i].at, at))
			return &b->live[i];
	}
	return NULL;
}

struct mapping *book_find_static(struct book *b, uint8_t protocol, struct recipe at)
{
	for (uint32_t i = 0; i < N_STATICS; i++) {
		if (b->statics[i].key.protocol == protocol && recipe_eq(b->statics[i].at, at))
			return &b->statics[i];
	}
	return NULL;
}

struct held *book_find_rest(struct book *b, uint8_t protocol, struct recipe at)
{
	for (uint32_t i = 0; i < b->n_rests; i++) {
		if (b->rests[i].key.protocol == protocol && recipe_eq(b->rests[i].at, at))
			return &b->rests[i];
	}
	return NULL;
}

uint32_t book_count_ports(const struct book *b, ip4 host, uint8_t protocol)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_live; i++)
		count += b->live[i].key.host == host && b->live[i].key.protocol == protocol;
	return count;
}

uint32_t book_count_leases(const struct book *b, ip4 host)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_live; i++)
		count += b->live[i].lease && (host == 0 || b->live[i].key.host == host);
	return count;
}

uint32_t book_count_blocks(const struct book *b, ip4 host)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < N_POOL; i++)
		for (uint32_t k = 0; k < b->pools[i].n_blocks; k++)
			count += b->pools[i].blocks[k].owner == host;
	return count;
}

uint32_t book_idle_timeout(struct book *b, const struct mapping *m)
{
	const struct nat_timers *t = &b->timers;

	if (m->key.protocol == NAT_ICMP)
		return t->icmp;
	if (m->key.protocol == NAT_TCP)
		return m->tcp == OPENING   ? t->tcp_trans_open
		       : m->tcp == CLOSING ? t->tcp_trans_close
					   : t->tcp_idle;
	if (m->replied)
		return t->udp;
	if (book_portset(b, m->at)->replied)
		return t->udp_initial;
	return min_u32(t->udp_initial, t->udp_unanswered);
}

bool book_has_traffic(struct book *b, const struct mapping *m)
{
	return m->sent_s != 0 && b->now_s - m->sent_s <= book_idle_timeout(b, m);
}

// ---- changes ---------------------------------------------------------------------------------

struct mapping *book_make(struct book *b, struct nat_key key, struct recipe at)
{
	struct pool *p = book_pool(b, at.addr);
	struct portset *k = book_portset(b, at);
	const struct nat_policy *policy = &b->policy[group_of(key.host)];
	struct mapping *m = &b->live[b->n_live];
	uint32_t n_blocks = book_count_blocks(b, key.host);

	TRUTH(b, p != NULL && p->state == POOL_LIVE, "%08x", at.addr);
	TRUTH(b, p->address.group == group_of(key.host), "host %08x on %08x", key.host, at.addr);
	TRUTH(b, k != NULL && k->whole, "port %u", at.port);
	TRUTH(b, !is_reserved(&p->address, key.protocol, at.port), "port %u", at.port);
	TRUTH(b, !book_find_at(b, key.protocol, at), "port %u given twice", at.port);
	TRUTH(b, !book_find_rest(b, key.protocol, at), "port %u still rests", at.port);
	TRUTH(b, !book_find_static(b, key.protocol, at), "port %u is static", at.port);
	TRUTH(b, k->owner == 0 || k->owner == key.host, "port %u is in another's block", at.port);
	TRUTH(b, k->owner != 0 || n_blocks < policy->block_limit, "%u blocks", n_blocks);
	TRUTH(b,
		policy->port_limit == 0 ||
			book_count_ports(b, key.host, key.protocol) < policy->port_limit,
		"host %08x", key.host);
	TRUTH(b, b->n_live + N_STATICS < b->limits.mappings, "%u", b->n_live);
	k->owner = key.host;
	k->n[key.protocol - 1]++;
	b->n_live++;
	*m = (struct mapping){.key = key, .at = at};
	return m;
}

// The tables' own record of a lease that rests with this port, if there is one.
static bool rests_with_lease(const struct book *b, const struct mapping *m)
{
	for (uint32_t i = 0; i < b->n->lease_high; i++) {
		const struct lease *l = &b->n->leases[i];
		if (l->state == LEASE_RESTING && key_eq(l->key, m->key) &&
			recipe_eq(ext_recipe(b->n, l->ext), m->at))
			return true;
	}
	return false;
}

static void add_rest(struct book *b, const struct mapping *m, bool lease)
{
	TRUTH(b, b->n_rests < MAX_RESTS, "%u", b->n_rests);
	b->rests[b->n_rests++] = (struct held){.key = m->key,
		.at = m->at,
		.since_s = b->now_s,
		.nonce = m->nonce,
		.lease = lease,
		.replied = m->replied};
}

void book_end(struct book *b, struct mapping *m)
{
	bool lease = m->lease && rests_with_lease(b, m);
	bool straight = !lease && !book_portset(b, m->at)->replied;

	if (straight)
		portset_leave(b, m->key.protocol, m->at);
	else
		add_rest(b, m, lease);
	*m = b->live[--b->n_live];
}

void book_remove_rest(struct book *b, struct held *r)
{
	memmove(r, r + 1, (size_t)(&b->rests[--b->n_rests] - r) * sizeof *r);
}

// ---- what the background did -----------------------------------------------------------------

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
			portset_leave(b, r.key.protocol, r.at);
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

// The mapping is gone: was that right, and where is its port now?
static void explain_end(struct book *b, struct mapping *m)
{
	struct pool *p = book_pool(b, m->at.addr);

	if (p->state == POOL_DRAINING) {
		if (m->lease && b->now_s < m->over_s) // otherwise it may have ended by itself
			b->epoch_s[m->key.host - HOST_0] = b->now_s;
		else if (m->lease)
			b->epoch_s[m->key.host - HOST_0] = nat_epoch_base(b->n, 1, m->key.host);
	} else if (m->lease) {
		TRUTH(b, b->now_s >= m->over_s, "a lease vanished %u s early",
			m->over_s - b->now_s);
		TRUTH(b, !book_has_traffic(b, m), "port %u", m->key.port);
		TRUTH(b, rests_with_lease(b, m) || b->leases_before >= b->limits.leases / 4 * 3,
			"port %u does not rest with its lease", m->key.port);
	} else {
		TRUTH(b, !book_has_traffic(b, m), "a mapping vanished %u s after its last packet",
			b->now_s - m->sent_s);
	}
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
	TRUTH(b, view.kind == NAT_IMPLICIT && book_has_traffic(b, m), "kind %u", view.kind);
	m->lease = false;
}

void book_reconcile(struct book *b)
{
	for (uint32_t i = b->n_live; i > 0; i--) { // backwards: book_end() moves the last one here
		struct mapping *m = &b->live[i - 1];
		struct recipe at;

		if (!nat_peek_out(b->n, &m->key, &at)) {
			explain_end(b, m);
			continue;
		}
		TRUTH(b, recipe_eq(at, m->at), "port %u moved to %u", m->at.port, at.port);
		if (m->lease)
			reconcile_lease(b, m);
	}
	book_reconcile_rests(b);
	for (ip4 host = HOST_0; host < HOST_0 + N_HOSTS; host++)
		book_check_epoch(b, host);
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
	for (uint32_t i = 0; i < N_STATICS; i++) {
		if (b->statics[i].at.addr == addr)
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
		uint32_t idle_s = b->now_s - m->sent_s;

		if (m->lease)
			TRUTH(b, b->now_s < m->over_s, "a lease is %u s late",
				b->now_s - m->over_s);
		else
			TRUTH(b, idle_s <= book_idle_timeout(b, m) + 11,
				"idle for %u s and still there", idle_s);
	}
	for (uint32_t i = 0; i < b->n_rests; i++)
		TRUTH(b, !time_is_over(b, &b->rests[i]), "port %u", b->rests[i].at.port);
	for (uint32_t i = 0; i < N_POOL; i++)
		check_pool(b, &b->pools[i]);
}

void book_check_gauges(struct book *b)
{
	const struct nat_counters *c = nat_counters(b->n);
	uint32_t leases = N_STATICS, blocks = 0, addresses = 0;

	for (uint32_t i = 0; i < b->n_live; i++)
		leases += b->live[i].lease;
	for (uint32_t i = 0; i < b->n_rests; i++)
		leases += b->rests[i].lease;
	for (uint32_t i = 0; i < N_POOL; i++) {
		addresses += b->pools[i].state != POOL_ABSENT;
		for (uint32_t k = 0; k < b->pools[i].n_blocks; k++)
			blocks += b->pools[i].blocks[k].owner != 0;
	}
	TRUTH(b, c->mappings == b->n_live + N_STATICS, "%u", b->n_live);
	TRUTH(b, c->resting == b->n_rests, "%u", b->n_rests);
	TRUTH(b, c->leases == leases, "%u", leases);
	TRUTH(b, c->blocks == blocks, "%u", blocks);
	TRUTH(b, c->addresses <= addresses, "%u", addresses);
	b->leases_before = leases;
	b->crowded = c->subscribers + 1 >= b->limits.subscribers / 4 * 3;
	if (b->crowded)
		b->crowded_s = b->now_s;
}
