// SPDX-License-Identifier: Apache-2.0
// io.h - the machine room: EAL, ports, neighbours, workers, hand-off, the snapshot cell.
//
// Owner    the control thread (EAL's main lcore) makes every call below.
// Threads  worker k is an lcore of its own and owns shard k. Workers read the snapshot and the
//          neighbour table under RCU, write their own counters and one ring of learned neighbours.
// Readers  control reads struct io_counters at any time (relaxed; may lag).
// Memory   taken at io_create(): packet buffers from EAL, shards in huge pages where there are
//          enough. Nothing is allocated afterwards.
// Signals  some drivers use real-time signals; control keeps them blocked for itself.
// Time     io_now() is the clock that every `now` of this process comes from: monotonic, above 1 s.
// Book     docs/design/io.md; RFC 826, RFC 4861, RFC 1122 s.2.3.2, RFC 1112 s.6.4, IEEE 802.1Q
#ifndef POSTERN_IO_H
#define POSTERN_IO_H

#include <postern/log.h>
#include <postern/shard.h>

struct io;

// ---- life ------------------------------------------------------------------------------------

struct io_setup {
	const struct log *log; // borrowed for life
	struct conf *conf;     // the first snapshot, in force at once; io_destroy() gives it back
	struct rng *rng;       // borrowed for the call; each shard's seed is drawn from it
};

// Starts EAL, memory, ports and shards as conf says; no packet moves yet. Once in a process. 0, or
// -errno with the reason in the log (the snapshot stays the caller's then).
MUST_CHECK int io_create(const struct io_setup *setup, struct io **out);
// Sets the workers going; returns when each has taken over the snapshot and polls its queues.
MUST_CHECK int io_start(struct io *io);
// Stops the workers: what shards know stays readable. Again is fine.
void io_stop(struct io *io);
// Stops the workers, closes ports and EAL; returns the snapshot in force for conf_destroy().
// NULL is fine, and comes back.
struct conf *io_destroy(struct io *io);

ns io_now(const struct io *io);

// Drains what workers learned of neighbours, ages the table. Call every 10 ms or sooner: a first
// packet to a new neighbour waits for it.
void io_poll(struct io *io, ns now);

// ---- snapshot, epochs, shards ----------------------------------------------------------------

const struct conf *io_conf(const struct io *io); // the snapshot in force
// Swaps the snapshot, waits until no worker reads the old one, and returns that for
// conf_destroy(). Groups that the old one had not, or under another name, start their Epoch now;
// neighbours that are no longer on-link, or no longer static, are forgotten. Devices are told of a
// port's new mtu. Where one refuses a larger one (the log says why), interfaces of that port keep
// the old one in the new snapshot, before anybody reads it.
MUST_CHECK struct conf *io_publish(struct io *io, struct conf *new_conf, ns now);

// The group's Epoch counts from `base` on (design D5).
void io_epoch_reset(struct io *io, uint8_t group, ns base);
const struct shard_epochs *io_epochs(const struct io *io);

uint16_t io_n_workers(const struct io *io);
struct shard *io_shard(struct io *io, uint16_t worker); // for wishes and counters only

// ---- counters --------------------------------------------------------------------------------

#define IO_COUNTERS(X)                                                                             \
	X(loops, "Turns of the worker's loop.")                                                    \
	X(busy_loops, "Turns that found something to do.")                                         \
	X(naps, "Naps taken for want of packets.")                                                 \
	X(handoff_in, "Packets received from other workers.")                                      \
	X(handoff_out, "Packets given to other workers.")                                          \
	X(resteered, "Packets whose owner changed while they were handed over.")                   \
	X(frames_relayed, "Frames sent for workers that have no queue on the port.")               \
	X(arp_requests_received, "ARP requests for an address of ours.")                           \
	X(arp_replies_sent, "ARP replies sent.")                                                   \
	X(arp_replies_received, "ARP replies to us.")                                              \
	X(arp_requests_sent, "ARP requests sent, probes of stale neighbours included.")            \
	X(arp_gratuitous_sent, "Gratuitous ARP requests sent at start and after reloads.")         \
	X(nd_solicitations_received, "Neighbour solicitations for an address of ours.")            \
	X(nd_advertisements_sent, "Neighbour advertisements sent, unsolicited ones included.")     \
	X(nd_advertisements_received, "Neighbour advertisements received.")                        \
	X(nd_solicitations_sent, "Neighbour solicitations sent, probes of stale ones included.")   \
	X(arp_conflicts, "ARP or ND messages that contradicted a fresh or static neighbour, or "   \
			 "claimed an address of ours.")                                            \
	X(neighbour_news_lost, "Learned neighbours lost because control was behind.")              \
	X(packets_waited, "Packets that had to wait for an ARP answer.")

