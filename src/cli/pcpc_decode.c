// SPDX-License-Identifier: Apache-2.0
// Field by field: what is at which offset, and what it means. This reads the octets again instead
// of asking the codec, because it must also show what the codec refuses: cut, bent and unknown
// datagrams. Every octet is told exactly once.
#include "pcpc_decode.h"

#include <stdio.h>

// ---- what follows what -----------------------------------------------------------------------

static const struct row request_head[] = {{VERSION, 1, "version", NULL},
	{OPCODE, 1, "opcode", NULL}, {RESERVED, 2, "reserved", NULL},
	{SECONDS, 4, "requested lifetime", NULL}, {ADDRESS, 16, "client address", NULL}};
static const struct row answer_head[] = {{VERSION, 1, "version", NULL}, {OPCODE, 1, "opcode", NULL},
	{RESERVED, 1, "reserved", NULL}, {RESULT, 1, "result", NULL},
	{SECONDS, 4, "lifetime of this error", "lifetime"}, {EPOCH, 4, "epoch", NULL},
	{REQUEST_TAIL, 12, "reserved", NULL}};
static const struct row auth_head[] = {{VERSION, 1, "version", NULL}, {OPCODE, 1, "opcode", NULL},
	{RESERVED, 1, "reserved", NULL}, {RESULT, 1, "result", NULL},
	{SECONDS, 4, "requested lifetime", NULL}, {ADDRESS, 16, "client address", NULL}};
static const struct row request_head_1a[] = {{VERSION, 1, "version", NULL},
	{OPCODE, 1, "opcode", NULL}, {RESERVED, 2, "reserved", NULL},
	{SECONDS, 4, "requested lifetime", NULL}};
static const struct row answer_head_1a[] = {{VERSION, 1, "version", NULL},
	{OPCODE, 1, "opcode", NULL}, {RESERVED, 1, "reserved", NULL}, {RESULT, 1, "result", NULL},
	{SECONDS, 4, "lifetime of this error", "lifetime"}, {EPOCH, 4, "epoch", NULL}};
static const struct row any_head[] = {{VERSION, 1, "version", NULL}, {OPCODE, 1, "opcode", NULL}};

#define MAP_ROWS                                                                                   \
	{PROTOCOL, 1, "protocol", NULL}, {RESERVED, 3, "reserved", NULL},                          \
		{PORT, 2, "internal port", NULL},                                                  \
		{WISHED, 2, "suggested external port", "assigned external port"},                  \
	{                                                                                          \
		ADDRESS, 16, "suggested external address", "assigned external address"             \
	}
#define PEER_ROWS                                                                                  \
	{PORT, 2, "remote peer port", NULL}, {RESERVED, 2, "reserved", NULL},                      \
	{                                                                                          \
		ADDRESS, 16, "remote peer address", NULL                                           \
	}

static const struct row map[] = {{HEX, 12, "mapping nonce", NULL}, MAP_ROWS};
static const struct row peer[] = {{HEX, 12, "mapping nonce", NULL}, MAP_ROWS, PEER_ROWS};
static const struct row map_1b[] = {MAP_ROWS};
static const struct row peer_1b[] = {MAP_ROWS, PEER_ROWS};
static const struct row authentication[] = {
	{HEX, 4, "session id", NULL}, {NUMBER, 4, "sequence number", NULL}};
static const struct row get[] = {{PROTOCOL, 1, "protocol", NULL}, {RESERVED, 3, "reserved", NULL},
	{ADDRESS, 16, "internal address", NULL}, {ADDRESS, 16, "external address", NULL},
	{PORT, 2, "internal port", NULL}, {PORT, 2, "external port", NULL}};

#define MAP_1A_ROWS(octets)                                                                        \
	{PROTOCOL, 1, "protocol", NULL}, {RESERVED, 3, "reserved", NULL},                          \
		{PORT, 2, "internal port", NULL},                                                  \
		{WISHED, 2, "suggested external port", "assigned external port"},                  \
	{                                                                                          \
		ADDRESS, octets, "suggested external address", "assigned external address"         \
	}
