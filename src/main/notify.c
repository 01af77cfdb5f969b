// SPDX-License-Identifier: Apache-2.0
#include "main.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_state(const char *path, const char *state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@') // the abstract name space
		to.sun_path[0] = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (void *)&to, size);
	int error = n < 0 ? -errno : 0;
	close(fd);
	return error;
}

void notify(const struct log *log, const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || !*path)
		return;
	int error = send_state(path, state);
	if (error)
		log_warn(log, "systemd cannot be told %s: %s", state, strerror(-error));
}
