// SPDX-License-Identifier: Apache-2.0
// libyaml's document, member by member. What YAML offers beyond plain mappings, lists and scalars
// has no meaning in this file: tags are refused, and an alias reads as what it stands for.
#include "pcpcd_yaml.h"

#include "pcpc.h"

#include <stdarg.h>
#include <stdio.h>

#define MOST_FIELDS 16
#define MOST_LEVELS 10 // of lists and mappings in each other; the file's own are five
#define MOST_ANCHORS 1000

// ---- complaints ------------------------------------------------------------------------------

// The file is its owner's, but its octets end on a terminal.
static void tidy(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

__attribute__((format(printf, 5, 0))) static void add(struct pcpcd_complaints *all, yaml_mark_t at,
	const char *path, const char *found, const char *wanted, va_list arguments)
{
	struct pcpcd_complaint *one = &all->list[all->n];
	char right[220];

	if (all->n == PCPCD_MAX_COMPLAINTS) {
		all->more++;
		return;
	}
	all->n++;
	vsnprintf(right, sizeof right, wanted, arguments);
	one->line = (uint32_t)at.line + 1;
	one->column = (uint32_t)at.column + 1;
	snprintf(one->text, sizeof one->text, "%s%sfound %.60s%s, expected %s", path,
		*path ? ": " : "", found, strlen(found) > 60 ? ".." : "", right);
	tidy(one->text);
}

static void describe(const yaml_node_t *at, char *out, size_t size)
{
	const char *text = (const char *)at->data.scalar.value;

	if (at->type == YAML_SEQUENCE_NODE)
		snprintf(out, size, "a list");
	else if (at->type == YAML_MAPPING_NODE)
		snprintf(out, size, "a mapping");
	else if (*text == '\0')
		snprintf(out, size, "nothing");
	else
		snprintf(out, size, "'%.50s%s'", text, strlen(text) > 50 ? ".." : "");
}

void yaml_complain(struct yaml_reader *r, const struct place *at, const char *wanted, ...)
{
	char found[64];
	va_list arguments;

	describe(at->at, found, sizeof found);
	va_start(arguments, wanted);
	add(r->complaints, at->at->start_mark, at->path, found, wanted, arguments);
	va_end(arguments);
}

void yaml_complain_found(
	struct yaml_reader *r, const struct place *at, const char *found, const char *wanted, ...)
{
	va_list arguments;

	va_start(arguments, wanted);
	add(r->complaints, at->at->start_mark, at->path, found, wanted, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 4, 5))) static void complain_at(
	struct pcpcd_complaints *all, yaml_mark_t at, const char *found, const char *wanted, ...)
{
	va_list arguments;

	va_start(arguments, wanted);
	add(all, at, "", found, wanted, arguments);
	va_end(arguments);
}

void pcpcd_complaint_format(const struct pcpcd_complaints *all, unsigned i, char *out, size_t size)
{
	const struct pcpcd_complaint *one = &all->list[i];

	if (one->line > 0)
		snprintf(out, size, "%s:%u:%u: %s", all->file, one->line, one->column, one->text);
	else
		snprintf(out, size, "%s: %s", all->file, one->text);
}

// ---- scalars ---------------------------------------------------------------------------------

static bool is_plain(struct yaml_reader *r, const struct place *at)
{
	static const char *const tags[] = {
		[YAML_SCALAR_NODE] = YAML_STR_TAG,
		[YAML_SEQUENCE_NODE] = YAML_SEQ_TAG,
		[YAML_MAPPING_NODE] = YAML_MAP_TAG,
	};

	if (strcmp((const char *)at->at->tag, tags[at->at->type]) == 0)
		return true;
	yaml_complain_found(r, at, "a tag (!)", "a plain value: tags are not used");
	return false;
}

const char *yaml_text(struct yaml_reader *r, const struct place *at, const char *wanted)
{
	const char *text = (const char *)at->at->data.scalar.value;

	if (!is_plain(r, at))
		return NULL;
	if (at->at->type == YAML_SCALAR_NODE && *text != '\0' &&
		strlen(text) == at->at->data.scalar.length)
		return text;
	yaml_complain(r, at, "%s", wanted);
	return NULL;
}

void yaml_read_bool(struct yaml_reader *r, const struct place *at, bool *out)
{
	const char *text = yaml_text(r, at, "true or false");

	if (!text)
		return;
	*out = strcmp(text, "true") == 0;
	if (!*out && strcmp(text, "false") != 0)
		yaml_complain(r, at, "true or false");
}

