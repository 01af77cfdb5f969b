// SPDX-License-Identifier: Apache-2.0
// pcp.h - the Port Control Protocol on the wire: bytes to structs and back, both ways, in every
// dialect that was ever spoken on its port.
//
// Owner    the caller; decoded requests point into the message they came from.
// Threads  pure functions, no state.
// Memory   none.
// Units    lifetimes and epoch in seconds, ports in host order, addresses as on the wire (ip6).
// Dialects decode into one structure; results, opcodes and options are RFC 6887's and its
//          successors' numbers there, whatever they are on the wire (design D4).
// Book     docs/design/pcp.md; RFC 6887, 6886, 7220, 7225, 7753, 7843, 7767, draft-ietf-pcp-base
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
	PCP_PEER_BODY = 56,
	PCP_GET_BODY = 40,
	PCP_V1_MAX = 1024
}; // octets, s.7; all drafts that called themselves version 1 stop at 1024
enum {
	PCP_ERROR_LONG_S = 1800,
	PCP_ERROR_SHORT_S = 30
}; // s.7.4
enum {
	PCP_MAX_OPTIONS = (PCP_MAX - PCP_HEADER) / 4
};

enum pcp_dialect {
	PCP_V2,     // RFC 6887
	PCP_NATPMP, // RFC 6886: version 0
	PCP_V1A,    // draft-ietf-pcp-base-07: MAP4, PEER4 and their kin, no client address
	PCP_V1B,    // -16 to -24, and -13/-14 clients that put their port into octets 2-3
	PCP_V1C,    // -25: version 1 with a nonce
	PCP_DIALECTS
};
#define PCP_SERVES(dialect) (1u << (dialect)) // sets of dialects

const char *pcp_dialect_name(unsigned dialect); // "2", "nat-pmp", "1a", "1b", "1c"

enum pcp_opcode {
	PCP_ANNOUNCE = 0,
	PCP_MAP = 1,
	PCP_PEER = 2,
	PCP_AUTHENTICATION = 3,       // RFC 7652: known by name only
	PCP_GET = 98,                 // draft-boucadair-pcp-failure, legacy profile
	PCP_EXTERNAL_ADDRESS = 0x100, // NAT-PMP opcode 0: no number of PCP's
	PCP_NO_OPCODE = 0x1ff,        // NAT-PMP, version 1: an opcode that is not known
};

enum pcp_option_code {
	PCP_THIRD_PARTY = 1,
	PCP_PREFER_FAILURE = 2,
	PCP_FILTER = 3,
	PCP_THIRD_PARTY_ID = 13,       // RFC 7843
	PCP_DESCRIPTION = 128,         // RFC 7220
	PCP_PREFIX64 = 129,            // RFC 7225
	PCP_PORT_SET = 130,            // RFC 7753
	PCP_NEXT = 131,                // draft, legacy profile
	PCP_PORT_RESERVATION = 132,    // draft, legacy profile
	PCP_CHECKPOINT_REQUIRED = 192, // RFC 7767
};

// Options that are counted by name; PCP_OTHER_OPTION for all others.
#define PCP_OPTIONS(X)                                                                             \
	X(THIRD_PARTY)                                                                             \
	X(PREFER_FAILURE)                                                                          \
	X(FILTER)                                                                                  \
	X(THIRD_PARTY_ID)                                                                          \
	X(DESCRIPTION)                                                                             \
	X(PREFIX64)                                                                                \
	X(PORT_SET)                                                                                \
	X(NEXT)                                                                                    \
	X(PORT_RESERVATION)                                                                        \
	X(CHECKPOINT_REQUIRED)

enum pcp_option_index {
#define X(name) PCP_INDEX_##name,
	PCP_OPTIONS(X)
#undef X
	PCP_OTHER_OPTION,
	PCP_OPTION_COUNT
};

