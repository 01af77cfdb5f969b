// SPDX-License-Identifier: Apache-2.0
// What an answer means (RFC 6887 s.8.3, s.11.4, s.12.4), in this order: does it come from our
// server, to an address we asked from; does it say that the server speaks another version (such
// answers need not look like PCP at all); is it well-formed; which mapping is it about; what does
// its Epoch say. Answers may come unasked, late, twice, and in another order than the requests.
#include "state.h"

struct answer {
	struct postern_client *client;
	struct server *server;
	ns now;
	ip6 to;
	bool to_all; // multicast
	const uint8_t *octets;
	size_t length;
	const uint8_t *options;
	size_t options_length;
	struct pcp_message msg;
};

// ---- the server's Epoch ----------------------------------------------------------------------

static void follow_epoch(struct answer *a, bool spread)
{
	struct server *s = a->server;
	bool natpmp = a->msg.dialect == PCP_NATPMP;

	if (natpmp && a->msg.result == PCP_UNSUPP_OPCODE)
		return; // RFC 6886 s.3.5: the request's own octets
	if (natpmp ? natpmp_epoch_check(&s->epoch, a->now, a->msg.epoch_s)
		   : epoch_check(&s->epoch, a->now, a->msg.epoch_s))
		return;
	server_lost(s, a->msg.epoch_s, a->now, spread);
}

static void know(struct answer *a)
{
	bool asked_first = server_asks_first(a->server);

	server_hear(a->server, a->now);
	follow_epoch(a, a->to_all);
	prefix64_take(a->server, &a->msg, a->octets, a->length);
	if (asked_first && !server_asks_first(a->server))
		server_replan(a->server);
}

// ---- ANNOUNCE --------------------------------------------------------------------------------

static void tell_announced(struct answer *a)
{
	struct server *s = a->server;
	struct postern_event *event;

	request_stop(s, &s->announce);
	announce_plan(s);
	if (a->msg.opcode == PCP_EXTERNAL_ADDRESS)
		natpmp_take_address(s, &a->msg);
	if (a->msg.result == PCP_ADDRESS_MISMATCH)
		server_tell(s, POSTERN_INNER_NAT)->result = a->msg.result;
	if (!s->announce_told)
		return;
	s->announce_told = false;
	event = server_tell(s, POSTERN_ANNOUNCED);
	event->result = a->msg.result;
	event->lifetime_s = a->msg.lifetime_s;
	event->external.port = 0;
	memcpy(event->external.ip, s->external.b, sizeof event->external.ip);
}

static bool take_announce(struct answer *a)
{
	struct server *s = a->server;
	bool asked = is_under_way(&s->announce) && !a->to_all;

	if (!asked && a->msg.result != PCP_SUCCESS)
		return false;
	server_hear(s, a->now);
	follow_epoch(a, !asked);
	prefix64_take(s, &a->msg, a->octets, a->length);
	if (asked)
		tell_announced(a);
	else if (a->msg.opcode == PCP_EXTERNAL_ADDRESS)
		natpmp_take_address(s, &a->msg);
	server_replan(s);
	return true;
}

// ---- which mapping ---------------------------------------------------------------------------

static bool same_peer(const struct postern_mapping *want, const struct pcp_message *msg)
{
	if (msg->opcode != PCP_PEER)
		return want->peer.port == 0;
	return want->peer.port == msg->remote_port &&
	       memcmp(want->peer.ip, msg->remote_ip.b, sizeof msg->remote_ip.b) == 0;
}

// RFC 7753 s.5: an answer about a set may begin further up than the request.
static bool same_port(const struct fact *f, const struct pcp_message *msg)
{
	const struct postern_mapping *want = &f->wish->want;
	struct pcp_port_set set;

	if (want->internal_port == msg->internal_port)
		return true;
	if (!f->parts || !options_read_port_set(want->options, want->n_options, &set))
		return false;
	return msg->internal_port >= want->internal_port &&
	       msg->internal_port - want->internal_port < set.size;
}

