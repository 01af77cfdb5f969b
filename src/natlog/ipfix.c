// SPDX-License-Identifier: Apache-2.0
// One C struct holds every field that any record has; it is libfixbuf's internal template. Each
// external template names those of them that its record has, and libfixbuf picks them out.
#include "ipfix.h"

#include <fixbuf/public.h>

#include <stdlib.h>

// Ordered by size, so that there is no padding: libfixbuf reads it field behind field.
struct record {
	uint64_t observed_ms, started_ms, lost;
	fbVarfield_t realm, group;
	uint32_t source, mapped_source, destination, mapped_destination;
	uint32_t instance, realm_id, pool, quota, threshold;
	uint32_t max_sessions, max_mappings, max_per_user, max_subscribers;
	uint32_t pool_high, pool_low, user_high, mappings_high, bindings_high;
	uint32_t process, max_fragments;
	uint16_t source_port, mapped_port, destination_port, mapped_destination_port;
	uint16_t first, last, step, ports;
	uint8_t event, protocol, padding[6];
};

#define FIELD(name, size)                                                                          \
	{                                                                                          \
		(char *)(uintptr_t)(name), size, 0                                                 \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

static const fbInfoElementSpec_t inside[] = {
	FIELD("observationTimeMilliseconds", 8),
	FIELD("systemInitTimeMilliseconds", 8),
	FIELD("notSentFlowTotalCount", 8),
	FIELD("internalAddressRealm", 0),
	FIELD("natPoolName", 0),
	FIELD("sourceIPv4Address", 4),
	FIELD("postNATSourceIPv4Address", 4),
	FIELD("destinationIPv4Address", 4),
	FIELD("postNATDestinationIPv4Address", 4),
	FIELD("natInstanceID", 4),
	FIELD("ingressVRFID", 4),
	FIELD("natPoolId", 4),
	FIELD("natQuotaExceededEvent", 4),
	FIELD("natThresholdEvent", 4),
	FIELD("maxSessionEntries", 4),
	FIELD("maxBIBEntries", 4),
	FIELD("maxEntriesPerUser", 4),
	FIELD("maxSubscribers", 4),
	FIELD("addressPoolHighThreshold", 4),
	FIELD("addressPoolLowThreshold", 4),
	FIELD("addressPortMappingPerUserHighThreshold", 4),
	FIELD("addressPortMappingHighThreshold", 4),
	FIELD("globalAddressMappingHighThreshold", 4),
	FIELD("exportingProcessId", 4),
	FIELD("maxFragmentsPendingReassembly", 4),
	FIELD("sourceTransportPort", 2),
	FIELD("postNAPTSourceTransportPort", 2),
	FIELD("destinationTransportPort", 2),
	FIELD("postNAPTDestinationTransportPort", 2),
	FIELD("portRangeStart", 2),
	FIELD("portRangeEnd", 2),
	FIELD("portRangeStepSize", 2),
	FIELD("portRangeNumPorts", 2),
	FIELD("natEvent", 1),
	FIELD("protocolIdentifier", 1),
	FIELD("paddingOctets", 6),
	END,
};

#define WHEN_AND_WHAT FIELD("observationTimeMilliseconds", 8), FIELD("natEvent", 1)
#define BINDING WHEN_AND_WHAT, FIELD("sourceIPv4Address", 4), FIELD("postNATSourceIPv4Address", 4)
#define FLOW                                                                                       \
	BINDING, FIELD("protocolIdentifier", 1), FIELD("sourceTransportPort", 2),                  \
		FIELD("postNAPTSourceTransportPort", 2)
#define INSTANCE FIELD("natInstanceID", 4)
// Which realm an internal address is of: overlapping ones are told apart by it alone.
#define REALM INSTANCE, FIELD("ingressVRFID", 4), FIELD("internalAddressRealm", 0)
#define QUOTA WHEN_AND_WHAT, FIELD("natQuotaExceededEvent", 4)
#define THRESHOLD WHEN_AND_WHAT, FIELD("natThresholdEvent", 4)
#define POOL FIELD("natPoolId", 4), FIELD("natPoolName", 0), INSTANCE

enum {
	MOST_FIELDS = 16
};

static const fbInfoElementSpec_t outside[SHAPE_TEMPLATES][MOST_FIELDS] = {
	[SHAPE_FLOW] = {FLOW, REALM, END},
	[SHAPE_FLOW_REMOTE] = {FLOW, FIELD("destinationIPv4Address", 4),
		FIELD("postNATDestinationIPv4Address", 4), FIELD("destinationTransportPort", 2),
		FIELD("postNAPTDestinationTransportPort", 2), REALM, END},
	[SHAPE_SET] = {FLOW, FIELD("portRangeStart", 2), FIELD("portRangeEnd", 2), REALM, END},
	[SHAPE_BINDING] = {BINDING, REALM, END},
	[SHAPE_BLOCK] = {BINDING, FIELD("portRangeStart", 2), FIELD("portRangeEnd", 2),
		FIELD("portRangeStepSize", 2), FIELD("portRangeNumPorts", 2), REALM, END},
	[SHAPE_NO_ADDRESS] = {WHEN_AND_WHAT, POOL, END},
	[SHAPE_NO_PORT] = {WHEN_AND_WHAT, FIELD("postNATSourceIPv4Address", 4),
		FIELD("protocolIdentifier", 1), INSTANCE, END},
	[SHAPE_QUOTA_SESSIONS] = {QUOTA, FIELD("maxSessionEntries", 4), INSTANCE, END},
	[SHAPE_QUOTA_MAPPINGS] = {QUOTA, FIELD("maxBIBEntries", 4), INSTANCE, END},
	[SHAPE_QUOTA_USER] = {QUOTA, FIELD("maxEntriesPerUser", 4), FIELD("sourceIPv4Address", 4),
		REALM, END},
	[SHAPE_QUOTA_SUBSCRIBERS] = {QUOTA, FIELD("maxSubscribers", 4), INSTANCE, END},
	[SHAPE_POOL_HIGH] = {THRESHOLD, FIELD("addressPoolHighThreshold", 4), POOL, END},
	[SHAPE_POOL_LOW] = {THRESHOLD, FIELD("addressPoolLowThreshold", 4), POOL, END},
	[SHAPE_USER_HIGH] = {THRESHOLD, FIELD("addressPortMappingPerUserHighThreshold", 4),
		FIELD("sourceIPv4Address", 4), REALM, END},
	[SHAPE_LOSSES] = {FIELD("exportingProcessId", 4), FIELD("observationTimeMilliseconds", 8),
		FIELD("systemInitTimeMilliseconds", 8), FIELD("notSentFlowTotalCount", 8), END},
	[SHAPE_MAPPINGS_HIGH] = {THRESHOLD, FIELD("addressPortMappingHighThreshold", 4), INSTANCE,
		END},
	[SHAPE_SUBSCRIBERS_HIGH] = {THRESHOLD, FIELD("globalAddressMappingHighThreshold", 4),
		INSTANCE, END},
	[SHAPE_QUOTA_FRAGMENTS] = {QUOTA, FIELD("maxFragmentsPendingReassembly", 4),
		FIELD("sourceIPv4Address", 4), REALM, END},
};

enum {
	INSIDE_TEMPLATE = 1000 // its id, never sent
};

struct ipfix {
	struct ipfix_setup setup;
	fbInfoModel_t *model;
	fbSession_t *session;   // the buffer's
	fbExporter_t *exporter; // likewise
	fBuf_t *buffer;
	uint32_t items; // templates and records in the message; 0: none is begun
	size_t used;    // octets of its records
	unsigned set;   // template of the set that is open in it
};

// ---- life ------------------------------------------------------------------------------------

static bool add_inside_template(struct ipfix *x)
{
	fbTemplate_t *tmpl = fbTemplateAlloc(x->model);
	GError *error = NULL;

	bool right = fbTemplateAppendSpecArray(
			     tmpl, (fbInfoElementSpec_t *)(uintptr_t)inside, 0, &error) &&
		     fbSessionAddTemplate(x->session, TRUE, INSIDE_TEMPLATE, tmpl, &error);
	if (!right)
		fbTemplateFreeUnused(tmpl);
	g_clear_error(&error);
	return right;
}

static bool add_outside_template(struct ipfix *x, unsigned which)
{
	fbTemplate_t *tmpl = fbTemplateAlloc(x->model);
	GError *error = NULL;

	bool right = fbTemplateAppendSpecArray(
		tmpl, (fbInfoElementSpec_t *)(uintptr_t)outside[which], 0, &error);
	if (right && which == SHAPE_LOSSES)
		fbTemplateSetOptionsScope(tmpl, 1);
	right = right && fbSessionAddTemplate(x->session, FALSE,
				 (uint16_t)(IPFIX_FIRST_TEMPLATE + which), tmpl, &error);
	if (!right)
		fbTemplateFreeUnused(tmpl);
	g_clear_error(&error);
	return right;
}

// The templates are added before there is a buffer, which therefore does not send them by itself.
static bool add_templates(struct ipfix *x)
{
	fbSessionSetDomain(x->session, x->setup.domain);
	if (!add_inside_template(x))
		return false;
	for (unsigned i = 0; i < SHAPE_TEMPLATES; i++) {
		if (!add_outside_template(x, i))
			return false;
	}
	return true;
}

struct ipfix *ipfix_create(const struct ipfix_setup *setup)
{
	struct ipfix *x = calloc(1, sizeof *x);
	GError *error = NULL;

	if (!x)
		return NULL;
	x->setup = *setup;
	x->model = fbInfoModelAlloc();
	x->session = fbSessionAlloc(x->model);
	if (!add_templates(x)) {
		ipfix_destroy(x);
		return NULL;
	}
	x->exporter = fbExporterAllocBuffer(setup->buffer, setup->mtu);
	x->buffer = fBufAllocForExport(x->session, x->exporter);
	fBufSetAutomaticMode(x->buffer, FALSE);
	if (!fBufSetInternalTemplate(x->buffer, INSIDE_TEMPLATE, &error)) {
		g_clear_error(&error);
		ipfix_destroy(x);
		return NULL;
	}
	return x;
}

void ipfix_destroy(struct ipfix *x)
{
	if (!x)
		return;
	if (x->buffer)
		fBufFree(x->buffer); // with session and exporter
	else
		fbSessionFree(x->session);
	fbInfoModelFree(x->model);
	free(x);
}

// ---- messages --------------------------------------------------------------------------------

enum {
	MESSAGE_HEADER = 16,
	SET_HEADER = 4
};

// libfixbuf ends a message between templates and records, also one that nobody began: then the
// same call succeeds when it is made again.
static bool is_false_end(const struct ipfix *x, const GError *error)
{
	return x->items == 0 && g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_EOM);
}

