// SPDX-License-Identifier: Apache-2.0
// Servers and their addresses (RFC 6887 s.8.1, RFC 7488). One address is in use at a time; when it
// stays silent the next one is, and after the last all rest for a quarter of an hour.
#include <errno.h>

#include "state.h"

struct server *server_find(const struct postern_client *c, int id)
{
	struct server *s = c->servers;

	while (s && s->id != id)
		s = s->next;
	return s;
}

const struct postern_endpoint *server_endpoint(const struct server *s)
{
	return &s->as.addresses[s->address];
}

bool server_has_way(const struct server *s)
{
	return s->sources[s->address].known && !s->resting;
}

unsigned server_count_ways(const struct server *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->as.n_addresses; i++)
		n += s->sources[i].known;
	return n;
}

// ---- adding and removing ---------------------------------------------------------------------

static bool is_loopback(ip6 a)
{
	static const ip6 loopback = {{[15] = 1}};

	return ip6_is_mapped(a) ? a.b[12] == 127 : ip6_eq(a, loopback);
}

static bool is_multicast(ip6 a)
{
	return ip6_is_mapped(a) ? a.b[12] >= 224 : a.b[0] == 0xff;
}

static bool is_usable(const struct postern_server *as, unsigned i)
{
	ip6 a = ip_of(as->addresses[i].ip);

	if (as->addresses[i].port == 0 || is_any_ip(a))
		return false;
	return as->origin != POSTERN_DHCP || (!is_loopback(a) && !is_multicast(a));
}

static int check(const struct postern_client *c, const struct postern_server *as)
{
	if (as->n_addresses == 0 || as->n_addresses > POSTERN_ADDRESSES)
		return -EINVAL;
	for (unsigned i = 0; i < as->n_addresses; i++)
		if (!is_usable(as, i))
			return -EINVAL;
	for (const struct server *s = c->servers; s; s = s->next)
		if (same_endpoint(&s->as.addresses[0], &as->addresses[0]) &&
			s->as.interface == as->interface)
			return -EEXIST;
	return 0;
}

static void init(struct server *s, struct postern_client *c, const struct postern_server *as)
{
	s->client = c;
	s->id = c->next_server++;
	s->as = *as;
	s->dialect = POSTERN_V2;
	s->told_dialect = POSTERN_V2;
	s->announce.next = NEVER;
	s->get.request.next = NEVER;
	s->announcing = (struct action){.server = s, .deed = POSTERN_SEND_ANNOUNCE};
	s->getting = (struct action){.server = s, .deed = POSTERN_SEND_GET};
	s->rest = (struct action){.server = s, .deed = POSTERN_TRY_ADDRESS};
}

// Behind the others, so that the oldest comes first everywhere.
static void link_server(struct postern_client *c, struct server *s)
{
	struct server **at = &c->servers;

	while (*at)
		at = &(*at)->next;
	*at = s;
}

int postern_client_add_server(
	struct postern_client *c, const struct postern_server *server, uint64_t now_ns)
{
	int error = check(c, server);
	struct server *s;

	if (error < 0)
		return error;
	s = client_allocate(c, sizeof *s);
	if (!s)
		return -ENOMEM;
	init(s, c, server);
	link_server(c, s);
	if (server_asks_first(s))
		announce_start(s, now_ns);
	error = server_join_wishes(s, now_ns);
	if (error < 0) {
		postern_client_remove_server(c, s->id, now_ns);
		return error;
	}
	return s->id;
}

// What was held there is told to be lost before its memory goes.
static void lose(struct fact *f)
{
	bool held = f->expires != NEVER && f->phase != PHASE_DONE;
	struct postern_client *c = f->client;

	for (unsigned i = 0; f->parts && i < MOST_PARTS; i++)
		news_drop(c, &f->parts[i].news);
	if (held && !f->wish->loaded)
		fact_tell(f, POSTERN_LOST);
	fact_unlink(f);
	if (held && f->news.queued)
		f->news.owner = f;
	else
		fact_release(f);
}