unsigned pcp_option_index(unsigned code);  // enum pcp_option_index
const char *pcp_option_at(unsigned index); // "FILTER"; "other"

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
	X(13, EXCESSIVE_REMOTE_PEERS, PCP_ERROR_LONG_S)                                            \
	X(24, THIRD_PARTY_ID_UNKNOWN, PCP_ERROR_LONG_S)                                            \
	X(25, THIRD_PARTY_MISSING_OPTION, PCP_ERROR_LONG_S)                                        \
	X(26, UNSUPP_THIRD_PARTY_ID_LENGTH, PCP_ERROR_LONG_S)                                      \
	X(130, NONEXIST_MAP, PCP_ERROR_SHORT_S)                                                    \
	X(131, AMBIGUOUS, PCP_ERROR_SHORT_S)                                                       \
	X(256, MISORDERED_OPTIONS, PCP_ERROR_LONG_S)                                               \
	X(257, NONEXIST_PEER, PCP_ERROR_SHORT_S)                                                   \
	X(258, UNAUTH_TARGET_ADDRESS, PCP_ERROR_LONG_S)
// From 256 on: causes that only version 1 has a number for; version 2 says UNSUPP_OPTION for 258.

enum {
	PCP_UNKNOWN_RESULT = 255
}; // reserved by RFC 6887: stands for a NAT-PMP or version 1 number that has no counterpart

enum pcp_result {
#define X(code, name, lifetime) PCP_##name = code,
	PCP_RESULTS(X)
#undef X
};

enum pcp_result_index { // without gaps, for arrays of counters
#define X(code, name, lifetime) PCP_RESULT_##name,
	PCP_RESULTS(X)
#undef X
	PCP_RESULT_COUNT
};

unsigned pcp_result_index(enum pcp_result result);
enum pcp_result pcp_result_at(unsigned index);   // index < PCP_RESULT_COUNT
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
	uint8_t code; // RFC 6887's number; a version 1 code without one: 127, or 255 (optional)
	uint8_t wire_code;   // as it stood in the message
	uint16_t length;     // octets of data, padding not counted
	const uint8_t *data; // into the message; NULL when length is 0
};

// What a MAP with lifetime 0 means to delete. Only NAT-PMP and version 1 know more than ONE.
enum pcp_scope {
	PCP_ONE,             // the mapping that is named
	PCP_ALL_OF_PORT,     // every protocol's mapping of the internal port (v1a)
	PCP_ALL_OF_PROTOCOL, // every mapping of the protocol (v1a, NAT-PMP)
	PCP_ALL,             // every mapping of the client (v1a, v1b, v1c)
};

struct pcp_get { // draft-boucadair-pcp-failure-06: what a GET asks for; zero means any
	uint8_t protocol;
	ip6 internal_ip, external_ip; // :: and ::ffff:0.0.0.0 both mean any
	uint16_t internal_port, external_port;
};

struct pcp_message { // a request or a response, whatever the fields mean for its opcode
	uint8_t version;
	uint8_t dialect;     // enum pcp_dialect
	uint8_t wire_opcode; // as it stood in the message, without the R bit; encoders look at it
			     // only to tell v1a's MAP4 from MAP6 and PEER4 from PEER6
	uint16_t opcode;     // enum pcp_opcode, whatever the dialect calls it
	bool response;
	bool has_nonce;  // the dialect has one
	bool has_client; // the dialect carries the client's address: it must match the source
	uint8_t scope;   // enum pcp_scope, of a MAP with lifetime 0
	uint16_t result; // responses: enum pcp_result
	uint32_t lifetime_s;
	uint32_t epoch_s;       // responses
	ip6 client;             // requests; where the dialect has none: the datagram's source
	struct pcp_nonce nonce; // MAP, PEER from here on
	uint8_t protocol;
	uint16_t internal_port, external_port;
	ip6 external_ip;
	uint16_t remote_port; // PEER
	ip6 remote_ip;
	struct pcp_get get; // GET
	size_t options_at;  // offset of the first option
};

