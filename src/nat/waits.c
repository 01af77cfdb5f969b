// SPDX-License-Identifier: Apache-2.0
// What is kept for a while though it is not used: empty blocks (port-set-timeout), the pairing of a
// host without ports. And how fast a subscriber may make mappings (RFC 6888 REQ-4C).
#include <postern/nat.h>

#include "tables.h"

enum {
	SWEEP_PERIOD_S = 10,
	SWEEP_ITEMS = 256
};

// ---- empty blocks ----------------------------------------------------------------------------

static uint32_t block_timeout(const struct nat *n, uint32_t block)
{
	const struct address *a = &n->addresses[block >> n->block_bits];

	return a->state == ADDRESS_LIVE ? n->policies[a->group].block_timeout : 0;
}

bool block_waits(struct nat *n, uint32_t block, uint32_t now_s)
{
	n->tenures[block].empty_s = now_s;
	return block_timeout(n, block) != 0 &&
	       !n->subscribers[n->blocks[block].subscriber - 1].cleared;
}

static void sweep_block(struct nat *n, uint32_t block)
{
	const struct block *b = &n->blocks[block];
	uint32_t subscriber = b->subscriber - 1;

	if (b->subscriber == 0 || b->used != 0 ||
		n->block_s - n->tenures[block].empty_s <= block_timeout(n, block))
		return;
	block_return(n, block);
	subscriber_drop_if_empty(n, subscriber);
}

// ---- pairings --------------------------------------------------------------------------------

bool pairing_waits(const struct nat *n, uint32_t subscriber)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	uint32_t retention = n->policies[s->group].pairing_retention;

	return retention != 0 && !s->cleared && n->emptied_s[subscriber] != 0 &&
	       pair_is_usable(n, s) && n->clock_s - n->emptied_s[subscriber] <= retention;
}

static void sweep_subscriber(struct nat *n, uint32_t i)
{
	const struct subscriber *s = &n->subscribers[i];

	if (s->used && !subscriber_holds(s))
		subscriber_forget(n, i);
}

// ---- both ------------------------------------------------------------------------------------

static void sweep_one(struct nat *n, uint32_t at, uint32_t n_blocks)
{
	if (at < n_blocks)
		sweep_block(n, at);
	else
		sweep_subscriber(n, at - n_blocks);
}

bool step_waits(struct nat *n, uint32_t now_s)
{
	uint32_t n_blocks = n->n_addresses * n->blocks_per_address;
	uint32_t all = n_blocks + n->subscriber_high;

	if (!n->waits || all == 0)
		return false;
	credit_earn(&n->block_credit, &n->block_s, now_s, all, SWEEP_PERIOD_S);
	for (uint32_t i = 0; i < SWEEP_ITEMS && n->block_credit > 0 && events_have_room(n); i++) {
		n->block_at = n->block_at + 1 < all ? n->block_at + 1 : 0;
		sweep_one(n, n->block_at, n_blocks);
		n->block_credit--;
	}
	return n->block_credit > 0;
}

// ---- how fast --------------------------------------------------------------------------------

// Tokens used, less those that came back since.
static uint32_t tokens_used(
	const struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t now_s)
{
	const struct rate *r = &n->rates[subscriber];
	uint64_t back = (uint64_t)(uint16_t)(now_s - r->at_s) * policy->mapping_rate;

	return back >= r->used ? 0 : r->used - (uint32_t)back;
}

bool rate_has(
	const struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t now_s)
{
	uint32_t burst = min_u32(max_u32(policy->mapping_burst, policy->mapping_rate), UINT16_MAX);

	return policy->mapping_rate == 0 || tokens_used(n, policy, subscriber, now_s) < burst;
}

void rate_charge(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t now_s)
{
	if (policy->mapping_rate == 0)
		return;
	n->rates[subscriber] = (struct rate){
		(uint16_t)(tokens_used(n, policy, subscriber, now_s) + 1), (uint16_t)now_s};
}
