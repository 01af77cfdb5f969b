// SPDX-License-Identifier: Apache-2.0
// Which dialect a server is spoken to in (RFC 6887 s.9, appendix A). Version 2 first; when the
// server refuses it, version 1 or NAT-PMP, as far as they are allowed; and version 2 again when
// the refusal has run out or the server started over, since gateways are replaced and updated.
#include "state.h"

#define LEAST_LOWER_S 1800 // a lower dialect is spoken for at least so long

enum pcp_dialect version_codec(const struct server *s)
{
	switch (s->dialect) {
	case POSTERN_V1:
		return PCP_V1B;
	case POSTERN_NATPMP:
		return PCP_NATPMP;
	default:
		return PCP_V2;
	}
}

static unsigned version_number(unsigned dialect)
{
	return dialect == POSTERN_V2 ? 2 : dialect == POSTERN_V1 ? 1 : 0;
}

static void switch_to(struct server *s, unsigned dialect)
{
	s->dialect = (uint8_t)dialect;
	s->in_flight = NULL;
	s->has_external = false;
	s->epoch.known = false; // another dialect may count from elsewhere
}

static void tell(struct server *s)
{
	if (s->told_dialect == s->dialect)
		return;
	s->told_dialect = s->dialect;
	server_tell(s, POSTERN_DIALECT);
}

// Whoever must be asked first is asked first in each dialect.
static void begin(struct server *s, ns now)
{
	if (server_asks_first(s))
		announce_start(s, now);
	server_replan(s);
}

void version_proved(struct server *s, unsigned dialect)
{
	bool other = s->dialect != dialect;

	s->dialect = (uint8_t)dialect; // its Epoch is known by now
	if (other)
		s->in_flight = NULL;
	if (dialect == POSTERN_V2)
		s->better = 0;
	tell(s);
	if (other)
		server_replan(s);
}

void version_reconsider(struct server *s, ns now)
{
	if (s->dialect == POSTERN_V2 || now < s->better || s->in_flight)
		return;
	switch_to(s, POSTERN_V2);
	begin(s, now);
}

void version_reset(struct server *s, ns now)
{
	if (s->dialect == POSTERN_V2)
		return;
	switch_to(s, POSTERN_V2);
	s->better = 0;
	tell(s);
	server_restart_requests(s, now);
	begin(s, now);
}

static bool may_speak(const struct server *s, unsigned dialect)
{
	if ((s->client->options.dialects & dialect) == 0)
		return false;
	return dialect != POSTERN_NATPMP || natpmp_may(s);
}

// The next dialect below the present one that the server may know, 0: none. What it says to be its
// nearest version rules out those above; one that names version 2 refusing it makes no sense.
static unsigned step_down(const struct server *s, unsigned version)
{
	if (s->dialect == POSTERN_V2 && version == 1 && may_speak(s, POSTERN_V1))
		return POSTERN_V1;
	if (s->dialect == POSTERN_NATPMP || (s->dialect == POSTERN_V2 && version > 1))
		return 0;
	return may_speak(s, POSTERN_NATPMP) ? POSTERN_NATPMP : 0;
}

static void fall_to(struct server *s, unsigned dialect, ns lifetime, ns now)
{
	if (s->dialect == POSTERN_V2)
		s->better = now + later(lifetime, LEAST_LOWER_S * NS_PER_S);
	switch_to(s, dialect);
	tell(s);
	server_restart_requests(s, now);
	begin(s, now);
}

// Nothing is left to try until the server may have changed.
static void fall_silent(struct server *s, ns lifetime, ns now)
{
	uint32_t lifetime_s;

	lifetime = sooner(lifetime, PCP_ERROR_LONG_S * NS_PER_S);
	lifetime = later(lifetime, RENEWALS_APART);
	lifetime_s = (uint32_t)(lifetime / NS_PER_S);
	if (s->dialect != POSTERN_V2)
		switch_to(s, POSTERN_V2);
	s->better = 0;
	s->silent = now + lifetime;
	request_stop(s, &s->announce);
	if (s->get.under_way)
		get_refused(s, PCP_UNSUPP_VERSION, lifetime_s, s->epoch.server_s);
	for (struct fact *f = s->facts; f; f = f->next_of_server)
		if (is_under_way(&f->request) && f->phase != PHASE_DONE)
			take_refusal(f, PCP_UNSUPP_VERSION, lifetime_s, s->epoch.server_s, now);
	server_replan(s);
}

bool version_refused(struct server *s, const struct pcp_version_refusal *refusal, ns now)
{
	uint32_t believed_s;
	unsigned lower;
	ns lifetime;

	if (!server_waits(s))
		return false;
	if (s->dialect != POSTERN_V2 && refusal->version == version_number(s->dialect))
		return true; // to a request of before we changed to just this
	lifetime = client_lifetime(s->client, refusal->lifetime_s, &believed_s);
	server_hear(s, now);
	lower = step_down(s, refusal->version);
	if (lower != 0)
		fall_to(s, lower, lifetime, now);
	else
		fall_silent(s, lifetime, now);
	return true;
}

// ---- what a dialect cannot say ---------------------------------------------------------------

static enum pcp_result natpmp_cannot(const struct postern_mapping *want)
{
	if (want->peer.port != 0)
		return PCP_UNSUPP_OPCODE;
	if (want->wildcard || (want->protocol != 6 && want->protocol != 17))
		return PCP_UNSUPP_PROTOCOL; // and a delete of port 0 would end all
	if (want->prefer_failure || options_have_mandatory(want))
		return PCP_UNSUPP_OPTION;
	return PCP_SUCCESS;
}

enum pcp_result version_cannot(const struct server *s, const struct fact *f)
{
	const struct postern_mapping *want = &f->wish->want;

	if (s->dialect == POSTERN_NATPMP)
		return natpmp_cannot(want);
	if (s->dialect != POSTERN_V1)
		return PCP_SUCCESS;
	if (want->wildcard && want->protocol == 0 && f->phase == PHASE_DELETING)
		return PCP_UNSUPP_PROTOCOL; // there it means: delete everything of this host
	if (PCP_HEADER + PCP_PEER_BODY + 4 + want->n_options > PCP_V1_MAX)
		return PCP_UNSUPP_OPTION;
	return PCP_SUCCESS;
}
