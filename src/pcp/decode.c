// SPDX-License-Identifier: Apache-2.0
// How a request is let in (RFC 6887 s.8.2): first what is dropped in silence, then the version,
// then length and opcode. Only behind that door are header and body looked at, and only the option
// walk may still find a broken structure. Everything is bytes with alignment 1: no copies needed.
#include <postern/pcp.h>

#include "wire.h"

static void decode_body(const uint8_t *body, struct pcp_message *m)
{
	const struct pcp_map_wire *map = (const void *)body;

	if (m->opcode == PCP_ANNOUNCE)
		return;
	memcpy(m->nonce.b, map->nonce, sizeof m->nonce.b);
	m->protocol = map->protocol;
	m->internal_port = be16_get(map->internal_port);
	m->external_port = be16_get(map->external_port);
	m->external_ip = map->external_ip;
	if (m->opcode == PCP_PEER) {
		const struct pcp_peer_wire *peer = (const void *)body;
		m->remote_port = be16_get(peer->remote_port);
		m->remote_ip = peer->remote_ip;
	}
}

static enum pcp_door refuse(enum pcp_result why, enum pcp_result *result)
{
	*result = why;
	return PCP_DOOR_REFUSE;
}

enum pcp_door pcp_decode_request(
	const uint8_t *msg, size_t len, struct pcp_message *m, enum pcp_result *result)
{
	const struct pcp_request_wire *wire = (const void *)msg;
	int body;

	*m = (struct pcp_message){0};
	*result = PCP_SUCCESS;
	if (len < 2)
		return PCP_DOOR_SHORT;
	m->version = msg[0];
	m->opcode = msg[1] & 0x7f;
	m->response = (msg[1] & PCP_R_BIT) != 0;
	if (m->response)
		return PCP_DOOR_RESPONSE;
	if (m->version != PCP_VERSION)
		return refuse(PCP_UNSUPP_VERSION, result);
	if (len < PCP_HEADER)
		return PCP_DOOR_SHORT;
	m->lifetime_s = be32_get(wire->lifetime);
	m->client = wire->client;
	if (len > PCP_MAX || len % 4 != 0)
		return refuse(PCP_MALFORMED_REQUEST, result);
	body = pcp_body_length(m->opcode);
	if (body < 0)
		return refuse(PCP_UNSUPP_OPCODE, result);
	m->options_at = PCP_HEADER + (size_t)body;
	if (len < m->options_at)
		return refuse(PCP_MALFORMED_REQUEST, result);
	decode_body(msg + PCP_HEADER, m);
	return PCP_DOOR_OPEN;
}

enum pcp_result pcp_decode_options(const uint8_t *msg, size_t len, const struct pcp_message *m,
	struct pcp_option *options, size_t max, size_t *n)
{
	struct reader r = {.at = msg + m->options_at, .end = msg + len};

	*n = 0;
	while (reader_left(&r) > 0) {
		struct pcp_option o = {.code = read_u8(&r)};

		read_u8(&r); // reserved: ignored
		o.length = read_u16(&r);
		if (r.bad || pcp_padded(o.length) > reader_left(&r) || *n == max)
			return PCP_MALFORMED_OPTION;
		o.data = o.length > 0 ? r.at : NULL;
		r.at += pcp_padded(o.length);
		options[(*n)++] = o;
	}
	return PCP_SUCCESS;
}

bool pcp_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m)
{
	const struct pcp_response_wire *wire = (const void *)msg;
	int body;

	*m = (struct pcp_message){0};
	if (len < PCP_HEADER || len > PCP_MAX || len % 4 != 0)
		return false;
	if (wire->version != PCP_VERSION || (wire->opcode & PCP_R_BIT) == 0)
		return false;
	m->version = wire->version;
	m->opcode = wire->opcode & 0x7f;
	m->response = true;
	m->result = wire->result;
	m->lifetime_s = be32_get(wire->lifetime);
	m->epoch_s = be32_get(wire->epoch);
	body = pcp_body_length(m->opcode);
	if (body < 0) { // a later extension's answer: its header still tells the epoch
		m->options_at = len;
		return true;
	}
	m->options_at = PCP_HEADER + (size_t)body;
	if (len >= m->options_at) {
		decode_body(msg + PCP_HEADER, m);
		return true;
	}
	m->options_at = len;
	return m->result != PCP_SUCCESS;
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
	if (len < PCP_HEADER || (wire->opcode & PCP_R_BIT) == 0)
		return false;
	if (wire->result != PCP_UNSUPP_VERSION)
		return false;
	out->version = wire->version;
	out->lifetime_s = be32_get(wire->lifetime);
	return true;
}
