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
	       rounded(ring_size(sizeof(struct shard_event), SHARD_EVENTS)) +
	       rounded(setup->limits.addresses * sizeof(struct nat_address)) +
	       rounded(server_clients_size(clients_of(setup))) + rounded(fragments_size(setup)) +
	       rounded(syns_size(setup));
}

// Draws that nobody else makes of the same seed.
static struct rng own_rng(const struct rng *seed)
{
	struct rng r = *seed, own;
	uint8_t key[32];

	for (size_t i = 0; i < 2 * sizeof key; i++)
		key[i % sizeof key] = (uint8_t)rng_u32(&r);
	rng_init(&own, key);
	return own;
}

static void init_stores(struct shard *s, uint8_t *at, const struct shard_setup *setup)
{
	struct rng rng = own_rng(&setup->seed);

	s->fragments = fragments_init(at, setup, &rng);
	s->syns = syns_init(at + rounded(fragments_size(setup)), setup, &rng);
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
	s->events.ring = ring_init(at, sizeof(struct shard_event), SHARD_EVENTS);
	at += rounded(ring_size(sizeof(struct shard_event), SHARD_EVENTS));
	s->held = (void *)at;
	at += rounded(setup->limits.addresses * sizeof(struct nat_address));
	s->clients = server_clients_init(at, clients_of(setup), &setup->seed);
	at += rounded(server_clients_size(clients_of(setup)));
	init_stores(s, at, setup);
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

const struct nat_group_counters *shard_group_counters(const struct shard *s, uint8_t group)
{
	return nat_group_counters(s->nat, group);
}

bool shard_wish(struct shard *s, const struct shard_wish *wish)
{
	return ring_push(s->wishes, wish);
}

bool shard_answer(struct shard *s, struct shard_answer *answer)
{
	return ring_pop(s->answers, answer);
}

bool shard_event(struct shard *s, struct shard_event *event)
{
	return ring_pop(s->events.ring, event);
}
