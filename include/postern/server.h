// SPDX-License-Identifier: Apache-2.0
// server.h - the PCP server's judgement: request + mappings + now -> change + reply.
//
// Owner    the shard that owns the subscriber calls it; the mappings are the shard's own.
// Threads  none of its own; counters are the shard's, read relaxed by control.
// Memory   server_clients_init() is given its memory once; replies are written over the request.
// Time     `now_s`, as in nat.h; the Epoch is an argument.
// Book     docs/design/server.md; RFC 6887, 6886, 7220, 7225, 7753, 7843, draft-ietf-pcp-base
#ifndef POSTERN_SERVER_H
#define POSTERN_SERVER_H

#include <postern/nat.h>
#include <postern/pcp.h>

// ---- what the operator decides ---------------------------------------------------------------

enum {
	SERVER_MAX_ID = 64,      // octets of a THIRD_PARTY_ID that can be configured
	SERVER_MAX_FILTERS = 85, // that fit into one request of any dialect
	SERVER_MAX_REPLIES = 16, // datagrams that answer one request (RFC 7753 s.4.4.1)
};

enum server_opcode { // those that can be switched, and counted
	SERVER_ANNOUNCE,
	SERVER_MAP,
	SERVER_PEER,
	SERVER_GET,
	SERVER_EXTERNAL_ADDRESS, // NAT-PMP opcode 0
	SERVER_OTHER_OPCODE,
	SERVER_OPCODE_COUNT
};

const char *server_opcode_name(unsigned opcode); // "map"

struct server_sources { // prefixes of inside sources; borrowed from the configuration
	uint32_t n;
	const struct prefix4 *list;
};

struct server_id { // RFC 7843: an identifier and the realm it names
	uint8_t length;
	uint8_t octets[SERVER_MAX_ID];
	uint8_t realm;
};

struct server_third_party {
	struct server_sources sources; // who may ask for others; none: nobody
	uint32_t n_ids;
	const struct server_id *ids; // borrowed
	bool id_required;
};

struct server_policy { // of one NAT group, live
	bool enabled;
	uint8_t dialects;  // set of PCP_SERVES()
	uint8_t opcodes;   // bit set of enum server_opcode
	uint16_t options;  // bit set of enum pcp_option_index: what is off is as if unknown
	bool early_delete; // lifetime 0 ends a mapping even while traffic would keep it (s.15)
	bool any_nonce;    // the same source may renew with another nonce; deletes stay strict
	bool companion;    // NAT-PMP: keep the other protocol's port for the same host (RFC 6886
			   // s.3.3)
	uint32_t lifetime_min_s;              // 120; NAT-PMP asks for no floor
	uint32_t lifetime_max_s;              // 86400
	uint16_t description_max;             // octets kept, at most NAT_DESCRIPTION
	uint16_t port_set_max;                // ports of one set, at most NAT_SET_MAX
	uint32_t request_rate, request_burst; // per PCP client and second; rate 0: unlimited
	uint32_t probe_rate, probe_burst;     // failed PREFER_FAILUREs, likewise
	struct server_third_party third_party;
	struct server_sources nonce_readers; // whose GET shows nonces
	uint32_t n_prefix64;
	const struct pcp_prefix64 *prefix64; // borrowed; in the order in which they are told
};

// ---- PCP clients: who asked, and how much ----------------------------------------------------
//
// A bounded table of one shard. It forgets whoever was silent longest, those who hold leases last;
// that costs him nothing but an unfinished limit and unicast announcements.

struct server_clients;

struct server_client {
	ip4 address;
	uint8_t realm, group;
	uint8_t dialect;            // of his last request
	uint16_t port;              // it came from
	ip4 server;                 // our address that it went to; 0: not known
	uint32_t requests, refused; // since he is known; refused: over the rate
	bool guest;             // another worker's client, known here for what he asked for others
	uint32_t epoch_base_s;  // state he asked for as a third party was lost then; 0: never
	uint32_t holds_until_s; // a lease that he was granted runs as long; 0: none
	uint32_t seen_s;
	ns request_full, probe_full; // when his limits will be untouched again
};

size_t server_clients_size(uint32_t clients);
struct server_clients *server_clients_init(void *mem, uint32_t clients, const struct rng *seed);
// NULL: not known.
struct server_client *server_client_find(
	const struct server_clients *t, uint8_t realm, ip4 address);
// Where he mostly is, and starts reading it. When that has come, server_client_settle() starts
// reading which other place is his, and at last server_client_meet() that one; it says where he is,
// or for somebody new where he was expected.
struct server_client *server_client_expect(
	const struct server_clients *t, uint8_t realm, ip4 address);
void server_client_settle(const struct server_clients *t, const struct server_client *expected,
	uint8_t realm, ip4 address);
struct server_client *server_client_meet(
	const struct server_clients *t, struct server_client *expected, uint8_t realm, ip4 address);
// The client's record, made when it is not there. False: over the rate, and counted there.
// A guest is neither counted nor limited here; his probes are.
struct server_client *server_client_guest(
	struct server_clients *t, uint8_t realm, ip4 address, ns now);
// *client: what server_client_expect() or server_client_meet() said, or NULL; then the record.
bool server_client_admit(struct server_clients *t, const struct server_policy *policy,
	uint8_t realm, ip4 address, ns now, struct server_client **client);
// Walks like nat_walk_subscribers().
bool server_clients_walk(const struct server_clients *t, uint32_t *cursor, uint32_t budget,
	bool (*see)(void *ctx, const struct server_client *client), void *ctx);

// ---- a request -------------------------------------------------------------------------------

