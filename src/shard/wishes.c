// SPDX-License-Identifier: Apache-2.0
// What control asks of a shard: pages of its tables, mappings added and removed, subscribers and
// groups cleared, announcements. One wish at a time, in bounded portions; rows wait when the ring
// of answers is full.
#include "wishes.h"

static void answer_done(struct grant *w, struct shard_answer *a)
{
	a->kind = SHARD_DONE;
	a->id = w->wish->id;
	if (ring_push(w->s->answers, a)) // else: again at the next step
		w->g->busy = false;
}

void wish_done(struct grant *w, int32_t error)
{
	answer_done(w, &(struct shard_answer){.error = error});
}

void wish_done_page(struct grant *w, uint32_t cursor)
{
	answer_done(w, &(struct shard_answer){.cursor = cursor});
}

void wish_done_mapping(struct grant *w, const struct nat_view *view)
{
	answer_done(w, &(struct shard_answer){.mapping = *view});
}

bool wish_has_room(const struct grant *w, uint32_t answers)
{
	return ring_free(w->s->answers) > answers;
}

void wish_answer(struct grant *w, struct shard_answer *answer)
{
	answer->id = w->wish->id;
	(void)ring_push(w->s->answers, answer);
}

bool wish_is_mine(const struct grant *w, ip4 host)
{
	return conf_inside_owner(w->c, host) == w->s->id;
}

static void (*const deeds[])(struct grant *w) = {
	[SHARD_SHOW_MAPPINGS] = wish_show_mappings,
	[SHARD_SHOW_SUBSCRIBERS] = wish_show_subscribers,
	[SHARD_SHOW_LEASES] = wish_show_leases,
	[SHARD_SHOW_CLIENTS] = wish_show_clients,
	[SHARD_SHOW_SESSIONS] = wish_show_sessions,
	[SHARD_TRACE] = wish_trace,
	[SHARD_DELETE_MAPPING] = wish_delete_mapping,
	[SHARD_ADD_MAPPING] = wish_add_mapping,
	[SHARD_CLEAR_SUBSCRIBER] = wish_clear_subscriber,
	[SHARD_CLEAR_GROUP] = wish_clear_group,
	[SHARD_RESET_CLIENT] = wish_reset_client,
	[SHARD_ANNOUNCE] = wish_announce,
};

static void grant(struct grant *w)
{
	if (w->wish->kind < ARRAY_SIZE(deeds))
		deeds[w->wish->kind](w);
	else
		wish_done(w, -EINVAL);
}

bool wishes_step(struct shard *s, const struct conf *c, ns now)
{
	struct granting *g = &s->granting;
	struct grant w = {s, c, g, &g->wish, now, (uint32_t)(now / NS_PER_S)};

	if (!g->busy) {
		struct shard_wish wish;

		if (!ring_pop(s->wishes, &wish))
			return false;
		*g = (struct granting){.busy = true, .wish = wish};
	}
	if (!wish_has_room(&w, 1))
		return false; // control must read first
	grant(&w);
	return g->busy && wish_has_room(&w, 1);
}
