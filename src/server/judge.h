// SPDX-License-Identifier: Apache-2.0
// judge.h - one request on its way through the judgement, and the two judges that follow the door.
#ifndef SERVER_JUDGE_H
#define SERVER_JUDGE_H

#include <postern/server.h>

struct question {
	struct nat *nat;
	const struct nat_policy *nat_policy;
	const struct server_policy *policy;
	const struct server_asker *asker;
	struct server_counters *counters;
	uint32_t now_s;

	struct pcp_message m; // the request; a judge that grants it writes the assigned fields
	bool parsed;          // its option list was walked to the end (octets 12..23 of an error)
	bool prefer_failure;  // the option is there, once, and makes sense
	uint32_t lifetime_s;  // of the answer, whatever it is
};

// The answer is `why`, with the lifetime RFC 6887 s.7.4 recommends or with one known better.
static inline enum pcp_result refuse(struct question *q, enum pcp_result why)
{
	q->lifetime_s = pcp_result_lifetime_s(why);
	return why;
}

static inline enum pcp_result refuse_for(
	struct question *q, enum pcp_result why, uint32_t lifetime_s)
{
	q->lifetime_s = lifetime_s;
	return why;
}

// s.7.3: walks the list, then judges option by option in packet order. Changes no mapping.
enum pcp_result judge_options(struct question *q, const uint8_t *msg, size_t len);

// s.11.3, s.15: creates, renews, deletes. Any result but PCP_SUCCESS left everything as it was.
enum pcp_result judge_map(struct question *q);

#endif
