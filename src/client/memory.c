// SPDX-License-Identifier: Apache-2.0
// The memory of a later run, as text. A line is
//
//	server ADDRESS PORT EPOCH HEARD
//	mapping ADDRESS PORT SOURCE PROTOCOL INTERNAL PEER PEERPORT EXTERNAL PORT NONCE ASKED
//	        LIFETIME EXPIRES WILDCARD NPORTS OPTIONS
//
// with times as seconds since 1970, and nonce and options as hexadecimal digits ("-": none). The
// Epoch is kept so that a server that starts over while nobody runs here is noticed.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "state.h"

#define WORDS 18

// ---- saving ----------------------------------------------------------------------------------

struct text {
	char *at;
	size_t room, length; // length goes on when the room is used up
};

__attribute__((format(printf, 2, 3))) static void print(struct text *t, const char *format, ...)
{
	size_t left = t->length < t->room ? t->room - t->length : 0;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(left > 0 ? t->at + t->length : NULL, left, format, args);
	va_end(args);
	t->length += (size_t)n;
}

static void print_hex(struct text *t, const uint8_t *octets, size_t n)
{
	print(t, n == 0 ? " -" : " ");
	for (size_t i = 0; i < n; i++)
		print(t, "%02x", octets[i]);
}

static void print_ip(struct text *t, const uint8_t ip[16])
{
	char text[IP6_TEXT];

	print(t, " %s", ip6_format(ip_of(ip), text));
}

static void print_endpoint(struct text *t, const struct postern_endpoint *e)
{
	print_ip(t, e->ip);
	print(t, " %u", e->port);
}

static bool is_worth_it(const struct fact *f, ns now)
{
	return f->has_source && f->expires != NEVER && f->expires > now + NS_PER_S &&
	       !f->wish->deleting && !f->recovering;
}

static void print_fact(struct text *t, const struct fact *f, ns now, uint64_t wall_s)
{
	const struct postern_mapping *want = &f->wish->want;

	print(t, "mapping");
	print_endpoint(t, &f->server->as.addresses[0]);
	print_ip(t, f->source.b);
	print(t, " %u %u", want->protocol, want->internal_port);
	print_endpoint(t, &want->peer);
	print_endpoint(t, &f->external);
	print_hex(t, f->nonce, sizeof f->nonce);
	print(t, " %u %llu %llu %u %u", want->lifetime_s,
		(unsigned long long)((f->expires - f->granted) / NS_PER_S),
		(unsigned long long)(wall_s + (f->expires - now) / NS_PER_S), want->wildcard,
		f->n_ports ? f->n_ports : 1);
	print_hex(t, want->options, want->n_options);
	print(t, "\n");
}

static void print_server(struct text *t, const struct server *s, ns now, uint64_t wall_s)
{
	if (!s->epoch.known || s->dialect != POSTERN_V2)
		return;
	print(t, "server");
	print_endpoint(t, &s->as.addresses[0]);
	print(t, " %u %llu\n", s->epoch.server_s,
		(unsigned long long)(wall_s - (now - s->epoch.heard) / NS_PER_S));
}

size_t postern_client_save(
	const struct postern_client *c, uint64_t now_ns, uint64_t wall_s, char *out, size_t size)
{
	struct text t = {.at = out, .room = size};

	print(&t, "postern-client 1\n");
	for (const struct server *s = c->servers; s; s = s->next)
		print_server(&t, s, now_ns, wall_s);
	for (uint32_t i = 0; i < c->n_wishes; i++)
		for (const struct fact *f = c->wishes[i] ? c->wishes[i]->facts : NULL; f;
			f = f->next_of_wish)
			if (is_worth_it(f, now_ns))
				print_fact(&t, f, now_ns, wall_s);
	return t.length;
}

// ---- loading ---------------------------------------------------------------------------------

struct words {
	unsigned n, next;
	char *word[WORDS];
	bool bad; // something was not understood
};

static void split(char *line, struct words *w)
{
	char *rest = line;

	*w = (struct words){0};
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		if (*word == '\0' || w->n == WORDS) {
			w->bad = true;
			return;
		}
		w->word[w->n++] = word;
	}
}

static const char *take_word(struct words *w)
{
	if (w->next < w->n)
		return w->word[w->next++];
	w->bad = true;
	return "";
}