struct pcp_filter {     // RFC 6887 s.13.3
	uint8_t prefix; // of 128 bits; 0: remove all filters
	uint16_t port;  // 0: all
	ip6 address;
};

struct pcp_port_set { // RFC 7753 s.4
	uint16_t size, first;
	bool parity;
};

struct pcp_prefix64 {       // RFC 7225 s.4.1; n IPv4 prefixes that are reached through it, 0: all
	uint8_t length;     // octets of the prefix: 4, 5, 6, 7, 8 or 12
	uint8_t octets[12]; // prefix and suffix
	uint16_t n;
	struct {
		uint8_t bits;
		ip4 address;
	} ip4[8];
};

enum {
	PCP_NEXT_ENTRY = 56
}; // octets of a NEXT option's fixed part, version 2 form

struct pcp_next { // draft-boucadair-pcp-failure-06, version 2 form
	struct pcp_nonce nonce;
	uint8_t protocol;
	bool end;
	ip6 internal_ip, external_ip;
	uint32_t lifetime_s;
	uint16_t internal_port, external_port;
	const uint8_t *wanted; // request: option codes, one octet each; reply: whole options
	uint16_t n_wanted;     // octets
};

// The data of one option, in the form of m's dialect. False: its length or content is wrong.
bool pcp_read_third_party(const struct pcp_message *m, const struct pcp_option *o, ip6 *out);
bool pcp_read_filter(
	const struct pcp_message *m, const struct pcp_option *o, struct pcp_filter *out);
bool pcp_read_port_set(const struct pcp_option *o, struct pcp_port_set *out);
bool pcp_read_prefix64(const struct pcp_option *o, struct pcp_prefix64 *out);
bool pcp_read_next(const struct pcp_option *o, struct pcp_next *out);
// PREFIX64 skips list entries that are invalid, and those after the eighth.
bool pcp_text_is_utf8(const uint8_t *text, size_t length); // DESCRIPTION, RFC 3629

// The number of an RFC 6887 option in a dialect; 0: the dialect has no such option.
uint8_t pcp_option_code_in(enum pcp_dialect dialect, uint8_t code);

// Appends such an option at `at`; the new end, or 0 when it would pass `cap` (or when m's dialect
// has no such option). v1a wants a message's options in ascending order of their wire codes.
size_t pcp_append_third_party(
	uint8_t *msg, size_t at, size_t cap, const struct pcp_message *m, ip6 address);
size_t pcp_append_filter(uint8_t *msg, size_t at, size_t cap, const struct pcp_message *m,
	const struct pcp_filter *filter);
size_t pcp_append_port_set(uint8_t *msg, size_t at, size_t cap, const struct pcp_port_set *set);
size_t pcp_append_prefix64(uint8_t *msg, size_t at, size_t cap, const struct pcp_prefix64 *prefix);
size_t pcp_append_next(uint8_t *msg, size_t at, size_t cap, const struct pcp_next *next);

// ---- requests, as a server sees them (validation order of RFC 6887 s.8.2) --------------------

enum pcp_door {
	PCP_DOOR_OPEN,     // *m is filled; options not looked at yet
	PCP_DOOR_REFUSE,   // answer with *result by pcp_error_reply(), parsed = false
	PCP_DOOR_SHORT,    // say nothing: too short
	PCP_DOOR_RESPONSE, // say nothing: R bit set
};

struct pcp_served {        // who asks, and what is spoken here
	unsigned dialects; // set of PCP_SERVES()
	bool get;          // GET is an opcode that is known here
	bool external_ip6; // so are v1a's MAP6 and PEER6
	ip6 source;        // of the datagram: tells version 1 dialects apart
	uint16_t port;     // its source port; -13 and -14 repeat it in octets 2-3, which is ignored
};

