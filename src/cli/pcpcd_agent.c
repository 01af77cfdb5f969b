// SPDX-License-Identifier: Apache-2.0
// The ports. Each wanted mapping has a slot; a slot whose port is gone from the file lives on until
// the servers have answered the delete.
#include "pcpcd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define MOST_MAPPINGS (2 * PCPCD_MAX_SERVERS * PCPCD_MAX_WANTS)
#define REPLACE_WAIT (10 * NS_PER_S) // for the end of the old mapping
#define RELEASE_WAIT (5 * NS_PER_S)  // at the end of the program
#define FILTER_OCTETS 24             // of the option

struct slot {
	struct slot *next;
	int id;        // the client's; -1: not asked for yet, since another has to leave first
	bool leaving;  // being deleted at the servers
	bool has_then; // when that is done, this is wanted
	ns until;      // leaving: not waited for any longer
	struct pcpcd_want want, then;
	struct pcpcd_told told[PCPCD_MAX_SERVERS];
};

struct pcpcd_agent {
	const struct log *log;
	struct postern_client *client;
	struct postern_loop *loop;
	struct slot *slots;     // in the order of the file
	struct pcpcd_conf conf; // in force
};

// ---- slots -----------------------------------------------------------------------------------

static struct slot *find_id(const struct pcpcd_agent *a, int id)
{
	struct slot *s = a->slots;

	while (s && s->id != id)
		s = s->next;
	return s;
}

static struct slot *find_port(const struct pcpcd_agent *a, uint8_t protocol, uint16_t port)
{
	struct slot *s = a->slots;

	while (s && (s->want.protocol != protocol || s->want.internal_port != port))
		s = s->next;
	return s;
}

static struct slot *add_slot(struct pcpcd_agent *a, const struct pcpcd_want *want, int id)
{
	struct slot **at = &a->slots, *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->id = id;
	s->want = *want;
	while (*at)
		at = &(*at)->next;
	*at = s;
	return s;
}

static void drop_slot(struct pcpcd_agent *a, struct slot *s)
{
	struct slot **at = &a->slots;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
}

static struct pcpcd_told *told_at(struct slot *s, int server)
{
	struct pcpcd_told *free_one = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(s->told); i++) {
		struct pcpcd_told *t = &s->told[i];

		if (t->known && t->server == server)
			return t;
		if (!t->known || (!free_one && !t->open))
			free_one = t; // one of a server that went may be forgotten
	}
	if (!free_one)
		free_one = &s->told[0];
	*free_one = (struct pcpcd_told){.server = server, .known = true};
	return free_one;
}

// ---- asking and giving back ------------------------------------------------------------------

static int make_mapping(const struct pcpcd_want *w, struct postern_mapping *m)
{
	int error = 0;

	*m = (struct postern_mapping){.protocol = w->protocol,
		.internal_port = w->internal_port,
		.external.port = w->external_port,
		.lifetime_s = w->lifetime_s,
		.prefer_failure = w->prefer_failure,
		.keep = true,
		.server = POSTERN_ALL_SERVERS,
		.importance = w->importance};
	for (unsigned i = 0; i < w->n_filters && error == 0; i++) {
		const struct pcp_filter *f = &w->filters[i];
		unsigned bits = ip6_is_mapped(f->address) ? f->prefix - 96u : f->prefix;

		error = postern_mapping_add_filter(m, f->address.b, (uint8_t)bits, f->port);
	}
	if (error == 0 && w->description[0] != '\0')
		error = postern_mapping_add_description(m, w->description);
	return error;
}

static int ask(struct pcpcd_agent *a, const struct pcpcd_want *w, ns now)
{
	struct postern_mapping m;
	int id = make_mapping(w, &m);

	if (id == 0)
		id = postern_client_map(a->client, &m, now);
	if (id < 0)
		log_error(a->log, "%s: cannot be asked for: %s", w->name, strerror(-id));
	return id;
}

// The nonce follows from the secret, so the servers take it for the same mapping.
static void begin_again(struct pcpcd_agent *a, struct slot *s, const struct pcpcd_want *w, ns now)
{
	if (s->id >= 0)
		postern_client_forget(a->client, s->id);
	s->want = *w;
	s->leaving = s->has_then = false;
	for (size_t i = 0; i < ARRAY_SIZE(s->told); i++)
		s->told[i].result = 0; // a refusal is news again
	s->id = ask(a, w, now);
	if (s->id < 0)
		drop_slot(a, s);
}

static void leave(struct pcpcd_agent *a, struct slot *s, ns now, ns wait)
{
	if (s->leaving) {
		s->until = s->until < now + wait ? s->until : now + wait;
		return;
	}
	s->leaving = true;
	s->until = now + wait;
	(void)postern_client_delete(a->client, s->id, now);
}

