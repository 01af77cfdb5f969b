// SPDX-License-Identifier: Apache-2.0
// One run against one server: open the socket, find the nonce, ask, wait, tell, remember.
#include "pcpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct session {
	const struct pcpc_options *options;
	struct postern_client *client;
	struct pcpc_show show;
	struct pcpc_memory memory; // of the mapping this run is about
	char state_path[4096];     // empty: nothing is remembered
	struct pollfd fds[2];      // requests and answers; announcements (-1: none)
	sigset_t waiting;          // the signal mask while asleep
	bool unreachable;
};

// ---- the loop --------------------------------------------------------------------------------

static void send_due(struct session *s)
{
	uint8_t datagram[POSTERN_DATAGRAM];
	size_t n;

	while ((n = postern_client_send(s->client, pcpc_now(), datagram)) > 0) {
		pcpc_show_datagram(&s->show, true, datagram, n);
		if (send(s->fds[0].fd, datagram, n, 0) < 0 && pcpc_is_unreachable(errno))
			postern_client_unreachable(s->client);
	}
}

static void receive_all(struct session *s, int fd)
{
	for (;;) {
		uint8_t datagram[POSTERN_DATAGRAM + 4]; // an oversized one must not look right
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		ssize_t n = recvfrom(fd, datagram, sizeof datagram, 0, (void *)&sa, &len);
		struct postern_endpoint from;

		if (n < 0 && pcpc_is_unreachable(errno)) {
			postern_client_unreachable(s->client);
			continue;
		}
		if (n < 0)
			return;
		from = pcpc_endpoint_of(&sa);
		if (!postern_client_receive(s->client, pcpc_now(), &from, datagram, (size_t)n))
			continue;
		pcpc_show_datagram(&s->show, false, datagram, (size_t)n);
		memcpy(s->show.answer, datagram, (size_t)n);
		s->show.n_answer = (size_t)n;
	}
}

static void wait_until(struct session *s, ns until)
{
	if (pcpc_wait(s->fds, ARRAY_SIZE(s->fds), until, &s->waiting) <= 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(s->fds); i++)
		if (s->fds[i].revents)
			receive_all(s, s->fds[i].fd);
}

enum waited {
	WAITED_RESULT,
	WAITED_TIMEOUT,
	WAITED_STOPPED,
};

// The next result that says something about the request; unreachables are only remembered.
static enum waited next_result(
	struct session *s, ns until, bool heed_stop, struct postern_result *r)
{
	for (;;) {
		ns deadline;

		send_due(s);
		while (postern_client_result(s->client, r)) {
			if (r->what != POSTERN_UNREACHABLE)
				return WAITED_RESULT;
			s->unreachable = true;
		}
		if (heed_stop && pcpc_stopped())
			return WAITED_STOPPED;
		if (pcpc_now() >= until)
			return WAITED_TIMEOUT;
		deadline = postern_client_deadline(s->client);
		wait_until(s, deadline < until ? deadline : until);
	}
}

// ---- memory ----------------------------------------------------------------------------------

static void forget(struct session *s)
{
	int err = s->state_path[0] ? pcpc_state_drop(s->state_path, &s->memory) : 0;

	if (err < 0)
		pcpc_complain("%s: %s", s->state_path, strerror(-err));
}

static void remember(struct session *s, uint32_t lifetime_s)
{
	int err;

	if (!s->state_path[0])
		return;
	s->memory.until = (uint64_t)time(NULL) + lifetime_s;
	err = pcpc_state_put(s->state_path, &s->memory);
	if (err < 0)
		pcpc_complain("the nonce is not remembered: %s: %s", s->state_path, strerror(-err));
}

static void note(struct session *s, const struct postern_result *r)
{
	if (r->what == POSTERN_GRANTED || r->what == POSTERN_CHANGED) {
		memcpy(s->memory.nonce, r->nonce, sizeof s->memory.nonce);
		s->memory.external = r->external;
		remember(s, r->lifetime_s);
	} else if (r->what == POSTERN_DELETED) {
		forget(s);
	}
}

// ---- outcome ---------------------------------------------------------------------------------

static enum pcpc_exit exit_of(const struct postern_result *r)
{
	if (r->what == POSTERN_REFUSED || r->what == POSTERN_OTHER_VERSION || r->result != 0)
		return PCPC_REFUSED;
	return PCPC_OK;
}

// Waits for what ends the request; a restart seen on the way is told, but ends nothing.
static enum pcpc_exit finish(struct session *s, bool heed_stop)
{
	ns until = pcpc_time_limit(s->options);

	for (;;) {
		struct postern_result r;
		enum waited waited = next_result(s, until, heed_stop, &r);

		if (waited == WAITED_TIMEOUT)
			pcpc_show_silence(&s->show, s->unreachable);
		if (waited != WAITED_RESULT)
			return PCPC_NO_ANSWER;
		note(s, &r);
		pcpc_show_result(&s->show, &r);
		if (r.what != POSTERN_RESTARTED)
			return exit_of(&r);
	}
}

static void keep(struct session *s)
{
	struct postern_result r;

	while (next_result(s, POSTERN_NEVER, true, &r) != WAITED_STOPPED) {
		note(s, &r);
		pcpc_show_result(&s->show, &r);
	}
}

// ---- commands --------------------------------------------------------------------------------

static enum pcpc_exit give_back(struct session *s, int id)
{
	s->unreachable = false;
	postern_client_delete(s->client, id, pcpc_now());
	return finish(s, false);
}

static enum pcpc_exit run_mapping(struct session *s, const struct postern_mapping *want)
{
	int id = postern_client_map(s->client, want, pcpc_now());
	bool lasting = want->peer.port == 0; // a peer's mapping ends by itself, not by request
	enum pcpc_exit end;

