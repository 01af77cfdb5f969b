// SPDX-License-Identifier: Apache-2.0
// The deal. Where a group has at least as many addresses as there are workers, each address is
// given whole, so that an ICMP error or a trailing fragment finds its owner by address alone. The
// addresses are walked in the order of the receive-side scaling entry they hash to; those of one
// entry stay with one worker as long as that leaves him within his fair share, and all others go to
// the least loaded: so nobody ends with two addresses more than anybody else.
//
// Where there are fewer, all pieces of all addresses are laid on one line, and the line is cut into
// equal runs: a worker has at most one run of each address, which his port blocks need.
//
// A deal with a past keeps what stays, hands out what is new, and only when that would leave a
// worker without a share deals afresh (which conf_restart_leaves() then sees and names).
//
// Of a deterministic group the plan deals the hosts' ports. The overflow part of every address is
// cut among all workers, because every worker has hosts there who are paired with it. That follows
// from the plan and the number of workers alone, which only a restart changes.
#include "deal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	NOBODY = 255
};

struct deal { // of one group
	struct conf *c;
	const struct conf *previous;
	uint8_t group;
	const uint32_t *order; // indices of its addresses
	uint32_t n;
	uint32_t n_kept;
	struct deal_pieces pieces;
	uint32_t unit;                   // what a whole address weighs
	uint32_t load[CONF_MAX_WORKERS]; // pieces, of this group
	uint8_t entry_owner[CONF_RETA];
	uint64_t *total; // pieces by worker, of the groups before
};

bool deal_has_block(uint32_t first, uint32_t last, uint32_t size)
{
	uint32_t start = (first + size - 1) / size * size;

	return start + size - 1 <= last;
}

// ---- pieces ----------------------------------------------------------------------------------

uint32_t deal_first(const struct conf_group *g)
{
	const struct nat_plan *p = g->nat.plan;

	return p ? p->port_first + p->hosts_per_address * p->ports_per_host : g->port_first;
}

static uint32_t divide_up(uint32_t n, uint32_t by)
{
	return (n + by - 1) / by;
}

// Of an overflow part, which begins with a whole block: whole blocks, so many that the pieces
// suffice.
static uint32_t piece_size(const struct conf_group *g)
{
	uint32_t size = g->nat.port_set_size;

	if (!g->nat.plan)
		return DEAL_PIECE;
	return max_u32(divide_up((g->port_last + 1u - deal_first(g)) / size, CONF_CUT), 1) * size;
}

uint32_t deal_piece(const struct conf_group *g, uint32_t port)
{
	uint32_t first = g->nat.plan ? deal_first(g) : 0;

	return port < first ? 0 : min_u32((port - first) / piece_size(g), CONF_CUT - 1);
}

uint32_t deal_piece_start(const struct conf_group *g, uint32_t piece)
{
	return (g->nat.plan ? deal_first(g) : 0) + piece * piece_size(g);
}

struct deal_pieces deal_explicit_pieces(const struct conf_group *g)
{
	uint32_t first = g->nat.explicit_first / DEAL_PIECE;
	uint32_t end = g->nat.explicit_last / DEAL_PIECE + 1u;

	if (g->nat.explicit_first == 0)
		return (struct deal_pieces){0, 0};
	if (g->nat.explicit_first < g->port_first)
		end = min_u32(end, g->port_first / DEAL_PIECE);
	else
		first = max_u32(first, g->port_last / DEAL_PIECE + 1u);
	return (struct deal_pieces){first, first < end ? end - first : 0};
}

struct deal_pieces deal_pieces(uint32_t first, uint32_t last, uint32_t size)
{
	struct deal_pieces found = {0, 0};

	for (uint32_t p = 0; p < CONF_CUT && size > 0; p++) {
		uint32_t low = max_u32(first, p * DEAL_PIECE);
		uint32_t high = min_u32(last, p * DEAL_PIECE + DEAL_PIECE - 1);
		if (low > high || !deal_has_block(low, high, size))
			continue;
		if (found.n++ == 0)
			found.first = p;
	}
	return found;
}

