// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

#include <stdio.h>

char *ip4_format(ip4 a, char out[IP4_TEXT])
{
	snprintf(out, IP4_TEXT, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	return out;
}

struct run {
	unsigned start, length;
};

// RFC 5952 s.4.2: the longest run of zero groups, the first of equals; one group alone stays "0".
static struct run find_zero_run(const uint16_t group[8])
{
	struct run best = {.start = 8, .length = 1};

	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;
		while (i + n < 8 && group[i + n] == 0)
			n++;
		if (n > best.length)
			best = (struct run){.start = i, .length = n};
		i += n;
	}
	return best;
}

static void load_groups(ip6 a, uint16_t group[8])
{
	for (unsigned i = 0; i < 8; i++)
		group[i] = (uint16_t)(a.b[2 * i] << 8 | a.b[2 * i + 1]);
}

char *ip6_format(ip6 a, char out[IP6_TEXT])
{
	uint16_t group[8];
	size_t at = 0;

	if (ip6_is_mapped(a))
		return ip4_format(ip6_to_ip4(a), out);
	load_groups(a, group);
	struct run gap = find_zero_run(group);
	for (unsigned i = 0; i < 8; i++) {
		if (i == gap.start) {
			at += (size_t)snprintf(out + at, IP6_TEXT - at, "::");
			i += gap.length - 1;
			continue;
		}
		bool colon = i > 0 && i != gap.start + gap.length;
		at += (size_t)snprintf(out + at, IP6_TEXT - at, "%s%x", colon ? ":" : "", group[i]);
	}
	return out;
}

// Reads a decimal of at most `max`, digits only, no leading zero: "010" is eight to some readers
// and ten to others, so it is neither here. Returns where the number ended, NULL when there is
// none.
static const char *read_decimal(const char *text, unsigned max, unsigned *out)
{
	unsigned n = 0;
	const char *at = text;

	while (*at >= '0' && *at <= '9' && n <= max)
		n = n * 10 + (unsigned)(*at++ - '0');
	if (at == text || n > max || (text[0] == '0' && at - text > 1))
		return NULL;
	*out = n;
	return at;
}

static const char *read_ip4(const char *text, ip4 *out)
{
	ip4 a = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned octet;
		if (i > 0 && *text++ != '.')
			return NULL;
		text = read_decimal(text, 255, &octet);
		if (!text)
			return NULL;
		a = a << 8 | octet;
	}
	*out = a;
	return text;
}

bool ip4_parse(const char *text, ip4 *out)
{
	ip4 a;

	text = read_ip4(text, &a);
	if (!text || *text)
		return false;
	*out = a;
	return true;
}

bool prefix4_parse(const char *text, struct prefix4 *out, ip4 *host)
{
	unsigned bits = 32;
	ip4 a;

	text = read_ip4(text, &a);
	if (text && *text == '/')
		text = read_decimal(text + 1, 32, &bits);
	if (!text || *text)
		return false;
	ip4 base = a & prefix4_mask((uint8_t)bits);
	if (!host && base != a)
		return false;
	if (host)
		*host = a;
	*out = (struct prefix4){.base = base, .bits = (uint8_t)bits};
	return true;
}

// ---- IPv6 text -------------------------------------------------------------------------------

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// One to four hexadecimal digits; where they ended, NULL when there are none or more.
static const char *read_group(const char *text, uint16_t *out)
{
	const char *at = text;
	unsigned n = 0;

	while (hex_digit(*at) >= 0 && at - text < 5)
		n = n << 4 | (unsigned)hex_digit(*at++);
	if (at == text || at - text > 4)
		return NULL;
	*out = (uint16_t)n;
	return at;
}

struct groups {
	uint16_t list[8];
	unsigned n;
	int gap; // "::" stands before this one; -1: nowhere
};

// Groups with colons between them, up to the end of the text or a slash. The last two may be an
// IPv4 address (RFC 4291 s.2.2, form 3).
static const char *read_groups(const char *text, struct groups *g)
{
	while (g->n < 8) {
		const char *at = read_group(text, &g->list[g->n]);
		ip4 tail;
		if (at && *at == '.') {
			at = g->n <= 6 ? read_ip4(text, &tail) : NULL;
			if (!at)
				return NULL;
			g->list[g->n++] = (uint16_t)(tail >> 16);
			g->list[g->n++] = (uint16_t)tail;
			return at;
		}
		if (!at)
			return NULL;
		g->n++;
		if (at[0] != ':')
			return at;
		text = at + 1;
		if (*text != ':')
			continue;
		if (g->gap >= 0)
			return NULL;
		g->gap = (int)g->n;
		text++;
		if (!*text || *text == '/')
			return text;
	}
	return NULL;
}

static bool store_groups(const struct groups *g, ip6 *out)
{
	unsigned missing = 8 - g->n;

	// "::" stands for one group of zeros at least.
	if (g->gap < 0 ? missing != 0 : missing == 0)
		return false;
	*out = (ip6){{0}};
	for (unsigned i = 0; i < g->n && i < 8; i++) {
		unsigned at = g->gap >= 0 && i >= (unsigned)g->gap ? i + missing : i;
		out->b[2 * at] = (uint8_t)(g->list[i] >> 8);
		out->b[2 * at + 1] = (uint8_t)g->list[i];
	}
	return true;
}

static const char *read_ip6(const char *text, ip6 *out)
{
	struct groups g = {.gap = -1};

	if (text[0] == ':' && text[1] == ':') {
		g.gap = 0;
		text += 2;
	}
	if (g.gap < 0 || (*text && *text != '/'))
		text = read_groups(text, &g);
	return text && store_groups(&g, out) ? text : NULL;
}

bool ip6_parse(const char *text, ip6 *out)
{
	ip6 a;

	text = read_ip6(text, &a);
	if (!text || *text)
		return false;
	*out = a;
	return true;
}

static uint8_t octet_mask(unsigned bits, unsigned octet)
{
	unsigned used = bits > 8 * octet ? bits - 8 * octet : 0;

	return (uint8_t)(used >= 8 ? 0xff : 0xff00 >> used);
}

bool prefix6_has(const struct prefix6 *p, ip6 a)
{
	unsigned differ = 0;

	for (unsigned i = 0; i < sizeof a.b; i++)
		differ |= (unsigned)(a.b[i] ^ p->base.b[i]) & octet_mask(p->bits, i);
	return differ == 0;
}

bool prefix6_parse(const char *text, struct prefix6 *out, ip6 *host)
{
	unsigned bits = 128;
	ip6 a, base;

	text = read_ip6(text, &a);
	if (text && *text == '/')
		text = read_decimal(text + 1, 128, &bits);
	if (!text || *text)
		return false;
	for (unsigned i = 0; i < sizeof base.b; i++)
		base.b[i] = a.b[i] & octet_mask(bits, i);
	if (!host && !ip6_eq(base, a))
		return false;
	if (host)
		*host = a;
	*out = (struct prefix6){.base = base, .bits = (uint8_t)bits};
	return true;
}

// ---- prefixes' text --------------------------------------------------------------------------

char *prefix4_format(struct prefix4 p, char out[PREFIX4_TEXT])
{
	char text[IP4_TEXT];

	assert(p.bits <= 32);
	snprintf(out, PREFIX4_TEXT, "%s/%u", ip4_format(p.base, text), p.bits);
	return out;
}

char *prefix6_format(struct prefix6 p, char out[PREFIX6_TEXT])
{
	char text[IP6_TEXT];

	assert(p.bits <= 128);
	snprintf(out, PREFIX6_TEXT, "%s/%u", ip6_format(p.base, text), p.bits);
	return out;
}
