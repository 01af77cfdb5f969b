// SPDX-License-Identifier: Apache-2.0
// The plain lease: one port, by the host itself, with a nonce, no option. Nearly all that clients
// ask for is that, and most of it is renewed: a renewal reads the slot and the lease, and writes
// the lease. After a loss of state all that were granted come back, suggesting what they had. The
// outcome is that of nat_lease_map() and nat_lease_end(), which get whatever is not so plain.
#include <postern/nat.h>

#include "tables.h"

enum {
	FLAGS_PLAIN = LEASE_NONCE | LEASE_ADOPTED
};

static uint64_t plain_hash(const struct nat *n, const struct nat_plain *p)
{
	return hash_u64(key_word(&p->key), &n->secret);
}

static bool lease_is_plain(const struct lease *l)
{
	return l->state == LEASE_LIVE && l->extra == 0 && (l->flags | LEASE_ADOPTED) == FLAGS_PLAIN;
}

static bool has_lease(const struct nat *n, const struct nat_key *key, uint64_t hash)
{
	uint64_t word = key_word(key);

	for (uint32_t i = n->lease_heads[(uint32_t)hash & n->lease_mask]; i != 0;
		i = n->leases[i - 1].chain) {
		if (key_word(&n->leases[i - 1].key) == word)
			return true;
	}
	return false;
}

static void write_plain(struct lease *l, const struct nat_plain *p)
{
	memcpy(l->nonce, p->nonce, sizeof l->nonce);
	l->client = p->key.host;
	l->client_port = p->client_port;
	l->dialect = p->dialect & 31u;
}

static enum nat_plain_found end(struct nat *n, uint32_t lease, uint32_t now_s)
{
	uint32_t ports = 1;

	n->clock_s = now_s;
	n->counters.explicit_deleted++;
	// RFC 6887 s.11.3: the flow that was there before stays in effect.
	lease_finish(n, lease, !(n->leases[lease].flags & LEASE_ADOPTED), &ports, now_s);
	return NAT_PLAIN_ENDED;
}

enum nat_plain_found nat_plain_find(struct nat *n, const struct nat_plain *p, uint32_t now_s,
	struct recipe *external, uint32_t *left_s)
{
	uint64_t hash = plain_hash(n, p);
	uint32_t slot = table_find(n, &p->key, hash), i;
	struct lease *l;

	if (slot == NO_SLOT)
		return has_lease(n, &p->key, hash) ? NAT_PLAIN_NOT : NAT_PLAIN_ABSENT;
	if ((slot_at(n, slot)->hangs & (HANGS_LEASE | HANGS_SET)) != HANGS_MAP)
		return NAT_PLAIN_NOT;
	i = lease_on_hashed(n, slot, &p->key, hash);
	if (i == NO_LEASE || !lease_is_plain(&n->leases[i]))
		return NAT_PLAIN_NOT;
	l = &n->leases[i];
	if (memcmp(l->nonce, p->nonce, sizeof l->nonce) != 0) {
		*left_s = lease_left_s(l, now_s);
		return NAT_PLAIN_FOREIGN;
	}
	if (p->lifetime_s == 0)
		return end(n, i, now_s);
	write_plain(l, p);
	lease_expire_at(n, i, now_s + p->lifetime_s + 1); // never early
	n->counters.explicit_renewed++;
	*external = ext_recipe(n, l->ext);
	return NAT_PLAIN_RENEWED;
}

// ---- a new one -------------------------------------------------------------------------------

static bool is_over_quota(
	const struct subscriber *s, const struct nat_policy *policy, uint8_t protocol)
{
	return s->n_leases >= policy->lease_limit ||
	       (policy->port_limit != 0 && s->n_ports[protocol - 1] >= policy->port_limit);
}

// The suggested port, if nobody has it and his group may.
static bool claim(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	const struct nat_plain *p, uint32_t *ext)
{
	uint32_t a = address_find(n, p->suggested.addr);

	if (a == NO_ADDRESS || n->addresses[a].group != n->subscribers[subscriber].group)
		return false;
	*ext = ext_of(a, p->suggested.port);
	return port_claim(n, policy, subscriber, p->key.protocol, *ext);
}

static bool take_port(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	const struct nat_plain *p, uint32_t *ext)
{
	if (p->suggested.port != 0 && claim(n, policy, subscriber, p, ext))
		return true;
	if (port_choose(n, policy, subscriber, &p->key, n->clock_s, ext) != DROP_NONE)
		return false;
	n->counters.suggestions_refused += p->suggested.port != 0;
	return true;
}

// Everything that may fail, the port last; it is his when this says true. If not, a newcomer's
// record stays for the long way, which drops it.
static bool find_port(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_plain *p, uint32_t *subscriber, uint32_t *ext)
{
	uint32_t i = subscriber_get(n, p->key.realm, p->key.host, group);

	if (i == NO_SUBSCRIBER)
		return false;
	*subscriber = i;
	return n->subscribers[i].group == group &&
	       !is_over_quota(&n->subscribers[i], policy, p->key.protocol) &&
	       take_port(n, policy, i, p, ext);
}

static void hang(struct nat *n, uint32_t slot, uint32_t subscriber, const struct nat_plain *p)
{
	struct lease made = {.key = p->key,
		.ext = slot_at(n, slot)->ext,
		.slot = slot,
		.subscriber = subscriber,
		.flags = LEASE_NONCE,
		.state = LEASE_LIVE};
	uint32_t i;

	write_plain(&made, p);
	i = lease_get(n, &made); // there is room: it was asked first
	slot_hang(n, slot, HANGS_MAP);
	lease_join(n, i);
	lease_expire_at(n, i, n->clock_s + p->lifetime_s + 1);
	event_lease(n, NAT_EVENT_MAPPING_CREATED, i, n->clock_s);
	n->counters.explicit_created++;
}

bool nat_plain_make(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_plain *p, uint32_t now_s, struct recipe *external)
{
	uint64_t hash = plain_hash(n, p);
	uint32_t slot = table_place(n, hash), subscriber, ext;

	n->clock_s = now_s;
	if (slot == NO_SLOT || n->counters.mappings >= n->limits.mappings ||
		n->counters.leases >= n->limits.leases || policy->explicit_first != 0 ||
		!find_port(n, policy, group, p, &subscriber, &ext))
		return false;
	mapping_open(n, slot, &p->key, hash, ext, 0, subscriber, now_s);
	hang(n, slot, subscriber, p);
	*external = ext_recipe(n, ext);
	return true;
}
