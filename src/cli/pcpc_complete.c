// SPDX-License-Identifier: Apache-2.0
// What a shell's TAB offers: `pcpc --complete WORD.. START` prints what may stand where START does,
// one a line. The shells' own files know no word of ours, so they need not be kept in step.
#include "pcpc.h"

#include <stdio.h>

#define FILES ":files" // the shell knows them better

static void offer(const char *before, const char *word, const char *start)
{
	if (strncmp(word, start, strlen(start)) == 0)
		printf("%s%s\n", before, word);
}

static void offer_all(const char *before, const char *const *words, const char *start)
{
	for (; *words; words++)
		offer(before, *words, start);
}

// ---- options ---------------------------------------------------------------------------------

static const struct option *find_long(const char *name, size_t n)
{
	for (const struct option *l = pcpc_long_options; l->name; l++)
		if (strlen(l->name) == n && memcmp(l->name, name, n) == 0)
			return l;
	return NULL;
}

static const struct option *find_short(char letter)
{
	static const struct option dialect = {"version", required_argument, NULL, 'v'};

	if (letter == 'v')
		return &dialect;
	for (const struct option *l = pcpc_long_options; l->name; l++)
		if (l->val == letter)
			return l;
	return NULL;
}

// The option that a word is, or ends with (-kl); NULL: none.
static const struct option *option_of(const char *word)
{
	if (strncmp(word, "--", 2) == 0)
		return find_long(word + 2, strlen(word + 2));
	return word[0] == '-' && word[1] ? find_short(word[strlen(word) - 1]) : NULL;
}

static bool takes_next(const char *word, const char *next)
{
	const struct option *option = option_of(word);
	enum pcp_dialect dialect;

	if (!option || option->has_arg == no_argument)
		return false;
	return option->has_arg == required_argument ||
	       (strcmp(option->name, "version") == 0 && pcpc_parse_dialect(next, &dialect));
}

static void offer_options(const char *start)
{
	char word[64];

	for (const struct option *l = pcpc_long_options; l->name; l++) {
		snprintf(word, sizeof word, "--%s", l->name);
		offer("", word, start);
	}
	for (const char *p = pcpc_short_options; *p; p++) {
		snprintf(word, sizeof word, "-%c", *p);
		if (*p != ':')
			offer("", word, start);
	}
}

// ---- their values ----------------------------------------------------------------------------

static void offer_dialects(const char *before, const char *start)
{
	for (unsigned i = 0; i < PCP_DIALECTS; i++)
		offer(before, pcp_dialect_name(i), start);
}

static void offer_results(const char *before, const char *start)
{
	static const char *const others[] = {"answer", "silence", NULL};

	offer_all(before, others, start);
	for (unsigned i = 0; i < 512; i++)
		if (strcmp(pcpc_result_name(i), "unassigned") != 0)
			offer(before, pcpc_result_name(i), start);
}

static void offer_values(const char *name, const char *before, const char *start)
{
	static const char *const families[] = {"4", "6", NULL};
	static const char *const versions[] = {"2,1,0", "2,1", "2,0", "2", "1", "0", NULL};
	static const char *const filters[] = {"none", NULL};

	if (strcmp(name, "prefer") == 0)
		offer_all(before, families, start);
	else if (strcmp(name, "versions") == 0)
		offer_all(before, versions, start);
	else if (strcmp(name, "filter") == 0)
		offer_all(before, filters, start);
	else if (strcmp(name, "version") == 0)
		offer_dialects(before, start);
	else if (strcmp(name, "expect") == 0)
		offer_results(before, start);
	else if (strcmp(name, "state") == 0 || strcmp(name, "config") == 0 ||
		 strcmp(name, "socket") == 0)
		puts(FILES);
}

// --prefer=4
static void offer_equals(const char *word, const char *equals)
{
	const struct option *option = find_long(word + 2, (size_t)(equals - word - 2));
	char before[64];

	if (!option || option->has_arg == no_argument)
		return;
	snprintf(before, sizeof before, "--%s=", option->name);
	offer_values(option->name, before, equals + 1);
}

// ---- commands and what follows them ----------------------------------------------------------

static void offer_commands(bool to_probe, const char *start)
{
	for (unsigned i = 0; pcpc_command_word(i); i++)
		if (!to_probe || i < PCPC_WATCH)
			offer("", pcpc_command_word(i), start);
}

static bool has_port(const char *command)
{
	static const char *const commands[] = {"map", "renew", "unmap", "delete", "get"};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(command, commands[i]) == 0)
			return true;
	return false;
}

static void offer_words(const char *const *words, int n, const char *start)
{
	static const char *const protocols[] = {"tcp", "udp", "all", NULL};
	bool to_probe = n > 0 && strcmp(words[0], "probe") == 0;

	if (to_probe) {
		words++;
		n--;
	}
	if (n == 0)
		offer_commands(to_probe, start);
	else if (n == 1 && (has_port(words[0]) || strcmp(words[0], "peer") == 0))
		offer_all("", protocols, start);
	else if (n == 2 && has_port(words[0]))
		offer("", "all", start);
}

void pcpc_complete(int n, char **words)
{
	const char *start = n > 0 ? words[n - 1] : "", *last = n > 1 ? words[n - 2] : "";
	const char *plain[4], *equals = strchr(start, '=');
	const struct option *option = option_of(last);
	int n_plain = 0;

	for (int i = 0; i < n - 1 && n_plain < (int)ARRAY_SIZE(plain); i++) {
		if (words[i][0] != '-')
			plain[n_plain++] = words[i];
		else if (takes_next(words[i], words[i + 1]))
			i++;
	}
	if (option && takes_next(last, start))
		offer_values(option->name, "", start);
	else if (strncmp(start, "--", 2) == 0 && equals)
		offer_equals(start, equals);
	else if (start[0] == '-')
		offer_options(start);
	else
		offer_words(plain, n_plain, start);
	if (option && option->has_arg == optional_argument &&
		strcmp(option->name, "version") == 0 && !takes_next(last, start))
		offer_values(option->name, "", start);
}
