// SPDX-License-Identifier: Apache-2.0
// A range of ports for explicit mappings alone (port-forwarding-range): single ports and runs, in
// nobody's block, on the subscriber's paired address. Packets never get one, so that a pool whose
// blocks are all taken still has ports for those who ask.
#include <postern/nat.h>

#include "tables.h"

enum {
	ADDRESSES_TRIED = 64
};

static bool is_free(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return !(used_words(n, protocol, ext >> 16)[(ext & 0xffff) / 64] >> ext % 64 & 1);
}

static bool is_paired(const struct nat *n, const struct subscriber *s)
{
	return subscriber_has_pair(n, s) && pair_is_usable(n, s);
}

// He is paired with the address from now on, unless he has another.
static void pair(struct nat *n, struct subscriber *s, uint32_t a)
{
	pair_set(n, s, is_paired(n, s) ? s->address : a);
}

static bool serves(const struct nat *n, const struct subscriber *s, uint32_t a)
{
	return n->addresses[a].state == ADDRESS_LIVE && n->addresses[a].group == s->group &&
	       n->addresses[a].explicit_first != 0;
}

// ---- these very ports ------------------------------------------------------------------------

bool explicit_claim(struct nat *n, uint32_t subscriber, struct run *run)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t a = run->ext >> 16, port = run->ext & 0xffff;

	if (!serves(n, s, a) || (run->parity && (port ^ run->like) & 1))
		return false;
	for (uint32_t i = 0; i < run->n_ports; i++) {
		if (!port_is_explicit(&n->addresses[a], port + i) ||
			!is_free(n, run->protocol, run->ext + i))
			return false;
	}
	pair(n, s, a);
	return true;
}

// ---- any ports -------------------------------------------------------------------------------

// The first run that is long enough, else the longest. One port is better odd for even than none.
static uint32_t search(struct nat *n, uint32_t a, const struct run *run, uint32_t *ext)
{
	const struct address *ad = &n->addresses[a];
	uint32_t size = ad->explicit_last - ad->explicit_first + 1u;
	struct run any = *run;
	uint32_t length = run_within(n, a, ad->explicit_first, size, run, ext);

	if (length > 0 || run->n_ports > 1 || !run->parity)
		return length;
	any.parity = false;
	return run_within(n, a, ad->explicit_first, size, &any, ext);
}

bool explicit_choose_on(struct nat *n, uint32_t subscriber, uint32_t address, struct run *run)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t length = serves(n, s, address) ? search(n, address, run, &run->ext) : 0;

	if (length == 0 || length < run->least)
		return false;
	run->n_ports = length;
	pair(n, s, address);
	return true;
}

// The next address of the round; when no address has a free block any will do, because who asks
// needs none.
static uint32_t first_address(struct nat *n, const struct subscriber *s)
{
	uint32_t *round = &n->group_list[s->group], a;

	if (*round == 0)
		return rng_below(&n->rng, n->n_addresses);
	a = *round - 1;
	*round = n->addresses[a].next;
	return a;
}

enum drop explicit_choose(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	enum drop why = DROP_POOL_NO_ADDRESS;
	uint32_t a;

	if (n->n_addresses == 0)
		return why;
	if (is_paired(n, s)) {
		if (explicit_choose_on(n, subscriber, s->address, run))
			return DROP_NONE;
		if (!policy->pairing_soft && subscriber_holds(s))
			return DROP_POOL_NO_PORT;
	}
	a = first_address(n, s);
	for (unsigned i = 0; i < min_u32(ADDRESSES_TRIED, n->n_addresses); i++) {
		if (explicit_choose_on(n, subscriber, a, run))
			return DROP_NONE;
		if (serves(n, s, a))
			why = DROP_POOL_NO_PORT;
		a = a + 1 < n->n_addresses ? a + 1 : 0;
	}
	return why;
}