static uint64_t take_number(struct words *w, uint64_t most)
{
	const char *word = take_word(w);
	char *end;
	unsigned long long n;

	if (*word < '0' || *word > '9') {
		w->bad = true;
		return 0;
	}
	errno = 0;
	n = strtoull(word, &end, 10);
	if (errno != 0 || *end != '\0' || n > most)
		w->bad = true;
	return n;
}

static void take_ip(struct words *w, uint8_t out[16])
{
	const char *word = take_word(w);
	ip6 ip = {0};
	ip4 four;

	if (ip4_parse(word, &four))
		ip = ip6_mapped(four);
	else if (!ip6_parse(word, &ip))
		w->bad = true;
	memcpy(out, ip.b, sizeof ip.b);
}

static struct postern_endpoint take_endpoint(struct words *w)
{
	struct postern_endpoint e = {0};

	take_ip(w, e.ip);
	e.port = (uint16_t)take_number(w, UINT16_MAX);
	return e;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t take_hex(struct words *w, uint8_t *out, size_t most)
{
	const char *word = take_word(w);
	size_t n = strlen(word) / 2;

	if (strcmp(word, "-") == 0)
		return 0;
	if (strlen(word) % 2 != 0 || n > most) {
		w->bad = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		int high = digit(word[2 * i]), low = digit(word[2 * i + 1]);

		if (high < 0 || low < 0) {
			w->bad = true;
			return 0;
		}
		out[i] = (uint8_t)(high << 4 | low);
	}
	return n;
}

struct line {
	struct postern_endpoint server;
	ip6 source;
	struct postern_endpoint external;
	uint64_t lifetime_s, expires_s;
	uint16_t n_ports;
	struct postern_mapping want;
};

static bool read_mapping(struct words *w, struct line *l)
{
	struct postern_mapping *m = &l->want;

	*l = (struct line){.server = take_endpoint(w)};
	take_ip(w, l->source.b);
	m->protocol = (uint8_t)take_number(w, UINT8_MAX);
	m->internal_port = (uint16_t)take_number(w, UINT16_MAX);
	m->peer = take_endpoint(w);
	l->external = take_endpoint(w);
	m->external = l->external;
	if (take_hex(w, m->nonce, sizeof m->nonce) != sizeof m->nonce)
		w->bad = true;
	m->lifetime_s = (uint32_t)take_number(w, UINT32_MAX);
	l->lifetime_s = take_number(w, UINT32_MAX);
	l->expires_s = take_number(w, INT64_MAX);
	m->wildcard = take_number(w, 1);
	l->n_ports = (uint16_t)take_number(w, UINT16_MAX);
	m->n_options = (uint16_t)take_hex(w, m->options, sizeof m->options);
	return !w->bad && w->next == w->n && m->n_options % 4 == 0;
}

static struct server *server_at(const struct postern_client *c, const struct postern_endpoint *at)
{
	struct server *s = c->servers;

	while (s && !same_endpoint(&s->as.addresses[0], at))
		s = s->next;
	return s;
}

static bool has_source(const struct server *s, ip6 source)
{
	return s->sources[s->address].known && ip6_eq(s->sources[s->address].ip, source);
}

static struct wish *find_wish(struct postern_client *c, const struct line *l, struct server *s)
{
	for (uint32_t i = 0; i < c->n_wishes; i++) {
		struct wish *w = c->wishes[i];

		if (w && w->loaded && wish_is_for(w, &l->want) && !wish_at(w, s))
			return w;
	}
	return NULL;
}

// Of a wish that this run asked for before the server, or what was known of it, was there. Without
// the nonce of the line the server would take it for somebody else's.
static struct fact *find_unsent(struct postern_client *c, const struct line *l, struct server *s)
{
	for (uint32_t i = 0; i < c->n_wishes; i++) {
		struct wish *w = c->wishes[i];
		struct fact *f = w ? wish_at(w, s) : NULL;

		if (f && !w->loaded && !w->want.has_nonce && wish_is_for(w, &l->want) &&
			f->phase != PHASE_DONE && !was_sent(&f->request) && !f->granted_once &&
			f->result == 0)
			return f;
	}
	return NULL;
}

static void restore(struct fact *f, const struct line *l, ns now, uint64_t left_s)
{
	ns lifetime = l->lifetime_s * NS_PER_S, left = left_s * NS_PER_S;

	memcpy(f->nonce, l->want.nonce, sizeof f->nonce);
	f->phase = PHASE_HELD;
	f->granted_once = true;
	f->has_source = true;
	f->source = l->source;
	f->external = l->external;
	f->n_ports = l->n_ports;
	f->granted = lifetime > left && lifetime - left < now ? now - (lifetime - left) : now;
	fact_expect(f, now + left);
}

static void take_over(struct fact *f, const struct line *l, ns now, uint64_t left_s)
{
	memcpy(f->nonce, l->want.nonce, sizeof f->nonce);
	if (f->wish->deleting)
		return;
	request_stop(f->server, &f->request);
	restore(f, l, now, left_s);
	fact_go_on(f, mapping_is_enough(&l->want, &f->wish->want), now);
}

static int load_mapping(
	struct postern_client *c, const struct line *l, ns now, uint64_t left_s, struct server *s)
{
	struct fact *f = find_unsent(c, l, s);
	struct wish *w = find_wish(c, l, s);
	bool is_new = !w;
	int error = 0;

