// SPDX-License-Identifier: Apache-2.0
// NAT-PMP, RFC 6886: version 0 of the family, IPv4 only, no options, no nonces. Messages have fixed
// lengths: 2 and 12 octets ask, 12 and 16 answer. RFC 6886 s.3.5 says nothing of a request that is
// too short for its opcode; it is not answered. Octets behind a request are ignored.
#include <postern/pcp.h>

#include "wire.h"

enum {
	OP_ADDRESS,
	OP_MAP_UDP,
	OP_MAP_TCP,
	UDP = 17,
	TCP = 6
};

struct map_request { // s.3.3
	uint8_t version, opcode;
	be16 reserved;
	be16 internal_port, external_port;
	be32 lifetime;
};

struct response { // what all answers begin with
	uint8_t version, opcode;
	be16 result;
	be32 epoch;
};

struct address_response { // s.3.2
	struct response head;
	be32 address;
};

struct map_response { // s.3.3
	struct response head;
	be16 internal_port, external_port;
	be32 lifetime;
};

static_assert(sizeof(struct map_request) == 12, "RFC 6886 s.3.3: 12 octets");
static_assert(sizeof(struct response) == 8, "RFC 6886 s.3.5: 8 octets");
static_assert(sizeof(struct address_response) == 12, "RFC 6886 s.3.2: 12 octets");
static_assert(sizeof(struct map_response) == 16, "RFC 6886 s.3.3: 16 octets");

static void name_opcode(struct pcp_message *m)
{
	m->opcode = m->wire_opcode == OP_ADDRESS   ? PCP_EXTERNAL_ADDRESS
		    : m->wire_opcode <= OP_MAP_TCP ? PCP_MAP
						   : PCP_NO_OPCODE;
	if (m->opcode == PCP_MAP)
		m->protocol = m->wire_opcode == OP_MAP_UDP ? UDP : TCP;
}

// -1: NAT-PMP has no such opcode.
static int wire_opcode(const struct pcp_message *m)
{
	if (m->opcode == PCP_EXTERNAL_ADDRESS)
		return OP_ADDRESS;
	if (m->opcode != PCP_MAP || (m->protocol != UDP && m->protocol != TCP))
		return -1;
	return m->protocol == UDP ? OP_MAP_UDP : OP_MAP_TCP;
}

enum pcp_door pcp_natpmp_decode_request(
	const uint8_t *msg, size_t len, struct pcp_message *m, enum pcp_result *result)
{
	const struct map_request *wire = (const void *)msg;

	name_opcode(m);
	m->external_ip = ip6_mapped(0);
	if (m->opcode == PCP_NO_OPCODE)
		return pcp_refuse(PCP_UNSUPP_OPCODE, result);
	m->options_at = len;
	if (m->opcode == PCP_EXTERNAL_ADDRESS)
		return PCP_DOOR_OPEN;
	if (len < sizeof *wire)
		return PCP_DOOR_SHORT;
	m->internal_port = be16_get(wire->internal_port);
	m->external_port = be16_get(wire->external_port);
	m->lifetime_s = be32_get(wire->lifetime);
	if (m->lifetime_s == 0 && m->internal_port == 0)
		m->scope = PCP_ALL_OF_PROTOCOL; // s.3.4
	return PCP_DOOR_OPEN;
}

static void decode_answer(const uint8_t *msg, struct pcp_message *m)
{
	const struct address_response *address = (const void *)msg;
	const struct map_response *map = (const void *)msg;

	if (m->opcode == PCP_EXTERNAL_ADDRESS) {
		m->external_ip = ip6_mapped(be32_get(address->address));
		return;
	}
	m->internal_port = be16_get(map->internal_port);
	m->external_port = be16_get(map->external_port);
	m->lifetime_s = be32_get(map->lifetime);
}

