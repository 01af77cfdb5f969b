// SPDX-License-Identifier: Apache-2.0
// What control may know of workers, ports and memory.
#include "bond.h"

#include <rte_mempool.h>

uint16_t io_n_workers(const struct io *io)
{
	return io->n_workers;
}

struct shard *io_shard(struct io *io, uint16_t worker)
{
	assert(worker < io->n_workers);
	return io->workers[worker]->shard;
}

const struct io_counters *io_counters(const struct io *io, uint16_t worker)
{
	assert(worker < io->n_workers);
	return &io->workers[worker]->counters;
}

// net_tap asks for its interface by name, in the namespace of the process. Once the interface was
// moved to another, net_tap finds none and says that the link is down.
static void fill_link(const struct port *port, struct io_port_info *info)
{
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(port->id, &link) != 0)
		return;
	info->link_known = link.link_status || strcmp(port->driver, "net_tap") != 0;
	if (!info->link_known)
		return;
	info->link_up = link.link_status;
	info->speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}

static void fill_statistics(uint16_t port_id, struct io_port_info *info)
{
	struct rte_eth_stats s;

	if (rte_eth_stats_get(port_id, &s) != 0)
		return;
	info->rx_packets = s.ipackets;
	info->rx_bytes = s.ibytes;
	info->rx_missed = s.imissed;
	info->rx_errors = s.ierrors;
	info->rx_no_buffer = s.rx_nombuf;
	info->tx_packets = s.opackets;
	info->tx_bytes = s.obytes;
	info->tx_errors = s.oerrors;
}

bool io_port_info(const struct io *io, uint16_t i, struct io_port_info *info)
{
	if (i >= io->n_ports)
		return false;
	const struct port *port = &io->ports[i];
	*info = (struct io_port_info){
		.name = io->conf->ports[i].name,
		.device = io->conf->ports[i].device,
		.mtu = port->mtu,
		.n_rx_queues = port->n_queues,
		.n_tx_queues = port->n_queues,
		.rss = port->rss,
		.n_members = port->n_members,
		.mode = (uint8_t)port->bonding,
	};
	memcpy(info->driver, port->driver, sizeof info->driver);
	memcpy(info->mac, &port->mac, sizeof info->mac);
	fill_link(port, info);
	fill_statistics(port->id, info);
	return true;
}

bool io_member_info(const struct io *io, uint16_t port, uint16_t i, struct io_member_info *info)
{
	struct rte_eth_dev_info device;
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	if (port >= io->n_ports || i >= io->ports[port].n_members)
		return false;
	const struct port *p = &io->ports[port];
	uint16_t id = p->members[i].id;
	*info = (struct io_member_info){
		.device = io->conf->ports[port].members[i].device,
		.state = (uint8_t)bond_member_state(p, i),
	};
	if (rte_eth_dev_info_get(id, &device) == 0)
		snprintf(info->driver, sizeof info->driver, "%s", device.driver_name);
	if (rte_eth_link_get_nowait(id, &link) == 0 && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		info->speed_mbps = link.link_speed;
	if (rte_eth_stats_get(id, &stats) == 0) {
		info->rx_packets = stats.ipackets;
		info->tx_packets = stats.opackets;
	}
	return true;
}

bool io_worker_info(const struct io *io, uint16_t worker, struct io_worker_info *info)
{
	if (worker >= io->n_workers)
		return false;
	const struct worker *w = io->workers[worker];
	*info = (struct io_worker_info){
		.cpu = w->cpu,
		.running = __atomic_load_n(&w->running, __ATOMIC_ACQUIRE),
		.shard_huge_pages = w->shard_huge,
		.shard_bytes = w->shard_bytes,
	};
	return true;
}

void io_memory_info(const struct io *io, struct io_memory_info *info)
{
	*info = (struct io_memory_info){
		.eal_huge_pages = io->eal_huge,
		.eal_bytes = io->eal_bytes,
		.n_buffers = io->pool->size,
		.buffers_in_use = rte_mempool_in_use_count(io->pool),
	};
}
