// SPDX-License-Identifier: Apache-2.0
// Sessions once more, from the records alone: rings and their order, anchors, permits, graves, the
// bits that make packets look closer, and every number kept beside them.
#include <stdio.h>
#include <stdlib.h>

#include "recount.h"
#include "sessions.h"
#include "tables.h"

#define AGREE(text, condition, ...)                                                                \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			snprintf(text, RECOUNT_TEXT, #condition ": " __VA_ARGS__);                 \
			return false;                                                              \
		}                                                                                  \
	} while (0)

struct count {
	const struct nat *n;
	char *text;
	uint32_t *of;      // by subscriber
	uint32_t *holders; // by permit
	uint32_t sessions, graves, permits;
	uint32_t group[NAT_MAX_GROUPS];
};

bool recount_visit(const struct nat *n, uint32_t slot, char text[RECOUNT_TEXT])
{
	const struct slot *s = slot_at(n, slot);
	uint8_t protocol = s->bits & SLOT_PROTOCOL;
	const struct entry *e = entry_at(n, protocol, s->ext);
	const struct nat_policy *policy = &n->policies[n->addresses[s->ext >> 16].group];
	uint32_t a = session_anchor(n, protocol, s->ext);
	bool busy = policy->filtering[protocol - 1] != NAT_EIF;
	bool inside = protocol == NAT_UDP && s->hangs & HANGS_RULE;

	AGREE(text, (a != NO_SESSION) == !!(e->bits & EXT_SESSIONS), "slot %u", slot);
	if (n->review_line < n->n_lines + PROBE_MAX)
		return true;
	if (protocol == NAT_TCP)
		inside = (s->bits & SLOT_CLASS) != CLASS_ESTABLISHED << CLASS_SHIFT;
	if (protocol == NAT_TCP && a != NO_SESSION) {
		const struct session *x = &n->sessions[a];
		unsigned kept = (unsigned)x->n_ring - x->n_begun;

		busy |= kept > 1 || (kept > 0 && !session_is_plain(x)) ||
			(kept > 0 && s->hangs & HANGS_LOOSE);
	}
	AGREE(text, !(s->bits & SLOT_VISIT) == !(busy || inside), "slot %u", slot);
	AGREE(text,
		!(e->bits & EXT_VISIT) ==
			!(busy || policy->inbound_refresh || e->bits & EXT_FILTERS),
		"slot %u", slot);
	return true;
}

static bool check_permit(struct count *c, uint32_t i)
{
	const struct nat *n = c->n;
	const struct session *x = &n->sessions[i];

	AGREE(c->text, x->state != NAT_E_INIT, "session %u", i);
	for (uint32_t p = 0; p < n->session_high; p++) {
		const struct session *permit = &n->sessions[p];
		if (permit->state != SESSION_PERMIT || permit->ring != x->ring ||
			permit->remote != x->remote)
			continue;
		c->holders[p]++;
		return true;
	}
	AGREE(c->text, false, "session %u has no permit", i);
}

// Whether the sweep will come in time. A packet may have come after the last second that the tables
// know of; then the record is as good as new.
static bool is_awaited(const struct nat *n, uint32_t i)
{
	const struct session *x = &n->sessions[i];
	uint32_t now_s = max_u32(n->clock_s, n->session_s), idle = session_own_idle_s(x, now_s);

	return n->session_unsure > 0 || idle > IDLE_MAX_S / 2 ||
	       n->session_due[i / SESSION_GROUP] <=
		       now_s + max_u32(session_timeout(n, x), idle) - idle + 1;
}

static bool check_session(struct count *c, uint32_t i, const struct session *anchor)
{
	const struct nat *n = c->n;
	const struct session *x = &n->sessions[i];
	struct recipe remote = {x->remote, x->remote_port};

	AGREE(c->text, x->ring == anchor->ring && x->ext == anchor->ext, "session %u", i);
	AGREE(c->text, x->protocol == anchor->protocol, "session %u", i);
	AGREE(c->text, (x->state == NAT_OPEN) == (x->protocol != NAT_TCP), "session %u", i);
	AGREE(c->text, x->state > NAT_CLOSED && x->state < NAT_STATES, "session %u", i);
	AGREE(c->text, x->anchor == (x == anchor), "session %u", i);
	AGREE(c->text, session_find(n, x->protocol, x->ext, remote) == i, "session %u", i);
	AGREE(c->text, n->sessions[x->next - 1].prev == i + 1, "session %u", i);
	AGREE(c->text, is_awaited(n, i), "session %u", i);
	return x->protocol != NAT_TCP || !x->mark || check_permit(c, i);
}

