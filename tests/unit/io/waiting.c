// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "neighbours.h"
#include "waiting.h"

static char packets[1024];

static uint64_t key(uint32_t i)
{
	return neighbour_key(1, i);
}

Test(io, first_packet_for_a_neighbour_asks_and_the_others_wait)
{
	struct waiting w = {.n_seats = 0};

	cr_assert_eq(waiting_put(&w, key(1), &packets[0], 5), WAITING_ASK);
	cr_assert_eq(waiting_put(&w, key(1), &packets[1], 6), WAITING_TOLD);
	cr_assert_eq(waiting_put(&w, key(2), &packets[2], 7), WAITING_ASK);
	cr_assert_eq(w.n_packets, 3);
	cr_assert_eq(w.n_seats, 2);
}

Test(io, packets_leave_in_the_order_they_came)
{
	struct waiting w = {.n_seats = 0};
	void *out[WAITING_EACH];

	for (int i = 0; i < 3; i++)
		cr_assert_neq(waiting_put(&w, key(9), &packets[i], 5), WAITING_FULL);
	for (uint32_t i = 0; i < WAITING_SEATS; i++) {
		if (w.keys[i] != key(9))
			continue;
		cr_assert_eq(w.until[i], 5 + WAITING_NS);
		cr_assert_eq(waiting_leave(&w, i, out), 3);
	}
	for (int i = 0; i < 3; i++)
		cr_assert_eq(out[i], &packets[i]);
	cr_assert_eq(w.n_packets, 0);
	cr_assert_eq(w.n_seats, 0);
	cr_assert_eq(waiting_put(&w, key(9), &packets[0], 9), WAITING_ASK);
}

Test(io, one_neighbour_keeps_eight_packets_waiting_and_no_more)
{
	struct waiting w = {.n_seats = 0};

	for (int i = 0; i < WAITING_EACH; i++)
		cr_assert_neq(waiting_put(&w, key(1), &packets[i], 1), WAITING_FULL);
	cr_assert_eq(waiting_put(&w, key(1), &packets[8], 1), WAITING_FULL);
	cr_assert_eq(waiting_put(&w, key(2), &packets[8], 1), WAITING_ASK);
}

Test(io, all_neighbours_together_keep_256_packets_waiting)
{
	struct waiting w = {.n_seats = 0};
	uint32_t taken = 0;

	for (uint32_t i = 0; i < WAITING_SEATS * WAITING_EACH; i++)
		taken += waiting_put(&w, key(i / WAITING_EACH), &packets[i], 1) != WAITING_FULL;
	cr_assert_eq(taken, WAITING_PACKETS);
	cr_assert_eq(w.n_packets, WAITING_PACKETS);
}

Test(io, room_for_64_neighbours_and_no_65th)
{
	struct waiting w = {.n_seats = 0};

	for (uint32_t i = 0; i < WAITING_SEATS; i++)
		cr_assert_eq(waiting_put(&w, key(i), &packets[i], 1), WAITING_ASK);
	cr_assert_eq(waiting_put(&w, key(WAITING_SEATS), &packets[0], 1), WAITING_FULL);
	cr_assert_eq(waiting_put(&w, key(0), &packets[0], 1), WAITING_TOLD);
}

Test(io, question_without_a_packet_is_asked_once)
{
	struct waiting w = {.n_seats = 0};

	cr_assert_eq(waiting_put(&w, key(1), NULL, 1), WAITING_ASK);
	cr_assert_eq(waiting_put(&w, key(1), NULL, 2), WAITING_TOLD);
	cr_assert_eq(w.n_packets, 0);
}
