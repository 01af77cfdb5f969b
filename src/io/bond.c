// SPDX-License-Identifier: Apache-2.0
#include "bond.h"

#include <rte_eth_bond.h>
#include <rte_eth_bond_8023ad.h>
#include <rte_version.h>

#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
#define rte_eth_bond_slave_add rte_eth_bond_member_add
#define rte_eth_bond_active_slaves_get rte_eth_bond_active_members_get
#define rte_eth_bond_8023ad_slave_info rte_eth_bond_8023ad_member_info
#endif

int bond_find_members(struct io *io, struct port *port, const struct conf_port *p)
{
	struct rte_eth_dev_info info;

	for (uint16_t i = 0; i < p->n_members; i++) {
		const struct conf_device *member = &p->members[i];
		int error = port_probe(io, p, member->device, member->pci, &port->members[i].id);
		if (error)
			return error;
		port->n_members++;
		error = rte_eth_dev_info_get(port->members[i].id, &info);
		if (error)
			return port_fail(io, p, error, "%s: no information", member->device);
		port->tap |= strcmp(info.driver_name, "net_tap") == 0;
	}
	return 0;
}

int bond_take_members(struct io *io, struct port *port, const struct conf_port *p)
{
	port->bonding = rte_eth_bond_mode_get(port->id);
	for (uint16_t i = 0; i < port->n_members; i++) {
		eal_log_forget(&io->eal_log);
		if (rte_eth_bond_slave_add(port->id, port->members[i].id) != 0)
			return port_fail(io, p, -EINVAL, "%s does not take %s", p->device,
				p->members[i].device);
	}
	return 0;
}

void bond_close_members(struct port *port)
{
	for (uint16_t i = 0; i < port->n_members; i++)
		(void)rte_eth_dev_close(port->members[i].id);
	port->n_members = 0;
}

// ---- state -----------------------------------------------------------------------------------

// What the two ends agreed on, as far as ours knows.
static bool distributes(const struct port *port, uint16_t member)
{
	struct rte_eth_bond_8023ad_slave_info info;

	return rte_eth_bond_8023ad_slave_info(port->id, member, &info) == 0 &&
	       info.actor_state & STATE_DISTRIBUTING;
}

static bool takes_part(const struct port *port, uint16_t member)
{
	uint16_t active[CONF_MAX_MEMBERS];
	int n = rte_eth_bond_active_slaves_get(port->id, active, CONF_MAX_MEMBERS);

	for (int i = 0; i < n; i++) {
		if (active[i] == member)
			return true;
	}
	return false;
}

enum io_member_state bond_member_state(const struct port *port, uint16_t i)
{
	const struct member *m = &port->members[i];
	bool active = takes_part(port, m->id);

	if (m->down)
		return IO_MEMBER_DOWN;
	if (port->bonding == BONDING_MODE_ACTIVE_BACKUP)
		active = active && rte_eth_bond_primary_get(port->id) == m->id;
	else if (port->bonding == BONDING_MODE_8023AD)
		active = active && distributes(port, m->id);
	return active ? IO_MEMBER_ACTIVE : IO_MEMBER_STANDBY;
}

// ---- watching --------------------------------------------------------------------------------

static bool is_up(const struct member *m)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(m->id, &link) != 0 || link.link_status == RTE_ETH_LINK_UP;
}

// True when the member has come or gone since the last time.
static bool look_at(const struct io *io, const struct conf_port *p, struct port *port, uint16_t i)
{
	struct member *m = &port->members[i];
	bool was = m->down, down = !is_up(m);

	m->down = down;
	if (down != was)
		log_notice(io->log, "port %s: member %.*s is %s", p->name,
			(int)strcspn(p->members[i].device, ","), p->members[i].device,
			down ? "down" : "up");
	return down != was;
}

// net_bonding waits to be told. net_tap of DPDK 22.11 learns that its link is down and keeps it to
// itself.
static void leave_down(const struct port *port)
{
	int in_use = rte_eth_bond_primary_get(port->id), other = -1;

	for (uint16_t i = 0; i < port->n_members; i++) {
		const struct member *m = &port->members[i];

		if (!m->down && m->id == in_use)
			return;
		if (!m->down && other < 0)
			other = m->id;
	}
	if (other >= 0)
		(void)rte_eth_bond_primary_set(port->id, (uint16_t)other);
}

void bond_watch(struct io *io)
{
	for (uint16_t i = 0; i < io->n_ports; i++) {
		struct port *port = &io->ports[i];
		bool changed = false;

		for (uint16_t k = 0; k < port->n_members; k++)
			changed |= look_at(io, &io->conf->ports[i], port, k);
		if (!changed)
			continue;
		if (port->bonding == BONDING_MODE_ACTIVE_BACKUP)
			leave_down(port);
		__atomic_fetch_add(&io->link_changes, 1, __ATOMIC_RELAXED);
	}
}
