// SPDX-License-Identifier: Apache-2.0
// Look-ups against naive models of the same promise.
#include <stdio.h>
#include <stdlib.h>

#include "make.h"

static const char *const wide =
	"workers: 3\n"
	"ports:\n"
	"  in1: {device: a, side: inside, addresses: [10.0.0.1/24, 10.0.0.2/24],\n"
	"        routes: [{to: 10.9.0.0/16, via: 10.0.0.9}, {to: 10.9.1.0/24, via: 10.0.0.8}]}\n"
	"  in2: {parent: in1, vlan: 5, side: inside, addresses: [10.0.0.1/24]}\n"
	"  out1: {device: b, side: outside, addresses: [198.51.100.2/24], gateway: 198.51.100.1}\n"
	"  out2: {device: c, side: outside, addresses: [198.18.0.2/30],\n"
	"         routes: [{to: 192.0.2.0/24, via: 198.18.0.1}, {to: 198.18.9.0/24, via: "
	"198.18.0.1}]}\n"
	"nat-groups:\n"
	"  a: {inside: [in1], subscribers: [10.0.0.0/8, 10.1.0.0/16],\n"
	"      external-address-pool: [203.0.113.0/28], pcp: {listen: [192.0.2.1, gateway]}}\n"
	"  b: {inside: [in2], subscribers: [10.0.0.0/9],\n"
	"      external-address-pool: [203.0.113.16], pcp: {listen: [192.0.2.2, anycast]}}\n";

static const struct conf_local *find_local_naively(const struct conf *c, uint8_t realm, ip4 ip)
{
	for (uint32_t i = 0; i <= c->local_mask; i++) {
		const struct conf_local *l = &c->local[i];
		if (l->ip != ip || l->kind == CONF_NOT_LOCAL)
			continue;
		if (l->kind == CONF_LOCAL_POOL)
			return l;
		if ((l->kind == CONF_LOCAL_LISTEN || l->kind == CONF_LOCAL_ANYCAST) && realm != 0)
			return l;
		if (l->kind == CONF_LOCAL_INTERFACE && (l->realm == 0 || l->realm == realm))
			return l;
	}
	return NULL;
}

static void expect_local(
	const struct conf *c, uint8_t realm, const char *ip, uint8_t kind, uint32_t index)
{
	const struct conf_local *l = conf_find_local(c, realm, make_ip(ip));

	if (kind == CONF_NOT_LOCAL) {
		cr_assert_null(l, "%s in realm %u", ip, realm);
		return;
	}
	cr_assert_not_null(l, "%s in realm %u", ip, realm);
	cr_assert_eq(l->kind, kind, "%s in realm %u", ip, realm);
	cr_assert_eq(l->index, index, "%s in realm %u", ip, realm);
}

Test(conf, an_address_is_ours_where_it_should_be)
{
	struct conf *c = make_conf(wide, NULL);

	expect_local(c, 1, "10.0.0.1", CONF_LOCAL_INTERFACE, 0);
	expect_local(c, 2, "10.0.0.1", CONF_LOCAL_INTERFACE, 1);
	expect_local(c, 0, "10.0.0.1", CONF_NOT_LOCAL, 0);
	expect_local(c, 2, "10.0.0.2", CONF_NOT_LOCAL, 0);
	expect_local(c, 1, "10.0.0.2", CONF_LOCAL_INTERFACE, 0);
	expect_local(c, 0, "198.51.100.2", CONF_LOCAL_INTERFACE, 2);
	expect_local(c, 2, "198.51.100.2", CONF_LOCAL_INTERFACE, 2);
	expect_local(c, 1, "192.0.2.1", CONF_LOCAL_LISTEN, 0);
	expect_local(c, 2, "192.0.2.2", CONF_LOCAL_LISTEN, 1);
	expect_local(c, 0, "192.0.2.2", CONF_NOT_LOCAL, 0);
	expect_local(c, 0, "203.0.113.16", CONF_LOCAL_POOL, 16);
	expect_local(c, 1, "203.0.113.3", CONF_LOCAL_POOL, 3);
	expect_local(c, 1, "203.0.113.17", CONF_NOT_LOCAL, 0);
	conf_destroy(c);
}