#define PEER_1A_ROWS(octets)                                                                       \
	{PROTOCOL, 1, "protocol", NULL}, {RESERVED, 3, "reserved", NULL},                          \
		{PORT, 2, "internal port", NULL}, {RESERVED, 2, "reserved", NULL},                 \
		{PORT, 2, "remote peer port", NULL}, {RESERVED, 2, "reserved", NULL},              \
		{ADDRESS, octets, "remote peer address", NULL},                                    \
	{                                                                                          \
		RESERVED, 16, "reserved", NULL                                                     \
	}
#define PEER_1A_ANSWER_ROWS(octets)                                                                \
	{PROTOCOL, 1, "protocol", NULL}, {FAMILY, 1, "family of the external address", NULL},      \
		{RESERVED, 2, "reserved", NULL}, {PORT, 2, "internal port", NULL},                 \
		{WISHED, 2, "external port", NULL}, {PORT, 2, "remote peer port", NULL},           \
		{RESERVED, 2, "reserved", NULL}, {ADDRESS, octets, "remote peer address", NULL},   \
	{                                                                                          \
		LEFT, 16, "external address", NULL                                                 \
	}

static const struct row map4[] = {MAP_1A_ROWS(4)};
static const struct row map6[] = {MAP_1A_ROWS(16)};
static const struct row peer4[] = {PEER_1A_ROWS(4)};
static const struct row peer6[] = {PEER_1A_ROWS(16)};
static const struct row peer4_answer[] = {PEER_1A_ANSWER_ROWS(4)};
static const struct row peer6_answer[] = {PEER_1A_ANSWER_ROWS(16)};

static const struct row natpmp_ask[] = {{VERSION, 1, "version", NULL}, {OPCODE, 1, "opcode", NULL}};
static const struct row natpmp_map[] = {{VERSION, 1, "version", NULL}, {OPCODE, 1, "opcode", NULL},
	{RESERVED, 2, "reserved", NULL}, {PORT, 2, "internal port", NULL},
	{WISHED, 2, "suggested external port", NULL}, {SECONDS, 4, "requested lifetime", NULL}};
static const struct row natpmp_error[] = {{VERSION, 1, "version", NULL},
	{OPCODE, 1, "opcode", NULL}, {RESULT16, 2, "result", NULL}, {EPOCH, 4, "epoch", NULL}};
static const struct row natpmp_address[] = {{VERSION, 1, "version", NULL},
	{OPCODE, 1, "opcode", NULL}, {RESULT16, 2, "result", NULL}, {EPOCH, 4, "epoch", NULL},
	{ADDRESS, 4, "external address", NULL}};
static const struct row natpmp_mapped[] = {{VERSION, 1, "version", NULL},
	{OPCODE, 1, "opcode", NULL}, {RESULT16, 2, "result", NULL}, {EPOCH, 4, "epoch", NULL},
	{PORT, 2, "internal port", NULL}, {WISHED, 2, "mapped external port", NULL},
	{SECONDS, 4, "lifetime", NULL}};

struct shape {
	const struct row *rows;
	size_t n;
};
#define SHAPE(rows) ((struct shape){rows, ARRAY_SIZE(rows)})

static struct shape head_of(enum pcp_dialect dialect, bool answer, uint8_t opcode)
{
	if (dialect == PCP_V1A)
		return answer ? SHAPE(answer_head_1a) : SHAPE(request_head_1a);
	if (answer)
		return SHAPE(answer_head);
	if (dialect == PCP_V2 && opcode == PCP_AUTHENTICATION) // RFC 7652 s.5.1
		return SHAPE(auth_head);
	return SHAPE(request_head);
}

