// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>

#include "state.h"

#define PACE_MS 500
#define LONGEST_LIFETIME_S 86400 // RFC 6887 s.11.4: do not believe in more
#define MOST_MAPPINGS 1024
#define FIRST_WISHES 8

struct postern_endpoint postern_endpoint_ip4(const uint8_t octets[4], uint16_t port)
{
	struct postern_endpoint e = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port};

	memcpy(e.ip + 12, octets, 4);
	return e;
}

// ---- memory ----------------------------------------------------------------------------------

static void *allocate_zeroed(void *context, size_t octets)
{
	(void)context;
	return calloc(1, octets);
}

static void release_plain(void *context, void *memory)
{
	(void)context;
	free(memory);
}

void *client_allocate(struct postern_client *c, size_t octets)
{
	return c->options.allocator.allocate(c->options.allocator.context, octets);
}

void client_release(struct postern_client *c, void *memory)
{
	if (memory)
		c->options.allocator.release(c->options.allocator.context, memory);
}

// ---- a client --------------------------------------------------------------------------------

static bool is_seed(const uint8_t seed[32])
{
	for (size_t i = 0; i < 32; i++)
		if (seed[i] != 0)
			return true;
	return false;
}

static void fill_in(struct postern_client_options *o)
{
	if (!o->allocator.allocate || !o->allocator.release)
		o->allocator = (struct postern_allocator){
			.allocate = allocate_zeroed, .release = release_plain};
	if (o->dialects == 0)
		o->dialects = POSTERN_V2 | POSTERN_V1 | POSTERN_NATPMP;
	if (o->pace_ms == 0)
		o->pace_ms = PACE_MS;
	if (o->longest_lifetime_s == 0)
		o->longest_lifetime_s = LONGEST_LIFETIME_S;
	if (o->max_mappings == 0)
		o->max_mappings = MOST_MAPPINGS;
}

int postern_client_create(const struct postern_client_options *options, struct postern_client **out)
{
	struct postern_client_options o = *options;
	struct postern_client *c;

	*out = NULL;
	if (!is_seed(o.seed))
		return -EINVAL;
	fill_in(&o);
	c = o.allocator.allocate(o.allocator.context, sizeof *c);
	if (!c)
		return -ENOMEM;
	*c = (struct postern_client){.options = o};
	rng_init(&c->rng, o.seed);
	memset(c->options.seed, 0, sizeof c->options.seed);
	*out = c;
	return 0;
}

static void release_told(struct postern_client *c)
{
	while (c->news_first) {
		struct news *news = c->news_first;
		struct fact *owner = news->owner;

		c->news_first = news->next;
		news->queued = false;
		if (owner)
			fact_release(owner);
	}
}

void postern_client_destroy(struct postern_client *c)
{
	if (!c)
		return;
	release_told(c);
	c->news_last = NULL;
	for (uint32_t i = 0; i < c->n_wishes; i++)
		if (c->wishes[i])
			wish_release(c, c->wishes[i]);
	while (c->servers) {
		struct server *s = c->servers;

		c->servers = s->next;
		client_release(c, s);
	}
	client_release(c, c->wishes);
	client_release(c, c);
}

const struct postern_client_counters *postern_client_counters(const struct postern_client *c)
{
	return &c->counters;
}

ns client_lifetime(struct postern_client *c, uint32_t lifetime_s, uint32_t *believed_s)
{
	*believed_s = min_u32(lifetime_s, c->options.longest_lifetime_s);
	if (*believed_s < lifetime_s)
		c->counters.lifetimes_cut++;
	return *believed_s * NS_PER_S;
}

// ---- ids -------------------------------------------------------------------------------------

struct wish *client_find_wish(const struct postern_client *c, int id)
{
	return id < 0 || (uint32_t)id >= c->n_wishes ? NULL : c->wishes[id];
}

static int more_wishes(struct postern_client *c)
{
	uint32_t n = c->n_wishes == 0 ? FIRST_WISHES : 2 * c->n_wishes;
	struct wish **wishes;

	n = min_u32(n, c->options.max_mappings);
	if (n <= c->n_wishes)
		return -ENOSPC;
	wishes = client_allocate(c, n * sizeof *wishes);
	if (!wishes)
		return -ENOMEM;
	if (c->n_wishes > 0)
		memcpy(wishes, c->wishes, c->n_wishes * sizeof *wishes);
	client_release(c, c->wishes);
	c->wishes = wishes;
	c->n_wishes = n;
	return 0;
}

int wish_add(struct postern_client *c, const struct postern_mapping *want, struct wish **out)
{
	uint32_t id = 0;
	int error;

	while (id < c->n_wishes && c->wishes[id])
		id++;
	if (id == c->n_wishes && (error = more_wishes(c)) < 0)
		return error;
	*out = client_allocate(c, sizeof **out);
	if (!*out)
		return -ENOMEM;
	**out = (struct wish){.id = (int)id, .want = *want};
	c->wishes[id] = *out;
	return 0;
}

void wish_release(struct postern_client *c, struct wish *w)
{
	while (w->facts) {
		struct fact *f = w->facts;

		fact_unlink(f);
		fact_release(f);
	}
	c->wishes[w->id] = NULL;
	client_release(c, w);
}
