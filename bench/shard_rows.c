// SPDX-License-Identifier: Apache-2.0
// What bench-shard says: a table for people, or one JSON object a line.
#include "shard.h"

#include <unistd.h>

static bool progress_shown;

void rows_begin(const struct options *o)
{
	if (o->json)
		return;
	printf("TSC %.2f GHz; cycles a packet, net of the null pipeline\n"
	       "%10s  %-24s %8s %8s %8s %8s %8s  %s\n",
		cycles_per_ns(), "mappings", "operation", "cycles", "p10", "raw", "null", "Mops",
		"failed");
}

void rows_progress(const struct bench *b, const char *name)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[Kbench-shard: %u mappings: %s", b->w.n, name);
	progress_shown = true;
}

static void end_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

// With 4 KiB pages on wish it is another operation, to stand beside the ordinary one.
static const char *suffix(const struct options *o)
{
	return o->small_pages ? "-4k" : "";
}

static void begin_json(const struct bench *b, const char *name, const char *part)
{
	printf("{\"bench\":\"shard\",\"operation\":\"%s%s\",\"mappings\":%u", name, suffix(b->o),
		b->w.n);
	if (part != NULL)
		printf(",\"part\":\"%s\"", part);
}

static void end_json(const struct bench *b)
{
	printf(",\"pages\":\"%s\",\"huge_pages\":%s}\n", pages_name(b->w.pages),
		pages_are_huge(b->w.pages) ? "true" : "false");
	fflush(stdout);
}

static double mops_of(double raw)
{
	return raw > 0 ? cycles_per_ns() * 1e3 / raw : 0;
}

static void print_name(const struct bench *b, const char *name)
{
	char whole[40];

	snprintf(whole, sizeof whole, "%s%s", name, suffix(b->o));
	printf("%10u  %-24s ", b->w.n, whole);
}

void rows_figure(struct bench *b, const char *name, struct figure f)
{
	end_progress();
	if (b->o->json) {
		begin_json(b, name, NULL);
		printf(",\"cycles\":%.1f,\"p10\":%.1f,\"raw\":%.1f,\"null\":%.1f,\"mops\":%.3f,"
		       "\"failures\":%llu,\"unit\":\"cycles\"",
			f.median, f.p10, f.raw, f.null, mops_of(f.raw),
			(unsigned long long)b->failures);
		end_json(b);
	} else {
		print_name(b, name);
		printf("%8.1f %8.1f %8.1f %8.1f %8.2f  %llu\n", f.median, f.p10, f.raw, f.null,
			mops_of(f.raw), (unsigned long long)b->failures);
	}
	fflush(stdout);
	*b->all_failures += b->failures;
	b->failures = 0;
}

// Of a figure that is a sum.
void rows_part(struct bench *b, const char *name, const char *part, struct figure f)
{
	end_progress();
	if (b->o->json) {
		begin_json(b, name, part);
		printf(",\"cycles\":%.1f,\"p10\":%.1f,\"raw\":%.1f,\"null\":%.1f,"
		       "\"unit\":\"cycles\"",
			f.median, f.p10, f.raw, f.null);
		end_json(b);
	} else {
		printf("%10s    %-22s %8.1f %8.1f %8.1f %8.1f\n", "", part, f.median, f.p10, f.raw,
			f.null);
	}
}

void rows_share(struct bench *b, const char *name, struct figure f)
{
	double percent = f.median / (cycles_per_ns() * 1e9) * 100;

	end_progress();
	if (b->o->json) {
		begin_json(b, name, NULL);
		printf(",\"value\":%.4f,\"cycles\":%.0f,\"p10\":%.0f,\"unit\":\"percent of a "
		       "core\"",
			percent, f.median, f.p10);
		end_json(b);
	} else {
		print_name(b, name);
		printf("%.4f %% of a core (%.0f cycles a second)\n", percent, f.median);
	}
}

void rows_memory(struct bench *b, const char *name)
{
	double each = (double)b->w.bytes / b->w.n;
	size_t fixed = world_smallest();

	end_progress();
	if (b->o->json) {
		begin_json(b, name, NULL);
		printf(",\"value\":%.1f,\"unit\":\"octets a mapping\",\"bytes\":%zu,"
		       "\"fixed_bytes\":%zu",
			each, b->w.bytes, fixed);
		end_json(b);
	} else {
		print_name(b, name);
		printf("%.1f octets a mapping: %.1f MiB, %.0f %% of it fixed; %s pages\n", each,
			(double)b->w.bytes / (1 << 20), 100.0 * (double)fixed / (double)b->w.bytes,
			pages_name(b->w.pages));
	}
}

void rows_pass(struct bench *b, const char *name, const struct pass *pass)
{
	struct figure f;

	if (!shard_wants(b->o, name))
		return;
	rows_progress(b, name);
	f = pass_measure(b, pass);
	rows_figure(b, name, f);
}

static void print_ratio(const struct options *o, const char *name, uint32_t n, double ratio)
{
	if (o->json)
		printf("{\"bench\":\"shard\",\"operation\":\"%s%s\",\"mappings\":%u,"
		       "\"value\":%.3f,\"unit\":\"ratio\"}\n",
			name, suffix(o), n, ratio);
	else
		printf("%10u  %-24s %.2f of that at 1000 mappings\n", n, name, ratio);
}

// Raw: the null pipeline's share is in both.
void rows_throughput(const struct options *o, double *const throughput[2])
{
	static const char *const names[] = {"raw-throughput-out", "raw-throughput-in"};
	unsigned base = 0;

	while (base < o->n_sizes && o->sizes[base] != 1000)
		base++;
	if (base == o->n_sizes)
		return;
	for (unsigned way = 0; way < 2; way++) {
		for (unsigned i = 0; i < o->n_sizes; i++) {
			if (i != base && throughput[way][i] > 0 && throughput[way][base] > 0)
				print_ratio(o, names[way], o->sizes[i],
					throughput[way][i] / throughput[way][base]);
		}
	}
}
