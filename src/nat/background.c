// SPDX-License-Identifier: Apache-2.0
// Background work in bounded portions: leases that run out, hold-down that ends, idle mappings,
// and addresses that leave.
//
// Implicit mappings have no timer. A sweep looks at every line of the table once in ten seconds;
// what it finds idle is gathered and its cold memory prefetched before the first is touched.
#include <postern/nat.h>

#include "quiet.h"
#include "sessions.h"
#include "tables.h"

enum {
	SWEEP_PERIOD_S = 10,
	SWEEP_LINES = 256,
	SWEEP_AHEAD = 16, // lines that are on their way
	STEP_ITEMS = 32,
	STEP_SET_PORTS = 64,
	DRAIN_PORTS = 1024
};

// What is left of a large set comes up again in the next portion.
static void lease_expire(struct nat *n, uint32_t lease, uint32_t *set_ports, uint32_t now_s)
{
	bool peer = n->leases[lease].state == LEASE_PEER;

	if (!lease_finish(n, lease, false, set_ports, now_s))
		wheel_add(n, lease, now_s);
	else if (peer)
		n->counters.peers_expired++;
	else
		n->counters.explicit_expired++;
}

static_assert((int)STEP_ITEMS <= (int)NAT_BURST, "what is foreseen at once");

static bool step_leases(struct nat *n, uint32_t now_s)
{
	uint32_t due[STEP_ITEMS], set_ports = STEP_SET_PORTS;
	uint32_t count = wheel_take(n, now_s, due, STEP_ITEMS);

	foresee_leases(n, due, count);
	for (uint32_t i = 0; i < count; i++) {
		if (n->leases[due[i]].state == LEASE_RESTING)
			lease_rest_over(n, due[i]);
		else
			lease_expire(n, due[i], &set_ports, now_s);
	}
	return n->wheel_s <= now_s;
}

static bool rest_is_due(const struct nat *n, uint32_t now_s)
{
	uint32_t at_s = n->rests[n->rest_head].at_protocol >> 2, hold = n->timers.hold_down;

	// For so many seconds at least; the one it began in may be nearly over.
	return n->rest_count > 0 && (hold == 0 || ((now_s - at_s) & UINT32_MAX >> 2) > hold);
}

static bool step_rests(struct nat *n, uint32_t now_s)
{
	struct rest due[STEP_ITEMS];
	unsigned count = 0;

	for (; count < STEP_ITEMS && rest_is_due(n, now_s); count++) {
		due[count] = n->rests[n->rest_head];
		n->rest_head = n->rest_head + 1 == n->rest_room ? 0 : n->rest_head + 1;
		n->rest_count--;
	}
	foresee_release(n, due, count);
	for (unsigned i = 0; i < count; i++)
		port_release(n, due[i].at_protocol & 3, due[i].ext);
	return rest_is_due(n, now_s);
}

// A leased mapping forgets traffic that has idled out, before its 16-bit tick comes round.
static inline void forget_old_traffic(const struct nat *n, struct slot *s, uint32_t idle)
{
	uint32_t timeout = slot_timeout(n, s); // of its only port, perhaps

	if ((s->bits & SLOT_PROTOCOL) == NAT_UDP) // answered or not: its block knows
		timeout = max_u32(timeout, max_u32(n->timers.udp, n->timers.udp_initial));
	if (!(s->bits & SLOT_SEEN) || idle <= timeout)
		return;
	if ((s->bits & SLOT_PROTOCOL) == NAT_TCP) {
		if (sessions_kept(n, s))
			return; // their sweep will see
		s->hangs &= (uint8_t)~HANGS_LOOSE;
	}
	s->bits = (uint8_t)(s->bits & ~SLOT_SEEN);
}

// Whether the sweep must look closer at a slot: idle beyond the shortest time that could end it, or
// TCP whose last session was found to be over by somebody else.
static inline bool is_suspect(const struct nat *n, struct slot *s, uint32_t now_s)
{
	uint32_t idle = slot_idle_s(s, now_s);

	if ((s->bits & SLOT_PROTOCOL) == 0)
		return false;
	if (!(s->bits & SLOT_LEASE) || peer_is_closed(s))
		return idle > slot_timeout(n, s) || !(s->bits & SLOT_SEEN);
	forget_old_traffic(n, s, idle);
	return false;
}

static uint32_t sweep_line(struct nat *n, uint32_t line, uint32_t now_s, uint32_t *suspects)
{
	uint32_t count = 0;

	for (uint32_t i = line * 4; i < line * 4 + 4; i++) {
		struct slot *s = slot_at(n, i);

		if (!is_suspect(n, s, now_s))
			continue;
		prefetch_write(entry_at(n, s->bits & SLOT_PROTOCOL, s->ext));
		prefetch_write(&n->blocks[block_of(n, s->ext)]);
		suspects[count++] = i;
	}
	return count;
}

