// SPDX-License-Identifier: Apache-2.0
// bench-hash: what finding a mapping costs, in room nat and in DPDK's rte_hash with one entry of 64
// octets for each key, which is how a NAT on that table would be made.
//
// Both stand in memory of the same EAL heap, so both have pages of the same size, and both look up
// the same keys in bursts of 32, taking turns. Keys are drawn anew, at random, for each pass. What
// is not the same favours rte_hash: its keys get the cheapest hash there is (CRC32C, which is not
// keyed), computed once and passed on, its entry is only read, and nothing in it ages; a look-up of
// ours also refreshes the mapping, in a new second each pass.
#include "hash.h"

#include <rte_eal.h>
#include <rte_malloc.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MAX_RUNS = 31,
	MAX_SIZES = 8,
	LARGEST = 16515072,
	HUGE_MIB = 2,
	EAL_ARGS = 16
};

struct options {
	uint32_t sizes[MAX_SIZES];
	unsigned n_sizes, runs;
	bool json, huge;
	uint64_t seed;
};

// ---- measuring -------------------------------------------------------------------------------

enum {
	NULL_NAT,
	NAT,
	NULL_HASH,
	HASH,
	HASH_ENTRY,
	KINDS
};

struct direction {
	const char *name;
	pass_fn *passes[KINDS];
	place_fn *key, *value;
};

static const struct direction directions[] = {
	{"in2out-find", {pass_null_out, pass_nat_out, pass_null_hash, pass_hash, pass_hash_entry},
		inside_place, outside_place},
	{"out2in-find", {pass_null_in, pass_nat_in, pass_null_hash, pass_hash, pass_hash_entry},
		outside_place, inside_place}};

struct runs { // cycles per look-up of each run
	double raw[KINDS][MAX_RUNS], net[KINDS][MAX_RUNS], ratio[MAX_RUNS];
};

static void draw(struct bench *b, const struct direction *d)
{
	b->now_s += 5;
	b->expected = 0;
	for (uint32_t i = 0; i < PASS; i++) {
		b->drawn[i] = b->pairs[rng_below(&b->rng, b->n)];
		b->places[i] = d->key(&b->drawn[i]);
		struct place value = d->value(&b->drawn[i]);
		b->expected += worth(value.addr, value.port);
	}
}

// False when a look-up did not find what stands there.
static bool run_once(struct bench *b, const struct direction *d, struct runs *all, unsigned r)
{
	bool right = true;

	draw(b, d);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		bool null = kind == NULL_NAT || kind == NULL_HASH;
		uint64_t sum;
		all->raw[kind][r] = (double)d->passes[kind](b, &sum) / PASS;
		right &= null || sum == b->expected;
	}
	for (unsigned kind = 0; kind < KINDS; kind++) {
		unsigned null = kind <= NAT ? NULL_NAT : NULL_HASH;
		all->net[kind][r] = all->raw[kind][r] - all->raw[null][r];
	}
	all->ratio[r] = all->net[HASH_ENTRY][r] / all->net[NAT][r];
	return right;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double part(double *list, unsigned n, unsigned tenths)
{
	qsort(list, n, sizeof *list, compare);
	return list[n * tenths / 10];
}

