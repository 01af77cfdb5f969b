// SPDX-License-Identifier: Apache-2.0
// natlog.h - the NAT log: events as IPFIX records, RFC 5424 lines or JSON lines, and where they go.
//
// Owner    the control thread makes every call; packets never wait for this room.
// Threads  none of its own. Sockets never block; a file may, for as long as its disk does.
// Memory   a batch for each target: one datagram, or 64 KiB of a file. GLib, below libfixbuf, ends
//          the process when memory is exhausted; it allocates when a target is opened.
// Time     natlog_poll() brings it, both clocks; nothing here looks at one.
// Losses   what a target could not take is counted, and told in that same log as soon as it can.
// Book     docs/design/natlog.md; RFC 8158, RFC 7011, RFC 5424, RFC 5426, RFC 6888 REQ-12
#ifndef POSTERN_NATLOG_H
#define POSTERN_NATLOG_H

#include <postern/conf.h>

// ---- events ----------------------------------------------------------------------------------

enum natlog_kind {
	NATLOG_NAT,       // `nat` tells what
	NATLOG_LOST,      // `count` events of `worker` never reached control
	NATLOG_POOL_HIGH, // the pool of group nat.group: `usage` percent, `threshold` reached
	NATLOG_POOL_LOW,
	// The mapping table of `worker`, or its subscriber table, which has each one's paired
	// address: `usage` percent, that is nat.limit entries, or more.
	NATLOG_MAPPINGS_HIGH,
	NATLOG_SUBSCRIBERS_HIGH,
	NATLOG_PLAN,    // the plan of group nat.group, from now on or still; NULL: none any more
	NATLOG_STARTED, // nobody has any port now
	NATLOG_STOPPED, // nor from now on, but for what the configuration fixes
	NATLOG_KINDS
};

struct natlog_event {
	uint8_t kind;         // enum natlog_kind
	uint8_t usage;        // POOL_*: percent of the pool's blocks; *_HIGH: of the table
	uint8_t threshold;    // likewise
	uint16_t worker;      // NAT, LOST, MAPPINGS_HIGH, SUBSCRIBERS_HIGH
	uint64_t at_ms;       // UTC, since 1970
	uint64_t sequence;    // NAT: of its worker; LOST: of the first that is missing
	uint64_t count;       // LOST
	uint32_t addresses;   // POOL_*: addresses of the pool
	struct nat_event nat; // other kinds: nat.group, nat.limit
	const char *group;    // its name; NULL: none, or gone
	const char *realm;    // name of the inside interface; likewise
	const struct nat_plan *plan;
	uint32_t ports_most; // PLAN: of one host and protocol, those of the overflow included
};

// "2026-07-01T12:00:00.123Z", always UTC (RFC 3339).
#define NATLOG_TIME 32
char *natlog_time_format(uint64_t ms, char out[NATLOG_TIME]);
// Such a text, with fewer or more decimals, or an offset instead of Z; or whole seconds since 1970.
MUST_CHECK bool natlog_time_parse(const char *text, uint64_t *ms);

// One line of JSON without its end, as the JSON targets get it; to be freed. NULL: no memory.
char *natlog_json(const struct natlog_event *event, bool destinations);

// ---- the log ---------------------------------------------------------------------------------

struct natlog;

struct natlog_setup {
	const char *host;    // RFC 5424 HOSTNAME; borrowed for the call
	uint64_t started_ms; // when the daemon began, UTC
};

MUST_CHECK int natlog_create(const struct natlog_setup *setup, struct natlog **out);
void natlog_destroy(struct natlog *log); // flushes what waits; NULL is fine

// Takes over the targets and log_* leaves of a snapshot: closes what is gone, opens what is new,
// and opens files again (so that a rotated one is let go). A target that cannot be opened is tried
// again every second. Nothing of `conf` is kept.
void natlog_configure(struct natlog *log, const struct conf *conf);

// Gives an event to every target. False, with log_fail_closed alone: some target cannot take it
// now, none has got it, and the caller keeps it until natlog_ready().
bool natlog_write(struct natlog *log, const struct natlog_event *event);
bool natlog_ready(const struct natlog *log); // no target holds up what it was given

// Sends what has waited long enough, sends templates again, tries again what failed. Call every
// 10 ms or sooner.
void natlog_poll(struct natlog *log, ns now, uint64_t now_ms);
void natlog_flush(struct natlog *log); // everything, at once

// ---- for people ------------------------------------------------------------------------------

#define NATLOG_COUNTERS(X)                                                                         \
	X(records, "Records written to the targets of the NAT log.")                               \
	X(datagrams, "Datagrams sent to collectors, templates included.")                          \
	X(octets, "Octets written to targets.")                                                    \
	X(lost, "Records that a target never got, those lost before it included.")                 \
	X(errors, "Attempts to write to a target that failed, or that a collector refused.")

struct natlog_counters { // of one target
#define X(name, sentence) uint64_t name;
	NATLOG_COUNTERS(X)
#undef X
};

struct natlog_target {
	const struct conf_log *conf; // borrowed until the next natlog_configure()
	struct natlog_counters counters;
	uint32_t waiting; // records in its batch
	int error;        // of its last attempt, as errno; 0: it went well
};

unsigned natlog_targets(const struct natlog *log); // how many there are
void natlog_target(const struct natlog *log, unsigned i, struct natlog_target *out);
// Of all targets there ever were: counters never step back.
void natlog_totals(const struct natlog *log, struct natlog_counters *out);

#endif
