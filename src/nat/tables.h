// SPDX-License-Identifier: Apache-2.0
// The hot structs of the room, cache lines in sight, and the calls its files make on each other.
// An established packet touches one struct line (outbound) or one struct entry (inbound).
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
	uint8_t shift;   // log2 of the block size
	uint8_t listed;  // stands in the group's list of addresses with free blocks
	uint8_t planned; // deterministic: hosts have their own ports in front of port_first
	uint16_t port_first, port_last;
	uint16_t host_first;                    // planned: the first host's first port
	uint16_t explicit_first, explicit_last; // 0: explicit mappings have their ports in blocks
	uint32_t n_free;                        // free blocks
	uint32_t n_ports;                       // ports mapped or resting, statics included
	uint32_t next, prev;                    // list of addresses with free blocks; index + 1
	uint32_t drain_at; // next external port (of all protocols) a drain looks at
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
	uint8_t realm, group, used;
	uint8_t told_high; // bit set: protocols of which he was told to have many ports
	uint32_t chain;    // hash chain, or free list; index + 1
	uint32_t blocks;   // list; index + 1
	uint32_t active;   // block that new mappings come from; index + 1
	uint16_t address;  // paired address; valid while n_blocks or n_statics is not 0
	uint16_t n_blocks;
	uint32_t n_ports[NAT_PROTOCOLS];
	uint32_t leases;   // list of the living leases and static mappings; index + 1
	uint32_t n_leases; // ports of living MAP leases, and living PEERs
	uint16_t n_statics;
	uint16_t n_resting; // leases in hold-down
	// When a search of all his blocks last found nothing: seconds modulo 65536, 0 for never.
	// One search too few in 18 hours is the price of their room.
	uint16_t full_s[NAT_PROTOCOLS];
	uint32_t epoch_base_s;
	uint32_t n_sessions;
};

static_assert(sizeof(struct subscriber) == CACHE_LINE, "one line a subscriber");

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
	EVENTS = 4096, // that wait for the shard; a burst or a step tells fewer
	TOLD = 256     // refusals remembered, so that each is told once a second
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
	struct address *addresses;
	uint64_t *used; // bit set: port not free; 1024 words an address and protocol
	struct block *blocks;
	uint64_t *free_blocks; // bit set: block free
	uint32_t blocks_per_address, block_words;
	uint32_t n_addresses;
	uint32_t group_list[NAT_MAX_GROUPS]; // addresses with free blocks, round; index + 1

	struct tenure *tenures;                   // by block
	uint32_t block_at, block_credit, block_s; // the sweep of empty blocks

	struct rate *rates;  // by subscriber
	uint32_t *emptied_s; // by subscriber: when he held nothing any more, 0: never
	struct subscriber *subscribers;
	uint32_t *subscriber_heads;
	uint32_t subscriber_mask, subscriber_high, subscriber_free;

	struct lease *leases;
	uint32_t *lease_heads;
	uint32_t lease_mask, lease_high, lease_free, n_statics;
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
	uint32_t session_rings;                         // number of the last one
	uint32_t graves;                                // index + 1
	uint32_t session_at, session_credit, session_s; // the sweep of sessions
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
	uint32_t told[TOLD];
	uint32_t clock_s; // second of the call going on, for what is written down
	bool waits;       // some policy keeps empty blocks or pairings for a while
	struct nat_policy policies[NAT_MAX_GROUPS]; // for mappings that move
	struct nat_counters counters;
	struct nat_group_counters group_counters[NAT_MAX_GROUPS];
};

// ---- inside.c: the in2out table --------------------------------------------------------------

#define NO_SLOT UINT32_MAX

static inline uint64_t key_word(const struct nat_key *key)
{
	uint64_t word;
	memcpy(&word, key, sizeof word);
	return word;
}

static inline uint64_t slot_word(const struct slot *s)
{
	uint64_t word;
	memcpy(&word, s, sizeof word);
	return word & SLOT_KEY_MASK;
}

