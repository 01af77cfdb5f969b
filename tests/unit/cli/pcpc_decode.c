// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>

#include "pcpc.h"
#include "pcpc_vectors.h"

struct listing {
	const char *name;
	size_t next; // the offset that must come now
	char text[64 * 1024];
	size_t used;
};

static void list(void *to, const struct pcpc_field *f)
{
	struct listing *l = to;

	cr_expect_eq(f->at, l->next, "%s: field at %zu, want %zu", l->name, f->at, l->next);
	cr_expect_gt(f->length, 0, "%s: an empty field at %zu", l->name, f->at);
	l->next = f->at + f->length;
	l->used += (size_t)snprintf(l->text + l->used, sizeof l->text - l->used,
		"%zu+%zu %s: %s = %s%s%s%s\n", f->at, f->length, f->part, f->name, f->value,
		f->note ? " (" : "", f->note ? f->note : "", f->note ? ")" : "");
	cr_assert_lt(l->used, sizeof l->text);
}

static void decode(struct listing *l, const char *name, enum pcp_dialect dialect,
	const uint8_t *octets, size_t n)
{
	l->name = name;
	l->next = l->used = 0;
	l->text[0] = '\0';
	pcpc_decode(dialect, octets, n, list, l);
	cr_expect_eq(l->next, n, "%s: told up to %zu of %zu\n%s", name, l->next, n, l->text);
}

static size_t octets_of(const struct vector *v, uint8_t *out)
{
	size_t n;

	cr_assert(pcpc_parse_hex(v->hex, out, PCP_MAX, &n), "%s", v->name);
	return n;
}

// The lines of a vector, by name and direction; the k-th of that name.
static void decode_vector(struct listing *l, const char *name, bool answer, unsigned k)
{
	uint8_t octets[PCP_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];

		if (strcmp(v->name, name) != 0 || v->answer != answer || k-- > 0)
			continue;
		decode(l, name, v->dialect, octets, octets_of(v, octets));
		return;
	}
	cr_assert(false, "no vector %s", name);
}

static void expect(const struct listing *l, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof whole, "%s\n", line);
	cr_expect_not_null(strstr(l->text, whole), "%s: want %s in\n%s", l->name, line, l->text);
}

Test(pcpc_decode, every_octet_of_every_vector_is_told_once_and_in_order)
{
	struct listing l;
	uint8_t octets[PCP_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		decode(&l, vectors[i].name, vectors[i].dialect, octets,
			octets_of(&vectors[i], octets));
}

Test(pcpc_decode, so_it_is_wherever_a_vector_is_cut)
{
	struct listing l;
	uint8_t octets[PCP_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		size_t n = octets_of(&vectors[i], octets);

		for (size_t cut = 1; cut < n; cut++) {
			uint8_t copy[PCP_MAX]; // so that a sanitizer sees a step too far

			memset(copy, 0xa5, sizeof copy);
			memcpy(copy + sizeof copy - cut, octets, cut);
			decode(&l, vectors[i].name, vectors[i].dialect, copy + sizeof copy - cut,
				cut);
		}
	}
}

Test(pcpc_decode, so_it_is_for_random_datagrams)
{
	static const uint8_t versions[] = {0, 1, 2, 3, 255};
	struct listing l;
	struct rng rng;
	uint8_t octets[PCPC_LARGEST];

	rng_init_u64(&rng, 7);
	for (int i = 0; i < 20000; i++) {
		size_t n = 1 + rng_below(&rng, 200);

		for (size_t k = 0; k < n; k++)
			octets[k] =
				(uint8_t)(rng_below(&rng, 3) ? rng_below(&rng, 8) : rng_u32(&rng));
		octets[0] = versions[rng_below(&rng, ARRAY_SIZE(versions))];
		decode(&l, "random", (enum pcp_dialect)rng_below(&rng, PCP_DIALECTS), octets, n);
	}
	memset(octets, 2, sizeof octets);
	decode(&l, "largest", PCP_V2, octets, sizeof octets);
}

// ---- the codec is the witness ----------------------------------------------------------------

static void expect_field(const struct listing *l, const char *name, const char *value)
{
	char part[160];

	snprintf(part, sizeof part, ": %s = %s", name, value);
	cr_expect_not_null(strstr(l->text, part), "%s: want %s in\n%s", l->name, part, l->text);
}

static void expect_as_decoded(const struct listing *l, const struct pcp_message *m)
{
	char text[80], address[IP6_TEXT];

	snprintf(text, sizeof text, "%s (%u)", pcpc_result_text(m->dialect, m->result), m->result);
	if (m->dialect == PCP_V2 || m->dialect == PCP_V1B || m->dialect == PCP_V1C)
		expect_field(l, "result", text);
	snprintf(text, sizeof text, "%u", m->epoch_s);
	expect_field(l, "epoch", text);
	if (m->result != PCP_SUCCESS || (m->opcode != PCP_MAP && m->opcode != PCP_PEER))
		return;
	snprintf(text, sizeof text, "%u", m->internal_port);
	expect_field(l, "internal port", text);
	snprintf(text, sizeof text, "%u", m->external_port);
	expect_field(l,
		m->dialect == PCP_NATPMP                         ? "mapped external port"
		: m->dialect == PCP_V1A && m->opcode == PCP_PEER ? "external port"
								 : "assigned external port",
		text);
	if (m->dialect != PCP_NATPMP && m->dialect != PCP_V1A)
		expect_field(l, "assigned external address", ip6_format(m->external_ip, address));
}

Test(pcpc_decode, what_it_tells_is_what_the_codec_reads)
{
	struct listing l;
	uint8_t octets[PCP_MAX];
	unsigned read = 0;

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];
		size_t n = octets_of(v, octets);
		struct pcp_message m;

		if (!v->answer || !pcp_decode_response_in(v->dialect, octets, n, &m))
			continue;
		decode(&l, v->name, v->dialect, octets, n);
		expect_as_decoded(&l, &m);
		read++;
	}
	cr_expect_gt(read, 80, "%u answers only", read);
}

