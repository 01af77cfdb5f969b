// SPDX-License-Identifier: Apache-2.0
// Requests in every dialect, from what the command line said.
#include "pcpc.h"

static ip6 ip_of(const uint8_t octets[16])
{
	ip6 ip;

	memcpy(ip.b, octets, sizeof ip.b);
	return ip;
}

// "No preference" is :: or ::ffff:0.0.0.0 (RFC 6887 s.5): who names no address means his own kind.
static ip6 external_of(const struct pcpc_options *o, ip6 source)
{
	ip6 external = ip_of(o->mapping.external.ip);

	if (ip6_eq(external, (ip6){0}) && ip6_is_mapped(source))
		return ip6_mapped(0);
	return external;
}

static uint16_t opcode_of(enum pcpc_command command)
{
	switch (command) {
	case PCPC_PEER:
		return PCP_PEER;
	case PCPC_GET:
		return PCP_GET;
	case PCPC_ADDRESS:
		return PCP_EXTERNAL_ADDRESS;
	case PCPC_ANNOUNCE:
		return PCP_ANNOUNCE;
	default:
		return PCP_MAP;
	}
}

static void fill_get(const struct pcpc_options *o, struct pcp_message *m)
{
	m->get.protocol = o->mapping.protocol;
	m->get.internal_port = o->mapping.internal_port;
	m->get.external_port = o->mapping.external.port;
	m->get.external_ip = m->external_ip;
	m->get.internal_ip = ip6_is_mapped(m->client) ? ip6_mapped(0) : (ip6){0};
	m->lifetime_s = 0;
}

bool pcpc_build_message(
	const struct pcpc_options *o, const uint8_t source[16], struct pcp_message *m)
{
	const struct postern_mapping *want = &o->mapping;
	uint8_t scratch[PCP_MAX];

	*m = (struct pcp_message){
		.version = o->dialect == PCP_V2       ? 2
			   : o->dialect == PCP_NATPMP ? 0
						      : 1,
		.dialect = (uint8_t)o->dialect,
		.opcode = opcode_of(o->command),
		.lifetime_s = o->command == PCPC_DELETE || o->command == PCPC_ANNOUNCE
				      ? 0
				      : want->lifetime_s,
		.client = ip_of(o->has_client ? o->client : source),
		.protocol = want->protocol,
		.internal_port = want->internal_port,
		.external_port = want->external.port,
		.remote_port = want->peer.port,
		.remote_ip = ip_of(want->peer.ip),
	};
	m->external_ip = external_of(o, ip_of(source));
	memcpy(m->nonce.b, want->nonce, sizeof m->nonce.b);
	if (m->opcode == PCP_GET)
		fill_get(o, m);
	if (pcp_encode_request(scratch, sizeof scratch, m) != 0)
		return true;
	pcpc_complain("version %s has no such request", pcp_dialect_name(o->dialect));
	return false;
}

// ---- options ---------------------------------------------------------------------------------

static size_t append_filter(const struct pcp_message *m, const struct pcp_filter *wish,
	uint8_t *out, size_t at, size_t cap)
{
	struct pcp_filter filter = *wish;

	if (filter.prefix == 0 && m->dialect == PCP_V1A && ip6_is_mapped(m->external_ip))
		filter.address = ip6_mapped(0); // MAP4's filters are shorter
	return pcp_append_filter(out, at, cap, m, &filter);
}

// RFC 7225 s.4.3: twelve zeros ask for whatever prefix there is.
static size_t append_prefix64(uint8_t *out, size_t at, size_t cap)
{
	static const struct pcp_prefix64 question = {.length = 12};

	return pcp_append_prefix64(out, at, cap, &question);
}

