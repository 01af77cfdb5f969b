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
	ANNOUNCEMENTS4,
	ANNOUNCEMENTS6,
	OWN, // the port of earlier requests
	SOCKETS
};

struct watch {
	const struct pcpc_options *options;
	struct pcpc_show show;
	struct pollfd fds[SOCKETS];
	sigset_t waiting;
	struct pcpc_servers servers; // ours; none: everybody's word is shown alike
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
	for (unsigned i = 0; i < w->servers.n; i++)
		for (unsigned k = 0; k < w->servers.list[i].n_addresses; k++) {
			const struct postern_endpoint *e = &w->servers.list[i].addresses[k];

			if (e->port == from->port && memcmp(e->ip, from->ip, sizeof e->ip) == 0)
				return true;
		}
	return w->servers.n == 0;
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

	w->show.server = *from;
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

// Announcements come to the networks that lead to our servers; without one, to that of --source.
static int listen_towards(struct watch *w, const struct postern_endpoint *local)
{
	ip6 ip;
	struct pollfd *fd;

	memcpy(ip.b, local->ip, sizeof ip.b);
	fd = &w->fds[ip6_is_mapped(ip) ? ANNOUNCEMENTS4 : ANNOUNCEMENTS6];
	return fd->fd >= 0 ? 0 : opened(pcpc_open_announcements(local), "port 5350", fd);
}

static int listen_for_announcements(struct watch *w)
{
	const struct pcpc_options *o = w->options;
	struct postern_endpoint local = postern_endpoint_ip4((const uint8_t[4]){0}, 0);

	if (o->has_source) {
		memcpy(local.ip, o->source, sizeof local.ip);
		return listen_towards(w, &local);
	}
	for (unsigned i = 0; i < w->servers.n; i++) {
		const struct postern_server *server = &w->servers.list[i];
		int fd = pcpc_open(&server->addresses[0], server->interface, NULL, 0, &local);

		if (fd < 0)
			continue;
		close(fd);
		if (listen_towards(w, &local) < 0)
			return -1;
	}
	if (w->fds[ANNOUNCEMENTS4].fd < 0 && w->fds[ANNOUNCEMENTS6].fd < 0)
		return listen_towards(w, &local);
	return 0;
}

static void find_servers(struct watch *w)
{
	struct pcpc_finder finder;

	if (pcpc_finder_open(&finder, w->options) < 0)
		return;
	pcpc_finder_servers(&finder, w->options, &w->servers);
	pcpc_finder_close(&finder);
	for (unsigned i = 0; i < w->servers.n; i++) {
		struct pcpc_show show = {.options = w->options,
			.server = w->servers.list[i].addresses[0],
			.origin = w->servers.list[i].origin,
			.interface = w->servers.list[i].interface};

		pcpc_show_asking(&show);
	}
}

static int set_up(struct watch *w)
{
	const struct pcpc_options *o = w->options;
	struct postern_endpoint local;
	char port[32];

	find_servers(w);
	if (listen_for_announcements(w) < 0)
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
		.show = {.options = &shown, .dialect = o->dialect},
		.fds = {{.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN},
			{.fd = -1, .events = POLLIN}}};
	bool ready;

	shown.fields = true;
	ready = set_up(&w) == 0;
	if (ready)
		listen_until(&w, pcpc_time_limit(o));
	for (size_t i = 0; i < SOCKETS; i++)
		if (w.fds[i].fd >= 0)
			close(w.fds[i].fd);
	if (ready && w.heard > 0)
		return PCPC_OK;
	return pcpc_stopped() ? PCPC_INTERRUPTED : PCPC_NO_ANSWER;
}
