// SPDX-License-Identifier: Apache-2.0
// The options behind a message (RFC 6887 s.7.3): a head of four octets, data, padding.
#include "pcpc_decode.h"

#include <stdio.h>

enum {
	UNPROCESSED = 0x100, // drafts only: the options that were not understood
	UNKNOWN
};

static const struct row third_party[] = {{ADDRESS, 0, "internal address", NULL}};
static const struct row filter[] = {{RESERVED, 1, "reserved", NULL},
	{PREFIX, 1, "prefix length", NULL}, {PORT, 2, "remote peer port", NULL},
	{ADDRESS, 0, "remote peer address", NULL}};
static const struct row port_set[] = {{NUMBER, 2, "ports wanted", "ports mapped"},
	{NUMBER, 2, "first internal port", NULL}, {PARITY, 1, "parity", NULL}};
static const struct row next_entry[] = {{HEX, 12, "mapping nonce", NULL},
	{PROTOCOL, 1, "protocol", NULL}, {RESERVED, 2, "reserved", NULL}, {END, 1, "end", NULL},
	{ADDRESS, 16, "internal address", NULL}, {ADDRESS, 16, "external address", NULL},
	{SECONDS, 4, "remaining lifetime", NULL}, {PORT, 2, "internal port", NULL},
	{PORT, 2, "external port", NULL}};
static const struct row number[] = {{NUMBER, 4, "value", NULL}};
static const struct row seconds[] = {{SECONDS, 4, "lifetime of the session", NULL}};
static const struct row nonce[] = {{HEX, 4, "nonce", NULL}};
static const struct row tag[] = {{HEX, 4, "session id", NULL}, {NUMBER, 4, "sequence number", NULL},
	{NUMBER, 4, "key id", NULL}, {HEX, 0, "message authentication code", NULL}};
static const struct row pa_tag[] = {
	{NUMBER, 4, "key id", NULL}, {HEX, 0, "message authentication code", NULL}};
static const struct row opaque[] = {{HEX, 0, "data", NULL}};

static void walk_text(struct walk *w);
static void walk_prefix64(struct walk *w);
static void walk_next(struct walk *w);
static void walk_codes(struct walk *w);

static const struct shape {
	unsigned code;
	int octets; // what the data must have; -1: it depends
	const struct row *rows;
	size_t n;
	void (*walk)(struct walk *w);
} shapes[] = {
#define ROWS(rows) rows, ARRAY_SIZE(rows), NULL
	{PCP_THIRD_PARTY, 16, ROWS(third_party)},
	{PCP_PREFER_FAILURE, 0, ROWS(opaque)},
	{PCP_FILTER, 20, ROWS(filter)},
	{4, 4, ROWS(nonce)},   // RFC 7652 from here on
	{5, -1, ROWS(tag)},    // AUTHENTICATION_TAG
	{6, -1, ROWS(pa_tag)}, // PA_AUTHENTICATION_TAG
	{7, -1, ROWS(opaque)}, // EAP_PAYLOAD
	{8, 4, ROWS(number)},  // PRF
	{9, 4, ROWS(number)},  // MAC_ALGORITHM
	{10, 4, ROWS(seconds)},
	{11, 4, ROWS(number)}, // RECEIVED_PAK
	{12, -1, NULL, 0, walk_text},
	{PCP_THIRD_PARTY_ID, -1, ROWS(opaque)},
	{PCP_DESCRIPTION, -1, NULL, 0, walk_text},
	{PCP_PREFIX64, -1, NULL, 0, walk_prefix64},
	{PCP_PORT_SET, 5, ROWS(port_set)},
	{PCP_NEXT, -1, NULL, 0, walk_next},
	{PCP_PORT_RESERVATION, 0, ROWS(opaque)},
	{PCP_CHECKPOINT_REQUIRED, 0, ROWS(opaque)},
	{UNPROCESSED, -1, NULL, 0, walk_codes},
	{UNKNOWN, -1, ROWS(opaque)},
};

// What a code means in a dialect. Drafts numbered differently and knew three options only.
static unsigned meaning_of(enum pcp_dialect dialect, uint8_t code)
{
	static const unsigned in_1a[] = {
		UNKNOWN, UNPROCESSED, PCP_FILTER, PCP_PREFER_FAILURE, PCP_THIRD_PARTY};

	if (dialect == PCP_V1A)
		return code < ARRAY_SIZE(in_1a) ? in_1a[code] : UNKNOWN;
	if (code == 0)
		return dialect == PCP_V1B ? UNPROCESSED : UNKNOWN;
	return dialect == PCP_V2 || code <= PCP_FILTER ? code : UNKNOWN;
}

static const struct shape *shape_of(enum pcp_dialect dialect, uint8_t code)
{
	unsigned meaning = meaning_of(dialect, code);
	size_t i = 0;

	while (i < ARRAY_SIZE(shapes) - 1 && shapes[i].code != meaning)
		i++;
	return &shapes[i];
}

