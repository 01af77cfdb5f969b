// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "draft.h"
#include "leaf.h"

enum {
	FIELDS_MOST = 48,
	WORDS_MOST = 32,     // of one list
	PREFIXES_MOST = 1024 // likewise
};

void *draft_alloc(struct draft *d, size_t n, size_t size)
{
	void *mem = arena_alloc(&d->arena, n * size);

	if (!mem)
		d->critic.no_memory = true;
	return mem;
}

static size_t collect_names(
	const struct field *fields, size_t n_fields, const char *names[FIELDS_MOST])
{
	assert(n_fields <= FIELDS_MOST);
	for (size_t i = 0; i < n_fields; i++)
		names[i] = fields[i].name;
	return n_fields;
}

static void complain_unknown(
	struct draft *d, const struct node *at, const struct field *fields, size_t n_fields)
{
	const char *names[FIELDS_MOST];
	size_t n = collect_names(fields, n_fields, names), i = nearest_name(at->name, names, n);
	char all[160];

	if (i < n) {
		complain_name(&d->critic, at, "a known name, perhaps '%s'", names[i]);
		return;
	}
	join_names(all, sizeof all, names, n);
	complain_name(&d->critic, at, "one of %s", all);
}

static size_t find_field(const struct field *fields, size_t n_fields, const char *name)
{
	size_t i = 0;

	while (i < n_fields && strcmp(fields[i].name, name))
		i++;
	return i;
}

void fields_read(struct draft *d, const struct node *map, const struct field *fields,
	size_t n_fields, void *into)
{
	uint32_t first_line[FIELDS_MOST] = {0};

	if (map->kind != NODE_MAP) {
		if (map->kind != NODE_NULL)
			complain(&d->critic, map, "a mapping");
		return;
	}
	for (const struct node *at = map->first; at; at = at->next) {
		size_t i = find_field(fields, n_fields, at->name);
		if (i == n_fields) {
			complain_unknown(d, at, fields, n_fields);
		} else if (first_line[i]) {
			complain_name(&d->critic, at, "the name once: it stands in line %u already",
				first_line[i]);
		} else {
			first_line[i] = at->name_line;
			fields[i].read(d, at, &fields[i], (uint8_t *)into + fields[i].offset);
		}
	}
}

const char *field_text(struct draft *d, const struct node *at, const char *wanted)
{
	if (at->kind == NODE_SCALAR)
		return at->text;
	complain(&d->critic, at, "%s", wanted);
	return NULL;
}

size_t field_word(struct draft *d, const struct node *at, const char *const *words, size_t n)
{
	char all[150];

	if (at->kind == NODE_SCALAR) {
		for (size_t i = 0; i < n; i++) {
			if (!strcmp(at->text, words[i]))
				return i;
		}
	}
	join_names(all, sizeof all, words, n);
	complain(&d->critic, at, "one of %s", all);
	return n;
}

uint32_t field_words(struct draft *d, const struct node *at, const char *const *words, size_t n,
	const char *wanted)
{
	uint32_t set = 0;

	if (!field_list(d, at, WORDS_MOST, wanted))
		return 0;
	for (const struct node *item = at->first; item; item = item->next) {
		size_t i = field_word(d, item, words, n);
		if (i < n && (set & UINT32_C(1) << i))
			complain(&d->critic, item, "each word once");
		else if (i < n)
			set |= UINT32_C(1) << i;
	}
	return set;
}

static bool read_prefix(struct draft *d, const struct node *at, struct said_prefix *s)
{
	struct prefix4 loose;
	char text[PREFIX4_TEXT];
	ip4 host;

	s->at = at;
	if (at->kind == NODE_SCALAR && prefix4_parse(at->text, &s->prefix, NULL))
		return true;
	if (at->kind == NODE_SCALAR && prefix4_parse(at->text, &loose, &host))
		complain(&d->critic, at, "no bits behind the prefix: %s",
			prefix4_format(loose, text));
	else
		complain(&d->critic, at, "a prefix such as 100.64.0.0/10");
	return false;
}

