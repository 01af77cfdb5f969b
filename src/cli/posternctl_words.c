// SPDX-License-Identifier: Apache-2.0
// The command line, word by word. Filters are pairs "name value"; what a command does not know is
// answered with what it does know.
#include "posternctl.h"

#include <stdarg.h>
#include <stdlib.h>

enum {
	LIST_SIZE = 200,
	TOP_MOST = 1000
};

struct scan { // where in the words we are
	const char *const *at;
	struct words *out;
	const struct command *command;
	json_t *object; // the request's filter or key
	unsigned seen;  // pairs
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

static bool put(struct scan *s, const char *name, enum value value, const char *text)
{
	return value_put(s->object, name, value, text, s->why, s->why_size);
}

// ---- pairs -----------------------------------------------------------------------------------

static bool complain(struct scan *s, const char *word)
{
	char list[LIST_SIZE];

	grammar_list_pairs(s->command, list, sizeof list);
	if (!list[0])
		return refuse(s, "\"%s %s\" takes nothing more, but \"%s\" follows",
			s->command->verb, s->command->what, word);
	return refuse(s, "\"%s\" is not understood after \"%s %s\"; expected: %s", word,
		s->command->verb, s->command->what, list);
}

static bool take_limit(struct scan *s, const char *text)
{
	bool top = s->command->pairs & PAIR_TOP;
	json_int_t n;

	if (!value_number(text, top ? TOP_MOST : UINT32_MAX, &s->out->limit) || !s->out->limit)
		return refuse(
			s, "\"%s\" is no number of rows%s", text, top ? " from 1 to 1000" : "");
	n = (json_int_t)s->out->limit;
	return !top || json_object_set_new(s->out->request, "limit", json_integer(n)) == 0;
}

static bool take_flag(struct scan *s, const struct pair_word *pair)
{
	if (pair->pair == PAIR_NONZERO)
		return json_object_set_new(s->object, pair->name, json_true()) == 0;
	s->out->detail = true;
	return true;
}

static bool take_pair(struct scan *s)
{
	const char *word = *s->at++;
	const struct pair_word *pair = grammar_pair(s->command, word);

	if (!pair && (s->command->pairs & PAIR_SUBSCRIBER) && value_is_address(word)) {
		s->seen |= PAIR_SUBSCRIBER; // "show mappings 100.64.0.10"
		return put(s, "subscriber", VALUE_ADDRESS, word);
	}
	if (!pair)
		return complain(s, word);
	s->seen |= pair->pair;
	if (pair->value == VALUE_NONE)
		return take_flag(s, pair);
	if (!*s->at)
		return refuse(s, "\"%s\" needs a value", word);
	if (pair->value == VALUE_LIMIT)
		return take_limit(s, *s->at++);
	return put(s, pair->pair == PAIR_SUBSCRIBER ? "subscriber" : pair->name, pair->value,
		*s->at++);
}

static bool take_pairs(struct scan *s)
{
	while (*s->at) {
		if (!take_pair(s))
			return false;
	}
	if (s->command->required & ~s->seen & PAIR_SUBSCRIBER)
		return refuse(s, "%s %s needs the ADDRESS of a subscriber", s->command->verb,
			s->command->what);
	if (s->command->required & ~s->seen & PAIR_EXTERNAL)
		return refuse(s, "%s %s needs \"external ADDRESS:PORT\"", s->command->verb,
			s->command->what);
	if (s->out->subject == SUBJECT_TRACE_OFFLINE &&
		!(s->seen & PAIR_CONFIG) == !(s->seen & PAIR_HISTORY))
		return refuse(s, "trace offline needs either \"config FILE\" or \"history FILE\"");
	return true;
}

// ---- operands --------------------------------------------------------------------------------

static bool take_mapping(struct scan *s)
{
	const char *const *w = s->at;

	if (w[0] && value_is_address(w[0])) { // ADDRESS PROTOCOL PORT
		if (!w[1] || !w[2])
			return refuse(s,
				"after the ADDRESS: PROTOCOL PORT, as in \"%s %s "
				"100.64.0.10 tcp 8080\"",
				s->command->verb, s->command->what);
		s->at += 3;
		return put(s, "subscriber", VALUE_ADDRESS, w[0]) &&
		       put(s, "protocol", VALUE_PROTOCOL, w[1]) && put(s, "port", VALUE_PORT, w[2]);
	}
	if (!w[0] || !w[1])
		return refuse(s,
			"%s %s needs PROTOCOL ADDRESS:PORT, as in \"%s %s tcp 100.64.0.10:8080\"",
			s->command->verb, s->command->what, s->command->verb, s->command->what);
	s->at += 2;
	return put(s, "protocol", VALUE_PROTOCOL, w[0]) &&
	       value_put_endpoint(s->object, w[1], s->why, s->why_size);
}

static bool take_group(struct scan *s)
{
	if (*s->at && strcmp(*s->at, "group") == 0)
		s->at++;
	if (!*s->at)
		return refuse(s, "%s %s needs the NAME of a NAT group", s->command->verb,
			s->command->what);
	return put(s, "group", VALUE_GROUP, *s->at++);
}

static bool take_external(struct scan *s)
{
	char address[IP4_TEXT];
	uint64_t port;

	if (!*s->at || !value_split_port(*s->at, address, &port))
		return refuse(s, "trace needs ADDRESS:PORT of the outside, as in \"trace "
				 "203.0.113.7:4711 at 2026-11-23T10:15:00Z\"");
	return put(s, "external", VALUE_EXTERNAL, *s->at++);
}

static bool take_operands(struct scan *s)
{
	switch (s->command->operands) {
	case OPERANDS_MAPPING:
		return take_mapping(s);
	case OPERANDS_SUBSCRIBER:
		if (!*s->at)
			return refuse(s, "clear subscriber needs an ADDRESS");
		return put(s, "subscriber", VALUE_ADDRESS, *s->at++);
	case OPERANDS_GROUP:
		return take_group(s);
	case OPERANDS_EXTERNAL:
		return take_external(s);
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

// ---- commands --------------------------------------------------------------------------------

static bool complain_of_command(struct scan *s, const char *verb, const char *what)
{
	char list[LIST_SIZE];

	grammar_list_whats(verb, list, sizeof list);
	if (!list[0]) {
		grammar_list_verbs(list, sizeof list);
		return refuse(s, "\"%s\" is no command; expected: %s", verb, list);
	}
	if (!what)
		return refuse(s, "%s what? expected: %s", verb, list);
	return refuse(
		s, "\"%s %s\" is no command; expected after \"%s\": %s", verb, what, verb, list);
}

// Rows of one subscriber are few: they come with everything there is to say.
static void ask_for_detail(struct scan *s)
{
	struct words *out = s->out;

	if (out->subject != SUBJECT_MAPPINGS)
		return;
	out->detail = out->detail || (s->seen & PAIR_SUBSCRIBER);
	if (out->detail)
		json_object_set_new(out->request, "detail", json_true());
}

static bool take_request(struct scan *s)
{
	const char *verb = s->at[0], *what = s->at[1];

	if (strcmp(verb, "trace") == 0 && what && strchr(what, ':')) { // "trace ADDRESS:PORT"
		what = "port";
		s->at--;
	}
	s->command = what ? grammar_find(verb, what) : NULL;
	if (!s->command)
		return complain_of_command(s, verb, what);
	s->at += 2;
	s->out->subject = (enum subject)(s->command - commands);
	s->object = json_object();
	s->out->paged = s->command->pairs & PAIR_LIMIT;
	s->out->request = json_pack("{s:s,s:s,s:o}", "cmd", verb, "what", what,
		strcmp(verb, "show") == 0 ? "filter" : "key", s->object);
	if (!s->out->request)
		return refuse(s, "out of memory");
	s->out->key = s->object;
	if (!take_operands(s) || !take_pairs(s))
		return false;
	ask_for_detail(s);
	if (json_object_size(s->object) == 0) { // config knows neither filter nor key
		json_object_del(s->out->request, "filter");
		json_object_del(s->out->request, "key");
	}
	return true;
}

static bool is_shell(const char *const *words)
{
	return !words[0] || (strcmp(words[0], "shell") == 0 && !words[1]);
}

// ---- options ---------------------------------------------------------------------------------

// Takes the option at *at; the number of words it had, 0 when it is none, -1 when it is wrong.
static int take_option(struct scan *s, const char *const *at)
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

// A description and a time may begin with a dash.
static bool is_value(const char *const *argv, int i)
{
	return i > 1 && (strcmp(argv[i - 1], "description") == 0 || strcmp(argv[i - 1], "at") == 0);
}

bool words_parse(int argc, const char *const *argv, struct words *out, char *why, size_t why_size)
{
	struct scan s = {.out = out, .why = why, .why_size = why_size};
	const char **words = calloc((size_t)argc + 2, sizeof *words);
	size_t n = 0;

	*out = (struct words){0};
	why[0] = '\0';
	if (!words)
		return refuse(&s, "out of memory");
	for (int i = 1; i < argc;) {
		int taken = is_value(argv, i) ? 0 : take_option(&s, argv + i);
		if (taken < 0)
			goto out;
		if (taken == 0)
			words[n++] = argv[i];
		i += taken ? taken : 1;
	}
	s.at = words;
	out->shell = is_shell(words);
	if (!out->help && !out->version && !out->shell)
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
