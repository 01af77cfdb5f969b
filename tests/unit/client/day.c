// SPDX-License-Identifier: Apache-2.0
// day.c - a day of a client and two servers over a bad network: datagrams get lost, doubled and
// overtake each other; servers restart, with and without an announcement anybody hears, or are away
// for a while; the route changes or is gone; the client is restarted and goes on from its text.
//
//	day SEED HOURS
//
// Each second each wanted mapping at each server is held there, or it is known why not: something
// happened, and since then not more time passed than RFC 6887 allows for what got lost on the way.
#include <postern/client.h>
#include <postern/pcp.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVERS 2
#define WANTED 5
#define FIRST_PORT 8080
#define FLYING 4096
#define LOSS 6 // per cent
#define DOUBLED 3
#define LIFETIME_S 3600
#define SLACK (12 * NS_PER_S) // spread of 5 s, pace of all mappings, flight of two datagrams
#define LONGEST_RETRY (1127 * NS_PER_S)

struct flight {
	ns at;
	bool to_client;
	int server; // index
	unsigned wanted;
	uint8_t source[16];
	size_t length;
	bool announcement;
	ns booted; // when who answers had begun
	uint8_t octets[POSTERN_DATAGRAM];
};

struct held {
	bool used;
	struct pcp_nonce nonce;
	ip6 source;
	uint16_t external_port;
	ns expires;
};

struct server {
	int id;
	struct postern_endpoint at;
	ns booted, away_until;
	bool heard_since_boot; // the client took something it said since
	unsigned n_announced;
	ns announce_at;
	struct held held[WANTED][2]; // by our two addresses
	ns excused[WANTED];          // it may not be held until then
	unsigned lost[WANTED];       // in a row
};

struct day {
	struct postern_client *client;
	struct rng rng;
	uint64_t seed;
	ns now;
	unsigned source; // 0, 1
	bool has_way;
	ns way_back, next_trouble;
	struct server servers[SERVERS];
	unsigned n_flying;
	struct flight flying[FLYING];
	unsigned long restarts, moves, losses, runs, requests, events;
};

static void fail(const struct day *d, const char *what, int server, unsigned wanted)
{
	fprintf(stderr, "day: seed %llu, second %llu: %s (server %d, mapping %u)\n",
		(unsigned long long)d->seed, (unsigned long long)(d->now / NS_PER_S), what, server,
		wanted);
	exit(1);
}

static struct postern_endpoint ip4_at(uint8_t c, uint8_t e)
{
	uint8_t octets[4] = {100, 64, c, e};

	return postern_endpoint_ip4(octets, POSTERN_SERVER_PORT);
}

static ip6 source_ip(unsigned i)
{
	struct postern_endpoint e = ip4_at(0, (uint8_t)(10 + i));
	ip6 ip;

	memcpy(ip.b, e.ip, sizeof ip.b);
	return ip;
}

static bool chance(struct day *d, unsigned per_cent)
{
	return rng_below(&d->rng, 100) < per_cent;
}

static ns between(struct day *d, uint32_t from_s, uint32_t to_s)
{
	return (from_s + rng_below(&d->rng, to_s - from_s)) * NS_PER_S;
}

// ---- excuses ---------------------------------------------------------------------------------

static void excuse(struct server *s, unsigned wanted, ns until)
{
	if (s->excused[wanted] < until)
		s->excused[wanted] = until;
}

static void excuse_all(struct server *s, ns until)
{
	for (unsigned i = 0; i < WANTED; i++)
		excuse(s, i, until);
}

// The longest wait after the n-th transmission in vain (s.8.1.1): each is up to a tenth more than
// twice the one before.
static ns longest_wait(unsigned n)
{
	ns wait = 33 * NS_PER_S / 10;

	while (n-- > 0 && wait < LONGEST_RETRY)
		wait = wait * 22 / 10;
	return wait < LONGEST_RETRY ? wait : LONGEST_RETRY;
}

