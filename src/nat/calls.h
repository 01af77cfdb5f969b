// SPDX-License-Identifier: Apache-2.0
// The calls that the files of the room make on each other; comes with tables.h.
#ifndef NAT_CALLS_H
#define NAT_CALLS_H

#include "tables.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

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

// Which slot of a line has this key: 0..3, or -1. Where it stands nobody can foresee, so comparing
// one after the other costs a mispredicted branch more often than not; all four at once cost none.
static inline int line_match_scalar(const struct line *l, uint64_t word)
{
	for (int i = 0; i < 4; i++) {
		if (slot_word(&l->slot[i]) == word)
			return i;
	}
	return -1;
}

#if defined(__AVX2__)
static inline int line_match_avx2(const struct line *l, uint64_t word)
{
	__m256i first = _mm256_load_si256((const void *)&l->slot[0]);
	__m256i second = _mm256_load_si256((const void *)&l->slot[2]);
	__m256i words = _mm256_unpacklo_epi64(first, second); // of slots 0, 2, 1, 3
	__m256i keys = _mm256_and_si256(words, _mm256_set1_epi64x(SLOT_KEY_MASK));
	__m256i equal = _mm256_cmpeq_epi64(keys, _mm256_set1_epi64x((int64_t)word));
	int found = _mm256_movemask_pd(_mm256_castsi256_pd(equal));

	return found == 0 ? -1 : 0xd8 >> 2 * __builtin_ctz((unsigned)found) & 3;
}
#define line_match line_match_avx2
#else
#define line_match line_match_scalar
#endif

