// SPDX-License-Identifier: Apache-2.0
// bench-ethdev: posternd behind a real driver, and the subscribers and the Internet around it.
//
//   ethdev.c         the sequence of questions
//   ethdev_options.c arguments
//   ethdev_daemon.c  posternd: its configuration, its start and end, what it counts
//   ethdev_link.c    the generator's two ports: memif, veth pairs
//   ethdev_ring.c    room io in this process, over net_ring
//   ethdev_frames.c  frames from flows, and what comes back judged
//   ethdev_drive.c   sending and receiving at a rate, for a time
//   ethdev_tell.c    rows for people and programs
#ifndef ETHDEV_H
#define ETHDEV_H

#include <postern/pcp.h>
#include <postern/pkt.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

// rte_cycles.h has put its own, an int, in the place of base.h's.
#undef NS_PER_S
#define NS_PER_S ((ns)1000000000)

enum device {
	DEVICE_MEMIF,
	DEVICE_RING,
	DEVICE_AF_PACKET,
	DEVICE_AF_XDP,
	DEVICES
};

enum side {
	INSIDE,
	OUTSIDE,
	SIDES
};

enum {
	BURST = 32,
	PORTS_EACH = 64, // flows of one subscriber, and as many explicit mappings
	MAX_FLOWS = 8 << 20,
	MAX_SIZES = 4,
	MAX_ROUNDS = 15,
	PATH_ROOM = 256,
};

struct options {
	bool devices[DEVICES];
	uint32_t sizes[MAX_SIZES];
	unsigned n_sizes;
	unsigned rounds;
	double seconds; // of a round
	double rate;    // packets per second; 0: what is taken
	bool check;     // lost packets fail
	bool json, huge, no_pcp, print_config;
	const char *posternd, *posternctl;
	const char *control; // of a posternd that runs already
	const char *memif;   // the socket
};

// Ends the process with status 2 when they are wrong, with 0 after --help.
void options_read(struct options *o, int argc, char **argv);

// ---- posternd --------------------------------------------------------------------------------

struct sample { // what posternd has counted until now
	uint64_t loops, busy_loops;
	uint64_t cpu_ns; // of its workers
	uint64_t mappings, leases;
	uint64_t drops;
	bool huge;
};

struct io;
struct log;

struct daemon {
	const struct options *o;
	enum device device;
	uint32_t n_flows;
	char dir[PATH_ROOM]; // made for this run; empty: somebody else's daemon
	char control[PATH_ROOM], memif[PATH_ROOM];
	int pid; // 0: in this process
	uint16_t cpu, own_cpu;
	struct io *io; // in this process
	struct log *log;
};

// Where posternd's sides are and where we are on them.
#define GATEWAY_INSIDE ((ip4)0x0a000001)  // 10.0.0.1
#define US_INSIDE ((ip4)0x0a000002)       // 10.0.0.2
#define GATEWAY_OUTSIDE ((ip4)0xc6336402) // 198.51.100.2
#define US_OUTSIDE ((ip4)0xc6336401)      // 198.51.100.1
#define SUBSCRIBERS ((ip4)0x64400000)     // 100.64.0.0/10
#define POOL ((ip4)0xcb007100)            // 203.0.113.0
#define PEER ((ip4)0xc0000250)            // 192.0.2.80
#define PASSED ((ip4)0xc6120001)          // 198.18.0.1: reached untranslated
#define PEER_PORT 9

// All return 0 or -errno with the reason on standard error.
MUST_CHECK int daemon_prepare(
	struct daemon *d, const struct options *o, enum device device, uint32_t n_flows);
MUST_CHECK int daemon_start(struct daemon *d);
void daemon_stop(struct daemon *d);
void daemon_write_config(const struct daemon *d, FILE *out);
MUST_CHECK int daemon_sample(const struct daemon *d, struct sample *out);
// Of the threads whose name tells that they are EAL workers.
uint64_t workers_cpu_ns(int pid);