// In draft -07 addresses have their own length, and FILTER's is given in words (left over from
// -06).
static size_t data_octets(enum pcp_dialect dialect, unsigned meaning, size_t length)
{
	return dialect == PCP_V1A && meaning == PCP_FILTER && (length == 2 || length == 5)
		       ? 4 * length
		       : length;
}

static bool wrong_length(enum pcp_dialect dialect, const struct shape *s, size_t length)
{
	if (s->octets < 0)
		return false;
	if (dialect == PCP_V1A && s->code == PCP_FILTER)
		return length != 8 && length != 20;
	if (dialect == PCP_V1A && s->code == PCP_THIRD_PARTY)
		return length != 4 && length != 16;
	return length != (size_t)s->octets;
}

// ---- data that is more than rows -------------------------------------------------------------

static void walk_text(struct walk *w)
{
	size_t n = w->end - w->at;
	bool utf8 = pcp_text_is_utf8(w->msg + w->at, n);

	pcpc_escape(w->msg + w->at, n, w->value);
	walk_tell(w, n, "text", utf8 ? NULL : "not UTF-8");
}

static void walk_codes(struct walk *w)
{
	while (w->at < w->end) {
		snprintf(w->value, sizeof w->value, "%s (%u)",
			pcpc_option_label(w->dialect, w->msg[w->at]), w->msg[w->at]);
		walk_tell(w, 1, "option", NULL);
	}
}

static void walk_ip4_list(struct walk *w)
{
	static const struct row count[] = {{NUMBER, 2, "IPv4 prefixes", NULL}};
	static const struct row entry[] = {
		{NUMBER, 2, "prefix length", NULL}, {ADDRESS, 4, "IPv4 prefix", NULL}};

	walk_rows(w, count, ARRAY_SIZE(count));
	while (w->at < w->end)
		walk_rows(w, entry, ARRAY_SIZE(entry));
}

static void walk_prefix64(struct walk *w)
{
	static const struct row length[] = {{NUMBER, 2, "octets of the prefix", NULL}};
	size_t octets, at = w->at;
	ip6 prefix = {{0}};
	char text[IP6_TEXT];

	walk_rows(w, length, ARRAY_SIZE(length));
	octets = w->end - at < 2 ? 0 : (size_t)(w->msg[at] << 8 | w->msg[at + 1]);
	if (octets == 0 || octets > 12 || w->end - w->at < 12) {
		if (w->at < w->end)
			walk_hex(w, w->end - w->at, "data", "a prefix has 4 to 8 or 12 octets");
		return;
	}
	memcpy(prefix.b, w->msg + w->at, octets);
	snprintf(w->value, sizeof w->value, "%s/%zu", ip6_format(prefix, text), 8 * octets);
	walk_tell(
		w, octets, "NAT64 prefix", ip6_eq(prefix, (ip6){{0}}) ? "none: a question" : NULL);
	if (octets < 12)
		walk_hex(w, 12 - octets, "suffix", NULL);
	if (w->at < w->end)
		walk_ip4_list(w);
}

static void walk_next(struct walk *w)
{
	walk_rows(w, next_entry, ARRAY_SIZE(next_entry));
	if (w->answer)
		walk_options(w);
	else
		walk_codes(w);
}

// ---- one option ------------------------------------------------------------------------------

static void walk_data(struct walk *w, const struct shape *s, size_t octets)
{
	size_t end = w->end;
	const char *part = w->part;

	if (octets == 0)
		return;
	w->end = w->at + octets;
	if (s->walk)
		s->walk(w);
	else if (wrong_length(w->dialect, s, octets))
		walk_rows(w, opaque, ARRAY_SIZE(opaque));
	else
		walk_rows(w, s->rows, s->n);
	w->part = part;
	if (w->at < w->end)
		walk_hex(w, w->end - w->at, "data", "more than the option has");
	w->end = end;
}

static void walk_padding(struct walk *w, size_t octets)
{
	static const struct row padding[] = {{RESERVED, 0, "padding", NULL}};
	size_t end = w->end, left = end - w->at, n = -octets & 3;

	if (n == 0 || left == 0)
		return;
	w->end = w->at + (n < left ? n : left);
	walk_rows(w, padding, ARRAY_SIZE(padding));
	w->end = end;
}

static const char *length_note(struct walk *w, const struct shape *s, size_t length, size_t left)
{
	if (length > left) {
		snprintf(w->note, sizeof w->note, "%zu octets more than there are", length - left);
		return w->note;
	}
	if (!wrong_length(w->dialect, s, length))
		return NULL;
	snprintf(w->note, sizeof w->note, "this option has %d", s->octets);
	return w->note;
}

