// SPDX-License-Identifier: Apache-2.0
// v1a: draft-ietf-pcp-base-07 of March 2011, which a widely used service router speaks. Requests
// have a header of 8 octets and answers one of 12; there is no client address and no nonce. An
// opcode's digit is a family: the external one for MAP, the remote peer's for PEER. IPv4 addresses
// are 4 plain octets.
#include <postern/pcp.h>

#include "wire.h"

enum {
	MAP4 = 1,
	MAP6,
	PEER4,
	PEER6
};

enum {
	AF_IP4 = 1,
	AF_IP6 = 2
}; // External_AF

struct request_head {
	uint8_t version, opcode;
	be16 reserved;
	be32 lifetime;
};

struct response_head {
	uint8_t version, opcode, reserved, result;
	be32 lifetime, epoch;
};

struct body { // what MAP and PEER begin with; MAP: the external address follows
	uint8_t protocol;
	uint8_t external_af; // PEER responses; else reserved
	uint8_t reserved[2];
	be16 internal_port;
	be16 external_port; // PEER requests: reserved
};

struct remote { // PEER: between body and remote address; the external address follows that
	be16 port, reserved;
};

static_assert(sizeof(struct request_head) == 8, "draft-ietf-pcp-base-07: 8 octets");
static_assert(sizeof(struct response_head) == 12, "draft-ietf-pcp-base-07: 12 octets");
static_assert(sizeof(struct body) == 8, "draft-ietf-pcp-base-07: 8 octets before the address");

#define HEADS_DIFFER (sizeof(struct response_head) - sizeof(struct request_head))

static bool is_six(unsigned wire_opcode)
{
	return wire_opcode == MAP6 || wire_opcode == PEER6;
}

static uint16_t opcode_of(unsigned wire_opcode)
{
	return wire_opcode == MAP4 || wire_opcode == MAP6     ? PCP_MAP
	       : wire_opcode == PEER4 || wire_opcode == PEER6 ? PCP_PEER
							      : PCP_NO_OPCODE;
}

// 0: v1a has no such opcode.
static unsigned wire_opcode(const struct pcp_message *m)
{
	if (m->opcode != PCP_MAP && m->opcode != PCP_PEER)
		return 0;
	if (opcode_of(m->wire_opcode) == m->opcode)
		return m->wire_opcode;
	if (m->opcode == PCP_MAP)
		return ip6_is_mapped(m->external_ip) ? MAP4 : MAP6;
	return ip6_is_mapped(m->remote_ip) ? PEER4 : PEER6;
}

static size_t body_length(unsigned opcode)
{
	size_t address = is_six(opcode) ? 16 : 4;

	if (opcode_of(opcode) == PCP_MAP)
		return sizeof(struct body) + address;
	return sizeof(struct body) + sizeof(struct remote) + address + 16;
}

static ip6 get_address(const uint8_t *at, bool six)
{
	be32 four;
	ip6 a;

	memcpy(a.b, at, six ? sizeof a.b : sizeof four);
	if (six)
		return a;
	memcpy(four.b, at, sizeof four.b);
	return ip6_mapped(be32_get(four));
}

// Gives back where the next field stands.
static uint8_t *put_address(uint8_t *at, bool six, ip6 a)
{
	if (six) {
		memcpy(at, a.b, sizeof a.b);
		return at + sizeof a.b;
	}
	memcpy(at, a.b + 12, 4);
	return at + 4;
}

// ---- reading ---------------------------------------------------------------------------------

static void decode_body(const uint8_t *at, struct pcp_message *m)
{
	const struct body *body = (const void *)at;
	const struct remote *remote = (const void *)(at + sizeof *body);
	bool six = is_six(m->wire_opcode);

	m->protocol = body->protocol;
	m->internal_port = be16_get(body->internal_port);
	if (m->opcode == PCP_MAP) {
		m->external_port = be16_get(body->external_port);
		m->external_ip = get_address(at + sizeof *body, six);
		return;
	}
	at += sizeof *body + sizeof *remote;
	m->remote_port = be16_get(remote->port);
	m->remote_ip = get_address(at, six);
	m->external_ip = ip6_mapped(0);
	if (!m->response)
		return;
	m->external_port = be16_get(body->external_port);
	m->external_ip = get_address(at + (six ? 16 : 4), body->external_af == AF_IP6);
}

