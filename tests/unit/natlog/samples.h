// SPDX-License-Identifier: Apache-2.0
// One made-up event of every kind, and what each kind of log must say about it, octet by octet.
#ifndef NATLOG_SAMPLES_H
#define NATLOG_SAMPLES_H

#include "shape.h"

#include <criterion/criterion.h>

#define SAMPLE_MS UINT64_C(1782907200123) // 2026-07-01T12:00:00.123Z, 0000019f1d8ce27b
#define SAMPLE_DOMAIN 7

struct sample {
	struct natlog_event event;
	const char *json;   // behind "time" and "event"
	const char *syslog; // MSGID and structured data, behind the sequence number
	const char *ipfix;  // template id and record in hex; NULL: none
};

extern const struct sample samples[];
extern const size_t n_samples;

#endif