bool ipfix_add_template(struct ipfix *x, unsigned which, uint64_t now_ms)
{
	uint16_t id = (uint16_t)(IPFIX_FIRST_TEMPLATE + which);
	GError *error = NULL;

	fBufSetExportTime(x->buffer, (uint32_t)(now_ms / 1000));
	bool right = fbSessionExportTemplate(x->session, id, &error);
	if (!right && is_false_end(x, error)) {
		g_clear_error(&error);
		right = fbSessionExportTemplate(x->session, id, &error);
	}
	g_clear_error(&error);
	x->items += right;
	return right;
}

static size_t record_size(unsigned which, const struct record *record)
{
	size_t size = 0;

	for (const fbInfoElementSpec_t *field = outside[which]; field->name; field++)
		size += field->len_override;
	if (which == SHAPE_NO_ADDRESS || which == SHAPE_POOL_HIGH || which == SHAPE_POOL_LOW)
		return size + 1 + record->group.len;
	for (const fbInfoElementSpec_t *field = outside[which]; field->name; field++) {
		if (field->len_override == 0)
			return size + 1 + record->realm.len;
	}
	return size;
}

static bool append(struct ipfix *x, unsigned which, struct record *record, uint64_t now_ms)
{
	uint16_t id = (uint16_t)(IPFIX_FIRST_TEMPLATE + which);
	GError *error = NULL;

	fBufSetExportTime(x->buffer, (uint32_t)(now_ms / 1000));
	if (!fBufSetExportTemplate(x->buffer, id, &error)) {
		g_clear_error(&error);
		return false;
	}
	bool right = fBufAppend(x->buffer, (uint8_t *)record, sizeof *record, &error);
	if (!right && is_false_end(x, error)) {
		g_clear_error(&error);
		right = fBufAppend(x->buffer, (uint8_t *)record, sizeof *record, &error);
	}
	g_clear_error(&error);
	if (!right)
		return false;
	x->used += record_size(which, record);
	x->used += x->items == 0 || x->set != which ? SET_HEADER : 0;
	x->set = which;
	x->items++;
	return true;
}

