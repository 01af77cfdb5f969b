// SPDX-License-Identifier: Apache-2.0
// Listens for what a server says unasked (RFC 6887 s.14, RFC 6886 s.3.2.1): restart announcements
// to port 5350, and Mapping Updates to the port that requests came from.
#include "pcpc.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	ANNOUNCEMENTS, // IPv4, or IPv6 when that is our server's
	OWN,           // the port of earlier requests
	SOCKETS
};

struct watch {
	const struct pcpc_options *options;
	struct pcpc_show show;
	struct pollfd fds[SOCKETS];
	sigset_t waiting;
	bool has_server;
	uint32_t heard;
};

static const char *kind_of(const uint8_t *datagram, size_t n)
{
	if (n < 2 || !(datagram[1] & 0x80))
		return "no answer of a server";
	if (datagram[0] == 0)
		return datagram[1] == 0x80 ? "external address" : "changed mapping";
	if (datagram[1] == (0x80 | PCP_ANNOUNCE))
		return "restart announcement";
	return datagram[1] == (0x80 | PCP_MAP) || datagram[1] == (0x80 | PCP_PEER)
		       ? "changed mapping"
		       : "something else";
}

// Anybody in the network can send such datagrams: only our server's mean anything.
static bool is_ours(const struct watch *w, const struct postern_endpoint *from)
{
	return !w->has_server || (memcmp(from->ip, w->show.server.ip, sizeof from->ip) == 0 &&
					 from->port == w->show.server.port);
}

static void tell_text(struct watch *w, const struct postern_endpoint *from, const char *port,
	const uint8_t *datagram, size_t n)
{
	char text[PCPC_ENDPOINT_TEXT], at[16];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(at, sizeof at, "%H:%M:%S", &tm);
	printf("%s %s from %s on %s port%s\n", at, kind_of(datagram, n),
		pcpc_format_endpoint(from, text), port,
		is_ours(w, from) ? "" : ", who is not our server");
	pcpc_show_datagram(&w->show, false, datagram, n);
	fflush(stdout);
}

static void tell_json(struct watch *w, const struct postern_endpoint *from, const char *port,
	const uint8_t *datagram, size_t n)
{
	char text[PCPC_ENDPOINT_TEXT];
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I}", "status", "heard", "kind",
		kind_of(datagram, n), "from", pcpc_format_endpoint(from, text), "port", port,
		"ours", (int)is_ours(w, from), "time", (json_int_t)time(NULL));

	pcpc_show_datagram(&w->show, false, datagram, n);
	pcpc_show_object(&w->show, object);
}

static void hear(struct watch *w, size_t i)
{
	uint8_t datagram[PCPC_LARGEST];
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	ssize_t n = recvfrom(w->fds[i].fd, datagram, sizeof datagram, 0, (void *)&sa, &len);
	const char *port = i == OWN ? "our" : "the announcement";
	struct postern_endpoint from;

	if (n <= 0)
		return;
	from = pcpc_endpoint_of(&sa);
	w->heard++;
	if (w->options->json)
		tell_json(w, &from, port, datagram, (size_t)n);
	else
		tell_text(w, &from, port, datagram, (size_t)n);
}

static void listen_until(struct watch *w, ns until)
{
	while (!pcpc_stopped() && pcpc_now() < until) {
		if (pcpc_wait(w->fds, SOCKETS, until, &w->waiting) <= 0)
			continue;
		for (size_t i = 0; i < SOCKETS; i++) {
			if (w->fds[i].revents)
				hear(w, i);
			if (w->options->count > 0 && w->heard == w->options->count)
				return;
		}
	}
}

// ---- setting up ------------------------------------------------------------------------------

static int opened(int fd, const char *what, struct pollfd *out)
{
	if (fd < 0)
		pcpc_complain("cannot listen on %s: %s", what, strerror(-fd));
	out->fd = fd;
	return fd;
}

// Which network the announcements come from: that of --source, else of the way to the server.
static void find_local(struct watch *w, struct postern_endpoint *local)
{
	const struct pcpc_options *o = w->options;
	struct postern_endpoint server;
	int fd;

	w->has_server = o->has_server || pcpc_default_gateway(&server) == 0;
	if (w->has_server)
		w->show.server = o->has_server ? o->server : server;
	*local = postern_endpoint_ip4((const uint8_t[4]){0}, 0);
	if (o->has_source) {
		memcpy(local->ip, o->source, sizeof local->ip);
		return;
	}
	fd = w->has_server ? pcpc_open(&w->show.server, NULL, 0, local) : -1;
	if (fd >= 0)
		close(fd);
}

static int set_up(struct watch *w)
{
	const struct pcpc_options *o = w->options;
	struct postern_endpoint local;
	char port[32];

	find_local(w, &local);
	if (opened(pcpc_open_announcements(&local), "port 5350", &w->fds[ANNOUNCEMENTS]) < 0)
		return -1;
	if (o->source_port != 0) {
		snprintf(port, sizeof port, "port %u", o->source_port);
		if (opened(pcpc_open_listener(
				   o->has_source ? o->source : NULL, o->source_port, &local),
			    port, &w->fds[OWN]) < 0)
			return -1;
	}
	pcpc_catch_signals(&w->waiting);
	return 0;
}

int pcpc_watch_run(const struct pcpc_options *o)
{
	struct pcpc_options shown = *o; // what was heard is shown field by field, always
	struct watch w = {.options = o,
		.show.options = &shown,
		.fds = {{.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}}};
	bool ready;

	shown.fields = true;
	ready = set_up(&w) == 0;
	if (ready)
		listen_until(&w, pcpc_time_limit(o));
	for (size_t i = 0; i < SOCKETS; i++)
		if (w.fds[i].fd >= 0)
			close(w.fds[i].fd);
	return ready && w.heard > 0 ? PCPC_OK : PCPC_NO_ANSWER;
}
