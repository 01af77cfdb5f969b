// SPDX-License-Identifier: Apache-2.0
// The daemon's room io as bench-worker runs it: workers, shards, snapshots and control's rounds are
// the daemon's own; the wire is a feed (worker_feed.c).
#include "worker.h"

#include <rte_cycles.h>
#undef NS_PER_S
#define NS_PER_S ((ns)1000000000)

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pages.h"

enum {
	HOST_PORTS_ROOM = 64, // a block
	BLOCKS_AN_ADDRESS = 64512 / HOST_PORTS_ROOM,
	GROWN_STATICS = 64,
	TEXT_ROOM = 16384
};

#define INSIDE_BASE ((ip4)0x64400000)   // 100.64.0.0
#define EXTERNAL_BASE ((ip4)0xc6120000) // 198.18.0.0, benchmarking (RFC 2544)
#define GROWN_BASE ((ip4)0xc6130000)    // 198.19.0.0
#define STATIC_HOST ((ip4)0x647f0000)   // 100.127.0.0, of nobody else

// ---- configurations --------------------------------------------------------------------------

static uint32_t n_hosts(const struct rig_wish *wish)
{
	return wish->mappings / HOST_PORTS + 1;
}

// Twice what is needed: ports that rest keep their blocks, and each worker has its own addresses.
static uint32_t n_addresses(const struct rig_wish *wish)
{
	return 2 * (n_hosts(wish) / BLOCKS_AN_ADDRESS + 1) * (wish->workers > 1 ? 2 : 1);
}

struct text {
	char *at;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	t->used += (size_t)vsnprintf(t->at + t->used, TEXT_ROOM - t->used, format, list);
	va_end(list);
}

static void add_limits(struct text *t, const struct rig_wish *wish)
{
	uint32_t hosts = n_hosts(wish);

	// Frames that go round are the daemon's own packet buffers: fragments-limit adds to these.
	add(t,
		"limits: { mappings: %u, sessions: 1000, leases: %u, filters: 1, descriptions: 1,\n"
		"  subscribers: %u, pcp-clients: %u, external-addresses: %u, fragments-limit: %u,\n"
		"  new-subscriber-rate: 1000000000, new-subscriber-burst: 1000000000 }\n",
		wish->mappings + wish->mappings / 64 + 4096,
		wish->leases ? wish->leases + wish->leases / 8 + 4096 : 4096,
		hosts + hosts / 8 + 4096, wish->leases ? hosts + hosts / 8 + 4096 : 4096,
		n_addresses(wish) + RIG_GROWN_ADDRESSES, wish->frames + wish->frames / 4 + 4096);
}

static void add_timers(struct text *t, const struct rig_wish *wish, enum rig_conf which)
{
	add(t, "timers: { allow-short-timers: true");
	if (which == RIG_HASTY)
		add(t, ", udp-unanswered-timeout: %us, udp-initial-timeout: %us", RIG_HASTY_S,
			RIG_HASTY_S);
	if (wish->hold_down_s)
		add(t, ", hold-down-timeout: %us, pcp-hold-down: %us", wish->hold_down_s,
			wish->hold_down_s);
	add(t, " }\n");
}

static void add_statics(struct text *t)
{
	char host[IP4_TEXT], external[IP4_TEXT];

	add(t, "    static-mappings:\n");
	for (uint32_t i = 0; i < GROWN_STATICS; i++)
		add(t, "      - { protocol: tcp, internal: \"%s:80\", external: \"%s:%u\" }\n",
			ip4_format(STATIC_HOST + 1 + i, host),
			ip4_format(GROWN_BASE + i % RIG_GROWN_ADDRESSES, external), 80 + i);
}

static void add_group(struct text *t, const struct rig_wish *wish, enum rig_conf which)
{
	char first[IP4_TEXT], last[IP4_TEXT], grown[IP4_TEXT];

	add(t,
		"nat-groups:\n"
		"  bench:\n"
		"    subscribers: [100.64.0.0/10]\n"
		"    external-address-pool: [%s-%s",
		ip4_format(EXTERNAL_BASE, first),
		ip4_format(EXTERNAL_BASE + n_addresses(wish) - 1, last));
	if (which == RIG_GROWN)
		add(t, ", %s-%s", ip4_format(GROWN_BASE, first),
			ip4_format(GROWN_BASE + RIG_GROWN_ADDRESSES - 1, grown));
	add(t,
		"]\n"
		"    port-set-size: %u\n"
		"    block-limit: %u\n"
		"    pcp: { listen: [gateway], lifetime: { min: 1s, max: 24h },\n"
		"      mappings-per-subscriber: 1024, request-rate: 0 }\n",
		HOST_PORTS_ROOM, which == RIG_GROWN ? 16 : 12);
	if (which == RIG_PASS)
		add(t, "    nat-pass-through: [{ prefix: 203.0.113.128/25 }]\n");
	if (which == RIG_GROWN)
		add_statics(t);
}

