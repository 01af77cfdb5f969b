// SPDX-License-Identifier: Apache-2.0
// wire.h - views of a message's octets as the RFC's structs, and the lengths both sides need.
#ifndef PCP_WIRE_H
#define PCP_WIRE_H

#include <postern/pcp.h>

#define PCP_R_BIT 0x80

// Octets of the opcode's body; -1 for an opcode this codec does not know.
static inline int pcp_body_length(uint8_t opcode)
{
	switch (opcode) {
	case PCP_ANNOUNCE:
		return 0;
	case PCP_MAP:
		return PCP_MAP_BODY;
	case PCP_PEER:
		return PCP_PEER_BODY;
	default:
		return -1;
	}
}

static inline size_t pcp_padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

#endif
