// SPDX-License-Identifier: Apache-2.0
// What the caller wants: mappings, and what they are at each server.
#include <errno.h>

#include "state.h"

// ---- one mapping at one server ---------------------------------------------------------------

enum postern_state fact_state(const struct fact *f)
{
	switch (f->phase) {
	case PHASE_HELD:
		return f->renewals > 0 ? POSTERN_STATE_REFRESHING : POSTERN_STATE_MAPPED;
	case PHASE_DELETING:
		return f->refused ? POSTERN_STATE_ERROR_WAIT : POSTERN_STATE_DELETING;
	case PHASE_DONE:
		return POSTERN_STATE_ENDED;
	case PHASE_ASKING:
		break;
	}
	if (f->refused)
		return POSTERN_STATE_ERROR_WAIT;
	if (f->expires != NEVER && !f->recovering)
		return POSTERN_STATE_REFRESHING;
	return f->request.n_sent > 0 ? POSTERN_STATE_WAIT_RESPONSE : POSTERN_STATE_NOT_SENT;
}

void fact_expect(struct fact *f, ns expires)
{
	f->expires = expires;
	action_plan(f->server->client, &f->expiry, expires);
}

void fact_ask(struct fact *f, ns at)
{
	f->phase = PHASE_ASKING;
	f->renewals = 0;
	f->listens = false;
	f->refused = f->blocked > at;
	request_start(f->server, &f->request, later(at, f->blocked));
	fact_plan(f);
}

void fact_end(struct fact *f, bool listens)
{
	f->phase = PHASE_DONE;
	f->listens = listens;
	f->refused = false;
	request_stop(f->server, &f->request);
	fact_plan(f);
}

// "No preference" is :: or ::ffff:0.0.0.0, and the two are different requests (s.5, s.10). Whoever
// names no address means one of his own family; the source may not be known yet.
static struct postern_endpoint no_preference(const struct server *s, uint16_t port)
{
	static const uint8_t no_ip4[4];
	ip6 with = ip_of(s->sources[s->address].known ? s->sources[s->address].ip.b
						      : server_endpoint(s)->ip);

	if (ip6_is_mapped(with))
		return postern_endpoint_ip4(no_ip4, port);
	return (struct postern_endpoint){.port = port};
}

static void suggest_wanted(struct fact *f)
{
	f->external = f->wish->want.external;
	if (is_any_ip(ip_of(f->external.ip)) && !ip6_is_mapped(ip_of(f->external.ip)))
		f->external = no_preference(f->server, f->external.port);
}

int fact_create(struct wish *w, struct server *s, struct fact **out)
{
	struct postern_client *c = s->client;
	bool has_set = options_find(w->want.options, w->want.n_options, PCP_PORT_SET, NULL) != NULL;
	struct fact *f = client_allocate(c, sizeof *f);

	if (f && has_set)
		f->parts = client_allocate(c, MOST_PARTS * sizeof *f->parts);
	if (!f || (has_set && !f->parts)) {
		client_release(c, f);
		return -ENOMEM;
	}
	f->client = c;
	f->wish = w;
	f->server = s;
	f->expires = NEVER;
	f->request.next = NEVER;
	f->farewell.request.next = NEVER;
	suggest_wanted(f);
	f->act = (struct action){.server = s, .fact = f};
	f->expiry = (struct action){.server = s, .fact = f, .deed = POSTERN_EXPIRE};
	f->farewell.act = (struct action){.server = s, .fact = f, .deed = POSTERN_SEND_DELETE};
	nonce_choose(c, w, s, f->nonce);
	f->next_of_wish = w->facts;
	w->facts = f;
	f->next_of_server = s->facts;
	s->facts = f;
	*out = f;
	return 0;
}

void fact_unlink(struct fact *f)
{
	struct postern_client *c = f->server->client;
	struct fact **at;

	request_stop(f->server, &f->request);
	action_plan(c, &f->act, NEVER);
	action_plan(c, &f->expiry, NEVER);
	action_plan(c, &f->farewell.act, NEVER);
	for (at = &f->server->facts; *at != f; at = &(*at)->next_of_server)
		;
	*at = f->next_of_server;
	for (at = &f->wish->facts; *at != f; at = &(*at)->next_of_wish)
		;
	*at = f->next_of_wish;
}

