// SPDX-License-Identifier: Apache-2.0
// The words are those of draft-ietf-behave-syslog-nat-logging, as other NATs use them, and where it
// has none, words of the same kind: PB for port blocks, AB for address bindings.
#include "syslog.h"

#include <stdarg.h>
#include <stdio.h>

#define PRIORITY "<134>" // local0, informational

struct line {
	char *at, *end;
	bool bad; // it did not fit
};

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *format, ...)
{
	size_t room = (size_t)(l->end - l->at);
	va_list args;

	va_start(args, format);
	int n = vsnprintf(l->at, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		l->bad = true;
	else
		l->at += n;
}

// RFC 5424 s.6.3.3: these three are escaped. Control characters have no place in a line.
static void put_text(struct line *l, const char *name, const char *value)
{
	if (!value)
		return;
	put(l, " %s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\' || *value == ']')
			put(l, "\\");
		put(l, "%c", (unsigned char)*value < 0x20 ? '?' : *value);
	}
	put(l, "\"");
}

static void put_number(struct line *l, const char *name, uint64_t n)
{
	put(l, " %s=\"%ju\"", name, (uintmax_t)n);
}

static void put_address(struct line *l, const char *type, const char *name, ip4 address)
{
	char text[IP4_TEXT];

	if (type)
		put_text(l, type, "IPv4");
	put_text(l, name, ip4_format(address, text));
}

// ---- NAT events ------------------------------------------------------------------------------

static void put_inside(
	struct line *l, const struct natlog_event *e, unsigned fields, bool destinations)
{
	if ((fields & SHAPE_HOST) && e->nat.key.host) {
		put_text(l, "SVLAN", e->realm);
		put_address(l, "IATYP", "ISADDR", e->nat.key.host);
	}
	if (fields & SHAPE_INTERNAL_PORT)
		put_number(l, "ISPORT", e->nat.key.port);
	if ((fields & SHAPE_REMOTE) && destinations) {
		put_address(l, NULL, "IDADDR", e->nat.remote.addr);
		put_number(l, "IDPORT", e->nat.remote.port);
	}
}

static void put_outside(
	struct line *l, const struct natlog_event *e, unsigned fields, bool destinations)
{
	const struct nat_event *nat = &e->nat;

	if ((fields & SHAPE_EXTERNAL) && nat->external.addr)
		put_address(l, "XATYP", "XSADDR", nat->external.addr);
	if (fields & SHAPE_EXTERNAL_PORT)
		put_number(l, "XSPORT", nat->external.port);
	if ((fields & SHAPE_RANGE) ||
		((fields & SHAPE_EXTERNAL_PORT) && nat->last_port > nat->external.port)) {
		put_number(l, "XPSTART", nat->external.port);
		put_number(l, "XPEND", nat->last_port);
	}
	if ((fields & SHAPE_REMOTE) && destinations) {
		put_address(l, NULL, "XDADDR", nat->remote.addr);
		put_number(l, "XDPORT", nat->remote.port);
	}
}

static void put_nat(struct line *l, const struct natlog_event *e, bool destinations)
{
	unsigned fields = shape_of(e)->fields;

	put_inside(l, e, fields, destinations);
	put_outside(l, e, fields, destinations);
	if ((fields & SHAPE_PROTOCOL) && shape_protocol(e))
		put_number(l, "PROTO", shape_protocol(e));
	if ((fields & SHAPE_LEASE) && e->nat.lifetime_s)
		put_number(l, "LIFE", e->nat.lifetime_s);
	if (fields & SHAPE_LIMIT)
		put_number(l, "LIMIT", e->nat.limit);
	put_text(l, "POLICY", e->group);
}

// ---- others ----------------------------------------------------------------------------------

static void put_lost(struct line *l, const struct natlog_event *e)
{
	if (e->worker < CONF_MAX_WORKERS)
		put_number(l, "WORKER", e->worker);
	put_number(l, "COUNT", e->count);
}

static void put_pool(struct line *l, const struct natlog_event *e)
{
	put_number(l, "USAGE", e->usage);
	put_number(l, "LIMIT", e->threshold);
	put_text(l, "POLICY", e->group);
}

static void put_table(struct line *l, const struct natlog_event *e)
{
	put_number(l, "WORKER", e->worker);
	put_number(l, "USAGE", e->usage);
	put_number(l, "LIMIT", e->nat.limit);
}

// Its lists may be longer than a message: they stand in log-history and in JSON.
static void put_plan(struct line *l, const struct natlog_event *e)
{
	put_text(l, "POLICY", e->group);
	if (!e->plan)
		return;
	put_number(l, "HOSTS", e->plan->n_hosts);
	put_number(l, "ADDRESSES", e->plan->n_external);
	put_number(l, "PERADDRESS", e->plan->hosts_per_address);
	put_number(l, "XPSTART", e->plan->port_first);
	put_number(l, "XPEND", e->plan->port_last);
	put_number(l, "PERHOST", e->plan->ports_per_host);
	put_number(l, "MAXHOST", e->ports_most);
	put_number(l, "BLOCK", e->plan->port_set_size);
}

static void put_data(
	struct line *l, const struct shape *shape, const struct natlog_event *e, bool destinations)
{
	put(l, "[%s", shape->sd);
	put_text(l, "TYPE", shape->type);
	if (e->kind == NATLOG_NAT)
		put_nat(l, e, destinations);
	else if (e->kind == NATLOG_LOST)
		put_lost(l, e);
	else if (e->kind == NATLOG_PLAN)
		put_plan(l, e);
	else if (e->kind == NATLOG_MAPPINGS_HIGH || e->kind == NATLOG_SUBSCRIBERS_HIGH)
		put_table(l, e);
	else
		put_pool(l, e);
	put(l, "]");
}

size_t syslog_encode(const struct natlog_event *e, const char *host, bool destinations,
	uint32_t sequence, char *out, size_t room)
{
	const struct shape *shape = shape_of(e);
	struct line l = {.at = out, .end = out + room};
	char time[NATLOG_TIME];

	put(&l, PRIORITY "1 %s %s NAT - %s [meta sequenceId=\"%u\"]",
		natlog_time_format(e->at_ms, time), host, shape->msgid, sequence);
	if (shape->sd)
		put_data(&l, shape, e, destinations);
	return l.bad ? 0 : (size_t)(l.at - out);
}

void syslog_host(const char *name, char out[SYSLOG_HOST])
{
	size_t n = 0;

	for (; name && *name && n < SYSLOG_HOST - 1; name++) {
		if (*name > 0x20 && *name < 0x7f)
			out[n++] = *name;
	}
	if (n == 0)
		out[n++] = '-';
	out[n] = '\0';
}
