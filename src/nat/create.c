// SPDX-License-Identifier: Apache-2.0
// Mappings as a whole: a slot, an external port, its block and its subscriber change together.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

// Told when he first has so many ports of a protocol, and again only after he had a tenth less.
static void user_high_check(struct nat *n, uint32_t subscriber, uint8_t protocol)
{
	struct subscriber *s = &n->subscribers[subscriber];
	const struct nat_policy *policy = &n->policies[s->group];
	uint32_t ports = s->n_ports[protocol - 1], high;
	uint8_t bit = (uint8_t)(TOLD_HIGH << (protocol - 1));

	if (policy->port_limit == 0 || policy->user_high == 0)
		return;
	high = (uint32_t)((uint64_t)policy->port_limit * policy->user_high / 100);
	if (high == 0)
		return;
	if (ports < high - high / 10)
		s->told &= (uint8_t)~bit;
	if (ports < high || s->told & bit)
		return;
	s->told |= bit;
	event_of_subscriber(n, NAT_EVENT_USER_HIGH, s, protocol, high);
}

static inline void make(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint32_t subscriber, uint32_t now_s)
{
	struct nat_group_counters *c = &n->group_counters[n->addresses[ext >> 16].group];

	table_insert(n, slot, key, hash, ext, bits, (uint16_t)now_s);
	if (subscriber != NO_SUBSCRIBER) {
		n->subscribers[subscriber].n_ports[key->protocol - 1]++;
		user_high_check(n, subscriber, key->protocol);
	}
	n->counters.mappings++;
	c->port_mapping_creations++;
	c->total_port_mappings++;
	if (key->protocol == NAT_TCP || group_looks_closer(policy_on(n, ext), key->protocol))
		visit_update(n, slot);
}

void mapping_open(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint32_t subscriber, uint32_t now_s)
{
	port_occupy(n, key->protocol, ext, key, 0);
	make(n, slot, key, hash, ext, bits, subscriber, now_s);
}

void mapping_make(struct nat *n, uint32_t slot, const struct nat_key *key, uint64_t hash,
	uint32_t ext, uint8_t bits, uint32_t subscriber, uint32_t now_s)
{
	make(n, slot, key, hash, ext, bits, subscriber, now_s);
}

// A block that never saw an answer gets its port back at once: nobody outside knows it.
static void port_vacate(struct nat *n, uint8_t protocol, uint32_t ext, uint32_t now_s)
{
	const struct block *b = &n->blocks[block_of(n, ext)];
	bool straight = b->subscriber != 0 && !b->replied;

	port_hold(n, protocol, ext);
	if (straight)
		port_release(n, protocol, ext);
	else
		port_rest(n, protocol, ext, now_s);
}

void mapping_forget(struct nat *n, uint32_t ext)
{
	n->counters.mappings--;
	n->group_counters[n->addresses[ext >> 16].group].total_port_mappings--;
}

void mapping_end(struct nat *n, uint32_t slot, enum ending ending, uint32_t now_s)
{
	const struct slot *s = slot_at(n, slot);
	uint8_t protocol = s->bits & SLOT_PROTOCOL;
	uint32_t ext = s->ext;
	const struct block *b = &n->blocks[block_of(n, ext)];
	uint32_t subscriber = likely(b->subscriber != 0) ? b->subscriber - 1
							 : subscriber_find(n, s->realm, s->host);

	sessions_end(n, slot);
	n->subscribers[subscriber].n_ports[protocol - 1]--;
	table_remove(n, slot);
	mapping_forget(n, ext);
	if (ending == END_HOLD) { // for a lease that rests and keeps its subscriber
		port_hold(n, protocol, ext);
		return;
	}
	port_vacate(n, protocol, ext, now_s);
	if (port_is_explicit(&n->addresses[ext >> 16], ext & 0xffff))
		subscriber_drop_if_empty(n, subscriber); // no block's return will ask
}

void implicit_end(struct nat *n, uint32_t slot, uint32_t now_s)
{
	event_implicit(n, NAT_EVENT_MAPPING_DELETED, slot);
	mapping_end(n, slot, END_REST, now_s);
}

