// SPDX-License-Identifier: Apache-2.0
// What goes round in a feed: buffers on belts, and which pair the next frame is about. A belt is
// filled a burst at a time, so that the pairs' memory is on its way before the first is written.
#include <stdlib.h>

#include "worker_feed.h"

enum {
	BELT_SLACK = 2 // a belt holds at most so many times what is wanted of it
};

void belt_empty(struct belt *b)
{
	for (; b->n > 0; b->n--)
		rte_pktmbuf_free(b->frames[b->head++ & b->mask]);
}

bool belt_make_room(struct belt *b, uint32_t wanted)
{
	uint32_t room = rte_align32pow2(BELT_SLACK * wanted + FEED_BURST);

	b->wanted = wanted;
	b->head = 0;
	if (b->frames && b->mask + 1 >= room)
		return true;
	free(b->frames);
	b->frames = calloc(room, sizeof *b->frames);
	b->mask = b->frames ? room - 1 : 0;
	return b->frames != NULL;
}

// ---- frames about pairs ----------------------------------------------------------------------

static inline uint32_t draw(struct feed *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return (uint32_t)(f->random >> 32);
}

static inline uint32_t draw_below(struct feed *f, uint32_t n)
{
	return (uint32_t)((uint64_t)draw(f) * n >> 32);
}

struct subject {
	const struct pair *pair;
	uint32_t index;
};

static inline struct subject subject_at(const struct feed *f, uint16_t worker, uint32_t i)
{
	const struct pairs *p = &f->setup.pairs[worker];

	return (struct subject){&p->at[i], i};
}

static inline struct subject choose_data(struct feed *f)
{
	const struct order *o = &f->order;
	uint16_t worker = f->setup.worker;

	if (o->each_once)
		return subject_at(f, worker, o->first + f->cursor++);
	if (unlikely(o->strangers) && draw(f) < o->strangers) {
		worker = (uint16_t)((worker + 1) % f->setup.n_workers);
		return subject_at(f, worker, draw_below(f, f->setup.pairs[worker].n));
	}
	return subject_at(f, worker, o->first + draw_below(f, o->count));
}

static inline struct subject choose_map(struct feed *f)
{
	const struct order *o = &f->order;
	uint32_t i = o->map_each_once ? f->map_cursor++ : draw_below(f, o->map_count);

	return subject_at(f, f->setup.worker, o->map_first + i);
}

// How many more frames of this role are to be made at all.
static uint32_t left_of(const struct feed *f, enum role role)
{
	if (role == ROLE_MAP)
		return f->order.map_each_once ? f->order.map_count - f->map_cursor : UINT32_MAX;
	return f->order.each_once ? f->order.count - f->cursor : UINT32_MAX;
}

static void write_map(struct feed *f, struct rte_mbuf *m, const struct subject *s)
{
	struct template *t = &f->templates[ROLE_MAP];

	if (f->order.map_deletes && draw(f) < f->order.map_deletes) {
		struct template once = *t;

		frame_lifetime(&once, 0);
		frame_map(m, &once, s->pair, s->index, false);
		return;
	}
	frame_map(m, t, s->pair, s->index, f->order.map_suggest);
}

// At most FEED_BURST buffers get frames of this role; how many did.
static uint16_t write_frames(struct feed *f, enum role role, struct rte_mbuf **m, uint32_t n)
{
	struct subject of[FEED_BURST];

	n = min_u32(n, left_of(f, role));
	for (uint32_t i = 0; i < n; i++) {
		of[i] = role == ROLE_MAP ? choose_map(f) : choose_data(f);
		rte_prefetch0(of[i].pair);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (role == ROLE_MAP)
			write_map(f, m[i], &of[i]);
		else
			frame_write(m[i], &f->templates[role], role, of[i].pair, of[i].index,
				f->order.untranslated);
		belt_put(&f->belts[role], m[i]);
	}
	return (uint16_t)n;
}

// The role that is furthest from what is wanted of it, ROLES: none.
static enum role role_in_need(const struct feed *f)
{
	enum role best = ROLES;
	int64_t most = INT64_MIN;

	for (enum role r = 0; r < ROLES; r++) {
		const struct belt *b = &f->belts[r];
		int64_t need = (int64_t)b->wanted - b->n;

		if (b->wanted == 0 || b->n >= BELT_SLACK * b->wanted || left_of(f, r) == 0)
			continue;
		if (need > most) {
			most = need;
			best = r;
		}
	}
	return best;
}

void feed_recycle(struct feed *f, struct rte_mbuf **m, uint16_t n)
{
	enum role role = role_in_need(f);
	uint16_t used = role == ROLES ? 0 : write_frames(f, role, m, n);

	for (uint16_t i = used; i < n; i++)
		rte_pktmbuf_free(m[i]);
}

void feed_top_up(struct feed *f, enum role role, uint32_t until)
{
	struct belt *b = &f->belts[role];

	while (b->n < until) {
		struct rte_mbuf *m[FEED_BURST];
		uint32_t n = min_u32(min_u32(FEED_BURST, until - b->n), left_of(f, role));

		if (n == 0 || rte_pktmbuf_alloc_bulk(f->setup.pool, m, n) != 0)
			return;
		write_frames(f, role, m, n);
	}
}
