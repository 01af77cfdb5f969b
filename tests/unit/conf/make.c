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

// The first port that is dealt: of a plan the first behind its hosts' ports.
static uint32_t first_dealt(const struct conf_group *g)
{
	const struct nat_plan *p = g->nat.plan;

	return p ? p->port_first + p->hosts_per_address * p->ports_per_host : g->port_first;
}

// Of a plan the overflow part is cut into at most 64 pieces of equally many blocks.
uint16_t piece_owner(const struct conf *c, const struct conf_external *e, uint32_t port)
{
	const struct conf_group *g = &c->groups[e->group];
	uint32_t first = first_dealt(g), size = g->nat.port_set_size, length = size;

	if (!e->planned)
		return e->owner[port / 1024];
	if (port < first)
		return e->owner[0];
	while (length / size * CONF_CUT < (g->port_last + 1u - first) / size)
		length += size;
	return e->owner[min_u32((port - first) / length, CONF_CUT - 1)];
}

// A range whose ports all have this owner; how many they are. No piece is shorter than a block, or
// than 1024 ports.
static uint32_t count_run(const struct conf *c, const struct conf_external *e, uint16_t w,
	uint32_t first, uint32_t last)
{
	uint32_t step = min_u32(c->groups[e->group].nat.port_set_size, 1024);

	if (first > last)
		return 0;
	for (uint32_t p = first; p <= last; p += step)
		cr_assert_eq(piece_owner(c, e, p), w);
	cr_assert_eq(piece_owner(c, e, last), w);
	return last - first + 1;
}

// What of port-forwarding-range is given out: of a cut address no piece that has dynamic ports.
static uint32_t count_explicit(const struct conf *c, const struct conf_external *e)
{
	const struct conf_group *g = &c->groups[e->group];
	uint32_t n = 0;

	for (uint32_t p = g->nat.explicit_first; p && p <= g->nat.explicit_last; p++)
		n += e->whole != CONF_CUT_ADDRESS || p / 1024 < g->port_first / 1024u ||
		     p / 1024 > g->port_last / 1024u;
	return n;
}

struct given { // of one address, to all workers
	uint32_t dynamic, explicit;
};

static void check_share(const struct conf *c, const struct conf_external *e, uint16_t w,
	const struct nat_address *share, struct given *given)
{
	const struct conf_group *g = &c->groups[e->group];
	uint32_t dynamic = count_run(c, e, w, share->port_first, share->port_last);

	cr_assert(share->ip == e->ip && share->group == e->group && share->planned == e->planned);
	cr_assert_eq(share->port_set_size, g->nat.port_set_size);
	cr_assert_geq(share->port_first, min_u32(first_dealt(g), 65535));
	cr_assert_leq(share->port_last, g->port_last);
	given->dynamic += dynamic;
	if (share->explicit_first)
		given->explicit += count_run(c, e, w, share->explicit_first, share->explicit_last);
	else if (g->nat.explicit_first && g->n_external < c->n_workers)
		cr_assert_eq(count_block_ports(share), 0,
			"worker %u has no ports for explicit mappings", w);
	cr_assert(dynamic || share->explicit_first || e->planned);
}

// Every dynamic port of an address is in the share of exactly its owner.
static void check_external(const struct conf *c, uint32_t i, uint64_t ports[CONF_MAX_WORKERS])
{
	const struct conf_external *e = &c->external[i];
	const struct conf_group *g = &c->groups[e->group];
	struct given given = {0, 0};

	cr_assert(owners_are_good(c, e) && (i == 0 || e[-1].ip < e->ip), "address %u of %u", i,
		c->n_external);
	cr_assert_eq(e->planned, g->nat.plan != NULL);
	for (uint16_t w = 0; w < c->n_workers; w++) {
		struct nat_address share;
		if (!conf_external_share(c, i, w, &share)) {
			cr_assert_not(e->planned);
			continue;
		}
		check_share(c, e, w, &share, &given);
		ports[w] += count_block_ports(&share);
	}
	cr_assert_eq(given.dynamic, g->port_last + 1u - first_dealt(g));
	cr_assert_eq(given.explicit, count_explicit(c, e));
}

// Its numbers fit together, and forward and reverse find back to the ends of every address.
static void check_plan(const struct conf_group *g)
{
	const struct nat_plan *p = g->nat.plan;
	uint64_t hosts = 0;

	cr_assert_eq(p, &g->plan);
	for (uint32_t i = 0; i < p->n_inside; i++)
		hosts += UINT64_C(1) << (32 - p->inside[i].bits);
	cr_assert_eq(hosts, p->n_hosts);
	cr_assert_eq(p->n_external, g->n_external);
	cr_assert_eq(p->hosts_per_address, (hosts + p->n_external - 1) / p->n_external);
	cr_assert(p->ports_per_host > 0 && p->ports_per_host % p->port_set_size == 0);
	cr_assert(p->port_first >= g->port_first && p->port_first % p->port_set_size == 0);
	cr_assert_leq(first_dealt(g), p->port_last + 1u);
	cr_assert_eq(p->port_last, g->port_last);
	cr_assert_eq(p->port_set_size, g->nat.port_set_size);
	for (uint32_t i = 0; i < p->n_external; i++)
		cr_assert(i == 0 || p->external[i - 1] < p->external[i]);
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
	if (c->groups[id].nat.plan)
		check_plan(&c->groups[id]);
	for (uint16_t w = 0; !c->groups[id].nat.plan && w < c->n_workers; w++)
		cr_assert_gt(ports[w], 0, "group %u, worker %u has no block", id, w);
}