// One more datagram is lost: the next try comes after the retransmission time.
static void note_lost(struct day *d, struct server *s, unsigned wanted)
{
	excuse(s, wanted, d->now + longest_wait(s->lost[wanted]) + SLACK);
	s->lost[wanted]++;
	d->losses++;
}

// ---- the network -----------------------------------------------------------------------------

static void fly(struct day *d, const struct flight *f)
{
	struct server *s = &d->servers[f->server];
	unsigned copies = chance(d, DOUBLED) ? 2 : 1, arrive = 0;

	for (unsigned i = 0; i < copies; i++) {
		struct flight *copy = &d->flying[d->n_flying];

		if (chance(d, LOSS))
			continue;
		if (d->n_flying == FLYING)
			fail(d, "a storm", s->id, f->wanted);
		*copy = *f;
		copy->at = d->now + (1 + rng_below(&d->rng, 300)) * NS_PER_MS;
		d->n_flying++;
		arrive++;
	}
	if (arrive == 0 && f->wanted < WANTED)
		note_lost(d, s, f->wanted);
}

static struct flight *next_flight(struct day *d)
{
	struct flight *first = NULL;

	for (unsigned i = 0; i < d->n_flying; i++)
		if (!first || d->flying[i].at < first->at)
			first = &d->flying[i];
	return first;
}

// ---- a server --------------------------------------------------------------------------------

static uint32_t epoch_of(const struct day *d, const struct server *s)
{
	return (uint32_t)((d->now - s->booted) / NS_PER_S);
}

static bool is_held(const struct held *h, ns now)
{
	return h->used && h->expires > now;
}

static void grant(struct day *d, struct server *s, const struct pcp_message *m, struct held *h,
	struct flight *reply)
{
	struct pcp_message answer = *m;
	uint32_t lifetime_s = min_u32(m->lifetime_s, LIFETIME_S);
	bool again = is_held(h, d->now);

	if (lifetime_s == 0) {
		h->used = false;
	} else {
		if (!again)
			h->external_port = m->external_port != 0
						   ? m->external_port
						   : (uint16_t)(20000 + rng_below(&d->rng, 20000));
		*h = (struct held){.used = true,
			.nonce = m->nonce,
			.source = m->client,
			.external_port = h->external_port,
			.expires = d->now + lifetime_s * NS_PER_S};
		answer.external_port = h->external_port;
		answer.external_ip = ip6_mapped(0xcb007105u + (uint32_t)(s - d->servers));
	}
	reply->length = pcp_success_reply(reply->octets, &answer, lifetime_s, epoch_of(d, s));
}

static void refuse(struct day *d, struct server *s, const struct pcp_message *m,
	enum pcp_result result, uint32_t lifetime_s, struct flight *reply)
{
	struct pcp_error error = {.result = result,
		.parsed = true,
		.lifetime_s = lifetime_s,
		.epoch_s = epoch_of(d, s)};

	reply->length =
		pcp_error_reply(reply->octets, reply->length, sizeof reply->octets, m, &error);
	excuse_all(s, d->now + lifetime_s * NS_PER_S + SLACK); // and others wait with it
}

static void serve(struct day *d, const struct flight *f)
{
	struct pcp_served served = {.dialects = PCP_SERVES(PCP_V2)};
	struct server *s = &d->servers[f->server];
	struct flight reply = *f;
	enum pcp_result result;
	struct pcp_message m;
	struct held *h;

	if (s->away_until > d->now) {
		if (f->wanted < WANTED)
			note_lost(d, s, f->wanted);
		return;
	}
	memcpy(served.source.b, f->source, sizeof served.source.b);
	if (pcp_decode_request(f->octets, f->length, &served, &m, &result) != PCP_DOOR_OPEN)
		fail(d, "a request that no server understands", s->id, f->wanted);
	reply.to_client = true;
	reply.booted = s->booted;
	if (m.opcode == PCP_ANNOUNCE) {
		reply.length = pcp_success_reply(reply.octets, &m, 0, epoch_of(d, s));
		fly(d, &reply);
		return;
	}
	h = &s->held[f->wanted][ip6_eq(m.client, source_ip(1))];
	if (is_held(h, d->now) && !pcp_nonce_eq(h->nonce, m.nonce))
		fail(d, "a nonce that was forgotten", s->id, f->wanted);
	if (chance(d, 2))
		refuse(d, s, &m, PCP_NO_RESOURCES, 30, &reply);
	else
		grant(d, s, &m, h, &reply);
	fly(d, &reply);
}

