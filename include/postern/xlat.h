// SPDX-License-Identifier: Apache-2.0
// xlat.h - packet and recipe in, packet out: NAT44 rewriting, ICMP errors, our own ICMP answers.
//
// Owner    the caller; packets are changed in place.
// Threads  pure functions of their arguments.
// Memory   none. Nothing is written past p->room.
// Needs    a packet that pkt_parse_ip4() accepted; fields of struct pkt are kept in step.
// Book     docs/design/xlat.md; RFC 3022, RFC 1624, RFC 5508 s.4, RFC 1812 s.4.3, RFC 4884
#ifndef POSTERN_XLAT_H
#define POSTERN_XLAT_H

#include <postern/pkt.h>

// Every translation, of ICMP errors too, lowers the TTL by one, unless the packet's stage is
// PKT_HAIRPINNED: both legs are one hop, so set the stage between them. Ask before translating
// whether the TTL is more than one.

// Rewrites source (or destination) address and port of a UDP, TCP or echo packet. IP and transport
// checksums are updated incrementally; a UDP checksum of zero stays zero (RFC 4787 / RFC 1624), a
// computed zero is sent as 0xffff.
void xlat_source(struct pkt *p, struct recipe to);
// The same and xlat_identify() at once.
void xlat_source_anew(struct pkt *p, struct recipe to, uint16_t id);
void xlat_destination(struct pkt *p, struct recipe to);
void xlat_lower_ttl(struct pkt *p); // forwarding without translation
// Of a fragment without transport header (p->later) only the IP header changes; of a first fragment
// the transport checksum covers octets that are elsewhere, and is updated all the same.

// Another IPv4 identification (RFC 6864: of packets that are not atomic).
void xlat_identify(struct pkt *p, uint16_t id);
bool xlat_is_atomic(const struct pkt *p); // DF, and not a fragment
// Lowers the MSS option of a TCP SYN to `mss`; never raises it, and adds none. Nothing happens to a
// packet that is no SYN.
void xlat_clamp_mss(struct pkt *p, uint16_t mss);

// Cuts a packet without DF for a link of `mtu` (RFC 791 s.3.2): writes the piece that begins at
// octet *at of its IP payload (0 at first) to `out`, which has `room` octets, and moves *at on.
// Returns the piece's length, 0 when there is no more. A fragment is cut further. Options are
// copied to later pieces as RFC 791 says. `out` must take `mtu` octets; mtu is at least 68.
size_t xlat_cut(const struct pkt *p, uint16_t mtu, uint32_t *at, uint8_t *out, size_t room);

// ICMP errors (kind PKT_ICMP_ERROR). Outer and embedded headers and all checksums are fixed; the
// embedded transport checksum is followed where its octets are present (RFC 5508 REQ-3..5, 7).
// _from_outside: outer destination and embedded source become the internal endpoint `to`.
// _from_inside: embedded destination becomes the external endpoint `to`, outer source its address.
void xlat_error_from_outside(struct pkt *p, struct recipe to);
void xlat_error_from_inside(struct pkt *p, struct recipe to);

// Turns an echo request to one of our addresses into its reply (TTL fresh, IP options left out).
// Of a request its first transport octet is ICMP_ECHO; a PKT_ECHO may be a reply as well.
void xlat_echo_reply(struct pkt *p);

// Whether RFC 1812 s.4.3.2.7 allows an ICMP error about this packet: not about an ICMP error, a
// later fragment, a group destination or a source that is no single host.
bool xlat_may_answer(const struct pkt *p, bool link_group);

// Replaces the packet by an ICMP error about it, from `from` to its source, quoting as much as fits
// in 576 octets (RFC 1812 s.4.3.2.3). `mtu` is for type 3 code 4, else ignored. The quote is the
// packet as it stands; 28 octets of room behind it are enough. False when the buffer has too
// little room: nothing changed.
bool xlat_make_error(struct pkt *p, ip4 from, uint8_t type, uint8_t code, uint16_t mtu);

// The same for IPv6 (RFC 4443 s.2.4): quotes as much as fits in 1280 octets. `data` is the MTU of
// ICMP6_TOO_BIG, else 0.
bool xlat_may_answer6(const struct pkt_ip6 *six, const struct pkt *p);
bool xlat_make_error6(struct pkt *p, ip6 from, uint8_t type, uint8_t code, uint32_t data);
// Turns an echo request of *six into its reply from the address it went to.
void xlat_echo6_reply(struct pkt *p, const struct pkt_ip6 *six);

// Swaps source and destination of a UDP packet and sets its payload length; recomputes checksums,
// TTL fresh. For replies written in place over the request (PCP). The payload begins at
// l4_at + 8 before the call; the request's IP options are left out, so it may move up. False when
// payload_len does not fit in p->room: nothing changed.
bool xlat_udp_reply(struct pkt *p, size_t payload_len);

// Writes a UDP packet from nothing into p->l3 (p->room octets, IP options none): headers around
// `payload_len` octets already standing at l3 + 28. False when it does not fit.
bool xlat_udp_make(struct pkt *p, ip4 src, uint16_t sport, ip4 dst, uint16_t dport, uint8_t ttl,
	size_t payload_len);

#endif
