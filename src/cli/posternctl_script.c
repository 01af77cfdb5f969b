// SPDX-License-Identifier: Apache-2.0
// Commands line by line, as from a pipe: a line that fails does not stop those behind it, and the
// last one's exit code is the script's, as in sh.
#include "posternctl.h"

#include <histedit.h>
#include <stdlib.h>

static bool is_word(const char *word, const char *one, const char *other)
{
	return strcmp(word, one) == 0 || strcmp(word, other) == 0;
}

static int help(int argc, const char *const *argv)
{
	if (argc == 2 && words_help_verb(argv[1], stdout))
		return EXIT_OK;
	words_help(stdout);
	return EXIT_OK;
}

static int complain(const char *why)
{
	fflush(stdout);
	fprintf(stderr, "posternctl: %s\n", why);
	return EXIT_USAGE;
}

// What was said on the program's own command line holds for every line.
static void inherit(struct words *words, const struct words *base)
{
	words->json = words->json || base->json;
	words->plain = words->plain || base->plain;
	words->socket = words->socket ? words->socket : base->socket;
}

static int run_words(struct words *words, const struct words *base)
{
	bool own_input = words->file && strcmp(words->file, "-") == 0;

	inherit(words, base);
	if (words->help)
		words_help(stdout);
	else if (words->version)
		printf("posternctl %s\n", POSTERN_VERSION);
	else if (words->shell)
		return complain("this is the shell already; try \"help\"");
	else if (own_input)
		return complain("standard input is where commands come from; name a FILE");
	else
		return run_command(words);
	return EXIT_OK;
}

int script_line(
	const struct words *base, int argc, const char *const *argv, bool terminal, bool *leave)
{
	const char *word = argc ? argv[0] : "";
	struct words words;
	char why[256];

	if (is_word(word, "help", "?"))
		return help(argc, argv);
	if (is_word(word, "exit", "quit")) {
		*leave = true;
		return EXIT_OK;
	}
	const char **with_program = calloc((size_t)argc + 2, sizeof *with_program);
	if (!with_program)
		return complain("out of memory");
	with_program[0] = "posternctl";
	memcpy(with_program + 1, argv, (size_t)argc * sizeof *argv);
	int code = words_parse(argc + 1, with_program, &words, why, sizeof why)
			   ? run_words(&words, base)
			   : complain(why);
	if (code == EXIT_USAGE && terminal)
		fputs("Try \"help\", or ? behind a word.\n", stderr);
	words_fini(&words);
	free(with_program);
	return code;
}

// The line's exit code; that of the line before (`code`) when there is nothing in it.
static int run_line(
	const struct words *base, Tokenizer *tokenizer, const char *line, int code, bool *leave)
{
	const char **argv;
	int argc;

	if (line[strspn(line, " \t\r\n")] == '#')
		return code;
	tok_reset(tokenizer);
	if (tok_str(tokenizer, line, &argc, &argv) != 0)
		return complain("a quote in this line has no end");
	return argc ? script_line(base, argc, argv, false, leave) : code;
}

int script_run(const struct words *base, FILE *in)
{
	Tokenizer *tokenizer = tok_init(" \t\r\n");
	char *line = NULL;
	size_t size = 0;
	bool leave = false;
	int code = EXIT_OK;

	if (!tokenizer)
		return complain("out of memory");
	while (!leave && getline(&line, &size, in) >= 0) {
		int next = run_line(base, tokenizer, line, code, &leave);
		code = leave ? code : next;
		fflush(stdout);
		if (code == EXIT_INTERRUPTED)
			break;
	}
	free(line);
	tok_end(tokenizer);
	return run_signal() ? EXIT_INTERRUPTED : code;
}