static inline struct slot *slot_at(const struct nat *n, uint32_t i)
{
	return &n->lines[i / 4].slot[i % 4];
}

static inline struct nat_key slot_key(const struct slot *s)
{
	return (struct nat_key){s->host, s->port, s->realm, s->bits & SLOT_PROTOCOL};
}

uint32_t table_find(const struct nat *n, const struct nat_key *key, uint64_t hash);
uint32_t table_place(const struct nat *n, uint64_t hash); // a free slot, or NO_SLOT
void table_insert(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint16_t tick);
void table_remove(struct nat *n, uint32_t slot);
uint8_t tcp_next_class(uint8_t bits, uint8_t flags, uint8_t data); // new SLOT_CLASS bits

static inline void slot_touch(struct slot *s, uint32_t now_s, uint8_t class_bits)
{
	uint8_t bits = (uint8_t)((s->bits & ~SLOT_CLASS) | class_bits | SLOT_SEEN);

	if (s->bits != bits)
		s->bits = bits;
	if (s->tick != (uint16_t)now_s)
		s->tick = (uint16_t)now_s;
}

// The shortest time that could end it.
static inline uint32_t slot_timeout(const struct nat *n, const struct slot *s)
{
	uint8_t rule = s->hangs >> HANGS_RULE_SHIFT;

	if ((s->bits & SLOT_PROTOCOL) == NAT_UDP && rule != 0 && rule <= n->timers.n_ports)
		return n->timers.ports[rule - 1].seconds;
	return n->timeout[s->bits & SLOT_TIMER];
}

static inline uint32_t slot_idle_s(const struct slot *s, uint32_t now_s)
{
	return (uint16_t)(now_s - s->tick);
}

// ---- addresses.c, blocks.c: external ports ---------------------------------------------------

#define NO_ADDRESS UINT32_MAX

static inline uint32_t ext_of(uint32_t address, uint16_t port)
{
	return address << 16 | port;
}

static inline struct entry *entry_at(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return &n->entries[(size_t)(protocol - 1) * n->entries_per_protocol + ext];
}

static inline uint64_t *used_words(const struct nat *n, uint8_t protocol, uint32_t address)
{
	return &n->used[((size_t)(protocol - 1) * n->limits.addresses + address) * 1024];
}

static inline struct recipe ext_recipe(const struct nat *n, uint32_t ext)
{
	return (struct recipe){n->address_ip[ext >> 16], (uint16_t)ext};
}

static inline uint32_t block_of(const struct nat *n, uint32_t ext)
{
	uint32_t a = ext >> 16;
	return a * n->blocks_per_address + ((ext & 0xffff) >> n->addresses[a].shift);
}

uint32_t address_find(const struct nat *n, ip4 ip); // or NO_ADDRESS
bool port_is_reserved(const struct address *a, uint8_t protocol, uint16_t port);
// Whether the plan gives this block to a host, and so nobody takes or frees it as others.
static inline bool block_is_planned(const struct nat *n, uint32_t block)
{
	const struct address *a = &n->addresses[block / n->blocks_per_address];

	return a->planned && (block % n->blocks_per_address << a->shift) < a->port_first;
}
void address_list_add(struct nat *n, uint32_t a);
void address_list_remove(struct nat *n, uint32_t a);
void address_forget(struct nat *n, uint32_t a);

// Picks a free port for a subscriber. DROP_NONE and *ext, or why there is none. May take a block.
enum drop port_choose(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	const struct nat_key *key, uint32_t now_s, uint32_t *ext);
// Whether this very external port can be the subscriber's; takes its block when it must.
bool port_claim(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, uint32_t ext);
// Any port on this very address.
bool port_choose_on(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, uint32_t address, uint32_t *ext);
void port_occupy(struct nat *n, uint8_t protocol, uint32_t ext, const struct nat_key *key,
	uint8_t bits);                                                         // free -> mapped
