// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

static struct ring *make_ring(uint32_t record_size, uint32_t n_records)
{
	size_t size = ring_size(record_size, n_records);
	void *mem = aligned_alloc(CACHE_LINE, size);

	cr_assert_not_null(mem);
	memset(mem, 0xee, size);
	return ring_init(mem, record_size, n_records);
}

// As if that many records had gone through already.
static void age_ring(struct ring *r, uint32_t n)
{
	r->head = r->tail = r->head_seen = r->tail_seen = n;
}

Test(base, a_ring_keeps_writer_reader_and_records_on_lines_of_their_own)
{
	cr_assert_eq(offsetof(struct ring, head) % CACHE_LINE, 0);
	cr_assert_geq(offsetof(struct ring, tail) - offsetof(struct ring, head), CACHE_LINE);
	cr_assert_geq(offsetof(struct ring, records) - offsetof(struct ring, tail), CACHE_LINE);
	cr_assert_eq(ring_size(1, 1) % CACHE_LINE, 0);
	cr_assert_geq(ring_size(24, 8), sizeof(struct ring) + 24 * 8);
	cr_assert_geq(ring_size(64, 1u << 31), (size_t)1 << 37);
}

Test(base, a_ring_gives_records_back_in_order_and_refuses_what_does_not_fit)
{
	struct ring *r = make_ring(4, 4);
	uint32_t out = 99;

	cr_assert(!ring_pop(r, &out));
	cr_assert_eq(out, 99, "an empty ring writes nothing");
	for (uint32_t i = 0; i < 4; i++) {
		cr_assert_eq(ring_free(r), 4 - i);
		cr_assert(ring_push(r, &i));
	}
	cr_assert_eq(ring_free(r), 0);
	cr_assert(!ring_push(r, &out));
	for (uint32_t i = 0; i < 4; i++) {
		cr_assert(ring_pop(r, &out));
		cr_assert_eq(out, i);
	}
	cr_assert(!ring_pop(r, &out));
	cr_assert_eq(ring_free(r), 4);
	free(r);
}

Test(base, a_ring_of_one_record_works)
{
	struct ring *r = make_ring(3, 1);
	char out[3];

	for (unsigned i = 0; i < 5; i++) {
		cr_assert(ring_push(r, "abc"));
		cr_assert(!ring_push(r, "xyz"));
		cr_assert(ring_pop(r, out));
		cr_assert_arr_eq(out, "abc", 3);
		cr_assert(!ring_pop(r, out));
	}
	free(r);
}

Test(base, a_record_written_in_its_place_counts_when_it_is_published)
{
	struct ring *r = make_ring(4, 1);
	uint32_t out = 0;

	*(uint32_t *)ring_claim(r) = 7;
	cr_assert(!ring_pop(r, &out));
	*(uint32_t *)ring_claim(r) = 8;
	ring_publish(r);
	cr_assert_null(ring_claim(r));
	cr_assert(ring_pop(r, &out));
	cr_assert_eq(out, 8);
	cr_assert(!ring_pop(r, &out));
	free(r);
}

// The model is two counters: what was pushed is what has been counted in, less what was counted
// out.
static void walk_ring(struct ring *r, uint32_t n_records, struct rng *rng)
{
	uint32_t in = 0, out = 0;

	for (unsigned step = 0; step < 100000; step++) {
		uint32_t record[3] = {in, in * 7, ~in}, back[3];
		if (rng_below(rng, 2)) {
			cr_assert_eq(ring_push(r, record), in - out < n_records);
			in += in - out < n_records;
		} else if (ring_pop(r, back)) {
			cr_assert(back[0] == out && back[1] == out * 7 && back[2] == ~out);
			out++;
		} else {
			cr_assert_eq(in, out);
		}
		if (step % 16 == 0)
			cr_assert_eq(ring_free(r), n_records - (in - out));
	}
	cr_assert_gt(out, 1000);
}

Test(base, a_ring_agrees_with_a_naive_queue_across_the_wrap_of_its_indices)
{
	struct rng rng;

	rng_init_u64(&rng, 3);
	for (uint32_t n_records = 1; n_records <= 64; n_records *= 2) {
		struct ring *r = make_ring(12, n_records);
		age_ring(r, UINT32_MAX - 500);
		walk_ring(r, n_records, &rng);
		cr_assert_lt(r->head, 1u << 31, "the indices wrapped");
		free(r);
	}
}

#define N_RECORDS 1000000

struct sample {
	uint64_t sequence;
	uint64_t check[4]; // torn or stale records would not satisfy all of these
};

static struct sample sample_at(uint64_t sequence)
{
	struct sample s = {.sequence = sequence};

	for (unsigned i = 0; i < 4; i++)
		s.check[i] = sequence * (0x9e3779b97f4a7c15 + 2 * i);
	return s;
}

static void *write_samples(void *arg)
{
	struct ring *r = arg;

	for (uint64_t i = 0; i < N_RECORDS; i++) {
		struct sample s = sample_at(i);
		while (!ring_push(r, &s))
			sched_yield();
	}
	return NULL;
}

// Returns how many records were not what the writer wrote at that place.
static unsigned read_samples(struct ring *r)
{
	unsigned n_wrong = 0;

	for (uint64_t i = 0; i < N_RECORDS; i++) {
		struct sample s, wanted = sample_at(i);
		while (!ring_pop(r, &s))
			sched_yield();
		n_wrong += memcmp(&s, &wanted, sizeof s) != 0;
	}
	return n_wrong;
}

Test(base, two_threads_pass_a_million_records_whole_and_in_order)
{
	struct ring *r = make_ring(sizeof(struct sample), 64);
	pthread_t writer;
	struct sample rest;

	age_ring(r, UINT32_MAX - N_RECORDS / 2); // the indices wrap half way
	cr_assert_eq(pthread_create(&writer, NULL, write_samples, r), 0);
	cr_assert_eq(read_samples(r), 0);
	cr_assert_eq(pthread_join(writer, NULL), 0);
	cr_assert(!ring_pop(r, &rest));
	cr_assert_eq(r->head, UINT32_MAX - N_RECORDS / 2 + N_RECORDS);
	free(r);
}
