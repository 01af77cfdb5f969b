// SPDX-License-Identifier: Apache-2.0
// Which records of an array are free again. They are given out in the order in which they stand,
// and not in the order in which they came back: after many came back at once, neighbours in memory
// go out one after the other, and the next is there before it is asked for. A search takes one word
// a level.
#include <postern/nat.h>

#include "tables.h"

// The first from `from` on, or NO_VACANT.
static uint32_t find_from(const struct vacant *v, uint32_t from)
{
	for (unsigned level = 0; level < VACANT_LEVELS; level++) {
		uint32_t w = from / 64;
		uint64_t word = 0;

		if (w < v->n_words[level])
			word = v->levels[level][w] & UINT64_MAX << from % 64;
		from = w + 1;
		if (word == 0)
			continue;
		from = w * 64 + (uint32_t)__builtin_ctzll(word);
		while (level-- > 0)
			from = from * 64 + (uint32_t)__builtin_ctzll(v->levels[level][from]);
		return from;
	}
	return NO_VACANT;
}

void vacant_put(struct vacant *v, uint32_t i)
{
	if (v->next == 0)
		v->next = i + 1;
	for (unsigned level = 0; level < VACANT_LEVELS; level++, i /= 64) {
		uint64_t before = v->levels[level][i / 64];

		v->levels[level][i / 64] = before | UINT64_C(1) << i % 64;
		if (before != 0) // known above
			return;
	}
}

uint32_t vacant_get(struct vacant *v)
{
	uint32_t got = v->next - 1, i = got, next;

	if (v->next == 0)
		return NO_VACANT;
	for (unsigned level = 0; level < VACANT_LEVELS; level++, i /= 64) {
		v->levels[level][i / 64] &= ~(UINT64_C(1) << i % 64);
		if (v->levels[level][i / 64] != 0)
			break;
	}
	next = find_from(v, got + 1);
	if (next == NO_VACANT)
		next = find_from(v, 0);
	v->next = next + 1; // NO_VACANT + 1 is 0
	return got;
}
