// SPDX-License-Identifier: Apache-2.0
#include "bond.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_bond.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- complaining -----------------------------------------------------------------------------

// What a driver says when it may not is rarely that.
static bool may_make_interfaces(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (geteuid() == 0)
		return true;
	return syscall(SYS_capget, &head, data) == 0 &&
	       data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

int port_fail(const struct io *io, const struct conf_port *p, int error, const char *format, ...)
{
	char what[384];
	va_list list;

	va_start(list, format);
	vsnprintf(what, sizeof what, format, list);
	va_end(list);
	log_error(io->log, "port %s: %s: %s%s%s", p->name, what, strerror(-error),
		io->eal_log.first, may_make_interfaces() ? "" : "; needs root or CAP_NET_ADMIN");
	return error;
}

// ---- finding ---------------------------------------------------------------------------------

int port_probe(struct io *io, const struct conf_port *p, const char *device, bool pci, uint16_t *id)
{
	char devargs[sizeof p->device + 8], name[sizeof p->device];

	eal_log_forget(&io->eal_log);
	snprintf(devargs, sizeof devargs, "vdev:%s", device);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(device, ","), device);
	// EAL probed what it was allowed to; rings of this process are made into a device before.
	bool there = pci || rte_eth_dev_get_port_by_name(name, id) == 0;
	int error = there ? 0 : rte_dev_probe(devargs);
	if (error)
		return port_fail(io, p, error, "device %s does not start", device);
	if (rte_eth_dev_get_port_by_name(name, id) != 0)
		return port_fail(io, p, -ENODEV, "%s%s", name,
			pci ? " (is it there, and bound to vfio-pci?)" : "");
	return 0;
}

static int find(struct io *io, struct port *port, const struct conf_port *p)
{
	int error = bond_find_members(io, port, p);

	if (error == 0)
		error = port_probe(io, p, p->device, p->pci, &port->id);
	if (error)
		return error;
	port->found = true;
	return p->n_members ? bond_take_members(io, port, p) : 0;
}

// ---- configuring -----------------------------------------------------------------------------

static uint8_t sides_of(const struct conf *c, uint16_t port)
{
	uint8_t sides = 0;

	for (uint16_t i = 0; i < c->n_interfaces; i++) {
		if (c->interfaces[i].port == port)
			sides |= (uint8_t)(1 << c->interfaces[i].side);
	}
	return sides;
}

// As many rx as tx queues, for net_tap wants it so. At start net_tap of DPDK 22.11 writes the
// descriptors of all its queues into an array of 8, however many there are.
#define TAP_QUEUES 4u
// A peer of net_memif may have fewer queues than we, and no call tells: that of DPDK 22.11 reads
// the first ring in the place of a missing one, so that packets come twice and others are lost.
#define MEMIF_QUEUES 1u

static uint16_t count_queues(
	const struct io *io, const struct port *port, const struct rte_eth_dev_info *info)
{
	uint32_t most = min_u32(info->max_rx_queues, info->max_tx_queues);

	if (port->tap)
		most = min_u32(most, TAP_QUEUES);
	if (strcmp(info->driver_name, "net_memif") == 0)
		most = min_u32(most, MEMIF_QUEUES);
	return (uint16_t)min_u32(most, io->n_workers);
}

static int configure(struct io *io, struct port *port, const struct conf_port *p,
	const struct rte_eth_dev_info *info, uint8_t sides)
{
	struct rte_eth_conf conf = {.rxmode.mtu = p->mtu};
	uint8_t key[RSS_KEY_MAX];

	port->n_queues = count_queues(io, port, info);
	eal_log_forget(&io->eal_log);
	if (port->n_queues == 0)
		return port_fail(io, p, -ENODEV, "%s has no queues", info->driver_name);
	port->rss = (uint8_t)rss_choose(info, sides, port->n_queues, key, &conf);
	conf.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	int error = rte_eth_dev_configure(port->id, port->n_queues, port->n_queues, &conf);
	if (error && conf.rxmode.mq_mode != RTE_ETH_MQ_RX_NONE) { // the device promised too much
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
		port->rss = IO_RSS_NONE;
		error = rte_eth_dev_configure(port->id, port->n_queues, port->n_queues, &conf);
	}
	if (error)
		return port_fail(io, p, error, "%u queues%s are refused", port->n_queues,
			p->mtu ? " or the mtu" : "");
	return 0;
}

static int set_queues(struct io *io, struct port *port, const struct conf_port *p)
{
	uint16_t n_rx = EAL_RX_DESCRIPTORS, n_tx = EAL_TX_DESCRIPTORS;
	int node = rte_eth_dev_socket_id(port->id);

	eal_log_forget(&io->eal_log);
	int error = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &n_rx, &n_tx);
	unsigned socket = node < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)node;

	for (uint16_t q = 0; error == 0 && q < port->n_queues; q++) {
		error = rte_eth_rx_queue_setup(port->id, q, n_rx, socket, NULL, io->pool);
		if (error == 0)
			error = rte_eth_tx_queue_setup(port->id, q, n_tx, socket, NULL);
	}
	return error ? port_fail(io, p, error, "queues cannot be set up") : 0;
}

// The kernel's end of a TAP has the device's address. To be another station on that link, for a
// bridge or a stack on the kernel's end, ours differs from it in one bit.
static int choose_mac(const struct io *io, struct port *port, const struct conf_port *p)
{
	int error = rte_eth_macaddr_get(port->id, &port->mac);

	if (error)
		return port_fail(io, p, error, "no MAC address");
	if (port->tap)
		port->mac.addr_bytes[5] ^= 1;
	if (rte_is_zero_ether_addr(&port->mac)) // net_ring and net_null: nobody is all zeros
		rte_eth_random_addr(port->mac.addr_bytes);
	return 0;
}

