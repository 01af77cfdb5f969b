// SPDX-License-Identifier: Apache-2.0
// simulation_pcp.h - what a crowd of PCP clients was promised, and what they may believe of it.
// Everything here is read from the answers themselves: who has which external endpoint until when,
// by which nonce, behind which filters; and since when somebody's Epoch must have begun anew.
#ifndef TEST_SHARD_SIMULATION_PCP_H
#define TEST_SHARD_SIMULATION_PCP_H

#include "ask.h"
#include "world.h"

enum {
	HOSTS = 3000,
	PORTALS = 4, // they ask for the hosts of homes
	CLIENTS = HOSTS + PORTALS,
	PORTS_EACH = 6, // of UDP and of TCP
	ENDPOINTS = HOSTS * 2 * PORTS_EACH,
	FIRST_PORT = 5000,
	REMOTES = 4, // on the Internet, and with a port each
	FILTERS_EACH = 3,
	QUOTA = 10,
	CROWD_SENT = 8192, // of what the shards say unasked, kept until it is heard
	NOBODY = -1,
	OPERATOR = -2,
	DOOR = 0, // interfaces
	UPLINK = 1
};

enum { // groups, in the order of the file
	HOMES,
	OFFICES,
	POOR,
	GROUPS
};

#define POOL 0xcb007100u // 203.0.113.0; all external addresses are among its first sixteen
#define FAR 0xc6336401u  // 198.51.100.1, the first of the remotes
#define SERVER_OF(group) (0xc6120001u + (ip4)(group))

struct party { // a PCP client
	ip4 address;
	uint8_t group;
	bool served;     // something was promised for this host
	uint32_t lost_s; // he lost state that he did not give away; 0: never
	uint32_t may_s;  // his Epoch may have begun anew, for whatever was done to him; 0: never
};

struct endpoint {
	struct recipe ext; // of what is promised
	uint32_t map_s;    // last second of the MAP promise; 0: none
	bool has_nonce;
	struct pcp_nonce nonce;
	int client;        // who was promised; OPERATOR
	uint16_t first, n; // internal ports of its set
	unsigned n_filters;
	struct pcp_filter filters[FILTERS_EACH];
	uint32_t peer_s[REMOTES]; // last second of a PEER promise
	int peer_client[REMOTES];
	uint32_t vague_s; // until then it moved, with its filters; perhaps it is the operator's
	uint32_t open_s;  // without a promise it may live until then, for its traffic
};

struct crowd {
	struct world w;
	struct rng rng;
	struct party parties[CLIENTS];
	struct endpoint endpoints[ENDPOINTS];
	int32_t *at; // by external endpoint: who was last promised it, + 1
	uint32_t now_s;
	uint32_t base_s[GROUPS]; // the groups' Epochs
	unsigned n_workers;
	uint16_t pool;   // bit i: 203.0.113.i
	uint16_t leaves; // likewise, those that are still being emptied
	unsigned told;   // datagrams of w.sent that were looked at
	uint64_t requests, granted, errors, doubled, lost, probes, filtered, updates, clears,
		reloads;
	uint64_t results[PCP_RESULT_COUNT];
	struct { // one that comes again much later
		uint8_t msg[PCP_MAX];
		size_t len;
		int client;
	} late;
};

static inline uint32_t draw(struct crowd *c, uint32_t n)
{
	return rng_below(&c->rng, n);
}

static inline bool chance(struct crowd *c, uint32_t percent)
{
	return draw(c, 100) < percent;
}

static inline int host_of(int endpoint)
{
	return endpoint / (2 * PORTS_EACH);
}

static inline uint8_t protocol_of(int endpoint)
{
	return endpoint / PORTS_EACH % 2 == 0 ? IP_UDP : IP_TCP;
}

static inline uint16_t port_of(int endpoint)
{
	return (uint16_t)(FIRST_PORT + endpoint % PORTS_EACH);
}

static inline struct nat_key key_of(const struct crowd *c, int endpoint)
{
	return (struct nat_key){c->parties[host_of(endpoint)].address, port_of(endpoint), 1,
		protocol_of(endpoint) == IP_UDP ? NAT_UDP : NAT_TCP};
}

// ---- simulation_pcp_model.c ------------------------------------------------------------------

void crowd_open(struct crowd *c, uint64_t seed, unsigned n_workers);
void crowd_close(struct crowd *c);
const char *crowd_text(const struct crowd *c); // the configuration; valid until the next call
int crowd_party(ip4 address);                  // NOBODY
// NOBODY: none that this crowd uses.
int crowd_endpoint(ip4 host, uint8_t protocol, uint16_t port);
bool crowd_holds(const struct crowd *c, int endpoint); // something is promised there
bool crowd_has_map(const struct crowd *c, int endpoint);
int crowd_at(const struct crowd *c, uint8_t protocol, struct recipe ext); // NOBODY
unsigned crowd_ports(const struct crowd *c, int host); // promised, as the quota counts

struct promise { // an answer, in one form for all dialects
	ip4 host;
	uint8_t protocol;
	uint16_t port, n;
	struct recipe ext;
	uint32_t lifetime_s;
	bool has_nonce;
	struct pcp_nonce nonce;
	int client;
};

// A promise was made, or taken back by its owner. Each ends the program when it cannot be.
void crowd_promise(struct crowd *c, const struct promise *p, const struct pcp_filter *filters,
	size_t n_filters);
void crowd_promise_peer(struct crowd *c, const struct promise *p, int remote);
void crowd_return(struct crowd *c, const struct promise *p);
void crowd_forget(struct crowd *c, int endpoint);
// Somebody else ended it: whoever was promised something lost state now.
void crowd_lose(struct crowd *c, int endpoint);
void crowd_hear_epoch(struct crowd *c, int client, uint32_t epoch_s);
void crowd_seen_outside(struct crowd *c, int endpoint, struct recipe ext);

// ---- simulation_pcp_judge.c ------------------------------------------------------------------

// One datagram of a client, and all that comes of it.
void crowd_ask(struct crowd *c, int client, const uint8_t *msg, size_t len);
// What the shards said unasked since.
void crowd_listen(struct crowd *c);
void crowd_probe(struct crowd *c, int endpoint); // a packet from outside to what is promised
void crowd_send(struct crowd *c, int endpoint);  // one from inside
void crowd_audit(struct crowd *c);               // the tables, as control sees them
bool crowd_is_leaving(struct crowd *c);          // something still lives on c->leaves
bool crowd_look(struct crowd *c, const struct nat_key *key, struct nat_view *view);

// ---- simulation_pcp_ask.c --------------------------------------------------------------------

void crowd_ask_anything(struct crowd *c);

#endif
