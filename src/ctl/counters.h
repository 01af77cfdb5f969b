// SPDX-License-Identifier: Apache-2.0
// Every counter there is. What `show counters` prints and docs/counters.md explains comes from this
// one list, which is made of the rooms' own.
#ifndef CTL_COUNTERS_H
#define CTL_COUNTERS_H

#include <postern/io.h>

enum counter_source {
	COUNTER_IO,     // struct io_counters
	COUNTER_SHARD,  // struct shard_counters
	COUNTER_NAT,    // struct nat_counters
	COUNTER_SERVER, // struct server_counters, all groups together
	COUNTER_DROP,   // enum drop: in io and in the shard
	COUNTER_GROUP,  // struct nat_group_counters, a row for each group
	COUNTER_LOG,    // struct natlog_counters, control's own
};

struct counter {
	const char *section, *name; // "shard", "inside_packets": shard.inside_packets
	const char *sentence;
	enum counter_source source;
	size_t at; // offset into the struct; or the enum drop
};

extern const struct counter counter_list[];
extern const size_t counter_count;

#endif
