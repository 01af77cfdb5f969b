// SPDX-License-Identifier: Apache-2.0
// The set of free records against a list of booleans.
#include "world.h"

struct shelf {
	struct vacant set;
	bool *free;
	uint32_t room, count;
	struct rng dice;
};

static void shelf_open(struct shelf *s, uint32_t room)
{
	uint32_t words = room;

	*s = (struct shelf){.room = room, .free = calloc(room, sizeof(bool))};
	for (unsigned level = 0; level < VACANT_LEVELS; level++) {
		words = words / 64 + 1;
		s->set.n_words[level] = words;
		s->set.levels[level] = calloc(words, sizeof(uint64_t));
		cr_assert_not_null(s->set.levels[level]);
	}
	rng_init_u64(&s->dice, room);
}

static void shelf_close(struct shelf *s)
{
	for (unsigned level = 0; level < VACANT_LEVELS; level++)
		free(s->set.levels[level]);
	free(s->free);
}

static void put(struct shelf *s, uint32_t i)
{
	if (s->free[i])
		return;
	s->free[i] = true;
	s->count++;
	vacant_put(&s->set, i);
}

// What is given out was free, and something is while anything is.
static void get(struct shelf *s)
{
	uint32_t i = vacant_get(&s->set);

	cr_assert_eq(i == NO_VACANT, s->count == 0);
	if (i == NO_VACANT)
		return;
	cr_assert(i < s->room && s->free[i], "%u of %u", i, s->room);
	s->free[i] = false;
	s->count--;
}

Test(vacant, whatever_comes_back_goes_out_once)
{
	static const uint32_t rooms[] = {1, 2, 63, 64, 65, 4095, 4096, 4097, 300000};

	for (unsigned r = 0; r < ARRAY_SIZE(rooms); r++) {
		struct shelf s;

		shelf_open(&s, rooms[r]);
		for (unsigned i = 0; i < 100000; i++) {
			bool fill = i / 1000 % 2 == 0;

			if (rng_below(&s.dice, 4) != 0 ? fill : !fill)
				put(&s, rng_below(&s.dice, s.room));
			else
				get(&s);
		}
		while (s.count > 0)
			get(&s);
		get(&s);
		shelf_close(&s);
	}
}

// After many came back in any order, they go out as they stand in memory.
Test(vacant, neighbours_go_out_one_after_the_other)
{
	struct shelf s;
	uint32_t before = 0;

	shelf_open(&s, 10000);
	for (unsigned i = 0; i < 50000; i++)
		put(&s, rng_below(&s.dice, s.room));
	vacant_get(&s.set); // whichever came first
	for (unsigned turns = 0; s.set.next != 0;) {
		uint32_t i = vacant_get(&s.set);

		turns += i < before;
		cr_assert_leq(turns, 1);
		before = i;
	}
	shelf_close(&s);
}
