// SPDX-License-Identifier: Apache-2.0
// A device that feeds itself: what a worker sends is written anew, about another pair, and put at
// the end of a belt; what the worker receives comes from the belt's beginning. So the production
// loop runs as it is, without a wire. The device itself is net_null's; only its two burst functions
// are ours (rte_eth_fp_ops, the table that rte_eth_rx_burst() and rte_eth_tx_burst() look into).
//
// The worker's turns show from here: a turn begins with the poll of the inside port, and when all
// frames given in it are sent, what is left until the next poll is the background step and the
// rounds of the loop. That holds for turns of whole bursts: a part of one waits until the turn
// ends.
#include "worker_feed.h"

#include <rte_cycles.h>
#undef NS_PER_S
#define NS_PER_S ((ns)1000000000)

#include <stdlib.h>

enum {
	QUEUE_FRAMES = 512, // what a NIC would keep: the rest of a backlog is missed
	ALONE_BURSTS = 64,
	ARP_TICKS_SHIFT = 29 // a neighbour answers every 2^29 ticks, some 0.2 s
};

// When a request was due, for its latency: carried in the buffer, behind what drivers use.
static int due_at = -1;

static uint64_t *due_of(struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, due_at, uint64_t *);
}

// ---- orders ----------------------------------------------------------------------------------

static void clear_report(struct report *r)
{
	memset(r, 0, sizeof *r);
}

static void make_templates(struct feed *f)
{
	struct frame_wish wish = {.inside = f->setup.inside,
		.outside = f->setup.outside,
		.tag = f->tag,
		.remote_port = f->order.remote_port,
		.untranslated = f->order.untranslated,
		.map_lifetime_s = f->order.map_lifetime_s};

	f->lifetime_s = f->order.map_lifetime_s;
	for (enum role r = 0; r < ROLES; r++)
		frame_template(&f->templates[r], r, &wish);
}

static void follow_due(struct feed *f)
{
	ns now = io_now(f->setup.io);
	uint32_t left_s = f->order.map_due > now + NS_PER_S
				  ? (uint32_t)(f->order.map_due / NS_PER_S - now / NS_PER_S)
				  : 1;

	if (left_s != f->lifetime_s)
		frame_lifetime(&f->templates[ROLE_MAP], f->lifetime_s = left_s);
}

static void begin_order(struct feed *f)
{
	struct report *ended = f->now;

	if (ended->ticks == 0)
		ended->ticks = rte_rdtsc() - f->began;
	f->order = f->asked;
	f->tag++;
	make_templates(f);
	if (f->order.map_due)
		follow_due(f);
	f->cursor = f->map_cursor = 0;
	f->measuring = f->finished = false;
	f->now = f->before;
	f->before = ended;
	clear_report(f->now);
	for (enum role r = 0; r < ROLES; r++)
		belt_empty(&f->belts[r]);
	for (enum role r = 0; r < ROLES; r++) {
		if (!belt_make_room(&f->belts[r], f->order.wanted[r]))
			f->belts[r].wanted = 0;
		feed_top_up(f, r, f->belts[r].wanted);
	}
	__atomic_store_n(&f->done, false, __ATOMIC_RELAXED);
	__atomic_store_n(&f->taken_n, f->asked_n, __ATOMIC_RELEASE);
	f->polled = 0;
	f->began = rte_rdtsc();
	f->settled_at = f->sent + f->order.settle;
}

static void finish(struct feed *f)
{
	f->finished = true;
	__atomic_store_n(&f->done, true, __ATOMIC_RELEASE);
}

static void measure(struct feed *f, uint64_t t)
{
	if (!f->measuring && f->sent >= f->settled_at) {
		f->measuring = true;
		f->measured_from = t;
		f->sent_before = f->sent;
	}
	if (!f->measuring || f->sent - f->sent_before < f->order.frames)
		return;
	f->now->ticks = t - f->measured_from;
	f->now->sent = f->sent - f->sent_before;
	finish(f);
}