// ---- by hand ---------------------------------------------------------------------------------

Test(pcpc_decode, rfc6887_s11_1_map)
{
	struct listing l;

	decode_vector(&l, "V01", false, 0);
	expect(&l, "0+1 header: version = 2 (PCP, RFC 6887)");
	expect(&l, "1+1 header: opcode = MAP (1) (a request)");
	expect(&l, "4+4 header: requested lifetime = 3600 s (0 d 1 h 0 min 0 s)");
	expect(&l, "8+16 header: client address = 100.64.0.10 (IPv4, as ::ffff:a.b.c.d)");
	expect(&l, "24+12 MAP: mapping nonce = 00112233445566778899aabb");
	expect(&l, "36+1 MAP: protocol = tcp (6)");
	expect(&l, "40+2 MAP: internal port = 8080");
	expect(&l, "42+2 MAP: suggested external port = 0 (none in particular)");
	expect(&l, "44+16 MAP: suggested external address = 0.0.0.0 (any IPv4 address)");
	decode_vector(&l, "V01", true, 0);
	expect(&l, "1+1 header: opcode = MAP (1) (an answer)");
	expect(&l, "3+1 header: result = SUCCESS (0)");
	expect(&l, "4+4 header: lifetime = 3600 s (0 d 1 h 0 min 0 s)");
	expect(&l,
		"8+4 header: epoch = 100 (the server has kept its state for 0 d 0 h 1 min 40 s)");
	expect(&l, "42+2 MAP: assigned external port = 40001");
	expect(&l, "44+16 MAP: assigned external address = 203.0.113.5 (IPv4, as "
		   "::ffff:a.b.c.d)");
}

Test(pcpc_decode, rfc6887_s7_2_an_error_gives_the_request_back)
{
	struct listing l;

	decode_vector(&l, "V11", true, 0);
	expect(&l, "3+1 header: result = CANNOT_PROVIDE_EXTERNAL (11)");
	expect(&l, "4+4 header: lifetime of this error = 620 s (0 d 0 h 10 min 20 s)");
	expect(&l, "12+12 header: reserved = 0");
	expect(&l, "42+2 MAP: suggested external port = 443");
	expect(&l, "60+1 PREFER_FAILURE: option = PREFER_FAILURE (2) (mandatory to process)");
	expect(&l, "62+2 PREFER_FAILURE: length = 0");
	decode_vector(&l, "V22", true, 0);
	expect(&l, "12+12 header: reserved = 000000000000ffff6440000a"
		   " (the request's: the server could not read it all)");
}

