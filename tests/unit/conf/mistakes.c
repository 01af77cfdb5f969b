// SPDX-License-Identifier: Apache-2.0
// Files that are wrong: every mistake of a file, in its order, word for word. Those of `pcp` have a
// file of their own, mistakes_pcp.c.
#include "make.h"

static const struct mistake mistakes[] = {
	// Names and kinds.
	{PORTS GROUP "limitz: {}\n",
		{"t:8:1: limitz: found 'limitz', expected a known name, perhaps 'limits'"}},
	{PORTS GROUP "colour: blue\n",
		{"t:8:1: colour: found 'colour', expected one of workers, lcores, idle, "
		 "require-huge-pages, ports, limits, timers, nat-groups, log, control"}},
	{PORTS GROUP "limits: {mappingz: 1M, mappings: 1M, mappings: 2M}\n",
		{"t:8:10: limits.mappingz: found 'mappingz', expected a known name, perhaps "
		 "'mappings'",
			"t:8:38: limits.mappings: found 'mappings', expected the name once: it "
			"stands in line 8 already"}},
	{PORTS GROUP "limits: {mappings: [1], leases: {}, subscribers: , neighbours: x}\n"
		     "timers: 7\n",
		{"t:8:10: limits.mappings: found a list, expected a number from 1000 to "
		 "1000000000, such as 5000, 64k or 1M",
			"t:8:25: limits.leases: found a mapping, expected a number from 100 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:8:37: limits.subscribers: found nothing, expected a number from 100 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:8:64: limits.neighbours: found 'x', expected a number from 16 to "
			"1000000, such as 5000, 64k or 1M",
			"t:9:9: timers: found '7', expected a mapping"}},
	{PORTS GROUP
		"limits: {mappings: 5G, leases: 010, subscribers: -1, neighbours: 12345678901}\n",
		{"t:8:20: limits.mappings: found '5G', expected a number from 1000 to 1000000000, "
		 "such as 5000, 64k or 1M",
			"t:8:32: limits.leases: found '010', expected a number from 100 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:8:50: limits.subscribers: found '-1', expected a number from 100 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:8:66: limits.neighbours: found '12345678901', expected a number from 16 "
			"to 1000000, such as 5000, 64k or 1M"}},
	{PORTS GROUP "workers: 0\n"
		     "idle: slep\n"
		     "require-huge-pages: yes\n",
		{"t:8:10: workers: found '0', expected a number from 1 to 64",
			"t:9:7: idle: found 'slep', expected one of poll, sleep",
			"t:10:21: require-huge-pages: found 'yes', expected one of false, true"}},
	{PORTS GROUP "workers: 2\n"
		     "lcores: [1,2]\n",
		{"t:8:1: workers: found 'workers', expected workers or lcores, not both"}},
	{PORTS GROUP "lcores: [3-1, 2, 2, 70000, x]\n",
		{"t:8:10: lcores[0]: found '3-1', expected a CPU number or a range such as 2-9",
			"t:8:18: lcores[2]: found '2', expected each CPU once: 2 is named before",
			"t:8:21: lcores[3]: found '70000', expected a CPU number or a range such "
			"as 2-9",
			"t:8:28: lcores[4]: found 'x', expected a CPU number or a range such as "
			"2-9"}},
	{PORTS GROUP "lcores: [1-80]\n",
		{"t:8:10: lcores[0]: found '1-80', expected at most 64 CPUs"}},
	{PORTS GROUP "lcores: []\n",
		{"t:8:1: lcores: found an empty list, expected a list of CPUs such as [2-9]"}},
	{PORTS GROUP "timers: {udp-timeout: 119, tcp-idle-timeout: 2h, tcp-trans-open-timeout: "
		     "239s, tcp-trans-close-timeout: 1d,\n"
		     "  icmp-timeout: 59, udp-initial-timeout: 15, udp-unanswered-timeout: 1m, "
		     "hold-down-timeout: 2w}\n",
		{"t:8:23: timers.udp-timeout: found '119', expected a time from 2m to 64000s "
		 "(units: s, m, h, d)",
			"t:8:46: timers.tcp-idle-timeout: found '2h', expected at least 7440s (RFC "
			"5382 REQ-5), or allow-short-timers: true",
			"t:8:74: timers.tcp-trans-open-timeout: found '239s', expected at least 4m "
			"(RFC 5382 REQ-5), or allow-short-timers: true",
			"t:8:105: timers.tcp-trans-close-timeout: found '1d', expected a time from "
			"10s to 64000s (units: s, m, h, d)",
			"t:9:17: timers.icmp-timeout: found '59', expected a time from 1m to "
			"64000s (units: s, m, h, d)",
			"t:9:42: timers.udp-initial-timeout: found '15', expected at least 2m (RFC "
			"4787 REQ-5), or allow-short-timers: true",
			"t:9:70: timers.udp-unanswered-timeout: found '1m', expected at least 2m "
			"(RFC 4787 REQ-5), or allow-short-timers: true",
			"t:9:93: timers.hold-down-timeout: found '2w', expected a time from 0s to "
			"64000s (units: s, m, h, d)"}},
	{PORTS GROUP "control: {socket: relative, mode: 0888}\n",
		{"t:8:19: control.socket: found 'relative', expected an absolute path of at most "
		 "107 octets",
			"t:8:35: control.mode: found '0888', expected an octal file mode such as "
			"0660"}},
	// Ports.
	{"nat-groups: {}\n",
		{"t:1:1: found no inside port, expected at least one under ports",
			"t:1:1: found no outside port, expected at least one under ports",
			"t:1:1: nat-groups: found no NAT group, expected at least one under "
			"nat-groups"}},
	{"", {"t: found no nat-groups, expected at least one under nat-groups",
		     "t: found no inside port, expected at least one under ports",
		     "t: found no outside port, expected at least one under ports"}},
	{"[]\n", {"t:1:1: found an empty list, expected a mapping"}},
	{"just text\n", {"t:1:1: found 'just text', expected a mapping"}},
	{"ports: {}\n" GROUP,
		{"t:1:1: ports: found no inside port, expected at least one under ports",
			"t:1:1: ports: found no outside port, expected at least one under ports"}},
	{"ports: {inside: {device: a, addresses: [100.64.0.1/10]}}\n" GROUP,
		{"t:1:1: ports: found no outside port, expected at least one under ports"}},
	{"ports:\n"
	 "  eth0: {device: a, addresses: [100.64.0.1/10]}\n"
	 "  in.side: {device: a}\n"
	 "  inside: 7\n"
	 "  outside: {device: a,addresses: [198.51.100.2/24]}\n" GROUP,
		{"t:2:3: ports.eth0: found no side, expected side: inside or side: outside (only "
		 "inside* and outside* say it by name)",
			"t:3:3: ports.in.side: found 'in.side', expected a name of 1 to 31 "
			"letters, digits, - and _",
			"t:4:11: ports.inside: found '7', expected a mapping",
			"t:5:21: ports.outside.device: found 'a', expected a device of its own: "
			"ports.eth0 (line 2) has this one"}},
	{PORTS "  inside: {device: c, addresses: [10.0.0.1/8]}\n" GROUP,
		{"t:4:3: ports.inside: found 'inside', expected the name once: it stands in line 2 "
		 "already"}},
	{PORTS "  outside2: {device: \"a,x=1\", addresses: [198.18.0.1/24]}\n" GROUP,
		{"t:4:22: ports.outside2.device: found 'a,x=1', expected a device of its own: "
		 "ports.inside (line 2) has this one"}},
	{PORTS "  outside2: {device: \"net_tap0,iface=pn\", addresses: [198.18.0.1/24]}\n"
	       "  outside3: {device: \"net_tap1,iface=pn-x\", addresses: [198.18.1.1/24]}\n"
	       "  outside4: {device: \"net_tap2,mac=fixed,iface=pn\", addresses: "
	       "[198.18.2.1/24]}\n"
	       "  outside5: {device: \"net_af_packet0,iface=pn,qpairs=1\", addresses: "
	       "[198.18.3.1/24]}\n"
	       "  outside6: {device: \"net_af_xdp0,iface=e,start_queue=0\", addresses: "
	       "[198.18.4.1/24]}\n"
	       "  outside7: {device: \"net_af_xdp1,iface=e,start_queue=1\", addresses: "
	       "[198.18.5.1/24]}\n" GROUP,
		{"t:6:22: ports.outside4.device: found 'net_tap2,mac=fixed,iface=pn', expected an "
		 "iface of its own: ports.outside2 (line 4) has this one",
			"t:7:22: ports.outside5.device: found 'net_af_packet0,iface=pn,qpairs=1', "
			"expected an iface of its own: ports.outside2 (line 4) has this one",
			"t:7:22: ports.outside5.device: found 'net_af_packet0,iface=pn,qpairs=1', "
			"expected an iface of its own: ports.outside4 (line 6) has this one"}},
	{PORTS "  outside2: {device: \"0000:3b:00.1\", addresses: [198.18.0.1/24]}\n"
	       "  outside3: {device: \"0001:3b:00.1\", addresses: [198.18.1.1/24]}\n"
	       "  outside4: {device: \"3B:00.1\", addresses: [198.18.2.1/24]}\n" GROUP,
		{"t:6:22: ports.outside4.device: found '3B:00.1', expected a device of its own: "
		 "ports.outside2 (line 4) has this one"}},
	{PORTS "  inside2: {device: \"a b\", vlan: 4, addresses: [10.0.0.1]}\n"
	       "  inside3: {addresses: [10.0.0.0/8, 10.255.255.255/8, 127.0.0.1/8, 224.0.0.1/24]}\n"
	       "  inside4: {device: d, parent: inside, vlan: 7, addresses: [10.0.0.1/8]}\n" GROUP,
		{"t:4:21: ports.inside2.device: found 'a b', expected a device such as "
		 "net_tap0,iface=x or 0000:3b:00.1",
			"t:4:34: ports.inside2.vlan: found a vlan without a parent, expected "
			"parent: the name of the port that carries it",
			"t:4:49: ports.inside2.addresses[0]: found '10.0.0.1', expected an address "
			"with its subnet's length: 192.0.2.1/24",
			"t:5:3: ports.inside3: found neither device nor parent, expected device "
			"for a port, parent and vlan for a VLAN of one",
			"t:5:25: ports.inside3.addresses[0]: found '10.0.0.0/8', expected a host's "
			"address (not the subnet's own, broadcast, loopback, multicast)",
			"t:5:37: ports.inside3.addresses[1]: found '10.255.255.255/8', expected a "
			"host's address (not the subnet's own, broadcast, loopback, multicast)",
			"t:5:55: ports.inside3.addresses[2]: found '127.0.0.1/8', expected a "
			"host's address (not the subnet's own, broadcast, loopback, multicast)",
			"t:5:68: ports.inside3.addresses[3]: found '224.0.0.1/24', expected a "
			"host's address (not the subnet's own, broadcast, loopback, multicast)",
			"t:6:3: ports.inside4: found both device and parent, expected device for a "
			"port, parent and vlan for a VLAN of one"}},
	{PORTS "  inside5: {parent: inside, addresses: [10.0.0.1/8]}\n"
	       "  inside6: {parent: nobody, vlan: 3, addresses: [10.0.0.1/8]}\n"
	       "  inside7: {parent: inside7, vlan: 4095, addresses: [10.0.0.1/8]}\n"
	       "  inside8: {device: e}\n" GROUP,
		{"t:4:3: ports.inside5: found no vlan, expected vlan: 1 to 4094",
			"t:5:21: ports.inside6.parent: found 'nobody', expected the name of a port "
			"that has a device",
			"t:6:21: ports.inside7.parent: found 'inside7', expected the name of a "
			"port that has a device",
			"t:6:36: ports.inside7.vlan: found '4095', expected a number from 1 to "
			"4094",
			"t:7:3: ports.inside8: found no addresses, expected at least one (only a "
			"port with VLANs on it can do without)"}},
	{PORTS "  v1: {parent: inside, vlan: 4, side: inside, addresses: [10.0.0.1/8]}\n"
	       "  v2: {parent: inside, vlan: 4, side: both, addresses: [10.0.0.1/8]}\n"
	       "  v3: {parent: v1, vlan: 5, side: inside, addresses: [10.0.0.1/8]}\n" GROUP,
		{"t:5:30: ports.v2.vlan: found '4', expected another VLAN: ports.v1 (line 4) has "
		 "this one on that port",
			"t:5:39: ports.v2.side: found 'both', expected one of inside, outside",
			"t:6:16: ports.v3.parent: found 'v1', expected the name of a port that has "
			"a device"}},
	{"ports:\n"
	 "  inside: {device: a, mtu: 1400, addresses: [100.64.0.1/10]}\n"
	 "  inside2: {parent: inside, vlan: 1, mtu: 1500, addresses: [10.0.0.1/8]}\n"
	 "  outside: {device: b, mtu: 10000, addresses: [198.51.100.2/24]}\n" GROUP,
		{"t:3:43: ports.inside2.mtu: found '1500', expected at most the 1400 of its port",
			"t:4:29: ports.outside.mtu: found '10000', expected a number from 576 to "
			"9216"}},
	// Addresses and routes.
	{PORTS "  inside2: {device: c, addresses: [198.51.100.2/24, 10.0.0.1/8, 10.0.0.1/8]}\n"
	       "  outside2: {device: d, addresses: [198.51.100.2/24, 100.64.0.1/32]}\n" GROUP,
		{"t:4:36: ports.inside2.addresses[0]: found '198.51.100.2/24', expected an address "
		 "of its own: it is ports.outside.addresses[0] (line 3) too",
			"t:4:65: ports.inside2.addresses[2]: found '10.0.0.1/8', expected an "
			"address of its own: it is ports.inside2.addresses[1] (line 4) too",
			"t:5:37: ports.outside2.addresses[0]: found '198.51.100.2/24', expected an "
			"address of its own: it is ports.inside2.addresses[0] (line 4) too",
			"t:5:37: ports.outside2.addresses[0]: found '198.51.100.2/24', expected "
			"one way to a prefix in a realm: ports.outside.addresses[0] (line 3) has "
			"it already",
			"t:5:54: ports.outside2.addresses[1]: found '100.64.0.1/32', expected an "
			"address of its own: it is ports.inside.addresses[0] (line 2) too"}},
	{"ports:\n"
	 "  inside: {device: a, addresses: [100.64.0.1/10], gateway: 10.0.0.1, routes: [{to: "
	 "0.0.0.0/0, via: 100.64.0.2}]}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24], gateway: 198.51.100.2,\n"
	 "    routes: [{to: 10.0.0.1/8, via: 198.51.100.255}, {to: 10.0.0.0/8, via: x}, {to: "
	 "10.0.0.0/8}, 7, {to: 10.0.0.0/8, via: 198.51.100.7}]}\n" GROUP,
		{"t:2:60: ports.inside.gateway: found '10.0.0.1', expected a router in a subnet of "
		 "inside",
			"t:2:84: ports.inside.routes[0].to: found '0.0.0.0/0', expected one way to "
			"a prefix in a realm: ports.inside.gateway (line 2) has it already",
			"t:3:63: ports.outside.gateway: found '198.51.100.2', expected another "
			"router: this is an address of outside itself",
			"t:4:19: ports.outside.routes[0].to: found '10.0.0.1/8', expected no bits "
			"behind the prefix: 10.0.0.0/8",
			"t:4:36: ports.outside.routes[0].via: found '198.51.100.255', expected a "
			"router in a subnet of outside",
			"t:4:75: ports.outside.routes[1].via: found 'x', expected the address of a "
			"router such as 192.0.2.1",
			"t:4:79: ports.outside.routes[2]: found no via, expected a route such as "
			"{to: 10.0.0.0/8, via: 192.0.2.1}",
			"t:4:97: ports.outside.routes[3]: found '7', expected a mapping",
			"t:4:105: ports.outside.routes[4].to: found '10.0.0.0/8', expected one way "
			"to a prefix in a realm: ports.outside.routes[1].to (line 4) has it "
			"already"}},
	{PORTS "  outside2: {device: c, addresses: [198.51.100.3/24], gateway: "
	       "198.51.100.9}\n" GROUP,
		{"t:4:37: ports.outside2.addresses[0]: found '198.51.100.3/24', expected one way "
		 "to a prefix in a realm: ports.outside.addresses[0] (line 3) has it already",
			"t:4:64: ports.outside2.gateway: found '198.51.100.9', expected one way to "
			"a prefix in a realm: ports.outside.gateway (line 3) has it already"}},
	// Groups.
	{PORTS, {"t:1:1: found no nat-groups, expected at least one under nat-groups"}},
	{PORTS "nat-groups:\n",
		{"t:4:1: nat-groups: found no NAT group, expected at least one under nat-groups"}},
	{PORTS "nat-groups: 7\n",
		{"t:4:13: nat-groups: found '7', expected a mapping of names to NAT groups"}},
	{PORTS "nat-groups: {g: , h: 7, \"x y\": {}}\n",
		{"t:4:14: nat-groups.g: found no external-address-pool, expected "
		 "external-address-pool: addresses such as [203.0.113.0/26]",
			"t:4:14: nat-groups.g: found no subscribers, expected subscribers: "
			"prefixes such as [100.64.0.0/10]",
			"t:4:22: nat-groups.h: found '7', expected a mapping",
			"t:4:25: nat-groups.x y: found 'x y', expected a name of 1 to 31 letters, "
			"digits, - and _"}},
	{PORTS GROUP "  g: {subscribers: [10.0.0.0/8], external-address-pool: [192.0.2.1]}\n",
		{"t:8:3: nat-groups.g: found 'g', expected the name once: it stands in line 5 "
		 "already"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.1/10, x], external-address-pool: [203.0.113.1/29, "
	       "203.0.113.9-203.0.113.8, 127.0.0.1, \"::1\"]}\n",
		{"t:5:21: nat-groups.g.subscribers[0]: found '100.64.0.1/10', expected no bits "
		 "behind the prefix: 100.64.0.0/10",
			"t:5:36: nat-groups.g.subscribers[1]: found 'x', expected a prefix such as "
			"100.64.0.0/10",
			"t:5:64: nat-groups.g.external-address-pool[0]: found '203.0.113.1/29', "
			"expected no bits behind the prefix: 203.0.113.0/29",
			"t:5:80: nat-groups.g.external-address-pool[1]: found "
			"'203.0.113.9-203.0.113.8', expected 203.0.113.0/26, 203.0.113.70 or "
			"203.0.113.80-203.0.113.90",
			"t:5:105: nat-groups.g.external-address-pool[2]: found '127.0.0.1', "
			"expected unicast addresses",
			"t:5:116: nat-groups.g.external-address-pool[3]: found '::1', expected "
			"203.0.113.0/26, 203.0.113.70 or 203.0.113.80-203.0.113.90"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [], external-address-pool: [], inside: [outside, nobody, "
	       "inside, inside]}\n",
		{"t:5:7: nat-groups.g.subscribers: found an empty list, expected a list of "
		 "prefixes such as [100.64.0.0/10]",
			"t:5:24: nat-groups.g.external-address-pool: found an empty list, expected "
			"a list of addresses such as [203.0.113.0/26]",
			"t:5:60: nat-groups.g.inside[0]: found 'outside', expected the name of an "
			"inside port",
			"t:5:69: nat-groups.g.inside[1]: found 'nobody', expected the name of an "
			"inside port",
			"t:5:85: nat-groups.g.inside[3]: found 'inside', expected each port once"}},
	{PORTS "nat-groups:\n"
	       "  a: {subscribers: [100.64.0.0/10], external-address-pool: [203.0.113.0/29]}\n"
	       "  b: {subscribers: [100.64.7.0/24, 10.0.0.0/8], external-address-pool: "
	       "[203.0.113.7, 203.0.113.8/30]}\n"
	       "  c: {subscribers: [10.1.0.0/16, 100.0.0.0/8], external-address-pool: "
	       "[203.0.113.0/24]}\n",
		{"t:6:21: nat-groups.b.subscribers[0]: found '100.64.7.0/24', expected subscribers "
		 "of one group only: nat-groups.a.subscribers[0] (line 5) has some of them",
			"t:7:21: nat-groups.c.subscribers[0]: found '10.1.0.0/16', expected "
			"subscribers of one group only: nat-groups.b.subscribers[1] (line 6) has "
			"some of them",
			"t:7:34: nat-groups.c.subscribers[1]: found '100.0.0.0/8', expected "
			"subscribers of one group only: nat-groups.a.subscribers[0] (line 5) has "
			"some of them",
			"t:7:72: nat-groups.c.external-address-pool[0]: found '203.0.113.0/24', "
			"expected addresses of no other pool item: "
			"nat-groups.a.external-address-pool[0] (line 5) has some of them",
			"t:7:72: nat-groups.c.external-address-pool[0]: found '203.0.113.0/24', "
			"expected addresses of no other pool item: "
			"nat-groups.b.external-address-pool[0] (line 6) has some of them",
			"t:7:72: nat-groups.c.external-address-pool[0]: found '203.0.113.0/24', "
			"expected addresses of no other pool item: "
			"nat-groups.b.external-address-pool[1] (line 6) has some of them"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/10], external-address-pool: [198.51.100.0/29, "
	       "198.51.100.255, 192.0.2.1, 100.64.0.1], pcp: {listen: [192.0.2.1]}}\n",
		{"t:5:61: nat-groups.g.external-address-pool[0]: found '198.51.100.0/29', expected "
		 "no port's address: 198.51.100.2 is that of ports.outside.addresses[0] (line 3)",
			"t:5:61: nat-groups.g.external-address-pool[0]: found '198.51.100.0/29', "
			"expected no router's address: 198.51.100.1 is that of "
			"ports.outside.gateway (line 3)",
			"t:5:61: nat-groups.g.external-address-pool[0]: found '198.51.100.0/29', "
			"expected no subnet's own address: 198.51.100.0 is that of "
			"ports.outside.addresses[0] (line 3)",
			"t:5:78: nat-groups.g.external-address-pool[1]: found '198.51.100.255', "
			"expected no broadcast address: 198.51.100.255 is that of "
			"ports.outside.addresses[0] (line 3)",
			"t:5:94: nat-groups.g.external-address-pool[2]: found '192.0.2.1', "
			"expected no listen address: 192.0.2.1 is that of "
			"nat-groups.g.pcp.listen[0] (line 5)",
			"t:5:105: nat-groups.g.external-address-pool[3]: found '100.64.0.1', "
			"expected no port's address: 100.64.0.1 is that of "
			"ports.inside.addresses[0] (line 2)"}},
	{PORTS "nat-groups:\n"
	       "  a: {subscribers: [100.64.0.0/16], external-address-pool: [203.0.113.0/29], pcp: "
	       "{listen: [192.0.2.1, 192.0.2.1, 100.64.0.1]}}\n"
	       "  b: {subscribers: [100.65.0.0/16], external-address-pool: [203.0.113.8], pcp: "
	       "{listen: [gateway, 192.0.2.1, 127.0.0.1, x]}}\n",
		{"t:5:104: nat-groups.a.pcp.listen[1]: found '192.0.2.1', expected each address "
		 "once",
			"t:5:115: nat-groups.a.pcp.listen[2]: found '100.64.0.1', expected an "
			"address no port has (gateway means theirs): it is "
			"ports.inside.addresses[0] (line 2)",
			"t:6:99: nat-groups.b.pcp.listen[1]: found '192.0.2.1', expected an "
			"address of its own group: nat-groups.a.pcp.listen[0] (line 5) has it",
			"t:6:110: nat-groups.b.pcp.listen[2]: found '127.0.0.1', expected an "
			"address such as 192.0.2.1, gateway or anycast",
			"t:6:121: nat-groups.b.pcp.listen[3]: found 'x', expected an address such "
			"as 192.0.2.1, gateway or anycast"}},
	{PORTS GROUP "    port-set-size: 500\n"
		     "    block-limit: 0\n"
		     "    port-limit: x\n"
		     "    port-range: [2000, 1000]\n"
		     "    address-pooling: firm\n",
		{"t:8:20: nat-groups.g.port-set-size: found '500', expected a power of two from 4 "
		 "to 4096",
			"t:9:18: nat-groups.g.block-limit: found '0', expected a number from 1 to "
			"16384",
			"t:10:17: nat-groups.g.port-limit: found 'x', expected a number from 0 to "
			"1000000, such as 5000, 64k or 1M",
			"t:11:5: nat-groups.g.port-range: found a first port behind the last, "
			"expected the first and the last port: [1024, 65535]",
			"t:12:22: nat-groups.g.address-pooling: found 'firm', expected one of "
			"hard, soft"}},
	{PORTS GROUP "    port-set-size: 8192\n"
		     "    port-range: [1024]\n",
		{"t:8:20: nat-groups.g.port-set-size: found '8192', expected a power of two from 4 "
		 "to 4096",
			"t:9:5: nat-groups.g.port-range: found a list, expected the first and the "
			"last port: [1024, 65535]"}},
	{PORTS GROUP "    port-range: [0, 65536]\n",
		{"t:8:18: nat-groups.g.port-range[0]: found '0', expected a number from 1 to 65535",
			"t:8:21: nat-groups.g.port-range[1]: found '65536', expected a number from "
			"1 to 65535"}},
	{PORTS GROUP "    port-range: [1030, 1600]\n",
		{"t:8:5: nat-groups.g.port-range: found ports 1030 to 1600, expected room for a "
		 "block of 512 ports that starts at a multiple of it"}},
	{"workers: 9\n" PORTS GROUP "    port-set-size: 2048\n",
		{"t:9:20: nat-groups.g.port-set-size: found 8 addresses for 9 workers, expected "
		 "port-set-size of at most 1024 when addresses must be cut"}},
	{"workers: 9\n" PORTS GROUP "    port-range: [1024, 2047]\n",
		{"t:8:5: nat-groups.g.external-address-pool: found 8 addresses for 9 workers, "
		 "expected a share for every worker: here an address can be cut in 1"}},
	{PORTS "nat-groups: {g: {subscribers: [100.64.0.0/10], external-address-pool: "
	       "[203.0.0.0/15]}}\n",
		{"t:4:1: nat-groups: found pools of 131072 addresses, expected at most 65535"}},
	{PORTS GROUP "limits: {external-addresses: 7}\n",
		{"t:8:30: limits.external-addresses: found pools of 8 addresses, expected smaller "
		 "pools, or a limit of at least 8"}},
	// Static mappings.
	{PORTS GROUP
		"    static-mappings:\n"
		"    - {protocol: sctp, internal: 100.64.0.10, external: \"203.0.113.1:0\"}\n"
		"    - {protocol: tcp, internal: \"10.0.0.1:22\", external: \"203.0.113.9:22\"}\n"
		"    - {protocol: tcp}\n"
		"    - 7\n",
		{"t:9:18: nat-groups.g.static-mappings[0].protocol: found 'sctp', expected one of "
		 "udp, tcp, icmp",
			"t:9:34: nat-groups.g.static-mappings[0].internal: found '100.64.0.10', "
			"expected an address and a port such as \"192.0.2.1:80\"",
			"t:9:57: nat-groups.g.static-mappings[0].external: found '203.0.113.1:0', "
			"expected an address and a port such as \"192.0.2.1:80\"",
			"t:10:33: nat-groups.g.static-mappings[1].internal: found '10.0.0.1:22', "
			"expected a host of the subscribers of g",
			"t:10:58: nat-groups.g.static-mappings[1].external: found "
			"'203.0.113.9:22', expected an address of the pool of g",
			"t:11:7: nat-groups.g.static-mappings[2]: found no internal, expected "
			"protocol, internal and external",
			"t:12:7: nat-groups.g.static-mappings[3]: found '7', expected a mapping"}},
	{PORTS GROUP
		"    static-mappings:\n"
		"    - {protocol: tcp, internal: \"100.64.0.1:22\", external: \"203.0.113.1:22\"}\n"
		"    - {protocol: tcp, internal: \"100.64.0.2:22\", external: \"203.0.113.1:22\"}\n"
		"    - {protocol: tcp, internal: \"100.64.0.1:22\", external: \"203.0.113.1:23\"}\n"
		"    - {protocol: udp, internal: \"100.64.0.1:5350\", external: "
		"\"203.0.113.1:5351\", inside: outside}\n",
		{"t:10:60: nat-groups.g.static-mappings[1].external: found '203.0.113.1:22', "
		 "expected an external port of its own: nat-groups.g.static-mappings[0] (line 9) "
		 "has this one",
			"t:11:33: nat-groups.g.static-mappings[2].internal: found '100.64.0.1:22', "
			"expected an internal port of its own: nat-groups.g.static-mappings[0] "
			"(line 9) has this one",
			"t:12:33: nat-groups.g.static-mappings[3].internal: found "
			"'100.64.0.1:5350', expected another port: UDP 5350 and 5351 belong to PCP",
			"t:12:62: nat-groups.g.static-mappings[3].external: found "
			"'203.0.113.1:5351', expected another port: UDP 5350 and 5351 belong to "
			"PCP",
			"t:12:90: nat-groups.g.static-mappings[3].inside: found 'outside', "
			"expected the name of an inside port of g"}},
	// YAML itself.
	{PORTS "nat-groups: [\n", {"t:5:1: found no YAML: did not find expected node content, "
				   "expected well-formed YAML while parsing a flow node"}},
	{PORTS "  x: \"\n", {"t:5:1: found no YAML: found unexpected end of stream, expected "
			     "well-formed YAML (while scanning a quoted scalar from line 4 on)"}},
	{"ports: {a: 1\n"
	 "b: 2\n",
		{"t:2:2: found no YAML: did not find expected ',' or '}', expected well-formed "
		 "YAML (while parsing a flow mapping from line 1 on)"}},
	{"a: b: c\n", {"t:1:5: found no YAML: mapping values are not allowed in this context, "
		       "expected well-formed YAML"}},
	{"\tports: 1\n", {"t:1:1: found no YAML: found character that cannot start any token, "
			  "expected well-formed YAML while scanning for the next token"}},
	{PORTS "nat-groups: &n {g: *n, h: !t {subscribers: [10.0.0.0/8], external-address-pool: "
	       "[203.0.113.1]}}\n",
		{"t:4:13: nat-groups: found an anchor (&), expected a plain value: anchors and "
		 "aliases are not used",
			"t:4:20: nat-groups.g: found an alias (*), expected the value itself: "
			"aliases are not used",
			"t:4:27: nat-groups.h: found a tag (!), expected a plain value: tags are "
			"not used"}},
	{PORTS GROUP "lcores: &a [1]\n"
		     "control: {mode: &m 0660}\n"
		     "limits: *a\n",
		{"t:8:9: lcores: found an anchor (&), expected a plain value: anchors and aliases "
		 "are not used",
			"t:9:17: control.mode: found an anchor (&), expected a plain value: "
			"anchors and aliases are not used",
			"t:10:9: limits: found an alias (*), expected the value itself: aliases "
			"are not used"}},
	{"? [a, b]\n"
	 ": c\n",
		{"t:1:3: found a list, expected a plain name"}},
	{"? {a: b}\n"
	 ": c\n",
		{"t:1:3: found a mapping, expected a plain name"}},
	{"*a : c\n", {"t:1:1: found an alias (*), expected a plain name"}},
	{PORTS GROUP "---\n"
		     "a: b\n",
		{"t:8:1: found a second document, expected one document"}},
	{"a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
		{"t:1:19: found a value nested more than 16 deep, expected less depth"}},
	{"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: 1}}}}}}}}}}}}}}}}}\n",
		{"t:1:64: found a value nested more than 16 deep, expected less depth"}},
	{"a: b\n"
	 "c: \xff\n",
		{"t:2:4: found no YAML: invalid leading UTF-8 octet, expected well-formed YAML"}},
	{"a: \x01\n", {"t:1:4: found no YAML: control characters are not allowed, expected "
		       "well-formed YAML"}},
	{"\"a\\0b\": 1\n", {"t:1:1: found a NUL octet, expected text without NUL"}},
	{"x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4: 1\n",
		{"t:1:1: found no nat-groups, expected at least one under nat-groups",
			"t:1:1: found no inside port, expected at least one under ports",
			"t:1:1: found no outside port, expected at least one under ports",
			"t:1:1: xääää: found 'xääää', expected one of workers, lcores, idle, "
			"require-huge-pages, ports, limits, timers, nat-groups, log, control"}},
};

Test(conf, every_mistake_is_named_with_its_place)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		check_mistake(&mistakes[i]);
}
