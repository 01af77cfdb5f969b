// SPDX-License-Identifier: Apache-2.0
// crowd.h - what bench-crowd's files share: a crowd of clients, each the client library's own
// engine, one server that is a shard without EAL, and a clock of milliseconds that only we turn.
//
// An act has two parts. All clients start, spread over --ramp seconds, and map their ports; then
// the server loses all it knew, and is watched until everyone is whole again. Time is counted from
// the loss; seconds before it are negative.
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdio.h>

#include <postern/client.h>
#include <postern/pcp.h>
#include <postern/shard.h>

#include "pages.h"

#define CROWD_GATEWAY ((ip4)0x64400001) // 100.64.0.1
#define CROWD_FIRST ((ip4)0x64400002)   // the first client
#define CROWD_CLIENT_PORT 12345
#define CROWD_FIRST_PORT 8000 // internal port of a client's first mapping

enum {
	CROWD_MOST_MAPPINGS = 8, // of one client
	CROWD_MOST_CLIENTS = 4000000,
	CROWD_ACTS = 4
};

// ---- options and acts ------------------------------------------------------------------------

struct act {
	const char *name, *sentence;
	bool announced;   // the server's ANNOUNCE reaches everyone
	unsigned unpaced; // per cent of the clients
};

extern const struct act crowd_acts[CROWD_ACTS];

struct options {
	uint32_t clients, mappings;
	unsigned loss; // per cent, each way
	uint64_t seed;
	uint32_t ramp_s, lifetime_s, pace_ms, again_ms;
	uint32_t request_rate, subscribers; // of the server; 0: a third more than clients
	bool json;
	bool wanted[CROWD_ACTS];
};

void crowd_parse(struct options *o, int argc, char **argv); // exits on --help and mistakes

// ---- calendar: which client is to be looked at in which millisecond --------------------------

struct calendar {
	uint32_t n;
	uint32_t *heads;         // a list for each millisecond of half an hour, round and round
	uint32_t *next, *before; // of each client
	uint32_t *slots;         // where he stands
	uint64_t now_ms;
};

MUST_CHECK int calendar_open(struct calendar *c, uint32_t n, ns now);
void calendar_close(struct calendar *c);
// At `at`, but not before the next millisecond; NEVER: not at all.
void calendar_put(struct calendar *c, uint32_t who, ns at);
// The clock goes on by a millisecond.
void calendar_step(struct calendar *c);
// Somebody who is due now; he is taken out. False: nobody is left.
bool calendar_take(struct calendar *c, uint32_t *who);

// ---- the server ------------------------------------------------------------------------------

struct reply { // or a message that nobody asked for
	ip4 to;
	uint16_t port;
	const uint8_t *octets;
	size_t length;
};

struct door { // the server and the link in front of it
	struct conf *conf;
	struct shard *shard;
	struct shard_setup setup;
	size_t bytes;
	enum pages pages;
	struct shard_epochs epochs;
	struct shard_sink sink;
	ns now;
	ns spent; // of a core, in the shard, since this was last set to 0
	void *ctx;
	void (*unasked)(void *ctx, const struct reply *message); // by itself; NULL: unheard
	struct pkt spare;
	uint8_t *frames;
	unsigned n; // requests of the burst
	struct {
		uint32_t who;
		uint8_t mapping;
	} of[SHARD_BURST];
	struct pkt packets[SHARD_BURST];
};

MUST_CHECK int door_open(struct door *d, const struct options *o, ns now);
void door_close(struct door *d);
void door_lose(struct door *d); // all it knew: it starts anew, its Epoch too
void door_work(struct door *d); // background work, and the log's part
// Adds a request to the burst; true: the burst is full.
bool door_put(struct door *d, uint32_t who, uint8_t mapping, ip4 source, const uint8_t *octets,
	size_t length);
// The server looks at the burst. answered[i]: what became of the i-th, length 0: dropped.
unsigned door_run(struct door *d, struct reply answered[SHARD_BURST]);
ip4 door_address(uint32_t who);

// ---- the crowd -------------------------------------------------------------------------------

enum { // what is known of a mapping
	HELD_BEFORE = 1,
	WHOLE = 2, // granted since the server last knew nothing
	ASKED = 4, // and not answered yet
	REFUSED = 8
};

struct second { // of virtual time: what reached the server, and what it did
	uint32_t first, renewals, again, unpaced;
	uint32_t granted, refused, dropped, dropped_paced;
	uint32_t pending; // paced, at its beginning: asked without an answer, or refused
	uint32_t whole;   // clients, at its end
	uint32_t bound;   // of first + renewals + again
	float core;       // seconds of a core that the shard took
};

struct arena { // memory for the engines, given once
	uint8_t *mem;
	size_t size, used;
	bool closed; // whoever asks from then on is a fault
	uint64_t late;
};

struct crowd {
	const struct options *o;
	const struct act *act;
	struct rng rng;
	ns now, lost_at; // lost_at: NEVER before
	struct door door;
	struct calendar calendar;
	struct arena arena;
	struct postern_client **engines; // NULL: one who knows no pacing
	uint8_t *states;                 // of each mapping
	uint8_t *lacking;                // mappings that a client lacks
	bool *knows;                     // he was told that the server lost its state
	struct recipe *pairs;            // external, of each mapping, as last granted
	uint64_t kept;                   // granted again as they were before
	uint32_t n_paced, n_unpaced, whole_paced, whole_unpaced;
	uint64_t pending, restarts, answered_unpaced;
	struct second *seconds, *second;
	uint32_t n_seconds;
};

MUST_CHECK int crowd_open(struct crowd *c, const struct options *o, const struct act *act);
void crowd_close(struct crowd *c);
void crowd_start(struct crowd *c); // plans when each begins to ask
void crowd_lose(struct crowd *c);  // all mappings are gone
void crowd_tick(struct crowd *c);  // everyone who is due in this millisecond
void crowd_announce(struct crowd *c, const struct reply *message); // to everyone
bool crowd_is_unpaced(const struct crowd *c, uint32_t who);
bool crowd_is_whole(const struct crowd *c);

// ---- what came of an act ---------------------------------------------------------------------

struct outcome {
	const struct act *act;
	bool run;
	double whole_50, whole_99, whole_100, unpaced_100; // seconds after the loss; < 0: never
	uint32_t largest, largest_all; // requests in a second: of the paced, of all
	uint32_t not_whole;
	uint32_t ramp_bound, first_bound; // before the loss and after it, see crowd_act.c
	uint32_t over;                    // seconds in which the bound was broken
	uint32_t differ;                  // mappings that client and server see differently
	uint64_t drops[DROP_COUNT];
	struct server_counters server;
	uint64_t allowed_unpaced, answered_unpaced; // requests of theirs that may be, were answered
	uint64_t dropped_paced, restarts, late;
	double kept, bytes_client, core;
	size_t bytes_server;
	bool later_than_without; // the paced, than in the act without the others
};

MUST_CHECK int act_run(const struct options *o, const struct act *act, struct outcome *out);
// How many mappings the engines hold that the server has not, or has otherwise.
uint32_t crowd_differ(struct crowd *c);

void rows_begin(const struct options *o);
void rows_progress(const struct crowd *c, int64_t second); // on a terminal
void rows_seconds(const struct crowd *c, int64_t first);
void rows_outcome(const struct options *o, const struct outcome *out);
bool rows_is_bad(const struct outcome *out); // and says why

#endif