Test(conf, local_addresses_agree_with_the_naive_search)
{
	struct conf *c = make_conf(wide, NULL);
	struct rng rng;

	rng_init_u64(&rng, 3);
	for (uint32_t i = 0; i <= c->local_mask; i++) {
		for (uint8_t realm = 0; realm < c->n_realms; realm++)
			cr_assert_eq(conf_find_local(c, realm, c->local[i].ip),
				find_local_naively(c, realm, c->local[i].ip));
	}
	for (uint32_t i = 0; i < 2000; i++) {
		ip4 ip = rng_u32(&rng);
		cr_assert_eq(conf_find_local(c, 1, ip), find_local_naively(c, 1, ip));
	}
	conf_destroy(c);
}

static void expect_route(
	const struct conf *c, uint8_t realm, const char *to, int iface, const char *via)
{
	uint32_t i = prefix_table_find(&c->routes[realm], make_ip(to));

	if (iface < 0) {
		cr_assert_eq(i, PREFIX_NONE, "%s", to);
		return;
	}
	cr_assert_lt(i, c->n_next_hops, "%s", to);
	cr_assert_eq(c->next_hops[i].iface, iface, "%s", to);
	cr_assert_eq(c->next_hops[i].gateway, via ? make_ip(via) : 0, "%s", to);
}

Test(conf, routes_of_a_realm_lead_to_its_own_interfaces)
{
	struct conf *c = make_conf(wide, NULL);

	expect_route(c, 0, "198.51.100.77", 2, NULL);
	expect_route(c, 0, "198.18.0.1", 3, NULL);
	expect_route(c, 0, "192.0.2.200", 3, "198.18.0.1");
	expect_route(c, 0, "8.8.8.8", 2, "198.51.100.1");
	expect_route(c, 1, "10.0.0.77", 0, NULL);
	expect_route(c, 1, "10.9.0.1", 0, "10.0.0.9");
	expect_route(c, 1, "10.9.1.1", 0, "10.0.0.8");
	expect_route(c, 1, "8.8.8.8", -1, NULL);
	expect_route(c, 2, "10.0.0.77", 1, NULL);
	expect_route(c, 2, "10.9.0.1", -1, NULL);
	cr_assert_eq(c->n_next_hops, 4 + 4, "one of two routes by 198.18.0.1 is enough");
	conf_destroy(c);
}

Test(conf, a_subscriber_belongs_to_the_group_of_his_realm)
{
	struct conf *c = make_conf(wide, NULL);

	cr_assert_eq(conf_group_of(c, 1, make_ip("10.1.2.3")), 0);
	cr_assert_eq(conf_group_of(c, 1, make_ip("10.200.2.3")), 0);
	cr_assert_eq(conf_group_of(c, 2, make_ip("10.1.2.3")), 1);
	cr_assert_eq(conf_group_of(c, 2, make_ip("10.200.2.3")), PREFIX_NONE);
	cr_assert_eq(conf_group_of(c, 0, make_ip("10.1.2.3")), PREFIX_NONE);
	conf_destroy(c);
}

// ---- static mappings -------------------------------------------------------------------------

static char *make_statics_text(struct rng *rng, uint32_t n)
{
	size_t room = 400 + n * 120u, at = 0;
	char *text = malloc(room);

	at += (size_t)snprintf(text, room,
		"workers: 5\n" PORTS "nat-groups:\n  g:\n    subscribers: [100.64.0.0/10]\n"
		"    external-address-pool: [203.0.113.0/31, 203.0.113.9]\n    static-mappings:\n");
	for (uint32_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, room - at,
			"    - {protocol: %s, internal: '100.64.%u.%u:80', external: "
			"'203.0.113.%u:%u'}\n",
			rng_below(rng, 2) ? "tcp" : "udp", i / 200, 1 + i % 200, rng_below(rng, 2),
			6000 + 3 * i);
	return text;
}

