// SPDX-License-Identifier: Apache-2.0
#include "schedule.h"

ns schedule_jitter(struct rng *rng, ns span)
{
	uint64_t ms = span / NS_PER_MS;

	return ms > UINT32_MAX - 1 ? span : rng_below(rng, (uint32_t)ms + 1) * NS_PER_MS;
}

ns schedule_retry(struct rng *rng, ns previous)
{
	ns wait = previous == 0 ? RETRY_FIRST : 2 * previous;

	if (wait > RETRY_LONGEST)
		wait = RETRY_LONGEST;
	return wait - wait / 10 + schedule_jitter(rng, wait / 5);
}

// At 1/2, 3/4, 7/8 .. of the lifetime, plus up to a quarter of the gap that follows.
ns schedule_renewal(struct rng *rng, ns granted, ns lifetime, unsigned k, ns sent)
{
	ns rest, at;

	if (k >= 32)
		return NEVER;
	rest = lifetime >> k;
	at = granted + lifetime - rest + schedule_jitter(rng, rest / 4);
	if (at < sent + RENEWALS_APART)
		at = sent + RENEWALS_APART;
	return at < granted + lifetime ? at : NEVER;
}
