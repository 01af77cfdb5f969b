// SPDX-License-Identifier: Apache-2.0
// The room's life: everything is made in the order in which it is needed and unmade in reverse.
#include "worker.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "memory.h"
#include "pages.h"
#include "ports.h"

// ---- shards ----------------------------------------------------------------------------------

static struct shard_setup shard_setup_of(const struct io *io, uint16_t k, struct rng *rng)
{
	struct shard_setup setup = {
		.id = k,
		.n_shards = io->n_workers,
		.limits = conf_shard_limits(io->conf),
		.clients = conf_shard_clients(io->conf),
		.fragments = io->conf->fragments,
		.syns = io->conf->syns,
		.epochs = io->epochs,
	};
	uint8_t seed[32];

	for (size_t i = 0; i < sizeof seed; i += sizeof(uint32_t)) {
		uint32_t word = rng_u32(rng);
		memcpy(seed + i, &word, sizeof word);
	}
	rng_init(&setup.seed, seed);
	return setup;
}

// Runs on the worker's own CPU, so that its memory lies near it.
static int shard_prepare(void *arg)
{
	struct worker *w = arg;
	struct shard_setup setup = shard_setup_of(w->io, w->id, &w->io->rng);

	w->shard_bytes = shard_size(&setup);
	void *memory = memory_take(w->shard_bytes, &w->shard_huge);
	if (!memory)
		return -ENOMEM;
	w->shard = shard_init(memory, &setup, w->now);
	return w->shard_huge || !w->io->conf->require_huge_pages ? 0 : -ENOMEM;
}

// One after the other: they share the random numbers.
static int shards_create(struct io *io)
{
	for (uint16_t k = 0; k < io->n_workers; k++) {
		struct worker *w = io->workers[k];
		w->now = io_now(io);
		int error = rte_eal_remote_launch(shard_prepare, w, k + 1u);
		if (error == 0)
			error = rte_eal_wait_lcore(k + 1u);
		if (error) {
			log_error(io->log, "worker %u: no %zu MiB of %smemory for its shard", k,
				w->shard_bytes >> 20,
				io->conf->require_huge_pages ? "huge page " : "");
			return error;
		}
	}
	return 0;
}

// ---- EAL and packet buffers ------------------------------------------------------------------

// EAL would tell of a CPU that is not there with a page of its own options.
static int cpus_choose(const struct io *io, struct eal_cpus *cpus)
{
	cpu_set_t usable;
	char list[256];

	if (sched_getaffinity(0, sizeof usable, &usable) != 0)
		return -errno;
	uint16_t missing = eal_plan_missing(io->conf, &usable);
	if (missing != UINT16_MAX) {
		log_error(io->log, "lcores: CPU %u is not among those this process may use: %s",
			missing, eal_plan_list(&usable, list, sizeof list));
		return -EINVAL;
	}
	eal_plan_cpus(io->conf, &usable, cpus);
	return 0;
}

static int eal_up(struct io *io, struct eal_plan *plan, bool *shards_huge)
{
	int error = cpus_choose(io, &plan->cpus);

	if (error)
		return error;
	eal_plan_memory(io->conf, plan);
	struct pages pages = pages_plan(io->conf, plan, memory_free_huge_pages());
	error = pages_judge(io->log, io->conf, plan, &pages, memory_available());
	if (error)
		return error;
	plan->huge = pages.eal_huge;
	plan->debug = io->log->level >= LOG_LEVEL_DEBUG;
	*shards_huge = pages.shards_huge;
	io->eal_huge = plan->huge;
	io->eal_bytes = (plan->huge ? plan->megabytes : plan->megabytes_plain) << 20;
	eal_log_open(&io->eal_log, io->log);
	if (plan->cpus.shared)
		log_info(io->log, "fewer CPUs than threads: %u workers and control share them",
			io->n_workers);
	error = eal_start(&io->eal_log, io->conf, plan);
	io->eal_up = error == 0;
	return error;
}

static int pool_create(struct io *io, const struct eal_plan *plan)
{
	uint16_t private_size = RTE_ALIGN(sizeof(struct pkt), RTE_MBUF_PRIV_ALIGN);

	io->pool = rte_pktmbuf_pool_create("packets", plan->n_buffers, EAL_CACHE, private_size,
		plan->buffer_room, SOCKET_ID_ANY);
	if (io->pool)
		return 0;
	log_error(io->log, "no memory for %u packet buffers: %s", plan->n_buffers,
		rte_strerror(rte_errno));
	return -ENOMEM;
}

// ---- workers ---------------------------------------------------------------------------------

static struct ring *learned_create(void)
{
	void *memory =
		rte_zmalloc("learned", ring_size(sizeof(struct learned), LEARNED_RING), CACHE_LINE);

	return memory ? ring_init(memory, sizeof(struct learned), LEARNED_RING) : NULL;
}

static int worker_create(struct io *io, uint16_t k, const struct eal_plan *plan, bool huge)
{
	struct worker *w = rte_zmalloc("worker", sizeof *w, CACHE_LINE);

	if (!w)
		return -ENOMEM;
	io->workers[k] = w;
	w->io = io;
	w->id = k;
	w->n_workers = io->n_workers;
	w->cpu = plan->cpus.workers[k];
	w->pool = io->pool;
	w->neighbours = &io->neighbours;
	w->shard_huge = huge;
	w->learned = learned_create();
	own_sink_init(w);
	return w->learned ? 0 : -ENOMEM;
}

