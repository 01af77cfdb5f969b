// SPDX-License-Identifier: Apache-2.0
// External addresses of this shard: which there are, which of their ports may be given out, and
// the rounds of those that still have a free block.
#include <errno.h>

#include <postern/nat.h>

#include "tables.h"

enum {
	PCP_PORT_FIRST = 5350,
	PCP_PORT_LAST = 5351
}; // RFC 6887 s.11.3: never mapped, UDP

static inline uint32_t place_mask(const struct nat *n)
{
	return (UINT32_C(1) << (32 - n->place_shift)) - 1;
}

uint32_t address_find_from(const struct nat *n, ip4 ip, uint32_t i)
{
	while (n->places[i].index != 0) {
		if (n->places[i].ip == ip)
			return n->places[i].index - 1;
		i = (i + 1) & place_mask(n);
	}
	return NO_ADDRESS;
}

static void places_insert(struct nat *n, ip4 ip, uint32_t a)
{
	uint32_t i = place_of(n, ip);

	while (n->places[i].index != 0)
		i = (i + 1) & place_mask(n);
	n->places[i] = (struct address_place){ip, a + 1};
}

// Whoever was pushed past the place that becomes empty moves up, so no search ends too early.
static void places_remove(struct nat *n, ip4 ip)
{
	uint32_t mask = place_mask(n), hole = place_of(n, ip);

	while (n->places[hole].ip != ip || n->places[hole].index == 0)
		hole = (hole + 1) & mask;
	for (uint32_t i = (hole + 1) & mask; n->places[i].index != 0; i = (i + 1) & mask) {
		uint32_t home = place_of(n, n->places[i].ip);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		n->places[hole] = n->places[i];
		hole = i;
	}
	n->places[hole] = (struct address_place){0};
}

bool port_is_reserved(const struct address *a, uint8_t protocol, uint16_t port)
{
	if ((port < a->port_first || port > a->port_last) && !port_is_explicit(a, port) &&
		!(a->planned && port >= a->host_first && port <= a->host_last))
		return true;
	return protocol == NAT_UDP && port >= PCP_PORT_FIRST && port <= PCP_PORT_LAST;
}

// The list is a ring; group_list points at the address that serves the next new subscriber.
void address_list_add(struct nat *n, uint32_t a)
{
	struct address *new = &n->addresses[a];
	uint32_t *list = &n->group_list[new->group];

	if (new->listed || new->state != ADDRESS_LIVE || new->n_free == 0)
		return;
	new->listed = 1;
	if (*list == 0) {
		new->next = new->prev = a + 1;
		*list = a + 1;
		return;
	}
	struct address *head = &n->addresses[*list - 1];
	new->next = *list;
	new->prev = head->prev;
	n->addresses[head->prev - 1].next = a + 1;
	head->prev = a + 1;
}

void address_list_remove(struct nat *n, uint32_t a)
{
	struct address *old = &n->addresses[a];
	uint32_t *list = &n->group_list[old->group];

	if (!old->listed)
		return;
	old->listed = 0;
	if (old->next == a + 1) {
		*list = 0;
		return;
	}
	n->addresses[old->next - 1].prev = old->prev;
	n->addresses[old->prev - 1].next = old->next;
	if (*list == a + 1)
		*list = old->next;
}

// The bits of these ports become 0, a word at a time; first > last: none.
static void ports_open(uint64_t *words, uint32_t first, uint32_t last)
{
	for (uint32_t from = first; from <= last; from = (from | 63) + 1) {
		uint32_t to = min_u32(from | 63, last);

		words[from / 64] &= ~(UINT64_MAX << from % 64 & UINT64_MAX >> (63 - to % 64));
	}
}

// Whatever port_is_reserved() does not keep.
static void address_open_ports(struct nat *n, uint32_t a)
{
	const struct address *ad = &n->addresses[a];

	for (uint8_t protocol = NAT_UDP; protocol <= NAT_ICMP; protocol++) {
		uint64_t *words = used_words(n, protocol, a);

		memset(words, 0xff, 1024 * sizeof *words);
		ports_open(words, ad->port_first, ad->port_last);
		if (ad->explicit_first != 0)
			ports_open(words, ad->explicit_first, ad->explicit_last);
		if (ad->planned)
			ports_open(words, ad->host_first, ad->host_last);
		for (uint32_t p = PCP_PORT_FIRST; protocol == NAT_UDP && p <= PCP_PORT_LAST; p++)
			words[p / 64] |= UINT64_C(1) << p % 64;
	}
}

