// SPDX-License-Identifier: Apache-2.0
#include "make.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void show(const struct conf_complaints *all)
{
	char line[600];

	for (uint32_t i = 0; i < all->n; i++) {
		conf_complaint_format(all, i, line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
}

struct conf *make_conf(const char *text, const struct conf *previous)
{
	struct conf_complaints all = {0};
	struct conf *c;
	int error = conf_load_text("t", text, strlen(text), previous, &c, &all);

	show(&all);
	cr_assert_eq(error, 0, "%s", text);
	cr_assert_eq(all.n, 0);
	conf_complaints_destroy(&all);
	check_conf(c);
	return c;
}

struct conf *make_conf_format(const struct conf *previous, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	int n = vasprintf(&text, format, arguments);
	va_end(arguments);
	cr_assert_geq(n, 0);
	struct conf *c = make_conf(text, previous);
	free(text);
	return c;
}

ip4 make_ip(const char *text)
{
	ip4 ip = 0;

	cr_assert(ip4_parse(text, &ip), "%s", text);
	return ip;
}

const struct conf_external *find_external(const struct conf *c, ip4 ip)
{
	for (uint32_t i = 0; i < c->n_external; i++) {
		if (c->external[i].ip == ip)
			return &c->external[i];
	}
	return NULL;
}

// Whether the owners and `whole` of an address agree, and all owners exist.
static bool owners_are_good(const struct conf *c, const struct conf_external *e)
{
	bool good = true;

	for (uint32_t p = 0; p < CONF_CUT; p++) {
		good &= e->owner[p] < c->n_workers;
		good &= e->whole == CONF_CUT_ADDRESS || e->whole == e->owner[p];
	}
	return good;
}

// Ports of whole blocks in a share.
static uint32_t count_block_ports(const struct nat_address *share)
{
	uint32_t size = share->port_set_size;
	uint32_t first = (share->port_first + size - 1) / size;

	return ((share->port_last + 1u) / size - min_u32(first, (share->port_last + 1u) / size)) *
	       size;
}

// Every dynamic port of an address is in the share of exactly its owner.
static void check_external(const struct conf *c, uint32_t i, uint64_t ports[CONF_MAX_WORKERS])
{
	const struct conf_external *e = &c->external[i];
	const struct conf_group *g = &c->groups[e->group];
	uint32_t covered = 0;
	bool good = owners_are_good(c, e) && (i == 0 || e[-1].ip < e->ip);

	for (uint16_t w = 0; w < c->n_workers; w++) {
		struct nat_address share;
		if (!conf_external_share(c, i, w, &share))
			continue;
		good &= share.ip == e->ip && share.group == e->group;
		good &= g->port_first <= share.port_first && share.port_last <= g->port_last;
		for (uint32_t p = share.port_first / 1024; p <= share.port_last / 1024u; p++)
			good &= e->owner[p] == w;
		covered += share.port_last - share.port_first + 1u;
		ports[w] += count_block_ports(&share);
	}
	cr_assert(good, "address %u of %u", i, c->n_external);
	cr_assert_eq(covered, g->port_last - g->port_first + 1u);
}

static bool sources_are_good(const struct server_sources *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->list[i].bits > 32 || s->list[i].base & ~prefix4_mask(s->list[i].bits))
			return false;
	}
	return true;
}

static bool realm_is_inside(const struct conf *c, uint8_t realm)
{
	for (uint32_t i = 0; i < c->n_interfaces; i++) {
		if (c->interfaces[i].realm == realm)
			return c->interfaces[i].side == CONF_INSIDE;
	}
	return false;
}

static bool prefix64_is_good(const struct pcp_prefix64 *p)
{
	bool good = (p->length >= 4 && p->length <= 8) || p->length == 12;

	good &= p->n <= ARRAY_SIZE(p->ip4);
	for (unsigned i = 0; good && i < p->n; i++)
		good = p->ip4[i].bits <= 32 && !(p->ip4[i].address & ~prefix4_mask(p->ip4[i].bits));
	return good && p->octets[min_u32(p->length, 8)] == 0; // RFC 6052 s.2.2
}

