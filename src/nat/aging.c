// SPDX-License-Identifier: Apache-2.0
// Sessions that idle out. A sweep ends what is over: the session, the mapping that it was the last
// to keep, the PEER lease whose flow TCP closed. A look-up does not wait for it: what is over
// counts as absent.
//
// Records stand in groups of 16, and session_due[] says of each group before which second none of
// its sessions can be over. Once in two seconds the sweep comes by every group, but reads one word
// of it unless it is due. With 1 M idle connections all background took 7.0 M cycles a second
// before and 2.0 M after.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

enum {
	SWEEP_PERIOD_S = 2,
	SWEEP_GROUPS = 1024, // or 64 that are due
	DUE_COST = 16,
	STEP_ENDS = 32
};

static_assert((int)STEP_ENDS >= (int)SESSION_GROUP, "a group that is due is looked at as a whole");

// TCP closed the flow of a PEER lease: it is over as an implicit mapping would be (RFC 6887
// s.16.2, figure 16). With a MAP lease closing means nothing.
static void peer_closes(struct nat *n, uint32_t slot, struct recipe remote, uint32_t now_s)
{
	const struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	uint32_t i, ports = 0;

	if ((s->hangs & HANGS_LEASE) != HANGS_PEER)
		return;
	i = peer_find(n, &key, remote);
	if (i == NO_LEASE)
		return;
	lease_finish(n, i, false, &ports, now_s);
	n->counters.peers_expired++;
}

static void tcp_expired(
	struct nat *n, uint32_t slot, struct recipe remote, bool closed, uint32_t now_s)
{
	const struct slot *s = slot_at(n, slot);

	if (!(s->bits & SLOT_LEASE) && !sessions_kept(n, s) && mapping_is_idle(n, slot, now_s)) {
		implicit_expire(n, slot, now_s);
		return;
	}
	visit_update(n, slot);
	if (closed)
		peer_closes(n, slot, remote, now_s);
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
	uint32_t a;

	if (x->anchor)
		return false;
	a = session_anchor(n, x->protocol, x->ext);
	return a == NO_SESSION || n->sessions[a].ring != x->ring;
}

// One whose time its slot keeps is looked up there once in a timeout.
static bool is_due(struct nat *n, uint32_t session, uint32_t now_s)
{
	struct session *x = &n->sessions[session];

	if (x->state == NAT_CLOSED || x->state >= SESSION_PERMIT || is_forgotten(n, x))
		return false;
	x->tick = (uint16_t)(now_s - session_idle_s(n, x, now_s));
	if (session_own_idle_s(x, now_s) > session_timeout(n, x))
		return true;
	session_await(n, session, now_s);
	return false;
}

// When a session is over by its own clock, or now.
static uint32_t due_s(const struct nat *n, const struct session *x, uint32_t now_s)
{
	uint32_t idle = session_own_idle_s(x, now_s), timeout = session_timeout(n, x);

	return idle > timeout ? now_s : now_s + timeout - idle + 1;
}

void session_await(struct nat *n, uint32_t session, uint32_t now_s)
{
	uint32_t *due = &n->session_due[session / SESSION_GROUP];

	*due = min_u32(*due, due_s(n, &n->sessions[session], now_s));
}

static uint32_t groups(const struct nat *n)
{
	return (n->session_high + SESSION_GROUP - 1) / SESSION_GROUP;
}

// Gathers those of a group that look old; says when the others may.
static uint32_t gather(struct nat *n, uint32_t group, uint32_t now_s, uint32_t *old)
{
	uint32_t first = group * SESSION_GROUP, count = 0, next_s = UINT32_MAX;
	uint32_t end = min_u32(first + SESSION_GROUP, n->session_high);

	for (uint32_t i = first; i < end; i++) {
		const struct session *x = &n->sessions[i];
		uint32_t at_s;

		if (x->state == NAT_CLOSED || x->state >= SESSION_PERMIT)
			continue;
		at_s = due_s(n, x, now_s);
		if (at_s <= now_s)
			old[count++] = i;
		else
			next_s = min_u32(next_s, at_s);
	}
	n->session_due[group] = next_s;
	return count;
}

// What the end of those gathered touches is on its way before the first is looked at.
static bool sweep(struct nat *n, uint32_t now_s)
{
	uint32_t old[STEP_ENDS], count = 0, budget = SWEEP_GROUPS;

	credit_earn(&n->session_credit, &n->session_s, now_s, groups(n), SWEEP_PERIOD_S);
	while (budget >= DUE_COST && n->session_credit > 0 && count + SESSION_GROUP <= STEP_ENDS) {
		uint32_t group = n->session_at++;

		if (n->session_due[group] <= now_s || n->session_unsure > 0) {
			count += gather(n, group, now_s, old + count);
			budget -= DUE_COST - 1;
		}
		budget--;
		n->session_credit--;
		n->session_unsure -= n->session_unsure > 0;
		if (n->session_at * SESSION_GROUP >= n->session_high)
			n->session_at = 0;
	}
	foresee_sessions(n, old, count);
	for (uint32_t i = 0; i < count; i++) {
		if (is_due(n, old[i], now_s))
			expire(n, old[i], now_s);
	}
	return n->session_credit > 0;
}

// Other timers: what the groups say is no more than a guess until the sweep has seen each of them.
void sessions_doubt(struct nat *n)
{
	n->session_unsure = groups(n);
}

bool step_sessions(struct nat *n, uint32_t now_s)
{
	bool more = step_graves(n);

	return sweep(n, now_s) || more;
}
