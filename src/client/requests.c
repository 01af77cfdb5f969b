// SPDX-License-Identifier: Apache-2.0
// Everything that happens because time passed: requests, retransmissions, renewals, expiry. What
// is due stands in the list of actions; each is planned anew whenever what it waits for changes.
#include "state.h"

static_assert(PCP_HEADER + PCP_PEER_BODY + POSTERN_OPTIONS == POSTERN_DATAGRAM &&
		      PCP_MAP_BODY + 4 < PCP_PEER_BODY,
	"whatever the options, the request fits");

// ---- one exchange ----------------------------------------------------------------------------

static void set_free(struct server *s, const struct request *r)
{
	if (s->in_flight != r)
		return;
	s->in_flight = NULL;
	server_replan(s);
}

void request_start(struct server *s, struct request *r, ns at)
{
	*r = (struct request){.next = at, .sent = r->sent};
	set_free(s, r);
}

void request_stop(struct server *s, struct request *r)
{
	request_start(s, r, NEVER);
}

static void note_sent(struct server *s, struct request *r, ns now)
{
	bool natpmp = s->dialect == POSTERN_NATPMP;

	if (r->n_here == 0)
		r->first = now;
	if (r->n_sent > 0)
		s->client->counters.retransmissions++;
	r->wait = natpmp ? natpmp_retry(r->wait) : schedule_retry(&s->client->rng, r->wait);
	r->next = now + r->wait;
	r->sent = now;
	r->n_sent++;
	r->n_here++;
	if (!natpmp || s->in_flight == r)
		return;
	s->in_flight = r; // RFC 6886 s.3.1: the others wait until it is answered
	server_replan(s);
}

// ---- when ------------------------------------------------------------------------------------

bool server_asks_first(const struct server *s)
{
	if (s->dialect == POSTERN_NATPMP)
		return !s->has_external;
	return s->as.origin == POSTERN_ANYCAST && !s->epoch.known; // RFC 7723: who is there?
}

static ns open_at(const struct server *s, const struct request *r)
{
	if (r->next == NEVER || !server_has_way(s))
		return NEVER;
	if (s->dialect == POSTERN_NATPMP && s->in_flight && s->in_flight != r)
		return NEVER;
	return later(r->next, s->silent);
}

static ns fact_due(const struct fact *f)
{
	const struct server *s = f->server;
	ns at = open_at(s, &f->request);

	if (f->phase == PHASE_DONE || at == NEVER || server_asks_first(s))
		return NEVER;
	if (f->phase == PHASE_ASKING && !f->granted_once)
		at = later(at, s->no_new);
	return at;
}

static enum postern_deed deed_of(const struct fact *f)
{
	if (f->phase == PHASE_DELETING)
		return POSTERN_SEND_DELETE;
	if (f->phase == PHASE_HELD || fact_state(f) == POSTERN_STATE_REFRESHING)
		return POSTERN_SEND_RENEWAL;
	return POSTERN_SEND_REQUEST;
}

void fact_plan(struct fact *f)
{
	f->act.deed = deed_of(f);
	action_plan(f->client, &f->act, fact_due(f));
}

void announce_plan(struct server *s)
{
	action_plan(s->client, &s->announcing, open_at(s, &s->announce));
}

void get_plan(struct server *s)
{
	action_plan(s->client, &s->getting, open_at(s, &s->get.request));
}

void announce_start(struct server *s, ns at)
{
	request_start(s, &s->announce, at);
	announce_plan(s);
}

void postern_client_announce(struct postern_client *c, int server, uint64_t now_ns)
{
	struct server *s = server_find(c, server);

	if (!s)
		return;
	s->announce_told = true;
	announce_start(s, now_ns);
}

uint64_t postern_client_deadline(const struct postern_client *c)
{
	return c->first ? c->first->at : POSTERN_NEVER;
}

// ---- what ------------------------------------------------------------------------------------

static void address_to(const struct server *s, ip6 source, struct postern_datagram *out)
{
	out->to = *server_endpoint(s);
	out->server = s->id;
	out->interface = s->as.interface;
	memcpy(out->source, source.b, sizeof out->source);
	s->client->counters.sent++;
}

