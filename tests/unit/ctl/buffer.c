// SPDX-License-Identifier: Apache-2.0
#include "buffer.h"

#include <postern/base.h>

#include <criterion/criterion.h>

Test(ctl, gives_octets_back_in_the_order_they_came)
{
	struct buffer b = {0};
	uint8_t next_in = 0, next_out = 0;
	struct rng rng;

	rng_init_u64(&rng, 7);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t octets[300];
		size_t n = rng_below(&rng, sizeof octets);
		for (size_t k = 0; k < n; k++)
			octets[k] = next_in++;
		cr_assert(buffer_append(&b, octets, n));
		size_t eat = rng_below(&rng, (uint32_t)buffer_length(&b) + 1);
		for (size_t k = 0; k < eat; k++)
			cr_assert_eq((uint8_t)b.data[b.start + k], next_out++);
		buffer_eat(&b, eat);
	}
	buffer_free(&b);
}

Test(ctl, gives_memory_back_once_a_large_buffer_is_empty)
{
	struct buffer b = {0};
	char *at = buffer_reserve(&b, 1 << 20);

	cr_assert_not_null(at);
	memset(at, 'x', 1 << 20);
	buffer_grew(&b, 1 << 20);
	buffer_eat(&b, (1 << 20) - 1);
	cr_assert_eq(buffer_length(&b), 1);
	buffer_eat(&b, 1);
	cr_assert_eq(b.room, 0);
}