struct server_asker { // where a datagram came from, and whose it is
	ip4 source;
	uint16_t port;
	uint8_t realm, group;
	bool authorized;    // false: a subscriber of another group, or PCP is off: NOT_AUTHORIZED
	bool stranger;      // no subscriber of the group: may ask for others only (THIRD_PARTY)
	bool have_external; // false: the group has no external address yet: NETWORK_FAILURE
	bool may_create;    // false: one new subscriber too many: NO_RESOURCES for a new mapping
	uint32_t epoch_s;   // what this client is to be told
	struct server_client *client; // for the limit on probes; NULL: not limited here
	// Third parties: what server_find_target() said, and whether that host is of this group.
	bool has_target, target_ok;
	ip4 target;
	uint8_t target_realm;
};

#define SERVER_COUNTERS(X)                                                                         \
	X(requests, "PCP datagrams that reached the server.")                                      \
	X(announces, "ANNOUNCE requests answered with success.")                                   \
	X(maps_created, "MAP requests that made a mapping.")                                       \
	X(maps_renewed, "MAP requests that renewed one.")                                          \
	X(maps_deleted, "MAP requests with lifetime 0 answered with success.")                     \
	X(peers_created, "PEER requests that made a lease.")                                       \
	X(peers_renewed, "PEER requests that renewed one, or only asked.")                         \
	X(sets_created, "PORT_SETs of two ports or more made.")                                    \
	X(third_party, "Requests on behalf of another host that were let through.")                \
	X(nonce_mismatches, "Requests refused because the nonce was another.")                     \
	X(nonce_replaced, "Renewals with another nonce, allowed by nonce-check: same-source.")     \
	X(newcomers_refused, "Requests refused: too many new subscribers on that port.")           \
	X(probes_refused, "Requests refused: too many failed PREFER_FAILUREs.")                    \
	X(texts_dropped, "DESCRIPTIONs not kept: no UTF-8, or no room.")                           \
	X(replies_cut, "Replies to one request left out: more than 16 mappings overlap.")

struct server_counters { // of one NAT group
#define X(name, sentence) uint64_t name;
	SERVER_COUNTERS(X)
#undef X
	uint64_t results[PCP_RESULT_COUNT];    // replies, by pcp_result_index()
	uint64_t opcodes[SERVER_OPCODE_COUNT]; // requests
	uint64_t options[PCP_OPTION_COUNT];    // options of requests, by pcp_option_index()
	uint64_t dialects[PCP_DIALECTS];       // requests
};

// Whether the request is one for another host that this client may ask for: then *host and *realm
// name it, and the shard that owns that host must answer. Any other request, wrong ones included,
// is for server_answer() here. Changes nothing, counts nothing.
bool server_find_target(const struct server_policy *policy, const struct server_asker *asker,
	const uint8_t *msg, size_t len, ip4 *host, uint8_t *realm);

struct server_more { // takes further replies to the same client: one call each
	void *ctx;
	void (*send)(void *ctx, const uint8_t *msg, size_t len);
};

// Judges the datagram msg (len octets; at least PCP_MAX octets writable) and writes the reply over
// it. DROP_NONE with *reply_len, or why nothing is answered (RFC 6887 s.8.2 steps 2, 3, 5). What
// *result says is what was answered.
enum drop server_answer(struct nat *n, const struct nat_policy *nat_policy,
	const struct server_policy *policy, const struct server_asker *asker, uint8_t *msg,
	size_t len, uint32_t now_s, struct server_counters *counters,
	const struct server_more *more, size_t *reply_len, enum pcp_result *result);

// The short way. Most requests are plain: MAP of version 2 without options, by a host for itself.
// server_answer_known() answers one about a mapping that stands there. SERVER_PLAIN_NEW: there is
// none, and server_answer_new() may make it, once asker->may_create is known; false, or
// SERVER_PLAIN_NOT: nothing was changed or counted, server_answer() has to. The answer is as long
// as the request.
enum server_plain {
	SERVER_PLAIN_NOT,
	SERVER_PLAIN_NEW,
	SERVER_PLAIN_ANSWERED
};
enum server_plain server_answer_known(struct nat *n, const struct server_policy *policy,
	const struct server_asker *asker, uint8_t *msg, size_t len, uint32_t now_s,
	struct server_counters *counters);
bool server_answer_new(struct nat *n, const struct nat_policy *nat_policy,
	const struct server_policy *policy, const struct server_asker *asker, uint8_t *msg,
	uint32_t now_s, struct server_counters *counters);
// What the request will most likely touch, for nat_look_ahead(); false: nothing that is known.
bool server_foresee(
	const uint8_t *msg, size_t len, ip4 source, uint8_t realm, struct nat_ahead *ahead);

// ---- what the server says by itself ----------------------------------------------------------

// An unsolicited ANNOUNCE (s.14.1), with the group's prefixes (RFC 7225) when it has some; as a
// NAT-PMP announcement (RFC 6886 s.3.2.1) it tells `external`. Clients of draft -07, which
// has no ANNOUNCE, are told like version 2. Returns its length.
size_t server_announce(uint8_t *msg, enum pcp_dialect dialect, const struct server_policy *policy,
	ip4 external, uint32_t epoch_s);

// The answer that the client would get now for a lease that moved or was lost (s.14.2), in the
// dialect of its last request: MAP or PEER success with FILTERs and THIRD_PARTY, or for a lost one
// CANNOT_PROVIDE_EXTERNAL (it was exact) or NO_RESOURCES. Returns its length; 0: none to send.
size_t server_update(const struct nat *n, const struct server_policy *policy,
	const struct nat_update *update, uint32_t now_s, uint32_t epoch_s, uint8_t *msg);

#endif
