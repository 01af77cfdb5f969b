// SPDX-License-Identifier: Apache-2.0
// log.h - one-line, levelled records for people, and where they go.
//
// Owner    the control thread and the programs; workers count, they do not print.
// Threads  one thread per struct log; the sink is written with one write(2) a line.
// Memory   none; a line longer than LOG_LINE is cut and marked, control characters are escaped.
// Time     the wall clock is read for the stamp only.
// Book     docs/design/log.md; syslog priorities of RFC 5424 s.6.2.1
#ifndef POSTERN_LOG_H
#define POSTERN_LOG_H

#include <postern/base.h>

#define LOG_LINE 1024

enum log_level {
	LOG_LEVEL_ERROR,  // something asked for was not done
	LOG_LEVEL_WARN,   // done, but an operator should look
	LOG_LEVEL_NOTICE, // state changed: started, configuration applied, stopped
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

struct log {
	int fd;               // where lines go
	enum log_level level; // lines above it are not written
	bool colour;          // only when fd is a terminal
	bool stamps;          // time stamps (off under systemd, whose journal adds its own)
	bool priorities;      // "<3>" prefixes that systemd's journal reads
	const char *program;  // borrowed, lives as long as the log
};

// Looks at fd and the environment (isatty, NO_COLOR, JOURNAL_STREAM) once.
void log_init(struct log *log, const char *program, int fd, enum log_level level);
bool log_level_parse(const char *text, enum log_level *out); // "error".."debug"
void log_line(const struct log *log, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(log, ...) log_line(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(log, ...) log_line(log, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(log, ...) log_line(log, LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(log, ...) log_line(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_line(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
