// SPDX-License-Identifier: Apache-2.0
// What the background does to sessions, and whether tables and book still tell the same of them.
#include "book.h"

static bool still_there(const struct book *b, const struct flow *f)
{
	uint32_t slot = slot_find(b->n, &f->key);

	return slot != NO_SLOT && session_find(b->n, f->key.protocol, slot_at(b->n, slot)->ext,
					  f->remote) != NO_SESSION;
}

// What was swept away; the mappings that went with their last session are gone already.
void book_reconcile_flows(struct book *b)
{
	for (uint32_t i = b->n_flows; i > 0; i--) {
		struct flow *f = &b->flows[i - 1];
		if (!still_there(b, f))
			book_expire_flow(b, book_find(b, f->key), f);
	}
	for (uint32_t i = 0; i < b->n_live; i++) {
		struct mapping *m = &b->live[i];
		const struct slot *s = slot_at(b->n, slot_find(b->n, &m->key));

		if (m->loose && !(s->hangs & HANGS_LOOSE)) {
			TRUTH(b, !book_has_traffic(b, m), "port %u", m->key.port);
			TRUTH(b, !book_is_kept(b, m->key), "port %u", m->key.port);
			m->loose = false;
			m->sent_s = 0;
		}
		if (m->key.protocol == NAT_TCP)
			book_update_plain(b, m);
	}
	b->used = b->n->session_used;
}

struct audit {
	struct book *book;
	uint32_t seen;
};

static bool see(void *ctx, const struct nat_session_view *view)
{
	struct audit *a = ctx;
	struct book *b = a->book;
	const struct flow *f = book_find_flow(b, view->key, view->remote);

	TRUTH(b, f != NULL && !book_flow_is_over(b, f), "port %u", view->remote.port);
	TRUTH(b, view->state == f->state, "%u, not %u", view->state, f->state);
	TRUTH(b, view->left_s == book_flow_left_s(b, f), "%u s, not %u", view->left_s,
		book_flow_left_s(b, f));
	TRUTH(b, view->group == book_group(b, view->key), "group %u", view->group);
	a->seen++;
	return true;
}

void book_audit_flows(struct book *b)
{
	struct audit a = {b, 0};
	uint32_t over = 0;

	for (uint32_t i = 0; i < b->n_flows; i++) {
		const struct flow *f = &b->flows[i];
		uint32_t cursor = 0, first = 0;

		over += book_flow_is_over(b, f);
		while (!key_eq(b->flows[first].key, f->key))
			first++;
		if (first < i)
			continue;
		while (!nat_session_walk(b->n, &f->key, &cursor, 3, b->now_s, see, &a))
			;
	}
	TRUTH(b, a.seen + over == b->n_flows, "%u and %u of %u", a.seen, over, b->n_flows);
}

void book_check_flows(struct book *b)
{
	const struct nat_counters *c = nat_counters(b->n);

	TRUTH(b, c->sessions == b->n_flows, "%u", b->n_flows);
	TRUTH(b, c->sessions_created == b->flows_made, "%u", (unsigned)b->flows_made);
	TRUTH(b, c->sessions_expired >= b->flows_expired, "%u", (unsigned)b->flows_expired);
	TRUTH(b, c->sessions_unrecorded == b->unrecorded, "%u", (unsigned)b->unrecorded);
}

// Two seconds of the sweep, and one that is told in whole seconds.
void book_check_flows_settled(struct book *b)
{
	for (uint32_t i = 0; i < b->n_flows; i++) {
		const struct flow *f = &b->flows[i];
		TRUTH(b, book_flow_idle_s(b, f) <= book_flow_timeout(b, f) + 3, "%u s late",
			book_flow_idle_s(b, f) - book_flow_timeout(b, f));
	}
}