static uint16_t addressee_of(const struct conf *c, const struct conf_external *e, uint16_t port)
{
	const struct nat_plan *plan = c->groups[e->group].nat.plan;
	ip4 host;

	if (plan && nat_plan_reverse(plan, e->ip, port, &host) == NAT_PLAN_HOST)
		return conf_inside_owner(c, host);
	return piece_owner(c, e, port);
}

static void check_statics(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_statics; i++) {
		const struct conf_static *s = &c->statics[i];
		const struct conf_external *e = find_external(c, s->external.addr);
		cr_assert_not_null(e);
		cr_assert_eq(e->group, s->group);
		cr_assert_eq(s->owner, conf_inside_owner(c, s->key.host));
		cr_assert_eq(s->addressee, addressee_of(c, e, s->external.port));
		cr_assert_eq(conf_outside_owner(c, e, s->key.protocol, s->external.port), s->owner);
		cr_assert_eq(conf_group_of(c, s->key.realm, s->key.host), s->group);
	}
}

static bool is_in_subnet(const struct conf_interface *f, ip6 ip)
{
	bool in = f->n_addresses6 > 0 && ip.b[0] == 0xfe && (ip.b[1] & 0xc0) == 0x80;

	for (uint32_t j = 0; j < f->n_addresses6; j++) {
		struct prefix6 p = {f->addresses6[j].ip, f->addresses6[j].bits};
		in |= prefix6_has(&p, ip);
	}
	for (uint32_t j = 0; ip6_is_mapped(ip) && j < f->n_addresses; j++) {
		ip4 mask = prefix4_mask(f->addresses[j].bits);
		in |= ((f->addresses[j].ip ^ ip6_to_ip4(ip)) & mask) == 0;
	}
	return in;
}

static void check_neighbours(const struct conf *c, const struct conf_interface *f)
{
	cr_assert_leq(f->n_neighbours, CONF_MAX_NEIGHBOURS);
	for (uint32_t j = 0; j < f->n_neighbours; j++) {
		const struct conf_neighbour *n = &f->neighbours[j];
		ip4 old = ip6_is_mapped(n->ip) ? ip6_to_ip4(n->ip) : 0;
		const struct conf_local *l = old ? conf_find_local(c, f->realm, old) : NULL;
		cr_assert(j == 0 || memcmp(n[-1].ip.b, n->ip.b, sizeof n->ip.b) < 0);
		cr_assert_eq(conf_find_neighbour(f, n->ip), n);
		cr_assert(is_in_subnet(f, n->ip));
		cr_assert(!l || l->kind == CONF_LOCAL_ANYCAST ||
			  (l->kind == CONF_LOCAL_POOL && f->side == CONF_INSIDE));
		cr_assert_eq(conf_find_local6(c, n->ip), -1);
		cr_assert_eq(n->mac[0] & 1, 0);
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
		for (uint32_t j = 0; j < f->n_addresses6; j++)
			cr_assert_eq(conf_find_local6(c, f->addresses6[j].ip), i);
		cr_assert(f->n_addresses6 == 0 || (c->ip6 && f->mtu >= 1280));
		check_neighbours(c, f);
	}
	for (uint32_t i = c->n_interfaces; i < c->n_next_hops; i++)
		cr_assert_neq(
			c->next_hops[i].gateway == 0, ip6_eq(c->next_hops[i].gateway6, (ip6){{0}}));
}

static void check_routes6(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_routes6; i++) {
		const struct conf_route6 *r = &c->routes6[i];
		const struct conf_interface *f = &c->interfaces[c->next_hops[r->next_hop].iface];
		cr_assert_lt(r->next_hop, c->n_next_hops);
		cr_assert_gt(f->n_addresses6, 0);
		cr_assert(i == 0 || r[-1].to.bits >= r->to.bits);
	}
}

static void check_logs(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_logs; i++) {
		const struct conf_log *l = &c->logs[i];
		cr_assert_neq(l->file[0] == 0, l->host[0] == 0);
		cr_assert(l->file[0] || l->port > 0);
		cr_assert(l->format != CONF_LOG_IPFIX || l->host[0]);
		cr_assert(l->mtu >= 512 && l->templates_s > 0);
	}
	cr_assert(!c->log_fail_closed || c->n_logs > 0);
}

static void check_limits(const struct conf *c)
{
	struct nat_limits l = conf_shard_limits(c);
	const struct nat_timers *t = &c->timers;

	cr_assert(l.sessions > 0 && l.mappings_reserved < l.mappings);
	cr_assert_leq(t->n_ports, NAT_PORT_TIMERS);
	for (uint32_t i = 0; i < t->n_ports; i++) {
		cr_assert(t->ports[i].port >= 1 && t->ports[i].port <= 1023);
		cr_assert(t->ports[i].seconds > 0);
		cr_assert(i == 0 || t->ports[i - 1].port < t->ports[i].port);
	}
	cr_assert(t->udp >= 120 && t->icmp >= 60 && t->tcp_idle >= 240 && t->tcp_rst >= 10);
}

void check_conf(const struct conf *c)
{
	check_interfaces(c);
	check_routes6(c);
	check_logs(c);
	check_limits(c);
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
