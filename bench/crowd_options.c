// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <stdlib.h>

#include "crowd.h"

const struct act crowd_acts[CROWD_ACTS] = {
	{"announced", "the server's ANNOUNCE reaches everyone", true, 0},
	{"silent", "no ANNOUNCE: each finds out when it renews", false, 0},
	{"unpaced-1", "1 in 100 knows no pacing, the others hear the ANNOUNCE", true, 1},
	{"unpaced-10", "10 in 100 know no pacing, likewise", true, 10},
};

static const char usage[] =
	"usage: bench-crowd [OPTION]...\n"
	"A crowd of PCP clients loses its server's state at once. Every client is an engine of "
	"the\n"
	"client library, the server a shard as the daemon runs it; the time is simulated.\n"
	"\n"
	"  -n, --clients N       1 to 4000000 (default 100000; a million takes 9 GB)\n"
	"  -m, --mappings M      each client's, 1 to 8 (default 2)\n"
	"  -a, --acts LIST       of those below (default: all)\n"
	"  -l, --loss P          per cent of datagrams lost, each way, 0 to 50 (default 0)\n"
	"  -s, --seed N          the same seed, the same run (default 1)\n"
	"      --ramp S          seconds over which the clients start, before (default 120)\n"
	"      --lifetime S      of mappings, more than twice the ramp (default 600)\n"
	"      --pace MS         of the clients, between two requests (default 500)\n"
	"      --again MS        who knows no pacing sends all again after so long (default 50)\n"
	"      --request-rate N  the server's limit for each client and second, the burst twice\n"
	"                        that, 0: none (default 10)\n"
	"      --subscribers N   the server is made for so many (default: a third more than\n"
	"                        clients, so that all fit into its limit of new ones)\n"
	"  -q, --quick           2000 clients\n"
	"  -j, --json            one JSON object a line, each second among them\n"
	"  -h, --help\n"
	"\n"
	"Each second is held against a bound: clients * mappings / spread, and what chance may\n"
	"add; the spread is 5 s after an ANNOUNCE, otherwise the ramp. To that comes what is "
	"asked\n"
	"again since it was not answered, or was refused.\n"
	"Status: 0; 1 when a bound was broken, somebody is not whole in the end, client and "
	"server\n"
	"disagree, or those who know no pacing delay the others; 2 usage.\n"
	"\n"
	"Acts:\n";

static void print_help(void)
{
	fputs(usage, stdout);
	for (unsigned i = 0; i < CROWD_ACTS; i++)
		printf("  %-12s %s\n", crowd_acts[i].name, crowd_acts[i].sentence);
}

static _Noreturn void refuse(const char *why, const char *what)
{
	fprintf(stderr, "bench-crowd: '%s': %s (see --help)\n", what, why);
	exit(2);
}

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t n;

	if (*text < '0' || *text > '9')
		refuse("a number is expected", text);
	n = strtoull(text, &end, 10);
	if (*end != '\0')
		refuse("a number is expected", text);
	if (n < least || n > most)
		refuse("too small or too big", text);
	return n;
}

static uint32_t parse_u32(const char *text, uint32_t least, uint32_t most)
{
	return (uint32_t)parse_number(text, least, most);
}

static unsigned find_act(const char *name, size_t length)
{
	for (unsigned i = 0; i < CROWD_ACTS; i++) {
		if (strlen(crowd_acts[i].name) == length &&
			memcmp(crowd_acts[i].name, name, length) == 0)
			return i;
	}
	refuse("no act of that name", name);
}

static void parse_acts(struct options *o, const char *text)
{
	memset(o->wanted, 0, sizeof o->wanted);
	for (;;) {
		size_t length = strcspn(text, ",");

		o->wanted[find_act(text, length)] = true;
		if (text[length] == '\0')
			return;
		text += length + 1;
	}
}

static void parse_more(struct options *o, int c)
{
	switch (c) {
	case 'R':
		o->ramp_s = parse_u32(optarg, 1, 40000);
		break;
	case 'L':
		o->lifetime_s = parse_u32(optarg, 120, 86400);
		break;
	case 'P':
		o->pace_ms = parse_u32(optarg, 10, 60000);
		break;
	case 'A':
		o->again_ms = parse_u32(optarg, 1, 60000);
		break;
	case 'r':
		o->request_rate = parse_u32(optarg, 0, 1000000);
		break;
	case 'S':
		o->subscribers = parse_u32(optarg, 100, 8000000);
		break;
	case 'h':
		print_help();
		exit(0);
	default:
		fputs("Try bench-crowd --help.\n", stderr);
		exit(2);
	}
}

static void parse_option(struct options *o, int c)
{
	switch (c) {
	case 'n':
		o->clients = parse_u32(optarg, 1, CROWD_MOST_CLIENTS);
		break;
	case 'm':
		o->mappings = parse_u32(optarg, 1, CROWD_MOST_MAPPINGS);
		break;
	case 'a':
		parse_acts(o, optarg);
		break;
	case 'l':
		o->loss = parse_u32(optarg, 0, 50);
		break;
	case 's':
		o->seed = parse_number(optarg, 0, UINT64_MAX);
		break;
	case 'q':
		o->clients = 2000;
		break;
	case 'j':
		o->json = true;
		break;
	default:
		parse_more(o, c);
	}
}

void crowd_parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"clients", required_argument, NULL, 'n'},
		{"mappings", required_argument, NULL, 'm'}, {"acts", required_argument, NULL, 'a'},
		{"loss", required_argument, NULL, 'l'}, {"seed", required_argument, NULL, 's'},
		{"ramp", required_argument, NULL, 'R'}, {"lifetime", required_argument, NULL, 'L'},
		{"pace", required_argument, NULL, 'P'}, {"again", required_argument, NULL, 'A'},
		{"request-rate", required_argument, NULL, 'r'},
		{"subscribers", required_argument, NULL, 'S'}, {"quick", no_argument, NULL, 'q'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	for (unsigned i = 0; i < CROWD_ACTS; i++)
		o->wanted[i] = true;
	while ((c = getopt_long(argc, argv, "n:m:a:l:s:qjh", names, NULL)) != -1)
		parse_option(o, c);
	if (optind < argc)
		refuse("nothing but options is expected", argv[optind]);
	if (o->lifetime_s / 2 < o->ramp_s + 10)
		refuse("--lifetime must leave 10 s between the ramp and the first renewals",
			"--ramp");
	if (o->subscribers == 0)
		o->subscribers = max_u32(o->clients + o->clients / 3 + 100, 200);
	// The act without them tells what those who know no pacing may cost the others.
	if (o->wanted[2] || o->wanted[3])
		o->wanted[0] = true;
}
