// SPDX-License-Identifier: Apache-2.0
// The list of what will be done, in the order of time; of two at the same time the one planned
// first. Most of what is planned comes later than what is there, so places are looked for from the
// end.
#include "state.h"

static void take_out(struct postern_client *c, struct action *a)
{
	if (a->before)
		a->before->after = a->after;
	else
		c->first = a->after;
	if (a->after)
		a->after->before = a->before;
	else
		c->last = a->before;
	a->planned = false;
}

static void put_behind(struct postern_client *c, struct action *a, struct action *before)
{
	a->before = before;
	a->after = before ? before->after : c->first;
	if (before)
		before->after = a;
	else
		c->first = a;
	if (a->after)
		a->after->before = a;
	else
		c->last = a;
	a->planned = true;
}

void action_plan(struct postern_client *c, struct action *a, ns at)
{
	struct action *before;

	if (a->planned && a->at == at)
		return;
	if (a->planned)
		take_out(c, a);
	a->at = at;
	if (at == NEVER)
		return;
	before = c->last;
	while (before && before->at > at)
		before = before->before;
	put_behind(c, a, before);
}