static size_t append(const struct pcpc_wish *wish, const struct pcp_message *m, uint8_t *out,
	size_t at, size_t cap)
{
	struct pcp_port_set set = wish->ports;

	if (wish->verbatim)
		return pcp_append_option(out, at, cap, wish->code, wish->octets.at, wish->octets.n);
	switch (wish->code) {
	case PCP_THIRD_PARTY:
		return pcp_append_third_party(out, at, cap, m, wish->address);
	case PCP_FILTER:
		return append_filter(m, &wish->filter, out, at, cap);
	case PCP_PORT_SET:
		set.first = m->internal_port;
		return pcp_append_port_set(out, at, cap, &set);
	case PCP_PREFIX64:
		return append_prefix64(out, at, cap);
	default:
		return pcp_append_option(out, at, cap, wish->code, wish->octets.at, wish->octets.n);
	}
}

// What the option is called on the wire; 0: the dialect has none such.
static uint8_t wire_code(const struct pcp_message *m, const struct pcpc_wish *wish)
{
	if (wish->verbatim)
		return wish->code;
	return pcp_option_code_in((enum pcp_dialect)m->dialect, wish->code);
}

static bool check_options(
	const struct pcpc_wish *const *wishes, unsigned n, const struct pcp_message *m)
{
	for (unsigned i = 0; i < n; i++) {
		if (m->dialect != PCP_NATPMP && wire_code(m, wishes[i]) != 0)
			continue;
		if (wishes[i]->verbatim && m->dialect != PCP_NATPMP)
			continue;
		pcpc_complain("version %s has no option %s", pcp_dialect_name(m->dialect),
			pcp_option_name(wishes[i]->code));
		return false;
	}
	return true;
}

// Draft -07 wants codes to ascend (else MISORDERED_OPTIONS); the others want our order.
static void order(const struct pcpc_wish **wishes, unsigned n, const struct pcp_message *m)
{
	if (m->dialect != PCP_V1A)
		return;
	for (unsigned i = 1; i < n; i++) {
		for (unsigned k = i; k > 0 && wire_code(m, wishes[k]) < wire_code(m, wishes[k - 1]);
			k--) {
			const struct pcpc_wish *later = wishes[k - 1];

			wishes[k - 1] = wishes[k];
			wishes[k] = later;
		}
	}
}

size_t pcpc_build_options(const struct pcpc_options *o, const struct pcp_message *m,
	bool prefer_failure, uint8_t *out, size_t at, size_t cap)
{
	static const struct pcpc_wish rather_nothing = {.code = PCP_PREFER_FAILURE};
	const struct pcpc_wish *wishes[PCPC_MAX_WISHES + 1];
	unsigned n = 0;

	if (prefer_failure)
		wishes[n++] = &rather_nothing;
	for (unsigned i = 0; i < o->n_wishes; i++)
		wishes[n++] = &o->wishes[i];
	if (!check_options(wishes, n, m))
		return 0;
	if (!o->is_probe)
		order(wishes, n, m);
	for (unsigned i = 0; i < n && at > 0; i++) {
		if (wishes[i]->code == PCP_PREFER_FAILURE && !wishes[i]->verbatim)
			at = pcp_append_option(out, at, cap, wire_code(m, wishes[i]), NULL, 0);
		else
			at = append(wishes[i], m, out, at, cap);
	}
	if (at == 0)
		pcpc_complain("so many options do not fit into one request");
	return at;
}

// GET asks for the first page of everything: an empty locator, more to follow.
static size_t append_next(const struct pcpc_options *o, const struct pcp_message *m, uint8_t *out,
	size_t at, size_t cap)
{
	struct pcp_next next = {.wanted = o->wanted, .n_wanted = o->n_wanted};

	next.internal_ip = m->get.internal_ip;
	next.external_ip = ip6_is_mapped(m->client) ? ip6_mapped(0) : (ip6){0};
	return pcp_append_next(out, at, cap, &next);
}

size_t pcpc_build(const struct pcpc_options *o, struct pcp_message *m, uint8_t *out, size_t cap)
{
	size_t at = pcp_encode_request(out, cap, m);

	m->options_at = at;
	if (at > 0 && m->opcode == PCP_GET && !o->no_next)
		at = append_next(o, m, out, at, cap);
	return at > 0 ? pcpc_build_options(o, m, o->mapping.prefer_failure, out, at, cap) : 0;
}
