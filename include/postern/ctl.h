// SPDX-License-Identifier: Apache-2.0
// ctl.h - the control thread: publishes configurations, serves the control socket, adds up
// counters. It asks shards by message and never touches a mapping.
//
// Owner    the control thread makes every call. No client can make it wait.
// Threads  none of its own. Signals come in by descriptor: ctl_block_signals() first.
// Memory   bounded: 16 clients, each with at most one request (64 KiB; 1 MiB when it carries a
//          configuration) and 1 MiB of answers that wait for a slow reader.
// Time     the monotonic clock, read once a round; rounds are at most 10 ms apart.
// Book     docs/design/ctl.md
#ifndef POSTERN_CTL_H
#define POSTERN_CTL_H

#include <postern/io.h>
#include <postern/log.h>

struct ctl;

struct ctl_setup {             // all borrowed for life
	struct io *io;         // holds the snapshot in force; its workers may run already
	const char *conf_file; // read again on SIGHUP and `config apply`
	const struct log *log;
};

// Blocks SIGTERM, SIGINT and SIGHUP (ctl_run() takes them by descriptor) and ignores SIGPIPE. Call
// it before the first thread is made, so that every thread inherits it. 0 or -errno.
MUST_CHECK int ctl_block_signals(void);

// Opens the control socket that the snapshot names: makes its directory (0755), removes a socket
// that nobody answers on, sets the mode. -EADDRINUSE when another daemon lives there. The
// reason of a failure has been logged.
MUST_CHECK int ctl_create(const struct ctl_setup *setup, struct ctl **out);

// Runs until SIGTERM or SIGINT: 0. Calls io_poll() at least every 10 ms. SIGHUP reads the file
// again. -errno when waiting itself fails.
MUST_CHECK int ctl_run(struct ctl *ctl);

// Writes what is left of the NAT log, closes clients and removes the socket. Before io_destroy(),
// best after the workers have stopped: then nothing is left behind. NULL is fine.
void ctl_destroy(struct ctl *ctl);

#endif
