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
	uint32_t peers;    // of 100 requests: for a PEER lease
	uint32_t sets;     // of 100 MAP requests: for several ports
	uint32_t pool;     // one in so many deeds of the operator changes the pool
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

static inline bool one_in(struct model *m, uint32_t n)
{
	return n > 0 && below(m, n) == 0;
}

struct nat_key random_key(struct model *m);
struct nat_key some_key(struct model *m); // mostly one that exists
struct recipe random_external(struct model *m, unsigned group);
struct recipe random_remote(struct model *m);

// ---- model_requests.c ------------------------------------------------------------------------

void request_map(struct model *m);
void request_peer(struct model *m);
void end_lease(struct model *m);

// ---- model_people.c --------------------------------------------------------------------------

void delete_mapping(struct model *m);
void clear_subscriber(struct model *m);
void change_pool(struct model *m);
void change_static(struct model *m); // the operator's own
void pair_host(struct model *m);
void look_over(struct model *m); // sets and leases that a range of ports touches

// ---- operations.c ----------------------------------------------------------------------------

void new_phase(struct model *m);
void operate(struct model *m); // one operation, drawn at random
void settle(struct book *b);   // lets the background finish, and checks what it did

#endif
