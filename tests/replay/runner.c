// SPDX-License-Identifier: Apache-2.0
// replay FILE... - reads files of cases (runner.h tells the format), plays them, says what
// happened: one line a case, then `replay: N passed, N failed, N skipped`. Exit status 1 when one
// failed.
#include "runner.h"

#include <ctype.h>
#include <stdlib.h>

struct replay {
	const char *file;
	unsigned line; // the one being read
	char *yaml;
	bool in_config;
	struct endpoint server;

	bool in_case, later;
	char name[64];
	struct trial trial;
	unsigned failed_at; // line of the case's first failure; 0: none
	unsigned passed, failed, skipped;
};

static char *copy(const char *text)
{
	char *c = strdup(text);

	if (c == NULL)
		abort();
	return c;
}

static void broken(const struct replay *r, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", r->file, r->line, what);
	exit(2);
}

// ---- cases
// -----------------------------------------------------------------------------------------

static void report(struct replay *r)
{
	const char *why = r->trial.why;

	if (r->later) {
		r->skipped++;
		printf("later  %s: %s\n", r->name,
			r->failed_at == 0 ? "passes already" : "expected later, not built yet");
	} else if (r->failed_at == 0) {
		r->passed++;
		printf("ok     %s\n", r->name);
	} else {
		r->failed++;
		printf("FAILED %s\n%s:%u: %s\n", r->name, r->file, r->failed_at, why);
	}
}

static void end_case(struct replay *r)
{
	if (!r->in_case)
		return;
	if (r->failed_at == 0 && !trial_end(&r->trial))
		r->failed_at = r->line;
	report(r);
	world_close(r->trial.world);
	free(r->trial.yaml);
	r->in_case = false;
}

static void begin_case(struct replay *r, const char *rest)
{
	size_t n = strcspn(rest, " \t");

	end_case(r);
	if (n == 0 || n >= sizeof r->name)
		broken(r, "case wants a name");
	if (r->yaml == NULL)
		broken(r, "a configuration must come before the first case");
	memcpy(r->name, rest, n);
	r->name[n] = '\0';
	rest += n + strspn(rest + n, " \t");
	r->later = strncmp(rest, "later ", 6) == 0;
	r->in_case = true;
	r->failed_at = 0;
	r->trial = (struct trial){
		.file = r->file, .yaml = copy(r->yaml), .server = r->server, .sender = r->server};
}

static void step(struct replay *r, const char *line)
{
	if (!r->in_case)
		broken(r, "this stands before the first case");
	if (r->failed_at == 0 && !trial_step(&r->trial, line))
		r->failed_at = r->line;
}

// ---- lines
// -----------------------------------------------------------------------------------------

static void config_line(struct replay *r, const char *raw)
{
	size_t before = r->yaml == NULL ? 0 : strlen(r->yaml);

	if (strcmp(raw, "end") == 0) {
		r->in_config = false;
		return;
	}
	r->yaml = realloc(r->yaml, before + strlen(raw) + 2);
	if (r->yaml == NULL)
		abort();
	sprintf(r->yaml + before, "%s\n", raw);
}

static void begin_config(struct replay *r)
{
	end_case(r);
	free(r->yaml);
	r->yaml = copy("");
	r->in_config = true;
}

static void read_line(struct replay *r, const char *raw)
{
	const char *line = raw + strspn(raw, " \t");

	if (r->in_config)
		config_line(r, raw);
	else if (*line == '\0' || *line == '#')
		return;
	else if (strcmp(line, "config") == 0)
		begin_config(r);
	else if (strncmp(line, "case ", 5) == 0)
		begin_case(r, line + 5);
	else if (strncmp(line, "server ", 7) != 0)
		step(r, line);
	else if (!endpoint_parse(line + 7, &r->server, PCP_SERVER_PORT))
		broken(r, "server wants ADDRESS[:PORT]");
}

static void play(struct replay *r, const char *file)
{
	FILE *in = fopen(file, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	r->file = file;
	r->line = 0;
	r->server = (struct endpoint){0x64400001, PCP_SERVER_PORT};
	if (in == NULL)
		broken(r, "cannot be opened");
	while ((n = getline(&line, &room, in)) >= 0) {
		r->line++;
		while (n > 0 && isspace((unsigned char)line[n - 1]))
			line[--n] = '\0';
		read_line(r, line);
	}
	if (r->in_config)
		broken(r, "config without end");
	end_case(r);
	free(line);
	free(r->yaml);
	r->yaml = NULL;
	fclose(in);
}

int main(int argc, char **argv)
{
	struct replay r = {0};

	for (int i = 1; i < argc; i++)
		play(&r, argv[i]);
	printf("replay: %u passed, %u failed, %u skipped\n", r.passed, r.failed, r.skipped);
	return r.failed > 0 || r.passed + r.skipped == 0 ? 1 : 0;
}
