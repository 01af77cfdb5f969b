// SPDX-License-Identifier: Apache-2.0
// bench-shard: what one core pays at the shard's door, by table size. Every figure is the whole
// burst path (steering aside) of the very code the daemon runs, less a null pipeline that makes
// and parses the same packets without giving them to the shard.
#include "bench.h"

#include <getopt.h>
#include <stdlib.h>

enum {
	MAX_RUNS = 15,
	MAX_SIZES = 8
};

struct options {
	uint32_t sizes[MAX_SIZES];
	unsigned n_sizes, runs;
	uint32_t packets; // a run
	bool json;
	uint64_t seed;
};

struct figure { // cycles per packet
	double median, p10, raw, null;
	uint64_t failures; // packets that did not get the verdict expected
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// Gives `count` packets about pairs[order(i)] to the shard, or only makes them.
static uint64_t pass(struct world *w, enum feed feed, uint32_t first, uint32_t count, bool random,
	bool null, enum verdict expected, uint64_t *failures)
{
	struct pkt packets[SHARD_BURST];
	enum verdict verdicts[SHARD_BURST];
	uint64_t start = cycles();

	for (uint32_t at = 0; at < count; at += SHARD_BURST) {
		unsigned n = min_u32(SHARD_BURST, count - at);
		uint32_t of[SHARD_BURST];

		for (unsigned i = 0; i < n; i++) {
			of[i] = random ? rng_below(&w->rng, w->n) : first + at + i;
			__builtin_prefetch(&w->pairs[of[i]]);
		}
		for (unsigned i = 0; i < n; i++)
			feed_packet(w, &packets[i], &w->pairs[of[i]], feed);
		if (null)
			continue;
		shard_run(w->shard, w->conf, w->now, packets, verdicts, n, &w->sink);
		for (unsigned i = 0; i < n; i++) {
			*failures += verdicts[i] != expected;
			if (feed == FEED_OUT) {
				w->pairs[of[i]].external = packets[i].src;
				w->pairs[of[i]].external_port = packets[i].sport;
			} else if (feed == FEED_MAP && verdicts[i] == VERDICT_REPLY) {
				*failures += feed_granted_lifetime(&packets[i]) == 0;
			}
		}
	}
	return cycles() - start;
}

struct runs { // cycles per packet of each run
	double net[MAX_RUNS], raw[MAX_RUNS], null[MAX_RUNS];
};

// A null and a real pass over the same packets, as run r.
static void run_both(struct world *w, struct runs *all, unsigned r, enum feed feed, uint32_t first,
	uint32_t count, bool random, enum verdict expected, uint64_t *failures)
{
	uint64_t ignored = 0;
	uint64_t null = pass(w, feed, first, count, random, true, expected, &ignored);
	uint64_t raw = pass(w, feed, first, count, random, false, expected, failures);

	all->null[r] = (double)null / count;
	all->raw[r] = (double)raw / count;
	all->net[r] = all->raw[r] - all->null[r];
}

static void summarize(struct runs *all, unsigned n, struct figure *f)
{
	qsort(all->net, n, sizeof *all->net, compare);
	qsort(all->raw, n, sizeof *all->raw, compare);
	qsort(all->null, n, sizeof *all->null, compare);
	f->median = all->net[n / 2];
	f->p10 = all->net[n / 10];
	f->raw = all->raw[n / 2];
	f->null = all->null[n / 2];
}

// Hits: the same mappings again and again, null and real passes taking turns.
static struct figure measure_hits(
	struct world *w, const struct options *o, enum feed feed, enum verdict expected)
{
	struct figure f = {0};
	struct runs all;

