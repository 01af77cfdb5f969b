// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

#include <postern/natlog.h>

#define IO(name, sentence) {"io", #name, sentence, COUNTER_IO, offsetof(struct io_counters, name)},
#define SHARD(name, sentence)                                                                      \
	{"shard", #name, sentence, COUNTER_SHARD, offsetof(struct shard_counters, name)},
#define NAT(name, sentence)                                                                        \
	{"nat", #name, sentence, COUNTER_NAT, offsetof(struct nat_counters, name)},
#define GAUGE(name, sentence)                                                                      \
	{"nat-now", #name, sentence, COUNTER_NAT, offsetof(struct nat_counters, name)},
#define SERVER(name, sentence)                                                                     \
	{"pcp", #name, sentence, COUNTER_SERVER, offsetof(struct server_counters, name)},
#define RESULT(code, name, lifetime)                                                               \
	{"pcp-result", #name, "PCP replies with result code " #code ".", COUNTER_SERVER,           \
		offsetof(struct server_counters, results[PCP_RESULT_##name])},
#define OPCODE(index, name, sentence)                                                              \
	{"pcp-opcode", name, sentence, COUNTER_SERVER,                                             \
		offsetof(struct server_counters, opcodes[index])},
#define OPTION(name)                                                                               \
	{"pcp-option", #name, "Options " #name " of requests.", COUNTER_SERVER,                    \
		offsetof(struct server_counters, options[PCP_INDEX_##name])},
#define OTHER(index)                                                                               \
	{"pcp-option", "other", "Options of requests with any other code.", COUNTER_SERVER,        \
		offsetof(struct server_counters, options[index])},
#define DIALECT(index, name, sentence)                                                             \
	{"pcp-dialect", name, sentence, COUNTER_SERVER,                                            \
		offsetof(struct server_counters, dialects[index])},
#define DROP(name, text, sentence) {"drop", text, sentence, COUNTER_DROP, DROP_##name},
#define GROUP(name, sentence)                                                                      \
	{"group.*", #name, sentence, COUNTER_GROUP, offsetof(struct nat_group_counters, name)},
#define LOG(name, sentence)                                                                        \
	{"log", #name, sentence, COUNTER_LOG, offsetof(struct natlog_counters, name)},

#define OPCODES(X)                                                                                 \
	X(SERVER_ANNOUNCE, "announce", "ANNOUNCE requests.")                                       \
	X(SERVER_MAP, "map", "MAP requests, and those of NAT-PMP to map UDP or TCP.")              \
	X(SERVER_PEER, "peer", "PEER requests.")                                                   \
	X(SERVER_GET, "get", "GET requests.")                                                      \
	X(SERVER_EXTERNAL_ADDRESS, "external-address", "Requests of NAT-PMP for the address.")     \
	X(SERVER_OTHER_OPCODE, "other", "Requests with any other opcode.")

#define DIALECTS(X)                                                                                \
	X(PCP_V2, "2", "Requests in version 2 (RFC 6887).")                                        \
	X(PCP_NATPMP, "nat-pmp", "Requests in NAT-PMP (RFC 6886).")                                \
	X(PCP_V1A, "1a", "Requests in version 1 with MAP4 and PEER4.")                             \
	X(PCP_V1B, "1b", "Requests in version 1 of the drafts of 2012.")                           \
	X(PCP_V1C, "1c", "Requests in version 1 with a nonce.")

static_assert(SERVER_OPCODE_COUNT == 6 && PCP_DIALECTS == 5, "each of them is listed above");

const struct counter counter_list[] = {
	IO_COUNTERS(IO)           // frames
	SHARD_COUNTERS(SHARD)     // packets
	NAT_COUNTERS(NAT)         // events
	NAT_GAUGES(GAUGE)         // what there is now
	NAT_GROUP_COUNTERS(GROUP) // both, of each NAT group
	SERVER_COUNTERS(SERVER)   // requests
	DIALECTS(DIALECT)         // and what was in them
	OPCODES(OPCODE)           //
	PCP_OPTIONS(OPTION)       //
	OTHER(PCP_OTHER_OPTION)   //
	PCP_RESULTS(RESULT)       // answers
	NATLOG_COUNTERS(LOG)      // control's own
	PKT_DROPS(DROP)           // losses
};

const size_t counter_count = ARRAY_SIZE(counter_list);