	if (id < 0) {
		pcpc_complain("the request makes no sense: %s", strerror(-id));
		return PCPC_USAGE;
	}
	if (want->lifetime_s > 0)
		remember(s, want->lifetime_s); // before it is sent: the answer may be lost
	end = finish(s, true);
	if (!want->keep || (end != PCPC_OK && !pcpc_stopped()))
		return end;
	if (end == PCPC_OK)
		keep(s);
	return lasting ? give_back(s, id) : end;
}

static void draw_nonce(struct postern_mapping *want)
{
	if (getrandom(want->nonce, sizeof want->nonce, 0) != (ssize_t)sizeof want->nonce)
		abort();
	want->has_nonce = true;
}

static bool needs_nonce(enum pcpc_command command)
{
	return command == PCPC_RENEW || command == PCPC_DELETE;
}

// The nonce given, or the one remembered, or for map a new one. False when there is none to use.
static bool choose_nonce(struct session *s, struct postern_mapping *want)
{
	bool known;

	s->memory.protocol = want->protocol;
	s->memory.port = want->internal_port;
	s->memory.peer = want->peer;
	known = s->state_path[0] && pcpc_state_find(s->state_path, &s->memory) == 0;
	if (!want->has_nonce && !known && needs_nonce(s->options->command)) {
		pcpc_complain("no nonce is known for this port, so no mapping of it can be ours: "
			      "give --nonce, or the --state file of the run that made it");
		return false;
	}
	if (want->has_nonce)
		memcpy(s->memory.nonce, want->nonce, sizeof want->nonce);
	else if (known)
		memcpy(want->nonce, s->memory.nonce, sizeof want->nonce);
	else
		draw_nonce(want);
	want->has_nonce = true;
	memcpy(s->memory.nonce, want->nonce, sizeof want->nonce);
	if (known && !s->options->has_external)
		want->external = s->memory.external;
	return true;
}

// The options of the command line, as they travel: the library carries them.
static bool add_options(struct session *s, struct postern_mapping *want)
{
	struct pcp_message m = {
		.version = PCP_VERSION, .dialect = PCP_V2, .internal_port = want->internal_port};
	uint8_t scratch[4 + POSTERN_OPTIONS];
	size_t end;

	end = pcpc_build_options(s->options, &m, false, scratch, 4, sizeof scratch);
	if (end == 0)
		return false;
	want->n_options = (uint16_t)(end - 4);
	memcpy(want->options, scratch + 4, want->n_options);
	return true;
}

static enum pcpc_exit run_command(struct session *s)
{
	struct postern_mapping want = s->options->mapping;

	if (s->options->command == PCPC_ANNOUNCE) {
		postern_client_announce(s->client, pcpc_now());
		return finish(s, true);
	}
	if (!choose_nonce(s, &want))
		return PCPC_USAGE;
	if (s->options->command == PCPC_DELETE)
		want.lifetime_s = 0;
	if (!add_options(s, &want))
		return PCPC_USAGE;
	if (want.prefer_failure && want.external.port == 0) {
		pcpc_complain("--prefer-failure needs a wish: --external-port or --external");
		return PCPC_USAGE;
	}
	return run_mapping(s, &want);
}

// ---- setting up ------------------------------------------------------------------------------

static int open_socket(struct session *s, struct postern_client_options *o)
{
	struct postern_endpoint local;
	int fd = pcpc_open_to(s->options, &o->server, &local);

	if (fd < 0)
		return fd;
	memcpy(s->show.source, local.ip, sizeof s->show.source);
	memcpy(o->source, s->options->has_client ? s->options->client : local.ip, sizeof o->source);
	s->fds[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	s->fds[1] = (struct pollfd){.fd = -1, .events = POLLIN};
	if (s->options->mapping.keep) // best effort: without it a restart is noticed at the renewal
		s->fds[1].fd = pcpc_open_announcements(&local);
	return 0;
}

static void choose_state(struct session *s)
{
	const char *path = s->options->state_path;

	if (path && strlen(path) < sizeof s->state_path)
		strcpy(s->state_path, path);
	else if (path || !pcpc_state_default_path(s->state_path, sizeof s->state_path))
		pcpc_complain("nowhere to remember nonces: give a --state file");
}

// A mapping is remembered under the host it leads to.
static void choose_host(struct session *s)
{
	for (unsigned i = 0; i < s->options->n_wishes; i++) {
		const struct pcpc_wish *wish = &s->options->wishes[i];

		if (wish->code == PCP_THIRD_PARTY && !wish->verbatim)
			memcpy(s->show.source, wish->address.b, sizeof s->show.source);
	}
	memcpy(s->memory.source, s->show.source, sizeof s->memory.source);
}

static int set_up(struct session *s)
{
	struct postern_client_options o = {.max_mappings = 1};

	if (pcpc_choose_server(s->options, &o.server) < 0 || open_socket(s, &o) < 0)
		return -1;
	if (getrandom(o.seed, sizeof o.seed, 0) != (ssize_t)sizeof o.seed)
		abort();
	s->show.server = s->memory.server = o.server;
	choose_host(s);
	if (s->options->command != PCPC_ANNOUNCE)
		choose_state(s);
	pcpc_catch_signals(&s->waiting);
	return postern_client_create(&o, &s->client);
}

int pcpc_session_run(const struct pcpc_options *o)
{
	struct session s = {.options = o, .show.options = o, .fds = {{.fd = -1}, {.fd = -1}}};
	enum pcpc_exit end = set_up(&s) < 0 ? PCPC_NO_ANSWER : run_command(&s);

	postern_client_destroy(s.client);
	for (size_t i = 0; i < ARRAY_SIZE(s.fds); i++)
		if (s.fds[i].fd >= 0)
			close(s.fds[i].fd);
	return end;
}
