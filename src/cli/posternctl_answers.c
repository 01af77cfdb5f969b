// SPDX-License-Identifier: Apache-2.0
// What people see: a table for whatever has many rows, lines "name: value" for the rest. With
// --json every row, or the one result, is a line of JSON as the daemon sent it.
#include "posternctl.h"

static const struct column subscriber_columns[] = {
	{"SUBSCRIBER", CELL_TEXT, "address", NULL},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
	{"EXTERNAL", CELL_TEXT, "external_address", NULL},
	{"UDP", CELL_NUMBER, "ports.udp", NULL},
	{"TCP", CELL_NUMBER, "ports.tcp", NULL},
	{"ICMP", CELL_NUMBER, "ports.icmp", NULL},
	{"BLOCKS", CELL_NUMBER, "blocks", NULL},
	{"LEASES", CELL_NUMBER, "leases", NULL},
	{"SHARD", CELL_NUMBER, "shard", NULL},
	{"EPOCH", CELL_DURATION, "epoch_s", NULL},
};

static const struct column mapping_columns[] = {
	{"PROTO", CELL_TEXT, "protocol", NULL},
	{"INTERNAL", CELL_ENDPOINT, "internal_address", "internal_port"},
	{"EXTERNAL", CELL_ENDPOINT, "external_address", "external_port"},
	{"KIND", CELL_TEXT, "kind", NULL},
	{"LIFETIME", CELL_DURATION, "lifetime_left_s", NULL},
	{"IDLE-OUT", CELL_DURATION, "idle_left_s", NULL},
	{"SHARD", CELL_NUMBER, "shard", NULL},
	{"REALM", CELL_TEXT, "realm", NULL},
	{"GROUP", CELL_TEXT, "group", NULL},
	{"NONCE", CELL_TEXT, "nonce", NULL},
	{"CLIENT", CELL_ENDPOINT, "client", "client_port"},
};

static const struct column port_columns[] = {
	{"PORT", CELL_TEXT, "name", NULL},
	{"DRIVER", CELL_TEXT, "driver", NULL},
	{"LINK", CELL_TEXT, "link", NULL},
	{"MAC", CELL_TEXT, "mac", NULL},
	{"MTU", CELL_NUMBER, "mtu", NULL},
	{"QUEUES", CELL_NUMBER, "rx_queues", NULL},
	{"STEERING", CELL_TEXT, "steering", NULL},
	{"RX-PACKETS", CELL_NUMBER, "rx_packets", NULL},
	{"RX-BYTES", CELL_OCTETS, "rx_bytes", NULL},
	{"RX-LOST", CELL_NUMBER, "rx_lost", NULL},
	{"TX-PACKETS", CELL_NUMBER, "tx_packets", NULL},
	{"TX-BYTES", CELL_OCTETS, "tx_bytes", NULL},
};

static const struct column interface_columns[] = {
	{"INTERFACE", CELL_TEXT, "name", NULL},
	{"PORT", CELL_TEXT, "port", NULL},
	{"SIDE", CELL_TEXT, "side", NULL},
	{"VLAN", CELL_TEXT, "vlan_text", NULL},
	{"MTU", CELL_NUMBER, "mtu", NULL},
	{"ADDRESSES", CELL_LIST, "addresses", NULL},
};

static const struct column worker_columns[] = {
	{"WORKER", CELL_NUMBER, "worker", NULL},
	{"CPU", CELL_NUMBER, "cpu", NULL},
	{"STATE", CELL_TEXT, "state", NULL},
	{"GENERATION", CELL_NUMBER, "generation", NULL},
	{"RX", CELL_NUMBER, "io.rx_packets", NULL},
	{"TX", CELL_NUMBER, "io.tx_packets", NULL},
	{"HANDED-OUT", CELL_NUMBER, "io.handoff_out", NULL},
	{"HANDED-IN", CELL_NUMBER, "io.handoff_in", NULL},
	{"BUSY", CELL_TEXT, "busy", NULL},
	{"NAPS", CELL_NUMBER, "io.naps", NULL},
	{"MAPPINGS", CELL_NUMBER, "shard.mappings", NULL},
	{"SUBSCRIBERS", CELL_NUMBER, "shard.subscribers", NULL},
	{"LEASES", CELL_NUMBER, "shard.leases", NULL},
	{"PCP", CELL_NUMBER, "shard.pcp_replies", NULL},
	{"SHARD-MEMORY", CELL_OCTETS, "shard_bytes", NULL},
	{"HUGE", CELL_YES, "huge_pages", NULL},
};

