// SPDX-License-Identifier: Apache-2.0
// Indices run freely through 32 bits and are masked only to find a record, so head - tail is the
// fill level even across the wrap. Each side publishes its own index with release and reads the
// other's with acquire; it keeps its last look at the other's and looks again only when that look
// no longer lets it go on, which keeps the other side's cache line where it is.
#include <postern/base.h>

static uint8_t *record_at(struct ring *r, uint32_t place)
{
	return r->records + (size_t)(place & r->mask) * r->record_size;
}

size_t ring_size(uint32_t record_size, uint32_t n_records)
{
	size_t size = sizeof(struct ring) + (size_t)record_size * n_records;

	return (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

struct ring *ring_init(void *mem, uint32_t record_size, uint32_t n_records)
{
	struct ring *r = mem;

	assert(n_records > 0 && (n_records & (n_records - 1)) == 0);
	assert((uintptr_t)mem % CACHE_LINE == 0);
	memset(r, 0, sizeof *r);
	r->record_size = record_size;
	r->mask = n_records - 1;
	return r;
}

void *ring_claim(struct ring *r)
{
	uint32_t head = r->head;

	if (head - r->tail_seen > r->mask) {
		r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
		if (head - r->tail_seen > r->mask)
			return NULL;
	}
	return record_at(r, head);
}

void ring_publish(struct ring *r)
{
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

bool ring_push(struct ring *r, const void *record)
{
	void *place = ring_claim(r);

	if (place == NULL)
		return false;
	memcpy(place, record, r->record_size);
	ring_publish(r);
	return true;
}

bool ring_pop(struct ring *r, void *record)
{
	uint32_t tail = r->tail;

	if (tail == r->head_seen) {
		r->head_seen = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
		if (tail == r->head_seen)
			return false;
	}
	memcpy(record, record_at(r, tail), r->record_size);
	__atomic_store_n(&r->tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}

uint32_t ring_free(struct ring *r)
{
	r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
	return r->mask + 1 - (r->head - r->tail_seen);
}
