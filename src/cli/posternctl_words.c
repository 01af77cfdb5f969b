// SPDX-License-Identifier: Apache-2.0
// The command line, word by word. Filters are pairs "name value"; what a command does not know is
// answered with what it does know.
#include "posternctl.h"

#include <stdarg.h>
#include <stdlib.h>

enum filter {
	FILTER_SUBSCRIBER = 1 << 0,
	FILTER_EXTERNAL = 1 << 1,
	FILTER_PROTOCOL = 1 << 2,
	FILTER_PORT = 1 << 3,
	FILTER_GROUP = 1 << 4,
	FILTER_KIND = 1 << 5,
	FILTER_REALM = 1 << 6,
	FILTER_NONZERO = 1 << 7,
	FILTER_LIMIT = 1 << 8,
};

enum operands {
	OPERANDS_NONE,
	OPERANDS_MAPPING,    // PROTO ADDRESS:PORT
	OPERANDS_SUBSCRIBER, // ADDRESS
	OPERANDS_FILE,       // FILE
	OPERANDS_FILE_MAYBE, // [FILE]
};

static const struct command {
	const char *verb, *what;
	enum operands operands;
	unsigned filters;
} commands[] = {
	[SUBJECT_VERSION] = {"show", "version", OPERANDS_NONE, 0},
	[SUBJECT_STATUS] = {"show", "status", OPERANDS_NONE, 0},
	[SUBJECT_PORTS] = {"show", "ports", OPERANDS_NONE, 0},
	[SUBJECT_WORKERS] = {"show", "workers", OPERANDS_NONE, 0},
	[SUBJECT_GROUPS] = {"show", "groups", OPERANDS_NONE, 0},
	[SUBJECT_SUBSCRIBERS] = {"show", "subscribers", OPERANDS_NONE,
		FILTER_SUBSCRIBER | FILTER_GROUP | FILTER_REALM | FILTER_LIMIT},
	[SUBJECT_MAPPINGS] = {"show", "mappings", OPERANDS_NONE,
		FILTER_SUBSCRIBER | FILTER_EXTERNAL | FILTER_PROTOCOL | FILTER_PORT | FILTER_GROUP |
			FILTER_KIND | FILTER_REALM | FILTER_LIMIT},
	[SUBJECT_COUNTERS] = {"show", "counters", OPERANDS_NONE, FILTER_NONZERO},
	[SUBJECT_NEIGHBOURS] = {"show", "neighbours", OPERANDS_NONE, FILTER_LIMIT},
	[SUBJECT_DELETE] = {"delete", "mapping", OPERANDS_MAPPING, FILTER_REALM},
	[SUBJECT_CLEAR] = {"clear", "subscriber", OPERANDS_SUBSCRIBER, FILTER_REALM},
	[SUBJECT_CHECK] = {"config", "check", OPERANDS_FILE, 0},
	[SUBJECT_APPLY] = {"config", "apply", OPERANDS_FILE_MAYBE, 0},
	[SUBJECT_CONFIG] = {"config", "show", OPERANDS_NONE, 0},
};

static const struct filter_word {
	const char *name;
	unsigned filter;
} filter_words[] = {
	{"subscriber", FILTER_SUBSCRIBER},
	{"external", FILTER_EXTERNAL},
	{"protocol", FILTER_PROTOCOL},
	{"port", FILTER_PORT},
	{"group", FILTER_GROUP},
	{"kind", FILTER_KIND},
	{"realm", FILTER_REALM},
	{"nonzero", FILTER_NONZERO},
	{"limit", FILTER_LIMIT},
	{"address", FILTER_SUBSCRIBER},
};

struct scan { // where in the words we are
	char **at;
	struct words *out;
	const struct command *command;
	json_t *filter;
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct scan *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->why, s->why_size, format, args);
	va_end(args);
	return false;
}

// ---- values ----------------------------------------------------------------------------------

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || n > max)
			return false;
		n = n * 10 + (uint64_t)(*c - '0');
	}
	*out = n;
	return *text && n <= max;
}

static bool take_address(struct scan *s, const char *name, const char *text)
{
	ip4 address;

	if (!ip4_parse(text, &address))
		return refuse(s, "\"%s\" is no IPv4 address", text);
	return json_object_set_new(s->filter, name, json_string(text)) == 0;
}

static bool split_port(const char *text, char address[IP4_TEXT], uint64_t *port)
{
	const char *colon = strchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;

	if (!colon || length >= IP4_TEXT || !parse_number(colon + 1, UINT16_MAX, port))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	return true;
}