static void write_conf(struct text *t, const struct rig_wish *wish, enum rig_conf which)
{
	add(t,
		"workers: %u\n"
		"idle: poll\n"
		"ports:\n"
		"  inside: { device: net_null0, addresses: [10.64.0.1/24],\n"
		"    routes: [{ to: 100.64.0.0/10, via: 10.64.0.2 }] }\n"
		"  outside: { device: net_null1, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n",
		wish->workers);
	add_timers(t, wish, which);
	add_limits(t, wish);
	add_group(t, wish, which);
}

static int load(struct rig *r, enum rig_conf which)
{
	struct conf_complaints complaints = {0};
	struct text t = {malloc(TEXT_ROOM), 0};
	char line[600];

	if (!t.at)
		return -ENOMEM;
	write_conf(&t, &r->wish, which);
	int error = conf_load_text(
		"bench", t.at, t.used, r->confs[RIG_PLAIN], &r->confs[which], &complaints);
	for (uint32_t i = 0; i < complaints.n; i++) {
		conf_complaint_format(&complaints, i, line, sizeof line);
		fprintf(stderr, "bench-worker: %s\n", line);
	}
	conf_complaints_destroy(&complaints);
	free(t.at);
	return error;
}

// ---- pairs -----------------------------------------------------------------------------------

static struct pair pair_number(struct rig *r, uint32_t i)
{
	uint32_t port = 1024 + rng_below(&r->rng, 1000) * 64 + i % HOST_PORTS;

	return (struct pair){.host = INSIDE_BASE + 2 + i / HOST_PORTS, .port = (uint16_t)port};
}

// Fisher-Yates: nothing is in order.
static void shuffle(struct rig *r, struct pairs *p)
{
	for (uint32_t i = p->n; i > 1; i--) {
		uint32_t j = rng_below(&r->rng, i);
		struct pair swap = p->at[i - 1];
		p->at[i - 1] = p->at[j];
		p->at[j] = swap;
	}
}

// Each worker's subscribers, as the snapshot deals them.
static int make_pairs(struct rig *r)
{
	const struct conf *c = r->confs[RIG_PLAIN];
	size_t octets = (size_t)r->wish.mappings * sizeof(struct pair);
	enum pages pages;

	for (uint16_t k = 0; k < r->wish.workers; k++) {
		r->pairs[k].at = pages_map(octets, false, &pages);
		r->pairs_octets[k] = octets;
		if (!r->pairs[k].at)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->wish.mappings; i++) {
		struct pair pair = pair_number(r, i);
		struct pairs *p = &r->pairs[conf_inside_owner(c, pair.host)];
		p->at[p->n++] = pair;
	}
	for (uint16_t k = 0; k < r->wish.workers; k++)
		shuffle(r, &r->pairs[k]);
	return 0;
}

// ---- control's rounds ------------------------------------------------------------------------

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void rig_tend(struct rig *r)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct shard_event event;
	struct shard_answer answer;

	for (uint16_t k = 0; k < r->wish.workers; k++) {
		while (shard_event(io_shard(r->io, k), &event))
			r->events++;
		while (shard_answer(io_shard(r->io, k), &answer))
			r->wishes_done += answer.kind == SHARD_DONE;
	}
	io_poll(r->io, io_now(r->io));
	nanosleep(&pause, NULL);
}

void rig_pause(struct rig *r, double seconds)
{
	double end = seconds_now() + seconds;

	while (seconds_now() < end)
		rig_tend(r);
}

static bool knows_neighbours(const struct rig *r)
{
	struct io_neighbour n[4];
	uint32_t cursor = 0;

	return io_neighbours(r->io, io_now(r->io), &cursor, n, ARRAY_SIZE(n)) >= 2;
}

bool rig_took_over(const struct rig *r)
{
	for (uint16_t k = 0; k < r->wish.workers; k++) {
		if (shard_generation(io_shard(r->io, k)) != r->generation)
			return false;
	}
	return true;
}

void rig_publish(struct rig *r, enum rig_conf which)
{
	if (which == r->in_force)
		return;
	r->confs[which]->generation = ++r->generation;
	const struct conf *old = io_publish(r->io, r->confs[which], io_now(r->io));
	assert(old == r->confs[r->in_force]); // all stay ours
	(void)old;
	r->in_force = which;
}

