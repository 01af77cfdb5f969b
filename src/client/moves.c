// SPDX-License-Identifier: Apache-2.0
// Our own address changed (failure F17). A mapping belongs to the address it was made from, so it
// is asked for anew from the new one; the old one is ended as long as packets can still leave from
// there, because it counts against our quota until it expires.
#include "state.h"

void farewell_stop(struct fact *f)
{
	f->farewell.request.next = NEVER;
	action_plan(f->client, &f->farewell.act, NEVER);
}

static bool is_for_third_party(const struct fact *f)
{
	const struct postern_mapping *want = &f->wish->want;

	return options_find(want->options, want->n_options, PCP_THIRD_PARTY, NULL) != NULL;
}

// A third party's mapping does not follow us; a remote peer's cannot be ended.
static bool may_remain(const struct fact *f)
{
	return f->wish->want.peer.port == 0 && !is_for_third_party(f) &&
	       (f->granted_once || was_sent(&f->request));
}

static void start_farewell(struct fact *f, ns at)
{
	f->farewell.source = f->source;
	f->farewell.request = (struct request){.next = at};
	action_plan(f->client, &f->farewell.act, at);
}

static void move_deletion(struct fact *f, bool still_ours)
{
	if (still_ours || is_for_third_party(f))
		return; // it goes on from the old address
	fact_end(f, false);
	fact_tell(f, POSTERN_LOST);
}

void fact_move(struct fact *f, bool still_ours, ns now)
{
	ns slot;

	if (f->phase == PHASE_DELETING) {
		move_deletion(f, still_ours);
		return;
	}
	if (f->phase == PHASE_DONE)
		return;
	slot = pace_slot(f->client, now);
	if (still_ours && may_remain(f))
		start_farewell(f, slot);
	f->has_source = false;
	f->recovering = true;
	if (!is_for_third_party(f))
		fact_expect(f, NEVER);
	fact_ask(f, slot);
}
