// SPDX-License-Identifier: Apache-2.0
// nat.h - the mappings of ONE shard: tables, sessions, port blocks, subscribers, leases, timers.
//
// Owner    the shard's worker makes every call below; no locks anywhere.
// Readers  control reads struct nat_counters at any time (relaxed; may lag).
// Memory   given once to nat_init(); nothing is allocated afterwards. Zeroed pages are expected.
// Time     comes in as `now_s`: whole seconds of a clock that starts above 0 and never steps back.
// Bounds   every table is an array sized by struct nat_limits; at the bound a call answers with
//          the drop reason and changes nothing. No live mapping is ever evicted (RFC 6888 REQ-11D).
// Book     docs/design/nat.md; RFC 4787, RFC 5382, RFC 5508, RFC 6888, RFC 7857, RFC 7422,
//          RFC 6146 s.3.5 (sessions), RFC 6056, RFC 6887 s.15
#ifndef POSTERN_NAT_H
#define POSTERN_NAT_H

#include <postern/pkt.h>

enum nat_protocol {
	NAT_UDP = 1,
	NAT_TCP = 2,
	NAT_ICMP = 3
}; // as PKT_UDP, PKT_TCP, PKT_ECHO
enum {
	NAT_PROTOCOLS = 3,
	NAT_MAX_GROUPS = 64,
	NAT_MAX_ADDRESSES = 65535,
	NAT_PORT_TIMERS = 31
};
#define NAT_NO_SUBSCRIBER UINT32_MAX

// ---- what the operator decides ---------------------------------------------------------------

struct nat_limits { // of one shard, fixed at start
	uint32_t mappings;
	uint32_t mappings_reserved; // of these: only explicit mappings may take them
	uint32_t sessions;
	uint32_t resting;       // ports in the hold-down list; 0: half the mappings and 1024
	uint32_t leases;        // MAP and PEER leases and static mappings, resting ones included
	uint32_t lease_details; // leases with FILTERs, a text, a remote peer, several ports or a
				// client of another realm; 0: all may be such
	uint32_t filters;       // FILTERs of all leases
	uint32_t descriptions;  // texts of NAT_DESCRIPTION octets
	uint32_t subscribers;
	uint32_t addresses;    // external addresses this shard can hold (1.5 MiB of index each)
	uint16_t port_set_min; // the smallest port-set-size of any group
};

struct nat_timers { // seconds; nat-behaviour.md section 2 names and floors; idle: at most 65000
	uint16_t udp, udp_initial, udp_unanswered;
	uint16_t tcp_idle, tcp_trans_open, tcp_trans_close, tcp_rst;
	uint16_t icmp;
	uint16_t hold_down;     // implicit ports
	uint16_t pcp_hold_down; // ports of ended leases
	// UDP mappings that only ever sent to such a port live that long (RFC 4787 REQ-5a); ports
	// 1..1023, ascending.
	uint16_t n_ports;
	struct nat_port_timer {
		uint16_t port, seconds;
	} ports[NAT_PORT_TIMERS];
};

enum nat_filtering { // who may send in, RFC 4787 s.5
	NAT_EIF,     // anybody
	NAT_ADF,     // addresses that the internal endpoint has sent to
	NAT_APDF     // address and port that it has sent to
};

// Deterministic NAT (RFC 7422): which ports a host has follows from his address alone, by
// arithmetic. Hosts are counted through all `inside` prefixes in their order. Host number k has
// ports_per_host ports from port_first + ports_per_host * (k mod hosts_per_address) on, of external
// address number k / hosts_per_address. Behind the last host's ports, and up to port_last, each
// address keeps its overflow part, which is given out in blocks of port_set_size.
struct nat_plan {
	const struct prefix4 *inside; // borrowed, as long as the policy it stands in
	uint32_t n_inside, n_hosts;
	const ip4 *external; // ascending; borrowed likewise
	uint32_t n_external;
	uint32_t hosts_per_address;
	uint16_t port_first, port_last; // port_first is a multiple of port_set_size
	uint16_t ports_per_host;        // likewise
	uint16_t port_set_size;
};

struct nat_share { // ports of one external address
	ip4 address;
	uint16_t first, last;
};

