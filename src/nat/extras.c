// SPDX-License-Identifier: Apache-2.0
// What few leases have: FILTERs (RFC 6887 s.13.3), a DESCRIPTION (RFC 7220), a remote peer, a set's
// size. Plain MAP leases have no record here.
#include <postern/nat.h>

#include "grants.h"
#include "sessions.h"

uint32_t slab_get(struct slab *s)
{
	uint32_t index = s->free;
	uint8_t *item;

	if (index == 0 && s->high == s->room)
		return 0;
	if (index == 0)
		index = ++s->high;
	item = s->items + (size_t)(index - 1) * s->size;
	if (index == s->free)
		memcpy(&s->free, item, sizeof s->free);
	memset(item, 0, s->size);
	return index;
}

void slab_put(struct slab *s, uint32_t index)
{
	memcpy(s->items + (size_t)(index - 1) * s->size, &s->free, sizeof s->free);
	s->free = index;
}

static inline struct filter *filter_at(const struct nat *n, uint32_t index)
{
	return (struct filter *)(void *)n->filters.items + (index - 1);
}

static inline struct text *text_at(const struct nat *n, uint32_t index)
{
	return (struct text *)(void *)n->texts.items + (index - 1);
}

bool extra_has_room(const struct nat *n)
{
	return n->extras.free != 0 || n->extras.high < n->extras.room;
}

struct extra *extra_need(struct nat *n, struct lease *l)
{
	if (l->extra == 0) { // whoever comes here has asked whether there is room
		l->extra = slab_get(&n->extras);
		n->counters.lease_details++;
		extra_at(n, l->extra)->client_realm = l->key.realm;
	}
	return extra_at(n, l->extra);
}

// ---- texts -----------------------------------------------------------------------------------

static void text_drop(struct nat *n, struct extra *x)
{
	if (x->text == 0)
		return;
	slab_put(&n->texts, x->text);
	x->text = 0;
	n->counters.descriptions--;
}

// A text that finds no room is left out.
void text_write(struct nat *n, uint32_t lease, const struct nat_wish *w)
{
	struct lease *l = &n->leases[lease];
	struct extra *x = lease_extra(n, l);
	struct text *t;

	if (w->text_length == 0 || w->text_length > NAT_DESCRIPTION) {
		if (x != NULL)
			text_drop(n, x);
		return;
	}
	if (x == NULL && !extra_has_room(n))
		return;
	x = extra_need(n, l);
	if (x->text == 0) {
		x->text = slab_get(&n->texts);
		if (x->text == 0)
			return;
		n->counters.descriptions++;
	}
	t = text_at(n, x->text);
	t->length = w->text_length;
	memcpy(t->octets, w->text, w->text_length);
}

uint8_t text_length(const struct nat *n, const struct extra *x)
{
	return x->text != 0 ? text_at(n, x->text)->length : 0;
}

static const struct extra *extra_shown(const struct nat *n, const struct nat_key *key)
{
	uint32_t slot = slot_find(n, key);
	uint32_t i = slot == NO_SLOT ? NO_LEASE : lease_shown(n, slot);

	return i == NO_LEASE ? NULL : lease_extra(n, &n->leases[i]);
}

static uint32_t text_read(const struct nat *n, const struct extra *x, uint8_t *out, uint32_t max)
{
	uint32_t length = x == NULL ? 0 : min_u32(text_length(n, x), max);

	if (length > 0)
		memcpy(out, text_at(n, x->text)->octets, length);
	return length;
}

uint32_t nat_lease_text(const struct nat *n, const struct nat_key *key, uint8_t *out, uint32_t max)
{
	return text_read(n, extra_shown(n, key), out, max);
}

uint32_t nat_peer_text(const struct nat *n, const struct nat_key *key, struct recipe remote,
	uint8_t *out, uint32_t max)
{
	uint32_t i = peer_find(n, key, remote);

	return i == NO_LEASE ? 0 : text_read(n, lease_extra(n, &n->leases[i]), out, max);
}

// ---- filters ---------------------------------------------------------------------------------

static struct nat_filter filter_cut(struct nat_filter f)
{
	f.bits = f.bits > 32 ? 32 : f.bits;
	f.address &= prefix4_mask(f.bits);
	return f;
}

static bool filter_is(const struct filter *a, const struct nat_filter *b)
{
	return a->address == b->address && a->bits == b->bits && a->port == b->port;
}

static bool filters_have(const struct nat *n, const struct extra *x, const struct nat_filter *f)
{
	for (uint32_t i = x ? x->filters : 0; i != 0; i = filter_at(n, i)->next) {
		if (filter_is(filter_at(n, i), f))
			return true;
	}
	return false;
}

// Whether one of the first `count` of the wish is the same.
static bool wish_has(const struct nat_wish *w, uint32_t count, const struct nat_filter *f)
{
	for (uint32_t i = 0; i < count; i++) {
		struct nat_filter other = filter_cut(w->filters[i]);
		if (other.address == f->address && other.bits == f->bits && other.port == f->port)
			return true;
	}
	return false;
}

enum nat_grant filters_check(const struct grant *g, uint32_t lease)
{
	const struct nat *n = g->n;
	const struct nat_wish *w = g->wish;
	const struct extra *x = lease == NO_LEASE ? NULL : lease_extra(n, &n->leases[lease]);
	uint32_t had = x == NULL ? 0 : x->n_filters, kept = w->clear_filters ? 0 : had, new = 0;

