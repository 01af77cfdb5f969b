// SPDX-License-Identifier: Apache-2.0
// All our own addresses in one open-addressing table, at most half full. An address of inside
// interfaces may stand there more than once, with another realm each time; probing passes over
// those of other realms.
#include <errno.h>
#include <stdlib.h>

#include "draft.h"

static void add(struct conf *c, struct conf_local local)
{
	uint32_t i = conf_local_home(c, local.ip);

	while (c->local[i].kind != CONF_NOT_LOCAL)
		i = (i + 1) & c->local_mask;
	c->local[i] = local;
}

static void add_interface(struct conf *c, uint32_t i)
{
	const struct conf_interface *f = &c->interfaces[i];

	for (uint32_t j = 0; j < f->n_addresses; j++)
		add(c, (struct conf_local){.ip = f->addresses[j].ip,
			       .kind = CONF_LOCAL_INTERFACE,
			       .realm = f->realm,
			       .index = i});
}

static void add_listen(struct conf *c, const struct conf_group *g)
{
	for (uint32_t j = 0; j < g->n_listen; j++)
		add(c, (struct conf_local){
			       .ip = g->listen[j], .kind = CONF_LOCAL_LISTEN, .index = g->id});
}

static bool any_listens_anycast(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_groups; i++) {
		if (c->groups[i].listen_anycast)
			return true;
	}
	return false;
}

static uint32_t count(const struct conf *c)
{
	uint32_t n = c->n_external + 1; // and the anycast one

	for (uint32_t i = 0; i < c->n_interfaces; i++)
		n += c->interfaces[i].n_addresses;
	for (uint32_t i = 0; i < c->n_groups; i++)
		n += c->groups[i].n_listen;
	return n;
}

int build_locals(struct conf *c)
{
	uint32_t room = 16;

	while (room < 2 * count(c))
		room *= 2;
	c->local_mask = room - 1;
	c->local = calloc(room, sizeof *c->local);
	if (!c->local)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n_interfaces; i++)
		add_interface(c, i);
	for (uint32_t i = 0; i < c->n_groups; i++)
		add_listen(c, &c->groups[i]);
	if (any_listens_anycast(c))
		add(c, (struct conf_local){.ip = CONF_ANYCAST, .kind = CONF_LOCAL_ANYCAST});
	for (uint32_t i = 0; i < c->n_external; i++)
		add(c, (struct conf_local){
			       .ip = c->external[i].ip, .kind = CONF_LOCAL_POOL, .index = i});
	return 0;
}

static bool seen_from(const struct conf_local *l, uint8_t realm)
{
	switch (l->kind) {
	case CONF_LOCAL_INTERFACE:
		return l->realm == 0 || l->realm == realm;
	case CONF_LOCAL_LISTEN:
	case CONF_LOCAL_ANYCAST:
		return realm != 0;
	default:
		return true;
	}
}

const struct conf_local *conf_find_local_from(
	const struct conf *c, uint8_t realm, ip4 ip, uint32_t i)
{
	for (; c->local[i].kind != CONF_NOT_LOCAL; i = (i + 1) & c->local_mask) {
		if (c->local[i].ip == ip && seen_from(&c->local[i], realm))
			return &c->local[i];
	}
	return NULL;
}
