// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tree.h"

// The file is the operator's, but its octets end on a terminal: control characters do not.
static void tidy(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
	}
}

// After a cut: "..." at the end, and no half of a UTF-8 sequence before it.
static void mark_cut(char *out, size_t size)
{
	size_t at = size - 4;

	while (at > 0 && ((unsigned char)out[at] & 0xc0) == 0x80)
		at--;
	memcpy(out + at, "...", 4);
}

__attribute__((format(printf, 3, 0))) static void put_list(
	char *out, size_t size, const char *format, va_list arguments)
{
	int n = vsnprintf(out, size, format, arguments);

	if (n < 0)
		out[0] = 0;
	if (n >= (int)size)
		mark_cut(out, size);
	tidy(out);
}

__attribute__((format(printf, 3, 4))) static void put(
	char *out, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_list(out, size, format, arguments);
	va_end(arguments);
}

static void put_path(char *out, size_t size, const struct node *at)
{
	const struct node *way[TREE_DEPTH + 1];
	unsigned n = 0;
	size_t used = 0;

	out[0] = 0;
	for (; at && at->parent && n < ARRAY_SIZE(way); at = at->parent)
		way[n++] = at;
	while (n-- > 0 && used < size - 1) {
		if (way[n]->name)
			put(out + used, size - used, "%s%s", used ? "." : "", way[n]->name);
		else
			put(out + used, size - used, "[%u]", way[n]->position);
		used += strlen(out + used);
	}
}

static void put_found(char *out, size_t size, const struct node *at)
{
	static const char *const kinds[] = {[NODE_NULL] = "nothing",
		[NODE_LIST] = "a list",
		[NODE_MAP] = "a mapping",
		[NODE_BAD] = "something else"};

	if (at->kind == NODE_SCALAR)
		put(out, size, "'%s'", at->text);
	else if (at->kind == NODE_LIST && at->n == 0)
		put(out, size, "an empty list");
	else
		put(out, size, "%s", kinds[at->kind]);
}

const char *node_place(const struct node *at, char out[PLACE_TEXT])
{
	char path[PLACE_TEXT - 18];

	put_path(path, sizeof path, at);
	put(out, PLACE_TEXT, "%s (line %u)", path, node_line(at));
	return out;
}

static struct conf_complaint *complaint_add(struct critic *c)
{
	struct conf_complaints *all = c->out;

	if (c->n >= CRITIC_MOST) {
		c->suppressed++;
		return NULL;
	}
	if (all->n == all->room) {
		uint32_t room = all->room ? all->room * 2 : 8;
		struct conf_complaint *list = realloc(all->list, room * sizeof *list);
		if (!list) {
			c->no_memory = true;
			return NULL;
		}
		all->list = list;
		all->room = room;
	}
	c->n++;
	all->list[all->n] = (struct conf_complaint){.line = 0};
	return &all->list[all->n++];
}

static struct conf_complaint *complaint_about(struct critic *c, const struct node *at)
{
	struct conf_complaint *one;

	if (at->kind == NODE_BAD)
		return NULL;
	one = complaint_add(c);
	if (!one)
		return NULL;
	one->line = node_line(at);
	one->column = node_column(at);
	put_path(one->path, sizeof one->path, at);
	put_found(one->found, sizeof one->found, at);
	return one;
}

#define PUT_WANTED(one, wanted)                                                                    \
	do {                                                                                       \
		va_list arguments;                                                                 \
		va_start(arguments, wanted);                                                       \
		if (one)                                                                           \
			put_list(one->wanted, sizeof one->wanted, wanted, arguments);              \
		va_end(arguments);                                                                 \
	} while (0)

void complain(struct critic *c, const struct node *at, const char *wanted, ...)
{
	struct conf_complaint *one = complaint_about(c, at);

	PUT_WANTED(one, wanted);
}

void complain_found(
	struct critic *c, const struct node *at, const char *found, const char *wanted, ...)
{
	struct conf_complaint *one = complaint_about(c, at);

	if (one)
		put(one->found, sizeof one->found, "%s", found);
	PUT_WANTED(one, wanted);
}

void complain_value(
	struct critic *c, const struct node *at, const char *found, const char *wanted, ...)
{
	struct conf_complaint *one = complaint_about(c, at);

	if (one) {
		one->line = at->line;
		one->column = at->column;
		put(one->found, sizeof one->found, "%s", found);
	}
	PUT_WANTED(one, wanted);
}

void complain_name(struct critic *c, const struct node *at, const char *wanted, ...)
{
	struct conf_complaint *one = complaint_add(c);

	if (one) {
		one->line = at->name_line;
		one->column = at->name_column;
		put_path(one->path, sizeof one->path, at);
		put(one->found, sizeof one->found, "'%s'", at->name);
	}
	PUT_WANTED(one, wanted);
}

void complain_at(struct critic *c, uint32_t line, uint32_t column, const char *found,
	const char *wanted, ...)
{
	struct conf_complaint *one = complaint_add(c);

	if (one) {
		one->line = line;
		one->column = column;
		put(one->found, sizeof one->found, "%s", found);
	}
	PUT_WANTED(one, wanted);
}

void complain_path(struct critic *c, const struct node *root, const char *path, const char *found,
	const char *wanted, ...)
{
	struct conf_complaint *one = complaint_add(c);
	const struct node *at = root ? tree_find_near(root, path) : NULL;

	if (one) {
		one->line = at ? node_line(at) : 0;
		one->column = at ? node_column(at) : 0;
		put(one->path, sizeof one->path, "%s", path);
		put(one->found, sizeof one->found, "%s", found);
	}
	PUT_WANTED(one, wanted);
}

static int compare_complaints(const void *left, const void *right)
{
	const struct conf_complaint *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	int order = strcmp(a->path, b->path);
	return order ? order : strcmp(a->wanted, b->wanted);
}

void critic_finish(struct critic *c)
{
	struct conf_complaints *all = c->out;
	uint32_t more = c->suppressed;
	char found[40];

	if (c->n > 0)
		qsort(all->list + all->n - c->n, c->n, sizeof *all->list, compare_complaints);
	if (more == 0)
		return;
	snprintf(found, sizeof found, "%u more mistakes", more);
	c->n = 0; // room for one more
	complain_at(c, 0, 0, found, "those above mended first");
	c->n = CRITIC_MOST + 1;
}

// ---- public ----------------------------------------------------------------------------------

void conf_complaints_destroy(struct conf_complaints *complaints)
{
	free(complaints->list);
	*complaints = (struct conf_complaints){.file = complaints->file};
}

void conf_complaint_format(const struct conf_complaints *all, uint32_t i, char *out, size_t size)
{
	const struct conf_complaint *one = &all->list[i];
	char place[32] = "";

	if (size == 0)
		return;
	if (one->line)
		snprintf(place, sizeof place, ":%u:%u", one->line, one->column);
	snprintf(out, size, "%s%s: %s%sfound %s, expected %s", all->file ? all->file : "-", place,
		one->path, one->path[0] ? ": " : "", one->found, one->wanted);
}
