// SPDX-License-Identifier: Apache-2.0
// Which worker owns which external address, or which pieces of one (design D1).
#ifndef CONF_DEAL_H
#define CONF_DEAL_H

#include <postern/conf.h>

enum {
	DEAL_PIECE = 65536 / CONF_CUT // ports; those of an overflow part are as long as it needs
};

struct deal_pieces { // those of an address that a worker could live on
	uint32_t first, n;
};

// The pieces in which a whole block of `size` ports lies inside first..last. They are neighbours.
struct deal_pieces deal_pieces(uint32_t first, uint32_t last, uint32_t size);
// Those that have ports of a group's port-forwarding-range and none of its port-range.
struct deal_pieces deal_explicit_pieces(const struct conf_group *g);
// The first port that is dealt, behind port_last: none. Of a plan it is the first of the overflow
// part.
uint32_t deal_first(const struct conf_group *g);
// The place in `owner` that is a port's, and the first port of a place. Of a plan they are those of
// the overflow part, and the first one is for what is in front of that, too.
uint32_t deal_piece(const struct conf_group *g, uint32_t port);
uint32_t deal_piece_start(const struct conf_group *g, uint32_t piece);
// The worker that an external port belongs to, static mappings aside.
uint16_t deal_owner(const struct conf *c, const struct conf_external *e, uint16_t port);
bool deal_has_block(uint32_t first, uint32_t last, uint32_t size);

const struct conf_external *deal_find_external(const struct conf *c, ip4 ip);
// Fills `whole` and `owner` of every external address, which passed the checks. 0 or -ENOMEM.
MUST_CHECK int deal_all(struct conf *c, const struct conf *previous);

#endif