static void walk_option(struct walk *w)
{
	uint8_t code = w->msg[w->at];
	const struct shape *s = shape_of(w->dialect, code);
	size_t length, left;

	w->part = pcpc_option_label(w->dialect, code);
	snprintf(w->value, sizeof w->value, "%s (%u)", w->part, code);
	walk_tell(w, 1, "option", code < 128 ? "mandatory to process" : "optional to process");
	snprintf(w->value, sizeof w->value, "%u", w->msg[w->at]);
	walk_tell(w, 1, "reserved", w->msg[w->at] ? "not zero, as it should be" : NULL);
	length = data_octets(w->dialect, s->code, (size_t)(w->msg[w->at] << 8 | w->msg[w->at + 1]));
	left = w->end - w->at - 2;
	snprintf(w->value, sizeof w->value, "%zu", length);
	walk_tell(w, 2, "length", length_note(w, s, length, left));
	if (length > left)
		s = &shapes[ARRAY_SIZE(shapes) - 1];
	walk_data(w, s, length < left ? length : left);
	walk_padding(w, length);
}

void walk_options(struct walk *w)
{
	while (w->end - w->at >= 4)
		walk_option(w);
	w->part = "option";
	if (w->at < w->end)
		walk_hex(w, w->end - w->at, "unknown", "too short for an option");
}

// ---- in few words ----------------------------------------------------------------------------

// Letters of the first control set and of the second one steer terminals: neither passes.
static size_t printable(const uint8_t *text, size_t n)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if (text[0] < 0x20 || text[0] == 0x7f || text[0] == '\\' || length > n)
		return 0;
	if (length == 2 && text[0] == 0xc2 && text[1] < 0xa0)
		return 0;
	return pcp_text_is_utf8(text, length) ? length : 0;
}

char *pcpc_escape(const uint8_t *text, size_t n, char *out)
{
	char *to = out;

	for (size_t i = 0; i < n;) {
		size_t length = printable(text + i, n - i);

		if (length == 0) {
			to += sprintf(to, "\\x%02x", text[i]);
			i++;
			continue;
		}
		memcpy(to, text + i, length);
		to += length;
		i += length;
	}
	*to = '\0';
	return out;
}

static void tell_filter(const struct pcp_message *m, const struct pcp_option *o, char *out)
{
	struct pcp_filter f;
	char address[IP6_TEXT], port[24] = "every port";

	if (!pcp_read_filter(m, o, &f)) {
		strcpy(out, "cannot be read");
		return;
	}
	if (f.prefix == 0) {
		strcpy(out, "none: every remote host may come in");
		return;
	}
	if (f.port != 0)
		snprintf(port, sizeof port, "port %u", f.port);
	snprintf(out, PCPC_OPTION_TEXT, "%s/%u, %s", ip6_format(f.address, address),
		ip6_is_mapped(f.address) && f.prefix >= 96 ? f.prefix - 96U : f.prefix, port);
}

static void tell_prefix64(const struct pcp_option *o, char *out)
{
	struct pcp_prefix64 p;
	char text[IP6_TEXT];
	ip6 prefix = {{0}};
	int at;

	if (!pcp_read_prefix64(o, &p) || p.length > 12) {
		strcpy(out, "cannot be read");
		return;
	}
	memcpy(prefix.b, p.octets, p.length);
	at = sprintf(out, "%s/%d", ip6_format(prefix, text), 8 * p.length);
	for (unsigned i = 0; i < p.n && i < ARRAY_SIZE(p.ip4); i++)
		at += sprintf(out + at, "%s %s/%u", i == 0 ? " for" : ",",
			ip4_format(p.ip4[i].address, text), p.ip4[i].bits);
}

static void tell_port_set(const struct pcp_option *o, char *out)
{
	struct pcp_port_set set;

	if (!pcp_read_port_set(o, &set))
		strcpy(out, "cannot be read");
	else
		sprintf(out, "%u ports from internal port %u on%s", set.size, set.first,
			set.parity ? ", parity kept" : "");
}

static void tell_octets(const struct pcp_option *o, char *out)
{
	size_t n = o->length < PCP_MAX ? o->length : PCP_MAX;

	pcpc_format_hex(o->data, n, out);
}

char *pcpc_option_text(
	const struct pcp_message *m, const struct pcp_option *option, char out[PCPC_OPTION_TEXT])
{
	ip6 address;

	out[0] = '\0';
	switch (option->code) {
	case PCP_THIRD_PARTY:
		if (pcp_read_third_party(m, option, &address))
			ip6_format(address, out);
		break;
	case PCP_FILTER:
		tell_filter(m, option, out);
		break;
	case PCP_DESCRIPTION:
		if (option->length <= PCP_MAX)
			pcpc_escape(option->data, option->length, out);
		break;
	case PCP_PREFIX64:
		tell_prefix64(option, out);
		break;
	case PCP_PORT_SET:
		tell_port_set(option, out);
		break;
	default:
		tell_octets(option, out);
		break;
	}
	return out;
}
