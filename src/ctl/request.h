// SPDX-License-Identifier: Apache-2.0
// One line of JSON from the control socket, turned into a struct or a reason why not.
#ifndef CTL_REQUEST_H
#define CTL_REQUEST_H

#include <postern/conf.h>

#include <jansson.h>

enum {
	REQUEST_LINE = 64 << 10,     // octets of a request line
	REQUEST_TEXT_LINE = 1 << 20, // ... of one that carries a configuration
	REQUEST_LIMIT = 1000,        // rows of a page unless asked otherwise
	REQUEST_LIMIT_MAX = 10000,
	REQUEST_TOP = 20, // rows of a top list unless asked otherwise
	REQUEST_TOP_MAX = 1000,
	REQUEST_LIFETIME_MAX = 365 * 86400, // what the configuration allows a lifetime to be, too
};

enum request_kind {
	REQUEST_SHOW_VERSION,
	REQUEST_SHOW_STATUS,
	REQUEST_SHOW_PORTS,
	REQUEST_SHOW_WORKERS,
	REQUEST_SHOW_GROUPS,
	REQUEST_SHOW_SUBSCRIBERS,
	REQUEST_SHOW_MAPPINGS,
	REQUEST_SHOW_LEASES,
	REQUEST_SHOW_CLIENTS,
	REQUEST_SHOW_PCP,
	REQUEST_SHOW_COUNTERS,
	REQUEST_SHOW_NEIGHBOURS,
	REQUEST_SHOW_SESSIONS,
	REQUEST_SHOW_POOLS,
	REQUEST_SHOW_LOG,
	REQUEST_TRACE,
	REQUEST_ADD_MAPPING,
	REQUEST_ADD_STATIC,
	REQUEST_DELETE_MAPPING,
	REQUEST_CLEAR_SUBSCRIBER,
	REQUEST_CLEAR_GROUP,
	REQUEST_RESET_EPOCH,
	REQUEST_CONFIG_CHECK,
	REQUEST_CONFIG_APPLY,
	REQUEST_CONFIG_SHOW,
	REQUEST_KINDS
};

struct request_filter { // zero means any
	ip4 subscriber;
	ip4 external;
	uint16_t port, external_port;
	bool has_port, has_external_port;
	uint8_t protocol; // enum nat_protocol
	uint8_t kinds;    // bit set of enum nat_kind
	bool nonzero;
	const char *group, *realm; // names; NULL: any
	uint32_t lifetime_s;       // of a mapping to be added; 0: not said
	const char *description;   // likewise; NULL: none
	size_t description_length;
	uint64_t at_ms; // UTC; 0: now
};

struct request {
	enum request_kind kind;
	struct request_filter filter;
	bool detail; // with the filters and the text of each mapping
	uint32_t limit;
	uint16_t shard;  // where the page begins: this shard,
	uint32_t cursor; // from here on
	const char *file, *text;
	size_t text_length;
	json_t *json; // everything above that points points into it
};

struct refusal {
	const char *code; // "bad-request"
	char message[256];
};

// False with *why filled; *out needs no request_fini() then.
bool request_parse(const char *line, size_t length, struct request *out, struct refusal *why);
void request_fini(struct request *r);

const char *request_protocol_name(unsigned protocol); // "tcp"
const char *request_kind_name(unsigned nat_kind);     // "dynamic-explicit", as in RFC 8512
void request_refuse(struct refusal *why, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