static struct shape body_of_1a(bool answer, uint8_t opcode)
{
	switch (opcode) {
	case 1:
		return SHAPE(map4);
	case 2:
		return SHAPE(map6);
	case 3:
		return answer ? SHAPE(peer4_answer) : SHAPE(peer4);
	case 4:
		return answer ? SHAPE(peer6_answer) : SHAPE(peer6);
	default:
		return (struct shape){NULL, 0};
	}
}

static struct shape body_of(enum pcp_dialect dialect, bool answer, uint8_t opcode)
{
	bool nonce = dialect != PCP_V1B;

	if (dialect == PCP_V1A)
		return body_of_1a(answer, opcode);
	switch (opcode) {
	case PCP_MAP:
		return nonce ? SHAPE(map) : SHAPE(map_1b);
	case PCP_PEER:
		return nonce ? SHAPE(peer) : SHAPE(peer_1b);
	case PCP_AUTHENTICATION:
		return dialect == PCP_V2 ? SHAPE(authentication) : (struct shape){NULL, 0};
	case PCP_GET:
		return dialect == PCP_V2 ? SHAPE(get) : (struct shape){NULL, 0};
	default:
		return (struct shape){NULL, 0};
	}
}

static struct shape natpmp_of(const uint8_t *msg, size_t n)
{
	uint8_t opcode = n > 1 ? msg[1] : 0;

	if (opcode < 128)
		return opcode == 1 || opcode == 2 ? SHAPE(natpmp_map) : SHAPE(natpmp_ask);
	if (n <= 8)
		return SHAPE(natpmp_error);
	if (opcode == 128)
		return SHAPE(natpmp_address);
	return opcode <= 130 ? SHAPE(natpmp_mapped) : SHAPE(natpmp_error);
}

// ---- telling one field -----------------------------------------------------------------------

void walk_tell(struct walk *w, size_t length, const char *name, const char *note)
{
	struct pcpc_field field = {w->at, length, w->part, name, w->value, note};

	w->at += length;
	w->sink(w->to, &field);
}

void walk_hex(struct walk *w, size_t length, const char *name, const char *note)
{
	pcpc_format_hex(w->msg + w->at, length, w->value);
	walk_tell(w, length, name, note);
}

static uint32_t number_at(const uint8_t *p, size_t octets)
{
	uint32_t n = 0;

	while (octets-- > 0)
		n = n << 8 | *p++;
	return n;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n > 0)
		if (p[--n])
			return false;
	return true;
}

static const char *version_note(uint32_t n)
{
	static const char *const notes[] = {
		"NAT-PMP, RFC 6886", "a draft of PCP, before RFC 6887", "PCP, RFC 6887"};

	return n < ARRAY_SIZE(notes) ? notes[n] : "no version that was ever published";
}

static const char *say_opcode(struct walk *w, uint8_t octet)
{
	snprintf(w->value, sizeof w->value, "%s (%u)", pcpc_opcode_label(w->dialect, octet & 0x7f),
		octet & 0x7f);
	return octet & 0x80 ? "an answer" : "a request";
}

static const char *say_result(struct walk *w, uint32_t n)
{
	snprintf(w->value, sizeof w->value, "%s (%u)", pcpc_result_text(w->dialect, n), n);
	w->success = n == 0;
	return NULL;
}

static const char *say_seconds(struct walk *w, uint32_t s, bool epoch)
{
	snprintf(w->value, sizeof w->value, epoch ? "%u" : "%u s", s);
	snprintf(w->note, sizeof w->note, "%s%u d %u h %u min %u s",
		epoch ? "the server has kept its state for " : "", s / 86400, s / 3600 % 24,
		s / 60 % 60, s % 60);
	return epoch || s >= 60 ? w->note : NULL;
}

static const char *say_protocol(struct walk *w, uint8_t n)
{
	char text[4];

	if (n == 0)
		snprintf(w->value, sizeof w->value, "0");
	else if (n == 6 || n == 17)
		snprintf(w->value, sizeof w->value, "%s (%u)", pcpc_protocol_text(n, text), n);
	else
		snprintf(w->value, sizeof w->value, "%u", n);
	return n == 0 ? "every protocol" : NULL;
}

