// SPDX-License-Identifier: Apache-2.0
// MAP with lifetime 0 (RFC 6887 s.15, s.15.1): the end of one mapping; in NAT-PMP and version 1
// also of all of a port, a protocol or a host.
#include "judge.h"

// s.15, s.18.1: unless the operator allows it, no request makes a mapping end sooner than its
// traffic would have let it.
uint32_t traffic_keeps_s(const struct question *q, const struct nat_view *view)
{
	return !q->policy->early_delete && view->traffic ? view->idle_left_s : 0;
}

// s.15.1: the assigned fields of a delete's answer are copies of the suggested ones, so the
// message stays as it is; NAT-PMP says port 0 (RFC 6886 s.3.4).
enum pcp_result deleted(struct question *q)
{
	if (q->m.dialect == PCP_NATPMP)
		q->m.external_port = 0;
	q->lifetime_s = 0;
	q->counters->maps_deleted++;
	return PCP_SUCCESS;
}

// What traffic keeps is shortened to its idle time instead, nonce and all: the same delete again
// then gets the same kind of answer, and nobody else gets the port meanwhile.
static enum nat_grant shorten(struct question *q, const struct nat_view *view, uint32_t left_s)
{
	struct nat_wish wish = make_wish(q, &view->key, view->external, left_s);
	struct nat_view now;

	wish.exact = view->exact;
	wish.n_ports = view->n_ports;
	wish.has_nonce = view->has_nonce;
	memcpy(wish.nonce, view->nonce, sizeof wish.nonce);
	wish.third_party = view->third_party;
	return nat_lease_map(q->nat, q->nat_policy, q->asker->group, &wish, q->now_s, &now);
}

// Whether it is gone; if not, *left_s says for how long traffic keeps it.
static bool end_lease(struct question *q, const struct nat_view *view, uint32_t *left_s)
{
	*left_s = traffic_keeps_s(q, view);
	if (*left_s > 0 && shorten(q, view, *left_s) == NAT_GRANTED)
		return false;
	nat_lease_end(q->nat, &view->key, q->policy->early_delete, q->now_s);
	*left_s = 0;
	return true;
}

static enum pcp_result end_explicit(struct question *q, const struct nat_view *view)
{
	uint32_t left_s;

	if (view->operators)
		return refuse(q, PCP_NOT_AUTHORIZED);
	end_lease(q, view, &left_s);
	deleted(q);
	// Version 1a and NAT-PMP have no other answer than "gone".
	if (q->m.dialect != PCP_V1A && q->m.dialect != PCP_NATPMP)
		q->lifetime_s = left_s;
	return PCP_SUCCESS;
}

enum pcp_result judge_delete(struct question *q, const struct nat_view *view)
{
	tell_deleted(q, view);
	if (view->kind == NAT_EXPLICIT)
		return end_explicit(q, view);
	if (view->kind == NAT_ABSENT || view->kind == NAT_RESTING)
		return deleted(q);
	// Draft -07 skips what cannot be deleted. NAT-PMP knows of mappings that were asked for and
	// of manual ones: an outbound flow is neither.
	if (q->m.dialect == PCP_V1A)
		return deleted(q);
	if (q->m.dialect == PCP_NATPMP && view->kind != NAT_STATIC)
		return deleted(q);
	return refuse(q, PCP_NOT_AUTHORIZED);
}

// ---- many ------------------------------------------------------------------------------------

enum {
	PORTION = 64, // mappings found and ended at once
	MOST = 8192,  // leases that one request looks at
};

struct sweep { // one walk over a host's leases
	struct question *q;
	bool any_protocol;
	uint8_t protocol;
	unsigned n, n_kept; // found; matching, and not to be deleted
	unsigned n_seen;
	uint32_t cursor;
	struct nat_view found[PORTION];
};

static bool is_in_scope(const struct sweep *s, const struct nat_view *view)
{
	const struct pcp_message *m = &s->q->m;

	if (view->kind != NAT_EXPLICIT && view->kind != NAT_STATIC)
		return false;
	if (m->scope == PCP_ALL_OF_PORT)
		return m->internal_port >= view->key.port &&
		       m->internal_port - view->key.port < view->n_ports;
	return m->scope == PCP_ALL || s->any_protocol || view->key.protocol == s->protocol;
}

static bool sweep_see(void *ctx, const struct nat_view *view)
{
	struct sweep *s = ctx;
	uint32_t left_s = traffic_keeps_s(s->q, view);

	if (s->n == PORTION)
		return false;
	s->n_seen++;
	if (!is_in_scope(s, view))
		return true;
	if (view->kind == NAT_STATIC || view->operators || !may_manage(s->q, view, true)) {
		s->n_kept++;
		return true;
	}
	if (left_s > 0 && view->lease_left_s <= left_s) // shortened already
		return true;
	s->found[s->n++] = *view;
	return true;
}

// One portion: true when there may be another. The walk stops at a lease that stays for now, so it
// can go on there after those behind it have ended.
static bool sweep_portion(struct sweep *s)
{
	uint32_t left_s;
	bool done;

	s->n = 0;
	done = nat_lease_walk(
		s->q->nat, s->q->realm, s->q->host, &s->cursor, PORTION, s->q->now_s, sweep_see, s);
	for (unsigned i = 0; i < s->n; i++)
		end_lease(s->q, &s->found[i], &left_s);
	return !done;
}

// RFC 6886 s.3.4: what cannot go makes the answer a refusal, after the rest went. The drafts
// answer with success. A host with more leases than one request may take time for is told to ask
// again.
enum pcp_result judge_delete_many(struct question *q)
{
	struct sweep s = {.q = q};
	bool more = true;

	if (q->m.scope == PCP_ALL_OF_PROTOCOL && !read_protocol(q->m.protocol, &s.protocol))
		return deleted(q);
	while (more && s.n_seen < MOST)
		more = sweep_portion(&s);
	work_charge(q, s.n_seen);
	if (more)
		return refuse(q, PCP_NO_RESOURCES);
	if (q->m.dialect == PCP_NATPMP && s.n_kept > 0)
		return refuse(q, PCP_NOT_AUTHORIZED);
	return deleted(q);
}
