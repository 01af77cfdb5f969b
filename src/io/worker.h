// SPDX-License-Identifier: Apache-2.0
// The room's own structs: one worker's world, and what all share. Included by everything here that
// knows DPDK.
#ifndef IO_WORKER_H
#define IO_WORKER_H

#include <postern/io.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

// rte_cycles.h has put its own, an int, in the place of base.h's. With its guard set it stays ours.
#undef NS_PER_S
#define NS_PER_S ((ns)1000000000)

#include <signal.h>

#include "clock.h"
#include "eal.h"
#include "neighbours.h"
#include "waiting.h"

enum {
	BURST = SHARD_BURST,
	HANDOFF_RING = 2048, // packets on their way from one worker to another
	LEARNED_RING = 256,  // neighbours on their way to control
	EMPTY_TURNS = 100,   // before the first nap
};

// ---- the note a packet carries in mbuf.hash.usr from worker to worker ------------------------
// The mbuf's data begins at the IP header, or at the Ethernet header for NOTE_FRAME.

enum {
	NOTE_INDEX = 0xffff,        // interface it came from; NOTE_FRAME: port it leaves by
	NOTE_HAIRPINNED = 1 << 16,  // PKT_HAIRPINNED
	NOTE_HANDED = 1 << 17,      // has been handed over
	NOTE_RESTEERED = 1 << 18,   // ... and then on, because its owner had changed on the way
	NOTE_FRAME = 1 << 19,       // a whole frame, to be sent as it is
	NOTE_THIRD_PARTY = 1 << 20, // PKT_THIRD_PARTY: the Epoch to tell is in the private area
	NOTE_RESOLVED = 1 << 21,    // a fragment: its kind and ports are in the private area
};

// ---- neighbours on their way to control ------------------------------------------------------

struct learned {
	uint64_t key; // neighbour_key()
	ip6 name;     // its address
	uint8_t mac[6];
	uint8_t word; // enum neighbour_word
	uint8_t spare;
};

// ---- one worker ------------------------------------------------------------------------------

struct rx_queue {         // a queue this worker polls
	uint16_t port;    // index into the snapshot's ports
	uint16_t port_id; // EAL's number
	uint16_t queue;
};

struct tx_port {          // the worker's way out of a port
	uint16_t port_id; // EAL's number
	uint16_t queue;
	uint16_t relay; // worker that sends for us; ourselves when we have a queue
	uint16_t n;     // frames collected
	struct rte_ether_addr mac;
	bool lacp; // net_bonding in the mode of IEEE 802.1AX
	struct rte_mbuf *frames[BURST];
};

struct handoff { // one direction between two workers
	struct rte_ring *ring;
	uint16_t n; // packets collected by the sender
	struct rte_mbuf *packets[BURST];
};

struct worker {
	// This turn's world, read once at its start.
	const struct conf *conf;
	ns now;

	uint16_t id, n_workers;
	uint16_t n_rx;
	uint16_t n_own;
	uint32_t empty_turns;
	ns nap;
	struct io *io;
	struct shard *shard;
	struct rte_mempool *pool;
	const struct neighbours *neighbours;
	struct ring *learned;
	struct shard_sink sink;

	_Alignas(CACHE_LINE) struct pkt own[BURST];
	enum verdict verdicts[BURST];
	struct rx_queue rx[CONF_MAX_PORTS];
	struct tx_port tx[CONF_MAX_PORTS];
	struct handoff to[CONF_MAX_WORKERS];
	struct rte_ring *from[CONF_MAX_WORKERS];

	_Alignas(CACHE_LINE) struct io_counters counters;
	struct waiting waiting;

	ns next_beat;

	// Gratuitous ARP: worker 0 only.
	uint64_t announced_generation;
	uint32_t announced_changes; // of io->link_changes
	uint32_t announce_cursor, announce_rounds;
	ns announce_next;

	_Alignas(CACHE_LINE) bool running; // read by control
	uint16_t cpu;
	size_t shard_bytes;
	bool shard_huge;
	int prepared; // result of preparing its shard
};

