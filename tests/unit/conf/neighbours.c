// SPDX-License-Identifier: Apache-2.0
// Static neighbours of a port: what they become, and every way to say them wrongly.
#include "make.h"

#include <stdio.h>
#include <stdlib.h>

// The lists begin in column 24 of lines 4 and 8.
#define WITH(inside, outside)                                                                      \
	"ports:\n"                                                                                 \
	"  inside:\n"                                                                              \
	"    {device: a, addresses: [100.64.0.1/10, '2001:db8::1/64'],\n"                          \
	"    static-neighbours: " inside "}\n"                                                     \
	"  outside:\n"                                                                             \
	"    device: b\n"                                                                          \
	"    addresses: [198.51.100.2/24]\n"                                                       \
	"    static-neighbours: " outside "\n"
#define MAC ", mac: '02:00:00:00:00:0a'}"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {0xfc, 0xde, 0xba, 0x98, 0x76, 0};

static bool has(const struct conf *c, uint16_t iface, const char *address, const uint8_t mac[6])
{
	ip6 ip;
	ip4 old;

	if (ip4_parse(address, &old))
		ip = ip6_mapped(old);
	else
		cr_assert(ip6_parse(address, &ip), "%s", address);
	const struct conf_neighbour *n = conf_find_neighbour(&c->interfaces[iface], ip);
	return n && ip6_eq(n->ip, ip) && memcmp(n->mac, mac, 6) == 0;
}

Test(conf, static_neighbours_are_found_by_their_address)
{
	struct conf *c = make_conf(
		WITH("[{address: 100.64.0.9" MAC ", {mac: 'FC:de:BA:98:76:00', address: "
		     "100.64.0.2}, {address: 'fe80::2'" MAC ", {address: '2001:db8::7'" MAC "]",
			"[{address: 198.51.100.1" MAC "]") GROUP,
		NULL);

	cr_assert_eq(c->interfaces[0].n_neighbours, 4);
	cr_assert_eq(c->interfaces[1].n_neighbours, 1);
	cr_assert(has(c, 0, "100.64.0.9", mac_a));
	cr_assert(has(c, 0, "100.64.0.2", mac_b));
	cr_assert(has(c, 0, "fe80::2", mac_a));
	cr_assert(has(c, 0, "2001:db8::7", mac_a));
	cr_assert(has(c, 1, "198.51.100.1", mac_a));
	cr_assert_not(has(c, 1, "100.64.0.9", mac_a), "another port's");
	cr_assert_not(has(c, 0, "100.64.0.3", mac_a));
	cr_assert_not(has(c, 0, "::", mac_a));
	conf_destroy(c);
}

Test(conf, a_port_has_no_static_neighbours_unless_they_are_said)
{
	struct conf *c = make_conf(WITH("[]", "") GROUP, NULL);

	cr_assert_eq(c->interfaces[0].n_neighbours, 0);
	cr_assert_eq(c->interfaces[1].n_neighbours, 0);
	cr_assert_not(has(c, 0, "100.64.0.9", mac_a));
	conf_destroy(c);
}

// In inside realms, which are apart, and on ports of their own link-local addresses.
Test(conf, two_ports_may_have_the_same_static_neighbour)
{
	struct conf *c =
		make_conf("ports:\n"
			  "  inside: {device: a, addresses: [100.64.0.1/10, '2001:db8::1/64'],\n"
			  "    static-neighbours: [{address: 100.64.0.9" MAC
			  ", {address: 'fe80::2'" MAC "]}\n"
			  "  inside2: {parent: inside, vlan: 7, addresses: [100.64.0.1/10, "
			  "'2001:db8:1::1/64'],\n"
			  "    static-neighbours: [{address: 100.64.0.9" MAC
			  ", {address: 'fe80::2'" MAC "]}\n"
			  "  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP,
			NULL);

	cr_assert(has(c, 0, "100.64.0.9", mac_a) && has(c, 0, "fe80::2", mac_a));
	cr_assert(has(c, 1, "100.64.0.9", mac_a) && has(c, 1, "fe80::2", mac_a));
	conf_destroy(c);
}

#define STATION "expected the MAC of one station (no group, not zero) such as 02:00:00:00:00:0a"
#define EXAMPLE "expected a neighbour such as {address: 192.0.2.9, mac: 02:00:00:00:00:0a}"
#define HOST "expected a host's address such as 192.0.2.9 or 2001:db8::9"
#define AT "ports.inside.static-neighbours"
#define OUT "ports.outside.static-neighbours"

