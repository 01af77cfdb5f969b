// SPDX-License-Identifier: Apache-2.0
// What the daemon's few files share.
#ifndef MAIN_MAIN_H
#define MAIN_MAIN_H

#include <postern/conf.h>
#include <postern/ctl.h>
#include <postern/io.h>
#include <postern/log.h>

enum { // exit status
	EXIT_OK = 0,
	EXIT_RUN = 1,   // something failed while starting or running
	EXIT_WRONG = 2, // wrong arguments or configuration
};

struct options {
	const char *file; // -c
	bool check, dump;
	enum log_level level;
};

struct app { // everything that can change, in one place
	struct options options;
	struct log log;
	struct conf *conf; // until io takes it over
	struct io *io;
	struct ctl *ctl;
};

// options.c: true: go on; false: leave with *status.
MUST_CHECK bool options_read(int argc, char **argv, struct options *options, int *status);

// notify.c: tells systemd (sd_notify(3)) where it asked to be told: "READY=1", "STOPPING=1".
void notify(const struct log *log, const char *state);

// cpu.c: NULL, or the feature that this build needs and the CPU has not.
const char *cpu_lacks(void);

#endif
