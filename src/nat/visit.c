// SPDX-License-Identifier: Apache-2.0
// Packets that must look closer than the two tables: SYN, FIN and RST always; all of a mapping that
// has SLOT_VISIT (from inside) or EXT_VISIT (from outside) set. That is one
//
//  - whose group filters by address, or address and port;
//  - TCP, with more than one session, one that is not plain (open both ways, or half closed), or
//  some
//    unrecorded; and without any, unless its class is ESTABLISHED (inside only);
//  - UDP that only ever sent to a port with a timer of its own (inside only);
//  - that inbound packets refresh, or that has FILTERs (outside only).
//
// Everybody else's data stays at one line each way, and the slot keeps the session's time.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

enum {
	SYSTEM_PORTS = 1024,
	REVIEW_LINES = 64
};

static enum nat_filtering filtering_on(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return policy_on(n, ext)->filtering[protocol - 1];
}

// ---- who must look closer --------------------------------------------------------------------

static bool tcp_is_busy(const struct nat *n, const struct slot *s, uint32_t anchor)
{
	const struct session *a = &n->sessions[anchor];
	uint32_t kept;

	if (anchor == NO_SESSION)
		return false;
	kept = (uint32_t)a->n_ring - a->n_begun;
	return kept > 1 || (kept == 1 && (!session_is_plain(a) || s->hangs & HANGS_LOOSE));
}

static bool is_transitory(const struct slot *s)
{
	return (s->bits & SLOT_PROTOCOL) == NAT_TCP &&
	       (s->bits & SLOT_CLASS) != CLASS_ESTABLISHED << CLASS_SHIFT;
}

// From now on the session, or else the slot, knows when the last packet came.
static void hand_time(struct nat *n, struct slot *s, uint32_t anchor, bool to_session)
{
	struct session *x = &n->sessions[anchor];

	if (anchor == NO_SESSION || !session_is_plain(x))
		return;
	if (!to_session) {
		s->tick = x->tick;
		return;
	}
	x->tick = s->tick;
	session_await(n, anchor, n->clock_s);
}

static void set_visit(struct slot *s, struct entry *e, bool inside, bool outside)
{
	s->bits = (uint8_t)((s->bits & ~SLOT_VISIT) | (inside ? SLOT_VISIT : 0));
	e->bits = (uint8_t)((e->bits & ~EXT_VISIT) | (outside ? EXT_VISIT : 0));
}

static void tcp_update(struct nat *n, uint32_t slot, uint32_t anchor)
{
	struct slot *s = slot_at(n, slot);
	struct entry *e = entry_at(n, NAT_TCP, s->ext);
	const struct nat_policy *policy = policy_on(n, s->ext);
	bool busy = policy->filtering[NAT_TCP - 1] != NAT_EIF || tcp_is_busy(n, s, anchor);
	bool inside = busy || is_transitory(s);

	if (inside != !!(s->bits & SLOT_VISIT))
		hand_time(n, s, anchor, inside);
	set_visit(s, e, inside, busy || policy->inbound_refresh || e->bits & EXT_FILTERS);
}

void visit_update(struct nat *n, uint32_t slot)
{
	struct slot *s = slot_at(n, slot);
	uint8_t protocol = s->bits & SLOT_PROTOCOL;
	struct entry *e = entry_at(n, protocol, s->ext);
	const struct nat_policy *policy = policy_on(n, s->ext);
	bool busy = policy->filtering[protocol - 1] != NAT_EIF;

	if (protocol == NAT_TCP)
		tcp_update(n, slot,
			e->bits & EXT_SESSIONS ? session_anchor(n, NAT_TCP, s->ext) : NO_SESSION);
	else
		set_visit(s, e, busy || (protocol == NAT_UDP && s->hangs & HANGS_RULE),
			busy || policy->inbound_refresh || e->bits & EXT_FILTERS);
}