static const struct column pool_columns[] = {
	{"ADDRESS", CELL_TEXT, "address", NULL},
	{"OWNER", CELL_TEXT, "owner", NULL},
};

static const struct column counter_columns[] = {
	{"COUNTER", CELL_TEXT, "name", NULL},
	{"VALUE", CELL_NUMBER, "value", NULL},
	{"BY-WORKER", CELL_LIST, "workers", NULL},
	{"ABOUT", CELL_TEXT, "about", NULL},
};

static const struct column neighbour_columns[] = {
	{"INTERFACE", CELL_TEXT, "interface", NULL},
	{"ADDRESS", CELL_TEXT, "address", NULL},
	{"MAC", CELL_TEXT, "mac", NULL},
	{"STATE", CELL_TEXT, "state", NULL},
	{"CONFIRMED", CELL_DURATION, "age_s", NULL},
};

static const struct column status_columns[] = {
	{"posternd", CELL_TEXT, "version", NULL},
	{"up for", CELL_DURATION, "uptime_s", NULL},
	{"configuration", CELL_TEXT, "config_file", NULL},
	{"generation", CELL_TEXT, "generation", NULL},
	{"workers", CELL_TEXT, "workers", NULL},
	{"huge pages", CELL_YES, "huge_pages", NULL},
	{"packet buffers", CELL_TEXT, "buffers_text", NULL},
	{"subscribers", CELL_TEXT, "subscribers", NULL},
	{"mappings", CELL_TEXT, "mappings", NULL},
	{"leases", CELL_TEXT, "leases", NULL},
	{"resting ports", CELL_TEXT, "resting", NULL},
	{"port blocks", CELL_TEXT, "blocks", NULL},
	{"external addresses", CELL_TEXT, "addresses", NULL},
	{"packets dropped", CELL_TEXT, "drops", NULL},
};

static const struct {
	const struct column *columns;
	unsigned n;
} tables[] = {
	[SUBJECT_PORTS] = {port_columns, ARRAY_SIZE(port_columns)},
	[SUBJECT_WORKERS] = {worker_columns, ARRAY_SIZE(worker_columns)},
	[SUBJECT_SUBSCRIBERS] = {subscriber_columns, ARRAY_SIZE(subscriber_columns)},
	[SUBJECT_MAPPINGS] = {mapping_columns, ARRAY_SIZE(mapping_columns)},
	[SUBJECT_COUNTERS] = {counter_columns, ARRAY_SIZE(counter_columns)},
	[SUBJECT_NEIGHBOURS] = {neighbour_columns, ARRAY_SIZE(neighbour_columns)},
};

static_assert(ARRAY_SIZE(worker_columns) <= TABLE_COLUMNS, "the widest table");

static json_int_t number_of(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "?";
}

// ---- status, version -------------------------------------------------------------------------

static void print_epochs(struct answers *a, json_t *epochs)
{
	char text[32];
	const char *name;
	json_t *value;

	json_object_foreach(epochs, name, value)
	{
		duration_format((uint64_t)json_integer_value(value), text, sizeof text);
		fprintf(a->out, "%-20s%s (%s)\n", "Epoch:", text, name);
	}
}