static void leave_for_good(struct pcpcd_agent *a, struct slot *s, ns now)
{
	s->has_then = false;
	leave(a, s, now, s->want.lifetime_s * NS_PER_S);
	s->until = now + s->want.lifetime_s * NS_PER_S; // also when it was to be replaced
}

static void replace(struct pcpcd_agent *a, struct slot *s, const struct pcpcd_want *w, ns now)
{
	s->then = *w;
	s->has_then = true;
	leave(a, s, now, REPLACE_WAIT);
}

static bool has_ended(const struct pcpcd_agent *a, int id)
{
	struct postern_fact fact;
	uintptr_t cursor = 0;

	while (postern_client_fact(a->client, &cursor, &fact))
		if (fact.id == id && fact.state != POSTERN_STATE_ENDED)
			return false;
	return true;
}

// Whether the external port it wants is another's that is being closed: whoever asks too early gets
// a third one, and keeps it.
static bool has_to_wait(
	const struct pcpcd_agent *a, const struct slot *but, const struct pcpcd_want *w)
{
	for (const struct slot *s = a->slots; s; s = s->next)
		if (s != but && s->leaving && s->want.protocol == w->protocol &&
			s->want.external_port == w->external_port && w->external_port != 0 &&
			!has_ended(a, s->id))
			return true;
	return false;
}

static bool find_loaded(
	const struct pcpcd_agent *a, const struct pcpcd_want *w, struct postern_fact *out)
{
	uintptr_t cursor = 0;

	while (postern_client_fact(a->client, &cursor, out))
		if (out->want.protocol == w->protocol &&
			out->want.internal_port == w->internal_port && out->want.peer.port == 0 &&
			!find_id(a, out->id))
			return true;
	return false;
}

// make_mapping() writes filters first.
static size_t filters_length(const struct postern_mapping *m)
{
	size_t n = 0;

	while (n + FILTER_OCTETS <= m->n_options && m->options[n] == PCP_FILTER)
		n += FILTER_OCTETS;
	return n;
}

// A renewal takes no filter away, and gets no other port.
static bool can_go_on(const struct postern_mapping *held, const struct pcpcd_want *w)
{
	struct postern_mapping m;
	size_t n = filters_length(held);

	if (make_mapping(w, &m) < 0 || n != filters_length(&m) ||
		memcmp(held->options, m.options, n) != 0)
		return false;
	return !w->prefer_failure || held->external.port == w->external_port;
}

static void begin(struct pcpcd_agent *a, const struct pcpcd_want *w, ns now)
{
	struct postern_fact loaded;
	bool other = find_loaded(a, w, &loaded) && !can_go_on(&loaded.want, w);
	bool waits = other || has_to_wait(a, NULL, w);
	int id = other ? loaded.id : waits ? -1 : ask(a, w, now);
	struct slot *s = waits || id >= 0 ? add_slot(a, w, id) : NULL;

	if (s && waits)
		replace(a, s, w, now);
	if (s || (!waits && id < 0))
		return;
	postern_client_forget(a->client, id);
	log_error(a->log, "%s: cannot be asked for: %s", w->name, strerror(ENOMEM));
}

static void apply(struct pcpcd_agent *a, const struct pcpcd_difference *d, ns now)
{
	const struct pcpcd_want *w = d->new ? d->new : d->old;
	struct slot *s = find_port(a, w->protocol, w->internal_port);

	if (!s && d->new)
		begin(a, w, now);
	if (!s)
		return;
	if (d->change == PCPCD_GONE)
		leave_for_good(a, s, now);
	else if (s->leaving || d->change == PCPCD_REPLACE)
		replace(a, s, w, now);
	else if (d->change == PCPCD_RENEW)
		begin_again(a, s, w, now);
	else
		s->want = *w; // it may be called otherwise now
}

// ---- what became of it -----------------------------------------------------------------------

static void name_server(const struct pcpcd_agent *a, int server, char out[PCPCD_SERVER_TEXT])
{
	struct postern_server_fact fact;

	if (postern_client_server(a->client, server, &fact))
		pcpcd_server_format(&fact, out);
	else
		snprintf(out, PCPCD_SERVER_TEXT, "(gone)");
}

// What is open there now is told anew.
static void expect_news(struct pcpcd_agent *a, int server)
{
	for (struct slot *s = a->slots; s; s = s->next)
		told_at(s, server)->open = false;
}

static void take_event(struct pcpcd_agent *a, const struct postern_event *event)
{
	struct slot *s = event->id >= 0 ? find_id(a, event->id) : NULL;
	char server[PCPCD_SERVER_TEXT];
	struct pcpcd_line line;

	if (event->id >= 0 && !s)
		return;
	name_server(a, event->server, server);
	if (pcpcd_say(s ? told_at(s, event->server) : NULL, event, s ? &s->want : NULL, server,
		    &line))
		log_line(a->log, line.level, "%s", line.text);
	if (event->what == POSTERN_RESTARTED)
		expect_news(a, event->server);
}