struct nat_policy {             // of one NAT group, live
	uint16_t port_set_size; // ports in a block: a power of two, 4..4096; fixed while in use
	uint16_t block_limit;   // blocks one subscriber may hold
	uint32_t port_limit;    // ports per subscriber and protocol, implicit and explicit
	uint32_t lease_limit;   // ports in explicit mappings, and PEERs, per subscriber
	uint32_t session_limit; // sessions per subscriber, 0: no limit
	uint32_t mapping_rate;  // new implicit mappings per subscriber and second, 0: no limit
	uint32_t mapping_burst;
	uint16_t filter_limit; // filters per explicit mapping
	// Where explicit mappings get their ports; 0: in the subscriber's blocks. Not in any block,
	// and no block lies there.
	uint16_t explicit_first, explicit_last;
	uint16_t block_timeout;     // port-set-timeout: seconds that an empty block stays his
	uint32_t pairing_retention; // seconds for which a host without ports keeps his address
	uint8_t filtering[NAT_PROTOCOLS]; // enum nat_filtering
	uint8_t user_high;           // percent of port_limit at which NAT_EVENT_USER_HIGH; 0: never
	bool pairing_soft;           // another address when the paired one is full
	bool parity;                 // RFC 4787 REQ-4
	bool compact;                // older blocks are filled first
	bool inbound_refresh;        // RFC 4787 REQ-6a
	bool tcp_reopen;             // a SYN begins anew what both sides have closed
	bool rst_in_fin;             // RST ends a half-closed session like an open one
	bool log_mappings;           // events for each implicit mapping, not for its block only
	bool log_sessions;           // events for each session
	const struct nat_plan *plan; // NULL: not deterministic
};

// ---- keys and views --------------------------------------------------------------------------

struct nat_key { // an internal endpoint
	ip4 host;
	uint16_t port; // ICMP: identifier
	uint8_t realm;
	uint8_t protocol; // enum nat_protocol
};

static_assert(sizeof(struct nat_key) == 8, "hashed as one word");

enum nat_kind {
	NAT_ABSENT,
	NAT_IMPLICIT,
	NAT_EXPLICIT, // a MAP lease hangs on it
	NAT_STATIC,
	NAT_RESTING,
	// PEER leases hang on it, no MAP lease. A mapping's view has the data of the one that lasts
	// longest, but no remote peer; the view of one PEER lease is of that lease.
	NAT_PEER,
};

struct nat_view {               // one mapping, or one lease, as it stands
	struct nat_key key;     // of a set: its first internal port
	struct recipe external; // of a set: its first external port
	uint8_t kind;           // enum nat_kind
	uint8_t group;
	bool replied;          // something came back from outside
	bool traffic;          // the internal endpoint itself sent, and its idle timer still runs
	uint32_t idle_left_s;  // until traffic alone would let it expire; 0 without traffic
	uint32_t lease_left_s; // explicit, peer and resting
	uint8_t nonce[12];     // likewise
	bool has_nonce;        // false: made in a dialect without nonces
	ip4 client;            // explicit, peer: who asked, from which port, in which dialect
	uint16_t client_port;
	uint8_t client_realm;
	uint8_t dialect;  // as the server calls it; the nat room only keeps it
	bool third_party; // `client` asked for another host
	bool exact;       // asked for with PREFER_FAILURE
	bool operators;   // made by the operator, not by a client or the configuration
	bool moved;       // its external pair changed since the client last heard
	uint16_t n_ports; // 1, or the ports of a PORT_SET
	uint16_t n_filters;
	uint8_t text_length;  // octets of the DESCRIPTION; see nat_lease_text()
	struct recipe remote; // view of one PEER lease: the remote peer
};

enum nat_state { // of a session: RFC 6146 s.3.5.2.2 as RFC 7857 s.2 takes it over
	NAT_CLOSED,
	NAT_I_INIT, // the internal side's SYN was seen
	NAT_E_INIT,
	NAT_ESTABLISHED,
	NAT_I_FIN,
	NAT_E_FIN,
	NAT_BOTH_FIN,
	NAT_TRANS, // after RST
	NAT_OPEN,  // UDP, ICMP: there is nothing to open
	NAT_STATES
};

