// SPDX-License-Identifier: Apache-2.0
// posternctl - the operator's tool: one command in its words, or many from a terminal or a script.
#include "posternctl.h"

#include <unistd.h>

static int run(struct words *words)
{
	if (!words->shell)
		return run_command(words);
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return shell_run(words);
	return script_run(words, stdin);
}

int main(int argc, char **argv)
{
	struct words words;
	char why[256];
	int code = EXIT_USAGE;

	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		offer_print(argc - 2, (const char *const *)argv + 2);
		return EXIT_OK;
	}
	if (!words_parse(argc, (const char *const *)argv, &words, why, sizeof why))
		fprintf(stderr, "posternctl: %s\nSee posternctl --help.\n", why);
	else if (words.help)
		words_help(stdout), code = EXIT_OK;
	else if (words.version)
		printf("posternctl %s\n", POSTERN_VERSION), code = EXIT_OK;
	else
		code = run(&words);
	words_fini(&words);
	return code;
}
