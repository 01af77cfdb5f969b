// SPDX-License-Identifier: Apache-2.0
// What the library tells, as a session understands it: whose it is, and what it is news to.
#include "pcpc_session.h"

struct pcpc_target *pcpc_session_target(struct pcpc_session *s, int server)
{
	for (unsigned i = 0; i < s->n_targets; i++)
		if (s->targets[i].server == server)
			return &s->targets[i];
	return NULL;
}

static bool what_of(enum postern_what event, enum pcpc_what *out)
{
	static const struct {
		enum postern_what event;
		enum pcpc_what what;
	} pairs[] = {
		{POSTERN_MAPPED, PCPC_IS_GRANTED},
		{POSTERN_CHANGED, PCPC_IS_CHANGED},
		{POSTERN_LOST, PCPC_IS_EXPIRED},
		{POSTERN_REFUSED, PCPC_IS_REFUSED},
		{POSTERN_DELETED, PCPC_IS_DELETED},
		{POSTERN_REMAINS, PCPC_IS_REMAINS},
		{POSTERN_ANNOUNCED, PCPC_IS_ANNOUNCED},
		{POSTERN_RESTARTED, PCPC_IS_RESTARTED},
		{POSTERN_DIALECT, PCPC_IS_DIALECT},
		{POSTERN_SERVER_GONE, PCPC_IS_GONE},
		{POSTERN_SERVER_BACK, PCPC_IS_BACK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (pairs[i].event != event)
			continue;
		*out = pairs[i].what;
		return true;
	}
	return false; // an inner NAT comes as a refusal, too; prefixes are shown as options
}

// A router that never granted anything need not know PCP: its silence is no news.
static bool is_no_news(const struct pcpc_target *t, enum pcpc_what what)
{
	return !t->granted && (what == PCPC_IS_GONE || what == PCPC_IS_BACK);
}

static enum pcp_dialect dialect_of(unsigned dialect)
{
	return dialect == POSTERN_V2 ? PCP_V2 : dialect == POSTERN_V1 ? PCP_V1B : PCP_NATPMP;
}

static struct pcpc_result other_version(const struct pcpc_target *t)
{
	return (struct pcpc_result){
		.what = PCPC_IS_OTHER_VERSION,
		.id = -1,
		.result = PCP_UNSUPP_VERSION,
		.version = t->refusal.version,
		.lifetime_s = min_u32(t->refusal.lifetime_s, PCP_ERROR_LONG_S),
	};
}

static bool is_announce_planned(const struct pcpc_session *s, int server)
{
	struct postern_action action;
	uintptr_t cursor = 0;

	while (postern_client_action(s->client, &cursor, &action))
		if (action.server == server && action.deed == POSTERN_SEND_ANNOUNCE)
			return true;
	return false;
}

// A refused version ends the question about the Epoch without a word.
static bool take_refused_announce(
	struct pcpc_session *s, struct pcpc_result *r, struct pcpc_target **target)
{
	for (unsigned i = 0; i < s->n_targets; i++) {
		struct pcpc_target *t = &s->targets[i];

		if (t->state != PCPC_WAITS || !t->refused_version ||
			s->options->command != PCPC_ANNOUNCE || is_announce_planned(s, t->server))
			continue;
		*r = other_version(t);
		*target = t;
		return true;
	}
	return false;
}

static void compare(struct pcpc_target *t, const struct postern_event *e, struct pcpc_result *r)
{
	if (r->what == PCPC_IS_RESTARTED || r->what == PCPC_IS_EXPIRED)
		t->recovering = t->granted;
	if (r->what != PCPC_IS_GRANTED && r->what != PCPC_IS_CHANGED)
		return;
	if (t->granted && memcmp(&t->memory.external, &e->external, sizeof e->external) != 0) {
		r->what = PCPC_IS_CHANGED;
		r->before = t->memory.external;
	}
	r->renewed = t->granted;
	r->recovered = t->recovering;
	t->granted = true;
	t->recovering = false;
	t->expires = pcpc_now() + e->lifetime_s * NS_PER_S;
}

static void translate(struct pcpc_target *t, const struct postern_event *e, struct pcpc_result *r)
{
	*r = (struct pcpc_result){
		.what = r->what,
		.id = e->id,
		.result = e->result,
		.protocol = e->protocol,
		.internal_port = e->internal_port,
		.external = e->external,
		.lifetime_s = e->lifetime_s,
		.epoch_s = e->epoch_s,
	};
	memcpy(r->nonce, e->nonce, sizeof r->nonce);
	t->show.dialect = dialect_of(e->dialect);
	if (r->what == PCPC_IS_REFUSED && r->result == PCP_UNSUPP_VERSION && t->refused_version)
		*r = other_version(t);
	compare(t, e, r);
}

bool pcpc_events_next(struct pcpc_session *s, struct pcpc_result *r, struct pcpc_target **target)
{
	struct postern_event e;

	while (postern_client_event(s->client, &e)) {
		*target = pcpc_session_target(s, e.server);
		if (!*target || !what_of(e.what, &r->what) || is_no_news(*target, r->what))
			continue;
		translate(*target, &e, r);
		return true;
	}
	return take_refused_announce(s, r, target);
}
