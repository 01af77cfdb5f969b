// SPDX-License-Identifier: Apache-2.0
// The device under test: the daemon's room io with its worker, shard and snapshot, between rings.
// Its ports are net_null's, whose burst functions are replaced in rte_eth_fp_ops by what net_ring's
// do: one call of the ring. The rings are the wire to the tester.
#include "rfc9693.h"

#include "pages.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#undef NS_PER_S
#define NS_PER_S ((ns)1000000000)

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BLOCK = 64,
	BLOCKS_AN_ADDRESS = 64512 / BLOCK,
	BURST_FRAMES = 32,
	WORKER = 1,       // lcore of worker 0
	FIRST_REMOTE = 1, // RFC 4814 s.4.5: destination ports 1..49151
	REMOTE_PORTS = 49151
};

#define INSIDE_BASE ((ip4)0x64400000)   // 100.64.0.0
#define EXTERNAL_BASE ((ip4)0xc6120000) // 198.18.0.0, benchmarking (RFC 2544)

// ---- configuration ---------------------------------------------------------------------------

static uint32_t n_hosts(const struct rig *r)
{
	return r->n_ends / HOST_PORTS + 1;
}

static int load_conf(struct rig *r)
{
	uint32_t addresses = n_hosts(r) / BLOCKS_AN_ADDRESS + 2;
	struct conf_complaints complaints = {0};
	char text[2000], line[600], first[IP4_TEXT], last[IP4_TEXT];
	int len = snprintf(text, sizeof text,
		"idle: poll\n"
		"ports:\n"
		"  inside: { device: net_null0, addresses: [10.255.0.1/30],\n"
		"    routes: [{ to: 100.64.0.0/10, via: 10.255.0.2 }] }\n"
		"  outside: { device: net_null1, addresses: [192.0.2.1/30], gateway: 192.0.2.2 }\n"
		"limits: { mappings: %u, sessions: 1000, leases: 100, subscribers: %u,\n"
		"  external-addresses: %u, fragments-limit: %d,\n"
		"  new-subscriber-rate: 1000000000, new-subscriber-burst: 1000000000 }\n"
		"timers: { udp-timeout: 64000, udp-initial-timeout: 64000,\n"
		"  udp-unanswered-timeout: 64000, hold-down-timeout: 0 }\n"
		"nat-groups:\n"
		"  bench:\n"
		"    subscribers: [100.64.0.0/10]\n"
		"    external-address-pool: [%s-%s]\n"
		"    port-set-size: %d\n"
		"    pcp: false\n",
		r->n, n_hosts(r) + 128, addresses, TESTER_FRAMES, ip4_format(EXTERNAL_BASE, first),
		ip4_format(EXTERNAL_BASE + addresses - 1, last), BLOCK);
	int error = conf_load_text("bench", text, (size_t)len, NULL, &r->conf, &complaints);

	for (uint32_t i = 0; i < complaints.n; i++) {
		conf_complaint_format(&complaints, i, line, sizeof line);
		fprintf(stderr, "bench-rfc9693: %s\n", line);
	}
	conf_complaints_destroy(&complaints);
	if (error == 0)
		r->conf->generation = 1;
	return error;
}

// ---- the tester's endpoints ------------------------------------------------------------------

// RFC 4814: ports are drawn at random, each internal endpoint once, and none stands in order.
static int table_fill(struct rig *r)
{
	enum pages pages;

	r->table = pages_map((size_t)r->n_ends * sizeof *r->table, false, &pages);
	if (!r->table)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n_ends; i++) {
		uint32_t port = 1024 + rng_below(&r->rng, BLOCKS_AN_ADDRESS) * BLOCK;

		r->table[i] = (struct connection){.host = INSIDE_BASE + 2 + i / HOST_PORTS,
			.port = (uint16_t)(port + i % HOST_PORTS),
			.remote_port = (uint16_t)(FIRST_REMOTE + rng_below(&r->rng, REMOTE_PORTS))};
	}
	for (uint32_t i = r->n_ends; i > 1; i--) {
		uint32_t j = rng_below(&r->rng, i);
		struct connection swap = r->table[i - 1];

		r->table[i - 1] = r->table[j];
		r->table[j] = swap;
	}
	return 0;
}

// ---- wires -----------------------------------------------------------------------------------

static uint16_t device_receives(void *queue, struct rte_mbuf **frames, uint16_t n)
{
	struct wire *w = queue;

	return (uint16_t)rte_ring_sc_dequeue_burst(w->in, (void **)frames, n, NULL);
}

static uint16_t device_sends(void *queue, struct rte_mbuf **frames, uint16_t n)
{
	struct wire *w = queue;

	return (uint16_t)rte_ring_sp_enqueue_burst(w->out, (void **)frames, n, NULL);
}

static struct rte_ring *ring_make(uint32_t frames)
{
	ssize_t octets = rte_ring_get_memsize(frames);
	struct rte_ring *ring = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)octets);

	if (ring)
		rte_ring_init(ring, "wire", frames, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return ring;
}

