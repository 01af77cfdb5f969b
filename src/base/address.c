// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

#include <stdio.h>

static const uint8_t mapped_head[12] = {[10] = 0xff, [11] = 0xff};

bool ip6_is_mapped(ip6 a)
{
	return memcmp(a.b, mapped_head, sizeof mapped_head) == 0;
}

ip6 ip6_mapped(ip4 a)
{
	be32 tail = be32_of(a);
	ip6 v;

	memcpy(v.b, mapped_head, sizeof mapped_head);
	memcpy(v.b + sizeof mapped_head, tail.b, sizeof tail.b);
	return v;
}

ip4 ip6_to_ip4(ip6 a)
{
	be32 tail;

	memcpy(tail.b, a.b + sizeof mapped_head, sizeof tail.b);
	return be32_get(tail);
}

bool ip6_eq(ip6 a, ip6 b)
{
	return memcmp(a.b, b.b, sizeof a.b) == 0;
}

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

char *prefix4_format(struct prefix4 p, char out[PREFIX4_TEXT])
{
	char text[IP4_TEXT];

	assert(p.bits <= 32);
	snprintf(out, PREFIX4_TEXT, "%s/%u", ip4_format(p.base, text), p.bits);
	return out;
}