// Drivers know it since they were configured; net_tap passes it on to its kernel interface here.
// Before the start, for many devices cannot change it later. net_bonding tells its members.
static int set_mtu(struct io *io, struct port *port, const struct conf_port *p)
{
	int error = p->mtu && !p->n_members ? rte_eth_dev_set_mtu(port->id, p->mtu) : 0;

	if (error && error != -ENOTSUP)
		return port_fail(io, p, error, "mtu %u is refused", p->mtu);
	if (error)
		log_warn(io->log, "port %s: %s has no mtu to set", p->name, port->driver);
	return 0;
}

// What a device has no switch for, it does not do.
static void set_modes(const struct port *port)
{
	// net_bonding has filters of its own in mode 4, and an address of ours may not be its own.
	if (port->n_members && port->tap)
		(void)rte_eth_promiscuous_enable(port->id);
	else
		(void)rte_eth_promiscuous_disable(port->id);
	(void)rte_eth_allmulticast_enable(port->id); // solicited-node groups (RFC 4861 s.7.2.1)
}

static int go(struct io *io, struct port *port, const struct conf_port *p)
{
	eal_log_forget(&io->eal_log);
	int error = set_mtu(io, port, p);
	if (error)
		return error;
	error = rte_eth_dev_start(port->id);
	if (error)
		return port_fail(io, p, error, "does not start");
	port->started = true;
	set_modes(port);
	return 0;
}

// ---- one port --------------------------------------------------------------------------------

static const char *rss_name(uint8_t rss)
{
	static const char *const names[] = {
		[IO_RSS_NONE] = "packets steered in software",
		[IO_RSS_ADDRESSES] = "spread by both addresses, steered in software",
		[IO_RSS_SOURCE] = "spread by source address in the device",
		[IO_RSS_DESTINATION] = "spread by destination address in the device",
	};

	return names[rss];
}

static void tell(const struct io *io, const struct port *port, const struct conf_port *p)
{
	const uint8_t *mac = port->mac.addr_bytes;

	log_info(io->log, "port %s: %s, %02x:%02x:%02x:%02x:%02x:%02x, %u queue%s, mtu %u, %s",
		p->name, port->driver, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
		port->n_queues, port->n_queues == 1 ? "" : "s", port->mtu, rss_name(port->rss));
}

static void match_table(const struct io *io, struct port *port, const struct conf_port *p,
	const struct rte_eth_dev_info *info, uint8_t sides)
{
	if (port->rss == IO_RSS_ADDRESSES && p->pci)
		port->rss = (uint8_t)rss_rules(port->id, sides);
	bool wanted = port->rss == IO_RSS_SOURCE || port->rss == IO_RSS_DESTINATION;

	if (wanted &&
		(port->n_queues < io->n_workers || !rss_table(port->id, info, io->conf->reta)))
		port->rss = IO_RSS_ADDRESSES;
}

static int port_start(struct io *io, uint16_t i)
{
	const struct conf_port *p = &io->conf->ports[i];
	struct port *port = &io->ports[i];
	struct rte_eth_dev_info info;

	int error = find(io, port, p);
	if (error)
		return error;
	error = rte_eth_dev_info_get(port->id, &info);
	if (error)
		return port_fail(io, p, error, "no information");
	snprintf(port->driver, sizeof port->driver, "%s", info.driver_name);
	port->tap |= strcmp(info.driver_name, "net_tap") == 0;
	(void)rte_eth_dev_get_mtu(port->id, &port->own_mtu);
	error = configure(io, port, p, &info, sides_of(io->conf, i));
	if (error == 0)
		error = set_queues(io, port, p);
	if (error == 0)
		error = go(io, port, p);
	if (error == 0)
		error = choose_mac(io, port, p);
	if (error)
		return error;
	(void)rte_eth_dev_get_mtu(port->id, &port->mtu);
	if (p->mtu == 0)
		port->own_mtu = port->mtu;
	match_table(io, port, p, &info, sides_of(io->conf, i));
	tell(io, port, p);
	return 0;
}

// ---- all -------------------------------------------------------------------------------------

int ports_start(struct io *io)
{
	memif_clear_sockets(io);
	for (uint16_t i = 0; i < io->n_ports; i++) {
		int error = port_start(io, i);
		if (error)
			return error;
	}
	return 0;
}

void ports_stop(struct io *io)
{
	for (uint16_t i = 0; i < io->n_ports; i++) {
		struct port *port = &io->ports[i];
		if (port->started)
			(void)rte_eth_dev_stop(port->id);
		if (port->found)
			(void)rte_eth_dev_close(port->id);
		bond_close_members(port);
		port->started = false;
		port->found = false;
	}
}

// Worker k has queue k of every port that has so many. One that has none receives nothing there
// and sends through the worker that it shares a number with, modulo the queues.
static void deal_port(struct io *io, uint16_t i, struct worker *w)
{
	const struct port *port = &io->ports[i];

	w->tx[i] = (struct tx_port){
		.port_id = port->id,
		.queue = w->id % port->n_queues,
		.relay = w->id % port->n_queues,
		.mac = port->mac,
		.lacp = port->n_members && port->bonding == BONDING_MODE_8023AD,
	};
	if (w->id < port->n_queues)
		w->rx[w->n_rx++] =
			(struct rx_queue){.port = i, .port_id = port->id, .queue = w->id};
}

void ports_deal_queues(struct io *io)
{
	for (uint16_t k = 0; k < io->n_workers; k++) {
		for (uint16_t i = 0; i < io->n_ports; i++)
			deal_port(io, i, io->workers[k]);
	}
}
