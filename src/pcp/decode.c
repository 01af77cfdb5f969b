// SPDX-License-Identifier: Apache-2.0
// How a request is let in (RFC 6887 s.8.2): first what is dropped in silence, then the version,
// then length and opcode. Only behind that door are header and body looked at, and only the option
// walk may still find a broken structure. Everything is bytes with alignment 1: no copies needed.
#include <postern/pcp.h>

#include "wire.h"

int pcp_body_length(unsigned dialect, unsigned opcode)
{
	switch (opcode) {
	case PCP_ANNOUNCE:
		return 0;
	case PCP_MAP:
		return PCP_MAP_BODY - (int)pcp_missing_nonce(dialect);
	case PCP_PEER:
		return PCP_PEER_BODY - (int)pcp_missing_nonce(dialect);
	case PCP_GET:
		return dialect == PCP_V2 ? PCP_GET_BODY : -1;
	default:
		return -1;
	}
}

static void decode_get(const uint8_t *body, struct pcp_message *m)
{
	const struct pcp_get_wire *wire = (const void *)body;

	m->get.protocol = wire->protocol;
	m->get.internal_ip = wire->internal_ip;
	m->get.external_ip = wire->external_ip;
	m->get.internal_port = be16_get(wire->internal_port);
	m->get.external_port = be16_get(wire->external_port);
}

// `body` is where version 2's body would begin, that is 12 octets early in v1b.
static void decode_body(const uint8_t *body, struct pcp_message *m)
{
	const struct pcp_peer_wire *wire = (const void *)body;

	if (m->has_nonce)
		memcpy(m->nonce.b, wire->map.nonce, sizeof m->nonce.b);
	m->protocol = wire->map.protocol;
	m->internal_port = be16_get(wire->map.internal_port);
	m->external_port = be16_get(wire->map.external_port);
	m->external_ip = wire->map.external_ip;
	if (m->opcode == PCP_PEER) {
		m->remote_port = be16_get(wire->remote_port);
		m->remote_ip = wire->remote_ip;
	}
}

static void decode_opcode(const uint8_t *msg, struct pcp_message *m)
{
	if (m->opcode == PCP_MAP || m->opcode == PCP_PEER)
		decode_body(msg + PCP_HEADER - pcp_missing_nonce(m->dialect), m);
	else if (m->opcode == PCP_GET)
		decode_get(msg + PCP_HEADER, m);
}

// ---- requests --------------------------------------------------------------------------------

// Drafts -16 to -25: 0/0/0 wipes all explicit mappings of the client. Version 2 knows no such
// thing.
static bool is_wipe(const struct pcp_message *m)
{
	return m->dialect != PCP_V2 && m->opcode == PCP_MAP && m->lifetime_s == 0 &&
	       m->protocol == 0 && m->internal_port == 0;
}

// Version 2, v1b and v1c.
static enum pcp_door decode_family(const uint8_t *msg, size_t len, const struct pcp_served *served,
	struct pcp_message *m, enum pcp_result *result)
{
	const struct pcp_request_wire *wire = (const void *)msg;
	int body = pcp_body_length(m->dialect, m->opcode);

	if (len < PCP_HEADER)
		return PCP_DOOR_SHORT;
	m->has_client = true;
	m->has_nonce = m->dialect != PCP_V1B;
	m->lifetime_s = be32_get(wire->lifetime);
	m->client = wire->client;
	if (len > pcp_max_of(m->dialect) || len % 4 != 0)
		return pcp_refuse(PCP_MALFORMED_REQUEST, result);
	if (body < 0 || (m->opcode == PCP_GET && !served->get))
		return pcp_refuse(PCP_UNSUPP_OPCODE, result);
	if (len < PCP_HEADER + (size_t)body)
		return pcp_refuse(PCP_MALFORMED_REQUEST, result);
	m->options_at = PCP_HEADER + (size_t)body;
	decode_opcode(msg, m);
	if (is_wipe(m))
		m->scope = PCP_ALL;
	return PCP_DOOR_OPEN;
}

static bool serves(const struct pcp_served *served, unsigned dialect)
{
	return dialect < PCP_DIALECTS && (served->dialects & PCP_SERVES(dialect)) != 0;
}

// In whose words "I do not speak that" is said. RFC 6887 s.9 wants the version closest to the
// request's; between 0 and 2 both are equally far from 1, and a client of version 0 is better told
// of 2 than of a version 1 that means six different things.
static enum pcp_dialect nearest(const struct pcp_served *served)
{
	static const uint8_t order[] = {PCP_V2, PCP_V1B, PCP_V1C, PCP_V1A, PCP_NATPMP};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (serves(served, order[i]))
			return (enum pcp_dialect)order[i];
	return PCP_V2;
}

#define ANY_V1 (PCP_SERVES(PCP_V1A) | PCP_SERVES(PCP_V1B) | PCP_SERVES(PCP_V1C))