// ---- the generator ---------------------------------------------------------------------------

struct flow {
	ip4 host;
	uint16_t port;
	uint16_t lease_port; // of its explicit mapping
	ip4 external;        // 0: not seen yet
	uint16_t external_port;
	bool leased;
};

enum kind {
	KIND_OUT,  // from a subscriber to the Internet
	KIND_IN,   // back
	KIND_PASS, // from a subscriber, not translated: what forwarding alone costs
	KIND_MAP,  // a PCP MAP request for the flow's lease_port
	KINDS
};

struct tally {
	uint64_t sent, received;
	uint64_t wrong; // came back, but not as it should be
};

struct generator {
	uint16_t port[SIDES];
	struct rte_ether_addr mac[SIDES], gateway[SIDES];
	bool knows_gateway[SIDES];
	struct rte_mempool *pool;
	struct flow *flows;
	uint32_t n;
	struct rng rng;
	struct tally tally[KINDS];
	uint64_t strange;   // frames that are none of ours
	uint64_t *asked_at; // TSC by flow; 0: answered
	uint32_t *answers;  // how long they took, in TSC cycles / 16
	uint32_t n_answers, max_answers;
	uint64_t heard_at; // TSC
	uint32_t window;   // on their way at most, of a load without a rate
	double hz;
	struct daemon *daemon;
};

MUST_CHECK int generator_open(struct generator *g, struct daemon *d, uint32_t n_flows);
void generator_close(struct generator *g);

// ethdev_link.c
#define LINK_PLAIN_MB 128                      // for packet buffers, where there are no huge pages
MUST_CHECK int link_prepare(struct daemon *d); // before posternd starts
MUST_CHECK int link_open(struct generator *g, struct daemon *d);     // after
MUST_CHECK int link_start_port(struct generator *g, enum side side); // g->port[side] is known
MUST_CHECK int link_make_pool(struct generator *g);
MUST_CHECK int link_wait_up(struct generator *g);
void link_close(struct generator *g);

// ethdev_ring.c
MUST_CHECK int ring_start(struct daemon *d);
void ring_ports(uint16_t port[SIDES]);
void ring_poll(struct daemon *d);
void ring_sample(const struct daemon *d, struct sample *out);
void ring_stop(struct daemon *d);

// ethdev_frames.c
void frame_make(struct generator *g, struct rte_mbuf *m, enum kind kind, uint32_t flow);
enum side frame_side(enum kind kind);
void frame_judge(struct generator *g, enum side side, struct rte_mbuf *m); // takes m
void frame_ask_gateway(struct generator *g, enum side side);

// ethdev_drive.c
struct load {
	enum kind kind;
	double rate;           // packets per second; 0: what is taken
	const uint32_t *order; // each of these once; NULL: drawn at random, as long as it lasts
	uint32_t n_order;

	uint64_t sent, sent_before, received_before, given_up;
	struct rte_mbuf *pending[BURST];
	uint16_t n_pending;
};

extern volatile bool interrupted; // by a signal
// Sends until the time is over or all orders are done, then waits for the last to come back.
// Returns the seconds until it did.
double drive(struct generator *g, struct load *loads, unsigned n_loads, double seconds);
bool drive_meet(struct generator *g); // learns both gateways

// ethdev_tell.c
struct figure {
	const char *operation;
	double pps, cycles; // of the worker and packet; 0: not known
	uint64_t sent, lost, wrong;
	uint32_t mappings;
};

struct latency {
	double p50_us, p99_us, max_us;
	uint64_t asked, answered;
};

const char *device_name(enum device device);
void tell_begin(const struct options *o, const struct daemon *d, const struct sample *s,
	double empty_cycles);
void tell_figure(const struct options *o, const struct daemon *d, const struct sample *s,
	const struct figure *f);
void tell_latency(const struct options *o, const struct daemon *d, const struct sample *s,
	uint32_t mappings, const struct latency *l);

#endif