static void print_rows(
	const struct options *o, uint32_t n, const struct direction *d, struct runs *all)
{
	static const char *const names[KINDS] = {
		[NAT] = "postern", [HASH] = "rte_hash", [HASH_ENTRY] = "rte_hash-entry"};
	double ratio = part(all->ratio, o->runs, 5);

	for (unsigned kind = 0; kind < KINDS; kind++) {
		unsigned null = kind <= NAT ? NULL_NAT : NULL_HASH;
		if (names[kind] == NULL)
			continue;
		double net = part(all->net[kind], o->runs, 5),
		       p10 = part(all->net[kind], o->runs, 1);
		double raw = part(all->raw[kind], o->runs, 5),
		       empty = part(all->raw[null], o->runs, 5);
		if (o->json)
			printf("{\"bench\":\"hash\",\"operation\":\"%s\",\"table\":\"%s\","
			       "\"mappings\":%u,\"cycles\":%.1f,\"p10\":%.1f,\"raw\":%.1f,"
			       "\"null\":%.1f,\"unit\":\"cycles\",\"huge_pages\":%s}\n",
				d->name, names[kind], n, net, p10, raw, empty,
				o->huge ? "true" : "false");
		else
			printf("%10u  %-12s %-16s %8.1f %8.1f %8.1f %8.1f\n", n, d->name,
				names[kind], net, p10, raw, empty);
	}
	if (o->json)
		printf("{\"bench\":\"hash\",\"operation\":\"%s-times-rte_hash-entry\",\"mappings\":"
		       "%u,"
		       "\"value\":%.2f,\"unit\":\"times\",\"huge_pages\":%s}\n",
			d->name, n, ratio, o->huge ? "true" : "false");
	else
		printf("%10u  %-12s %.2f times as fast as rte_hash with an entry\n", n, d->name,
			ratio);
	fflush(stdout);
}

static bool measure(struct bench *b, const struct options *o, const struct direction *d)
{
	struct runs all;
	bool right;

	if (!fill_hash(b, d->key, d->value)) {
		fprintf(stderr, "bench-hash: rte_hash does not take %u keys\n", b->n);
		drop_hash(b);
		return false;
	}
	right = run_once(b, d, &all, 0); // to warm up
	for (unsigned r = 0; r < o->runs; r++)
		right &= run_once(b, d, &all, r);
	drop_hash(b);
	print_rows(o, b->n, d, &all);
	if (!right)
		fprintf(stderr,
			"bench-hash: %s of %u: a look-up found nothing, or another's entry\n",
			d->name, b->n);
	return right;
}

static bool run_size(const struct options *o, uint32_t n)
{
	struct bench b = {.n = n, .now_s = 1000};
	bool right;

	rng_init_u64(&b.rng, o->seed);
	b.pairs = malloc((size_t)n * sizeof *b.pairs);
	b.drawn = malloc(PASS * sizeof *b.drawn);
	b.places = malloc(PASS * sizeof *b.places);
	if (b.pairs == NULL || b.drawn == NULL || b.places == NULL)
		exit(1);
	shuffle(&b);
	right = fill_nat(&b);
	if (!right)
		fprintf(stderr, "bench-hash: the NAT does not take %u mappings\n", n);
	for (unsigned i = 0; right && i < ARRAY_SIZE(directions); i++)
		right = measure(&b, o, &directions[i]);
	rte_free(b.nat);
	free(b.pairs);
	free(b.drawn);
	free(b.places);
	return right;
}

// ---- EAL -------------------------------------------------------------------------------------

static size_t free_huge_megabytes(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned long n = 0;

	if (f == NULL || fscanf(f, "%lu", &n) != 1)
		n = 0;
	if (f != NULL)
		fclose(f);
	return n * HUGE_MIB;
}

static int init_eal(bool huge, size_t megabytes)
{
	char line[160], *args[EAL_ARGS], *rest = NULL;
	int n = 0;

	snprintf(line, sizeof line, "bench-hash --no-pci --no-telemetry -l 0 --log-level error ");
	if (huge)
		strcat(line, "--in-memory");
	else
		snprintf(line + strlen(line), sizeof line - strlen(line),
			"--no-huge --no-shconf -m %zu", megabytes);
	for (char *word = strtok_r(line, " ", &rest); word != NULL;
		word = strtok_r(NULL, " ", &rest))
		args[n++] = word;
	args[n] = NULL;
	return rte_eal_init(n, args);
}

