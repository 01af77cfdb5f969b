// SPDX-License-Identifier: Apache-2.0
// Where octets of the log go: a connected UDP socket, or a file at its end. Neither waits for a
// reader.
#ifndef NATLOG_SINK_H
#define NATLOG_SINK_H

#include <postern/natlog.h>

#include <sys/types.h>

static inline bool sink_is_file(const struct conf_log *log)
{
	return log->file[0] != '\0';
}

int sink_open(const struct conf_log *log); // descriptor or -errno
// What was taken of it, all or nothing of a datagram; or -errno, -ECONNREFUSED when the peer
// refused an earlier datagram and this one did not leave.
ssize_t sink_write(int fd, bool file, const void *data, size_t length);

#endif
