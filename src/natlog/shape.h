// SPDX-License-Identifier: Apache-2.0
// Which fields each kind of event has, and what it is called in each kind of log.
#ifndef NATLOG_SHAPE_H
#define NATLOG_SHAPE_H

#include <postern/natlog.h>

enum shape_field {
	SHAPE_HOST = 1 << 0, // the subscriber and his realm
	SHAPE_INTERNAL_PORT = 1 << 1,
	SHAPE_EXTERNAL = 1 << 2, // the external address
	SHAPE_EXTERNAL_PORT = 1 << 3,
	SHAPE_RANGE = 1 << 4,    // first and last external port
	SHAPE_PROTOCOL = 1 << 5, // where there is one
	SHAPE_LEASE = 1 << 6,    // kind and lifetime of a mapping
	SHAPE_REMOTE = 1 << 7,   // only where destinations are logged
	SHAPE_LIMIT = 1 << 8,
};

enum { // IPFIX templates, see ipfix.c
	SHAPE_FLOW,
	SHAPE_FLOW_REMOTE,
	SHAPE_SET,
	SHAPE_BINDING,
	SHAPE_BLOCK,
	SHAPE_NO_ADDRESS,
	SHAPE_NO_PORT,
	SHAPE_QUOTA_SESSIONS,
	SHAPE_QUOTA_MAPPINGS,
	SHAPE_QUOTA_USER,
	SHAPE_QUOTA_SUBSCRIBERS,
	SHAPE_POOL_HIGH,
	SHAPE_POOL_LOW,
	SHAPE_USER_HIGH,
	SHAPE_LOSSES,
	SHAPE_MAPPINGS_HIGH,
	SHAPE_SUBSCRIBERS_HIGH,
	SHAPE_QUOTA_FRAGMENTS,
	SHAPE_TEMPLATES,
	SHAPE_NO_RECORD = SHAPE_TEMPLATES // IPFIX has no word for it
};

struct shape {
	const char *name;  // JSON: "event"
	const char *msgid; // RFC 5424 MSGID
	const char *sd;    // SD-ID
	const char *type;  // parameter TYPE, where one MSGID means several; or NULL
	unsigned fields;   // enum shape_field
	uint8_t tmpl;      // IPFIX template
	uint8_t nat_event; // IE 230
	uint8_t sub_event; // IE 466 or 467
};

const struct shape *shape_of(const struct natlog_event *event);
uint8_t shape_protocol(const struct natlog_event *event); // of the IP header; 0: none
const char *shape_protocol_name(const struct natlog_event *event);

#endif