// Everything that was to be given once has been, and nothing of it is under way.
static void see_end(struct feed *f, uint64_t t)
{
	const struct order *o = &f->order;

	if ((o->each_once && f->cursor < o->count) ||
		(o->map_each_once && f->map_cursor < o->map_count) ||
		(o->each_once && f->belts[ROLE_OUT].n + f->belts[ROLE_IN].n > 0) ||
		(o->map_each_once && f->belts[ROLE_MAP].n > 0))
		return;
	f->now->done_at = t;
	f->now->ticks = t - f->began;
	finish(f);
}

// ---- turns -----------------------------------------------------------------------------------

// What a step may have ended, or let out of its rest.
static uint64_t count_ended(const struct feed *f)
{
	const struct nat_counters *n = f->nat;

	return n->implicit_expired + n->explicit_expired + n->cleared + n->moved + n->resting;
}

static void rest(struct feed *f)
{
	f->resting = true;
	f->ended = count_ended(f);
	f->rested = rte_rdtsc();
}

static void see_step(struct feed *f, uint64_t ticks)
{
	times_add(&f->now->step, ticks);
	if (count_ended(f) != f->ended)
		times_add(&f->now->work, ticks);
}

static void turn_end(struct feed *f, uint64_t t)
{
	if (f->polled == 0)
		return;
	f->now->turns++;
	times_add(&f->now->gap, t - f->polled);
	if (f->clear && f->resting)
		see_step(f, t - f->rested);
	else
		f->now->unclear++;
}

static void turn_begin(struct feed *f, uint64_t t)
{
	turn_end(f, t);
	if (unlikely(__atomic_load_n(&f->asked_n, __ATOMIC_ACQUIRE) != f->taken_n))
		begin_order(f);
	if (!f->finished && f->order.frames > 0 && f->order.mode == FEED_RUN)
		measure(f, t);
	else if (!f->finished && f->order.mode != FEED_SPIN &&
		 (f->order.each_once || f->order.map_each_once))
		see_end(f, t);
	if (f->order.map_due && f->order.mode == FEED_RUN)
		follow_due(f);
	f->polled = rte_rdtsc();
	f->turn_given = f->turn_taken = 0;
	f->clear = true;
	f->resting = false;
}

// ---- receiving -------------------------------------------------------------------------------

// How many frames of a role have arrived by now. A NIC's queue keeps so many and no more.
static uint32_t arrived(struct feed *f, enum role role, uint64_t t, uint32_t most)
{
	double rate = f->order.rate[role];
	struct report *r = f->now;
	uint64_t due, gone = r->given[role] + r->missed[role], waiting;

	if (rate <= 0)
		return most;
	// The turn in which an order is taken up began before the order did.
	due = t > f->began ? (uint64_t)((double)(t - f->began) * rate) : 0;
	waiting = due > gone ? due - gone : 0;
	if (waiting > QUEUE_FRAMES) {
		r->missed[role] += waiting - QUEUE_FRAMES;
		waiting = QUEUE_FRAMES;
	}
	return min_u32(most, (uint32_t)waiting);
}

static uint16_t give(
	struct feed *f, enum role role, struct rte_mbuf **out, uint32_t most, uint64_t t)
{
	struct belt *b = &f->belts[role];
	uint32_t n;

	if (b->wanted == 0 || most == 0)
		return 0;
	n = arrived(f, role, t, most);
	if (unlikely(b->n < n))
		feed_top_up(f, role, n);
	n = belt_take(b, out, n);
	f->now->given[role] += n;
	f->turn_given += n;
	f->clear &= n % FEED_BURST == 0;
	return (uint16_t)n;
}

// A request is due when it arrives at its rate, though it may wait for the next poll.
static void stamp(struct feed *f, struct rte_mbuf **m, uint16_t n, uint64_t t)
{
	double rate = f->order.rate[ROLE_MAP];
	const struct report *r = f->now;
	uint64_t first = r->given[ROLE_MAP] + r->missed[ROLE_MAP] - n;

	for (uint16_t i = 0; i < n; i++)
		*due_of(m[i]) =
			rate > 0 ? f->began + (uint64_t)((double)(first + i + 1) / rate) : t;
}

