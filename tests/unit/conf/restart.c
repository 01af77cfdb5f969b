// SPDX-License-Identifier: Apache-2.0
// What a reload keeps in its place, and what it may not change.
#include <stdio.h>

#include "make.h"

struct change {
	const char *before, *after;
	const char *complaint; // NULL: live
};

#define POOL2 "nat-groups: {g: {subscribers: [100.64.0.0/10], external-address-pool: [203.0.113.1]"

#define PLANNED(inside, pool, rest)                                                                \
	"nat-groups:\n"                                                                            \
	"  g: {subscribers: [" inside "], external-address-pool: [" pool "],\n"                    \
	"    port-allocation-type: deterministic" rest "}\n"

static const struct change changes[] = {
	{PORTS GROUP, PORTS GROUP, NULL},
	{PORTS GROUP, PORTS GROUP "workers: 1\n", NULL},
	{PORTS GROUP, PORTS GROUP "workers: 2\n",
		"t:8:10: workers: found 2, expected 1 until a restart"},
	{PORTS GROUP "lcores: [2,3]\n", PORTS GROUP "lcores: [2,4]\n",
		"t:8:1: lcores: found other CPUs, expected those in use until a restart"},
	{PORTS GROUP, PORTS GROUP "idle: sleep\n",
		"t:8:7: idle: found sleep, expected poll until a restart"},
	{PORTS GROUP, PORTS GROUP "require-huge-pages: true\n",
		"t:8:21: require-huge-pages: found true, expected false until a restart"},
	{PORTS GROUP, PORTS GROUP "control: {socket: /x/y, mode: 0600}\n",
		"t:8:19: control.socket: found /x/y, "
		"expected /run/postern/control.sock until a restart"},
	{PORTS GROUP, PORTS GROUP "control: {mode: 0600}\n", NULL},
	{PORTS GROUP, PORTS GROUP "limits: {mappings: 2M}\n",
		"t:8:20: limits.mappings: found 2000000, expected 1000000 until a restart"},
	{PORTS GROUP "limits: {leases: 1k}\n", PORTS GROUP,
		"t: limits.leases: found 256000, expected 1000 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {filters: 64k}\n", NULL}, // as it was by default
	{PORTS GROUP, PORTS GROUP "limits: {filters: 65k}\n",
		"t:8:19: limits.filters: found 65000, expected 64000 until a restart"},
	{PORTS GROUP "limits: {descriptions: 7}\n", PORTS GROUP,
		"t: limits.descriptions: found 32000, expected 7 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {pcp-clients: 100}\n",
		"t:8:23: limits.pcp-clients: found 100, expected 64000 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {subscribers: 65k}\n",
		"t:8:23: limits.subscribers: found 65000, expected 64000 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {external-addresses: 65}\n",
		"t:8:30: limits.external-addresses: found 65, expected 64 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {neighbours: 100}\n",
		"t:8:22: limits.neighbours: found 100, expected 64000 until a restart"},
	{PORTS GROUP,
		PORTS GROUP "limits: {icmp-error-rate: 1, new-subscriber-rate: 2, "
			    "new-subscriber-burst: 3, announce-rate: 4}\n"
			    "timers: {udp-timeout: 200, hold-down-timeout: 1}\n",
		NULL},
	{PORTS GROUP, PORTS GROUP "limits: {sessions: 2M}\n",
		"t:8:20: limits.sessions: found 2000000, expected 1000000 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {sessions: 1M, mappings-reserved: 0}\n", NULL},
	{PORTS GROUP, PORTS GROUP "limits: {mappings-reserved: 10%}\n",
		"t:8:29: limits.mappings-reserved: found 100000, expected 0 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {hold-down-max: 5k}\n",
		"t:8:25: limits.hold-down-max: found 5000, expected 0 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {fragments-limit: 9}\n",
		"t:8:27: limits.fragments-limit: found 9, expected 1024 until a restart"},
	{PORTS GROUP, PORTS GROUP "limits: {max-stored-syn: 9}\n",
		"t:8:26: limits.max-stored-syn: found 9, expected 0 until a restart"},
	{PORTS GROUP,
		PORTS GROUP "limits: {fragments-per-source: 7}\n"
			    "timers: {tcp-rst-timeout: 241, tcp-in-syn-timeout: 7, "
			    "fragment-min-timeout: 3, per-port-timeout: {53: 9}, "
			    "tcp-idle-timeout: 1h, allow-short-timers: true}\n"
			    "log: {targets: [{format: json, file: /x}], interim: 1h, max-wait: 1s, "
			    "fail-closed: true, history: /y}\n",
		NULL},
	{PORTS GROUP,
		PORTS GROUP "    filtering-type: adf\n"
			    "    session-limit: 3\n"
			    "    mapping-rate: {rate: 3}\n"
			    "    port-range: [8192, 65535]\n"
			    "    port-forwarding-range: [1024, 8191]\n"
			    "    fragment-behavior: drop-all\n"
			    "    nat-pass-through: [{prefix: 198.18.0.0/15}]\n"
			    "    log: sessions\n",
		NULL},
	{PORTS GROUP, // IPv6 is live
		"ports:\n"
		"  inside: {device: a, addresses: [100.64.0.1/10, '2001:db8::1/64']}\n"
		"  outside: {device: b, addresses: [198.51.100.2/24, '2001:db8:1::1/64'],\n"
		"    gateway: 198.51.100.1, gateway6: 'fe80::1', icmp-errors: false}\n" GROUP,
		NULL},
	{PORTS GROUP, // and so are static neighbours
		"ports:\n"
		"  inside: {device: a, addresses: [100.64.0.1/10],\n"
		"    static-neighbours: [{address: 100.64.0.2, mac: '02:00:00:00:00:0a'}]}\n"
		"  outside: {device: b, addresses: [198.51.100.2/24], gateway: "
		"198.51.100.1}\n" GROUP,
		NULL},
	// A deterministic group: whatever moves a port from one host to another.
	{PORTS GROUP, PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ""),
		"t:6:27: nat-groups.g.port-allocation-type: found deterministic, expected "
		"port-range-allocation until a restart"},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ""), PORTS GROUP,
		"t:5:3: nat-groups.g.port-allocation-type: found port-range-allocation, expected "
		"deterministic until a restart"},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ""),
		PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29",
			", port-limit: 3, log: mappings, pcp: false"),
		NULL},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ""),
		PORTS PLANNED("100.64.0.0/29, 100.64.0.8/29", "203.0.113.0/29", ""),
		"t:5:7: nat-groups.g.subscribers: found other hosts, expected those of the plan "
		"in their order, until a restart"},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ""),
		PORTS PLANNED("100.64.0.0/28", "203.0.113.8/29", ""),
		"t:5:37: nat-groups.g.external-address-pool: found other addresses, expected those "
		"of the plan until a restart"},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ", port-range: [2048, 65535]"),
		PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ", port-range: [2048, 65534]"),
		"t:6:42: nat-groups.g.port-range: found other ports, expected 2048 to 65535, as "
		"the plan has them, until a restart"},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ", port-set-size: 512"),
		PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29",
			", port-set-size: 1024, deterministic: {ports-per-subscriber: 31744}"),
		"t:6:57: nat-groups.g.port-set-size: found 1024, expected 512 until a restart"},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ""),
		PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29",
			", deterministic: {ports-per-subscriber: 512}"),
		"t:6:80: nat-groups.g.deterministic.ports-per-subscriber: found 512, expected "
		"32256 until a restart"},
	{PORTS PLANNED("100.64.0.0/28", "203.0.113.0/29", ""),
		PORTS PLANNED(
			"100.64.0.0/28", "203.0.113.0/29", ", deterministic: {overflow: 600}"),
		"t:6:42: nat-groups.g.deterministic.ports-per-subscriber: found 31744, expected "
		"32256 until a restart"},
	{PORTS GROUP, // a new group and a new pool: nobody has ports there
		PORTS "nat-groups:\n"
		      "  g: {subscribers: [100.64.0.0/16], external-address-pool: "
		      "[203.0.113.0/29]}\n"
		      "  h: {subscribers: [100.65.0.0/28], external-address-pool: "
		      "[203.0.113.8/29],\n"
		      "    port-allocation-type: deterministic}\n",
		NULL},
	{PORTS GROUP,
		"ports:\n"
		"  inside: {device: a2, addresses: [100.64.0.1/10]}\n"
		"  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP,
		"t:2:20: ports.inside.device: found a2, expected a until a restart"},
	{PORTS GROUP, PORTS "  inside2: {device: c, addresses: [10.0.0.1/8]}\n" GROUP,
		"t:4:3: ports.inside2: found a new port, expected no new port until a restart"},
	{PORTS "  inside2: {device: c, addresses: [10.0.0.1/8]}\n" GROUP, PORTS GROUP,
		"t:1:1: ports: found no port inside2, expected the port inside2 until a restart"},
	{PORTS "  v: {parent: inside, vlan: 3, side: inside, addresses: [10.0.0.1/8]}\n" GROUP,
		PORTS
		"  v: {parent: inside, vlan: 4, side: inside, addresses: [10.0.0.1/8]}\n" GROUP,
		"t:4:29: ports.v.vlan: found 4, expected 3 until a restart"},
	{PORTS "  v: {parent: inside, vlan: 3, side: inside, addresses: [10.0.0.1/8]}\n" GROUP,
		PORTS
		"  v: {parent: outside, vlan: 3, side: inside, addresses: [10.0.0.1/8]}\n" GROUP,
		"t:4:15: ports.v.parent: found outside, expected inside until a restart"},
	{PORTS "  v: {parent: inside, vlan: 3, side: inside, addresses: [10.0.0.1/8]}\n" GROUP,
		PORTS
		"  v: {parent: inside, vlan: 3, side: outside, addresses: [10.0.0.1/8]}\n" GROUP,
		"t:4:38: ports.v.side: found outside, expected inside until a restart"},
	{PORTS GROUP, // addresses, routes and MTU are live
		"ports:\n"
		"  outside: {device: b, addresses: [198.18.0.2/24], mtu: 1400}\n"
		"  inside: {device: a, addresses: [100.64.0.7/10, 10.0.0.1/8],\n"
		"           routes: [{to: 172.16.0.0/12, via: 100.64.0.9}]}\n" GROUP,
		NULL},
	{PORTS POOL2 ", port-set-size: 512}}\n", PORTS POOL2 ", port-set-size: 1024}}\n",
		"t:4:101: nat-groups.g.port-set-size: found 1024, expected 512 until a restart"},
	{PORTS POOL2 ", port-set-size: 512}}\n",
		PORTS POOL2 ", port-set-size: 512, block-limit: 3, port-limit: 99, "
			    "port-range: [2048, 65535], address-pooling: soft, pcp: false}}\n",
		NULL},
	{PORTS GROUP, // all of PCP is live
		PORTS GROUP "    pcp: {listen: [192.0.2.1, anycast], port: 5399, versions: [1a], "
			    "opcodes: [map], options: [], legacy: true, threat-model: advanced, "
			    "nonce-check: same-source, filters-per-mapping: 1, port-set-max: 2,\n"
			    "  third-party: {sources: [100.64.0.8], identifiers: [{id: 00, inside: "
			    "inside}]}, prefix64: [{prefix: '2001:db8::/32'}]}\n",
		NULL},
	{PORTS POOL2 ", port-set-size: 512}}\n",
		PORTS "nat-groups: {h: {subscribers: [100.64.0.0/10], port-set-size: 64,\n"
		      "external-address-pool: [203.0.113.2]}}\n",
		"t:4:63: nat-groups.h.port-set-size: found 64, expected at least 512 until a "
		"restart"},
	{PORTS POOL2 ", port-set-size: 512}}\n",
		PORTS "nat-groups: {g: {subscribers: [100.64.0.0/10], port-set-size: 1024,\n"
		      "external-address-pool: [203.0.113.2]}}\n",
		NULL},
};

