// SPDX-License-Identifier: Apache-2.0
// One place that the NAT log goes to: a batch that fills, and what became of the batches before.
#ifndef NATLOG_TARGET_H
#define NATLOG_TARGET_H

#include "ipfix.h"
#include "sink.h"
#include "syslog.h"

enum {
	TARGET_FILE_BATCH = 64 << 10, // octets that wait for a file
};

#define TARGET_RETRY NS_PER_S // a target that failed is tried again after so long

struct moment {
	ns now;          // monotonic
	uint64_t now_ms; // UTC
};

struct target {
	struct conf_log conf;
	int fd;    // -1: not open
	int error; // of the last attempt, as errno
	bool keep; // log_fail_closed: what cannot be sent stays

	struct ipfix *ipfix; // or NULL
	uint8_t *batch;      // of IPFIX: its message, once finished
	size_t length, room;
	uint32_t records; // in the batch
	uint64_t told;    // losses that the batch tells
	ns since;         // when the batch began; 0: there is nothing in it
	ns retry_at;      // after a failure: when to try again
	bool held;        // the batch could not be written, and stays
	bool skip;        // there is no room for the event that is being written
	char *line;       // that event, encoded; NULL of IPFIX
	size_t line_length;

	uint32_t sequence;     // of syslog messages: 1..2147483647
	uint32_t last_records; // of the datagram before, in case it is refused
	uint64_t untold;       // losses that the log does not tell yet
	ns templates_at;       // when templates are due
	struct natlog_counters counters;
};

// 0 or -ENOMEM. A target that cannot be opened now is one all the same.
MUST_CHECK int target_init(struct target *t, const struct conf_log *conf, bool keep,
	uint64_t started_ms, struct moment m);
void target_fini(struct target *t);                    // what waits was flushed before, or is lost
void target_reopen(struct target *t, struct moment m); // a file that may have been rotated

// Makes room for the event. False: it cannot be taken now, with `keep` alone.
bool target_prepare(
	struct target *t, const struct natlog_event *e, const char *host, struct moment m);
void target_commit(struct target *t, const struct natlog_event *e, struct moment m);
void target_poll(struct target *t, const char *host, ns wait, struct moment m);
void target_flush(struct target *t, struct moment m);

#endif
