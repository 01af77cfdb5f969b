// SPDX-License-Identifier: Apache-2.0
// measure.h - cycles of the time stamp counter, and what is said of several runs.
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

enum {
	MEASURE_MOST = 99
};

struct samples { // cycles per item of each run: the whole, and the null pipeline's beside it
	unsigned n;
	double raw[MEASURE_MOST], null[MEASURE_MOST], net[MEASURE_MOST];
};

struct figure {
	double median, p10; // net
	double raw, null;   // medians
};

void measure_add(struct samples *s, double raw, double null);
struct figure measure_settle(struct samples *s); // sorts; all zero when there is no sample
struct figure measure_sum(struct figure a, struct figure b);

static inline uint64_t cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
#error "bench reads the x86 time stamp counter"
#endif
}

double cycles_per_ns(void); // measured once, against the monotonic clock

#endif
