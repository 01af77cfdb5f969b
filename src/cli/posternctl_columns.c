// SPDX-License-Identifier: Apache-2.0
// Which members of a row stand in which table, and under what title.
#include "posternctl.h"

static const struct column subscriber_columns[] = {
	{"SUBSCRIBER", CELL_TEXT, "address", NULL},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
	{"EXTERNAL", CELL_TEXT, "external_address", NULL},
	{"UDP", CELL_NUMBER, "ports.udp", NULL},
	{"TCP", CELL_NUMBER, "ports.tcp", NULL},
	{"ICMP", CELL_NUMBER, "ports.icmp", NULL},
	{"BLOCKS", CELL_NUMBER, "blocks", NULL},
	{"LEASES", CELL_NUMBER, "leases", NULL},
	{"SHARD", CELL_NUMBER, "shard", NULL},
	{"EPOCH", CELL_DURATION, "epoch_s", NULL},
};

static const struct column mapping_columns[] = {
	{"PROTO", CELL_TEXT, "protocol", NULL},
	{"INTERNAL", CELL_ENDPOINT, "internal_address", "internal_port"},
	{"EXTERNAL", CELL_ENDPOINT, "external_address", "external_port"},
	{"PORTS", CELL_NUMBER, "ports", NULL},
	{"KIND", CELL_TEXT, "kind", NULL},
	{"LIFETIME", CELL_DURATION, "lifetime_left_s", NULL},
	{"IDLE-OUT", CELL_DURATION, "idle_left_s", NULL},
	{"DIALECT", CELL_TEXT, "dialect", NULL},
	{"CLIENT", CELL_ENDPOINT, "client", "client_port"},
	{"FILTERS", CELL_TEXT, "filter_count", NULL},
	{"SHARD", CELL_NUMBER, "shard", NULL},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
};

static const struct column detail_columns[] = {
	{"PROTO", CELL_TEXT, "protocol", NULL},
	{"INTERNAL", CELL_ENDPOINT, "internal_address", "internal_port"},
	{"EXTERNAL", CELL_ENDPOINT, "external_address", "external_port"},
	{"PORTS", CELL_NUMBER, "ports", NULL},
	{"KIND", CELL_TEXT, "kind", NULL},
	{"LIFETIME", CELL_DURATION, "lifetime_left_s", NULL},
	{"IDLE-OUT", CELL_DURATION, "idle_left_s", NULL},
	{"DIALECT", CELL_TEXT, "dialect", NULL},
	{"CLIENT", CELL_ENDPOINT, "client", "client_port"},
	{"3RD-PARTY", CELL_YES, "third_party", NULL},
	{"NONCE", CELL_YES, "has_nonce", NULL},
	{"SHARD", CELL_NUMBER, "shard", NULL},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
	{"FILTERS", CELL_LIST, "filter_texts", NULL},
	{"DESCRIPTION", CELL_TEXT, "description", NULL},
};

static const struct column lease_columns[] = {
	{"PROTO", CELL_TEXT, "protocol", NULL},
	{"INTERNAL", CELL_ENDPOINT, "internal_address", "internal_port"},
	{"EXTERNAL", CELL_ENDPOINT, "external_address", "external_port"},
	{"REMOTE", CELL_ENDPOINT, "remote_address", "remote_port"},
	{"LIFETIME", CELL_DURATION, "lifetime_left_s", NULL},
	{"DIALECT", CELL_TEXT, "dialect", NULL},
	{"CLIENT", CELL_ENDPOINT, "client", "client_port"},
	{"3RD-PARTY", CELL_YES, "third_party", NULL},
	{"NONCE", CELL_YES, "has_nonce", NULL},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
	{"DESCRIPTION", CELL_TEXT, "description", NULL},
};

static const struct column client_columns[] = {
	{"CLIENT", CELL_ENDPOINT, "address", "port"},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
	{"DIALECT", CELL_TEXT, "dialect", NULL},
	{"REQUESTS", CELL_NUMBER, "requests", NULL},
	{"REFUSED", CELL_NUMBER, "refused", NULL},
	{"SILENT", CELL_DURATION, "silent_s", NULL},
	{"SHARD", CELL_NUMBER, "shard", NULL},
};

static const struct column pcp_columns[] = {
	{"GROUP", CELL_TEXT, "group", NULL},
	{"COUNTED", CELL_TEXT, "counted", NULL},
	{"NAME", CELL_TEXT, "name", NULL},
	{"NUMBER", CELL_NUMBER, "number", NULL},
};

