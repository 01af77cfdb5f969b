// SPDX-License-Identifier: Apache-2.0
// worker.h - the parts of bench-worker: a device that feeds itself, the daemon's room io around it,
// and the scenes that are played there.
//
// Threads  a feed belongs to its worker. Control gives it orders and reads what came of an order
//          once the next one is taken.
// Time     ticks are those of the time stamp counter.
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <postern/io.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

// rte_cycles.h has put its own, an int, in the place of base.h's.
#undef NS_PER_S
#define NS_PER_S ((ns)1000000000)

enum {
	FEED_BURST = SHARD_BURST,
	RIG_WORKERS = 2, // at most
	HOT_FRAMES = 2048,
	COLD_FRAMES = 65536,
	MAP_FRAMES = 256, // PCP requests ready at once
	HOST_PORTS = 63
};

// ---- times: a histogram of ticks, 32 places for every power of two ---------------------------

enum {
	TIMES_SUB = 32,
	TIMES_PLACES = 60 * TIMES_SUB
};

struct times {
	uint64_t n, most;
	uint64_t counts[TIMES_PLACES];
};

void times_clear(struct times *t);
uint64_t times_quantile(const struct times *t, double q); // upper edge of its place
void times_merge(struct times *into, const struct times *from);
uint64_t times_above(const struct times *t, uint64_t ticks);

static inline void times_add(struct times *t, uint64_t ticks)
{
	unsigned e = 63 - (unsigned)__builtin_clzll(ticks | (TIMES_SUB - 1));
	unsigned shift = e < 5 ? 0 : e - 5;
	unsigned at = shift * TIMES_SUB + (unsigned)(ticks >> shift);

	t->n++;
	t->most = ticks > t->most ? ticks : t->most;
	t->counts[at < TIMES_PLACES ? at : TIMES_PLACES - 1]++;
}

// ---- mappings as the bench knows them --------------------------------------------------------

struct pair {
	ip4 host, external;
	uint16_t port, external_port;
};

struct pairs { // of one worker's subscribers, in random order
	struct pair *at;
	uint32_t n;
};

// ---- frames ----------------------------------------------------------------------------------

enum role {
	ROLE_OUT, // UDP from a subscriber
	ROLE_IN,  // UDP to an external endpoint
	ROLE_MAP, // a PCP MAP request
	ROLES
};

struct template
{ // a frame, and the sums of what does not change in it
	uint8_t octets[128];
	uint16_t length;
	uint32_t ip_sum, udp_sum; // native words, checksum and changing fields zero
};

struct station { // who speaks on a port, and to whom
	uint8_t ours[6], theirs[6];
	ip4 our_ip, their_ip;
};

struct frame_wish {
	const struct station *inside, *outside;
	uint32_t tag;         // in the payload, tells the frames of one order from another's
	uint16_t remote_port; // of the peer
	bool untranslated;    // the peer is one that nat-pass-through names
	uint32_t map_lifetime_s;
};

void frame_template(struct template *t, enum role role, const struct frame_wish *wish);
// The frame of this role about a pair; `suggest` its external endpoint, in a MAP.
void frame_write(struct rte_mbuf *m, const struct template *t, enum role role,
	const struct pair *pair, uint32_t index, bool untranslated);
void frame_lifetime(struct template *t, uint32_t lifetime_s);
void frame_map(struct rte_mbuf *m, const struct template *t, const struct pair *pair,
	uint32_t index, bool suggest);
uint16_t frame_arp(uint8_t *frame, const struct station *s); // octets

enum frame_kind {
	FRAME_OTHER,
	FRAME_DATA,
	FRAME_REPLY // of PCP
};

struct frame_facts {
	enum frame_kind kind;
	uint32_t tag, index;
	struct recipe src, dst; // FRAME_DATA
	uint8_t result;         // FRAME_REPLY
	uint32_t lifetime_s;
	struct recipe external;
};

void frame_look(const struct rte_mbuf *m, struct frame_facts *facts);
bool frame_is_reply(const struct rte_mbuf *m);

