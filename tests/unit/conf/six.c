// SPDX-License-Identifier: Apache-2.0
// IPv6 of the ports: addresses, routes, and looking for the longest prefix.
#include <stdio.h>
#include <stdlib.h>

#include "make.h"

static ip6 make_ip6(const char *text)
{
	ip6 ip = {{0}};

	cr_assert(ip6_parse(text, &ip), "%s", text);
	return ip;
}

#define SIX                                                                                        \
	"ports:\n"                                                                                 \
	"  inside:\n"                                                                              \
	"    device: a\n"                                                                          \
	"    addresses: [100.64.0.1/10, '2001:db8:64::1/64', '2001:db8:64::2/64']\n"               \
	"    routes:\n"                                                                            \
	"    - {to: 10.0.0.0/8, via: 100.64.0.9}\n"                                                \
	"    - {to: '2001:db8:6400::/40', via: 'fe80::9'}\n"                                       \
	"    - {to: '2001:db8:6401::/48', via: '2001:db8:64::9'}\n"                                \
	"    - {to: '2001:db8:6402::7', via: 'fe80::9'}\n"                                         \
	"  v20: {parent: inside, vlan: 20, side: inside, addresses: ['2001:db8:20::1/127']}\n"     \
	"  outside: {device: b, addresses: [198.51.100.2/24, '2001:db8:ff::2/64'],\n"              \
	"    gateway: 198.51.100.1, gateway6: 'fe80::1'}\n"

static void expect_route(const struct conf *c, const char *to, int iface, const char *gateway)
{
	uint32_t i = conf_route6(c, make_ip6(to));

	if (iface < 0) {
		cr_assert_eq(i, PREFIX_NONE, "%s", to);
		return;
	}
	cr_assert_neq(i, PREFIX_NONE, "%s", to);
	cr_assert_eq(c->next_hops[i].iface, iface, "%s", to);
	cr_assert_eq(c->next_hops[i].gateway, 0);
	cr_assert(ip6_eq(c->next_hops[i].gateway6, make_ip6(gateway)), "%s", to);
	cr_assert_eq(i < c->n_interfaces, !strcmp(gateway, "::"));
}

Test(conf, ip6_is_routed_to_the_longest_prefix_of_all_realms)
{
	struct conf *c = make_conf(SIX GROUP, NULL);

	cr_assert(c->ip6);
	expect_route(c, "2001:db8:64::77", 0, "::");
	expect_route(c, "2001:db8:64:1::", 2, "fe80::1");
	expect_route(c, "2001:db8:6400::1", 0, "fe80::9");
	expect_route(c, "2001:db8:64ff:ffff::", 0, "fe80::9");
	expect_route(c, "2001:db8:6401::1", 0, "2001:db8:64::9");
	expect_route(c, "2001:db8:6402::7", 0, "fe80::9");
	expect_route(c, "2001:db8:20::", 1, "::");
	expect_route(c, "2001:db8:20::2", 2, "fe80::1");
	expect_route(c, "2001:db8:ff::", 2, "::");
	expect_route(c, "::1234", 2, "fe80::1");
	cr_assert_eq(c->n_routes6, 3 + 3 + 1, "one of two addresses in a subnet is enough");
	cr_assert_eq(c->n_next_hops, 3 + 2 + 3, "one of two routes by fe80::9 is enough");
	conf_destroy(c);
}

Test(conf, our_ip6_addresses_are_known_by_their_port)
{
	struct conf *c = make_conf(SIX GROUP, NULL);

	cr_assert_eq(conf_find_local6(c, make_ip6("2001:db8:64::2")), 0);
	cr_assert_eq(conf_find_local6(c, make_ip6("2001:db8:20::1")), 1);
	cr_assert_eq(conf_find_local6(c, make_ip6("2001:db8:ff::2")), 2);
	cr_assert_eq(conf_find_local6(c, make_ip6("2001:db8:ff::3")), -1);
	cr_assert_eq(conf_find_local6(c, make_ip6("::")), -1);
	cr_assert_eq(c->interfaces[0].addresses6[0].bits, 64);
	cr_assert_eq(c->interfaces[1].n_addresses, 0);
	conf_destroy(c);
}

Test(conf, without_ip6_addresses_there_is_no_ip6)
{
	struct conf *c = make_conf(PORTS GROUP, NULL);

	cr_assert_not(c->ip6);
	cr_assert_eq(c->n_routes6, 0);
	expect_route(c, "2001:db8::1", -1, NULL);
	cr_assert_eq(conf_find_local6(c, make_ip6("2001:db8::1")), -1);
	conf_destroy(c);
}

// ---- many ------------------------------------------------------------------------------------

static uint32_t route_naively(const struct conf *c, ip6 to)
{
	uint32_t best = PREFIX_NONE;
	int bits = -1;

	for (uint32_t i = 0; i < c->n_routes6; i++) {
		if (!prefix6_has(&c->routes6[i].to, to) || c->routes6[i].to.bits <= bits)
			continue;
		bits = c->routes6[i].to.bits;
		best = c->routes6[i].next_hop;
	}
	return best;
}

// Three prefixes of each length, which often nest because their bits are few.
static void draw_prefix(struct rng *rng, uint32_t i, struct prefix6 *p)
{
	*p = (struct prefix6){.base = {{0x20, (uint8_t)(i % 3)}}, .bits = (uint8_t)(16 + i / 3)};
	for (unsigned k = 2; k < 16; k++)
		p->base.b[k] = (uint8_t)(rng_below(rng, 4) ? 0 : rng_below(rng, 4) * 0x55);
	for (unsigned bit = p->bits; bit < 128; bit++)
		p->base.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static char *make_text(struct rng *rng)
{
	size_t room = 65536, at = 0;
	char *text = malloc(room), prefix[PREFIX6_TEXT];

	at += (size_t)snprintf(text, room,
		"ports:\n"
		"  inside: {device: a, addresses: [100.64.0.1/10]}\n"
		"  outside:\n"
		"    device: b\n"
		"    addresses: [198.51.100.2/24, '2001:db8:ff::2/64']\n"
		"    routes:\n");
	for (uint32_t i = 0; i < 3 * 110; i++) {
		struct prefix6 p;
		draw_prefix(rng, i, &p);
		at += (size_t)snprintf(text + at, room - at, "    - {to: '%s', via: 'fe80::%x'}\n",
			prefix6_format(p, prefix), i + 1);
	}
	snprintf(text + at, room - at, GROUP);
	return text;
}

Test(conf, ip6_routes_agree_with_a_naive_search)
{
	struct rng rng;
	uint32_t found = 0;

	rng_init_u64(&rng, 6);
	char *text = make_text(&rng);
	struct conf *c = make_conf(text, NULL);
	for (uint32_t i = 0; i < 100000; i++) {
		ip6 to = c->routes6[rng_below(&rng, c->n_routes6)].to.base;
		for (uint32_t n = rng_below(&rng, 4); n > 0; n--)
			to.b[rng_below(&rng, 16)] ^= (uint8_t)(1 << rng_below(&rng, 8));
		uint32_t hop = conf_route6(c, to);
		cr_assert_eq(hop, route_naively(c, to));
		found += hop != PREFIX_NONE;
	}
	cr_assert_gt(found, 50000);
	conf_destroy(c);
	free(text);
}