static void check_change(const struct change *change)
{
	struct conf *old = make_conf(change->before, NULL), *new = make_conf(change->after, old);
	struct conf_complaints all = {.file = "t"};
	uint32_t n = conf_restart_leaves(old, new, &all);
	char line[500] = "nothing";

	if (n > 0)
		conf_complaint_format(&all, 0, line, sizeof line);
	cr_assert_eq(n, change->complaint ? 1 : 0, "%s: %u, %s", change->after, n, line);
	cr_assert_eq(n, all.n);
	if (change->complaint)
		cr_assert_str_eq(line, change->complaint);
	conf_complaints_destroy(&all);
	conf_destroy(old);
	conf_destroy(new);
}

Test(conf, restart_leaves_are_named_and_all_others_are_live)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(changes); i++)
		check_change(&changes[i]);
}

Test(conf, indices_and_realms_stay_with_their_names)
{
	struct conf *old =
		make_conf("ports:\n"
			  "  in1: {device: a, side: inside, addresses: [10.0.0.1/8]}\n"
			  "  v5: {parent: in1, vlan: 5, side: inside, addresses: [10.0.0.1/8]}\n"
			  "  out: {device: b, side: outside, addresses: [198.51.100.2/24]}\n"
			  "  in2: {device: c, side: inside, addresses: [10.0.0.1/8]}\n"
			  "nat-groups: {g: {subscribers: [10.0.0.0/8], external-address-pool: "
			  "[203.0.113.1]}}\n",
			NULL);
	struct conf *new =
		make_conf("ports:\n"
			  "  in0: {device: z, side: inside, addresses: [10.0.0.1/8]}\n"
			  "  in2: {device: c, side: inside, addresses: [10.0.0.1/8]}\n"
			  "  out: {device: b, side: outside, addresses: [198.51.100.2/24]}\n"
			  "  v5: {parent: in1, vlan: 5, side: inside, addresses: [10.0.0.1/8]}\n"
			  "  in1: {device: a, side: inside, addresses: [10.0.0.1/8]}\n"
			  "nat-groups: {g: {subscribers: [10.0.0.0/8], external-address-pool: "
			  "[203.0.113.1],\n"
			  "  static-mappings: [{protocol: tcp, internal: '10.1.1.1:1', external: "
			  "'203.0.113.1:1'}]}}\n",
			old);

	for (uint32_t i = 0; i < old->n_interfaces; i++) {
		cr_assert_str_eq(new->interfaces[i].name, old->interfaces[i].name);
		cr_assert_eq(new->interfaces[i].realm, old->interfaces[i].realm);
		cr_assert_eq(new->interfaces[i].port, old->interfaces[i].port);
	}
	for (uint32_t i = 0; i < old->n_ports; i++)
		cr_assert_str_eq(new->ports[i].device, old->ports[i].device);
	cr_assert_str_eq(new->interfaces[4].name, "in0");
	cr_assert_eq(new->interfaces[4].realm, 4);
	cr_assert_eq(new->n_realms, 5);
	// "The group's first port" is the file's first, whatever the table's order is.
	cr_assert_eq(new->statics[0].key.realm, 4);
	conf_destroy(old);
	conf_destroy(new);
}

