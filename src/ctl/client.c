// SPDX-License-Identifier: Apache-2.0
// A client sends lines and reads lines; it may do either slowly, wrongly or not at all, and none
// of that may cost the others anything. So: one request of a client at a time, what comes behind it
// waits in the socket; answers that nobody reads pause the walk that makes them.
#include "state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_SIZE = 16 << 10,
};

static const char too_many[] = "{\"error\":{\"code\":\"too-many-clients\","
			       "\"message\":\"16 clients are connected already\"}}\n";

// ---- answers ---------------------------------------------------------------------------------

static int append_json(const char *text, size_t length, void *ctx)
{
	return buffer_append(ctx, text, length) ? 0 : -1;
}

static void send_line(struct client *c, const char *name, json_t *value)
{
	char head[16];
	int length = snprintf(head, sizeof head, "{\"%s\":", name);

	if (!value || !buffer_append(&c->out, head, (size_t)length) ||
		json_dump_callback(value, append_json, &c->out, JSON_COMPACT) != 0 ||
		!buffer_append(&c->out, "}\n", 2))
		c->doomed = true; // out of memory: half a line is followed by the end
	json_decref(value);
}

static void end_request(struct client *c)
{
	if (c->request.json)
		request_fini(&c->request);
	json_decref(c->ask.row);
	free(c->ask.top);
	free(c->ask.trace);
	c->ask.row = NULL;
	c->ask.top = NULL;
	c->ask.trace = NULL;
	c->ask.state = ASK_IDLE;
}

void client_row(struct client *c, json_t *value)
{
	send_line(c, "row", value);
}

void client_done(struct client *c, json_t *value)
{
	send_line(c, "done", value);
	end_request(c);
}

void client_fail(struct client *c, json_t *error)
{
	send_line(c, "error", error);
	end_request(c);
}

void client_error(struct client *c, const char *code, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	client_fail(c, json_pack("{s:s,s:o}", "code", code, "message", row_text(message)));
}

bool client_paused(const struct client *c)
{
	return buffer_length(&c->out) > CTL_BACKLOG;
}

// ---- requests --------------------------------------------------------------------------------

static void start_request(struct ctl *ctl, struct client *c, const char *line, size_t length)
{
	struct refusal why;

	if (!request_parse(line, length, &c->request, &why)) {
		client_error(c, why.code, "%s", why.message);
		return;
	}
	switch (c->request.kind) {
	case REQUEST_SHOW_MAPPINGS:
	case REQUEST_SHOW_SUBSCRIBERS:
	case REQUEST_SHOW_LEASES:
	case REQUEST_SHOW_CLIENTS:
	case REQUEST_ADD_MAPPING:
	case REQUEST_ADD_STATIC:
	case REQUEST_DELETE_MAPPING:
	case REQUEST_CLEAR_SUBSCRIBER:
	case REQUEST_SHOW_SESSIONS:
		ask_start(ctl, c);
		break;
	case REQUEST_TRACE:
		trace_start(ctl, c);
		break;
	case REQUEST_CLEAR_GROUP:
	case REQUEST_RESET_EPOCH:
		deeds_start(ctl, c);
		break;
	case REQUEST_CONFIG_CHECK:
	case REQUEST_CONFIG_APPLY:
	case REQUEST_CONFIG_SHOW:
		reload_start(ctl, c);
		break;
	default:
		show_start(ctl, c);
	}
}

// The length of the line at the front of `in`, its end not counted; -1 when there is none yet.
static ssize_t find_line(struct client *c)
{
	const char *data = c->in.data + c->in.start;
	size_t length = buffer_length(&c->in);
	const char *end =
		length > c->scanned ? memchr(data + c->scanned, '\n', length - c->scanned) : NULL;

	c->scanned = end ? 0 : length;
	if (end)
		return end - data;
	return c->eof && length ? (ssize_t)length : -1;
}

