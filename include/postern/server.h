// SPDX-License-Identifier: Apache-2.0
// server.h - the PCP server's judgement: request + mappings + now -> change + reply.
//
// Owner    the shard that owns the subscriber calls it; the mappings are the shard's own.
// Threads  none of its own; counters are the shard's, read relaxed by control.
// Memory   none; the reply is written over the request.
// Time     `now_s`, as in nat.h; the Epoch is an argument.
// Book     docs/design/server.md; RFC 6887 s.8.2, s.11.3, s.15, s.16
#ifndef POSTERN_SERVER_H
#define POSTERN_SERVER_H

#include <postern/nat.h>
#include <postern/pcp.h>

struct server_policy { // of one NAT group, live
	bool enabled;
	bool prefer_failure; // option switched on
	bool early_delete;   // lifetime 0 ends a mapping even while traffic would keep it (s.15)
	uint32_t lifetime_min_s; // 120
	uint32_t lifetime_max_s; // 86400
};

struct server_asker { // where a datagram came from, and whose it is
	ip4 source;
	uint16_t port;
	uint8_t realm, group;
	bool authorized;    // false: a subscriber of another group, or PCP is off: NOT_AUTHORIZED
	bool have_external; // false: the group has no external address yet: NETWORK_FAILURE
	bool may_create;    // false: one new subscriber too many: NO_RESOURCES for a new mapping
	uint32_t epoch_s;   // what this client is to be told
};

#define SERVER_COUNTERS(X)                                                                         \
	X(requests, "PCP datagrams that reached the server.")                                      \
	X(announces, "ANNOUNCE requests answered with success.")                                   \
	X(maps_created, "MAP requests that made a mapping.")                                       \
	X(maps_renewed, "MAP requests that renewed one.")                                          \
	X(maps_deleted, "MAP requests with lifetime 0 answered with success.")                     \
	X(nonce_mismatches, "Requests refused because the nonce was another.")                     \
	X(newcomers_refused, "MAP requests refused: too many new subscribers on that port.")

struct server_counters {
#define X(name, sentence) uint64_t name;
	SERVER_COUNTERS(X)
#undef X
	uint64_t results[PCP_RESULT_COUNT]; // replies by result code
};

// Judges the datagram msg (len octets; at least PCP_MAX octets writable) and writes the reply over
// it. DROP_NONE with *reply_len, or why nothing is answered (RFC 6887 s.8.2 steps 2, 3, 5).
enum drop server_answer(struct nat *n, const struct nat_policy *nat_policy,
	const struct server_policy *policy, const struct server_asker *asker, uint8_t *msg,
	size_t len, uint32_t now_s, struct server_counters *counters, size_t *reply_len);

// Writes an unsolicited ANNOUNCE (s.14.1); returns its length.
size_t server_announce(uint8_t *msg, uint32_t epoch_s);

#endif
