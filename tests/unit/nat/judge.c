// SPDX-License-Identifier: Apache-2.0
// Whether a refusal was right, and whether a wish could have been granted, from the lists alone.
#include "book.h"

static bool portset_has_port(const struct portset *k, uint8_t protocol)
{
	return k->n[protocol - 1] + k->statics[protocol - 1] < k->room[protocol - 1];
}

bool book_has_free_port(struct book *b, ip4 host, uint8_t protocol)
{
	for (uint32_t i = 0; i < N_POOL; i++) {
		struct pool *p = &b->pools[i];
		// The search of older blocks is made once a second, and does not notice at once
		// that an address came back.
		if (p->state != POOL_LIVE || p->readded_s == b->now_s)
			continue;
		for (uint32_t k = 0; k < p->n_blocks; k++) {
			if (p->blocks[k].owner == host && portset_has_port(&p->blocks[k], protocol))
				return true;
		}
	}
	return false;
}

static bool has_free_block(const struct pool *p)
{
	for (uint32_t k = 0; k < p->n_blocks; k++) {
		if (p->blocks[k].whole && p->blocks[k].owner == 0)
			return true;
	}
	return false;
}

// A free block whose ports of this protocol all belong to static mappings.
static bool has_hollow_block(const struct pool *p, uint8_t protocol)
{
	for (uint32_t k = 0; k < p->n_blocks; k++) {
		const struct portset *c = &p->blocks[k];
		if (c->whole && c->owner == 0 && !portset_has_port(c, protocol))
			return true;
	}
	return false;
}

static bool group_has(const struct book *b, unsigned group, uint8_t hollow_protocol)
{
	for (uint32_t i = 0; i < N_POOL; i++) {
		const struct pool *p = &b->pools[i];
		if (p->state != POOL_LIVE || p->address.group != group)
			continue;
		if (hollow_protocol ? has_hollow_block(p, hollow_protocol) : has_free_block(p))
			return true;
	}
	return false;
}

static const struct pool *paired_with(struct book *b, ip4 host)
{
	struct nat_subscriber_view view;

	if (book_count_blocks(b, host) == 0 || !nat_subscriber_find(b->n, 1, host, &view))
		return NULL;
	return book_pool(b, view.external);
}

// Full, or no place in the lines where this key may stand.
static bool table_is_full(const struct book *b, const struct nat_key *key)
{
	const struct nat *n = b->n;
	uint32_t home = hash_range(hash_u64(key_word(key), &n->secret), n->n_lines), used = 0;

	for (uint32_t i = home * 4; i < (home + PROBE_MAX) * 4; i++)
		used += (slot_at(n, i)->bits & SLOT_PROTOCOL) != 0;
	return b->n_live + b->n_statics >= b->limits.mappings || used == PROBE_MAX * 4;
}

static bool subscribers_are_full(const struct book *b, ip4 host)
{
	return nat_counters(b->n)->subscribers == b->limits.subscribers &&
	       nat_is_new_subscriber(b->n, 1, host);
}

static bool pair_is_full(struct book *b, ip4 host)
{
	const struct pool *p = paired_with(b, host);

	return p != NULL && p->state == POOL_LIVE && !has_free_block(p) &&
	       !b->policy[group_of(host)].pairing_soft;
}

void book_justify_drop(struct book *b, const struct nat_key *key, enum drop why)
{
	const struct nat_policy *policy = &b->policy[group_of(key->host)];
	uint32_t n_blocks = book_count_blocks(b, key->host);
	bool right = false;

	switch (why) {
	case DROP_TABLE_FULL:
		right = table_is_full(b, key);
		break;
	case DROP_SUBSCRIBERS_FULL:
		right = subscribers_are_full(b, key->host);
		break;
	case DROP_QUOTA_PORTS:
		right = policy->port_limit != 0 &&
			book_count_ports(b, key->host, key->protocol) >= policy->port_limit;
		break;
	case DROP_QUOTA_BLOCKS:
		right = n_blocks >= policy->block_limit &&
			!book_has_free_port(b, key->host, key->protocol);
		break;
	case DROP_NO_BLOCK:
		right = pair_is_full(b, key->host) &&
			!book_has_free_port(b, key->host, key->protocol);
		break;
	case DROP_POOL_NO_ADDRESS:
		right = !group_has(b, group_of(key->host), 0) &&
			!book_has_free_port(b, key->host, key->protocol);
		break;
	case DROP_POOL_NO_PORT:
		right = group_has(b, group_of(key->host), key->protocol) &&
			!book_has_free_port(b, key->host, key->protocol);
		break;
	case DROP_TCP_NO_SESSION: // new_packet() knows its flags
		right = key->protocol == NAT_TCP;
		break;
	case DROP_SESSIONS_FULL:
	case DROP_QUOTA_SESSIONS:
		b->used = b->n->session_used;
		right = policy->filtering[key->protocol - 1] != NAT_EIF &&
			book_room(b, *key, false) == why;
		break;
	default:
		break;
	}
	TRUTH(b, right, "drop %u for host %08x with %u blocks and %u ports", why, key->host,
		n_blocks, book_count_ports(b, key->host, key->protocol));
}

void book_justify_no_resources(struct book *b, const struct nat_key *key)
{
	unsigned group = group_of(key->host);
	bool no_port = !book_has_free_port(b, key->host, key->protocol) &&
		       (!group_has(b, group, 0) || group_has(b, group, key->protocol) ||
			       pair_is_full(b, key->host));

	TRUTH(b,
		table_is_full(b, key) || subscribers_are_full(b, key->host) ||
			b->leases_before >= b->limits.leases || no_port,
		"host %08x", key->host);
}

// ---- suggestions -----------------------------------------------------------------------------

static enum answer can_have_port(
	struct book *b, ip4 host, uint8_t protocol, const struct pool *p, uint16_t port)
{
	struct recipe at = {p->address.ip, port};
	struct portset *k = book_portset(b, at);
	bool udp_pcp = protocol == NAT_UDP && (port == 5350 || port == 5351);

	if (k == NULL || !k->whole || udp_pcp || book_find_at(b, protocol, at) ||
		book_find_rest(b, protocol, at) || book_find_static(b, protocol, at))
		return NO;
	if (k->owner == host)
		return YES;
	return k->owner == 0 && book_count_blocks(b, host) < b->policy[group_of(host)].block_limit
		       ? YES
		       : NO;
}

static enum answer can_have_address(
	struct book *b, ip4 host, uint8_t protocol, const struct pool *p)
{
	for (uint32_t k = 0; k < p->n_blocks; k++) {
		if (p->blocks[k].owner == host && portset_has_port(&p->blocks[k], protocol))
			return YES;
	}
	if (book_count_blocks(b, host) >= b->policy[group_of(host)].block_limit ||
		!has_free_block(p))
		return NO;
	return has_hollow_block(p, protocol) ? MAYBE : YES;
}

enum answer book_can_have(struct book *b, ip4 host, uint8_t protocol, struct recipe want)
{
	const struct pool *p = want.addr ? book_pool(b, want.addr) : paired_with(b, host);

	if (p == NULL)
		return want.addr ? NO : MAYBE; // a newcomer: any address may be his
	if (p->state != POOL_LIVE || p->address.group != group_of(host))
		return NO;
	if (want.port != 0)
		return can_have_port(b, host, protocol, p, want.port);
	return can_have_address(b, host, protocol, p);
}
