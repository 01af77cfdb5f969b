// SPDX-License-Identifier: Apache-2.0
// The status socket: whoever connects gets the text of that moment, and then the end. Nobody is
// waited for: a reader has two seconds to take it all, and only few are served at a time.
#include "pcpcd.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static int make_folder(const char *path)
{
	char copy[PCPCD_SOCKET_PATH];

	memcpy(copy, path, strlen(path) + 1);
	if (mkdir(dirname(copy), 0755) != 0 && errno != EEXIST)
		return -errno;
	return 0;
}

// One that a killed agent left behind is in the way; only asking tells it from a living one's, and
// only a refusal says that nobody is there.
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat is;
	int fd, error = 0;

	if (lstat(address->sun_path, &is) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(is.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
		error = errno;
	close(fd);
	if (error == 0 || error == EAGAIN) // a full queue is an answer too
		return -EADDRINUSE;
	if (error != ECONNREFUSED)
		return -error;
	return unlink(address->sun_path) == 0 ? 0 : -errno;
}

static int listen_at(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0117); // 0660 from its first moment on
	int error = bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ? -errno : 0;

	umask(before);
	if (error == 0 && listen(fd, BACKLOG) != 0)
		error = -errno;
	return error;
}

int pcpcd_socket_open(struct pcpcd_socket *s, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error;

	*s = (struct pcpcd_socket){.fd = -1};
	for (size_t i = 0; i < PCPCD_MAX_READERS; i++)
		s->readers[i].fd = -1;
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	memcpy(s->path, path, strlen(path) + 1);
	error = make_folder(path);
	if (error == 0)
		error = remove_stale(&address);
	if (error < 0)
		return error;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	error = listen_at(s->fd, &address);
	if (error < 0) {
		close(s->fd);
		s->fd = -1;
	}
	return error;
}

static void drop(struct pcpcd_reader *r)
{
	close(r->fd);
	free(r->text);
	*r = (struct pcpcd_reader){.fd = -1};
}

void pcpcd_socket_close(struct pcpcd_socket *s)
{
	if (s->fd < 0)
		return;
	for (size_t i = 0; i < PCPCD_MAX_READERS; i++)
		if (s->readers[i].fd >= 0)
			drop(&s->readers[i]);
	unlink(s->path);
	close(s->fd);
	s->fd = -1;
}

static struct pcpcd_reader *find_free(struct pcpcd_socket *s)
{
	for (size_t i = 0; i < PCPCD_MAX_READERS; i++)
		if (s->readers[i].fd < 0)
			return &s->readers[i];
	return NULL;
}

unsigned pcpcd_socket_watch(const struct pcpcd_socket *s, struct pollfd *fds)
{
	bool has_room = false;

	for (size_t i = 0; i < PCPCD_MAX_READERS; i++) {
		fds[1 + i] = (struct pollfd){.fd = s->readers[i].fd, .events = POLLOUT};
		has_room = has_room || s->readers[i].fd < 0;
	}
	fds[0] = (struct pollfd){.fd = has_room ? s->fd : -1, .events = POLLIN};
	return PCPCD_FDS;
}

ns pcpcd_socket_deadline(const struct pcpcd_socket *s)
{
	ns first = POSTERN_NEVER;

	for (size_t i = 0; i < PCPCD_MAX_READERS; i++)
		if (s->readers[i].fd >= 0 && s->readers[i].until < first)
			first = s->readers[i].until;
	return first;
}

static void write_some(struct pcpcd_reader *r, ns now)
{
	while (r->at < r->length) {
		ssize_t n = send(r->fd, r->text + r->at, r->length - r->at, MSG_NOSIGNAL);

		if (n > 0)
			r->at += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN && now < r->until)
			return;
		else
			break;
	}
	drop(r); // all is said, or he is gone, or too slow
}

void pcpcd_socket_serve(struct pcpcd_socket *s, ns now, pcpcd_teller *tell, void *context)
{
	struct pcpcd_reader *r;

	for (size_t i = 0; i < PCPCD_MAX_READERS; i++)
		if (s->readers[i].fd >= 0)
			write_some(&s->readers[i], now);
	while ((r = find_free(s))) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		*r = (struct pcpcd_reader){.fd = fd, .until = now + PCPCD_PATIENCE_MS * NS_PER_MS};
		r->text = tell(context, &r->length);
		if (!r->text)
			r->length = 0;
		write_some(r, now);
	}
}
