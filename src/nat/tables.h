// SPDX-License-Identifier: Apache-2.0
// The hot structs of the room, cache lines in sight; calls.h has the calls its files make on each
// other. An established packet touches one struct line (outbound) or one struct entry (inbound).
#ifndef NAT_TABLES_H
#define NAT_TABLES_H

#include <postern/nat.h>

enum {
	NONE32 = 0
}; // indices start at 1 in every list, so that zeroed memory is empty

// ---- in2out: 64-octet lines of four slots ----------------------------------------------------

// bits of a slot
enum {
	SLOT_PROTOCOL = 0x03, // 0: free
	SLOT_CLASS = 0x0c,    // timer class, see below
	SLOT_LEASE = 0x10,    // a lease hangs on it: no idle expiry
	SLOT_VISIT = 0x20,    // packets from inside must look closer, see visit.c
	SLOT_SEEN = 0x40,     // the internal endpoint sent; tick tells when
	SLOT_OVF = 0x80,      // one bit of the line's overflow count, not of the slot
	SLOT_TIMER = SLOT_PROTOCOL | SLOT_CLASS, // index into nat.timeout
};

// Timer classes. UDP: OPEN until answered, then ESTABLISHED. TCP: ESTABLISHED while sessions hang
// on the mapping, which then lives by theirs; without any, what its own packets tell.
enum {
	CLASS_OPEN = 0,
	CLASS_ESTABLISHED = 1,
	CLASS_CLOSING = 2,
	CLASS_SHIFT = 2
};

struct slot {
	ip4 host; // host, port, realm and protocol are the key, compared as one word
	uint16_t port;
	uint8_t realm;
	uint8_t bits;
	uint32_t ext;   // address index << 16 | external port
	uint16_t tick;  // second of the last outbound packet, modulo 65536
	uint8_t hangs;  // which leases; SLOT_LEASE is set when there is one
	uint8_t set_at; // HANGS_SET: its place in the set, whose lease is found by the first port
};

enum {
	HANGS_MAP = 1, // a MAP lease or a static mapping
	HANGS_PEER = 2,
	HANGS_SET = 4, // the MAP lease is one of several ports
	HANGS_LEASE = HANGS_MAP | HANGS_PEER,
	HANGS_LOOSE = 8,   // TCP: it has connections without a record, and lives by its class, too
	HANGS_RULE = 0xf8, // UDP: it only ever sent to port timers.ports[rule - 1].port
	HANGS_RULE_SHIFT = 3
};
static_assert(NAT_PORT_TIMERS <= HANGS_RULE >> HANGS_RULE_SHIFT, "a rule's number fits");

struct line {
	_Alignas(CACHE_LINE) struct slot slot[4];
};

static_assert(sizeof(struct slot) == 16, "four slots a cache line");
static_assert(sizeof(struct line) == CACHE_LINE, "one line a look-up");

enum {
	IDLE_MAX_S = 65000
}; // longest idle timeout: the sweep must come by before the 16-bit tick comes round
#define SLOT_KEY_MASK UINT64_C(0x03ffffffffffffff) // key without class, flags and overflow bit
enum {
	PROBE_MAX = 64
}; // lines a key may stand away from its home
enum {
	OVF_MAX = 15
};

// ---- out2in: indexed by protocol, address index and port -------------------------------------

enum {
	EXT_STATE = 0x03,
	EXT_FREE = 0,
	EXT_MAPPED = 1,
	EXT_RESTING = 2,
	EXT_VISIT = 0x04, // packets from outside must look closer, see visit.c
	EXT_LEASE = 0x08,
	EXT_REPLIED = 0x10,  // something came in; written once
	EXT_FILTERS = 0x20,  // its MAP lease has FILTERs
	EXT_SESSIONS = 0x40, // sessions hang on it
};

struct entry {
	ip4 host;
	uint16_t port;
	uint8_t realm;
	uint8_t bits;
};

static_assert(sizeof(struct entry) == 8, "eight external ports a cache line");

// ---- external addresses and their port blocks ------------------------------------------------

enum address_state {
	ADDRESS_NONE,
	ADDRESS_LIVE,
	ADDRESS_DRAINING
};

