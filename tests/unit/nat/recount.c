// SPDX-License-Identifier: Apache-2.0
// Every number the room keeps beside its tables, derived once more from the tables alone: overflow
// counts, used bits, blocks, lists, subscribers, leases, the wheel, hold-down and the gauges.
#include "recount.h"

#include <stdio.h>
#include <stdlib.h>

#include "tables.h"

struct count {
	const struct nat *n;
	char *text;
	uint32_t mappings, resting, on_wheel;
	uint32_t extras, filters, texts, peers, in_rings;
	uint32_t holding, of_pool; // subscribers who hold something; blocks that no plan gives
	uint32_t *ports;           // by subscriber and protocol: mapped
	uint32_t *leases; // by subscriber: living ones, ports of dynamic ones, resting, static
	uint32_t *blocks; // by subscriber
};

enum {
	LIVING,
	PORTS,
	RESTING,
	STATIC,
	LEASE_NUMBERS
};

#define AGREE(c, condition, ...)                                                                   \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			snprintf((c)->text, RECOUNT_TEXT, #condition ": " __VA_ARGS__);            \
			return false;                                                              \
		}                                                                                  \
	} while (0)

static uint32_t home_of(const struct nat *n, const struct slot *s)
{
	struct nat_key key = slot_key(s);

	return hash_range(hash_u64(key_word(&key), &n->secret), n->n_lines);
}

static bool check_slot_lease(struct count *c, uint32_t i)
{
	const struct nat *n = c->n;
	const struct slot *s = slot_at(n, i);
	const struct lease *l = &n->leases[lease_on(n, i)];
	const struct extra *x = lease_extra(n, l);
	const struct entry *e = entry_at(n, s->bits & SLOT_PROTOCOL, s->ext);

	AGREE(c, l->state == LEASE_LIVE || l->state == LEASE_STATIC, "slot %u", i);
	AGREE(c, !(s->hangs & HANGS_SET) == !(l->flags & LEASE_SET), "slot %u", i);
	AGREE(c, s->set_at < lease_ports(n, l), "slot %u", i);
	AGREE(c, l->ext + s->set_at == s->ext, "slot %u", i);
	AGREE(c, l->key.port + s->set_at == s->port, "slot %u", i);
	AGREE(c, (s->set_at == 0) == (l->slot == i), "slot %u", i);
	AGREE(c, !(e->bits & EXT_FILTERS) == (x == NULL || x->filters == 0), "slot %u", i);
	return true;
}

static bool check_slot(struct count *c, uint32_t i, uint8_t *overflow)
{
	const struct nat *n = c->n;
	const struct slot *s = slot_at(n, i);
	struct nat_key key = slot_key(s);
	uint64_t hash = hash_u64(key_word(&key), &n->secret);
	uint32_t home = home_of(n, s);
	const struct entry *e = entry_at(n, key.protocol, s->ext);

	AGREE(c, table_find(n, &key, hash) == i, "slot %u", i);
	AGREE(c, i / 4 - home <= n->probe_max && n->probe_max < PROBE_MAX, "slot %u", i);
	for (uint32_t line = home; line < i / 4; line++)
		overflow[line] = (uint8_t)(overflow[line] + (overflow[line] < OVF_MAX));
	AGREE(c, (e->bits & EXT_STATE) == EXT_MAPPED, "slot %u ext %08x", i, s->ext);
	AGREE(c, e->host == key.host && e->port == key.port && e->realm == key.realm, "slot %u", i);
	AGREE(c, !(e->bits & EXT_LEASE) == !(s->bits & SLOT_LEASE), "slot %u", i);
	AGREE(c, !(s->hangs & HANGS_LEASE) == !(s->bits & SLOT_LEASE), "slot %u", i);
	AGREE(c, (peer_anchor(n, &key) == NO_LEASE) == !(s->hangs & HANGS_PEER), "slot %u", i);
	AGREE(c, (lease_on(n, i) == NO_LEASE) == !(s->hangs & HANGS_MAP), "slot %u", i);
	AGREE(c, (s->hangs & HANGS_MAP) || !(s->hangs & HANGS_SET || e->bits & EXT_FILTERS),
		"slot %u", i);
	if (!recount_visit(n, i, c->text))
		return false;
	c->mappings++;
	return !(s->hangs & HANGS_MAP) || check_slot_lease(c, i);
}