static bool take_external(struct scan *s, const char *text)
{
	char address[IP4_TEXT];
	uint64_t port;
	ip4 ip;

	if (strchr(text, ':') ? !split_port(text, address, &port) || !ip4_parse(address, &ip)
			      : !ip4_parse(text, &ip))
		return refuse(s, "\"%s\" is no ADDRESS or ADDRESS:PORT", text);
	return json_object_set_new(s->filter, "external", json_string(text)) == 0;
}

static bool take_port(struct scan *s, const char *text)
{
	uint64_t port;

	if (!parse_number(text, UINT16_MAX, &port))
		return refuse(s, "\"%s\" is no port (0 to 65535)", text);
	return json_object_set_new(s->filter, "port", json_integer((json_int_t)port)) == 0;
}

static bool take_limit(struct scan *s, const char *text)
{
	if (!parse_number(text, UINT32_MAX, &s->out->limit) || s->out->limit == 0)
		return refuse(s, "\"%s\" is no number of rows", text);
	return true;
}

static bool take_choice(struct scan *s, const char *name, const char *text,
	const char *const *choices, const char *wanted)
{
	for (; *choices; choices++) {
		if (strcmp(text, *choices) == 0)
			return !json_object_set_new(s->filter, name, json_string(text));
	}
	return refuse(s, "%s \"%s\": expected %s", name, text, wanted);
}

static bool take_protocol(struct scan *s, const char *text)
{
	static const char *const choices[] = {"udp", "tcp", "icmp", NULL};

	return take_choice(s, "protocol", text, choices, "udp, tcp or icmp");
}

static bool take_kind(struct scan *s, const char *text)
{
	static const char *const choices[] = {"dynamic-implicit", "dynamic-explicit", "implicit",
		"explicit", "static", "resting", NULL};

	return take_choice(s, "kind", text, choices, "implicit, explicit, static or resting");
}

static bool take_name(struct scan *s, const char *name, const char *text)
{
	json_t *value = json_string(text);

	if (!value)
		return refuse(s, "%s: the name is not UTF-8", name);
	return json_object_set_new(s->filter, name, value) == 0;
}

// ---- words -----------------------------------------------------------------------------------

static bool list_filters(struct scan *s, const char *word)
{
	char list[160] = "";

	for (size_t i = 0; i < ARRAY_SIZE(filter_words); i++) {
		size_t used = strlen(list);
		if (s->command->filters & filter_words[i].filter)
			snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
				filter_words[i].name);
	}
	if (!list[0])
		return refuse(s, "\"%s %s\" takes nothing more, but \"%s\" follows",
			s->command->verb, s->command->what, word);
	return refuse(s, "\"%s\" is not understood after \"%s %s\"; expected: %s", word,
		s->command->verb, s->command->what, list);
}

static bool take_value(struct scan *s, unsigned filter, const char *name, const char *value)
{
	switch (filter) {
	case FILTER_SUBSCRIBER:
		return take_address(s, "subscriber", value);
	case FILTER_EXTERNAL:
		return take_external(s, value);
	case FILTER_PROTOCOL:
		return take_protocol(s, value);
	case FILTER_PORT:
		return take_port(s, value);
	case FILTER_KIND:
		return take_kind(s, value);
	case FILTER_LIMIT:
		return take_limit(s, value);
	default:
		return take_name(s, name, value);
	}
}

static bool take_filter(struct scan *s)
{
	const char *word = *s->at++;
	ip4 address;

	if ((s->command->filters & FILTER_SUBSCRIBER) && ip4_parse(word, &address))
		return take_address(s, "subscriber", word); // "show mappings 100.64.0.10"
	for (size_t i = 0; i < ARRAY_SIZE(filter_words); i++) {
		const struct filter_word *f = &filter_words[i];
		if (!(s->command->filters & f->filter) || strcmp(word, f->name) != 0)
			continue;
		if (f->filter == FILTER_NONZERO)
			return !json_object_set_new(s->filter, "nonzero", json_true());
		if (!*s->at)
			return refuse(s, "\"%s\" needs a value", word);
		return take_value(s, f->filter, f->name, *s->at++);
	}
	return list_filters(s, word);
}

static bool take_mapping(struct scan *s)
{
	char address[IP4_TEXT];
	uint64_t port;

	if (!s->at[0] || !s->at[1])
		return refuse(s, "delete mapping needs PROTOCOL ADDRESS:PORT, as in \"delete "
				 "mapping tcp 100.64.0.10:8080\"");
	if (!take_protocol(s, s->at[0]))
		return false;
	if (!split_port(s->at[1], address, &port))
		return refuse(s, "\"%s\" is no ADDRESS:PORT", s->at[1]);
	json_object_set_new(s->filter, "port", json_integer((json_int_t)port));
	s->at += 2;
	return take_address(s, "subscriber", address);
}

