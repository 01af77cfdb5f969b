// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#define A_HOST 0x6440000a      // 100.64.0.10
#define AN_EXTERNAL 0xcb007107 // 203.0.113.7
#define A_REMOTE 0xc6336409    // 198.51.100.9

#define WORKER_3                                                                                   \
	.worker = 3, .at_ms = SAMPLE_MS, .sequence = 17, .group = "residential", .realm = "inside"
#define FROM_NAT .kind = NATLOG_NAT, WORKER_3

// Every IPFIX record begins with when and what, and an internal address ends with its realm.
#define WHEN "0000019f1d8ce27b"
#define TAIL "00000007 00000001 06 696e73696465"
#define POOL "00000002 0b 7265736964656e7469616c 00000007"
#define HOST "6440000a"
#define EXTERNAL "cb007107"

#define JSON_HEAD "\"worker\":3,\"sequence\":17,\"group\":\"residential\","
#define JSON_HOST "\"realm\":\"inside\",\"internal_address\":\"100.64.0.10\""
#define SD_HOST "SVLAN=\"inside\" IATYP=\"IPv4\" ISADDR=\"100.64.0.10\""
#define SD_EXTERNAL "XATYP=\"IPv4\" XSADDR=\"203.0.113.7\""

static const struct prefix4 inside[] = {{0x64400000, 24}, {0x64400200, 24}};
static const ip4 external[] = {0xcb007100, 0xcb007101, 0xcb007102, 0xcb007110};
static const struct nat_plan plan = {.inside = inside,
	.n_inside = 2,
	.n_hosts = 512,
	.external = external,
	.n_external = 4,
	.hosts_per_address = 128,
	.port_first = 1024,
	.port_last = 65535,
	.ports_per_host = 448,
	.port_set_size = 64};

