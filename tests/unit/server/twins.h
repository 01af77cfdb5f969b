// SPDX-License-Identifier: Apache-2.0
// twins.h - two worlds of one seed that get the same requests, packets and time. One answers by the
// short way first, as the shard does, the other by the long way alone. Nobody may be able to tell
// them apart: not by an answer, a counter, a client's record, an event or a mapping.
#ifndef TEST_SERVER_TWINS_H
#define TEST_SERVER_TWINS_H

#include "world.h"

#define SECOND_IP 0xcb007106u // 203.0.113.6, of the same group as POOL_IP
#define SMALL_IP 0xcb007109u  // 203.0.113.9, of the small group

enum {
	TWINS_HOSTS = 80, // from CLIENT_IP on; more than fit: 64 subscribers
	TWINS_PORTS = 8,
	TWINS_FIRST_PORT = 8000,
	TWINS_EXPLICIT = 40000, // where explicit mappings have their ports if the policy says so
	SMALL_BLOCKS = 3,
	SMALL_GROUP = 1 // of a pool that a few hosts exhaust
};

struct twins {
	struct world quick, slow;
	struct server_clients *clients[2];
	unsigned answered, made, declined; // by the short way
};

struct ask {
	struct server_asker asker;
	uint8_t msg[PCP_MAX + 100]; // some are too long
	size_t len;
	bool newcomers; // new subscribers are let in
};

void twins_open(struct twins *t);
void twins_close(struct twins *t);
void twins_add_address(struct twins *t, ip4 ip);
void twins_pass(struct twins *t, uint32_t seconds);
// The quick one's policies are in force in both.
void twins_publish(struct twins *t);
// Asks both, and expects the same answer and the same of everything that is counted or told.
void twins_ask(struct twins *t, const struct ask *a);
bool twins_view_eq(const struct nat_view *a, const struct nat_view *b);
void twins_expect_same_mappings(const struct twins *t);
void twins_expect_same_clients(const struct twins *t);

#endif
