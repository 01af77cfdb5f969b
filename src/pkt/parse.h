// SPDX-License-Identifier: Apache-2.0
// parse.h - what the files of the packet parse share.
#ifndef PKT_PARSE_H
#define PKT_PARSE_H

#include <postern/pkt.h>

// Octets of the header that begins with this octet; 0 when it is not IPv4 with at least 20 octets.
static inline uint32_t ip4_header_size(uint8_t version_ihl)
{
	return (uint8_t)(version_ihl - 0x45) <= 10 ? (version_ihl & 15u) * 4 : 0;
}

// The ICMP message at p->l4_at of a whole datagram whose IP fields are filled in.
enum drop pkt_parse_icmp(struct pkt *p);

#endif
