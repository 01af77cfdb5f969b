// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

#include <stdlib.h>
#include <time.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void measure_add(struct samples *s, double raw, double null)
{
	if (s->n == MEASURE_MOST)
		return;
	s->raw[s->n] = raw;
	s->null[s->n] = null;
	s->net[s->n++] = raw - null;
}

struct figure measure_settle(struct samples *s)
{
	if (s->n == 0)
		return (struct figure){0};
	qsort(s->net, s->n, sizeof *s->net, compare);
	qsort(s->raw, s->n, sizeof *s->raw, compare);
	qsort(s->null, s->n, sizeof *s->null, compare);
	return (struct figure){
		s->net[s->n / 2], s->net[s->n / 10], s->raw[s->n / 2], s->null[s->n / 2]};
}

struct figure measure_sum(struct figure a, struct figure b)
{
	return (struct figure){a.median + b.median, a.p10 + b.p10, a.raw + b.raw, a.null + b.null};
}

double cycles_per_ns(void)
{
	static double rate;
	struct timespec a, b;
	uint64_t from, to;
	double span;

	if (rate > 0)
		return rate;
	clock_gettime(CLOCK_MONOTONIC, &a);
	from = cycles();
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		to = cycles();
		span = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
	} while (span < 50e6);
	rate = (double)(to - from) / span;
	return rate;
}
