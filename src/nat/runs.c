// SPDX-License-Identifier: Apache-2.0
// Consecutive external ports for a set: always inside one port block, so that the block's owner is
// the owner of all of them. PCP's own UDP ports count as used, so no run has them inside.
#include <postern/nat.h>

#include "tables.h"

static bool is_used(const uint64_t *words, uint32_t port)
{
	return words[port / 64] >> port % 64 & 1;
}

// The longest run in from..end-1, up to `want`; the first of several.
static uint32_t longest_run(const uint64_t *words, uint32_t from, uint32_t end, uint32_t want,
	const struct run *run, uint32_t *first)
{
	uint32_t best = 0, length = 0;

	for (uint32_t port = from; port < end && best < want; port++) {
		bool odd = (port ^ run->like) & 1;

		if (port % 64 == 0 && words[port / 64] == UINT64_MAX) {
			length = 0;
			port += 63;
			continue;
		}
		if (is_used(words, port) || (length == 0 && run->parity && odd)) {
			length = 0;
			continue;
		}
		if (++length > best) {
			best = length;
			*first = port + 1 - length;
		}
	}
	return best;
}

// A search from anywhere on, for ports that nobody can guess, in steps that leave room for more
// sets of this size; then, when it found less than wished, from the first port on.
uint32_t run_within(struct nat *n, uint32_t address, uint32_t begin, uint32_t size,
	const struct run *run, uint32_t *ext)
{
	const uint64_t *words = used_words(n, run->protocol, address);
	uint32_t want = min_u32(run->n_ports, size), step = 1, first = 0, start, length;

	while (step < want)
		step *= 2;
	start = begin + rng_below(&n->rng, max_u32(size / step, 1)) * step;
	length = longest_run(words, start, begin + size, want, run, &first);
	if (length < want)
		length = longest_run(words, begin, begin + size, want, run, &first);
	*ext = ext_of(address, (uint16_t)first);
	return length;
}

static uint32_t block_run(struct nat *n, uint32_t block, const struct run *run, uint32_t *ext)
{
	return run_within(n, block >> n->block_bits, block_first_port(n, block),
		block_size(n, block), run, ext);
}

static bool may_use(const struct nat *n, const struct subscriber *s, uint32_t block)
{
	uint32_t a = block >> n->block_bits;

	return n->addresses[a].state == ADDRESS_LIVE && (a == s->address || !pair_is_usable(n, s));
}

// The best run of his own blocks, the active one first.
static uint32_t run_of_own(
	struct nat *n, const struct subscriber *s, const struct run *run, uint32_t *ext)
{
	uint32_t b = s->active != 0 ? s->active : s->blocks, best = 0;

	for (unsigned i = 0; i < OLD_BLOCKS_TRIED && b != 0 && best < run->n_ports; i++) {
		uint32_t found,
			length = may_use(n, s, b - 1) ? block_run(n, b - 1, run, &found) : 0;

		if (length > best) {
			best = length;
			*ext = found;
		}
		b = i == 0 && s->active != 0 ? s->blocks : n->blocks[b - 1].next;
	}
	return best;
}

// A new block is taken if it has a longer run than the old ones.
static uint32_t run_of_new(struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	const struct run *run, uint32_t best, uint32_t *ext)
{
	uint32_t block, found, length;

	if (block_find(n, policy, subscriber, &block) != DROP_NONE)
		return best;
	length = block_run(n, block, run, &found);
	if (length <= best || length < run->least)
		return best;
	block_take(n, subscriber, block);
	*ext = found;
	return length;
}

bool run_choose(
	struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run)
{
	const struct subscriber *s = &n->subscribers[subscriber];
	uint32_t ext = 0, best = run_of_own(n, s, run, &ext);

	if (best < run->n_ports)
		best = run_of_new(n, policy, subscriber, run, best, &ext);
	if (best < run->least)
		return false;
	run->n_ports = best;
	run->ext = ext;
	pair_with(n, &n->subscribers[subscriber], block_of(n, ext));
	return true;
}

bool run_claim(struct nat *n, const struct nat_policy *policy, uint32_t subscriber, struct run *run)
{
	uint32_t a = run->ext >> 16, first = run->ext & 0xffff;
	uint32_t n_ports = min_u32(run->n_ports, UINT32_C(1) << n->addresses[a].shift);
	const uint64_t *words = used_words(n, run->protocol, a);

	if (n_ports < run->least || (run->parity && (first ^ run->like) & 1) ||
		first + n_ports > 65536 ||
		block_of(n, run->ext) != block_of(n, run->ext + n_ports - 1))
		return false;
	for (uint32_t port = first; port < first + n_ports; port++) {
		if (is_used(words, port))
			return false;
	}
	if (!port_claim(n, policy, subscriber, run->protocol, run->ext))
		return false;
	run->n_ports = n_ports;
	return true;
}