struct nat_session_view {
	struct nat_key key;
	struct recipe external, remote; // remote port 0: any (address-dependent filtering)
	uint8_t group, state;           // enum nat_state
	uint32_t left_s;
};

struct nat_subscriber_view {
	ip4 host;
	uint8_t realm, group;
	ip4 external;                    // paired address
	uint32_t n_ports[NAT_PROTOCOLS]; // UDP, TCP, ICMP
	uint32_t n_blocks, n_leases, n_sessions;
	uint32_t epoch_base_s; // 0: only the group's Epoch counts
};

#define NAT_COUNTERS(X)                                                                            \
	X(implicit_created, "Dynamic-implicit mappings made by packets.")                          \
	X(explicit_created, "Dynamic-explicit mappings made by requests.")                         \
	X(explicit_renewed, "Leases renewed.")                                                     \
	X(explicit_deleted, "Leases ended by request or operator.")                                \
	X(peers_created, "PEER leases made.")                                                      \
	X(peers_expired, "PEER leases that ran out.")                                              \
	X(moved, "Explicit mappings moved to another external address.")                           \
	X(move_failed, "Explicit mappings ended because they could not be moved.")                 \
	X(implicit_expired, "Dynamic-implicit mappings that idled out.")                           \
	X(explicit_expired, "Leases that ran out.")                                                \
	X(became_implicit, "Mappings that outlived their lease because traffic used them.")        \
	X(cleared, "Mappings removed by the operator or by a new configuration.")                  \
	X(blocks_taken, "Port blocks given to subscribers.")                                       \
	X(blocks_returned, "Port blocks given back.")                                              \
	X(sessions_created, "Sessions made: TCP connections, and peers under ADF and APDF.")       \
	X(sessions_expired, "Sessions that idled out.")                                            \
	X(sessions_unrecorded,                                                                     \
		"Sessions not recorded under EIF: the table or the limit was full.")               \
	X(refused_port_limit, "Mappings refused by port-limit.")                                   \
	X(refused_mapping_rate, "Mappings refused by mapping-rate.")                               \
	X(events_lost, "NAT events that found no room on their way to the log.")                   \
	X(subscribers_created, "Subscribers seen for the first time.")                             \
	X(subscribers_removed, "Subscribers forgotten after their last port.")                     \
	X(hold_down_early, "Ports released before hold-down ended: the list was full.")            \
	X(suggestions_refused, "Suggested external ports or addresses that could not be given.")

#define NAT_GAUGES(X)                                                                              \
	X(mappings, "Mappings now.")                                                               \
	X(sessions, "Sessions now.")                                                               \
	X(leases, "Leases now, resting ones included.")                                            \
	X(lease_details, "Leases now that are more than plain ones.")                              \
	X(filters, "FILTERs now.")                                                                 \
	X(descriptions, "DESCRIPTIONs kept now.")                                                  \
	X(resting, "External ports in hold-down now.")                                             \
	X(subscribers, "Subscribers now.")                                                         \
	X(blocks, "Port blocks held now.")                                                         \
	X(addresses, "External addresses now.")

struct nat_counters {
#define X(name, sentence) uint64_t name;
	NAT_COUNTERS(X)
	NAT_GAUGES(X)
#undef X
};

#define NAT_GROUP_COUNTERS(X)                                                                      \
	X(port_mapping_creations, "Port mappings created.")                                        \
	X(port_map_failure_drops, "Mappings refused for want of a port (RFC 7659).")               \
	X(port_map_limit_drops, "Mappings refused by a limit of the subscriber.")                  \
	X(address_map_failure_drops, "Mappings refused for want of an address or block.")          \
	X(total_port_mappings, "Port mappings now.")                                               \
	X(total_active_subscribers, "Subscribers with mappings, blocks or leases now.")            \
	X(total_sessions, "Sessions now.")                                                         \
	X(blocks_allocated, "Port blocks held now; not those that a plan gives to hosts.")         \
	X(blocks_total, "Port blocks of the pool, held or free; likewise.")                        \
	X(addresses_total, "External addresses of the pool.")

