// SPDX-License-Identifier: Apache-2.0
// Who gets which memory, and whether there is enough: worked out before any of it is taken.
// Ordinary memory is handed out by the kernel whether it is there or not, and whoever fills it
// later is killed; so the daemon looks first.
#ifndef IO_PAGES_H
#define IO_PAGES_H

#include "eal.h"

struct pages { // of 2 MiB
	uint64_t free, eal, shards;
	bool eal_huge, shards_huge;
};

struct pages pages_plan(const struct conf *c, const struct eal_plan *plan, uint64_t n_free);
// Octets of ordinary memory that shards and packet buffers need.
uint64_t pages_ordinary(const struct conf *c, const struct eal_plan *plan, const struct pages *p);
// Says what goes without huge pages; -ENOMEM, with the reason in the log, where they are required
// or the ordinary memory `available` (0: not known) is too little for the rest.
MUST_CHECK int pages_judge(const struct log *log, const struct conf *c, const struct eal_plan *plan,
	const struct pages *p, uint64_t available);

#endif
