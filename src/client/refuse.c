// SPDX-License-Identifier: Apache-2.0
// What a refusal means: no identical request before its lifetime is over (RFC 6887 s.8.3); a server
// that ran out of resources is spared new mappings, or, when it could not even delete, everything
// (s.11.4).
#include "state.h"

static void spare(struct fact *f, ns until)
{
	struct server *s = f->server;

	if (f->phase == PHASE_DELETING)
		s->silent = until;
	else
		s->no_new = until;
	server_replan(s);
}

static void wait_for(struct fact *f, ns until)
{
	if (f->phase == PHASE_HELD) {
		if (f->request.next != NEVER)
			f->request.next =
				until < f->expires ? later(until, f->request.next) : NEVER;
	} else if (f->phase == PHASE_ASKING && f->wish->want.keep) {
		fact_ask(f, until);
		f->refused = true;
	} else if (f->phase == PHASE_ASKING && f->expires != NEVER) {
		f->phase = PHASE_HELD; // what is there stays as it is
		request_stop(f->server, &f->request);
	} else {
		fact_end(f, true);
	}
	fact_plan(f);
}

void take_refusal(struct fact *f, uint16_t result, uint32_t lifetime_s, uint32_t epoch_s, ns now)
{
	struct postern_event *event;
	uint32_t believed_s;
	ns lifetime;

	if (f->phase == PHASE_DONE)
		return; // he knows
	lifetime = client_lifetime(f->client, lifetime_s, &believed_s);
	f->blocked = now + later(lifetime, RENEWALS_APART);
	f->result = result;
	if (result == PCP_NO_RESOURCES)
		spare(f, f->blocked);
	wait_for(f, f->blocked);
	event = fact_tell(f, POSTERN_REFUSED);
	event->result = result;
	event->lifetime_s = believed_s;
	event->epoch_s = epoch_s;
	if (result == PCP_ADDRESS_MISMATCH)
		server_tell(f->server, POSTERN_INNER_NAT)->result = result;
}