static const struct mistake mistakes[] = {
	// Kinds.
	{WITH("7", "{address: 198.51.100.1" MAC) GROUP,
		{"t:4:24: " AT ": found '7', expected a list of neighbours such as {address: ..., "
		 "mac: ...}",
			"t:8:5: " OUT ": found a mapping, expected a list of neighbours such as "
			"{address: ..., mac: ...}"}},
	{WITH("[7, {}, {address: 100.64.0.9}, {mac: '02:00:00:00:00:0a'}]",
		 "[{address: 198.51.100.1, mac: x, vlan: 3}]") GROUP,
		{"t:4:25: " AT "[0]: found '7', expected a mapping",
			"t:4:28: " AT "[1]: found no address, " EXAMPLE,
			"t:4:32: " AT "[2]: found no mac, " EXAMPLE,
			"t:4:55: " AT "[3]: found no address, " EXAMPLE,
			"t:8:54: " OUT "[0].mac: found 'x', " STATION,
			"t:8:57: " OUT "[0].vlan: found 'vlan', expected one of address, mac"}},
	// MACs.
	{WITH("[{address: 100.64.0.2, mac: '00:00:00:00:00:00'}, {address: 100.64.0.3, mac: "
	      "'01:00:5e:00:00:01'}, {address: 100.64.0.4, mac: 'ff:ff:ff:ff:ff:ff'}, {address: "
	      "100.64.0.5, mac: '02:00:00:00:00'}]",
		 "[{address: 198.51.100.3, mac: '02:00:00:00:00:0a:'}, {address: 198.51.100.4, "
		 "mac: '02:00:00:00:00:g0'}, {address: 198.51.100.5, mac: [2]}, {address: "
		 "198.51.100.6, mac: 020000000001}, {address: 198.51.100.7, mac: 02-00-00-00-00-01}"
		 ", {address: 198.51.100.8, mac: '2:0:0:0:0:1'}]") GROUP,
		{"t:4:52: " AT "[0].mac: found '00:00:00:00:00:00', " STATION,
			"t:4:101: " AT "[1].mac: found '01:00:5e:00:00:01', " STATION,
			"t:4:150: " AT "[2].mac: found 'ff:ff:ff:ff:ff:ff', " STATION,
			"t:4:199: " AT "[3].mac: found '02:00:00:00:00', " STATION,
			"t:8:54: " OUT "[0].mac: found '02:00:00:00:00:0a:', " STATION,
			"t:8:106: " OUT "[1].mac: found '02:00:00:00:00:g0', " STATION,
			"t:8:152: " OUT "[2].mac: found a list, " STATION,
			"t:8:192: " OUT "[3].mac: found '020000000001', " STATION,
			"t:8:236: " OUT "[4].mac: found '02-00-00-00-00-01', " STATION,
			"t:8:285: " OUT "[5].mac: found '2:0:0:0:0:1', " STATION}},
	// Addresses.
	{WITH("[{address: x" MAC ", {address: 100.64.0.0/10" MAC ", {address: 224.0.0.1" MAC
	      ", {address: 127.0.0.1" MAC ", {address: '::1'" MAC ", {address: 'ff02::1'" MAC
	      ", {address: '::ffff:100.64.0.9'" MAC ", {address: []" MAC "]",
		 "[]") GROUP,
		{"t:4:35: " AT "[0].address: found 'x', " HOST,
			"t:4:75: " AT "[1].address: found '100.64.0.0/10', " HOST,
			"t:4:127: " AT "[2].address: found '224.0.0.1', " HOST,
			"t:4:175: " AT "[3].address: found '127.0.0.1', " HOST,
			"t:4:223: " AT "[4].address: found '::1', " HOST,
			"t:4:267: " AT "[5].address: found 'ff02::1', " HOST,
			"t:4:315: " AT "[6].address: found '::ffff:100.64.0.9', " HOST,
			"t:4:364: " AT "[7].address: found an empty list, " HOST}},
	// Where they are.
	{WITH("[{address: 10.0.0.2" MAC ", {address: 100.64.0.0" MAC
	      ", {address: 100.127.255.255" MAC ", {address: '2001:db8:1::2'" MAC "]",
		 "[{address: 198.51.101.1" MAC ", {address: 'fe80::1'" MAC
		 ", {address: '2001:db8::2'" MAC "]") GROUP,
		{"t:4:35: " AT "[0].address: found '10.0.0.2', expected a host in a subnet of "
		 "inside",
			"t:4:82: " AT "[1].address: found '100.64.0.0', expected a host in a "
			"subnet of inside",
			"t:4:131: " AT "[2].address: found '100.127.255.255', expected a host in a "
			"subnet of inside",
			"t:4:185: " AT "[3].address: found '2001:db8:1::2', expected a host in an "
			"IPv6 subnet of inside, or a link-local one",
			"t:8:35: " OUT "[0].address: found '198.51.101.1', expected a host in a "
			"subnet of outside",
			"t:8:86: " OUT "[1].address: found 'fe80::1', expected a host in an IPv6 "
			"subnet of outside",
			"t:8:134: " OUT "[2].address: found '2001:db8::2', expected a host in an "
			"IPv6 subnet of outside"}},
	// Ours.
	{WITH("[{address: 100.64.0.1" MAC ", {address: '2001:db8::1'" MAC
	      ", {address: 100.64.0.7" MAC "]",
		 "[{address: 198.51.100.2" MAC ", {address: 198.51.100.9" MAC
		 ", {address: 198.51.100.7" MAC "]") "nat-groups:\n"
						     "  g:\n"
						     "    subscribers: [100.64.0.0/10]\n"
						     "    external-address-pool: "
						     "[198.51.100.8/29]\n"
						     "    pcp: {listen: [100.64.0.7]}\n",
		{"t:4:35: " AT "[0].address: found '100.64.0.1', expected another host: this is "
		 "ports.inside.addresses[0] (line 3)",
			"t:4:84: " AT "[1].address: found '2001:db8::1', expected another host: "
			"this is ports.inside.addresses[1] (line 3)",
			"t:4:136: " AT "[2].address: found '100.64.0.7', expected another host: "
			"this is nat-groups.g.pcp.listen[0] (line 13)",
			"t:8:35: " OUT "[0].address: found '198.51.100.2', expected another host: "
			"this is ports.outside.addresses[0] (line 7)",
			"t:8:86: " OUT "[1].address: found '198.51.100.9', expected another host: "
			"this is nat-groups.g.external-address-pool[0] (line 12)"}},
	// Another port's: outside ones, and all of IPv6, are ours in every realm.
	{"ports:\n"
	 "  inside: {device: a, addresses: [198.51.100.1/24, '2001:db8::1/32'],\n"
	 "    static-neighbours: [{address: 198.51.100.2" MAC ", {address: '2001:db8:ff::2'" MAC
	 "]}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24, '2001:db8:ff::2/64'],\n"
	 "    static-neighbours: [{address: 198.51.100.1" MAC "]}\n" GROUP,
		{"t:3:35: " AT "[0].address: found '198.51.100.2', expected another host: this is "
		 "ports.outside.addresses[0] (line 4)",
			"t:3:86: " AT "[1].address: found '2001:db8:ff::2', expected another host: "
			"this is ports.outside.addresses[1] (line 4)"}},
	// Twice.
	{WITH("[{address: 100.64.0.9" MAC ", {address: '2001:db8::9'" MAC
	      ", {address: 100.64.0.9, mac: '02:00:00:00:00:0b'}, {address: "
	      "'2001:db8:0::9'" MAC "]",
		 "[]") GROUP,
		{"t:4:136: " AT "[2].address: found '100.64.0.9', expected each address once: it "
		 "is " AT "[0].address (line 4) too",
			"t:4:185: " AT "[3].address: found '2001:db8:0::9', expected each address "
			"once: it is " AT "[1].address (line 4) too"}},
	// An address of the port that is wrong is the one mistake.
	{"ports:\n"
	 "  inside: {device: a, addresses: [100.64.0.1/40], static-neighbours: [{address: "
	 "10.0.0.2" MAC "]}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP,
		{"t:2:35: ports.inside.addresses[0]: found '100.64.0.1/40', expected an address "
		 "with its subnet's length: 192.0.2.1/24"}},
	// Too many.
	{WITH("[{address: 100.64.0.2" MAC ", {address: 100.64.0.3" MAC ", {address: 100.64.0.4" MAC
	      ", {address: 100.64.0.5" MAC "]",
		 "[{address: 198.51.100.2" MAC ", {address: 198.51.100.3" MAC
		 ", {address: 198.51.100.4" MAC ", {address: 198.51.100.5" MAC
		 ", {address: 198.51.100.6" MAC "]") GROUP "limits: {neighbours: 16}\n",
		{"t:8:5: " OUT ": found too many neighbours, expected at most 8 on all ports, half "
		 "of limits.neighbours",
			"t:8:35: " OUT "[0].address: found '198.51.100.2', expected another host: "
			"this is ports.outside.addresses[0] (line 7)"}},
};