	pass(w, feed, 0, o->packets, true, false, expected, &f.failures);
	for (unsigned r = 0; r < o->runs; r++)
		run_both(w, &all, r, feed, 0, o->packets, true, expected, &f.failures);
	summarize(&all, o->runs, &f);
	return f;
}

// Creates fill the table once, so the runs are its slices; the figure is of the last quarter.
static struct figure measure_fill(
	struct world *w, const struct options *o, enum feed feed, enum verdict expected)
{
	uint32_t most = w->n - w->n / 4, slice = max_u32(w->n / 4 / o->runs, 1);
	struct figure f = {0};
	struct runs all;

	pass(w, feed, 0, most, false, false, expected, &f.failures);
	for (unsigned r = 0; r < o->runs; r++) {
		uint32_t first = most + r * slice;
		uint32_t count = r + 1 == o->runs ? w->n - first : slice;

		run_both(w, &all, r, feed, first, count, false, expected, &f.failures);
	}
	summarize(&all, o->runs, &f);
	return f;
}

// Time passes until everything is due; then the background work empties the table. Cycles per
// mapping, sweeps over lines and hold-down included.
static struct figure measure_expiry(struct world *w, uint32_t after_s)
{
	const struct nat_counters *n = shard_nat_counters(w->shard);
	struct figure f = {0};
	uint64_t start, before = n->mappings;