struct nat_group_counters { // one NAT group's part of this shard; names of RFC 8512
#define X(name, sentence) uint64_t name;
	NAT_GROUP_COUNTERS(X)
#undef X
};

struct nat;

// ---- life ------------------------------------------------------------------------------------

size_t nat_size(const struct nat_limits *limits); // octets, a multiple of CACHE_LINE
// `mem` is zeroed and aligned to CACHE_LINE. Draws its secrets from *seed, copied afterwards.
struct nat *nat_init(
	void *mem, const struct nat_limits *limits, const struct rng *seed, uint32_t now_s);
void nat_set_timers(struct nat *n, const struct nat_timers *timers); // live
// What the background needs of a group's policy: copied, but for the plan, which stays the
// caller's. A change of filtering reaches the mappings that stand within some steps; those made
// under EIF then accept nobody until they send again.
void nat_set_policy(struct nat *n, uint8_t group, const struct nat_policy *policy);
const struct nat_counters *nat_counters(const struct nat *n);
const struct nat_group_counters *nat_group_counters(const struct nat *n, uint8_t group);

// ---- deterministic NAT: pure functions of the plan -------------------------------------------

// False: not one of the plan's hosts.
bool nat_plan_forward(const struct nat_plan *plan, ip4 host, struct nat_share *share);
enum nat_plan_place {
	NAT_PLAN_NONE, // not an address or port of the plan
	NAT_PLAN_HOST,
	NAT_PLAN_OVERFLOW, // whose it is follows from nothing but the NAT log
};
enum nat_plan_place nat_plan_reverse(
	const struct nat_plan *plan, ip4 address, uint16_t port, ip4 *host);

// ---- external addresses ----------------------------------------------------------------------

struct nat_address {
	ip4 ip;
	uint8_t group;
	uint16_t port_first, port_last; // this shard's dynamic ports; first > last: statics only
	uint16_t port_set_size;
	uint16_t explicit_first, explicit_last; // this shard's part of policy.explicit_*; 0: none
	bool planned; // deterministic: hosts have their own ports here, port_first to port_last is
		      // this shard's part of the overflow
};

// 0; -ENOSPC when all places are taken; -EEXIST. Changing the port range of a known one: remove it.
MUST_CHECK int nat_address_add(struct nat *n, const struct nat_address *a);
bool nat_address_known(const struct nat *n, ip4 ip);
// Starts draining: nothing new lands there. nat_step() ends what lives there bit by bit, but moves
// explicit mappings to another address of the group when one can be had (RFC 6887 s.14.2, see
// nat_update_next()), sets the subscribers' Epoch bases, then forgets the address. Until then it
// stays known.
void nat_address_remove(struct nat *n, ip4 ip);

// ---- packets: whole bursts -------------------------------------------------------------------

enum {
	NAT_BURST = 32
};

struct nat_out { // one packet from inside
	struct nat_key key;
	uint8_t tcp_flags;    // possible ones; 0 if not TCP, and of a fragment without TCP header
	uint8_t tcp_data;     // TCP: non-zero when it carries octets
	struct recipe remote; // where it goes
	struct recipe to;     // result: external endpoint
};

struct nat_in {             // one packet from outside
	struct recipe at;   // external endpoint it went to
	struct recipe from; // remote endpoint it came from
	uint8_t protocol;
	uint8_t tcp_flags; // as above
	uint8_t tcp_data;
	uint8_t drop;      // result, enum drop: why it has no way in; written if it has none
	struct nat_key to; // result: internal endpoint
};

// Looks all up, prefetching; refreshes the mappings found (RFC 4787 REQ-6). Bit i of the result is
// set when packet i has a live mapping. `count` at most NAT_BURST.
uint32_t nat_find_out(struct nat *n, struct nat_out *packets, unsigned count, uint32_t now_s);
// Looks all up, marks them as replied to, once, and lets TCP sessions follow (mappings, and UDP and
// ICMP sessions, are refreshed only with inbound_refresh, RFC 4787 REQ-6a). Bit i of the result is
// set when packet i may go in; if not, packets[i].drop says why: DROP_NO_MAPPING_INBOUND,
// DROP_FILTERED_ADF, DROP_FILTERED_APDF, DROP_UNSOLICITED_SYN (the same, of a TCP SYN), or
// DROP_PCP_FILTER (RFC 6887 s.13.3; a remote peer of a PEER lease passes).
uint32_t nat_find_in(struct nat *n, struct nat_in *packets, unsigned count, uint32_t now_s);

