// SPDX-License-Identifier: Apache-2.0
// A session's nonces: each server has its own (RFC 7488), found again by a later run.
#include "pcpc_session.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

void pcpc_memory_open(struct pcpc_session *s)
{
	const char *path = s->options->state_path;

	if (path && strlen(path) < sizeof s->state_path)
		strcpy(s->state_path, path);
	else if (path || !pcpc_state_default_path(s->state_path, sizeof s->state_path))
		pcpc_complain("nowhere to remember nonces: give a --state file");
}

// A mapping is remembered under the host it leads to.
static void choose_host(struct pcpc_session *s, struct pcpc_target *t)
{
	for (unsigned i = 0; i < s->options->n_wishes; i++) {
		const struct pcpc_wish *wish = &s->options->wishes[i];

		if (wish->code == PCP_THIRD_PARTY && !wish->verbatim)
			memcpy(t->show.source, wish->address.b, sizeof t->show.source);
	}
	memcpy(t->memory.source, t->show.source, sizeof t->memory.source);
}

static void draw_nonce(struct postern_mapping *want)
{
	if (getrandom(want->nonce, sizeof want->nonce, 0) != (ssize_t)sizeof want->nonce)
		abort();
}

static bool needs_nonce(enum pcpc_command command)
{
	return command == PCPC_RENEW || command == PCPC_DELETE;
}

bool pcpc_memory_choose(struct pcpc_session *s, struct pcpc_target *t, struct postern_mapping *want)
{
	struct pcpc_memory *m = &t->memory;
	bool known;

	choose_host(s, t);
	m->protocol = want->protocol;
	m->port = want->internal_port;
	m->peer = want->peer;
	known = s->state_path[0] && pcpc_state_find(s->state_path, m) == 0;
	if (!want->has_nonce && !known && needs_nonce(s->options->command))
		return false;
	if (!want->has_nonce && known)
		memcpy(want->nonce, m->nonce, sizeof want->nonce);
	else if (!want->has_nonce)
		draw_nonce(want);
	want->has_nonce = true;
	memcpy(m->nonce, want->nonce, sizeof m->nonce);
	if (known && !s->options->has_external)
		want->external = m->external;
	return true;
}

void pcpc_memory_put(struct pcpc_session *s, struct pcpc_target *t, uint32_t lifetime_s)
{
	int err;

	if (!s->state_path[0])
		return;
	t->memory.until = (uint64_t)time(NULL) + lifetime_s;
	err = pcpc_state_put(s->state_path, &t->memory);
	if (err < 0)
		pcpc_complain("the nonce is not remembered: %s: %s", s->state_path, strerror(-err));
}

void pcpc_memory_drop(struct pcpc_session *s, struct pcpc_target *t)
{
	int err = s->state_path[0] ? pcpc_state_drop(s->state_path, &t->memory) : 0;

	if (err < 0)
		pcpc_complain("%s: %s", s->state_path, strerror(-err));
}
