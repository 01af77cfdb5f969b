// SPDX-License-Identifier: Apache-2.0
// The events of RFC 8158 s.4 and our own. IE 230 counts as that RFC does; what it has no number for
// is told by syslog and JSON alone.
#include "shape.h"

enum {
	FIELDS_BLOCK = SHAPE_HOST | SHAPE_EXTERNAL | SHAPE_RANGE,
	FIELDS_FLOW = SHAPE_HOST | SHAPE_INTERNAL_PORT | SHAPE_EXTERNAL | SHAPE_EXTERNAL_PORT |
		      SHAPE_PROTOCOL,
	FIELDS_MAPPING = FIELDS_FLOW | SHAPE_LEASE,
	FIELDS_SESSION = FIELDS_FLOW | SHAPE_REMOTE,
	FIELDS_QUOTA = SHAPE_HOST | SHAPE_PROTOCOL | SHAPE_LIMIT,
};

// An interim record says once more what the first one said (IPFIX has no number of its own).
static const struct shape nat_shapes[NAT_EVENT_KINDS] = {
	[NAT_EVENT_NONE] = {"none", "NONE", "npblk", NULL, 0, SHAPE_NO_RECORD, 0, 0},
	[NAT_EVENT_BLOCK_TAKEN] = {"block-allocated", "PBADD", "npblk", NULL, FIELDS_BLOCK,
		SHAPE_BLOCK, 16, 0},
	[NAT_EVENT_BLOCK_RETURNED] = {"block-released", "PBDEL", "npblk", NULL, FIELDS_BLOCK,
		SHAPE_BLOCK, 17, 0},
	[NAT_EVENT_BLOCK_HELD] = {"block-held", "PBHELD", "npblk", NULL, FIELDS_BLOCK, SHAPE_BLOCK,
		16, 0},
	[NAT_EVENT_MAPPING_CREATED] = {"mapping-created", "APMADD", "napmap", NULL, FIELDS_MAPPING,
		SHAPE_FLOW, 8, 0},
	[NAT_EVENT_MAPPING_DELETED] = {"mapping-deleted", "APMDEL", "napmap", NULL, FIELDS_MAPPING,
		SHAPE_FLOW, 9, 0},
	[NAT_EVENT_SESSION_CREATED] = {"session-created", "SADD", "nsess", NULL, FIELDS_SESSION,
		SHAPE_FLOW, 4, 0},
	[NAT_EVENT_SESSION_DELETED] = {"session-deleted", "SDEL", "nsess", NULL, FIELDS_SESSION,
		SHAPE_FLOW, 5, 0},
	[NAT_EVENT_ADDRESS_BOUND] = {"address-bound", "ABADD", "nabind", NULL,
		SHAPE_HOST | SHAPE_EXTERNAL, SHAPE_BINDING, 14, 0},
	[NAT_EVENT_ADDRESS_UNBOUND] = {"address-unbound", "ABDEL", "nabind", NULL,
		SHAPE_HOST | SHAPE_EXTERNAL, SHAPE_BINDING, 15, 0},
	[NAT_EVENT_ADDRESSES_EXHAUSTED] = {"addresses-exhausted", "EXHAUST", "nexhaust",
		"addresses", SHAPE_HOST, SHAPE_NO_ADDRESS, 3, 0},
	[NAT_EVENT_PORTS_EXHAUSTED] = {"ports-exhausted", "EXHAUST", "nexhaust", "ports",
		SHAPE_HOST | SHAPE_EXTERNAL | SHAPE_PROTOCOL, SHAPE_NO_PORT, 12, 0},
	[NAT_EVENT_QUOTA_PORTS] = {"quota-ports", "QUOTA", "nquota", "ports", FIELDS_QUOTA,
		SHAPE_QUOTA_USER, 13, 3},
	[NAT_EVENT_QUOTA_SESSIONS] = {"quota-sessions", "QUOTA", "nquota", "sessions", FIELDS_QUOTA,
		SHAPE_QUOTA_USER, 13, 3},
	[NAT_EVENT_QUOTA_SUBSCRIBERS] = {"quota-subscribers", "QUOTA", "nquota", "subscribers",
		FIELDS_QUOTA, SHAPE_QUOTA_SUBSCRIBERS, 13, 4},
	[NAT_EVENT_QUOTA_MAPPINGS] = {"quota-mappings", "QUOTA", "nquota", "mappings", FIELDS_QUOTA,
		SHAPE_QUOTA_MAPPINGS, 13, 2},
	[NAT_EVENT_QUOTA_FRAGMENTS] = {"quota-fragments", "QUOTA", "nquota", "fragments",
		SHAPE_HOST | SHAPE_LIMIT, SHAPE_QUOTA_FRAGMENTS, 13, 5},
	[NAT_EVENT_USER_HIGH] = {"user-high", "THRESH", "nthresh", "user-high", FIELDS_QUOTA,
		SHAPE_USER_HIGH, 18, 4},
};

