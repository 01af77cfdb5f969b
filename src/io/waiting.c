// SPDX-License-Identifier: Apache-2.0
#include "waiting.h"

// The key's seat, or a free one, or WAITING_SEATS.
static uint32_t seat_find(const struct waiting *w, uint64_t key)
{
	uint32_t unused = WAITING_SEATS;

	for (uint32_t i = 0; i < WAITING_SEATS; i++) {
		if (w->keys[i] == key)
			return i;
		if (w->keys[i] == 0)
			unused = i;
	}
	return unused;
}

enum waiting_answer waiting_put(struct waiting *w, uint64_t key, void *packet, ns now)
{
	uint32_t seat = seat_find(w, key);
	enum waiting_answer answer = WAITING_TOLD;

	if (seat == WAITING_SEATS)
		return WAITING_FULL;
	if (packet && (w->n_packets == WAITING_PACKETS || w->n[seat] == WAITING_EACH))
		return WAITING_FULL;
	if (w->keys[seat] == 0) {
		w->keys[seat] = key;
		w->until[seat] = now + WAITING_NS;
		w->n_seats++;
		answer = WAITING_ASK;
	}
	if (packet) {
		w->packets[seat][w->n[seat]++] = packet;
		w->n_packets++;
	}
	return answer;
}

uint32_t waiting_leave(struct waiting *w, uint32_t i, void *out[WAITING_EACH])
{
	uint32_t n = w->n[i];

	memcpy(out, w->packets[i], n * sizeof *out);
	w->n_packets -= n;
	w->n_seats--;
	w->n[i] = 0;
	w->keys[i] = 0;
	return n;
}