static const struct column port_columns[] = {
	{"PORT", CELL_TEXT, "name", NULL},
	{"DRIVER", CELL_TEXT, "driver", NULL},
	{"LINK", CELL_TEXT, "link", NULL},
	{"MAC", CELL_TEXT, "mac", NULL},
	{"MTU", CELL_NUMBER, "mtu", NULL},
	{"QUEUES", CELL_NUMBER, "rx_queues", NULL},
	{"STEERING", CELL_TEXT, "steering", NULL},
	{"RX-PACKETS", CELL_NUMBER, "rx_packets", NULL},
	{"RX-BYTES", CELL_OCTETS, "rx_bytes", NULL},
	{"RX-LOST", CELL_NUMBER, "rx_lost", NULL},
	{"TX-PACKETS", CELL_NUMBER, "tx_packets", NULL},
	{"TX-BYTES", CELL_OCTETS, "tx_bytes", NULL},
};

static const struct column interface_columns[] = {
	{"INTERFACE", CELL_TEXT, "name", NULL},
	{"PORT", CELL_TEXT, "port", NULL},
	{"SIDE", CELL_TEXT, "side", NULL},
	{"VLAN", CELL_TEXT, "vlan_text", NULL},
	{"MTU", CELL_NUMBER, "mtu", NULL},
	{"ADDRESSES", CELL_LIST, "addresses", NULL},
};

static const struct column member_columns[] = {
	{"MEMBER", CELL_TEXT, "name", NULL},
	{"PORT", CELL_TEXT, "port", NULL},
	{"AGGREGATION", CELL_TEXT, "aggregation", NULL},
	{"STATE", CELL_TEXT, "state", NULL},
	{"RX-PACKETS", CELL_NUMBER, "rx_packets", NULL},
	{"TX-PACKETS", CELL_NUMBER, "tx_packets", NULL},
};

static const struct column worker_columns[] = {
	{"WORKER", CELL_NUMBER, "worker", NULL},
	{"CPU", CELL_NUMBER, "cpu", NULL},
	{"STATE", CELL_TEXT, "state", NULL},
	{"GENERATION", CELL_NUMBER, "generation", NULL},
	{"RX", CELL_NUMBER, "io.rx_packets", NULL},
	{"TX", CELL_NUMBER, "io.tx_packets", NULL},
	{"HANDED-OUT", CELL_NUMBER, "io.handoff_out", NULL},
	{"HANDED-IN", CELL_NUMBER, "io.handoff_in", NULL},
	{"BUSY", CELL_TEXT, "busy", NULL},
	{"NAPS", CELL_NUMBER, "io.naps", NULL},
	{"MAPPINGS", CELL_NUMBER, "shard.mappings", NULL},
	{"SUBSCRIBERS", CELL_NUMBER, "shard.subscribers", NULL},
	{"LEASES", CELL_NUMBER, "shard.leases", NULL},
	{"PCP", CELL_NUMBER, "shard.pcp_replies", NULL},
	{"SHARD-MEMORY", CELL_OCTETS, "shard_bytes", NULL},
	{"HUGE", CELL_YES, "huge_pages", NULL},
};

static const struct column pool_columns[] = {
	{"ADDRESS", CELL_TEXT, "address", NULL},
	{"OWNER", CELL_TEXT, "owner", NULL},
};

static const struct column counter_columns[] = {
	{"COUNTER", CELL_TEXT, "name", NULL},
	{"VALUE", CELL_NUMBER, "value", NULL},
	{"BY-WORKER", CELL_LIST, "workers", NULL},
	{"ABOUT", CELL_TEXT, "about", NULL},
};

static const struct column neighbour_columns[] = {
	{"INTERFACE", CELL_TEXT, "interface", NULL},
	{"ADDRESS", CELL_TEXT, "address", NULL},
	{"MAC", CELL_TEXT, "mac", NULL},
	{"STATE", CELL_TEXT, "state", NULL},
	{"CONFIRMED", CELL_DURATION, "age_s", NULL},
};

static const struct column session_columns[] = {
	{"PROTO", CELL_TEXT, "protocol", NULL},
	{"INTERNAL", CELL_ENDPOINT, "internal_address", "internal_port"},
	{"EXTERNAL", CELL_ENDPOINT, "external_address", "external_port"},
	{"REMOTE", CELL_ENDPOINT, "remote_address", "remote_port"},
	{"STATE", CELL_TEXT, "state", NULL},
	{"IDLE-OUT", CELL_DURATION, "idle_left_s", NULL},
	{"SHARD", CELL_NUMBER, "shard", NULL},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
};