// After a change of filtering or of the rules for ports, a portion of the mappings that stand.
bool step_review(struct nat *n)
{
	uint32_t all = n->n_lines + PROBE_MAX;

	for (unsigned i = 0; i < REVIEW_LINES && n->review_line < all; i++, n->review_line++) {
		for (uint32_t k = n->review_line * 4; k < n->review_line * 4 + 4; k++) {
			struct slot *s = slot_at(n, k);

			if ((s->bits & SLOT_PROTOCOL) == 0)
				continue;
			if (n->review_rules && (s->bits & SLOT_PROTOCOL) == NAT_UDP)
				s->hangs &= (uint8_t)~HANGS_RULE;
			visit_update(n, k);
		}
	}
	if (n->review_line < all)
		return true;
	if (n->review_rules)
		n->review_rules = false;
	return false;
}

void review_begin(struct nat *n, bool rules)
{
	n->review_line = 0;
	n->review_rules = n->review_rules || rules;
}

// ---- timers of ports -------------------------------------------------------------------------

static uint8_t rule_of(const struct nat *n, uint16_t port)
{
	for (unsigned i = 0; i < n->timers.n_ports && port < SYSTEM_PORTS; i++) {
		if (n->timers.ports[i].port == port)
			return (uint8_t)(i + 1);
	}
	return 0;
}

static void set_rule(struct slot *s, uint8_t rule)
{
	s->hangs = (uint8_t)((s->hangs & ~HANGS_RULE) | rule << HANGS_RULE_SHIFT);
}

// Of two such ports the longer time counts; any other port ends it for good.
static void follow_rule(struct nat *n, uint32_t slot, uint16_t port)
{
	struct slot *s = slot_at(n, slot);
	uint8_t rule = s->hangs >> HANGS_RULE_SHIFT, other;

	if (n->timers.ports[rule - 1].port == port)
		return;
	other = rule_of(n, port);
	if (other == 0) {
		set_rule(s, 0);
		visit_update(n, slot);
	} else if (n->timers.ports[other - 1].seconds > n->timers.ports[rule - 1].seconds) {
		set_rule(s, other);
	}
}

// ---- UDP and ICMP ----------------------------------------------------------------------------

// What a peer is under this filtering.
static struct recipe peer_of(enum nat_filtering filtering, uint8_t protocol, struct recipe remote)
{
	if (filtering == NAT_ADF || protocol == NAT_ICMP)
		remote.port = 0;
	return remote;
}

static void touch(struct session *x, uint32_t now_s)
{
	if (x->tick != (uint16_t)now_s)
		x->tick = (uint16_t)now_s;
}

static void drop_expired(struct nat *n, uint32_t session, uint32_t slot)
{
	session_end(n, session, slot);
	n->counters.sessions_expired++;
}

static enum drop note_peer(struct nat *n, uint32_t slot, const struct nat_out *p, uint32_t now_s)
{
	uint32_t ext = slot_at(n, slot)->ext, i;
	uint8_t protocol = p->key.protocol;
	struct recipe peer = peer_of(filtering_on(n, protocol, ext), protocol, p->remote);

	i = session_find(n, protocol, ext, peer);
	if (i == NO_SESSION)
		return session_open(n, slot, peer, NAT_OPEN, now_s);
	if (!session_is_over(n, i, now_s)) {
		touch(&n->sessions[i], now_s);
		return DROP_NONE;
	}
	drop_expired(n, i, slot);
	return session_open(n, slot, peer, NAT_OPEN, now_s);
}

static bool peers_count(const struct nat *n, uint32_t slot, uint8_t protocol)
{
	return filtering_on(n, protocol, slot_at(n, slot)->ext) != NAT_EIF;
}

static enum drop out_other(struct nat *n, uint32_t slot, struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	enum drop why = DROP_NONE;

	if (peers_count(n, slot, p->key.protocol))
		why = note_peer(n, slot, p, now_s);
	if (why != DROP_NONE)
		return why;
	if (p->key.protocol == NAT_UDP && s->hangs & HANGS_RULE)
		follow_rule(n, slot, p->remote.port);
	slot_touch(s, now_s, s->bits & SLOT_CLASS);
	return DROP_NONE;
}

// One that the inside takes part in: it lets its peer in, and keeps the mapping.
static bool is_joined(const struct nat *n, uint32_t session)
{
	return session != NO_SESSION && n->sessions[session].state != NAT_E_INIT;
}