Test(pcpc_decode, rfc6887_s13_3_filters)
{
	struct listing l;

	decode_vector(&l, "V16", true, 0);
	expect(&l, "65+1 FILTER: prefix length = 0 (removes all filters)");
	expect(&l, "84+1 FILTER: option = FILTER (3) (mandatory to process)");
	expect(&l, "89+1 FILTER: prefix length = 128 (/32 of an IPv4 address)");
	expect(&l, "90+2 FILTER: remote peer port = 443");
	expect(&l, "92+16 FILTER: remote peer address = 198.51.100.7 (IPv4, as ::ffff:a.b.c.d)");
}

Test(pcpc_decode, rfc6887_s12_1_peer)
{
	struct listing l;

	decode_vector(&l, "V29", true, 0);
	expect(&l, "1+1 header: opcode = PEER (2) (an answer)");
	expect(&l, "42+2 PEER: assigned external port = 50000");
	expect(&l, "60+2 PEER: remote peer port = 443");
	expect(&l, "64+16 PEER: remote peer address = 198.51.100.7 (IPv4, as ::ffff:a.b.c.d)");
}

Test(pcpc_decode, broken_and_unknown_things_are_told_as_what_they_are)
{
	struct listing l;

	decode_vector(&l, "V20", false, 0);
	expect(&l, "60+1 unassigned: option = unassigned (200) (optional to process)");
	expect(&l, "64+2 unassigned: data = abcd");
	expect(&l, "66+2 unassigned: padding = 0");
	decode_vector(&l, "V22", false, 0);
	expect(&l, "62+2 unassigned: length = 64 (64 octets more than there are)");
	decode_vector(&l, "V24", false, 0);
	expect(&l, "60+1 option: unknown = 00 (too short for an option)");
	decode_vector(&l, "V25", false, 0);
	expect(&l, "44+12 MAP: suggested external address = 00000000000000000000ffff"
		   " (cut: 12 of 16 octets)");
	decode_vector(&l, "V27", false, 0);
	expect(&l, "24+4 unassigned: unknown = deadbeef (what follows this opcode is not known)");
	decode_vector(&l, "V28", false, 0);
	expect(&l, "0+1 header: version = 3 (no version that was ever published)");
	decode_vector(&l, "V37", false, 0);
	expect(&l, "0+1 header: version = 2 (PCP, RFC 6887)");
}

Test(pcpc_decode, rfc6886_natpmp)
{
	struct listing l;

	decode_vector(&l, "N01", false, 0);
	expect(&l, "1+1 header: opcode = external address (0) (a request)");
	decode_vector(&l, "N01", true, 0);
	expect(&l, "2+2 header: result = Success (0)");
	expect(&l, "8+4 header: external address = 203.0.113.5");
	decode_vector(&l, "N02", true, 0);
	expect(&l, "1+1 header: opcode = map TCP (2) (an answer)");
	expect(&l, "8+2 header: internal port = 8080");
	expect(&l, "10+2 header: mapped external port = 40001");
	expect(&l, "12+4 header: lifetime = 7200 s (0 d 2 h 0 min 0 s)");
	decode_vector(&l, "N06", true, 0);
	expect(&l, "2+2 header: result = Not authorized/refused (2)");
	decode_vector(&l, "N08", true, 0);
	expect(&l, "3+1 header: result = UNSUPP_VERSION (1)");
	decode_vector(&l, "N09", true, 0);
	expect(&l, "2+2 header: result = Unsupported version (1)");
	expect(&l,
		"4+4 header: epoch = 100 (the server has kept its state for 0 d 0 h 1 min 40 s)");
}

Test(pcpc_decode, draft_07_has_shorter_headers_and_other_numbers)
{
	struct listing l;

	decode_vector(&l, "A01", true, 0);
	expect(&l, "1+1 header: opcode = MAP4 (1) (an answer)");
	expect(&l, "18+2 MAP4: assigned external port = 40001");
	expect(&l, "20+4 MAP4: assigned external address = 203.0.113.5");
	decode_vector(&l, "A04", false, 0);
	expect(&l, "25+1 FILTER: prefix length = 24");
	expect(&l, "28+4 FILTER: remote peer address = 198.51.100.0");
	decode_vector(&l, "A04", true, 0);
	expect(&l, "3+1 header: result = UNSUPP_OPTION (4)");
	expect(&l, "28+1 UNPROCESSED: option = FILTER (2)");
	decode_vector(&l, "A05", true, 0);
	expect(&l, "3+1 header: result = MISORDERED_OPTIONS (7)");
	decode_vector(&l, "A07", true, 0);
	expect(&l, "13+1 PEER4: family of the external address = 1 (IPv4)");
	expect(&l, "24+4 PEER4: remote peer address = 198.51.100.7");
	expect(&l,
		"28+16 PEER4: external address = 203.0.113.5 (IPv4, in the first 4 of 16 octets)");
	decode_vector(&l, "A08", true, 0);
	expect(&l, "3+1 header: result = NONEXIST_PEER (50)");
}

