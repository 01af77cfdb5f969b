// SPDX-License-Identifier: Apache-2.0
// schedule.h - when to send again: retransmission (RFC 6887 s.8.1.1) and renewal (s.11.2.1).
#ifndef CLIENT_SCHEDULE_H
#define CLIENT_SCHEDULE_H

#include <postern/base.h>

#define NEVER UINT64_MAX

// IRT and MRT of s.8.1.1. MRC and MRD are 0: only the caller gives up.
#define RETRY_FIRST (3 * NS_PER_S)
#define RETRY_LONGEST (1024 * NS_PER_S)
#define RENEWALS_APART (4 * NS_PER_S) // s.11.2.1

// 0..span, in whole milliseconds.
ns schedule_jitter(struct rng *rng, ns span);

// The wait after a transmission, from the one before it (0: this was the first).
ns schedule_retry(struct rng *rng, ns previous);

// When the k-th renewal (1, 2, ..) of a mapping is due that was granted at `granted` for
// `lifetime`, the last request having left at `sent`. NEVER when no renewal fits in before it
// expires.
ns schedule_renewal(struct rng *rng, ns granted, ns lifetime, unsigned k, ns sent);

#endif