static const struct column usage_columns[] = {
	{"GROUP", CELL_TEXT, "group", NULL},
	{"ADDRESSES", CELL_NUMBER, "addresses", NULL},
	{"BLOCK-SIZE", CELL_NUMBER, "port_set_size", NULL},
	{"BLOCKS", CELL_NUMBER, "blocks_allocated", NULL},
	{"FREE", CELL_NUMBER, "blocks_free", NULL},
	{"USED%", CELL_NUMBER, "usage_percent", NULL},
	{"PORTS", CELL_NUMBER, "ports_allocated", NULL},
	{"SUBSCRIBERS", CELL_NUMBER, "total_active_subscribers", NULL},
	{"SESSIONS", CELL_NUMBER, "total_sessions", NULL},
	{"CREATED", CELL_NUMBER, "port_mapping_creations", NULL},
	{"NO-PORT", CELL_NUMBER, "port_map_failure_drops", NULL},
	{"NO-BLOCK", CELL_NUMBER, "address_map_failure_drops", NULL},
	{"LIMIT", CELL_NUMBER, "port_map_limit_drops", NULL},
	{"HIGH", CELL_YES, "high", NULL},
};

static const struct column log_columns[] = {
	{"FORMAT", CELL_TEXT, "format", NULL},
	{"TARGET", CELL_TEXT, "target", NULL},
	{"STATE", CELL_TEXT, "state", NULL},
	{"RECORDS", CELL_NUMBER, "records", NULL},
	{"DATAGRAMS", CELL_NUMBER, "datagrams", NULL},
	{"OCTETS", CELL_OCTETS, "octets", NULL},
	{"LOST", CELL_NUMBER, "lost", NULL},
	{"ERRORS", CELL_NUMBER, "errors", NULL},
	{"WAITING", CELL_NUMBER, "waiting", NULL},
	{"LAST-ERROR", CELL_TEXT, "error", NULL},
};

static const struct column status_columns[] = {
	{"posternd", CELL_TEXT, "version", NULL},
	{"up for", CELL_DURATION, "uptime_s", NULL},
	{"configuration", CELL_TEXT, "config_file", NULL},
	{"generation", CELL_TEXT, "generation", NULL},
	{"workers", CELL_TEXT, "workers", NULL},
	{"huge pages", CELL_YES, "huge_pages", NULL},
	{"packet buffers", CELL_TEXT, "buffers_text", NULL},
	{"subscribers", CELL_TEXT, "subscribers", NULL},
	{"mappings", CELL_TEXT, "mappings", NULL},
	{"leases", CELL_TEXT, "leases", NULL},
	{"resting ports", CELL_TEXT, "resting", NULL},
	{"port blocks", CELL_TEXT, "blocks", NULL},
	{"external addresses", CELL_TEXT, "addresses", NULL},
	{"packets dropped", CELL_TEXT, "drops", NULL},
};

#define COLUMNS(array)                                                                             \
	{                                                                                          \
		array, ARRAY_SIZE(array)                                                           \
	}

const struct columns columns_of_status = COLUMNS(status_columns),
		     columns_of_interfaces = COLUMNS(interface_columns),
		     columns_of_members = COLUMNS(member_columns),
		     columns_of_pool = COLUMNS(pool_columns), columns_of_pcp = COLUMNS(pcp_columns);

static const struct columns tables[SUBJECT_COUNT] = {
	[SUBJECT_PORTS] = COLUMNS(port_columns),
	[SUBJECT_WORKERS] = COLUMNS(worker_columns),
	[SUBJECT_SUBSCRIBERS] = COLUMNS(subscriber_columns),
	[SUBJECT_MAPPINGS] = COLUMNS(mapping_columns),
	[SUBJECT_LEASES] = COLUMNS(lease_columns),
	[SUBJECT_PCP] = COLUMNS(pcp_columns),
	[SUBJECT_CLIENTS] = COLUMNS(client_columns),
	[SUBJECT_COUNTERS] = COLUMNS(counter_columns),
	[SUBJECT_NEIGHBOURS] = COLUMNS(neighbour_columns),
	[SUBJECT_SESSIONS] = COLUMNS(session_columns),
	[SUBJECT_POOLS] = COLUMNS(usage_columns),
	[SUBJECT_LOG] = COLUMNS(log_columns),
};

static_assert(ARRAY_SIZE(worker_columns) <= TABLE_COLUMNS, "a wide table");
static_assert(ARRAY_SIZE(detail_columns) <= TABLE_COLUMNS, "a wide table");

struct columns columns_of(enum subject subject, bool detail)
{
	static const struct columns detailed = COLUMNS(detail_columns);

	return subject == SUBJECT_MAPPINGS && detail ? detailed : tables[subject];
}