void implicit_expire(struct nat *n, uint32_t slot, uint32_t now_s)
{
	implicit_end(n, slot, now_s);
	n->counters.implicit_expired++;
}

// It stays the same mapping: whether it was answered moves along. No peer knows its new endpoint,
// so its sessions are over.
void mapping_move(struct nat *n, uint32_t slot, uint32_t ext, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	uint32_t old = s->ext;
	uint8_t bits = entry_at(n, key.protocol, old)->bits;

	sessions_end(n, slot);
	port_occupy(n, key.protocol, ext, &key, bits & (EXT_FILTERS | EXT_LEASE | EXT_REPLIED));
	if (bits & EXT_REPLIED)
		n->blocks[block_of(n, ext)].replied = 1;
	s->ext = ext;
	visit_update(n, slot);
	port_vacate(n, key.protocol, old, now_s);
}

// What nat.timeout[] cannot know without further lines: whether UDP was answered by now, here or
// anywhere in the block, or ever sent to more than one port that has its own timer.
uint32_t idle_timeout(const struct nat *n, const struct slot *s)
{
	if ((s->bits & SLOT_TIMER) != (NAT_UDP | CLASS_OPEN << CLASS_SHIFT) ||
		s->hangs & HANGS_RULE)
		return slot_timeout(n, s);
	if (entry_at(n, NAT_UDP, s->ext)->bits & EXT_REPLIED)
		return n->timers.udp;
	if (n->blocks[block_of(n, s->ext)].replied)
		return n->timers.udp_initial;
	return n->timeout[s->bits & SLOT_TIMER];
}

bool mapping_is_idle(struct nat *n, uint32_t slot, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	uint8_t protocol = s->bits & SLOT_PROTOCOL;
	uint32_t left_s;

	if (protocol == NAT_UDP && (s->bits & SLOT_CLASS) == CLASS_OPEN << CLASS_SHIFT &&
		entry_at(n, protocol, s->ext)->bits & EXT_REPLIED)
		s->bits |= CLASS_ESTABLISHED << CLASS_SHIFT;
	return !traffic_left(n, slot, now_s, &left_s);
}

// TCP lives by its sessions; where there are none, or not all are recorded, by its class.
bool traffic_left(const struct nat *n, uint32_t slot, uint32_t now_s, uint32_t *left_s)
{
	const struct slot *s = slot_at(n, slot);
	uint32_t idle = slot_idle_s(s, now_s), timeout;
	enum keeping keeping = KEPT_BY_NONE;

	if ((s->bits & SLOT_PROTOCOL) == NAT_TCP)
		keeping = sessions_keep(n, slot, now_s, left_s);
	if (keeping == KEPT)
		return true;
	if (!(s->bits & SLOT_SEEN) || (keeping == KEPT_NO_MORE && !(s->hangs & HANGS_LOOSE)))
		return false;
	timeout = idle_timeout(n, s);
	if (idle > timeout)
		return false;
	*left_s = timeout - idle;
	return true;
}

bool mapping_has_traffic(struct nat *n, uint32_t slot, uint32_t now_s)
{
	return !mapping_is_idle(n, slot, now_s);
}

static enum drop create_checked(struct nat *n, const struct nat_policy *policy, uint32_t slot,
	uint64_t hash, uint32_t subscriber, struct nat_out *p, uint32_t now_s)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	uint8_t class_bits = 0;
	uint32_t ext;
	enum drop why;

	if (policy->port_limit != 0 && s->n_ports[p->key.protocol - 1] >= policy->port_limit)
		return DROP_QUOTA_PORTS;
	if (!rate_has(n, policy, subscriber, now_s))
		return DROP_QUOTA_RATE;
	if (n->policies[s->group].filtering[p->key.protocol - 1] != NAT_EIF) {
		why = sessions_room(n, &n->policies[s->group], subscriber, p->key.protocol, false);
		if (why != DROP_NONE)
			return why;
	}
	why = port_choose(n, policy, subscriber, &p->key, now_s, &ext);
	if (why != DROP_NONE)
		return why;
	rate_charge(n, policy, subscriber, now_s);
	if (p->key.protocol == NAT_TCP) // one segment, whatever it says, establishes nothing
		class_bits = tcp_next_class(NAT_TCP, p->tcp_flags | TCP_SYN, 0);
	mapping_open(
		n, slot, &p->key, hash, ext, (uint8_t)(SLOT_SEEN | class_bits), subscriber, now_s);
	event_implicit(n, NAT_EVENT_MAPPING_CREATED, slot);
	visit_first(n, slot, p, now_s);
	n->counters.implicit_created++;
	p->to = ext_recipe(n, ext);
	return DROP_NONE;
}

