// SPDX-License-Identifier: Apache-2.0
// sd_notify(3): a datagram to where systemd asked to be told.
#include "pcpcd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_state(const char *path, const char *state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	int fd, error = 0;

	if (strlen(path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path));
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; // the abstract name space
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (void *)&to, size) < 0)
		error = -errno;
	close(fd);
	return error;
}

void pcpcd_notify(const struct log *log, const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int error;

	if (!path || *path == '\0')
		return;
	error = send_state(path, state);
	if (error < 0)
		log_warn(log, "systemd cannot be told %s: %s", state, strerror(-error));
}