static enum pcp_scope scope_of(const struct pcp_message *m)
{
	if (m->internal_port == 0)
		return m->protocol == 0 ? PCP_ALL : PCP_ALL_OF_PROTOCOL;
	return m->protocol == 0 ? PCP_ALL_OF_PORT : PCP_ONE;
}

enum pcp_door pcp_v1a_decode_request(const uint8_t *msg, size_t len,
	const struct pcp_served *served, struct pcp_message *m, enum pcp_result *result)
{
	const struct request_head *head = (const void *)msg;
	size_t end;

	m->opcode = opcode_of(m->wire_opcode);
	if (len < sizeof *head || len > PCP_V1_MAX || len % 4 != 0)
		return pcp_refuse(PCP_MALFORMED_REQUEST, result);
	m->lifetime_s = be32_get(head->lifetime);
	if (m->opcode == PCP_NO_OPCODE || (is_six(m->wire_opcode) && !served->external_ip6))
		return pcp_refuse(PCP_UNSUPP_OPCODE, result);
	end = sizeof *head + body_length(m->wire_opcode);
	if (len < end)
		return pcp_refuse(PCP_MALFORMED_REQUEST, result);
	decode_body(msg + sizeof *head, m);
	m->options_at = end;
	if (m->opcode != PCP_MAP)
		return PCP_DOOR_OPEN;
	if (m->lifetime_s == 0)
		m->scope = (uint8_t)scope_of(m);
	else if (m->internal_port == 0) // wildcards are there to delete only
		return pcp_refuse(PCP_MALFORMED_REQUEST, result);
	return PCP_DOOR_OPEN;
}

bool pcp_v1a_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m)
{
	const struct response_head *head = (const void *)msg;
	size_t end;

	if (len < sizeof *head || len > PCP_V1_MAX || len % 4 != 0)
		return false;
	m->opcode = opcode_of(m->wire_opcode);
	m->result = pcp_result_from_wire(PCP_V1A, head->result);
	m->lifetime_s = be32_get(head->lifetime);
	m->epoch_s = be32_get(head->epoch);
	m->options_at = len;
	if (m->opcode == PCP_NO_OPCODE)
		return m->result != PCP_SUCCESS;
	end = sizeof *head + body_length(m->wire_opcode);
	if (len < end)
		return m->result != PCP_SUCCESS;
	decode_body(msg + sizeof *head, m);
	m->options_at = end;
	return true;
}

// ---- writing ---------------------------------------------------------------------------------

static void write_peer(uint8_t *at, unsigned opcode, const struct pcp_message *m, bool response)
{
	struct body *body = (void *)at;
	struct remote *remote = (void *)(at + sizeof *body);
	bool external_six = !ip6_is_mapped(m->external_ip);

	*remote = (struct remote){.port = be16_of(m->remote_port)};
	at = put_address(at + sizeof *body + sizeof *remote, is_six(opcode), m->remote_ip);
	memset(at, 0, 16);
	if (!response)
		return;
	body->external_af = external_six ? AF_IP6 : AF_IP4;
	body->external_port = be16_of(m->external_port);
	put_address(at, external_six, m->external_ip);
}

static void write_body(uint8_t *at, unsigned opcode, const struct pcp_message *m, bool response)
{
	struct body *body = (void *)at;

	*body = (struct body){
		.protocol = m->protocol,
		.internal_port = be16_of(m->internal_port),
	};
	if (m->opcode == PCP_PEER) {
		write_peer(at, opcode, m, response);
		return;
	}
	body->external_port = be16_of(m->external_port);
	put_address(at + sizeof *body, is_six(opcode), m->external_ip);
}

size_t pcp_v1a_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m)
{
	struct request_head *head = (void *)msg;
	unsigned opcode = wire_opcode(m);
	size_t end = sizeof *head + body_length(opcode);

	if (opcode == 0 || cap < end)
		return 0;
	*head = (struct request_head){
		.version = 1,
		.opcode = (uint8_t)opcode,
		.lifetime = be32_of(m->lifetime_s),
	};
	write_body(msg + sizeof *head, opcode, m, false);
	return end;
}

