// SPDX-License-Identifier: Apache-2.0
// The worker's loop. Each turn begins with a quiescent state and one look at the snapshot: the
// whole turn sees one world, and the old one may go when every worker has begun its next turn.
#include "worker.h"

#include <rte_pause.h>
#include <urcu/urcu-qsbr.h>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SLEEPER_NICE -10

#define NAP_FIRST (50 * (NS_PER_MS / 1000))
#define NAP_LONGEST (500 * (NS_PER_MS / 1000))

static unsigned receive_queue(struct worker *w, const struct rx_queue *q)
{
	struct io_port_counters *counters = &w->counters.ports[q->port];
	struct rte_mbuf *frames[BURST];
	uint16_t n = rte_eth_rx_burst(q->port_id, q->queue, frames, BURST);

	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
		counters->rx_bytes += frames[i]->pkt_len;
	}
	counters->rx_packets += n;
	for (uint16_t i = 0; i < n; i++)
		receive_frame(w, q->port, frames[i]);
	return n;
}

static bool worker_turn(struct worker *w)
{
	unsigned n = 0;

	w->conf = rcu_dereference(w->io->conf);
	w->now = clock_at(&w->io->clock, rte_rdtsc());
	for (uint16_t i = 0; i < w->n_rx; i++)
		n += receive_queue(w, &w->rx[i]);
	n += handoff_drain(w);
	own_run(w);
	bool more = shard_step(w->shard, w->conf, w->now, &w->sink);
	send_waiting(w);
	if (w->id == 0)
		arp_announce_step(w);
	send_flush(w);
	send_beat(w);
	handoff_flush(w);
	w->counters.loops++;
	w->counters.busy_loops += n > 0;
	return n > 0 || more;
}

// Nothing to do for a while: sleep, in QSBR's eyes away, so that nobody waits for us. A driver's
// signal may end the nap early.
static void worker_nap(struct worker *w)
{
	struct timespec span = {.tv_nsec = (long)w->nap};

	w->counters.naps++;
	w->nap = w->nap * 2 < NAP_LONGEST ? w->nap * 2 : NAP_LONGEST;
	urcu_qsbr_thread_offline();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
	urcu_qsbr_thread_online();
}

static void worker_idle(struct worker *w)
{
	bool sleeps = w->conf->idle == CONF_IDLE_SLEEP;

	w->empty_turns++;
	if (sleeps && w->empty_turns > EMPTY_TURNS)
		worker_nap(w);
	else
		rte_pause();
}

static void worker_empty(struct worker *w)
{
	void *packets[WAITING_EACH];

	for (uint32_t i = 0; i < WAITING_SEATS; i++) {
		if (w->waiting.keys[i] == 0)
			continue;
		uint32_t n = waiting_leave(&w->waiting, i, packets);
		rte_pktmbuf_free_bulk((struct rte_mbuf **)packets, n);
	}
}

static bool must_stop(const struct worker *w)
{
	return __atomic_load_n(&w->io->stop, __ATOMIC_RELAXED);
}

// One who steps aside for others when idle should not have to queue behind them when woken. Where
// it is not allowed, everything works as well as the machine is idle.
static void worker_settle(const struct worker *w)
{
	sigset_t set = worker_signals();

	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	if (w->io->conf->idle == CONF_IDLE_SLEEP)
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), SLEEPER_NICE);
}

// The first packet shall find external addresses.
static void worker_take_over(struct worker *w)
{
	w->conf = rcu_dereference(w->io->conf);
	while (shard_generation(w->shard) < w->conf->generation && !must_stop(w)) {
		w->now = clock_at(&w->io->clock, rte_rdtsc());
		(void)shard_step(w->shard, w->conf, w->now, &w->sink);
	}
	send_flush(w);
	handoff_flush(w);
}

int worker_main(void *worker)
{
	struct worker *w = worker;

	worker_settle(w);
	urcu_qsbr_register_thread();
	worker_take_over(w);
	__atomic_store_n(&w->running, true, __ATOMIC_RELEASE);
	while (!must_stop(w)) {
		urcu_qsbr_quiescent_state();
		if (worker_turn(w)) {
			w->empty_turns = 0;
			w->nap = NAP_FIRST;
		} else {
			worker_idle(w);
		}
	}
	__atomic_store_n(&w->running, false, __ATOMIC_RELEASE);
	urcu_qsbr_unregister_thread();
	worker_empty(w);
	return 0;
}