static void announce(struct day *d, struct server *s)
{
	static const ns gap = 250 * NS_PER_MS;
	struct pcp_message m = {.dialect = PCP_V2, .opcode = PCP_ANNOUNCE};
	struct flight f = {.to_client = true,
		.server = (int)(s - d->servers),
		.wanted = WANTED,
		.announcement = true,
		.booted = s->booted};

	f.length = pcp_success_reply(f.octets, &m, 0, epoch_of(d, s));
	fly(d, &f);
	s->announce_at = d->now + (gap << s->n_announced);
	if (++s->n_announced == 10)
		s->announce_at = POSTERN_NEVER;
}

// All is lost there. Whether anybody hears of it by itself is another matter.
static void restart(struct day *d, struct server *s, bool told)
{
	memset(s->held, 0, sizeof s->held);
	s->booted = d->now;
	s->heard_since_boot = false;
	s->n_announced = 0;
	s->announce_at = told ? d->now : POSTERN_NEVER;
	d->restarts++;
}

// ---- the client ------------------------------------------------------------------------------

static void wish(struct day *d)
{
	for (unsigned i = 0; i < WANTED; i++) {
		struct postern_mapping m = {.protocol = i % 2 ? 17 : 6,
			.internal_port = (uint16_t)(FIRST_PORT + i),
			.lifetime_s = LIFETIME_S,
			.keep = true,
			.importance = i,
			.server = POSTERN_ALL_SERVERS};

		if (postern_client_map(d->client, &m, d->now) < 0)
			fail(d, "no mapping", 0, i);
	}
}

static void tell_route(struct day *d, bool still_ours)
{
	ip6 ip = source_ip(d->source);

	for (unsigned i = 0; i < SERVERS; i++)
		postern_client_source(d->client, d->servers[i].id, 0, d->has_way ? ip.b : NULL,
			still_ours, d->now);
}

static void begin_run(struct day *d)
{
	struct postern_client_options o = {.has_secret = true, .secret = {3, 1, 4}};
	uint64_t drawn = rng_u64(&d->rng);

	memcpy(o.seed, &drawn, sizeof drawn);
	o.seed[31] = 1;
	if (postern_client_create(&o, &d->client) < 0)
		fail(d, "no client", 0, 0);
	for (unsigned i = 0; i < SERVERS; i++) {
		struct postern_server as = {.n_addresses = 1, .addresses = {d->servers[i].at}};

		d->servers[i].id = postern_client_add_server(d->client, &as, d->now);
	}
	tell_route(d, false);
	d->runs++;
}

static void restart_client(struct day *d)
{
	static char text[65536];
	uint64_t wall_s = 1700000000 + d->now / NS_PER_S;
	size_t n = postern_client_save(d->client, d->now, wall_s, text, sizeof text);
	unsigned skipped;

	if (n >= sizeof text)
		fail(d, "a text without end", 0, 0);
	postern_client_destroy(d->client);
	d->now += between(d, 1, 120);
	begin_run(d);
	if (postern_client_load(
		    d->client, text, n, d->now, 1700000000 + d->now / NS_PER_S, &skipped) < 0)
		fail(d, "no memory", 0, 0);
	wish(d);
	for (unsigned i = 0; i < SERVERS; i++) { // its Epoch says whether the text is still true
		postern_client_announce(d->client, d->servers[i].id, d->now);
		memset(d->servers[i].lost, 0, sizeof d->servers[i].lost);
		excuse_all(&d->servers[i], d->now + SLACK);
	}
}