void yaml_read_port(struct yaml_reader *r, const struct place *at, uint16_t *out)
{
	static const char wanted[] = "a port from 1 to 65535";
	const char *text = yaml_text(r, at, wanted);
	uint32_t port;

	if (text && pcpc_parse_number(text, UINT16_MAX, &port) && port > 0)
		*out = (uint16_t)port;
	else if (text)
		yaml_complain(r, at, "%s", wanted);
}

void yaml_read_path(struct yaml_reader *r, const struct place *at, char *out, size_t size)
{
	const char *text = yaml_text(r, at, "an absolute path");

	if (text && text[0] == '/' && text[1] != '\0' && strlen(text) < size)
		memcpy(out, text, strlen(text) + 1);
	else if (text)
		yaml_complain(r, at, "an absolute path of at most %zu octets", size - 1);
}

void yaml_read_text(struct yaml_reader *r, const struct place *at, char *out, size_t size)
{
	const char *text = yaml_text(r, at, "a text");

	if (!text)
		return;
	if (strlen(text) < size && pcp_text_is_utf8((const uint8_t *)text, strlen(text)))
		memcpy(out, text, strlen(text) + 1);
	else
		yaml_complain(r, at, "a text of at most %zu octets", size - 1);
}

// ---- lists and mappings ----------------------------------------------------------------------

size_t yaml_list_length(
	struct yaml_reader *r, const struct place *at, size_t most, const char *wanted)
{
	const yaml_node_t *list = at->at;
	size_t n;

	if (!is_plain(r, at))
		return 0;
	if (list->type != YAML_SEQUENCE_NODE) {
		yaml_complain(r, at, "%s", wanted);
		return 0;
	}
	n = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
	if (n > most) {
		yaml_complain_found(r, at, "a longer list", "at most %zu items", most);
		return 0;
	}
	return n;
}

struct place yaml_item(struct yaml_reader *r, const struct place *list, size_t i)
{
	struct place item;

	item.at = yaml_document_get_node(r->document, list->at->data.sequence.items.start[i]);
	if (snprintf(item.path, sizeof item.path, "%s[%zu]", list->path, i) >=
		(int)sizeof item.path)
		item.path[0] = '\0'; // line and column tell the place all the same
	return item;
}

uint32_t yaml_line(const struct place *at)
{
	return (uint32_t)at->at->start_mark.line + 1;
}

static struct place member(const struct place *map, const yaml_node_t *at, const char *name)
{
	struct place p = {.at = at};

	if (snprintf(p.path, sizeof p.path, "%s%s%s", map->path, *map->path ? "." : "", name) >=
		(int)sizeof p.path)
		p.path[0] = '\0';
	return p;
}

static void complain_unknown(
	struct yaml_reader *r, const struct place *key, const struct yaml_field *fields, size_t n)
{
	char all[200] = "";

	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(all);

		snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", fields[i].name);
	}
	yaml_complain(r, key, "one of %s", all);
}

static void read_member(struct yaml_reader *r, const struct place *map, const struct place *key,
	const yaml_node_t *value, const struct yaml_field *fields, size_t n, void *into,
	uint32_t lines[MOST_FIELDS])
{
	const char *name = yaml_text(r, key, "a plain name");
	struct place at;
	size_t i = 0;

	if (!name)
		return;
	while (i < n && strcmp(fields[i].name, name) != 0)
		i++;
	if (i == n) {
		complain_unknown(r, key, fields, n);
	} else if (lines[i] > 0) {
		yaml_complain(r, key, "the name once: it stands in line %u already", lines[i]);
	} else {
		lines[i] = yaml_line(key);
		at = member(map, value, name);
		fields[i].read(r, &at, into);
	}
}

bool yaml_read_map(struct yaml_reader *r, const struct place *map, const struct yaml_field *fields,
	size_t n, void *into)
{
	uint32_t lines[MOST_FIELDS] = {0};

	assert(n <= MOST_FIELDS);
	if (!is_plain(r, map))
		return false;
	if (map->at->type != YAML_MAPPING_NODE) {
		yaml_complain(r, map, "a mapping (name: value)");
		return false;
	}
	for (const yaml_node_pair_t *pair = map->at->data.mapping.pairs.start;
		pair < map->at->data.mapping.pairs.top; pair++) {
		struct place key = {.at = yaml_document_get_node(r->document, pair->key)};

		memcpy(key.path, map->path, sizeof key.path);
		read_member(r, map, &key, yaml_document_get_node(r->document, pair->value), fields,
			n, into, lines);
	}
	return true;
}

