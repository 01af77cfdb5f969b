// SPDX-License-Identifier: Apache-2.0
#include "pcpcd.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"Usage: pcpcd [--check] [--log-level LEVEL] [FILE]\n"
	"\n"
	"Keeps the ports that FILE (YAML) names open at the NAT in front of this host, by the "
	"Port\n"
	"Control Protocol (RFC 6887): asks for them, renews them, and asks again when they are "
	"lost.\n"
	"Runs in the foreground and logs to standard error.\n"
	"\n"
	"      --check            only say whether FILE is right\n"
	"      --log-level LEVEL  error, warn, notice (the default), info or debug\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"FILE is " PCPCD_DEFAULT_FILE " unless it is given. SIGHUP reads it again; SIGTERM and\n"
	"SIGINT end the program, and its ports stay open until their leases end, or the next run\n"
	"goes on with them (see release-on-exit in pcpcd(8)). `pcpc list` shows the ports.\n"
	"\n"
	"Exit status: 0 when told to end, 1 when it could not start or run, or a server's\n"
	"interface is not there yet, 2 for wrong arguments or a wrong FILE.\n";

enum {
	OPTION_CHECK = 256,
	OPTION_LEVEL,
};

static const struct option long_options[] = {
	{"check", no_argument, NULL, OPTION_CHECK},
	{"log-level", required_argument, NULL, OPTION_LEVEL},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static bool leave(int *status, int with)
{
	*status = with;
	return false;
}

static bool wrong(int *status, const char *what)
{
	fprintf(stderr, "pcpcd: %s\nTry 'pcpcd --help'.\n", what);
	return leave(status, PCPCD_WRONG);
}

static bool take_option(int option, struct pcpcd_options *o, int *status)
{
	switch (option) {
	case OPTION_CHECK:
		o->check = true;
		return true;
	case OPTION_LEVEL:
		if (log_level_parse(optarg, &o->level))
			return true;
		return wrong(status, "--log-level is error, warn, notice, info or debug");
	case 'h':
		fputs(usage, stdout);
		return leave(status, PCPCD_OK);
	case 'V':
		puts("pcpcd " POSTERN_VERSION);
		return leave(status, PCPCD_OK);
	default: // getopt has said what is wrong
		fputs("Try 'pcpcd --help'.\n", stderr);
		return leave(status, PCPCD_WRONG);
	}
}

bool pcpcd_options_read(int argc, char **argv, struct pcpcd_options *o, int *status)
{
	int option;

	*o = (struct pcpcd_options){.file = PCPCD_DEFAULT_FILE, .level = LOG_LEVEL_NOTICE};
	while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1)
		if (!take_option(option, o, status))
			return false;
	if (argc - optind > 1)
		return wrong(status, "one FILE at most");
	if (optind < argc)
		o->file = argv[optind];
	return true;
}
