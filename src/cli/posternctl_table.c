// SPDX-License-Identifier: Apache-2.0
// Columns for people. The last column is never padded; a column that grows on a later page moves
// what stands to its right, which is the price of not holding sixteen million rows.
#include "posternctl.h"

#include <inttypes.h>

#define BOLD "\033[1m"
#define PLAIN "\033[0m"

static const struct {
	const char *word, *colour;
} colours[] = {
	{"dynamic-explicit", "\033[32m"},
	{"peer", "\033[32m"},
	{"static", "\033[36m"},
	{"resting", "\033[2m"},
	{"up", "\033[32m"},
	{"down", "\033[31m"},
	{"running", "\033[32m"},
	{"stopped", "\033[31m"},
	{"stale", "\033[33m"},
};

char *duration_format(uint64_t seconds, char *out, size_t size)
{
	if (seconds >= 86400)
		snprintf(out, size, "%" PRIu64 "d%02uh", seconds / 86400,
			(unsigned)(seconds / 3600 % 24));
	else if (seconds >= 3600)
		snprintf(out, size, "%uh%02um", (unsigned)(seconds / 3600),
			(unsigned)(seconds / 60 % 60));
	else if (seconds >= 60)
		snprintf(out, size, "%um%02us", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
	else
		snprintf(out, size, "%us", (unsigned)seconds);
	return out;
}

static void octets_format(json_int_t n, char *out, size_t size)
{
	static const char units[] = "KMGTPE";
	double value = (double)n;
	int unit = -1;

	while (value >= 1024 && unit + 1 < (int)sizeof units - 1) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, size, "%lld", (long long)n);
	else
		snprintf(out, size, "%.1f %ciB", value, units[unit]);
}

// "io.naps": the member naps of the object io.
static const json_t *find_value(const json_t *row, const char *key)
{
	const char *dot = strchr(key, '.');

	if (!dot)
		return json_object_get(row, key);
	char outer[32];
	snprintf(outer, sizeof outer, "%.*s", (int)(dot - key), key);
	return json_object_get(json_object_get(row, outer), dot + 1);
}

static void plain_format(const json_t *value, char *out, size_t size)
{
	if (json_is_string(value)) // what the daemon sends is data
		text_escape(json_string_value(value), json_string_length(value), out, size);
	else if (json_is_integer(value))
		snprintf(out, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
	else
		snprintf(out, size, "-");
}

static void list_format(const json_t *value, char *out, size_t size)
{
	size_t used = 0;

	snprintf(out, size, "-");
	for (size_t i = 0; i < json_array_size(value) && used + 1 < size; i++) {
		if (i)
			out[used++] = ' ';
		plain_format(json_array_get(value, i), out + used, size - used);
		used += strlen(out + used);
	}
}

static void endpoint_format(const json_t *row, const struct column *column, char *out, size_t size)
{
	const json_t *port = find_value(row, column->port);
	size_t used;

	plain_format(find_value(row, column->key), out, size);
	used = strlen(out);
	if (port)
		snprintf(out + used, size - used, ":%lld", (long long)json_integer_value(port));
}

char *cell_format(const json_t *row, const struct column *column, char out[CELL_SIZE])
{
	const json_t *value = find_value(row, column->key);

	switch (column->kind) {
	case CELL_DURATION:
		if (json_is_integer(value))
			duration_format((uint64_t)json_integer_value(value), out, CELL_SIZE);
		else
			snprintf(out, CELL_SIZE, "-");
		break;
	case CELL_OCTETS:
		octets_format(json_integer_value(value), out, CELL_SIZE);
		break;
	case CELL_ENDPOINT:
		endpoint_format(row, column, out, CELL_SIZE);
		break;
	case CELL_LIST:
		list_format(value, out, CELL_SIZE);
		break;
	case CELL_TEXT:
	case CELL_NUMBER:
	case CELL_YES:
		plain_format(value, out, CELL_SIZE);
		break;
	}
	return out;
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static bool is_right(const struct column *column)
{
	return column->kind == CELL_NUMBER || column->kind == CELL_DURATION ||
	       column->kind == CELL_OCTETS;
}

void table_init(struct table *t, struct columns columns, bool colour)
{
	*t = (struct table){.columns = columns.list, .n = columns.n, .colour = colour};
	for (unsigned i = 0; i < columns.n; i++)
		t->widths[i] = strlen(columns.list[i].title);
}

static void print_cell(
	const struct table *t, unsigned i, const char *text, const char *colour, FILE *out)
{
	size_t width = width_of(text);
	int pad = width < t->widths[i] ? (int)(t->widths[i] - width) : 0;
	bool right = is_right(&t->columns[i]);

	if (i)
		fputs("  ", out);
	fprintf(out, "%*s", right ? pad : 0, "");
	if (t->colour && colour)
		fprintf(out, "%s%s" PLAIN, colour, text);
	else
		fputs(text, out);
	if (i + 1 < t->n)
		fprintf(out, "%*s", right ? 0 : pad, "");
}

static const char *colour_of(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(colours); i++) {
		if (strcmp(text, colours[i].word) == 0)
			return colours[i].colour;
	}
	return NULL;
}

static void print_titles(struct table *t, FILE *out)
{
	for (unsigned i = 0; i < t->n; i++)
		print_cell(t, i, t->columns[i].title, BOLD, out);
	fputc('\n', out);
	t->headed = true;
}

void table_print(struct table *t, const json_t *rows, FILE *out)
{
	char text[CELL_SIZE];
	const json_t *row;
	size_t k;

	json_array_foreach(rows, k, row)
	{
		for (unsigned i = 0; i < t->n; i++) {
			size_t width = width_of(cell_format(row, &t->columns[i], text));
			t->widths[i] = width > t->widths[i] ? width : t->widths[i];
		}
	}
	if (!t->headed)
		print_titles(t, out);
	json_array_foreach(rows, k, row)
	{
		for (unsigned i = 0; i < t->n; i++) {
			cell_format(row, &t->columns[i], text);
			print_cell(t, i, text, colour_of(text), out);
		}
		fputc('\n', out);
	}
}