struct address {
	ip4 ip;
	uint8_t state;
	uint8_t group;
	uint8_t shift;  // log2 of the block size
	uint8_t listed; // stands in the group's list of addresses with free blocks
	uint8_t planned;
	uint16_t port_first, port_last;         // ports that are given out in blocks
	uint16_t host_first, host_last;         // planned: ports that are hosts' own
	uint16_t explicit_first, explicit_last; // 0: explicit mappings have their ports in blocks
	uint32_t n_free;                        // free blocks
	uint32_t n_ports;                       // ports mapped or resting, statics included
	uint32_t next, prev;                    // list of addresses with free blocks; index + 1
	uint32_t drain_at; // next external port (of all protocols), then block a drain looks at
};

struct block {
	uint32_t subscriber;  // index + 1; 0: free
	uint32_t next, prev;  // of the subscriber's blocks; index + 1
	uint16_t used : 15;   // ports mapped or resting, all protocols
	uint16_t replied : 1; // something came in through it since it was taken
	uint16_t live;        // ports mapped
};

static_assert(sizeof(struct block) == 16, "four blocks a cache line");

struct tenure { // who has a block, and who had it before; cold
	ip4 host, host_before;
	uint32_t since_s; // 0: nobody has it
	uint32_t since_before_s, until_before_s;
	uint32_t empty_s; // when its last port went
	uint8_t realm, realm_before;
	uint8_t spare[2];
};

struct rate { // new mappings of one subscriber: tokens used, and when that was reckoned
	uint16_t used, at_s;
};

// ---- subscribers -----------------------------------------------------------------------------

struct subscriber {
	_Alignas(CACHE_LINE) ip4 host;
	uint8_t realm, group;
	uint8_t used : 1;
	uint8_t cleared : 1; // nothing is kept for him that he does not use
	uint8_t told;        // what the NAT log knows of him, see below
	uint32_t chain;      // hash chain, or free list; index + 1
	uint32_t blocks;     // list; index + 1
	uint32_t active;     // block that new mappings come from; index + 1
	uint16_t address;    // paired address; valid while n_blocks or n_statics is not 0
	uint16_t n_blocks;
	uint32_t n_ports[NAT_PROTOCOLS];
	uint32_t leases;   // list of the living leases and static mappings; index + 1
	uint32_t n_leases; // ports of living MAP leases, and living PEERs
	uint16_t n_statics;
	uint16_t n_resting; // leases in hold-down
	// When a search of all his blocks last found nothing: seconds modulo 65536, 0 for never.
	// One search too few in 18 hours is the price of their room.
	uint16_t full_s[NAT_PROTOCOLS];
	uint16_t told_s; // second of the refusals in `told`, likewise
	uint32_t epoch_base_s;
	uint32_t n_sessions;
};

static_assert(sizeof(struct subscriber) == CACHE_LINE, "one line a subscriber");

enum {
	RECENT = 256 // places for who was looked up lately, by his address
};

enum {                     // bits of subscriber.told
	TOLD_PAIR = 0x01,  // that he is paired with his address; not only for the log: he holds
	TOLD_HIGH = 0x02,  // that he has many UDP ports; the next two bits: TCP, ICMP
	TOLD_PORTS = 0x10, // in second told_s: that one of his mappings was refused by a limit
	TOLD_SESSIONS = 0x20,
	TOLD_NO_PORT = 0x40,
	TOLD_NO_ADDRESS = 0x80,
	TOLD_REFUSALS = 0xf0
};

// ---- sessions --------------------------------------------------------------------------------

enum { // what a record is beside enum nat_state, where NAT_CLOSED is a free one
	SESSION_PERMIT = NAT_STATES, // TCP under ADF: that address was sent to
	SESSION_GRAVE                // heads the sessions of a mapping that ended
};

