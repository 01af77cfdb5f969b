// SPDX-License-Identifier: Apache-2.0
// A round: what the clock brought, what is to be sent, then sleep until something comes.
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "loop.h"

#define MOST_READY 16

static ns read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (ns)t.tv_sec * NS_PER_S + (ns)t.tv_nsec;
}

uint64_t postern_loop_now(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

static ns time_asleep(void)
{
	ns awake = read_clock(CLOCK_MONOTONIC);

	return postern_loop_now() - awake;
}

// ---- beginning and end -----------------------------------------------------------------------

static int watch(struct postern_loop *loop, int *slot)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, *slot, &event) < 0 ? -errno : 0;
}

static int open_timer(void)
{
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

// Without announcements a restart of the server is seen at the next renewal: a host without IPv6,
// or one where another program keeps the port to itself, is served all the same.
static int open_announcements(struct postern_loop *loop)
{
	int error = 0;

	for (int i = 0; i < 2 && error == 0; i++) {
		loop->announcements[i] = announcements_open(i == 1);
		if (loop->announcements[i] >= 0)
			error = watch(loop, &loop->announcements[i]);
	}
	return error;
}

static int open_all(struct postern_loop *loop)
{
	int error;

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	loop->timer = open_timer();
	if (loop->timer < 0)
		return loop->timer;
	loop->netlink = routes_open();
	if (loop->netlink < 0)
		return loop->netlink;
	error = watch(loop, &loop->timer);
	if (error == 0)
		error = watch(loop, &loop->netlink);
	if (error == 0)
		error = open_announcements(loop);
	return error < 0 ? error : memory_open(loop);
}

// What the options point to is the caller's and may go.
static int take_options(struct postern_loop *loop, const struct postern_loop_options *options)
{
	static const struct postern_loop_options none;

	loop->options = options ? *options : none;
	loop->options.servers = NULL;
	loop->options.state_file = NULL;
	if (loop->options.source) {
		memcpy(loop->source, loop->options.source, sizeof loop->source);
		loop->options.source = loop->source;
	}
	if (options && options->n_servers > MOST_SERVERS)
		return -ENOSPC;
	for (unsigned i = 0; options && i < options->n_servers; i++)
		found_add(&loop->configured, &options->servers[i]);
	if (options && options->state_file) {
		loop->state_file = strdup(options->state_file);
		if (!loop->state_file)
			return -ENOMEM;
	}
	return 0;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_all(struct postern_loop *loop)
{
	while (loop->sockets)
		sockets_close(loop, loop->sockets);
	memory_close(loop);
	close_if(loop->announcements[0]);
	close_if(loop->announcements[1]);
	close_if(loop->netlink);
	close_if(loop->timer);
	close_if(loop->epoll);
	free(loop->state_file);
	client_release(loop->client, loop);
}

int postern_loop_create(struct postern_client *client, const struct postern_loop_options *options,
	struct postern_loop **out)
{
	struct postern_loop *loop = client_allocate(client, sizeof *loop);
	int error;

	*out = NULL;
	if (!loop)
		return -ENOMEM;
	loop->client = client;
	loop->epoll = loop->timer = loop->netlink = loop->lock = -1;
	loop->announcements[0] = loop->announcements[1] = -1;
	loop->save_at = NEVER;
	loop->slept = time_asleep();
	error = take_options(loop, options);
	if (error == 0)
		error = open_all(loop);
	if (error == 0)
		error = servers_look(loop, postern_loop_now());
	if (error < 0) {
		close_all(loop);
		return error;
	}
	*out = loop;
	return 0;
}

void postern_loop_destroy(struct postern_loop *loop)
{
	if (!loop)
		return;
	memory_save(loop, postern_loop_now());
	close_all(loop);
}

int postern_loop_fd(const struct postern_loop *loop)
{
	return loop->epoll;
}

// ---- a round ---------------------------------------------------------------------------------

static bool has_news(const struct postern_loop *loop)
{
	const struct server *s = loop->client->servers;

	if (loop->client->news_first)
		return true;
	while (s && !(s->get.under_way && s->get.request.next == NEVER)) // a page to be told
		s = s->next;
	return s != NULL;
}

// The machine slept: leases, routes and servers may all be other ones now.
static void notice_sleep(struct postern_loop *loop, ns now)
{
	ns slept = time_asleep();

	if (slept > loop->slept + NS_PER_S) {
		postern_client_moved(loop->client, now);
		loop->look_at = now;
	}
	loop->slept = slept;
}

static void plan_saving(struct postern_loop *loop, ns now)
{
	uint64_t taken = postern_client_counters(loop->client)->taken;

	if (taken != loop->taken)
		loop->save_at = sooner(loop->save_at, later(now, loop->saved + SAVE_EVERY));
	loop->taken = taken;
	if (now >= loop->save_at)
		memory_save(loop, now);
}

static int act(struct postern_loop *loop, ns now)
{
	int error = 0;

	notice_sleep(loop, now);
	servers_look_for_anycast(loop, now);
	if (now >= loop->look_at)
		error = servers_look(loop, now);
	sockets_tidy(loop, now);
	sockets_send(loop, now);
	plan_saving(loop, now);
	return error;
}

// A deadline in the past must fire, and 0 would stop the timer.
static int set_timer(struct postern_loop *loop)
{
	ns at = sooner(postern_client_deadline(loop->client), loop->look_at);
	struct itimerspec spec = {0};

	at = later(sooner(at, loop->save_at), 1);
	spec.it_value.tv_sec = (time_t)(at / NS_PER_S);
	spec.it_value.tv_nsec = (long)(at % NS_PER_S);
	return timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0 ? -errno : 0;
}

static void take(struct postern_loop *loop, void *which, ns now)
{
	uint64_t expirations;

	if (which == &loop->timer) {
		if (read(loop->timer, &expirations, sizeof expirations) < 0)
			return; // it was set anew in between
	} else if (which == &loop->netlink) {
		if (routes_changed(loop->netlink))
			loop->look_at = sooner(loop->look_at, now + SETTLE);
	} else if (which == &loop->announcements[0] || which == &loop->announcements[1]) {
		announcements_receive(loop, *(int *)which, now);
	} else {
		sockets_receive(loop, which, now);
	}
}

static int wait_and_take(struct postern_loop *loop, int timeout_ms)
{
	struct epoll_event ready[MOST_READY];
	int n = epoll_wait(loop->epoll, ready, MOST_READY, timeout_ms);
	ns now = postern_loop_now();

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		take(loop, ready[i].data.ptr, now);
	return n;
}

static int left_ms(ns now, ns until)
{
	ns ms = until > now ? (until - now + NS_PER_MS - 1) / NS_PER_MS : 0;

	if (until == NEVER)
		return -1;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int postern_loop_run(struct postern_loop *loop, int timeout_ms)
{
	ns now = postern_loop_now();
	ns until = timeout_ms < 0 ? NEVER : now + (ns)timeout_ms * NS_PER_MS;
	bool is_over = false;

	for (;;) {
		int error = act(loop, now), n;

		if (error == 0)
			error = set_timer(loop);
		if (error < 0)
			return error;
		if (has_news(loop) || is_over)
			return 0;
		n = wait_and_take(loop, left_ms(now, until));
		if (n < 0)
			return n;
		now = postern_loop_now();
		is_over = now >= until; // what came last is still acted upon
	}
}
