// SPDX-License-Identifier: Apache-2.0
// What the command line says about the options of a request, and about what a probe does to it.
#include "pcpc.h"

bool pcpc_wrong(const char *option, const char *found, const char *wanted)
{
	pcpc_complain("%s: '%s' is not %s", option, found, wanted);
	return false;
}

const uint8_t *pcpc_pool_hex(struct pcpc_options *o, const char *text, uint32_t *n)
{
	uint8_t *at = o->pool + o->pool_used;
	size_t room = sizeof o->pool - o->pool_used, length;

	if (room > PCPC_LARGEST)
		room = PCPC_LARGEST;
	if (!pcpc_parse_hex(text, at, room, &length))
		return NULL;
	o->pool_used += length;
	*n = (uint32_t)length;
	return at;
}

// ---- options of the request ------------------------------------------------------------------

static struct pcpc_wish *add(struct pcpc_options *o, uint8_t code)
{
	struct pcpc_wish *wish = &o->wishes[o->n_wishes];

	if (o->n_wishes == PCPC_MAX_WISHES) {
		pcpc_complain("too many options for one request: %d at most", PCPC_MAX_WISHES);
		return NULL;
	}
	o->n_wishes++;
	*wish = (struct pcpc_wish){.code = code};
	return wish;
}

static bool add_empty(struct pcpc_options *o, uint8_t code)
{
	return add(o, code) != NULL;
}

static bool read_filter(struct pcpc_options *o, const char *text)
{
	struct pcpc_wish *wish = add(o, PCP_FILTER);

	if (!wish)
		return false;
	return pcpc_parse_filter(text, &wish->filter) ||
	       pcpc_wrong("--filter", text, "none, ADDR, ADDR/BITS, ADDR:PORT or ADDR/BITS:PORT");
}

static bool read_third_party(struct pcpc_options *o, const char *text)
{
	struct pcpc_wish *wish = add(o, PCP_THIRD_PARTY);

	if (!wish)
		return false;
	return pcpc_parse_address(text, wish->address.b) ||
	       pcpc_wrong("--third-party", text, "an IPv4 or IPv6 address");
}

static bool add_octets(
	struct pcpc_options *o, uint8_t code, bool verbatim, const uint8_t *at, uint32_t n)
{
	struct pcpc_wish *wish = add(o, code);

	if (!wish)
		return false;
	wish->verbatim = verbatim;
	wish->octets.at = at;
	wish->octets.n = (uint16_t)n;
	return true;
}

static bool read_third_party_id(struct pcpc_options *o, const char *text)
{
	uint32_t n;
	const uint8_t *at = pcpc_pool_hex(o, text, &n);

	if (!at)
		return pcpc_wrong("--third-party-id", text, "hexadecimal octets");
	return add_octets(o, PCP_THIRD_PARTY_ID, false, at, n);
}

static bool read_description(struct pcpc_options *o, const char *text)
{
	size_t n = strlen(text);

	if (n > PCP_MAX)
		return pcpc_wrong("--description", text, "short enough for a request");
	return add_octets(o, PCP_DESCRIPTION, false, (const uint8_t *)text, (uint32_t)n);
}

// N or N,parity
static bool read_port_set(struct pcpc_options *o, const char *text)
{
	static const char parity[] = ",parity";
	struct pcpc_wish *wish = add(o, PCP_PORT_SET);
	const char *comma = strchr(text, ',');
	char number[8];
	uint32_t n;

	if (!wish)
		return false;
	if (comma && strcmp(comma, parity) == 0 && (size_t)(comma - text) < sizeof number) {
		memcpy(number, text, (size_t)(comma - text));
		number[comma - text] = '\0';
		wish->ports.parity = true;
		comma = number;
	} else {
		comma = text;
	}
	if (!pcpc_parse_number(comma, 65535, &n))
		return pcpc_wrong("--port-set", text, "N or N,parity");
	wish->ports.size = (uint16_t)n;
	return true;
}

// "LEFT:REST" or "LEFT=REST" with a number on the left; the rest, or NULL.
static const char *split(const char *text, char sign, uint32_t max, uint32_t *left)
{
	const char *at = strchr(text, sign);
	char number[12];

	if (!at || (size_t)(at - text) >= sizeof number)
		return NULL;
	memcpy(number, text, (size_t)(at - text));
	number[at - text] = '\0';
	return pcpc_parse_number(number, max, left) ? at + 1 : NULL;
}

static bool read_verbatim(struct pcpc_options *o, const char *text)
{
	uint32_t code, n;
	const char *rest = split(text, ':', 255, &code);
	const uint8_t *at = rest ? pcpc_pool_hex(o, rest, &n) : NULL;

	if (!at)
		return pcpc_wrong("--option", text, "CODE:HEX");
	return add_octets(o, (uint8_t)code, true, at, n);
}

static bool read_wanted(struct pcpc_options *o, const char *text)
{
	uint32_t code;

	if (!pcpc_parse_number(text, 255, &code) || o->n_wanted == sizeof o->wanted)
		return pcpc_wrong("--wanted", text, "the code of an option, one of few");
	o->wanted[o->n_wanted++] = (uint8_t)code;
	return true;
}

// ---- what a probe does to it -----------------------------------------------------------------

static struct pcpc_edit *add_edit(struct pcpc_options *o, enum pcpc_edit_kind kind)
{
	struct pcpc_edit *edit = &o->probe.edits[o->probe.n_edits];