static inline struct slot *slot_at(const struct nat *n, uint32_t i)
{
	return (struct slot *)(void *)n->lines + i; // lines are nothing but slots
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

// ahead.c: those of a burst that visit.c will look at, by their bits. All of them are mapped.
void foresee_out(
	const struct nat *n, const struct nat_out *packets, const uint32_t *slot, uint32_t which);
void foresee_in(const struct nat *n, const struct nat_in *packets, struct entry *const *entry,
	uint32_t which);

// What the end of these will touch.
void foresee_release(const struct nat *n, const struct rest *due, unsigned count);
void foresee_leases(const struct nat *n, const uint32_t *leases, unsigned count);
void foresee_sessions(const struct nat *n, const uint32_t *sessions, unsigned count);

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

static inline uint32_t place_of(const struct nat *n, ip4 ip)
{
	return (uint32_t)(ip * UINT32_C(0x9e3779b1)) >> n->place_shift;
}
uint32_t address_find_from(const struct nat *n, ip4 ip, uint32_t place);

static inline uint32_t address_find(const struct nat *n, ip4 ip) // or NO_ADDRESS
{
	uint32_t place = place_of(n, ip);

	if (likely(n->places[place].ip == ip && n->places[place].index != 0))
		return n->places[place].index - 1;
	return address_find_from(n, ip, place);
}
bool port_is_reserved(const struct address *a, uint8_t protocol, uint16_t port);
// Whether the plan gives this block to a host, and so nobody takes or frees it as others.
static inline bool block_is_planned(const struct nat *n, uint32_t block)
{
	const struct address *a = &n->addresses[block >> n->block_bits];
	uint32_t first = (block & (n->blocks_per_address - 1)) << a->shift;

	return a->planned && first >= a->host_first && first <= a->host_last;
}
// Ports outside of all blocks, for explicit mappings only.
static inline bool port_is_explicit(const struct address *a, uint32_t port)
{
	return a->explicit_first != 0 && port >= a->explicit_first && port <= a->explicit_last;
}
void address_list_add(struct nat *n, uint32_t a);
void address_list_remove(struct nat *n, uint32_t a);
void address_forget(struct nat *n, uint32_t a);

// Picks a free port for a subscriber. DROP_NONE and *ext, or why there is none. May take a block.
enum drop port_choose(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	const struct nat_key *key, uint32_t now_s, uint32_t *ext);
// The external port that port_choose() will most likely find for this key now, for prefetching.
#define NO_EXT UINT32_MAX
uint32_t port_foresee(const struct nat *n, const struct subscriber *s, const struct nat_key *key);
// Whether this very external port can be the subscriber's; takes its block when it must.
bool port_claim(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, uint32_t ext);
// Any port on this very address.
bool port_choose_on(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, uint32_t address, uint32_t *ext);
static inline void port_occupy(struct nat *n, uint8_t protocol, uint32_t ext,
	const struct nat_key *key, uint8_t bits) // free -> mapped
{
	uint32_t a = ext >> 16, port = ext & 0xffff;
	struct block *b = &n->blocks[block_of(n, ext)];

	*entry_at(n, protocol, ext) =
		(struct entry){key->host, key->port, key->realm, (uint8_t)(bits | EXT_MAPPED)};
	used_words(n, protocol, a)[port / 64] |= UINT64_C(1) << port % 64;
	n->addresses[a].n_ports++;
	if (likely(b->subscriber != 0)) {
		b->used++;
		b->live++;
	}
}

static inline void port_hold(struct nat *n, uint8_t protocol, uint32_t ext) // mapped -> resting
{
	struct entry *e = entry_at(n, protocol, ext);
	struct block *b = &n->blocks[block_of(n, ext)];

	e->bits = (uint8_t)((e->bits & ~(EXT_STATE | EXT_LEASE | EXT_VISIT | EXT_FILTERS)) |
			    EXT_RESTING);
	if (likely(b->subscriber != 0))
		b->live--;
	n->counters.resting++;
}

void port_revive(struct nat *n, uint8_t protocol, uint32_t ext);               // resting -> mapped
void port_release(struct nat *n, uint8_t protocol, uint32_t ext);              // resting -> free
void port_rest(struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s); // joins the list
void block_take(struct nat *n, uint32_t subscriber, uint32_t block);
void block_return(struct nat *n, uint32_t block); // none of its ports is used
void block_return_if_empty(struct nat *n, uint32_t block);
// Finds a free block where the subscriber's next one should be. It is not his yet.
enum drop block_find(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t *block);
bool pair_is_usable(const struct nat *n, const struct subscriber *s);
// He has a block on this live address: it becomes his pair unless he has a usable one.
void pair_with(struct nat *n, struct subscriber *s, uint32_t block);
void pair_set(struct nat *n, struct subscriber *s, uint32_t address);
void pair_end(struct nat *n, struct subscriber *s); // he holds nothing any more

static inline uint32_t block_size(const struct nat *n, uint32_t block)
{
	return UINT32_C(1) << n->addresses[block >> n->block_bits].shift;
}

static inline uint32_t block_first_port(const struct nat *n, uint32_t block)
{
	return (block & (n->blocks_per_address - 1)) * block_size(n, block);
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

// The longest run in these ports of an address, in `size` of them from `begin` on; its length.
uint32_t run_within(struct nat *n, uint32_t address, uint32_t begin, uint32_t size,
	const struct run *run, uint32_t *ext);
// Picks the longest run inside one block. Takes a block when his own have none of full length.
// False: not even run->least ports, and nothing has changed.
bool run_choose(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run);
// Whether this very run, run->ext and all that follow (as many as a block has), can be the
// subscriber's; takes its block when it must.
bool run_claim(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run);

// ---- sweeps that look at `all` things once in a period -----------------------------------------

// What may be looked at since `since_s`, added to `credit`: never more than all of them.
static inline void credit_earn(
	uint32_t *credit, uint32_t *since_s, uint32_t now_s, uint32_t all, uint32_t period_s)
{
	uint64_t sum;

	if (now_s == *since_s)
		return;
	sum = (uint64_t)(now_s - *since_s) * (all / period_s + 1) + *credit;
	*credit = sum > all ? all : (uint32_t)sum;
	*since_s = now_s;
}

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
uint32_t subscriber_search(const struct nat *n, uint8_t realm, ip4 host);
uint32_t subscriber_get(struct nat *n, uint8_t realm, ip4 host, uint8_t group); // makes it
void subscriber_drop_if_empty(struct nat *n, uint32_t subscriber);
void subscriber_forget(struct nat *n, uint32_t subscriber); // unless he must be remembered
static inline uint32_t *subscriber_head(const struct nat *n, uint8_t realm, ip4 host) // index + 1
{
	uint64_t hash = hash_u64((uint64_t)realm << 32 | host, &n->secret);

	return &n->subscriber_heads[(uint32_t)hash & n->subscriber_mask];
}

static inline bool subscriber_is(const struct subscriber *s, uint8_t realm, ip4 host)
{
	return s->host == host && s->realm == realm && s->used;
}

// He was found: the next look-ups will ask for him again. Of the three that a packet which makes a
// mapping takes, two cost no hash then.
static inline void subscriber_note(const struct nat *n, uint32_t subscriber, ip4 host)
{
	n->recent[host % RECENT] = subscriber;
}

static inline uint32_t subscriber_find(const struct nat *n, uint8_t realm, ip4 host)
{
	uint32_t i = n->recent[host % RECENT];

	return likely(subscriber_is(&n->subscribers[i], realm, host))
		       ? i
		       : subscriber_search(n, realm, host);
}
void subscriber_reset_epoch(struct nat *n, uint32_t subscriber, uint32_t now_s);

// ---- create.c: mappings as a whole -----------------------------------------------------------

// Makes the mapping; the slot is from table_place(), the port from port_choose() and the like.
void mapping_open(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint32_t subscriber, uint32_t now_s);
// Likewise with a port that is mapped already.
void mapping_make(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint32_t subscriber, uint32_t now_s);
void mapping_forget(struct nat *n, uint32_t ext); // it is out of both tables
enum ending {
	END_REST,
	END_HOLD
}; // to the hold-down list; or held for a resting lease
void mapping_end(struct nat *n, uint32_t slot, enum ending ending, uint32_t now_s);
// Likewise of one without leases: its port rests, and the log is told.
void implicit_end(struct nat *n, uint32_t slot, uint32_t now_s);
void implicit_expire(struct nat *n, uint32_t slot, uint32_t now_s); // because it idled out
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
static inline uint32_t *lease_head(const struct nat *n, const struct nat_key *key)
{
	return &n->lease_heads[(uint32_t)hash_u64(key_word(key), &n->secret) & n->lease_mask];
}

// Beyond that an ended lease's port rests alone, for the room is needed.
static inline bool leases_may_rest(const struct nat *n)
{
	return n->counters.leases < n->limits.leases / 4 * 3;
}
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

void lease_expire_at(struct nat *n, uint32_t lease, uint32_t expiry_s);
uint32_t lease_ports(const struct nat *n, const struct lease *l);
struct nat_key set_key(const struct lease *l, uint32_t i); // of its i-th port
// Ends up to *ports ports of a set, the last ones first; true when it is gone.
bool set_finish(struct nat *n, uint32_t lease, bool now, uint32_t *ports, uint32_t now_s);

// ---- vacant.c --------------------------------------------------------------------------------

#define NO_VACANT UINT32_MAX

void vacant_put(struct vacant *v, uint32_t i); // it is not there yet
uint32_t vacant_get(struct vacant *v);         // or NO_VACANT

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

bool extra_has_room(const struct nat *n);
struct extra *extra_need(struct nat *n, struct lease *l); // makes it when there is none
void extra_drop(struct nat *n, struct lease *l);
uint8_t text_length(const struct nat *n, const struct extra *x);
// Whether a mapping with FILTERs lets this packet in.
bool filters_admit(const struct nat *n, const struct nat_in *p);
// What it will read for the mappings of these key words.
void foresee_filters(const struct nat *n, const uint64_t *words, unsigned count);

// ---- events.c --------------------------------------------------------------------------------

// Where the next one is to be written; beside the queue, and counted, when that is full.
static inline struct nat_event *event_new(struct nat *n)
{
	if (unlikely(n->event_count == EVENTS)) {
		n->counters.events_lost++;
		return &n->events[EVENTS];
	}
	return &n->events[(n->event_head + n->event_count++) % EVENTS];
}

// Whether whoever works in portions may go on.
static inline bool events_have_room(const struct nat *n)
{
	return n->event_count < EVENTS / 2;
}
void event_block(struct nat *n, uint8_t kind, uint32_t block);
void event_pairing(struct nat *n, uint8_t kind, const struct subscriber *s);
void event_of_mapping(struct nat *n, uint8_t kind, uint32_t slot);
// A mapping is told as implicit while no lease hangs on it, and where the policy asks for it. One
// that outlives its lease outside of all blocks has no other record.
static inline void event_implicit(struct nat *n, uint8_t kind, uint32_t slot)
{
	uint32_t ext = slot_at(n, slot)->ext;
	const struct address *a = &n->addresses[ext >> 16];

	if (unlikely(n->policies[a->group].log_mappings || port_is_explicit(a, ext & 0xffff)))
		event_of_mapping(n, kind, slot);
}
void event_lease(struct nat *n, uint8_t kind, uint32_t lease, uint32_t now_s);
void event_ports(struct nat *n, uint8_t kind, const struct lease *l, uint32_t first,
	uint32_t n_ports, uint32_t lifetime_s); // some ports of a lease
void event_of_subscriber(
	struct nat *n, uint8_t kind, const struct subscriber *s, uint8_t protocol, uint32_t limit);
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

// The counterparts of run_choose() and run_claim(), and of port_choose_on().
enum drop explicit_choose(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run);
bool explicit_claim(struct nat *n, uint32_t subscriber, struct run *run);
bool explicit_choose_on(struct nat *n, uint32_t subscriber, uint32_t address, struct run *run);

// Any block that the plan gives to this subscriber and that he has not taken yet; whether this one
// is such a block.
bool planned_find(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t *block);
bool planned_has(
	const struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t block);
// How many blocks the plan gives him.
uint32_t planned_blocks(const struct nat_policy *policy);

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
