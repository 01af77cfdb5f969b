// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

#define IO(name, sentence) {"io", #name, sentence, COUNTER_IO, offsetof(struct io_counters, name)},
#define SHARD(name, sentence)                                                                      \
	{"shard", #name, sentence, COUNTER_SHARD, offsetof(struct shard_counters, name)},
#define NAT(name, sentence)                                                                        \
	{"nat", #name, sentence, COUNTER_NAT, offsetof(struct nat_counters, name)},
#define GAUGE(name, sentence)                                                                      \
	{"nat-now", #name, sentence, COUNTER_NAT, offsetof(struct nat_counters, name)},
#define SERVER(name, sentence)                                                                     \
	{"pcp", #name, sentence, COUNTER_SHARD, offsetof(struct shard_counters, server.name)},
#define RESULT(code, name, lifetime)                                                               \
	{"pcp-result", #name, "PCP replies with result code " #code ".", COUNTER_SHARD,            \
		offsetof(struct shard_counters, server.results[code])},
#define DROP(name, text, sentence) {"drop", text, sentence, COUNTER_DROP, DROP_##name},

const struct counter counter_list[] = {
	IO_COUNTERS(IO)         // frames
	SHARD_COUNTERS(SHARD)   // packets
	NAT_COUNTERS(NAT)       // events
	NAT_GAUGES(GAUGE)       // what there is now
	SERVER_COUNTERS(SERVER) // requests
	PCP_RESULTS(RESULT)     // answers
	PKT_DROPS(DROP)         // losses
};

const size_t counter_count = ARRAY_SIZE(counter_list);
