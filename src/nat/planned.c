// SPDX-License-Identifier: Apache-2.0
// Deterministic allocation (RFC 7422): a host's own ports are his by arithmetic. They are taken
// block by block, from any of his on, so that the next port cannot be guessed from the last.
#include <postern/nat.h>

#include "tables.h"

uint32_t planned_blocks(const struct nat_policy *policy)
{
	return policy->plan ? policy->plan->ports_per_host / policy->plan->port_set_size : 0;
}

bool planned_find(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t *block)
{
	uint32_t count = planned_blocks(policy), a, first, start;
	struct nat_share share;

	if (count == 0 || !nat_plan_forward(policy->plan, n->subscribers[subscriber].host, &share))
		return false;
	a = address_find(n, share.address);
	if (a == NO_ADDRESS || n->addresses[a].state != ADDRESS_LIVE)
		return false;
	first = block_of(n, ext_of(a, share.first));
	start = rng_below(&n->rng, count);
	for (uint32_t i = 0; i < count; i++) {
		*block = first + (start + i) % count;
		if (n->blocks[*block].subscriber == 0)
			return true;
	}
	return false;
}

bool planned_has(
	const struct nat *n, const struct nat_policy *policy, uint32_t subscriber, uint32_t block)
{
	struct nat_share share;
	uint32_t a;

	if (!block_is_planned(n, block) || n->blocks[block].subscriber != 0 || !policy->plan ||
		!nat_plan_forward(policy->plan, n->subscribers[subscriber].host, &share))
		return false;
	a = address_find(n, share.address);
	return a != NO_ADDRESS && block >= block_of(n, ext_of(a, share.first)) &&
	       block <= block_of(n, ext_of(a, share.last));
}
