// SPDX-License-Identifier: Apache-2.0
// Who answers for an address on a link: (interface, IPv4 or IPv6 address) -> MAC.
//
// One writer, the control thread; any number of readers, the workers, without locks. A place is
// two words, key and value. A key may live only in the NEIGHBOUR_WINDOW places from its home on:
// a look-up is bounded, an empty place ends nothing, and a removal leaves no trace to clean up.
// A place that changes hands is emptied first. A reader loads key, value, key: had the place
// changed hands in between, the second key would differ, as the value of the new owner is stored
// after the old key was cleared.
//
// An IPv6 address does not fit a key; 55 bits of its keyed hash stand for it there. Two of 64 000
// neighbours share them once in sixteen thousand starts, and nobody can tell which two.
#ifndef IO_NEIGHBOURS_H
#define IO_NEIGHBOURS_H

#include <postern/base.h>

#define NEIGHBOUR_WINDOW 16u
#define NEIGHBOUR_STALE_NS (30 * NS_PER_S)  // used, and asked again; until then it is fresh
#define NEIGHBOUR_DISPUTE_NS (3 * NS_PER_S) // for the old owner to answer, and be asked thrice
#define NEIGHBOUR_GONE_NS (180 * NS_PER_S)  // without a confirmation

struct neighbour_place {
	uint64_t key;   // 0: empty
	uint64_t value; // MAC in the upper 48 bits, flags below
};
#define NEIGHBOUR_FLAG_STALE 1u
#define NEIGHBOUR_FLAG_DISPUTED 2u // fresh, but another MAC claims it; stale as well
#define NEIGHBOUR_FLAG_STATIC 4u   // configured: stays as it is, whatever is heard or not

struct neighbours {
	uint32_t mask; // homes - 1
	uint32_t n, max;
	struct secret secret;
	struct neighbour_place *places; // mask + NEIGHBOUR_WINDOW of them
	ip6 *names;                     // by place: the address; the writer's alone
	ns *confirmed;                  // likewise
	ns *disputed;                   // likewise: since when, for NEIGHBOUR_FLAG_DISPUTED
	uint32_t age_cursor, evict_cursor;
};

static inline uint64_t neighbour_key(uint16_t iface, ip4 ip)
{
	return UINT64_C(1) << 63 | (uint64_t)iface << 32 | ip;
}

#define NEIGHBOUR_KEY6 (UINT64_C(1) << 62)
#define NEIGHBOUR_KEY6_IFACE 55

static inline uint64_t neighbour_key6(const struct neighbours *t, uint16_t iface, ip6 ip)
{
	uint64_t high, low;

	memcpy(&high, ip.b, 8);
	memcpy(&low, ip.b + 8, 8);
	uint64_t hash = hash_u64(low ^ hash_u64(high, &t->secret), &t->secret);
	return UINT64_C(1) << 63 | NEIGHBOUR_KEY6 | (uint64_t)iface << NEIGHBOUR_KEY6_IFACE |
	       hash >> (64 - NEIGHBOUR_KEY6_IFACE);
}

static inline uint16_t neighbour_key_iface(uint64_t key)
{
	return key & NEIGHBOUR_KEY6 ? key >> NEIGHBOUR_KEY6_IFACE & 127 : (uint16_t)(key >> 32);
}

// Wire order in the upper octets, so that a store of the swapped word writes the address.
static inline uint64_t neighbour_value(const uint8_t mac[6], uint16_t flags)
{
	uint64_t v = 0;

	memcpy(&v, mac, 6);
	return __builtin_bswap64(v) | flags;
}

static inline void neighbour_value_mac(uint64_t value, uint8_t mac[6])
{
	uint64_t v = __builtin_bswap64(value);

	memcpy(mac, &v, 6);
}

static inline uint32_t neighbours_home(const struct neighbours *t, uint64_t key)
{
	return (uint32_t)hash_u64(key, &t->secret) & t->mask;
}

// Reader. False: not known.
static inline bool neighbours_find(const struct neighbours *t, uint64_t key, uint64_t *value)
{
	const struct neighbour_place *at = t->places + neighbours_home(t, key);

	for (uint32_t i = 0; i < NEIGHBOUR_WINDOW; i++, at++) {
		if (__atomic_load_n(&at->key, __ATOMIC_ACQUIRE) != key)
			continue;
		*value = __atomic_load_n(&at->value, __ATOMIC_ACQUIRE);
		if (__atomic_load_n(&at->key, __ATOMIC_RELAXED) == key)
			return true;
	}
	return false;
}

// Reader. Whether `mac` is another than a fresh or static neighbour has.
static inline bool neighbours_contradict(
	const struct neighbours *t, uint64_t key, const uint8_t mac[6])
{
	uint64_t value;

	if (!neighbours_find(t, key, &value) || (value ^ neighbour_value(mac, 0)) >> 16 == 0)
		return false;
	return !(value & NEIGHBOUR_FLAG_STALE) || value & NEIGHBOUR_FLAG_DISPUTED;
}

// Reader.
static inline bool neighbours_is_static(const struct neighbours *t, uint64_t key)
{
	uint64_t value;

	return neighbours_find(t, key, &value) && value & NEIGHBOUR_FLAG_STATIC;
}

// ---- the writer's side -----------------------------------------------------------------------

enum neighbour_change {
	NEIGHBOUR_KEPT,     // known already, confirmed now
	NEIGHBOUR_NEW,      // entered
	NEIGHBOUR_MOVED,    // known with another MAC
	NEIGHBOUR_DISPUTED, // fresh with another MAC, which it keeps until its owner had his say
	NEIGHBOUR_REFUSED,  // no room, or an answer nobody asked for about a stranger; still
			    // disputed; a static one has another
};

enum neighbour_word {      // how far the news is believed
	NEIGHBOUR_ANSWER,  // to a question of ours: may push out the longest unconfirmed one
	NEIGHBOUR_ASKER,   // asked us: entered while there is room
	NEIGHBOUR_HEARSAY, // gratuitous: updates only who is known
};

MUST_CHECK int neighbours_init(struct neighbours *t, uint32_t max, struct secret secret);
void neighbours_fini(struct neighbours *t);
// One message never replaces a fresh neighbour. It makes him disputed, and so asked: his own answer
// ends that. An answer of the other is believed when he kept silent for NEIGHBOUR_DISPUTE_NS.
// `name` is the address that the key stands for, IPv4 as mapped.
enum neighbour_change neighbours_learn(struct neighbours *t, uint64_t key, ip6 name,
	const uint8_t mac[6], enum neighbour_word word, ns now);
// Enters a static neighbour, or makes a known one static; an ordinary one gives way where there is
// no room. False: its window, or the table, is full of static ones.
MUST_CHECK bool neighbours_set_static(
	struct neighbours *t, uint64_t key, ip6 name, const uint8_t mac[6], ns now);
// Looks at `budget` places: marks the stale, removes the gone. A whole round takes
// neighbours_places() / budget calls.
void neighbours_age(struct neighbours *t, uint32_t budget, ns now);
// Removes all for whom keep() says false.
typedef bool neighbour_keeper(const void *ctx, uint64_t key, ip6 name, bool is_static);
void neighbours_prune(struct neighbours *t, neighbour_keeper *keep, const void *ctx);
uint32_t neighbours_places(const struct neighbours *t);

#endif