static bool may_go(const struct pcpcd_agent *a, const struct slot *s)
{
	return has_ended(a, s->id) && !(s->has_then && has_to_wait(a, s, &s->then));
}

static void end_leaving(struct pcpcd_agent *a, ns now)
{
	for (struct slot *s = a->slots, *next; s; s = next) {
		struct pcpcd_want then = s->then;

		next = s->next;
		if (!s->leaving || (now < s->until && !may_go(a, s)))
			continue;
		if (s->has_then) {
			begin_again(a, s, &then, now);
		} else {
			postern_client_forget(a->client, s->id);
			drop_slot(a, s);
		}
	}
}

// What an earlier run made and nobody wants any more is deleted. The same port as one of ours comes
// up when its server was found late: ours asks for it already, with the same nonce.
static void take_stranger(struct pcpcd_agent *a, const struct postern_fact *fact, ns now)
{
	struct pcpcd_want want = {.name = "of an earlier run",
		.protocol = fact->want.protocol,
		.internal_port = fact->want.internal_port,
		.external_port = fact->want.external.port,
		.lifetime_s = fact->want.lifetime_s};
	struct slot *s = NULL;

	if (fact->want.peer.port == 0 && !find_port(a, want.protocol, want.internal_port))
		s = add_slot(a, &want, fact->id);
	if (s)
		leave_for_good(a, s, now);
	else
		postern_client_forget(a->client, fact->id);
}

// `conf`: what is wanted in it is not strange.
static void look_for_strangers(struct pcpcd_agent *a, const struct pcpcd_conf *conf, ns now)
{
	struct postern_fact fact;
	uintptr_t cursor = 0;

	while (postern_client_fact(a->client, &cursor, &fact)) {
		if (find_id(a, fact.id) || (conf && pcpcd_find_want(conf, fact.want.protocol,
							    fact.want.internal_port)))
			continue;
		take_stranger(a, &fact, now);
		cursor = 0; // the client has changed
	}
}

int pcpcd_agent_round(struct pcpcd_agent *a)
{
	int error = postern_loop_run(a->loop, 0);
	struct postern_event event;
	ns now = postern_loop_now();

	if (error < 0)
		return error;
	while (postern_client_event(a->client, &event))
		take_event(a, &event);
	look_for_strangers(a, NULL, now);
	end_leaving(a, now);
	return postern_loop_run(a->loop, 0); // what that planned is sent, and the timer set
}

ns pcpcd_agent_deadline(const struct pcpcd_agent *a)
{
	ns first = POSTERN_NEVER;

	for (const struct slot *s = a->slots; s; s = s->next)
		if (s->leaving && s->until < first)
			first = s->until;
	return first;
}

// ---- beginning, change and end ---------------------------------------------------------------

static int create_client(struct pcpcd_agent *a)
{
	struct postern_client_options options = {.has_secret = true,
		.dialects = a->conf.dialects,
		.pace_ms = a->conf.pace_ms,
		.max_mappings = MOST_MAPPINGS};
	int error = pcpcd_secret_read(a->conf.state_file, options.secret);

	if (error < 0) {
		log_error(a->log, "%s.secret: %s: is its folder there, and may it be written?",
			a->conf.state_file, strerror(-error));
		return error;
	}
	if (getrandom(options.seed, sizeof options.seed, 0) != (ssize_t)sizeof options.seed)
		return -EIO;
	return postern_client_create(&options, &a->client);
}

static int create_loop(struct pcpcd_agent *a)
{
	struct postern_loop_options options = {.servers = a->conf.servers,
		.n_servers = a->conf.n_servers,
		.anycast = a->conf.anycast,
		.ip4_first = !a->conf.prefer_ipv6,
		.state_file = a->conf.state_file};
	int error = postern_loop_create(a->client, &options, &a->loop);

	if (error == -EBUSY)
		log_error(a->log, "%s: another program uses it: does pcpcd run already?",
			a->conf.state_file);
	else if (error < 0)
		log_error(a->log, "cannot begin with state file %s: %s", a->conf.state_file,
			strerror(-error));
	return error;
}

// How many differences of each kind there were.
static void put_in_force(
	struct pcpcd_agent *a, const struct pcpcd_conf *conf, unsigned n_of[PCPCD_REPLACE + 1])
{
	struct pcpcd_difference list[2 * PCPCD_MAX_WANTS];
	unsigned n = pcpcd_differences(&a->conf, conf, list);
	ns now = postern_loop_now();

