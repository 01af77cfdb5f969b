// SPDX-License-Identifier: Apache-2.0
// The DPDK ports: find, configure, start, stop.
#ifndef IO_PORTS_H
#define IO_PORTS_H

#include "worker.h"

#define RSS_KEY_MAX 64

// Says in the log what failed on this port, with DPDK's reason; returns `error`.
__attribute__((format(printf, 4, 5))) int port_fail(
	const struct io *io, const struct conf_port *p, int error, const char *format, ...);
// Starts a device, unless EAL did so, and gives its number.
MUST_CHECK int port_probe(
	struct io *io, const struct conf_port *p, const char *device, bool pci, uint16_t *id);

MUST_CHECK int ports_start(struct io *io); // all, or none with the reason in the log
void ports_stop(struct io *io);
// Gives each worker its queues.
void ports_deal_queues(struct io *io);

// mtu.c: devices are told of a new snapshot's mtu, of larger ones before it is published. An mtu
// that a device refuses is not in the snapshot any more.
void ports_raise_mtu(struct io *io, struct conf *c);
void ports_lower_mtu(struct io *io);

// memif.c: removes what killed daemons left. Before any port starts.
void memif_clear_sockets(const struct io *io);

// rss.c: asks the device to spread packets as the snapshot does. `sides` is a bit set of enum
// conf_side. Fills *conf, which then borrows `key`, before rte_eth_dev_configure(); the others
// after start.
enum io_rss rss_choose(const struct rte_eth_dev_info *info, uint8_t sides, uint16_t n_queues,
	uint8_t key[RSS_KEY_MAX], struct rte_eth_conf *conf);
// For NICs that hash over one address only when a rule says so: Intel's of the last ten years.
enum io_rss rss_rules(uint16_t port_id, uint8_t sides);
bool rss_table(
	uint16_t port_id, const struct rte_eth_dev_info *info, const uint8_t reta[CONF_RETA]);

#endif