// ---- a port ----------------------------------------------------------------------------------

struct member {      // of a link aggregation
	uint16_t id; // EAL's number
	bool down;
};

struct port {
	uint16_t id; // EAL's number
	bool found, started;
	bool tap;    // net_tap, or with members that are
	int bonding; // with members: net_bonding's mode
	uint16_t n_members;
	struct member members[CONF_MAX_MEMBERS];
	uint16_t n_queues;     // as many rx as tx
	uint8_t rss;           // enum io_rss
	uint16_t mtu, own_mtu; // what it has, and had before anybody said one
	char driver[32];
	struct rte_ether_addr mac; // ours on the wire
};

struct io {
	const struct log *log;
	struct conf *conf; // the cell: read under RCU
	bool stop;
	uint32_t link_changes; // of members; read by worker 0
	bool eal_up, going;
	struct clock clock;
	struct shard_epochs *epochs;

	uint16_t n_workers, n_ports;
	struct worker *workers[CONF_MAX_WORKERS];
	struct port ports[CONF_MAX_PORTS];
	struct rte_mempool *pool;
	bool eal_huge;
	size_t eal_bytes;
	struct neighbours neighbours;
	struct rng rng;
	struct eal_log eal_log;
};

// ---- between the files -----------------------------------------------------------------------

static inline void worker_drop(struct worker *w, struct rte_mbuf *m, enum drop reason)
{
	w->counters.drops[reason]++;
	rte_pktmbuf_free(m);
}

// The buffer's data becomes the packet as *p has it, without padding.
static inline struct rte_mbuf *packet_settle(const struct pkt *p)
{
	struct rte_mbuf *m = p->buf;

	m->data_off = (uint16_t)(p->l3 - (uint8_t *)m->buf_addr);
	m->data_len = p->len;
	m->pkt_len = p->len;
	return m;
}

// receive.c
void receive_frame(struct worker *w, uint16_t port, struct rte_mbuf *m);
// Parses the packet that m's data begins with and steers it.
void receive_packet(struct worker *w, struct rte_mbuf *m, uint32_t note);

// own.c: packets of our own shard
void own_run(struct worker *w); // what has been collected in w->own
void own_sink_init(struct worker *w);

// handoff.c
void handoff_put(struct worker *w, uint16_t to, struct rte_mbuf *m, uint32_t note);
void handoff_flush(struct worker *w);
unsigned handoff_drain(struct worker *w);
void handoff_free_all(struct worker *w);

// send.c
void send_packet(struct worker *w, struct pkt *p); // or an ICMP error in its place when too big
void send_made(struct worker *w, struct pkt *p);   // one the shard made: dropped when too big
void send_frame(struct worker *w, uint16_t port, struct rte_mbuf *m);
void send_flush(struct worker *w);
void send_beat(struct worker *w);                          // lets net_bonding send what it has to
void send_probe(struct worker *w, uint16_t iface, ip4 ip); // asks, at most once a second each
void send_probe6(struct worker *w, uint16_t iface, ip6 ip);
void send_waiting(struct worker *w); // lets go whoever's neighbour answered, drops the expired

// arp.c
void arp_receive(struct worker *w, uint16_t iface, struct rte_mbuf *m, const struct pkt_link *link);
void arp_ask(struct worker *w, uint16_t iface, ip4 ip);
void arp_announce_step(struct worker *w);

// nd.c
// An IPv6 frame: neighbour discovery and what is for a link-local address of ours ends here, the
// rest goes to our own shard.
void nd_receive(struct worker *w, uint16_t iface, struct rte_mbuf *m, const struct pkt_link *link);
void nd_ask(struct worker *w, uint16_t iface, ip6 ip);
void nd_announce(struct worker *w);

// cell.c
// Enters the static neighbours of a snapshot that is about to be in force.
void cell_set_static(struct io *io, const struct conf *c, ns now);

// io.c
sigset_t worker_signals(void); // those that drivers send to wake a worker

// worker.c
int worker_main(void *worker);

#endif