// The sessions of one mapping are a ring. Its anchor is found by the external endpoint alone, the
// others by the remote one, too. From the anchor on come first those that the inside takes part in,
// then those it did not answer yet (E_INIT).
struct session {
	uint32_t chain;      // hash chain, or free list; grave: the next grave; index + 1
	uint32_t next, prev; // ring; index + 1
	uint32_t ring;       // its number: who gets the port later has another
	uint32_t ext;
	ip4 remote;
	uint16_t remote_port; // 0: any; ICMP: 0
	uint16_t tick;        // second of the last packet that counts, modulo 65536
	uint16_t n_ring;      // anchor: sessions in the ring; permit: sessions that hold it
	uint8_t n_begun;      // anchor: of these, in E_INIT
	uint8_t protocol : 2, state : 4;
	uint8_t anchor : 1;
	uint8_t mark : 1; // UDP, ICMP: answered; TCP: holds a permit
};

static_assert(sizeof(struct session) == 32, "two a cache line");

enum {
	SESSION_GROUP = 16 // records that the sweep looks at together
};

// ---- leases ----------------------------------------------------------------------------------

enum lease_state {
	LEASE_FREE,
	LEASE_LIVE, // by MAP
	LEASE_PEER,
	LEASE_RESTING,
	LEASE_STATIC
};

enum { // flags of a lease
	LEASE_NONCE = 0x01,
	LEASE_EXACT = 0x02,
	LEASE_THIRD_PARTY = 0x04,
	LEASE_OPERATORS = 0x08,
	LEASE_MOVED = 0x10, // to another external pair, of which the client has not heard yet
	LEASE_SET = 0x20,   // of extra.n_ports ports
	LEASE_ANCHOR =
		0x40, // of several PEERs on a mapping: the one that is found without its peer
	LEASE_ADOPTED = 0x80, // MAP: the mapping stood before
};

struct lease {
	_Alignas(CACHE_LINE) uint8_t nonce[12];
	uint32_t expiry_s;  // ends as soon as now_s reaches it
	struct nat_key key; // of a set: its first internal port
	uint32_t ext;       // of a set: its first external port
	uint32_t slot;      // in2out slot unless RESTING; of a set: of its first port
	uint32_t chain;     // hash chain, or free list; index + 1
	uint32_t wheel;     // chunk << 4 | place, chunk counted from 1; 0: not on the wheel
	uint32_t subscriber;
	uint32_t sibling_next, sibling_prev; // the subscriber's list; index + 1
	uint32_t extra;                      // index + 1; 0: it is a plain one
	ip4 client;
	uint16_t client_port;
	uint8_t flags;
	uint8_t state : 3, dialect : 5;
};

static_assert(sizeof(struct lease) == CACHE_LINE, "one line a lease");
static_assert(NAT_SET_MAX <= UINT8_MAX + 1, "slot.set_at counts them");

// What few leases have. As many records as leases, so that there is always one to be had.
struct extra {
	uint32_t filters;              // list, in the order in which they came; index + 1
	uint32_t text;                 // index + 1
	uint32_t peer_next, peer_prev; // PEER: ring of those on the same mapping; lease index + 1
	ip4 remote_addr;               // PEER
	uint16_t remote_port;
	uint16_t n_filters;
	uint16_t n_ports; // set: those left
	uint16_t n_peers; // anchor: PEERs in its ring
	uint8_t client_realm;
	uint8_t spare[3];
};

static_assert(sizeof(struct extra) == 32, "two a cache line");

struct filter {
	uint32_t next; // index + 1
	ip4 address;
	uint16_t port;
	uint8_t bits;
	uint8_t spare;
};

struct text {
	uint32_t next; // of the free list
	uint8_t length;
	uint8_t octets[NAT_DESCRIPTION];
};

enum {
	VACANT_LEVELS = 5 // 64^5 records are more than there are
};

// Indices that are free again, in order: a bit for each, and a bit above for each word of bits.
struct vacant {
	uint64_t *levels[VACANT_LEVELS];
	uint32_t n_words[VACANT_LEVELS];
	uint32_t next; // the one to be had next; index + 1
};

// Records of one size, with a free list through their first four octets.
struct slab {
	uint8_t *items;
	uint32_t size, room;
	uint32_t high, free; // index + 1
};

enum {
	WHEEL_SLOTS = 8192,
	CHUNK_ITEMS = 13
};

struct chunk {
	_Alignas(CACHE_LINE) uint32_t next; // index; 0: last, or free list
	uint32_t n;
	uint32_t slot;
	uint32_t lease[CHUNK_ITEMS];
};

