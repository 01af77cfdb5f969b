// SPDX-License-Identifier: Apache-2.0
// Walks over what lives, for people: the cursor is a place in an array whose slots never move.
#include <postern/nat.h>

#include "tables.h"

bool nat_walk_mappings(const struct nat *n, uint32_t *cursor, uint32_t budget, uint32_t now_s,
	bool (*see)(void *ctx, const struct nat_view *view), void *ctx)
{
	uint32_t end = (n->n_lines + PROBE_MAX) * 4;

	for (; budget > 0 && *cursor < end; budget--, ++*cursor) {
		struct nat_view view;

		if ((slot_at(n, *cursor)->bits & SLOT_PROTOCOL) == 0)
			continue;
		mapping_view(n, *cursor, now_s, &view);
		if (!see(ctx, &view))
			return false;
	}
	return *cursor >= end;
}