void fact_release(struct fact *f)
{
	struct postern_client *c = f->client;

	news_drop(c, &f->news);
	for (unsigned i = 0; f->parts && i < MOST_PARTS; i++)
		news_drop(c, &f->parts[i].news);
	client_release(c, f->parts);
	client_release(c, f);
}

// ---- wishes ----------------------------------------------------------------------------------

// A delete names only the family (s.15.1).
static void clear_external(struct postern_endpoint *external)
{
	bool is_ip4 = ip6_is_mapped(ip_of(external->ip));

	memset(external->ip + (is_ip4 ? 12 : 0), 0, is_ip4 ? 4 : 16);
	external->port = 0;
}

static void start_delete(struct fact *f, ns now)
{
	clear_external(&f->external);
	f->phase = PHASE_DELETING;
	f->remains_s = 0;
	f->refused = false;
	f->recovering = false;
	fact_expect(f, NEVER);
	request_start(f->server, &f->request, now);
	fact_plan(f);
}

static bool is_option_sane(const struct postern_mapping *want)
{
	const uint8_t *at;
	size_t n;

	if (want->n_options % 4 != 0 || want->n_options > POSTERN_OPTIONS)
		return false;
	at = options_find(want->options, want->n_options, PCP_PORT_SET, &n);
	return !at || !want->prefer_failure;
}

static bool makes_sense(const struct postern_client *c, const struct postern_mapping *want)
{
	if (want->wildcard ? want->internal_port != 0
			   : want->protocol == 0 || want->internal_port == 0)
		return false;
	if (want->peer.port != 0 &&
		(want->wildcard || want->prefer_failure || want->lifetime_s == 0))
		return false;
	if (want->prefer_failure && (want->external.port == 0 || want->lifetime_s == 0))
		return false;
	if (want->server != POSTERN_ALL_SERVERS && !server_find(c, want->server))
		return false;
	return is_option_sane(want);
}

static bool is_meant_for(const struct wish *w, const struct server *s)
{
	return w->want.server == POSTERN_ALL_SERVERS || w->want.server == s->id;
}

struct fact *wish_at(const struct wish *w, const struct server *s)
{
	struct fact *f = w->facts;

	while (f && f->server != s)
		f = f->next_of_wish;
	return f;
}

static int ask_everywhere(struct postern_client *c, struct wish *w, ns now)
{
	for (struct server *s = c->servers; s; s = s->next) {
		struct fact *f;
		int error;

		if (!is_meant_for(w, s) || wish_at(w, s))
			continue;
		error = fact_create(w, s, &f);
		if (error < 0)
			return error;
		if (w->deleting)
			start_delete(f, now);
		else
			fact_ask(f, now);
	}
	return 0;
}

// ---- what an earlier run left ----------------------------------------------------------------

bool wish_is_for(const struct wish *w, const struct postern_mapping *want)
{
	const struct postern_mapping *its = &w->want;

	return its->protocol == want->protocol && its->internal_port == want->internal_port &&
	       same_endpoint(&its->peer, &want->peer) && options_name_same(its, want);
}

static bool has_given_nonce(const struct wish *w, const struct postern_mapping *want)
{
	if (!want->has_nonce)
		return true;
	for (const struct fact *f = w->facts; f; f = f->next_of_wish)
		if (memcmp(f->nonce, want->nonce, sizeof f->nonce) == 0)
			return true;
	return false;
}

static struct wish *find_loaded(struct postern_client *c, const struct postern_mapping *want)
{
	for (uint32_t i = 0; i < c->n_wishes; i++) {
		struct wish *w = c->wishes[i];

		if (w && w->loaded && wish_is_for(w, want) && has_given_nonce(w, want))
			return w;
	}
	return NULL;
}

// Whether what is held is all that is wanted.
bool mapping_is_enough(const struct postern_mapping *held, const struct postern_mapping *want)
{
	return held->n_options == want->n_options && !want->prefer_failure &&
	       memcmp(held->options, want->options, held->n_options) == 0;
}

// Rather none than this one is wanted. Were it suggested, the server would grant it.
static bool is_unwanted(const struct fact *f)
{
	const struct postern_mapping *want = &f->wish->want;

	return want->prefer_failure &&
	       (want->external.port != f->external.port ||
		       (!is_any_ip(ip_of(want->external.ip)) &&
			       !same_endpoint(&want->external, &f->external)));
}

