// SPDX-License-Identifier: Apache-2.0
// Packets from worker to worker: one single-producer single-consumer ring for each ordered pair,
// collected by the sender and pushed in bursts, because a lone enqueue costs ten times as much.
#include "worker.h"

static void handoff_push(struct worker *w, uint16_t to)
{
	struct handoff *h = &w->to[to];
	unsigned n = rte_ring_sp_enqueue_burst(h->ring, (void **)h->packets, h->n, NULL);

	w->counters.handoff_out += n;
	w->counters.handed_to[to] += n;
	for (unsigned i = n; i < h->n; i++)
		worker_drop(w, h->packets[i], DROP_HANDOFF_FULL);
	h->n = 0;
}

void handoff_put(struct worker *w, uint16_t to, struct rte_mbuf *m, uint32_t note)
{
	struct handoff *h = &w->to[to];

	m->hash.usr = note;
	h->packets[h->n++] = m;
	if (h->n == BURST)
		handoff_push(w, to);
}

void handoff_flush(struct worker *w)
{
	for (uint16_t to = 0; to < w->n_workers; to++) {
		if (w->to[to].n > 0)
			handoff_push(w, to);
	}
}

// Interfaces are named by the snapshot of the sender's turn.
static void handoff_take_packet(struct worker *w, struct rte_mbuf *m, uint32_t note)
{
	if (unlikely((note & NOTE_INDEX) >= w->conf->n_interfaces)) {
		worker_drop(w, m, DROP_NO_INTERFACE);
		return;
	}
	receive_packet(w, m, note);
}

static void handoff_take(struct worker *w, struct rte_mbuf *m)
{
	uint32_t note = m->hash.usr;

	if (note & NOTE_FRAME) {
		w->counters.frames_relayed++;
		send_frame(w, note & NOTE_INDEX, m);
	} else {
		handoff_take_packet(w, m, note);
	}
}

unsigned handoff_drain(struct worker *w)
{
	struct rte_mbuf *packets[BURST];
	unsigned total = 0;

	for (uint16_t from = 0; from < w->n_workers; from++) {
		unsigned n =
			rte_ring_sc_dequeue_burst(w->from[from], (void **)packets, BURST, NULL);
		for (unsigned i = 0; i < n; i++)
			rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
		for (unsigned i = 0; i < n; i++)
			handoff_take(w, packets[i]);
		total += n;
	}
	w->counters.handoff_in += total;
	return total;
}

void handoff_free_all(struct worker *w)
{
	void *m;

	for (uint16_t from = 0; from < w->n_workers; from++) {
		while (w->from[from] && rte_ring_sc_dequeue(w->from[from], &m) == 0)
			rte_pktmbuf_free(m);
	}
}