size_t ipfix_room(const struct ipfix *x)
{
	size_t used = MESSAGE_HEADER + x->used;

	return used < x->setup.mtu ? x->setup.mtu - used : 0;
}

size_t ipfix_finish(struct ipfix *x)
{
	GError *error = NULL;

	if (x->items == 0)
		return 0;
	bool right = fBufEmit(x->buffer, &error);
	g_clear_error(&error);
	x->items = 0;
	x->used = 0;
	return right ? fbExporterGetMsgLen(x->exporter) : 0;
}

// ---- records ---------------------------------------------------------------------------------

static fbVarfield_t name_field(const char *name)
{
	size_t length = name ? strnlen(name, CONF_NAME - 1) : 0;

	return (fbVarfield_t){.len = length, .buf = (uint8_t *)(uintptr_t)(name ? name : "")};
}

static void fill_limits(struct record *r, const struct natlog_event *e, unsigned which)
{
	// IE 476 and 477 count addresses of the pool; ours are set in percent of it.
	uint32_t addresses = (uint32_t)(((uint64_t)e->addresses * e->threshold + 99) / 100);

	switch (which) {
	case SHAPE_QUOTA_SESSIONS:
		r->max_sessions = e->nat.limit;
		break;
	case SHAPE_QUOTA_MAPPINGS:
		r->max_mappings = e->nat.limit;
		break;
	case SHAPE_QUOTA_USER:
		r->max_per_user = e->nat.limit;
		break;
	case SHAPE_QUOTA_SUBSCRIBERS:
		r->max_subscribers = e->nat.limit;
		break;
	case SHAPE_QUOTA_FRAGMENTS:
		r->max_fragments = e->nat.limit;
		break;
	case SHAPE_USER_HIGH:
		r->user_high = e->nat.limit;
		break;
	case SHAPE_MAPPINGS_HIGH:
		r->mappings_high = e->nat.limit;
		break;
	case SHAPE_SUBSCRIBERS_HIGH:
		r->bindings_high = e->nat.limit;
		break;
	default:
		r->pool_high = r->pool_low = addresses;
	}
}