// ---- documents -------------------------------------------------------------------------------

// libyaml tells only the octet where it finds no text.
static yaml_mark_t find_octet(const yaml_parser_t *parser)
{
	const unsigned char *at = parser->input.string.start;
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < parser->problem_offset && at + i < parser->input.string.end; i++) {
		mark.column++;
		if (at[i] == '\n')
			mark = (yaml_mark_t){.line = mark.line + 1};
	}
	return mark;
}

static void complain_parser(struct pcpcd_complaints *complaints, const yaml_parser_t *parser)
{
	bool is_text = parser->error != YAML_READER_ERROR;
	char found[100];

	snprintf(found, sizeof found, "no YAML: %s",
		parser->problem ? parser->problem : "no memory, perhaps");
	complain_at(complaints, is_text ? parser->problem_mark : find_octet(parser), found,
		"well-formed YAML%s%s", is_text && parser->context ? " " : "",
		is_text && parser->context ? parser->context : "");
}

static void check_end(yaml_parser_t *parser, struct pcpcd_complaints *complaints)
{
	yaml_document_t next;

	if (!yaml_parser_load(parser, &next)) {
		complain_parser(complaints, parser);
		return;
	}
	if (yaml_document_get_root_node(&next))
		complain_at(complaints, next.start_mark, "a second document", "one document");
	yaml_document_delete(&next);
}

static void read_root(yaml_parser_t *parser, struct pcpcd_complaints *complaints,
	yaml_field_reader *read, void *into)
{
	yaml_document_t document;
	struct yaml_reader r = {.document = &document, .complaints = complaints};
	struct place root = {.path = ""};

	if (!yaml_parser_load(parser, &document)) {
		complain_parser(complaints, parser);
		return;
	}
	root.at = yaml_document_get_root_node(&document);
	if (root.at)
		read(&r, &root, into);
	else
		complain_at(complaints, (yaml_mark_t){0}, "an empty file",
			"a list of ports: see pcpcd(8)");
	if (root.at)
		check_end(parser, complaints);
	yaml_document_delete(&document);
}

static bool begin(yaml_parser_t *parser, const char *text, size_t length)
{
	if (!yaml_parser_initialize(parser))
		return false;
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)text, length);
	return true;
}

struct bulk {
	unsigned level, n_anchors;
	bool too_much;
};

static void weigh(struct bulk *b, const yaml_event_t *event, struct pcpcd_complaints *complaints)
{
	const unsigned char *anchor = NULL;

	if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
		b->level--;
	if (event->type == YAML_SCALAR_EVENT)
		anchor = event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		anchor = event->data.sequence_start.anchor;
	if (event->type == YAML_MAPPING_START_EVENT)
		anchor = event->data.mapping_start.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
		b->level++;
	b->n_anchors += anchor != NULL;
	b->too_much = b->level > MOST_LEVELS || b->n_anchors > MOST_ANCHORS;
	if (b->level > MOST_LEVELS)
		complain_at(complaints, event->start_mark, "lists and mappings in each other",
			"%d levels of them at most", MOST_LEVELS);
	else if (b->too_much)
		complain_at(complaints, event->start_mark, "one more anchor (&)",
			"%d of them at most", MOST_ANCHORS);
}

// The time that libyaml takes grows by the square of levels and of anchors, and meanwhile nothing
// is renewed. What is no YAML is for the second reading.
static bool is_bulky(const char *text, size_t length, struct pcpcd_complaints *complaints)
{
	struct bulk bulk = {0};
	yaml_parser_t parser;
	yaml_event_t event;
	bool is_over = !begin(&parser, text, length);

	if (is_over)
		return false;
	while (!is_over && !bulk.too_much && yaml_parser_parse(&parser, &event)) {
		weigh(&bulk, &event, complaints);
		is_over = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return bulk.too_much;
}

void yaml_read_document(const char *text, size_t length, struct pcpcd_complaints *complaints,
	yaml_field_reader *read, void *into)
{
	yaml_parser_t parser;

	if (is_bulky(text, length, complaints))
		return;
	if (!begin(&parser, text, length)) {
		complain_at(complaints, (yaml_mark_t){0}, "no memory", "more of it");
		return;
	}
	read_root(&parser, complaints, read, into);
	yaml_parser_delete(&parser);
}