#define ONE_GROUP(name, net)                                                                       \
	"  " name ": {subscribers: [10." net ".0.0/16], external-address-pool: [203.0.113." net    \
	"]}\n"

static int id_of(const struct conf *c, const char *name)
{
	for (int i = 0; i < c->n_groups; i++) {
		if (c->groups[i].used && !strcmp(c->groups[i].name, name))
			return i;
	}
	return -1;
}

Test(conf, group_ids_stay_with_their_names)
{
	struct conf *a = make_conf(PORTS "nat-groups:\n" ONE_GROUP("x", "1") ONE_GROUP("y", "2")
					   ONE_GROUP("z", "3"),
		NULL);
	struct conf *b = make_conf(PORTS "nat-groups:\n" ONE_GROUP("w", "4") ONE_GROUP("z", "3")
					   ONE_GROUP("x", "1"),
		a);

	cr_assert_eq(id_of(a, "y"), 1);
	cr_assert_eq(id_of(b, "x"), id_of(a, "x"));
	cr_assert_eq(id_of(b, "z"), id_of(a, "z"));
	cr_assert_eq(id_of(b, "w"), 3, "not the id of the group that has just gone");
	cr_assert_not(b->groups[1].used);
	cr_assert_eq(b->n_groups, 4);
	cr_assert_eq(conf_group_of(b, 1, make_ip("10.4.1.1")), 3);
	conf_destroy(a);
	conf_destroy(b);
}