// Steps 2-5 and 7-9: length, R bit, version, size, opcode, opcode body. *m's version, dialect and
// opcodes are filled whenever len >= 2. A dialect that is not served is UNSUPP_VERSION, and then
// m->dialect is the one its error reply is written in: 2 where it is served, else the nearest.
enum pcp_door pcp_decode_request(const uint8_t *msg, size_t len, const struct pcp_served *served,
	struct pcp_message *m, enum pcp_result *result);

// Step 11, first half: walks the option list from m->options_at. PCP_SUCCESS, or
// PCP_MALFORMED_OPTION when the structure runs past the end, or PCP_MISORDERED_OPTIONS (v1a). *n
// options, in packet order; at most `max` are stored, more than that is PCP_MALFORMED_OPTION too.
enum pcp_result pcp_decode_options(const uint8_t *msg, size_t len, const struct pcp_message *m,
	struct pcp_option *options, size_t max, size_t *n);

// Overwrites the request in msg (len octets received, cap octets writable, cap >= PCP_MAX) with the
// error answer of its dialect. Version 2 (s.8.2): cut to 1100, padded to a multiple of 4 and to at
// least 24. `parsed` tells whether octets 12..23 are zeroed (they stay when false). `blamed`, may
// be NULL: the mandatory option that could not be processed (v1a: UNPROCESSED lists it; when NULL,
// the one at which the walk stops). Returns the reply's length; 0: this dialect says nothing here.
struct pcp_error {
	enum pcp_result result;
	bool parsed;
	uint32_t lifetime_s, epoch_s;
	const struct pcp_option *blamed;
};
size_t pcp_error_reply(uint8_t *msg, size_t len, size_t cap, const struct pcp_message *m,
	const struct pcp_error *error);

// Writes a success over msg in m's dialect: header, then the body with m's fields (PEER: remote
// peer; GET: the question again; NAT-PMP: external_ip for opcode 0). Returns its length so far:
// options may be appended there; 0: the dialect has no such opcode. The request in msg is gone; so
// is what options pointed to. Messages nobody asked for are made in the same way.
size_t pcp_success_reply(
	uint8_t *msg, const struct pcp_message *m, uint32_t lifetime_s, uint32_t epoch_s);

// Appends an option at `at`, padded with zeros; the new end, or 0 when it would pass `cap` (nothing
// was written then). `at` is a multiple of 4 and at most cap.
size_t pcp_append_option(
	uint8_t *msg, size_t at, size_t cap, uint8_t code, const void *data, uint16_t length);

// ---- the client's side -----------------------------------------------------------------------

// Header and body of a request in m->dialect; the length so far, where options may be appended, or
// 0 when `cap` is too small or the dialect has no such opcode. In v1a a mapped external_ip (MAP) or
// remote_ip (PEER) makes it MAP4 or PEER4, unless wire_opcode says which.
size_t pcp_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m);

// True when it is a well-formed version 2 response (s.8.3: R bit, 24..1100, multiple of 4, a body
// as long as its opcode asks). Error responses of fewer octets than their body leave the body zero.
bool pcp_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m);
// The same for a response in a dialect that the client chose. Results are RFC 6887's numbers.
// NAT-PMP errors carry no lifetime: the recommended one stands in; the Epoch of UNSUPP_OPCODE means
// nothing.
bool pcp_decode_response_in(
	enum pcp_dialect dialect, const uint8_t *msg, size_t len, struct pcp_message *m);

// Looked for before anything else in an answer (s.9, appendix A): "I do not speak your version".
// Covers version 2 and other PCP servers, and the short answers of gateways that know NAT-PMP or
// v1a only.
struct pcp_version_refusal {
	uint8_t version;     // the nearest version the server speaks; 0: NAT-PMP only
	uint32_t lifetime_s; // how long the same answer will hold
};
bool pcp_decode_version_refusal(const uint8_t *msg, size_t len, struct pcp_version_refusal *out);

#endif
