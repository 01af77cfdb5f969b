// SPDX-License-Identifier: Apache-2.0
#include "ethdev.h"

#include <getopt.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

// ---- what there is
// -------------------------------------------------------------------------------

static const char usage[] =
	"usage: bench-ethdev [options]\n"
	"\n"
	"posternd behind a driver, with subscribers and an Internet that this program makes: "
	"mappings\n"
	"made by packets and by PCP, packets both ways, renewals, and how long PCP answers take "
	"while\n"
	"10 000 packets a second pass. Needs root.\n"
	"\n"
	"      --device LIST      memif, ring (in this process), af_packet, af_xdp (on veth pairs "
	"in a\n"
	"                         network namespace of their own), all. Default: memif,ring\n"
	"      --flows LIST       table sizes, at most 4: 64k,1M (k and M are 1000 and 1000000).\n"
	"                         Default: 64k\n"
	"      --seconds N        of each measurement (1)\n"
	"      --rounds N         of all measurements in turns, at most 15; the median is told "
	"(3)\n"
	"      --rate N           packets a second of each stream; default: what posternd takes\n"
	"      --check            fail when a packet is lost\n"
	"      --no-pcp           packets only\n"
	"      --huge             the generator takes huge pages, too; posternd does when they are "
	"free\n"
	"      --quick            tiny: is everything there?\n"
	"      --json             one object a line\n"
	"      --posternd FILE    the daemon; posternctl lies beside it as in a build directory\n"
	"      --control SOCKET --memif SOCKET\n"
	"                         use a posternd that runs on the configuration of --config\n"
	"      --config           print that configuration and end\n"
	"      --help             print this\n"
	"\n"
	"Exit status: 0, 1 when something failed, came back wrong, or (--check) was lost, 2 for "
	"wrong\n"
	"arguments.\n";

enum {
	OPTION_DEVICE = 256,
	OPTION_FLOWS,
	OPTION_SECONDS,
	OPTION_ROUNDS,
	OPTION_RATE,
	OPTION_CHECK,
	OPTION_NO_PCP,
	OPTION_HUGE,
	OPTION_QUICK,
	OPTION_JSON,
	OPTION_POSTERND,
	OPTION_CONTROL,
	OPTION_MEMIF,
	OPTION_CONFIG,
	OPTION_HELP
};

static const struct option list[] = {
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"flows", required_argument, NULL, OPTION_FLOWS},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"rounds", required_argument, NULL, OPTION_ROUNDS},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"no-pcp", no_argument, NULL, OPTION_NO_PCP},
	{"huge", no_argument, NULL, OPTION_HUGE},
	{"quick", no_argument, NULL, OPTION_QUICK},
	{"json", no_argument, NULL, OPTION_JSON},
	{"posternd", required_argument, NULL, OPTION_POSTERND},
	{"control", required_argument, NULL, OPTION_CONTROL},
	{"memif", required_argument, NULL, OPTION_MEMIF},
	{"config", no_argument, NULL, OPTION_CONFIG},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static _Noreturn void wrong(const char *what, const char *text)
{
	fprintf(stderr, "bench-ethdev: --%s: found '%s'\nTry bench-ethdev --help.\n", what, text);
	exit(2);
}

static double number(const char *what, const char *text, double least, double most)
{
	char *end;
	double n = strtod(text, &end);

	if (*end == 'k' || *end == 'M')
		n *= *end++ == 'k' ? 1e3 : 1e6;
	if (end == text || *end || !(n >= least && n <= most))
		wrong(what, text);
	return n;
}

static void take_devices(struct options *o, char *text)
{
	memset(o->devices, 0, sizeof o->devices);
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		bool known = false;

		for (enum device d = DEVICE_MEMIF; d < DEVICES; d++) {
			if (strcmp(word, "all") == 0 || strcmp(word, device_name(d)) == 0)
				o->devices[d] = known = true;
		}
		if (!known)
			wrong("device", word);
	}
}

static void take_sizes(struct options *o, char *text)
{
	o->n_sizes = 0;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		if (o->n_sizes == MAX_SIZES)
			wrong("flows", word);
		o->sizes[o->n_sizes++] = (uint32_t)number("flows", word, PORTS_EACH, MAX_FLOWS);
	}
}

static void be_quick(struct options *o)
{
	o->sizes[0] = 4096;
	o->n_sizes = 1;
	o->rounds = 1;
	o->seconds = 0.2;
}

static void take(struct options *o, int c, char *text)
{
	switch (c) {
	case OPTION_DEVICE:
		take_devices(o, text);
		return;
	case OPTION_FLOWS:
		take_sizes(o, text);
		return;
	case OPTION_SECONDS:
		o->seconds = number("seconds", text, 0.01, 3600);
		return;
	case OPTION_ROUNDS:
		o->rounds = (unsigned)number("rounds", text, 1, MAX_ROUNDS);
		return;
	case OPTION_RATE:
		o->rate = number("rate", text, 1, 1e9);
		return;
	case OPTION_POSTERND:
		o->posternd = text;
		return;
	case OPTION_CONTROL:
		o->control = text;
		return;
	case OPTION_MEMIF:
		o->memif = text;
		return;
	case OPTION_QUICK:
		be_quick(o);
		return;
	case OPTION_CHECK:
		o->check = true;
		return;
	case OPTION_NO_PCP:
		o->no_pcp = true;
		return;
	case OPTION_HUGE:
		o->huge = true;
		return;
	case OPTION_JSON:
		o->json = true;
		return;
	case OPTION_CONFIG:
		o->print_config = true;
		return;
	case OPTION_HELP:
		fputs(usage, stdout);
		exit(0);
	default: // getopt has said what is wrong
		exit(2);
	}
}

// Where the build directory has them.
static void find_programs(struct options *o)
{
	static char daemon[PATH_ROOM], tool[PATH_ROOM];
	char self[PATH_ROOM];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = 0;
	if (!o->posternd) {
		snprintf(daemon, sizeof daemon, "%.200s/../src/main/posternd", dirname(self));
		o->posternd = daemon;
	}
	snprintf(self, sizeof self, "%s", o->posternd);
	snprintf(tool, sizeof tool, "%.200s/../cli/posternctl", dirname(self));
	o->posternctl = tool;
}

void options_read(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){.devices = {[DEVICE_MEMIF] = true, [DEVICE_RING] = true},
		.sizes = {64000},
		.n_sizes = 1,
		.rounds = 3,
		.seconds = 1};
	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1)
		take(o, c, optarg);
	if (optind < argc) {
		fprintf(stderr, "bench-ethdev: '%s' is an argument too many\n", argv[optind]);
		exit(2);
	}
	if (!o->control != !o->memif || (o->print_config && !o->control)) {
		fputs("bench-ethdev: --control and --memif go together, and --config needs "
		      "both\n",
			stderr);
		exit(2);
	}
	find_programs(o);
}
