// SPDX-License-Identifier: Apache-2.0
// The shell on a terminal: lines with history and completion. Each line is a command of its own,
// with a connection of its own, so that a shell left open holds no place at the daemon's socket
// and outlives its restart.
#include "posternctl.h"

#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	HISTORY_LINES = 500,
	SCREEN = 80
};

struct shell {
	const struct words *base;
	EditLine *editor;
	History *history;
	Tokenizer *tokenizer; // of whole lines
	Tokenizer *scanner;   // of the line being written
	bool has_file;
	char file[PATH_MAX];
};

static const char prompt[] = "postern> ";

static char *show_prompt(EditLine *editor)
{
	(void)editor;
	return (char *)prompt; // libedit only reads it
}

// ---- TAB and ? -------------------------------------------------------------------------------

struct place { // of the cursor
	const char *const *words;
	size_t n;          // words before the one that is being written
	const char *start; // of that one
};

// False inside a quote.
static bool find_place(struct shell *sh, struct place *out)
{
	const LineInfo *line = el_line(sh->editor);
	LineInfo before = *line; // what stands behind the cursor says nothing yet
	int argc, word, offset;
	const char **argv;

	before.lastchar = line->cursor;
	tok_reset(sh->scanner);
	if (tok_line(sh->scanner, &before, &argc, &argv, &word, &offset) != 0)
		return false;
	bool new_word =
		word >= argc || before.cursor == before.buffer || strchr(" \t", before.cursor[-1]);
	*out = (struct place){.words = argv,
		.n = (size_t)(new_word ? argc : word),
		.start = new_word ? "" : argv[word]};
	return true;
}

static void print_list(const struct candidates *found)
{
	size_t width = 0, used = 0;

	for (unsigned i = 0; i < found->n; i++)
		width = strlen(found->words[i]) > width ? strlen(found->words[i]) : width;
	fputc('\n', stdout);
	for (unsigned i = 0; i < found->n; i++) {
		fprintf(stdout, "%-*s", (int)width + 2, found->words[i]);
		used += width + 2;
		if (used + width + 2 > SCREEN || i + 1 == found->n) {
			fputc('\n', stdout);
			used = 0;
		}
	}
	fflush(stdout);
}

static unsigned char insert(
	struct shell *sh, const struct candidates *found, size_t common, const char *start)
{
	char text[CANDIDATE_SIZE + 1];
	size_t written = strlen(start), length = common - written;
	bool folder = common && found->words[0][common - 1] == '/';

	memcpy(text, found->words[0] + written, length);
	if (found->n == 1 && !folder)
		text[length++] = ' ';
	text[length] = '\0';
	if (length == 0) {
		print_list(found);
		return CC_REDISPLAY;
	}
	return el_insertstr(sh->editor, text) == 0 ? CC_REFRESH : CC_ERROR;
}

static void add_own_words(const struct place *place, struct candidates *out)
{
	static const char *const own[] = {"help", "exit", "quit"};

	for (size_t i = 0; place->n == 0 && i < ARRAY_SIZE(own); i++)
		complete_add(out, own[i], place->start);
}

static unsigned char on_tab(EditLine *editor, int key)
{
	struct candidates found;
	struct shell *sh;
	struct place place;
	size_t common;

	(void)key;
	el_get(editor, EL_CLIENTDATA, &sh);
	if (!find_place(sh, &place))
		return CC_ERROR;
	complete_word(place.words, place.n, place.start, complete_from_daemon,
		(void *)run_socket_path(sh->base), &found, &common);
	if (found.n == 0) {
		add_own_words(&place, &found);
		common = found.n == 1 ? strlen(found.words[0]) : strlen(place.start);
	}
	return found.n ? insert(sh, &found, common, place.start) : CC_ERROR;
}

static void explain(const struct expected *e, const char *start, bool first)
{
	for (unsigned i = 0; i < e->n; i++) {
		if (strncmp(e->list[i].word, start, strlen(start)) == 0)
			printf("  %-14s %s\n", e->list[i].word,
				e->list[i].about ? e->list[i].about : "");
	}
	if (e->title)
		printf("  %s\n", e->title);
	if (first)
		printf("  %-14s %s\n  %-14s %s\n", "help [WORD]",
			"all commands, or those of a word", "exit", "leave; so does Ctrl-D");
	else if (!e->n && !e->title)
		printf("  (nothing more)\n");
	fflush(stdout);
}

static unsigned char on_question(EditLine *editor, int key)
{
	struct expected expected;
	struct place place;
	struct shell *sh;

	(void)key;
	el_get(editor, EL_CLIENTDATA, &sh);
	if (!find_place(sh, &place)) // a question mark inside a text is one
		return el_insertstr(editor, "?") == 0 ? CC_REFRESH : CC_ERROR;
	grammar_expect(place.words, place.n, &expected);
	fputs("?\n", stdout);
	explain(&expected, place.start, place.n == 0 && !*place.start);
	return CC_REDISPLAY;
}

