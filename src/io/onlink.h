// SPDX-License-Identifier: Apache-2.0
// What the snapshot says about addresses on a link: pure questions for ARP.
#ifndef IO_ONLINK_H
#define IO_ONLINK_H

#include <postern/conf.h>

// Whether a neighbour may have this address: inside a subnet of the interface, no subnet's network
// or broadcast address, and not the interface's own.
bool onlink_neighbour(const struct conf_interface *iface, ip4 ip);
// The same of IPv6: link-local, or within a prefix of the interface.
bool onlink6_neighbour(const struct conf_interface *iface, ip6 ip);
// Whether solicitations for `ip` are ours to answer on this interface, whose port has `mac`.
bool onlink6_is_ours(const struct conf_interface *iface, const uint8_t mac[6], ip6 ip);
// The interface's own address that shares a subnet with `ip`, its first address otherwise; 0: it
// has none.
ip4 onlink_source(const struct conf_interface *iface, ip4 ip);
// Whether ARP requests for `ip` that arrive on interface i are ours to answer: its own addresses,
// listen addresses on inside interfaces, pool addresses within a subnet of an outside one.
bool onlink_is_ours(const struct conf *c, uint16_t i, ip4 ip);

enum onlink_sender {        // of an ARP message, by what he says of himself
	ONLINK_FORGED,      // the frame has another source, or ours
	ONLINK_CLAIMS_OURS, // has an address that we answer for
	ONLINK_NEIGHBOUR,   // may have his
	ONLINK_STRANGER,    // has none of this link: answered, not remembered
};

enum onlink_sender onlink_judge_sender(const struct conf *c, uint16_t i, const uint8_t own_mac[6],
	const uint8_t frame_source[6], const struct pkt_arp *arp);

// Addresses to announce by gratuitous ARP, one at a time from *cursor on (0 at first): own
// addresses, then on-link pool addresses. False: that was all.
bool onlink_next_own(const struct conf *c, uint32_t *cursor, uint16_t *iface, ip4 *ip);

#endif