static bool names(const struct fact *f, const struct answer *a)
{
	const struct postern_mapping *want = &f->wish->want;
	const struct pcp_message *msg = &a->msg;

	if (want->protocol != msg->protocol || !same_port(f, msg) || !same_peer(want, msg))
		return false;
	if (msg->has_nonce && memcmp(f->nonce, msg->nonce.b, sizeof f->nonce) != 0)
		return false;
	return options_name_same_host(
		want, a->options, a->options_length, msg->result != PCP_SUCCESS);
}

static bool was_asked_from(const struct fact *f, ip6 to)
{
	return f->has_source && ip6_eq(f->source, to);
}

// One that only listens when no other is meant: the caller may have asked once more.
static struct fact *find_fact(const struct answer *a)
{
	struct fact *listening = NULL;

	for (struct fact *f = a->server->facts; f; f = f->next_of_server) {
		if (!was_asked_from(f, a->to) || !names(f, a))
			continue;
		if (f->phase != PHASE_DONE)
			return f;
		if (f->listens)
			listening = f;
	}
	return listening;
}

static bool take_farewell(const struct answer *a)
{
	for (struct fact *f = a->server->facts; f; f = f->next_of_server) {
		struct farewell *bye = &f->farewell;

		if (bye->request.next == NEVER || bye->request.n_sent == 0 ||
			!ip6_eq(bye->source, a->to) || !names(f, a))
			continue;
		farewell_stop(f);
		return true;
	}
	return false;
}

// ---- what a success means --------------------------------------------------------------------

static struct postern_endpoint assigned(const struct answer *a)
{
	struct postern_endpoint e = {.port = a->msg.external_port};
	ip6 ip = a->msg.dialect == PCP_NATPMP ? a->server->external : a->msg.external_ip;

	memcpy(e.ip, ip.b, sizeof e.ip);
	return e;
}

// PREFER_FAILURE: a success with another pair than the one asked for is no answer to us but an
// update that crossed our request (s.13.2). The repeated request will be refused then.
static bool is_what_was_asked(const struct fact *f, const struct postern_endpoint *external)
{
	const struct postern_mapping *want = &f->wish->want;

	if (!want->prefer_failure || f->phase != PHASE_ASKING)
		return true;
	if (is_any_ip(ip_of(f->external.ip)))
		return f->external.port == external->port;
	return same_endpoint(&f->external, external);
}

static void hold(struct fact *f, ns lifetime, ns now)
{
	f->phase = PHASE_HELD;
	f->granted_once = true;
	f->recovering = false;
	f->refused = false;
	f->listens = false;
	f->result = PCP_SUCCESS;
	f->granted = now;
	f->renewals = 0;
	f->blocked = 0;
	fact_expect(f, now + lifetime);
	request_stop(f->server, &f->request);
	if (f->wish->want.keep)
		f->request.next =
			schedule_renewal(&f->client->rng, now, lifetime, 1, f->request.sent);
	fact_plan(f);
}

static void tell_grant(struct postern_event *event, uint32_t lifetime_s)
{
	event->lifetime_s = lifetime_s;
}

static struct part *find_part(struct fact *f, uint16_t internal_port)
{
	struct part *free_one = NULL;

	for (unsigned i = 0; i < MOST_PARTS; i++) {
		if (f->parts[i].used && f->parts[i].internal_port == internal_port)
			return &f->parts[i];
		if (!f->parts[i].used && !free_one)
			free_one = &f->parts[i];
	}
	return free_one;
}

// Several answers to one request: each tells of ports of its own.
static bool take_part(struct answer *a, struct fact *f, const struct pcp_port_set *set)
{
	struct postern_endpoint external = assigned(a);
	bool asked = f->phase == PHASE_ASKING || f->renewals > 0;
	struct part *part = find_part(f, set->first);
	enum postern_what what = POSTERN_MAPPED;
	uint32_t lifetime_s;
	ns lifetime = client_lifetime(f->client, a->msg.lifetime_s, &lifetime_s);
	bool known;

	if (!part)
		return false;
	known = part->used;
	if (known && !same_endpoint(&part->external, &external))
		what = POSTERN_CHANGED;
	part->used = true;
	part->internal_port = set->first;
	part->n_ports = set->size;
	part->external = external;
	if (asked)
		hold(f, lifetime, a->now);
	if (asked || !known || what == POSTERN_CHANGED)
		tell_grant(part_tell(f, part, what), lifetime_s);
	return true;
}