// Version 1 is looked into only where some of it is served.
static enum pcp_dialect tell_dialect(
	const uint8_t *msg, size_t len, const struct pcp_served *served)
{
	switch (msg[0]) {
	case 0:
		return PCP_NATPMP;
	case 1:
		return served->dialects & ANY_V1 ? pcp_v1_tell(msg, len, served) : PCP_DIALECTS;
	case PCP_VERSION:
		return PCP_V2;
	default:
		return PCP_DIALECTS;
	}
}

static enum pcp_door decode_other(const uint8_t *msg, size_t len, const struct pcp_served *served,
	struct pcp_message *m, enum pcp_result *result)
{
	enum pcp_dialect dialect;

	if (m->version == 1 && len < 4 && (served->dialects & ANY_V1) != 0)
		return PCP_DOOR_SHORT;
	dialect = tell_dialect(msg, len, served);
	m->dialect = (uint8_t)dialect;
	if (!serves(served, dialect)) {
		m->dialect = (uint8_t)nearest(served);
		return pcp_refuse(PCP_UNSUPP_VERSION, result);
	}
	m->client = served->source;
	if (dialect == PCP_NATPMP)
		return pcp_natpmp_decode_request(msg, len, m, result);
	if (dialect == PCP_V1A)
		return pcp_v1a_decode_request(msg, len, served, m, result);
	if (pcp_body_length(dialect, m->opcode) < 0)
		m->opcode = PCP_NO_OPCODE;
	return decode_family(msg, len, served, m, result);
}

enum pcp_door pcp_decode_request(const uint8_t *msg, size_t len, const struct pcp_served *served,
	struct pcp_message *m, enum pcp_result *result)
{
	*m = (struct pcp_message){0};
	*result = PCP_SUCCESS;
	if (len < 2)
		return PCP_DOOR_SHORT;
	m->version = msg[0];
	m->wire_opcode = msg[1] & 0x7f;
	m->opcode = m->wire_opcode;
	m->response = (msg[1] & PCP_R_BIT) != 0;
	if (m->response)
		return PCP_DOOR_RESPONSE;
	if (m->version == PCP_VERSION && serves(served, PCP_V2))
		return decode_family(msg, len, served, m, result);
	return decode_other(msg, len, served, m, result);
}

// ---- responses -------------------------------------------------------------------------------

static bool decode_family_response(const uint8_t *msg, size_t len, struct pcp_message *m)
{
	const struct pcp_response_wire *wire = (const void *)msg;
	int body = pcp_body_length(m->dialect, m->opcode);

	if (len < PCP_HEADER || len > pcp_max_of(m->dialect) || len % 4 != 0)
		return false;
	m->has_nonce = m->dialect != PCP_V1B;
	m->result = wire->result;
	m->lifetime_s = be32_get(wire->lifetime);
	m->epoch_s = be32_get(wire->epoch);
	m->options_at = len;
	if (body < 0) // a later extension's answer: its header still tells the epoch
		return true;
	if (len < PCP_HEADER + (size_t)body)
		return m->result != PCP_SUCCESS;
	m->options_at = PCP_HEADER + (size_t)body;
	decode_opcode(msg, m);
	return true;
}

bool pcp_decode_response_in(
	enum pcp_dialect dialect, const uint8_t *msg, size_t len, struct pcp_message *m)
{
	*m = (struct pcp_message){0};
	if (len < 2 || msg[0] != pcp_version_of(dialect) || (msg[1] & PCP_R_BIT) == 0)
		return false;
	m->version = msg[0];
	m->dialect = (uint8_t)dialect;
	m->wire_opcode = msg[1] & 0x7f;
	m->opcode = m->wire_opcode;
	m->response = true;
	if (dialect == PCP_NATPMP)
		return pcp_natpmp_decode_response(msg, len, m);
	if (dialect == PCP_V1A)
		return pcp_v1a_decode_response(msg, len, m);
	return decode_family_response(msg, len, m);
}

bool pcp_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m)
{
	return pcp_decode_response_in(PCP_V2, msg, len, m);
}

// A NAT-PMP-only gateway answers with version 0 and the 16-bit result 1. What stands in octet 1
// differs: 128 (erratum 3618), 0 from gear built on the uncorrected text, 128 + opcode from
// others. So octet 1 is not looked at, and 4 octets are enough.
static bool is_natpmp_refusal(const uint8_t *msg, size_t len)
{
	return len >= 4 && msg[0] == 0 && msg[2] == 0 && msg[3] == PCP_UNSUPP_VERSION;
}

bool pcp_decode_version_refusal(const uint8_t *msg, size_t len, struct pcp_version_refusal *out)
{
	const struct pcp_response_wire *wire = (const void *)msg;

	*out = (struct pcp_version_refusal){0};
	if (is_natpmp_refusal(msg, len)) {
		out->lifetime_s = PCP_ERROR_LONG_S;
		return true;
	}
	if (len < 12 || (wire->opcode & PCP_R_BIT) == 0)
		return false;
	if (len < PCP_HEADER && wire->version != 1) // v1a has a shorter header, alike so far
		return false;
	if (wire->result != PCP_UNSUPP_VERSION)
		return false;
	out->version = wire->version;
	out->lifetime_s = be32_get(wire->lifetime);
	return true;
}