	w->now += after_s * NS_PER_S;
	start = cycles();
	for (unsigned second = 0; n->mappings > 0 && second < 60; second++) {
		while (shard_step(w->shard, w->conf, w->now, &w->sink))
			;
		w->now += NS_PER_S;
	}
	f.raw = f.median = f.p10 = (double)(cycles() - start) / (double)before;
	f.failures = n->mappings;
	return f;
}

static void print_figure(const struct options *o, uint32_t n, const char *name, struct figure f)
{
	double mops = f.raw > 0 ? cycles_per_ns() * 1e3 / f.raw : 0;

	if (o->json)
		printf("{\"mappings\":%u,\"operation\":\"%s\",\"cycles\":%.1f,\"p10\":%.1f,"
		       "\"raw\":%.1f,\"null\":%.1f,\"mops\":%.3f,\"failures\":%llu}\n",
			n, name, f.median, f.p10, f.raw, f.null, mops,
			(unsigned long long)f.failures);
	else
		printf("%10u  %-16s %8.1f %8.1f %8.1f %8.1f %8.2f  %llu\n", n, name, f.median,
			f.p10, f.raw, f.null, mops, (unsigned long long)f.failures);
	fflush(stdout);
}

static void print_memory(const struct options *o, const struct world *w, const char *kind)
{
	double each = (double)w->bytes / w->n;

	if (o->json)
		printf("{\"mappings\":%u,\"operation\":\"memory-%s\",\"bytes_per_mapping\":%.1f,"
		       "\"bytes\":%zu,\"huge_pages\":%s}\n",
			w->n, kind, each, w->bytes, w->huge ? "true" : "false");
	else
		printf("%10u  memory, %s: %.1f octets a mapping (%zu MiB in all, %s pages)\n", w->n,
			kind, each, w->bytes >> 20, w->huge ? "2 MiB" : "4 KiB");
}

static int run_implicit(const struct options *o, uint32_t n, uint64_t *failures)
{
	struct world w;
	struct figure f;
	int error = world_open(&w, n, false, o->seed);

	if (error != 0)
		return error;
	f = measure_fill(&w, o, FEED_OUT, VERDICT_PASS);
	print_figure(o, n, "implicit-create", f);
	*failures += f.failures;
	f = measure_hits(&w, o, FEED_OUT, VERDICT_PASS);
	print_figure(o, n, "in2out-hit", f);
	*failures += f.failures;
	f = measure_hits(&w, o, FEED_IN, VERDICT_PASS);
	print_figure(o, n, "out2in-hit", f);
	*failures += f.failures;
	f = measure_expiry(&w, 400);
	print_figure(o, n, "implicit-expire", f);
	*failures += f.failures;
	print_memory(o, &w, "implicit");
	world_close(&w);
	return 0;
}

static int run_explicit(const struct options *o, uint32_t n, uint64_t *failures)
{
	struct world w;
	struct figure f;
	int error = world_open(&w, n, true, o->seed);

	if (error != 0)
		return error;
	f = measure_fill(&w, o, FEED_MAP, VERDICT_REPLY);
	print_figure(o, n, "pcp-map-create", f);
	*failures += f.failures;
	f = measure_hits(&w, o, FEED_MAP, VERDICT_REPLY);
	print_figure(o, n, "pcp-map-renew", f);
	*failures += f.failures;
	f = measure_expiry(&w, 3700);
	print_figure(o, n, "explicit-expire", f);
	*failures += f.failures;
	print_memory(o, &w, "explicit");
	world_close(&w);
	return 0;
}

static const char usage[] =
	"usage: bench-shard [OPTION]...\n"
	"Cycles at the shard's door, by table size, one core, no EAL.\n"
	"\n"
	"  -s, --sizes LIST    mappings, e.g. 1000,1000000 (default 1000,1000000,10000000)\n"
	"  -r, --runs N        interleaved runs, 1..15 (default 15)\n"
	"  -p, --packets N     packets a run (default 1000000)\n"
	"  -q, --quick         sizes 1000,100000, 3 runs of 50000 packets\n"
	"      --seed N        another order of keys (default 1)\n"
	"      --json          one JSON object a line\n"
	"  -h, --help\n"
	"\n"
	"cycles: median of raw minus null; p10 likewise; raw and null: medians; Mops: per core,\n"
	"raw. failed: packets that did not get the answer expected (exit 1 when there are any).\n";

static void parse_sizes(struct options *o, const char *text)
{
	char *end;

	o->n_sizes = 0;
	while (*text != '\0' && o->n_sizes < MAX_SIZES) {
		unsigned long n = strtoul(text, &end, 10);
		if (end == text || n < 100 || n > 16515072) {
			fprintf(stderr,
				"bench-shard: --sizes takes numbers from 100 to 16515072\n");
			exit(2);
		}
		o->sizes[o->n_sizes++] = (uint32_t)n;
		text = *end == ',' ? end + 1 : end;
	}
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"sizes", required_argument, NULL, 's'},
		{"runs", required_argument, NULL, 'r'}, {"packets", required_argument, NULL, 'p'},
		{"quick", no_argument, NULL, 'q'}, {"seed", required_argument, NULL, 'S'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "s:r:p:qh", names, NULL)) != -1) {
		if (c == 's')
			parse_sizes(o, optarg);
		else if (c == 'r')
			o->runs =
				min_u32(MAX_RUNS, max_u32(1, (uint32_t)strtoul(optarg, NULL, 10)));
		else if (c == 'p')
			o->packets = max_u32(1000, (uint32_t)strtoul(optarg, NULL, 10));
		else if (c == 'q')
			*o = (struct options){{1000, 100000}, 2, 3, 50000, o->json, o->seed};
		else if (c == 'S')
			o->seed = strtoull(optarg, NULL, 10);
		else if (c == 'j')
			o->json = true;
		else {
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options o = {{1000, 1000000, 10000000}, 3, MAX_RUNS, 1000000, false, 1};
	uint64_t failures = 0;

	parse(&o, argc, argv);
	if (!o.json)
		printf("TSC %.2f GHz; IPv4 packets of 46 octets, hot headers, random keys\n"
		       "%10s  %-16s %8s %8s %8s %8s %8s  %s\n",
			cycles_per_ns(), "mappings", "operation", "cycles", "p10", "raw", "null",
			"Mops", "failed");
	for (unsigned i = 0; i < o.n_sizes; i++) {
		int error = run_implicit(&o, o.sizes[i], &failures);
		if (error == 0)
			error = run_explicit(&o, o.sizes[i], &failures);
		if (error != 0) {
			fprintf(stderr, "bench-shard: %u mappings: %s\n", o.sizes[i],
				strerror(-error));
			return 1;
		}
	}
	return failures == 0 ? 0 : 1;
}