static uint32_t rss_entry(const struct conf *c, uint32_t i)
{
	return toeplitz_ip4(&c->toeplitz, c->external[i].ip) % CONF_RETA;
}

// ---- giving ----------------------------------------------------------------------------------

static void give_whole(struct deal *d, struct conf_external *e, uint8_t worker)
{
	e->whole = worker;
	memset(e->owner, worker, sizeof e->owner);
	d->load[worker] += d->unit;
}

static uint8_t least_loaded(const struct deal *d)
{
	uint8_t best = 0;

	for (uint8_t w = 1; w < d->c->n_workers; w++) {
		if (d->load[w] < d->load[best] ||
			(d->load[w] == d->load[best] && d->total[w] < d->total[best]))
			best = w;
	}
	return best;
}

static uint8_t choose(struct deal *d, uint32_t i)
{
	uint8_t *owner = &d->entry_owner[rss_entry(d->c, i)];
	uint64_t fair = (uint64_t)d->n * d->unit;

	if (*owner == NOBODY || (uint64_t)(d->load[*owner] + d->unit) * d->c->n_workers > fair)
		*owner = least_loaded(d);
	return *owner;
}

static bool has_one_owner(const struct conf_external *e)
{
	return memcmp(e->owner, e->owner + 1, sizeof e->owner - 1) == 0;
}

// The pieces outside the dynamic ports (static mappings, ICMP) go with their neighbour.
static void finish_cut(const struct deal *d, struct conf_external *e)
{
	uint32_t first = d->pieces.first, last = first + d->pieces.n - 1;

	memset(e->owner, e->owner[first], first);
	memset(e->owner + last, e->owner[last], CONF_CUT - last);
	e->whole = has_one_owner(e) ? e->owner[0] : CONF_CUT_ADDRESS;
}

static void deal_line(struct deal *d)
{
	uint32_t n_workers = d->c->n_workers, length = d->n * d->pieces.n, place = 0;
	uint8_t w = 0;

	for (uint32_t i = 0; i < d->n; i++) {
		struct conf_external *e = &d->c->external[d->order[i]];
		for (uint32_t p = 0; p < d->pieces.n; p++, place++) {
			while (place >= (w + 1u) * length / n_workers)
				w++;
			e->owner[d->pieces.first + p] = w;
			d->load[w]++;
		}
		finish_cut(d, e);
	}
}

// A new address in a pool that is cut: piece by piece to the least loaded, then laid in runs.
static void deal_among_all(struct deal *d, struct conf_external *e)
{
	uint32_t count[CONF_MAX_WORKERS] = {0}, p = d->pieces.first;

	for (uint32_t i = 0; i < d->pieces.n; i++) {
		uint8_t w = least_loaded(d);
		d->load[w]++;
		count[w]++;
	}
	for (uint8_t w = 0; w < d->c->n_workers; w++) {
		memset(e->owner + p, w, count[w]);
		p += count[w];
	}
	finish_cut(d, e);
}

static void deal_new(struct deal *d)
{
	bool cut = d->n < d->c->n_workers && d->pieces.n > 0;

	if (cut && d->n_kept == 0) {
		deal_line(d);
		return;
	}
	for (uint32_t i = 0; i < d->n; i++) {
		struct conf_external *e = &d->c->external[d->order[i]];
		if (e->owner[0] != NOBODY)
			continue;
		if (cut)
			deal_among_all(d, e);
		else
			give_whole(d, e, choose(d, d->order[i]));
	}
}