static void take(struct day *d, const struct flight *f)
{
	struct server *s = &d->servers[f->server];
	struct postern_endpoint to = {.port = f->announcement ? POSTERN_ANNOUNCE_PORT : 50000};
	uint8_t all[4] = {224, 0, 0, 1};
	bool taken;

	memcpy(to.ip, f->source, sizeof to.ip);
	if (f->announcement)
		to = postern_endpoint_ip4(all, POSTERN_ANNOUNCE_PORT);
	if (!d->has_way && f->wanted < WANTED)
		note_lost(d, s, f->wanted);
	if (!d->has_way)
		return;
	taken = postern_client_receive(d->client, d->now, &s->at, &to, f->octets, f->length);
	if (taken && !s->heard_since_boot && f->booted == s->booted) {
		s->heard_since_boot = true;
		excuse_all(s, d->now + SLACK);
	}
	if (taken && f->wanted < WANTED)
		s->lost[f->wanted] = 0;
}

static void send_all(struct day *d)
{
	struct postern_datagram out;
	struct postern_event e;
	unsigned n = 0;

	while (postern_client_send(d->client, d->now, &out)) {
		struct flight f = {.server = out.server == d->servers[1].id,
			.wanted = WANTED,
			.length = out.length};

		if (++n > 200)
			fail(d, "a storm", out.server, 0);
		memcpy(f.source, out.source, sizeof f.source);
		memcpy(f.octets, out.octets, out.length);
		if (out.octets[1] == PCP_MAP)
			f.wanted = (unsigned)(out.octets[40] << 8 | out.octets[41]) - FIRST_PORT;
		d->requests++;
		fly(d, &f);
	}
	while (postern_client_event(d->client, &e))
		d->events++;
	if (postern_client_deadline(d->client) <= d->now)
		fail(d, "a deadline that does not move", 0, 0);
}

// ---- what goes wrong -------------------------------------------------------------------------

static void change_route(struct day *d)
{
	bool still_ours = chance(d, 50);

	d->source = !d->source;
	tell_route(d, still_ours);
	if (chance(d, 50))
		postern_client_moved(d->client, d->now);
	for (unsigned i = 0; i < SERVERS; i++)
		excuse_all(&d->servers[i], d->now + SLACK);
	d->moves++;
}

static void lose_route(struct day *d)
{
	d->has_way = false;
	d->way_back = d->now + between(d, 5, 900);
	tell_route(d, false);
}

static void find_route(struct day *d)
{
	d->has_way = true;
	d->way_back = POSTERN_NEVER;
	tell_route(d, false);
	for (unsigned i = 0; i < SERVERS; i++)
		excuse_all(&d->servers[i], d->now + SLACK);
}

static void cause_trouble(struct day *d)
{
	struct server *s = &d->servers[rng_below(&d->rng, SERVERS)];
	bool is_old = s->booted < d->now && // young Epochs hide a loss (s.8.5)
		      d->now - s->booted > 1800 * NS_PER_S;

	d->next_trouble = d->now + between(d, 120, 1800);
	switch (rng_below(&d->rng, 5)) {
	case 0:
		if (is_old)
			restart(d, s, chance(d, 70));
		break;
	case 1:
		if (!is_old)
			break;
		s->away_until = d->now + between(d, 30, 2400);
		restart(d, s, false);
		s->booted = s->away_until;
		s->announce_at = s->away_until;
		break;
	case 2:
		if (d->has_way)
			change_route(d);
		break;
	case 3:
		if (d->has_way)
			lose_route(d);
		break;
	default:
		restart_client(d);
	}
}

// ---- what is promised ------------------------------------------------------------------------

// The end counts too: what is kept is asked for anew then.
static bool is_planned(const struct day *d, const struct postern_fact *f)
{
	uintptr_t cursor = 0;
	struct postern_action a;

	while (postern_client_action(d->client, &cursor, &a))
		if (a.id == f->id && a.server == f->server)
			return a.at_ns <= d->now + LONGEST_RETRY + LIFETIME_S * NS_PER_S;
	return false;
}