void port_hold(struct nat *n, uint8_t protocol, uint32_t ext);                 // mapped -> resting
void port_revive(struct nat *n, uint8_t protocol, uint32_t ext);               // resting -> mapped
void port_release(struct nat *n, uint8_t protocol, uint32_t ext);              // resting -> free
void port_rest(struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s); // joins the list
void block_take(struct nat *n, uint32_t subscriber, uint32_t block);
void block_return(struct nat *n, uint32_t block); // none of its ports is used
void block_return_if_empty(struct nat *n, uint32_t block);
// Takes a free block where the subscriber's next one should be; makes it the active one.
enum drop block_open(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t *block);
bool pair_is_usable(const struct nat *n, const struct subscriber *s);
// He has a block on this live address: it becomes his pair unless he has a usable one.
void pair_with(struct nat *n, struct subscriber *s, uint32_t block);

static inline uint32_t block_size(const struct nat *n, uint32_t block)
{
	return UINT32_C(1) << n->addresses[block / n->blocks_per_address].shift;
}

static inline uint32_t block_first_port(const struct nat *n, uint32_t block)
{
	return block % n->blocks_per_address * block_size(n, block);
}

// ---- runs.c: several ports at once -----------------------------------------------------------

enum {
	OLD_BLOCKS_TRIED = 64
};

struct run { // what a set of ports wants
	uint8_t protocol;
	bool parity; // the first port as even or odd as `like`
	uint16_t like;
	uint32_t least;   // with fewer ports it is not worth having
	uint32_t n_ports; // at most; result: how many there are
	uint32_t ext;     // result: the first one
};

// Picks the longest run inside one block. Takes a block when his own have none of full length.
// False: not even run->least ports, and nothing has changed.
bool run_choose(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run);
// Whether this very run, run->ext and all that follow (as many as a block has), can be the
// subscriber's; takes its block when it must.
bool run_claim(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run);

// ---- subscribers.c ---------------------------------------------------------------------------

#define NO_SUBSCRIBER UINT32_MAX

// Holds something on his paired address: then it is his.
static inline bool subscriber_holds(const struct subscriber *s)
{
	return s->n_blocks != 0 || s->n_statics != 0 || s->n_resting != 0 ||
	       (s->n_ports[0] | s->n_ports[1] | s->n_ports[2]) != 0;
}
bool subscriber_has_pair(const struct nat *n, const struct subscriber *s);
// Whose mapping this is, wherever its port lies.
uint32_t subscriber_of(const struct nat *n, uint32_t slot);
uint32_t subscriber_find(const struct nat *n, uint8_t realm, ip4 host);
uint32_t subscriber_get(struct nat *n, uint8_t realm, ip4 host, uint8_t group); // makes it
void subscriber_drop_if_empty(struct nat *n, uint32_t subscriber);
void subscriber_forget(struct nat *n, uint32_t subscriber); // unless he must be remembered
void subscriber_prefetch(const struct nat *n, uint8_t realm, ip4 host);

// ---- create.c: mappings as a whole -----------------------------------------------------------

// Makes the mapping; the slot is from table_place(), the port from port_choose() and the like.
void mapping_make(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint32_t subscriber, uint32_t now_s);
// It is out of both tables: counted, and told.
void mapping_forget(struct nat *n, const struct nat_key *key, uint32_t ext);
enum ending {
	END_REST,
	END_HOLD
}; // to the hold-down list; or held for a resting lease
void mapping_end(struct nat *n, uint32_t slot, enum ending ending, uint32_t now_s);
// To another external port, from port_choose() and the like; the old one rests.
void mapping_move(struct nat *n, uint32_t slot, uint32_t ext, uint32_t now_s);
// Whether its idle timer ran out. Moves an answered UDP mapping to its longer timer first.
bool mapping_is_idle(struct nat *n, uint32_t slot, uint32_t now_s);
// Whether the internal endpoint itself sent, and its idle timer still runs.
bool mapping_has_traffic(struct nat *n, uint32_t slot, uint32_t now_s);
// Likewise, and for how long without another packet.
bool traffic_left(const struct nat *n, uint32_t slot, uint32_t now_s, uint32_t *left_s);
uint32_t idle_timeout(const struct nat *n, const struct slot *s);