// Address by address somebody else begins, so that nobody has the longer runs of all of them, and
// where the pieces are too few for all of an address's workers, each has some of some address.
static void deal_overflow(struct deal *d)
{
	const struct conf_group *g = &d->c->groups[d->group];
	uint32_t n_workers = d->c->n_workers, size = g->nat.port_set_size;
	uint32_t blocks = (g->port_last + 1u - deal_first(g)) / size;
	uint32_t n = divide_up(blocks, piece_size(g) / size);
	uint32_t runs = min_u32(n, n_workers), place = 0;

	for (uint32_t i = 0; i < d->n; i++, place += n < n_workers ? n : 1) {
		struct conf_external *e = &d->c->external[d->order[i]];

		for (uint32_t p = 0; p < CONF_CUT; p++) {
			uint32_t run = n == 0 ? 0 : min_u32(p, n - 1) * runs / n;
			e->owner[p] = (uint8_t)((place + run) % n_workers);
			d->load[e->owner[p]] += p < n;
		}
		e->whole = n_workers > 1 ? CONF_CUT_ADDRESS : 0;
	}
}

// ---- keeping ---------------------------------------------------------------------------------

const struct conf_external *deal_find_external(const struct conf *c, ip4 ip)
{
	uint32_t low = 0, high = c->n_external;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (c->external[middle].ip < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->n_external && c->external[low].ip == ip ? &c->external[low] : NULL;
}

// Pieces that had no dynamic port go with their neighbour again: they may have been dealt as parts
// of a port-forwarding-range.
static void copy_owners(
	struct conf_external *e, const struct conf_external *old, const struct conf_group *was)
{
	uint32_t first = was->port_first / DEAL_PIECE, last = was->port_last / DEAL_PIECE;

	memcpy(e->owner, old->owner, sizeof e->owner);
	memset(e->owner, e->owner[first], first);
	memset(e->owner + last, e->owner[last], CONF_CUT - last);
	e->whole = has_one_owner(e) ? e->owner[0] : CONF_CUT_ADDRESS;
}

static void keep(struct deal *d, uint32_t i, const struct conf_external *old)
{
	struct conf_external *e = &d->c->external[i];

	d->n_kept++;
	copy_owners(e, old, &d->previous->groups[d->group]);
	if (e->whole != CONF_CUT_ADDRESS) {
		give_whole(d, e, e->whole);
		d->entry_owner[rss_entry(d->c, i)] = e->whole;
		return;
	}
	for (uint32_t p = 0; p < d->pieces.n; p++)
		d->load[e->owner[d->pieces.first + p]]++;
}

static void forget(struct deal *d)
{
	d->n_kept = 0;
	memset(d->load, 0, sizeof d->load);
	memset(d->entry_owner, NOBODY, sizeof d->entry_owner);
	for (uint32_t i = 0; i < d->n; i++)
		d->c->external[d->order[i]].owner[0] = NOBODY;
}

static void keep_all(struct deal *d)
{
	const struct conf *old = d->previous;

	if (!old || old->n_workers != d->c->n_workers || !old->groups[d->group].used ||
		old->groups[d->group].nat.plan)
		return;
	for (uint32_t i = 0; i < d->n; i++) {
		const struct conf_external *e =
			deal_find_external(old, d->c->external[d->order[i]].ip);
		if (e && e->group == d->group)
			keep(d, d->order[i], e);
	}
}

static void note_cut_owners(const struct deal *d, uint32_t i, bool has[CONF_MAX_WORKERS])
{
	struct nat_address share;

	for (uint16_t w = 0; w < d->c->n_workers; w++) {
		if (conf_external_share(d->c, i, w, &share) &&
			deal_has_block(share.port_first, share.port_last, share.port_set_size))
			has[w] = true;
	}
}

static bool everyone_has_a_share(const struct deal *d)
{
	bool has[CONF_MAX_WORKERS] = {false}, all = true;

	for (uint32_t i = 0; i < d->n; i++) {
		const struct conf_external *e = &d->c->external[d->order[i]];
		if (e->whole != CONF_CUT_ADDRESS)
			has[e->whole] = true;
		else
			note_cut_owners(d, d->order[i], has);
	}
	for (uint16_t w = 0; w < d->c->n_workers; w++)
		all &= has[w];
	return all;
}

// ---- ports of explicit mappings --------------------------------------------------------------

// The workers that have dynamic ports of an address, in the order of their runs.
static uint32_t find_sharers(
	const struct deal *d, const struct conf_external *e, uint8_t sharers[CONF_MAX_WORKERS])
{
	const uint8_t *owner = e->owner + d->pieces.first;
	uint32_t n = 0;

	for (uint32_t p = 0; p < d->pieces.n; p++) {
		if (p == 0 || owner[p] != owner[p - 1])
			sharers[n++ % CONF_MAX_WORKERS] = owner[p];
	}
	return min_u32(n, CONF_MAX_WORKERS);
}

// Whoever has dynamic ports of an address that is cut gets a run of its port-forwarding-range too,
// because his subscribers are paired with it. It follows from the cut, and so stays with that.
static void deal_explicit(struct deal *d, struct conf_external *e)
{
	struct deal_pieces apart = deal_explicit_pieces(&d->c->groups[d->group]);
	uint8_t sharers[CONF_MAX_WORKERS];
	uint32_t n;

	if (e->whole != CONF_CUT_ADDRESS || apart.n == 0 || d->pieces.n == 0)
		return;
	n = find_sharers(d, e, sharers);
	for (uint32_t p = 0; p < apart.n; p++)
		e->owner[apart.first + p] = sharers[p * n / apart.n];
}

// ---- the whole -------------------------------------------------------------------------------

static void deal_pool(struct deal *d)
{
	const struct conf_group *g = &d->c->groups[d->group];

	d->pieces = deal_pieces(g->port_first, g->port_last, g->nat.port_set_size);
	d->unit = max_u32(d->pieces.n, 1);
	forget(d);
	keep_all(d);
	deal_new(d);
	if (d->n_kept > 0 && !everyone_has_a_share(d)) {
		forget(d);
		deal_new(d);
	}
	for (uint32_t i = 0; i < d->n; i++)
		deal_explicit(d, &d->c->external[d->order[i]]);
}

static void deal_group(struct deal *d)
{
	if (d->c->groups[d->group].nat.plan)
		deal_overflow(d);
	else
		deal_pool(d);
	for (uint32_t w = 0; w < d->c->n_workers; w++)
		d->total[w] += d->load[w];
}

struct place {
	uint8_t group;
	uint8_t entry;
	uint32_t index; // ascending by address already
};

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->entry != b->entry)
		return a->entry < b->entry ? -1 : 1;
	return a->index < b->index ? -1 : 1;
}

static void sort_addresses(const struct conf *c, struct place *places, uint32_t *order)
{
	for (uint32_t i = 0; i < c->n_external; i++)
		places[i] = (struct place){c->external[i].group, (uint8_t)rss_entry(c, i), i};
	qsort(places, c->n_external, sizeof *places, compare_places);
	for (uint32_t i = 0; i < c->n_external; i++)
		order[i] = places[i].index;
}

int deal_all(struct conf *c, const struct conf *previous)
{
	uint64_t total[CONF_MAX_WORKERS] = {0};
	struct place *places = calloc(c->n_external + 1u, sizeof *places);
	uint32_t *order = calloc(c->n_external + 1u, sizeof *order);
	int error = places && order ? 0 : -ENOMEM;

	if (!error)
		sort_addresses(c, places, order);
	for (uint32_t at = 0; !error && at < c->n_external;) {
		uint8_t group = places[at].group;
		struct deal d = {.c = c,
			.previous = previous,
			.group = group,
			.order = order + at,
			.n = c->groups[group].n_external,
			.total = total};
		deal_group(&d);
		at += d.n;
	}
	free(places);
	free(order);
	return error;
}
