// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	LINE_MAX_OCTETS = 16 << 20, // no answer of the daemon comes near
	READ_OCTETS = 64 << 10,
};

struct link {
	int fd;
	char *data;
	size_t start, end, room;
};

struct link *link_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct link *l = calloc(1, sizeof *l);

	if (!l || strlen(path) >= sizeof address.sun_path) {
		int reason = l ? ENAMETOOLONG : ENOMEM;
		free(l);
		errno = reason;
		return NULL;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&address, sizeof address) != 0) {
		int saved_errno = errno;
		link_close(l);
		errno = saved_errno;
		return NULL;
	}
	return l;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l->data);
	free(l);
}

int link_descriptor(const struct link *l)
{
	return l->fd;
}

void link_set_patience(struct link *l, unsigned seconds)
{
	struct timeval patience = {.tv_sec = seconds};

	(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	(void)setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

// The daemon may have hung up on us already: what it said then, too many clients perhaps, waits to
// be read.
static bool has_hung_up(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

bool link_send(struct link *l, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0, sent = 0;

	if (!text) {
		errno = ENOMEM;
		return false;
	}
	text[length++] = '\n'; // over the NUL: the length is known
	while (sent < length) {
		ssize_t n = send(l->fd, text + sent, length - sent, MSG_NOSIGNAL);
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	int reason = errno;
	free(text);
	errno = reason;
	return sent == length || has_hung_up(reason);
}

static bool make_room(struct link *l)
{
	size_t length = l->end - l->start;

	if (l->start) {
		memmove(l->data, l->data + l->start, length);
		l->start = 0;
		l->end = length;
	}
	if (l->room - length >= READ_OCTETS)
		return true;
	size_t room = l->room ? l->room * 2 : READ_OCTETS * 2;
	char *data = room <= LINE_MAX_OCTETS ? realloc(l->data, room) : NULL;
	if (!data) {
		errno = EPROTO;
		return false;
	}
	l->data = data;
	l->room = room;
	return true;
}

static bool read_more(struct link *l)
{
	if (!make_room(l))
		return false;
	ssize_t n = recv(l->fd, l->data + l->end, l->room - l->end, 0);
	if (n <= 0) {
		errno = n == 0 ? 0 : errno;
		return false;
	}
	l->end += (size_t)n;
	return true;
}

json_t *link_receive(struct link *l)
{
	size_t scanned = 0;

	for (;;) {
		size_t length = l->end - l->start;
		char *from = l->data ? l->data + l->start : NULL;
		char *end =
			length > scanned ? memchr(from + scanned, '\n', length - scanned) : NULL;
		if (end) {
			json_t *json = json_loadb(from, (size_t)(end - from), JSON_ALLOW_NUL, NULL);
			l->start += (size_t)(end - from) + 1;
			if (!json)
				errno = EPROTO;
			return json;
		}
		scanned = length;
		if (!read_more(l))
			return NULL;
	}
}