static const char *say_port(struct walk *w, uint32_t n, const char *none)
{
	snprintf(w->value, sizeof w->value, "%u", n);
	return n == 0 ? none : NULL;
}

static const char *say_address(struct walk *w, const uint8_t *p, size_t octets)
{
	char text[IP6_TEXT];
	ip6 ip;

	if (octets == 4) {
		snprintf(w->value, sizeof w->value, "%s", ip4_format(number_at(p, 4), text));
		return all_zero(p, 4) ? "none in particular" : NULL;
	}
	memcpy(ip.b, p, sizeof ip.b);
	snprintf(w->value, sizeof w->value, "%s", ip6_format(ip, text));
	if (ip6_is_mapped(ip))
		return ip6_to_ip4(ip) == 0 ? "any IPv4 address" : "IPv4, as ::ffff:a.b.c.d";
	return all_zero(p, 16) ? "any IPv6 address" : NULL;
}

// Draft -07 puts an IPv4 address into the first four of the sixteen octets.
static const char *say_left(struct walk *w, const uint8_t *p)
{
	if (!all_zero(p + 4, 12))
		return say_address(w, p, 16);
	say_address(w, p, 4);
	return "IPv4, in the first 4 of 16 octets";
}

static const char *say_prefix(struct walk *w, uint32_t bits)
{
	snprintf(w->value, sizeof w->value, "%u", bits);
	if (bits == 0)
		return "removes all filters";
	if (w->dialect == PCP_V1A || bits < 96 || bits > 128)
		return bits > 128 ? "longer than any address" : NULL;
	snprintf(w->note, sizeof w->note, "/%u of an IPv4 address", bits - 96);
	return w->note;
}

static const char *say_family(struct walk *w, uint32_t n)
{
	snprintf(w->value, sizeof w->value, "%u", n);
	return n == 1 ? "IPv4" : n == 2 ? "IPv6" : "neither IPv4 (1) nor IPv6 (2)";
}

static const char *say_zeros(struct walk *w, const uint8_t *p, size_t octets, const char *otherwise)
{
	if (!all_zero(p, octets)) {
		pcpc_format_hex(p, octets, w->value);
		return otherwise;
	}
	snprintf(w->value, sizeof w->value, "0");
	return NULL;
}

static const char *say_number(struct walk *w, enum kind kind, uint32_t n)
{
	switch (kind) {
	case VERSION:
		snprintf(w->value, sizeof w->value, "%u", n);
		return version_note(n);
	case OPCODE:
		return say_opcode(w, (uint8_t)n);
	case RESULT:
	case RESULT16:
		return say_result(w, n);
	case SECONDS:
	case EPOCH:
		return say_seconds(w, n, kind == EPOCH);
	case PROTOCOL:
		return say_protocol(w, (uint8_t)n);
	case PORT:
		return say_port(w, n, "every port");
	case WISHED:
		return say_port(w, n, "none in particular");
	case PREFIX:
		return say_prefix(w, n);
	case FAMILY:
		return say_family(w, n);
	case PARITY:
		snprintf(w->value, sizeof w->value, "%u", n);
		return n & 1 ? "keep odd ports odd and even ones even" : NULL;
	case END:
		snprintf(w->value, sizeof w->value, "%u", n);
		return n ? "the last one" : "more follow";
	default:
		snprintf(w->value, sizeof w->value, "%u", n);
		return NULL;
	}
}