static bool start_eal(struct options *o)
{
	size_t most = 0, there = free_huge_megabytes();

	for (unsigned i = 0; i < o->n_sizes; i++)
		most = megabytes_for(o->sizes[i]) > most ? megabytes_for(o->sizes[i]) : most;
	o->huge = there >= most;
	if (!o->huge)
		fprintf(stderr,
			"bench-hash: wants %zu free pages of 2 MiB, %zu are there: 4 KiB pages, "
			"for both tables; cold lines cost nearly twice as much\n",
			most / HUGE_MIB, there / HUGE_MIB);
	if (init_eal(o->huge, most) >= 0)
		return true;
	fprintf(stderr, "bench-hash: EAL does not start with %zu MiB\n", most);
	return false;
}

// EAL makes a directory even when it keeps nothing in it.
static void stop_eal(void)
{
	rmdir(rte_eal_get_runtime_dir());
	rte_eal_cleanup();
}

// ---- options ---------------------------------------------------------------------------------

static const char usage[] =
	"usage: bench-hash [OPTION]...\n"
	"What finding a mapping costs, beside DPDK's rte_hash with an entry of 64 octets.\n"
	"\n"
	"  -s, --sizes LIST    mappings (default 1000,1000000,10000000)\n"
	"  -r, --runs N        interleaved runs, 1..31 (default 15)\n"
	"  -q, --quick         sizes 1000,1000000, 5 runs\n"
	"      --seed N        another order of keys (default 1)\n"
	"      --json          one JSON object a line\n"
	"  -h, --help\n"
	"\n"
	"Each run looks 65536 random keys up in bursts of 32, in each table. cycles: median a\n"
	"look-up, of raw minus null (the same loop without the look-up); p10 likewise.\n"
	"Exit status: 0, 1 when a look-up failed or there was no memory, 2 for bad usage.\n";

static void refuse(const char *why)
{
	fprintf(stderr, "bench-hash: %s\n", why);
	exit(2);
}

static unsigned long number(const char *text, unsigned long least, unsigned long most,
	const char *why, const char **rest)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || n < least || n > most || (rest == NULL && *end != '\0'))
		refuse(why);
	if (rest != NULL)
		*rest = end;
	return n;
}

static void parse_sizes(struct options *o, const char *text)
{
	static const char why[] = "--sizes takes up to 8 numbers from 1000 to 16515072";

	o->n_sizes = 0;
	while (*text != '\0') {
		if (o->n_sizes == MAX_SIZES)
			refuse(why);
		o->sizes[o->n_sizes++] = (uint32_t)number(text, 1000, LARGEST, why, &text);
		if (*text != ',' && *text != '\0')
			refuse(why);
		text += *text == ',';
	}
	if (o->n_sizes == 0)
		refuse(why);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"sizes", required_argument, NULL, 's'},
		{"runs", required_argument, NULL, 'r'}, {"quick", no_argument, NULL, 'q'},
		{"seed", required_argument, NULL, 'S'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "s:r:qh", names, NULL)) != -1) {
		if (c == 's')
			parse_sizes(o, optarg);
		else if (c == 'r')
			o->runs = (unsigned)number(
				optarg, 1, MAX_RUNS, "--runs takes a number from 1 to 31", NULL);
		else if (c == 'q')
			*o = (struct options){{1000, 1000000}, 2, 5, o->json, o->huge, o->seed};
		else if (c == 'S')
			o->seed = number(optarg, 0, ~0ul, "--seed takes a number", NULL);
		else if (c == 'j')
			o->json = true;
		else {
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind < argc)
		refuse("no arguments but options are known; see --help");
}

int main(int argc, char **argv)
{
	struct options o = {{1000, 1000000, 10000000}, 3, 15, false, false, 1};
	bool right = true;

	parse(&o, argc, argv);
	if (!start_eal(&o))
		return 1;
	if (!o.json)
		printf("%10s  %-12s %-16s %8s %8s %8s %8s\n", "mappings", "operation", "table",
			"cycles", "p10", "raw", "null");
	for (unsigned i = 0; right && i < o.n_sizes; i++)
		right = run_size(&o, o.sizes[i]);
	stop_eal();
	return right ? 0 : 1;
}