uint32_t field_prefixes(struct draft *d, const struct node *at, struct said_prefix **out)
{
	struct said_prefix *list;
	uint32_t n = 0;

	if (!field_list(d, at, PREFIXES_MOST, "a list of prefixes such as [100.64.0.0/10]"))
		return 0;
	*out = list = draft_alloc(d, at->n, sizeof *list);
	for (const struct node *item = at->first; item && list; item = item->next)
		n += read_prefix(d, item, &list[n]);
	return n;
}

bool field_list(struct draft *d, const struct node *at, uint32_t most, const char *wanted)
{
	if (at->kind == NODE_NULL)
		return true; // no children
	if (at->kind != NODE_LIST) {
		complain(&d->critic, at, "%s", wanted);
		return false;
	}
	if (at->n > most) {
		char found[32];
		snprintf(found, sizeof found, "%u items", at->n);
		complain_found(&d->critic, at, found, "at most %u", most);
		return false;
	}
	return true;
}

bool field_ports(
	struct draft *d, const struct node *at, const char *wanted, uint16_t *first, uint16_t *last)
{
	static const struct field port = {"", NULL, 0, 1, UINT16_MAX};
	uint32_t edge[2] = {0, 0};

	if (at->kind != NODE_LIST || at->n != 2) {
		complain(&d->critic, at, "%s", wanted);
		return false;
	}
	read_u32_count(d, at->first, &port, &edge[0]);
	read_u32_count(d, at->last, &port, &edge[1]);
	if (edge[0] == 0 || edge[1] == 0)
		return false;
	if (edge[0] > edge[1]) {
		complain_found(&d->critic, at, "a first port behind the last", "%s", wanted);
		return false;
	}
	*first = (uint16_t)edge[0];
	*last = (uint16_t)edge[1];
	return true;
}

void field_path(struct draft *d, const struct node *at, char *out, size_t size)
{
	size_t len = at->kind == NODE_SCALAR ? strlen(at->text) : 0;

	if (len >= 2 && at->text[0] == '/' && len < size)
		memcpy(out, at->text, len + 1);
	else
		complain(&d->critic, at, "an absolute path of at most %zu octets", size - 1);
}

static bool read_count(struct draft *d, const struct node *at, const struct field *f, uint64_t *out)
{
	if (at->kind == NODE_SCALAR && leaf_count(at->text, out) && *out >= f->min &&
		*out <= f->max)
		return true;
	complain(&d->critic, at, "a number from %u to %u%s", f->min, f->max,
		f->max < 1000000 ? "" : ", such as 5000, 64k or 1M");
	return false;
}

void read_u32_count(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint64_t n;

	if (read_count(d, at, f, &n))
		*(uint32_t *)out = (uint32_t)n;
}

void read_u16_count(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint64_t n;

	if (read_count(d, at, f, &n))
		*(uint16_t *)out = (uint16_t)n;
}

void read_u8_count(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint64_t n;

	if (read_count(d, at, f, &n))
		*(uint8_t *)out = (uint8_t)n;
}

static bool read_seconds(
	struct draft *d, const struct node *at, const struct field *f, uint64_t *out)
{
	char min[SECONDS_TEXT], max[SECONDS_TEXT];

	if (at->kind == NODE_SCALAR && leaf_seconds(at->text, out) && *out >= f->min &&
		*out <= f->max)
		return true;
	complain(&d->critic, at, "a time from %s to %s (units: s, m, h, d)",
		seconds_format(f->min, min), seconds_format(f->max, max));
	return false;
}

void read_u32_seconds(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint64_t n;

	if (read_seconds(d, at, f, &n))
		*(uint32_t *)out = (uint32_t)n;
}

void read_u16_seconds(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint64_t n;

	if (read_seconds(d, at, f, &n))
		*(uint16_t *)out = (uint16_t)n;
}

void read_bool(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"false", "true"};
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	if (i < ARRAY_SIZE(words))
		*(bool *)out = i == 1;
}

void read_node(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)d;
	(void)f;
	*(const struct node **)out = at;
}
