// SPDX-License-Identifier: Apache-2.0
// One shard without EAL, with a configuration made for the number of mappings asked for.
#include "bench.h"

#include <errno.h>

enum {
	PORTS_EACH = 63,
	BLOCK = 64,
	BLOCKS_AN_ADDRESS = 64512 / BLOCK
};

#define INSIDE_BASE ((ip4)0x64400000)   // 100.64.0.0
#define EXTERNAL_BASE ((ip4)0xc6120000) // 198.18.0.0, benchmarking (RFC 2544)

static uint32_t n_hosts(uint32_t n)
{
	return n / PORTS_EACH + 1;
}

static const char *text_or_none(const char *text)
{
	return text != NULL ? text : "";
}

static int write_conf(char *text, size_t size, const struct world_wish *wish)
{
	uint32_t hosts = n_hosts(wish->n), addresses = hosts / BLOCKS_AN_ADDRESS + 2;
	char first[IP4_TEXT], last[IP4_TEXT];

	return snprintf(text, size,
		"ports:\n"
		"  inside: { device: net_null0, addresses: [100.64.0.1/10] }\n"
		"  outside: { device: net_null1, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"
		"limits: { mappings: %u, leases: %u, subscribers: %u, external-addresses: %u,\n"
		"  new-subscriber-rate: 1000000000, new-subscriber-burst: 1000000000%s }\n"
		"%s"
		"nat-groups:\n"
		"  bench:\n"
		"    subscribers: [100.64.0.0/10]\n"
		"    external-address-pool: [%s-%s]\n"
		"    port-set-size: %u\n"
		"    pcp: { listen: [gateway], mappings-per-subscriber: 64, request-rate: 0 }\n"
		"%s",
		wish->n + wish->n / 64 + 64, wish->leases, hosts + 128, addresses,
		text_or_none(wish->limits), text_or_none(wish->lines),
		ip4_format(EXTERNAL_BASE, first), ip4_format(EXTERNAL_BASE + addresses - 1, last),
		BLOCK, text_or_none(wish->group));
}

static int load_conf(struct world *w, const struct world_wish *wish)
{
	struct conf_complaints complaints = {0};
	char text[2000], line[600];
	int len = write_conf(text, sizeof text, wish);
	int error = conf_load_text("bench", text, (size_t)len, NULL, &w->conf, &complaints);

	for (uint32_t i = 0; i < complaints.n; i++) {
		conf_complaint_format(&complaints, i, line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
	conf_complaints_destroy(&complaints);
	if (error == 0)
		w->conf->generation = 1;
	return error;
}

// Fisher-Yates: every host has PORTS_EACH ports, and nothing is in order.
static void shuffle(struct world *w)
{
	for (uint32_t i = 0; i < w->n; i++) {
		w->pairs[i].host = INSIDE_BASE + 2 + i / PORTS_EACH;
		w->pairs[i].port =
			(uint16_t)(1024 + rng_below(&w->rng, 1000) * 64 + i % PORTS_EACH);
	}
	for (uint32_t i = w->n - 1; i > 0; i--) {
		uint32_t j = rng_below(&w->rng, i + 1);
		struct pair swap = w->pairs[i];
		w->pairs[i] = w->pairs[j];
		w->pairs[j] = swap;
	}
}

static struct pkt *no_packet(void *ctx)
{
	(void)ctx;
	return NULL;
}

static void send_nothing(void *ctx, struct pkt *p)
{
	(void)ctx;
	(void)p;
}

static void give_nothing(void *ctx, struct pkt *p, enum verdict verdict)
{
	(void)ctx;
	(void)p;
	(void)verdict;
}

// What is worst of the three is said of all.
static void *map_more(struct world *w, size_t size, bool small)
{
	enum pages got;
	void *mem = pages_map(size, small, &got);

	if (got > w->pages)
		w->pages = got;
	return mem;
}

static int map_all(struct world *w, const struct world_wish *wish, struct shard_setup *setup)
{
	void *mem;

	setup->limits = conf_shard_limits(w->conf);
	setup->seed = w->rng;
	rng_u64(&w->rng);
	w->bytes = shard_size(setup);
	mem = map_more(w, w->bytes, wish->small_pages);
	w->pairs = map_more(w, (size_t)w->n * sizeof *w->pairs, wish->small_pages);
	w->frames = map_more(w, (size_t)w->n_frames * FRAME_ROOM, wish->small_pages);
	if (mem == NULL || w->pairs == NULL || w->frames == NULL) {
		pages_unmap(mem, w->bytes);
		return -ENOMEM;
	}
	w->shard = shard_init(mem, setup, w->now);
	return 0;
}

int world_open_as(struct world *w, const struct world_wish *wish)
{
	struct shard_setup setup = {.n_shards = 1, .epochs = &w->epochs};
	int error;

	*w = (struct world){.n = wish->n, .now = 1000 * NS_PER_S, .n_frames = wish->frames};
	w->sink = (struct shard_sink){NULL, no_packet, send_nothing, give_nothing};
	rng_init_u64(&w->rng, wish->seed);
	error = load_conf(w, wish);
	if (error == 0)
		error = map_all(w, wish, &setup);
	if (error != 0) {
		world_close(w);
		return error;
	}
	shuffle(w);
	world_settle(w);
	return 0;
}

int world_open(struct world *w, uint32_t n, bool leases, uint64_t seed)
{
	struct world_wish wish = {
		.n = n, .seed = seed, .leases = (leases ? n + n / 2 : 0) + 128, .frames = POOL};

	return world_open_as(w, &wish);
}

void world_close(struct world *w)
{
	pages_unmap(w->shard, w->bytes);
	pages_unmap(w->pairs, (size_t)w->n * sizeof *w->pairs);
	pages_unmap(w->frames, (size_t)w->n_frames * FRAME_ROOM);
	conf_destroy(w->conf);
	*w = (struct world){0};
}

void world_settle(struct world *w)
{
	while (shard_generation(w->shard) != w->conf->generation)
		shard_step(w->shard, w->conf, w->now, &w->sink);
}

void world_read_log(struct world *w)
{
	struct shard_event event;

	while (shard_event(w->shard, &event))
		;
}

void world_work(struct world *w)
{
	while (shard_step(w->shard, w->conf, w->now, &w->sink))
		world_read_log(w);
	world_read_log(w);
}

size_t world_smallest(void)
{
	struct shard_epochs epochs = {{0}};
	struct shard_setup setup = {.n_shards = 1, .epochs = &epochs};

	setup.limits = (struct nat_limits){.mappings = 1,
		.sessions = 1,
		.leases = 1,
		.filters = 1,
		.descriptions = 1,
		.subscribers = 1,
		.addresses = 1,
		.port_set_min = BLOCK};
	return shard_size(&setup);
}

ip4 world_first_external(void)
{
	return EXTERNAL_BASE;
}