// A session table that is full for everybody, not for one subscriber.
static const struct shape full_sessions = {
	"quota-sessions", "QUOTA", "nquota", "sessions", FIELDS_QUOTA, SHAPE_QUOTA_SESSIONS, 13, 1};

static const struct shape shapes[NATLOG_KINDS] = {
	[NATLOG_LOST] = {"lost", "LOST", "nlost", NULL, 0, SHAPE_LOSSES, 0, 0},
	[NATLOG_POOL_HIGH] = {"pool-high", "THRESH", "nthresh", "pool-high", 0, SHAPE_POOL_HIGH, 18,
		1},
	[NATLOG_POOL_LOW] = {"pool-low", "THRESH", "nthresh", "pool-low", 0, SHAPE_POOL_LOW, 18, 2},
	[NATLOG_MAPPINGS_HIGH] = {"mappings-high", "THRESH", "nthresh", "mappings-high", 0,
		SHAPE_MAPPINGS_HIGH, 18, 3},
	[NATLOG_SUBSCRIBERS_HIGH] = {"subscribers-high", "THRESH", "nthresh", "subscribers-high", 0,
		SHAPE_SUBSCRIBERS_HIGH, 18, 5},
	[NATLOG_PLAN] = {"plan", "PLAN", "nplan", NULL, 0, SHAPE_NO_RECORD, 0, 0},
	[NATLOG_STARTED] = {"started", "START", NULL, NULL, 0, SHAPE_NO_RECORD, 0, 0},
	[NATLOG_STOPPED] = {"stopped", "STOP", NULL, NULL, 0, SHAPE_NO_RECORD, 0, 0},
};

const struct shape *shape_of(const struct natlog_event *e)
{
	if (e->kind != NATLOG_NAT)
		return &shapes[e->kind < NATLOG_KINDS ? e->kind : NATLOG_LOST];
	if (e->nat.kind == NAT_EVENT_QUOTA_SESSIONS && e->nat.key.host == 0)
		return &full_sessions;
	return &nat_shapes[e->nat.kind < NAT_EVENT_KINDS ? e->nat.kind : NAT_EVENT_NONE];
}

uint8_t shape_protocol(const struct natlog_event *e)
{
	static const uint8_t numbers[] = {[NAT_UDP] = 17, [NAT_TCP] = 6, [NAT_ICMP] = 1};
	uint8_t protocol = e->nat.key.protocol;

	return protocol < ARRAY_SIZE(numbers) ? numbers[protocol] : 0;
}

const char *shape_protocol_name(const struct natlog_event *e)
{
	static const char *const names[] = {
		[NAT_UDP] = "udp", [NAT_TCP] = "tcp", [NAT_ICMP] = "icmp"};
	uint8_t protocol = e->nat.key.protocol;

	return protocol < ARRAY_SIZE(names) ? names[protocol] : NULL;
}
