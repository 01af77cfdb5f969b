// SPDX-License-Identifier: Apache-2.0
// Events as JSON, one object a line, members named as posternctl's rows name them. "time" and
// "event" come first, so that a person who reads the file finds them.
#include "shape.h"

#include <jansson.h>

static void set(json_t *row, const char *name, json_t *value)
{
	json_object_set_new(row, name, value); // without memory the row lacks it
}

static void set_number(json_t *row, const char *name, uint64_t n)
{
	set(row, name, json_integer((json_int_t)n));
}

static void set_text(json_t *row, const char *name, const char *text)
{
	if (text)
		set(row, name, json_string(text));
}

static json_t *address_json(ip4 address)
{
	char text[IP4_TEXT];

	return json_string(ip4_format(address, text));
}

// ---- NAT events ------------------------------------------------------------------------------

static const char *kind_name(uint8_t kind)
{
	static const char *const names[] = {[NAT_IMPLICIT] = "dynamic-implicit",
		[NAT_EXPLICIT] = "dynamic-explicit",
		[NAT_STATIC] = "static",
		[NAT_RESTING] = "resting",
		[NAT_PEER] = "peer"};

	return kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}

static void add_inside(json_t *row, const struct natlog_event *e, unsigned fields)
{
	if ((fields & SHAPE_HOST) && e->nat.key.host) {
		set_text(row, "realm", e->realm);
		set(row, "internal_address", address_json(e->nat.key.host));
	}
	if (fields & SHAPE_INTERNAL_PORT)
		set_number(row, "internal_port", e->nat.key.port);
}

static void add_outside(json_t *row, const struct natlog_event *e, unsigned fields)
{
	const struct nat_event *nat = &e->nat;

	if ((fields & SHAPE_EXTERNAL) && nat->external.addr)
		set(row, "external_address", address_json(nat->external.addr));
	if (fields & (SHAPE_EXTERNAL_PORT | SHAPE_RANGE))
		set_number(row, "external_port", nat->external.port);
	if ((fields & SHAPE_RANGE) ||
		((fields & SHAPE_EXTERNAL_PORT) && nat->last_port > nat->external.port))
		set_number(row, "external_port_last", nat->last_port);
}

static void add_nat(json_t *row, const struct natlog_event *e, bool destinations)
{
	unsigned fields = shape_of(e)->fields;

	set_number(row, "worker", e->worker);
	set_number(row, "sequence", e->sequence);
	set_text(row, "group", e->group);
	if (fields & SHAPE_PROTOCOL)
		set_text(row, "protocol", shape_protocol_name(e));
	add_inside(row, e, fields);
	add_outside(row, e, fields);
	if ((fields & SHAPE_REMOTE) && destinations) {
		set(row, "remote_address", address_json(e->nat.remote.addr));
		set_number(row, "remote_port", e->nat.remote.port);
	}
	if (fields & SHAPE_LEASE)
		set_text(row, "kind", kind_name(e->nat.mapping));
	if ((fields & SHAPE_LEASE) && e->nat.lifetime_s)
		set_number(row, "lifetime_s", e->nat.lifetime_s);
	if (fields & SHAPE_LIMIT)
		set_number(row, "limit", e->nat.limit);
}

// ---- plans -----------------------------------------------------------------------------------

static json_t *prefixes_json(const struct nat_plan *plan)
{
	json_t *list = json_array();
	char text[PREFIX4_TEXT];

	for (uint32_t i = 0; i < plan->n_inside; i++)
		json_array_append_new(list, json_string(prefix4_format(plan->inside[i], text)));
	return list;
}

static json_t *addresses_json(const struct nat_plan *plan)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < plan->n_external; i++)
		json_array_append_new(list, address_json(plan->external[i]));
	return list;
}

// All that the arithmetic needs: whoever has this line can compute forward and back, and knows what
// a host may have beyond his own (RFC 7422 s.3).
static void add_plan(json_t *row, const struct natlog_event *e)
{
	const struct nat_plan *plan = e->plan;

	set_text(row, "group", e->group);
	if (!plan) {
		set(row, "plan", json_null());
		return;
	}
	set(row, "inside", prefixes_json(plan));
	set(row, "external", addresses_json(plan));
	set_number(row, "hosts", plan->n_hosts);
	set_number(row, "hosts_per_address", plan->hosts_per_address);
	set_number(row, "port_first", plan->port_first);
	set_number(row, "port_last", plan->port_last);
	set_number(row, "ports_per_host", plan->ports_per_host);
	set_number(row, "max_ports_per_host", e->ports_most);
	set_number(row, "port_set_size", plan->port_set_size);
}

// ---- any -------------------------------------------------------------------------------------

static void add_lost(json_t *row, const struct natlog_event *e)
{
	if (e->worker < CONF_MAX_WORKERS) {
		set_number(row, "worker", e->worker);
		set_number(row, "sequence", e->sequence);
	}
	set_number(row, "count", e->count);
}

static void add_pool(json_t *row, const struct natlog_event *e)
{
	set_text(row, "group", e->group);
	set_number(row, "usage_percent", e->usage);
	set_number(row, "threshold_percent", e->threshold);
}

static void add_table(json_t *row, const struct natlog_event *e)
{
	set_number(row, "worker", e->worker);
	set_number(row, "usage_percent", e->usage);
	set_number(row, "threshold", e->nat.limit);
}

char *natlog_json(const struct natlog_event *e, bool destinations)
{
	json_t *row = json_object();
	char time[NATLOG_TIME];

	set_text(row, "time", natlog_time_format(e->at_ms, time));
	set_text(row, "event", shape_of(e)->name);
	if (e->kind == NATLOG_NAT)
		add_nat(row, e, destinations);
	if (e->kind == NATLOG_LOST)
		add_lost(row, e);
	if (e->kind == NATLOG_POOL_HIGH || e->kind == NATLOG_POOL_LOW)
		add_pool(row, e);
	if (e->kind == NATLOG_MAPPINGS_HIGH || e->kind == NATLOG_SUBSCRIBERS_HIGH)
		add_table(row, e);
	if (e->kind == NATLOG_PLAN)
		add_plan(row, e);
	char *text = json_dumps(row, JSON_COMPACT);
	json_decref(row);
	return text;
}
