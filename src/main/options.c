// SPDX-License-Identifier: Apache-2.0
#include "main.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"usage: posternd -c FILE [--check | --dump-config] [--log-level LEVEL]\n"
	"\n"
	"The carrier-grade NAT with a PCP server inside.\n"
	"\n"
	"  -c, --config FILE      the configuration (YAML)\n"
	"      --check            only say whether FILE is right\n"
	"      --dump-config      check FILE and print it as it was read\n"
	"      --log-level LEVEL  error, warn, notice (the default), info or debug\n"
	"      --version          print the version\n"
	"      --help             print this\n"
	"\n"
	"SIGHUP reads FILE again, SIGTERM and SIGINT end the daemon. Exit status: 0 when told to\n"
	"end, 1 when it could not start or run, 2 for wrong arguments or a wrong FILE.\n";

enum {
	OPTION_CHECK = 256,
	OPTION_DUMP,
	OPTION_LEVEL,
	OPTION_VERSION,
	OPTION_HELP
};

static const struct option list[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"dump-config", no_argument, NULL, OPTION_DUMP},
	{"log-level", required_argument, NULL, OPTION_LEVEL},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static bool leave(int *status, int with)
{
	*status = with;
	return false;
}

static bool wrong(int *status, const char *what)
{
	fprintf(stderr, "posternd: %s\nTry posternd --help.\n", what);
	return leave(status, EXIT_WRONG);
}

static bool option_take(int c, struct options *options, int *status)
{
	switch (c) {
	case 'c':
		options->file = optarg;
		return true;
	case OPTION_CHECK:
		options->check = true;
		return true;
	case OPTION_DUMP:
		options->dump = true;
		return true;
	case OPTION_LEVEL:
		if (log_level_parse(optarg, &options->level))
			return true;
		return wrong(status, "--log-level is error, warn, notice, info or debug");
	case OPTION_VERSION:
		puts("posternd " POSTERN_VERSION);
		return leave(status, EXIT_OK);
	case OPTION_HELP:
		fputs(usage, stdout);
		return leave(status, EXIT_OK);
	default: // getopt has said what is wrong
		return leave(status, EXIT_WRONG);
	}
}

bool options_read(int argc, char **argv, struct options *options, int *status)
{
	int c;

	*options = (struct options){.level = LOG_LEVEL_NOTICE};
	while ((c = getopt_long(argc, argv, "c:", list, NULL)) != -1) {
		if (!option_take(c, options, status))
			return false;
	}
	if (optind < argc)
		return wrong(status, "there is an argument too many");
	if (!options->file)
		return wrong(status, "no configuration: say -c FILE");
	return true;
}