Test(conf, mistakes_in_static_neighbours)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		check_mistake(&mistakes[i]);
}

static char *make_many(uint32_t n)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs("ports:\n"
	      "  outside: {device: b, addresses: [198.51.100.2/24]}\n"
	      "  inside:\n"
	      "    device: a\n"
	      "    addresses: [100.64.0.1/10]\n"
	      "    static-neighbours:\n",
		out);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "    - {address: 100.65.%u.%u, mac: '02:00:00:00:%02x:%02x'}\n",
			i * 7 / 256 % 256, i * 7 % 256, i / 256, i % 256);
	fputs(GROUP, out);
	fclose(out);
	return text;
}

Test(conf, a_port_has_a_limit_of_static_neighbours)
{
	char *most = make_many(CONF_MAX_NEIGHBOURS), *more = make_many(CONF_MAX_NEIGHBOURS + 1);
	struct conf *c = make_conf(most, NULL);

	cr_assert_eq(c->interfaces[1].n_neighbours, CONF_MAX_NEIGHBOURS);
	for (uint32_t i = 0; i < CONF_MAX_NEIGHBOURS; i++) {
		uint8_t mac[6] = {2, 0, 0, 0, (uint8_t)(i / 256), (uint8_t)i};
		ip6 ip = ip6_mapped(make_ip("100.65.0.0") + i * 7);
		const struct conf_neighbour *n = conf_find_neighbour(&c->interfaces[1], ip);
		cr_assert(n && memcmp(n->mac, mac, 6) == 0, "%u", i);
	}
	check_mistake(&(struct mistake){
		more, {"t:6:5: ports.inside.static-neighbours: found 1025 items, expected at most "
		       "1024"}});
	conf_destroy(c);
	free(most);
	free(more);
}
