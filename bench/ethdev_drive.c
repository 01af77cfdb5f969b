// SPDX-License-Identifier: Apache-2.0
// One thread sends and receives in turns, so nothing here needs a lock. A frame that the port does
// not take is offered again: what is lost, posternd has lost.
#include "ethdev.h"

#define QUIET_MS 500
#define ASK_MS 30
#define PATIENCE_MS 3000
#define MEET_MS 5000
#define POLL_US 2000
#define LOST_MS 50

// ---- in --------------------------------------------------------------------------------------

static unsigned receive(struct generator *g)
{
	unsigned all = 0;

	for (enum side side = INSIDE; side < SIDES; side++) {
		struct rte_mbuf *frames[BURST];
		uint16_t n = rte_eth_rx_burst(g->port[side], 0, frames, BURST);

		for (uint16_t i = 0; i < n; i++)
			rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
		for (uint16_t i = 0; i < n; i++)
			frame_judge(g, side, frames[i]);
		all += n;
	}
	if (all > 0)
		g->heard_at = rte_rdtsc();
	return all;
}

// posternd in this process has nobody else to do its control work.
static void poll_daemon(struct generator *g, uint64_t now, uint64_t *next)
{
	if (!g->daemon->io || now < *next)
		return;
	ring_poll(g->daemon);
	*next = now + (uint64_t)(g->hz / 1e6 * POLL_US);
}

static bool all_came_back(const struct generator *g)
{
	for (enum kind kind = KIND_OUT; kind < KINDS; kind++) {
		if (g->tally[kind].received < g->tally[kind].sent)
			return false;
	}
	return true;
}

// Until all came back, or nothing has come for a while: the worker may wait for its CPU.
static void settle(struct generator *g, unsigned quiet_ms)
{
	uint64_t ms = (uint64_t)(g->hz / 1e3), poll_at = 0;
	uint64_t now = rte_rdtsc(), quiet_at = now + quiet_ms * ms, end = now + PATIENCE_MS * ms;

	while (now < quiet_at && now < end) {
		if (receive(g) > 0)
			quiet_at = now + quiet_ms * ms;
		else if (g->tally[KIND_OUT].sent > 0 && all_came_back(g))
			return;
		poll_daemon(g, now, &poll_at);
		now = rte_rdtsc();
	}
}

// ---- out -------------------------------------------------------------------------------------

static uint32_t next_flow(struct generator *g, const struct load *l, uint32_t i)
{
	return l->order ? l->order[l->sent + i] : rng_below(&g->rng, g->n);
}

static void make_burst(struct generator *g, struct load *l, uint16_t n)
{
	uint32_t flows[BURST];

	if (rte_pktmbuf_alloc_bulk(g->pool, l->pending, n) != 0)
		return;
	for (uint16_t i = 0; i < n; i++) {
		flows[i] = next_flow(g, l, i);
		rte_prefetch0(&g->flows[flows[i]]);
	}
	for (uint16_t i = 0; i < n; i++) {
		frame_make(g, l->pending[i], l->kind, flows[i]);
		if (l->kind == KIND_MAP && g->asked_at)
			g->asked_at[flows[i]] = rte_rdtsc();
	}
	l->n_pending = n;
	l->sent += n;
}

// Counted from the load's start on. What does not come back is lost in the end, and no longer on
// its way.
static uint64_t window_left(const struct generator *g, struct load *l)
{
	const struct tally *t = &g->tally[l->kind];
	uint64_t away = t->sent - l->sent_before - (t->received - l->received_before);

	if (away < l->given_up)
		l->given_up = away;
	if (away - l->given_up < g->window)
		return g->window - (away - l->given_up);
	if (rte_rdtsc() - g->heard_at > (uint64_t)(g->hz / 1e3 * LOST_MS))
		l->given_up = away;
	return 0;
}

static uint16_t how_many(const struct generator *g, struct load *l, double seconds)
{
	uint64_t most = l->rate > 0 ? 0 : window_left(g, l);

	if (l->rate > 0) {
		uint64_t due = (uint64_t)(seconds * l->rate);
		most = due > l->sent ? due - l->sent : 0;
	}
	if (l->order && most > l->n_order - l->sent)
		most = l->n_order - l->sent;
	return (uint16_t)(most < BURST ? most : BURST);
}

static void push(struct generator *g, struct load *l)
{
	uint16_t port = g->port[frame_side(l->kind)];
	uint16_t n = rte_eth_tx_burst(port, 0, l->pending, l->n_pending);

	g->tally[l->kind].sent += n;
	l->n_pending = (uint16_t)(l->n_pending - n);
	memmove(l->pending, l->pending + n, l->n_pending * sizeof *l->pending);
}

static bool is_done(const struct load *l)
{
	return l->order && l->sent == l->n_order && l->n_pending == 0;
}

static bool step(struct generator *g, struct load *loads, unsigned n_loads, double seconds)
{
	bool more = false;

	for (unsigned i = 0; i < n_loads; i++) {
		struct load *l = &loads[i];
		uint16_t n = l->n_pending ? 0 : how_many(g, l, seconds);

		if (n > 0)
			make_burst(g, l, n);
		if (l->n_pending > 0)
			push(g, l);
		more |= !is_done(l);
	}
	return more;
}

static void begin(const struct generator *g, struct load *l)
{
	const struct tally *t = &g->tally[l->kind];

	l->sent = l->n_pending = 0;
	l->sent_before = t->sent;
	l->received_before = t->received;
	l->given_up = 0;
}

double drive(struct generator *g, struct load *loads, unsigned n_loads, double seconds)
{
	uint64_t start = rte_rdtsc(), poll_at = 0;
	double passed = 0;

	g->heard_at = start;
	for (unsigned i = 0; i < n_loads; i++)
		begin(g, &loads[i]);
	while (passed < seconds && !interrupted && step(g, loads, n_loads, passed)) {
		receive(g);
		poll_daemon(g, rte_rdtsc(), &poll_at);
		passed = (double)(rte_rdtsc() - start) / g->hz;
	}
	for (unsigned i = 0; i < n_loads; i++)
		rte_pktmbuf_free_bulk(loads[i].pending, loads[i].n_pending);
	settle(g, QUIET_MS);
	return (double)(g->heard_at - start) / g->hz;
}

bool drive_meet(struct generator *g)
{
	for (int ms = 0; ms < MEET_MS && !interrupted; ms += ASK_MS) {
		for (enum side side = INSIDE; side < SIDES; side++) {
			if (!g->knows_gateway[side])
				frame_ask_gateway(g, side);
		}
		settle(g, ASK_MS);
		if (g->knows_gateway[INSIDE] && g->knows_gateway[OUTSIDE])
			return true;
	}
	return false;
}