static uint16_t give_arp(struct feed *f, struct feed_queue *q, struct rte_mbuf **out)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(f->setup.pool);

	if (!m)
		return 0;
	m->data_len = frame_arp(rte_pktmbuf_mtod(m, uint8_t *), q->station);
	m->pkt_len = m->data_len;
	f->clear = false;
	*out = m;
	return 1;
}

static void spin(struct feed *f, uint64_t t)
{
	uint64_t last = t, end = t + ((uint64_t)1 << 22);

	while (last < end) {
		uint64_t next = rte_rdtsc();

		times_add(&f->now->gap, next - last);
		last = next;
	}
	f->polled = 0; // the turn was not the worker's
	if (!f->finished && last - f->began >= f->order.ticks) {
		f->now->ticks = last - f->began;
		finish(f);
	}
}

static enum role role_alone(const struct feed *f, unsigned i)
{
	bool out = f->belts[ROLE_OUT].wanted > 0, in = f->belts[ROLE_IN].wanted > 0;

	if (out && in)
		return i % 2 ? ROLE_IN : ROLE_OUT;
	return out ? ROLE_OUT : in ? ROLE_IN : ROLE_MAP;
}

static void go_round_alone(struct feed *f)
{
	for (unsigned i = 0; i < ALONE_BURSTS; i++) {
		struct rte_mbuf *m[FEED_BURST];
		uint16_t n = belt_take(&f->belts[role_alone(f, i)], m, FEED_BURST);

		feed_recycle(f, m, n);
		f->sent += n;
	}
	f->polled = 0;
	if (!f->finished && f->order.frames > 0)
		measure(f, rte_rdtsc());
}

static uint16_t receive_inside(struct feed *f, struct rte_mbuf **out, uint16_t n, uint64_t t)
{
	uint16_t data, map;

	if (f->order.mode == FEED_SPIN)
		spin(f, t);
	else if (f->order.mode == FEED_ALONE)
		go_round_alone(f);
	if (f->order.mode != FEED_RUN)
		return 0;
	data = give(f, ROLE_OUT, out, n, t);
	map = give(f, ROLE_MAP, out + data, (uint32_t)(n - data), t);
	if (map > 0)
		stamp(f, out + data, map, t);
	return (uint16_t)(data + map);
}

static uint16_t feed_receive(void *queue, struct rte_mbuf **out, uint16_t n)
{
	struct feed_queue *q = queue;
	struct feed *f = q->feed;
	uint64_t t = rte_rdtsc();
	uint16_t got;

	if (q->side == CONF_INSIDE)
		turn_begin(f, t);
	if (unlikely(t >= q->arp_at) && f->setup.worker == 0) {
		q->arp_at = t + ((uint64_t)1 << ARP_TICKS_SHIFT);
		return give_arp(f, q, out);
	}
	if (q->side == CONF_INSIDE)
		return receive_inside(f, out, n, t);
	got = f->order.mode == FEED_RUN ? give(f, ROLE_IN, out, n, t) : 0;
	if (f->turn_taken >= f->turn_given)
		rest(f);
	return got;
}

// ---- sending ---------------------------------------------------------------------------------

static void see_reply(struct feed *f, struct rte_mbuf *m, const struct frame_facts *facts)
{
	struct pair *pair = &f->setup.pairs[f->setup.worker].at[facts->index];
	struct report *r = f->now;

	times_add(&r->latency, rte_rdtsc() - *due_of(m));
	if (facts->result != PCP_SUCCESS) {
		r->refused++;
		return;
	}
	r->granted++;
	if (facts->lifetime_s == 0)
		return;
	r->kept += pair->external == facts->external.addr &&
		   pair->external_port == facts->external.port;
	pair->external = facts->external.addr;
	pair->external_port = facts->external.port;
}

static void see_data(struct feed *f, enum conf_side side, const struct frame_facts *facts)
{
	struct pair *pair = &f->setup.pairs[f->setup.worker].at[facts->index];
	struct recipe host = {pair->host, pair->port};
	struct recipe external = {pair->external, pair->external_port};

	if (facts->tag != f->tag)
		return;
	f->now->learned++;
	if (f->order.look == LOOK_LEARN && side == CONF_OUTSIDE) {
		pair->external = facts->src.addr;
		pair->external_port = facts->src.port;
		return;
	}
	if (side == CONF_OUTSIDE)
		f->now->wrong +=
			facts->src.addr != external.addr || facts->src.port != external.port;
	else
		f->now->wrong += facts->dst.addr != host.addr || facts->dst.port != host.port;
}

