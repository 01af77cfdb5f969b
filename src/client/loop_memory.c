// SPDX-License-Identifier: Apache-2.0
// The state file of a loop: what it says about a server is taken once that server is there, which
// may be long after the start when the network comes late; until then those lines are written back.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"

int memory_open(struct postern_loop *loop)
{
	int error;

	if (!loop->state_file)
		return 0;
	loop->lock = file_lock(loop->state_file);
	if (loop->lock < 0)
		return loop->lock;
	error = file_read(loop->state_file, &loop->unread, &loop->n_unread);
	return error == -ENOENT ? 0 : error;
}

void memory_close(struct postern_loop *loop)
{
	free(loop->unread);
	loop->unread = NULL;
	if (loop->lock >= 0)
		close(loop->lock); // and with it the lock; the file stays, others may wait at it
	loop->lock = -1;
}

// "server ADDRESS PORT ..", "mapping ADDRESS PORT ..": whether this line is about that server.
static bool is_about(const char *line, size_t length, const struct postern_endpoint *e)
{
	char about[2][80], text[IP6_TEXT];

	ip6_format(ip_of(e->ip), text);
	snprintf(about[0], sizeof about[0], "server %s %u ", text, e->port);
	snprintf(about[1], sizeof about[1], "mapping %s %u ", text, e->port);
	for (int i = 0; i < 2; i++)
		if (length > strlen(about[i]) && memcmp(line, about[i], strlen(about[i])) == 0)
			return true;
	return false;
}

static bool is_about_any(const char *line, size_t length)
{
	return (length > 7 && memcmp(line, "server ", 7) == 0) ||
	       (length > 8 && memcmp(line, "mapping ", 8) == 0);
}

// Takes the lines about `server` out of those that are unread.
void memory_teach(struct postern_loop *loop, const struct postern_server *server, ns now)
{
	char *text = loop->n_unread > 0 ? malloc(loop->n_unread + 1) : NULL;
	size_t n = 0, kept = 0, length;
	unsigned skipped = 0;

	if (!text)
		return;
	for (size_t at = 0; at < loop->n_unread; at += length) {
		const char *line = loop->unread + at, *end;

		end = memchr(line, '\n', loop->n_unread - at);
		length = end ? (size_t)(end - line) + 1 : loop->n_unread - at;
		if (is_about(line, length, &server->addresses[0])) {
			memcpy(text + n, line, length);
			n += length;
		} else if (is_about_any(line, length)) {
			memmove(loop->unread + kept, line, length);
			kept += length;
		}
	}
	loop->n_unread = kept;
	if (n > 0)
		(void)postern_client_load(
			loop->client, text, n, now, (uint64_t)time(NULL), &skipped);
	free(text);
}

void memory_save(struct postern_loop *loop, ns now)
{
	uint64_t wall = (uint64_t)time(NULL);
	size_t length;
	char *text;

	loop->save_at = NEVER;
	loop->saved = now;
	if (!loop->state_file || loop->lock < 0)
		return;
	length = postern_client_save(loop->client, now, wall, NULL, 0);
	text = malloc(length + loop->n_unread + 1);
	if (!text)
		return;
	postern_client_save(loop->client, now, wall, text, length + 1);
	if (loop->n_unread > 0)
		memcpy(text + length, loop->unread, loop->n_unread);
	// A full disk is met again at the next change; the old file stands until then.
	if (file_replace(loop->state_file, text, length + loop->n_unread) < 0)
		loop->save_at = now + LOOK_AGAIN;
	free(text);
}