// Starts the memory reads that creates (of packets, or with `leases` of requests), renewals and
// ends will need: for a whole burst at once, because each read tells where the next one is. Changes
// nothing. `count` at most NAT_BURST.
struct nat_ahead {
	struct nat_key key;
	bool leases;             // a request: the mapping may stand there, with a lease
	bool ends;               // it asks for the end of it
	struct recipe suggested; // a request: what a new one would like; no port: anything
};
void nat_look_ahead(const struct nat *n, const struct nat_ahead *keys, unsigned count);
// The miss path: finds or makes the mapping of p->key for group `group`, fills p->to.
enum drop nat_create(struct nat *n, const struct nat_policy *policy, uint8_t group,
	struct nat_out *p, uint32_t now_s);
// Whether nat_create() for this host would make a new subscriber.
bool nat_is_new_subscriber(const struct nat *n, uint8_t realm, ip4 host);
// The external address that this host's mappings have, or will have: a host without any is paired
// with one, and keeps a port block of it at rest for the hold-down time (RFC 6886 s.3.2 asks for an
// address before there is a mapping).
enum drop nat_pair(struct nat *n, const struct nat_policy *policy, uint8_t group, uint8_t realm,
	ip4 host, uint32_t now_s, ip4 *external);

// Read-only looks, for ICMP errors and hairpins: nothing is refreshed.
bool nat_peek_out(const struct nat *n, const struct nat_key *key, struct recipe *to);
bool nat_peek_in(const struct nat *n, uint8_t protocol, struct recipe at, struct nat_key *to);
// Whether an ICMP error about a packet from `at` to `remote` may come in: under ADF and APDF only
// where that packet could have been sent (RFC 5508 REQ-4).
bool nat_may_complain(
	const struct nat *n, uint8_t protocol, struct recipe at, struct recipe remote);

// ---- leases: what PCP asks for (RFC 6887 s.11 to s.16) ---------------------------------------
//
// On one internal endpoint's mapping hang at most one MAP lease and any number of PEER leases, one
// for each remote peer (up to NAT_PEERS_MAX; then NAT_QUOTA). A MAP lease may be a set of ports
// (RFC 7753): one lease, n consecutive internal ports on n consecutive external ones in one port
// block. A set begins at wish->key.port and ends before an internal port that already has a
// mapping; when the first one has, that one alone is granted. Of a suggestion a set takes address
// and port together, and only for all its ports; `exact` asks for a single port.
//
// Filters that are there already are not added once more. A filter's port does not count for ICMP.

enum {
	NAT_DESCRIPTION = 128, // octets of text kept with a lease (RFC 7220 s.3)
	NAT_SET_MAX = 256,     // ports of one set
	NAT_PEERS_MAX = 256    // PEER leases on one mapping
};

struct nat_filter { // remote endpoints that may send in
	ip4 address;
	uint8_t bits;  // 0: any address
	uint16_t port; // 0: any port
};

struct nat_wish {
	struct nat_key key;
	struct recipe suggested; // addr 0: any; port 0: any
	bool exact;              // PREFER_FAILURE
	bool parity;             // of a set: the first external port as even or odd as the internal
	uint16_t n_ports;        // 0 or 1: a single mapping; a set gets as many as can be had
	uint8_t nonce[12];
	bool has_nonce;
	uint32_t lifetime_s;  // as to be granted; the server has clamped it
	struct recipe remote; // PEER
	ip4 client;           // for Mapping Updates
	uint16_t client_port;
	uint8_t client_realm;
	uint8_t dialect;
	bool third_party;
	bool operators;     // made by the operator
	bool clear_filters; // before `filters` are added
	uint16_t n_filters;
	const struct nat_filter *filters;
	bool has_text; // replaces what is kept; text_length 0: erases it
	uint8_t text_length;
	const uint8_t *text; // at most NAT_DESCRIPTION octets
};

