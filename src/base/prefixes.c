// SPDX-License-Identifier: Apache-2.0
// The flattening. Sorted by first address, shorter prefixes first, prefixes nest like brackets: a
// prefix is either inside the one before it or starts after it has ended. So one walk with a stack
// of the prefixes still open meets every place where the answer changes, in ascending order.
#include <postern/base.h>

#include <errno.h>
#include <stdlib.h>

struct flattening {
	struct prefix_table table;
	const struct prefix_value *open[33]; // strictly nested, so at most one of each length
	uint32_t n_open;
};

static int compare_entries(const void *left, const void *right)
{
	const struct prefix_value *a = *(const struct prefix_value *const *)left;
	const struct prefix_value *b = *(const struct prefix_value *const *)right;

	if (a->prefix.base != b->prefix.base)
		return a->prefix.base < b->prefix.base ? -1 : 1;
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits < b->prefix.bits ? -1 : 1;
	return (a > b) - (a < b); // entries of one array: its order decides which equal one wins
}

static const struct prefix_value **sort_entries(const struct prefix_value *entries, uint32_t n)
{
	const struct prefix_value **sorted = calloc(n, sizeof *sorted);

	if (!sorted)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = &entries[i];
	qsort(sorted, n, sizeof *sorted, compare_entries);
	return sorted;
}

static ip4 last_address(struct prefix4 p)
{
	return p.base | ~prefix4_mask(p.bits);
}

// From `start` on the answer is `value`, until something later says otherwise.
static void change_at(struct prefix_table *t, uint32_t start, uint32_t value)
{
	if (t->n > 0 && t->start[t->n - 1] == start)
		t->n--;
	if (t->n > 0 && t->value[t->n - 1] == value)
		return;
	t->start[t->n] = start;
	t->value[t->n] = value;
	t->n++;
}

// Closes the innermost prefix: behind its end the one around it speaks again.
static void close_one(struct flattening *f)
{
	ip4 last = last_address(f->open[--f->n_open]->prefix);

	if (last == UINT32_MAX)
		return;
	change_at(&f->table, last + 1, f->n_open ? f->open[f->n_open - 1]->value : PREFIX_NONE);
}

static void open_one(struct flattening *f, const struct prefix_value *entry)
{
	while (f->n_open && last_address(f->open[f->n_open - 1]->prefix) < entry->prefix.base)
		close_one(f);
	if (f->n_open && f->open[f->n_open - 1]->prefix.bits == entry->prefix.bits)
		f->n_open--; // the same prefix again: the later one replaces it
	f->open[f->n_open++] = entry;
	change_at(&f->table, entry->prefix.base, entry->value);
}

int prefix_table_create(struct prefix_table *t, const struct prefix_value *entries, uint32_t n)
{
	struct flattening f = {.n_open = 0};
	size_t most =
		2 * (size_t)n + 1; // each prefix changes the answer at its start and after its end
	const struct prefix_value **sorted;

	*t = (struct prefix_table){.n = 0};
	if (n == 0)
		return 0;
	sorted = sort_entries(entries, n);
	f.table.start = calloc(most, 2 * sizeof *f.table.start);
	if (!sorted || !f.table.start) {
		free(sorted);
		free(f.table.start);
		return -ENOMEM;
	}
	f.table.value = f.table.start + most;
	change_at(&f.table, 0, PREFIX_NONE);
	for (uint32_t i = 0; i < n; i++)
		open_one(&f, sorted[i]);
	while (f.n_open)
		close_one(&f);
	free(sorted);
	*t = f.table;
	return 0;
}

void prefix_table_destroy(struct prefix_table *t)
{
	free(t->start); // the values stand behind the starts
	*t = (struct prefix_table){.n = 0};
}
