// SPDX-License-Identifier: Apache-2.0
// What control knows by itself, or can read while others write it.
#include "state.h"

#include <stdio.h>

enum {
	SHOW_ADDRESSES = 64, // of one group; a larger pool is cut and says so
	SHOW_NEIGHBOURS = 64,
};

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void show_version(struct client *c)
{
	client_row(c, json_pack("{s:s,s:s}", "program", "posternd", "version", POSTERN_VERSION));
}

// ---- status ----------------------------------------------------------------------------------

static json_t *epochs(const struct ctl *ctl)
{
	json_t *object = json_object();

	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		const struct conf_group *group = &ctl->conf->groups[i];
		if (group->used)
			json_object_set_new(object, group->name, number(row_epoch_s(ctl, i, 0)));
	}
	return object;
}

static void add_gauges(const struct ctl *ctl, json_t *row)
{
	struct nat_counters sum = {0};

	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		const struct nat_counters *one = shard_nat_counters(io_shard(ctl->io, i));
#define X(name, sentence) sum.name += counter_read(&one->name);
		NAT_GAUGES(X)
#undef X
	}
#define X(name, sentence) json_object_set_new(row, #name, number(sum.name));
	NAT_GAUGES(X)
#undef X
}

// Of the snapshot: a shard counts those it has a share of, so a cut one counts in several.
static uint32_t count_addresses(const struct conf *conf)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < CONF_MAX_GROUPS; i++)
		n += conf->groups[i].used ? conf->groups[i].n_external : 0;
	return n;
}

static void show_status(struct ctl *ctl, struct client *c)
{
	struct io_memory_info memory;

	io_memory_info(ctl->io, &memory);
	json_t *row = json_pack("{s:s,s:I,s:o,s:I,s:i,s:b}", "version", POSTERN_VERSION, "uptime_s",
		(json_int_t)((ctl->now - ctl->started) / NS_PER_S), "config_file",
		row_text(ctl->conf_file), "generation", (json_int_t)ctl->conf->generation,
		"workers", (int)ctl->conf->n_workers, "huge_pages", (int)memory.eal_huge_pages);
	if (row) {
		json_object_set_new(row, "buffers", number(memory.n_buffers));
		json_object_set_new(row, "buffers_in_use", number(memory.buffers_in_use));
		add_gauges(ctl, row);
		json_object_set_new(row, "addresses", number(count_addresses(ctl->conf)));
		json_object_set_new(row, "drops", number(counters_drops(ctl)));
		json_object_set_new(row, "epoch_s", epochs(ctl));
	}
	client_row(c, row);
}

// ---- ports -----------------------------------------------------------------------------------

static json_t *mac_text(const uint8_t mac[6])
{
	return json_sprintf(
		"%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static json_t *interfaces_of(const struct conf *conf, uint16_t port)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < conf->n_interfaces; i++) {
		const struct conf_interface *iface = &conf->interfaces[i];
		if (iface->port != port)
			continue;
		json_t *addresses = json_array();
		for (unsigned k = 0; k < iface->n_addresses; k++) {
			char text[IP4_TEXT];
			ip4_format(iface->addresses[k].ip, text);
			json_array_append_new(
				addresses, json_sprintf("%s/%u", text, iface->addresses[k].bits));
		}
		json_array_append_new(list,
			json_pack("{s:o,s:s,s:i,s:i,s:o}", "name", row_text(iface->name), "side",
				iface->side == CONF_INSIDE ? "inside" : "outside", "vlan",
				(int)iface->vlan, "mtu", (int)iface->mtu, "addresses", addresses));
	}
	return list;
}

static const char *rss_name(uint8_t rss)
{
	static const char *const names[] = {
		[IO_RSS_NONE] = "software",
		[IO_RSS_ADDRESSES] = "both-addresses",
		[IO_RSS_SOURCE] = "source",
		[IO_RSS_DESTINATION] = "destination",
	};

	return rss < ARRAY_SIZE(names) ? names[rss] : "unknown";
}

static json_t *port_row(const struct ctl *ctl, uint16_t i, const struct io_port_info *p)
{
	json_t *link = p->link_known ? json_boolean(p->link_up) : json_null();
	json_t *row = json_pack("{s:o,s:o,s:s,s:o,s:o,s:i,s:s,s:i,s:i,s:o}", "name",
		row_text(p->name), "device", row_text(p->device), "driver", p->driver, "mac",
		mac_text(p->mac), "link_up", link, "mtu", (int)p->mtu, "steering", rss_name(p->rss),
		"rx_queues", (int)p->n_rx_queues, "tx_queues", (int)p->n_tx_queues, "interfaces",
		interfaces_of(ctl->conf, i));

	if (!row)
		return NULL;
	if (p->speed_mbps)
		json_object_set_new(row, "speed_mbps", number(p->speed_mbps));
	json_object_set_new(row, "rx_packets", number(p->rx_packets));
	json_object_set_new(row, "rx_bytes", number(p->rx_bytes));
	json_object_set_new(row, "rx_missed", number(p->rx_missed));
	json_object_set_new(row, "rx_errors", number(p->rx_errors));
	json_object_set_new(row, "rx_no_buffer", number(p->rx_no_buffer));
	json_object_set_new(row, "tx_packets", number(p->tx_packets));
	json_object_set_new(row, "tx_bytes", number(p->tx_bytes));
	json_object_set_new(row, "tx_errors", number(p->tx_errors));
	return row;
}

