// SPDX-License-Identifier: Apache-2.0
// bench-rfc9693: the stateful measurements of RFC 9693, for tables of several sizes.
#include "rfc9693.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_SIZES = 8,
	LEAST_SIZE = 1000,
	MOST_SIZE = 12000000,
	NEEDS_CPUS = 2,
	EXIT_SKIPPED = 77
};

struct options {
	uint32_t sizes[MAX_SIZES];
	unsigned n_sizes;
	struct plan plan;
	bool json;
	uint64_t seed;
};

static const char usage[] =
	"usage: bench-rfc9693 [OPTION]...\n"
	"The measurements of RFC 9693 for stateful gateways, by table size, one worker.\n"
	"\n"
	"The device under test is the daemon's own room io: its worker, on a CPU of its own, with\n"
	"its loop, neighbours, shard, log and configuration. Initiator and responder are one "
	"thread\n"
	"on another CPU. Rings join them in the place of NICs: there is no DMA, no PCIe and no "
	"RSS\n"
	"in these figures. The device's receive queues hold 4096 frames.\n"
	"\n"
	"  establishment  phase 1: the highest rate of new connections at which none is lost; "
	"each\n"
	"                 is validated afterwards by a frame from the responder\n"
	"  throughput     phase 2: the highest rate of frames, both directions together, at which\n"
	"                 none is lost, with all connections in the table, drawn at random\n"
	"  teardown       connections ended in a second by the operator's order to clear the "
	"group,\n"
	"                 less what the order takes with an empty table\n"
	"  capacity       how many connections stand and answer when more and more are begun; the\n"
	"                 configuration allows as many as the size says\n"
	"\n"
	"Frames have 64 octets and carry UDP. Ports are drawn at random (RFC 4814): sources from\n"
	"1024..65535, destinations from 1..49151. A connection is one internal endpoint, for the\n"
	"NAT maps without regard to the destination (RFC 4787 REQ-1), and endpoints come in "
	"random\n"
	"order. Rates are found by binary search to 1 %; a trial is passed without any loss. The\n"
	"ceiling is the tester's own throughput, with nothing but rings in the device's place.\n"
	"Unpaced is what came through when frames waited for room in the device's queues: far\n"
	"above the value, it tells that somebody else took a CPU meanwhile.\n"
	"A size below 81920 has no establishment rate: its frames would fit into the queues.\n"
	"\n"
	"  -s, --sizes LIST   connections, 1000..12000000 (default 1000,100000,1000000,10000000)\n"
	"  -t, --trial S      seconds of a throughput trial, 0.05..60 (default 1)\n"
	"  -a, --attempts N   a trial that lost frames is made up to N times, 1..10 (default 3):\n"
	"                     others on the machine steal time\n"
	"  -r, --repeats N    of the tear-down, 1..15 (default 5); the median counts\n"
	"  -q, --quick        size 100000, trials of 0.1 s, 3 repeats, rates to 3 %\n"
	"      --seed N       other ports and another order (default 1)\n"
	"      --json         one JSON object a line\n"
	"  -h, --help\n"
	"\n"
	"Needs two CPUs (status 77 where there is one), and root for 2 MiB pages: without them\n"
	"cold lines cost nearly twice as much.\n";

// ---- output ----------------------------------------------------------------------------------

struct facts {
	uint32_t n;
	bool json, huge;
};

#define ERASE_LINE "\r\033[K"

void progress(uint32_t n, const char *what, double rate)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, ERASE_LINE "%u connections: %s", n, what);
	if (rate > 0)
		fprintf(stderr, " at %.0f a second", rate);
	fflush(stderr);
}

static void progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fputs(ERASE_LINE, stderr);
}

static void print_value(
	const struct facts *f, const char *operation, const char *unit, const struct result *result)
{
	bool limited = result->ceiling > 0 && result->value > 0.9 * result->ceiling;

	progress_end();
	if (result->value == 0)
		fprintf(stderr,
			"bench-rfc9693: %u connections: %s: no trial passed without loss; are the "
			"CPUs of others?\n",
			f->n, operation);
	if (f->json) {
		printf("{\"bench\":\"rfc9693\",\"operation\":\"%s\",\"mappings\":%u,"
		       "\"value\":%.0f,\"unit\":\"%s\",\"validated\":%s,\"trials\":%u,"
		       "\"huge_pages\":%s",
			operation, f->n, result->value, unit, result->validated ? "true" : "false",
			result->trials, f->huge ? "true" : "false");
		if (result->unpaced > 0)
			printf(",\"unpaced\":%.0f", result->unpaced);
		if (result->ceiling > 0)
			printf(",\"ceiling\":%.0f,\"limited_by_tester\":%s", result->ceiling,
				limited ? "true" : "false");
		puts("}");
	} else {
		printf("%10u  %-14s %14.0f  %-14s %s", f->n, operation, result->value, unit,
			result->validated ? "yes" : "NO");
		if (result->unpaced > 0)
			printf("   unpaced %.0f", result->unpaced);
		if (result->ceiling > 0)
			printf("   ceiling %.0f%s", result->ceiling,
				limited ? ", so the tester is the limit" : "");
		puts("");
	}
	fflush(stdout);
}

static void print_too_small(const struct facts *f)
{
	if (!f->json)
		printf("%10u  %-14s %14s  too few connections to fill more than the queues\n", f->n,
			"establishment", "-");
}

// ---- one size --------------------------------------------------------------------------------

