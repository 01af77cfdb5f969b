// SPDX-License-Identifier: Apache-2.0
// Which version 1 is it? Between March 2011 and August 2012 six layouts went by that number. They
// are told apart by what a well-formed message of each must contain; length alone does not do: 48
// octets are a plain v1b MAP, and a v1a MAP4 with 28 octets of options. Tried on random packets of
// every dialect (tests/unit/pcp/v1.c), nothing valid lands wrong except, rarely, a v1c message with
// a zero nonce that no client would send.
#include <postern/pcp.h>

#include "wire.h"

enum {
	V1B_BODY_IP = 32, // where v1b has the external address
	V1C_PROTOCOL = 36,
};

static ip6 address_at(const uint8_t *msg)
{
	ip6 a;

	memcpy(a.b, msg, sizeof a.b);
	return a;
}

static bool is_zero(const uint8_t *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (octets[i] != 0)
			return false;
	return true;
}

// The header of version 2: octets 8..23 are the client's address. A wrong one (ADDRESS_MISMATCH)
// is still recognised when it is an IPv4 address.
static bool has_client(const uint8_t *msg, const struct pcp_served *served)
{
	ip6 client = address_at(msg + 8);

	return ip6_eq(client, served->source) || ip6_is_mapped(client);
}

// Drafts -08 to -12: 4 reserved octets, then the client's address, IPv4 in the first 4 octets.
static bool is_v1m(const uint8_t *msg, size_t len, const struct pcp_served *served)
{
	ip6 source = served->source;

	if (len < 28 || !is_zero(msg + 8, 4))
		return false;
	if (!ip6_is_mapped(source))
		return ip6_eq(address_at(msg + 12), source);
	return memcmp(msg + 12, source.b + 12, 4) == 0 && is_zero(msg + 16, 12);
}

static bool may_be_external(ip6 a)
{
	return ip6_is_mapped(a) || (a.b[0] & 0xe0) == 0x20 || (a.b[0] & 0xfe) == 0xfc ||
	       is_zero(a.b, sizeof a.b);
}

// v1b has no nonce: zeros stand behind the protocol, and an address where v1c has the end of the
// nonce and its protocol. What would be options there does not begin with option 0.
static bool looks_v1b(const uint8_t *msg, size_t len, size_t v1b_end)
{
	size_t v1c_end = v1b_end + sizeof(struct pcp_nonce);

	if (len < v1b_end || !is_zero(msg + PCP_HEADER + 1, 3))
		return false;
	if (!may_be_external(address_at(msg + V1B_BODY_IP)))
		return false;
	return len < v1c_end || !is_zero(msg + v1b_end, 4);
}

static bool looks_v1c(const uint8_t *msg, size_t len, size_t v1c_end)
{
	return len >= v1c_end && is_zero(msg + V1C_PROTOCOL + 1, 3);
}

// ANNOUNCE and unknown opcodes have no body that could tell: whichever is served.
static enum pcp_dialect tell_nonce(const uint8_t *msg, size_t len, unsigned served)
{
	int v1b_body = pcp_body_length(PCP_V1B, msg[1]);
	size_t v1b_end, v1c_end;

	if (v1b_body <= 0)
		return served & PCP_SERVES(PCP_V1B) ? PCP_V1B : PCP_V1C;
	v1b_end = PCP_HEADER + (size_t)v1b_body;
	v1c_end = v1b_end + sizeof(struct pcp_nonce);
	if (!looks_v1b(msg, len, v1b_end) && looks_v1c(msg, len, v1c_end))
		return PCP_V1C;
	return PCP_V1B;
}

enum pcp_dialect pcp_v1_tell(const uint8_t *msg, size_t len, const struct pcp_served *served)
{
	if (len < PCP_HEADER) // v1a's smallest message has 20 octets, all others at least 24
		return PCP_V1A;
	if (has_client(msg, served))
		return tell_nonce(msg, len, served->dialects);
	if (is_v1m(msg, len, served))
		return PCP_DIALECTS;
	if (is_zero(msg + 9, 3)) // v1a: reserved octets of the body
		return PCP_V1A;
	return tell_nonce(msg, len, served->dialects);
}