static_assert(sizeof(struct chunk) == CACHE_LINE, "one line a chunk");

struct rest { // a freed port in hold-down
	uint32_t ext;
	uint32_t at_protocol; // second it was freed << 2 | protocol
};

enum {
	UPDATES = 1024 // clients to tell that their mappings moved or were lost
};

enum {
	EVENTS = 4096 // that wait for the shard; a burst or a step tells fewer
};

struct address_place { // ip to index, open addressing
	ip4 ip;
	uint32_t index; // + 1; 0: empty
};

// ---- the room --------------------------------------------------------------------------------

struct nat {
	// read by every packet
	struct secret secret;
	struct line *lines;
	struct entry *entries;
	ip4 *address_ip;
	struct address_place *places;
	uint32_t n_lines; // homes; PROBE_MAX more follow
	uint32_t place_shift;
	uint32_t probe_max; // farthest any key ever stood from home, for the curious
	uint32_t entries_per_protocol;
	uint16_t timeout[16]; // seconds by SLOT_TIMER: the shortest that could end a mapping

	// read by the miss path and the background
	_Alignas(CACHE_LINE) struct nat_limits limits;
	struct nat_timers timers;
	struct rng rng;
	uint64_t salt;   // of the choice of ports
	uint32_t salt_s; // second in which it was drawn
	struct address *addresses;
	uint64_t *used; // bit set: port not free; 1024 words an address and protocol
	struct block *blocks;
	uint64_t *free_blocks;                                // bit set: block free
	uint32_t blocks_per_address, block_bits, block_words; // the first is 1 << the second
	uint32_t n_addresses;
	uint32_t group_list[NAT_MAX_GROUPS]; // addresses with free blocks, round; index + 1

	struct tenure *tenures;                   // by block
	uint32_t block_at, block_credit, block_s; // the sweep of empty blocks

	struct rate *rates;  // by subscriber
	uint32_t *emptied_s; // by subscriber: when he held nothing any more, 0: never
	struct subscriber *subscribers;
	uint32_t *subscriber_heads;
	uint32_t *recent; // indices: he is there, or somebody else is
	uint32_t subscriber_mask, subscriber_high, subscriber_free;
	uint32_t n_epoch_bases; // subscribers with one

	struct lease *leases;
	uint32_t *lease_heads;
	uint32_t lease_mask, lease_high, n_statics;
	struct vacant lease_vacant; // of those below lease_high
	struct slab extras, filters, texts;
	struct chunk *chunks;
	uint32_t chunk_high, chunk_free, n_chunks;
	uint32_t *wheel;  // first chunk by second
	uint32_t wheel_s; // next second to fire

	struct rest *rests;
	uint32_t rest_room, rest_head, rest_count;

	struct session *sessions;
	uint32_t *session_heads;
	uint32_t session_mask, session_high, session_free, session_used;
	uint32_t session_rings; // number of the last one
	uint32_t graves;        // index + 1
	uint32_t *session_due;  // by group: no session of it is over before that second
	// The sweep of groups; how many it must look into whatever they say.
	uint32_t session_at, session_credit, session_s, session_unsure;
	uint32_t review_line; // from here on VISIT bits are older than the policies
	bool review_rules;    // likewise numbers of rules
	uint16_t session_timeout[NAT_STATES];

	uint32_t sweep_line, sweep_credit, sweep_s;
	uint32_t prune_at;              // next lease nat_static_prune() looks at
	uint32_t clear_block, clear_at; // where nat_subscriber_clear() stopped
	uint32_t n_draining;
	struct nat_update *updates; // ring
	uint32_t update_head, update_count;
	struct nat_event *events; // ring
	uint32_t event_head, event_count;
	uint32_t told_s[NAT_MAX_GROUPS][NAT_EVENT_KINDS]; // refusals of nobody in particular
	uint32_t clock_s; // second of the call going on, for what is written down
	bool waits;       // some policy keeps empty blocks or pairings for a while
	struct nat_policy policies[NAT_MAX_GROUPS]; // for mappings that move
	struct nat_counters counters;
	struct nat_group_counters group_counters[NAT_MAX_GROUPS];
};

#include "calls.h"

#endif