static inline uint32_t slot_find(const struct nat *n, const struct nat_key *key)
{
	return table_find(n, key, hash_u64(key_word(key), &n->secret));
}

// ---- views.c ---------------------------------------------------------------------------------

void mapping_view(const struct nat *n, uint32_t slot, uint32_t now_s, struct nat_view *view);
// The view of a living lease; of a set, with the traffic of the port in `slot`.
void lease_view(
	const struct nat *n, uint32_t lease, uint32_t slot, uint32_t now_s, struct nat_view *view);

// ---- leases.c, wheel.c -----------------------------------------------------------------------

#define NO_LEASE UINT32_MAX

// The MAP lease or static mapping of this key, or the first of the resting ones. Of a set only the
// first port is a key.
uint32_t lease_find(const struct nat *n, const struct nat_key *key, bool resting);
// The MAP lease or static mapping that hangs on a slot, whatever port of a set it is.
uint32_t lease_on(const struct nat *n, uint32_t slot);
uint32_t lease_on_hashed( // whose key and hash are at hand
	const struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash);
// What stands for a mapping: the one that lease_on() says, else the longest-lived of its PEERs.
uint32_t lease_shown(const struct nat *n, uint32_t slot);
uint32_t *lease_head(const struct nat *n, const struct nat_key *key);
// Keeps this lease (its key, state, flags and extra decide where it is found). NO_LEASE: full.
uint32_t lease_get(struct nat *n, const struct lease *made);
void lease_put(struct nat *n, uint32_t lease); // with its extra record
void lease_link(struct nat *n, uint32_t lease);
void lease_unlink(struct nat *n, uint32_t lease);
// In and out of the subscriber's list and of what he is charged for.
void lease_join(struct nat *n, uint32_t lease);
void lease_leave(struct nat *n, uint32_t lease);
void slot_hang(struct nat *n, uint32_t slot, uint8_t what);
void slot_unhang(struct nat *n, uint32_t slot, uint8_t what);
// Its last lease may have left a mapping: it lives on, or ends. The port then rests, by itself.
void mapping_leased_no_more(struct nat *n, uint32_t slot, bool now, uint32_t now_s);
// Ran out, or was given up. False: a set, of which more than *ports were left.
bool lease_finish(struct nat *n, uint32_t lease, bool now, uint32_t *ports, uint32_t now_s);
// A lease that has left its slot and its subscriber: gone, or resting with its port.
void lease_retire(struct nat *n, uint32_t lease, bool now, uint32_t now_s);
void lease_rest_over(struct nat *n, uint32_t lease);
// Ends a mapping with all that hangs on it; of a set the whole set. Returns how many leases ended.
uint32_t mapping_delete(struct nat *n, uint32_t slot, uint32_t now_s);
void static_remove(struct nat *n, uint32_t lease);

// ---- peers.c, sets.c -------------------------------------------------------------------------

uint32_t *peer_head(const struct nat *n, const struct nat_key *key, struct recipe remote);
uint32_t peer_anchor(const struct nat *n, const struct nat_key *key);
uint32_t peer_find(const struct nat *n, const struct nat_key *key, struct recipe remote);
void peer_detach(struct nat *n, uint32_t lease); // from its ring and its slot
uint32_t peers_on(const struct nat *n, uint32_t slot);
// Ends all PEERs of a mapping that stays; how many.
uint32_t peers_drop(struct nat *n, uint32_t slot);
// TCP closed it and its only lease is a PEER: over as an implicit one would be.
bool peer_is_closed(const struct slot *s);