// Ctrl-C while a line is written: away with the line. It comes as a key: where it is a signal,
// libedit leaves raw mode and reads on as if nothing had been.
static unsigned char on_cancel(EditLine *editor, int key)
{
	(void)key;
	el_cursor(editor, INT_MAX);
	const LineInfo *line = el_line(editor);
	el_deletestr(editor, (int)(line->cursor - line->buffer));
	fputs("^C\n", stdout);
	fflush(stdout);
	return CC_REDISPLAY;
}

// ---- history ---------------------------------------------------------------------------------

static void open_history(struct shell *sh)
{
	HistEvent event;

	history(sh->history, &event, H_SETSIZE, HISTORY_LINES);
	history(sh->history, &event, H_SETUNIQUE, 1);
	sh->has_file = history_path(sh->file, sizeof sh->file);
	if (sh->has_file)
		history(sh->history, &event, H_LOAD, sh->file);
	el_set(sh->editor, EL_HIST, history, sh->history);
}

// After each line: a terminal may go away at any time.
static void keep(struct shell *sh, const char *line)
{
	HistEvent event;

	history(sh->history, &event, H_ENTER, line);
	FILE *out = sh->has_file ? history_create(sh->file) : NULL;
	if (!out)
		return;
	history(sh->history, &event, H_SAVE_FP, out);
	fclose(out);
}

// ---- lines -----------------------------------------------------------------------------------

static bool open_shell(struct shell *sh)
{
	sh->editor = el_init("posternctl", stdin, stdout, stderr);
	sh->history = history_init();
	sh->tokenizer = tok_init(NULL);
	sh->scanner = tok_init(NULL);
	if (!sh->editor || !sh->history || !sh->tokenizer || !sh->scanner)
		return false;
	el_set(sh->editor, EL_CLIENTDATA, sh);
	el_set(sh->editor, EL_PROMPT, show_prompt);
	el_set(sh->editor, EL_SIGNAL, 1);
	el_set(sh->editor, EL_EDITOR, "emacs");
	el_set(sh->editor, EL_ADDFN, "postern-complete", "Complete this word", on_tab);
	el_set(sh->editor, EL_ADDFN, "postern-explain", "Say what may stand here", on_question);
	el_set(sh->editor, EL_BIND, "^I", "postern-complete", NULL);
	el_set(sh->editor, EL_ADDFN, "postern-cancel", "Throw this line away", on_cancel);
	el_set(sh->editor, EL_SETTY, "-d", "-isig", NULL);
	el_set(sh->editor, EL_BIND, "^C", "postern-cancel", NULL);
	el_set(sh->editor, EL_BIND, "?", "postern-explain", NULL);
	el_set(sh->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
	open_history(sh);
	el_source(sh->editor, NULL); // the operator's own ~/.editrc
	return true;
}

static void close_shell(struct shell *sh)
{
	if (sh->tokenizer)
		tok_end(sh->tokenizer);
	if (sh->scanner)
		tok_end(sh->scanner);
	if (sh->history)
		history_end(sh->history);
	if (sh->editor)
		el_end(sh->editor);
}

static int run_line(struct shell *sh, const char *line, int code, bool *leave)
{
	const char **argv;
	int argc;

	tok_reset(sh->tokenizer);
	if (tok_str(sh->tokenizer, line, &argc, &argv) != 0) {
		fputs("posternctl: a quote in this line has no end\n", stderr);
		return EXIT_USAGE;
	}
	if (argc == 0)
		return code;
	keep(sh, line);
	run_signal(); // what came while the line was written is forgotten
	return script_line(sh->base, argc, argv, true, leave);
}

static int read_lines(struct shell *sh)
{
	int code = EXIT_OK, length;
	bool leave = false;

	while (!leave) {
		signal(SIGTERM, SIG_DFL);            // nothing is under way: every line is saved
		el_set(sh->editor, EL_PREP_TERM, 1); // before the prompt: keys may come at once
		const char *line = el_gets(sh->editor, &length);
		if (!line || length <= 0) { // Ctrl-D, or the terminal is gone
			fputc('\n', stdout);
			break;
		}
		int next = run_line(sh, line, code, &leave);
		code = leave ? code : next;
		leave = leave || run_signal() == SIGTERM;
	}
	return code;
}

int shell_run(const struct words *base)
{
	struct shell sh = {.base = base};
	int code = EXIT_REFUSED;

	setlocale(LC_CTYPE, "");
	if (open_shell(&sh))
		code = read_lines(&sh);
	else
		fputs("posternctl: this terminal cannot be opened\n", stderr);
	close_shell(&sh);
	return code;
}