	if (f) {
		take_over(f, l, now, left_s);
		return 0;
	}
	if (is_new)
		error = wish_add(c, &l->want, &w);
	if (error < 0)
		return error;
	w->loaded = true;
	if (is_new)
		w->want.server = POSTERN_ALL_SERVERS;
	error = fact_create(w, s, &f);
	if (error < 0) {
		if (is_new)
			wish_release(c, w);
		return error;
	}
	restore(f, l, now, left_s);
	return 0;
}

static int read_mapping_line(
	struct postern_client *c, struct words *w, ns now, uint64_t wall_s, unsigned *skipped)
{
	uint64_t left_s;
	struct server *s;
	struct line l;
	int error;

	if (!read_mapping(w, &l) || !(s = server_at(c, &l.server)) || !has_source(s, l.source) ||
		l.expires_s <= wall_s) {
		++*skipped;
		return 0;
	}
	left_s = l.expires_s - wall_s;
	if (left_s > l.lifetime_s) // the wall clock went back
		left_s = l.lifetime_s;
	if (left_s > c->options.longest_lifetime_s)
		left_s = c->options.longest_lifetime_s;
	error = load_mapping(c, &l, now, left_s, s);
	if (error == -ENOSPC) {
		++*skipped;
		return 0;
	}
	return error;
}

static void read_server_line(
	struct postern_client *c, struct words *w, ns now, uint64_t wall_s, unsigned *skipped)
{
	struct postern_endpoint at = take_endpoint(w);
	uint32_t epoch_s = (uint32_t)take_number(w, UINT32_MAX);
	uint64_t heard_s = take_number(w, INT64_MAX);
	struct server *s = server_at(c, &at);

	if (w->bad || w->next != w->n || !s || heard_s > wall_s || s->epoch.known) {
		++*skipped;
		return;
	}
	// Before the clock's beginning too: only differences of it are looked at.
	s->epoch = (struct epoch){
		.known = true, .heard = now - (wall_s - heard_s) * NS_PER_S, .server_s = epoch_s};
}

static int read_line(
	struct postern_client *c, char *line, ns now, uint64_t wall_s, unsigned *skipped)
{
	struct words w;
	const char *kind;

	split(line, &w);
	kind = take_word(&w);
	if (!w.bad && strcmp(kind, "mapping") == 0)
		return read_mapping_line(c, &w, now, wall_s, skipped);
	if (!w.bad && strcmp(kind, "server") == 0)
		read_server_line(c, &w, now, wall_s, skipped);
	else if (w.bad || strcmp(kind, "postern-client") != 0)
		++*skipped;
	return 0;
}

int postern_client_load(struct postern_client *c, const char *text, size_t length, uint64_t now_ns,
	uint64_t wall_s, unsigned *skipped)
{
	const char *end = text + length;
	char line[4096];
	unsigned ignored;
	int error = 0;

	if (!skipped)
		skipped = &ignored;
	*skipped = 0;
	while (text < end && error == 0) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);

		if (n >= sizeof line || memchr(text, '\0', n)) {
			++*skipped;
		} else if (n > 0) {
			memcpy(line, text, n);
			line[n] = '\0';
			error = read_line(c, line, now_ns, wall_s, skipped);
		}
		text += n + 1;
	}
	return error;
}
