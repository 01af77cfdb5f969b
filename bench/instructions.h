// SPDX-License-Identifier: Apache-2.0
// instructions.h - what bench-instructions is made of: packets from numbers, and operations that
// are the same, octet by octet, in every run.
#ifndef INSTRUCTIONS_H
#define INSTRUCTIONS_H

#include "bench.h"

enum { // mappings: so many stand before anything is counted, and so many may come
	STANDING = 10000,
	MOST_OPERATIONS = 20000,
	ALL = STANDING + MOST_OPERATIONS
};

enum message {
	UDP_OUT,    // DF is not set: the shard chooses an identification
	UDP_OUT_DF, // DF is set: the packet is atomic (RFC 6864)
	UDP_IN,
	UDP_UNKNOWN, // from outside to a port that nobody has
	TCP_SYN_OUT,
	TCP_SYN_ACK_IN,
	TCP_ACK_OUT,
	TCP_DATA_OUT,
	TCP_DATA_IN,
	TCP_FIN_OUT,
	TCP_FIN_IN,
	PCP_REQUEST, // MAP: made, or renewed where it stands
	PCP_DELETE,
	PCP_UNKNOWN_OPTION, // a mandatory one: UNSUPP_OPTION
	PCP_OTHER_NONCE     // NOT_AUTHORIZED, for the mapping has another
};

// Writes the packet into the next of w's buffers. Parsing is apart.
struct raw {
	uint8_t *l3;
	uint16_t len;
	bool inside; // where it arrives
};
struct raw instructions_write(struct world *w, const struct pair *pair, enum message message);
void instructions_parse(struct pkt *p, const struct raw *raw);

enum work {
	NOTHING,
	RUN,    // shard_run() of a burst
	PARSE,  // pkt_parse_ip4() alone
	STEP,   // shard_step() while nothing is due
	OUTLIVE // shard_step() until nothing is left
};
enum which {
	NONE_YET, // makes the standing mappings
	ANY,      // one of the standing, at random
	EACH_NEW  // the new ones in turn, K of them
};

struct pass {
	uint8_t work;    // enum work
	uint8_t which;   // enum which
	uint8_t message; // enum message
	uint8_t verdict; // expected
	uint8_t burst;   // packets; 0: SHARD_BURST
};

struct operation {
	const char *name, *sentence;
	bool leases;
	struct pass before[3], counted[8];
};

extern const struct operation operations[];
extern const unsigned n_operations;

#endif
