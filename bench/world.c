// SPDX-License-Identifier: Apache-2.0
// One shard without EAL, with a configuration made for the number of mappings asked for.
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum {
	PORTS_EACH = 63,
	BLOCK = 64,
	HUGE = 2 << 20
};

#define INSIDE_BASE ((ip4)0x64400000)   // 100.64.0.0
#define EXTERNAL_BASE ((ip4)0xc6120000) // 198.18.0.0, benchmarking (RFC 2544)

static void *pages(size_t size, bool *huge)
{
	size_t rounded = (size + HUGE - 1) & ~(size_t)(HUGE - 1);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *mem = mmap(
		NULL, rounded, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);

	*huge = mem != MAP_FAILED;
	if (*huge)
		return mem;
	mem = mmap(NULL, rounded, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (mem == MAP_FAILED)
		return NULL;
	madvise(mem, rounded, MADV_HUGEPAGE);
	return mem;
}

static uint32_t n_hosts(uint32_t n)
{
	return n / PORTS_EACH + 1;
}

static int load_conf(struct world *w, bool leases)
{
	uint32_t addresses = n_hosts(w->n) / (64512 / BLOCK) + 2;
	struct conf_complaints complaints = {0};
	char text[1500], first[IP4_TEXT], last[IP4_TEXT], line[600];
	int len = snprintf(text, sizeof text,
		"ports:\n"
		"  inside: { device: net_null0, addresses: [100.64.0.1/10] }\n"
		"  outside: { device: net_null1, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"
		"limits: { mappings: %u, leases: %u, subscribers: %u, external-addresses: %u,\n"
		"  new-subscriber-rate: 1000000000, new-subscriber-burst: 1000000000 }\n"
		"nat-groups:\n"
		"  bench:\n"
		"    subscribers: [100.64.0.0/10]\n"
		"    external-address-pool: [%s-%s]\n"
		"    port-set-size: %u\n"
		"    pcp: { listen: [gateway], mappings-per-subscriber: 64, request-rate: 0 }\n",
		w->n + w->n / 64 + 64, leases ? w->n + w->n / 2 + 128 : 128, n_hosts(w->n) + 128,
		addresses, ip4_format(EXTERNAL_BASE, first),
		ip4_format(EXTERNAL_BASE + addresses - 1, last), BLOCK);
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

int world_open(struct world *w, uint32_t n, bool leases, uint64_t seed)
{
	struct shard_setup setup = {.n_shards = 1, .epochs = &w->epochs};
	bool huge;
	void *mem;
	int error;

	*w = (struct world){.n = n, .now = 1000 * NS_PER_S};
	w->sink = (struct shard_sink){NULL, no_packet, send_nothing, give_nothing};
	rng_init_u64(&w->rng, seed);
	error = load_conf(w, leases);
	if (error != 0)
		return error;
	setup.limits = conf_shard_limits(w->conf);
	setup.seed = w->rng;
	rng_u64(&w->rng);
	w->bytes = shard_size(&setup);
	mem = pages(w->bytes, &w->huge);
	w->pairs = pages((size_t)n * sizeof *w->pairs, &huge);
	w->frames = pages((size_t)POOL * FRAME_ROOM, &huge);
	if (mem == NULL || w->pairs == NULL || w->frames == NULL)
		return -ENOMEM;
	w->shard = shard_init(mem, &setup, w->now);
	shuffle(w);
	world_settle(w);
	return 0;
}

static void unmap(void *mem, size_t size)
{
	if (mem != NULL)
		munmap(mem, (size + HUGE - 1) & ~(size_t)(HUGE - 1));
}

void world_close(struct world *w)
{
	unmap(w->shard, w->bytes);
	unmap(w->pairs, (size_t)w->n * sizeof *w->pairs);
	unmap(w->frames, (size_t)POOL * FRAME_ROOM);
	conf_destroy(w->conf);
}

void world_settle(struct world *w)
{
	while (shard_generation(w->shard) != w->conf->generation)
		shard_step(w->shard, w->conf, w->now, &w->sink);
}

double cycles_per_ns(void)
{
	static double rate;
	struct timespec a, b;
	uint64_t from, to;
	double span;

	if (rate > 0)
		return rate;
	clock_gettime(CLOCK_MONOTONIC, &a);
	from = cycles();
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		to = cycles();
		span = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	} while (span < 50e6);
	rate = (double)(to - from) / span;
	return rate;
}
