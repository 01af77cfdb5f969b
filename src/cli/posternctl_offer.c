// SPDX-License-Identifier: Apache-2.0
// TAB of the operator's own shell: `posternctl --complete WORD.. START` prints what may stand where
// START does, one a line; the same that TAB offers in posternctl's shell, and the options.
#include "posternctl.h"

#include <stdlib.h>

#define FILES ":files" // the shell knows them better

static const char *const options[] = {
	"--socket", "--json", "--no-color", "--help", "--version", "-s", "-j", "-h", "-V", NULL};

static bool takes_path(const char *word)
{
	return strcmp(word, "-s") == 0 || strcmp(word, "--socket") == 0;
}

static void offer_options(const char *start)
{
	for (const char *const *option = options; *option; option++)
		if (strncmp(*option, start, strlen(start)) == 0)
			puts(*option);
}

static void offer_words(const char *const *words, size_t n, const char *start, const char *socket)
{
	const char *path = socket ? socket : getenv("POSTERN_SOCKET");
	struct candidates found;
	size_t common;

	complete_word(words, n, start, complete_from_daemon,
		(void *)(path && *path ? path : DEFAULT_SOCKET), &found, &common);
	for (unsigned i = 0; i < found.n; i++)
		puts(found.words[i]);
	if (n == 0 && strncmp("shell", start, strlen(start)) == 0)
		puts("shell");
}

void offer_print(int n, const char *const *words)
{
	const char *plain[32], *start = n > 0 ? words[n - 1] : "", *socket = NULL;
	size_t n_plain = 0;

	if (n > 1 && takes_path(words[n - 2])) {
		puts(FILES);
		return;
	}
	for (int i = 0; i < n - 1 && n_plain < ARRAY_SIZE(plain); i++) {
		if (takes_path(words[i]))
			socket = words[++i];
		else if (words[i][0] != '-')
			plain[n_plain++] = words[i];
	}
	if (start[0] == '-')
		offer_options(start);
	else
		offer_words(plain, n_plain, start, socket);
}
