// SPDX-License-Identifier: Apache-2.0
// What the NAT log is told (RFC 8158): a short queue that the shard empties after every burst and
// every step. Exhaustion and quotas would be told as often as packets come; each is told at most
// once a second for each subscriber, or for a group where no subscriber is to be named.
#include <postern/nat.h>

#include "tables.h"

bool nat_event_next(struct nat *n, struct nat_event *out)
{
	if (n->event_count == 0)
		return false;
	*out = n->events[n->event_head];
	n->event_count--;
	n->event_head = n->event_count == 0 ? 0 : (n->event_head + 1) % EVENTS; // warm places
	return true;
}

// ---- blocks and addresses --------------------------------------------------------------------

void event_block(struct nat *n, uint8_t kind, uint32_t block)
{
	const struct subscriber *s = &n->subscribers[n->blocks[block].subscriber - 1];
	uint32_t a = block >> n->block_bits;
	uint16_t first = (uint16_t)block_first_port(n, block);

	if (block_is_planned(n, block)) // nothing ever changes there (RFC 7422 s.3)
		return;
	*event_new(n) = (struct nat_event){.kind = kind,
		.group = s->group,
		.key = {.host = s->host, .realm = s->realm},
		.external = {n->address_ip[a], first},
		.last_port = (uint16_t)(first + block_size(n, block) - 1)};
}

// Where only blocks are logged their records say it already.
void event_pairing(struct nat *n, uint8_t kind, const struct subscriber *s)
{
	if (!n->policies[s->group].log_mappings)
		return;
	*event_new(n) = (struct nat_event){.kind = kind,
		.group = s->group,
		.key = {.host = s->host, .realm = s->realm},
		.external = {n->address_ip[s->address], 0}};
}

bool nat_events_interim(struct nat *n, uint32_t *cursor, uint32_t budget)
{
	uint32_t all = n->n_addresses * n->blocks_per_address;

	for (; budget > 0 && *cursor < all && events_have_room(n); budget--, ++*cursor) {
		if (n->blocks[*cursor].subscriber != 0)
			event_block(n, NAT_EVENT_BLOCK_HELD, *cursor);
	}
	return *cursor >= all;
}

// ---- mappings --------------------------------------------------------------------------------

void event_of_mapping(struct nat *n, uint8_t kind, uint32_t slot)
{
	const struct slot *s = slot_at(n, slot);

	*event_new(n) = (struct nat_event){.kind = kind,
		.group = n->addresses[s->ext >> 16].group,
		.mapping = NAT_IMPLICIT,
		.key = slot_key(s),
		.external = ext_recipe(n, s->ext),
		.last_port = (uint16_t)s->ext};
}

void event_ports(struct nat *n, uint8_t kind, const struct lease *l, uint32_t first,
	uint32_t n_ports, uint32_t lifetime_s)
{
	static const uint8_t kinds[] = {
		[LEASE_LIVE] = NAT_EXPLICIT, [LEASE_PEER] = NAT_PEER, [LEASE_STATIC] = NAT_STATIC};
	uint32_t ext = l->ext + first;

	*event_new(n) = (struct nat_event){.kind = kind,
		.group = n->addresses[ext >> 16].group,
		.mapping = kinds[l->state],
		.key = set_key(l, first),
		.external = ext_recipe(n, ext),
		.last_port = (uint16_t)(ext + n_ports - 1),
		.lifetime_s = lifetime_s};
}

void event_lease(struct nat *n, uint8_t kind, uint32_t lease, uint32_t now_s)
{
	const struct lease *l = &n->leases[lease];
	bool timed = kind == NAT_EVENT_MAPPING_CREATED && l->state != LEASE_STATIC;

	event_ports(n, kind, l, 0, lease_ports(n, l), timed ? lease_left_s(l, now_s) : 0);
}

// ---- subscribers and refusals ----------------------------------------------------------------

void event_of_subscriber(
	struct nat *n, uint8_t kind, const struct subscriber *s, uint8_t protocol, uint32_t limit)
{
	struct nat_event *e = event_new(n);

	*e = (struct nat_event){.kind = kind,
		.group = s->group,
		.key = {.host = s->host, .realm = s->realm, .protocol = protocol},
		.limit = limit};
	if (subscriber_has_pair(n, s))
		e->external.addr = n->address_ip[s->address];
}

static uint8_t told_bit(uint8_t kind)
{
	switch (kind) {
	case NAT_EVENT_QUOTA_PORTS:
		return TOLD_PORTS;
	case NAT_EVENT_QUOTA_SESSIONS:
		return TOLD_SESSIONS;
	case NAT_EVENT_PORTS_EXHAUSTED:
		return TOLD_NO_PORT;
	default:
		return TOLD_NO_ADDRESS;
	}
}

