// SPDX-License-Identifier: Apache-2.0
// When leases end. One list of 64-octet chunks of lease indices per second, 8192 seconds round.
//
// A renewal only writes the new expiry into the lease; when the old second comes up the wheel finds
// the lease renewed and puts it where it now belongs. Ending early takes the index out at once: the
// last index of the list's first chunk fills the hole, so only first chunks are ever partly
// empty and the chunks needed are bounded by the number of leases.
#include <postern/nat.h>

#include "tables.h"

static uint32_t chunk_get(struct nat *n)
{
	uint32_t c = n->chunk_free;

	if (c == 0)
		return n->chunk_high++; // never more than n_chunks: see nat_lay_out()
	n->chunk_free = n->chunks[c].next;
	return c;
}

static void chunk_put(struct nat *n, uint32_t c)
{
	n->chunks[c].next = n->chunk_free;
	n->chunk_free = c;
}

void wheel_add(struct nat *n, uint32_t lease, uint32_t at_s)
{
	uint32_t ahead = at_s > n->wheel_s ? at_s - n->wheel_s : 0;
	uint32_t slot = (n->wheel_s + min_u32(ahead, WHEEL_SLOTS - 1)) % WHEEL_SLOTS;
	uint32_t *head = &n->wheel[slot];
	struct chunk *c;

	if (*head == 0 || n->chunks[*head].n == CHUNK_ITEMS) {
		uint32_t new = chunk_get(n);
		n->chunks[new] = (struct chunk){.next = *head, .slot = slot};
		*head = new;
	}
	c = &n->chunks[*head];
	n->leases[lease].wheel = *head << 4 | c->n;
	c->lease[c->n++] = lease;
}

void wheel_remove(struct nat *n, uint32_t lease)
{
	uint32_t place = n->leases[lease].wheel;
	struct chunk *c = &n->chunks[place >> 4];
	uint32_t *head = &n->wheel[c->slot];
	struct chunk *first = &n->chunks[*head];
	uint32_t last = first->lease[--first->n];

	n->leases[lease].wheel = 0;
	if (last != lease) {
		c->lease[place & 15] = last;
		n->leases[last].wheel = place;
	}
	if (first->n == 0) {
		uint32_t empty = *head;
		*head = first->next;
		chunk_put(n, empty);
	}
}

static uint32_t wheel_take_second(struct nat *n, uint32_t *leases, uint32_t max)
{
	uint32_t slot = n->wheel_s % WHEEL_SLOTS, count = 0;

	while (n->wheel[slot] != 0 && count < max) {
		struct chunk *c = &n->chunks[n->wheel[slot]];
		uint32_t lease = c->lease[c->n - 1];

		prefetch_write(&n->leases[lease]);
		if (count == 0 || c->n == CHUNK_ITEMS)
			prefetch_write(&n->chunks[c->next]);
		leases[count++] = lease;
		if (--c->n == 0) {
			uint32_t empty = n->wheel[slot];
			n->wheel[slot] = c->next;
			chunk_put(n, empty);
		}
	}
	return count;
}

uint32_t wheel_take(struct nat *n, uint32_t now_s, uint32_t *leases, uint32_t max)
{
	uint32_t due = 0, count = 0;

	for (unsigned i = 0; i < 64 && n->wheel_s <= now_s && count == 0; i++) {
		count = wheel_take_second(n, leases, max);
		if (count == 0)
			n->wheel_s++;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct lease *l = &n->leases[leases[i]];

		l->wheel = 0;
		if (l->expiry_s > n->wheel_s)
			wheel_add(n, leases[i], l->expiry_s);
		else
			leases[due++] = leases[i];
	}
	return due;
}
