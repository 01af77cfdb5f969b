// SPDX-License-Identifier: Apache-2.0
// libyaml's events to our tree. What YAML offers beyond plain mappings, lists and scalars (anchors,
// tags, several documents, mappings as names) has no meaning in this file and is refused by name.
#include <yaml.h>

#include "tree.h"

struct builder {
	struct critic *critic;
	struct arena *arena;
	const char *source; // the text and its length, for the place of a decoding error
	size_t source_len;
	struct node *root, *open;
	const char *name; // a map's name that waits for its value
	uint32_t name_line, name_column;
	uint32_t depth, documents;
	bool done;
};

static uint32_t mark_line(yaml_mark_t m)
{
	return (uint32_t)m.line + 1;
}

static uint32_t mark_column(yaml_mark_t m)
{
	return (uint32_t)m.column + 1;
}

static void place_of(const char *text, size_t offset, uint32_t *line, uint32_t *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < offset; i++) {
		bool end = text[i] == '\n';
		*line += end;
		*column = end ? 1 : *column + 1;
	}
}

static char *copy_text(struct builder *b, const char *text, size_t len)
{
	char *copy = arena_alloc(b->arena, len + 1);

	if (copy)
		memcpy(copy, text, len);
	else
		b->critic->no_memory = true;
	return copy;
}

static struct node *node_add(struct builder *b, enum node_kind kind, yaml_mark_t mark)
{
	struct node *n = arena_alloc(b->arena, sizeof *n), *parent = b->open;

	if (!n) {
		b->critic->no_memory = true;
		return NULL;
	}
	*n = (struct node){.kind = kind,
		.line = mark_line(mark),
		.column = mark_column(mark),
		.name = b->name,
		.name_line = b->name_line,
		.name_column = b->name_column,
		.parent = parent};
	b->name = NULL;
	if (!parent) {
		b->root = n;
		return n;
	}
	n->position = parent->n++;
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	return n;
}

static bool name_is_due(const struct builder *b)
{
	return b->open && b->open->kind == NODE_MAP && !b->name;
}

static bool refuse(struct builder *b, yaml_mark_t mark, const char *found, const char *wanted)
{
	complain_at(b->critic, mark_line(mark), mark_column(mark), found, "%s", wanted);
	return false;
}

// Anchors and tags cost a complaint, but what they stand on is read on.
static void refuse_ornaments(
	struct builder *b, const struct node *at, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		complain_value(b->critic, at, "an anchor (&)",
			"a plain value: anchors and aliases are not used");
	if (tag)
		complain_value(b->critic, at, "a tag (!)", "a plain value: tags are not used");
}

static bool is_null(const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;

	if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return !*text || !strcmp(text, "~") || !strcmp(text, "null");
}

static bool on_name(struct builder *b, const yaml_event_t *e, const char *text)
{
	if (e->data.scalar.anchor || e->data.scalar.tag)
		refuse(b, e->start_mark, "an anchor (&) or a tag (!) on a name", "a plain name");
	b->name = text;
	b->name_line = mark_line(e->start_mark);
	b->name_column = mark_column(e->start_mark);
	return true;
}

static bool on_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct node *n;
	char *text;

	if (memchr(value, 0, len))
		return refuse(b, e->start_mark, "a NUL octet", "text without NUL");
	text = copy_text(b, value, len);
	if (!text)
		return false;
	if (name_is_due(b))
		return on_name(b, e, text);
	n = node_add(b, is_null(e) ? NODE_NULL : NODE_SCALAR, e->start_mark);
	if (!n)
		return false;
	n->text = text;
	refuse_ornaments(b, n, e->data.scalar.anchor, e->data.scalar.tag);
	return true;
}

static bool on_alias(struct builder *b, const yaml_event_t *e)
{
	struct node *n;

	if (name_is_due(b))
		return refuse(b, e->start_mark, "an alias (*)", "a plain name");
	n = node_add(b, NODE_NULL, e->start_mark);
	if (!n)
		return false;
	complain_value(b->critic, n, "an alias (*)", "the value itself: aliases are not used");
	n->kind = NODE_BAD;
	return true;
}

