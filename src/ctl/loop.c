// SPDX-License-Identifier: Apache-2.0
// The control thread's round: wait for clients and signals, but never longer than io can wait;
// then poll io, take up what shards answered, and let every client go one bounded step on.
#include "state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ROUND_EVENTS = CTL_CLIENTS + 2
};

static void control_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int ctl_block_signals(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	control_signals(&set);
	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -errno;
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int watch_input(struct ctl *ctl, int fd, void *tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = tag};

	return epoll_ctl(ctl->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -errno;
}

static int open_signals(struct ctl *ctl)
{
	sigset_t set;

	control_signals(&set);
	ctl->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (ctl->signals < 0)
		return -errno;
	return watch_input(ctl, ctl->signals, &ctl->signals);
}

static int open_socket(struct ctl *ctl)
{
	struct stat st;

	ctl->listener = socket_open(ctl->conf->control_socket, ctl->conf->control_mode, ctl->log);
	if (ctl->listener < 0)
		return ctl->listener;
	memcpy(ctl->socket_path, ctl->conf->control_socket, sizeof ctl->socket_path);
	if (stat(ctl->socket_path, &st) == 0) {
		ctl->socket_device = st.st_dev;
		ctl->socket_inode = st.st_ino;
	}
	return watch_input(ctl, ctl->listener, &ctl->listener);
}

int ctl_create(const struct ctl_setup *setup, struct ctl **out)
{
	struct ctl *ctl = calloc(1, sizeof *ctl);

	if (!ctl)
		return -ENOMEM;
	*ctl = (struct ctl){.log = setup->log, .conf_file = setup->conf_file, .io = setup->io};
	ctl->listener = ctl->signals = -1;
	for (unsigned i = 0; i < CTL_CLIENTS; i++)
		ctl->clients[i].fd = -1;
	ctl->conf = io_conf(ctl->io);
	ctl->started = ctl->now = io_now(ctl->io);
	ctl->epoll = epoll_create1(EPOLL_CLOEXEC);
	int error = ctl->epoll < 0 ? -errno : open_signals(ctl);
	if (error)
		log_error(ctl->log, "control thread: %s", strerror(-error));
	else
		error = open_socket(ctl);
	if (error == 0) {
		error = journal_open(ctl);
		if (error)
			log_error(ctl->log, "NAT log: %s", strerror(-error));
	}
	if (error) {
		ctl_destroy(ctl);
		return error;
	}
	plans_start(ctl);
	*out = ctl;
	return 0;
}

static void take_signals(struct ctl *ctl)
{
	struct signalfd_siginfo signal;

	while (read(ctl->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
		if (signal.ssi_signo == SIGHUP) {
			reload_hangup(ctl);
		} else {
			log_notice(ctl->log, "signal %u: stopping", signal.ssi_signo);
			ctl->stop = true;
		}
	}
}

static void take_event(struct ctl *ctl, const struct epoll_event *e)
{
	struct client *c = e->data.ptr;

	if (e->data.ptr == &ctl->signals)
		take_signals(ctl);
	else if (e->data.ptr == &ctl->listener)
		client_accept(ctl);
	else if (c->fd >= 0)
		client_event(ctl, c, e->events);
}

static int pick_timeout(struct ctl *ctl)
{
	bool hurry = ctl->hurry;

	ctl->hurry = false;
	if (hurry)
		return 0;
	return ask_busy(ctl) ? 1 : CTL_ROUND_MS;
}

int ctl_round(struct ctl *ctl)
{
	struct epoll_event events[ROUND_EVENTS];
	int n = epoll_wait(ctl->epoll, events, ROUND_EVENTS, pick_timeout(ctl));

	if (n < 0 && errno != EINTR)
		return -errno;
	ctl->now = io_now(ctl->io);
	io_poll(ctl->io, ctl->now);
	for (int i = 0; i < n; i++)
		take_event(ctl, &events[i]);
	journal_step(ctl);
	pools_step(ctl);
	ask_collect(ctl);
	reload_watch(ctl);
	errands_step(ctl);
	for (unsigned i = 0; i < CTL_CLIENTS; i++) {
		if (ctl->clients[i].fd >= 0)
			client_step(ctl, &ctl->clients[i]);
	}
	return 0;
}

int ctl_run(struct ctl *ctl)
{
	int error = 0;

	while (!ctl->stop && !error)
		error = ctl_round(ctl);
	if (error)
		log_error(ctl->log, "control thread: %s", strerror(-error));
	return error;
}

static void remove_socket(const struct ctl *ctl)
{
	struct stat st;

	if (lstat(ctl->socket_path, &st) == 0 && st.st_dev == ctl->socket_device &&
		st.st_ino == ctl->socket_inode)
		unlink(ctl->socket_path);
}

void ctl_destroy(struct ctl *ctl)
{
	if (!ctl)
		return;
	for (unsigned i = 0; i < CTL_CLIENTS; i++) {
		if (ctl->clients[i].fd >= 0)
			client_close(ctl, &ctl->clients[i]);
	}
	journal_close(ctl);
	if (ctl->listener >= 0) {
		remove_socket(ctl);
		close(ctl->listener);
	}
	if (ctl->signals >= 0)
		close(ctl->signals);
	if (ctl->epoll >= 0)
		close(ctl->epoll);
	free(ctl);
}