static bool take_operands(struct scan *s)
{
	switch (s->command->operands) {
	case OPERANDS_MAPPING:
		return take_mapping(s);
	case OPERANDS_SUBSCRIBER:
		if (!*s->at)
			return refuse(s, "clear subscriber needs an ADDRESS");
		return take_address(s, "subscriber", *s->at++);
	case OPERANDS_FILE:
		if (!*s->at)
			return refuse(s, "config check needs a FILE (or - for standard input)");
		s->out->file = *s->at++;
		return true;
	case OPERANDS_FILE_MAYBE:
		if (*s->at)
			s->out->file = *s->at++;
		return true;
	case OPERANDS_NONE:
		break;
	}
	return true;
}

static bool list_whats(struct scan *s, const char *verb, const char *word)
{
	char list[160] = "";

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		size_t used = strlen(list);
		if (strcmp(commands[i].verb, verb) == 0)
			snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
				commands[i].what);
	}
	if (!list[0])
		return refuse(
			s, "\"%s\" is no command; expected: show, delete, clear, config", verb);
	if (!word)
		return refuse(s, "%s what? expected: %s", verb, list);
	return refuse(
		s, "\"%s %s\" is no command; expected after \"%s\": %s", verb, word, verb, list);
}

static bool take_command(struct scan *s)
{
	const char *verb = s->at[0], *what = verb ? s->at[1] : NULL;

	if (!verb)
		return refuse(s, "no command given; try \"show status\"");
	for (size_t i = 0; what && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(verb, commands[i].verb) == 0 && strcmp(what, commands[i].what) == 0) {
			s->command = &commands[i];
			s->out->subject = (enum subject)i;
		}
	}
	if (!s->command)
		return list_whats(s, verb, what);
	s->at += 2;
	return true;
}

static bool take_request(struct scan *s)
{
	if (!take_command(s))
		return false;
	s->filter = json_object();
	s->out->paged = s->command->filters & FILTER_LIMIT;
	s->out->request = json_pack("{s:s,s:s,s:o}", "cmd", s->command->verb, "what",
		s->command->what, s->command->verb[0] == 's' ? "filter" : "key", s->filter);
	if (!s->out->request)
		return refuse(s, "out of memory");
	if (!take_operands(s))
		return false;
	while (*s->at) {
		if (!take_filter(s))
			return false;
	}
	if (json_object_size(s->filter) == 0) { // config knows neither filter nor key
		json_object_del(s->out->request, "filter");
		json_object_del(s->out->request, "key");
	}
	return true;
}

// ---- options ---------------------------------------------------------------------------------

// Takes the option at *at; the number of words it had, 0 when it is none, -1 when it is wrong.
static int take_option(struct scan *s, char *const *at)
{
	const char *word = *at;

	if (strcmp(word, "--json") == 0 || strcmp(word, "-j") == 0)
		s->out->json = true;
	else if (strcmp(word, "--no-color") == 0 || strcmp(word, "--no-colour") == 0)
		s->out->plain = true;
	else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		s->out->help = true;
	else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		s->out->version = true;
	else if (strncmp(word, "--socket=", 9) == 0)
		s->out->socket = word + 9;
	else if (strcmp(word, "--socket") == 0 || strcmp(word, "-s") == 0)
		return (s->out->socket = at[1]) ? 2 : (refuse(s, "--socket needs a path"), -1);
	else if (word[0] == '-' && word[1])
		return refuse(s, "unknown option \"%s\"", word), -1;
	else
		return 0;
	return 1;
}

bool words_parse(int argc, char *const *argv, struct words *out, char *why, size_t why_size)
{
	struct scan s = {.out = out, .why = why, .why_size = why_size};
	char **words = calloc((size_t)argc + 1, sizeof *words);
	size_t n = 0;

	*out = (struct words){0};
	why[0] = '\0';
	if (!words)
		return refuse(&s, "out of memory");
	for (int i = 1; i < argc;) {
		int taken = take_option(&s, argv + i);
		if (taken < 0)
			goto out;
		if (taken == 0)
			words[n++] = argv[i];
		i += taken ? taken : 1;
	}
	s.at = words;
	if (!out->help && !out->version)
		take_request(&s);
out:
	free(words);
	return why[0] == '\0';
}

void words_fini(struct words *w)
{
	json_decref(w->request);
	w->request = NULL;
}
