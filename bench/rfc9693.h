// SPDX-License-Identifier: Apache-2.0
// rfc9693.h - the parts of bench-rfc9693: the device under test between rings, the tester at their
// other ends, and the procedures of RFC 9693.
//
// Threads  the tester is the main lcore and does control's rounds, too; the device is lcore 1.
// Time     ticks are those of the time stamp counter.
#ifndef RFC9693_H
#define RFC9693_H

#include <postern/io.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

enum {
	QUEUE_FRAMES = 4096, // of the device's receive queues: as large as a NIC's
	TESTER_FRAMES = 24576,
	SPREAD = 64, // of the state table: entries that are on their way from memory
	HOST_PORTS = 63,
};

enum end {
	INITIATOR, // inside
	RESPONDER, // outside
	ENDS
};

// ---- rig -------------------------------------------------------------------------------------

struct connection { // a line of the tester's state table
	ip4 host, external;
	uint16_t port, external_port, remote_port, spare;
};

struct wire { // one port of the device
	struct rte_ring *in, *out;
};

struct rig {
	uint32_t n;      // connections that the device is configured for
	uint32_t n_ends; // internal endpoints that the tester has: a quarter more
	struct connection *table;
	struct rng rng;
	struct log log;
	struct io *io;
	struct conf *conf;
	struct wire wires[ENDS];
	void *queues[ENDS][1];
	uint8_t macs[ENDS][6]; // of the device
	struct rte_mempool *pool;
	bool running;
	bool stop_null;
};

// 0, or -errno; what is wrong is said in the log. The device stands still.
MUST_CHECK int rig_create(struct rig *r, uint32_t n, uint64_t seed);
// Instead of the device frames go from ring to ring, by its lcore: the tester's own limit.
MUST_CHECK int rig_start_null(struct rig *r);
void rig_stop_null(struct rig *r);
MUST_CHECK int rig_start(struct rig *r);
void rig_destroy(struct rig *r);
bool rig_has_huge_pages(const struct rig *r);
uint64_t rig_mappings(const struct rig *r);
uint64_t rig_loops(const struct rig *r); // turns of the worker; 0 while the device stands still
void rig_tend(struct rig *r);            // what control does all the time
// The whole table goes, by the operator's order. Ticks from the order to the last mapping's end.
// Returns when no port rests any more: the next trial finds the device as the first one did.
struct tester;
uint64_t rig_clear(struct rig *r, struct tester *t);

// ---- tester ----------------------------------------------------------------------------------

enum order { // in which connections are taken
	EACH_ONCE,
	AT_RANDOM
};

struct trial {
	bool sends[ENDS];
	enum order order;
	uint32_t n;     // connections
	double rate;    // frames a second and direction; 0: as many as the device's queue takes
	double seconds; // AT_RANDOM; EACH_ONCE ends with the last connection
	bool learn;     // the responder fills the state table
	bool verify;    // the initiator looks whose frame it got
};

struct outcome {
	uint64_t sent, received;
	uint64_t refused; // of those sent: the device's queue was full
	uint64_t wrong;   // came to another than they were sent for
	uint64_t late;    // frames that the tester could not send in time
	double seconds;   // from the first frame to the last one sent
};

struct tester *tester_create(struct rig *r);
void tester_destroy(struct tester *t);
// Addresses of both sides get known, and a frame goes there and back. False: it does not.
bool tester_learn(struct tester *t);
void tester_listen(struct tester *t); // takes what comes, answers ARP; for those who wait
struct outcome tester_run(struct tester *t, const struct trial *trial);

static inline bool outcome_is_clean(const struct outcome *o)
{
	return o->received == o->sent && o->wrong == 0;
}

// The rate asked for was really there.
static inline bool outcome_was_offered(const struct outcome *o)
{
	return o->late * 100 <= o->sent;
}

// ---- procedures ------------------------------------------------------------------------------

struct plan {
	double resolution; // of a rate, and ten times finer of the capacity
	double seconds;    // of a trial at a constant rate
	unsigned
		attempts; // a trial that lost frames is made again: who shares the machine disturbs
	unsigned repeats; // of the tear-down
};

struct result {
	double value;
	double unpaced; // the same when frames wait for room in the device's queues; 0: not asked
	double ceiling; // of the tester alone; 0: not asked
	bool validated; // each connection answered from outside afterwards
	unsigned trials;
};

// Tells people at a terminal what is tried now; rate 0: none.
void progress(uint32_t n, const char *what, double rate);

double measure_ceiling(struct tester *t, const struct plan *plan, uint32_t n);
struct result measure_establishment(struct rig *r, struct tester *t, const struct plan *plan);
struct result measure_throughput(struct rig *r, struct tester *t, const struct plan *plan);
struct result measure_teardown(struct rig *r, struct tester *t, const struct plan *plan);
struct result measure_capacity(struct rig *r, struct tester *t, const struct plan *plan);

#endif
