// SPDX-License-Identifier: Apache-2.0
// pcpcd - keeps the ports of a file open at the NAT, until it is told to end.
#include "pcpcd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

struct daemon {
	struct pcpcd_options options;
	struct log log;
	struct pcpcd_conf conf; // as it was read last
	struct pcpcd_complaints complaints;
	struct pcpcd_agent *agent;
	struct pcpcd_socket socket;
	int signals;
	bool stopping, over;
	char status[80]; // as systemd was told
};

// ---- the file --------------------------------------------------------------------------------

static void print_complaints(const struct pcpcd_complaints *all)
{
	char line[PCPCD_PATH + 400];

	for (unsigned i = 0; i < all->n; i++) {
		pcpcd_complaint_format(all, i, line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
	if (all->more > 0)
		fprintf(stderr, "%s: %u more mistakes\n", all->file, all->more);
}

static void log_complaints(const struct log *log, const struct pcpcd_complaints *all)
{
	char line[PCPCD_PATH + 400];

	for (unsigned i = 0; i < all->n; i++) {
		pcpcd_complaint_format(all, i, line, sizeof line);
		log_error(log, "%s", line);
	}
	log_error(log, "%s is not put in force: the ports stay as they are", all->file);
}

static void tell_reloading(struct daemon *d)
{
	struct timespec t;
	char state[80];

	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)t.tv_sec * 1000000 + (unsigned long long)t.tv_nsec / 1000);
	pcpcd_notify(&d->log, state);
}

static void reload(struct daemon *d)
{
	tell_reloading(d);
	if (pcpcd_conf_load(d->options.file, &d->conf, &d->complaints))
		pcpcd_agent_change(d->agent, &d->conf);
	else
		log_complaints(&d->log, &d->complaints);
	pcpcd_notify(&d->log, "READY=1");
}

// ---- running ---------------------------------------------------------------------------------

static void stop(struct daemon *d)
{
	d->over = d->stopping || !pcpcd_agent_releases(d->agent);
	if (!d->stopping)
		pcpcd_notify(&d->log, "STOPPING=1");
	if (!d->over)
		pcpcd_agent_release(d->agent);
	d->stopping = true;
}

static void take_signals(struct daemon *d)
{
	struct signalfd_siginfo info;

	while (read(d->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo != SIGHUP)
			stop(d);
		else if (!d->stopping)
			reload(d);
	}
}

static void tell_status(struct daemon *d)
{
	unsigned n_open, n_wanted;
	char status[sizeof d->status];

	pcpcd_agent_count(d->agent, &n_open, &n_wanted);
	snprintf(status, sizeof status, "STATUS=%u of %u mappings are open", n_open, n_wanted);
	if (strcmp(status, d->status) == 0)
		return;
	memcpy(d->status, status, sizeof status);
	pcpcd_notify(&d->log, status);
}

static int timeout_ms(const struct daemon *d)
{
	ns a = pcpcd_agent_deadline(d->agent), b = pcpcd_socket_deadline(&d->socket);
	ns now = postern_loop_now(), first = a < b ? a : b, ms;

	if (first == POSTERN_NEVER)
		return -1;
	ms = first > now ? (first - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	return ms > 3600000 ? 3600000 : (int)ms;
}

static int wait_for_something(struct daemon *d)
{
	struct pollfd fds[2 + PCPCD_FDS] = {
		{.fd = d->signals, .events = POLLIN},
		{.fd = pcpcd_agent_fd(d->agent), .events = POLLIN},
	};
	unsigned n = 2 + pcpcd_socket_watch(&d->socket, fds + 2);

	return poll(fds, n, timeout_ms(d)) < 0 && errno != EINTR ? -errno : 0;
}

static int run(struct daemon *d)
{
	int error = 0;

	while (error == 0 && !d->over) {
		error = pcpcd_agent_round(d->agent);
		if (error < 0 || (d->stopping && pcpcd_agent_is_idle(d->agent)))
			break;
		tell_status(d);
		error = wait_for_something(d);
		take_signals(d);
		pcpcd_socket_serve(&d->socket, postern_loop_now(), pcpcd_agent_tell, d->agent);
	}
	if (error < 0)
		log_error(&d->log, "cannot go on: %s", strerror(-error));
	return error;
}

static int open_signals(struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signals < 0 ? -errno : 0;
}

static int open_socket(struct daemon *d)
{
	int error = pcpcd_socket_open(&d->socket, d->conf.socket);

	if (error < 0)
		log_error(&d->log, "status socket %s: %s", d->conf.socket,
			error == -EADDRINUSE ? "another pcpcd answers there" : strerror(-error));
	return error;
}

static int serve(struct daemon *d)
{
	int error = open_signals(d);

	if (error == 0)
		error = open_socket(d);
	if (error < 0)
		return PCPCD_FAILED;
	error = pcpcd_agent_create(&d->conf, &d->log, &d->agent);
	if (error == 0) {
		log_notice(&d->log,
			"pcpcd " POSTERN_VERSION " keeps the ports of %s (mappings: %u)",
			d->options.file, d->conf.n_wants);
		pcpcd_notify(&d->log, "READY=1");
		error = run(d);
	}
	pcpcd_agent_destroy(d->agent);
	pcpcd_socket_close(&d->socket);
	return error < 0 ? PCPCD_FAILED : PCPCD_OK;
}

int main(int argc, char **argv)
{
	struct daemon *d = calloc(1, sizeof *d);
	int status = PCPCD_FAILED;

	if (!d)
		return status;
	if (!pcpcd_options_read(argc, argv, &d->options, &status)) {
		free(d);
		return status;
	}
	log_init(&d->log, "pcpcd", STDERR_FILENO, d->options.level);
	if (!pcpcd_conf_load(d->options.file, &d->conf, &d->complaints)) {
		print_complaints(&d->complaints);
		status = d->complaints.n + d->complaints.more > d->complaints.waiting
				 ? PCPCD_WRONG
				 : PCPCD_FAILED;
	} else if (d->options.check) {
		printf("%s: right, mappings: %u\n", d->options.file, d->conf.n_wants);
		status = PCPCD_OK;
	} else {
		status = serve(d);
	}
	free(d);
	return status;
}