// A delete of ours that came late, from when we left this address, or one of the server's own: it
// does not hold the mapping any more.
static bool take_end(struct answer *a, struct fact *f)
{
	if (f->phase != PHASE_HELD)
		return false;
	fact_expect(f, NEVER);
	if (!f->wish->want.keep) {
		fact_end(f, false);
		fact_tell(f, POSTERN_LOST);
		return true;
	}
	f->recovering = true;
	fact_ask(f, later(pace_slot(f->client, a->now), f->again));
	return true;
}

static bool take_grant(struct answer *a, struct fact *f)
{
	struct postern_endpoint external = assigned(a);
	bool asked = f->phase != PHASE_HELD || f->renewals > 0;
	bool known = f->n_ports > 0, moved = known && !same_endpoint(&f->external, &external);
	struct pcp_port_set set = {.size = 1, .first = a->msg.internal_port};
	uint32_t lifetime_s;
	ns lifetime;

	if (a->msg.lifetime_s == 0)
		return take_end(a, f);
	if (!is_what_was_asked(f, &external))
		return false;
	if (f->parts)
		(void)options_read_port_set(a->options, a->options_length, &set);
	if (a->msg.internal_port != f->wish->want.internal_port)
		return take_part(a, f, &set);
	lifetime = client_lifetime(f->client, a->msg.lifetime_s, &lifetime_s);
	f->external = external;
	f->n_ports = set.size;
	hold(f, lifetime, a->now);
	if (moved)
		tell_grant(fact_tell(f, POSTERN_CHANGED), lifetime_s);
	else if (asked || !known)
		tell_grant(fact_tell(f, POSTERN_MAPPED), lifetime_s);
	else
		return true;
	f->news.event.internal_port = set.first;
	return true;
}

// An answer to an earlier create request may still be under way when the delete leaves. It looks
// like a server that will not let go yet (s.15), so that is believed only when nothing better came
// until the request would have been repeated.
static bool take_deletion(struct answer *a, struct fact *f)
{
	if (a->msg.lifetime_s > 0) {
		(void)client_lifetime(f->client, a->msg.lifetime_s, &f->remains_s);
		return true;
	}
	fact_end(f, false);
	fact_tell(f, POSTERN_DELETED);
	return true;
}

// ---- what an error means ---------------------------------------------------------------------

// The server took the mapping away: it had to move it, and we wanted no other pair (s.14.2).
static void lose_preferred(struct answer *a, struct fact *f)
{
	fact_expect(f, NEVER);
	f->phase = PHASE_ASKING;
	take_refusal(f, a->msg.result, a->msg.lifetime_s, a->msg.epoch_s, a->now);
}

static bool take_error(struct answer *a, struct fact *f)
{
	bool asked = f->phase != PHASE_HELD || f->renewals > 0;

	if (f->phase == PHASE_HELD && f->wish->want.prefer_failure &&
		a->msg.result == PCP_CANNOT_PROVIDE_EXTERNAL)
		lose_preferred(a, f);
	else if (asked)
		take_refusal(f, a->msg.result, a->msg.lifetime_s, a->msg.epoch_s, a->now);
	return asked || f->phase != PHASE_HELD;
}

static bool take_map(struct answer *a)
{
	struct fact *f = find_fact(a);
	struct postern_client_counters *counters = &a->client->counters;

	if (!f && take_farewell(a))
		return true;
	if (!f) { // and its Epoch says nothing to us (s.8.3)
		if (a->server->facts)
			counters->other_nonce++;
		else
			counters->not_asked++;
		return false;
	}
	know(a);
	if (a->msg.result != PCP_SUCCESS)
		return take_error(a, f);
	if (f->wish->deleting)
		return take_deletion(a, f);
	return take_grant(a, f);
}

