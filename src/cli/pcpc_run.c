// SPDX-License-Identifier: Apache-2.0
// What every command needs: a socket, the time, and to be told to stop.
#include "pcpc.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = stopped + 1;
}

unsigned pcpc_stopped(void)
{
	return (unsigned)stopped;
}

void pcpc_catch_signals(sigset_t *waiting)
{
	struct sigaction action = {.sa_handler = stop};
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigprocmask(SIG_BLOCK, &block, waiting);
}

ns pcpc_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (ns)t.tv_sec * NS_PER_S + (ns)t.tv_nsec;
}

ns pcpc_time_limit(const struct pcpc_options *o)
{
	return o->timeout_s == 0 ? POSTERN_NEVER : pcpc_now() + o->timeout_s * NS_PER_S;
}

bool pcpc_is_unreachable(int err)
{
	return err == ECONNREFUSED || err == EHOSTUNREACH || err == ENETUNREACH;
}

int pcpc_wait(struct pollfd *fds, nfds_t n, ns until, const sigset_t *waiting)
{
	ns now = pcpc_now(), span = until > now ? until - now : 0;
	struct timespec t = {
		.tv_sec = (time_t)(span / NS_PER_S), .tv_nsec = (long)(span % NS_PER_S)};

	return ppoll(fds, n, until == POSTERN_NEVER ? NULL : &t, waiting);
}

int pcpc_open_to(const struct pcpc_options *o, const struct postern_endpoint *server,
	uint32_t interface, struct postern_endpoint *local)
{
	char text[PCPC_ENDPOINT_TEXT];
	int fd = pcpc_open(
		server, interface, o->has_source ? o->source : NULL, o->source_port, local);

	if (fd < 0)
		pcpc_complain(
			"cannot reach %s: %s", pcpc_format_endpoint(server, text), strerror(-fd));
	return fd;
}