const struct sample samples[] = {
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_BLOCK_TAKEN,
			    .group = 2,
			    .key = {A_HOST, 0, 1, 0},
			    .external = {AN_EXTERNAL, 1024},
			    .last_port = 1087}},
		JSON_HEAD JSON_HOST ",\"external_address\":\"203.0.113.7\",\"external_port\":1024,"
				    "\"external_port_last\":1087",
		"PBADD [npblk " SD_HOST " " SD_EXTERNAL
		" XPSTART=\"1024\" XPEND=\"1087\" POLICY=\"residential\"]",
		"0104 " WHEN "10" HOST EXTERNAL "0400 043f 0001 0040" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_BLOCK_RETURNED,
			    .group = 2,
			    .key = {A_HOST, 0, 1, 0},
			    .external = {AN_EXTERNAL, 1024},
			    .last_port = 1087}},
		JSON_HEAD JSON_HOST ",\"external_address\":\"203.0.113.7\",\"external_port\":1024,"
				    "\"external_port_last\":1087",
		"PBDEL [npblk " SD_HOST " " SD_EXTERNAL
		" XPSTART=\"1024\" XPEND=\"1087\" POLICY=\"residential\"]",
		"0104 " WHEN "11" HOST EXTERNAL "0400 043f 0001 0040" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_BLOCK_HELD,
			    .group = 2,
			    .key = {A_HOST, 0, 1, 0},
			    .external = {AN_EXTERNAL, 1024},
			    .last_port = 1087}},
		JSON_HEAD JSON_HOST ",\"external_address\":\"203.0.113.7\",\"external_port\":1024,"
				    "\"external_port_last\":1087",
		"PBHELD [npblk " SD_HOST " " SD_EXTERNAL
		" XPSTART=\"1024\" XPEND=\"1087\" POLICY=\"residential\"]",
		"0104 " WHEN "10" HOST EXTERNAL "0400 043f 0001 0040" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_MAPPING_CREATED,
			    .group = 2,
			    .mapping = NAT_EXPLICIT,
			    .key = {A_HOST, 8080, 1, NAT_TCP},
			    .external = {AN_EXTERNAL, 1025},
			    .last_port = 1025,
			    .lifetime_s = 7200}},
		JSON_HEAD "\"protocol\":\"tcp\"," JSON_HOST ",\"internal_port\":8080,"
			  "\"external_address\":\"203.0.113.7\",\"external_port\":1025,"
			  "\"kind\":\"dynamic-explicit\",\"lifetime_s\":7200",
		"APMADD [napmap " SD_HOST " ISPORT=\"8080\" " SD_EXTERNAL
		" XSPORT=\"1025\" PROTO=\"6\" LIFE=\"7200\" POLICY=\"residential\"]",
		"0100 " WHEN "08" HOST EXTERNAL "06 1f90 0401" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_MAPPING_CREATED,
			    .group = 2,
			    .mapping = NAT_EXPLICIT,
			    .key = {A_HOST, 8080, 1, NAT_UDP},
			    .external = {AN_EXTERNAL, 1028},
			    .last_port = 1031,
			    .lifetime_s = 120}}, // a PORT_SET
		JSON_HEAD "\"protocol\":\"udp\"," JSON_HOST ",\"internal_port\":8080,"
			  "\"external_address\":\"203.0.113.7\",\"external_port\":1028,"
			  "\"external_port_last\":1031,"
			  "\"kind\":\"dynamic-explicit\",\"lifetime_s\":120",
		"APMADD [napmap " SD_HOST " ISPORT=\"8080\" " SD_EXTERNAL
		" XSPORT=\"1028\" XPSTART=\"1028\" XPEND=\"1031\" PROTO=\"17\" LIFE=\"120\" "
		"POLICY=\"residential\"]",
		"0102 " WHEN "08" HOST EXTERNAL "11 1f90 0404 0404 0407" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_MAPPING_DELETED,
			    .group = 2,
			    .mapping = NAT_IMPLICIT,
			    .key = {A_HOST, 99, 1, NAT_ICMP},
			    .external = {AN_EXTERNAL, 1026},
			    .last_port = 1026}},
		JSON_HEAD "\"protocol\":\"icmp\"," JSON_HOST ",\"internal_port\":99,"
			  "\"external_address\":\"203.0.113.7\",\"external_port\":1026,"
			  "\"kind\":\"dynamic-implicit\"",
		"APMDEL [napmap " SD_HOST " ISPORT=\"99\" " SD_EXTERNAL
		" XSPORT=\"1026\" PROTO=\"1\" POLICY=\"residential\"]",
		"0100 " WHEN "09" HOST EXTERNAL "01 0063 0402" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_SESSION_CREATED,
			    .group = 2,
			    .key = {A_HOST, 5000, 1, NAT_TCP},
			    .external = {AN_EXTERNAL, 1027},
			    .remote = {A_REMOTE, 443}}},
		JSON_HEAD "\"protocol\":\"tcp\"," JSON_HOST ",\"internal_port\":5000,"
			  "\"external_address\":\"203.0.113.7\",\"external_port\":1027",
		"SADD [nsess " SD_HOST " ISPORT=\"5000\" " SD_EXTERNAL
		" XSPORT=\"1027\" PROTO=\"6\" POLICY=\"residential\"]",
		"0100 " WHEN "04" HOST EXTERNAL "06 1388 0403" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_SESSION_DELETED,
			    .group = 2,
			    .key = {A_HOST, 5000, 1, NAT_TCP},
			    .external = {AN_EXTERNAL, 1027},
			    .remote = {A_REMOTE, 443}}},
		JSON_HEAD "\"protocol\":\"tcp\"," JSON_HOST ",\"internal_port\":5000,"
			  "\"external_address\":\"203.0.113.7\",\"external_port\":1027",
		"SDEL [nsess " SD_HOST " ISPORT=\"5000\" " SD_EXTERNAL
		" XSPORT=\"1027\" PROTO=\"6\" POLICY=\"residential\"]",
		"0100 " WHEN "05" HOST EXTERNAL "06 1388 0403" TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_ADDRESS_BOUND,
			    .group = 2,
			    .key = {A_HOST, 0, 1, 0},
			    .external = {AN_EXTERNAL, 0}}},
		JSON_HEAD JSON_HOST ",\"external_address\":\"203.0.113.7\"",
		"ABADD [nabind " SD_HOST " " SD_EXTERNAL " POLICY=\"residential\"]",
		"0103 " WHEN "0e" HOST EXTERNAL TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_ADDRESS_UNBOUND,
			    .group = 2,
			    .key = {A_HOST, 0, 1, 0},
			    .external = {AN_EXTERNAL, 0}}},
		JSON_HEAD JSON_HOST ",\"external_address\":\"203.0.113.7\"",
		"ABDEL [nabind " SD_HOST " " SD_EXTERNAL " POLICY=\"residential\"]",
		"0103 " WHEN "0f" HOST EXTERNAL TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_ADDRESSES_EXHAUSTED,
			    .group = 2,
			    .key = {A_HOST, 0, 1, 0}}},
		"\"worker\":3,\"sequence\":17,\"group\":\"residential\"," JSON_HOST,
		"EXHAUST [nexhaust TYPE=\"addresses\" " SD_HOST " POLICY=\"residential\"]",
		"0105 " WHEN "03" POOL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_PORTS_EXHAUSTED,
			    .group = 2,
			    .key = {A_HOST, 0, 1, NAT_UDP},
			    .external = {AN_EXTERNAL, 0}}},
		JSON_HEAD "\"protocol\":\"udp\"," JSON_HOST ",\"external_address\":\"203.0.113.7\"",
		"EXHAUST [nexhaust TYPE=\"ports\" " SD_HOST " " SD_EXTERNAL
		" PROTO=\"17\" POLICY=\"residential\"]",
		"0106 " WHEN "0c" EXTERNAL "11 00000007"},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_QUOTA_PORTS,
			    .group = 2,
			    .key = {A_HOST, 0, 1, NAT_UDP},
			    .limit = 1000}},
		JSON_HEAD "\"protocol\":\"udp\"," JSON_HOST ",\"limit\":1000",
		"QUOTA [nquota TYPE=\"ports\" " SD_HOST
		" PROTO=\"17\" LIMIT=\"1000\" POLICY=\"residential\"]",
		"0109 " WHEN "0d 00000003 000003e8" HOST TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_QUOTA_SESSIONS,
			    .group = 2,
			    .key = {A_HOST, 0, 1, NAT_TCP},
			    .limit = 2000}},
		JSON_HEAD "\"protocol\":\"tcp\"," JSON_HOST ",\"limit\":2000",
		"QUOTA [nquota TYPE=\"sessions\" " SD_HOST
		" PROTO=\"6\" LIMIT=\"2000\" POLICY=\"residential\"]",
		"0109 " WHEN "0d 00000003 000007d0" HOST TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_QUOTA_SESSIONS, .group = 2, .limit = 65536}},
		JSON_HEAD "\"limit\":65536", // the table, not one subscriber
		"QUOTA [nquota TYPE=\"sessions\" LIMIT=\"65536\" POLICY=\"residential\"]",
		"0107 " WHEN "0d 00000001 00010000 00000007"},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_QUOTA_SUBSCRIBERS, .group = 2, .limit = 4096}},
		JSON_HEAD "\"limit\":4096",
		"QUOTA [nquota TYPE=\"subscribers\" LIMIT=\"4096\" POLICY=\"residential\"]",
		"010a " WHEN "0d 00000004 00001000 00000007"},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_QUOTA_MAPPINGS, .group = 2, .limit = 262144}},
		JSON_HEAD "\"limit\":262144",
		"QUOTA [nquota TYPE=\"mappings\" LIMIT=\"262144\" POLICY=\"residential\"]",
		"0108 " WHEN "0d 00000002 00040000 00000007"},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_QUOTA_FRAGMENTS,
			    .group = 2,
			    .key = {A_HOST, 0, 1, 0},
			    .limit = 1024}},
		JSON_HEAD JSON_HOST ",\"limit\":1024",
		"QUOTA [nquota TYPE=\"fragments\" " SD_HOST
		" LIMIT=\"1024\" POLICY=\"residential\"]",
		"0111 " WHEN "0d 00000005 00000400" HOST TAIL},
	{{FROM_NAT, .nat = {.kind = NAT_EVENT_USER_HIGH,
			    .group = 2,
			    .key = {A_HOST, 0, 1, NAT_UDP},
			    .limit = 800}},
		JSON_HEAD "\"protocol\":\"udp\"," JSON_HOST ",\"limit\":800",
		"THRESH [nthresh TYPE=\"user-high\" " SD_HOST
		" PROTO=\"17\" LIMIT=\"800\" POLICY=\"residential\"]",
		"010d " WHEN "12 00000004 00000320" HOST TAIL},
	{{.kind = NATLOG_POOL_HIGH,
		 .usage = 91,
		 .threshold = 90,
		 .addresses = 8,
		 .at_ms = SAMPLE_MS,
		 .group = "residential",
		 .nat = {.group = 2}},
		"\"group\":\"residential\",\"usage_percent\":91,\"threshold_percent\":90",
		"THRESH [nthresh TYPE=\"pool-high\" USAGE=\"91\" LIMIT=\"90\" "
		"POLICY=\"residential\"]",
		"010b " WHEN "12 00000001 00000008" POOL}, // 90 % of 8 addresses, rounded up
	{{.kind = NATLOG_POOL_LOW,
		 .usage = 49,
		 .threshold = 50,
		 .addresses = 8,
		 .at_ms = SAMPLE_MS,
		 .group = "residential",
		 .nat = {.group = 2}},
		"\"group\":\"residential\",\"usage_percent\":49,\"threshold_percent\":50",
		"THRESH [nthresh TYPE=\"pool-low\" USAGE=\"49\" LIMIT=\"50\" "
		"POLICY=\"residential\"]",
		"010c " WHEN "12 00000002 00000004" POOL},
	{{.kind = NATLOG_MAPPINGS_HIGH,
		 .worker = 3,
		 .usage = 91,
		 .at_ms = SAMPLE_MS,
		 .nat = {.group = UINT8_MAX, .limit = 235929}},
		"\"worker\":3,\"usage_percent\":91,\"threshold\":235929",
		"THRESH [nthresh TYPE=\"mappings-high\" WORKER=\"3\" USAGE=\"91\" "
		"LIMIT=\"235929\"]",
		"010f " WHEN "12 00000003 00039999 00000007"},
	{{.kind = NATLOG_SUBSCRIBERS_HIGH,
		 .worker = 3,
		 .usage = 90,
		 .at_ms = SAMPLE_MS,
		 .nat = {.group = UINT8_MAX, .limit = 3686}},
		"\"worker\":3,\"usage_percent\":90,\"threshold\":3686",
		"THRESH [nthresh TYPE=\"subscribers-high\" WORKER=\"3\" USAGE=\"90\" "
		"LIMIT=\"3686\"]",
		"0110 " WHEN "12 00000005 00000e66 00000007"},
	{{.kind = NATLOG_LOST, .worker = 3, .at_ms = SAMPLE_MS, .sequence = 18, .count = 5},
		"\"worker\":3,\"sequence\":18,\"count\":5", "LOST [nlost WORKER=\"3\" COUNT=\"5\"]",
		NULL},
	{{.kind = NATLOG_LOST, .worker = UINT16_MAX, .at_ms = SAMPLE_MS, .count = 5}, "\"count\":5",
		"LOST [nlost COUNT=\"5\"]", NULL},
	{{.kind = NATLOG_PLAN,
		 .at_ms = SAMPLE_MS,
		 .group = "residential",
		 .nat = {.group = 2},
		 .plan = &plan,
		 .ports_most = 960},
		"\"group\":\"residential\","
		"\"inside\":[\"100.64.0.0/24\",\"100.64.2.0/24\"],"
		"\"external\":[\"203.0.113.0\",\"203.0.113.1\",\"203.0.113.2\","
		"\"203.0.113.16\"],\"hosts\":512,"
		"\"hosts_per_address\":128,\"port_first\":1024,\"port_last\":65535,"
		"\"ports_per_host\":448,\"max_ports_per_host\":960,\"port_set_size\":64",
		"PLAN [nplan POLICY=\"residential\" HOSTS=\"512\" ADDRESSES=\"4\" "
		"PERADDRESS=\"128\" XPSTART=\"1024\" XPEND=\"65535\" PERHOST=\"448\" "
		"MAXHOST=\"960\" BLOCK=\"64\"]",
		NULL},
	{{.kind = NATLOG_PLAN, .at_ms = SAMPLE_MS, .group = "residential", .nat = {.group = 2}},
		"\"group\":\"residential\",\"plan\":null", "PLAN [nplan POLICY=\"residential\"]",
		NULL},
	{{.kind = NATLOG_STARTED, .at_ms = SAMPLE_MS}, "", "START", NULL},
	{{.kind = NATLOG_STOPPED, .at_ms = SAMPLE_MS}, "", "STOP", NULL},
};

const size_t n_samples = ARRAY_SIZE(samples);
