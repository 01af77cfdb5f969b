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

void book_leave(struct book *b, uint8_t protocol, struct recipe at)
{
	struct portset *k = book_portset(b, at);

	k->n[protocol - 1]--;
	if (portset_used(k) == 0) {
		k->owner = 0;
		k->replied = false;
	}
}

void book_count_static(struct book *b, uint8_t protocol, struct recipe at, int change)
{
	struct portset *k = book_portset(b, at);

	if (k != NULL && !is_reserved(&book_pool(b, at.addr)->address, protocol, at.port))
		k->statics[protocol - 1] += (uint32_t)change;
	b->n_statics += (uint32_t)change;
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
	for (uint32_t i = 0; i < ARRAY_SIZE(b->statics); i++) {
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

struct peer *book_find_peer(struct book *b, struct nat_key key, struct recipe remote)
{
	for (uint32_t i = 0; i < b->n_peers; i++) {
		if (key_eq(b->peers[i].key, key) && recipe_eq(b->peers[i].remote, remote))
			return &b->peers[i];
	}
	return NULL;
}

uint32_t book_count_peers(const struct book *b, struct nat_key key)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_peers; i++)
		count += key_eq(b->peers[i].key, key);
	return count;
}

bool book_is_leased(const struct book *b, const struct mapping *m)
{
	return m->lease || book_count_peers(b, m->key) > 0;
}

uint32_t book_count_leases(const struct book *b, ip4 host)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_live; i++)
		count += b->live[i].lease && b->live[i].key.host == host;
	for (uint32_t i = 0; i < b->n_peers; i++)
		count += b->peers[i].key.host == host;
	return count;
}

uint32_t book_count_records(const struct book *b)
{
	uint32_t count = b->n_peers;

	for (uint32_t i = 0; i < b->n_live; i++)
		count += b->live[i].lease && b->live[i].set_at == 0;
	return count;
}

uint32_t book_count_set(const struct book *b, const struct mapping *m)
{
	uint32_t count = 0;

	for (uint32_t i = 0; m->set != 0 && i < b->n_live; i++)
		count += b->live[i].set == m->set;
	return m->set != 0 ? count : 1;
}

uint32_t book_count_filters(const struct book *b)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_live; i++)
		count += b->live[i].set_at == 0 ? b->live[i].n_filters : 0;
	return count;
}

uint32_t book_count_texts(const struct book *b)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_live; i++)
		count += b->live[i].set_at == 0 && b->live[i].text_length > 0;
	for (uint32_t i = 0; i < b->n_peers; i++)
		count += b->peers[i].text_length > 0;
	return count;
}

uint32_t book_count_live_blocks(const struct book *b, ip4 host)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < N_POOL; i++)
		for (uint32_t k = 0; k < b->pools[i].n_blocks; k++)
			count += b->pools[i].state == POOL_LIVE &&
				 b->pools[i].blocks[k].owner == host;
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
	if (m->rule)
		return t->ports[0].seconds;
	if (m->replied)
		return t->udp;
	if (book_portset(b, m->at)->replied)
		return t->udp_initial;
	return min_u32(t->udp_initial, t->udp_unanswered);
}

bool book_has_traffic(struct book *b, const struct mapping *m)
{
	uint32_t left_s;

	return book_traffic_left(b, m, &left_s);
}

// ---- changes ---------------------------------------------------------------------------------

void book_occupy(struct book *b, ip4 host, uint8_t protocol, struct recipe at, uint32_t n_blocks)
{
	struct pool *p = book_pool(b, at.addr);
	struct portset *k = book_portset(b, at);
	const struct nat_policy *policy = &b->policy[group_of(host)];

	TRUTH(b, p != NULL && p->state == POOL_LIVE, "%08x", at.addr);
	TRUTH(b, p->address.group == group_of(host), "host %08x on %08x", host, at.addr);
	TRUTH(b, k != NULL && k->whole, "port %u", at.port);
	TRUTH(b, !is_reserved(&p->address, protocol, at.port), "port %u", at.port);
	TRUTH(b, !book_find_at(b, protocol, at), "port %u given twice", at.port);
	TRUTH(b, !book_find_rest(b, protocol, at), "port %u still rests", at.port);
	TRUTH(b, !book_find_static(b, protocol, at), "port %u is static", at.port);
	TRUTH(b, k->owner == 0 || k->owner == host, "port %u is in another's block", at.port);
	TRUTH(b, k->owner != 0 || n_blocks < policy->block_limit, "%u blocks", n_blocks);
	k->owner = host;
	k->n[protocol - 1]++;
}