	if (o->probe.n_edits == PCPC_MAX_EDITS) {
		pcpc_complain("too many changes for one probe: %d at most", PCPC_MAX_EDITS);
		return NULL;
	}
	o->probe.n_edits++;
	*edit = (struct pcpc_edit){.kind = kind};
	return edit;
}

static bool read_set(struct pcpc_options *o, const char *text)
{
	struct pcpc_edit *edit = add_edit(o, PCPC_SET);
	const char *rest;

	if (!edit)
		return false;
	rest = split(text, '=', PCPC_LARGEST, &edit->at);
	edit->octets = rest ? pcpc_pool_hex(o, rest, &edit->n) : NULL;
	return edit->octets || pcpc_wrong("--set", text, "OFFSET=HEX");
}

static bool read_append(struct pcpc_options *o, const char *text)
{
	struct pcpc_edit *edit = add_edit(o, PCPC_APPEND);

	if (!edit)
		return false;
	edit->octets = pcpc_pool_hex(o, text, &edit->n);
	return edit->octets || pcpc_wrong("--append", text, "hexadecimal octets");
}

static bool read_length(struct pcpc_options *o, enum pcpc_edit_kind kind, const char *text)
{
	struct pcpc_edit *edit = add_edit(o, kind);

	if (!edit)
		return false;
	return pcpc_parse_number(text, PCPC_LARGEST, &edit->n) ||
	       pcpc_wrong(kind == PCPC_TRUNCATE ? "--truncate" : "--pad-to", text,
		       "a length from 0 to 4096");
}

static bool read_lie(struct pcpc_options *o, const char *text)
{
	struct pcpc_edit *edit = add_edit(o, PCPC_OPTION_LENGTH);
	const char *rest;

	if (!edit)
		return false;
	rest = split(text, '=', 255, &edit->at);
	return (rest && pcpc_parse_number(rest, 65535, &edit->n)) ||
	       pcpc_wrong("--option-length", text, "CODE=N");
}

static bool read_repeat(struct pcpc_options *o, const char *text)
{
	return (pcpc_parse_number(text, 1000000000, &o->probe.repeat) && o->probe.repeat > 0) ||
	       pcpc_wrong("--repeat", text, "a number from 1 on");
}

// R or R/s
static bool read_rate(struct pcpc_options *o, const char *text)
{
	uint32_t n;
	const char *rest = split(text, '/', 1000000, &n);

	if (rest ? strcmp(rest, "s") != 0 : !pcpc_parse_number(text, 1000000, &n))
		n = 0;
	o->probe.rate = n;
	return n > 0 || pcpc_wrong("--rate", text, "so many in a second, such as 100 or 100/s");
}

static bool read_random(struct pcpc_options *o, const char *text)
{
	o->probe.has_seed = pcpc_parse_number(text, UINT32_MAX, &o->probe.seed);
	return o->probe.has_seed || pcpc_wrong("--random", text, "a number, the seed");
}

static bool read_expect(struct pcpc_options *o, const char *text)
{
	if (strncmp(text, "result=", 7) == 0)
		text += 7;
	if (strcmp(text, "silence") == 0)
		o->probe.expect = PCPC_SILENCE;
	else if (strcmp(text, "answer") == 0)
		o->probe.expect = PCPC_ANSWER;
	else if (pcpc_find_result(text, &o->probe.expected))
		o->probe.expect = PCPC_RESULT;
	else
		return pcpc_wrong("--expect", text, "a result's name or number, answer or silence");
	return true;
}

static bool read_change(struct pcpc_options *o, int option, const char *text)
{
	switch (option) {
	case PCPC_OPTION_SET:
		return read_set(o, text);
	case PCPC_OPTION_TRUNCATE:
		return read_length(o, PCPC_TRUNCATE, text);
	case PCPC_OPTION_APPEND:
		return read_append(o, text);
	case PCPC_OPTION_PAD_TO:
		return read_length(o, PCPC_PAD_TO, text);
	case PCPC_OPTION_LENGTH_LIE:
		return read_lie(o, text);
	case PCPC_OPTION_REPEAT:
		return read_repeat(o, text);
	case PCPC_OPTION_RATE:
		return read_rate(o, text);
	case PCPC_OPTION_RANDOM:
		return read_random(o, text);
	case PCPC_OPTION_EXPECT:
		return read_expect(o, text);
	default:
		return false;
	}
}

bool pcpc_wish_read(struct pcpc_options *o, int option, const char *text)
{
	switch (option) {
	case PCPC_OPTION_FILTER:
		return read_filter(o, text);
	case PCPC_OPTION_THIRD_PARTY:
		return read_third_party(o, text);
	case PCPC_OPTION_THIRD_PARTY_ID:
		return read_third_party_id(o, text);
	case PCPC_OPTION_DESCRIPTION:
		return read_description(o, text);
	case PCPC_OPTION_PORT_SET:
		return read_port_set(o, text);
	case PCPC_OPTION_PREFIX64:
		return add_empty(o, PCP_PREFIX64);
	case PCPC_OPTION_CHECKPOINT:
		return add_empty(o, PCP_CHECKPOINT_REQUIRED);
	case PCPC_OPTION_PORT_RESERVATION:
		return add_empty(o, PCP_PORT_RESERVATION);
	case PCPC_OPTION_VERBATIM:
		return read_verbatim(o, text);
	case PCPC_OPTION_WANTED:
		return read_wanted(o, text);
	default:
		return read_change(o, option, text);
	}
}