static bool check_slots(struct count *c)
{
	const struct nat *n = c->n;
	uint32_t n_lines = n->n_lines + PROBE_MAX;
	uint8_t *overflow = calloc(n_lines, 1);
	bool good = true;

	for (uint32_t i = 0; good && i < n_lines * 4; i++) {
		if (slot_at(n, i)->bits & SLOT_PROTOCOL)
			good = check_slot(c, i, overflow);
	}
	for (uint32_t i = 0; good && i < n_lines; i++) {
		unsigned said = 0;
		for (unsigned b = 0; b < 4; b++)
			said |= (unsigned)(n->lines[i].slot[b].bits >> 7) << b;
		good = said == overflow[i] || said == OVF_MAX; // a full count stays
		if (!good)
			snprintf(c->text, RECOUNT_TEXT, "line %u overflow %u, not %u", i, said,
				overflow[i]);
	}
	free(overflow);
	return good;
}

// ---- external ports --------------------------------------------------------------------------

static bool is_static(const struct nat *n, uint8_t protocol, const struct entry *e)
{
	struct nat_key key = {e->host, e->port, e->realm, protocol};
	uint32_t i = e->bits & EXT_LEASE ? lease_find(n, &key, false) : NO_LEASE;

	return i != NO_LEASE && n->leases[i].state == LEASE_STATIC;
}

struct tally { // of one block, or one address
	uint32_t mapped, resting, statics;
};

static bool check_port(struct count *c, uint8_t protocol, uint32_t ext, struct tally *t)
{
	const struct nat *n = c->n;
	const struct entry *e = entry_at(n, protocol, ext);
	const struct address *ad = &n->addresses[ext >> 16];
	uint32_t port = ext & 0xffff, owner = n->blocks[block_of(n, ext)].subscriber;
	bool used = used_words(n, protocol, ext >> 16)[port / 64] >> port % 64 & 1;
	unsigned state = e->bits & EXT_STATE;

	if (ad->state != ADDRESS_NONE)
		AGREE(c,
			used == (state != EXT_FREE ||
					port_is_reserved(ad, protocol, (uint16_t)port)),
			"ext %08x protocol %u", ext, protocol);
	if (state == EXT_FREE)
		return true;
	if (state == EXT_MAPPED && is_static(n, protocol, e)) {
		t->statics++;
		return true;
	}
	if (port_is_explicit(ad, port)) {
		AGREE(c, owner == 0, "ext %08x is explicit and in a block", ext);
		t->statics++;               // of the address, but of no block
		if (state == EXT_RESTING) { // perhaps of one who is gone
			c->resting++;
			return true;
		}
		owner = subscriber_find(n, e->realm, e->host) + 1;
		c->ports[(owner - 1) * NAT_PROTOCOLS + protocol - 1u]++;
		return true;
	}
	AGREE(c, owner != 0, "ext %08x protocol %u belongs to no block", ext, protocol);
	AGREE(c, n->subscribers[owner - 1].host == e->host, "ext %08x", ext);
	AGREE(c, n->subscribers[owner - 1].realm == e->realm, "ext %08x", ext);
	AGREE(c,
		!(e->bits & EXT_REPLIED) || state == EXT_RESTING ||
			n->blocks[block_of(n, ext)].replied,
		"ext %08x", ext);
	t->mapped += state == EXT_MAPPED;
	t->resting += state == EXT_RESTING;
	if (state == EXT_MAPPED)
		c->ports[(owner - 1) * NAT_PROTOCOLS + protocol - 1u]++;
	return true;
}

