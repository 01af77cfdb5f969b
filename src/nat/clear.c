// SPDX-License-Identifier: Apache-2.0
// All dynamic mappings of one subscriber go, a portion a call.
#include <postern/nat.h>

#include "tables.h"

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

// Goes on where the last call stopped in this block. When another block was cleared in between it
// starts anywhere, so that two who are cleared by turns do not look at the same ports for ever.
static uint32_t clear_block(struct nat *n, uint32_t block, uint32_t budget, uint32_t now_s)
{
	uint32_t a = block >> n->block_bits, size = UINT32_C(1) << n->addresses[a].shift;
	uint32_t first = (block & (n->blocks_per_address - 1)) * size, all = size * NAT_PROTOCOLS;
	uint32_t i = n->clear_block == block ? n->clear_at % all : rng_below(&n->rng, all);

	for (; budget > 0 && n->blocks[block].live > 0; budget--, i = (i + 1) % all) {
		uint8_t protocol = (uint8_t)(NAT_UDP + i / size);
		uint32_t ext = ext_of(a, (uint16_t)(first + i % size));

		end_port(n, protocol, ext, now_s);
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

// What hangs on a lease is in his list.
static bool clear_leased(struct nat *n, uint32_t subscriber, uint32_t now_s)
{
	uint32_t i = n->subscribers[subscriber].leases;

	while (i != 0 && n->leases[i - 1].state == LEASE_STATIC)
		i = n->leases[i - 1].sibling_next;
	if (i == 0)
		return false;
	const struct lease *l = &n->leases[i - 1];
	end_port(n, l->key.protocol, l->ext, now_s);
	return true;
}

// What outlived its lease is found in the range of his address; a round that finds nothing is the
// last one. (What he had on an address before that one idles out.)
static uint32_t clear_range(struct nat *n, uint32_t subscriber, uint32_t budget, uint32_t now_s)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	const struct address *a = &n->addresses[s->address];
	uint32_t size = a->explicit_last - a->explicit_first + 1u, all = size * NAT_PROTOCOLS;

	if (n->clear_block != UINT32_MAX)
		n->clear_at = 0;
	n->clear_block = UINT32_MAX;
	for (; budget > 0 && n->clear_at < all; budget--) {
		uint32_t at = n->clear_at++;
		uint8_t protocol = (uint8_t)(NAT_UDP + at / size);
		uint32_t ext = ext_of(s->address, (uint16_t)(a->explicit_first + at % size));
		const struct entry *e = entry_at(n, protocol, ext);

		if ((e->bits & EXT_STATE) != EXT_MAPPED || e->host != s->host ||
			e->realm != s->realm)
			continue;
		end_port(n, protocol, ext, now_s);
		return budget - 1; // he may be gone
	}
	return budget;
}

static uint32_t clear_explicit(struct nat *n, uint32_t subscriber, uint32_t budget, uint32_t now_s)
{
	if (clear_leased(n, subscriber, now_s))
		return budget - 1;
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