struct mapping *book_make(struct book *b, struct nat_key key, struct recipe at)
{
	const struct nat_policy *policy = &b->policy[group_of(key.host)];
	struct mapping *m = &b->live[b->n_live];

	TRUTH(b,
		policy->port_limit == 0 ||
			book_count_ports(b, key.host, key.protocol) < policy->port_limit,
		"host %08x", key.host);
	TRUTH(b, b->n_live + b->n_statics < b->limits.mappings, "%u", b->n_live);
	TRUTH(b, book_find(b, key) == NULL, "port %u", key.port);
	book_occupy(b, key.host, key.protocol, at, book_count_blocks(b, key.host));
	b->n_live++;
	*m = (struct mapping){.key = key, .at = at};
	return m;
}

// The tables' own record of a lease that rests with this port, if there is one.
bool book_rests_with_lease(const struct book *b, const struct mapping *m, uint8_t *nonce)
{
	for (uint32_t i = 0; i < b->n->lease_high; i++) {
		const struct lease *l = &b->n->leases[i];
		if (l->state == LEASE_RESTING && key_eq(l->key, m->key) &&
			recipe_eq(ext_recipe(b->n, l->ext), m->at)) {
			*nonce = l->nonce[0];
			return true;
		}
	}
	return false;
}

void book_add_rest(struct book *b, const struct mapping *m, bool lease)
{
	TRUTH(b, b->n_rests < MAX_RESTS, "%u", b->n_rests);
	b->rests[b->n_rests++] = (struct held){.key = m->key,
		.at = m->at,
		.since_s = b->now_s,
		.nonce = m->nonce,
		.lease = lease,
		.replied = m->replied};
}

void book_vacate(struct book *b, const struct mapping *m)
{
	if (book_portset(b, m->at)->replied)
		book_add_rest(b, m, false);
	else
		book_leave(b, m->key.protocol, m->at);
}

static bool had_nonce(const struct book *b, const struct mapping *m, uint8_t nonce)
{
	bool had = m->lease && m->set == 0 && m->nonce == nonce;

	for (uint32_t i = 0; i < b->n_peers; i++)
		had |= key_eq(b->peers[i].key, m->key) && b->peers[i].nonce == nonce;
	return had;
}

void book_end_peers(struct book *b, struct nat_key key)
{
	for (uint32_t i = b->n_peers; i > 0; i--) {
		if (key_eq(b->peers[i - 1].key, key))
			b->peers[i - 1] = b->peers[--b->n_peers];
	}
}

void book_end(struct book *b, struct mapping *m)
{
	uint8_t nonce;

	if (book_rests_with_lease(b, m, &nonce)) {
		TRUTH(b, had_nonce(b, m, nonce), "port %u rests for a stranger", m->at.port);
		m->nonce = nonce;
		book_add_rest(b, m, true);
	} else {
		book_vacate(b, m);
	}
	book_end_peers(b, m->key);
	book_end_flows(b, m->key);
	*m = b->live[--b->n_live];
}

void book_unlease(struct book *b, struct mapping *m, bool now)
{
	if (book_count_peers(b, m->key) == 0 && (now || !book_has_traffic(b, m))) {
		book_end(b, m);
		return;
	}
	m->lease = m->exact = m->moved = m->adopted = false;
	m->set = m->set_at = m->n_filters = m->text_length = 0;
}

void book_delete(struct book *b, struct mapping *m)
{
	uint32_t set = m->set;
	ip4 host = m->key.host;

	if (book_is_leased(b, m))
		b->epoch_s[host - HOST_0] = b->now_s;
	if (set == 0) {
		book_end(b, m);
		return;
	}
	for (uint32_t i = b->n_live; i > 0; i--) {
		if (b->live[i - 1].set == set)
			book_end(b, &b->live[i - 1]);
	}
}

void book_remove_rest(struct book *b, struct held *r)
{
	memmove(r, r + 1, (size_t)(&b->rests[--b->n_rests] - r) * sizeof *r);
}
