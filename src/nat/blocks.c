// SPDX-License-Identifier: Apache-2.0
// External ports. A subscriber holds blocks of consecutive ports on one address; inside the newest
// block a port is drawn at random (RFC 6056, RFC 6888 REQ-15). A port is free, mapped or resting:
// a freed port rests for the hold-down time before anybody gets it again (RFC 6888 REQ-8), and a
// block goes back when its last port has finished resting.
#include <postern/nat.h>

#include "tables.h"

// A free bit of `span` bits, a power of two, from `first` on, chosen by `draw`; or -1.
static inline int pick_bit(uint64_t draw, uint64_t free, unsigned first, unsigned span)
{
	unsigned turn = first + ((unsigned)draw & (span - 1));

	if (free == 0)
		return -1;
	return (int)(((unsigned)__builtin_ctzll(free >> turn | free << (-turn & 63)) + turn) & 63);
}

#define ANY_PORT UINT64_MAX

// Those of 64 consecutive ports that are as even or odd as this one (RFC 4787 REQ-4).
static uint64_t alike(const struct nat_policy *policy, const struct nat_key *key)
{
	if (!policy->parity || key->protocol == NAT_ICMP)
		return ANY_PORT;
	return key->port & 1 ? UINT64_C(0xaaaaaaaaaaaaaaaa) : UINT64_C(0x5555555555555555);
}

// Where a search for a free port begins: nobody outside can foresee it (RFC 6056 s.3.3), but the
// look ahead can, and so has the port's line in the cache by then. With one multiplication instead
// of two the ports of three flows told the fourth's in four of ten tries.
static inline uint64_t port_draw(const struct nat *n, const struct nat_key *key)
{
	return hash_u64(key_word(key) ^ n->salt, &n->secret);
}

// Blocks of more ports than one word of the bit set has, or fewer.
static __attribute__((noinline)) int pick_around(
	const uint64_t *words, uint32_t first, uint32_t size, uint64_t wanted, uint64_t draw)
{
	uint32_t n_words = size / 64 ? size / 64 : 1; // a power of two
	uint32_t start = (uint32_t)(draw >> 32);

	for (uint32_t i = 0; i < n_words; i++) {
		uint32_t w = (start + i) & (n_words - 1);
		uint64_t free = ~words[w] & wanted;

		if (size < 64)
			free &= ((UINT64_C(1) << size) - 1) << first % 64;
		int bit = pick_bit(draw, free, size < 64 ? first % 64 : 0, min_u32(size, 64));
		if (bit >= 0)
			return (int)(w * 64) + bit;
	}
	return -1;
}

// In the word that a search begins with there mostly is one.
static inline bool block_pick(const struct nat *n, uint32_t block, uint8_t protocol,
	uint64_t wanted, uint64_t draw, uint32_t *ext)
{
	uint32_t a = block >> n->block_bits;
	uint32_t size = block_size(n, block), first = block_first_port(n, block);
	const uint64_t *words = used_words(n, protocol, a) + first / 64;
	uint32_t w = (uint32_t)(draw >> 32) & (size / 64 - 1);
	int place = -1;

	if (likely(size >= 64 && (~words[w] & wanted) != 0))
		place = (int)(w * 64) + pick_bit(draw, ~words[w] & wanted, 0, 64);
	else
		place = pick_around(words, first, size, wanted, draw);
	if (place >= 0)
		*ext = ext_of(a, (uint16_t)((first & ~63u) + (uint32_t)place));
	return place >= 0;
}

// When a block has no port of the wished parity any will do: parity is worth no block.
static bool block_pick_like(const struct nat *n, uint32_t block, uint8_t protocol, uint64_t wanted,
	uint64_t draw, uint32_t *ext)
{
	return block_pick(n, block, protocol, wanted, draw, ext) ||
	       (wanted != ANY_PORT && block_pick(n, block, protocol, ANY_PORT, draw, ext));
}

// A random free block of the address, or UINT32_MAX.
static uint32_t address_pick_block(struct nat *n, uint32_t a)
{
	const uint64_t *words = &n->free_blocks[(size_t)a * n->block_words];
	uint32_t start = rng_below(&n->rng, n->block_words);

	if (n->addresses[a].n_free == 0 || n->addresses[a].state != ADDRESS_LIVE)
		return UINT32_MAX;
	for (uint32_t i = 0; i < n->block_words; i++) {
		uint32_t w = (start + i) % n->block_words;
		int bit = pick_bit(rng_u32(&n->rng), words[w], 0, 64);
		if (bit >= 0)
			return a * n->blocks_per_address + w * 64 + (uint32_t)bit;
	}
	return UINT32_MAX;
}

