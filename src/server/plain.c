// SPDX-License-Identifier: Apache-2.0
// The short way of the plain MAP request: version 2, no options, from the host it is about, for one
// port of TCP or UDP. What it answers is octet for octet what the long way would have answered, and
// it counts the same; a test asks both.
#include "judge.h"

enum {
	PLAIN_LEN = PCP_HEADER + PCP_MAP_BODY
};

struct plain_wire { // request and response alike, RFC 6887 s.7.1, s.7.2, s.11.1
	uint8_t version, opcode, reserved, result;
	be32 lifetime;
	union {
		ip6 client;
		struct {
			be32 epoch;
			uint8_t zeros[12];
		} told;
	};
	struct pcp_map_wire map;
};

static_assert(sizeof(struct plain_wire) == PLAIN_LEN, "RFC 6887 s.11.1: 24 and 36 octets");

// Nothing of the policy asks for a closer look.
static bool policy_is_plain(const struct server_policy *policy, const struct server_asker *asker)
{
	return policy->enabled && (policy->opcodes >> SERVER_MAP & 1) != 0 &&
	       (policy->dialects & PCP_SERVES(PCP_V2)) != 0 && policy->early_delete &&
	       !policy->any_nonce && policy->n_prefix64 == 0 && asker->authorized &&
	       !asker->stranger;
}

static bool request_is_plain(
	const struct plain_wire *wire, size_t len, const struct server_asker *asker)
{
	return len == PLAIN_LEN && wire->version == PCP_VERSION && wire->opcode == PCP_MAP &&
	       ip6_eq(wire->client, ip6_mapped(asker->source)) &&
	       (wire->map.protocol == IP_UDP || wire->map.protocol == IP_TCP) &&
	       !be16_eq(wire->map.internal_port, 0);
}

static bool names_no_address(const struct plain_wire *wire)
{
	static const ip6 nothing;

	return ip6_eq(wire->map.external_ip, nothing) ||
	       ip6_eq(wire->map.external_ip, ip6_mapped(0));
}

// Nothing, or all of a pair.
static bool suggestion_is_plain(const struct plain_wire *wire)
{
	if (be16_eq(wire->map.external_port, 0))
		return names_no_address(wire);
	return ip6_is_mapped(wire->map.external_ip) && !names_no_address(wire);
}

static struct recipe suggestion_of(const struct plain_wire *wire)
{
	return (struct recipe){
		ip6_to_ip4(wire->map.external_ip), be16_get(wire->map.external_port)};
}

static uint32_t lifetime_of(const struct plain_wire *wire, const struct server_policy *policy)
{
	uint32_t asked_s = be32_get(wire->lifetime);

	if (asked_s == 0)
		return 0;
	return min_u32(max_u32(asked_s, policy->lifetime_min_s), policy->lifetime_max_s);
}

// The key is written at once, for at once it is read: a load waits for several stores before it.
static struct nat_key key_of(const struct plain_wire *wire, const struct server_asker *asker)
{
	uint64_t protocol = wire->map.protocol == IP_TCP ? NAT_TCP : NAT_UDP;
	uint64_t word = asker->source | (uint64_t)be16_get(wire->map.internal_port) << 32 |
			(uint64_t)asker->realm << 48 | protocol << 56;
	struct nat_key key;

	static_assert(offsetof(struct nat_key, port) == 4 && offsetof(struct nat_key, realm) == 6 &&
			      offsetof(struct nat_key, protocol) == 7,
		"as the word has them");
	memcpy(&key, &word, sizeof key);
	return key;
}

static inline void read_plain(struct nat_plain *p, const struct plain_wire *wire,
	const struct server_policy *policy, const struct server_asker *asker)
{
	p->key = key_of(wire, asker);
	memcpy(p->nonce, wire->map.nonce, sizeof p->nonce);
	p->client_port = asker->port;
	p->dialect = PCP_V2;
	p->lifetime_s = lifetime_of(wire, policy);
}

// Of an error, and of an end, the body stays as it came (s.8.2, s.15.1).
static void write_head(
	struct plain_wire *wire, enum pcp_result result, uint32_t lifetime_s, uint32_t epoch_s)
{
	wire->opcode = 0x80 | PCP_MAP;
	wire->reserved = 0;
	wire->result = (uint8_t)result;
	wire->lifetime = be32_of(lifetime_s);
	wire->told.epoch = be32_of(epoch_s);
	memset(wire->told.zeros, 0, sizeof wire->told.zeros);
}

static void count(const struct server_asker *asker, struct server_counters *counters,
	enum pcp_result result, uint32_t until_s)
{
	struct server_client *client = asker->client;

	counters->requests++;
	counters->dialects[PCP_V2]++;
	counters->opcodes[SERVER_MAP]++;
	counters->results[pcp_result_index(result)]++;
	if (client == NULL)
		return;
	client->port = asker->port;
	client->group = asker->group;
	client->dialect = PCP_V2;
	client->holds_until_s = max_u32(client->holds_until_s, until_s);
}

