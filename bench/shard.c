// SPDX-License-Identifier: Apache-2.0
// bench-shard: what one core pays at the shard's door, by table size. Every figure is the whole
// burst path (steering aside) of the very code the daemon runs, less a null pipeline that fetches
// and parses the same packets without giving them to the shard.
#include "shard.h"

static int (*const tables[TABLES])(struct bench *b, uint32_t n) = {
	[TABLE_UDP] = table_udp,
	[TABLE_TCP] = table_tcp,
	[TABLE_LEASES] = table_leases,
	[TABLE_ADF] = table_adf,
	[TABLE_FILTERS] = table_filters,
};

static void warn_of_pages(const struct bench *b)
{
	static bool said;

	if (said || b->o->small_pages || b->w.shard == NULL || pages_are_huge(b->w.pages))
		return;
	said = true;
	fputs("bench-shard: warning: no pages of 2 MiB are free. With 4 KiB pages cold lines cost "
	      "nearly twice as much; 'echo 2304 > "
	      "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages' sets some aside.\n",
		stderr);
}

struct run {
	double out[MAX_SIZES], in[MAX_SIZES]; // throughput
	uint64_t failures;
};

static int run_table(const struct options *o, struct run *run, enum table table, unsigned size)
{
	struct bench b = {.o = o,
		.all_failures = &run->failures,
		.throughput = {run->out, run->in},
		.size = size};
	int error = tables[table](&b, o->sizes[size]);

	warn_of_pages(&b);
	run->failures += b.failures; // of what was done without a figure
	bench_close(&b);
	if (error != 0)
		fprintf(stderr, "bench-shard: no table of %u mappings: %s\n", o->sizes[size],
			strerror(-error));
	return error;
}

static int run_all(const struct options *o, struct run *run)
{
	for (unsigned size = 0; size < o->n_sizes; size++) {
		for (unsigned table = 0; table < TABLES; table++) {
			if (shard_wants_table(o, table) && run_table(o, run, table, size) != 0)
				return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {.sizes = {1000, 100000, 1000000, 10000000, MOST_MAPPINGS},
		.n_sizes = 5,
		.runs = 15,
		.packets = 1000000,
		.seed = 1};
	struct run run = {.failures = 0};

	shard_parse(&o, argc, argv);
	rows_begin(&o);
	if (run_all(&o, &run) != 0)
		return 1;
	if (shard_wants(&o, "raw-throughput"))
		rows_throughput(&o, (double *const[2]){run.out, run.in});
	if (run.failures > 0)
		fprintf(stderr, "bench-shard: %llu packets were not treated as expected\n",
			(unsigned long long)run.failures);
	return run.failures > 0;
}
