// SPDX-License-Identifier: Apache-2.0
// bench-worker: what the production loop costs, and what background work does to it. Room io runs
// as in the daemon, fed by a device that recycles what the workers send. EAL starts once in a
// process, so each scene is a child.
#include "worker.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAPPINGS_MOST = 16515072
};

static const struct scene {
	const char *name, *sentence;
	scene_play *play;
	bool each_size; // else once, with --storm mappings
} scenes[] = {
	{"hits", "cycles a packet of one worker, in2out, out2in and both", scene_hits, true},
	{"scaling", "two workers by one", scene_scaling, true},
	{"handoff", "0, 1 and 50 % of packets for the other worker", scene_handoff, true},
	{"implicit-storm", "implicit mappings fall due at once", scene_implicit_storm, false},
	{"explicit-storm", "leases fall due at once", scene_explicit_storm, false},
	{"apply", "configurations are applied", scene_apply, false},
	{"reset", "a group loses its leases; clients ask for them again", scene_reset, false},
	{"fill", "--subscribers hosts with 63 ports each, none lost", scene_fill, false},
	{"latency", "PCP at 70 % of the worker's capacity", scene_latency, false},
};

static void print_usage(FILE *to)
{
	fputs("usage: bench-worker [OPTION]...\n"
	      "What the daemon's own loop takes of a core, fed by itself: no NIC, no second "
	      "machine.\n"
	      "\n"
	      "  -s, --sizes LIST     mappings, e.g. 1000,1000000 (default 1000,1000000,10000000)\n"
	      "  -r, --runs N         interleaved runs, 1..15 (default 15)\n"
	      "  -p, --packets N      packets a run (default 1000000)\n"
	      "      --storm N        mappings in background scenes (default 10000000)\n"
	      "      --subscribers N  hosts of the fill (default 262144)\n"
	      "  -o, --only SCENE     one of those below\n"
	      "  -q, --quick          sizes 1000,100000; 3 runs of 50000 packets; storms of "
	      "100000\n"
	      "      --seed N         another order of keys (default 1)\n"
	      "      --json           one JSON object a line\n"
	      "  -h, --help\n"
	      "\n"
	      "Scenes:\n",
		to);
	for (unsigned i = 0; i < ARRAY_SIZE(scenes); i++)
		fprintf(to, "  %-16s %s\n", scenes[i].name, scenes[i].sentence);
	fputs("\n"
	      "Needs 2 CPUs; 2 MiB pages where there are any (the whole table takes some 5 GiB).\n"
	      "Exit: 0 every packet went where it should, 1 not, 2 usage.\n",
		to);
}

_Noreturn static void refuse(const char *option, const char *wanted)
{
	fprintf(stderr, "bench-worker: %s takes %s; see --help\n", option, wanted);
	exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char *end, wanted[64];
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end != text && *end == '\0' && *text != '-' && errno == 0 && n >= least && n <= most)
		return n;
	snprintf(wanted, sizeof wanted, "a number from %llu to %llu", (unsigned long long)least,
		(unsigned long long)most);
	refuse(option, wanted);
}

static void parse_sizes(struct options *o, char *text)
{
	o->n_sizes = 0;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		if (o->n_sizes == MAX_SIZES)
			refuse("--sizes", "at most 8 numbers");
		o->sizes[o->n_sizes++] = (uint32_t)number("--sizes", word, 1000, MAPPINGS_MOST);
	}
	if (o->n_sizes == 0)
		refuse("--sizes", "numbers such as 1000,1000000");
}

static void parse_only(struct options *o, const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(scenes); i++) {
		if (!strcmp(scenes[i].name, name))
			o->only = scenes[i].name;
	}
	if (!o->only)
		refuse("--only", "the name of a scene");
}