uint32_t lease_ports(const struct nat *n, const struct lease *l);
struct nat_key set_key(const struct lease *l, uint32_t i); // of its i-th port
// Ends up to *ports ports of a set, the last ones first; true when it is gone.
bool set_finish(struct nat *n, uint32_t lease, bool now, uint32_t *ports, uint32_t now_s);

// ---- extras.c --------------------------------------------------------------------------------

uint32_t slab_get(struct slab *s); // index + 1, zeroed; 0: full
void slab_put(struct slab *s, uint32_t index);

static inline struct extra *extra_at(const struct nat *n, uint32_t index)
{
	return (struct extra *)(void *)n->extras.items + (index - 1);
}

static inline struct extra *lease_extra(const struct nat *n, const struct lease *l)
{
	return l->extra != 0 ? extra_at(n, l->extra) : NULL;
}

struct extra *extra_need(struct nat *n, struct lease *l); // makes it when there is none
void extra_drop(struct nat *n, struct lease *l);
uint8_t text_length(const struct nat *n, const struct extra *x);
// Whether a mapping with FILTERs lets this packet in.
bool filters_admit(const struct nat *n, const struct nat_in *p);

// ---- events.c --------------------------------------------------------------------------------

void event_push(struct nat *n, const struct nat_event *e); // counted when there is no room
// Whether whoever works in portions may go on.
static inline bool events_have_room(const struct nat *n)
{
	return n->event_count < EVENTS / 2;
}
void event_block(struct nat *n, uint8_t kind, uint32_t block);
void event_pairing(struct nat *n, uint8_t kind, const struct subscriber *s);
// An implicit mapping, where the policy asks for each of them.
void event_mapping(struct nat *n, uint8_t kind, const struct nat_key *key, uint32_t ext);
void event_lease(struct nat *n, uint8_t kind, uint32_t lease, uint32_t now_s);
void event_ports(struct nat *n, uint8_t kind, const struct lease *l, uint32_t first,
	uint32_t n_ports, uint32_t lifetime_s); // some ports of a lease
void event_refused(struct nat *n, uint8_t kind, uint32_t subscriber, uint8_t group,
	uint8_t protocol, uint32_t limit, uint32_t now_s);
void refusal_note(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_key *key, enum drop why, uint32_t now_s);

// ---- trace.c, waits.c, explicit.c, planned.c -------------------------------------------------

void tenure_begin(struct nat *n, uint32_t block, uint32_t now_s);
void tenure_end(struct nat *n, uint32_t block, uint32_t now_s);

// The last port of a block went: whether it stays his for a while. The sweep then returns it.
bool block_waits(struct nat *n, uint32_t block, uint32_t now_s);
bool pairing_waits(const struct nat *n, uint32_t subscriber);
bool step_waits(struct nat *n, uint32_t now_s);
// One more mapping within the subscriber's mapping-rate? rate_charge() takes it.
bool rate_has(
	const struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t now_s);
void rate_charge(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t now_s);

// Ports outside of all blocks, for explicit mappings only.
static inline bool port_is_explicit(const struct address *a, uint32_t port)
{
	return a->explicit_first != 0 && port >= a->explicit_first && port <= a->explicit_last;
}
bool explicit_claim(struct nat *n, uint32_t subscriber, uint8_t protocol, uint32_t ext);
enum drop explicit_choose(
	struct nat *n, uint32_t subscriber, const struct nat_key *key, uint32_t *ext);
struct run;
bool explicit_run(struct nat *n, uint32_t subscriber, struct run *run);
bool explicit_claim_run(struct nat *n, uint32_t subscriber, struct run *run);

// A block that the plan gives to this subscriber, and that he has not taken yet.
bool planned_open(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t *block);
bool planned_claim(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t block);
// How many blocks the plan gives him.
uint32_t planned_blocks(const struct nat_policy *policy);

// ---- tcp.c, sessions.c, visit.c --------------------------------------------------------------

#define NO_SESSION UINT32_MAX

enum side {
	INSIDE,
	OUTSIDE
};

