// SPDX-License-Identifier: Apache-2.0
// The option list, and the codes of options in each dialect. What an option's data mean is read in
// data.c; whether an option may be there at all is the server's judgement.
#include <postern/pcp.h>

#include "wire.h"

enum {
	OTHER_MANDATORY = 127,
	OTHER_OPTIONAL = 255
}; // reserved codes: stand for version 1 codes that mean nothing to RFC 6887

static uint8_t code_of_v1a(uint8_t wire_code)
{
	switch (wire_code) {
	case PCP_V1A_FILTER:
		return PCP_FILTER;
	case PCP_V1A_PREFER_FAILURE:
		return PCP_PREFER_FAILURE;
	case PCP_V1A_THIRD_PARTY:
		return PCP_THIRD_PARTY;
	default:
		return wire_code < 128 ? OTHER_MANDATORY : OTHER_OPTIONAL;
	}
}

static uint8_t code_of(unsigned dialect, uint8_t wire_code)
{
	if (dialect == PCP_V2)
		return wire_code;
	if (dialect == PCP_V1A)
		return code_of_v1a(wire_code);
	if (wire_code >= PCP_THIRD_PARTY && wire_code <= PCP_FILTER)
		return wire_code;
	return wire_code < 128 ? OTHER_MANDATORY : OTHER_OPTIONAL;
}

uint8_t pcp_option_code_in(enum pcp_dialect dialect, uint8_t code)
{
	if (dialect == PCP_V2)
		return code;
	if (dialect == PCP_NATPMP || code < PCP_THIRD_PARTY || code > PCP_FILTER)
		return 0;
	if (dialect != PCP_V1A)
		return code;
	return code == PCP_FILTER           ? PCP_V1A_FILTER
	       : code == PCP_PREFER_FAILURE ? PCP_V1A_PREFER_FAILURE
					    : PCP_V1A_THIRD_PARTY;
}

// Draft -07 counts octets, but still gives FILTER's length in the words of -06.
static uint16_t length_of(const struct pcp_message *m, uint8_t wire_code, uint16_t length)
{
	if (m->dialect == PCP_V1A && wire_code == PCP_V1A_FILTER && (length == 2 || length == 5))
		return (uint16_t)(length * 4);
	return length;
}

static inline bool next_option(const uint8_t *msg, size_t len, const struct pcp_message *m,
	size_t *at, struct pcp_option *out)
{
	const struct pcp_option_wire *wire = (const void *)(msg + *at);
	size_t left = len - *at;
	uint16_t length;

	if (left < sizeof *wire)
		return false;
	left -= sizeof *wire;
	length = length_of(m, wire->code, be16_get(wire->length));
	if (pcp_padded(length) > left)
		return false;
	out->wire_code = wire->code;
	out->code = code_of(m->dialect, wire->code);
	out->length = length;
	out->data = length > 0 ? msg + *at + sizeof *wire : NULL;
	*at += sizeof *wire + pcp_padded(length);
	return true;
}

bool pcp_next_option(const uint8_t *msg, size_t len, const struct pcp_message *m, size_t *at,
	struct pcp_option *out)
{
	return next_option(msg, len, m, at, out);
}

// Draft -07: codes never descend, optional ones included.
static bool is_misordered(const struct pcp_message *m, const struct pcp_option *o, size_t n)
{
	return m->dialect == PCP_V1A && !m->response && n > 0 &&
	       o[n].wire_code < o[n - 1].wire_code;
}

enum pcp_result pcp_decode_options(const uint8_t *msg, size_t len, const struct pcp_message *m,
	struct pcp_option *options, size_t max, size_t *n)
{
	size_t at = m->options_at;

	*n = 0;
	while (at < len) {
		if (*n == max || !next_option(msg, len, m, &at, &options[*n]))
			return PCP_MALFORMED_OPTION;
		if (is_misordered(m, options, *n))
			return PCP_MISORDERED_OPTIONS;
		++*n;
	}
	return PCP_SUCCESS;
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
