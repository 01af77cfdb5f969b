// SPDX-License-Identifier: Apache-2.0
// A YAML text as a tree of nodes that know where they stand, and the one voice that complains about
// them. Nodes live in an arena until the load is over.
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include <postern/conf.h>

// ---- memory of one load ----------------------------------------------------------------------

struct arena_block;

struct arena {
	struct arena_block *blocks;
};

void *arena_alloc(struct arena *a, size_t size); // zeroed; NULL: out of memory
void arena_free(struct arena *a);

// ---- the tree --------------------------------------------------------------------------------

enum {
	TREE_DEPTH = 16 // our deepest leaf stands at six
};

enum node_kind {
	NODE_NULL,   // nothing, or ~, or null
	NODE_SCALAR, // `text`
	NODE_LIST,
	NODE_MAP,
	NODE_BAD // complained about already: readers pass it by in silence
};

struct node {
	enum node_kind kind;
	uint32_t line, column; // 1-based; 0 for the root of an empty file
	const char *text;
	const char *name; // members of a map: theirs, and where it stands
	uint32_t name_line, name_column;
	uint32_t position; // members of a list or map: 0, 1, ...
	uint32_t n;        // children
	const struct node *parent;
	struct node *first, *last, *next;
};

// ---- complaints ------------------------------------------------------------------------------

enum {
	CRITIC_MOST = 1000 // complaints of one load; more only count
};

struct critic {
	struct conf_complaints *out;
	uint32_t n;          // complaints of this load
	uint32_t suppressed; // those past CRITIC_MOST
	bool no_memory;
};

// What stands at the node is named in the complaint. A NODE_BAD is passed over in silence.
void complain(struct critic *c, const struct node *at, const char *wanted, ...)
	__attribute__((format(printf, 3, 4)));
// The same with other words for what was found, such as "no device".
void complain_found(struct critic *c, const struct node *at, const char *found, const char *wanted,
	...) __attribute__((format(printf, 4, 5)));
// The same at the place of the value, though it has a name.
void complain_value(struct critic *c, const struct node *at, const char *found, const char *wanted,
	...) __attribute__((format(printf, 4, 5)));
// About the name of a map's member.
void complain_name(struct critic *c, const struct node *at, const char *wanted, ...)
	__attribute__((format(printf, 3, 4)));
void complain_at(struct critic *c, uint32_t line, uint32_t column, const char *found,
	const char *wanted, ...) __attribute__((format(printf, 5, 6)));
// About a path of map names below `root` (may be NULL), or its nearest ancestor that stands there.
void complain_path(struct critic *c, const struct node *root, const char *path, const char *found,
	const char *wanted, ...) __attribute__((format(printf, 5, 6)));
void critic_finish(struct critic *c); // puts the complaints of this load into the file's order

#define PLACE_TEXT 100
// "ports.outside.gateway (line 12)", for complaints that name a second place.
const char *node_place(const struct node *at, char out[PLACE_TEXT]);

// Parses; *root is never NULL on success. False: complained, or critic->no_memory.
bool tree_read(struct critic *c, struct arena *a, const char *text, size_t len, struct node **root);
// The node at a path of map names such as "limits.mappings"; NULL: none.
const struct node *tree_find(const struct node *root, const char *path);
// The same, or its nearest ancestor below the root.
const struct node *tree_find_near(const struct node *root, const char *path);

// A mapping, or nothing at all, which is one without members.
static inline bool node_is_map(const struct node *at)
{
	return at->kind == NODE_MAP || at->kind == NODE_NULL;
}

// A list of nothing, or nothing where a list should be.
static inline bool node_is_empty_list(const struct node *at)
{
	return (at->kind == NODE_LIST || at->kind == NODE_NULL) && at->n == 0;
}

static inline uint32_t node_line(const struct node *at)
{
	return at->kind != NODE_SCALAR && at->name ? at->name_line : at->line;
}

static inline uint32_t node_column(const struct node *at)
{
	return at->kind != NODE_SCALAR && at->name ? at->name_column : at->column;
}

static inline bool node_before(const struct node *a, const struct node *b)
{
	if (a->line != b->line)
		return a->line < b->line;
	return a->column < b->column;
}

#endif