static struct pcp_message describe(const struct fact *f, ip6 source, bool deleting)
{
	const struct postern_mapping *want = &f->wish->want;
	struct pcp_message msg = {
		.dialect = (uint8_t)version_codec(f->server),
		.opcode = want->peer.port != 0 ? PCP_PEER : PCP_MAP,
		.lifetime_s = deleting ? 0 : want->lifetime_s,
		.client = source,
		.protocol = want->protocol,
		.internal_port = want->internal_port,
		.external_port = deleting ? 0 : f->external.port,
		.external_ip = ip_of(f->external.ip),
		.remote_port = want->peer.port,
		.remote_ip = ip_of(want->peer.ip),
	};

	if (deleting) // s.15.1: only the family counts
		msg.external_ip = ip6_is_mapped(msg.external_ip) ? ip6_mapped(0) : (ip6){0};
	memcpy(msg.nonce.b, f->nonce, sizeof msg.nonce.b);
	return msg;
}

static bool write_map(const struct fact *f, ip6 source, bool deleting, struct postern_datagram *out)
{
	struct pcp_message msg = describe(f, source, deleting);
	size_t n = pcp_encode_request(out->octets, sizeof out->octets, &msg);

	if (n == 0)
		return false;
	if (msg.dialect != PCP_NATPMP)
		n = options_append(out->octets, n, &f->wish->want, deleting);
	out->length = n;
	address_to(f->server, source, out);
	return true;
}

// ---- giving up -------------------------------------------------------------------------------

// Nothing was heard from this address since the request went there for the first time.
static bool is_exhausted(const struct server *s, struct request *r)
{
	unsigned most = s->dialect == POSTERN_NATPMP ? TRIES_NATPMP : TRIES_EACH_ADDRESS;

	if (r->n_here < most)
		return false;
	if (s->heard <= r->first)
		return true;
	r->n_here = 0; // it answers others
	return false;
}

// True when the request may go on: a server with one address is asked for ever (s.8.1.1), unless
// in NAT-PMP, where another gateway may be there by now that knows more.
static bool go_on(struct server *s, struct request *r, ns now)
{
	if (!is_exhausted(s, r))
		return true;
	if (server_count_ways(s) > 1) {
		server_next_address(s, now);
		return false;
	}
	server_went(s);
	if (s->dialect != POSTERN_NATPMP)
		return true;
	version_reset(s, now);
	return false;
}

// ---- mappings --------------------------------------------------------------------------------

// A kept mapping gets single renewal requests, each further towards its end (s.11.2.1): no
// retransmissions in between.
static void note_fact_sent(struct fact *f, ns now)
{
	note_sent(f->server, &f->request, now);
	f->again = now + RENEWALS_APART;
	f->refused = false;
	if (f->phase != PHASE_HELD)
		return;
	f->renewals++;
	f->request.next = schedule_renewal(
		&f->client->rng, f->granted, f->expires - f->granted, f->renewals + 1, now);
}

static bool conclude_remains(struct fact *f)
{
	if (f->phase != PHASE_DELETING || f->remains_s == 0)
		return false;
	fact_end(f, false);
	fact_tell(f, POSTERN_REMAINS)->lifetime_s = f->remains_s;
	return true;
}

// NAT-PMP has one request under way at a time, so a renewal there must come to an end.
static void choose_phase(struct fact *f, ns now)
{
	if (f->server->dialect != POSTERN_NATPMP || f->phase != PHASE_HELD)
		return;
	f->phase = PHASE_ASKING;
	request_start(f->server, &f->request, now);
}

static ip6 choose_source(struct fact *f)
{
	const struct server *s = f->server;

	if (f->phase == PHASE_DELETING && f->has_source)
		return f->source;
	f->source = s->sources[s->address].ip;
	f->has_source = true;
	if (ip6_eq(f->farewell.source, f->source)) // we are back
		farewell_stop(f);
	return f->source;
}

static bool send_fact(struct fact *f, ns now, struct postern_datagram *out)
{
	struct server *s = f->server;
	enum pcp_result cannot;
	bool sent = false;

	if (conclude_remains(f))
		return false;
	version_reconsider(s, now);
	cannot = version_cannot(s, f);
	if (cannot != PCP_SUCCESS) {
		uint32_t left_s = s->better > now ? (uint32_t)((s->better - now) / NS_PER_S)
						  : PCP_ERROR_LONG_S;

		take_refusal(f, (uint16_t)cannot, left_s, s->epoch.server_s, now);
	} else if (!server_asks_first(s) && go_on(s, &f->request, now) && server_has_way(s)) {
		choose_phase(f, now);
		sent = write_map(f, choose_source(f), f->phase == PHASE_DELETING, out);
		note_fact_sent(f, now);
	}
	fact_plan(f);
	return sent;
}

