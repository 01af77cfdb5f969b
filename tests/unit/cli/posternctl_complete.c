// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned asked; // how often the daemon would have been

static void names(void *ctx, enum value value, const char *start, struct candidates *out)
{
	(void)ctx;
	asked++;
	complete_add(out, value == VALUE_GROUP ? "residential" : "inside", start);
	complete_add(out, value == VALUE_GROUP ? "business" : "office", start);
}

// "show ma|": candidates for the last word, joined by spaces.
static char *complete(const char *line, size_t *common)
{
	static char text[1024];
	static struct candidates found;
	char copy[128];
	const char *words[16];
	size_t n = 0, used = 0;
	const char *last = strrchr(line, ' ');

	snprintf(copy, sizeof copy, "%.*s", last ? (int)(last - line) : 0, line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	complete_word(words, n, last ? last + 1 : line, names, NULL, &found, common);
	text[0] = '\0';
	for (unsigned i = 0; i < found.n; i++)
		used += (size_t)snprintf(
			text + used, sizeof text - used, "%s%s", i ? " " : "", found.words[i]);
	return text;
}

static const struct {
	const char *line, *words;
	size_t common;
} cases[] = {
	{"", "add clear config delete reset show trace", 0},
	{"s", "show", 4},
	{"x", "", 0},
	{"show m", "mappings", 8},
	{"show p", "pcp pcp-clients pools ports", 1},
	{"show pc", "pcp pcp-clients", 3},
	{"show nothing ", "", 0},
	{"show status ", "", 0},
	{"show mappings k", "kind", 4},
	{"show mappings kind ", "explicit implicit peer resting static", 0},
	{"show mappings 100.64.0.1 kind peer d", "detail", 6},
	{"show mappings detail de", "", 0},
	{"show mappings group r", "residential", 11},
	{"show mappings realm ", "inside office", 0},
	{"show mappings limit ", "", 0},
	{"show subscribers group ", "business residential", 0},
	{"delete mapping ", "icmp tcp udp", 0},
	{"delete mapping tcp 100.64.0.1:1 ", "realm", 5},
	{"delete mapping 100.64.0.1 ", "icmp tcp udp", 0},
	{"delete mapping 100.64.0.1 tcp ", "", 0},
	{"delete mapping 100.64.0.1 tcp 80 r", "realm", 5},
	{"add mapping tcp 100.64.0.1:1 ", "description external lifetime realm", 0},
	{"add mapping tcp 100.64.0.1:1 lifetime 1h d", "description", 11},
	{"clear group ", "business residential", 0},
	{"clear group residential ", "", 0},
	{"reset epoch b", "business", 8},
	{"reset epoch group b", "business", 8},
	{"show counters n", "nonzero", 7},
	{"show counters nonzero ", "", 0},
	{"show pcp-clients t", "", 0},
	{"config ", "apply check show", 0},
};

Test(posternctl, completes_words_of_the_grammar)
{
	size_t common;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_str_eq(complete(cases[i].line, &common), cases[i].words);
		cr_assert_eq(common, cases[i].common, "%s", cases[i].line);
	}
}

Test(posternctl, asks_the_daemon_only_for_names)
{
	size_t common;

	complete("show mappings ", &common);
	complete("show mappings kind ", &common);
	cr_assert_eq(asked, 0u);
	complete("show mappings group ", &common);
	cr_assert_eq(asked, 1u);
}

// Whatever stands in a line: there is an answer, and no word twice.
Test(posternctl, completes_any_line_at_all)
{
	static const char *const vocabulary[] = {"show", "add", "mapping", "mappings", "group",
		"realm", "kind", "static", "peer", "tcp", "100.64.0.1", "100.64.0.1:1", "limit",
		"7", "detail", "nonzero", "x", "config", "check", "reset", "epoch", "-", ""};
	struct candidates found;
	struct rng rng;

	rng_init_u64(&rng, 5);
	for (unsigned i = 0; i < 20000; i++) {
		const char *words[8];
		size_t n = rng_below(&rng, 8), common;
		for (size_t k = 0; k < n; k++)
			words[k] = vocabulary[rng_below(&rng, ARRAY_SIZE(vocabulary))];
		complete_word(words, n, "", names, NULL, &found, &common);
		for (unsigned k = 1; k < found.n; k++)
			cr_assert_lt(strcmp(found.words[k - 1], found.words[k]), 0);
	}
}

Test(posternctl, says_what_a_value_looks_like)
{
	const char *const words[] = {"add", "mapping", "tcp", "100.64.0.1:1", "lifetime"};
	struct expected e;

	grammar_expect(words, 5, &e);
	cr_assert_eq(e.n, 0u);
	cr_assert_str_eq(e.title, "SECONDS, or 30m, 12h, 7d");
	grammar_expect(words, 3, &e);
	cr_assert_str_eq(e.title, "ADDRESS:PORT");
}

Test(posternctl, completes_files)
{
	char folder[] = "/tmp/posternctl-XXXXXX", start[64], path[64];
	struct candidates found = {0};

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/new.yaml", folder);
	fclose(fopen(path, "w"));
	snprintf(start, sizeof start, "%s/n", folder);
	complete_from_daemon(NULL, VALUE_FILE, start, &found);
	cr_assert_eq(found.n, 1u);
	cr_assert_str_eq(found.words[0], path);
	unlink(path);
	rmdir(folder);
}

Test(posternctl, offers_nothing_where_no_daemon_answers)
{
	char nowhere[] = "/nonexistent/control.sock";
	struct candidates found = {0};

	complete_from_daemon(nowhere, VALUE_GROUP, "", &found);
	cr_assert_eq(found.n, 0u);
}

// ---- history ---------------------------------------------------------------------------------

Test(posternctl, keeps_its_history_where_nobody_else_reads)
{
	char folder[] = "/tmp/posternctl-XXXXXX", path[128], wanted[128];
	struct stat st;

	cr_assert_not_null(mkdtemp(folder));
	setenv("HOME", folder, 1);
	unsetenv("XDG_STATE_HOME");
	cr_assert(history_path(path, sizeof path));
	snprintf(wanted, sizeof wanted, "%s/.postern_history", folder);
	cr_assert_str_eq(path, wanted);
	snprintf(wanted, sizeof wanted, "%s/state", folder);
	setenv("XDG_STATE_HOME", wanted, 1);
	cr_assert(history_path(path, sizeof path));
	snprintf(wanted, sizeof wanted, "%s/state/postern/history", folder);
	cr_assert_str_eq(path, wanted);
	FILE *out = fopen(path, "w"); // of another program, readable by all
	cr_assert_not_null(out);
	fclose(out);
	chmod(path, 0644);
	out = history_create(path);
	cr_assert_not_null(out);
	fclose(out);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600u);
	unlink(path);
	snprintf(wanted, sizeof wanted, "%s/state/postern", folder);
	cr_assert_eq(stat(wanted, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700u);
	rmdir(wanted);
	snprintf(wanted, sizeof wanted, "%s/state", folder);
	rmdir(wanted);
	cr_assert_eq(rmdir(folder), 0);
}

Test(posternctl, keeps_no_history_without_a_home)
{
	char path[16];

	unsetenv("HOME");
	unsetenv("XDG_STATE_HOME");
	cr_assert(!history_path(path, sizeof path));
	setenv("HOME", "/a/rather/long/path", 1);
	cr_assert(!history_path(path, sizeof path));
}
