// SPDX-License-Identifier: Apache-2.0
// One run against one or many servers, by the library: find them, ask, wait, tell, remember.
#include "pcpc_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

// How much longer found servers may take once another has answered: a default router need not know
// PCP, and nobody promised that it does.
#define GRACE (2 * NS_PER_S)

static enum pcpc_exit ask_new(struct pcpc_session *s, unsigned *n_asked);

enum waited {
	WAITED_RESULT,
	WAITED_TIMEOUT,
	WAITED_STOPPED,
};

// The next result; `heed`: so many signals end the waiting.
static enum waited next_result(struct pcpc_session *s, ns until, unsigned heed,
	struct pcpc_result *r, struct pcpc_target **t)
{
	for (;;) {
		unsigned n_new;
		ns deadline;

		if (s->keeping)
			(void)ask_new(s, &n_new);
		pcpc_ways_send(s);
		if (pcpc_events_next(s, r, t))
			return WAITED_RESULT;
		if (pcpc_stopped() >= heed)
			return WAITED_STOPPED;
		if (pcpc_now() >= until)
			return WAITED_TIMEOUT;
		deadline = postern_client_deadline(s->client);
		pcpc_ways_wait(s, deadline < until ? deadline : until);
	}
}

static void note(struct pcpc_session *s, struct pcpc_target *t, const struct pcpc_result *r)
{
	if (r->what == PCPC_IS_GRANTED || r->what == PCPC_IS_CHANGED) {
		memcpy(t->memory.nonce, r->nonce, sizeof t->memory.nonce);
		t->memory.external = r->external;
		pcpc_memory_put(s, t, r->lifetime_s);
	} else if (r->what == PCPC_IS_DELETED) {
		pcpc_memory_drop(s, t);
	}
}

// ---- until all have answered -----------------------------------------------------------------

// News of a server on the way end nothing.
static bool ends_question(enum pcpc_what what)
{
	return what != PCPC_IS_RESTARTED && what != PCPC_IS_DIALECT && what != PCPC_IS_GONE &&
	       what != PCPC_IS_BACK;
}

static enum pcpc_exit exit_of(const struct pcpc_result *r)
{
	if (r->what == PCPC_IS_EXPIRED)
		return PCPC_TRY_LATER;
	return pcpc_exit_of_result(r->result);
}

// Those of whom an answer may be expected; the others have been found only.
static bool may_wait_for(const struct pcpc_target *t, bool others_answered)
{
	if (t->state != PCPC_WAITS)
		return false;
	return t->as.origin == POSTERN_CONFIGURED || !others_answered || !t->unreachable;
}

static ns wait_until(const struct pcpc_session *s, ns limit, ns answered)
{
	bool others = answered != POSTERN_NEVER, waits = false;

	for (unsigned i = 0; i < s->n_targets; i++) {
		const struct pcpc_target *t = &s->targets[i];

		if (!may_wait_for(t, others))
			continue;
		if (!others || t->as.origin == POSTERN_CONFIGURED)
			return limit;
		waits = true;
	}
	if (!waits)
		return 0;
	return answered + GRACE < limit ? answered + GRACE : limit;
}

// A found server that is no PCP server is nobody's fault when another one answered.
static void conclude_silent(struct pcpc_session *s, struct pcpc_outcome *outcome, bool others)
{
	for (unsigned i = 0; i < s->n_targets; i++) {
		struct pcpc_target *t = &s->targets[i];
		bool counts = t->as.origin == POSTERN_CONFIGURED || !others;

		if (t->state != PCPC_WAITS)
			continue;
		t->end = PCPC_NO_ANSWER;
		if (counts)
			pcpc_outcome_add(outcome, PCPC_NO_ANSWER);
		if (counts || !s->options->json)
			pcpc_show_silence(&t->show, t->unreachable);
	}
}

// Waits for what ends the request at each server.
static enum pcpc_exit finish(struct pcpc_session *s, unsigned heed)
{
	ns limit = pcpc_time_limit(s->options), answered = POSTERN_NEVER, until;
	struct pcpc_outcome outcome = {0};