static bool measure_all(struct rig *r, struct tester *t, const struct options *o, double ceiling)
{
	struct facts f = {r->n, o->json, rig_has_huge_pages(r)};
	struct result establishment = measure_establishment(r, t, &o->plan), throughput, teardown,
		      capacity;

	if (establishment.trials > 0)
		print_value(&f, "establishment", "connections/s", &establishment);
	else
		print_too_small(&f);
	throughput = measure_throughput(r, t, &o->plan);
	throughput.ceiling = ceiling;
	print_value(&f, "throughput", "frames/s", &throughput);
	teardown = measure_teardown(r, t, &o->plan);
	print_value(&f, "teardown", "connections/s", &teardown);
	capacity = measure_capacity(r, t, &o->plan);
	print_value(&f, "capacity", "connections", &capacity);
	return (establishment.trials == 0 || establishment.validated) && throughput.validated &&
	       teardown.validated && capacity.value >= r->n * (1 - o->plan.resolution);
}

static int fail(const struct rig *r, const char *what)
{
	progress_end();
	fprintf(stderr, "bench-rfc9693: %u connections: %s\n", r->n, what);
	return 1;
}

static int measure_with(struct rig *r, struct tester *t, const struct options *o)
{
	double ceiling;

	if (rig_start_null(r) != 0)
		return fail(r, "the worker's lcore does not start");
	ceiling = measure_ceiling(t, &o->plan, r->n);
	rig_stop_null(r);
	if (rig_start(r) != 0)
		return fail(r, "the device does not start");
	if (!tester_learn(t))
		return fail(r, "no frame comes through the device");
	if (!measure_all(r, t, o, ceiling))
		return fail(r, "not every connection stood and answered");
	return 0;
}

static int measure_size(const struct options *o, uint32_t n)
{
	static struct rig r;
	struct tester *t = NULL;
	int status = 1, error = rig_create(&r, n, o->seed);

	if (error == 0)
		t = tester_create(&r);
	if (error != 0 || t == NULL)
		fail(&r, strerror(error != 0 ? -error : ENOMEM));
	else
		status = measure_with(&r, t, o);
	if (r.io)
		io_stop(r.io);
	tester_destroy(t);
	rig_destroy(&r);
	return status;
}

// EAL starts once in a process, so each size has a process.
static int measure_apart(const struct options *o, uint32_t n)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG,
			SIGKILL); // two busy threads are not to outlive their parent
		status = measure_size(o, n);
		fflush(stdout);
		_exit(status);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1;
	if (WIFSIGNALED(status))
		fprintf(stderr, "bench-rfc9693: %u connections: %s\n", n,
			strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// ---- options ---------------------------------------------------------------------------------

static _Noreturn void misused(const char *what)
{
	fprintf(stderr, "bench-rfc9693: %s; see --help\n", what);
	exit(2);
}

static void parse_sizes(struct options *o, const char *text)
{
	char *end;

	for (o->n_sizes = 0; *text != '\0'; text = *end == ',' ? end + 1 : end) {
		unsigned long n = strtoul(text, &end, 10);

		if (end == text || (*end != ',' && *end != '\0') || n < LEAST_SIZE ||
			n > MOST_SIZE || o->n_sizes == MAX_SIZES)
			misused("--sizes takes up to 8 numbers from 1000 to 12000000");
		o->sizes[o->n_sizes++] = (uint32_t)n;
	}
	if (o->n_sizes == 0)
		misused("--sizes names no size");
}

static double parse_number(const char *text, double least, double most, const char *complaint)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= least && value <= most))
		misused(complaint);
	return value;
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"sizes", required_argument, NULL, 's'},
		{"trial", required_argument, NULL, 't'}, {"attempts", required_argument, NULL, 'a'},
		{"repeats", required_argument, NULL, 'r'}, {"quick", no_argument, NULL, 'q'},
		{"seed", required_argument, NULL, 'S'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "s:t:a:r:qh", names, NULL)) != -1) {
		if (c == 's')
			parse_sizes(o, optarg);
		else if (c == 't')
			o->plan.seconds =
				parse_number(optarg, 0.05, 60, "--trial takes 0.05..60 seconds");
		else if (c == 'a')
			o->plan.attempts =
				(unsigned)parse_number(optarg, 1, 10, "--attempts takes 1..10");
		else if (c == 'r')
			o->plan.repeats =
				(unsigned)parse_number(optarg, 1, 15, "--repeats takes 1..15");
		else if (c == 'q')
			*o = (struct options){{100000}, 1, {0.03, 0.1, 3, 3}, o->json, o->seed};
		else if (c == 'S')
			o->seed = strtoull(optarg, NULL, 10);
		else if (c == 'j')
			o->json = true;
		else {
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind < argc)
		misused("there is nothing to name beside options");
}

int main(int argc, char **argv)
{
	struct options o = {{1000, 100000, 1000000, 10000000}, 4, {0.01, 1, 3, 5}, false, 1};
	cpu_set_t usable;
	int status = 0;

	parse(&o, argc, argv);
	if (sched_getaffinity(0, sizeof usable, &usable) != 0 || CPU_COUNT(&usable) < NEEDS_CPUS) {
		puts("bench-rfc9693: skipped: tester and device need a CPU each");
		return EXIT_SKIPPED;
	}
	if (!o.json)
		printf("%10s  %-14s %14s  %-14s %s\n", "mappings", "measurement", "value", "unit",
			"validated");
	for (unsigned i = 0; i < o.n_sizes; i++)
		status |= measure_apart(&o, o.sizes[i]);
	return status;
}
