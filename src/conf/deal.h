// SPDX-License-Identifier: Apache-2.0
// Which worker owns which external address, or which pieces of one (design D1).
#ifndef CONF_DEAL_H
#define CONF_DEAL_H

#include <postern/conf.h>

enum {
	DEAL_PIECE = 65536 / CONF_CUT // ports
};

struct deal_pieces { // those of an address that a worker could live on
	uint32_t first, n;
};

// The pieces in which a whole block of `size` ports lies inside first..last. They are neighbours.
struct deal_pieces deal_pieces(uint16_t first, uint16_t last, uint32_t size);
bool deal_has_block(uint32_t first, uint32_t last, uint32_t size);

const struct conf_external *deal_find_external(const struct conf *c, ip4 ip);
// Fills `whole` and `owner` of every external address, which passed the checks. 0 or -ENOMEM.
MUST_CHECK int deal_all(struct conf *c, const struct conf *previous);

#endif