struct io_port_counters {
	uint64_t rx_packets, rx_bytes; // as polled, Ethernet header included
	uint64_t tx_packets, tx_bytes; // as taken by the port
};

struct io_counters { // of one worker
#define X(name, sentence) uint64_t name;
	IO_COUNTERS(X)
#undef X
	uint64_t drops[DROP_COUNT]; // what io drops itself; a shard counts its own
	uint64_t handed_to[CONF_MAX_WORKERS];
	struct io_port_counters ports[CONF_MAX_PORTS];
};

const struct io_counters *io_counters(const struct io *io, uint16_t worker);

// ---- ports and workers, for people -----------------------------------------------------------

enum io_rss {
	IO_RSS_NONE,        // the device cannot, or there is one queue: steered in software
	IO_RSS_ADDRESSES,   // the device spreads by both addresses: mostly handed over
	IO_RSS_SOURCE,      // by source address, in step with the snapshot's table
	IO_RSS_DESTINATION, // by destination address, likewise
};

struct io_port_info {
	const char *name;   // the configuration's, lives as long as the snapshot
	const char *device; // likewise
	char driver[32];    // "net_tap"
	uint8_t mac[6];
	bool link_known; // false: the device cannot tell; link_up and speed_mbps say nothing
	bool link_up;
	uint32_t speed_mbps; // 0: unknown
	uint16_t mtu;
	uint16_t n_rx_queues, n_tx_queues;
	uint8_t rss;        // enum io_rss
	uint16_t n_members; // of a link aggregation
	uint8_t mode;       // of one: the number that net_bonding gives it
	// The device's own numbers.
	uint64_t rx_packets, rx_bytes, rx_missed, rx_errors, rx_no_buffer;
	uint64_t tx_packets, tx_bytes, tx_errors;
};

// False: there is no port i.
bool io_port_info(const struct io *io, uint16_t i, struct io_port_info *info);

enum io_member_state {
	IO_MEMBER_DOWN,    // its link is
	IO_MEMBER_STANDBY, // in reserve, or not agreed on with the partner (IEEE 802.1AX)
	IO_MEMBER_ACTIVE,  // packets leave by it
};

struct io_member_info {
	const char *device; // the configuration's, lives as long as the snapshot
	char driver[32];
	uint8_t state;       // enum io_member_state
	uint32_t speed_mbps; // 0: unknown
	uint64_t rx_packets, tx_packets;
};

// Member i of the link aggregation that port `port` is. False: there is none.
bool io_member_info(const struct io *io, uint16_t port, uint16_t i, struct io_member_info *info);

struct io_worker_info {
	uint16_t cpu;
	bool running;          // false: still starting, or gone
	bool shard_huge_pages; // its shard's memory
	size_t shard_bytes;
};

bool io_worker_info(const struct io *io, uint16_t worker, struct io_worker_info *info);

struct io_memory_info {
	bool eal_huge_pages;
	size_t eal_bytes;
	uint32_t n_buffers, buffers_in_use;
};

void io_memory_info(const struct io *io, struct io_memory_info *info);

// ---- neighbours ------------------------------------------------------------------------------

struct io_neighbour {
	uint16_t iface; // index into the snapshot's interfaces
	ip6 ip;         // IPv4 as mapped
	uint8_t mac[6];
	bool is_static; // configured: stale and age_s say nothing
	bool stale;     // not confirmed for half a minute, or disputed; used and asked again
	uint32_t age_s; // since it was confirmed
};

// Fills up to `max` from *cursor on (0 at first); *cursor is 0 again when the walk ended.
uint32_t io_neighbours(
	const struct io *io, ns now, uint32_t *cursor, struct io_neighbour *out, uint32_t max);

#endif
