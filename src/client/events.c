// SPDX-License-Identifier: Apache-2.0
// News wait where they happened, in the order in which they came; the newer takes the older one's
// place. So none is lost that matters, and none needs memory.
#include "state.h"

static struct postern_event *queue(struct postern_client *c, struct news *news)
{
	news->event = (struct postern_event){0};
	if (news->queued)
		return &news->event;
	news->queued = true;
	news->next = NULL;
	if (c->news_last)
		c->news_last->next = news;
	else
		c->news_first = news;
	c->news_last = news;
	return &news->event;
}

static uint32_t left_s(const struct fact *f)
{
	return f->expires == NEVER ? 0 : (uint32_t)((f->expires - f->granted) / NS_PER_S);
}

static void describe(const struct fact *f, enum postern_what what, struct postern_event *event)
{
	const struct server *s = f->server;
	const struct postern_mapping *want = &f->wish->want;

	*event = (struct postern_event){
		.what = what,
		.id = f->wish->id,
		.server = s->id,
		.tag = want->tag,
		.dialect = s->dialect,
		.protocol = want->protocol,
		.internal_port = want->internal_port,
		.n_ports = f->n_ports ? f->n_ports : 1,
		.external = f->external,
		.peer = want->peer,
		.lifetime_s = what == POSTERN_MAPPED || what == POSTERN_CHANGED ? left_s(f) : 0,
		.epoch_s = s->epoch.server_s,
	};
	memcpy(event->internal, f->source.b, sizeof event->internal);
	memcpy(event->nonce, f->nonce, sizeof event->nonce);
}

struct postern_event *fact_tell(struct fact *f, enum postern_what what)
{
	struct postern_event *event = queue(f->server->client, &f->news);

	describe(f, what, event);
	return event;
}

struct postern_event *part_tell(struct fact *f, struct part *part, enum postern_what what)
{
	struct postern_event *event = queue(f->server->client, &part->news);

	describe(f, what, event);
	event->internal_port = part->internal_port;
	event->n_ports = part->n_ports;
	event->external = part->external;
	return event;
}

struct postern_event *server_tell(struct server *s, enum postern_what what)
{
	struct postern_event *event = queue(s->client, &s->news[what]);

	*event = (struct postern_event){
		.what = what,
		.id = -1,
		.server = s->id,
		.dialect = s->dialect,
		.epoch_s = s->epoch.server_s,
	};
	return event;
}

// ---- dropping --------------------------------------------------------------------------------

static void unlink_news(struct postern_client *c, struct news *before, struct news *news)
{
	if (before)
		before->next = news->next;
	else
		c->news_first = news->next;
	if (c->news_last == news)
		c->news_last = before;
	news->next = NULL;
	news->queued = false;
}

void news_drop(struct postern_client *c, struct news *news)
{
	struct news *before = NULL, *at = c->news_first;

	if (!news->queued)
		return;
	while (at != news) {
		before = at;
		at = at->next;
	}
	unlink_news(c, before, news);
}

void news_drop_wish(struct postern_client *c, int id)
{
	struct news *before = NULL, *at = c->news_first;

	while (at) {
		struct news *next = at->next;
		struct fact *owner = at->owner;

		if (at->event.id == id && id >= 0) {
			unlink_news(c, before, at);
			if (owner)
				fact_release(owner);
		} else {
			before = at;
		}
		at = next;
	}
}

bool postern_client_event(struct postern_client *c, struct postern_event *out)
{
	struct news *news = c->news_first;

	if (news) {
		struct fact *owner = news->owner;

		unlink_news(c, NULL, news);
		*out = news->event;
		if (owner)
			fact_release(owner);
		return true;
	}
	for (struct server *s = c->servers; s; s = s->next)
		if (get_event(s, out))
			return true;
	return false;
}
