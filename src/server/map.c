// SPDX-License-Identifier: Apache-2.0
// MAP (RFC 6887 s.11.3, s.15, s.16): from {protocol, internal port, lifetime, nonce} and the
// mapping that stands there to one change, or none, and an answer. The order is the RFC's:
// what the numbers mean together, the nonce, what exists already, and only then something new.
#include "judge.h"

enum pcp_result write_lease(struct question *q, const struct nat_wish *wish, struct nat_view *view)
{
	enum nat_grant grant =
		nat_lease_map(q->nat, q->nat_policy, q->asker->group, wish, q->now_s, view);

	if (grant != NAT_GRANTED)
		return refuse_grant(q, grant, view, wish->exact);
	q->lifetime_s = wish->lifetime_s;
	return PCP_SUCCESS;
}

static enum pcp_result grant_view(
	struct question *q, const struct nat_view *view, uint32_t lifetime_s)
{
	tell_pair(q, view);
	// RFC 6886 s.3.3: no longer than asked for. A shorter promise is true as well.
	q->lifetime_s =
		q->m.dialect == PCP_NATPMP ? min_u32(lifetime_s, q->m.lifetime_s) : lifetime_s;
	return PCP_SUCCESS;
}

// ---- something new ---------------------------------------------------------------------------

static void count_created(struct question *q, const struct nat_view *view)
{
	q->counters->maps_created++;
	q->counters->sets_created += view->n_ports > 1;
}

static enum pcp_result create(struct question *q, const struct nat_key *key, struct hint h)
{
	struct nat_view view = {0};
	struct nat_wish wish;
	enum pcp_result result = judge_new(q, q->insists);

	if (result != PCP_SUCCESS)
		return result;
	if (q->insists && hint_is_out_of_reach(q, key->protocol, &h)) // do not ask soon
		return refuse_pair(q, PCP_ERROR_LONG_S);
	if (h.pair.port == 0 && q->policy->companion && q->m.dialect == PCP_NATPMP)
		h.pair = companion_of(q, key);
	wish = make_wish(q, key, h.pair, clamp_lifetime(q));
	wish.n_ports = q->n_ports;
	wish.parity = q->parity;
	result = write_lease(q, &wish, &view);
	if (result != PCP_SUCCESS)
		return result;
	note_text(q, &view);
	count_created(q, &view);
	return grant_view(q, &view, wish.lifetime_s);
}

// ---- what exists -----------------------------------------------------------------------------

static bool hint_is(const struct hint *h, struct recipe pair)
{
	bool address = h->pair.addr == 0 || h->pair.addr == pair.addr;

	return !h->foreign && address && h->pair.port == pair.port;
}

// Made by configuration or by the operator: told to clients, not changed by them.
static bool is_fixed(const struct nat_view *view)
{
	return view->kind == NAT_STATIC || (view->kind == NAT_EXPLICIT && view->operators);
}

static void count_renewed(struct question *q, const struct nat_view *old)
{
	if (old->kind != NAT_EXPLICIT) {
		q->counters->maps_created++;
		return;
	}
	q->counters->maps_renewed++;
	count_nonce(q, old);
}

// s.11.3: what exists keeps its external pair, whatever the hints say.
static enum pcp_result renew(struct question *q, const struct nat_view *old)
{
	uint32_t floor_s = old->kind == NAT_EXPLICIT ? traffic_keeps_s(q, old) : 0;
	uint32_t lifetime_s = max_u32(clamp_lifetime(q), floor_s);
	struct nat_wish wish = make_wish(q, &old->key, old->external, lifetime_s);
	struct nat_view view = {0};
	enum pcp_result result;

	wish.n_ports = old->n_ports;
	result = write_lease(q, &wish, &view);
	if (result != PCP_SUCCESS)
		return result;
	note_text(q, &view);
	count_renewed(q, old);
	return grant_view(q, &view, lifetime_s);
}

static enum pcp_result grant_fixed(struct question *q, const struct nat_view *view)
{
	q->echo &= ~(option_bit(PCP_INDEX_FILTER) | option_bit(PCP_INDEX_DESCRIPTION));
	return grant_view(q, view, view->kind == NAT_STATIC ? UINT32_MAX : view->lease_left_s);
}

static enum pcp_result judge_create(
	struct question *q, const struct nat_key *key, const struct nat_view *view)
{
	struct hint h = read_hint(&q->m);

	if (view->kind == NAT_ABSENT || view->kind == NAT_RESTING)
		return create(q, key, h);
	if (q->insists && !hint_is(&h, view->external))
		return refuse_for(q, PCP_CANNOT_PROVIDE_EXTERNAL,
			is_fixed(view) || hint_is_out_of_reach(q, key->protocol, &h)
				? PCP_ERROR_LONG_S
				: PCP_ERROR_SHORT_S);
	return is_fixed(view) ? grant_fixed(q, view) : renew(q, view);
}

enum pcp_result judge_found(
	struct question *q, const struct nat_key *key, const struct nat_view *view)
{
	bool deleting = q->m.lifetime_s == 0;

	if (view->kind == NAT_EXPLICIT && !view->operators && !may_manage(q, view, deleting))
		return refuse_nonce(q, view);
	return deleting ? judge_delete(q, view) : judge_create(q, key, view);
}

// ---- what the numbers mean together ----------------------------------------------------------

// Port 0: a wildcard in version 2, only ever a delete before it.
static enum pcp_result judge_no_port(struct question *q)
{
	if (q->m.lifetime_s == 0) // of what was never granted
		return deleted(q);
	if (q->m.dialect == PCP_NATPMP)
		return refuse(q, PCP_NOT_AUTHORIZED);
	if (q->m.dialect == PCP_V1A)
		return refuse(q, PCP_MALFORMED_REQUEST);
	return refuse(q, PCP_UNSUPP_PROTOCOL);
}

enum pcp_result judge_map(struct question *q)
{
	const struct pcp_message *m = &q->m;
	struct nat_key key = {.host = q->host, .port = m->internal_port, .realm = q->realm};
	struct nat_view view;

	if (m->lifetime_s == 0 && m->scope != PCP_ONE)
		return judge_delete_many(q);
	if (m->protocol == 0 && m->internal_port != 0 && m->dialect != PCP_V1A)
		return refuse(q, PCP_MALFORMED_REQUEST);
	if (m->internal_port == 0)
		return judge_no_port(q);
	// None was ever granted, so there is none to delete either.
	if (!read_protocol(m->protocol, &key.protocol))
		return m->lifetime_s == 0 ? deleted(q) : refuse(q, PCP_UNSUPP_PROTOCOL);
	q->n_ports = ports_wanted(q);
	if (q->n_ports > 1)
		return judge_set(q, &key);
	nat_lease_look(q->nat, &key, q->now_s, &view);
	return judge_found(q, &key, &view);
}