static void check_fact(struct day *d, const struct postern_fact *f)
{
	unsigned which = f->server == d->servers[1].id, i = f->want.internal_port - FIRST_PORT;
	struct server *s = &d->servers[which];
	const struct held *h = &s->held[i][d->source];
	bool held = is_held(h, d->now);
	bool believed =
		(f->state == POSTERN_STATE_MAPPED || f->state == POSTERN_STATE_REFRESHING) &&
		f->expires_ns > d->now;

	if (!d->has_way)
		return;
	if (!is_planned(d, f))
		fail(d, "nothing will happen", (int)which, i);
	if (believed && held && f->expires_ns > h->expires + NS_PER_S)
		fail(d, "believed longer than granted", (int)which, i);
	if (held || s->excused[i] > d->now)
		return;
	if (believed && !s->heard_since_boot)
		return; // nobody told us
	fail(d, believed ? "held, we believe" : "not asked for in time", (int)which, i);
}

static void check(struct day *d)
{
	uintptr_t cursor = 0;
	struct postern_fact f;
	unsigned n = 0;

	while (postern_client_fact(d->client, &cursor, &f)) {
		check_fact(d, &f);
		n++;
	}
	if (n != SERVERS * WANTED)
		fail(d, "facts are missing", 0, n);
}

// ---- the day ---------------------------------------------------------------------------------

static ns next_event(struct day *d, ns second)
{
	ns at = postern_client_deadline(d->client);
	const struct flight *f = next_flight(d);

	if (f && f->at < at)
		at = f->at;
	for (unsigned i = 0; i < SERVERS; i++)
		if (d->servers[i].announce_at < at)
			at = d->servers[i].announce_at;
	if (d->way_back < at)
		at = d->way_back;
	if (second < at)
		at = second;
	return at > d->now ? at : d->now;
}

static void arrive(struct day *d)
{
	struct flight *f;

	while ((f = next_flight(d)) && f->at <= d->now) {
		struct flight landed = *f;

		*f = d->flying[--d->n_flying];
		if (landed.to_client)
			take(d, &landed);
		else
			serve(d, &landed);
	}
}

static void live(struct day *d, ns end)
{
	ns second = d->now + NS_PER_S;

	while (d->now < end) {
		d->now = next_event(d, second);
		arrive(d);
		for (unsigned i = 0; i < SERVERS; i++)
			if (d->servers[i].announce_at <= d->now)
				announce(d, &d->servers[i]);
		if (d->way_back <= d->now)
			find_route(d);
		if (d->next_trouble <= d->now)
			cause_trouble(d);
		send_all(d);
		if (second > d->now)
			continue;
		check(d);
		second = d->now + NS_PER_S;
	}
}

int main(int argc, char **argv)
{
	static struct day d;
	unsigned long hours = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (argc != 3 || hours == 0) {
		fprintf(stderr, "usage: day SEED HOURS\n");
		return 2;
	}
	d = (struct day){.seed = strtoull(argv[1], NULL, 10),
		.now = 100000 * NS_PER_S,
		.has_way = true,
		.way_back = POSTERN_NEVER};
	d.next_trouble = d.now + 600 * NS_PER_S;
	rng_init_u64(&d.rng, d.seed);
	for (unsigned i = 0; i < SERVERS; i++) {
		d.servers[i] = (struct server){
			.at = ip4_at((uint8_t)(i + 1), 1), .announce_at = POSTERN_NEVER};
		d.servers[i].booted = d.now - (5000 + 9000 * i) * NS_PER_S;
		excuse_all(&d.servers[i], d.now + SLACK);
	}
	begin_run(&d);
	wish(&d);
	live(&d, d.now + hours * 3600 * NS_PER_S);
	printf("seed %llu, %lu hours: %lu restarts of servers, %lu moves, %lu runs, %lu requests, "
	       "%lu events, %lu lost\n",
		(unsigned long long)d.seed, hours, d.restarts, d.moves, d.runs, d.requests,
		d.events, d.losses);
	postern_client_destroy(d.client);
	return 0;
}