static bool check_block(struct count *c, uint32_t a, uint32_t i, struct tally *sum)
{
	const struct nat *n = c->n;
	uint32_t size = UINT32_C(1) << n->addresses[a].shift, block = a * n->blocks_per_address + i;
	const struct block *b = &n->blocks[block];
	bool whole = i * size >= n->addresses[a].port_first &&
		     (i + 1) * size - 1 <= n->addresses[a].port_last;
	bool is_free = n->free_blocks[(size_t)a * n->block_words + i / 64] >> i % 64 & 1;
	struct tally t = {0};

	for (uint8_t protocol = NAT_UDP; protocol <= NAT_ICMP; protocol++) {
		for (uint32_t p = i * size; p < (i + 1) * size; p++) {
			if (!check_port(c, protocol, ext_of(a, (uint16_t)p), &t))
				return false;
		}
	}
	AGREE(c, is_free == (whole && b->subscriber == 0), "block %u", block);
	AGREE(c, (n->tenures[block].since_s != 0) == (b->subscriber != 0), "block %u", block);
	AGREE(c,
		b->subscriber == 0 ||
			n->tenures[block].host == n->subscribers[b->subscriber - 1].host,
		"block %u", block);
	c->of_pool += b->subscriber != 0 && !block_is_planned(n, block);
	AGREE(c,
		b->subscriber == 0 || b->used > 0 ||
			n->policies[n->addresses[a].group].block_timeout != 0,
		"block %u is held for nothing", block);
	AGREE(c, b->used == t.mapped + t.resting, "block %u says %u", block, b->used);
	AGREE(c, b->live == t.mapped, "block %u says %u", block, b->live);
	if (b->subscriber != 0)
		c->blocks[b->subscriber - 1]++;
	sum->mapped += t.mapped;
	sum->resting += t.resting;
	sum->statics += t.statics;
	return true;
}

static bool check_address(struct count *c, uint32_t a)
{
	const struct nat *n = c->n;
	const struct address *ad = &n->addresses[a];
	uint32_t n_free = 0;
	struct tally sum = {0};

	for (uint32_t w = 0; w < n->block_words; w++)
		n_free += (uint32_t)__builtin_popcountll(
			n->free_blocks[(size_t)a * n->block_words + w]);
	for (uint32_t i = 0; i < 65536u >> ad->shift; i++) {
		if (!check_block(c, a, i, &sum))
			return false;
	}
	AGREE(c, ad->n_free == n_free, "address %u says %u", a, ad->n_free);
	AGREE(c, ad->n_ports == sum.mapped + sum.resting + sum.statics, "address %u says %u", a,
		ad->n_ports);
	AGREE(c, ad->listed == (ad->state == ADDRESS_LIVE && n_free > 0), "address %u", a);
	AGREE(c, address_find(n, ad->ip) == a, "address %u", a);
	c->resting += sum.resting;
	return true;
}

static bool check_addresses(struct count *c)
{
	const struct nat *n = c->n;
	uint32_t known = 0, draining = 0, listed = 0, in_lists = 0;

	for (uint32_t a = 0; a < n->n_addresses; a++) {
		if (n->addresses[a].state == ADDRESS_NONE)
			continue;
		if (!check_address(c, a))
			return false;
		known++;
		draining += n->addresses[a].state == ADDRESS_DRAINING;
		listed += n->addresses[a].listed;
	}
	for (unsigned g = 0; g < NAT_MAX_GROUPS; g++) {
		uint32_t i = n->group_list[g];
		for (; i != 0 && in_lists <= listed; in_lists++) {
			AGREE(c, n->addresses[n->addresses[i - 1].next - 1].prev == i, "group %u",
				g);
			AGREE(c, n->addresses[i - 1].group == g, "group %u", g);
			i = n->addresses[i - 1].next;
			if (i == n->group_list[g])
				i = 0;
		}
	}
	AGREE(c, listed == in_lists, "%u and %u", listed, in_lists);
	AGREE(c, n->n_draining == draining, "%u and %u", n->n_draining, draining);
	AGREE(c, n->counters.addresses == known, "%u", known);
	AGREE(c, n->counters.resting == c->resting, "%u", c->resting);
	return true;
}

// ---- leases and the wheel --------------------------------------------------------------------

// A list that never ends is as wrong as one that is too short.
static uint32_t free_of(const struct slab *s)
{
	uint32_t count = 0;

	for (uint32_t i = s->free; i != 0 && count <= s->high; count++)
		memcpy(&i, s->items + (size_t)(i - 1) * s->size, sizeof i);
	return count;
}

