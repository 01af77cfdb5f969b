// SPDX-License-Identifier: Apache-2.0
// operations.h - what packets, requests, people and time do to the tables and to the book alike.
#ifndef TEST_NAT_OPERATIONS_H
#define TEST_NAT_OPERATIONS_H

#include "book.h"

struct phase {             // what the next few thousand operations are like
	uint32_t hurry;    // one in so many operations lets time pass; 0: none
	uint32_t hosts;    // how many hosts take part
	uint32_t requests; // of 100: how many are PCP's
	uint32_t removals; // of 100
	uint32_t answers;  // of 100 new mappings
};

struct model {
	struct book book;
	struct rng rng;
	struct phase phase;
};

static inline uint32_t below(struct model *m, uint32_t n)
{
	return rng_below(&m->rng, n);
}

void new_phase(struct model *m);
void operate(struct model *m); // one operation, drawn at random
void settle(struct book *b);   // lets the background finish, and checks what it did

#endif
