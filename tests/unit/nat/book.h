// SPDX-License-Identifier: Apache-2.0
// book.h - the naive twin of one shard's mappings: plain lists, searched from end to end, and what
// follows from them. The real tables choose ports at random; the book writes the choice down after
// checking that it was a legal one. Whatever is not legal ends the program with the seed.
#ifndef TEST_NAT_BOOK_H
#define TEST_NAT_BOOK_H

#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

enum {
	N_HOSTS = 48,
	N_PORTS = 32, // internal ports and identifiers of a host
	N_GROUPS = 2,
	N_POOL = 6, // external addresses there could be; more than fit at once
	N_STATICS = 6,
	N_OPERATORS = 4, // static mappings that come and go
	N_FILTERS = 4,   // of one mapping, at most
	MAX_LIVE = 512,
	MAX_PEERS = 256,
	MAX_FLOWS = 256,
	MAX_RESTS = 4096,
	MAX_BLOCKS = 64 // of an address
};

struct mapping {
	struct nat_key key;
	struct recipe at;
	uint32_t sent_s; // when the internal endpoint last sent; 0: never
	uint32_t over_s; // MAP lease: the first second at which it is over
	uint32_t set;    // which one; 0: a single port. What follows is the same at all its ports
	uint8_t set_at;
	uint8_t nonce;
	uint8_t text_length;
	uint8_t n_filters;
	struct nat_filter filters[N_FILTERS];
	uint8_t tcp; // enum tcp_phase
	bool lease, exact, moved, told, replied;
	bool adopted;   // it stood before its MAP lease
	uint32_t dry_s; // TCP: when the last connection that kept it was found to be over
	bool loose;     // TCP: some of its connections have no session
	bool rule;      // UDP: it only ever sent to the port with a timer of its own
	bool plain;     // its only connection is established: nobody looks at data
	struct recipe plain_remote;
};

struct flow { // a session
	struct nat_key key;
	struct recipe remote;
	uint32_t at_s;
	uint8_t state; // enum nat_state
	bool mark;     // UDP, ICMP: answered; TCP: lets in its whole address under ADF
};

struct peer { // a PEER lease
	struct nat_key key;
	struct recipe remote;
	uint32_t over_s;
	uint8_t nonce;
	uint8_t text_length;
	bool moved, told;
};

enum tcp_phase {
	OPENING,
	ESTABLISHED,
	CLOSING
};

struct held { // an external port in hold-down
	struct nat_key key;
	struct recipe at;
	uint32_t since_s;
	uint8_t nonce;
	bool lease, replied;
	bool gone;
};

struct portset {                         // a port block as the book knows it
	ip4 owner, owner_before;         // before what is being looked at
	uint32_t n[NAT_PROTOCOLS];       // live and resting
	uint32_t statics[NAT_PROTOCOLS]; // never anybody's to give
	uint32_t room[NAT_PROTOCOLS];    // ports that are not reserved
	bool whole;                      // lies wholly in the range: may be given
	bool replied;
};

enum pool_state {
	POOL_ABSENT,
	POOL_LIVE,
	POOL_DRAINING
};

struct pool { // an external address
	struct nat_address address;
	enum pool_state state;
	uint32_t readded_s;
	uint32_t first_block, n_blocks;
	struct portset blocks[MAX_BLOCKS];
};

struct book {
	struct nat *n;
	struct nat_limits limits;
	struct nat_policy policy[N_GROUPS];
	struct nat_timers timers;
	uint32_t now_s, settled_s;
	uint64_t seed, operation;

	struct mapping live[MAX_LIVE];
	uint32_t n_live;
	struct peer peers[MAX_PEERS];
	uint32_t n_peers;
	uint32_t n_sets; // ever made
	struct flow flows[MAX_FLOWS];
	uint32_t n_flows;
	uint32_t used; // records of sessions in use, permits and graves included
	struct held rests[MAX_RESTS];
	uint32_t n_rests;
	struct pool pools[N_POOL];
	uint32_t epoch_s[N_HOSTS];
	struct mapping statics[N_STATICS + N_OPERATORS]; // protocol 0: not there
	uint32_t n_statics;