bool pair_is_usable(const struct nat *n, const struct subscriber *s)
{
	const struct address *a = &n->addresses[s->address];

	return a->state == ADDRESS_LIVE && a->group == s->group;
}

void pair_set(struct nat *n, struct subscriber *s, uint32_t address)
{
	if (s->told & TOLD_PAIR && s->address == address)
		return;
	if (s->told & TOLD_PAIR)
		event_pairing(n, NAT_EVENT_ADDRESS_UNBOUND, s);
	else
		n->group_counters[s->group].total_active_subscribers++;
	s->address = (uint16_t)address;
	s->told |= TOLD_PAIR;
	s->cleared = 0;
	event_pairing(n, NAT_EVENT_ADDRESS_BOUND, s);
}

void pair_end(struct nat *n, struct subscriber *s)
{
	if (!(s->told & TOLD_PAIR))
		return;
	event_pairing(n, NAT_EVENT_ADDRESS_UNBOUND, s);
	n->group_counters[s->group].total_active_subscribers--;
	s->told &= (uint8_t)~TOLD_PAIR;
}

// His first block says where he is paired; not if he has static mappings on another address.
void block_take(struct nat *n, uint32_t subscriber, uint32_t block)
{
	struct subscriber *s = &n->subscribers[subscriber];
	struct block *b = &n->blocks[block];
	uint32_t a = block >> n->block_bits, i = (block & (n->blocks_per_address - 1));

	if (!block_is_planned(n, block)) {
		n->free_blocks[(size_t)a * n->block_words + i / 64] &= ~(UINT64_C(1) << i % 64);
		if (--n->addresses[a].n_free == 0)
			address_list_remove(n, a);
		n->group_counters[s->group].blocks_allocated++;
	}
	*b = (struct block){.subscriber = subscriber + 1, .next = s->blocks};
	if (s->blocks != 0)
		n->blocks[s->blocks - 1].prev = block + 1;
	s->blocks = block + 1;
	memset(s->full_s, 0, sizeof s->full_s);
	s->cleared = 0;
	if (s->n_blocks++ == 0 && (s->n_statics == 0 || !pair_is_usable(n, s)))
		pair_set(n, s, a);
	if (a == s->address)
		s->active = block + 1;
	n->counters.blocks_taken++;
	n->counters.blocks++;
	tenure_begin(n, block, n->clock_s);
	event_block(n, NAT_EVENT_BLOCK_TAKEN, block);
}

// Who holds blocks is paired with an address that he has a block on: one without might be
// withdrawn, and its place taken by another, unnoticed.
static void pair_again(struct nat *n, struct subscriber *s)
{
	uint32_t b = s->blocks;

	while (b != 0 && (b - 1) >> n->block_bits != s->address)
		b = n->blocks[b - 1].next;
	if (b == 0 || !pair_is_usable(n, s))
		pair_set(n, s, (s->blocks - 1) >> n->block_bits);
}

void block_return(struct nat *n, uint32_t block)
{
	struct block *b = &n->blocks[block];
	uint32_t a = block >> n->block_bits, i = (block & (n->blocks_per_address - 1));
	struct subscriber *s = &n->subscribers[b->subscriber - 1];

	event_block(n, NAT_EVENT_BLOCK_RETURNED, block);
	tenure_end(n, block, n->clock_s);
	if (b->prev != 0)
		n->blocks[b->prev - 1].next = b->next;
	else
		s->blocks = b->next;
	if (b->next != 0)
		n->blocks[b->next - 1].prev = b->prev;
	if (s->active == block + 1)
		s->active = 0;
	s->n_blocks--;
	if (s->blocks != 0)
		pair_again(n, s);
	*b = (struct block){0};
	if (!block_is_planned(n, block)) {
		n->free_blocks[(size_t)a * n->block_words + i / 64] |= UINT64_C(1) << i % 64;
		n->addresses[a].n_free++;
		address_list_add(n, a);
		n->group_counters[s->group].blocks_allocated--;
	}
	n->counters.blocks_returned++;
	n->counters.blocks--;
}

void block_return_if_empty(struct nat *n, uint32_t block)
{
	const struct block *b = &n->blocks[block];
	uint32_t subscriber = b->subscriber - 1;

	if (b->subscriber == 0 || b->used != 0 || block_waits(n, block, n->clock_s))
		return;
	block_return(n, block);
	subscriber_drop_if_empty(n, subscriber);
}

