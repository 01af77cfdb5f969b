// SPDX-License-Identifier: Apache-2.0
// A reload that changes a port's mtu. A device learns of a larger one before anybody may send such
// frames, of a smaller one when nobody does any more.
//
// A device that refuses keeps what it has. Of a smaller mtu no more than that: it takes frames that
// nobody makes. Of a larger one interfaces of that port keep the old one, too.
#include "ports.h"

#include <rte_mempool.h>

enum {
	LINK_ROOM = 26, // Ethernet header, two tags, checksum
};

// What an mtu that is not said any more goes back to.
static uint16_t wanted_mtu(const struct port *port, const struct conf_port *p)
{
	return p->mtu ? p->mtu : port->own_mtu;
}

// Buffers are as long as the largest mtu at start asked for.
static bool fits_buffers(const struct io *io, uint16_t mtu)
{
	return mtu + LINK_ROOM <= rte_pktmbuf_data_room_size(io->pool) - RTE_PKTMBUF_HEADROOM;
}

// True when the device has it, or has none to set: then it takes what comes.
static bool change(struct io *io, struct port *port, const struct conf_port *p, uint16_t mtu)
{
	int error;

	if (!fits_buffers(io, mtu)) {
		log_warn(io->log,
			"port %s: mtu %u needs longer packet buffers, which needs a restart; it "
			"stays %u",
			p->name, mtu, port->mtu);
		return false;
	}
	eal_log_forget(&io->eal_log);
	error = rte_eth_dev_set_mtu(port->id, mtu);
	if (error && error != -ENOTSUP) {
		log_warn(io->log,
			"port %s: mtu %u is refused by %s, perhaps until a restart; it stays %u: "
			"%s%s",
			p->name, mtu, port->driver, port->mtu, strerror(-error), io->eal_log.first);
		return false;
	}
	if (error)
		log_notice(io->log, "port %s: mtu %u; %s has none to set, and takes what comes",
			p->name, mtu, port->driver);
	else
		log_notice(io->log, "port %s: mtu %u", p->name, mtu);
	port->mtu = mtu;
	return true;
}

static void keep_old(const struct io *io, struct conf *c, uint16_t port)
{
	for (uint16_t i = 0; i < c->n_interfaces; i++) {
		struct conf_interface *f = &c->interfaces[i];
		if (f->port == port)
			f->mtu = (uint16_t)min_u32(f->mtu, io->ports[port].mtu);
	}
}

void ports_raise_mtu(struct io *io, struct conf *c)
{
	for (uint16_t i = 0; i < io->n_ports; i++) {
		struct port *port = &io->ports[i];
		uint16_t mtu = wanted_mtu(port, &c->ports[i]);

		if (mtu > port->mtu && !change(io, port, &c->ports[i], mtu))
			keep_old(io, c, i);
	}
}

void ports_lower_mtu(struct io *io)
{
	for (uint16_t i = 0; i < io->n_ports; i++) {
		struct port *port = &io->ports[i];
		uint16_t mtu = wanted_mtu(port, &io->conf->ports[i]);

		if (mtu < port->mtu)
			(void)change(io, port, &io->conf->ports[i], mtu);
	}
}