static void be_quick(struct options *o)
{
	o->sizes[0] = 1000;
	o->sizes[1] = 100000;
	o->n_sizes = 2;
	o->runs = 3;
	o->frames = 50000;
	o->storm = 100000;
	o->subscribers = 2048;
	o->pause_s = 0.2;
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"sizes", required_argument, NULL, 's'},
		{"runs", required_argument, NULL, 'r'}, {"packets", required_argument, NULL, 'p'},
		{"storm", required_argument, NULL, 't'},
		{"subscribers", required_argument, NULL, 'u'},
		{"only", required_argument, NULL, 'o'}, {"quick", no_argument, NULL, 'q'},
		{"seed", required_argument, NULL, 'S'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "s:r:p:o:qh", names, NULL)) != -1) {
		if (c == 's')
			parse_sizes(o, optarg);
		else if (c == 'r')
			o->runs = (unsigned)number("--runs", optarg, 1, MAX_RUNS);
		else if (c == 'p')
			o->frames = (uint32_t)number("--packets", optarg, 1000, 1000000000);
		else if (c == 't')
			o->storm = (uint32_t)number("--storm", optarg, 1000, MAPPINGS_MOST);
		else if (c == 'u')
			o->subscribers = (uint32_t)number(
				"--subscribers", optarg, 16, MAPPINGS_MOST / HOST_PORTS);
		else if (c == 'o')
			parse_only(o, optarg);
		else if (c == 'q')
			be_quick(o);
		else if (c == 'S')
			o->seed = number("--seed", optarg, 0, UINT64_MAX);
		else if (c == 'j')
			o->json = true;
		else {
			print_usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "bench-worker: \"%s\": there are options only; see --help\n",
			argv[optind]);
		exit(2);
	}
}

// ---- scenes ----------------------------------------------------------------------------------

static void tell_progress(const struct scene *s, uint32_t size)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "bench-worker: %s, %u mappings ...\n", s->name, size);
}

static int play_here(const struct scene *s, const struct options *o, uint32_t size)
{
	uint64_t failures = 0;
	int error = s->play(o, size, &failures);

	if (error == 0 && failures > 0)
		fprintf(stderr, "bench-worker: %s, %u mappings: %llu failures\n", s->name, size,
			(unsigned long long)failures);
	return error || failures > 0;
}

static bool play(const struct scene *s, const struct options *o, uint32_t size)
{
	int status;

	tell_progress(s, size);
	fflush(stdout);
	pid_t child = fork();
	if (child < 0) {
		perror("bench-worker: fork");
		return false;
	}
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM); // workers that poll must not outlive us
		exit(play_here(s, o, size));
	}
	if (waitpid(child, &status, 0) != child)
		return false;
	if (WIFSIGNALED(status))
		fprintf(stderr, "bench-worker: %s, %u mappings: ended by signal %d\n", s->name,
			size, WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool play_sizes(const struct scene *s, const struct options *o)
{
	bool ok = true;

	if (!s->each_size)
		return play(s, o, o->storm);
	for (unsigned i = 0; i < o->n_sizes; i++)
		ok &= play(s, o, o->sizes[i]);
	return ok;
}

// How the raw rate falls as tables grow, by that of the smallest.
static void tell_growth(const struct options *o)
{
	const struct rig none = {.wish.workers = 1, .huge = !o->shared->warned};

	for (unsigned i = 1; i < o->n_sizes; i++) {
		struct row row = {o, &none, o->sizes[i]};

		if (o->shared->raw[0] > 0 && o->shared->raw[i] > 0)
			row_value(&row, "raw-by-smallest", o->shared->raw[0] / o->shared->raw[i],
				"x", "raw in2out rate, hot frames");
	}
}

int main(int argc, char **argv)
{
	struct options o = {{1000, 1000000, 10000000}, 3, MAX_RUNS, 1000000, 10000000, 262144, 1.0,
		NULL, false, 1, NULL};
	bool ok = true;

	parse(&o, argc, argv);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		fprintf(stderr,
			"bench-worker: one CPU only: two workers share it, and control too\n");
	o.shared = mmap(
		NULL, sizeof *o.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o.shared == MAP_FAILED) {
		perror("bench-worker: mmap");
		return 1;
	}
	row_head(&o);
	for (unsigned i = 0; i < ARRAY_SIZE(scenes); i++) {
		if (!o.only || o.only == scenes[i].name)
			ok &= play_sizes(&scenes[i], &o);
	}
	tell_growth(&o);
	return ok ? 0 : 1;
}