static bool check_extra(struct count *c, uint32_t i)
{
	const struct nat *n = c->n;
	const struct lease *l = &n->leases[i];
	const struct extra *x = lease_extra(n, l);
	uint32_t filters = 0;

	AGREE(c, x != NULL || (l->state != LEASE_PEER && !(l->flags & LEASE_SET)), "lease %u", i);
	if (x == NULL)
		return true;
	AGREE(c, l->state == LEASE_LIVE || l->state == LEASE_PEER, "lease %u", i);
	for (uint32_t f = x->filters; f != 0 && filters <= x->n_filters; filters++)
		f = ((const struct filter *)(const void *)n->filters.items)[f - 1].next;
	AGREE(c, filters == x->n_filters, "lease %u says %u", i, x->n_filters);
	AGREE(c, l->state == LEASE_LIVE || filters == 0, "lease %u", i);
	AGREE(c, text_length(n, x) > 0 || x->text == 0, "lease %u", i);
	c->extras++;
	c->filters += filters;
	c->texts += x->text != 0;
	return true;
}

static bool check_peer(struct count *c, uint32_t i)
{
	const struct nat *n = c->n;
	const struct lease *l = &n->leases[i];
	const struct extra *x = lease_extra(n, l);
	uint32_t in_ring = 0, at = i;

	c->peers++;
	AGREE(c, peer_find(n, &l->key, (struct recipe){x->remote_addr, x->remote_port}) == i,
		"lease %u", i);
	AGREE(c, lease_extra(n, &n->leases[x->peer_next - 1])->peer_prev == i + 1, "lease %u", i);
	if (!(l->flags & LEASE_ANCHOR))
		return true;
	do {
		AGREE(c, n->leases[at].state == LEASE_PEER, "lease %u", at);
		AGREE(c, key_word(&n->leases[at].key) == key_word(&l->key), "lease %u", at);
		AGREE(c, n->leases[at].expiry_s <= max_u32(l->expiry_s, n->wheel_s),
			"lease %u outlives %u", at, i);
		at = lease_extra(n, &n->leases[at])->peer_next - 1;
	} while (at != i && ++in_ring < x->n_peers);
	AGREE(c, at == i && in_ring + 1 == x->n_peers, "lease %u says %u", i, x->n_peers);
	c->in_rings += x->n_peers;
	return true;
}

static void charge(struct count *c, const struct lease *l)
{
	uint32_t *of = &c->leases[l->subscriber * LEASE_NUMBERS];

	of[RESTING] += l->state == LEASE_RESTING;
	of[STATIC] += l->state == LEASE_STATIC;
	of[LIVING] += l->state != LEASE_RESTING;
	if (l->state == LEASE_LIVE || l->state == LEASE_PEER) {
		of[PORTS] += lease_ports(c->n, l);
	}
}

static bool check_lease(struct count *c, uint32_t i)
{
	const struct nat *n = c->n;
	const struct lease *l = &n->leases[i];
	const struct entry *e = entry_at(n, l->key.protocol, l->ext);
	const struct chunk *chunk = &n->chunks[l->wheel >> 4];

	charge(c, l);
	AGREE(c, e->host == l->key.host && e->port == l->key.port, "lease %u", i);
	AGREE(c, n->subscribers[l->subscriber].host == l->key.host, "lease %u", i);
	AGREE(c, (l->wheel == 0) == (l->state == LEASE_STATIC), "lease %u", i);
	if (l->wheel != 0) {
		AGREE(c, (l->wheel & 15) < chunk->n, "lease %u", i);
		AGREE(c, chunk->lease[l->wheel & 15] == i, "lease %u", i);
		c->on_wheel++;
	}
	if (!check_extra(c, i))
		return false;
	if (l->state == LEASE_RESTING) {
		AGREE(c, (e->bits & EXT_STATE) == EXT_RESTING, "lease %u", i);
		return true;
	}
	AGREE(c, slot_at(n, l->slot)->ext == l->ext, "lease %u", i);
	AGREE(c, slot_at(n, l->slot)->hangs & (l->state == LEASE_PEER ? HANGS_PEER : HANGS_MAP),
		"lease %u", i);
	return l->state != LEASE_PEER || check_peer(c, i);
}