	for (uint32_t i = 0; i < w->n_filters; i++) {
		struct nat_filter f = filter_cut(w->filters[i]);
		new += !wish_has(w, i, &f) && !(kept > 0 && filters_have(n, x, &f));
	}
	if (new == 0)
		return NAT_GRANTED;
	if (kept + new > g->policy->filter_limit)
		return NAT_TOO_MANY_FILTERS;
	return n->counters.filters - (had - kept) + new <= n->limits.filters ? NAT_GRANTED
									     : NAT_NO_RESOURCES;
}

static void filters_drop(struct nat *n, struct extra *x)
{
	while (x->filters != 0) {
		uint32_t i = x->filters;

		x->filters = filter_at(n, i)->next;
		slab_put(&n->filters, i);
	}
	n->counters.filters -= x->n_filters;
	x->n_filters = 0;
}

static void filter_add(struct nat *n, struct extra *x, const struct nat_filter *f)
{
	uint32_t *link = &x->filters, i = slab_get(&n->filters);

	while (*link != 0)
		link = &filter_at(n, *link)->next;
	*link = i;
	*filter_at(n, i) = (struct filter){.address = f->address, .port = f->port, .bits = f->bits};
	x->n_filters++;
	n->counters.filters++;
}

static void write_filtered(struct nat *n, const struct lease *l, bool any)
{
	for (uint32_t i = 0; i < lease_ports(n, l); i++) {
		struct entry *e = entry_at(n, l->key.protocol, l->ext + i);
		struct nat_key key = set_key(l, i);

		e->bits = (uint8_t)((e->bits & ~EXT_FILTERS) | (any ? EXT_FILTERS : 0));
		visit_update(n, i == 0 ? l->slot : slot_find(n, &key));
	}
}

// filters_check() found room for all.
void filters_write(struct nat *n, uint32_t lease, const struct nat_wish *w)
{
	struct lease *l = &n->leases[lease];
	struct extra *x = lease_extra(n, l);

	if (w->clear_filters && x != NULL)
		filters_drop(n, x);
	for (uint32_t i = 0; i < w->n_filters; i++) {
		struct nat_filter f = filter_cut(w->filters[i]);

		x = extra_need(n, l);
		if (!filters_have(n, x, &f))
			filter_add(n, x, &f);
	}
	write_filtered(n, l, x != NULL && x->n_filters > 0);
}

uint32_t nat_lease_filters(
	const struct nat *n, const struct nat_key *key, struct nat_filter *out, uint32_t max)
{
	const struct extra *x = extra_shown(n, key);
	uint32_t count = 0;

	for (uint32_t i = x ? x->filters : 0; i != 0 && count < max; i = filter_at(n, i)->next) {
		const struct filter *f = filter_at(n, i);
		out[count++] = (struct nat_filter){f->address, f->bits, f->port};
	}
	return count;
}

void extra_drop(struct nat *n, struct lease *l)
{
	struct extra *x = lease_extra(n, l);

	if (x == NULL)
		return;
	filters_drop(n, x);
	text_drop(n, x);
	slab_put(&n->extras, l->extra);
	n->counters.lease_details--;
	l->extra = 0;
}

// ---- packets ---------------------------------------------------------------------------------

bool filters_admit(const struct nat *n, const struct nat_in *p)
{
	uint32_t lease = lease_find(n, &p->to, false);
	const struct extra *x;

	if (lease == NO_LEASE) // a port of a set
		lease = lease_on(n, slot_find(n, &p->to));
	x = lease_extra(n, &n->leases[lease]);
	if (x == NULL || x->filters == 0)
		return true;
	for (uint32_t i = x->filters; i != 0; i = filter_at(n, i)->next) {
		const struct filter *f = filter_at(n, i);
		bool port_fits = f->port == 0 || f->port == p->from.port || p->protocol == NAT_ICMP;

		if (port_fits && (p->from.addr & prefix4_mask(f->bits)) == f->address)
			return true;
	}
	return peer_find(n, &p->to, p->from) != NO_LEASE;
}

static void see_filter(const struct nat *n, const struct lease *l)
{
	const struct extra *x = lease_extra(n, l);

	if (x != NULL && x->filters != 0)
		prefetch_read(filter_at(n, x->filters));
}

// Head of the chain, lease (mostly the first or second of it), what else it has, its first FILTER.
void foresee_filters(const struct nat *n, const uint64_t *words, unsigned count)
{
	const uint32_t *head[NAT_BURST];
	const struct lease *l[NAT_BURST];

	for (unsigned i = 0; i < count; i++) {
		head[i] = &n->lease_heads[(uint32_t)hash_u64(words[i], &n->secret) & n->lease_mask];
		prefetch_read(head[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		l[i] = *head[i] != 0 ? &n->leases[*head[i] - 1] : NULL;
		prefetch_read(l[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		if (l[i] == NULL || key_word(&l[i]->key) == words[i] || l[i]->chain == 0)
			continue;
		l[i] = &n->leases[l[i]->chain - 1];
		prefetch_read(l[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		if (l[i] != NULL && l[i]->extra != 0)
			prefetch_read(lease_extra(n, l[i]));
	}
	for (unsigned i = 0; i < count; i++) {
		if (l[i] != NULL)
			see_filter(n, l[i]);
	}
}