// ---- TCP from inside -------------------------------------------------------------------------

// Every change refreshes. Whether its mapping must be looked at is asked anew only where that may
// be another answer now: not when a plain connection becomes half closed. The time is written
// before VISIT is, so that the slot takes it over, and again after, for it may have taken over the
// slot's.
static void change_state(
	struct nat *n, uint32_t slot, uint32_t session, uint8_t state, uint32_t now_s)
{
	struct session *x = &n->sessions[session];
	bool plain = session_is_plain(x), begun = x->state == NAT_E_INIT;
	uint32_t timeout = n->session_timeout[x->state];

	touch(x, now_s);
	session_set_state(n, session, state);
	if (begun || session_is_plain(x) != plain) {
		if (x->anchor)
			tcp_update(n, slot, session);
		else
			visit_update(n, slot);
		touch(x, now_s);
	}
	if (n->session_timeout[state] < timeout)
		session_await(n, session, now_s);
}

// A mapping that traffic without a record had kept so far goes on to be kept by it.
static bool has_unrecorded(const struct nat *n, const struct slot *s, uint32_t now_s)
{
	return s->bits & SLOT_SEEN && !sessions_kept(n, s) &&
	       slot_idle_s(s, now_s) <= idle_timeout(n, s);
}

static void establish_class(struct slot *s)
{
	if (!(s->hangs & HANGS_LOOSE))
		s->bits = (uint8_t)((s->bits & ~SLOT_CLASS) | CLASS_ESTABLISHED << CLASS_SHIFT);
}

static void follow_class(struct nat *n, uint32_t slot)
{
	struct slot *s = slot_at(n, slot);
	bool transitory = is_transitory(s);

	establish_class(s);
	if (is_transitory(s) != transitory)
		visit_update(n, slot);
}

static enum drop begin_inside(struct nat *n, uint32_t slot, const struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	enum drop why;

	why = session_open(n, slot, p->remote, NAT_I_INIT, now_s);
	if (why == DROP_NONE) {
		if (filtering_on(n, NAT_TCP, s->ext) == NAT_ADF)
			session_permit(n, session_find(n, NAT_TCP, s->ext, p->remote));
		establish_class(s);
	} else if (filtering_on(n, NAT_TCP, s->ext) == NAT_EIF) {
		s->hangs |= HANGS_LOOSE;
		n->counters.sessions_unrecorded++;
		why = DROP_NONE;
	}
	visit_update(n, slot);
	return why;
}

static void follow_inside(
	struct nat *n, uint32_t slot, uint32_t session, const struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	const struct nat_policy *policy = policy_on(n, s->ext);
	struct session *x = &n->sessions[session];
	uint8_t step = tcp_step(policy, x->state, INSIDE, p->tcp_flags);

	if (x->state != (step & STEP_STATE)) {
		follow_class(n, slot);
		change_state(n, slot, session, step & STEP_STATE, now_s);
	} else if (step & STEP_REFRESH) {
		touch(x, now_s);
	}
	if (policy->filtering[NAT_TCP - 1] == NAT_ADF && !x->mark && x->state != NAT_E_INIT)
		session_permit(n, session);
}

static void touch_class(struct nat *n, uint32_t slot, const struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	bool transitory = is_transitory(s);

	slot_touch(s, now_s, tcp_next_class(s->bits, p->tcp_flags, p->tcp_data));
	if (is_transitory(s) != transitory)
		visit_update(n, slot);
}

// RST does not refresh: it answers what came in, as often as not (RFC 7857 s.7.1).
static void touch_tcp(
	struct nat *n, uint32_t slot, const struct nat_out *p, bool kept, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);

	if (p->tcp_flags & TCP_RST)
		return;
	if (s->hangs & HANGS_LOOSE || !kept)
		touch_class(n, slot, p, now_s);
	else
		slot_touch(s, now_s, s->bits & SLOT_CLASS);
}

