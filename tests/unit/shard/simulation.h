// SPDX-License-Identifier: Apache-2.0
// simulation.h - what the simulation believes about the NAT: which external endpoint each internal
// one has, and until when it must keep it. A few rules of the RFCs and no tables of ours.
#ifndef TEST_SHARD_SIMULATION_H
#define TEST_SHARD_SIMULATION_H

#include "world.h"

enum {
	FLOWS_EACH = 7,    // internal endpoints of a subscriber
	SUBSCRIBERS = 270, // see blocks[] in simulation_model.c
	FLOWS = SUBSCRIBERS * FLOWS_EACH,
	NOBODY = -1
};

enum {
	INSIDE_1,
	UPLINK,
	INSIDE_2
}; // interfaces, in the order of the file

#define POOL 0xcb007100u // 203.0.113.0; all external addresses are among its first sixteen

struct subscriber {
	uint8_t realm, block;
	ip4 host;
	bool disturbed; // he may have an Epoch of his own
};

struct flow {
	uint8_t protocol; // enum nat_protocol
	uint16_t port;    // or identifier
	bool known;       // `ext` is what he was last seen with
	bool sent;        // from there, at last_s
	bool replied;     // something reached him since
	bool shaky;       // the snapshot that is being taken over may end it
	bool fixed;       // it is a static mapping of the snapshot, and was seen to work
	struct recipe ext;
	uint32_t last_s;  // when he last sent, from wherever
	uint32_t lease_s; // the last second of his lease; 0: none
};

enum {
	STATICS = 7 // those a snapshot may have, see simulation_plan.c
};

struct claim { // a static mapping that is to be installed, but was not seen to work
	bool open;
	int flow;
	struct recipe external;
	uint32_t since_s;
};

struct model {
	struct subscriber subscribers[SUBSCRIBERS];
	struct flow flows[FLOWS];
	struct claim claims[STATICS];
	int16_t *at; // by external endpoint: the flow last seen there, + 1
	uint32_t now_s;
	bool reloading; // the shards have not taken the snapshot over
};

void model_open(struct model *m);
void model_close(struct model *m);
int model_find(const struct model *m, const struct nat_key *key); // NOBODY

static inline struct subscriber *model_subscriber(struct model *m, int flow)
{
	return &m->subscribers[flow / FLOWS_EACH];
}

static inline struct nat_key model_key(const struct model *m, int flow)
{
	const struct subscriber *s = &m->subscribers[flow / FLOWS_EACH];
	const struct flow *f = &m->flows[flow];

	return (struct nat_key){s->host, f->port, s->realm, f->protocol};
}

bool model_holds(const struct model *m, int flow); // it must still have `ext`
bool model_holds_at(const struct model *m, int flow, struct recipe ext);
bool model_ended(const struct model *m, int flow); // it cannot have it any more
int model_at(const struct model *m, uint8_t protocol, struct recipe ext); // NOBODY

// What was seen. Each ends the program when it cannot be.
void model_left(struct model *m, int flow, struct recipe ext);    // a packet of his, outside
void model_reached(struct model *m, int flow, struct recipe ext); // one from outside, at his door
void model_leased(struct model *m, int flow, struct recipe ext, uint32_t lifetime_s);

// A static mapping was seen where the configuration puts it: true when this is one.
bool model_claimed(struct model *m, int flow, struct recipe ext);

// What was done: this mapping, or all of a subscriber's, is no more.
void model_forget(struct model *m, int flow);

// ---- snapshots -------------------------------------------------------------------------------

struct plan { // a configuration to come
	unsigned n_workers;
	uint8_t homes;   // bit i: 203.0.113.(i + 1) is in the pool of homes; 0 and 1 always are
	bool lent;       // 203.0.113.9 is the offices', else the homes'
	uint8_t roaming; // 100.64.2.0/24 is 0: the homes', 1: the offices', 2: nobody's
	uint8_t statics; // bit set of plan_statics
};

struct plan_static {
	int flow;
	struct recipe external;
};

struct plan plan_draw(struct rng *rng, const struct plan *now);
const char *plan_text(const struct plan *p, const struct model *m); // valid until the next call
struct plan_static plan_static(unsigned i);
// What taking `new` over after `old` may end becomes shaky, and is forgotten when it is done.
void plan_reload(struct model *m, const struct plan *old, const struct plan *new);
void plan_settled(struct model *m);
uint8_t plan_group_of(const struct plan *p, const struct model *m, int flow); // 255: none

#endif
