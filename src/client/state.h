// SPDX-License-Identifier: Apache-2.0
// state.h - what a client remembers, and the calls its files make to each other.
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <postern/client.h>
#include <postern/pcp.h>

#include "epoch.h"
#include "schedule.h"

#define LONGEST_LIFETIME_S 86400 // s.11.4: do not believe in more

// free -> ASKING -> HELD -> ASKING (lost, expired, told to renew) ..
//            any -> DELETING -> DONE; a refusal ends the repeating unless the mapping is kept.
enum phase {
	PHASE_FREE,
	PHASE_ASKING,   // a create or renew request repeats until it is answered
	PHASE_HELD,     // granted; single renewal requests when kept
	PHASE_DELETING, // a delete request repeats until it is answered
	PHASE_DONE,     // nothing more happens until the caller says so
};

struct request { // one message exchange
	ns next; // when to send next; NEVER
	ns wait; // the last retransmission wait; 0 before the first transmission
	ns sent; // last transmission; only when n_sent > 0
	uint32_t n_sent;
};

struct mapping {
	enum phase phase;
	bool granted_once;
	bool has_news;
	struct postern_mapping want; // external: what the next request suggests
	struct request request;
	ns granted, expires; // expires: NEVER while nothing is granted
	unsigned renewals;   // sent since it was granted
	ns blocked;          // refused: not the same request before this
	ns again;            // nothing unbidden before this, whatever the server answers
	uint32_t remains_s;  // DELETING: the server says it keeps it; concluded at the next timer
	struct postern_result news;
};

struct postern_client {
	struct postern_endpoint server;
	ip6 source;
	struct rng rng;
	struct epoch epoch;
	struct request announce; // next is NEVER when no ANNOUNCE is under way
	ns silent;               // nothing at all is sent before this
	ns no_new;               // no mapping that was never granted is asked for before this
	uint32_t told;           // bits of 1 << enum postern_what waiting in server_news
	struct postern_result server_news[POSTERN_UNREACHABLE + 1];
	uint32_t n;
	struct mapping mappings[];
};

static inline bool is_asked(const struct mapping *m)
{
	return m->phase == PHASE_ASKING || m->phase == PHASE_DELETING;
}

static inline ns later(ns a, ns b)
{
	return a > b ? a : b;
}

static inline ns sooner(ns a, ns b)
{
	return a < b ? a : b;
}

// client.c
void request_start(struct request *r, ns at);
void mapping_ask(struct mapping *m, ns at); // to ASKING, not before `at` nor while it is blocked
struct postern_result *mapping_tell(struct mapping *m, enum postern_what what, int id);
struct postern_result *server_tell(struct postern_client *c, enum postern_what what);

// options.c
void options_for_delete(struct postern_mapping *want); // keeps what tells which mapping is meant
// The answer's options name the same host as ours: a third party, or none.
bool options_name_same_host(
	const struct postern_mapping *want, const uint8_t *options, size_t length, bool refused);

// send.c
ns mapping_due(const struct postern_client *c, const struct mapping *m); // next transmission

#endif