static bool is_told(struct subscriber *s, uint8_t kind, uint32_t now_s)
{
	uint8_t bit = told_bit(kind);

	if (s->told_s != (uint16_t)now_s) {
		s->told_s = (uint16_t)now_s;
		s->told &= (uint8_t)~TOLD_REFUSALS;
	}
	if (s->told & bit)
		return true;
	s->told |= bit;
	return false;
}

static bool is_told_of_group(struct nat *n, uint8_t group, uint8_t kind, uint32_t now_s)
{
	uint32_t *told_s = &n->told_s[group][kind];

	if (*told_s == now_s)
		return true;
	*told_s = now_s;
	return false;
}

void nat_event_refused(struct nat *n, uint8_t kind, uint8_t group, const struct nat_key *who,
	uint32_t limit, uint32_t now_s)
{
	if (!is_told_of_group(n, group, kind, now_s))
		*event_new(n) = (struct nat_event){
			.kind = kind, .group = group, .key = *who, .limit = limit};
}

// What is nobody's fault is told once for the whole group.
static bool is_of_group(uint8_t kind)
{
	return kind == NAT_EVENT_QUOTA_SUBSCRIBERS || kind == NAT_EVENT_QUOTA_MAPPINGS;
}

static void event_refused(struct nat *n, uint8_t kind, uint32_t subscriber, uint8_t group,
	uint8_t protocol, uint32_t limit, uint32_t now_s)
{
	if (subscriber == NO_SUBSCRIBER || is_of_group(kind)) {
		if (!is_told_of_group(n, group, kind, now_s))
			*event_new(n) = (struct nat_event){.kind = kind,
				.group = group,
				.key = {.protocol = protocol},
				.limit = limit};
		return;
	}
	if (!is_told(&n->subscribers[subscriber], kind, now_s))
		event_of_subscriber(n, kind, &n->subscribers[subscriber], protocol, limit);
}

static uint8_t event_of(enum drop why)
{
	switch (why) {
	case DROP_QUOTA_PORTS:
	case DROP_QUOTA_BLOCKS:
		return NAT_EVENT_QUOTA_PORTS;
	case DROP_QUOTA_SESSIONS:
	case DROP_SESSIONS_FULL: // told of nobody: it is the table's
		return NAT_EVENT_QUOTA_SESSIONS;
	case DROP_SUBSCRIBERS_FULL:
		return NAT_EVENT_QUOTA_SUBSCRIBERS;
	case DROP_TABLE_FULL:
		return NAT_EVENT_QUOTA_MAPPINGS;
	case DROP_POOL_NO_ADDRESS:
		return NAT_EVENT_ADDRESSES_EXHAUSTED;
	case DROP_POOL_NO_PORT:
	case DROP_NO_BLOCK:
		return NAT_EVENT_PORTS_EXHAUSTED;
	default:
		return NAT_EVENT_NONE;
	}
}

static uint32_t limit_of(const struct nat *n, const struct nat_policy *policy, enum drop why)
{
	switch (why) {
	case DROP_QUOTA_PORTS:
		return policy->port_limit;
	case DROP_QUOTA_BLOCKS:
		return (uint32_t)policy->block_limit * policy->port_set_size;
	case DROP_QUOTA_SESSIONS:
		return policy->session_limit;
	case DROP_SUBSCRIBERS_FULL:
		return n->limits.subscribers;
	case DROP_TABLE_FULL:
		return n->limits.mappings;
	case DROP_SESSIONS_FULL:
		return n->limits.sessions;
	default:
		return 0;
	}
}

// One refused packet: counted for its group, and told.
void refusal_note(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_key *key, enum drop why, uint32_t now_s)
{
	struct nat_group_counters *c = &n->group_counters[group];
	uint8_t kind = event_of(why);

	n->counters.refused_port_limit += why == DROP_QUOTA_PORTS;
	n->counters.refused_mapping_rate += why == DROP_QUOTA_RATE;
	switch (why) {
	case DROP_QUOTA_PORTS:
	case DROP_QUOTA_BLOCKS:
	case DROP_QUOTA_RATE:
	case DROP_QUOTA_SESSIONS:
		c->port_map_limit_drops++;
		break;
	case DROP_POOL_NO_ADDRESS:
	case DROP_NO_BLOCK:
		c->address_map_failure_drops++;
		break;
	case DROP_TCP_NO_SESSION: // would have made no mapping
	case DROP_NO_POLICY:
		return;
	default:
		c->port_map_failure_drops++;
		break;
	}
	if (kind != NAT_EVENT_NONE)
		event_refused(n, kind,
			why == DROP_SESSIONS_FULL ? NO_SUBSCRIBER
						  : subscriber_find(n, key->realm, key->host),
			group, key->protocol, limit_of(n, policy, why), now_s);
}
