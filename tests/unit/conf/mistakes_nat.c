// SPDX-License-Identifier: Apache-2.0
// Files that are wrong, continued: limits, timers, behaviour of groups, plans, IPv6 and the log.
#include "make.h"

static const struct mistake mistakes[] = {
	// Limits.
	{PORTS GROUP
		"limits: {mappings: 1000, mappings-reserved: 1000, sessions: 1, hold-down-max: 0,\n"
		"  fragments-limit: 2M, fragments-per-source: 0, max-stored-syn: -1}\n",
		{"t:8:45: limits.mappings-reserved: found '1000', expected less than the 1000 of "
		 "limits.mappings",
			"t:8:61: limits.sessions: found '1', expected a number from 1000 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:8:79: limits.hold-down-max: found '0', expected a number from 1 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:9:20: limits.fragments-limit: found '2M', expected a number from 0 to "
			"1000000, such as 5000, 64k or 1M",
			"t:9:46: limits.fragments-per-source: found '0', expected a number from 1 "
			"to 1000000, such as 5000, 64k or 1M",
			"t:9:65: limits.max-stored-syn: found '-1', expected a number from 0 to "
			"1000000, such as 5000, 64k or 1M"}},
	{PORTS GROUP "limits: {mappings-reserved: 100%}\n",
		{"t:8:29: limits.mappings-reserved: found '100%', expected 0% to 99%, or a "
		 "number"}},
	{PORTS GROUP "limits: {mappings-reserved: 2M}\n",
		{"t:8:29: limits.mappings-reserved: found '2M', expected less than the 1000000 of "
		 "limits.mappings"}},
	// Timers.
	{PORTS GROUP "timers: {tcp-rst-timeout: 239, tcp-in-syn-timeout: 5, fragment-min-timeout: "
		     "1, allow-short-timers: no}\n",
		{"t:8:27: timers.tcp-rst-timeout: found '239', expected at least 4m (RFC 7857 "
		 "s.2.2), or allow-short-timers: true",
			"t:8:52: timers.tcp-in-syn-timeout: found '5', expected a time from 6s to "
			"2m (units: s, m, h, d)",
			"t:8:77: timers.fragment-min-timeout: found '1', expected a time from 2s "
			"to 2m (units: s, m, h, d)",
			"t:8:100: timers.allow-short-timers: found 'no', expected one of false, "
			"true"}},
	{PORTS GROUP "timers: {udp-timeout: 119, icmp-timeout: 59, tcp-idle-timeout: 239, "
		     "tcp-rst-timeout: 9, allow-short-timers: true}\n",
		{"t:8:23: timers.udp-timeout: found '119', expected a time from 2m to 64000s "
		 "(units: s, m, h, d)",
			"t:8:42: timers.icmp-timeout: found '59', expected a time from 1m to "
			"64000s (units: s, m, h, d)",
			"t:8:64: timers.tcp-idle-timeout: found '239', expected a time from 4m to "
			"64000s (units: s, m, h, d)",
			"t:8:86: timers.tcp-rst-timeout: found '9', expected a time from 10s to "
			"64000s (units: s, m, h, d)"}},
	{PORTS GROUP "timers:\n"
		     "  per-port-timeout: {0: 5s, 53: x, 1024: 5s, 053: 5s, 123: 0, 7: 1m, 7: 2m, "
		     "ntp: 9}\n",
		{"t:9:22: timers.per-port-timeout.0: found '0', expected a UDP port from 1 to 1023 "
		 "(RFC 4787 REQ-5a)",
			"t:9:33: timers.per-port-timeout.53: found 'x', expected a time from 1s to "
			"64000s (units: s, m, h, d)",
			"t:9:36: timers.per-port-timeout.1024: found '1024', expected a UDP port "
			"from 1 to 1023 (RFC 4787 REQ-5a)",
			"t:9:46: timers.per-port-timeout.053: found '053', expected a UDP port "
			"from 1 to 1023 (RFC 4787 REQ-5a)",
			"t:9:60: timers.per-port-timeout.123: found '0', expected a time from 1s "
			"to 64000s (units: s, m, h, d)",
			"t:9:70: timers.per-port-timeout.7: found '7', expected each port once",
			"t:9:77: timers.per-port-timeout.ntp: found 'ntp', expected a UDP port "
			"from 1 to 1023 (RFC 4787 REQ-5a)"}},
	{PORTS GROUP "timers: {per-port-timeout: [53]}\n",
		{"t:8:10: timers.per-port-timeout: found a list, expected at most 31 UDP ports and "
		 "their times: {53: 15s, 123: 10s}"}},
	{PORTS GROUP
		"timers:\n"
		"  per-port-timeout: {1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 7: 5, 8: 5, 9: 5, 10: 5, "
		"11: 5, 12: 5, 13: 5, 14: 5, 15: 5, 16: 5, 17: 5, 18: 5, 19: 5, 20: 5, 21: 5, 22: "
		"5, 23: 5, 24: 5, 25: 5, 26: 5, 27: 5, 28: 5, 29: 5, 30: 5, 31: 5, 32: 5}\n",
		{"t:9:3: timers.per-port-timeout: found a mapping, expected at most 31 UDP ports "
		 "and their times: {53: 15s, 123: 10s}"}},
	// Words of which one is served, and words of which some are.
	{PORTS GROUP "    mapping-type: edm\n"
		     "    address-allocation-type: roundrobin\n"
		     "    port-allocation-type: random\n"
		     "    filtering-type: adm\n"
		     "    fragment-behavior: reorder\n"
		     "    tcp-unsolicited: reset\n"
		     "    log: packets\n",
		{"t:8:19: nat-groups.g.mapping-type: found 'edm', expected eim: any other would "
		 "break RFC 4787 REQ-1",
			"t:9:30: nat-groups.g.address-allocation-type: found 'roundrobin', "
			"expected paired: any other would break RFC 6888 REQ-2 (see "
			"address-pooling)",
			"t:10:27: nat-groups.g.port-allocation-type: found 'random', expected one "
			"of port-range-allocation, deterministic",
			"t:11:21: nat-groups.g.filtering-type: found 'adm', expected one of eif, "
			"adf, apdf, edf",
			"t:12:24: nat-groups.g.fragment-behavior: found 'reorder', expected one of "
			"drop-all, in-order, out-of-order",
			"t:13:22: nat-groups.g.tcp-unsolicited: found 'reset', expected one of "
			"drop, icmp",
			"t:14:10: nat-groups.g.log: found 'packets', expected one of blocks, "
			"mappings, sessions"}},
	{PORTS GROUP "    filtering-type: {udp: eif, sctp: adf, tcp: [adf]}\n",
		{"t:8:32: nat-groups.g.filtering-type.sctp: found 'sctp', expected a known name, "
		 "perhaps 'tcp'",
			"t:8:43: nat-groups.g.filtering-type.tcp: found a list, expected one of "
			"eif, adf, apdf, edf"}},
	// Numbers of a group.
	{PORTS GROUP "    port-set-timeout: 65000\n"
		     "    address-pairing-retention: 25h\n"
		     "    session-limit: x\n"
		     "    mapping-rate: {burst: 5}\n"
		     "    notify-user-high: 101\n"
		     "    tcp-mss-clamp: 535\n"
		     "    tcp-reopen: 1\n",
		{"t:8:23: nat-groups.g.port-set-timeout: found '65000', expected a time from 0s to "
		 "64000s (units: s, m, h, d)",
			"t:9:32: nat-groups.g.address-pairing-retention: found '25h', expected a "
			"time from 0s to 1d (units: s, m, h, d)",
			"t:10:20: nat-groups.g.session-limit: found 'x', expected a number from 0 "
			"to 1000000000, such as 5000, 64k or 1M",
			"t:11:5: nat-groups.g.mapping-rate: found a burst without a rate, expected "
			"new mappings a second and at once: {rate: 200, burst: 1000}",
			"t:12:23: nat-groups.g.notify-user-high: found '101', expected a number "
			"from 0 to 100",
			"t:13:20: nat-groups.g.tcp-mss-clamp: found '535', expected a number from "
			"536 to 9176",
			"t:14:17: nat-groups.g.tcp-reopen: found '1', expected one of false, "
			"true"}},
	{PORTS GROUP "    notify-user-high: 80\n"
		     "    notify-pool-usage: {low-threshold: 90, high-threshold: 90, "
		     "notify-interval: 0}\n"
		     "    mapping-rate: 7\n",
		{"t:8:23: nat-groups.g.notify-user-high: found '80', expected a port-limit beside "
		 "it: it is a percentage of that",
			"t:9:81: nat-groups.g.notify-pool-usage.notify-interval: found '0', "
			"expected a time from 1s to 1h (units: s, m, h, d)",
			"t:10:19: nat-groups.g.mapping-rate: found '7', expected a mapping"}},
	{PORTS GROUP "    notify-pool-usage: {low-threshold: 90, high-threshold: 90}\n"
		     "    tcp-unsolicited: icmp\n",
		{"t:8:5: nat-groups.g.notify-pool-usage: found a low-threshold that is not below "
		 "the high one, expected percent of the pool's blocks: {low-threshold: 70, "
		 "high-threshold: 90}",
			"t:9:22: nat-groups.g.tcp-unsolicited: found 'icmp', expected "
			"limits.max-stored-syn above 0: each such SYN is kept for some seconds"}},
	// Ports of explicit mappings.
	{PORTS GROUP "    port-forwarding-range: [500, 1024]\n",
		{"t:8:5: nat-groups.g.port-forwarding-range: found ports that are in port-range "
		 "too, expected ports outside of 1024 to 65535 (see port-range)"}},
	{PORTS GROUP "    port-forwarding-range: [0, 70000]\n",
		{"t:8:29: nat-groups.g.port-forwarding-range[0]: found '0', expected a number from "
		 "1 to 65535",
			"t:8:32: nat-groups.g.port-forwarding-range[1]: found '70000', expected a "
			"number from 1 to 65535"}},
	{PORTS GROUP "    port-forwarding-range: [5, 4]\n",
		{"t:8:5: nat-groups.g.port-forwarding-range: found a first port behind the last, "
		 "expected the first and the last port: [1024, 9999]"}},
	{"workers: 9\n" PORTS GROUP "    port-range: [8192, 65535]\n"
	 "    port-forwarding-range: [1024, 8191]\n",
		{"t:10:5: nat-groups.g.port-forwarding-range: found 8 addresses for 9 workers, "
		 "expected a part for every worker: 9 pieces of 1024 ports that port-range has "
		 "not"}},
	// Pass-through.
	{PORTS GROUP "    nat-pass-through: [{}, {prefix: 10.0.0.1/8}, {prefix: x, protocol: sctp, "
		     "ports: 0},\n"
		     "      {prefix: 10.0.0.0/8, protocol: icmp, ports: 7}, {prefix: 10.0.0.0/8, "
		     "ports: 9-7}, 7]\n",
		{"t:8:24: nat-groups.g.nat-pass-through[0]: found no prefix, expected an outside "
		 "destination such as {prefix: 198.18.0.0/15, protocol: tcp, ports: 80-81}",
			"t:8:37: nat-groups.g.nat-pass-through[1].prefix: found '10.0.0.1/8', "
			"expected no bits behind the prefix: 10.0.0.0/8",
			"t:8:59: nat-groups.g.nat-pass-through[2].prefix: found 'x', expected a "
			"prefix such as 198.18.0.0/15",
			"t:8:72: nat-groups.g.nat-pass-through[2].protocol: found 'sctp', expected "
			"udp, tcp, icmp or a protocol number from 1 to 255",
			"t:8:85: nat-groups.g.nat-pass-through[2].ports: found '0', expected a "
			"port or a range such as 5060-5061",
			"t:9:51: nat-groups.g.nat-pass-through[3].ports: found '7', expected no "
			"ports: only UDP and TCP have any",
			"t:9:83: nat-groups.g.nat-pass-through[4].ports: found '9-7', expected a "
			"port or a range such as 5060-5061",
			"t:9:89: nat-groups.g.nat-pass-through[5]: found '7', expected a mapping"}},
	// Plans.
	{PORTS GROUP "    deterministic: {ports-per-subscriber: 512}\n",
		{"t:8:5: nat-groups.g.deterministic: found numbers of another allocation, expected "
		 "port-allocation-type: deterministic beside it"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/10], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic}\n",
		{"t:6:27: nat-groups.g.port-allocation-type: found 4194304 hosts on 8 addresses of "
		 "64512 ports, expected 33289 addresses, for 512 ports a host and an overflow of "
		 "0"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, deterministic: {ports-per-subscriber: "
	       "4096}}\n",
		{"t:6:80: nat-groups.g.deterministic.ports-per-subscriber: found 256 hosts on 8 "
		 "addresses of 64512 ports, expected 18 addresses, for 4096 ports a host and an "
		 "overflow of 0"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, deterministic: {ports-per-subscriber: "
	       "1000}}\n",
		{"t:6:80: nat-groups.g.deterministic.ports-per-subscriber: found '1000', expected "
		 "a multiple of port-set-size, here 512"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, deterministic: {overflow: 65000}}\n",
		{"t:6:68: nat-groups.g.deterministic.overflow: found 256 hosts on 8 addresses of "
		 "64512 ports, expected room for 512 ports of a host beside an overflow of 65000"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, deterministic: {overflow: 70000, "
	       "ports-per-subscriber: 1, hosts: 7}}\n",
		{"t:6:68: nat-groups.g.deterministic.overflow: found '70000', expected a number "
		 "from 0 to 65535",
			"t:6:97: nat-groups.g.deterministic.ports-per-subscriber: found '1', "
			"expected a number from 4 to 65535",
			"t:6:100: nat-groups.g.deterministic.hosts: found 'hosts', expected one of "
			"ports-per-subscriber, overflow"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, port-set-size: 64, port-forwarding-range: "
	       "[1, 1023]}\n",
		{"t:6:61: nat-groups.g.port-forwarding-range: found a range of its own, expected "
		 "none: with deterministic, explicit mappings take the host's own ports"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24, 100.64.1.0/25, 100.64.0.128/25, 100.64.1.0/25], "
	       "external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, port-set-size: 64}\n",
		{"t:5:51: nat-groups.g.subscribers[2]: found '100.64.0.128/25', expected hosts "
		 "that are counted once: nat-groups.g.subscribers[0] (line 5) has them",
			"t:5:68: nat-groups.g.subscribers[3]: found '100.64.1.0/25', expected "
			"hosts that are counted once: nat-groups.g.subscribers[1] (line 5) has "
			"them"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, port-set-size: 64, static-mappings: [\n"
	       "      {protocol: tcp, internal: '100.64.0.7:80', external: '203.0.113.0:1024'}]}\n",
		{"t:7:60: nat-groups.g.static-mappings[0].external: found '203.0.113.0:1024', "
		 "expected a port of the host's own, or nobody's: this is 100.64.0.0's"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [0.0.0.0/0], external-address-pool: [203.0.113.1],\n"
	       "    port-allocation-type: deterministic}\n",
		{"t:6:27: nat-groups.g.port-allocation-type: found 4294967296 hosts on 1 addresses "
		 "of 64512 ports, expected 34087043 addresses, for 512 ports a host and an "
		 "overflow of 0"}},
	{PORTS "  v20: {parent: inside, vlan: 20, side: inside, addresses: [100.64.0.1/10]}\n"
	       "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, port-set-size: 64}\n",
		{"t:6:3: nat-groups.g: found 2 inside ports, expected inside: one of them, as a "
		 "deterministic group tells hosts by address alone"}},
	{PORTS "  v20: {parent: inside, vlan: 20, side: inside, addresses: [100.64.0.1/10]}\n"
	       "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/24], external-address-pool: [203.0.113.0/29],\n"
	       "    port-allocation-type: deterministic, port-set-size: 64, inside: [v20, "
	       "inside]}\n",
		{"t:7:61: nat-groups.g.inside: found 2 inside ports, expected inside: one of them, "
		 "as a deterministic group tells hosts by address alone"}},
	// IPv6.
	{"ports:\n"
	 "  inside: {device: a, addresses: [100.64.0.1/10, '2001:db8::/64', 'fe80::1/64', "
	 "'2001:db8::1', '::1/128', '2001:db8::1/0', 'ff02::1/64', '2001:db8::g/64', "
	 "'::ffff:1.2.3.4/128']}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP,
		{"t:2:50: ports.inside.addresses[1]: found '2001:db8::/64', expected a host's "
		 "address (not the subnet's own, link-local, multicast)",
			"t:2:67: ports.inside.addresses[2]: found 'fe80::1/64', expected a host's "
			"address (not the subnet's own, link-local, multicast)",
			"t:2:81: ports.inside.addresses[3]: found '2001:db8::1', expected an "
			"address with its subnet's length: 2001:db8::1/64",
			"t:2:96: ports.inside.addresses[4]: found '::1/128', expected a host's "
			"address (not the subnet's own, link-local, multicast)",
			"t:2:107: ports.inside.addresses[5]: found '2001:db8::1/0', expected a "
			"host's address (not the subnet's own, link-local, multicast)",
			"t:2:124: ports.inside.addresses[6]: found 'ff02::1/64', expected a host's "
			"address (not the subnet's own, link-local, multicast)",
			"t:2:138: ports.inside.addresses[7]: found '2001:db8::g/64', expected an "
			"address with its subnet's length: 2001:db8::1/64",
			"t:2:156: ports.inside.addresses[8]: found '::ffff:1.2.3.4/128', expected "
			"a host's address (not the subnet's own, link-local, multicast)"}},
	{"ports:\n"
	 "  inside: {device: a, mtu: 1279, addresses: [100.64.0.1/10, '2001:db8:1::1/64']}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24, '2001:db8:2::1/64', "
	 "'2001:db8:1::1/80'],\n"
	 "    gateway6: '2001:db8:3::1', routes: [{to: '2001:db8:1::/64', via: 'fe80::1'}, {to: "
	 "'2001:db8:9::1/48', via: 192.0.2.1},\n"
	 "      {to: '2001:db8:9::/48', via: 198.51.100.1}, {to: 10.0.0.0/8, via: 'fe80::1'}, {to: "
	 "'fe80::/10', via: 'fe80::1'}, {to: '::/0', via: '2001:db8:2::1'}]}\n" GROUP,
		{"t:2:28: ports.inside.mtu: found an mtu of 1279, expected at least 1280 where "
		 "IPv6 is spoken (RFC 8200 s.5)",
			"t:3:73: ports.outside.addresses[2]: found '2001:db8:1::1/80', expected an "
			"address of its own: it is ports.inside.addresses[1] (line 2) too",
			"t:4:15: ports.outside.gateway6: found '2001:db8:3::1', expected a router "
			"in a subnet of outside, or a link-local one",
			"t:4:46: ports.outside.routes[0].to: found '2001:db8:1::/64', expected one "
			"way to an IPv6 prefix: it is ports.inside.addresses[1] (line 2) too",
			"t:4:87: ports.outside.routes[1].to: found '2001:db8:9::1/48', expected no "
			"bits behind the prefix: 2001:db8:9::/48",
			"t:4:112: ports.outside.routes[1].via: found '192.0.2.1', expected a "
			"router in a subnet of outside",
			"t:5:36: ports.outside.routes[2].via: found '198.51.100.1', expected an "
			"IPv6 router, as the route is of IPv6",
			"t:5:73: ports.outside.routes[3].via: found 'fe80::1', expected an IPv4 "
			"router, as the route is of IPv4",
			"t:5:90: ports.outside.routes[4].to: found 'fe80::/10', expected a unicast "
			"prefix such as 2001:db8::/32",
			"t:5:125: ports.outside.routes[5].to: found '::/0', expected one way to an "
			"IPv6 prefix: it is ports.outside.gateway6 (line 4) too",
			"t:5:138: ports.outside.routes[5].via: found '2001:db8:2::1', expected "
			"another router: this is an address of outside itself"}},
	{"ports:\n"
	 "  inside: {device: a, addresses: [100.64.0.1/10], gateway6: 'fe80::1'}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24], gateway6: 192.0.2.1}\n" GROUP,
		{"t:2:61: ports.inside.gateway6: found 'fe80::1', expected an IPv6 address of "
		 "inside, which has none",
			"t:3:64: ports.outside.gateway6: found '192.0.2.1', expected one way to an "
			"IPv6 prefix: it is ports.inside.gateway6 (line 2) too",
			"t:3:64: ports.outside.gateway6: found '192.0.2.1', expected the address "
			"of a router such as fe80::1 or 2001:db8::1"}},
	{"ports:\n"
	 "  inside: {device: a, icmp-errors: never, addresses: [100.64.0.1/10, '2001:db8::1/64', "
	 "'2001:db8::2/64', '2001:db8::3/64', '2001:db8::4/64', '2001:db8::5/64', "
	 "'2001:db8::6/64', '2001:db8::7/64', '2001:db8::8/64', '2001:db8::9/64']}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP,
		{"t:2:36: ports.inside.icmp-errors: found 'never', expected one of false, true",
			"t:2:214: ports.inside.addresses[9]: found '2001:db8::9/64', expected at "
			"most 8 IPv6 addresses"}},
	// The log.
	{PORTS GROUP "log: [syslog]\n", {"t:8:1: log: found a list, expected a mapping"}},
	{PORTS GROUP "log:\n"
		     "  targets:\n"
		     "  - {}\n"
		     "  - {format: text, host: collector.example.net, file: nat.log}\n"
		     "  - {format: ipfix}\n"
		     "  - {format: ipfix, file: /x}\n"
		     "  - {format: json, host: 192.0.2.1}\n"
		     "  - {format: syslog, host: 192.0.2.1, file: /x}\n"
		     "  - {format: syslog, host: 192.0.2.1, source: '::1'}\n"
		     "  - 7\n",
		{"t:10:5: log.targets[0]: found no format, expected format: ipfix, syslog or json",
			"t:11:14: log.targets[1].format: found 'text', expected one of ipfix, "
			"syslog, json",
			"t:11:26: log.targets[1].host: found 'collector.example.net', expected an "
			"address such as 192.0.2.1 or 2001:db8::1",
			"t:11:55: log.targets[1].file: found 'nat.log', expected an absolute path "
			"of at most 107 octets",
			"t:12:5: log.targets[2]: found no host, expected the address of a "
			"collector",
			"t:13:5: log.targets[3]: found no host, expected the address of a "
			"collector",
			"t:14:5: log.targets[4]: found no port, expected the port of the json "
			"receiver",
			"t:15:5: log.targets[5]: found both a host and a file, expected one of "
			"them",
			"t:16:47: log.targets[6].source: found '::1', expected an address of the "
			"host's IP version",
			"t:17:5: log.targets[7]: found '7', expected a mapping"}},
	{PORTS GROUP "log:\n"
		     "  targets:\n"
		     "  - {format: syslog, file: /x, port: 514, mtu: 1400}\n"
		     "  - {format: json, file: /y, domain: 4}\n"
		     "  - {format: syslog, host: 192.0.2.1}\n"
		     "  - {format: json, host: 192.0.2.1, port: 514}\n"
		     "  - {format: ipfix, host: 192.0.2.1, port: 0, mtu: 511, template-refresh: 0, "
		     "domain: 5G}\n",
		{"t:10:32: log.targets[0].port: found 'port', expected this of a target with a "
		 "host only",
			"t:10:43: log.targets[0].mtu: found 'mtu', expected this of a target with "
			"a host only",
			"t:11:30: log.targets[1].domain: found 'domain', expected this of an ipfix "
			"target only",
			"t:13:5: log.targets[3]: found a target that stands there already, "
			"expected each target once",
			"t:14:44: log.targets[4].port: found '0', expected a number from 1 to "
			"65535",
			"t:14:52: log.targets[4].mtu: found '511', expected a number from 512 to "
			"65507",
			"t:14:75: log.targets[4].template-refresh: found '0', expected a time from "
			"1s to 1d (units: s, m, h, d)",
			"t:14:86: log.targets[4].domain: found '5G', expected a number from 0 to "
			"4294967295, such as 5000, 64k or 1M"}},
	{PORTS GROUP "log: {targets: [{format: json, file: /x}], history: /x, interim: 59, "
		     "max-wait: 11s}\n",
		{"t:8:66: log.interim: found '59', expected a time from 1m to 7d (units: s, m, h, "
		 "d)",
			"t:8:80: log.max-wait: found '11s', expected a time from 0 to 10s, such as "
			"300ms"}},
	{PORTS GROUP "log: {targets: [{format: json, file: /x}], history: /x}\n",
		{"t:8:53: log.history: found '/x', expected a file of its own: a target writes "
		 "there"}},
	{PORTS GROUP "log: {fail-closed: true, history: /y}\n",
		{"t:8:20: log.fail-closed: found 'true', expected targets beside it: nothing is "
		 "written anywhere"}},
	{PORTS GROUP "log: {max-wait: 5h, interim: 8d, history: relative, fail-closed: maybe}\n",
		{"t:8:17: log.max-wait: found '5h', expected a time from 0 to 10s, such as 300ms",
			"t:8:30: log.interim: found '8d', expected a time from 1m to 7d (units: s, "
			"m, h, d)",
			"t:8:43: log.history: found 'relative', expected an absolute path of at "
			"most 107 octets",
			"t:8:66: log.fail-closed: found 'maybe', expected one of false, true"}},
	{PORTS GROUP "log: {targets: [{format: json, file: /0}, {format: json, file: /1}, {format: "
		     "json, file: /2}, {format: json, file: /3}, {format: json, file: /4}, "
		     "{format: json, file: /5}, {format: json, file: /6}, {format: json, file: "
		     "/7}, {format: json, file: /8}]}\n",
		{"t:8:7: log.targets: found 9 items, expected at most 8"}},
};

Test(conf, every_mistake_about_the_nat_is_named_with_its_place)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		check_mistake(&mistakes[i]);
}
