// SPDX-License-Identifier: Apache-2.0
// pcpc - a PCP client for people: ask the NAT for a port, keep it, give it back.
#include "pcpc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static int run(const struct pcpc_options *o)
{
	if (o->is_probe)
		return pcpc_probe_run(o);
	if (o->command == PCPC_LIST)
		return pcpc_list_run(o);
	if (o->command == PCPC_WATCH)
		return pcpc_watch_run(o);
	if (o->command == PCPC_GET)
		return pcpc_get_run(o);
	if (o->dialect != PCP_V2)
		return pcpc_dialect_run(o);
	return pcpc_session_run(o);
}

// ---- what went wrong, for programs -----------------------------------------------------------

// Complaints come from everywhere, getopt() too. They are collected, so that --json can turn all of
// them into one object.
struct complaints {
	FILE *real;
	char *text;
	size_t n;
};

static void collect(struct complaints *c)
{
	FILE *memory = open_memstream(&c->text, &c->n);

	c->real = stderr;
	if (memory)
		stderr = memory;
}

static void stop_collecting(struct complaints *c)
{
	FILE *memory = stderr;

	stderr = c->real;
	if (memory == c->real)
		return;
	fclose(memory);
	c->real = NULL;
}

static void tell_text(struct complaints *c)
{
	stop_collecting(c);
	if (c->text)
		fputs(c->text, stderr);
	free(c->text);
}

static const char *reason_of(int exit_code)
{
	switch (exit_code) {
	case PCPC_REFUSED:
		return "refused";
	case PCPC_USAGE:
		return "wrong usage";
	case PCPC_NO_ANSWER:
		return "no server answered";
	case PCPC_UNEXPECTED:
		return "not what --expect wants";
	case PCPC_TRY_LATER:
		return "refused for now";
	case PCPC_PARTLY:
		return "granted by some servers only";
	default:
		return "interrupted";
	}
}

static void tell_json(struct complaints *c, int exit_code)
{
	json_t *object, *text;

	stop_collecting(c);
	while (c->text && c->n > 0 && c->text[c->n - 1] == '\n')
		c->text[--c->n] = '\0';
	if (exit_code == PCPC_OK && c->n == 0) {
		free(c->text);
		return;
	}
	if (c->n == 0 || !(text = json_string(c->text))) // it may quote what is no UTF-8
		text = json_string(reason_of(exit_code));
	object = json_pack("{s:s, s:o, s:i}", "status", exit_code == PCPC_OK ? "warning" : "error",
		"error", text, "exit", exit_code);
	json_dumpf(object, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(object);
	free(c->text);
}

int main(int argc, char **argv)
{
	struct pcpc_options *options = calloc(1, sizeof *options);
	struct complaints complaints = {0};
	int exit_code = PCPC_REFUSED;
	bool json, ready;

	if (!options)
		return exit_code;
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		pcpc_complete(argc - 2, argv + 2);
		free(options);
		return PCPC_OK;
	}
	collect(&complaints);
	ready = pcpc_options_read(options, argc, argv, &exit_code) == 0;
	json = options->json;
	if (!json)
		tell_text(&complaints);
	if (ready)
		exit_code = run(options);
	if (json)
		tell_json(&complaints, exit_code);
	free(options);
	return exit_code;
}
