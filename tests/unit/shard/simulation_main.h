// SPDX-License-Identifier: Apache-2.0
// simulation_main.h - the arguments of a simulation: SEED [AMOUNT [SHARDS]].
#ifndef TEST_SHARD_SIMULATION_MAIN_H
#define TEST_SHARD_SIMULATION_MAIN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct simulation_course {    // unless the arguments say otherwise
	uint64_t amount;      // of packets or requests
	unsigned first, last; // shards: a run with each number of them
	void (*run)(uint64_t seed, uint64_t amount, unsigned n_workers);
};

static inline int simulation_main(int argc, char **argv, struct simulation_course course)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 6887;

	if (argc > 2)
		course.amount = strtoull(argv[2], NULL, 0);
	if (argc > 3)
		course.first = course.last = (unsigned)strtoul(argv[3], NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %lu\n", (unsigned long)seed);
	for (unsigned n = course.first; n <= course.last; n++)
		course.run(seed, course.amount, n);
	return 0;
}

#endif
