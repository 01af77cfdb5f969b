// SPDX-License-Identifier: Apache-2.0
// Mistakes under `pcp`, and in the limits that belong to it: every one of a file, word for word.
#include "make.h"

// PCP leaves of the group, which is line 8.
#define PCP(leaves) PORTS GROUP "    pcp: {" leaves "}\n"

static const struct mistake mistakes[] = {
	{PORTS GROUP "    pcp: {port: 0, lifetime: {min: 1h, max: 10m}, options: [prefer-failure, "
		     "filter, prefer-succes, filter], early-delete: 1, listen: [], "
		     "mappings-per-subscriber: 0}\n",
		{"t:8:17: nat-groups.g.pcp.port: found '0', expected a number from 1 to 65535",
			"t:8:20: nat-groups.g.pcp.lifetime: found min above max, expected min "
			"(here 1h) at most max (here 10m)",
			"t:8:85: nat-groups.g.pcp.options[2]: found 'prefer-succes', expected one "
			"of third-party, prefer-failure, filter, third-party-id, description, "
			"prefix64, port-set, next, port-reservation, checkpoint-required",
			"t:8:100: nat-groups.g.pcp.options[3]: found 'filter', expected each word "
			"once",
			"t:8:123: nat-groups.g.pcp.early-delete: found '1', expected one of false, "
			"true",
			"t:8:126: nat-groups.g.pcp.listen: found an empty list, expected a list "
			"such as [192.0.2.1, gateway] (pcp: false is off)",
			"t:8:163: nat-groups.g.pcp.mappings-per-subscriber: found '0', expected a "
			"number from 1 to 65535"}},
	// A server that speaks nothing, words twice, no words.
	{PCP("versions: [], opcodes: , options: 7"),
		{"t:8:11: nat-groups.g.pcp.versions: found an empty list, expected a list such as "
		 "[2, nat-pmp] (pcp: false is off)",
			"t:8:25: nat-groups.g.pcp.opcodes: found nothing, expected a list such as "
			"[announce, map] (pcp: false is off)",
			"t:8:45: nat-groups.g.pcp.options: found '7', expected a list such as "
			"[prefer-failure, filter], or []"}},
	{PCP("versions: [1, 1a, 1a], opcodes: [maps, map, map], options: [[filter]]"),
		{"t:8:22: nat-groups.g.pcp.versions[0]: found '1', expected one of 2, nat-pmp, 1a, "
		 "1b, 1c",
			"t:8:29: nat-groups.g.pcp.versions[2]: found '1a', expected each word once",
			"t:8:44: nat-groups.g.pcp.opcodes[0]: found 'maps', expected one of "
			"announce, map, peer, get, external-address",
			"t:8:55: nat-groups.g.pcp.opcodes[2]: found 'map', expected each word once",
			"t:8:71: nat-groups.g.pcp.options[0]: found a list, expected one of "
			"third-party, prefer-failure, filter, third-party-id, description, "
			"prefix64, port-set, next, port-reservation, checkpoint-required"}},
	{PCP("versions: 2, opcodes: {map: true}, legacy: 2012"),
		{"t:8:21: nat-groups.g.pcp.versions: found '2', expected a list such as [2, "
		 "nat-pmp]",
			"t:8:24: nat-groups.g.pcp.opcodes: found a mapping, expected a list such "
			"as [announce, map]",
			"t:8:54: nat-groups.g.pcp.legacy: found '2012', expected one of false, "
			"true"}},
	// Numbers out of range.
	{PCP("filters-per-mapping: 46, description-length: 129, port-set-max: 257,\n"
	     "  request-rate: 2M, request-burst: 0, probe-rate: -1, probe-burst: x"),
		{"t:8:32: nat-groups.g.pcp.filters-per-mapping: found '46', expected a number from "
		 "1 to 45",
			"t:8:56: nat-groups.g.pcp.description-length: found '129', expected a "
			"number from 0 to 128",
			"t:8:75: nat-groups.g.pcp.port-set-max: found '257', expected a number "
			"from 1 to 256",
			"t:9:17: nat-groups.g.pcp.request-rate: found '2M', expected a number from "
			"0 to 1000000, such as 5000, 64k or 1M",
			"t:9:36: nat-groups.g.pcp.request-burst: found '0', expected a number from "
			"1 to 1000000, such as 5000, 64k or 1M",
			"t:9:51: nat-groups.g.pcp.probe-rate: found '-1', expected a number from 0 "
			"to 1000000, such as 5000, 64k or 1M",
			"t:9:68: nat-groups.g.pcp.probe-burst: found 'x', expected a number from 1 "
			"to 1000000, such as 5000, 64k or 1M"}},
	{PCP("filters-per-mapping: 0, port-set-max: 0, nat-pmp-companion-port: yes, nonce-check: "
	     "never"),
		{"t:8:32: nat-groups.g.pcp.filters-per-mapping: found '0', expected a number from "
		 "1 to 45",
			"t:8:49: nat-groups.g.pcp.port-set-max: found '0', expected a number from "
			"1 to 256",
			"t:8:76: nat-groups.g.pcp.nat-pmp-companion-port: found 'yes', expected "
			"one of false, true",
			"t:8:94: nat-groups.g.pcp.nonce-check: found 'never', expected one of "
			"strict, same-source"}},
	// The threat model.
	{PCP("threat-model: none"), {"t:8:25: nat-groups.g.pcp.threat-model: found 'none', "
				     "expected one of simple, advanced"}},
	{PCP("threat-model: simple, early-delete: true"),
		{"t:8:47: nat-groups.g.pcp.early-delete: found 'true', expected false, as "
		 "threat-model: simple has it"}},
	{PCP("threat-model: advanced, early-delete: false"),
		{"t:8:49: nat-groups.g.pcp.early-delete: found 'false', expected true, as "
		 "threat-model: advanced has it"}},
	{PCP("threat-model: simple, nonce-check: same-source"), // RFC 6887 s.11.3
		{"t:8:46: nat-groups.g.pcp.nonce-check: found 'same-source', expected strict, as "
		 "threat-model: simple has it"}},
	{PCP("threat-model: simple, early-delete: perhaps"),
		{"t:8:47: nat-groups.g.pcp.early-delete: found 'perhaps', expected one of false, "
		 "true"}},
	{PCP("threat-model: simple, third-party: {sources: [100.64.0.8]}"),
		{"t:8:47: nat-groups.g.pcp.third-party.sources: found third parties, expected "
		 "none, as threat-model: simple has it"}},
	{PCP("threat-model: simple, options: [third-party-id]"),
		{"t:8:43: nat-groups.g.pcp.options[0]: found 'third-party-id', expected no third "
		 "parties, as threat-model: simple has it"}},
	// Third parties.
	{PCP("options: [third-party, third-party-id]"),
		{"t:8:21: nat-groups.g.pcp.options[0]: found 'third-party', expected "
		 "third-party.sources: those who may ask for others, or not this option",
			"t:8:34: nat-groups.g.pcp.options[1]: found 'third-party-id', expected "
			"third-party.sources: those who may ask for others, or not this option"}},
	{PCP("third-party: {identifiers: [{id: 00, inside: inside}]}"),
		{"t:8:11: nat-groups.g.pcp.third-party: found no sources, expected sources: "
		 "prefixes of those who may ask for others"}},
	{PCP("third-party: {sources: [100.64.0.8], identifier-required: true}"),
		{"t:8:11: nat-groups.g.pcp.third-party: found no identifiers, expected "
		 "identifiers, as identifier-required is true"}},
	{PCP("third-party: {sources: [100.64.0.9/31, 192.0.2.0/24, x], identifier-required: 1},\n"
	     "  nonce-readers: [198.51.100.0/24, 8.8.8.8, 100.64.0.0/16]"),
		{"t:8:35: nat-groups.g.pcp.third-party.sources[0]: found '100.64.0.9/31', expected "
		 "no bits behind the prefix: 100.64.0.8/31",
			"t:8:50: nat-groups.g.pcp.third-party.sources[1]: found '192.0.2.0/24', "
			"expected hosts in a subnet or behind a route of an inside port",
			"t:8:64: nat-groups.g.pcp.third-party.sources[2]: found 'x', expected a "
			"prefix such as 100.64.0.0/10",
			"t:8:89: nat-groups.g.pcp.third-party.identifier-required: found '1', "
			"expected one of false, true",
			"t:9:19: nat-groups.g.pcp.nonce-readers[0]: found '198.51.100.0/24', "
			"expected hosts in a subnet or behind a route of an inside port",
			"t:9:36: nat-groups.g.pcp.nonce-readers[1]: found '8.8.8.8', expected "
			"hosts in a subnet or behind a route of an inside port"}},
	{PCP("third-party: {sources: 7, source: 8}, nonce-readers: {}"),
		{"t:8:34: nat-groups.g.pcp.third-party.sources: found '7', expected a list of "
		 "prefixes such as [100.64.0.0/10]",
			"t:8:37: nat-groups.g.pcp.third-party.source: found 'source', expected a "
			"known name, perhaps 'sources'",
			"t:8:49: nat-groups.g.pcp.nonce-readers: found a mapping, expected a list "
			"of prefixes such as [100.64.0.0/10]"}},
	{PCP("third-party: {sources: [100.64.0.8], identifiers: [\n"
	     "  {id: 00abcdef, inside: inside}, {id: 00ABCDEF, inside: inside},\n"
	     "  {id: 00abcd, inside: outside}, {id: 0abcdef, inside: [inside]},\n"
	     "  {id: x, inside: nobody}, {id: '', inside: inside},\n"
	     "  {inside: inside}, {id: 01}, 7, {id: {}, inside: inside}]}"),
		{"t:9:40: nat-groups.g.pcp.third-party.identifiers[1].id: found '00ABCDEF', "
		 "expected an identifier of its own: nat-groups.g.pcp.third-party.identifiers[0] "
		 "(line 9) has this one",
			"t:10:24: nat-groups.g.pcp.third-party.identifiers[2].inside: found "
			"'outside', expected the name of an inside port of g",
			"t:10:39: nat-groups.g.pcp.third-party.identifiers[3].id: found '0abcdef', "
			"expected 1 to 64 octets of two hexadecimal digits each, such as 00abcdef",
			"t:10:48: nat-groups.g.pcp.third-party.identifiers[3].inside: found a "
			"list, expected the name of an inside port of g",
			"t:11:8: nat-groups.g.pcp.third-party.identifiers[4].id: found 'x', "
			"expected 1 to 64 octets of two hexadecimal digits each, such as 00abcdef",
			"t:11:19: nat-groups.g.pcp.third-party.identifiers[4].inside: found "
			"'nobody', expected the name of an inside port of g",
			"t:11:33: nat-groups.g.pcp.third-party.identifiers[5].id: found '', "
			"expected 1 to 64 octets of two hexadecimal digits each, such as 00abcdef",
			"t:12:3: nat-groups.g.pcp.third-party.identifiers[6]: found no id, "
			"expected an identifier such as {id: 00abcdef, inside: PORT}",
			"t:12:21: nat-groups.g.pcp.third-party.identifiers[7]: found no inside, "
			"expected an identifier such as {id: 00abcdef, inside: PORT}",
			"t:12:31: nat-groups.g.pcp.third-party.identifiers[8]: found '7', expected "
			"a mapping",
			"t:12:35: nat-groups.g.pcp.third-party.identifiers[9].id: found a mapping, "
			"expected 1 to 64 octets of two hexadecimal digits each, such as "
			"00abcdef"}},
	{PCP("third-party: true"),
		{"t:8:24: nat-groups.g.pcp.third-party: found 'true', expected a mapping"}},
	// PREFIX64.
	{PCP("prefix64: {prefix: '2001:db8:64::/96'}"),
		{"t:8:11: nat-groups.g.pcp.prefix64: found a mapping, expected a list such as "
		 "[{prefix: 2001:db8:64::/96}]"}},
	{PCP("prefix64: [{prefix: '2001:db8:64::/95'}, {prefix: '2001:db8:64::'},\n"
	     "  {prefix: '2001:db8:64::/129'}, {prefix: 192.0.2.0/24}, {prefix: [x]},\n"
	     "  {prefix: '2001:db8:64::1/96'}, {prefix: '::/96'}, {prefix: 'ff0e::/32'}]"),
		{"t:8:31: nat-groups.g.pcp.prefix64[0].prefix: found '2001:db8:64::/95', expected "
		 "an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as 2001:db8:64::/96",
			"t:8:61: nat-groups.g.pcp.prefix64[1].prefix: found '2001:db8:64::', "
			"expected an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as "
			"2001:db8:64::/96",
			"t:9:12: nat-groups.g.pcp.prefix64[2].prefix: found '2001:db8:64::/129', "
			"expected an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as "
			"2001:db8:64::/96",
			"t:9:43: nat-groups.g.pcp.prefix64[3].prefix: found '192.0.2.0/24', "
			"expected an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as "
			"2001:db8:64::/96",
			"t:9:59: nat-groups.g.pcp.prefix64[4].prefix: found a list, expected an "
			"IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as 2001:db8:64::/96",
			"t:10:12: nat-groups.g.pcp.prefix64[5].prefix: found '2001:db8:64::1/96', "
			"expected no bits behind the prefix",
			"t:10:43: nat-groups.g.pcp.prefix64[6].prefix: found '::/96', expected a "
			"unicast prefix",
			"t:10:62: nat-groups.g.pcp.prefix64[7].prefix: found 'ff0e::/32', expected "
			"a unicast prefix"}},
	{PCP("prefix64: [{prefix: '::ffff:0.0.0.0/96'}, {prefix: 'fe80::/64'},\n"
	     "  {prefix: '2001:db8:0:0:0100::/96'}, {suffix: 00}, {}, 7, {prefx: 7}]"),
		{"t:8:31: nat-groups.g.pcp.prefix64[0].prefix: found '::ffff:0.0.0.0/96', expected "
		 "a unicast prefix",
			"t:8:62: nat-groups.g.pcp.prefix64[1].prefix: found 'fe80::/64', expected "
			"a unicast prefix",
			"t:9:12: nat-groups.g.pcp.prefix64[2].prefix: found "
			"'2001:db8:0:0:0100::/96', expected bits 64 to 71 zero (RFC 6052 s.2.2)",
			"t:9:39: nat-groups.g.pcp.prefix64[3]: found no prefix, expected prefix: "
			"such as 2001:db8:64::/96",
			"t:9:53: nat-groups.g.pcp.prefix64[4]: found no prefix, expected prefix: "
			"such as 2001:db8:64::/96",
			"t:9:57: nat-groups.g.pcp.prefix64[5]: found '7', expected a mapping",
			"t:9:61: nat-groups.g.pcp.prefix64[6].prefx: found 'prefx', expected a "
			"known name, perhaps 'prefix'"}},
	{PCP("prefix64: [{prefix: '2001:db8:64::/96', suffix: 000000}, {prefix: '2001:db8::/32', "
	     "suffix: 0000},\n"
	     "  {prefix: '2001:db8:64::/64', suffix: 00000g}, {prefix: '2001:db8:64::/48', "
	     "suffix: [], ip4: []}]"),
		{"t:8:59: nat-groups.g.pcp.prefix64[0].suffix: found '000000', expected no suffix: "
		 "none fits behind a /96",
			"t:8:102: nat-groups.g.pcp.prefix64[1].suffix: found '0000', expected 7 "
			"octets behind a /32",
			"t:9:40: nat-groups.g.pcp.prefix64[2].suffix: found '00000g', expected 3 "
			"to 7 octets of two hexadecimal digits each, such as 000000",
			"t:9:78: nat-groups.g.pcp.prefix64[3].suffix: found an empty list, "
			"expected 3 to 7 octets of two hexadecimal digits each, such as 000000",
			"t:9:90: nat-groups.g.pcp.prefix64[3].ip4: found an empty list, expected a "
			"list of prefixes such as [192.0.2.0/24] (leave it out for all)"}},
	{PCP("prefix64: [{prefix: '2001:db8:64::/96', ip4: [192.0.2.1/24, 10.0.0.0/8, "
	     "10.0.0.0/8]},\n"
	     "  {prefix: '2001:0db8:64::/96', ip4: [10.0.0.0/8, 10.0.0.0/9, x]}, {prefix: "
	     "'2001:db8:65::/96', ip4: 7}]"),
		{"t:8:57: nat-groups.g.pcp.prefix64[0].ip4[0]: found '192.0.2.1/24', expected no "
		 "bits behind the prefix: 192.0.2.0/24",
			"t:8:83: nat-groups.g.pcp.prefix64[0].ip4[2]: found '10.0.0.0/8', expected "
			"each IPv4 prefix once: nat-groups.g.pcp.prefix64[0].ip4[1] (line 8) has "
			"this one",
			"t:9:12: nat-groups.g.pcp.prefix64[1].prefix: found '2001:0db8:64::/96', "
			"expected each prefix once: nat-groups.g.pcp.prefix64[0] (line 8) has this "
			"one",
			"t:9:39: nat-groups.g.pcp.prefix64[1].ip4[0]: found '10.0.0.0/8', expected "
			"each IPv4 prefix once: nat-groups.g.pcp.prefix64[0].ip4[1] (line 8) has "
			"this one",
			"t:9:63: nat-groups.g.pcp.prefix64[1].ip4[2]: found 'x', expected a prefix "
			"such as 100.64.0.0/10",
			"t:9:102: nat-groups.g.pcp.prefix64[2].ip4: found '7', expected a list of "
			"prefixes such as [192.0.2.0/24]"}},
	{PCP("prefix64: [{prefix: 'a::/32'}, {prefix: 'b::/32'}, {prefix: 'c::/32'}, {prefix: "
	     "'d::/32'}, {prefix: 'e::/32'},\n"
	     "  {prefix: 'f::/32'}, {prefix: '10::/32'}, {prefix: '11::/32'}, {prefix: "
	     "'12::/32'}]"),
		{"t:8:11: nat-groups.g.pcp.prefix64: found 9 items, expected at most 8"}},
	{PCP("prefix64: [{prefix: 'a::/32', ip4: [1.0.0.0/8, 2.0.0.0/8, 3.0.0.0/8, 4.0.0.0/8, "
	     "5.0.0.0/8, 6.0.0.0/8, 7.0.0.0/8, 8.0.0.0/8, 9.0.0.0/8]}]"),
		{"t:8:41: nat-groups.g.pcp.prefix64[0].ip4: found 9 items, expected at most 8"}},
	// The anycast address is nobody's own.
	{PCP("listen: [192.0.0.9, anycats]"),
		{"t:8:20: nat-groups.g.pcp.listen[0]: found '192.0.0.9', expected anycast: no "
		 "group has this address for itself",
			"t:8:31: nat-groups.g.pcp.listen[1]: found 'anycats', expected an address "
			"such as 192.0.2.1, gateway or anycast"}},
	{"ports:\n"
	 "  inside: {device: a, addresses: [192.0.0.9/24]}\n"
	 "  outside: {device: b, addresses: [198.51.100.2/24]}\n"
	 "nat-groups: {g: {subscribers: [192.0.0.0/24], external-address-pool: "
	 "[203.0.113.0/29],\n"
	 "  pcp: {listen: [anycast]}}}\n",
		{"t:5:18: nat-groups.g.pcp.listen[0]: found 'anycast', expected an address no port "
		 "has: 192.0.0.9 is ports.inside.addresses[0] (line 2)"}},
	{PORTS "nat-groups:\n"
	       "  g: {subscribers: [100.64.0.0/16], external-address-pool: [192.0.0.8/29], pcp: "
	       "{listen: [anycast]}}\n"
	       "  h: {subscribers: [100.65.0.0/16], external-address-pool: [203.0.113.1], pcp: "
	       "{listen: [anycast]}}\n",
		{"t:5:61: nat-groups.g.external-address-pool[0]: found '192.0.0.8/29', expected no "
		 "anycast address: 192.0.0.9 is that of nat-groups.g.pcp.listen[0] (line 5)"}},
	// Limits.
	{PORTS GROUP "limits: {filters: 0, descriptions: 0, pcp-clients: 99, announce-rate: 0}\n",
		{"t:8:19: limits.filters: found '0', expected a number from 1 to 1000000000, such "
		 "as 5000, 64k or 1M",
			"t:8:36: limits.descriptions: found '0', expected a number from 1 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:8:52: limits.pcp-clients: found '99', expected a number from 100 to "
			"1000000000, such as 5000, 64k or 1M",
			"t:8:71: limits.announce-rate: found '0', expected a number from 1 to "
			"1000000, such as 5000, 64k or 1M"}},
	{PORTS GROUP "    pcp: maybe\n",
		{"t:8:10: nat-groups.g.pcp: found 'maybe', expected a mapping, true or false"}},
	{PORTS GROUP "    pcp: {lifetime: {min: 0, max: 2y}, lifetim: 2}\n",
		{"t:8:27: nat-groups.g.pcp.lifetime.min: found '0', expected a time from 1s to "
		 "365d (units: s, m, h, d)",
			"t:8:35: nat-groups.g.pcp.lifetime.max: found '2y', expected a time from "
			"1s to 365d (units: s, m, h, d)",
			"t:8:40: nat-groups.g.pcp.lifetim: found 'lifetim', expected a known name, "
			"perhaps 'lifetime'"}},
};

Test(conf, every_mistake_under_pcp_is_named_with_its_place)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		check_mistake(&mistakes[i]);
}
