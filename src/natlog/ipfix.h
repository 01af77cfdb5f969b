// SPDX-License-Identifier: Apache-2.0
// Events as IPFIX messages (RFC 7011) in a buffer of the caller's: no socket is known here. One
// message is built at a time; the caller sends it or not, its sequence numbers count on.
#ifndef NATLOG_IPFIX_H
#define NATLOG_IPFIX_H

#include "shape.h"

enum {
	IPFIX_RECORD = 96, // octets that one record needs at most, its set's header included
	IPFIX_FIRST_TEMPLATE = 256 // template ids: this, and SHAPE_* more
};

struct ipfix;

struct ipfix_setup {
	uint32_t domain; // observation domain, and natInstanceID
	bool destinations;
	uint64_t started_ms; // told with the losses: a collector sees that we began anew
	uint8_t *buffer;     // where messages are built: borrowed for life, `mtu` octets
	uint16_t mtu;
};

struct ipfix *ipfix_create(const struct ipfix_setup *setup); // NULL: not to be had
void ipfix_destroy(struct ipfix *x);

// These begin a message where none is begun, with this export time. False: it does not fit; what
// is in the message stays. A message holds either templates or records: finish it in between.
// ipfix_add() of an event that has no record is true.
bool ipfix_add_template(struct ipfix *x, unsigned which, uint64_t now_ms); // 0..SHAPE_TEMPLATES-1
bool ipfix_add(struct ipfix *x, const struct natlog_event *event, uint64_t now_ms);
// Tells the sum of all that was lost so far (RFC 7011 s.4.3).
bool ipfix_add_losses(struct ipfix *x, uint64_t lost, uint64_t now_ms);

size_t ipfix_room(const struct ipfix *x); // octets left for records, a new set's header included
// Ends the message: its length, in the buffer. 0: there is nothing in it.
size_t ipfix_finish(struct ipfix *x);

#endif
