// SPDX-License-Identifier: Apache-2.0
// PORT_SET (RFC 7753), and the draft's PORT_RESERVATION as a set of two. A request whose internal
// range touches mappings that exist never makes one: it renews or deletes each of those, and each
// is answered by a datagram of its own.
#include "judge.h"

static uint16_t asked_size(const struct question *q)
{
	struct pcp_port_set set;

	for (size_t i = 0; i < q->room->n_options; i++)
		if (q->room->options[i].code == PCP_PORT_SET &&
			pcp_read_port_set(&q->room->options[i], &set))
			return set.size;
	return 1;
}

// The field First Internal Port of a request is ignored: the internal port says it.
enum pcp_result judge_port_set(struct question *q, const struct pcp_option *o)
{
	struct pcp_port_set set;

	if (!pcp_read_port_set(o, &set) || set.size == 0)
		return PCP_MALFORMED_OPTION;
	q->parity = set.parity;
	return PCP_SUCCESS;
}

enum pcp_result judge_reservation(struct question *q, const struct pcp_option *o)
{
	if (o->length == 0)
		return PCP_SUCCESS;
	q->seen &= ~option_bit(PCP_INDEX_PORT_RESERVATION);
	q->echo &= ~option_bit(PCP_INDEX_PORT_RESERVATION);
	return PCP_SUCCESS;
}

// How many ports the request is about, held to what is possible.
uint16_t ports_wanted(const struct question *q)
{
	uint32_t to_end = 65536u - q->m.internal_port;
	uint32_t n = 1;

	if (is_seen(q, PCP_INDEX_PORT_SET))
		n = asked_size(q);
	else if (is_seen(q, PCP_INDEX_PORT_RESERVATION))
		n = 2;
	return (uint16_t)min_u32(n, to_end);
}

// ---- what the reply says ---------------------------------------------------------------------

static bool parity_holds(const struct nat_view *view)
{
	return ((view->key.port ^ view->external.port) & 1) == 0;
}

static bool has_port(const struct nat_view *view, uint32_t port)
{
	return port >= view->key.port && port < (uint32_t)view->key.port + view->n_ports;
}

// A reply with PORT_SET names the set's first external port; one without must be right for the
// port that was asked about.
void tell_pair(struct question *q, const struct nat_view *view)
{
	uint16_t in = q->m.internal_port;
	bool set = is_seen(q, PCP_INDEX_PORT_SET);

	q->m.external_ip = ip6_mapped(view->external.addr);
	q->m.external_port = view->external.port;
	if (set)
		q->told = (struct pcp_port_set){.size = view->n_ports,
			.first = view->key.port,
			.parity = q->parity && parity_holds(view)};
	else if (has_port(view, in))
		q->m.external_port = (uint16_t)(view->external.port + (in - view->key.port));
	if (!has_port(view, in + 1u) || !parity_holds(view)) // no pair was granted
		q->echo &= ~option_bit(PCP_INDEX_PORT_RESERVATION);
}

// A delete that finds nothing is answered as it was the first time, as far as we can know.
void tell_deleted(struct question *q, const struct nat_view *view)
{
	bool was_there = view->kind == NAT_EXPLICIT;

	if (is_seen(q, PCP_INDEX_PORT_SET))
		q->told = (struct pcp_port_set){.size = was_there ? view->n_ports : q->n_ports,
			.first = was_there ? view->key.port : q->m.internal_port};
	if (was_there && view->n_ports < 2)
		q->echo &= ~option_bit(PCP_INDEX_PORT_RESERVATION);
}

// ---- overlap (s.4.4.1 of the RFC) ------------------------------------------------------------

// The answer about one of the mappings; a mapping further right is named by its own first port.
static enum pcp_result judge_each(struct question *q, const struct nat_view *view)
{
	if (!has_port(view, q->m.internal_port))
		q->m.internal_port = view->key.port;
	return judge_found(q, &view->key, view);
}

static void answer_further(const struct question *q, const struct nat_view *view)
{
	struct question each = *q;
	uint8_t reply[PCP_MAX];
	enum pcp_result result = judge_each(&each, view);
	size_t len;

	memcpy(reply, q->room->request, q->room->len);
	len = write_answer(&each, result, reply, q->room->len);
	if (len > 0 && q->more != NULL)
		q->more->send(q->more->ctx, reply, len);
}

static enum pcp_result judge_overlapped(
	struct question *q, const struct nat_view *views, unsigned count)
{
	struct question fresh = *q; // the first judgement writes its answer into *q
	enum pcp_result result = judge_each(q, &views[0]);

	if (count > SERVER_MAX_REPLIES) {
		q->counters->replies_cut++;
		count = SERVER_MAX_REPLIES;
	}
	for (unsigned i = 1; i < count; i++)
		answer_further(&fresh, &views[i]);
	return result;
}

enum pcp_result judge_set(struct question *q, const struct nat_key *key)
{
	struct nat_view views[SERVER_MAX_REPLIES + 1];
	unsigned count =
		nat_lease_overlap(q->nat, key, q->n_ports, q->now_s, views, ARRAY_SIZE(views));

	if (count > 0)
		return judge_overlapped(q, views, count);
	nat_lease_look(q->nat, key, q->now_s, &views[0]);
	if (q->m.lifetime_s != 0)
		q->n_ports = (uint16_t)min_u32(q->n_ports, q->policy->port_set_max);
	return judge_found(q, key, &views[0]);
}
