// SPDX-License-Identifier: Apache-2.0
// The in2out table, and whole bursts through both tables.
//
// A key's home line follows from its keyed hash. When the home is full the key goes to the first of
// the next lines that has a free slot, and every line it passed over counts it in its four overflow
// bits. A search goes on only while the line before was passed over by somebody: a miss mostly ends
// at the first line, and deletion loses nobody. A count that reached 15 stays there; that costs
// its misses one more line, and about one line in a million comes to it. Slots never move, so their
// index is good for as long as the mapping lives.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

static inline uint64_t hash_of(const struct nat *n, const struct nat_key *key)
{
	return hash_u64(key_word(key), &n->secret);
}

static inline unsigned line_overflow(const struct line *l)
{
	return (unsigned)(l->slot[0].bits >> 7) | (unsigned)(l->slot[1].bits >> 7) << 1 |
	       (unsigned)(l->slot[2].bits >> 7) << 2 | (unsigned)(l->slot[3].bits >> 7) << 3;
}

static inline bool line_is_passed(const struct line *l)
{
	return (l->slot[0].bits | l->slot[1].bits | l->slot[2].bits | l->slot[3].bits) & SLOT_OVF;
}

static void line_set_overflow(struct line *l, unsigned count)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned bit = count >> i & 1 ? SLOT_OVF : 0;
		l->slot[i].bits = (uint8_t)((l->slot[i].bits & ~SLOT_OVF) | bit);
	}
}

// One key more, or fewer, that found this line full and went on.
static void line_count_passing(struct line *l, int change)
{
	unsigned count = line_overflow(l);

	if (count != OVF_MAX)
		line_set_overflow(l, count + (unsigned)change);
}

static inline uint32_t line_find(const struct nat *n, uint32_t line, uint64_t word)
{
	int i = line_match(&n->lines[line], word);

	return i < 0 ? NO_SLOT : line * 4 + (uint32_t)i;
}

static uint32_t table_find_displaced(const struct nat *n, uint32_t home, uint64_t word)
{
	for (uint32_t d = 1; d < PROBE_MAX && line_is_passed(&n->lines[home + d - 1]); d++) {
		uint32_t slot = line_find(n, home + d, word);
		if (slot != NO_SLOT)
			return slot;
	}
	return NO_SLOT;
}

static inline uint32_t find_word(const struct nat *n, uint64_t word, uint32_t home)
{
	uint32_t slot = line_find(n, home, word);

	if (likely(slot != NO_SLOT) || !line_is_passed(&n->lines[home]))
		return slot;
	return table_find_displaced(n, home, word);
}

uint32_t table_find(const struct nat *n, const struct nat_key *key, uint64_t hash)
{
	return find_word(n, key_word(key), hash_range(hash, n->n_lines));
}

uint32_t table_place(const struct nat *n, uint64_t hash)
{
	uint32_t home = hash_range(hash, n->n_lines);

	for (uint32_t d = 0; d < PROBE_MAX; d++) {
		const struct line *l = &n->lines[home + d];

		for (unsigned i = 0; i < 4; i++) {
			if ((l->slot[i].bits & SLOT_PROTOCOL) == 0)
				return (home + d) * 4 + i;
		}
	}
	return NO_SLOT;
}

void table_insert(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint16_t tick)
{
	uint32_t home = hash_range(hash, n->n_lines);
	uint32_t distance = slot / 4 - home;
	struct slot *s = slot_at(n, slot);

	s->host = key->host;
	s->port = key->port;
	s->realm = key->realm;
	s->bits = (uint8_t)((s->bits & SLOT_OVF) | bits | key->protocol);
	s->ext = ext;
	s->tick = tick;
	for (uint32_t i = home; i < home + distance; i++)
		line_count_passing(&n->lines[i], 1);
	n->probe_max = max_u32(n->probe_max, distance);
}

void table_remove(struct nat *n, uint32_t slot)
{
	struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	uint32_t home = hash_range(hash_of(n, &key), n->n_lines);

	*s = (struct slot){.bits = s->bits & SLOT_OVF};
	for (uint32_t i = home; i < slot / 4; i++)
		line_count_passing(&n->lines[i], -1);
}

// Of a mapping whose connections have no records: one's end only shortens the timer until the
// internal endpoint sends data again.
uint8_t tcp_next_class(uint8_t bits, uint8_t flags, uint8_t data)
{
	unsigned class = (bits & SLOT_CLASS) >> CLASS_SHIFT;

	if (flags & (TCP_FIN | TCP_RST))
		class = CLASS_CLOSING;
	else if (flags & TCP_SYN)
		class = class == CLASS_CLOSING ? CLASS_OPEN : class;
	else if (class == CLASS_OPEN || data)
		class = CLASS_ESTABLISHED;
	return (uint8_t)(class << CLASS_SHIFT);
}

