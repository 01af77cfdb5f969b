// SPDX-License-Identifier: Apache-2.0
// The socket's file. One that a killed daemon left behind is in the way of the next one, and a
// running daemon's must not be taken from it: only asking tells them apart.
#include "state.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 16
};

static int make_parent(const char *path)
{
	char copy[sizeof((struct sockaddr_un *)0)->sun_path];

	memcpy(copy, path, strlen(path) + 1);
	if (mkdir(dirname(copy), 0755) != 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static bool somebody_answers(int fd, const struct sockaddr_un *address)
{
	// A full queue of connections (EAGAIN) is an answer too.
	return connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
	       errno == EAGAIN;
}

static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	bool alive = somebody_answers(fd, address);
	close(fd);
	if (alive)
		return -EADDRINUSE;
	return unlink(address->sun_path) == 0 ? 0 : -errno;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address, uint32_t mode)
{
	// Nobody may connect before the mode is the operator's.
	mode_t old_mask = umask(0177);
	int error = bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ? -errno : 0;

	umask(old_mask);
	if (error)
		return error;
	if (chmod(address->sun_path, mode) != 0 || listen(fd, BACKLOG) != 0)
		return -errno;
	return 0;
}

static int open_at(const struct sockaddr_un *address, uint32_t mode)
{
	int error = remove_stale(address);

	if (error)
		return error;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = bind_and_listen(fd, address, mode);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static const char *explain(int error)
{
	if (error == -EADDRINUSE)
		return "another daemon answers there";
	if (error == -ENOTSOCK)
		return "a file that is no socket is in the way";
	return strerror(-error);
}

int socket_open(const char *path, uint32_t mode, const struct log *log)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = -ENAMETOOLONG;

	if (path[0] && strlen(path) < sizeof address.sun_path) {
		memcpy(address.sun_path, path, strlen(path) + 1);
		fd = make_parent(path);
		if (fd == 0)
			fd = open_at(&address, mode);
	}
	if (fd < 0)
		log_error(log, "control socket %s: %s", path, explain(fd));
	return fd;
}
