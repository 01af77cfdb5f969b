// SPDX-License-Identifier: Apache-2.0
// Setting up one shard, and what control may read of it.
#include <postern/shard.h>

#include "world.h"

enum {
	WISHES = 16,
	ANSWERS = 1024
};

static size_t rounded(size_t size)
{
	return (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

static uint32_t clients_of(const struct shard_setup *setup)
{
	return setup->clients != 0 ? setup->clients : setup->limits.subscribers;
}

size_t shard_size(const struct shard_setup *setup)
{
	return rounded(sizeof(struct shard)) + nat_size(&setup->limits) +
	       rounded(ring_size(sizeof(struct shard_wish), WISHES)) +
	       rounded(ring_size(sizeof(struct shard_answer), ANSWERS)) +
	       rounded(setup->limits.addresses * sizeof(struct nat_address)) +
	       rounded(server_clients_size(clients_of(setup)));
}

struct shard *shard_init(void *mem, const struct shard_setup *setup, ns now)
{
	uint8_t *at = mem;
	struct shard *s = mem;

	at += rounded(sizeof *s);
	s->nat = nat_init(at, &setup->limits, &setup->seed, (uint32_t)(now / NS_PER_S));
	at += nat_size(&setup->limits);
	s->wishes = ring_init(at, sizeof(struct shard_wish), WISHES);
	at += rounded(ring_size(sizeof(struct shard_wish), WISHES));
	s->answers = ring_init(at, sizeof(struct shard_answer), ANSWERS);
	at += rounded(ring_size(sizeof(struct shard_answer), ANSWERS));
	s->held = (void *)at;
	at += rounded(setup->limits.addresses * sizeof(struct nat_address));
	s->clients = server_clients_init(at, clients_of(setup), &setup->seed);
	s->id = setup->id;
	s->n_shards = setup->n_shards;
	s->epochs = setup->epochs;
	return s;
}

uint64_t shard_generation(const struct shard *s)
{
	return __atomic_load_n(&s->generation, __ATOMIC_ACQUIRE);
}

const struct shard_counters *shard_counters(const struct shard *s)
{
	return &s->counters;
}

const struct nat_counters *shard_nat_counters(const struct shard *s)
{
	return nat_counters(s->nat);
}

bool shard_wish(struct shard *s, const struct shard_wish *wish)
{
	return ring_push(s->wishes, wish);
}

bool shard_answer(struct shard *s, struct shard_answer *answer)
{
	return ring_pop(s->answers, answer);
}