static bool on_open(struct builder *b, const yaml_event_t *e, enum node_kind kind)
{
	struct node *n;

	if (name_is_due(b))
		return refuse(b, e->start_mark, kind == NODE_MAP ? "a mapping" : "a list",
			"a plain name");
	if (++b->depth > TREE_DEPTH)
		return refuse(b, e->start_mark, "a value nested more than 16 deep", "less depth");
	n = node_add(b, kind, e->start_mark);
	if (!n)
		return false;
	b->open = n;
	if (kind == NODE_MAP)
		refuse_ornaments(b, n, e->data.mapping_start.anchor, e->data.mapping_start.tag);
	else
		refuse_ornaments(b, n, e->data.sequence_start.anchor, e->data.sequence_start.tag);
	return true;
}

static bool on_close(struct builder *b)
{
	b->depth--;
	b->open = (struct node *)b->open->parent; // made by us, and still being built
	return true;
}

static bool on_document(struct builder *b, const yaml_event_t *e)
{
	if (b->documents++ > 0)
		return refuse(b, e->start_mark, "a second document", "one document");
	return true;
}

static bool on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, e);
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_ALIAS_EVENT:
		return on_alias(b, e);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, e, NODE_MAP);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, e, NODE_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_close(b);
	case YAML_STREAM_END_EVENT:
		b->done = true;
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return true;
	}
	return true;
}

// libyaml names two places: where it lost the thread, and what it was reading.
static void on_error(struct builder *b, const yaml_parser_t *p)
{
	uint32_t line = mark_line(p->problem_mark), column = mark_column(p->problem_mark);
	char found[128];

	if (p->error == YAML_MEMORY_ERROR) {
		b->critic->no_memory = true;
		return;
	}
	if (p->error == YAML_READER_ERROR) {
		size_t offset = p->problem_offset;
		place_of(
			b->source, offset < b->source_len ? offset : b->source_len, &line, &column);
	}
	snprintf(found, sizeof found, "no YAML: %s", p->problem ? p->problem : "unknown problem");
	if (p->context && p->context_mark.line + 1 != line)
		complain_at(b->critic, line, column, found, "well-formed YAML (%s from line %u on)",
			p->context, mark_line(p->context_mark));
	else
		complain_at(b->critic, line, column, found, "well-formed YAML%s%s",
			p->context ? " " : "", p->context ? p->context : "");
}

static bool read_events(struct builder *b, yaml_parser_t *parser)
{
	while (!b->done) {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event)) {
			on_error(b, parser);
			return false;
		}
		bool good = on_event(b, &event);
		yaml_event_delete(&event);
		if (!good)
			return false;
	}
	return true;
}

static bool check_nul(struct critic *c, const char *text, size_t len)
{
	const char *nul = memchr(text, 0, len);
	uint32_t line, column;

	if (!nul)
		return true;
	place_of(text, (size_t)(nul - text), &line, &column);
	complain_at(c, line, column, "a NUL octet", "UTF-8 text");
	return false;
}

bool tree_read(struct critic *c, struct arena *a, const char *text, size_t len, struct node **root)
{
	struct builder b = {.critic = c, .arena = a, .source = text, .source_len = len};
	yaml_parser_t parser;
	bool good;

	if (!check_nul(c, text, len))
		return false;
	if (!yaml_parser_initialize(&parser)) {
		c->no_memory = true;
		return false;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	good = read_events(&b, &parser);
	yaml_parser_delete(&parser);
	if (good && !b.root)
		b.root = arena_alloc(a, sizeof *b.root); // NODE_NULL
	*root = b.root;
	if (good && !b.root)
		c->no_memory = true;
	return good && b.root;
}

// Follows `path` as far as it goes, and moves it to what is left.
static const struct node *follow(const struct node *at, const char **path)
{
	while (**path) {
		size_t len = strcspn(*path, ".");
		const struct node *n = at->first;
		while (n && !(n->name && strlen(n->name) == len && !memcmp(n->name, *path, len)))
			n = n->next;
		if (!n)
			break;
		at = n;
		*path += len + ((*path)[len] == '.');
	}
	return at;
}

const struct node *tree_find(const struct node *root, const char *path)
{
	const struct node *at = follow(root, &path);

	return *path ? NULL : at;
}

const struct node *tree_find_near(const struct node *root, const char *path)
{
	const struct node *at = follow(root, &path);

	return at == root ? NULL : at;
}
