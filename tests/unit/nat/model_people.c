// SPDX-License-Identifier: Apache-2.0
// What the operator does, and what he sees.
#include <errno.h>

#include "operations.h"

// ---- what people do --------------------------------------------------------------------------

void delete_mapping(struct model *m)
{
	struct book *b = &m->book;
	struct nat_key key = some_key(m);
	struct mapping *old = book_find(b, key);

	TRUTH(b, nat_delete(b->n, &key, b->now_s) == (old != NULL), "port %u", key.port);
	if (old == NULL)
		return;
	book_delete(b, old);
	book_reconcile_rests(b);
	book_check_epoch(b, key.host);
}

void clear_subscriber(struct model *m)
{
	struct book *b = &m->book;
	ip4 host = HOST_0 + below(m, m->phase.hosts);
	uint32_t budget = 1 + below(m, 300);
	uint32_t calls = 1;
	// Each of a block's ports is looked at, and the end of its mapping costs 16 looks.
	uint32_t most = 2 * book_count_blocks(b, host) * (3 * 64 * 17 / budget + 2) + 2;

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

void change_pool(struct model *m)
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

// ---- the operator's static mappings ----------------------------------------------------------

static struct nat_key operators_key(unsigned i)
{
	return (struct nat_key){.host = HOST_0 + 102 + i % N_GROUPS,
		.port = (uint16_t)(2000 + i),
		.realm = 1,
		.protocol = (uint8_t)(NAT_UDP + i % NAT_PROTOCOLS)};
}

static void forget_static(struct book *b, struct mapping *s)
{
	TRUTH(b, nat_delete(b->n, &s->key, b->now_s), "port %u", s->at.port);
	book_count_static(b, s->key.protocol, s->at, -1);
	book_end_flows(b, s->key);
	*s = (struct mapping){0};
}

// Whoever has the port goes; the port itself may have to rest first.
static void judge_static(struct book *b, struct nat_key key, struct recipe at, int error)
{
	struct mapping *in_the_way = book_find_at(b, key.protocol, at);
	const struct nat_counters *c = nat_counters(b->n);

	if (error == -ENOENT || error == -EEXIST || error == -ENOSPC) {
		TRUTH(b, error != -ENOENT || book_pool(b, at.addr)->state != POOL_LIVE, "%u",
			at.port);
		TRUTH(b, error != -EEXIST || book_find_static(b, key.protocol, at), "%u", at.port);
		TRUTH(b,
			error != -ENOSPC || c->mappings >= b->limits.mappings ||
				c->leases >= b->limits.leases ||
				c->subscribers >= b->limits.subscribers,
			"%u", at.port);
		return;
	}
	TRUTH(b, error == 0 || error == -EAGAIN, "%d", error);
	b->operators_evicted += in_the_way != NULL;
	if (in_the_way != NULL)
		book_delete(b, in_the_way);
	book_reconcile_rests(b);
	TRUTH(b, (error == -EAGAIN) == (book_find_rest(b, key.protocol, at) != NULL), "%u",
		at.port);
	if (error == 0)
		book_count_static(b, key.protocol, at, 1);
}

void change_static(struct model *m)
{
	struct book *b = &m->book;
	unsigned i = below(m, N_OPERATORS);
	struct mapping *s = &b->statics[N_STATICS + i];
	struct nat_key key = operators_key(i);
	struct recipe at;
	int error;

	if (s->key.protocol != 0) {
		forget_static(b, s);
		return;
	}
	at = random_external(m, i % N_GROUPS);
	if (b->n_live > 0 && one_in(m, 2))
		at = b->live[below(m, b->n_live)].at;
	error = nat_static_add(b->n, &key, at, true, b->now_s);
	judge_static(b, key, at, error);
	if (error != 0)
		return;
	*s = (struct mapping){.key = key, .at = at};
}

// ---- pairing without a mapping ---------------------------------------------------------------

// The port that was put to rest is the last of the list.
static void note_paired(struct book *b, ip4 host, ip4 external)
{
	const struct nat *n = b->n;
	const struct rest *last = &n->rests[(n->rest_head + n->rest_count - 1) % n->rest_room];
	struct mapping m = {.key = {.host = host, .realm = 1, .protocol = NAT_UDP},
		.at = ext_recipe(n, last->ext)};

	TRUTH(b, m.at.addr == external && (last->at_protocol & 3) == NAT_UDP, "%08x", external);
	book_occupy(b, host, NAT_UDP, m.at, book_count_blocks(b, host));
	book_add_rest(b, &m, false);
	b->paired++;
}

void pair_host(struct model *m)
{
	struct book *b = &m->book;
	ip4 host = HOST_0 + below(m, m->phase.hosts), external = 0;
	struct nat_key key = {.host = host, .realm = 1, .protocol = NAT_UDP};
	struct nat_subscriber_view view = {0};
	unsigned group = group_of(host);
	bool paired = book_count_blocks(b, host) > 0;
	enum drop why;

	nat_subscriber_find(b->n, 1, host, &view);
	paired = paired && book_pool(b, view.external)->state == POOL_LIVE;
	why = nat_pair(b->n, &b->policy[group], (uint8_t)group, 1, host, b->now_s, &external);
	book_reconcile_rests(b);
	if (why != DROP_NONE)
		book_justify_drop(b, &key, why);
	else if (paired)
		TRUTH(b, view.external == external, "%08x, not %08x", external, view.external);
	else
		note_paired(b, host, external);
}

// ---- looks -----------------------------------------------------------------------------------

// What RFC 7753 calls overlap: every lease in the range once, in order.
void look_over(struct model *m)
{
	struct book *b = &m->book;
	struct nat_key key = some_key(m);
	uint16_t n_ports = (uint16_t)(1 + below(m, N_PORTS));
	struct nat_view views[N_PORTS];
	unsigned count = nat_lease_overlap(b->n, &key, n_ports, b->now_s, views, N_PORTS), seen = 0;
	uint32_t last_set = 0;

	for (uint32_t port = key.port; port < (uint32_t)key.port + n_ports; port++) {
		struct nat_key at = {key.host, (uint16_t)port, 1, key.protocol};
		const struct mapping *l = book_find(b, at);

		if (l == NULL || !l->lease || (l->set != 0 && l->set == last_set))
			continue;
		TRUTH(b, seen < count, "port %u is left out", port);
		TRUTH(b, views[seen].key.port == l->key.port - l->set_at, "port %u", port);
		TRUTH(b, views[seen].n_ports == book_count_set(b, l), "port %u", port);
		last_set = l->set;
		seen++;
	}
	TRUTH(b, seen == count, "%u, not %u", count, seen);
}
