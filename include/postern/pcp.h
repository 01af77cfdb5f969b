// SPDX-License-Identifier: Apache-2.0
// pcp.h - the Port Control Protocol on the wire: bytes to structs and back, both ways.
//
// Owner    the caller; decoded requests point into the message they came from.
// Threads  pure functions, no state.
// Memory   none.
// Units    lifetimes and epoch in seconds, ports in host order, addresses as on the wire (ip6).
// Book     docs/design/pcp.md; RFC 6887 (version 2), RFC 6886 (NAT-PMP: later)
#ifndef POSTERN_PCP_H
#define POSTERN_PCP_H

#include <postern/base.h>

enum {
	PCP_VERSION = 2,
	PCP_SERVER_PORT = 5351,
	PCP_CLIENT_PORT = 5350
};
enum {
	PCP_MAX = 1100,
	PCP_HEADER = 24,
	PCP_MAP_BODY = 36,
	PCP_PEER_BODY = 56
}; // octets, s.7
enum {
	PCP_ERROR_LONG_S = 1800,
	PCP_ERROR_SHORT_S = 30
}; // s.7.4
enum {
	PCP_MAX_OPTIONS = (PCP_MAX - PCP_HEADER) / 4
};

enum pcp_opcode {
	PCP_ANNOUNCE = 0,
	PCP_MAP = 1,
	PCP_PEER = 2
};

enum pcp_option_code {
	PCP_THIRD_PARTY = 1,
	PCP_PREFER_FAILURE = 2,
	PCP_FILTER = 3
};

#define PCP_RESULTS(X)                                                                             \
	X(0, SUCCESS, 0)                                                                           \
	X(1, UNSUPP_VERSION, PCP_ERROR_LONG_S)                                                     \
	X(2, NOT_AUTHORIZED, PCP_ERROR_LONG_S)                                                     \
	X(3, MALFORMED_REQUEST, PCP_ERROR_LONG_S)                                                  \
	X(4, UNSUPP_OPCODE, PCP_ERROR_LONG_S)                                                      \
	X(5, UNSUPP_OPTION, PCP_ERROR_LONG_S)                                                      \
	X(6, MALFORMED_OPTION, PCP_ERROR_LONG_S)                                                   \
	X(7, NETWORK_FAILURE, PCP_ERROR_SHORT_S)                                                   \
	X(8, NO_RESOURCES, PCP_ERROR_SHORT_S)                                                      \
	X(9, UNSUPP_PROTOCOL, PCP_ERROR_LONG_S)                                                    \
	X(10, USER_EX_QUOTA, PCP_ERROR_SHORT_S)                                                    \
	X(11, CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_SHORT_S)                                          \
	X(12, ADDRESS_MISMATCH, PCP_ERROR_LONG_S)                                                  \
	X(13, EXCESSIVE_REMOTE_PEERS, PCP_ERROR_LONG_S)

enum pcp_result {
#define X(code, name, lifetime) PCP_##name = code,
	PCP_RESULTS(X)
#undef X
	PCP_RESULT_COUNT
};

const char *pcp_result_name(unsigned code);      // "NO_RESOURCES"; "unassigned" beyond the list
uint32_t pcp_result_lifetime_s(enum pcp_result); // the lifetime RFC 6887 s.7.4 recommends
const char *pcp_opcode_name(unsigned opcode);    // "MAP"
const char *pcp_option_name(unsigned code);      // "PREFER_FAILURE"

// ---- the wire --------------------------------------------------------------------------------

struct pcp_request_wire {        // s.7.1
	uint8_t version, opcode; // opcode: R bit (7) clear
	be16 reserved;
	be32 lifetime;
	ip6 client;
};

struct pcp_response_wire {       // s.7.2
	uint8_t version, opcode; // opcode: R bit set
	uint8_t reserved, result;
	be32 lifetime;
	be32 epoch;
	uint8_t reserved2[12];
};

struct pcp_map_wire { // s.11.1: MAP, request and response alike
	uint8_t nonce[12];
	uint8_t protocol; // 0 means every protocol
	uint8_t reserved[3];
	be16 internal_port;
	be16 external_port; // request: suggested; response: assigned
	ip6 external_ip;    // IPv4 travels as ::ffff:a.b.c.d
};

struct pcp_peer_wire { // s.12.1
	struct pcp_map_wire map;
	be16 remote_port, reserved;
	ip6 remote_ip;
};

struct pcp_option_wire { // s.7.3; data and 0..3 octets of padding follow
	uint8_t code, reserved;
	be16 length;
};