static const char *aggregation_name(uint8_t mode)
{
	static const char *const names[] = {"round-robin", "active-backup", "balance", "broadcast",
		"802.1AX", "transmit-load", "adaptive-load"};

	return mode < ARRAY_SIZE(names) ? names[mode] : "unknown";
}

static json_t *member_row(const struct io_member_info *m)
{
	static const char *const states[] = {[IO_MEMBER_DOWN] = "down",
		[IO_MEMBER_STANDBY] = "standby",
		[IO_MEMBER_ACTIVE] = "active"};
	json_t *row = json_pack("{s:o,s:s,s:s,s:I,s:I}", "device", row_text(m->device), "driver",
		m->driver, "state", states[m->state], "rx_packets", (json_int_t)m->rx_packets,
		"tx_packets", (json_int_t)m->tx_packets);

	if (row && m->speed_mbps)
		json_object_set_new(row, "speed_mbps", number(m->speed_mbps));
	return row;
}

// The links that a link aggregation is made of.
static void add_members(
	const struct ctl *ctl, uint16_t port, const struct io_port_info *p, json_t *row)
{
	json_t *list = json_array();
	struct io_member_info member;

	for (uint16_t i = 0; io_member_info(ctl->io, port, i, &member); i++)
		json_array_append_new(list, member_row(&member));
	json_object_set_new(row, "aggregation", json_string(aggregation_name(p->mode)));
	json_object_set_new(row, "members", list);
}

static void show_ports(struct ctl *ctl, struct client *c)
{
	struct io_port_info info;

	for (uint16_t i = 0; io_port_info(ctl->io, i, &info); i++) {
		json_t *row = port_row(ctl, i, &info);
		if (row && info.n_members)
			add_members(ctl, i, &info, row);
		client_row(c, row);
	}
}

// ---- workers ---------------------------------------------------------------------------------

static json_t *worker_io(const struct ctl *ctl, uint16_t worker)
{
	const struct io_counters *counters = io_counters(ctl->io, worker);
	json_t *object = json_object(), *handed = json_array();
	uint64_t rx = 0, tx = 0;

	for (unsigned i = 0; i < ctl->conf->n_ports; i++) {
		rx += counter_read(&counters->ports[i].rx_packets);
		tx += counter_read(&counters->ports[i].tx_packets);
	}
	json_object_set_new(object, "rx_packets", number(rx));
	json_object_set_new(object, "tx_packets", number(tx));
#define X(name, sentence) json_object_set_new(object, #name, number(counter_read(&counters->name)));
	IO_COUNTERS(X)
#undef X
	for (unsigned i = 0; i < ctl->conf->n_workers; i++)
		json_array_append_new(handed, number(counter_read(&counters->handed_to[i])));
	json_object_set_new(object, "handed_to", handed);
	return object;
}

static json_t *worker_shard(const struct ctl *ctl, uint16_t worker)
{
	const struct shard *shard = io_shard(ctl->io, worker);
	const struct shard_counters *counters = shard_counters(shard);
	const struct nat_counters *nat = shard_nat_counters(shard);
	json_t *object = json_object();

#define X(name, sentence) json_object_set_new(object, #name, number(counter_read(&counters->name)));
	SHARD_COUNTERS(X)
#undef X
#define X(name, sentence) json_object_set_new(object, #name, number(counter_read(&nat->name)));
	NAT_GAUGES(X)
#undef X
	return object;
}

static void show_workers(struct ctl *ctl, struct client *c)
{
	struct io_worker_info info;

	for (uint16_t i = 0; i < ctl->conf->n_workers && io_worker_info(ctl->io, i, &info); i++) {
		uint64_t generation = shard_generation(io_shard(ctl->io, i));
		client_row(c,
			json_pack("{s:i,s:i,s:b,s:b,s:I,s:I,s:o,s:o}", "worker", (int)i, "cpu",
				(int)info.cpu, "running", (int)info.running, "huge_pages",
				(int)info.shard_huge_pages, "shard_bytes",
				(json_int_t)info.shard_bytes, "generation", (json_int_t)generation,
				"io", worker_io(ctl, i), "shard", worker_shard(ctl, i)));
	}
}

// ---- groups ----------------------------------------------------------------------------------

static void add_owner(json_t *list, unsigned worker, unsigned first, unsigned last)
{
	json_array_append_new(list, json_pack("{s:i,s:i,s:i}", "worker", (int)worker, "first_port",
					    (int)first, "last_port", (int)last));
}

// Who owns which ports: runs of the 64 pieces that have the same owner.
static json_t *owners_of(const struct conf_external *e)
{
	json_t *list = json_array();
	unsigned piece = (UINT16_MAX + 1) / CONF_CUT, first = 0;

	for (unsigned i = 1; i <= CONF_CUT; i++) {
		if (i < CONF_CUT && e->owner[i] == e->owner[first])
			continue;
		add_owner(list, e->owner[first], first * piece, i * piece - 1);
		first = i;
	}
	return list;
}