// ---- the door --------------------------------------------------------------------------------

static bool is_multicast(ip6 a)
{
	return ip6_is_mapped(a) ? a.b[12] >> 4 == 14 : a.b[0] == 0xff;
}

static bool is_asked_from(const struct server *s, ip6 to)
{
	return s->sources[s->address].known && ip6_eq(s->sources[s->address].ip, to);
}

// Of two servers with one link-local address the one that we ask from where this arrived.
static struct server *find_server(const struct answer *a, const struct postern_endpoint *from)
{
	struct server *other = NULL;

	for (struct server *s = a->client->servers; s; s = s->next) {
		if (!same_endpoint(server_endpoint(s), from))
			continue;
		if (is_asked_from(s, a->to))
			return s;
		other = s;
	}
	return other;
}

static bool is_given_up(const struct postern_client *c, const struct postern_endpoint *from)
{
	for (const struct server *s = c->servers; s; s = s->next)
		for (unsigned i = 0; i < s->as.n_addresses; i++)
			if (same_endpoint(&s->as.addresses[i], from))
				return true;
	return false;
}

// Version 2 is understood whatever is spoken: its answer may come after a refusal (s.8).
static bool decode(struct answer *a)
{
	enum pcp_dialect dialect = PCP_V2;

	if (a->length > 0 && a->octets[0] != PCP_VERSION)
		dialect = version_codec(a->server);
	if (!pcp_decode_response_in(dialect, a->octets, a->length, &a->msg))
		return false;
	a->options = a->octets + a->msg.options_at;
	a->options_length = a->length - a->msg.options_at;
	return true;
}

static bool dispatch(struct answer *a)
{
	bool to_source = is_asked_from(a->server, a->to);

	switch (a->msg.opcode) {
	case PCP_ANNOUNCE:
	case PCP_EXTERNAL_ADDRESS:
		return (a->to_all || to_source) && take_announce(a);
	case PCP_MAP:
	case PCP_PEER:
		return !a->to_all && take_map(a);
	case PCP_GET:
		return to_source && get_take(a->server, &a->msg, a->octets, a->length, a->now);
	default:
		return false;
	}
}

static unsigned spoken(const struct answer *a)
{
	return a->msg.dialect == PCP_V2 ? POSTERN_V2 : a->server->dialect;
}

static bool take(struct answer *a)
{
	struct postern_client_counters *counters = &a->client->counters;
	struct pcp_version_refusal refusal;
	uint64_t strange = counters->other_nonce + counters->not_asked;

	if (!a->to_all && pcp_decode_version_refusal(a->octets, a->length, &refusal)) {
		if (is_asked_from(a->server, a->to) && version_refused(a->server, &refusal, a->now))
			return true;
		counters->not_asked++;
		return false;
	}
	if (!decode(a)) {
		counters->malformed++;
		return false;
	}
	if (!dispatch(a)) {
		if (counters->other_nonce + counters->not_asked == strange)
			counters->not_asked++;
		return false;
	}
	version_proved(a->server, spoken(a));
	return true;
}

bool postern_client_receive(struct postern_client *c, uint64_t now_ns,
	const struct postern_endpoint *from, const struct postern_endpoint *to,
	const uint8_t *octets, size_t length)
{
	struct answer a = {.client = c,
		.now = now_ns,
		.to = ip_of(to->ip),
		.to_all = is_multicast(ip_of(to->ip)),
		.octets = octets,
		.length = length};

	c->counters.received++;
	a.server = find_server(&a, from);
	if (!a.server) {
		if (is_given_up(c, from))
			c->counters.not_asked++;
		else
			c->counters.not_from_server++;
		return false;
	}
	if (!take(&a))
		return false;
	c->counters.taken++;
	return true;
}