Test(pcpc_decode, drafts_16_to_25_differ_by_the_nonce)
{
	struct listing l;

	decode_vector(&l, "B05", true, 0);
	expect(&l, "30+2 PEER: assigned external port = 50000");
	expect(&l, "48+2 PEER: remote peer port = 443");
	expect(&l, "52+16 PEER: remote peer address = 198.51.100.7 (IPv4, as ::ffff:a.b.c.d)");
	decode_vector(&l, "B06", true, 0);
	expect(&l, "24+12 MAP: mapping nonce = 00112233445566778899aabb");
	expect(&l, "42+2 MAP: assigned external port = 40001");
}

// ---- extensions ------------------------------------------------------------------------------

Test(pcpc_decode, rfc7220_description_cannot_steer_the_terminal)
{
	static const uint8_t evil[] = "a\x1b[2J\\\xc2\x9b\xff\xc3\xa9";
	char text[PCPC_ESCAPED(sizeof evil)];
	struct listing l;

	decode_vector(&l, "E01", true, 0);
	expect(&l, "64+3 DESCRIPTION: text = web");
	expect(&l, "67+1 DESCRIPTION: padding = 0");
	decode_vector(&l, "E03", false, 0);
	expect(&l, "64+2 DESCRIPTION: text = \\xc3( (not UTF-8)");
	cr_expect_str_eq(
		pcpc_escape(evil, sizeof evil - 1, text), "a\\x1b[2J\\x5c\\xc2\\x9b\\xff\xc3\xa9");
}

Test(pcpc_decode, rfc7225_prefix64)
{
	struct listing l;

	decode_vector(&l, "E06", false, 0);
	expect(&l, "66+12 PREFIX64: NAT64 prefix = ::/96 (none: a question)");
	decode_vector(&l, "E07", true, 0);
	expect(&l, "30+7 PREFIX64: NAT64 prefix = 2001:db8:122:300::/56");
	expect(&l, "37+5 PREFIX64: suffix = 0000000000");
	expect(&l, "42+2 PREFIX64: IPv4 prefixes = 1");
	expect(&l, "44+2 PREFIX64: prefix length = 24");
	expect(&l, "46+4 PREFIX64: IPv4 prefix = 192.0.2.0");
	expect(&l, "58+6 PREFIX64: NAT64 prefix = 2001:db8:122::/48");
	expect(&l, "74+4 PREFIX64: IPv4 prefix = 198.51.100.0");
}

Test(pcpc_decode, rfc7753_port_set)
{
	struct listing l;

	decode_vector(&l, "E12", true, 1);
	expect(&l, "40+2 MAP: internal port = 101");
	expect(&l, "64+2 PORT_SET: ports mapped = 99");
	expect(&l, "66+2 PORT_SET: first internal port = 101");
	expect(&l, "68+1 PORT_SET: parity = 0");
	expect(&l, "69+3 PORT_SET: padding = 0");
}

Test(pcpc_decode, rfc7843_third_party_id_and_rfc7767_checkpoint)
{
	struct listing l;

	decode_vector(&l, "E14", true, 0);
	expect(&l, "64+16 THIRD_PARTY: internal address = 100.64.0.77 (IPv4, as ::ffff:a.b.c.d)");
	expect(&l, "84+4 THIRD_PARTY_ID: data = 00abcdef");
	decode_vector(&l, "E16", true, 0);
	expect(&l, "3+1 header: result = THIRD_PARTY_ID_UNKNOWN (24)");
	decode_vector(&l, "E19", true, 0);
	expect(&l, "60+1 CHECKPOINT_REQUIRED: option = CHECKPOINT_REQUIRED (192) (optional to "
		   "process)");
}

