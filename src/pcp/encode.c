// SPDX-License-Identifier: Apache-2.0
#include <postern/pcp.h>

#include "wire.h"

size_t pcp_error_reply(uint8_t *msg, size_t len, size_t cap, enum pcp_result result, bool parsed,
	uint32_t lifetime_s, uint32_t epoch_s)
{
	struct pcp_response_wire *wire = (void *)msg;
	size_t kept = len < PCP_MAX ? len : PCP_MAX;
	size_t end = pcp_padded(kept);

	assert(len >= 2 && cap >= PCP_MAX);
	if (end < PCP_HEADER)
		end = PCP_HEADER;
	memset(msg + kept, 0, end - kept);
	wire->version = PCP_VERSION;
	wire->opcode |= PCP_R_BIT;
	wire->reserved = 0;
	wire->result = (uint8_t)result;
	wire->lifetime = be32_of(lifetime_s);
	wire->epoch = be32_of(epoch_s);
	if (parsed)
		memset(wire->reserved2, 0, sizeof wire->reserved2);
	return end;
}

size_t pcp_success_header(uint8_t *msg, uint32_t lifetime_s, uint32_t epoch_s)
{
	struct pcp_response_wire *wire = (void *)msg;

	wire->opcode |= PCP_R_BIT;
	wire->reserved = 0;
	wire->result = PCP_SUCCESS;
	wire->lifetime = be32_of(lifetime_s);
	wire->epoch = be32_of(epoch_s);
	memset(wire->reserved2, 0, sizeof wire->reserved2);
	return PCP_HEADER;
}

void pcp_write_body(uint8_t *msg, const struct pcp_message *m)
{
	struct pcp_peer_wire *wire = (void *)(msg + PCP_HEADER);

	if (m->opcode != PCP_MAP && m->opcode != PCP_PEER)
		return;
	memcpy(wire->map.nonce, m->nonce.b, sizeof wire->map.nonce);
	wire->map.protocol = m->protocol;
	memset(wire->map.reserved, 0, sizeof wire->map.reserved);
	wire->map.internal_port = be16_of(m->internal_port);
	wire->map.external_port = be16_of(m->external_port);
	wire->map.external_ip = m->external_ip;
	if (m->opcode == PCP_MAP)
		return;
	wire->remote_port = be16_of(m->remote_port);
	wire->reserved = be16_of(0);
	wire->remote_ip = m->remote_ip;
}

size_t pcp_append_option(
	uint8_t *msg, size_t at, size_t cap, uint8_t code, const void *data, uint16_t length)
{
	struct pcp_option_wire *wire = (void *)(msg + at);
	size_t end = at + sizeof *wire + pcp_padded(length);

	if (end > cap)
		return 0;
	*wire = (struct pcp_option_wire){.code = code, .length = be16_of(length)};
	memset(msg + at + sizeof *wire, 0, pcp_padded(length));
	if (length > 0)
		memcpy(msg + at + sizeof *wire, data, length);
	return end;
}

size_t pcp_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m)
{
	struct pcp_request_wire *wire = (void *)msg;
	int body = pcp_body_length(m->opcode);

	assert(body >= 0);
	if (cap < PCP_HEADER + (size_t)body)
		return 0;
	*wire = (struct pcp_request_wire){
		.version = PCP_VERSION,
		.opcode = m->opcode,
		.lifetime = be32_of(m->lifetime_s),
		.client = m->client,
	};
	pcp_write_body(msg, m);
	return PCP_HEADER + (size_t)body;
}