enum nat_grant {
	NAT_GRANTED,      // *view says what
	NAT_CANNOT_EXACT, // exact asked and not to be had; view->lease_left_s: how long (0 unknown)
	NAT_QUOTA,        // the subscriber's own limit
	NAT_NO_RESOURCES, // pool, table or shard is full
	NAT_TOO_MANY_FILTERS, // the mapping's limit; nothing was changed
};

// The mapping with a MAP lease, else what else stands there. kind NAT_ABSENT when there is nothing;
// a resting lease is shown only when nothing lives. A port inside a set shows the set; traffic and
// replies are those of the port looked at. Of several PEER leases it shows the longest-lived one.
void nat_lease_look(
	const struct nat *n, const struct nat_key *key, uint32_t now_s, struct nat_view *view);
// The PEER lease of this remote peer; kind NAT_ABSENT when there is none.
void nat_peer_look(const struct nat *n, const struct nat_key *key, struct recipe remote,
	uint32_t now_s, struct nat_view *view);
// The MAP leases and static mappings that touch internal ports key->port .. key->port + n_ports - 1
// (cut at 65535, and at NAT_SET_MAX ports), ascending; at most `max` (RFC 7753 s.4.4.1). Returns
// how many.
unsigned nat_lease_overlap(const struct nat *n, const struct nat_key *key, uint16_t n_ports,
	uint32_t now_s, struct nat_view *views, unsigned max);
// The MAP and PEER leases and static mappings of one host, in no order: `budget` of them from
// *cursor on (0 at first). True when the walk ended. Deleting leases ends a walk: begin again.
bool nat_lease_walk(const struct nat *n, uint8_t realm, ip4 host, uint32_t *cursor, uint32_t budget,
	uint32_t now_s, bool (*see)(void *ctx, const struct nat_view *view), void *ctx);

// Creates or renews a MAP lease. The caller has judged nonce and kind (not for static mappings).
// A resting lease with the same nonce gives its port back. An implicit mapping, or one made by
// PEER, keeps its pair. A set that exists is renewed as it is. Any answer but NAT_GRANTED has
// changed nothing. Texts that find no room are left out: view->text_length tells. Only single ports
// rest for their client; those of a set rest for hold_down, for anybody.
enum nat_grant nat_lease_map(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_wish *wish, uint32_t now_s, struct nat_view *view);

// Creates or renews a PEER lease (s.12.3). Never shortens: the lease lasts at least as long as it
// would have. A mapping that stands keeps its pair; for a new one a suggested pair is exact. A
// static mapping needs no lease: its view says NAT_STATIC.
enum nat_grant nat_lease_peer(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_wish *wish, uint32_t now_s, struct nat_view *view);

// Ends the MAP lease of an explicit mapping; it lives on as implicit while its traffic timer runs
// (not when `now` and the MAP lease had made the mapping: then its port rests at once, for its own
// client), or while PEER leases hang on it.
void nat_lease_end(struct nat *n, const struct nat_key *key, bool now, uint32_t now_s);

// The DESCRIPTION (view->text_length octets) and the FILTERs of the lease that nat_lease_look()
// shows; how many were written, at most `max`.
uint32_t nat_lease_text(const struct nat *n, const struct nat_key *key, uint8_t *out, uint32_t max);
uint32_t nat_lease_filters(
	const struct nat *n, const struct nat_key *key, struct nat_filter *out, uint32_t max);
// Likewise the DESCRIPTION of the PEER lease that nat_peer_look() shows.
uint32_t nat_peer_text(const struct nat *n, const struct nat_key *key, struct recipe remote,
	uint8_t *out, uint32_t max);

// The plain lease: one port for the host that asks, with a nonce, no filter, no text. What these
// two do they do as the calls above would, in fewer steps; what is not so plain they leave as it
// was for the calls above.
struct nat_plain {
	struct nat_key key;
	uint8_t nonce[12];
	uint16_t client_port;
	uint8_t dialect;
	uint32_t lifetime_s; // as to be granted; 0: ends the lease, as nat_lease_end() with `now`
	struct recipe suggested; // for a new one: an address and a port of it; no port: anything
};