// Ports in blocks or beside them, so that others on another address would break his pairing.
static bool has_ports(const struct subscriber *s)
{
	return s->n_blocks > 0 || (s->n_ports[0] | s->n_ports[1] | s->n_ports[2]) != 0;
}

// The address a new block comes from: the paired one, or for a newcomer the next of the round.
static enum drop choose_address(
	struct nat *n, const struct nat_policy *policy, struct subscriber *s, uint32_t *a)
{
	uint32_t *round = &n->group_list[s->group];
	bool paired = subscriber_has_pair(n, s) && pair_is_usable(n, s);

	*a = s->address;
	if (paired && n->addresses[*a].n_free > 0)
		return DROP_NONE;
	if (paired && has_ports(s) && !policy->pairing_soft)
		return DROP_NO_BLOCK;
	if (*round == 0)
		return DROP_POOL_NO_ADDRESS;
	*a = *round - 1;
	*round = n->addresses[*a].next;
	return DROP_NONE;
}

enum drop block_find(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t *block)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t a;
	enum drop why;

	if (planned_find(n, policy, subscriber, block))
		return DROP_NONE;
	if (s->n_blocks >= policy->block_limit + planned_blocks(policy))
		return DROP_QUOTA_BLOCKS;
	why = choose_address(n, policy, s, &a);
	if (why != DROP_NONE)
		return why;
	*block = address_pick_block(n, a);
	return *block == UINT32_MAX ? DROP_POOL_NO_PORT : DROP_NONE;
}

void pair_with(struct nat *n, struct subscriber *s, uint32_t block)
{
	if (pair_is_usable(n, s))
		return;
	pair_set(n, s, block >> n->block_bits);
	s->active = block + 1;
}

static enum drop pick_from_new(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	const struct nat_key *key, uint32_t *ext)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t block;
	enum drop why = block_find(n, policy, subscriber, &block);

	if (why != DROP_NONE)
		return why;
	// There is none when all ports of this protocol are static mappings.
	if (!block_pick_like(n, block, key->protocol, alike(policy, key), port_draw(n, key), ext))
		return DROP_POOL_NO_PORT;
	block_take(n, subscriber, block);
	if (s->n_blocks == 1 || !pair_is_usable(n, s)) // his first one, or the pair was withdrawn
		pair_set(n, s, block >> n->block_bits);
	s->active = block + 1;
	return DROP_NONE;
}

// At most one search of all his blocks a second that finds nothing.
static bool searched_in_vain(const struct subscriber *s, uint8_t protocol, uint32_t now_s)
{
	uint16_t full_s = s->full_s[protocol - 1];

	return full_s != 0 && full_s == (uint16_t)now_s;
}

// From his oldest block that has one, so that newer ones become empty.
static bool pick_from_oldest(struct nat *n, uint32_t subscriber, const struct nat_key *key,
	uint64_t wanted, uint32_t now_s, uint32_t *ext)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t b = s->blocks, found = 0;
	uint64_t draw = port_draw(n, key);

	if (searched_in_vain(s, key->protocol, now_s))
		return false;
	for (unsigned i = 0; i < OLD_BLOCKS_TRIED && b != 0; i++, b = n->blocks[b - 1].next) {
		uint32_t a = (b - 1) >> n->block_bits;
		if (n->addresses[a].state == ADDRESS_LIVE &&
			block_pick_like(n, b - 1, key->protocol, wanted, draw, ext))
			found = b;
	}
	if (found != 0)
		pair_with(n, s, found - 1);
	return found != 0;
}

static bool pick_from_older(struct nat *n, uint32_t subscriber, const struct nat_key *key,
	uint32_t now_s, uint32_t *ext)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t b = s->blocks;
	uint64_t draw = port_draw(n, key);

	if (searched_in_vain(s, key->protocol, now_s))
		return false;
	for (unsigned i = 0; i < OLD_BLOCKS_TRIED && b != 0; i++, b = n->blocks[b - 1].next) {
		uint32_t a = (b - 1) >> n->block_bits;
		if (n->addresses[a].state == ADDRESS_LIVE &&
			block_pick(n, b - 1, key->protocol, ANY_PORT, draw, ext)) {
			pair_with(n, s, b - 1); // the paired address may have been withdrawn
			return true;
		}
	}
	s->full_s[key->protocol - 1] = (uint16_t)now_s;
	return false;
}

static bool pick_from_active(const struct nat *n, const struct subscriber *s,
	const struct nat_key *key, uint64_t wanted, uint32_t *ext)
{
	return s->active != 0 &&
	       n->addresses[(s->active - 1) >> n->block_bits].state == ADDRESS_LIVE &&
	       block_pick_like(n, s->active - 1, key->protocol, wanted, port_draw(n, key), ext);
}