// ---- packets from inside ---------------------------------------------------------------------

static inline bool is_plain(const struct slot *s, const struct nat_out *p)
{
	return (s->bits & (SLOT_SEEN | SLOT_VISIT)) == SLOT_SEEN &&
	       !(p->tcp_flags & TCP_BEGIN_OR_END);
}

// The miss path ends an idle one and makes another. An earlier packet of the burst may have ended
// what was found for this one.
static __attribute__((noinline)) bool out_closer(
	struct nat *n, uint32_t slot, struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);

	if (slot_word(s) != key_word(&p->key))
		return false;
	if (p->key.protocol != NAT_TCP && !(s->bits & SLOT_LEASE) &&
		slot_idle_s(s, now_s) > slot_timeout(n, s))
		return false;
	return visit_out(n, slot, p, now_s) == DROP_NONE;
}

static inline bool out_hit(struct nat *n, struct slot *s, struct nat_out *p, uint32_t now_s)
{
	if (slot_idle_s(s, now_s) > n->timeout[s->bits & SLOT_TIMER] && !(s->bits & SLOT_LEASE))
		return false;
	if (s->tick != (uint16_t)now_s)
		s->tick = (uint16_t)now_s;
	p->to = ext_recipe(n, s->ext);
	return true;
}

// From the first packet on that must look closer: what it changes, those behind it must see.
static __attribute__((noinline)) uint32_t out_closer_from(struct nat *n, struct nat_out *packets,
	const uint32_t *home, unsigned count, uint32_t now_s)
{
	uint32_t slot[NAT_BURST] = {0}, found = 0, closer = 0;

	for (unsigned i = 0; i < count; i++) {
		slot[i] = find_word(n, key_word(&packets[i].key), home[i]);
		closer |= (uint32_t)(slot[i] != NO_SLOT &&
				     !is_plain(slot_at(n, slot[i]), &packets[i]))
			  << i;
	}
	foresee_out(n, packets, slot, closer);
	for (unsigned i = 0; i < count; i++) {
		bool hit = slot[i] != NO_SLOT;

		if (hit && is_plain(slot_at(n, slot[i]), &packets[i]))
			hit = out_hit(n, slot_at(n, slot[i]), &packets[i], now_s);
		else if (hit)
			hit = out_closer(n, slot[i], &packets[i], now_s);
		found |= (uint32_t)hit << i;
	}
	return found;
}

// Those that do not stand in their home lines, by their bits. They come behind the others of the
// burst, when the lines next to theirs are there; two with the same key keep their order.
static __attribute__((noinline)) uint32_t out_displaced(struct nat *n, struct nat_out *packets,
	const uint32_t *home, uint32_t which, uint32_t now_s)
{
	uint32_t found = 0;

	for (; which != 0; which &= which - 1) {
		unsigned i = (unsigned)__builtin_ctz(which);
		uint32_t slot = table_find_displaced(n, home[i], key_word(&packets[i].key));
		bool hit = slot != NO_SLOT;

		if (hit && is_plain(slot_at(n, slot), &packets[i]))
			hit = out_hit(n, slot_at(n, slot), &packets[i], now_s);
		else if (hit)
			hit = out_closer(n, slot, &packets[i], now_s);
		found |= (uint32_t)hit << i;
	}
	return found;
}

// Plain packets are done as they are found: one pass where finding and following apart took two
// (with a plainer slot_at(), in2out 450 -> 419 instructions).
uint32_t nat_find_out(struct nat *n, struct nat_out *packets, unsigned count, uint32_t now_s)
{
	uint32_t home[NAT_BURST];
	uint32_t found = 0, displaced = 0, closer = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		home[i] = hash_range(hash_of(n, &packets[i].key), n->n_lines);
		prefetch_write(&n->lines[home[i]]);
	}
	for (i = 0; i < count; i++) {
		uint32_t slot = line_find(n, home[i], key_word(&packets[i].key));

		if (unlikely(slot == NO_SLOT)) {
			if (!line_is_passed(&n->lines[home[i]]))
				continue;
			prefetch_write(&n->lines[home[i] + 1]);
			displaced |= UINT32_C(1) << i;
			continue;
		}
		if (unlikely(!is_plain(slot_at(n, slot), &packets[i])))
			break;
		found |= (uint32_t)out_hit(n, slot_at(n, slot), &packets[i], now_s) << i;
	}
	if (displaced != 0)
		found |= out_displaced(n, packets, home, displaced, now_s);
	if (i < count)
		closer = out_closer_from(n, packets + i, home + i, count - i, now_s) << i;
	return found | closer;
}

