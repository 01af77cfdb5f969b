// SPDX-License-Identifier: Apache-2.0
// What TAB offers: words of the grammar, and names that only the daemon or the file system knows.
#include "posternctl.h"

#include <glob.h>
#include <stdlib.h>

enum {
	PATIENCE_S = 1
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

void complete_add(struct candidates *out, const char *word, const char *start)
{
	size_t length = strlen(word);

	if (out->n == CANDIDATES || length >= CANDIDATE_SIZE ||
		strncmp(word, start, strlen(start)) != 0)
		return;
	for (unsigned i = 0; i < out->n; i++) {
		if (strcmp(out->words[i], word) == 0)
			return;
	}
	memcpy(out->words[out->n++], word, length + 1);
}

static size_t common_start(const struct candidates *c)
{
	size_t common = c->n ? strlen(c->words[0]) : 0;

	for (unsigned i = 1; i < c->n; i++) {
		size_t k = 0;
		while (k < common && c->words[i][k] == c->words[0][k])
			k++;
		common = k;
	}
	return common;
}

void complete_word(const char *const *words, size_t n, const char *start, complete_names *names,
	void *ctx, struct candidates *out, size_t *common)
{
	struct expected expected;

	out->n = 0;
	grammar_expect(words, n, &expected);
	for (unsigned i = 0; i < expected.n; i++)
		complete_add(out, expected.list[i].word, start);
	if (expected.value == VALUE_GROUP || expected.value == VALUE_REALM ||
		expected.value == VALUE_FILE)
		names(ctx, expected.value, start, out);
	qsort(out->words, out->n, sizeof out->words[0], compare);
	*common = common_start(out);
}

// ---- names -----------------------------------------------------------------------------------

static void add_text(struct candidates *out, const json_t *object, const char *start)
{
	const char *name = json_string_value(json_object_get(object, "name"));

	if (name)
		complete_add(out, name, start);
}

static void add_inside_interfaces(struct candidates *out, const json_t *port, const char *start)
{
	const json_t *iface;
	size_t i;

	json_array_foreach(json_object_get(port, "interfaces"), i, iface)
	{
		const char *side = json_string_value(json_object_get(iface, "side"));
		if (side && strcmp(side, "inside") == 0)
			add_text(out, iface, start);
	}
}

static void ask_daemon(
	const char *path, enum value value, const char *start, struct candidates *out)
{
	json_t *line, *row,
		*request = json_pack("{s:s,s:s}", "cmd", "show", "what",
			value == VALUE_GROUP ? "groups" : "ports");
	struct link *link = link_open(path);

	if (link)
		link_set_patience(link, PATIENCE_S);
	bool more = link && request && link_send(link, request);
	while (more && (line = link_receive(link))) {
		row = json_object_get(line, "row");
		if (row && value == VALUE_GROUP)
			add_text(out, row, start);
		else if (row)
			add_inside_interfaces(out, row, start);
		more = row != NULL;
		json_decref(line);
	}
	json_decref(request);
	link_close(link);
}

static bool has_wildcard(const char *text)
{
	return strpbrk(text, "*?[\\") != NULL;
}

static void add_files(struct candidates *out, const char *start)
{
	char pattern[CANDIDATE_SIZE];
	int length = snprintf(pattern, sizeof pattern, "%s*", start);
	glob_t found;

	if (has_wildcard(start) || length >= (int)sizeof pattern ||
		glob(pattern, GLOB_MARK, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		complete_add(out, found.gl_pathv[i], start);
	globfree(&found);
}

void complete_from_daemon(void *ctx, enum value value, const char *start, struct candidates *out)
{
	if (value == VALUE_FILE)
		add_files(out, start);
	else
		ask_daemon(ctx, value, start, out);
}
