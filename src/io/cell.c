// SPDX-License-Identifier: Apache-2.0
// The one pointer by which workers reach the snapshot, and what control keeps for them besides: the
// Epochs and the neighbours.
#include "bond.h"

#include <urcu/urcu-qsbr.h>

#include "onlink.h"

enum {
	POLL_LEARNED = 256, // neighbours taken over from one worker at a time
	POLL_AGED = 1024,   // places of the table looked at
};

// ---- snapshot --------------------------------------------------------------------------------

const struct conf *io_conf(const struct io *io)
{
	return io->conf; // control is the only writer
}

static bool is_other_group(const struct conf_group *old, const struct conf_group *new_group)
{
	return new_group->used && (!old->used || strcmp(old->name, new_group->name) != 0);
}

static bool is_on_link(const struct conf *c, uint64_t key, ip6 name)
{
	uint16_t i = neighbour_key_iface(key);

	if (i >= c->n_interfaces)
		return false;
	return ip6_is_mapped(name) ? onlink_neighbour(&c->interfaces[i], ip6_to_ip4(name))
				   : onlink6_neighbour(&c->interfaces[i], name);
}

static bool keep_neighbour(const void *ctx, uint64_t key, ip6 name, bool is_static)
{
	const struct conf *c = ctx;
	uint16_t i = neighbour_key_iface(key);

	if (is_static)
		return i < c->n_interfaces && conf_find_neighbour(&c->interfaces[i], name);
	return is_on_link(c, key, name);
}

static void set_static(
	struct io *io, const struct conf *c, uint16_t i, const struct conf_neighbour *n, ns now)
{
	uint64_t key = ip6_is_mapped(n->ip) ? neighbour_key(i, ip6_to_ip4(n->ip))
					    : neighbour_key6(&io->neighbours, i, n->ip);
	char text[IP6_TEXT];

	if (!neighbours_set_static(&io->neighbours, key, n->ip, n->mac, now))
		log_error(io->log, "no place for the static neighbour %s on %s: it is asked for",
			ip6_format(n->ip, text), c->interfaces[i].name);
}

void cell_set_static(struct io *io, const struct conf *c, ns now)
{
	for (uint16_t i = 0; i < c->n_interfaces; i++) {
		for (uint32_t k = 0; k < c->interfaces[i].n_neighbours; k++)
			set_static(io, c, i, &c->interfaces[i].neighbours[k], now);
	}
}

struct conf *io_publish(struct io *io, struct conf *new_conf, ns now)
{
	struct conf *old = io->conf;

	for (uint16_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if (is_other_group(&old->groups[i], &new_conf->groups[i]))
			io_epoch_reset(io, (uint8_t)i, now);
	}
	ports_raise_mtu(io, new_conf);
	cell_set_static(io, new_conf, now); // first, so that nobody asks for them
	rcu_assign_pointer(io->conf, new_conf);
	urcu_qsbr_synchronize_rcu();
	ports_lower_mtu(io);
	neighbours_prune(&io->neighbours, keep_neighbour, new_conf);
	return old;
}

// ---- epochs ----------------------------------------------------------------------------------

void io_epoch_reset(struct io *io, uint8_t group, ns base)
{
	__atomic_store_n(&io->epochs->base_ns[group], base, __ATOMIC_RELEASE);
}

const struct shard_epochs *io_epochs(const struct io *io)
{
	return io->epochs;
}

// ---- neighbours ------------------------------------------------------------------------------

static void log_news(const struct io *io, const struct learned *news, const char *what)
{
	const struct conf_interface *iface = &io->conf->interfaces[neighbour_key_iface(news->key)];
	const uint8_t *mac = news->mac;
	char text[IP6_TEXT];

	log_info(io->log, "neighbour %s on %s %s %02x:%02x:%02x:%02x:%02x:%02x",
		ip6_format(news->name, text), iface->name, what, mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
}

// The worker may have seen an older snapshot than the one in force.
static void take_news(struct io *io, const struct learned *news, ns now)
{
	if (!is_on_link(io->conf, news->key, news->name))
		return;
	enum neighbour_change change = neighbours_learn(
		&io->neighbours, news->key, news->name, news->mac, news->word, now);
	if (change == NEIGHBOUR_MOVED)
		log_news(io, news, "is now at");
	else if (change == NEIGHBOUR_DISPUTED)
		log_news(io, news, "is asked again, as it is claimed by");
}

void io_poll(struct io *io, ns now)
{
	struct learned news;

	for (uint16_t k = 0; k < io->n_workers; k++) {
		for (int i = 0; i < POLL_LEARNED && ring_pop(io->workers[k]->learned, &news); i++)
			take_news(io, &news, now);
	}
	neighbours_age(&io->neighbours, POLL_AGED, now);
	bond_watch(io);
}

static void show_neighbour(const struct neighbours *t, uint32_t i, ns now, struct io_neighbour *out)
{
	const struct neighbour_place *p = &t->places[i];
	ns age = now > t->confirmed[i] ? now - t->confirmed[i] : 0;

	*out = (struct io_neighbour){
		.iface = neighbour_key_iface(p->key),
		.ip = t->names[i],
		.stale = p->value & NEIGHBOUR_FLAG_STALE,
		.is_static = p->value & NEIGHBOUR_FLAG_STATIC,
		.age_s = (uint32_t)(age / NS_PER_S),
	};
	neighbour_value_mac(p->value, out->mac);
}

uint32_t io_neighbours(
	const struct io *io, ns now, uint32_t *cursor, struct io_neighbour *out, uint32_t max)
{
	const struct neighbours *t = &io->neighbours;
	uint32_t n = 0, end = neighbours_places(t);

	for (; *cursor < end && n < max; (*cursor)++) {
		if (t->places[*cursor].key != 0)
			show_neighbour(t, *cursor, now, &out[n++]);
	}
	if (*cursor >= end)
		*cursor = 0;
	return n;
}