static void look(struct feed *f, enum conf_side side, struct rte_mbuf **m, uint16_t n)
{
	bool data = f->order.look != LOOK_NOT, map = f->belts[ROLE_MAP].wanted > 0;
	struct frame_facts facts;

	for (uint16_t i = 0; i < n; i++) {
		if (!data && !frame_is_reply(m[i]))
			continue;
		frame_look(m[i], &facts);
		if (map && facts.kind == FRAME_REPLY)
			see_reply(f, m[i], &facts);
		else if (data && facts.kind == FRAME_DATA)
			see_data(f, side, &facts);
	}
}

static uint16_t feed_send(void *queue, struct rte_mbuf **m, uint16_t n)
{
	struct feed_queue *q = queue;
	struct feed *f = q->feed;
	uint64_t before = f->turn_taken;

	if (f->order.look != LOOK_NOT || (f->belts[ROLE_MAP].wanted > 0 && q->side == CONF_INSIDE))
		look(f, q->side, m, n);
	f->sent += n;
	f->turn_taken += n;
	for (uint16_t i = 0; i < n; i += FEED_BURST)
		feed_recycle(f, m + i, (uint16_t)min_u32(FEED_BURST, (uint32_t)(n - i)));
	if (before < f->turn_given && f->turn_taken >= f->turn_given)
		rest(f);
	return n;
}

// ---- life ------------------------------------------------------------------------------------

static bool register_due(void)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "bench_due", .size = sizeof(uint64_t), .align = __alignof__(uint64_t)};

	if (due_at < 0)
		due_at = rte_mbuf_dynfield_register(&field);
	return due_at >= 0;
}

struct feed *feed_create(const struct feed_setup *setup)
{
	struct feed *f = aligned_alloc(CACHE_LINE, RTE_ALIGN(sizeof *f, CACHE_LINE));

	if (!f || !register_due()) {
		free(f);
		return NULL;
	}
	memset(f, 0, sizeof *f);
	f->setup = *setup;
	f->nat = shard_nat_counters(io_shard(setup->io, setup->worker));
	f->now = &f->reports[0];
	f->before = &f->reports[1];
	f->random = 88172645463325252u + setup->worker;
	f->queues[CONF_INSIDE] = (struct feed_queue){f, setup->inside, CONF_INSIDE, 0};
	f->queues[CONF_OUTSIDE] = (struct feed_queue){f, setup->outside, CONF_OUTSIDE, 0};
	return f;
}

void feed_destroy(struct feed *f)
{
	if (!f)
		return;
	for (enum role r = 0; r < ROLES; r++) {
		belt_empty(&f->belts[r]);
		free(f->belts[r].frames);
	}
	free(f);
}

void feed_attach(
	uint16_t port_id, struct feed *const *feeds, uint16_t n, enum conf_side side, void **queues)
{
	struct rte_eth_fp_ops *device = &rte_eth_fp_ops[port_id];

	for (uint16_t k = 0; k < n; k++)
		queues[k] = &feeds[k]->queues[side];
	device->rxq.data = queues;
	device->txq.data = queues;
	device->rx_pkt_burst = feed_receive;
	device->tx_pkt_burst = feed_send;
}

void feed_order(struct feed *f, const struct order *order)
{
	f->asked = *order;
	__atomic_store_n(&f->asked_n, f->asked_n + 1, __ATOMIC_RELEASE);
}

bool feed_took(const struct feed *f)
{
	return __atomic_load_n(&f->taken_n, __ATOMIC_ACQUIRE) == f->asked_n;
}

bool feed_done(const struct feed *f)
{
	return __atomic_load_n(&f->done, __ATOMIC_ACQUIRE);
}

const struct report *feed_report(const struct feed *f)
{
	return f->before;
}
