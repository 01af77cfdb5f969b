// SPDX-License-Identifier: Apache-2.0
// A burst through the worker's own shard, and the packets the shard makes by itself.
#include "worker.h"

// What the next worker cannot read from the octets.
static uint32_t own_note(const struct pkt *p)
{
	uint32_t note = p->iface | NOTE_HANDED;
	struct pkt *carried = rte_mbuf_to_priv(p->buf);

	if (p->resolved) {
		carried->kind = p->kind;
		carried->sport = p->sport;
		carried->dport = p->dport;
		note |= NOTE_RESOLVED;
	}
	if (p->stage == PKT_HAIRPINNED)
		return note | NOTE_HAIRPINNED;
	if (p->stage != PKT_THIRD_PARTY)
		return note;
	carried->epoch_s = p->epoch_s;
	return note | NOTE_THIRD_PARTY;
}

static void own_judged(struct worker *w, struct pkt *p, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_PASS:
	case VERDICT_REPLY:
		packet_settle(p);
		send_packet(w, p);
		return;
	case VERDICT_DROP: // counted by the shard
		rte_pktmbuf_free(p->buf);
		return;
	case VERDICT_HANDOFF:
		handoff_put(w, p->owner, packet_settle(p), own_note(p));
		return;
	case VERDICT_PUNT:
		worker_drop(w, p->buf, DROP_LOCAL_PROTOCOL);
		return;
	case VERDICT_HOLD: // the shard keeps the buffer until it gives it back
		return;
	}
}

void own_run(struct worker *w)
{
	uint16_t n = w->n_own;

	if (n == 0)
		return;
	shard_run(w->shard, w->conf, w->now, w->own, w->verdicts, n, &w->sink);
	for (uint16_t i = 0; i < n; i++)
		own_judged(w, &w->own[i], w->verdicts[i]);
	w->n_own = 0;
}

// A packet that the shard makes has its struct pkt in the private area of its own buffer.
static struct pkt *sink_alloc(void *ctx)
{
	struct worker *w = ctx;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (!m) {
		w->counters.drops[DROP_NO_BUFFER]++;
		return NULL;
	}
	struct pkt *p = rte_mbuf_to_priv(m);
	*p = (struct pkt){
		.buf = m,
		.l3 = rte_pktmbuf_mtod(m, uint8_t *),
		.room = rte_pktmbuf_tailroom(m),
	};
	return p;
}

static void sink_send(void *ctx, struct pkt *p)
{
	packet_settle(p);
	send_made(ctx, p);
}

static void sink_give(void *ctx, struct pkt *p, enum verdict verdict)
{
	own_judged(ctx, p, verdict);
}

void own_sink_init(struct worker *w)
{
	w->sink = (struct shard_sink){
		.ctx = w, .alloc = sink_alloc, .send = sink_send, .give = sink_give};
}