static bool check_ring(struct count *c, uint32_t a)
{
	const struct nat *n = c->n;
	const struct session *anchor = &n->sessions[a];
	const struct entry *e = entry_at(n, anchor->protocol, anchor->ext);
	uint32_t s = subscriber_find(n, e->realm, e->host), i = a, begun = 0;

	AGREE(c->text, (e->bits & EXT_STATE) == EXT_MAPPED, "session %u", a);
	AGREE(c->text, e->bits & EXT_SESSIONS && s != NO_SUBSCRIBER, "session %u", a);
	AGREE(c->text, session_anchor(n, anchor->protocol, anchor->ext) == a, "session %u", a);
	for (uint32_t k = 0; k < anchor->n_ring; k++) {
		bool is_begun = n->sessions[i].state == NAT_E_INIT;

		if (!check_session(c, i, anchor))
			return false;
		AGREE(c->text, is_begun || begun == 0, "session %u stands behind", i);
		begun += is_begun;
		i = n->sessions[i].next - 1;
	}
	AGREE(c->text, i == a && begun == anchor->n_begun, "session %u says %u", a,
		anchor->n_begun);
	c->sessions += anchor->n_ring;
	c->of[s] += anchor->n_ring;
	c->group[n->addresses[anchor->ext >> 16].group] += anchor->n_ring;
	return true;
}

static bool check_graves(struct count *c)
{
	const struct nat *n = c->n;

	for (uint32_t g = n->graves; g != 0; g = n->sessions[g - 1].chain) {
		uint32_t i = g;

		AGREE(c->text, n->sessions[g - 1].state == SESSION_GRAVE, "session %u", g - 1);
		do {
			const struct session *x = &n->sessions[i - 1];

			AGREE(c->text, c->graves++ < n->session_high, "session %u", g - 1);
			AGREE(c->text, n->sessions[x->next - 1].prev == i, "session %u", i - 1);
			if (i != g && x->protocol == NAT_TCP && x->mark && !check_permit(c, i - 1))
				return false;
			i = x->next;
		} while (i != g);
	}
	return true;
}

static bool check_numbers(struct count *c)
{
	const struct nat *n = c->n;
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < n->session_high; i++) {
		if (n->sessions[i].state != SESSION_PERMIT)
			continue;
		AGREE(c->text, n->sessions[i].n_ring == c->holders[i] && c->holders[i] > 0,
			"permit %u says %u", i, n->sessions[i].n_ring);
		c->permits++;
	}
	for (uint32_t i = n->session_free; i != 0 && n_free <= n->session_high; n_free++)
		i = n->sessions[i - 1].chain;
	AGREE(c->text, n->session_used == c->sessions + c->graves + c->permits, "%u",
		n->session_used);
	AGREE(c->text, n->session_used + n_free == n->session_high, "%u free", n_free);
	AGREE(c->text, n->session_high <= n->limits.sessions, "%u", n->session_high);
	AGREE(c->text, n->counters.sessions == c->sessions, "%u", c->sessions);
	for (uint32_t i = 0; i < n->subscriber_high; i++)
		AGREE(c->text, n->subscribers[i].n_sessions == c->of[i], "subscriber %u says %u", i,
			n->subscribers[i].n_sessions);
	for (uint32_t i = 0; i < NAT_MAX_GROUPS; i++)
		AGREE(c->text, n->group_counters[i].total_sessions == c->group[i], "group %u", i);
	return true;
}

bool recount_sessions(const struct nat *n, char text[RECOUNT_TEXT])
{
	uint32_t *numbers =
		calloc((size_t)n->limits.subscribers + n->limits.sessions + 1, sizeof *numbers);
	struct count c = {
		.n = n, .text = text, .of = numbers, .holders = numbers + n->limits.subscribers};
	bool good = true;

	for (uint32_t i = 0; good && i < n->session_high; i++)
		good = !n->sessions[i].anchor || check_ring(&c, i);
	good = good && check_graves(&c) && check_numbers(&c);
	free(numbers);
	return good;
}