static const char *say(struct walk *w, enum kind kind, const uint8_t *p, size_t octets)
{
	switch (kind) {
	case ADDRESS:
		return say_address(w, p, octets);
	case LEFT:
		return say_left(w, p);
	case RESERVED:
		return say_zeros(w, p, octets, "not zero, as it should be");
	case REQUEST_TAIL:
		return say_zeros(w, p, octets, "the request's: the server could not read it all");
	case HEX:
		pcpc_format_hex(p, octets, w->value);
		return NULL;
	default:
		return say_number(w, kind, number_at(p, octets));
	}
}

void walk_rows(struct walk *w, const struct row *rows, size_t n)
{
	for (const struct row *r = rows; r < rows + n && w->at < w->end; r++) {
		size_t left = w->end - w->at, octets = r->octets ? r->octets : left;
		const char *name = w->answer && w->success && r->granted ? r->granted : r->name;

		if (left < octets) {
			char cut[64];

			snprintf(cut, sizeof cut, "cut: %zu of %zu octets", left, octets);
			walk_hex(w, left, name, cut);
			return;
		}
		walk_tell(w, octets, name, say(w, r->kind, w->msg + w->at, octets));
	}
}

// ---- a datagram ------------------------------------------------------------------------------

static enum pcp_dialect dialect_of(enum pcp_dialect hint, uint8_t version)
{
	if (version == 0)
		return PCP_NATPMP;
	if (version != 1)
		return PCP_V2;
	return hint == PCP_V1A || hint == PCP_V1C ? hint : PCP_V1B;
}

static size_t shape_octets(struct shape s)
{
	size_t octets = 0;

	for (size_t i = 0; i < s.n; i++)
		octets += s.rows[i].octets;
	return octets;
}

static void walk_rest(struct walk *w, const char *note)
{
	if (w->at < w->end)
		walk_hex(w, w->end - w->at, "unknown", note);
}

static void walk_pcp(struct walk *w)
{
	uint8_t opcode = w->msg[1] & 0x7f;
	struct shape head = head_of(w->dialect, w->answer, opcode);
	struct shape body = body_of(w->dialect, w->answer, opcode);
	bool announce = opcode == PCP_ANNOUNCE && w->dialect != PCP_V1A;

	walk_rows(w, head.rows, head.n);
	w->part = pcpc_opcode_label(w->dialect, opcode);
	walk_rows(w, body.rows, body.n);
	if (body.n == 0 && !announce)
		walk_rest(w, "what follows this opcode is not known");
	else
		walk_options(w);
}

void pcpc_decode(enum pcp_dialect dialect, const uint8_t *datagram, size_t n, pcpc_field_sink *sink,
	void *to)
{
	struct walk w = {.msg = datagram, .end = n, .part = "header", .sink = sink, .to = to};

	if (n == 0 || n > PCPC_LARGEST)
		return;
	w.dialect = dialect_of(dialect, datagram[0]);
	w.answer = n > 1 && (datagram[1] & 0x80);
	if (w.dialect == PCP_NATPMP) {
		struct shape s = natpmp_of(datagram, n);

		walk_rows(&w, s.rows, s.n);
		walk_rest(&w, "longer than such a message is");
	} else if (n < 2 || datagram[0] > PCP_VERSION) {
		walk_rows(&w, any_head, ARRAY_SIZE(any_head));
		walk_rest(&w, "this version's form is not known");
	} else {
		walk_pcp(&w);
	}
}

size_t pcpc_options_at(enum pcp_dialect dialect, const uint8_t *datagram, size_t n)
{
	uint8_t opcode;
	struct shape body;
	size_t at;
	bool answer;

	if (n < 2 || datagram[0] == 0 || datagram[0] > PCP_VERSION)
		return n;
	dialect = dialect_of(dialect, datagram[0]);
	opcode = datagram[1] & 0x7f;
	answer = datagram[1] & 0x80;
	body = body_of(dialect, answer, opcode);
	if (body.n == 0 && (opcode != PCP_ANNOUNCE || dialect == PCP_V1A))
		return n;
	at = shape_octets(head_of(dialect, answer, opcode)) + shape_octets(body);
	return at < n ? at : n;
}
