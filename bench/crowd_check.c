// SPDX-License-Identifier: Apache-2.0
// Whether client and server agree at the end: the server's own table is read as an operator would
// read it, and held against what every engine believes to hold.
#include <stdlib.h>

#include "crowd.h"

enum {
	PAGE = 512 // rows
};

static bool is_of_crowd(const struct crowd *c, const struct nat_view *v)
{
	return v->kind == NAT_EXPLICIT && v->key.protocol == NAT_UDP &&
	       v->key.host >= CROWD_FIRST && v->key.host - CROWD_FIRST < c->o->clients &&
	       v->key.port >= CROWD_FIRST_PORT &&
	       v->key.port - CROWD_FIRST_PORT < (int)c->o->mappings;
}

static void take_row(struct crowd *c, struct recipe *table, const struct nat_view *v)
{
	if (is_of_crowd(c, v))
		table[(size_t)(v->key.host - CROWD_FIRST) * c->o->mappings + v->key.port -
			CROWD_FIRST_PORT] = v->external;
}

// The page's successor; 0: there is none.
static uint32_t read_page(struct crowd *c, struct recipe *table, uint32_t cursor)
{
	struct shard_wish wish = {.kind = SHARD_SHOW_MAPPINGS,
		.cursor = cursor,
		.max = PAGE,
		.group = 255,
		.kinds = 1 << NAT_EXPLICIT};
	struct shard_answer a = {.kind = SHARD_ROW_MAPPING};

	if (!shard_wish(c->door.shard, &wish))
		return 0;
	while (a.kind != SHARD_DONE) {
		door_work(&c->door);
		while (shard_answer(c->door.shard, &a) && a.kind != SHARD_DONE) {
			if (a.kind == SHARD_ROW_MAPPING)
				take_row(c, table, &a.mapping);
		}
	}
	return a.cursor;
}

static bool is_held(const struct crowd *c, const struct postern_fact *f)
{
	return (f->state == POSTERN_STATE_MAPPED || f->state == POSTERN_STATE_REFRESHING) &&
	       f->expires_ns > c->now;
}

static bool is_same(const struct recipe *pair, const struct postern_endpoint *e)
{
	ip6 ip = ip6_mapped(pair->addr);

	return pair->port == e->port && memcmp(ip.b, e->ip, sizeof ip.b) == 0;
}

static uint32_t check_engine(const struct crowd *c, uint32_t who, const struct recipe *table)
{
	const struct recipe *mine = &table[(size_t)who * c->o->mappings];
	struct postern_fact f;
	uintptr_t cursor = 0;
	uint32_t agreed = 0;

	while (postern_client_fact(c->engines[who], &cursor, &f))
		agreed += is_held(c, &f) && is_same(&mine[f.id], &f.want.external);
	return c->o->mappings - agreed;
}

static uint32_t check_unpaced(const struct crowd *c, uint32_t who, const struct recipe *table)
{
	uint32_t lacking = 0;

	for (unsigned m = 0; m < c->o->mappings; m++)
		lacking += table[(size_t)who * c->o->mappings + m].port == 0;
	return lacking;
}

uint32_t crowd_differ(struct crowd *c)
{
	struct recipe *table = calloc((size_t)c->o->clients * c->o->mappings, sizeof *table);
	uint32_t differ = 0, cursor = 0;

	if (table == NULL)
		return c->o->clients * c->o->mappings;
	do
		cursor = read_page(c, table, cursor);
	while (cursor != 0);
	for (uint32_t i = 0; i < c->o->clients; i++)
		differ += crowd_is_unpaced(c, i) ? check_unpaced(c, i, table)
						 : check_engine(c, i, table);
	free(table);
	return differ;
}