// ---- packets from outside --------------------------------------------------------------------

static void mark_replied(struct nat *n, struct entry *e, uint32_t ext)
{
	if (e->bits & EXT_REPLIED)
		return;
	e->bits |= EXT_REPLIED;
	n->blocks[block_of(n, ext)].replied = 1;
}

static inline void in_to(struct nat_in *p, const struct entry *e)
{
	p->to = (struct nat_key){e->host, e->port, e->realm, p->protocol};
}

static __attribute__((noinline)) bool in_closer(
	struct nat *n, struct entry *e, struct nat_in *p, uint32_t now_s)
{
	uint32_t ext = (uint32_t)(e - entry_at(n, p->protocol, 0));

	in_to(p, e);
	p->drop = (uint8_t)visit_in(n, p, ext, now_s);
	if (p->drop != DROP_NONE)
		return false;
	mark_replied(n, e, ext);
	return true;
}

static inline void in_unknown(struct nat_in *p)
{
	bool begins = p->protocol == NAT_TCP && tcp_begins(p->tcp_flags);

	p->drop = begins ? DROP_UNSOLICITED_SYN : DROP_NO_MAPPING_INBOUND;
}

static inline bool is_mapped(const struct entry *e)
{
	return e != NULL && (e->bits & EXT_STATE) == EXT_MAPPED;
}

static inline bool in_is_plain(const struct entry *e, const struct nat_in *p)
{
	return e != NULL && (e->bits & (EXT_STATE | EXT_VISIT)) == EXT_MAPPED &&
	       !(p->tcp_flags & TCP_BEGIN_OR_END);
}

static inline uint32_t in_plain(struct nat *n, struct entry *e, struct nat_in *p)
{
	in_to(p, e);
	if (unlikely(!(e->bits & EXT_REPLIED)))
		mark_replied(n, e, (uint32_t)(e - entry_at(n, p->protocol, 0)));
	return 1;
}

// Likewise.
static __attribute__((noinline)) uint32_t in_closer_from(struct nat *n, struct nat_in *packets,
	struct entry *const *entry, unsigned first, unsigned count, uint32_t now_s)
{
	uint32_t found = 0, visits = 0;

	for (unsigned i = first; i < count; i++)
		visits |= (uint32_t)(is_mapped(entry[i]) && !in_is_plain(entry[i], &packets[i]))
			  << i;
	if (visits != 0)
		foresee_in(n, packets, entry, visits);
	for (unsigned i = first; i < count; i++) {
		if (!is_mapped(entry[i]))
			in_unknown(&packets[i]);
		else if (in_is_plain(entry[i], &packets[i]))
			found |= in_plain(n, entry[i], &packets[i]) << i;
		else
			found |= (uint32_t)in_closer(n, entry[i], &packets[i], now_s) << i;
	}
	return found;
}

uint32_t nat_find_in(struct nat *n, struct nat_in *packets, unsigned count, uint32_t now_s)
{
	struct entry *entry[NAT_BURST];
	uint32_t found = 0;

	for (unsigned i = 0; i < count; i++) {
		uint32_t a = address_find(n, packets[i].at.addr);

		entry[i] = NULL;
		if (unlikely(a == NO_ADDRESS))
			continue;
		entry[i] = entry_at(n, packets[i].protocol, ext_of(a, packets[i].at.port));
		prefetch_read(entry[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		if (unlikely(!in_is_plain(entry[i], &packets[i])))
			return found | in_closer_from(n, packets, entry, i, count, now_s);
		found |= in_plain(n, entry[i], &packets[i]) << i;
	}
	return found;
}

bool nat_peek_out(const struct nat *n, const struct nat_key *key, struct recipe *to)
{
	uint32_t i = table_find(n, key, hash_of(n, key));

	if (i == NO_SLOT)
		return false;
	*to = ext_recipe(n, slot_at(n, i)->ext);
	return true;
}

bool nat_peek_in(const struct nat *n, uint8_t protocol, struct recipe at, struct nat_key *to)
{
	uint32_t a = address_find(n, at.addr);
	const struct entry *e;

	if (a == NO_ADDRESS)
		return false;
	e = entry_at(n, protocol, ext_of(a, at.port));
	if ((e->bits & EXT_STATE) != EXT_MAPPED)
		return false;
	*to = (struct nat_key){e->host, e->port, e->realm, protocol};
	return true;
}