static uint16_t outside_owner_naively(
	const struct conf *c, const struct conf_external *e, uint8_t protocol, uint16_t port)
{
	for (uint32_t i = 0; i < c->n_statics; i++) {
		const struct conf_static *s = &c->statics[i];
		if (s->external.addr == e->ip && s->external.port == port &&
			s->key.protocol == protocol)
			return s->owner;
	}
	return e->owner[port / 1024];
}

Test(conf, static_mappings_are_found_at_their_subscribers_worker)
{
	struct rng rng;

	rng_init_u64(&rng, 5);
	char *text = make_statics_text(&rng, 700);
	struct conf *c = make_conf(text, NULL);
	cr_assert_eq(c->n_statics, 700);
	cr_assert(c->external[0].crossing);
	cr_assert_not(c->external[2].crossing);
	for (uint32_t i = 0; i < c->n_external; i++) {
		for (uint32_t port = 0; port < 65536; port++) {
			uint8_t protocol = (uint8_t)(NAT_UDP + (port + i) % 3);
			cr_assert_eq(
				conf_outside_owner(c, &c->external[i], protocol, (uint16_t)port),
				outside_owner_naively(
					c, &c->external[i], protocol, (uint16_t)port));
		}
	}
	conf_destroy(c);
	free(text);
}

Test(conf, a_static_mapping_may_say_its_realm)
{
	struct conf *c = make_conf(
		"ports:\n"
		"  inside: {device: a, addresses: [100.64.0.1/10]}\n"
		"  v20: {parent: inside, vlan: 20, side: inside, addresses: [100.64.0.1/10]}\n"
		"  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP
		"    inside: [v20, inside]\n"
		"    static-mappings:\n"
		"    - {protocol: tcp, internal: '100.64.0.9:1', external: '203.0.113.1:1'}\n"
		"    - {protocol: tcp, internal: '100.64.0.9:1', external: '203.0.113.1:2', "
		"inside: inside}\n"
		"    - {protocol: icmp, internal: '100.64.0.9:1', external: '203.0.113.1:1'}\n",
		NULL);

	cr_assert_eq(c->n_statics, 3);
	cr_assert_eq(c->statics[0].key.realm, 2);
	cr_assert_eq(c->statics[0].key.protocol, NAT_TCP);
	cr_assert_eq(c->statics[1].key.protocol, NAT_ICMP);
	cr_assert_eq(c->statics[2].key.realm, 1);
	conf_destroy(c);
}

Test(conf, inside_owners_follow_the_redirection_table)
{
	struct conf *c = make_conf(wide, NULL);
	uint32_t seen[3] = {0};

	for (ip4 ip = make_ip("10.0.0.0"); ip < make_ip("10.0.4.0"); ip++) {
		uint32_t entry = toeplitz_ip4(&c->toeplitz, ip) % CONF_RETA;
		cr_assert_eq(c->reta[entry], entry % 3);
		seen[conf_inside_owner(c, ip)]++;
	}
	cr_assert(seen[0] > 300 && seen[1] > 300 && seen[2] > 300);
	conf_destroy(c);
}

Test(conf, a_shard_has_its_part_and_an_eighth)
{
	struct conf *c = make_conf(
		"workers: 4\n" PORTS GROUP
		"limits: {mappings: 1M, leases: 1001, subscribers: 64k, external-addresses: 9,\n"
		"  filters: 4k, descriptions: 8k, pcp-clients: 32k}\n",
		NULL);
	struct nat_limits l = conf_shard_limits(c);

	cr_assert_eq(l.mappings, 281250);
	cr_assert_eq(l.leases, 251 + 32);
	cr_assert_eq(l.filters, 1125);
	cr_assert_eq(l.descriptions, 2250);
	cr_assert_eq(conf_shard_clients(c), 9000);
	cr_assert_eq(l.subscribers, 18000);
	cr_assert_eq(l.addresses, 9);
	cr_assert_eq(l.port_set_min, 512);
	conf_destroy(c);
	c = make_conf(PORTS GROUP, NULL);
	l = conf_shard_limits(c);
	cr_assert_eq(l.mappings, 1000000);
	cr_assert_eq(conf_shard_clients(c), 64000);
	conf_destroy(c);
}
