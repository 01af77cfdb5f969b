// SPDX-License-Identifier: Apache-2.0
// What a table shows in other words than the daemon: sums, names of states, lists as text.
#include "posternctl.h"

static json_int_t number_of(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static void complete_port(json_t *row)
{
	json_int_t lost = number_of(row, "rx_missed") + number_of(row, "rx_errors") +
			  number_of(row, "rx_no_buffer");
	const json_t *up = json_object_get(row, "link_up");
	const char *link = json_is_boolean(up) ? json_is_true(up) ? "up" : "down" : "unknown";

	json_object_set_new(row, "rx_lost", json_integer(lost));
	json_object_set_new(row, "link", json_string(link));
}

static void complete_worker(json_t *row)
{
	const json_t *io = json_object_get(row, "io");
	json_int_t loops = number_of(io, "loops"), busy = number_of(io, "busy_loops");
	bool running = json_is_true(json_object_get(row, "running"));

	json_object_set_new(row, "state", json_string(running ? "running" : "stopped"));
	json_object_set_new(row, "busy",
		loops ? json_sprintf("%.1f%%", 100.0 * (double)busy / (double)loops)
		      : json_string("-"));
}

// ---- mappings --------------------------------------------------------------------------------

// "198.51.100.0/24", or "198.51.100.9/32:443" where a filter names a port.
static json_t *filter_text(const json_t *filter)
{
	const char *prefix = json_string_value(json_object_get(filter, "prefix"));
	json_int_t port = number_of(filter, "port");

	if (!prefix)
		return json_string("?");
	return port ? json_sprintf("%s:%lld", prefix, (long long)port) : json_string(prefix);
}

static void complete_mapping(json_t *row)
{
	json_t *filters = json_object_get(row, "filters"), *texts = json_array(), *filter;
	json_int_t octets = number_of(row, "description_octets");
	size_t i;

	json_array_foreach(filters, i, filter)
	{
		json_array_append_new(texts, filter_text(filter));
	}
	if (filters)
		json_object_set(row, "filter_texts", texts);
	json_decref(texts);
	if (number_of(row, "filter_count") == 0)
		json_object_del(row, "filter_count");
	if (json_is_true(json_object_get(row, "operator")))
		json_object_set_new(row, "dialect", json_string("operator"));
	if (octets && !json_object_get(row, "description"))
		json_object_set_new(
			row, "description", json_sprintf("(%lld octets)", (long long)octets));
}

void row_complete(enum subject subject, json_t *row)
{
	if (subject == SUBJECT_PORTS)
		complete_port(row);
	else if (subject == SUBJECT_WORKERS)
		complete_worker(row);
	else if (subject == SUBJECT_MAPPINGS || subject == SUBJECT_LEASES)
		complete_mapping(row);
}

// ---- PCP -------------------------------------------------------------------------------------

static void add_counted(json_t *rows, const json_t *group, const char *counted, const char *member)
{
	json_t *value, *counters = json_object_get(group, member);
	const char *name;

	json_object_foreach(counters, name, value)
	{
		if (json_integer_value(value))
			json_array_append_new(
				rows, json_pack("{s:O,s:s,s:s,s:O}", "group",
					      json_object_get(group, "group"), "counted", counted,
					      "name", name, "number", value));
	}
}

json_t *rows_of_pcp(const json_t *groups)
{
	json_t *rows = json_array(), *group;
	size_t i;

	json_array_foreach(groups, i, group)
	{
		if (!json_is_string(json_object_get(group, "group")))
			continue;
		add_counted(rows, group, "dialect", "dialects");
		add_counted(rows, group, "opcode", "opcodes");
		add_counted(rows, group, "option", "options");
		add_counted(rows, group, "result", "results");
		add_counted(rows, group, "event", "events");
	}
	return rows;
}
