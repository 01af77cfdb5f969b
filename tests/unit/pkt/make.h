// SPDX-License-Identifier: Apache-2.0
// make.h - packets for tests, put together octet by octet with plain sums, so that they share
// nothing with the code they try.
#ifndef TEST_MAKE_H
#define TEST_MAKE_H

#include <postern/pkt.h>

#define INSIDE 0x6440000aU  // 100.64.0.10
#define OUTSIDE 0xcb007105U // 203.0.113.5, of the pool
#define REMOTE 0xc6336450U  // 198.51.100.80
#define ROUTER 0xc000024dU  // 192.0.2.77

#define MAKE_MAX 2048

struct make {
	ip4 src, dst;
	uint16_t sport, dport; // echo: sport is the identifier
	uint8_t protocol;
	uint8_t type, code;     // ICMP
	uint8_t ttl, tos;       // a TTL of 0 is made 64
	uint8_t option_words;   // of IP, filled with NOP
	uint8_t length_words;   // ICMP errors: RFC 4884 length
	uint8_t flags;          // TCP
	uint16_t id, fragment;  // of IP
	uint16_t seq;           // echo: sequence; too big: MTU
	bool no_checksum;       // UDP without one
	const uint8_t *payload; // behind the transport header; NULL: zeros. ICMP errors: the quote.
	size_t payload_len;
};

// Writes the packet with all its checksums and returns its length.
size_t make_packet(uint8_t out[MAKE_MAX], const struct make *m);

// Sets the header checksum (and, of a whole ICMP datagram, the ICMP checksum) right again after a
// test changed something.
void make_right(uint8_t *l3);

// Sets only the header checksum right.
void make_header_right(uint8_t *l3);

// Checksum of 16-bit words, one at a time, on top of `sum`; inverted.
uint16_t make_sum(uint32_t sum, const uint8_t *data, size_t len);

// Writes the fragment with octets first..end-1 of a packet's IP payload; MF is set unless these are
// its last.
size_t make_piece(uint8_t out[MAKE_MAX], const uint8_t *packet, size_t first, size_t end);

// Parses `len` octets at l3 into *p, whose fields are first filled with rubbish.
enum drop make_parse(struct pkt *p, uint8_t *l3, size_t len);

#endif