enum nat_plain_found {
	NAT_PLAIN_NOT,     // not so plain: nothing was changed
	NAT_PLAIN_ABSENT,  // there is neither a mapping nor a resting lease
	NAT_PLAIN_FOREIGN, // it has another nonce: nothing was changed, *left_s is its lifetime
	NAT_PLAIN_RENEWED, // *external is its pair
	NAT_PLAIN_ENDED
};

enum nat_plain_found nat_plain_find(struct nat *n, const struct nat_plain *p, uint32_t now_s,
	struct recipe *external, uint32_t *left_s);
// After NAT_PLAIN_ABSENT. False: not to be had so plainly; nothing but the host's record may have
// been made, and nat_lease_map() must follow, which answers why.
MUST_CHECK bool nat_plain_make(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_plain *p, uint32_t now_s, struct recipe *external);

// ---- mappings that moved (RFC 6887 s.14.2) ---------------------------------------------------

enum nat_update_kind {
	NAT_UPDATE_MOVED, // view: as it stands now
	NAT_UPDATE_LOST,  // it ended; view: as it was
};

struct nat_update {
	uint8_t kind; // enum nat_update_kind
	struct nat_view view;
};

// The next client to tell; false: none. Moving waits while too many are untold, so none is lost.
// Who renewed meanwhile is not told: he knows. What was made with PREFER_FAILURE is lost, never
// moved, and PEER leases on the same mapping with it. The operator's static mappings go with their
// address.
bool nat_update_next(struct nat *n, struct nat_update *out);

// ---- static mappings -------------------------------------------------------------------------

// Of the configuration, or of the operator (`operators`: nat_static_prune() leaves those alone,
// nat_delete() removes them). Evicts a dynamic one in the way (static > explicit > implicit). 0,
// -ENOENT (address unknown, or leaving), -ENOSPC (a table is full), -EEXIST (other static),
// -EAGAIN: the port is in hold-down, perhaps by this eviction; ask again when it is over.
MUST_CHECK int nat_static_add(struct nat *n, const struct nat_key *key, struct recipe external,
	bool operators, uint32_t now_s);
// The mapping that nat_static_add() would evict first, so that those who lose by it can be told;
// false: none. nat_static_evict() removes it; then ask again, there may be another.
bool nat_static_victim(const struct nat *n, const struct nat_key *key, struct recipe external,
	struct nat_key *victim);
void nat_static_evict(struct nat *n, const struct nat_key *victim, uint32_t now_s);
// Forgets all static mappings of the configuration for which keep() says false; bounded by
// `budget`; true when done.
bool nat_static_prune(struct nat *n, uint32_t budget,
	bool (*keep)(void *ctx, const struct nat_key *key, struct recipe external), void *ctx);

// ---- the operator ----------------------------------------------------------------------------

// Removes a mapping of any kind but static ones of the configuration, at once, with every lease on
// it; of a set the whole set. False: there is none, or it is of the configuration.
bool nat_delete(struct nat *n, const struct nat_key *key, uint32_t now_s);
// Removes everything of one subscriber, at most `budget` external ports looked at a call; true when
// done. Resets his own Epoch when explicit state went. Static mappings stay.
bool nat_subscriber_clear(struct nat *n, uint8_t realm, ip4 host, uint32_t budget, uint32_t now_s);
bool nat_subscriber_find(
	const struct nat *n, uint8_t realm, ip4 host, struct nat_subscriber_view *view);
// When state of this subscriber was last lost for him alone; 0: never (design D5).
uint32_t nat_epoch_base(const struct nat *n, uint8_t realm, ip4 host);

// Walks: look at `budget` places from *cursor on (0 at first), call see() for what lives there; a
// set is seen once, at its first port.
// see() returns false to stop before this item (it will be seen again). True when the walk ended.
bool nat_walk_mappings(const struct nat *n, uint32_t *cursor, uint32_t budget, uint32_t now_s,
	bool (*see)(void *ctx, const struct nat_view *view), void *ctx);
bool nat_walk_subscribers(const struct nat *n, uint32_t *cursor, uint32_t budget,
	bool (*see)(void *ctx, const struct nat_subscriber_view *view), void *ctx);