static struct record record_of(const struct ipfix *x, const struct natlog_event *e)
{
	const struct nat_event *nat = &e->nat;

	return (struct record){
		.observed_ms = e->at_ms,
		.realm = name_field(e->realm),
		.group = name_field(e->group),
		.source = nat->key.host,
		.mapped_source = nat->external.addr,
		.destination = nat->remote.addr,
		.mapped_destination = nat->remote.addr,
		.instance = x->setup.domain,
		.realm_id = nat->key.realm,
		.pool = nat->group,
		.source_port = nat->key.port,
		.mapped_port = nat->external.port,
		.destination_port = nat->remote.port,
		.mapped_destination_port = nat->remote.port,
		.first = nat->external.port,
		.last = nat->last_port,
		.step = 1,
		.ports = (uint16_t)(nat->last_port - nat->external.port + 1),
		.protocol = shape_protocol(e),
	};
}

static unsigned pick_template(
	const struct ipfix *x, const struct shape *shape, const struct natlog_event *e)
{
	if (shape->tmpl != SHAPE_FLOW)
		return shape->tmpl;
	if (shape->fields & SHAPE_REMOTE)
		return x->setup.destinations ? SHAPE_FLOW_REMOTE : SHAPE_FLOW;
	return e->nat.last_port > e->nat.external.port ? SHAPE_SET : SHAPE_FLOW;
}

bool ipfix_add(struct ipfix *x, const struct natlog_event *e, uint64_t now_ms)
{
	const struct shape *shape = shape_of(e);

	if (shape->tmpl == SHAPE_NO_RECORD || shape->tmpl == SHAPE_LOSSES)
		return true;
	unsigned which = pick_template(x, shape, e);
	struct record record = record_of(x, e);
	record.event = shape->nat_event;
	record.quota = record.threshold = shape->sub_event;
	fill_limits(&record, e, which);
	return append(x, which, &record, now_ms);
}

bool ipfix_add_losses(struct ipfix *x, uint64_t lost, uint64_t now_ms)
{
	struct record record = {
		.observed_ms = now_ms,
		.started_ms = x->setup.started_ms,
		.lost = lost,
		.process = x->setup.domain,
	};

	return append(x, SHAPE_LOSSES, &record, now_ms);
}