static int rings_create(struct io *io, struct worker *from)
{
	ssize_t size = rte_ring_get_memsize(HANDOFF_RING);

	for (uint16_t to = 0; to < io->n_workers; to++) {
		struct rte_ring *ring = rte_zmalloc("handoff", (size_t)size, CACHE_LINE);
		if (!ring)
			return -ENOMEM;
		rte_ring_init(ring, "handoff", HANDOFF_RING, RING_F_SP_ENQ | RING_F_SC_DEQ);
		from->to[to].ring = ring;
		io->workers[to]->from[from->id] = ring;
	}
	return 0;
}

static int workers_create(struct io *io, const struct eal_plan *plan, bool huge)
{
	int error = 0;

	for (uint16_t k = 0; error == 0 && k < io->n_workers; k++)
		error = worker_create(io, k, plan, huge);
	for (uint16_t k = 0; error == 0 && k < io->n_workers; k++)
		error = rings_create(io, io->workers[k]);
	if (error)
		log_error(io->log, "no memory for %u workers", io->n_workers);
	return error;
}

static void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	handoff_free_all(w);
	for (uint16_t to = 0; to < w->n_workers; to++)
		rte_free(w->to[to].ring);
	memory_give(w->shard, w->shard_bytes);
	rte_free(w->learned);
	rte_free(w);
}

#define START_PATIENCE (10 * NS_PER_S)

// ---- life ------------------------------------------------------------------------------------

// Some drivers (net_tap) tell of packets by a real-time signal to the process. It shall end a
// worker's nap and nobody else's wait: threads made from here on inherit the mask, and workers lift
// it. When too many are queued the kernel sends SIGIO instead, which would end the process.
static void leave_signals_to_workers(void)
{
	sigset_t set = worker_signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGIO, SIG_IGN);
}

sigset_t worker_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigaddset(&set, s);
	return set;
}

static struct clock clock_start(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return clock_make(rte_rdtsc(), rte_get_tsc_hz(), (ns)t.tv_sec * NS_PER_S + (ns)t.tv_nsec);
}

static int tables_create(struct io *io, struct rng *rng)
{
	io->epochs = aligned_alloc(CACHE_LINE, sizeof *io->epochs);
	if (!io->epochs)
		return -ENOMEM;
	for (uint16_t i = 0; i < NAT_MAX_GROUPS; i++)
		io->epochs->base_ns[i] = 0;
	return neighbours_init(&io->neighbours, io->conf->max_neighbours, rng_secret(rng));
}

static int io_make(struct io *io, struct rng *rng)
{
	struct eal_plan plan = {.n_buffers = 0};
	bool huge = false;

	leave_signals_to_workers();
	int error = tables_create(io, rng);
	io->rng = *rng; // from here on the shards' seeds
	if (error == 0)
		error = eal_up(io, &plan, &huge);
	if (error)
		return error;
	io->clock = clock_start();
	cell_set_static(io, io->conf, io_now(io));
	for (uint16_t i = 0; i < NAT_MAX_GROUPS; i++)
		io_epoch_reset(io, (uint8_t)i, io_now(io));
	error = pool_create(io, &plan);
	if (error == 0)
		error = ports_start(io);
	if (error == 0)
		error = workers_create(io, &plan, huge);
	if (error == 0)
		error = shards_create(io);
	if (error == 0)
		ports_deal_queues(io);
	return error;
}

int io_create(const struct io_setup *setup, struct io **out)
{
	struct io *io = calloc(1, sizeof *io);

	if (!io)
		return -ENOMEM;
	io->log = setup->log;
	io->conf = setup->conf;
	io->n_workers = setup->conf->n_workers;
	io->n_ports = setup->conf->n_ports;
	int error = io_make(io, setup->rng);
	if (error) {
		(void)io_destroy(io);
		return error;
	}
	*out = io;
	return 0;
}

static bool all_run(const struct io *io)
{
	for (uint16_t k = 0; k < io->n_workers; k++) {
		if (!__atomic_load_n(&io->workers[k]->running, __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}

static void wait_running(const struct io *io)
{
	const struct timespec pause = {.tv_nsec = (long)NS_PER_MS};
	ns end = io_now(io) + START_PATIENCE;

	while (!all_run(io) && io_now(io) < end)
		nanosleep(&pause, NULL);
	if (!all_run(io))
		log_warn(io->log, "workers are slow to take over the configuration");
}

int io_start(struct io *io)
{
	io->going = true;
	for (uint16_t k = 0; k < io->n_workers; k++) {
		int error = rte_eal_remote_launch(worker_main, io->workers[k], k + 1u);
		if (error) {
			log_error(io->log, "worker %u does not start: %s", k, strerror(-error));
			return error;
		}
	}
	wait_running(io);
	return 0;
}

void io_stop(struct io *io)
{
	__atomic_store_n(&io->stop, true, __ATOMIC_RELAXED);
	for (uint16_t k = 0; io->going && k < io->n_workers; k++)
		rte_eal_wait_lcore(k + 1u);
	io->going = false;
}

struct conf *io_destroy(struct io *io)
{
	if (!io)
		return NULL;
	struct conf *conf = io->conf;
	io_stop(io);
	if (io->eal_up) {
		for (uint16_t k = 0; k < io->n_workers; k++)
			worker_destroy(io->workers[k]);
		ports_stop(io);
		rte_mempool_free(io->pool);
		eal_stop();
	}
	eal_log_close(&io->eal_log);
	neighbours_fini(&io->neighbours);
	free(io->epochs);
	free(io);
	return conf;
}

ns io_now(const struct io *io)
{
	return clock_at(&io->clock, rte_rdtsc());
}