static bool send_farewell(struct fact *f, ns now, struct postern_datagram *out)
{
	struct farewell *bye = &f->farewell;

	if (bye->request.n_sent >= TRIES_EACH_ADDRESS || !server_has_way(f->server)) {
		farewell_stop(f);
		return false;
	}
	if (!write_map(f, bye->source, true, out))
		return false;
	bye->request.wait = schedule_retry(&f->client->rng, bye->request.wait);
	bye->request.n_sent++;
	bye->request.next = now + bye->request.wait;
	action_plan(f->client, &bye->act, bye->request.next);
	return true;
}

// Nobody asked for it in this run, so nobody is told.
static void forget_loaded(struct fact *f)
{
	struct postern_client *c = f->client;
	struct wish *w = f->wish;

	fact_unlink(f);
	fact_release(f);
	if (!w->facts)
		wish_release(c, w);
}

static void expire(struct fact *f, ns now)
{
	if (f->wish->loaded) {
		forget_loaded(f);
		return;
	}
	fact_expect(f, NEVER);
	for (unsigned i = 0; f->parts && i < MOST_PARTS; i++)
		f->parts[i].used = false;
	fact_tell(f, POSTERN_LOST);
	if (f->phase == PHASE_HELD && f->wish->want.keep)
		fact_ask(f, later(now, f->again));
	else if (f->phase == PHASE_HELD)
		fact_end(f, false);
	fact_plan(f);
}

// ---- about the server ------------------------------------------------------------------------

static bool send_announce(struct server *s, ns now, struct postern_datagram *out)
{
	struct pcp_message msg = {.opcode = PCP_ANNOUNCE};
	bool sent = false;

	version_reconsider(s, now);
	if (go_on(s, &s->announce, now) && server_has_way(s)) {
		msg.dialect = (uint8_t)version_codec(s);
		if (s->dialect == POSTERN_NATPMP)
			msg.opcode = PCP_EXTERNAL_ADDRESS;
		msg.client = s->sources[s->address].ip;
		out->length = pcp_encode_request(out->octets, sizeof out->octets, &msg);
		address_to(s, msg.client, out);
		note_sent(s, &s->announce, now);
		sent = true;
	}
	announce_plan(s);
	return sent;
}

static bool send_get(struct server *s, ns now, struct postern_datagram *out)
{
	bool sent = false;

	version_reconsider(s, now);
	if (s->dialect != POSTERN_V2) {
		get_refused(s, PCP_UNSUPP_OPCODE, PCP_ERROR_LONG_S, s->epoch.server_s);
	} else if (go_on(s, &s->get.request, now) && server_has_way(s)) {
		out->length = get_write(s, out->octets);
		address_to(s, s->sources[s->address].ip, out);
		note_sent(s, &s->get.request, now);
		sent = true;
	}
	get_plan(s);
	return sent;
}

static bool perform(struct action *a, ns now, struct postern_datagram *out)
{
	switch (a->deed) {
	case POSTERN_SEND_ANNOUNCE:
		return send_announce(a->server, now, out);
	case POSTERN_SEND_GET:
		return send_get(a->server, now, out);
	case POSTERN_TRY_ADDRESS:
		server_try_again(a->server, now);
		return false;
	case POSTERN_EXPIRE:
		expire(a->fact, now);
		return false;
	case POSTERN_SEND_REQUEST:
	case POSTERN_SEND_RENEWAL:
	case POSTERN_SEND_DELETE:
		break;
	}
	if (a == &a->fact->farewell.act)
		return send_farewell(a->fact, now, out);
	return send_fact(a->fact, now, out);
}

bool postern_client_send(struct postern_client *c, uint64_t now_ns, struct postern_datagram *out)
{
	while (c->first && c->first->at <= now_ns) {
		struct action *a = c->first;

		action_plan(c, a, NEVER);
		if (perform(a, now_ns, out))
			return true;
	}
	return false;
}
