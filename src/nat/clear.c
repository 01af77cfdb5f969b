// SPDX-License-Identifier: Apache-2.0
// All dynamic mappings of one subscriber go, a portion a call. The bits of used ports tell where to
// look; what is found is gathered, and its cold memory asked for, before the first mapping ends.
#include <postern/nat.h>

#include "tables.h"

enum {
	GATHERED = 16,
	END_COST = 16 // of the budget, where a look at a port or at a word of free ones costs 1
};

struct found { // external ports to be cleared
	unsigned n;
	uint8_t protocol[GATHERED];
	uint32_t ext[GATHERED];
};

static void found_add(const struct nat *n, struct found *f, uint8_t protocol, uint32_t ext)
{
	prefetch_write(entry_at(n, protocol, ext));
	f->protocol[f->n] = protocol;
	f->ext[f->n++] = ext;
}

// As many as what is left of the budget pays for.
static unsigned found_most(uint32_t budget)
{
	return min_u32((budget + END_COST - 1) / END_COST, GATHERED);
}

static void look_ahead(const struct nat *n, const struct found *f)
{
	struct nat_ahead keys[GATHERED];
	unsigned count = 0;

	for (unsigned i = 0; i < f->n; i++) {
		const struct entry *e = entry_at(n, f->protocol[i], f->ext[i]);

		if ((e->bits & EXT_STATE) == EXT_MAPPED)
			keys[count++] = (struct nat_ahead){
				.key = {e->host, e->port, e->realm, f->protocol[i]},
				.leases = true,
				.ends = true};
	}
	nat_look_ahead(n, keys, count);
}

// Ends the mapping behind an external port with whatever hangs on it; static ones stay.
static void end_port(struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s)
{
	const struct entry *e = entry_at(n, protocol, ext);
	struct nat_key key = {e->host, e->port, e->realm, protocol};
	uint32_t slot, lease;

	if ((e->bits & EXT_STATE) != EXT_MAPPED)
		return;
	slot = slot_find(n, &key);
	lease = lease_on(n, slot);
	if (lease != NO_LEASE && n->leases[lease].state == LEASE_STATIC)
		return;
	n->counters.explicit_deleted += mapping_delete(n, slot, now_s);
	n->counters.cleared++;
}

// What it cost: of a set all ports end at once.
static uint32_t end_found(struct nat *n, const struct found *f, uint32_t now_s)
{
	uint64_t before = n->counters.mappings;

	look_ahead(n, f);
	for (unsigned i = 0; i < f->n; i++)
		end_port(n, f->protocol[i], f->ext[i], now_s);
	return END_COST * (uint32_t)(before - n->counters.mappings);
}

// ---- ports of an address, all protocols ------------------------------------------------------

struct stretch {
	uint32_t address, first, size;
};

// At place `at` of a stretch: whether the port is used. If not, *skip places on is the next one
// that may be.
static bool place_is_used(const struct nat *n, const struct stretch *s, uint32_t at,
	uint8_t *protocol, uint32_t *skip)
{
	uint32_t port = s->first + at % s->size;
	uint64_t bits;

	*protocol = (uint8_t)(NAT_UDP + at / s->size);
	bits = used_words(n, *protocol, s->address)[port / 64] >> port % 64;
	*skip = bits != 0 ? (uint32_t)__builtin_ctzll(bits) : 64 - port % 64;
	*skip = min_u32(*skip, s->size - at % s->size);
	return bits & 1;
}

// Goes on where the last call stopped in this block. When another block was cleared in between it
// starts anywhere, so that two who are cleared by turns do not look at the same ports for ever.
static uint32_t clear_block(struct nat *n, uint32_t block, uint32_t budget, uint32_t now_s)
{
	uint32_t size = block_size(n, block), all = size * NAT_PROTOCOLS;
	struct stretch s = {block >> n->block_bits, block_first_port(n, block), size};
	uint32_t i = n->clear_block == block ? n->clear_at % all : rng_below(&n->rng, all);

	while (budget > 0 && n->blocks[block].live > 0) {
		struct found f = {.n = 0};
		unsigned most = min_u32(found_most(budget), n->blocks[block].live);

		for (; budget > 0 && f.n < most; budget--) {
			uint8_t protocol;
			uint32_t skip;

			if (place_is_used(n, &s, i, &protocol, &skip)) {
				found_add(n, &f, protocol,
					ext_of(s.address, (uint16_t)(s.first + i % size)));
				skip = 1;
			}
			i = (i + skip) % all;
		}
		budget -= min_u32(budget, end_found(n, &f, now_s));
	}
	n->clear_block = block;
	n->clear_at = i;
	return budget;
}

