// SPDX-License-Identifier: Apache-2.0
// pcpc_decode.h - how a datagram is walked: rows say what follows what, the walk tells each field.
#ifndef CLI_PCPC_DECODE_H
#define CLI_PCPC_DECODE_H

#include "pcpc.h"

enum kind {
	VERSION,
	OPCODE,
	RESULT,
	RESULT16, // NAT-PMP
	SECONDS,
	EPOCH,
	NUMBER,
	PORT,     // 0: all
	WISHED,   // a port; 0: any
	PROTOCOL, // 0: all
	ADDRESS,  // 4 or 16 octets
	LEFT,     // version 1a: IPv4 in the first 4 of 16 octets
	FAMILY,   // version 1a: 1 IPv4, 2 IPv6
	PREFIX,   // of 128 bits
	PARITY,
	END, // NEXT: more or end
	RESERVED,
	REQUEST_TAIL, // of a request that was not understood
	HEX,
};

struct row {
	enum kind kind;
	uint8_t octets; // 0: what is left
	const char *name;
	const char *granted; // what it is called in a success; NULL: the same
};

struct walk {
	enum pcp_dialect dialect;
	bool answer, success;
	const uint8_t *msg;
	size_t at, end; // octets beyond `end` are none of this part's business
	const char *part;
	pcpc_field_sink *sink;
	void *to;
	char note[160];
	char value[PCPC_ESCAPED(PCPC_LARGEST)];
};

// Tells the next `length` octets with w->value, and steps behind them.
void walk_tell(struct walk *w, size_t length, const char *name, const char *note);
void walk_hex(struct walk *w, size_t length, const char *name, const char *note);
void walk_rows(struct walk *w, const struct row *rows, size_t n);
void walk_options(struct walk *w); // pcpc_decode_options.c

#endif