	for (unsigned i = 0; i < n; i++) {
		n_of[list[i].change]++;
		apply(a, &list[i], now);
	}
	memcpy(a->conf.wants, conf->wants, sizeof a->conf.wants);
	a->conf.n_wants = conf->n_wants;
	a->conf.release_on_exit = conf->release_on_exit;
}

int pcpcd_agent_create(
	const struct pcpcd_conf *conf, const struct log *log, struct pcpcd_agent **out)
{
	struct pcpcd_agent *a = calloc(1, sizeof *a);
	unsigned n_of[PCPCD_REPLACE + 1] = {0};
	int error;

	*out = NULL;
	if (!a)
		return -ENOMEM;
	a->log = log;
	a->conf = *conf;
	a->conf.n_wants = 0;
	error = create_client(a);
	if (error == 0)
		error = create_loop(a);
	if (error < 0) {
		pcpcd_agent_destroy(a);
		return error;
	}
	look_for_strangers(a, conf, postern_loop_now()); // they go first: there may be a quota
	put_in_force(a, conf, n_of);
	*out = a;
	return 0;
}

void pcpcd_agent_destroy(struct pcpcd_agent *a)
{
	if (!a)
		return;
	postern_loop_destroy(a->loop); // saves
	postern_client_destroy(a->client);
	while (a->slots)
		drop_slot(a, a->slots);
	free(a);
}

int pcpcd_agent_fd(const struct pcpcd_agent *a)
{
	return postern_loop_fd(a->loop);
}

void pcpcd_agent_change(struct pcpcd_agent *a, const struct pcpcd_conf *conf)
{
	unsigned n_of[PCPCD_REPLACE + 1] = {0}, n;
	const char *names[8];

	n = pcpcd_restart_names(&a->conf, conf, names);
	for (unsigned i = 0; i < n; i++)
		log_warn(a->log, "%s is another one now: restart pcpcd to put that in force",
			names[i]);
	put_in_force(a, conf, n_of);
	log_notice(a->log,
		"the new file is in force; mappings: %u new, %u gone, %u changed, %u as before",
		n_of[PCPCD_NEW], n_of[PCPCD_GONE], n_of[PCPCD_RENEW] + n_of[PCPCD_REPLACE],
		n_of[PCPCD_KEEP]);
}

void pcpcd_agent_release(struct pcpcd_agent *a)
{
	ns now = postern_loop_now();

	for (struct slot *s = a->slots; s; s = s->next) {
		s->has_then = false;
		leave(a, s, now, RELEASE_WAIT);
	}
}

bool pcpcd_agent_is_idle(const struct pcpcd_agent *a)
{
	return !a->slots;
}

bool pcpcd_agent_releases(const struct pcpcd_agent *a)
{
	return a->conf.release_on_exit;
}

// ---- what is known ---------------------------------------------------------------------------

static bool is_open(const struct pcpcd_agent *a, int id)
{
	ns now = postern_loop_now();
	struct postern_fact fact;
	uintptr_t cursor = 0;

	while (postern_client_fact(a->client, &cursor, &fact))
		if (fact.id == id && pcpcd_is_open(&fact, now))
			return true;
	return false;
}

void pcpcd_agent_count(const struct pcpcd_agent *a, unsigned *n_open, unsigned *n_wanted)
{
	*n_open = *n_wanted = 0;
	for (const struct slot *s = a->slots; s; s = s->next) {
		if (s->leaving)
			continue;
		++*n_wanted;
		*n_open += is_open(a, s->id);
	}
}

static bool tell_row(FILE *to, const struct pcpcd_row *row)
{
	char *line = pcpcd_status_line(row, postern_loop_now());
	bool good = line && fprintf(to, "%s\n", line) > 0;

	free(line);
	return good;
}

static bool tell_slot(const struct pcpcd_agent *a, const struct slot *s, FILE *to)
{
	struct pcpcd_row row = {.want = &s->want};
	bool good = true, any = s->leaving && s->id >= 0;
	struct postern_server_fact server;
	struct postern_fact fact;
	uintptr_t cursor = 0;

	while (good && postern_client_fact(a->client, &cursor, &fact)) {
		if (fact.id != s->id || fact.state == POSTERN_STATE_ENDED)
			continue;
		any = true;
		row.fact = &fact;
		row.server =
			postern_client_server(a->client, fact.server, &server) ? &server : NULL;
		good = tell_row(to, &row);
	}
	return good && (any || tell_row(to, &row));
}

char *pcpcd_agent_tell(void *context, size_t *length)
{
	const struct pcpcd_agent *a = context;
	char *text = NULL;
	FILE *to = open_memstream(&text, length);
	bool good = to != NULL;

	for (const struct slot *s = a->slots; s && good; s = s->next)
		good = tell_slot(a, s, to);
	if (to && fclose(to) != 0)
		good = false;
	if (good)
		return text;
	free(text);
	return NULL;
}