static bool check_slabs(struct count *c)
{
	const struct nat *n = c->n;

	AGREE(c, n->counters.lease_details == c->extras, "%u", c->extras);
	AGREE(c, n->extras.high - free_of(&n->extras) == c->extras, "%u", c->extras);
	AGREE(c, n->filters.high - free_of(&n->filters) == c->filters, "%u", c->filters);
	AGREE(c, n->texts.high - free_of(&n->texts) == c->texts, "%u", c->texts);
	AGREE(c, n->counters.filters == c->filters, "%u", c->filters);
	AGREE(c, n->counters.descriptions == c->texts, "%u", c->texts);
	AGREE(c, c->peers == c->in_rings, "%u and %u", c->peers, c->in_rings);
	return true;
}

static bool check_leases(struct count *c)
{
	const struct nat *n = c->n;
	uint32_t used = 0, statics = 0, on_wheel = 0, chunks = 0;

	for (uint32_t i = 0; i < n->lease_high; i++) {
		bool vacant = n->lease_vacant.levels[0][i / 64] >> i % 64 & 1;

		AGREE(c, vacant == (n->leases[i].state == LEASE_FREE), "lease %u", i);
		if (vacant)
			continue;
		used++;
		statics += n->leases[i].state == LEASE_STATIC;
		if (!check_lease(c, i))
			return false;
	}
	for (uint32_t s = 0; s < WHEEL_SLOTS; s++) {
		for (uint32_t k = n->wheel[s]; k != 0; k = n->chunks[k].next) {
			AGREE(c, n->chunks[k].slot == s, "chunk %u", k);
			AGREE(c,
				k == n->wheel[s] ? n->chunks[k].n > 0
						 : n->chunks[k].n == CHUNK_ITEMS,
				"chunk %u", k);
			on_wheel += n->chunks[k].n;
			chunks++;
		}
	}
	for (uint32_t k = n->chunk_free; k != 0; k = n->chunks[k].next)
		chunks++;
	AGREE(c, chunks + 1 == n->chunk_high && n->chunk_high <= n->n_chunks, "%u chunks", chunks);
	AGREE(c, on_wheel == c->on_wheel, "%u and %u", on_wheel, c->on_wheel);
	AGREE(c, n->counters.leases == used, "%u", used);
	AGREE(c, n->n_statics == statics, "%u", statics);
	return check_slabs(c);
}

// ---- subscribers -----------------------------------------------------------------------------

static bool check_siblings(struct count *c, uint32_t i)
{
	const struct nat *n = c->n;
	uint32_t living = c->leases[i * LEASE_NUMBERS + LIVING], in_list = 0, before = 0;

	for (uint32_t l = n->subscribers[i].leases; l != 0 && in_list <= living; in_list++) {
		AGREE(c, n->leases[l - 1].subscriber == i, "lease %u", l - 1);
		AGREE(c, n->leases[l - 1].sibling_prev == before, "lease %u", l - 1);
		before = l;
		l = n->leases[l - 1].sibling_next;
	}
	AGREE(c, in_list == living, "subscriber %u: %u of %u", i, in_list, living);
	return true;
}

