// SPDX-License-Identifier: Apache-2.0
#include "neighbours.h"

#include <errno.h>
#include <stdlib.h>

#define HOMES_PER_NEIGHBOUR 4u // windows of 16 at a quarter full practically never overflow

uint32_t neighbours_places(const struct neighbours *t)
{
	return t->mask + NEIGHBOUR_WINDOW;
}

int neighbours_init(struct neighbours *t, uint32_t max, struct secret secret)
{
	uint32_t homes = NEIGHBOUR_WINDOW;

	while (homes < max * HOMES_PER_NEIGHBOUR)
		homes *= 2;
	*t = (struct neighbours){.mask = homes - 1, .max = max, .secret = secret};
	t->places = calloc(neighbours_places(t), sizeof *t->places);
	t->names = calloc(neighbours_places(t), sizeof *t->names);
	t->confirmed = calloc(neighbours_places(t), sizeof *t->confirmed);
	t->disputed = calloc(neighbours_places(t), sizeof *t->disputed);
	if (t->places && t->names && t->confirmed && t->disputed)
		return 0;
	neighbours_fini(t);
	return -ENOMEM;
}

void neighbours_fini(struct neighbours *t)
{
	free(t->places);
	free(t->names);
	free(t->confirmed);
	free(t->disputed);
	t->places = NULL;
	t->names = NULL;
	t->confirmed = NULL;
	t->disputed = NULL;
}

static void place_clear(struct neighbours *t, uint32_t i)
{
	if (t->places[i].key == 0)
		return;
	__atomic_store_n(&t->places[i].key, 0, __ATOMIC_RELEASE);
	t->n--;
}

static void place_fill(
	struct neighbours *t, uint32_t i, uint64_t key, ip6 name, uint64_t value, ns now)
{
	place_clear(t, i);
	t->names[i] = name;
	__atomic_store_n(&t->places[i].value, value, __ATOMIC_RELEASE);
	__atomic_store_n(&t->places[i].key, key, __ATOMIC_RELEASE);
	t->confirmed[i] = now;
	t->n++;
}

static bool is_static(const struct neighbours *t, uint32_t i)
{
	return t->places[i].key != 0 && t->places[i].value & NEIGHBOUR_FLAG_STATIC;
}

// What the window of `key` offers; PLACE_NONE where it offers nothing.
struct window {
	uint32_t same, empty;
	uint32_t oldest; // that is not static
};
#define PLACE_NONE UINT32_MAX

static struct window window_look(const struct neighbours *t, uint64_t key)
{
	struct window w = {PLACE_NONE, PLACE_NONE, PLACE_NONE};
	uint32_t first = neighbours_home(t, key);

	for (uint32_t i = first; i < first + NEIGHBOUR_WINDOW; i++) {
		if (t->places[i].key == key)
			w.same = i;
		else if (t->places[i].key == 0)
			w.empty = w.empty == PLACE_NONE ? i : w.empty;
		else if (!is_static(t, i) &&
			 (w.oldest == PLACE_NONE || t->confirmed[i] < t->confirmed[w.oldest]))
			w.oldest = i;
	}
	return w;
}

static enum neighbour_change confirm(struct neighbours *t, uint32_t i, const uint8_t mac[6], ns now)
{
	uint64_t was = t->places[i].value & ~(uint64_t)UINT16_MAX;
	uint64_t is = neighbour_value(mac, 0);

	__atomic_store_n(&t->places[i].value, is, __ATOMIC_RELEASE);
	t->confirmed[i] = now;
	return was == is ? NEIGHBOUR_KEPT : NEIGHBOUR_MOVED;
}

static bool has_mac(const struct neighbours *t, uint32_t i, const uint8_t mac[6])
{
	return (t->places[i].value ^ neighbour_value(mac, 0)) >> 16 == 0;
}

static void set_flags(struct neighbours *t, uint32_t i, uint64_t flags)
{
	uint64_t mac = t->places[i].value & ~(uint64_t)UINT16_MAX;

	__atomic_store_n(&t->places[i].value, mac | flags, __ATOMIC_RELEASE);
}

// What somebody with another MAC says of a known neighbour who is not static.
static enum neighbour_change contradict(
	struct neighbours *t, uint32_t i, const uint8_t mac[6], enum neighbour_word word, ns now)
{
	bool disputed = t->places[i].value & NEIGHBOUR_FLAG_DISPUTED;

