// SPDX-License-Identifier: Apache-2.0
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SEND_BUFFER = 4 << 20, // octets that the kernel may queue for us, where it lets us ask
	FILE_MODE = 0640,      // whose ports were whose is nobody else's affair
};

// Addresses only: a resolver could make the control thread wait.
static int resolve(const char *host, uint16_t port, int family, struct addrinfo **out)
{
	struct addrinfo hints = {.ai_family = family,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	char service[8];

	snprintf(service, sizeof service, "%u", port);
	int error = getaddrinfo(host, service, &hints, out);
	if (error == 0)
		return 0;
	return error == EAI_MEMORY ? -ENOMEM : -EADDRNOTAVAIL;
}

static int bind_source(int fd, const struct conf_log *log, int family)
{
	struct addrinfo *source = NULL;

	if (!log->source[0])
		return 0;
	int error = resolve(log->source, 0, family, &source);
	if (error)
		return error;
	if (bind(fd, source->ai_addr, source->ai_addrlen) != 0)
		error = -errno;
	freeaddrinfo(source);
	return error;
}

static int connect_socket(int fd, const struct conf_log *log, const struct addrinfo *to)
{
	int size = SEND_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	int error = bind_source(fd, log, to->ai_family);
	if (error)
		return error;
	return connect(fd, to->ai_addr, to->ai_addrlen) == 0 ? 0 : -errno;
}

static int open_socket(const struct conf_log *log)
{
	struct addrinfo *to = NULL;
	int error = resolve(log->host, log->port, AF_UNSPEC, &to);

	if (error)
		return error;
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		error = -errno;
	} else if ((error = connect_socket(fd, log, to)) != 0) {
		close(fd);
	}
	freeaddrinfo(to);
	return error ? error : fd;
}

int sink_open(const struct conf_log *log)
{
	if (!sink_is_file(log))
		return open_socket(log);
	// Non-blocking is for whoever names a FIFO: without a reader it fails instead of waiting.
	int fd = open(log->file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		FILE_MODE);
	return fd < 0 ? -errno : fd;
}

ssize_t sink_write(int fd, bool file, const void *data, size_t length)
{
	ssize_t n;

	do
		n = file ? write(fd, data, length) : send(fd, data, length, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