void rig_use(struct rig *r, enum rig_conf which)
{
	rig_publish(r, which);
	while (!rig_took_over(r))
		rig_tend(r);
}

// ---- orders ----------------------------------------------------------------------------------

void rig_order(struct rig *r, uint16_t worker, const struct order *order)
{
	feed_order(r->feeds[worker], order);
	while (!feed_took(r->feeds[worker]))
		rig_tend(r);
}

void rig_order_all(struct rig *r, const struct order *order)
{
	for (uint16_t k = 0; k < r->wish.workers; k++) {
		struct order own = *order;

		own.count = r->pairs[k].n;
		rig_order(r, k, &own);
	}
}

bool rig_await(struct rig *r, uint16_t worker, double seconds)
{
	double end = seconds_now() + seconds;

	while (!feed_done(r->feeds[worker])) {
		if (seconds_now() > end)
			return false;
		rig_tend(r);
	}
	return true;
}

const struct report *rig_report(struct rig *r, uint16_t worker)
{
	const struct order nothing = {.mode = FEED_NOTHING};

	rig_order(r, worker, &nothing);
	return feed_report(r->feeds[worker]);
}

struct order rig_data(const struct rig *r, uint16_t worker, bool out, bool in)
{
	uint32_t share = out && in ? r->frames / 2 : r->frames;

	return (struct order){.mode = FEED_RUN,
		.count = r->pairs[worker].n,
		.wanted = {[ROLE_OUT] = out ? share : 0, [ROLE_IN] = in ? share : 0},
		.remote_port = RIG_PORT,
		.map_lifetime_s = 3600};
}

// RFC 6887 s.8.5: state was lost, so the group's Epoch begins anew.
void rig_clear(struct rig *r)
{
	struct shard_wish wish = {.kind = SHARD_CLEAR_GROUP, .group = 0};

	io_epoch_reset(r->io, 0, io_now(r->io));
	for (uint16_t k = 0; k < r->wish.workers; k++) {
		while (!shard_wish(io_shard(r->io, k), &wish))
			rig_tend(r);
	}
}

// ---- filling and checking --------------------------------------------------------------------

static struct order once(const struct rig *r, uint16_t worker, bool explicit_ones)
{
	struct order o = rig_data(r, worker, !explicit_ones, false);

	o.look = explicit_ones ? LOOK_NOT : LOOK_LEARN;
	o.each_once = !explicit_ones;
	o.map_each_once = explicit_ones;
	o.map_count = r->pairs[worker].n;
	o.wanted[ROLE_OUT] = explicit_ones ? 0 : HOT_FRAMES;
	o.wanted[ROLE_MAP] = explicit_ones ? MAP_FRAMES : 0;
	return o;
}

enum {
	FILL_PATIENCE_S = 120
};

// One worker after the other: control takes the events of one at a time.
uint64_t rig_fill(struct rig *r, bool explicit_ones, double *seconds)
{
	uint64_t missing = 0;

	*seconds = 0;
	for (uint16_t k = 0; k < r->wish.workers; k++) {
		struct order o = once(r, k, explicit_ones);

		rig_order(r, k, &o);
		bool done = rig_await(r, k, FILL_PATIENCE_S);
		const struct report *report = rig_report(r, k);
		missing += r->pairs[k].n - (explicit_ones ? report->granted : report->learned);
		*seconds += (double)report->ticks / r->ticks_per_us / 1e6;
		if (!done)
			fprintf(stderr, "bench-worker: worker %u was not filled in %u s\n", k,
				FILL_PATIENCE_S);
	}
	return missing;
}

static uint64_t check_side(struct rig *r, uint16_t worker, bool out)
{
	struct order o = rig_data(r, worker, out, !out);

	o.look = LOOK_CHECK;
	o.each_once = true;
	rig_order(r, worker, &o);
	(void)rig_await(r, worker, FILL_PATIENCE_S);
	const struct report *report = rig_report(r, worker);
	return report->wrong + (r->pairs[worker].n - report->learned);
}

uint64_t rig_check(struct rig *r, bool out, bool in)
{
	uint64_t wrong = 0;

	for (uint16_t k = 0; k < r->wish.workers; k++) {
		if (out)
			wrong += check_side(r, k, true);
		if (in)
			wrong += check_side(r, k, false);
	}
	return wrong;
}

// ---- counters --------------------------------------------------------------------------------

uint64_t rig_drops(const struct rig *r)
{
	uint64_t sum = 0;

	for (uint16_t k = 0; k < r->wish.workers; k++) {
		const struct io_counters *io = io_counters(r->io, k);
		const struct shard_counters *shard = shard_counters(io_shard(r->io, k));

		for (unsigned i = 0; i < DROP_COUNT; i++)
			sum += io->drops[i] + shard->drops[i];
	}
	return sum;
}

