// SPDX-License-Identifier: Apache-2.0
// A range of ports for explicit mappings alone (port-forwarding-range): single ports, in nobody's
// block, on the subscriber's paired address. Packets never get one.
#include <postern/nat.h>

#include "tables.h"

static bool is_free(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return !(used_words(n, protocol, ext >> 16)[(ext & 0xffff) / 64] >> ext % 64 & 1);
}

// He is paired with the address from now on, unless he has another.
static void pair(struct nat *n, uint32_t subscriber, uint32_t a)
{
	struct subscriber *s = &n->subscribers[subscriber];

	if (subscriber_has_pair(n, s) && pair_is_usable(n, s))
		return;
	s->address = (uint16_t)a;
	event_pairing(n, NAT_EVENT_ADDRESS_BOUND, s);
}

static bool may_have(const struct nat *n, uint32_t subscriber, uint32_t ext)
{
	const struct address *a = &n->addresses[ext >> 16];

	return a->state == ADDRESS_LIVE && a->group == n->subscribers[subscriber].group &&
	       port_is_explicit(a, ext & 0xffff);
}

bool explicit_claim(struct nat *n, uint32_t subscriber, uint8_t protocol, uint32_t ext)
{
	if (!may_have(n, subscriber, ext) || !is_free(n, protocol, ext))
		return false;
	pair(n, subscriber, ext >> 16);
	return true;
}

// The paired address, or for a newcomer the next of the round.
static uint32_t choose_address(struct nat *n, const struct subscriber *s)
{
	uint32_t *round = &n->group_list[s->group], a;

	if (subscriber_has_pair(n, s) && pair_is_usable(n, s))
		return s->address;
	if (*round == 0)
		return NO_ADDRESS;
	a = *round - 1;
	*round = n->addresses[a].next;
	return a;
}

// From a port that nobody can guess on, round the whole range (RFC 6056 s.3.3.1).
static bool search(struct nat *n, uint32_t a, uint8_t protocol, uint32_t *ext)
{
	const struct address *ad = &n->addresses[a];
	const uint64_t *words = used_words(n, protocol, a);
	uint32_t size, at;

	if (ad->explicit_first == 0)
		return false;
	size = ad->explicit_last - ad->explicit_first + 1u;
	at = rng_below(&n->rng, size);
	for (uint32_t i = 0; i < size; i++, at = at + 1 == size ? 0 : at + 1) {
		uint32_t port = ad->explicit_first + at;

		if (port % 64 == 0 && words[port / 64] == UINT64_MAX && i + 64 < size &&
			at + 64 < size) {
			i += 63;
			at += 63;
			continue;
		}
		if (words[port / 64] >> port % 64 & 1)
			continue;
		*ext = ext_of(a, (uint16_t)port);
		return true;
	}
	return false;
}

enum drop explicit_choose(
	struct nat *n, uint32_t subscriber, const struct nat_key *key, uint32_t *ext)
{
	uint32_t a = choose_address(n, &n->subscribers[subscriber]);

	if (a == NO_ADDRESS)
		return DROP_POOL_NO_ADDRESS;
	if (!search(n, a, key->protocol, ext))
		return DROP_POOL_NO_PORT;
	pair(n, subscriber, a);
	return DROP_NONE;
}

// ---- sets ------------------------------------------------------------------------------------

static uint32_t run_at(const struct nat *n, const struct run *run, uint32_t ext)
{
	uint32_t length = 0;

	while (length < run->n_ports &&
		port_is_explicit(&n->addresses[ext >> 16], (ext & 0xffff) + length) &&
		is_free(n, run->protocol, ext + length))
		length++;
	return length;
}

bool explicit_claim_run(struct nat *n, uint32_t subscriber, struct run *run)
{
	uint32_t length;

	if (!may_have(n, subscriber, run->ext) || (run->parity && (run->ext ^ run->like) & 1))
		return false;
	length = run_at(n, run, run->ext);
	if (length < run->least || length < run->n_ports)
		return false;
	pair(n, subscriber, run->ext >> 16);
	return true;
}

// The first run that is long enough, else the longest there is.
bool explicit_run(struct nat *n, uint32_t subscriber, struct run *run)
{
	uint32_t a = choose_address(n, &n->subscribers[subscriber]), best = 0, found = 0;
	const struct address *ad = &n->addresses[a];

	if (a == NO_ADDRESS || ad->explicit_first == 0)
		return false;
	for (uint32_t port = ad->explicit_first;
		port <= ad->explicit_last && best < run->n_ports;) {
		uint32_t length;

		if (run->parity && (port ^ run->like) & 1) {
			port++;
			continue;
		}
		length = run_at(n, run, ext_of(a, (uint16_t)port));
		if (length > best) {
			best = length;
			found = port;
		}
		port += length + 1;
	}
	if (best < run->least)
		return false;
	run->n_ports = best;
	run->ext = ext_of(a, (uint16_t)found);
	pair(n, subscriber, a);
	return true;
}