uint32_t port_foresee(const struct nat *n, const struct subscriber *s, const struct nat_key *key)
{
	uint32_t ext;

	return pick_from_active(n, s, key, ANY_PORT, &ext) ? ext : NO_EXT;
}

enum drop port_choose(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	const struct nat_key *key, uint32_t now_s, uint32_t *ext)
{
	uint64_t wanted = alike(policy, key);
	enum drop why;

	if (policy->compact ? pick_from_oldest(n, subscriber, key, wanted, now_s, ext)
			    : pick_from_active(n, &n->subscribers[subscriber], key, wanted, ext))
		return DROP_NONE;
	why = pick_from_new(n, policy, subscriber, key, ext);
	if (why != DROP_NONE && pick_from_older(n, subscriber, key, now_s, ext))
		return DROP_NONE;
	return why;
}

bool port_choose_on(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, uint32_t address, uint32_t *ext)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	uint32_t b = s->blocks, block;

	for (unsigned i = 0; i < OLD_BLOCKS_TRIED && b != 0; i++, b = n->blocks[b - 1].next) {
		if ((b - 1) >> n->block_bits == address &&
			block_pick(n, b - 1, protocol, ANY_PORT, rng_u64(&n->rng), ext))
			return true;
	}
	if (!planned_find(n, policy, subscriber, &block) || block >> n->block_bits != address) {
		if (s->n_blocks >= policy->block_limit + planned_blocks(policy))
			return false;
		block = address_pick_block(n, address);
	}
	if (block == UINT32_MAX || !block_pick(n, block, protocol, ANY_PORT, rng_u64(&n->rng), ext))
		return false;
	block_take(n, subscriber, block);
	return true;
}

bool port_claim(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, uint32_t ext)
{
	uint32_t a = ext >> 16, port = ext & 0xffff;
	uint32_t block = block_of(n, ext), i = (block & (n->blocks_per_address - 1));

	if (n->addresses[a].state != ADDRESS_LIVE ||
		port_is_reserved(&n->addresses[a], protocol, (uint16_t)port) ||
		used_words(n, protocol, a)[port / 64] >> port % 64 & 1)
		return false;
	if (n->blocks[block].subscriber == subscriber + 1)
		return true;
	if (!planned_has(n, policy, subscriber, block) &&
		(!(n->free_blocks[(size_t)a * n->block_words + i / 64] >> i % 64 & 1) ||
			n->subscribers[subscriber].n_blocks >=
				policy->block_limit + planned_blocks(policy)))
		return false;
	block_take(n, subscriber, block);
	return true;
}

void port_revive(struct nat *n, uint8_t protocol, uint32_t ext)
{
	struct entry *e = entry_at(n, protocol, ext);
	struct block *b = &n->blocks[block_of(n, ext)];

	e->bits = (uint8_t)((e->bits & ~EXT_STATE) | EXT_MAPPED);
	if (b->subscriber != 0)
		b->live++;
	n->counters.resting--;
}

void port_release(struct nat *n, uint8_t protocol, uint32_t ext)
{
	uint32_t a = ext >> 16, port = ext & 0xffff, block = block_of(n, ext);
	struct block *b = &n->blocks[block];

	*entry_at(n, protocol, ext) = (struct entry){0};
	if (!port_is_reserved(&n->addresses[a], protocol, (uint16_t)port))
		used_words(n, protocol, a)[port / 64] &= ~(UINT64_C(1) << port % 64);
	n->addresses[a].n_ports--;
	n->counters.resting--;
	if (b->subscriber == 0)
		return;
	b->used--;
	n->subscribers[b->subscriber - 1].full_s[protocol - 1] = 0;
	block_return_if_empty(n, block);
}

// The list is in order of time, since every port on it waits equally long.
void port_rest(struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s)
{
	uint32_t tail;

	if (n->rest_count == n->rest_room) {
		const struct rest *oldest = &n->rests[n->rest_head];
		uint8_t its_protocol = oldest->at_protocol & 3;
		uint32_t its_ext = oldest->ext;

		n->rest_head = n->rest_head + 1 == n->rest_room ? 0 : n->rest_head + 1;
		n->rest_count--;
		n->counters.hold_down_early++;
		port_release(n, its_protocol, its_ext);
	}
	tail = n->rest_head + n->rest_count++;
	tail -= tail >= n->rest_room ? n->rest_room : 0;
	n->rests[tail] = (struct rest){ext, now_s << 2 | protocol};
}
