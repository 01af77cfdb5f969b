// SPDX-License-Identifier: Apache-2.0
// Sessions that idle out. A sweep looks at every record once in two seconds and ends what is over:
// the session, the mapping that it was the last to keep, the PEER lease whose flow TCP closed. A
// look-up does not wait for it: what is over counts as absent.
#include <postern/nat.h>

#include "tables.h"

enum {
	SWEEP_PERIOD_S = 2,
	SWEEP_RECORDS = 1024,
	STEP_ENDS = 32
};

// TCP closed the flow of a PEER lease: it is over as an implicit mapping would be (RFC 6887
// s.16.2, figure 16). With a MAP lease closing means nothing.
static bool peer_closes(struct nat *n, uint32_t slot, struct recipe remote, uint32_t now_s)
{
	const struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	uint32_t i, ports = 0;

	if ((s->hangs & HANGS_LEASE) != HANGS_PEER)
		return false;
	i = peer_find(n, &key, remote);
	if (i == NO_LEASE)
		return false;
	lease_finish(n, i, false, &ports, now_s);
	n->counters.peers_expired++;
	return true;
}

static void tcp_expired(
	struct nat *n, uint32_t slot, struct recipe remote, bool closed, uint32_t now_s)
{
	const struct slot *s = slot_at(n, slot);

	visit_update(n, slot);
	if (closed && peer_closes(n, slot, remote, now_s))
		return;
	if (s->bits & SLOT_LEASE || sessions_kept(n, s) || !mapping_is_idle(n, slot, now_s))
		return;
	implicit_expire(n, slot, now_s);
}

static void expire(struct nat *n, uint32_t session, uint32_t now_s)
{
	const struct session *x = &n->sessions[session];
	struct recipe remote = session_remote(x);
	uint8_t protocol = x->protocol, state = x->state;
	uint32_t slot = session_slot(n, x);

	session_end(n, session, slot);
	n->counters.sessions_expired++;
	if (protocol == NAT_TCP && state != NAT_E_INIT)
		tcp_expired(n, slot, remote, state == NAT_BOTH_FIN || state == NAT_TRANS, now_s);
}

// Its mapping ended: it waits to be freed.
static bool is_forgotten(const struct nat *n, const struct session *x)
{
	uint32_t a = session_anchor(n, x->protocol, x->ext);

	return a == NO_SESSION || n->sessions[a].ring != x->ring;
}

// One whose time its slot keeps is looked up there once in a timeout.
static bool is_due(struct nat *n, uint32_t session, uint32_t now_s)
{
	struct session *x = &n->sessions[session];
	uint32_t timeout, idle;

	if (x->state == NAT_CLOSED || x->state >= SESSION_PERMIT)
		return false;
	timeout = session_timeout(n, x);
	if (session_own_idle_s(x, now_s) <= timeout || is_forgotten(n, x))
		return false;
	idle = session_idle_s(n, x, now_s);
	x->tick = (uint16_t)(now_s - idle);
	return idle > timeout;
}

static bool is_old(const struct nat *n, const struct session *x, uint32_t now_s)
{
	return x->state != NAT_CLOSED && x->state < SESSION_PERMIT &&
	       session_own_idle_s(x, now_s) > session_timeout(n, x);
}

static void earn_credit(struct nat *n, uint32_t now_s)
{
	uint64_t credit = (uint64_t)(now_s - n->session_s) * (n->session_high / SWEEP_PERIOD_S + 1);

	if (now_s == n->session_s)
		return;
	credit += n->session_credit;
	n->session_credit = credit > n->session_high ? n->session_high : (uint32_t)credit;
	n->session_s = now_s;
}

// Those that look old are gathered, and what their end touches is on its way before the first is
// looked at.
static bool sweep(struct nat *n, uint32_t now_s)
{
	uint32_t old[STEP_ENDS], count = 0;

	earn_credit(n, now_s);
	for (unsigned i = 0; i < SWEEP_RECORDS && n->session_credit > 0 && count < STEP_ENDS; i++) {
		if (n->session_at >= n->session_high)
			n->session_at = 0;
		if (is_old(n, &n->sessions[n->session_at], now_s))
			old[count++] = n->session_at;
		n->session_at++;
		n->session_credit--;
	}
	foresee_sessions(n, old, count);
	for (uint32_t i = 0; i < count; i++) {
		if (is_due(n, old[i], now_s))
			expire(n, old[i], now_s);
	}
	return n->session_credit > 0;
}

bool step_sessions(struct nat *n, uint32_t now_s)
{
	bool more = step_graves(n);

	return sweep(n, now_s) || more;
}
