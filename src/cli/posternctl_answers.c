// SPDX-License-Identifier: Apache-2.0
// What people see: a table for whatever has many rows, lines "name: value" for the rest. With
// --json every row, or the one result, is a line of JSON as the daemon sent it.
#include "posternctl.h"

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
	for (size_t i = 0; i < columns_of_status.n; i++) {
		const struct column *column = &columns_of_status.list[i];
		snprintf(title, sizeof title, "%s:", column->title);
		fprintf(a->out, "%-20s%s\n", title, cell_format(row, column, text));
	}
	print_epochs(a, json_object_get(row, "epoch_s"));
}

// ---- ports ----------------------------------------------------------------------------------

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
	table_init(&table, columns_of_interfaces, a->colour);
	fputc('\n', a->out);
	table_print(&table, all, a->out);
	json_decref(all);
}

// The links that ports of several are made of; nothing where there are none.
static void print_members(struct answers *a, const json_t *ports)
{
	json_t *all = json_array(), *port, *member;
	struct table table;
	size_t i, k;

	json_array_foreach(ports, i, port)
	{
		json_array_foreach(json_object_get(port, "members"), k, member)
		{
			const char *device = text_of(member, "device"); // and its arguments
			json_object_set_new(
				member, "name", json_stringn(device, strcspn(device, ",")));
			json_object_set(member, "port", json_object_get(port, "name"));
			json_object_set(
				member, "aggregation", json_object_get(port, "aggregation"));
			json_array_append(all, member);
		}
	}
	table_init(&table, columns_of_members, a->colour);
	if (json_array_size(all)) {
		fputc('\n', a->out);
		table_print(&table, all, a->out);
	}
	json_decref(all);
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
	table_init(&table, columns_of_pool, a->colour);
	table_print(&table, pool, a->out);
	if ((json_int_t)json_array_size(pool) < size)
		fprintf(a->out, "... and %lld more\n",
			(long long)size - (long long)json_array_size(pool));
}

// ---- who had a port --------------------------------------------------------------------------

static void print_tenant(struct answers *a, const json_t *block, const char *words)
{
	const json_t *until = json_object_get(block, "until");

	if (!block)
		return;
	fprintf(a->out, "  its block: %s %s since %s", words, text_of(block, "subscriber"),
		text_of(block, "since"));
	if (until)
		fprintf(a->out, " until %s", json_string_value(until));
	fputc('\n', a->out);
}

static void print_trace(struct answers *a, const json_t *row)
{
	const char *holder = text_of(row, "holder"), *note = text_of(row, "note");

	fprintf(a->out, "%s:%lld at %s: ", text_of(row, "external_address"),
		(long long)number_of(row, "external_port"), text_of(row, "at"));
	if (strcmp(holder, "subscriber") == 0)
		fprintf(a->out, "%s%s (inside port %s, by its %s)\n", text_of(row, "subscriber"),
			json_is_false(json_object_get(row, "certain")) ? ", to a second" : "",
			text_of(row, "realm"), text_of(row, "by"));
	else if (strcmp(holder, "nobody") == 0)
		fputs("nobody\n", a->out);
	else
		fputs("not known any more: ask the NAT log\n", a->out);
	if (strcmp(note, "?") != 0)
		fprintf(a->out, "  %s\n", note);
	print_tenant(a, json_object_get(row, "block"), "held by");
	print_tenant(a, json_object_get(row, "block_before"), "before that by");
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
	table_init(&a->table, columns_of(w->subject, w->detail), colour);
}

static void print_line(FILE *out, const json_t *value)
{
	json_dumpf(value, out, JSON_COMPACT | JSON_ENSURE_ASCII); // a terminal obeys C1, too
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
	else if (a->subject == SUBJECT_TRACE)
		print_trace(a, row);
	else
		row_complete(a->subject, row);
}

static void print_table(struct answers *a, const json_t *rows)
{
	table_print(&a->table, rows, a->out);
	a->rows += json_array_size(rows);
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
	if (a->subject == SUBJECT_PCP) {
		json_t *counters = rows_of_pcp(rows);
		if (json_array_size(counters))
			print_table(a, counters);
		json_decref(counters);
		return;
	}
	print_table(a, rows);
	if (a->subject != SUBJECT_PORTS)
		return;
	print_interfaces(a, rows);
	print_members(a, rows);
}

static void print_complaints(FILE *out, const json_t *complaints)
{
	const json_t *one;
	size_t i;

	json_array_foreach(complaints, i, one)
	{
		text_print(text_of(one, "text"), out);
		fputc('\n', out);
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

static void print_endpoint(FILE *out, const json_t *row, const char *address, const char *port)
{
	struct column column = {"", CELL_ENDPOINT, address, port};
	char text[CELL_SIZE];

	fputs(cell_format(row, &column, text), out);
}

static void print_addition(struct answers *a, const json_t *row)
{
	const json_t *left = json_object_get(row, "lifetime_left_s");
	char text[32];

	fprintf(a->out, "%s ", text_of(row, "protocol"));
	print_endpoint(a->out, row, "internal_address", "internal_port");
	fputs(" is ", a->out);
	print_endpoint(a->out, row, "external_address", "external_port");
	if (left)
		fprintf(a->out, " outside, for %s\n",
			duration_format((uint64_t)json_integer_value(left), text, sizeof text));
	else
		fputs(" outside, until posternd ends\n", a->out);
}

static void print_deed(struct answers *a, const json_t *done)
{
	switch (a->subject) {
	case SUBJECT_ADD:
	case SUBJECT_ADD_STATIC:
		print_addition(a, done);
		break;
	case SUBJECT_DELETE:
		fputs("deleted\n", a->out);
		break;
	case SUBJECT_CLEAR:
		fputs("cleared\n", a->out);
		break;
	case SUBJECT_CLEAR_GROUP:
		fputs("cleared; the group's Epoch starts again, and its clients are told\n",
			a->out);
		break;
	case SUBJECT_RESET_EPOCH:
		fputs("the group's Epoch starts again, and its clients are told\n", a->out);
		break;
	case SUBJECT_CHECK:
		print_check(a, done);
		break;
	case SUBJECT_APPLY:
		fprintf(a->out, "generation %lld is in force on all %lld workers\n",
			(long long)number_of(done, "generation"),
			(long long)number_of(done, "workers"));
		break;
	default: // the configuration
		fputs(text_of(done, "text"), a->out);
	}
}

void answers_done(struct answers *a, const json_t *done)
{
	if (a->json && a->subject >= SUBJECT_ADD)
		print_line(a->out, done);
	else if (a->subject >= SUBJECT_ADD)
		print_deed(a, done);
	else if (!a->json && a->table.n && a->rows == 0)
		fputs("(none)\n", a->out);
}

void answers_error(struct answers *a, const json_t *error)
{
	if (a->json) {
		fputs("{\"error\":", a->out);
		json_dumpf(error, a->out, JSON_COMPACT | JSON_ENSURE_ASCII);
		fputs("}\n", a->out);
		return;
	}
	print_complaints(a->err, json_object_get(error, "complaints"));
	fputs("posternctl: ", a->err);
	text_print(text_of(error, "message"), a->err);
	fputc('\n', a->err);
}