static void check_pcp(const struct conf *c, const struct conf_group *g)
{
	const struct server_policy *p = &g->pcp;

	cr_assert(p->dialects && p->dialects < 1 << PCP_DIALECTS);
	cr_assert(p->opcodes && p->opcodes < 1 << SERVER_OTHER_OPCODE);
	cr_assert_lt(p->options, 1 << PCP_OTHER_OPTION);
	cr_assert(p->lifetime_min_s > 0 && p->lifetime_min_s <= p->lifetime_max_s);
	cr_assert(p->request_burst > 0 && p->probe_burst > 0);
	cr_assert(p->description_max <= NAT_DESCRIPTION);
	cr_assert(p->port_set_max >= 1 && p->port_set_max <= NAT_SET_MAX);
	cr_assert(g->nat.filter_limit >= 1 && g->nat.filter_limit <= SERVER_MAX_FILTERS);
	cr_assert(sources_are_good(&p->third_party.sources));
	cr_assert(sources_are_good(&p->nonce_readers));
	for (uint32_t i = 0; i < p->third_party.n_ids; i++) {
		const struct server_id *id = &p->third_party.ids[i];
		cr_assert(id->length >= 1 && id->length <= SERVER_MAX_ID);
		cr_assert(realm_is_inside(c, id->realm));
	}
	for (uint32_t i = 0; i < p->n_prefix64; i++) {
		cr_assert(prefix64_is_good(&p->prefix64[i]));
		cr_assert(i == 0 || p->prefix64[i - 1].n > 0 || p->prefix64[i].n == 0);
	}
}

static void check_group(const struct conf *c, uint32_t id)
{
	uint64_t ports[CONF_MAX_WORKERS] = {0};
	uint32_t n = 0;

	cr_assert_eq(c->groups[id].id, id);
	check_pcp(c, &c->groups[id]);
	cr_assert_geq(c->groups[id].nat.port_set_size, c->limits.port_set_min);
	for (uint32_t i = 0; i < c->n_external; i++) {
		if (c->external[i].group != id)
			continue;
		n++;
		check_external(c, i, ports);
	}
	cr_assert_eq(n, c->groups[id].n_external);
	for (uint16_t w = 0; w < c->n_workers; w++)
		cr_assert_gt(ports[w], 0, "group %u, worker %u has no block", id, w);
}

static void check_statics(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_statics; i++) {
		const struct conf_static *s = &c->statics[i];
		const struct conf_external *e = find_external(c, s->external.addr);
		cr_assert_not_null(e);
		cr_assert_eq(e->group, s->group);
		cr_assert_eq(s->owner, conf_inside_owner(c, s->key.host));
		cr_assert_eq(s->addressee, e->owner[s->external.port / 1024]);
		cr_assert_eq(conf_outside_owner(c, e, s->key.protocol, s->external.port), s->owner);
		cr_assert_eq(conf_group_of(c, s->key.realm, s->key.host), s->group);
	}
}

static void check_interfaces(const struct conf *c)
{
	bool taken[CONF_MAX_REALMS] = {false};

	cr_assert_geq(c->n_next_hops, c->n_interfaces);
	for (uint16_t i = 0; i < c->n_interfaces; i++) {
		const struct conf_interface *f = &c->interfaces[i];
		cr_assert_eq(c->next_hops[i].iface, i);
		cr_assert_eq(c->next_hops[i].gateway, 0);
		cr_assert_lt(f->port, c->n_ports);
		cr_assert_lt(f->realm, c->n_realms);
		cr_assert_eq(f->realm == 0, f->side == CONF_OUTSIDE);
		cr_assert(f->realm == 0 || !taken[f->realm]);
		taken[f->realm] = true;
		cr_assert_eq(conf_find_interface(c, f->port, f->vlan), i);
		for (uint32_t j = 0; j < f->n_addresses; j++) {
			const struct conf_local *l =
				conf_find_local(c, f->realm, f->addresses[j].ip);
			cr_assert_eq(l->kind, CONF_LOCAL_INTERFACE);
			cr_assert_eq(l->index, i);
		}
	}
	for (uint32_t i = c->n_interfaces; i < c->n_next_hops; i++)
		cr_assert_neq(c->next_hops[i].gateway, 0);
}

void check_conf(const struct conf *c)
{
	check_interfaces(c);
	for (uint32_t i = 0; i < c->n_groups; i++) {
		if (c->groups[i].used)
			check_group(c, i);
	}
	check_statics(c);
}

void check_mistake(const struct mistake *m)
{
	struct conf_complaints all = {0};
	struct conf *c;
	char line[600];
	uint32_t n = 0;

	cr_assert_eq(conf_load_text("t", m->text, strlen(m->text), NULL, &c, &all), -EINVAL, "%s",
		m->text);
	cr_assert_null(c);
	while (n < LINES_MOST && m->lines[n])
		n++;
	for (uint32_t i = 0; i < all.n && i < n; i++) {
		conf_complaint_format(&all, i, line, sizeof line);
		cr_assert_str_eq(line, m->lines[i], "%s\n%s\nnot\n%s", m->text, line, m->lines[i]);
	}
	cr_assert_eq(all.n, n, "%s: %u complaints, not %u", m->text, all.n, n);
	conf_complaints_destroy(&all);
}
