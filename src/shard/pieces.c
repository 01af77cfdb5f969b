// SPDX-License-Identifier: Apache-2.0
// Packets without DF that are larger than their link leave in pieces, in order (RFC 4787 REQ-13a).
#include <postern/shard.h>

#include "world.h"

enum {
	DATAGRAM_MAX = 65535
};

// A fragment that was not followed here may claim a place that no datagram has.
static bool is_beyond(const struct pkt *p)
{
	const struct ip4_wire *ip = (const void *)p->l3;

	return (be16_get(ip->fragment) & IP4_OFFSET) * 8u + p->len > DATAGRAM_MAX;
}

// False: there is no buffer.
static bool send_piece(struct burst *b, const struct pkt *p, uint32_t *at)
{
	struct pkt *piece = b->sink->alloc(b->sink->ctx), made = *p;

	if (piece == NULL)
		return false;
	made.buf = piece->buf;
	made.l3 = piece->l3;
	made.room = piece->room;
	made.resolved = true;
	made.later = p->later || *at != 0;
	made.len = (uint16_t)xlat_cut(p, link_mtu(b->c, p), at, made.l3, made.room);
	made.l4_at = (uint8_t)((made.l3[0] & 15) * 4);
	*piece = made;
	b->s->counters.fragments_sent++;
	b->sink->send(b->sink->ctx, piece);
	return true;
}

enum verdict send_in_pieces(struct burst *b, struct pkt *p)
{
	uint32_t octets = (uint32_t)p->len - p->l4_at, at = 0;

	if (is_beyond(p))
		return drop(b->s, p, DROP_L4_HEADER);
	while (at < octets) {
		if (!send_piece(b, p, &at))
			return drop(b->s, p, DROP_NO_BUFFER);
	}
	p->drop = DROP_NONE;
	return VERDICT_DROP;
}