// The sessions of one mapping, `budget` of them from *cursor on (0 at first). Sessions that end
// during a walk may hide others from it.
bool nat_session_walk(const struct nat *n, const struct nat_key *key, uint32_t *cursor,
	uint32_t budget, uint32_t now_s,
	bool (*see)(void *ctx, const struct nat_session_view *view), void *ctx);

// Who has, or last had, an external port: its mapping if one lives, and its block.
struct nat_tenancy {
	bool mapped; // `mapping` stands there now
	struct nat_view mapping;
	bool held, held_before; // its block: by whom, from when (second of `now_s`)
	uint8_t realm, realm_before;
	ip4 host, host_before;
	uint32_t since_s, since_before_s, until_before_s;
	uint16_t first, last; // the block's ports
};
bool nat_trace(const struct nat *n, uint8_t protocol, struct recipe external, uint32_t now_s,
	struct nat_tenancy *out); // false: not an address or port of this shard

// ---- events: what the NAT log tells (RFC 8158) -----------------------------------------------

#define NAT_EVENTS(X)                                                                              \
	X(BLOCK_TAKEN, "block-allocated")                                                          \
	X(BLOCK_RETURNED, "block-released")                                                        \
	X(BLOCK_HELD, "block-held") /* interim: it is still his */                                 \
	X(MAPPING_CREATED, "mapping-created")                                                      \
	X(MAPPING_DELETED, "mapping-deleted")                                                      \
	X(SESSION_CREATED, "session-created")                                                      \
	X(SESSION_DELETED, "session-deleted")                                                      \
	X(ADDRESS_BOUND, "address-bound") /* a subscriber and his paired address */                \
	X(ADDRESS_UNBOUND, "address-unbound")                                                      \
	X(ADDRESSES_EXHAUSTED, "addresses-exhausted")                                              \
	X(PORTS_EXHAUSTED, "ports-exhausted")                                                      \
	X(QUOTA_PORTS, "quota-ports")                                                              \
	X(QUOTA_SESSIONS, "quota-sessions")                                                        \
	X(QUOTA_SUBSCRIBERS, "quota-subscribers") /* the table is full */                          \
	X(QUOTA_MAPPINGS, "quota-mappings")       /* likewise */                                   \
	X(QUOTA_FRAGMENTS, "quota-fragments")     /* likewise, of fragments that wait */           \
	X(USER_HIGH, "user-high")

enum nat_event_kind {
	NAT_EVENT_NONE,
#define X(name, text) NAT_EVENT_##name,
	NAT_EVENTS(X)
#undef X
	NAT_EVENT_KINDS
};

struct nat_event {
	uint8_t kind; // enum nat_event_kind
	uint8_t group;
	uint8_t mapping; // mappings: enum nat_kind
	uint8_t spare;
	struct nat_key key;     // blocks: host and realm; sets: the first port
	struct recipe external; // blocks and sets: the first port
	uint16_t last_port;     // blocks and sets
	struct recipe remote;   // sessions
	uint32_t lifetime_s;    // leases
	uint32_t limit;         // quotas: the limit that was reached
};

// Takes the oldest event out; false: none. Exhaustion and quotas are told at most once a second and
// subscriber (or group). Events that find no room are counted. Explicit and static mappings are
// always told, blocks of the plan never (RFC 7422).
bool nat_event_next(struct nat *n, struct nat_event *out);
// For what the shard itself refuses: tells `kind`, of nobody (host 0) or of this host, at most once
// a second and group.
void nat_event_refused(struct nat *n, uint8_t kind, uint8_t group, const struct nat_key *who,
	uint32_t limit, uint32_t now_s);
// Tells BLOCK_HELD of each block from *cursor on, `budget` looked at; true when through.
bool nat_events_interim(struct nat *n, uint32_t *cursor, uint32_t budget);

// ---- background ------------------------------------------------------------------------------

// One bounded portion of expiry, hold-down and draining: at most 32 expiries of each kind (and 64
// ports of sets: a set that runs out is the smaller meanwhile, its last ports going first), 256
// table lines, 1024 ports or 32 mappings of draining addresses. Call once a loop. True when there
// is more to do right now.
bool nat_step(struct nat *n, uint32_t now_s);

#endif