Test(pcpc_decode, rfc7652_authentication_is_told_though_not_spoken)
{
	struct listing l;

	decode_vector(&l, "E21", false, 0);
	expect(&l, "3+1 header: result = INITIATION (14)");
	expect(&l, "24+4 AUTHENTICATION: session id = 00000000");
	expect(&l, "36+4 NONCE: nonce = cafef00d");
	decode_vector(&l, "E21", true, 0);
	expect(&l, "3+1 header: result = AUTHENTICATION_REQUEST (22)");
	expect(&l, "28+4 AUTHENTICATION: sequence number = 0");
	expect(&l, "56+4 PRF: value = 5");
	decode_vector(&l, "E25", false, 0);
	expect(&l, "28+4 AUTHENTICATION_TAG: session id = 11223344");
	expect(&l, "36+4 AUTHENTICATION_TAG: key id = 1");
	expect(&l, "40+16 AUTHENTICATION_TAG: message authentication code = "
		   "e08b90a9e9a694231db4e250a80a537a");
}

Test(pcpc_decode, the_draft_s_get_and_next)
{
	struct listing l;

	decode_vector(&l, "E29", false, 0);
	expect(&l, "24+1 GET: protocol = 0 (every protocol)");
	expect(&l, "83+1 NEXT: end = 0 (more follow)");
	decode_vector(&l, "E29", true, 0);
	expect(&l, "68+12 NEXT: mapping nonce = 0102030405060708090a0b0c");
	expect(&l, "116+4 NEXT: remaining lifetime = 1659 s (0 d 0 h 27 min 39 s)");
	expect(&l, "122+2 NEXT: external port = 40000");
	expect(&l, "143+1 NEXT: end = 1 (the last one)");
	decode_vector(&l, "E30", true, 0);
	expect(&l, "3+1 header: result = NONEXIST_MAP (130)");
	decode_vector(&l, "E32", true, 0);
	expect(&l, "60+1 PORT_RESERVATION: option = PORT_RESERVATION (132) (optional to process)");
}

// ---- in few words ----------------------------------------------------------------------------

static const char *text_of(const char *name, unsigned option, char *out)
{
	uint8_t octets[PCP_MAX];
	struct pcp_option options[8];
	struct pcp_message m;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];

		if (strcmp(v->name, name) != 0 || !v->answer)
			continue;
		n = octets_of(v, octets);
		cr_assert(pcp_decode_response_in(v->dialect, octets, n, &m));
		cr_assert_eq(pcp_decode_options(octets, n, &m, options, 8, &n), PCP_SUCCESS);
		cr_assert_lt(option, n);
		return pcpc_option_text(&m, &options[option], out);
	}
	return "";
}

Test(pcpc_decode, options_in_few_words)
{
	char text[PCPC_OPTION_TEXT];

	cr_expect_str_eq(text_of("V14", 0, text), "198.51.100.0/24, every port");
	cr_expect_str_eq(text_of("V16", 0, text), "none: every remote host may come in");
	cr_expect_str_eq(text_of("V16", 1, text), "198.51.100.7/32, port 443");
	cr_expect_str_eq(text_of("V13", 0, text), "");
	cr_expect_str_eq(text_of("E01", 0, text), "web");
	cr_expect_str_eq(text_of("E06", 0, text), "2001:db8:64::/96");
	cr_expect_str_eq(text_of("E07", 0, text), "2001:db8:122:300::/56 for 192.0.2.0/24");
	cr_expect_str_eq(text_of("E08", 0, text), "32 ports from internal port 50000 on");
	cr_expect_str_eq(text_of("E14", 0, text), "100.64.0.77");
	cr_expect_str_eq(text_of("E14", 1, text), "00abcdef");
}

Test(pcpc_decode, results_are_found_by_name_and_number)
{
	unsigned result;

	cr_expect(pcpc_find_result("NOT_AUTHORIZED", &result) && result == 2);
	cr_expect(pcpc_find_result("success", &result) && result == 0);
	cr_expect(pcpc_find_result("13", &result) && result == 13);
	cr_expect(pcpc_find_result("AUTHENTICATION_REQUIRED", &result) && result == 15);
	cr_expect(pcpc_find_result("NONEXIST_PEER", &result) && result == PCP_NONEXIST_PEER);
	cr_expect_not(pcpc_find_result("unassigned", &result));
	cr_expect_not(pcpc_find_result("NO_SUCH", &result));
}

Test(pcpc_decode, every_result_that_servers_send_has_advice)
{
	for (unsigned i = 1; i < PCP_RESULT_COUNT; i++) {
		unsigned result = pcp_result_at(i);

		cr_expect_null(
			strstr(pcpc_advice(result), "not know"), "%s", pcpc_result_name(result));
	}
}