// ---- feed: what a worker's queues receive and send -------------------------------------------

enum feed_mode {
	FEED_NOTHING, // queues are empty, but for ARP
	FEED_RUN,
	FEED_ALONE, // frames go round without the worker: what the feed itself costs
	FEED_SPIN   // an empty loop, for its gaps
};

enum feed_look { // at frames that the worker sends
	LOOK_NOT,
	LOOK_LEARN, // the external endpoint of each pair
	LOOK_CHECK  // whether it is the one learned
};

struct order {
	uint8_t mode, look; // enum feed_mode, enum feed_look
	bool untranslated;  // to and from a peer that nat-pass-through names
	bool each_once;     // OUT and IN: pairs `first` .. `first + count - 1` once, else at random
	uint32_t first, count;
	bool map_each_once;
	uint32_t map_first, map_count;
	bool map_suggest;
	uint32_t map_deletes; // of 2^32
	uint32_t map_lifetime_s;
	ns map_due;             // not 0: leases end at this moment, however late they are asked for
	uint32_t wanted[ROLES]; // frames that go round
	double rate[ROLES];     // frames a tick; 0: as many as the worker takes
	uint16_t remote_port;
	uint32_t strangers;      // of 2^32: OUT and IN of the other worker's pairs
	uint64_t settle, frames; // sent before the measurement and in it; 0: measured until the
				 // next order
	uint64_t ticks;          // FEED_SPIN: so long
};

struct report {                               // what came of an order
	uint64_t ticks, sent;                 // the measurement
	uint64_t given[ROLES], missed[ROLES]; // missed: the queue was full
	uint64_t learned, wrong;              // by `look`
	uint64_t granted, refused, kept;      // PCP; kept: with the external endpoint suggested
	uint64_t done_at;                     // when each_once, map_each_once were all back
	uint64_t turns, unclear;              // unclear: the step could not be told from packets
	struct times step;                    // from the last frame of a turn to the next poll
	struct times work; // of the steps, those in which something ended or came out of its rest
	struct times gap;  // from poll to poll; FEED_SPIN: from look to look
	struct times latency; // of PCP, from when the request was due
};

struct feed;

struct feed_setup {
	struct io *io;
	struct rte_mempool *pool;
	const struct station *inside, *outside;
	const struct pairs *pairs; // of every worker
	uint16_t worker, n_workers;
};

struct feed *feed_create(const struct feed_setup *setup); // NULL: no memory
void feed_destroy(struct feed *f);
// Puts the feeds in the place of the started device's queues; `side` tells which port it is.
// `queues`, n of them, is filled and borrowed until the device stops.
void feed_attach(uint16_t port_id, struct feed *const *feeds, uint16_t n, enum conf_side side,
	void **queues);

void feed_order(struct feed *f, const struct order *order); // taken up at the next poll
bool feed_took(const struct feed *f);
bool feed_done(const struct feed *f); // the measurement, or what was to be given once
const struct report *feed_report(const struct feed *f); // of the order before the one taken

// ---- rig: room io, its snapshots and its feeds -----------------------------------------------

enum rig_conf {
	RIG_PLAIN,
	RIG_PASS,  // the same with nat-pass-through for the peer of the null pipeline
	RIG_GROWN, // a reload: more addresses, static mappings, other limits
	RIG_HASTY, // a reload: unanswered UDP idles out after RIG_HASTY_S
	RIG_CONFS
};

struct rig_wish {
	uint16_t workers;
	uint32_t mappings;
	uint32_t leases;
	uint32_t frames;      // that go round in each worker, at most
	uint32_t hold_down_s; // of ports and leases; 0: the default
	uint64_t seed;
};

enum {
	RIG_PORT = 443,
	RIG_GROWN_ADDRESSES = 16,
	RIG_HASTY_S = 10 // the least that may be said
};