// An entry that the fast path passed over: another packet of the burst made it, or it idled out.
static bool still_there(struct nat *n, uint32_t slot, uint32_t now_s)
{
	if (slot_at(n, slot)->bits & SLOT_LEASE || !mapping_is_idle(n, slot, now_s))
		return true;
	implicit_expire(n, slot, now_s);
	return false;
}

static enum drop create(struct nat *n, const struct nat_policy *policy, uint8_t group,
	struct nat_out *p, uint32_t now_s)
{
	uint64_t hash = hash_u64(key_word(&p->key), &n->secret);
	uint32_t slot = table_find(n, &p->key, hash);
	uint32_t subscriber;
	enum drop why;

	if (slot != NO_SLOT && still_there(n, slot, now_s))
		return visit_out(n, slot, p, now_s);
	if (p->key.protocol == NAT_TCP && !tcp_begins(p->tcp_flags))
		return DROP_TCP_NO_SESSION;
	slot = table_place(n, hash);
	if (slot == NO_SLOT ||
		n->counters.mappings + n->limits.mappings_reserved >= n->limits.mappings)
		return DROP_TABLE_FULL;
	subscriber = subscriber_get(n, p->key.realm, p->key.host, group);
	if (subscriber == NO_SUBSCRIBER)
		return DROP_SUBSCRIBERS_FULL;
	if (n->subscribers[subscriber].group != group)
		return DROP_NO_POLICY; // moved by a new configuration; being cleared
	why = create_checked(n, policy, slot, hash, subscriber, p, now_s);
	if (why != DROP_NONE)
		subscriber_drop_if_empty(n, subscriber);
	return why;
}

enum drop nat_create(struct nat *n, const struct nat_policy *policy, uint8_t group,
	struct nat_out *p, uint32_t now_s)
{
	enum drop why;

	n->clock_s = now_s;
	why = create(n, policy, group, p, now_s);
	if (why != DROP_NONE)
		refusal_note(n, policy, group, &p->key, why, now_s);
	return why;
}

// The first port of a host without any, put to rest at once.
static enum drop pair_anew(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint32_t now_s, ip4 *external)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	struct nat_key key = {s->host, 0, s->realm, NAT_UDP};
	uint32_t ext;
	enum drop why = port_choose(n, policy, subscriber, &key, now_s, &ext);

	if (why != DROP_NONE) {
		subscriber_drop_if_empty(n, subscriber);
		return why;
	}
	port_occupy(n, NAT_UDP, ext, &key, 0);
	port_hold(n, NAT_UDP, ext);
	port_rest(n, NAT_UDP, ext, now_s);
	*external = n->address_ip[ext >> 16];
	return DROP_NONE;
}

enum drop nat_pair(struct nat *n, const struct nat_policy *policy, uint8_t group, uint8_t realm,
	ip4 host, uint32_t now_s, ip4 *external)
{
	uint32_t i = subscriber_get(n, realm, host, group);
	const struct subscriber *s = &n->subscribers[i];

	if (i == NO_SUBSCRIBER)
		return DROP_SUBSCRIBERS_FULL;
	if (s->group != group)
		return DROP_NO_POLICY;
	n->clock_s = now_s;
	if (!subscriber_has_pair(n, s) || !pair_is_usable(n, s))
		return pair_anew(n, policy, i, now_s, external);
	*external = n->address_ip[s->address];
	return DROP_NONE;
}