// SYN with ACK answers a SYN that found no room: this connection has no record.
static void pass_unrecorded(struct nat *n, uint32_t slot, const struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);

	if (p->tcp_flags & TCP_SYN && !(s->hangs & HANGS_LOOSE)) {
		s->hangs |= HANGS_LOOSE;
		visit_update(n, slot);
	}
	if (s->hangs & HANGS_LOOSE || !sessions_kept(n, s))
		touch_tcp(n, slot, p, false, now_s);
}

static enum drop out_tcp(struct nat *n, uint32_t slot, struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	uint32_t i = session_find(n, NAT_TCP, s->ext, p->remote);
	bool lives = i != NO_SESSION && !session_is_over(n, i, now_s);
	enum drop why;

	if (!(lives && is_joined(n, i)) && !(s->bits & SLOT_LEASE) &&
		mapping_is_idle(n, slot, now_s))
		return DROP_TCP_NO_SESSION; // the miss path ends it and may make another
	if (lives) {
		follow_inside(n, slot, i, p, now_s);
		touch_tcp(n, slot, p, is_joined(n, i) || sessions_kept(n, s), now_s);
		return DROP_NONE;
	}
	if (!tcp_begins(p->tcp_flags)) {
		pass_unrecorded(n, slot, p, now_s);
		return DROP_NONE;
	}
	if (has_unrecorded(n, s, now_s))
		s->hangs |= HANGS_LOOSE;
	if (i != NO_SESSION)
		drop_expired(n, i, slot);
	why = begin_inside(n, slot, p, now_s);
	if (why == DROP_NONE)
		touch_tcp(n, slot, p, true, now_s);
	return why;
}

enum drop visit_out(struct nat *n, uint32_t slot, struct nat_out *p, uint32_t now_s)
{
	enum drop why = p->key.protocol == NAT_TCP ? out_tcp(n, slot, p, now_s)
						   : out_other(n, slot, p, now_s);

	if (why == DROP_NONE)
		p->to = ext_recipe(n, slot_at(n, slot)->ext);
	return why;
}

// The packet that made the mapping; its caller made sure that there is room.
void visit_first(struct nat *n, uint32_t slot, const struct nat_out *p, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);
	uint8_t rule = p->key.protocol == NAT_UDP ? rule_of(n, p->remote.port) : 0;

	if (p->key.protocol == NAT_TCP) {
		begin_inside(n, slot, p, now_s);
		return;
	}
	if (peers_count(n, slot, p->key.protocol))
		note_peer(n, slot, p, now_s);
	if (rule == 0)
		return;
	set_rule(s, rule);
	visit_update(n, slot);
}

// ---- from outside ----------------------------------------------------------------------------

static enum drop keep_out(enum nat_filtering filtering, uint8_t protocol, uint8_t flags)
{
	if (protocol == NAT_TCP && tcp_begins(flags))
		return DROP_UNSOLICITED_SYN;
	return filtering == NAT_ADF ? DROP_FILTERED_ADF : DROP_FILTERED_APDF;
}

// An explicit or static mapping is there for anybody whom its FILTERs let in, and a PEER lease for
// its remote peer; else the group's filtering counts.
static enum drop admit(const struct nat *n, const struct nat_in *p, uint32_t ext, uint32_t session)
{
	enum nat_filtering filtering = filtering_on(n, p->protocol, ext);
	uint8_t hangs = 0;

	if (entry_at(n, p->protocol, ext)->bits & EXT_LEASE)
		hangs = slot_at(n, slot_find(n, &p->to))->hangs;
	if (hangs & HANGS_MAP)
		return filters_admit(n, p) ? DROP_NONE : DROP_PCP_FILTER;
	if (filtering == NAT_EIF || is_joined(n, session) ||
		(hangs & HANGS_PEER && peer_find(n, &p->to, p->from) != NO_LEASE))
		return DROP_NONE;
	if (filtering == NAT_ADF && p->protocol == NAT_TCP &&
		session_permitted(n, p->protocol, ext, p->from.addr))
		return DROP_NONE;
	return keep_out(filtering, p->protocol, p->tcp_flags);
}

