// SPDX-License-Identifier: Apache-2.0
// vector.h - one hand-checked request, who decides about it, and the octets that must answer it.
//
// Where the server's judgement decides, it is taken from the expected reply itself (result,
// lifetime, what is assigned, which options are echoed): what is proved here is that the codec
// turns such a judgement into exactly these octets, and that it decides itself whatever is its own.
#ifndef TEST_PCP_VECTOR_H
#define TEST_PCP_VECTOR_H

#include "hex.h"

#define SERVES_ALL                                                                                 \
	(PCP_SERVES(PCP_V2) | PCP_SERVES(PCP_NATPMP) | PCP_SERVES(PCP_V1A) | PCP_SERVES(PCP_V1B) | \
		PCP_SERVES(PCP_V1C))

#define CLIENT_ADDRESS "00000000 00000000 0000ffff 6440000a" // 100.64.0.10
#define IWF "00000000 00000000 0000ffff c6336414"            // 198.51.100.20
#define NAT64_CLIENT "20010db8 00000001 00000000 00000010"
#define NAT64_HOST "20010db8 00010000 00000000 00000010"

enum vector_decides {
	DOOR,            // the codec refuses it, with this result
	WALK,            // so it does, at the option walk
	JUDGE,           // the server, with this result
	SILENT_SHORT,    // nobody answers
	SILENT_RESPONSE, // nor here
	UNASKED,         // there was no request
};

struct vector {
	const char *name; // of the vector, and the section it comes from
	unsigned served;
	const char *source;
	enum vector_decides decides;
	enum pcp_result result;
	const char *request, *reply; // reply NULL: silence
};

void vector_check(const struct vector *v);
struct pcp_served serving(unsigned dialects, const char *source);
ip6 hex_address(const char *text);
void expect_octets(
	const char *what, const uint8_t *got, size_t got_len, const uint8_t *want, size_t want_len);

#endif