// It is held already, so nothing is asked (failure F15) unless something else is wanted.
void fact_go_on(struct fact *f, bool same, ns now)
{
	if (is_unwanted(f)) {
		suggest_wanted(f);
		f->n_ports = 0;
		fact_expect(f, NEVER);
		fact_ask(f, now);
		return;
	}
	if (!same)
		fact_ask(f, now);
	else if (f->wish->want.keep)
		request_start(f->server, &f->request,
			schedule_renewal(&f->server->client->rng, f->granted,
				f->expires - f->granted, 1, later(f->request.sent, now)));
	fact_plan(f);
	fact_tell(f, POSTERN_MAPPED)->lifetime_s = (uint32_t)((f->expires - now) / NS_PER_S);
}

static int adopt(
	struct postern_client *c, struct wish *w, const struct postern_mapping *want, ns now)
{
	struct postern_mapping old = w->want;
	struct fact *next;
	bool same;
	int error;

	w->loaded = false;
	w->want = *want;
	options_set_first_port(&w->want);
	same = mapping_is_enough(&old, &w->want);
	w->deleting = want->lifetime_s == 0;
	for (struct fact *f = w->facts; f; f = next) {
		next = f->next_of_wish;
		if (!is_meant_for(w, f->server)) {
			fact_unlink(f);
			fact_release(f);
		} else if (w->deleting) {
			start_delete(f, now);
		} else {
			fact_go_on(f, same, now);
		}
	}
	error = ask_everywhere(c, w, now);
	return error < 0 ? error : w->id;
}

// ---- the caller's calls ----------------------------------------------------------------------

int postern_client_map(
	struct postern_client *c, const struct postern_mapping *want, uint64_t now_ns)
{
	struct wish *w;
	int error;

	if (!makes_sense(c, want))
		return -EINVAL;
	w = find_loaded(c, want);
	if (w)
		return adopt(c, w, want, now_ns);
	error = wish_add(c, want, &w);
	if (error < 0)
		return error;
	options_set_first_port(&w->want);
	w->deleting = want->lifetime_s == 0;
	error = ask_everywhere(c, w, now_ns);
	if (error < 0) {
		wish_release(c, w);
		return error;
	}
	return w->id;
}

int postern_client_renew(struct postern_client *c, int id, uint64_t now_ns)
{
	struct wish *w = client_find_wish(c, id);

	if (!w || w->deleting)
		return -EINVAL;
	for (struct fact *f = w->facts; f; f = f->next_of_wish)
		fact_ask(f, now_ns);
	return 0;
}

// What never left us cannot be there, unless an earlier run may have made it.
static bool was_never_there(const struct fact *f)
{
	const struct postern_client *c = f->server->client;

	return !was_sent(&f->request) && !f->granted_once && !f->wish->want.has_nonce &&
	       !c->options.has_secret && f->result == 0;
}

int postern_client_delete(struct postern_client *c, int id, uint64_t now_ns)
{
	struct wish *w = client_find_wish(c, id);

	if (!w || w->want.peer.port != 0) // s.12.3: PEER can never delete
		return -EINVAL;
	w->deleting = true;
	w->loaded = false;
	for (struct fact *f = w->facts; f; f = f->next_of_wish) {
		if (f->phase == PHASE_ASKING && was_never_there(f)) {
			fact_end(f, false);
			fact_tell(f, POSTERN_DELETED);
		} else {
			start_delete(f, now_ns);
		}
	}
	return 0;
}

void postern_client_forget(struct postern_client *c, int id)
{
	struct wish *w = client_find_wish(c, id);

	if (!w)
		return;
	news_drop_wish(c, id);
	wish_release(c, w);
}

int server_join_wishes(struct server *s, ns now)
{
	struct postern_client *c = s->client;

	for (uint32_t i = 0; i < c->n_wishes; i++) {
		struct wish *w = c->wishes[i];
		struct fact *f;
		int error;

		if (!w || w->deleting || w->loaded || !is_meant_for(w, s))
			continue;
		error = fact_create(w, s, &f);
		if (error < 0)
			return error;
		fact_ask(f, now);
	}
	return 0;
}