// While the slot keeps the session's time it is the slot that is refreshed.
static void refresh_slot(struct nat *n, uint32_t slot, uint32_t now_s)
{
	struct slot *s = slot_at(n, slot);

	if (s->bits & SLOT_SEEN && slot_idle_s(s, now_s) <= idle_timeout(n, s))
		slot_touch(s, now_s, s->bits & SLOT_CLASS);
}

static void begin_outside(struct nat *n, const struct nat_in *p, uint32_t session, uint32_t now_s)
{
	uint32_t slot = slot_find(n, &p->to);

	if (session != NO_SESSION)
		drop_expired(n, session, slot);
	if (session_open(n, slot, p->from, NAT_E_INIT, now_s) != DROP_NONE)
		n->counters.sessions_unrecorded++;
	visit_update(n, slot);
}

static void follow_outside(
	struct nat *n, const struct nat_in *p, uint32_t ext, uint32_t session, uint32_t now_s)
{
	struct session *x = &n->sessions[session];
	const struct nat_policy *policy = policy_on(n, ext);
	uint8_t step = tcp_step(policy, x->state, OUTSIDE, p->tcp_flags);
	bool changes = x->state != (step & STEP_STATE), plain = session_is_plain(x);
	bool alone = x->anchor && x->n_ring - x->n_begun == 1;
	uint32_t slot;

	if (!changes && !(step & STEP_REFRESH))
		return;
	touch(x, now_s);
	if (!changes && !(plain && alone))
		return;
	slot = slot_find(n, &p->to);
	if (changes)
		change_state(n, slot, session, step & STEP_STATE, now_s);
	if (plain && alone && session_is_plain(x))
		refresh_slot(n, slot, now_s);
}

static void in_tcp(
	struct nat *n, const struct nat_in *p, uint32_t ext, uint32_t session, uint32_t now_s)
{
	if (session != NO_SESSION && !session_is_over(n, session, now_s))
		follow_outside(n, p, ext, session, now_s);
	else if (tcp_begins(p->tcp_flags))
		begin_outside(n, p, session, now_s);
}

static void in_other(
	struct nat *n, const struct nat_in *p, uint32_t ext, uint32_t session, uint32_t now_s)
{
	bool refresh = policy_on(n, ext)->inbound_refresh;

	if (session != NO_SESSION) {
		if (refresh)
			touch(&n->sessions[session], now_s);
		if (!n->sessions[session].mark) {
			n->sessions[session].mark = 1;
			session_await(n, session, now_s); // it has another timer now
		}
	}
	if (refresh)
		refresh_slot(n, slot_find(n, &p->to), now_s);
}

enum drop visit_in(struct nat *n, const struct nat_in *p, uint32_t ext, uint32_t now_s)
{
	struct recipe peer = p->from;
	uint32_t session, living;
	enum drop why;

	if (p->protocol != NAT_TCP)
		peer = peer_of(filtering_on(n, p->protocol, ext), p->protocol, peer);
	session = session_find(n, p->protocol, ext, peer);
	living = session != NO_SESSION && session_is_over(n, session, now_s) ? NO_SESSION : session;
	why = admit(n, p, ext, living);
	if (why != DROP_NONE)
		return why;
	if (p->protocol == NAT_TCP)
		in_tcp(n, p, ext, session, now_s);
	else
		in_other(n, p, ext, living, now_s);
	return DROP_NONE;
}

bool nat_may_complain(const struct nat *n, uint8_t protocol, struct recipe at, struct recipe remote)
{
	struct nat_in p = {.at = at, .from = remote, .protocol = protocol};
	uint32_t a = address_find(n, at.addr), ext;
	enum nat_filtering filtering;

	if (!nat_peek_in(n, protocol, at, &p.to))
		return false;
	ext = ext_of(a, at.port);
	filtering = filtering_on(n, protocol, ext);
	if (filtering == NAT_EIF)
		return true;
	if (protocol != NAT_TCP)
		remote = peer_of(filtering, protocol, remote);
	return session_find(n, protocol, ext, remote) != NO_SESSION ||
	       admit(n, &p, ext, NO_SESSION) == DROP_NONE;
}