bool pcp_natpmp_decode_response(const uint8_t *msg, size_t len, struct pcp_message *m)
{
	const struct response *head = (const void *)msg;
	size_t whole;

	if (len < sizeof *head)
		return false;
	m->result = pcp_result_from_wire(PCP_NATPMP, be16_get(head->result));
	m->epoch_s = be32_get(head->epoch);
	m->options_at = len;
	m->external_ip = ip6_mapped(0);
	name_opcode(m);
	whole = m->opcode == PCP_MAP ? sizeof(struct map_response)
				     : sizeof(struct address_response);
	if (len >= whole && m->opcode != PCP_NO_OPCODE)
		decode_answer(msg, m);
	if (m->result == PCP_SUCCESS)
		return len >= whole && m->opcode != PCP_NO_OPCODE;
	m->lifetime_s = pcp_result_lifetime_s((enum pcp_result)m->result);
	return true;
}

size_t pcp_natpmp_encode_request(uint8_t *msg, size_t cap, const struct pcp_message *m)
{
	struct map_request *wire = (void *)msg;
	int opcode = wire_opcode(m);
	size_t len = opcode == OP_ADDRESS ? 2 : sizeof *wire;

	if (opcode < 0 || cap < len)
		return 0;
	msg[0] = 0;
	msg[1] = (uint8_t)opcode;
	if (opcode == OP_ADDRESS)
		return len;
	wire->reserved = be16_of(0);
	wire->internal_port = be16_of(m->internal_port);
	wire->external_port = be16_of(m->external_port);
	wire->lifetime = be32_of(m->lifetime_s);
	return len;
}

static size_t answer(uint8_t *msg, const struct pcp_message *m, uint8_t result, uint32_t epoch_s)
{
	struct address_response *address = (void *)msg;
	struct map_response *map = (void *)msg;
	int opcode = wire_opcode(m);

	if (opcode < 0)
		return 0;
	address->head = (struct response){
		.opcode = (uint8_t)(PCP_R_BIT | opcode),
		.result = be16_of(result),
		.epoch = be32_of(epoch_s),
	};
	if (opcode == OP_ADDRESS) {
		address->address = be32_of(0);
		return sizeof *address;
	}
	map->internal_port = be16_of(m->internal_port);
	map->external_port = be16_of(0);
	map->lifetime = be32_of(0);
	return sizeof *map;
}

size_t pcp_natpmp_success_reply(
	uint8_t *msg, const struct pcp_message *m, uint32_t lifetime_s, uint32_t epoch_s)
{
	struct address_response *address = (void *)msg;
	struct map_response *map = (void *)msg;
	size_t len = answer(msg, m, PCP_SUCCESS, epoch_s);

	if (len == sizeof *address) {
		address->address = be32_of(ip6_to_ip4(m->external_ip));
	} else if (len == sizeof *map && lifetime_s > 0) { // s.3.4: a deletion's fields are zero
		map->external_port = be16_of(m->external_port);
		map->lifetime = be32_of(lifetime_s);
	}
	return len;
}

// s.3.5: the request goes back as it came, the Epoch's place included. One that has no such place
// is made long enough for it.
static size_t echo_opcode(uint8_t *msg, size_t len, uint32_t epoch_s)
{
	struct response *head = (void *)msg;

	msg[1] |= PCP_R_BIT;
	head->result = be16_of(pcp_result_to_wire(PCP_NATPMP, PCP_UNSUPP_OPCODE));
	if (len >= 4)
		return len < PCP_MAX ? len : PCP_MAX;
	head->epoch = be32_of(epoch_s);
	return sizeof *head;
}

size_t pcp_natpmp_error_reply(
	uint8_t *msg, size_t len, const struct pcp_message *m, const struct pcp_error *error)
{
	struct response *head = (void *)msg;
	uint8_t code = pcp_result_to_wire(PCP_NATPMP, error->result);

	if (error->result == PCP_MALFORMED_REQUEST)
		return 0;
	if (error->result == PCP_UNSUPP_OPCODE)
		return echo_opcode(msg, len, error->epoch_s);
	if (error->result != PCP_UNSUPP_VERSION)
		return answer(msg, m, code, error->epoch_s);
	*head = (struct response){
		.opcode = PCP_R_BIT, // erratum 3618
		.result = be16_of(code),
		.epoch = be32_of(error->epoch_s),
	};
	return sizeof *head;
}
