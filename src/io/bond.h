// SPDX-License-Identifier: Apache-2.0
// Link aggregation: ports of the driver net_bonding, whose members are devices of their own.
#ifndef IO_BOND_H
#define IO_BOND_H

#include "ports.h"

// Finds the members, and makes the port, which was found, take them: from then on it says of itself
// what they all can do.
MUST_CHECK int bond_find_members(struct io *io, struct port *port, const struct conf_port *p);
MUST_CHECK int bond_take_members(struct io *io, struct port *port, const struct conf_port *p);
void bond_close_members(struct port *port);
enum io_member_state bond_member_state(const struct port *port, uint16_t i);
// Control's, again and again: tells of members that went or came back, leaves one that went, and
// has our addresses announced anew.
void bond_watch(struct io *io);

#endif
