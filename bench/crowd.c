// SPDX-License-Identifier: Apache-2.0
// bench-crowd: what a million clients do to the server that has lost its state, and how long it
// takes until each of them has its mappings back.
#include <stdlib.h>

#include "crowd.h"

// By which those who know no pacing may delay the others.
#define TOLERANCE_S 1.0

static bool is_later(
	const struct options *o, const struct outcome *with, const struct outcome *without)
{
	if (with->whole_50 > without->whole_50 + TOLERANCE_S)
		return true;
	// When the last ones' datagrams come through is chance where some are lost.
	return o->loss == 0 && (with->whole_99 > without->whole_99 + TOLERANCE_S ||
				       with->whole_100 > without->whole_100 + TOLERANCE_S);
}

int main(int argc, char **argv)
{
	struct options o = {.clients = 100000,
		.mappings = 2,
		.seed = 1,
		.ramp_s = 120,
		.lifetime_s = 600,
		.pace_ms = 500,
		.again_ms = 50,
		.request_rate = 10};
	struct outcome outcomes[CROWD_ACTS] = {0};
	bool bad = false;

	crowd_parse(&o, argc, argv);
	rows_begin(&o);
	for (unsigned i = 0; i < CROWD_ACTS; i++) {
		int error = o.wanted[i] ? act_run(&o, &crowd_acts[i], &outcomes[i]) : 0;

		if (error != 0) {
			fprintf(stderr,
				"bench-crowd: no crowd of %u clients with %u mappings each: %s; "
				"fewer --clients need less memory\n",
				o.clients, o.mappings, strerror(-error));
			return 1;
		}
		if (!o.wanted[i])
			continue;
		outcomes[i].later_than_without =
			crowd_acts[i].unpaced > 0 && is_later(&o, &outcomes[i], &outcomes[0]);
		rows_outcome(&o, &outcomes[i]);
		bad |= rows_is_bad(&outcomes[i]);
	}
	return bad;
}