// TCP closed the mapping of PEER leases. One alone is over, as an implicit mapping would be (RFC
// 6887 s.16.2, figure 16); of several nobody knows which one was meant.
static void peer_close(struct nat *n, uint32_t slot, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	uint32_t ports = 0;

	s->bits &= (uint8_t)~SLOT_SEEN;
	if (peers_on(n, slot) > 1)
		return;
	lease_finish(n, peer_anchor(n, &key), false, &ports, now_s);
	n->counters.peers_expired++;
}

static void end_if_idle(struct nat *n, const uint32_t *suspects, uint32_t count, uint32_t now_s)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct slot *s = slot_at(n, suspects[i]);
		uint32_t subscriber = n->blocks[block_of(n, s->ext)].subscriber;

		prefetch_write(&n->subscribers[subscriber - 1]);
		prefetch_write(used_words(n, s->bits & SLOT_PROTOCOL, s->ext >> 16) +
			       (s->ext & 0xffff) / 64);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!mapping_is_idle(n, suspects[i], now_s))
			continue;
		if (slot_at(n, suspects[i])->bits & SLOT_LEASE) {
			peer_close(n, suspects[i], now_s);
			continue;
		}
		implicit_expire(n, suspects[i], now_s);
	}
}

static void sweep_lines(struct nat *n, uint32_t all, uint32_t now_s)
{
	uint32_t count = 0, suspects[STEP_ITEMS + 4];
	struct quiet quiet = quiet_now(n, now_s);

	for (unsigned i = 0; i < SWEEP_LINES && n->sweep_credit > 0 && count < STEP_ITEMS; i++) {
		prefetch_read(&n->lines[n->sweep_line + SWEEP_AHEAD]);
		if (unlikely(!line_is_quiet(&n->lines[n->sweep_line], &quiet)))
			count += sweep_line(n, n->sweep_line, now_s, suspects + count);
		n->sweep_line = n->sweep_line + 1 == all ? 0 : n->sweep_line + 1;
		n->sweep_credit--;
	}
	end_if_idle(n, suspects, count, now_s);
}

static bool step_sweep(struct nat *n, uint32_t now_s)
{
	uint32_t all = n->n_lines + PROBE_MAX;

	credit_earn(&n->sweep_credit, &n->sweep_s, now_s, all, SWEEP_PERIOD_S);
	if (n->sweep_credit > 0)
		sweep_lines(n, all, now_s);
	return n->sweep_credit > 0;
}

// ---- addresses that leave --------------------------------------------------------------------

enum {
	DRAIN_ENDS = NAT_PROTOCOLS << 16 // of address.drain_at; from there on blocks are looked at
};

// None of its ports is in use any more: blocks that are kept empty go back. True: all are back.
static bool drain_blocks(struct nat *n, uint32_t a, uint32_t *budget)
{
	struct address *ad = &n->addresses[a];

	for (; *budget > 0 && ad->drain_at < DRAIN_ENDS + n->blocks_per_address; ad->drain_at++) {
		uint32_t block = a * n->blocks_per_address + (ad->drain_at - DRAIN_ENDS);
		uint32_t cost = n->blocks[block].subscriber != 0 ? DRAIN_PORTS / STEP_ITEMS : 1;

		block_return_if_empty(n, block);
		*budget -= min_u32(*budget, cost);
	}
	return ad->drain_at == DRAIN_ENDS + n->blocks_per_address;
}

// False: it must wait until clients have been told what moved.
static bool drain(struct nat *n, uint32_t a, uint32_t *budget, uint32_t now_s)
{
	struct address *ad = &n->addresses[a];

	while (*budget > 0 && ad->drain_at < DRAIN_ENDS) {
		uint8_t protocol = (uint8_t)(NAT_UDP + (ad->drain_at >> 16));
		uint32_t ext = ext_of(a, (uint16_t)ad->drain_at);
		uint32_t cost = move_away(n, protocol, ext, now_s);

		if (cost == MUST_WAIT)
			return false;
		ad->drain_at++;
		*budget -= min_u32(*budget, cost * DRAIN_PORTS / STEP_ITEMS + 1);
	}
	if (ad->drain_at >= DRAIN_ENDS && ad->n_ports == 0 && drain_blocks(n, a, budget))
		address_forget(n, a);
	return true;
}

static bool step_drain(struct nat *n, uint32_t now_s)
{
	uint32_t budget = DRAIN_PORTS;

	for (uint32_t a = 0; a < n->n_addresses && n->n_draining > 0 && budget > 0; a++) {
		if (n->addresses[a].state == ADDRESS_DRAINING && !drain(n, a, &budget, now_s))
			return false;
	}
	return budget == 0;
}

bool nat_step(struct nat *n, uint32_t now_s)
{
	bool more;

	if (n->salt_s != now_s)
		n->salt = rng_u64(&n->rng);
	n->salt_s = n->clock_s = now_s;
	more = step_leases(n, now_s);
	more |= step_rests(n, now_s);
	more |= step_sweep(n, now_s);
	more |= step_sessions(n, now_s);
	more |= step_review(n);
	more |= step_waits(n, now_s);
	if (n->n_draining > 0)
		more |= step_drain(n, now_s);
	return more;
}