static void grant(const struct server_asker *asker, struct server_counters *counters,
	struct plain_wire *wire, const struct nat_plain *p, struct recipe external, uint32_t now_s)
{
	count(asker, counters, PCP_SUCCESS, now_s + p->lifetime_s);
	write_head(wire, PCP_SUCCESS, p->lifetime_s, asker->epoch_s);
	memset(wire->map.reserved, 0, sizeof wire->map.reserved);
	if (p->lifetime_s == 0)
		return;
	wire->map.external_port = be16_of(external.port);
	wire->map.external_ip = ip6_mapped(external.addr);
}

static void refuse_foreign(const struct server_asker *asker, struct server_counters *counters,
	struct plain_wire *wire, uint32_t left_s)
{
	counters->nonce_mismatches++;
	count(asker, counters, PCP_NOT_AUTHORIZED, 0);
	write_head(wire, PCP_NOT_AUTHORIZED, left_s, asker->epoch_s);
}

// ---- an opcode that nobody knows -------------------------------------------------------------

static bool opcode_is_nobodys(
	const struct plain_wire *wire, size_t len, const struct server_policy *policy)
{
	if (len < PCP_HEADER || len > PCP_MAX || len % 4 != 0 || wire->version != PCP_VERSION ||
		(policy->dialects & PCP_SERVES(PCP_V2)) == 0)
		return false;
	switch (wire->opcode) {
	case PCP_ANNOUNCE:
	case PCP_MAP:
	case PCP_PEER:
	case PCP_AUTHENTICATION:
	case PCP_GET:
		return false;
	default:
		return wire->opcode < 0x80; // the R bit: no request
	}
}

// s.7.2, s.8.2: the request comes back whole.
static void refuse_opcode(
	const struct server_asker *asker, struct server_counters *counters, struct plain_wire *wire)
{
	counters->requests++;
	counters->dialects[PCP_V2]++;
	counters->opcodes[SERVER_OTHER_OPCODE]++;
	counters->results[pcp_result_index(PCP_UNSUPP_OPCODE)]++;
	wire->opcode |= 0x80;
	wire->reserved = 0;
	wire->result = PCP_UNSUPP_OPCODE;
	wire->lifetime = be32_of(pcp_result_lifetime_s(PCP_UNSUPP_OPCODE));
	wire->told.epoch = be32_of(asker->epoch_s);
}

enum server_plain server_answer_known(struct nat *n, const struct server_policy *policy,
	const struct server_asker *asker, uint8_t *msg, size_t len, uint32_t now_s,
	struct server_counters *counters)
{
	struct plain_wire *wire = (void *)msg;
	struct recipe external = {0, 0};
	struct nat_plain p;
	uint32_t left_s;

	if (unlikely(opcode_is_nobodys(wire, len, policy))) {
		refuse_opcode(asker, counters, wire);
		return SERVER_PLAIN_ANSWERED;
	}
	if (!request_is_plain(wire, len, asker) || !policy_is_plain(policy, asker))
		return SERVER_PLAIN_NOT;
	read_plain(&p, wire, policy, asker);
	switch (nat_plain_find(n, &p, now_s, &external, &left_s)) {
	case NAT_PLAIN_FOREIGN:
		refuse_foreign(asker, counters, wire, left_s);
		return SERVER_PLAIN_ANSWERED;
	case NAT_PLAIN_RENEWED:
		counters->maps_renewed++;
		grant(asker, counters, wire, &p, external, now_s);
		return SERVER_PLAIN_ANSWERED;
	case NAT_PLAIN_ENDED:
		counters->maps_deleted++;
		grant(asker, counters, wire, &p, external, now_s);
		return SERVER_PLAIN_ANSWERED;
	case NAT_PLAIN_ABSENT:
		return p.lifetime_s != 0 && asker->have_external && suggestion_is_plain(wire)
			       ? SERVER_PLAIN_NEW
			       : SERVER_PLAIN_NOT;
	default:
		return SERVER_PLAIN_NOT;
	}
}

bool server_answer_new(struct nat *n, const struct nat_policy *nat_policy,
	const struct server_policy *policy, const struct server_asker *asker, uint8_t *msg,
	uint32_t now_s, struct server_counters *counters)
{
	struct plain_wire *wire = (void *)msg;
	struct nat_plain p;
	struct recipe external;

	read_plain(&p, wire, policy, asker);
	p.suggested = suggestion_of(wire);
	if (!asker->may_create ||
		!nat_plain_make(n, nat_policy, asker->group, &p, now_s, &external))
		return false;
	counters->maps_created++;
	grant(asker, counters, wire, &p, external, now_s);
	return true;
}

// ---- what the look ahead needs to know -------------------------------------------------------

bool server_foresee(
	const uint8_t *msg, size_t len, ip4 source, uint8_t realm, struct nat_ahead *ahead)
{
	const struct plain_wire *wire = (const void *)msg;

	if (len < PLAIN_LEN || wire->version != PCP_VERSION || wire->opcode != PCP_MAP)
		return false;
	*ahead = (struct nat_ahead){.key = {source, be16_get(wire->map.internal_port), realm,
					    wire->map.protocol == IP_TCP ? NAT_TCP : NAT_UDP},
		.leases = true,
		.ends = be32_get(wire->lifetime) == 0,
		.suggested = suggestion_of(wire)};
	return true;
}
