// SPDX-License-Identifier: Apache-2.0
// Who has, or last had, an external port. Tenures are written when a block changes hands and read
// by nobody but the operator.
#include <postern/nat.h>

#include "tables.h"

void tenure_begin(struct nat *n, uint32_t block, uint32_t now_s)
{
	const struct subscriber *s = &n->subscribers[n->blocks[block].subscriber - 1];
	struct tenure *t = &n->tenures[block];

	t->host = s->host;
	t->realm = s->realm;
	t->since_s = now_s;
}

void tenure_end(struct nat *n, uint32_t block, uint32_t now_s)
{
	struct tenure *t = &n->tenures[block];

	t->host_before = t->host;
	t->realm_before = t->realm;
	t->since_before_s = t->since_s;
	t->until_before_s = now_s;
	t->since_s = 0;
}

static void trace_block(const struct nat *n, uint32_t ext, struct nat_tenancy *out)
{
	const struct address *ad = &n->addresses[ext >> 16];
	uint32_t block = block_of(n, ext), port = ext & 0xffff;
	const struct tenure *t = &n->tenures[block];

	out->held = t->since_s != 0;
	out->held_before = t->until_before_s != 0;
	out->host = t->host;
	out->realm = t->realm;
	out->since_s = t->since_s;
	out->host_before = t->host_before;
	out->realm_before = t->realm_before;
	out->since_before_s = t->since_before_s;
	out->until_before_s = t->until_before_s;
	if (port_is_explicit(ad, port)) {
		out->first = out->last = (uint16_t)port; // in no block
		return;
	}
	out->first = (uint16_t)block_first_port(n, block);
	out->last = (uint16_t)(out->first + block_size(n, block) - 1);
}

bool nat_trace(const struct nat *n, uint8_t protocol, struct recipe external, uint32_t now_s,
	struct nat_tenancy *out)
{
	uint32_t a = address_find(n, external.addr), ext;
	const struct entry *e;

	*out = (struct nat_tenancy){0};
	if (a == NO_ADDRESS)
		return false;
	ext = ext_of(a, external.port);
	e = entry_at(n, protocol, ext);
	out->mapped = (e->bits & EXT_STATE) == EXT_MAPPED;
	if (!out->mapped && port_is_reserved(&n->addresses[a], NAT_TCP, external.port))
		return false; // another shard's, or nobody's
	if (out->mapped) {
		struct nat_key key = {e->host, e->port, e->realm, protocol};

		mapping_view(n, slot_find(n, &key), now_s, &out->mapping);
	}
	trace_block(n, ext, out);
	return true;
}