	uint64_t early;         // hold_down_early as last seen
	uint32_t leases_before; // leases in the table when this operation began
	bool crowded;           // many subscribers then
	uint32_t crowded_s;     // last second with many subscribers
	uint64_t drops[DROP_COUNT], grants[NAT_TOO_MANY_FILTERS + 1], revived, adopted, honoured;
	uint64_t sets_made, sets_cut, peers_made, peers_adopted, filtered, moved, lost, paired;
	uint64_t closed, operators_evicted, sets_moved;
	uint64_t flows_made, flows_expired, unrecorded, complaints;
	uint64_t states[NAT_STATES], kept_out[DROP_COUNT];
};

// What must be true; otherwise prints why and leaves.
#define TRUTH(b, condition, ...)                                                                   \
	do {                                                                                       \
		if (!(condition))                                                                  \
			book_fail(b, __FILE__, __LINE__, #condition, __VA_ARGS__);                 \
	} while (0)
_Noreturn void book_fail(const struct book *b, const char *file, int line, const char *condition,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

static inline unsigned group_of(ip4 host)
{
	return host & 1;
}

static inline bool key_eq(struct nat_key a, struct nat_key b)
{
	return key_word(&a) == key_word(&b);
}

static inline bool recipe_eq(struct recipe a, struct recipe b)
{
	return a.addr == b.addr && a.port == b.port;
}

#define HOST_0 0x64400000u // 100.64.0.0; the group is its lowest bit
#define POOL_0 0xcb007100u // 203.0.113.0, likewise

void book_open(struct book *b, struct nat *n, const struct nat_limits *limits);

// ---- looks -----------------------------------------------------------------------------------

struct mapping *book_find(struct book *b, struct nat_key key);
struct mapping *book_find_at(struct book *b, uint8_t protocol, struct recipe at);
struct mapping *book_find_static(struct book *b, uint8_t protocol, struct recipe at);
struct held *book_find_rest(struct book *b, uint8_t protocol, struct recipe at);
struct pool *book_pool(struct book *b, ip4 addr);
struct portset *book_portset(struct book *b, struct recipe at);
uint32_t book_count_ports(const struct book *b, ip4 host, uint8_t protocol);
uint32_t book_count_leases(const struct book *b, ip4 host); // ports of MAP leases, and PEERs
uint32_t book_count_records(const struct book *b); // living MAP leases and PEERs of everybody
uint32_t book_count_set(const struct book *b, const struct mapping *m); // ports of its set
uint32_t book_count_filters(const struct book *b);
uint32_t book_count_texts(const struct book *b);
struct peer *book_find_peer(struct book *b, struct nat_key key, struct recipe remote);
uint32_t book_count_peers(const struct book *b, struct nat_key key);
bool book_is_leased(const struct book *b, const struct mapping *m); // by MAP or PEER
uint32_t book_count_blocks(const struct book *b, ip4 host);
bool book_has_traffic(struct book *b, const struct mapping *m); // its idle timer still runs
uint32_t book_idle_timeout(struct book *b, const struct mapping *m);

// Whether traffic, sessions or else what the mapping itself remembers, keeps it; and how long.
bool book_traffic_left(struct book *b, const struct mapping *m, uint32_t *left_s);

// ---- book_sessions.c, book_sweep.c
// -------------------------------------------------------------------------

struct flow *book_find_flow(struct book *b, struct nat_key key, struct recipe remote);
uint32_t book_count_flows(const struct book *b, ip4 host);
bool book_flow_is_over(struct book *b, const struct flow *f);
uint32_t book_flow_idle_s(struct book *b, const struct flow *f);
uint32_t book_flow_timeout(const struct book *b, const struct flow *f);
uint32_t book_flow_left_s(struct book *b, const struct flow *f);
bool book_flow_closed(struct book *b, struct nat_key key, struct recipe remote);
void book_end_flows(struct book *b, struct nat_key key);                  // their mapping ended
void book_move_flows(struct book *b, struct mapping *m);                  // or its port changed
void book_expire_flow(struct book *b, struct mapping *m, struct flow *f); // it was over
bool book_is_kept(struct book *b, struct nat_key key); // by TCP that the inside takes part in
unsigned book_group(const struct book *b, struct nat_key key);
void book_update_plain(struct book *b, struct mapping *m);
// DROP_NONE: there is room for a session more.
enum drop book_room(const struct book *b, struct nat_key key, bool begun_outside);
// A packet from inside on a mapping that stands: does what it does, and says whether it passes.
enum drop book_send(struct book *b, struct mapping *m, const struct nat_out *p);
void book_send_first(struct book *b, struct mapping *m, const struct nat_out *p);
// A packet from outside: whether it passes, and what it does if it does.
enum drop book_admit(struct book *b, const struct mapping *m, const struct nat_in *p);
void book_receive(struct book *b, struct mapping *m, const struct nat_in *p);
bool book_may_complain(struct book *b, const struct mapping *m, struct recipe remote);
void book_reconcile_flows(struct book *b);
void book_check_flows(struct book *b);
void book_check_flows_settled(struct book *b);
void book_audit_flows(struct book *b);

// ---- changes ---------------------------------------------------------------------------------

// A new mapping; every rule about its external endpoint was just checked.
struct mapping *book_make(struct book *b, struct nat_key key, struct recipe at);
// An external port of this owner: checks that he may have it, and writes it down.
void book_occupy(struct book *b, ip4 host, uint8_t protocol, struct recipe at, uint32_t n_blocks);
// What every external port in use has left behind: free at once, or resting by itself.
void book_vacate(struct book *b, const struct mapping *m);
// It is over. Its port is free at once, or rests: by itself or with its lease.
void book_end(struct book *b, struct mapping *m);
void book_end_peers(struct book *b, struct nat_key key);
// All that hangs on it goes with it, a set with all its ports.
void book_delete(struct book *b, struct mapping *m);
// Its MAP lease is over: it goes, or lives on. Of a set: that of this port.
void book_unlease(struct book *b, struct mapping *m, bool now);
void book_add_rest(struct book *b, const struct mapping *m, bool lease);
bool book_rests_with_lease(const struct book *b, const struct mapping *m, uint8_t *nonce);
uint32_t book_count_live_blocks(const struct book *b, ip4 host);     // not on draining addresses
void book_leave(struct book *b, uint8_t protocol, struct recipe at); // the port is free
void book_count_static(struct book *b, uint8_t protocol, struct recipe at, int change);
void book_remove_rest(struct book *b, struct held *r);
// Looks what the background took away, and why.
void book_reconcile(struct book *b);
// The same for resting ports alone: a full list may have let the oldest go.
void book_reconcile_rests(struct book *b);
// What must have happened by now when nat_step() said that nothing is left to do.
void book_check_settled(struct book *b);
void book_check_gauges(struct book *b);
void book_check_epoch(struct book *b, ip4 host);
// Reads what clients are to be told, and checks it.
void book_read_updates(struct book *b);

// ---- judgement -------------------------------------------------------------------------------

// Whether this very endpoint could have been given to the host; MAYBE: the book cannot know.
enum answer {
	NO,
	YES,
	MAYBE
};
enum answer book_can_have(struct book *b, ip4 host, uint8_t protocol, struct recipe want);
bool book_has_free_port(struct book *b, ip4 host, uint8_t protocol); // in a block of his own
void book_justify_drop(struct book *b, const struct nat_key *key, enum drop why);
void book_justify_no_resources(struct book *b, const struct nat_key *key);

#endif