struct rig {
	struct rig_wish wish;
	struct log log;
	struct rng rng;
	struct conf *confs[RIG_CONFS];
	enum rig_conf in_force;
	struct io *io;
	struct station inside, outside;
	struct pairs pairs[RIG_WORKERS];
	size_t pairs_octets[RIG_WORKERS];
	struct feed *feeds[RIG_WORKERS];
	void *queues[2][RIG_WORKERS]; // by enum conf_side
	uint64_t generation;
	uint64_t events; // that control took
	uint64_t wishes_done;
	uint32_t frames; // that go round in each worker
	bool huge;
	double ticks_per_us;
};

int rig_open(struct rig *r, const struct rig_wish *wish); // 0, or -errno and a line
void rig_close(struct rig *r);
void rig_use(struct rig *r, enum rig_conf which); // published and taken over
void rig_publish(struct rig *r, enum rig_conf which);
bool rig_took_over(const struct rig *r);
void rig_tend(struct rig *r); // control's rounds: neighbours, events; sleeps a millisecond

void rig_order(struct rig *r, uint16_t worker, const struct order *order); // waits until taken
void rig_order_all(struct rig *r, const struct order *order);   // counts are each worker's own
bool rig_await(struct rig *r, uint16_t worker, double seconds); // done; false: it took too long
void rig_clear(struct rig *r); // the group, with a new Epoch; worker 0 begins it at its next turn
void rig_pause(struct rig *r, double seconds);
const struct report *rig_report(struct rig *r, uint16_t worker); // stops the feed
uint64_t rig_drops(const struct rig *r);                         // of io and of all shards
uint64_t rig_nat(const struct rig *r, size_t counter);           // offset in struct nat_counters
#define RIG_NAT(r, name) rig_nat(r, offsetof(struct nat_counters, name))
struct order rig_data(const struct rig *r, uint16_t worker, bool out, bool in);
// Every pair of every worker gets its mapping, by packets or by MAP; how many did not.
uint64_t rig_fill(struct rig *r, bool explicit_ones, double *seconds);
uint64_t rig_check(struct rig *r, bool out, bool in); // pairs that are translated wrongly

// ---- options, rows, scenes -------------------------------------------------------------------

enum {
	MAX_RUNS = 15,
	MAX_SIZES = 8
};

struct shared {                // between the scenes, each of which is a process of its own
	double raw[MAX_SIZES]; // cycles of an in2out hit, by size
	bool warned;
};

struct options {
	uint32_t sizes[MAX_SIZES];
	unsigned n_sizes, runs;
	uint32_t frames;      // of a run
	uint32_t storm;       // mappings in background scenes
	uint32_t subscribers; // of the fill
	double pause_s;       // a window in which nothing special happens
	const char *only;
	bool json;
	uint64_t seed;
	struct shared *shared;
};

struct runs { // cycles a packet, of each run; what is not measured is 0
	double raw[MAX_RUNS], null[MAX_RUNS], feed[MAX_RUNS];
	unsigned n;
};

struct row { // what every row says
	const struct options *o;
	const struct rig *r;
	uint32_t mappings;
};

double middle(const double *of, unsigned n, double q);
void row_head(const struct options *o);
void row_cycles(
	const struct row *w, const char *operation, const struct runs *runs, uint64_t failures);
// `what`: step, work, poll-gap, empty-loop, request.
void row_times(const struct row *w, const char *operation, const char *what, const struct times *t,
	double seconds);
void row_value(const struct row *w, const char *operation, double value, const char *unit,
	const char *remark);
void row_pages(const struct row *w); // the warning, once

// Each plays one scene; 0 or -errno.
typedef int scene_play(const struct options *o, uint32_t size, uint64_t *failures);
scene_play scene_hits, scene_scaling, scene_handoff;
scene_play scene_implicit_storm, scene_explicit_storm, scene_apply, scene_fill;
scene_play scene_reset, scene_latency;

// Steps and gaps of the last order, then of an empty loop on the same core for as long.
void rows_of_window(
	const struct row *w, struct rig *r, const char *operation, const struct report *report);

#endif