static void write_head(
	uint8_t *msg, unsigned opcode, uint8_t result, uint32_t lifetime_s, uint32_t epoch_s)
{
	struct response_head *head = (void *)msg;

	*head = (struct response_head){
		.version = 1,
		.opcode = (uint8_t)(PCP_R_BIT | opcode),
		.result = result,
		.lifetime = be32_of(lifetime_s),
		.epoch = be32_of(epoch_s),
	};
}

size_t pcp_v1a_success_reply(
	uint8_t *msg, const struct pcp_message *m, uint32_t lifetime_s, uint32_t epoch_s)
{
	unsigned opcode = wire_opcode(m);

	if (opcode == 0)
		return 0;
	write_head(msg, opcode, 0, lifetime_s, epoch_s);
	write_body(msg + sizeof(struct response_head), opcode, m, true);
	return sizeof(struct response_head) + body_length(opcode);
}

// ---- error replies ---------------------------------------------------------------------------
// The draft does not say how a copy is aligned behind the longer header of an answer. Here the
// request's octets from 8 on come to stand at 12.

// Moves everything from `from` on 4 octets up and pads it; the new end.
static size_t move_tail(uint8_t *msg, size_t from, size_t len)
{
	size_t end = pcp_padded(len);

	if (len <= from)
		return from + HEADS_DIFFER;
	memmove(msg + from + HEADS_DIFFER, msg + from, len - from);
	memset(msg + len + HEADS_DIFFER, 0, end - len);
	return end + HEADS_DIFFER;
}

// The fields of an answer that assigns nothing: zeros, External_AF 1.
static void write_unassigned(uint8_t *msg, const struct pcp_message *m)
{
	struct pcp_message none = *m;

	none.external_port = 0;
	none.external_ip = m->wire_opcode == MAP6 ? (ip6){0} : ip6_mapped(0);
	write_body(msg + sizeof(struct response_head), m->wire_opcode, &none, true);
}

// UNSUPP_OPTION and MALFORMED_OPTION list what was not processed. When nobody was blamed, that is
// the option at which the walk stops.
static size_t find_unprocessed(const uint8_t *msg, size_t len, const struct pcp_message *m,
	const struct pcp_option *blamed, uint8_t *code)
{
	struct pcp_option o;
	size_t at = m->options_at;

	if (blamed) {
		*code = blamed->wire_code;
		return 1;
	}
	while (at < len && pcp_next_option(msg, len, m, &at, &o))
		;
	if (at >= len)
		return 0;
	*code = msg[at];
	return 1;
}

static size_t answer_options(
	uint8_t *msg, size_t len, const struct pcp_message *m, const struct pcp_error *error)
{
	size_t end = m->options_at + HEADS_DIFFER;
	uint8_t code;
	size_t n;

	switch (error->result) {
	case PCP_MALFORMED_REQUEST:
	case PCP_MISORDERED_OPTIONS:
		return end;
	case PCP_UNSUPP_OPTION:
	case PCP_MALFORMED_OPTION:
		n = find_unprocessed(msg, len, m, error->blamed, &code);
		return pcp_append_option(
			msg, end, PCP_V1_MAX, PCP_V1A_UNPROCESSED, &code, (uint16_t)n);
	default:
		return move_tail(msg, m->options_at, len);
	}
}

size_t pcp_v1a_error_reply(
	uint8_t *msg, size_t len, const struct pcp_message *m, const struct pcp_error *error)
{
	size_t kept = len < PCP_V1_MAX - HEADS_DIFFER ? len : PCP_V1_MAX - HEADS_DIFFER;
	size_t end;

	if (m->options_at == 0 || error->result == PCP_UNSUPP_OPCODE) {
		end = move_tail(msg, sizeof(struct request_head), kept);
	} else {
		end = answer_options(msg, kept, m, error);
		write_unassigned(msg, m);
	}
	write_head(msg, m->wire_opcode, pcp_result_to_wire(PCP_V1A, error->result),
		error->lifetime_s, error->epoch_s);
	return end;
}