// Only blocks that lie wholly in the range are given to subscribers.
static void address_open_blocks(struct nat *n, uint32_t a)
{
	struct address *ad = &n->addresses[a];
	uint64_t *words = &n->free_blocks[(size_t)a * n->block_words];
	uint32_t size = UINT32_C(1) << ad->shift;

	memset(words, 0, n->block_words * sizeof *words);
	memset(&n->tenures[(size_t)a * n->blocks_per_address], 0,
		n->blocks_per_address * sizeof n->tenures[0]); // of another address, perhaps
	ad->n_free = 0;
	for (uint32_t b = 0; b < 65536 / size; b++) {
		if (b * size < ad->port_first || (b + 1) * size - 1 > ad->port_last)
			continue;
		words[b / 64] |= UINT64_C(1) << b % 64;
		ad->n_free++;
	}
	n->group_counters[ad->group].blocks_total += ad->n_free;
}

static int address_again(struct nat *n, uint32_t index, const struct nat_address *a)
{
	struct address *ad = &n->addresses[index];

	if (ad->state != ADDRESS_DRAINING || ad->group != a->group ||
		ad->port_first != a->port_first || ad->port_last != a->port_last ||
		ad->explicit_first != a->explicit_first || ad->explicit_last != a->explicit_last ||
		ad->planned != a->planned || 1u << ad->shift != a->port_set_size)
		return -EEXIST;
	ad->state = ADDRESS_LIVE;
	n->n_draining--;
	address_list_add(n, index);
	return 0;
}

// Only who left among others is searched for.
static uint32_t address_free_place(struct nat *n)
{
	bool gaps = n->counters.addresses < n->n_addresses;

	for (uint32_t a = 0; gaps && a < n->n_addresses; a++) {
		if (n->addresses[a].state == ADDRESS_NONE)
			return a;
	}
	return n->n_addresses < n->limits.addresses ? n->n_addresses++ : NO_ADDRESS;
}

// The same ports of every address; behind the last host of the last one nobody has some.
static void hosts_of(const struct nat_plan *plan, struct address *a)
{
	a->host_first = plan->port_first;
	a->host_last =
		(uint16_t)(plan->port_first + plan->hosts_per_address * plan->ports_per_host - 1);
}

int nat_address_add(struct nat *n, const struct nat_address *a)
{
	uint32_t index = address_find(n, a->ip);

	if (index != NO_ADDRESS)
		return address_again(n, index, a);
	index = address_free_place(n);
	if (index == NO_ADDRESS)
		return -ENOSPC;
	n->addresses[index] = (struct address){.ip = a->ip,
		.state = ADDRESS_LIVE,
		.group = a->group,
		.shift = (uint8_t)__builtin_ctz(a->port_set_size),
		.planned = a->planned,
		.port_first = a->port_first,
		.port_last = a->port_last,
		.explicit_first = a->explicit_first,
		.explicit_last = a->explicit_last};
	if (a->planned)
		hosts_of(n->policies[a->group].plan, &n->addresses[index]);
	n->address_ip[index] = a->ip;
	places_insert(n, a->ip, index);
	address_open_ports(n, index);
	address_open_blocks(n, index);
	address_list_add(n, index);
	n->counters.addresses++;
	n->group_counters[a->group].addresses_total++;
	return 0;
}

bool nat_address_known(const struct nat *n, ip4 ip)
{
	return address_find(n, ip) != NO_ADDRESS;
}

void nat_address_remove(struct nat *n, ip4 ip)
{
	uint32_t a = address_find(n, ip);

	if (a == NO_ADDRESS || n->addresses[a].state != ADDRESS_LIVE)
		return;
	address_list_remove(n, a);
	n->addresses[a].state = ADDRESS_DRAINING;
	n->addresses[a].drain_at = 0;
	n->n_draining++;
}

void address_forget(struct nat *n, uint32_t a)
{
	struct nat_group_counters *c = &n->group_counters[n->addresses[a].group];

	c->addresses_total--;
	c->blocks_total -= n->addresses[a].n_free; // all of them by now
	places_remove(n, n->addresses[a].ip);
	n->addresses[a].state = ADDRESS_NONE;
	n->n_draining--;
	n->counters.addresses--;
}
