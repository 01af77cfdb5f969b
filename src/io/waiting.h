// SPDX-License-Identifier: Apache-2.0
// A worker's waiting room: packets whose next hop has not answered ARP yet, and a note of which
// neighbours were asked within the last second. Both live in one small array: a neighbour has a
// seat from the question on until the answer, or for WAITING_NS.
//
// Bounds: WAITING_SEATS neighbours, WAITING_EACH packets for one, WAITING_PACKETS in all.
#ifndef IO_WAITING_H
#define IO_WAITING_H

#include <postern/base.h>

enum {
	WAITING_SEATS = 64,
	WAITING_EACH = 8,
	WAITING_PACKETS = 256
};
#define WAITING_NS NS_PER_S
#define WAITING_LOOK_NS (200 * (NS_PER_MS / 1000)) // the room is looked through this often

struct waiting {
	uint64_t keys[WAITING_SEATS]; // neighbour_key(); 0: a free seat
	ns until[WAITING_SEATS];
	uint8_t n[WAITING_SEATS];
	void *packets[WAITING_SEATS][WAITING_EACH];
	uint32_t n_seats, n_packets; // taken
	ns next_look;
};

enum waiting_answer {
	WAITING_ASK,  // taken; the neighbour is to be asked now
	WAITING_TOLD, // taken; it was asked a moment ago
	WAITING_FULL, // not taken
};

// Takes the packet; with packet NULL only the question is noted (a stale neighbour in use).
enum waiting_answer waiting_put(struct waiting *w, uint64_t key, void *packet, ns now);
// Frees seat i: moves its packets to out, returns how many.
uint32_t waiting_leave(struct waiting *w, uint32_t i, void *out[WAITING_EACH]);

#endif
