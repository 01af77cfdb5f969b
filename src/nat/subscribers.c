// SPDX-License-Identifier: Apache-2.0
// Subscriber records: one cache line each, found by a keyed hash, kept while they hold anything.
#include <postern/nat.h>

#include "tables.h"

uint32_t subscriber_search(const struct nat *n, uint8_t realm, ip4 host)
{
	uint32_t i = *subscriber_head(n, realm, host);

	while (i != 0) {
		const struct subscriber *s = &n->subscribers[i - 1];
		if (s->host == host && s->realm == realm) {
			subscriber_note(n, i - 1, host);
			return i - 1;
		}
		i = s->chain;
	}
	return NO_SUBSCRIBER;
}

static __attribute__((noinline)) uint32_t subscriber_make(
	struct nat *n, uint8_t realm, ip4 host, uint8_t group)
{
	uint32_t *head = subscriber_head(n, realm, host);
	uint32_t i;

	if (n->subscriber_free != 0) {
		i = n->subscriber_free - 1;
		n->subscriber_free = n->subscribers[i].chain;
	} else if (n->subscriber_high < n->limits.subscribers) {
		i = n->subscriber_high++;
	} else {
		return NO_SUBSCRIBER;
	}
	n->subscribers[i] = (struct subscriber){
		.host = host, .realm = realm, .group = group, .used = 1, .chain = *head};
	*head = i + 1;
	n->emptied_s[i] = 0;
	n->rates[i] = (struct rate){0};
	n->counters.subscribers_created++;
	n->counters.subscribers++;
	return i;
}

uint32_t subscriber_get(struct nat *n, uint8_t realm, ip4 host, uint8_t group)
{
	uint32_t i = subscriber_find(n, realm, host);

	if (likely(i != NO_SUBSCRIBER)) {
		if (!subscriber_holds(&n->subscribers[i]))
			n->subscribers[i].group = group; // remembered, but holding nothing
		return i;
	}
	return subscriber_make(n, realm, host, group);
}

bool subscriber_has_pair(const struct nat *n, const struct subscriber *s)
{
	return subscriber_holds(s) || pairing_waits(n, (uint32_t)(s - n->subscribers));
}

uint32_t subscriber_of(const struct nat *n, uint32_t slot)
{
	const struct slot *s = slot_at(n, slot);
	const struct block *b = &n->blocks[block_of(n, s->ext)];

	if (b->subscriber != 0)
		return b->subscriber - 1;
	return subscriber_find(n, s->realm, s->host);
}

// A client whose state was lost for him alone must be told so when he comes back, and one whose
// address is kept for him finds it: his record stays while the table is not crowded.
static bool must_remember(const struct nat *n, uint32_t i)
{
	return (n->subscribers[i].epoch_base_s != 0 || pairing_waits(n, i)) &&
	       n->counters.subscribers < n->limits.subscribers / 4 * 3;
}

// He may be gone already: a port that goes to rest can drive out the last one of his last block.
void subscriber_drop_if_empty(struct nat *n, uint32_t subscriber)
{
	struct subscriber *s = &n->subscribers[subscriber];

	if (!s->used || subscriber_holds(s))
		return;
	if (s->told & TOLD_PAIR) // not of one whose first mapping was refused
		n->emptied_s[subscriber] = n->clock_s;
	pair_end(n, s);
	subscriber_forget(n, subscriber);
}

void subscriber_forget(struct nat *n, uint32_t subscriber)
{
	struct subscriber *s = &n->subscribers[subscriber];
	uint32_t *link = subscriber_head(n, s->realm, s->host);

	if (must_remember(n, subscriber))
		return;
	n->n_epoch_bases -= s->epoch_base_s != 0;
	while (*link != subscriber + 1)
		link = &n->subscribers[*link - 1].chain;
	*link = s->chain;
	*s = (struct subscriber){.chain = n->subscriber_free};
	n->subscriber_free = subscriber + 1;
	n->counters.subscribers_removed++;
	n->counters.subscribers--;
}

bool nat_is_new_subscriber(const struct nat *n, uint8_t realm, ip4 host)
{
	return subscriber_find(n, realm, host) == NO_SUBSCRIBER;
}

static void subscriber_view(
	const struct nat *n, const struct subscriber *s, struct nat_subscriber_view *view)
{
	*view = (struct nat_subscriber_view){.host = s->host,
		.realm = s->realm,
		.group = s->group,
		.n_blocks = s->n_blocks,
		.n_leases = s->n_leases,
		.n_sessions = s->n_sessions,
		.epoch_base_s = s->epoch_base_s};
	if (subscriber_has_pair(n, s))
		view->external = n->address_ip[s->address];
	for (unsigned i = 0; i < NAT_PROTOCOLS; i++)
		view->n_ports[i] = s->n_ports[i];
}

bool nat_subscriber_find(
	const struct nat *n, uint8_t realm, ip4 host, struct nat_subscriber_view *view)
{
	uint32_t i = subscriber_find(n, realm, host);

	if (i == NO_SUBSCRIBER)
		return false;
	subscriber_view(n, &n->subscribers[i], view);
	return true;
}

void subscriber_reset_epoch(struct nat *n, uint32_t subscriber, uint32_t now_s)
{
	n->n_epoch_bases += n->subscribers[subscriber].epoch_base_s == 0;
	n->subscribers[subscriber].epoch_base_s = now_s;
}

// Mostly nobody has one of his own, and no record needs to be looked at.
uint32_t nat_epoch_base(const struct nat *n, uint8_t realm, ip4 host)
{
	uint32_t i = n->n_epoch_bases == 0 ? NO_SUBSCRIBER : subscriber_find(n, realm, host);

	return i == NO_SUBSCRIBER ? 0 : n->subscribers[i].epoch_base_s;
}

bool nat_walk_subscribers(const struct nat *n, uint32_t *cursor, uint32_t budget,
	bool (*see)(void *ctx, const struct nat_subscriber_view *view), void *ctx)
{
	for (; budget > 0 && *cursor < n->subscriber_high; budget--, ++*cursor) {
		struct nat_subscriber_view view;

		if (!n->subscribers[*cursor].used)
			continue;
		subscriber_view(n, &n->subscribers[*cursor], &view);
		if (!see(ctx, &view))
			return false;
	}
	return *cursor >= n->subscriber_high;
}