static_assert(sizeof(struct pcp_request_wire) == PCP_HEADER, "RFC 6887 s.7.1: 24 octets");
static_assert(sizeof(struct pcp_response_wire) == PCP_HEADER, "RFC 6887 s.7.2: 24 octets");
static_assert(sizeof(struct pcp_map_wire) == PCP_MAP_BODY, "RFC 6887 s.11.1: 36 octets");
static_assert(sizeof(struct pcp_peer_wire) == PCP_PEER_BODY, "RFC 6887 s.12.1: 56 octets");
static_assert(sizeof(struct pcp_option_wire) == 4, "RFC 6887 s.7.3: 4 octets");

// ---- structs ---------------------------------------------------------------------------------

struct pcp_nonce {
	uint8_t b[12];
};

static inline bool pcp_nonce_eq(struct pcp_nonce a, struct pcp_nonce b)
{
	return memcmp(a.b, b.b, sizeof a.b) == 0;
}

struct pcp_option {
	uint8_t code;
	uint16_t length;     // octets of data, padding not counted
	const uint8_t *data; // into the message; NULL when length is 0
};

struct pcp_message {             // a request or a response, whatever the fields mean for its opcode
	uint8_t version, opcode; // opcode without the R bit
	bool response;
	uint8_t result; // responses
	uint32_t lifetime_s;
	uint32_t epoch_s;       // responses
	ip6 client;             // requests
	struct pcp_nonce nonce; // MAP, PEER from here on
	uint8_t protocol;
	uint16_t internal_port, external_port;
	ip6 external_ip;
	uint16_t remote_port; // PEER
	ip6 remote_ip;
	size_t options_at; // offset of the first option
};

// ---- requests, as a server sees them (validation order of RFC 6887 s.8.2) --------------------

enum pcp_door {
	PCP_DOOR_OPEN,     // *m is filled; options not looked at yet
	PCP_DOOR_REFUSE,   // answer with *result by pcp_error_reply(..., parsed = false)
	PCP_DOOR_SHORT,    // say nothing: too short
	PCP_DOOR_RESPONSE, // say nothing: R bit set
};

// Steps 2-5 and 7-9: length, R bit, version, size, opcode, opcode body. *m's version and opcode are
// filled whenever len >= 2.
enum pcp_door pcp_decode_request(
	const uint8_t *msg, size_t len, struct pcp_message *m, enum pcp_result *result);

// Step 11, first half: walks the option list from m->options_at. PCP_SUCCESS, or
// PCP_MALFORMED_OPTION when the structure runs past the end. *n options, in packet order; at most
// `max` are stored, more than that is PCP_MALFORMED_OPTION too.
enum pcp_result pcp_decode_options(const uint8_t *msg, size_t len, const struct pcp_message *m,
	struct pcp_option *options, size_t max, size_t *n);

// Overwrites the request in msg (len octets received, cap octets writable, cap >= PCP_MAX) with the
// error answer of s.8.2: cut to 1100, padded to a multiple of 4 and to at least 24. `parsed`
// tells whether octets 12..23 are zeroed (bytes 12..23 stay when false). Version octet becomes 2.
// Returns the reply's length.
size_t pcp_error_reply(uint8_t *msg, size_t len, size_t cap, enum pcp_result result, bool parsed,
	uint32_t lifetime_s, uint32_t epoch_s);

// Writes a success header over msg, keeping octet 0 and the opcode with R set. Returns 24.
size_t pcp_success_header(uint8_t *msg, uint32_t lifetime_s, uint32_t epoch_s);

// Writes the opcode body of a MAP or PEER message behind the header (requests and responses).
void pcp_write_body(uint8_t *msg, const struct pcp_message *m);

// Appends an option at `at`, padded with zeros; the new end, or 0 when it would pass `cap` (nothing
// was written then). `at` is a multiple of 4 and at most cap.
size_t pcp_append_option(
	uint8_t *msg, size_t at, size_t cap, uint8_t code, const void *data, uint16_t length);

// ---- the client's side -----------------------------------------------------------------------

// Header and body of a request of a known opcode; the length so far, where options may be appended,
// or 0 when `cap` is too small.
size_t pcp_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m);

// True when it is a well-formed version 2 response (s.8.3: R bit, 24..1100, multiple of 4, a body
// as long as its opcode asks). Error responses of fewer octets than their body leave the body zero.
bool pcp_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m);

// Looked for before anything else in an answer (s.9, appendix A): "I do not speak your version".
// Covers version 2 and other PCP servers, and the short answers of gateways that know NAT-PMP only.
struct pcp_version_refusal {
	uint8_t version;     // the nearest version the server speaks; 0: NAT-PMP only
	uint32_t lifetime_s; // how long the same answer will hold
};
bool pcp_decode_version_refusal(const uint8_t *msg, size_t len, struct pcp_version_refusal *out);

#endif