enum {
	STEP_STATE = 0x0f,
	STEP_REFRESH = 0x10
};
// What a segment does to its session: the next state, and whether that begins to last anew.
uint8_t tcp_step(const struct nat_policy *policy, uint8_t state, enum side side, uint8_t flags);
static inline bool tcp_begins(uint8_t flags)
{
	return (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static inline const struct nat_policy *policy_on(const struct nat *n, uint32_t ext)
{
	return &n->policies[n->addresses[ext >> 16].group];
}

// Any session of these endpoints, also one that is over; and the anchor, if there is one.
uint32_t session_find(const struct nat *n, uint8_t protocol, uint32_t ext, struct recipe remote);
uint32_t session_anchor(const struct nat *n, uint8_t protocol, uint32_t ext);
uint32_t session_idle_s(const struct nat *n, const struct session *x, uint32_t now_s);
uint32_t session_timeout(const struct nat *n, const struct session *x);
bool session_is_over(const struct nat *n, uint32_t session, uint32_t now_s);
// Whether there is room for one session more of this subscriber: DROP_NONE, DROP_SESSIONS_FULL or
// DROP_QUOTA_SESSIONS. What outsiders begin leaves a quarter of it to the inside.
enum drop sessions_room(const struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, bool begun_outside);
// Makes a session of a mapping, or says why not.
enum drop session_open(
	struct nat *n, uint32_t slot, struct recipe remote, uint8_t state, uint32_t now_s);
void session_set_state(struct nat *n, uint32_t session, uint8_t state);
void session_end(struct nat *n, uint32_t session, uint32_t slot); // the mapping stays
bool sessions_kept(
	const struct nat *n, const struct slot *s); // by one that the inside takes part in
// Under ADF a TCP session lets in its whole remote address while it has a permit for it.
void session_permit(struct nat *n, uint32_t session);
bool session_permitted(const struct nat *n, uint8_t protocol, uint32_t ext, ip4 remote);
// The mapping ends, or its port changes. Many sessions are forgotten at once and freed by and by.
void sessions_end(struct nat *n, uint32_t slot);
enum keeping {
	KEPT_BY_NONE, // it has no sessions that the inside takes part in
	KEPT,
	KEPT_NO_MORE // they are all over
};
// Whether TCP sessions keep this mapping, and for how long.
enum keeping sessions_keep(const struct nat *n, uint32_t slot, uint32_t now_s, uint32_t *left_s);
bool step_sessions(struct nat *n, uint32_t now_s);

// A packet that must look closer. DROP_NONE, or why it cannot pass.
enum drop visit_out(struct nat *n, uint32_t slot, struct nat_out *p, uint32_t now_s);
enum drop visit_in(struct nat *n, const struct nat_in *p, uint32_t ext, uint32_t now_s);
void visit_first(struct nat *n, uint32_t slot, const struct nat_out *p, uint32_t now_s);
// Writes SLOT_VISIT and EXT_VISIT as policy and sessions want them.
void visit_update(struct nat *n, uint32_t slot);
void review_begin(struct nat *n, bool rules); // of all mappings, after a change
bool step_review(struct nat *n);

// ---- moves.c ---------------------------------------------------------------------------------

// What lives behind an external port of an address that leaves: moved, or ended. Returns what it
// costs in ports moved or ended; MUST_WAIT: too many clients have not been told yet.
#define MUST_WAIT UINT32_MAX
uint32_t move_away(struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s);

static inline uint32_t lease_left_s(const struct lease *l, uint32_t now_s)
{
	return l->expiry_s > now_s + 1 ? l->expiry_s - now_s - 1 : 0;
}

void wheel_add(struct nat *n, uint32_t lease, uint32_t at_s);
void wheel_remove(struct nat *n, uint32_t lease);
// Takes up to `max` leases that are due at now_s off the wheel; re-inserts those renewed since.
uint32_t wheel_take(struct nat *n, uint32_t now_s, uint32_t *leases, uint32_t max);

#endif