// What leaves the device finds room for every frame there is: only its own queues can overflow.
static int wire_make(struct rig *r, enum end end)
{
	static const char *const devices[] = {"net_null0", "net_null1"};
	struct wire *w = &r->wires[end];
	struct rte_ether_addr mac;
	struct rte_eth_fp_ops *port;
	uint16_t id;

	w->in = ring_make(QUEUE_FRAMES);
	w->out = ring_make(rte_align32pow2(r->pool->size + 1));
	if (!w->in || !w->out)
		return -ENOMEM;
	if (rte_eth_dev_get_port_by_name(devices[end], &id) != 0 ||
		rte_eth_macaddr_get(id, &mac) != 0)
		return -ENODEV;
	memcpy(r->macs[end], mac.addr_bytes, sizeof r->macs[end]);
	r->queues[end][0] = w;
	port = &rte_eth_fp_ops[id];
	port->rxq.data = port->txq.data = r->queues[end];
	port->rx_pkt_burst = device_receives;
	port->tx_pkt_burst = device_sends;
	return 0;
}

// ---- life ------------------------------------------------------------------------------------

int rig_create(struct rig *r, uint32_t n, uint64_t seed)
{
	struct io_setup setup = {.log = &r->log, .rng = &r->rng};
	int error;

	*r = (struct rig){.n = n, .n_ends = n + n / 4};
	log_init(&r->log, "bench-rfc9693", STDERR_FILENO, LOG_LEVEL_WARN);
	rng_init_u64(&r->rng, seed);
	error = load_conf(r);
	if (error)
		return error;
	setup.conf = r->conf;
	error = io_create(&setup, &r->io);
	if (error)
		return error;
	r->conf = NULL; // io's now
	r->pool = rte_mempool_lookup("packets");
	if (!r->pool)
		return -ENOENT;
	error = table_fill(r); // after the device: it has the first choice of huge pages
	if (error == 0)
		error = wire_make(r, INITIATOR);
	return error ? error : wire_make(r, RESPONDER);
}

static void pass_on(struct wire *from, struct wire *to)
{
	struct rte_mbuf *frames[BURST_FRAMES];
	uint16_t n = device_receives(from, frames, BURST_FRAMES);

	if (n > 0)
		device_sends(to, frames, n);
}

static int null_main(void *arg)
{
	struct rig *r = arg;

	while (!__atomic_load_n(&r->stop_null, __ATOMIC_RELAXED)) {
		pass_on(&r->wires[INITIATOR], &r->wires[RESPONDER]);
		pass_on(&r->wires[RESPONDER], &r->wires[INITIATOR]);
	}
	return 0;
}

int rig_start_null(struct rig *r)
{
	r->stop_null = false;
	return rte_eal_remote_launch(null_main, r, WORKER);
}

void rig_stop_null(struct rig *r)
{
	__atomic_store_n(&r->stop_null, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(WORKER);
}

int rig_start(struct rig *r)
{
	int error = io_start(r->io);

	r->running = error == 0;
	return error;
}

void rig_destroy(struct rig *r)
{
	if (r->io)
		io_stop(r->io);
	for (enum end end = INITIATOR; end < ENDS; end++) {
		free(r->wires[end].in);
		free(r->wires[end].out);
	}
	conf_destroy(io_destroy(r->io));
	conf_destroy(r->conf);
	pages_unmap(r->table, (size_t)r->n_ends * sizeof *r->table);
}

bool rig_has_huge_pages(const struct rig *r)
{
	struct io_worker_info info;

	return io_worker_info(r->io, 0, &info) && info.shard_huge_pages;
}

uint64_t rig_mappings(const struct rig *r)
{
	const struct nat_counters *n = shard_nat_counters(io_shard(r->io, 0));

	return __atomic_load_n(&n->mappings, __ATOMIC_RELAXED);
}

uint64_t rig_loops(const struct rig *r)
{
	return r->running ? __atomic_load_n(&io_counters(r->io, 0)->loops, __ATOMIC_RELAXED) : 0;
}

// ---- control ---------------------------------------------------------------------------------

void rig_tend(struct rig *r)
{
	struct shard_event event;

	if (!r->running)
		return;
	while (shard_event(io_shard(r->io, 0), &event))
		;
	io_poll(r->io, io_now(r->io));
}

static bool is_done(struct rig *r)
{
	struct shard_answer answer;

	while (shard_answer(io_shard(r->io, 0), &answer)) {
		if (answer.kind == SHARD_DONE)
			return true;
	}
	return false;
}

// A freed port rests at least until the next second begins, whatever hold-down-timeout says.
static bool ports_rest(const struct rig *r)
{
	const struct nat_counters *n = shard_nat_counters(io_shard(r->io, 0));

	return __atomic_load_n(&n->resting, __ATOMIC_RELAXED) > 0;
}

uint64_t rig_clear(struct rig *r, struct tester *t)
{
	struct shard_wish wish = {.kind = SHARD_CLEAR_GROUP, .id = 1};
	uint64_t begin = rte_rdtsc(), end;
	bool done = false;

	while (!shard_wish(io_shard(r->io, 0), &wish))
		rig_tend(r);
	while (rig_mappings(r) > 0)
		rig_tend(r);
	end = rte_rdtsc();
	while (!done || ports_rest(r)) {
		done = done || is_done(r);
		tester_listen(t);
	}
	return end - begin;
}