static void print_status(struct answers *a, json_t *row)
{
	char text[CELL_SIZE], title[32];

	json_object_set_new(row, "buffers_text",
		json_sprintf("%lld of %lld in use", (long long)number_of(row, "buffers_in_use"),
			(long long)number_of(row, "buffers")));
	for (size_t i = 0; i < ARRAY_SIZE(status_columns); i++) {
		snprintf(title, sizeof title, "%s:", status_columns[i].title);
		fprintf(a->out, "%-20s%s\n", title, cell_format(row, &status_columns[i], text));
	}
	print_epochs(a, json_object_get(row, "epoch_s"));
}

// ---- ports, workers --------------------------------------------------------------------------

static void complete_port(json_t *row)
{
	json_int_t lost = number_of(row, "rx_missed") + number_of(row, "rx_errors") +
			  number_of(row, "rx_no_buffer");
	const json_t *up = json_object_get(row, "link_up");
	const char *link = json_is_boolean(up) ? json_is_true(up) ? "up" : "down" : "unknown";

	json_object_set_new(row, "rx_lost", json_integer(lost));
	json_object_set_new(row, "link", json_string(link));
}

static void print_interfaces(struct answers *a, const json_t *ports)
{
	json_t *all = json_array(), *port, *iface;
	struct table table;
	size_t i, k;

	json_array_foreach(ports, i, port)
	{
		json_array_foreach(json_object_get(port, "interfaces"), k, iface)
		{
			json_int_t vlan = number_of(iface, "vlan");
			json_object_set(iface, "port", json_object_get(port, "name"));
			json_object_set_new(iface, "vlan_text",
				vlan ? json_sprintf("%lld", (long long)vlan) : json_string("-"));
			json_array_append(all, iface);
		}
	}
	table_init(&table, interface_columns, ARRAY_SIZE(interface_columns), a->colour);
	fputc('\n', a->out);
	table_print(&table, all, a->out);
	json_decref(all);
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

// ---- groups ----------------------------------------------------------------------------------

// "worker 1", or "worker 0: 0-32767, worker 1: 32768-65535" where the address is cut.
static void complete_address(json_t *row)
{
	const json_t *worker = json_object_get(row, "worker"), *cut;
	char text[CELL_SIZE] = "";
	size_t i, used = 0;

	if (worker)
		snprintf(text, sizeof text, "worker %lld", (long long)json_integer_value(worker));
	json_array_foreach(json_object_get(row, "workers"), i, cut)
	{
		snprintf(text + used, sizeof text - used, "%sworker %lld: %lld-%lld",
			used ? ", " : "", (long long)number_of(cut, "worker"),
			(long long)number_of(cut, "first_port"),
			(long long)number_of(cut, "last_port"));
		used = strlen(text);
	}
	json_object_set_new(row, "owner", json_string(text));
}

static void print_results(struct answers *a, json_t *results)
{
	const char *name, *before = "";
	json_t *value;

	fputs("  PCP answers: ", a->out);
	json_object_foreach(results, name, value)
	{
		fprintf(a->out, "%s%s %lld", before, name, (long long)json_integer_value(value));
		before = ", ";
	}
	fprintf(a->out, "%s\n", *before ? "" : "none yet");
}

static void print_group(struct answers *a, const json_t *group)
{
	static const struct column listen = {"", CELL_LIST, "pcp_listen", NULL};
	const json_t *pool = json_object_get(group, "pool");
	json_int_t size = number_of(group, "pool_size");
	char epoch[32], text[CELL_SIZE];
	struct table table;
	json_t *address;
	size_t i;

	duration_format((uint64_t)number_of(group, "epoch_s"), epoch, sizeof epoch);
	fprintf(a->out, "%s%s (id %lld): Epoch %s, %lld external addresses\n",
		a->rows++ ? "\n" : "", text_of(group, "name"), (long long)number_of(group, "id"),
		epoch, (long long)size);
	if (json_is_true(json_object_get(group, "pcp")))
		fprintf(a->out, "  PCP on %s port %lld\n", cell_format(group, &listen, text),
			(long long)number_of(group, "pcp_port"));
	else
		fputs("  PCP is off\n", a->out);
	print_results(a, json_object_get(group, "pcp_results"));
	json_array_foreach(pool, i, address)
	{
		complete_address(address);
	}
	table_init(&table, pool_columns, ARRAY_SIZE(pool_columns), a->colour);
	table_print(&table, pool, a->out);
	if ((json_int_t)json_array_size(pool) < size)
		fprintf(a->out, "... and %lld more\n",
			(long long)size - (long long)json_array_size(pool));
}

// ---- all -------------------------------------------------------------------------------------

void answers_init(struct answers *a, const struct words *w, bool colour, FILE *out, FILE *err)
{
	*a = (struct answers){.subject = w->subject,
		.json = w->json,
		.colour = colour,
		.file = w->file,
		.out = out,
		.err = err};
	if (w->subject < ARRAY_SIZE(tables) && tables[w->subject].columns)
		table_init(&a->table, tables[w->subject].columns, tables[w->subject].n, colour);
}

static void print_line(FILE *out, const json_t *value)
{
	json_dumpf(value, out, JSON_COMPACT);
	fputc('\n', out);
}

static void print_row(struct answers *a, json_t *row)
{
	if (a->json)
		print_line(a->out, row);
	else if (a->subject == SUBJECT_VERSION)
		fprintf(a->out, "%s %s\n", text_of(row, "program"), text_of(row, "version"));
	else if (a->subject == SUBJECT_STATUS)
		print_status(a, row);
	else if (a->subject == SUBJECT_GROUPS)
		print_group(a, row);
	else if (a->subject == SUBJECT_PORTS)
		complete_port(row);
	else if (a->subject == SUBJECT_WORKERS)
		complete_worker(row);
}

void answers_rows(struct answers *a, const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		print_row(a, row);
	}
	if (a->json || !a->table.n || json_array_size(rows) == 0)
		return;
	table_print(&a->table, rows, a->out);
	a->rows += json_array_size(rows);
	if (a->subject == SUBJECT_PORTS)
		print_interfaces(a, rows);
}