	if (now >= t->confirmed[i] + NEIGHBOUR_STALE_NS)
		return confirm(t, i, mac, now);
	if (!disputed) {
		set_flags(t, i, NEIGHBOUR_FLAG_STALE | NEIGHBOUR_FLAG_DISPUTED);
		t->disputed[i] = now;
		return NEIGHBOUR_DISPUTED;
	}
	if (word == NEIGHBOUR_ANSWER && now >= t->disputed[i] + NEIGHBOUR_DISPUTE_NS)
		return confirm(t, i, mac, now);
	return NEIGHBOUR_REFUSED;
}

enum neighbour_change neighbours_learn(struct neighbours *t, uint64_t key, ip6 name,
	const uint8_t mac[6], enum neighbour_word word, ns now)
{
	struct window w = window_look(t, key);
	uint32_t place = t->n < t->max ? w.empty : PLACE_NONE;

	if (w.same != PLACE_NONE && is_static(t, w.same))
		return has_mac(t, w.same, mac) ? NEIGHBOUR_KEPT : NEIGHBOUR_REFUSED;
	if (w.same != PLACE_NONE)
		return has_mac(t, w.same, mac) ? confirm(t, w.same, mac, now)
					       : contradict(t, w.same, mac, word, now);
	if (word == NEIGHBOUR_HEARSAY)
		return NEIGHBOUR_REFUSED;
	if (place == PLACE_NONE && word == NEIGHBOUR_ANSWER)
		place = w.oldest;
	if (place == PLACE_NONE)
		return NEIGHBOUR_REFUSED;
	place_fill(t, place, key, name, neighbour_value(mac, 0), now);
	return NEIGHBOUR_NEW;
}

// Of all who are not static, the next one round the table.
static bool evict_any(struct neighbours *t)
{
	uint32_t n = neighbours_places(t);

	for (uint32_t left = n; left > 0; left--) {
		uint32_t i = t->evict_cursor;
		t->evict_cursor = i + 1 < n ? i + 1 : 0;
		if (t->places[i].key == 0 || is_static(t, i))
			continue;
		place_clear(t, i);
		return true;
	}
	return false;
}

bool neighbours_set_static(
	struct neighbours *t, uint64_t key, ip6 name, const uint8_t mac[6], ns now)
{
	struct window w = window_look(t, key);
	uint64_t value = neighbour_value(mac, NEIGHBOUR_FLAG_STATIC);

	if (w.same != PLACE_NONE) {
		t->names[w.same] = name;
		__atomic_store_n(&t->places[w.same].value, value, __ATOMIC_RELEASE);
		return true;
	}
	bool full = t->n >= t->max;
	uint32_t place =
		w.empty == PLACE_NONE || (full && w.oldest != PLACE_NONE) ? w.oldest : w.empty;
	if (place == PLACE_NONE || (full && place == w.empty && !evict_any(t)))
		return false;
	place_fill(t, place, key, name, value, now);
	return true;
}

static void age_place(struct neighbours *t, uint32_t i, ns now)
{
	struct neighbour_place *p = &t->places[i];

	if (p->key == 0 || is_static(t, i) || now < t->confirmed[i] + NEIGHBOUR_STALE_NS)
		return;
	if (now >= t->confirmed[i] + NEIGHBOUR_GONE_NS)
		place_clear(t, i);
	else if ((p->value & UINT16_MAX) != NEIGHBOUR_FLAG_STALE)
		set_flags(t, i, NEIGHBOUR_FLAG_STALE);
}

void neighbours_age(struct neighbours *t, uint32_t budget, ns now)
{
	uint32_t n = neighbours_places(t);

	for (budget = min_u32(budget, n); budget > 0; budget--) {
		age_place(t, t->age_cursor, now);
		t->age_cursor = t->age_cursor + 1 < n ? t->age_cursor + 1 : 0;
	}
}

void neighbours_prune(struct neighbours *t, neighbour_keeper *keep, const void *ctx)
{
	for (uint32_t i = 0; i < neighbours_places(t); i++) {
		if (t->places[i].key != 0 &&
			!keep(ctx, t->places[i].key, t->names[i], is_static(t, i)))
			place_clear(t, i);
	}
}
