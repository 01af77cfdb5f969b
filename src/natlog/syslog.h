// SPDX-License-Identifier: Apache-2.0
// One event as one message of RFC 5424, facts in structured data, no free text.
#ifndef NATLOG_SYSLOG_H
#define NATLOG_SYSLOG_H

#include "shape.h"

enum {
	SYSLOG_LINE = 2048, // what every receiver should take (RFC 5424 s.6.1)
	SYSLOG_HOST = 256,  // HOSTNAME, NUL included (RFC 5424 s.6)
};

// Writes the line without its end; its length, or 0 when it does not fit in `room`. `sequence` is
// the message's number at this target, told as RFC 5424 s.7.3.1 has it.
size_t syslog_encode(const struct natlog_event *event, const char *host, bool destinations,
	uint32_t sequence, char *out, size_t room);
// HOSTNAME: printable ASCII without blanks, "-" when there is nothing.
void syslog_host(const char *name, char out[SYSLOG_HOST]);

#endif