static void refuse_flood(struct client *c)
{
	client_error(c, "too-long", "a request line has at most %d octets", REQUEST_TEXT_LINE);
	buffer_free(&c->in);
	c->scanned = 0;
	c->doomed = true;
}

// True when it stopped with more to do.
static bool run_requests(struct ctl *ctl, struct client *c)
{
	for (unsigned i = 0; i < CTL_ROUND_REQUESTS; i++) {
		if (c->ask.state != ASK_IDLE || c->doomed || client_paused(c))
			return false;
		ssize_t length = find_line(c);
		if (length < 0 && buffer_length(&c->in) > REQUEST_TEXT_LINE)
			refuse_flood(c);
		if (length < 0)
			return false;
		if (length > 0)
			start_request(ctl, c, c->in.data + c->in.start, (size_t)length);
		size_t eaten = (size_t)length + 1;
		size_t there = buffer_length(&c->in);
		buffer_eat(&c->in, eaten < there ? eaten : there);
	}
	return true;
}

// ---- octets ----------------------------------------------------------------------------------

static bool wants_input(const struct client *c)
{
	return !c->eof && !c->doomed && c->ask.state == ASK_IDLE && !client_paused(c);
}

static void receive(struct client *c)
{
	char *at = buffer_reserve(&c->in, READ_SIZE);

	if (!at) {
		c->doomed = true;
		return;
	}
	ssize_t n = recv(c->fd, at, READ_SIZE, MSG_DONTWAIT);
	if (n > 0)
		buffer_grew(&c->in, (size_t)n);
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->eof = c->doomed = true;
}

// False when the client is gone.
static bool send_out(struct client *c)
{
	while (buffer_length(&c->out)) {
		ssize_t n = send(c->fd, c->out.data + c->out.start, buffer_length(&c->out),
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		buffer_eat(&c->out, (size_t)n);
	}
	return true;
}

static void watch(struct ctl *ctl, struct client *c)
{
	uint32_t events =
		(wants_input(c) ? EPOLLIN : 0) | (buffer_length(&c->out) ? (uint32_t)EPOLLOUT : 0);
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (events != c->watched && epoll_ctl(ctl->epoll, EPOLL_CTL_MOD, c->fd, &e) == 0)
		c->watched = events;
}

void client_event(struct ctl *ctl, struct client *c, uint32_t events)
{
	if ((events & EPOLLIN) && wants_input(c))
		receive(c);
	if (events & (EPOLLHUP | EPOLLERR)) { // nobody is left to read an answer
		client_step(ctl, c);
		if (c->fd >= 0)
			client_close(ctl, c);
	}
}

void client_step(struct ctl *ctl, struct client *c)
{
	if (run_requests(ctl, c))
		ctl->hurry = true;
	ask_step(ctl, c);
	reload_step(ctl, c);
	bool there = send_out(c);
	bool idle = c->ask.state == ASK_IDLE && !buffer_length(&c->in);
	bool finished = c->doomed || (c->eof && idle);
	if (!there || (finished && !buffer_length(&c->out)))
		client_close(ctl, c);
	else
		watch(ctl, c);
}

// ---- coming and going ------------------------------------------------------------------------

static struct client *find_place(struct ctl *ctl)
{
	for (unsigned i = 0; i < CTL_CLIENTS; i++) {
		if (ctl->clients[i].fd < 0)
			return &ctl->clients[i];
	}
	return NULL;
}

void client_accept(struct ctl *ctl)
{
	int fd = accept4(ctl->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c = find_place(ctl);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

	if (fd < 0)
		return;
	if (!c) {
		(void)!send(fd, too_many, sizeof too_many - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	if (epoll_ctl(ctl->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
		close(fd);
		return;
	}
	*c = (struct client){.fd = fd, .watched = EPOLLIN};
}

void client_close(struct ctl *ctl, struct client *c)
{
	ask_abandon(ctl, c);
	close(c->fd);
	end_request(c);
	buffer_free(&c->in);
	buffer_free(&c->out);
	*c = (struct client){.fd = -1};
}