	while ((until = wait_until(s, limit, answered)) > 0) {
		struct pcpc_target *t;
		struct pcpc_result r;
		enum waited waited = next_result(s, until, heed, &r, &t);

		if (waited == WAITED_STOPPED)
			return PCPC_INTERRUPTED;
		if (waited == WAITED_TIMEOUT)
			break;
		note(s, t, &r);
		pcpc_show_result(&t->show, &r);
		if (!ends_question(r.what) || t->state != PCPC_WAITS)
			continue;
		t->state = PCPC_IDLE;
		t->end = exit_of(&r);
		pcpc_outcome_add(&outcome, t->end);
		if (answered == POSTERN_NEVER)
			answered = pcpc_now();
	}
	conclude_silent(s, &outcome, answered != POSTERN_NEVER);
	return pcpc_outcome_exit(&outcome);
}

// ---- mappings --------------------------------------------------------------------------------

static enum pcpc_exit ask_mapping(struct pcpc_session *s, struct pcpc_target *t)
{
	struct postern_mapping want = s->want;

	if (!pcpc_memory_choose(s, t, &want))
		return PCPC_NO_ANSWER;
	want.server = t->server;
	t->mapping = postern_client_map(s->client, &want, pcpc_now());
	if (t->mapping < 0) {
		pcpc_complain("the request makes no sense: %s", strerror(-t->mapping));
		return PCPC_USAGE;
	}
	if (want.lifetime_s > 0) // before it is sent: the answer may be lost
		pcpc_memory_put(s, t, want.lifetime_s);
	return PCPC_OK;
}

static enum pcpc_exit ask(struct pcpc_session *s, struct pcpc_target *t)
{
	enum pcpc_exit end = PCPC_OK;

	t->asked = true;
	if (s->options->command == PCPC_ANNOUNCE)
		postern_client_announce(s->client, t->server, pcpc_now());
	else
		end = ask_mapping(s, t);
	if (end != PCPC_OK)
		return end;
	t->state = PCPC_WAITS;
	pcpc_show_asking(&t->show);
	return PCPC_OK;
}

static bool has_way(const struct pcpc_session *s, const struct pcpc_target *t)
{
	for (unsigned i = 0; i < s->n_ways; i++)
		if (s->ways[i].target == t && !s->ways[i].left)
			return true;
	return false;
}

// Asks every server that there is a way to and that was not asked yet. PCPC_USAGE ends it all.
static enum pcpc_exit ask_new(struct pcpc_session *s, unsigned *n_asked)
{
	*n_asked = 0;
	for (unsigned i = 0; i < s->n_targets; i++) {
		struct pcpc_target *t = &s->targets[i];
		enum pcpc_exit end;

		if (t->state == PCPC_WENT || t->asked || !has_way(s, t))
			continue;
		end = ask(s, t);
		if (end == PCPC_USAGE)
			return end;
		*n_asked += end == PCPC_OK;
	}
	return PCPC_OK;
}

static bool any_granted(const struct pcpc_session *s)
{
	for (unsigned i = 0; i < s->n_targets; i++)
		if (s->targets[i].granted && s->targets[i].state != PCPC_WENT)
			return true;
	return false;
}

// ---- --keep ----------------------------------------------------------------------------------

static void keep(struct pcpc_session *s)
{
	struct pcpc_target *t;
	struct pcpc_result r;

	s->keeping = true;
	for (unsigned i = 0; i < s->n_targets; i++) {
		s->targets[i].show.timed = true;
		if (s->targets[i].state == PCPC_WAITS)
			s->targets[i].state = PCPC_IDLE;
	}
	if (!s->options->json)
		pcpc_complain(s->options->leave_open ? "keeping it; Ctrl-C ends that"
						     : "keeping it open; Ctrl-C closes it");
	while (next_result(s, POSTERN_NEVER, 1, &r, &t) == WAITED_RESULT) {
		note(s, t, &r);
		pcpc_show_result(&t->show, &r);
	}
	s->keeping = false;
}

static void leave_open(struct pcpc_session *s)
{
	for (unsigned i = 0; i < s->n_targets; i++) {
		struct pcpc_target *t = &s->targets[i];
		ns now = pcpc_now();
		struct pcpc_result r = {
			.what = PCPC_IS_LEFT,
			.id = t->mapping,
			.protocol = s->want.protocol,
			.internal_port = s->want.internal_port,
		};

		if (!t->granted || t->state == PCPC_WENT || t->expires <= now)
			continue;
		r.lifetime_s = (uint32_t)((t->expires - now) / NS_PER_S);
		memcpy(r.nonce, t->memory.nonce, sizeof r.nonce);
		pcpc_show_result(&t->show, &r);
	}
}