uint64_t rig_nat(const struct rig *r, size_t counter)
{
	uint64_t sum = 0;

	for (uint16_t k = 0; k < r->wish.workers; k++) {
		const char *all = (const void *)shard_nat_counters(io_shard(r->io, k));
		uint64_t value;

		memcpy(&value, all + counter, sizeof value);
		sum += value;
	}
	return sum;
}

// ---- life ------------------------------------------------------------------------------------

static int attach(struct rig *r, uint16_t index, enum conf_side side)
{
	struct station *s = side == CONF_INSIDE ? &r->inside : &r->outside;
	struct io_port_info info;
	uint16_t id;

	if (!io_port_info(r->io, index, &info) ||
		rte_eth_dev_get_port_by_name(info.device, &id) != 0)
		return -ENODEV;
	if (info.n_rx_queues < r->wish.workers)
		return -ENODEV;
	memcpy(s->ours, info.mac, sizeof s->ours);
	feed_attach(id, r->feeds, r->wish.workers, side, r->queues[side]);
	return 0;
}

static int make_feeds(struct rig *r)
{
	struct feed_setup setup = {.io = r->io,
		.pool = rte_mempool_lookup("packets"),
		.inside = &r->inside,
		.outside = &r->outside,
		.pairs = r->pairs,
		.n_workers = r->wish.workers};

	if (!setup.pool)
		return -ENOENT;
	for (uint16_t k = 0; k < r->wish.workers; k++) {
		setup.worker = k;
		r->feeds[k] = feed_create(&setup);
		if (!r->feeds[k])
			return -ENOMEM;
	}
	int error = attach(r, 0, CONF_INSIDE);
	return error ? error : attach(r, 1, CONF_OUTSIDE);
}

static void see_pages(struct rig *r)
{
	struct io_memory_info memory;
	struct io_worker_info worker;

	io_memory_info(r->io, &memory);
	r->huge = memory.eal_huge_pages;
	for (uint16_t k = 0; k < r->wish.workers; k++)
		r->huge &= io_worker_info(r->io, k, &worker) && worker.shard_huge_pages;
}

static int start(struct rig *r)
{
	struct io_setup setup = {.log = &r->log, .conf = r->confs[RIG_PLAIN], .rng = &r->rng};
	int error = io_create(&setup, &r->io);

	if (error)
		return error;
	r->ticks_per_us = (double)rte_get_tsc_hz() / 1e6;
	see_pages(r);
	error = make_feeds(r);
	if (error == 0)
		error = io_start(r->io);
	for (int i = 0; error == 0 && !knows_neighbours(r); i++) {
		rig_tend(r);
		error = i > 5000 ? -ETIMEDOUT : 0;
	}
	return error;
}

int rig_open(struct rig *r, const struct rig_wish *wish)
{
	int error = 0;

	*r = (struct rig){.wish = *wish,
		.frames = wish->frames,
		.inside = {.theirs = {2, 0, 0, 0, 0, 1},
			.our_ip = 0x0a400001,
			.their_ip = 0x0a400002},
		.outside = {.theirs = {2, 0, 0, 0, 0, 2},
			.our_ip = 0xc0000202,
			.their_ip = 0xc0000201}};
	log_init(&r->log, "bench-worker", STDERR_FILENO, LOG_LEVEL_ERROR);
	rng_init_u64(&r->rng, wish->seed);
	for (enum rig_conf i = 0; error == 0 && i < RIG_CONFS; i++)
		error = load(r, i);
	if (error == 0)
		error = make_pairs(r);
	if (error == 0) {
		r->confs[RIG_PLAIN]->generation = r->generation = 1;
		error = start(r);
	}
	if (error) {
		fprintf(stderr, "bench-worker: %u workers, %u mappings: %s\n", wish->workers,
			wish->mappings, strerror(-error));
		rig_close(r);
	}
	return error;
}

void rig_close(struct rig *r)
{
	if (r->io)
		io_stop(r->io);
	for (uint16_t k = 0; k < RIG_WORKERS; k++)
		feed_destroy(r->feeds[k]);
	(void)io_destroy(r->io); // its snapshot is one of ours
	for (enum rig_conf i = 0; i < RIG_CONFS; i++)
		conf_destroy(r->confs[i]);
	for (uint16_t k = 0; k < RIG_WORKERS; k++)
		pages_unmap(r->pairs[k].at, r->pairs_octets[k]);
}