void postern_client_remove_server(struct postern_client *c, int server, uint64_t now_ns)
{
	struct server *s = server_find(c, server), **at;

	(void)now_ns;
	if (!s)
		return;
	while (s->facts)
		lose(s->facts);
	action_plan(c, &s->announcing, NEVER);
	action_plan(c, &s->getting, NEVER);
	action_plan(c, &s->rest, NEVER);
	for (size_t i = 0; i < ARRAY_SIZE(s->news); i++)
		news_drop(c, &s->news[i]);
	for (at = &c->servers; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	client_release(c, s);
}

// ---- which address ---------------------------------------------------------------------------

bool server_waits(const struct server *s)
{
	if (is_under_way(&s->announce) || is_under_way(&s->get.request))
		return true;
	for (const struct fact *f = s->facts; f; f = f->next_of_server)
		if (is_under_way(&f->request) && (f->phase != PHASE_HELD || f->renewals > 0))
			return true;
	return false;
}

void server_replan(struct server *s)
{
	announce_plan(s);
	get_plan(s);
	for (struct fact *f = s->facts; f; f = f->next_of_server)
		fact_plan(f);
}

void server_went(struct server *s)
{
	prefix64_drop(s);
	if (s->gone)
		return;
	s->gone = true;
	server_tell(s, POSTERN_SERVER_GONE);
}

void server_hear(struct server *s, ns now)
{
	s->heard = now;
	if (!s->gone)
		return;
	s->gone = false;
	server_tell(s, POSTERN_SERVER_BACK);
	server_hurry(s, now);
}

// What was asked at the old address is asked at the new one from the start, in places of a
// recovery but for the first.
void server_restart_requests(struct server *s, ns now)
{
	bool first = true;

	if (is_under_way(&s->announce))
		request_start(s, &s->announce, now);
	if (is_under_way(&s->get.request))
		request_start(s, &s->get.request, now);
	for (struct fact *f = s->facts; f; f = f->next_of_server) {
		f->request.n_here = 0;
		if (!is_under_way(&f->request) || f->phase == PHASE_DONE)
			continue;
		if (f->phase == PHASE_HELD && f->renewals == 0)
			continue;
		request_start(s, &f->request, first ? now : pace_slot(s->client, now));
		first = false;
	}
}

// Mappings that were made from another source are not these (failure F17); nothing can leave from
// there any more by way of this address, so none is ended.
static void follow_source(struct server *s, bool still_ours, ns now)
{
	ip6 source = s->sources[s->address].ip;

	for (struct fact *f = s->facts; f; f = f->next_of_server)
		if (f->has_source && !ip6_eq(f->source, source))
			fact_move(f, still_ours, now);
}

void server_use_address(struct server *s, unsigned address, ns now)
{
	s->address = address;
	s->resting = false;
	action_plan(s->client, &s->rest, NEVER);
	if (s->dialect == POSTERN_NATPMP && !natpmp_may(s))
		version_reset(s, now);
	server_restart_requests(s, now);
	if (s->sources[address].known)
		follow_source(s, false, now);
	server_replan(s);
}

static bool find_way(const struct server *s, unsigned from, unsigned *out)
{
	for (unsigned i = from; i < s->as.n_addresses; i++) {
		if (!s->sources[i].known)
			continue;
		*out = i;
		return true;
	}
	return false;
}

void server_next_address(struct server *s, ns now)
{
	unsigned next;

	if (find_way(s, s->address + 1, &next)) {
		server_use_address(s, next, now);
		return;
	}
	server_went(s);
	s->resting = true;
	action_plan(s->client, &s->rest, now + SERVER_REST);
	server_replan(s);
}

void server_try_again(struct server *s, ns now)
{
	unsigned first;

	action_plan(s->client, &s->rest, NEVER);
	s->resting = false;
	server_use_address(s, find_way(s, 0, &first) ? first : 0, now);
}

// ---- facts about routes ----------------------------------------------------------------------

static void lose_way(struct server *s, ns now)
{
	unsigned other;

	s->in_flight = NULL;
	if (find_way(s, 0, &other))
		server_use_address(s, other, now);
	else
		server_replan(s);
}

void postern_client_source(struct postern_client *c, int server, unsigned address,
	const uint8_t source[16], bool still_ours, uint64_t now_ns)
{
	struct server *s = server_find(c, server);
	bool had_way;

	if (!s || address >= s->as.n_addresses)
		return;
	had_way = s->sources[s->address].known;
	s->sources[address].known = source != NULL;
	if (source)
		memcpy(s->sources[address].ip.b, source, 16);
	if (!source && address == s->address) {
		lose_way(s, now_ns);
		return;
	}
	if (!had_way && source && address != s->address)
		server_use_address(s, address, now_ns);
	if (address != s->address)
		return;
	if (s->dialect == POSTERN_NATPMP && !natpmp_may(s))
		version_reset(s, now_ns);
	follow_source(s, still_ours, now_ns);
	server_replan(s);
}

// Anybody can forge such an error, so it only hurries what would come anyway; a server that has no
// other address keeps its timer.
void postern_client_unreachable(
	struct postern_client *c, const struct postern_endpoint *server, uint64_t now_ns)
{
	for (struct server *s = c->servers; s; s = s->next)
		if (same_endpoint(server_endpoint(s), server) && server_has_way(s) &&
			server_count_ways(s) > 1 && server_waits(s))
			server_next_address(s, now_ns);
}

void postern_client_moved(struct postern_client *c, uint64_t now_ns)
{
	for (struct server *s = c->servers; s; s = s->next) {
		bool just_heard = s->heard != 0 && !s->gone && now_ns - s->heard < RENEWALS_APART;

		if (s->resting)
			server_try_again(s, now_ns);
		announce_start(s, just_heard ? s->heard + RENEWALS_APART : now_ns);
	}
}

bool postern_client_server(
	const struct postern_client *c, int server, struct postern_server_fact *out)
{
	const struct server *s = server_find(c, server);

	if (!s)
		return false;
	*out = (struct postern_server_fact){
		.server = s->as,
		.address = s->address,
		.has_source = s->sources[s->address].known,
		.answers = s->heard != 0 && !s->gone,
		.gone = s->gone,
		.dialect = s->dialect,
		.epoch_s = s->epoch.server_s,
		.heard_ns = s->heard,
	};
	memcpy(out->source, s->sources[s->address].ip.b, sizeof out->source);
	return true;
}
