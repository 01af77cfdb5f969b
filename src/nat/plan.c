// SPDX-License-Identifier: Apache-2.0
// Deterministic NAT (RFC 7422): arithmetic, no state. Who had a port can be told from the plan
// alone, and the plan is all that must be kept.
#include <postern/nat.h>

// The host's number among all hosts of the plan; UINT32_MAX: it is none of them.
static uint32_t number_of(const struct nat_plan *plan, ip4 host)
{
	uint32_t before = 0;

	for (uint32_t i = 0; i < plan->n_inside; i++) {
		if (prefix4_has(plan->inside[i], host))
			return before + (host - plan->inside[i].base);
		before += ~prefix4_mask(plan->inside[i].bits) + 1;
	}
	return UINT32_MAX;
}

static bool host_of(const struct nat_plan *plan, uint32_t number, ip4 *host)
{
	for (uint32_t i = 0; i < plan->n_inside; i++) {
		uint32_t size = ~prefix4_mask(plan->inside[i].bits) + 1;

		if (number < size) {
			*host = plan->inside[i].base + number;
			return true;
		}
		number -= size;
	}
	return false;
}

bool nat_plan_forward(const struct nat_plan *plan, ip4 host, struct nat_share *share)
{
	uint32_t number = number_of(plan, host);

	if (number >= plan->n_hosts || number / plan->hosts_per_address >= plan->n_external)
		return false;
	share->address = plan->external[number / plan->hosts_per_address];
	share->first = (uint16_t)(plan->port_first +
				  number % plan->hosts_per_address * plan->ports_per_host);
	share->last = (uint16_t)(share->first + plan->ports_per_host - 1);
	return true;
}

static uint32_t address_number(const struct nat_plan *plan, ip4 address)
{
	uint32_t low = 0, high = plan->n_external;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (plan->external[middle] < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < plan->n_external && plan->external[low] == address ? low : UINT32_MAX;
}

enum nat_plan_place nat_plan_reverse(
	const struct nat_plan *plan, ip4 address, uint16_t port, ip4 *host)
{
	uint32_t k = address_number(plan, address), j;

	if (k == UINT32_MAX || port < plan->port_first || port > plan->port_last)
		return NAT_PLAN_NONE;
	j = (uint32_t)(port - plan->port_first) / plan->ports_per_host;
	if (j >= plan->hosts_per_address)
		return NAT_PLAN_OVERFLOW;
	// The last address may have fewer hosts than it has room for.
	if ((uint64_t)k * plan->hosts_per_address + j >= plan->n_hosts ||
		!host_of(plan, k * plan->hosts_per_address + j, host))
		return NAT_PLAN_NONE;
	return NAT_PLAN_HOST;
}