static bool check_subscriber(struct count *c, uint32_t i)
{
	const struct nat *n = c->n;
	const struct subscriber *s = &n->subscribers[i];
	const uint32_t *of = &c->leases[i * LEASE_NUMBERS];
	uint32_t in_list = 0, before = 0;
	bool active = s->active == 0, paired = s->blocks == 0 || s->n_statics > 0;

	for (uint32_t b = s->blocks; b != 0 && in_list <= c->blocks[i]; in_list++) {
		AGREE(c, n->blocks[b - 1].subscriber == i + 1, "subscriber %u", i);
		AGREE(c, n->blocks[b - 1].prev == before, "subscriber %u", i);
		active |= s->active == b;
		paired |= (b - 1) / n->blocks_per_address == s->address;
		before = b;
		b = n->blocks[b - 1].next;
	}
	AGREE(c, in_list == c->blocks[i] && s->n_blocks == in_list, "subscriber %u", i);
	AGREE(c, active && paired, "subscriber %u", i);
	AGREE(c, subscriber_find(n, s->realm, s->host) == i, "subscriber %u", i);
	AGREE(c, s->n_leases == of[PORTS], "subscriber %u says %u", i, s->n_leases);
	AGREE(c, s->n_resting == of[RESTING], "subscriber %u says %u", i, s->n_resting);
	AGREE(c, s->n_statics == of[STATIC], "subscriber %u says %u", i, s->n_statics);
	if (!check_siblings(c, i))
		return false;
	AGREE(c,
		subscriber_holds(s) || s->epoch_base_s != 0 ||
			n->policies[s->group].pairing_retention != 0,
		"subscriber %u is kept for nothing", i);
	for (unsigned p = 0; p < NAT_PROTOCOLS; p++)
		AGREE(c, s->n_ports[p] == c->ports[i * NAT_PROTOCOLS + p],
			"subscriber %u protocol %u says %u, not %u", i, p, s->n_ports[p],
			c->ports[i * NAT_PROTOCOLS + p]);
	AGREE(c, !(s->told & TOLD_PAIR) == !subscriber_holds(s), "subscriber %u", i);
	c->holding += subscriber_holds(s);
	return true;
}

static bool check_groups(struct count *c)
{
	struct nat_group_counters sum = {0};

	for (unsigned g = 0; g < NAT_MAX_GROUPS; g++) {
		sum.total_active_subscribers += c->n->group_counters[g].total_active_subscribers;
		sum.blocks_allocated += c->n->group_counters[g].blocks_allocated;
		sum.total_port_mappings += c->n->group_counters[g].total_port_mappings;
		sum.addresses_total += c->n->group_counters[g].addresses_total;
	}
	AGREE(c, sum.total_active_subscribers == c->holding, "%u", c->holding);
	AGREE(c, sum.blocks_allocated == c->of_pool, "%u", c->of_pool);
	AGREE(c, sum.total_port_mappings == c->mappings, "%u", c->mappings);
	AGREE(c, sum.addresses_total == c->n->counters.addresses, "%ju",
		(uintmax_t)c->n->counters.addresses);
	return true;
}

static bool check_subscribers(struct count *c)
{
	const struct nat *n = c->n;
	uint32_t used = 0, blocks = 0;

	for (uint32_t i = 0; i < n->subscriber_high; i++) {
		if (!n->subscribers[i].used)
			continue;
		used++;
		blocks += c->blocks[i];
		if (!check_subscriber(c, i))
			return false;
	}
	AGREE(c, n->counters.subscribers == used, "%u", used);
	AGREE(c, n->counters.subscribers_created - n->counters.subscribers_removed == used, "%u",
		used);
	AGREE(c, n->counters.blocks == blocks, "%u", blocks);
	AGREE(c, n->counters.blocks_taken - n->counters.blocks_returned == blocks, "%u", blocks);
	AGREE(c, n->counters.mappings == c->mappings, "%u", c->mappings);
	AGREE(c, n->counters.mappings <= n->limits.mappings, "%u", c->mappings);
	return true;
}

bool recount(const struct nat *n, char text[RECOUNT_TEXT])
{
	size_t subscribers = n->limits.subscribers;
	uint32_t *numbers =
		calloc(subscribers * (NAT_PROTOCOLS + LEASE_NUMBERS + 1) + 1, sizeof *numbers);
	struct count c = {.n = n,
		.text = text,
		.ports = numbers,
		.leases = numbers + subscribers * NAT_PROTOCOLS,
		.blocks = numbers + subscribers * (NAT_PROTOCOLS + LEASE_NUMBERS)};
	bool good;

	text[0] = 0;
	good = check_slots(&c) && check_addresses(&c) && check_leases(&c) &&
	       check_subscribers(&c) && check_groups(&c) && recount_sessions(n, text);
	free(numbers);
	return good;
}
