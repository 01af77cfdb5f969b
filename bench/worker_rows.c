// SPDX-License-Identifier: Apache-2.0
// What bench-worker found, as a table for people or one JSON object a line.
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double middle(const double *of, unsigned n, double q)
{
	double sorted[MAX_RUNS];

	memcpy(sorted, of, n * sizeof *of);
	qsort(sorted, n, sizeof *sorted, compare);
	return sorted[(unsigned)((double)n * q)];
}

void row_pages(const struct row *w)
{
	if (w->r->huge || w->o->shared->warned)
		return;
	w->o->shared->warned = true;
	fprintf(stderr, "bench-worker: too few 2 MiB pages are free: on 4 KiB pages cold lines "
			"cost nearly twice as much\n");
}

void row_head(const struct options *o)
{
	if (o->json)
		return;
	printf("Room io's loop fed by itself; IPv4 in 64-octet frames, random keys.\n"
	       "cycles: a packet, without the null pipeline's; raw: with it; null: forwarded "
	       "untranslated;\n"
	       "feed: what the bench's own device takes of each.\n"
	       "%2s %9s %-24s %8s %8s %8s %8s %8s %7s  %s\n",
		"w", "mappings", "operation", "cycles", "p10", "raw", "null", "feed", "Mpps",
		"failed");
	fflush(stdout);
}

// What every JSON row begins with.
static void begin(const struct row *w, const char *operation)
{
	printf("{\"bench\":\"worker\",\"operation\":\"%s\",\"workers\":%u,\"mappings\":%u,"
	       "\"huge_pages\":%s",
		operation, w->r->wish.workers, w->mappings, w->r->huge ? "true" : "false");
}

void row_cycles(
	const struct row *w, const char *operation, const struct runs *runs, uint64_t failures)
{
	double net[MAX_RUNS];
	double raw = middle(runs->raw, runs->n, 0.5);
	double mpps = w->r->ticks_per_us / raw * w->r->wish.workers;

	row_pages(w);
	for (unsigned i = 0; i < runs->n; i++)
		net[i] = runs->raw[i] - runs->null[i];
	double cycles = middle(net, runs->n, 0.5), p10 = middle(net, runs->n, 0.1);
	double null = middle(runs->null, runs->n, 0.5), feed = middle(runs->feed, runs->n, 0.5);
	if (w->o->json) {
		begin(w, operation);
		printf(",\"cycles\":%.1f,\"p10\":%.1f,\"raw\":%.1f,\"null\":%.1f,\"feed\":%.1f,"
		       "\"mpps\":%.3f,\"failures\":%llu,\"unit\":\"cycles\"}\n",
			cycles, p10, raw, null, feed, mpps, (unsigned long long)failures);
	} else {
		printf("%2u %9u %-24s %8.1f %8.1f %8.1f %8.1f %8.1f %7.2f  %llu\n",
			w->r->wish.workers, w->mappings, operation, cycles, p10, raw, null, feed,
			mpps, (unsigned long long)failures);
	}
	fflush(stdout);
}

static double us_at(const struct row *w, const struct times *t, double q)
{
	return (double)times_quantile(t, q) / w->r->ticks_per_us;
}

void row_times(const struct row *w, const char *operation, const char *what, const struct times *t,
	double seconds)
{
	double p50 = us_at(w, t, 0.5), p99 = us_at(w, t, 0.99), p999 = us_at(w, t, 0.999);
	double most = (double)t->most / w->r->ticks_per_us;
	double above = (double)times_above(t, (uint64_t)(20 * w->r->ticks_per_us)) / seconds;
	char name[64];

	row_pages(w);
	if (w->o->json) {
		begin(w, operation);
		printf(",\"what\":\"%s\",\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.1f,"
		       "\"n\":%llu,\"over_20us_per_s\":%.2f,\"seconds\":%.2f,\"value\":%.3f,"
		       "\"unit\":\"us\"}\n",
			what, p50, p99, p999, most, (unsigned long long)t->n, above, seconds, p999);
	} else {
		snprintf(name, sizeof name, "%s/%s", operation, what);
		printf("%2u %9u %-24s p50 %.2f, p99 %.2f, p99.9 %.2f, max %.1f us; over 20 us: "
		       "%.1f/s (%llu in %.1f s)\n",
			w->r->wish.workers, w->mappings, name, p50, p99, p999, most, above,
			(unsigned long long)t->n, seconds);
	}
	fflush(stdout);
}

void row_value(const struct row *w, const char *operation, double value, const char *unit,
	const char *remark)
{
	row_pages(w);
	if (w->o->json) {
		begin(w, operation);
		printf(",\"value\":%.4f,\"unit\":\"%s\",\"remark\":\"%s\"}\n", value, unit, remark);
	} else {
		printf("%2u %9u %-24s %.3f %s%s%s\n", w->r->wish.workers, w->mappings, operation,
			value, unit, remark[0] ? ": " : "", remark);
	}
	fflush(stdout);
}