static enum pcpc_exit give_back(struct pcpc_session *s)
{
	for (unsigned i = 0; i < s->n_targets; i++) {
		struct pcpc_target *t = &s->targets[i];

		// What was asked for and not answered may be there all the same.
		if (t->state == PCPC_WENT || t->mapping < 0 ||
			!(t->granted || t->state == PCPC_WAITS))
			continue;
		t->unreachable = false;
		if (postern_client_delete(s->client, t->mapping, pcpc_now()) == 0)
			t->state = PCPC_WAITS;
	}
	return finish(s, 2);
}

static enum pcpc_exit run_mapping(struct pcpc_session *s)
{
	enum pcpc_exit end = finish(s, 1);
	bool stopped = end == PCPC_INTERRUPTED;
	bool lasting = s->want.peer.port == 0; // a peer's mapping ends by itself, not by request

	if (!s->want.keep || (!stopped && !any_granted(s)))
		return end;
	if (!stopped)
		keep(s);
	if (s->options->leave_open || !lasting) {
		leave_open(s);
		return any_granted(s) ? PCPC_OK : PCPC_INTERRUPTED;
	}
	end = give_back(s);
	return stopped ? PCPC_INTERRUPTED : end;
}

// ---- commands --------------------------------------------------------------------------------

// The options of the command line, as they travel: the library carries them.
static bool add_options(struct pcpc_session *s)
{
	struct postern_mapping *want = &s->want;
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

static bool make_want(struct pcpc_session *s)
{
	s->want = s->options->mapping;
	if (s->options->command == PCPC_DELETE)
		s->want.lifetime_s = 0;
	if (s->want.prefer_failure && s->want.external.port == 0) {
		pcpc_complain("--prefer-failure needs a wish: --external-port or --external");
		return false;
	}
	return add_options(s);
}

static enum pcpc_exit run_command(struct pcpc_session *s)
{
	unsigned n_asked;

	if (s->options->command != PCPC_ANNOUNCE && !make_want(s))
		return PCPC_USAGE;
	if (ask_new(s, &n_asked) != PCPC_OK)
		return PCPC_USAGE;
	if (n_asked > 0)
		return s->options->command == PCPC_ANNOUNCE ? finish(s, 1) : run_mapping(s);
	pcpc_complain("no nonce is known for this port, so no mapping of it can be ours: give "
		      "--nonce, or the --state file of the run that made it; a NAT-PMP server "
		      "(--version nat-pmp) needs none");
	return PCPC_USAGE;
}

// ---- setting up ------------------------------------------------------------------------------

static int create_client(struct pcpc_session *s)
{
	struct postern_client_options o = {.dialects = s->options->dialects};

	if (getrandom(o.seed, sizeof o.seed, 0) != (ssize_t)sizeof o.seed)
		abort();
	return postern_client_create(&o, &s->client);
}

// Why nobody is asked: for each server why there is no way to it.
static enum pcpc_exit complain_no_way(const struct pcpc_session *s)
{
	struct postern_endpoint local;

	if (s->n_targets == 0)
		pcpc_complain("no server to ask: DHCP named none, and there is no default router; "
			      "name one with --server");
	for (unsigned i = 0; i < s->n_targets; i++)
		(void)pcpc_open_to(s->options, &s->targets[i].as.addresses[0],
			s->targets[i].as.interface, &local);
	return PCPC_NO_ANSWER;
}

static enum pcpc_exit run(struct pcpc_session *s)
{
	if (create_client(s) < 0 || pcpc_finder_open(&s->finder, s->options) < 0)
		return PCPC_REFUSED;
	pcpc_catch_signals(&s->waiting);
	if (pcpc_ways_follow(s) == 0)
		return complain_no_way(s);
	if (s->options->mapping.keep) // without it a restart is noticed at the renewal
		pcpc_ways_listen(s);
	if (s->options->command != PCPC_ANNOUNCE)
		pcpc_memory_open(s);
	return run_command(s);
}

int pcpc_session_run(const struct pcpc_options *o)
{
	struct pcpc_session *s = calloc(1, sizeof *s);
	enum pcpc_exit end;

	if (!s)
		return PCPC_REFUSED;
	s->options = o;
	s->announcements[0] = s->announcements[1] = -1;
	end = run(s);
	pcpc_ways_close(s);
	postern_client_destroy(s->client);
	free(s);
	return end;
}
