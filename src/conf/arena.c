// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "tree.h"

#define BLOCK_SIZE ((size_t)16 << 10)

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(max_align_t) uint8_t mem[];
};

static struct arena_block *block_add(struct arena *a, size_t size)
{
	struct arena_block *b = calloc(1, sizeof *b + size);

	if (!b)
		return NULL;
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!b || b->size - b->used < size)
		b = block_add(a, size > BLOCK_SIZE ? size : BLOCK_SIZE);
	if (!b)
		return NULL;
	b->used += size;
	return b->mem + b->used - size;
}

void arena_free(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
}