// ---- ports in no block -----------------------------------------------------------------------

static bool has_no_ports(const struct subscriber *s)
{
	return (s->n_ports[0] | s->n_ports[1] | s->n_ports[2]) == 0;
}

// What hangs on a lease is in his list. What it cost; 0: there is none.
static uint32_t clear_leased(struct nat *n, uint32_t subscriber, uint32_t budget, uint32_t now_s)
{
	unsigned most = found_most(budget);
	struct found f = {.n = 0};

	for (uint32_t i = n->subscribers[subscriber].leases; i != 0 && f.n < most;) {
		const struct lease *l = &n->leases[i - 1];

		if (l->state != LEASE_STATIC)
			found_add(n, &f, l->key.protocol, l->ext);
		i = l->sibling_next;
	}
	return f.n == 0 ? 0 : max_u32(end_found(n, &f, now_s), 1);
}

// What outlived its lease is found in the range of his address; a round that finds nothing is the
// last one. (What he had on an address before that one idles out.)
static uint32_t clear_range(struct nat *n, uint32_t subscriber, uint32_t budget, uint32_t now_s)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	const struct address *a = &n->addresses[s->address];
	uint32_t size = a->explicit_last - a->explicit_first + 1u, all = size * NAT_PROTOCOLS;

	struct stretch stretch = {s->address, a->explicit_first, size};

	if (n->clear_block != UINT32_MAX)
		n->clear_at = 0;
	n->clear_block = UINT32_MAX;
	for (; budget > 0 && n->clear_at < all; budget--) {
		uint32_t at = n->clear_at++, ext, skip;
		uint8_t protocol;

		if (!place_is_used(n, &stretch, at, &protocol, &skip)) {
			n->clear_at = at + skip;
			continue;
		}
		ext = ext_of(s->address, (uint16_t)(a->explicit_first + at % size));
		const struct entry *e = entry_at(n, protocol, ext);

		if ((e->bits & EXT_STATE) != EXT_MAPPED || e->host != s->host ||
			e->realm != s->realm)
			continue;
		end_port(n, protocol, ext, now_s);
		return budget - min_u32(budget, END_COST); // he may be gone
	}
	return budget;
}

static uint32_t clear_explicit(struct nat *n, uint32_t subscriber, uint32_t budget, uint32_t now_s)
{
	uint32_t cost = clear_leased(n, subscriber, budget, now_s);

	if (cost > 0)
		return budget - min_u32(budget, cost);
	return clear_range(n, subscriber, budget, now_s);
}

static bool was_last_round(const struct nat *n, const struct subscriber *s)
{
	const struct address *a = &n->addresses[s->address];

	return s->leases == 0 && n->clear_block == UINT32_MAX &&
	       n->clear_at >= (a->explicit_last - a->explicit_first + 1u) * NAT_PROTOCOLS;
}

// The first of his blocks with a mapping. What waits empty goes back, for he may be about to have
// his ports in another group.
static uint32_t next_block(struct nat *n, uint32_t subscriber)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t b = s->blocks, next;

	s->cleared = 1;
	for (; b != 0 && n->blocks[b - 1].live == 0; b = next) {
		next = n->blocks[b - 1].next;
		if (n->blocks[b - 1].used == 0)
			block_return(n, b - 1);
	}
	subscriber_drop_if_empty(n, subscriber);
	return b;
}

// A subscriber without blocks may be gone after any end_port(), so he is looked up again.
bool nat_subscriber_clear(struct nat *n, uint8_t realm, ip4 host, uint32_t budget, uint32_t now_s)
{
	n->clock_s = now_s;
	while (budget > 0) {
		uint32_t i = subscriber_find(n, realm, host);
		uint32_t b = i == NO_SUBSCRIBER ? 0 : next_block(n, i);

		if (b != 0)
			budget = clear_block(n, b - 1, budget, now_s);
		else if (i == NO_SUBSCRIBER || has_no_ports(&n->subscribers[i]) ||
			 was_last_round(n, &n->subscribers[i]))
			return true;
		else
			budget = clear_explicit(n, i, budget, now_s);
	}
	return false;
}
