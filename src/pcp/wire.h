// SPDX-License-Identifier: Apache-2.0
// wire.h - what the dialects' files share: lengths, result numbers, and each dialect's four verbs.
//
// Version 2, v1b and v1c are one family: a header of 24 octets with the client's address, and the
// same fields behind it. v1b has no nonce: were its body to begin 12 octets earlier, all other
// fields would stand where version 2 has them. NAT-PMP and v1a have files of their own.
#ifndef PCP_WIRE_H
#define PCP_WIRE_H

#include <postern/pcp.h>

#define PCP_R_BIT 0x80

struct pcp_get_wire { // draft-boucadair-pcp-failure-06
	uint8_t protocol, reserved[3];
	ip6 internal_ip, external_ip;
	be16 internal_port, external_port;
};

static_assert(sizeof(struct pcp_get_wire) == PCP_GET_BODY, "draft: GET is 40 octets");

static inline size_t pcp_padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static inline uint8_t pcp_version_of(unsigned dialect)
{
	return dialect == PCP_V2 ? PCP_VERSION : dialect == PCP_NATPMP ? 0 : 1;
}

static inline size_t pcp_max_of(unsigned dialect)
{
	return dialect == PCP_V2 ? PCP_MAX : PCP_V1_MAX;
}

static inline enum pcp_door pcp_refuse(enum pcp_result why, enum pcp_result *result)
{
	*result = why;
	return PCP_DOOR_REFUSE;
}

// Octets of an opcode's body in the family of version 2; -1: an opcode it does not have.
int pcp_body_length(unsigned dialect, unsigned opcode);
// Octets by which a body of the dialect is shorter than version 2's.
static inline size_t pcp_missing_nonce(unsigned dialect)
{
	return dialect == PCP_V1B ? sizeof(struct pcp_nonce) : 0;
}

// options.c: the option at *at, which moves behind it; false: it runs past the end.
bool pcp_next_option(const uint8_t *msg, size_t len, const struct pcp_message *m, size_t *at,
	struct pcp_option *out);

// results.c: RFC 6887's numbers to the dialect's and back.
uint8_t pcp_result_to_wire(unsigned dialect, enum pcp_result result);
uint16_t pcp_result_from_wire(unsigned dialect, unsigned code);

// v1.c: which version 1 it is; PCP_DIALECTS: one that is never served. len >= 4.
enum pcp_dialect pcp_v1_tell(const uint8_t *msg, size_t len, const struct pcp_served *served);

// natpmp.c
enum pcp_door pcp_natpmp_decode_request(
	const uint8_t *msg, size_t len, struct pcp_message *m, enum pcp_result *result);
bool pcp_natpmp_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m);
size_t pcp_natpmp_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m);
size_t pcp_natpmp_success_reply(
	uint8_t *msg, const struct pcp_message *m, uint32_t lifetime_s, uint32_t epoch_s);
size_t pcp_natpmp_error_reply(
	uint8_t *msg, size_t len, const struct pcp_message *m, const struct pcp_error *error);

// v1a.c
enum pcp_v1a_option {            // draft-ietf-pcp-base-07 s.9
	PCP_V1A_UNPROCESSED = 1, // in error replies only
	PCP_V1A_FILTER = 2,
	PCP_V1A_PREFER_FAILURE = 3,
	PCP_V1A_THIRD_PARTY = 4,
};
enum pcp_door pcp_v1a_decode_request(const uint8_t *msg, size_t len,
	const struct pcp_served *served, struct pcp_message *m, enum pcp_result *result);
bool pcp_v1a_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m);
size_t pcp_v1a_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m);
size_t pcp_v1a_success_reply(
	uint8_t *msg, const struct pcp_message *m, uint32_t lifetime_s, uint32_t epoch_s);
size_t pcp_v1a_error_reply(
	uint8_t *msg, size_t len, const struct pcp_message *m, const struct pcp_error *error);

#endif