static void print_complaints(FILE *out, const json_t *complaints)
{
	const json_t *one;
	size_t i;

	json_array_foreach(complaints, i, one)
	{
		fprintf(out, "%s\n", text_of(one, "text"));
	}
}

static void print_check(struct answers *a, const json_t *done)
{
	if (json_is_true(json_object_get(done, "live"))) {
		fprintf(a->out, "%s: correct; every change in it can be applied live\n", a->file);
		return;
	}
	fprintf(a->out, "%s: correct, but these leaves need a restart of posternd:\n", a->file);
	print_complaints(a->out, json_object_get(done, "restart"));
}

void answers_done(struct answers *a, const json_t *done)
{
	bool result = a->subject >= SUBJECT_DELETE;

	if (a->json && result)
		print_line(a->out, done);
	else if (a->json)
		return;
	else if (a->subject == SUBJECT_DELETE)
		fputs("deleted\n", a->out);
	else if (a->subject == SUBJECT_CLEAR)
		fputs("cleared\n", a->out);
	else if (a->subject == SUBJECT_CHECK)
		print_check(a, done);
	else if (a->subject == SUBJECT_APPLY)
		fprintf(a->out, "generation %lld is in force on all %lld workers\n",
			(long long)number_of(done, "generation"),
			(long long)number_of(done, "workers"));
	else if (a->subject == SUBJECT_CONFIG)
		fputs(text_of(done, "text"), a->out);
	else if (a->table.n && a->rows == 0)
		fputs("(none)\n", a->out);
}

void answers_error(struct answers *a, const json_t *error)
{
	if (a->json) {
		fputs("{\"error\":", a->out);
		json_dumpf(error, a->out, JSON_COMPACT);
		fputs("}\n", a->out);
		return;
	}
	print_complaints(a->err, json_object_get(error, "complaints"));
	fprintf(a->err, "posternctl: %s\n", text_of(error, "message"));
}