// Of a planned address: of its overflow part. The ports of its hosts are their workers'.
static json_t *overflow_owners_of(const struct conf *conf, uint32_t i)
{
	json_t *list = json_array();
	struct nat_address share;

	for (uint16_t w = 0; w < conf->n_workers; w++) {
		if (conf_external_share(conf, i, w, &share) && share.port_first <= share.port_last)
			add_owner(list, w, share.port_first, share.port_last);
	}
	return list;
}

static json_t *pool_of(const struct conf *conf, uint8_t group)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < conf->n_external && json_array_size(list) < SHOW_ADDRESSES; i++) {
		const struct conf_external *e = &conf->external[i];
		if (e->group != group)
			continue;
		json_t *row = json_pack("{s:o}", "address", row_address(e->ip));
		if (e->whole != CONF_CUT_ADDRESS)
			json_object_set_new(row, "worker", json_integer(e->whole));
		else
			json_object_set_new(row, "workers",
				e->planned ? overflow_owners_of(conf, i) : owners_of(e));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *listens_of(const struct conf_group *group)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < group->n_listen; i++)
		json_array_append_new(list, row_address(group->listen[i]));
	if (group->listen_gateway)
		json_array_append_new(list, json_string("gateway"));
	if (group->listen_anycast)
		json_array_append_new(list, json_string("anycast"));
	return list;
}

static json_t *results_of(const struct ctl *ctl, uint8_t group)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < PCP_RESULT_COUNT; i++) {
		uint64_t n = pcp_count(ctl, group, offsetof(struct server_counters, results[i]));
		if (n)
			json_object_set_new(object, pcp_result_name(pcp_result_at(i)), number(n));
	}
	return object;
}

static void show_groups(struct ctl *ctl, struct client *c)
{
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		const struct conf_group *group = &ctl->conf->groups[i];
		if (!group->used)
			continue;
		client_row(c,
			json_pack("{s:o,s:i,s:I,s:b,s:o,s:i,s:I,s:o,s:o}", "name",
				row_text(group->name), "id", (int)i, "epoch_s",
				(json_int_t)row_epoch_s(ctl, i, 0), "pcp", (int)group->pcp.enabled,
				"pcp_listen", listens_of(group), "pcp_port", (int)group->pcp_port,
				"pool_size", (json_int_t)group->n_external, "pool",
				pool_of(ctl->conf, i), "pcp_results", results_of(ctl, i)));
	}
}

// ---- neighbours ------------------------------------------------------------------------------

static json_t *neighbour_row(const struct conf *conf, const struct io_neighbour *n)
{
	bool known = n->iface < conf->n_interfaces;
	char address[IP6_TEXT];

	json_t *row = json_pack("{s:o,s:s,s:o,s:s}", "interface",
		row_text(known ? conf->interfaces[n->iface].name : "?"), "address",
		ip6_format(n->ip, address), "mac", mac_text(n->mac), "state",
		n->is_static ? "static"
		: n->stale   ? "stale"
			     : "reachable");

	if (!n->is_static)
		json_object_set_new(row, "age_s", number(n->age_s));
	return row;
}

static void show_neighbours(struct ctl *ctl, struct client *c)
{
	struct io_neighbour list[SHOW_NEIGHBOURS];
	uint32_t cursor = c->request.cursor, rows = 0;
	json_t *done = json_object();

	do {
		uint32_t max = min_u32(SHOW_NEIGHBOURS, c->request.limit - rows);
		uint32_t n = io_neighbours(ctl->io, ctl->now, &cursor, list, max);
		for (uint32_t i = 0; i < n; i++)
			client_row(c, neighbour_row(ctl->conf, &list[i]));
		rows += n;
	} while (cursor && rows < c->request.limit);
	json_object_set_new(done, "rows", number(rows));
	if (cursor)
		json_object_set_new(done, "cursor", json_sprintf("0:%u", cursor));
	client_done(c, done);
}

void show_start(struct ctl *ctl, struct client *c)
{
	switch (c->request.kind) {
	case REQUEST_SHOW_STATUS:
		show_status(ctl, c);
		break;
	case REQUEST_SHOW_PORTS:
		show_ports(ctl, c);
		break;
	case REQUEST_SHOW_WORKERS:
		show_workers(ctl, c);
		break;
	case REQUEST_SHOW_GROUPS:
		show_groups(ctl, c);
		break;
	case REQUEST_SHOW_NEIGHBOURS:
		show_neighbours(ctl, c);
		return;
	case REQUEST_SHOW_COUNTERS:
		counters_show(ctl, c);
		return;
	case REQUEST_SHOW_PCP:
		pcp_show(ctl, c);
		return;
	case REQUEST_SHOW_POOLS:
		pools_show(ctl, c);
		return;
	case REQUEST_SHOW_LOG:
		journal_show(ctl, c);
		return;
	default:
		show_version(c);
	}
	client_done(c, json_object());
}
