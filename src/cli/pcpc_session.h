// SPDX-License-Identifier: Apache-2.0
// What the files of a session share: servers, the ways to them, and the one client for all.
#ifndef CLI_PCPC_SESSION_H
#define CLI_PCPC_SESSION_H

#include "pcpc.h"

enum {
	PCPC_TARGETS = 2 * PCPC_MAX_SERVERS, // while we run some go and others come
	PCPC_WAYS = 64,
};

enum pcpc_target_state {
	PCPC_IDLE,  // nothing is asked here, or the answer was told
	PCPC_WAITS, // asked
	PCPC_WENT,  // the server is none of ours any more
};

struct pcpc_target { // one server, and what this run is about there
	enum pcpc_target_state state;
	struct postern_server as;
	int server;  // the library's id
	int mapping; // the library's id; -1: none
	bool asked;  // the command was told to the library for this server
	bool granted, recovering, unreachable;
	bool refused_version;
	struct pcp_version_refusal refusal;
	enum pcpc_exit end; // how the last question ended
	struct pcpc_memory memory;
	struct pcpc_show show;
	ns expires; // of what is granted
};

struct pcpc_way { // a socket, connected to one address of a server from one of ours
	int fd;
	struct pcpc_target *target;
	struct postern_endpoint to;
	unsigned address;   // of the server
	uint8_t source[16]; // ours
	uint8_t told[16];   // what the library takes for ours: --client may lie
	bool left;          // not to be asked from any more: for farewells and late answers
};

struct pcpc_session {
	const struct pcpc_options *options;
	struct postern_client *client;
	struct pcpc_finder finder;
	struct pcpc_target targets[PCPC_TARGETS];
	unsigned n_targets;
	struct pcpc_way ways[PCPC_WAYS];
	unsigned n_ways;
	int announcements[2]; // IPv4, IPv6; -1: none
	sigset_t waiting;     // the signal mask while asleep
	struct postern_mapping want;
	bool keeping;          // servers that come now are asked, too
	char state_path[4096]; // empty: nothing is remembered
};

struct pcpc_target *pcpc_session_target(struct pcpc_session *s, int server); // NULL: none such

// ---- pcpc_ways.c: servers, sockets and datagrams
// Servers and our addresses as the routes have them now.
int pcpc_ways_follow(struct pcpc_session *s);
void pcpc_ways_listen(struct pcpc_session *s); // for restart announcements, as far as it can
void pcpc_ways_send(struct pcpc_session *s);   // what is due
void pcpc_ways_wait(struct pcpc_session *s, ns until);
void pcpc_ways_close(struct pcpc_session *s);

// ---- pcpc_memory.c: nonces
void pcpc_memory_open(struct pcpc_session *s);
// The nonce given, or the one remembered, or for map a new one. False when there is none to use.
bool pcpc_memory_choose(
	struct pcpc_session *s, struct pcpc_target *t, struct postern_mapping *want);
void pcpc_memory_put(struct pcpc_session *s, struct pcpc_target *t, uint32_t lifetime_s);
void pcpc_memory_drop(struct pcpc_session *s, struct pcpc_target *t);

// ---- pcpc_events.c: what the library tells
// The next thing that concerns the request; *target is whose. False when there is none.
bool pcpc_events_next(struct pcpc_session *s, struct pcpc_result *r, struct pcpc_target **target);

#endif
