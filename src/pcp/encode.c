// SPDX-License-Identifier: Apache-2.0
#include <postern/pcp.h>

#include "wire.h"

static void write_get(uint8_t *msg, const struct pcp_get *get)
{
	struct pcp_get_wire *wire = (void *)(msg + PCP_HEADER);

	*wire = (struct pcp_get_wire){
		.protocol = get->protocol,
		.internal_ip = get->internal_ip,
		.external_ip = get->external_ip,
		.internal_port = be16_of(get->internal_port),
		.external_port = be16_of(get->external_port),
	};
}

// In v1b the fields stand as if the body began 12 octets earlier, where there is no nonce.
static void write_map_or_peer(uint8_t *msg, const struct pcp_message *m)
{
	size_t missing = pcp_missing_nonce(m->dialect);
	struct pcp_peer_wire *wire = (void *)(msg + PCP_HEADER - missing);

	if (missing == 0)
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

// Behind the header, which is written already.
static void write_body(uint8_t *msg, const struct pcp_message *m)
{
	if (m->opcode == PCP_MAP || m->opcode == PCP_PEER)
		write_map_or_peer(msg, m);
	else if (m->opcode == PCP_GET)
		write_get(msg, &m->get);
}

// ---- replies ---------------------------------------------------------------------------------

// Octets 12..23 stay as they came when a request was not understood. One whose opcode has a name
// here, and is only switched off, was.
static bool is_understood(const struct pcp_message *m, const struct pcp_error *error)
{
	return error->parsed || (error->result == PCP_UNSUPP_OPCODE &&
					(m->opcode == PCP_AUTHENTICATION || m->opcode == PCP_GET));
}

size_t pcp_error_reply(uint8_t *msg, size_t len, size_t cap, const struct pcp_message *m,
	const struct pcp_error *error)
{
	struct pcp_response_wire *wire = (void *)msg;
	size_t max = pcp_max_of(m->dialect), kept = len < max ? len : max;
	size_t end = pcp_padded(kept);

	assert(len >= 2 && cap >= PCP_MAX);
	(void)cap;
	if (m->dialect == PCP_NATPMP)
		return pcp_natpmp_error_reply(msg, len, m, error);
	if (m->dialect == PCP_V1A)
		return pcp_v1a_error_reply(msg, len, m, error);
	if (end < PCP_HEADER)
		end = PCP_HEADER;
	memset(msg + kept, 0, end - kept);
	wire->version = pcp_version_of(m->dialect);
	wire->opcode |= PCP_R_BIT;
	wire->reserved = 0;
	wire->result = pcp_result_to_wire(m->dialect, error->result);
	wire->lifetime = be32_of(error->lifetime_s);
	wire->epoch = be32_of(error->epoch_s);
	if (is_understood(m, error))
		memset(wire->reserved2, 0, sizeof wire->reserved2);
	return end;
}

size_t pcp_success_reply(
	uint8_t *msg, const struct pcp_message *m, uint32_t lifetime_s, uint32_t epoch_s)
{
	struct pcp_response_wire *wire = (void *)msg;
	int body = pcp_body_length(m->dialect, m->opcode);

	if (m->dialect == PCP_NATPMP)
		return pcp_natpmp_success_reply(msg, m, lifetime_s, epoch_s);
	if (m->dialect == PCP_V1A)
		return pcp_v1a_success_reply(msg, m, lifetime_s, epoch_s);
	if (body < 0)
		return 0;
	*wire = (struct pcp_response_wire){
		.version = pcp_version_of(m->dialect),
		.opcode = (uint8_t)(PCP_R_BIT | m->opcode),
		.result = PCP_SUCCESS,
		.lifetime = be32_of(lifetime_s),
		.epoch = be32_of(epoch_s),
	};
	write_body(msg, m);
	return PCP_HEADER + (size_t)body;
}

// ---- requests --------------------------------------------------------------------------------

size_t pcp_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m)
{
	struct pcp_request_wire *wire = (void *)msg;
	int body = pcp_body_length(m->dialect, m->opcode);

	if (m->dialect == PCP_NATPMP)
		return pcp_natpmp_encode_request(msg, cap, m);
	if (m->dialect == PCP_V1A)
		return pcp_v1a_encode_request(msg, cap, m);
	if (body < 0 || cap < PCP_HEADER + (size_t)body)
		return 0;
	*wire = (struct pcp_request_wire){
		.version = pcp_version_of(m->dialect),
		.opcode = (uint8_t)m->opcode,
		.lifetime = be32_of(m->lifetime_s),
		.client = m->client,
	};
	write_body(msg, m);
	return PCP_HEADER + (size_t)body;
}
